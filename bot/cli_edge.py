"""Hears commands typed on the service's own machine: signed with a person's key, each heard once, never by a proxy.

For the hour when Slack is down. Whatever is wrong with a request, its sender reads the same sentence; why stands in
the log.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.cli_signature import (
    NONCE,
    PATH,
    REFUSED,
    SHORTEST_KEY,
    SIGNATURE,
    TIMESTAMP,
    WELL_FORMED,
    WINDOW,
    same,
    sign_answer,
    sign_request,
)
from bot.text import card_text, safe
from handlers import command_line
from handlers.command_line import Told
from handlers.house import House
from handlers.people import Person

log = logging.getLogger("offboard.cli")

LONGEST = 16_384
"""Bytes of a request; a command is a few hundred."""
NOT_REACHED = "Something went wrong on our side; look with offboard status whether anything happened. The log says why."
UNREADABLE = "This command and the service are not of one version: restart the service, then try again."


class Asked(BaseModel):
    """One command."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: Literal["status", "approve", "go"]
    case: str = Field(default="", max_length=200)
    digests: tuple[str, ...] = Field(default=(), max_length=8)
    proofs: tuple[str, ...] = Field(default=(), max_length=8)


@dataclass(frozen=True)
class _Proved:
    """Whose request it is."""

    person: Person
    key: str
    nonce: str


class _NotProved(Exception):
    """Why it is nobody's: for the log alone."""


def cli_routes(app: web.Application, house: House, secret: Callable[[str], str]) -> None:
    """Mount the edge at POST /cli. `secret` resolves a reference, late, and raises ValueError."""
    edge = CommandLineEdge(house, secret)
    app.router.add_post(PATH, edge.receive)

    async def tidy(_: web.Application) -> None:
        await command_line.put_away_all(house)

    # After the database is ours: what builds the house has its turn before.
    app.on_startup.append(tidy)


class CommandLineEdge:
    """Who is it, have we heard it before, then the handlers."""

    def __init__(self, house: House, secret: Callable[[str], str]) -> None:
        self._house, self._secret = house, secret

    async def receive(self, request: web.Request) -> web.Response:
        """One command. 401 for nobody's; else a signed answer with what the person reads."""
        try:
            body = await self._body(request)
            proved = await self._prove(request, body)
        except _NotProved as why:
            log.warning("a command was refused: %s", why)
            return web.Response(status=401, text=REFUSED)
        try:
            told = await self._told(proved.person, Asked.model_validate_json(body))
            log.info("%s used the command line", proved.person.id)
        except ValidationError:
            told = Told(done=False, lines=(UNREADABLE,))
        except Exception as error:  # noqa: BLE001 - the person must hear that it went wrong
            # The type alone: a message could quote what a person wrote or a vendor said.
            log.error("a command was not carried out: %s", type(error).__name__)
            told = Told(done=False, lines=(NOT_REACHED,))
        answer = json.dumps({"done": told.done, "text": _text(told)}).encode()
        signed = sign_answer(proved.key, 200, proved.nonce, answer)
        return web.Response(body=answer, content_type="application/json", headers={SIGNATURE: signed})

    async def _told(self, person: Person, asked: Asked) -> Told:
        if asked.command == "status":
            return await command_line.status(self._house, person, asked.case)
        if asked.command == "go":
            return await command_line.go(self._house, person, asked.case, asked.digests)
        return await command_line.approve(self._house, person, asked.case, asked.digests, asked.proofs)

    async def _body(self, request: web.Request) -> bytes:
        if not _from_here(request):
            raise _NotProved("it came from another machine")
        if request.content_length is None or request.content_length > LONGEST:
            raise _NotProved("it is too long")
        return await request.read()

    async def _prove(self, request: web.Request, body: bytes) -> _Proved:
        """Whose signature it is. Raises _NotProved."""
        words = {name: request.headers.get(name, "") for name in WELL_FORMED}
        if not all(WELL_FORMED[name].fullmatch(word) for name, word in words.items()):
            raise _NotProved("it is not signed")
        timestamp, nonce = words[TIMESTAMP], words[NONCE]
        if abs(self._house.clock.now().timestamp() - int(timestamp)) > WINDOW:
            raise _NotProved("it is too old, or this machine's clock is wrong")
        given = request.headers.get(SIGNATURE, "")
        # Every key is tried, so that the time it takes tells nothing about whose it could have been.
        fitting = [
            (person, key)
            for person, key in self._keys()
            if same(given, sign_request(key, request.method, timestamp, nonce, body))
        ]
        if len(fitting) != 1:
            raise _NotProved("nobody's key fits" if not fitting else "several people have the same key")
        person, key = fitting[0]
        if not await command_line.first_time(self._house, f"cli:{person.id}:{nonce}"):
            raise _NotProved("it was heard before")
        return _Proved(person, key, nonce)

    def _keys(self) -> list[tuple[Person, str]]:
        found: list[tuple[Person, str]] = []
        for person in self._house.roster.people:
            if not command_line.may_use_it(person):
                continue
            try:
                key = self._secret(person.key)
            except ValueError as sentence:
                log.warning("%s can't use the command line: %s", person.id, sentence)
                continue
            if len(key) < SHORTEST_KEY:
                log.warning("the key of %s has fewer than %d characters: not used", person.id, SHORTEST_KEY)
                continue
            found.append((person, key))
        return found


def _from_here(request: web.Request) -> bool:
    """Both ends are this machine, and no proxy handed it on."""
    if request.transport is None or any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "Via")):
        return False
    ends = [cast("tuple[str, int]", request.transport.get_extra_info(name)) for name in ("peername", "sockname")]
    return bool(ends[0]) and bool(ends[1]) and ends[0][0] == ends[1][0]


def _text(told: Told) -> str:
    """The card, and below it what is said."""
    said = "\n".join(safe(line) for line in told.lines)
    return "\n\n".join(part for part in (card_text(told.card) if told.card else "", said) if part)
