"""Settings and values of the domain: bad ones are one clear sentence."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from connectors.active_directory import simulated_names as names
from connectors.active_directory.filters import moment, sid_text
from connectors.active_directory.settings import ActiveDirectorySettings

PLAIN: dict[str, object] = {
    "servers": ["dc1.corp.contoso.example", "DC2.corp.contoso.example:3636"],
    "bind_name": "offboard@corp.contoso.example",
    "bind_password": "env/CONTOSO_DOMAIN",
}


def test_servers_are_tried_in_order_and_636_is_the_port() -> None:
    settings = ActiveDirectorySettings.model_validate(PLAIN)
    assert settings.addresses == (("dc1.corp.contoso.example", 636), ("dc2.corp.contoso.example", 3636))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("servers", [], "at least 1 item"),
        ("servers", ["ldap://dc1.corp.example"], "it is always LDAPS"),
        ("servers", ["ldaps://dc1.corp.example"], "write the host name alone"),
        ("servers", ["dc1.corp.example:389"], "passwords travel: use 636"),
        ("servers", ["dc1 corp"], "host name of a domain controller"),
        ("servers", ["dc1:99999"], "host name of a domain controller"),
        ("base_dn", "corp.contoso.example", "DC=corp,DC=contoso,DC=example"),
        ("bind_name", "offboard", "must be a sign-in name"),
        ("bind_password", "hunter2", "never the secret itself"),
        ("ca_certificate", "-----BEGIN CERTIFICATE-----", "write a reference"),
        ("protected", ["jane@contoso.example"], "sAMAccountName or an objectGUID"),
        ("protected", [" "], "sAMAccountName or an objectGUID"),
        ("patience", 0, "greater than 0"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(name: str, value: object, sentence: str) -> None:
    with pytest.raises(ValidationError) as told:
        ActiveDirectorySettings.model_validate({**PLAIN, name: value})
    assert sentence in str(told.value)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("name", ["offboard@corp.example", "CORP\\offboard", "CN=Offboard Bot,CN=Users,DC=corp"])
def test_each_form_of_a_sign_in_name_is_taken(name: str) -> None:
    assert ActiveDirectorySettings.model_validate({**PLAIN, "bind_name": name}).bind_name == name


def test_a_protected_guid_is_compared_in_its_plain_form() -> None:
    given = "{C0000000-0000-4000-8000-0000000000A9}"
    settings = ActiveDirectorySettings.model_validate({**PLAIN, "protected": [given, "KrbTGT"]})
    assert settings.protected == ("c0000000-0000-4000-8000-0000000000a9", "krbtgt")


def test_a_sid_is_written_as_people_write_it() -> None:
    assert sid_text(bytes.fromhex("01020000000000052000000020020000")) == "S-1-5-32-544"


def test_never_and_not_set_are_no_time() -> None:
    assert [moment(None), moment(0), moment(0x7FFF_FFFF_FFFF_FFFF)] == [None, None, None]
    told = moment(134_400_000_000_000_000)
    assert told is not None
    assert told.isoformat() == "2026-11-24T13:20:00+00:00"


@pytest.mark.parametrize("value", ["Doe, Jane", "#1", " lead", "trail ", 'a"b<c>;d+e=f\\g', "Zoë", "a,b\\,c"])
def test_the_stand_in_reads_the_names_it_writes(value: str) -> None:
    assert names.path(f"CN={names.escaped(value)},DC=x") == (f"cn={value.casefold()}", "dc=x")
