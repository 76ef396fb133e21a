"""Administrator roles, which are a way in: held, held by a group, or to be activated at will."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from connectors.contract import Choices, Done, Item, Json, Nothing, Outcome, Refused, Task, Waiting, Wave
from connectors.entra import missing
from connectors.http import RefusedWith
from connectors.microsoft365.client import VENDOR, refused_as, text
from connectors.microsoft365.client_links import link_to, member_ref, owner_ref
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.groups import Group, groups_among, read_groups, read_owned
from connectors.microsoft365.guards import Ctx
from connectors.microsoft365.roles import (
    GLOBAL_ADMINISTRATOR,
    NO_PREMIUM,
    another_global_administrator,
    read_assignments,
    read_eligible,
    roles_of,
)
from connectors.microsoft365.shapes import Removal, access_ends

_MEMBER, _OWNER = "member:", "owner:"


class RemoveRoles(Removal):
    """Take administrator roles away: those assigned directly, and role groups they are in or own."""

    id = "microsoft365.remove_roles"
    title = "Remove administrator roles"
    wave = Wave.LOCK_OUT
    controls = ("CIS 5.4", "CIS 6.2", "NIST PS-4", "NIST AC-6")
    permissions = ("RoleManagement.ReadWrite.Directory",)
    none = "holds no administrator role"

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        held = any(role.how != "eligible" for role in facts.roles)
        return access_ends(choices) and (held or bool(facts.role_groups) or facts.assigned_unknown)

    async def listed(self, ctx: Ctx) -> Sequence[Item] | Task | Nothing:
        items = await self._held(ctx)
        if items and (task := await _not_ours(ctx, self.permissions, "remove", items)):
            return task
        last = [item for item in items if _is_global(item)]
        if last and len(last) == len(items) and not await another_global_administrator(ctx.api, ctx.account.id):
            return Task(
                reason="they are the last enabled Global Administrator: without the role nobody administers the tenant",
                instructions=(
                    "Make somebody else Global Administrator in https://entra.microsoft.com, sign in as them once, "
                    "then retry."
                ),
            )
        return items

    async def _held(self, ctx: Ctx) -> list[Item]:
        user = ctx.account.id
        items: list[Item] = []
        for one in await read_assignments(ctx.api, user):
            role = roles_of((one,), "active")[0]
            scope = text(one, "directoryScopeId") or "/"
            where = "" if scope == "/" else f" for {scope}"
            before: Json = {"roleDefinitionId": text(one, "roleDefinitionId"), "directoryScopeId": scope}
            items.append(Item(key=text(one, "id"), title=f"{role.name}{where}", before={**before, "role": role.id}))
        inside = [group for group in await read_groups(ctx.api, user) if _gives_roles(group)]
        owned = [group for group in groups_among(await read_owned(ctx.api, user)) if _gives_roles(group)]
        items += [
            Item(key=_MEMBER + group.id, title=f"Role group {group.name}", before={"member": True}) for group in inside
        ]
        items += [
            Item(key=_OWNER + group.id, title=f"Owner of role group {group.name}", before={"owner": True})
            for group in owned
        ]
        return items

    async def remove(self, ctx: Ctx, item: Item) -> None:
        if _is_global(item) and not await another_global_administrator(ctx.api, ctx.account.id):
            raise Refused(
                VENDOR,
                "remove the role Global Administrator",
                "they are the last enabled Global Administrator",
                "Make somebody else Global Administrator, then retry.",
            )
        try:
            if item.key.startswith(_MEMBER):
                where = member_ref(ctx.api, item.key.removeprefix(_MEMBER), ctx.account.id)
            elif item.key.startswith(_OWNER):
                where = owner_ref(ctx.api, item.key.removeprefix(_OWNER), ctx.account.id)
            else:
                assignments = ctx.api.sdk.role_management.directory.role_assignments
                where = assignments.by_unified_role_assignment_id(item.key)
            await ctx.api.send("DELETE", where, self.permissions)
        except RefusedWith as refused:
            if refused_as(refused, "at least one owner"):
                raise Refused(
                    VENDOR,
                    refused.call,
                    f"{item.title}: it would be left without an owner",
                    "Add another owner in https://entra.microsoft.com, Groups, then retry.",
                ) from refused
            raise

    async def keys(self, ctx: Ctx) -> frozenset[str]:
        return frozenset(item.key for item in await self._held(ctx))

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        user = ctx.account.id
        try:
            if item.key.startswith(_MEMBER):
                place = ctx.api.sdk.groups.by_group_id(item.key.removeprefix(_MEMBER)).members.ref
                await ctx.api.send("POST", place, self.permissions, link_to(ctx.api, user))
            elif item.key.startswith(_OWNER):
                place = ctx.api.sdk.groups.by_group_id(item.key.removeprefix(_OWNER)).owners.ref
                await ctx.api.send("POST", place, self.permissions, link_to(ctx.api, user))
            else:
                body: Json = {
                    "principalId": user,
                    "roleDefinitionId": item.before.get("roleDefinitionId"),
                    "directoryScopeId": item.before.get("directoryScopeId"),
                }
                await ctx.api.send(
                    "POST", ctx.api.sdk.role_management.directory.role_assignments, self.permissions, body
                )
        except RefusedWith as refused:
            if not refused_as(refused, "already exist"):
                raise
        # An assignment put back has another id: what counts is its title.
        if any(one.title == item.title for one in await self._held(ctx)):
            return Done(f"holds {item.title} again")
        return Waiting(2, f"Graph does not list {item.title} yet")


class EndEligibility(Removal):
    """Take away the roles they could activate (Privileged Identity Management)."""

    id = "microsoft365.end_eligibility"
    title = "End roles that can be activated"
    wave = Wave.LOCK_OUT
    # The request is only taken at once; it is carried out some minutes later.
    lag = timedelta(minutes=15)
    controls = ("CIS 5.4", "CIS 6.2", "NIST PS-4", "NIST AC-6")
    permissions = ("RoleEligibilitySchedule.ReadWrite.Directory",)
    none = "can activate no role"

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return access_ends(choices) and (any(role.how == "eligible" for role in facts.roles) or facts.eligible_unknown)

    async def listed(self, ctx: Ctx) -> Sequence[Item] | Task | Nothing:
        try:
            found = await read_eligible(ctx.api, ctx.account.id)
        except RefusedWith as refused:
            if NO_PREMIUM in refused.code:
                return Nothing("the tenant has no Entra ID P2, so no role can be activated")
            raise
        items: list[Item] = []
        for one in found:
            before: Json = {
                "roleDefinitionId": text(one, "roleDefinitionId"),
                "directoryScopeId": text(one, "directoryScopeId") or "/",
            }
            items.append(Item(key=text(one, "id"), title=roles_of((one,), "eligible")[0].name, before=before))
        task = await _not_ours(ctx, self.permissions, "end the eligible role", items) if items else None
        return task or items

    async def remove(self, ctx: Ctx, item: Item) -> None:
        try:
            await self._request(ctx, item, "adminRemove")
        except RefusedWith as refused:
            # Gone already, or our earlier request is still under way: the read-back decides.
            if not refused_as(refused, "does not exist", "RoleAssignmentDoesNotExist", "PendingRoleAssignmentRequest"):
                raise

    async def keys(self, ctx: Ctx) -> frozenset[str]:
        return frozenset(text(one, "id") for one in await read_eligible(ctx.api, ctx.account.id))

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        await self._request(ctx, item, "adminAssign")
        role = item.before.get("roleDefinitionId")
        if any(one.get("roleDefinitionId") == role for one in await read_eligible(ctx.api, ctx.account.id)):
            return Done(f"can activate {item.title} again")
        return Waiting(5, f"Graph does not list {item.title} yet")

    async def _request(self, ctx: Ctx, item: Item, action: str) -> None:
        body: Json = {
            "action": action,
            "principalId": ctx.account.id,
            "roleDefinitionId": item.before.get("roleDefinitionId"),
            "directoryScopeId": item.before.get("directoryScopeId"),
            "justification": "Offboarding",
        }
        if action == "adminAssign":
            body["scheduleInfo"] = {
                "startDateTime": ctx.clock.now().isoformat(),
                "expiration": {"type": "noExpiration"},
            }
        requests = ctx.api.sdk.role_management.directory.role_eligibility_schedule_requests
        await ctx.api.send("POST", requests, self.permissions, body)


async def _not_ours(ctx: Ctx, needs: Sequence[str], doing: str, items: Sequence[Item]) -> Task | None:
    """A task where we were never given the right: taking roles is a permission many clients keep back."""
    lacking = " and ".join(missing(needs, await ctx.api.permissions()))
    if not lacking:
        return None
    return Task(
        reason=f"our application may not change roles here (it has no {lacking})",
        instructions=(
            f"Sign in to https://entra.microsoft.com as Privileged Role Administrator, open Users > {ctx.account.name} "
            f"> Assigned roles, and {doing}: {', '.join(item.title for item in items)}. Never remove the last Global "
            f"Administrator. To let the bot do it, grant {lacking} and retry."
        ),
    )


def _gives_roles(group: Group) -> bool:
    return group.role_assignable and not group.synced and not group.dynamic


def _is_global(item: Item) -> bool:
    return item.before.get("role") == GLOBAL_ADMINISTRATOR
