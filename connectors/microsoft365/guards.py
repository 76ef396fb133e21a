"""What every lock-out step asks first: may we touch this account, and can we at all."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from connectors.contract import Context, Json, Task
from connectors.http import RefusedWith
from connectors.microsoft365.client import ADMIN_ROLES_NEEDED, Graph
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.groups import GROUP_FIELDS, read_owned
from connectors.microsoft365.roles import NO_PREMIUM, read_assignments, read_eligible, roles_of

Ctx = Context[Graph, Microsoft365Facts]

CLOCKS_APART = timedelta(minutes=2)
"""How far Microsoft's clock and ours may differ before a time is taken for an earlier change's."""


def emergency_account(ctx: Ctx) -> Task | None:
    """A break-glass account is never touched, whatever was approved."""
    if ctx.account.id not in ctx.api.settings.break_glass and not ctx.facts.break_glass:
        return None
    return Task(
        reason=f"{ctx.account.name} is listed as an emergency (break-glass) account",
        instructions=(
            f"The bot never touches {_who(ctx)}. Find out why an emergency account is being offboarded. "
            "If it is right, create and test another emergency account, remove this one from break_glass "
            "in clients.yml, and retry."
        ),
    )


async def by_hand(ctx: Ctx, doing: str) -> Task | None:
    """A task where we may not act, or where Graph would refuse us: an administrator, and no role of ours.

    Whether they still are one is asked afresh: their roles may have been taken away meanwhile.
    """
    if forbidden := emergency_account(ctx):
        return forbidden
    if not ctx.facts.privileged or ctx.facts.may_change_admins or not await _still_an_administrator(ctx):
        return None
    roles = [role.name for role in ctx.facts.roles if role.privileged]
    held = ", ".join([*roles, *(f"group {group}" for group in ctx.facts.role_groups)])
    return Task(
        reason=f"{ctx.account.name} is an administrator ({held}), and our application may not change those",
        instructions=(
            f"Sign in to https://entra.microsoft.com as {ADMIN_ROLES_NEEDED}, open Users > {_who(ctx)}, and "
            f"{doing}. To let the bot do it, give our application's service principal that role and retry."
        ),
    )


async def _still_an_administrator(ctx: Ctx) -> bool:
    """Whether a privileged role or a role group is theirs now; in doubt yes."""
    api, user = ctx.api, ctx.account.id
    inside = api.read_all(api.user(user).transitive_member_of.to_get_request_information(), select=GROUP_FIELDS)
    try:
        active, eligible, groups, owned = await asyncio.gather(
            read_assignments(api, user), _eligible(ctx), inside, read_owned(api, user)
        )
    except RefusedWith:
        return True
    held = (*roles_of(active, "active"), *roles_of(eligible, "eligible"))
    return any(role.privileged for role in held) or any(
        group.get("isAssignableToRole") is True for group in (*groups, *owned)
    )


async def _eligible(ctx: Ctx) -> list[Json]:
    try:
        return await read_eligible(ctx.api, ctx.account.id)
    except RefusedWith as refused:
        if NO_PREMIUM in refused.code:
            return []
        raise


def look_again_in(ctx: Ctx, since: datetime) -> float:
    """Seconds until the next read: eager at first, since most writes show at once; then politely."""
    age = (ctx.clock.now() - since).total_seconds()
    return 1.0 if age < 10 else 5.0 if age < 60 else 20.0


def _who(ctx: Ctx) -> str:
    return f"{ctx.account.name} ({ctx.facts.user_name or ctx.account.user_name}, object id {ctx.account.id})"
