"""A conversation in Teams over the wire: what is heard, what is answered, and what never is."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from bot.lab.teams_cards import Shown, buttons, read
from bot.teams.cards import adaptive_card
from bot.teams.edge import (
    IN_PRIVATE,
    NOT_CONNECTED,
    NOT_HERE,
    NOT_KNOWN,
    NOT_OURS,
    NOT_PLACED,
    NOT_REACHED,
    NOT_REVEALED,
    NOTED,
)
from bot.teams.wire import CARD
from handlers.conversation import (
    Actor,
    Card,
    ChatError,
    Field,
    Inbound,
    Kind,
    Option,
    Place,
    Reply,
    Section,
    text,
)
from tests.bot.cards import APPROVAL, PROGRESS, QUESTION
from tests.bot.conftest import ToldHouse
from tests.bot.teams import (
    CONTOSO,
    FABRIKAM,
    HOME,
    MARIA,
    MARIAS,
    SECRET,
    STRANGER,
    THEO,
    MemoryHomes,
    TeamsWorld,
    teams_world,
)

Json = dict[str, JsonValue]
ERROR = "application/vnd.microsoft.error"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[TeamsWorld]:
    async with teams_world(tmp_path) as world:
        yield world


async def asked(world: TeamsWorld, card: Card = QUESTION) -> Shown:
    """That card, in Maria's chat with the bot."""
    world.teams.installed.add((CONTOSO, MARIA))
    await world.chat.post(await world.chat.private(MARIAS), card)
    return world.teams.private(CONTOSO, MARIA)[-1]


# --- what is heard ----------------------------------------------------------------------------------


async def test_a_message_in_the_personal_chat_is_a_command_and_answered_there(world: TeamsWorld) -> None:
    world.house.reply = Reply("Case 1042: **look** [here](http://evil.example) & <b>there</b>")
    answer = await world.teams.types(CONTOSO, MARIA, "offboard Jane Doe")
    assert (answer.status, answer.body) == (200, "")
    [heard] = world.house.heard
    [chat] = [one.id for one in world.teams.conversations.values() if one.user == MARIA]
    assert heard == Inbound(
        kind=Kind.COMMAND,
        actor=MARIAS,
        where=Place("teams", CONTOSO, chat, private=True),
        dedupe=f"teams:{chat}:f:000001",
        command="offboard",
        text="Jane Doe",
    )
    await world.edge.settle()
    [line] = world.teams.private(CONTOSO, MARIA)
    assert read(line) == world.house.reply.line
    assert world.teams.calls[-1][2]["textFormat"] == "plain"
    assert "1042" not in line.summary


@pytest.mark.parametrize(
    ("said", "command", "text"),
    [
        ("status", "offboard-status", ""),
        ("status Jane", "offboard-status", "Jane"),
        ("offboard-status Jane", "offboard-status", "Jane"),
        ("/offboard Jane Doe", "offboard", "Jane Doe"),
        ("  OffBoard\u00a0\u00a0Jane \n Doe ", "offboard", "Jane Doe"),
        ("offboard:\u200b Jane Doe", "offboard", "Jane Doe"),
        ("<at>Offboard</at>&nbsp;offboard Jane", "offboard", "Jane"),
        ("<at>Offboard</at> <at>Jane Doe</at>", "help", ""),
        ("<at id='0'>Off board</at> offboard <at>Jane Doe</at>", "offboard", "Jane Doe"),
        ("<p>offboard <b>Jane</b>&nbsp;O&#39;Neill &amp; co</p>", "offboard", "Jane O'Neill & co"),
        ("doctor", "offboard-doctor", ""),
        ("/offboard-doctor contoso", "offboard-doctor", "contoso"),
        ("offboard", "offboard", ""),
        ("help", "help", ""),
        ("good morning", "help", ""),
        ("offboarding Jane", "help", ""),
        ("", "help", ""),
        ("<", "help", ""),
        ("\u202eoffboard Jane", "offboard", "Jane"),
        ("offboard " + "x" * 100_000, "offboard", "x" * 3_991),
    ],
)
async def test_the_first_word_is_the_command_whatever_is_around_it(
    world: TeamsWorld, said: str, command: str, text: str
) -> None:
    await world.teams.types(CONTOSO, MARIA, said)
    [heard] = world.house.heard
    assert (heard.command, heard.text) == (command, text)


async def test_only_the_mention_of_the_bot_itself_is_left_out(world: TeamsWorld) -> None:
    said = world.teams.activity("message", HOME, THEO, world.techs.channel)
    people: list[JsonValue] = [
        {"type": "mention", "mentioned": {"id": f"29:{MARIA}"}, "text": "<at>Jane Doe</at>"},
        {"type": "mention", "mentioned": {"id": f"28:{world.teams.app_id}"}, "text": "<at>Offboard</at>"},
        {"type": "clientInfo", "locale": "en-GB"},
        "not even an entity",
    ]
    said |= {"text": "offboard <at>Jane Doe</at> <at>Offboard</at>", "entities": people}
    await world.teams.deliver(said)
    assert (world.house.heard[0].command, world.house.heard[0].text) == ("offboard", "Jane Doe")


async def test_a_message_in_the_msps_channel_is_not_private_and_its_answer_is(world: TeamsWorld) -> None:
    world.house.reply = Reply("I have no case 'Jane Doe' for you.")
    world.teams.installed.add((HOME, THEO))
    await world.teams.types(HOME, THEO, "status Jane Doe", world.techs.channel)
    await world.edge.settle()
    [heard] = world.house.heard
    assert not heard.where.private
    assert [read(one) for one in world.teams.shown(world.techs.channel)] == [IN_PRIVATE]
    assert [read(one) for one in world.teams.private(HOME, THEO)] == [world.house.reply.line]


async def test_in_a_channel_of_a_client_nothing_is_said_and_nothing_done(world: TeamsWorld) -> None:
    channel = world.teams.channel(CONTOSO, "everybody")
    await world.teams.types(CONTOSO, MARIA, "offboard Jane Doe", channel)
    await world.edge.settle()
    assert world.house.heard == []
    assert world.teams.shown(channel) == []
    assert [read(one) for one in world.teams.private(CONTOSO, MARIA)] == [NOT_HERE]


@pytest.mark.parametrize("kind", ["groupChat", "channel", "", "meeting"])
async def test_only_a_chat_between_two_is_private(world: TeamsWorld, kind: str) -> None:
    said = world.teams.activity("message", HOME, THEO, world.techs.channel) | {"text": "status"}
    said["conversation"] = {"id": world.techs.channel, "conversationType": kind}
    await world.teams.deliver(said)
    assert [one.where.private for one in world.house.heard] == [False]


async def test_a_press_is_heard_with_its_token_and_fields_and_answered_with_the_next_card(world: TeamsWorld) -> None:
    shown = await asked(world)
    world.house.reply, world.house.cards["card-7"] = Reply(card="card-7"), PROGRESS
    answer = await world.teams.presses(CONTOSO, MARIA, shown, "At that time", {"zone": "America/New York"})
    assert answer.status == 200
    assert (answer.json["statusCode"], answer.json["type"]) == (200, "application/vnd.microsoft.card.adaptive")
    [heard] = world.house.heard
    assert (heard.kind, heard.actor, heard.token) == (Kind.CLICK, MARIAS, "token-at")
    assert heard.where == Place("teams", CONTOSO, shown.conversation, private=True)
    assert heard.values == {"zone": "us", "note": "She has the van."}
    await world.edge.settle()
    [redrawn] = world.teams.private(CONTOSO, MARIA)
    assert read(redrawn).startswith("Jane Doe is being locked out")
    assert world.teams.views[MARIA, shown.id] == redrawn.card
    assert [read(one) for one in redrawn.edits] == [read(shown)]


async def test_the_card_in_the_answer_is_as_small_as_it_was_measured_whatever_its_letters(world: TeamsWorld) -> None:
    name = "Жанна Ковальчук"
    shown, card = await asked(world), replace(PROGRESS, title=name)
    world.house.reply, world.house.cards["card-7"] = Reply(card="card-7"), card
    answer = await world.teams.presses(CONTOSO, MARIA, shown, "Now")
    assert name in answer.body
    assert json.loads(answer.body)["value"] == adaptive_card(card)


async def test_the_answer_does_not_wait_for_the_edit_that_everybody_else_sees(world: TeamsWorld) -> None:
    shown = await asked(world)
    world.teams.delay("update", 1.5)
    world.house.reply, world.house.cards["c"] = Reply(card="c"), PROGRESS
    await asyncio.wait_for(world.teams.presses(CONTOSO, MARIA, shown, "Now"), 0.4)
    assert (MARIA, shown.id) in world.teams.views
    assert read(world.teams.private(CONTOSO, MARIA)[0]) == read(shown)
    await world.teams.until(lambda: buttons(world.teams.private(CONTOSO, MARIA)[0]) == [])


class Stuck(ToldHouse):
    """Answers every press at once, but for those at a time."""

    def __init__(self) -> None:
        super().__init__(reply=Reply(card="c"), cards={"c": PROGRESS})
        self.reached, self.freed = asyncio.Event(), asyncio.Event()

    async def hear(self, inbound: Inbound) -> Reply:
        if inbound.token == "token-at":
            self.reached.set()
            await self.freed.wait()
        return await super().hear(inbound)


async def test_an_edit_lets_a_press_go_first_that_has_no_answer_yet(tmp_path: Path) -> None:
    house = Stuck()
    async with teams_world(tmp_path, house=house) as world:
        shown = await asked(world)
        waiting = asyncio.create_task(world.teams.presses(CONTOSO, MARIA, shown, "At that time", {}))
        await house.reached.wait()
        answer = await world.teams.presses(CONTOSO, MARIA, shown, "Now")
        assert answer.json["type"] == CARD
        await asyncio.sleep(0.1)
        assert read(world.teams.private(CONTOSO, MARIA)[0]) == read(shown)
        house.freed.set()
        await waiting
        await world.edge.settle()
        assert read(world.teams.private(CONTOSO, MARIA)[0]).startswith("Jane Doe is being locked out")


async def test_an_edit_waits_for_no_press_for_long(tmp_path: Path) -> None:
    house = Stuck()
    async with teams_world(tmp_path, house=house) as world:
        world.edge.gives_way = 0.05
        shown = await asked(world)
        waiting = asyncio.create_task(world.teams.presses(CONTOSO, MARIA, shown, "At that time", {}))
        await house.reached.wait()
        await world.teams.presses(CONTOSO, MARIA, shown, "Now")
        await world.teams.until(lambda: buttons(world.teams.private(CONTOSO, MARIA)[0]) == [])
        house.freed.set()
        await waiting


async def test_a_card_that_could_not_be_drawn_with_the_press_is_noted_and_comes_by_edit(tmp_path: Path) -> None:
    class Late(ToldHouse):
        async def hear(self, inbound: Inbound) -> Reply:
            return Reply(card="c")

    async with teams_world(tmp_path, house=Late(cards={"c": PROGRESS})) as world:
        await world.teams.presses(CONTOSO, MARIA, await asked(world), "Now")
        assert world.teams.whispers[MARIA] == [NOTED]
        await world.edge.settle()
        assert buttons(world.teams.private(CONTOSO, MARIA)[0]) == []


async def test_an_edit_that_fails_is_the_senders_again(tmp_path: Path) -> None:
    class Asking(ToldHouse):
        async def answer(self, reply: Reply, show: Callable[[Card], Awaitable[None]]) -> None:
            with pytest.raises(ChatError, match="teams: update: HTTP 502"):
                await show(PROGRESS)
            self.cards["the sender's"] = PROGRESS

    house = Asking(reply=Reply(card="c"), cards={"c": PROGRESS})
    async with teams_world(tmp_path, house=house) as world:
        shown = await asked(world)
        world.teams.fail("update", 502)
        answer = await world.teams.presses(CONTOSO, MARIA, shown, "Now")
        await world.edge.settle()
    assert answer.json["type"] == "application/vnd.microsoft.card.adaptive"
    assert "the sender's" in house.cards, "the house was told that nobody else has seen it"


async def test_a_line_is_the_answer_and_the_card_is_edited_beside_it(world: TeamsWorld) -> None:
    shown = await asked(world)
    world.house.reply, world.house.cards["c"] = Reply("Theo has already approved this.", "c"), PROGRESS
    answer = await world.teams.presses(CONTOSO, MARIA, shown, "Now")
    assert answer.json == {
        "statusCode": 200,
        "type": "application/vnd.microsoft.activity.message",
        "value": "Theo has already approved this.",
    }
    await world.edge.settle()
    assert read(world.teams.private(CONTOSO, MARIA)[0]).startswith("Jane Doe is being locked out")


async def test_a_press_with_nothing_to_say_or_show_is_noted(world: TeamsWorld) -> None:
    await world.teams.presses(CONTOSO, MARIA, await asked(world), "Now")
    assert world.teams.whispers[MARIA] == [NOTED]


async def test_a_press_in_the_channel_edits_the_card_for_everybody(world: TeamsWorld) -> None:
    await world.chat.post(world.techs, APPROVAL)
    [shown] = world.teams.shown(world.techs.channel)
    world.house.reply, world.house.cards["c"] = Reply(card="c"), PROGRESS
    press = world.teams.press(HOME, THEO, shown, "Approve", {})
    # In a thread, Teams names the message behind the channel.
    press["conversation"] = {"id": f"{world.techs.channel};messageid={shown.id}", "conversationType": "channel"}
    await world.teams.deliver(press)
    await world.edge.settle()
    assert not world.house.heard[0].where.private
    assert buttons(world.teams.shown(world.techs.channel)[0]) == []


async def test_what_names_nobody_is_said_where_it_was_asked_for_and_nowhere_else(world: TeamsWorld) -> None:
    world.house.reply = Reply("Case 7: I go on with you in our private chat.", neutral=True)
    world.teams.installed.add((HOME, THEO))
    await world.teams.types(HOME, THEO, "offboard Jane Doe", world.techs.channel)
    await world.edge.settle()
    assert [read(one) for one in world.teams.shown(world.techs.channel)] == [world.house.reply.line]
    assert world.teams.private(HOME, THEO) == []


async def test_commands_are_called_as_they_are_written_in_teams(world: TeamsWorld) -> None:
    paths = "https://x.example/offboard/a C:/offboard/j.pst j@fs1:/offboard/home ~/offboard /offboard/j /offboarding"
    world.house.reply = Reply(
        f"Type /offboard-status, or /offboard and a name. See {paths}. Start anew with /offboard."
    )
    shown = await asked(world)
    await world.teams.types(CONTOSO, MARIA, "help")
    await world.teams.presses(CONTOSO, MARIA, shown, "Now")
    await world.edge.settle()
    line = f"Type offboard-status, or offboard and a name. See {paths}. Start anew with offboard."
    assert read(world.teams.private(CONTOSO, MARIA)[-1]) == line
    assert world.teams.whispers[MARIA] == [line]
    await world.chat.post(
        await world.chat.private(MARIAS), Card("x", "x", None, (Section(body=(text("/offboard x"),)),))
    )
    assert "/offboard" not in read(world.teams.private(CONTOSO, MARIA)[-1])


async def test_an_old_app_presses_by_message_and_is_answered_in_the_chat(world: TeamsWorld) -> None:
    shown = await asked(world)
    world.house.reply, world.house.cards["c"] = Reply("Noted, Maria.", "c"), PROGRESS
    answer = await world.teams.submits(CONTOSO, MARIA, shown, "Now")
    await world.edge.settle()
    assert answer.status == 200
    assert (world.house.heard[0].kind, world.house.heard[0].token) == (Kind.CLICK, "token-now")
    card, line = world.teams.private(CONTOSO, MARIA)
    assert read(card).startswith("Jane Doe is being locked out")
    assert read(line) == "Noted, Maria."


async def test_the_same_delivered_twice_carries_the_same_key_and_another_never_does(world: TeamsWorld) -> None:
    await world.teams.types(CONTOSO, MARIA, "offboard Jane")
    await world.teams.again()
    await world.teams.types(CONTOSO, MARIA, "offboard Jane")
    await world.teams.presses(CONTOSO, MARIA, await asked(world), "Now")
    await world.teams.again()
    first, second, another, press, pressed = world.house.heard
    assert first == second
    assert press == pressed
    assert len({first.dedupe, another.dedupe, press.dedupe}) == 3


async def test_the_house_has_committed_before_teams_is_answered(tmp_path: Path) -> None:
    order = list[str]()

    class Slow(ToldHouse):
        async def hear(self, inbound: Inbound) -> Reply:
            await asyncio.sleep(0.05)
            order.append("committed")
            return Reply()

    async with teams_world(tmp_path, house=Slow()) as world:
        await world.teams.types(CONTOSO, MARIA, "status")
        order.append("answered")
        await world.teams.presses(CONTOSO, MARIA, await asked(world), "Now")
        order.append("answered")
    assert order == ["committed", "answered"] * 2


# --- secrets ----------------------------------------------------------------------------------------


async def test_a_secret_is_shown_to_whoever_pressed_and_never_stands_in_a_message(world: TeamsWorld) -> None:
    await world.chat.post(world.techs, QUESTION)
    [shown] = world.teams.shown(world.techs.channel)

    async def secret() -> str:
        return "Temporary Access Pass: 8f3k-11"

    world.house.reply, world.house.cards["c"] = Reply("Shown once.", "c", secret=secret), PROGRESS
    await world.teams.presses(HOME, THEO, shown, "Now")
    await world.edge.settle()
    assert world.teams.whispers == {THEO: ["Shown once.\nTemporary Access Pass: 8f3k-11"]}
    assert "8f3k-11" not in json.dumps([body for _, _, body in world.teams.calls])


@pytest.mark.parametrize("trouble", ["it fails", "it is slow"])
async def test_a_secret_that_could_not_be_fetched_is_said_and_its_error_is_not(
    world: TeamsWorld, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.edge.revealed_within = 0.05

    async def secret() -> str:
        if trouble == "it is slow":
            await asyncio.sleep(5)
        raise RuntimeError("password=hunter2")

    world.house.reply = Reply(secret=secret)
    await world.teams.presses(CONTOSO, MARIA, await asked(world), "Now")
    assert world.teams.whispers[MARIA] == [NOT_REVEALED]
    assert "hunter2" not in caplog.text


async def test_a_secret_is_not_even_fetched_where_it_would_stand_in_the_chat(world: TeamsWorld) -> None:
    shown = await asked(world)

    async def secret() -> str:
        raise AssertionError("nobody may ask for it")

    world.house.reply = Reply(secret=secret)
    await world.teams.submits(CONTOSO, MARIA, shown, "Now")
    await world.edge.settle()
    assert read(world.teams.private(CONTOSO, MARIA)[-1]) == NOT_REVEALED


# --- what is not heard ------------------------------------------------------------------------------


async def test_another_tenant_gets_one_neutral_answer_and_nothing_is_done(world: TeamsWorld) -> None:
    for _ in range(3):
        assert (await world.teams.types(FABRIKAM, STRANGER, "offboard Jane")).status == 200
    await world.edge.settle()
    assert [read(one) for one in world.teams.private(FABRIKAM, STRANGER)] == [NOT_CONNECTED]
    await world.chat.post(world.techs, APPROVAL)
    answer = await world.teams.presses(FABRIKAM, STRANGER, world.teams.shown(world.techs.channel)[0], "Approve")
    assert (answer.status, answer.json["type"]) == (200, ERROR)
    assert world.teams.whispers[STRANGER] == [NOT_CONNECTED]
    await world.teams.installs(FABRIKAM, STRANGER)
    assert world.house.heard == []
    assert all(tenant != FABRIKAM for tenant, _ in world.homes.kept)


@pytest.mark.parametrize(
    "missing", ["no tenant", "another tenant", "another home", "no person", "no guid", "no conversation", "no id"]
)
async def test_what_does_not_say_who_did_it_and_where_is_not_heard(world: TeamsWorld, missing: str) -> None:
    shown = await asked(world)
    changed: dict[str, Json] = {
        "no tenant": {"channelData": {}},
        "another tenant": {"conversation": {"id": shown.conversation, "tenantId": FABRIKAM}},
        "another home": {"from": {"id": "29:x", "aadObjectId": MARIA, "tenantId": FABRIKAM}},
        "no person": {"from": {"id": "29:x", "name": "Maria"}},
        "no guid": {"from": {"id": "29:x", "aadObjectId": "maria"}},
        "no conversation": {"conversation": {}},
        "no id": {"id": ""},
    }
    press = world.teams.press(CONTOSO, MARIA, shown, "Now", {}) | changed[missing]
    said = world.teams.activity("message", CONTOSO, MARIA, shown.conversation) | {"text": "status"} | changed[missing]
    pressed, typed = await world.teams.deliver(press), await world.teams.deliver(said)
    await world.edge.settle()
    assert (pressed.status, pressed.json["statusCode"], pressed.json["type"]) == (200, 400, ERROR)
    assert NOT_PLACED in pressed.body
    assert typed.status == 200
    assert world.house.heard == []
    personal = missing in {"no person", "no guid", "no id"}
    assert [read(one) for one in world.teams.private(CONTOSO, MARIA)[1:]] == ([NOT_PLACED] if personal else [])


@pytest.mark.parametrize(
    "value",
    [
        {},
        None,
        [],
        "press",
        {"action": None},
        {"action": {"verb": "press"}},
        {"action": {"verb": "press", "data": "token"}},
        {"action": {"verb": "press", "data": {}}},
        {"action": {"verb": "press", "data": {"token": 7}}},
        {"action": {"verb": "press", "data": {"token": ""}}},
        {"action": {"verb": "press", "data": {"token": "x" * 2_000}}},
        {"action": {"verb": "pull", "data": {"token": "token-now"}}},
        {"action": {"data": {"token": "token-now"}}},
        {"action": {"verb": "press", "data": {"token": "t", "note": "x" * 5_000}}},
        {"action": {"verb": "press", "data": {"token": "t", **{f"f{number}": "x" for number in range(100)}}}},
    ],
)
async def test_a_press_that_is_none_of_ours_is_a_clear_answer_and_never_heard(
    world: TeamsWorld, value: JsonValue
) -> None:
    shown = await asked(world)
    answer = await world.teams.deliver(world.teams.press(CONTOSO, MARIA, shown, "Now", {}) | {"value": value})
    assert answer.status == 200
    assert answer.json == {
        "statusCode": 400,
        "type": ERROR,
        "value": {"code": "BadRequest", "message": NOT_OURS},
    }
    assert world.house.heard == []


async def test_values_that_are_no_strings_are_left_out(world: TeamsWorld) -> None:
    press = world.teams.press(CONTOSO, MARIA, await asked(world), "Now", {})
    data: Json = {"token": "token-now", "date": "x", "zone": 7, "note": {"a": 1}, "list": ["x"], "msteams": {}}
    action: Json = {"verb": "press", "data": data}
    press["value"] = {"action": action}
    await world.teams.deliver(press)
    assert world.house.heard[0].values == {"date": "x"}


@pytest.mark.parametrize("name", ["composeExtension/query", "task/fetch", "", None, 7])
async def test_an_invoke_nobody_knows_is_a_clear_answer(world: TeamsWorld, name: JsonValue) -> None:
    await asked(world)
    invoke = world.teams.activity("invoke", CONTOSO, MARIA, world.teams.private(CONTOSO, MARIA)[0].conversation)
    answer = await world.teams.deliver(invoke | {"name": name, "value": {}})
    assert (answer.status, answer.json["type"]) == (200, ERROR)
    assert NOT_KNOWN in answer.body


async def test_a_search_while_somebody_types_finds_nothing_yet(world: TeamsWorld) -> None:
    invoke = world.teams.activity("invoke", CONTOSO, MARIA, world.teams.chat_of(CONTOSO, MARIA)) | {
        "name": "application/search",
        "value": {},
    }
    answer = await world.teams.deliver(invoke)
    assert answer.json == {
        "statusCode": 200,
        "type": "application/vnd.microsoft.search.searchResponse",
        "value": {"results": []},
    }


@pytest.mark.parametrize(
    "kind", ["typing", "messageReaction", "messageUpdate", "messageDelete", "event", "endOfConversation", "", "x" * 500]
)
async def test_anything_else_is_ignored(world: TeamsWorld, kind: str) -> None:
    said = world.teams.activity(kind, CONTOSO, MARIA, world.teams.chat_of(CONTOSO, MARIA)) | {"text": "offboard Jane"}
    answer = await world.teams.deliver(said)
    assert (answer.status, answer.body, world.house.heard) == (200, "", [])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'"x"', b"\xff\xfe", b"[" * 100_000, b"x" * 300_000])
async def test_a_signed_body_nobody_can_read_is_a_bad_request(world: TeamsWorld, body: bytes) -> None:
    token = world.teams.signer.token(world.teams.app_id, world.teams.service_url)
    assert (await world.teams.post(body, token)).status == 400
    assert world.house.heard == []


@pytest.mark.parametrize("name", ["id", "type", "from", "conversation", "channelData", "recipient", "text", "entities"])
@pytest.mark.parametrize("value", [None, 7, "x", [], {}, [{"type": "mention"}], {"tenant": []}])
async def test_no_shape_of_an_activity_is_an_error_of_ours(world: TeamsWorld, name: str, value: JsonValue) -> None:
    for kind in ("message", "invoke", "conversationUpdate", "installationUpdate"):
        said = world.teams.activity(kind, CONTOSO, MARIA, world.teams.chat_of(CONTOSO, MARIA)) | {
            "text": "status",
            "name": "adaptiveCard/action",
        }
        answer = await world.teams.deliver(said | {name: value})
        assert answer.status == 200
    await world.edge.settle()


# --- what was not committed -------------------------------------------------------------------------


async def test_what_was_not_committed_says_try_again(world: TeamsWorld, caplog: pytest.LogCaptureFixture) -> None:
    shown = await asked(world)
    world.house.error = RuntimeError("database is locked: Jane Doe")
    typed = await world.teams.types(CONTOSO, MARIA, "offboard Jane Doe")
    pressed = await world.teams.presses(CONTOSO, MARIA, shown, "Now")
    await world.edge.settle()
    assert (typed.status, pressed.status) == (200, 200)
    assert world.teams.whispers[MARIA] == [NOT_REACHED]
    card, line = world.teams.private(CONTOSO, MARIA)
    assert read(line) == NOT_REACHED
    assert buttons(card) == buttons(shown)
    assert "RuntimeError" in caplog.text


async def test_where_somebody_is_reached_is_kept_beside_and_its_failure_stops_nothing(world: TeamsWorld) -> None:
    world.homes.broken = True
    await world.teams.types(CONTOSO, MARIA, "status")
    assert len(world.house.heard) == 1


async def test_no_log_holds_a_word_a_token_or_a_secret(world: TeamsWorld, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        shown = await asked(world)
        world.house.reply = Reply("Jane Doe's case is open", card="nowhere")
        await world.teams.types(CONTOSO, MARIA, "offboard Jane Doe")
        await world.teams.presses(CONTOSO, MARIA, shown, "Now", {"note": "Jane Doe"})
        await world.teams.types(FABRIKAM, STRANGER, "offboard Jane Doe")
        await world.teams.deliver(
            world.teams.activity("message", CONTOSO, MARIA, world.teams.chat_of(CONTOSO, MARIA)) | {"text": "Jane"},
            token="x",
        )
        for status in (400, 403, 413, 500):
            world.teams.fail("send", status, "Jane Doe wrote it")
            world.house.reply = Reply("Jane Doe")
            await world.teams.types(CONTOSO, MARIA, "status Jane Doe")
        await world.edge.settle()
    assert caplog.records, "something is logged"
    for word in ("Jane", "token-now", "bot-token", SECRET, "Bearer ey"):
        assert word not in caplog.text


async def test_an_option_of_a_long_list_arrives_by_its_id(world: TeamsWorld) -> None:
    some = tuple(Option(f"id-{number}", f"Jane {number}") for number in range(150))
    section = Section(fields=(Field("who", "Who", options=some),), buttons=QUESTION.buttons)
    shown = await asked(world, Card("Who?", "n", sections=(section,)))
    await world.teams.presses(CONTOSO, MARIA, shown, "Now", {"who": "Jane 140"})
    assert world.house.heard[0].values == {"who": "id-140"}


# --- installs ---------------------------------------------------------------------------------------


async def test_an_install_is_remembered_and_a_removal_forgotten(world: TeamsWorld) -> None:
    await world.teams.installs(CONTOSO, MARIA)
    assert world.homes.kept[CONTOSO, MARIA][1] == world.teams.service_url
    assert world.homes.kept[CONTOSO, ""] == ("", world.teams.service_url)
    await world.teams.types(CONTOSO, MARIA, "status")
    assert world.homes.writes == 2, "what is known is not written again"
    await world.teams.installs(CONTOSO, MARIA, "remove")
    assert (CONTOSO, MARIA) not in world.homes.kept
    assert [one.command for one in world.house.heard] == ["offboard-status"]


@pytest.mark.parametrize("action", ["add", "add-upgrade", "Add"])
async def test_who_has_the_app_again_is_shown_what_they_missed(world: TeamsWorld, action: str) -> None:
    await world.teams.types(CONTOSO, MARIA, "status")
    world.house.returned.clear()
    await world.teams.installs(CONTOSO, MARIA, action)
    assert world.house.returned == [MARIAS]


async def test_so_is_whose_chat_the_bot_has_come_into(world: TeamsWorld) -> None:
    await world.teams.types(CONTOSO, MARIA, "status")
    world.house.returned.clear()
    await world.teams.joins(CONTOSO, MARIA)
    assert world.house.returned == [MARIAS]


@pytest.mark.parametrize("members", [None, 7, [], [7], [{}], [{"id": 7}], [{"id": f"29:{THEO}"}]])
async def test_another_change_of_a_chat_that_is_known_brings_nobody_back(world: TeamsWorld, members: JsonValue) -> None:
    await world.teams.types(CONTOSO, MARIA, "status")
    world.house.returned.clear()
    update = world.teams.activity("conversationUpdate", CONTOSO, MARIA, world.teams.chat_of(CONTOSO, MARIA))
    await world.teams.deliver(update | {"membersAdded": members})
    assert world.house.returned == []


async def test_who_could_not_be_written_to_is_shown_it_at_their_next_word_and_before_what_they_ask(
    tmp_path: Path,
) -> None:
    order = list[str]()

    class Ordered(ToldHouse):
        async def hear(self, inbound: Inbound) -> Reply:
            order.append(inbound.command or inbound.token)
            return await super().hear(inbound)

        async def back(self, actor: Actor, *, added: bool) -> None:
            assert (actor, added) == (MARIAS, False)
            order.append("back")

    async with teams_world(tmp_path, house=Ordered()) as world:
        shown = await asked(world)
        await world.teams.types(CONTOSO, MARIA, "status")
        await world.teams.presses(CONTOSO, MARIA, shown, "Now")
        assert order == ["back", "offboard-status", "back", "token-now"]


async def test_whoever_was_never_away_costs_nothing_more(tmp_path: Path) -> None:
    class Counted(MemoryHomes):
        asked = 0

        async def find(self, tenant: str, user: str, /) -> tuple[str, str] | None:
            self.asked += 1
            return await super().find(tenant, user)

    homes = Counted()
    async with teams_world(tmp_path, homes=homes) as world:
        shown = await asked(world)
        await world.teams.types(CONTOSO, MARIA, "status")
        before = homes.asked
        await world.teams.types(CONTOSO, MARIA, "status")
        await world.teams.presses(CONTOSO, MARIA, shown, "Now")
        assert homes.asked == before
        assert world.house.returned == []


async def test_it_is_tried_again_at_the_next_word_when_it_could_not_be_shown(tmp_path: Path) -> None:
    class Stumbling(ToldHouse):
        async def back(self, actor: Actor, *, added: bool) -> None:
            await super().back(actor, added=added)
            raise RuntimeError("the disk is full")

    house = Stumbling()
    async with teams_world(tmp_path, house=house) as world:
        for _ in range(2):
            await world.teams.types(CONTOSO, MARIA, "status")
    assert house.greeted == [MARIAS, MARIAS]
    assert len(house.heard) == 2, "what they ask is heard all the same"


async def test_nobody_is_brought_back_by_a_channel_a_removal_or_another_tenant(world: TeamsWorld) -> None:
    await world.teams.types(HOME, THEO, "status", world.techs.channel)
    added = world.teams.activity("installationUpdate", HOME, THEO, world.techs.channel)
    await world.teams.deliver(added | {"action": "add"})
    for action in ("remove", "remove-upgrade"):
        await world.teams.installs(CONTOSO, MARIA)
        world.house.returned.clear()
        await world.teams.installs(CONTOSO, MARIA, action)
        assert (CONTOSO, MARIA) not in world.homes.kept
    await world.teams.installs(FABRIKAM, STRANGER)
    await world.teams.joins(FABRIKAM, STRANGER)
    await world.teams.types(FABRIKAM, STRANGER, "status")
    foreign = world.teams.activity("installationUpdate", FABRIKAM, MARIA, world.teams.chat_of(CONTOSO, MARIA))
    await world.teams.deliver(foreign | {"action": "add"})
    assert world.house.returned == []
