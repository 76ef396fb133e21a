"""The demo's Slack as its people see it: rooms, messages, what is unread, and what they type and press."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp

from bot.lab.fake_slack import Answer, FakeSlack
from bot.lab.sample_clients import (
    APPROVERS,
    BILL,
    CHANNELS,
    DOMAINS,
    EVERYBODY,
    PRIVATE_CHANNELS,
    TECHNICIANS,
    Character,
    token_of,
)
from bot.lab.slack_limits import Json, Shown, buttons

APPROVE_BILL = "Approve the bill"
"""On a card of the technicians it stands, too, for whoever of them decides about bills."""
NOT_A_COMMAND = "Only slash commands go anywhere in this lab. Try /offboard Jane Doe."


@dataclass(frozen=True)
class Room:
    """A conversation somebody can open."""

    id: str
    title: str
    private: bool
    """Not everybody of the workspace is in it."""
    app: bool = False
    """The chat between one person and the bot."""


@dataclass(frozen=True)
class Entry:
    """A message in a room, as one person sees it."""

    message: Shown
    only_you: bool = False
    from_slack: bool = False
    """Slack itself says it: the bot could not be reached."""


@dataclass(frozen=True)
class Deed:
    """Something a visitor did as somebody."""

    user: str
    command: str = ""
    """What was typed."""
    pressed: str = ""
    """The button's label."""


class Stage:
    """Everybody in the stand-in for Slack. Start it, tell it the bot's address, and be its people."""

    def __init__(self, signing_secret: str) -> None:
        self.slack = FakeSlack(signing_secret)
        self.deeds: list[Deed] = []
        self.rooms: dict[str, tuple[Room, ...]] = {}
        """User id → the rooms they can open, their chat with the bot first."""
        self._notices: dict[str, list[Shown]] = {}
        self._seen: dict[tuple[str, str], str] = {}

    async def start(self) -> str:
        """Build the workspaces and listen; answers the base URL of the Web API."""
        for team, domain in DOMAINS.items():
            self.slack.workspace(team, domain, token=token_of(team))
        for character in EVERYBODY:
            self.slack.person(character.team, character.user, character.name)
        for channel, (team, name) in CHANNELS.items():
            self.slack.channel(team, channel, name)
        for character in EVERYBODY:
            private = Room(await self.slack.opens(character.user), "Offboard", private=True, app=True)
            shared = (Room(one, CHANNELS[one][1], one in PRIVATE_CHANNELS) for one in character.channels)
            self.rooms[character.user] = (private, *shared)
        return await self.slack.start()

    # --- what they see --------------------------------------------------------------------------

    def entries(self, character: Character, room: Room) -> list[Entry]:
        """The room, oldest first."""
        user = character.user
        found = [Entry(message) for message in self.slack.messages(room.id)]
        # A response_url that no message belongs to answers where the person is: the chat with the bot.
        here = {room.id, ""} if room.app else {room.id}
        found += [Entry(one, only_you=True) for one in self.slack.ephemeral(user) if one.channel in here]
        found += [
            Entry(one, only_you=True, from_slack=True) for one in self._notices.get(user, []) if one.channel == room.id
        ]
        return sorted(found, key=lambda entry: _order(entry.message.ts))

    def unread(self, character: Character, room: Room) -> int:
        """New messages since that person last looked; edits make none, as in Slack."""
        seen = _order(self._seen.get((character.user, room.id), "0.0"))
        return sum(_order(entry.message.ts) > seen for entry in self.entries(character, room))

    def look(self, character: Character, room: Room) -> None:
        """That person has the room before them: all of it is read."""
        entries = self.entries(character, room)
        if entries:
            self._seen[character.user, room.id] = entries[-1].message.ts

    def hint(self, character: Character) -> str:
        """Why a visitor might want to be that person next."""
        if character in APPROVERS and self.waiting():
            return "has something to approve"
        return "has a bill to approve" if character is BILL and self.bills() else ""

    def waiting(self) -> int:
        """How many cards in the technicians' channel wait for a technician's approval."""
        labels = [buttons(card) for card in self.slack.messages(TECHNICIANS)]
        return sum(any(one.startswith("Approve") and one != APPROVE_BILL for one in card) for card in labels)

    def bills(self) -> int:
        """How many wait for Bill's."""
        cards = self.slack.messages(self.rooms[BILL.user][0].id)
        return sum(APPROVE_BILL in buttons(card) for card in cards)

    # --- what they do ---------------------------------------------------------------------------

    async def types(self, character: Character, room: Room, line: str) -> None:
        """Type a line; whatever comes of it is seen in the room."""
        if not line.startswith("/"):
            self._notice(character, room, NOT_A_COMMAND)
            return
        self.deeds.append(Deed(character.user, command=line))
        command = line.partition(" ")[0]
        try:
            answer = await self.slack.types(character.user, line, channel="" if room.app else room.id)
        except (aiohttp.ClientError, TimeoutError):
            answer = Answer(503, "")
        if answer.status == 404:
            self._notice(character, room, f"{command} is not a valid command. Try /offboard or /offboard-status.")
        elif answer.status != 200:
            self._notice(character, room, f"{command} failed because the app did not respond. Try it again.")

    async def presses(
        self, character: Character, room: Room, message: Shown, block: Json, button: Json, values: Mapping[str, str]
    ) -> None:
        """Press this very button: a card may have two of one label."""
        label = button["text"]["text"] if isinstance(button["text"], dict) else ""
        self.deeds.append(Deed(character.user, pressed=str(label)))
        payload = self.slack.click_payload(character.user, message, str(label), values)
        action = {name: button[name] for name in ("action_id", "text", "value", "type", "style") if name in button}
        payload["actions"] = [{**action, "block_id": block["block_id"], "action_ts": f"{time.time():.6f}"}]
        try:
            answer = await self.slack.deliver(urlencode({"payload": json.dumps(payload)}).encode())
        except (aiohttp.ClientError, TimeoutError):
            answer = Answer(503, "")
        if answer.status != 200:
            self._notice(character, room, "Slack could not reach the app, so nothing has happened. Press again.")

    async def looks_up(self, character: Character, message: Shown, name: str, letters: str) -> dict[str, str]:
        """Type these letters in a field that finds people; answers whom Slack shows."""
        try:
            found = await self.slack.looks_up(character.user, message, name, letters)
        except (aiohttp.ClientError, TimeoutError):
            return {}
        labels = [(str(one["value"]), one["text"]) for one in found]
        return {value: str(text.get("text")) for value, text in labels if isinstance(text, dict)}

    def _notice(self, character: Character, room: Room, text: str) -> None:
        # Slack's counters stay small, so this sorts behind everything of the same second.
        stamp = f"{int(self.slack.now())}.{900_000 + len(self._notices.get(character.user, [])):06d}"
        self._notices.setdefault(character.user, []).append(Shown(character.team, room.id, stamp, text, ()))


def _order(stamp: str) -> tuple[int, int]:
    """A timestamp, comparable: Slack's are two numbers with a point between."""
    seconds, _, count = stamp.partition(".")
    return int(seconds), int(count)
