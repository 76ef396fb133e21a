"""ConnectWise's conditions as the simulated one understands them: comparisons, and, or, brackets; strict on quotes."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import JsonValue

from connectors.contract import Json

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"[^"]*")
      | (?P<time>\[[^\]]*\])
      | (?P<operator><=|>=|!=|=|<|>)
      | (?P<bracket>[()])
      | (?P<number>-?\d+(?:\.\d+)?(?![\w/]))
      | (?P<word>[A-Za-z_][\w/]*)
    )""",
    re.VERBOSE,
)


class BadCondition(Exception):
    """It can't be understood, or may not be asked here."""


@dataclass
class Conditions:
    """A condition, asked of one record after the other."""

    written: str
    children: bool = False
    """About the lists inside records: each comparison is true if it is of any element."""
    _tokens: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def __post_init__(self) -> None:
        place = 0
        written = self.written.strip()
        while place < len(written):
            found = _TOKEN.match(written, place)
            if found is None or found.lastgroup is None:
                raise BadCondition(f"Unexpected character at {place}")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            place = found.end()

    def fits(self, record: Json) -> bool:
        """Whether the record is one of those asked for."""
        if not self._tokens:
            return True
        left = list(self._tokens)
        answer = self._either(left, record)
        if left:
            raise BadCondition(f"Unexpected {left[0][1]}")
        return answer

    def _either(self, left: list[tuple[str, str]], record: Json) -> bool:
        answer = self._both(left, record)
        while left and left[0][1].casefold() == "or":
            left.pop(0)
            answer = self._both(left, record) or answer
        return answer

    def _both(self, left: list[tuple[str, str]], record: Json) -> bool:
        answer = self._one(left, record)
        while left and left[0][1].casefold() == "and":
            left.pop(0)
            answer = self._one(left, record) and answer
        return answer

    def _one(self, left: list[tuple[str, str]], record: Json) -> bool:
        if not left:
            raise BadCondition("Unexpected end")
        if left[0] == ("bracket", "("):
            left.pop(0)
            answer = self._either(left, record)
            if not left or left.pop(0) != ("bracket", ")"):
                raise BadCondition("A bracket is not closed")
            return answer
        if len(left) < 3:
            raise BadCondition("Unexpected end")
        (_, path), (_, operator), (kind, wanted) = left.pop(0), left.pop(0), left.pop(0)
        values = self._values(record, path.split("/"))
        compare = _COMPARE.get(operator.casefold())
        if compare is None:
            raise BadCondition(f"Unknown operator {operator}")
        return any(compare(value, _value(kind, wanted)) for value in values)

    def _values(self, value: JsonValue, path: list[str]) -> list[JsonValue]:
        if not path:
            return [value]
        if isinstance(value, list):
            if not self.children:
                raise BadCondition(f"{path[0]} is in a list")
            return [one for element in value for one in self._values(element, path)]
        return self._values(value.get(path[0]), path[1:]) if isinstance(value, dict) else [None]


def _value(kind: str, written: str) -> JsonValue:
    if kind in {"text", "time"}:
        return written[1:-1]
    if kind == "number":
        return float(written)
    if written in {"True", "False"}:
        return written == "True"
    if written == "null":
        return None
    raise BadCondition(f"{written} needs quotes")


def _equal(value: JsonValue, wanted: JsonValue) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        return value.casefold() == wanted.casefold()
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return value == wanted


def _like(value: JsonValue, wanted: JsonValue) -> bool:
    pattern = str(wanted).replace("%", "*").replace("[", "[[]").replace("?", "[?]")
    return isinstance(value, str) and fnmatch.fnmatchcase(value.casefold(), pattern.casefold())


_COMPARE: dict[str, Callable[[JsonValue, JsonValue], bool]] = {
    "=": _equal,
    "!=": lambda value, wanted: not _equal(value, wanted),
    "like": _like,
    "contains": lambda value, wanted: isinstance(value, str) and str(wanted).casefold() in value.casefold(),
}
