"""Licences go last, never under a mailbox that needs them, and each refusal of Graph says what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.contract import Done, Intent, Json, Nothing, Refused, Task, Throttled, Waiting, Wave
from connectors.microsoft365.guards import Ctx
from connectors.microsoft365.mailbox_ground import why_mailbox_needs_licence
from connectors.microsoft365.release import ReassignLicences, ReleaseLicences
from connectors.microsoft365.simulated_people import HELGA, JANE, LICENCE_GROUP, OLIVIA, ZOE
from connectors.microsoft365.simulated_things import ARCHIVE, E3, EXCHANGE_1, POWER_BI, Held, Product
from tests.connectors.conftest import Microsoft
from tests.connectors.steps import items
from tests.connectors.test_microsoft365_steps import ready

SHARED: Json = {"exists": True, "type": "SharedMailbox", "size_bytes": 10**9, "archive": False, "hold": False}
GONE: Json = {"exists": False}


async def leaver(
    microsoft: Microsoft, mailbox: Json, person: str = OLIVIA, choices: dict[str, str] | None = None
) -> Ctx:
    async def read(name: str) -> Json:
        assert name == "exchange.mailbox"
        return mailbox

    answers = {"licences": "release", "mailbox": "shared", **(choices or {})}
    return replace(await ready(microsoft, person), choices=answers, read=read)


def intent(ctx: Ctx, *, repeated: bool = False) -> Intent:
    return Intent("key", ctx.clock.now(), repeated)


def test_licences_wait_for_the_mailbox_the_groups_and_the_backup() -> None:
    assert set(ReleaseLicences.requires) == {
        "exchange.convert_to_shared",
        "exchange.hold",
        "exchange.delete_mailbox",
        "microsoft365.take_backup",
    }
    assert {"exchange.cancel_meetings", "microsoft365.leave_groups"} <= set(ReleaseLicences.after)
    assert ReleaseLicences.wave is Wave.BILLING


@pytest.mark.parametrize("answer", ["", "keep", "later", "something new"])
async def test_licences_stay_unless_they_are_said_to_go(microsoft: Microsoft, answer: str) -> None:
    facts = (await leaver(microsoft, SHARED)).facts
    for step in (ReleaseLicences(), ReassignLicences()):
        assert not step.wanted({"licences": answer, "licences.to": ZOE}, facts)
    assert ReleaseLicences().wanted({"licences": "release"}, facts)
    assert not ReleaseLicences().wanted({"licences": "release", "access": "partial"}, facts)


async def test_each_direct_licence_is_an_item_with_its_name(microsoft: Microsoft) -> None:
    found = items(await ReleaseLicences().look(await leaver(microsoft, SHARED)))
    assert [item.title for item in found] == [
        "Exchange Online (Plan 1) (EXCHANGESTANDARD)",
        "Power BI Pro (POWER_BI_PRO)",
    ]
    assert found[1].before["disabledPlans"] == ["70d33638-9c74-4d01-bfd3-562de28bd4ba"]
    assert not any(item.destroys for item in found)


async def test_a_released_licence_is_read_back_and_can_be_given_back_as_it_was(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, SHARED)
    step = ReleaseLicences()
    for item in items(await step.look(ctx)):
        await step.act(ctx, item, intent(ctx))
        await step.act(ctx, item, intent(ctx, repeated=True))
        assert isinstance(await step.confirm(ctx, item, intent(ctx), ""), Done)
        assert isinstance(await step.undo(ctx, item), Done)
    sent = [call.body for call in microsoft.simulator.calls if call.path.endswith("assignLicense")]
    assert all(set(body) == {"addLicenses", "removeLicenses"} for body in sent)
    assert sent[-1]["addLicenses"] == [{"skuId": POWER_BI, "disabledPlans": ["70d33638-9c74-4d01-bfd3-562de28bd4ba"]}]


async def test_a_licence_still_shown_is_waited_for(microsoft: Microsoft) -> None:
    microsoft.contoso.lag = 5
    ctx = await leaver(microsoft, SHARED)
    item = items(await ReleaseLicences().look(ctx))[0]
    await ReleaseLicences().act(ctx, item, intent(ctx))
    assert isinstance(await ReleaseLicences().confirm(ctx, item, intent(ctx), ""), Waiting)


# --- the ground under a licence


@pytest.mark.parametrize(
    ("mailbox", "answer", "why"),
    [
        (SHARED, "shared", ""),
        (SHARED, "keep", ""),
        (GONE, "later", ""),
        (SHARED, "delete", "goes first"),
        (GONE, "delete", ""),
        ({**SHARED, "type": "UserMailbox"}, "shared", "not shared"),
        ({**SHARED, "type": "UserMailbox"}, "keep", "not shared"),
        ({**SHARED, "type": None}, "shared", "unknown"),
        (SHARED, "later", "nobody has decided"),
        (SHARED, "", "nobody has decided"),
        ({**SHARED, "size_bytes": 60 * 10**9}, "shared", "60 GB"),
        ({**SHARED, "size_bytes": None}, "shared", "size"),
        ({**SHARED, "archive": True}, "shared", "archive"),
        ({**SHARED, "hold": True}, "shared", "on hold"),
    ],
)
async def test_what_a_mailbox_needs_decides(microsoft: Microsoft, mailbox: Json, answer: str, why: str) -> None:
    ctx = await leaver(microsoft, mailbox, choices={"mailbox": answer})
    told = await why_mailbox_needs_licence(ctx)
    assert why in told
    assert bool(told) == bool(why)


async def test_a_mailbox_nobody_was_asked_about_keeps_its_licence(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, SHARED)
    ctx = replace(ctx, choices={"licences": "release"})
    assert "nobody has decided" in await why_mailbox_needs_licence(ctx)


async def test_a_mailbox_on_hold_keeps_its_licence_and_a_person_is_asked(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {**SHARED, "size_bytes": 60 * 10**9, "hold": True}, HELGA)
    microsoft.contoso.groups[LICENCE_GROUP].members = ()
    found = await ReleaseLicences().look(ctx)
    assert isinstance(found, Task)
    assert "above 50 GB it needs Exchange Online Plan 2" in found.reason
    assert "Microsoft 365 E3" in found.instructions


async def test_what_carries_no_mailbox_goes_while_the_rest_stays(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, {**SHARED, "type": "UserMailbox"})
    stays, goes = items(await ReleaseLicences().look(ctx))
    with pytest.raises(Refused, match="not shared"):
        await ReleaseLicences().act(ctx, stays, intent(ctx))
    await ReleaseLicences().act(ctx, goes, intent(ctx))
    assert [one.sku for one in microsoft.simulator.person(OLIVIA).licences] == [EXCHANGE_1]


async def test_a_mailbox_that_was_shared_and_is_not_any_more_keeps_its_licence(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, SHARED)
    item = items(await ReleaseLicences().look(ctx))[0]
    changed = await leaver(microsoft, {**SHARED, "type": "UserMailbox"})
    with pytest.raises(Refused, match="not shared"):
        await ReleaseLicences().act(replace(ctx, read=changed.read), item, intent(ctx))
    assert microsoft.done() == []


async def test_without_exchange_connected_a_mailbox_keeps_its_licence(microsoft: Microsoft) -> None:
    async def read(_name: str) -> Json:
        raise KeyError("exchange")

    ctx = replace(await leaver(microsoft, SHARED), read=read)
    assert "could not be asked" in await why_mailbox_needs_licence(ctx)
    microsoft.simulator.person(OLIVIA).mailbox = None
    assert await why_mailbox_needs_licence(ctx) == ""


async def test_exchange_being_slow_is_waited_for_and_not_taken_for_absent(microsoft: Microsoft) -> None:
    async def read(_name: str) -> Json:
        raise Throttled("exchange", "Get-Mailbox", 9)

    with pytest.raises(Throttled):
        await ReleaseLicences().look(replace(await leaver(microsoft, SHARED), read=read))


async def test_a_shared_mailbox_that_needs_its_licence_keeps_that_one_alone(microsoft: Microsoft) -> None:
    choices = {"mailbox": "shared licensed", "licences": "release"}
    big = {**SHARED, "size_bytes": 60 * 10**9, "hold": True}
    found = items(await ReleaseLicences().look(await leaver(microsoft, big, choices=choices)))
    assert [item.title for item in found] == ["Power BI Pro (POWER_BI_PRO)"]
    microsoft.simulator.person(OLIVIA).licences = [Held(EXCHANGE_1)]
    found = await ReleaseLicences().look(await leaver(microsoft, big, choices=choices))
    assert isinstance(found, Nothing)
    assert "stays: the shared mailbox needs it, as decided" in found.evidence


async def test_a_mailbox_to_be_deleted_goes_first_by_its_own_step(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, SHARED, choices={"mailbox": "delete"})
    assert "it goes first" in await why_mailbox_needs_licence(ctx)
    gone = await leaver(microsoft, {**SHARED, "exists": False}, choices={"mailbox": "delete"})
    assert await why_mailbox_needs_licence(gone) == ""


async def test_a_product_with_exchange_foundation_only_carries_no_mailbox(microsoft: Microsoft) -> None:
    held = {one.sku: one.carries_mailbox for one in (await leaver(microsoft, SHARED)).facts.belongings.licences}
    assert held == {EXCHANGE_1: True, POWER_BI: False, E3: True}


# --- what Graph refuses


async def test_licences_by_group_are_a_task_that_names_the_group(microsoft: Microsoft) -> None:
    microsoft.simulator.person(OLIVIA).licences = []
    found = await ReleaseLicences().look(await leaver(microsoft, SHARED))
    assert isinstance(found, Task)
    assert "Microsoft 365 E3 (SPE_E3) by the group Licensed E3" in found.reason


async def test_somebody_without_licences_needs_nothing(microsoft: Microsoft) -> None:
    assert await ReleaseLicences().look(await leaver(microsoft, SHARED, JANE)) == Nothing("holds no licence")


async def test_a_licence_that_came_by_group_meanwhile_is_refused_with_the_fix(microsoft: Microsoft) -> None:
    ctx = await leaver(microsoft, SHARED)
    item = items(await ReleaseLicences().look(ctx))[0]
    microsoft.simulator.person(OLIVIA).licences = []
    microsoft.contoso.groups[LICENCE_GROUP].licences = (EXCHANGE_1,)
    with pytest.raises(Refused, match=r"comes by a group.*Take them out of that group"):
        await ReleaseLicences().act(ctx, item, intent(ctx))


async def test_products_that_need_each_other_go_together(microsoft: Microsoft) -> None:
    archive = Product(ARCHIVE, "EXCHANGEARCHIVE_ADDON", ("EXCHANGE_S_ARCHIVE_ADDON",), depends_on=EXCHANGE_1)
    microsoft.contoso.products[ARCHIVE] = archive
    olivia = microsoft.simulator.person(OLIVIA)
    olivia.licences = [Held(EXCHANGE_1), Held(ARCHIVE)]
    ctx = await leaver(microsoft, SHARED)
    for item in items(await ReleaseLicences().look(ctx)):
        await ReleaseLicences().act(ctx, item, intent(ctx))
        assert isinstance(await ReleaseLicences().confirm(ctx, item, intent(ctx), ""), Done)
    assert olivia.licences == []


async def test_products_going_together_leave_the_one_the_mailbox_lives_on(microsoft: Microsoft) -> None:
    addon = Product(ARCHIVE, "ADDON", ("BI_AZURE_P2",), depends_on=POWER_BI)
    microsoft.contoso.products[ARCHIVE] = addon
    olivia = microsoft.simulator.person(OLIVIA)
    olivia.licences = [Held(EXCHANGE_1), Held(POWER_BI), Held(ARCHIVE)]
    ctx = await leaver(microsoft, {**SHARED, "type": "UserMailbox"})
    found = {item.key: item for item in items(await ReleaseLicences().look(ctx))}
    await ReleaseLicences().act(ctx, found[POWER_BI], intent(ctx))
    assert [one.sku for one in olivia.licences] == [EXCHANGE_1]


# --- to somebody else


async def reassigned(microsoft: Microsoft) -> Ctx:
    return await leaver(microsoft, SHARED, choices={"licences": "reassign", "licences.to": ZOE})


async def test_released_licences_go_to_the_person_named(microsoft: Microsoft) -> None:
    ctx = await reassigned(microsoft)
    assert ReassignLicences.requires == (ReleaseLicences.id,)
    for item in items(await ReleaseLicences().look(ctx)):
        await ReleaseLicences().act(ctx, item, intent(ctx))
    for item in items(await ReassignLicences().look(ctx)):
        await ReassignLicences().act(ctx, item, intent(ctx))
        await ReassignLicences().act(ctx, item, intent(ctx, repeated=True))
        assert isinstance(await ReassignLicences().confirm(ctx, item, intent(ctx), ""), Done)
    zoe = microsoft.simulator.person(ZOE)
    assert {one.sku for one in zoe.licences} == {EXCHANGE_1, POWER_BI}
    assert await ReassignLicences().look(ctx) == Nothing("Zoë Müller holds them already")


async def test_without_a_usage_location_it_is_a_task(microsoft: Microsoft) -> None:
    microsoft.simulator.person(ZOE).usage_location = ""
    found = await ReassignLicences().look(await reassigned(microsoft))
    assert isinstance(found, Task)
    assert "usage location" in found.reason


async def test_without_a_free_seat_it_says_so(microsoft: Microsoft) -> None:
    ctx = await reassigned(microsoft)
    item = items(await ReassignLicences().look(ctx))[0]
    microsoft.contoso.products[EXCHANGE_1].bought = 1
    with pytest.raises(Refused, match="no seat is free"):
        await ReassignLicences().act(ctx, item, intent(ctx))
    with pytest.raises(Refused, match="no seat is free"):
        await ReassignLicences().act(ctx, item, intent(ctx, repeated=True))
    assert microsoft.simulator.person(ZOE).licences == []
