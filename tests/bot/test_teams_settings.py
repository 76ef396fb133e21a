"""The Teams part of clients.yml: each way it can be wrong is one sentence that names key, file and fix."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from bot.app import build
from bot.clients_check import check
from bot.settings import Settings, WrongSettings
from connectors.registry import Registry
from tests.bot.teams import APP, CONTOSO, HOME, MARIA, THEO
from tests.bot.test_settings import Yaml, content, loaded

ROOT = Path(__file__).parents[2]
TEAMS: dict[str, object] = {
    "app_id": APP,
    "tenant": HOME,
    "secret": "env/BOT_SECRET",
    "tenants": {HOME: "msp", CONTOSO: "contoso"},
}
CHANNEL = {"platform": "teams", "workspace": HOME, "channel": "19:technicians@thread.tacv2"}
ADMINS = {**CHANNEL, "channel": "19:admins@thread.tacv2"}


def in_teams(teams: dict[str, object] | None = None, person: dict[str, object] | None = None) -> Yaml:
    """A file of which everybody is in Teams; parts replaced where said (None: taken out)."""
    values = copy.deepcopy(content())
    del values["slack"]
    part = {**TEAMS, **(teams or {})}
    values["teams"] = {name: value for name, value in part.items() if value is not None}
    cast("dict[str, object]", values["msp"]).update(technicians={**CHANNEL}, admins={**ADMINS})
    maria = cast("list[dict[str, object]]", values["people"])[0]
    maria.update({"identities": [f"teams/{CONTOSO}/{MARIA}"], **(person or {})})
    return values


def settled(folder: Path, values: Yaml | str, **environ: str) -> Settings:
    return cast("Settings", loaded(folder, values, **environ))


def test_teams_alone_is_enough(tmp_path: Path) -> None:
    settings = settled(tmp_path, in_teams())
    assert settings.slack is None
    assert settings.teams is not None
    assert settings.roster.bound == {f"teams/{HOME}": ("msp",), f"teams/{CONTOSO}": ("contoso",)}


def test_slack_alone_is_taken_as_ever(tmp_path: Path) -> None:
    assert settled(tmp_path, content()).teams is None


def test_a_person_may_be_in_slack_and_in_teams(tmp_path: Path) -> None:
    values = content()
    values["teams"] = TEAMS
    people = cast("list[dict[str, object]]", values["people"])
    people[0]["identities"] = ["slack/T0C/U1", f"teams/{CONTOSO}/{MARIA}"]
    people.append({"id": "theo", "name": "Theo", "identities": [f"teams/{HOME}/{THEO}"], "technician": True})
    msp = cast("dict[str, object]", values["msp"])
    msp["admins"] = ADMINS
    settings = settled(tmp_path, values)
    assert list(settings.platforms) == ["slack", "teams"]
    assert settings.roster.msp.technicians.platform == "slack"


def test_the_secret_may_lie_in_a_vault(tmp_path: Path) -> None:
    values = in_teams({"secret": "keyvault/northwind/teams-bot"})
    assert settled(tmp_path, values).vault_references == ("keyvault/northwind/teams-bot",)


def test_a_managed_identity_needs_no_secret(tmp_path: Path) -> None:
    teams = settled(tmp_path, in_teams({"secret": None, "managed_identity": True})).teams
    assert teams is not None
    assert teams.application.managed_identity


@pytest.mark.parametrize(
    ("teams", "sentence"),
    [
        ({"app_id": "offboard"}, r"teams\.app_id: must be an id"),
        ({"app_id": None}, r"teams\.app_id: it is missing"),
        ({"tenant": "northwind.example"}, r"teams\.tenant: must be an id"),
        ({"secret": "very-secret"}, r"teams\.secret: write a reference"),
        ({"secret": None}, r"teams: give exactly one of secret, certificate and managed_identity: true"),
        ({"certificate": "file/bot.pem"}, r"teams: give exactly one of secret, certificate"),
        ({"managed_identity": True}, r"teams: give exactly one of secret, certificate"),
        ({"managed_identity": "perhaps"}, r"teams\.managed_identity: must be true or false"),
        ({"no_authentication": True}, r"teams: no_authentication signs in nowhere: remove secret"),
        ({"tenants": None}, r"teams\.tenants: it is missing"),
        ({"tenants": {}}, r"teams\.tenants: name at least one tenant"),
        ({"tenants": [HOME]}, r"teams\.tenants: must be a block of keys"),
        ({"tenants": {HOME: "msp", "contoso.example": "contoso"}}, r"teams\.tenants: 'contoso\.example' must be a"),
        ({"tenants": {HOME.upper().replace("5", "A"): "msp"}}, r"teams\.tenants: .* in small letters"),
        ({"tenants": {HOME: "msp", CONTOSO: 7}}, r"teams\.tenants\..*: must be a list"),
        ({"tenants": {HOME: "msp", CONTOSO: []}}, r"must be a client's id, a list of them, or msp alone"),
        ({"tenants": {HOME: ["msp", "contoso"]}}, r"or msp alone|must be msp in teams\.tenants"),
        ({"tenants": {HOME: "msp", CONTOSO: "fabrikam"}}, r"'fabrikam' is no client: use its id, or msp"),
        ({"tenants": {HOME: "contoso", CONTOSO: "contoso"}}, r"msp\.technicians\.workspace: .* must be msp in teams"),
        ({"tenants": {HOME: "msp"}}, rf"people\.maria\.identities: {CONTOSO} is not in teams\.tenants"),
        ({"service_hosts": ["https://smba.trafficmanager.net/"]}, r"teams\.service_hosts: must be host names"),
        ({"service_hosts": []}, r"teams\.service_hosts: must be host names"),
        ({"service_hosts": ["smba.infra.gcc.teams.microsoft.com"]}, r"service_hosts must name the host of service_url"),
        ({"service_url": "http://smba.trafficmanager.net/teams/"}, r"teams\.service_url: must be an https address"),
        ({"authority": "http://login.example"}, r"teams\.authority: must be an https address"),
        ({"open_id": "ftp://login.example"}, r"teams\.open_id: must be an https address"),
        ({"colour": "red"}, r"teams\.colour: it is not known"),
    ],
)
def test_one_sentence_names_the_key_and_the_fix(tmp_path: Path, teams: dict[str, object], sentence: str) -> None:
    with pytest.raises(WrongSettings, match=sentence) as wrong:
        settled(tmp_path, in_teams(teams))
    assert "clients.yml" in str(wrong.value)
    assert "very-secret" not in str(wrong.value)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    ("person", "sentence"),
    [
        ({"technician": True}, rf"the first one is in {CONTOSO}, which is not msp's in teams\.tenants"),
        ({"identities": ["slack/T0C/U1"]}, r"'slack/T0C/U1' must begin with teams/"),
        ({"identities": [f"teams/{CONTOSO}/maria"]}, r"must be written teams/TENANT/USER, both ids in small letters"),
        ({"identities": [f"teams/{CONTOSO}/{MARIA.upper()}"]}, r"both ids in small letters"),
    ],
)
def test_a_person_nobody_would_recognise_is_refused(tmp_path: Path, person: dict[str, object], sentence: str) -> None:
    with pytest.raises(WrongSettings, match=rf"people\.maria\.identities: .*{sentence}"):
        settled(tmp_path, in_teams(person=person))


def test_a_channel_is_named_by_its_id(tmp_path: Path) -> None:
    values = in_teams()
    cast("dict[str, dict[str, object]]", values["msp"])["technicians"]["channel"] = "technicians"
    with pytest.raises(
        WrongSettings, match=r"msp\.technicians\.channel: must be the channel's id, which begins with 19:"
    ):
        settled(tmp_path, values)


def test_with_both_platforms_a_third_is_refused_by_name(tmp_path: Path) -> None:
    values = content()
    values["teams"] = TEAMS
    cast("list[dict[str, object]]", values["people"])[0]["identities"] = ["zoom/a/b"]
    with pytest.raises(WrongSettings, match=r"'zoom/a/b' must begin with slack/ or teams/"):
        settled(tmp_path, values)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "offboard.example"])  # noqa: S104 - to be refused
def test_without_authentication_the_start_is_refused_unless_on_this_machine_alone(tmp_path: Path, host: str) -> None:
    values = in_teams({"secret": None, "no_authentication": True})
    with pytest.raises(WrongSettings, match=r"teams\.no_authentication: takes requests from anybody.* listens on "):
        settled(tmp_path, values, OFFBOARD_HOST=host)
    for here in ("127.0.0.1", "::1", "localhost"):
        assert settled(tmp_path, values, OFFBOARD_HOST=here).teams


def test_a_missing_secret_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOT_SECRET", raising=False)
    settings = settled(tmp_path, in_teams(), OFFBOARD_DATABASE=f"sqlite:///{tmp_path / 'offboard.db'}")
    with pytest.raises(WrongSettings, match="set the environment variable BOT_SECRET"):
        build(settings)


def test_clients_check_looks_at_the_bots_secret_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOT_SECRET", raising=False)
    found = check(settled(tmp_path, in_teams()), Registry())
    assert any(one.wrong and one.key == "teams.secret" for one in found)


def test_a_service_for_slack_alone_loads_nothing_of_the_bot_framework(tmp_path: Path) -> None:
    code = (
        "import sys, bot.__main__, bot.app, bot.settings; "
        "print([name for name in ('botbuilder', 'botframework', 'msrest', 'msal') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"


def test_the_example_is_taken_as_it_stands_once_its_hashes_are_gone(tmp_path: Path) -> None:
    text = (ROOT / "clients.example.yml").read_text(encoding="utf-8")
    head, _, rest = text.partition("\n# teams:\n")
    block, end, tail = rest.partition("\n\n# --- your company")
    lines = [line.removeprefix("# ") for line in block.splitlines()]
    settings = settled(tmp_path, "\n".join([head, "teams:", *(line for line in lines if "#" not in line)]) + end + tail)
    assert settings.teams is not None
    assert settings.teams.bound["teams/11111111-2222-4333-8444-555555555555"] == ("contoso",)
