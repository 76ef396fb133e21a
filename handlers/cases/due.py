"""Things to do at a time, as rows: reminders, pages, expiries. One loop works them off, woken by commits."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import case as case_when
from sqlmodel import Session, col, delete, select, update

from handlers.cases.store import after_commit
from handlers.cases.tables import Case, Due
from handlers.house import House

QUIET = "quiet"
NUDGE = "nudge"
EXPIRE = "expire"
REMIND = "remind"
PAGE = "page"
DECIDE = "decide"
CONFIRM = "confirm again"
KEPT = "kept long enough"
AHEAD = "ahead of its day"
MIRROR = "look at the ticket"
CUT_OFF = "the time at which access ends"
GO = "ask for the go"
UNHURRIED = "bring up again, in no hurry"
HURRY = "bring up now"


def set_due(session: Session, house: House, case: Case, kind: str, wait: timedelta, subject: str = "") -> None:
    """Do that once so much time has passed."""
    due = Due(id=house.new_id(), case_id=case.id, kind=kind, subject=subject, at=house.clock.now() + wait)
    session.add(due)
    after_commit(session, house.work.set)


def bring_up(session: Session, house: House, case: Case, subject: str) -> None:
    """Somebody must act on this at once: remind, then page, as long as nobody does."""
    for wait in house.timings.reminders:
        set_due(session, house, case, REMIND, wait, subject)
    set_due(session, house, case, PAGE, house.timings.page, subject)


def about(session: Session, case: Case, subject: str) -> bool:
    """Whether anything is still to be done about that."""
    return session.exec(select(Due.id).where(Due.case_id == case.id, Due.subject == subject)).first() is not None


def clear_subject(session: Session, case: Case, subject: str) -> None:
    """Somebody acts on it."""
    session.exec(delete(Due).where(col(Due.case_id) == case.id, col(Due.subject) == subject))


def clear(session: Session, case: Case, *kinds: str) -> None:
    """It is not to be done any more."""
    session.exec(delete(Due).where(col(Due.case_id) == case.id, col(Due.kind).in_(kinds)))


def watch(session: Session, house: House, case: Case) -> None:
    """A case was opened: it is nudged when left half-way, and expires at last."""
    set_due(session, house, case, NUDGE, house.timings.nudge)
    set_due(session, house, case, EXPIRE, house.timings.expire)


def touch(session: Session, house: House, case: Case) -> None:
    """The interview moved: what waits for its silence waits anew."""
    now, timings = house.clock.now(), house.timings
    case.touched_at = now
    session.add(case)
    waits = {NUDGE: timings.nudge, EXPIRE: timings.expire, QUIET: timings.quiet}
    at = case_when({kind: now + wait for kind, wait in waits.items()}, value=col(Due.kind))
    session.exec(update(Due).where(col(Due.case_id) == case.id, col(Due.kind).in_(waits)).values(at=at))


def next_time(session: Session) -> datetime | None:
    """When the earliest of them is due."""
    return session.exec(select(Due.at).order_by(col(Due.at)).limit(1)).first()


def take(session: Session, now: datetime) -> list[Due]:
    """What is due now, in order."""
    return list(session.exec(select(Due).where(col(Due.at) <= now).order_by(col(Due.at))))
