"""Brings a database up to the tables this version needs; the file is made when it is not there."""

from __future__ import annotations

import contextlib
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from handlers.cases.store import connect, use_wal

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(url: str, version: str = "head") -> None:
    """Make the database if need be, and run every migration it has not seen."""
    database = sa.make_url(url).database
    if url.startswith("sqlite") and database:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
        Path(database).touch(mode=0o600, exist_ok=True)
        with contextlib.suppress(OSError):  # not ours to change, then; whoever made it chose
            Path(database).chmod(0o600)
    engine = connect(url)
    use_wal(engine)
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # SQLite changes a table by making it anew, which no row that points to it must notice.
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.commit()
        command.upgrade(_config(connection), version)
        connection.commit()
    engine.dispose()


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
