"""What the simulated domain answers: objects as attributes, search filters, and modifications with their refusals.

Result codes and messages are a Samba 4.17 domain controller's, observed in November 2026; the same tests run
against both.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from connectors.active_directory import simulated_names as names
from connectors.active_directory.simulated_ber import Node
from connectors.active_directory.simulated_people import (
    Computer,
    Group,
    Object,
    Person,
    SimulatedDomain,
)

IN_CHAIN = "1.2.840.113556.1.4.1941"
HIDE = "msexchhidefromaddresslists"
OLD_PASSWORD_COUNTS = timedelta(hours=1)
ADD, DELETE, REPLACE = 0, 1, 2
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_DOMAIN_SID = bytes.fromhex("010500000000000515000000") + bytes(range(1, 13))
_BUILTIN_SID = bytes.fromhex("010200000000000520000000")
_BINARY = frozenset({"objectguid", "objectsid", "ms-ds-consistencyguid"})
_NAMES = frozenset({"member", "memberof", "manager", "managedby", "distinguishedname"})
_RIGHTS = {
    "useraccountcontrol": "Write userAccountControl",
    "unicodepwd": "Reset password",
    "member": "Write member",
    HIDE: "Write msExchHideFromAddressLists",
}
_PLAIN = {
    "useraccountcontrol": "control",
    "mail": "mail",
    "employeeid": "employee_id",
    "userprincipalname": "user_name",
    "displayname": "name",
    "title": "title",
    "primarygroupid": "primary",
    "admincount": "admin_count",
    "pwdlastset": "password_set",
    "lastlogontimestamp": "last_sign_in",
    "mailnickname": "nickname",
    "proxyaddresses": "proxies",
    "serviceprincipalname": "services",
    "ms-ds-consistencyguid": "consistency",
    "operatingsystem": "system",
    HIDE: "hidden",
}
"""Attribute → the field it is kept in."""

Values = dict[str, list[bytes]]


class Answer(Exception):
    """A result other than success."""

    def __init__(self, code: int, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"{code} {message}")


@dataclass(frozen=True)
class Effect:
    """Something that was changed; never a password."""

    number: int
    at: datetime
    what: str


@dataclass(frozen=True)
class Operation:
    """One part of a modification."""

    kind: int
    name: str
    """The attribute as it was asked for."""
    values: tuple[bytes, ...]

    @property
    def attribute(self) -> str:
        """The attribute in small letters, for comparing."""
        return self.name.casefold()


class Directory:
    """The domain behind the wire."""

    def __init__(self, domain: SimulatedDomain, now: Callable[[], datetime], effects: list[Effect]) -> None:
        self.domain, self.now, self.effects = domain, now, effects
        self._before: dict[uuid.UUID, tuple[datetime, Object]] = {}

    # --- signing in

    def sign_in(self, name: str, password: str) -> Person | None:
        """Who that is; None for nobody (LDAP's anonymous). Raises Answer."""
        if self.domain.wants_more:
            raise Answer(8, "BindSimple: Transport encryption required.")
        if not password:
            return None
        person = self._named(name)
        if person is not None and person.locked:
            raise _refused("775")
        if person is None or not self._accepts(person, password):
            if person is not None:
                person.failures += 1
                person.locked = 0 < self.domain.lockout_after <= person.failures
            raise _refused("52e")
        person.failures = 0
        for wrong, data in ((person.control & 2, "533"), (person.expired, "532"), (person.must_change, "773")):
            if wrong:
                raise _refused(data)
        return person

    def _accepts(self, person: Person, password: str) -> bool:
        """The last password but one counts for an hour, too (OldPasswordAllowedPeriod, KB906305; Samba does it)."""
        fresh = self.now() < _EPOCH + timedelta(microseconds=person.password_set // 10) + OLD_PASSWORD_COUNTS
        return password == person.password or (fresh and password == person.earlier)

    def _named(self, name: str) -> Person | None:
        given = name.casefold()
        for person in self.domain.people.values():
            sam = person.sam.casefold()
            known = {
                f"{sam}@{self.domain.dns}",
                f"{self.domain.netbios.casefold()}\\{sam}",
                person.user_name.casefold(),
            }
            if given in known or names.path(name) == names.path(dn_of(person)):
                return person
        return None

    # --- reading

    def search(self, base: str, scope: int, filter_: Node, by: Person) -> list[tuple[str, Values]]:
        """Distinguished names and all attributes of what fits. Raises Answer."""
        if not base and scope == 0:
            return [("", self._root())]
        if scope == 0:
            one = self._find(base)
            if one is None:
                raise Answer(32, f"Base-DN '{base}' not found")
            places = [one]
        else:
            places = list(self._below(base))
        found = [(dn_of(one), self._values(self._seen(one), by)) for one in places]
        if names.path(base) == names.path(self.domain.schema) and self.domain.exchange:
            exchange = f"CN=ms-Exch-Hide-From-Address-Lists,{self.domain.schema}"
            found = [(exchange, {"cn": [b"ms-Exch-Hide-From-Address-Lists"], "ldapdisplayname": [HIDE.encode()]})]
        return [(dn, values) for dn, values in found if self._fits(filter_, dn, values)]

    def _root(self) -> Values:
        return {
            "defaultnamingcontext": [self.domain.base.encode()],
            "schemanamingcontext": [self.domain.schema.encode()],
            "dnshostname": [f"DC1.{self.domain.dns}".encode()],
            "currenttime": [f"{self.now():%Y%m%d%H%M%S}.0Z".encode()],
            "objectclass": [b"top"],
        }

    def _objects(self) -> Iterator[Object]:
        yield from self.domain.people.values()
        yield from self.domain.groups.values()
        yield from self.domain.computers.values()

    def _find(self, name: str) -> Object | None:
        guid, path = names.guid_in(name), names.path(name)
        for one in self._objects():
            if one.guid == guid or (guid is None and names.path(dn_of(one)) == path):
                return one
        return None

    def _below(self, base: str) -> Iterator[Object]:
        top = names.path(base)
        if top not in {names.path(place) for place in self.domain.places}:
            raise Answer(32, f"00002030: No such Base DN: {base}")
        for one in self._objects():
            if names.path(dn_of(one))[-len(top) :] == top:
                yield one

    def _seen(self, one: Object) -> Object:
        """As a reader sees it: what stood there before, while replication lags."""
        until, before = self._before.get(one.guid, (self.now(), one))
        return before if self.now() < until else one

    def _values(self, one: Object, by: Person) -> Values:
        values = self._plain(one)
        values |= {
            "objectguid": [one.guid.bytes_le],
            "objectsid": [_sid(one)],
            "cn": [one.name.encode()],
            "distinguishedname": [dn_of(one).encode()],
        }
        inside = [group for group in self.domain.groups.values() if one.guid in self._members(group)]
        values["memberof"] = [dn_of(group).encode() for group in inside]
        match one:
            case Person():
                values |= {
                    "objectclass": [b"top", b"person", b"organizationalPerson", b"user"],
                    "samaccountname": [one.sam.encode()],
                    "samaccounttype": [b"805306368"],
                    "manager": self._reference(one.manager),
                    "accountexpires": [b"9223372036854775807"],
                }
            case Group():
                values |= {
                    "objectclass": [b"top", b"group"],
                    "samaccountname": [one.name.encode()],
                    "member": [name for guid in one.members for name in self._reference(guid)],
                }
            case Computer():
                values |= {
                    "objectclass": [b"top", b"person", b"organizationalPerson", b"user", b"computer"],
                    "samaccountname": [f"{one.name}$".encode()],
                    "samaccounttype": [b"805306369"],
                    "managedby": self._reference(one.manager),
                }
        hidden = frozenset[str]() if "everything" in by.rights else self.domain.unreadable
        return {name: found for name, found in values.items() if found and name not in hidden}

    def _plain(self, one: Object) -> Values:
        return {name: _written(getattr(one, kept)) for name, kept in _PLAIN.items() if hasattr(one, kept)}

    def _members(self, group: Group) -> list[uuid.UUID]:
        seen = self._seen(group)
        return seen.members if isinstance(seen, Group) else []

    def _reference(self, guid: uuid.UUID | None) -> list[bytes]:
        return [dn_of(one).encode() for one in self._objects() if one.guid == guid]

    # --- filters (RFC 4511 4.5.1.7)

    def _fits(self, node: Node, dn: str, values: Values) -> bool:
        match node.tag & 0x1F:
            case 0:
                return all(self._fits(one, dn, values) for one in node.parts)
            case 1:
                return any(self._fits(one, dn, values) for one in node.parts)
            case 2:
                return not self._fits(node.parts[0], dn, values)
            case 3:
                attribute, wanted = node.parts
                return _equal(attribute.text.casefold(), values, wanted.value)
            case 7:
                return node.text.casefold() == "objectclass" or node.text.casefold() in values
            case 9:
                given = {part.tag & 0x1F: part for part in node.parts}
                return given[1].text == IN_CHAIN and self._chained(given[2].text.casefold(), dn, given[3].text)
            case _:
                raise Answer(53, "this stand-in knows no such filter")

    def _chained(self, attribute: str, dn: str, wanted: str) -> bool:
        """Members of members: 'member' asks a group whom it holds, 'memberOf' anybody who holds them."""
        group, one = (dn, wanted) if attribute == "member" else (wanted, dn)
        start, sought = self._find(group), self._find(one)
        if start is None or sought is None:
            return False
        open_, seen = [start], set[uuid.UUID]()
        while open_:
            here = open_.pop()
            if isinstance(here, Group) and here.guid not in seen:
                seen.add(here.guid)
                if sought.guid in here.members:
                    return True
                open_ += [other for other in self._objects() if other.guid in here.members]
        return False

    # --- writing

    def modify(self, name: str, operations: list[Operation], by: Person) -> None:
        """All of it or nothing. Raises Answer."""
        one = self._find(name)
        if one is None:
            raise Answer(32, f"00002030: No such Base DN: {name}")
        self._check_rights(one, operations, by)
        changed, effects = copy.deepcopy(one), dict[str, str]()
        if len(operations) > 1 and not self.domain.takes_pairs:
            raise Answer(53, "00002077: SvcErr: DSID-03190F52, problem 5003 (WILL_NOT_PERFORM), data 0")
        for operation in operations:
            effects[operation.attribute] = self._apply(changed, operation)
        if isinstance(changed, Person) and not changed.control & 2 and not changed.password:
            raise Answer(53, "0000052D: the password does not meet the policy")
        if self.domain.lag:
            self._before[one.guid] = (self.now() + timedelta(seconds=self.domain.lag), copy.deepcopy(one))
        vars(one).update(vars(changed))
        for effect in effects.values():
            self.effects.append(Effect(len(self.effects) + 1, self.now(), f"{effect} of {one.name}"))

    def _check_rights(self, one: Object, operations: list[Operation], by: Person) -> None:
        if "everything" in by.rights:
            return
        for operation in operations:
            right = _RIGHTS.get(operation.attribute, "")
            if isinstance(one, Computer):
                right += " (computers)"
            ruled = isinstance(one, Person) and one.admin_count == 1
            if ruled or right not in by.rights:
                raise Answer(50, "00000005: SecErr: DSID-03152E29, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0")

    def _apply(self, one: Object, operation: Operation) -> str:
        """What was done, in words."""
        match operation.attribute, one:
            case "member", Group():
                return self._change_member(one, operation)
            case "unicodepwd", Person():
                self._set_password(one, operation)
                return "unicodePwd set"
            case attribute, _:
                return _set_plain(one, attribute, operation, exchange=self.domain.exchange)

    def _change_member(self, group: Group, operation: Operation) -> str:
        words: list[str] = []
        for value in operation.values:
            one = self._find(value.decode())
            if one is None:
                raise Answer(53, f"00002035: Unable to find GUID for DN {value.decode()}")
            inside = one.guid in group.members
            if operation.kind == ADD:
                if inside:
                    raise Answer(68, f"Attribute member already exists for target GUID {one.guid}")
                group.members.append(one.guid)
                words.append(f"member +{one.name}")
                continue
            if not inside and one.guid in group.once:
                raise Answer(53, f"Attribute member already deleted for target GUID {one.guid}")
            if not inside:
                raise Answer(16, "error in module repl_meta_data: No such attribute during LDB_MODIFY (16)")
            group.members.remove(one.guid)
            group.once.add(one.guid)
            words.append(f"member -{one.name}")
        return ", ".join(words)

    def _set_password(self, person: Person, operation: Operation) -> None:
        try:
            password = operation.values[0].decode("utf-16-le")
        except (IndexError, UnicodeDecodeError):
            password = ""
        if operation.kind != REPLACE or len(password) < 2 or password[0] + password[-1] != '""':
            raise Answer(53, "00002035: setup_io: it's not allowed to set the NT hash password directly'")
        if len(password) - 2 < self.domain.shortest_password:
            raise Answer(
                19,
                "0000052D: Constraint violation - check_password_restrictions: the password is too short. It should "
                f"be equal or longer than {self.domain.shortest_password} characters!",
            )
        person.earlier, person.password, person.must_change = person.password, password[1:-1], False
        ticks = (self.now() - _EPOCH) // timedelta(microseconds=1) * 10
        person.password_set = max(ticks, person.password_set + 1)


def dn_of(one: Object) -> str:
    """Its distinguished name now."""
    return f"CN={names.escaped(one.name)},{one.parent}"


def _sid(one: Object) -> bytes:
    return (_BUILTIN_SID if one.parent.startswith("CN=Builtin,") else _DOMAIN_SID) + one.rid.to_bytes(4, "little")


def _set_plain(one: Object, attribute: str, operation: Operation, *, exchange: bool) -> str:
    kept = _PLAIN.get(attribute, "")
    if not kept or not hasattr(one, kept) or (attribute == HIDE and not exchange):
        raise Answer(16, f"acl_modify: attribute '{attribute}' on entry '{dn_of(one)}' was not found in the schema!")
    stands = _written(getattr(one, kept))
    if operation.kind == DELETE:
        if any(value not in stands for value in operation.values) or not stands:
            raise Answer(16, f"attribute '{attribute}': no matching attribute value while deleting attribute")
        after = [value for value in stands if operation.values and value not in operation.values]
    elif operation.kind == ADD:
        if stands and not isinstance(getattr(one, kept), tuple):
            raise Answer(20, f"attribute '{attribute}': value already exists")
        after = [*stands, *operation.values]
    else:
        after = [*operation.values]
    setattr(one, kept, _kept(after, getattr(one, kept)))
    return f"{operation.name} {b' '.join(after).decode('utf-8', 'replace')}".rstrip()


def _written(value: object) -> list[bytes]:
    match value:
        case None | "" | b"":
            return []
        case bytes():
            return [value]
        case tuple():
            return [str(one).encode() for one in cast("tuple[object, ...]", value)]
        case _:
            return [str(value).encode()]


def _kept(values: list[bytes], like: object) -> object:
    """Back into the kind of thing that stood there."""
    match like:
        case tuple():
            return tuple(value.decode() for value in values)
        case bytes():
            return values[0] if values else b""
        case str():
            return values[0].decode() if values else ""
        case _:
            return int(values[0]) if values else None


def _equal(attribute: str, values: Mapping[str, list[bytes]], wanted: bytes) -> bool:
    stands = values.get(attribute, [])
    if attribute in _BINARY:
        return wanted in stands
    if attribute in _NAMES:
        path = names.path(wanted.decode("utf-8", "replace"))
        return any(names.path(value.decode()) == path for value in stands)
    text = wanted.decode("utf-8", "replace").casefold()
    return any(value.decode("utf-8", "replace").casefold() == text for value in stands)


def _refused(data: str) -> Answer:
    return Answer(49, f"80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {data}, v1db1")
