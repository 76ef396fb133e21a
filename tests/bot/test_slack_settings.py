"""The Slack part of clients.yml: each way it can be wrong is one sentence that names key, file and fix."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import cast

import pytest

from bot.settings import Settings, WrongSettings
from bot.slack.settings import Slack
from tests.bot.test_settings import Yaml, content, loaded

OAUTH = {"client_id": "1.2", "client_secret": "env/CLIENT_SECRET", "key": "env/KEY"}
TEAMS: dict[str, object] = {"T0MSP": "msp", "T0C": "contoso"}


def settled(folder: Path, values: Yaml) -> Settings:
    return cast("Settings", loaded(folder, values))


def slack_of(folder: Path, values: Yaml) -> Slack:
    slack = settled(folder, values).slack
    assert slack is not None
    return slack


def changed(slack: dict[str, object], person: dict[str, object] | None = None) -> Yaml:
    """The complete file, its Slack part replaced where said (None: taken out)."""
    values = copy.deepcopy(content())
    part = cast("dict[str, object]", values["slack"])
    part.update(slack)
    values["slack"] = {name: value for name, value in part.items() if value is not None}
    if person:
        cast("list[dict[str, object]]", values["people"])[0].update(person)
    return values


def test_static_tokens_alone_are_taken_as_ever(tmp_path: Path) -> None:
    slack = slack_of(tmp_path, content())
    assert slack.served == {"T0MSP", "T0C"}
    assert slack.bound == {}


def test_workspaces_may_be_bound_and_tokens_installed(tmp_path: Path) -> None:
    values = changed({"workspaces": None, "teams": TEAMS, "oauth": OAUTH})
    assert slack_of(tmp_path, values).served == {"T0MSP", "T0C"}
    assert settled(tmp_path, values).roster.bound == {"slack/T0MSP": ("msp",), "slack/T0C": ("contoso",)}
    mixed = slack_of(tmp_path, changed({"workspaces": {"T0MSP": "env/TOKEN"}, "teams": TEAMS, "oauth": OAUTH}))
    assert mixed.served == {"T0MSP", "T0C"}


def test_a_workspace_may_be_several_clients(tmp_path: Path) -> None:
    values = changed({"teams": {**TEAMS, "T0C": ["contoso", "contoso-uk"]}})
    clients = cast("list[dict[str, object]]", values["clients"])
    clients.append({**clients[0], "id": "contoso-uk", "name": "Contoso UK"})
    assert settled(tmp_path, values).roster.bound["slack/T0C"] == ("contoso", "contoso-uk")


def test_socket_mode_needs_no_signing_secret(tmp_path: Path) -> None:
    slack = slack_of(tmp_path, changed({"signing_secret": None, "app_token": "env/APP_TOKEN"}))
    assert (slack.app_token, slack.signing_secret) == ("env/APP_TOKEN", "")


def test_secrets_may_lie_in_a_vault(tmp_path: Path) -> None:
    values = changed({"signing_secret": "keyvault/northwind/slack-signing"})
    systems = cast("list[dict[str, dict[str, dict[str, object]]]]", values["clients"])[0]["systems"]
    systems["microsoft365"]["client_secret"] = "keyvault/northwind/contoso-m365"
    cast("dict[str, object]", values["msp"])["pager"] = "keyvault/northwind/pager"
    assert set(settled(tmp_path, values).vault_references) == {
        "keyvault/northwind/slack-signing",
        "keyvault/northwind/contoso-m365",
        "keyvault/northwind/pager",
    }


@pytest.mark.parametrize(
    ("slack", "sentence"),
    [
        ({"signing_secret": None}, r"slack: give exactly one of signing_secret .* and app_token"),
        ({"app_token": "env/APP_TOKEN"}, r"slack: give exactly one of signing_secret .* and app_token"),
        ({"workspaces": None}, r"slack: give workspaces, team id and its bot token, or oauth"),
        ({"oauth": OAUTH}, r"slack: teams is missing: only workspaces that stand there may install"),
        ({"app_token": "xapp-very-secret", "signing_secret": None}, r"slack\.app_token: write a reference"),
        ({"teams": TEAMS, "oauth": {**OAUTH, "key": "very-secret"}}, r"slack\.oauth\.key: write a reference"),
        ({"teams": TEAMS, "oauth": {"client_id": "1.2"}}, r"slack\.oauth\.client_secret: it is missing"),
        ({"teams": TEAMS, "oauth": {**OAUTH, "scopes": "admin"}}, r"slack\.oauth\.scopes: it is not known"),
        ({"teams": ["T0MSP"]}, r"slack\.teams: must be a block of keys"),
        ({"teams": {**TEAMS, "T0C": 7}}, r"slack\.teams\.T0C: must be a list"),
        ({"teams": {"T0MSP": "msp"}}, r"slack\.teams\.T0C: it is missing: say whose workspace that is"),
        ({"teams": {**TEAMS, "T0C": "fabrikam"}}, r"slack\.teams\.T0C: 'fabrikam' is no client"),
        ({"teams": {**TEAMS, "T0C": []}}, r"slack\.teams\.T0C: must be a client's id, a list of them, or msp alone"),
        ({"teams": {**TEAMS, "T0C": ["contoso", "msp"]}}, r"slack\.teams\.T0C: must be .* or msp alone"),
        ({"teams": {**TEAMS, "E0ORG": "contoso"}}, r"slack\.teams\.E0ORG: must be a workspace's id"),
        ({"teams": {**TEAMS, "T0MSP": "contoso"}}, r"msp\.technicians\.workspace: T0MSP must be msp in slack\.teams"),
        ({"teams": {"T0C": "contoso"}, "oauth": OAUTH, "workspaces": None}, r"T0MSP is not in slack\.teams"),
    ],
)
def test_one_sentence_names_the_key_and_the_fix(tmp_path: Path, slack: dict[str, object], sentence: str) -> None:
    with pytest.raises(WrongSettings, match=sentence) as wrong:
        settled(tmp_path, changed(slack))
    assert "clients.yml" in str(wrong.value)
    assert "very-secret" not in str(wrong.value)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    ("person", "sentence"),
    [
        ({"technician": True}, r"the first one is in T0C, which is not msp's in slack\.teams"),
        ({"admin": True}, r"the first one is in T0C, which is not msp's"),
        ({"billing": True}, r"the first one is in T0C, which is not msp's"),
        ({"manages": [], "sees_all": ["northwind"]}, r"from where nobody acts for northwind"),
        ({"identities": ["slack/T0X/U1"]}, r"T0X is not in slack\.workspaces"),
    ],
)
def test_a_right_nobody_could_use_from_where_they_are_written_to_is_refused(
    tmp_path: Path, person: dict[str, object], sentence: str
) -> None:
    values = changed({"teams": TEAMS}, person)
    clients = cast("list[dict[str, object]]", values["clients"])
    clients.append({**clients[0], "id": "northwind", "name": "Northwind", "own": True})
    with pytest.raises(WrongSettings, match=rf"people\.maria\.identities: .*{sentence}"):
        settled(tmp_path, values)


def test_a_technician_may_have_an_account_at_a_client_as_well(tmp_path: Path) -> None:
    values = changed({"teams": TEAMS}, {"technician": True, "identities": ["slack/T0MSP/U1", "slack/T0C/U2"]})
    assert settled(tmp_path, values).roster.people[0].technician


@pytest.mark.parametrize(
    "reference",
    [
        "keyvault/northwind",
        "keyvault/north.wind/x",
        "keyvault/northwind/a/b",
        "keyvault/northwind/a?b",
        "keyvault/1v/x",
    ],
)
def test_a_vault_reference_that_could_lead_elsewhere_is_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(WrongSettings, match=r"slack\.signing_secret: write keyvault/VAULT/NAME") as wrong:
        settled(tmp_path, changed({"signing_secret": reference}))
    assert reference not in str(wrong.value)
