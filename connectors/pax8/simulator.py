"""A stand-in for Pax8's partner API on this machine, with every way it misbehaves.

It keeps seats by the time they were bought and says no to a decrease that the commitment forbids, so it judges the
seven days by its own books and not by our reading of its history. Tests use the Python side, another process the
small JSON side under /_lab/.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from aiohttp import web
from pydantic import JsonValue

from connectors.contract import Json
from connectors.pax8.simulated_company import (
    CONTOSO,
    SimulatedCompany,
    SimulatedSubscription,
    commitments,
    sample_companies,
    sample_subscriptions,
)
from connectors.simulated_faults import (
    KINDS,
    Effect,
    Fault,
    OnLoopback,
    checked,
    due,
    instead,
    lab_routes,
    sent,
    settable,
)

CLIENT_ID = "offboard-bot"
SECRET = "pax8-secret-never-to-be-seen"  # noqa: S105 - the stand-in's own, opens nothing
LASTS = 86400


@dataclass
class Habits:
    """How it behaves beyond single faults."""

    lag: float = 0
    """Seconds for which reads show the quantity from before a change."""
    provisioning: float = 0
    """Seconds that a change is PendingAutomated before it is Active again."""
    flat_errors: bool = False
    """{"errors": ["…"]} in place of {"type", "message", "details": […]}."""
    page_size: int = 200
    """What it gives at most, whatever is asked for."""
    circular: bool = False
    """Every page is the first one again."""
    promises: int = 0
    """How many entries more its totals promise than there are; fewer when negative."""
    ignores_company: bool = False
    """Lists everybody's subscriptions, whatever company was asked for."""
    may_write: bool = True
    may_read: bool = True
    hides_commitment_in_lists: bool = True


@dataclass(frozen=True)
class Call:
    """One request and its answer."""

    number: int
    at: datetime
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: JsonValue
    status: int
    answer: Json | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class No(Exception):
    """An answer that is no."""

    def __init__(self, status: int, kind: str, *said: str) -> None:
        self.status, self.kind, self.said = status, kind, said
        super().__init__(kind)


def _nobody(_subscription: SimulatedSubscription) -> None:
    return


@dataclass
class SimulatedPax8(OnLoopback):
    """Start it with `async with`, then read `base_url`."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    port: int = 0
    sold: Callable[[SimulatedSubscription], None] = _nobody
    """Told of every change of seats: what Microsoft has sold follows it."""
    habits: Habits = field(default_factory=Habits)
    calls: list[Call] = field(default_factory=list[Call])
    effects: list[Effect] = field(default_factory=list[Effect])
    sign_ins: int = 0

    def __post_init__(self) -> None:
        self.faults: list[Fault] = []
        self.companies: dict[str, SimulatedCompany] = sample_companies()
        self.subscriptions: dict[str, SimulatedSubscription] = sample_subscriptions(self.now())
        self._tokens: dict[str, datetime] = {}

    def serve(self, router: web.UrlDispatcher) -> None:
        router.add_routes(lab_routes(self))
        router.add_route("*", "/v1/{path:.*}", self._serve)

    @property
    def base_url(self) -> str:
        """For the connector's settings."""
        return f"http://127.0.0.1:{self.port}/v1"

    def settings(self, company: str = CONTOSO) -> Json:
        """What clients.yml would say."""
        return {
            "client_id": CLIENT_ID,
            "client_secret": "env/PAX8_SECRET",
            "company_id": company,
            "base_url": self.base_url,
        }

    def fail(self, fault: Fault) -> Fault:
        """Let something go wrong; a request is named 'PUT /subscriptions/…'. Returned for removal."""
        checked(fault.kind, KINDS)
        self.faults.append(fault)
        return fault

    def expire_tokens(self) -> None:
        """No token issued so far opens anything any more."""
        self._tokens.clear()

    def changes_of(self, subscription: str) -> list[str]:
        """What changed in that subscription through the API: '12 → 11 seats'."""
        return [one.detail for one in self.effects if one.user == subscription]

    def reset(self) -> None:
        """The samples again, no faults, empty journals."""
        self.companies, self.subscriptions = sample_companies(), sample_subscriptions(self.now())
        self.habits = Habits()
        self.calls.clear()
        self.effects.clear()
        self.faults.clear()

    # --- the wire

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = f"/{request.match_info['path']}"
        call = f"{request.method} {path}"
        raw = await request.read()
        body = cast("JsonValue", json.loads(raw)) if raw else None
        fault = due(self.faults, call, self.now())
        if fault and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        told = instead(fault) if fault else None
        if told is not None:
            status, answer = told[0], self._refusal(path, No(*told))
        else:
            try:
                status, answer = 200, self._answer(request, path, body)
            except No as no:
                status, answer = no.status, self._refusal(path, no)
        response = await sent(fault, request, status, answer, _LOST)
        self._journal(request, path, body, response.status, answer)
        return response

    def _answer(self, request: web.Request, path: str, body: JsonValue) -> Json:
        if path == "/token":
            return self._token(request, body)
        self._signed_in(request)
        match (request.method, path.strip("/").split("/")):
            case ("GET", ["companies", company]) if company in self.companies:
                return self._company(self.companies[company])
            case ("GET", ["subscriptions"]):
                return self._list(request)
            case ("GET", ["subscriptions", one]) if one in self.subscriptions:
                return self.subscriptions[one].record(self.now())
            case ("GET", ["subscriptions", one, "history"]) if one in self.subscriptions:
                return {"content": cast("list[JsonValue]", [*self.subscriptions[one].history])}
            case ("PUT", ["subscriptions", one]) if one in self.subscriptions:
                return self._update(self.subscriptions[one], body)
            case ("GET", ["products", product, "dependencies"]) if self._sold(product):
                known = cast("list[JsonValue]", commitments())
                return {"commitmentDependencies": known, "productDependencies": []}
            case _:
                raise No(404, "NOT_FOUND", "Not found")

    def _token(self, request: web.Request, body: JsonValue) -> Json:
        given = body if isinstance(body, dict) else {}
        right = {
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "audience": "https://api.pax8.com",
            "grant_type": "client_credentials",
        }
        if request.method != "POST" or given != right:
            raise No(401, "token")
        self.sign_ins += 1
        token = secrets.token_urlsafe(24)
        self._tokens[token] = self.now() + timedelta(seconds=LASTS)
        return {"access_token": token, "expires_in": LASTS, "token_type": "Bearer"}

    def _signed_in(self, request: web.Request) -> None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self._tokens or self._tokens[token] <= self.now():
            raise No(401, "UNAUTHORIZED", "Unauthorized")
        allowed = self.habits.may_read if request.method == "GET" else self.habits.may_write
        if not allowed:
            raise No(403, "FORBIDDEN", "insufficient permissions")

    def _company(self, company: SimulatedCompany) -> Json:
        return {
            "id": company.id,
            "name": company.name,
            "address": {"street": "1 Sample Street", "city": "Denver", "postalCode": "80210", "country": "US"},
            "phone": "555-0100",
            "website": f"{company.name.split()[0].lower()}.example",
            "status": company.status,
            "selfServiceAllowed": False,
            "billOnBehalfOfEnabled": False,
            "orderApprovalRequired": False,
        }

    def _list(self, request: web.Request) -> Json:
        company, query = request.query.get("companyId", ""), request.query
        if company and company not in self.companies:
            raise No(403, "FORBIDDEN", "Invalid companyId")
        wanted = [
            one
            for one in self.subscriptions.values()
            if self.habits.ignores_company or not company or one.company == company
        ]
        size = min(int(query.get("size", "10")), self.habits.page_size)
        number = int(query.get("page", "0"))
        if not 1 <= int(query.get("size", "10")) <= 200 or number < 0:
            raise No(400, "BAD_REQUEST", "size must be between 1 and 200")
        start = 0 if self.habits.circular else number * size
        shown = [one.record(self.now()) for one in wanted[start : start + size]]
        for one in shown:
            if self.habits.hides_commitment_in_lists:
                one.pop("commitmentTerm", None)
        total = len(wanted) + self.habits.promises
        pages = -(-total // size)
        counts: Json = {"size": size, "totalElements": total, "totalPages": pages, "number": number}
        return {"content": cast("list[JsonValue]", shown), "page": counts}

    def _sold(self, product: str) -> bool:
        return any(one.product_id == product for one in self.subscriptions.values())

    def _update(self, subscription: SimulatedSubscription, body: JsonValue) -> Json:
        now, asked = self.now(), cast("Json", body) if isinstance(body, dict) else {}
        if not asked.keys() & {"price", "billingTerm", "quantity", "startDate"}:
            raise No(422, "INVALID_REQUEST", "At least one of price, billingTerm, quantity, startDate is required")
        for name in ("price", "billingTerm", "startDate"):
            # The same call writes all of these: who sends them changes them.
            if name in asked:
                self._note(subscription, f"{name} written", str(asked[name]))
        quantity = asked.get("quantity")
        if quantity is None:
            return subscription.record(now)
        if not isinstance(quantity, int) or quantity < 1:
            raise No(422, "INVALID_REQUEST", "Subscription update is invalid", "quantity must be at least 1")
        self._refuse_where_not_allowed(subscription, quantity, now)
        if quantity != subscription.quantity:
            before = subscription.quantity
            subscription.set_quantity(now, quantity)
            if self.habits.lag:
                if subscription.shown_until is None or now >= subscription.shown_until:
                    subscription.shown = before
                subscription.shown_until = now + timedelta(seconds=self.habits.lag)
            if self.habits.provisioning:
                subscription.pending_until = now + timedelta(seconds=self.habits.provisioning)
            self._note(subscription, "seats", f"{before} → {quantity} seats")
            self.sold(subscription)
        return subscription.record(now, stale=False)

    def _refuse_where_not_allowed(self, subscription: SimulatedSubscription, quantity: int, now: datetime) -> None:
        if subscription.started > now:
            raise No(422, "INVALID_REQUEST", "Subscription update is invalid", "Subscription has a future start date")
        if subscription.record(now)["status"] != "Active":
            raise No(422, "INVALID_REQUEST", "Subscription update is invalid", "Subscription is not active")
        fewer = subscription.quantity - quantity
        committed = subscription.committed_until is not None and subscription.committed_until > now
        loose = any(one["id"] == subscription.commitment and one["allowForQuantityDecrease"] for one in commitments())
        if fewer > 0 and committed and not loose and subscription.fresh(now) < fewer:
            said = "Quantity decrease is not allowed during the commitment term"
            raise No(422, "INVALID_REQUEST", "Subscription update is invalid", said)

    def _note(self, subscription: SimulatedSubscription, what: str, detail: str) -> None:
        number = len(self.effects) + 1
        self.effects.append(Effect(number, self.now(), subscription.company, subscription.id, what, detail))

    def _refusal(self, path: str, no: No) -> Json:
        if no.kind == "token":
            return {"error": "access_denied", "error_description": "Unauthorized"}
        if self.habits.flat_errors and no.status in (400, 422):
            return {"errors": list[JsonValue](no.said)}
        details: list[JsonValue] = [{"type": no.kind, "message": one} for one in no.said[1:]]
        message = no.said[0] if no.said else no.kind
        return {"type": no.kind, "message": message, "instance": path, "status": no.status, "details": details}

    def _journal(self, request: web.Request, path: str, body: JsonValue, status: int, answer: Json | None) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers.pop("authorization", None)
        kept = cast("Json", json.loads(json.dumps(answer))) if answer is not None else None
        number = len(self.calls) + 1
        query = dict(request.query)
        self.calls.append(Call(number, self.now(), request.method, path, query, headers, body, status, kept))

    # --- the lab's side

    def state(self) -> Json:
        """The companies and what they have bought, for somebody who looks."""
        return {
            company.id: {
                "name": company.name,
                "faults": [fault.kind for fault in self.faults if fault.calls != 0],
                "subscriptions": [
                    {"id": one.id, "product": one.product, "quantity": one.quantity, "status": one.status}
                    for one in self.subscriptions.values()
                    if one.company == company.id
                ],
            }
            for company in self.companies.values()
        }

    def settings_of(self, tenant: str) -> tuple[object, frozenset[str]]:
        """One API for all companies: its habits, and their names."""
        return self.habits, settable(Habits)

    def misbehave(self, tenant: str, fault: Json | None, *, clear: bool) -> None:
        """Add a fault, and forget them all when told."""
        if clear:
            self.faults.clear()
        if fault is not None:
            self.fail(Fault(**cast("dict[str, Any]", fault)))


_LOST: Json = {"type": "GATEWAY_TIMEOUT", "message": "The gateway timed out.", "status": 504}
