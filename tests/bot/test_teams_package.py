"""The app package can be uploaded as it is, asks for nothing, and stays out of clients' channels."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import cast

import jsonschema
import pytest
import yaml

from bot.teams.package import WrongPackage, package
from handlers.commands import COMMANDS
from tests.bot.teams import APP
from tests.bot.test_settings import content
from tests.bot.test_teams_settings import in_teams

SITE = "https://northwind.example"
MSP = "Northwind IT"
ROOT = Path(__file__).parents[2]


def unpacked(*, own: bool = False, msp: str = "Northwind IT") -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package(APP, msp, SITE, own=own))) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def manifest(*, own: bool = False, msp: str = "Northwind IT") -> dict[str, object]:
    return json.loads(unpacked(own=own, msp=msp)["manifest.json"])


def bot(found: dict[str, object]) -> dict[str, object]:
    return cast("list[dict[str, object]]", found["bots"])[0]


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("msp", ["Northwind IT", "Ζ" * 200, "A\u202e\n  B"])
def test_the_manifest_keeps_to_microsofts_schema(specs: Path, msp: str, own: bool) -> None:
    schema = json.loads((specs / "teams-manifest.schema.json").read_text(encoding="utf-8"))
    found = manifest(own=own, msp=msp)
    jsonschema.Draft4Validator(schema).validate(found)
    assert found["manifestVersion"] == schema["properties"]["manifestVersion"]["const"]
    assert found["$schema"] == f"https://developer.microsoft.com/json-schemas/teams/v{found['manifestVersion']}" + (
        "/MicrosoftTeams.schema.json"
    )


def test_at_a_client_nobody_can_mention_the_bot_in_a_channel() -> None:
    found = manifest()
    assert bot(found)["scopes"] == ["personal"]
    assert "supportsChannelFeatures" not in found
    own = manifest(own=True)
    assert bot(own)["scopes"] == ["personal", "team"]
    assert own["supportsChannelFeatures"] == "tier1"


@pytest.mark.parametrize("own", [False, True])
def test_it_asks_for_no_permission_and_no_domain(own: bool) -> None:
    found = manifest(own=own)
    assert found["validDomains"] == []
    assert not {"permissions", "authorization", "webApplicationInfo", "devicePermissions"} & set(found)
    assert "supportsSessions" not in json.dumps(found)


def test_it_offers_the_commands_handlers_know_where_they_are_private() -> None:
    def offered(*, own: bool) -> tuple[str, ...]:
        [listed] = cast("list[dict[str, object]]", bot(manifest(own=own))["commandLists"])
        assert listed["scopes"] == ["personal"]
        return tuple(str(one["title"]) for one in cast("list[dict[str, object]]", listed["commands"]))

    assert offered(own=True) == tuple(COMMANDS)
    assert set(offered(own=False)) < set(COMMANDS), "the doctor is the provider's admins'"


def test_it_is_the_same_to_the_byte_and_known_by_the_same_id() -> None:
    assert package(APP, "Northwind IT", SITE) == package(APP, "Northwind IT", SITE)
    ids = {own: manifest(own=own)["id"] for own in (False, True)}
    assert ids[False] != ids[True]
    assert ids[False] == manifest(msp="Another name")["id"]
    assert bot(manifest())["botId"] == APP


@pytest.mark.parametrize(("name", "size"), [("color.png", 192), ("outline.png", 32)])
def test_the_icons_are_pictures_of_microsofts_size(name: str, size: int) -> None:
    picture = unpacked()[name]
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, kind = struct.unpack(">IIBB", picture[16:26])
    assert (width, height, depth, kind) == (size, size, 8, 6)
    rows = zlib.decompress(picture[picture.index(b"IDAT") + 4 : picture.index(b"IEND") - 8])
    pixels = [
        tuple(rows[at : at + 4])
        for row in range(size)
        for at in range(row * (1 + 4 * size) + 1, (row + 1) * (1 + 4 * size), 4)
    ]
    if name == "outline.png":
        assert {pixel[:3] for pixel in pixels} == {(255, 255, 255)}, "white, and nothing else"
        assert {0, 255} < {pixel[3] for pixel in pixels}
    else:
        assert {pixel[3] for pixel in pixels} == {255}
        assert {(0x1F, 0x3A, 0x5F, 255), (255, 255, 255, 255)} < set(pixels)


@pytest.mark.parametrize(
    ("app_id", "website", "sentence"),
    [(APP, "http://a.example", "--website must be"), (APP, "", "--website must be"), ("bot", SITE, "'bot' is no")],
)
def test_what_can_not_be_packed_is_said_in_one_sentence(app_id: str, website: str, sentence: str) -> None:
    with pytest.raises(WrongPackage, match=sentence):
        package(app_id, "Northwind IT", website)


def offboard(folder: Path, *words: str, values: object) -> subprocess.CompletedProcess[str]:
    (folder / "clients.yml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "bot", "teams", "package", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OFFBOARD_CLIENTS": "clients.yml"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_writes_the_file_and_says_what_to_do_with_it(tmp_path: Path) -> None:
    said = offboard(tmp_path, "--website", SITE, values=in_teams())
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("offboard-teams.zip is ready to upload: a client tenant")
    assert (tmp_path / "offboard-teams.zip").read_bytes() == package(APP, MSP, SITE)
    assert offboard(tmp_path, "--website", SITE, "--own", "--out", "x.zip", values=in_teams()).returncode == 0
    assert (tmp_path / "x.zip").exists()


def test_the_command_stops_with_one_sentence(tmp_path: Path) -> None:
    said = offboard(tmp_path, "--website", SITE, values=content())
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert "clients.yml has no teams block" in said.stderr
    said = offboard(tmp_path, "--website", SITE, "--out", "no/such/folder.zip", values=in_teams())
    assert said.stderr.startswith("no/such/folder.zip can't be written")
