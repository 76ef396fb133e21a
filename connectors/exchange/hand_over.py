"""The mailbox's new use: who opens it, sends as it, and gets its mail."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import ClassVar, cast

from connectors.contract import (
    Accepted,
    Choices,
    Done,
    Finding,
    Intent,
    Item,
    Json,
    Nothing,
    Outcome,
    Step,
    Task,
    Todo,
    Waiting,
    Wave,
)
from connectors.exchange.addresses import Recipient, accepted_domains, outside, read_recipient
from connectors.exchange.client import PERMISSION, CmdletRefused, ExchangeApi, NoSuchObject, refused_as, text
from connectors.exchange.facts import NO_MAILBOX, Ctx, ExchangeFacts, look_again_in, mailbox_now
from connectors.exchange.lock_out import (
    ClearForwarding,
    StopProtocols,
    forwarding_of,
    restore_forwarding,
    set_forwarding,
)
from connectors.exchange.mailboxes import Mailbox
from connectors.exchange.people import has_full_access, may_send_as, person_chosen, recipient_chosen
from connectors.exchange.protocols import FOR_OTHERS, read_protocols, set_protocols
from connectors.http import RefusedWith

ACCESS, FORWARD, FORWARD_TO = "mailbox.access", "mailbox.forward", "mailbox.forward.to"
CONTROLS = ("CIS 3.3", "NIST PS-4")
_ADDRESS = re.compile(r"[^@\s<>\"';,:]+@[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)
_NO_MAILBOX = Task(
    reason=NO_MAILBOX,
    instructions=(
        "Find out whether its licence was taken away: within 30 days, assigning it again brings the mailbox back. "
        "Then retry."
    ),
)


def _kept(facts: ExchangeFacts, choices: Choices) -> bool:
    """There is a mailbox, and it is not to be deleted."""
    return facts.active and choices.get("mailbox") != "delete"


class GrantAccess(Step[ExchangeApi, ExchangeFacts]):
    """Let somebody open the mailbox; it appears in their Outlook by itself."""

    id = "exchange.grant_access"
    title = "Give access to the mailbox"
    wave = Wave.HAND_OVER
    lag = timedelta(minutes=60)
    controls = CONTROLS
    permissions = (PERMISSION,)
    may: ClassVar[str] = "may open the mailbox"

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return _kept(facts, choices) and bool(person_chosen(choices, ACCESS, facts.mailbox.id))

    async def look(self, ctx: Ctx) -> Finding:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return _NO_MAILBOX
        recipient = await recipient_chosen(ctx, ACCESS)
        if isinstance(recipient, Task):
            return recipient
        if await self.holds(ctx, mailbox, recipient):
            return Nothing(f"{recipient.name} already {self.may}")
        before: Json = {"granted": False, "name": recipient.name}
        return Todo((Item(key=recipient.id, title=f"{recipient.name} ({recipient.mail})", before=before),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await ctx.api.invoke(
            "Add-MailboxPermission",
            anchor=ctx.facts.mailbox.user_name,
            Identity=ctx.account.id,
            User=item.key,
            AccessRights=["FullAccess"],
            InheritanceType="All",
            AutoMapping=True,
            Confirm=False,
        )
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        if await self._reads(ctx, item):
            return Done(f"{item.title} {self.may}")
        return Waiting(look_again_in(ctx, intent.at), f"Exchange does not show yet that {item.title} {self.may}")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        if item.before.get("granted") is True:
            return Done("it was granted before the offboarding, so it stays")
        await self.take_back(ctx, item)
        if await self._reads(ctx, item):
            return Waiting(15, f"Exchange still shows that {item.title} {self.may}")
        return Done(f"it reads as taken back from {item.title}")

    async def holds(self, ctx: Ctx, mailbox: Mailbox, recipient: Recipient) -> bool:
        """Whether they have it already."""
        return await has_full_access(ctx, mailbox, recipient)

    async def take_back(self, ctx: Ctx, item: Item) -> None:
        """What is not there to be taken back is only a warning."""
        await ctx.api.invoke(
            "Remove-MailboxPermission",
            anchor=ctx.facts.mailbox.user_name,
            Identity=ctx.account.id,
            User=item.key,
            AccessRights=["FullAccess"],
            InheritanceType="All",
            Confirm=False,
        )

    async def _reads(self, ctx: Ctx, item: Item) -> bool:
        mailbox, recipient = await mailbox_now(ctx), await read_recipient(ctx.api, item.key)
        return mailbox is not None and recipient is not None and await self.holds(ctx, mailbox, recipient)


class GrantSendAs(GrantAccess):
    """Let them answer in the mailbox's name."""

    id = "exchange.grant_send_as"
    title = "Let them send as the mailbox"
    after = (GrantAccess.id,)
    may = "may send as the mailbox"

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await ctx.api.invoke(
            "Add-RecipientPermission",
            anchor=ctx.facts.mailbox.user_name,
            Identity=ctx.account.id,
            Trustee=item.key,
            AccessRights=["SendAs"],
            Confirm=False,
        )
        return Accepted()

    async def holds(self, ctx: Ctx, mailbox: Mailbox, recipient: Recipient) -> bool:
        return await may_send_as(ctx, mailbox, recipient)

    async def take_back(self, ctx: Ctx, item: Item) -> None:
        await ctx.api.invoke(
            "Remove-RecipientPermission",
            anchor=ctx.facts.mailbox.user_name,
            Identity=ctx.account.id,
            Trustee=item.key,
            AccessRights=["SendAs"],
            Confirm=False,
        )


class RestoreWebAccess(Step[ExchangeApi, ExchangeFacts]):
    """Open Outlook and web again: the switches are the mailbox's, so its new user needs them, too."""

    id = "exchange.restore_web_access"
    title = "Open the mailbox to its new user's Outlook and web"
    wave = Wave.HAND_OVER
    # With these on, only the block and the new password keep the leaver out. Both are the domain's where it masters
    # the account: there a block counts once it has survived a sync.
    requires = (
        GrantAccess.id,
        "microsoft365.block_sign_in",
        "microsoft365.reset_password",
        "microsoft365.check_after_sync",
    )
    after = (StopProtocols.id,)
    lag = timedelta(minutes=15)
    controls = CONTROLS
    permissions = (PERMISSION,)

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return facts.personal and GrantAccess().wanted(choices, facts)

    async def look(self, ctx: Ctx) -> Finding:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return _NO_MAILBOX
        switches = await read_protocols(ctx.api, mailbox)
        shut = {name: switches[name] for name in FOR_OTHERS if switches.get(name) is False}
        if not shut:
            return Nothing("Outlook and web are open")
        if (await ctx.read("microsoft365.account")).get("enabled") is not False:
            return Task(
                reason="the leaver's own sign-in is not blocked, and opening the mailbox would open it to them",
                instructions="Block the sign-in (and the domain account, if there is one) first, then retry.",
            )
        return Todo((Item(key="web", title="Outlook and web", before=dict(shut)),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await set_protocols(ctx.api, ctx.facts.mailbox, {name: True for name in item.before if name in FOR_OTHERS})
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        switches = await read_protocols(ctx.api, ctx.facts.mailbox)
        if shut := [name for name in FOR_OTHERS if switches.get(name) is False]:
            return Waiting(look_again_in(ctx, intent.at), f"Exchange still shows {', '.join(shut)} shut")
        return Done("Outlook and web read as open for those who have access")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        before = {name: cast("bool | None", value) for name, value in item.before.items() if name in FOR_OTHERS}
        await set_protocols(ctx.api, ctx.facts.mailbox, before)
        now = await read_protocols(ctx.api, ctx.facts.mailbox)
        if all(now.get(name) == value for name, value in before.items()):
            return Done("Outlook and web read as shut")
        return Waiting(15, "Exchange does not show Outlook and web shut yet")


class Forward(Step[ExchangeApi, ExchangeFacts]):
    """Send what arrives to somebody, and keep it in the mailbox as well."""

    id = "exchange.forward"
    title = "Forward new mail"
    wave = Wave.HAND_OVER
    after = (ClearForwarding.id,)
    controls = CONTROLS
    permissions = (PERMISSION,)

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return _kept(facts, choices) and bool(self._question(choices, facts.mailbox.id))

    async def look(self, ctx: Ctx) -> Finding:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return _NO_MAILBOX
        question = self._question(ctx.choices, ctx.account.id)
        if question == FORWARD_TO:
            return await self._look_outside(ctx, mailbox, ctx.choices[FORWARD_TO].strip())
        recipient = await recipient_chosen(ctx, question)
        if isinstance(recipient, Task):
            return recipient
        if await self._goes_to(ctx, mailbox, recipient.id):
            return Nothing(f"mail is already forwarded to {recipient.name}")
        title = f"To {recipient.name} ({recipient.mail})"
        return Todo((Item(key=recipient.id, title=title, before=forwarding_of(mailbox)),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        inside = "@" not in item.key
        values: Json = {
            # With both set, Exchange ignores the plain address: exactly one may stand.
            "ForwardingAddress": item.key if inside else None,
            "ForwardingSmtpAddress": None if inside else f"smtp:{item.key}",
            "DeliverToMailboxAndForward": True,
        }
        try:
            await set_forwarding(ctx, values)
        except CmdletRefused as refused:
            if isinstance(refused, NoSuchObject) or not refused_as(refused, "forward", "outbound"):
                raise
            raise CmdletRefused(
                refused.call, refused.message, _policy_fix(ctx), refused.status, refused.kind
            ) from refused
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        mailbox = await mailbox_now(ctx)
        if mailbox is not None and await self._goes_to(ctx, mailbox, item.key):
            return Done(f"mail reads as forwarded: {item.title}; a copy stays in the mailbox")
        return Waiting(look_again_in(ctx, intent.at), "Exchange does not show the forwarding yet")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        return await restore_forwarding(ctx, item)

    def _question(self, choices: Choices, leaver: str) -> str:
        """Which answer names where mail goes; '' when it goes nowhere."""
        answer = choices.get(FORWARD, "")
        if answer == "external":
            return FORWARD_TO if _ADDRESS.fullmatch(choices.get(FORWARD_TO, "").strip()) else ""
        if answer == "successor":
            return ACCESS if person_chosen(choices, ACCESS, leaver) else ""
        return FORWARD if person_chosen(choices, FORWARD, leaver) else ""

    async def _look_outside(self, ctx: Ctx, mailbox: Mailbox, address: str) -> Finding:
        if await self._goes_to(ctx, mailbox, address):
            return Nothing(f"mail is already forwarded to {address}")
        if outside(address, await accepted_domains(ctx.api)) and await _policy_refuses(ctx):
            return Task(
                reason="the client's outbound spam policy refuses mail forwarded to outside (550 5.7.520)",
                instructions=_policy_fix(ctx),
            )
        return Todo((Item(key=address, title=f"To {address}, outside", before=forwarding_of(mailbox)),))

    async def _goes_to(self, ctx: Ctx, mailbox: Mailbox, target: str) -> bool:
        if not mailbox.keeps_copy:
            return False
        if "@" in target:
            return mailbox.forwarding_smtp.casefold() == target.casefold() and not mailbox.forwarding_address
        if not mailbox.forwarding_address or mailbox.forwarding_smtp:
            return False
        recipient = await read_recipient(ctx.api, mailbox.forwarding_address)
        return recipient is not None and recipient.id.casefold() == target.casefold()


async def _policy_refuses(ctx: Ctx) -> bool:
    """Whether no outbound policy allows forwarding outside; where we may not read them, Exchange itself will tell."""
    try:
        policies = await ctx.api.invoke("Get-HostedOutboundSpamFilterPolicy")
    except RefusedWith:
        return False
    return not any(text(policy, "AutoForwardingMode") == "On" for policy in policies)


def _policy_fix(ctx: Ctx) -> str:
    return (
        "In https://security.microsoft.com, Policies > Anti-spam, create an outbound policy for "
        f"{ctx.facts.mailbox.mail or ctx.account.name} alone, with automatic forwarding On, then retry; or change "
        "the answer to somebody inside."
    )
