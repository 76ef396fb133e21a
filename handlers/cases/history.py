"""Writes the history: who, when, what, from which platform identity, each row chained to the one before."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from pydantic import JsonValue
from sqlmodel import Session, SQLModel, col, select

from handlers.cases.store import connect
from handlers.cases.tables import HistoryRow

BOT = "bot"
"""The person of what nobody pressed: the engine, a clock."""


# Of the table, not of its rows: what else this transaction has not written yet can wait for its commit.
_TABLE = SQLModel.metadata.tables["history"]
_LAST = sa.select(_TABLE.c.hash).order_by(_TABLE.c.seq.desc()).limit(1)
_APPEND = sa.insert(_TABLE)


def record(
    session: Session,
    at: datetime,
    what: str,
    *,
    case_id: str = "",
    person: str = BOT,
    identity: str = "",
    detail: dict[str, JsonValue] | None = None,
) -> None:
    """Append one row to the chain, in the caller's transaction. `detail` must hold no secret."""
    previous = session.connection().execute(_LAST).scalar() or ""
    row = HistoryRow(
        case_id=case_id,
        at=at,
        person=person,
        identity=identity,
        what=what,
        detail=detail or {},
        salt=secrets.token_hex(16),
        content="",
        previous=previous,
        hash="",
    )
    row.content = _content(row)
    row.hash = _hash(row)
    session.connection().execute(_APPEND, row.model_dump(exclude={"seq"}))


@dataclass(frozen=True)
class Checked:
    """What a look at the whole chain found."""

    entries: int
    last: str
    """Hash of the last row. Kept outside the database, it shows later whether the end was cut off."""
    broken_at: int | None
    """The first row whose chain or content does not hold."""
    has_expected: bool
    """Whether the hash that was kept from an earlier look is still in the chain."""


def check_database(url: str | sa.URL, expected: str = "") -> Checked:
    """The same for a database that no service needs to be running on."""
    engine = connect(url)
    try:
        with Session(engine) as session:
            return checked(session, expected)
    finally:
        engine.dispose()


def checked(session: Session, expected: str = "") -> Checked:
    """Go through the whole chain, and look for a hash that was its end once."""
    previous, entries, seen = "", 0, not expected
    for row in session.exec(select(HistoryRow).order_by(col(HistoryRow.seq)).execution_options(yield_per=1000)):
        if row.previous != previous or row.content != _content(row) or row.hash != _hash(row):
            return Checked(entries, previous, row.seq, seen)
        previous, entries = row.hash, entries + 1
        seen = seen or row.hash == expected
    return Checked(entries, previous, None, seen)


def _content(row: HistoryRow) -> str:
    content = [row.case_id, row.at.isoformat(), row.person, row.identity, row.what, row.detail]
    return hashlib.sha256((row.salt + json.dumps(content, sort_keys=True)).encode()).hexdigest()


def _hash(row: HistoryRow) -> str:
    return hashlib.sha256(f"{row.previous}:{row.content}".encode()).hexdigest()
