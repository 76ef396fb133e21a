"""Somebody nobody has bound who asked for an offboarding: what was proposed to the admins, and what they said."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa
from pydantic import JsonValue
from sqlmodel import Field, SQLModel

from handlers.cases.tables import UtcTime


class Newcomer(SQLModel, table=True):
    """One platform identity that is in no configuration."""

    __tablename__: ClassVar[str] = "newcomer"  # type: ignore[misc]

    identity: str = Field(primary_key=True)
    client: str
    """Whose workspace they asked from."""
    at: datetime = Field(sa_type=UtcTime)  # type: ignore[call-overload]
    state: str = Field(default="new", index=True)
    """'new' until the desk was asked, then 'proposed', 'bound' or 'ignored'."""
    ask_at: datetime | None = Field(default=None, sa_type=UtcTime)  # type: ignore[call-overload]
    """NEW: when the desk is asked (again)."""
    contacts: dict[str, JsonValue] = Field(default_factory=dict, sa_type=sa.JSON)
    """{'found': [Contact…]}: who may ask for the client, by the desk, and is bound to nobody."""
    person: dict[str, JsonValue] = Field(default_factory=dict, sa_type=sa.JSON)
    """BOUND: the Person, as clients.yml would write it."""
    decided_by: str = ""
    decided_at: datetime | None = Field(default=None, sa_type=UtcTime)  # type: ignore[call-overload]
