"""Lets nothing in that the Bot Connector did not sign for this bot: whatever is wrong with a token, it is a 401.

botframework-connector checks signature and lifetime. What it leaves open is closed here: it would take tokens of other
issuers without looking whom they are for, fails with exceptions of every kind, knows keys for a day however they
changed, and fetches them by blocking the event loop (botframework-connector 4.17.1, read in source). What must hold is
in Microsoft's "Authentication with the Bot Connector API" (learn.microsoft.com, read 2026-11-26).
"""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

import aiohttp
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

log = logging.getLogger("offboard.teams")

ISSUER = "https://api.botframework.com"
"""The only one whose tokens count. Others – the SDK knows nine – are for emulators and for bots calling bots."""
CHANNEL = "msteams"
ALGORITHM = "RS256"
LEEWAY = 300
"""Seconds two clocks may differ."""
KEYS_LAST = 24 * 3600.0
KEYS_LAST_AT_MOST = 72 * 3600.0
"""Seconds keys are used while new ones can't be fetched."""
NOT_SOONER = 60.0
"""Seconds between two fetches, however many tokens name a key nobody knows."""
AGAIN = 3.0
"""The same while there are no keys to go by at all."""
LONGEST_TOKEN = 8_192
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
UNUSABLE = (aiohttp.ClientError, TimeoutError, LookupError, ValueError, TypeError)
"""How fetching keys fails."""


class NotAdmitted(Exception):
    """Why a request is nobody's: for the log alone, in words that quote nothing of it."""


class Gate(Protocol):
    """Decides whether a request comes from the Bot Connector."""

    async def admit(self, authorization: str) -> Claims:
        """What its token says. Raises NotAdmitted."""
        ...


@dataclass(frozen=True)
class Claims:
    """What a verified token says; the service URL is the only one the request may speak of."""

    app_id: str
    service_url: str | None
    """None: nobody vouches for any."""


class TokenGate:
    """The gate in production: signature, issuer, audience, lifetime, endorsement."""

    def __init__(self, app_id: str, keys: Keys) -> None:
        from botframework.connector.auth import VerifyOptions
        from botframework.connector.auth.jwt_token_extractor import JwtTokenExtractor

        self._app_id = app_id
        options = VerifyOptions(issuer=[ISSUER], audience=None, clock_tolerance=LEEWAY, ignore_expiration=False)
        # Used directly: the SDK's own entrance takes tokens of emulators and skills first, whoever they are for.
        self._extractor = JwtTokenExtractor(options, keys.address, [ALGORITHM])
        self._extractor.open_id_metadata = keys  # type: ignore[assignment] - the same two attributes, fetched better

    async def admit(self, authorization: str) -> Claims:
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or not 0 < len(token) <= LONGEST_TOKEN:
            raise NotAdmitted("there is no token")
        try:
            identity = await self._extractor.get_identity("Bearer", token, CHANNEL, [])
            found = cast("object", identity.claims) if identity else None
        except Exception as error:  # noqa: BLE001 - a bad token breaks the SDK in many ways, and is refused in each
            raise NotAdmitted(type(error).__name__) from None
        claims = cast("Mapping[str, object]", found if isinstance(found, dict) else {})
        if claims.get("iss") != ISSUER:
            raise NotAdmitted("it is issued by somebody else")
        if claims.get("aud") != self._app_id:
            raise NotAdmitted("it is for another bot")
        service_url = claims.get("serviceurl")
        if not isinstance(claims.get("exp"), int) or not isinstance(service_url, str) or not service_url:
            raise NotAdmitted("it has no end, or names no service URL")
        return Claims(self._app_id, service_url)


class OpenGate:
    """No gate at all, for the Playground on this machine; whoever starts it so has asked for it by name."""

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id

    async def admit(self, authorization: str) -> Claims:
        return Claims(self._app_id, None)


@dataclass(frozen=True)
class Key:
    """One of the Bot Connector's keys, as the SDK asks for it."""

    public_key: RSAPublicKey
    endorsements: list[str]


class Keys:
    """The Bot Connector's keys: fetched beside everything else, one fetch at a time, and again when they change."""

    def __init__(
        self,
        address: str,
        session: Callable[[], aiohttp.ClientSession],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`address`: the OpenID document; `session` is asked for at the first fetch."""
        self.address = address
        self._session, self._now = session, now
        self._known: dict[str, Key] = {}
        self._read_at = self._tried_at = -KEYS_LAST_AT_MOST
        self._one_at_a_time = asyncio.Lock()

    async def prepare(self) -> None:
        """Fetch them before the first request needs them; a failure is logged, and tried again then."""
        await self._renew("")

    async def get(self, key_id: object) -> Key:
        """That key, if it is one for Teams. Raises NotAdmitted."""
        name = str(key_id)
        if self._now() - self._read_at > KEYS_LAST or name not in self._known:
            await self._renew(name)
        key = self._known.get(name) if self._now() - self._read_at < KEYS_LAST_AT_MOST else None
        if key is None:
            raise NotAdmitted("nobody knows its key")
        if CHANNEL not in key.endorsements:
            # The SDK lets a key without any endorsement sign for every channel.
            raise NotAdmitted("its key is not for Teams")
        return key

    async def _renew(self, wanted: str) -> None:
        async with self._one_at_a_time:
            fresh = self._now() - self._read_at <= KEYS_LAST
            if (fresh and wanted in self._known) or self._now() - self._tried_at < (NOT_SOONER if fresh else AGAIN):
                return
            self._tried_at = self._now()
            try:
                self._known = await self.fetch()
                self._read_at = self._now()
            except UNUSABLE as error:
                # What was known goes on counting for a while: a short outage must not make the bot deaf.
                log.error("the Bot Connector's keys could not be fetched: %s", type(error).__name__)

    async def fetch(self) -> dict[str, Key]:
        """Those of this moment, by their ids; what is known stays as it is. Raises what UNUSABLE names."""
        address = str((await self._json(self.address))["jwks_uri"])
        if not _safe(address, self.address):
            raise ValueError("the keys lie at an address that is not safe")
        keys = cast("list[Mapping[str, object]]", (await self._json(address))["keys"])
        return {str(key["kid"]): _key(key) for key in keys if key.get("kty") == "RSA"}

    async def _json(self, address: str) -> Mapping[str, object]:
        async with self._session().get(address, allow_redirects=False) as answer:
            if answer.status != 200:
                raise ValueError(f"HTTP {answer.status}")
            body: object = await answer.json(content_type=None)
        if not isinstance(body, dict):
            raise TypeError("no block of keys")
        return cast("Mapping[str, object]", body)


def _safe(address: str, document: str) -> bool:
    """Over TLS; in the lab, on the very host of the document."""
    return address.startswith("https://") or urlsplit(address).netloc == urlsplit(document).netloc


def _key(key: Mapping[str, object]) -> Key:
    numbers = RSAPublicNumbers(e=_number(key["e"]), n=_number(key["n"]))
    endorsements = key.get("endorsements")
    said = cast("list[object]", endorsements) if isinstance(endorsements, list) else []
    return Key(numbers.public_key(), [str(one) for one in said])


def _number(value: object) -> int:
    written = str(value)
    return int.from_bytes(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)))


def serves(service_url: str, hosts: frozenset[str]) -> bool:
    """Whether our token may travel there: a host of the list, over TLS; one on this machine only when it is named."""
    try:
        parts = urlsplit(service_url)
        netloc, host = parts.netloc.lower(), parts.hostname
        _ = parts.port
    except ValueError:
        return False
    if netloc not in hosts or parts.query or parts.fragment or set(parts.path) & set("{}\\"):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
