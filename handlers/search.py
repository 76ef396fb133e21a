"""Finds the leaver in the client's directory, and reads their accounts once chosen."""

from __future__ import annotations

import asyncio

from pydantic import JsonValue
from sqlmodel import Session

from connectors.contract import Account
from handlers.cases.tables import Case, Lookup
from handlers.cases.wanted import Apply, leaver_of
from handlers.house import House
from handlers.plan.readings import keep_readings, read_everywhere
from handlers.plan.rows import case_plans

SHOWN = 10
"""How many people one card offers; more and the person is asked to type more of the name."""


def called(account: Account) -> str:
    """Name, title and address, by which namesakes are told apart."""
    title = f", {account.title}" if account.title else ""
    return f"{account.name}{title} ({account.mail or account.user_name})"


async def ask(house: House, case: Case, lookup: Lookup) -> Apply:
    """Search the client's directories for what was typed. Raises VendorError."""
    found = await directories(house, case.client, lookup.subject)
    nearest = False
    if not found and " " in lookup.subject.strip():
        # Nobody of that name: offer those who share its last or first word.
        words = lookup.subject.split()
        for word in (words[-1], words[0]):
            found = found or await directories(house, case.client, word)
        nearest = bool(found)

    def apply(_session: Session, case: Case) -> None:
        if case.stage != "searching" or case.turn != lookup.turn:
            return
        case.candidates = {
            "found": [account.model_dump(mode="json") for account in found[:SHOWN]],
            "more": len(found) > SHOWN,
            "nearest": nearest,
        }
        case.stage, case.turn = "who", case.turn + 1

    return apply


async def directories(house: House, client_id: str, text: str) -> list[Account]:
    """Whom the client's directories know by these words, best first. Raises VendorError."""
    client = house.roster.client(client_id)
    names = [name for name in (client.systems if client else {}) if house.registry.get(name).directory]

    async def one(name: str) -> list[Account]:
        connector, api = await house.connection(client_id, name)
        return await connector.search(api, text)

    lists = await asyncio.gather(*(one(name) for name in names))
    return [account for accounts in lists for account in accounts]


async def choose(house: House, case: Case, lookup: Lookup) -> Apply:
    """Search the client's directories for somebody an answer names. Raises VendorError."""
    found = [one for one in await directories(house, case.client, lookup.subject) if one.id != case.leaver.get("id")]

    def apply(_session: Session, case: Case) -> None:
        if case.choosing.get("words") == lookup.subject:
            people: list[JsonValue] = [one.model_dump(mode="json") for one in found[:SHOWN] if one.enabled]
            case.choosing = {**case.choosing, "found": people, "more": len(found) > SHOWN}
            case.turn += 1

    return apply


async def read(house: House, case: Case, lookup: Lookup) -> Apply:
    """Read the leaver's accounts everywhere, so that the systems' questions can be asked."""
    readings = await read_everywhere(house, case.client, leaver_of(case), last_try=True)

    def apply(session: Session, case: Case) -> None:
        # Once planned, the plan's own reading is the one its approval covers.
        if case.leaver.get("id") == lookup.subject and not case_plans(session, case.id):
            keep_readings(session, house, case, readings)

    return apply
