"""Whose a workspace is: from a client's workspace people act for that client alone, and for nobody as a technician."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from handlers.conversation import Actor, Inbound, Kind, Place, Reply
from handlers.hear import hear
from handlers.offboard import NOT_FROM_HERE
from handlers.people import MSP, Roster
from tests.journeys import says_now, submits
from tests.toy import Toy, ToyWorld
from tests.world import World, roster, words

BOUND = {"slack/T-CONTOSO": ("contoso",), "slack/T-FABRIKAM": ("fabrikam",), "slack/T-MSP": (MSP,)}
KEYS = itertools.count()
PRIYA_AT_CONTOSO = Actor("slack", "T-CONTOSO", "priya2")
MARIA_AT_FABRIKAM = Actor("slack", "T-FABRIKAM", "maria2")


def bound() -> Roster:
    """Priya, a technician, also has an account at Contoso; Maria manages two clients and has an account at both."""
    people = roster()
    changed = {
        "priya": {"identities": ("slack/T-MSP/priya", "slack/T-CONTOSO/priya2")},
        "maria": {
            "identities": ("slack/T-CONTOSO/maria", "slack/T-FABRIKAM/maria2"),
            "manages": ("contoso", "fabrikam"),
        },
    }
    kept = tuple(one.model_copy(update=changed.get(one.id, {})) for one in people.people)
    return people.model_copy(update={"people": kept, "bound": BOUND})


@pytest.fixture
async def places(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[World]:
    world = await World.build(tmp_path, (Toy(toys),), bound())
    yield world
    await world.close()


async def types(world: World, actor: Actor, line: str) -> Reply:
    """As that identity, in its private chat with the bot."""
    command, _, rest = line.removeprefix("/").partition(" ")
    where = Place("slack", actor.workspace, f"D-{actor.user}", private=True)
    reply = await hear(world.house, Inbound(Kind.COMMAND, actor, where, f"k-{next(KEYS)}", command, rest))
    await world.settle()
    return reply


async def presses(world: World, actor: Actor, token: str, where: Place) -> Reply:
    reply = await hear(world.house, Inbound(Kind.CLICK, actor, where, f"k-{token}", token=token))
    await world.settle()
    return reply


def shown_at(world: World, actor: Actor) -> str:
    return "\n".join(str(shown.card) for shown in world.chat.shown if shown.place.channel == f"D-{actor.user}")


async def test_a_manager_of_two_clients_opens_a_case_for_the_one_whose_workspace_it_is(places: World) -> None:
    await places.types("maria", "/offboard Jane Doe")
    await types(places, MARIA_AT_FABRIKAM, "/offboard Jane Doe")
    rows = [places.house.roster.client(case.client) for case in await places.cases()]
    assert [client.id for client in rows if client] == ["contoso", "fabrikam"]


async def test_from_one_clients_workspace_nothing_of_the_other_client_is_seen(places: World) -> None:
    await submits(places)
    assert (await types(places, MARIA_AT_FABRIKAM, "/offboard-status 1")).line == "I have no case '1' for you."
    assert (await types(places, MARIA_AT_FABRIKAM, "/offboard-status")).line.startswith("You have no cases.")
    await types(places, MARIA_AT_FABRIKAM, "/offboard Sean")
    await types(places, MARIA_AT_FABRIKAM, "/offboard Jane Doe")
    await types(places, MARIA_AT_FABRIKAM, "/offboard-status")
    there = [one for one in places.chat.shown if one.place.channel == f"D-{MARIA_AT_FABRIKAM.user}"]
    [listed] = [words(one.card) for one in there if one.card.title == "Your cases"]
    assert "Fabrikam Inc" in listed
    assert "Contoso Ltd" not in listed, "the list is drawn with the rights of the chat it stands in"
    assert listed.count("(Open)") == 2


async def test_a_button_of_one_client_pressed_from_the_others_workspace_does_nothing(places: World) -> None:
    await says_now(places)
    token, where = places.button("maria", "Submit")
    refused = await presses(places, MARIA_AT_FABRIKAM, token, where)
    assert "not for you" in refused.line
    await places.clicks("maria", "Submit")
    await places.clicks("sam", "Approve")


async def test_a_technician_is_none_in_a_clients_workspace(places: World, toys: ToyWorld) -> None:
    assert (await types(places, PRIYA_AT_CONTOSO, "/offboard Jane Doe")).line == NOT_FROM_HERE
    await submits(places)
    assert (await types(places, PRIYA_AT_CONTOSO, "/offboard-status 1")).line == "I have no case '1' for you."
    token, where = places.button("priya", "Approve")
    assert "needs a technician" in (await presses(places, PRIYA_AT_CONTOSO, token, where)).line
    assert shown_at(places, PRIYA_AT_CONTOSO) == ""
    await places.clicks("priya", "Approve")


async def test_in_the_providers_own_workspace_everybody_is_who_they_are(places: World) -> None:
    assert places.house.roster.who(Actor("slack", "T-MSP", "ada")) == places.house.roster.person("ada")
    await places.types("sam", "/offboard Jane Doe")
    assert "Fabrikam Inc" in str(places.card("sam").card)
    assert "Contoso Ltd" in str(places.card("sam").card)


async def test_a_workspace_that_is_nobodys_makes_a_stranger_of_everybody(tmp_path: Path, toys: ToyWorld) -> None:
    less = {name: whose for name, whose in BOUND.items() if name != "slack/T-CONTOSO"}
    world = await World.build(tmp_path, (Toy(toys),), bound().model_copy(update={"bound": less}))
    assert (await world.types("maria", "/offboard Jane Doe")).line.startswith("I don't know you yet.")
    assert world.seen_by("maria") == []
    await world.close()


async def test_a_workspace_of_several_clients_serves_each_of_them(tmp_path: Path, toys: ToyWorld) -> None:
    group = {**BOUND, "slack/T-CONTOSO": ("contoso", "fabrikam")}
    world = await World.build(tmp_path, (Toy(toys),), bound().model_copy(update={"bound": group}))
    await world.types("maria", "/offboard Jane Doe")
    await world.clicks("maria", "Continue", values={"client": "fabrikam"})
    await world.clicks("maria", "Jane Doe")
    assert [case.client for case in await world.cases()] == ["fabrikam"]
    await world.close()


async def test_where_no_workspace_is_bound_everything_is_as_configured_for_people(places: World) -> None:
    people = bound().model_copy(update={"bound": {}})
    assert people.who(PRIYA_AT_CONTOSO) == people.person("priya")
    elsewhere = bound().model_copy(update={"bound": {"teams/tenant": ("contoso",)}})
    assert elsewhere.who(PRIYA_AT_CONTOSO) == elsewhere.person("priya"), "another platform's are another matter"


def test_what_a_person_may_is_left_behind_unless_it_is_that_clients() -> None:
    person = (
        bound()
        .people[0]
        .model_copy(
            update={
                "technician": True,
                "admin": True,
                "billing": True,
                "sees_all": ("contoso", "fabrikam"),
                "directory": {"contoso": "c", "fabrikam": "f"},
                "mail": "m@example.com",
            }
        )
    )
    there = person.seen_from(("fabrikam",))
    kept = {name for name in type(there).model_fields if getattr(there, name) != type(there).model_fields[name].default}
    assert kept == {"id", "name", "identities", "manages", "sees_all", "directory", "mail"}
    assert there.belongs_to == {"fabrikam"}
