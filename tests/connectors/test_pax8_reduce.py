"""The seat goes when it may, once, and never one that somebody needs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connectors.contract import (
    Done,
    Failed,
    Intent,
    Item,
    NotBefore,
    Nothing,
    Premature,
    Refused,
    Task,
    Throttled,
    Todo,
    Unreachable,
    Waiting,
)
from connectors.pax8.facts import Ctx
from connectors.pax8.simulated_company import E3, EXCHANGE, POWER_BI, PREMIUM
from connectors.simulated_faults import Fault
from tests.connectors.steps import items, task
from tests.connectors.test_pax8_world import SHRINK, STEP, Attempt, Distributor, distributor

__all__ = ["distributor"]


# --- when it may go


async def test_a_monthly_seat_goes_as_soon_as_it_is_free(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    (item,) = items(await STEP.look(ctx))
    assert item.title == "Power BI Pro: 20 → 19 seats"
    assert item.key == POWER_BI
    assert item.before == {"quantity": 20, "target": 19, "price": "14.0", "currency": "USD"}
    outcome = await Attempt(ctx).run()
    assert isinstance(outcome, Done)
    assert "19 seats, 20 before" in outcome.evidence
    assert distributor.simulator.changes_of(POWER_BI) == ["20 → 19 seats"]


async def test_nothing_but_the_number_of_seats_is_written(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    await Attempt(ctx).run()
    assert distributor.sent() == [{"quantity": 19}]
    assert [one.what for one in distributor.simulator.effects] == ["seats"]


async def test_a_seat_bought_three_days_ago_goes_now(distributor: Distributor) -> None:
    ctx = await distributor.plan(PREMIUM)
    distributor.microsoft.release()
    assert isinstance(await Attempt(ctx).run(), Done)
    assert distributor.quantity(PREMIUM) == 9


async def test_nine_months_of_commitment_are_waited_for_with_the_day(distributor: Distributor) -> None:
    ctx = await distributor.plan(E3)
    found = await STEP.look(ctx)
    end = distributor.simulator.subscriptions[E3].committed_until
    assert isinstance(found, NotBefore)
    assert end is not None
    assert found.at == end + timedelta(hours=1)
    assert found.reason == "committed until 24 Aug 2027; then Microsoft 365 E3: 12 → 11 seats"
    assert [item.title for item in found.items] == ["Microsoft 365 E3: 12 → 11 seats"]


async def test_on_that_day_it_goes_whether_or_not_it_was_renewed(distributor: Distributor) -> None:
    ctx = await distributor.plan(E3)
    distributor.microsoft.release()
    found = await STEP.look(ctx)
    assert isinstance(found, NotBefore)
    distributor.clock.time = found.at
    subscription = distributor.simulator.subscriptions[E3]
    assert subscription.committed_until is not None
    subscription.renew(datetime.fromisoformat("2028-08-24T17:00:00+00:00"), subscription.committed_until)
    assert isinstance(await Attempt(ctx).run(), Done)
    assert distributor.quantity(E3) == 11


async def test_a_renewal_that_was_missed_is_waited_for_once_more(distributor: Distributor) -> None:
    ctx = await distributor.plan(E3)
    distributor.microsoft.release()
    subscription = distributor.simulator.subscriptions[E3]
    assert subscription.committed_until is not None
    ended = subscription.committed_until
    subscription.renew(datetime.fromisoformat("2028-08-24T17:00:00+00:00"), ended)
    distributor.clock.time = ended + timedelta(hours=169)
    found = await STEP.look(ctx)
    assert isinstance(found, NotBefore)
    assert "24 Aug 2028" in found.reason


async def test_a_seat_added_yesterday_to_a_committed_subscription_may_go_and_no_second_one(
    distributor: Distributor,
) -> None:
    jane, omar = await distributor.plan(E3), await distributor.plan(E3, person="omar")
    yesterday = distributor.clock.now() - timedelta(days=1)
    distributor.simulator.subscriptions[E3].buy(yesterday, 1)
    distributor.microsoft.products["sku-e3"].bought = 13
    distributor.microsoft.release("jane")
    distributor.microsoft.release("omar")
    assert isinstance(await Attempt(jane).run(), Done)
    assert isinstance(await STEP.look(omar), NotBefore)
    assert distributor.quantity(E3) == 12


@pytest.mark.parametrize(("hours", "goes"), [(167, True), (169, False)])
async def test_the_window_is_168_hours(distributor: Distributor, hours: int, goes: bool) -> None:
    ctx = await distributor.plan(PREMIUM)
    distributor.microsoft.release()
    distributor.clock.time = distributor.simulator.subscriptions[PREMIUM].started + timedelta(hours=hours)
    found = await STEP.look(ctx)
    assert isinstance(found, Todo if goes else NotBefore)
    attempt = Attempt(ctx, Item(key=PREMIUM, title="", before={"quantity": 10, "target": 9}), _now(distributor))
    if goes:
        await attempt.act()
    else:
        with pytest.raises(Refused, match="commitment"):
            await attempt.act()
    assert distributor.quantity(PREMIUM) == (9 if goes else 10)


@pytest.mark.parametrize("flat", [False, True])
async def test_pax8s_own_no_names_the_commitment_and_what_to_do(distributor: Distributor, flat: bool) -> None:
    ctx = await distributor.plan(E3)
    distributor.microsoft.release()
    distributor.simulator.habits.flat_errors = flat
    attempt = Attempt(ctx, Item(key=E3, title="", before={"quantity": 12, "target": 11}), _now(distributor))
    with pytest.raises(Refused) as told:
        await attempt.act()
    assert "Quantity decrease is not allowed during the commitment term" in str(told.value)
    assert "24 Aug 2027" in told.value.fix
    assert distributor.quantity(E3) == 12


# --- whether anybody needs it


async def test_before_the_licence_is_released_it_waits_and_is_tried_again_by_itself(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    found = await STEP.look(ctx)
    assert isinstance(found, Premature)
    assert "20 → 19 seats once their licence is released" in found.reason
    assert set(STEP.unlocked_by) == {"microsoft365.release_licences", "microsoft365.leave_licence_groups"}
    assert set(STEP.after) == set(STEP.unlocked_by)


async def test_an_act_before_the_release_is_refused(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    attempt = Attempt(ctx, Item(key=POWER_BI, title="", before={"quantity": 20, "target": 19}), _now(distributor))
    with pytest.raises(Refused, match="no seat is free any more"):
        await attempt.act()
    assert distributor.sent() == []


async def test_a_seat_another_hire_needs_is_kept(distributor: Distributor) -> None:
    booked = [{"part_number": "POWER_BI_PRO", "seats": 1, "from": "2026-12-01", "note": "Jo, sales"}]
    api = await distributor.connect(booked=booked)
    ctx = await distributor.plan(POWER_BI, api=api)
    distributor.microsoft.release()
    found = await STEP.look(ctx)
    assert isinstance(found, Nothing)
    assert "1 seat for Jo, sales from 1 Dec 2026" in found.evidence


async def test_a_booking_counts_until_two_weeks_after_its_day(distributor: Distributor) -> None:
    booked = [{"part_number": "POWER_BI_PRO", "from": "2026-11-20"}]
    ctx = await distributor.plan(POWER_BI, api=await distributor.connect(booked=booked))
    distributor.microsoft.release()
    assert isinstance(await STEP.look(ctx), Nothing)
    distributor.clock.time = datetime.fromisoformat("2026-12-04T23:00:00+00:00")
    assert isinstance(await STEP.look(ctx), Nothing)
    distributor.clock.time = datetime.fromisoformat("2026-12-05T01:00:00+00:00")
    assert isinstance(await STEP.look(ctx), Todo)


async def test_spares_stay_free(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI, api=await distributor.connect(spares={"power_bi_pro": 1}))
    distributor.microsoft.release()
    found = await STEP.look(ctx)
    assert isinstance(found, Nothing)
    assert "1 seat always kept free" in found.evidence
    distributor.microsoft.products["sku-bi"].used = 18
    assert [item.before["target"] for item in items(await STEP.look(ctx))] == [19]


async def test_a_seat_that_somebody_got_meanwhile_is_not_taken(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    attempt = Attempt(ctx)
    distributor.microsoft.release()
    await attempt.mean()
    distributor.microsoft.products["sku-bi"].used = 20
    with pytest.raises(Refused, match="20 are used"):
        await attempt.act()
    assert distributor.sent() == []


async def test_while_microsoft_counts_late_it_is_asked_again(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release(counted=False)
    with pytest.raises(Unreachable, match=r"20 are used: it counts late, or somebody else has the seat .* skip"):
        await STEP.look(ctx)
    distributor.microsoft.products["sku-bi"].used = 19
    assert isinstance(await Attempt(ctx).run(), Done)


async def test_seats_bought_elsewhere_are_said_and_nothing_is_taken(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.products["sku-bi"] = replace(distributor.microsoft.products["sku-bi"], bought=30, used=26)
    distributor.microsoft.release()
    found = task(await STEP.look(ctx))
    assert found.reason.startswith("Pax8 shows 20 seats; Microsoft 30, of which 25 are used")
    assert "come from" in found.instructions


async def test_fewer_seats_at_microsoft_than_at_pax8_are_what_counts(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.products["sku-bi"] = replace(distributor.microsoft.products["sku-bi"], bought=19)
    distributor.microsoft.release()
    assert isinstance(await STEP.look(ctx), Task)


async def test_the_last_seat_is_a_persons_cancellation(distributor: Distributor) -> None:
    distributor.simulator.subscriptions[EXCHANGE].drop(distributor.clock.now() - timedelta(days=30), 5)
    distributor.microsoft.products["sku-exchange"] = replace(
        distributor.microsoft.products["sku-exchange"], bought=1, used=1
    )
    ctx = await distributor.plan(EXCHANGE)
    for released in (False, True):
        if released:
            distributor.microsoft.release()
        found = task(await STEP.look(ctx))
        assert "last seat" in found.reason
        assert "cancel it in Pax8, Contoso Ltd" in found.instructions
    distributor.simulator.subscriptions[EXCHANGE].status = "PendingCancel"
    assert isinstance(await STEP.look(ctx), Nothing)


# --- once, and only once


async def test_repeated_after_an_answer_that_never_came_it_takes_no_second_seat(distributor: Distributor) -> None:
    distributor.microsoft.products["sku-bi"].used = 15  # seats to spare: only what was meant holds it back
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    attempt = Attempt(ctx)
    distributor.simulator.fail(Fault("lost", match="PUT"))
    await attempt.mean()
    with pytest.raises(Unreachable):
        await attempt.act()
    await attempt.mean()
    await attempt.act()
    assert isinstance(await attempt.confirm(), Done)
    assert distributor.simulator.changes_of(POWER_BI) == ["20 → 19 seats"]
    assert len(distributor.sent()) == 1


async def test_after_a_crash_with_no_memory_of_ours_it_takes_no_second_seat(distributor: Distributor) -> None:
    distributor.microsoft.products["sku-bi"].used = 15
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    attempt = Attempt(ctx)
    await attempt.mean()
    await attempt.act()
    attempt.ctx, attempt.reference = replace(ctx, api=await distributor.connect()), ""
    await attempt.mean()
    await attempt.act()
    assert isinstance(await attempt.confirm(), Done)
    assert distributor.simulator.changes_of(POWER_BI) == ["20 → 19 seats"]


async def test_after_a_crash_before_it_was_sent_it_is_sent(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    attempt = Attempt(ctx)
    await attempt.mean()
    assert isinstance(await attempt.run(), Done)
    assert attempt.at is not None
    assert attempt.at.repeated
    assert distributor.simulator.changes_of(POWER_BI) == ["20 → 19 seats"]


async def test_looked_at_again_when_done_there_is_nothing(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    await Attempt(ctx).run()
    found = await STEP.look(ctx)
    assert isinstance(found, Nothing)
    assert found.evidence == "already 19 seats, 20 when the plan was made; 19 are used"


async def test_given_back_by_hand_there_is_nothing(distributor: Distributor) -> None:
    ctx = await distributor.plan(E3)
    distributor.microsoft.release()
    distributor.simulator.subscriptions[E3].drop(distributor.clock.now(), 1)
    distributor.microsoft.products["sku-e3"].bought = 11
    assert isinstance(await STEP.look(ctx), Nothing)


async def test_fewer_seats_and_some_still_free_is_for_a_person(distributor: Distributor) -> None:
    """Somebody may have given back this one or another: taking one more is nobody's decision but a person's."""
    distributor.microsoft.products["sku-bi"].used = 15
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    distributor.simulator.subscriptions[POWER_BI].drop(distributor.clock.now(), 1)
    attempt = Attempt(ctx)
    await attempt.mean()
    with pytest.raises(Refused, match="this one may be gone already, although 5 are still free"):
        await attempt.act()
    assert distributor.sent() == []
    assert isinstance(await attempt.confirm(), Done), "the person says it is gone, and it reads so"


async def test_changed_between_the_look_and_the_act_nothing_is_sent(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    attempt = Attempt(ctx)
    await attempt.mean()
    distributor.simulator.subscriptions[POWER_BI].buy(distributor.clock.now(), 3)
    with pytest.raises(Refused, match="20 seats when it was looked at, 23 now"):
        await attempt.act()
    assert distributor.sent() == []


async def test_given_back_by_hand_between_the_look_and_the_act_nothing_is_sent(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    attempt = Attempt(ctx)
    await attempt.mean()
    distributor.simulator.subscriptions[POWER_BI].drop(distributor.clock.now(), 1)
    await attempt.act()
    assert distributor.sent() == []
    assert isinstance(await attempt.confirm(), Done)


# --- two leavers


async def two(distributor: Distributor) -> tuple[Ctx, Ctx]:
    """Both plans made while all seats were used, both licences released."""
    api = await distributor.connect()
    jane = await distributor.plan(POWER_BI, api=api)
    omar = await distributor.plan(POWER_BI, api=api, person="omar")
    distributor.microsoft.release("jane")
    distributor.microsoft.release("omar")
    return jane, omar


async def test_two_leavers_of_one_week_free_two_seats(distributor: Distributor) -> None:
    for ctx in await two(distributor):
        assert isinstance(await Attempt(ctx).run(), Done)
    assert distributor.simulator.changes_of(POWER_BI) == ["20 → 19 seats", "19 → 18 seats"]


async def test_two_leavers_with_a_restart_between_free_two_seats(distributor: Distributor) -> None:
    jane, omar = await two(distributor)
    assert isinstance(await Attempt(jane).run(), Done)
    assert isinstance(await Attempt(replace(omar, api=await distributor.connect())).run(), Done)
    assert distributor.quantity(POWER_BI) == 18


async def test_two_leavers_looked_at_in_the_same_second_free_two_seats(distributor: Distributor) -> None:
    jane, omar = map(Attempt, await two(distributor))
    assert [(await one.mean()).before["target"] for one in (jane, omar)] == [19, 19]
    await asyncio.gather(jane.act(), omar.act())
    assert isinstance(await jane.confirm(), Done)
    assert isinstance(await omar.confirm(), Done)
    assert distributor.simulator.changes_of(POWER_BI) == ["20 → 19 seats", "19 → 18 seats"]


@pytest.mark.parametrize("reached", ["jane", "omar", "both", "neither"])
async def test_two_leavers_meant_at_once_and_a_kill_lose_no_seat_and_call_none_gone_that_is_not(
    distributor: Distributor, reached: str
) -> None:
    jane, omar = map(Attempt, await two(distributor))
    await jane.mean()
    await omar.mean()
    if reached in {"jane", "both"}:
        await jane.act()
    if reached in {"omar", "both"}:
        await omar.act()
    done = 0
    for one in (jane, omar):
        one.ctx = replace(one.ctx, api=await distributor.connect())
        found = await one.look()
        try:
            if not isinstance(found, Nothing):
                await one.mean(shared=True)
                await one.act()
            done += isinstance(await one.confirm(), Done)
        except Refused:
            pass  # a person counts
    assert distributor.quantity(POWER_BI) >= 18
    assert done <= 20 - distributor.quantity(POWER_BI)


async def test_two_leavers_and_a_quantity_that_lags_free_two_seats(distributor: Distributor) -> None:
    distributor.simulator.habits.lag = 600
    jane, omar = map(Attempt, await two(distributor))
    await jane.mean()
    await omar.mean()
    await jane.act()
    with pytest.raises(Unreachable, match="does not show yet"):
        await omar.act()
    found = await omar.look()
    assert isinstance(found, NotBefore)
    assert found.at - distributor.clock.now() == timedelta(minutes=5)
    distributor.clock.pass_by(601)
    await omar.mean()
    await omar.act()
    distributor.clock.pass_by(601)
    assert isinstance(await omar.confirm(), Done)
    assert distributor.quantity(POWER_BI) == 18


async def test_two_leavers_of_whom_one_never_reached_pax8_free_two_seats(distributor: Distributor) -> None:
    jane, omar = map(Attempt, await two(distributor))
    await jane.mean()
    await omar.mean()
    await omar.act()
    distributor.simulator.fail(Fault("throttle", match="PUT", retry_after="10"))
    with pytest.raises(Throttled):
        await jane.act()
    distributor.clock.pass_by(11)
    await jane.mean()
    await jane.act()
    assert isinstance(await jane.confirm(), Done)
    assert distributor.quantity(POWER_BI) == 18


async def test_what_was_meant_anew_and_failed_is_sent_again(distributor: Distributor) -> None:
    jane, omar = map(Attempt, await two(distributor))
    await jane.mean()
    await omar.mean()
    await omar.act()
    distributor.simulator.fail(Fault("error", match="PUT", status=500))
    with pytest.raises(Unreachable):
        await jane.act()
    await jane.mean()
    await jane.act()
    assert isinstance(await jane.confirm(), Done)
    assert distributor.quantity(POWER_BI) == 18
    assert distributor.sent() == [{"quantity": 19}, {"quantity": 18}, {"quantity": 18}]


async def test_more_seats_than_before_are_no_late_reading(distributor: Distributor) -> None:
    jane, omar = await two(distributor)
    await Attempt(jane).run()
    distributor.simulator.subscriptions[POWER_BI].buy(distributor.clock.now(), 5)
    distributor.microsoft.products["sku-bi"].bought = 24
    assert isinstance(await Attempt(omar).run(), Done)
    assert distributor.simulator.changes_of(POWER_BI) == ["20 → 19 seats", "24 → 23 seats"]


async def test_many_leavers_waiting_for_one_renewal_free_a_seat_each_in_any_order(distributor: Distributor) -> None:
    waiting: list[Ctx] = []
    for person in ("ann", "ben", "cleo"):
        waiting.append(await distributor.plan(E3, person=person))
        distributor.microsoft.release(person)
        distributor.clock.pass_by(86400)
    subscription = distributor.simulator.subscriptions[E3]
    assert subscription.committed_until is not None
    subscription.renew(datetime.fromisoformat("2028-08-24T17:00:00+00:00"), subscription.committed_until)
    distributor.clock.time = subscription.lots[0][0] + timedelta(hours=1)
    for ctx in waiting:
        afresh = replace(ctx, api=await distributor.connect())
        assert isinstance(await Attempt(afresh).run(), Done)
    assert distributor.quantity(E3) == 9


async def test_seats_given_back_by_hand_at_the_renewal_are_not_given_back_twice(distributor: Distributor) -> None:
    ctx = await distributor.plan(E3)
    distributor.microsoft.release()
    subscription = distributor.simulator.subscriptions[E3]
    assert subscription.committed_until is not None
    distributor.clock.time = subscription.committed_until + timedelta(hours=1)
    subscription.drop(distributor.clock.now(), 1)
    distributor.microsoft.products["sku-e3"].bought = 11
    assert isinstance(await STEP.look(ctx), Nothing)


# --- what Pax8 is busy with


async def test_a_change_that_is_still_pending_is_waited_for(distributor: Distributor) -> None:
    distributor.simulator.habits.provisioning = 240
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    attempt = Attempt(ctx)
    outcome = await attempt.run()
    assert isinstance(outcome, Waiting)
    assert "PendingAutomated" in outcome.reason
    distributor.clock.pass_by(241)
    assert isinstance(await attempt.confirm(), Done)


async def test_a_quantity_that_shows_late_is_waited_for_within_the_lag(distributor: Distributor) -> None:
    distributor.simulator.habits.lag = 900
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    attempt = Attempt(ctx)
    outcome, begun = await attempt.run(), distributor.clock.now()
    while isinstance(outcome, Waiting):
        await distributor.clock.sleep(outcome.seconds)
        outcome = await attempt.confirm()
    assert isinstance(outcome, Done)
    assert timedelta(minutes=15) <= distributor.clock.now() - begun < STEP.lag
    assert len(distributor.sent()) == 1


async def test_bought_again_meanwhile_is_a_failure_that_says_so(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    attempt = Attempt(ctx)
    await attempt.mean()
    await attempt.act()
    distributor.simulator.subscriptions[POWER_BI].buy(distributor.clock.now(), 5)
    outcome = await attempt.confirm()
    assert isinstance(outcome, Failed)
    assert "24 seats" in outcome.reason


@pytest.mark.parametrize(("status", "minutes"), [("PendingAutomated", 15), ("PendingManual", 120)])
async def test_an_earlier_order_is_waited_for_and_after_a_day_a_person_asks(
    distributor: Distributor, status: str, minutes: int
) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    subscription = distributor.simulator.subscriptions[POWER_BI]
    subscription.status, subscription.updated = status, distributor.clock.now()
    found = await STEP.look(ctx)
    assert isinstance(found, NotBefore)
    assert found.at - distributor.clock.now() == timedelta(minutes=minutes)
    distributor.clock.pass_by(86401)
    assert status in task(await STEP.look(ctx)).reason


@pytest.mark.parametrize("status", ["WaitingForDetails", "PendingActivation"])
async def test_what_waits_for_somebody_is_a_task(distributor: Distributor, status: str) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.simulator.subscriptions[POWER_BI].status = status
    assert status in task(await STEP.look(ctx)).reason


@pytest.mark.parametrize("status", ["Cancelled", "PendingCancel"])
async def test_a_subscription_that_ends_as_a_whole_needs_nothing(distributor: Distributor, status: str) -> None:
    ctx = await distributor.plan(POWER_BI)
    subscription = distributor.simulator.subscriptions[POWER_BI]
    subscription.status, subscription.ends = status, datetime.fromisoformat("2026-12-31T00:00:00+00:00")
    found = await STEP.look(ctx)
    assert isinstance(found, Nothing)
    assert "31 Dec 2026" in found.evidence


async def test_a_subscription_that_has_not_begun_takes_no_change(distributor: Distributor) -> None:
    begins = distributor.clock.now() + timedelta(days=5)
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    distributor.simulator.subscriptions[POWER_BI].started = begins
    found = await STEP.look(ctx)
    assert isinstance(found, NotBefore)
    assert found.at == begins + timedelta(hours=1)


# --- what goes wrong on the way


@pytest.mark.parametrize("kind", ["lost", "hang", "malformed", "html", "drop"])
async def test_whatever_becomes_of_the_answer_one_seat_goes(distributor: Distributor, kind: str) -> None:
    api = await distributor.connect(patience=0.2)
    ctx = await distributor.plan(POWER_BI, api=api)
    distributor.microsoft.release()
    attempt = Attempt(ctx)
    distributor.simulator.fail(Fault(kind, match="PUT", seconds=0.5))
    await attempt.mean()
    with pytest.raises(Unreachable):
        await attempt.act()
    if isinstance(await attempt.look(), Todo):
        await attempt.mean()
        await attempt.act()
    assert isinstance(await attempt.confirm(), Done)
    assert distributor.simulator.changes_of(POWER_BI) == ["20 → 19 seats"]


@pytest.mark.parametrize("kind", ["throttle", "unavailable"])
async def test_told_to_wait_it_waits_and_nothing_has_happened(distributor: Distributor, kind: str) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    attempt = Attempt(ctx)
    distributor.simulator.fail(Fault(kind, match="PUT", retry_after="30"))
    await attempt.mean()
    with pytest.raises(Throttled) as told:
        await attempt.act()
    assert told.value.retry_after == 30
    assert distributor.quantity(POWER_BI) == 20
    distributor.clock.pass_by(31)
    assert isinstance(await attempt.run(), Done)
    assert distributor.quantity(POWER_BI) == 19


async def test_a_right_to_read_alone_names_the_fix(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    distributor.simulator.habits.may_write = False
    with pytest.raises(Refused, match=r"insufficient permissions.*let our credentials change subscriptions"):
        await Attempt(ctx).run()


# --- when it is not for the bot


async def test_it_is_wanted_only_when_the_seat_is_to_go(distributor: Distributor) -> None:
    facts = (await distributor.plan(POWER_BI)).facts
    assert STEP.wanted(SHRINK, facts)
    for licences in ("reassign", "keep", "later"):
        assert not STEP.wanted({**SHRINK, "licences": licences}, facts)
    for seat in ("keep", "later"):
        assert not STEP.wanted({**SHRINK, "licences.seat": seat}, facts)
    assert not STEP.wanted({"licences": "release"}, facts)
    assert not STEP.wanted({}, facts)


async def test_one_product_bought_twice_is_a_task_that_names_both(distributor: Distributor) -> None:
    distributor.holds("sku-visio")
    facts = await distributor.facts()
    (name,) = STEP.subjects(SHRINK, facts)
    ctx = replace(await distributor.plan(POWER_BI), facts=facts, subject=name)
    found = task(await STEP.look(ctx))
    assert "Visio Plan 2, 5 seats, monthly, committed until 24 Aug 2027 (" in found.reason
    assert "Visio Plan 2, 3 seats, monthly (" in found.reason
    assert "VISIOCLIENT" in found.instructions


async def test_a_task_done_by_hand_is_read_back_on_all_it_could_be(distributor: Distributor) -> None:
    distributor.holds("sku-visio")
    facts = await distributor.facts()
    ctx = replace(await distributor.plan(POWER_BI), facts=facts, subject=facts.seats[0].name)
    by_hand = Item(key="by hand", title="Pay for one seat less")
    assert isinstance(await STEP.confirm(ctx, by_hand, _now(distributor), ""), Failed)
    monthly = facts.seats[0].candidates[1]
    distributor.simulator.subscriptions[monthly].drop(distributor.clock.now(), 1)
    outcome = await STEP.confirm(ctx, by_hand, _now(distributor), "")
    assert isinstance(outcome, Done)
    assert "2 seats" in outcome.evidence


async def test_a_seat_given_back_is_not_bought_again_by_undo(distributor: Distributor) -> None:
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    attempt = Attempt(ctx)
    await attempt.run()
    assert attempt.meant is not None
    assert await STEP.undo(ctx, attempt.meant) is None
    assert distributor.quantity(POWER_BI) == 19
    assert STEP.irreversible


def _now(distributor: Distributor) -> Intent:
    return Intent("key", distributor.clock.now())
