"""Ends a case that will not go on: cancelled by a person, denied by the contact, or expired."""

from __future__ import annotations

from sqlmodel import Session, col, select

from handlers.cases import cards, due
from handlers.cases.history import BOT, record
from handlers.cases.states import (
    HELD,
    OPEN_PLANS,
    SETTLED,
    UNDECIDED,
    PlanEvent,
    PlanState,
    StepEvent,
    StepState,
    move_plan,
    move_step,
)
from handlers.cases.tables import Case, ItemRow, StepRow
from handlers.cases.wanted import want_ticket
from handlers.click import Click, Missing
from handlers.conversation import Reply
from handlers.house import House
from handlers.plan.rows import case_plans, case_steps, lock_out_of

NOT_STARTED = UNDECIDED | {PlanState.REJECTED}
"""Nothing was changed by a plan in one of these."""


def cancel(click: Click) -> Reply:
    """Call the case off while nothing has been done yet."""
    lock_out = lock_out_of(case_plans(click.session, click.case.id))
    if lock_out is not None and PlanState(lock_out.state) not in NOT_STARTED | HELD:
        raise Missing("It has begun already. Technicians can undo a lock-out of the wrong person.")
    if acted(click.session, click.case):
        raise Missing("Something was kept or handed over ahead already. A technician calls it off and puts it back.")
    stop(click.session, click.case)
    close_case(click.session, click.house, click.case, "cancelled", click.person.id, click.identity)
    return Reply()


def acted(session: Session, case: Case) -> bool:
    """Whether anything was changed, or is about to be."""
    query = select(ItemRow.id).join(StepRow, col(StepRow.id) == col(ItemRow.step_id))
    return (
        session.exec(query.where(StepRow.case_id == case.id, col(ItemRow.intended_at).is_not(None))).first() is not None
    )


def stop(session: Session, case: Case) -> None:
    """Whatever was approved goes no further; an attempt on its way finds out before it acts."""
    for plan in case_plans(session, case.id):
        if PlanState(plan.state) in OPEN_PLANS | HELD | {PlanState.DONE}:
            plan.state = move_plan(PlanState(plan.state), PlanEvent.CANCELLED)
            session.add(plan)
    for row in case_steps(session, case.id):
        if StepState(row.state) not in SETTLED:
            row.state = move_step(StepState(row.state), StepEvent.CANCELLED)
            row.owner = ""
            session.add(row)


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
    due.clear(session, case, due.CUT_OFF, due.GO, due.UNHURRIED, due.HURRY)
    record(session, house.clock.now(), f"case {why}", case_id=case.id, person=person, identity=identity)
    want_ticket(session, house, case)
    cards.redraw(session, house, case)
