"""The way out to vendors, against a small server that answers by script."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest
from aiohttp import web

from connectors.contract import Refused, SignInFailed, Surroundings, Throttled, Unreachable
from connectors.http import Gate, RefusedWith, failure, http_client, origin, quiet_loggers, redact, retry_after
from connectors.limiter import VendorLimiter
from tests.connectors.conftest import MovedClock

NOW = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


@dataclass
class Script:
    """What the server answers next: a status with headers, 'drop' the connection, or 'hang'."""

    next: list[tuple[int | str, dict[str, str]]] = field(default_factory=list[tuple[int | str, dict[str, str]]])
    seen: list[web.Request] = field(default_factory=list[web.Request])

    def will(self, *answers: int | str | tuple[int, dict[str, str]]) -> None:
        self.next = [answer if isinstance(answer, tuple) else (answer, {}) for answer in answers]

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        status, headers = self.next.pop(0) if self.next else (200, {})
        if status == "drop":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if status == "hang":
            await asyncio.sleep(5)
        return web.Response(status=status if isinstance(status, int) else 200, headers=headers, text="{}")


@dataclass
class Vendor:
    script: Script
    url: str
    clock: MovedClock
    limiter: VendorLimiter
    gate: Gate
    client: httpx.AsyncClient

    def other(self, client: str) -> httpx.AsyncClient:
        return http_client(Gate("acme", _around(self.clock, self.limiter, client), [origin(self.url)]))


def _around(clock: MovedClock, limiter: VendorLimiter, client: str = "contoso") -> Surroundings:
    return Surroundings(client, clock, limiter, lambda name: name, lambda: "")


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    script, clock = Script(), MovedClock()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    limiter = VendorLimiter(clock)
    gate = Gate("acme", _around(clock, limiter), [origin(url)], patience=0.1)
    async with http_client(gate) as client:
        yield Vendor(script, url, clock, limiter, gate, client)
    await runner.cleanup()


async def test_a_read_is_repeated_after_a_broken_connection(vendor: Vendor) -> None:
    vendor.script.will("drop", "drop", 200)
    assert (await vendor.client.get(vendor.url)).status_code == 200
    assert len(vendor.script.seen) == 3


async def test_a_read_gives_up_after_three_attempts(vendor: Vendor) -> None:
    vendor.script.will("drop", "drop", "drop", 200)
    with pytest.raises(Unreachable, match="acme: GET /people"):
        await vendor.client.get(f"{vendor.url}/people?name=Jane")
    assert len(vendor.script.seen) == 3


@pytest.mark.parametrize("trouble", ["drop", 429, 503, 504, 500, 502])
async def test_a_write_is_sent_once_whatever_happens(vendor: Vendor, trouble: int | str) -> None:
    vendor.script.will((trouble, {"Retry-After": "1"}) if isinstance(trouble, int) else trouble, 200)
    if trouble == "drop":
        with pytest.raises(Unreachable):
            await vendor.client.post(vendor.url)
    else:
        assert (await vendor.client.post(vendor.url)).status_code == trouble
    assert len(vendor.script.seen) == 1


async def test_a_read_told_to_wait_a_moment_waits_and_repeats(vendor: Vendor) -> None:
    vendor.script.will((429, {"Retry-After": "1"}), (503, {"Retry-After": "2"}), 200)
    assert (await vendor.client.get(vendor.url)).status_code == 200
    assert vendor.clock.slept == [1, 2]


async def test_told_to_wait_long_the_answer_comes_back_and_the_gate_is_shut_for_all(vendor: Vendor) -> None:
    vendor.script.will((429, {"Retry-After": "30"}), 200)
    assert (await vendor.client.get(vendor.url)).status_code == 429
    with pytest.raises(Throttled) as told:
        await vendor.client.get(vendor.url)
    assert told.value.retry_after == 30
    assert len(vendor.script.seen) == 1


async def test_told_to_wait_without_a_time_we_wait_five_seconds(vendor: Vendor) -> None:
    vendor.script.will(429)
    await vendor.client.get(vendor.url)
    with pytest.raises(Throttled) as told:
        await vendor.client.get(vendor.url)
    assert told.value.retry_after == 5


async def test_one_clients_pause_is_not_anothers(vendor: Vendor) -> None:
    vendor.script.will((429, {"Retry-After": "30"}), 200)
    await vendor.client.get(vendor.url)
    async with vendor.other("fabrikam") as other:
        assert (await other.get(vendor.url)).status_code == 200


async def test_a_gateway_timeout_on_a_read_is_repeated(vendor: Vendor) -> None:
    vendor.script.will(504, 504, 200)
    assert (await vendor.client.get(vendor.url)).status_code == 200


async def test_no_answer_in_time_is_a_surprise_and_is_not_repeated(vendor: Vendor) -> None:
    vendor.script.will("hang", 200)
    with pytest.raises(Unreachable, match=r"no answer within 0\.1 s"):
        await vendor.client.get(vendor.url)
    assert len(vendor.script.seen) == 1


async def test_a_foreign_address_is_never_asked(vendor: Vendor) -> None:
    with pytest.raises(Refused, match="not the vendor's address"):
        await vendor.client.get("http://localhost:9/people")
    with pytest.raises(Refused, match="not the vendor's address"):
        await vendor.client.get(vendor.url.replace("http:", "https:"))


async def test_an_answer_pointing_elsewhere_is_refused(vendor: Vendor) -> None:
    vendor.script.will((202, {"Location": "https://elsewhere.example/operation"}))
    with pytest.raises(Refused, match="not the vendor's address"):
        await vendor.client.post(vendor.url)
    vendor.script.will((202, {"Location": "/operation"}))
    assert (await vendor.client.post(vendor.url)).status_code == 202


async def test_cookies_are_not_kept(vendor: Vendor) -> None:
    vendor.script.will((200, {"Set-Cookie": "tenant=contoso; Path=/"}), 200)
    await vendor.client.get(vendor.url)
    await vendor.client.get(vendor.url)
    assert "Cookie" not in vendor.script.seen[1].headers


async def test_nobody_listening_is_a_surprise(vendor: Vendor) -> None:
    url = "http://127.0.0.1:1"
    gate = Gate("acme", _around(vendor.clock, vendor.limiter), [origin(url)])
    async with http_client(gate) as client:
        with pytest.raises(Unreachable, match="ConnectError"):
            await client.post(url)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("-3", 0),
        (format_datetime(NOW.replace(minute=1), usegmt=True), 60),
        (format_datetime(NOW.replace(hour=1), usegmt=True), 0),
        (None, 5),
        ("soon", 5),
        ("nan", 5),
        ("99999999", 3600),
    ],
)
def test_the_wait_is_read_from_seconds_or_a_date(value: str | None, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, Throttled),
        (503, Throttled),
        (500, Unreachable),
        (502, Unreachable),
        (504, Unreachable),
        (408, Unreachable),
        (401, SignInFailed),
        (403, RefusedWith),
        (404, RefusedWith),
        (400, RefusedWith),
        (409, RefusedWith),
    ],
)
def test_an_answer_is_told_apart_by_what_it_means_to_us(status: int, kind: type[Exception]) -> None:
    told = failure("acme", "POST /people", status, "SomeCode", "Some message.")
    assert type(told) is kind
    assert "acme: POST /people" in str(told)


def test_a_refusal_keeps_status_code_and_fix() -> None:
    told = failure("acme", "POST /people", 400, "SomeCode", "Some message.", fix="Ask them.")
    assert isinstance(told, RefusedWith)
    assert (told.status, told.code) == (400, "SomeCode")
    assert str(told) == "acme: POST /people: answered 400 (SomeCode: Some message.) Ask them."


JWT = "eyJ0eXAiOiJKV1QifQ.eyJyb2xlcyI6W119.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {JWT}", JWT),
        ("Authorization: Bearer opaque-token-123", "opaque-token-123"),
        (f"token was {JWT} here", JWT),
        ('{"passwordProfile": {"password": "Hunter2!x"}}', "Hunter2!x"),
        ("grant_type=client_credentials&client_secret=s3cr3t~value&scope=x", "s3cr3t~value"),
        ('"client_assertion":"abc.def.ghi"', "abc.def.ghi"),
        ('{"temporaryAccessPass": "TAP+1234"}', "TAP+1234"),
        ("x-api-key: api_key=deadbeef", "deadbeef"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEv\nAAAA\n-----END PRIVATE KEY-----", "MIIEv"),
    ],
)
def test_secrets_never_come_out_of_a_text(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redact(text)


def test_plain_words_are_left_alone() -> None:
    text = "Reset the password of Jane Doe; the password was changed, resetPassword is delegated only."
    assert redact(text) == text


async def test_vendor_libraries_log_no_addresses(vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    quiet_loggers()
    with caplog.at_level(logging.DEBUG):
        await vendor.client.get(f"{vendor.url}/people?$search=Jane", headers={"Authorization": f"Bearer {JWT}"})
    assert "Jane" not in caplog.text
    assert JWT not in caplog.text


def test_what_vendor_libraries_do_log_is_redacted(caplog: pytest.LogCaptureFixture) -> None:
    quiet_loggers()
    with caplog.at_level(logging.WARNING, "azure.identity"):  # the key vault's reader wants even less of it
        logging.getLogger("azure.identity").warning("failed with client_secret=%s", "s3cr3t")
    assert "s3cr3t" not in caplog.text
    assert "failed with" in caplog.text
