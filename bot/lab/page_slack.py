"""The demo page's Slack: as one person there sees it, and the switch to be somebody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from nicegui import ui
from nicegui.element import Element

from bot.lab import page_blocks
from bot.lab.demo_stage import Entry, Room, Stage
from bot.lab.page_chat import Badge, Composer, People, Suggestions, flash, hour
from bot.lab.sample_clients import ADMINS, DOMAINS, ON_STAGE, TECHNICIANS, Character
from bot.lab.slack_limits import Json, Shown

COMMANDS: Mapping[str, str] = {
    "/offboard": "Somebody leaves – end their access and hand over their work",
    "/offboard-status": "How far it is, and which ways in have ended",
    "/offboard-doctor": "For admins – would it work at every client?",
}
"""What the composer offers, in the manifest's words."""
PRIVATE: Mapping[str, tuple[str, str]] = {
    TECHNICIANS: ("private channel of the technicians", "Cards wait here for a technician's approval."),
    ADMINS: ("private channel of the admins", "Cases about the provider's own people would come here."),
}
"""What a private channel is, and what comes there."""


class SlackPane:
    """One visitor's Slack window. Build it inside the page, then `refresh` when something may have changed."""

    def __init__(self, stage: Stage, suggestions: Suggestions) -> None:
        self.stage = stage
        self.character = ON_STAGE[0]
        self._room = stage.rooms[self.character.user][0]
        self._suggestions = suggestions
        self._typed: page_blocks.Typed = {}
        self._drawn: dict[str, tuple[Entry, Element]] = {}
        self._rooms: dict[str, RoomRow] = {}
        self.box = ui.element("div").classes("slack")
        with self.box:
            with ui.element("div").classes("slack-sidebar"):
                self._people = People(ON_STAGE, self.be)
                self._sidebar = ui.element("div").classes("chat-rooms")
            with ui.element("div").classes("slack-main"):
                self._header = ui.element("div").classes("slack-header")
                with ui.element("div").classes("slack-scroll"):
                    self._messages = ui.element("div").classes("slack-messages")
                self._composer = Composer("Message", COMMANDS, self._send)
        self._draw_sidebar()
        self._draw_room()
        self.refresh()

    def refresh(self) -> None:
        """Draw what changed, and nothing else: a field somebody types in must stay."""
        self._refresh_messages()
        self.stage.look(self.character, self._room)
        self._refresh_sidebar()

    # --- who and where --------------------------------------------------------------------------

    def be(self, character: Character) -> None:
        """Be that person, in their chat with the bot – or where something waits for them."""
        rooms = self.stage.rooms[character.user]
        unread = [room for room in rooms if self.stage.unread(character, room)]
        waiting = [room for room in rooms if not room.app] if self.stage.hint(character) else []
        self.character = character
        self._draw_sidebar()
        self.go((waiting or unread or [rooms[0]])[0])

    def go(self, room: Room) -> None:
        """Open a room."""
        self._room = room
        self._draw_room()
        self.refresh()

    def _refresh_sidebar(self) -> None:
        for one in ON_STAGE:
            unread = sum(self.stage.unread(one, room) for room in self.stage.rooms[one.user])
            self._people.show(one, here=one is self.character, hint=self.stage.hint(one), unread=unread)
        for room in self.stage.rooms[self.character.user]:
            self._rooms[room.id].show(here=room == self._room, unread=self.stage.unread(self.character, room))

    def _draw_sidebar(self) -> None:
        """Their workspace and its rooms; each row is kept while they are who they are."""
        app, *channels = self.stage.rooms[self.character.user]
        self._sidebar.clear()
        with self._sidebar:
            ui.label(f"{DOMAINS[self.character.team]}.slack.com").classes("slack-workspace")
            if channels:
                ui.label("Channels").classes("chat-label")
            self._rooms = {room.id: RoomRow(room, self.go) for room in channels}
            ui.label("Apps").classes("chat-label")
            self._rooms[app.id] = RoomRow(app, self.go)

    # --- the room -------------------------------------------------------------------------------

    def _draw_room(self) -> None:
        self._header.clear()
        with self._header:
            if self._room.app:
                ui.icon("smart_toy").classes("slack-header-icon")
                ui.label("Offboard").classes("slack-header-title")
                ui.label("APP").classes("slack-app")
                ui.label(f"private chat with {self.character.name}").classes("slack-header-note")
            else:
                ui.icon("lock" if self._room.private else "tag").classes("slack-header-icon")
                ui.label(self._room.title).classes("slack-header-title")
                note = PRIVATE[self._room.id][0] if self._room.private else "everybody at the company"
                ui.label(note).classes("slack-header-note")
        self._drawn.clear()
        self._messages.clear()
        placeholder = f"Message {'Offboard' if self._room.app else '#' + self._room.title}"
        self._composer.begin(placeholder, self._suggestions(self.character))

    def _refresh_messages(self) -> None:
        entries = self.stage.entries(self.character, self._room)
        if not entries and not self._drawn:
            if not list(self._messages):
                self._welcome()
            return
        if not self._drawn:
            self._messages.clear()
        for entry in entries:
            key = entry.message.ts
            before = self._drawn.get(key)
            if before and before[0].message is entry.message:
                continue
            if before is None:
                with self._messages:
                    box = ui.element("div").classes("slack-message" + (" only-you" if entry.only_you else ""))
            else:
                box = before[1]
                box.clear()
                flash(box)
            self._drawn[key] = entry, box
            with box:
                self._message(entry)

    def _message(self, entry: Entry) -> None:
        message = entry.message
        with ui.element("div").classes("slack-face" + (" slackbot" if entry.from_slack else "")):
            ui.icon("bolt" if entry.from_slack else "smart_toy")
        with ui.element("div").classes("slack-body"):
            if entry.only_you:
                with ui.element("div").classes("slack-only-you"):
                    ui.icon("visibility")
                    ui.label("Only visible to you")
            with ui.element("div").classes("slack-byline"):
                ui.label("Slack" if entry.from_slack else "Offboard").classes("slack-author")
                if not entry.from_slack:
                    ui.label("APP").classes("slack-app")
                ui.label(hour(float(message.ts))).classes("slack-time")
                if message.edits:
                    ui.label("(edited)").classes("slack-time")
            look_up = partial(self.stage.looks_up, self.character, message)
            page_blocks.draw(message, self._typed, partial(self._press, message), look_up)

    async def _press(self, message: Shown, block: Json, button: Json, values: dict[str, str]) -> None:
        await self.stage.presses(self.character, self._room, message, block, button, values)
        self.refresh()

    def _welcome(self) -> None:
        with self._messages, ui.element("div").classes("slack-welcome"):
            if self._room.app:
                ui.icon("smart_toy").classes("slack-welcome-icon")
                ui.label("This is your private chat with Offboard.").classes("slack-welcome-title")
                ui.label("Type a command below. What you say here, nobody else in the company reads.")
            else:
                ui.icon("lock" if self._room.private else "tag").classes("slack-welcome-icon")
                ui.label(f"Nothing in #{self._room.title} yet.").classes("slack-welcome-title")
                shared = "Type a command here, and Offboard moves to your private chat."
                ui.label(PRIVATE[self._room.id][1] if self._room.private else shared)

    async def _send(self, line: str) -> None:
        await self.stage.types(self.character, self._room, line)
        self.refresh()


class RoomRow:
    """A room in the sidebar, kept, so that a press on it is never lost to a drawing."""

    def __init__(self, room: Room, go: Callable[[Room], None]) -> None:
        self._row = ui.element("button").classes("slack-room").on("click", partial(go, room))
        self._row.props["aria-label"] = f"Open {room.title}"
        with self._row:
            if room.app:
                ui.icon("smart_toy").classes("slack-room-icon")
            else:
                ui.icon("lock" if room.private else "tag").classes("slack-room-icon")
            self._title = ui.label(room.title)
            self._badge = Badge()

    def show(self, *, here: bool, unread: int) -> None:
        """As things are now."""
        self._row.classes(replace="slack-room here" if here else "slack-room")
        self._title.classes(replace="slack-room-title unread" if unread else "slack-room-title")
        self._badge.show(unread)
