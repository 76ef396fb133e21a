"""The states of plans and steps, and every legal move between them: the one table.

The README draws it from here; a test fails when the two differ.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable


class PlanState(enum.StrEnum):
    """Where a plan stands. A case has no state of its own: it is derived from its plans."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting approval"
    SCHEDULED = "scheduled"
    ARMED = "armed"
    RUNNING = "running"
    WAITING = "waiting"
    NEEDS_PERSON = "needs a person"
    DONE = "done"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class PlanEvent(enum.StrEnum):
    """What moves a plan."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    SCHEDULED = "approved for a time"
    ARMED = "approved, on go"
    CUT_OFF = "its time has come, or somebody said go"
    CHANGED = "another time was chosen"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    WORKING = "a step works"
    WAITING = "every open step waits"
    STUCK = "a step needs a person"
    SETTLED = "every step settled"
    REOPENED = "something came back"


class StepState(enum.StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"
    TASK = "task"
    NEEDS_PERSON = "needs a person"
    DONE = "done"
    STATED = "stated, not verified"
    SKIPPED = "skipped"
    REHEARSED = "rehearsed"
    CANCELLED = "cancelled"


class StepEvent(enum.StrEnum):
    """What moves a step."""

    FREED = "freed"
    CLAIMED = "claimed"
    LATER = "try later"
    VENDOR_SLOW = "not visible yet"
    HANDED_OVER = "handed to a person"
    STUCK = "stuck"
    CONFIRMED = "confirmed"
    STATED = "stated by a person"
    SKIPPED = "skipped with a reason"
    REHEARSED = "looked at in a dry run"
    RETRIED = "retried"
    CANCELLED = "cancelled"


P, PE, S, SE = PlanState, PlanEvent, StepState, StepEvent

PLAN_MOVES: dict[tuple[PlanState, PlanEvent], PlanState] = {
    (P.DRAFT, PE.PROPOSED): P.AWAITING_APPROVAL,
    (P.DRAFT, PE.CANCELLED): P.CANCELLED,
    (P.DRAFT, PE.EXPIRED): P.EXPIRED,
    (P.AWAITING_APPROVAL, PE.APPROVED): P.RUNNING,
    (P.AWAITING_APPROVAL, PE.SCHEDULED): P.SCHEDULED,
    (P.AWAITING_APPROVAL, PE.ARMED): P.ARMED,
    (P.AWAITING_APPROVAL, PE.REJECTED): P.REJECTED,
    (P.AWAITING_APPROVAL, PE.CANCELLED): P.CANCELLED,
    (P.AWAITING_APPROVAL, PE.EXPIRED): P.EXPIRED,
    (P.SCHEDULED, PE.CUT_OFF): P.RUNNING,
    (P.SCHEDULED, PE.CHANGED): P.AWAITING_APPROVAL,
    (P.SCHEDULED, PE.CANCELLED): P.CANCELLED,
    (P.ARMED, PE.CUT_OFF): P.RUNNING,
    (P.ARMED, PE.CHANGED): P.AWAITING_APPROVAL,
    (P.ARMED, PE.CANCELLED): P.CANCELLED,
    (P.RUNNING, PE.WORKING): P.RUNNING,
    (P.RUNNING, PE.WAITING): P.WAITING,
    (P.RUNNING, PE.STUCK): P.NEEDS_PERSON,
    (P.RUNNING, PE.SETTLED): P.DONE,
    (P.RUNNING, PE.CANCELLED): P.CANCELLED,
    (P.WAITING, PE.WORKING): P.RUNNING,
    (P.WAITING, PE.WAITING): P.WAITING,
    (P.WAITING, PE.STUCK): P.NEEDS_PERSON,
    (P.WAITING, PE.SETTLED): P.DONE,
    (P.WAITING, PE.CANCELLED): P.CANCELLED,
    (P.NEEDS_PERSON, PE.WORKING): P.RUNNING,
    (P.NEEDS_PERSON, PE.WAITING): P.WAITING,
    (P.NEEDS_PERSON, PE.STUCK): P.NEEDS_PERSON,
    (P.NEEDS_PERSON, PE.SETTLED): P.DONE,
    (P.NEEDS_PERSON, PE.CANCELLED): P.CANCELLED,
    (P.DONE, PE.CANCELLED): P.CANCELLED,
    (P.DONE, PE.REOPENED): P.RUNNING,
}

STEP_MOVES: dict[tuple[StepState, StepEvent], StepState] = {
    (S.PENDING, SE.FREED): S.READY,
    (S.PENDING, SE.STUCK): S.NEEDS_PERSON,
    (S.PENDING, SE.CANCELLED): S.CANCELLED,
    (S.READY, SE.CLAIMED): S.RUNNING,
    (S.READY, SE.CANCELLED): S.CANCELLED,
    (S.WAITING, SE.CLAIMED): S.RUNNING,
    (S.WAITING, SE.STUCK): S.NEEDS_PERSON,
    (S.WAITING, SE.SKIPPED): S.SKIPPED,
    (S.WAITING, SE.CANCELLED): S.CANCELLED,
    (S.RUNNING, SE.CLAIMED): S.RUNNING,
    (S.RUNNING, SE.LATER): S.WAITING,
    (S.RUNNING, SE.VENDOR_SLOW): S.WAITING,
    (S.RUNNING, SE.HANDED_OVER): S.TASK,
    (S.RUNNING, SE.STUCK): S.NEEDS_PERSON,
    (S.RUNNING, SE.CONFIRMED): S.DONE,
    (S.RUNNING, SE.STATED): S.STATED,
    (S.RUNNING, SE.REHEARSED): S.REHEARSED,
    (S.RUNNING, SE.CANCELLED): S.CANCELLED,
    (S.DONE, SE.RETRIED): S.READY,
    (S.TASK, SE.RETRIED): S.READY,
    (S.TASK, SE.SKIPPED): S.SKIPPED,
    (S.TASK, SE.CANCELLED): S.CANCELLED,
    (S.NEEDS_PERSON, SE.RETRIED): S.READY,
    (S.NEEDS_PERSON, SE.SKIPPED): S.SKIPPED,
    (S.NEEDS_PERSON, SE.CANCELLED): S.CANCELLED,
}

SETTLED: frozenset[StepState] = frozenset({S.DONE, S.STATED, S.SKIPPED, S.REHEARSED, S.CANCELLED})
"""A step that will not move by itself any more."""
WITH_PERSON: frozenset[StepState] = frozenset({S.TASK, S.NEEDS_PERSON})
"""A step that waits for somebody to act."""
OPEN_PLANS: frozenset[PlanState] = frozenset({P.RUNNING, P.WAITING, P.NEEDS_PERSON})
"""Plans that were approved and are not over."""
UNDECIDED: frozenset[PlanState] = frozenset({P.DRAFT, P.AWAITING_APPROVAL})
"""Plans nobody has decided about."""
HELD: frozenset[PlanState] = frozenset({P.SCHEDULED, P.ARMED})
"""Lock-outs that were approved and whose cut-off is still to come."""
BEFORE_CUT_OFF: frozenset[PlanState] = UNDECIDED | HELD
"""Lock-outs that have ended nothing yet, and may still do so."""


class IllegalMove(Exception):
    """Somebody tried a move the table does not have: a bug, never a user's mistake."""


def move_plan(state: PlanState, event: PlanEvent) -> PlanState:
    """The plan's next state. Raises IllegalMove."""
    try:
        return PLAN_MOVES[state, event]
    except KeyError:
        raise IllegalMove(f"a plan that is '{state}' can't move by '{event}'") from None


def move_step(state: StepState, event: StepEvent) -> StepState:
    """The step's next state. Raises IllegalMove."""
    try:
        return STEP_MOVES[state, event]
    except KeyError:
        raise IllegalMove(f"a step that is '{state}' can't move by '{event}'") from None


def plan_event(steps: Iterable[StepState]) -> PlanEvent:
    """What the states of its steps do to a plan that was approved."""
    states = set(steps)
    if states & WITH_PERSON:
        return PlanEvent.STUCK
    if states & {S.READY, S.RUNNING}:
        return PlanEvent.WORKING
    if states - SETTLED:
        return PlanEvent.WAITING
    return PlanEvent.SETTLED
