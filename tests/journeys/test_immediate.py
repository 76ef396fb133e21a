"""Clients whose policy lets a manager lock out alone: what runs, what waits, and what bars it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.contract import Unreachable
from handlers.people import Roster
from tests.journeys import answers, enters_for_a_caller, says_now, submits
from tests.toy import Toy, ToyWorld
from tests.world import World, roster


def immediate(*, directory: bool = True, per_hour: int = 3) -> Roster:
    """Contoso trusts its managers; Maria's own directory entry is known or not."""
    people = roster(lockout="immediate", immediate_per_hour=per_hour)
    if not directory:
        return people
    maria = people.people[0].model_copy(update={"directory": {"contoso": "id-2"}})
    return people.model_copy(update={"people": (maria, *people.people[1:])})


@pytest.fixture
async def trusting(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[World]:
    """The house of a client that lets a manager lock out alone."""
    world = await World.build(tmp_path, (Toy(toys),), immediate())
    yield world
    await world.close()


async def test_the_managers_confirmation_is_enough_for_what_can_be_restored(trusting: World, toys: ToyWorld) -> None:
    await submits(trusting, button="Lock out Jane Doe now")
    assert toys.effects == ["close Jane Doe"]  # badges can't be given back: they wait
    assert "A lock-out was started on the manager's word alone" in trusting.reads("sam")
    assert "Not fully locked out" in trusting.reads("maria")
    await trusting.clicks("sam", "Approve")
    assert toys.effects == ["close Jane Doe", "badge Jane Doe front door"]
    assert "Jane Doe is locked out" in trusting.reads("maria")


async def waits(world: World, toys: ToyWorld) -> bool:
    """Whether nothing happened and a technician is asked."""
    return toys.effects == [] and "Approve: lock out Jane Doe" in world.reads("sam")


async def test_a_warning_about_the_leaver_bars_it(trusting: World, toys: ToyWorld) -> None:
    toys.named("Jane Doe").cautions.append("holds the keys of the safe")
    await submits(trusting, button="Lock out Jane Doe now")
    assert await waits(trusting, toys)


async def test_a_requester_below_the_leaver_bars_it(trusting: World, toys: ToyWorld) -> None:
    toys.named("Jane Doe").boss_of.append("id-2")
    await submits(trusting, button="Lock out Jane Doe now")
    assert await waits(trusting, toys)


async def test_a_requester_nobody_can_place_bars_it(tmp_path: Path, toys: ToyWorld) -> None:
    world = await World.build(tmp_path, (Toy(toys),), immediate(directory=False))
    await submits(world, button="Lock out Jane Doe now")
    assert await waits(world, toys)
    await world.close()


async def test_a_technician_asking_for_the_manager_bars_it(trusting: World, toys: ToyWorld) -> None:
    await enters_for_a_caller(trusting)
    await trusting.clicks("sam", "Ask Maria Lopez in chat")
    for label in ("Jane Doe", "Resigned", "No, on good terms", "Now", "Lock out Jane Doe now"):
        await trusting.clicks("sam", label)
    await trusting.clicks("maria", "Yes, I asked")
    assert await waits(trusting, toys)


async def test_a_technician_planning_for_a_quiet_manager_bars_it(trusting: World, toys: ToyWorld) -> None:
    await says_now(trusting)
    await trusting.passes(minutes=6)
    await trusting.clicks("sam", "Plan the lock-out now")
    assert await waits(trusting, toys)


async def test_a_system_that_can_not_be_read_bars_it(trusting: World, toys: ToyWorld) -> None:
    toys.faults["find"] = [Unreachable("Toy", "find", "no answer")] * 20
    await submits(trusting, button="Lock out Jane Doe now")
    await trusting.passes(minutes=1)
    assert await waits(trusting, toys)


async def test_no_more_than_so_many_an_hour(tmp_path: Path, toys: ToyWorld) -> None:
    for name in ("Ann One", "Bob Two", "Cy Three"):
        toys.add(name)
    world = await World.build(tmp_path, (Toy(toys),), immediate(per_hour=2))
    await submits(world, name="Ann One", button="Lock out")
    await submits(world, name="Bob Two", button="Lock out")
    await submits(world, button="Lock out")
    assert toys.effects == ["close Ann One", "close Bob Two"]
    await world.passes(hours=1, minutes=1)
    await world.types("maria", "/offboard Cy Three")
    await world.clicks("maria", "Cy Three")
    for label in ("Resigned", "No, on good terms", "Now", "Lock out"):
        await world.clicks("maria", label)
    assert "close Cy Three" in toys.effects
    assert "close Jane Doe" not in toys.effects
    await world.close()


async def test_a_client_without_the_policy_never_locks_out_on_a_word(world: World, toys: ToyWorld) -> None:
    await world.types("maria", "/offboard Jane Doe")
    await answers(world, "maria")
    assert await waits(world, toys)
