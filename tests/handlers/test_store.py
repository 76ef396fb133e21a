"""The database: made at first run, as the tables say, with transactions that commit before anybody is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
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
