"""The process dies at every commit and around every vendor call: the case ends done, and nothing is done twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from sqlmodel import Session, select

from connectors.contract import Accepted, Intent, Item, Unreachable
from handlers.cases.history import checked
from handlers.cases.store import Store
from handlers.cases.tables import ItemRow
from tests.journeys import locks_out, says_now, submits
from tests.toy import CloseAccount, Ctx, TakeBadges, Toy, ToyWorld
from tests.world import World, roster

T = TypeVar("T")


class Died(BaseException):
    """The process is gone: nothing catches this."""


class MortalStore(Store):
    """A store whose process dies at the commit that is told, before or after it."""

    left = 0
    after = False
    dead = False

    def _write(self, turns: list[Any]) -> list[Any]:
        if self.dead:
            raise Died
        self.left -= 1
        self.dead = self.left == 0
        if self.dead and not self.after:
            raise Died
        done = super()._write(turns)
        if self.dead:
            raise Died
        return done

    def _read(self, work: Callable[[Session], T]) -> T:
        if self.dead:
            raise Died
        return super()._read(work)


async def dies_in(world: World, part: Callable[[World], Awaitable[object]], commit: int, *, after: bool) -> bool:
    """Play that part with a process that dies at that commit; whether it came that far."""
    store = world.house.store
    assert isinstance(store, MortalStore)
    store.left, store.after = commit, after
    with contextlib.suppress(Died):
        await part(world)
    died, store.left, store.dead = store.dead, 0, False
    return died


async def goes_on(world: World) -> None:
    """A new process; people press again what still has a button."""
    await world.restart()
    await a_minute_later(world)
    for person, label in (("maria", "Submit"), ("sam", "Approve"), ("sam", "Approve")):
        if f"({label}" in world.reads(person):
            await world.clicks(person, label)
            await a_minute_later(world)


async def a_minute_later(world: World) -> None:
    """Long enough for what is tried again, in few strides; at once when everything is done."""
    for _ in range(3):
        if {str(plan.state) for plan in await world.plans()} == {"done"}:
            return
        world.clock.time += timedelta(seconds=20)
        await world.settle()


async def is_done_once(world: World, toys: ToyWorld) -> None:
    """Everything ended, each effect there, the ticket once, and the history whole."""
    assert {name: str(row.state) for name, row in (await world.steps()).items()} == {
        "toy.close_account": "done",
        "toy.take_badges": "done",
        "toy.open_ticket": "done",
    }
    assert not toys.named("Jane Doe").open
    assert toys.named("Jane Doe").doors == []
    assert len(toys.tickets) == 1
    assert len([effect for effect in toys.effects if effect.startswith("ticket")]) == 1
    assert {str(plan.state) for plan in await world.plans()} == {"done"}
    assert "Jane Doe is locked out since" in world.reads("maria")
    assert await world.house.store.read(lambda session: checked(session).broken_at) is None
    items = await world.house.store.read(lambda session: list(session.exec(select(ItemRow))))
    assert {item.key: item.before for item in items} == {"account": {"open": True}, "front door": {}, "ticket": {}}


async def nothing_is_falsely_done(world: World, toys: ToyWorld) -> None:
    """What the rows call done, the vendor shows done."""
    steps = await world.steps()
    shown = {
        "toy.close_account": not toys.named("Jane Doe").open,
        "toy.take_badges": toys.named("Jane Doe").doors == [],
        "toy.open_ticket": len(toys.tickets) == 1,
    }
    assert all(shown[name] for name, row in steps.items() if row.state == "done")


async def before_submit(folder: Path, name: str = "offboard.db") -> tuple[World, ToyWorld]:
    """Everything answered, Submit not pressed."""
    toys = ToyWorld()
    toys.add("Jane Doe", "Head of Sales")
    world = await World.build(folder, (Toy(toys, asks=True),), roster(), MortalStore, name)
    await says_now(world)
    await world.clicks("maria", "Keep it")
    await world.clicks("maria", "Open a ticket")
    return world, toys


@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
async def test_dying_at_any_commit_of_the_planning_loses_no_case(tmp_path: Path, *, after: bool) -> None:
    for commit in range(1, 100):
        world, toys = await before_submit(tmp_path, f"{commit}.db")
        died = await dies_in(world, lambda world: world.clicks("maria", "Submit"), commit, after=after)
        await goes_on(world)
        await is_done_once(world, toys)
        await world.close()
        if not died:
            assert commit > 8
            return


@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
async def test_dying_at_any_commit_of_the_work_doubles_and_loses_nothing(tmp_path: Path, *, after: bool) -> None:
    for commit in range(1, 100):
        world, toys = await before_submit(tmp_path, f"{commit}.db")
        await world.clicks("maria", "Submit")
        died = await dies_in(world, lambda world: world.clicks("sam", "Approve"), commit, after=after)
        await nothing_is_falsely_done(world, toys)
        await goes_on(world)
        await is_done_once(world, toys)
        await world.close()
        if not died:
            assert commit > 12
            return


async def test_a_search_the_old_process_had_begun_is_answered_by_the_new_one_at_once(
    world: World, toys: ToyWorld
) -> None:
    begun = asyncio.Event()

    async def hangs(_call: str) -> None:
        begun.set()
        await asyncio.Event().wait()

    toys.pause = hangs
    typed = asyncio.create_task(world.types("maria", "/offboard Jane Doe"))
    await asyncio.wait_for(begun.wait(), 2)
    typed.cancel()
    toys.pause = None
    await world.restart()
    assert "Is this the person who leaves?" in world.reads("maria")


CALLS = ["look", "close", "read back", "look at doors", "take badge", "read doors", "ticket", "find ticket"]


@pytest.mark.parametrize("call", CALLS)
async def test_dying_on_the_way_to_a_vendor_doubles_and_loses_nothing(tmp_path: Path, call: str) -> None:
    world, toys = await before_submit(tmp_path)
    await world.clicks("maria", "Submit")
    store = world.house.store
    assert isinstance(store, MortalStore)

    async def dies(name: str) -> None:
        if name == call or store.dead:
            store.dead = True
            raise Died

    toys.pause = dies
    with pytest.raises(Died):
        await world.clicks("sam", "Approve")
    toys.pause, store.dead = None, False
    await nothing_is_falsely_done(world, toys)
    await goes_on(world)
    await is_done_once(world, toys)
    await world.close()


@pytest.mark.parametrize("call", ["close", "take badge", "ticket"])
async def test_dying_before_the_vendors_answer_arrives_doubles_and_loses_nothing(tmp_path: Path, call: str) -> None:
    world, toys = await before_submit(tmp_path)
    await world.clicks("maria", "Submit")
    store = world.house.store
    assert isinstance(store, MortalStore)

    def dies() -> None:
        store.dead = True

    toys.then[call] = dies  # the effect has happened, and nothing after it is written down
    with pytest.raises(Died):
        await world.clicks("sam", "Approve")
    toys.then.clear()
    store.dead = False
    await nothing_is_falsely_done(world, toys)
    await goes_on(world)
    await is_done_once(world, toys)
    await world.close()


class Counting(CloseAccount):
    """Notes what it is told when it acts."""

    told: ClassVar[list[Intent]] = []

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        self.told.append(intent)
        return await super().act(ctx, item, intent)


async def test_a_repeat_is_told_when_another_leavers_step_meant_the_very_same_change(
    tmp_path: Path, toys: ToyWorld
) -> None:
    class Counted(Toy):
        steps = (Counting(), TakeBadges())

    Counting.told.clear()
    world = await World.build(tmp_path, (Counted(toys),), roster())
    toys.faults["close"] = [Unreachable("Toy", "close", "no answer")]
    await locks_out(world)
    await world.passes(minutes=5)
    await submits(world, person="noor", name="Maria Lopez")
    toys.faults["close"] = [Unreachable("Toy", "close", "no answer")]
    await world.clicks("sam", "Approve")
    await world.passes(minutes=5)
    assert [(one.repeated, one.shared) for one in Counting.told] == [
        (False, False), (True, False), (False, False), (True, True),
    ]  # fmt: skip
    await world.close()
