"""A stand-in for Exchange Online's cmdlet address on this machine, with every way it misbehaves.

It trusts a simulated sign-in: whoever makes it says which tenant a bearer token opens. Several tenants in
one. Tests use the Python side, another process the small JSON side under /_lab/.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self, cast

from aiohttp import web
from pydantic import JsonValue

from connectors.contract import Json
from connectors.exchange.simulated_cmdlets import CmdletError, Cmdlets, Effect, Ran
from connectors.exchange.simulated_mailboxes import Organisation, SimulatedMailbox, sample_organisations

AUDIENCE = "https://outlook.office365.com"
PERMISSION = "Exchange.ManageAsApp"
KINDS = ("throttle", "unavailable", "error", "lost", "hang", "delay", "malformed", "html", "drop")


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
class Fault:
    """Something that goes wrong in one tenant, for the next `calls` requests that match, or until removed.

    throttle 429, unavailable 503, error `status`; lost: done, but the answer is 504; hang: done, answered
    after `seconds`; delay: `seconds` before; malformed: broken JSON; html: a 502 page; drop: the connection.
    """

    kind: str
    calls: int | None = 1
    match: str = ""
    """Part of 'Cmdlet Parameter,Parameter'; empty matches every request."""
    status: int = 500
    code: str = "InternalServerError"
    retry_after: str | None = None
    seconds: float = 0
    until: datetime | None = None
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

    def __str__(self) -> str:
        return f"{self.cmdlet} {','.join(self.parameters)}".strip()


@dataclass
class SimulatedExchange:
    """Start it with `async with`, then read `base_url`."""

    sign_in: SignIn
    licensed: Callable[[str, str], bool] = _everybody_licensed
    """(tenant, object id) → whether a licence with Exchange is assigned."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    port: int = 0
    organisations: dict[str, Organisation] = field(default_factory=sample_organisations)
    calls: list[Call] = field(default_factory=list[Call])
    effects: list[Effect] = field(default_factory=list[Effect])
    challenge: bool = False
    """A 401 carries claims (CAE)."""

    def __post_init__(self) -> None:
        self.faults: dict[str, list[Fault]] = {}
        self._cmdlets: dict[str, Cmdlets] = {}
        self._runner: web.AppRunner | None = None

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

    async def start(self) -> None:
        """Listen on loopback; the port is chosen by the system unless given."""
        app = web.Application()
        app.router.add_get("/_lab/state", self._lab_state)
        app.router.add_get("/_lab/events", self._lab_events)
        app.router.add_post("/_lab/faults", self._lab_faults)
        app.router.add_post("/_lab/reset", self._lab_reset)
        app.router.add_post("/adminapi/beta/{tenant}/InvokeCommand", self._invoke)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = cast("tuple[str, int]", self._runner.addresses[0])[1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    @property
    def base_url(self) -> str:
        """For the connector's settings."""
        return f"http://127.0.0.1:{self.port}/adminapi/beta"

    def mailbox(self, user: str) -> SimulatedMailbox:
        """The mailbox of that object id, in whichever tenant."""
        return next(one.mailboxes[user] for one in self.organisations.values() if user in one.mailboxes)

    def fail(self, tenant: str, fault: Fault) -> Fault:
        """Let something go wrong there; returned for removal."""
        if fault.kind not in KINDS:
            raise ValueError(f"unknown fault {fault.kind!r}; known are {', '.join(KINDS)}")
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
        fault = self._due(tenant, f"{cmdlet} {','.join(given)}".strip())
        status, answer = await self._before(fault)
        if answer is None or (fault and fault.effect):
            status, answer = self._ran(request, signed_in, cmdlet, given, (status, answer))
        sent = await self._after(fault, request, status, answer)
        self._journal(tenant, request, cmdlet, given, sent.status, answer, body)
        return sent

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

    def _due(self, tenant: str, call: str) -> Fault | None:
        for fault in self.faults.get(tenant, []):
            if fault.match not in call or (fault.until and self.now() >= fault.until) or fault.calls == 0:
                continue
            if fault.calls is not None:
                fault.calls -= 1
            return fault
        return None

    async def _before(self, fault: Fault | None) -> tuple[int, Json | None]:
        """An answer in place of the cmdlet's; None lets it happen."""
        match fault.kind if fault else "":
            case "delay":
                await asyncio.sleep(fault.seconds if fault else 0)
            case "throttle":
                return 429, {"error": {"code": "TooManyRequests", "message": "Too many requests."}}
            case "unavailable":
                return 503, {"error": {"code": "ServiceUnavailable", "message": "The service is unavailable."}}
            case "error" if fault:
                return fault.status, {"error": {"code": fault.code, "message": "Something went wrong."}}
            case _:
                pass
        return 200, None

    async def _after(self, fault: Fault | None, request: web.Request, status: int, answer: Json) -> web.Response:
        """The answer on the wire, spoilt if the fault is of that sort."""
        kind = fault.kind if fault else ""
        if fault and kind == "hang":
            await asyncio.sleep(fault.seconds)
        if kind == "drop" and request.transport is not None:
            request.transport.close()
        if kind == "lost":
            status, answer = 504, {"error": {"code": "GatewayTimeout", "message": "The gateway timed out."}}
        if kind == "html":
            return web.Response(status=502, text="<html>Bad gateway</html>", content_type="text/html")
        if kind == "malformed":
            return web.Response(status=200, text='{"value": [', content_type="application/json")
        headers = {"request-id": secrets.token_hex(8), "Set-Cookie": "tracking=1; Path=/"}
        if fault and fault.retry_after is not None and status in (429, 503):
            headers["Retry-After"] = fault.retry_after
        return web.json_response(answer, status=status, headers=headers)

    def _unauthorised(self, request: web.Request, cmdlet: str, given: Json, body: Json) -> web.Response:
        headers: dict[str, str] = {}
        if self.challenge:
            claims = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ=="
            headers["WWW-Authenticate"] = f'Bearer error="insufficient_claims", claims="{claims}"'
        self._journal("", request, cmdlet, given, 401, None, body)
        return web.Response(status=401, headers=headers)

    def _journal(
        self, tenant: str, request: web.Request, cmdlet: str, given: Json, status: int, answer: Json | None, body: Json
    ) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers.pop("authorization", None)
        number = len(self.calls) + 1
        kept = cast("Json", json.loads(json.dumps(answer))) if answer is not None else None
        self.calls.append(Call(number, self.now(), tenant, cmdlet, given, headers, status, kept, body))

    # --- the lab's side

    async def _lab_state(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                tenant: {
                    "faults": [fault.kind for fault in self.faults.get(tenant, []) if fault.calls != 0],
                    "mailboxes": [_state(one) for one in organisation.mailboxes.values()],
                }
                for tenant, organisation in self.organisations.items()
            }
        )

    async def _lab_events(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        shown = [{**dataclasses.asdict(one), "at": one.at.isoformat()} for one in self.effects if one.number > after]
        return web.json_response({"effects": shown, "calls": len(self.calls)})

    async def _lab_faults(self, request: web.Request) -> web.Response:
        """{"tenant": id, "set": {"lag": 5}} changes it; {"tenant": id, "fault": {"kind": …}} adds one."""
        asked = await request.json()
        organisation = self.organisations[asked["tenant"]]
        for name, value in asked.get("set", {}).items():
            if name not in _SETTABLE:
                raise web.HTTPBadRequest(text=f"{name} can't be set; these can: {', '.join(sorted(_SETTABLE))}")
            setattr(organisation, name, tuple(cast("list[str]", value)) if isinstance(value, list) else value)
        if "fault" in asked:
            self.fail(organisation.tenant, Fault(**asked["fault"]))
        if asked.get("clear"):
            self.faults.pop(organisation.tenant, None)
        return web.json_response({"ok": True})

    async def _lab_reset(self, request: web.Request) -> web.Response:
        self.reset()
        return web.json_response({"ok": True})


_SETTABLE = frozenset(one.name for one in dataclasses.fields(Organisation)) - {
    "tenant",
    "mailboxes",
    "contacts",
    "groups",
}


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
