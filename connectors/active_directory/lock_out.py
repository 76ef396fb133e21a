"""The lock-out in the domain: the account, its password, and the computers that are theirs."""

from __future__ import annotations

from datetime import timedelta

from connectors.active_directory.client import Domain
from connectors.active_directory.control import RIGHT as WRITE_CONTROL
from connectors.active_directory.control import control_of, is_disabled, turn_off, turn_on
from connectors.active_directory.facts import ActiveDirectoryFacts, computers_of, read_computer, spared
from connectors.active_directory.filters import guid_text, moment
from connectors.active_directory.guards import CLOCKS_APART, DELETED, Ctx, by_hand, look_again_in, read_account
from connectors.active_directory.refusals import CONSTRAINT, UNWILLING, Meanings
from connectors.active_directory.wire import Entry, Session
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
    Todo,
    Unreadable,
    VendorError,
    Waiting,
    Wave,
)

RESET_RIGHT = "Reset password"
_REPLICATION = timedelta(minutes=15)
_REFUSED_PASSWORD: Meanings = {
    CONSTRAINT: (
        "the domain's password policy, or a password filter, does not take a random password of ours",
        "Reset it by hand, twice, to a long random password that you do not keep.",
    ),
    UNWILLING: (
        "the server will not set passwords over this connection",
        "Check that it is a writable domain controller and that its LDAPS is healthy, then retry.",
    ),
}


class Disable(Step[Domain, ActiveDirectoryFacts]):
    """Turn the domain account off at every controller we know, leaving every other flag as it is."""

    id = "active_directory.disable"
    title = "Disable the domain account"
    wave = Wave.LOCK_OUT
    lag = _REPLICATION
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-2(3)")
    permissions = (WRITE_CONTROL,)
    immediate = True

    async def look(self, ctx: Ctx) -> Finding:
        seen, silent = await _everywhere(ctx)
        if not seen:
            return Nothing(DELETED)
        if task := by_hand(ctx, next(iter(seen.values()))):
            return task
        enabled = [entry for entry in seen.values() if not is_disabled(entry)]
        if not enabled:
            return Nothing(f"it is disabled already: {_evidence(seen, silent)}")
        before = {"userAccountControl": control_of(enabled[0]), "enabled": True}
        return Todo((Item(key="account", title="Domain account", before={**before}),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        """At every listed server at once: until replication gets there, a far one would let them in."""

        def act(session: Session) -> None:
            if (entry := read_account(session, ctx)) is not None:
                turn_off(session, entry)

        told = await ctx.api.write_each(act)
        failures = [failed for failed in told.values() if isinstance(failed, VendorError)]
        if len(failures) == len(told):
            raise failures[0]
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        seen, silent = await _everywhere(ctx)
        if not seen:
            return Done(DELETED)
        if still := [server for server, entry in seen.items() if not is_disabled(entry)]:
            return Waiting(look_again_in(ctx, intent.at), f"{', '.join(still)} still shows the account enabled")
        return Done(f"disabled: {_evidence(seen, silent)}")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        if item.before.get("enabled") is not True:
            return Done("it was disabled before the offboarding, so it stays disabled")

        def undo(session: Session) -> Outcome:
            entry = read_account(session, ctx)
            if entry is None:
                return Waiting(20, "the account is not there to be enabled")
            turn_on(session, entry)
            entry = read_account(session, ctx)
            if entry is None or is_disabled(entry):
                return Waiting(2, f"{session.server} does not show the account enabled yet")
            return Done(f"enabled again: userAccountControl {control_of(entry)}, read on {session.server}")

        return await ctx.api.write(undo)


class ResetPassword(Step[Domain, ActiveDirectoryFacts]):
    """Set a random password twice that nobody knows.

    Twice, because a domain keeps the last password's hash for a while, and a hash is as good as the
    password (Microsoft, "Revoke user access in Microsoft Entra ID", read 2026-11).
    """

    id = "active_directory.reset_password"
    title = "Reset the domain password twice"
    wave = Wave.LOCK_OUT
    lag = _REPLICATION
    controls = ("CIS 6.2", "NIST PS-4", "NIST IA-5")
    permissions = (RESET_RIGHT,)
    immediate = True

    async def look(self, ctx: Ctx) -> Finding:
        def look(session: Session) -> Finding:
            entry = read_account(session, ctx, "pwdLastSet")
            if entry is None:
                return Nothing(DELETED)
            if task := by_hand(ctx, entry):
                return task
            before = {"pwdLastSet": entry.number("pwdLastSet")}
            return Todo((Item(key="password", title="Domain password", before={**before}),))

        return await ctx.api.read(look)

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        def act(session: Session) -> str:
            entry = read_account(session, ctx)
            if entry is None:
                return ""
            for _ in range(2):
                # Quoted, UTF-16 (MS-ADTS 3.1.1.3.1.5.1).
                password = f'"{ctx.api.around.password()}"'.encode("utf-16-le")
                changes = {"unicodePwd": (("replace", (password,)),)}
                session.change(entry.dn, changes, right=RESET_RIGHT, means=_REFUSED_PASSWORD)
            entry = read_account(session, ctx, "pwdLastSet")
            return entry.text("pwdLastSet") if entry else ""

        return Accepted(await ctx.api.write(act))

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        """`reference` is pwdLastSet as it stood after the second time; without it, it must have moved since."""

        def confirm(session: Session) -> Outcome:
            entry = read_account(session, ctx, "pwdLastSet")
            if entry is None:
                return Done(DELETED)
            now = entry.number("pwdLastSet")
            if now is None:
                return Unreadable("the bot's account may not read pwdLastSet")
            changed, before = moment(now), item.before.get("pwdLastSet")
            moved = not isinstance(before, int) or now > before
            if changed is None or not moved or changed < intent.at - CLOCKS_APART or now < _ticks(reference):
                return Waiting(look_again_in(ctx, intent.at), f"{session.server} does not show the new password yet")
            how = "set twice" if reference else "changed (whether twice can't be read)"
            return Done(f"password {how}, last at {changed:%Y-%m-%d %H:%M:%S} UTC, read on {session.server}")

        return await ctx.api.read(confirm)


class DisableComputers(Step[Domain, ActiveDirectoryFacts]):
    """Turn off the domain accounts of the computers that are theirs: nobody signs in to the domain from them."""

    id = "active_directory.disable_computers"
    title = "Disable their computers in the domain"
    wave = Wave.LOCK_OUT
    after = (Disable.id, ResetPassword.id)
    lag = _REPLICATION
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-2(3)")
    permissions = (f"{WRITE_CONTROL} (computers)",)

    def wanted(self, choices: Choices, facts: ActiveDirectoryFacts) -> bool:
        return any(not computer.spared for computer in facts.computers)

    async def look(self, ctx: Ctx) -> Finding:
        def look(session: Session) -> Finding:
            entry = read_account(session, ctx)
            if entry is None:
                return Nothing(DELETED)
            if task := by_hand(ctx, entry):
                return task
            found = computers_of(session, entry.dn)
            items = [
                Item(
                    key=guid_text(computer.raw("objectGUID") or b""),
                    title=computer.text("cn"),
                    before={"userAccountControl": control_of(computer), "enabled": True},
                )
                for computer in found
                if not spared(computer) and not is_disabled(computer)
            ]
            return Todo(tuple(items)) if items else Nothing("no computer of theirs is enabled in the domain")

        return await ctx.api.read(look)

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        def act(session: Session) -> None:
            computer = read_computer(session, item.key)
            # It may have been handed to somebody else since: then it is theirs to work with.
            if computer is not None and not spared(computer) and _is_theirs(session, ctx, computer.text("managedBy")):
                turn_off(session, computer)

        await ctx.api.write(act)
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        def confirm(session: Session) -> Outcome:
            computer = read_computer(session, item.key)
            if computer is None:
                return Done(f"{item.title} does not exist in the domain any more")
            if is_disabled(computer):
                return Done(f"{item.title} disabled: userAccountControl {control_of(computer)}, on {session.server}")
            if not _is_theirs(session, ctx, computer.text("managedBy")):
                return Done(f"{item.title} is somebody else's by now, so it stays enabled")
            return Waiting(look_again_in(ctx, intent.at), f"{session.server} still shows {item.title} enabled")

        return await ctx.api.read(confirm)

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        def undo(session: Session) -> Outcome:
            computer = read_computer(session, item.key)
            if computer is None:
                return Waiting(20, f"{item.title} is not there to be enabled")
            turn_on(session, computer)
            computer = read_computer(session, item.key)
            if computer is None or is_disabled(computer):
                return Waiting(2, f"{session.server} does not show {item.title} enabled yet")
            return Done(f"{item.title} enabled again")

        return await ctx.api.write(undo)


async def _everywhere(ctx: Ctx) -> tuple[dict[str, Entry], list[str]]:
    """The account at each server that has it, and the servers that gave no answer. Raises when none gave one."""
    told = await ctx.api.read_each(lambda session: read_account(session, ctx))
    failures = {server: failed for server, failed in told.items() if isinstance(failed, VendorError)}
    if len(failures) == len(told):
        raise next(iter(failures.values()))
    return {server: entry for server, entry in told.items() if isinstance(entry, Entry)}, [*failures]


def _evidence(seen: dict[str, Entry], silent: list[str]) -> str:
    values = ", ".join(f"{control_of(entry)} on {server}" for server, entry in seen.items())
    unread = f"; not read on {', '.join(silent)}, which gave no answer" if silent else ""
    return f"userAccountControl {values}{unread}"


def _is_theirs(session: Session, ctx: Ctx, managed_by: str) -> bool:
    entry = read_account(session, ctx)
    return entry is not None and entry.dn.casefold() == managed_by.casefold()


def _ticks(reference: str) -> int:
    return int(reference) if reference.isdigit() else 0
