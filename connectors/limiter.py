"""The one gate every vendor request passes: a rate per vendor and client or provider, and pauses a vendor asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from aiolimiter import AsyncLimiter

from connectors.contract import Clock, Throttled

WORTH_WAITING = 2.0
"""Seconds a caller waits in place; a longer pause goes back to the engine, which has other work."""


@dataclass(frozen=True)
class Rate:
    """So many requests in so many seconds, counted per vendor and client."""

    requests: float
    seconds: float
    shared: bool = False
    """The vendor counts all clients of the MSP together, and its pauses are for all of them."""


EVERYBODY = ""
UNKNOWN_RATE = Rate(20, 1)
RATES: Mapping[str, Rate] = {
    # Entra directory: 3,500 resource units per 10 s for an app in a small tenant, a request costs 1-3
    # (Microsoft Graph throttling limits, read 2026-11); a third of it leaves room for others.
    "microsoft365": Rate(400, 10),
    # "1,000 successful calls a minute" (Pax8's staff, 2026-11), for all clients of one provider together.
    "pax8": Rate(300, 60, shared=True),
    # Trouble above some 1,000 a minute (ConnectWise Developer Guide, read 2026-11), likewise for all clients together.
    "connectwise": Rate(300, 60, shared=True),
    # Nobody publishes what Exchange allows over this address. A leaver is some hundred cmdlets within seconds and
    # then none: room for one of them at once, refilled slowly (our own judgement, 2026-11).
    "exchange": Rate(100, 10),
}


class PauseStore(Protocol):
    """Until when a vendor asked us to wait. In memory for one process, in the database for several."""

    async def until(self, vendor: str, client: str) -> datetime | None:
        """When the pause ends, UTC; None when there is none."""
        ...

    async def extend(self, vendor: str, client: str, until: datetime) -> None:
        """Pause at least until then; never shortens a longer pause."""
        ...


class MemoryPauses:
    """Pauses for a single process."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], datetime] = {}

    async def until(self, vendor: str, client: str) -> datetime | None:
        return self._until.get((vendor, client))

    async def extend(self, vendor: str, client: str, until: datetime) -> None:
        known = self._until.get((vendor, client))
        self._until[vendor, client] = max(known, until) if known else until


class VendorLimiter:
    """The contract's Limiter. One instance serves one event loop.

    Waiting for a free place in the rate runs on the loop's own time; pauses run on the injected clock.
    """

    def __init__(self, clock: Clock, pauses: PauseStore | None = None, rates: Mapping[str, Rate] = RATES) -> None:
        self._clock = clock
        self._pauses: PauseStore = pauses or MemoryPauses()
        self._rates = rates
        self._buckets: dict[tuple[str, str], AsyncLimiter] = {}

    async def turn(self, vendor: str, client: str) -> None:
        """Wait for a free place. Raises Throttled while the vendor asked for a longer pause."""
        await self._bucket(vendor, client).acquire()
        # Looked at after the wait, and again after sleeping: meanwhile another request may have been told off.
        while (left := await self._left(vendor, client)) > 0:
            if left > WORTH_WAITING:
                raise Throttled(vendor, "our own gate", left)
            await self._clock.sleep(left)

    async def pause(self, vendor: str, client: str, seconds: float) -> None:
        """Let nobody through for so many seconds: the vendor said so."""
        until = self._clock.now() + timedelta(seconds=max(0.0, seconds))
        await self._pauses.extend(vendor, self._whose(vendor, client), until)

    async def _left(self, vendor: str, client: str) -> float:
        until = await self._pauses.until(vendor, self._whose(vendor, client))
        return (until - self._clock.now()).total_seconds() if until else 0.0

    def _bucket(self, vendor: str, client: str) -> AsyncLimiter:
        key = (vendor, self._whose(vendor, client))
        known = self._buckets.get(key)
        if known is None:
            rate = self._rates.get(vendor, UNKNOWN_RATE)
            known = self._buckets[key] = AsyncLimiter(rate.requests, rate.seconds)
        return known

    def _whose(self, vendor: str, client: str) -> str:
        """For whom the vendor counts: that client, or everybody."""
        return EVERYBODY if self._rates.get(vendor, UNKNOWN_RATE).shared else client
