"""Microsoft 365 keeps to the connectors' contract: a plain person, a synced one, a guest, one with everything."""

from __future__ import annotations

import pytest

from connectors.contract import Account
from connectors.microsoft365 import CONNECTOR
from connectors.microsoft365.simulated_people import CONTOSO, GUEST, JANE, OLIVIA, SECRET, SYNCED
from connectors.microsoft365.simulator import Fault
from tests.connectors.conftest import NEW_PASSWORD, Microsoft
from tests.connectors.contract import Bench, ConnectorContract


class TestMicrosoft365(ConnectorContract):
    @pytest.fixture(params=[JANE, SYNCED, GUEST, OLIVIA], ids=["plain", "synced", "guest", "everything"])
    async def bench(self, microsoft: Microsoft, request: pytest.FixtureRequest) -> Bench:
        # The domain account is disabled, and syncs are frequent.
        microsoft.contoso.domain_disabled, microsoft.contoso.sync_reverts_after = ("ssynced",), 90
        api = await microsoft.connect()
        found = await CONNECTOR.find(api, Account(system="microsoft365", id=request.param, name=""))

        def break_vendor() -> None:
            microsoft.simulator.fail(CONTOSO, Fault("html", calls=None))

        return Bench(
            CONNECTOR,
            api,
            found[0],
            microsoft.clock,
            microsoft.simulator.settings(CONTOSO),
            lambda: len(microsoft.simulator.effects),
            break_vendor,
            (SECRET, NEW_PASSWORD),
        )
