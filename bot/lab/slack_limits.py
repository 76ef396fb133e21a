"""What Slack refuses in a message's blocks: the fake Slack asks this before it takes one.

Source: docs.slack.dev/reference/block-kit, pages of the blocks and elements used here (read
2026-11-22). The sum is undocumented; bolt-js issue 2867 (2026-04-11) saw 11,341 refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydantic import JsonValue

Json = dict[str, JsonValue]

MOST_BLOCKS = 50
MOST_CHARACTERS = 11_340
NOT_TOGETHER = {"options", "option_groups"}


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
    for element in _objects(block.get("elements")):
        yield from _plain(path, element, 2_000)


def _divider(path: str, block: Json) -> Iterator[tuple[str, str]]:
    if set(block) - {"type", "block_id"}:
        yield path, "a divider has nothing in it"


def _rich_text(path: str, block: Json) -> Iterator[tuple[str, str]]:
    yield from _count(path, block.get("elements"), 1_000)
    for section in _objects(block.get("elements")):
        if section.get("type") != "rich_text_section":
            yield path, f"unsupported element {section.get('type')!r}"
        yield from _count(path, section.get("elements"), 10_000)
        for element in _objects(section.get("elements")):
            if element.get("type") != "text" or not element.get("text"):
                yield path, "must be a text element of at least 1 character"


def _actions(path: str, block: Json) -> Iterator[tuple[str, str]]:
    yield from _count(path, block.get("elements"), 25)
    elements = _objects(block.get("elements"))
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
    else:
        yield path, f"unsupported element {element.get('type')!r}"


def _select(path: str, element: Json) -> Iterator[tuple[str, str]]:
    if len(NOT_TOGETHER & set(element)) != 1:
        yield path, "either options or option_groups"
    groups = _objects(element.get("option_groups")) or [element]
    yield from _count(path, [*groups], 100)
    offered = list[Json]()
    for group in groups:
        yield from _count(path, group.get("options"), 100)
        offered += _objects(group.get("options"))
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


def _objects(value: JsonValue) -> list[Json]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
