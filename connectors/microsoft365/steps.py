"""The lock-out at Microsoft 365: block, sessions, password, sign-in methods."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
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
    Refused,
    Task,
    Waiting,
    Wave,
)
from connectors.http import RefusedWith
from connectors.microsoft365.client import VENDOR, refused_as, set_enabled, set_password
from connectors.microsoft365.facts import Microsoft365Facts, moment
from connectors.microsoft365.guards import CLOCKS_APART, Ctx, by_hand
from connectors.microsoft365.methods import delete_method, order_of_removal, read_methods, removable
from connectors.microsoft365.shapes import FieldChange, Removal, access_ends, read_user

SEND_AFTER = 3.0
"""Seconds between meaning the second revocation and sending it."""


ROLES_GONE = ("microsoft365.remove_roles", "microsoft365.end_eligibility")
"""What makes an administrator somebody our application may change."""


class BlockSignIn(FieldChange):
    """Turn the account off: no new sign-in. Undone by turning it on again."""

    id = "microsoft365.block_sign_in"
    title = "Block sign-in"
    wave = Wave.LOCK_OUT
    unlocked_by = ROLES_GONE
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-2(3)")
    permissions = ("User.EnableDisableAccount.All", "User.Read.All")
    immediate = True
    name = "accountEnabled"
    key, item_title = "sign-in", "Sign-in"
    doing = "block sign-in under Account status"
    still = "Graph still shows the account enabled"

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return access_ends(choices)

    def already(self, user: Json) -> str:
        # A synced account is meant to be blocked anew: what the cloud shows, the domain may be about to undo.
        enabled, synced = user.get("accountEnabled") is True, user.get("onPremisesSyncEnabled") is True
        return "" if enabled or synced else "accountEnabled is already false"

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await set_enabled(ctx.api, ctx.account.id, self.permissions, enabled=False)
        return Accepted()

    def evidence(self, ctx: Ctx, value: JsonValue, before: JsonValue, intent: Intent) -> str:
        if value is not False:
            return ""
        if ctx.facts.synced:
            return (
                "accountEnabled read as false; the domain account decides: while that one is enabled, the "
                "next sync turns this one on again"
            )
        return "accountEnabled read as false"

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        if item.before.get("accountEnabled") is not True:
            return Done("it was blocked before the offboarding, so it stays blocked")
        await set_enabled(ctx.api, ctx.account.id, self.permissions, enabled=True)
        user = await read_user(ctx, "accountEnabled")
        if user is not None and user.get("accountEnabled") is True:
            return Done("accountEnabled read as true")
        return Waiting(2, "Graph does not show the account enabled yet")


class RevokeSessions(FieldChange):
    """End every open session at once: refresh tokens die, clients must sign in again."""

    id = "microsoft365.revoke_sessions"
    title = "End open sessions"
    wave = Wave.LOCK_OUT
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-12")
    permissions = ("User.RevokeSessions.All", "User.Read.All")
    immediate = True
    name = "signInSessionsValidFromDateTime"
    key, item_title = "sessions", "Open sessions"
    still = "Graph does not show the sessions ended yet"
    earliest: ClassVar[timedelta] = -CLOCKS_APART
    """How soon after the intent the new time must lie to be this step's doing."""

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        # A guest's sessions belong to the home tenant: revoking here has no effect (Graph documentation
        # of revokeSignInSessions, read 2026-11). The block is what keeps them out of this tenant.
        return access_ends(choices) and not facts.guest

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        # The answer is always 200 and true, even when it failed (known issue): only the read-back counts.
        await ctx.api.send("POST", ctx.api.user(ctx.account.id).revoke_sign_in_sessions, self.permissions)
        return Accepted()

    def evidence(self, ctx: Ctx, value: JsonValue, before: JsonValue, intent: Intent) -> str:
        valid_from = _moved(value, before, intent.at + self.earliest)
        return f"sessions are valid only from {valid_from:%Y-%m-%d %H:%M:%S} UTC on" if valid_from else ""


class ResetPassword(FieldChange):
    """Set a random password that nobody knows, so that the old one opens nothing (the mailbox included)."""

    id = "microsoft365.reset_password"
    title = "Reset the password"
    wave = Wave.LOCK_OUT
    unlocked_by = ROLES_GONE
    controls = ("CIS 6.2", "NIST PS-4", "NIST IA-5")
    permissions = ("User-PasswordProfile.ReadWrite.All", "User.Read.All")
    immediate = True
    # The old password is gone for good, yet nothing is lost: a Temporary Access Pass lets a person set a
    # new one. So this is not called irreversible.
    name = "lastPasswordChangeDateTime"
    key, item_title = "password", "Password"
    doing = "reset the password to a long random one that you do not keep"
    still = "Graph does not show the new password yet"

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        # These three have no password here that we could set.
        return access_ends(choices) and not (facts.guest or facts.synced or facts.federated)

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        try:
            await set_password(ctx.api, ctx.account.id, self.permissions)
        except RefusedWith as refused:
            if refused_as(refused, "on-premises mastered", "federated"):
                raise Refused(
                    VENDOR,
                    refused.call,
                    "the password is kept on premises or at another identity provider, not in Microsoft 365",
                    "Reset it there, twice, then read the facts again.",
                ) from refused
            raise
        return Accepted()

    def evidence(self, ctx: Ctx, value: JsonValue, before: JsonValue, intent: Intent) -> str:
        changed = _moved(value, before, intent.at - CLOCKS_APART)
        return f"the password was changed at {changed:%Y-%m-%d %H:%M:%S} UTC; nobody knows it" if changed else ""


class RevokeSessionsAgain(RevokeSessions):
    """Once more after block and reset, for a session opened in between."""

    id = "microsoft365.revoke_sessions_again"
    title = "End open sessions again"
    after = (RevokeSessions.id, BlockSignIn.id, ResetPassword.id)
    earliest = timedelta(seconds=1)

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        # The first revocation lies just before, Graph keeps whole seconds and may read stale: only a time
        # clearly after we meant this one proves it, so it is sent clearly after.
        await ctx.clock.sleep(SEND_AFTER)
        return await super().act(ctx, item, intent)


class RemoveSignInMethods(Removal):
    """Remove phones, keys and apps, so that nobody can sign in or reset the password with them."""

    id = "microsoft365.remove_sign_in_methods"
    title = "Remove sign-in methods"
    wave = Wave.LOCK_OUT
    unlocked_by = ROLES_GONE
    after = (BlockSignIn.id, ResetPassword.id)
    controls = ("CIS 6.2", "NIST PS-4", "NIST IA-5")
    permissions = ("UserAuthenticationMethod.ReadWrite.All",)
    irreversible = "Removed sign-in methods can't be put back: the person must register them again."
    none = "no sign-in method but the password is registered"

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        # A guest's methods belong to the home tenant.
        return access_ends(choices) and not facts.guest

    async def see(self, ctx: Ctx) -> Finding:
        task = await by_hand(ctx, "delete every entry under Authentication methods")
        return task or await super().see(ctx)

    async def listed(self, ctx: Ctx) -> Sequence[Item] | Task | Nothing:
        methods = order_of_removal(await read_methods(ctx.api, ctx.account.id))
        stuck = [method for method in methods if not removable(method.kind)]
        if methods and len(stuck) == len(methods):
            return Task(
                reason="Graph v1.0 cannot delete these methods",
                instructions=(
                    f"In https://entra.microsoft.com, Users > {ctx.account.name} > Authentication methods, "
                    f"delete: {', '.join(method.title for method in stuck)}."
                ),
            )
        return [
            Item(key=method.id, title=method.title, before={"kind": method.kind, "title": method.title})
            for method in methods
        ]

    async def remove(self, ctx: Ctx, item: Item) -> None:
        await delete_method(ctx.api, ctx.account.id, item.key, str(item.before.get("kind", "")), self.permissions)

    async def keys(self, ctx: Ctx) -> frozenset[str]:
        return frozenset(method.id for method in await read_methods(ctx.api, ctx.account.id))


def _moved(value: object, before: object, earliest: datetime) -> datetime | None:
    """The time read, if it is this intent's doing: past what stood there, and no earlier than that."""
    now, then = moment(value), moment(before)
    if now is None or (then is not None and now <= then):
        return None
    return now if now >= earliest else None
