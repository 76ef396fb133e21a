"""Ends a case that will not go on: cancelled by a person, denied by the contact, or expired."""

from __future__ import annotations

from sqlmodel import Session

from handlers.cases import cards, due
from handlers.cases.history import BOT, record
from handlers.cases.states import UNDECIDED, PlanEvent, PlanState, move_plan
from handlers.cases.tables import Case
from handlers.cases.wanted import want_ticket
from handlers.click import Click, Missing
from handlers.conversation import Reply
from handlers.house import House
from handlers.plan.rows import case_plans

NOT_STARTED = UNDECIDED | {PlanState.REJECTED}
"""Nothing was changed by a plan in one of these."""


def cancel(click: Click) -> Reply:
    """Call the case off while nothing has been done yet."""
    plans = case_plans(click.session, click.case.id)
    if any(PlanState(plan.state) not in NOT_STARTED for plan in plans):
        raise Missing("It has begun already. Technicians can undo a lock-out of the wrong person.")
    close_case(click.session, click.house, click.case, "cancelled", click.person.id, click.identity)
    return Reply()


def close_case(session: Session, house: House, case: Case, why: str, person: str = BOT, identity: str = "") -> None:
    """No (further) plan of this case is started; what was not approved is over."""
    event = PlanEvent.EXPIRED if why == "expired" else PlanEvent.CANCELLED
    for plan in case_plans(session, case.id):
        if PlanState(plan.state) in UNDECIDED:
            plan.state = move_plan(PlanState(plan.state), event)
            session.add(plan)
    case.closed, case.turn = why, case.turn + 1
    session.add(case)
    due.clear(session, case, due.QUIET, due.NUDGE, due.EXPIRE, due.REMIND, due.PAGE, due.DECIDE, due.CONFIRM)
    record(session, house.clock.now(), f"case {why}", case_id=case.id, person=person, identity=identity)
    want_ticket(session, house, case)
    cards.redraw(session, house, case)
