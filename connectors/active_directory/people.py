"""Finding the leaver's domain account, given the person chosen in the directory."""

from __future__ import annotations

import base64
import binascii
import uuid

from connectors.active_directory.client import Domain
from connectors.active_directory.control import DISABLED
from connectors.active_directory.filters import PERSON, both, by_guid, either, equals, guid_text
from connectors.active_directory.refusals import VENDOR
from connectors.active_directory.wire import Entry, Session
from connectors.contract import Account, Refused

_FIELDS = (
    "objectGUID",
    "mS-DS-ConsistencyGuid",
    "displayName",
    "cn",
    "mail",
    "proxyAddresses",
    "userPrincipalName",
    "sAMAccountName",
    "title",
    "employeeID",
    "userAccountControl",
)


async def find_person(api: Domain, leaver: Account) -> list[Account]:
    """Their accounts here; several, or a doubtful one, are marked as not certain."""
    return await api.read(lambda session: _find(api, session, leaver))


def _find(api: Domain, session: Session, leaver: Account) -> list[Account]:
    if leaver.system == VENDOR:
        entry = session.one(by_guid(leaver.id), _FIELDS, only=PERSON)
        return [_account(entry, "found by its objectGUID")] if entry else []
    anchor = _anchor(leaver.immutable_id)
    filters = _filters(leaver, anchor)
    if not filters:
        return []
    # Everything by which it could be theirs, in one search; what it is worth is decided below.
    entries = session.all(api.base(session), both(PERSON, either(*filters)), _FIELDS)
    tied = [entry for entry in entries if anchor and anchor in (_source(entry), entry.raw("objectGUID"))]
    if tied:
        return _all_of(tied, "tied to it by Entra Connect (immutable id)")
    same_number = [entry for entry in entries if leaver.employee_id and entry.text("employeeID") == leaver.employee_id]
    by_mail = [entry for entry in entries if entry not in same_number]
    if leaver.immutable_id:
        doubt = "though Entra ties them to an account that is not in this domain"
        return _doubtful(same_number, f"same employee id, {doubt}") + _doubtful(by_mail, f"same mail address, {doubt}")
    if same_number and by_mail:
        return _doubtful(same_number, "same employee id") + _doubtful(by_mail, "same mail address")
    return _all_of(same_number, "same employee id") or _all_of(by_mail, "same mail address")


def _filters(leaver: Account, anchor: bytes | None) -> list[str]:
    filters: list[str] = []
    if anchor:
        filters.append(equals("mS-DS-ConsistencyGuid", anchor))
        if len(anchor) == 16:
            filters.append(equals("objectGUID", anchor))
    if leaver.employee_id:
        filters.append(equals("employeeID", leaver.employee_id))
    for address in dict.fromkeys(one.casefold() for one in (leaver.mail, leaver.user_name) if one):
        filters += [
            equals("mail", address),
            equals("userPrincipalName", address),
            equals("proxyAddresses", f"smtp:{address}"),
        ]
    return filters


def _anchor(immutable_id: str) -> bytes | None:
    """Entra's immutable id as bytes: base64 of ms-DS-ConsistencyGuid or of objectGUID."""
    try:
        return base64.b64decode(immutable_id, validate=True) or None
    except (binascii.Error, ValueError):
        # Some tenants anchor on another attribute, which is no base64; then the other ways are tried.
        return None


def _source(entry: Entry) -> bytes | None:
    return entry.raw("mS-DS-ConsistencyGuid")


def _all_of(entries: list[Entry], how: str) -> list[Account]:
    return [_account(entry, how, certain=len(entries) == 1) for entry in entries]


def _doubtful(entries: list[Entry], how: str) -> list[Account]:
    return [_account(entry, how, certain=False) for entry in entries]


def _account(entry: Entry, how: str, *, certain: bool = True) -> Account:
    guid, control = entry.raw("objectGUID"), entry.number("userAccountControl")
    if guid is None or control is None:
        raise Refused(
            VENDOR,
            "find the person",
            f"the bot's account may not read {entry.dn}",
            "Let it read all properties of users (Authenticated Users can by default).",
        )
    return Account(
        system=VENDOR,
        id=guid_text(guid),
        name=entry.text("displayName") or entry.text("cn"),
        mail=entry.text("mail"),
        user_name=entry.text("userPrincipalName") or entry.text("sAMAccountName"),
        title=entry.text("title"),
        employee_id=entry.text("employeeID"),
        immutable_id=base64.b64encode(_source(entry) or uuid.UUID(guid_text(guid)).bytes_le).decode(),
        enabled=not control & DISABLED,
        matched_by=how,
        certain=certain,
    )
