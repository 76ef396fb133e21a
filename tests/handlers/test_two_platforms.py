"""One person on two platforms is one person: written to where they spoke, and never both sides of an approval."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from handlers.conversation import Actor, Inbound, Kind, Place, Reply
from handlers.hear import hear
from tests.toy import Toy, ToyWorld
from tests.world import MemoryChat, Shown, World, roster, words

SLACK, TEAMS = Actor("slack", "T-MSP", "sam"), Actor("teams", "tenant-msp", "sam")
_keys = itertools.count()


class OtherChat(MemoryChat):
    """A second platform."""

    platform = "teams"


@pytest.fixture
async def both(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[World]:
    """Sam, who may ask for Contoso as well, is on both platforms, first in Slack; the channels are in Slack."""
    people = roster()
    sam = next(person for person in people.people if person.id == "sam")
    sam = sam.model_copy(update={"identities": (str(SLACK), str(TEAMS)), "manages": ("contoso",)})
    others = (person for person in people.people if person.id not in {"sam", "finn"})
    clients = tuple(client for client in people.clients if client.id != "fabrikam")
    whole = people.model_copy(update={"people": (sam, *others), "clients": clients})
    world = await World.build(tmp_path, (Toy(toys),), whole)
    world.house.chats = {"slack": world.chat, "teams": OtherChat()}
    yield world
    await world.close()


def teams_of(world: World) -> list[Shown]:
    chat = world.house.chats["teams"]
    assert isinstance(chat, OtherChat)
    return chat.shown


async def says(world: World, actor: Actor, command: str, text: str = "") -> None:
    where = await world.house.chats[actor.platform].private(actor)
    dedupe = f"k{next(_keys)}"
    await hear(world.house, Inbound(Kind.COMMAND, actor, where, dedupe, command=command, text=text))
    await world.settle()


async def presses(world: World, actor: Actor, shown: Shown, label: str) -> Reply:
    token = next(button.token for button in shown.card.buttons if label in button.label)
    click = Inbound(Kind.CLICK, actor, shown.place, f"k{next(_keys)}", token=token)
    reply = await hear(world.house, click)
    await world.settle()
    return reply


async def test_the_interview_goes_where_it_was_asked_for(both: World) -> None:
    await says(both, TEAMS, "offboard", "Jane Doe")
    [card] = teams_of(both)
    assert card.place == Place("teams", "tenant-msp", "D-sam", private=True)
    assert "Jane Doe" in words(card.card)
    assert both.chat.shown == []


async def test_the_status_comes_where_it_was_asked_for_and_the_same_buttons_work(both: World) -> None:
    await says(both, SLACK, "offboard", "Jane Doe")
    asked = both.chat.shown[-1]
    await says(both, TEAMS, "offboard-status", "1")
    assert [one.place.platform for one in teams_of(both)] == ["teams"]
    assert both.chat.shown[-1] is asked


async def test_who_asks_on_one_platform_does_not_approve_on_the_other(both: World, toys: ToyWorld) -> None:
    await says(both, TEAMS, "offboard", "Jane Doe")
    case = (await both.cases())[0]
    assert (case.started_by, case.identity) == ("sam", str(TEAMS))
    for label in ("Jane Doe", "Resigned", "No, on good terms", "Now", "Submit"):
        await presses(both, TEAMS, teams_of(both)[-1], label)
    approval = next(one for one in both.chat.shown if any("Approve" in button.label for button in one.card.buttons))
    for actor in (SLACK, TEAMS):
        refused = await presses(both, actor, approval, "Approve")
        assert "neither the requester" in refused.line
    assert toys.effects == []
