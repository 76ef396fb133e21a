"""The mailbox's fate: put on hold, made shared, hidden from the address book."""

from __future__ import annotations

from datetime import timedelta

from connectors.contract import (
    Accepted,
    Choices,
    Done,
    Failed,
    Finding,
    Intent,
    Item,
    Nothing,
    Outcome,
    Step,
    Task,
    Todo,
    Waiting,
    Wave,
)
from connectors.exchange.client import PERMISSION, CmdletRefused, ExchangeApi, NoSuchObject, refused_as
from connectors.exchange.facts import NO_MAILBOX, Ctx, ExchangeFacts, gone, look_again_in, mailbox_now
from connectors.exchange.mailboxes import (
    SHARED,
    USER,
    Mailbox,
    needs_licence,
    read_with_size,
)

FATE, BACKUP = "mailbox", "mailbox.backup"
SHARED_FATES = ("shared", "shared licensed")
"""Answers that make it shared: without a licence, or with the one it has, where it needs one."""
BLOCK, _RESET = "microsoft365.block_sign_in", "microsoft365.reset_password"
_LICENCE_BACK = (
    "Find out what became of it: within 30 days of losing its licence, assigning the licence again brings it back. "
    "Then retry."
)


def hold_chosen(choices: Choices) -> bool:
    """Whether a hold is what keeps the mailbox's content."""
    deleted = choices.get(FATE) == "delete" and choices.get(BACKUP) == "hold"
    return deleted or choices.get("contentious") == "yes"


class Hold(Step[ExchangeApi, ExchangeFacts]):
    """Litigation hold: nothing can be deleted for good any more, by nobody. Quiet; undone by lifting it."""

    id = "exchange.hold"
    title = "Put the mailbox on hold"
    wave = Wave.PRESERVE
    early = True
    lag = timedelta(minutes=60)
    controls = ("CIS 11.2", "NIST AU-11", "NIST SI-12")
    permissions = (PERMISSION,)

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return facts.active and hold_chosen(choices)

    async def look(self, ctx: Ctx) -> Finding:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return Task(reason=NO_MAILBOX, instructions=_LICENCE_BACK)
        if mailbox.litigation_hold:
            return Nothing("litigation hold reads as on")
        return Todo((Item(key="hold", title="Litigation hold", before={"LitigationHoldEnabled": False}),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        try:
            await _set(ctx, LitigationHoldEnabled=True)
        except CmdletRefused as refused:
            if isinstance(refused, NoSuchObject) or not refused_as(refused, "licen", "plan", "not enabled for"):
                raise
            fix = (
                "Assign Exchange Online Plan 2 (or Plan 1 with Exchange Online Archiving) to the account and retry; "
                "or, in https://purview.microsoft.com, put the mailbox on an eDiscovery hold and note the case here."
            )
            raise CmdletRefused(refused.call, refused.message, fix, refused.status, refused.kind) from refused
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        mailbox = await mailbox_now(ctx)
        if mailbox is not None and mailbox.litigation_hold:
            return Done("litigation hold reads as on")
        return Waiting(look_again_in(ctx, intent.at), "Exchange does not show the hold yet")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        await _set(ctx, LitigationHoldEnabled=False)
        mailbox = await mailbox_now(ctx)
        if mailbox is not None and not mailbox.litigation_hold:
            return Done("litigation hold reads as off")
        return Waiting(60, "Exchange still shows the hold")


class ConvertToShared(Step[ExchangeApi, ExchangeFacts]):
    """Make it a shared mailbox: no sign-in of its own, and up to 50 GB no licence."""

    id = "exchange.convert_to_shared"
    title = "Make it a shared mailbox"
    wave = Wave.CLEAN_UP
    # The old password would open a shared mailbox, too.
    after = (BLOCK, _RESET, Hold.id)
    lag = timedelta(minutes=60)
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-2")
    permissions = (PERMISSION,)

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return facts.personal and choices.get(FATE) in SHARED_FATES

    async def look(self, ctx: Ctx) -> Finding:
        mailbox, size = await read_with_size(ctx.api, ctx.account.id, ctx.facts.mailbox.user_name)
        if mailbox is None:
            return Task(reason=NO_MAILBOX, instructions=_LICENCE_BACK)
        if mailbox.kind == SHARED:
            return Nothing("RecipientTypeDetails reads as SharedMailbox")
        if mailbox.synced:
            return _convert_on_premises(mailbox)
        if mailbox.licensed is False:
            return Task(
                reason="its licence is gone already, and Exchange converts a mailbox only while it has one",
                instructions=f"Assign an Exchange licence to {mailbox.user_name} again, wait until mail works, retry.",
            )
        # A held, archived or big mailbox stops receiving once its licence goes, and is lost in the end.
        why = needs_licence(mailbox, size)
        if why and ctx.choices.get(FATE) == "shared" and ctx.choices.get("licences") == "release":
            return Task(
                reason=f"the licences are to be released, and as a shared mailbox it needs one: {why}",
                instructions=(
                    "Have the requester decide that the licence stays, make the mailbox smaller, or end what needs it, "
                    "then retry."
                ),
            )
        return Todo((Item(key="type", title="Type of the mailbox", before={"Type": "Regular"}),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await _set(ctx, Type="Shared")
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return Failed(f"{NO_MAILBOX}: {_LICENCE_BACK}")
        if mailbox.kind == SHARED:
            return Done(
                "RecipientTypeDetails reads as SharedMailbox; its account must stay, blocked: it holds the mail"
            )
        return Waiting(look_again_in(ctx, intent.at), f"Exchange still shows {mailbox.kind}")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        await _set(ctx, Type="Regular")
        mailbox = await mailbox_now(ctx)
        if mailbox is not None and mailbox.kind == USER:
            return Done("RecipientTypeDetails reads as UserMailbox; without a licence it is lost in 30 days")
        return Waiting(60, "Exchange does not show a user mailbox yet")


class HideFromAddressLists(Step[ExchangeApi, ExchangeFacts]):
    """Colleagues no longer find the leaver in the address book."""

    id = "exchange.hide_from_address_lists"
    title = "Hide from the address book"
    wave = Wave.CLEAN_UP
    controls = ("NIST PS-4",)
    permissions = (PERMISSION,)
    lag = timedelta(minutes=15)

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return _hides(choices, facts) and not facts.mailbox.synced

    async def look(self, ctx: Ctx) -> Finding:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return Nothing(await gone(ctx))
        if mailbox.hidden:
            return Nothing("it reads as hidden")
        if mailbox.synced:
            return Task(
                reason="the account is synced from a domain, and Exchange Online refuses the change",
                instructions=_hide_on_premises(mailbox),
            )
        return Todo((Item(key="hidden", title="Address book", before={"HiddenFromAddressListsEnabled": False}),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        try:
            await _set(ctx, HiddenFromAddressListsEnabled=True)
        except CmdletRefused as refused:
            if not refused_as(refused, "synchronized from your on-premises"):
                raise
            fix = _hide_on_premises(ctx.facts.mailbox)
            raise CmdletRefused(refused.call, refused.message, fix, refused.status, refused.kind) from refused
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return Done(await gone(ctx))
        if mailbox.hidden:
            return Done("it reads as hidden; Outlook's offline address book follows within a day")
        return Waiting(look_again_in(ctx, intent.at), "Exchange does not show it hidden yet")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        await _set(ctx, HiddenFromAddressListsEnabled=False)
        mailbox = await mailbox_now(ctx)
        if mailbox is not None and not mailbox.hidden:
            return Done("it reads as listed")
        return Waiting(15, "Exchange still shows it hidden")


class HideInTheDomain(HideFromAddressLists):
    """The same where a domain decides it: a person does it, unless that domain is connected and does it itself."""

    id = "exchange.hide_in_the_domain"
    title = "Hide from the address book, in the domain"
    stands_in_for = "active_directory"

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return _hides(choices, facts) and facts.mailbox.synced


def _hides(choices: Choices, facts: ExchangeFacts) -> bool:
    return facts.personal and choices.get(FATE) in (*SHARED_FATES, "delete")


async def _set(ctx: Ctx, **values: str | bool | None) -> None:
    await ctx.api.invoke("Set-Mailbox", anchor=ctx.facts.mailbox.user_name, Identity=ctx.account.id, **values)


def _convert_on_premises(mailbox: Mailbox) -> Task:
    return Task(
        reason=(
            "the account is synced from a domain: converted in the cloud alone, the mailbox may turn back at a later "
            "sync and be purged once its licence is gone"
        ),
        instructions=(
            f"In the on-premises Exchange Management Shell: Set-RemoteMailbox {mailbox.user_name} -Type Shared, then "
            "Start-ADSyncSyncCycle -PolicyType Delta. Without Exchange on premises: in Active Directory set "
            "msExchRemoteRecipientType to 100 and msExchRecipientTypeDetails to 34359738368, sync, and convert the "
            "mailbox in the Exchange admin centre. Keep the licence until it reads as shared."
        ),
    )


def _hide_on_premises(mailbox: Mailbox) -> str:
    return (
        f"In Active Directory set msExchHideFromAddressLists to TRUE on {mailbox.user_name} (with mailNickname set), "
        "then Start-ADSyncSyncCycle -PolicyType Delta."
    )
