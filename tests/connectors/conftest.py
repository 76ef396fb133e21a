"""A clock tests move, and a simulated Microsoft that keeps the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from connectors.contract import Account, Context, Json, Surroundings
from connectors.limiter import VendorLimiter
from connectors.microsoft365 import CONNECTOR
from connectors.microsoft365.client import Graph
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.settings import Microsoft365Settings
from connectors.microsoft365.simulated_people import CONTOSO, SECRET, Tenant
from connectors.microsoft365.simulator import SimulatedMicrosoft

NEW_PASSWORD = "Fresh-and-random-0123456789-abcdefgh"


class MovedClock:
    """Time passes only when slept or told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_by(seconds)
        await asyncio.sleep(0)

    def pass_by(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


async def nothing_to_read(name: str) -> Json:
    raise AssertionError(f"no other system is asked here, {name} was")


@dataclass
class Microsoft:
    """The simulator, and connections to it."""

    simulator: SimulatedMicrosoft
    clock: MovedClock
    opened: list[Graph] = field(default_factory=list[Graph])
    secret: str = SECRET

    @property
    def contoso(self) -> Tenant:
        return self.simulator.tenants[CONTOSO]

    def around(self, client: str = "contoso", ca_file: Path | None = None) -> Surroundings:
        return Surroundings(
            client=client,
            clock=self.clock,
            limiter=VendorLimiter(self.clock),
            secret=lambda _: self.secret,
            password=lambda: NEW_PASSWORD,
            ca_file=ca_file or self.simulator.ca_file,
        )

    async def connect(
        self, tenant: str = CONTOSO, client: str = "contoso", changed: Mapping[str, object] | None = None
    ) -> Graph:
        settings = Microsoft365Settings.model_validate({**self.simulator.settings(tenant), **(changed or {})})
        api = await CONNECTOR.open(settings, self.around(client))
        self.opened.append(api)
        return api

    async def context(
        self, api: Graph, person: str, facts: Microsoft365Facts | None = None
    ) -> Context[Graph, Microsoft365Facts]:
        """A step's context with facts read now."""
        found = await CONNECTOR.find(api, Account(system="microsoft365", id=person, name=""))
        known = facts or await CONNECTOR.facts(api, found[0])
        return Context(api, found[0], known, {}, self.clock, "key", nothing_to_read)

    def asked(self) -> list[str]:
        """Every request so far: 'GET /users/…'."""
        return [str(call) for call in self.simulator.calls]

    def done(self) -> list[str]:
        """Every effect so far."""
        return [effect.what for effect in self.simulator.effects]


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """One certificate for all simulators of this process: making it is the slow part."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    paths = folder / "certificate.pem", folder / "key.pem", folder / "ca.pem"
    issued.cert_chain_pems[0].write_to_path(str(paths[0]))
    issued.private_key_pem.write_to_path(str(paths[1]))
    authority.cert_pem.write_to_path(str(paths[2]))
    return paths


@pytest.fixture
async def microsoft(tls: tuple[Path, Path, Path]) -> AsyncIterator[Microsoft]:
    clock = MovedClock()
    async with SimulatedMicrosoft(now=clock.now, tls=tls) as simulator:
        microsoft = Microsoft(simulator, clock)
        yield microsoft
        for api in microsoft.opened:
            await CONNECTOR.close(api)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The SDK warns about its own classes at import; that is not ours to mend."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:(msgraph|kiota).*"))
