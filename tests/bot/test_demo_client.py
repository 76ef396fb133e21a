"""The right of the demo's page without a browser: what it says about people, and what it lists as asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.lab.companies import Companies
from bot.lab.demo_activity import DOMAIN, EXCHANGE, GRAPH
from bot.lab.demo_tenants import SYNC, Line, Tenants
from connectors.active_directory.simulated_people import FABRIKAM_JANE as JANES_SAM
from connectors.active_directory.simulator import Call as DomainCall
from connectors.contract import Json
from connectors.exchange.simulator import Call as ExchangeCall
from connectors.microsoft365.simulated_people import CONTOSO, FABRIKAM, FABRIKAM_JANE, JANE, SYNCED
from connectors.microsoft365.simulator import Call as GraphCall


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


def test_only_fabrikams_domain_is_connected_and_shown(watched: Watched) -> None:
    assert {one: set(watched.tenants.systems(one)) for one in watched.tenants.ids} == {
        CONTOSO: {"microsoft365", "exchange"},
        FABRIKAM: {"microsoft365", "exchange", "active_directory"},
    }
    assert watched.line(CONTOSO, SYNCED, "Domain account") is None
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
