"""Socket Mode over a real websocket: the same conversation, no public route, and a connection that comes back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bot.lab.fake_slack import FakeSlack
from bot.lab.fake_slack_socket import FakeSocket
from bot.lab.slack_limits import read
from bot.slack.chat import SlackChat
from bot.slack.edge import NOT_CONNECTED, NOT_REACHED, PATH, SlackEdge
from bot.slack.service import SlackService
from bot.slack.settings import Slack
from bot.slack.socket import SlackSocket
from handlers.conversation import Actor, Kind, Place, Reply
from tests.bot.cards import APPROVAL, PROGRESS
from tests.bot.conftest import ToldHouse

MARA = Actor("slack", "T0CONTOSO", "U0MARA")
TECHS = Place("slack", "T0CONTOSO", "C0TECHS")
APP_TOKEN = "xapp-1-the-apps-own"
SECRETS = {"env/APP_TOKEN": APP_TOKEN, "env/TOKEN": "xoxb-contoso", "env/WRONG": "xapp-1-wrong"}
QUICK = 0.2
"""Seconds between pings, so that a test need not wait."""


@dataclass
class Wired:
    """One workspace, and a bot that is reached by its socket alone."""

    slack: FakeSlack
    wire: FakeSocket
    house: ToldHouse
    chat: SlackChat
    socket: SlackSocket


async def until(there: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not there():  # noqa: ASYNC110 - two sides of a socket
            await asyncio.sleep(0.01)


async def up(socket: SlackSocket, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not await socket.is_up():  # noqa: ASYNC110 - two sides of a socket
            await asyncio.sleep(0.01)


def contoso() -> tuple[FakeSlack, FakeSocket]:
    slack = FakeSlack("never used here")
    slack.workspace("T0CONTOSO", "contoso", token="xoxb-contoso")
    slack.workspace("T0FABRIKAM", "fabrikam")
    slack.person("T0CONTOSO", "U0MARA", "mara")
    slack.person("T0FABRIKAM", "U0STRANGER", "sam")
    slack.channel("T0CONTOSO", "C0TECHS", "offboarding")
    return slack, FakeSocket(slack, APP_TOKEN)


@pytest.fixture
async def wired() -> AsyncIterator[Wired]:
    slack, wire = contoso()
    base = await slack.start()
    house, chat = ToldHouse(), SlackChat({"T0CONTOSO": lambda: "xoxb-contoso"}, base_url=base)
    edge = SlackEdge(house, chat, signing_secret=None, commands=("offboard", "offboard-status"))
    socket = SlackSocket(edge.bolt, lambda: APP_TOKEN, base_url=base, ping=QUICK)
    await socket.start()
    await up(socket)
    yield Wired(slack, wire, house, chat, socket)
    await socket.stop()
    await edge.settle()
    await chat.close()
    await slack.stop()


async def test_a_command_comes_by_the_socket_and_its_answer_goes_back_by_it(wired: Wired) -> None:
    wired.house.reply = Reply("Case 1042: <!here> look below")
    assert (await wired.slack.types("U0MARA", "/offboard Jane Doe")).status == 200
    [heard] = wired.house.heard
    assert (heard.kind, heard.actor, heard.command, heard.text) == (Kind.COMMAND, MARA, "offboard", "Jane Doe")
    assert heard.where.private
    assert [read(line) for line in wired.slack.ephemeral("U0MARA")] == ["Case 1042: <!here> look below"]


async def test_a_click_comes_by_the_socket_and_its_card_is_redrawn(wired: Wired) -> None:
    await wired.chat.post(TECHS, APPROVAL)
    wired.house.reply, wired.house.cards["c"] = Reply(card="c"), PROGRESS
    assert (await wired.slack.clicks("U0MARA", wired.slack.messages("C0TECHS")[0], "Approve")).status == 200
    assert wired.house.heard[0].token == "token-yes"
    await wired.slack.until(lambda: read(wired.slack.messages("C0TECHS")[0]).startswith("Jane Doe is being locked out"))


async def test_what_is_delivered_twice_carries_the_same_key(wired: Wired) -> None:
    await wired.slack.types("U0MARA", "/offboard Jane Doe")
    await wired.wire.again()
    first, second = wired.house.heard
    assert first == second


async def test_a_workspace_without_the_app_is_told_so_and_not_heard(wired: Wired) -> None:
    answer = await wired.slack.types("U0STRANGER", "/offboard Jane", channel="C0OTHER")
    assert NOT_CONNECTED in answer.body
    assert wired.house.heard == []


async def test_what_was_not_committed_says_so_by_the_socket(wired: Wired) -> None:
    wired.house.error = RuntimeError("no disk")
    await wired.slack.types("U0MARA", "/offboard Jane Doe")
    assert [read(line) for line in wired.slack.ephemeral("U0MARA")] == [NOT_REACHED]


async def test_a_broken_socket_is_opened_anew_and_hears_again(wired: Wired) -> None:
    await wired.wire.hang_up()
    await until(lambda: wired.wire.opened == 2 and bool(wired.wire.sockets))
    await up(wired.socket)
    assert (await wired.slack.types("U0MARA", "/offboard Jane Doe")).status == 200
    assert len(wired.house.heard) == 1


async def test_a_new_connection_slack_asks_for_is_made_and_each_thing_is_heard_once(wired: Wired) -> None:
    await wired.wire.refresh()
    await until(lambda: wired.wire.opened == 2 and len(wired.wire.sockets) == 1)
    await up(wired.socket)
    await wired.slack.types("U0MARA", "/offboard Jane Doe")
    assert len(wired.house.heard) == 1


async def test_an_outage_longer_than_an_address_lives_is_survived(wired: Wired) -> None:
    wired.wire.down = True
    await wired.wire.hang_up()
    await asyncio.sleep(4 * QUICK)
    assert not await wired.socket.is_up()
    wired.wire.down = False
    await up(wired.socket)
    await wired.slack.types("U0MARA", "/offboard Jane Doe")
    assert len(wired.house.heard) == 1


async def test_what_is_being_heard_at_the_stop_is_still_acknowledged() -> None:
    slack, wire = contoso()
    base = await slack.start()

    class Slow(ToldHouse):
        async def hear(self, inbound: object) -> Reply:
            await asyncio.sleep(0.3)
            return Reply("committed")

    chat = SlackChat({"T0CONTOSO": lambda: "xoxb-contoso"}, base_url=base)
    edge = SlackEdge(Slow(), chat, signing_secret=None, commands=("offboard",))
    socket = SlackSocket(edge.bolt, lambda: APP_TOKEN, base_url=base)
    await socket.start()
    await up(socket)
    typing = asyncio.create_task(slack.types("U0MARA", "/offboard Jane Doe", channel="C0TECHS"))
    await asyncio.sleep(0.1)
    await socket.stop()
    assert "committed" in (await typing).body
    assert not await socket.is_up()
    assert wire.sockets == []
    await chat.close()
    await slack.stop()


async def test_a_wrong_app_token_is_said_and_does_not_keep_the_service_from_starting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slack, wire = contoso()
    base = await slack.start()
    edge = SlackEdge(ToldHouse(), SlackChat({}, base_url=base), signing_secret=None, commands=("offboard",))
    socket = SlackSocket(edge.bolt, lambda: "xapp-1-wrong", base_url=base, ping=QUICK)
    began = time.monotonic()
    await socket.start()
    assert time.monotonic() - began < 1
    with caplog.at_level(logging.DEBUG):
        await until(lambda: "invalid_auth" in caplog.text)
    assert "connections:write" in caplog.text
    assert "xapp-" not in caplog.text
    assert not await socket.is_up()
    assert wire.opened == 0
    await socket.stop()
    await slack.stop()


async def test_no_log_holds_what_came_by_the_socket(wired: Wired, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        wired.house.error = RuntimeError("Jane Doe")
        await wired.slack.types("U0MARA", "/offboard Jane Doe")
        await wired.wire.hang_up()
        await until(lambda: wired.wire.opened == 2)
    assert caplog.records, "something is logged"
    for secret in ("Jane", "xapp-", "xoxb-", "ticket="):
        assert secret not in caplog.text


async def test_in_socket_mode_the_service_has_no_route_for_requests_and_says_whether_the_socket_is_up(
    tmp_path: Path,
) -> None:
    slack, _ = contoso()
    base = await slack.start()
    settings = Slack.model_validate(
        {"app_token": "env/APP_TOKEN", "workspaces": {"T0CONTOSO": "env/TOKEN"}, "base_url": base}
    )
    house = ToldHouse()
    service = SlackService(settings, SECRETS.__getitem__, beside=tmp_path / "unused", msp="Northwind IT")
    app = web.Application()
    service.mount(app, house, ("offboard",))
    assert [str(one.resource.canonical) for one in app.router.routes() if one.resource] == []
    assert await service.health() == {"slack_socket": "down"}
    await service.start()
    async with asyncio.timeout(5):
        while await service.health() != {"slack_socket": "up"}:  # noqa: ASYNC110 - two sides of a socket
            await asyncio.sleep(0.01)
    await slack.types("U0MARA", "/offboard Jane Doe")
    assert [heard.actor for heard in house.heard] == [MARA]
    await service.stop()
    assert await service.health() == {"slack_socket": "down"}
    await service.chat.close()
    await slack.stop()


async def test_with_a_socket_even_a_signed_request_is_refused(wired: Wired) -> None:
    edge = SlackEdge(wired.house, wired.chat, signing_secret=None, commands=("offboard",))
    app = web.Application()
    app.router.add_post(PATH, edge.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    wired.slack.courier = None
    wired.slack.bot_url = "http://{}:{}{}".format(*runner.addresses[0][:2], PATH)
    assert (await wired.slack.types("U0MARA", "/offboard Jane Doe")).status == 401
    assert wired.house.heard == []
    async with aiohttp.ClientSession() as browser, browser.post(wired.slack.bot_url, data=b"ssl_check=1") as answer:
        assert answer.status == 401
    await runner.cleanup()
