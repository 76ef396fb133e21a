"""What a leaver has besides access, what is asked and told because of it, and what other systems may read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import JsonValue

from connectors.contract import Account, Choices, Json, Question, Throttled, Todo, Topic, Typed
from connectors.microsoft365 import CONNECTOR
from connectors.microsoft365 import belongings as belongings_of
from connectors.microsoft365.belongings import PARTS, Belongings, Somebody
from connectors.microsoft365.connector import LOCK_OUT, THE_REST
from connectors.microsoft365.devices import Device
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.licences import Licence
from connectors.microsoft365.questions import (
    STANDING,
    recommended_backup,
    recommended_device,
    recommended_licences,
    recommended_person,
)
from connectors.microsoft365.simulated_people import (
    CONTOSO,
    DELETED,
    HELGA,
    JANE,
    LAPTOP,
    LEAD,
    MARIA,
    OLIVIA,
    PHONE,
    ROOM,
    SEAN,
    SERVICE,
    SYNCED,
    TEAMS,
)
from connectors.microsoft365.simulator import Fault
from connectors.microsoft365.told import service_account
from tests.connectors.conftest import Microsoft
from tests.connectors.test_microsoft365_steps import ready


async def facts(microsoft: Microsoft, person: str) -> Microsoft365Facts:
    return (await ready(microsoft, person)).facts


def asked(known: Microsoft365Facts, **choices: str) -> dict[str, Question]:
    answers: Choices = {name.replace("_", "."): value for name, value in choices.items()}
    return {question.id: question for question in CONNECTOR.questions(known, answers)}


def told(known: Microsoft365Facts) -> str:
    return " ".join(caution.text for caution in CONNECTOR.cautions(known))


# --- reading


async def test_everything_is_read_in_one_request_beside_the_others(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    context = await microsoft.context(api, OLIVIA)
    microsoft.simulator.calls.clear()
    await CONNECTOR.facts(api, context.account)
    batches = [call for call in microsoft.simulator.calls if call.path == "/$batch"]
    # One for what they have, one for who else owns their groups.
    assert [len(_parts(call.body)) for call in batches] == [11, 5]
    known = context.facts.belongings
    assert len(known.groups) == 10
    assert len(known.devices) == 3
    assert (known.applications, known.consents) == (2, 1)
    assert (known.drive_bytes, known.mailbox, known.organisation) == (7_400_000_000, True, "Contoso")
    assert known.manager == Somebody(id=MARIA, name="Maria Rossi", mail="maria@contoso.example")
    assert known.unread == ()


def _parts(body: Json) -> list[JsonValue]:
    requests = body["requests"]
    assert isinstance(requests, list)
    return requests


async def test_long_lists_in_a_batch_are_read_to_the_last_page(microsoft: Microsoft) -> None:
    microsoft.contoso.page_size = 3
    known = (await facts(microsoft, OLIVIA)).belongings
    assert len(known.groups) == 10
    assert len(known.owned) == 5


async def test_a_plain_person_has_nothing_and_that_is_known(microsoft: Microsoft) -> None:
    known = (await facts(microsoft, JANE)).belongings
    assert known == Belongings(manager=known.manager, organisation="Contoso", unread=())
    wanted = {step.id for step in THE_REST if step.wanted({"licences": "release"}, await facts(microsoft, JANE))}
    assert wanted == set()


@pytest.mark.parametrize(
    ("match", "part"),
    [
        ("memberOf", "groups"),
        ("appRoleAssignments", "applications"),
        ("oauth2PermissionGrants", "consents"),
        ("subscribedSkus", "licences"),
        ("ownedDevices", "devices"),
        ("/drive", "files"),
        ("mailboxSettings", "mailbox"),
        ("manager", "people"),
        ("/owners", "owned groups"),
    ],
)
@pytest.mark.parametrize("kind", ["throttle", "error", "malformed"])
async def test_what_cannot_be_read_is_named_and_holds_up_no_lock_out(
    microsoft: Microsoft, match: str, part: str, kind: str
) -> None:
    microsoft.simulator.fail(CONTOSO, Fault(kind, calls=None, match=match, retry_after="60"))
    known = await facts(microsoft, OLIVIA)
    assert part in known.belongings.unread
    assert part in told(known)
    assert known.enabled
    assert len(known.methods) == 1


async def test_a_batch_that_fails_as_a_whole_holds_up_no_lock_out(microsoft: Microsoft) -> None:
    microsoft.simulator.fail(CONTOSO, Fault("html", calls=None, match="$batch"))
    known = await facts(microsoft, OLIVIA)
    assert known.enabled
    assert set(known.belongings.unread) == set(PARTS)


async def test_a_slow_batch_holds_up_no_lock_out(microsoft: Microsoft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(belongings_of, "PATIENCE", 0.1)
    ctx = await ready(microsoft, OLIVIA)
    microsoft.simulator.fail(CONTOSO, Fault("delay", calls=None, match="$batch", seconds=3))
    async with asyncio.timeout(1):
        known = await CONNECTOR.facts(ctx.api, ctx.account)
    assert set(known.belongings.unread) == set(PARTS)


async def test_what_is_not_known_is_planned_and_looked_at_later(microsoft: Microsoft) -> None:
    plain = Microsoft365Facts(enabled=True)
    choices = {"licences": "release", "files": MARIA, "teams": MARIA, "reports": MARIA, "mailbox.reply": "standard"}
    wanted = {step.id.partition(".")[2] for step in THE_REST if step.wanted(choices, plain)}
    assert wanted == {
        *("hand_over_groups", "share_files", "set_auto_reply", "move_reports", "leave_groups"),
        *("leave_licence_groups", "leave_ownerships", "remove_app_roles", "revoke_grants", "release_licences"),
    }
    ctx = replace(await ready(microsoft, OLIVIA, plain), choices=choices)
    for step in THE_REST:
        if step.id.endswith(("leave_groups", "share_files", "set_auto_reply", "remove_app_roles")):
            assert isinstance(await step.look(ctx), Todo)


def test_facts_written_down_before_there_were_belongings_still_load() -> None:
    old: Json = {"enabled": True, "user_name": "jane@contoso.example", "roles": [], "methods": []}
    known = Microsoft365Facts.model_validate(old)
    assert set(known.belongings.unread) == set(PARTS)
    assert "besides access" not in told(known)


# --- questions


async def test_nothing_is_asked_without_a_subject(microsoft: Microsoft) -> None:
    assert asked(await facts(microsoft, JANE)) == {}
    assert asked(await facts(microsoft, SYNCED)) == {}
    assert set(asked(await facts(microsoft, LEAD))) == {"reports"}


async def test_everything_with_a_subject_is_asked_in_order(microsoft: Microsoft) -> None:
    questions = CONNECTOR.questions(await facts(microsoft, OLIVIA), {})
    assert [question.id for question in questions] == [
        "access",
        "mailbox.reply",
        "files",
        "teams",
        "backup",
        "licences",
        *[f"devices.c0000000-0000-4000-8000-00000000007{place}" for place in (1, 2, 3)],
        "rename",
    ]
    topics = [question.topic for question in questions]
    assert topics == sorted(topics)


async def test_what_is_recommended_is_offered_reasoned_and_does_no_harm(microsoft: Microsoft) -> None:
    for person in (OLIVIA, HELGA, LEAD):
        for question in CONNECTOR.questions(await facts(microsoft, person), {}):
            choice = next(one for one in question.choices if one.id == question.recommended)
            assert question.reason
            assert not choice.destroys
            assert not choice.deliberate


async def test_people_are_asked_for_as_people_with_their_manager_first(microsoft: Microsoft) -> None:
    questions = asked(await facts(microsoft, OLIVIA))
    for name in ("files", "teams"):
        assert questions[name].typed is Typed.PERSON
        assert questions[name].recommended == MARIA
        assert questions[name].choices[0].label == "Maria Rossi"
        assert [choice.id for choice in questions[name].choices] == [MARIA, "nobody"]
    assert "7.4 GB" in questions["files"].text
    assert "Project 1, Project 2, Project 3, Project 4" in questions["teams"].text


async def test_without_a_working_manager_nobody_is_recommended(microsoft: Microsoft) -> None:
    microsoft.simulator.person(MARIA).enabled = False
    question = asked(await facts(microsoft, OLIVIA))["files"]
    assert question.recommended == ""
    assert [choice.id for choice in question.choices] == ["nobody"]


async def test_what_stays_is_asked_only_of_partial_access(microsoft: Microsoft) -> None:
    known = await facts(microsoft, OLIVIA)
    assert "access.stays" not in asked(known)
    partial = asked(known, access="partial")
    assert partial["access.stays"].typed is Typed.TEXT
    assert "licences" not in partial


async def test_partial_access_ends_nothing_by_itself(microsoft: Microsoft) -> None:
    known = await facts(microsoft, SYNCED)
    partial = {"access": "partial", "licences": "release"}
    assert [step.id for step in LOCK_OUT if step.wanted(partial, known)] == ["microsoft365.partial_access"]
    known = await facts(microsoft, OLIVIA)
    assert [step.id for step in THE_REST if step.wanted(partial, known)] == []


async def test_who_gets_the_licences_is_asked_only_when_somebody_does(microsoft: Microsoft) -> None:
    known = await facts(microsoft, OLIVIA)
    assert "licences.to" not in asked(known, licences="release")
    assert asked(known, licences="reassign")["licences.to"].typed is Typed.PERSON
    question = asked(known)["licences"]
    assert "Power BI Pro" in question.text
    release = next(choice for choice in question.choices if choice.id == "release")
    assert "60 days" in release.why
    assert "93" in release.why


async def test_the_reply_is_shown_before_it_is_chosen(microsoft: Microsoft) -> None:
    question = asked(await facts(microsoft, OLIVIA))["mailbox.reply"]
    standard = next(choice for choice in question.choices if choice.id == "standard")
    assert standard.preview == (
        "Olivia Owner no longer works at Contoso.",
        "Please write to Maria Rossi instead: maria@contoso.example",
    )
    assert standard.deliberate
    assert question.typed is Typed.TEXT


async def test_each_device_is_a_question_and_wiping_is_always_deliberate(microsoft: Microsoft) -> None:
    questions = asked(await facts(microsoft, OLIVIA))
    laptop, phone = questions[f"devices.{LAPTOP}"], questions[f"devices.{PHONE}"]
    assert laptop.text == "What happens to LAPTOP-7 (Windows, company)?"
    assert "personal" in phone.text
    for question in (laptop, phone):
        assert question.topic is Topic.DEVICES
        wipe = next(choice for choice in question.choices if choice.id == "wipe")
        assert wipe.destroys
        assert wipe.deliberate


def test_standing_answers_name_questions_that_exist() -> None:
    assert CONNECTOR.defaults == STANDING


def test_the_rules_of_recommendation() -> None:
    boss = Somebody(id="b", name="Bea Boss")
    assert recommended_person(boss) == ("b", "Bea Boss is their manager.")
    assert recommended_person(boss.model_copy(update={"enabled": False})) == ("", "")
    assert recommended_person(None) == ("", "")
    mailbox = Belongings(licences=(Licence(sku="s", name="E3"),))
    assert recommended_licences(mailbox, {})[0] == "release"
    assert recommended_licences(mailbox, {"mailbox": "shared"})[0] == "release"
    assert recommended_licences(mailbox, {"mailbox": "keep"})[0] == "keep"
    bare = Belongings(licences=(Licence(sku="s", name="Power BI", carries_mailbox=False),))
    assert recommended_licences(bare, {"mailbox": "keep"})[0] == "release"
    assert recommended_backup({})[0] == "no"
    assert recommended_backup({"contentious": "yes"})[0] == "yes"
    for owner in ("company", "personal", ""):
        assert recommended_device(Device(id="d", name="D", owner=owner))[0] == "disable"


# --- who it is


async def test_a_service_account_is_told_apart(microsoft: Microsoft) -> None:
    known = await facts(microsoft, SERVICE)
    assert service_account(known)
    assert "machine or a service" in told(known)
    assert any(caution.bars_immediate for caution in CONNECTOR.cautions(known))
    assert not service_account(await facts(microsoft, SEAN))


async def test_a_room_is_told_apart(microsoft: Microsoft) -> None:
    known = await facts(microsoft, ROOM)
    assert known.belongings.purpose == "room"
    assert "room mailbox, not a person" in told(known)


async def test_somebody_deleted_last_week_is_found_and_said_to_be_so(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    found = await CONNECTOR.search(api, "Dieter Left")
    assert [(one.id, one.enabled, one.title) for one in found] == [
        (DELETED, False, "Driver, account deleted on 2026-11-18")
    ]
    known = await facts(microsoft, DELETED)
    assert known.deleted == datetime(2026, 11, 18, 9, 0, tzinfo=UTC)
    assert "Until 2026-12-18 it can be restored" in told(known)
    assert asked(known) == {}


async def test_the_living_come_before_the_deleted(microsoft: Microsoft) -> None:
    gone = replace(microsoft.contoso.deleted[DELETED], name="Jane Doe")
    microsoft.contoso.deleted[DELETED] = gone
    found = await CONNECTOR.search(await microsoft.connect(), "Jane Doe")
    assert found[-1].id == DELETED
    assert len(found) == 3


async def test_a_search_goes_on_where_the_deleted_may_not_be_seen(microsoft: Microsoft) -> None:
    microsoft.simulator.fail(CONTOSO, Fault("error", calls=None, match="deletedItems", status=403))
    assert await CONNECTOR.search(await microsoft.connect(), "Sean")


async def test_a_deleted_person_has_no_way_in_left_and_nothing_fails(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, DELETED)
    for step in LOCK_OUT:
        if step.wanted({}, ctx.facts):
            assert not isinstance(await step.look(ctx), Todo), step.id


async def test_what_ties_an_account_to_the_domain_is_filled_in(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    assert (await CONNECTOR.search(api, "Sam Synced"))[0].immutable_id == "c2Ft"
    assert (await CONNECTOR.find(api, Account(system="microsoft365", id=SYNCED, name="")))[0].immutable_id == "c2Ft"


# --- reads


async def test_other_systems_read_the_account_afresh(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    reads = CONNECTOR.reads()
    ask = Account(system="microsoft365", id=SYNCED, name="")
    assert await reads["microsoft365.account"](api, ask) == {
        "exists": True,
        "enabled": True,
        "synced": True,
        "last_sync": "2026-11-23T07:30:00Z",
        "licensed": False,
    }
    licensed = await reads["microsoft365.account"](api, ask.model_copy(update={"id": OLIVIA}))
    assert licensed["licensed"] is True
    gone = await reads["microsoft365.account"](api, ask.model_copy(update={"id": DELETED}))
    assert (gone["exists"], gone["enabled"]) == (False, False)


async def test_other_systems_read_what_only_they_own_and_which_seats_are_free(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    reads = CONNECTOR.reads()
    olivia = Account(system="microsoft365", id=OLIVIA, name="")
    alone = await reads["microsoft365.sole_owner_of"](api, olivia)
    assert alone == {"groups": [{"id": team, "name": f"Project {place}"} for place, team in enumerate(TEAMS, 1)]}
    seats = await reads["microsoft365.free_seats"](api, olivia)
    assert seats["4b9405b0-7788-4568-add1-99614e613b69"] == {
        "part_number": "EXCHANGESTANDARD",
        "bought": 50,
        "used": 1,
    }


async def test_a_read_that_is_throttled_says_so(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    microsoft.simulator.fail(CONTOSO, Fault("throttle", calls=None, retry_after="30"))
    with pytest.raises(Throttled):
        await CONNECTOR.reads()["microsoft365.account"](api, Account(system="microsoft365", id=JANE, name=""))
