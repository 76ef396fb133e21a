"""Writes down what came of an attempt, frees the steps that waited for it, and tells who must know."""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from sqlmodel import Session

from connectors.contract import Wave
from handlers.cases import due
from handlers.cases.history import record
from handlers.cases.states import (
    OPEN_PLANS,
    PlanState,
    StepEvent,
    StepState,
    move_step,
)
from handlers.cases.tables import Case, Plan, StepRow
from handlers.house import House
from handlers.plan.advance import advance, again, ask_the_rest, tell, told
from handlers.plan.digest import items_of, steps_of
from handlers.plan.propose import step_row, wanted_of
from handlers.plan.readings import Reading, add_readings, choices_of, readings_of
from handlers.plan.results import (
    EVENTS,
    Confirmed,
    Dated,
    HandedOver,
    Later,
    NowRead,
    Rehearsed,
    Result,
    Slow,
    Stated,
    Stuck,
)
from handlers.plan.retry import PATIENCE
from handlers.plan.rows import by_step, case_steps


def settle(session: Session, house: House, step_id: str, token: str, result: Result) -> None:
    """Settle the attempt that holds the row by `token`; a stale one changes nothing."""
    row = session.get_one(StepRow, step_id)
    if row.owner != token or row.state != StepState.RUNNING:
        return
    now = house.clock.now()
    case = session.get_one(Case, row.case_id)
    row.state = move_step(StepState(row.state), EVENTS[type(result)])
    row.owner, row.lease_until = "", None
    match result:
        case Confirmed(evidence):
            _close(session, row, now, evidence)
            _later_ones_again(session, house, row)
        case Stated(note):
            _close(session, row, now, f"stated by {house.roster.name_of(row.person)}, not verified: {note}")
        case Later(seconds, reason, trouble):
            row.reason = reason
            row.troubles += 1 if trouble else 0
            row.waiting_since = row.waiting_since or now
            if not trouble and now - row.waiting_since >= PATIENCE and not told(session, row):
                tell(session, house, case, row)
            again(session, house, row, seconds)
        case Slow(seconds, reason):
            row.reason = reason
            again(session, house, row, seconds)
        case Dated(at, reason):
            row.reason = reason
            _on_its_day(session, house, case, row, at)
        case Rehearsed(would):
            row.reason, row.settled_at = would, now
        case HandedOver() | Stuck():
            _to_a_person(session, house, case, row, result)
        case NowRead(reading):
            _close(session, row, now, _add_steps_of(session, house, case, row, reading))
    if not isinstance(result, Later | Slow | Dated):
        # Until it could be read back, their word stands: the next attempt changes nothing either.
        row.by_hand = ""
    session.add(row)
    detail: dict[str, JsonValue] = {"step": row.step, "state": str(row.state), "attempt": row.attempt}
    if row.state == StepState.DONE:
        detail["items"] = [[item.key, item.added] for item in items_of(session, row.id)]
    record(session, now, "step", case_id=case.id, detail=detail)
    session.flush()
    advance(session, house, case)


def _add_steps_of(session: Session, house: House, case: Case, row: StepRow, reading: Reading) -> str:
    """End access in a system that was approved unread: its lock-out steps join the plan. Says what was found."""
    if reading.account is None:
        return "it could be read now, and has no account of theirs"
    add_readings(session, house, case, [reading])
    plan = session.get_one(Plan, row.plan_id)
    there = by_step(case_steps(session, case.id))
    connector = house.registry.get(reading.system)
    steps = [step for step in connector.steps if step.wave is Wave.LOCK_OUT and step.id not in there]
    readings = readings_of(session, house, case.id)
    place = max(other.place for other in steps_of(session, plan.id)) + 1
    found = wanted_of(reading, steps, choices_of(session, case.id), readings)
    for offset, (step, subject) in enumerate(found):
        session.add(step_row(house, plan, reading.system, step, subject, place + offset))
    session.flush()
    ask_the_rest(session, house, case)
    added = "1 step was" if len(found) == 1 else f"{len(found)} steps were"
    return f"it could be read now: {added} added to end access there"


def _later_ones_again(session: Session, house: House, row: StepRow) -> None:
    """What was to come after this step and was done before it, because it was stuck, is done once more.

    And what was a person's task for want of it is tried again.
    """
    for other in case_steps(session, row.case_id):
        step = house.registry.find_step(other.step)
        if step is not None and row.step in step.unlocked_by and other.state == StepState.TASK:
            other.state = move_step(StepState.TASK, StepEvent.RETRIED)
            again(session, house, other, 0)
            continue
        done_before = other.state == StepState.DONE and other.id != row.id
        if step is None or not done_before or row.step not in step.after or not step.repeatable:
            continue
        if PlanState(session.get_one(Plan, other.plan_id).state) in OPEN_PLANS:
            other.state = move_step(StepState(other.state), StepEvent.RETRIED)
            again(session, house, other, 0)


def _to_a_person(session: Session, house: House, case: Case, row: StepRow, result: HandedOver | Stuck) -> None:
    row.reason = result.reason
    if isinstance(result, HandedOver):
        row.instructions = result.instructions
        row.person = row.person or session.get_one(Plan, row.plan_id).decided_by
    tell(session, house, case, row)


def _on_its_day(session: Session, house: House, case: Case, row: StepRow, at: datetime) -> None:
    """Have it looked at again on that day, and the technicians told some days before."""
    wait = at - house.clock.now()
    row.troubles, row.waiting_since = 0, None
    again(session, house, row, max(wait.total_seconds(), 1.0))
    due.clear_subject(session, case, row.id)
    if wait > house.timings.ahead:
        due.set_due(session, house, case, due.AHEAD, wait - house.timings.ahead, row.id)


def _close(session: Session, row: StepRow, now: datetime, evidence: str) -> None:
    row.evidence, row.reason, row.settled_at, row.troubles = evidence, "", now, 0
    row.waiting_since = None
    session.add(row)
