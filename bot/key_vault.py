"""Reads secrets from Azure Key Vault for 'keyvault/VAULT/NAME', beside the event loop and kept for minutes.

Whoever needs a secret asks for it in the middle of something else and can't wait, so nothing is read there: every
reference of clients.yml is read in a thread at the start and again every few minutes. The request is Key Vault's
REST API, 'Get Secret' 7.4 (learn.microsoft.com/rest/api/keyvault, read 2026-11-25); azure-identity signs in.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from connectors.http import quiet_loggers
from connectors.references import KEY_VAULT

if TYPE_CHECKING:
    from azure.identity import DefaultAzureCredential

log = logging.getLogger("offboard.secrets")

ADDRESS = "https://{vault}.vault.azure.net"
SCOPE = "https://vault.azure.net/.default"
FRESH = 300.0
"""Seconds a secret is used before it is read again: a new version arrives that late."""
LONGEST = 3600.0
"""Seconds an old one is used while the vault does not answer at all."""
AGAIN = 30.0
"""Seconds until what could not be read is tried again."""
PATIENCE = 10.0
AT_START = 30.0
"""Seconds the start waits for all of them."""


class NoSecret(ValueError):
    """One sentence that names the reference and the fix, and never the secret."""


class _NoAnswer(NoSecret):
    """The vault said nothing usable: what was read before may go on serving."""


@dataclass
class _Kept:
    """What is known of one secret."""

    value: str = field(default="", repr=False)
    read_at: float = 0.0
    tried_at: float = 0.0
    failure: str = ""


class KeyVault:
    """Every vault the configuration names. azure-identity is loaded when the first secret is read."""

    def __init__(
        self,
        *,
        ca_file: Path | None = None,
        address: str = ADDRESS,
        authority: str | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`address` holds '{vault}'; `authority` signs in elsewhere than in the public cloud."""
        self._ca_file, self._address, self._authority, self._now = ca_file, address, authority, now
        self._kept: dict[str, _Kept] = {}
        self._alone = threading.Lock()
        self._credential: DefaultAzureCredential | None = None
        self._client: httpx.Client | None = None

    def secret(self, reference: str) -> str:
        """The secret; in the event loop only from what is kept. Raises NoSecret."""
        kept = self._kept.setdefault(reference, _Kept())
        if not self._is_fresh(kept) and not _in_the_loop():
            self._read(reference, kept)
        if kept.value and self._now() - kept.read_at < LONGEST:
            return kept.value
        raise NoSecret(kept.failure or f"The secret {reference} is not read yet: try again in a moment.")

    async def read_all(self, references: Iterable[str]) -> None:
        """Read them now, in threads, and remember them for `keep`; what can't be read is logged with its fix."""
        for reference in references:
            self._kept.setdefault(reference, _Kept())
        if self._kept:
            try:
                async with asyncio.timeout(AT_START):
                    await self._refresh()
            except TimeoutError:
                log.error("Azure Key Vault is slow: some secrets are not read yet; they are read meanwhile")

    async def keep(self) -> None:
        """Read again what is no longer fresh, for ever."""
        while True:
            await asyncio.sleep(AGAIN)
            await self._refresh()

    def close(self) -> None:
        """Let the connections go, and forget what was read."""
        self._kept.clear()
        if self._client is not None:
            self._client.close()
        if self._credential is not None:
            self._credential.close()

    async def _refresh(self) -> None:
        due = [(reference, kept) for reference, kept in self._kept.items() if self._is_due(kept)]
        reading = (asyncio.to_thread(self._read, reference, kept) for reference, kept in due)
        for problem in await asyncio.gather(*reading, return_exceptions=True):
            if isinstance(problem, Exception):
                log.error("a secret could not be read: %s", _kind(problem))

    def _is_fresh(self, kept: _Kept) -> bool:
        return bool(kept.value) and self._now() - kept.read_at < FRESH

    def _is_due(self, kept: _Kept) -> bool:
        """Before its time is up, so that nobody meets an old one; soon after it failed."""
        if kept.failure or not kept.value:
            return not kept.tried_at or self._now() - kept.tried_at >= AGAIN
        return self._now() - kept.read_at >= FRESH - 2 * AGAIN

    def _read(self, reference: str, kept: _Kept) -> None:
        kept.tried_at = self._now() or 1.0
        try:
            value = self._fetch(reference)
        except NoSecret as sentence:
            if not isinstance(sentence, _NoAnswer):
                # The vault refuses: what it gave before counts no more.
                kept.value = ""
            if kept.failure != str(sentence):
                log.error("%s", sentence)
            kept.failure = str(sentence)
            return
        kept.value, kept.read_at, kept.failure = value, self._now(), ""

    def _fetch(self, reference: str) -> str:
        named = KEY_VAULT.fullmatch(reference)
        if named is None:
            raise NoSecret("A secret is written keyvault/VAULT/NAME in clients.yml: correct it.")
        vault, name = named["vault"], named["name"]
        url = f"{self._address.format(vault=vault)}/secrets/{name}"
        token = self._token(reference)
        try:
            answer = self._open().get(url, params={"api-version": "7.4"}, headers={"Authorization": f"Bearer {token}"})
        except httpx.HTTPError as error:
            # `from None`: nothing of the request belongs into a log.
            raise _NoAnswer(
                f"The secret {reference} can't be read: {vault} does not answer ({_kind(error)})."
            ) from None
        if answer.status_code == 404:
            raise NoSecret(f"The secret {reference} does not exist: create {name} in the vault {vault}.")
        if answer.status_code in {401, 403}:
            raise NoSecret(
                f"The secret {reference} is refused (HTTP {answer.status_code}): give this service's identity the role "
                f"Key Vault Secrets User on {vault}, let its network in, and see that the secret is enabled."
            )
        if answer.status_code != 200:
            raise _NoAnswer(f"The secret {reference} can't be read: {vault} answered HTTP {answer.status_code}.")
        return _value(answer, reference)

    def _token(self, reference: str) -> str:
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        try:
            with self._alone:
                if self._credential is None:
                    self._credential = self._sign_in()
                return self._credential.get_token(SCOPE).token
        except (ClientAuthenticationError, ValueError):
            # Its own text may quote what was sent, and does not tell a refusal from a sign-in that is down.
            raise _NoAnswer(
                f"The secret {reference} can't be read, Azure does not let us sign in: give this machine a managed "
                "identity, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET for the service."
            ) from None
        except (AzureError, OSError) as error:
            raise _NoAnswer(
                f"The secret {reference} can't be read, Azure's sign-in does not answer ({_kind(error)})."
            ) from None

    def _sign_in(self) -> DefaultAzureCredential:
        from azure.identity import DefaultAzureCredential

        quiet_loggers()
        # It warns about each way it could not sign in, in Entra's words; we say what to do.
        logging.getLogger("azure.identity").setLevel(logging.ERROR)
        options: dict[str, Any] = {"connection_timeout": PATIENCE, "read_timeout": PATIENCE, "retry_total": 1}
        if self._authority:
            options |= {"authority": self._authority, "disable_instance_discovery": True}
        if self._ca_file:
            options["connection_verify"] = str(self._ca_file)
        # A service's own identities alone: whoever is signed in on this machine as a developer must not count.
        return DefaultAzureCredential(
            exclude_shared_token_cache_credential=True,
            exclude_visual_studio_code_credential=True,
            exclude_cli_credential=True,
            exclude_developer_cli_credential=True,
            exclude_powershell_credential=True,
            exclude_interactive_browser_credential=True,
            exclude_broker_credential=True,
            **options,
        )

    def _open(self) -> httpx.Client:
        with self._alone:
            if self._client is None:
                trusted = ssl.create_default_context()
                if self._ca_file:
                    trusted.load_verify_locations(str(self._ca_file))
                self._client = httpx.Client(verify=trusted, timeout=PATIENCE, trust_env=False)
            return self._client


def _value(answer: httpx.Response, reference: str) -> str:
    try:
        value: object = answer.json()["value"]
    except (ValueError, LookupError, TypeError):
        raise _NoAnswer(f"The secret {reference} can't be read: the vault's answer is no secret.") from None
    if not isinstance(value, str) or not value.strip():
        raise NoSecret(f"The secret {reference} is empty: write it into the vault.")
    return value.strip()


def _in_the_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _kind(error: Exception) -> str:
    return type(error).__name__
