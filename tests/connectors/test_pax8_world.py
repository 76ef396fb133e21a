"""The simulated Pax8 beside a Microsoft that counts seats and says what the leaver holds; what its own tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest

from connectors.contract import Account, Context, Finding, Intent, Item, Json, Outcome, Read, Refused, Surroundings
from connectors.limiter import Rate, VendorLimiter
from connectors.pax8 import CONNECTOR
from connectors.pax8.client import Pax8Api
from connectors.pax8.facts import Ctx, Pax8Facts
from connectors.pax8.reduce import ReduceSeats
from connectors.pax8.settings import Pax8Settings
from connectors.pax8.simulated_company import (
    CONTOSO,
    E3,
    EXCHANGE,
    POWER_BI,
    PREMIUM,
    SimulatedSubscription,
)
from connectors.pax8.simulator import SECRET, SimulatedPax8
from tests.connectors.conftest import MovedClock

JANE = Account(system="microsoft365", id="c0000000-0000-4000-8000-0000000000a1", name="Jane Doe")
STEP = ReduceSeats()
SHRINK = {"licences": "release", "licences.seat": "shrink"}
SKUS = {E3: "sku-e3", PREMIUM: "sku-spb", POWER_BI: "sku-bi", EXCHANGE: "sku-exchange"}


@dataclass
class Product:
    """How Microsoft counts one product."""

    part_number: str
    name: str
    bought: int
    used: int


@dataclass
class Microsoft:
    """What the other system's reads answer. Releasing the leaver's licence frees a seat, unless it counts late."""

    products: dict[str, Product]
    held: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Person → skus they hold."""
    silent: str = ""
    """Not empty: it refuses every read with that."""
    groups: dict[str, str] = field(default_factory=dict[str, str])

    def read(self, person: str = "jane") -> Read:
        async def read(name: str) -> Json:
            if self.silent:
                raise Refused("microsoft365", name, self.silent, "Name it in clients.yml.")
            if name == "microsoft365.free_seats":
                return {
                    sku: {"part_number": one.part_number, "bought": one.bought, "used": one.used}
                    for sku, one in self.products.items()
                }
            assert name == "microsoft365.held_licences", name
            return {
                "licences": [
                    {
                        "sku": sku,
                        "part_number": self.products[sku].part_number,
                        "name": self.products[sku].name,
                        "group": self.groups.get(sku, ""),
                    }
                    for sku in sorted(self.held.get(person, set()))
                ]
            }

        return read

    def release(self, person: str = "jane", *, counted: bool = True) -> None:
        """Take all their licences away."""
        for sku in self.held.pop(person, set()):
            self.products[sku].used -= 1 if counted else 0

    def sold(self, subscription: SimulatedSubscription) -> None:
        """Microsoft follows what the distributor sells."""
        if subscription.id in SKUS:
            self.products[SKUS[subscription.id]].bought = subscription.quantity


def counted() -> Microsoft:
    """Every seat used, as at a client that buys one for each person."""
    return Microsoft(
        {
            "sku-e3": Product("SPE_E3", "Microsoft 365 E3 (SPE_E3)", 12, 12),
            "sku-spb": Product("SPB", "Microsoft 365 Business Premium (SPB)", 10, 10),
            "sku-bi": Product("POWER_BI_PRO", "Power BI Pro (POWER_BI_PRO)", 20, 20),
            "sku-visio": Product("VISIOCLIENT", "Visio Plan 2 (VISIOCLIENT)", 8, 8),
            "sku-exchange": Product("EXCHANGESTANDARD", "Exchange Online (Plan 1) (EXCHANGESTANDARD)", 6, 6),
            "sku-copilot": Product("Microsoft_365_Copilot", "Microsoft 365 Copilot (Microsoft_365_Copilot)", 1, 1),
            "sku-free": Product("FLOW_FREE", "Power Automate Free (FLOW_FREE)", 10000, 12),
        }
    )


@dataclass
class Distributor:
    """The simulator, Microsoft beside it, and connections."""

    simulator: SimulatedPax8
    microsoft: Microsoft
    clock: MovedClock
    secret: str = SECRET
    opened: list[Pax8Api] = field(default_factory=list[Pax8Api])

    def around(self) -> Surroundings:
        # The limiter counts real seconds; how it counts is tested with it.
        free = VendorLimiter(self.clock, rates={"pax8": Rate(100_000, 1)})
        return Surroundings("contoso", self.clock, free, lambda _: self.secret, lambda: "not needed here")

    async def connect(self, company: str = CONTOSO, **changed: object) -> Pax8Api:
        settings = Pax8Settings.model_validate({**self.simulator.settings(company), **changed})
        api = await CONNECTOR.open(settings, self.around())
        self.opened.append(api)
        return api

    def holds(self, *skus: str, person: str = "jane") -> None:
        self.microsoft.held[person] = set(skus)

    async def facts(self, api: Pax8Api | None = None, person: str = "jane") -> Pax8Facts:
        """As the engine reads them for a plan."""
        api = api or await self.connect()
        found = await CONNECTOR.find(api, JANE)
        facts = await CONNECTOR.facts(api, found[0])
        return await CONNECTOR.complete(api, facts, self.microsoft.read(person))

    async def plan(
        self,
        subscription: str,
        *,
        api: Pax8Api | None = None,
        person: str = "jane",
        choices: Mapping[str, str] | None = None,
    ) -> Ctx:
        """A step's context for somebody who holds what that subscription pays for, with facts read now."""
        api = api or await self.connect()
        self.holds(SKUS[subscription], person=person)
        facts = await self.facts(api, person)
        seat = next(one for one in facts.seats if one.subscription == subscription)
        account = Account(system="pax8", id=CONTOSO, name="Contoso Ltd")
        read, key = self.microsoft.read(person), f"{person}:{subscription}"
        return Context(api, account, facts, choices or SHRINK, self.clock, key, read, seat.name)

    def quantity(self, subscription: str) -> int:
        return self.simulator.subscriptions[subscription].quantity

    def sent(self) -> list[Json]:
        """What was sent to change something."""
        bodies = [call.body for call in self.simulator.calls if call.method == "PUT"]
        return [body for body in bodies if isinstance(body, dict)]


@dataclass
class Attempt:
    """What the engine does with one step: look, mean once, act, confirm; what was meant stays as it was."""

    ctx: Ctx
    meant: Item | None = None
    at: Intent | None = None
    reference: str = ""

    async def look(self) -> Finding:
        return await STEP.look(self.ctx)

    async def mean(self, *, shared: bool = False) -> Item:
        """Write down what is meant; a repeat keeps what was written first, and may be another leaver's as well."""
        found = await self.look()
        assert hasattr(found, "items"), found
        items: tuple[Item, ...] = getattr(found, "items", ())
        fresh = {item.key: item for item in items}
        if self.meant is None:
            (self.meant,) = fresh.values()
            self.at = Intent(f"item of {self.ctx.key}", self.ctx.clock.now())
        else:
            assert self.meant.key in fresh
            assert self.at is not None
            self.at = Intent(self.at.key, self.at.at, repeated=True, shared=shared)
        return self.meant

    async def act(self) -> None:
        assert self.meant is not None
        assert self.at is not None
        self.reference = (await STEP.act(self.ctx, self.meant, self.at)).reference

    async def confirm(self) -> Outcome:
        assert self.meant is not None
        assert self.at is not None
        return await STEP.confirm(self.ctx, self.meant, self.at, self.reference)

    async def run(self) -> Outcome:
        await self.mean()
        await self.act()
        return await self.confirm()


@pytest.fixture
async def distributor() -> AsyncIterator[Distributor]:
    clock, microsoft = MovedClock(), counted()
    async with SimulatedPax8(now=clock.now, sold=microsoft.sold) as simulator:
        distributor = Distributor(simulator, microsoft, clock)
        yield distributor
        for api in distributor.opened:
            await CONNECTOR.close(api)


async def test_the_sample_seats_are_the_ones_microsoft_counts(distributor: Distributor) -> None:
    for subscription, sku in SKUS.items():
        assert distributor.quantity(subscription) == distributor.microsoft.products[sku].bought
