"""What every card renderer does alike: lines of literal text, marks, and leaving out what does not fit, visibly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from handlers.conversation import Check, Fact, Mark, Section, Span, Style

Line = tuple[Span, ...]

LONGEST_LINE = 2_000
MARKS = {
    Mark.PENDING: "⬜",
    Mark.RUNNING: "⏳",
    Mark.DONE: "✅",
    Mark.FAILED: "❌",
    Mark.SKIPPED: "⏭️",
    Mark.PERSON: "👤",
}

# Control characters, rare line breaks, and what turns the direction of what follows: a name that
# reads backwards is a name somebody else could be approved by. And halves of characters, which no platform takes.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def inert(value: str) -> str:
    """The text without characters that are not seen but change how the rest is read."""
    return _UNSEEN.sub("", value)


def cut(value: str, longest: int) -> str:
    """At most so many characters; what was cut shows as an ellipsis."""
    return value if len(value) <= longest else value[: max(longest - 1, 0)] + "…"


def lines_of(section: Section, *, detail: Style = Style.PLAIN) -> tuple[Line, ...]:
    """Body, facts and checklist as lines, top to bottom, empty ones left out; `detail` styles a check's detail."""
    lines = (
        *(_line(paragraph.spans) for paragraph in section.body),
        *(_fact(fact) for fact in section.facts),
        *(_check(check, detail) for check in section.checklist),
    )
    return tuple(line for line in lines if line)


def unabridged(section: Section) -> bool:
    """Whether every line of it is shown to its end."""
    checks = (len(str(one.value)) + len(str(one.detail or "")) + len(" –  ✅") for one in section.checklist)
    facts = (len(fact.label) + len(str(fact.value)) + len(": ") for fact in section.facts)
    return max((*(len(str(paragraph)) for paragraph in section.body), *facts, *checks), default=0) <= LONGEST_LINE


def more(count: int) -> Line:
    """Says how many lines were left out."""
    return (Span(f"… {count} more line{'s' if count > 1 else ''}", Style.QUIET),)


def fitting(sizes: Sequence[Sequence[int]], note: int, room: int) -> list[int]:
    """How many lines of each part may stay: lines go from the longest part's end until all fits the room.

    `sizes` are the sizes of each part's lines, `note` that of a part's "… n more lines".
    """
    kept = [len(part) for part in sizes]
    sums = [sum(part) for part in sizes]
    while sum(sums) + note * len(sizes) > room and any(sums):
        longest = sums.index(max(sums))
        kept[longest] -= 1
        sums[longest] -= sizes[longest][kept[longest]]
    return kept


def _line(spans: Iterable[Span]) -> Line:
    """The spans of one line, together no longer than a line may be."""
    room, kept = LONGEST_LINE, list[Span]()
    for span in spans:
        value = cut(inert(span.value), room)
        if value:
            kept.append(Span(value, span.style))
        room -= len(value)
        if room <= 0:
            break
    return tuple(kept)


def _fact(fact: Fact) -> Line:
    label = fact.label if fact.label.endswith("?") else f"{fact.label}:"
    return _flat(_line((Span(f"{label} ", Style.STRONG), *fact.value.spans)))


def _check(check: Check, detail: Style) -> Line:
    spans = check.detail.spans if check.detail else ()
    styled = [replace(span, style=detail) if span.style is Style.PLAIN else span for span in spans]
    return _flat(
        _line((Span(f"{MARKS[check.mark]} "), *check.value.spans, *((Span(" – ", detail),) if styled else ()), *styled))
    )


def _flat(line: Line) -> Line:
    """Without line breaks: a name must not look like a further line of the list."""
    return tuple(replace(span, value=span.value.replace("\n", " ")) for span in line)
