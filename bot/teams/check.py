"""Whether the bot can speak in Teams and tell who speaks to it: its own sign-in, and the Bot Connector's keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp

from bot.teams.gate import CHANNEL, UNUSABLE, Keys
from bot.teams.service import PATIENCE, SCOPE
from bot.teams.settings import OPEN_ID, Teams
from connectors.contract import Check, SignInFailed, Surroundings
from connectors.entra import EntraSignIn

_SPEAKS_OF_A_CLIENT = ("consent", "tenant_id")
"""Words of a fix that is for a client's tenant: the bot needs no consent, and its settings are called otherwise."""


class TeamsCheck:
    """What is asked of Entra and of the Bot Connector; nobody is written to."""

    def __init__(self, teams: Teams, around: Surroundings, *, patience: float = PATIENCE) -> None:
        self._teams = teams
        self._entra = EntraSignIn("Teams", teams.application, around)
        self._patience = aiohttp.ClientTimeout(total=patience)
        self._session: aiohttp.ClientSession | None = None

    def asks(self) -> dict[str, Callable[[], Awaitable[Check]]]:
        """Title → how it is asked. Those raise VendorError."""
        if self._teams.no_authentication:
            return {"Signed requests": self._unsigned}
        return {"Signed in": self._token, "Keys of the Bot Connector": self._keys, "Messaging endpoint": self._endpoint}

    async def close(self) -> None:
        """Let the connections go."""
        await self._entra.close()
        if self._session is not None:
            await self._session.close()

    async def _unsigned(self) -> Check:
        return Check(
            "Signed requests",
            ok=False,
            said="Requests are taken from anybody on this machine, who may say they are anybody in Teams.",
            fix="Remove teams.no_authentication, and name a secret, a certificate or managed_identity.",
        )

    async def _token(self) -> Check:
        try:
            await self._entra.get_token(SCOPE)
        except SignInFailed as error:
            fix = error.fix
            if any(word in fix for word in _SPEAKS_OF_A_CLIENT):
                fix = "Check teams.app_id and teams.tenant in clients.yml: the bot's registration, in your own tenant."
            raise SignInFailed(error.vendor, error.call, error.message, fix) from None
        return Check("Signed in", ok=True)

    async def _keys(self) -> Check:
        title, fix = "Keys of the Bot Connector", "Look whether it can be reached from here, then ask again."
        if self._teams.open_id != OPEN_ID:
            fix = f"Check teams.open_id in clients.yml; the public cloud's needs none. {fix}"
        host = urlsplit(self._teams.open_id).hostname
        try:
            keys = await Keys(self._teams.open_id, self._open).fetch()
        except UNUSABLE as error:
            # The type alone: a message could quote what was answered.
            said = f"They can't be fetched from {host} ({type(error).__name__}), so nobody is heard."
            return Check(title, ok=False, said=said, fix=fix)
        if not any(CHANNEL in key.endorsements for key in keys.values()):
            return Check(title, ok=False, said=f"None from {host} is for Teams, so nobody is heard.", fix=fix)
        return Check(title, ok=True)

    async def _endpoint(self) -> Check:
        said = "Not verified: whether the Azure Bot names this service's address shows at the first message."
        return Check("Messaging endpoint", ok=True, said=said)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._patience, cookie_jar=aiohttp.DummyCookieJar())
        return self._session
