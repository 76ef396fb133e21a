"""Writes the history: who, when, what, from which platform identity, each row chained to the one before."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime

from pydantic import JsonValue
from sqlmodel import Session, col, select

from handlers.cases.tables import HistoryRow

BOT = "bot"
"""The person of what nobody pressed: the engine, a clock."""


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
    last = session.exec(select(HistoryRow.hash).order_by(col(HistoryRow.seq).desc()).limit(1)).first()
    previous = last or ""
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
    session.add(row)
    session.flush()


def broken_at(session: Session) -> int | None:
    """The first row whose chain or content does not hold, or None when all of it does."""
    previous = ""
    for row in session.exec(select(HistoryRow).order_by(col(HistoryRow.seq))):
        if row.previous != previous or row.content != _content(row) or row.hash != _hash(row):
            return row.seq
        previous = row.hash
    return None


def _content(row: HistoryRow) -> str:
    content = [row.case_id, row.at.isoformat(), row.person, row.identity, row.what, row.detail]
    return hashlib.sha256((row.salt + json.dumps(content, sort_keys=True)).encode()).hexdigest()


def _hash(row: HistoryRow) -> str:
    return hashlib.sha256(f"{row.previous}:{row.content}".encode()).hexdigest()
