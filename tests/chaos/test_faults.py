"""A few of the many faults run with the suite; and whoever judges them is shown to see a lie."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.lab.companies import JANES_LAPTOP
from connectors.connectwise import simulated_records as psa
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import CONTOSO
from connectors.pax8 import simulated_company as bought
from connectors.registry import Registry
from connectors.simulated_faults import Effect
from tests.chaos.calls import ALL_THE_SAME, PAPERWORK, let_fail
from tests.chaos.faults import Clean, clean, faulty, of_each_call, together
from tests.chaos.leavers import LEAVERS, NEVER_WANTED
from tests.chaos.offboarding import offboarding
from tests.chaos.truth import EFFECTS, OF_EACH, Truth
from tests.chaos.verdict import effects, judge, look_at_headline

CONNECTORS = ("microsoft365", "exchange", "active_directory", *PAPERWORK)
SAMPLE = {
    "shared": (
        ("PATCH /users/{} accountEnabled", "refused for good"),
        ("Remove-CalendarEvents Identity,CancelOrganizedMeetings,QueryWindowInDays,Confirm", "lost"),
    ),
    "on premises": (("unicodePwd, once more", "lost"),),
}
"""Case → part of a call's shape and what goes wrong with it."""
PAPER = "paperwork"
ALL_LOST = (
    ("PUT /subscriptions/{} quantity", "lost"),
    ("PATCH /finance/agreements/{}/additions/{} quantity, once more", ALL_THE_SAME),
    ("POST /service/tickets summary", "lost"),
    ("PATCH /service/tickets/{} externalXRef", "malformed"),
    ("POST /service/tickets/{}/notes", "dropped"),
    ("POST /service/tickets/{}/tasks", "lost"),
    ("POST /time/entries", ALL_THE_SAME),
)
"""What must not happen twice, each time done without our hearing of it, in one case."""


def every_step() -> set[str]:
    registry = Registry()
    return {step.id for connector in CONNECTORS for step in registry.get(connector).steps}


@pytest.fixture(scope="module")
def usual() -> Mapping[str, Clean]:
    """The cases of the sample, without any fault."""
    return {case: asyncio.run(clean(case)) for case in (*SAMPLE, PAPER)}


async def test_together_the_reference_cases_want_every_step_there_is(
    tmp_path: Path, usual: Mapping[str, Clean]
) -> None:
    wanted = {step for case in usual.values() for step in case.steps}
    for name, leaver in LEAVERS.items():
        if name in usual:
            continue
        (tmp_path / name).mkdir()
        async with offboarding(tmp_path / name, leaver) as one:
            await one.ask()
            wanted |= set(await one.company.world.steps())
    assert every_step() - wanted == set(NEVER_WANTED)


def test_for_every_step_something_is_known_that_tells_whether_it_is_so() -> None:
    assert set(EFFECTS) | set(OF_EACH) == every_step()
    assert not set(EFFECTS) & set(OF_EACH)


@pytest.mark.parametrize("case", SAMPLE)
async def test_a_case_with_a_fault_ends_in_the_truth(case: str, usual: Mapping[str, Clean]) -> None:
    assert usual[case].verdict.fine
    runs = of_each_call([usual[case]])
    for shape, kind in SAMPLE[case]:
        run = next(run for run in runs if shape in run.troubles[0].place.shape and run.troubles[0].kind == kind)
        verdict = await faulty(run)
        assert verdict.missed == 0
        assert verdict.fine, (run.troubles, verdict)


def test_every_distinct_call_is_made_to_go_wrong_in_every_way_its_wire_knows(usual: Mapping[str, Clean]) -> None:
    runs = of_each_call([usual["on premises"]])
    ways = Counter(f"{one.place.system} {one.place.shape}" for run in runs for one in run.troubles)
    shared = together(runs)
    assert Counter(one for run in shared for one in run.troubles) == Counter(run.troubles[0] for run in runs)
    assert len(shared) < len(runs) / 2
    assert all(len(run.troubles) == 1 for run in shared if run.troubles[0].place.changes)
    assert ways["microsoft365 PATCH /users/{} accountEnabled"] == 7
    assert ways["microsoft365 GET /users/{}?accountEnabled"] == 6
    assert ways["exchange Get-Mailbox Identity (before the approval)"] == 6
    assert sum(count for call, count in ways.items() if "active_directory modify" in call) == 8 * 4
    paper = Counter(
        f"{one.place.system} {one.place.shape}" for run in of_each_call([usual[PAPER]]) for one in run.troubles
    )
    assert paper["pax8 PUT /subscriptions/{} quantity"] == 7
    assert paper["pax8 GET /subscriptions/{}/history (before the approval)"] == 6
    assert paper["connectwise PATCH /finance/agreements/{}/additions/{} quantity"] == 8
    assert paper["connectwise GET /service/tickets externalXRef,company/id"] == 6


async def test_the_judge_sees_through_every_sort_of_lie(tmp_path: Path, usual: Mapping[str, Clean]) -> None:
    async with offboarding(tmp_path, LEAVERS["shared"]) as one:
        truth = Truth(one.leaver, one.company.companies)
        await one.run()
        assert effects(one) == usual["shared"].effects
        assert (await judge(one, truth, tmp_path, usual["shared"].effects)).fine
        companies, jane = one.company.companies, one.company.person(people.JANE)

        jane.enabled = True
        companies.mailbox(people.JANE).hidden = False
        companies.microsoft.tenants[CONTOSO].devices[JANES_LAPTOP].enabled = True
        again = next(effect for effect in companies.exchange.effects if "mails sent" in effect.what)
        companies.exchange.effects.append(again)
        lost = Effect(1, again.at, CONTOSO, people.JANE, "mailbox disconnected")
        companies.exchange.effects.append(lost)
        (tmp_path / "left behind").write_text(one.passwords[0])
        said: list[str] = []
        look_at_headline(one, truth, said)

        untrue = " | ".join([*said, *(await judge(one, truth, tmp_path, usual["shared"].effects)).untrue])
        for lie in (
            "green while open: sign-in",
            "microsoft365.block_sign_in is done and is not so",
            "exchange.hide_from_address_lists is done and is not so",
            "microsoft365.disable_devices is done and is not so",
            "happened again: a1 meeting cancelled",
            "it happened all the same: a1 mailbox disconnected",
            "a secret stands in a row",
        ):
            assert lie in untrue


async def test_a_bill_and_a_ticket_whose_answers_are_all_lost_happen_once_and_whoever_judges_them_sees_a_lie(
    tmp_path: Path, usual: Mapping[str, Clean]
) -> None:
    places, said = usual[PAPER].places, list[str]()
    async with offboarding(tmp_path, LEAVERS[PAPER]) as one:
        truth, companies = Truth(one.leaver, one.company.companies), one.company.companies
        for shape, kind in ALL_LOST:
            place = next(place for place in places if place.shape.startswith(shape))
            let_fail(companies, place, kind)
        await one.run(lambda: look_at_headline(one, truth, said))
        assert said == []
        assert (await judge(one, truth, tmp_path, usual[PAPER].effects)).fine
        pax8, desk = companies.paperwork.pax8, companies.paperwork.connectwise
        assert pax8.faults + desk.faults != []
        assert [fault for fault in (*pax8.faults, *desk.faults) if fault.calls] == []

        pax8.subscriptions[bought.E3].quantity = 10
        desk.provider.record(f"finance/agreements/{psa.MANAGED}/additions", psa.USERS_LINE)["quantity"] = 40.0
        desk.provider.record("company/contacts", psa.JANE)["disablePortalLoginFlag"] = False
        ticket = desk.tickets[0]
        ticket["closedFlag"] = False
        desk.provider.collections["service/tickets"][2] = {**ticket, "id": 2}
        desk.provider.collections["time/entries"][3] = {**desk.times[0], "id": 3}
        desk.mails.append(psa.Mail("jane.doe@contoso.example", "new ticket", 2))
        look_at_headline(one, truth, said)

        untrue = " | ".join([*said, *(await judge(one, truth, tmp_path, usual[PAPER].effects)).untrue])
        for lie in (
            "green while open: portal",
            "the ticket says locked out while open: portal",
            "10 seats are bought where 11 are needed",
            "pax8.reduce_seats is done and is not so",
            "12 → 10 seats for one leaver",
            "connectwise.reduce_lines is done and is not so",
            "connectwise.contact_inactive is done and is not so",
            "2 times at the desk: 1-",
            "2 tickets",
            "mail about the ticket to jane.doe@contoso.example",
            "the ticket is open",
        ):
            assert lie in untrue
