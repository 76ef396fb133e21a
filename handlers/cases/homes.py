"""Where people of a platform are written to that says so only when it speaks to us: a table of its own."""

from __future__ import annotations

from typing import ClassVar

from sqlmodel import Field, Session, SQLModel

from handlers.cases.store import Store


class HomeRow(SQLModel, table=True):
    """The chat with one person, or, without a person, the way to one workspace."""

    __tablename__: ClassVar[str] = "home"  # type: ignore[misc]

    workspace: str = Field(primary_key=True)
    """Teams: the tenant id."""
    user: str = Field(primary_key=True)
    """Teams: aadObjectId; '' for the workspace itself."""
    conversation: str
    address: str
    """Teams: the service URL of the tenant's region."""


class StoredHomes:
    """Finds, keeps and forgets them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, workspace: str, user: str) -> tuple[str, str] | None:
        """Conversation and address, if they are known."""
        row = await self._store.read(lambda session: session.get(HomeRow, (workspace, user)))
        return (row.conversation, row.address) if row else None

    async def remember(self, workspace: str, user: str, conversation: str, address: str) -> None:
        """From now on there."""
        row = HomeRow(workspace=workspace, user=user, conversation=conversation, address=address)
        await self._store.write(lambda session: session.merge(row))

    async def forget(self, workspace: str, user: str) -> None:
        """The chat is gone; unknown ones are forgotten already."""

        def forget(session: Session) -> None:
            row = session.get(HomeRow, (workspace, user))
            if row is not None:
                session.delete(row)

        await self._store.write(forget)
