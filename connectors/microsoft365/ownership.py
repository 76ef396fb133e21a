"""Groups and teams they own: a new owner first, then their own ownership goes."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import (
    LATER,
    Accepted,
    Choices,
    Done,
    Finding,
    Intent,
    Item,
    Json,
    Nothing,
    Outcome,
    Refused,
    Task,
    Todo,
    Waiting,
    Wave,
)
from connectors.http import RefusedWith
from connectors.microsoft365.belongings import read_somebody
from connectors.microsoft365.client import VENDOR, is_gone, refused_as, text
from connectors.microsoft365.client_links import link_to, member_ref, owner_ref
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.groups import Group, groups_among, read_owned, read_owners
from connectors.microsoft365.guards import Ctx, look_again_in
from connectors.microsoft365.shapes import DELETED, Change, Removal, access_ends


def names_a_person(choices: Choices, question: str) -> bool:
    """Whether the answer is somebody, not 'nobody', 'later' or nothing at all."""
    return choices.get(question, LATER) not in (LATER, "nobody", "")


class HandOverGroups(Change):
    """Give the groups that only they own another owner, who becomes a member of teams, too."""

    id = "microsoft365.hand_over_groups"
    title = "Hand over groups and teams"
    wave = Wave.HAND_OVER
    controls = ("CIS 5.3", "NIST PS-4", "NIST AC-2")
    permissions = ("Group.ReadWrite.All", "Directory.Read.All")

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        known = facts.belongings
        return names_a_person(choices, "teams") and known.may_have("owned groups", known.sole_owner_of)

    async def see(self, ctx: Ctx) -> Finding:
        heir = ctx.choices["teams"]
        try:
            # An owner of a group that gives roles is an administrator: nobody becomes one by taking over teams.
            groups = _given(await read_owned(ctx.api, ctx.account.id))
        except RefusedWith as refused:
            if is_gone(refused):
                return Nothing(DELETED)
            raise
        owners = await read_owners(ctx.api, tuple(group.id for group in groups))
        sole = [group for group in groups if _alone(ctx, owners.get(group.id, frozenset()), heir)]
        open_ones = [group for group in sole if heir not in owners[group.id] or not await _belongs(ctx, group, heir)]
        if not open_ones:
            return Nothing("every group they own has another owner")
        if task := await _unfit(ctx, heir):
            return task
        return Todo(tuple([await _handed(ctx, group, heir, owners[group.id]) for group in open_ones]))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        heir = str(item.before["to"])
        group = ctx.api.sdk.groups.by_group_id(item.key)
        places = [group.owners.ref, *([group.members.ref] if item.before.get("joins") else [])]
        for place in places:
            try:
                await ctx.api.send("POST", place, self.permissions, link_to(ctx.api, heir))
            except RefusedWith as refused:
                # Owner or member already is what was wanted.
                if not refused_as(refused, "already exist"):
                    raise
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        heir = str(item.before["to"])
        owners = await read_owners(ctx.api, (item.key,))
        if item.key not in owners:
            return Done(f"{item.title} does not exist any more")
        if heir not in owners[item.key]:
            return Waiting(look_again_in(ctx, intent.at), f"Graph does not list the new owner of {item.title} yet")
        if item.before.get("joins") and heir not in await _members(ctx, item.key):
            return Waiting(look_again_in(ctx, intent.at), f"Graph does not list the new member of {item.title} yet")
        return Done(f"{ctx.choices.get('teams.name', heir)} owns {item.title}")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        heir = str(item.before["to"])
        places = [owner_ref(ctx.api, item.key, heir)]
        places += [member_ref(ctx.api, item.key, heir)] if item.before.get("joins") else []
        for place in places:
            try:
                await ctx.api.send("DELETE", place, self.permissions)
            except RefusedWith as refused:
                if not is_gone(refused):
                    raise
        owners = await read_owners(ctx.api, (item.key,))
        if heir in owners.get(item.key, frozenset()):
            return Waiting(2, f"Graph still lists the new owner of {item.title}")
        return Done(f"{item.title} is owned as before")


class LeaveOwnerships(Removal):
    """Give up owning groups: those that somebody else owns too."""

    id = "microsoft365.leave_ownerships"
    title = "Give up owning groups"
    wave = Wave.CLEAN_UP
    requires = (HandOverGroups.id,)
    controls = ("CIS 5.3", "NIST PS-4", "NIST AC-2")
    permissions = ("Group.ReadWrite.All", "Directory.Read.All")
    none = "owns no group"

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        known = facts.belongings
        return access_ends(choices) and known.may_have("owned groups", known.owned)

    async def listed(self, ctx: Ctx) -> Sequence[Item] | Task | Nothing:
        groups = _given(await read_owned(ctx.api, ctx.account.id))
        if names_a_person(ctx.choices, "teams"):
            # Those still theirs alone are handed over first: the approval shows them, and Graph keeps a last owner.
            return [_owned(group) for group in groups]
        owners = await read_owners(ctx.api, tuple(group.id for group in groups))
        shared = [group for group in groups if owners.get(group.id, frozenset()) - {ctx.account.id}]
        if groups and not shared:
            alone = ", ".join(group.name for group in groups)
            return Nothing(f"stays the only owner of {alone}, since nobody was named to take over")
        return [_owned(group) for group in shared]

    async def remove(self, ctx: Ctx, item: Item) -> None:
        try:
            await ctx.api.send("DELETE", owner_ref(ctx.api, item.key, ctx.account.id), self.permissions)
        except RefusedWith as refused:
            # Seen where others own it, too (msgraph issue 3741).
            if refused_as(refused, "at least one owner"):
                raise Refused(
                    VENDOR,
                    refused.call,
                    f"{item.title} would be left without an owner",
                    "Add another owner in https://admin.microsoft.com, Teams & groups, then retry.",
                ) from refused
            raise

    async def keys(self, ctx: Ctx) -> frozenset[str]:
        return frozenset(group.id for group in groups_among(await read_owned(ctx.api, ctx.account.id)))

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        owners = ctx.api.sdk.groups.by_group_id(item.key).owners.ref
        try:
            await ctx.api.send("POST", owners, self.permissions, link_to(ctx.api, ctx.account.id))
        except RefusedWith as refused:
            if not refused_as(refused, "already exist"):
                raise
        if item.key in await self.keys(ctx):
            return Done(f"owns {item.title} again")
        return Waiting(2, f"Graph does not list {item.title} yet")


def _alone(ctx: Ctx, owners: frozenset[str], heir: str) -> bool:
    """Whether nobody but the leaver and the new owner owns it: a hand-over half done is finished."""
    return ctx.account.id in owners and not owners - {heir, ctx.account.id}


def _owned(group: Group) -> Item:
    return Item(key=group.id, title=group.name, before={"owner": True})


def _given(owned: list[Json]) -> list[Group]:
    """Those that somebody may take over; the ones that give roles go with the roles, the domain's with the domain."""
    return [group for group in groups_among(owned) if group.may_be_given]


async def _handed(ctx: Ctx, group: Group, heir: str, owners: frozenset[str]) -> Item:
    # An owner who is no member does not see the team; a dynamic group's members its rule decides.
    joins = group.unified and not group.dynamic and heir not in await _members(ctx, group.id)
    return Item(key=group.id, title=group.name, before={"to": heir, "joins": joins, "owners": [*sorted(owners)]})


async def _belongs(ctx: Ctx, group: Group, heir: str) -> bool:
    return not group.unified or group.dynamic or heir in await _members(ctx, group.id)


async def _members(ctx: Ctx, group: str) -> frozenset[str]:
    info = ctx.api.sdk.groups.by_group_id(group).members.to_get_request_information()
    return frozenset(text(one, "id") for one in await ctx.api.read_all(info, select=("id",)))


async def _unfit(ctx: Ctx, heir: str) -> Task | None:
    """A new owner who is gone or blocked is no owner."""
    person = await read_somebody(ctx.api, heir)
    if person is not None and person.enabled and heir != ctx.account.id:
        return None
    return Task(
        reason="the person named as the new owner has no working account",
        instructions=(
            "Ask the requester who takes over, change the answer to 'teams', or add an owner to each group in "
            "https://admin.microsoft.com, Teams & groups."
        ),
    )
