"""The left of the demo page: Slack as one person sees it, and the switch to be somebody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from nicegui import ui
from nicegui.element import Element

from bot.lab import page_blocks
from bot.lab.demo_stage import Entry, Room, Stage
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
Suggestions = Callable[[Character], tuple[tuple[str, str], ...]]
"""The chips over a person's composer: what each says, and the line it fills in."""


class SlackPane:
    """One visitor's Slack window. Build it inside the page, then `refresh` when something may have changed."""

    def __init__(self, stage: Stage, suggestions: Suggestions) -> None:
        self.stage = stage
        self.character = ON_STAGE[0]
        self._room = stage.rooms[self.character.user][0]
        self._suggestions = suggestions
        self._typed: page_blocks.Typed = {}
        self._drawn: dict[str, tuple[Entry, Element]] = {}
        self._sidebar_signature: object = None
        with ui.element("div").classes("slack"):
            self._sidebar = ui.element("div").classes("slack-sidebar")
            with ui.element("div").classes("slack-main"):
                self._header = ui.element("div").classes("slack-header")
                with ui.element("div").classes("slack-scroll"):
                    self._messages = ui.element("div").classes("slack-messages")
                self._composer()
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
        self.go((waiting or unread or [rooms[0]])[0])

    def go(self, room: Room) -> None:
        """Open a room."""
        self._room = room
        self._draw_room()
        self.refresh()

    def _refresh_sidebar(self) -> None:
        counts = {
            (one.user, room.id): self.stage.unread(one, room) for one in ON_STAGE for room in self.stage.rooms[one.user]
        }
        hints = [self.stage.hint(one) for one in ON_STAGE]
        signature = (self.character, self._room, tuple(counts.items()), tuple(hints))
        if signature == self._sidebar_signature:
            return
        self._sidebar_signature = signature
        self._sidebar.clear()
        with self._sidebar:
            ui.label("Be one of these people").classes("slack-label")
            for one in ON_STAGE:
                self._person(one, sum(counts[one.user, room.id] for room in self.stage.rooms[one.user]))
            ui.label(f"{DOMAINS[self.character.team]}.slack.com").classes("slack-workspace")
            rooms = self.stage.rooms[self.character.user]
            if rooms[1:]:
                ui.label("Channels").classes("slack-label")
            for room in rooms[1:]:
                self._room_row(room, counts[self.character.user, room.id])
            ui.label("Apps").classes("slack-label")
            self._room_row(rooms[0], counts[self.character.user, rooms[0].id])

    def _person(self, one: Character, unread: int) -> None:
        here = " here" if one is self.character else ""
        row = ui.element("button").classes(f"slack-person{here}").on("click", partial(self.be, one))
        row.props["aria-label"] = f"Be {one.name}"
        with row:
            avatar(one)
            with ui.element("div").classes("slack-person-words"):
                ui.label(one.name).classes("slack-person-name")
                hint = self.stage.hint(one)
                ui.label(hint or one.role).classes("slack-person-hint" if hint else "slack-person-role")
            if unread and one is not self.character:
                ui.label(str(unread)).classes("slack-badge")

    def _room_row(self, room: Room, unread: int) -> None:
        here = " here" if room == self._room else ""
        row = ui.element("button").classes(f"slack-room{here}").on("click", partial(self.go, room))
        row.props["aria-label"] = f"Open {room.title}"
        with row:
            if room.app:
                ui.icon("smart_toy").classes("slack-room-icon")
            else:
                ui.icon("lock" if room.private else "tag").classes("slack-room-icon")
            ui.label(room.title).classes("slack-room-title" + (" unread" if unread else ""))
            if unread:
                ui.label(str(unread)).classes("slack-badge")

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
        self._draw_chips()
        self._line.set_value("")
        self._line.props["placeholder"] = f"Message {'Offboard' if self._room.app else '#' + self._room.title}"

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
                # The same class again would not start the flash again.
                box.classes(toggle="edited-a edited-b") if "edited-a" in box.classes else box.classes("edited-a")
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
                ui.label(_time(message.ts)).classes("slack-time")
                if message.edits:
                    ui.label("(edited)").classes("slack-time")
            page_blocks.draw(message, self._typed, partial(self._press, message))

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

    # --- the composer ---------------------------------------------------------------------------

    def _composer(self) -> None:
        with ui.element("div").classes("slack-composer-area"):
            self._chips = ui.element("div").classes("slack-chips")
            with ui.element("div").classes("slack-composer"):
                self._offers = ui.element("div").classes("slack-offers")
                self._line = ui.input(on_change=self._offer).props("borderless dense autofocus autocomplete=off")
                self._line.props["aria-label"] = "Message"
                self._line.on("keydown.enter", self._send)
                send = ui.button(icon="send", on_click=self._send, color=None).props("flat dense")
                send.classes("slack-send").props["aria-label"] = "Send"
        self._offers.set_visibility(False)

    def _offer(self) -> None:
        """The commands that fit what is being typed, as Slack's own list does."""
        line = str(self._line.value or "")
        fits = {word: what for word, what in COMMANDS.items() if line.startswith("/") and word.startswith(line)}
        self._offers.set_visibility(bool(fits))
        self._offers.clear()
        with self._offers:
            for word, what in fits.items():
                row = ui.element("button").classes("slack-offer").on("click", partial(self._fill, f"{word} "))
                with row:
                    ui.label(word).classes("slack-offer-word")
                    ui.label(what).classes("slack-offer-what")

    def _draw_chips(self) -> None:
        chips = self._suggestions(self.character)
        self._chips.clear()
        with self._chips:
            if chips:
                ui.label("Try").classes("slack-try")
            for label, line in chips:
                chip = ui.button(label, on_click=partial(self._fill, line), color=None)
                chip.props("no-caps unelevated dense").classes("slack-chip").tooltip(line)

    def _fill(self, line: str) -> None:
        self._line.set_value(line)
        self._line.run_method("focus")

    async def _send(self) -> None:
        line = str(self._line.value or "").strip()
        if not line:
            return
        self._line.set_value("")
        await self.stage.types(self.character, self._room, line)
        self.refresh()


def avatar(one: Character) -> None:
    """A coloured square with the initials."""
    colour = sum(map(ord, one.user)) % 6
    ui.label("".join(word[0] for word in one.name.split())).classes(f"slack-avatar slack-avatar-{colour}")


def _time(stamp: str) -> str:
    return datetime.fromtimestamp(int(stamp.partition(".")[0])).astimezone().strftime("%H:%M")
