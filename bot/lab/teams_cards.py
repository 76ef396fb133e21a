"""An Adaptive Card as Teams' people meet it: what it says, which buttons it has, and what its fields hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

Json = dict[str, JsonValue]
CARD = "application/vnd.microsoft.card.adaptive"
INPUTS = {"Input.Text", "Input.ChoiceSet", "Input.Date", "Input.Time", "Input.Number", "Input.Toggle"}


@dataclass(frozen=True)
class Shown:
    """A message as it looks at one moment; an edit makes a new one."""

    conversation: str
    id: str
    text: str
    summary: str
    """What a lock screen shows."""
    card: Json | None = None
    edits: tuple[Shown, ...] = ()
    """How it looked before, oldest first."""
    at: float = 0.0
    """When it was sent, in seconds since 1970."""


def as_sent(conversation: str, message: str, body: Json) -> Shown:
    """An activity as its readers see it."""
    attached = body.get("attachments")
    first = attached[0] if isinstance(attached, list) and attached else None
    card = first.get("content") if isinstance(first, dict) and first.get("contentType") == CARD else None
    text, summary = str(body.get("text") or ""), str(body.get("summary") or "")
    return Shown(conversation, message, text, summary, card if isinstance(card, dict) else None)


def read(shown: Shown) -> str:
    """Everything the message says, line by line, its fields as [what they hold]."""
    return "\n".join([shown.text, *_lines(shown.card)] if shown.text else _lines(shown.card))


def buttons(shown: Shown) -> list[str]:
    """The labels of its buttons, top to bottom."""
    return [str(action.get("title")) for action in actions(shown)]


def actions(shown: Shown) -> list[Json]:
    """Its buttons, top to bottom."""
    return list(_all(shown.card, {"Action.Execute"}))


def button(shown: Shown, label: str) -> Json:
    """The button that says this. Raises LookupError."""
    for action in actions(shown):
        if label in str(action.get("title")):
            return action
    raise LookupError(f"there is no button '{label}', only {buttons(shown)}")


def fields(card: Json | None) -> dict[str, Json]:
    """Its fields, by their ids."""
    return {str(one["id"]): one for one in _all(card, INPUTS)}


def filled(shown: Shown, values: Mapping[str, str], found: Mapping[str, Sequence[Json]] | None = None) -> Json:
    """What its fields hold once these are typed or picked, as Teams sends it. Raises LookupError.

    `found`: field → what its letters have found, to be picked from as well.
    """
    known = fields(shown.card)
    for name in values:
        if name not in known:
            raise LookupError(f"there is no field '{name}', only {sorted(known)}")
    held: Json = {name: one["value"] for name, one in known.items() if one.get("value")}
    for name, value in values.items():
        choices = known[name].get("choices")
        offered = [*(choices if isinstance(choices, list) else []), *(found or {}).get(name, [])]
        picked = [
            one["value"] for one in offered if isinstance(one, dict) and value in (one.get("value"), one.get("title"))
        ]
        if known[name]["type"] == "Input.ChoiceSet" and value and not picked:
            raise LookupError(f"'{value}' can't be picked in '{name}'")
        held[name] = picked[0] if picked else value
    return held


def _lines(card: Json | None) -> list[str]:
    out = list[str]()
    for element in _all(card, {"RichTextBlock", *INPUTS}):
        if element["type"] == "RichTextBlock":
            runs = element.get("inlines")
            out.append(
                "".join(str(one.get("text")) for one in runs if isinstance(one, dict)) if isinstance(runs, list) else ""
            )
        else:
            out.append(f"{element.get('label')} [{element.get('value', '')}]")
    return out


def _all(value: JsonValue, types: set[str]) -> Iterator[Json]:
    """Every element of those types, top to bottom; a fallback is another drawing of the same thing."""
    if isinstance(value, dict):
        if value.get("type") in types:
            yield value
        for name, inner in value.items():
            if name != "fallback":
                yield from _all(inner, types)
    elif isinstance(value, list):
        for inner in value:
            yield from _all(inner, types)
