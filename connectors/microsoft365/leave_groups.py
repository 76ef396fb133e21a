"""Leaving groups: those left at once, those that give licences, and those that somebody else decides on."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import Choices, Done, Item, Nothing, Outcome, Premature, Refused, Task, Waiting, Wave
from connectors.http import RefusedWith
from connectors.microsoft365.client import VENDOR, refused_as
from connectors.microsoft365.client_links import link_to, member_ref
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.groups import Group, read_groups
from connectors.microsoft365.guards import Ctx
from connectors.microsoft365.licences import read_products
from connectors.microsoft365.mailbox_ground import keeps_licence, why_mailbox_needs_licence
from connectors.microsoft365.shapes import Removal, access_ends
from connectors.microsoft365.tasks import TakeBackup

LICENCES_GO = ("release", "reassign")
"""Answers to 'licences' that take them from the leaver."""


class LeaveGroups(Removal):
    """Leave every group whose members are decided here; the others are named in the evidence."""

    id = "microsoft365.leave_groups"
    title = "Leave groups and teams"
    wave = Wave.CLEAN_UP
    # A backup may choose what it keeps by a group.
    requires = (TakeBackup.id,)
    after = ("microsoft365.hand_over_groups",)
    controls = ("CIS 6.2", "CIS 5.3", "NIST PS-4", "NIST AC-2")
    permissions = ("GroupMember.ReadWrite.All", "Directory.Read.All")
    none = "is in no group"
    side_by_side = True

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        known = facts.belongings
        return access_ends(choices) and known.may_have("groups", known.groups)

    async def listed(self, ctx: Ctx) -> Sequence[Item] | Task | Nothing:
        groups = await read_groups(ctx.api, ctx.account.id)
        here = [group for group in groups if group.decided == "here"]
        if here or not groups:
            return [_item(group) for group in here]
        return Nothing("no group is left here: " + "; ".join(group.why_not_here for group in groups))

    async def remove(self, ctx: Ctx, item: Item) -> None:
        await _leave(ctx, item, self.permissions)

    async def keys(self, ctx: Ctx) -> frozenset[str]:
        return frozenset(group.id for group in await read_groups(ctx.api, ctx.account.id))

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        return await _rejoin(ctx, item, self.permissions)


class GroupsThatStay(Removal):
    """Say which groups keep them, and why: rules, the domain, Exchange."""

    id = "microsoft365.groups_that_stay"
    title = "Groups decided elsewhere"
    wave = Wave.CLEAN_UP
    after = (LeaveGroups.id,)
    controls = ("CIS 5.3", "NIST AC-2")
    permissions = ("GroupMember.Read.All",)
    none = "no group is decided elsewhere"

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return access_ends(choices) and any(group.decided in _ELSEWHERE for group in facts.belongings.groups)

    async def listed(self, ctx: Ctx) -> Sequence[Item] | Task | Nothing:
        stay = [group for group in await read_groups(ctx.api, ctx.account.id) if group.decided in _ELSEWHERE]
        return Nothing("; ".join(group.why_not_here for group in stay)) if stay else []

    async def remove(self, ctx: Ctx, item: Item) -> None:
        raise AssertionError("it only reports")

    async def keys(self, ctx: Ctx) -> frozenset[str]:
        return frozenset()


_ELSEWHERE = frozenset({"domain", "rule", "exchange"})


class LeaveLicenceGroups(Removal):
    """Leave the groups that give licences, once the mailbox can do without."""

    id = "microsoft365.leave_licence_groups"
    title = "Leave groups that give licences"
    wave = Wave.CLEAN_UP
    requires = ("exchange.convert_to_shared", "exchange.hold", "exchange.delete_mailbox", TakeBackup.id)
    after = ("exchange.cancel_meetings", LeaveGroups.id)
    controls = ("CIS 5.3", "NIST PS-4", "NIST AC-2")
    permissions = ("GroupMember.ReadWrite.All", "Directory.Read.All")
    none = "is in no group that gives licences"

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        known = facts.belongings
        giving = [group for group in known.groups if group.licences]
        return access_ends(choices) and choices.get("licences") in LICENCES_GO and known.may_have("groups", giving)

    async def listed(self, ctx: Ctx) -> Sequence[Item] | Task | Nothing:
        giving = [group for group in await read_groups(ctx.api, ctx.account.id) if group.licences]
        if not giving:
            return []
        products = await read_products(ctx.api)
        carries = {
            group.id: any(sku not in products or products[sku].carries_mailbox for sku in group.licences)
            for group in giving
        }
        if keeps_licence(ctx.choices):
            giving = [group for group in giving if not carries[group.id]]
            if not giving:
                return Nothing("the groups that give the mailbox its licence stay, as decided")
        why = await why_mailbox_needs_licence(ctx) if any(carries.values()) else ""
        free = [group for group in giving if group.decided == "licences" and not (why and carries[group.id])]
        if not free:
            stuck = "; ".join(group.why_not_here for group in giving)
            finding = Premature if why else Task
            return finding(
                reason=why or "no group that gives them licences can be left here",
                instructions=(
                    f"{stuck}. Once that is settled, take them out of these groups (change the rule, the domain group "
                    "or the list), or retry."
                ),
            )
        # The others stay on the list and are refused at the act, so that nobody takes the step for done.
        return [_item(group) for group in giving]

    async def remove(self, ctx: Ctx, item: Item) -> None:
        group = next((one for one in await read_groups(ctx.api, ctx.account.id) if one.id == item.key), None)
        if group is None:
            return
        why = "" if group.decided == "licences" else group.why_not_here
        if not why and await _carries_mailbox(ctx, group):
            why = await why_mailbox_needs_licence(ctx)
        if why:
            raise Refused(VENDOR, f"leave {group.name}", why, "Settle that, then retry; or skip it with the reason.")
        await _leave(ctx, item, self.permissions)

    async def keys(self, ctx: Ctx) -> frozenset[str]:
        return frozenset(group.id for group in await read_groups(ctx.api, ctx.account.id))

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        return await _rejoin(ctx, item, self.permissions)


async def _carries_mailbox(ctx: Ctx, group: Group) -> bool:
    products = await read_products(ctx.api)
    return any(sku not in products or products[sku].carries_mailbox for sku in group.licences)


def _item(group: Group) -> Item:
    return Item(key=group.id, title=group.name, before={"member": True, "name": group.name})


async def _leave(ctx: Ctx, item: Item, needs: Sequence[str]) -> None:
    await ctx.api.send("DELETE", member_ref(ctx.api, item.key, ctx.account.id), needs)


async def _rejoin(ctx: Ctx, item: Item, needs: Sequence[str]) -> Outcome:
    members = ctx.api.sdk.groups.by_group_id(item.key).members.ref
    try:
        await ctx.api.send("POST", members, needs, link_to(ctx.api, ctx.account.id))
    except RefusedWith as refused:
        if not refused_as(refused, "already exist"):
            raise
    if any(group.id == item.key for group in await read_groups(ctx.api, ctx.account.id)):
        return Done(f"is in {item.title} again")
    return Waiting(2, f"Graph does not list {item.title} yet")
