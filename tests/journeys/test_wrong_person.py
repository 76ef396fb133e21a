"""The wrong person was locked out: everything that can be is put back, and one way in is shown once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from connectors.contract import Unreachable
from handlers import deliver, lookups
from tests.journeys import locks_out, submits
from tests.toy import Annex, Toy, ToyWorld
from tests.world import World, roster, words


async def test_one_press_of_a_technician_restores_access(world: World, toys: ToyWorld) -> None:
    await locks_out(world)
    await world.clicks("sam", "Wrong person")
    assert toys.named("Jane Doe").open
    assert "restored: account reads open" in world.reads("sam")
    assert "Stopped: this was the wrong person." in world.reads("maria")
    assert "is locked out since" not in words(world.card("maria", "Case 1: Jane Doe").card)
    assert "Sign-in is being restored" in words(world.seen_by("maria")[-1].card)


async def test_what_was_so_before_is_not_undone(world: World, toys: ToyWorld) -> None:
    await submits(world)
    toys.named("Jane Doe").open = False  # by somebody else, before we came
    await world.clicks("sam", "Approve")
    await world.clicks("sam", "Wrong person")
    assert not toys.named("Jane Doe").open


async def test_the_requester_seeing_the_mistake_alarms_the_technicians(world: World, toys: ToyWorld) -> None:
    await locks_out(world)
    reply = await world.clicks("maria", "This is the wrong person")
    assert reply.line == "The technicians have been told. They restore access."
    assert "The requester says this is the WRONG PERSON." in world.reads("sam")
    assert not toys.named("Jane Doe").open  # a technician presses
    wrong, place = world.button("sam", "Wrong person")
    assert (await world.presses("maria", wrong, place)).line == "Only technicians can do that."
    assert not toys.named("Jane Doe").open


async def test_a_one_time_way_in_is_shown_once_to_one_technician_and_never_stored(
    world: World, tmp_path: Path, toys: ToyWorld
) -> None:
    await locks_out(world)
    await world.clicks("sam", "Wrong person")
    token, place = world.button("sam", "Show a one-time way in")
    reply = await world.clicks("sam", "Show a one-time way in")
    assert reply.secret is not None
    assert await reply.secret() == "Visitor pass: open-sesame (once, within 60 minutes)"
    assert (await world.presses("priya", token, place)).secret is None
    second = await world.clicks("priya", "Show a one-time way in")
    assert second.secret is None
    assert second.line.startswith("It was shown already.")
    assert "open-sesame" not in world.reads("sam")
    assert all(b"open-sesame" not in content for content in files_in(tmp_path))


def files_in(folder: Path) -> list[bytes]:
    """What stands on the disk, the database's log included."""
    contents = [file.read_bytes() for file in folder.iterdir()]
    assert any(b"Jane Doe" in content for content in contents)
    return contents


async def test_steps_that_have_not_run_do_not_run_any_more(world: World, toys: ToyWorld) -> None:
    toys.faults["close"] = [Unreachable("Toy", "close", "no answer")]
    await locks_out(world)
    await world.clicks("sam", "Wrong person")
    await world.passes(minutes=15)
    assert "close Jane Doe" not in toys.effects
    assert (await world.steps())["toy.close_account"].state == "cancelled"


async def test_what_a_vendor_did_after_the_stop_is_put_back_too(world: World, toys: ToyWorld) -> None:
    waits, may_go_on = asyncio.Event(), asyncio.Event()

    async def holds(call: str) -> None:
        if call == "close":
            waits.set()
            await may_go_on.wait()

    toys.pause = holds
    await submits(world)
    await world.clicks("sam", "Approve", settle=False)
    await asyncio.wait_for(waits.wait(), 2)
    await deliver.send_waiting(world.house)
    await world.clicks("sam", "Wrong person", settle=False)
    await lookups.begin_waiting(world.house)
    await world.house.settle()
    may_go_on.set()
    toys.pause = None
    await world.settle()
    assert toys.effects[-1] == "open Jane Doe"
    assert toys.named("Jane Doe").open


async def test_a_vendor_down_while_restoring_is_said_and_stops_no_other(tmp_path: Path, toys: ToyWorld) -> None:
    annex = ToyWorld()
    annex.add("Jane Doe")
    world = await World.build(tmp_path, (Toy(toys), Annex(annex)), roster(systems={"toy": {}, "annex": {}}))
    await locks_out(world)
    annex.faults["open"] = [Unreachable("Annex", "open", "no answer")] * 10
    await world.clicks("sam", "Wrong person")
    assert toys.named("Jane Doe").open
    await world.passes(minutes=1)
    assert "NOT restored: Annex: open: no answer" in world.reads("sam")
    await world.close()


async def test_a_way_in_that_can_not_be_had_is_said(world: World, toys: ToyWorld) -> None:
    await locks_out(world)
    await world.clicks("sam", "Wrong person")
    toys.faults["restore"] = [Unreachable("Toy", "restore", "no answer")]
    reply = await world.clicks("sam", "Show a one-time way in")
    assert reply.secret is not None
    assert await reply.secret() == "Toy: restore: no answer"


async def test_restoring_is_tried_again_after_a_hiccup(world: World, toys: ToyWorld) -> None:
    await locks_out(world)
    toys.faults["open"] = [Unreachable("Toy", "open", "no answer")]
    await world.clicks("sam", "Wrong person")
    assert not toys.named("Jane Doe").open
    await world.passes(minutes=1)
    assert toys.named("Jane Doe").open
    assert "NOT restored" not in world.reads("sam")
