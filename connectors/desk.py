"""What a service desk promises: the case's ticket, its notes, tasks and time, and who may ask for a client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Api = TypeVar("Api")
"""A connector's own open connection to one client's system."""


class DeskTask(BaseModel):
    """A task on the ticket, as the desk shows it."""

    model_config = ConfigDict(frozen=True)

    id: str
    key: str
    """Ours, found in its text; empty where a person added it."""
    closed: bool
    closed_by: str = ""
    """Who closed it there, in the desk's own words."""
    resolution: str = ""
    """What they wrote when they closed it."""


class TicketState(BaseModel):
    """A ticket as the desk shows it now."""

    model_config = ConfigDict(frozen=True)

    id: str
    summary: str
    closed: bool
    notes: frozenset[str]
    """Keys of ours that stand in its notes."""
    tasks: tuple[DeskTask, ...]
    times: frozenset[str]
    """Keys of ours that stand in its time entries."""


class Desk(ABC, Generic[Api]):
    """The MSP's service desk: the case's ticket there, with its notes, tasks and time.

    Whatever is added carries a key of ours in its text, by which it is found again: none of these writes can be
    repeated harmlessly, and the desk knows no idempotency. Every write is read back before it counts; one that shows
    no effect raises Unreachable. Nobody is notified by any of them. All raise VendorError.
    """

    @abstractmethod
    async def find_ticket(self, api: Api, key: str) -> str:
        """The id of the ticket that carries the key, closed ones too; '' where there is none."""

    @abstractmethod
    async def open_ticket(self, api: Api, key: str, summary: str, text: str) -> str:
        """Open a ticket on the client's board, priority and type; answers its id as people say it."""

    @abstractmethod
    async def read_ticket(self, api: Api, ticket: str) -> TicketState | None:
        """The ticket now; None where it was deleted."""

    @abstractmethod
    async def rename_ticket(self, api: Api, ticket: str, summary: str) -> None:
        """Give it another summary."""

    @abstractmethod
    async def add_note(self, api: Api, ticket: str, key: str, text: str) -> None:
        """Add a note that only the MSP's people read."""

    @abstractmethod
    async def add_task(self, api: Api, ticket: str, key: str, text: str) -> None:
        """Add an open task."""

    @abstractmethod
    async def close_task(self, api: Api, ticket: str, task: str, resolution: str) -> None:
        """Close a task, by the desk's id of it."""

    @abstractmethod
    async def add_time(self, api: Api, ticket: str, key: str, begun: datetime, ended: datetime, text: str) -> None:
        """Charge time to the ticket."""

    @abstractmethod
    async def close_ticket(self, api: Api, ticket: str) -> None:
        """Close it."""

    @abstractmethod
    async def reopen_ticket(self, api: Api, ticket: str) -> None:
        """Open one again that was closed: something came back, and its task must be seen."""


class Contact(BaseModel):
    """Somebody who may ask for a client, as the service desk has it."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    mail: str = ""
    why: str = ""
    """What makes them one, in the desk's words: 'contact type Approver'."""
