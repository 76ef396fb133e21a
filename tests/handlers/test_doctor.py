"""Would it work? Every system of every client at once, and the admin who asks in chat."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest

from connectors.contract import Check, Surroundings, Unreachable
from connectors.references import Unresolved
from connectors.registry import Registry
from handlers.conversation import ChatError
from handlers.doctor import ONLY_ADMINS, Examined, card_of, examine, todos
from handlers.people import Client
from tests.toy import Toy, ToySettings, ToyWorld
from tests.world import FakeClock, FreeLimiter, World, on_every_platform, roster, words

LOST = Check("Permission toy.doors", ok=False, said="Our badge lacks it.", fix="Ask the porter.",
             steps=("toy.take_badges",))  # fmt: skip


class Asked(Toy):
    """A toy system that says what it is told to, in its own way."""

    name = "Asked"
    says: ClassVar[tuple[Check, ...]] = (Check("Signed in", ok=True),)

    def __init__(self, world: ToyWorld) -> None:
        super().__init__(world)
        self.closed = 0

    async def close(self, api: ToyWorld) -> None:
        self.closed += 1

    async def check(self, api: ToyWorld) -> tuple[Check, ...]:
        await api.call("check")
        return self.says


class Lacking(Asked):
    id = "lacking"
    name = "Lacking"
    steps = ()
    says = (Check("Signed in", ok=True), LOST)


class Hanging(Asked):
    """It does not even hear that nobody waits any more."""

    id = "hanging"
    name = "Hanging"

    async def check(self, api: ToyWorld) -> tuple[Check, ...]:
        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            try:
                await asyncio.sleep(0.2)
            except asyncio.CancelledError:
                continue
        return ()


class Stumbling(Asked):
    id = "stumbling"
    name = "Stumbling"

    async def check(self, api: ToyWorld) -> tuple[Check, ...]:
        raise RuntimeError("with the password hunter2 in it")


class Silent(Asked):
    id = "silent"
    name = "Silent"

    async def check(self, api: ToyWorld) -> tuple[Check, ...]:
        raise Unreachable("silent", "connect to it", "no answer")


def clients(*systems: str) -> tuple[Client, ...]:
    return (
        Client(id="contoso", name="Contoso Ltd", systems={name: ToySettings() for name in systems}, dry_run=False),
        Client(id="fabrikam", name="Fabrikam Inc", systems={"toy": ToySettings()}),
    )


async def looked(*connectors: Asked, limit: float = 5.0) -> tuple[Examined, ...]:
    toys = connectors or (Asked(ToyWorld()),)

    def around(client: str) -> Surroundings:
        return Surroundings(client, FakeClock(), FreeLimiter(), lambda _: "a secret", lambda: "a password")

    known = Registry((*toys, *(() if any(one.id == "toy" for one in toys) else (Asked(ToyWorld()),))))
    return await examine(clients(*(one.id for one in toys)), known, around, limit)


async def test_what_is_wrong_comes_first_and_the_rest_is_all_there() -> None:
    found = await looked(Asked(ToyWorld()), Lacking(ToyWorld()))
    assert [(one.client.id, one.name, one.wrong) for one in found] == [
        ("contoso", "Lacking", 1), ("contoso", "Asked", 0), ("fabrikam", "Asked", 0),
    ]  # fmt: skip


async def test_what_hangs_is_a_failed_check_and_holds_nobody_up() -> None:
    began = time.monotonic()
    found = await looked(Hanging(ToyWorld()), Asked(ToyWorld()), limit=0.2)
    assert time.monotonic() - began < 1.8
    [check] = found[0].checks
    assert (check.title, check.ok, check.said) == ("Reachable", False, "No answer within 0 seconds.")
    assert check.fix
    assert "toy.close_account" in check.steps
    assert [one.wrong for one in found[1:]] == [0, 0]
    await asyncio.sleep(1.0)


async def test_what_stumbles_is_a_failed_check_that_quotes_nothing() -> None:
    stumbling = Stumbling(ToyWorld())
    [check] = (await looked(stumbling))[0].checks
    assert check.said == "The check itself stumbled (RuntimeError)."
    assert "hunter2" not in repr(check)
    assert stumbling.closed == 1


async def test_what_does_not_answer_says_which_call_and_a_fix() -> None:
    [check] = (await looked(Silent(ToyWorld())))[0].checks
    assert check.said == "connect to it: no answer"
    assert check.fix.startswith("Look whether it is up")


async def test_systems_are_asked_side_by_side() -> None:
    together = asyncio.Barrier(3)
    toys = ToyWorld()

    async def meet(call: str) -> None:
        await together.wait()

    toys.pause = meet
    async with asyncio.timeout(3):
        await looked(Asked(toys), Lacking(toys))


def test_one_remedy_is_told_once_with_everything_that_waits_for_it() -> None:
    other = Check("Permission toy.pay", ok=False, said=LOST.said, fix=LOST.fix, steps=("toy.stop_pay", "toy.gone"))
    alone = Check("Reachable", ok=False, said="no answer", fix="Plug it in.")
    [first, second] = todos(Registry((Toy(ToyWorld()),)), (alone, LOST, other, Check("Fine", ok=True)))
    assert first.titles == ("Permission toy.doors", "Permission toy.pay")
    assert first.steps == ("Take the badge off every door", "Take off the payroll", "toy.gone")
    assert second.titles == ("Reachable",)


# --- in chat ------------------------------------------------------------------------------------


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[World]:
    world = await World.build(tmp_path, (Asked(ToyWorld()), Lacking(ToyWorld())), roster(
        systems={"toy": ToySettings(), "lacking": ToySettings()}
    ))  # fmt: skip
    yield world
    await world.close()


async def test_an_admin_reads_it_in_the_private_chat(asked: World) -> None:
    reply = await asked.types("ada", "/offboard-doctor", channel="C-GENERAL")
    assert reply.line == "I ask 4 systems now, and show you in our private chat what I find. Nothing is changed."
    assert reply.neutral
    assert "in our private chat" not in (await asked.types("ada", "/offboard-doctor")).line
    shown = asked.chat.shown[-1]
    assert shown.place.channel == "D-ada"
    read = words(shown.card)
    assert "1 client needs something" in read
    assert "[failed] Lacking: Permission toy.doors – Our badge lacks it." in read
    assert "Without it not: Take the badge off every door. Ask the porter." in read
    assert "As it should be: Fabrikam Inc, Northwind IT" in read
    assert "Contoso" not in shown.card.notification


async def test_an_admin_asks_about_one_client(asked: World) -> None:
    await asked.types("ada", "/offboard-doctor fabrikam")
    assert "Every system would work" in words(asked.chat.shown[-1].card)
    reply = await asked.types("ada", "/offboard-doctor initech")
    assert reply.line.startswith("There is no client 'initech'")


@pytest.mark.parametrize("person", ["sam", "maria", "bill"])
async def test_nobody_else_may_ask(asked: World, person: str) -> None:
    assert (await asked.types(person, "/offboard-doctor")).line == ONLY_ADMINS
    assert asked.chat.shown == []


async def test_one_look_at_a_time(asked: World) -> None:
    asked.house.asking.add("doctor")
    reply = await asked.types("ada", "/offboard-doctor")
    assert reply.line.startswith("I am asking all systems already")
    asked.house.asking.discard("doctor")
    await asked.types("ada", "/offboard-doctor")
    await asked.types("ada", "/offboard-doctor")
    assert len(asked.chat.shown) == 2


async def test_a_chat_that_stumbles_is_tried_again(asked: World) -> None:
    post, failures = asked.chat.post, [ChatError("slack", "post", "busy", 1.0)]

    async def stumbles(place: object, card: object) -> object:
        if failures:
            raise failures.pop()
        return await post(place, card)  # type: ignore[arg-type]

    asked.chat.post = stumbles  # type: ignore[method-assign,assignment]
    await asked.types("ada", "/offboard-doctor")
    assert len(asked.chat.shown) == 1


def test_many_clients_still_fit_on_every_platforms_card() -> None:
    registry = Registry((Lacking(ToyWorld()), Toy(ToyWorld())))
    many = [
        Examined(Client(id=f"c{number}", name=f"Client {number}"), "lacking", "Lacking", (LOST,) * 3)
        for number in range(200)
    ]
    card = card_of(registry, many)
    on_every_platform(card)
    assert "185 more clients have something to do" in words(card)


class Unset(Asked):
    """Whose secret nobody has set."""

    async def check(self, api: ToyWorld) -> tuple[Check, ...]:
        raise Unresolved("The secret env/TOY is empty: set the environment variable TOY.")


async def test_a_secret_that_is_missing_is_said_with_its_fix() -> None:
    [check] = (await looked(Unset(ToyWorld())))[0].checks
    assert (check.said, check.fix) == ("The secret env/TOY is empty.", "Set the environment variable TOY.")
