"""Reading ConnectWise's records: numbers exactly as written, absent and null alike, dates in their several forms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import cast

Value = None | bool | int | Decimal | str | list["Value"] | dict[str, "Value"]
Record = dict[str, Value]


def parsed(content: bytes) -> Value:
    """An answer's body; amounts stay exact. Raises ValueError."""
    return cast("Value", json.loads(content, parse_float=Decimal))


def text(record: Mapping[str, Value], *path: str) -> str:
    """A text, deeper by each name; empty when it or what leads there is absent."""
    value = _at(record, path)
    return value if isinstance(value, str) else ""


def flag(record: Mapping[str, Value], name: str) -> bool:
    """A yes or no; absent and null are no."""
    return record.get(name) is True


def number(record: Mapping[str, Value], *path: str) -> int:
    """A record's number; 0 when absent, which no record has."""
    value = _at(record, path)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def amount(record: Mapping[str, Value], name: str) -> Decimal | None:
    """A quantity or price, exactly; None when absent."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        exact = Decimal(value)
    except InvalidOperation:
        return None
    whole = exact.to_integral_value()
    return whole if whole == exact else exact


def day(record: Mapping[str, Value], name: str) -> date | None:
    """A day, whether it is written alone or with a time; None when absent or unreadable."""
    try:
        return date.fromisoformat(text(record, name)[:10])
    except ValueError:
        return None


def rows(record: Mapping[str, Value], name: str) -> list[Record]:
    """The records in a list inside a record."""
    value = record.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def same(one: str, other: str) -> bool:
    """Whether two names are the same to ConnectWise, which tells no capitals apart."""
    return one.strip().casefold() == other.strip().casefold()


def stamp(moment: datetime) -> str:
    """A time as ConnectWise takes it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _at(record: Mapping[str, Value], path: tuple[str, ...]) -> Value:
    value: Value = dict(record)
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
