"""The ticket at the service desk: opened beside the lock-out, betraying nothing, kept true, and never two of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue
from sqlmodel import select

from connectors.connectwise import simulated_records as desk
from connectors.connectwise.simulator import Fault, SimulatedConnectWise
from connectors.contract import Json
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import CONTOSO
from connectors.microsoft365.simulator import Fault as GraphFault
from connectors.pax8 import simulated_company as bought
from connectors.simulated_faults import Fault as HttpFault
from handlers.cases.desk_entry import DeskEntry
from tests.company import Company, company


@pytest.fixture
async def contoso(tmp_path: Path) -> AsyncIterator[Company]:
    """The whole company, its bill and its ticket included."""
    async with company(tmp_path, paperwork=True) as built:
        yield built


def psa(contoso: Company) -> SimulatedConnectWise:
    return contoso.companies.paperwork.connectwise


def summaries(contoso: Company) -> list[JsonValue]:
    return [ticket["summary"] for ticket in psa(contoso).tickets]


def notes(contoso: Company) -> str:
    return "\n".join(str(note["text"]) for note in psa(contoso).notes)


def open_tasks(contoso: Company) -> list[Json]:
    return [task for task in psa(contoso).tasks if not task["closedFlag"]]


async def leaves(contoso: Company) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    await contoso.world.passes(minutes=30)


async def nothing_stands_twice(contoso: Company) -> None:
    keys = await contoso.world.house.store.read(
        lambda session: [entry.key for entry in session.exec(select(DeskEntry))]
    )
    ticket = str(psa(contoso).tickets[0]["externalXRef"]).removeprefix("offboard ")
    assert psa(contoso).provider.counted(ticket) == 1
    assert [key for key in keys if psa(contoso).provider.counted(key) > 1] == []


async def test_the_ticket_is_opened_with_the_lock_out_and_tells_whom_it_is_about_only_afterwards(
    contoso: Company,
) -> None:
    stuck = contoso.companies.microsoft.fail(
        CONTOSO, GraphFault("error", None, f"PATCH /users/{people.JANE}", status=403)
    )
    await contoso.asks("Jane Doe", "Head of Sales")
    assert summaries(contoso) == []
    await contoso.approved()
    assert summaries(contoso) == ["User change, case 1"]
    assert "Jane" not in notes(contoso)
    assert "Ticket: 40001" in contoso.world.reads("sam")
    (task,) = open_tasks(contoso)
    assert "Case 1: a step needs a person. The card in chat says which." in str(task["notes"])
    contoso.companies.microsoft.faults[CONTOSO].remove(stuck)
    for heading in ("Block sign-in", "Reset the password"):
        await contoso.world.clicks("sam", "Retry", within=heading)
    await contoso.world.passes(minutes=10)
    assert summaries(contoso) == ["Offboarding Jane Doe, case 1"]
    assert "Sign-in: ended 17:00" in notes(contoso)
    # From now on each task says what is to be done.
    assert not [one for one in open_tasks(contoso) if "The card in chat says which" in str(one["notes"])]
    assert [one for one in open_tasks(contoso) if "Equipment in ConnectWise" in str(one["notes"])]
    await nothing_stands_twice(contoso)


async def test_a_step_that_needs_a_person_again_has_a_neutral_task_again(contoso: Company) -> None:
    graph = contoso.companies.microsoft
    refused = graph.fail(CONTOSO, GraphFault("error", None, f"PATCH /users/{people.JANE}", status=403))
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    assert len(open_tasks(contoso)) == 1
    graph.faults[CONTOSO].remove(refused)
    down = graph.fail(CONTOSO, GraphFault("unavailable", None, f"PATCH /users/{people.JANE}"))
    for heading in ("Block sign-in", "Reset the password"):
        await contoso.world.clicks("sam", "Retry", within=heading)
    states = await contoso.world.steps()
    assert {states[f"microsoft365.{name}"].state for name in ("block_sign_in", "reset_password")} == {"waiting"}
    for row in [row for row in await contoso.world.rows() if row.state in {"task", "needs a person"}]:
        await contoso.world.clicks("sam", "Skip", within=row.title, values={f"note-{row.id}": "Seen to"})
    assert open_tasks(contoso) == []  # what is left is tried again by itself
    graph.faults[CONTOSO].remove(down)
    graph.faults[CONTOSO].append(refused)
    await contoso.world.passes(minutes=30)
    assert (await contoso.world.steps())["microsoft365.block_sign_in"].state == "needs a person"
    assert len(open_tasks(contoso)) == 1
    assert "Jane" not in str(open_tasks(contoso)[0]["notes"])


async def test_a_neutral_task_that_somebody_closes_is_opened_anew_while_the_step_still_needs_a_person(
    contoso: Company,
) -> None:
    contoso.companies.microsoft.fail(CONTOSO, GraphFault("error", None, f"PATCH /users/{people.JANE}", status=403))
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    (task,) = open_tasks(contoso)
    task.update({"closedFlag": True, "resolution": "Done, I think"})
    await contoso.world.passes(minutes=30)
    (another,) = open_tasks(contoso)
    assert another["id"] != task["id"]
    assert (await contoso.world.steps())["microsoft365.block_sign_in"].state == "needs a person"
    await nothing_stands_twice(contoso)


async def test_every_wave_leaves_a_note_and_the_end_a_time_entry_and_the_saving(contoso: Company) -> None:
    await leaves(contoso)
    await contoso.world.clicks("bill", "Approve the bill")
    await contoso.world.passes(minutes=30)
    for words in ("Locked out; each way in read back.", "Hand over\n", "Clean up\n", "36.90 GBP a month"):
        assert (words in notes(contoso)) == (words != "Clean up\n"), words  # two of that wave are a person's yet
    assert [(entry["timeStart"], entry["timeEnd"]) for entry in psa(contoso).times] == [
        ("2026-11-23T17:00:00Z", "2026-11-23T17:15:00Z")
    ]
    await nothing_stands_twice(contoso)


async def test_a_task_is_mirrored_and_closing_it_on_the_ticket_is_read_back_here(contoso: Company) -> None:
    await leaves(contoso)
    task = next(one for one in open_tasks(contoso) if "Equipment in ConnectWise" in str(one["notes"]))
    for device in (desk.LAPTOP, desk.DOCK):
        psa(contoso).provider.record("company/configurations", device)["contact"] = None
    task.update({"closedFlag": True, "resolution": "Both are back in the cupboard"})
    await contoso.world.passes(minutes=10)
    steps = await contoso.world.steps()
    assert steps["connectwise.devices"].state == "done"
    assert "Equipment in ConnectWise" not in " ".join(str(one["notes"]) for one in open_tasks(contoso))
    assert "closed on the ticket" in {row.what for row in await contoso.world.history()}


async def test_a_task_closed_there_that_is_not_done_comes_back_as_a_new_one(contoso: Company) -> None:
    await leaves(contoso)
    task = next(one for one in open_tasks(contoso) if "Equipment in ConnectWise" in str(one["notes"]))
    task.update({"closedFlag": True, "resolution": "Done"})
    await contoso.world.passes(minutes=20)
    assert (await contoso.world.steps())["connectwise.devices"].state == "task"
    again = [one for one in open_tasks(contoso) if "Equipment in ConnectWise" in str(one["notes"])]
    assert [one["id"] for one in again] != [task["id"]]
    assert len(again) == 1


async def test_a_task_settled_here_is_closed_there_and_the_ticket_with_the_last_one(contoso: Company) -> None:
    await leaves(contoso)
    await contoso.world.clicks("bill", "Reject the bill", values={"bill-reason": "Not now"})
    for row in [row for row in await contoso.world.rows() if row.state == "task"]:
        note = {f"note-{row.id}": "Seen to"}
        await contoso.world.clicks("sam", "Skip", within=row.title, values=note)
    await contoso.world.passes(minutes=20)
    assert open_tasks(contoso) == []
    assert [ticket["status"] for ticket in psa(contoso).tickets] == [{"id": desk.CLOSED, "name": ">Closed"}]
    assert "Seen to" in " ".join(str(one["resolution"]) for one in psa(contoso).tasks)


async def test_a_ticket_stays_open_as_long_as_something_goes_on_by_itself(contoso: Company) -> None:
    pax8 = contoso.companies.paperwork.pax8
    seat = pax8.subscriptions[bought.E3]
    seat.renew(contoso.world.clock.now() + timedelta(days=365), contoso.world.clock.now() - timedelta(days=3))
    seat.history = [seat.record(contoso.world.clock.now() - timedelta(days=3), stale=False)]
    down = pax8.fail(HttpFault("unavailable", None, "PUT /subscriptions"))
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    await contoso.world.clicks("bill", "Approve the bill")
    for row in [row for row in await contoso.world.rows() if row.state == "task"]:
        await contoso.world.clicks("sam", "Skip", within=row.title, values={f"note-{row.id}": "Seen to"})
    await contoso.world.passes(minutes=1)
    assert (await contoso.world.steps())["pax8.reduce_seats"].state == "waiting"
    assert [ticket["closedFlag"] for ticket in psa(contoso).tickets] == [False]
    pax8.faults.remove(down)
    await contoso.world.passes(minutes=30)
    assert (await contoso.world.steps())["pax8.reduce_seats"].state == "done"
    assert [ticket["closedFlag"] for ticket in psa(contoso).tickets] == [True]


async def test_a_task_is_heard_of_even_on_a_ticket_that_somebody_has_closed_too_early(contoso: Company) -> None:
    await leaves(contoso)
    psa(contoso).tickets[0].update({"status": {"id": desk.CLOSED, "name": ">Closed"}, "closedFlag": True})
    await contoso.world.passes(minutes=20)
    task = next(one for one in open_tasks(contoso) if "Equipment in ConnectWise" in str(one["notes"]))
    for device in (desk.LAPTOP, desk.DOCK):
        psa(contoso).provider.record("company/configurations", device)["contact"] = None
    task.update({"closedFlag": True, "resolution": "Both are back in the cupboard"})
    await contoso.world.passes(minutes=20)
    assert (await contoso.world.steps())["connectwise.devices"].state == "done"


async def test_a_desk_that_is_down_during_the_lock_out_gets_its_one_ticket_an_hour_later(contoso: Company) -> None:
    down = psa(contoso).fail(Fault("unavailable", calls=None))
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    assert "Jane Doe is locked out since 17:00. ConnectWise PSA could not be asked yet." in contoso.world.reads("maria")
    await contoso.world.passes(minutes=60)
    assert "Ticket: not up to date, tried again by itself." in contoso.world.reads("sam")
    psa(contoso).faults.remove(down)
    await contoso.world.passes(minutes=30)
    assert summaries(contoso) == ["Offboarding Jane Doe, case 1"]
    assert "Sign-in: ended 17:00" in notes(contoso)
    headline = str(contoso.world.card("maria", "Case 1: Jane Doe").card.sections[0].body[0])
    assert headline.startswith("Jane Doe is locked out since")
    assert "could not be asked yet" not in headline
    await nothing_stands_twice(contoso)


@pytest.mark.parametrize("what", ["POST /service/tickets", "/notes", "/tasks", "/time/entries"])
async def test_an_answer_lost_on_the_way_makes_no_second_ticket_note_task_or_hour(contoso: Company, what: str) -> None:
    psa(contoso).fail(Fault("lost", calls=2, match=what if what.startswith("POST") else f"{what}"))
    await leaves(contoso)
    await contoso.world.passes(minutes=20)
    assert len(psa(contoso).tickets) == 1
    assert len(psa(contoso).times) == 1
    await nothing_stands_twice(contoso)


async def test_the_ticket_never_mails_the_leaver_even_where_the_desk_would(contoso: Company) -> None:
    provider = psa(contoso).provider
    provider.record("company/companies", desk.CONTOSO)["defaultContact"] = {"id": desk.JANE, "name": "Jane Doe"}
    provider.fills_contact = "absent"
    await leaves(contoso)
    assert summaries(contoso) == ["Offboarding Jane Doe, case 1"]
    assert [mail for mail in psa(contoso).mails if "jane" in mail.to] == []


async def test_our_own_people_have_no_ticket_for_their_colleagues_to_read(tmp_path: Path) -> None:
    async with company(tmp_path, paperwork=True, own=True) as contoso:
        await contoso.asks("Jane Doe", "Head of Sales")
        await contoso.world.clicks("ada", "Approve")
        await contoso.world.passes(minutes=30)
        assert (await contoso.states())["microsoft365.block_sign_in"] == "done"
        assert psa(contoso).tickets == []


async def test_the_wrong_person_leaves_a_neutral_closed_ticket(contoso: Company) -> None:
    await leaves(contoso)
    await contoso.world.clicks("sam", "Wrong person, restore access")
    await contoso.world.passes(minutes=20)
    assert summaries(contoso) == ["User change, case 1"]
    assert [ticket["status"] for ticket in psa(contoso).tickets] == [{"id": desk.CLOSED, "name": ">Closed"}]
    assert open_tasks(contoso) == []


async def test_a_summary_that_somebody_wrote_is_left_alone(contoso: Company) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    psa(contoso).tickets[0]["summary"] = "Jane D., see Ada"
    await contoso.world.passes(minutes=20)
    assert summaries(contoso) == ["Jane D., see Ada"]


async def test_an_old_ticket_is_looked_at_less_often(contoso: Company) -> None:
    await leaves(contoso)
    asked = len(psa(contoso).calls)
    await contoso.world.passes(minutes=10)
    at_first = len(psa(contoso).calls) - asked
    await contoso.world.passes(days=2)
    asked = len(psa(contoso).calls)
    await contoso.world.passes(minutes=50)
    assert at_first > 0
    assert len(psa(contoso).calls) - asked <= at_first


async def test_what_comes_back_after_the_ticket_was_closed_opens_it_again(contoso: Company) -> None:
    await leaves(contoso)
    await contoso.world.clicks("bill", "Approve the bill")
    for row in [row for row in await contoso.world.rows() if row.state == "task"]:
        await contoso.world.clicks("sam", "Skip", within=row.title, values={f"note-{row.id}": "Seen to"})
    await contoso.world.passes(minutes=10)
    assert [ticket["closedFlag"] for ticket in psa(contoso).tickets] == [True]
    contoso.person(people.JANE).enabled = True
    contoso.companies.microsoft.fail(CONTOSO, GraphFault("error", None, f"PATCH /users/{people.JANE}", status=403))
    await contoso.world.passes(hours=2)
    assert (await contoso.world.steps())["microsoft365.block_sign_in"].state == "needs a person"
    assert [ticket["closedFlag"] for ticket in psa(contoso).tickets] == [False]
    assert len(open_tasks(contoso)) == 1
    await nothing_stands_twice(contoso)
