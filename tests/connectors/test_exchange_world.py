"""The simulated Exchange beside the simulated Microsoft whose tokens it trusts, and what its own tests share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from connectors.contract import (
    Account,
    Context,
    Intent,
    Item,
    Json,
    Outcome,
    Step,
    Waiting,
)
from connectors.exchange import CONNECTOR
from connectors.exchange.client import ExchangeApi
from connectors.exchange.facts import Ctx, ExchangeFacts
from connectors.exchange.mailboxes import Mailbox
from connectors.exchange.settings import ExchangeSettings
from connectors.exchange.simulated_mailboxes import CONTOSO, FABRIKAM, JANE, MARIA, SEAN, Organisation, SimulatedMailbox
from connectors.exchange.simulator import Call, SimulatedExchange
from connectors.limiter import Rate, VendorLimiter
from connectors.microsoft365 import simulated_people
from tests.connectors.conftest import Microsoft, MovedClock

AnyStep = Step[ExchangeApi, ExchangeFacts]
TO_MARIA = {
    "mailbox.access": MARIA,
    "mailbox.access.name": "Maria Rossi",
    "mailbox.access.mail": "maria@contoso.example",
}


@dataclass
class Office:
    """The simulator, and connections to it."""

    microsoft: Microsoft
    simulator: SimulatedExchange
    unlicensed: set[str]
    opened: list[ExchangeApi] = field(default_factory=list[ExchangeApi])

    @property
    def clock(self) -> MovedClock:
        return self.microsoft.clock

    @property
    def contoso(self) -> Organisation:
        return self.simulator.organisations[CONTOSO]

    def mailbox(self, user: str = JANE) -> SimulatedMailbox:
        return self.simulator.mailbox(user)

    def settings(self, tenant: str = CONTOSO) -> Json:
        return {**self.microsoft.simulator.settings(tenant), "base_url": self.simulator.base_url}

    async def connect(
        self, tenant: str = CONTOSO, client: str = "contoso", changed: Mapping[str, object] | None = None
    ) -> ExchangeApi:
        settings = ExchangeSettings.model_validate({**self.settings(tenant), **(changed or {})})
        # The limiter counts real seconds; how it counts is tested with it.
        free = VendorLimiter(self.clock, rates={"exchange": Rate(100_000, 1)})
        api = await CONNECTOR.open(settings, replace(self.microsoft.around(client), limiter=free))
        self.opened.append(api)
        return api

    async def facts(self, user: str = JANE) -> ExchangeFacts:
        api = await self.connect()
        found = await CONNECTOR.find(api, leaver(user))
        return await CONNECTOR.facts(api, found[0])

    async def ready(self, user: str = JANE, choices: Mapping[str, str] | None = None) -> Ctx:
        """A step's context with facts read now; what was asked so far is forgotten."""
        api = await self.connect()
        found = await CONNECTOR.find(api, leaver(user))
        facts = await CONNECTOR.facts(api, found[0])
        self.simulator.calls.clear()
        return Context(api, found[0], facts, choices or {}, self.clock, "key", self.read(user))

    def read(self, user: str) -> Callable[[str], Awaitable[Json]]:
        async def read(name: str) -> Json:
            assert name == "microsoft365.account", name
            return {"enabled": self.microsoft.simulator.person(user).enabled}

        return read

    def asked(self) -> list[str]:
        """Every cmdlet so far, in order."""
        return [call.cmdlet for call in self.simulator.calls]

    def changes(self) -> list[Call]:
        """Every request so far that was to change something."""
        return [
            call
            for call in self.simulator.calls
            if not call.cmdlet.startswith("Get-") and not call.parameters.get("PreviewOnly")
        ]

    def done(self) -> list[str]:
        """Every effect so far."""
        return [effect.what for effect in self.simulator.effects]


PLAIN = ExchangeFacts(mailbox=Mailbox(id=JANE, kind="UserMailbox"))
"""For what is decided by facts and choices alone."""


def leaver(user: str) -> Account:
    return Account(system="microsoft365", id=user, name="", matched_by="chosen by the requester")


@asynccontextmanager
async def office_of(microsoft: Microsoft) -> AsyncGenerator[Office]:
    for tenant in (CONTOSO, FABRIKAM):
        known = microsoft.simulator.tenants[tenant]
        known.permissions = (*known.permissions, "Exchange.ManageAsApp")
    unlicensed: set[str] = set()
    async with SimulatedExchange(
        microsoft.simulator.tenant_of,
        licensed=lambda _, user: user not in unlicensed,
        now=microsoft.clock.now,
    ) as simulator:
        office = Office(microsoft, simulator, unlicensed)
        yield office
        for api in office.opened:
            await CONNECTOR.close(api)


async def until_settled(step: AnyStep, ctx: Ctx, item: Item, intent: Intent) -> Outcome:
    """Confirm as the engine does, within the step's lag."""
    while True:
        outcome = await step.confirm(ctx, item, intent, "")
        if not isinstance(outcome, Waiting) or ctx.clock.now() - intent.at > step.lag:
            return outcome
        await ctx.clock.sleep(outcome.seconds)


def test_the_sample_mailboxes_are_the_sample_people() -> None:
    """Both simulators are one world: the same ids, names and addresses."""
    from connectors.exchange.simulated_mailboxes import ROOM, sample_organisations

    people = {
        person.id: person for tenant in simulated_people.sample_tenants().values() for person in tenant.people.values()
    }
    for organisation in sample_organisations().values():
        for user, mailbox in organisation.mailboxes.items():
            if user != ROOM:
                assert (people[user].name, people[user].user_name) == (mailbox.name, mailbox.user_name)
                assert people[user].synced == mailbox.synced
                assert people[user].mail == mailbox.mail
    assert SEAN in people
