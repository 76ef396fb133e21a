"""The Bot Connector's side of trust: signs what people do, names its keys, and gives the bot its token.

learn.microsoft.com, "Authentication with the Bot Connector API" (read 2026-11-26): the OpenID document names the keys,
each key its endorsements, and a token says issuer, audience and service URL.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import JsonValue

Json = dict[str, JsonValue]

ISSUER = "https://api.botframework.com"
CHANNEL = "msteams"
SCOPE = "https://api.botframework.com/.default"
LIVES = 3_600


class Signer:
    """One RSA key at a time, as the Bot Connector signs with it; earlier ones are forgotten."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.endorsements: list[str] = [CHANNEL]
        self.rotate()

    def rotate(self) -> None:
        """From now on another key, of another name."""
        self._key = rsa.generate_private_key(65537, 2048)
        self.key_id = secrets.token_hex(8)

    def keys(self) -> Json:
        """The document that names them."""
        public = self._key.public_key().public_numbers()
        key: Json = {"kty": "RSA", "use": "sig", "kid": self.key_id, "n": _number(public.n), "e": _number(public.e)}
        return {"keys": [{**key, "endorsements": [*self.endorsements]}]}

    def token(self, audience: str, service_url: str, **changed: JsonValue) -> str:
        """A token for that bot; `changed` claims make it one that must be refused, None takes a claim out."""
        now = int(self._now())
        claims: Json = {"iss": ISSUER, "aud": audience, "serviceurl": service_url, "nbf": now - 5, "exp": now + LIVES}
        claims |= changed
        return self.sign({name: value for name, value in claims.items() if value is not None})

    def sign(self, claims: Json, header: Json | None = None) -> str:
        """Any claims, under any header."""
        head: Json = {"typ": "JWT", "alg": "RS256", "kid": self.key_id} | (header or {})
        signed = f"{_part(head)}.{_part(claims)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_text(signature)}"


class TokenOffice:
    """Entra as far as the bot meets it: over TLS on localhost, by an authority made at the start."""

    def __init__(self, app_id: str, tenant: str, secret: str) -> None:
        self._app_id, self._tenant, self._secret = app_id, tenant, secret
        self.given: list[str] = []
        """Every token given, oldest first."""
        self.asked: list[dict[str, str]] = []
        """Every form posted, secrets left out."""
        self.refuses = ""
        """An AADSTS code to answer instead."""
        self.seconds = 0.0
        """How long an answer takes."""
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, folder: Path) -> Path:
        """Listen; answers the authority's file, which the bot must trust."""
        import trustme

        authority = trustme.CA()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(context)
        ca_file = folder / "teams-authority.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        app = web.Application()
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._give)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.url = f"https://localhost:{self._runner.addresses[0][1]}"
        return ca_file

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner:
            await self._runner.cleanup()

    async def _give(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append({name: value for name, value in form.items() if name != "client_secret"})
        await asyncio.sleep(self.seconds)
        # A certificate's assertion is taken as it is: what is tested with it is that the bot makes one.
        proved = form.get("client_secret") == self._secret or bool(form.get("client_assertion"))
        code = self.refuses or ("" if proved else "7000215")
        if code or request.match_info["tenant"] != self._tenant or form.get("client_id") != self._app_id:
            error = {"error": "invalid_client", "error_description": f"AADSTS{code or '700016'}: No."}
            return web.json_response(error, status=401)
        if form.get("scope") != SCOPE:
            return web.json_response({"error": "invalid_scope", "error_description": "AADSTS70011: No."}, status=400)
        self.given.append(f"bot-token-{secrets.token_hex(8)}")
        return web.json_response({"token_type": "Bearer", "expires_in": LIVES, "access_token": self.given[-1]})


def refusal(status: int, code: str, retry_after: str = "") -> web.Response:
    """How the Bot Connector says no."""
    headers = {"Retry-After": retry_after} if retry_after else {}
    body: Json = {"error": {"code": code, "message": "No."}}
    if code == "MessageWritesBlocked":
        # The one code Microsoft shows in another shape ("Proactive messages", learn.microsoft.com).
        body = {"errorCode": 209, "message": json.dumps({"subCode": code, "details": "Thread is not present"})}
    return web.json_response(body, status=status, headers=headers)


def _part(value: Json) -> str:
    return _text(json.dumps(value).encode())


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8))


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
