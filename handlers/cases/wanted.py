"""Answers a case waits for from vendors, as leased rows: recorded with the change that needs them."""

from __future__ import annotations

from collections.abc import Callable

from sqlmodel import Session, col, select

from connectors.contract import Account
from handlers.cases.store import after_commit
from handlers.cases.tables import Case, Lookup
from handlers.house import House

SEARCH, READ, CHOOSE, PROPOSE, RESTORE, CONFIRM = "search", "read", "choose", "propose", "restore", "confirm"

TRIES = 4
"""How often vendors are asked before it is said that there is no answer."""

Apply = Callable[[Session, Case], None]
"""Writes an answer down, in a transaction of its own."""


def want(session: Session, house: House, case: Case, kind: str, subject: str = "") -> None:
    """Record that an answer is wanted; handlers.lookups asks for it right after the commit."""
    session.add(Lookup(id=house.new_id(), case_id=case.id, kind=kind, subject=subject, turn=case.turn))
    session.flush()
    after_commit(session, house.work.set)


def pending(session: Session, case_id: str, kind: str) -> bool:
    """Whether such an answer is still awaited."""
    query = select(Lookup).where(Lookup.case_id == case_id, Lookup.kind == kind, col(Lookup.done).is_(False))
    return session.exec(query).first() is not None


def leaver_of(case: Case) -> Account:
    """The account chosen in the client's directory."""
    return Account.model_validate(case.leaver)
