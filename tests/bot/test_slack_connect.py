"""Shared channels: who somebody is says their own workspace, wherever the payload came through and whatever kind it is.

Contoso's and the provider's workspaces have the app; Fabrikam's has not, but shares a channel with them.
"""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from pydantic import JsonValue

from bot.payload import Malformed
from bot.slack.edge import NOT_CONNECTED
from bot.slack.payloads import pressed, removal
from handlers.conversation import Actor, Place
from tests.bot.cards import APPROVAL
from tests.bot.conftest import World

TECHS = Place("slack", "T0PROVIDER", "C0TECHS")
STRANGER = Actor("slack", "T0FABRIKAM", "U0STRANGER")
Json = dict[str, JsonValue]


async def click(world: World, **changed: JsonValue) -> Json:
    """The stranger's click on the provider's card, parts of it changed."""
    await world.chat.post(TECHS, APPROVAL)
    payload = world.slack.click_payload("U0STRANGER", world.slack.messages("C0TECHS")[0], "Approve", {})
    return {**payload, **changed}


async def send(world: World, payload: Json) -> int:
    return (await world.slack.deliver(urlencode({"payload": json.dumps(payload)}).encode())).status


async def event(world: World, **body: JsonValue) -> int:
    sent = {"type": "event_callback", "team_id": "T0PROVIDER", "event_id": "Ev1", **body}
    return (await world.slack.deliver(json.dumps(sent).encode(), content_type="application/json")).status


async def test_a_click_is_the_clickers_own_homes_and_the_place_is_the_installing_workspaces(world: World) -> None:
    assert await send(world, await click(world)) == 200
    [heard] = world.house.heard
    assert heard.actor == STRANGER
    assert heard.where == TECHS


@pytest.mark.parametrize(
    "through",
    [
        {"team": {"id": "T0CONTOSO", "domain": "contoso"}},
        {"is_ext_shared_channel": True},
        {"authorizations": [{"team_id": "T0PROVIDER", "is_bot": True}]},
        {"team_id": "T0PROVIDER", "user_team": "T0PROVIDER"},
        {"view": {"app_installed_team_id": "T0PROVIDER", "team_id": "T0PROVIDER"}},
        {"message": {"type": "message", "team": "T0PROVIDER", "user_team": "T0PROVIDER", "ts": "1"}},
    ],
    ids=["another installation", "shared", "authorizations", "top level", "a view", "the message"],
)
async def test_nothing_else_in_a_click_makes_somebody_of_another_workspace(world: World, through: Json) -> None:
    await send(world, await click(world, **through))
    assert [heard.actor for heard in world.house.heard] == [STRANGER]


@pytest.mark.parametrize(
    "user",
    [
        {"id": "U0STRANGER", "name": "sam"},
        {"id": "U0STRANGER", "team_id": ""},
        {"id": "U0STRANGER", "team_id": None},
        {"id": "U0STRANGER", "team_id": ["T0PROVIDER"]},
        {"team_id": "T0PROVIDER"},
        "U0STRANGER",
    ],
    ids=["no home", "an empty one", "null", "a list", "nobody", "a word"],
)
async def test_a_click_that_does_not_say_whose_is_nobodys(world: World, user: JsonValue) -> None:
    payload = await click(world, user=user)
    with pytest.raises(Malformed):
        pressed(payload)
    await send(world, payload)
    assert world.house.heard == []


async def test_a_home_that_is_an_organisation_is_no_workspace_of_anybodys(world: World) -> None:
    payload = await click(world, user={"id": "U0TECH", "team_id": "E0ORG"})
    await send(world, payload)
    assert [heard.actor for heard in world.house.heard] == [Actor("slack", "E0ORG", "U0TECH")]


async def test_a_command_is_its_typists_homes_also_in_a_shared_channel(world: World) -> None:
    answer = await world.slack.types("U0STRANGER", "/offboard Jane", channel="C0TECHS")
    assert answer.body == NOT_CONNECTED
    await world.slack.types("U0MARA", "/offboard Jane", channel="C0TECHS")
    assert [heard.actor for heard in world.house.heard] == [Actor("slack", "T0CONTOSO", "U0MARA")]


async def test_a_command_without_its_own_home_is_not_given_the_channels(world: World) -> None:
    form = {
        "command": "/offboard",
        "text": "Jane",
        "user_id": "U0STRANGER",
        "channel_id": "C0TECHS",
        "trigger_id": "1",
        "team": '{"id": "T0PROVIDER"}',
        "context_team_id": "T0PROVIDER",
    }
    await world.slack.deliver(urlencode(form).encode())
    assert world.house.heard == []


@pytest.mark.parametrize("kind", ["view_submission", "view_closed", "shortcut", "message_action", "block_suggestion"])
async def test_what_this_bot_never_shows_is_never_heard(world: World, kind: str) -> None:
    payload = await click(world, type=kind, callback_id="press:0")
    payload["view"] = {"id": "V1", "type": "modal", "team_id": "T0FABRIKAM", "app_installed_team_id": "T0PROVIDER"}
    await send(world, payload)
    assert world.house.heard == []


@pytest.mark.parametrize("what", ["message", "app_mention", "app_home_opened"])
async def test_no_event_makes_anybody_do_anything(world: World, what: str) -> None:
    said: Json = {"type": what, "user": "U0TECH", "user_team": "T0FABRIKAM", "team": "T0PROVIDER", "text": "offboard J"}
    assert await event(world, event=said, is_ext_shared_channel=True) == 200
    assert world.house.heard == []


@pytest.mark.parametrize(
    "body",
    [
        {"event": {"type": "app_uninstalled"}, "event_time": 1},
        {"team_id": "T0A", "event": {"type": "app_uninstalled"}},
        {"team_id": "T0A", "event": {"type": "app_uninstalled"}, "event_time": "1"},
        {
            "team_id": "T0A",
            "event_time": 1,
            "event": {"type": "app_uninstalled"},
            "authorizations": [{"team_id": "T0B"}],
        },
        {"team_id": "T0A", "event_time": 1, "event": {"type": "app_uninstalled"}, "authorizations": ["T0A"]},
    ],
    ids=["no workspace", "no time", "no number", "two workspaces", "unreadable"],
)
def test_a_removal_that_does_not_say_where_and_when_removes_nothing(body: Json) -> None:
    with pytest.raises(Malformed):
        removal(body)


def test_a_removal_is_of_the_workspace_the_event_is_about() -> None:
    body: Json = {"team_id": "T0A", "event_time": 7, "event": {"type": "app_uninstalled"}}
    assert removal({**body, "authorizations": [{"team_id": "T0A"}]}) == ("T0A", 7.0)
    assert removal({**body, "authorizations": []}) == ("T0A", 7.0)
