"""What a handler is given when somebody presses a button, and how it says that something is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue
from sqlmodel import Session

from handlers.cases.history import record
from handlers.cases.tables import CardRow, Case
from handlers.house import House
from handlers.people import Person


class Missing(Exception):
    """The click can't be acted on until the person does what this sentence says. Nothing was changed."""


@dataclass(frozen=True)
class Click:
    """One accepted press of one button: who, on which case and card, with what typed beside it."""

    session: Session
    house: House
    case: Case
    card: CardRow
    person: Person
    identity: str
    args: Mapping[str, JsonValue]
    values: Mapping[str, str]

    def arg(self, name: str) -> str:
        """An argument the button was drawn with."""
        return str(self.args[name])

    def typed(self, name: str, missing: str = "") -> str:
        """What stands in that field. Raises Missing with that sentence when it is empty and must not be."""
        value = self.values.get(name, "").strip()
        if not value and missing:
            raise Missing(missing)
        return value

    def record(self, what: str, **detail: JsonValue) -> None:
        """Write it into the history as this person's doing."""
        record(
            self.session,
            self.house.clock.now(),
            what,
            case_id=self.case.id,
            person=self.person.id,
            identity=self.identity,
            detail=detail,
        )
