"""The one way out to vendors over http: limits, repeats of reads, hosts, time limits, and no secrets in words.

`Gate` lies under every vendor's httpx client, `http_client` builds one, `failure` turns an answer into
the contract's surprises, and `redact` keeps tokens and passwords out of messages and logs.
"""

from __future__ import annotations

import asyncio
import email.utils
import functools
import logging
import math
import re
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx

from connectors.contract import Refused, SignInFailed, Surroundings, Throttled, Unreachable, VendorError

CONNECT_SECONDS = 5.0
PATIENCE_SECONDS = 20.0
DEFAULT_RETRY_AFTER = 5.0
MOST_RETRY_AFTER = 3600.0
REPEATS = 2
WORTH_WAITING = 2.0

Origin = tuple[str, str, int | None]

_READS = frozenset({"GET", "HEAD"})
_TOLD_TO_WAIT = frozenset({429, 503})
_REPEATABLE = frozenset({429, 503, 504})
# The connection could not be made or broke before an answer: for a read, the next one may do.
_BROKEN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.RemoteProtocolError)

_SECRET = re.compile(
    r"""(?ix)
    (?P<keep>
        bearer\s+
      | ["']?\b(?:access_token|refresh_token|id_token|client_secret|client_assertion|assertion|temporaryaccesspass
          |authorization|api[_-]?key|new_?password|password|passwd|pwd|secret)\b["']?\s*[:=]\s*["']?
    )
    (?!bearer\s)[^\s"'&,;}]+
    | \beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?
    | (?P<pem>-----BEGIN[^-]+PRIVATE\ KEY-----).*?(?:-----END[^-]+-----|\Z)
    """,
    re.DOTALL,
)


def redact(text: str) -> str:
    """The text without tokens, passwords, secrets and private keys."""
    return _SECRET.sub(lambda found: (found["keep"] or "") + "***", text)


class _Redacting(logging.Filter):
    """Rewrites a log record before anybody formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        return True


_LOUD = (
    "httpx",
    "httpcore",
    "hpack",
    "msal",
    "urllib3",
    "azure.core.pipeline.policies.http_logging_policy",
    "azure.identity",
    "azure.identity.aio",
)


@functools.cache
def quiet_loggers() -> None:
    """Keep vendor libraries from logging URLs and headers, which carry names and tokens. Safe to repeat."""
    for name in _LOUD:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.addFilter(_Redacting())


class RefusedWith(Refused):
    """A refusal together with the vendor's own status and code, for a connector to branch on."""

    def __init__(self, vendor: str, call: str, message: str, fix: str, status: int, code: str) -> None:
        self.status, self.code = status, code
        super().__init__(vendor, call, message, fix)


def retry_after(value: str | None, now: datetime) -> float:
    """Seconds to wait from a Retry-After header (seconds or an http date); 5 when absent or unreadable."""
    if value is None:
        return DEFAULT_RETRY_AFTER
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return DEFAULT_RETRY_AFTER
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - now).total_seconds()
    if math.isnan(seconds):
        return DEFAULT_RETRY_AFTER
    return min(max(0.0, seconds), MOST_RETRY_AFTER)


def failure(
    vendor: str,
    call: str,
    status: int,
    code: str = "",
    message: str = "",
    *,
    fix: str = "",
    wait: float = DEFAULT_RETRY_AFTER,
) -> VendorError:
    """What an answer other than 2xx means to us.

    429 and 503: asked to wait, nothing happened. 408, 500, 502, 504 and other 5xx: it may have happened.
    401: our sign-in is not accepted. Everything else: understood, and the answer is no.
    """
    if status in _TOLD_TO_WAIT:
        return Throttled(vendor, call, wait)
    said = redact(": ".join(part for part in (code, message) if part)) or "no reason given"
    if status == 408 or status >= 500:
        return Unreachable(vendor, call, f"answered {status} ({said}), so it may or may not have happened")
    if status == 401:
        return SignInFailed(vendor, call, f"our sign-in was not accepted ({said})", fix)
    return RefusedWith(vendor, call, f"answered {status} ({said})", fix, status, code)


def origin(url: str | httpx.URL) -> Origin:
    """Scheme, host and port of a URL, for comparing."""
    parsed = httpx.URL(url)
    return parsed.scheme, parsed.host, parsed.port or {"https": 443, "http": 80}.get(parsed.scheme)


class Gate(httpx.AsyncBaseTransport):
    """Under one vendor's httpx client for one client of ours.

    Every request waits for its turn. Reads (GET, HEAD) are repeated at most twice, when the connection
    broke or the vendor answered 429, 503 or 504, and only when the wait is 2 seconds or less. Writes are
    never repeated: the engine does that, after looking. Raises Unreachable when there was no usable
    answer, Throttled while the vendor wants a pause, Refused when an answer points at a foreign host.
    """

    def __init__(
        self,
        vendor: str,
        around: Surroundings,
        origins: Iterable[Origin],
        *,
        inner: httpx.AsyncBaseTransport | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._vendor, self._around = vendor, around
        self._origins = frozenset(origins)
        self._inner = inner or httpx.AsyncHTTPTransport(verify=_ssl_context(around.ca_file))
        self._patience = patience

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path}"
        self._check(call, request.url)
        repeats = REPEATS if request.method in _READS else 0
        for attempt in range(repeats + 1):
            last = attempt == repeats
            await self._around.limiter.turn(self._vendor, self._around.client)
            try:
                response = await self._once(call, request)
            except _BROKEN as broken:
                if last:
                    raise self._unreachable(call, broken) from broken
                await self._around.clock.sleep(0.2 * (attempt + 1))
                continue
            except httpx.TransportError as broken:
                raise self._unreachable(call, broken) from broken
            wait = await self._told_to_wait(response)
            if last or response.status_code not in _REPEATABLE or wait > WORTH_WAITING:
                return response
            if not wait:
                await self._around.clock.sleep(0.2 * (attempt + 1))
        raise AssertionError("the last attempt returns or raises")

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _once(self, call: str, request: httpx.Request) -> httpx.Response:
        """One attempt, body included: an answer that stops half-way is no answer."""
        try:
            async with asyncio.timeout(self._patience):
                response = await self._inner.handle_async_request(request)
                await response.aread()
        except TimeoutError as late:
            raise self._unreachable(call, late, f"no answer within {self._patience:g} s") from late
        if location := response.headers.get("location"):
            self._check(call, request.url.join(location))
        return response

    async def _told_to_wait(self, response: httpx.Response) -> float:
        if response.status_code not in _TOLD_TO_WAIT:
            return 0.0
        wait = retry_after(response.headers.get("retry-after"), self._around.clock.now())
        await self._around.limiter.pause(self._vendor, self._around.client, wait)
        return wait

    def _check(self, call: str, url: httpx.URL) -> None:
        """A token must never travel to a host that an answer made up."""
        if origin(url) not in self._origins:
            raise Refused(
                self._vendor,
                call,
                f"was pointed at {url.scheme}://{url.host}, which is not the vendor's address",
                "Check base_url in clients.yml; if that is right, tell the developers.",
            )

    def _unreachable(self, call: str, cause: Exception, said: str = "") -> Unreachable:
        return Unreachable(self._vendor, call, redact(said or f"no answer ({type(cause).__name__}: {cause})"))


def http_client(gate: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    """A client over that gate, or over what lies on it: no cookies kept, no proxy settings read, no redirects."""
    quiet_loggers()
    return httpx.AsyncClient(
        transport=gate,
        timeout=httpx.Timeout(PATIENCE_SECONDS, connect=CONNECT_SECONDS),
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        trust_env=False,
    )


@functools.cache
def _ssl_context(ca_file: Path | None) -> ssl.SSLContext:
    """Building one costs 50 ms, and nothing in it belongs to a client; connections are never shared."""
    context = httpx.create_ssl_context()
    if ca_file:
        context.load_verify_locations(cafile=str(ca_file))
    return context
