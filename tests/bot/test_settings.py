"""A wrong key stops the start with one sentence that names key, file and fix, and never a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bot.settings import WrongSettings, load, resolve_secret
from connectors.references import check_reference

Yaml = dict[str, object]

CHANNEL = {"platform": "slack", "workspace": "T0MSP", "channel": "C0TECH"}
ADMINS = {**CHANNEL, "channel": "C0ADMINS"}


def content() -> Yaml:
    """A complete clients.yml."""
    microsoft = {
        "tenant_id": "11111111-1111-1111-1111-111111111111",
        "client_id": "22222222-2222-2222-2222-222222222222",
        "client_secret": "env/CONTOSO_SECRET",
    }
    return {
        "slack": {
            "signing_secret": "env/SLACK_SIGNING_SECRET",
            "workspaces": {"T0MSP": "env/SLACK_TOKEN", "T0C": "env/SLACK_TOKEN_C"},
        },
        "msp": {"name": "Northwind IT", "phone": "+44 20", "technicians": {**CHANNEL}, "admins": {**ADMINS}},
        "people": [{"id": "maria", "name": "Maria", "identities": ["slack/T0C/U1"], "manages": ["contoso"]}],
        "clients": [{"id": "contoso", "name": "Contoso", "systems": {"microsoft365": microsoft}}],
    }


def loaded(folder: Path, values: Yaml | str, **environ: str) -> object:
    file = folder / "clients.yml"
    file.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return load({"OFFBOARD_CLIENTS": str(file), **environ})


def test_a_complete_file_is_taken(tmp_path: Path) -> None:
    loaded(tmp_path, content())


@pytest.mark.parametrize(
    ("where", "value", "sentence"),
    [
        (("slack", "signing_secret"), "xoxb-very-secret", r"slack\.signing_secret: write a reference such as env/NAME"),
        (("slack", "colour"), "red", r"slack\.colour: it is not known"),
        (("colour",), "red", "'colour' is not known"),
        (("msp", "phone"), None, r"msp\.phone"),
        (("people", 0, "identities"), ["maria@contoso.com"], "must be written platform/workspace/user"),
        (("people", 0, "manages"), ["nobody"], "names client 'nobody', which is not configured"),
        (("msp", "phone"), "  ", r"msp\.phone: must not be empty"),
        (("msp", "technicians", "platform"), "teams", r"msp\.technicians\.platform: must be slack"),
        (("msp", "admins", "workspace"), "T0X", r"msp\.admins\.workspace: T0X is not in slack\.workspaces"),
        (("msp", "admins", "channel"), "C0TECH", r"msp\.admins\.channel: must be another channel"),
        (("clients", 0, "defaults"), {"mailbx": "shared"}, r"clients\.contoso\.defaults\.mailbx is no question"),
        (("people", 0, "key"), "a-key-that-is-written-out-here", r"people\.maria\.key: write a reference such as env/"),
        (("people", 0, "key"), "env/KEY", r"people\.maria\.key: only technicians and admins use the command line"),
        (("people",), [], "people must be a list with at least one entry"),
        (("clients",), {"contoso": {}}, "clients must be a list with at least one entry"),
        (("people", 0, "id"), "technicians", "choose another"),
        (("people", 0, "identities"), ["slack/T0ELSEWHERE/U1"], r"people\.maria\.identities: T0ELSEWHERE is not in"),
        (("people", 0, "identities"), ["teams/T0C/U1"], r"people\.maria\.identities: 'teams/T0C/U1' must begin with"),
        (("people", 0, "identities"), "slack/T0C/U1", r"people\.maria\.identities: must be a list"),
        (("people", 0, "manages"), "contoso", r"people\.maria\.manages: must be a list"),
        (("people", 0, "technician"), "maybe", r"people\.maria\.technician: must be true or false"),
        (("people", 0, "directory"), ["x"], r"people\.maria\.directory: must be a block of keys"),
        (("people", 0), "maria", r"people\.no\. 1: must be a block of keys"),
        (("clients", 0, "lockout"), "at once", r"clients\.contoso\.lockout: must be 'approved' or 'immediate'"),
        (("clients", 0, "immediate_per_hour"), -1, r"contoso\.immediate_per_hour: must be at least 0"),
        (("clients", 0, "immediate_per_hour"), "two", r"contoso\.immediate_per_hour: must be a whole number"),
        (("clients", 0, "systems", "microsoft365", "client_id"), "offboard", r"microsoft365\.client_id: must be an id"),
        (("clients", 0, "systems", "microsoft365", "tenant_id"), "contoso", r"tenant_id: must be the tenant's id"),
        (("clients", 0, "systems", "microsoft365", "break_glass"), ["a@b.c"], r"break_glass\.no\. 1: must be an id"),
        (("clients", 0, "systems", "microsoft365", "client_secret"), "very-secret", "never the secret itself"),
        (("clients", 0, "time_zone"), "London", "is no time zone; write one such as Europe/London"),
        (
            ("clients", 0, "systems", "fax"),
            {},
            r"clients\.contoso\.systems\.fax is not known: use one of .*microsoft",
        ),
        (("clients", 0, "systems", "microsoft365", "tenant"), "x", r"microsoft365\.tenant: it is not known"),
    ],
)
def test_one_sentence_names_the_key_and_the_fix(
    tmp_path: Path, where: tuple[str | int, ...], value: object, sentence: str
) -> None:
    values = content()
    inside: object = values
    for part in where[:-1]:
        inside = inside[part]  # type: ignore[index]
    inside[where[-1]] = value  # type: ignore[index]
    with pytest.raises(WrongSettings, match=sentence) as wrong:
        loaded(tmp_path, values)
    assert "clients.yml" in str(wrong.value)
    assert "very-secret" not in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WrongSettings, match=r"copy clients\.example\.yml there"):
        load({"OFFBOARD_CLIENTS": str(tmp_path / "none.yml")})


@pytest.mark.parametrize("text", ["- a\n- b\n", "people: [\n"])
def test_a_file_that_is_no_block_or_no_yaml_says_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(WrongSettings, match=r"clients\.yml"):
        loaded(tmp_path, text)


def test_an_unknown_or_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongSettings, match="OFFBOARD_PROT is not known"):
        loaded(tmp_path, content(), OFFBOARD_PROT="1")
    with pytest.raises(WrongSettings, match="OFFBOARD_PORT is wrong"):
        loaded(tmp_path, content(), OFFBOARD_PORT="eighty")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("OFFBOARD_DATABASE", "postgresql://offboard:very-secret@db/offboard", "PostgreSQL is not supported yet"),
        ("OFFBOARD_DATABASE", "sqlite://", "write sqlite:///FILE"),
        ("OFFBOARD_DATABASE", "offboard.db", "write sqlite:///FILE"),
        ("OFFBOARD_CA_FILE", "/nowhere/ca.pem", "there is no file /nowhere/ca.pem"),
        ("OFFBOARD_PORT", "70000", "must be at most 65535"),
        ("OFFBOARD_PORT", "eighty", "must be a whole number"),
    ],
)
def test_a_variable_that_can_not_work_is_refused_in_words(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    with pytest.raises(WrongSettings, match=f"{name} is wrong: .*{sentence}") as wrong:
        loaded(tmp_path, content(), **{name: value})
    assert "very-secret" not in str(wrong.value)


def test_broken_yaml_is_placed_and_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(WrongSettings, match=r"is not valid YAML \(line \d+") as wrong:
        loaded(tmp_path, "slack:\n  signing_secret: very-secret: [\n")
    assert "very-secret" not in str(wrong.value)


def test_one_identity_belongs_to_one_person(tmp_path: Path) -> None:
    values = content()
    values["people"] = [
        {"id": "maria", "name": "Maria", "identities": ["slack/T0C/U1"]},
        {"id": "sam", "name": "Sam", "identities": ["slack/T0C/U1"], "technician": True},
    ]
    with pytest.raises(WrongSettings, match="identity 'slack/T0C/U1' is there more than once"):
        loaded(tmp_path, values)


def test_secrets_are_read_late_from_where_the_reference_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    monkeypatch.setenv("A_SECRET", "from the environment")
    assert resolve_secret("env/A_SECRET") == "from the environment"
    assert resolve_secret(f"file/{secret}") == "from a file"
    with pytest.raises(WrongSettings, match="set the environment variable NO_SUCH"):
        resolve_secret("env/NO_SUCH")
    with pytest.raises(WrongSettings, match="can't be read"):
        resolve_secret("file/none")


@pytest.mark.parametrize("value", ["xoxb-1234", "env/", "vault/x", ""])
def test_what_is_no_reference_is_refused_without_being_quoted(value: str) -> None:
    with pytest.raises(ValueError, match="never the secret itself") as wrong:
        check_reference(value)
    assert not value or value not in str(wrong.value).replace("env/NAME", "").replace("file/PATH", "")
