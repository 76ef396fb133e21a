"""The manager offboards Jane; a technician approves; her access is gone."""

from __future__ import annotations

from tests.toy import ToyWorld
from tests.world import World


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
