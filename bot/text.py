"""Draws a card as plain text for a terminal: every line whole, nothing that steers a terminal, no buttons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bot.lines import MARKS, inert
from handlers.conversation import Card, Check, Fact, Section, Text

_STEERS = re.compile("[\x7f-\x9f]")


def card_text(card: Card) -> str:
    """The card's lines, top to bottom. Nothing is shortened: what is approved must be readable in full."""
    parts = [_flat(card.title), *("\n".join(_lines(section)) for section in card.sections)]
    return "\n\n".join(part for part in parts if part)


def safe(value: str) -> str:
    """Text that a terminal shows and does not obey."""
    return _STEERS.sub("", inert(value))


def _lines(section: Section) -> Iterator[str]:
    if section.heading:
        yield f"# {_flat(section.heading)}"
    yield from _paragraphs(section.body)
    yield from (_fact(fact) for fact in section.facts)
    yield from (_check(check) for check in section.checklist)


def _paragraphs(body: Iterable[Text]) -> Iterator[str]:
    for paragraph in body:
        # An indented line can't be mistaken for a heading or a line of the list.
        said = safe(str(paragraph)).strip().replace("\n", "\n  ")
        if said:
            yield said


def _fact(fact: Fact) -> str:
    label = fact.label if fact.label.endswith("?") else f"{fact.label}:"
    return f"{_flat(label)} {_flat(str(fact.value))}"


def _check(check: Check) -> str:
    detail = f" – {_flat(str(check.detail))}" if check.detail else ""
    return f"{MARKS[check.mark]} {_flat(str(check.value))}{detail}"


def _flat(value: str) -> str:
    """On one line: a name must not look like a further line."""
    return " ".join(safe(value).split())
