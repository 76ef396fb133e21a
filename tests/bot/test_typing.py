"""Somebody types a name and picks from what is found, over the wire: Slack's block_suggestion, Teams' search."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast
from urllib.parse import urlencode

import pytest
from aiohttp import web
from pydantic import JsonValue

from bot.app import Ears
from bot.lab import teams_cards
from bot.lab.fake_slack import FakeSlack
from bot.lab.slack_limits import read
from bot.slack.chat import SlackChat
from bot.slack.edge import slack_routes
from bot.teams.edge import NOT_CONNECTED
from handlers.conversation import Actor, Option, Place
from tests.bot.cards import PERSON
from tests.bot.conftest import SECRET, ToldHouse
from tests.bot.conftest import World as SlackWorld
from tests.bot.teams import CONTOSO, FABRIKAM, MARIA, MARIAS, STRANGER, TeamsWorld, teams_world
from tests.toy import Toy, ToyWorld
from tests.world import World as HouseWorld
from tests.world import roster

MARA = Actor("slack", "T0CONTOSO", "U0MARA")
TECHS = Place("slack", "T0PROVIDER", "C0TECHS")
ZOE = Option("zoe@contoso.com", "Zoe *Zander*, <!here> (zoe@contoso.com)")


@pytest.fixture
async def teams(tmp_path: Path) -> AsyncIterator[TeamsWorld]:
    async with teams_world(tmp_path) as world:
        world.teams.installed.add((CONTOSO, MARIA))
        await world.chat.post(await world.chat.private(MARIAS), PERSON)
        yield world


# --- Slack ------------------------------------------------------------------------------------------


async def test_letters_in_slack_are_asked_by_the_fields_token_and_whoever_is_picked_comes_with_the_press(
    world: SlackWorld,
) -> None:
    world.house.people = (ZOE,)
    await world.chat.post(await world.chat.private(MARA), PERSON)
    [shown] = world.slack.private("U0MARA")
    assert await world.slack.looks_up("U0MARA", shown, "picked", "z") == []
    assert world.house.typed == [], "Slack waits for the second letter"
    text: JsonValue = {"type": "plain_text", "text": ZOE.label, "emoji": False}
    assert await world.slack.looks_up("U0MARA", shown, "picked", "zo") == [{"text": text, "value": ZOE.id}]
    assert world.house.typed == [(MARA, "token-look", "zo")]
    assert world.house.heard == []
    await world.slack.clicks("U0MARA", shown, "Find", {"picked": ZOE.id})
    assert [(heard.token, heard.values) for heard in world.house.heard] == [
        ("token-find", {"picked": ZOE.id, "somebody": ""})
    ]


async def test_slack_is_told_that_nobody_was_found(world: SlackWorld) -> None:
    await world.chat.post(await world.chat.private(MARA), PERSON)
    [shown] = world.slack.private("U0MARA")
    payload = world.slack.suggestion_payload("U0MARA", shown, "picked", "zo")
    answer = await world.slack.deliver(urlencode({"payload": json.dumps(payload)}).encode())
    assert (answer.status, json.loads(answer.body)) == (200, {"options": []})


async def test_somebody_of_another_company_types_as_themselves(world: SlackWorld) -> None:
    await world.chat.post(TECHS, PERSON)
    await world.slack.looks_up("U0STRANGER", world.slack.messages("C0TECHS")[0], "picked", "zoe")
    assert [actor for actor, _, _ in world.house.typed] == [Actor("slack", "T0FABRIKAM", "U0STRANGER")]


@pytest.mark.parametrize("missing", ["user", "home", "id", "block_id", "block", "token", "kind"])
async def test_letters_that_do_not_say_whose_they_are_find_nobody(world: SlackWorld, missing: str) -> None:
    world.house.people = (ZOE,)
    await world.chat.post(TECHS, PERSON)
    payload = world.slack.suggestion_payload("U0TECH", world.slack.messages("C0TECHS")[0], "picked", "zoe")
    if missing in {"home", "id"}:
        payload["user"] = {"id": "U0TECH"} if missing == "home" else {"team_id": "T0PROVIDER"}
    elif missing in {"block", "token"}:
        payload["block_id"] = "field:picked:0" if missing == "block" else "suggest:"
    elif missing == "kind":
        payload |= {"type": "dialog_suggestion", "callback_id": "c"}
    else:
        del payload[missing]
    answer = await world.slack.deliver(urlencode({"payload": json.dumps(payload)}).encode())
    assert answer.status in {200, 404}
    assert "zoe" not in answer.body
    assert world.house.typed == []


async def test_letters_from_a_workspace_without_the_app_are_not_looked_up(world: SlackWorld) -> None:
    await world.chat.post(TECHS, PERSON)
    payload = world.slack.suggestion_payload("U0STRANGER", world.slack.messages("C0TECHS")[0], "picked", "zoe")
    payload["team"] = {"id": "T0FABRIKAM", "domain": "fabrikam"}
    await world.slack.deliver(urlencode({"payload": json.dumps(payload)}).encode())
    assert world.house.typed == []


async def test_a_look_up_that_fails_in_slack_finds_nobody_and_its_error_is_not_logged(
    world: SlackWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.house.error = RuntimeError("could not read Zoe Zander")
    await world.chat.post(await world.chat.private(MARA), PERSON)
    with caplog.at_level(logging.DEBUG):
        assert await world.slack.looks_up("U0MARA", world.slack.private("U0MARA")[0], "picked", "zoe") == []
    assert "RuntimeError" in caplog.text
    for secret in ("Zoe", "zoe", "token-look"):
        assert secret not in caplog.text


# --- Teams ------------------------------------------------------------------------------------------


async def test_letters_in_teams_are_asked_by_the_fields_token_and_whoever_is_picked_comes_with_the_press(
    teams: TeamsWorld,
) -> None:
    teams.house.people = (ZOE,)
    [shown] = teams.teams.private(CONTOSO, MARIA)
    found = await teams.teams.looks_up(CONTOSO, MARIA, shown, "picked", "zo")
    assert found == [{"title": ZOE.label, "value": ZOE.id}]
    assert teams.house.typed == [(MARIAS, "token-look", "zo")]
    assert teams.house.heard == []
    await teams.teams.presses(CONTOSO, MARIA, shown, "Find", {"picked": ZOE.id})
    assert [(heard.token, heard.values) for heard in teams.house.heard] == [("token-find", {"picked": ZOE.id})]
    with pytest.raises(LookupError, match="can't be picked"):
        await teams.teams.presses(CONTOSO, MARIA, shown, "Find", {"picked": "theo@contoso.com"})


async def test_teams_is_answered_in_its_own_shape_with_no_more_than_it_shows(teams: TeamsWorld) -> None:
    teams.house.people = tuple(Option(f"{number}@contoso.com", f"Jane {number} {'x' * 200}") for number in range(40))
    search = teams.teams.search(CONTOSO, MARIA, teams.teams.private(CONTOSO, MARIA)[0], "picked", "ja")
    answer = (await teams.teams.deliver(search)).json
    assert (answer["statusCode"], answer["type"]) == (200, "application/vnd.microsoft.search.searchResponse")
    value = answer["value"]
    assert isinstance(value, dict)
    results = value["results"]
    assert isinstance(results, list)
    assert len(results) == 15
    assert max(len(str(one["title"])) for one in results if isinstance(one, dict)) == 150


@pytest.mark.parametrize(
    "value",
    [
        None,
        "zoe",
        {},
        {"queryText": "zoe"},
        {"queryText": "zoe", "dataset": 7},
        {"queryText": "zoe", "dataset": "t" * 1_001},
        {"queryText": "z" * 4_001, "dataset": "token-look"},
    ],
)
async def test_a_search_nobody_can_read_finds_nobody(teams: TeamsWorld, value: JsonValue) -> None:
    teams.house.people = (ZOE,)
    search = teams.teams.search(CONTOSO, MARIA, teams.teams.private(CONTOSO, MARIA)[0], "picked", "zoe")
    answer = await teams.teams.deliver(search | {"value": value})
    assert (answer.status, answer.json["value"]) == (200, {"results": []})
    assert teams.house.typed == []


@pytest.mark.parametrize("change", [{"from": {"id": "29:x", "name": "Maria"}}, {"conversation": {}}])
async def test_a_search_that_does_not_say_whose_it_is_finds_nobody(
    teams: TeamsWorld, change: dict[str, JsonValue]
) -> None:
    search = teams.teams.search(CONTOSO, MARIA, teams.teams.private(CONTOSO, MARIA)[0], "picked", "zoe")
    assert (await teams.teams.deliver(search | change)).json["value"] == {"results": []}
    assert teams.house.typed == []


async def test_there_is_no_further_page(teams: TeamsWorld) -> None:
    search = teams.teams.search(CONTOSO, MARIA, teams.teams.private(CONTOSO, MARIA)[0], "picked", "zoe")
    value: JsonValue = {"queryText": "zoe", "dataset": "token-look", "queryOptions": {"skip": 15, "top": 15}}
    await teams.teams.deliver(search | {"value": value})
    assert teams.house.typed == [(MARIAS, "token-look", "")]


async def test_another_tenants_letters_are_not_looked_up(teams: TeamsWorld) -> None:
    search = teams.teams.search(FABRIKAM, STRANGER, teams.teams.private(CONTOSO, MARIA)[0], "picked", "zoe")
    answer = await teams.teams.deliver(search)
    assert NOT_CONNECTED in answer.body
    assert teams.house.typed == []


async def test_a_look_up_that_fails_in_teams_finds_nobody_and_its_error_is_not_logged(
    teams: TeamsWorld, caplog: pytest.LogCaptureFixture
) -> None:
    teams.house.error = RuntimeError("could not read Zoe Zander")
    with caplog.at_level(logging.DEBUG):
        shown = teams.teams.private(CONTOSO, MARIA)[0]
        assert await teams.teams.looks_up(CONTOSO, MARIA, shown, "picked", "zoe") == []
    assert "RuntimeError" in caplog.text
    for secret in ("Zoe", "zoe", "token-look"):
        assert secret not in caplog.text


# --- the whole way, with a house that really looks ----------------------------------------------------


async def test_maria_finds_the_leaver_in_slack_by_three_letters_and_confirms_them(
    tmp_path: Path, toys: ToyWorld
) -> None:
    toys.add("Zoe Zander", "Reception")
    slack = FakeSlack(SECRET)
    slack.workspace("T-CONTOSO", "contoso", token="xoxb-contoso")
    slack.person("T-CONTOSO", "maria", "maria")
    slack.person("T-CONTOSO", "noor", "noor")
    base = await slack.start()
    world = await HouseWorld.build(tmp_path, (Toy(toys),), roster())
    chat = SlackChat({"T-CONTOSO": lambda: "xoxb-contoso"}, base_url=base)
    world.house.chats = {"slack": chat}
    app = web.Application()
    edge = slack_routes(app, Ears(world.house), chat, signing_secret=SECRET, commands=("offboard",))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.bot_url = "http://{}:{}/slack/events".format(*runner.addresses[0][:2])
    try:
        await slack.types("maria", "/offboard Somebody Else")
        await world.settle()
        [shown] = slack.private("maria")
        assert await slack.looks_up("noor", shown, "picked", "zoe") == [], "it is Maria's case"
        [option] = await slack.looks_up("maria", shown, "picked", "zoe")
        await slack.clicks("maria", shown, "Search", {"picked": str(option["value"])})
        await edge.settle()
        await world.settle()
        [shown] = slack.private("maria")
        assert "Is this the person who leaves?" in read(shown)
        await slack.clicks("maria", shown, "Zoe Zander, Reception (zoe.zander@toy.example)")
        await world.settle()
        assert (await world.cases())[0].leaver["name"] == "Zoe Zander"
        assert await slack.looks_up("maria", shown, "picked", "zoe") == [], "the card has gone on"
    finally:
        await edge.settle()
        await chat.close()
        await runner.cleanup()
        await slack.stop()
        await world.close()


async def test_maria_finds_the_leaver_in_teams_by_three_letters_and_confirms_them(
    tmp_path: Path, toys: ToyWorld
) -> None:
    toys.add("Zoe Zander", "Reception")
    known = roster()
    people = [
        one.model_copy(update={"identities": (str(MARIAS),)}) if one.id == "maria" else one for one in known.people
    ]
    world = await HouseWorld.build(tmp_path, (Toy(toys),), known.model_copy(update={"people": tuple(people)}))
    try:
        async with teams_world(tmp_path, house=cast("ToldHouse", Ears(world.house))) as there:
            world.house.chats = {"teams": there.chat}
            await there.teams.types(CONTOSO, MARIA, "offboard Somebody Else")
            await world.settle()
            shown = there.teams.private(CONTOSO, MARIA)[-1]
            [found] = await there.teams.looks_up(CONTOSO, MARIA, shown, "picked", "zoe")
            await there.teams.presses(CONTOSO, MARIA, shown, "Search", {"picked": str(found["value"])})
            await there.edge.settle()
            await world.settle()
            shown = there.teams.private(CONTOSO, MARIA)[-1]
            assert "Is this the person who leaves?" in teams_cards.read(shown)
            await there.teams.presses(CONTOSO, MARIA, shown, "Zoe Zander, Reception (zoe.zander@toy.example)")
            await there.edge.settle()
            await world.settle()
            assert (await world.cases())[0].leaver["name"] == "Zoe Zander"
            assert await there.teams.looks_up(CONTOSO, MARIA, shown, "picked", "zoe") == [], "the card has gone on"
    finally:
        await world.close()
