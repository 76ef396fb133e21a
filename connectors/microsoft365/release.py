"""Licences go last: when the mailbox can do without, each by its name; and to somebody else, where so decided."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import (
    Accepted,
    Choices,
    Done,
    Finding,
    Intent,
    Item,
    Nothing,
    Outcome,
    Premature,
    Refused,
    Task,
    Todo,
    VendorError,
    Waiting,
    Wave,
)
from connectors.http import RefusedWith
from connectors.microsoft365.client import VENDOR, refused_as, text
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.guards import Ctx, look_again_in
from connectors.microsoft365.leave_groups import LICENCES_GO, LeaveGroups, LeaveLicenceGroups
from connectors.microsoft365.licences import STATES, Licence, assign, licences_of, read_licences
from connectors.microsoft365.mailbox_ground import keeps_licence, why_mailbox_needs_licence
from connectors.microsoft365.ownership import names_a_person
from connectors.microsoft365.shapes import Change, Removal, access_ends
from connectors.microsoft365.tasks import TakeBackup


class ReleaseLicences(Removal):
    """Take directly assigned licences off; one that carries the mailbox only when the mailbox can do without."""

    id = "microsoft365.release_licences"
    title = "Release licences"
    wave = Wave.BILLING
    requires = ("exchange.convert_to_shared", "exchange.hold", "exchange.delete_mailbox", TakeBackup.id)
    after = (
        "exchange.cancel_meetings",
        "exchange.hand_over_meetings",
        "microsoft365.set_auto_reply",
        "microsoft365.share_files",
        LeaveGroups.id,
        LeaveLicenceGroups.id,
    )
    controls = ("CIS 5.3", "NIST PS-4", "NIST AC-2")
    permissions = ("LicenseAssignment.ReadWrite.All", "User.Read.All")
    none = "holds no licence"

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        known = facts.belongings
        held = access_ends(choices) and choices.get("licences") in LICENCES_GO
        return held and known.may_have("licences", known.licences)

    async def listed(self, ctx: Ctx) -> Sequence[Item] | Task | Nothing:
        held = await read_licences(ctx.api, ctx.account.id)
        direct = [one for one in held if not one.group]
        if keeps_licence(ctx.choices):
            stays = [one.name for one in direct if one.carries_mailbox]
            direct = [one for one in direct if not one.carries_mailbox]
            if not direct:
                return Nothing(f"{', '.join(stays) or 'the licence'} stays: the shared mailbox needs it, as decided")
        if not direct:
            return self._by_group(ctx, held)
        why = await why_mailbox_needs_licence(ctx) if any(one.carries_mailbox for one in direct) else ""
        if why and all(one.carries_mailbox for one in direct):
            return Premature(
                reason=f"licences stay for now: {why}",
                instructions=(
                    f"Settle that, then retry; or release {', '.join(one.name for one in direct)} by hand in "
                    "https://admin.microsoft.com once the mailbox is safe."
                ),
            )
        # One that must stay is on the list and refused at the act, so that nobody takes the step for done.
        return [_item(one) for one in direct]

    def _by_group(self, ctx: Ctx, held: tuple[Licence, ...]) -> Sequence[Item] | Task | Nothing:
        if not held:
            return []
        names = {group.id: group.name for group in ctx.facts.belongings.groups}
        told = ", ".join(f"{one.name} by the group {names.get(one.group, one.group)}" for one in held)
        return Task(
            reason=f"what they hold comes by groups, and can't be taken off the person: {told}",
            instructions=(
                "Take them out of these groups (or change the groups' rule), wait until the licences are gone, then "
                "retry."
            ),
        )

    async def act_at_once(self, ctx: Ctx, items: Sequence[Item]) -> Accepted | None:
        # One that must stay is refused by itself, with its reason.
        if any(_may_carry(item) for item in items) and await why_mailbox_needs_licence(ctx):
            return None
        await assign(ctx.api, ctx.account.id, self.permissions, remove=tuple(item.key for item in items))
        return Accepted()

    async def remove(self, ctx: Ctx, item: Item) -> None:
        if _may_carry(item) and (why := await why_mailbox_needs_licence(ctx)):
            raise Refused(VENDOR, f"release {item.title}", why, "Settle that, then retry.")
        try:
            await assign(ctx.api, ctx.account.id, self.permissions, remove=(item.key,))
        except RefusedWith as refused:
            if refused_as(refused, "does not have a corresponding license"):
                return
            if refused_as(refused, "depend"):
                await self._together(ctx)
                return
            raise explained(refused, item.title) from refused

    async def _together(self, ctx: Ctx) -> None:
        """Products that need each other go in one call: all of them were to go anyway."""
        direct = [one for one in await read_licences(ctx.api, ctx.account.id) if not one.group]
        if any(one.carries_mailbox for one in direct) and await why_mailbox_needs_licence(ctx):
            direct = [one for one in direct if not one.carries_mailbox]
        await assign(ctx.api, ctx.account.id, self.permissions, remove=tuple(one.sku for one in direct))

    async def keys(self, ctx: Ctx) -> frozenset[str]:
        record = await ctx.api.read(ctx.api.user(ctx.account.id).to_get_request_information(), select=(STATES,))
        return frozenset(one.sku for one in licences_of(record, {}) if not one.group)

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        try:
            await assign(ctx.api, ctx.account.id, self.permissions, add=(_licence(item),))
        except RefusedWith as refused:
            raise explained(refused, item.title) from refused
        if item.key in await self.keys(ctx):
            return Done(f"{item.title} is assigned again")
        return Waiting(2, f"Graph does not show {item.title} yet")


class ReassignLicences(Change):
    """Give the released licences to the person named."""

    id = "microsoft365.reassign_licences"
    title = "Give the licences to somebody else"
    wave = Wave.BILLING
    requires = (ReleaseLicences.id,)
    controls = ("CIS 5.3", "NIST AC-2")
    permissions = ("LicenseAssignment.ReadWrite.All", "User.Read.All")

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return access_ends(choices) and choices.get("licences") == "reassign" and names_a_person(choices, "licences.to")

    async def see(self, ctx: Ctx) -> Finding:
        known = ctx.facts.belongings
        released = [one for one in known.licences if not one.group]
        if not released:
            unread = " (they could not be read when the plan was made)" if "licences" in known.unread else ""
            return Nothing(f"no directly assigned licence was there to give on{unread}")
        heir = ctx.choices["licences.to"]
        info = ctx.api.user(heir).to_get_request_information()
        person = await ctx.api.find(info, select=("id", "displayName", "usageLocation", STATES))
        if person is None:
            return Task("the person named for the licences has no account any more", "Ask the requester who gets them.")
        theirs = {one.sku for one in licences_of(person, {})}
        lacking = [one for one in released if one.sku not in theirs]
        if not lacking:
            return Nothing(f"{text(person, 'displayName')} holds them already")
        if not text(person, "usageLocation"):
            return Task(
                reason=f"{text(person, 'displayName')} has no usage location, without which nothing can be assigned",
                instructions=(
                    f"Set it in https://entra.microsoft.com, Users > {text(person, 'displayName')} > Properties, then "
                    "retry."
                ),
            )
        return Todo(tuple(_item(one, to=heir) for one in lacking))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        try:
            await assign(ctx.api, str(item.before["to"]), self.permissions, add=(_licence(item),))
        except RefusedWith as refused:
            raise explained(refused, item.title) from refused
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        heir = str(item.before["to"])
        record = await ctx.api.find(ctx.api.user(heir).to_get_request_information(), select=(STATES,))
        if record is not None and item.key in {one.sku for one in licences_of(record, {})}:
            return Done(f"{ctx.choices.get('licences.to.name', heir)} holds {item.title}")
        return Waiting(look_again_in(ctx, intent.at), f"Graph does not show {item.title} there yet")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        try:
            await assign(ctx.api, str(item.before["to"]), self.permissions, remove=(item.key,))
        except RefusedWith as refused:
            if not refused_as(refused, "does not have a corresponding license"):
                raise
        return Done(f"{item.title} was taken off again")


def explained(refused: RefusedWith, title: str) -> VendorError:
    """Graph's licence refusals share one code and differ by their words (msgraph issues, read 2026-11)."""
    said = {
        "inherited from a group": (
            "it comes by a group and can't be taken off the person",
            "Take them out of that group, then retry.",
        ),
        "usage location": (
            "the person has no usage location",
            "Set it in https://entra.microsoft.com, Users > the person > Properties, then retry.",
        ),
        "available licenses": (
            "no seat is free",
            "What was released shows within minutes: retry then, or buy a seat.",
        ),
    }
    for words, (cause, fix) in said.items():
        if refused_as(refused, words):
            return Refused(VENDOR, f"{refused.call}, {title}", cause, fix)
    return refused


def _item(licence: Licence, *, to: str = "") -> Item:
    return Item(
        key=licence.sku,
        title=licence.name,
        before={
            "skuId": licence.sku,
            "disabledPlans": [*licence.disabled_plans],
            "carriesMailbox": licence.carries_mailbox,
            **({"to": to} if to else {}),
        },
    )


def _may_carry(item: Item) -> bool:
    """Whether the mailbox may live on it; so does one of which that could not be read."""
    return item.before.get("carriesMailbox") is not False


def _licence(item: Item) -> Licence:
    plans = item.before.get("disabledPlans")
    off = tuple(str(one) for one in plans) if isinstance(plans, list) else ()
    return Licence(sku=item.key, name=item.title, disabled_plans=off)
