"""Pax8's partner API for one client: the only module that knows how requests travel and what errors look like.

Reads are repeated by the gate below; a change is sent once. Numbers are never floats: a price is money.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import cast
from urllib.parse import quote

import httpx
from pydantic import JsonValue

from connectors.contract import Json, Refused, SignInFailed, Surroundings, Unreachable, VendorError
from connectors.http import Gate, RefusedWith, failure, http_client, origin, redact, retry_after
from connectors.pax8.pending import Pending
from connectors.pax8.settings import Pax8Settings

VENDOR = "pax8"
AUDIENCE = "https://api.pax8.com"
PAGE_SIZE = 200
MOST_PAGES = 500
RENEW_BEFORE = timedelta(minutes=5)
"""A token is renewed so long before it runs out."""
WRITE_FIX = (
    "In Pax8, Integrations > Developer apps, let our credentials change subscriptions (read alone is not enough), "
    "then retry."
)

_SIGN_IN_FIX = (
    "In Pax8, Integrations > Developer apps, check that our credentials still exist and are enabled, and that "
    "client_id and the secret behind client_secret in clients.yml are theirs."
)
_READ_FIX = (
    "Check company_id in clients.yml, and in Pax8, Integrations > Developer apps, that our credentials may read "
    "companies, products and subscriptions."
)


class Pax8Api:
    """One client's connection. Raises the contract's surprises only; `call` in them is 'GET /subscriptions'."""

    def __init__(self, settings: Pax8Settings, around: Surroundings) -> None:
        self.settings, self.around = settings, around
        self.pending = Pending(around.clock)
        self._client: httpx.AsyncClient | None = None
        self._token = ""
        self._good_until: datetime | None = None
        self._signing_in = asyncio.Lock()

    async def close(self) -> None:
        """Let connection and token go."""
        client, self._client, self._token = self._client, None, ""
        if client is not None:
            await client.aclose()

    async def get(self, path: str, **query: str | int) -> Json:
        """One object."""
        return await self._send("GET", path, query=query)

    async def put(self, path: str, body: Json) -> Json:
        """One change, sent once; the object as Pax8 has it now. Raises Unreachable when it may have happened."""
        return await self._send("PUT", path, body=body)

    async def get_all(self, path: str, **query: str | int) -> list[Json]:
        """Every object of a list, all pages of it, each once. Raises Unreachable where the pages do not add up."""
        call = f"GET {path}"
        found: dict[str, Json] = {}
        total = 0
        for number in range(MOST_PAGES):
            page = await self.get(path, **query, page=number, size=PAGE_SIZE)
            content = objects(call, page)
            about = page.get("page")
            counts: Json = about if isinstance(about, dict) else {}
            total = _count(counts, "totalElements")
            known = len(found)
            for place, one in enumerate(content):
                found[text(one, "id") or f"{number}:{place}"] = one
            if content and len(found) == known:
                raise Unreachable(VENDOR, call, "its pages lead in a circle")
            # What it says of its totals is not believed while a page comes full: too few pages would hide seats.
            full = len(content) >= (_count(counts, "size") or PAGE_SIZE)
            if not content or (not full and number + 1 >= _count(counts, "totalPages")):
                break
        if len(found) < total:
            raise Unreachable(VENDOR, call, f"promised {total} entries and gave {len(found)}")
        return list(found.values())

    # --- the wire

    async def _send(
        self, method: str, path: str, *, query: Mapping[str, str | int] | None = None, body: Json | None = None
    ) -> Json:
        call = f"{method} {path}"
        token = await self._bearer()
        response = await self._request(call, method, path, query, body, token)
        if response.status_code == 401:
            # Refused before anything was looked at, so nothing can have happened: once more, signed in anew.
            self._forget(token)
            response = await self._request(call, method, path, query, body, await self._bearer())
        if not response.is_success:
            raise self._refusal(call, response)
        return _object(call, response)

    async def _request(
        self,
        call: str,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None,
        body: Json | None,
        token: str = "",
    ) -> httpx.Response:
        if self._client is None:
            gate = Gate(VENDOR, self.around, [origin(self.settings.base_url)], patience=self.settings.patience)
            self._client = http_client(gate)
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            return await self._client.request(
                method, self.settings.base_url + quote(path), params=query, json=body, headers=headers
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(VENDOR, call, redact(f"no answer ({type(error).__name__})")) from error

    def _refusal(self, call: str, response: httpx.Response) -> VendorError:
        code, said = _said(response)
        changes = not call.startswith("GET ")
        fix = {401: _SIGN_IN_FIX, 403: WRITE_FIX if changes else _READ_FIX}.get(response.status_code, "")
        wait = retry_after(response.headers.get("retry-after"), self.around.clock.now())
        return failure(VENDOR, call, response.status_code, code, said, fix=fix, wait=wait)

    # --- signing in

    async def _bearer(self) -> str:
        async with self._signing_in:
            now = self.around.clock.now()
            if not self._token or self._good_until is None or now >= self._good_until:
                self._token, lasts = await self._sign_in()
                self._good_until = now + max(timedelta(seconds=lasts) - RENEW_BEFORE, timedelta(seconds=lasts / 2))
            return self._token

    def _forget(self, token: str) -> None:
        """Unless somebody else has signed in anew meanwhile."""
        if token == self._token:
            self._token = ""

    async def _sign_in(self) -> tuple[str, float]:
        call = "POST /token"
        body: Json = {
            "client_id": self.settings.client_id,
            "client_secret": self.around.secret(self.settings.client_secret),
            "audience": AUDIENCE,
            "grant_type": "client_credentials",
        }
        response = await self._request(call, "POST", "/token", None, body)
        if response.status_code in (400, 401, 403):
            # What it says is told by its code alone: a careless error page quotes what was sent.
            raise SignInFailed(
                VENDOR, call, f"our credentials were not accepted ({response.status_code})", _SIGN_IN_FIX
            )
        if not response.is_success:
            raise self._refusal(call, response)
        answer = _object(call, response)
        token = text(answer, "access_token")
        if not token:
            raise Unreachable(VENDOR, call, "the answer has no token")
        return token, float(number_of(answer, "expires_in") or 60)


# --- what answers are made of -------------------------------------------------------------------


def text(record: Json, name: str) -> str:
    """A text field; empty when it is absent, null or something else."""
    value = record.get(name)
    return value if isinstance(value, str) else ""


def number_of(record: Json, name: str) -> Decimal | None:
    """A number as it was written, never by way of a float; None when absent or none."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def objects(call: str, page: Json) -> list[Json]:
    """What a list holds."""
    content = page.get("content")
    if not isinstance(content, list):
        raise Unreachable(VENDOR, call, "the answer has no list of entries")
    return [one for one in content if isinstance(one, dict)]


def _count(counts: Json, name: str) -> int:
    return int(number_of(counts, name) or 0)


def _object(call: str, response: httpx.Response) -> Json:
    try:
        found: object = json.loads(response.content, parse_float=str, parse_constant=str)
    except ValueError as error:
        raise Unreachable(VENDOR, call, "the answer is not JSON") from error
    if not isinstance(found, dict):
        raise Unreachable(VENDOR, call, "the answer is not an object")
    return cast("Json", found)


def _said(response: httpx.Response) -> tuple[str, str]:
    """Kind and sentences of an error: {type, message, details: [{message}]}, or {errors: ["…"]}."""
    try:
        found: object = json.loads(response.content)
    except ValueError:
        return "", ""
    if not isinstance(found, dict):
        return "", ""
    error = cast("Json", found)
    said = [text(error, "message"), *_messages(error.get("details")), *_messages(error.get("errors"))]
    said += [text(error, "error_description")]
    kind = text(error, "type") or text(error, "error")
    return kind, "; ".join(dict.fromkeys(one for one in said if one))


def _messages(listed: JsonValue | None) -> list[str]:
    if not isinstance(listed, list):
        return []
    return [one if isinstance(one, str) else text(one, "message") if isinstance(one, dict) else "" for one in listed]


def is_missing(error: Refused) -> bool:
    """Whether Pax8 says that there is no such thing."""
    return isinstance(error, RefusedWith) and error.status == 404
