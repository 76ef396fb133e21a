"""The city with Teams in it: a fake Bot Connector, and people who are there instead of in Slack."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import yaml

from bot.lab.fake_teams import Answer, FakeTeams
from bot.lab.sample_clients import CONTOSO, FABRIKAM, PROVIDER, Character
from bot.lab.teams_cards import Shown, buttons, read
from connectors.microsoft365 import simulated_people as people
from tests.city import City

APP = "0a0a0a0a-0000-4000-8000-00000000b071"
SECRET = "the bot's client secret"
NORTHWIND = "50000000-0000-4000-8000-000000000001"
TENANTS: Mapping[str, str] = {PROVIDER: NORTHWIND, CONTOSO: people.CONTOSO, FABRIKAM: people.FABRIKAM}
"""Slack workspace → the tenant of the same company."""


class TeamsCity(City):
    """Everybody for whom `moved` says so is in Teams; with `channels` the MSP's channels are, too."""

    def __init__(self, folder: Path, *, moved: Callable[[str], bool] = lambda _: True, channels: bool = True) -> None:
        super().__init__(folder)
        self.teams = FakeTeams(APP, NORTHWIND, SECRET)
        self._moved, self._channels = moved, channels
        self.technicians = self.teams.channel(NORTHWIND, "technicians")
        self._admins = self.teams.channel(NORTHWIND, "admins")

    async def start(self) -> None:
        await self.teams.start(self._folder)
        await super().start()
        self.teams.bot_url = f"{self.bot.url}/api/messages"

    async def stop(self) -> None:
        await super().stop()
        await self.teams.stop()

    def _add_systems(self, file: Path) -> None:
        super()._add_systems(file)
        # One file of authorities: the stand-ins' and the token server's.
        trusted = Path(str(self.microsoft.ca_file))
        trusted.write_text(trusted.read_text() + self.teams.ca_file.read_text())
        secret = self._folder / "secrets" / "teams-bot"
        secret.write_text(SECRET)
        content = yaml.safe_load(file.read_text())
        tenants = {NORTHWIND: "msp", people.CONTOSO: "contoso"}
        content["teams"] = self.teams.settings(cast("Mapping[str, str]", tenants), f"file/{secret}")
        for person in content["people"]:
            if self._moved(person["id"]):
                _, workspace, user = person["identities"][0].split("/")
                person["identities"] = [f"teams/{TENANTS[workspace]}/{aad(user)}"]
                self.teams.installed.add((TENANTS[workspace], aad(user)))
        if self._channels:
            there = {"platform": "teams", "workspace": NORTHWIND}
            content["msp"]["technicians"] = {**there, "channel": self.technicians}
            content["msp"]["admins"] = {**there, "channel": self._admins}
            del content["slack"]
        file.write_text(yaml.safe_dump(content))

    # --- people ---------------------------------------------------------------------------------

    def chat(self, who: Character) -> Callable[[], list[Shown]]:
        """That person's chat with the bot, as it looks when asked."""
        return lambda: self.teams.private(TENANTS[who.team], aad(who.user))

    def channel(self) -> list[Shown]:
        """The technicians' channel."""
        return self.teams.shown(self.technicians)

    async def writes(self, who: Character, text: str) -> Answer:
        """Somebody writes to the bot."""
        return await self.teams.types(TENANTS[who.team], aad(who.user), text)

    async def sees(self, where: Callable[[], list[Shown]], *words: str, seconds: float = 15) -> Shown:
        """The newest message there that says all of this, as soon as there is one."""
        found: list[Shown] = []

        def there() -> bool:
            found[:] = [one for one in where() if all(word in f"{read(one)} {buttons(one)}" for word in words)]
            return bool(found)

        await self.teams.until(there, seconds)
        return found[-1]

    async def presses(self, who: Character, where: Callable[[], list[Shown]], label: str) -> Answer:
        """Wait for the button, and press it."""
        return await self.presses_then(who, await self.sees(where, label), label)

    async def presses_then(self, who: Character, message: Shown, label: str) -> Answer:
        """Press what stood there then."""
        answer = await self.teams.presses(TENANTS[who.team], aad(who.user), message, label)
        assert answer.status == 200
        return answer


def aad(user: str) -> str:
    """A Slack user's object id in their tenant."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, user))
