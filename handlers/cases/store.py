"""One writer thread and a few readers over one database: short synchronous transactions, awaited.

On SQLite a single writer is the fast way as well as the safe one: transactions queue here
instead of fighting for the file's lock.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.event import listen
from sqlmodel import Session

T = TypeVar("T")
_AFTER = "after_commit"


def after_commit(session: Session, call: Callable[[], None]) -> None:
    """Have `call` run on the event loop once this transaction is committed; never if it is not."""
    session.info.setdefault(_AFTER, []).append(call)


class Store:
    """The database. `write` and `read` take a function of a session and run it in a thread."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = connect(url)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store-reader")

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in one transaction; what it returns is returned once committed."""
        loop = asyncio.get_running_loop()
        result, calls = await loop.run_in_executor(self._writer, self._write, work)
        for call in calls:
            call()
        return result

    def _write(self, work: Callable[[Session], T]) -> tuple[T, list[Callable[[], None]]]:
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            if self.engine.dialect.name == "sqlite":
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            result = work(session)
        return result, session.info.pop(_AFTER, [])

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` on a session that is rolled back afterwards."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Callable[[Session], T]) -> T:
        with Session(self.engine, expire_on_commit=False) as session:
            if self.engine.dialect.name == "sqlite":
                session.connection().exec_driver_sql("BEGIN")
            return work(session)

    def close(self) -> None:
        """Finish what is queued and let go of the file."""
        self._writer.shutdown()
        self._readers.shutdown()
        self.engine.dispose()


def connect(url: str) -> sa.Engine:
    """An engine for that URL; SQLite gets WAL, a long busy timeout, and transactions that are ours to begin."""
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":

        def pragmas(connection: sqlite3.Connection, _record: object) -> None:
            # None hands BEGIN to us: the driver's own habit starts a transaction only at the
            # first write, which lets two transactions read the same state and both act on it.
            connection.isolation_level = None
            cursor = connection.cursor()
            for pragma in ("busy_timeout=30000", "foreign_keys=ON", "synchronous=FULL"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        listen(engine, "connect", pragmas)
    return engine


def use_wal(engine: sa.Engine) -> None:
    """Let readers and the queue's own writes go on beside ours. Set once, before anything else connects."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
