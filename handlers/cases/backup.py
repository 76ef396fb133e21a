"""A copy of the database as it is at one moment, taken while the service goes on."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from handlers.cases.cards import NEWS
from handlers.cases.history import Checked, check_database


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
    try:
        with (
            closing(sqlite3.connect(f"{live.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as source,
            closing(sqlite3.connect(file)) as copy,
        ):
            source.backup(copy)
            # What was decided after this moment stands in the chats, and not in the copy: whoever starts from it
            # draws every card anew.
            copy.execute("UPDATE card SET due = due + 1 WHERE dead = '' AND kind <> ?", (NEWS,))
            copy.commit()
        return check_database(f"sqlite:///{file}")
    except (sqlite3.Error, SQLAlchemyError) as error:
        file.unlink()
        raise NotCopied(f"{live} can't be copied ({type(error).__name__}): is it the service's database?") from None
