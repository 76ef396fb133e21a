"""Says which steps may go on, keeps the plans' states true to their steps, and tells who must know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from sqlmodel import Session, select

from connectors.contract import TaskStep, Wave
from handlers.cases import cards, due
from handlers.cases.history import record
from handlers.cases.states import (
    BEFORE_CUT_OFF,
    HELD,
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
from handlers.cases.wanted import PROPOSE, pending, want, want_ticket
from handlers.house import House
from handlers.plan.digest import LOCK_OUT, MONEY, REST
from handlers.plan.readings import choices_of
from handlers.plan.rows import ByStep, by_step, case_plans, case_steps, lock_out_of
from handlers.questions import answers_of, questions_of
from handlers.ways import locked_out, ways_in

FAR = 3600.0
"""Seconds from which on an attempt is not kept in the queue."""
A_DAY = timedelta(days=1)
A_WHILE = timedelta(minutes=1)
"""Time in which something may have undone a lock-out that its plan's last step has only followed since."""


@dataclass
class _Round:
    """What one round of decisions about a case rests on, each read once."""

    session: Session
    house: House
    case: Case

    @cached_property
    def plans(self) -> list[Plan]:
        return case_plans(self.session, self.case.id)

    @cached_property
    def steps(self) -> list[StepRow]:
        return sorted(case_steps(self.session, self.case.id), key=lambda row: row.place)

    @cached_property
    def by_name(self) -> ByStep:
        return by_step(self.steps)

    @cached_property
    def choices(self) -> dict[str, str]:
        return choices_of(self.session, self.case.id)

    @cached_property
    def accounts(self) -> dict[str, AccountRow]:
        found = self.session.exec(select(AccountRow).where(AccountRow.case_id == self.case.id))
        return {account.system: account for account in found}

    def steps_of(self, plan: Plan) -> list[StepRow]:
        return [row for row in self.steps if row.plan_id == plan.id]


def advance(session: Session, house: House, case: Case) -> None:
    """Free what may go on, bring the plans' states up to date, and have the cards redrawn."""
    now = _Round(session, house, case)
    for plan in now.plans:
        if PlanState(plan.state) not in OPEN_PLANS | HELD:
            continue
        waves = _open_waves(now, plan)
        for row in now.steps_of(plan):
            if row.state == StepState.PENDING:
                _free(now, row, waves)
        if PlanState(plan.state) in OPEN_PLANS:
            _refresh(now, plan)
            _say_locked_out(session, house, case, plan)
    _report(now)
    want_ticket(session, house, case)
    cards.redraw(session, house, case)


def blocked(session: Session, house: House, row: StepRow) -> str:
    """Why pressing Retry would do harm, as a sentence, or ''."""
    now = _Round(session, house, session.get_one(Case, row.case_id))
    harm = _harm_in_going_on(now, row)
    if not harm and not _ready(now, row):
        return "It waits for another step that is not confirmed yet."
    return harm


def _free(now: _Round, row: StepRow, waves: frozenset[Wave]) -> None:
    harm = _harm_in_going_on(now, row)
    if harm:
        row.state = move_step(StepState.PENDING, StepEvent.STUCK)
        row.reason = harm
        tell(now.session, now.house, now.case, row)
    elif row.wave in waves and _ready(now, row):
        row.state = move_step(StepState.PENDING, StepEvent.FREED)
        again(now.session, now.house, row, 0)
    now.session.add(row)


def _open_waves(now: _Round, plan: Plan) -> frozenset[Wave]:
    """What may begin: before access ends, a plan only preserves, and on good terms hands over."""
    lock_out = lock_out_of(now.plans)
    if lock_out is None or PlanState(lock_out.state) not in BEFORE_CUT_OFF:
        return frozenset(Wave)
    if lock_out.id != plan.id and now.choices.get("contentious") == "no":
        return frozenset({Wave.PRESERVE, Wave.HAND_OVER})
    return frozenset({Wave.PRESERVE})


def _ready(now: _Round, row: StepRow) -> bool:
    step = now.house.registry.find_step(row.step)
    if step is None:
        return True
    if not all(_met(now.house, other) for name in step.requires for other in now.by_name.get(name, ())):
        return False
    earlier = [other for name in step.after for other in now.by_name.get(name, ())]
    # What waits for its day is not waited for: whatever rests on it finds that day itself.
    return all(StepState(other.state) in SETTLED | WITH_PERSON or _dated(now, other) for other in earlier)


def _met(house: House, row: StepRow) -> bool:
    """Whether what requires this step may go on: read back, stated where nothing better can be had, or rehearsed."""
    stated = row.state == StepState.STATED and isinstance(house.registry.find_step(row.step), TaskStep)
    return row.state in {StepState.DONE, StepState.REHEARSED} or stated


def _harm_in_going_on(now: _Round, row: StepRow) -> str:
    """Why this step must never start by itself, or '': a requirement can't be confirmed any more."""
    step = now.house.registry.find_step(row.step)
    for name in step.requires if step else ():
        others = now.by_name.get(name, [])
        if not others and not _shown_unneeded(now, name):
            return f"It needs '{name}' confirmed first, and that is in no plan of this case."
        for other in others:
            if StepState(other.state) in SETTLED and not _met(now.house, other):
                return f"It needs '{other.title}' confirmed first, which is {other.state}."
    return ""


def _shown_unneeded(now: _Round, name: str) -> bool:
    step = now.house.registry.find_step(name)
    system = name.partition(".")[0]
    account = now.accounts.get(system)
    if account is None:
        # Read and nothing found: a person without a mailbox has none to convert.
        client = now.house.roster.client(now.case.client)
        return client is not None and system in client.systems
    if step is None or account.error:
        return False
    facts = now.house.registry.get(system).facts_model.model_validate(account.facts)
    return not step.wanted(now.choices, facts)


def works_again(session: Session, house: House, row: StepRow) -> None:
    """An attempt at that step has begun: its plan may have stood still until now."""
    plan = session.get_one(Plan, row.plan_id)
    if plan.state in {PlanState.WAITING, PlanState.NEEDS_PERSON}:
        _refresh(_Round(session, house, session.get_one(Case, row.case_id)), plan)


def _refresh(now: _Round, plan: Plan) -> None:
    """Derive an approved plan's state from its steps, and say so when it is over."""
    session, house, case = now.session, now.house, now.case
    event = plan_event(StepState(row.state) for row in now.steps_of(plan))
    before = plan.state
    plan.state = move_plan(PlanState(plan.state), event)
    session.add(plan)
    if event is PlanEvent.SETTLED:
        plan.settled_at = house.clock.now()
        record(session, house.clock.now(), "plan done", case_id=case.id, detail={"kind": plan.kind})
        _say_locked_out(session, house, case, plan)
        if plan.dry_run:
            cards.show_requester(session, house, case, "rehearsed")
        elif plan.kind == LOCK_OUT and plan.locked_out_at is None:
            # Some way in was skipped or only stated: the news says so.
            cards.show_requester(session, house, case, "locked out")
            _confirm_later(session, house, case)
        elif plan.kind == LOCK_OUT and plan.locked_out_at and house.clock.now() - plan.locked_out_at >= A_WHILE:
            # What it waited for at last was the directory's sync, and a sync can undo a lock-out.
            due.set_due(session, house, case, due.CONFIRM, timedelta(0))
        client = house.roster.client(case.client)
        if plan.kind == REST and client is not None and client.keep_days and not plan.dry_run:
            due.clear(session, case, due.KEPT)
            due.set_due(session, house, case, due.KEPT, timedelta(days=client.keep_days))
        cards.show_channel(session, house, case, cards.NEWS, topic=f"done:{plan.id}")
    if plan.state != before:
        cards.redraw(session, house, case)


def _report(now: _Round) -> None:
    """Once nothing goes on by itself any more, but for what waits for its day: what was done, and what is left."""
    lock_out = lock_out_of(now.plans)
    if lock_out is None or lock_out.approved_at is None or now.case.closed or now.case.stage != "submitted":
        return
    if PlanState(lock_out.state) in HELD:
        return
    # Nobody waits with it for somebody who decides about bills.
    undecided = [plan for plan in now.plans if PlanState(plan.state) in UNDECIDED and plan.kind != MONEY]
    if undecided or pending(now.session, now.case.id, PROPOSE):
        return
    if any(_goes_on(now, row) for plan in now.plans for row in now.steps_of(plan) if plan.approved_at):
        return
    if not cards.alive(now.session, now.case.id, cards.REPORT):
        cards.show_report(now.session, now.house, now.case)
        record(now.session, now.house.clock.now(), "reported", case_id=now.case.id)


def _goes_on(now: _Round, row: StepRow) -> bool:
    """Whether that step is under way, or waits for something that comes by itself within the day."""
    return row.state in {StepState.READY, StepState.RUNNING, StepState.WAITING} and not _dated(now, row)


def _dated(now: _Round, row: StepRow) -> bool:
    return row.state == StepState.WAITING and row.due_at is not None and row.due_at - now.house.clock.now() >= A_DAY


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
