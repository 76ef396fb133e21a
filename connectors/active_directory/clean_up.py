"""After the lock-out: the groups they are in, and the address lists they stand in."""

from __future__ import annotations

from datetime import timedelta

from connectors.active_directory.client import Domain
from connectors.active_directory.facts import HIDE, ActiveDirectoryFacts, direct_groups, has_exchange, primary_group
from connectors.active_directory.filters import by_guid, equals, guid_text, sid_text
from connectors.active_directory.guards import DELETED, Ctx, by_hand, look_again_in, read_account
from connectors.active_directory.lock_out import Disable, ResetPassword
from connectors.active_directory.refusals import (
    ALREADY_THERE,
    ENTRY_EXISTS,
    NO_SUCH_ATTRIBUTE,
    NO_SUCH_OBJECT,
    UNWILLING,
    VENDOR,
    is_code,
)
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
    Refused,
    Step,
    Task,
    Todo,
    Waiting,
    Wave,
)

WRITE_MEMBER = "Write member"
WRITE_HIDE = f"Write {HIDE}"
_REPLICATION = timedelta(minutes=15)


class LeaveGroups(Step[Domain, ActiveDirectoryFacts]):
    """Take them out of every group but the primary one, which every account must have."""

    id = "active_directory.leave_groups"
    title = "Leave the domain's groups"
    wave = Wave.CLEAN_UP
    # A synced group can carry the licence their mailbox lives on; the mailbox is seen to first.
    after = (Disable.id, ResetPassword.id, "exchange.hold", "exchange.convert_to_shared")
    lag = _REPLICATION
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-2(3)")
    permissions = (WRITE_MEMBER,)

    def wanted(self, choices: Choices, facts: ActiveDirectoryFacts) -> bool:
        return choices.get("access") in {"everything", "partial"}

    async def look(self, ctx: Ctx) -> Finding:
        def look(session: Session) -> Finding:
            entry = read_account(session, ctx, "primaryGroupID")
            if entry is None:
                return Nothing(DELETED)
            if task := by_hand(ctx, entry):
                return task
            groups = direct_groups(session, entry.dn)
            if not groups:
                primary = primary_group(session, entry)
                stays = f"; {primary.text('cn')} stays: it is the primary group" if primary else ""
                return Nothing(f"no group has them as a member{stays}")
            if ctx.choices.get("access") == "partial":
                return _what_stays(ctx, [group.text("cn") for group in groups])
            return Todo(tuple(_item(group) for group in groups))

        return await ctx.api.read(look)

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await _mailbox_is_safe(ctx, item)

        def act(session: Session) -> None:
            entry, group = read_account(session, ctx), session.one(by_guid(item.key), ("cn",))
            if entry is None or group is None:
                return
            try:
                session.change(group.dn, {"member": (("delete", (entry.dn,)),)}, right=WRITE_MEMBER)
            except Refused as refused:
                # 'Already gone' and 'will not' share these codes; only the group itself tells which it was.
                if not is_code(refused, UNWILLING, NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT):
                    raise
                if _is_member(session, group.dn, entry.dn):
                    raise

        await ctx.api.write(act)
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        def confirm(session: Session) -> Outcome:
            entry, group = read_account(session, ctx), session.one(by_guid(item.key), ("cn",))
            if entry is None:
                return Done(DELETED)
            if group is None:
                return Done(f"the group {item.title} does not exist any more")
            if _is_member(session, group.dn, entry.dn):
                return Waiting(look_again_in(ctx, intent.at), f"{session.server} still lists them in {item.title}")
            return Done(f"not a member of {item.title} any more, read on {session.server}")

        return await ctx.api.read(confirm)

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        def undo(session: Session) -> Outcome:
            entry, group = read_account(session, ctx), session.one(by_guid(item.key), ("cn",))
            if entry is None or group is None:
                return Waiting(20, f"the account or the group {item.title} is not there any more")
            try:
                session.change(group.dn, {"member": (("add", (entry.dn,)),)}, right=WRITE_MEMBER)
            except Refused as refused:
                if not is_code(refused, ALREADY_THERE, ENTRY_EXISTS):
                    raise
            if _is_member(session, group.dn, entry.dn):
                return Done(f"a member of {item.title} again")
            return Waiting(2, f"{session.server} does not list them in {item.title} yet")

        return await ctx.api.write(undo)


class HideFromAddressLists(Step[Domain, ActiveDirectoryFacts]):
    """Hide them from Exchange's address lists, where the domain is what decides that."""

    id = "active_directory.hide_from_address_lists"
    title = "Hide from the address lists"
    wave = Wave.CLEAN_UP
    after = (Disable.id,)
    lag = _REPLICATION
    controls = ("NIST PS-4", "NIST AC-2(3)")
    permissions = (WRITE_HIDE,)

    def wanted(self, choices: Choices, facts: ActiveDirectoryFacts) -> bool:
        return choices.get("access") == "everything"

    async def look(self, ctx: Ctx) -> Finding:
        def look(session: Session) -> Finding:
            if not has_exchange(session):
                return Nothing(f"the domain has no Exchange schema, so there is no {HIDE} to set")
            entry = read_account(session, ctx, HIDE, "mailNickname")
            if entry is None:
                return Nothing(DELETED)
            if task := by_hand(ctx, entry):
                return task
            stands = entry.text(HIDE)
            if stands == "TRUE":
                return Nothing(f"{HIDE} is TRUE already")
            return Todo((Item(key="address lists", title="Address lists", before={HIDE: stands}),))

        return await ctx.api.read(look)

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await ctx.api.write(lambda session: self._set(session, ctx, "TRUE"))
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        def confirm(session: Session) -> Outcome:
            entry = read_account(session, ctx, HIDE, "mailNickname")
            if entry is None:
                return Done(DELETED)
            if entry.text(HIDE) != "TRUE":
                return Waiting(look_again_in(ctx, intent.at), f"{session.server} does not show them hidden yet")
            # Entra Connect passes it on only where mailNickname has a value (quirk, README).
            lost = "" if entry.text("mailNickname") else "; mailNickname is empty, so the sync may not pass it on"
            return Done(f"{HIDE} read as TRUE on {session.server}{lost}")

        return await ctx.api.read(confirm)

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        stood = str(item.before.get(HIDE) or "")

        def undo(session: Session) -> Outcome:
            self._set(session, ctx, stood)
            entry = read_account(session, ctx, HIDE)
            if entry is not None and entry.text(HIDE) == stood:
                return Done(f"{HIDE} is {stood or 'not set'} again")
            return Waiting(2, f"{session.server} does not show them in the address lists yet")

        return await ctx.api.write(undo)

    def _set(self, session: Session, ctx: Ctx, value: str) -> None:
        if (entry := read_account(session, ctx)) is not None:
            values = (value,) if value else ()
            session.change(entry.dn, {HIDE: (("replace", values),)}, right=WRITE_HIDE)


def _is_member(session: Session, group: str, dn: str) -> bool:
    return session.one(group, ("cn",), only=equals("member", dn)) is not None


def _what_stays(ctx: Ctx, groups: list[str]) -> Task:
    stays = ctx.choices.get("access.stays", "") or "nobody has said what"
    return Task(
        reason=f"part of their access is to stay ({stays}), and only a person can tell which groups that takes",
        instructions=(
            f"In Active Directory Users and Computers, take {ctx.facts.sam_account_name} out of every group that this "
            f"does not need. They are in: {', '.join(groups)}."
        ),
    )


def _item(group: Entry) -> Item:
    sid = sid_text(group.raw("objectSid") or b"")
    return Item(
        key=guid_text(group.raw("objectGUID") or b""), title=group.text("cn"), before={"dn": group.dn, "sid": sid}
    )


async def _mailbox_is_safe(ctx: Ctx, item: Item) -> None:
    """A synced group may carry their licence: without it, a mailbox that is not shared yet is deleted after 30 days."""
    if ctx.choices.get("mailbox") not in ("shared", "shared licensed"):
        return
    mailbox = await ctx.read("exchange.mailbox")
    if mailbox.get("exists") is not True or str(mailbox.get("type", "")).casefold().startswith("shared"):
        return
    giving = (await ctx.read("microsoft365.licence_groups")).get("groups")
    for group in giving if isinstance(giving, list) else ():
        # One that the directory shows without its SID is known by its name alone.
        if isinstance(group, dict) and (group["sid"] or group["name"]) in (item.before.get("sid"), item.title):
            raise Refused(
                VENDOR,
                f"leave {item.title}",
                "their mailbox is to become shared and is not yet; this group gives the licence it lives on",
                "Convert the mailbox first, then retry.",
            )
