"""A copy of the database is whole, private and never written over; a service that starts from one goes on."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handlers.backup import NotCopied, back_up
from handlers.cases.history import check_database, checked
from tests.journeys import chooses, locks_out, submits
from tests.toy import Toy, ToyWorld
from tests.world import World, roster

ROOT = Path(__file__).parents[2]


async def test_a_copy_taken_while_the_service_writes_holds_one_moment(world: World, tmp_path: Path) -> None:
    await submits(world)
    file = tmp_path / "copy.db"
    copied, _ = await asyncio.gather(
        asyncio.to_thread(back_up, world.house.store.url, file), world.clicks("sam", "Approve")
    )
    assert copied.broken_at is None
    assert 0 < copied.entries <= len(await world.history())
    assert check_database(f"sqlite:///{file}").last == copied.last
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_what_was_waiting_in_the_copy_goes_on_from_it(world: World, toys: ToyWorld, tmp_path: Path) -> None:
    await submits(world)
    back_up(world.house.store.url, tmp_path / "copy.db")
    await world.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open
    done = list(toys.effects)
    restored = await World.build(tmp_path, (Toy(toys),), roster(), name="copy.db")
    restored.chat.shown = world.chat.shown
    await restored.restart()
    await restored.clicks("sam", "Approve")
    # What the world did since the copy is found done, and not done again.
    assert toys.effects == done
    assert all(state == "done" for state in {str(step.state) for step in await restored.rows()})
    await restored.close()


async def test_nothing_is_written_over(world: World, tmp_path: Path) -> None:
    await locks_out(world)
    file = tmp_path / "copy.db"
    file.write_text("last week's")
    with pytest.raises(NotCopied, match="is there already"):
        back_up(world.house.store.url, file)
    assert file.read_text() == "last week's"


@pytest.mark.parametrize(
    ("name", "says"),
    [("nothing.db", "There is no database"), ("text.db", "can't be copied"), ("empty.db", "can't be copied")],
)
def test_what_is_no_database_of_ours_leaves_no_copy_behind(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "text.db").write_text("not a database at all, but long enough to be looked at" * 40)
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE other (a)").connection.close()
    with pytest.raises(NotCopied, match=says):
        back_up(f"sqlite:///{tmp_path / name}", tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_place_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "live.db").touch()
    with pytest.raises(NotCopied, match="can't be written"):
        back_up(f"sqlite:///{tmp_path / 'live.db'}", tmp_path / "nowhere" / "copy.db")


async def test_the_command_says_where_and_what(world: World, tmp_path: Path) -> None:
    await locks_out(world)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFBOARD_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "db", "backup", str(tmp_path / "copy.db")),
        cwd=ROOT, env={**kept, "OFFBOARD_DATABASE": world.house.store.url}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert f"{len(await world.history())} entries of history" in out.decode()


async def test_a_copy_may_be_called_anything(world: World, tmp_path: Path) -> None:
    await locks_out(world)
    for name in ("a?b.db", "a#b.db", "50%25.db"):
        assert back_up(world.house.store.url, tmp_path / name).broken_at is None
        assert (tmp_path / name).stat().st_size > 0
    assert not (tmp_path / "a").exists()


async def test_a_lock_out_that_was_held_in_the_copy_is_approved_anew(
    world: World, toys: ToyWorld, tmp_path: Path
) -> None:
    await chooses(world)
    for label in ("Dismissed", "No, on good terms", "When I say go", "Submit"):
        await world.clicks("maria", label)
    await world.clicks("sam", "Approve")
    back_up(world.house.store.url, tmp_path / "copy.db")
    await world.clicks("maria", "Cancel the case")
    restored = await World.build(tmp_path, (Toy(toys),), roster(), name="copy.db")
    restored.chat.shown = world.chat.shown
    restored.clock.time = datetime.now(UTC) + timedelta(minutes=11)
    await restored.restart()
    assert toys.named("Jane Doe").open
    assert [plan.state for plan in await restored.plans()] == ["awaiting approval"]
    assert "A lock-out waits for approval." in restored.news("sam")
    assert restored.pages, "the person on call learns it as well"
    assert (await restored.house.store.read(checked)).broken_at is None
    await restored.close()
