"""Draws a card as an Adaptive Card for Teams: pure, literal, schema 1.5, small enough to be taken.

Text stands in `RichTextBlock`, whose runs are shown as they are; `TextBlock` and `FactSet` would
read markdown (adaptivecards.io/explorer, RichTextBlock and TextRun: "Markdown is not supported").

Teams takes about 100 KB and advises 80 (learn.microsoft.com, "Format your bot messages",
2026); older pages say 28 KB, so the budget here is 25 KB.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from pydantic import JsonValue

from bot.lines import Line, cut, fitting, inert, lines_of, more, unabridged
from handlers.conversation import Button, Card, Field, FieldKind, Section, Span, Style

AdaptiveCard = dict[str, JsonValue]

MOST_BYTES = 25_000
MOST_BUTTONS_IN_A_ROW = 6
"""Teams shows six actions side by side (learn.microsoft.com, "Cards reference", 2026)."""
MOST_CHARACTERS_IN_A_ROW = 32
"""What stands side by side on a phone, counting what is around each label."""
LONGEST_LABEL = 150
LONGEST_BUTTON = 75
PICKERS = {FieldKind.DATE: "Input.Date", FieldKind.TIME: "Input.Time"}
LOOKS: Mapping[Style, AdaptiveCard] = {Style.STRONG: {"weight": "Bolder"}, Style.QUIET: {"isSubtle": True}}
_SLASH = re.compile(r"(?<!\S)/(?=offboard(?:-status|-doctor)?(?:[.,:;]?(?:\s|$)))")
BUTTON_STYLES = {Style.PRIMARY: "positive", Style.DANGER: "destructive"}


@dataclass(frozen=True)
class _Part:
    """A section on its way to elements."""

    section: Section
    lines: tuple[Line, ...]
    left_out: int = 0


def adaptive_card(card: Card) -> AdaptiveCard:
    """The card as JSON for an attachment of type application/vnd.microsoft.card.adaptive.

    Over-long text is shortened visibly; buttons, fields and what must be read whole never are left
    out. Raises ValueError for a card that can't be shown so: its author must split it.
    """
    _check_ids(card)
    parts = [_part(section) for section in card.sections]
    if not all(unabridged(section) for section in card.sections if section.whole):
        raise ValueError(f"card '{card.title}' has a line that would be cut and must be read whole: split it")
    drawn = _assemble(card, parts)
    if _bytes(drawn) <= MOST_BYTES:
        return drawn
    fixed = _bytes(_assemble(card, [part if part.section.whole else replace(part, lines=()) for part in parts]))
    if fixed > MOST_BYTES:
        raise ValueError(f"card '{card.title}' is {fixed} bytes by its fields and buttons: split it")
    return _assemble(card, _shorten(parts, MOST_BYTES - fixed))


def _shorten(parts: Sequence[_Part], room: int) -> list[_Part]:
    """Leave lines out, always from the longest part, until they fit the room; each part says how many."""
    short = [part for part in parts if not part.section.whole]
    sizes = [[_bytes(_drawn_line(line)) + len(", ") for line in part.lines] for part in short]
    left = iter(fitting(sizes, _bytes(_drawn_line(more(1_000))) + len(", "), room))
    return [part if part.section.whole else _first(part, next(left)) for part in parts]


def _first(part: _Part, count: int) -> _Part:
    return replace(part, lines=part.lines[:count], left_out=len(part.lines) - count)


def _check_ids(card: Card) -> None:
    ids = [field.id for section in card.sections for field in section.fields]
    if len(set(ids)) < len(ids):
        raise ValueError(f"card '{card.title}' has two fields of one id: {sorted(ids)}")
    if "token" in ids:
        # Teams merges inputs into the button's data: such a field would replace the token.
        raise ValueError(f"card '{card.title}': a field can't be called 'token'")


def _part(section: Section) -> _Part:
    return _Part(section, lines_of(section, detail=Style.QUIET))


def _assemble(card: Card, parts: Sequence[_Part]) -> AdaptiveCard:
    body: list[JsonValue] = [_heading(" ".join(card.title.split()), size="Large")]
    if card.progress:
        step = Span(f"Step {card.progress[0]} of {card.progress[1]}", Style.QUIET)
        body.append({**_rich((step,)), "spacing": "None"})
    for index, part in enumerate(parts):
        items: list[JsonValue] = [*_text(part)]
        items += [_field(field) for field in part.section.fields]
        for row in _rows(part.section.buttons):
            actions: list[JsonValue] = [_button(button) for button in row]
            items.append({"type": "ActionSet", "actions": actions})
        if items:
            body.append({"type": "Container", "separator": index > 0, "spacing": "Medium", "items": items})
    return {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.5",
        "fallbackText": "This message needs a newer version of Teams.",
        "msteams": {"width": "Full"},
        "body": body,
    }


def _rows(buttons: Sequence[Button]) -> list[list[Button]]:
    """Rows that a phone shows whole, what is recommended first: a label cut off could be another one's."""
    rows, room = list[list[Button]](), 0
    for button in sorted(buttons, key=lambda button: button.style is not Style.PRIMARY):
        wide = len(button.label) + len("    ")
        if not rows or wide > room or len(rows[-1]) == MOST_BUTTONS_IN_A_ROW:
            rows.append([])
            room = MOST_CHARACTERS_IN_A_ROW
        rows[-1].append(button)
        room -= wide
    return rows


def _text(part: _Part) -> list[AdaptiveCard]:
    out = list[AdaptiveCard]()
    if part.section.heading:
        out.append(_heading(part.section.heading, size="Medium"))
    out += [_drawn_line(line) for line in part.lines]
    if part.left_out:
        out.append(_drawn_line(more(part.left_out)))
    return out


def _drawn_line(line: Line) -> AdaptiveCard:
    return {**_rich(line), "spacing": "Small"}


def _heading(value: str, *, size: str) -> AdaptiveCard:
    run: AdaptiveCard = {
        "type": "TextRun",
        "text": cut(inert(value), LONGEST_LABEL) or "–",
        "size": size,
        "weight": "Bolder",
    }
    return {"type": "RichTextBlock", "inlines": [run]}


def _rich(line: Line) -> AdaptiveCard:
    """A line; neighbours of one style share a run, for the sum of bytes."""
    same = groupby(line, lambda span: span.style if span.style in LOOKS else Style.PLAIN)
    inlines: list[JsonValue] = [_run("".join(span.value for span in spans), style) for style, spans in same]
    return {"type": "RichTextBlock", "inlines": inlines}


def _run(value: str, style: Style) -> AdaptiveCard:
    return {"type": "TextRun", "text": without_slash(value), **LOOKS.get(style, {})}


def without_slash(value: str) -> str:
    """Commands as they are written in Teams, where a slash opens its own menu; a path keeps its own."""
    return _SLASH.sub("", value)


def _field(field: Field) -> AdaptiveCard:
    out: AdaptiveCard = {
        "type": "Input.Text",
        "id": field.id,
        "label": cut(inert(field.label or field.id), LONGEST_LABEL),
    }
    if field.placeholder:
        out["placeholder"] = cut(inert(field.placeholder), LONGEST_LABEL)
    if field.suggest:
        # Filtered, a list takes what was picked and nothing else: the field for words beside it is its fallback.
        query: AdaptiveCard = {"type": "Data.Query", "dataset": field.suggest}
        out |= {"type": "Input.ChoiceSet", "style": "filtered", "choices": [], "choices.data": query}
    elif field.options:
        # Compact: a drop-down shows its titles literally, an expanded list would read markdown.
        choices: list[JsonValue] = [
            {"title": cut(inert(option.label or option.id), LONGEST_LABEL), "value": option.id}
            for option in field.options
        ]
        out |= {"type": "Input.ChoiceSet", "style": "compact", "choices": choices}
        if field.value in {option.id for option in field.options}:
            out["value"] = field.value
    elif field.kind in PICKERS:
        out["type"] = PICKERS[field.kind]
        if field.value:
            out["value"] = field.value
    else:
        out["isMultiline"] = field.long
        if field.value:
            out["value"] = inert(field.value)
    return out


def _button(button: Button) -> AdaptiveCard:
    if not button.token:
        raise ValueError(f"button '{button.label}' has no token")
    out: AdaptiveCard = {
        "type": "Action.Execute",
        "title": cut(inert(button.label), LONGEST_BUTTON) or "–",
        "verb": "press",
        "data": {"token": button.token},
    }
    style: AdaptiveCard = {"style": BUTTON_STYLES[button.style]} if button.style in BUTTON_STYLES else {}
    # An app too old for Action.Execute sends the same press as a message.
    older: AdaptiveCard = {"type": "Action.Submit", "title": out["title"], "data": {"token": button.token}}
    return {**out, **style, "fallback": {**older, **style}}


def written(value: object) -> bytes:
    """JSON as Teams is sent it: with every letter beyond ASCII escaped, a card would be several times as big."""
    # A letter that a vendor cut in half is no reason to show nothing.
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")


def _bytes(drawn: AdaptiveCard) -> int:
    return len(written(drawn))
