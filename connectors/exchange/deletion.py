"""Deleting a mailbox: only on ground that was read back or answered for, and by a person's hand."""

from __future__ import annotations

from connectors.contract import (
    LATER,
    Accepted,
    Choices,
    Done,
    Failed,
    Finding,
    Intent,
    Item,
    Nothing,
    Outcome,
    Refused,
    Step,
    Task,
    Todo,
    Waiting,
    Wave,
)
from connectors.exchange.client import PERMISSION, VENDOR, ExchangeApi
from connectors.exchange.facts import Ctx, ExchangeFacts, mailbox_now
from connectors.exchange.fate import BACKUP, BLOCK, FATE, Hold
from connectors.exchange.mailboxes import INACTIVE, SOFT_DELETED, Mailbox, whereabouts

EVIDENCE = "mailbox.backup.evidence"


class DeleteMailbox(Step[ExchangeApi, ExchangeFacts]):
    """Delete the mailbox, once there is ground: a hold read back, a backup with evidence, or a waiver by two.

    Exchange has no call that deletes a mailbox and nothing else (Remove-Mailbox takes the account along), so
    a person does the last step; the bot checks the ground before, and the outcome afterwards.
    """

    id = "exchange.delete_mailbox"
    title = "Delete the mailbox"
    wave = Wave.CLOSE
    requires = (Hold.id, BLOCK)
    after = ("exchange.cancel_meetings", "exchange.hand_over_meetings", "exchange.leave_distribution_groups")
    controls = ("NIST MP-6", "NIST SI-12")
    permissions = (PERMISSION,)
    irreversible = (
        "30 days after a mailbox loses its licence or account, and without a hold, its mail is gone for good."
    )

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return facts.personal and choices.get(FATE) == "delete"

    async def look(self, ctx: Ctx) -> Finding:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return await self._gone(ctx)
        if missing := _ground_never_comes(ctx.choices):
            return missing
        return Todo((Item(key="mailbox", title=f"The mailbox {mailbox.mail}", destroys=True),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return Accepted("gone already")
        held = ctx.choices.get(BACKUP) == "hold"
        if held and not mailbox.litigation_hold:
            raise Refused(
                VENDOR,
                "deleting the mailbox",
                "the hold that was to keep its content does not read as on",
                "Put it on hold again, or choose another backup, then retry.",
            )
        raise Refused(
            VENDOR,
            "deleting the mailbox",
            "no call deletes a mailbox and nothing else: it goes with its licence or its account",
            _delete_by_hand(ctx, mailbox, held=held),
        )

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        if await mailbox_now(ctx) is not None:
            return Waiting(60, "the mailbox is still active")
        finding = await self._gone(ctx)
        return Done(finding.evidence) if isinstance(finding, Nothing) else Failed(finding.reason)

    async def _gone(self, ctx: Ctx) -> Nothing | Task:
        """What became of it, held against what was to be kept."""
        left = await whereabouts(ctx.api, ctx.account.id)
        if left is not None and left.state == INACTIVE:
            return Nothing("it reads as an inactive mailbox: gone for everybody, kept by its hold")
        if ctx.choices.get(BACKUP) == "hold":
            state = "soft-deleted" if left is not None and left.state == SOFT_DELETED else "gone"
            return Task(
                reason=f"the mailbox is {state} and not kept by any hold, though a hold was decided",
                instructions=(
                    "At once: restore the account in https://entra.microsoft.com (Deleted users) or assign its "
                    "licence again; both work for 30 days. Put the mailbox on litigation hold, wait until it shows, "
                    "then delete the account."
                ),
            )
        if left is not None and left.state == SOFT_DELETED:
            return Nothing("it reads as soft-deleted, and is purged 30 days after that")
        return Nothing("no mailbox of that account is known to Exchange any more")


def _ground_never_comes(choices: Choices) -> Task | None:
    """Deleting needs ground that somebody answered for; a hold is looked at again right before."""
    backup, evidence = choices.get(BACKUP, ""), choices.get(EVIDENCE, "").strip()
    if backup in ("hold", "waived") or (backup == "named" and evidence not in ("", LATER)):
        return None
    reason = (
        "a backup is said to exist, and nobody has written down which and where"
        if backup == "named"
        else "nobody has decided what keeps its content"
    )
    return Task(
        reason=f"the mailbox is not deleted: {reason}",
        instructions="Answer the question on the mailbox's backup (a hold, a named backup, or none), then retry.",
    )


def _delete_by_hand(ctx: Ctx, mailbox: Mailbox, *, held: bool) -> str:
    first = "First see that OneDrive is handed over and every other step of this case is done. "
    if held:
        return (
            f"{first}Then delete the account {mailbox.user_name} ({ctx.account.id}) in https://entra.microsoft.com: "
            "the mailbox becomes inactive and stays searchable as long as the hold is on. Do not only remove the "
            "licence, and never purge the deleted account's mailbox. Then say that it is done."
        )
    return (
        f"{first}Then take the Exchange licence off {mailbox.user_name} ({ctx.account.id}): the mailbox is gone at "
        "once and purged after 30 days; until then, assigning the licence again brings it back. Then say that it "
        "is done."
    )
