"""What a plan needs to know about one domain account, read over one connection."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from connectors.active_directory.client import Domain
from connectors.active_directory.control import DISABLED, DOMAIN_CONTROLLER, control_of, is_disabled
from connectors.active_directory.filters import (
    IN_CHAIN,
    PERSON,
    both,
    by_guid,
    either,
    equals,
    guid_text,
    moment,
    sid_text,
)
from connectors.active_directory.protection import GUARDED, untouchable
from connectors.active_directory.refusals import VENDOR
from connectors.active_directory.wire import Entry, Session
from connectors.contract import Account, Refused

_USER = (
    *GUARDED,
    "primaryGroupID",
    "adminCount",
    "pwdLastSet",
    "lastLogonTimestamp",
    "accountExpires",
    "servicePrincipalName",
    "employeeID",
    "mail",
)
# Groups that rule the domain or can come to (Microsoft, "Protected accounts and groups" and "Security
# identifiers", read 2026-11), by the last part of their SID: names are translated and can be changed.
_IN_DOMAIN = frozenset({"512", "518", "519", "520", "526", "527"})
"""Domain, Schema and Enterprise Admins, Group Policy Creator Owners, Key Admins of domain and forest."""
_BUILT_IN = frozenset({"544", "548", "549", "550", "551", "552"})
"""Administrators, Account, Server, Print and Backup Operators, Replicator."""
_DOMAIN_ADMINS = "512"
_CONTROLLERS = frozenset({516, 521})
_BUILT_IN_DOMAIN = "S-1-5-32-"
_COMPUTER = ("objectGUID", "cn", "userAccountControl", "primaryGroupID", "operatingSystem")
HIDE = "msExchHideFromAddressLists"


class Computer(BaseModel):
    """A computer that is theirs by managedBy."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    enabled: bool
    spared: str = ""
    """Why it is left alone, whoever manages it: 'a server'."""


class ActiveDirectoryFacts(BaseModel):
    """One account as it was read for a plan."""

    model_config = ConfigDict(frozen=True)

    enabled: bool
    distinguished_name: str = ""
    sam_account_name: str = ""
    user_name: str = ""
    groups: tuple[str, ...] = ()
    """Names of the groups they are in directly, without the primary one."""
    primary_group: str = ""
    admin_groups: tuple[str, ...] = ()
    """Names of the groups that rule the domain and that they are in, through others too."""
    admin_count: bool = False
    """Administrator now or once: such an account inherits no delegation."""
    last_domain_admin: bool = False
    computers: tuple[Computer, ...] = ()
    services: tuple[str, ...] = ()
    """Service principal names: something runs under this account."""
    reports: tuple[str, ...] = ()
    """Names of who reports to them directly, according to the domain."""
    others: tuple[str, ...] = ()
    """Other enabled accounts with the same employee id or mail address, by sAMAccountName."""
    can_hide: bool = False
    """The domain has Exchange's schema, and with it an attribute that hides from address lists."""
    password_set: datetime | None = None
    last_sign_in: datetime | None = None
    """As replicated: up to 14 days behind (lastLogonTimestamp, MS-ADA1 2.351)."""
    expires: datetime | None = None
    protected: str = ""
    """Why no step touches this account; '' when it may be touched."""


async def read_facts(api: Domain, account: Account) -> ActiveDirectoryFacts:
    """Everything, in one call. Raises Refused when the account is gone or can't be read."""
    return await api.read(lambda session: _read(api, session, account))


def _read(api: Domain, session: Session, account: Account) -> ActiveDirectoryFacts:
    entry = session.one(by_guid(account.id), _USER)
    if entry is None:
        raise Refused(VENDOR, "read the account", "it does not exist any more", "Look the person up again.")
    primary = primary_group(session, entry)
    direct = direct_groups(session, entry.dn)
    ruling = _ruling_groups(session, entry, primary)
    reporting = both(PERSON, equals("manager", entry.dn))
    return ActiveDirectoryFacts(
        enabled=not is_disabled(entry),
        distinguished_name=entry.dn,
        sam_account_name=entry.text("sAMAccountName"),
        user_name=entry.text("userPrincipalName"),
        groups=tuple(_name(group) for group in direct),
        primary_group=_name(primary) if primary else "",
        admin_groups=tuple(_name(group) for group in ruling),
        admin_count=entry.number("adminCount") == 1,
        last_domain_admin=_is_last_domain_admin(session, entry, ruling),
        computers=tuple(_computer(one) for one in computers_of(session, entry.dn)),
        services=entry.texts("servicePrincipalName"),
        reports=tuple(_name(one) for one in session.all(session.default_base, reporting, ("cn",))),
        others=_others(session, entry),
        can_hide=has_exchange(session),
        password_set=moment(entry.number("pwdLastSet")),
        last_sign_in=moment(entry.number("lastLogonTimestamp")),
        expires=moment(entry.number("accountExpires")),
        protected=untouchable(api.settings, entry),
    )


def direct_groups(session: Session, dn: str) -> list[Entry]:
    """Groups whose member they are themselves, by name. The primary group is not among them, in any directory."""
    # A search, since memberOf gives at most 1,500 values; and from the root, so that a narrow base_dn hides no group.
    member = both("(objectClass=group)", equals("member", dn))
    found = session.all(session.default_base, member, ("objectGUID", "cn", "objectSid"))
    return sorted(found, key=lambda group: group.dn.casefold())


def primary_group(session: Session, entry: Entry) -> Entry | None:
    """The group that primaryGroupID names; membership there stands nowhere else."""
    sid, number = entry.raw("objectSid"), entry.number("primaryGroupID")
    if sid is None or number is None:
        return None
    group = sid[:-4] + number.to_bytes(4, "little")
    found = session.all(session.default_base, equals("objectSid", group), ("cn", "objectSid"))
    return found[0] if found else None


def computers_of(session: Session, dn: str) -> list[Entry]:
    """Computers whose managedBy they are, by name."""
    theirs = both("(objectClass=computer)", equals("managedBy", dn))
    found = session.all(session.default_base, theirs, _COMPUTER)
    return sorted(found, key=lambda computer: computer.dn.casefold())


def read_computer(session: Session, guid: str) -> Entry | None:
    """One computer afresh, with its managedBy."""
    return session.one(by_guid(guid), (*_COMPUTER, "managedBy"))


def spared(computer: Entry) -> str:
    """Why this computer is left alone whoever manages it; '' when it may be disabled."""
    if control_of(computer) & DOMAIN_CONTROLLER or computer.number("primaryGroupID") in _CONTROLLERS:
        return "a domain controller"
    if "server" in computer.text("operatingSystem").casefold():
        return "a server"
    return ""


def has_exchange(session: Session) -> bool:
    """Whether the domain knows the attribute that hides somebody from address lists."""
    return bool(session.all(session.root.text("schemaNamingContext"), equals("lDAPDisplayName", HIDE), ("cn",)))


def _ruling_groups(session: Session, entry: Entry, primary: Entry | None) -> list[Entry]:
    """Which groups that rule the domain they are in, however deep, and through the primary group too."""
    inside = [equals("member", entry.dn, IN_CHAIN)]
    if primary is not None:
        inside.append(equals("member", primary.dn, IN_CHAIN))
    found = session.all(session.default_base, both("(objectClass=group)", either(*inside)), ("cn", "objectSid"))
    found += [primary] if primary is not None and primary.dn not in {group.dn for group in found} else []
    return sorted((group for group in found if _rules(group)), key=lambda group: group.dn.casefold())


def _rules(group: Entry) -> bool:
    sid = sid_text(group.raw("objectSid") or bytes(8))
    last = sid.rpartition("-")[2]
    return last in _BUILT_IN if sid.startswith(_BUILT_IN_DOMAIN) else last in _IN_DOMAIN


def _is_last_domain_admin(session: Session, entry: Entry, ruling: list[Entry]) -> bool:
    """Whether no other enabled account is in Domain Admins."""
    admins = [group for group in ruling if sid_text(group.raw("objectSid") or bytes(8)).endswith(f"-{_DOMAIN_ADMINS}")]
    if not admins or is_disabled(entry):
        return False
    inside = either(equals("memberOf", admins[0].dn, IN_CHAIN), equals("primaryGroupID", _DOMAIN_ADMINS))
    people = session.all(session.default_base, both(PERSON, inside), ("objectGUID", "userAccountControl"))
    return not any(
        person.raw("objectGUID") != entry.raw("objectGUID") and not control_of(person) & DISABLED for person in people
    )


def _others(session: Session, entry: Entry) -> tuple[str, ...]:
    """An administrator's second account often carries the same number or address."""
    same = [equals(name, entry.text(name)) for name in ("employeeID", "mail") if entry.text(name)]
    if not same:
        return ()
    fields = ("objectGUID", "sAMAccountName", "userAccountControl")
    found = session.all(session.default_base, both(PERSON, either(*same)), fields)
    return tuple(
        sorted(
            one.text("sAMAccountName")
            for one in found
            if one.raw("objectGUID") != entry.raw("objectGUID") and not is_disabled(one)
        )
    )


def _computer(entry: Entry) -> Computer:
    return Computer(
        id=guid_text(entry.raw("objectGUID") or b""),
        name=_name(entry),
        enabled=not is_disabled(entry),
        spared=spared(entry),
    )


def _name(entry: Entry) -> str:
    return entry.text("cn") or entry.dn
