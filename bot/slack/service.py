"""Slack as the service runs it: whose token is whose, requests by HTTPS or by socket, installs, renewals."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import aiohttp
from aiohttp import web
from slack_sdk.errors import SlackClientError, SlackTokenRotationError
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.edge import House
from bot.slack.chat import SlackChat
from bot.slack.edge import SlackEdge, slack_routes
from bot.slack.install import InstallPage
from bot.slack.installations import Installations, Installed
from bot.slack.settings import OAuth, Slack
from bot.slack.socket import SlackSocket

log = logging.getLogger("offboard.slack")

RENEW_EVERY = 60.0
AHEAD = 120
"""Minutes before a token's end in which it is renewed; Slack's tokens live twelve hours."""

Secret = Callable[[str], str]


class Tokens(Mapping[str, Callable[[], str]]):
    """Workspace → its bot token, resolved late: clients.yml's own first, then what was installed from the page."""

    def __init__(self, slack: Slack, secret: Secret, installed: Installations | None) -> None:
        self._fixed, self._secret, self._installed = slack.workspaces, secret, installed
        self._bound = frozenset(slack.teams)

    def __getitem__(self, team: str) -> Callable[[], str]:
        if team in self._fixed:
            return partial(self._secret, self._fixed[team])
        # A workspace that is not in clients.yml any more is not served, whatever the file still holds.
        found = self._installed.find(team) if self._installed and team in self._bound else None
        if found is None:
            raise KeyError(team)
        return lambda: found.bot_token

    def __iter__(self) -> Iterator[str]:
        yield from self._fixed
        if self._installed:
            yield from (self._installed.teams & self._bound) - self._fixed.keys()

    def __len__(self) -> int:
        return sum(1 for _ in self)


class SlackService:
    """Built before the loop runs; everything that must be there is looked at once, so that the start says so."""

    def __init__(self, slack: Slack, secret: Secret, *, beside: Path, msp: str) -> None:
        """`beside`: where installations are kept unless clients.yml says. Raises Unreadable, and as `secret` does."""
        self._slack, self._secret, self._msp = slack, secret, msp
        for reference in (slack.app_token, *slack.workspaces.values()):
            if reference:
                # Not kept: only so that a missing one stops the start, and not the first card.
                secret(reference)
        self.installed = self._open(slack.oauth, beside) if slack.oauth else None
        self.chat = SlackChat(Tokens(slack, secret, self.installed), base_url=slack.base_url, expected=slack.served)
        self._edge: SlackEdge | None = None
        self._socket: SlackSocket | None = None
        self._renewing: asyncio.Task[None] | None = None

    def _open(self, oauth: OAuth, beside: Path) -> Installations:
        self._secret(oauth.client_secret)
        return Installations(oauth.installations or beside, self._secret(oauth.key), oauth.key)

    def mount(self, app: web.Application, house: House, commands: Sequence[str]) -> None:
        """Add Slack's routes; by a socket there is none for requests. Raises ValueError without a signing secret."""
        gone = self._gone if self.installed else None
        if self._slack.app_token:
            self._edge = SlackEdge(house, self.chat, signing_secret=None, commands=commands, gone=gone)
            self._socket = SlackSocket(
                self._edge.bolt, partial(self._secret, self._slack.app_token), base_url=self._slack.base_url
            )
        else:
            signing_secret = self._secret(self._slack.signing_secret)
            self._edge = slack_routes(
                app, house, self.chat, signing_secret=signing_secret, commands=commands, gone=gone
            )
        if self._slack.oauth and self.installed:
            InstallPage(
                self.installed,
                self._slack.oauth.client_id,
                partial(self._secret, self._slack.oauth.client_secret),
                teams=frozenset(self._slack.teams),
                kept_apart=frozenset(self._slack.workspaces),
                msp=self._msp,
                base_url=self._slack.base_url,
            ).mount(app)

    async def take_over(self) -> None:
        """The database is ours by now, and so is the file of installations. Raises Unreadable."""
        if self.installed:
            await self.installed.take_over()

    async def start(self) -> None:
        """Begin what runs beside requests."""
        if self.installed:
            for team in sorted(self.installed.teams - frozenset(self._slack.teams)):
                log.warning("the app is installed in Slack workspace %s, which is not in slack.teams: not served", team)
            for team in sorted(self._slack.served - frozenset(self._slack.workspaces) - self.installed.teams):
                log.warning("the app is not installed in Slack workspace %s yet: cards for it wait", team)
            self._renewing = asyncio.create_task(self._renew_for_ever(self.installed))
        if self._socket:
            await self._socket.start()

    async def stop(self) -> None:
        """Hear nothing more, and let what was heard be answered."""
        if self._socket:
            await self._socket.stop()
        if self._renewing:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        if self._edge:
            await self._edge.settle()

    async def close(self) -> None:
        """Let the connections go."""
        await self.chat.close()

    async def health(self) -> dict[str, str]:
        """Nothing where Slack calls us: we would not know."""
        if self._socket is None:
            return {}
        return {"slack_socket": "up" if await self._socket.is_up() else "down"}

    async def _gone(self, team: str, at: float) -> None:
        if self.installed and await self.installed.remove(team, at):
            self.chat.forget(team)
            log.warning("the Slack app was removed from workspace %s", team)

    # --- renewals -------------------------------------------------------------------------------

    async def _renew_for_ever(self, installed: Installations) -> None:
        while True:
            try:
                await self.renew(installed)
            except Exception as error:  # noqa: BLE001 - the next turn tries again
                log.error("Slack tokens could not be renewed: %s", type(error).__name__)
            await asyncio.sleep(RENEW_EVERY)

    async def renew(self, installed: Installations) -> None:
        """Exchange every token that ends soon, where the Slack app has token rotation switched on."""
        oauth, soon = self._slack.oauth, time.time() + AHEAD * 60
        due = [one for team in installed.teams if (one := installed.find(team)) and 0 < one.expires_at <= soon]
        if oauth is None or not due:
            return
        silent = logging.getLogger("offboard.slack.install")
        silent.setLevel(logging.CRITICAL + 1)
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=10), cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            client = AsyncWebClient(base_url=self._slack.base_url, session=session, logger=silent, retry_handlers=[])
            rotator = AsyncTokenRotator(
                client_id=oauth.client_id, client_secret=self._secret(oauth.client_secret), client=client
            )
            for one in due:
                await self._renew(installed, one, rotator)

    async def _renew(self, installed: Installations, one: Installed, rotator: AsyncTokenRotator) -> None:
        try:
            bot = await rotator.perform_bot_token_rotation(bot=one.bot(), minutes_before_expiration=AHEAD)
        except SlackTokenRotationError as error:
            code = str(cast("Mapping[str, object]", error.api_error.response).get("error", ""))
            log.error("the token of workspace %s can't be renewed (%s): install the app there again", one.team, code)
        except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("the token of workspace %s is not renewed yet (%s)", one.team, type(error).__name__)
        else:
            if bot is not None:
                # At once: what Slack gave in exchange is good for one more exchange.
                await installed.renewed(one, bot)
