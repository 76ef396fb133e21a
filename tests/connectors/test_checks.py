"""Would it work at this client? What each of the Microsoft systems and the domain says, and the fix it names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from connectors.active_directory import CONNECTOR as DOMAIN
from connectors.active_directory.simulated_people import BASE, BIND_PASSWORD
from connectors.contract import Check, Unreachable
from connectors.exchange import CONNECTOR as EXCHANGE
from connectors.exchange.simulated_mailboxes import CONTOSO
from connectors.microsoft365 import CONNECTOR as MICROSOFT
from connectors.microsoft365.roles import PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
from connectors.microsoft365.settings import Microsoft365Settings
from connectors.microsoft365.simulated_people import APPLICATION, SECRET
from connectors.simulated_faults import Fault
from tests.connectors.conftest import Microsoft
from tests.connectors.samba import World, simulated_world
from tests.connectors.test_exchange_world import Office, office_of


@pytest.fixture
async def office(microsoft: Microsoft) -> AsyncIterator[Office]:
    async with office_of(microsoft) as office:
        yield office


@pytest.fixture
async def domain(tls: tuple[Path, Path, Path]) -> AsyncIterator[World]:
    async with simulated_world(tls) as world:
        yield world


def one(checks: Sequence[Check], title: str) -> Check:
    return next(check for check in checks if check.title == title)


def wrong(checks: Sequence[Check]) -> list[str]:
    return [check.title for check in checks if not check.ok]


def lacks(microsoft: Microsoft, *permissions: str) -> None:
    tenant = microsoft.contoso
    tenant.permissions = tuple(name for name in tenant.permissions if name not in permissions)


# --- Microsoft 365 ------------------------------------------------------------------------------


async def test_a_tenant_with_everything_has_nothing_to_mend(microsoft: Microsoft) -> None:
    microsoft.contoso.our_roles = (PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,)
    checks = await MICROSOFT.check(await microsoft.connect())
    assert wrong(checks) == []
    assert one(checks, "Role for administrators' accounts").said.startswith("Our application is Privileged")


async def test_every_permission_a_step_names_is_looked_at(microsoft: Microsoft) -> None:
    checks = await MICROSOFT.check(await microsoft.connect())
    named = {permission for step in MICROSOFT.steps for permission in step.permissions}
    assert named <= {check.title.removeprefix("Permission ") for check in checks}


async def test_a_missing_permission_names_its_steps_and_the_consent_link(microsoft: Microsoft) -> None:
    lacks(microsoft, "User.RevokeSessions.All", "Device.ReadWrite.All")
    checks = await MICROSOFT.check(await microsoft.connect())
    revoke = one(checks, "Permission User.RevokeSessions.All")
    assert not revoke.ok
    assert revoke.steps == ("microsoft365.revoke_sessions", "microsoft365.revoke_sessions_again")
    assert revoke.fix.endswith(f"{microsoft.simulator.authority}/{CONTOSO}/adminconsent?client_id={APPLICATION}")
    assert one(checks, "Permission Device.ReadWrite.All").steps == ("microsoft365.disable_devices",)


def test_the_consent_link_is_microsofts_own_page(microsoft: Microsoft) -> None:
    known = {name: value for name, value in microsoft.simulator.settings(CONTOSO).items() if name != "authority"}
    link = Microsoft365Settings.model_validate(known).application.consent_link
    assert link == f"https://login.microsoftonline.com/{CONTOSO}/adminconsent?client_id={APPLICATION}"


async def test_the_right_to_write_covers_the_right_to_read(microsoft: Microsoft) -> None:
    lacks(microsoft, "UserAuthenticationMethod.Read.All")
    checks = await MICROSOFT.check(await microsoft.connect())
    assert one(checks, "Permission UserAuthenticationMethod.Read.All").ok
    lacks(microsoft, "UserAuthenticationMethod.ReadWrite.All")
    checks = await MICROSOFT.check(await microsoft.connect())
    assert not one(checks, "Permission UserAuthenticationMethod.Read.All").ok


async def test_without_the_role_administrators_stay_a_persons_task(microsoft: Microsoft) -> None:
    checks = await MICROSOFT.check(await microsoft.connect())
    assert wrong(checks) == ["Role for administrators' accounts"]
    role = one(checks, "Role for administrators' accounts")
    assert not role.wrong, "a provider may leave it so"
    assert "everybody else is locked out all the same" in role.said
    assert "Privileged Authentication Administrator or Global Administrator" in role.fix


async def test_a_role_nobody_lets_us_read_is_not_called_missing(microsoft: Microsoft) -> None:
    lacks(microsoft, "RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "Directory.Read.All")
    role = one(await MICROSOFT.check(await microsoft.connect()), "Role for administrators' accounts")
    assert role.ok
    assert role.said.startswith("Not verified")


async def test_a_directory_that_can_not_be_read_stops_everything(microsoft: Microsoft) -> None:
    lacks(microsoft, "User.Read.All", "Directory.Read.All", "User.ReadWrite.All")
    directory = one(await MICROSOFT.check(await microsoft.connect()), "Directory")
    assert not directory.ok
    assert directory.fix
    assert "microsoft365.block_sign_in" in directory.steps


@pytest.mark.parametrize(("consented", "secret"), [(False, SECRET), (True, "a-wrong-secret")])
async def test_who_is_not_signed_in_is_told_why_and_no_secret(
    microsoft: Microsoft, consented: bool, secret: str
) -> None:
    microsoft.contoso.consented, microsoft.secret = consented, secret
    [check] = await MICROSOFT.check(await microsoft.connect())
    assert (check.title, check.ok) == ("Signed in", False)
    assert ("adminconsent?client_id=" in check.fix) is not consented
    assert secret not in repr(check)


async def test_a_silent_vendor_is_a_surprise(microsoft: Microsoft) -> None:
    microsoft.simulator.fail(CONTOSO, Fault("drop", calls=None))
    with pytest.raises(Unreachable):
        await MICROSOFT.check(await microsoft.connect())


# --- Exchange Online ----------------------------------------------------------------------------


async def test_exchange_with_permission_and_role_has_nothing_to_mend(office: Office) -> None:
    checks = await EXCHANGE.check(await office.connect())
    assert wrong(checks) == []
    assert one(checks, "Entra role").said.startswith("Exchange answers our cmdlets (")
    assert office.asked() == ["Get-AcceptedDomain"]


async def test_exchange_without_its_permission_names_it_and_asks_nothing_else(office: Office) -> None:
    lacks(office.microsoft, "Exchange.ManageAsApp")
    checks = await EXCHANGE.check(await office.connect())
    assert wrong(checks) == ["Permission Exchange.ManageAsApp"]
    missing = one(checks, "Permission Exchange.ManageAsApp")
    assert "exchange.stop_protocols" in missing.steps
    assert f"/{CONTOSO}/adminconsent?client_id={APPLICATION}" in missing.fix
    assert office.asked() == []


async def test_exchange_without_the_role_says_that_consent_is_not_enough(office: Office) -> None:
    office.simulator.organisations[CONTOSO].role = False
    checks = await EXCHANGE.check(await office.connect())
    assert wrong(checks) == ["Entra role"]
    assert "Consent is not enough" in one(checks, "Entra role").fix


# --- Active Directory ---------------------------------------------------------------------------


async def test_a_domain_that_takes_us_says_what_it_can_not_show(domain: World) -> None:
    checks = await DOMAIN.check(await domain.connect())
    assert wrong(checks) == []
    assert checks[0].said.startswith("LDAPS and sign-in work; our account sees ")
    assert checks[0].said.endswith(f" people in {BASE}.")
    assert one(checks, "Rights to change").said.startswith("Not verified")
    assert domain.simulated.effects == []


async def test_one_silent_controller_is_named_and_the_steps_go_on_with_the_other(domain: World) -> None:
    there = f"{domain.host}:{domain.port}"
    api = await domain.connect(servers=["localhost:1", there], connect_patience=1)
    checks = await DOMAIN.check(api)
    assert wrong(checks) == ["Server localhost:1"]
    assert one(checks, "Server localhost:1").steps == ()
    assert one(checks, f"Server {there}").ok


async def test_a_domain_nobody_reaches_stops_every_step(domain: World) -> None:
    checks = await DOMAIN.check(await domain.connect(servers=["localhost:1"], connect_patience=1))
    assert set(checks[0].steps) == {step.id for step in DOMAIN.steps}


async def test_a_wrong_password_is_tried_once(domain: World) -> None:
    servers = [f"{domain.host}:{domain.port}", f"LOCALHOST:{domain.port}"]
    api = await domain.connect(secret="not-the-password", servers=servers)
    checks = await DOMAIN.check(api)
    assert not any(check.ok for check in checks if check.title.startswith("Server"))
    assert "not-the-password" not in repr(checks)
    assert BIND_PASSWORD not in repr(checks)
    assert sum("not tried again within a minute" in check.said for check in checks) == 1


async def test_a_base_that_is_not_there_is_named(domain: World) -> None:
    base = f"OU=Nowhere,{BASE}"
    check = (await DOMAIN.check(await domain.connect(base_dn=base)))[0]
    assert not check.ok
    assert check.said == "It has no such base_dn, or lets us read nothing of it."
    assert "base_dn" in check.fix
