"""What the questions and steps need to know about one mailbox, read side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from connectors.contract import Account, Context, Json, Unreachable
from connectors.exchange.addresses import accepted_domains, outside, outsider, read_recipient
from connectors.exchange.client import VENDOR, CmdletRefused, ExchangeApi, flag, text, texts
from connectors.exchange.devices import Device, read_devices
from connectors.exchange.groups import Group, read_memberships, read_owned
from connectors.exchange.mailboxes import ACTIVE, USER, Mailbox, read_mailbox, read_size, whereabouts
from connectors.exchange.meetings import read_meetings
from connectors.exchange.protocols import read_protocols
from connectors.exchange.rules import Rule, read_rules
from connectors.http import RefusedWith

Read = TypeVar("Read")
NO_MAILBOX = "there is no active mailbox any more"
_OURSELVES = "nt authority\\self"


class ExchangeFacts(BaseModel):
    """One mailbox as it was read for a plan."""

    model_config = ConfigDict(frozen=True)

    mailbox: Mailbox
    size_bytes: int | None = None
    """Everything in it, archive not counted; None when it could not be read."""
    forwards_to: str = ""
    """Where its mail is forwarded, whoever set that; empty: nowhere."""
    forwards_outside: bool = False
    protocols: dict[str, bool | None] = {}
    """Ways of reaching the mailbox, as Exchange names its switches; None follows the organisation."""
    devices: tuple[Device, ...] = ()
    rules: tuple[Rule, ...] = ()
    groups: tuple[Group, ...] = ()
    """Distribution lists and mail-enabled security groups they are in."""
    owned: tuple[Group, ...] = ()
    delegates: tuple[str, ...] = ()
    """Who else may open the mailbox."""
    meetings: tuple[str, ...] = ()
    """Coming meetings they organise, as Exchange describes each."""
    meetings_unknown: bool = False
    domains: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """What could not be read, and why, as sentences."""

    @property
    def active(self) -> bool:
        """Whether there is a mailbox in Exchange Online to work on."""
        return self.mailbox.state == ACTIVE

    @property
    def personal(self) -> bool:
        """Whether it is a person's own, rather than a shared one, a room or equipment."""
        return self.active and self.mailbox.kind == USER


Ctx = Context[ExchangeApi, ExchangeFacts]


async def find_mailbox(api: ExchangeApi, leaver: Account) -> list[Account]:
    """The mailbox of the directory's account, or what became of it; none when there never was one."""
    mailbox = await read_mailbox(api, leaver.id, leaver.user_name) or await whereabouts(api, leaver.id)
    if mailbox is None:
        return []
    return [
        Account(
            system=VENDOR,
            id=mailbox.id,
            name=mailbox.name,
            mail=mailbox.mail,
            user_name=mailbox.user_name,
            matched_by="mailbox of the same directory account",
        )
    ]


async def read_facts(api: ExchangeApi, account: Account) -> ExchangeFacts:
    """Everything, side by side. What Exchange refuses to tell is noted as unknown; other surprises are raised."""
    mailbox = await read_mailbox(api, account.id, account.user_name) or await whereabouts(api, account.id)
    if mailbox is None:
        raise CmdletRefused(
            "Get-Mailbox", f"there is no mailbox for {account.name} any more", "Find them again.", 404, ""
        )
    if mailbox.state != ACTIVE:
        return ExchangeFacts(mailbox=mailbox)
    try:
        return await _read(api, mailbox)
    except BaseExceptionGroup as several:
        # Side by side, one cause fails several reads: the first tells it.
        raise several.exceptions[0] from None


async def mailbox_now(ctx: Ctx) -> Mailbox | None:
    """The active mailbox, read afresh; None when there is none."""
    return await read_mailbox(ctx.api, ctx.account.id, ctx.facts.mailbox.user_name)


async def gone(ctx: Ctx) -> str:
    """Evidence that the mailbox is gone, read from where Exchange keeps those that are.

    Raises Unreachable when it is neither there nor gone: a server that lags behind knows nothing of a mailbox
    for a while, and that must not pass for an ended access.
    """
    left = await whereabouts(ctx.api, ctx.account.id)
    if left is None:
        raise Unreachable(VENDOR, "Get-Mailbox", "shows their mailbox neither as active nor as deleted")
    return f"{NO_MAILBOX}: it reads as {left.state}"


def look_again_in(ctx: Ctx, since: datetime) -> float:
    """Seconds until the next read: eager at first, then politely, since Exchange counts in minutes."""
    age = (ctx.clock.now() - since).total_seconds()
    return 2.0 if age < 10 else 15.0 if age < 120 else 60.0


async def _read(api: ExchangeApi, mailbox: Mailbox) -> ExchangeFacts:
    unknown: list[str] = []

    async def told(what: str, reading: Awaitable[Read]) -> Read | None:
        try:
            return await reading
        except RefusedWith as refused:
            unknown.append(f"Could not read {what}: {refused.message}.")
            return None

    anchor = mailbox.user_name
    async with asyncio.TaskGroup() as side_by_side:
        start = side_by_side.create_task
        size = start(told("the mailbox's size", read_size(api, mailbox)))
        reading_domains = start(told("the client's own domains", accepted_domains(api)))
        protocols = start(told("ways into the mailbox", read_protocols(api, mailbox)))
        devices = start(told("mobile devices", read_devices(api, mailbox.id, anchor)))
        groups = start(told("distribution groups", read_memberships(api, mailbox.distinguished_name)))
        owned = start(told("owned distribution groups", read_owned(api, mailbox.distinguished_name)))
        delegates = start(told("who else may open the mailbox", _delegates(api, mailbox)))
        if mailbox.kind == USER:
            meetings = start(told("meetings they organise", _in_time(api, read_meetings(api, mailbox))))
        else:
            meetings = start(told("", _none()))
    domains = reading_domains.result()
    async with asyncio.TaskGroup() as side_by_side:
        rules = side_by_side.create_task(told("inbox rules", read_rules(api, mailbox.id, anchor, domains)))
        forward = side_by_side.create_task(told("whom mail is forwarded to", forwarding(api, mailbox, domains)))
    goes_to, leaves = forward.result() or (mailbox.forwarding_smtp or mailbox.forwarding_address, True)
    return ExchangeFacts(
        mailbox=mailbox,
        size_bytes=size.result(),
        forwards_to=goes_to,
        forwards_outside=bool(goes_to) and leaves,
        protocols=protocols.result() or {},
        devices=devices.result() or (),
        rules=rules.result() or (),
        groups=groups.result() or (),
        owned=owned.result() or (),
        delegates=delegates.result() or (),
        meetings=meetings.result() or (),
        meetings_unknown=meetings.result() is None,
        domains=tuple(sorted(domains or ())),
        unknown=tuple(unknown),
    )


async def forwarding(api: ExchangeApi, mailbox: Mailbox, domains: frozenset[str] | None) -> tuple[str, bool]:
    """Where the mailbox's mail is forwarded, and whether any of that leaves the client.

    With both kinds set, Exchange ignores the plain address; it counts all the same, since it takes effect as
    soon as the other is cleared.
    """
    places: list[tuple[str, bool]] = []
    if mailbox.forwarding_address:
        recipient = await read_recipient(api, mailbox.forwarding_address)
        name = recipient.mail if recipient and recipient.mail else mailbox.forwarding_address
        places.append((name, outsider(recipient, domains)))
    if mailbox.forwarding_smtp:
        places.append((mailbox.forwarding_smtp, outside(mailbox.forwarding_smtp, domains)))
    return " and ".join(name for name, _ in places), any(leaves for _, leaves in places)


async def _delegates(api: ExchangeApi, mailbox: Mailbox) -> tuple[str, ...]:
    found = await api.invoke("Get-MailboxPermission", anchor=mailbox.user_name, Identity=mailbox.id)
    return tuple(
        text(one, "User")
        for one in found
        if "FullAccess" in texts(one, "AccessRights")
        and not flag(one, "IsInherited")
        and not flag(one, "Deny")
        and text(one, "User").casefold() not in ("", _OURSELVES)
    )


async def _in_time(api: ExchangeApi, reading: Awaitable[Read]) -> Read:
    """A lock-out is planned from these facts, and a full calendar takes Exchange long to go through."""
    seconds = api.settings.patience / 2
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError:
        raise CmdletRefused("Remove-CalendarEvents", f"no answer within {seconds:g} s", "", 0, "") from None


async def _none() -> tuple[str, ...]:
    return ()


def brief(mailbox: Mailbox | None, size: int | None) -> Json:
    """The read 'exchange.mailbox': what other systems' steps may ask."""
    if mailbox is None:
        return {"exists": False, "type": "", "size_bytes": None, "archive": False, "hold": False}
    return {
        "exists": mailbox.state == ACTIVE,
        "type": mailbox.kind if mailbox.state == ACTIVE else mailbox.state,
        "size_bytes": size,
        "archive": mailbox.archive,
        "hold": mailbox.held,
    }
