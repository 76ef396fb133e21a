"""Requests that may travel together: what is asked within a moment goes out as one OData batch, each with its answer.

Vendors count requests, and every request costs a way there and back. A step that can wait a moment says so by
`LINGER`; whatever its connection is asked meanwhile shares one request. An answer is never older than its question:
a batch is closed before it is sent. Where the vendor does not take it, everything goes one by one again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import cast

import httpx

from connectors.contract import Json, Surroundings, Unreachable, VendorError
from connectors.http import Gate, retry_after

LINGER: ContextVar[float] = ContextVar("LINGER", default=0.0)
"""Seconds a request may wait for others to travel with; 0: it goes at once and alone."""
PARTS_A_TURN = 3
"""Parts that cost as much of a vendor's rate as one request of its own."""

_PASSING = frozenset({429, 503, 504})
_ABOUT_THE_WIRE = frozenset({"content-length", "content-encoding", "transfer-encoding"})
_WAIT = frozenset({429, 503})
_NOT_TAKEN = frozenset({400, 404, 405, 413, 415, 501})
"""The batch as a whole was not understood, so nothing of it happened."""


@dataclass(frozen=True)
class Manner:
    """How one vendor takes batches."""

    vendor: str
    address: str
    """Where a batch is posted."""
    most: int
    """Parts in one batch."""
    reads: Callable[[httpx.Request], bool]
    """Whether repeating that request is harmless."""
    headers: tuple[str, ...]
    """The parts' headers that travel with them, as the vendor writes them: inside a batch it may mind the letters."""
    base: str = ""
    """What is cut off the parts' addresses, where they must be relative."""
    batch_headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class _Part:
    """One request that waits; the same read asked twice waits once."""

    request: httpx.Request
    reads: bool
    answer: asyncio.Future[httpx.Response]


class Together(httpx.AsyncBaseTransport):
    """Over one vendor's gate: collects for a moment, sends as one, hands out the answers."""

    def __init__(self, inner: Gate, around: Surroundings, manner: Manner) -> None:
        self._inner, self._around, self._manner = inner, around, manner
        self._waiting: dict[tuple[object, ...], _Part] = {}
        self._departures: set[asyncio.Task[None]] = set()
        self._taken = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        linger = LINGER.get()
        if not linger or not self._taken or str(request.url) == self._manner.address:
            return await self._inner.handle_async_request(request)
        await request.aread()
        reads = self._manner.reads(request)
        key = (request.method, str(request.url), request.content, *self._carried(request).items())
        if not reads:
            key = (object(),)
        part = self._waiting.get(key)
        if part is None:
            part = _Part(request, reads, asyncio.get_running_loop().create_future())
            if not self._waiting:
                self._leave_in(linger)
            self._waiting[key] = part
            if len(self._waiting) == self._manner.most:
                self._leave_in(0)
        # Several may wait for one answer: whoever gives up must not take it from the others.
        answer = await asyncio.shield(part.answer)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content, request=request)

    async def aclose(self) -> None:
        for task in list(self._departures):
            task.cancel()
        await asyncio.gather(*self._departures, return_exceptions=True)
        await self._inner.aclose()

    def _leave_in(self, seconds: float) -> None:
        parts: list[_Part] = []
        if not seconds:
            parts, self._waiting = [*self._waiting.values()], {}
        task = asyncio.get_running_loop().create_task(self._leave(parts, seconds))
        self._departures.add(task)
        task.add_done_callback(self._departures.discard)

    async def _leave(self, parts: list[_Part], seconds: float) -> None:
        if not parts:
            await asyncio.sleep(seconds)
            parts, self._waiting = [*self._waiting.values()], {}
        if len(parts) == 1:
            await self._alone(parts[0])
        elif parts:
            await self._as_one(parts)

    async def _alone(self, part: _Part) -> None:
        try:
            response = await self._inner.handle_async_request(part.request)
            await response.aread()
        except Exception as error:  # noqa: BLE001 - whoever asked is who must know
            _fail(part, error)
        else:
            _answer(part, response)

    async def _as_one(self, parts: list[_Part]) -> None:
        try:
            for _ in range(len(parts) // PARTS_A_TURN):
                await self._around.limiter.turn(self._manner.vendor, self._around.client)
            response = await self._inner.handle_async_request(self._packed(parts))
            found = self._unpacked(await response.aread()) if response.is_success else None
        except Exception as broken:  # noqa: BLE001 - whoever asked is who must know
            error = broken
            await self._each(parts, lambda part: _fail(part, error))
            return
        if response.status_code in _NOT_TAKEN:
            self._taken = False
            await asyncio.gather(*(self._alone(part) for part in parts))
        elif response.is_success:
            await self._hand_out(parts, found or {})
        else:
            await self._each(parts, lambda part: _answer(part, response), alone=response.status_code >= 500)

    async def _each(self, parts: list[_Part], otherwise: Callable[[_Part], None], *, alone: bool = True) -> None:
        """Reads that got no answer are asked by themselves; a change may have happened, and is told so."""
        for part in parts:
            if not (part.reads and alone):
                otherwise(part)
        await asyncio.gather(*(self._alone(part) for part in parts if part.reads and alone))

    async def _hand_out(self, parts: list[_Part], found: Mapping[str, httpx.Response]) -> None:
        again: list[_Part] = []
        for name, part in enumerate(parts):
            answer = found.get(str(name))
            if answer is not None and answer.status_code in _WAIT:
                wait = retry_after(answer.headers.get("retry-after"), self._around.clock.now())
                await self._around.limiter.pause(self._manner.vendor, self._around.client, wait)
            if part.reads and (answer is None or answer.status_code in _PASSING):
                again.append(part)
            elif answer is None:
                _fail(part, self._unanswered(part.request))
            else:
                _answer(part, answer)
        await asyncio.gather(*(self._alone(part) for part in again))

    def _packed(self, parts: list[_Part]) -> httpx.Request:
        requests = [self._written(str(name), part.request) for name, part in enumerate(parts)]
        headers = {"Authorization": parts[-1].request.headers.get("authorization", ""), **self._manner.batch_headers}
        return httpx.Request("POST", self._manner.address, headers=headers, json={"requests": requests})

    def _written(self, name: str, request: httpx.Request) -> Json:
        part: Json = {
            "id": name,
            "method": request.method,
            "url": str(request.url).removeprefix(self._manner.base).replace("%24", "$"),
        }
        if carried := self._carried(request):
            part["headers"] = {**carried}
        if request.content:
            part["body"] = json.loads(request.content)
        return part

    def _carried(self, request: httpx.Request) -> dict[str, str]:
        return {name: request.headers[name] for name in self._manner.headers if name in request.headers}

    def _unpacked(self, content: bytes) -> dict[str, httpx.Response]:
        """The parts' answers by their names. One that is no answer is left out."""
        try:
            whole: object = json.loads(content)
        except ValueError:
            return {}
        responses = cast("Json", whole).get("responses") if isinstance(whole, dict) else None
        found: dict[str, httpx.Response] = {}
        for one in responses if isinstance(responses, list) else ():
            if not isinstance(one, dict) or not isinstance(one.get("status"), int):
                continue
            headers, body = one.get("headers"), one.get("body")
            named = headers if isinstance(headers, dict) else {}
            kept = {name: str(value) for name, value in named.items() if name.lower() not in _ABOUT_THE_WIRE}
            said = b"" if body is None else json.dumps(body).encode()
            found[str(one.get("id"))] = httpx.Response(cast("int", one["status"]), headers=kept, content=said)
        return found

    def _unanswered(self, request: httpx.Request) -> VendorError:
        call = f"{request.method} {request.url.path}"
        return Unreachable(self._manner.vendor, call, "the batch carries no answer to it, so it may have happened")


def _answer(part: _Part, response: httpx.Response) -> None:
    if not part.answer.done():
        part.answer.set_result(response)


def _fail(part: _Part, error: BaseException) -> None:
    if not part.answer.done():
        part.answer.set_exception(error)
        # Nobody may be waiting any more; whoever is gets it all the same.
        part.answer.exception()
