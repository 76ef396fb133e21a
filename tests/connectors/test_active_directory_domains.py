"""What must hold in any domain: the same tests against our stand-in and a real Samba domain controller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.active_directory import CONNECTOR
from connectors.active_directory.clean_up import LeaveGroups
from connectors.active_directory.client import Domain
from connectors.active_directory.facts import ActiveDirectoryFacts
from connectors.active_directory.lock_out import Disable, DisableComputers, ResetPassword
from connectors.active_directory.settings import ActiveDirectorySettings
from connectors.active_directory.simulated_people import (
    ADMIN,
    BASE,
    COMMA_GROUP,
    FILE_SERVER,
    GONE,
    HOSTILE,
    HOSTILE_NAME,
    IT_TEAM,
    LAPTOP,
    OBRIEN,
    PLANNING,
    POWERLESS,
    SAM,
    SAM_IMMUTABLE_ID,
    SERVICE,
    START_PASSWORD,
)
from connectors.contract import (
    Account,
    Context,
    Done,
    Intent,
    Nothing,
    Refused,
    SignInFailed,
    Step,
    Task,
)
from tests.connectors.samba import SambaDomain, World, simulated_world, why_no_samba
from tests.connectors.steps import items, run

Ctx = Context[Domain, ActiveDirectoryFacts]
AnyStep = Step[Domain, ActiveDirectoryFacts]
EVERYTHING = {"access": "everything"}


@pytest.fixture(scope="module")
def samba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SambaDomain]:
    if reason := why_no_samba():
        pytest.skip(reason)
    domain = SambaDomain(tmp_path_factory.mktemp("samba"))
    try:
        domain.start()
        yield domain
    finally:
        domain.stop()


@pytest.fixture(params=["simulated", "samba"])
async def world(request: pytest.FixtureRequest, tls: tuple[Path, Path, Path]) -> AsyncIterator[World]:
    if request.param == "samba":
        samba: SambaDomain = request.getfixturevalue("samba")
        world = await samba.world()
        yield world
        await world.close()
        return
    async with simulated_world(tls) as world:
        # What Samba has not: the schema of Exchange.
        world.simulated.domain.exchange = False
        yield world


def leaver(**known: str) -> Account:
    """As the directory in the cloud knows them."""
    somebody = Account(system="microsoft365", id="c0000000-0000-4000-8000-0000000000a9", name="Somebody")
    return somebody.model_copy(update=dict(known))


async def names(world: World, **known: str) -> list[str]:
    return [account.name for account in await CONNECTOR.find(await world.connect(), leaver(**known))]


# --- finding


async def test_the_immutable_id_finds_them_by_the_consistency_guid(world: World) -> None:
    found = await CONNECTOR.find(await world.connect(), leaver(immutable_id=SAM_IMMUTABLE_ID, mail="else@x.example"))
    assert [(one.name, one.certain, one.immutable_id) for one in found] == [("Sam Synced", True, SAM_IMMUTABLE_ID)]
    assert found[0].id == await world.guid(SAM)


async def test_the_immutable_id_finds_them_by_the_object_guid(world: World) -> None:
    obrien = await world.account(OBRIEN)
    assert await names(world, immutable_id=obrien.immutable_id) == ["Sean O'Brien"]


async def test_an_employee_id_full_of_filter_characters_finds_one_person_only(world: World) -> None:
    found = await CONNECTOR.find(await world.connect(), leaver(employee_id="*)(objectClass=*"))
    assert [(one.name, one.certain) for one in found] == [(HOSTILE_NAME, True)]


@pytest.mark.parametrize("address", ["*", "*)(mail=*", "\\2a", "a\0b@x.example", ")(|(mail=*", "mäil@contoso.example"])
async def test_an_address_is_taken_literally(world: World, address: str) -> None:
    assert await names(world, mail=address) == []


async def test_an_apostrophe_in_the_address_finds_them(world: World) -> None:
    assert await names(world, mail="Sean.O'Brien@contoso.example") == ["Sean O'Brien"]


async def test_another_address_of_theirs_finds_them_umlauts_and_all(world: World) -> None:
    assert await names(world, mail="zoë.d'or@contoso.example") == [HOSTILE_NAME]


async def test_nobody_is_found_by_nothing(world: World) -> None:
    assert await names(world) == []


async def test_two_with_one_address_are_both_given_and_neither_certain(world: World) -> None:
    await world.change(OBRIEN, "mail", "sam.synced@contoso.example")
    found = await CONNECTOR.find(await world.connect(), leaver(mail="sam.synced@contoso.example"))
    assert {(one.name, one.certain) for one in found} == {("Sean O'Brien", False), ("Sam Synced", False)}


async def test_an_account_with_a_name_full_of_commas_is_read_again_by_its_guid(world: World) -> None:
    account = await world.account(HOSTILE)
    facts = await CONNECTOR.facts(await world.connect(), account)
    assert account.name == HOSTILE_NAME
    assert facts.groups == (COMMA_GROUP,)


# --- facts


async def test_facts_tell_groups_computers_and_reports(world: World) -> None:
    facts = (await world.context(SAM)).facts
    assert facts.enabled
    assert (facts.groups, facts.primary_group) == ((PLANNING, COMMA_GROUP), "Domain Users")
    assert [(one.name, one.enabled, one.spared) for one in facts.computers] == [
        (FILE_SERVER, True, "a server"),
        (LAPTOP, True, ""),
    ]
    assert (facts.admin_groups, facts.admin_count, facts.last_domain_admin) == ((), False, False)
    assert not facts.can_hide
    assert (await world.context("mtran")).facts.reports == ("Sam Synced",)


async def test_an_administrator_through_other_groups_is_known_as_one(world: World) -> None:
    facts = (await world.context(ADMIN)).facts
    assert facts.groups == (IT_TEAM,)
    assert set(facts.admin_groups) == {"Administrators", "Domain Admins"}
    assert not facts.last_domain_admin


async def test_an_administrator_by_primary_group_is_known_as_one(world: World) -> None:
    if world.simulator:
        world.simulator.domain.people[SAM].primary = 512
    else:
        admins = (await world.values("Domain Admins", "member"))[:]
        dn = (await world.values(SAM, "distinguishedName"))[0]
        await world.change("Domain Admins", "member", *admins, dn)
        await world.change(SAM, "primaryGroupID", "512")
    facts = (await world.context(SAM)).facts
    assert facts.primary_group == "Domain Admins"
    assert {"Administrators", "Domain Admins"} <= set(facts.admin_groups)


async def test_a_narrow_base_hides_nobodys_groups(world: World) -> None:
    api = await world.connect(base_dn="OU=Staff,DC=corp,DC=contoso,DC=example")
    assert await CONNECTOR.find(api, leaver(mail="sam.synced@contoso.example"))
    assert "Domain Admins" in (await world.context("Administrator", api)).facts.groups


async def test_what_runs_under_the_account_is_told(world: World) -> None:
    assert (await world.context(SERVICE)).facts.services == ("HTTP/backup.corp.contoso.example",)


# --- disable


async def test_a_disabled_account_opens_nothing_any_more(world: World) -> None:
    assert await world.can_sign_in(SAM, START_PASSWORD)
    outcomes = await run(Disable(), await world.context(SAM))
    assert isinstance(outcomes[0], Done)
    assert not await world.can_sign_in(SAM, START_PASSWORD)


async def test_disabling_and_undoing_keep_every_other_flag(world: World) -> None:
    await world.change(SAM, "userAccountControl", str(0x10200))
    ctx = await world.context(SAM)
    item = items(await Disable().look(ctx))[0]
    await run(Disable(), ctx)
    assert await world.control(SAM) == 0x10202
    assert isinstance(await Disable().undo(ctx, item), Done)
    assert await world.control(SAM) == 0x10200
    assert await world.can_sign_in(SAM, START_PASSWORD)


async def test_who_is_disabled_already_needs_nothing(world: World) -> None:
    assert isinstance(await Disable().look(await world.context(GONE)), Nothing)


async def test_disabling_twice_is_harmless(world: World) -> None:
    ctx = await world.context(SAM)
    item = items(await Disable().look(ctx))[0]
    for _ in range(2):
        await Disable().act(ctx, item, Intent("key", ctx.clock.now()))
    assert await world.control(SAM) == 0x202


async def test_an_account_that_was_renamed_meanwhile_is_still_the_one(world: World) -> None:
    ctx = await world.context(HOSTILE)
    gone = ctx.facts.model_copy(update={"distinguished_name": "CN=Long gone,DC=nowhere"})
    outcomes = await run(Disable(), replace(ctx, facts=gone))
    assert isinstance(outcomes[0], Done)
    assert await world.control(HOSTILE) & 2


# --- password


async def test_one_reset_alone_leaves_the_old_password_usable_for_an_hour(world: World) -> None:
    """Why it is reset twice: domains accept the last password but one over the network."""
    await world.change(SAM, "unicodePwd", '"Set-once-by-somebody-1"'.encode("utf-16-le"))
    assert await world.can_sign_in(SAM, START_PASSWORD)


async def test_after_the_reset_the_leavers_password_opens_nothing(world: World) -> None:
    outcomes = await run(ResetPassword(), await world.context(SAM))
    assert isinstance(outcomes[0], Done)
    assert "set twice" in outcomes[0].evidence
    first, second = world.issued
    assert first != second
    assert not await world.can_sign_in(SAM, START_PASSWORD)
    assert await world.can_sign_in(SAM, second), "it was set as meant, quotes and all"
    assert not any(one in outcomes[0].evidence for one in world.issued)


async def test_a_password_the_policy_refuses_is_a_sentence_without_it(world: World) -> None:
    ctx = await world.context(SAM, await world.connect(password="pass-w"))
    item = items(await ResetPassword().look(ctx))[0]
    with pytest.raises(Refused, match="password policy") as told:
        await ResetPassword().act(ctx, item, Intent("key", ctx.clock.now()))
    assert "by hand, twice" in told.value.fix
    assert "pass-w" not in str(told.value)
    assert await world.can_sign_in(SAM, START_PASSWORD)


# --- groups and computers


async def test_every_group_but_the_primary_one_is_left_and_can_be_joined_again(world: World) -> None:
    ctx = await world.context(SAM, choices=EVERYTHING)
    left = items(await LeaveGroups().look(ctx))
    assert [item.title for item in left] == [PLANNING, COMMA_GROUP]
    assert all(isinstance(outcome, Done) for outcome in await run(LeaveGroups(), ctx))
    assert await world.values(SAM, "memberOf") == []
    assert await world.values(HOSTILE, "memberOf"), "the others stay"
    nothing = await LeaveGroups().look(ctx)
    assert isinstance(nothing, Nothing)
    assert "Domain Users stays" in nothing.evidence
    assert [type(await LeaveGroups().undo(ctx, item)) for item in left] == [Done, Done]
    assert len(await world.values(SAM, "memberOf")) == 2


async def test_leaving_and_joining_twice_are_harmless(world: World) -> None:
    ctx = await world.context(SAM, choices=EVERYTHING)
    item = items(await LeaveGroups().look(ctx))[0]
    for _ in range(2):
        await LeaveGroups().act(ctx, item, Intent("key", ctx.clock.now()))
    for _ in range(2):
        assert isinstance(await LeaveGroups().undo(ctx, item), Done)


async def test_their_computer_is_disabled_and_the_server_they_manage_is_not(world: World) -> None:
    ctx = await world.context(SAM)
    found = items(await DisableComputers().look(ctx))
    assert [item.title for item in found] == [LAPTOP]
    assert isinstance((await run(DisableComputers(), ctx))[0], Done)
    assert await world.control(f"{LAPTOP}$") & 2
    assert not await world.control(f"{FILE_SERVER}$") & 2
    assert isinstance(await DisableComputers().undo(ctx, found[0]), Done)
    assert not await world.control(f"{LAPTOP}$") & 2


async def test_a_computer_handed_on_meanwhile_is_left_alone(world: World) -> None:
    ctx = await world.context(SAM)
    item = items(await DisableComputers().look(ctx))[0]
    await world.change(f"{LAPTOP}$", "managedBy" if not world.simulator else "operatingSystem", *_heir(world))
    if world.simulator:
        world.simulator.domain.computers[LAPTOP].manager = world.simulator.domain.people["mtran"].guid
    intent = Intent("key", ctx.clock.now())
    await DisableComputers().act(ctx, item, intent)
    assert not await world.control(f"{LAPTOP}$") & 2
    assert isinstance(await DisableComputers().confirm(ctx, item, intent, ""), Done)


def _heir(world: World) -> tuple[str, ...]:
    return ("Windows 11 Pro",) if world.simulator else ("CN=Mai Tran,OU=Staff,DC=corp,DC=contoso,DC=example",)


# --- what must not be touched, and what we may not


async def test_the_built_in_administrator_is_handed_to_a_person(world: World) -> None:
    ctx = await world.context("Administrator", choices=EVERYTHING)
    assert ctx.facts.protected
    for step in (Disable(), ResetPassword(), LeaveGroups()):
        assert isinstance(await step.look(ctx), Task)


async def test_an_account_without_delegation_is_told_which_right_it_needs(world: World) -> None:
    ctx = await world.context(SAM, await world.connect(POWERLESS), EVERYTHING)
    needs = (
        (Disable(), "Write userAccountControl"),
        (ResetPassword(), "Reset password"),
        (LeaveGroups(), "Write member"),
    )
    for step, right in needs:
        item = items(await step.look(ctx))[0]
        with pytest.raises(Refused, match=f"Delegate '{right}'"):
            await step.act(ctx, item, Intent("key", ctx.clock.now()))
    assert await world.can_sign_in(SAM, START_PASSWORD)


async def test_a_wrong_password_of_ours_is_a_refusal_with_the_fix(world: World) -> None:
    with pytest.raises(SignInFailed, match=r"wrong name or password \(data 52e\)") as told:
        await CONNECTOR.find(await world.connect(secret="not-the-password"), leaver(mail="x@x.example"))
    assert "not-the-password" not in f"{told.value!s} {told.value!r}"


async def test_a_disabled_account_of_ours_is_a_refusal_that_says_so(world: World) -> None:
    with pytest.raises(SignInFailed, match=r"it is disabled \(data 533\)"):
        await CONNECTOR.find(await world.connect(GONE, START_PASSWORD), leaver(mail="x@x.example"))


async def test_a_certificate_nobody_trusts_gets_no_password(world: World, tmp_path: Path) -> None:
    import trustme

    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    calls = len(world.simulator.calls) if world.simulator else 0
    settings = ActiveDirectorySettings.model_validate(world.settings())
    api = await CONNECTOR.open(settings, replace(world.around(), ca_file=other))
    with pytest.raises(Refused, match="certificate is not trusted") as told:
        await CONNECTOR.find(api, leaver(mail="x@x.example"))
    assert "ca_certificate" in told.value.fix
    assert not world.simulator or len(world.simulator.calls) == calls


async def test_the_check_says_which_server_works_and_what_is_no_base(world: World) -> None:
    good = (await CONNECTOR.check(await world.connect()))[0]
    assert good.ok, good
    assert "LDAPS and sign-in work; our account sees " in good.said
    bad = (await CONNECTOR.check(await world.connect(base_dn=f"OU=Nowhere,{BASE}")))[0]
    assert (bad.ok, bad.said) == (False, "It has no such base_dn, or lets us read nothing of it.")
    refused = (await CONNECTOR.check(await world.connect(secret="not-the-password")))[0]
    assert not refused.ok
    assert "wrong name or password" in refused.said
    assert "not-the-password" not in repr(refused)
