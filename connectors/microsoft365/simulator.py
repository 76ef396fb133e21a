"""A stand-in for Microsoft on this machine: sign-in over TLS, Graph, and every way they misbehave.

Several tenants in one; the bearer token says which. Tests use the Python side, another process the small
JSON side under /_lab/ (state, faults, reset, events). Bound to loopback, it opens nothing real.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import ssl
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from aiohttp import web
from pydantic import JsonValue

from connectors.contract import Json
from connectors.microsoft365.client_batch import MOST_PARTS
from connectors.microsoft365.simulated_answers import Answer, Asked, error
from connectors.microsoft365.simulated_graph import Directory
from connectors.microsoft365.simulated_people import APPLICATION, Person, Tenant, sample_tenants
from connectors.simulated_faults import KINDS, Effect, Fault, Started, checked, due, instead, lab_routes, sent, settable

TOKEN_SECONDS = 3600
GRAPH = "https://graph.microsoft.com"


@dataclass(frozen=True)
class Call:
    """One request and its answer; passwords are not kept."""

    number: int
    at: datetime
    tenant: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json
    status: int
    answer: Json | None
    part: bool = False
    """It travelled inside a $batch, whose own call follows."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class _Token:
    tenant: str
    expires: datetime
    serial: int
    permissions: frozenset[str]
    audience: str


@dataclass
class SimulatedMicrosoft(Started):
    """Start it with `async with`, then read `authority`, `base_url` and `ca_file`."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    tls: tuple[Path, Path, Path] | None = None
    """Certificate, key and authority to use instead of ones made at start."""
    graph_port: int = 0
    sign_in_port: int = 0
    tenants: dict[str, Tenant] = field(default_factory=sample_tenants)
    calls: list[Call] = field(default_factory=list[Call])
    sign_ins: list[str] = field(default_factory=list[str])
    """Tenant of every token asked for."""
    effects: list[Effect] = field(default_factory=list[Effect])

    def __post_init__(self) -> None:
        self.faults: dict[str, list[Fault]] = {}
        self._tokens: dict[str, _Token] = {}
        self._valid_from: dict[str, int] = {}
        self._challenged: set[str] = set()
        self._directories: dict[str, Directory] = {}
        self._runners: list[web.AppRunner] = []
        self._folder = tempfile.TemporaryDirectory(prefix="simulated-microsoft-")

    async def start(self) -> None:
        """Listen on loopback; ports chosen by the system unless given."""
        self.certificate = self.tls or _make_certificate(Path(self._folder.name))
        certificate, key, self.ca_file = self.certificate
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        sign_in = web.Application()
        sign_in.router.add_post("/{tenant}/oauth2/v2.0/token", self._token)
        graph = web.Application()
        graph.router.add_routes(lab_routes(self))
        graph.router.add_route("*", "/v1.0/{path:.*}", self._graph)
        self.sign_in_port = await self._listen(sign_in, self.sign_in_port, context)
        self.graph_port = await self._listen(graph, self.graph_port, None)

    async def stop(self) -> None:
        """Stop listening."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        self._folder.cleanup()

    @property
    def authority(self) -> str:
        """For the connector's settings."""
        return f"https://localhost:{self.sign_in_port}"

    @property
    def base_url(self) -> str:
        """For the connector's settings."""
        return f"http://127.0.0.1:{self.graph_port}/v1.0"

    def settings(self, tenant: str, secret: str = "env/MICROSOFT_SECRET") -> Json:  # noqa: S107 - a reference
        """What clients.yml would say for that tenant."""
        return {
            "tenant_id": tenant,
            "client_id": APPLICATION,
            "client_secret": secret,
            "base_url": self.base_url,
            "authority": self.authority,
        }

    def person(self, user_id: str) -> Person:
        """The person with that object id, in whichever tenant."""
        return next(tenant.people[user_id] for tenant in self.tenants.values() if user_id in tenant.people)

    def fail(self, tenant: str, fault: Fault) -> Fault:
        """Let something go wrong there; returned for removal."""
        checked(fault.kind, KINDS)
        self.faults.setdefault(tenant, []).append(fault)
        return fault

    def catch_up(self) -> None:
        """Let happen what is due in every tenant though nobody asks: syncs, above all."""
        for tenant in self.tenants:
            self._directory(tenant).catch_up()

    def expire_tokens(self, tenant: str, *, challenge: bool = False) -> None:
        """No token issued so far is accepted any more; with a challenge, the 401 carries claims (CAE)."""
        self._valid_from[tenant] = len(self.sign_ins)
        (self._challenged.add if challenge else self._challenged.discard)(tenant)

    def reset(self) -> None:
        """The sample people again, no faults, empty journals."""
        self.tenants = sample_tenants()
        self.calls.clear()
        self.effects.clear()
        self.faults.clear()
        self._directories.clear()

    # --- sign-in

    async def _token(self, request: web.Request) -> web.Response:
        tenant_id, form = request.match_info["tenant"], await request.post()
        self.sign_ins.append(tenant_id)
        tenant = self.tenants.get(tenant_id)
        if tenant is None:
            return _aadsts(90002, "invalid_request", f"Tenant '{tenant_id}' not found.")
        if not tenant.consented or form.get("client_id") != APPLICATION:
            return _aadsts(
                700016,
                "unauthorized_client",
                f"Application with identifier '{form.get('client_id')}' was not found in the directory.",
            )
        if "client_assertion" in form:
            if not tenant.certificate:
                return _aadsts(700027, "invalid_client", "The certificate is not registered on application.")
        elif form.get("client_secret") != tenant.secret:
            return _aadsts(7000215, "invalid_client", "Invalid client secret provided.")
        expires = self.now() + timedelta(seconds=TOKEN_SECONDS)
        audience = str(form.get("scope", "")).removesuffix("/.default")
        token = _shaped(
            {
                "aud": audience,
                "tid": tenant_id,
                "appid": APPLICATION,
                "oid": tenant.service_principal,
                "roles": [*tenant.permissions],
                "exp": int(expires.timestamp()),
            }
        )
        self._tokens[token] = _Token(tenant_id, expires, len(self.sign_ins), frozenset(tenant.permissions), audience)
        return web.json_response({"token_type": "Bearer", "expires_in": TOKEN_SECONDS, "access_token": token})

    # --- Graph

    async def _graph(self, request: web.Request) -> web.StreamResponse:
        token = self._tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        stale = token is not None and self._stale(token)
        if token is None or stale or token.audience != GRAPH:
            return self._unauthorised(request, token.tenant if token else "", stale=stale)
        raw = await request.read()
        parsed: object = json.loads(raw) if raw else {}
        asked = Asked(
            request.method,
            "/" + request.match_info["path"],
            dict(request.query),
            cast("Json", parsed) if isinstance(parsed, dict) else {},
            request.headers.get("ConsistencyLevel", "").casefold() == "eventual",
            token.permissions,
        )
        fault = self._due(token.tenant, f"{asked.method} {asked.path}")
        answer = await self._before(fault) if fault else None
        if answer is None and asked.path == "/$batch":
            answer = self._batch(token.tenant, asked)
        if answer is None:
            answer = self._directory(token.tenant).answer(asked)
        lost = error(504, "UnknownError", "The gateway timed out.").body or {}
        response = await sent(fault, request, answer.status, answer.body, lost)
        self._journal(token.tenant, request, asked, answer, response.status)
        return response

    def _batch(self, tenant: str, asked: Asked) -> Answer:
        """Every part with an answer of its own, in any order; the whole is a 200 whatever came of them."""
        parts = cast("list[Json]", asked.body.get("requests") or [])
        ids = [str(part.get("id", "")) for part in parts]
        if not parts or len(parts) > MOST_PARTS or len(set(ids)) != len(ids) or "" in ids:
            return error(400, "BadRequest", "Invalid batch payload format.")
        answers: dict[str, Json] = {}
        for part in parts:
            waits_for = cast("list[str]", part.get("dependsOn") or [])
            if any(cast("int", answers[name]["status"]) >= 400 for name in waits_for):
                failed = error(424, "FailedDependency", "A request it depends on failed.")
                answers[str(part["id"])] = {"id": part["id"], "status": 424, "headers": {}, "body": failed.body}
                continue
            answers[str(part["id"])] = self._part(tenant, asked, part)
        return Answer(200, {"responses": [*reversed(answers.values())]})

    def _part(self, tenant: str, whole: Asked, part: Json) -> Json:
        url = urlsplit(str(part["url"]))
        headers = cast("dict[str, str]", part.get("headers") or {})
        asked = Asked(
            str(part["method"]),
            unquote(url.path),
            dict(parse_qsl(url.query, keep_blank_values=True)),
            cast("Json", part.get("body") or {}),
            headers.get("ConsistencyLevel", "").casefold() == "eventual",
            whole.permissions,
        )
        fault = self._due(tenant, f"{asked.method} {asked.path}", named=True)
        answer = _faulty(fault) if fault else None
        answer = answer or self._directory(tenant).answer(asked)
        if fault and fault.kind in ("lost", "hang", "drop"):
            # Inside a batch a lost answer is a 504 of its own.
            answer = error(504, "UnknownError", "The gateway timed out.")
        told: dict[str, JsonValue] = {"Content-Type": "application/json"}
        if fault and fault.retry_after is not None:
            told["Retry-After"] = fault.retry_after
        number = len(self.calls) + 1
        self.calls.append(
            Call(
                number,
                self.now(),
                tenant,
                asked.method,
                asked.path,
                asked.query,
                {},
                asked.body,
                answer.status,
                answer.body,
                part=True,
            )
        )
        body: JsonValue = "not an object" if fault and fault.kind in ("malformed", "html") else answer.body
        return {"id": part["id"], "status": answer.status, "headers": told, "body": body}

    def tenant_of(self, bearer: str, audience: str) -> Tenant | None:
        """The tenant an Authorization header lets into that resource; for the stand-ins of its other services."""
        token = self._tokens.get(bearer.removeprefix("Bearer "))
        if token is None or token.audience != audience or self._stale(token):
            return None
        return self.tenants[token.tenant]

    def _stale(self, token: _Token) -> bool:
        return token.serial <= self._valid_from.get(token.tenant, 0) or token.expires <= self.now()

    def _directory(self, tenant: str) -> Directory:
        if tenant not in self._directories:
            self._directories[tenant] = Directory(self.tenants[tenant], self.now, self.base_url, self.effects)
        return self._directories[tenant]

    def _due(self, tenant: str, call: str, *, named: bool = False) -> Fault | None:
        """The fault that this call meets; a part of a batch only meets those that name it."""
        faults = [fault for fault in self.faults.get(tenant, []) if fault.match or not named]
        return due(faults, call, self.now())

    async def _before(self, fault: Fault) -> Answer | None:
        """An answer in place of the directory's; None lets it happen."""
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        return _faulty(fault)

    def _unauthorised(self, request: web.Request, tenant: str, *, stale: bool) -> web.Response:
        headers = {"request-id": secrets.token_hex(8)}
        if stale and tenant in self._challenged:
            claims = base64.b64encode(b'{"access_token":{"nbf":{"essential":true}}}').decode()
            headers["WWW-Authenticate"] = f'Bearer realm="", error="insufficient_claims", claims="{claims}"'
        answer = error(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
        asked = Asked(request.method, "/" + request.match_info["path"], {}, {}, eventual=False, permissions=frozenset())
        self._journal(tenant, request, asked, answer, 401)
        return web.json_response(answer.body, status=401, headers=headers)

    def _journal(self, tenant: str, request: web.Request, asked: Asked, answer: Answer, status: int) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers.pop("authorization", None)
        body = dict(asked.body)
        if isinstance(profile := body.get("passwordProfile"), dict):
            body["passwordProfile"] = {**profile, "password": "***"}
        told = dict(answer.body) if answer.body is not None else None
        if told is not None and "temporaryAccessPass" in told:
            told["temporaryAccessPass"] = "***"
        number = len(self.calls) + 1
        self.calls.append(
            Call(number, self.now(), tenant, asked.method, asked.path, asked.query, headers, body, status, told)
        )

    # --- the lab's side

    def state(self) -> Json:
        """The tenants and their people, for somebody who looks."""
        return {
            tenant.id: {
                "name": tenant.name,
                "faults": [fault.kind for fault in self.faults.get(tenant.id, []) if fault.calls != 0],
                "people": [
                    {
                        "id": person.id,
                        "name": person.name,
                        "title": person.title,
                        "enabled": person.enabled,
                        "guest": person.guest,
                        "synced": person.synced,
                        "methods": [method.kind for method in person.methods],
                        "sessions_valid_from": _iso(person.sessions_valid_from),
                        "password_changed": _iso(person.password_changed),
                    }
                    for person in tenant.people.values()
                ],
            }
            for tenant in self.tenants.values()
        }

    def settings_of(self, tenant: str) -> tuple[object, frozenset[str]]:
        """The tenant, and the names in it that may be set."""
        return self.tenants[tenant], _SETTABLE

    def misbehave(self, tenant: str, fault: Json | None, *, clear: bool) -> None:
        """Add a fault, and forget them all when told."""
        if fault is not None:
            self.fail(tenant, Fault(**cast("dict[str, Any]", fault)))
        if clear:
            self.faults.pop(tenant, None)

    async def _listen(self, app: web.Application, port: int, context: ssl.SSLContext | None) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        return cast("tuple[str, int]", runner.addresses[0])[1]


_SETTABLE = settable(Tenant, "id", "name", "people", "groups", "devices", "products", "grants", "deleted")


def _faulty(fault: Fault) -> Answer | None:
    """An answer in place of the directory's; None lets it happen."""
    told = instead(fault)
    return error(*told) if told else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _aadsts(number: int, code: str, text: str) -> web.Response:
    status = 401 if code == "invalid_client" else 400
    said = f"AADSTS{number}: {text} Trace ID: {secrets.token_hex(8)}"
    return web.json_response({"error": code, "error_description": said, "error_codes": [number]}, status=status)


def _shaped(claims: Json) -> str:
    """Looks like a JWT; nobody checks its signature, the simulator knows its own tokens."""

    def part(value: Json) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.{secrets.token_urlsafe(24)}"


def _make_certificate(folder: Path) -> tuple[Path, Path, Path]:
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key, ca_file = folder / "certificate.pem", folder / "key.pem", folder / "ca.pem"
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(str(certificate), append=number > 0)
    issued.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(ca_file))
    return certificate, key, ca_file
