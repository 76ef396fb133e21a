"""The sample provider's distributor and service desk, simulated: what Contoso has bought, and what it is invoiced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from connectors.connectwise.simulated_records import PRIVATE_KEY, PUBLIC_KEY
from connectors.connectwise.simulator import SimulatedConnectWise
from connectors.contract import Json
from connectors.microsoft365.simulated_people import Tenant
from connectors.microsoft365.simulated_things import E3, POWER_BI
from connectors.pax8 import simulated_company as bought
from connectors.pax8.simulated_company import SimulatedSubscription
from connectors.pax8.simulator import SECRET, SimulatedPax8

SECRETS: Mapping[str, str] = {
    "env/PAX8_SECRET": SECRET,
    "env/CONNECTWISE_PUBLIC": PUBLIC_KEY,
    "env/CONNECTWISE_PRIVATE": PRIVATE_KEY,
}
"""What the references in `systems` stand for."""
PRODUCTS: Mapping[str, str] = {bought.E3: E3, bought.POWER_BI: POWER_BI}
"""What the distributor sells Contoso at the start: subscription → product."""
LINES: tuple[Json, ...] = (
    {"product": "M365-E3", "kind": "licence", "part_number": "SPE_E3"},
    {"product": "MS-USER", "kind": "user", "minimum": 30},
)


class Paperwork:
    """Both stand-ins, and what ties them to Contoso's directory."""

    def __init__(self, contoso: Tenant, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._contoso = contoso
        self.pax8 = SimulatedPax8(now=now, sold=self._sold)
        self.connectwise = SimulatedConnectWise(now=now)
        self.lines = LINES
        """The agreement's lines as clients.yml names them."""
        self.products: dict[str, str] = {}
        """Subscription at the distributor → the product it is in Contoso's Microsoft 365."""
        for subscription, sku in PRODUCTS.items():
            self.sells(subscription, sku)
        for one in self.pax8.subscriptions.values():
            if one.committed_until is not None:
                # An end near midnight would be another day where the client lives.
                one.committed_until = one.committed_until.replace(hour=12, minute=0, second=0, microsecond=0)
                one.history = [one.record(one.started, stale=False)]

    async def start(self) -> None:
        """Listen on loopback."""
        await self.pax8.start()
        await self.connectwise.start()

    async def stop(self) -> None:
        """Stop listening."""
        await self.pax8.stop()
        await self.connectwise.stop()

    def systems(self) -> dict[str, Json]:
        """What clients.yml would say under `systems` for Contoso."""
        return {"pax8": self.pax8.settings(), "connectwise": {**self.connectwise.settings(), "lines": [*self.lines]}}

    def sells(self, subscription: str, sku: str) -> None:
        """That product comes from this subscription, and all its seats are in use."""
        self.products[subscription] = sku
        product = self._contoso.products[sku]
        product.bought = self.pax8.subscriptions[subscription].quantity
        # Nobody pays for idle seats here: whoever is not simulated has the rest.
        product.used = product.bought - self._contoso.holders(sku)

    def _sold(self, subscription: SimulatedSubscription) -> None:
        """Microsoft counts as bought what the distributor sells."""
        sku = self.products.get(subscription.id)
        if sku is not None:
            self._contoso.products[sku].bought = subscription.quantity
