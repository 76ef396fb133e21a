"""Whole conversations in words; the turns most of them share."""

from __future__ import annotations

from tests.world import World


async def chooses(world: World, person: str = "maria", name: str = "Jane Doe") -> None:
    """From the command to the first question."""
    await world.types(person, f"/offboard {name}")
    await world.clicks(person, name)


async def says_now(world: World, person: str = "maria", name: str = "Jane Doe") -> None:
    """Up to the answer that access ends now."""
    await chooses(world, person, name)
    await world.clicks(person, "Resigned")
    await world.clicks(person, "No, on good terms")
    await world.clicks(person, "Now")


async def submits(world: World, person: str = "maria", name: str = "Jane Doe", button: str = "Submit") -> None:
    """The whole interview of a house whose systems ask nothing."""
    await says_now(world, person, name)
    await world.clicks(person, button)


async def locks_out(world: World, name: str = "Jane Doe") -> None:
    """Asked, approved, carried out."""
    await submits(world, name=name)
    await world.clicks("sam", "Approve")


async def enters_for_a_caller(world: World, contact: str = "maria", other: str = "", name: str = "Jane Doe") -> None:
    """Sam takes a call from Contoso, up to the question how he knows who called."""
    await world.types("sam", f"/offboard {name}")
    await world.clicks("sam", "Continue", values={"client": "contoso"})
    await world.clicks("sam", "Continue", values={"contact": contact, "other": other})


async def answers(world: World, person: str, name: str = "Jane Doe") -> None:
    """The questions, once the person is offered."""
    await world.clicks(person, name)
    await world.clicks(person, "Resigned")
    await world.clicks(person, "No, on good terms")
    await world.clicks(person, "Now")
    await world.clicks(person, "Submit")


def note_for(world: World, heading: str) -> dict[str, str]:
    """The note field of a stuck step, filled in."""
    shown = world.with_button("sam", "Skip")
    section = next(one for one in shown.card.sections if one.heading == heading)
    return {section.fields[0].id: "the note"}
