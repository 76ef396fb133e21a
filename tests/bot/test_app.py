"""How the service starts, and how it says in one sentence that it can't."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
import yaml
from cryptography.fernet import Fernet
from sqlalchemy.exc import OperationalError

from bot.app import build
from bot.lab.demo_bot import free_port, healthy
from bot.lab.fake_slack import FakeSlack
from bot.lab.fake_slack_socket import FakeSocket
from bot.lab.slack_limits import read
from bot.settings import WrongSettings, load
from bot.slack.chat import SlackChat
from connectors.contract import Account
from handlers.cases.store import connect
from handlers.conversation import Actor, ChatError
from handlers.people import Person
from handlers.plan.queue import DbosQueue
from tests.bot.test_settings import content

ROOT = Path(__file__).parents[2]
SECRETS = {"SLACK_SIGNING_SECRET": "s", "SLACK_TOKEN": "xoxb-1", "SLACK_TOKEN_C": "xoxb-2", "CONTOSO_SECRET": "s"}


def environment(folder: Path, **changed: str) -> dict[str, str]:
    file = folder / "clients.yml"
    file.write_text(yaml.safe_dump(content()))
    own = {
        "OFFBOARD_CLIENTS": str(file),
        "OFFBOARD_DATABASE": f"sqlite:///{folder / 'offboard.db'}",
        "OFFBOARD_PORT": str(free_port()),
    }
    return {**own, **changed}


async def started(arguments: tuple[str, ...], own: Mapping[str, str]) -> asyncio.subprocess.Process:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFBOARD_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        cwd=ROOT,
        env={**kept, **SECRETS, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


async def stops_with(arguments: tuple[str, ...], own: Mapping[str, str]) -> str:
    """The one sentence it ends with."""
    process = await started(arguments, own)
    async with asyncio.timeout(30):
        said = (await process.communicate())[0].decode()
    assert process.returncode == 2, said
    assert said.count("\n") == 1, said
    return said


BOTH = pytest.mark.parametrize("arguments", [("run",), ("db", "upgrade")], ids=["run", "upgrade"])


async def test_a_taken_port_is_one_sentence_and_no_database_is_made(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = await stops_with(("run",), environment(tmp_path, OFFBOARD_PORT=str(port)))
    assert f"Can't listen on 127.0.0.1, port {port} (Address already in use)" in said
    assert not (tmp_path / "offboard.db").exists()


@BOTH
async def test_a_file_that_is_no_database_is_one_sentence_and_stays_as_it_is(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    file = tmp_path / "offboard.db"
    file.write_text("a letter to somebody " * 100)
    assert "offboard.db can't be used (file is not a database)" in await stops_with(arguments, environment(tmp_path))
    assert file.read_text() == "a letter to somebody " * 100


@BOTH
async def test_a_folder_that_can_not_be_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")
    own = environment(tmp_path, OFFBOARD_DATABASE=f"sqlite:///{tmp_path / 'file' / 'offboard.db'}")
    said = await stops_with(arguments, own)
    assert "offboard.db can't be used" in said
    assert "make its folder writable, or name another file" in said


@BOTH
async def test_a_second_process_writes_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    own = environment(tmp_path)
    first = DbosQueue(own["OFFBOARD_DATABASE"], asyncio.sleep)
    first.hold()
    lock = (tmp_path / "offboard.db.lock").read_text()
    assert "in use by another offboard process" in await stops_with(arguments, own)
    assert not (tmp_path / "offboard.db").exists()
    assert (tmp_path / "offboard.db.lock").read_text() == lock == str(os.getpid())
    first.release()


async def test_a_database_of_another_version_is_one_sentence(tmp_path: Path) -> None:
    own = environment(tmp_path)
    upgraded = await started(("db", "upgrade"), own)
    assert (await upgraded.communicate())[0].decode() == "The database is up to date.\n"
    connection = sqlite3.connect(tmp_path / "offboard.db")
    connection.execute("UPDATE alembic_version SET version_num = 'of the future'")
    connection.commit()
    connection.close()
    assert "made by another version of offboard" in await stops_with(("db", "upgrade"), own)


async def test_once_up_it_says_where_it_listens_and_no_secret(tmp_path: Path) -> None:
    own = environment(tmp_path)
    process = await started(("run",), own)
    address = f"http://127.0.0.1:{own['OFFBOARD_PORT']}"
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(30):
            while "Listening" not in said:
                line = await process.stdout.readline()
                assert line, said
                said += line.decode()
        assert await healthy(address)
    finally:
        process.terminate()
    said += (await process.communicate())[0].decode()
    assert f"Listening on {address}, database {own['OFFBOARD_DATABASE']}, 1 client\n" in said
    assert "xoxb" not in said


def test_a_missing_bot_token_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "s")
    monkeypatch.setenv("SLACK_TOKEN", "xoxb-1")
    monkeypatch.delenv("SLACK_TOKEN_C", raising=False)
    with pytest.raises(WrongSettings, match="set the environment variable SLACK_TOKEN_C"):
        build(load(environment(tmp_path)))


async def test_a_wrong_key_of_the_installations_is_one_sentence_and_the_file_stays_as_it_is(tmp_path: Path) -> None:
    own = environment(tmp_path, CLIENT_SECRET="s", KEY=Fernet.generate_key().decode())
    told = content()
    told["slack"] = {
        "signing_secret": "env/SLACK_SIGNING_SECRET",
        "teams": {"T0MSP": "msp", "T0C": "contoso"},
        "oauth": {"client_id": "1.2", "client_secret": "env/CLIENT_SECRET", "key": "env/KEY"},
    }
    (tmp_path / "clients.yml").write_text(yaml.safe_dump(told))
    file = tmp_path / "offboard.db.installations"
    sealed = Fernet(Fernet.generate_key()).encrypt(b"[]")
    file.write_bytes(sealed)
    said = await stops_with(("run",), own)
    assert f"The Slack installations in {file} can't be decrypted with slack.oauth.key (env/KEY)" in said
    assert own["KEY"] not in said
    assert file.read_bytes() == sealed
    assert not (tmp_path / "offboard.db").exists()


async def test_a_service_without_a_public_address_is_asked_and_answers_by_its_socket(tmp_path: Path) -> None:
    slack = FakeSlack("never used here")
    slack.workspace("T0C", "contoso", token="xoxb-2")
    slack.workspace("T0MSP", "provider", token="xoxb-1")
    slack.person("T0C", "U1", "maria")
    wire = FakeSocket(slack, "xapp-1")
    own = environment(tmp_path, APP_TOKEN="xapp-1")
    told = content()
    workspaces = {"T0MSP": "env/SLACK_TOKEN", "T0C": "env/SLACK_TOKEN_C"}
    told["slack"] = {"app_token": "env/APP_TOKEN", "workspaces": workspaces, "base_url": await slack.start()}
    (tmp_path / "clients.yml").write_text(yaml.safe_dump(told))
    process = await started(("run",), own)
    address = f"http://127.0.0.1:{own['OFFBOARD_PORT']}"
    try:
        async with asyncio.timeout(30), httpx.AsyncClient() as client:
            while not wire.sockets:
                assert process.returncode is None
                await asyncio.sleep(0.05)
            assert (await client.post(f"{address}/slack/events")).status_code == 404
            assert (await client.get(f"{address}/health")).json() == {"status": "ok", "slack_socket": "up"}
            assert (await slack.types("U1", "/offboard Jane Doe")).status == 200
            assert (await wire.again()).status == 200
            await slack.until(lambda: bool(slack.private("U1")), seconds=20)
            assert "Case 1" in slack.private("U1")[0].text
            assert (await slack.types("U1", "/offboard Sean", channel="C0GENERAL")).status == 200
            assert "Case 2" in read(slack.ephemeral("U1")[-1]), "the one delivered twice was one"
    finally:
        process.terminate()
        said = (await process.communicate())[0].decode()
        await slack.stop()
    assert "the socket to Slack is open" in said
    for word in ("xapp-", "xoxb-", "Jane", "ticket"):
        assert word not in said


async def test_a_token_lost_later_is_a_chat_error_and_no_crash() -> None:
    def lost() -> str:
        raise WrongSettings("The secret file/token can't be read: create token.")

    chat = SlackChat({"T0C": lost})
    with pytest.raises(ChatError, match="bot token of T0C not readable"):
        await chat.private(Actor("slack", "T0C", "U1"))
    await chat.close()


def test_a_namesake_decides_about_themselves_unless_their_own_account_is_known() -> None:
    leaver = Account(system="microsoft365", id="account-1", name="Maria LOPEZ")
    maria = Person(id="maria", name="Maria Lopez", identities=("slack/T0C/U1",))
    assert maria.is_leaver("contoso", leaver.id, set(), leaver.name)
    another = maria.model_copy(update={"directory": {"contoso": "account-2"}})
    assert not another.is_leaver("contoso", leaver.id, set(), leaver.name)
    assert another.is_leaver("fabrikam", leaver.id, set(), leaver.name)
    assert another.is_leaver("contoso", "ACCOUNT-2", set(), "somebody else")


def test_a_statement_that_fails_does_not_name_what_was_in_it() -> None:
    engine = connect("sqlite://")
    with engine.connect() as connection, pytest.raises(OperationalError) as failed:
        connection.execute(sa.text("SELECT :name FROM nowhere"), {"name": "Jane Doe"})
    engine.dispose()
    assert "Jane" not in str(failed.value)
