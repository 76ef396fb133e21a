"""One writer thread and a few readers over one database: short synchronous transactions, awaited.

On SQLite a single writer is the fast way as well as the safe one: transactions queue here
instead of fighting for the file's lock.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import sqlite3
import threading
from collections.abc import Callable, Generator, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.event import listen
from sqlmodel import Session

T = TypeVar("T")
CASE = sa.bindparam("case", type_=sa.String())
"""A case's id in statements written once: what every click asks takes as long to be put into words as to be run."""
_AFTER = "after_commit"
_READ = "read"


def after_commit(session: Session, call: Callable[[], None]) -> None:
    """Have `call` run on the event loop once this transaction is committed; never if it is not."""
    session.info.setdefault(_AFTER, []).append(call)


@contextmanager
def reading_once(session: Session) -> Generator[None]:
    """Whatever is read `once` in here is read from the database once: nothing in here may change it.

    For drawings, which ask for the same rows from many sides and write nothing but their buttons.
    """
    session.flush()
    session.info[_READ] = {}
    try:
        with session.no_autoflush:
            yield
    finally:
        del session.info[_READ]


def once(session: Session, key: tuple[Hashable, ...], read: Callable[[], T]) -> T:
    """What `read` answers; while `reading_once`, what it answered the first time."""
    known = session.info.get(_READ)
    if known is None:
        return read()
    if key not in known:
        known[key] = read()
    return known[key]


@dataclass(frozen=True, order=True)
class _Turn:
    """A transaction waiting for the writer; without anything to do, it is the last one."""

    priority: int
    order: int
    do: Callable[[], None] | None = field(compare=False)


class Store:
    """The database. `write` and `read` take a function of a session and run it in a thread."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = connect(url)
        self._waiting: queue.PriorityQueue[_Turn] = queue.PriorityQueue()
        self._order = itertools.count()
        self._writer = threading.Thread(target=self._write_in_turn, name="store-writer", daemon=True)
        self._writer.start()
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store-reader")

    async def write(self, work: Callable[[Session], T], *, urgent: bool = False) -> T:
        """Run `work` in one transaction; what it returns is returned once committed.

        Urgent: somebody is waiting for the answer, so it goes before what nobody watches.
        """
        done: Future[tuple[T, list[Callable[[], None]]]] = Future()

        def turn() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                done.set_result(self._write(work))
            except BaseException as error:  # noqa: BLE001 - handed to whoever awaits it
                done.set_exception(error)

        self._waiting.put(_Turn(0 if urgent else 1, next(self._order), turn))
        result, calls = await asyncio.wrap_future(done)
        for call in calls:
            call()
        return result

    def _write_in_turn(self) -> None:
        while (turn := self._waiting.get().do) is not None:
            turn()

    def _write(self, work: Callable[[Session], T]) -> tuple[T, list[Callable[[], None]]]:
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            if self.engine.dialect.name == "sqlite":
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            result = work(session)
            session.flush()
            if not _still_open(session):
                # An error of the database's was swallowed on the way: nothing would be committed, and nobody told.
                raise RuntimeError("the transaction ended before its commit")
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
        self._waiting.put(_Turn(2, next(self._order), None))
        self._writer.join()
        self._readers.shutdown()
        self.engine.dispose()


def _still_open(session: Session) -> bool:
    """Whether there is anything left to commit."""
    if not session.is_active:
        return False
    raw = session.connection().connection.driver_connection
    return not isinstance(raw, sqlite3.Connection) or raw.in_transaction


def connect(url: str | sa.URL) -> sa.Engine:
    """An engine for that URL; SQLite gets WAL, a long busy timeout, and transactions that are ours to begin."""
    engine = sa.create_engine(url, hide_parameters=True)
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
