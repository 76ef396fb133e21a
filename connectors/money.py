"""What will be paid less, and by whom: a client never reads what its provider pays."""

from __future__ import annotations

import enum
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict


class Payer(enum.StrEnum):
    """Whose bill shrinks: a client never reads what its provider pays."""

    CLIENT = "client"
    MSP = "msp"


class Saving(BaseModel):
    """Something that will be paid less: a seat at the distributor, a line on the client's invoice."""

    model_config = ConfigDict(frozen=True)

    title: str
    """'Microsoft 365 Business Premium, 1 seat'."""
    payer: Payer
    part_number: str = ""
    """Microsoft's part number, where it is a licence's: the line on the invoice falls no sooner than the seat."""
    monthly: Decimal
    """Less per month, in `currency`, a yearly price by its twelfth."""
    currency: str
    """ISO 4217, three letters."""
    starts: date | None = None
    """The first day it is not paid any more; None: nobody can say yet."""
    committed_until: date | None = None
    """What has been bought is paid until then whatever is done; None: no commitment stands in the way."""
