"""Two systems, one of them down, silent or broken: the other goes on, and the headline stays honest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.contract import Unreachable
from tests.journeys import locks_out, note_for, submits
from tests.toy import Annex, Toy, ToyWorld
from tests.world import World, roster

GONE = Unreachable("Annex", "call", "no answer")


@pytest.fixture
def annex() -> ToyWorld:
    """A second vendor with the same people."""
    annex = ToyWorld()
    annex.add("Jane Doe", "Head of Sales")
    return annex


@pytest.fixture
async def two(tmp_path: Path, toys: ToyWorld, annex: ToyWorld) -> AsyncIterator[World]:
    """A house of two systems."""
    world = await World.build(tmp_path, (Toy(toys), Annex(annex)), roster(systems={"toy": {}, "annex": {}}))
    yield world
    await world.close()


async def test_one_vendor_down_stops_no_other(two: World, toys: ToyWorld, annex: ToyWorld) -> None:
    annex.faults["close"] = [GONE] * 50
    await locks_out(two)
    assert not toys.named("Jane Doe").open
    assert "Toy account: ended 17:00" in two.reads("maria")
    assert "Annex account: not ended yet" in two.reads("maria")
    assert "Not fully locked out: 1 of 3" in two.reads("maria")


async def test_a_system_nobody_could_read_is_a_task_and_never_green(
    two: World, toys: ToyWorld, annex: ToyWorld
) -> None:
    annex.faults["find"] = [GONE] * 50
    await submits(two)
    assert "Mind: Annex could not be read." in two.reads("sam")
    await two.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open
    assert "Sign in to Annex, find the leaver's account, end its access, and say what you did." in two.reads("sam")
    await two.clicks("sam", "I did it by hand", values=note_for(two, "End access in Annex"))
    assert "is locked out since" not in two.reads("maria")
    assert "Annex: stated by Sam Lee, not verified: the note" in two.reads("maria")


async def test_a_system_readable_again_for_the_rest_has_its_steps_after_all(
    two: World, toys: ToyWorld, annex: ToyWorld
) -> None:
    annex.faults["find"] = [GONE] * 2  # at the questions and at the lock-out
    await submits(two)
    await two.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open
    assert not annex.named("Jane Doe").open


async def test_a_bug_in_one_connector_stops_no_other(two: World, toys: ToyWorld, annex: ToyWorld) -> None:
    async def breaks(call: str) -> None:
        raise KeyError(call)

    annex.pause = breaks
    await locks_out(two)
    assert not toys.named("Jane Doe").open
    assert "End access in Annex" in two.reads("sam")
    assert "is locked out since" not in two.reads("maria")
