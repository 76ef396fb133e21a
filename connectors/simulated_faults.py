"""What the simulated vendors share: faults on demand, an HTTP answer spoilt by one, effects, the lab's JSON side."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, TypeVar, cast

from aiohttp import web

from connectors.contract import Json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

KINDS = ("throttle", "unavailable", "error", "lost", "hang", "delay", "malformed", "html", "drop")


@dataclass
class Fault:
    """Something that goes wrong in one tenant, for the next `calls` requests that match, or until removed.

    throttle 429, unavailable 503, error `status`; lost: done, but the answer is 504; hang: done, answered
    after `seconds`; delay: `seconds` before; malformed: broken JSON; html: a 502 page; drop: the connection.
    """

    kind: str
    calls: int | None = 1
    match: str = ""
    """Part of how the stand-in names a request; empty matches every one."""
    status: int = 500
    code: str = "InternalServerError"
    retry_after: str | None = None
    seconds: float = 0
    until: datetime | None = None


@dataclass(frozen=True)
class Effect:
    """Something that changed in a tenant, or was sent."""

    number: int
    at: datetime
    tenant: str
    user: str
    what: str
    detail: str = ""


class Limited(Protocol):
    """A fault as far as it says which calls it is for."""

    calls: int | None
    match: str
    until: datetime | None


AnyFault = TypeVar("AnyFault", bound=Limited)


def due(faults: Iterable[AnyFault], call: str, now: datetime) -> AnyFault | None:
    """The first fault that this call meets; it counts as one of the fault's calls."""
    for fault in faults:
        if fault.match not in call or (fault.until and now >= fault.until) or fault.calls == 0:
            continue
        if fault.calls is not None:
            fault.calls -= 1
        return fault
    return None


def checked(kind: str, known: Sequence[str]) -> None:
    """Raise ValueError for a kind of fault that the stand-in does not know."""
    if kind not in known:
        raise ValueError(f"unknown fault {kind!r}; known are {', '.join(known)}")


def instead(fault: Fault) -> tuple[int, str, str] | None:
    """Status, code and message of the error that is answered in place of doing anything; None lets it happen."""
    return {
        "throttle": (429, "TooManyRequests", "Too many requests."),
        "unavailable": (503, "ServiceUnavailable", "The service is unavailable."),
        "error": (fault.status, fault.code, "Something went wrong."),
    }.get(fault.kind)


async def sent(fault: Fault | None, request: web.Request, status: int, body: Json | None, lost: Json) -> web.Response:
    """The answer on the wire, spoilt if the fault is of that sort; `lost` is what a gateway says that gave up."""
    kind = fault.kind if fault else ""
    if fault and kind == "hang":
        await asyncio.sleep(fault.seconds)
    if kind == "drop" and request.transport is not None:
        request.transport.close()
    if kind == "lost":
        status, body = 504, lost
    if kind == "html":
        return web.Response(status=502, text="<html>Bad gateway</html>", content_type="text/html")
    if kind == "malformed":
        return web.Response(status=200, text='{"value": [', content_type="application/json")
    headers = {"request-id": secrets.token_hex(8), "Set-Cookie": "tracking=1; Path=/"}
    if fault and fault.retry_after is not None and status in (429, 503):
        headers["Retry-After"] = fault.retry_after
    if body is None:
        return web.Response(status=status, headers=headers)
    return web.json_response(body, status=status, headers=headers)


class Started:
    """Something that runs between `start` and `stop`, or in an `async with`."""

    async def start(self) -> None:
        """Begin."""
        raise NotImplementedError

    async def stop(self) -> None:
        """End."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()


class OnLoopback(Started):
    """A stand-in with one server: it listens on loopback between `start` and `stop`, or in an `async with`."""

    port: int
    longest_line: ClassVar[int] = 8190
    """Bytes of a request's first line, its address included; aiohttp's own limit unless a vendor takes longer ones."""
    _runner: web.AppRunner | None = None

    def serve(self, router: web.UrlDispatcher) -> None:
        """Add the vendor's addresses."""
        raise NotImplementedError

    async def start(self) -> None:
        """Listen on loopback; the port is chosen by the system unless given."""
        app = web.Application()
        self.serve(app.router)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, max_line_size=self.longest_line)
        self._runner = runner
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self.port = cast("tuple[str, int]", runner.addresses[0])[1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None


class Simulated(Protocol):
    """A stand-in, as its JSON side needs it."""

    effects: list[Effect]

    @property
    def calls(self) -> Sequence[object]:
        """Every request so far."""
        ...

    def state(self) -> Json:
        """Everything there is, for somebody who looks."""
        ...

    def settings_of(self, tenant: str) -> tuple[object, frozenset[str]]:
        """What holds that tenant's misbehaviour, and the names in it that may be set."""
        ...

    def misbehave(self, tenant: str, fault: Json | None, *, clear: bool) -> None:
        """Add a fault, and forget the others when told."""
        ...

    def reset(self) -> None:
        """The samples again."""
        ...


def lab_routes(stand_in: Simulated) -> list[web.RouteDef]:
    """The small JSON side for another process: state, events, faults, reset."""

    async def state(_request: web.Request) -> web.Response:
        return web.json_response(stand_in.state())

    async def events(request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        new = [one for one in stand_in.effects if one.number > after]
        shown = [{**dataclasses.asdict(one), "at": one.at.isoformat()} for one in new]
        return web.json_response({"effects": shown, "calls": len(stand_in.calls)})

    async def faults(request: web.Request) -> web.Response:
        """{"tenant": id, "set": {"lag": 5}} changes the tenant; {"tenant": id, "fault": {"kind": …}} adds one."""
        asked = await request.json()
        holder, settable = stand_in.settings_of(asked["tenant"])
        for name, value in asked.get("set", {}).items():
            if name not in settable:
                raise web.HTTPBadRequest(text=f"{name} can't be set; these can: {', '.join(sorted(settable))}")
            setattr(holder, name, tuple(cast("list[str]", value)) if isinstance(value, list) else value)
        stand_in.misbehave(asked["tenant"], asked.get("fault"), clear=bool(asked.get("clear")))
        return web.json_response({"ok": True})

    async def reset(_request: web.Request) -> web.Response:
        stand_in.reset()
        return web.json_response({"ok": True})

    return [
        web.get("/_lab/state", state),
        web.get("/_lab/events", events),
        web.post("/_lab/faults", faults),
        web.post("/_lab/reset", reset),
    ]


def settable(tenant: type[DataclassInstance], *fixed: str) -> frozenset[str]:
    """Names of a tenant's fields that say how it misbehaves: all but those."""
    return frozenset(one.name for one in dataclasses.fields(tenant)) - set(fixed)
