"""A stand-in for Exchange Online's cmdlet address on this machine, with every way it misbehaves.

It trusts a simulated sign-in: whoever makes it says which tenant a bearer token opens. Several tenants in
one. Tests use the Python side, another process the small JSON side under /_lab/.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, cast

from aiohttp import web
from pydantic import JsonValue

from connectors.contract import Json
from connectors.exchange.simulated_cmdlets import CmdletError, Cmdlets, Ran
from connectors.exchange.simulated_mailboxes import Organisation, SimulatedMailbox, sample_organisations
from connectors.simulated_faults import KINDS, Effect, OnLoopback, checked, due, instead, lab_routes, sent, settable
from connectors.simulated_faults import Fault as HttpFault

AUDIENCE = "https://outlook.office365.com"
PERMISSION = "Exchange.ManageAsApp"
BATCH, MOST_PARTS = "$batch", 10


class SignedIn(Protocol):
    """A tenant that a token opens, and what the application may do there."""

    @property
    def id(self) -> str:
        """Tenant id."""
        ...

    @property
    def permissions(self) -> tuple[str, ...]:
        """Application permissions."""
        ...


def _everybody_licensed(_tenant: str, _user: str) -> bool:
    return True


SignIn = Callable[[str, str], SignedIn | None]
"""(Authorization header, audience) → the tenant, or None when the token opens nothing."""


@dataclass
class Fault(HttpFault):
    """As for every stand-in over HTTP; a request is named 'Cmdlet Parameter,Parameter'."""

    effect: bool = False
    """error: it happened all the same."""


@dataclass(frozen=True)
class Call:
    """One request and its answer."""

    number: int
    at: datetime
    tenant: str
    cmdlet: str
    parameters: Mapping[str, JsonValue]
    headers: Mapping[str, str]
    status: int
    answer: Json | None
    body: Json
    part: bool = False
    """It travelled inside a $batch, whose own call follows."""

    def __str__(self) -> str:
        return f"{self.cmdlet} {','.join(self.parameters)}".strip()


@dataclass
class SimulatedExchange(OnLoopback):
    """Start it with `async with`, then read `base_url`."""

    sign_in: SignIn
    licensed: Callable[[str, str], bool] = _everybody_licensed
    """(tenant, object id) → whether a licence with Exchange is assigned."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    port: int = 0
    organisations: dict[str, Organisation] = field(default_factory=sample_organisations)
    calls: list[Call] = field(default_factory=list[Call])
    effects: list[Effect] = field(default_factory=list[Effect])
    batches: bool = True
    """False: $batch is not there (any more)."""
    challenge: bool = False
    """A 401 carries claims (CAE)."""

    def __post_init__(self) -> None:
        self.faults: dict[str, list[Fault]] = {}
        self._cmdlets: dict[str, Cmdlets] = {}

    def serve(self, router: web.UrlDispatcher) -> None:
        router.add_routes(lab_routes(self))
        router.add_post("/adminapi/beta/{tenant}/InvokeCommand", self._invoke)
        router.add_post("/adminapi/beta/{tenant}/$batch", self._batch)

    @property
    def base_url(self) -> str:
        """For the connector's settings."""
        return f"http://127.0.0.1:{self.port}/adminapi/beta"

    def mailbox(self, user: str) -> SimulatedMailbox:
        """The mailbox of that object id, in whichever tenant."""
        return next(one.mailboxes[user] for one in self.organisations.values() if user in one.mailboxes)

    def fail(self, tenant: str, fault: Fault) -> Fault:
        """Let something go wrong there; returned for removal."""
        checked(fault.kind, KINDS)
        self.faults.setdefault(tenant, []).append(fault)
        return fault

    def mail_goes_to(self, user: str) -> str:
        """Where that mailbox's new mail is really forwarded to; '' for nowhere."""
        tenant = next(one.tenant for one in self.organisations.values() if user in one.mailboxes)
        return self._of(tenant).mail_goes_to(self.mailbox(user))

    def reset(self) -> None:
        """The sample mailboxes again, no faults, empty journals."""
        self.organisations = sample_organisations()
        self.calls.clear()
        self.effects.clear()
        self.faults.clear()
        self._cmdlets.clear()

    # --- the wire

    async def _invoke(self, request: web.Request) -> web.StreamResponse:
        signed_in = self.sign_in(request.headers.get("Authorization", ""), AUDIENCE)
        body = cast("Json", await request.json())
        asked = cast("dict[str, JsonValue]", body.get("CmdletInput") or {})
        cmdlet, given = str(asked.get("CmdletName", "")), cast("Json", asked.get("Parameters") or {})
        if signed_in is None:
            return self._unauthorised(request, cmdlet, given, body)
        tenant = signed_in.id
        fault = due(self.faults.get(tenant, []), f"{cmdlet} {','.join(given)}".strip(), self.now())
        status, answer = await self._before(fault)
        if answer is None or (fault and fault.effect):
            status, answer = self._ran(request, signed_in, cmdlet, given, (status, answer))
        response = await sent(fault, request, status, answer, _LOST)
        self._journal(tenant, request, cmdlet, given, response.status, answer, body)
        return response

    async def _batch(self, request: web.Request) -> web.StreamResponse:
        """Up to ten cmdlets at once, each with an answer of its own; the whole is a 200 whatever came of them."""
        signed_in = self.sign_in(request.headers.get("Authorization", ""), AUDIENCE)
        body = cast("Json", await request.json())
        parts = cast("list[Json]", body.get("requests") or [])
        if signed_in is None:
            return self._unauthorised(request, BATCH, {}, body)
        tenant = signed_in.id
        if not self.batches or not 0 < len(parts) <= MOST_PARTS:
            self._journal(tenant, request, BATCH, {}, 404 if not self.batches else 400, None, body)
            return web.json_response({"error": {"code": "NotFound"}}, status=404 if not self.batches else 400)
        fault = due(self.faults.get(tenant, []), BATCH, self.now())
        status, answer = await self._before(fault)
        if answer is None or (fault and fault.effect):
            responses: list[JsonValue] = [self._part(request, signed_in, part) for part in parts]
            answer = answer or {"responses": [*reversed(responses)]}
        response = await sent(fault, request, status, answer, _LOST)
        self._journal(tenant, request, BATCH, {}, response.status, answer, body)
        return response

    def _part(self, request: web.Request, signed_in: SignedIn, part: Json) -> Json:
        """One of them. Here a lost answer is a 504 of its own; only faults that name the cmdlet are met."""
        body = cast("Json", part["body"])
        asked = cast("dict[str, JsonValue]", body.get("CmdletInput") or {})
        cmdlet, given = str(asked.get("CmdletName", "")), cast("Json", asked.get("Parameters") or {})
        named = [fault for fault in self.faults.get(signed_in.id, []) if fault.match]
        fault = due(named, f"{cmdlet} {','.join(given)}".strip(), self.now())
        told = instead(fault) if fault else None
        refusal: Json | None = {"error": {"code": told[1], "message": told[2]}} if told else None
        status, answer = told[0] if told else 200, refusal
        if refusal is None or (fault and fault.effect):
            status, answer = self._ran(request, signed_in, cmdlet, given, (status, refusal))
        if fault and fault.kind in ("lost", "hang", "drop"):
            status, answer = 504, _LOST
        self._journal(signed_in.id, request, cmdlet, given, status, answer, body, part=True)
        headers: dict[str, JsonValue] = {"Content-Type": "application/json"}
        if fault and fault.retry_after is not None and status in (429, 503):
            headers["Retry-After"] = fault.retry_after
        spoilt: JsonValue = "not an object" if fault and fault.kind in ("malformed", "html") else answer
        return {"id": part["id"], "status": status, "headers": headers, "body": spoilt}

    def _ran(
        self, request: web.Request, signed_in: SignedIn, cmdlet: str, given: Json, instead: tuple[int, Json | None]
    ) -> tuple[int, Json]:
        organisation = self.organisations.get(signed_in.id)
        if request.match_info["tenant"] != signed_in.id or organisation is None:
            return 403, {"error": {"code": "Forbidden", "message": "The token is another tenant's."}}
        if PERMISSION not in signed_in.permissions or not organisation.role:
            # Consent alone is not enough: without the Entra role the answer is the same.
            return 403, {"error": {"code": "Forbidden", "message": "The role assigned to application isn't supported."}}
        try:
            ran = self._of(signed_in.id).run(cmdlet, given)
        except CmdletError as refused:
            return refused.status, _envelope(refused, organisation.envelope)
        if instead[1] is not None:
            return instead[0], instead[1]
        return 200, self._page(request, organisation, cmdlet, ran)

    def _page(self, request: web.Request, organisation: Organisation, cmdlet: str, ran: Ran) -> Json:
        start = int(request.query.get("skiptoken", "0"))
        end = start + organisation.page_size
        answer: Json = {"value": ran.values[start:end]}
        link = f"{self.base_url}/{organisation.tenant}/InvokeCommand?skiptoken="
        if end < len(ran.values):
            answer["@odata.nextLink"] = f"{link}{end}"
            if organisation.serve_circular_links:
                answer["@odata.nextLink"] = f"{link}0"
            if organisation.serve_foreign_links:
                answer["@odata.nextLink"] = "https://elsewhere.example/adminapi/beta/next"
        if organisation.pages_changes and not cmdlet.startswith("Get-"):
            answer["@odata.nextLink"] = f"{link}0"
        if ran.warnings:
            answer["@adminapi.warnings"] = list(ran.warnings)
        return answer

    def _of(self, tenant: str) -> Cmdlets:
        if tenant not in self._cmdlets:
            organisation = self.organisations[tenant]
            self._cmdlets[tenant] = Cmdlets(organisation, self.now, self.effects, self._licensed)
        return self._cmdlets[tenant]

    def _licensed(self, tenant: str, user: str) -> bool:
        return self.licensed(tenant, user)

    async def _before(self, fault: Fault | None) -> tuple[int, Json | None]:
        """An answer in place of the cmdlet's; None lets it happen."""
        if fault and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        told = instead(fault) if fault else None
        if told is None:
            return 200, None
        status, code, message = told
        return status, {"error": {"code": code, "message": message}}

    def _unauthorised(self, request: web.Request, cmdlet: str, given: Json, body: Json) -> web.Response:
        headers: dict[str, str] = {}
        if self.challenge:
            claims = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ=="
            headers["WWW-Authenticate"] = f'Bearer error="insufficient_claims", claims="{claims}"'
        self._journal("", request, cmdlet, given, 401, None, body)
        return web.Response(status=401, headers=headers)

    def _journal(
        self,
        tenant: str,
        request: web.Request,
        cmdlet: str,
        given: Json,
        status: int,
        answer: Json | None,
        body: Json,
        *,
        part: bool = False,
    ) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers.pop("authorization", None)
        number = len(self.calls) + 1
        kept = cast("Json", json.loads(json.dumps(answer))) if answer is not None else None
        self.calls.append(Call(number, self.now(), tenant, cmdlet, given, headers, status, kept, body, part))

    # --- the lab's side

    def state(self) -> Json:
        """The organisations and their mailboxes, for somebody who looks."""
        return {
            tenant: {
                "faults": [fault.kind for fault in self.faults.get(tenant, []) if fault.calls != 0],
                "mailboxes": [_state(one) for one in organisation.mailboxes.values()],
            }
            for tenant, organisation in self.organisations.items()
        }

    def settings_of(self, tenant: str) -> tuple[object, frozenset[str]]:
        """The organisation, and the names in it that may be set."""
        return self.organisations[tenant], _SETTABLE

    def misbehave(self, tenant: str, fault: Json | None, *, clear: bool) -> None:
        """Add a fault, and forget them all when told."""
        if fault is not None:
            self.fail(tenant, Fault(**cast("dict[str, Any]", fault)))
        if clear:
            self.faults.pop(tenant, None)


_SETTABLE = settable(Organisation, "tenant", "mailboxes", "contacts", "groups")
_LOST: Json = {"error": {"code": "GatewayTimeout", "message": "The gateway timed out."}}


def _state(mailbox: SimulatedMailbox) -> Json:
    return {
        "id": mailbox.user,
        "name": mailbox.name,
        "kind": mailbox.kind,
        "size": mailbox.size,
        "hold": mailbox.litigation_hold,
        "hidden": mailbox.hidden,
        "forwards_to": mailbox.forwarding_address or mailbox.forwarding_smtp,
        "open": [name for name, value in mailbox.protocols.items() if value is True],
        "rules": [rule.name for rule in mailbox.rules],
        "devices": [device.name for device in mailbox.devices],
        "full_access": [*mailbox.full_access],
        "meetings": [meeting.subject for meeting in mailbox.meetings if meeting.organised],
    }


def _envelope(refused: CmdletError, style: str) -> Json:
    """The same cause in the different shapes it is seen in."""
    code = {404: "NotFound", 500: "InternalServerError"}.get(refused.status, "BadRequest")
    whole = f"Ex6F9304|{refused.kind}|{refused.sentence}"
    error: Json = {"code": code, "message": "Error executing cmdlet"}
    if style == "details":
        error["details"] = [{"code": "Client", "target": "", "message": whole}]
        error["innererror"] = {"message": "Error executing cmdlet", "type": "System.Exception", "stacktrace": "…"}
    elif style == "internal":
        inner: Json = {"message": whole, "type": refused.kind}
        error["innererror"] = {"message": "Error executing cmdlet", "internalexception": inner}
    else:
        error["message"] = refused.sentence
    return {"error": error}
