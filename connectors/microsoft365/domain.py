"""Accounts mastered by an on-premises domain: the domain account by hand, and whether the block survives a sync."""

from __future__ import annotations

from datetime import timedelta

from connectors.contract import (
    Accepted,
    Choices,
    Done,
    Failed,
    Finding,
    Intent,
    Item,
    Nothing,
    Outcome,
    Task,
    Todo,
    Waiting,
    Wave,
)
from connectors.microsoft365.facts import Microsoft365Facts, moment
from connectors.microsoft365.guards import Ctx
from connectors.microsoft365.shapes import DELETED, Change, PersonsTask, access_ends, read_user
from connectors.microsoft365.steps import BlockSignIn

DOMAIN = "active_directory"
"""The system that knows domain accounts; ours stand in for it where it is not connected."""
_LOOK_EVERY = 60.0


class DomainAccount(PersonsTask):
    """A synced account is decided in the domain: somebody must disable it there."""

    id = "microsoft365.domain_account"
    title = "Disable the domain account"
    wave = Wave.LOCK_OUT
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-2(3)")
    stands_in_for = DOMAIN

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return access_ends(choices) and facts.synced

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


class CheckAfterSync(Change):
    """Wait for the next sync and read whether the account is still blocked: only then does the block last."""

    id = "microsoft365.check_after_sync"
    title = "Check the block after the next sync"
    wave = Wave.LOCK_OUT
    after = (f"{DOMAIN}.disable", DomainAccount.id, BlockSignIn.id)
    # Every 30 minutes by default (Entra Connect); three hours forgive a few that failed.
    lag = timedelta(hours=3)
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-2(3)")
    permissions = ("User.Read.All",)

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return access_ends(choices) and facts.synced

    async def see(self, ctx: Ctx) -> Finding:
        user = await read_user(ctx, "onPremisesLastSyncDateTime")
        if user is None:
            return Nothing(DELETED)
        before = {"onPremisesLastSyncDateTime": user.get("onPremisesLastSyncDateTime")}
        return Todo((Item(key="sync", title="The next sync", before=before),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        # A retry after a failure waits for a sync of its own.
        return Accepted(ctx.clock.now().isoformat())

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        user = await read_user(ctx, "onPremisesLastSyncDateTime", "accountEnabled")
        if user is None:
            return Done(DELETED)
        synced = moment(user.get("onPremisesLastSyncDateTime"))
        if synced is None or synced <= (moment(reference) or intent.at):
            seen = f"{synced:%Y-%m-%d %H:%M} UTC" if synced else "never"
            return Waiting(_LOOK_EVERY, f"the last sync seen was {seen}, before the domain account was dealt with")
        if user.get("accountEnabled") is not False:
            return Failed(
                f"the sync of {synced:%Y-%m-%d %H:%M} UTC turned the account on again: the domain account is still "
                "enabled. Disable it there, block sign-in once more, then retry."
            )
        return Done(f"still blocked after the sync of {synced:%Y-%m-%d %H:%M} UTC")
