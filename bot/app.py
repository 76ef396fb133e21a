"""Wires everything into one aiohttp app: routes, start-up, shut-down."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import uuid_utils
from aiohttp import web

from bot.settings import Settings, resolve_secret
from bot.slack.chat import SlackChat
from bot.slack.edge import slack_routes
from connectors.contract import Surroundings
from connectors.limiter import VendorLimiter
from connectors.registry import Registry
from handlers import deliver
from handlers.cases.migrate import upgrade
from handlers.cases.store import Store
from handlers.commands import COMMANDS
from handlers.conversation import Inbound, Reply
from handlers.hear import hear
from handlers.house import House
from handlers.loops import Loops
from handlers.plan.queue import DbosQueue

log = logging.getLogger("offboard")

SWITCH = 0.0005
"""Seconds a thread may keep the interpreter while another one wants it."""


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Ears:
    """What an edge is given of the house: hear this, and draw that card for me."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def hear(self, inbound: Inbound) -> Reply:
        """Act on what somebody did."""
        return await hear(self._house, inbound)

    async def answer(self, card_id: str, show: deliver.Show) -> None:
        """Draw the card a click was on."""
        await deliver.answer(self._house, card_id, show)


def build(settings: Settings, registry: Registry | None = None) -> web.Application:
    """The service as an aiohttp app. Raises WrongSettings; nothing runs until it is started."""
    signing_secret = resolve_secret(settings.slack.signing_secret)
    chat = SlackChat(
        {team: lambda reference=token: resolve_secret(reference) for team, token in settings.slack.workspaces.items()},
        base_url=settings.slack.base_url,
    )
    house = _house(settings, chat, registry or Registry())
    app = web.Application()
    app.router.add_get("/health", lambda _request: _health(house))
    edge = slack_routes(app, Ears(house), chat, signing_secret=signing_secret, commands=tuple(COMMANDS))

    async def run(_app: web.Application) -> AsyncIterator[None]:
        upgrade(settings.environment.database)
        loops = Loops(house)
        await loops.start()
        yield
        await edge.settle()
        await loops.stop()
        await chat.close()
        house.store.close()

    app.cleanup_ctx.append(run)
    return app


def _house(settings: Settings, chat: SlackChat, registry: Registry) -> House:
    clock = SystemClock()
    limiter = VendorLimiter(clock)

    def surroundings(client: str) -> Surroundings:
        return Surroundings(
            client=client,
            clock=clock,
            limiter=limiter,
            secret=resolve_secret,
            # 32 random characters and more; the four classes satisfy every password policy.
            password=lambda: f"{secrets.token_urlsafe(36)}aA1!",
            ca_file=settings.environment.ca_file,
        )

    return House(
        roster=settings.roster,
        registry=registry,
        store=Store(settings.environment.database),
        queue=DbosQueue(settings.environment.database, clock.sleep),
        clock=clock,
        surroundings=surroundings,
        chats={"slack": chat},
        page=lambda sentence: _page(settings, sentence),
        new_id=lambda: str(uuid_utils.uuid7()),
        new_token=lambda: secrets.token_urlsafe(16),
    )


async def _page(settings: Settings, sentence: str) -> None:
    """Send the page to the configured webhook; raises httpx.HTTPError when it is not taken."""
    if not settings.roster.msp.pager:
        log.warning("nobody is paged: msp.pager is not set in %s", settings.environment.clients)
        return
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        answer = await client.post(resolve_secret(settings.roster.msp.pager), json={"text": sentence})
        answer.raise_for_status()


async def _health(house: House) -> web.Response:
    """200 while the database answers; the body names nobody."""
    await house.store.read(lambda session: session.connection().exec_driver_sql("SELECT 1").scalar())
    return web.json_response({"status": "ok"})


def serve(settings: Settings) -> None:
    """Run until stopped. Raises WrongSettings."""
    # The writer's thread gives the interpreter away at every statement and then waits this long to
    # get it back from a busy loop: with Python's 5 ms, a transaction of twenty takes a tenth of a second.
    sys.setswitchinterval(SWITCH)
    # A lost client disconnects mid-request; the transaction it started must still finish.
    web.run_app(
        build(settings),
        host=settings.environment.host,
        port=settings.environment.port,
        print=None,
        handler_cancellation=False,
        access_log=None,
    )
