"""Teams as the service runs it: the bot's sign-in, the gate, one route for every tenant, and the way to speak."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
from aiohttp import web

from bot.edge import House
from bot.teams.chat import Homes, TeamsChat
from bot.teams.edge import PATH, Ours, TeamsEdge
from bot.teams.gate import Keys, OpenGate, TokenGate
from bot.teams.settings import Teams
from bot.teams.wire import TeamsWire
from connectors.contract import Clock, Limiter, Surroundings, VendorError
from connectors.entra import EntraSignIn
from handlers.people import MSP

log = logging.getLogger("offboard.teams")

SCOPE = "https://api.botframework.com/.default"
PATIENCE = 10.0
"""Seconds for one call of the Bot Connector, and for its keys."""

Secret = Callable[[str], str]


class BotSignIn:
    """The bot's own token from its home tenant; azure-identity keeps it and never blocks the event loop."""

    def __init__(self, entra: EntraSignIn) -> None:
        self._entra = entra

    async def token(self) -> str:
        """From the cache, or fresh. Raises VendorError with the fix."""
        return (await self._entra.get_token(SCOPE)).token

    async def forget(self) -> None:
        """Sign in afresh the next time."""
        await self._entra.forget()


class NoSignIn:
    """Speaks without a token: only what runs on this machine takes that."""

    async def token(self) -> str:
        """None."""
        return ""

    async def forget(self) -> None:
        """Nothing is kept."""


class TeamsService:
    """Built before the loop runs; everything that must be there is looked at once, so that the start says so."""

    def __init__(
        self,
        teams: Teams,
        secret: Secret,
        homes: Homes,
        *,
        clock: Clock,
        limiter: Limiter,
        ca_file: Path | None = None,
        patience: float = PATIENCE,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises as `secret` does."""
        self._teams, self._patience = teams, patience
        for reference in (teams.secret, teams.certificate):
            if reference:
                # Not kept: only so that a missing one stops the start, and not the first card.
                secret(reference)
        around = Surroundings(
            client=MSP,
            clock=clock,
            limiter=limiter,
            secret=secret,
            password=lambda: secrets.token_urlsafe(36),
            ca_file=ca_file,
        )
        self._entra = EntraSignIn("Teams", teams.application, around)
        self._session: aiohttp.ClientSession | None = None
        self._sign_in = NoSignIn() if teams.no_authentication else BotSignIn(self._entra)
        self._keys = Keys(teams.open_id, self._open, now=now)
        self._wire = TeamsWire(teams.app_id, self._sign_in, self._open, teams.hosts)
        self.chat = TeamsChat(
            self._wire,
            homes,
            tenants=frozenset(teams.tenants),
            hosts=teams.hosts,
            service_url=teams.service_url,
            now=now,
        )
        self._edge: TeamsEdge | None = None
        self._warming: asyncio.Task[None] | None = None

    def mount(self, app: web.Application, house: House) -> TeamsEdge:
        """Add the route."""
        teams = self._teams
        gate = OpenGate(teams.app_id) if teams.no_authentication else TokenGate(teams.app_id, self._keys)
        ours = Ours(
            tenants=frozenset(teams.tenants),
            msp=frozenset(tenant for tenant, whose in teams.tenants.items() if MSP in whose),
            hosts=teams.hosts,
            local_only=teams.no_authentication,
        )
        self._edge = TeamsEdge(house, self.chat, self._wire, gate, ours)
        app.router.add_post(PATH, self._edge.receive)
        return self._edge

    async def start(self) -> None:
        """Fetch keys and token beside everything else: nobody waits for them at the first press."""
        if self._teams.no_authentication:
            log.warning("Teams requests are taken from anybody on this machine: teams.no_authentication is set")
        else:
            self._warming = asyncio.create_task(self._warm())

    async def stop(self) -> None:
        """Let what was heard be answered."""
        if self._warming:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        if self._edge:
            await self._edge.settle()

    async def close(self) -> None:
        """Let the connections go."""
        await self._entra.close()
        if self._session is not None:
            await self._session.close()

    async def _warm(self) -> None:
        await self._keys.prepare()
        try:
            await self._sign_in.token()
        except VendorError as sentence:
            log.error("the bot can't speak in Teams: %s", sentence)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            # No cookies: tenants share the session, and must share nothing else.
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._patience), cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session
