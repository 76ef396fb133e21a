"""What an approval covers, in parts small enough to be shown whole on any platform: nothing of it is ever left out.

A section marked `whole` is spread over as many parts as it takes; everything else stands on each of them, and the
decision on the last one alone. A plan that changes begins at its first part again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from handlers.click import Click
from handlers.conversation import Check, Fact, Reply, Section, Span, Style, Text, quiet, strong, text

MOST_CHARACTERS, MOST_BYTES = 8_800, 24_000
"""What a message holds: characters on the platform that counts those, bytes on the one that counts these."""
LEAST_CHARACTERS, LEAST_BYTES = 2_500, 8_000
"""What a part holds however much else stands on the card: any line, and a heading."""
AROUND = 250, 1_300
"""Characters and bytes for the title and the way to the other parts."""
LINES = 500, 1_000
"""The same for the lines of sections that may be shortened: enough to say what they are about."""
PART = "part"
"""The topic of a card that shows a later part, with its number and of which text."""
LONGEST, LONGEST_LABEL = 1_500, 300
"""Characters of a text, and of what stands before it; renderers cut a line at 2,000, and a part must hold any line."""
LINE_COSTS, SPAN_COSTS, BUTTON_COSTS, FIELD_COSTS, OPTION_COSTS = 75, 55, 245, 150, 30
"""Bytes around each of these, as the wordier platform writes them."""

Size = tuple[int, int]
"""Characters and bytes."""
Line = Text | Fact | Check


def show_part(click: Click) -> Reply:
    """Turn to another part of what is to be approved."""
    click.card.topic = f"{PART} {click.args['part']} {click.arg('of')}"
    click.session.add(click.card)
    return Reply()


@dataclass
class _Room:
    """What is left of the part that is being filled."""

    most: Size
    characters: int = 0
    bytes: int = 0
    part: int = 0

    def take(self, line: Line, heading: str, *, first: bool) -> bool:
        """Put the line into this part, or into a new one that begins with the heading; whether it is a new one."""
        (characters, size), (head, head_size) = _size(line), _size(text(heading))
        fits = characters + head * first <= self.characters and size + head_size * first <= self.bytes
        if not fits:
            self.part, (self.characters, self.bytes) = self.part + 1, self.most
        if first or not fits:
            self.characters, self.bytes = self.characters - head, self.bytes - head_size
        self.characters, self.bytes = self.characters - characters, self.bytes - size
        return not fits


def room_beside(others: Iterable[Section]) -> Size:
    """What each part may take when those sections stand on the card as well."""
    sizes = [AROUND, *(_size_of(section) for section in others)]
    characters, size = sum(one for one, _ in sizes), sum(two for _, two in sizes)
    return max(MOST_CHARACTERS - characters, LEAST_CHARACTERS), max(MOST_BYTES - size, LEAST_BYTES)


def spread(sections: Iterable[Section], most: Size) -> Iterator[tuple[int, Section]]:
    """Each section with the part it belongs to, 0 for those that belong to all; long ones in pieces."""
    room = _Room(most)
    for section in sections:
        if not section.whole:
            yield 0, section
            continue
        piece, first = replace(section, body=(), facts=(), checklist=(), fields=(), buttons=()), True
        for line in _lines(section):
            before = room.part
            if room.take(line, section.heading, first=first) and not first:
                yield before, piece
                heading = f"{section.heading} (continued)" if section.heading else ""
                piece = replace(piece, heading=heading, body=(), facts=(), checklist=())
            piece, first = _with(piece, line), False
        yield room.part, replace(piece, fields=section.fields, buttons=section.buttons)


def _with(piece: Section, line: Line) -> Section:
    if isinstance(line, Fact):
        return replace(piece, facts=(*piece.facts, line))
    if isinstance(line, Check):
        return replace(piece, checklist=(*piece.checklist, line))
    return replace(piece, body=(*piece.body, line))


def _lines(section: Section) -> Iterator[Line]:
    """Top to bottom, as renderers draw them; what is too long for a line goes on in the next."""
    for paragraph in section.body:
        yield from _shorter(paragraph)
    for fact in section.facts:
        label = fact.label if len(fact.label) <= LONGEST_LABEL else f"{fact.label[: LONGEST_LABEL - 1]}…"
        for value in _shorter(fact.value):
            yield Fact(label, value)
    for check in section.checklist:
        first, *more = _shorter(check.value, LONGEST_LABEL)
        details = list(_shorter(check.detail)) if check.detail else []
        yield Check(check.mark, first, details.pop(0) if details and not more else None)
        for rest in more:
            yield Check(check.mark, text("… ", *rest.spans))
        for detail in details:
            yield Check(check.mark, text("… ", quiet(str(first)[:60])), detail)


def _shorter(paragraph: Text, longest: int = LONGEST) -> Iterator[Text]:
    """The paragraph in pieces no longer than that, broken between names or words where there are any."""
    spans, room = list[Span](), longest
    for span in paragraph.spans:
        left = span.value
        while len(left) > room:
            at = next(
                (found for sign in (", ", " ") if (found := left.rfind(sign, 0, room) + len(sign)) > room // 2), 0
            )
            at = at or (0 if spans else room)
            if at:
                spans.append(replace(span, value=left[:at]))
            yield Text(tuple(spans))
            left, spans, room = left[at:], [], longest
        spans.append(replace(span, value=left))
        room -= len(left)
    yield Text(tuple(spans))


def _size(line: Line) -> Size:
    """Characters and bytes it takes where it takes most; neighbours of one style share what is around them."""
    if isinstance(line, Fact):
        spans = (strong(f"{line.label}: "), *line.value.spans)
    elif isinstance(line, Check):
        # Where bytes count, a detail is small print.
        detail = (
            (quiet(" – "), *(quiet(one.value) if one.style is Style.PLAIN else one for one in line.detail.spans))
            if line.detail
            else ()
        )
        spans = (Span("✅ "), *line.value.spans, *detail)
    else:
        spans = line.spans
    runs = 1 + sum(before.style is not span.style for before, span in pairwise(spans))
    values = [span.value for span in spans]
    return sum(map(len, values)) + 1, sum(map(_bytes, values)) + LINE_COSTS + SPAN_COSTS * runs


def _bytes(value: str) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))


def _size_of(section: Section) -> Size:
    """A section's heading, fields and buttons, and of its lines as much as must be seen."""
    lines = [_size(line) for line in (*section.body, *section.facts, *section.checklist)]
    shown = min(sum(one for one, _ in lines), LINES[0]), min(sum(two for _, two in lines), LINES[1])
    sizes = [_size(text(section.heading)), shown]
    for button in section.buttons:
        written = 2 * (_bytes(button.label) + len(button.token)) + BUTTON_COSTS
        sizes += [(len(button.label), written)]
    for field in section.fields:
        words = (field.label, field.placeholder, field.value)
        sizes.append((sum(map(len, words)), sum(map(_bytes, words)) + FIELD_COSTS))
        sizes += [(len(one.label), _bytes(one.label) + _bytes(one.id) + OPTION_COSTS) for one in field.options]
    return sum(one for one, _ in sizes), sum(two for _, two in sizes)
