"""The right of the demo's page without a browser: what it says about people, and what it lists as asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import JsonValue

from bot.lab.companies import Companies
from bot.lab.demo_activity import DESK, DOMAIN, EXCHANGE, GRAPH, SEATS
from bot.lab.demo_tenants import SYNC, Line, Tenants
from connectors.active_directory.simulated_people import FABRIKAM_JANE as JANES_SAM
from connectors.active_directory.simulator import Call as DomainCall
from connectors.connectwise.simulator import Call as DeskCall
from connectors.contract import Json
from connectors.exchange.simulator import BATCH
from connectors.exchange.simulator import Call as ExchangeCall
from connectors.microsoft365.simulated_people import CONTOSO, FABRIKAM, FABRIKAM_JANE, JANE, MARIA, SYNCED
from connectors.microsoft365.simulator import Call as GraphCall
from connectors.pax8 import simulated_company as bought
from connectors.pax8.simulator import Call as SeatsCall


class Watched:
    """The tenants as the page has them, and a clock to move."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
        self.companies = Companies(now=lambda: self.time)
        self.tenants = Tenants(self.companies)

    def line(self, tenant: str, user: str, name: str) -> Line | None:
        return next((one for one in self.tenants.lines(tenant, user) if one.trait.name == name), None)

    def asked(self, tenant: str) -> list[tuple[str, str, str, str]]:
        return [(one.system, one.verb, one.words, one.kind) for one in self.tenants.activity(tenant)]

    def cmdlet(self, name: str, **given: str | bool) -> None:
        self.companies.exchange.calls.append(ExchangeCall(1, self.time, FABRIKAM, name, given, {}, 200, None, {}))

    def graph(self, method: str, body: Json, status: int) -> None:
        path = f"/users/{FABRIKAM_JANE}"
        call = GraphCall(1, self.time, FABRIKAM, method, path, {}, {}, body, status, None)
        self.companies.microsoft.calls.append(call)

    def opens_a_case(self, user: str) -> None:
        """The bot reads their sign-in methods."""
        path = f"/users/{user}/authentication/methods"
        self.companies.microsoft.calls.append(GraphCall(1, self.time, CONTOSO, "GET", path, {}, {}, {}, 200, None))
        self.tenants.newest()

    def ticket(self, summary: str) -> Json:
        """The first ticket of the desk."""
        ticket: Json = {"id": 40001, "summary": summary, "status": {"id": 101, "name": "New"}}
        self.companies.paperwork.connectwise.provider.collections["service/tickets"] = {40001: ticket}
        self.tenants.newest()
        return ticket


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    yield watched
    await watched.companies.stop()


def test_everybody_can_be_looked_at_and_nothing_counts_as_changed_at_the_start(watched: Watched) -> None:
    for tenant in watched.tenants.ids:
        for person in watched.tenants.people(tenant):
            lines = watched.tenants.lines(tenant, person.id)
            assert lines
            assert not [line for line in lines if line.new or line.gone or line.at]


def test_a_change_shows_what_is_new_what_is_gone_and_when(watched: Watched) -> None:
    watched.tenants.lines(CONTOSO, JANE)
    watched.time += timedelta(minutes=1)
    watched.companies.mailbox(JANE).kind = "SharedMailbox"
    line = watched.line(CONTOSO, JANE, "Type")
    assert line is not None
    assert (line.new, line.gone, line.at) == ({"Shared mailbox"}, ("User mailbox",), watched.time)


def test_what_changed_before_anybody_looked_gets_no_invented_time(watched: Watched) -> None:
    watched.companies.person(JANE).enabled = False
    line = watched.line(CONTOSO, JANE, "Sign-in")
    assert line is not None
    assert (line.gone, line.at) == (("Allowed",), None)


def test_a_disabled_laptop_is_not_shown_as_gone(watched: Watched) -> None:
    for device in watched.companies.microsoft.tenants[CONTOSO].devices.values():
        device.enabled = False
    line = watched.line(CONTOSO, JANE, "Devices")
    assert line is not None
    assert (line.trait.values, line.gone) == (("JANE-LAPTOP (disabled)",), ())


def test_a_lost_mailbox_leaves_all_of_it_struck_through(watched: Watched) -> None:
    watched.companies.mailbox(JANE).kind = "Purged"
    line = watched.line(CONTOSO, JANE, "Type")
    assert line is not None
    assert (line.trait.values, line.gone) == ((), ("User mailbox", "12 GB"))


def test_fabrikams_domain_and_contosos_bill_are_connected_and_shown(watched: Watched) -> None:
    assert {one: set(watched.tenants.systems(one)) for one in watched.tenants.ids} == {
        CONTOSO: {"microsoft365", "exchange", "pax8", "connectwise"},
        FABRIKAM: {"microsoft365", "exchange", "active_directory"},
    }
    assert watched.line(CONTOSO, SYNCED, "Domain account") is None
    assert watched.line(FABRIKAM, FABRIKAM_JANE, "Managed users") is None
    shown = watched.line(FABRIKAM, FABRIKAM_JANE, "Its groups")
    assert shown is not None
    assert shown.trait.values == ("Design files", "VPN users")


def test_a_sync_comes_by_itself_and_leaves_off_whom_the_domain_has_disabled(watched: Watched) -> None:
    synced = [watched.companies.person(user) for user in (SYNCED, FABRIKAM_JANE)]
    for person in synced:
        person.enabled, person.sync_reverts_at = False, watched.time + timedelta(seconds=SYNC)
    watched.companies.domains[FABRIKAM].domain.people[JANES_SAM].control |= 2
    watched.tenants.let_time_pass()
    assert [person.enabled for person in synced] == [False, False]
    watched.time += timedelta(seconds=SYNC)
    watched.tenants.let_time_pass()
    assert [person.enabled for person in synced] == [True, False]
    assert watched.companies.person(FABRIKAM_JANE).last_sync == watched.time


# --- the bill and the ticket ------------------------------------------------------------------------


def test_a_seat_given_back_shows_beside_one_that_is_committed(watched: Watched) -> None:
    watched.tenants.lines(CONTOSO, JANE)
    watched.companies.person(JANE).licences.clear()
    watched.companies.paperwork.pax8.subscriptions[bought.POWER_BI].set_quantity(watched.time, 19)
    loose, held = watched.line(CONTOSO, JANE, "Power BI Pro"), watched.line(CONTOSO, JANE, "365 E3")
    assert loose is not None
    assert held is not None
    assert (loose.new, loose.gone) == ({"19 bought", "19 in use"}, ("20 bought", "20 in use"))
    assert held.trait.values == ("12 bought", "11 in use", "12 invoiced", "committed until 24 Aug 2027")


def test_only_products_somebody_had_are_on_their_bill(watched: Watched) -> None:
    assert watched.line(CONTOSO, SYNCED, "Power BI Pro") is None
    assert watched.line(CONTOSO, SYNCED, "365 E3") is not None


def test_bought_used_and_invoiced_agree_before_anybody_leaves(watched: Watched) -> None:
    for name in ("365 E3", "Power BI Pro"):
        line = watched.line(CONTOSO, JANE, name)
        assert line is not None
        assert len({value.partition(" ")[0] for value in line.trait.values[:3]}) == 1


def test_the_managers_are_the_same_people_at_the_service_desk(watched: Watched) -> None:
    for user in (JANE, MARIA):
        contact = watched.line(CONTOSO, user, "Contact")
        assert contact is not None
        assert contact.trait.values == ("active", "portal open")


def test_a_ticket_that_names_nobody_yet_is_shown_with_the_newest_case(watched: Watched) -> None:
    watched.opens_a_case(JANE)
    ticket = watched.ticket("User change, case 1")
    shown = watched.line(CONTOSO, JANE, "Ticket")
    assert shown is not None
    assert shown.trait.values == ("#40001 User change, case 1", "New")
    assert watched.line(CONTOSO, MARIA, "Ticket") is None
    # A second case begins meanwhile; the first one's ticket stays with it, and says so once it may.
    watched.opens_a_case(MARIA)
    ticket["summary"] = "Offboarding Jane Doe, case 1"
    watched.tenants.newest()
    shown = watched.line(CONTOSO, JANE, "Ticket")
    assert shown is not None
    assert shown.trait.values == ("#40001 Offboarding Jane Doe, case 1", "New")
    assert watched.line(CONTOSO, MARIA, "Ticket") is None


def test_a_ticket_that_names_somebody_else_goes_to_them(watched: Watched) -> None:
    watched.opens_a_case(MARIA)
    watched.ticket("Offboarding Sam Synced, case 1")
    assert watched.line(CONTOSO, MARIA, "Ticket") is None
    assert watched.line(CONTOSO, SYNCED, "Ticket") is not None


def test_open_tasks_and_the_last_note_are_shown_without_our_keys(watched: Watched) -> None:
    watched.opens_a_case(JANE)
    watched.ticket("User change, case 1")
    provider = watched.companies.paperwork.connectwise.provider
    tasks: list[Json] = [
        {"notes": "Get the laptop back\nAsk her\n\n[offboard 1.a]", "closedFlag": False},
        {"notes": "A step needs a person\n\n[offboard 1.b]", "closedFlag": False},
        {"notes": "A step needs a person\n\n[offboard 1.c]", "closedFlag": False},
        {"notes": "Done with\n\n[offboard 1.d]", "closedFlag": True},
    ]
    provider.collections["service/tickets/40001/tasks"] = dict(enumerate(tasks))
    provider.collections["service/tickets/40001/notes"] = {
        1: {"text": "Opened\n\n[offboard 1]"},
        2: {"text": "Hand over\nShare the OneDrive: done\n\n[offboard 1.2]"},
    }
    shown = [watched.line(CONTOSO, JANE, name) for name in ("Open tasks", "Last note")]
    assert [line.trait.values for line in shown if line] == [
        ("Get the laptop back", "2 × A step needs a person"),
        ("Hand over · Share the OneDrive: done",),
    ]


async def test_each_client_is_reached_in_a_domain_of_its_own(watched: Watched) -> None:
    await watched.companies.start()
    binds = {one: watched.companies.systems(one)["active_directory"] for one in watched.tenants.ids}
    assert [binds[one]["bind_name"] for one in binds] == [
        "offboard@corp.contoso.example",
        "offboard@corp.fabrikam.example",
    ]
    assert binds[CONTOSO]["servers"] != binds[FABRIKAM]["servers"]


# --- what was asked ---------------------------------------------------------------------------------


def test_three_journals_become_one_list_newest_first(watched: Watched) -> None:
    watched.graph("PATCH", {"accountEnabled": False}, 204)
    watched.time += timedelta(seconds=1)
    watched.cmdlet("Set-Mailbox", Identity=FABRIKAM_JANE, Type="Shared")
    watched.time += timedelta(seconds=1)
    name = "CN=Jane Doe,OU=Staff,DC=corp,DC=fabrikam,DC=example"
    watched.companies.domains[FABRIKAM].calls.append(
        DomainCall(1, watched.time, f"modify {name} userAccountControl", 51)
    )
    watched.time += timedelta(seconds=1)
    watched.graph("GET", {}, 200)
    assert watched.asked(FABRIKAM) == [
        (GRAPH, "GET", "Jane Doe", "read"),
        (DOMAIN, "modify", "Jane Doe  userAccountControl", "trouble"),
        (EXCHANGE, "Set-Mailbox", "Jane Doe  Type: Shared", "change"),
        (GRAPH, "PATCH", "Jane Doe  accountEnabled: false", "change"),
    ]
    assert watched.asked(CONTOSO) == []


def test_asking_what_a_cmdlet_would_do_is_no_change(watched: Watched) -> None:
    watched.cmdlet("Remove-CalendarEvents", Identity=FABRIKAM_JANE, PreviewOnly=True)
    watched.cmdlet("Remove-CalendarEvents", Identity=FABRIKAM_JANE)
    assert [kind for *_, kind in watched.asked(FABRIKAM)] == ["change", "read"]


def test_the_domain_names_objects_where_it_was_asked_by_guid(watched: Watched) -> None:
    guid = watched.companies.domains[FABRIKAM].domain.people[JANES_SAM].guid
    watched.companies.domains[FABRIKAM].calls.append(DomainCall(1, watched.time, f"search <GUID={guid}>", 0))
    assert watched.asked(FABRIKAM) == [(DOMAIN, "search", "Jane Doe", "read")]


def test_what_only_reads_is_left_out_until_asked_for(watched: Watched) -> None:
    watched.graph("PATCH", {"accountEnabled": False}, 204)
    watched.graph("PATCH", {"accountEnabled": False}, 503)
    for _ in range(150):
        watched.time += timedelta(seconds=1)
        watched.graph("GET", {}, 200)
    assert [one.result for one in watched.tenants.activity(FABRIKAM, reads=False)] == ["503", "204"]
    assert {one.kind for one in watched.tenants.activity(FABRIKAM)} == {"read"}


def test_the_bills_and_the_tickets_calls_are_contosos_alone(watched: Watched) -> None:
    paper = watched.companies.paperwork
    secret: Json = {"client_id": "us", "client_secret": "never shown"}
    seats: Json = {"quantity": 19}
    path = f"/subscriptions/{bought.POWER_BI}"
    paper.pax8.calls += [
        SeatsCall(1, watched.time, "POST", "/token", {}, {}, secret, 200, None),
        SeatsCall(2, watched.time + timedelta(seconds=1), "PUT", path, {}, {}, seats, 422, None),
    ]
    shut: list[JsonValue] = [{"op": "replace", "path": "inactiveFlag", "value": True}]
    contact = "/company/contacts/1001"
    paper.connectwise.calls += [
        DeskCall(1, watched.time + timedelta(seconds=2), "PATCH", contact, {}, {}, shut, 200, None),
        DeskCall(2, watched.time + timedelta(seconds=3), "GET", contact, {}, {}, None, 404, None),
    ]
    assert watched.asked(CONTOSO) == [
        (DESK, "GET", "contacts / Jane Doe", "read"),
        (DESK, "PATCH", "contacts / Jane Doe  inactiveFlag: true", "change"),
        (SEATS, "PUT", "subscriptions / Power BI Pro  quantity: 19", "trouble"),
        (SEATS, "POST", "token", "read"),
    ]
    assert watched.asked(FABRIKAM) == []


def test_reads_that_travelled_together_are_no_change(watched: Watched) -> None:
    requests: Json = {"requests": []}
    for status in (200, 503):
        watched.companies.microsoft.calls.append(
            GraphCall(1, watched.time, FABRIKAM, "POST", "/$batch", {}, {}, requests, status, None)
        )
        watched.companies.exchange.calls.append(
            ExchangeCall(1, watched.time, FABRIKAM, BATCH, {}, {}, status, None, {})
        )
    assert {(system, kind) for system, *_, kind in watched.asked(FABRIKAM)} == {
        (GRAPH, "trouble"),
        (EXCHANGE, "trouble"),
    }
