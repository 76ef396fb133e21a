"""The simulated Graph's answers, errors and query language."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.contract import Json


@dataclass(frozen=True)
class Answer:
    """Status and body; None is an empty body."""

    status: int
    body: Json | None = None


@dataclass(frozen=True)
class Asked:
    """One request, as the directory sees it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Json
    eventual: bool
    """ConsistencyLevel: eventual was sent."""
    permissions: frozenset[str]


class Refusal(Exception):
    """A Graph error: status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.answer = error(status, code, message)
        super().__init__(message)


SYNCED_REFUSAL = (
    "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects "
    "currently undergoing migration."
)


def absent(what: str) -> Refusal:
    """There is no such thing."""
    return Refusal(
        404,
        "Request_ResourceNotFound",
        f"Resource '{what}' does not exist or one of its queried reference-property objects are not present.",
    )


def refused(message: str) -> Refusal:
    """Most of Graph's refusals share this code and differ by their words."""
    return Refusal(400, "Request_BadRequest", message)


def forbidden() -> Refusal:
    """A permission or role of ours is missing."""
    return Refusal(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def error(status: int, code: str, message: str) -> Answer:
    """An error in Graph's envelope."""
    inner: Json = {"date": "2026-11-23T08:00:00", "request-id": secrets.token_hex(8)}
    return Answer(status, {"error": {"code": code, "message": message, "innerError": inner}})


def searching(search: str) -> Callable[[Json], bool]:
    """What $search keeps: clauses joined by OR."""
    clauses: list[tuple[str, str]] = re.findall(r'"(\w+):((?:[^"\\]|\\.)*)"', search)
    if not clauses or " AND " in search:
        raise Refusal(400, "Request_UnsupportedQuery", "Unsupported $search clause.")
    return lambda one: any(_matches(str(one.get(name) or ""), name, value) for name, value in clauses)


def _matches(have: str, name: str, value: str) -> bool:
    if name != "displayName":
        return have.casefold().startswith(value.casefold())
    words, asked = (re.findall(r"\w+", text.casefold()) for text in (have, value))
    return bool(asked) and all(any(word.startswith(start) for word in words) for start in asked)


def filtering(text: str) -> Callable[[Json], bool]:
    """The few filters that are simulated; others are unsupported, as on advanced ones."""
    value = r"'((?:[^']|'')*)'"
    starts: list[tuple[str, str]] = re.findall(rf"startswith\((\w+),{value}\)", text)
    if starts and " or ".join(f"startswith({name},'{raw}')" for name, raw in starts) == text:
        return lambda one: any(
            str(one.get(name) or "").casefold().startswith(raw.replace("''", "'").casefold()) for name, raw in starts
        )
    if equal := re.fullmatch(rf"(\w+) eq {value}", text):
        name, raw = equal.groups()
        return lambda one: one.get(name) == raw.replace("''", "'")
    if among := re.fullmatch(rf"(\w+) in \(({value}(?:,{value})*)\)", text):
        values = set(re.findall(value, among[2]))
        return lambda one: one.get(among[1]) in values
    raise Refusal(400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause specified.")


def written(moment: datetime | None) -> str | None:
    """As Graph writes a time."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None


def select(whole: Json, asked: Asked, default: Iterable[str]) -> Json:
    """The fields asked for, or the usual ones."""
    names = asked.query["$select"].split(",") if "$select" in asked.query else list(default)
    return {name: whole[name] for name in names if name in whole}
