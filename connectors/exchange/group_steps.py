"""Out of distribution lists and mail-enabled security groups; what a call can't do there is a person's task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from connectors.contract import (
    Accepted,
    Choices,
    Done,
    Finding,
    Intent,
    Item,
    Nothing,
    Outcome,
    Step,
    Task,
    Todo,
    Waiting,
    Wave,
)
from connectors.exchange.client import PERMISSION, ExchangeApi, NoSuchObject, refused_as
from connectors.exchange.facts import Ctx, ExchangeFacts, gone, look_again_in, mailbox_now
from connectors.exchange.groups import Group, read_dynamic, read_memberships, read_owned
from connectors.http import RefusedWith

CONTROLS = ("CIS 6.2", "NIST PS-4", "NIST AC-2")


def _everything(choices: Choices, facts: ExchangeFacts) -> bool:
    return facts.active and choices.get("access") == "everything"


class LeaveDistributionGroups(Step[ExchangeApi, ExchangeFacts]):
    """Take the leaver out of each group, one by one; undone by putting them back."""

    id = "exchange.leave_distribution_groups"
    title = "Leave distribution lists"
    wave = Wave.CLEAN_UP
    side_by_side = True
    lag = timedelta(minutes=15)
    controls = CONTROLS
    permissions = (PERMISSION,)

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return _everything(choices, facts)

    async def look(self, ctx: Ctx) -> Finding:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return Nothing(await gone(ctx))
        groups = await read_memberships(ctx.api, mailbox.distinguished_name)
        ours = [group for group in groups if not group.synced]
        if not ours:
            return Nothing("they are in no list that is kept in Exchange Online")
        return Todo(
            tuple(
                Item(key=group.id, title=_title(group), before={"member": True, "mail": group.mail}) for group in ours
            )
        )

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        try:
            await self._change(ctx, "Remove-DistributionGroupMember", item)
        except NoSuchObject:
            return Accepted("gone already")
        except RefusedWith as refused:
            if refused_as(refused, "MemberNotFoundException", "isn't a member of the group"):
                return Accepted("not a member any more")
            raise
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        if await self._is_in(ctx, item):
            return Waiting(look_again_in(ctx, intent.at), f"Exchange still lists them in {item.title}")
        return Done(_left(item))

    async def proved(self, ctx: Ctx, items: Sequence[Item]) -> Mapping[str, str]:
        listed = await self._listed(ctx)
        return {item.key: _left(item) for item in items if item.key not in listed}

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        try:
            await self._change(ctx, "Add-DistributionGroupMember", item)
        except RefusedWith as refused:
            if not refused_as(refused, "MemberAlreadyExistsException", "is already a member"):
                raise
        if await self._is_in(ctx, item):
            return Done(f"{item.title} lists them again")
        return Waiting(15, f"{item.title} does not list them yet")

    async def _change(self, ctx: Ctx, cmdlet: str, item: Item) -> None:
        await ctx.api.invoke(
            cmdlet, Identity=item.key, Member=ctx.account.id, BypassSecurityGroupManagerCheck=True, Confirm=False
        )

    async def _is_in(self, ctx: Ctx, item: Item) -> bool:
        return item.key in await self._listed(ctx)

    async def _listed(self, ctx: Ctx) -> frozenset[str]:
        mailbox = await mailbox_now(ctx) or ctx.facts.mailbox
        return frozenset(group.id for group in await read_memberships(ctx.api, mailbox.distinguished_name))


class GroupsByHand(Step[ExchangeApi, ExchangeFacts]):
    """Lists that a domain or a rule decides, and lists nobody else owns."""

    id = "exchange.groups_by_hand"
    title = "Lists that only a person can settle"
    wave = Wave.CLEAN_UP
    after = (LeaveDistributionGroups.id,)
    controls = CONTROLS
    permissions = (PERMISSION,)

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return _everything(choices, facts)

    async def look(self, ctx: Ctx) -> Finding:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return Nothing(await gone(ctx))
        member_of = await read_memberships(ctx.api, mailbox.distinguished_name)
        owned = await read_owned(ctx.api, mailbox.distinguished_name)
        dynamic, unclear = await read_dynamic(ctx.api, ctx.account.id)
        todo = (
            ("In the domain, take them out of", [_title(group) for group in member_of if group.synced]),
            ("Change the rule, or what it goes by, of the dynamic lists", [*dynamic]),
            ("Look whether these dynamic lists include them", [*unclear]),
            ("Name another owner, then take them off, for", [_title(group) for group in owned if group.owners < 2]),
            ("Take them off the owners of", [_title(group) for group in owned if group.owners >= 2]),
        )
        steps = [f"{what}: {', '.join(names)}." for what, names in todo if names]
        if not steps:
            return Nothing("no synced or dynamic list includes them, and they own none")
        return Task(
            reason="the domain, a rule or an owner decides these lists, not a call",
            instructions=" ".join(f"{number}. {step}" for number, step in enumerate(steps, 1)),
        )

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        raise AssertionError(f"{self.id} is done by a person; the engine never acts on it")

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        finding = await self.look(ctx)
        if isinstance(finding, Task):
            return Waiting(60, finding.instructions)
        return Done(finding.evidence if isinstance(finding, Nothing) else "")


def _left(item: Item) -> str:
    return f"{item.title} does not list them any more"


def _title(group: Group) -> str:
    return f"{group.name} ({group.mail})" if group.mail else group.name
