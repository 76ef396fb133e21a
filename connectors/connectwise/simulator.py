"""A stand-in for one provider's ConnectWise PSA on this machine, with every way it misbehaves.

Tests use the Python side, another process the small JSON side under /_lab/.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from aiohttp import web
from pydantic import JsonValue

from connectors.connectwise.simulated_records import (
    BOARD,
    CLIENT_ID,
    COMPANY,
    PRIVATE_KEY,
    PUBLIC_KEY,
    Mail,
    Provider,
    sample_provider,
)
from connectors.connectwise.simulated_rest import LONGEST_URL, TICKETS, TIME, Answer, Rest, RestError
from connectors.contract import Json
from connectors.simulated_faults import KINDS, Effect, OnLoopback, checked, due, lab_routes, sent, settable
from connectors.simulated_faults import Fault as HttpFault

_MEDIA = "application/vnd.connectwise.com+json"


@dataclass
class Fault(HttpFault):
    """As for every stand-in over HTTP; a request is named 'PATCH /service/tickets/40001'."""

    effect: bool = False
    """error: it happened all the same, as when the database was slow."""


@dataclass(frozen=True)
class Call:
    """One request and its answer."""

    number: int
    at: datetime
    method: str
    path: str
    """Without codebase and query."""
    query: dict[str, str]
    headers: dict[str, str]
    body: JsonValue
    status: int
    answer: JsonValue

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class SimulatedConnectWise(OnLoopback):
    """Start it with `async with`, then read `base_url`."""

    longest_line = 4 * LONGEST_URL

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    port: int = 0
    provider: Provider = field(default_factory=sample_provider)
    calls: list[Call] = field(default_factory=list[Call])
    effects: list[Effect] = field(default_factory=list[Effect])

    def __post_init__(self) -> None:
        self.faults: list[Fault] = []

    def serve(self, router: web.UrlDispatcher) -> None:
        router.add_routes(lab_routes(self))
        router.add_route("*", "/{tail:.*}", self._request)

    @property
    def base_url(self) -> str:
        """For the connector's settings."""
        return f"http://127.0.0.1:{self.port}"

    def settings(self, client_company: str = "ContosoLtd") -> Json:
        """The least that clients.yml must say for one of its clients."""
        return {
            "site": "api-eu.myconnectwise.net",
            "base_url": self.base_url,
            "company": COMPANY,
            "public_key": "env/CONNECTWISE_PUBLIC",
            "private_key": "env/CONNECTWISE_PRIVATE",
            "client_id": CLIENT_ID,
            "client_company": client_company,
            "board": "Offboarding",
            "member": "offboard",
        }

    def fail(self, fault: Fault) -> Fault:
        """Let something go wrong; returned for removal."""
        checked(fault.kind, KINDS)
        self.faults.append(fault)
        return fault

    def upgrade(self, codebase: str = "v2027_1") -> None:
        """ConnectWise was upgraded: everything is at another address now."""
        self.provider.codebase = codebase

    @property
    def tickets(self) -> list[Json]:
        """Every ticket."""
        return self.provider.of(TICKETS)

    @property
    def notes(self) -> list[Json]:
        """Every note of every ticket."""
        return self.provider.every("notes")

    @property
    def tasks(self) -> list[Json]:
        """Every task of every ticket."""
        return self.provider.every("tasks")

    @property
    def times(self) -> list[Json]:
        """Every time entry."""
        return self.provider.of(TIME)

    @property
    def mails(self) -> list[Mail]:
        """Everything that was sent by mail."""
        return self.provider.mails

    def reset(self) -> None:
        """The samples again, no faults, empty journals."""
        self.provider = sample_provider()
        self.calls.clear()
        self.effects.clear()
        self.faults.clear()

    # --- the wire

    async def _request(self, request: web.Request) -> web.StreamResponse:
        body: JsonValue = await request.json() if request.can_read_body else None
        info = request.path.startswith("/login/companyinfo/")
        start = f"/{self.provider.codebase}/apis/3.0"
        path = request.path if info else request.path.removeprefix(start)
        fault = due(self.faults, f"{request.method} {path}", self.now())
        answer = await self._before(fault)
        if answer is None or (fault and fault.effect):
            done = self._info(request) if info else self._done(request, path, body)
            answer = answer or done
        response = await sent(fault, request, answer.status, cast("Json", answer.body), _LOST)
        if answer.page and response.status == 200:
            response.headers["Link"] = self._link(request, answer.page)
        self._journal(request, path, body, response.status, answer.body)
        return response

    async def _before(self, fault: Fault | None) -> Answer | None:
        """An answer in place of the real one; None lets it happen."""
        if fault and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        kind = fault.kind if fault else ""
        if kind == "throttle":
            said = "Too many requests. Please wait before retrying."
            return Answer(429, {"error": "ConnectWiseAPI", "message": said})
        if kind == "unavailable":
            return Answer(503, {"error": "ServiceUnavailable", "message": "The service is unavailable."})
        if fault and kind == "error":
            said = "A timeout has occured. Please try again." if fault.status == 500 else "Something went wrong."
            return Answer(fault.status, {"code": "ConnectWiseApi", "message": said, "errors": None})
        return None

    def _info(self, request: web.Request) -> Answer:
        if request.path.rpartition("/")[2].casefold() != COMPANY:
            return Answer(200, None)
        codebase = f"{self.provider.codebase}/"
        known = {"CompanyName": "Northwind IT", "VersionCode": "v2026.4", "CompanyID": COMPANY, "IsCloud": "True"}
        return Answer(200, {**known, "Codebase": codebase})

    def _done(self, request: web.Request, path: str, body: JsonValue) -> Answer:
        try:
            self._let_in(request, path)
            rest = Rest(self.provider, self.now, self.effects)
            return rest.answer(request.method, path.strip("/"), dict(request.query), body)
        except RestError as refused:
            shown = refused.body()
            if self.provider.echoes_keys:
                shown["message"] = f"{shown['message']} ({request.headers.get('Authorization')}, {PRIVATE_KEY})"
            return Answer(refused.status, shown)

    def _let_in(self, request: web.Request, path: str) -> None:
        if self.provider.wrong_host:
            raise RestError(403, "Security", "SSL is required.")
        if len(str(request.url)) > LONGEST_URL:
            raise RestError(414, "UriTooLong", "The address is too long")
        keys = base64.b64encode(f"{COMPANY}+{PUBLIC_KEY}:{PRIVATE_KEY}".encode()).decode()
        known = request.headers.get("Authorization") == f"Basic {keys}"
        if path == request.path or (not known and self.provider.bad_sign_in == 404):
            raise RestError(404, "NotFound", "The resource you are looking for has been removed.")
        if not known or request.headers.get("clientId") != CLIENT_ID:
            raise RestError(401, "Unauthorized", "Authentication credentials or clientId are invalid.")
        if not request.headers.get("Accept", "").startswith(_MEDIA):
            raise RestError(406, "NotAcceptable", "No such version")

    def _link(self, request: web.Request, page: int) -> str:
        shown = 1 if self.provider.circular_links else page
        url = request.url.update_query({"page": str(shown)})
        if self.provider.foreign_links:
            url = url.with_host("elsewhere.example")
        return f'<{url}>; rel="next", <{url.update_query({"page": "99"})}>; rel="last"'

    def _journal(self, request: web.Request, path: str, body: JsonValue, status: int, answer: JsonValue) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if "authorization" in headers:
            headers["authorization"] = "kept to itself"
        kept = cast("JsonValue", json.loads(json.dumps(answer)))
        number = len(self.calls) + 1
        query = dict(request.query)
        self.calls.append(Call(number, self.now(), request.method, path, query, headers, body, status, kept))

    # --- the lab's side

    def state(self) -> Json:
        """The tickets and the lines, for somebody who looks."""
        provider = self.provider
        tickets = [
            {
                "id": one["id"],
                "summary": one.get("summary"),
                "closed": one.get("closedFlag"),
                "reference": one.get("externalXRef"),
                "notes": [note.get("text") for note in provider.under(cast("int", one["id"]), "notes")],
                "tasks": [task.get("notes") for task in provider.under(cast("int", one["id"]), "tasks")],
            }
            for one in self.tickets
        ]
        lines = [
            {"id": one["id"], "description": one.get("description"), "quantity": one.get("quantity")}
            for one in provider.every("additions")
        ]
        contacts = [
            {"id": one["id"], "inactive": one["inactiveFlag"], "portal": not one["disablePortalLoginFlag"]}
            for one in provider.of("company/contacts")
        ]
        shown = {
            "board": provider.record("service/boards", BOARD)["name"],
            "tickets": tickets,
            "lines": lines,
            "contacts": contacts,
            "times": len(self.times),
            "mails": [f"{mail.to}: {mail.why} #{mail.ticket}" for mail in self.mails],
            "faults": [fault.kind for fault in self.faults if fault.calls != 0],
        }
        return {COMPANY: cast("JsonValue", shown)}

    def settings_of(self, tenant: str) -> tuple[object, frozenset[str]]:
        """The provider, and the names in it that may be set."""
        if tenant != COMPANY:
            raise KeyError(tenant)
        return self.provider, _SETTABLE

    def misbehave(self, tenant: str, fault: Json | None, *, clear: bool) -> None:
        """Add a fault, and forget them all when told."""
        if fault is not None:
            self.fail(Fault(**cast("dict[str, Any]", fault)))
        if clear:
            self.faults.clear()


_SETTABLE = settable(Provider, "collections", "stale", "written", "mails", "next_number")
_LOST: Json = {"code": "GatewayTimeout", "message": "The gateway timed out.", "errors": None}
