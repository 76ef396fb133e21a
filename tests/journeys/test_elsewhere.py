"""What no connector reaches: the client names it, a person ends it, and nobody calls it verified."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.elsewhere import CONNECTOR
from connectors.elsewhere.connector import named
from tests.journeys import note_for, says_now
from tests.toy import Toy, ToyWorld
from tests.world import World, roster


@pytest.fixture
async def world(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[World]:
    """A house that asks what else there is."""
    world = await World.build(tmp_path, (Toy(toys),), roster(systems={"toy": {}, "elsewhere": CONNECTOR.settings()}))
    await says_now(world)
    yield world
    await world.close()


async def test_each_system_named_is_a_task_and_a_way_in_until_somebody_states_it_has_ended(world: World) -> None:
    await world.clicks("maria", "Use these words", values={"text": "- Front door\n\n* Bank portal\nFront door"})
    await world.clicks("maria", "Submit")
    await world.clicks("sam", "Approve")
    assert "Front door: OPEN, Sam Lee has it" in world.reads("maria")
    assert "Bank portal: OPEN, Sam Lee has it" in world.reads("maria")
    assert "Not fully locked out: 2 of 4 ways in are not confirmed as ended." in world.reads("maria")
    assert "End Jane Doe's access to: Bank portal." in world.reads("sam")
    for subject in ("Front door", "Bank portal"):
        heading = f"End access elsewhere: {subject}"
        await world.clicks("sam", "I did it by hand", values=note_for(world, heading), within=heading)
    assert "Bank portal: stated by Sam Lee, not verified: the note" in world.reads("maria")
    assert "Not verified everywhere: 2 ways in are only stated as ended." in world.reads("maria")
    assert "is locked out since" not in world.reads("maria")


async def test_nobody_is_paged_at_night_for_a_copier(world: World) -> None:
    await world.clicks("maria", "Use these words", values={"text": "The copier"})
    await world.clicks("maria", "Submit")
    await world.clicks("sam", "Approve")
    await world.passes(hours=2)
    assert world.pages == []


async def test_nothing_else_is_nothing_to_do(world: World, toys: ToyWorld) -> None:
    await world.clicks("maria", "Nothing else")
    await world.clicks("maria", "Submit")
    await world.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open
    assert "Jane Doe is locked out since" in world.reads("maria")
    assert not [step for step in await world.steps() if step.startswith("elsewhere")]


def test_an_endless_list_is_cut_into_tasks_and_nothing_of_it_is_lost() -> None:
    subjects = named({"elsewhere": "\n".join(f"System {n}" for n in range(40))})
    assert len(subjects) == 15
    assert all(f"System {n}" in " ".join(subjects) for n in range(40))
