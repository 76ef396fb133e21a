"""Reads what somebody types in a field that looks people up, and words the answer: `application/search`, pure.

Shapes: learn.microsoft.com, "Typeahead search in Adaptive Cards" (read 2026-11-26). Of a list's further pages there
are none: Teams shows 15 choices, and so many are answered.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from bot.lines import cut, inert
from bot.payload import Body, Malformed, inner, text
from bot.teams.cards import LONGEST_LABEL
from bot.teams.heard import LONGEST_ID, LONGEST_VALUE
from handlers.conversation import Option

MOST = 15


def asked(body: Body) -> tuple[str, str]:
    """The field's token and what is typed so far; '' where a further page is asked for. Raises Malformed."""
    value = inner(body, "value")
    token, typed = text(value, "dataset"), text(value, "queryText", "")
    if len(token) > LONGEST_ID or len(typed) > LONGEST_VALUE:
        raise Malformed("there is more in its search than a person types")
    return token, "" if inner(value, "queryOptions", {}).get("skip") else typed


def results(options: Sequence[Option]) -> dict[str, JsonValue]:
    """What the invoke is answered with."""
    found: list[JsonValue] = [
        {"title": cut(inert(option.label or option.id), LONGEST_LABEL), "value": option.id} for option in options[:MOST]
    ]
    return {
        "statusCode": 200,
        "type": "application/vnd.microsoft.search.searchResponse",
        "value": {"results": found},
    }
