"""Draws the part of an approval a card shows, and the way to the others; the decision stands under the last one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from handlers.conversation import Section, Style, text
from handlers.parts import PART, room_beside, spread
from handlers.pen import Pen
from handlers.people import CLI


def in_parts(
    pen: Pen, sections: Sequence[Section], decisions: Sequence[Section], after: Sequence[Section], turn: str
) -> list[Section]:
    """The part of the sections this card shows, the decisions under the last; `turn` is its buttons' action.

    What stands `after` them stands on every part.
    """
    if pen.card.identity.startswith(f"{CLI}/"):
        # A terminal scrolls.
        return [*sections, *decisions, *after]
    others = [section for section in sections if not section.whole]
    pieces = list(spread(sections, room_beside([*others, *decisions, *after])))
    last = max((part for part, _ in pieces), default=0)
    if last <= 1:
        return [*(piece for _, piece in pieces), *decisions, *after]
    stamp = hashlib.sha256(repr([one for one in sections if one.whole]).encode(errors="surrogatepass")).hexdigest()[:12]
    here = _part(pen, stamp, last)
    shown = [piece for part, piece in pieces if part in {0, here}]
    buttons = [
        pen.button(label, turn, style, part=to, of=stamp)
        for label, to, style in (
            ("Next part", here + 1, Style.PRIMARY),
            ("Previous part", here - 1, Style.PLAIN),
        )
        if 1 <= to <= last
    ]
    where = f"Part {here} of {last} of what an approval covers."
    note = where if here == last else f"{where} The decision stands under the last part."
    return [*shown, Section(body=(text(note),), buttons=tuple(buttons)), *(decisions if here == last else ()), *after]


def _part(pen: Pen, stamp: str, last: int) -> int:
    word, _, rest = pen.card.topic.partition(" ")
    number, _, of = rest.partition(" ")
    return min(int(number), last) if word == PART and of == stamp else 1
