"""The stand-in is as strict and as nasty as ConnectWise is, and another process can see and set it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import httpx
import pytest

from connectors.connectwise.client import Change
from connectors.connectwise.records import Value
from connectors.connectwise.service_desk import ConnectWiseDesk
from connectors.connectwise.simulated_conditions import BadCondition, Conditions
from connectors.connectwise.simulated_records import JANE, MARIA
from connectors.connectwise.simulator import Fault
from connectors.contract import Json, Refused, Unreachable
from tests.connectors.test_connectwise_world import Desk, desk_of

RECORD: Json = {
    "id": 7,
    "name": "Contoso Ltd",
    "deletedFlag": False,
    "company": {"id": 250},
    "items": [{"value": "a@x.example", "kind": "Phone"}, {"value": "b@x.example", "kind": "Email"}],
}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_of() as desk:
        yield desk


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ("", True),
        ("id=7", True),
        ('name="contoso ltd"', True),
        ('name="contoso"', False),
        ('name like "*ltd"', True),
        ('name like "con%"', True),
        ('name contains "toso"', True),
        ("company/id=250 and deletedFlag=False", True),
        ("company/id=251 or (id=7 and deletedFlag=False)", True),
        ("company/id=251 or id=8", False),
        ("deletedFlag=True", False),
        ("id!=7", False),
        ("absent=null", True),
    ],
)
def test_conditions_mean_what_they_say(condition: str, fits: bool) -> None:
    assert Conditions(condition).fits(RECORD) is fits


@pytest.mark.parametrize(
    "condition", ['name="a"b"', "name=Contoso", "name=", "(id=7", "id=7)", "id~7", 'items/value="a"', "id in 7"]
)
def test_what_it_can_not_understand_is_an_error(condition: str) -> None:
    with pytest.raises(BadCondition):
        Conditions(condition).fits(RECORD)


def test_each_comparison_about_a_list_may_be_of_another_element() -> None:
    both = 'items/value="a@x.example" and items/kind="Email"'
    assert Conditions(both, children=True).fits(RECORD)


async def test_a_part_of_a_reference_is_answered_with_success_and_unchanged(desk: Desk) -> None:
    api = await desk.connect()
    ticket = await ConnectWiseDesk().open_ticket(api, "k", "s", "t")
    before = dict(desk.simulator.tickets[0])
    await api.change(f"/service/tickets/{ticket}", Change("status/identifier", ">Closed"))
    assert desk.simulator.calls[-1].status == 200
    assert desk.simulator.tickets[0] == before


async def test_a_contact_that_does_not_exist_is_refused(desk: Desk) -> None:
    with pytest.raises(Refused, match="contact: The contact does not exist"):
        await ConnectWiseDesk().open_ticket(await desk.connect({"contact": "99"}), "k", "s", "t")


async def test_a_status_with_a_template_tells_the_contact_unless_told_not_to(desk: Desk) -> None:
    api = await desk.connect({"contact": str(MARIA)})
    for place, changes in enumerate(((), (Change("processNotifications", value=False),))):
        ticket = await ConnectWiseDesk().open_ticket(api, f"k{place}", "s", "t")
        await api.change(f"/service/tickets/{ticket}", Change("status", {"id": 103}), *changes)
    assert [(mail.to, mail.why, mail.ticket) for mail in desk.simulator.mails] == [
        ("maria@contoso.example", "status", 40001)
    ]


async def test_a_time_entry_that_does_not_say_mails_as_its_ticket_does(desk: Desk) -> None:
    api = await desk.connect({"contact": str(MARIA)})
    ticket = await ConnectWiseDesk().open_ticket(api, "k", "s", "t")
    desk.simulator.tickets[0]["automaticEmailContactFlag"] = True
    entry: dict[str, Value] = {
        "chargeToId": int(ticket),
        "chargeToType": "ServiceTicket",
        "member": {"id": 21},
        "timeStart": "2026-11-23T16:00:00Z",
        "timeEnd": "2026-11-23T16:01:00Z",
    }
    await api.create("/time/entries", {**entry, "emailContactFlag": False})
    assert desk.simulator.mails == []
    await api.create("/time/entries", entry)
    assert [mail.why for mail in desk.simulator.mails] == ["time"]


async def test_doubles_are_counted(desk: Desk) -> None:
    api = await desk.connect()
    service = ConnectWiseDesk()
    ticket = await service.open_ticket(api, "case", "s", "t")
    assert desk.provider.counted("case") == 1
    for expected in (1, 2):
        await service.add_task(api, ticket, "task", "x")
        assert desk.provider.counted("task") == expected
    assert (len(desk.simulator.tickets), len(desk.simulator.tasks), len(desk.simulator.times)) == (1, 2, 0)
    await service.open_ticket(api, "case", "s", "t")
    assert desk.provider.counted("case") == 2


async def test_another_process_sees_sets_and_resets_it(desk: Desk) -> None:
    api = await desk.connect()
    await ConnectWiseDesk().open_ticket(api, "case", "Staff change", "t")
    async with httpx.AsyncClient(base_url=desk.simulator.base_url) as lab:
        state = (await lab.get("/_lab/state")).json()["northwind"]
        assert [one["summary"] for one in state["tickets"]] == ["Staff change"]
        assert (await lab.get("/_lab/events", params={"after": 0})).json()["effects"][0]["what"] == "tickets added"
        asked = {"tenant": "northwind", "set": {"most_per_page": 1}, "fault": {"kind": "drop", "calls": None}}
        assert (await lab.post("/_lab/faults", json=asked)).json() == {"ok": True}
        assert desk.provider.most_per_page == 1
        with pytest.raises(Unreachable):
            await api.get(f"/company/contacts/{JANE}")
        assert (await lab.post("/_lab/faults", json={"tenant": "northwind", "set": {"mails": []}})).status_code == 400
        await lab.post("/_lab/reset")
    assert desk.simulator.tickets == []
    assert await api.get(f"/company/contacts/{JANE}")


def test_a_fault_it_does_not_know_is_refused() -> None:
    from connectors.connectwise.simulator import SimulatedConnectWise

    with pytest.raises(ValueError, match="unknown fault"):
        SimulatedConnectWise().fail(Fault("earthquake"))


async def test_keys_are_in_no_journal(desk: Desk) -> None:
    await (await desk.connect()).get(f"/company/contacts/{JANE}")
    kept = cast("list[object]", [(call.headers, call.answer) for call in desk.simulator.calls])
    assert "PrivateKey" not in str(kept)
    assert "Basic " not in str(kept)
