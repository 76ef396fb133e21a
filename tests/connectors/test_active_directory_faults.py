"""What goes wrong with a domain, over the wire: servers that fail, answers that are lost, rights that are missing."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue

from connectors.active_directory import CONNECTOR
from connectors.active_directory.clean_up import HIDE, HideFromAddressLists, LeaveGroups
from connectors.active_directory.client import Domain
from connectors.active_directory.facts import ActiveDirectoryFacts
from connectors.active_directory.lock_out import Disable, DisableComputers, ResetPassword
from connectors.active_directory.simulated_people import (
    ADMIN,
    BIND_PASSWORD,
    BOT,
    COMMA_GROUP,
    LAPTOP,
    OBRIEN,
    PLANNING,
    SAM,
    SAM_IMMUTABLE_ID,
    SERVICE,
    Group,
    Person,
)
from connectors.active_directory.simulator import Fault, SimulatedActiveDirectory
from connectors.contract import (
    Account,
    Caution,
    Context,
    Done,
    Finding,
    Intent,
    Item,
    Json,
    Nothing,
    Refused,
    SignInFailed,
    Task,
    Throttled,
    Todo,
    Unreachable,
    Unreadable,
    VendorError,
    Waiting,
)
from tests.connectors.samba import World, simulated_world

Ctx = Context[Domain, ActiveDirectoryFacts]
EVERYTHING = {"access": "everything"}


@pytest.fixture
async def world(tls: tuple[Path, Path, Path]) -> AsyncIterator[World]:
    async with simulated_world(tls) as world:
        yield world


def first(found: Finding) -> Item:
    assert isinstance(found, Todo), found
    return found.items[0]


def intent(ctx: Ctx) -> Intent:
    return Intent("key", ctx.clock.now())


def leaver(**known: str) -> Account:
    somebody = Account(system="microsoft365", id="c0000000-0000-4000-8000-0000000000a9", name="Somebody")
    return somebody.model_copy(update=dict(known))


def done(world: World) -> list[str]:
    return [effect.what for effect in world.simulated.effects]


def binds(world: World) -> int:
    return sum(call.what.startswith(f"bind {BOT}") for call in world.simulated.calls)


# --- servers that fail


@asynccontextmanager
async def another_controller(world: World, tls: tuple[Path, Path, Path]) -> AsyncGenerator[SimulatedActiveDirectory]:
    """A second controller of the same domain, to which nothing replicates while the test runs."""
    domain = copy.deepcopy(world.simulated.domain)
    async with SimulatedActiveDirectory(now=world.clock.now, tls=tls, domain=domain) as far:
        yield far


async def test_the_second_server_is_asked_when_the_first_fails_and_stays_the_one_to_ask(
    world: World, tls: tuple[Path, Path, Path]
) -> None:
    """What was written is read back where it was written."""
    async with another_controller(world, tls) as first_listed:
        first_listed.fail(Fault("unavailable", match="bind"))
        api = await world.connect(servers=[f"localhost:{first_listed.port}", f"localhost:{world.port}"])
        for _ in range(2):
            assert await CONNECTOR.find(api, leaver(immutable_id=SAM_IMMUTABLE_ID))
        assert [str(call) for call in first_listed.calls] == [f"bind {BOT}@corp.contoso.example"]
        assert binds(world) == 2


async def test_the_account_is_disabled_at_every_controller_at_once(world: World, tls: tuple[Path, Path, Path]) -> None:
    async with another_controller(world, tls) as far:
        servers = [f"localhost:{world.port}", f"localhost:{far.port}"]
        ctx = await world.context(SAM, await world.connect(servers=servers))
        item, meant = first(await Disable().look(ctx)), intent(ctx)
        await Disable().act(ctx, item, meant)
        assert [one.domain.people[SAM].control for one in (world.simulated, far)] == [0x202, 0x202]
        outcome = await Disable().confirm(ctx, item, meant, "")
        assert outcome == Done(f"disabled: userAccountControl 514 on {servers[0]}, 514 on {servers[1]}")


async def test_one_controller_that_still_lets_them_in_is_not_locked_out(
    world: World, tls: tuple[Path, Path, Path]
) -> None:
    async with another_controller(world, tls) as far:
        servers = [f"localhost:{world.port}", f"localhost:{far.port}"]
        ctx = await world.context(SAM, await world.connect(servers=servers))
        item, meant = first(await Disable().look(ctx)), intent(ctx)
        far.fail(Fault("unavailable", match="modify"))
        await Disable().act(ctx, item, meant)
        outcome = await Disable().confirm(ctx, item, meant, "")
        assert isinstance(outcome, Waiting)
        assert outcome.reason == f"{servers[1]} still shows the account enabled"
        assert isinstance(await Disable().look(ctx), Todo), "looked at again, it is still to be done"


async def test_a_controller_that_is_down_is_named_in_the_evidence(world: World) -> None:
    servers = ["127.0.0.1:9", f"localhost:{world.port}"]
    ctx = await world.context(SAM, await world.connect(servers=servers))
    item, meant = first(await Disable().look(ctx)), intent(ctx)
    await Disable().act(ctx, item, meant)
    outcome = await Disable().confirm(ctx, item, meant, "")
    assert isinstance(outcome, Done)
    assert outcome.evidence.endswith("not read on 127.0.0.1:9, which gave no answer")


async def test_one_clients_dead_servers_hold_up_no_other_client(world: World) -> None:
    hang_up = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hang_up.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as dead:
        port = dead.sockets[0].getsockname()[1]
        silent = await world.connect(servers=[f"127.0.0.1:{port}"])
        asked = [asyncio.create_task(CONNECTOR.find(silent, leaver(mail="x@x.example"))) for _ in range(20)]
        await asyncio.sleep(0)
        assert await CONNECTOR.find(await world.connect(), leaver(immutable_id=SAM_IMMUTABLE_ID))
        assert not any(one.done() for one in asked)
        hang_up.set()
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(one) for one in told} == {Unreachable}


async def test_no_server_at_all_is_unreachable(world: World) -> None:
    with pytest.raises(Unreachable, match=r"active_directory: connect to 127\.0\.0\.1:9"):
        await CONNECTOR.find(await world.connect(servers=["127.0.0.1:9"]), leaver(mail="x@x.example"))


@pytest.mark.parametrize(
    ("kind", "surprise"),
    [
        ("busy", Throttled),
        ("unavailable", Unreachable),
        ("timelimit", Unreachable),
        ("other", Unreachable),
        ("drop", Unreachable),
        ("garbage", Unreachable),
        ("referral", Refused),
    ],
)
async def test_each_failure_of_a_server_has_its_meaning(world: World, kind: str, surprise: type[VendorError]) -> None:
    ctx = await world.context(SAM)
    for match in ("search <GUID", "modify"):
        world.simulated.fail(Fault(kind, match=match))
        with pytest.raises(surprise) as told:
            await Disable().act(ctx, Item(key="account", title=""), intent(ctx))
        assert type(told.value).__mro__.index(surprise) <= 1
        assert BIND_PASSWORD not in f"{told.value!s} {told.value!r}"
        world.clock_passes(10)
    assert done(world) == []


async def test_a_server_that_hangs_is_given_up_and_may_have_done_it(world: World) -> None:
    ctx = await world.context(SAM, await world.connect(patience=1))
    world.simulated.fail(Fault("hang", match="modify", seconds=1.6))
    with pytest.raises(Unreachable):
        await Disable().act(ctx, Item(key="account", title=""), intent(ctx))
    assert world.simulated.domain.people[SAM].control == 0x202
    assert isinstance(await Disable().look(ctx), Nothing)


async def test_a_change_whose_answer_was_lost_is_found_done_and_not_repeated(world: World) -> None:
    ctx = await world.context(SAM, choices=EVERYTHING)
    steps = (Disable(), ResetPassword(), DisableComputers(), LeaveGroups(), HideFromAddressLists())
    for step in steps:
        item = first(await step.look(ctx))
        world.simulated.fail(Fault("lost", match="modify"))
        before = intent(ctx)
        with pytest.raises(Unreachable):
            await step.act(ctx, item, before)
        again = await step.act(ctx, item, replace(before, repeated=True))
        assert isinstance(await step.confirm(ctx, item, before, again.reference), Done), step.id
    assert done(world)[0] == "userAccountControl 514 of Sam Synced"
    assert done(world).count("userAccountControl 514 of Sam Synced") == 1
    assert done(world).count("member -Sam Synced of Planning") == 1


async def test_an_empty_answer_to_where_the_domain_is_is_no_domain(world: World) -> None:
    api = await world.connect(base_dn="OU=Gone,DC=corp,DC=contoso,DC=example")
    with pytest.raises(Refused, match="noSuchObject"):
        await CONNECTOR.find(api, leaver(mail="x@x.example"))


# --- our own account


async def test_a_wrong_password_is_tried_once_however_many_ask_so_our_account_is_not_locked_out(world: World) -> None:
    world.simulated.domain.lockout_after = 3
    api = await world.connect(secret="wrong")
    asked = [CONNECTOR.find(api, leaver(mail="x@x.example")) for _ in range(6)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in told] == [SignInFailed] * 6
    assert binds(world) == 1
    assert not world.simulated.domain.people[BOT].locked


async def test_a_corrected_password_is_tried_after_a_minute(world: World) -> None:
    api = await world.connect(secret="wrong")
    with pytest.raises(SignInFailed):
        await CONNECTOR.find(api, leaver(mail="x@x.example"))
    world.simulated.domain.people[BOT].password = "wrong"
    with pytest.raises(SignInFailed, match="not tried again within a minute"):
        await CONNECTOR.find(api, leaver(mail="x@x.example"))
    world.clock_passes(61)
    assert await CONNECTOR.find(api, leaver(mail="x@x.example")) == []


@pytest.mark.parametrize(
    ("attribute", "sentence"),
    [
        ("locked", "it is locked out"),
        ("expired", "its password has expired"),
        ("must_change", "must change its password"),
    ],
)
async def test_why_our_account_is_refused_is_said(world: World, attribute: str, sentence: str) -> None:
    setattr(world.simulated.domain.people[BOT], attribute, True)
    with pytest.raises(SignInFailed, match=sentence) as told:
        await CONNECTOR.find(await world.connect(), leaver(mail="x@x.example"))
    assert told.value.fix


async def test_a_domain_that_wants_more_than_a_password_says_so(world: World) -> None:
    world.simulated.domain.wants_more = True
    with pytest.raises(SignInFailed, match="stronger way of signing in"):
        await CONNECTOR.find(await world.connect(), leaver(mail="x@x.example"))


async def test_an_empty_password_never_becomes_an_anonymous_sign_in(world: World) -> None:
    with pytest.raises(SignInFailed, match="the password is empty"):
        await CONNECTOR.find(await world.connect(secret=""), leaver(mail="x@x.example"))
    assert world.simulated.calls == []


async def test_an_authority_that_is_no_certificate_says_where_to_mend_it(world: World) -> None:
    api = await world.connect(ca_certificate="file/contoso.pem")
    with pytest.raises(SignInFailed, match="Store it there as PEM") as told:
        await CONNECTOR.find(api, leaver(mail="x@x.example"))
    assert "file/contoso.pem" in str(told.value)


async def test_a_name_the_certificate_does_not_have_gets_no_password(world: World) -> None:
    api = await world.connect(servers=[f"127.0.0.2:{world.port}"])
    with pytest.raises((Refused, Unreachable)):
        await CONNECTOR.find(api, leaver(mail="x@x.example"))
    assert world.simulated.calls == []


async def test_nothing_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ctx = await world.context(SAM)
    item = first(await ResetPassword().look(ctx))
    await ResetPassword().act(ctx, item, intent(ctx))
    assert not any(word in caplog.text for word in (*world.issued, BIND_PASSWORD))
    assert not any(word in str(world.simulated.calls) for word in (*world.issued, BIND_PASSWORD))


# --- what is read back


async def test_a_controller_that_has_not_heard_yet_is_waited_for(world: World) -> None:
    ctx = await world.context(SAM, choices=EVERYTHING)
    world.simulated.domain.lag = 30
    for step in (Disable(), DisableComputers(), LeaveGroups(), HideFromAddressLists()):
        item, meant = first(await step.look(ctx)), intent(ctx)
        await step.act(ctx, item, meant)
        outcome = await step.confirm(ctx, item, meant, "")
        assert isinstance(outcome, Waiting), step.id
        assert outcome.seconds < 3
        world.clock_passes(31)
        assert isinstance(await step.confirm(ctx, item, meant, ""), Done), step.id


async def test_a_reset_seen_only_once_is_not_believed(world: World) -> None:
    ctx = await world.context(SAM)
    item, meant = first(await ResetPassword().look(ctx)), intent(ctx)
    accepted = await ResetPassword().act(ctx, item, meant)
    world.simulated.domain.people[SAM].password_set -= 1
    assert isinstance(await ResetPassword().confirm(ctx, item, meant, accepted.reference), Waiting)


async def test_a_password_changed_before_is_not_taken_for_ours(world: World) -> None:
    ctx = await world.context(SAM)
    item, meant = first(await ResetPassword().look(ctx)), intent(ctx)
    assert isinstance(await ResetPassword().confirm(ctx, item, meant, ""), Waiting)
    await world.change(SAM, "unicodePwd", '"Changed-by-the-leaver"'.encode("utf-16-le"))
    late = Intent("key", ctx.clock.now() + timedelta(minutes=6))
    assert isinstance(await ResetPassword().confirm(ctx, item, late, ""), Waiting)


async def test_a_password_changed_a_moment_before_we_looked_is_not_taken_for_ours_either(world: World) -> None:
    await world.change(SAM, "unicodePwd", '"Changed-by-the-leaver"'.encode("utf-16-le"))
    ctx = await world.context(SAM)
    item, meant = first(await ResetPassword().look(ctx)), intent(ctx)
    assert isinstance(await ResetPassword().confirm(ctx, item, meant, ""), Waiting)


async def test_a_reset_by_hand_is_read_back_without_claiming_it_was_done_twice(world: World) -> None:
    ctx = await world.context(SAM)
    item, approved = first(await ResetPassword().look(ctx)), intent(ctx)
    await world.change(SAM, "unicodePwd", '"Set-by-a-technician-1"'.encode("utf-16-le"))
    outcome = await ResetPassword().confirm(ctx, item, approved, "")
    assert isinstance(outcome, Done)
    assert "whether twice can't be read" in outcome.evidence


async def test_what_we_may_not_read_is_neither_enabled_nor_disabled(world: World) -> None:
    ctx = await world.context(SAM)
    world.simulated.domain.unreadable = frozenset({"useraccountcontrol", "pwdlastset"})
    with pytest.raises(Refused, match="Read userAccountControl"):
        await Disable().look(ctx)
    with pytest.raises(Refused, match="may not read"):
        await CONNECTOR.find(ctx.api, leaver(immutable_id=SAM_IMMUTABLE_ID))
    item, meant = first(await ResetPassword().look(ctx)), intent(ctx)
    accepted = await ResetPassword().act(ctx, item, meant)
    assert isinstance(await ResetPassword().confirm(ctx, item, meant, accepted.reference), Unreadable)


async def test_a_deleted_account_needs_nothing(world: World) -> None:
    ctx = await world.context(SAM, choices=EVERYTHING)
    items = [(step, first(await step.look(ctx))) for step in CONNECTOR.steps]
    del world.simulated.domain.people[SAM]
    for step, item in items:
        assert isinstance(await step.look(ctx), Nothing)
        assert isinstance(await step.confirm(ctx, item, intent(ctx), ""), Done | Waiting)
    with pytest.raises(Refused, match="does not exist any more"):
        await CONNECTOR.facts(ctx.api, ctx.account)


# --- changing one flag


async def test_a_flag_set_in_between_is_not_lost(world: World) -> None:
    """The old value is part of the change, so a value that moved refuses it."""
    ctx = await world.context(SAM)
    person = world.simulated.domain.people[SAM]
    world.simulated.fail(Fault("delay", match="modify", seconds=0.3))
    acting = asyncio.create_task(Disable().act(ctx, Item(key="account", title=""), intent(ctx)))
    calls = len(world.simulated.calls)
    await world.until(lambda: len(world.simulated.calls) == calls + 2)
    person.control = 0x10200
    with pytest.raises(Throttled):
        await acting
    assert person.control == 0x10200
    await Disable().act(ctx, Item(key="account", title=""), intent(ctx))
    assert person.control == 0x10202


async def test_a_server_that_takes_no_such_pair_still_locks_out(world: World) -> None:
    ctx = await world.context(SAM)
    world.simulated.domain.takes_pairs = False
    await Disable().act(ctx, Item(key="account", title=""), intent(ctx))
    assert world.simulated.domain.people[SAM].control == 0x202


async def test_undoing_leaves_disabled_who_was_disabled_before(world: World) -> None:
    ctx = await world.context(SAM)
    item = Item(key="account", title="", before={"userAccountControl": 0x202, "enabled": False})
    world.simulated.domain.people[SAM].control = 0x202
    assert isinstance(await Disable().undo(ctx, item), Done)
    assert world.simulated.domain.people[SAM].control == 0x202


# --- groups


async def test_a_refusal_while_still_a_member_is_not_taken_for_already_gone(world: World) -> None:
    ctx = await world.context(SAM, choices=EVERYTHING)
    item = first(await LeaveGroups().look(ctx))
    world.simulated.fail(Fault("unwilling", match="member"))
    with pytest.raises(Refused, match="unwillingToPerform"):
        await LeaveGroups().act(ctx, item, intent(ctx))
    assert done(world) == []


async def test_more_groups_than_one_page_holds_are_all_left(world: World) -> None:
    world.simulated.domain.most_at_once = 3
    sam = world.simulated.domain.people[SAM].guid
    for number in range(8):
        group = Group(f"Team {number}", members=[sam], rid=5000 + number)
        world.simulated.domain.groups[group.name] = group
    found = await LeaveGroups().look(await world.context(SAM, choices=EVERYTHING))
    assert isinstance(found, Todo)
    assert len({item.key for item in found.items}) == 10


async def test_groups_stay_until_the_client_has_said_how_much(world: World) -> None:
    facts = (await world.context(SAM)).facts
    for choices in ({}, {"access": "later"}):
        assert not LeaveGroups().wanted(choices, facts)
        assert not HideFromAddressLists().wanted(choices, facts)
    assert LeaveGroups().wanted(EVERYTHING, facts)


async def test_partial_access_is_a_persons_task_that_names_the_groups(world: World) -> None:
    ctx = await world.context(SAM, choices={"access": "partial", "access.stays": "the planning folder"})
    found = await LeaveGroups().look(ctx)
    assert isinstance(found, Task)
    assert "the planning folder" in found.reason
    assert PLANNING in found.instructions
    assert COMMA_GROUP in found.instructions


async def test_a_group_that_gives_the_licence_is_kept_until_the_mailbox_is_shared(world: World) -> None:
    kinds = ["user"]
    giving: list[JsonValue] = []

    async def read(name: str) -> Json:
        return {
            "exchange.mailbox": Json(exists=True, type=kinds[-1]),
            "microsoft365.licence_groups": Json(groups=giving),
        }[name]

    ctx = replace(await world.context(SAM, choices={**EVERYTHING, "mailbox": "shared"}), read=read)
    found = await LeaveGroups().look(ctx)
    assert isinstance(found, Todo)
    planning, sales = found.items
    giving.append({"name": "Another name in the cloud", "sid": str(planning.before["sid"])})
    with pytest.raises(Refused, match="not yet"):
        await LeaveGroups().act(ctx, planning, intent(ctx))
    await LeaveGroups().act(ctx, sales, intent(ctx))
    assert done(world) == ["member -Sam Synced of Sales, EMEA"]
    kinds.append("shared")
    await LeaveGroups().act(ctx, planning, intent(ctx))
    assert done(world)[1:] == ["member -Sam Synced of Planning"]


async def test_a_group_that_the_cloud_shows_without_a_sid_is_known_by_its_name(world: World) -> None:
    async def read(name: str) -> Json:
        return {
            "exchange.mailbox": Json(exists=True, type="UserMailbox"),
            "microsoft365.licence_groups": Json(groups=[{"name": PLANNING, "sid": ""}]),
        }[name]

    ctx = replace(await world.context(SAM, choices={**EVERYTHING, "mailbox": "shared"}), read=read)
    with pytest.raises(Refused, match="gives the licence"):
        await LeaveGroups().act(ctx, first(await LeaveGroups().look(ctx)), intent(ctx))
    assert done(world) == []


# --- address lists


async def test_hiding_is_read_back_and_undone_to_what_stood_there(world: World) -> None:
    ctx = await world.context(SAM, choices=EVERYTHING)
    for stood in ("", "FALSE"):
        world.simulated.domain.people[SAM].hidden = stood
        item, meant = first(await HideFromAddressLists().look(ctx)), intent(ctx)
        await HideFromAddressLists().act(ctx, item, meant)
        assert await HideFromAddressLists().confirm(ctx, item, meant, "") == Done(
            f"{HIDE} read as TRUE on localhost:{world.port}"
        )
        assert isinstance(await HideFromAddressLists().look(ctx), Nothing)
        assert isinstance(await HideFromAddressLists().undo(ctx, item), Done)
        assert world.simulated.domain.people[SAM].hidden == stood


async def test_a_domain_without_exchange_has_nothing_to_hide_and_says_why(world: World) -> None:
    world.simulated.domain.exchange = False
    found = await HideFromAddressLists().look(await world.context(SAM, choices=EVERYTHING))
    assert isinstance(found, Nothing)
    assert "no Exchange schema" in found.evidence


async def test_an_empty_mail_nickname_is_told_with_the_evidence(world: World) -> None:
    ctx = await world.context(OBRIEN, choices=EVERYTHING)
    item, meant = first(await HideFromAddressLists().look(ctx)), intent(ctx)
    await HideFromAddressLists().act(ctx, item, meant)
    outcome = await HideFromAddressLists().confirm(ctx, item, meant, "")
    assert isinstance(outcome, Done)
    assert "mailNickname is empty" in outcome.evidence


# --- who it is, and what is said about them


async def test_an_anchor_that_is_not_here_makes_everybody_else_doubtful(world: World) -> None:
    known = leaver(immutable_id="AAAAAAAAAAAAAAAAAAAAAA==", mail="sam.synced@contoso.example", employee_id="1009")
    found = await CONNECTOR.find(await world.connect(), known)
    assert [(one.name, one.certain) for one in found] == [("Sam Synced", False)]
    assert "not in this domain" in found[0].matched_by


async def test_a_number_and_an_address_that_disagree_are_both_doubtful(world: World) -> None:
    found = await CONNECTOR.find(await world.connect(), leaver(employee_id="1009", mail="sean.o'brien@contoso.example"))
    assert {(one.name, one.certain) for one in found} == {("Sam Synced", False), ("Sean O'Brien", False)}


def said(cautions: tuple[Caution, ...], word: str) -> Caution:
    return next(caution for caution in cautions if word in caution.text)


async def test_a_plain_person_gives_no_caution_but_the_server_they_manage(world: World) -> None:
    cautions = CONNECTOR.cautions((await world.context(SAM)).facts)
    assert [caution.text for caution in cautions] == [
        "They manage FILES01 (a server): that is left running. Name another to manage it."
    ]
    assert CONNECTOR.cautions((await world.context("mtran")).facts) == ()


async def test_an_administrator_is_never_locked_out_on_the_managers_word_alone(world: World) -> None:
    cautions = CONNECTOR.cautions((await world.context(ADMIN)).facts)
    assert said(cautions, "Administrators, Domain Admins").bars_immediate
    assert said(cautions, "adminCount 1").bars_immediate
    assert not any(caution.approvers > 1 for caution in cautions)


async def test_the_last_domain_admin_takes_two_technicians_and_a_proof(world: World) -> None:
    ctx = await world.context(ADMIN)
    world.simulated.domain.people["Administrator"].control = 0x202
    caution = said(CONNECTOR.cautions(await CONNECTOR.facts(ctx.api, ctx.account)), "No other enabled member")
    assert (caution.bars_immediate, caution.approvers) == (True, 2)
    assert caution.proof


async def test_a_service_account_is_told(world: World) -> None:
    cautions = CONNECTOR.cautions((await world.context(SERVICE)).facts)
    assert said(cautions, "HTTP/backup.corp.contoso.example").bars_immediate


async def test_a_second_account_of_theirs_is_told(world: World) -> None:
    world.simulated.domain.people["sam-admin"] = Person("Sam (admin)", "sam-admin", employee_id="1009", rid=9000)
    assert said(CONNECTOR.cautions((await world.context(SAM)).facts), "sam-admin")
    world.simulated.domain.people["sam-admin"].control = 0x202
    assert (await world.context(SAM)).facts.others == ()


@pytest.mark.parametrize("listed", ["sSynced", "guid"])
async def test_a_protected_account_is_touched_by_no_step(world: World, listed: str) -> None:
    guid = str(world.simulated.domain.people[SAM].guid)
    ctx = await world.context(SAM, await world.connect(protected=[guid if listed == "guid" else listed]), EVERYTHING)
    assert said(CONNECTOR.cautions(ctx.facts), "will not touch").bars_immediate
    for step in CONNECTOR.steps:
        assert isinstance(await step.look(ctx), Task), step.id


@pytest.mark.parametrize("bind_name", [f"{BOT}@corp.contoso.example", f"CORP\\{BOT}"])
async def test_the_bots_own_account_is_touched_by_no_step(world: World, bind_name: str) -> None:
    ctx = await world.context(BOT, await world.connect(bind_name=bind_name))
    assert isinstance(await Disable().look(ctx), Task)
    assert isinstance(await ResetPassword().look(ctx), Task)


async def test_a_domain_controller_is_spared_whatever_it_calls_itself(world: World) -> None:
    world.simulated.domain.computers[LAPTOP].control = 0x82000
    found = await DisableComputers().look(await world.context(SAM))
    assert isinstance(found, Nothing)


async def test_the_bots_own_account_is_known_by_its_other_sign_in_name_too(world: World) -> None:
    world.simulated.domain.people[BOT].user_name = "it-bot@contoso.example"
    ctx = await world.context(BOT, await world.connect(bind_name="it-bot@contoso.example"))
    assert isinstance(await Disable().look(ctx), Task)


async def test_the_way_in_lingers_as_long_as_a_ticket(world: World) -> None:
    (way,) = CONNECTOR.ways_in((await world.context(SAM)).facts, {})
    assert (way.title, way.ended_by) == ("Domain account", (Disable.id, ResetPassword.id))
    assert way.lingers == timedelta(hours=10)
    assert CONNECTOR.reports((await world.context("mtran")).facts) == frozenset()
