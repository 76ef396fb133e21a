"""What every step asks first: the account as it is now, and whether we may touch it."""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.active_directory.client import Domain
from connectors.active_directory.facts import ActiveDirectoryFacts
from connectors.active_directory.filters import by_guid
from connectors.active_directory.protection import GUARDED, untouchable
from connectors.active_directory.wire import Entry, Session
from connectors.contract import Context, Task

Ctx = Context[Domain, ActiveDirectoryFacts]

CLOCKS_APART = timedelta(minutes=5)
"""How far the domain's clock and ours may differ: Kerberos allows no more by default."""
DELETED = "the account does not exist any more (deleted)"


def by_hand(ctx: Ctx, entry: Entry) -> Task | None:
    """A task in place of touching an account that is protected."""
    why = untouchable(ctx.api.settings, entry)
    if not why:
        return None
    return Task(
        reason=f"{ctx.account.name} is protected: {why}",
        instructions=(
            f"The bot never touches {entry.text('sAMAccountName') or ctx.account.user_name}. Find out why it is being "
            "offboarded. If it is right, make sure that nothing depends on it, then end it by hand in Active Directory "
            "Users and Computers."
        ),
    )


def read_account(session: Session, ctx: Ctx, *attributes: str) -> Entry | None:
    """The leaver's account afresh, wherever it lies now; None when it does not exist."""
    return session.one(by_guid(ctx.account.id), (*GUARDED, *attributes))


def look_again_in(ctx: Ctx, since: datetime) -> float:
    """Seconds until the next read: eager at first; then at the pace of replication."""
    age = (ctx.clock.now() - since).total_seconds()
    return 1.0 if age < 10 else 5.0 if age < 60 else 20.0
