"""A copy of the database as it is at one moment, taken while the service goes on."""

from __future__ import annotations

import os
import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select, update

from handlers.cases import due
from handlers.cases.cards import NEWS
from handlers.cases.history import Checked, check_database
from handlers.cases.states import HELD
from handlers.cases.store import connect
from handlers.cases.tables import CardRow, Due, Plan
from handlers.cut_off import void_approval
from handlers.house import Timings


class NotCopied(Exception):
    """No copy was made: one sentence that says why and what to do."""


def back_up(url: str, file: Path) -> Checked:
    """Copy cases, history and queue into a new file that only its owner reads, and go through the copy's history.

    SQLite's own online backup: one moment, whatever is written meanwhile (sqlite.org/backup.html). Raises NotCopied.
    """
    made_from = sa.make_url(url)
    live = Path(made_from.database or "")
    if made_from.get_backend_name() != "sqlite":
        raise NotCopied(f"{made_from.get_backend_name()} has tools of its own for that: use them.")
    if not live.is_file():
        raise NotCopied(f"There is no database {live}: look at OFFBOARD_DATABASE, and where this was started.")
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise NotCopied(f"{file} is there already, and no copy is ever written over: name another file.") from None
    except OSError as error:
        raise NotCopied(f"{file} can't be written ({error.strerror}): name another file.") from None
    copied = sa.URL.create("sqlite", database=str(file))
    try:
        with (
            closing(sqlite3.connect(f"{live.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as source,
            closing(sqlite3.connect(file)) as copy,
        ):
            source.backup(copy)
        _ask_again(copied)
        return check_database(copied)
    except (sqlite3.Error, SQLAlchemyError) as error:
        file.unlink()
        raise NotCopied(f"{live} can't be copied ({type(error).__name__}): is it the service's database?") from None


def _ask_again(copied: sa.URL) -> None:
    """What was decided after this moment stands in the chats and not in the copy: whoever starts from it asks anew.

    A lock-out that is held may have been called off since, so its approval does not count, and technicians are told so
    at once. Every card is drawn anew.
    """
    engine, now = connect(copied), datetime.now(UTC)
    try:
        with Session(engine) as session, session.begin():
            session.connection().exec_driver_sql("BEGIN")
            for plan in session.exec(select(Plan).where(col(Plan.state).in_(HELD))):
                void_approval(session, now, plan, why="a copy of the database was made of it")
                for kind, wait in ((due.REMIND, timedelta(0)), (due.PAGE, Timings().page)):
                    at = now + wait
                    session.add(Due(id=str(uuid.uuid4()), case_id=plan.case_id, kind=kind, subject=plan.id, at=at))
            shown = (col(CardRow.dead) == "", col(CardRow.kind) != NEWS)
            session.exec(update(CardRow).where(*shown).values(due=col(CardRow.due) + 1))
    finally:
        engine.dispose()
