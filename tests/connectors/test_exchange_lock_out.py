"""Exchange's part of the lock-out, over the wire: ways in, phones, forwarding, rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from connectors.contract import Done, Intent, Item, Nothing, Refused, Throttled, Unreachable, Waiting
from connectors.exchange.group_steps import LeaveDistributionGroups
from connectors.exchange.lock_out import ClearForwarding, RemoveDevices, RemoveRules, StopProtocols
from connectors.exchange.protocols import OFF
from connectors.exchange.simulated_cmdlets import legacy
from connectors.exchange.simulated_mailboxes import (
    CONTOSO,
    DISABLED,
    GUEST,
    JANE,
    MARIA,
    OTHER_JANE,
    ROOM,
    SEAN,
    SimulatedRule,
)
from connectors.exchange.simulator import Fault
from tests.connectors.conftest import Microsoft
from tests.connectors.steps import items, run
from tests.connectors.test_exchange_world import TO_MARIA, AnyStep, Office, leaver, office_of, until_settled


@pytest.fixture
async def office(microsoft: Microsoft) -> AsyncIterator[Office]:
    async with office_of(microsoft) as office:
        yield office


# --- ways into the mailbox


async def test_every_way_in_is_shut_by_one_change_and_read_back(office: Office) -> None:
    outcomes = await run(StopProtocols(), await office.ready())
    assert outcomes == [Done("all 9 ways into the mailbox read as shut")]
    assert [call.cmdlet for call in office.changes()] == ["Set-CASMailbox"]
    assert all(value is OFF[name] for name, value in office.mailbox().protocols.items())


async def test_smtp_sign_in_is_shut_by_the_switch_that_is_worded_the_other_way_round(office: Office) -> None:
    await run(StopProtocols(), await office.ready())
    assert office.mailbox().protocols["SmtpClientAuthenticationDisabled"] is True


async def test_a_switch_left_to_the_organisation_counts_as_open(office: Office) -> None:
    shut = {name: OFF[name] for name in office.mailbox().protocols}
    office.mailbox().protocols = {**shut, "SmtpClientAuthenticationDisabled": None}
    assert items(await StopProtocols().look(await office.ready()))


async def test_a_switch_this_organisation_has_not_is_not_sent(office: Office) -> None:
    await run(StopProtocols(), await office.ready())
    assert "MacOutlookEnabled" not in office.changes()[0].parameters


async def test_a_switch_only_this_organisation_has_is_shut_too(office: Office) -> None:
    del office.mailbox().protocols["PopEnabled"]
    await run(StopProtocols(), await office.ready())
    assert "PopEnabled" not in office.changes()[0].parameters
    assert "ImapEnabled" in office.changes()[0].parameters


async def test_undoing_opens_what_was_open_and_leaves_shut_what_was_shut(office: Office) -> None:
    office.mailbox().protocols["PopEnabled"] = False
    before = dict(office.mailbox().protocols)
    ctx = await office.ready()
    item = items(await StopProtocols().look(ctx))[0]
    await run(StopProtocols(), ctx)
    assert isinstance(await StopProtocols().undo(ctx, item), Done)
    assert office.mailbox().protocols == before


async def test_a_change_that_is_not_to_be_seen_yet_is_waited_for(office: Office) -> None:
    ctx = await office.ready()
    office.contoso.lag = 40
    item = items(await StopProtocols().look(ctx))[0]
    intent = Intent("key", office.clock.now())
    await StopProtocols().act(ctx, item, intent)
    assert isinstance(await StopProtocols().confirm(ctx, item, intent, ""), Waiting)
    assert isinstance(await until_settled(StopProtocols(), ctx, item, intent), Done)
    assert len(office.changes()) == 1


async def test_an_answer_that_all_is_well_is_not_believed(office: Office) -> None:
    ctx = await office.ready()
    office.contoso.ignores = ("Set-CASMailbox",)
    assert [type(one) for one in await run(StopProtocols(), ctx)] == [Waiting]


async def test_reads_back_get_rarer_with_time(office: Office) -> None:
    ctx = await office.ready()
    item = items(await StopProtocols().look(ctx))[0]
    intent, waits = Intent("key", office.clock.now()), list[float]()
    for _ in range(3):
        outcome = await StopProtocols().confirm(ctx, item, intent, "")
        assert isinstance(outcome, Waiting)
        waits.append(outcome.seconds)
        office.clock.pass_by(61)
    assert waits == [2, 15, 60]


async def test_outlook_stays_open_for_the_mailboxs_new_user_once_the_leaver_is_blocked(office: Office) -> None:
    ctx = await office.ready(choices=TO_MARIA)
    await run(StopProtocols(), ctx)
    office.mailbox().protocols["OWAEnabled"] = True
    assert items(await StopProtocols().look(ctx)), "nobody has access yet"
    office.mailbox().full_access = {MARIA: False}
    assert items(await StopProtocols().look(ctx)), "the leaver could still sign in"
    office.microsoft.simulator.person(JANE).enabled = False
    assert isinstance(await StopProtocols().look(ctx), Nothing)
    office.mailbox().protocols["ImapEnabled"] = True
    assert items(await StopProtocols().look(ctx)), "an old protocol is nobody's"


async def test_a_denial_is_no_access(office: Office) -> None:
    ctx = await office.ready(choices=TO_MARIA)
    await run(StopProtocols(), ctx)
    office.microsoft.simulator.person(JANE).enabled = False
    office.mailbox().protocols["OWAEnabled"] = True
    office.mailbox().full_access = {MARIA: True}
    assert items(await StopProtocols().look(ctx))


@pytest.mark.parametrize("user", [DISABLED, ROOM])
async def test_a_mailbox_that_others_work_in_is_not_shut(office: Office, user: str) -> None:
    facts = await office.facts(user)
    assert not StopProtocols().wanted({}, facts)
    assert not RemoveDevices().wanted({}, facts)
    assert ClearForwarding().wanted({}, facts)
    assert RemoveRules().wanted({}, facts)


async def test_partial_access_keeps_the_mail_but_not_what_carries_it_outside(office: Office) -> None:
    facts = await office.facts()
    wanted = [step.id for step in (StopProtocols(), RemoveDevices(), ClearForwarding(), RemoveRules())]
    assert [step.id for step in (StopProtocols(), RemoveDevices()) if step.wanted({"access": "partial"}, facts)] == []
    kept = [step for step in (ClearForwarding(), RemoveRules()) if step.wanted({"access": "partial"}, facts)]
    assert [step.id for step in kept] == wanted[2:]


EVERY_STEP = pytest.mark.parametrize(
    "step", [StopProtocols(), RemoveDevices(), ClearForwarding(), RemoveRules()], ids=lambda step: step.id
)


@EVERY_STEP
async def test_a_mailbox_that_is_gone_needs_nothing(office: Office, step: AnyStep) -> None:
    ctx = await office.ready()
    office.unlicensed.add(JANE)
    assert isinstance(await step.look(ctx), Nothing)


@EVERY_STEP
async def test_a_mailbox_neither_there_nor_gone_is_no_ended_access(office: Office, step: AnyStep) -> None:
    ctx = await office.ready()
    item = items(await step.look(ctx))[0]
    del office.contoso.mailboxes[JANE]
    for group in office.contoso.groups.values():
        group.members, group.owners = [], []
    with pytest.raises(Unreachable, match="neither as active nor as deleted"):
        await step.look(ctx)
    with pytest.raises(Unreachable, match="neither as active nor as deleted"):
        await step.confirm(ctx, item, Intent("key", office.clock.now()), "")


# --- phones


async def test_each_phone_is_an_item_and_only_the_company_mail_is_erased(office: Office) -> None:
    ctx = await office.ready()
    assert [item.title for item in items(await RemoveDevices().look(ctx))] == [
        "Jane's iPhone (iOS 19.1)",
        "Old phone (Android 5)",
    ]
    await run(RemoveDevices(), ctx)
    assert "WHOLE PHONE WIPED" not in office.done()
    sent = [call for call in office.changes() if call.cmdlet == "Clear-MobileDevice"]
    assert all(call.parameters["AccountOnly"] is True for call in sent)


async def test_a_phone_too_old_for_that_loses_its_partnership_instead(office: Office) -> None:
    outcomes = await run(RemoveDevices(), await office.ready())
    assert office.done() == ["erase asked", "device removed"]
    assert outcomes == [
        Done("Jane's iPhone (iOS 19.1) erases the company's mail at its next contact, if it ever makes one"),
        Done("Old phone (Android 5) is not listed any more; mail it already holds stays on it"),
    ]


async def test_a_refusal_for_another_reason_removes_nothing(office: Office) -> None:
    ctx = await office.ready()
    office.contoso.denied = ("Clear-MobileDevice",)
    with pytest.raises(Refused, match="Exchange Recipient Administrator"):
        await run(RemoveDevices(), ctx)
    assert office.done() == []


async def test_erasing_can_be_called_off_until_the_phone_has_heard(office: Office) -> None:
    ctx = await office.ready()
    phone, old = items(await RemoveDevices().look(ctx))
    await run(RemoveDevices(), ctx)
    assert await RemoveDevices().undo(ctx, phone) == Done("Jane's iPhone (iOS 19.1) keeps its mail")
    assert await RemoveDevices().undo(ctx, old) is None
    await run(RemoveDevices(), ctx)
    office.mailbox().devices[0].acknowledged = office.clock.now()
    assert await RemoveDevices().undo(ctx, phone) is None


async def test_a_phone_that_was_told_already_is_left_alone(office: Office) -> None:
    ctx = await office.ready()
    await run(RemoveDevices(), ctx)
    assert await RemoveDevices().look(ctx) == Nothing("all 1 devices are already to erase the company's mail")
    office.mailbox().devices.clear()
    assert await RemoveDevices().look(ctx) == Nothing("no device fetches mail by itself")


async def test_a_phone_gone_already_counts_as_done(office: Office) -> None:
    ctx = await office.ready()
    phone = items(await RemoveDevices().look(ctx))[0]
    office.mailbox().devices.clear()
    intent = Intent("key", office.clock.now())
    accepted = await RemoveDevices().act(ctx, phone, intent)
    assert isinstance(await RemoveDevices().confirm(ctx, phone, intent, accepted.reference), Done)


async def test_no_recovery_password_is_kept(office: Office) -> None:
    ctx = await office.ready()
    found = await RemoveDevices().look(ctx)
    assert "recovery-secret" not in f"{found} {ctx.facts}"


# --- forwarding


async def test_forwarding_to_outside_is_cleared_and_can_be_put_back(office: Office) -> None:
    ctx = await office.ready()
    item = items(await ClearForwarding().look(ctx))[0]
    assert item.title == "Forwarding to jane.private@freemail.example"
    assert await run(ClearForwarding(), ctx) == [Done("no forwarding to outside is set any more")]
    assert office.simulator.mail_goes_to(JANE) == ""
    assert isinstance(await ClearForwarding().undo(ctx, item), Done)
    assert office.mailbox().forwarding_smtp == "jane.private@freemail.example"
    assert office.mailbox().keeps_copy


async def test_forwarding_to_a_colleague_is_nobodys_leak(office: Office) -> None:
    office.mailbox().forwarding_smtp, office.mailbox().forwarding_address = "", SEAN
    assert isinstance(await ClearForwarding().look(await office.ready()), Nothing)


async def test_a_contact_in_the_address_book_is_outside_all_the_same(office: Office) -> None:
    office.mailbox().forwarding_smtp, office.mailbox().forwarding_address = "", "ken@partner.example"
    item = items(await ClearForwarding().look(await office.ready()))[0]
    assert "ken@partner.example" in item.title


async def test_a_guest_is_outside_whatever_address_stands_for_them(office: Office) -> None:
    office.mailbox(GUEST).mail = "ken.guest@contoso.example"
    office.mailbox().forwarding_smtp, office.mailbox().forwarding_address = "", GUEST
    assert items(await ClearForwarding().look(await office.ready()))


async def test_an_address_that_is_ignored_today_is_cleared_too(office: Office) -> None:
    """With both set, the plain address is ignored, and wakes up as soon as the other goes."""
    office.mailbox().forwarding_address = SEAN
    assert office.simulator.mail_goes_to(JANE) == "sean.obrien@contoso.example"
    ctx = await office.ready()
    await run(ClearForwarding(), ctx)
    assert (office.mailbox().forwarding_smtp, office.mailbox().forwarding_address) == ("", "")


async def test_what_was_decided_later_is_not_taken_for_the_leavers_own(office: Office) -> None:
    chosen = {"mailbox.forward": "external", "mailbox.forward.to": "Jane.Private@freemail.example"}
    assert isinstance(await ClearForwarding().look(await office.ready(choices=chosen)), Nothing)
    other = {**chosen, "mailbox.forward.to": "sales@partner.example"}
    assert items(await ClearForwarding().look(await office.ready(choices=other)))


# --- rules


async def test_rules_that_leak_or_hide_are_items_hidden_ones_too(office: Office) -> None:
    found = items(await RemoveRules().look(await office.ready()))
    assert [item.title for item in found] == [
        "Rule 'Copy home', which forwards to jane.private@freemail.example",
        "Hidden rule '.', which deletes everything",
    ]


async def test_only_those_rules_go(office: Office) -> None:
    outcomes = await run(RemoveRules(), await office.ready())
    assert [type(one) for one in outcomes] == [Done, Done]
    assert [rule.name for rule in office.mailbox().rules] == ["Newsletters", "Junk E-mail Rule"]


@pytest.mark.parametrize(
    ("properties", "risky"),
    [
        ({"ForwardTo": ["ken@partner.example"]}, True),
        ({"RedirectTo": ['"Ken" [SMTP:ken@partner.example]']}, True),
        ({"ForwardAsAttachmentTo": ['"Ken" [smtp:ken@partner.example]']}, True),
        ({"ForwardTo": "ken@partner.example"}, True),
        ({"ForwardTo": ["maria@contoso.example"]}, False),
        ({"ForwardTo": ["maria@contoso.example", "x@evilcontoso.example"]}, True),
        ({"ForwardTo": ["maria@CONTOSO.example"]}, False),
        ({"ForwardTo": ['"Nobody" [EX:/o=ExchangeLabs/cn=Recipients/cn=nobody]']}, True),
        ({"MoveToFolder": "RSS Feeds"}, True),
        ({"MoveToFolder": "RSS Feeds", "SubjectContainsWords": ["feed"]}, False),
        ({"SoftDeleteMessage": True}, True),
        ({"DeleteMessage": True, "HasAttachment": False, "From": []}, True),
        ({"DeleteMessage": True, "From": ["x@y.example"]}, False),
        ({"MarkAsRead": True}, False),
    ],
)
async def test_what_a_rule_does_decides(office: Office, properties: dict[str, object], risky: bool) -> None:
    office.mailbox().rules = [SimulatedRule("1", "Rule", properties)]  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    found = await RemoveRules().look(await office.ready())
    assert isinstance(found, Nothing) is not risky


async def test_a_rule_names_colleagues_in_its_own_way(office: Office) -> None:
    colleague = f'"Sean" [EX:{legacy(office.mailbox(SEAN))}]'
    office.mailbox().rules = [SimulatedRule("1", "To Sean", {"ForwardTo": [colleague]})]
    assert isinstance(await RemoveRules().look(await office.ready()), Nothing)
    office.mailbox().rules = [SimulatedRule("1", "Junk E-mail Rule", {"ForwardTo": ["k@partner.example"]})]
    assert items(await RemoveRules().look(await office.ready())), "a system's name hides nothing"


async def test_a_plain_rule_can_be_put_back_and_a_hidden_one_can_not(office: Office) -> None:
    ctx = await office.ready()
    copy, hidden = items(await RemoveRules().look(ctx))
    await run(RemoveRules(), ctx)
    assert isinstance(await RemoveRules().undo(ctx, copy), Done)
    assert isinstance(await RemoveRules().undo(ctx, copy), Done), "twice makes one rule"
    assert [rule.name for rule in office.mailbox().rules].count("Copy home") == 1
    assert office.mailbox().rules[-1].properties == {"ForwardTo": ["jane.private@freemail.example"]}
    assert await RemoveRules().undo(ctx, hidden) is None


async def test_a_rule_with_something_that_can_not_be_carried_over_is_not_put_back_in_part(office: Office) -> None:
    office.mailbox().rules = [
        SimulatedRule("1", "Mixed", {"ForwardTo": ["k@partner.example"], "ExceptIfFrom": ["boss@contoso.example"]})
    ]
    ctx = await office.ready()
    assert await RemoveRules().undo(ctx, items(await RemoveRules().look(ctx))[0]) is None


async def test_a_rule_gone_already_counts_as_removed(office: Office) -> None:
    ctx = await office.ready()
    first = items(await RemoveRules().look(ctx))[0]
    office.mailbox().rules = []
    intent = Intent("key", office.clock.now())
    await RemoveRules().act(ctx, first, intent)
    assert isinstance(await RemoveRules().confirm(ctx, first, intent, ""), Done)


# --- when Exchange misbehaves


async def test_a_change_whose_answer_was_lost_is_not_sent_again_by_itself(office: Office) -> None:
    ctx = await office.ready()
    item = items(await StopProtocols().look(ctx))[0]
    office.simulator.fail(CONTOSO, Fault("lost", match="Set-CASMailbox"))
    intent = Intent("key", office.clock.now())
    with pytest.raises(Unreachable, match="may or may not have happened"):
        await StopProtocols().act(ctx, item, intent)
    assert office.done() == ["protocols set"]
    assert isinstance(await StopProtocols().confirm(ctx, item, replace(intent, repeated=True), ""), Done)


@pytest.mark.parametrize(("header", "seconds"), [("17", 17), (None, 5)])
async def test_a_throttled_change_did_not_happen_and_says_when_to_try_again(
    office: Office, header: str | None, seconds: float
) -> None:
    ctx = await office.ready()
    item = items(await StopProtocols().look(ctx))[0]
    office.simulator.fail(CONTOSO, Fault("throttle", match="Set-CASMailbox", retry_after=header))
    with pytest.raises(Throttled) as told:
        await StopProtocols().act(ctx, item, Intent("key", office.clock.now()))
    assert told.value.retry_after == seconds
    assert office.done() == []


async def test_the_namesake_is_left_alone(office: Office) -> None:
    ctx = await office.ready()
    for step in (StopProtocols(), RemoveDevices(), ClearForwarding(), RemoveRules()):
        await run(step, ctx)
    assert {effect.user for effect in office.simulator.effects} == {JANE}
    assert office.mailbox(OTHER_JANE).protocols["OWAEnabled"] is True
    assert leaver(OTHER_JANE).id != JANE


def test_an_item_of_ours_can_be_written_down() -> None:
    assert Item.model_validate_json(Item(key="x", title="y", before={"EwsEnabled": None}).model_dump_json())


# --- several at once


@pytest.mark.parametrize("step", [RemoveDevices(), RemoveRules(), LeaveDistributionGroups()], ids=lambda step: step.id)
async def test_one_read_proves_what_is_done_of_several_and_nothing_else(office: Office, step: AnyStep) -> None:
    ctx = await office.ready()
    first, second = items(await step.look(ctx))
    assert await step.proved(ctx, (first, second)) == {}
    intent = Intent("one", office.clock.now())
    await step.act(ctx, first, intent)
    outcome = await step.confirm(ctx, first, intent, "")
    assert isinstance(outcome, Done)
    assert await step.proved(ctx, (first, second)) == {first.key: outcome.evidence}
