"""What is read once per plan: the leaver's contact, what hangs on it, their devices, the lines they are counted in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import date, datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from connectors.connectwise.agreements import Line, labelled, read_agreements, read_lines
from connectors.connectwise.client import VENDOR, ConnectWiseApi
from connectors.connectwise.conditions import equals
from connectors.connectwise.people import contact_id, full_name, mail_of, read_company, read_contact
from connectors.connectwise.records import Record, flag, number, rows, text
from connectors.contract import Account, Choices, Context, Read, Refused, VendorError

CONFIGURATIONS = "/company/configurations"
Told = TypeVar("Told")


class LeaversContact(BaseModel):
    """The leaver as the service desk knows them."""

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    mail: str = ""
    inactive: bool = False
    portal: bool = True
    """May sign in to the service desk's portal, as far as the contact's record says."""
    types: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """What the contact is for others: 'the company's default contact'."""


class Device(BaseModel):
    """A configuration of theirs: laptop, phone, dock."""

    model_config = ConfigDict(frozen=True)

    id: int
    title: str


class ConnectWiseFacts(BaseModel):
    """What ConnectWise knows about one leaver."""

    model_config = ConfigDict(frozen=True)

    company: str
    read_on: date
    contact: LeaversContact | None = None
    devices: tuple[Device, ...] = ()
    lines: tuple[Line, ...] = ()
    unread: tuple[str, ...] = ()
    """What could not be read, and why, as sentences."""
    held: tuple[str, ...] | None = None
    """Part numbers of the licences they hold; None where Microsoft 365 could not say."""
    mailboxes: tuple[str, ...] = ()
    """Those of them that carry a mailbox: one that stays shared may keep its licence."""
    distributor: bool | None = None
    """Whether a connected distributor knows the seats; None: not asked."""


Ctx = Context[ConnectWiseApi, ConnectWiseFacts]


def access_ends(choices: Choices) -> bool:
    """Whether they lose all access; only the answer 'partial' keeps some."""
    return choices.get("access") != "partial"


async def read_facts(api: ConnectWiseApi, account: Account) -> ConnectWiseFacts:
    """Everything, side by side. Contact and company must be readable; what else is refused is said."""
    unread: list[str] = []
    today = api.around.clock.now().date()

    async def told(what: str, reading: Awaitable[Told]) -> Told | None:
        try:
            return await reading
        except Refused as refused:
            unread.append(f"{what} could not be read. {refused}")
            return None

    async def lines(agreements: list[Record] | None) -> tuple[Line, ...]:
        if agreements is None:
            return ()
        return await told("Lines of the agreements", read_lines(api, today, agreements)) or ()

    contact = contact_id(account)
    company, record, agreements, devices = await asyncio.gather(
        read_company(api, afresh=True),
        read_contact(api, contact) if contact else _nobody(),
        told("Agreements", read_agreements(api)),
        told("Devices", read_devices(api, contact)),
    )
    if contact and record is None:
        raise Refused(VENDOR, "GET /company/contacts", f"the contact {account.name} is gone", "Find them again.")
    return ConnectWiseFacts(
        company=text(company, "name"),
        read_on=today,
        contact=_contact(record, roles_of(contact, record, company, agreements or [])) if record else None,
        devices=devices or (),
        lines=await lines(agreements) or labelled(api.settings.lines),
        unread=tuple(unread),
    )


async def complete_facts(facts: ConnectWiseFacts, read: Read) -> ConnectWiseFacts:
    """The facts with what other systems know: which licences the leaver holds, and whether seats can be asked for."""
    if not any(line.part_number for line in facts.lines):
        return facts
    (held, mailboxes), distributor = await asyncio.gather(_held(read), _distributor(read))
    return facts.model_copy(update={"held": held, "mailboxes": mailboxes, "distributor": distributor})


async def read_devices(api: ConnectWiseApi, contact: int) -> tuple[Device, ...]:
    """Their active configurations now."""
    if not contact:
        return ()
    found = await api.list(CONFIGURATIONS, equals("contact/id", contact))
    return tuple(
        Device(id=number(one, "id"), title=_device_title(one)) for one in found if one.get("activeFlag") is not False
    )


def roles_of(contact: int, record: Record | None, company: Record, agreements: list[Record]) -> tuple[str, ...]:
    """What breaks, or goes on under their name, if this contact is simply made inactive."""
    if record is None:
        return ()
    roles: list[str] = []
    if number(company, "defaultContact", "id") == contact or flag(record, "defaultFlag"):
        roles.append("the company's default contact: tickets without a contact get it")
    if number(company, "billingContact", "id") == contact or flag(record, "defaultBillingFlag"):
        roles.append("the company's billing contact: invoices go to it")
    for one in agreements:
        for name, words in (
            ("contact", "contact"),
            ("billToContact", "billing contact"),
            ("shipToContact", "receiver"),
        ):
            if number(one, name, "id") == contact:
                roles.append(f"{words} of the agreement {text(one, 'name')}")
    return tuple(roles)


def look_again_in(ctx: Ctx, since: datetime) -> float:
    """Seconds until the next read: eager at first."""
    age = (ctx.clock.now() - since).total_seconds()
    return 2.0 if age < 10 else 15.0 if age < 60 else 60.0


async def _nobody() -> None:
    return None


async def _held(read: Read) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Part numbers of what they hold, None where that can't be known now; and of what carries a mailbox."""
    try:
        told = (await read("microsoft365.held_licences")).get("licences")
    except (VendorError, LookupError):
        return None, ()
    listed = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    parts = {str(one.get("part_number") or "") for one in listed}
    # What Microsoft does not say of a licence may be a mailbox.
    carrying = {str(one.get("part_number") or "") for one in listed if one.get("carries_mailbox") is not False}
    return tuple(sorted(parts - {""})), tuple(sorted(carrying - {""}))


async def _distributor(read: Read) -> bool:
    """Whether one is connected; that it does not answer just now says nothing against it."""
    try:
        await read("pax8.seats")
    except (Refused, LookupError):
        return False
    except VendorError:
        return True
    return True


def _contact(record: Record, roles: tuple[str, ...]) -> LeaversContact:
    return LeaversContact(
        id=number(record, "id"),
        name=full_name(record),
        mail=mail_of(record),
        inactive=flag(record, "inactiveFlag"),
        portal=not flag(record, "disablePortalLoginFlag"),
        types=tuple(text(one, "name") for one in rows(record, "types")),
        roles=roles,
    )


def _device_title(record: Record) -> str:
    kind, serial, tag = text(record, "type", "name"), text(record, "serialNumber"), text(record, "tagNumber")
    told = [kind, f"serial {serial}" if serial else "", f"tag {tag}" if tag else ""]
    return f"{text(record, 'name')} ({', '.join(one for one in told if one)})" if any(told) else text(record, "name")
