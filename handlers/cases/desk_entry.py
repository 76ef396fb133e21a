"""What of a case stands on its ticket at the MSP's service desk: a table of its own."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlmodel import Field, SQLModel

from handlers.cases.tables import UtcTime


class DeskEntry(SQLModel, table=True):
    """Something of the case that stands, or is meant to stand, on its ticket at the MSP's service desk."""

    __tablename__: ClassVar[str] = "desk"  # type: ignore[misc]

    case_id: str = Field(foreign_key="case.id", primary_key=True)
    key: str = Field(primary_key=True)
    """'ticket', 'note:…', 'task:…', 'time'; with the case's own key it stands in the desk's text."""
    intended_at: datetime | None = Field(default=None, sa_type=UtcTime)  # type: ignore[call-overload]
    """When it was first sent; until it shows, it is looked for and not sent again too soon."""
    reference: str = ""
    """TICKET: its number, as the desk's people say it."""
    handled: str = ""
    """TASK: its closing was acted on, here or there."""
