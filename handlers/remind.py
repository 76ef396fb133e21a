"""What happens when time passes and nobody acts: reminders, the page, quiet interviews, nudges, expiry."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlmodel import Session

from handlers import messages
from handlers.cancel import NOT_STARTED, close_case
from handlers.cases import cards, due
from handlers.cases.history import record
from handlers.cases.states import PlanState
from handlers.cases.store import after_commit
from handlers.cases.tables import Case, Due, Plan
from handlers.house import House
from handlers.plan.settle import case_plans
from handlers.questions import answers_of
from handlers.submit import why_plan_for

log = logging.getLogger("offboard.remind")


async def due_now(house: House) -> None:
    """Work off every row whose time has come; each is deleted with what it caused."""
    if not await house.store.read(lambda session: due.take(session, house.clock.now())):
        return

    def work(session: Session) -> None:
        for row in due.take(session, house.clock.now()):
            if session.get(Due, row.id) is None:
                continue  # one before it has ended the case
            session.delete(row)
            session.flush()
            case = session.get(Case, row.case_id)
            if case is not None and not case.closed:
                KINDS[row.kind](session, house, case, row)

    await house.store.write(work)


def _remind(session: Session, house: House, case: Case, row: Due) -> None:
    if _still_waiting(session, case, row):
        cards.show_channel(session, house, case, cards.NEWS, topic=_topic(row))


def _page(session: Session, house: House, case: Case, row: Due) -> None:
    """Nobody picked the lock-out up: page the person on call, and tell the manager whom to ring."""
    if not _still_waiting(session, case, row):
        return
    record(session, house.clock.now(), "paged", case_id=case.id)
    identity = cards.identity_of(house, case.requester)
    if identity:
        cards.show_person(session, house, case.id, cards.NEWS, case.requester, identity, "nobody picked up")
    cards.show_channel(session, house, case, cards.NEWS, topic=_topic(row))
    sentence = messages.page_text(case.number, house.roster.client(case.client))
    after_commit(session, lambda: house.start(_send_page(house, sentence)))


async def _send_page(house: House, sentence: str) -> None:
    try:
        await house.page(sentence)
    except Exception as error:  # noqa: BLE001
        # A pager that is down must not stop the loop; the channel has the reminder as well.
        log.error("paging failed: %s", type(error).__name__)


def _topic(row: Due) -> str:
    return f"remind:{row.subject}" if row.subject else "unanswered"


def _still_waiting(session: Session, case: Case, row: Due) -> bool:
    if not row.subject:
        open_questions = any(answer.asked_technician for answer in answers_of(session, case.id).values())
        return open_questions and not case_plans(session, case.id)
    plan = session.get(Plan, row.subject)
    return plan is not None and plan.state == PlanState.AWAITING_APPROVAL


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


KINDS: dict[str, Callable[[Session, House, Case, Due], None]] = {
    due.REMIND: _remind,
    due.PAGE: _page,
    due.QUIET: _quiet,
    due.NUDGE: _nudge,
    due.EXPIRE: _expire,
}
