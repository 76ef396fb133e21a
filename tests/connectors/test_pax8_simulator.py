"""The stand-in keeps its own books, says no by them, and can be steered from another process."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from connectors.contract import Refused
from connectors.pax8.simulated_company import CONTOSO, E3, POWER_BI, PREMIUM
from connectors.simulated_faults import Fault
from tests.connectors.test_pax8_world import Distributor, distributor

__all__ = ["distributor"]


async def asked(distributor: Distributor, method: str, path: str, body: object = None) -> Any:
    address = distributor.simulator.base_url.removesuffix("/v1") + path
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.request(method, address, json=body)
        response.raise_for_status()
        return response.json()


async def test_it_judges_the_seven_days_by_when_seats_were_bought_whatever_its_history_says(
    distributor: Distributor,
) -> None:
    api = await distributor.connect()
    subscription = distributor.simulator.subscriptions[E3]
    subscription.buy(distributor.clock.now() - timedelta(days=2), 2)
    subscription.history.clear()
    await api.put(f"/subscriptions/{E3}", {"quantity": 12})
    with pytest.raises(Refused, match="commitment"):
        await api.put(f"/subscriptions/{E3}", {"quantity": 11})
    assert distributor.simulator.changes_of(E3) == ["14 → 12 seats"]


async def test_a_renewal_lets_all_seats_go_for_seven_days(distributor: Distributor) -> None:
    api = await distributor.connect()
    subscription = distributor.simulator.subscriptions[E3]
    subscription.renew(distributor.clock.now() + timedelta(days=365), distributor.clock.now())
    await api.put(f"/subscriptions/{E3}", {"quantity": 5})
    distributor.clock.pass_by(168 * 3600)
    with pytest.raises(Refused):
        await api.put(f"/subscriptions/{E3}", {"quantity": 4})


async def test_whoever_writes_more_than_the_number_changes_it(distributor: Distributor) -> None:
    api = await distributor.connect()
    await api.put(f"/subscriptions/{POWER_BI}", {"quantity": 20, "price": 1, "startDate": "2020-01-01"})
    assert [one.what for one in distributor.simulator.effects] == ["price written", "startDate written"]


async def test_the_same_number_again_is_no_effect(distributor: Distributor) -> None:
    api = await distributor.connect()
    for _ in range(2):
        await api.put(f"/subscriptions/{PREMIUM}", {"quantity": 9})
    assert distributor.simulator.changes_of(PREMIUM) == ["10 → 9 seats"]
    assert len(distributor.simulator.subscriptions[PREMIUM].history) == 2


async def test_a_change_shows_late_when_told_so(distributor: Distributor) -> None:
    distributor.simulator.habits.lag = distributor.simulator.habits.provisioning = 60
    api = await distributor.connect()
    path = f"/subscriptions/{POWER_BI}"
    answer = await api.put(path, {"quantity": 19})
    assert (answer["quantity"], answer["status"]) == (19, "PendingAutomated")
    assert (await api.get(path))["quantity"] == 20
    with pytest.raises(Refused, match="not active"):
        await api.put(path, {"quantity": 18})
    distributor.clock.pass_by(60)
    shown = await api.get(path)
    assert (shown["quantity"], shown["status"]) == (19, "Active")


async def test_it_tells_whoever_follows_what_it_sold(distributor: Distributor) -> None:
    await (await distributor.connect()).put(f"/subscriptions/{PREMIUM}", {"quantity": 9})
    assert distributor.microsoft.products["sku-spb"].bought == 9


async def test_another_process_sees_steers_and_resets_it(distributor: Distributor) -> None:
    state = await asked(distributor, "GET", "/_lab/state")
    assert {"id": E3, "product": "Microsoft 365 E3", "quantity": 12, "status": "Active"} in state[CONTOSO][
        "subscriptions"
    ]
    await asked(distributor, "POST", "/_lab/faults", {"tenant": CONTOSO, "set": {"page_size": 2}})
    assert distributor.simulator.habits.page_size == 2
    fault = {"kind": "throttle", "calls": 3, "match": "PUT"}
    await asked(distributor, "POST", "/_lab/faults", {"tenant": CONTOSO, "fault": fault})
    assert [one.kind for one in distributor.simulator.faults] == ["throttle"]
    await asked(distributor, "POST", "/_lab/faults", {"tenant": CONTOSO, "clear": True})
    assert distributor.simulator.faults == []
    await (await distributor.connect()).put(f"/subscriptions/{PREMIUM}", {"quantity": 9})
    events = await asked(distributor, "GET", "/_lab/events")
    assert [one["detail"] for one in events["effects"]] == ["10 → 9 seats"]
    await asked(distributor, "POST", "/_lab/reset")
    assert distributor.quantity(PREMIUM) == 10
    assert distributor.simulator.habits.page_size == 200


def test_a_fault_nobody_knows_is_refused(distributor: Distributor) -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        distributor.simulator.fail(Fault("sulk"))
