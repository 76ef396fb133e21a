"""The manager offboards Jane; a technician approves; her access is gone."""

from __future__ import annotations

from pathlib import Path

from connectors.contract import Choice, Choices, Question, Topic
from tests.journeys import locks_out, says_now
from tests.toy import Toy, ToyFacts, ToyWorld
from tests.world import World, roster


async def answers_everything(world: World, person: str = "maria", name: str = "Jane Doe") -> None:
    """The interview, from the command to the submitted review."""
    await world.types(person, f"/offboard {name}")
    await world.clicks(person, name)
    await world.clicks(person, "Resigned")
    await world.clicks(person, "No, on good terms")
    await world.clicks(person, "Now")
    await world.clicks(person, "Submit")


async def test_jane_is_locked_out_once_a_technician_approves(world: World, toys: ToyWorld) -> None:
    await answers_everything(world)
    assert toys.effects == []  # asking and planning change nothing
    assert "can still sign in" in world.reads("maria")

    await world.clicks("sam", "Approve")

    assert toys.effects == ["close Jane Doe", "badge Jane Doe front door"]
    assert "Jane Doe is locked out since 17:00" in world.reads("maria")
    assert "Last possible access: 17:15" in world.reads("maria")


class Curious(Toy):
    """Asks something that no step depends on."""

    def questions(self, facts: ToyFacts, choices: Choices) -> tuple[Question, ...]:
        return (Question("toy.cake", Topic.ANYTHING_ELSE, "Is there cake?", (Choice("yes", "There is cake"),)),)


async def test_where_nothing_is_left_to_plan_after_a_lock_out_first_the_report_comes_all_the_same(
    tmp_path: Path, toys: ToyWorld
) -> None:
    world = await World.build(tmp_path, (Curious(toys),), roster())
    await says_now(world)
    await world.clicks("maria", "Lock out Jane Doe now")
    await world.clicks("sam", "Approve")
    assert "Jane Doe is locked out" in world.reads("maria")
    assert "Report on case" not in world.reads("maria")
    await world.clicks("maria", "There is cake")
    await world.clicks("maria", "Submit")
    assert [plan.kind for plan in await world.plans()] == ["lock-out"]
    assert "Report on case 1: Jane Doe" in world.reads("maria")
    await world.close()


async def test_a_title_that_a_vendor_cut_in_the_middle_of_an_emoji_keeps_nobody_in(
    world: World, toys: ToyWorld
) -> None:
    cut = toys.named("Jane Doe").account.model_copy(update={"title": "Head of Sales \ud83d"})
    toys.named("Jane Doe").account = cut
    await locks_out(world)
    assert not toys.named("Jane Doe").open
