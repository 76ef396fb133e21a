"""ConnectWise PSA over https for one client: the only module that knows how its requests travel.

The address has a part, the codebase, that changes with every upgrade of ConnectWise: it is asked for once, and
again when something is suddenly not there. In the cloud a wrong key also reads as not found, so "not found" counts
only while our sign-in demonstrably works.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from connectors.connectwise.lowered import Lowered
from connectors.connectwise.records import Record, Value, number, parsed, rows, text
from connectors.connectwise.settings import ConnectWiseSettings
from connectors.contract import Refused, SignInFailed, Surroundings, Throttled, Unreachable, VendorError
from connectors.http import Gate, RefusedWith, failure, http_client, origin, redact, retry_after

VENDOR = "connectwise"
VERSION = "2026.4"
PAGE_SIZE = 1000
LONGEST_URL = 2000
"""Longer ones are risky; from 10,000 on they are refused (ConnectWise Developer Guide, read 2026-11)."""

_MOVED = frozenset({301, 302, 307, 308, 404})
_CODEBASE = re.compile(r"[A-Za-z0-9_.]+")
_PROBE = "/company/companies/count"
_KEYS = "Check company, public_key, private_key and client_id in clients.yml, and that the API member is active."
_ROLES = {
    "/service": "Service Desk > Service Tickets (add, edit, inquire) and Close Service Tickets",
    "/finance": "Finance > Agreements (edit, inquire)",
    "/company/contacts": "Companies > Contacts (edit, inquire)",
    "/company/configurations": "Companies > Configurations (inquire)",
    "/company": "Companies > Company Maintenance (inquire)",
    "/time": "Time & Expense > Time Entry (add, inquire)",
    "/system": "System > Member Maintenance (inquire)",
}


@dataclass(frozen=True)
class Change:
    """One line of a PATCH. A reference is replaced whole: changing only a part of it does nothing, and answers 200."""

    path: str
    value: Value = None
    op: str = "replace"

    def written(self) -> Record:
        """As it travels."""
        return {"op": self.op, "path": self.path} | ({} if self.op == "remove" else {"value": self.value})


class ConnectWiseApi:
    """One client's connection. Raises the contract's surprises only."""

    def __init__(self, settings: ConnectWiseSettings, around: Surroundings) -> None:
        self.settings, self.around = settings, around
        self.known: dict[str, Record] = {}
        """What hardly ever changes, by what it is: the company's record, the board's."""
        self.statuses: dict[int, list[Record]] = {}
        """Board → its statuses in use."""
        self.lowered = Lowered()
        self._client: httpx.AsyncClient | None = None
        self._codebase = ""
        self._asking = asyncio.Lock()

    def _forget(self) -> None:
        """What was looked up may have changed."""
        self.known.clear()
        self.statuses.clear()

    async def close(self) -> None:
        """Let the connection go."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def find(self, path: str) -> Record | None:
        """One record; None when there is none. Raises SignInFailed where 'not found' means that we are not let in."""
        try:
            return await self.get(path)
        except RefusedWith as refused:
            if refused.status != 404:
                raise
            return None

    async def get(self, path: str) -> Record:
        """One record."""
        return _record(f"GET {path}", await self._send("GET", path))

    async def list(self, path: str, conditions: str = "", children: str = "") -> list[Record]:
        """Every record that fits, all pages. `children` is about what records hold lists of.

        A list too long to ask for in an address is asked for by POST to …/search: a read all the same.
        """
        given = {"conditions": conditions, "childConditions": children, "orderBy": "id asc"}
        asked = {name: value for name, value in given.items() if value}
        url = httpx.URL(path, params={**asked, "pageSize": str(PAGE_SIZE)})
        body: Record | None = None
        method, call, target = "GET", f"GET {path}", str(url)
        if len(self.settings.root) + len(target) > LONGEST_URL:
            method, call, body = "POST", f"POST {path}/search", dict[str, Value](asked)
            target = str(httpx.URL(f"{path}/search", params={"pageSize": str(PAGE_SIZE)}))
        found: list[Record] = []
        seen: set[str] = set()
        while target:
            if target in seen:
                raise Unreachable(VENDOR, call, "its pages lead in a circle")
            seen.add(target)
            response = await self._send(method, target, body)
            found += _records(call, response)
            # Absent on the last page, and on an only one.
            target = response.links.get("next", {}).get("url", "")
        return found

    async def create(self, path: str, body: Mapping[str, Value]) -> int:
        """Add a record; answers its number. Sent once: it may have happened even where this raises Unreachable."""
        try:
            response = await self._send("POST", path, dict(body))
        except Invalid:
            # A status or a priority we know may be gone: the next attempt asks for them again.
            self._forget()
            raise
        made = number(_record(f"POST {path}", response), "id")
        if not made:
            raise Unreachable(VENDOR, f"POST {path}", "the answer has no number of what was made")
        return made

    async def change(self, path: str, *changes: Change) -> None:
        """Change a record. The answer proves nothing: read it again."""
        try:
            await self._send("PATCH", path, [change.written() for change in changes])
        except Invalid as invalid:
            self._forget()
            if not invalid.fields or {change.path.casefold() for change in changes} & invalid.fields:
                raise
            fix = (
                f"What ConnectWise objects to is {', '.join(sorted(invalid.fields))}, which we do not change: open the "
                "record in ConnectWise, set that to something valid, save, and retry."
            )
            raise Invalid(invalid.call, invalid.message, fix, invalid.code, invalid.fields) from invalid

    async def company_info(self) -> Record:
        """What the site says about the provider's company, signed in or not."""
        path = f"/login/companyinfo/{httpx.URL(path='/' + self.settings.company).raw_path.decode().lstrip('/')}"
        response = await self._request("GET", self.settings.root + path, None, {})
        if response.is_success and response.content:
            try:
                info = parsed(response.content)
            except ValueError as error:
                raise Unreachable(VENDOR, f"GET {path}", "the answer is not JSON") from error
            codebase = text(info, "Codebase").strip("/") if isinstance(info, dict) else ""
            if isinstance(info, dict) and _CODEBASE.fullmatch(codebase):
                return info
        elif not response.is_success and response.status_code not in (400, 404):
            raise self._refusal(f"GET {path}", response)
        raise SignInFailed(
            VENDOR,
            f"GET {path}",
            f"the site knows no company '{self.settings.company}'",
            "Check site and company in clients.yml: company is what is typed when signing in to ConnectWise.",
        )

    # --- how it travels

    async def _send(self, method: str, path: str, body: Value = None) -> httpx.Response:
        """Send; what is not found is asked for once more at the codebase of now, since nothing can have happened."""
        codebase = self._codebase or await self._renew("")
        response = await self._at(codebase, method, path, body)
        if response.status_code in _MOVED:
            renewed = await self._renew(codebase)
            if renewed != codebase:
                response = await self._at(renewed, method, _moved(path, codebase, renewed), body)
        call = f"{method} {_plain(path)}"
        if response.is_success:
            return response
        if response.status_code == 404 and (await self._at(self._codebase, "GET", _PROBE, None)).status_code == 404:
            raise SignInFailed(VENDOR, call, "everything reads as not found, as it does for keys that are wrong", _KEYS)
        raise self._refusal(call, response)

    async def _renew(self, stale: str) -> str:
        """Ask for the codebase, unless somebody else just did."""
        async with self._asking:
            if not self._codebase or self._codebase == stale:
                self._codebase = text(await self.company_info(), "Codebase").strip("/")
            return self._codebase

    async def _at(self, codebase: str, method: str, path: str, body: Value) -> httpx.Response:
        url = path if "://" in path else f"{self.settings.root}/{codebase}/apis/3.0{path}"
        headers = {
            "Authorization": self._authorization(),
            "clientId": self.settings.client_id,
            "Accept": f"application/vnd.connectwise.com+json; version={VERSION}",
        }
        return await self._request(method, url, body, headers)

    async def _request(self, method: str, url: str, body: Value, headers: Mapping[str, str]) -> httpx.Response:
        if self._client is None:
            gate = Gate(VENDOR, self.around, [origin(self.settings.root)], patience=self.settings.patience)
            self._client = http_client(gate)
        try:
            if body is None:
                return await self._client.request(method, url, headers=headers)
            return await self._client.request(method, url, json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            call = f"{method} {httpx.URL(url).path}"
            raise Unreachable(VENDOR, call, redact(f"no answer ({type(error).__name__})")) from error

    def _authorization(self) -> str:
        secret = self.around.secret
        keys = f"{self.settings.company}+{secret(self.settings.public_key)}:{secret(self.settings.private_key)}"
        return f"Basic {base64.b64encode(keys.encode()).decode()}"

    def _refusal(self, call: str, response: httpx.Response) -> VendorError:
        status = response.status_code
        code, message, fields = _envelope(response)
        if status == 429:
            wait = retry_after(response.headers.get("retry-after"), self.around.clock.now())
            return Throttled(VENDOR, call, wait)
        said = self._scrubbed(message)
        if code.casefold() == "security" and "ssl is required" in message.casefold():
            fix = "Set site in clients.yml to the API's host, which begins with api-: api-eu.myconnectwise.net."
            return RefusedWith(
                VENDOR, call, f"answered {status} ({said}): this is not the API's host", fix, status, code
            )
        if status == 400:
            return Invalid(call, f"answered 400 ({': '.join(one for one in (code, said) if one)})", "", code, fields)
        fix = _KEYS if status == 401 else self._role_fix(call) if status == 403 else ""
        wait = retry_after(response.headers.get("retry-after"), self.around.clock.now())
        return failure(VENDOR, call, status, code, said, fix=fix, wait=wait)

    def _role_fix(self, call: str) -> str:
        path = call.partition(" ")[2]
        named = next((words for start, words in _ROLES.items() if path.startswith(start)), "this")
        return f"In System > Security Roles, give the API member's role the right: {named}."

    def _scrubbed(self, said: str) -> str:
        """Without our keys, should an answer repeat what it was sent."""
        for told in (self._authorization().partition(" ")[2], *self._secrets()):
            said = said.replace(told, "***")
        return redact(said)

    def _secrets(self) -> Sequence[str]:
        return [self.around.secret(one) for one in (self.settings.private_key, self.settings.public_key)]


class Invalid(RefusedWith):
    """ConnectWise finds something wrong in what a record would be; it checks all of it, not only what is changed."""

    def __init__(self, call: str, message: str, fix: str, code: str, fields: frozenset[str]) -> None:
        self.fields = fields
        super().__init__(VENDOR, call, message, fix, 400, code)


def gone(path: str, what: str) -> Refused:
    """A record that was there when the plan was made."""
    return Refused(VENDOR, f"GET {path}", f"{what} is gone", "Look it up in ConnectWise, and settle it there.")


def _plain(path: str) -> str:
    """The path without host, codebase and conditions: those name people."""
    return re.sub(r"^https?://[^/]+/[^/]+/apis/3\.0", "", path).partition("?")[0]


def _moved(path: str, old: str, new: str) -> str:
    """A next page's whole address, at the codebase of now."""
    return path.replace(f"/{old}/apis/", f"/{new}/apis/", 1) if "://" in path else path


def _value(call: str, response: httpx.Response) -> Value:
    try:
        return parsed(response.content)
    except ValueError as error:
        raise Unreachable(VENDOR, call, "the answer is not JSON") from error


def _record(call: str, response: httpx.Response) -> Record:
    value = _value(call, response)
    if not isinstance(value, dict):
        raise Unreachable(VENDOR, call, "the answer is not an object")
    return value


def _records(call: str, response: httpx.Response) -> list[Record]:
    value = _value(call, response)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Unreachable(VENDOR, call, "the answer is not a list of records")
    return [one for one in value if isinstance(one, dict)]


def _envelope(response: httpx.Response) -> tuple[str, str, frozenset[str]]:
    """Code, sentence and fields of an error, in either of its shapes."""
    try:
        error = parsed(response.content)
    except ValueError:
        return "", "", frozenset()
    if not isinstance(error, dict):
        return "", "", frozenset()
    inside = rows(error, "errors")
    said = [text(error, "message")]
    said += [": ".join(part for part in (text(one, "field"), text(one, "message")) if part) for one in inside]
    fields = [text(one, "field").strip("/").partition("/")[0].partition(".")[0].casefold() for one in inside]
    code = text(error, "code") or text(error, "error")
    return code, "; ".join(one for one in said if one), frozenset(field for field in fields if field)
