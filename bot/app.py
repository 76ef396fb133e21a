"""Wires everything into one aiohttp app: routes, start-up, shut-down."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import httpx
import sqlalchemy as sa
import uuid_utils
from aiohttp import web
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, OperationalError

from bot.cli_edge import cli_routes
from bot.key_vault import KeyVault
from bot.lulls import collect_in_lulls, not_by_itself
from bot.settings import PREFIX, Settings, WrongSettings, resolve_secret
from bot.slack.installations import Unreadable
from bot.slack.service import SlackService
from bot.teams.settings import INSTALL
from connectors.contract import Surroundings
from connectors.limiter import VendorLimiter
from connectors.registry import Registry
from handlers import deliver
from handlers.back import back
from handlers.cases.homes import StoredHomes
from handlers.cases.migrate import upgrade
from handlers.cases.store import Store
from handlers.commands import COMMANDS
from handlers.conversation import Actor, Chat, Inbound, Option, Reply
from handlers.hear import hear
from handlers.house import House
from handlers.loops import Loops
from handlers.plan.queue import DbosQueue, Unusable
from handlers.suggest import suggest

if TYPE_CHECKING:
    from bot.teams.service import TeamsService

log = logging.getLogger("offboard")

SWITCH = 0.0005
"""Seconds a thread may keep the interpreter while another one wants it."""

_WRITABLE = "make the file and its folder readable and writable, or name another file"


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
        self.heard_at = monotonic()
        """When somebody last pressed, wrote or typed something."""

    async def hear(self, inbound: Inbound) -> Reply:
        """Act on what somebody did."""
        self.heard_at = monotonic()
        return await hear(self._house, inbound)

    async def answer(self, reply: Reply, show: deliver.Show) -> None:
        """Show the card a click was on."""
        await deliver.answer(self._house, reply, show)

    async def suggest(self, actor: Actor, token: str, typed: str) -> tuple[Option, ...]:
        """Whom letters could mean while somebody types them."""
        self.heard_at = monotonic()
        return await suggest(self._house, actor, token, typed)

    async def back(self, actor: Actor, *, added: bool) -> None:
        """Show somebody who could not be written to what they missed."""
        await back(self._house, actor, added=added)


def build(settings: Settings, registry: Registry | None = None) -> web.Application:
    """The service as an aiohttp app. Raises WrongSettings; nothing runs until it is started."""
    vault = KeyVault(ca_file=settings.environment.ca_file)
    secret = partial(resolve_secret, vault=vault)
    slack = _slack(settings, secret)
    # The store opens no file before it is used.
    clock, store = SystemClock(), Store(settings.environment.database)
    limiter = VendorLimiter(clock)
    teams = _teams(settings, secret, StoredHomes(store), clock, limiter)
    chats: dict[str, Chat] = {one.chat.platform: one.chat for one in (slack, teams) if one}
    queue = DbosQueue(settings.environment.database, clock.sleep)
    house = _house(settings, chats, queue, registry or Registry(), secret, clock, limiter, store)
    ears = Ears(house)
    app = web.Application()
    app.router.add_get("/health", lambda _request: _health(house, slack))
    if slack:
        slack.mount(app, ears, tuple(COMMANDS))
    if teams:
        teams.mount(app, ears)
    cli_routes(app, house, secret)

    async def run(_app: web.Application) -> AsyncIterator[None]:
        # The file is ours before anything is written to it: a second process must change nothing.
        prepare(queue, settings.environment.database)
        try:
            if slack:
                await slack.take_over()
        except Unreadable as sentence:
            queue.release()
            raise Unusable(str(sentence)) from None
        await vault.read_all(settings.vault_references)
        beside = (
            asyncio.create_task(vault.keep()),
            asyncio.create_task(collect_in_lulls(lambda: ears.heard_at)),
        )
        loops = Loops(house)
        await loops.start()
        for edge in (slack, teams):
            if edge:
                await edge.start()
        yield
        for edge in (slack, teams):
            if edge:
                await edge.stop()
        await loops.stop()
        for edge in (slack, teams):
            if edge:
                await edge.close()
        house.store.close()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        vault.close()

    app.cleanup_ctx.append(run)
    return app


def _slack(settings: Settings, secret: Callable[[str], str]) -> SlackService | None:
    if settings.slack is None:
        return None
    try:
        return SlackService(
            settings.slack, secret, beside=settings.environment.installations, msp=settings.roster.msp.name
        )
    except Unreadable as sentence:
        raise WrongSettings(str(sentence)) from None


def _teams(
    settings: Settings, secret: Callable[[str], str], homes: StoredHomes, clock: SystemClock, limiter: VendorLimiter
) -> TeamsService | None:
    if settings.teams is None:
        return None
    try:
        # Half a second and 20 MB: only where Teams is spoken.
        from bot.teams.service import TeamsService
    except ModuleNotFoundError as missing:
        raise WrongSettings(
            f"{settings.environment.clients}: teams: {missing.name} is not installed: {INSTALL}."
        ) from None
    ca_file = settings.environment.ca_file
    return TeamsService(settings.teams, secret, homes, clock=clock, limiter=limiter, ca_file=ca_file)


def prepare(queue: DbosQueue, url: str) -> None:
    """Take the database for this process and bring it up to this version. Raises Unusable with one sentence."""
    queue.hold()
    cause, fix = "", ""
    try:
        upgrade(url)
    except OSError as error:
        cause, fix = str(error), _WRITABLE
    except OperationalError as error:
        cause, fix = str(error.orig), _WRITABLE
    except DBAPIError as error:
        cause, fix = str(error.orig), "it seems to be no database of ours; name another file"
    except CommandError as error:
        cause, fix = str(error), "it was made by another version of offboard; use that one, or name another file"
    if fix:
        queue.release()
        raise Unusable(f"{sa.make_url(url).database} can't be used ({cause}): {fix}.")


def _house(
    settings: Settings,
    chats: Mapping[str, Chat],
    queue: DbosQueue,
    registry: Registry,
    secret: Callable[[str], str],
    clock: SystemClock,
    limiter: VendorLimiter,
    store: Store,
) -> House:
    def surroundings(client: str) -> Surroundings:
        return Surroundings(
            client=client,
            clock=clock,
            limiter=limiter,
            secret=secret,
            # 32 random characters and more; the four classes satisfy every password policy.
            password=lambda: f"{secrets.token_urlsafe(36)}aA1!",
            ca_file=settings.environment.ca_file,
        )

    return House(
        roster=settings.roster,
        registry=registry,
        store=store,
        queue=queue,
        clock=clock,
        surroundings=surroundings,
        chats=chats,
        page=lambda sentence: _page(settings, sentence, secret),
        new_id=lambda: str(uuid_utils.uuid7()),
        new_token=lambda: secrets.token_urlsafe(16),
    )


async def _page(settings: Settings, sentence: str, secret: Callable[[str], str]) -> None:
    """Send the page to the configured webhook; raises httpx.HTTPError when it is not taken."""
    if not settings.roster.msp.pager:
        log.warning("nobody is paged: msp.pager is not set in %s", settings.environment.clients)
        return
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        answer = await client.post(secret(settings.roster.msp.pager), json={"text": sentence})
        answer.raise_for_status()


async def _health(house: House, slack: SlackService | None) -> web.Response:
    """200 while the database answers, and whether Slack's socket is up, if there is one; it names nobody."""
    await house.store.read(lambda session: session.connection().exec_driver_sql("SELECT 1").scalar())
    return web.json_response({"status": "ok", **(await slack.health() if slack else {})})


def serve(settings: Settings) -> None:
    """Run until stopped. Raises WrongSettings, or Unusable for a database that can't be used here."""
    environment = settings.environment
    app = build(settings)
    sockets = _bound(environment.host, environment.port)
    clients = len(settings.roster.clients)

    def listening(_greeting: str) -> None:
        log.info(
            "Listening on http://%s:%d, database %s, %d %s",
            f"[{environment.host}]" if ":" in environment.host else environment.host,
            environment.port,
            sa.make_url(environment.database).render_as_string(hide_password=True),
            clients,
            "client" if clients == 1 else "clients",
        )

    # The writer's thread gives the interpreter away at every statement and then waits this long to
    # get it back from a busy loop: with Python's 5 ms, a transaction of twenty takes a tenth of a second.
    sys.setswitchinterval(SWITCH)
    not_by_itself()
    # A lost client disconnects mid-request; the transaction it started must still finish.
    web.run_app(
        app,
        sock=sockets,
        print=listening,
        handler_cancellation=False,
        access_log=None,
    )


def _bound(host: str, port: int) -> list[socket.socket]:
    """The service's sockets, taken before the database is touched; not yet listening. Raises WrongSettings."""
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            one = socket.socket(family, kind, protocol)
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
    except OSError as error:
        for one in sockets:
            one.close()
        raise WrongSettings(
            f"Can't listen on {host}, port {port} ({error.strerror}): set other ones in {PREFIX}HOST and {PREFIX}PORT, "
            "or stop what listens there."
        ) from None
    return sockets
