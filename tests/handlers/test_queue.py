"""The real durable engine on a real file: attempts begin at once, the net catches what a dead process left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from handlers.cases.migrate import upgrade
from handlers.cases.store import Store
from handlers.plan import queue as queues
from handlers.plan.queue import DbosQueue, Unusable, check_sqlite


@pytest.fixture
async def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'offboard.db'}"
    upgrade(url)
    return url


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = Store(url)
    yield store
    store.close()


class Attempts:
    """Remembers which attempts were carried out."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []
        self.event = asyncio.Event()

    async def carry_out(self, step_id: str, number: int) -> None:
        self.done.append((step_id, number))
        self.event.set()


async def test_an_attempt_without_delay_begins_right_after_the_commit(url: str, store: Store) -> None:
    attempts, queue = Attempts(), DbosQueue(url, asyncio.sleep)
    await queue.recover(attempts.carry_out)
    await store.write(lambda session: queue.enqueue(session, "step-1", 1, 0))
    await asyncio.wait_for(attempts.event.wait(), 0.4)
    await queue.close()
    assert attempts.done == [("step-1", 1)]


async def test_a_transaction_that_fails_enqueues_nothing(url: str, store: Store) -> None:
    attempts, queue = Attempts(), DbosQueue(url, asyncio.sleep)
    await queue.recover(attempts.carry_out)

    def fail(session: object) -> None:
        queue.enqueue(session, "step-1", 1, 0)  # type: ignore[arg-type]
        raise ValueError("the commit did not happen")

    with pytest.raises(ValueError, match="did not happen"):
        await store.write(fail)
    await asyncio.sleep(0.1)
    await queue.close()
    assert attempts.done == []


async def test_what_a_dead_process_left_is_carried_out_by_the_next_one(
    url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "SAFETY_NET", 0.2)
    first = DbosQueue(url, asyncio.sleep)

    async def dies(step_id: str, number: int) -> None:
        await asyncio.sleep(3600)

    await first.recover(dies)
    await store.write(lambda session: first.enqueue(session, "step-1", 1, 0))
    await first.close()

    attempts, second = Attempts(), DbosQueue(url, asyncio.sleep)
    await second.recover(attempts.carry_out)
    await asyncio.wait_for(attempts.event.wait(), 10)
    await second.close()
    assert ("step-1", 1) in attempts.done


async def test_two_processes_never_share_one_file(url: str) -> None:
    attempts = Attempts()
    first, second = DbosQueue(url, asyncio.sleep), DbosQueue(url, asyncio.sleep)
    await first.recover(attempts.carry_out)
    with pytest.raises(Unusable, match="in use by another offboard process"):
        await second.recover(attempts.carry_out)
    await first.close()


def test_a_sqlite_too_old_for_this_python_is_said_in_one_sentence() -> None:
    with pytest.raises(Unusable, match=r"needs SQLite 3\.42 or newer, and this Python has 3\.40\.1"):
        check_sqlite("sqlite:///offboard.db", (3, 12), (3, 40, 1))
    check_sqlite("sqlite:///offboard.db", (3, 11), (3, 40, 1))
    check_sqlite("sqlite:///offboard.db", (3, 13), (3, 45, 0))
    check_sqlite("postgresql://host/offboard", (3, 12), (3, 40, 1))
