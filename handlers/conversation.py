"""The platform-free model of a conversation: what is heard, what is shown, and the port that shows it."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol


class Kind(enum.StrEnum):
    """What somebody did."""

    COMMAND = "command"
    CLICK = "click"


@dataclass(frozen=True)
class Actor:
    """A platform identity, as the platform vouches for it. Which person it is, configuration says."""

    platform: str
    workspace: str
    """Slack: the user's own team id. Teams: the tenant id."""
    user: str
    """Slack: user id. Teams: aadObjectId."""

    def __str__(self) -> str:
        return f"{self.platform}/{self.workspace}/{self.user}"


@dataclass(frozen=True)
class Place:
    """Where something was said or is shown."""

    platform: str
    workspace: str
    """Slack: the team the app is installed in and posts through."""
    channel: str
    private: bool = False
    """A chat between one person and the bot, and nobody else."""


@dataclass(frozen=True)
class Inbound:
    """One thing somebody did, verified by the platform's edge."""

    kind: Kind
    actor: Actor
    where: Place
    dedupe: str
    """The same thing delivered twice carries the same key."""
    command: str = ""
    """COMMAND: the word without its slash, 'offboard'."""
    text: str = ""
    """COMMAND: what followed it."""
    token: str = ""
    """CLICK: the opaque token of the button."""
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    """CLICK: field id → what was typed or picked."""
    at_once: bool = False
    """CLICK: the platform answers it with the next card, so that one is drawn before the commit, not after it."""


class Style(enum.StrEnum):
    """How a span or a button looks."""

    PLAIN = "plain"
    STRONG = "strong"
    QUIET = "quiet"
    PRIMARY = "primary"
    DANGER = "danger"


@dataclass(frozen=True)
class Span:
    """A run of text. Its value is shown as it is: renderers escape, whatever a directory says."""

    value: str
    style: Style = Style.PLAIN


@dataclass(frozen=True)
class Text:
    """One paragraph: spans in order."""

    spans: tuple[Span, ...]

    def __str__(self) -> str:
        return "".join(span.value for span in self.spans)


def text(*parts: str | Span) -> Text:
    """A paragraph from plain strings and spans."""
    return Text(tuple(part if isinstance(part, Span) else Span(part) for part in parts if part))


def strong(value: str) -> Span:
    """A span that stands out."""
    return Span(value, Style.STRONG)


def quiet(value: str) -> Span:
    """A span of small print."""
    return Span(value, Style.QUIET)


@dataclass(frozen=True)
class Fact:
    """A labelled value: 'Title — Head of Sales'."""

    label: str
    value: Text


class Mark(enum.StrEnum):
    """How a line of a checklist stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    PERSON = "person"


@dataclass(frozen=True)
class Check:
    """A line of a checklist."""

    mark: Mark
    value: Text
    detail: Text | None = None


@dataclass(frozen=True)
class Option:
    """One entry of a field's list."""

    id: str
    label: str


class FieldKind(enum.StrEnum):
    """How a field is filled in. What arrives is a person's word all the same: handlers check it."""

    TEXT = "text"
    DATE = "date"
    """'2026-11-30'."""
    TIME = "time"
    """'17:00'. Of which time zone, the label says."""


FORMS: Mapping[FieldKind, str] = {FieldKind.DATE: "%Y-%m-%d", FieldKind.TIME: "%H:%M"}
"""How a date and a time are written, in a field's value and in what arrives."""


def written(kind: FieldKind, value: str) -> bool:
    """Whether that is a date or a time as such a field holds it."""
    try:
        return datetime.strptime(value, FORMS[kind]).replace(tzinfo=UTC).strftime(FORMS[kind]) == value
    except ValueError:
        return False


@dataclass(frozen=True)
class Field:
    """Something to type or pick; its value arrives with the next click on the card."""

    id: str
    label: str
    placeholder: str = ""
    long: bool = False
    value: str = ""
    options: tuple[Option, ...] = ()
    """Empty: free text, or what the kind says."""
    kind: FieldKind = FieldKind.TEXT
    suggest: str = field(default="", repr=False)
    """An opaque token: what fits is looked up by it while somebody types, to be picked from.

    Words that were typed and not picked need not arrive: a field that takes them stands beside it.
    """

    def __post_init__(self) -> None:
        # A platform refuses the whole card for a date that is none.
        if self.value and self.kind in FORMS and not written(self.kind, self.value):
            raise ValueError(f"field '{self.id}' is a {self.kind} and can't hold '{self.value}'")


@dataclass(frozen=True)
class Button:
    """A button. Its token is opaque, used once, and says nothing about what it does."""

    label: str
    token: str
    style: Style = Style.PLAIN


@dataclass(frozen=True)
class Section:
    """A headed part of a card: a checklist, say, and the buttons that belong to it."""

    heading: str = ""
    body: tuple[Text, ...] = ()
    facts: tuple[Fact, ...] = ()
    checklist: tuple[Check, ...] = ()
    fields: tuple[Field, ...] = ()
    buttons: tuple[Button, ...] = ()
    whole: bool = False
    """Somebody decides about exactly this: renderers leave nothing of it out, and refuse what they can't show."""


@dataclass(frozen=True)
class Card:
    """What a message shows, on any platform. Renderers degrade; the core never asks which one."""

    title: str
    notification: str
    """What a lock screen may show: case number and client, never a name."""
    progress: tuple[int, int] | None = None
    """Step x of y."""
    sections: tuple[Section, ...] = ()

    @property
    def buttons(self) -> tuple[Button, ...]:
        """Every button on the card, top to bottom."""
        return tuple(button for section in self.sections for button in section.buttons)


@dataclass(frozen=True)
class Message:
    """Where a posted card lives, so that it can be edited."""

    place: Place
    id: str
    """Slack: ts. Teams: activity id."""


@dataclass(frozen=True)
class Drawn:
    """A card as it is to be shown, and which version of the truth it is."""

    id: str
    card: Card
    version: int
    last: bool = False
    """Nothing is shown there afterwards."""


@dataclass(frozen=True)
class Reply:
    """What an edge answers at once, after the commit."""

    line: str = ""
    """A private line to the person, if any; never a leaver's name where others could read."""
    card: str = ""
    """Id of the card the click was on, to be redrawn from the committed state."""
    drawn: Drawn | None = None
    """That card as it is now, where the platform answers with it."""
    neutral: bool = False
    """The line names nobody: it may be said where it was asked for, whoever reads along."""
    secret: Callable[[], Awaitable[str]] | None = None
    """Awaited after the acknowledgement; its answer is shown to the clicker alone and stored nowhere."""


class ChatError(Exception):
    """A platform did not take a message; `retry_after` seconds says when to try again, None never.

    `hopeless`: the person of that private chat can't be written to any more, whatever is tried.
    """

    def __init__(
        self, platform: str, call: str, message: str, retry_after: float | None, *, hopeless: bool = False
    ) -> None:
        self.platform, self.call, self.retry_after, self.hopeless = platform, call, retry_after, hopeless
        super().__init__(f"{platform}: {call}: {message}")


class Chat(Protocol):
    """What a platform must be able to do. Raises ChatError."""

    platform: str

    async def private(self, actor: Actor) -> Place:
        """The private chat between that person and the bot."""
        ...

    async def post(self, place: Place, card: Card) -> Message:
        """A new message."""
        ...

    async def update(self, message: Message, card: Card) -> None:
        """Edit a message in place."""
        ...
