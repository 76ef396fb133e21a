"""The simulated ConnectWise, connections to it, and what its own tests share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from connectors.connectwise import CONNECTOR
from connectors.connectwise.client import ConnectWiseApi
from connectors.connectwise.facts import ConnectWiseFacts, Ctx
from connectors.connectwise.settings import ConnectWiseSettings
from connectors.connectwise.simulated_records import (
    E3_LINE,
    JANE,
    PRIVATE_KEY,
    PUBLIC_KEY,
    USERS_LINE,
    Provider,
    sample_provider,
)
from connectors.connectwise.simulator import Call, SimulatedConnectWise
from connectors.contract import Account, Context, Intent, Item, Json, Outcome, Refused, Step, Surroundings, Waiting
from connectors.limiter import Rate, VendorLimiter
from tests.connectors.conftest import NEW_PASSWORD, MovedClock

AnyStep = Step[ConnectWiseApi, ConnectWiseFacts]
USERS: Json = {"product": "MS-USER", "kind": "user"}
E3: Json = {"product": "M365-E3", "kind": "licence", "part_number": "SPE_E3"}
POWER_BI: Json = {"product": "PBI-PRO", "kind": "licence", "part_number": "POWER_BI_PRO"}
LINES: list[Json] = [USERS, E3, POWER_BI]
SHRINK = {"access": "everything", "licences": "release", "licences.seat": "shrink"}
JANE_DOE = Account(system="microsoft365", id="c0", name="Jane Doe", mail="jane.doe@contoso.example")
NEWCOMER = Account(system="microsoft365", id="c9", name="Nina New", mail="nina.new@contoso.example")


@dataclass
class Desk:
    """The simulator, connections to it, and what other systems say."""

    simulator: SimulatedConnectWise
    clock: MovedClock
    keys: dict[str, str] = field(
        default_factory=lambda: {"env/CONNECTWISE_PUBLIC": PUBLIC_KEY, "env/CONNECTWISE_PRIVATE": PRIVATE_KEY}
    )
    held: tuple[str, ...] = ("SPE_E3",)
    """Part numbers of the leaver's licences."""
    seats: dict[str, Json] | None = None
    """What the distributor says; None: none is connected."""
    opened: list[ConnectWiseApi] = field(default_factory=list[ConnectWiseApi])

    @property
    def provider(self) -> Provider:
        return self.simulator.provider

    def around(self, client: str = "contoso") -> Surroundings:
        free = VendorLimiter(self.clock, rates={"connectwise": Rate(100_000, 1)})
        return Surroundings(client, self.clock, free, lambda name: self.keys[name], lambda: NEW_PASSWORD)

    async def connect(self, changed: Mapping[str, object] | None = None, client: str = "contoso") -> ConnectWiseApi:
        settings = ConnectWiseSettings.model_validate({**self.simulator.settings(), "lines": LINES, **(changed or {})})
        api = await CONNECTOR.open(settings, self.around(client))
        self.opened.append(api)
        return api

    async def read(self, name: str) -> Json:
        if name == "microsoft365.held_licences":
            return {"licences": [{"part_number": one, "name": one, "sku": one, "group": ""} for one in self.held]}
        if name == "pax8.seats" and self.seats is not None:
            return cast("Json", self.seats)
        raise Refused(name.partition(".")[0], "open a connection", "client 'contoso' has no such system")

    async def ready(
        self,
        leaver: Account = JANE_DOE,
        choices: Mapping[str, str] = SHRINK,
        subject: str = "",
        changed: Mapping[str, object] | None = None,
    ) -> Ctx:
        """A step's context with facts read now; what was asked so far is forgotten."""
        api = await self.connect(changed)
        account = (await CONNECTOR.find(api, leaver))[0]
        facts = await CONNECTOR.complete(api, await CONNECTOR.facts(api, account), self.read)
        self.simulator.calls.clear()
        return Context(api, account, facts, choices, self.clock, "key", self.read, subject)

    def contact(self, number: int = JANE) -> Json:
        return self.provider.record("company/contacts", number)

    def company(self) -> Json:
        return self.provider.record("company/companies", 250)

    def line(self, number: int) -> Json:
        agreement = 501 if number == USERS_LINE else 502
        return self.provider.record(f"finance/agreements/{agreement}/additions", number)

    def seat(self, quantity: int, part_number: str = "SPE_E3", **more: str) -> None:
        """The distributor is connected and bills so many."""
        seats = dict(self.seats or {})
        seats[part_number] = {"quantity": quantity, "product": part_number, **more}
        self.seats = seats

    def changes(self) -> list[Call]:
        """Every request so far that was to change something."""
        return [
            call
            for call in self.simulator.calls
            if call.method == "PATCH" or (call.method == "POST" and not call.path.endswith("/search"))
        ]

    def asked(self) -> list[str]:
        return [str(call) for call in self.simulator.calls]


@asynccontextmanager
async def desk_of() -> AsyncGenerator[Desk]:
    clock = MovedClock()
    async with SimulatedConnectWise(now=clock.now) as simulator:
        desk = Desk(simulator, clock)
        yield desk
        for api in desk.opened:
            await CONNECTOR.close(api)


async def until_settled(step: AnyStep, ctx: Ctx, item: Item, intent: Intent) -> Outcome:
    """Confirm as the engine does, within the step's lag and once after it."""
    while True:
        outcome = await step.confirm(ctx, item, intent, "")
        if not isinstance(outcome, Waiting) or ctx.clock.now() - intent.at > step.lag:
            return outcome
        await ctx.clock.sleep(outcome.seconds)


def day(written: str) -> datetime:
    return datetime.fromisoformat(written)


def test_the_sample_is_what_the_tests_rely_on() -> None:
    provider = sample_provider()
    assert provider.record("company/contacts", JANE)["inactiveFlag"] is False
    assert provider.record("finance/agreements/502/additions", E3_LINE)["quantity"] == 12.0
