"""The durable engine behind a port of four verbs: enqueue with delay, cancel, recover, every.

The plan is rows; the queue only makes sure that somebody looks at them. Here alone is DBOS known.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

import sqlalchemy as sa
from sqlmodel import Session

from handlers.cases.store import after_commit
from handlers.plan.retry import SAFETY_NET

if TYPE_CHECKING:
    from dbos import DBOSClient, EnqueueOptions

log = logging.getLogger("offboard.queue")

Attempt = Callable[[str, int], Coroutine[None, None, None]]
"""Carry out attempt n of a step."""

_QUEUE = "steps"
_KEEP_FINISHED = timedelta(days=2)


class Unusable(Exception):
    """The queue can't run on this database here; the message says what to do."""


class Queue(Protocol):
    """Where attempts wait for their time."""

    def enqueue(self, session: Session, step_id: str, attempt: int, delay: float) -> None:
        """Have that attempt carried out after so many seconds, if the caller's transaction commits.

        With no delay it begins in this process right after the commit; the queue is the net below.
        """
        ...

    def cancel(self, session: Session, step_id: str, attempt: int) -> None:
        """Forget an attempt that has not begun."""
        ...

    async def recover(self, attempt: Attempt) -> None:
        """Begin: whatever an earlier process left is carried out too."""
        ...

    def every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` again and again while the queue runs."""
        ...

    async def close(self) -> None:
        """Stop; what waits stays in the database."""
        ...


class Tasks:
    """What runs in this process on a queue's behalf: attempts begun at once, and things done again and again."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._sleep = sleep
        self._running: set[asyncio.Task[None]] = set()
        self._repeating: list[asyncio.Task[None]] = []

    def begin(self, work: Coroutine[None, None, None]) -> None:
        """Run it now, beside everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an attempt ended in a surprise; the sweep takes its row over", exc_info=error)

    def every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Start doing `work` every so many seconds; one failure does not end it."""
        self._repeating.append(asyncio.get_running_loop().create_task(self._repeat(seconds, work)))

    async def _repeat(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._sleep(seconds)
            try:
                await work()
            except Exception:
                log.exception("repeated work failed; it is tried again in %s s", seconds)

    async def settled(self) -> None:
        """Wait until no attempt runs here."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    async def close(self) -> None:
        """Stop all of it."""
        tasks = [*self._running, *self._repeating]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._repeating.clear()


class DbosQueue:
    """DBOS Transact on the same database as our rows; one short workflow per step attempt.

    Facts it is built on (measured with dbos 3.4.0): the default application version hashes the
    code and strands waiting work after any edit, so it is a constant; a hundred restarts would
    park a workflow, so recovery attempts are unlimited; the default serializer is pickle, so
    only ids go in, as JSON; two processes under one executor id re-run each other's work, so a
    lock file guards it on SQLite.
    """

    def __init__(self, url: str, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._url = url
        self._tasks = Tasks(sleep)
        self._attempt: Attempt | None = None
        self._client: DBOSClient | None = None
        self._lock: TextIO | None = None

    def enqueue(self, session: Session, step_id: str, attempt: int, delay: float) -> None:
        """One workflow, in the caller's transaction; its id makes a second enqueue do nothing."""
        begin = self._attempt
        if self._client is None or begin is None:
            raise RuntimeError("the queue is not running yet; call recover() first")
        options: EnqueueOptions = {
            "workflow_name": "attempt",
            "queue_name": _QUEUE,
            "workflow_id": f"{step_id}:{attempt}",
        }
        options["delay_seconds"] = delay or SAFETY_NET
        self._client.enqueue_in_transaction(session, options, step_id, attempt)
        if not delay:
            after_commit(session, lambda: self._tasks.begin(begin(step_id, attempt)))

    def cancel(self, session: Session, step_id: str, attempt: int) -> None:
        """Nothing to do: an attempt whose row has moved on finds that out and stops."""

    def hold(self) -> None:
        """Keep every other process off the SQLite file, before anything is written to it. Raises Unusable."""
        check_sqlite(self._url, sys.version_info[:2], sqlite3.sqlite_version_info)
        if self._lock is None:
            self._take_lock()

    def release(self) -> None:
        """Give the file back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def recover(self, attempt: Attempt) -> None:
        """Launch DBOS. Raises Unusable when another process has the SQLite file, or SQLite is too old for it."""
        from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer

        self.hold()
        self._attempt = attempt
        DBOS(
            config={
                "name": "offboard",
                "system_database_url": self._url,
                "application_version": "1",
                "executor_id": "offboard",
                "serializer": DBOSPortableJSONSerializer(),
                "log_level": "ERROR",
            }
        )

        @DBOS.workflow(name="attempt", max_recovery_attempts=None)
        async def carry_out(step_id: str, number: int) -> None:
            await attempt(step_id, number)

        DBOS.launch()
        await DBOS.register_queue_async(_QUEUE, worker_concurrency=32, polling_interval_sec=0.5)
        self._client = DBOSClient(system_database_url=self._url, serializer=DBOSPortableJSONSerializer())
        self.every(3600, self._forget_finished)

    def every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` every so many seconds."""
        self._tasks.every(seconds, work)

    async def _forget_finished(self) -> None:
        from dbos import DBOS

        before = (datetime.now(UTC) - _KEEP_FINISHED).isoformat()
        finished = await DBOS.list_workflows_async(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before,
            limit=500,
            load_input=False,
            load_output=False,
        )
        if finished:
            await DBOS.delete_workflows_async([workflow.workflow_id for workflow in finished])

    async def close(self) -> None:
        """Stop DBOS and give the file back."""
        from dbos import DBOS

        await self._tasks.close()
        # It complains loudly about waiting work it can't start while stopping; the next start finds it.
        logging.getLogger("dbos").setLevel(logging.CRITICAL)
        if self._client is not None:
            self._client.destroy()
            self._client = None
        await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=0)
        self.release()

    def _take_lock(self) -> None:
        url = sa.make_url(self._url)
        if url.get_backend_name() != "sqlite" or not url.database:
            return
        path = Path(f"{url.database}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not "w": the number in it belongs to whoever holds the lock.
            self._lock = path.open("a")
        except OSError as error:
            raise Unusable(
                f"{url.database} can't be used ({error.strerror}: {error.filename}): make its folder writable, "
                "or name another file."
            ) from None
        with contextlib.suppress(OSError):
            path.chmod(0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.release()
            raise Unusable(
                f"{url.database} is in use by another offboard process: stop that one, or name another file."
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()


def check_sqlite(url: str, python: tuple[int, ...], sqlite: tuple[int, ...]) -> None:
    """Raises Unusable where DBOS 3.4 would fail at its first row: on Python 3.12 it asks SQLite for milliseconds."""
    if url.startswith("sqlite") and python >= (3, 12) and sqlite < (3, 42):
        have = ".".join(map(str, sqlite))
        raise Unusable(
            f"With Python 3.12 and newer the queue needs SQLite 3.42 or newer, and this Python has {have}: "
            "use Python 3.11, or a Python built with a newer SQLite."
        )
