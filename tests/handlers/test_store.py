"""The database: made at first run, as the tables say, with transactions that commit before anybody is told."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.event import listen
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlmodel import Session, SQLModel, select

from handlers.cases import tables
from handlers.cases.migrate import upgrade
from handlers.cases.store import Store, after_commit, connect
from handlers.cases.tables import Heard
from tests.world import World

NOW = "2026-11-23 17:00:00"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path / 'deep' / 'offboard.db'}"
    upgrade(url)
    store = Store(url)
    yield store
    store.close()


async def test_the_migrations_make_exactly_the_tables(store: Store) -> None:
    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in SQLModel.metadata.tables

    def difference(session: Session) -> int:
        context = MigrationContext.configure(session.connection(), opts={"include_name": ours})
        return len(compare_metadata(context, SQLModel.metadata))

    assert await store.read(difference) == 0


def test_the_file_is_for_its_owner_alone_and_upgrading_twice_does_nothing(store: Store) -> None:
    upgrade(store.url)
    mode = Path(str(store.engine.url.database)).stat().st_mode
    assert mode & 0o077 == 0


async def test_nobody_is_told_before_the_commit_nor_without_one(store: Store) -> None:
    told: list[str] = []

    def fails(session: Session) -> None:
        after_commit(session, lambda: told.append("failed"))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.write(fails)
    await store.write(lambda session: after_commit(session, lambda: told.append("committed")))
    assert told == ["committed"]


async def test_a_time_comes_back_aware_and_in_utc(store: Store) -> None:
    at = datetime(2026, 11, 23, 18, 0, tzinfo=timezone(timedelta(hours=1)))
    await store.write(lambda session: session.add(tables.Heard(key="k", at=at)))
    row = await store.read(lambda session: session.exec(select(tables.Heard)).one())
    assert row.at == at
    assert row.at.tzinfo is UTC


async def test_two_writers_never_decide_on_the_same_state(store: Store) -> None:
    """The lost update: both read nought, both write one."""

    def count(session: Session) -> None:
        row = session.get(tables.Heard, "n")
        seen = int(row.at.timestamp()) if row else 0
        session.merge(tables.Heard(key="n", at=datetime.fromtimestamp(seen + 1, UTC)))

    other = Store(store.url)
    await asyncio.gather(*(one.write(count) for one in (store, other) * 10))
    row = await store.read(lambda session: session.get_one(tables.Heard, "n"))
    other.close()
    assert int(row.at.timestamp()) == 20


def test_a_database_of_the_first_version_keeps_its_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    upgrade(url, "0001")
    rows = {
        "case": {"id": "c", "number": 1, "client": "", "requester": "", "started_by": "m", "identity": "s/t/u"}
        | {"contact": "", "verified": "", "verified_note": "", "query": "Jane", "leaver": "{}", "candidates": "{}"}
        | {"stage": "ask", "draft": "{}", "turn": 0, "created_at": NOW, "touched_at": NOW, "closed": ""},
        "plan": {"id": "p", "case_id": "c", "kind": "lock-out", "state": "running", "digest": "", "approvers": 1}
        | {"cautions": "{}", "decided_by": "", "reason": "", "immediate": False},
        "step": {"id": "s", "plan_id": "p", "case_id": "c", "system": "toy", "step": "toy.a", "title": "A", "wave": 1}
        | {"place": 0, "irreversible": "", "state": "ready", "attempt": 1, "troubles": 0, "owner": "", "reason": ""}
        | {"instructions": "", "person": "", "by_hand": "", "evidence": ""},
        "item": {"id": "i", "step_id": "s", "key": "k", "title": "K", "destroys": False, "added": False}
        | {"before": "{}", "reference": "", "evidence": "", "failure": "", "undone": ""},
    }
    with connect(url).begin() as connection:
        for table, row in rows.items():
            names = ", ".join(row)
            marks = ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f'INSERT INTO "{table}" ({names}) VALUES ({marks})'), row)  # noqa: S608
    upgrade(url)
    with Session(connect(url)) as session:
        assert session.exec(select(tables.ItemRow)).one().step_id == "s"
        assert session.exec(select(tables.StepRow)).one().subject == ""
        assert session.exec(sa.text("PRAGMA foreign_key_check")).all() == []  # type: ignore[call-overload]


async def test_a_refusal_of_the_database_that_is_swallowed_on_the_way_is_not_called_committed(world: World) -> None:
    def swallows(session: Session) -> str:
        session.add(Heard(key="kept", at=world.clock.now()))
        session.flush()
        with contextlib.suppress(IntegrityError):
            session.add(Heard(key="kept", at=world.clock.now()))
            session.flush()
        return "done"

    def rolls_back(session: Session) -> str:
        session.add(Heard(key="kept", at=world.clock.now()))
        session.flush()
        # What SQLite does by itself when the disk is full.
        session.connection().connection.rollback()
        return "done"

    for work in (swallows, rolls_back):
        with pytest.raises((RuntimeError, SQLAlchemyError)):
            await world.house.store.write(work)
        assert await world.house.store.read(lambda session: session.get(Heard, "kept")) is None


class Crowd:
    """Transactions that come while the writer is busy, and how often it commits for them."""

    def __init__(self, store: Store) -> None:
        self.store, self.commits = store, 0
        self._free = threading.Event()
        listen(store.engine, "commit", self._count)

    def _count(self, _connection: object) -> None:
        self.commits += 1

    async def write(self, *works: Callable[[Session], object], shares: bool = True) -> list[object]:
        """What each of them is answered, or raises."""
        busy = asyncio.create_task(self.store.write(lambda _session: self._free.wait(10)))
        await asyncio.sleep(0.05)
        waiting = [asyncio.create_task(self.store.write(work, urgent=True, shares=shares)) for work in works]
        await asyncio.sleep(0.05)
        self._free.set()
        await busy
        self.commits -= 1
        return list(await asyncio.gather(*waiting, return_exceptions=True))


def hears(key: str) -> Callable[[Session], str]:
    """A transaction that writes that key down, and fails where it is there already."""

    def work(session: Session) -> str:
        session.add(Heard(key=key, at=datetime(2026, 11, 23, tzinfo=UTC)))
        return key

    return work


async def heard(store: Store) -> set[str]:
    """Every key that was committed."""
    return await store.read(lambda session: {row.key for row in session.exec(select(Heard))})


async def test_what_a_crowd_presses_at_once_shares_a_commit_and_nobody_is_told_before_it(store: Store) -> None:
    crowd, told_at = Crowd(store), list[int]()

    def work(session: Session) -> int:
        after_commit(session, lambda: told_at.append(crowd.commits))
        hears(f"key {len(session.exec(select(Heard)).all())}")(session)
        return len(session.exec(select(Heard)).all())

    # Each sees what those before it did, as if they had been alone.
    assert await crowd.write(*[work] * 10) == list(range(1, 11))
    assert crowd.commits == 1
    assert len(told_at) == 10
    assert min(told_at) >= 1
    assert len(await heard(store)) == 10


async def test_what_the_engine_writes_down_about_a_vendor_shares_no_commit(store: Store) -> None:
    crowd = Crowd(store)
    assert await crowd.write(hears("a"), hears("b"), shares=False) == ["a", "b"]
    assert crowd.commits == 2


async def test_one_that_fails_undoes_itself_and_nobody_else_of_the_crowd(store: Store) -> None:
    def fails(session: Session) -> None:
        after_commit(session, lambda: pytest.fail("it was not committed"))
        hears("of the one that failed")(session)
        session.flush()
        raise ValueError("no")

    def swallows(session: Session) -> None:
        hears("of the one that swallowed")(session)
        session.flush()
        with contextlib.suppress(IntegrityError):
            hears("a")(session)
            session.flush()

    first, failed, twice, swallowed, last = await Crowd(store).write(
        hears("a"), fails, hears("a"), swallows, hears("b")
    )
    assert (first, last) == ("a", "b")
    assert isinstance(failed, ValueError)
    assert isinstance(twice, IntegrityError)
    assert isinstance(swallowed, RuntimeError | SQLAlchemyError)
    assert await heard(store) == {"a", "b"}


async def test_when_the_disk_is_full_everybody_is_told_each_in_their_own_words_and_can_try_again(store: Store) -> None:
    def too_much(session: Session) -> None:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
        session.connection().exec_driver_sql(f"PRAGMA max_page_count={pages + 10}")
        hears("of somebody whose secret is " + "x" * 1_000_000)(session)

    def more_room(session: Session) -> None:
        session.connection().exec_driver_sql("PRAGMA max_page_count=1000000")

    before, culprit, *_ = await Crowd(store).write(hears("a"), too_much, hears("b"))
    assert isinstance(before, RuntimeError)
    assert "secret" not in str(before)
    assert before is not culprit
    assert isinstance(culprit, SQLAlchemyError)
    assert await heard(store) <= {"b"}
    await store.write(more_room)
    assert await store.write(hears("a"), urgent=True, shares=True) == "a"


async def test_no_way_to_fail_leaves_anybody_waiting(store: Store) -> None:
    def stops(_session: Session) -> None:
        next(iter(()))

    def is_killed(_session: Session) -> None:
        raise asyncio.CancelledError

    async with asyncio.timeout(10):
        stopped, fine = await Crowd(store).write(stops, hears("a"))
        told, killed = await Crowd(store).write(hears("b"), is_killed)
    assert isinstance(stopped, RuntimeError)
    assert fine == "a"
    assert isinstance(told, RuntimeError)
    assert isinstance(killed, asyncio.CancelledError)
    assert await heard(store) == {"a"}


async def test_whoever_does_not_wait_any_more_is_passed_over(store: Store) -> None:
    free = threading.Event()
    busy = asyncio.create_task(store.write(lambda _session: free.wait(10)))
    await asyncio.sleep(0.05)
    gone, stays = (asyncio.create_task(store.write(hears(key), urgent=True, shares=True)) for key in ("gone", "stays"))
    await asyncio.sleep(0.05)
    gone.cancel()
    await asyncio.sleep(0.05)
    free.set()
    await asyncio.gather(busy, stays)
    assert await heard(store) == {"stays"}


async def test_a_database_that_can_t_be_opened_is_said_and_not_waited_for(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'nowhere' / 'offboard.db'}")
    async with asyncio.timeout(10):
        for shares in (True, False):
            with pytest.raises(SQLAlchemyError):
                await store.write(hears("a"), urgent=True, shares=shares)
    store.close()
