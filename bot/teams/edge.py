"""Hears Teams: signed activities become Inbound, and are answered after the commit.

A press is an invoke, and its answer is the next card: the person sees it at once. That answer is theirs alone, so the
message itself is edited beside it, for everybody else and for the next time it is opened. Teams waits some ten seconds
for an answer (msteams-docs issues 6461 and 13460). An activity that comes twice carries the same ids, and the same key.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

from aiohttp import web
from pydantic import JsonValue

from bot.edge import Answers, House
from bot.payload import Body, Malformed, inner, text
from bot.teams.cards import AdaptiveCard, adaptive_card, without_slash, written
from bot.teams.chat import Home, TeamsChat
from bot.teams.gate import LOOPBACK, Gate, NotAdmitted, serves
from bot.teams.heard import Origin, origin, pressed, submitted, tenant_of, typed
from bot.teams.search import asked, results
from bot.teams.wire import CARD, TeamsWire
from handlers.conversation import Inbound, Message, Place, Reply

log = logging.getLogger("offboard.teams")

PATH = "/api/messages"
LONGEST_BODY = 256 * 1024
LINE = "application/vnd.microsoft.activity.message"
ERROR = "application/vnd.microsoft.error"
GIVES_WAY = 1.5
"""Seconds an edit waits at most for presses that have no answer yet."""
REVEALED_WITHIN = 8.0
TOLD_AGAIN = 3_600.0
"""Seconds until a conversation of a tenant that is none of ours is told so once more."""

NOT_REACHED = "That did not reach us, so nothing has happened. Please try again."
NOT_PLACED = "Teams did not say who you are and where, so nothing was done."
NOT_CONNECTED = "This organisation is not connected to offboard yet. Ask your service provider to add it."
NOT_REVEALED = "That could not be fetched. Issue it in the system itself."
NOT_OURS = "That is no button of a card of mine, so nothing was done."
NOT_KNOWN = "I can't do that in Teams, so nothing was done."
NOT_HERE = "Please write to me here: in a channel others read along. Nothing was done."
IN_PRIVATE = "I answer in our private chat."
NOTED = "Noted."

Answer = dict[str, JsonValue]


@dataclass(frozen=True)
class Ours:
    """Which tenants are heard, whose channels may be spoken in, and where our token may travel."""

    tenants: frozenset[str]
    msp: frozenset[str]
    hosts: frozenset[str]
    local_only: bool = False
    """Nothing is signed, so nothing may come from another machine."""


class TeamsEdge:
    """One route for every tenant, and the tasks that answer after the acknowledgement."""

    def __init__(self, house: House, chat: TeamsChat, wire: TeamsWire, gate: Gate, ours: Ours) -> None:
        self._house, self._chat, self._wire, self._gate, self._ours = house, chat, wire, gate, ours
        self._answers = Answers(log)
        self._told: dict[str, float] = {}
        self._pressing = 0
        self._calm = asyncio.Event()
        self.revealed_within, self.gives_way = REVEALED_WITHIN, GIVES_WAY
        self._invokes: Mapping[str, Callable[[Body], Awaitable[Answer]]] = {
            "adaptiveCard/action": self._press,
            "application/search": self._search,
        }
        """Every invoke that means something; its name → what is done."""

    async def receive(self, request: web.Request) -> web.Response:
        """One POST. 401 for what nobody signed, 400 for what nobody can read, else 200."""
        try:
            body = await self._admitted(request)
        except NotAdmitted as why:
            log.warning("a Teams request was refused: %s", why)
            return web.json_response({"error": "unauthorized"}, status=401)
        except Malformed:
            return web.json_response({"error": "unreadable"}, status=400)
        try:
            answer = await self._wire.hear(body, lambda: self._about(body))
        except Exception as error:  # noqa: BLE001 - Teams and the person must hear something
            _unheard(error)
            answer = _line(NOT_REACHED) if body.get("type") == "invoke" else None
        if answer is None:
            return web.Response(status=200)
        return web.Response(body=written(answer), content_type="application/json", charset="utf-8")

    async def _admitted(self, request: web.Request) -> Body:
        """The activity; nothing unsigned is parsed. Raises NotAdmitted and Malformed."""
        if self._ours.local_only and not _from_here(request):
            raise NotAdmitted("it came from another machine")
        claims = await self._gate.admit(request.headers.get("Authorization", ""))
        body = _read(await _bytes(request))
        service_url = text(body, "serviceUrl", "")
        if claims.service_url not in {None, service_url} or not serves(service_url, self._ours.hosts):
            raise NotAdmitted("its service URL is none of ours")
        return body

    async def settle(self) -> None:
        """Wait until everything that answers after an acknowledgement has done so."""
        await self._answers.settle()

    async def _about(self, body: Body) -> Answer | None:
        """Whose is it, then what is it."""
        kind = body.get("type")
        try:
            ours = tenant_of(body) in self._ours.tenants
        except Malformed as error:
            log.warning("a Teams activity was refused: %s", error)
            return _error(NOT_PLACED) if kind == "invoke" else None
        if not ours:
            return self._not_connected(body)
        if kind == "invoke":
            handle = self._invokes.get(text(body, "name", ""))
            return await handle(body) if handle else _error(NOT_KNOWN)
        if kind == "message":
            await self._message(body)
        elif kind in {"installationUpdate", "conversationUpdate"}:
            await self._moved(body)
        return None

    # --- what people do -------------------------------------------------------------------------

    async def _message(self, body: Body) -> None:
        line = NOT_PLACED
        try:
            by = origin(body)
            line = NOT_OURS
            inbound = submitted(body, by) or typed(body, by)
        except Malformed as error:
            log.warning("a Teams message was refused: %s", error)
            self._refuse(body, line)
            return
        await self._remember(by, body)
        if not by.place.private and by.place.workspace not in self._ours.msp:
            # Where a client's people read along nothing is said, and nothing done.
            self._answers.start(self._say_privately(by, NOT_HERE))
            return
        reply = await self._hear(inbound)
        aloud = not by.place.private and not inbound.token
        if aloud and reply.line:
            self._answers.start(self._chat.say(by.place, reply.line if reply.neutral else IN_PRIVATE))
        if reply.card:
            message = Message(by.place, text(body, "replyToId", ""))
            self._answers.start(self._house.answer(reply, lambda card: self._chat.update(message, card)))
        # Where it can't be shown to one person alone and kept nowhere, a secret is not even fetched.
        said = "" if aloud and reply.neutral else reply.line
        line = "\n".join(part for part in (said, NOT_REVEALED if reply.secret else "") if part)
        if line:
            self._answers.start(self._say_privately(by, line))

    async def _press(self, body: Body) -> Answer:
        line = NOT_PLACED
        try:
            by = origin(body)
            line = NOT_OURS
            inbound = pressed(body, by)
        except Malformed as error:
            log.warning("a press in Teams was refused: %s", error)
            return _error(line)
        self._pressing += 1
        self._calm.clear()
        try:
            await self._remember(by, body)
            reply = await self._hear(inbound)
        finally:
            self._pressing -= 1
            if not self._pressing:
                self._calm.set()
        if reply.card:
            self._answers.start(self._edit(reply, Message(by.place, text(body, "replyToId", ""))))
        line = "\n".join([part for part in (reply.line, await self._revealed(reply)) if part])
        card = None if line else _shown_at_once(reply)
        if line or card is None:
            return _line(line or NOTED)
        return {"statusCode": 200, "type": CARD, "value": card}

    async def _search(self, body: Body) -> Answer:
        """Whom the letters typed so far could mean; nobody where it is not said who types them, and in what."""
        try:
            by, (token, typed_so_far) = origin(body), asked(body)
            return results(await self._house.suggest(by.actor, token, typed_so_far))
        except Malformed as error:
            log.warning("a search in Teams was refused: %s", error)
        except Exception as error:  # noqa: BLE001 - a line would be no list; the field for words is there
            _unheard(error)
        return results(())

    async def _moved(self, body: Body) -> None:
        """The app was installed for somebody, or removed; blocking and letting in again need not say anything."""
        try:
            by = origin(body)
        except Malformed:
            return  # a team or a chat was changed by nobody in particular
        action = text(body, "action", "").lower()
        if by.place.private and action.startswith("remove"):
            await self._chat.forget(by.actor.workspace, by.actor.user)
        else:
            await self._remember(by, body, added=action.startswith("add") or _adds(body, by.bot))

    async def _hear(self, inbound: Inbound) -> Reply:
        try:
            return await self._house.hear(inbound)
        except Exception as error:  # noqa: BLE001 - the person must hear that nothing happened
            _unheard(error)
            return Reply(NOT_REACHED)

    # --- how they are answered ------------------------------------------------------------------

    async def _edit(self, reply: Reply, message: Message) -> None:
        """Edit the message the press was on, once nobody waits for an answer: presses go first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.gives_way):
                await self._calm.wait()
        await self._house.answer(reply, lambda card: self._chat.update(message, card))

    async def _revealed(self, reply: Reply) -> str:
        """What only whoever pressed may see, and is kept nowhere."""
        if reply.secret is None:
            return ""
        try:
            async with asyncio.timeout(self.revealed_within):
                return await reply.secret()
        except Exception as error:  # noqa: BLE001 - the person must hear that nothing came of it
            _unheard(error)
            return NOT_REVEALED

    async def _say_privately(self, by: Origin, line: str) -> None:
        """To that person alone, wherever they wrote."""
        await self._chat.say(by.place if by.place.private else await self._chat.private(by.actor), line)

    def _refuse(self, body: Body, line: str) -> None:
        """Nobody may have written it: said where it was written, which betrays nothing."""
        conversation = inner(body, "conversation", {})
        if conversation.get("conversationType") == "personal" and (channel := text(conversation, "id", "")):
            self._answers.start(self._chat.say(Place("teams", tenant_of(body), channel, private=True), line))

    def _not_connected(self, body: Body) -> Answer | None:
        """One neutral answer to another tenant, however often it asks."""
        kind, conversation = body.get("type"), inner(body, "conversation", {})
        if kind == "invoke":
            return _error(NOT_CONNECTED)
        channel, now = text(conversation, "id", ""), time.monotonic()
        last = self._told.get(channel, -TOLD_AGAIN)
        if kind == "message" and conversation.get("conversationType") == "personal" and now - last >= TOLD_AGAIN:
            log.warning("a Teams tenant that is not in the configuration wrote to us")
            if len(self._told) >= 1_000:
                self._told.clear()
            self._told[channel] = now
            self._answers.start(self._chat.tell(text(body, "serviceUrl"), channel, NOT_CONNECTED))
        return None

    async def _remember(self, by: Origin, body: Body, *, added: bool = False) -> None:
        """Where somebody is reached; and whoever could not be written to is shown what they missed."""
        service_url = text(body, "serviceUrl")
        try:
            await self._chat.remember(Home(by.actor.workspace, "", "", service_url))
            if by.place.private:
                await self._chat.remember(Home(by.actor.workspace, by.actor.user, by.place.channel, service_url))
                await self._house.back(by.actor, added=added)
        except Exception as error:  # noqa: BLE001 - what they did counts all the same
            log.error("where somebody is reached in Teams was not kept: %s", type(error).__name__)


async def _bytes(request: web.Request) -> bytes:
    if (request.content_length or 0) > LONGEST_BODY:
        raise Malformed("it is too long")
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Malformed("it is too long") from None


def _read(raw: bytes) -> Body:
    """The activity. Raises Malformed."""
    try:
        body: object = json.loads(raw)
    except (ValueError, RecursionError):
        raise Malformed("it is no JSON") from None
    if not isinstance(body, dict):
        raise Malformed("it is no block of keys")
    return cast("Body", body)


def _shown_at_once(reply: Reply) -> AdaptiveCard | None:
    """The next card, for whoever pressed; None when there is none, or it is too big to be shown."""
    with contextlib.suppress(ValueError):
        return adaptive_card(reply.drawn.card) if reply.drawn else None
    return None


def _adds(body: Body, bot: str) -> bool:
    """Whether a `conversationUpdate` says that the bot itself has come into the chat."""
    members = body.get("membersAdded")
    return any(isinstance(one, dict) and one.get("id") == bot for one in (members if isinstance(members, list) else ()))


def _line(line: str) -> Answer:
    """Shown to whoever pressed, and to nobody else."""
    return {"statusCode": 200, "type": LINE, "value": without_slash(line)}


def _error(message: str) -> Answer:
    """The same, where nothing was even heard."""
    return {"statusCode": 400, "type": ERROR, "value": {"code": "BadRequest", "message": message}}


def _from_here(request: web.Request) -> bool:
    """From this machine, and by no proxy."""
    if any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "Via")):
        return False
    return request.remote in LOOPBACK


def _unheard(error: Exception) -> None:
    # The type alone: a message could quote what a person wrote or a vendor said.
    log.error("something done in Teams was not heard: %s", type(error).__name__)
