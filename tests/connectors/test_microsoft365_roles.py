"""Administrator roles as a way in: removed, ended, and never the last Global Administrator's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.contract import Done, Finding, Intent, Nothing, Refused, Task, Unreachable, Waiting, Wave
from connectors.microsoft365 import CONNECTOR
from connectors.microsoft365.admin_roles import EndEligibility, RemoveRoles
from connectors.microsoft365.guards import Ctx
from connectors.microsoft365.roles import GLOBAL_ADMINISTRATOR
from connectors.microsoft365.simulated_people import (
    BREAK_GLASS,
    CONTOSO,
    GROUP_ADMIN,
    HELPDESK_ADMINISTRATOR,
    HELPDESK_GROUP,
    JANE,
    LAST_ADMIN,
    MARIA,
)
from connectors.microsoft365.simulator import Fault
from tests.connectors.conftest import Microsoft
from tests.connectors.steps import items
from tests.connectors.test_microsoft365_steps import ready


async def remove(ctx: Ctx, found: Finding) -> None:
    for item in items(found):
        intent = Intent("key", ctx.clock.now())
        await RemoveRoles().act(ctx, item, intent)
        assert isinstance(await RemoveRoles().confirm(ctx, item, intent, ""), Done)


async def test_roles_are_a_way_in_and_part_of_the_lock_out(microsoft: Microsoft) -> None:
    facts = (await ready(microsoft, GROUP_ADMIN)).facts
    way = next(way for way in CONNECTOR.ways_in(facts, {}) if way.id == "microsoft365.roles")
    assert way.ended_by == (RemoveRoles.id,)
    assert RemoveRoles.wave is EndEligibility.wave is Wave.LOCK_OUT
    assert "microsoft365.roles" not in {way.id for way in CONNECTOR.ways_in((await ready(microsoft, JANE)).facts, {})}


async def test_assigned_roles_are_removed_each_by_itself(microsoft: Microsoft) -> None:
    jane = microsoft.simulator.person(JANE)
    jane.roles = (HELPDESK_ADMINISTRATOR, "88d8e3e3-8f55-4a1e-953a-9b9898b8876b")
    ctx = await ready(microsoft, JANE)
    found = await RemoveRoles().look(ctx)
    assert [item.title for item in items(found)] == ["Helpdesk Administrator", "Directory Readers"]
    await remove(ctx, found)
    assert jane.roles == ()
    item = items(found)[0]
    assert isinstance(await RemoveRoles().undo(ctx, item), Done)
    assert jane.roles == (HELPDESK_ADMINISTRATOR,)


async def test_a_role_groups_membership_and_ownership_go_with_the_roles(microsoft: Microsoft) -> None:
    group = microsoft.contoso.groups[HELPDESK_GROUP]
    group.owners = (GROUP_ADMIN, MARIA)
    ctx = await ready(microsoft, GROUP_ADMIN)
    found = await RemoveRoles().look(ctx)
    assert [item.title for item in items(found)] == ["Role group Helpdesk", "Owner of role group Helpdesk"]
    await remove(ctx, found)
    assert (group.members, group.owners) == ((), (MARIA,))
    assert GROUP_ADMIN in microsoft.contoso.people


async def test_a_role_groups_last_owner_is_refused_with_the_fix(microsoft: Microsoft) -> None:
    microsoft.contoso.groups[HELPDESK_GROUP].owners = (GROUP_ADMIN,)
    ctx = await ready(microsoft, GROUP_ADMIN)
    owner = items(await RemoveRoles().look(ctx))[1]
    with pytest.raises(Refused, match="left without an owner"):
        await RemoveRoles().act(ctx, owner, Intent("key", ctx.clock.now()))


async def test_the_last_global_administrator_keeps_the_role_and_a_person_is_asked(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, LAST_ADMIN)
    found = await RemoveRoles().look(ctx)
    assert isinstance(found, Task)
    assert "last enabled Global Administrator" in found.reason
    assert microsoft.done() == []


async def test_with_another_enabled_one_the_role_goes(microsoft: Microsoft) -> None:
    microsoft.simulator.person(MARIA).roles = (GLOBAL_ADMINISTRATOR,)
    ctx = await ready(microsoft, LAST_ADMIN)
    await remove(ctx, await RemoveRoles().look(ctx))
    assert microsoft.simulator.person(LAST_ADMIN).roles == ()


async def test_the_one_enabled_among_many_administrators_is_found(microsoft: Microsoft) -> None:
    """Graph takes fifteen people in one question."""
    plain = microsoft.simulator.person(JANE)
    for place in range(20):
        blocked = replace(plain, id=f"00000000-0000-4000-8000-0000000000{place:02}", roles=(GLOBAL_ADMINISTRATOR,))
        blocked.enabled = False
        microsoft.contoso.people[blocked.id] = blocked
    assert isinstance(await RemoveRoles().look(await ready(microsoft, LAST_ADMIN)), Task)
    microsoft.simulator.person(MARIA).roles = (GLOBAL_ADMINISTRATOR,)
    assert items(await RemoveRoles().look(await ready(microsoft, LAST_ADMIN)))


async def test_who_became_the_last_one_meanwhile_keeps_the_role(microsoft: Microsoft) -> None:
    maria = microsoft.simulator.person(MARIA)
    maria.roles = (GLOBAL_ADMINISTRATOR,)
    ctx = await ready(microsoft, LAST_ADMIN)
    item = items(await RemoveRoles().look(ctx))[0]
    maria.enabled = False
    with pytest.raises(Refused, match="last enabled Global Administrator"):
        await RemoveRoles().act(ctx, item, Intent("key", ctx.clock.now()))
    assert microsoft.done() == []


async def test_other_roles_go_even_if_global_administrator_has_to_stay(microsoft: Microsoft) -> None:
    microsoft.simulator.person(LAST_ADMIN).roles = (GLOBAL_ADMINISTRATOR, HELPDESK_ADMINISTRATOR)
    ctx = await ready(microsoft, LAST_ADMIN)
    stays, goes = items(await RemoveRoles().look(ctx))
    with pytest.raises(Refused):
        await RemoveRoles().act(ctx, stays, Intent("key", ctx.clock.now()))
    await RemoveRoles().act(ctx, goes, Intent("key", ctx.clock.now()))
    assert microsoft.simulator.person(LAST_ADMIN).roles == (GLOBAL_ADMINISTRATOR,)


@pytest.mark.parametrize("step", [RemoveRoles(), EndEligibility()], ids=lambda step: step.id)
async def test_without_the_right_it_is_a_persons_task(microsoft: Microsoft, step: RemoveRoles | EndEligibility) -> None:
    lacking = set(step.permissions)
    microsoft.contoso.permissions = tuple(one for one in microsoft.contoso.permissions if one not in lacking)
    microsoft.simulator.person(JANE).roles = microsoft.simulator.person(JANE).eligible = (HELPDESK_ADMINISTRATOR,)
    found = await step.look(await ready(microsoft, JANE))
    assert isinstance(found, Task)
    assert step.permissions[0] in found.instructions


async def test_a_role_that_can_be_activated_is_gone_only_when_its_removal_was_carried_out(microsoft: Microsoft) -> None:
    jane = microsoft.simulator.person(JANE)
    jane.eligible = (HELPDESK_ADMINISTRATOR,)
    microsoft.contoso.pim_takes = 30
    ctx = await ready(microsoft, JANE)
    assert EndEligibility().wanted({}, ctx.facts)
    item = items(await EndEligibility().look(ctx))[0]
    intent = Intent("key", ctx.clock.now())
    await EndEligibility().act(ctx, item, intent)
    assert isinstance(await EndEligibility().confirm(ctx, item, intent, ""), Waiting)
    microsoft.clock.pass_by(31)
    assert isinstance(await EndEligibility().confirm(ctx, item, intent, ""), Done)
    # Asked for once more, Graph knows no such assignment.
    await EndEligibility().act(ctx, item, replace(intent, repeated=True))
    assert isinstance(await EndEligibility().undo(ctx, item), Done)
    assert jane.eligible == (HELPDESK_ADMINISTRATOR,)


async def test_a_removal_asked_for_again_while_the_first_is_under_way_waits_for_that_one(microsoft: Microsoft) -> None:
    jane = microsoft.simulator.person(JANE)
    jane.eligible = (HELPDESK_ADMINISTRATOR,)
    microsoft.contoso.pim_takes = 30
    ctx = await ready(microsoft, JANE)
    item = items(await EndEligibility().look(ctx))[0]
    intent = Intent("key", ctx.clock.now())
    microsoft.simulator.fail(CONTOSO, Fault("lost", match="roleEligibilityScheduleRequests"))
    with pytest.raises(Unreachable):
        await EndEligibility().act(ctx, item, intent)
    await EndEligibility().act(ctx, item, replace(intent, repeated=True))
    assert [effect.what for effect in microsoft.simulator.effects] == ["eligibility removal requested"]
    microsoft.clock.pass_by(31)
    assert isinstance(await EndEligibility().confirm(ctx, item, intent, ""), Done)


async def test_nobody_is_asked_about_roles_of_somebody_who_holds_none(microsoft: Microsoft) -> None:
    """Most tenants have no Entra ID P2, and many give us no right to change roles."""
    lacking = {*RemoveRoles.permissions, *EndEligibility.permissions}
    microsoft.contoso.permissions = tuple(one for one in microsoft.contoso.permissions if one not in lacking)
    microsoft.contoso.premium = False
    ctx = await ready(microsoft, JANE)
    assert not RemoveRoles().wanted({}, ctx.facts)
    assert not EndEligibility().wanted({}, ctx.facts)
    assert await RemoveRoles().look(ctx) == Nothing("holds no administrator role")


@pytest.mark.parametrize(
    ("match", "step"), [("roleAssignments", RemoveRoles()), ("roleEligibilityScheduleInstances", EndEligibility())]
)
async def test_roles_that_could_not_be_read_are_a_way_in_until_they_are_looked_at(
    microsoft: Microsoft, match: str, step: RemoveRoles | EndEligibility
) -> None:
    microsoft.simulator.fail(CONTOSO, Fault("error", match=match, status=403, code="Authorization_RequestDenied"))
    facts = (await ready(microsoft, JANE)).facts
    assert step.wanted({}, facts)
    way = next(way for way in CONNECTOR.ways_in(facts, {}) if way.id == "microsoft365.roles")
    assert step.id in way.ended_by


async def test_without_the_licence_nothing_can_be_activated(microsoft: Microsoft) -> None:
    microsoft.contoso.premium = False
    found = await EndEligibility().look(await ready(microsoft, JANE))
    assert isinstance(found, Nothing)
    assert "P2" in found.evidence


async def test_an_emergency_accounts_roles_are_never_touched(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, BREAK_GLASS, break_glass=[BREAK_GLASS])
    for step in CONNECTOR.steps:
        found = await step.look(ctx)
        assert isinstance(found, Task), step.id
        assert "break-glass" in found.reason
    assert microsoft.asked() == []
