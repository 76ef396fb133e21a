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
from time import monotonic
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.event import listen
from sqlmodel import Session

T = TypeVar("T")
CASE = sa.bindparam("case", type_=sa.String())
"""A case's id in statements written once: what every click asks takes as long to be put into words as to be run."""
_AFTER = "after_commit"
_READ = "read"
_URGENT, _PATIENT, _LAST = range(3)
_TOGETHER = 0.3
"""Seconds in which what a crowd presses shares a commit: the first of them waits for the last."""
_Calls = list[Callable[[], None]]
_Answer = tuple[Any, _Calls] | Exception


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
    shares: bool = field(compare=False)
    work: Callable[[Session], object] | None = field(compare=False)
    done: Future[tuple[Any, _Calls]] = field(compare=False, default_factory=Future[Any])


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

    async def write(self, work: Callable[[Session], T], *, urgent: bool = False, shares: bool = False) -> T:
        """Run `work` in one transaction; what it returns is returned once committed.

        Urgent: somebody is waiting for the answer, so it goes before what nobody watches. Shares: with a crowd it
        may share the commit of others that do, and be undone with them should the database fail: for what can be
        asked again, and makes all its rows within `work`.
        """
        turn = _Turn(_URGENT if urgent else _PATIENT, next(self._order), shares, work)
        self._waiting.put(turn)
        result, calls = cast("tuple[T, _Calls]", await asyncio.wrap_future(turn.done))
        for call in calls:
            call()
        return result

    def _write_in_turn(self) -> None:
        while (first := self._waiting.get()).work is not None:
            if not first.done.set_running_or_notify_cancel():
                continue
            turns = [first]
            try:
                answers = self._write(turns)
            except BaseException as error:  # noqa: BLE001 - handed to whoever awaits it
                # It came of the last one, or of the commit: what it says may be that one's alone.
                turns.pop().done.set_exception(error)
                for turn in turns:
                    turn.done.set_exception(_ended(error))
            else:
                for turn, answer in zip(turns, answers, strict=True):
                    if isinstance(answer, Exception):
                        turn.done.set_exception(answer)
                    else:
                        turn.done.set_result(answer)

    def _write(self, turns: list[_Turn]) -> list[_Answer]:
        """That transaction and those that share its commit, which are added to `turns`; see `_run`.

        Raises when nothing of all this is committed.
        """
        until = monotonic() + _TOGETHER
        with self.engine.connect() as connection, connection.begin():
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            answers = [_run(connection, turns[0])]
            while turns[0].shares and monotonic() < until and (turn := self._next_sharing()):
                turns.append(turn)
                answers.append(_run(connection, turn))
        return answers

    def _next_sharing(self) -> _Turn | None:
        """Another transaction that waits already and may share a commit."""
        while True:
            try:
                turn = self._waiting.get_nowait()
            except queue.Empty:
                return None
            if not turn.shares:
                self._waiting.put(turn)
                return None
            if turn.done.set_running_or_notify_cancel():
                return turn

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
        self._waiting.put(_Turn(_LAST, next(self._order), shares=False, work=None))
        self._writer.join()
        self._readers.shutdown()
        self.engine.dispose()


def _run(connection: sa.Connection, turn: _Turn) -> _Answer:
    """One of them, undone for itself when it raises. Raises when the whole transaction has ended with it."""
    work = cast("Callable[[Session], object]", turn.work)
    answer: _Answer
    try:
        with (
            Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as session,
            session.begin(),
        ):
            result = work(session)
            session.flush()
            _must_go_on(session)
        answer = result, session.info.pop(_AFTER, [])
    except StopIteration as error:
        # No future takes one: whoever awaits it would wait for ever.
        answer = _ended(error)
    except Exception as error:  # noqa: BLE001 - handed to whoever awaits it
        answer = error
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection) and not raw.in_transaction:
        # When the disk is full, say, SQLite undoes everything by itself, and with it what others had written.
        raise answer if isinstance(answer, Exception) else _ended()
    return answer


def _must_go_on(session: Session) -> None:
    """Where a failed flush was swallowed on the way, nothing would be committed, and nobody told."""
    if not session.is_active:
        raise _ended()


def _ended(cause: BaseException | None = None) -> RuntimeError:
    error = RuntimeError("the transaction ended before its commit")
    error.__cause__ = cause
    return error


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
