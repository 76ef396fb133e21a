"""What the client is asked about the freed seat, and what will be paid less: exact, dated, and never the MSP's cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from connectors.contract import Question, Topic
from connectors.money import Payer
from connectors.pax8 import CONNECTOR
from connectors.pax8.facts import Pax8Facts, Seat
from connectors.pax8.money import savings_of
from connectors.pax8.subscriptions import Rules, Subscription
from tests.connectors.test_pax8_world import SHRINK, Distributor, distributor

__all__ = ["distributor"]
NOW = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
RELEASE = {"licences": "release"}


def the_question(facts: Pax8Facts, choices: Mapping[str, str] = RELEASE) -> Question:
    (question,) = CONNECTOR.questions(facts, choices)
    return question


# --- the question


async def test_the_freed_seat_is_asked_about_with_its_price_and_its_day(distributor: Distributor) -> None:
    distributor.holds("sku-e3", "sku-bi")
    question = the_question(await distributor.facts())
    assert (question.id, question.topic, question.recommended) == ("licences.seat", Topic.LICENCES, "shrink")
    assert "Power BI Pro, Microsoft 365 E3" in question.text
    shrink, keep = question.choices
    assert (shrink.id, keep.id) == ("shrink", "keep")
    assert "39.00 USD a month less, at the end of the commitment on 24 Aug 2027" in shrink.why
    assert "Power BI Pro: 14.00 USD a month less, now" in shrink.why
    assert keep.why == "You go on paying 53.00 USD a month."
    assert not any(choice.destroys or choice.deliberate for choice in question.choices)


async def test_what_the_msp_pays_is_in_no_word_the_client_reads(distributor: Distributor) -> None:
    distributor.holds("sku-e3", "sku-spb", "sku-bi", "sku-exchange", "sku-visio")
    words = repr(the_question(await distributor.facts()))
    for cost in ("33.15", "18.7", "11.9", "40.8", "12.75", "15.3", "3.40"):
        assert cost not in words


async def test_a_booked_hire_makes_keeping_it_the_recommendation(distributor: Distributor) -> None:
    booked = [{"part_number": "SPB", "from": "2026-12-01", "note": "Jo, sales"}]
    distributor.holds("sku-spb")
    question = the_question(await distributor.facts(await distributor.connect(booked=booked)))
    assert question.recommended == "keep"
    assert question.reason.endswith("1 seat for Jo, sales from 1 Dec 2026.")
    assert "stays all the same while it is needed" in question.choices[0].why


async def test_a_spare_that_is_missing_makes_keeping_it_the_recommendation(distributor: Distributor) -> None:
    distributor.holds("sku-spb")
    api = await distributor.connect(spares={"SPB": 1})
    assert the_question(await distributor.facts(api)).recommended == "keep"
    distributor.microsoft.products["sku-spb"].used = 9
    assert the_question(await distributor.facts(api)).recommended == "shrink"


async def test_of_two_seats_only_the_needed_one_stays(distributor: Distributor) -> None:
    distributor.holds("sku-spb", "sku-bi")
    api = await distributor.connect(spares={"SPB": 1})
    facts = await distributor.facts(api)
    question = the_question(facts)
    assert question.recommended == "shrink"
    assert "1 seat always kept free" in question.reason
    assert {one.title for one in savings_of(facts, SHRINK)} == {"Power BI Pro, 1 seat"}


@pytest.mark.parametrize("licences", ["", "reassign", "keep", "later"])
async def test_it_is_asked_only_when_the_licence_is_released(distributor: Distributor, licences: str) -> None:
    distributor.holds("sku-e3")
    facts = await distributor.facts()
    assert CONNECTOR.questions(facts, {"licences": licences} if licences else {}) == ()
    assert the_question(facts)


async def test_it_is_not_asked_about_what_is_free(distributor: Distributor) -> None:
    distributor.holds("sku-free")
    assert CONNECTOR.questions(await distributor.facts(), RELEASE) == ()


async def test_where_a_person_must_find_the_subscription_no_price_is_promised(distributor: Distributor) -> None:
    distributor.holds("sku-visio")
    facts = await distributor.facts()
    assert "a technician finds out" in the_question(facts).choices[0].why
    assert savings_of(facts, SHRINK) == ()


async def test_the_last_seat_promises_nothing(distributor: Distributor) -> None:
    distributor.holds("sku-copilot")
    facts = await distributor.facts()
    assert "last seat" in the_question(facts).choices[0].why
    assert savings_of(facts, SHRINK) == ()


def test_a_licence_the_shared_mailbox_keeps_is_not_in_question() -> None:
    facts = _facts()
    kept = facts.model_copy(update={"seats": (facts.seats[0].model_copy(update={"carries_mailbox": True}),)})
    choices = {**SHRINK, "mailbox": "shared licensed"}
    assert CONNECTOR.questions(facts, choices)
    assert CONNECTOR.questions(kept, choices) == ()
    assert savings_of(kept, choices) == ()
    assert savings_of(kept, SHRINK)


# --- what is saved


async def test_a_committed_seat_is_saved_from_the_end_of_its_commitment(distributor: Distributor) -> None:
    distributor.holds("sku-e3")
    client, msp = CONNECTOR.savings(await distributor.facts(), SHRINK)
    assert (client.title, client.payer, client.monthly, client.currency) == (
        "Microsoft 365 E3, 1 seat",
        Payer.CLIENT,
        Decimal("39.00"),
        "USD",
    )
    assert (msp.payer, msp.monthly) == (Payer.MSP, Decimal("33.15"))
    assert client.starts == client.committed_until == date(2027, 8, 24)


async def test_a_seat_of_three_days_is_saved_from_the_next_period(distributor: Distributor) -> None:
    distributor.holds("sku-spb")
    client, _ = CONNECTOR.savings(await distributor.facts(), SHRINK)
    assert (client.starts, client.committed_until) == (date(2026, 12, 20), None)


async def test_a_yearly_price_is_saved_by_its_twelfth(distributor: Distributor) -> None:
    distributor.holds("sku-exchange")
    client, msp = CONNECTOR.savings(await distributor.facts(), SHRINK)
    assert (client.monthly, msp.monthly) == (Decimal("4.00"), Decimal("3.40"))
    assert client.starts is None


@pytest.mark.parametrize(
    ("choices", "saves"),
    [
        ({}, True),
        ({"licences": "release"}, True),
        ({"licences": "release", "licences.seat": "shrink"}, True),
        ({"licences.seat": "shrink"}, True),
        ({"licences": "release", "licences.seat": "keep"}, False),
        ({"licences": "release", "licences.seat": "later"}, False),
        ({"licences": "reassign"}, False),
        ({"licences": "keep"}, False),
        ({"licences": "later"}, False),
    ],
)
def test_what_could_be_saved_shows_until_it_is_decided_otherwise(choices: dict[str, str], saves: bool) -> None:
    assert bool(savings_of(_facts(), choices)) is saves


@pytest.mark.parametrize(
    ("known", "rows"),
    [({"price": None}, 1), ({"currency": ""}, 0), ({"billing_term": "One-Time"}, 0), ({"price": Decimal(0)}, 1)],
)
def test_without_a_price_a_currency_or_a_period_nothing_is_promised(known: dict[str, object], rows: int) -> None:
    assert len(savings_of(_facts(**known), SHRINK)) == rows


@pytest.mark.parametrize(
    ("begins", "today", "next_one"),
    [
        ("2026-01-15", "2026-11-14", date(2026, 11, 15)),
        ("2026-01-15", "2026-11-15", date(2026, 12, 15)),
        ("2026-01-15", "2026-12-20", date(2027, 1, 15)),
        ("2026-01-31", "2027-02-02", date(2027, 2, 28)),
        ("2027-03-01", "2026-11-15", date(2027, 3, 1)),
    ],
)
def test_the_next_period_begins_on_the_day_of_the_first(begins: str, today: str, next_one: date) -> None:
    facts = _facts(billing_start=date.fromisoformat(begins))
    at = datetime.fromisoformat(f"{today}T12:00:00+00:00")
    client, _ = savings_of(facts.model_copy(update={"read_at": at}), SHRINK)
    assert client.starts == next_one


def test_a_third_of_a_cent_is_rounded_once_and_exactly() -> None:
    client, _ = savings_of(_facts(price=Decimal("100.00"), billing_term="Annual"), SHRINK)
    assert client.monthly == Decimal("8.33")


def _facts(**known: object) -> Pax8Facts:
    plain: dict[str, object] = {
        "id": "one",
        "product_id": "p",
        "product": "P",
        "quantity": 5,
        "status": "Active",
        "price": Decimal("10.00"),
        "partner_cost": Decimal("8.00"),
        "currency": "EUR",
        "billing_term": "Monthly",
        "started": NOW - timedelta(days=100),
    }
    subscription = Subscription.model_validate({**plain, **known})
    seat = Seat(sku="s", part_number="P1", name="P", subscription="one", bought=5, used=5, rules=Rules())
    return Pax8Facts(company="Contoso Ltd", read_at=NOW, subscriptions=(subscription,), seats=(seat,))
