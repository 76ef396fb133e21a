"""Applications assigned to them, and those they allowed to act in their name.

Neither lets anybody in by itself: both work only for an account that can sign in, and the refresh tokens they live
on die with the sessions. So they are cleaned up after the lock-out, and not part of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import Choices, Done, Item, Json, Nothing, Outcome, Task, Waiting, Wave
from connectors.http import RefusedWith
from connectors.microsoft365.client import refused_as, text
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.guards import Ctx
from connectors.microsoft365.shapes import Removal, access_ends

_GROUP_GIVEN = "Group"


class RemoveAppRoles(Removal):
    """End assignments to applications; many of those then delete or free the account on their side."""

    id = "microsoft365.remove_app_roles"
    title = "Remove assigned applications"
    wave = Wave.CLEAN_UP
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-2")
    permissions = ("AppRoleAssignment.ReadWrite.All",)
    none = "no application is assigned to them directly"

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        known = facts.belongings
        return access_ends(choices) and known.may_have("applications", known.applications)

    async def listed(self, ctx: Ctx) -> Sequence[Item] | Task | Nothing:
        return [
            Item(
                key=text(one, "id"),
                title=text(one, "resourceDisplayName") or "an application",
                before={name: text(one, name) for name in ("principalId", "resourceId", "appRoleId")},
            )
            for one in await self._read(ctx)
        ]

    async def remove(self, ctx: Ctx, item: Item) -> None:
        assignments = ctx.api.user(ctx.account.id).app_role_assignments
        await ctx.api.send("DELETE", assignments.by_app_role_assignment_id(item.key), self.permissions)

    async def keys(self, ctx: Ctx) -> frozenset[str]:
        return frozenset(text(one, "id") for one in await self._read(ctx))

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        try:
            await ctx.api.send(
                "POST", ctx.api.user(ctx.account.id).app_role_assignments, self.permissions, dict(item.before)
            )
        except RefusedWith as refused:
            if not refused_as(refused, "already exist"):
                raise
        if any(text(one, "resourceId") == item.before.get("resourceId") for one in await self._read(ctx)):
            return Done(f"{item.title} is assigned again")
        return Waiting(2, f"Graph does not list {item.title} yet")

    async def _read(self, ctx: Ctx) -> list[Json]:
        info = ctx.api.user(ctx.account.id).app_role_assignments.to_get_request_information()
        found = await ctx.api.read_all(info)
        # What comes by a group ends with the group, and can't be deleted here.
        return [one for one in found if text(one, "principalType") != _GROUP_GIVEN]


class RevokeGrants(Removal):
    """Withdraw what they allowed applications to do in their name."""

    id = "microsoft365.revoke_grants"
    title = "Withdraw consents given to applications"
    wave = Wave.CLEAN_UP
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-6")
    permissions = ("DelegatedPermissionGrant.ReadWrite.All",)
    irreversible = "Consents can't be given back for them: each application asks the person again."
    none = "allowed no application to act in their name"

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        known = facts.belongings
        return access_ends(choices) and known.may_have("consents", known.consents)

    async def listed(self, ctx: Ctx) -> Sequence[Item] | Task | Nothing:
        return [
            Item(
                key=text(one, "id"),
                title=f"Consent to {text(one, 'scope').strip() or 'nothing in particular'}",
                before={name: text(one, name) for name in ("clientId", "resourceId", "scope")},
            )
            for one in await self._read(ctx)
        ]

    async def remove(self, ctx: Ctx, item: Item) -> None:
        grants = ctx.api.sdk.oauth2_permission_grants
        await ctx.api.send("DELETE", grants.by_o_auth2_permission_grant_id(item.key), self.permissions)

    async def keys(self, ctx: Ctx) -> frozenset[str]:
        return frozenset(text(one, "id") for one in await self._read(ctx))

    async def _read(self, ctx: Ctx) -> list[Json]:
        info = ctx.api.user(ctx.account.id).oauth2_permission_grants.to_get_request_information()
        # One with consentType AllPrincipals is everybody's: deleting it would take the application from all.
        return [one for one in await ctx.api.read_all(info) if text(one, "consentType") == "Principal"]
