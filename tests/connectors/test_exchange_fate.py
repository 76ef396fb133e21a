"""The mailbox's fate, over the wire: hold, shared, hidden, groups, and what it takes to delete it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest

from connectors.contract import Done, Failed, Intent, Item, Nothing, Refused, Task, Waiting, Wave
from connectors.exchange.deletion import DeleteMailbox
from connectors.exchange.fate import ConvertToShared, HideFromAddressLists, Hold
from connectors.exchange.group_steps import GroupsByHand, LeaveDistributionGroups
from connectors.exchange.on_premises import MailboxOnPremises
from connectors.exchange.simulated_mailboxes import (
    CONTOSO,
    DIRECTOR,
    DISABLED,
    JANE,
    ROOM,
    SEAN,
    SYNCED,
    ZOE,
    SimulatedGroup,
)
from connectors.exchange.simulator import Fault
from tests.connectors.conftest import Microsoft
from tests.connectors.steps import items, run, task
from tests.connectors.test_exchange_world import PLAIN, AnyStep, Office, office_of, until_settled

SHARED, EVERYTHING = {"mailbox": "shared"}, {"access": "everything"}
DELETE_HELD = {"mailbox": "delete", "mailbox.backup": "hold"}
NAMED = {"mailbox": "delete", "mailbox.backup": "named"}
WAIVED = {"mailbox": "delete", "mailbox.backup": "waived"}
PROVEN = {**NAMED, "mailbox.backup.evidence": "Veeam job 'Contoso', restored by Sean on 20 November"}


@pytest.fixture
async def office(microsoft: Microsoft) -> AsyncIterator[Office]:
    async with office_of(microsoft) as office:
        yield office


# --- hold


async def test_a_hold_is_set_read_back_and_can_be_lifted(office: Office) -> None:
    ctx = await office.ready(choices={"contentious": "yes"})
    item = items(await Hold().look(ctx))[0]
    assert await run(Hold(), ctx) == [Done("litigation hold reads as on")]
    assert isinstance(await Hold().look(ctx), Nothing)
    assert isinstance(await Hold().undo(ctx, item), Done)
    assert not office.mailbox().litigation_hold


async def test_a_hold_is_quiet_and_goes_ahead_with_the_lock_out(office: Office) -> None:
    assert Hold.early
    assert Hold.wave is Wave.PRESERVE
    await run(Hold(), await office.ready(choices={"contentious": "yes"}))
    assert set(office.changes()[0].parameters) == {"Identity", "LitigationHoldEnabled"}, "a comment would be shown"


async def test_a_hold_takes_up_to_an_hour_to_show(office: Office) -> None:
    ctx = await office.ready(choices={"contentious": "yes"})
    office.contoso.lag = 3000
    item, intent = items(await Hold().look(ctx))[0], Intent("key", office.clock.now())
    await Hold().act(ctx, item, intent)
    assert isinstance(await until_settled(Hold(), ctx, item, intent), Done)


async def test_a_hold_without_the_licence_for_it_says_what_to_buy_and_what_else_helps(office: Office) -> None:
    office.mailbox().plan2 = False
    with pytest.raises(Refused, match=r"Exchange Online Plan 2.*eDiscovery hold"):
        await run(Hold(), await office.ready(choices={"contentious": "yes"}))
    assert office.done() == []


@pytest.mark.parametrize(
    ("choices", "wanted"),
    [
        ({}, False),
        ({"contentious": "no"}, False),
        ({"contentious": "yes"}, True),
        (DELETE_HELD, True),
        (PROVEN, False),
        (WAIVED, False),
        ({"mailbox": "shared", "mailbox.backup": "hold"}, False),
    ],
)
def test_a_hold_is_wanted_by_dispute_or_by_deletion(choices: Mapping[str, str], wanted: bool) -> None:
    assert Hold().wanted(choices, PLAIN) is wanted


# --- shared


async def test_it_becomes_shared_within_the_hour_and_not_before_it_reads_so(office: Office) -> None:
    ctx = await office.ready(choices=SHARED)
    office.contoso.conversion_lag = 600
    item, intent = items(await ConvertToShared().look(ctx))[0], Intent("key", office.clock.now())
    await ConvertToShared().act(ctx, item, intent)
    outcome = await ConvertToShared().confirm(ctx, item, intent, "")
    assert outcome == Waiting(2, "Exchange still shows UserMailbox")
    assert isinstance(await until_settled(ConvertToShared(), ctx, item, intent), Done)
    assert (office.clock.now() - intent.at).total_seconds() >= 600


async def test_a_stale_read_may_follow_a_fresh_one(office: Office) -> None:
    ctx = await office.ready(choices=SHARED)
    office.contoso.lag, office.contoso.flicker = 60, True
    item, intent = items(await ConvertToShared().look(ctx))[0], Intent("key", office.clock.now())
    await ConvertToShared().act(ctx, item, intent)
    seen = {type(await ConvertToShared().confirm(ctx, item, intent, "")) for _ in range(4)}
    assert seen == {Done, Waiting}


async def test_undoing_makes_it_a_persons_own_again(office: Office) -> None:
    ctx = await office.ready(choices=SHARED)
    item = items(await ConvertToShared().look(ctx))[0]
    await run(ConvertToShared(), ctx)
    assert isinstance(await ConvertToShared().look(ctx), Nothing)
    assert isinstance(await ConvertToShared().undo(ctx, item), Done)
    assert office.mailbox().kind == "UserMailbox"


async def test_without_its_licence_nothing_is_converted(office: Office) -> None:
    ctx = await office.ready(choices=SHARED)
    office.unlicensed.add(JANE)
    found = task(await ConvertToShared().look(ctx))
    assert "30 days" in found.instructions
    office.unlicensed.clear()
    assert items(await ConvertToShared().look(ctx)), "the licence brings it back"


async def test_losing_its_licence_half_way_is_said_and_never_waited_out(office: Office) -> None:
    ctx = await office.ready(choices=SHARED)
    item, intent = items(await ConvertToShared().look(ctx))[0], Intent("key", office.clock.now())
    office.unlicensed.add(JANE)
    assert isinstance(await ConvertToShared().confirm(ctx, item, intent, ""), Failed)


@pytest.mark.parametrize(("user", "why"), [(ZOE, "more than 50 GB"), (DIRECTOR, "it has an archive and it is on hold")])
async def test_what_needs_a_licence_is_not_converted_while_its_licence_is_to_go(
    office: Office, user: str, why: str
) -> None:
    ctx = await office.ready(user, {**SHARED, "licences": "release"})
    assert why in task(await ConvertToShared().look(ctx)).reason
    kept = await office.ready(user, {**SHARED, "licences": "keep"})
    assert items(await ConvertToShared().look(kept))


async def test_size_archive_and_hold_are_read_afresh_before_converting(office: Office) -> None:
    ctx = await office.ready(choices={**SHARED, "licences": "release"})
    assert items(await ConvertToShared().look(ctx))
    office.mailbox().litigation_hold = True
    assert "on hold" in task(await ConvertToShared().look(ctx)).reason


async def test_a_synced_mailbox_is_converted_on_premises(office: Office) -> None:
    ctx = await office.ready(SYNCED, SHARED)
    found = task(await ConvertToShared().look(ctx))
    assert "Set-RemoteMailbox sam.synced@contoso.example -Type Shared" in found.instructions
    item, intent = Item(key="by hand", title="x"), Intent("key", office.clock.now())
    office.mailbox(SYNCED).kind = "SharedMailbox"
    assert isinstance(await ConvertToShared().confirm(ctx, item, intent, ""), Done)


# --- address book


async def test_it_is_hidden_read_back_and_can_be_shown_again(office: Office) -> None:
    ctx = await office.ready(choices=SHARED)
    item = items(await HideFromAddressLists().look(ctx))[0]
    assert isinstance((await run(HideFromAddressLists(), ctx))[0], Done)
    assert isinstance(await HideFromAddressLists().look(ctx), Nothing)
    assert isinstance(await HideFromAddressLists().undo(ctx, item), Done)


async def test_a_synced_one_is_hidden_in_the_domain(office: Office) -> None:
    found = task(await HideFromAddressLists().look(await office.ready(SYNCED, SHARED)))
    assert "msExchHideFromAddressLists" in found.instructions


async def test_who_is_synced_meanwhile_is_refused_with_the_same_way_out(office: Office) -> None:
    ctx = await office.ready(choices=SHARED)
    item = items(await HideFromAddressLists().look(ctx))[0]
    office.mailbox().synced = True
    with pytest.raises(Refused, match="msExchHideFromAddressLists"):
        await HideFromAddressLists().act(ctx, item, Intent("key", office.clock.now()))


@pytest.mark.parametrize("step", [ConvertToShared(), HideFromAddressLists(), DeleteMailbox()], ids=lambda one: one.id)
@pytest.mark.parametrize("choices", [{}, {"mailbox": "keep"}, {"mailbox": "later"}])
def test_a_mailbox_nobody_decided_about_is_kept_as_it_is(step: AnyStep, choices: Mapping[str, str]) -> None:
    assert step.wanted(DELETE_HELD, PLAIN) or step.wanted(SHARED, PLAIN)
    assert not step.wanted(choices, PLAIN)


@pytest.mark.parametrize("user", [DISABLED, ROOM])
async def test_shared_mailboxes_and_rooms_are_neither_converted_hidden_nor_deleted(office: Office, user: str) -> None:
    facts = await office.facts(user)
    for step in (ConvertToShared(), HideFromAddressLists(), DeleteMailbox()):
        assert not any(step.wanted(choices, facts) for choices in (SHARED, DELETE_HELD))


# --- groups


async def test_each_list_is_an_item_and_is_left(office: Office) -> None:
    ctx = await office.ready(choices=EVERYTHING)
    found = items(await LeaveDistributionGroups().look(ctx))
    assert [item.title for item in found] == ["Sales (sales@contoso.example)", "Fire Wardens (fire@contoso.example)"]
    assert [type(one) for one in await run(LeaveDistributionGroups(), ctx)] == [Done, Done]
    assert all(JANE not in office.contoso.groups[item.key].members for item in found)
    assert all(call.parameters["BypassSecurityGroupManagerCheck"] is True for call in office.changes())


async def test_a_list_left_already_counts_and_can_be_joined_again_once(office: Office) -> None:
    ctx = await office.ready(choices=EVERYTHING)
    sales = items(await LeaveDistributionGroups().look(ctx))[0]
    intent = Intent("key", office.clock.now())
    for _ in range(2):
        await LeaveDistributionGroups().act(ctx, sales, intent)
        assert isinstance(await LeaveDistributionGroups().confirm(ctx, sales, intent, ""), Done)
    for _ in range(2):
        assert isinstance(await LeaveDistributionGroups().undo(ctx, sales), Done)
    assert office.contoso.groups[sales.key].members.count(JANE) == 1


async def test_a_list_deleted_meanwhile_counts_as_left(office: Office) -> None:
    ctx = await office.ready(choices=EVERYTHING)
    sales = items(await LeaveDistributionGroups().look(ctx))[0]
    del office.contoso.groups[sales.key]
    intent = Intent("key", office.clock.now())
    await LeaveDistributionGroups().act(ctx, sales, intent)
    assert isinstance(await LeaveDistributionGroups().confirm(ctx, sales, intent, ""), Done)


async def test_an_apostrophe_in_a_name_breaks_no_filter(office: Office) -> None:
    found = items(await LeaveDistributionGroups().look(await office.ready(SEAN, EVERYTHING)))
    assert len(found) == 2
    filters = {str(call.parameters["Filter"]) for call in office.simulator.calls if "Filter" in call.parameters}
    assert all("O''Brien" in one for one in filters)


async def test_what_a_domain_a_rule_or_nobody_else_decides_is_a_persons_task(office: Office) -> None:
    ctx = await office.ready(choices=EVERYTHING)
    found = task(await GroupsByHand().look(ctx)).instructions
    assert "In the domain, take them out of: All Staff (all@contoso.example)." in found
    assert "dynamic lists: Berlin." in found
    assert "Name another owner, then take them off, for: Fire Wardens" in found
    assert "Munich" not in found
    item, intent = Item(key="by hand", title="x"), Intent("key", office.clock.now())
    assert isinstance(await GroupsByHand().confirm(ctx, item, intent, ""), Waiting)
    for group in office.contoso.groups.values():
        group.members, group.owners = [], []
    assert isinstance(await GroupsByHand().confirm(ctx, item, intent, ""), Done)


async def test_a_list_others_own_too_needs_no_new_owner(office: Office) -> None:
    office.contoso.groups = {"g": SimulatedGroup("g", "Club", "club@contoso.example", owners=[JANE, SEAN])}
    found = task(await GroupsByHand().look(await office.ready(choices=EVERYTHING))).instructions
    assert "Take them off the owners of: Club" in found
    assert "Name another owner" not in found


@pytest.mark.parametrize("choices", [{}, {"access": "partial"}])
def test_lists_stay_unless_everything_goes(choices: Mapping[str, str]) -> None:
    for step in (LeaveDistributionGroups(), GroupsByHand()):
        assert step.wanted(EVERYTHING, PLAIN)
        assert not step.wanted(choices, PLAIN)


# --- deletion


@pytest.mark.parametrize(
    "choices",
    [
        {"mailbox": "delete"},
        {"mailbox": "delete", "mailbox.backup": "later"},
        NAMED,
        {**NAMED, "mailbox.backup.evidence": "  "},
        {**NAMED, "mailbox.backup.evidence": "later"},
    ],
)
async def test_nothing_is_deleted_without_ground(office: Office, choices: Mapping[str, str]) -> None:
    found = task(await DeleteMailbox().look(await office.ready(choices=choices)))
    assert "not deleted" in found.reason


@pytest.mark.parametrize("choices", [DELETE_HELD, PROVEN, WAIVED])
async def test_with_ground_it_is_an_item_that_destroys_so_two_must_approve(
    office: Office, choices: Mapping[str, str]
) -> None:
    found = items(await DeleteMailbox().look(await office.ready(choices=choices)))
    assert [item.destroys for item in found] == [True]


async def test_a_hold_that_does_not_read_as_on_is_no_ground(office: Office) -> None:
    ctx = await office.ready(choices=DELETE_HELD)
    item = items(await DeleteMailbox().look(ctx))[0]
    with pytest.raises(Refused, match="does not read as on"):
        await DeleteMailbox().act(ctx, item, Intent("key", office.clock.now()))


@pytest.mark.parametrize(
    ("choices", "words"),
    [(DELETE_HELD, "becomes inactive"), (PROVEN, "take the Exchange licence off"), (WAIVED, "purged after 30 days")],
)
async def test_the_last_step_is_a_persons_with_exact_words_for_each_ground(
    office: Office, choices: Mapping[str, str], words: str
) -> None:
    ctx = await office.ready(choices=choices)
    item = items(await DeleteMailbox().look(ctx))[0]
    office.mailbox().litigation_hold = choices is DELETE_HELD
    with pytest.raises(Refused) as told:
        await DeleteMailbox().act(ctx, item, Intent("key", office.clock.now()))
    assert "no call deletes a mailbox and nothing else" in told.value.message
    assert words in told.value.fix
    assert "OneDrive" in told.value.fix
    assert office.changes() == [], "the bot itself deletes nothing, and no account"


async def test_a_held_mailbox_is_deleted_once_it_reads_as_inactive(office: Office) -> None:
    ctx = await office.ready(choices=DELETE_HELD)
    item, intent = items(await DeleteMailbox().look(ctx))[0], Intent("key", office.clock.now())
    assert isinstance(await DeleteMailbox().confirm(ctx, item, intent, ""), Waiting)
    office.mailbox().litigation_hold = office.mailbox().account_deleted = True
    outcome = await DeleteMailbox().confirm(ctx, item, intent, "")
    assert isinstance(outcome, Done)
    assert "inactive" in outcome.evidence
    assert isinstance(await DeleteMailbox().look(ctx), Nothing)


async def test_a_mailbox_gone_without_the_hold_that_was_decided_is_an_alarm(office: Office) -> None:
    ctx = await office.ready(choices=DELETE_HELD)
    item, intent = items(await DeleteMailbox().look(ctx))[0], Intent("key", office.clock.now())
    office.mailbox().account_deleted = True
    assert isinstance(await DeleteMailbox().confirm(ctx, item, intent, ""), Failed)
    assert "At once" in task(await DeleteMailbox().look(ctx)).instructions


async def test_a_waived_mailbox_is_deleted_once_it_is_disconnected_and_then_purged(office: Office) -> None:
    ctx = await office.ready(choices=WAIVED)
    item, intent = items(await DeleteMailbox().look(ctx))[0], Intent("key", office.clock.now())
    office.unlicensed.add(JANE)
    outcome = await DeleteMailbox().confirm(ctx, item, intent, "")
    assert isinstance(outcome, Done)
    assert "soft-deleted" in outcome.evidence
    office.clock.pass_by(31 * 86400)
    gone = await DeleteMailbox().confirm(ctx, item, intent, "")
    assert isinstance(gone, Done)
    assert "known to Exchange" in gone.evidence


def test_deletion_waits_for_the_hold_and_the_block_and_comes_last() -> None:
    assert set(DeleteMailbox.requires) == {"exchange.hold", "microsoft365.block_sign_in"}
    assert DeleteMailbox.wave is Wave.CLOSE


# --- a mailbox that is elsewhere


async def test_a_mailbox_on_the_clients_own_server_is_a_persons_task(office: Office) -> None:
    office.mailbox(SYNCED).kind = "MailUser"
    ctx = await office.ready(SYNCED)
    assert MailboxOnPremises().wanted({}, ctx.facts)
    found = await MailboxOnPremises().look(ctx)
    assert isinstance(found, Task)
    assert "Set-CASMailbox sam.synced@contoso.example" in found.instructions


async def test_a_read_that_fails_makes_nothing_look_done(office: Office) -> None:
    ctx = await office.ready(choices=SHARED)
    office.simulator.fail(CONTOSO, Fault("error", calls=None, match="Get-Mailbox", status=500))
    with pytest.raises(Exception, match="may or may not"):
        await ConvertToShared().look(ctx)
