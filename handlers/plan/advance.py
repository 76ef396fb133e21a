"""Says which steps may go on, keeps the plans' states true to their steps, and tells who must know."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session, select

from connectors.contract import TaskStep, Wave
from handlers.cases import cards, due
from handlers.cases.history import record
from handlers.cases.states import (
    OPEN_PLANS,
    SETTLED,
    UNDECIDED,
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
from handlers.cases.wanted import PROPOSE, want
from handlers.house import House
from handlers.plan.digest import LOCK_OUT, REST, steps_of
from handlers.plan.readings import choices_of
from handlers.plan.rows import ByStep, by_step, case_plans, case_steps
from handlers.questions import answers_of, questions_of
from handlers.ways import locked_out, ways_in

FAR = 3600.0
"""Seconds from which on an attempt is not kept in the queue."""
A_WHILE = timedelta(minutes=1)
"""Time in which something may have undone a lock-out that its plan's last step has only followed since."""


def advance(session: Session, house: House, case: Case) -> None:
    """Free what may go on, bring the plans' states up to date, and have the cards redrawn."""
    by_name = by_step(case_steps(session, case.id))
    plans = case_plans(session, case.id)
    for plan in plans:
        if PlanState(plan.state) not in OPEN_PLANS:
            continue
        waves = _open_waves(session, case, plan, plans)
        for row in steps_of(session, plan.id):
            if row.state == StepState.PENDING:
                _free(session, house, case, row, by_name, waves)
        refresh_plan(session, house, plan.id)
        _say_locked_out(session, house, case, plan)
    cards.redraw(session, house, case)


def blocked(session: Session, house: House, row: StepRow) -> str:
    """Why pressing Retry would do harm, as a sentence, or ''."""
    by_name = by_step(case_steps(session, row.case_id))
    case = session.get_one(Case, row.case_id)
    harm = _harm_in_going_on(session, house, case, row, by_name)
    if not harm and not _ready(house, row, by_name):
        return "It waits for another step that is not confirmed yet."
    return harm


def _free(session: Session, house: House, case: Case, row: StepRow, by_name: ByStep, waves: frozenset[Wave]) -> None:
    harm = _harm_in_going_on(session, house, case, row, by_name)
    if harm:
        row.state = move_step(StepState.PENDING, StepEvent.STUCK)
        row.reason = harm
        tell(session, house, case, row)
    elif row.wave in waves and _ready(house, row, by_name):
        row.state = move_step(StepState.PENDING, StepEvent.FREED)
        again(session, house, row, 0)
    session.add(row)


def _open_waves(session: Session, case: Case, plan: Plan, plans: list[Plan]) -> frozenset[Wave]:
    """What may begin: before its lock-out is approved, a plan only preserves, and on good terms hands over."""
    lock_out = next((one for one in plans if one.kind == LOCK_OUT), None)
    if lock_out is None or lock_out.id == plan.id or PlanState(lock_out.state) not in UNDECIDED:
        return frozenset(Wave)
    if choices_of(session, case.id).get("contentious") == "no":
        return frozenset({Wave.PRESERVE, Wave.HAND_OVER})
    return frozenset({Wave.PRESERVE})


def _ready(house: House, row: StepRow, by_name: ByStep) -> bool:
    step = house.registry.find_step(row.step)
    if step is None:
        return True
    if not all(_met(house, other) for name in step.requires for other in by_name.get(name, ())):
        return False
    return all(
        StepState(other.state) in SETTLED | WITH_PERSON for name in step.after for other in by_name.get(name, ())
    )


def _met(house: House, row: StepRow) -> bool:
    """Whether what requires this step may go on: it is read back, or stated where nothing better can be had."""
    stated = row.state == StepState.STATED and isinstance(house.registry.find_step(row.step), TaskStep)
    return row.state == StepState.DONE or stated


def _harm_in_going_on(session: Session, house: House, case: Case, row: StepRow, by_name: ByStep) -> str:
    """Why this step must never start by itself, or '': a requirement can't be confirmed any more."""
    step = house.registry.find_step(row.step)
    for name in step.requires if step else ():
        others = by_name.get(name, [])
        if not others and not _shown_unneeded(session, house, case, name):
            return f"It needs '{name}' confirmed first, and that is in no plan of this case."
        for other in others:
            if StepState(other.state) in SETTLED and not _met(house, other):
                return f"It needs '{other.title}' confirmed first, which is {other.state}."
    return ""


def _shown_unneeded(session: Session, house: House, case: Case, name: str) -> bool:
    step = house.registry.find_step(name)
    system = name.partition(".")[0]
    account = session.get(AccountRow, (case.id, system))
    if account is None:
        # Read and nothing found: a person without a mailbox has none to convert.
        client = house.roster.client(case.client)
        return client is not None and system in client.systems
    if step is None or account.error:
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
        _say_locked_out(session, house, case, plan)
        if plan.kind == LOCK_OUT and plan.locked_out_at is None:
            # Some way in was skipped or only stated: the news says so.
            cards.show_requester(session, house, case, "locked out")
            _confirm_later(session, house, case)
        elif plan.kind == LOCK_OUT and plan.locked_out_at and house.clock.now() - plan.locked_out_at >= A_WHILE:
            # What it waited for at last was the directory's sync, and a sync can undo a lock-out.
            due.set_due(session, house, case, due.CONFIRM, timedelta(0))
        client = house.roster.client(case.client)
        if plan.kind == REST and client is not None and client.keep_days:
            due.clear(session, case, due.KEPT)
            due.set_due(session, house, case, due.KEPT, timedelta(days=client.keep_days))
        cards.show_channel(session, house, case, cards.NEWS, topic=f"done:{plan.id}")
    if plan.state != before:
        cards.redraw(session, house, case)


def _say_locked_out(session: Session, house: House, case: Case, plan: Plan) -> None:
    """Once every way in is read back as ended; what is left of the plan, a check after the next sync say, goes on."""
    if plan.kind != LOCK_OUT or plan.locked_out_at is not None or not locked_out(ways_in(session, house, case)):
        return
    plan.locked_out_at = house.clock.now()
    session.add(plan)
    record(session, house.clock.now(), "locked out", case_id=case.id)
    cards.show_requester(session, house, case, "locked out")
    _confirm_later(session, house, case)


def _confirm_later(session: Session, house: House, case: Case) -> None:
    due.clear(session, case, due.CONFIRM)
    for wait in house.timings.confirm_again:
        due.set_due(session, house, case, due.CONFIRM, wait)


def ask_the_rest(session: Session, house: House, case: Case) -> None:
    """Plan the rest; but where a system has only now been read, what it asks is asked first: the interview goes on."""
    if case.stage != "submitted":
        return
    answered = answers_of(session, case.id)
    if all(question.id in answered for question in questions_of(session, house, case)):
        want(session, house, case, PROPOSE, REST)
        return
    case.stage, case.turn = "ask", case.turn + 1
    session.add(case)
    cards.show_requester(session, house, case, "half-way")


def again(session: Session, house: House, row: StepRow, seconds: float) -> None:
    """Have the step's next attempt carried out after so many seconds; at once when that is nought.

    What is hours or months away is a row with its time alone, and the sweep begins it then.
    """
    row.attempt += 1
    row.due_at = house.clock.now() + timedelta(seconds=seconds)
    session.add(row)
    if seconds <= FAR:
        house.queue.enqueue(session, row.id, row.attempt, seconds)


def tell(session: Session, house: House, case: Case, row: StepRow) -> None:
    """A new short message to the technicians; what keeps a way in open is brought up until somebody acts."""
    cards.show_channel(session, house, case, cards.NEWS, topic=f"step:{row.id}")
    if row.wave == Wave.LOCK_OUT and StepState(row.state) in WITH_PERSON:
        due.clear_subject(session, case, row.id)
        due.bring_up(session, house, case, row.id)


def told(session: Session, row: StepRow) -> bool:
    """Whether the technicians have had a message about this step."""
    query = select(CardRow).where(CardRow.case_id == row.case_id, CardRow.topic == f"step:{row.id}")
    return session.exec(query).first() is not None
