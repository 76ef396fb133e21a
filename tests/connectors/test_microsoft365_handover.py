"""What others take over, and what is switched off: files, replies, reports, devices, applications, the name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.contract import (
    AnyStep,
    Done,
    Failed,
    Intent,
    Nothing,
    Outcome,
    Refused,
    Task,
    Unreadable,
    Waiting,
    Wave,
)
from connectors.microsoft365.auto_reply import SetAutoReply
from connectors.microsoft365.device_steps import DisableDevices, WipeDevices
from connectors.microsoft365.domain import CheckAfterSync, DomainAccount
from connectors.microsoft365.files import ShareFiles
from connectors.microsoft365.grants import RemoveAppRoles, RevokeGrants
from connectors.microsoft365.guards import Ctx
from connectors.microsoft365.people_below import MoveReports
from connectors.microsoft365.rename import Rename
from connectors.microsoft365.simulated_people import (
    CONTOSO,
    JANE,
    LAPTOP,
    LEAD,
    MARIA,
    OFFICE_PC,
    OLIVIA,
    OTHER_JANE,
    PHONE,
    SEAN,
    SYNCED,
    WORKERS,
    ZOE,
)
from connectors.microsoft365.simulator import Fault
from connectors.microsoft365.steps import BlockSignIn
from connectors.microsoft365.tasks import PartialAccess, ReturnDevices, TakeBackup
from tests.connectors.conftest import Microsoft
from tests.connectors.steps import items
from tests.connectors.test_microsoft365_steps import ready


async def leaver(microsoft: Microsoft, choices: dict[str, str], person: str = OLIVIA) -> Ctx:
    return replace(await ready(microsoft, person), choices=choices)


async def run(step: AnyStep, ctx: Ctx) -> list[Outcome]:
    """Look, then act on and confirm each item, twice over: repeating must do no harm."""
    outcomes: list[Outcome] = []
    for item in items(await step.look(ctx)):
        intent = Intent("key", ctx.clock.now())
        await step.act(ctx, item, intent)
        accepted = await step.act(ctx, item, replace(intent, repeated=True))
        outcomes.append(await step.confirm(ctx, item, intent, accepted.reference))
    return outcomes


# --- files


async def test_the_person_named_can_write_to_the_onedrive_and_gets_no_mail(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"files": MARIA, "files.name": "Maria Rossi"})
    assert await run(ShareFiles(), ctx) == [Done("Maria Rossi can write to the whole OneDrive")]
    assert microsoft.done() == ["files shared"]
    assert isinstance(await ShareFiles().look(ctx), Nothing)


async def test_sharing_is_undone_by_taking_the_permission_away(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"files": MARIA})
    item = items(await ShareFiles().look(ctx))[0]
    await run(ShareFiles(), ctx)
    assert isinstance(await ShareFiles().undo(ctx, item), Done)
    assert isinstance(await ShareFiles().undo(ctx, item), Done)
    assert microsoft.done() == ["files shared", "files no longer shared"]


async def test_somebody_without_a_onedrive_has_nothing_to_share(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"files": MARIA})
    microsoft.simulator.person(OLIVIA).drive = None
    assert await ShareFiles().look(ctx) == Nothing("they never had a OneDrive")
    plain = await leaver(microsoft, {"files": MARIA}, JANE)
    assert not ShareFiles().wanted(plain.choices, plain.facts)


async def test_a_permission_for_somebody_else_confirms_nothing(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"files": MARIA})
    item = items(await ShareFiles().look(ctx))[0]
    await run(ShareFiles(), await leaver(microsoft, {"files": ZOE}))
    assert isinstance(await ShareFiles().confirm(ctx, item, Intent("key", ctx.clock.now()), ""), Waiting)


@pytest.mark.parametrize("answer", ["nobody", "later", ""])
async def test_files_are_shared_with_a_person_only(microsoft: Microsoft, answer: str) -> None:
    ctx = await leaver(microsoft, {"files": answer})
    assert not ShareFiles().wanted(ctx.choices, ctx.facts)


async def test_files_for_somebody_without_a_working_account_are_a_task(microsoft: Microsoft) -> None:
    microsoft.simulator.person(MARIA).enabled = False
    assert isinstance(await ShareFiles().look(await leaver(microsoft, {"files": MARIA})), Task)


# --- the automatic reply


async def test_the_standard_reply_names_the_manager_and_reaches_everybody(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"mailbox.reply": "standard"})
    assert await run(SetAutoReply(), ctx) == [Done("the reply is on, for everybody who writes")]
    said = microsoft.simulator.effects[-1].detail
    assert "Olivia Owner no longer works at Contoso." in said
    assert "Maria Rossi instead: maria@contoso.example" in said
    box = microsoft.simulator.person(OLIVIA).mailbox
    assert box is not None
    assert (box.reply["status"], box.reply["externalAudience"]) == ("alwaysEnabled", "all")
    assert isinstance(await SetAutoReply().look(ctx), Nothing)


async def test_own_words_stay_words_and_never_become_markup(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"mailbox.reply": "<script>alert(1)</script>\nWrite to A & B"})
    assert isinstance((await run(SetAutoReply(), ctx))[0], Done)
    sent = next(call.body for call in microsoft.simulator.calls if call.method == "PATCH")
    reply = sent["automaticRepliesSetting"]
    assert isinstance(reply, dict)
    assert reply["externalReplyMessage"] == "&lt;script&gt;alert(1)&lt;/script&gt;<br>Write to A &amp; B"


async def test_the_old_reply_is_kept_and_put_back(microsoft: Microsoft) -> None:
    box = microsoft.simulator.person(OLIVIA).mailbox
    assert box is not None
    old = {"status": "alwaysEnabled", "externalAudience": "none", "internalReplyMessage": "away"}
    box.reply.update(old)
    ctx = await leaver(microsoft, {"mailbox.reply": "standard"})
    item = items(await SetAutoReply().look(ctx))[0]
    await run(SetAutoReply(), ctx)
    assert isinstance(await SetAutoReply().undo(ctx, item), Done)
    assert box.reply["externalAudience"] == "none"
    assert "away" in str(box.reply["internalReplyMessage"])


@pytest.mark.parametrize("changed", [{"status": "disabled"}, {"externalAudience": "none"}])
async def test_words_that_reach_nobody_are_no_reply(microsoft: Microsoft, changed: dict[str, str]) -> None:
    ctx = await leaver(microsoft, {"mailbox.reply": "standard"})
    item = items(await SetAutoReply().look(ctx))[0]
    await run(SetAutoReply(), ctx)
    box = microsoft.simulator.person(OLIVIA).mailbox
    assert box is not None
    box.reply.update(changed)
    assert isinstance(await SetAutoReply().confirm(ctx, item, Intent("key", ctx.clock.now()), ""), Waiting)
    assert items(await SetAutoReply().look(ctx))


async def test_no_mailbox_is_no_failure(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"mailbox.reply": "standard"}, JANE)
    assert await SetAutoReply().look(ctx) == Nothing("there is no mailbox in the cloud")
    assert not SetAutoReply().wanted(ctx.choices, ctx.facts)


@pytest.mark.parametrize("answer", ["none", "later", ""])
async def test_no_reply_is_sent_that_nobody_asked_for(microsoft: Microsoft, answer: str) -> None:
    ctx = await leaver(microsoft, {"mailbox.reply": answer})
    assert not SetAutoReply().wanted(ctx.choices, ctx.facts)
    assert not SetAutoReply().wanted({}, ctx.facts)


# --- people below


async def test_twelve_reports_get_the_new_manager(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"reports": SEAN}, LEAD)
    found = items(await MoveReports().look(ctx))
    assert {item.key for item in found} == {*WORKERS, OTHER_JANE}
    assert found[0].before["manager"] == LEAD
    assert all(isinstance(outcome, Done) for outcome in await run(MoveReports(), ctx))
    assert {microsoft.simulator.person(one).manager for one in WORKERS} == {SEAN}
    assert microsoft.simulator.person(LEAD).manager == MARIA
    assert isinstance(await MoveReports().undo(ctx, found[0]), Done)
    assert microsoft.simulator.person(found[0].key).manager == LEAD


async def test_whoever_takes_over_from_among_them_reports_to_the_leavers_manager(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"reports": WORKERS[0]}, LEAD)
    assert all(isinstance(outcome, Done) for outcome in await run(MoveReports(), ctx))
    assert microsoft.simulator.person(WORKERS[0]).manager == MARIA
    assert microsoft.simulator.person(WORKERS[1]).manager == WORKERS[0]


async def test_a_synced_report_is_moved_in_the_domain(microsoft: Microsoft) -> None:
    microsoft.simulator.person(WORKERS[0]).synced = True
    ctx = await leaver(microsoft, {"reports": SEAN}, LEAD)
    item = next(item for item in items(await MoveReports().look(ctx)) if item.key == WORKERS[0])
    with pytest.raises(Refused, match="Active Directory"):
        await MoveReports().act(ctx, item, Intent("key", ctx.clock.now()))
    for worker in (*WORKERS, OTHER_JANE):
        microsoft.simulator.person(worker).synced = True
    assert isinstance(await MoveReports().look(ctx), Task)


# --- devices


async def test_devices_are_disabled_as_answered_and_no_other(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {f"devices.{LAPTOP}": "disable", f"devices.{PHONE}": "keep"})
    assert DisableDevices.wave is Wave.LOCK_OUT
    assert await run(DisableDevices(), ctx) == [Done("LAPTOP-7 (Windows, company) reads as disabled")]
    assert [one.enabled for one in microsoft.contoso.devices.values()] == [False, True, True]
    assert isinstance(await DisableDevices().look(ctx), Nothing)
    assert not DisableDevices().wanted({}, ctx.facts)


async def test_a_disabled_device_can_be_enabled_again(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {f"devices.{LAPTOP}": "disable"})
    item = items(await DisableDevices().look(ctx))[0]
    await run(DisableDevices(), ctx)
    assert isinstance(await DisableDevices().undo(ctx, item), Done)
    assert microsoft.contoso.devices[LAPTOP].enabled


async def test_a_domain_joined_device_is_said_to_come_back(microsoft: Microsoft) -> None:
    outcomes = await run(DisableDevices(), await leaver(microsoft, {f"devices.{OFFICE_PC}": "disable"}))
    assert isinstance(outcomes[0], Done)
    assert "enables it again at the next sync" in outcomes[0].evidence


async def test_returning_devices_is_a_task_that_names_them(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {f"devices.{LAPTOP}": "return"})
    assert ReturnDevices().wanted(ctx.choices, ctx.facts)
    found = await ReturnDevices().look(ctx)
    assert isinstance(found, Task)
    assert "LAPTOP-7" in found.instructions
    assert "PC-12" not in found.instructions


async def test_wiping_takes_two_approvers_and_a_persons_hands(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {f"devices.{LAPTOP}": "wipe", f"devices.{PHONE}": "wipe"})
    company, private = items(await WipeDevices().look(ctx))
    assert company.destroys
    assert WipeDevices.irreversible
    intent = Intent("key", ctx.clock.now())
    with pytest.raises(Refused, match=r"BitLocker key.*Wipe, without keeping"):
        await WipeDevices().act(ctx, company, intent)
    with pytest.raises(Refused, match="Retire, never Wipe"):
        await WipeDevices().act(ctx, private, intent)
    assert isinstance(await WipeDevices().confirm(ctx, company, intent, ""), Unreadable)
    assert microsoft.done() == []


# --- applications and consents


async def test_applications_assigned_directly_are_removed_and_can_be_given_back(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {})
    item = items(await RemoveAppRoles().look(ctx))[0]
    assert item.title == "Contoso CRM"
    assert [type(outcome) for outcome in await run(RemoveAppRoles(), ctx)] == [Done]
    assert isinstance(await RemoveAppRoles().undo(ctx, item), Done)


async def test_everybodys_consent_is_left_alone(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {})
    assert [type(outcome) for outcome in await run(RevokeGrants(), ctx)] == [Done]
    assert [grant.id for grant in microsoft.contoso.grants] == ["grant-everybody"]
    assert "asks the person again" in RevokeGrants.irreversible


def test_neither_is_part_of_the_lock_out_since_neither_lets_anybody_in() -> None:
    assert RemoveAppRoles.wave is RevokeGrants.wave is Wave.CLEAN_UP


# --- the name


async def test_the_name_is_marked_once_and_put_back(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"rename": "yes"})
    item = items(await Rename().look(ctx))[0]
    assert await run(Rename(), ctx) == [Done("the name reads 'Former – Olivia Owner'")]
    assert isinstance(await Rename().look(ctx), Nothing)
    assert isinstance(await Rename().undo(ctx, item), Done)
    assert microsoft.simulator.person(OLIVIA).name == "Olivia Owner"


async def test_the_name_stays_unless_asked_and_a_synced_one_is_set_in_the_domain(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"rename": "yes"}, SYNCED)
    assert isinstance(await Rename().look(ctx), Task)
    assert not Rename().wanted({"rename": "later"}, ctx.facts)
    assert not Rename().wanted({}, ctx.facts)


# --- synced accounts


async def synced(microsoft: Microsoft) -> Ctx:
    ctx = await leaver(microsoft, {}, SYNCED)
    await run(BlockSignIn(), ctx)
    return ctx


async def test_a_block_lasts_only_when_a_later_sync_left_it(microsoft: Microsoft) -> None:
    microsoft.contoso.domain_disabled = ("ssynced",)
    ctx = await synced(microsoft)
    item = items(await CheckAfterSync().look(ctx))[0]
    intent = Intent("key", ctx.clock.now())
    accepted = await CheckAfterSync().act(ctx, item, intent)
    waiting = await CheckAfterSync().confirm(ctx, item, intent, accepted.reference)
    assert isinstance(waiting, Waiting)
    assert waiting.seconds >= 30
    microsoft.clock.pass_by(1801)
    outcome = await CheckAfterSync().confirm(ctx, item, intent, accepted.reference)
    assert isinstance(outcome, Done)
    assert "still blocked after the sync" in outcome.evidence


async def test_an_account_the_domain_brings_back_is_a_failure_and_not_done(microsoft: Microsoft) -> None:
    ctx = await synced(microsoft)
    item = items(await CheckAfterSync().look(ctx))[0]
    intent = Intent("key", ctx.clock.now())
    accepted = await CheckAfterSync().act(ctx, item, intent)
    microsoft.clock.pass_by(1801)
    outcome = await CheckAfterSync().confirm(ctx, item, intent, accepted.reference)
    assert isinstance(outcome, Failed)
    assert "turned the account on again" in outcome.reason
    # Tried again, it waits for a sync of its own.
    microsoft.contoso.domain_disabled = ("ssynced",)
    await run(BlockSignIn(), ctx)
    again = await CheckAfterSync().act(ctx, item, intent)
    assert isinstance(await CheckAfterSync().confirm(ctx, item, intent, again.reference), Waiting)


def test_the_check_comes_after_whoever_disables_the_domain_account() -> None:
    assert {"active_directory.disable", DomainAccount.id} <= set(CheckAfterSync.after)
    assert CheckAfterSync.lag.total_seconds() == 3 * 3600
    assert DomainAccount.stands_in_for == "active_directory"


# --- what people do


async def test_partial_access_blocks_nothing_and_is_a_task_with_the_clients_words(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"access": "partial", "access.stays": "the payroll app until 31 December"})
    assert PartialAccess().wanted(ctx.choices, ctx.facts)
    assert not PartialAccess().wanted({}, ctx.facts)
    assert not BlockSignIn().wanted(ctx.choices, ctx.facts)
    found = await PartialAccess().look(ctx)
    assert isinstance(found, Task)
    assert "the payroll app until 31 December" in found.instructions


async def test_a_backup_is_a_task_that_names_what_there_is(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"backup": "yes"})
    found = await TakeBackup().look(ctx)
    assert isinstance(found, Task)
    for word in ("mailbox", "OneDrive", "LAPTOP-7"):
        assert word in found.instructions
    assert not TakeBackup().wanted({"backup": "later"}, ctx.facts)


async def test_a_person_gone_meanwhile_is_no_trouble_to_anybody(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"files": MARIA, "mailbox.reply": "standard", "rename": "yes"})
    del microsoft.contoso.people[OLIVIA]
    for step in (ShareFiles(), SetAutoReply(), Rename(), RemoveAppRoles(), RevokeGrants()):
        assert isinstance(await step.look(ctx), Nothing), step.id


async def test_a_lost_answer_to_an_invitation_is_found_by_looking(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {"files": MARIA})
    item = items(await ShareFiles().look(ctx))[0]
    microsoft.simulator.fail(CONTOSO, Fault("lost", match="invite"))
    with pytest.raises(Exception, match="may or may not have happened"):
        await ShareFiles().act(ctx, item, Intent("key", ctx.clock.now()))
    assert isinstance(await ShareFiles().look(ctx), Nothing)
