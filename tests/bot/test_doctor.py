"""`offboard doctor` and `offboard clients check`: what is read, what can be parsed, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest
import yaml

from bot.clients_check import check, in_words
from bot.doctor import SCREEN, WIDTH, in_json
from bot.doctor import in_words as examined_in_words
from bot.lab.fake_slack import FakeSlack
from bot.settings import Settings, load
from connectors.contract import Check
from connectors.microsoft365.simulated_people import CONTOSO, SECRET
from connectors.microsoft365.simulator import SimulatedMicrosoft
from connectors.registry import Registry
from handlers.doctor import Examined
from handlers.people import Client
from handlers.plan.queue import DbosQueue
from handlers.plausible import remarks
from tests.bot.test_settings import Yaml, content
from tests.toy import CloseAccount, Toy, ToyWorld
from tests.world import roster

ROOT = Path(__file__).parents[2]
SECRETS = {"SLACK_SIGNING_SECRET": "s", "SLACK_TOKEN": "xoxb-1", "SLACK_TOKEN_C": "xoxb-2", "CONTOSO_SECRET": SECRET}
LINK = "https://login.microsoftonline.com/tenant/adminconsent?client_id=00000000-0000-4000-8000-000000000001"
LOST = Check("Permission toy.doors", ok=False, said="Our token lacks it.", fix=f"Consent: {LINK}",
             steps=("toy.take_badges", "toy.close_account"))  # fmt: skip
FINE = Check("Signed in", ok=True)
UNPROVED = Check("Rights to change", ok=True, said="Not verified: nothing short of a change shows them.")


async def runs(arguments: tuple[str, ...], own: Mapping[str, str]) -> tuple[int, str, str]:
    """Exit code, output and errors of the command line."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFBOARD_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        cwd=ROOT,
        env={**kept, **SECRETS, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, error = await process.communicate()
    return process.returncode or 0, out.decode(), error.decode()


# --- doctor -------------------------------------------------------------------------------------


def examined(*checks: Check, client: str = "contoso", dry_run: bool = False) -> Examined:
    return Examined(Client(id=client, name=client.title(), dry_run=dry_run), "toy", "Toy Directory", checks)


def test_what_is_wrong_stands_first_with_its_steps_and_the_whole_link() -> None:
    registry = Registry((Toy(ToyWorld()),))
    lines = examined_in_words((examined(FINE, client="fabrikam"), examined(FINE, LOST, UNPROVED)), registry).split("\n")
    assert lines[0] == "Contoso (contoso): 1 thing to mend"
    assert lines[1] == "  ❌ Toy Directory  Permission toy.doors: Our token lacks it."
    assert lines[2].strip() == "Without it not: Take the badge off every door, Close the account"
    assert lines[3].strip() == "→ Consent:"
    assert lines[4].strip() == LINK
    assert lines[5] == "  ✅ Toy Directory  Signed in, Rights to change (not verified)"
    assert lines[7] == "Fabrikam (fabrikam): as it should be"


def test_what_may_stay_as_it_is_is_told_and_nothing_is_wrong() -> None:
    spared = Check("Role", ok=False, said="It has none.", fix="Give it one, or live with it.", choice=True,
                   steps=("toy.take_badges",))  # fmt: skip
    found = examined(FINE, spared)
    lines = examined_in_words((found,), Registry((Toy(ToyWorld()),))).split("\n")
    assert found.wrong == 0
    assert lines == [
        "Contoso (contoso): as it should be",
        "  ➖ Toy Directory  Role: It has none.",
        "                    Without it not: Take the badge off every door",
        "                    → Give it one, or live with it.",
        "  ✅ Toy Directory  Signed in",
    ]


def test_each_client_takes_one_screen_at_most() -> None:
    lost = [Check(f"Permission no. {number}", ok=False, said=f"Lost {number}.", fix="Mend it.") for number in range(99)]
    lines = examined_in_words((examined(*lost),), Registry((Toy(ToyWorld()),))).split("\n")
    assert len(lines) == SCREEN
    assert lines[-1].endswith("offboard doctor --client contoso --json")
    assert all(len(line) <= WIDTH for line in lines)


def test_the_document_goes_from_client_to_system_to_checks() -> None:
    told = json.loads(in_json((examined(FINE, LOST),)))
    assert told["contoso"]["toy"][1] == {
        "title": "Permission toy.doors",
        "ok": False,
        "said": "Our token lacks it.",
        "fix": f"Consent: {LINK}",
        "steps": ["toy.take_badges", "toy.close_account"],
        "choice": False,
    }


def written(folder: Path, values: Yaml) -> dict[str, str]:
    file = folder / "clients.yml"
    file.write_text(yaml.safe_dump(values))
    return {"OFFBOARD_CLIENTS": str(file), "OFFBOARD_DATABASE": f"sqlite:///{folder / 'offboard.db'}"}


async def test_it_asks_beside_a_running_service_and_touches_no_database(tmp_path: Path) -> None:
    slack = FakeSlack("s")
    for team, token in (("T0MSP", "xoxb-1"), ("T0C", "xoxb-2")):
        slack.workspace(team, team, token=token)
    async with SimulatedMicrosoft() as microsoft:
        values = content()
        cast("Yaml", values["slack"])["base_url"] = await slack.start()
        systems = {"microsoft365": {**microsoft.settings(CONTOSO), "client_secret": "env/CONTOSO_SECRET"}}
        values["clients"] = [{"id": "contoso", "name": "Contoso", "systems": systems}]
        own = {**written(tmp_path, values), "OFFBOARD_CA_FILE": str(microsoft.ca_file)}
        service = DbosQueue(own["OFFBOARD_DATABASE"], asyncio.sleep)
        service.hold()
        tenant = microsoft.tenants[CONTOSO]
        tenant.permissions = tuple(name for name in tenant.permissions if name != "Device.ReadWrite.All")

        code, out, error = await runs(("doctor", "--json"), own)
        assert (code, error) == (1, "")
        checks = json.loads(out)["contoso"]["microsoft365"]
        lost = next(check for check in checks if check["title"] == "Permission Device.ReadWrite.All")
        assert lost["steps"] == ["microsoft365.disable_devices"]
        assert f"/{CONTOSO}/adminconsent?client_id=" in lost["fix"]
        assert SECRET not in out
        assert microsoft.effects == []

        tenant.permissions = (*tenant.permissions, "Device.ReadWrite.All")
        tenant.our_roles = ("62e90394-69f5-4237-9190-012177145e10",)
        code, out, error = await runs(("doctor", "--client", "contoso"), own)
        assert (code, error) == (0, "")
        assert out.startswith("Contoso (contoso), dry run: as it should be\n")
        service.release()
        await slack.stop()
    assert not (tmp_path / "offboard.db").exists()


async def test_a_client_nobody_knows_is_one_sentence(tmp_path: Path) -> None:
    code, _, error = await runs(("doctor", "--client", "initech"), written(tmp_path, content()))
    assert code == 2
    assert error.startswith("There is no client 'initech' in ")
    assert error.endswith("use one of contoso.\n")


# --- clients check ------------------------------------------------------------------------------


def settings(folder: Path, values: Yaml) -> Settings:
    return load(written(folder, values))


def everybody() -> Yaml:
    """Nothing to mend: a technician approves, a manager asks, and it is no dry run."""
    values = content()
    sam = {"id": "sam", "name": "Sam Lee", "identities": ["slack/T0MSP/U2"], "technician": True}
    values["people"] = [*cast("list[Yaml]", values["people"]), sam]
    client = cast("list[Yaml]", values["clients"])[0]
    client["dry_run"] = False
    return values


async def test_a_file_with_everything_ends_well_and_prints_no_secret(tmp_path: Path) -> None:
    code, out, error = await runs(("clients", "check"), written(tmp_path, everybody()))
    assert (code, error) == (0, "")
    assert out.endswith("clients.yml: 1 client, 2 people, nothing to mend.\n")
    assert "xoxb" not in out


async def test_a_secret_that_is_not_there_is_named_with_its_key(tmp_path: Path) -> None:
    own = {**written(tmp_path, everybody()), "CONTOSO_SECRET": ""}
    code, out, _ = await runs(("clients", "check"), own)
    assert code == 1
    assert out.startswith(
        "❌ clients.contoso.systems.microsoft365.client_secret: The secret env/CONTOSO_SECRET is empty: "
        "set the environment variable CONTOSO_SECRET.\n"
    )


async def test_a_file_that_can_not_be_read_is_one_sentence(tmp_path: Path) -> None:
    code, out, error = await runs(("clients", "check"), {"OFFBOARD_CLIENTS": str(tmp_path / "none.yml")})
    assert (code, out, error.count("\n")) == (2, "", 1)


@pytest.fixture
def secrets_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("secrets_there")
def test_a_secret_in_a_vault_is_left_to_the_doctor(tmp_path: Path) -> None:
    values = everybody()
    cast("Yaml", values["slack"])["signing_secret"] = "keyvault/offboard/signing"
    [remark] = check(settings(tmp_path, values), Registry())
    assert (remark.key, remark.wrong) == ("slack.signing_secret", False)
    assert "offboard doctor does" in remark.sentence


@pytest.mark.usefixtures("secrets_there")
def test_keys_the_service_would_not_take_are_named(tmp_path: Path) -> None:
    values = everybody()
    (tmp_path / "sam.key").write_text("x" * 40)
    (tmp_path / "ada.key").write_text("x" * 40)
    (tmp_path / "tom.key").write_text("short-one")
    sam = cast("list[Yaml]", values["people"])[1]
    sam["key"] = f"file/{tmp_path / 'sam.key'}"
    for name in ("ada", "tom"):
        one = {**sam, "id": name, "name": name, "identities": [f"slack/T0MSP/{name}"]}
        cast("list[Yaml]", values["people"]).append({**one, "key": f"file/{tmp_path / f'{name}.key'}"})
    found = check(settings(tmp_path, values), Registry())
    assert [(one.key, one.wrong) for one in found] == [("people.ada.key", True), ("people.tom.key", True)]
    said = in_words(settings(tmp_path, values), found)
    assert "sam has the same one, so neither is used" in said
    assert "fewer than 32 characters" in said
    assert "short-one" not in said


# --- who may what -------------------------------------------------------------------------------


def said(only: tuple[str, ...], toy: Toy | None = None, **changes: object) -> list[str]:
    """What is remarked about Contoso when only these people are there."""
    people = roster(**changes)
    people = people.model_copy(update={"people": tuple(one for one in people.people if one.id in only)})
    found = remarks(people, Registry((toy or Toy(ToyWorld()),)))
    return [f"{'!' if one.wrong else ''}{one.sentence}" for one in found if one.key.startswith("clients.contoso")]


def test_nobody_who_may_approve_is_wrong() -> None:
    assert "!nobody may approve its cases: add a technician or an admin." in said(("maria", "bill"))
    assert said(("maria", "sam", "bill")) == []


def test_only_the_one_who_asks_may_approve_is_wrong() -> None:
    people = roster()
    lone = people.people[4].model_copy(update={"manages": ("own",)})
    people = people.model_copy(update={"people": (lone,)})
    found = [one for one in remarks(people, Registry((Toy(ToyWorld()),))) if one.key == "clients.own"]
    assert [one.wrong for one in found] == [True]
    assert found[0].sentence.startswith("nobody but Ada Byrne may approve, and nobody approves what they asked for")


class StopSeat(CloseAccount):
    id = "toy.stop_seat"
    money = True


class Paid(Toy):
    """A toy whose step changes what is paid."""

    steps = (StopSeat(),)


def test_a_bill_nobody_may_approve_is_wrong() -> None:
    [wrong] = said(("maria", "sam"), Paid(ToyWorld()))
    assert wrong.startswith("!Toy Directory would change what is paid, and nobody may approve that: give somebody")
    assert said(("maria", "sam", "bill"), Paid(ToyWorld())) == []
    assert said(("maria", "sam"), Paid(ToyWorld()), money="waived") == []


def test_a_client_without_a_manager_and_a_dry_run_are_worth_knowing() -> None:
    assert said(("sam",)) == ["it has no manager: a technician enters every case for a caller."]
    assert said(("maria", "sam"), dry_run=True) == [
        "everything is shown and nothing is changed: set dry_run: false to begin."
    ]


def test_a_client_nobody_can_be_found_at_is_wrong() -> None:
    assert "!none of them can be searched for people, so no case can begin." in said(("maria", "sam"), systems={})


def test_somebody_who_may_do_nothing_is_worth_knowing() -> None:
    people = roster()
    idle = people.people[0].model_copy(update={"manages": ()})
    people = people.model_copy(update={"people": (idle, *people.people[2:])})
    found = [one for one in remarks(people, Registry((Toy(ToyWorld()),))) if one.key == "people.maria"]
    assert [one.sentence for one in found] == ["Maria Lopez may do nothing: add what they may, or take them out."]
