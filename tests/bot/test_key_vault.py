"""Secrets in Azure Key Vault: Microsoft's own sign-in library against a vault on this machine, over TLS."""

from __future__ import annotations

import asyncio
import logging
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from bot.key_vault import AGAIN, FRESH, LONGEST, KeyVault, NoSecret
from bot.settings import WrongSettings, resolve_secret

TENANT = "11111111-1111-4111-8111-111111111111"
REFERENCE = "keyvault/northwind/slack-token"
SECRET = "xoxb-very-secret"


@dataclass
class Vault:
    """Signs in and keeps secrets; misbehaves when told."""

    url: str = ""
    ca_file: Path = Path()
    secrets: dict[str, object] = field(default_factory=lambda: {"northwind/slack-token": SECRET})
    password: str = "the-services-own"
    status: int = 200
    slow: float = 0.0
    asked: list[str] = field(default_factory=list[str])
    signed_in: int = 0
    time: float = 1000.0
    readers: list[KeyVault] = field(default_factory=list[KeyVault])

    async def described(self, request: web.Request) -> web.Response:
        here = f"{self.url}/{request.match_info['tenant']}"
        ends = {f"{name}_endpoint": f"{here}/oauth2/v2.0/{name}" for name in ("authorization", "token")}
        return web.json_response({"issuer": f"{here}/v2.0", **ends})

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.signed_in += 1
        if form.get("client_secret") != self.password:
            said = {"error": "invalid_client", "error_description": f"AADSTS7000215: not {form.get('client_secret')}"}
            return web.json_response(said, status=401)
        assert form.get("scope") == "https://vault.azure.net/.default"
        return web.json_response({"token_type": "Bearer", "expires_in": 3600, "access_token": "a-token"})

    async def get(self, request: web.Request) -> web.Response:
        name = f"{request.match_info['vault']}/{request.match_info['name']}"
        self.asked.append(name)
        await asyncio.sleep(self.slow)
        assert request.headers["Authorization"] == "Bearer a-token"
        assert request.query["api-version"] == "7.4"
        if self.status != 200:
            return web.json_response({"error": {"code": "Some", "message": "about a-token"}}, status=self.status)
        if name not in self.secrets:
            return web.json_response({"error": {"code": "SecretNotFound"}}, status=404)
        return web.json_response({"value": self.secrets[name], "id": f"https://vault/secrets/{name}/version"})

    def open(self, **changed: str) -> KeyVault:
        told = {"address": self.url + "/vaults/{vault}", "authority": self.url, **changed}
        self.readers.append(KeyVault(ca_file=self.ca_file, now=lambda: self.time, **told))
        return self.readers[-1]


@pytest.fixture
async def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Vault]:
    """As the environment of a service says who it is: azure-identity reads that itself."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    vault = Vault(ca_file=tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(str(vault.ca_file))
    app = web.Application()
    app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", vault.described)
    app.router.add_post("/{tenant}/oauth2/v2.0/token", vault.token)
    app.router.add_get("/vaults/{vault}/secrets/{name}", vault.get)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    vault.url = f"https://localhost:{runner.addresses[0][1]}"
    for name, value in (("TENANT_ID", TENANT), ("CLIENT_ID", TENANT), ("CLIENT_SECRET", vault.password)):
        monkeypatch.setenv(f"AZURE_{name}", value)
    yield vault
    for reader in vault.readers:
        reader.close()
    await runner.cleanup()


async def test_before_the_loop_runs_a_secret_is_read_at_once(vault: Vault) -> None:
    reader = vault.open()
    assert await asyncio.to_thread(resolve_secret, REFERENCE, reader) == SECRET
    assert await asyncio.to_thread(resolve_secret, REFERENCE, reader) == SECRET
    assert (vault.asked, vault.signed_in) == (["northwind/slack-token"], 1)


async def test_in_the_loop_nothing_waits_what_is_kept_is_given(vault: Vault) -> None:
    reader = vault.open()
    with pytest.raises(NoSecret, match=f"{REFERENCE} is not read yet"):
        reader.secret(REFERENCE)
    await reader.read_all([REFERENCE])
    assert reader.secret(REFERENCE) == SECRET
    vault.time += FRESH + 1
    vault.secrets["northwind/slack-token"] = "xoxb-next"
    vault.slow = 2.0
    began = time.monotonic()
    assert reader.secret(REFERENCE) == SECRET, "an old one is better than waiting"
    assert time.monotonic() - began < 0.1
    vault.slow = 0.0
    await reader.read_all([])
    assert reader.secret(REFERENCE) == "xoxb-next"


async def test_the_loop_goes_on_while_a_slow_vault_is_read(vault: Vault) -> None:
    vault.slow = 0.3
    reader, turns = vault.open(), 0
    reading = asyncio.create_task(reader.read_all([REFERENCE]))
    while not reading.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 15
    assert reader.secret(REFERENCE) == SECRET


async def test_it_is_read_again_before_anybody_meets_an_old_one_and_not_sooner(vault: Vault) -> None:
    reader = vault.open()
    for seconds in (0, 1, FRESH - 2 * AGAIN - 2):
        vault.time += seconds
        await reader.read_all([REFERENCE])
    assert len(vault.asked) == 1
    vault.time += 1
    await reader.read_all([REFERENCE])
    assert len(vault.asked) == 2


@pytest.mark.parametrize("status", [500, 429, 503])
async def test_a_vault_that_is_down_leaves_what_was_read_for_an_hour(vault: Vault, status: int) -> None:
    reader = vault.open()
    await reader.read_all([REFERENCE])
    vault.status = status
    vault.time += FRESH
    await reader.read_all([])
    assert reader.secret(REFERENCE) == SECRET
    vault.time += LONGEST
    await reader.read_all([])
    with pytest.raises(NoSecret, match=f"northwind answered HTTP {status}"):
        reader.secret(REFERENCE)
    vault.status = 200
    vault.time += AGAIN
    await reader.read_all([])
    assert reader.secret(REFERENCE) == SECRET


@pytest.mark.parametrize("status", [401, 403])
async def test_a_vault_that_refuses_takes_away_what_was_read(vault: Vault, status: int) -> None:
    reader = vault.open()
    await reader.read_all([REFERENCE])
    vault.status = status
    vault.time += FRESH
    await reader.read_all([])
    with pytest.raises(NoSecret, match=rf"{REFERENCE} is refused \(HTTP {status}\).*Key Vault Secrets User on northw"):
        reader.secret(REFERENCE)


async def test_what_is_not_there_or_empty_names_the_secret_and_the_fix(vault: Vault) -> None:
    vault.secrets |= {"northwind/empty": " ", "northwind/odd": {"a": 1}}
    reader = vault.open()
    for name, sentence in (
        ("gone", "keyvault/northwind/gone does not exist: create gone in the vault northwind"),
        ("empty", "keyvault/northwind/empty is empty: write it into the vault"),
        ("odd", "keyvault/northwind/odd is empty"),
    ):
        with pytest.raises(WrongSettings, match=sentence):
            await asyncio.to_thread(resolve_secret, f"keyvault/northwind/{name}", reader)


async def test_a_sign_in_that_is_refused_says_how_to_give_the_service_an_identity(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "hunter2-wrong")
    reader = vault.open()
    with caplog.at_level(logging.DEBUG), pytest.raises(WrongSettings, match="give this machine a managed ident") as no:
        await asyncio.to_thread(resolve_secret, REFERENCE, reader)
    assert "hunter2" not in str(no.value) + caplog.text
    assert vault.asked == []


async def test_a_vault_nobody_answers_for_is_said(vault: Vault) -> None:
    reader = vault.open(address="https://localhost:9/{vault}")
    with pytest.raises(WrongSettings, match="northwind does not answer"):
        await asyncio.to_thread(resolve_secret, REFERENCE, reader)


async def test_a_vault_whose_certificate_nobody_vouches_for_gets_no_token(vault: Vault, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    vault.ca_file = other
    reader = vault.open()
    with pytest.raises(WrongSettings, match="can't be read"):
        await asyncio.to_thread(resolve_secret, REFERENCE, reader)
    assert (vault.asked, vault.signed_in) == ([], 0)


async def test_no_log_holds_a_secret_or_a_token(vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    reader = vault.open()
    with caplog.at_level(logging.DEBUG):
        await reader.read_all([REFERENCE, "keyvault/northwind/gone"])
        vault.status, vault.time = 403, vault.time + FRESH
        await reader.read_all([])
    assert "keyvault/northwind/gone does not exist" in caplog.text
    for word in (SECRET, "a-token", vault.password):
        assert word not in caplog.text
    assert SECRET not in repr(vars(reader))


async def test_many_secrets_are_read_side_by_side_with_one_sign_in(vault: Vault) -> None:
    references = [f"keyvault/northwind/s{number}" for number in range(20)]
    vault.secrets |= {one.removeprefix("keyvault/"): one for one in references}
    vault.slow = 0.3
    reader = vault.open()
    began = time.monotonic()
    await reader.read_all(references)
    assert time.monotonic() - began < 4  # one after the other: 6 s
    assert [reader.secret(one) for one in references] == references
    assert vault.signed_in == 1
    assert threading.active_count() < 40


def test_azures_library_is_loaded_at_first_need_only() -> None:
    code = "import sys, bot.app; print([name for name in sys.modules if name.startswith('azure.identity')])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
