"""The leaver as a contact: portal shut, made inactive unless something hangs on it, their equipment named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from connectors.connectwise import CONNECTOR
from connectors.connectwise.contact_steps import ContactInactive, EndPortalLogin, ListDevices
from connectors.connectwise.simulated_records import DOCK, JANE, LAPTOP, MANAGED, OLD_JANE
from connectors.connectwise.simulator import Fault
from connectors.contract import Account, Done, Failed, Intent, Item, Nothing, Refused, Unreachable, Waiting, Wave
from tests.connectors.steps import items, run, task
from tests.connectors.test_connectwise_world import JANE_DOE, AnyStep, Desk, desk_of, until_settled

PORTAL, INACTIVE, DEVICES = EndPortalLogin(), ContactInactive(), ListDevices()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_of() as desk:
        yield desk


# --- the portal


async def test_the_portal_is_a_way_in_and_is_shut(desk: Desk) -> None:
    ctx = await desk.ready()
    [way] = CONNECTOR.ways_in(ctx.facts, {})
    assert (way.title, way.ended_by, way.kept) == ("Service desk portal", ("connectwise.end_portal_login",), "")
    assert PORTAL.wave is Wave.LOCK_OUT
    assert await run(PORTAL, ctx) == [Done("Jane Doe reads as shut out of the portal")]
    assert desk.contact()["disablePortalLoginFlag"] is True
    assert desk.contact()["inactiveFlag"] is False
    [change] = desk.changes()
    assert change.body == [{"op": "replace", "path": "disablePortalLoginFlag", "value": True}]


async def test_a_portal_that_was_shut_before_is_no_way_in(desk: Desk) -> None:
    desk.contact()["disablePortalLoginFlag"] = True
    ctx = await desk.ready()
    assert CONNECTOR.ways_in(ctx.facts, {}) == ()
    assert not PORTAL.wanted({}, ctx.facts)
    assert isinstance(await PORTAL.look(ctx), Nothing)


async def test_a_record_that_does_not_say_counts_as_open(desk: Desk) -> None:
    del desk.contact()["disablePortalLoginFlag"]
    ctx = await desk.ready()
    assert PORTAL.wanted({}, ctx.facts)
    assert items(await PORTAL.look(ctx))


async def test_an_inactive_contact_whose_portal_is_open_still_has_a_way_in(desk: Desk) -> None:
    desk.contact(OLD_JANE)["inactiveFlag"] = True
    old = Account(system="microsoft365", id="c7", name="Jane Doe", mail="jane.old@contoso.example")
    ctx = await desk.ready(old)
    assert PORTAL.wanted({}, ctx.facts)
    assert not INACTIVE.wanted({}, ctx.facts)


async def test_where_part_of_the_access_stays_the_portal_stays_and_is_said_to(desk: Desk) -> None:
    partial = {"access": "partial"}
    ctx = await desk.ready(choices=partial)
    for step in CONNECTOR.steps:
        assert not step.wanted(partial, ctx.facts), step.id
    [way] = CONNECTOR.ways_in(ctx.facts, partial)
    assert way.kept == "part of the access stays"


# --- the contact


async def test_the_contact_is_made_inactive_and_put_back(desk: Desk) -> None:
    ctx = await desk.ready()
    [item] = items(await INACTIVE.look(ctx))
    assert item == Item(
        key=str(JANE), title="Jane Doe", before={"inactiveFlag": False, "disablePortalLoginFlag": False}
    )
    assert await run(INACTIVE, ctx) == [Done("Jane Doe reads as inactive, without portal")]
    assert await INACTIVE.look(ctx) == Nothing("Jane Doe reads as inactive, without portal")
    assert await INACTIVE.undo(ctx, item) == Done("Jane Doe is as before")
    assert desk.contact()["inactiveFlag"] is False
    assert desk.contact()["disablePortalLoginFlag"] is False


async def test_undoing_leaves_a_portal_shut_that_was_shut(desk: Desk) -> None:
    desk.contact()["disablePortalLoginFlag"] = True
    ctx = await desk.ready()
    [item] = items(await INACTIVE.look(ctx))
    await run(INACTIVE, ctx)
    await INACTIVE.undo(ctx, item)
    assert desk.contact()["disablePortalLoginFlag"] is True


def default_of_the_company(desk: Desk) -> None:
    desk.company()["defaultContact"] = {"id": JANE, "name": "Jane Doe"}


def default_by_flag(desk: Desk) -> None:
    desk.contact()["defaultFlag"] = True


def billing_of_the_company(desk: Desk) -> None:
    desk.company()["billingContact"] = {"id": JANE, "name": "Jane Doe"}


def billing_by_flag(desk: Desk) -> None:
    desk.contact()["defaultBillingFlag"] = True


def billing_of_an_agreement(desk: Desk) -> None:
    desk.provider.record("finance/agreements", MANAGED)["billToContact"] = {"id": JANE}


def contact_of_an_agreement(desk: Desk) -> None:
    desk.provider.record("finance/agreements", MANAGED)["contact"] = {"id": JANE}


@pytest.mark.parametrize(
    ("hang", "words"),
    [
        (default_of_the_company, "company's default contact"),
        (default_by_flag, "company's default contact"),
        (billing_of_the_company, "company's billing contact"),
        (billing_by_flag, "company's billing contact"),
        (billing_of_an_agreement, "billing contact of the agreement Managed services"),
        (contact_of_an_agreement, "contact of the agreement Managed services"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_what_others_hang_on_is_a_persons_task_even_if_it_came_after_the_plan(
    desk: Desk, hang: Callable[[Desk], None], words: str
) -> None:
    ctx = await desk.ready()
    hang(desk)
    told = task(await INACTIVE.look(ctx))
    assert words in told.reason
    assert "who takes that over" in told.instructions
    assert items(await PORTAL.look(ctx)), "the portal does not wait for it"
    assert desk.changes() == []


async def test_an_ended_agreement_hangs_on_nobody(desk: Desk) -> None:
    desk.provider.record("finance/agreements", 503)["contact"] = {"id": JANE}
    assert items(await INACTIVE.look(await desk.ready()))


# --- what goes wrong


@pytest.mark.parametrize("step", [PORTAL, INACTIVE], ids=lambda step: step.id)
async def test_a_success_without_effect_is_never_done(desk: Desk, step: AnyStep) -> None:
    ctx = await desk.ready()
    desk.provider.deaf = ("disablePortalLoginFlag",)
    [item] = items(await step.look(ctx))
    intent = Intent("key", desk.clock.now())
    await step.act(ctx, item, intent)
    assert isinstance(await step.confirm(ctx, item, intent, ""), Waiting)
    outcome = await until_settled(step, ctx, item, intent)
    assert isinstance(outcome, Failed), "so that a retry sends it again"
    assert "whatever ConnectWise answered" in outcome.reason


@pytest.mark.parametrize("step", [PORTAL, INACTIVE], ids=lambda step: step.id)
async def test_what_shows_late_is_waited_for(desk: Desk, step: AnyStep) -> None:
    ctx = await desk.ready()
    desk.provider.lag = 60
    [item] = items(await step.look(ctx))
    intent = Intent("key", desk.clock.now())
    await step.act(ctx, item, intent)
    assert isinstance(await step.confirm(ctx, item, intent, ""), Waiting)
    assert isinstance(await until_settled(step, ctx, item, intent), Done)
    assert len(desk.changes()) == 1


async def test_a_stale_field_of_the_contact_is_named(desk: Desk) -> None:
    ctx = await desk.ready()
    desk.provider.stale["company/contacts", JANE] = "userDefinedField3"
    with pytest.raises(Refused, match=r"userdefinedfield3.*open the record in ConnectWise"):
        await run(PORTAL, ctx)


async def test_a_time_out_after_the_change_is_seen_as_done_when_looked_at_again(desk: Desk) -> None:
    ctx = await desk.ready()
    desk.simulator.fail(Fault("error", status=500, effect=True, match="PATCH"))
    with pytest.raises(Unreachable):
        await run(PORTAL, ctx)
    assert await PORTAL.look(ctx) == Nothing("Jane Doe reads as shut out of the portal")


async def test_a_contact_that_is_gone_has_no_way_in(desk: Desk) -> None:
    ctx = await desk.ready()
    del desk.provider.collections["company/contacts"][JANE]
    assert await PORTAL.look(ctx) == Nothing("the contact is gone from ConnectWise")
    with pytest.raises(Refused, match="not found"):
        await PORTAL.undo(ctx, Item(key=str(JANE), title="Jane Doe"))


# --- devices


async def test_each_device_is_named_and_closing_is_read_back(desk: Desk) -> None:
    ctx = await desk.ready()
    told = task(await DEVICES.look(ctx))
    assert "LAPTOP-7 (Laptop, serial SN-7), #7001; DOCK-7 (Dock), #7002" in told.instructions
    assert "Old phone" not in told.instructions
    by_hand, intent = Item(key="by hand", title=DEVICES.title), Intent("key", desk.clock.now())
    desk.provider.record("company/configurations", LAPTOP)["contact"] = {"id": 1002}
    left = await DEVICES.confirm(ctx, by_hand, intent, "")
    assert left == Failed("still theirs in ConnectWise: DOCK-7 (Dock)")
    desk.provider.record("company/configurations", DOCK)["activeFlag"] = False
    assert await DEVICES.confirm(ctx, by_hand, intent, "") == Done("no active configuration has them as its contact")
    assert await DEVICES.look(ctx) == Nothing("no active configuration has them as its contact")


async def test_without_devices_there_is_no_task(desk: Desk) -> None:
    maria = Account(system="microsoft365", id="c2", name="Maria", mail="maria@contoso.example")
    assert not DEVICES.wanted({}, (await desk.ready(maria)).facts)
    assert DEVICES.wanted({}, (await desk.ready(JANE_DOE)).facts)
