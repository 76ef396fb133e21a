"""Pax8 as the rest of the house sees it: the company, its subscriptions, one question, one step, what is saved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from connectors.contract import (
    Account,
    Caution,
    Check,
    Choices,
    Connector,
    Json,
    Question,
    Read,
    Step,
    Surroundings,
)
from connectors.money import Saving
from connectors.pax8.checks import SEATS, check_company, seats
from connectors.pax8.client import VENDOR, Pax8Api
from connectors.pax8.facts import Pax8Facts, complete_facts, find_company, read_facts
from connectors.pax8.money import SEAT, questions_about, savings_of
from connectors.pax8.reduce import ReduceSeats
from connectors.pax8.settings import Pax8Settings

STEPS: tuple[Step[Pax8Api, Pax8Facts], ...] = (ReduceSeats(),)


class Pax8(Connector[Pax8Api, Pax8Facts]):
    """A client's company at the distributor. It knows no people: everybody's account there is the company."""

    id = VENDOR
    name = "Pax8"
    settings = Pax8Settings
    facts_model = Pax8Facts
    paperwork = True
    steps = STEPS
    defaults = (SEAT,)

    async def open(self, settings: Pax8Settings, around: Surroundings) -> Pax8Api:
        return Pax8Api(settings, around)

    async def close(self, api: Pax8Api) -> None:
        await api.close()

    async def find(self, api: Pax8Api, leaver: Account) -> list[Account]:
        return await find_company(api)

    async def facts(self, api: Pax8Api, account: Account) -> Pax8Facts:
        return await read_facts(api, account)

    async def complete(self, api: Pax8Api, facts: Pax8Facts, read: Read) -> Pax8Facts:
        return await complete_facts(api, facts, read)

    def questions(self, facts: Pax8Facts, choices: Choices) -> tuple[Question, ...]:
        return questions_about(facts, choices)

    def savings(self, facts: Pax8Facts, choices: Choices) -> tuple[Saving, ...]:
        return savings_of(facts, choices)

    def cautions(self, facts: Pax8Facts) -> tuple[Caution, ...]:
        if not facts.unknown:
            return ()
        return (Caution(f"Which seats at Pax8 are theirs is not known, so none is given back: {facts.unknown}"),)

    async def check(self, api: Pax8Api) -> tuple[Check, ...]:
        return await check_company(api)

    def reads(self) -> Mapping[str, Callable[[Pax8Api, Account], Awaitable[Json]]]:
        return {SEATS: seats}
