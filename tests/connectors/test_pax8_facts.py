"""What is read for a plan: the company, its subscriptions, and which of them pays for what the leaver holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from connectors.contract import Intent, Refused, Unreachable
from connectors.pax8 import CONNECTOR
from connectors.pax8.facts import Pax8Facts
from connectors.pax8.matching import Match, match, part_number_of, plain
from connectors.pax8.simulated_company import (
    ASLEEP,
    CANCELLED,
    CLOSED,
    COPILOT,
    E3,
    EXCHANGE,
    POWER_BI,
    PREMIUM,
    VISIO,
    VISIO_MONTHLY,
    YEARLY,
)
from connectors.pax8.subscriptions import Change, Rules, Subscription, moment, read_history
from connectors.pax8.window import window_of
from connectors.simulated_faults import Fault
from tests.connectors.steps import items
from tests.connectors.test_pax8_world import JANE, SHRINK, STEP, Distributor, distributor

__all__ = ["distributor"]
NOW = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


# --- the company


@pytest.mark.parametrize(
    ("company", "said", "fix"),
    [
        ("a1000000-0000-4000-8000-00000000dead", "there is no such company", "company_id"),
        (ASLEEP, "the company is inactive", "contact"),
        (CLOSED, "the company is deleted", "took its place"),
    ],
)
async def test_a_company_that_can_not_be_worked_on_is_refused_with_what_to_do(
    distributor: Distributor, company: str, said: str, fix: str
) -> None:
    with pytest.raises(Refused, match=said) as told:
        await CONNECTOR.find(await distributor.connect(company), JANE)
    assert fix in told.value.fix


async def test_its_subscriptions_are_read_with_exact_prices_and_without_the_cancelled(
    distributor: Distributor,
) -> None:
    facts = await distributor.facts()
    known = {one.id: one for one in facts.subscriptions}
    assert set(known) >= {E3, PREMIUM, POWER_BI, VISIO, VISIO_MONTHLY, EXCHANGE, COPILOT}
    assert CANCELLED not in known
    premium = known[PREMIUM]
    assert (premium.price, premium.partner_cost) == (Decimal("22.0"), Decimal("18.7"))
    assert isinstance(premium.price, Decimal)
    assert premium.quantity == 10
    assert premium.started == NOW - timedelta(days=3)
    assert premium.vendor_sku


@pytest.mark.parametrize("status", ["Trial", "Activated", "PendingManual", "PendingCancel", "WaitingForDetails"])
async def test_every_state_that_bills_is_read(distributor: Distributor, status: str) -> None:
    distributor.simulator.subscriptions[POWER_BI].status = status
    assert POWER_BI in {one.id for one in (await distributor.facts()).subscriptions}


# --- whose seat it is


async def test_what_they_hold_is_matched_by_name_with_its_commitment_and_history(distributor: Distributor) -> None:
    distributor.holds("sku-e3", "sku-spb", "sku-bi")
    seats = {seat.part_number: seat for seat in (await distributor.facts()).seats}
    assert {code: seat.subscription for code, seat in seats.items()} == {
        "SPE_E3": E3,
        "SPB": PREMIUM,
        "POWER_BI_PRO": POWER_BI,
    }
    assert seats["SPE_E3"].rules.allows_decrease is False
    assert seats["POWER_BI_PRO"].rules.allows_decrease is True
    assert [change.quantity for change in seats["SPB"].history] == [10]
    assert (seats["SPE_E3"].bought, seats["SPE_E3"].used) == (12, 12)


async def test_only_a_subscription_asked_for_by_itself_shows_its_commitment(distributor: Distributor) -> None:
    distributor.holds("sku-e3")
    facts = await distributor.facts()
    read = facts.subscription(E3)
    assert read is not None
    assert (read.commitment_id, read.commitment_term) == (YEARLY, "1-Year")
    assert read.committed_until == NOW + timedelta(days=365 - 91)
    unread = facts.subscription(COPILOT)
    assert unread is not None
    assert unread.committed_until is None


async def test_one_product_bought_twice_is_not_certain(distributor: Distributor) -> None:
    distributor.holds("sku-visio")
    (seat,) = (await distributor.facts()).seats
    assert seat.subscription == ""
    assert set(seat.candidates) == {VISIO, VISIO_MONTHLY}
    assert "fits 2 subscriptions" in seat.matched_by


async def test_a_configured_product_comes_before_its_name(distributor: Distributor) -> None:
    distributor.holds("sku-e3")
    for configured in (f"e{POWER_BI[1:]}", "power bi"):
        api = await distributor.connect(products={"SPE_E3": configured})
        (seat,) = (await distributor.facts(api)).seats
        assert seat.subscription == POWER_BI
        assert "as configured" in seat.matched_by


async def test_a_configured_product_that_fits_none_is_never_replaced_by_a_guess(distributor: Distributor) -> None:
    distributor.holds("sku-e3")
    api = await distributor.connect(products={"SPE_E3": "Microsoft 365 E7"})
    (seat,) = (await distributor.facts(api)).seats
    assert not seat.paid
    assert "fits no subscriptions" in seat.matched_by


async def test_what_is_free_has_no_subscription_and_no_step(distributor: Distributor) -> None:
    distributor.holds("sku-free")
    facts = await distributor.facts()
    assert [seat.paid for seat in facts.seats] == [False]
    assert not STEP.wanted(SHRINK, facts)


async def test_a_licence_that_comes_twice_is_one_seat(distributor: Distributor) -> None:
    distributor.holds("sku-e3")

    async def read(name: str) -> dict[str, object]:
        answer = dict(await distributor.microsoft.read()(name))
        listed = answer.get("licences")
        if isinstance(listed, list):
            answer["licences"] = [*listed, *listed]
        return dict(answer)

    api = await distributor.connect()
    facts = await CONNECTOR.facts(api, (await CONNECTOR.find(api, JANE))[0])
    complete = await CONNECTOR.complete(api, facts, read)  # pyright: ignore[reportArgumentType]
    assert len(complete.seats) == 1


async def test_two_licences_that_one_subscription_fits_are_both_uncertain(distributor: Distributor) -> None:
    distributor.holds("sku-e3", "sku-bi")
    facts = await distributor.facts(await distributor.connect(products={"SPE_E3": "power bi pro"}))
    assert [seat.candidates for seat in facts.seats] == [(POWER_BI,), (POWER_BI,)]
    assert len({seat.name for seat in facts.seats}) == 2


async def test_when_microsoft_is_not_connected_that_is_noted_and_nothing_raised(distributor: Distributor) -> None:
    distributor.microsoft.silent = "not connected"
    facts = await distributor.facts()
    assert "not connected" in facts.unknown
    assert facts.seats == ()
    (caution,) = CONNECTOR.cautions(facts)
    assert "none is given back" in caution.text
    assert not caution.bars_immediate
    assert CONNECTOR.cautions(Pax8Facts(company="", read_at=NOW)) == ()


async def test_pax8s_own_silence_is_raised(distributor: Distributor) -> None:
    distributor.holds("sku-e3")
    distributor.simulator.fail(Fault("html", calls=None, match="/history"))
    with pytest.raises(Unreachable):
        await distributor.facts()


@pytest.mark.parametrize(
    ("product", "same"),
    [
        ("Microsoft 365 E3", True),
        ("Microsoft 365 E3 (NCE)", True),
        ("Microsoft 365 E3 [New Commerce Experience]", True),
        ("Microsoft 365 E3 - Annual Commitment", True),
        ("Microsoft 365 E3 (no Teams)", False),
        ("Microsoft 365 E3 - Unattended License", False),
        ("Microsoft 365 E3 (Nonprofit Staff Pricing)", False),
        ("Microsoft 365 E5", False),
        ("Office 365 E3", False),
    ],
)
def test_a_name_is_the_same_whatever_says_only_how_it_is_bought(product: str, same: bool) -> None:
    found = match("SPE_E3", "Microsoft 365 E3 (SPE_E3)", [_subscription(product=product)], {})
    assert (found.subscription == "one") is same
    assert bool(found.candidates) is (not same and product.startswith("Microsoft 365 E3"))


def test_a_bare_part_number_is_known_by_the_price_list_and_an_unknown_one_by_nothing() -> None:
    sold = [_subscription(product="Microsoft 365 Business Premium")]
    assert match("SPB", "SPB", sold, {}).subscription == "one"
    assert match("WHATEVER", "WHATEVER", sold, {}) == Match()
    assert part_number_of(sold[0], {}) == "SPB"
    assert part_number_of(sold[0], {"O365_BUSINESS_PREMIUM": "business premium"}) == "O365_BUSINESS_PREMIUM"
    assert plain("Exchange Online (Plan 1)") != plain("Exchange Online (Plan 2)")


# --- when it may go


def _subscription(**known: object) -> Subscription:
    plain: dict[str, object] = {"id": "one", "product_id": "p", "product": "P", "quantity": 5, "status": "Active"}
    return Subscription.model_validate({**plain, **known})


COMMITTED: dict[str, object] = {
    "commitment_id": YEARLY,
    "commitment_term": "1-Year",
    "committed_until": NOW + timedelta(days=200),
    "started": NOW - timedelta(days=165),
}


def test_no_commitment_shown_stands_in_no_way() -> None:
    assert window_of(_subscription(), Rules(), (), NOW).now


def test_a_commitment_is_waited_for_and_a_loose_one_is_not() -> None:
    committed = _subscription(**COMMITTED)
    assert window_of(committed, Rules(), (), NOW).at == NOW + timedelta(days=200, hours=1)
    assert window_of(committed, Rules(allows_decrease=False), (), NOW).at is not None
    assert window_of(committed, Rules(allows_decrease=True), (), NOW).now
    assert window_of(committed, Rules(), (), NOW + timedelta(days=200)).now


@pytest.mark.parametrize(
    ("rows", "open_now"),
    [
        ([(-100, 5)], False),
        ([(-100, 5), (-2, 6)], True),
        ([(-100, 5), (-8, 6)], False),
        ([(-100, 5), (-2, 6), (-1, 5)], False),
        ([(-100, 5), (-3, 4), (-1, 5)], True),
        ([(-100, 5), (-2, 7), (-1, 6)], True),
        ([(-2, 6)], False),
        ([], False),
    ],
)
def test_only_seats_added_within_seven_days_and_still_there_open_the_window(
    rows: list[tuple[int, int]], open_now: bool
) -> None:
    history = [Change(at=NOW + timedelta(days=days), quantity=quantity) for days, quantity in rows]
    assert window_of(_subscription(**COMMITTED), Rules(), history, NOW).now is open_now


@pytest.mark.parametrize(("hours", "open_now"), [(1, True), (167, True), (168, False)])
@pytest.mark.parametrize(
    ("term", "ends"), [("1-Year", "2027-11-23"), ("Monthly", "2026-12-23"), ("3-Year", "2029-11-23")]
)
def test_a_renewal_opens_seven_days(term: str, ends: str, hours: int, open_now: bool) -> None:
    until = datetime.fromisoformat(f"{ends}T17:00:00+00:00")
    renewed = _subscription(**{**COMMITTED, "commitment_term": term, "committed_until": until})
    assert window_of(renewed, Rules(), (), NOW + timedelta(hours=hours)).now is open_now


def test_a_term_that_ends_on_a_day_its_beginning_lacks_began_on_the_last_one() -> None:
    until = datetime(2027, 3, 31, tzinfo=UTC)
    renewed = _subscription(**{**COMMITTED, "commitment_term": "Monthly", "committed_until": until})
    assert window_of(renewed, Rules(), (), datetime(2027, 3, 6, tzinfo=UTC)).now
    assert not window_of(renewed, Rules(), (), datetime(2027, 3, 8, tzinfo=UTC)).now


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-23T17:00:00Z", NOW),
        ("2026-11-23T10:00:00.000-0700", NOW),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T17:00:00", NOW),
        ("soon", None),
        ("", None),
    ],
)
def test_times_are_read_however_pax8_writes_them(written: str, read: datetime | None) -> None:
    assert moment(written) == read


async def test_the_history_is_read_oldest_first(distributor: Distributor) -> None:
    subscription = distributor.simulator.subscriptions[POWER_BI]
    subscription.buy(NOW - timedelta(days=2), 3)
    subscription.history.reverse()
    api = await distributor.connect()
    assert [one.quantity for one in await read_history(api, POWER_BI)] == [20, 23]


async def test_a_product_that_is_sold_no_more_has_unknown_rules(distributor: Distributor) -> None:
    distributor.holds("sku-e3")
    distributor.simulator.fail(Fault("error", match="/dependencies", status=404))
    (seat,) = (await distributor.facts()).seats
    assert seat.rules == Rules()


# --- check and read


async def test_a_company_that_works_is_told_so_and_what_can_not_be_known(distributor: Distributor) -> None:
    checks = await CONNECTOR.check(
        await distributor.connect(products={"SPB": "business premium"}, spares={"SPE_E3": 1})
    )
    assert all(check.ok for check in checks)
    told = {check.title: check.said for check in checks}
    assert "Contoso Ltd is active" in told["Company"]
    assert "10 seats" in told["SPB"]
    assert "12 seats" in told["SPE_E3"]
    assert told["Permission to change subscriptions"].startswith("Not verified")


async def test_what_would_not_work_is_told_with_its_fix(distributor: Distributor) -> None:
    booked = [{"part_number": "VISIOCLIENT", "from": "2026-12-01"}]
    checks = await CONNECTOR.check(await distributor.connect(products={"SPE_E5": "no such"}, booked=booked))
    wrong = {check.title: check for check in checks if not check.ok}
    assert wrong["SPE_E5"].said == "No subscription fits it."
    assert "Visio Plan 2, Visio Plan 2" in wrong["VISIOCLIENT"].said
    assert all(check.fix and check.steps == (STEP.id,) for check in wrong.values())


@pytest.mark.parametrize(
    ("what", "title"), [("secret", "Signed in"), ("company", "Company"), ("right", "Permission to read")]
)
async def test_a_check_says_where_it_stops(distributor: Distributor, what: str, title: str) -> None:
    company = ASLEEP if what == "company" else None
    distributor.secret = "wrong" if what == "secret" else distributor.secret
    distributor.simulator.habits.may_read = what != "right"
    api = await (distributor.connect(company) if company else distributor.connect())
    stopped = (await CONNECTOR.check(api))[-1]
    assert (stopped.title, stopped.ok) == (title, False)
    assert stopped.fix


async def test_a_check_of_a_silent_pax8_is_raised(distributor: Distributor) -> None:
    distributor.simulator.fail(Fault("html", calls=None))
    with pytest.raises(Unreachable):
        await CONNECTOR.check(await distributor.connect())


async def test_others_read_from_when_a_committed_seat_may_be_given_back(distributor: Distributor) -> None:
    """A list hides the commitment; the subscription itself says it."""
    ctx = await distributor.plan(E3)
    seats = await CONNECTOR.reads()["pax8.seats"](ctx.api, ctx.account)
    committed = distributor.simulator.subscriptions[E3].committed_until
    assert committed is not None
    told = seats["SPE_E3"]
    assert isinstance(told, dict)
    assert datetime.fromisoformat(str(told["until"])) == committed.replace(microsecond=0) + timedelta(hours=1)


async def test_others_read_how_many_seats_there_are_and_will_be(distributor: Distributor) -> None:
    distributor.simulator.habits.lag = 600
    ctx = await distributor.plan(POWER_BI)
    distributor.microsoft.release()
    (item,) = items(await STEP.look(ctx))
    await STEP.act(ctx, item, Intent("key", distributor.clock.now()))
    seats = await CONNECTOR.reads()["pax8.seats"](ctx.api, ctx.account)
    assert seats["POWER_BI_PRO"] == {
        "quantity": 20,
        "target": 19,
        "product": "Power BI Pro",
        "subscription": POWER_BI,
        "until": None,
    }
    assert seats["VISIOCLIENT"] == {
        "quantity": 8,
        "target": 8,
        "product": "Visio Plan 2",
        "subscription": "",
        "until": None,
    }
    distributor.clock.pass_by(601)
    seats = await CONNECTOR.reads()["pax8.seats"](ctx.api, ctx.account)
    assert seats["POWER_BI_PRO"] == {
        "quantity": 19,
        "target": 19,
        "product": "Power BI Pro",
        "subscription": POWER_BI,
        "until": None,
    }
