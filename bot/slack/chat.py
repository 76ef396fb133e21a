"""Speaks in Slack: posts, edits and answers with cards, one bot token per workspace.

Nothing here waits or repeats: whoever delivers cards coalesces them and tries again when a
ChatError says so. Tokens are resolved for each call and never kept; response_urls are
credentials (docs.slack.dev/interactivity/handling-user-interaction, read 2026-11-22), so they
are neither kept nor named in an error or a log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol, cast
from urllib.parse import urlsplit

import aiohttp
from pydantic import JsonValue
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.blocks import blocks, fallback, line_blocks
from handlers.conversation import Actor, Card, ChatError, Message, Place

SLACK_API = "https://slack.com/api/"
HOOKS = ("https", "hooks.slack.com", None)
SOON = 3.0
"""Seconds until another try after a fault on the way or in Slack."""
NOT_INSTALLED = 60.0
"""The same for a workspace where the app is still to be installed from its page."""
PASSING = {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited"}
"""Slack's codes for what may go better in a moment (docs.slack.dev/reference/methods/chat.postMessage)."""


class WebApi(Protocol):
    """What is used of slack_sdk's client, with the types it leaves open."""

    async def api_call(self, api_method: str, *, json: dict[str, JsonValue]) -> Answer:
        """One POST."""
        ...


class Answer(Protocol):
    """What is read of slack_sdk's answers."""

    data: object


class SlackChat:
    """handlers.conversation.Chat for Slack, and the inline answers to clicks."""

    platform = "slack"

    def __init__(
        self,
        tokens: Mapping[str, Callable[[], str]],
        *,
        base_url: str = SLACK_API,
        timeout: float = 10.0,
        expected: frozenset[str] = frozenset(),
    ) -> None:
        """`tokens`: workspace (team id) → resolve its bot token, late; `timeout` in seconds.

        In `expected` workspaces the app may be installed any time: cards for them wait.
        """
        self._tokens, self._expected = tokens, expected
        self._base_url = base_url
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._private: dict[tuple[str, str], str] = {}
        # At DEBUG the SDK writes whole bodies; its logger never goes that low.
        self._log = logging.getLogger("offboard.slack.wire")
        self._log.setLevel(logging.WARNING)

    def serves(self, workspace: str) -> bool:
        """Whether the app is installed in that workspace, as far as we know."""
        return workspace in self._tokens

    def forget(self, workspace: str) -> None:
        """The app is gone from there: its private chats may not be the same when it comes back."""
        self._private = {key: channel for key, channel in self._private.items() if key[0] != workspace}

    async def private(self, actor: Actor) -> Place:
        """The direct message between that person and the bot. Raises ChatError."""
        key = (actor.workspace, actor.user)
        if key not in self._private:
            data = await self._call(actor.workspace, "conversations.open", {"users": actor.user})
            self._private[key] = _word(_inside(data, "channel"), "id", "conversations.open")
        return Place(self.platform, actor.workspace, self._private[key], private=True)

    async def post(self, place: Place, card: Card) -> Message:
        """A new message. Raises ChatError; after a fault on the way it may stand there nevertheless."""
        body = {"channel": place.channel, "unfurl_links": False, "unfurl_media": False}
        data = await self._call(place.workspace, "chat.postMessage", {**body, **_drawn("chat.postMessage", card)})
        return Message(place, _word(data, "ts", "chat.postMessage"))

    async def update(self, message: Message, card: Card) -> None:
        """Edit a message in place. Raises ChatError; `retry_after` None when it is gone for good."""
        body: dict[str, JsonValue] = {"channel": message.place.channel, "ts": message.id}
        body |= _drawn("chat.update", card)
        await self._call(message.place.workspace, "chat.update", body)

    async def respond(self, response_url: str, card: Card) -> None:
        """Redraw the message a click was on. Raises ChatError, which never names the URL."""
        await self._answer(response_url, {"replace_original": True, **_drawn("response_url", card)})

    async def respond_line(self, response_url: str, line: str) -> None:
        """A line only the person who clicked sees. Raises ChatError, which never names the URL."""
        shown: list[JsonValue] = [*line_blocks(line)]
        body: dict[str, JsonValue] = {"response_type": "ephemeral", "replace_original": False}
        await self._answer(response_url, {**body, "text": fallback(line), "blocks": shown})

    async def close(self) -> None:
        """Let the connections go."""
        if self._session is not None:
            await self._session.close()

    async def _answer(self, url: str, body: dict[str, JsonValue]) -> None:
        if _origin(url) not in {HOOKS, _origin(self._base_url)}:
            raise ChatError(self.platform, "response_url", "is not an address of Slack; not called", None)
        try:
            async with self._open().post(url, json=body, allow_redirects=False) as response:
                status, wait = response.status, response.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError) as error:
            # `from None`: aiohttp's own message may hold the URL.
            raise ChatError(self.platform, "response_url", type(error).__name__, SOON) from None
        if status >= 300:
            raise ChatError(self.platform, "response_url", f"HTTP {status}", _retry(status, "", wait))

    async def _call(self, workspace: str, call: str, body: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """The JSON of one Web API call. Raises ChatError for everything else."""
        client = self._client(call, workspace)
        try:
            answer = await client.api_call(call, json=body)
        except SlackApiError as error:
            raise _refused(call, error) from None
        except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            raise ChatError(self.platform, call, type(error).__name__, SOON) from None
        return cast("dict[str, JsonValue]", answer.data)

    def _client(self, call: str, workspace: str) -> WebApi:
        resolve = self._tokens.get(workspace)
        if resolve is None:
            wait = NOT_INSTALLED if workspace in self._expected else None
            raise ChatError(self.platform, call, f"workspace {workspace} has no bot token: install the app there", wait)
        try:
            token = resolve()
        except (LookupError, OSError, ValueError) as error:
            kind = type(error).__name__
            fix = "check its reference in the configuration"
            raise ChatError(
                self.platform, call, f"bot token of {workspace} not readable ({kind}): {fix}", 60.0
            ) from None
        client = AsyncWebClient(
            token=token,
            base_url=self._base_url,
            session=self._open(),
            logger=self._log,
            retry_handlers=[],
        )
        return cast("WebApi", client)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            # No cookies: workspaces share the session, and must share nothing else.
            self._session = aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def _drawn(call: str, card: Card) -> dict[str, JsonValue]:
    """What every message carries: the blocks, and a line for lock screens that mentions nobody."""
    try:
        shown: list[JsonValue] = [*blocks(card)]
    except ValueError as error:
        raise ChatError("slack", call, str(error), None) from error
    return {"blocks": shown, "text": fallback(card.notification), "link_names": False, "parse": "none"}


def _refused(call: str, error: SlackApiError) -> ChatError:
    """What Slack said, without the rest of its answer: that may quote the message."""
    response: object = error.response
    # An unreadable body arrives as aiohttp's response instead of the SDK's.
    status = getattr(response, "status_code", None) or getattr(response, "status", 0)
    headers = cast("Mapping[str, str]", getattr(response, "headers", {}))
    data: object = getattr(response, "data", None)
    code = str(cast("dict[str, JsonValue]", data).get("error", "")) if isinstance(data, dict) else ""
    wait = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    return ChatError("slack", call, code or f"HTTP {status}", _retry(status, code, wait))


def _retry(status: int, code: str, wait: str | None) -> float | None:
    if status == 429 or code == "ratelimited":
        return float(wait) if wait and wait.isdecimal() else SOON
    if status >= 500 or code in PASSING or (status == 200 and not code):
        return SOON
    return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        origin = parts.scheme, parts.hostname, parts.port
    except ValueError:
        origin = "", None, None
    return origin


def _inside(data: Mapping[str, JsonValue], name: str) -> dict[str, JsonValue]:
    inner = data.get(name)
    return inner if isinstance(inner, dict) else {}


def _word(data: Mapping[str, JsonValue], name: str, call: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise ChatError("slack", call, f"answered without '{name}'", SOON)
    return value
