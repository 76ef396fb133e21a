"""Answers a case waits for from vendors, as leased rows: recorded with the change that needs them."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlmodel import Session, col, select

from connectors.contract import Account
from handlers.cases.store import CASE, after_commit
from handlers.cases.tables import Case, Lookup, Plan
from handlers.house import House

SEARCH, READ, CHOOSE, PROPOSE, RESTORE, CONFIRM = "search", "read", "choose", "propose", "restore", "confirm"
MIRROR = "mirror"
"""The case's ticket is brought up to date."""

TRIES = 4
"""How often vendors are asked before it is said that there is no answer."""

Apply = Callable[[Session, Case], None]
"""Writes an answer down, in a transaction of its own."""


def want(session: Session, house: House, case: Case, kind: str, subject: str = "") -> None:
    """Record that an answer is wanted; handlers.lookups asks for it right after the commit."""
    session.add(Lookup(id=house.new_id(), case_id=case.id, kind=kind, subject=subject, turn=case.turn))
    session.flush()
    after_commit(session, house.work.set)


def want_ticket(session: Session, house: House, case: Case) -> None:
    """Have the case's ticket brought up to date, where its client has a service desk and something was approved.

    The MSP's own people have no ticket: its technicians would read there who leaves.
    """
    client = house.roster.client(case.client)
    if client is None or client.own or not house.desk_of(case.client):
        return
    query = select(Lookup).where(
        Lookup.case_id == case.id, Lookup.kind == MIRROR, col(Lookup.done).is_(False), col(Lookup.owner) == ""
    )
    meant = select(Plan.id).where(
        Plan.case_id == case.id, col(Plan.approved_at).is_not(None), col(Plan.dry_run).is_(False)
    )
    if session.exec(query).first() is None and session.exec(meant).first() is not None:
        want(session, house, case, MIRROR)


_PENDING = (
    select(Lookup.id)
    .where(Lookup.case_id == CASE, Lookup.kind == sa.bindparam("kind"), col(Lookup.done).is_(False))
    .limit(1)
)


def pending(session: Session, case_id: str, kind: str) -> bool:
    """Whether such an answer is still awaited."""
    return session.exec(_PENDING, params={"case": case_id, "kind": kind}).first() is not None


def leaver_of(case: Case) -> Account:
    """The account chosen in the client's directory."""
    return Account.model_validate(case.leaver)
