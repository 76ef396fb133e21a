"""What can come of an attempt, and what a look, a vendor's error or several problems at once mean for the step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connectors.contract import Finding, NotBefore, Nothing, Premature, Task, Throttled, Todo, Unreachable, VendorError
from handlers.cases.states import StepEvent
from handlers.plan.readings import Reading
from handlers.plan.retry import again_in


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
class Dated:
    """It can be done on a certain day, not before; it is tried again then."""

    at: datetime
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


@dataclass(frozen=True)
class Rehearsed:
    """A dry run: it looked, and this is what it would have done."""

    would: str


@dataclass(frozen=True)
class NowRead:
    """A system that could not be read when the plan was made has answered."""

    reading: Reading


Result = Confirmed | Stated | Later | Slow | Dated | HandedOver | Stuck | Rehearsed | NowRead

EVENTS: dict[type, StepEvent] = {
    Confirmed: StepEvent.CONFIRMED,
    Stated: StepEvent.STATED,
    Later: StepEvent.LATER,
    Slow: StepEvent.VENDOR_SLOW,
    Dated: StepEvent.LATER,
    HandedOver: StepEvent.HANDED_OVER,
    Stuck: StepEvent.STUCK,
    Rehearsed: StepEvent.REHEARSED,
    NowRead: StepEvent.CONFIRMED,
}


def after_trouble(error: VendorError, troubles: int) -> Result:
    """What a vendor's error means for the step: wait as told, try again, or ask a person."""
    if isinstance(error, Throttled):
        return Later(error.retry_after, str(error), trouble=False)
    if isinstance(error, Unreachable):
        seconds = again_in(troubles + 1)
        if seconds is not None:
            return Later(seconds, str(error), trouble=True)
    return Stuck(str(error))


def unchanged(finding: Nothing | Task | NotBefore) -> Result:
    """What a look means for the step that leaves nothing to change now."""
    match finding:
        case Task(reason, instructions):
            return HandedOver(reason, instructions)
        case NotBefore(at, reason):
            return Dated(at, reason)
        case Nothing(evidence):
            return Confirmed(evidence)


def rehearsed(finding: Finding, irreversible: str) -> Result:
    """What a look means in a dry run: what would be changed, in the words the live run would use."""
    match finding:
        case Nothing(evidence):
            return Confirmed(evidence)
        case NotBefore(at, reason):
            return Rehearsed(f"On {at:%d %b %Y}: {reason}")
        case Premature(reason, _):
            return Rehearsed(f"Once its ground is there, which a dry run can't see: {reason}")
        case Task(reason, instructions):
            return Rehearsed(f"A person's task: {reason}. {instructions}")
        case Todo(items):
            would = f"Would change: {', '.join(item.title for item in items)}"
            return Rehearsed(f"{would}. Can't be undone: {irreversible}" if irreversible else would)


def worst(problems: list[Result]) -> Result | None:
    """The one result that stands for all: a person first, then trying again, then waiting."""
    for kind in (Stuck, HandedOver, Later, Slow):
        of_kind = [problem for problem in problems if isinstance(problem, kind)]
        if kind is Stuck and len(of_kind) > 1:
            return Stuck(" ".join(problem.reason for problem in of_kind))
        if of_kind:
            return of_kind[0]
    return None
