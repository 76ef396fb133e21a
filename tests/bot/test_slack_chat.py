"""Posting, editing and answering in Slack: what goes out, and what comes of refusals."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import jsonschema
import pytest
from pydantic import JsonValue

from bot.lab.fake_slack import FakeSlack
from bot.lab.slack_limits import Shown, read
from bot.slack.chat import SlackChat
from handlers.conversation import Actor, Button, Card, ChatError, Field, Message, Option, Place, Section
from tests.bot.cards import APPROVAL, HOSTILE, PROGRESS, QUESTION
from tests.bot.conftest import World

MARA = Actor("slack", "T0CONTOSO", "U0MARA")
TECHS = Place("slack", "T0PROVIDER", "C0TECHS")


async def test_a_card_is_posted_and_edited_in_place(world: World) -> None:
    message = await world.chat.post(TECHS, APPROVAL)
    await world.chat.update(message, PROGRESS)
    [shown] = world.slack.messages("C0TECHS")
    assert shown.ts == message.id
    assert read(shown).startswith("Jane Doe is being locked out")
    assert read(shown.edits[0]).startswith("Approve the lock-out")
    assert shown.text == "Case 1042 at Contoso: news"


async def test_a_message_unfurls_nothing_mentions_nobody_and_is_not_parsed(world: World) -> None:
    message = await world.chat.post(TECHS, HOSTILE)
    await world.chat.update(message, HOSTILE)
    for _, args in world.slack.calls:
        assert args["text"] == "Case 7 at R&amp;D &lt;@U1&gt;"
        assert (args["parse"], args["link_names"]) == ("none", False)
    assert (world.slack.calls[0][1]["unfurl_links"], world.slack.calls[0][1]["unfurl_media"]) == (False, False)


async def test_the_private_chat_is_asked_for_once_per_person_and_workspace(world: World) -> None:
    first = await world.chat.private(MARA)
    assert first == await world.chat.private(MARA)
    assert first.private
    assert (first.workspace, first.channel[0]) == ("T0CONTOSO", "D")
    await world.chat.private(Actor("slack", "T0PROVIDER", "U0TECH"))
    assert [method for method, _ in world.slack.calls] == ["conversations.open"] * 2


async def test_each_workspace_is_spoken_to_with_its_own_token(world: World) -> None:
    with pytest.raises(ChatError, match="channel_not_found"):
        await world.chat.post(Place("slack", "T0CONTOSO", "C0TECHS"), APPROVAL)


async def test_a_workspace_without_a_token_says_what_to_do(world: World) -> None:
    with pytest.raises(ChatError, match="T0FABRIKAM has no bot token: install the app there") as caught:
        await world.chat.private(Actor("slack", "T0FABRIKAM", "U0STRANGER"))
    assert caught.value.retry_after is None


async def test_a_token_that_cannot_be_read_is_tried_again_and_never_quoted(world: World) -> None:
    def broken() -> str:
        raise LookupError("xoxb-secret")

    chat = SlackChat({"T0CONTOSO": broken})
    with pytest.raises(ChatError, match="check its reference") as caught:
        await chat.private(MARA)
    assert caught.value.retry_after == 60
    assert "xoxb" not in str(caught.value)


async def test_a_token_is_resolved_at_each_call(world: World) -> None:
    tokens = iter(["xoxb-old", "xoxb-contoso"])
    chat = SlackChat({"T0CONTOSO": lambda: next(tokens)}, base_url=f"{world.slack.url}/api/")
    with pytest.raises(ChatError, match="invalid_auth"):
        await chat.private(MARA)
    assert (await chat.private(MARA)).private
    await chat.close()


async def test_too_many_requests_say_how_long_to_wait_and_nothing_sleeps(world: World) -> None:
    world.slack.throttle("chat.postMessage", retry_after=17)
    with pytest.raises(ChatError) as caught:
        await world.chat.post(TECHS, APPROVAL)
    assert caught.value.retry_after == 17
    await world.chat.post(TECHS, APPROVAL)
    assert len(world.slack.messages("C0TECHS")) == 1


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        ("message_not_found", 200, None),
        ("channel_not_found", 200, None),
        ("account_inactive", 200, None),
        ("cant_update_message", 200, None),
        ("msg_blocks_too_long", 200, None),
        ("internal_error", 200, 3),
        ("ratelimited", 200, 3),
        ("whatever", 503, 3),
    ],
)
async def test_a_refusal_says_whether_another_try_is_worth_it(
    world: World, error: str, status: int, retry_after: float | None
) -> None:
    message = await world.chat.post(TECHS, APPROVAL)
    world.slack.fail("chat.update", error, status=status)
    with pytest.raises(ChatError, match=f"slack: chat.update: {error}") as caught:
        await world.chat.update(message, PROGRESS)
    assert caught.value.retry_after == retry_after


async def test_a_message_that_is_gone_is_not_tried_again(world: World) -> None:
    with pytest.raises(ChatError, match="message_not_found") as caught:
        await world.chat.update(Message(TECHS, "1.000001"), PROGRESS)
    assert caught.value.retry_after is None


async def test_an_app_removed_from_a_workspace_is_not_tried_again(world: World) -> None:
    world.slack.workspaces["T0PROVIDER"].active = False
    with pytest.raises(ChatError, match="account_inactive") as caught:
        await world.chat.post(TECHS, APPROVAL)
    assert caught.value.retry_after is None


async def test_a_slack_that_does_not_answer_is_tried_again_soon(world: World) -> None:
    slow = SlackChat({"T0PROVIDER": lambda: "xoxb-provider"}, base_url=f"{world.slack.url}/api/", timeout=0.05)
    world.slack.delay("chat.postMessage", 0.2)
    with pytest.raises(ChatError, match="Timeout") as caught:
        await slow.post(TECHS, APPROVAL)
    assert caught.value.retry_after == 3
    await slow.close()


async def test_a_slack_that_hangs_up_is_tried_again_soon_and_not_in_here(world: World) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(1)
        writer.close()

    calls = list[int]()
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    chat = SlackChat({"T0PROVIDER": lambda: "t"}, base_url=f"http://127.0.0.1:{port}/api/")
    with pytest.raises(ChatError) as caught:
        await chat.post(TECHS, APPROVAL)
    assert caught.value.retry_after == 3
    assert len(calls) == 1
    await chat.close()
    server.close()


async def test_a_card_that_cannot_be_shown_is_refused_before_slack_is_asked(world: World) -> None:
    fields = tuple(Field(f"f{number}", "Name") for number in range(60))
    with pytest.raises(ChatError, match="split it") as caught:
        await world.chat.post(TECHS, Card("Too much", "n", sections=(Section(fields=fields),)))
    assert caught.value.retry_after is None
    assert world.slack.calls == []


# --- response_url -----------------------------------------------------------------------------------


async def url_of(slack: FakeSlack, chat: SlackChat) -> tuple[str, Shown]:
    await chat.post(TECHS, APPROVAL)
    [shown] = slack.messages("C0TECHS")
    return str(slack.click_payload("U0TECH", shown, "Approve", {})["response_url"]), shown


async def test_a_response_url_takes_five_answers(world: World) -> None:
    url, _ = await url_of(world.slack, world.chat)
    for _ in range(4):
        await world.chat.respond(url, PROGRESS)
    await world.chat.respond_line(url, "Noted")
    with pytest.raises(ChatError, match="slack: response_url: HTTP 404") as caught:
        await world.chat.respond(url, PROGRESS)
    assert caught.value.retry_after is None
    assert url not in str(caught.value)


async def test_a_response_url_is_over_after_half_an_hour(world: World) -> None:
    now = [1_800_000_000.0]
    world.slack.now = lambda: now[0]
    url, _ = await url_of(world.slack, world.chat)
    now[0] += 30 * 60 + 1
    with pytest.raises(ChatError, match="404"):
        await world.chat.respond(url, PROGRESS)


async def test_a_busy_response_url_says_how_long_to_wait(world: World) -> None:
    url, _ = await url_of(world.slack, world.chat)
    world.slack.throttle("response_url", retry_after=5)
    with pytest.raises(ChatError) as caught:
        await world.chat.respond(url, PROGRESS)
    assert caught.value.retry_after == 5


async def test_an_answer_is_never_carried_on_to_another_address(world: World) -> None:
    url, shown = await url_of(world.slack, world.chat)
    other = str(world.slack.click_payload("U0TECH", shown, "Approve", {})["response_url"])
    world.slack.redirect("response_url", other)
    with pytest.raises(ChatError, match="HTTP 307"):
        await world.chat.respond(url, PROGRESS)
    assert world.slack.messages("C0TECHS") == [shown]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/response/x",
        "http://hooks.slack.com/actions/x",
        "https://hooks.slack.com.evil.example/x",
        "https://evil.example/hooks.slack.com",
        "https://hooks.slack.com@evil.example/x",
        "https://hooks.slack.com:8443/x",
        "http://[half/x",
        "",
    ],
)
async def test_only_slack_is_answered(world: World, url: str) -> None:
    with pytest.raises(ChatError, match="is not an address of Slack") as caught:
        await world.chat.respond(url, PROGRESS)
    assert caught.value.retry_after is None


# --- the fake is like the real ----------------------------------------------------------------------


async def call(slack: FakeSlack, method: str, args: dict[str, JsonValue]) -> dict[str, JsonValue]:
    headers = {"Authorization": "Bearer xoxb-provider"}
    url = f"{slack.url}/api/{method}"
    async with aiohttp.ClientSession() as http, http.post(url, json=args, headers=headers) as response:
        return await response.json()


async def test_the_fake_answers_as_slacks_own_description_says(world: World, specs: Path) -> None:
    described = json.loads((specs / "slack-web.json").read_text(encoding="utf-8"))
    world.slack.workspaces["T0PROVIDER"].channels["C0TECHS001"] = "wide"
    calls: dict[str, dict[str, JsonValue]] = {
        "auth.test": {},
        "conversations.open": {"users": "U0TECH"},
        "chat.postMessage": {"channel": "C0TECHS001", "text": "hello"},
    }
    for method, args in calls.items():
        answer = await call(world.slack, method, args)
        verb = described["paths"][f"/{method}"]
        [operation] = verb.values()
        schema = {**operation["responses"]["200"]["schema"], "definitions": described["definitions"]}
        jsonschema.Draft4Validator(schema).validate(answer)


async def test_the_fake_refuses_what_slack_refuses(world: World) -> None:
    async def refused(blocks: list[JsonValue]) -> str:
        answer = await call(world.slack, "chat.postMessage", {"channel": "C0TECHS", "blocks": blocks})
        assert answer["ok"] is False
        return str(answer["error"])

    divider: JsonValue = {"type": "divider"}
    header: JsonValue = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
    runs: list[JsonValue] = [{"type": "text", "text": "x" * 12_000}]
    long: JsonValue = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": runs}]}
    assert "invalid_blocks" in await refused([divider] * 51)
    assert "invalid_blocks" in await refused([header])
    assert "invalid_blocks" in await refused([{"type": "divider", "block_id": "a"}] * 2)
    assert "msg_blocks_too_long" in await refused([long])
    assert world.slack.messages("C0TECHS") == []


async def test_nobody_can_press_a_button_that_is_not_there(world: World) -> None:
    _, shown = await url_of(world.slack, world.chat)
    with pytest.raises(LookupError, match="no button 'Aprove'"):
        await world.slack.clicks("U0TECH", shown, "Aprove")
    with pytest.raises(LookupError, match="no field 'reason'"):
        await world.slack.clicks("U0TECH", shown, "Approve", {"reason": "x"})


async def test_an_option_can_be_picked_from_a_long_list(world: World) -> None:
    some = tuple(Option(f"id-{number}", f"Jane {number}") for number in range(150))
    section = Section(fields=(Field("who", "Who", options=some),), buttons=(Button("Next", "t"),))
    await world.chat.post(TECHS, Card("Who?", "n", sections=(section,)))
    await world.slack.clicks("U0TECH", world.slack.messages("C0TECHS")[0], "Next", {"who": "Jane 140"})
    assert world.house.heard[0].values == {"who": "id-140"}


async def test_a_question_is_shown_with_its_preset_values(world: World) -> None:
    await world.chat.post(TECHS, QUESTION)
    assert "[She has the van.]" in read(world.slack.messages("C0TECHS")[0])
