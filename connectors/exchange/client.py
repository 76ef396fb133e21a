"""Exchange's cmdlets over https for one client: the only module that knows how they travel.

POST {base_url}/{tenant}/InvokeCommand is what Microsoft's own PowerShell module calls; Microsoft does not
document it. When it is closed, this module is what changes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote

import httpx
from pydantic import JsonValue

from connectors.contract import Json, Surroundings, Unreachable, VendorError
from connectors.entra import EntraSignIn, missing
from connectors.exchange.settings import ExchangeSettings
from connectors.http import (
    REPEATS,
    WORTH_WAITING,
    Gate,
    RefusedWith,
    failure,
    http_client,
    origin,
    redact,
    retry_after,
)
from connectors.together import Manner, Together

VENDOR = "exchange"
PERMISSION = "Exchange.ManageAsApp"
ROLE = "Exchange Recipient Administrator"
_SYSTEM_MAILBOX = "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@"
_CLAIMS = re.compile(r'claims="([^"]+)"')
_PASSING = frozenset({429, 503, 504})

# Status and code vary for one cause, so the exception's own name decides; these are a considered no, even
# when they arrive as a 500. Any other 5xx may have happened.
_NOT_FOUND = "ManagementObjectNotFoundException"
_DENIED = "CmdletAccessDeniedException"
_CONSIDERED = frozenset(
    {
        _NOT_FOUND,
        _DENIED,
        "ManagementObjectAmbiguousException",
        "MemberAlreadyExistsException",
        "MemberNotFoundException",
        "ParameterBindingException",
        "RecipientTaskException",
        "TaskInvalidOperationException",
        "InvalidOperationOnDirSyncedObjectException",
    }
)


class CmdletRefused(RefusedWith):
    """Exchange understood the cmdlet and said no. `kind` is its exception's name, '' when it gave none."""

    def __init__(self, cmdlet: str, message: str, fix: str, status: int, kind: str) -> None:
        self.kind = kind
        super().__init__(VENDOR, cmdlet, message, fix, status, kind)


class NoSuchObject(CmdletRefused):
    """What was named does not exist."""


@dataclass(frozen=True)
class Output:
    """What a cmdlet put out; one that only changes something puts out nothing."""

    values: tuple[Json, ...] = ()
    lines: tuple[str, ...] = ()
    """Plain text among the values."""
    warnings: tuple[str, ...] = ()


class ExchangeApi:
    """One client's connection. Raises the contract's surprises only; `call` in them is the cmdlet."""

    def __init__(self, settings: ExchangeSettings, around: Surroundings) -> None:
        self.settings, self.around = settings, around
        self.sign_in = EntraSignIn(VENDOR, settings.application, around)
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Let connection and credential go."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
        await self.sign_in.close()

    async def invoke(self, cmdlet: str, /, *, anchor: str = "", **parameters: JsonValue) -> list[Json]:
        """Run one cmdlet; None clears a parameter. What it put out, all pages of it.

        `anchor` is the sign-in name of the mailbox it is about, so that it runs where that mailbox lies.
        Raises NoSuchObject, CmdletRefused, and the rest of the VendorErrors.
        """
        return list((await self.output(cmdlet, anchor=anchor, **parameters)).values)

    async def output(self, cmdlet: str, /, *, anchor: str = "", **parameters: JsonValue) -> Output:
        """The same, with the plain text and the warnings."""
        body: Json = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}}
        url = f"{self.settings.base_url}/{quote(self.settings.tenant_id)}/InvokeCommand"
        values: list[Json] = []
        lines: list[str] = []
        warnings: list[str] = []
        seen: set[str] = set()
        while True:
            page = await self._send(cmdlet, url, body, anchor)
            for one in _list(cmdlet, page):
                if isinstance(one, dict):
                    values.append(one)
                elif isinstance(one, str):
                    lines.append(one)
            warnings += _texts(page.get("@adminapi.warnings"))
            link = page.get("@odata.nextLink")
            # The next page is asked for with the same body: for a change, that would be a second change.
            if not isinstance(link, str) or not _reads(cmdlet):
                return Output(tuple(values), tuple(lines), tuple(warnings))
            if link in seen:
                raise Unreachable(VENDOR, cmdlet, "its pages lead in a circle")
            seen.add(link)
            url = link

    async def permissions(self) -> frozenset[str] | None:
        """Application permissions in our token; None when they can't be read."""
        return await self.sign_in.permissions(self.settings.scope)

    async def _send(self, cmdlet: str, url: str, body: Json, anchor: str) -> Json:
        """One page. Reads are repeated at most twice, as the gate does for GET; changes never."""
        repeats = REPEATS if _reads(cmdlet) else 0
        for attempt in range(repeats + 1):
            last = attempt == repeats
            try:
                response = await self._authorised(cmdlet, url, body, anchor)
            except Unreachable as broken:
                if last or not isinstance(broken.__cause__, httpx.TransportError):
                    raise
                await self.around.clock.sleep(0.2 * (attempt + 1))
                continue
            if last or response.status_code not in _PASSING or self._wait(response) > WORTH_WAITING:
                return await self._understood(cmdlet, response)
            await self.around.clock.sleep(0.2 * (attempt + 1))
        raise AssertionError("the last attempt returns or raises")

    async def _authorised(self, cmdlet: str, url: str, body: Json, anchor: str) -> httpx.Response:
        """Send; a refused token is replaced by a fresh one once, since nothing can have happened before it."""
        scope = self.settings.scope
        token = await self.sign_in.get_token(scope, enable_cae=True)
        response = await self._post(cmdlet, url, body, anchor, token.token)
        if response.status_code != 401:
            return response
        claims = _claims(response.headers.get("www-authenticate", ""))
        if claims is None:
            await self.sign_in.forget()
        token = await self.sign_in.get_token(scope, claims=claims, enable_cae=True)
        return await self._post(cmdlet, url, body, anchor, token.token)

    async def _post(self, cmdlet: str, url: str, body: Json, anchor: str, token: str) -> httpx.Response:
        if self._client is None:
            gate = Gate(VENDOR, self.around, [origin(self.settings.base_url)], patience=self.settings.patience)
            self._client = http_client(Together(gate, self.around, batches(self.settings)))
        headers = {
            "Authorization": f"Bearer {token}",
            # A header is ASCII; whoever's name is not is routed by the organisation's own mailbox.
            "X-AnchorMailbox": anchor if anchor and anchor.isascii() else _SYSTEM_MAILBOX + self.settings.tenant_id,
            "X-CmdletName": cmdlet,
            "Prefer": "odata.maxpagesize=1000",
        }
        try:
            return await self._client.post(url, json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(VENDOR, cmdlet, redact(f"no answer ({type(error).__name__})")) from error

    def _wait(self, response: httpx.Response) -> float:
        if response.status_code == 504:
            return 0.0
        return retry_after(response.headers.get("retry-after"), self.around.clock.now())

    async def _understood(self, cmdlet: str, response: httpx.Response) -> Json:
        if not response.is_success:
            raise await self._refusal(cmdlet, response)
        if not response.content:
            return {"value": []}
        try:
            page: object = response.json()
        except ValueError as error:
            raise Unreachable(VENDOR, cmdlet, "the answer is not JSON") from error
        if not isinstance(page, dict):
            raise Unreachable(VENDOR, cmdlet, "the answer is not an object")
        return cast("Json", page)

    async def _refusal(self, cmdlet: str, response: httpx.Response) -> VendorError:
        status = response.status_code
        kind, said = _envelope(response)
        if status in _PASSING or status in (401, 408) or (status >= 500 and kind not in _CONSIDERED):
            fix = "Check that the application still exists in the tenant and is enabled." if status == 401 else ""
            return failure(VENDOR, cmdlet, status, kind, said, fix=fix, wait=self._wait(response))
        message = redact(f"answered {status} ({': '.join(part for part in (kind, said) if part) or 'no reason given'})")
        if kind == _NOT_FOUND or re.search(r"\b(?:couldn't|could not) be found on\b", said):
            return NoSuchObject(cmdlet, message, "", status, kind)
        fix = await self._access_fix() if status == 403 or kind == _DENIED else ""
        return CmdletRefused(cmdlet, message, fix, status, kind)

    async def _access_fix(self) -> str:
        if missing((PERMISSION,), await self.permissions()):
            return f"Grant our application {PERMISSION} (Office 365 Exchange Online) and consent again."
        return (
            f"Consent is not enough: give our application's service principal the Entra role {ROLE} (or Exchange "
            "Administrator) in this tenant, and retry after some minutes."
        )


def batches(settings: ExchangeSettings) -> Manner:
    """How several cmdlets go in one request: ten at most, as CIPP sends them (its source, 2026-08); undocumented."""
    return Manner(
        VENDOR,
        f"{settings.base_url}/{quote(settings.tenant_id)}/$batch",
        most=10,
        reads=lambda request: request.headers.get("x-cmdletname", "").startswith("Get-"),
        headers=("Content-Type", "Prefer", "X-AnchorMailbox", "X-CmdletName"),
        batch_headers={"X-AnchorMailbox": _SYSTEM_MAILBOX + settings.tenant_id},
    )


def refused_as(error: RefusedWith, *words: str) -> bool:
    """Whether the refusal's text or kind contains one of the words: causes are told apart by nothing else."""
    text = f"{error.message} {error.code}".casefold().replace("’", "'")
    return any(word.casefold() in text for word in words)


def text(record: Json, name: str) -> str:
    """A text field; empty when it is absent, null or something else."""
    value = record.get(name)
    return value if isinstance(value, str) else ""


def flag(record: Json, name: str) -> bool:
    """A yes or no; absent and null are no."""
    value = record.get(name)
    return value is True or (isinstance(value, str) and value.casefold() == "true")


def texts(record: Json, name: str) -> tuple[str, ...]:
    """A list of texts; one text alone counts as a list of one."""
    value = record.get(name)
    return (value,) if isinstance(value, str) and value else tuple(_texts(value))


def _texts(value: object) -> list[str]:
    return [str(one) for one in cast("list[object]", value)] if isinstance(value, list) else []


def _reads(cmdlet: str) -> bool:
    return cmdlet.startswith("Get-")


def _list(cmdlet: str, page: Json) -> list[JsonValue]:
    value = page.get("value")
    if not isinstance(value, list):
        raise Unreachable(VENDOR, cmdlet, "the answer has no list of values")
    return value


def _claims(challenge: str) -> str | None:
    """The claims Entra's continuous access evaluation demands of the next token, if any."""
    found = _CLAIMS.search(challenge)
    if not found:
        return None
    try:
        return base64.b64decode(found[1]).decode()
    except (binascii.Error, ValueError):
        return None


def _envelope(response: httpx.Response) -> tuple[str, str]:
    """Kind and sentence of an error. The sentence proper is the last part of 'Ex…|Full.Exception.Name|sentence'."""
    try:
        parsed: object = json.loads(response.content)
    except ValueError:
        return "", ""
    error = cast("Json", parsed).get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return "", ""
    details = error.get("details")
    listed = details if isinstance(details, list) else []
    candidates = [text(one, "message") for one in listed if isinstance(one, dict)]
    inner = error.get("innererror")
    if isinstance(inner, dict):
        deeper = inner.get("internalexception")
        candidates.append(text(deeper, "message") if isinstance(deeper, dict) else "")
        candidates.append(text(inner, "message"))
    for candidate in candidates:
        parts = candidate.split("|")
        if len(parts) >= 3:
            return parts[-2].rpartition(".")[2], parts[-1].strip()
    said = next((one for one in candidates if one), text(error, "message"))
    kind = text(inner, "type").rpartition(".")[2] if isinstance(inner, dict) else ""
    return kind, said
