"""Socket Mode: we call Slack and keep a websocket open, so that no public address is needed.

Bolt's own handler over slack_sdk's aiohttp client reads the socket; what arrives goes to the same listeners as
signed requests do. Slack vouches for it by the connection, which our app-level token opened
(docs.slack.dev/apis/events-api/using-socket-mode, read 2026-11-25).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol, cast

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

log = logging.getLogger("offboard.slack")

PING = 10.0
"""Seconds between pings, and between two tries to connect."""
STALE = 15.0
"""Seconds without a connection after which its address counts as used up: each is good once, for half a minute."""
GOODBYE = 5.0
"""Seconds what is being heard may take to end when the service stops."""
REFUSALS = {
    "invalid_auth": "create an app-level token with the scope connections:write",
    "not_allowed_token_type": "it must be an app-level token (xapp-…), not a bot's",
    "missing_scope": "the token needs the scope connections:write",
    "token_revoked": "the token was revoked, create another",
    "token_expired": "the token has expired, create another",
    "forbidden": "switch Socket Mode on in the Slack app's settings",
}


class SlackSocket:
    """One socket to Slack, opened anew whenever it breaks."""

    def __init__(self, bolt: AsyncApp, app_token: Callable[[], str], *, base_url: str, ping: float = PING) -> None:
        """`app_token` is resolved for each connection."""
        self._bolt, self._token, self._base_url, self._ping = bolt, app_token, base_url, ping
        self._handler: _Handler | None = None
        self._client: _Asking | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._was_up = False

    async def start(self) -> None:
        """Connect beside everything else: a Slack that is down must not keep the service from starting."""
        # The SDK's own log lines quote messages.
        silent = logging.getLogger("offboard.slack.socket")
        silent.setLevel(logging.CRITICAL + 1)
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10), cookie_jar=aiohttp.DummyCookieJar())
        self._client = _Asking(self._token, base_url=self._base_url, session=session, logger=silent)
        self._handler = _Handler(self._bolt, logger=silent, asking=self._client, ping=self._ping)
        self._tasks = [
            asyncio.create_task(self._connect(self._handler)),
            asyncio.create_task(self._watch(self._handler)),
        ]

    async def stop(self) -> None:
        """Let what is being heard end, then hang up."""
        if self._handler is None or self._client is None:
            return
        await self._handler.finish()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        left = self._handler.running()
        await self._handler.close_async()
        await asyncio.gather(*left, return_exceptions=True)
        if self._client.session is not None:
            await self._client.session.close()
        self._handler = None

    async def is_up(self) -> bool:
        """Whether Slack can reach us now."""
        return self._handler is not None and await self._handler.client.is_connected()

    async def _connect(self, handler: _Handler) -> None:
        await handler.connect_async()
        self._tell(up=True)

    def _tell(self, *, up: bool) -> None:
        if up and not self._was_up:
            log.info("the socket to Slack is open")
        elif self._was_up and not up:
            log.warning("the socket to Slack broke; it is opened anew")
        self._was_up = up

    async def _watch(self, handler: _Handler) -> None:
        """Say when it breaks and when it is back, and see to it that it does come back."""
        down_since = time.monotonic()
        while True:
            up = await handler.client.is_connected()
            self._tell(up=up)
            if up:
                down_since = time.monotonic()
            elif time.monotonic() - down_since > min(STALE, 2 * self._ping):
                # The SDK tries the address it has, for ever; an old one never works again.
                handler.client.wss_uri = None
                down_since = time.monotonic()
                log.error("there is no socket to Slack%s", self._client.why() if self._client else "")
            await asyncio.sleep(min(1.0, self._ping / 2))


class _Asking(AsyncWebClient):
    """Asks Slack for a socket's address, with a token resolved now, and remembers why it got none."""

    def __init__(
        self,
        token: Callable[[], str],
        *,
        base_url: str,
        session: aiohttp.ClientSession,
        logger: logging.Logger,
    ) -> None:
        super().__init__(base_url=base_url, session=session, logger=logger, retry_handlers=[])
        self._resolve = token
        self._why = ""

    def why(self) -> str:
        """What to append to a sentence: the reason and the fix, if the last try was refused."""
        return self._why

    async def apps_connections_open(self, *, app_token: str, **kwargs: object) -> AsyncSlackResponse:
        self._why = ""
        try:
            return await super().apps_connections_open(app_token=self._resolve(), **kwargs)
        except SlackApiError as error:
            code = str(cast("Mapping[str, object]", error.response).get("error", ""))
            fix = f"; slack.app_token: {REFUSALS[code]}" if code in REFUSALS else ""
            self._why = f": Slack answers {code}{fix}"
            raise
        except ValueError as sentence:
            # Of our own making: it names the reference and never the secret.
            self._why = f": {sentence}"
            raise


class _Handler(AsyncSocketModeHandler):
    """Bolt's handler, which can wait for what it is hearing."""

    def __init__(self, bolt: AsyncApp, *, logger: logging.Logger, asking: _Asking, ping: float) -> None:
        super().__init__(bolt, "resolved for each connection", logger=logger, web_client=asking, ping_interval=ping)
        self._hearing = set[asyncio.Task[object]]()
        self._closing = False

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as the class above does
        task = asyncio.current_task()
        if self._closing or task is None:
            # Not acknowledged: Slack tells the person, who presses again.
            return
        self._hearing.add(task)
        try:
            await super().handle(client, req)
        finally:
            self._hearing.discard(task)

    async def finish(self) -> None:
        """Take nothing more, and wait for what was taken."""
        self._closing = True
        if self._hearing:
            await asyncio.wait(set(self._hearing), timeout=GOODBYE)

    def running(self) -> list[asyncio.Future[None]]:
        """What the client runs and only asks to stop."""
        client = cast("_Running", self.client)
        found = (client.message_receiver, client.current_session_monitor, client.message_processor)
        return [one for one in found if one is not None]


class _Running(Protocol):
    """The client's tasks, whose types it leaves open."""

    message_receiver: asyncio.Future[None] | None
    current_session_monitor: asyncio.Future[None] | None
    message_processor: asyncio.Future[None] | None
