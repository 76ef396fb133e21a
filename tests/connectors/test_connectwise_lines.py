"""Money: the invoice's line falls by one leaver, never below a seat, a minimum, or what somebody else still needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import cast

import pytest

from connectors.connectwise import CONNECTOR
from connectors.connectwise.agreements import Addition
from connectors.connectwise.facts import Ctx
from connectors.connectwise.lines import ReduceLines
from connectors.connectwise.simulated_records import CLOUD, E3_LINE, POWER_BI_LINE, USERS_LINE
from connectors.connectwise.simulator import Fault
from connectors.contract import (
    Accepted,
    Done,
    Failed,
    Intent,
    Item,
    Json,
    NotBefore,
    Nothing,
    Premature,
    Refused,
    Throttled,
    Todo,
    Unreachable,
    Waiting,
    Wave,
)
from connectors.money import Payer, Saving
from tests.connectors.steps import items, run, task
from tests.connectors.test_connectwise_world import NEWCOMER, SHRINK, USERS, Desk, desk_of, until_settled

LINES = ReduceLines()
E3_PART = "SPE_E3"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_of() as desk:
        yield desk


async def users(desk: Desk, **more: object) -> Ctx:
    return await desk.ready(subject="MS-USER", changed={"lines": [{**USERS, **more}]})


async def licences(desk: Desk, seat: int | None = 11, **more: str) -> Ctx:
    if seat is not None:
        desk.seat(seat, **more)
    return await desk.ready(subject="M365-E3")


def by_hand(desk: Desk) -> tuple[Item, Intent]:
    return Item(key="by hand", title=LINES.title), Intent("key", desk.clock.now())


# --- which lines


async def test_a_leaver_is_counted_in_the_users_and_in_the_licences_they_hold(desk: Desk) -> None:
    desk.seat(12)
    facts = (await desk.ready()).facts
    assert LINES.subjects(SHRINK, facts) == ("MS-USER", "M365-E3")
    assert LINES.wanted(SHRINK, facts)
    assert (LINES.wave, LINES.money) == (Wave.BILLING, True)


async def test_a_leaver_without_a_contact_still_has_their_lines(desk: Desk) -> None:
    desk.seat(12)
    facts = (await desk.ready(NEWCOMER)).facts
    assert LINES.subjects(SHRINK, facts) == ("MS-USER", "M365-E3")


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({}, ("MS-USER",)),
        ({"access": "partial", "licences": "release", "licences.seat": "shrink"}, ()),
        ({"access": "everything", "licences": "keep"}, ("MS-USER",)),
        ({"access": "everything", "licences": "later"}, ("MS-USER",)),
        ({"access": "everything", "licences": "reassign", "licences.seat": "shrink"}, ("MS-USER",)),
        ({"access": "everything", "licences": "release", "licences.seat": "keep"}, ("MS-USER",)),
        ({"access": "everything", "licences": "release"}, ("MS-USER",)),
        ({"access": "everything", "licences": "release", "licences.seat": "shrink"}, ("MS-USER", "M365-E3")),
    ],
)
async def test_the_answers_decide(desk: Desk, choices: Mapping[str, str], expected: tuple[str, ...]) -> None:
    desk.seat(12)
    assert LINES.subjects(choices, (await desk.ready()).facts) == expected


async def test_where_nobody_sells_seats_the_released_licence_is_a_persons_task(desk: Desk) -> None:
    ctx = await desk.ready(choices={"licences": "release"}, subject="M365-E3")
    assert LINES.subjects(ctx.choices, ctx.facts) == ("MS-USER", "M365-E3")
    told = task(await LINES.look(ctx))
    assert "how many seats are still bought can't be read" in told.reason
    assert "reduce 'M365-E3' by one" in told.instructions
    assert "Never below the seats" in told.instructions


async def test_a_registry_without_a_distributor_is_the_same(desk: Desk) -> None:
    async def read(name: str) -> Json:
        raise LookupError(name)

    ctx = replace(await desk.ready(subject="M365-E3"), read=read)
    assert "no distributor is connected" in task(await LINES.look(ctx)).reason


async def test_where_nobody_knows_what_they_hold_every_licence_line_is_looked_at(desk: Desk) -> None:
    desk.seat(12)
    facts = (await desk.ready()).facts.model_copy(update={"held": None})
    assert LINES.subjects(SHRINK, facts) == ("MS-USER", "M365-E3", "PBI-PRO")


# --- users


async def test_the_managed_users_fall_by_one_before_the_next_invoice(desk: Desk) -> None:
    ctx = await users(desk)
    [item] = items(await LINES.look(ctx))
    assert item.title == (
        "Managed user: 40 → 39, 65.5 GBP less an invoice, from the invoice of 1 Dec 2026 of Managed services"
    )
    assert item.before == {"agreement": 501, "quantity": 40, "target": 39}
    assert await run(LINES, ctx) == [
        Done("Managed user reads 39, it was 40; 65.5 GBP less from the invoice of 1 Dec 2026 of Managed services")
    ]
    [change] = desk.changes()
    assert change.body == [{"op": "replace", "path": "quantity", "value": 39}]
    assert desk.line(USERS_LINE)["quantity"] == 39


@pytest.mark.parametrize(("minimum", "stays"), [(39, False), (40, True), (41, True)])
async def test_a_contracts_minimum_is_kept(desk: Desk, minimum: int, stays: bool) -> None:
    ctx = await users(desk, minimum=minimum)
    found = await LINES.look(ctx)
    if stays:
        assert found == Nothing(f"Managed user stays at 40: the contract's minimum is {minimum}")
        assert CONNECTOR.savings(ctx.facts, SHRINK) == ()
    else:
        assert items(found)


async def test_there_is_nothing_below_none(desk: Desk) -> None:
    desk.line(USERS_LINE)["quantity"] = 0.0
    assert await LINES.look(await users(desk)) == Nothing("Managed user stays at 0: there is none to take")


@pytest.mark.parametrize(("included", "less"), [(0, "65.5 GBP less"), (39, "65.5 GBP less"), (40, "nothing less")])
async def test_what_the_agreement_includes_is_no_saving(desk: Desk, included: int, less: str) -> None:
    desk.line(USERS_LINE)["lessIncluded"] = float(included)
    ctx = await users(desk)
    [item] = items(await LINES.look(ctx))
    assert less in item.title
    assert bool(CONNECTOR.savings(ctx.facts, SHRINK)) is (included < 40)


@pytest.mark.parametrize("billed", ["DoNotBill", "NoCharge"])
async def test_a_line_nobody_pays_saves_nothing_and_is_counted_right_all_the_same(desk: Desk, billed: str) -> None:
    desk.line(USERS_LINE)["billCustomer"] = billed
    ctx = await users(desk)
    assert "nothing less to pay" in items(await LINES.look(ctx))[0].title
    assert CONNECTOR.savings(ctx.facts, SHRINK) == ()


async def test_a_new_hire_since_the_plan_is_kept_on_the_invoice(desk: Desk) -> None:
    ctx = await users(desk)
    desk.line(USERS_LINE)["quantity"] = 41.0
    await run(LINES, ctx)
    assert desk.line(USERS_LINE)["quantity"] == 40


async def test_a_line_that_fell_since_the_plan_is_not_taken_down_twice(desk: Desk) -> None:
    """Another case, or somebody's hand: nothing can tell for whom, so a person does."""
    ctx = await users(desk)
    desk.line(USERS_LINE)["quantity"] = 39.0
    told = task(await LINES.look(ctx))
    assert told.reason == "Managed user reads 39 already, and 40 when the plan was made"
    item, intent = by_hand(desk)
    assert isinstance(await LINES.confirm(ctx, item, intent, ""), Done)
    assert desk.changes() == []


async def test_a_fraction_is_a_persons_task(desk: Desk) -> None:
    desk.line(USERS_LINE)["quantity"] = 12.5
    assert "12.5, which is no whole number" in task(await LINES.look(await users(desk))).reason


async def test_a_line_that_is_there_twice_is_named_and_left(desk: Desk) -> None:
    twin = dict(desk.line(USERS_LINE)) | {"id": 9020, "quantity": 3.0, "description": "Managed user, Leeds"}
    desk.provider.collections["finance/agreements/501/additions"][9020] = twin
    told = task(await LINES.look(await users(desk)))
    assert "Managed user, 40 in Managed services from 1 Jan 2026; Managed user, Leeds, 3 in" in told.reason


async def test_naming_the_agreement_tells_twins_apart(desk: Desk) -> None:
    twin = dict(desk.line(USERS_LINE)) | {"id": 9020, "quantity": 3.0}
    desk.provider.collections[f"finance/agreements/{CLOUD}/additions"][9020] = twin
    for agreement, quantity in (("cloud subscriptions", 3), ("501", 40)):
        ctx = await users(desk, agreement=agreement)
        assert items(await LINES.look(ctx))[0].before["quantity"] == quantity


async def test_a_line_that_is_nowhere_is_told_and_not_taken_for_done(desk: Desk) -> None:
    ctx = await desk.ready(subject="TYPO", changed={"lines": [{"product": "TYPO", "kind": "user"}]})
    assert task(await LINES.look(ctx)).reason == "no active agreement of Contoso Ltd has an addition 'TYPO'"


# --- licences


async def test_a_licence_falls_to_the_seat_that_was_given_up(desk: Desk) -> None:
    ctx = await licences(desk, seat=11)
    assert await run(LINES, ctx) == [
        Done(
            "Microsoft 365 E3 reads 11, it was 12; 36.9 GBP less from the invoice of 1 Dec 2026 of Cloud subscriptions"
        )
    ]
    assert desk.line(E3_LINE)["quantity"] == 11


async def test_a_licence_never_falls_below_its_seat(desk: Desk) -> None:
    ctx = await licences(desk, seat=12)
    found = await LINES.look(ctx)
    assert isinstance(found, Premature)
    assert found.reason == "Microsoft 365 E3: 12 → 11 only once its seat is gone: 12 are bought"
    assert LINES.unlocked_by == ("pax8.reduce_seats",)
    assert "pax8.reduce_seats" in LINES.after


@pytest.mark.parametrize(
    ("until", "at"),
    [
        ("2027-08-03", datetime(2027, 8, 4, tzinfo=UTC)),
        ("2027-08-03T10:30:00+00:00", datetime(2027, 8, 3, 10, 30, tzinfo=UTC)),
        ("2027-08-03T10:30:00", datetime(2027, 8, 3, 10, 30, tzinfo=UTC)),
    ],
)
async def test_a_commitment_dates_the_line_too(desk: Desk, until: str, at: datetime) -> None:
    found = await LINES.look(await licences(desk, seat=12, until=until))
    assert isinstance(found, NotBefore)
    assert found.at == at
    assert "committed until" in found.reason
    [item] = found.items
    assert item.before["target"] == 11


@pytest.mark.parametrize("until", ["2026-01-01", "one day", ""])
async def test_a_commitment_that_is_over_or_no_date_dates_nothing(desk: Desk, until: str) -> None:
    assert isinstance(await LINES.look(await licences(desk, seat=12, until=until)), Premature)


async def test_two_leavers_of_one_week_take_one_line_each(desk: Desk) -> None:
    """Both plans were made at 12; both seats are given up."""
    first, second = await licences(desk, seat=12), await licences(desk, seat=12)
    desk.seat(10)
    await run(LINES, first)
    assert desk.line(E3_LINE)["quantity"] == 11
    await run(LINES, second)
    assert desk.line(E3_LINE)["quantity"] == 10


async def test_the_second_of_two_leavers_waits_for_the_second_seat(desk: Desk) -> None:
    first, second = await licences(desk, seat=12), await licences(desk, seat=12)
    desk.seat(11)
    await run(LINES, first)
    assert "11 already, and 12 when the plan was made" in task(await LINES.look(second)).reason
    assert desk.line(E3_LINE)["quantity"] == 11


async def test_a_line_below_its_seats_is_never_raised_and_is_told(desk: Desk) -> None:
    ctx = await licences(desk, seat=14)
    assert task(await LINES.look(ctx)).reason == (
        "Microsoft 365 E3 is 12 on the invoice, and 14 are bought: somebody bills too few"
    )


async def test_a_seat_that_came_back_between_looking_and_acting_keeps_its_line(desk: Desk) -> None:
    ctx = await licences(desk, seat=11)
    [item] = items(await LINES.look(ctx))
    desk.seat(12)
    with pytest.raises(Refused, match="would fall to 11, and 12 seats of it are bought"):
        await LINES.act(ctx, item, Intent("key", desk.clock.now()))
    assert desk.line(E3_LINE)["quantity"] == 12.0


@pytest.mark.parametrize("seats", [{}, {E3_PART: "twelve"}, {E3_PART: {"quantity": "?"}}, {E3_PART: {}}])
async def test_a_distributor_that_shows_no_seat_lets_nothing_fall(desk: Desk, seats: Json) -> None:
    ctx = await licences(desk, seat=11)
    [item] = items(await LINES.look(ctx))
    desk.seats = cast("dict[str, Json]", seats)
    assert "shows no seats of SPE_E3" in task(await LINES.look(ctx)).reason
    with pytest.raises(Refused, match="no seats of it are shown"):
        await LINES.act(ctx, item, Intent("key", desk.clock.now()))
    assert desk.changes() == []


async def test_a_distributor_that_is_down_is_a_surprise_and_asked_again(desk: Desk) -> None:
    async def read(name: str) -> Json:
        raise Throttled("pax8", name, 5)

    ctx = replace(await licences(desk, seat=11), read=read)
    with pytest.raises(Throttled):
        await LINES.look(ctx)
    facts = await CONNECTOR.complete(ctx.api, ctx.facts, read)
    assert facts.distributor is True
    assert facts.held is None


@pytest.mark.parametrize(("quantity", "target", "falls"), [(12, 11, False), (11, 12, False), (11, 11, True)])
async def test_a_seat_given_up_or_bought_a_moment_ago_counts_by_the_larger_number(
    desk: Desk, quantity: int, target: int, falls: bool
) -> None:
    ctx = await licences(desk, seat=11)
    desk.seats = {E3_PART: {"quantity": quantity, "target": target, "product": "E3", "subscription": "s"}}
    assert isinstance(await LINES.look(ctx), Todo if falls else Premature)


async def test_seats_as_text_are_counted_too(desk: Desk) -> None:
    ctx = await licences(desk, seat=11)
    desk.seats = {E3_PART: {"quantity": "11"}}
    assert items(await LINES.look(ctx))[0].before["target"] == 11


# --- never twice, never falsely done


async def test_a_time_out_after_the_change_takes_no_second_one(desk: Desk) -> None:
    ctx = await users(desk)
    [item] = items(await LINES.look(ctx))
    intent = Intent("key", desk.clock.now())
    desk.simulator.fail(Fault("error", status=500, effect=True, match="PATCH"))
    with pytest.raises(Unreachable):
        await LINES.act(ctx, item, intent)
    again = Intent("key", intent.at, repeated=True)
    assert await LINES.act(ctx, item, again) == Accepted("40>39")
    assert isinstance(await LINES.confirm(ctx, item, again, ""), Done)
    assert desk.line(USERS_LINE)["quantity"] == 39
    assert len(desk.changes()) == 1


async def test_somebody_who_changed_it_meanwhile_is_not_overruled(desk: Desk) -> None:
    ctx = await users(desk)
    [item] = items(await LINES.look(ctx))
    desk.line(USERS_LINE)["quantity"] = 45.0
    with pytest.raises(Refused, match="was to go from 40 to 39, and reads 45 now"):
        await LINES.act(ctx, item, Intent("key", desk.clock.now()))
    assert desk.changes() == []


async def test_a_success_without_effect_is_never_done_and_can_be_sent_again(desk: Desk) -> None:
    ctx = await users(desk)
    desk.provider.deaf = ("quantity",)
    [item] = items(await LINES.look(ctx))
    intent = Intent("key", desk.clock.now())
    await LINES.act(ctx, item, intent)
    assert isinstance(await LINES.confirm(ctx, item, intent, ""), Waiting)
    assert await until_settled(LINES, ctx, item, intent) == Failed(
        "ConnectWise said yes, and Managed user still reads 40"
    )
    desk.provider.deaf = ()
    await LINES.act(ctx, item, Intent("key", intent.at, repeated=True))
    assert isinstance(await LINES.confirm(ctx, item, intent, ""), Done)


async def test_what_shows_late_is_waited_for(desk: Desk) -> None:
    ctx = await users(desk)
    desk.provider.lag = 90
    [item] = items(await LINES.look(ctx))
    intent = Intent("key", desk.clock.now())
    await LINES.act(ctx, item, intent)
    assert isinstance(await until_settled(LINES, ctx, item, intent), Done)
    assert len(desk.changes()) == 1


async def test_a_third_number_is_a_failure_that_says_so(desk: Desk) -> None:
    ctx = await users(desk)
    [item] = items(await LINES.look(ctx))
    intent = Intent("key", desk.clock.now())
    await LINES.act(ctx, item, intent)
    desk.line(USERS_LINE)["quantity"] = 33.0
    outcome = await LINES.confirm(ctx, item, intent, "")
    assert outcome == Failed("Managed user reads 33, neither 40 nor 39: somebody changed it")


async def test_a_stale_field_of_the_line_is_named_with_the_fix(desk: Desk) -> None:
    ctx = await users(desk)
    desk.provider.stale["finance/agreements/501/additions", USERS_LINE] = "billCustomer"
    with pytest.raises(Refused, match=r"billcustomer.*open the record in ConnectWise"):
        await run(LINES, ctx)
    assert desk.line(USERS_LINE)["quantity"] == 40.0


async def test_a_line_that_is_gone_is_told(desk: Desk) -> None:
    ctx = await users(desk)
    [item] = items(await LINES.look(ctx))
    del desk.provider.collections["finance/agreements/501/additions"][USERS_LINE]
    with pytest.raises(Refused, match="is gone"):
        await LINES.act(ctx, item, Intent("key", desk.clock.now()))


async def test_undoing_sets_back_what_we_changed_and_nothing_else(desk: Desk) -> None:
    ctx = await users(desk)
    [item] = items(await LINES.look(ctx))
    await run(LINES, ctx)
    assert await LINES.undo(ctx, item) == Done("Managed user reads 40 again")
    assert await LINES.undo(ctx, item) == Done("Managed user reads 40 again")
    assert len(desk.changes()) == 2
    desk.line(USERS_LINE)["quantity"] = 33.0
    assert isinstance(await LINES.undo(ctx, item), Failed)
    assert desk.line(USERS_LINE)["quantity"] == 33.0


@pytest.mark.parametrize(("now", "outcome"), [(39.0, Done), (40.0, Failed)])
async def test_what_a_person_says_they_did_is_read_back(desk: Desk, now: float, outcome: type) -> None:
    ctx = await users(desk)
    desk.line(USERS_LINE)["quantity"] = now
    item, intent = by_hand(desk)
    assert isinstance(await LINES.confirm(ctx, item, intent, ""), outcome)


# --- what is saved


async def test_the_saving_is_the_clients_and_names_the_invoice(desk: Desk) -> None:
    desk.seat(12)
    facts = (await desk.ready()).facts
    assert CONNECTOR.savings(facts, SHRINK) == (
        Saving(
            title="On the invoice: Managed user, 1 fewer",
            payer=Payer.CLIENT,
            monthly=Decimal("65.50"),
            currency="GBP",
            starts=date(2026, 12, 1),
        ),
        Saving(
            title="On the invoice: Microsoft 365 E3, 1 fewer",
            payer=Payer.CLIENT,
            part_number="SPE_E3",
            monthly=Decimal("36.90"),
            currency="GBP",
            starts=date(2026, 12, 1),
        ),
    )
    assert CONNECTOR.savings(facts, {}) == CONNECTOR.savings(facts, SHRINK), "before anybody answered: what could be"
    kept = CONNECTOR.savings(facts, {"licences": "keep"})
    assert [one.title for one in kept] == ["On the invoice: Managed user, 1 fewer"]


@pytest.mark.parametrize(
    ("cycle", "monthly"),
    [("Monthly", "65.50"), ("Quarterly", "21.83"), ("Semi-Annually", "10.92"), ("Annually", "5.46"), ("Odd", None)],
)
async def test_a_price_is_told_by_the_month_where_the_cycle_is_known(
    desk: Desk, cycle: str, monthly: str | None
) -> None:
    desk.provider.record("finance/agreements", 501)["billingCycle"] = {"id": 1, "name": cycle}
    found = CONNECTOR.savings((await users(desk)).facts, SHRINK)
    assert [str(one.monthly) for one in found] == ([monthly] if monthly else [])


async def test_without_a_currency_nothing_is_promised(desk: Desk) -> None:
    del desk.company()["currency"]
    assert CONNECTOR.savings((await users(desk)).facts, SHRINK) == ()
    ctx = await desk.ready(changed={"lines": [USERS], "currency": "EUR"})
    assert [one.currency for one in CONNECTOR.savings(ctx.facts, SHRINK)] == ["EUR"]


@pytest.mark.parametrize("written", ["", "2026-11-01", "soon"])
async def test_an_invoice_day_that_is_past_or_unknown_is_not_promised(desk: Desk, written: str) -> None:
    desk.provider.record("finance/agreements", 501)["nextInvoiceDate"] = written
    ctx = await users(desk)
    [saving] = CONNECTOR.savings(ctx.facts, SHRINK)
    assert saving.starts is None
    assert "whose day ConnectWise does not say" in items(await LINES.look(ctx))[0].title


def test_amounts_stay_exact() -> None:
    line = Addition(id=1, agreement=1, agreement_name="A", product="P", quantity=Decimal(3), unit_price=Decimal("0.1"))
    assert line.saved(Decimal(0)) == Decimal("0.3")


async def test_each_licence_keeps_to_its_own_seats(desk: Desk) -> None:
    desk.held = ("SPE_E3", "POWER_BI_PRO")
    desk.seat(12)
    desk.seat(4, "POWER_BI_PRO")
    ctx = await desk.ready(subject="PBI-PRO")
    await run(LINES, ctx)
    assert desk.line(POWER_BI_LINE)["quantity"] == 4
    assert desk.line(E3_LINE)["quantity"] == 12.0


# --- several leavers at once


@pytest.mark.parametrize(("subject", "line"), [("MS-USER", USERS_LINE), ("M365-E3", E3_LINE)])
async def test_two_who_leave_at_once_and_were_looked_at_together_make_it_two_fewer(
    desk: Desk, subject: str, line: int
) -> None:
    desk.seat(10)
    jane = await desk.ready(subject=subject)
    nina = replace(jane, key=f"{jane.key} of Nina")
    both = [(ctx, items(await LINES.look(ctx))[0], Intent(ctx.key, desk.clock.now())) for ctx in (jane, nina)]
    was = int(cast("float", desk.line(line)["quantity"]))
    sent = await asyncio.gather(*(LINES.act(ctx, item, intent) for ctx, item, intent in both))
    for (ctx, item, intent), accepted in zip(both, sent, strict=True):
        assert isinstance(await LINES.confirm(ctx, item, intent, accepted.reference), Done)
    assert desk.line(line)["quantity"] == was - 2


async def test_an_answer_lost_beside_another_leaver_takes_one_for_each_and_no_third(desk: Desk) -> None:
    desk.seat(10)
    jane = await desk.ready(subject="M365-E3")
    nina = replace(jane, key=f"{jane.key} of Nina")
    item, begun = items(await LINES.look(jane))[0], desk.clock.now()
    desk.simulator.fail(Fault("lost", match="PATCH /finance"))
    with pytest.raises(Unreachable):
        await LINES.act(jane, item, Intent(jane.key, begun))
    assert (await LINES.act(nina, item, Intent(nina.key, begun))).reference == "11>10"
    again = Intent(jane.key, begun, repeated=True)
    assert isinstance(await LINES.confirm(jane, item, again, (await LINES.act(jane, item, again)).reference), Done)
    assert desk.line(E3_LINE)["quantity"] == 10


async def test_whose_seat_it_was_after_a_restart_nobody_guesses(desk: Desk) -> None:
    desk.seat(10)
    jane = await desk.ready(subject="M365-E3")
    item = items(await LINES.look(jane))[0]
    desk.line(E3_LINE)["quantity"] = 11
    with pytest.raises(Refused, match="somebody else's"):
        await LINES.act(jane, item, Intent(jane.key, desk.clock.now(), repeated=True))
    desk.seat(11)
    assert await LINES.act(jane, item, Intent(jane.key, desk.clock.now(), repeated=True)) == Accepted("12>11")
