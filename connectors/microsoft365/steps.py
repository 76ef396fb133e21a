"""The lock-out at Microsoft 365: block, sessions, password, sign-in methods, and the domain account by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

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
    Step,
    Task,
    TaskStep,
    Todo,
    Waiting,
    Wave,
)
from connectors.http import RefusedWith
from connectors.microsoft365.client import VENDOR, Graph, is_gone, refused_as, set_enabled, set_password
from connectors.microsoft365.facts import Microsoft365Facts, moment
from connectors.microsoft365.guards import (
    CLOCKS_APART,
    Ctx,
    by_hand,
    emergency_account,
    look_again_in,
)
from connectors.microsoft365.methods import delete_method, order_of_removal, read_methods, removable

SEND_AFTER = 3.0
"""Seconds between meaning the second revocation and sending it."""
_DELETED = "the account does not exist any more (deleted; it can be restored for 30 days)"


class BlockSignIn(Step[Graph, Microsoft365Facts]):
    """Turn the account off: no new sign-in. Undone by turning it on again."""

    id = "microsoft365.block_sign_in"
    title = "Block sign-in"
    wave = Wave.LOCK_OUT
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-2(3)")
    permissions = ("User.EnableDisableAccount.All", "User.Read.All")
    immediate = True

    async def look(self, ctx: Ctx) -> Finding:
        if task := by_hand(ctx, "block sign-in under Account status"):
            return task
        user = await _user(ctx, "accountEnabled", "onPremisesSyncEnabled")
        if user is None:
            return Nothing(_DELETED)
        enabled, synced = user.get("accountEnabled") is True, user.get("onPremisesSyncEnabled") is True
        if not enabled and not synced:
            return Nothing("accountEnabled is already false")
        return Todo((Item(key="sign-in", title="Sign-in", before={"accountEnabled": enabled}),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await set_enabled(ctx.api, ctx.account.id, self.permissions, enabled=False)
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        user = await _user(ctx, "accountEnabled")
        if user is None:
            return Done(_DELETED)
        if user.get("accountEnabled") is not False:
            return Waiting(look_again_in(ctx, intent.at), "Graph still shows the account enabled")
        if ctx.facts.synced:
            return Done(
                "accountEnabled read as false; the domain account decides: while that one is enabled, the "
                "next sync turns this one on again"
            )
        return Done("accountEnabled read as false")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        if item.before.get("accountEnabled") is not True:
            return Done("it was blocked before the offboarding, so it stays blocked")
        await set_enabled(ctx.api, ctx.account.id, self.permissions, enabled=True)
        user = await _user(ctx, "accountEnabled")
        if user is not None and user.get("accountEnabled") is True:
            return Done("accountEnabled read as true")
        return Waiting(2, "Graph does not show the account enabled yet")


class RevokeSessions(Step[Graph, Microsoft365Facts]):
    """End every open session at once: refresh tokens die, clients must sign in again."""

    id = "microsoft365.revoke_sessions"
    title = "End open sessions"
    wave = Wave.LOCK_OUT
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-12")
    permissions = ("User.RevokeSessions.All", "User.Read.All")
    immediate = True
    earliest: ClassVar[timedelta] = -CLOCKS_APART
    """How soon after the intent the new time must lie to be this step's doing."""

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        # A guest's sessions belong to the home tenant: revoking here has no effect (Graph documentation
        # of revokeSignInSessions, read 2026-11). The block is what keeps them out of this tenant.
        return not facts.guest

    async def look(self, ctx: Ctx) -> Finding:
        if forbidden := emergency_account(ctx):
            return forbidden
        user = await _user(ctx, "signInSessionsValidFromDateTime")
        if user is None:
            return Nothing(_DELETED)
        value = user.get("signInSessionsValidFromDateTime")
        before: Json = {"signInSessionsValidFromDateTime": value}
        return Todo((Item(key="sessions", title="Open sessions", before=before),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        info = ctx.api.user(ctx.account.id).revoke_sign_in_sessions.to_post_request_information()
        # The answer is always 200 and true, even when it failed (known issue): only the read-back counts.
        await ctx.api.write(info, self.permissions)
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        name = "signInSessionsValidFromDateTime"
        user = await _user(ctx, name)
        if user is None:
            return Done(_DELETED)
        valid_from = _moved(user.get(name), item.before.get(name), intent.at + self.earliest)
        if valid_from is None:
            return Waiting(look_again_in(ctx, intent.at), "Graph does not show the sessions ended yet")
        return Done(f"sessions are valid only from {valid_from:%Y-%m-%d %H:%M:%S} UTC on")


class ResetPassword(Step[Graph, Microsoft365Facts]):
    """Set a random password that nobody knows, so that the old one opens nothing (the mailbox included)."""

    id = "microsoft365.reset_password"
    title = "Reset the password"
    wave = Wave.LOCK_OUT
    controls = ("CIS 6.2", "NIST PS-4", "NIST IA-5")
    permissions = ("User-PasswordProfile.ReadWrite.All", "User.Read.All")
    immediate = True
    # The old password is gone for good, yet nothing is lost: a Temporary Access Pass lets a person set a
    # new one. So this is not called irreversible.

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        # These three have no password here that we could set.
        return not (facts.guest or facts.synced or facts.federated)

    async def look(self, ctx: Ctx) -> Finding:
        if task := by_hand(ctx, "reset the password to a long random one that you do not keep"):
            return task
        user = await _user(ctx, "lastPasswordChangeDateTime")
        if user is None:
            return Nothing(_DELETED)
        before: Json = {"lastPasswordChangeDateTime": user.get("lastPasswordChangeDateTime")}
        return Todo((Item(key="password", title="Password", before=before),))

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

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        name = "lastPasswordChangeDateTime"
        user = await _user(ctx, name)
        if user is None:
            return Done(_DELETED)
        changed = _moved(user.get(name), item.before.get(name), intent.at - CLOCKS_APART)
        if changed is None:
            return Waiting(look_again_in(ctx, intent.at), "Graph does not show the new password yet")
        return Done(f"the password was changed at {changed:%Y-%m-%d %H:%M:%S} UTC; nobody knows it")


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


class RemoveSignInMethods(Step[Graph, Microsoft365Facts]):
    """Remove phones, keys and apps, so that nobody can sign in or reset the password with them."""

    id = "microsoft365.remove_sign_in_methods"
    title = "Remove sign-in methods"
    wave = Wave.LOCK_OUT
    after = (BlockSignIn.id, ResetPassword.id)
    controls = ("CIS 6.2", "NIST PS-4", "NIST IA-5")
    permissions = ("UserAuthenticationMethod.ReadWrite.All",)
    irreversible = "Removed sign-in methods can't be put back: the person must register them again."

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        # A guest's methods belong to the home tenant.
        return not facts.guest

    async def look(self, ctx: Ctx) -> Finding:
        if task := by_hand(ctx, "delete every entry under Authentication methods"):
            return task
        try:
            methods = order_of_removal(await read_methods(ctx.api, ctx.account.id))
        except RefusedWith as refused:
            if is_gone(refused):
                return Nothing(_DELETED)
            raise
        if not methods:
            return Nothing("no sign-in method but the password is registered")
        stuck = [method for method in methods if not removable(method.kind)]
        if len(stuck) == len(methods):
            return Task(
                reason="Graph v1.0 cannot delete these methods",
                instructions=(
                    f"In https://entra.microsoft.com, Users > {ctx.account.name} > Authentication methods, "
                    f"delete: {', '.join(method.title for method in stuck)}."
                ),
            )
        return Todo(
            tuple(
                Item(key=method.id, title=method.title, before={"kind": method.kind, "title": method.title})
                for method in methods
            )
        )

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await delete_method(ctx.api, ctx.account.id, item.key, str(item.before.get("kind", "")), self.permissions)
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        try:
            methods = await read_methods(ctx.api, ctx.account.id)
        except RefusedWith as refused:
            if is_gone(refused):
                return Done(_DELETED)
            raise
        if any(method.id == item.key for method in methods):
            return Waiting(look_again_in(ctx, intent.at), f"Graph still lists {item.title}")
        return Done(f"{item.title} is not listed any more")


class DomainAccount(TaskStep[Graph, Microsoft365Facts]):
    """A synced account is decided in the domain: somebody must disable it there."""

    id = "microsoft365.domain_account"
    title = "Disable the domain account"
    wave = Wave.LOCK_OUT
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-2(3)")

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return facts.synced

    async def look(self, ctx: Ctx) -> Finding:
        return emergency_account(ctx) or self.task(ctx)

    def task(self, ctx: Ctx) -> Task:
        facts = ctx.facts
        named = facts.sam_account_name or ctx.account.user_name
        where = f" ({facts.distinguished_name})" if facts.distinguished_name else ""
        synced = f" Last sync seen: {facts.last_sync:%Y-%m-%d %H:%M} UTC." if facts.last_sync else ""
        return Task(
            reason=(
                "the account is synced from an on-premises domain; blocking it in Microsoft 365 alone is "
                f"undone by the next sync, within some 30 minutes.{synced}"
            ),
            instructions=(
                f"1. On a domain controller, disable the account {named}{where}. "
                "2. Reset its password to a random one, twice: once leaves the old hash usable. "
                "3. Do not move it out of the synced units: that deletes the cloud account. "
                "4. On the sync server run Start-ADSyncSyncCycle -PolicyType Delta. "
                "Kerberos tickets already issued open domain resources for up to 10 hours: sign the person "
                "off their computers and servers."
            ),
        )


STEPS: tuple[Step[Graph, Microsoft365Facts], ...] = (
    RevokeSessions(),
    BlockSignIn(),
    ResetPassword(),
    RevokeSessionsAgain(),
    RemoveSignInMethods(),
    DomainAccount(),
)


async def _user(ctx: Ctx, *fields: str) -> Json | None:
    """Those fields of the account, afresh; None when it does not exist."""
    try:
        return await ctx.api.read(ctx.api.user(ctx.account.id).to_get_request_information(), select=fields)
    except RefusedWith as refused:
        if is_gone(refused):
            return None
        raise


def _moved(value: object, before: object, earliest: datetime) -> datetime | None:
    """The time read, if it is this intent's doing: past what stood there, and no earlier than that."""
    now, then = moment(value), moment(before)
    if now is None or (then is not None and now <= then):
        return None
    return now if now >= earliest else None
