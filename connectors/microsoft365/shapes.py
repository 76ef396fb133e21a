"""The shapes our steps share: change one field of the account, or take things off a list of the account's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import JsonValue

from connectors.contract import (
    Accepted,
    Choices,
    Done,
    Finding,
    Intent,
    Item,
    Json,
    Nothing,
    Outcome,
    Step,
    Task,
    TaskStep,
    Todo,
    Waiting,
)
from connectors.http import RefusedWith
from connectors.microsoft365.client import Graph, is_gone
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.guards import Ctx, by_hand, emergency_account, look_again_in

DELETED = "the account does not exist any more (deleted; it can be restored for 30 days)"


def access_ends(choices: Choices) -> bool:
    """Whether they lose all access; only the answer 'partial' keeps some, and then a person takes the rest away."""
    return choices.get("access") != "partial"


async def read_user(ctx: Ctx, *fields: str) -> Json | None:
    """Those fields of the account, afresh; None when it does not exist."""
    return await ctx.api.find(ctx.api.user(ctx.account.id).to_get_request_information(), select=fields)


class Change(Step[Graph, Microsoft365Facts]):
    """Anything we change: never at an emergency account, whatever was approved."""

    async def look(self, ctx: Ctx) -> Finding:
        return emergency_account(ctx) or await self.see(ctx)

    @abstractmethod
    async def see(self, ctx: Ctx) -> Finding:
        """`look`, for an account we may touch."""


class PersonsTask(TaskStep[Graph, Microsoft365Facts]):
    """What a person does; for an emergency account even that is refused."""

    async def look(self, ctx: Ctx) -> Finding:
        return emergency_account(ctx) or self.task(ctx)


class FieldChange(Change):
    """Changes one field of the account: looks at it, acts, and reads it back."""

    name: ClassVar[str]
    """The field, as Graph calls it."""
    key: ClassVar[str]
    item_title: ClassVar[str]
    """Of the only item: what people read."""
    doing: ClassVar[str] = ""
    """What a person does in the admin centre where Graph would refuse us; empty: Graph never does."""
    still: ClassVar[str]
    """What is said while the change does not show."""

    async def see(self, ctx: Ctx) -> Finding:
        if self.doing and (task := await by_hand(ctx, self.doing)):
            return task
        user = await read_user(ctx, self.name, "onPremisesSyncEnabled")
        if user is None:
            return Nothing(DELETED)
        if already := self.already(user):
            return Nothing(already)
        return Todo((Item(key=self.key, title=self.item_title, before={self.name: user.get(self.name)}),))

    def already(self, user: Json) -> str:
        """Why nothing is left to do, or ''."""
        return ""

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        user = await read_user(ctx, self.name)
        if user is None:
            return Done(DELETED)
        if evidence := self.evidence(ctx, user.get(self.name), item.before.get(self.name), intent):
            return Done(evidence)
        return Waiting(look_again_in(ctx, intent.at), self.still)

    @abstractmethod
    def evidence(self, ctx: Ctx, value: JsonValue, before: JsonValue, intent: Intent) -> str:
        """What the value read back proves, as a sentence; '' while it proves nothing."""


class Removal(Change):
    """Takes things off a list, each an item; one is done when the list does not show it any more."""

    none: ClassVar[str]
    """The evidence where the list is empty: 'holds no role'."""

    async def see(self, ctx: Ctx) -> Finding:
        try:
            found = await self.listed(ctx)
        except RefusedWith as refused:
            if is_gone(refused):
                return Nothing(DELETED)
            raise
        if isinstance(found, Task | Nothing):
            return found
        return Todo(tuple(found)) if found else Nothing(self.none)

    @abstractmethod
    async def listed(self, ctx: Ctx) -> Sequence[Item] | Task | Nothing:
        """What is there to take away, afresh; a task where no API can, Nothing with a better sentence than `none`."""

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        try:
            await self.remove(ctx, item)
        except RefusedWith as refused:
            # Gone already is what was wanted; the read-back decides.
            if not is_gone(refused):
                raise
        return Accepted()

    @abstractmethod
    async def remove(self, ctx: Ctx, item: Item) -> None:
        """Take one off. A 404 is fine."""

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        try:
            there = item.key in await self.keys(ctx)
        except RefusedWith as refused:
            if is_gone(refused):
                return Done(DELETED)
            raise
        if there:
            return Waiting(look_again_in(ctx, intent.at), f"Graph still lists {item.title}")
        return Done(_off(item))

    async def proved(self, ctx: Ctx, items: Sequence[Item]) -> Mapping[str, str]:
        try:
            listed = await self.keys(ctx)
        except RefusedWith as refused:
            if is_gone(refused):
                return {}
            raise
        return {item.key: _off(item) for item in items if item.key not in listed}

    @abstractmethod
    async def keys(self, ctx: Ctx) -> frozenset[str]:
        """The keys of everything on the list, afresh."""


def _off(item: Item) -> str:
    return f"{item.title} is not listed any more"
