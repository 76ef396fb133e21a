"""The demo page's Teams: the chat with the bot as one person sees it, and the switch to be somebody else."""

from __future__ import annotations

from functools import partial

from nicegui import ui
from nicegui.element import Element

from bot.lab import page_cards
from bot.lab.demo_teams import Entry, TeamsStage
from bot.lab.page_blocks import run
from bot.lab.page_chat import Badge, Composer, People, Suggestions, avatar, flash, hour
from bot.lab.sample_clients import DOMAINS, IN_TEAMS, Character
from bot.lab.teams_cards import Json, Shown, read
from bot.teams.package import COMMANDS

LONGEST_PREVIEW = 60


class TeamsPane:
    """One visitor's Teams window. Build it inside the page, then `refresh` when something may have changed."""

    def __init__(self, stage: TeamsStage, suggestions: Suggestions) -> None:
        self.stage = stage
        self.character = IN_TEAMS[0]
        self._suggestions = suggestions
        self._typed: dict[str, dict[str, str]] = {}
        """Message → what stands in its fields."""
        self._drawn: dict[str, tuple[Entry, Element]] = {}
        self._sidebar_signature: object = None
        self.box = ui.element("div").classes("teams")
        with self.box:
            with ui.element("div").classes("teams-sidebar"):
                self._people = People(IN_TEAMS, self.be)
                self._sidebar = ui.element("div").classes("chat-rooms")
            with ui.element("div").classes("teams-main"):
                self._header = ui.element("div").classes("teams-header")
                with ui.element("div").classes("teams-scroll"):
                    self._messages = ui.element("div").classes("teams-messages")
                self._composer = Composer("Write in Teams", COMMANDS, self._send)
        self._draw_chat()

    def refresh(self) -> None:
        """Draw what changed, and nothing else: a field somebody types in must stay."""
        self._refresh_messages()
        self.stage.look(self.character)
        self._refresh_sidebar()

    def be(self, character: Character) -> None:
        """Be that person, in their chat with the bot."""
        self.character = character
        self._draw_chat()
        self.refresh()

    # --- who and where --------------------------------------------------------------------------

    def _refresh_sidebar(self) -> None:
        unread = [self.stage.unread(one) for one in IN_TEAMS]
        entries = self.stage.entries(self.character)
        preview = _preview(entries[-1]) if entries else "Write to it, or press a button."
        signature = (self.character, unread, preview)
        if signature == self._sidebar_signature:
            return
        self._sidebar_signature = signature
        for one, count in zip(IN_TEAMS, unread, strict=True):
            self._people.show(one, here=one is self.character, hint="", unread=count)
        self._sidebar.clear()
        with self._sidebar:
            ui.label(f"{DOMAINS[self.character.team]}.example").classes("teams-tenant")
            ui.label("Chat").classes("chat-label")
            self._chat_row(preview, unread[IN_TEAMS.index(self.character)])

    def _chat_row(self, preview: str, unread: int) -> None:
        with ui.element("div").classes("teams-chat here"):
            with ui.element("div").classes("teams-face"):
                ui.icon("smart_toy")
            with ui.element("div").classes("chat-person-words"):
                ui.label("Offboard").classes("teams-chat-title" + (" unread" if unread else ""))
                ui.label(preview).classes("teams-chat-preview")
            Badge().show(unread)

    # --- the chat -------------------------------------------------------------------------------

    def _draw_chat(self) -> None:
        self._header.clear()
        with self._header:
            with ui.element("div").classes("teams-face"):
                ui.icon("smart_toy")
            ui.label("Offboard").classes("teams-header-title")
            ui.label(f"personal chat with {self.character.name}").classes("teams-header-note")
        self._drawn.clear()
        self._messages.clear()
        self._composer.begin("Type a message", self._suggestions(self.character))

    def _refresh_messages(self) -> None:
        entries = self.stage.entries(self.character)
        if not entries:
            if not list(self._messages):
                self._welcome()
            return
        if not self._drawn:
            self._messages.clear()
        for entry in entries:
            before = self._drawn.get(entry.message.id)
            if before and before[0].message is entry.message:
                continue
            if before is None:
                with self._messages:
                    box = ui.element("div").classes("teams-message" + (" mine" if entry.mine else ""))
            else:
                box = before[1]
                same = before[0].message.card == entry.message.card and before[0].message.text == entry.message.text
                if same:
                    # The edit for everybody brings what the answer to the press has shown already.
                    self._drawn[entry.message.id] = entry, box
                    continue
                box.clear()
                flash(box)
            self._drawn[entry.message.id] = entry, box
            with box:
                self._message(entry)

    def _message(self, entry: Entry) -> None:
        message = entry.message
        if entry.mine:
            with ui.element("div").classes("teams-bubble"):
                ui.label(message.text).classes("teams-text")
            avatar(self.character)
            return
        with ui.element("div").classes("teams-face" + (" teams-itself" if entry.from_teams else "")):
            ui.icon("error_outline" if entry.from_teams else "smart_toy")
        with ui.element("div").classes("teams-body"):
            with ui.element("div").classes("teams-byline"):
                ui.label("Teams" if entry.from_teams else "Offboard").classes("teams-author")
                ui.label(hour(message.at)).classes("teams-time")
                if message.edits:
                    ui.label("Edited").classes("teams-time")
                if entry.only_you:
                    ui.icon("visibility").classes("teams-time")
                    ui.label("Only visible to you").classes("teams-time")
            if message.card is None:
                with ui.element("div").classes("teams-bubble teams-text"):
                    run(message.text)
                return
            with ui.element("div").classes("teams-card"):
                typed = self._typed.setdefault(message.id, {})
                look_up = partial(self.stage.looks_up, self.character, message)
                page_cards.draw(message.card, typed, partial(self._press, message), look_up)

    async def _press(self, message: Shown, button: Json, values: dict[str, str]) -> None:
        await self.stage.presses(self.character, message, button, values)
        # The card is drawn anew, and Teams forgets what stood in its fields.
        self._typed.pop(message.id, None)
        self.refresh()

    async def _send(self, line: str) -> None:
        await self.stage.types(self.character, line)
        self.refresh()

    def _welcome(self) -> None:
        with self._messages, ui.element("div").classes("teams-welcome"):
            ui.icon("smart_toy").classes("teams-welcome-icon")
            ui.label("This is your personal chat with Offboard.").classes("teams-welcome-title")
            ui.label("Write to it below, without a slash. Nobody else in the company reads what you say here.")


def _preview(entry: Entry) -> str:
    said = next((line for line in read(entry.message).splitlines() if line), "")
    line = f"You: {said}" if entry.mine else said
    return line if len(line) <= LONGEST_PREVIEW else f"{line[:LONGEST_PREVIEW]}…"
