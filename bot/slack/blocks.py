"""Draws a card as Slack Block Kit: pure, literal, and always within what Slack accepts.

Nothing here is `mrkdwn`: text stands in `rich_text` and `plain_text`, which Slack shows as it
is, so a directory name such as `<!channel>` or `*bold*` stays a name.

Limits: docs.slack.dev/reference/block-kit (pages of the blocks and elements, read 2026-11-22).
The sum over a message is not documented: bolt-js issue 2867 (2026-04-11) reports
`msg_blocks_too_long` at 11,341 characters of rich text, issue 2509 at about 13,200 of markdown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from bot.lines import LONGEST_LINE, Line, cut, fitting, inert, lines_of, more, unabridged
from bot.slack.payloads import SUGGEST
from handlers.conversation import Button, Card, Field, FieldKind, Option, Section, Span, Style

Block = dict[str, JsonValue]

MOST_BLOCKS = 50
COMFORTABLE_BLOCKS = 40
MOST_CHARACTERS = 9_000
LEAST_FOR_LINES = 1_500
"""Long lists to pick from never push out what is being decided; the sum stays below what Slack refused."""
MOST_BUTTONS_IN_A_ROW = 25
MOST_OPTIONS = 100
LONGEST = {"header": 150, "button": 75, "option": 75, "placeholder": 150, "label": 300, "value": 3_000}
LONGEST_OPTION_ID = 150
LONGEST_TOKEN = 2_000
LEAST_LETTERS = 2
PICKERS = {FieldKind.DATE: "datepicker", FieldKind.TIME: "timepicker"}


@dataclass(frozen=True)
class _Part:
    """A section on its way to blocks."""

    heading: str
    lines: tuple[Line, ...]
    fields: tuple[Field, ...]
    buttons: tuple[Button, ...]
    left_out: int = 0
    whole: bool = False


def blocks(card: Card) -> list[Block]:
    """The card's blocks, top to bottom.

    Over-long text is shortened visibly; buttons, fields and what must be read whole never are left
    out. Raises ValueError for a card that can't be shown so: its author must split it.
    """
    parts = [_part(section) for section in card.sections]
    if not all(unabridged(section) for section in card.sections if section.whole):
        raise ValueError(f"card '{card.title}' has a line that would be cut and must be read whole: split it")
    fixed = _characters(_assemble(card, [part if part.whole else replace(part, lines=()) for part in parts]))
    if fixed > MOST_CHARACTERS:
        raise ValueError(f"card '{card.title}' has {fixed} characters in fields and buttons: split it")
    parts = _shorten(parts, max(MOST_CHARACTERS - fixed, LEAST_FOR_LINES))
    drawn = _assemble(card, parts, dividers=True)
    if len(drawn) > COMFORTABLE_BLOCKS:
        drawn = _assemble(card, parts)
    if len(drawn) > MOST_BLOCKS:
        drawn = _assemble(card, _fold(parts))
    if len(drawn) > MOST_BLOCKS:
        raise ValueError(f"card '{card.title}' needs {len(drawn)} Slack blocks, {MOST_BLOCKS} fit: split it")
    return drawn


def line_blocks(line: str) -> list[Block]:
    """A private one-line answer, as literal as a card."""
    return [_rich_text([(Span(cut(inert(line), LONGEST_LINE)),)])]


def fallback(line: str) -> str:
    """The text beside the blocks, for lock screens. Slack parses it, so its three signs are escaped.

    Source: docs.slack.dev/messaging/formatting-message-text, "Escaping text".
    """
    return inert(line).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _part(section: Section) -> _Part:
    return _Part(inert(section.heading), lines_of(section), section.fields, section.buttons, whole=section.whole)


def _shorten(parts: Sequence[_Part], room: int) -> list[_Part]:
    """Leave lines out, always from the longest part, until they fit the room; each part says how many."""
    short = [part for part in parts if not part.whole]
    sizes = [[sum(len(span.value) for span in line) + 1 for line in part.lines] for part in short]
    kept = fitting(sizes, len("… 1000 more lines\n"), room)
    left = iter(kept)
    return [part if part.whole else _first(part, next(left)) for part in parts]


def _first(part: _Part, count: int) -> _Part:
    return replace(part, lines=part.lines[:count], left_out=len(part.lines) - count)


def _fold(parts: Sequence[_Part]) -> list[_Part]:
    """Fewer, larger parts: text joins text, and buttons carry the heading they stood under."""
    folded = list[_Part]()
    for part in parts:
        buttons = tuple(_named(part.heading, button) for button in part.buttons)
        left_out = (more(part.left_out),) if part.left_out else ()
        lines = part.lines + left_out
        last = folded[-1] if folded else None
        if last is None or last.fields or part.fields or len(last.buttons + buttons) > MOST_BUTTONS_IN_A_ROW:
            folded.append(_Part(part.heading, lines, part.fields, buttons))
            continue
        heading = ((Span(part.heading, Style.STRONG),),) if part.heading else ()
        folded[-1] = replace(last, lines=last.lines + heading + lines, buttons=last.buttons + buttons)
    return folded


def _named(heading: str, button: Button) -> Button:
    """A label that says what it belongs to, and still ends with what it does."""
    room = LONGEST["button"] - len(button.label) - len(": ")
    if not heading or room < len("Mail…"):
        return button
    return replace(button, label=f"{cut(heading, room)}: {button.label}")


def _assemble(card: Card, parts: Sequence[_Part], *, dividers: bool = False) -> list[Block]:
    out: list[Block] = [{"type": "header", "text": _plain(" ".join(card.title.split()), "header")}]
    if card.progress:
        step = _plain(f"Step {card.progress[0]} of {card.progress[1]}", "label")
        out.append({"type": "context", "elements": [step]})
    number = 0
    for index, part in enumerate(parts):
        if dividers and index and (part.heading or part.fields or part.buttons):
            out.append({"type": "divider"})
        text = _lines(part)
        if text:
            out.append(_rich_text(text))
        out += [_field(card, field) for field in part.fields]
        for start in range(0, len(part.buttons), MOST_BUTTONS_IN_A_ROW):
            row = part.buttons[start : start + MOST_BUTTONS_IN_A_ROW]
            elements: list[JsonValue] = [_button(button, number + at) for at, button in enumerate(row)]
            out.append({"type": "actions", "block_id": f"buttons:{number}", "elements": elements})
            number += len(row)
    ids = [str(block["block_id"]) for block in out if "block_id" in block]
    names = [field.id for part in parts for field in part.fields]
    if len(set(ids)) < len(ids) or len(set(names)) < len(names):
        raise ValueError(f"card '{card.title}' has two fields of one id: {sorted(names)}")
    return out


def _lines(part: _Part) -> list[Line]:
    heading = [(Span(cut(part.heading, LONGEST["label"]), Style.STRONG),)] if part.heading else []
    left_out = [more(part.left_out)] if part.left_out else []
    return [*heading, *part.lines, *left_out]


def _rich_text(lines: Sequence[Line]) -> Block:
    """Lines as one section; neighbours of one style share an element, for the sum of characters."""
    runs = list[tuple[str, Style]]()
    for index, line in enumerate(lines):
        for span in (Span("\n"), *line) if index else line:
            shown = span.style if span.style in {Style.STRONG, Style.QUIET} else Style.PLAIN
            if runs and (runs[-1][1] is shown or span.value == "\n"):
                runs[-1] = (runs[-1][0] + span.value, runs[-1][1])
            else:
                runs.append((span.value, shown))
    elements: list[JsonValue] = [_run(value, style) for value, style in runs]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _run(value: str, style: Style) -> Block:
    if style is Style.STRONG:
        return {"type": "text", "text": value, "style": {"bold": True}}
    if style is Style.QUIET:
        return {"type": "text", "text": value, "style": {"italic": True}}
    return {"type": "text", "text": value}


def _field(card: Card, field: Field) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": field.id}
    if field.suggest:
        element = {"type": "external_select", "action_id": field.id, "min_query_length": LEAST_LETTERS}
    elif field.options:
        element = {"type": "static_select", "action_id": field.id, **_options(field)}
    elif field.kind in PICKERS:
        what = field.kind.value
        element = {"type": PICKERS[field.kind], "action_id": field.id}
        if field.value:
            element[f"initial_{what}"] = field.value
    else:
        element["multiline"] = field.long
        if inert(field.value):
            element["initial_value"] = cut(inert(field.value), LONGEST["value"])
    if field.placeholder:
        element["placeholder"] = _plain(field.placeholder, "placeholder")
    # Slack keeps what was typed as long as block and action keep their ids: redrawing the same
    # question must, and another question under the same field id must not.
    seed = repr((card.title, card.progress, field)).encode()
    own = f"field:{field.id}:{hashlib.sha256(seed).hexdigest()[:12]}"[:255]
    return {
        "type": "input",
        # Whom somebody picked for an earlier search must not be picked for the next one: each drawing has its token.
        "block_id": f"{SUGGEST}{field.suggest}" if field.suggest else own,
        "label": _plain(field.label or field.id, "label"),
        "element": element,
        "optional": True,
        "dispatch_action": False,
    }


def _options(field: Field) -> Block:
    """A list of up to 100 as it is, a longer one in groups of 100."""
    ids = [option.id for option in field.options]
    if len(set(ids)) < len(ids) or any(not 0 < len(entry) <= LONGEST_OPTION_ID for entry in ids):
        raise ValueError(f"field '{field.id}': option ids must be unique and 1–{LONGEST_OPTION_ID} long")
    if len(ids) > MOST_OPTIONS * MOST_OPTIONS:
        raise ValueError(f"field '{field.id}' has {len(ids)} options: ask for a part of the name first")
    out: Block = {}
    if len(ids) <= MOST_OPTIONS:
        out["options"] = [_option(option) for option in field.options]
    else:
        groups: list[JsonValue] = []
        for start in range(0, len(ids), MOST_OPTIONS):
            some = field.options[start : start + MOST_OPTIONS]
            entries: list[JsonValue] = [_option(option) for option in some]
            groups.append({"label": _plain(f"{start + 1}–{start + len(some)}", "option"), "options": entries})
        out["option_groups"] = groups
    chosen = next((option for option in field.options if option.id == field.value), None)
    if chosen:
        out["initial_option"] = _option(chosen)
    return out


def offered(options: Sequence[Option]) -> list[Block]:
    """What a field that looks people up is answered with."""
    return [_option(option) for option in options if 0 < len(option.id) <= LONGEST_OPTION_ID][:MOST_OPTIONS]


def _option(option: Option) -> Block:
    return {"text": _plain(option.label or option.id, "option"), "value": option.id}


def _button(button: Button, number: int) -> Block:
    if not 0 < len(button.token) <= LONGEST_TOKEN:
        raise ValueError(f"button '{button.label}': its token must be 1–{LONGEST_TOKEN} characters")
    out: Block = {
        "type": "button",
        "action_id": f"press:{number}",
        "text": _plain(button.label, "button"),
        "value": button.token,
    }
    if button.style in {Style.PRIMARY, Style.DANGER}:
        out["style"] = button.style.value
    return out


def _plain(value: str, what: str) -> Block:
    """A plain_text object: literal, `:emoji:` names included. Slack refuses an empty one."""
    return {"type": "plain_text", "text": cut(inert(value), LONGEST[what]) or "–", "emoji": False}


def _characters(drawn: JsonValue | Sequence[Block]) -> int:
    """Characters people read: texts, and what stands in a field already."""
    if isinstance(drawn, dict):
        here = [drawn.get("text"), drawn.get("initial_value")]
        own = sum(len(value) for value in here if isinstance(value, str))
        return own + sum(_characters(value) for value in drawn.values() if not isinstance(value, str))
    if isinstance(drawn, Sequence) and not isinstance(drawn, str):
        return sum(_characters(value) for value in drawn)
    return 0
