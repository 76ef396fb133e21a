"""The ticket: opened once and found again, everything on it carries our key, and no mail ever reaches the leaver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import pytest

from connectors.connectwise import CONNECTOR
from connectors.connectwise.client import ConnectWiseApi
from connectors.connectwise.service_desk import ConnectWiseDesk
from connectors.connectwise.simulated_records import CLOSED, JANE, MARIA, OLD_CLOSED
from connectors.connectwise.simulator import Fault
from connectors.contract import Json, Refused, Throttled, Unreachable
from tests.connectors.test_connectwise_world import Desk, day, desk_of

DESK = ConnectWiseDesk()
KEY = "0199f3a2-7c11-7d2e-9a55-0123456789ab"
BEGUN, ENDED = day("2026-11-23T17:00:00+01:00"), day("2026-11-23T17:20:00+01:00")
SUMMARY, WORDS = "Staff change 1042", "A staff change is being carried out."


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_of() as desk:
        # The trap of traps: mail to the company's default contact is mail to the leaver.
        desk.company()["defaultContact"] = {"id": JANE, "name": "Jane Doe"}
        yield desk


async def opened(desk: Desk, **changed: object) -> tuple[ConnectWiseApi, str]:
    api = await desk.connect(changed)
    return api, await DESK.open_ticket(api, KEY, SUMMARY, WORDS)


def ticket_of(desk: Desk, ticket: str) -> Json:
    return desk.provider.record("service/tickets", int(ticket))


# --- opening and finding


async def test_the_connector_brings_this_desk() -> None:
    assert isinstance(CONNECTOR.desk, ConnectWiseDesk)


async def test_a_ticket_is_opened_as_the_client_has_it(desk: Desk) -> None:
    api, ticket = await opened(desk, priority="priority 3 - normal", type="Staff change", status="In progress")
    record = ticket_of(desk, ticket)
    assert record["summary"] == SUMMARY
    assert cast("Json", record["board"])["name"] == "Offboarding"
    assert cast("Json", record["priority"])["id"] == 6
    assert cast("Json", record["type"])["id"] == 31
    assert cast("Json", record["status"])["name"] == "In progress"
    assert cast("Json", record["company"])["identifier"] == "ContosoLtd"
    [note] = desk.simulator.notes
    assert note["text"] == f"{WORDS}\n\n[offboard {KEY}]"
    assert note.get("internalAnalysisFlag") is True
    state = await DESK.read_ticket(api, ticket)
    assert state is not None
    assert (state.id, state.summary, state.closed, state.tasks, state.times) == (
        ticket,
        SUMMARY,
        False,
        (),
        frozenset(),
    )


async def test_a_ticket_is_found_by_its_key_renamed_and_closed_too(desk: Desk) -> None:
    api, ticket = await opened(desk)
    await DESK.rename_ticket(api, ticket, "Offboarding of Jane Doe")
    await DESK.close_ticket(api, ticket)
    assert await DESK.find_ticket(api, KEY) == ticket
    assert await DESK.find_ticket(api, "another-key") == ""


@pytest.mark.parametrize("key", ['a"b', "a*", "", KEY[:8]])
async def test_a_key_is_the_whole_key(desk: Desk, key: str) -> None:
    api, _ = await opened(desk)
    assert await DESK.find_ticket(api, key) == ""


async def test_another_clients_ticket_is_never_found(desk: Desk) -> None:
    await opened(desk)
    elsewhere = await desk.connect({"client_company": "Fabrikam"}, client="fabrikam")
    assert await DESK.find_ticket(elsewhere, KEY) == ""


async def test_of_two_tickets_with_one_key_the_first_is_it(desk: Desk) -> None:
    api, first = await opened(desk)
    await DESK.open_ticket(api, KEY, SUMMARY, WORDS)
    assert await DESK.find_ticket(api, KEY) == first


@pytest.mark.parametrize("kind", ["lost", "error"])
async def test_a_ticket_whose_answer_was_lost_is_found_and_not_opened_twice(desk: Desk, kind: str) -> None:
    api = await desk.connect()
    desk.simulator.fail(Fault(kind, status=500, effect=True, match="POST /service/tickets"))
    with pytest.raises(Unreachable):
        await DESK.open_ticket(api, KEY, SUMMARY, WORDS)
    ticket = await DESK.find_ticket(api, KEY)
    assert ticket == str(desk.simulator.tickets[0]["id"])
    assert desk.provider.counted(KEY) == 1


async def test_a_crash_before_the_contact_was_taken_off_is_made_good_when_the_ticket_is_found(desk: Desk) -> None:
    desk.provider.fills_contact = "always"
    api = await desk.connect()
    desk.simulator.fail(Fault("drop", calls=None, match="GET /service/tickets/"))
    with pytest.raises(Unreachable):
        await DESK.open_ticket(api, KEY, SUMMARY, WORDS)
    assert cast("Json", desk.simulator.tickets[0]["contact"])["id"] == JANE
    desk.simulator.faults.clear()
    ticket = await DESK.find_ticket(api, KEY)
    assert "contact" not in ticket_of(desk, ticket)
    assert len(desk.simulator.tickets) == 1


async def test_a_ticket_that_can_not_be_quieted_is_never_found_as_if_it_were(desk: Desk) -> None:
    desk.provider.fills_contact, desk.provider.keeps_contact = "always", True
    api = await desk.connect()
    for attempt in (DESK.open_ticket(api, KEY, SUMMARY, WORDS), DESK.find_ticket(api, KEY)):
        with pytest.raises(Refused, match="may go to Jane Doe"):
            await attempt


async def test_a_contact_a_technician_adds_later_is_theirs_to_add(desk: Desk) -> None:
    api, ticket = await opened(desk)
    ticket_of(desk, ticket)["contact"] = {"id": MARIA, "name": "Maria Rossi"}
    assert await DESK.find_ticket(api, KEY) == ticket
    assert cast("Json", ticket_of(desk, ticket)["contact"])["id"] == MARIA


async def test_a_priority_that_was_made_anew_is_found_at_the_next_attempt(desk: Desk) -> None:
    api, _ = await opened(desk, priority="Priority 3 - Normal")
    priorities = desk.provider.collections["service/priorities"]
    priorities[16] = {**priorities.pop(6), "id": 16}
    with pytest.raises(Refused, match="priority does not exist"):
        await DESK.open_ticket(api, "second", SUMMARY, WORDS)
    assert await DESK.open_ticket(api, "second", SUMMARY, WORDS)


@pytest.mark.parametrize("length", [99, 100, 101, 300])
async def test_a_summary_is_at_most_100_characters(desk: Desk, length: int) -> None:
    api = await desk.connect()
    ticket = await DESK.open_ticket(api, KEY, "x" * length, WORDS)
    summary = str(ticket_of(desk, ticket)["summary"])
    assert len(summary) == min(length, 100)
    assert summary.endswith("…") is (length > 100)
    await DESK.rename_ticket(api, ticket, "y " * length)
    assert len(str(ticket_of(desk, ticket)["summary"])) <= 100


async def test_a_ticket_that_was_deleted_reads_as_none(desk: Desk) -> None:
    api, ticket = await opened(desk)
    del desk.provider.collections["service/tickets"][int(ticket)]
    assert await DESK.read_ticket(api, ticket) is None


async def test_wrong_keys_are_not_taken_for_a_deleted_ticket(desk: Desk) -> None:
    api, ticket = await opened(desk)
    desk.keys["env/CONNECTWISE_PRIVATE"] = "revoked"
    with pytest.raises(Refused, match="private_key"):
        await DESK.read_ticket(api, ticket)


async def test_what_is_no_ticket_number_is_refused_before_anything_is_sent(desk: Desk) -> None:
    api = await desk.connect()
    with pytest.raises(Refused, match="no ticket number"):
        await DESK.read_ticket(api, "40001/notes")
    assert desk.asked() == []


async def test_an_external_reference_that_does_not_stick_is_told_with_the_ticket(desk: Desk) -> None:
    desk.provider.drops_reference = True
    api, ticket = await opened(desk)
    assert await DESK.find_ticket(api, KEY) == ticket, "it was set once more"
    desk.provider.deaf = ("externalXRef",)
    with pytest.raises(Unreachable, match=r"does not show its external reference.*leave ours alone"):
        await DESK.open_ticket(api, "second", SUMMARY, WORDS)


async def test_a_ticket_that_does_not_show_after_it_was_made_is_no_success(desk: Desk) -> None:
    desk.provider.lag = 30
    with pytest.raises(Unreachable, match="does not show"):
        await opened(desk)
    desk.clock.pass_by(31)
    desk.provider.lag = 0
    assert await DESK.find_ticket(await desk.connect(), KEY) == "40001"


# --- nobody is told


async def everything_on_it(desk: Desk, api: ConnectWiseApi, ticket: str) -> None:
    await DESK.add_note(api, ticket, "note-1", "Sign-in was blocked.")
    await DESK.add_task(api, ticket, "task-1", "Collect the laptop.")
    state = await DESK.read_ticket(api, ticket)
    assert state is not None
    await DESK.close_task(api, ticket, state.tasks[0].id, "Collected")
    await DESK.add_time(api, ticket, "time-1", BEGUN, ENDED, "Offboarding")
    await DESK.rename_ticket(api, ticket, "Offboarding of Jane Doe")
    await DESK.close_ticket(api, ticket)


@pytest.mark.parametrize("fills", ["never", "absent", "always"])
@pytest.mark.parametrize("board", ["Offboarding", "Help Desk"])
async def test_no_mail_reaches_the_leaver_whoever_is_the_default_contact(desk: Desk, fills: str, board: str) -> None:
    desk.provider.fills_contact = fills
    desk.provider.collections["service/boards/12/statuses"] = {
        number: dict(one) for number, one in desk.provider.collections["service/boards/11/statuses"].items()
    }
    api, ticket = await opened(desk, board=board)
    assert "contact" not in ticket_of(desk, ticket)
    await everything_on_it(desk, api, ticket)
    assert desk.simulator.mails == []


async def test_the_simulator_would_have_sent_it(desk: Desk) -> None:
    """The trap is real: the same ticket, opened as one opens tickets, tells the leaver at once."""
    api = await desk.connect()
    desk.provider.collections["service/boards/12/statuses"] = desk.provider.collections["service/boards/11/statuses"]
    await api.create("/service/tickets", {"summary": SUMMARY, "board": {"id": 12}, "company": {"id": 250}})
    assert [(mail.to, mail.why) for mail in desk.simulator.mails] == [("jane.doe@contoso.example", "new ticket")]


async def test_a_contact_the_board_puts_on_is_taken_off(desk: Desk) -> None:
    desk.provider.fills_contact = "always"
    _, ticket = await opened(desk)
    assert "contact" not in ticket_of(desk, ticket)
    assert [cast("list[Json]", call.body)[0]["path"] for call in desk.changes()[1:]] == ["contact", "externalXRef"]


async def test_a_contact_that_only_null_takes_off_is_taken_off(desk: Desk) -> None:
    desk.provider.fills_contact, desk.provider.removes_by_null = "always", True
    _, ticket = await opened(desk)
    assert "contact" not in ticket_of(desk, ticket)


async def test_a_contact_that_stays_is_told_with_the_ticket_and_the_fix(desk: Desk) -> None:
    desk.provider.fills_contact, desk.provider.keeps_contact = "always", True
    with pytest.raises(
        Refused, match=r"mail about it may go to Jane Doe.*take contact and copies off ticket #40001 now"
    ):
        await opened(desk)
    assert desk.simulator.mails == []


async def test_copies_the_board_adds_are_taken_off(desk: Desk) -> None:
    desk.provider.copies = "jane.doe@contoso.example"
    api, ticket = await opened(desk)
    record = ticket_of(desk, ticket)
    assert (record["automaticEmailCcFlag"], record["automaticEmailCc"]) == (False, "")
    await everything_on_it(desk, api, ticket)
    assert desk.simulator.mails == []


async def test_copies_that_stay_are_told(desk: Desk) -> None:
    desk.provider.copies, desk.provider.deaf = "jane.doe@contoso.example", ("automaticEmailCc", "automaticEmailCcFlag")
    with pytest.raises(Refused, match=r"jane\.doe@contoso\.example.*end the rule"):
        await opened(desk)


async def test_every_write_says_that_nobody_is_to_be_notified(desk: Desk) -> None:
    api, ticket = await opened(desk)
    await everything_on_it(desk, api, ticket)
    for call in desk.changes():
        if call.path == "/service/tickets" or call.path.endswith("/notes"):
            assert cast("Json", call.body)["processNotifications"] is False, call
            assert cast("Json", call.body)["customerUpdatedFlag"] is False, call
        elif call.path == "/time/entries":
            flags = {name: value for name, value in cast("Json", call.body).items() if name.startswith("email")}
            assert flags == {"emailContactFlag": False, "emailResourceFlag": False, "emailCcFlag": False}
        elif call.method == "PATCH" and "/tasks/" not in call.path:
            assert {"op": "replace", "path": "processNotifications", "value": False} in cast("list[Json]", call.body)


async def test_a_contact_is_named_only_where_the_client_names_one(desk: Desk) -> None:
    _, ticket = await opened(desk, contact=str(MARIA))
    assert cast("Json", ticket_of(desk, ticket)["contact"])["id"] == MARIA
    assert cast("Json", desk.changes()[0].body)["contact"] == {"id": MARIA}
    assert ticket_of(desk, ticket)["automaticEmailContactFlag"] is False


async def test_a_note_that_customers_can_read_is_told_at_once(desk: Desk) -> None:
    api, ticket = await opened(desk)
    desk.provider.publishes_notes = True
    with pytest.raises(Refused, match=r"customers can read it.*make that note internal at once"):
        await DESK.add_note(api, ticket, "note-1", "Sign-in was blocked.")


# --- notes, tasks, time


async def test_everything_carries_its_key_and_is_read_back(desk: Desk) -> None:
    api, ticket = await opened(desk, work_type="Remote", work_role="Engineer")
    await everything_on_it(desk, api, ticket)
    state = await DESK.read_ticket(api, ticket)
    assert state is not None
    assert state.notes == {KEY, "note-1"}
    assert state.times == {"time-1"}
    [task] = state.tasks
    assert (task.key, task.closed, task.closed_by, task.resolution) == ("task-1", True, "offboard", "Collected")
    assert state.summary == "Offboarding of Jane Doe"
    assert state.closed
    [time] = desk.simulator.times
    assert (time["timeStart"], time["timeEnd"]) == ("2026-11-23T16:00:00Z", "2026-11-23T16:20:00Z")
    assert cast("Json", time["member"])["identifier"] == "offboard"
    assert (cast("Json", time["workType"])["id"], cast("Json", time["workRole"])["id"]) == (41, 51)


async def test_what_a_person_added_has_no_key(desk: Desk) -> None:
    api, ticket = await opened(desk)
    path = f"service/tickets/{ticket}"
    desk.provider.collections[f"{path}/tasks"] = {9: {"id": 9, "notes": "Ring her manager", "closedFlag": False}}
    state = await DESK.read_ticket(api, ticket)
    assert state is not None
    assert [(task.id, task.key, task.closed, task.closed_by) for task in state.tasks] == [("9", "", False, "")]


async def test_many_notes_over_many_pages_are_all_read(desk: Desk) -> None:
    desk.provider.most_per_page = 2
    api, ticket = await opened(desk)
    for place in range(5):
        await DESK.add_note(api, ticket, f"note-{place}", "x")
    state = await DESK.read_ticket(api, ticket)
    assert state is not None
    assert state.notes == {KEY, *(f"note-{place}" for place in range(5))}


async def test_a_task_a_person_closed_first_keeps_their_words(desk: Desk) -> None:
    api, ticket = await opened(desk)
    await DESK.add_task(api, ticket, "task-1", "Collect the laptop.")
    [task] = desk.simulator.tasks
    task |= {"closedFlag": True, "resolution": "Sam has it", "_info": {"updatedBy": "sam"}}
    await DESK.close_task(api, ticket, str(task["id"]), "done by the bot")
    state = await DESK.read_ticket(api, ticket)
    assert state is not None
    assert (state.tasks[0].resolution, state.tasks[0].closed_by) == ("Sam has it", "sam")


async def test_time_of_no_length_is_a_minute(desk: Desk) -> None:
    api, ticket = await opened(desk)
    await DESK.add_time(api, ticket, "time-1", BEGUN, BEGUN, "x")
    assert desk.simulator.times[0]["timeEnd"] == "2026-11-23T16:01:00Z"


async def test_time_of_another_ticket_is_not_this_ones(desk: Desk) -> None:
    api, ticket = await opened(desk)
    other = await DESK.open_ticket(api, "other", SUMMARY, WORDS)
    await DESK.add_time(api, other, "time-1", BEGUN, ENDED, "x")
    state = await DESK.read_ticket(api, ticket)
    assert state is not None
    assert state.times == frozenset()


Write = Callable[[ConnectWiseApi, str], Awaitable[None]]


async def a_note(api: ConnectWiseApi, ticket: str) -> None:
    await DESK.add_note(api, ticket, "k", "x")


async def a_task(api: ConnectWiseApi, ticket: str) -> None:
    await DESK.add_task(api, ticket, "k", "x")


async def time_spent(api: ConnectWiseApi, ticket: str) -> None:
    await DESK.add_time(api, ticket, "k", BEGUN, ENDED, "x")


async def a_new_name(api: ConnectWiseApi, ticket: str) -> None:
    await DESK.rename_ticket(api, ticket, "Another")


async def its_end(api: ConnectWiseApi, ticket: str) -> None:
    await DESK.close_ticket(api, ticket)


WRITES = pytest.mark.parametrize(
    "write", [a_note, a_task, time_spent, a_new_name, its_end], ids=lambda one: one.__name__
)


@WRITES
async def test_a_success_that_does_not_show_is_no_success(desk: Desk, write: Write) -> None:
    api, ticket = await opened(desk)
    desk.provider.lag = 30
    with pytest.raises(Unreachable, match="answered with success"):
        await write(api, ticket)


@WRITES
async def test_nothing_is_ever_sent_twice(desk: Desk, write: Write) -> None:
    api, ticket = await opened(desk)
    sent = len(desk.changes())
    desk.simulator.fail(Fault("lost", calls=None, match="POST"))
    desk.simulator.fail(Fault("lost", calls=None, match="PATCH"))
    with pytest.raises(Unreachable):
        await write(api, ticket)
    assert len(desk.changes()) == sent + 1
    state = await DESK.read_ticket(api, ticket)
    assert state is not None
    assert desk.provider.counted("k") <= 1


@WRITES
async def test_a_wait_is_passed_on(desk: Desk, write: Write) -> None:
    api, ticket = await opened(desk)
    desk.simulator.fail(Fault("throttle", retry_after="20", match="service/tickets"))
    desk.simulator.fail(Fault("throttle", retry_after="20", match="time/entries"))
    with pytest.raises(Throttled):
        await write(api, ticket)


async def test_a_status_that_does_nothing_leaves_the_ticket_open_and_says_so(desk: Desk) -> None:
    api, ticket = await opened(desk)
    desk.provider.deaf = ("status",)
    with pytest.raises(Unreachable, match="closing the ticket does not show"):
        await DESK.close_ticket(api, ticket)


async def test_closing_a_task_that_does_nothing_says_so(desk: Desk) -> None:
    api, ticket = await opened(desk)
    await DESK.add_task(api, ticket, "task-1", "x")
    desk.provider.deaf = ("closedFlag",)
    with pytest.raises(Unreachable, match="closing the task does not show"):
        await DESK.close_task(api, ticket, str(desk.simulator.tasks[0]["id"]), "x")


async def test_a_status_is_replaced_whole(desk: Desk) -> None:
    """Changing a part of a reference is answered with success and does nothing."""
    api, ticket = await opened(desk)
    await DESK.close_ticket(api, ticket)
    assert {"op": "replace", "path": "status", "value": {"id": CLOSED}} in cast("list[Json]", desk.changes()[-1].body)


# --- names in clients.yml


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("board", "Nowhere"),
        ("priority", "Urgent!"),
        ("type", "Nothing"),
        ("status", "Lost"),
        ("status", ">Closed (old)"),
        ("closed_status", "In progress"),
        ("closed_status", ">Closed (old)"),
        ("member", "nobody"),
        ("work_type", "None"),
        ("work_role", "None"),
    ],
)
async def test_a_name_that_leads_nowhere_names_the_setting_and_opens_nothing(
    desk: Desk, setting: str, name: str
) -> None:
    with pytest.raises(Refused, match=rf"Set {setting} in clients\.yml"):
        await opened(desk, **{setting: name})
    assert desk.changes() == []


async def test_an_inactive_member_owns_nothing(desk: Desk) -> None:
    desk.provider.record("system/members", 21)["inactiveFlag"] = True
    with pytest.raises(Refused, match="'offboard' is inactive"):
        await opened(desk)


async def test_a_closed_status_that_is_not_used_any_more_is_not_used(desk: Desk) -> None:
    api, ticket = await opened(desk)
    await DESK.close_ticket(api, ticket)
    assert cast("Json", ticket_of(desk, ticket)["status"])["id"] != OLD_CLOSED


async def test_a_ticket_is_opened_again_with_the_status_a_new_one_has_and_nobody_is_told(desk: Desk) -> None:
    api, ticket = await opened(desk)
    before = cast("Json", ticket_of(desk, ticket)["status"])["id"]
    await DESK.close_ticket(api, ticket)
    mails = len(desk.simulator.mails)
    await DESK.reopen_ticket(api, ticket)
    state = await DESK.read_ticket(api, ticket)
    assert state is not None
    assert not state.closed
    assert cast("Json", ticket_of(desk, ticket)["status"])["id"] == before
    assert len(desk.simulator.mails) == mails


async def test_opening_again_that_does_nothing_says_so(desk: Desk) -> None:
    api, ticket = await opened(desk)
    await DESK.close_ticket(api, ticket)
    desk.provider.deaf = ("status",)
    with pytest.raises(Unreachable, match="opening the ticket again does not show"):
        await DESK.reopen_ticket(api, ticket)


async def test_names_are_looked_up_once(desk: Desk) -> None:
    api, ticket = await opened(desk)
    desk.simulator.calls.clear()
    await DESK.add_task(api, ticket, "task-1", "x")
    assert desk.asked() == [f"POST /service/tickets/{ticket}/tasks", f"GET /service/tickets/{ticket}/tasks"]
