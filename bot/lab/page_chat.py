"""What Slack and Teams on the demo page have both: people to be, and a line to write on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from nicegui import ui
from nicegui.element import Element

from bot.lab.sample_clients import Character

Suggestions = Callable[[Character], tuple[tuple[str, str], ...]]
"""The chips over a person's composer: what each says, and the line it fills in."""


class Composer:
    """The line to write on, chips over it that fill it in, and the commands that fit what is being typed."""

    def __init__(self, label: str, commands: Mapping[str, str], send: Callable[[str], Awaitable[None]]) -> None:
        """`label`: what a screen reader says; `commands`: each command and what it is for."""
        self._commands, self._on_send = commands, send
        with ui.element("div").classes("chat-composer-area"):
            self._chips = ui.element("div").classes("chat-chips")
            with ui.element("div").classes("chat-composer"):
                self._offers = ui.element("div").classes("chat-offers")
                self._line = ui.input(on_change=self._offer).props("borderless dense autofocus autocomplete=off")
                self._line.props["aria-label"] = label
                self._line.on("keydown.enter", self._send)
                button = ui.button(icon="send", on_click=self._send, color=None).props("flat dense")
                button.classes("chat-send").props["aria-label"] = "Send"
        self._offers.set_visibility(False)

    def begin(self, placeholder: str, chips: tuple[tuple[str, str], ...]) -> None:
        """Be empty, in another room or for another person."""
        self._line.set_value("")
        self._line.props["placeholder"] = placeholder
        self._chips.clear()
        with self._chips:
            if chips:
                ui.label("Try").classes("chat-try")
            for label, line in chips:
                chip = ui.button(label, on_click=partial(self._fill, line), color=None)
                chip.props("no-caps unelevated dense").classes("chat-chip").tooltip(line)

    def _offer(self) -> None:
        line = str(self._line.value or "")
        fits = {word: what for word, what in self._commands.items() if line and word.startswith(line)}
        self._offers.set_visibility(bool(fits))
        self._offers.clear()
        with self._offers:
            for word, what in fits.items():
                row = ui.element("button").classes("chat-offer").on("click", partial(self._fill, f"{word} "))
                with row:
                    ui.label(word).classes("chat-offer-word")
                    ui.label(what).classes("chat-offer-what")

    def _fill(self, line: str) -> None:
        self._line.set_value(line)
        self._line.run_method("focus")

    async def _send(self) -> None:
        line = str(self._line.value or "").strip()
        if line:
            self._line.set_value("")
            await self._on_send(line)


class People:
    """Whom the visitor can be: a row each, kept, so that a press on it is never lost to a drawing."""

    def __init__(self, everybody: Sequence[Character], be: Callable[[Character], None]) -> None:
        ui.label("Be one of these people").classes("chat-label")
        self._rows = {one.user: PersonRow(one, be) for one in everybody}

    def show(self, one: Character, *, here: bool, hint: str, unread: int) -> None:
        """Who they are, or why to be them next, and what they have not read."""
        self._rows[one.user].show(here=here, hint=hint, unread=unread)


class PersonRow:
    """Somebody the visitor can be."""

    def __init__(self, one: Character, be: Callable[[Character], None]) -> None:
        self._role = one.role
        self._row = ui.element("button").classes("chat-person").on("click", partial(be, one))
        self._row.props["aria-label"] = f"Be {one.name}"
        with self._row:
            avatar(one)
            with ui.element("div").classes("chat-person-words"):
                ui.label(one.name).classes("chat-person-name")
                self._words = ui.label()
            self._badge = Badge()

    def show(self, *, here: bool, hint: str, unread: int) -> None:
        """As things are now."""
        self._row.classes(replace="chat-person here" if here else "chat-person")
        self._words.set_text(hint or self._role)
        self._words.classes(replace="chat-person-hint" if hint else "chat-person-role")
        self._badge.show(0 if here else unread)


class Badge:
    """How many messages are new; not to be seen while none is."""

    def __init__(self) -> None:
        self._label = ui.label().classes("chat-badge")

    def show(self, unread: int) -> None:
        """As many as there are now."""
        self._label.set_text(str(unread))
        self._label.set_visibility(unread > 0)


def avatar(one: Character) -> None:
    """A coloured square with the initials."""
    colour = sum(map(ord, one.user)) % 6
    ui.label("".join(word[0] for word in one.name.split())).classes(f"chat-avatar chat-avatar-{colour}")


def flash(box: Element) -> None:
    """Show that the message was edited."""
    # The same class again would not start the flash again.
    box.classes(toggle="edited-a edited-b") if "edited-a" in box.classes else box.classes("edited-a")


def hour(at: float) -> str:
    """A time of day, given in seconds since 1970."""
    return datetime.fromtimestamp(int(at)).astimezone().strftime("%H:%M")
