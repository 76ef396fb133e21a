"""The seat at the distributor and the line on the invoice: given back when they may, by who decides about money."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue

from bot.lab.paperwork import Paperwork
from connectors.connectwise import simulated_records as desk
from connectors.contract import Json
from connectors.microsoft365 import simulated_people as people
from connectors.pax8 import simulated_company as bought
from connectors.pax8.simulator import Fault
from tests.company import Company, company

SEAT, LINE = "Pay for one seat less: Microsoft 365 E3", "Reduce the line on the invoice: M365-E3"


@pytest.fixture
async def contoso(tmp_path: Path) -> AsyncIterator[Company]:
    """The whole company, its bill and its ticket included."""
    async with company(tmp_path, paperwork=True) as built:
        yield built


def paper(contoso: Company) -> Paperwork:
    return contoso.companies.paperwork


def seats(contoso: Company) -> int:
    return paper(contoso).pax8.subscriptions[bought.E3].quantity


def line(contoso: Company, number: int = desk.E3_LINE) -> object:
    agreement = desk.MANAGED if number == desk.USERS_LINE else desk.CLOUD
    return paper(contoso).connectwise.provider.record(f"finance/agreements/{agreement}/additions", number)["quantity"]


async def states_by_title(contoso: Company) -> dict[str, str]:
    return {row.title: str(row.state) for row in (await contoso.world.rows()) if row.system in ("pax8", "connectwise")}


async def leaves(contoso: Company) -> None:
    """Jane leaves, everything as recommended, approved by the technician and by Bill, who decides about bills."""
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    await contoso.world.clicks("bill", "Approve the bill")
    await contoso.world.passes(minutes=30)


async def bought_lately(contoso: Company) -> None:
    """The E3 seats were bought three days ago."""
    seat = paper(contoso).pax8.subscriptions[bought.E3]
    seat.started = contoso.world.clock.now() - timedelta(days=3)
    seat.renew(seat.started + timedelta(days=365), seat.started)
    seat.history = [seat.record(seat.started, stale=False)]


async def test_a_seat_committed_for_nine_months_goes_on_its_day_and_its_line_with_it(contoso: Company) -> None:
    await leaves(contoso)
    assert contoso.person(people.JANE).licences == []
    assert (seats(contoso), line(contoso), line(contoso, desk.USERS_LINE)) == (12, 12.0, 39.0)
    read = contoso.world.reads("bill")
    assert "The bill: waits until 24 Aug 2027" in read
    assert "committed until 24 Aug 2027; then Microsoft 365 E3: 12 → 11 seats" in read
    assert "36.90 GBP a month, from 24 Aug 2027 on; committed until 24 Aug 2027. (Contoso Ltd)" in read
    # A week before, whoever still needs it can say so; that day it is looked at afresh, and done.
    await contoso.world.passes(days=266)
    assert "24 Aug 2027: Pay for one seat less" not in contoso.world.news("sam")
    await contoso.world.passes(days=2)
    assert "24 Aug 2027: Pay for one seat less" in contoso.world.news("sam")
    assert seats(contoso) == 12
    await contoso.world.passes(days=8)
    assert (seats(contoso), line(contoso)) == (11, 11.0)
    assert paper(contoso).pax8.changes_of(bought.E3) == ["12 → 11 seats"]
    assert (await states_by_title(contoso))[SEAT] == "done"


async def test_a_dated_seat_that_somebody_needs_after_all_is_skipped_with_a_reason(
    contoso: Company,
) -> None:
    await leaves(contoso)
    heading = "24 Aug 2027: Pay for one seat less: Microsoft 365 E3"
    row = next(row for row in await contoso.world.rows() if row.title == SEAT)
    await contoso.world.clicks("sam", "Skip", within=heading, values={f"note-{row.id}": "Ines needs it from January"})
    await contoso.world.passes(days=300)
    assert seats(contoso) == 12
    assert (await states_by_title(contoso))[SEAT] == "skipped"


async def test_a_seat_bought_three_days_ago_is_given_back_at_once_and_the_invoice_follows(contoso: Company) -> None:
    await bought_lately(contoso)
    await leaves(contoso)
    assert (seats(contoso), line(contoso), line(contoso, desk.USERS_LINE)) == (11, 11.0, 39.0)
    assert paper(contoso).pax8.changes_of(bought.E3) == ["12 → 11 seats"]
    assert "The bill: done" in contoso.world.reads("bill")


async def test_a_seat_that_the_next_hire_needs_is_kept_and_the_client_reads_why(tmp_path: Path) -> None:
    hire: Json = {"part_number": "SPE_E3", "seats": 1, "from": "2026-12-01", "note": "Jo, sales"}
    async with company(tmp_path, paperwork=True, changed={"pax8": {"booked": [hire]}}) as contoso:
        await bought_lately(contoso)
        await contoso.asks("Jane Doe", "Head of Sales")
        assert "Keep it free" in contoso.world.reads("sam")
        await contoso.approved()
        await contoso.world.clicks("bill", "Approve the bill")
        await contoso.world.passes(minutes=30)
        assert contoso.person(people.JANE).licences == []
        assert (seats(contoso), line(contoso)) == (12, 12.0)
        assert line(contoso, desk.USERS_LINE) == 39.0


async def test_an_agreement_never_falls_below_its_minimum(tmp_path: Path) -> None:
    lines: list[JsonValue] = [{"product": "MS-USER", "kind": "user", "minimum": 40}]
    async with company(tmp_path, paperwork=True, changed={"connectwise": {"lines": lines}}) as contoso:
        await leaves(contoso)
        assert line(contoso, desk.USERS_LINE) == 40.0
        assert "Managed user, 1 fewer" not in contoso.world.reads("maria")


async def test_the_lock_out_never_waits_for_the_bill_and_the_bill_never_for_the_lock_outs_approver(
    contoso: Company,
) -> None:
    await bought_lately(contoso)
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    await contoso.world.passes(minutes=30)
    assert "Jane Doe is locked out since" in contoso.world.reads("maria")
    assert contoso.person(people.JANE).licences == []
    assert (seats(contoso), line(contoso)) == (12, 12.0)
    assert "The bill: waits for somebody who decides about bills" in contoso.world.reads("maria")


async def test_only_somebody_who_decides_about_bills_approves_one_and_nobody_pays_by_another_button(
    contoso: Company,
) -> None:
    await bought_lately(contoso)
    await contoso.asks("Jane Doe", "Head of Sales")
    told = await contoso.world.clicks("sam", "Approve the bill")
    assert "Bills are decided by" in told.line
    assert "Approve all" not in contoso.world.reads("bill")
    await contoso.approved()
    await contoso.world.passes(minutes=30)
    assert seats(contoso) == 12


async def test_a_rejected_bill_leaves_the_rest_alone(contoso: Company) -> None:
    await bought_lately(contoso)
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.world.clicks("bill", "Reject the bill", values={"bill-reason": "We keep it for Ines"})
    await contoso.approved()
    await contoso.world.passes(minutes=30)
    assert contoso.person(people.JANE).licences == []
    assert seats(contoso) == 12
    assert "We keep it for Ines" in contoso.world.reads("sam")


async def test_without_the_rest_there_is_nothing_to_bill(contoso: Company) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.world.clicks("sam", "Reject", values={"reason": "She stays"})
    assert "(Approve the bill)" not in contoso.world.reads("bill")


async def test_where_the_client_waives_it_the_technicians_approval_is_enough(tmp_path: Path) -> None:
    async with company(tmp_path, paperwork=True, money="waived") as contoso:
        await bought_lately(contoso)
        await contoso.asks("Jane Doe", "Head of Sales")
        assert contoso.world.seen_by("bill") == []
        await contoso.approved()
        await contoso.world.passes(minutes=30)
        assert (seats(contoso), line(contoso)) == (11, 11.0)


async def test_the_client_reads_its_own_saving_and_never_what_its_provider_pays(contoso: Company) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    for_maria, for_bill = contoso.world.reads("maria"), contoso.world.reads("bill")
    assert "36.90 GBP" in for_maria
    assert "33.15" not in for_maria
    assert "33.15 USD a month, from 24 Aug 2027 on; committed until 24 Aug 2027. (Northwind IT)" in for_bill


async def test_a_distributor_that_is_down_while_planning_is_asked_until_it_answers(contoso: Company) -> None:
    await bought_lately(contoso)
    down = paper(contoso).pax8.fail(Fault("unavailable", calls=None))
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    await contoso.world.passes(minutes=40)
    assert "Jane Doe is locked out since" in contoso.world.reads("maria")
    assert (await states_by_title(contoso))["Read Pax8 once it answers"] == "waiting"
    paper(contoso).pax8.faults.remove(down)
    await contoso.world.passes(minutes=40)
    # What it asks is asked now, and its steps are a plan of their own.
    await contoso.clicks("Stop paying for it")
    await contoso.clicks("Submit")
    await contoso.world.clicks("bill", "Approve the bill")
    await contoso.world.passes(minutes=30)
    assert seats(contoso) == 11


async def test_an_answer_lost_on_the_way_takes_one_seat_and_not_two(contoso: Company) -> None:
    await bought_lately(contoso)
    paper(contoso).pax8.fail(Fault("lost", match="PUT /subscriptions"))
    await leaves(contoso)
    assert seats(contoso) == 11
    assert paper(contoso).pax8.changes_of(bought.E3) == ["12 → 11 seats"]


async def test_a_licence_that_the_shared_mailbox_keeps_is_promised_to_nobody(contoso: Company) -> None:
    await contoso.asks("Jane Doe", "Head of Sales", contentious=True)
    assert "Shared mailbox, keeps its licence" in contoso.world.reads("sam")
    await contoso.approved()
    await contoso.world.clicks("bill", "Approve the bill")
    await contoso.world.passes(minutes=30)
    for reader in ("maria", "sam", "bill"):
        assert "Microsoft 365 E3, 1 fewer" not in contoso.world.reads(reader)
    assert "M365-E3" not in {row.subject for row in await contoso.world.rows()}
