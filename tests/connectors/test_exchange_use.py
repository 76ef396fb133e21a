"""The mailbox's new use, over the wire: access, sending as it, forwarding, meetings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from connectors.contract import Done, Failed, Intent, Nothing, Refused, Waiting
from connectors.exchange import CONNECTOR
from connectors.exchange.hand_over import Forward, GrantAccess, GrantSendAs, RestoreWebAccess
from connectors.exchange.lock_out import StopProtocols
from connectors.exchange.meeting_steps import CancelMeetings, HandOverMeetings
from connectors.exchange.simulated_mailboxes import CONTOSO, GUEST, JANE, MARIA, SEAN, SimulatedMeeting
from connectors.exchange.simulator import Fault
from tests.connectors.conftest import Microsoft
from tests.connectors.steps import items, run, task
from tests.connectors.test_exchange_world import PLAIN, TO_MARIA, Office, office_of

OUTSIDE = {"mailbox.forward": "external", "mailbox.forward.to": "sales@partner.example"}
CANCEL, HAND_OVER = {"mailbox.meetings": "cancel"}, {"mailbox.meetings": "hand over", **TO_MARIA}


@pytest.fixture
async def office(microsoft: Microsoft) -> AsyncIterator[Office]:
    async with office_of(microsoft) as office:
        yield office


# --- who opens it


async def test_access_is_granted_to_the_person_named_and_read_back(office: Office) -> None:
    ctx = await office.ready(choices=TO_MARIA)
    assert await run(GrantAccess(), ctx) == [Done("Maria Rossi (maria@contoso.example) may open the mailbox")]
    assert office.mailbox().full_access == {MARIA: False}
    sent = office.changes()[0].parameters
    assert (sent["User"], sent["AccessRights"], sent["AutoMapping"]) == (MARIA, ["FullAccess"], True)


async def test_sending_as_the_mailbox_is_granted_and_read_back(office: Office) -> None:
    outcomes = await run(GrantSendAs(), await office.ready(choices=TO_MARIA))
    assert outcomes == [Done("Maria Rossi (maria@contoso.example) may send as the mailbox")]
    assert office.mailbox().send_as == {MARIA}
    assert office.mailbox().full_access == {}


async def test_who_has_it_already_needs_nothing_and_a_denial_is_not_having_it(office: Office) -> None:
    office.mailbox().full_access = {MARIA: False}
    ctx = await office.ready(choices=TO_MARIA)
    assert isinstance(await GrantAccess().look(ctx), Nothing)
    office.mailbox().full_access = {MARIA: True}
    assert items(await GrantAccess().look(ctx))


@pytest.mark.parametrize("step", [GrantAccess(), GrantSendAs()], ids=lambda step: step.id)
async def test_access_is_taken_back_and_taking_back_twice_is_only_a_warning(office: Office, step: GrantAccess) -> None:
    ctx = await office.ready(choices=TO_MARIA)
    item = items(await step.look(ctx))[0]
    await run(step, ctx)
    assert isinstance(await step.undo(ctx, item), Done)
    assert isinstance(await step.undo(ctx, item), Done)
    assert (office.mailbox().full_access, office.mailbox().send_as) == ({}, set())


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"mailbox.access": "nobody"},
        {"mailbox.access": "later"},
        {"mailbox.access": JANE},
        {"mailbox.access": "Maria"},
        {**TO_MARIA, "mailbox": "delete"},
    ],
)
def test_nobody_gets_access_without_a_person_and_a_mailbox_that_stays(choices: Mapping[str, str]) -> None:
    for step in (GrantAccess(), GrantSendAs(), RestoreWebAccess()):
        assert step.wanted(TO_MARIA, PLAIN)
        assert not step.wanted(choices, PLAIN)


async def test_somebody_without_a_mailbox_is_a_task_that_names_them(office: Office) -> None:
    stranger = "c0000000-0000-4000-8000-0000000000ff"
    choices = {"mailbox.access": stranger, "mailbox.access.name": "Nia New"}
    found = task(await GrantAccess().look(await office.ready(choices=choices)))
    assert "Nia New" in found.instructions
    assert office.changes() == []


async def test_a_name_that_is_somebody_elses_id_gives_nobody_access(office: Office) -> None:
    stranger = "c0000000-0000-4000-8000-0000000000ff"
    office.mailbox(SEAN).mail = stranger
    task(await GrantAccess().look(await office.ready(choices={"mailbox.access": stranger})))


# --- Outlook and web for them


async def test_outlook_and_web_open_again_only_once_the_leaver_is_blocked(office: Office) -> None:
    ctx = await office.ready(choices=TO_MARIA)
    await run(StopProtocols(), ctx)
    assert "Block the sign-in" in task(await RestoreWebAccess().look(ctx)).instructions
    office.microsoft.simulator.person(JANE).enabled = False
    item = items(await RestoreWebAccess().look(ctx))[0]
    assert isinstance((await run(RestoreWebAccess(), ctx))[0], Done)
    opened = {name for name, value in office.mailbox().protocols.items() if value is True}
    assert opened == {"OWAEnabled", "MAPIEnabled", "EwsEnabled", "SmtpClientAuthenticationDisabled"}
    assert isinstance(await RestoreWebAccess().look(ctx), Nothing)
    assert isinstance(await RestoreWebAccess().undo(ctx, item), Done)
    assert office.mailbox().protocols["OWAEnabled"] is False


def test_outlook_and_web_wait_for_access_block_password_and_the_next_sync() -> None:
    assert set(RestoreWebAccess.requires) == {
        "exchange.grant_access",
        "microsoft365.block_sign_in",
        "microsoft365.reset_password",
        "microsoft365.check_after_sync",
    }


# --- forwarding


@pytest.mark.parametrize(
    ("choices", "target"),
    [({"mailbox.forward": SEAN}, SEAN), ({**TO_MARIA, "mailbox.forward": "successor"}, MARIA)],
)
async def test_mail_is_forwarded_inside_and_a_copy_kept(
    office: Office, choices: Mapping[str, str], target: str
) -> None:
    ctx = await office.ready(choices=choices)
    before = items(await Forward().look(ctx))[0]
    assert isinstance((await run(Forward(), ctx))[0], Done)
    assert office.mailbox().keeps_copy
    assert office.simulator.mail_goes_to(JANE) == office.mailbox(target).mail
    assert office.mailbox().forwarding_smtp == "", "it would be ignored, and wake up later"
    assert isinstance(await Forward().look(ctx), Nothing)
    assert isinstance(await Forward().undo(ctx, before), Done)
    assert office.mailbox().forwarding_smtp == "jane.private@freemail.example"


async def test_with_a_plain_address_left_standing_it_is_not_forwarded_yet(office: Office) -> None:
    office.mailbox().forwarding_address = SEAN
    assert items(await Forward().look(await office.ready(choices={"mailbox.forward": SEAN})))


async def test_a_forward_that_keeps_no_copy_is_not_the_one_decided(office: Office) -> None:
    office.mailbox().forwarding_smtp, office.mailbox().forwarding_address = "", SEAN
    office.mailbox().keeps_copy = False
    assert items(await Forward().look(await office.ready(choices={"mailbox.forward": SEAN})))


async def test_mail_goes_outside_only_where_the_spam_policy_lets_it(office: Office) -> None:
    ctx = await office.ready(choices=OUTSIDE)
    found = task(await Forward().look(ctx))
    assert "5.7.520" in found.reason
    assert "jane.doe@contoso.example" in found.instructions
    office.contoso.outbound = "On"
    assert isinstance((await run(Forward(), ctx))[0], Done)
    assert office.simulator.mail_goes_to(JANE) == "sales@partner.example"


async def test_where_the_policy_can_not_be_read_exchange_is_asked_and_its_refusal_told(office: Office) -> None:
    office.contoso.denied, office.contoso.refuses_forwarding = ("Get-HostedOutboundSpamFilterPolicy",), True
    ctx = await office.ready(choices=OUTSIDE)
    with pytest.raises(Refused, match="outbound policy"):
        await run(Forward(), ctx)
    assert office.done() == []


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"mailbox.forward": "no"},
        {"mailbox.forward": "later"},
        {"mailbox.forward": "successor"},
        {"mailbox.forward": "successor", "mailbox.access": "nobody"},
        {"mailbox.forward": JANE},
        {"mailbox.forward": "external"},
        {"mailbox.forward": "external", "mailbox.forward.to": "later"},
        {"mailbox.forward": "external", "mailbox.forward.to": "x@y.example; Set-Mailbox"},
        {"mailbox.forward": "no", "mailbox.forward.to": "x@y.example"},
        {"mailbox.forward": SEAN, "mailbox": "delete"},
    ],
)
def test_nothing_is_forwarded_that_was_not_decided(choices: Mapping[str, str]) -> None:
    assert Forward().wanted(OUTSIDE, PLAIN)
    assert not Forward().wanted(choices, PLAIN)


# --- meetings


async def test_meetings_are_cancelled_once_they_were_all_shown(office: Office) -> None:
    ctx = await office.ready(choices=CANCEL)
    outcomes = await run(CancelMeetings(), ctx)
    assert outcomes == [Done("it is not in their calendar any more")] * 2
    assert [call.cmdlet for call in office.changes()] == ["Remove-CalendarEvents"]
    assert office.done() == ["meeting cancelled, mails sent"] * 2
    assert [one.subject for one in office.mailbox().meetings] == ["Board", "Last year's kick-off"]


async def test_looking_at_meetings_cancels_none(office: Office) -> None:
    await CancelMeetings().look(await office.ready(choices=CANCEL))
    sent = [call for call in office.simulator.calls if call.cmdlet == "Remove-CalendarEvents"]
    assert sent
    assert all(call.parameters["PreviewOnly"] is True for call in sent)
    assert office.done() == []


async def test_a_meeting_nobody_was_shown_stops_the_cancelling(office: Office) -> None:
    ctx = await office.ready(choices=CANCEL)
    office.mailbox().meetings.append(
        SimulatedMeeting("New", datetime(2026, 12, 9, 9, 0, tzinfo=UTC), ("k@partner.example",))
    )
    with pytest.raises(Refused, match=r'nobody was shown.*"New"'):
        await run(CancelMeetings(), ctx)
    assert office.done() == []


async def test_a_meeting_that_is_over_meanwhile_stops_nothing(office: Office) -> None:
    ctx = await office.ready(choices=CANCEL)
    weekly = items(await CancelMeetings().look(ctx))[1]
    assert "Sales weekly" in weekly.title
    office.clock.pass_by(timedelta(days=7).total_seconds())
    intent = Intent("key", office.clock.now())
    assert (await CancelMeetings().act(ctx, weekly, intent)).reference == "gone already"
    assert isinstance((await run(CancelMeetings(), ctx))[0], Done)


async def test_a_cancellation_whose_answer_was_lost_writes_to_nobody_twice(office: Office) -> None:
    ctx = await office.ready(choices=CANCEL)
    first = items(await CancelMeetings().look(ctx))[0]
    office.simulator.fail(CONTOSO, Fault("lost", match="Confirm"))
    intent = Intent("key", office.clock.now())
    with pytest.raises(Exception, match="may or may not"):
        await CancelMeetings().act(ctx, first, intent)
    await CancelMeetings().act(ctx, first, Intent("key", intent.at, repeated=True))
    assert office.done() == ["meeting cancelled, mails sent"] * 2


async def test_a_mailbox_that_vanished_is_no_evidence_that_anybody_was_told(office: Office) -> None:
    ctx = await office.ready(choices=CANCEL)
    first = items(await CancelMeetings().look(ctx))[0]
    office.unlicensed.add(JANE)
    assert isinstance(await CancelMeetings().confirm(ctx, first, Intent("key", office.clock.now()), ""), Failed)


@pytest.mark.parametrize("choices", [{}, {"mailbox.meetings": "leave"}, {"mailbox.meetings": "later"}])
def test_meetings_stay_unless_somebody_decided(choices: Mapping[str, str]) -> None:
    assert CancelMeetings().wanted(CANCEL, PLAIN)
    assert HandOverMeetings().wanted(HAND_OVER, PLAIN)
    assert not CancelMeetings().wanted(choices, PLAIN)
    assert not HandOverMeetings().wanted(choices, PLAIN)


async def test_handing_over_is_a_persons_task_that_names_meetings_and_successor(office: Office) -> None:
    ctx = await office.ready(choices=HAND_OVER)
    found = task(await HandOverMeetings().look(ctx))
    for words in ("Maria Rossi (maria@contoso.example)", "Quarterly review", "Sales weekly", "Remove-CalendarEvents"):
        assert words in found.instructions
    assert not CancelMeetings().wanted(HAND_OVER, ctx.facts)


async def test_handed_over_is_what_the_calendar_says(office: Office) -> None:
    ctx = await office.ready(choices=HAND_OVER)
    item, intent = items(await CancelMeetings().look(ctx))[0], Intent("key", office.clock.now())
    assert isinstance(await HandOverMeetings().confirm(ctx, item, intent, ""), Waiting)
    office.mailbox().meetings.clear()
    assert isinstance(await HandOverMeetings().confirm(ctx, item, intent, ""), Done)
    assert isinstance(await HandOverMeetings().look(ctx), Nothing)


async def test_a_preview_in_objects_is_read_like_one_in_sentences(office: Office) -> None:
    office.contoso.preview_as_text = False
    facts = await office.facts()
    assert facts.meetings == (
        "2026-12-01T09:00:00+00:00 – Quarterly review",
        "2026-11-30T08:00:00+00:00 – Sales weekly (series)",
    )


def test_every_step_that_reaches_outsiders_waits_for_a_deliberate_answer() -> None:
    assert GUEST
    assert "can't be brought back" in CancelMeetings.irreversible
    assert CancelMeetings.wave < next(step for step in CONNECTOR.steps if step.id == "exchange.convert_to_shared").wave
