"""Writes down what came of an attempt, frees the steps that waited for it, and tells who must know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue
from sqlmodel import Session, col, select

from handlers.cases import cards
from handlers.cases.history import record
from handlers.cases.states import (
    OPEN_PLANS,
    SETTLED,
    WITH_PERSON,
    PlanEvent,
    PlanState,
    StepEvent,
    StepState,
    move_plan,
    move_step,
    plan_event,
)
from handlers.cases.tables import AccountRow, CardRow, Case, Plan, StepRow
from handlers.house import House
from handlers.plan.digest import LOCK_OUT, items_of, steps_of
from handlers.plan.propose import choices_of
from handlers.plan.retry import PATIENCE


@dataclass(frozen=True)
class Confirmed:
    """Everything was read back."""

    evidence: str


@dataclass(frozen=True)
class Stated:
    """A person says so and nothing can read it back."""

    note: str


@dataclass(frozen=True)
class Later:
    """Try again in so many seconds."""

    seconds: float
    reason: str
    trouble: bool


@dataclass(frozen=True)
class Slow:
    """Accepted, not visible yet."""

    seconds: float
    reason: str


@dataclass(frozen=True)
class HandedOver:
    """A person has to do it."""

    reason: str
    instructions: str


@dataclass(frozen=True)
class Stuck:
    """A person has to look."""

    reason: str


Result = Confirmed | Stated | Later | Slow | HandedOver | Stuck

EVENTS: dict[type, StepEvent] = {
    Confirmed: StepEvent.CONFIRMED,
    Stated: StepEvent.STATED,
    Later: StepEvent.LATER,
    Slow: StepEvent.VENDOR_SLOW,
    HandedOver: StepEvent.HANDED_OVER,
    Stuck: StepEvent.STUCK,
}


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
            if not trouble and now - row.waiting_since >= PATIENCE and not _told(session, row):
                tell(session, house, case, row)
            again(session, house, row, seconds)
        case Slow(seconds, reason):
            row.reason = reason
            again(session, house, row, seconds)
        case HandedOver(reason, instructions):
            row.reason, row.instructions = reason, instructions
            row.person = row.person or session.get_one(Plan, row.plan_id).decided_by
            tell(session, house, case, row)
        case Stuck(reason):
            row.reason = reason
            tell(session, house, case, row)
    if not isinstance(result, Later | Slow):
        # Until it could be read back, their word stands: the next attempt changes nothing either.
        row.by_hand = ""
    session.add(row)
    detail: dict[str, JsonValue] = {"step": row.step, "state": str(row.state), "attempt": row.attempt}
    if row.state == StepState.DONE:
        detail["items"] = [[item.key, item.added] for item in items_of(session, row.id)]
    record(session, now, "step", case_id=case.id, detail=detail)
    session.flush()
    advance(session, house, case)


def _later_ones_again(session: Session, house: House, row: StepRow) -> None:
    """What was to come after this step and was done before it, because it was stuck, is done once more."""
    for other in case_steps(session, row.case_id):
        step = house.registry.find_step(other.step)
        done_before = other.state == StepState.DONE and other.id != row.id
        if step is None or not done_before or row.step not in step.after or not step.repeatable:
            continue
        if PlanState(session.get_one(Plan, other.plan_id).state) in OPEN_PLANS:
            other.state = move_step(StepState(other.state), StepEvent.RETRIED)
            again(session, house, other, 0)


def _close(session: Session, row: StepRow, now: datetime, evidence: str) -> None:
    row.evidence, row.reason, row.settled_at, row.troubles = evidence, "", now, 0
    row.waiting_since = None
    session.add(row)


def again(session: Session, house: House, row: StepRow, seconds: float) -> None:
    """Have the step's next attempt carried out after so many seconds; at once when that is nought."""
    row.attempt += 1
    row.due_at = house.clock.now() + timedelta(seconds=seconds)
    session.add(row)
    house.queue.enqueue(session, row.id, row.attempt, seconds)


def tell(session: Session, house: House, case: Case, row: StepRow) -> None:
    """A new short message to the technicians: this one needs hands."""
    cards.show_channel(session, house, case, cards.NEWS, topic=f"step:{row.id}")


def case_steps(session: Session, case_id: str) -> list[StepRow]:
    """Every step of every plan of the case."""
    return list(session.exec(select(StepRow).where(StepRow.case_id == case_id)))


def case_plans(session: Session, case_id: str) -> list[Plan]:
    """The case's plans, oldest first."""
    return list(session.exec(select(Plan).where(Plan.case_id == case_id).order_by(col(Plan.id))))


def _told(session: Session, row: StepRow) -> bool:
    """Whether the technicians have had a message about this step."""
    query = select(CardRow).where(CardRow.case_id == row.case_id, CardRow.topic == f"step:{row.id}")
    return session.exec(query).first() is not None


def advance(session: Session, house: House, case: Case) -> None:
    """Free what may go on, bring the plans' states up to date, and have the cards redrawn."""
    everything = case_steps(session, case.id)
    by_name = {row.step: row for row in everything}
    for plan in case_plans(session, case.id):
        if PlanState(plan.state) not in OPEN_PLANS:
            continue
        for row in steps_of(session, plan.id):
            if row.state == StepState.PENDING:
                _free(session, house, case, row, by_name)
        refresh_plan(session, house, plan.id)
    cards.redraw(session, house, case)


def blocked(session: Session, house: House, row: StepRow) -> str:
    """Why pressing Retry would do harm, as a sentence, or ''."""
    by_name = {other.step: other for other in case_steps(session, row.case_id)}
    case = session.get_one(Case, row.case_id)
    harm = _harm_in_going_on(session, house, case, row, by_name)
    if not harm and not _ready(house, row, by_name):
        return "It waits for another step that is not confirmed yet."
    return harm


def _free(session: Session, house: House, case: Case, row: StepRow, by_name: dict[str, StepRow]) -> None:
    harm = _harm_in_going_on(session, house, case, row, by_name)
    if harm:
        row.state = move_step(StepState.PENDING, StepEvent.STUCK)
        row.reason = harm
        tell(session, house, case, row)
    elif _ready(house, row, by_name):
        row.state = move_step(StepState.PENDING, StepEvent.FREED)
        again(session, house, row, 0)
    session.add(row)


def _ready(house: House, row: StepRow, by_name: dict[str, StepRow]) -> bool:
    step = house.registry.find_step(row.step)
    if step is None:
        return True
    for name in step.requires:
        if name in by_name and by_name[name].state != StepState.DONE:
            return False
    return all(StepState(by_name[name].state) in SETTLED | WITH_PERSON for name in step.after if name in by_name)


def _harm_in_going_on(session: Session, house: House, case: Case, row: StepRow, by_name: dict[str, StepRow]) -> str:
    """Why this step must never start by itself, or '': a requirement can't be confirmed any more."""
    step = house.registry.find_step(row.step)
    for name in step.requires if step else ():
        other = by_name.get(name)
        if other is None:
            if not _shown_unneeded(session, house, case, name):
                return f"It needs '{name}' confirmed first, and that is in no plan of this case."
        elif other.state in {StepState.SKIPPED, StepState.STATED, StepState.CANCELLED}:
            return f"It needs '{other.title}' confirmed first, which is {other.state}."
    return ""


def _shown_unneeded(session: Session, house: House, case: Case, name: str) -> bool:
    step = house.registry.find_step(name)
    system = name.partition(".")[0]
    account = session.get(AccountRow, (case.id, system))
    if step is None or account is None or account.error:
        return False
    facts = house.registry.get(system).facts_model.model_validate(account.facts)
    return not step.wanted(choices_of(session, case.id), facts)


def refresh_plan(session: Session, house: House, plan_id: str) -> None:
    """Derive an approved plan's state from its steps, and say so when it is over."""
    plan = session.get_one(Plan, plan_id)
    if PlanState(plan.state) not in OPEN_PLANS:
        return
    rows = steps_of(session, plan_id)
    event = plan_event(StepState(row.state) for row in rows)
    before = plan.state
    plan.state = move_plan(PlanState(plan.state), event)
    session.add(plan)
    case = session.get_one(Case, plan.case_id)
    if event is PlanEvent.SETTLED:
        plan.settled_at = house.clock.now()
        record(session, house.clock.now(), "plan done", case_id=case.id, detail={"kind": plan.kind})
        if plan.kind == LOCK_OUT:
            identity = case.identity if case.started_by == case.requester else ""
            _tell_requester(session, house, case, identity, "locked out")
        cards.show_channel(session, house, case, cards.NEWS, topic=f"done:{plan.id}")
    if plan.state != before:
        cards.redraw(session, house, case)


def _tell_requester(session: Session, house: House, case: Case, identity: str, topic: str) -> None:
    identity = identity or cards.identity_of(house, case.requester)
    if identity:
        cards.show_person(session, house, case.id, cards.NEWS, case.requester, identity, topic)
