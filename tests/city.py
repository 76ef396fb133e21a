"""Everything real around a real service: a child process, the stand-ins for Slack and Microsoft, and its people."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sqlite3
import sys
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import yaml

from bot.lab.companies import Companies
from bot.lab.demo_bot import free_port, healthy
from bot.lab.demo_stage import Stage
from bot.lab.fake_slack import Answer
from bot.lab.paperwork import SECRETS as PAPERWORK_SECRETS
from bot.lab.sample_clients import MARIA, Character, Client, write
from bot.lab.slack_limits import Shown
from connectors.contract import Json
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_things import POWER_BI, Held
from connectors.microsoft365.simulator import SimulatedMicrosoft

UP = 60.0


class Bot:
    """The service as a child process; `module` is what `python -m` runs."""

    def __init__(self, environment: Mapping[str, str], module: tuple[str, ...], log: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFBOARD_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        self._environment = {**kept, **environment}
        self._module, self._log = module, log
        self._child: asyncio.subprocess.Process | None = None
        self.url = f"http://127.0.0.1:{environment['OFFBOARD_PORT']}"

    async def start(self) -> None:
        with self._log.open("ab") as out:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *self._module, env=self._environment, stdout=out, stderr=out
            )

    async def until_up(self) -> None:
        async with asyncio.timeout(UP):
            while not await healthy(self.url):
                if self._child is None or self._child.returncode is not None:
                    raise RuntimeError(f"the service did not come up:\n{self._log.read_text()[-3000:]}")
                await asyncio.sleep(0.02)

    async def kill_now(self) -> None:
        """SIGKILL: no goodbye, no flush."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(how)
            await self._child.wait()


class City:
    """Start it, be its people, look behind the vendors' backs, stop it."""

    def __init__(
        self,
        folder: Path,
        *,
        module: str = "bot run",
        systems: Mapping[str, Json] | None = None,
        client: Mapping[str, object] | None = None,
        companies: Companies | None = None,
        paperwork: bool = False,
    ) -> None:
        """With `companies`, Contoso's Exchange is connected beside its Microsoft 365.

        With `paperwork`, theirs are, too: the bill and the ticket, and whoever leaves has a licence that is paid for.
        """
        self._folder, self._module = folder, tuple(module.split())
        self._systems, self._client = systems or {}, client or {}
        self._begun = datetime.now(UTC)
        self.secret = secrets.token_hex(16)
        self.stage = Stage(self.secret)
        self._companies = companies
        self.microsoft = companies.microsoft if companies else SimulatedMicrosoft()
        self.paper = companies.paperwork if companies and paperwork else None
        self.bot: Bot

    @property
    def slack(self):
        return self.stage.slack

    async def start(self) -> None:
        await (self._companies or self.microsoft).start()
        slack_api = await self.stage.start()
        # Microsoft 365 alone: what is measured and killed is the service, and a start takes less.
        contoso = Client(
            "contoso",
            {
                "microsoft365": self.microsoft.settings(people.CONTOSO),
                **({**self.paper.systems()} if self.paper else {}),
            },
            {"env/MICROSOFT_SECRET": people.SECRET, **PAPERWORK_SECRETS},
            {MARIA.user: (people.MARIA, "maria@contoso.example")},
        )
        file = write(self._folder, slack_api, self.secret, (contoso,))
        self._add_systems(file)
        port = free_port()
        environment = {
            "OFFBOARD_CLIENTS": str(file),
            "OFFBOARD_DATABASE": f"sqlite:///{self._folder / 'offboard.db'}",
            "OFFBOARD_PORT": str(port),
            "OFFBOARD_CA_FILE": str(self.microsoft.ca_file),
        }
        self.bot = Bot(environment, self._module, self._folder / "bot.log")
        self.slack.bot_url = f"{self.bot.url}/slack/events"
        await self.bot.start()
        await self.bot.until_up()

    async def stop(self) -> None:
        await self.bot.stop()
        await self.slack.stop()
        await (self._companies or self.microsoft).stop()

    def _add_systems(self, file: Path) -> None:
        content = yaml.safe_load(file.read_text())
        content["people"] = [one for one in content["people"] if one["manages"] in ([], ["contoso"])]
        systems = content["clients"][0]["systems"]
        for name, values in self._systems.items():
            systems[name] = {**systems.get(name, {}), **values}
        if self._companies:
            same = {name: value for name, value in systems["microsoft365"].items() if name != "break_glass"}
            systems["exchange"] = {**same, "base_url": self._companies.exchange.base_url}
        content["clients"][0] |= self._client
        file.write_text(yaml.safe_dump(content))

    # --- people ---------------------------------------------------------------------------------

    async def types(self, who: Character, line: str) -> Answer | None:
        """A slash command in the private chat; None when the service is not there."""
        try:
            return await self.slack.types(who.user, line)
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def clicks(self, user: str, message: Shown, label: str) -> Answer | None:
        """A button; None when the service is not there, or the card has changed under the finger."""
        try:
            return await self.slack.clicks(user, message, label)
        except (aiohttp.ClientError, TimeoutError, LookupError):
            return None

    def add_leaver(self, number: int) -> str:
        """One more person at Contoso, with a name of their own; answers the name."""
        name = f"Leaver{number:03d} Case"
        mail = f"leaver{number:03d}@contoso.example"
        person = people.Person(str(uuid.uuid4()), name, mail, f"Head of {number}", mail, manager=people.MARIA)
        person.methods = [people.SignInMethod(str(uuid.uuid4()), "fido2AuthenticationMethod", "a key")]
        contoso = self.microsoft.tenants[people.CONTOSO]
        contoso.people[person.id] = person
        if self.paper:
            # One of those whose licences were counted, and nobody knew by name.
            person.licences = [Held(POWER_BI)]
            contoso.products[POWER_BI].used -= 1
        return name

    # --- the truth ------------------------------------------------------------------------------

    def rows(self, query: str, *values: str) -> list[tuple[object, ...]]:
        """Read the service's database from outside."""
        with sqlite3.connect(f"file:{self._folder / 'offboard.db'}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(query, values).fetchall()

    def person(self, person_id: str) -> people.Person:
        return self.microsoft.person(person_id)

    def since_start(self, at: datetime | None) -> bool:
        """Whether that happened in this city's life."""
        return at is not None and at.timestamp() >= int(self._begun.timestamp())
