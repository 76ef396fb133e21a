"""What ought to stand on a case's ticket, derived from its rows. Nothing of it betrays anything before the cut-off."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session, select

from connectors.contract import Wave
from connectors.money import Payer
from handlers import messages, savings
from handlers.cases import cards
from handlers.cases.desk_entry import DeskEntry
from handlers.cases.states import SETTLED, UNDECIDED, WITH_PERSON, PlanState, StepState
from handlers.cases.tables import Case, Plan, StepRow
from handlers.house import House
from handlers.plan.advance import A_DAY
from handlers.plan.digest import LOCK_OUT
from handlers.plan.rows import case_plans, case_steps
from handlers.ways import locked_out, ways_in

TICKET, TASK, ATTENTION = "ticket", "task", "attention"
CLOSED_THERE = "closed there"
"""What an entry is marked with once somebody has closed its task on the ticket."""
MOVING = frozenset({StepState.READY, StepState.RUNNING, StepState.WAITING})
WAVES = {
    Wave.LOCK_OUT: "Lock-out",
    Wave.PRESERVE: "Preserve",
    Wave.HAND_OVER: "Hand over",
    Wave.CLEAN_UP: "Clean up",
    Wave.BILLING: "Billing",
    Wave.CLOSE: "Close",
}


@dataclass(frozen=True)
class Wanted:
    """The ticket as it should be now."""

    summary: str
    ours: frozenset[str]
    """Every summary it may have from us: one that somebody else wrote is left alone."""
    opening: str
    notes: dict[str, str] = field(default_factory=dict[str, str])
    tasks: dict[str, str] = field(default_factory=dict[str, str])
    """Every step that is with a person now."""
    settled: dict[str, str] = field(default_factory=dict[str, str])
    """What came of those that no longer are."""
    time: tuple[str, datetime, datetime] | None = None
    over: bool = False


def case_key(case: Case) -> str:
    """By which the ticket is found again, in any database and after any restart."""
    return f"{case.number}-{case.id.replace('-', '')[-12:]}"


def wanted(session: Session, house: House, case: Case) -> Wanted:
    """What should stand there, from the case's rows."""
    every = case_plans(session, case.id)
    undecided = [plan for plan in every if PlanState(plan.state) in UNDECIDED]
    plans = [plan for plan in every if plan.approved_at]
    rows = [row for row in case_steps(session, case.id) if any(plan.id == row.plan_id for plan in plans)]
    rows.sort(key=lambda row: (row.plan_id, row.place))
    key, told = case_key(case), _told(case, plans)
    reported = bool(cards.alive(session, case.id, cards.REPORT))
    with_person = [row for row in rows if StepState(row.state) in WITH_PERSON]
    plain, named = f"User change, case {case.number}", f"Offboarding {case.leaver_name[:60]}, case {case.number}"
    # Which step it is would tell whom: until the ticket may, one task stands for whatever is stuck. Once that is
    # settled it is closed for good, so the next one that is stuck has another.
    neutral = f"Case {case.number}: a step needs a person. The card in chat says which."
    closed = _closed_before(session, case)
    attention = {f"{key}.{ATTENTION}.{row.id}.{row.attempt}.{closed}": neutral for row in with_person[:1]}
    return Wanted(
        summary=named if told else plain,
        ours=frozenset({named, plain}),
        opening=f"Opened for case {case.number}. What is done is added once it may be read here.",
        notes={
            **(_notes(session, house, case, rows, reported=reported) if told else {}),
            **({f"{key}.closed": messages.CLOSED.get(case.closed, case.closed)} if case.closed else {}),
        },
        tasks={_task(key, row): _words(row) for row in with_person} if told else attention,
        settled={_task(key, row): row.evidence or row.reason for row in rows if StepState(row.state) in SETTLED},
        time=_time(house, case, plans) if reported else None,
        over=bool(case.closed) or (reported and not with_person and not undecided and not _goes_on(house, rows)),
    )


def _closed_before(session: Session, case: Case) -> int:
    """How often somebody has closed a neutral task there: it says nothing of the step, so another one is opened."""
    query = select(DeskEntry).where(DeskEntry.case_id == case.id, DeskEntry.handled == CLOSED_THERE)
    return sum(is_neutral(entry.key) for entry in session.exec(query))


def is_neutral(key: str) -> bool:
    """Whether that is the task that stands for whatever is stuck, and says nothing of it."""
    return f".{ATTENTION}." in key


def _goes_on(house: House, rows: list[StepRow]) -> bool:
    """Whether anything is still under way or tried again; what waits for a day of its own holds no ticket open."""
    moving = [row for row in rows if StepState(row.state) in MOVING]
    return any(row.due_at is None or row.due_at - house.clock.now() < A_DAY for row in moving)


def _told(case: Case, plans: list[Plan]) -> bool:
    """Whether access has ended, or everything there was to do about that has; never of somebody who stays."""
    over = {PlanState.DONE, PlanState.CANCELLED}
    lock_outs = [plan for plan in plans if plan.kind == LOCK_OUT]
    return not case.closed and any(plan.locked_out_at or PlanState(plan.state) in over for plan in lock_outs)


def _notes(session: Session, house: House, case: Case, rows: list[StepRow], *, reported: bool) -> dict[str, str]:
    key = case_key(case)
    ways = ways_in(session, house, case)
    ended = [
        f"{way.title}: {way.words} {messages.clock(house, case, way.ended_at) if way.ended_at else ''}".rstrip()
        for way in ways
    ]
    verdict = "Locked out; each way in read back." if locked_out(ways) else "NOT locked out everywhere."
    notes = {f"{key}.ways": "\n".join((verdict, *ended))}
    for plan_id in dict.fromkeys(row.plan_id for row in rows):
        for wave in Wave:
            mine = [row for row in rows if row.plan_id == plan_id and row.wave == wave]
            if mine and all(StepState(row.state) in SETTLED for row in mine):
                lines = [f"{row.title}: {row.state}. {row.evidence or row.reason}" for row in mine]
                notes[f"{key}.{plan_id}.{int(wave)}"] = "\n".join((WAVES[wave], *lines))
    if reported:
        saved = savings.lines(house, case, savings.of_case(session, house, case), Payer.CLIENT, Payer.MSP)
        notes[f"{key}.report"] = "\n".join(("Nothing goes on by itself any more.", *saved))
    return notes


def _task(key: str, row: StepRow) -> str:
    """A new one each time it comes back to a person."""
    return f"{key}.{TASK}.{row.id}.{row.attempt}"


def _words(row: StepRow) -> str:
    return "\n".join(part for part in (row.title, row.reason, row.instructions) if part)


def _time(house: House, case: Case, plans: list[Plan]) -> tuple[str, datetime, datetime] | None:
    minutes = house.roster.msp.minutes_a_case
    begun = min((plan.approved_at for plan in plans if plan.approved_at), default=None)
    if not minutes or begun is None:
        return None
    return f"{case_key(case)}.time", begun, begun + timedelta(minutes=minutes)
