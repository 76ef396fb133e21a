"""Exchange keeps to the connectors' contract: with nothing decided, and with everything decided."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from connectors.contract import AnyStep, Context
from connectors.exchange import CONNECTOR
from connectors.exchange.simulated_mailboxes import CONTOSO, DIRECTOR, DISABLED, JANE, ROOM, SYNCED
from connectors.exchange.simulator import Fault
from connectors.microsoft365.simulated_people import SECRET
from tests.connectors.conftest import NEW_PASSWORD, Microsoft
from tests.connectors.contract import Bench, ConnectorContract
from tests.connectors.test_exchange_world import TO_MARIA, Office, leaver, office_of


@pytest.fixture
async def office(microsoft: Microsoft) -> AsyncIterator[Office]:
    async with office_of(microsoft) as office:
        yield office


async def bench_of(office: Office, user: str) -> Bench:
    api = await office.connect()
    found = await CONNECTOR.find(api, leaver(user))

    def break_vendor() -> None:
        office.simulator.fail(CONTOSO, Fault("html", calls=None))

    return Bench(
        CONNECTOR,
        api,
        found[0],
        office.clock,
        office.settings(),
        lambda: len(office.simulator.effects),
        break_vendor,
        (SECRET, NEW_PASSWORD),
    )


class TestNothingDecided(ConnectorContract):
    @pytest.fixture(params=[JANE, SYNCED, DISABLED, ROOM], ids=["plain", "synced", "shared", "room"])
    async def bench(self, office: Office, request: pytest.FixtureRequest) -> Bench:
        return await bench_of(office, request.param)


class TestEverythingDecided(ConnectorContract):
    """The same promises for the steps that wait for an answer."""

    CHOICES: ClassVar = {
        **TO_MARIA,
        "access": "everything",
        "contentious": "yes",
        "mailbox": "shared",
        "mailbox.forward": "successor",
        "mailbox.meetings": "cancel",
        "licences": "keep",
    }

    @pytest.fixture(params=[JANE, DIRECTOR], ids=["plain", "held and archived"])
    async def bench(self, office: Office, request: pytest.FixtureRequest) -> Bench:
        office.microsoft.simulator.person(request.param).enabled = False
        self.office = office
        return await bench_of(office, request.param)

    def _context(self, bench: Bench, facts: Any) -> Context[Any, Any]:
        read = self.office.read(bench.leaver.id)
        return Context(bench.api, bench.leaver, copy.deepcopy(facts), self.CHOICES, bench.clock, "key", read)

    async def _wanted(self, bench: Bench) -> list[tuple[AnyStep, Context[Any, Any]]]:
        facts = await bench.connector.facts(bench.api, bench.leaver)
        ctx = self._context(bench, facts)
        wanted = [(step, ctx) for step in bench.connector.steps if step.wanted(self.CHOICES, facts)]
        assert len(wanted) >= 13
        return wanted
