"""The simulator's side for another process, and what it must get right for the other tests to mean something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from connectors.contract import Json
from connectors.exchange.simulated_mailboxes import CONTOSO, FABRIKAM, GIGABYTE, JANE, SEAN, ZOE
from connectors.exchange.simulator import Fault
from tests.connectors.conftest import Microsoft
from tests.connectors.test_exchange_world import Office, office_of


@pytest.fixture
async def office(microsoft: Microsoft) -> AsyncIterator[Office]:
    async with office_of(microsoft) as office:
        yield office


@pytest.fixture
async def lab(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    address = office.simulator.base_url.removesuffix("/adminapi/beta") + "/_lab/"
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        yield client


async def state(lab: httpx.AsyncClient, user: str) -> dict[str, Any]:
    mailboxes: list[dict[str, Any]] = (await lab.get("state")).json()[CONTOSO]["mailboxes"]
    return next(one for one in mailboxes if one["id"] == user)


async def test_the_lab_sees_what_was_changed(office: Office, lab: httpx.AsyncClient) -> None:
    assert (await state(lab, JANE))["kind"] == "UserMailbox"
    await (await office.connect()).invoke("Set-Mailbox", Identity=JANE, Type="Shared")
    assert (await state(lab, JANE))["kind"] == "SharedMailbox"


async def test_the_lab_reads_effects_from_where_it_left_off(office: Office, lab: httpx.AsyncClient) -> None:
    api = await office.connect()
    for user in (JANE, SEAN):
        await api.invoke("Set-Mailbox", Identity=user, HiddenFromAddressListsEnabled=True)
    effects = (await lab.get("events")).json()["effects"]
    assert [(one["user"], one["what"]) for one in effects] == [(JANE, "hidden"), (SEAN, "hidden")]
    later = (await lab.get("events", params={"after": effects[0]["number"]})).json()["effects"]
    assert [one["user"] for one in later] == [SEAN]


async def test_the_lab_makes_things_go_wrong_and_right_again(office: Office, lab: httpx.AsyncClient) -> None:
    asked = {"tenant": CONTOSO, "set": {"lag": 5, "denied": ["X"]}, "fault": {"kind": "throttle", "calls": None}}
    assert (await lab.post("faults", json=asked)).status_code == 200
    assert (office.contoso.lag, office.contoso.denied) == (5, ("X",))
    assert office.simulator.organisations[FABRIKAM].lag == 0
    assert (await lab.get("state")).json()[CONTOSO]["faults"] == ["throttle"]
    await lab.post("faults", json={"tenant": CONTOSO, "clear": True})
    assert (await lab.get("state")).json()[CONTOSO]["faults"] == []


async def test_the_lab_cannot_set_what_does_not_exist(lab: httpx.AsyncClient) -> None:
    answer = await lab.post("faults", json={"tenant": CONTOSO, "set": {"lagg": 5}})
    assert answer.status_code == 400
    assert "lag" in answer.text


async def test_the_lab_starts_over(office: Office, lab: httpx.AsyncClient) -> None:
    api = await office.connect()
    await api.invoke("Set-Mailbox", Identity=JANE, Type="Shared")
    await lab.post("reset")
    assert (await state(lab, JANE))["kind"] == "UserMailbox"
    assert (await lab.get("events")).json() == {"effects": [], "calls": 0}
    await api.invoke("Set-Mailbox", Identity=JANE, Type="Shared")
    assert (await state(lab, JANE))["kind"] == "SharedMailbox"


async def test_an_unknown_fault_is_an_error_and_not_silence(office: Office) -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        office.simulator.fail(CONTOSO, Fault("no such thing"))


async def test_nobody_is_answered_without_a_token_for_exchange(office: Office) -> None:
    api = await office.connect()
    graph = (await api.sign_in.get_token("https://graph.microsoft.com/.default")).token
    body: Json = {"CmdletInput": {"CmdletName": "Get-AcceptedDomain", "Parameters": {}}}
    async with httpx.AsyncClient(trust_env=False) as client:
        for token in ("", "Bearer x.y.z", f"Bearer {graph}"):
            url = f"{office.simulator.base_url}/{CONTOSO}/InvokeCommand"
            assert (await client.post(url, json=body, headers={"Authorization": token})).status_code == 401


async def test_a_token_opens_its_own_tenant_only(office: Office) -> None:
    api = await office.connect()
    token = (await api.sign_in.get_token(api.settings.scope)).token
    body: Json = {"CmdletInput": {"CmdletName": "Get-AcceptedDomain", "Parameters": {}}}
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"{office.simulator.base_url}/{FABRIKAM}/InvokeCommand"
        answer = await client.post(url, json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403


async def test_a_mailbox_goes_with_its_licence_and_comes_back_within_thirty_days(office: Office) -> None:
    api = await office.connect()
    office.unlicensed.add(JANE)
    with pytest.raises(Exception, match="couldn't be found"):
        await api.invoke("Get-Mailbox", Identity=JANE)
    assert await api.invoke("Get-Mailbox", Identity=JANE, SoftDeletedMailbox=True)
    office.unlicensed.clear()
    assert await api.invoke("Get-Mailbox", Identity=JANE)
    assert office.done() == ["mailbox disconnected", "mailbox reconnected"]


async def test_a_shared_mailbox_stays_without_a_licence(office: Office) -> None:
    office.mailbox().kind = "SharedMailbox"
    office.unlicensed.add(JANE)
    assert await (await office.connect()).invoke("Get-Mailbox", Identity=JANE)


async def test_an_unlicensed_mailbox_is_purged_after_thirty_days(office: Office) -> None:
    api = await office.connect()
    office.unlicensed.add(JANE)
    await api.invoke("Get-AcceptedDomain")
    office.clock.pass_by(31 * 86400)
    office.unlicensed.clear()
    for switches in ({}, {"SoftDeletedMailbox": True}):
        with pytest.raises(Exception, match="couldn't be found"):
            await api.invoke("Get-Mailbox", anchor="", Identity=JANE, **switches)


async def test_a_device_wiped_whole_would_be_seen(office: Office) -> None:
    await (await office.connect()).invoke("Clear-MobileDevice", Identity=office.mailbox().devices[0].guid)
    assert office.done() == ["WHOLE PHONE WIPED"]


async def test_with_both_set_the_plain_address_is_ignored(office: Office) -> None:
    await (await office.connect()).invoke("Set-Mailbox", Identity=JANE, ForwardingAddress=SEAN)
    assert office.mailbox().forwarding_smtp
    assert office.simulator.mail_goes_to(JANE) == "sean.obrien@contoso.example"


async def test_one_sample_mailbox_is_too_big_to_be_free(office: Office) -> None:
    assert office.mailbox(ZOE).size > 50 * GIGABYTE
