"""What clients.yml says about one client at Pax8: who we are, which company, which seats are spoken for."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from connectors.references import SecretReference

BOOKED_COUNTS_FOR = timedelta(days=14)
"""How long after somebody's first day their seat is still kept free: by then Microsoft counts it as used."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def _safe_address(value: str) -> str:
    parts = urlsplit(value)
    if not parts.hostname or (parts.scheme != "https" and parts.hostname not in _LOOPBACK):
        raise ValueError("must be an https address: our token travels there")
    return value.rstrip("/")


def _company(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ValueError("must be the company's id at Pax8, such as 00000000-0000-0000-0000-000000000000") from None


def _part_number(value: str) -> str:
    if not value.strip():
        raise ValueError("must be Microsoft's part number, such as SPE_E3")
    return value.strip().upper()


PartNumber = Annotated[str, AfterValidator(_part_number)]
"""Microsoft's word for a product, SPE_E3; in capitals, as it is compared."""


class Booked(BaseModel):
    """Seats that somebody who starts soon will need."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    part_number: PartNumber
    seats: int = Field(default=1, ge=1)
    starts: date = Field(alias="from")
    """Their first day."""
    note: str = ""
    """Who or what it is for: 'Jo, sales'."""


class Pax8Settings(BaseModel):
    """One client's company at Pax8, and our API credentials there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    client_id: str = Field(min_length=1)
    client_secret: SecretReference
    company_id: Annotated[str, AfterValidator(_company)]
    products: dict[PartNumber, Annotated[str, Field(min_length=1)]] = {}
    """Part number → Pax8 product id, or part of the product's name, where the name alone is not certain."""
    spares: dict[PartNumber, Annotated[int, Field(ge=0)]] = {}
    """Part number → seats that always stay free."""
    booked: tuple[Booked, ...] = ()
    base_url: Annotated[str, AfterValidator(_safe_address)] = "https://api.pax8.com/v1"
    patience: float = Field(default=20, gt=0, le=60)
    """Seconds to wait for one answer."""

    def spoken_for(self, part_number: str, today: date) -> tuple[int, tuple[str, ...]]:
        """How many free seats of that product must stay, and for what, in words."""
        wanted = part_number.upper()
        spare = self.spares.get(wanted, 0)
        hires = [one for one in self.booked if one.part_number == wanted and one.starts + BOOKED_COUNTS_FOR >= today]
        words = [f"{_seats(spare)} always kept free"] if spare else []
        words += [f"{_seats(one.seats)} for {one.note or 'somebody'} from {day(one.starts)}" for one in hires]
        return spare + sum(one.seats for one in hires), tuple(words)


def day(when: date) -> str:
    """'3 Aug 2027'."""
    return f"{when.day} {when:%b %Y}"


def _seats(number: int) -> str:
    return f"{number} seat" if number == 1 else f"{number} seats"
