"""Reads what a platform sends: what is not there, or is no such thing, is refused instead of guessed."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

Body = Mapping[str, JsonValue]


class Malformed(Exception):
    """A payload lacks something the platform always sends, or contradicts itself."""


def text(body: Body, name: str, otherwise: str | None = None) -> str:
    """What stands there. Raises Malformed when nothing does, unless that is allowed."""
    value = body.get(name)
    if isinstance(value, str) and value:
        return value
    if otherwise is None:
        raise Malformed(f"'{name}' is missing")
    return otherwise


def inner(body: Body, name: str, otherwise: dict[str, JsonValue] | None = None) -> dict[str, JsonValue]:
    """The block of that name. Raises Malformed when there is none, unless that is allowed."""
    value = body.get(name)
    if isinstance(value, dict):
        return value
    if otherwise is None:
        raise Malformed(f"'{name}' is missing")
    return otherwise
