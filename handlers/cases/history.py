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
    connection = session.connection()
    previous = connection.execute(_LAST).scalar() or ""
    salt, detail = secrets.token_hex(16), detail or {}
    content = _content(salt, case_id, at, person, identity, what, detail)
    row = {
        "case_id": case_id, "at": at, "person": person, "identity": identity, "what": what, "detail": detail,
        "salt": salt, "content": content, "previous": previous, "hash": _hash(previous, content),
    }  # fmt: skip
    connection.execute(_APPEND, row)


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
        said = _content(row.salt, row.case_id, row.at, row.person, row.identity, row.what, row.detail)
        if row.previous != previous or row.content != said or row.hash != _hash(previous, said):
            return Checked(entries, previous, row.seq, seen)
        previous, entries = row.hash, entries + 1
        seen = seen or row.hash == expected
    return Checked(entries, previous, None, seen)


def _content(
    salt: str, case_id: str, at: datetime, person: str, identity: str, what: str, detail: dict[str, JsonValue]
) -> str:
    content = [case_id, at.isoformat(), person, identity, what, detail]
    return hashlib.sha256((salt + json.dumps(content, sort_keys=True)).encode()).hexdigest()


def _hash(previous: str, content: str) -> str:
    return hashlib.sha256(f"{previous}:{content}".encode()).hexdigest()
