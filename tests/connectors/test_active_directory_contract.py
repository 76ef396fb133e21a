"""Active Directory keeps to the connectors' contract: for a plain account and one with a hostile name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.active_directory import CONNECTOR
from connectors.active_directory.simulated_people import BIND_PASSWORD, HOSTILE, SAM
from connectors.active_directory.simulator import Fault
from connectors.contract import AnyStep, Context
from tests.connectors.contract import Bench, ConnectorContract
from tests.connectors.samba import World, simulated_world

PASSWORD = "Fresh-and-random-0123456789-abcdefgh"


@pytest.fixture
async def world(tls: tuple[Path, Path, Path]) -> AsyncIterator[World]:
    async with simulated_world(tls) as world:
        yield world


class TestActiveDirectory(ConnectorContract):
    @pytest.fixture(params=[SAM, HOSTILE])
    async def bench(self, world: World, request: pytest.FixtureRequest) -> Bench:
        api = await world.connect(password=PASSWORD)

        def break_vendor() -> None:
            world.simulated.fail(Fault("garbage", calls=None))

        return Bench(
            CONNECTOR,
            api,
            await world.account(request.param, api),
            world.clock,
            world.settings(),
            lambda: len(world.simulated.effects),
            break_vendor,
            (BIND_PASSWORD, PASSWORD),
        )

    async def _wanted(self, bench: Bench) -> list[tuple[AnyStep, Context[Any, Any]]]:
        """Every step there is: the clean-up waits for the client's word."""
        choices = {"access": "everything"}
        facts = await bench.connector.facts(bench.api, bench.leaver)
        ctx = replace(self._context(bench, facts), choices=choices)
        return [(step, ctx) for step in bench.connector.steps if step.wanted(choices, facts)]
