"""The name by which colleagues find the account, marked as a former one."""

from __future__ import annotations

from typing import ClassVar

from pydantic import JsonValue

from connectors.contract import Accepted, Choices, Done, Finding, Intent, Item, Json, Outcome, Task, Waiting, Wave
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.guards import Ctx
from connectors.microsoft365.shapes import FieldChange, read_user

MARK = "Former – "
"""In front, so that leavers stand together in a list, and colleagues read it before they pick the name."""


class Rename(FieldChange):
    """'Jane Doe' becomes 'Former – Jane Doe'; sign-in name and addresses stay."""

    id = "microsoft365.rename"
    title = "Mark the name as former"
    wave = Wave.CLOSE
    after = ("exchange.convert_to_shared", "microsoft365.release_licences")
    controls = ("CIS 5.1", "NIST PS-4")
    permissions = ("User.ReadWrite.All", "User.Read.All")
    name = "displayName"
    key, item_title = "name", "Display name"
    doing: ClassVar[str] = ""
    still = "Graph does not show the new name yet"

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return choices.get("rename") == "yes"

    async def see(self, ctx: Ctx) -> Finding:
        if ctx.facts.synced:
            named = ctx.facts.sam_account_name or ctx.account.user_name
            return Task(
                reason="names of synced accounts are set in the domain",
                instructions=f"In Active Directory, put '{MARK}' in front of the display name of {named}; let it sync.",
            )
        return await super().see(ctx)

    def already(self, user: Json) -> str:
        name = str(user.get("displayName") or "")
        return f"the name reads '{name}' already" if name.startswith(MARK) else ""

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        # From what stood there before, never from what stands there now: doing it twice marks it once.
        await self._write(ctx, f"{MARK}{item.before['displayName']}"[:256])
        return Accepted()

    def evidence(self, ctx: Ctx, value: JsonValue, before: JsonValue, intent: Intent) -> str:
        return f"the name reads '{value}'" if value == f"{MARK}{before}"[:256] else ""

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        old = str(item.before["displayName"])
        await self._write(ctx, old)
        user = await read_user(ctx, "displayName")
        if user is not None and user.get("displayName") == old:
            return Done(f"the name reads '{old}' again")
        return Waiting(2, "Graph does not show the old name yet")

    async def _write(self, ctx: Ctx, name: str) -> None:
        await ctx.api.send("PATCH", ctx.api.user(ctx.account.id), self.permissions, {"displayName": name})
