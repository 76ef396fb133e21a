"""What is read about a leaver, and what people are told because of it."""

from __future__ import annotations

import asyncio
import time

import pytest

from connectors.contract import Account, Unreachable
from connectors.microsoft365 import CONNECTOR
from connectors.microsoft365 import facts as facts_of
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.roles import GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
from connectors.microsoft365.simulated_people import (
    BREAK_GLASS,
    CONTOSO,
    DIRECTOR,
    DISABLED,
    GROUP_ADMIN,
    GUEST,
    HELGA,
    HELPDESK_GROUP,
    JANE,
    LAST_ADMIN,
    LEAD,
    MARIA,
    OLIVIA,
    OTHER_JANE,
    SEAN,
    SYNCED,
    WORKERS,
    ZOE,
)
from connectors.microsoft365.simulator import Fault
from tests.connectors.conftest import Microsoft


async def facts(microsoft: Microsoft, person: str, **settings: object) -> Microsoft365Facts:
    return (await microsoft.context(await microsoft.connect(changed=settings), person)).facts


def told(known: Microsoft365Facts) -> str:
    return " ".join(caution.text for caution in CONNECTOR.cautions(known))


async def test_a_plain_person_raises_no_caution(microsoft: Microsoft) -> None:
    known = await facts(microsoft, JANE)
    assert known.enabled
    assert len(known.methods) == 3
    assert not any((known.privileged, known.synced, known.guest, known.federated, known.unknown))
    assert CONNECTOR.cautions(known) == ()


async def test_a_plain_person_is_read_side_by_side(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    context = await microsoft.context(api, JANE)
    microsoft.simulator.calls.clear()
    microsoft.simulator.fail(CONTOSO, Fault("delay", calls=None, seconds=0.4))
    began = time.monotonic()
    await CONNECTOR.facts(api, context.account)
    # One after the other they would take 3.6 s; a busy machine may add something to the 0.4.
    assert 0.4 <= time.monotonic() - began < 2.5
    assert len([call for call in microsoft.simulator.calls if not call.part]) == 9


async def test_many_reads_at_once_sign_in_once(microsoft: Microsoft) -> None:
    await CONNECTOR.facts(await microsoft.connect(), Account(system="microsoft365", id=JANE, name=""))
    assert microsoft.simulator.sign_ins == [CONTOSO]


async def test_everybody_below_counts_as_a_report_however_deep(microsoft: Microsoft) -> None:
    known = await facts(microsoft, DIRECTOR)
    assert CONNECTOR.reports(known) == {
        *(MARIA, JANE, SEAN, ZOE, GUEST, SYNCED, OLIVIA, HELGA),
        *(LEAD, OTHER_JANE, *WORKERS),
    }
    assert CONNECTOR.reports(await facts(microsoft, LEAD)) == {OTHER_JANE, *WORKERS}


async def test_managers_in_a_circle_are_read_once(microsoft: Microsoft) -> None:
    microsoft.simulator.person(DIRECTOR).manager = SEAN
    async with asyncio.timeout(5):
        known = await facts(microsoft, SEAN)
    assert DIRECTOR in known.reports
    assert SEAN not in known.reports


async def test_long_lists_are_read_to_the_last_page(microsoft: Microsoft) -> None:
    microsoft.contoso.page_size = 2
    assert len(CONNECTOR.reports(await facts(microsoft, DIRECTOR))) == 21


async def test_the_last_global_administrator_takes_two_and_a_proof(microsoft: Microsoft) -> None:
    known = await facts(microsoft, LAST_ADMIN)
    assert known.privileged
    assert known.last_global_administrator
    last = next(caution for caution in CONNECTOR.cautions(known) if caution.approvers == 2)
    assert last.bars_immediate
    assert "which other administrator access" in last.proof


async def test_another_enabled_administrator_lifts_that(microsoft: Microsoft) -> None:
    microsoft.simulator.person(MARIA).roles = (GLOBAL_ADMINISTRATOR,)
    known = await facts(microsoft, LAST_ADMIN)
    assert not known.last_global_administrator
    assert known.privileged


async def test_whether_we_may_change_administrators_is_read_from_our_own_roles(microsoft: Microsoft) -> None:
    assert not (await facts(microsoft, LAST_ADMIN)).may_change_admins
    microsoft.contoso.our_roles = (PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,)
    assert (await facts(microsoft, LAST_ADMIN)).may_change_admins


async def test_a_role_that_can_be_activated_makes_them_privileged(microsoft: Microsoft) -> None:
    microsoft.simulator.person(JANE).eligible = (GLOBAL_ADMINISTRATOR,)
    known = await facts(microsoft, JANE)
    assert known.privileged
    assert [(role.name, role.how) for role in known.roles] == [("Global Administrator", "eligible")]
    assert not known.last_global_administrator


async def test_a_role_by_group_makes_them_privileged(microsoft: Microsoft) -> None:
    known = await facts(microsoft, GROUP_ADMIN)
    assert known.privileged
    assert known.role_groups == ("Helpdesk",)
    assert [(role.name, role.how) for role in known.roles] == [("Helpdesk Administrator", "by group")]
    assert "administrator: Helpdesk Administrator (by group)" in told(known)


async def test_owning_a_role_group_makes_them_privileged(microsoft: Microsoft) -> None:
    microsoft.contoso.groups[HELPDESK_GROUP].owners = (JANE,)
    assert (await facts(microsoft, JANE)).privileged


async def test_a_harmless_role_does_not(microsoft: Microsoft) -> None:
    microsoft.simulator.person(JANE).roles = ("88d8e3e3-8f55-4a1e-953a-9b9898b8876b",)
    known = await facts(microsoft, JANE)
    assert not known.privileged
    assert [role.name for role in known.roles] == ["Directory Readers"]


async def test_without_the_licence_for_eligible_roles_that_is_said_and_nothing_fails(microsoft: Microsoft) -> None:
    microsoft.contoso.premium = False
    known = await facts(microsoft, JANE)
    assert "Entra ID P2" in known.unknown[0]
    assert known.roles_unknown
    assert any(caution.bars_immediate for caution in CONNECTOR.cautions(known))


async def test_a_missing_read_permission_is_said_and_nothing_fails(microsoft: Microsoft) -> None:
    microsoft.contoso.permissions = ("User.Read.All", "RoleManagement.Read.Directory", "Directory.Read.All")
    known = await facts(microsoft, JANE)
    assert len(known.unknown) == 1
    assert "sign-in methods" in known.unknown[0]
    assert not known.roles_unknown


async def test_refused_reports_bar_a_lock_out_on_a_managers_word(microsoft: Microsoft) -> None:
    refused = Fault("error", calls=None, match="directReports", status=403, code="Authorization_RequestDenied")
    microsoft.simulator.fail(CONTOSO, refused)
    known = await facts(microsoft, JANE)
    assert known.reports_unknown
    assert "people reporting to them" in told(known)
    assert any(caution.bars_immediate for caution in CONNECTOR.cautions(known))


async def test_too_many_reports_to_read_bar_it_too(microsoft: Microsoft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_of, "_MOST_REPORTS", 1)
    known = await facts(microsoft, DIRECTOR)
    assert known.reports_unknown
    assert "More than 1 people report to them" in told(known)
    assert any(caution.bars_immediate for caution in CONNECTOR.cautions(known))
    assert not (await facts(microsoft, ZOE)).reports_unknown


async def test_an_unanswered_read_fails_the_whole_reading(microsoft: Microsoft) -> None:
    microsoft.simulator.fail(CONTOSO, Fault("error", calls=None, match="roleAssignments", status=500))
    with pytest.raises(Unreachable, match="roleAssignments"):
        await facts(microsoft, JANE)


async def test_a_malformed_answer_fails_the_whole_reading(microsoft: Microsoft) -> None:
    microsoft.simulator.fail(CONTOSO, Fault("malformed", calls=None, match="directReports"))
    with pytest.raises(Unreachable, match="not JSON"):
        await facts(microsoft, JANE)


async def test_a_synced_person_is_known_by_their_domain_names(microsoft: Microsoft) -> None:
    known = await facts(microsoft, SYNCED)
    assert known.synced
    assert (known.sam_account_name, known.distinguished_name.split(",")[0]) == ("ssynced", "CN=Sam Synced")
    assert known.last_sync is not None
    assert "undoes the block" in told(known)
    assert "microsoft365.domain_account" in {way.id for way in CONNECTOR.ways_in(known, {})}


async def test_a_federated_domain_is_noticed(microsoft: Microsoft) -> None:
    microsoft.contoso.domains["contoso.example"] = "Federated"
    known = await facts(microsoft, JANE)
    assert known.federated
    assert "another identity provider" in told(known)
    sign_in = next(way for way in CONNECTOR.ways_in(known, {}) if way.id == "microsoft365.sign_in")
    assert sign_in.ended_by == ("microsoft365.block_sign_in",)


async def test_a_guest_is_told_apart(microsoft: Microsoft) -> None:
    known = await facts(microsoft, GUEST)
    assert "another tenant" in told(known)
    assert [way.id for way in CONNECTOR.ways_in(known, {})] == ["microsoft365.sign_in", "microsoft365.sessions"]


async def test_who_is_blocked_already_is_said(microsoft: Microsoft) -> None:
    assert "already blocked" in told(await facts(microsoft, DISABLED))


async def test_an_emergency_account_bars_haste(microsoft: Microsoft) -> None:
    known = await facts(microsoft, BREAK_GLASS, break_glass=[BREAK_GLASS])
    assert known.break_glass
    first = CONNECTOR.cautions(known)[0]
    assert first.bars_immediate
    assert "break-glass" in first.text


async def test_every_way_in_says_how_long_it_lingers(microsoft: Microsoft) -> None:
    ways = {way.id: way for way in CONNECTOR.ways_in(await facts(microsoft, JANE), {})}
    assert list(ways) == ["microsoft365.sign_in", "microsoft365.sessions", "microsoft365.sign_in_methods"]
    assert ways["microsoft365.sign_in"].ended_by == ("microsoft365.block_sign_in", "microsoft365.reset_password")
    assert ways["microsoft365.sessions"].ended_by == (
        "microsoft365.block_sign_in",
        "microsoft365.reset_password",
        "microsoft365.revoke_sessions_again",
    )
    assert ways["microsoft365.sessions"].lingers.total_seconds() == 3600
    assert "15 minutes" in ways["microsoft365.sessions"].why_lingers
