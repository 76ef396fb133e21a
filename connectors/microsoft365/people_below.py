"""Who reported to the leaver gets a new manager. The leaver's own manager stays: a deletion gives them the files."""

from __future__ import annotations

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
    Refused,
    Task,
    Todo,
    Waiting,
    Wave,
)
from connectors.http import RefusedWith
from connectors.microsoft365.belongings import read_somebody
from connectors.microsoft365.client import VENDOR, is_gone, refused_as, text
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.guards import Ctx, look_again_in
from connectors.microsoft365.ownership import names_a_person
from connectors.microsoft365.shapes import DELETED, Change

_FIELDS = ("id", "displayName", "onPremisesSyncEnabled")


class MoveReports(Change):
    """Give each direct report the new manager named."""

    id = "microsoft365.move_reports"
    title = "Give their reports a new manager"
    wave = Wave.HAND_OVER
    controls = ("NIST PS-4", "NIST PS-5")
    permissions = ("User.ReadWrite.All",)

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        known = facts.belongings
        return names_a_person(choices, "reports") and known.may_have("people", known.reports)

    async def see(self, ctx: Ctx) -> Finding:
        boss = ctx.choices["reports"]
        info = ctx.api.user(ctx.account.id).direct_reports.to_get_request_information()
        try:
            below = await ctx.api.read_all(info, select=_FIELDS)
        except RefusedWith as refused:
            if is_gone(refused):
                return Nothing(DELETED)
            raise
        if not below:
            return Nothing("nobody reports to them")
        person = await read_somebody(ctx.api, boss)
        if person is None or boss == ctx.account.id:
            return Task(
                "the person named as the new manager has no account", "Ask the requester who takes over the reports."
            )
        if all(_synced(one) for one in below):
            return Task(
                reason="managers of synced accounts are set in the domain",
                instructions=(
                    f"In Active Directory, set the manager of {', '.join(text(one, 'displayName') for one in below)} "
                    f"to {person.name}, then let it sync."
                ),
            )
        return Todo(tuple(self._item(ctx, one, boss) for one in below))

    def _item(self, ctx: Ctx, report: Json, boss: str) -> Item:
        above = ctx.facts.belongings.manager
        # Nobody is their own manager: whoever takes over reports to the leaver's manager.
        to = (above.id if above else "") if text(report, "id") == boss else boss
        before: Json = {"manager": ctx.account.id, "to": to, "synced": _synced(report)}
        return Item(key=text(report, "id"), title=text(report, "displayName"), before=before)

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        try:
            if item.before.get("synced") is True:
                raise _synced_refusal("set a manager", item)
            await self._put(ctx, item.key, str(item.before["to"]))
        except RefusedWith as refused:
            if refused_as(refused, "on-premises mastered"):
                raise _synced_refusal(refused.call, item) from refused
            raise
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        to = str(item.before["to"])
        manager = await ctx.api.find(
            ctx.api.user(item.key).manager.to_get_request_information(), select=("id", "displayName")
        )
        if (text(manager, "id") if manager else "") != to:
            return Waiting(look_again_in(ctx, intent.at), f"Graph does not show {item.title}'s new manager yet")
        return Done(f"{item.title} reports to {text(manager, 'displayName') if manager else 'nobody'}")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        back = str(item.before["manager"])
        await self._put(ctx, item.key, back)
        manager = await ctx.api.find(ctx.api.user(item.key).manager.to_get_request_information(), select=("id",))
        if manager and text(manager, "id") == back:
            return Done(f"{item.title} reports to them again")
        return Waiting(2, f"Graph does not show {item.title}'s manager yet")

    async def _put(self, ctx: Ctx, report: str, boss: str) -> None:
        where = ctx.api.user(report).manager.ref
        if not boss:
            await ctx.api.send("DELETE", where, self.permissions)
            return
        link: Json = {"@odata.id": f"{ctx.api.settings.base_url}/users/{boss}"}
        await ctx.api.send("PUT", where, self.permissions, link)


def _synced_refusal(call: str, item: Item) -> Refused:
    return Refused(VENDOR, call, f"{item.title} is synced from a domain", "Set the manager in Active Directory.")


def _synced(record: Json) -> bool:
    return record.get("onPremisesSyncEnabled") is True
