"""Holds cards against what Teams takes: its published schema, where that is at hand, and its limits."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import jsonschema
from pydantic import JsonValue

from bot.teams.cards import AdaptiveCard

LITERAL = {"AdaptiveCard", "Container", "RichTextBlock", "TextRun", "ActionSet", "Action.Execute", "Action.Submit"}
"""What shows text as it is; `TextBlock` and `FactSet` would read markdown."""
ASKS = {"Data.Query"}
"""What shows nothing: what a list is asked for while one types."""
INPUTS = {"Input.Text", "Input.ChoiceSet", "Input.Date", "Input.Time"}
MOST_BYTES = 25_000
MOST_ACTIONS = 6
LONGEST_TITLE, LONGEST_LABEL = 75, 150
NAMES = {"type", "version", "$schema", "style", "size", "weight", "spacing", "verb", "width"}
"""Keys whose values are words of the schema, not of people."""


def parts(value: JsonValue, kind: str = "") -> list[AdaptiveCard]:
    """Every object in the card, or every one of that type, top to bottom."""
    found: list[AdaptiveCard] = []
    ahead = [value]
    while ahead:
        now = ahead.pop()
        if isinstance(now, dict):
            found.append(now)
            ahead += reversed(now.values())
        elif isinstance(now, list):
            ahead += reversed(now)
    return [part for part in found if part.get("type") == kind] if kind else found


def problems(card: AdaptiveCard) -> list[str]:
    """Why Teams would refuse the card or show it otherwise than meant; empty when it would not."""
    return [*_limits(card), *_schema(card)]


def _limits(card: AdaptiveCard) -> Iterator[str]:
    size = len(json.dumps(card, ensure_ascii=False).encode(errors="surrogatepass"))
    if size > MOST_BYTES:
        yield f"{size} bytes"
    every = parts(card)
    if strange := {str(part["type"]) for part in every if "type" in part} - LITERAL - INPUTS - ASKS:
        yield f"elements that read markdown, or that an older Teams does not know: {sorted(strange)}"
    fields = [part for part in every if part.get("type") in INPUTS]
    ids = [str(field.get("id")) for field in fields]
    if len(set(ids)) < len(ids) or "token" in ids:
        yield f"fields of one id, or one that would replace the button's token: {sorted(ids)}"
    for field in fields:
        if not 0 < len(str(field.get("label", ""))) <= LONGEST_LABEL:
            yield f"field '{field.get('id')}' has no label, or too long a one"
        asks = field.get("choices.data")
        if field["type"] == "Input.ChoiceSet" and field.get("style") != ("filtered" if asks else "compact"):
            yield f"field '{field.get('id')}' would read markdown"
        if asks and not (isinstance(asks, dict) and asks.get("type") == "Data.Query" and asks.get("dataset")):
            yield f"field '{field.get('id')}' asks for nothing"
    for row in (part for part in every if part.get("type") == "ActionSet"):
        actions = row["actions"]
        if not isinstance(actions, list) or not 0 < len(actions) <= MOST_ACTIONS:
            yield "a row of no buttons, or of more than are shown"
    for button in (part for part in every if part.get("type") == "Action.Execute"):
        older = button.get("fallback")
        if not 0 < len(str(button.get("title", ""))) <= LONGEST_TITLE:
            yield f"a button titled '{button.get('title')}'"
        if not isinstance(older, dict) or {**button, "type": "", "verb": "", "fallback": ""} != {
            **older,
            "type": "",
            "verb": "",
            "fallback": "",
        }:
            yield f"button '{button.get('title')}' does not do the same in an older Teams"


def _schema(card: AdaptiveCard) -> list[str]:
    """What the published schema says, where OFFBOARD_SPECS names the folder that holds it."""
    folder = os.environ.get("OFFBOARD_SPECS")
    # Teams' own property, which the schema does not know.
    known = {name: value for name, value in card.items() if name != "msteams"}
    return _shape_problems(folder, json.dumps(_shape(known), sort_keys=True)) if folder else []


@functools.cache
def _shape_problems(folder: str, shape: str) -> list[str]:
    return [str(error.message)[:300] for error in _validator(folder).iter_errors(json.loads(shape))]


@functools.cache
def _validator(folder: str) -> jsonschema.Draft6Validator:
    schema = json.loads((Path(folder) / "adaptive-card-1.6.0.json").read_text(encoding="utf-8"))
    return jsonschema.Draft6Validator(schema)


def _shape(value: JsonValue, name: str = "") -> JsonValue:
    """The card without what people wrote and with one of each kind in every list: most cards are of few shapes."""
    if isinstance(value, dict):
        return {key: _shape(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        kinds = {json.dumps(_shape(inner), sort_keys=True) for inner in value}
        return [json.loads(kind) for kind in sorted(kinds)]
    return "x" if isinstance(value, str) and name not in NAMES else value
