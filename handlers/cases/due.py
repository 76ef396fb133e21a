"""Things to do at a time, as rows: reminders, pages, expiries. One loop works them off, woken by commits."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select

from handlers.cases.store import CASE, after_commit
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


_TABLE = SQLModel.metadata.tables["due"]
"""Written by statements of its own, at once: nothing else of a transaction need be written down before."""
_SET = sa.insert(_TABLE)
_ABOUT = (_TABLE.c.case_id == CASE) & (_TABLE.c.subject == sa.bindparam("about", type_=sa.String()))
_KINDS = (_TABLE.c.case_id == CASE) & _TABLE.c.kind.in_(sa.bindparam("kinds", expanding=True))
_CLEAR, _CLEAR_ABOUT = sa.delete(_TABLE).where(_KINDS), sa.delete(_TABLE).where(_ABOUT)
_ANY_ABOUT = sa.select(_TABLE.c.id).where(_ABOUT).limit(1)
_WAITS = (NUDGE, EXPIRE, QUIET)
"""What waits for the interview's silence."""
_TIMES = sa.case({kind: sa.bindparam(kind, type_=_TABLE.c.at.type) for kind in _WAITS}, value=_TABLE.c.kind)
_TOUCHED = sa.update(_TABLE).where(_TABLE.c.case_id == CASE, _TABLE.c.kind.in_(_WAITS)).values(at=_TIMES)


def set_due(session: Session, house: House, case: Case, kind: str, wait: timedelta, subject: str = "") -> str:
    """Do that once so much time has passed; answers the row's id."""
    due_id = house.new_id()
    row = {"id": due_id, "case_id": case.id, "kind": kind, "subject": subject, "at": house.clock.now() + wait}
    session.connection().execute(_SET, row)
    after_commit(session, house.work.set)
    return due_id


def bring_up(session: Session, house: House, case: Case, subject: str) -> None:
    """Somebody must act on this at once: remind, then page, as long as nobody does."""
    for wait in house.timings.reminders:
        set_due(session, house, case, REMIND, wait, subject)
    set_due(session, house, case, PAGE, house.timings.page, subject)


def about(session: Session, case: Case, subject: str) -> bool:
    """Whether anything is still to be done about that."""
    return session.connection().execute(_ANY_ABOUT, {"case": case.id, "about": subject}).first() is not None


def clear_subject(session: Session, case: Case, subject: str) -> None:
    """Somebody acts on it."""
    session.connection().execute(_CLEAR_ABOUT, {"case": case.id, "about": subject})


def clear(session: Session, case: Case, *kinds: str) -> None:
    """It is not to be done any more."""
    session.connection().execute(_CLEAR, {"case": case.id, "kinds": kinds})


def watch(session: Session, house: House, case: Case) -> None:
    """A case was opened: it is nudged when left half-way, and expires at last."""
    set_due(session, house, case, NUDGE, house.timings.nudge)
    set_due(session, house, case, EXPIRE, house.timings.expire)


def touch(session: Session, house: House, case: Case) -> None:
    """The interview moved: what waits for its silence waits anew."""
    now, timings = house.clock.now(), house.timings
    case.touched_at = now
    times = {NUDGE: now + timings.nudge, EXPIRE: now + timings.expire, QUIET: now + timings.quiet}
    session.connection().execute(_TOUCHED, {"case": case.id, **times})


def next_time(session: Session) -> datetime | None:
    """When the earliest of them is due."""
    return session.exec(select(Due.at).order_by(col(Due.at)).limit(1)).first()


def take(session: Session, now: datetime) -> list[Due]:
    """What is due now, in order."""
    return list(session.exec(select(Due).where(col(Due.at) <= now).order_by(col(Due.at))))
