"""What the headline rests on: no way in counts as ended unless steps that end it were read back."""

from __future__ import annotations

from pathlib import Path

from connectors.contract import Choices, WayIn
from tests.journeys import locks_out
from tests.toy import Toy, ToyFacts, ToyWorld
from tests.world import World, roster


class Forgetful(Toy):
    """A toy directory that lists a way in and names nothing that ends it, or a step it does not have."""

    ended_by: tuple[str, ...] = ()

    def ways_in(self, facts: ToyFacts, choices: Choices) -> tuple[WayIn, ...]:
        return (*super().ways_in(facts, choices), WayIn("toy.window", "Window", self.ended_by))


async def test_a_way_in_nothing_ends_stays_open(tmp_path: Path, toys: ToyWorld) -> None:
    world = await World.build(tmp_path, (Forgetful(toys),), roster())
    await locks_out(world)
    assert "[pending] Window: open" in world.reads("maria")
    assert "Not fully locked out: 1 of 3 ways in are not confirmed as ended." in world.reads("maria")
    await world.close()


async def test_a_way_in_whose_step_is_in_no_plan_stays_open(tmp_path: Path, toys: ToyWorld) -> None:
    forgetful = Forgetful(toys)
    forgetful.ended_by = ("toy.close_account", "toy.collect_keys")
    world = await World.build(tmp_path, (forgetful,), roster())
    await locks_out(world)
    assert "Not fully locked out: 1 of 3 ways in are not confirmed as ended." in world.reads("maria")
    await world.close()
