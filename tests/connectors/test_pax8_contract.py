"""Pax8 keeps to the connectors' contract: with nothing decided, and with the seat to be given back."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from connectors.contract import AnyStep, Context
from connectors.pax8 import CONNECTOR
from connectors.pax8.simulated_company import E3, EXCHANGE, POWER_BI, PREMIUM
from connectors.pax8.simulator import SECRET
from connectors.simulated_faults import Fault
from tests.connectors.contract import Bench, ConnectorContract
from tests.connectors.test_pax8_world import JANE, SHRINK, SKUS, Distributor, distributor

__all__ = ["distributor"]


async def bench_of(distributor: Distributor) -> Bench:
    api = await distributor.connect()
    found = await CONNECTOR.find(api, JANE)

    def break_vendor() -> None:
        distributor.simulator.fail(Fault("html", calls=None))

    return Bench(
        CONNECTOR,
        api,
        found[0],
        distributor.clock,
        distributor.simulator.settings(),
        lambda: len(distributor.simulator.effects),
        break_vendor,
        (SECRET,),
    )


class Pax8Contract(ConnectorContract):
    """What differs where the account is a company."""

    @pytest.mark.skip(reason="Pax8 knows no people: whoever leaves, the account is the client's company")
    async def test_somebody_unknown_is_not_found(self, bench: Bench) -> None: ...

    async def test_whoever_leaves_the_account_is_the_company(self, bench: Bench) -> None:
        stranger = JANE.model_copy(update={"id": "00000000-0000-4000-8000-00000000dead"})
        assert await CONNECTOR.find(bench.api, stranger) == [bench.leaver]
        assert bench.leaver.name == "Contoso Ltd"
        assert bench.leaver.matched_by == "the company named in clients.yml"


class TestNothingDecided(Pax8Contract):
    @pytest.fixture
    async def bench(self, distributor: Distributor) -> Bench:
        return await bench_of(distributor)


class TestTheSeatGoes(Pax8Contract):
    """The same promises for the step, once for each subscription whose seat is free."""

    @pytest.fixture(params=[POWER_BI, PREMIUM, EXCHANGE, E3], ids=["monthly", "three days old", "yearly", "committed"])
    async def bench(self, distributor: Distributor, request: pytest.FixtureRequest) -> Bench:
        self.distributor, self.subscription = distributor, str(request.param)
        if self.subscription == E3:
            distributor.simulator.subscriptions[E3].committed_until = distributor.clock.now()
        return await bench_of(distributor)

    async def _wanted(self, bench: Bench) -> list[tuple[AnyStep, Context[Any, Any]]]:
        self.distributor.holds(SKUS[self.subscription])
        facts = await self.distributor.facts(bench.api)
        self.distributor.microsoft.release()
        wanted = [step for step in CONNECTOR.steps if step.wanted(SHRINK, facts)]
        assert wanted, "nothing would be tested"
        read = self.distributor.microsoft.read()
        return [
            (
                step,
                Context(bench.api, bench.leaver, copy.deepcopy(facts), SHRINK, bench.clock, "key", read, subject),
            )
            for step in wanted
            for subject in step.subjects(SHRINK, facts)
        ]

    async def test_every_step_is_done_and_read_back(self, bench: Bench) -> None:
        await super().test_every_step_is_done_and_read_back(bench)
        assert len(self.distributor.simulator.effects) == 1

    async def test_repeating_what_may_be_repeated_is_harmless(self, bench: Bench) -> None:
        await super().test_repeating_what_may_be_repeated_is_harmless(bench)
        assert len(self.distributor.simulator.effects) == 1
