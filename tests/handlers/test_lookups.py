"""Questions to vendors are asked once at a time, end in time, and a case never waits for one for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from sqlmodel import Session, select

from handlers import lookups
from handlers.cases.tables import Lookup
from handlers.conversation import Inbound, Kind, Place
from handlers.hear import hear
from tests.toy import ToyWorld
from tests.world import World


async def asks_for_jane(world: World) -> None:
    place = Place("slack", "T-CONTOSO", "D-maria", private=True)
    await hear(world.house, Inbound(Kind.COMMAND, world.actor("maria"), place, "k", "offboard", "Jane Doe"))


async def rows(world: World) -> list[Lookup]:
    return await world.house.store.read(lambda session: list(session.exec(select(Lookup))))


def held_by(gate: asyncio.Event, calls: list[str]) -> Callable[[str], Awaitable[None]]:
    async def pause(name: str) -> None:
        if name == "search":
            calls.append(name)
            await gate.wait()

    return pause


async def test_an_answer_that_comes_after_the_lease_is_used_and_nobody_asks_beside(
    world: World, toys: ToyWorld
) -> None:
    gate, calls = asyncio.Event(), list[str]()
    toys.pause = held_by(gate, calls)
    await asks_for_jane(world)
    for _ in range(5):
        await lookups.begin_waiting(world.house)
        await asyncio.sleep(0.02)
        world.clock.time += timedelta(seconds=61)
    gate.set()
    await world.settle()
    assert calls == ["search"]
    assert "(Jane Doe" in world.reads("maria")


async def test_a_vendor_that_never_answers_is_trouble_and_said(world: World, toys: ToyWorld) -> None:
    world.house.timings = replace(world.house.timings, asking=timedelta(milliseconds=30))
    calls: list[str] = []
    toys.pause = held_by(asyncio.Event(), calls)
    await asks_for_jane(world)
    await world.passes(minutes=2)
    assert len(calls) == lookups.TRIES
    assert (await world.cases())[0].stage == "who"
    assert "did not answer within" in world.reads("maria")


async def test_a_look_up_its_process_always_died_of_is_not_asked_again(world: World, toys: ToyWorld) -> None:
    calls: list[str] = []
    toys.pause = held_by(asyncio.Event(), calls)
    await asks_for_jane(world)

    def died(session: Session) -> None:
        row = session.exec(select(Lookup)).one()
        row.tries = lookups.TRIES
        session.add(row)

    await world.house.store.write(died)
    await world.settle()
    assert calls == []
    assert (await rows(world))[0].done
    assert (await world.cases())[0].stage == "who"


async def test_dying_in_the_middle_of_asking_is_no_answer_and_does_not_count(world: World, toys: ToyWorld) -> None:
    gate, calls = asyncio.Event(), list[str]()
    toys.pause = held_by(gate, calls)
    await asks_for_jane(world)
    for _ in range(2 * lookups.TRIES):
        await lookups.begin_waiting(world.house)
        await asyncio.sleep(0.05)
        await world.house.close()  # the process dies on it
        await lookups.after_start(world.house)
    gate.set()
    await world.settle()
    assert (await world.cases())[0].stage == "who"
    assert "Is this the person who leaves?" in world.reads("maria")
