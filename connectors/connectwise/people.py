"""The client's company in ConnectWise, the leaver's contact there, and the contacts who may ask for it."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.connectwise.client import VENDOR, ConnectWiseApi
from connectors.connectwise.conditions import all_of, any_of, ends_with, equals
from connectors.connectwise.records import Record, flag, number, rows, same, text
from connectors.contract import Account, Refused
from connectors.desk import Contact

CONTACTS = "/company/contacts"
_COMPANY = "company:"
"""Begins the account's id where the leaver has no contact: the agreement is there all the same."""


async def read_company(api: ConnectWiseApi, *, afresh: bool = False) -> Record:
    """The client's company. Raises Refused with the fix where clients.yml names none, or one that is deleted."""
    if not afresh and "company" in api.known:
        return api.known["company"]
    named = api.settings.client_company
    wanted = equals("id", int(named)) if named.isdigit() else equals("identifier", named)
    # A company id may be all digits, too; the record's number goes first.
    found = [
        one
        for one in await api.list("/company/companies", wanted)
        if (str(number(one, "id")) == named if named.isdigit() else same(text(one, "identifier"), named))
    ]
    if len(found) != 1 or flag(found[0], "deletedFlag"):
        said = "is deleted" if found else "is not there"
        fix = "Set client_company in clients.yml to the company's id, as ConnectWise shows it, or its record number."
        raise Refused(VENDOR, "GET /company/companies", f"the company '{named}' {said}", fix)
    api.known["company"] = found[0]
    return found[0]


def contact_id(account: Account) -> int:
    """The number of the leaver's contact; 0 where they have none."""
    return int(account.id) if account.id.isdigit() else 0


async def find_leaver(api: ConnectWiseApi, leaver: Account) -> list[Account]:
    """Their contact by mail; several, or one by name alone, are not certain; the company where there is none."""
    company = await read_company(api)
    here = equals("company/id", number(company, "id"))
    for address in dict.fromkeys(one.strip() for one in (leaver.mail, leaver.user_name) if "@" in one):
        children = all_of(
            equals("communicationItems/value", address), equals("communicationItems/communicationType", "Email")
        )
        found = [one for one in await api.list(CONTACTS, here, children) if address.casefold() in mails(one)]
        # One who left before under the same address stays in the books, inactive.
        active = [one for one in found if not flag(one, "inactiveFlag")]
        if found:
            return _accounts(active or found, f"contact with the mail {address}", certain=len(active or found) == 1)
    if words := leaver.name.split():
        named = await api.list(CONTACTS, all_of(here, ends_with("lastName", words[-1])))
        found = [one for one in named if same(full_name(one), " ".join(words)) and not flag(one, "inactiveFlag")]
        if found:
            return _accounts(found, "contact of the same name, with another mail or none", certain=False)
    name = text(company, "name")
    return [
        Account(
            system=VENDOR,
            id=f"{_COMPANY}{number(company, 'id')}",
            name=name,
            matched_by=f"no contact of {leaver.name or 'theirs'} at {name}: only its agreements",
        )
    ]


async def read_contact(api: ConnectWiseApi, contact: int) -> Record | None:
    """The contact now; None when it is gone."""
    return await api.find(f"{CONTACTS}/{contact}")


async def approvers(api: ConnectWiseApi) -> tuple[Contact, ...]:
    """Active contacts of the client whose type says that they may ask."""
    wanted = api.settings.approver_types
    company = await read_company(api)
    # A contact's types are a list: asked for in plain conditions, they are an error.
    children = any_of(*(equals("types/name", one) for one in wanted))
    found = await api.list(CONTACTS, equals("company/id", number(company, "id")), children)
    people: list[Contact] = []
    for one in found:
        held = [text(kind, "name") for kind in rows(one, "types")]
        fitting = [name for name in held if any(same(name, other) for other in wanted)]
        if fitting and not flag(one, "inactiveFlag"):
            why = f"contact type {', '.join(fitting)}"
            people.append(Contact(id=str(number(one, "id")), name=full_name(one), mail=mail_of(one), why=why))
    return tuple(people)


def full_name(contact: Record) -> str:
    """First and last name as one."""
    return " ".join(f"{text(contact, 'firstName')} {text(contact, 'lastName')}".split())


def mails(contact: Record) -> frozenset[str]:
    """Every mail address of a contact, in small letters."""
    return frozenset(text(one, "value").strip().casefold() for one in _mail_items(contact))


def mail_of(contact: Record) -> str:
    """The contact's default mail address, or its first; empty when it has none."""
    items = sorted(_mail_items(contact), key=lambda one: not flag(one, "defaultFlag"))
    return text(items[0], "value").strip() if items else ""


def _mail_items(contact: Record) -> list[Record]:
    return [one for one in rows(contact, "communicationItems") if same(text(one, "communicationType"), "Email")]


def _accounts(contacts: Sequence[Record], matched_by: str, *, certain: bool) -> list[Account]:
    return [
        Account(
            system=VENDOR,
            id=str(number(one, "id")),
            name=full_name(one),
            mail=mail_of(one),
            user_name=mail_of(one),
            title=text(one, "title"),
            enabled=not flag(one, "inactiveFlag"),
            matched_by=matched_by,
            certain=certain,
        )
        for one in contacts
    ]
