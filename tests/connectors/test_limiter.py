"""The gate's pauses and rates."""

from __future__ import annotations

import asyncio

import pytest

from connectors.contract import Throttled
from connectors.limiter import MemoryPauses, Rate, VendorLimiter
from tests.connectors.conftest import MovedClock


async def test_without_a_pause_nobody_waits() -> None:
    clock = MovedClock()
    await VendorLimiter(clock).turn("acme", "contoso")
    assert clock.slept == []


async def test_a_short_pause_is_slept_through() -> None:
    clock = MovedClock()
    limiter = VendorLimiter(clock)
    await limiter.pause("acme", "contoso", 1.5)
    await limiter.turn("acme", "contoso")
    assert clock.slept == [1.5]


async def test_a_long_pause_goes_back_to_the_caller_with_what_is_left() -> None:
    clock = MovedClock()
    limiter = VendorLimiter(clock)
    await limiter.pause("acme", "contoso", 30)
    clock.pass_by(10)
    with pytest.raises(Throttled) as told:
        await limiter.turn("acme", "contoso")
    assert told.value.retry_after == 20
    assert clock.slept == []
    clock.pass_by(20)
    await limiter.turn("acme", "contoso")


async def test_a_pause_is_never_shortened_by_a_later_shorter_one() -> None:
    limiter = VendorLimiter(MovedClock())
    await limiter.pause("acme", "contoso", 30)
    await limiter.pause("acme", "contoso", 1)
    with pytest.raises(Throttled):
        await limiter.turn("acme", "contoso")


async def test_a_pause_holds_for_that_vendor_and_client_alone() -> None:
    clock = MovedClock()
    limiter = VendorLimiter(clock)
    await limiter.pause("acme", "contoso", 30)
    await limiter.turn("acme", "fabrikam")
    await limiter.turn("other", "contoso")
    assert clock.slept == []


async def test_two_limiters_over_one_store_pause_together() -> None:
    clock, store = MovedClock(), MemoryPauses()
    await VendorLimiter(clock, store).pause("acme", "contoso", 30)
    with pytest.raises(Throttled):
        await VendorLimiter(clock, store).turn("acme", "contoso")


async def test_more_requests_than_the_rate_allows_must_wait() -> None:
    limiter = VendorLimiter(MovedClock(), rates={"acme": Rate(2, 60)})
    await limiter.turn("acme", "contoso")
    await limiter.turn("acme", "contoso")
    await limiter.turn("acme", "fabrikam")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await limiter.turn("acme", "contoso")


async def test_what_a_vendor_counts_for_all_clients_together_is_paused_for_all_of_them() -> None:
    limiter = VendorLimiter(MovedClock())
    await limiter.pause("pax8", "contoso", 30)
    with pytest.raises(Throttled):
        await limiter.turn("pax8", "fabrikam")


async def test_what_a_vendor_counts_for_all_clients_together_is_one_rate() -> None:
    limiter = VendorLimiter(MovedClock(), rates={"shared": Rate(2, 60, shared=True), "own": Rate(2, 60)})
    for vendor, waits in (("own", False), ("shared", True)):
        await limiter.turn(vendor, "contoso")
        await limiter.turn(vendor, "fabrikam")
        third = asyncio.create_task(limiter.turn(vendor, "initech"))
        await asyncio.sleep(0.05)
        assert third.done() is not waits
        third.cancel()
