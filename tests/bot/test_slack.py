"""A conversation in Slack over the wire: what is heard, what is answered, and what never is."""

from __future__ import annotations

import asyncio
import json
import logging
from urllib.parse import urlencode

import pytest
from aiohttp import web

from bot.lab.slack_limits import buttons, read
from bot.slack.chat import SlackChat
from bot.slack.edge import NOT_CONNECTED, NOT_PLACED, NOT_REACHED, slack_routes
from handlers.conversation import Actor, Card, Inbound, Kind, Place, Reply
from tests.bot.cards import APPROVAL, PROGRESS, QUESTION, WHEN
from tests.bot.conftest import SECRET, ToldHouse, World

MARA = Actor("slack", "T0CONTOSO", "U0MARA")
TECHS = Place("slack", "T0PROVIDER", "C0TECHS")


async def test_a_command_in_the_private_chat_is_heard_and_answered_to_its_typist_alone(world: World) -> None:
    world.house.reply = Reply("Case 1042: <!here> *look* below")
    answer = await world.slack.types("U0MARA", "/offboard Jane Doe")
    assert answer.status == 200
    [heard] = world.house.heard
    assert heard.dedupe.startswith("slack:")
    assert heard == Inbound(
        kind=Kind.COMMAND,
        actor=MARA,
        where=Place("slack", "T0CONTOSO", await world.slack.opens("U0MARA"), private=True),
        dedupe=heard.dedupe,
        command="offboard",
        text="Jane Doe",
    )
    assert json.loads(answer.body)["response_type"] == "ephemeral"
    assert [read(line) for line in world.slack.ephemeral("U0MARA")] == ["Case 1042: <!here> *look* below"]
    assert "<!here>" not in world.slack.ephemeral("U0MARA")[0].text


async def test_a_command_in_a_channel_is_not_private(world: World) -> None:
    await world.slack.types("U0MARA", "/offboard-status", channel="C0GENERAL")
    [heard] = world.house.heard
    assert heard.command == "offboard-status"
    assert heard.text == ""
    assert heard.where == Place("slack", "T0CONTOSO", "C0GENERAL", private=False)


async def test_a_command_in_a_direct_message_between_two_people_is_not_private(world: World) -> None:
    await world.slack.types("U0MARA", "/offboard Jane Doe", channel="D0MARAJANE")
    assert not world.house.heard[0].where.private


async def test_a_chat_that_cannot_be_looked_up_is_taken_for_a_public_one(world: World) -> None:
    world.slack.fail("conversations.open", "internal_error")
    await world.slack.types("U0MARA", "/offboard Jane Doe")
    assert [heard.where.private for heard in world.house.heard] == [False]


async def test_a_command_without_a_line_to_say_is_merely_acknowledged(world: World) -> None:
    answer = await world.slack.types("U0MARA", "/offboard Jane Doe")
    assert (answer.status, answer.body) == (200, "")
    assert world.slack.ephemeral("U0MARA") == []


async def test_the_house_has_committed_before_slack_is_acknowledged(world: World) -> None:
    order = list[str]()

    class Slow(ToldHouse):
        async def hear(self, inbound: Inbound) -> Reply:
            await asyncio.sleep(0.05)
            order.append("committed")
            return Reply()

    runner = await _mount(world, Slow())
    await world.slack.types("U0MARA", "/offboard Jane")
    order.append("acknowledged")
    assert order == ["committed", "acknowledged"]
    await runner.cleanup()


async def test_a_click_is_heard_with_its_token_and_the_fields_and_redraws_its_card(world: World) -> None:
    await world.chat.post(await world.chat.private(MARA), QUESTION)
    world.house.reply = Reply(card="card-7", line="Noted")
    world.house.cards["card-7"] = PROGRESS
    [shown] = world.slack.private("U0MARA")
    values = {"date": "2026-12-01 <b>", "zone": "America/New York"}
    assert (await world.slack.clicks("U0MARA", shown, "At that time", values)).status == 200
    [heard] = world.house.heard
    assert (heard.kind, heard.actor, heard.token) == (Kind.CLICK, MARA, "token-at")
    assert heard.where == Place("slack", "T0CONTOSO", shown.channel, private=True)
    assert heard.values == {"date": "2026-12-01 <b>", "zone": "us", "note": "She has the van."}
    await world.edge.settle()
    [redrawn] = world.slack.private("U0MARA")
    assert redrawn.ts == shown.ts
    assert read(redrawn).startswith("Jane Doe is being locked out")
    assert [read(line) for line in world.slack.ephemeral("U0MARA")] == ["Noted"]


async def test_a_field_left_empty_comes_empty(world: World) -> None:
    await world.chat.post(await world.chat.private(MARA), QUESTION)
    await world.slack.clicks("U0MARA", world.slack.private("U0MARA")[0], "Now")
    assert world.house.heard[0].values == {"date": "", "zone": "eu", "note": "She has the van."}


async def test_a_date_and_a_time_come_as_they_were_picked_or_shown_or_empty(world: World) -> None:
    await world.chat.post(await world.chat.private(MARA), WHEN)
    [shown] = world.slack.private("U0MARA")
    await world.slack.clicks("U0MARA", shown, "Now")
    await world.slack.clicks("U0MARA", shown, "At that time", {"day": "2026-12-01", "hour": "17:00"})
    assert [heard.values for heard in world.house.heard] == [
        {"day": "2026-11-30", "hour": ""},
        {"day": "2026-12-01", "hour": "17:00"},
    ]


async def test_what_was_typed_survives_a_redraw_of_the_same_question_only(world: World) -> None:
    message = await world.chat.post(await world.chat.private(MARA), QUESTION)
    await world.slack.clicks("U0MARA", world.slack.private("U0MARA")[0], "Now", {"note": "Keys!"})
    await world.chat.update(message, QUESTION)
    await world.slack.clicks("U0MARA", world.slack.private("U0MARA")[0], "Now")
    another = Card("Another question", QUESTION.notification, (4, 9), QUESTION.sections)
    await world.chat.update(message, another)
    await world.slack.clicks("U0MARA", world.slack.private("U0MARA")[0], "Now")
    assert [heard.values["note"] for heard in world.house.heard] == ["Keys!", "Keys!", "She has the van."]


async def test_the_same_click_delivered_twice_carries_the_same_key(world: World) -> None:
    await world.chat.post(TECHS, APPROVAL)
    await world.slack.clicks("U0TECH", world.slack.messages("C0TECHS")[0], "Approve")
    assert (await world.slack.again()).status == 200
    first, second = world.house.heard
    assert first == second


async def test_the_same_command_delivered_twice_carries_the_same_key(world: World) -> None:
    await world.slack.types("U0MARA", "/offboard Jane")
    await world.slack.again()
    first, second = world.house.heard
    assert first.dedupe == second.dedupe
    await world.slack.types("U0MARA", "/offboard Jane")
    assert world.house.heard[2].dedupe != first.dedupe


async def test_two_presses_of_one_button_share_its_token_and_no_key(world: World) -> None:
    await world.chat.post(TECHS, APPROVAL)
    [shown] = world.slack.messages("C0TECHS")
    await asyncio.gather(*(world.slack.clicks("U0TECH", shown, "Approve") for _ in range(2)))
    first, second = world.house.heard
    assert first.token == second.token == "token-yes"
    assert first.dedupe != second.dedupe


async def test_a_click_on_a_card_edited_meanwhile_brings_the_old_token(world: World) -> None:
    message = await world.chat.post(TECHS, APPROVAL)
    [before] = world.slack.messages("C0TECHS")
    await world.chat.update(message, PROGRESS)
    await world.slack.clicks("U0TECH", before, "Approve")
    assert world.house.heard[0].token == "token-yes"
    assert buttons(world.slack.messages("C0TECHS")[0]) == []
    assert read(world.slack.messages("C0TECHS")[0].edits[0]) == read(before)


async def test_a_clicker_from_another_company_is_known_by_their_own_home(world: World) -> None:
    await world.chat.post(TECHS, APPROVAL)
    await world.slack.clicks("U0STRANGER", world.slack.messages("C0TECHS")[0], "Approve")
    [heard] = world.house.heard
    assert heard.actor == Actor("slack", "T0FABRIKAM", "U0STRANGER")
    assert heard.where == TECHS


@pytest.mark.parametrize("missing", ["user", "team", "channel", "home", "trigger_id"])
async def test_a_click_that_does_not_say_who_or_where_is_not_heard(world: World, missing: str) -> None:
    await world.chat.post(TECHS, APPROVAL)
    payload = world.slack.click_payload("U0TECH", world.slack.messages("C0TECHS")[0], "Approve", {})
    if missing == "home":
        payload["user"] = {"id": "U0TECH", "name": "theo"}
    else:
        del payload[missing]
    answer = await world.slack.deliver(urlencode({"payload": json.dumps(payload)}).encode())
    await world.edge.settle()
    assert answer.status == 200
    assert world.house.heard == []
    assert [read(line) for line in world.slack.ephemeral("U0TECH")] == [NOT_PLACED]


async def test_a_command_that_does_not_say_from_where_is_not_heard(world: World) -> None:
    form = {"command": "/offboard", "text": "Jane", "user_id": "U0MARA", "channel_id": "C1", "trigger_id": "1"}
    answer = await world.slack.deliver(urlencode(form).encode())
    assert (answer.status, world.house.heard) == (200, [])


async def test_a_workspace_without_the_app_is_told_so_and_not_heard(world: World) -> None:
    answer = await world.slack.types("U0STRANGER", "/offboard Jane", channel="C0OTHER")
    assert (answer.status, answer.body) == (200, NOT_CONNECTED)
    assert world.house.heard == []


async def test_a_token_in_the_environment_does_not_let_every_workspace_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-from-the-environment")
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "another")
    runner = await _mount(world, world.house)
    await world.slack.types("U0STRANGER", "/offboard Jane", channel="C0OTHER")
    assert world.house.heard == []
    await world.slack.types("U0MARA", "/offboard Jane", channel="C0GENERAL")
    assert len(world.house.heard) == 1
    assert world.slack.calls == [], "no request needs a call to Slack to be let in"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("age", "secret"),
    [(0, "a-wrong-secret"), (400, SECRET), (-400, SECRET)],
    ids=["wrong signature", "old", "from the future"],
)
async def test_what_slack_did_not_sign_just_now_is_refused(world: World, age: float, secret: str) -> None:
    form = {"command": "/offboard", "team_id": "T0CONTOSO", "user_id": "U0MARA", "channel_id": "C0GENERAL"}
    answer = await world.slack.deliver(urlencode({**form, "trigger_id": "1"}).encode(), age=age, secret=secret)
    assert answer.status == 401
    assert world.house.heard == []


async def test_an_unsigned_body_is_refused_before_it_is_read(world: World) -> None:
    assert (await world.slack.deliver(b"payload=notjson", secret="x")).status == 401
    assert (await world.slack.deliver(b"payload=" + b"[" * 100_000, secret="x")).status == 401


@pytest.mark.parametrize(
    "body", [b"payload=notjson", b"payload=[1]", b"payload=7", b"{", b"\xff\xfe", b"payload=" + b"[" * 100_000]
)
async def test_a_signed_body_nobody_can_read_is_a_bad_request(world: World, body: bytes) -> None:
    assert (await world.slack.deliver(body)).status == 400
    assert world.house.heard == []


@pytest.mark.parametrize("body", [b"", b"{}", b"payload={}", b"command=%2Foffboard"])
async def test_a_signed_body_that_says_nothing_does_nothing(world: World, body: bytes) -> None:
    assert (await world.slack.deliver(body)).status < 500
    assert world.house.heard == []


async def test_a_message_typed_to_the_bot_is_acknowledged_and_not_taken_for_a_command(world: World) -> None:
    event = {"type": "message", "channel_type": "im", "user": "U0MARA", "text": "offboard Jane", "channel": "D1"}
    body = {"type": "event_callback", "team_id": "T0CONTOSO", "event_id": "Ev1", "event": event}
    answer = await world.slack.deliver(json.dumps(body).encode(), content_type="application/json")
    assert answer.status == 200
    assert world.house.heard == []


async def test_picking_from_a_list_says_nothing_yet(world: World) -> None:
    await world.chat.post(TECHS, APPROVAL)
    payload = world.slack.click_payload("U0TECH", world.slack.messages("C0TECHS")[0], "Approve", {})
    payload["actions"] = [{"type": "static_select", "action_id": "zone", "block_id": "b", "action_ts": "1"}]
    answer = await world.slack.deliver(urlencode({"payload": json.dumps(payload)}).encode())
    assert (answer.status, world.house.heard) == (200, [])


async def test_slacks_question_whether_the_address_is_ours_is_answered(world: World) -> None:
    body = {"type": "url_verification", "challenge": "c-42", "token": "t"}
    answer = await world.slack.deliver(json.dumps(body).encode(), content_type="application/json")
    assert answer.status == 200
    assert "c-42" in answer.body


@pytest.mark.parametrize("secret", ["", "  "])
def test_an_empty_signing_secret_is_refused_by_the_name_of_its_setting(secret: str) -> None:
    with pytest.raises(ValueError, match="SLACK_SIGNING_SECRET"):
        slack_routes(web.Application(), ToldHouse(), SlackChat({}), signing_secret=secret, commands=("offboard",))


async def test_a_command_that_was_not_committed_says_try_again(world: World) -> None:
    world.house.error = RuntimeError("database is locked: Jane Doe")
    answer = await world.slack.types("U0MARA", "/offboard Jane Doe")
    assert answer.status == 200
    assert [read(line) for line in world.slack.ephemeral("U0MARA")] == [NOT_REACHED]


async def test_a_click_that_was_not_committed_says_try_again_and_keeps_its_button(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.chat.post(TECHS, APPROVAL)
    world.house.error = RuntimeError("could not store Jane Doe")
    with caplog.at_level(logging.DEBUG):
        answer = await world.slack.clicks("U0TECH", world.slack.messages("C0TECHS")[0], "Approve")
        await world.edge.settle()
    assert answer.status == 200
    assert [read(line) for line in world.slack.ephemeral("U0TECH")] == [NOT_REACHED]
    assert buttons(world.slack.messages("C0TECHS")[0]) == ["Approve", "Reject"]
    assert "RuntimeError" in caplog.text


async def test_no_log_holds_a_body_a_token_or_a_response_url(world: World, caplog: pytest.LogCaptureFixture) -> None:
    # Bolt takes over the root's level when it is made, so this bot is made at DEBUG.
    with caplog.at_level(logging.DEBUG):
        runner = await _mount(world, world.house)
        await world.chat.post(TECHS, APPROVAL)
        world.house.reply = Reply("line", card="missing")
        await world.slack.clicks("U0TECH", world.slack.messages("C0TECHS")[0], "Approve")
        world.house.reply = Reply("Jane Doe's case is open")
        await world.slack.types("U0MARA", "/offboard Jane Doe")
        world.house.error = RuntimeError("Jane Doe")
        await world.slack.types("U0MARA", "/offboard Jane Doe")
        await world.slack.types("U0MARA", "/unheard-of Jane Doe")
        await world.slack.deliver(b"command=%2Foffboard&text=Jane+Doe", secret="x")
        world.slack.fail("response_url", "no", 9, status=404)
        await world.slack.clicks("U0TECH", world.slack.messages("C0TECHS")[0], "Approve")
        await runner.cleanup()
    assert caplog.records, "something is logged"
    for secret in ("Jane", "xoxb-", "/response/", "token-yes", SECRET):
        assert secret not in caplog.text


async def test_an_answer_that_is_refused_does_not_take_the_others_along(world: World) -> None:
    await world.chat.post(TECHS, APPROVAL)
    world.house.reply = Reply("Noted", card="nowhere")
    assert (await world.slack.clicks("U0TECH", world.slack.messages("C0TECHS")[0], "Approve")).status == 200
    await world.edge.settle()
    assert [read(line) for line in world.slack.ephemeral("U0TECH")] == ["Noted"]


async def test_slow_inline_answers_do_not_hold_up_the_acknowledgement(world: World) -> None:
    await world.chat.post(TECHS, APPROVAL)
    world.slack.delay("response_url", 2.0)
    world.house.reply = Reply("Noted", card="c")
    world.house.cards["c"] = PROGRESS
    await asyncio.wait_for(world.slack.clicks("U0TECH", world.slack.messages("C0TECHS")[0], "Approve"), 1.5)
    assert buttons(world.slack.messages("C0TECHS")[0]) == ["Approve", "Reject"]
    await world.slack.until(lambda: buttons(world.slack.messages("C0TECHS")[0]) == [])


async def _mount(world: World, house: ToldHouse) -> web.AppRunner:
    """A second bot for the same Slack, listening instead of the first."""
    app = web.Application()
    slack_routes(app, house, world.chat, signing_secret=SECRET, commands=("offboard",))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    world.slack.bot_url = "http://{}:{}/slack/events".format(*runner.addresses[0][:2])
    return runner


async def test_a_secret_is_shown_to_the_one_who_pressed_and_to_nobody_else(world: World) -> None:
    await world.chat.post(await world.chat.private(MARA), QUESTION)
    [message] = world.slack.private("U0MARA")

    async def secret() -> str:
        return "Temporary Access Pass: 8f3k-11"

    world.house.reply = Reply(secret=secret)
    await world.slack.clicks("U0MARA", message, "At that time")
    await world.edge.settle()
    assert "8f3k-11" in read(world.slack.ephemeral("U0MARA")[-1])
    assert "8f3k-11" not in "".join(read(one) for one in world.slack.private("U0MARA"))
    assert world.slack.ephemeral("U0TECH") == []


async def test_a_secret_that_could_not_be_fetched_is_said_and_its_error_is_not(world: World) -> None:
    await world.chat.post(await world.chat.private(MARA), QUESTION)
    [message] = world.slack.private("U0MARA")

    async def secret() -> str:
        raise RuntimeError("password=hunter2")

    world.house.reply = Reply(secret=secret)
    await world.slack.clicks("U0MARA", message, "At that time")
    await world.edge.settle()
    shown = read(world.slack.ephemeral("U0MARA")[-1])
    assert "could not be fetched" in shown
    assert "hunter2" not in shown
