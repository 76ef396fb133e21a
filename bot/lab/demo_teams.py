"""The demo's Teams as its people see it: their chat with the bot, what is unread, and what they write and press."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from bot.lab import sample_clients
from bot.lab.demo_stage import Deed
from bot.lab.fake_teams import Answer, FakeTeams
from bot.lab.sample_clients import Character
from bot.lab.teams_cards import Json, Shown
from connectors.microsoft365 import simulated_people as people

APP = "0a0a0a0a-0000-4000-8000-00000000b071"
NORTHWIND = "50000000-0000-4000-8000-000000000001"
"""The provider's tenant: the bot's home."""
OBJECT_IDS: Mapping[str, tuple[str, str]] = {
    sample_clients.FINN.user: (people.FABRIKAM, people.FABRIKAM_MANAGER),
    sample_clients.MARIA.user: (people.CONTOSO, people.MARIA),
    sample_clients.OSKAR.user: (people.CONTOSO, "c0000000-0000-4000-8000-00000000005a"),
}
"""Slack user → tenant, and their object id there: what Teams knows people by."""
TENANTS = {NORTHWIND: "msp", people.CONTOSO: "contoso", people.FABRIKAM: "fabrikam"}
SILENT = "Offboard did not answer, so nothing has happened. Write it again."
UNREACHABLE = "Something went wrong, so nothing has happened. Press again."


@dataclass(frozen=True)
class Entry:
    """A line of the chat, as one person sees it."""

    message: Shown
    mine: bool = False
    """They wrote it themselves."""
    only_you: bool = False
    """In answer to a press; nobody else sees it, and it is kept nowhere."""
    from_teams: bool = False
    """Teams itself says it: the bot could not be reached."""


@dataclass(frozen=True)
class _View:
    """The card that answered somebody's press, until the message is edited for everybody."""

    instead_of: Shown
    shown: Shown


class TeamsStage:
    """Everybody in the stand-in for Teams. Start it, tell it the bot's address, and be its people."""

    def __init__(self, deeds: list[Deed]) -> None:
        """`deeds`: where what visitors do is written down, on whichever platform they do it."""
        self._secret = secrets.token_hex(16)
        self.teams = FakeTeams(APP, NORTHWIND, self._secret)
        self.deeds = deeds
        self._own: dict[str, list[Entry]] = {}
        """What they wrote, and what only they were told."""
        self._views: dict[tuple[str, str], _View] = {}
        self._seen: dict[str, float] = {}

    async def start(self, folder: Path) -> None:
        """Listen; the authority of its token server is written there. Everybody has the app."""
        await self.teams.start(folder)
        self.teams.installed.update(OBJECT_IDS.values())

    def configured(self) -> sample_clients.Teams:
        """What clients.yml says of it."""
        identities = {user: f"teams/{tenant}/{own}" for user, (tenant, own) in OBJECT_IDS.items()}
        return sample_clients.Teams(
            lambda reference: self.teams.settings({**TENANTS}, reference), self._secret, identities
        )

    # --- what they see --------------------------------------------------------------------------

    def entries(self, character: Character) -> list[Entry]:
        """Their chat with the bot, oldest first."""
        tenant, user = OBJECT_IDS[character.user]
        found = [Entry(self._seen_by(user, one)) for one in self.teams.private(tenant, user)]
        return sorted((*found, *self._own.get(character.user, [])), key=lambda entry: entry.message.at)

    def unread(self, character: Character) -> int:
        """New messages since that person last looked; edits make none, as in Teams."""
        seen = self._seen.get(character.user, 0.0)
        return sum(entry.message.at > seen and not entry.mine for entry in self.entries(character))

    def look(self, character: Character) -> None:
        """That person has the chat before them: all of it is read."""
        entries = self.entries(character)
        if entries:
            self._seen[character.user] = entries[-1].message.at

    def _seen_by(self, user: str, message: Shown) -> Shown:
        view = self._views.get((user, message.id))
        return view.shown if view and view.instead_of is message else message

    # --- what they do ---------------------------------------------------------------------------

    async def types(self, character: Character, line: str) -> None:
        """Write to the bot; whatever comes of it is seen in the chat."""
        self.deeds.append(Deed(character.user, command=line))
        self._keep(character, line, mine=True)
        answer = await _reached(self.teams.types(*OBJECT_IDS[character.user], line))
        if answer is None or answer.status != 200:
            self._keep(character, SILENT, from_teams=True)

    async def presses(self, character: Character, message: Shown, button: Json, values: Mapping[str, str]) -> None:
        """Press this very button, with these values in the fields."""
        tenant, user = OBJECT_IDS[character.user]
        self.deeds.append(Deed(character.user, pressed=str(button.get("title"))))
        pressed = self.teams.pressing(tenant, user, message, button, values)
        answer = await _reached(self.teams.deliver(pressed))
        body = answer.json if answer and answer.status == 200 else {}
        value = body.get("value")
        if isinstance(value, str):
            self._keep(character, value, only_you=True)
        elif isinstance(value, dict) and "message" in value:
            self._keep(character, str(value["message"]), only_you=True)
        elif isinstance(value, dict):
            now = next(one for one in self.teams.private(tenant, user) if one.id == message.id)
            self._views[user, message.id] = _View(now, replace(now, card=value))
        else:
            self._keep(character, UNREACHABLE, from_teams=True)

    async def looks_up(self, character: Character, message: Shown, name: str, letters: str) -> dict[str, str]:
        """Type these letters in a field that finds people; answers whom Teams shows."""
        try:
            found = await self.teams.looks_up(*OBJECT_IDS[character.user], message, name, letters)
        except (aiohttp.ClientError, TimeoutError):
            return {}
        return {str(one.get("value")): str(one.get("title")) for one in found}

    def _keep(
        self, character: Character, text: str, *, mine: bool = False, only_you: bool = False, from_teams: bool = False
    ) -> None:
        own = self._own.setdefault(character.user, [])
        tenant, user = OBJECT_IDS[character.user]
        line = Shown(self.teams.chat_of(tenant, user), f"own:{len(own)}", text, "", at=self.teams.now())
        own.append(Entry(line, mine, only_you, from_teams))


async def _reached(request: Awaitable[Answer]) -> Answer | None:
    """What the bot answered; None when it is not there."""
    try:
        return await request
    except (aiohttp.ClientError, TimeoutError):
        return None
