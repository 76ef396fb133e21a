"""A bot's Slack edge on a real port, a fake Slack before it, and a house that answers as told."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import JsonValue

from bot.lab.fake_slack import FakeSlack
from bot.slack.chat import SlackChat
from bot.slack.edge import SlackEdge, slack_routes
from handlers.conversation import Actor, Card, Drawn, Inbound, Option, Reply

SECRET = "a-signing-secret"
GOLDEN = Path(__file__).parent / "golden"


@dataclass
class ToldHouse:
    """Answers what it is told to, and remembers what it heard."""

    heard: list[Inbound] = field(default_factory=list[Inbound])
    reply: Reply = field(default_factory=Reply)
    error: Exception | None = None
    cards: dict[str, Card] = field(default_factory=dict[str, Card])
    people: tuple[Option, ...] = ()
    """Whom it suggests, whatever is typed."""
    typed: list[tuple[Actor, str, str]] = field(default_factory=list[tuple[Actor, str, str]])
    greeted: list[Actor] = field(default_factory=list[Actor])
    """Who was said to be there."""
    returned: list[Actor] = field(default_factory=list[Actor])
    """Who was said to have let the bot in."""

    async def hear(self, inbound: Inbound) -> Reply:
        self.heard.append(inbound)
        if self.error:
            raise self.error
        card = self.cards.get(self.reply.card) if inbound.at_once else None
        return replace(self.reply, drawn=Drawn(self.reply.card, card, 2)) if card else self.reply

    async def suggest(self, actor: Actor, token: str, typed: str) -> tuple[Option, ...]:
        self.typed.append((actor, token, typed))
        if self.error:
            raise self.error
        return self.people

    async def back(self, actor: Actor, *, added: bool) -> None:
        self.greeted.append(actor)
        if added:
            self.returned.append(actor)

    async def answer(self, reply: Reply, show: Callable[[Card], Awaitable[None]]) -> None:
        await show(reply.drawn.card if reply.drawn else self.cards[reply.card])


@dataclass
class World:
    """Contoso's and the provider's workspaces, with the bot in both; Fabrikam's without it."""

    slack: FakeSlack
    house: ToldHouse
    chat: SlackChat
    edge: SlackEdge


@pytest.fixture
async def world() -> AsyncIterator[World]:
    slack = FakeSlack(SECRET)
    slack.workspace("T0CONTOSO", "contoso", token="xoxb-contoso")
    slack.workspace("T0PROVIDER", "provider", token="xoxb-provider")
    slack.workspace("T0FABRIKAM", "fabrikam")
    slack.person("T0CONTOSO", "U0MARA", "mara")
    slack.person("T0PROVIDER", "U0TECH", "theo")
    slack.person("T0FABRIKAM", "U0STRANGER", "sam")
    slack.channel("T0CONTOSO", "C0GENERAL", "general")
    slack.channel("T0PROVIDER", "C0TECHS", "offboarding")
    base = await slack.start()
    house = ToldHouse()
    chat = SlackChat(
        {"T0CONTOSO": lambda: "xoxb-contoso", "T0PROVIDER": lambda: "xoxb-provider"}, base_url=base, timeout=5.0
    )
    app = web.Application()
    edge = slack_routes(app, house, chat, signing_secret=SECRET, commands=("offboard", "offboard-status"))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    slack.bot_url = f"http://{host}:{port}/slack/events"
    yield World(slack, house, chat, edge)
    await edge.settle()
    await chat.close()
    await runner.cleanup()
    await slack.stop()


@pytest.fixture
def golden() -> Callable[[str, JsonValue], None]:
    """Compare with the file of that name; UPDATE_GOLDEN=1 writes it."""

    def compare(name: str, drawn: JsonValue) -> None:
        path = GOLDEN / f"{name}.json"
        if os.environ.get("UPDATE_GOLDEN") == "1":
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(drawn, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        assert drawn == json.loads(path.read_text(encoding="utf-8"))

    return compare


@pytest.fixture
def specs() -> Path:
    """The folder of published schemas, which are not part of the project."""
    folder = os.environ.get("OFFBOARD_SPECS")
    if not folder:
        pytest.skip("OFFBOARD_SPECS does not name the folder with the published schemas")
    return Path(folder)
