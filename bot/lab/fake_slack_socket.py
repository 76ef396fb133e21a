"""The fake Slack's Socket Mode: gives out websocket addresses, and sends down them what people do.

An address is good once; an envelope must be acknowledged within three seconds, over the socket it came by
(docs.slack.dev/apis/events-api/using-socket-mode, read 2026-11-25). It breaks when told.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import WSMsgType, web
from pydantic import JsonValue

from bot.lab.fake_slack import Answer, FakeSlack, Json
from bot.lab.fake_slack_wire import SlackError

PATIENCE = 3.0


class FakeSocket:
    """Switches a fake Slack over to Socket Mode. Make it before that Slack starts."""

    def __init__(self, slack: FakeSlack, app_token: str) -> None:
        self._slack, self._token = slack, app_token
        self._tickets: set[str] = set()
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self.sockets: list[web.WebSocketResponse] = []
        """Those open now, oldest first."""
        self.opened = 0
        """How many there have been."""
        self.down = False
        """Gives out addresses, and takes no connection."""
        self._last: tuple[str, Json] | None = None
        slack.routes.append(web.get("/link", self._link))
        slack.apart["apps.connections.open"] = self._open
        slack.courier = self.deliver

    async def deliver(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """What somebody did, in an envelope; 504 when nobody acknowledges it."""
        kind, payload = _enveloped(body, headers)
        self._last = kind, payload
        return await self._send(kind, payload)

    async def again(self) -> Answer:
        """The last one once more in another envelope, as after a lost acknowledgement."""
        if self._last is None:
            raise LookupError("nothing was delivered yet")
        return await self._send(*self._last)

    async def refresh(self) -> None:
        """Ask for a new connection, as Slack does every few hours."""
        await self.sockets[-1].send_json({"type": "disconnect", "reason": "refresh_requested"})

    async def hang_up(self) -> None:
        """Break every connection without a word."""
        for socket in list(self.sockets):
            await socket.close(code=1011)

    async def _open(self, request: web.Request, args: Json) -> Json:
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            raise SlackError("invalid_auth")
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return {"url": f"{self._slack.url.replace('http', 'ws', 1)}/link?ticket={ticket}&app_id=A0OFFBOARD"}

    async def _link(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        known = ticket in self._tickets
        self._tickets.discard(ticket)
        if self.down or not known:
            return web.Response(status=503 if self.down else 404)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        self.opened += 1
        try:
            await socket.send_json(
                {"type": "hello", "num_connections": len(self.sockets), "connection_info": {"app_id": "A0OFFBOARD"}}
            )
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self._acknowledged(message.data)
        finally:
            self.sockets.remove(socket)
        return socket

    def _acknowledged(self, raw: str) -> None:
        said: JsonValue = json.loads(raw)
        if isinstance(said, dict):
            waiting = self._waiting.pop(str(said.get("envelope_id")), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(json.dumps(said["payload"]) if "payload" in said else "")

    async def _send(self, kind: str, payload: Json) -> Answer:
        if not self.sockets:
            return Answer(504, "")
        envelope = secrets.token_hex(8)
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[envelope] = waiting
        sent: Json = {"envelope_id": envelope, "type": kind, "payload": payload}
        sent["accepts_response_payload"] = kind != "events_api"
        await self.sockets[-1].send_json(sent)
        try:
            async with asyncio.timeout(PATIENCE):
                return Answer(200, await waiting)
        except TimeoutError:
            return Answer(504, "")


def _enveloped(body: bytes, headers: Mapping[str, str]) -> tuple[str, Json]:
    """The same as over HTTP, where forms and JSON differ; here everything is JSON."""
    if headers.get("Content-Type") == "application/json":
        return "events_api", json.loads(body)
    form: Json = dict(parse_qsl(body.decode(), keep_blank_values=True))
    if "payload" in form:
        return "interactive", json.loads(str(form["payload"]))
    return "slash_commands", form
