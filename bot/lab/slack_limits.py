"""A message's blocks as Slack sees them: what it refuses, and how people read what it shows.

Source: docs.slack.dev/reference/block-kit, pages of the blocks and elements used here (read
2026-11-22). The sum is undocumented; bolt-js issue 2867 (2026-04-11) saw 11,341 refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

Json = dict[str, JsonValue]

MOST_BLOCKS = 50
MOST_CHARACTERS = 11_340
NOT_TOGETHER = {"options", "option_groups"}
SELECTS = {"static_select", "external_select"}
PICKERS = {
    "datepicker": ("date", r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"),
    "timepicker": ("time", r"([01]\d|2[0-3]):[0-5]\d"),
}


@dataclass(frozen=True)
class Shown:
    """A message as it looks at one moment; an edit makes a new one."""

    workspace: str
    channel: str
    ts: str
    text: str
    blocks: tuple[Json, ...]
    edits: tuple[Shown, ...] = ()
    """How it looked before, oldest first."""


class TooLong(Exception):
    """Slack says msg_blocks_too_long, and no more."""


def problems(blocks: list[Json]) -> list[str]:
    """Why Slack would answer `invalid_blocks`; empty when it would not. Raises TooLong."""
    found = [f"{path}: {what}" for path, what in _problems(blocks)]
    if not found and characters([*blocks]) > MOST_CHARACTERS:
        raise TooLong
    return found


def characters(value: JsonValue) -> int:
    """Characters of every text in the blocks."""
    if isinstance(value, dict):
        own = value.get("text")
        here = len(own) if isinstance(own, str) else 0
        return here + sum(characters(inner) for inner in value.values())
    if isinstance(value, list):
        return sum(characters(inner) for inner in value)
    return 0


def _problems(blocks: list[Json]) -> Iterator[tuple[str, str]]:
    if not 0 < len(blocks) <= MOST_BLOCKS:
        yield "/blocks", f"{len(blocks)} blocks, 1–{MOST_BLOCKS} allowed"
    block_ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(set(map(str, block_ids))) < len(block_ids):
        yield "/blocks", "block_id must be unique"
    for index, block in enumerate(blocks):
        path = f"/blocks/{index}"
        yield from _length(path, block.get("block_id", "x"), "block_id", 255)
        check = BLOCKS.get(str(block.get("type")))
        if check is None:
            yield path, f"unsupported type {block.get('type')!r}"
        else:
            yield from check(path, block)


def _header(path: str, block: Json) -> Iterator[tuple[str, str]]:
    yield from _plain(path, block.get("text"), 150)


def _context(path: str, block: Json) -> Iterator[tuple[str, str]]:
    yield from _count(path, block.get("elements"), 10)
    for element in objects(block.get("elements")):
        yield from _plain(path, element, 2_000)


def _divider(path: str, block: Json) -> Iterator[tuple[str, str]]:
    if set(block) - {"type", "block_id"}:
        yield path, "a divider has nothing in it"


def _rich_text(path: str, block: Json) -> Iterator[tuple[str, str]]:
    yield from _count(path, block.get("elements"), 1_000)
    for section in objects(block.get("elements")):
        if section.get("type") != "rich_text_section":
            yield path, f"unsupported element {section.get('type')!r}"
        yield from _count(path, section.get("elements"), 10_000)
        for element in objects(section.get("elements")):
            if element.get("type") != "text" or not element.get("text"):
                yield path, "must be a text element of at least 1 character"


def _actions(path: str, block: Json) -> Iterator[tuple[str, str]]:
    yield from _count(path, block.get("elements"), 25)
    elements = objects(block.get("elements"))
    names = [str(element.get("action_id")) for element in elements]
    if len(set(names)) < len(names):
        yield path, "action_id must be unique within the block"
    for element in elements:
        if element.get("type") != "button":
            yield path, f"unsupported element {element.get('type')!r}"
        yield from _plain(path, element.get("text"), 75)
        yield from _length(path, element.get("action_id"), "action_id", 255)
        yield from _length(path, element.get("value", "x"), "value", 2_000)
        if element.get("style", "primary") not in {"primary", "danger"}:
            yield path, "style must be primary or danger"


def _input(path: str, block: Json) -> Iterator[tuple[str, str]]:
    yield from _plain(path, block.get("label"), 2_000)
    element = block.get("element")
    if not isinstance(element, dict):
        yield path, "an input needs an element"
        return
    yield from _length(path, element.get("action_id"), "action_id", 255)
    if "placeholder" in element:
        yield from _plain(path, element["placeholder"], 150)
    if element.get("type") == "plain_text_input":
        yield from _length(path, element.get("initial_value", "x"), "initial_value", 3_000)
    elif element.get("type") == "static_select":
        yield from _select(path, element)
    elif element.get("type") == "external_select":
        least = element.get("min_query_length", 3)
        if NOT_TOGETHER & set(element) or not isinstance(least, int) or least < 0:
            yield path, "a select that asks has no options of its own, and waits for a number of letters"
    elif str(element.get("type")) in PICKERS:
        what, form = PICKERS[str(element["type"])]
        if f"initial_{what}" in element and not re.fullmatch(form, str(element[f"initial_{what}"])):
            yield path, f"initial_{what} is no {what}"
    else:
        yield path, f"unsupported element {element.get('type')!r}"


def offered(answer: JsonValue) -> list[Json]:
    """The options an answer to a block_suggestion brings; none where Slack would refuse it."""
    if not isinstance(answer, dict) or answer.get("options") == []:
        return []
    return [] if list(_select("/options", answer)) else objects(answer.get("options"))


def _select(path: str, element: Json) -> Iterator[tuple[str, str]]:
    if len(NOT_TOGETHER & set(element)) != 1:
        yield path, "either options or option_groups"
    groups = objects(element.get("option_groups")) or [element]
    yield from _count(path, [*groups], 100)
    offered = list[Json]()
    for group in groups:
        yield from _count(path, group.get("options"), 100)
        offered += objects(group.get("options"))
    for option in offered:
        yield from _plain(path, option.get("text"), 75)
        yield from _length(path, option.get("value"), "value", 150)
    if element.get("initial_option", offered[0] if offered else None) not in offered:
        yield path, "initial_option must be one of the options"


BLOCKS: dict[str, Callable[[str, Json], Iterator[tuple[str, str]]]] = {
    "header": _header,
    "context": _context,
    "divider": _divider,
    "rich_text": _rich_text,
    "actions": _actions,
    "input": _input,
}


def _plain(path: str, value: JsonValue, most: int) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict) or value.get("type") != "plain_text":
        yield path, "must be a plain_text object"
        return
    yield from _length(path, value.get("text"), "text", most)


def _length(path: str, value: JsonValue, what: str, most: int) -> Iterator[tuple[str, str]]:
    if not isinstance(value, str) or not 0 < len(value) <= most:
        yield path, f"{what} must be 1–{most} characters"


def _count(path: str, value: JsonValue, most: int) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list) or not 0 < len(value) <= most:
        yield path, f"no more than {most} items allowed"


def objects(value: JsonValue) -> list[Json]:
    """The objects of a JSON list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


# --- reading a message ------------------------------------------------------------------------------


def read(message: Shown) -> str:
    """The message as lines of text, fields as 'label: [value]', buttons as '[label]'."""
    if not message.blocks:
        return message.text
    return "\n".join(filter(None, (_read(block) for block in message.blocks)))


def buttons(message: Shown) -> list[str]:
    """The labels of its buttons, top to bottom."""
    return [_label(element) for _, element in _button_elements(message)]


def _read(block: Json) -> str:
    match block.get("type"):
        case "header":
            return _label(block)
        case "context":
            return " ".join(str(element["text"]) for element in objects(block["elements"]))
        case "rich_text":
            sections = objects(block["elements"])
            return "".join(str(run["text"]) for part in sections for run in objects(part["elements"]))
        case "input":
            element, label = block["element"], block["label"]
            names = ("initial_value", "initial_date", "initial_time")
            shown = next((element[name] for name in names if name in element), "") if isinstance(element, dict) else ""
            return f"{label['text'] if isinstance(label, dict) else ''}: [{shown}]"
        case "actions":
            return " ".join(f"[{_label(element)}]" for element in objects(block["elements"]))
        case _:
            return ""


def _label(element: Json) -> str:
    text = element.get("text")
    return str(text.get("text", "")) if isinstance(text, dict) else ""


def _button_elements(message: Shown) -> list[tuple[Json, Json]]:
    rows = [block for block in message.blocks if block.get("type") == "actions"]
    return [(block, element) for block in rows for element in objects(block["elements"])]


def find_button(message: Shown, label: str) -> tuple[Json, Json]:
    """The button of that label and its block. Raises LookupError, naming those there are."""
    for block, element in _button_elements(message):
        if _label(element) == label:
            return block, element
    raise LookupError(f"no button '{label}', only {buttons(message)} on:\n{read(message)}")


def field_state(element: Json, typed: str | None, found: Sequence[Json] = ()) -> Json:
    """What a click reports of a field: what was typed or picked, else what it was shown with.

    `found`: what a select that asks has been answered.
    """
    if str(element.get("type")) in PICKERS:
        what, form = PICKERS[str(element["type"])]
        picked = str(element.get(f"initial_{what}", "") if typed is None else typed)
        if picked and not re.fullmatch(form, picked):
            raise LookupError(f"nobody can pick '{picked}' as the {what} in field '{element['action_id']}'")
        return {"type": element["type"], f"selected_{what}": picked or None}
    selects = str(element.get("type"))
    if selects not in SELECTS:
        return {"type": "plain_text_input", "value": typed if typed is not None else element.get("initial_value")}
    if typed is None:
        return {"type": selects, "selected_option": element.get("initial_option")}
    groups = objects(element.get("option_groups")) or [element]
    for option in (*found, *(option for group in groups for option in objects(group.get("options")))):
        if typed in (option["value"], _label(option)):
            return {"type": selects, "selected_option": option}
    raise LookupError(f"no option '{typed}' in field '{element['action_id']}'")
