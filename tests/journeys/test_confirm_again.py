"""After the lock-out everything is read back again: what came back re-opens the case and is ended again."""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.contract import Unreachable
from tests.journeys import locks_out, note_for
from tests.toy import ToyWorld
from tests.world import FakeClock, World


class MovingClock(FakeClock):
    """Shows another time whenever it is read, as a real one does."""

    def now(self) -> datetime:
        self.time += timedelta(microseconds=1)
        return self.time


async def test_everything_is_read_back_after_a_quarter_of_an_hour_and_after_an_hour(
    world: World, toys: ToyWorld
) -> None:
    await locks_out(world)
    await world.passes(minutes=16)
    assert "Checked again at 17:1" in world.reads("maria")
    await world.passes(minutes=50)
    assert "Checked again at 18:0" in world.reads("maria")
    assert [row.what for row in await world.history()].count("confirmed again") == 2
    assert toys.effects.count("close Jane Doe") == 1
    await world.passes(days=3)
    assert [row.what for row in await world.history()].count("confirmed again") == 2


async def test_what_has_just_been_read_back_is_not_read_again_at_once(world: World) -> None:
    world.house.clock = MovingClock()
    await locks_out(world)
    await world.settle()
    assert "is locked out since 17:00" in world.reads("maria")
    assert "confirmed again" not in {row.what for row in await world.history()}


async def test_what_came_back_re_opens_the_case_and_is_ended_again(world: World, toys: ToyWorld) -> None:
    await locks_out(world)
    toys.named("Jane Doe").open = True  # somebody turned it on again
    await world.passes(minutes=16)
    assert not toys.named("Jane Doe").open
    assert toys.effects.count("close Jane Doe") == 2
    for person in ("maria", "sam"):
        assert "Access had come back and is being ended again." in world.reads(person)
    assert "Jane Doe is locked out since 17:1" in world.reads("maria")
    assert {"came back", "confirmed again"} <= {row.what for row in await world.history()}
    before = [row.what for row in await world.history()].count("confirmed again")
    await world.passes(hours=2)
    assert [row.what for row in await world.history()].count("confirmed again") == before + 2


async def test_a_new_way_in_of_an_ended_kind_is_ended_too(world: World, toys: ToyWorld) -> None:
    await locks_out(world)
    toys.named("Jane Doe").later_doors.append("roof hatch")
    await world.passes(minutes=16)
    assert toys.named("Jane Doe").later_doors == []
    assert "Found after the approval and ended too: roof hatch." in world.reads("sam")


async def test_while_it_is_open_again_the_headline_is_not_green(world: World, toys: ToyWorld) -> None:
    await locks_out(world)
    toys.named("Jane Doe").open = True
    toys.faults["close"] = [Unreachable("Toy", "close", "no answer")] * 50
    await world.passes(minutes=16)
    assert "Not fully locked out: 1 of 2" in world.card("maria", "Case 1: Jane").card.sections[0].body[0].__str__()
    toys.faults.clear()
    await world.passes(minutes=15)
    assert "Jane Doe is locked out since" in world.reads("maria")


async def test_a_vendor_that_is_down_then_is_no_relapse_and_is_said(world: World, toys: ToyWorld) -> None:
    await locks_out(world)
    toys.faults["look"] = [Unreachable("Toy", "look", "no answer")] * 50
    await world.passes(minutes=25)
    assert "It could not be checked again whether everything is still ended." in world.reads("sam")
    assert "Jane Doe is locked out since 17:00" in world.reads("maria")
    assert toys.effects.count("close Jane Doe") == 1


async def test_a_stale_read_is_no_relapse(world: World, toys: ToyWorld) -> None:
    await locks_out(world)
    toys.stale = 1
    await world.passes(minutes=16)
    assert "came back" not in {row.what for row in await world.history()}


async def test_after_wrong_person_nothing_is_ended_again(world: World, toys: ToyWorld) -> None:
    await locks_out(world)
    await world.clicks("sam", "Wrong person")
    await world.passes(hours=2)
    assert toys.named("Jane Doe").open
    assert "confirmed again" not in {row.what for row in await world.history()}


async def test_what_was_skipped_stays_skipped(world: World, toys: ToyWorld) -> None:
    toys.faults["close"] = [Unreachable("Toy", "close", "no answer")] * 50
    await locks_out(world)
    await world.passes(minutes=30)
    await world.clicks("sam", "Skip", values=note_for(world, "Close the account"))
    toys.faults.clear()
    await world.passes(hours=2)
    assert toys.named("Jane Doe").open
    assert "Toy account: OPEN, skipped by Sam Lee" in world.reads("maria")
