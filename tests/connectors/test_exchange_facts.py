"""What is found and read about a mailbox, what is asked about it, and what people are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest

from connectors.contract import Choices, Refused, Topic, Typed
from connectors.exchange import CONNECTOR
from connectors.exchange.facts import ExchangeFacts
from connectors.exchange.mailboxes import FREE_BYTES, Mailbox, bytes_of
from connectors.exchange.questions import questions_about, recommended_fate
from connectors.exchange.simulated_mailboxes import (
    CONTOSO,
    DIRECTOR,
    DISABLED,
    GIGABYTE,
    GUEST,
    JANE,
    MARIA,
    ROOM,
    SEAN,
    SYNCED,
    ZOE,
)
from connectors.exchange.simulator import Fault
from tests.connectors.conftest import Microsoft
from tests.connectors.test_exchange_world import TO_MARIA, Office, leaver, office_of


@pytest.fixture
async def office(microsoft: Microsoft) -> AsyncIterator[Office]:
    async with office_of(microsoft) as office:
        yield office


def facts_of(size: int | None = GIGABYTE, *, meetings: tuple[str, ...] = (), **mailbox: object) -> ExchangeFacts:
    given = {"id": JANE, "kind": "UserMailbox", "name": "Jane Doe", **mailbox}
    return ExchangeFacts(mailbox=Mailbox.model_validate(given), size_bytes=size, meetings=meetings)


def asked(facts: ExchangeFacts, choices: Choices) -> list[str]:
    return [question.id for question in questions_about(facts, choices)]


# --- finding


async def test_the_mailbox_is_found_by_the_directorys_object_id(office: Office) -> None:
    found = await CONNECTOR.find(await office.connect(), leaver(MARIA))
    assert [(one.id, one.mail, one.certain) for one in found] == [(MARIA, "maria@contoso.example", True)]
    assert office.asked() == ["Get-Mailbox"]


async def test_a_name_that_is_somebody_elses_id_finds_nobody(office: Office) -> None:
    """An identity also matches names and addresses: only the object id counts."""
    office.mailbox(SEAN).mail = "00000000-0000-4000-8000-00000000dead"
    assert await CONNECTOR.find(await office.connect(), leaver("00000000-0000-4000-8000-00000000dead")) == []


@pytest.mark.parametrize(("kind", "synced"), [("MailUser", False), ("GuestMailUser", False), ("GuestMailUser", True)])
async def test_a_guest_and_a_cloud_user_without_a_mailbox_have_no_account_here(
    office: Office, kind: str, synced: bool
) -> None:
    office.mailbox(GUEST).kind, office.mailbox(GUEST).synced = kind, synced
    assert await CONNECTOR.find(await office.connect(), leaver(GUEST)) == []


async def test_a_mailbox_on_the_clients_own_server_is_told_apart(office: Office) -> None:
    office.mailbox(SYNCED).kind = "MailUser"
    facts = await office.facts(SYNCED)
    assert facts.mailbox.state == "on premises"
    assert [way.id for way in CONNECTOR.ways_in(facts, {})] == ["exchange.on_premises"]
    assert "technician" in CONNECTOR.cautions(facts)[0].text
    assert questions_about(facts, {}) == ()


@pytest.mark.parametrize(("held", "state"), [(True, "inactive"), (False, "soft-deleted")])
async def test_a_deleted_mailbox_is_told_apart_by_whether_it_is_kept(office: Office, held: bool, state: str) -> None:
    office.mailbox().litigation_hold, office.mailbox().account_deleted = held, True
    facts = await office.facts()
    assert facts.mailbox.state == state
    assert state in CONNECTOR.cautions(facts)[0].text
    assert CONNECTOR.ways_in(facts, {}) == ()
    assert not [step.id for step in CONNECTOR.steps if step.wanted(TO_MARIA | {"mailbox": "shared"}, facts)]


# --- size


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("48.7 GB (52,291,117,056 bytes)", 52291117056),
        ("48,7 GB (52.291.117.056 Bytes)", 52291117056),
        ("48,7 Go (52\u00a0291\u00a0117\u00a0056 octets)", 52291117056),
        ("48,7 GB (52\u202f291\u202f117\u202f056 byte)", 52291117056),
        ("48.7 GB (52'291'117'056 bytes)", 52291117056),
        ("0 B (0 bytes)", 0),
        (52291117056, 52291117056),
        ("48.7 GB", None),
        ("1.234 KB", None),
        ("Unlimited", None),
        ("", None),
        (None, None),
        (True, None),
        ({}, None),
    ],
)
def test_a_size_is_its_bytes_in_any_country_or_nothing(written: object, number: int | None) -> None:
    assert bytes_of(written) == number


async def test_a_size_written_in_another_country_is_read_over_the_wire(office: Office) -> None:
    office.contoso.size_format = "{gb:.0f} GB ({bytes} octets)"
    assert (await office.facts(ZOE)).size_bytes == 63 * GIGABYTE


# --- facts


async def test_everything_about_a_mailbox_is_read(office: Office) -> None:
    facts = await office.facts()
    assert facts.mailbox.user_name == "jane.doe@contoso.example"
    assert facts.size_bytes == 12 * GIGABYTE
    assert (facts.forwards_to, facts.forwards_outside) == ("jane.private@freemail.example", True)
    assert len(facts.protocols) == 9
    assert [device.title for device in facts.devices] == ["Jane's iPhone (iOS 19.1)", "Old phone (Android 5)"]
    assert [(rule.name, rule.hidden) for rule in facts.rules] == [("Copy home", False), (".", True)]
    assert [group.name for group in facts.groups] == ["Sales", "Fire Wardens", "All Staff"]
    assert [group.name for group in facts.owned] == ["Fire Wardens"]
    assert len(facts.meetings) == 2
    assert "contoso.example" in facts.domains
    assert facts.unknown == ()


async def test_who_else_opens_it_is_named_and_the_mailbox_itself_is_nobody_else(office: Office) -> None:
    office.mailbox().full_access = {MARIA: False, SEAN: True}
    assert (await office.facts()).delegates == ("maria.rossi@contoso.example",)


async def test_reading_facts_asks_each_thing_once(office: Office) -> None:
    await office.ready()
    api = await office.connect()
    await CONNECTOR.facts(api, leaver(JANE))
    names = office.asked()
    assert len(names) <= 12
    assert {name for name in names if names.count(name) > 1} == {"Get-DistributionGroup", "Get-InboxRule"}


async def test_what_exchange_refuses_to_tell_is_noted_and_the_rest_is_read(office: Office) -> None:
    office.contoso.denied = ("Get-InboxRule", "Remove-CalendarEvents", "Get-MailboxStatistics")
    facts = await office.facts()
    assert len(facts.unknown) == 3
    assert facts.meetings_unknown
    assert facts.size_bytes is None
    assert facts.devices
    told = " ".join(caution.text for caution in CONNECTOR.cautions(facts))
    assert "Could not read inbox rules" in told


async def test_a_full_calendar_does_not_hold_the_lock_out_up(office: Office) -> None:
    api = await office.connect(changed={"patience": 0.6})
    found = await CONNECTOR.find(api, leaver(JANE))
    office.simulator.fail(CONTOSO, Fault("delay", match="PreviewOnly", seconds=0.5))
    facts = await CONNECTOR.facts(api, found[0])
    assert facts.meetings_unknown
    assert facts.unknown == ("Could not read meetings they organise: no answer within 0.3 s.",)


async def test_where_our_own_domains_are_unknown_everybody_is_an_outsider(office: Office) -> None:
    office.mailbox().forwarding_smtp = "maria@contoso.example"
    assert not (await office.facts()).forwards_outside
    office.contoso.denied = ("Get-AcceptedDomain",)
    assert (await office.facts()).forwards_outside


async def test_where_nobody_can_tell_who_a_forward_goes_to_it_counts_as_outside(office: Office) -> None:
    office.mailbox().forwarding_smtp, office.mailbox().forwarding_address = "", SEAN
    office.contoso.denied = ("Get-Recipient",)
    facts = await office.facts()
    assert (facts.forwards_to, facts.forwards_outside) == ("sean.obrien@contoso.example", True)


async def test_an_outage_is_no_fact(office: Office) -> None:
    office.simulator.fail(CONTOSO, Fault("error", calls=None, match="Get-MailboxStatistics", status=500))
    with pytest.raises(Exception, match="Get-MailboxStatistics"):
        await office.facts()


async def test_a_mailbox_purged_between_finding_and_reading_is_said(office: Office) -> None:
    api = await office.connect()
    found = await CONNECTOR.find(api, leaver(SEAN))
    del office.contoso.mailboxes[SEAN]
    office.contoso.groups.clear()
    with pytest.raises(Refused, match="no mailbox for Sean"):
        await CONNECTOR.facts(api, found[0])


async def test_no_room_or_shared_mailbox_is_asked_for_meetings(office: Office) -> None:
    await office.facts(ROOM)
    assert "Remove-CalendarEvents" not in office.asked()


async def test_holds_are_holds_and_exclusions_are_not(office: Office) -> None:
    office.mailbox().holds = ("-mbx9696959111f74a6bb7b6c24e14b8d5b0:1",)
    assert not (await office.facts()).mailbox.held
    office.mailbox().holds = ("mbx9696959111f74a6bb7b6c24e14b8d5b0:1",)
    assert (await office.facts()).mailbox.held


# --- ways in and cautions


async def test_every_way_mail_gets_out_is_listed(office: Office) -> None:
    ways = {way.id: way for way in CONNECTOR.ways_in(await office.facts(), {})}
    assert set(ways) == {"exchange.protocols", "exchange.devices", "exchange.forwarding", "exchange.rules"}
    assert "jane.private@freemail.example" in ways["exchange.forwarding"].title
    assert ways["exchange.protocols"].lingers.total_seconds() == 3600


async def test_a_quiet_mailbox_has_one_way_in(office: Office) -> None:
    assert [way.id for way in CONNECTOR.ways_in(await office.facts(SEAN), {})] == ["exchange.protocols"]
    assert CONNECTOR.cautions(await office.facts(SEAN)) == ()


async def test_people_are_told_of_leaks_and_holds(office: Office) -> None:
    told = " ".join(caution.text for caution in CONNECTOR.cautions(await office.facts()))
    assert "forwarded outside, to jane.private@freemail.example" in told
    assert "A hidden rule in their mailbox deletes everything." in told
    assert "on hold" in " ".join(one.text for one in CONNECTOR.cautions(await office.facts(DIRECTOR)))


# --- the read for other systems


async def test_other_systems_read_the_mailbox_as_it_is_now(office: Office) -> None:
    api = await office.connect()
    read = CONNECTOR.reads()["exchange.mailbox"]
    jane = (await CONNECTOR.find(api, leaver(JANE)))[0]
    now = {"exists": True, "type": "UserMailbox", "size_bytes": 12 * GIGABYTE, "archive": False, "hold": False}
    assert await read(api, jane) == now
    office.mailbox().kind = "SharedMailbox"
    assert (await read(api, jane))["type"] == "SharedMailbox"
    office.mailbox().kind = "UserMailbox"
    office.unlicensed.add(JANE)
    assert await read(api, jane) == {**now, "exists": False, "type": "soft-deleted", "size_bytes": None}
    nobody = jane.model_copy(update={"id": ""})
    assert (await read(api, nobody))["exists"] is False


# --- what is recommended


@pytest.mark.parametrize(
    ("facts", "choices", "choice", "reason"),
    [
        (facts_of(GIGABYTE), {}, "shared", "1.0 GB: up to 50 GB a shared mailbox keeps everything without a licence"),
        (facts_of(FREE_BYTES), {}, "shared", "soon full"),
        (facts_of(FREE_BYTES + 1), {}, "shared licensed", "a licence stays, because it holds 50.0 GB, more than 50 GB"),
        (facts_of(archive=True), {}, "shared licensed", "because it has an archive"),
        (facts_of(litigation_hold=True), {}, "shared licensed", "because it is on hold"),
        (facts_of(), {"contentious": "yes"}, "shared licensed", "because it will be put on hold"),
        (facts_of(None), {}, "keep", "could not be read"),
    ],
)
def test_the_fate_that_keeps_the_mail_is_recommended_with_its_cost(
    facts: ExchangeFacts, choices: Choices, choice: str, reason: str
) -> None:
    advice = recommended_fate(facts, choices)
    assert advice.choice == choice
    assert reason in advice.reason


def test_shared_says_what_it_costs_where_it_costs_something() -> None:
    free, paid = (questions_about(facts, {})[0].choices[0] for facts in (facts_of(), facts_of(archive=True)))
    assert free.why.startswith("Costs nothing")
    assert "keeps its licence" in paid.label
    assert paid.why == "Costs Exchange Online Plan 2 each month: it has an archive."


def test_a_synced_mailbox_says_who_makes_it_shared() -> None:
    assert "technician" in questions_about(facts_of(synced=True), {})[0].choices[0].why
    assert "technician" not in questions_about(facts_of(), {})[0].choices[0].why


# --- what is asked, and when


@pytest.mark.parametrize(
    ("choices", "questions"),
    [
        ({}, ["mailbox"]),
        ({"mailbox": "shared"}, ["mailbox", "mailbox.access", "mailbox.forward"]),
        ({"mailbox": "keep"}, ["mailbox", "mailbox.access", "mailbox.forward"]),
        ({"mailbox": "later"}, ["mailbox", "mailbox.access", "mailbox.forward"]),
        ({"mailbox": "delete"}, ["mailbox", "mailbox.backup"]),
        ({"mailbox": "delete", "mailbox.backup": "hold"}, ["mailbox", "mailbox.backup"]),
        (
            {"mailbox": "delete", "mailbox.backup": "named"},
            ["mailbox", "mailbox.backup", "mailbox.backup.evidence"],
        ),
        (
            {"mailbox": "shared", "mailbox.forward": "external"},
            ["mailbox", "mailbox.access", "mailbox.forward", "mailbox.forward.to"],
        ),
    ],
)
def test_only_what_has_a_subject_is_asked(choices: Mapping[str, str], questions: list[str]) -> None:
    assert asked(facts_of(), choices) == questions


def test_meetings_are_asked_about_only_where_there_are_some_and_shown_before_they_are_cancelled() -> None:
    facts = facts_of(meetings=("Monday – Sales",))
    question = questions_about(facts, {})[-1]
    assert question.id == "mailbox.meetings"
    assert "organises 1 coming meeting." in question.text
    cancel = next(choice for choice in question.choices if choice.id == "cancel")
    assert cancel.preview == ("Monday – Sales",)
    assert "mailbox.meetings" not in asked(facts_of(), {})


async def test_nobody_inherits_a_room_and_a_shared_mailbox_only_changes_hands(office: Office) -> None:
    assert asked(await office.facts(ROOM), {}) == []
    assert asked(await office.facts(DISABLED), {}) == ["mailbox.access", "mailbox.forward"]
    assert "sean.obrien@contoso.example" in questions_about(await office.facts(DISABLED), {})[0].text


def test_the_successor_is_offered_for_forwarding_only_once_there_is_one() -> None:
    def offered(choices: Choices) -> list[str]:
        return [choice.id for choice in questions_about(facts_of(), {"mailbox": "shared", **choices})[2].choices]

    assert (
        offered({})
        == offered({"mailbox.access": "nobody"})
        == offered({"mailbox.access": "later"})
        == ["no", "external"]
    )
    assert offered(TO_MARIA) == ["no", "successor", "external"]


def test_what_can_not_be_taken_back_is_marked_and_never_recommended() -> None:
    marked: set[tuple[str, str]] = set()
    for facts in (facts_of(meetings=("Monday – Sales",)), facts_of(None), facts_of(archive=True)):
        for choices in ({"mailbox": "delete"}, {**TO_MARIA, "mailbox": "shared"}):
            for question in questions_about(facts, choices):
                ids = [choice.id for choice in question.choices]
                assert question.recommended in ("", *ids)
                assert bool(question.recommended) == bool(question.reason)
                for choice in question.choices:
                    if choice.destroys or choice.deliberate:
                        marked.add((question.id, choice.id))
                        assert question.recommended != choice.id
    assert marked == {
        ("mailbox", "delete"),
        ("mailbox.backup", "waived"),
        ("mailbox.forward", "external"),
        ("mailbox.meetings", "cancel"),
    }


def test_people_are_asked_for_as_people_and_topics_follow_the_design() -> None:
    questions = questions_about(facts_of(), {"mailbox": "shared", "mailbox.forward": "external"})
    assert [(one.id, one.typed, one.topic) for one in questions] == [
        ("mailbox", Typed.NOTHING, Topic.MAILBOX_FATE),
        ("mailbox.access", Typed.PERSON, Topic.MAILBOX_USE),
        ("mailbox.forward", Typed.PERSON, Topic.MAILBOX_USE),
        ("mailbox.forward.to", Typed.TEXT, Topic.MAILBOX_USE),
    ]
    assert set(CONNECTOR.defaults) <= {"mailbox", "mailbox.forward", "mailbox.meetings"}
