"""What clients.yml may say, what it may not, and what is checked before a live case."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest
from pydantic import ValidationError

from connectors.connectwise import CONNECTOR
from connectors.connectwise.settings import ConnectWiseSettings
from connectors.connectwise.simulated_records import MARIA, PRIVATE_KEY
from connectors.connectwise.simulator import Fault, SimulatedConnectWise
from connectors.contract import Check, Json, Throttled, Unreachable
from tests.connectors.test_connectwise_world import E3, USERS, Desk, desk_of

RIGHT: Json = {**SimulatedConnectWise(port=1).settings(), "base_url": ""}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_of() as desk:
        yield desk


def test_the_least_is_enough() -> None:
    settings = ConnectWiseSettings.model_validate(RIGHT)
    assert settings.root == "https://api-eu.myconnectwise.net"
    assert settings.approver_types == ("Approver",)
    assert settings.lines == ()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"site": "eu.myconnectwise.net"}, "try api-eu.myconnectwise.net"),
        ({"site": "https://api-eu.myconnectwise.net"}, "host name alone"),
        ({"base_url": "http://api-eu.myconnectwise.net"}, "https address"),
        ({"private_key": "the-key-itself"}, "env/NAME or file/PATH"),
        ({"public_key": "the-key-itself"}, "env/NAME or file/PATH"),
        ({"client_id": "our-app"}, "00000000-0000"),
        ({"company": " "}, "must not be empty"),
        ({"client_company": ""}, "at least 1"),
        ({"contact": "Maria"}, "number of a contact"),
        ({"currency": "pounds"}, "pattern"),
        ({"lines": [{"product": "E3", "kind": "licence"}]}, "part_number"),
        ({"lines": [{"product": "U", "kind": "user", "part_number": "SPE_E3"}]}, "has no part_number"),
        ({"lines": [{**E3, "minimum": 3}]}, "its seats are its floor"),
        ({"lines": [{**USERS, "minimum": -1}]}, "greater than or equal"),
        ({"lines": [USERS, {**USERS, "product": "ms-user"}]}, "twice"),
        ({"lines": [{**USERS, "price": 3}]}, "Extra inputs"),
        ({"lines": [{**USERS, "kind": "server"}]}, "'licence' or 'user'"),
        ({"cc": "x"}, "Extra inputs"),
    ],
)
def test_settings_that_can_not_work_are_refused(wrong: Json, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as told:
        ConnectWiseSettings.model_validate({**RIGHT, **wrong})
    assert "the-key-itself" not in str(told.value)


def test_a_server_of_ones_own_needs_no_api_in_its_name() -> None:
    assert (
        ConnectWiseSettings.model_validate({**RIGHT, "site": "psa.northwind.example"}).site == "psa.northwind.example"
    )


# --- is it ready


async def checked(desk: Desk, **changed: object) -> dict[str, Check]:
    return {one.title: one for one in await CONNECTOR.check(await desk.connect(changed))}


async def test_a_client_that_is_ready_reads_so(desk: Desk) -> None:
    checks = await checked(desk, priority="Priority 3 - Normal", type="Staff change", status="New", work_type="Remote")
    assert all(one.ok for one in checks.values()), [one for one in checks.values() if not one.ok]
    assert list(checks)[:5] == ["Reachable", "Signed in", "Company", "Board", "Closed status"]
    assert checks["Line MS-USER"].said == "Managed user, 40 in Managed services, minimum 0"
    assert checks["Line M365-E3"].said.endswith("never below its seats of SPE_E3")
    assert checks["Who may ask"].said == "Maria Rossi"
    assert "can't be tried" in checks["Rights to change"].said
    assert "Finance > Agreements" in checks["Rights to change"].fix
    assert desk.changes() == []


@pytest.mark.parametrize(
    ("changed", "title", "fix"),
    [
        ({"company": "southwind"}, "Reachable", "site and company"),
        ({"client_company": "Nobody"}, "Company", "client_company"),
        ({"board": "X"}, "Board", "Set board"),
        ({"priority": "X"}, "Priority", "Set priority"),
        ({"type": "X"}, "Type", "Set type"),
        ({"status": "X"}, "Status", "Set status"),
        ({"closed_status": "New"}, "Closed status", "Set closed_status"),
        ({"member": "X"}, "Member", "Set member"),
        ({"work_type": "X"}, "Work type", "Set work_type"),
        ({"work_role": "X"}, "Work role", "Set work_role"),
        ({"lines": [{"product": "X", "kind": "user"}]}, "Line X", "set product"),
        ({"approver_types": ["X"]}, "Who may ask", "approver_types"),
    ],
)
async def test_what_is_not_ready_says_what_to_do(desk: Desk, changed: Json, title: str, fix: str) -> None:
    checks = await checked(desk, **changed)
    assert [one.title for one in checks.values() if not one.ok] == [title]
    assert fix in checks[title].fix


async def test_wrong_keys_are_a_check_that_failed(desk: Desk) -> None:
    desk.keys["env/CONNECTWISE_PRIVATE"] = "revoked"
    checks = await checked(desk)
    assert [(one.title, one.ok) for one in checks.values()] == [("Reachable", True), ("Signed in", False)]
    assert "private_key" in checks["Signed in"].fix
    assert len(checks["Signed in"].steps) == 4


@pytest.mark.parametrize(
    ("denied", "title", "step"),
    [
        ("finance", "Agreements", "connectwise.reduce_lines"),
        ("company/configurations", "Devices", "connectwise.devices"),
        ("company/contacts", "Contacts", "connectwise.contact_inactive"),
    ],
)
async def test_a_right_that_lacks_names_the_steps_it_is_for(desk: Desk, denied: str, title: str, step: str) -> None:
    desk.provider.denied = (denied,)
    checks = await checked(desk)
    assert not checks[title].ok
    assert "Security Roles" in checks[title].fix
    assert step in checks[title].steps


async def test_a_line_that_fits_twice_names_both(desk: Desk) -> None:
    twin = dict(desk.line(9001)) | {"id": 9020}
    desk.provider.collections["finance/agreements/502/additions"][9020] = twin
    check = (await checked(desk, lines=[USERS]))["Line MS-USER"]
    assert check.said == (
        "fits 2 additions: Managed user in Managed services (#501); Managed user in Cloud subscriptions (#502)"
    )


@pytest.mark.parametrize(("kind", "error"), [("drop", Unreachable), ("throttle", Throttled)])
async def test_an_outage_says_nothing_about_readiness(desk: Desk, kind: str, error: type[Exception]) -> None:
    desk.simulator.fail(Fault(kind, calls=None, retry_after="60"))
    with pytest.raises(error) as told:
        await checked(desk)
    assert PRIVATE_KEY not in str(told.value)


async def test_nobody_of_the_right_type_is_told(desk: Desk) -> None:
    cast("list[Json]", desk.contact(MARIA)["types"]).clear()
    assert not (await checked(desk))["Who may ask"].ok
