"""Groups and teams: what is left, what is handed over first, and the address that would delete a person."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from connectors.contract import Done, Intent, Item, Json, Nothing, Refused, Task, Unreachable, Waiting
from connectors.microsoft365.client_links import member_ref, owner_ref
from connectors.microsoft365.guards import Ctx
from connectors.microsoft365.leave_groups import GroupsThatStay, LeaveGroups, LeaveLicenceGroups
from connectors.microsoft365.ownership import HandOverGroups, LeaveOwnerships
from connectors.microsoft365.simulated_people import (
    CONTOSO,
    DISTRIBUTION_LIST,
    DYNAMIC_GROUP,
    HELGA,
    JANE,
    LICENCE_GROUP,
    MARIA,
    OLIVIA,
    SECURITY_GROUP,
    SHARED_TEAM,
    TEAMS,
)
from connectors.microsoft365.simulator import Fault
from connectors.microsoft365.tasks import OwnedApplications
from tests.connectors.conftest import Microsoft
from tests.connectors.steps import items
from tests.connectors.test_microsoft365_steps import ready

SOURCES = Path(__file__).parent.parent.parent / "connectors" / "microsoft365"


async def olivia(microsoft: Microsoft, **choices: str) -> Ctx:
    return replace(await ready(microsoft, OLIVIA), choices={key.replace("_", "."): one for key, one in choices.items()})


def with_mailbox(ctx: Ctx, **mailbox: object) -> Ctx:
    """What Exchange would say of the mailbox."""

    async def read(name: str) -> Json:
        assert name == "exchange.mailbox"
        known: Json = {"exists": True, "type": "UserMailbox", "size_bytes": 10, "archive": False, "hold": False}
        return {**known, **mailbox}  # type: ignore[dict-item]

    return replace(ctx, read=read)


def intent(ctx: Ctx) -> Intent:
    return Intent("key", ctx.clock.now())


# --- the address that deletes a person


async def test_the_simulator_deletes_a_person_whose_membership_is_deleted_without_ref(microsoft: Microsoft) -> None:
    """What the other tests of this file are worth: the trap is there."""
    ctx = await olivia(microsoft)
    token = (await ctx.api.sign_in.get_token(ctx.api.settings.scope)).token
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as client:
        await client.delete(f"{microsoft.simulator.base_url}/groups/{SECURITY_GROUP}/members/{OLIVIA}")
    assert microsoft.done() == ["DELETED"]


async def test_our_door_to_graph_refuses_to_delete_an_object(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft)
    group = ctx.api.sdk.groups.by_group_id(SECURITY_GROUP)
    for where in (
        group,
        group.members.by_directory_object_id(OLIVIA),
        group.owners.by_directory_object_id(OLIVIA),
        ctx.api.user(OLIVIA),
        ctx.api.sdk.devices.by_device_id("d"),
        ctx.api.sdk.directory_objects.by_directory_object_id(OLIVIA),
    ):
        with pytest.raises(AssertionError, match="would delete the object itself"):
            await ctx.api.send("DELETE", where, ())
    assert microsoft.asked() == []


async def test_the_addresses_of_a_membership_and_an_ownership_end_in_ref(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft)
    for where in (member_ref(ctx.api, "g", "u"), owner_ref(ctx.api, "g", "u")):
        assert where.url_template.endswith("/{directoryObject%2Did}/$ref")


def test_no_other_source_spells_the_address_of_a_member() -> None:
    for path in SOURCES.glob("*.py"):
        spelt = [
            line
            for line in path.read_text().splitlines()
            if re.search(r"(members|owners)\.by_|(members|owners)/\{", line) and not line.rstrip().endswith(".ref")
        ]
        assert not spelt or "simulat" in path.name, f"{path.name}: {spelt}"
        deletes = re.findall(r"to_delete_request_information|\.delete\(", path.read_text())
        assert not deletes or "simulat" in path.name, f"{path.name} deletes past Graph.send"


# --- leaving


async def test_each_group_decided_here_is_an_item(microsoft: Microsoft) -> None:
    found = items(await LeaveGroups().look(await olivia(microsoft)))
    assert {item.key for item in found} == {*TEAMS, SECURITY_GROUP, SHARED_TEAM}
    assert found[0].before == {"member": True, "name": "Project 1"}


async def test_leaving_ends_the_membership_and_nothing_else(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft)
    for item in items(await LeaveGroups().look(ctx)):
        accepted = await LeaveGroups().act(ctx, item, intent(ctx))
        assert isinstance(await LeaveGroups().confirm(ctx, item, intent(ctx), accepted.reference), Done)
    deleted = [str(call) for call in microsoft.simulator.calls if call.method == "DELETE"]
    assert len(deleted) == 6
    assert all(re.fullmatch(rf"DELETE /groups/[^/]+/members/{OLIVIA}/\$ref", call) for call in deleted)
    assert OLIVIA in microsoft.contoso.people
    assert set(microsoft.done()) == {"removed from members"}


async def test_leaving_twice_is_done(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft)
    item = items(await LeaveGroups().look(ctx))[0]
    for _ in range(2):
        await LeaveGroups().act(ctx, item, intent(ctx))
    assert isinstance(await LeaveGroups().confirm(ctx, item, intent(ctx), ""), Done)


async def test_a_group_still_listed_is_waited_for(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft)
    microsoft.contoso.lag = 5
    item = items(await LeaveGroups().look(ctx))[0]
    await LeaveGroups().act(ctx, item, intent(ctx))
    assert isinstance(await LeaveGroups().confirm(ctx, item, intent(ctx), ""), Waiting)


async def test_a_group_left_can_be_joined_again(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft)
    item = items(await LeaveGroups().look(ctx))[0]
    await LeaveGroups().act(ctx, item, intent(ctx))
    assert await LeaveGroups().undo(ctx, item) == Done("is in Project 1 again")
    assert await LeaveGroups().undo(ctx, item) == Done("is in Project 1 again")
    assert OLIVIA in microsoft.contoso.groups[TEAMS[0]].members


async def test_groups_decided_elsewhere_are_named_with_who_decides(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft)
    assert GroupsThatStay().wanted({}, ctx.facts)
    found = await GroupsThatStay().look(ctx)
    assert isinstance(found, Nothing)
    assert "Everybody keeps them by its rule user.accountEnabled -eq true" in found.evidence
    assert "Announcements is left in Exchange" in found.evidence
    assert "Domain printers is decided in the domain" in found.evidence


async def test_somebody_in_groups_of_others_only_leaves_none_and_is_told_why(microsoft: Microsoft) -> None:
    for group in microsoft.contoso.groups.values():
        if group.id not in (DYNAMIC_GROUP, DISTRIBUTION_LIST):
            group.members = ()
    found = await LeaveGroups().look(await olivia(microsoft))
    assert isinstance(found, Nothing)
    assert "Announcements is left in Exchange" in found.evidence


async def test_partial_access_leaves_groups_alone(microsoft: Microsoft) -> None:
    facts = (await olivia(microsoft)).facts
    assert LeaveGroups().wanted({}, facts)
    assert not LeaveGroups().wanted({"access": "partial"}, facts)


# --- groups that give licences


async def test_licence_groups_are_left_only_when_licences_go_and_after_the_mailbox(microsoft: Microsoft) -> None:
    facts = (await olivia(microsoft)).facts
    step = LeaveLicenceGroups()
    assert {"exchange.convert_to_shared", "exchange.hold"} <= set(step.requires)
    assert not step.wanted({}, facts)
    assert not step.wanted({"licences": "keep"}, facts)
    assert not step.wanted({"licences": "later"}, facts)
    assert step.wanted({"licences": "release"}, facts)
    assert step.wanted({"licences": "reassign"}, facts)


async def test_a_licence_group_is_left_once_the_mailbox_is_shared(microsoft: Microsoft) -> None:
    ctx = with_mailbox(await olivia(microsoft, licences="release", mailbox="shared"), type="SharedMailbox")
    item = items(await LeaveLicenceGroups().look(ctx))[0]
    assert (item.key, item.destroys) == (LICENCE_GROUP, False)
    await LeaveLicenceGroups().act(ctx, item, intent(ctx))
    assert isinstance(await LeaveLicenceGroups().confirm(ctx, item, intent(ctx), ""), Done)


async def test_a_licence_group_keeps_the_mailbox_that_is_not_shared_yet(microsoft: Microsoft) -> None:
    shared = await olivia(microsoft, licences="release", mailbox="shared")
    item = items(await LeaveLicenceGroups().look(with_mailbox(shared, type="SharedMailbox")))[0]
    found = await LeaveLicenceGroups().look(with_mailbox(shared))
    assert isinstance(found, Task)
    assert "is not shared (it reads as UserMailbox)" in found.reason
    with pytest.raises(Refused, match="not shared"):
        await LeaveLicenceGroups().act(with_mailbox(shared), item, intent(shared))
    assert microsoft.done() == []


async def test_a_dynamic_licence_group_is_a_task_with_its_rule(microsoft: Microsoft) -> None:
    microsoft.contoso.groups[LICENCE_GROUP].rule = 'user.department -eq "Sales"'
    ctx = with_mailbox(await olivia(microsoft, licences="release", mailbox="shared"), type="SharedMailbox")
    found = await LeaveLicenceGroups().look(ctx)
    assert isinstance(found, Task)
    assert 'user.department -eq "Sales"' in found.instructions


# --- ownership


async def test_only_groups_nobody_else_owns_are_handed_over(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft, teams=MARIA)
    assert [group.id for group in ctx.facts.belongings.sole_owner_of] == [*TEAMS]
    assert HandOverGroups().wanted(ctx.choices, ctx.facts)
    found = items(await HandOverGroups().look(ctx))
    assert [item.key for item in found] == [*TEAMS]
    assert found[0].before == {"to": MARIA, "joins": True, "owners": [OLIVIA]}


@pytest.mark.parametrize("answer", ["", "later", "nobody"])
async def test_without_a_person_nothing_is_handed_over(microsoft: Microsoft, answer: str) -> None:
    ctx = await olivia(microsoft, teams=answer)
    assert not HandOverGroups().wanted(ctx.choices, ctx.facts)


async def test_nobody_becomes_an_administrator_by_taking_over_teams(microsoft: Microsoft) -> None:
    microsoft.contoso.groups[TEAMS[0]].assignable = True
    ctx = await olivia(microsoft, teams=MARIA)
    assert TEAMS[0] not in {group.id for group in ctx.facts.belongings.sole_owner_of}
    assert TEAMS[0] not in {item.key for item in items(await HandOverGroups().look(ctx))}


async def test_the_new_owner_owns_and_is_a_member_before_the_old_one_goes(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft, teams=MARIA)
    for item in items(await HandOverGroups().look(ctx)):
        await HandOverGroups().act(ctx, item, intent(ctx))
        await HandOverGroups().act(ctx, item, intent(ctx))
        assert isinstance(await HandOverGroups().confirm(ctx, item, intent(ctx), ""), Done)
    group = microsoft.contoso.groups[TEAMS[0]]
    assert group.owners == (OLIVIA, MARIA)
    assert MARIA in group.members
    assert isinstance(await HandOverGroups().look(ctx), Nothing)
    assert HandOverGroups.id in LeaveOwnerships.requires
    for item in items(await LeaveOwnerships().look(ctx)):
        await LeaveOwnerships().act(ctx, item, intent(ctx))
        assert isinstance(await LeaveOwnerships().confirm(ctx, item, intent(ctx), ""), Done)
    assert group.owners == (MARIA,)


async def test_a_hand_over_half_done_is_finished(microsoft: Microsoft) -> None:
    microsoft.contoso.groups[TEAMS[0]].owners = (OLIVIA, MARIA)
    found = items(await HandOverGroups().look(await olivia(microsoft, teams=MARIA)))
    assert TEAMS[0] in {item.key for item in found}


async def test_undoing_a_hand_over_takes_back_only_what_was_added(microsoft: Microsoft) -> None:
    group = microsoft.contoso.groups[TEAMS[0]]
    group.members = (OLIVIA, MARIA)
    ctx = await olivia(microsoft, teams=MARIA)
    item = items(await HandOverGroups().look(ctx))[0]
    await HandOverGroups().act(ctx, item, intent(ctx))
    assert isinstance(await HandOverGroups().undo(ctx, item), Done)
    assert group.owners == (OLIVIA,)
    assert group.members == (OLIVIA, MARIA)


async def test_a_new_owner_without_a_working_account_is_a_task(microsoft: Microsoft) -> None:
    microsoft.simulator.person(MARIA).enabled = False
    found = await HandOverGroups().look(await olivia(microsoft, teams=MARIA))
    assert isinstance(found, Task)
    assert microsoft.done() == []


async def test_the_only_owner_stays_while_nobody_takes_over(microsoft: Microsoft) -> None:
    microsoft.contoso.groups[SHARED_TEAM].owners = (HELGA,)
    found = await LeaveOwnerships().look(await olivia(microsoft))
    assert isinstance(found, Nothing)
    assert "stays the only owner of Project 1" in found.evidence


async def test_what_is_to_be_handed_over_is_shown_before_and_kept_until_it_is(microsoft: Microsoft) -> None:
    """An approval covers what was listed: groups handed over meanwhile must not be news to it."""
    ctx = await olivia(microsoft, teams=MARIA)
    found = items(await LeaveOwnerships().look(ctx))
    assert {item.key for item in found} == {*TEAMS, SHARED_TEAM}
    alone = next(item for item in found if item.key == TEAMS[0])
    with pytest.raises(Refused, match="left without an owner"):
        await LeaveOwnerships().act(ctx, alone, intent(ctx))
    assert microsoft.contoso.groups[TEAMS[0]].owners == (OLIVIA,)


async def test_graph_refusing_to_drop_the_last_owner_is_told_with_the_fix(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft)
    item = items(await LeaveOwnerships().look(ctx))[0]
    microsoft.contoso.groups[SHARED_TEAM].owners = (OLIVIA,)
    with pytest.raises(Refused, match=r"left without an owner.*Add another owner"):
        await LeaveOwnerships().act(ctx, item, intent(ctx))


async def test_an_ownership_given_up_can_be_taken_back(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft)
    item = items(await LeaveOwnerships().look(ctx))[0]
    await LeaveOwnerships().act(ctx, item, intent(ctx))
    assert isinstance(await LeaveOwnerships().undo(ctx, item), Done)
    assert OLIVIA in microsoft.contoso.groups[SHARED_TEAM].owners


async def test_owned_applications_are_a_task_that_names_them(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft)
    found = await OwnedApplications().look(ctx)
    assert isinstance(found, Task)
    assert "Payroll connector" in found.instructions
    assert "replace every secret" in found.instructions
    assert not OwnedApplications().wanted({}, (await ready(microsoft, JANE)).facts)


async def test_owners_of_many_groups_are_read_twenty_a_request(microsoft: Microsoft) -> None:
    for place in range(30):
        group = replace(microsoft.contoso.groups[TEAMS[0]], id=f"c0000000-0000-4000-8000-0000000009{place:02}")
        microsoft.contoso.groups[group.id] = group
    ctx = await olivia(microsoft)
    assert len(ctx.facts.belongings.sole_owner_of) == 34
    await LeaveOwnerships().look(ctx)
    batches = [call for call in microsoft.simulator.calls if call.path == "/$batch"]
    assert [len(call.body["requests"]) for call in batches] == [20, 15]  # type: ignore[arg-type]


async def test_a_part_throttled_for_a_moment_is_read_again_by_itself(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft)
    microsoft.simulator.fail(CONTOSO, Fault("throttle", match=f"{TEAMS[1]}/owners", retry_after="1"))
    assert items(await LeaveOwnerships().look(ctx))
    again = [call for call in microsoft.asked() if f"{TEAMS[1]}/owners" in call]
    assert len(again) == 2
    assert microsoft.clock.slept == [1]


async def test_a_part_that_fails_is_a_surprise_and_never_an_empty_list(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft, teams=MARIA)
    microsoft.simulator.fail(CONTOSO, Fault("error", match=f"{TEAMS[1]}/owners", status=500))
    with pytest.raises(Unreachable, match="owners"):
        await HandOverGroups().look(ctx)


async def test_a_group_deleted_meanwhile_is_no_trouble(microsoft: Microsoft) -> None:
    ctx = await olivia(microsoft, teams=MARIA)
    item = items(await HandOverGroups().look(ctx))[0]
    del microsoft.contoso.groups[item.key]
    outcome = await HandOverGroups().confirm(ctx, item, intent(ctx), "")
    assert outcome == Done("Project 1 does not exist any more")
    left = Item(key=item.key, title=item.title)
    await LeaveGroups().act(ctx, left, intent(ctx))
    assert isinstance(await LeaveGroups().confirm(ctx, left, intent(ctx), ""), Done)
