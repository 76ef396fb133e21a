"""A new manager needs no deploy and is never bound silently: the desk says who may, an admin says who it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.connectwise.simulator import Fault
from handlers import newcomers
from handlers.people import MSP
from tests.company import Company, company
from tests.world import STAGE

ASKED, TOLD = "Ask Northwind IT to add you.", "Northwind IT has been told that you asked."


@pytest.fixture
async def contoso(tmp_path: Path) -> AsyncIterator[Company]:
    """Contoso, where Maria is nobody we know yet and an approver in ConnectWise."""
    async with company(tmp_path, paperwork=True) as built:
        house = built.world.house
        people = tuple(one for one in house.roster.people if one.id != "maria")
        theirs, ours = STAGE.where.clients, STAGE.where.msp
        bound = {f"{ours}/T-MSP": (MSP,), f"{theirs}/T-CONTOSO": ("contoso",), f"{theirs}/T-FABRIKAM": ("fabrikam",)}
        house.roster = house.roster.model_copy(update={"people": people, "bound": bound})
        house.configured = people
        built.world.strangers_from = "T-CONTOSO"
        yield built


async def types(contoso: Company, line: str = "/offboard Jane Doe") -> str:
    reply = await contoso.world.types("maria", line)
    await newcomers.propose(contoso.world.house)
    await contoso.world.settle()
    return reply.line


async def test_an_admin_binds_whom_the_desk_lets_ask_and_she_offboards_jane(contoso: Company) -> None:
    assert TOLD in await types(contoso)
    read = contoso.world.reads("ada")
    assert (
        f"Somebody I don't know asked for an offboarding at Contoso Ltd: {STAGE.where.clients} T-CONTOSO maria." in read
    )
    await contoso.world.clicks("ada", "I rang them: bind", values={"contact": "1002"})
    assert "Bound as Maria Rossi by Ada Byrne: may ask for Contoso Ltd." in contoso.world.reads("ada")
    await contoso.begins("Jane Doe", "Head of Sales")
    what = [row.what for row in await contoso.world.history()]
    assert what[:2] == ["a stranger asked", "newcomer bound"]


async def test_nobody_is_bound_by_asking_alone(contoso: Company) -> None:
    await types(contoso)
    assert TOLD in await types(contoso)
    assert len([one for one in contoso.world.seen_by("ada") if one.card.title == "Somebody new"]) == 1
    assert await contoso.world.cases() == []


async def test_only_an_admin_decides_and_picks_a_contact_first(contoso: Company) -> None:
    await types(contoso)
    card = contoso.world.card("ada", "Somebody new")
    told = await contoso.world.clicks("sam", "I rang them: bind", on=card, values={"contact": "1002"})
    assert told.line == "Only admins decide who may ask."
    told = await contoso.world.clicks("ada", "I rang them: bind", on=card)
    assert told.line == "Pick the contact first."
    await contoso.world.types("maria", "/offboard Jane Doe")
    assert await contoso.world.cases() == []


async def test_a_binding_is_known_after_a_restart_and_can_be_taken_back(contoso: Company) -> None:
    await types(contoso)
    await contoso.world.clicks("ada", "I rang them: bind", values={"contact": "1002"})
    house = contoso.world.house
    house.roster = house.roster.model_copy(update={"people": house.configured})
    await newcomers.recall(house)
    assert house.roster.name_of("contact-contoso-1002") == "Maria Rossi"
    await contoso.world.clicks("ada", "Take it back")
    assert TOLD in (await contoso.world.types("maria", "/offboard Jane Doe")).line
    assert await contoso.world.cases() == []


async def test_a_desk_that_is_down_is_asked_again(contoso: Company) -> None:
    desk = contoso.companies.paperwork.connectwise
    down = desk.fail(Fault("unavailable", calls=None))
    await types(contoso)
    assert contoso.world.seen_by("ada") == []
    desk.faults.remove(down)
    await contoso.world.passes(minutes=6)
    await newcomers.propose(contoso.world.house)
    await contoso.world.settle()
    assert "Maria Rossi" in str(contoso.world.card("ada", "Somebody new").card.sections)


async def test_where_no_desk_says_who_may_ask_a_stranger_stays_one(contoso: Company) -> None:
    contoso.world.strangers_from = "T-NOWHERE"
    assert ASKED in (await contoso.world.types("maria", "/offboard Jane Doe")).line
    house = contoso.world.house
    house.roster = house.roster.model_copy(update={"people": (), "bound": {}})
    assert ASKED in (await contoso.world.types("maria", "/offboard Jane Doe")).line


async def test_what_clients_yml_says_wins_over_what_an_admin_bound(contoso: Company) -> None:
    await types(contoso)
    await contoso.world.clicks("ada", "I rang them: bind", values={"contact": "1002"})
    house = contoso.world.house
    bound = next(one for one in house.roster.people if one.id == "contact-contoso-1002")
    house.configured = (*house.configured, bound.model_copy(update={"id": "maria", "manages": ()}))
    await newcomers.recall(house)
    assert [one.id for one in house.roster.people if bound.identities[0] in one.identities] == ["maria"]


async def test_a_flood_of_strangers_is_not_passed_on(contoso: Company) -> None:
    for number in range(newcomers.MOST + 3):
        await contoso.world.types(f"stranger{number}", "/offboard Jane Doe")
    await newcomers.propose(contoso.world.house)
    await contoso.world.settle()
    assert len(contoso.world.seen_by("ada")) <= newcomers.MOST
