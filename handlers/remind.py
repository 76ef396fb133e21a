"""What happens when time passes and nobody acts: reminders, the page, quiet interviews, nudges, expiry."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session

from handlers import cut_off, messages
from handlers.cancel import NOT_STARTED, close_case
from handlers.cases import cards, due
from handlers.cases.history import record
from handlers.cases.states import WITH_PERSON, PlanState, StepState
from handlers.cases.store import after_commit
from handlers.cases.tables import Case, Due, Plan, StepRow
from handlers.cases.wanted import CONFIRM, want, want_ticket
from handlers.house import House
from handlers.plan.rows import case_plans
from handlers.questions import answers_of
from handlers.submit import undecided, why_plan_for

log = logging.getLogger("offboard.remind")


PAGE_AGAIN = "page again"
"""The page was begun; this row stays until it was taken."""
PUSH = timedelta(minutes=1)
"""What failed is tried again after so long."""


async def due_now(house: House) -> None:
    """Work off every row whose time has come, each in a transaction of its own; one that fails is pushed back."""
    waiting = await house.store.read(lambda session: [row.id for row in due.take(session, house.clock.now())])
    for due_id in waiting:
        try:
            await house.store.write(lambda session, due_id=due_id: _work(session, house, due_id))
        except Exception as error:
            # Reminders and pages of other cases must not wait for this one.
            log.error("something due failed and is tried again: %s", type(error).__name__, exc_info=error)
            await house.store.write(lambda session, due_id=due_id: _push(session, house, due_id))


def _work(session: Session, house: House, due_id: str) -> None:
    row = session.get(Due, due_id)
    if row is None or row.at > house.clock.now():
        return  # one before it has ended the case, or somebody went on with it
    session.delete(row)
    session.flush()
    case = session.get(Case, row.case_id)
    if case is not None and (not case.closed or row.kind == due.MIRROR):
        KINDS[row.kind](session, house, case, row)


def _push(session: Session, house: House, due_id: str) -> None:
    row = session.get(Due, due_id)
    if row is not None:
        row.at = house.clock.now() + PUSH
        session.add(row)


def _remind(session: Session, house: House, case: Case, row: Due) -> None:
    waits = _waits_for(session, case, row)
    if waits is None:
        return
    cards.show_technicians(session, house, case)
    cards.show_channel(session, house, case, cards.NEWS, topic=waits.topic)
    if waits.open_way and not due.about(session, case, row.subject):
        due.set_due(session, house, case, due.REMIND, house.timings.still_open, row.subject)


def _page(session: Session, house: House, case: Case, row: Due) -> None:
    """Nobody acts: page the person on call, and tell the manager whom to ring while nothing has begun."""
    waits = _waits_for(session, case, row)
    if waits is None:
        return
    identity = cards.identity_of(house, case.requester)
    if identity and not waits.open_way:
        cards.show_person(session, house, case.id, cards.NEWS, case.requester, identity, "nobody picked up")
    _remind(session, house, case, row)
    _page_again(session, house, case, row)


def _page_again(session: Session, house: House, case: Case, row: Due) -> None:
    """Send the page, and do so again in a minute unless it was taken: twice is better than never."""
    waits = _waits_for(session, case, row)
    if waits is None:
        return
    again = due.set_due(session, house, case, PAGE_AGAIN, PUSH, row.subject)
    sentence = messages.page_text(case.number, house.roster.client(case.client), open_way=waits.open_way)
    after_commit(session, lambda: _begin_page(house, again, sentence))


def _begin_page(house: House, due_id: str, sentence: str) -> None:
    house.start(_send_page(house, due_id, sentence))


async def _send_page(house: House, due_id: str, sentence: str) -> None:
    try:
        await house.page(sentence)
    except Exception as error:  # noqa: BLE001
        # A pager that is down must not stop the loop; the row that stays pages again.
        log.error("paging failed: %s", type(error).__name__)
        await house.store.write(lambda session: _not_taken(session, house, due_id))
    else:
        await house.store.write(lambda session: _taken(session, house, due_id))


def _taken(session: Session, house: House, due_id: str) -> None:
    row = session.get(Due, due_id)
    if row is not None:
        session.delete(row)
        record(session, house.clock.now(), "paged", case_id=row.case_id)


def _not_taken(session: Session, house: House, due_id: str) -> None:
    """Say so in the channel, once."""
    row = session.get(Due, due_id)
    case = session.get(Case, row.case_id) if row else None
    if row is None or case is None:
        return
    topic = f"paging failed:{row.subject}"
    if not any(card.topic == topic for card in cards.alive(session, case.id, cards.NEWS)):
        cards.show_channel(session, house, case, cards.NEWS, topic=topic)


@dataclass(frozen=True)
class _Waits:
    """What nobody acts on, and the news that says so."""

    topic: str
    open_way: bool = False
    """An approved lock-out's step, not a decision."""


def _waits_for(session: Session, case: Case, row: Due) -> _Waits | None:
    """What that row would bring up, if it still waits."""
    if not row.subject:
        open_questions = any(answer.asked_technician for answer in answers_of(session, case.id).values())
        return _Waits("unanswered") if open_questions and not case_plans(session, case.id) else None
    plan = session.get(Plan, row.subject)
    if plan is not None:
        return _Waits(f"remind:{plan.id}") if plan.state == PlanState.AWAITING_APPROVAL else None
    step = session.get(StepRow, row.subject)
    if step is not None and StepState(step.state) in WITH_PERSON:
        return _Waits(f"stuck:{step.id}", open_way=True)
    return None


def _quiet(session: Session, house: House, case: Case, _row: Due) -> None:
    if why_plan_for(session, house, case):
        cards.show_channel(session, house, case, cards.TECHNICIANS)
        cards.show_channel(session, house, case, cards.NEWS, topic="quiet")


def _nudge(session: Session, house: House, case: Case, _row: Due) -> None:
    if case.stage != "submitted":
        identity = case.identity
        cards.show_person(session, house, case.id, cards.NEWS, case.started_by, identity, "half-way")
        # Once more if nobody goes on, each time after a longer silence.
        due.set_due(session, house, case, due.NUDGE, 2 * (house.clock.now() - case.touched_at))


def _expire(session: Session, house: House, case: Case, _row: Due) -> None:
    if any(PlanState(plan.state) not in NOT_STARTED for plan in case_plans(session, case.id)):
        return
    close_case(session, house, case, "expired")
    cards.show_person(session, house, case.id, cards.NEWS, case.started_by, case.identity, "expired")


def _confirm_again(session: Session, house: House, case: Case, _row: Due) -> None:
    want(session, house, case, CONFIRM)


def _kept(session: Session, house: House, case: Case, _row: Due) -> None:
    """The client said how long data is kept: whoever asked and the technicians are asked what becomes of it now."""
    cards.show_requester(session, house, case, "kept")
    cards.show_channel(session, house, case, cards.NEWS, topic="kept")
    record(session, house.clock.now(), "kept long enough", case_id=case.id)


def _decide(session: Session, house: House, case: Case, _row: Due) -> None:
    if undecided(session, case):
        cards.show_requester(session, house, case, "undecided")
        due.set_due(session, house, case, due.DECIDE, house.timings.decide)


def _mirror(session: Session, house: House, case: Case, _row: Due) -> None:
    want_ticket(session, house, case)


def _ahead(session: Session, house: House, case: Case, row: Due) -> None:
    """A step's day comes near: whoever still needs what it gives up can skip it."""
    step = session.get(StepRow, row.subject)
    if step is not None and step.state == StepState.WAITING:
        cards.show_technicians(session, house, case)
        cards.show_channel(session, house, case, cards.NEWS, topic=f"ahead:{step.id}")


def _cut_off(session: Session, house: House, case: Case, row: Due) -> None:
    plan = session.get(Plan, row.subject)
    if plan is not None and plan.state == PlanState.SCHEDULED:
        cut_off.begin(session, house, case, plan)
    else:
        # Nobody has approved it: the cards say from now on that its time is over.
        cards.redraw(session, house, case)


def _ask_for_go(session: Session, house: House, case: Case, row: Due) -> None:
    """Remind whoever asked, and at length the technicians; the lock-out itself waits, however long that takes."""
    plan = session.get(Plan, row.subject)
    if plan is None or plan.state != PlanState.ARMED or plan.approved_at is None:
        return
    cards.show_requester(session, house, case, f"go:{plan.id}")
    if house.clock.now() - plan.approved_at >= house.timings.patient:
        cards.show_technicians(session, house, case)
        cards.show_channel(session, house, case, cards.NEWS, topic=f"go:{plan.id}")
    due.set_due(session, house, case, due.GO, house.timings.unhurried, plan.id)


def _unhurried(session: Session, house: House, case: Case, row: Due) -> None:
    """A lock-out for later is not approved yet: once a day is enough."""
    if _waits_for(session, case, row) is not None:
        _remind(session, house, case, row)
        due.set_due(session, house, case, due.UNHURRIED, house.timings.unhurried, row.subject)


def _hurry(session: Session, house: House, case: Case, row: Due) -> None:
    """Its time is near and nobody has approved it."""
    if _waits_for(session, case, row) is not None:
        _remind(session, house, case, row)
        due.bring_up(session, house, case, row.subject)


KINDS: dict[str, Callable[[Session, House, Case, Due], None]] = {
    due.REMIND: _remind,
    due.PAGE: _page,
    PAGE_AGAIN: _page_again,
    due.QUIET: _quiet,
    due.NUDGE: _nudge,
    due.EXPIRE: _expire,
    due.DECIDE: _decide,
    due.KEPT: _kept,
    due.CONFIRM: _confirm_again,
    due.AHEAD: _ahead,
    due.MIRROR: _mirror,
    due.CUT_OFF: _cut_off,
    due.GO: _ask_for_go,
    due.UNHURRIED: _unhurried,
    due.HURRY: _hurry,
}
