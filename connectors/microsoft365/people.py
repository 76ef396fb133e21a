"""Finding people in a client's directory by what somebody typed: part of a name, a mail address, a sign-in name."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Iterable

from connectors.contract import Account, Json
from connectors.http import RefusedWith
from connectors.microsoft365.client import VENDOR, Graph, quoted

MOST_HITS = 20
FIELDS = (
    "id",
    "displayName",
    "givenName",
    "surname",
    "userPrincipalName",
    "mail",
    "jobTitle",
    "employeeId",
    "accountEnabled",
    "userType",
    "onPremisesImmutableId",
)
_STARTS = ("displayName", "givenName", "surname", "mail", "userPrincipalName")


async def search_people(api: Graph, text: str) -> list[Account]:
    """People whose name or mail fits, best first, at most 20; disabled ones and guests included.

    Words match in any order and from their beginnings ($search), and the whole text matches the beginning of
    name, mail or sign-in name ($filter). Only when neither finds anybody, names sharing the first letter
    are compared here without accents, so that Zoe finds Zoë.
    """
    text = " ".join(text.split())
    if not text:
        return []
    await api.load()
    *living, gone = await asyncio.gather(_by_words(api, text), _by_beginning(api, text), _deleted(api, text))
    found = _merged(living)
    if not found:
        first = text[0]
        near = _merged([await _filtered(api, [first], ("displayName", "surname"), 999)])
        found = [person for person in near if _rank(person, text) < _NO_MATCH]
    found += [_gone(person) for person in gone]
    ranked = sorted(found, key=lambda person: (*_order(person, text), person.name.casefold(), person.id))
    return ranked[:MOST_HITS]


async def find_person(api: Graph, leaver: Account) -> list[Account]:
    """The account with the leaver's object id, also when it was deleted less than 30 days ago."""
    found = await api.find(api.user(leaver.id).to_get_request_information(), select=FIELDS)
    if found is not None:
        account = _account(found)
    else:
        deleted = api.sdk.directory.deleted_items.by_directory_object_id(leaver.id)
        found = await api.find(deleted.to_get_request_information())
        if found is None:
            return []
        account = _gone(found)
    return [account.model_copy(update={"matched_by": leaver.matched_by or "same object id"})]


async def _by_words(api: Graph, text: str) -> list[Json]:
    # displayName is split into words, the others only match from their beginning; both spellings of accents.
    spellings = dict.fromkeys((text, _folded(text)))
    clauses = [f'"displayName:{_searchable(spelling)}"' for spelling in spellings]
    if " " not in text:
        clauses += [f'"{name}:{_searchable(text)}"' for name in ("mail", "userPrincipalName")]
    page = await api.read(
        api.sdk.users.to_get_request_information(),
        search=" OR ".join(clauses),
        select=FIELDS,
        top=MOST_HITS * 2,
        count=True,
    )
    return _people(page)


async def _by_beginning(api: Graph, text: str) -> list[Json]:
    return await _filtered(api, dict.fromkeys((text, _folded(text))), _STARTS, MOST_HITS * 2)


async def _filtered(api: Graph, starts: Iterable[str], names: Iterable[str], top: int) -> list[Json]:
    wanted = tuple(names)
    clauses = [f"startswith({name},{quoted(start)})" for start in starts for name in wanted]
    page = await api.read(
        api.sdk.users.to_get_request_information(), filter=" or ".join(clauses), select=FIELDS, top=top
    )
    return _people(page)


async def _deleted(api: Graph, text: str) -> list[Json]:
    """Who was deleted in the last 30 days: else somebody of the same name is taken for them."""
    clauses = [f"startswith({name},{quoted(text)})" for name in ("displayName", "userPrincipalName")]
    try:
        page = await api.read(
            api.sdk.directory.deleted_items.graph_user.to_get_request_information(),
            filter=" or ".join(clauses),
            select=(*FIELDS, "deletedDateTime"),
            count=True,
            top=MOST_HITS,
        )
    except RefusedWith:
        # Not every application may see them, and the living are what was asked for.
        return []
    return _people(page)


def _gone(user: Json) -> Account:
    """A deleted account, told apart from everybody else's."""
    account, when = _account(user), str(user.get("deletedDateTime") or "")[:10]
    title = f"account deleted on {when}" if when else "account deleted"
    return account.model_copy(
        update={"enabled": False, "title": f"{account.title}, {title}" if account.title else title}
    )


def _people(page: Json) -> list[Json]:
    value = page.get("value")
    return [person for person in value if isinstance(person, dict)] if isinstance(value, list) else []


def _merged(pages: Iterable[list[Json]]) -> list[Account]:
    people = {str(person.get("id")): _account(person) for page in pages for person in page}
    return list(people.values())


def _account(user: Json) -> Account:
    def text(name: str) -> str:
        value = user.get(name)
        return value if isinstance(value, str) else ""

    return Account(
        system=VENDOR,
        id=text("id"),
        name=text("displayName") or text("userPrincipalName"),
        mail=text("mail"),
        user_name=text("userPrincipalName"),
        title=text("jobTitle"),
        employee_id=text("employeeId"),
        immutable_id=text("onPremisesImmutableId"),
        enabled=user.get("accountEnabled") is True,
        guest=user.get("userType") == "Guest",
    )


_NO_MATCH = 9


def _order(person: Account, text: str) -> tuple[int, bool, bool]:
    """Better match first; then those who are still here; then members before guests."""
    return _rank(person, text), not person.enabled, person.guest


def _rank(person: Account, text: str) -> int:
    typed, name = _folded(text), _folded(person.name)
    if typed in (name, _folded(person.mail), _folded(person.user_name)):
        return 0
    words = _words(name)
    asked = _words(typed)
    if set(asked) <= set(words):
        return 1
    if asked and all(any(word.startswith(start) for word in words) for start in asked):
        return 2
    if any(_folded(value).startswith(typed) for value in (person.name, person.mail, person.user_name)):
        return 3
    return _NO_MATCH


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text)


def _folded(text: str) -> str:
    """Lower case and without accents."""
    apart = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()


def _searchable(text: str) -> str:
    """A value inside a quoted $search clause."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
