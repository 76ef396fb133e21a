"""Hears Slack: verified commands and clicks become Inbound, and are answered after the commit.

Bolt runs with `process_before_response`, so a listener has finished – the house has committed –
before Slack gets its 200. Slack never repeats a click: what did not commit says "press again".
Facts on payloads: docs.slack.dev/interactivity (slash commands; block_actions payloads),
read 2026-11-22; whose home is where in Slack Connect: bolt-js issue 1614, bolt-python issue 767.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from aiohttp import web
from pydantic import JsonValue
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier

from bot.edge import Answers, House
from bot.payload import Body, Malformed, inner, text
from bot.slack.blocks import fallback, line_blocks, offered
from bot.slack.chat import SlackChat
from bot.slack.payloads import GONE, pressed, removal, suggesting
from handlers.conversation import Actor, ChatError, Inbound, Kind, Option, Place, Reply

log = logging.getLogger("offboard.slack")

PATH = "/slack/events"
PRESS = re.compile(r"^press:\d+$")
NOT_REVEALED = "That could not be fetched. Issue it in the system itself."
NOT_REACHED = "That did not reach us, so nothing has happened. Please try again."
NOT_PLACED = "Slack did not say which workspace you belong to, so nothing was done."
NOT_CONNECTED = "This workspace is not connected to offboard yet. Ask your service provider to add it."
LOOK_UP = 1.0
"""Seconds to find out whether a command was typed in the bot's own chat; Slack waits three in all."""

Gone = Callable[[str, float], Awaitable[None]]
"""The app is gone from that workspace since then (seconds since 1970)."""


def slack_routes(
    app: web.Application,
    house: House,
    chat: SlackChat,
    *,
    signing_secret: str,
    commands: Sequence[str],
    gone: Gone | None = None,
) -> SlackEdge:
    """Mount the edge at POST /slack/events. Raises ValueError without a signing secret.

    `commands` are the words without their slash.
    """
    edge = SlackEdge(house, chat, signing_secret=signing_secret, commands=commands, gone=gone)
    app.router.add_post(PATH, edge.receive)

    async def stop(_: web.Application) -> None:
        await edge.settle()

    app.on_cleanup.append(stop)
    return edge


class SlackEdge:
    """One Bolt app for every workspace, and the tasks that answer after the acknowledgement."""

    def __init__(
        self,
        house: House,
        chat: SlackChat,
        *,
        signing_secret: str | None,
        commands: Sequence[str],
        gone: Gone | None = None,
    ) -> None:
        """Without a signing secret (None) nothing is taken over HTTP: requests come by a socket we opened."""
        if signing_secret is not None and not signing_secret.strip():
            # Bolt would start, and fail at the first request.
            raise ValueError("Slack's signing secret is empty: set SLACK_SIGNING_SECRET (Basic Information)")
        self._house = house
        self._chat = chat
        self._gone_from = gone
        self._verifier = SignatureVerifier(signing_secret) if signing_secret else None
        self._answers = Answers(log)
        self.bolt = self._listen(signing_secret or "", commands)
        """What hears, however requests arrive."""

    async def receive(self, request: web.Request) -> web.Response:
        """One POST from Slack. 401 unverified, 400 unreadable, else what the listeners answered."""
        raw = await request.read()
        try:
            # Bolt reads the body before it verifies it; nothing unverified is parsed here.
            if not self._genuine(raw, request.headers):
                return web.json_response({"error": "invalid request"}, status=401)
            headers: dict[str, str | Sequence[str]] = dict(request.headers.items())
            heard = AsyncBoltRequest(body=raw.decode(), query=request.query_string, headers=headers)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return web.json_response({"error": "unreadable"}, status=400)
        answer = await self.bolt.async_dispatch(heard)
        if answer.status >= 400:
            log.warning("a Slack request of type %s got %d", heard.body.get("type", "command"), answer.status)
        kind = answer.headers.get("content-type", ["text/plain"])[0].split(";")[0]
        return web.Response(status=answer.status, text=answer.body, content_type=kind)

    async def settle(self) -> None:
        """Wait until everything that answers after an acknowledgement has done so."""
        await self._answers.settle()

    # --- Bolt -----------------------------------------------------------------------------------

    def _listen(self, signing_secret: str, commands: Sequence[str]) -> AsyncApp:
        # Bolt's own log lines quote bodies; we say what failed ourselves. Bolt also gives this level
        # to the logger it is named after, so its name is not 'offboard'.
        silent = logging.getLogger("offboard.slack.bolt")
        silent.setLevel(logging.CRITICAL + 1)
        bolt = AsyncApp(
            name=silent.name,
            logger=silent,
            signing_secret=signing_secret,
            process_before_response=True,
            before_authorize=self._known,
            authorize=_authorize,
        )
        bolt.error(_failed)
        for word in commands:
            bolt.command(f"/{word}")(self._command)
        bolt.action(PRESS)(self._click)
        # Typing in a field or picking from a list says nothing yet: values come with a button.
        bolt.action(re.compile(""))(_ignore)
        bolt.options(re.compile(""))(self._suggest)
        for word in GONE:
            bolt.event(word)(self._gone)
        bolt.event(re.compile(""))(_ignore)
        return bolt

    def _genuine(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        timestamp = headers.get("X-Slack-Request-Timestamp", "")
        signature = headers.get("X-Slack-Signature", "")
        return (
            self._verifier is not None and timestamp.isdecimal() and self._verifier.is_valid(raw, timestamp, signature)
        )

    async def _known(
        self, context: AsyncBoltContext, body: Body, next_: Callable[[], Awaitable[None]]
    ) -> BoltResponse | None:
        """Only installed workspaces get further; `url_verification` has none, and who leaves may be none any more."""
        leaves = body.get("type") == "event_callback" and inner(body, "event", {}).get("type") in GONE
        if leaves or body.get("type") == "url_verification" or self._chat.serves(context.team_id or ""):
            await next_()
            return None
        log.warning("Slack workspace %s is not in the configuration", context.team_id)
        return BoltResponse(status=200, body=NOT_CONNECTED if "command" in body else "")

    async def _gone(self, ack: AsyncAck, body: Body) -> None:
        """Removed before Slack gets its 200: otherwise it says so again."""
        try:
            team, at = removal(body)
        except Malformed as error:
            log.warning("a Slack event was ignored: %s", error)
        else:
            if team and self._gone_from:
                await self._gone_from(team, at)
        await ack()

    # --- what people do -------------------------------------------------------------------------

    async def _command(self, ack: AsyncAck, body: Body) -> None:
        try:
            inbound = await self._typed(body)
        except Malformed as error:
            log.warning("a Slack command was refused: %s", error)
            await ack(_private_line(NOT_PLACED))
            return
        try:
            reply = await self._house.hear(inbound)
        except Exception as error:  # noqa: BLE001 - the person must hear that nothing happened
            _unheard(inbound, error)
            reply = Reply(NOT_REACHED)
        if reply.line:
            await ack(_private_line(reply.line))
        else:
            await ack()

    async def _click(self, ack: AsyncAck, body: Body) -> None:
        url = text(body, "response_url", "")
        try:
            inbound = pressed(body)
            reply = await self._house.hear(inbound)
        except Malformed as error:
            log.warning("a click in Slack was refused: %s", error)
            reply = Reply(NOT_PLACED)
        except Exception as error:  # noqa: BLE001 - the person must hear that nothing happened
            _unheard(None, error)
            reply = Reply(NOT_REACHED)
        await ack()
        if reply.card:
            self._answers.start(self._house.answer(reply, partial(self._chat.respond, url)))
        if reply.line:
            self._answers.start(self._chat.respond_line(url, reply.line))
        if reply.secret:
            self._answers.start(self._reveal(url, reply.secret))

    async def _suggest(self, ack: AsyncAck, body: Body) -> None:
        """Whom the letters typed so far could mean; nobody where it is not said who types them, and in what."""
        found: tuple[Option, ...] = ()
        try:
            found = await self._house.suggest(*suggesting(body))
        except Malformed as error:
            log.warning("a look-up in Slack was refused: %s", error)
        except Exception as error:  # noqa: BLE001 - the field for words is there all the same
            _unheard(None, error)
        await ack(options=offered(found))

    async def _reveal(self, url: str, secret: Callable[[], Awaitable[str]]) -> None:
        """Show the clicker, and nobody else, what is kept nowhere."""
        try:
            line = await secret()
        except Exception as error:  # noqa: BLE001 - the person must hear that nothing came of it
            _unheard(None, error)
            line = NOT_REVEALED
        await self._chat.respond_line(url, line)

    async def _typed(self, body: Body) -> Inbound:
        # A slash command is offered by the typist's own workspace, also in a shared channel, so
        # its team_id is both their home and where the app is installed.
        workspace = text(body, "team_id")
        actor = Actor("slack", workspace, text(body, "user_id"))
        channel = text(body, "channel_id")
        private = await self._is_ours(actor, channel)
        return Inbound(
            kind=Kind.COMMAND,
            actor=actor,
            where=Place("slack", workspace, channel, private),
            dedupe=f"slack:{text(body, 'trigger_id')}",
            command=text(body, "command").removeprefix("/"),
            text=text(body, "text", "").strip(),
        )

    async def _is_ours(self, actor: Actor, channel: str) -> bool:
        """Whether the channel is that person's chat with the bot.

        Commands can be typed in a direct message between two people as well – with the leaver,
        say –, and the payload looks the same.
        """
        if not channel.startswith("D"):
            return False
        try:
            async with asyncio.timeout(LOOK_UP):
                return (await self._chat.private(actor)).channel == channel
        except (ChatError, TimeoutError):
            return False


def _private_line(line: str) -> dict[str, JsonValue]:
    shown: list[JsonValue] = [*line_blocks(line)]
    return {"text": fallback(line), "blocks": shown, "response_type": "ephemeral"}


async def _authorize(context: AsyncBoltContext) -> AuthorizeResult:
    """The workspace is known already, and nothing is called with its token from here."""
    return AuthorizeResult(enterprise_id=context.enterprise_id, team_id=context.team_id)


async def _ignore(ack: AsyncAck) -> None:
    await ack()


async def _failed(error: Exception) -> BoltResponse:
    log.error("a Slack request failed: %s", type(error).__name__)
    return BoltResponse(status=500, body="")


def _unheard(inbound: Inbound | None, error: Exception) -> None:
    what = inbound.command if inbound else "a click"
    # The type alone: a message could quote what a person wrote or a vendor said.
    log.error("%s from Slack was not heard: %s", what, type(error).__name__)
