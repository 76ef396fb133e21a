"""What the demo page says about a person: everything they have in every system, a line for each kind of thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from bot.lab.companies import Companies
from connectors.active_directory import simulated_people as domain_people
from connectors.active_directory.filters import moment
from connectors.active_directory.simulated_people import SimulatedDomain
from connectors.exchange.simulated_mailboxes import GIGABYTE, SimulatedMailbox
from connectors.microsoft365.licences import Product
from connectors.microsoft365.roles import PRIVILEGED_ROLES
from connectors.microsoft365.simulated_people import Person, SignInMethod, Tenant
from connectors.microsoft365.simulated_things import Group

METHODS = {
    "phoneAuthenticationMethod": "Phone",
    "microsoftAuthenticatorAuthenticationMethod": "Authenticator",
    "fido2AuthenticationMethod": "Security key",
    "emailAuthenticationMethod": "E-mail",
    "softwareOathAuthenticationMethod": "One-time codes",
    "windowsHelloForBusinessAuthenticationMethod": "Windows Hello",
    "temporaryAccessPassAuthenticationMethod": "Temporary Access Pass",
}
PROTOCOLS = {
    "MAPIEnabled": "Outlook",
    "OWAEnabled": "web",
    "OutlookMobileEnabled": "mobile app",
    "OWAforDevicesEnabled": "mobile web",
    "ActiveSyncEnabled": "ActiveSync",
    "EwsEnabled": "EWS",
    "PopEnabled": "POP",
    "ImapEnabled": "IMAP",
}
KINDS = {"UserMailbox": "User mailbox", "SharedMailbox": "Shared mailbox", "RoomMailbox": "Room mailbox"}
_DISABLED = 2
"""The bit of userAccountControl."""


@dataclass(frozen=True)
class Trait:
    """One kind of thing about a person, and what of it they have now."""

    area: str
    """The system's heading it stands under."""
    name: str
    values: tuple[str, ...]
    ended: bool = False
    """It is as a lock-out leaves it."""


def traits(companies: Companies, tenant_id: str, user: str, *, domain: bool) -> list[Trait]:
    """Everything about them, as it is now and not as a lagging read would show it; `domain`: theirs is connected."""
    tenant = companies.microsoft.tenants[tenant_id]
    person = tenant.people[user]
    mailbox = companies.exchange.organisations[tenant_id].mailboxes.get(user)
    found = [*_account(person, tenant)]
    stand_in = companies.domains[tenant_id].domain
    if domain and person.sam in stand_in.people:
        found += _domain_account(stand_in, stand_in.people[person.sam])
    if mailbox is not None and mailbox.has_mailbox:
        found += _mailbox(mailbox, companies, tenant_id)
    return [*found, *_belongings(person, tenant)]


def _account(person: Person, tenant: Tenant) -> Iterator[Trait]:
    area = "Account"
    yield Trait(area, "Sign-in", ("Allowed" if person.enabled else "Blocked",), ended=not person.enabled)
    yield Trait(area, "Password", () if person.synced else (f"set {when(person.password_changed)}",))
    yield Trait(area, "Sessions", (f"from {when(person.sessions_valid_from)}",))
    yield Trait(area, "Methods", tuple(_method(one) for one in person.methods))
    held = [(role, "") for role in person.roles] + [(role, " (can be activated)") for role in person.eligible]
    held += [
        (role, f" (by {group.name})")
        for group in tenant.groups.values()
        if person.id in group.members
        for role in group.roles
    ]
    yield Trait(area, "Admin roles", tuple(PRIVILEGED_ROLES.get(role, "a role") + how for role, how in held))
    yield Trait(area, "Last sync", (when(person.last_sync),) if person.synced else ())


def _method(method: SignInMethod) -> str:
    words = METHODS.get(method.kind, method.kind.removesuffix("AuthenticationMethod"))
    detail = {"mobile": "", "alternateMobile": "alternate"}.get(method.detail, method.detail)
    return f"{words} ({detail})" if detail else words


def _mailbox(mailbox: SimulatedMailbox, companies: Companies, tenant: str) -> Iterator[Trait]:
    area, organisation = "Mailbox", companies.exchange.organisations[tenant]
    names = {one.id: one.name for one in companies.microsoft.tenants[tenant].people.values()}
    hold = ("on hold",) if mailbox.litigation_hold or mailbox.holds else ()
    yield Trait(area, "Type", (KINDS.get(mailbox.kind, mailbox.kind), f"{mailbox.size / GIGABYTE:.0f} GB", *hold))
    opened = [names.get(user, user) for user, denied in mailbox.full_access.items() if not denied]
    sends = [f"{names.get(user, user)} sends as" for user in sorted(mailbox.send_as)]
    yield Trait(area, "Opened by", (*opened, *sends))
    protocols = [words for name, words in PROTOCOLS.items() if mailbox.protocols.get(name) is not False]
    if not mailbox.protocols.get("SmtpClientAuthenticationDisabled"):
        protocols.append("SMTP")
    yield Trait(area, "Ways in", tuple(protocols))
    forwarded = names.get(mailbox.forwarding_address, mailbox.forwarding_address) or mailbox.forwarding_smtp
    yield Trait(area, "Forwarded to", (forwarded,) if forwarded else ())
    rules = [one for one in mailbox.rules if one.name != "Junk E-mail Rule"]
    yield Trait(area, "Rules", tuple(f"“{one.name}”" + (" (hidden)" if one.hidden else "") for one in rules))
    asked = {one.guid: " (told to erase)" if one.asked else "" for one in mailbox.devices}
    yield Trait(area, "Phones", tuple(one.name + asked[one.guid] for one in mailbox.devices))
    now = companies.microsoft.now()
    coming = [one for one in mailbox.meetings if one.organised and one.starts > now]
    yield Trait(area, "Meetings", tuple(one.subject for one in coming))
    lists = [one for one in organisation.groups.values() if mailbox.user in one.members]
    marks = {one.guid: " (by a rule)" if one.dynamic else " (synced)" if one.synced else "" for one in lists}
    yield Trait(area, "Lists", tuple(one.name + marks[one.guid] for one in lists))
    yield Trait(area, "Address book", ("hidden",) if mailbox.hidden else ())
    shown = companies.microsoft.tenants[tenant].people[mailbox.user].mailbox
    answers = shown is not None and shown.reply["status"] != "disabled"
    yield Trait(area, "Automatic reply", ("on",) if answers else ())


def _belongings(person: Person, tenant: Tenant) -> Iterator[Trait]:
    area = "Belongings"
    if person.drive is not None:
        names = {one.id: one.name for one in tenant.people.values()}
        may = [f"{names.get(one.person, one.mail)} may edit" for one in person.drive.permissions]
        yield Trait(area, "OneDrive", (f"{person.drive.used / 1e9:.1f} GB", *may))
    inside = [one for one in tenant.groups.values() if person.id in (*one.members, *one.owners)]
    yield Trait(area, "Groups", tuple(_group(one, person) for one in inside))
    held = [(one.sku, "") for one in person.licences]
    held += [(sku, f" (by {group.name})") for group in inside if person.id in group.members for sku in group.licences]
    yield Trait(area, "Licences", tuple(_product(tenant, sku) + how for sku, how in held))
    theirs = [one for one in tenant.devices.values() if person.id in (*one.registered, *one.owners)]
    yield Trait(area, "Devices", tuple(one.name + ("" if one.enabled else " (disabled)") for one in theirs))
    consents = tuple(f"consent to {one.scope}" for one in tenant.grants if one.person == person.id)
    owned = tuple(f"owns {name}" for name, owner in tenant.owned_applications.items() if owner == person.id)
    yield Trait(area, "Applications", (*(one.application for one in person.app_roles), *owned, *consents))
    below = [one.name for one in tenant.people.values() if one.manager == person.id]
    yield Trait(area, "Manages", (", ".join(below) if len(below) < 3 else f"{len(below)} people",) if below else ())


def _group(group: Group, person: Person) -> str:
    member, owner = person.id in group.members, person.id in group.owners
    marks = ("by a rule" if group.rule else "", "synced" if group.synced else "")
    marks = (*marks, "" if not owner else "owner" if member else "owner only")
    told = ", ".join(filter(None, marks))
    return f"{group.name} ({told})" if told else group.name


def _product(tenant: Tenant, sku: str) -> str:
    part = tenant.products[sku].part_number
    return Product(sku=sku, part_number=part).name.removesuffix(f" ({part})")


def _domain_account(domain: SimulatedDomain, person: domain_people.Person) -> Iterator[Trait]:
    area = f"Domain {domain.dns}"
    off = bool(person.control & _DISABLED)
    yield Trait(area, "Domain account", (f"{person.sam}, {'disabled' if off else 'enabled'}",), ended=off)
    yield Trait(area, "Its password", (f"set {when(moment(person.password_set))}",))
    groups = tuple(one.name for one in domain.groups.values() if person.guid in one.members)
    yield Trait(area, "Its groups", groups)
    theirs = [one for one in domain.computers.values() if one.manager == person.guid]
    yield Trait(
        area, "Computers", tuple(one.name + (" (disabled)" if one.control & _DISABLED else "") for one in theirs)
    )
    yield Trait(area, "Address lists", ("hidden",) if person.hidden == "TRUE" else ())


def when(at: datetime | None) -> str:
    """'18:20:31' today, else '01 Mar 2025'."""
    if at is None:
        return "never"
    local = at.astimezone()
    return f"{local:%H:%M:%S}" if local.date() == datetime.now().astimezone().date() else f"{local:%d %b %Y}"
