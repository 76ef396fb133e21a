"""Keeps the case's ticket at the MSP's service desk true: opened beside the lock-out, which never waits for it.

What ought to stand there is derived from the case's rows, what does stand there is read, and the difference is sent:
so an hour's outage, a crash or a ticket somebody edited end in the same ticket. None of these writes may happen twice:
each is written down before it is sent, and carries a key by which it is found again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from pydantic import JsonValue
from sqlmodel import Session, select

from connectors.contract import Refused
from connectors.desk import Desk, DeskTask, TicketState
from handlers.cases import due
from handlers.cases.desk_entry import DeskEntry
from handlers.cases.history import record
from handlers.cases.states import WITH_PERSON, StepEvent, StepState, move_step
from handlers.cases.tables import Case, Lookup, StepRow
from handlers.cases.wanted import TRIES, Apply
from handlers.house import House
from handlers.plan.advance import advance, again
from handlers.ticket import CLOSED_THERE, TASK, TICKET, Wanted, case_key, is_neutral, wanted

SHOWS = timedelta(minutes=2)
"""What was sent and does not show is not sent again before so long: an answer may have been lost."""
TROUBLE = "no ticket"
"""The key in the case's draft under which it stands why the ticket is not up to date."""
LOOK_AGAIN, SELDOM = timedelta(minutes=5), timedelta(hours=1)
"""How often an open ticket is looked at, at first and at last: somebody may close a task there."""


async def ask(house: House, case: Case, _lookup: Lookup) -> Apply:
    """Bring the ticket up to date. Raises VendorError; what was sent until then is known."""
    system = house.desk_of(case.client)
    if not system:
        return lambda _session, _case: None
    connector, api = await house.connection(case.client, system)
    if connector.desk is None:
        raise Refused(connector.name, "open a ticket", "it brings no service desk")
    want = await house.store.read(lambda session: wanted(session, house, case))
    entries = await house.store.read(lambda session: entries_of(session, case.id))
    ticket = _Ticket(house, case, connector.desk, api, want, entries)
    state = await ticket.brought_up_to_date()
    closed_there = [task for task in state.tasks if task.closed] if state else []

    def apply(session: Session, case: Case) -> None:
        for task in closed_there:
            _closed_there(session, house, case, task, still_wanted=task.key in want.tasks)
        due.clear(session, case, due.MIRROR)
        if ticket.unseen:
            due.set_due(session, house, case, due.MIRROR, SHOWS)
        elif state is None or not (state.closed and want.over):
            # Somebody may have closed the ticket too early: its tasks are looked at all the same.
            due.set_due(session, house, case, due.MIRROR, ticket.next_look())

    return apply


def unanswered(session: Session, house: House, case: Case, row: Lookup, sentence: str) -> None:
    """The desk does not answer, and nobody waits for it: it is asked for as long as it takes, and the card says so."""
    case.draft = {**case.draft, TROUBLE: sentence}
    if row.tries >= TRIES:
        row.done = True
        due.clear(session, case, due.MIRROR)
        due.set_due(session, house, case, due.MIRROR, LOOK_AGAIN)


def entries_of(session: Session, case_id: str) -> dict[str, DeskEntry]:
    """What of the case stands at the desk, or is meant to, by its key."""
    return {one.key: one for one in session.exec(select(DeskEntry).where(DeskEntry.case_id == case_id))}


@dataclass
class _Ticket:
    """One look at the ticket, and what is sent to make it true."""

    house: House
    case: Case
    desk: Desk[Any]
    api: Any
    want: Wanted
    entries: dict[str, DeskEntry]
    unseen: bool = field(default=False)
    """Something was sent earlier and does not show yet."""

    def next_look(self) -> timedelta:
        """The older the ticket, the less often: thousands may be open for weeks."""
        opened = self.entries.get(TICKET)
        since = opened.intended_at if opened and opened.intended_at else self.house.clock.now()
        return min(max(LOOK_AGAIN, (self.house.clock.now() - since) / 12), SELDOM)

    async def brought_up_to_date(self) -> TicketState | None:
        """What stands there afterwards; None where the ticket is not there (any more, or yet)."""
        ticket = await self._number()
        if not ticket:
            return None
        state = await self.desk.read_ticket(self.api, ticket)
        if state is None or (state.closed and self.want.over):
            return state
        desk, api, want = self.desk, self.api, self.want
        if state.summary in want.ours and state.summary != want.summary:
            await desk.rename_ticket(api, ticket, want.summary)
        for key, words in want.notes.items():
            await self._once(key, key in state.notes, partial(desk.add_note, api, ticket, key, words))
        there = {task.key: task for task in state.tasks if task.key}
        if state.closed and want.tasks.keys() - there.keys():
            # Nobody looks at a closed one. Who closed it with its tasks open is left alone.
            await desk.reopen_ticket(api, ticket)
        for key, words in want.tasks.items():
            await self._once(key, key in there, partial(desk.add_task, api, ticket, key, words))
        for key, task in there.items():
            if key not in want.tasks and not task.closed:
                await desk.close_task(api, ticket, task.id, want.settled.get(key, "Settled on the case."))
        if want.time is not None:
            key, begun, ended = want.time
            words = f"Offboarding, case {self.case.number}"
            await self._once(key, key in state.times, partial(desk.add_time, api, ticket, key, begun, ended, words))
        if want.over and not self.unseen:
            await desk.close_ticket(api, ticket)
        return await desk.read_ticket(api, ticket)

    async def _number(self) -> str:
        known = self.entries.get(TICKET)
        if known is not None and known.reference:
            return known.reference
        key = case_key(self.case)
        ticket = await self.desk.find_ticket(self.api, key)
        if not ticket and self._may_be_sent(TICKET):
            await self._mean(TICKET)
            ticket = await self.desk.open_ticket(self.api, key, self.want.summary, self.want.opening)
        if ticket:
            await self._note(TICKET, reference=ticket)
        return ticket

    async def _once(self, key: str, there: object, send: Callable[[], Awaitable[None]]) -> None:
        if not there and self._may_be_sent(key):
            await self._mean(key)
            await send()

    def _may_be_sent(self, key: str) -> bool:
        entry = self.entries.get(key)
        if entry is None or entry.intended_at is None or self.house.clock.now() - entry.intended_at >= SHOWS:
            return True
        self.unseen = True
        return False

    async def _mean(self, key: str) -> None:
        now = self.house.clock.now()

        def write(session: Session) -> None:
            session.merge(DeskEntry(case_id=self.case.id, key=key, intended_at=now))

        await self.house.store.write(write)

    async def _note(self, key: str, *, reference: str) -> None:
        def write(session: Session) -> None:
            entry = session.get(DeskEntry, (self.case.id, key)) or DeskEntry(case_id=self.case.id, key=key)
            entry.reference = reference
            session.add(entry)

        await self.house.store.write(write)


def _closed_there(session: Session, house: House, case: Case, task: DeskTask, *, still_wanted: bool) -> None:
    """Somebody closed the task on the ticket: as if they had said here that they did it by hand.

    A neutral one did not say what there is to do: closing it says nothing either.
    """
    entry = session.get(DeskEntry, (case.id, task.key))
    if is_neutral(task.key):
        if entry is not None and still_wanted:
            entry.handled = CLOSED_THERE
            session.add(entry)
        return
    step_id, _, attempt = task.key.partition(f".{TASK}.")[2].rpartition(".")
    row = session.get(StepRow, step_id) if step_id else None
    if entry is None or entry.handled or row is None or row.case_id != case.id:
        return
    entry.handled = CLOSED_THERE
    session.add(entry)
    if StepState(row.state) not in WITH_PERSON or str(row.attempt) != attempt:
        return
    who = task.closed_by or "somebody on the ticket"
    row.state = move_step(StepState(row.state), StepEvent.RETRIED)
    row.by_hand, row.person, row.troubles = (f"closed on the ticket: {task.resolution}")[:500], who, 0
    again(session, house, row, 0)
    detail: dict[str, JsonValue] = {"step": row.step, "by": who, "resolution": task.resolution}
    record(session, house.clock.now(), "closed on the ticket", case_id=case.id, detail=detail)
    advance(session, house, case)
