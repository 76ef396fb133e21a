"""ConnectWise keeps to the connectors' contract: a plain leaver, one things hang on, one without a contact."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.connectwise import CONNECTOR
from connectors.connectwise.simulated_records import PRIVATE_KEY, PUBLIC_KEY
from connectors.connectwise.simulator import Fault
from connectors.contract import Account, AnyStep, Context, Todo
from tests.connectors.contract import Bench, ConnectorContract
from tests.connectors.test_connectwise_world import JANE_DOE, LINES, NEWCOMER, SHRINK, Desk, desk_of

OWEN_PAY = Account(system="microsoft365", id="c2", name="Owen", mail="owen@contoso.example")


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_of() as desk:
        yield desk


async def bench_of(desk: Desk, leaver: Account) -> Bench:
    api = await desk.connect()
    found = await CONNECTOR.find(api, leaver)

    def break_vendor() -> None:
        desk.simulator.fail(Fault("html", calls=None))

    return Bench(
        CONNECTOR,
        api,
        found[0],
        desk.clock,
        {**desk.simulator.settings(), "lines": list(LINES)},
        lambda: len(desk.simulator.effects),
        break_vendor,
        (PRIVATE_KEY, PUBLIC_KEY),
    )


class Promises(ConnectorContract):
    async def test_somebody_unknown_is_not_found(self, bench: Bench) -> None:
        """Not so here: whoever has no contact is still counted in the client's agreement, whose lines must fall.

        So they are the company, certainly, and nothing of anybody's contact is theirs.
        """
        [account] = await bench.connector.find(bench.api, NEWCOMER)
        assert account.id == "company:250"
        facts = await bench.connector.facts(bench.api, account)
        assert facts.contact is None
        assert facts.lines


class TestNothingDecided(Promises):
    @pytest.fixture(params=[JANE_DOE, OWEN_PAY, NEWCOMER], ids=["plain", "billing contact", "no contact"])
    async def bench(self, desk: Desk, request: pytest.FixtureRequest) -> Bench:
        return await bench_of(desk, request.param)


class TestEverythingDecided(Promises):
    """The same promises for each line, with the seats given up."""

    @pytest.fixture
    async def bench(self, desk: Desk) -> Bench:
        desk.held = ("SPE_E3", "POWER_BI_PRO")
        desk.seat(11)
        desk.seat(4, "POWER_BI_PRO")
        self.desk = desk
        return await bench_of(desk, JANE_DOE)

    async def _wanted(self, bench: Bench) -> list[tuple[AnyStep, Context[Any, Any]]]:
        facts = await bench.connector.complete(
            bench.api, await bench.connector.facts(bench.api, bench.leaver), self.desk.read
        )
        steps = [step for step in bench.connector.steps if step.wanted(SHRINK, facts)]
        rows = [(step, subject) for step in steps for subject in step.subjects(SHRINK, facts)]
        assert len(rows) == 6
        return [
            (
                step,
                Context(
                    bench.api,
                    bench.leaver,
                    copy.deepcopy(facts),
                    SHRINK,
                    bench.clock,
                    "key",
                    self.desk.read,
                    subject,
                ),
            )
            for step, subject in rows
        ]

    async def test_every_line_has_something_to_do(self, bench: Bench) -> None:
        found = [await step.look(ctx) for step, ctx in await self._wanted(bench) if step.money]
        assert [type(one) for one in found] == [Todo, Todo, Todo]
