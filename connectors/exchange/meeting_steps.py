"""What becomes of the meetings the leaver organises."""

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
    Refused,
    Step,
    Task,
    Todo,
    Waiting,
    Wave,
)
from connectors.exchange.client import PERMISSION, VENDOR, ExchangeApi
from connectors.exchange.facts import NO_MAILBOX, Ctx, ExchangeFacts, gone, look_again_in, mailbox_now
from connectors.exchange.hand_over import ACCESS
from connectors.exchange.meetings import WINDOW_DAYS, cancel_meetings, read_meetings
from connectors.exchange.people import named

MEETINGS = "mailbox.meetings"
_NONE = "no coming meeting of theirs is listed"


async def _left(ctx: Ctx) -> tuple[str, ...] | None:
    """Their coming meetings now; None when there is no mailbox to have any."""
    mailbox = await mailbox_now(ctx)
    return None if mailbox is None else await read_meetings(ctx.api, mailbox)


class HandOverMeetings(Step[ExchangeApi, ExchangeFacts]):
    """No call changes a meeting's organiser: the successor sets each up anew, then the old ones go."""

    id = "exchange.hand_over_meetings"
    title = "Hand over meetings"
    wave = Wave.HAND_OVER
    controls = ("NIST PS-4",)
    permissions = (PERMISSION,)

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return facts.personal and choices.get(MEETINGS) == "hand over"

    async def look(self, ctx: Ctx) -> Finding:
        left = await _left(ctx)
        if not left:
            return Nothing(_NONE if left is not None else await gone(ctx))
        who = named(ctx.choices, ACCESS) if ctx.choices.get(ACCESS) != "nobody" else ""
        listed = "; ".join(left)
        return Task(
            reason="a meeting belongs to its organiser for good: nothing can change that",
            instructions=(
                f"1. Have {who or 'the successor'} send new invitations for: {listed}. "
                "2. Then cancel the old ones, as long as the mailbox still has its licence. In Exchange Online "
                f"PowerShell: Remove-CalendarEvents -Identity {ctx.account.id} -CancelOrganizedMeetings "
                f"-QueryWindowInDays {WINDOW_DAYS}. Everybody invited gets a cancellation. "
                "3. Say that it is done: the calendar is read again."
            ),
        )

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        raise AssertionError(f"{self.id} is done by a person; the engine never acts on it")

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        left = await _left(ctx)
        if left is None:
            return Failed(f"{NO_MAILBOX}, so nothing tells whether the old meetings were cancelled; ask the successor")
        return Waiting(60, f"still in the calendar: {'; '.join(left)}") if left else Done(_NONE)


class CancelMeetings(Step[ExchangeApi, ExchangeFacts]):
    """Cancel the coming meetings they organise. Everybody invited is told, and nothing takes that back."""

    id = "exchange.cancel_meetings"
    title = "Cancel their meetings"
    # Cancelling sends mail, so it comes while the mailbox has its licence.
    wave = Wave.HAND_OVER
    lag = timedelta(minutes=60)
    controls = ("NIST PS-4",)
    permissions = (PERMISSION,)
    irreversible = "Everybody invited gets a cancellation; a cancelled meeting can't be brought back."

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return facts.personal and choices.get(MEETINGS) == "cancel"

    async def look(self, ctx: Ctx) -> Finding:
        left = await _left(ctx)
        if not left:
            return Nothing(_NONE if left is not None else await gone(ctx))
        return Todo(tuple(Item(key=line, title=line) for line in left))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        mailbox = await mailbox_now(ctx)
        left = await read_meetings(ctx.api, mailbox) if mailbox else ()
        if mailbox is None or item.key not in left:
            return Accepted("gone already")
        # One call cancels all there are: it must not take along what nobody has approved.
        if unseen := sorted(set(left) - set(ctx.facts.meetings)):
            raise Refused(
                VENDOR,
                "Remove-CalendarEvents",
                f"was not called: it would also cancel what nobody was shown: {'; '.join(unseen)}",
                "Cancel the meetings by hand, or make the plan anew.",
            )
        await cancel_meetings(ctx.api, mailbox)
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        left = await _left(ctx)
        if left is None:
            return Failed(f"{NO_MAILBOX}, so nothing tells whether the invited were told; tell them")
        if item.key in left:
            return Waiting(look_again_in(ctx, intent.at), f"still in the calendar: {item.title}")
        return Done("it is not in their calendar any more")
