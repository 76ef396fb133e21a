"""Subscriptions as Pax8 has them: quantity, prices, terms, what was changed when, and what the commitment allows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from connectors.contract import Json, Unreachable
from connectors.http import RefusedWith
from connectors.pax8.client import VENDOR, Pax8Api, number_of, objects, text

GONE = frozenset({"Cancelled"})
GOING = frozenset({"PendingCancel"})
WORKING = frozenset({"PendingAutomated", "PendingManual"})
"""Pax8 or its people are still at an earlier order."""
WAITS_FOR_SOMEBODY = frozenset({"WaitingForDetails", "PendingActivation"})

_MONTHS = {"Monthly": 1, "Annual": 12, "1-Year": 12, "2-Year": 24, "3-Year": 36}


class Change(BaseModel):
    """What a subscription became at some time, as its history tells it."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    quantity: int


class Subscription(BaseModel):
    """One product bought for the client. Prices are per seat and billing term."""

    model_config = ConfigDict(frozen=True)

    id: str
    product_id: str
    product: str
    quantity: int
    status: str
    price: Decimal | None = None
    """What the client pays."""
    partner_cost: Decimal | None = None
    """What the MSP pays: never to be shown to the client."""
    currency: str = ""
    billing_term: str = ""
    commitment_id: str = ""
    commitment_term: str = ""
    committed_until: datetime | None = None
    vendor_sku: str = ""
    started: datetime | None = None
    ends: datetime | None = None
    created: datetime | None = None
    updated: datetime | None = None
    billing_start: date | None = None

    @property
    def bills(self) -> bool:
        """Whether seats of it are there to be given back."""
        return self.status not in GONE

    @property
    def bought(self) -> datetime | None:
        """When it began: ordered ahead or entered late, the later date counts; Pax8 says no where that is too kind."""
        known = [one for one in (self.started, self.created) if one is not None]
        return max(known) if known else None

    @property
    def months(self) -> int | None:
        """How many months one price pays; None where it is not a matter of months."""
        return _MONTHS.get(self.billing_term)

    def monthly(self, amount: Decimal | None) -> Decimal | None:
        """That price for one seat and month."""
        if amount is None or self.months is None:
            return None
        return (amount / self.months).quantize(Decimal("0.01"))


class Rules(BaseModel):
    """What a product's commitment allows; None where Pax8 does not say."""

    model_config = ConfigDict(frozen=True)

    allows_decrease: bool | None = None
    allows_early_cancellation: bool | None = None


def months_of(term: str) -> int | None:
    """How many months a commitment of that name lasts."""
    return _MONTHS.get(term)


async def read_subscriptions(api: Pax8Api) -> tuple[Subscription, ...]:
    """All that bill, whatever Pax8 calls their state; several pages of them."""
    path = "/subscriptions"
    found = await api.get_all(path, companyId=api.settings.company_id)
    mine = [one for one in found if text(one, "companyId").casefold() == api.settings.company_id]
    if len(mine) < len(found):
        # A list that ignores the company would have somebody else's seats given back.
        raise Unreachable(VENDOR, f"GET {path}", "the answer has other companies' subscriptions in it")
    known = [subscription_of(f"GET {path}", one) for one in mine]
    return tuple(sorted((one for one in known if one.bills), key=lambda one: (one.product, one.id)))


async def read_subscription(api: Pax8Api, subscription: str) -> Subscription:
    """One, afresh. Raises Unreachable when the answer is about another one, or another company's."""
    path = f"/subscriptions/{subscription}"
    found = subscription_of(f"GET {path}", await api.get(path), api.settings.company_id)
    if found.id.casefold() != subscription.casefold():
        raise Unreachable(VENDOR, f"GET {path}", "the answer is about another subscription")
    return found


async def read_history(api: Pax8Api, subscription: str) -> tuple[Change, ...]:
    """What became of its quantity, oldest first; a row without a date or a quantity says nothing."""
    path = f"/subscriptions/{subscription}/history"
    changes: list[Change] = []
    for one in objects(f"GET {path}", await api.get(path)):
        at = moment(text(one, "updatedDate")) or moment(text(one, "createdDate"))
        quantity = _whole(one)
        if at is not None and quantity is not None:
            changes.append(Change(at=at, quantity=quantity))
    return tuple(sorted(changes, key=lambda change: change.at))


async def read_rules(api: Pax8Api, subscription: Subscription) -> Rules:
    """What the commitment it was bought with allows, found by its id; unknown where nothing fits."""
    if not subscription.commitment_id:
        return Rules()
    path = f"/products/{subscription.product_id}/dependencies"
    try:
        answer = await api.get(path)
    except RefusedWith as refused:
        if refused.status != 404:
            raise
        return Rules()  # a product that is sold no more
    listed = answer.get("commitmentDependencies")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and text(one, "id").casefold() == subscription.commitment_id.casefold():
            return Rules(
                allows_decrease=_flag(one, "allowForQuantityDecrease"),
                allows_early_cancellation=_flag(one, "allowForEarlyCancellation"),
            )
    return Rules()


def subscription_of(call: str, record: Json, company: str = "") -> Subscription:
    """A subscription from its record. Raises Unreachable where there is no id or no whole number of seats."""
    quantity = _whole(record)
    if not text(record, "id") or quantity is None:
        raise Unreachable(VENDOR, call, "a subscription in the answer has no id or no whole number of seats")
    if company and text(record, "companyId").casefold() != company:
        raise Unreachable(VENDOR, call, "the answer is about another company's subscription")
    given = record.get("commitmentTerm")
    commitment: Json = given if isinstance(given, dict) else {}
    return Subscription(
        id=text(record, "id"),
        product_id=text(record, "productId"),
        product=text(record, "productName"),
        quantity=quantity,
        status=text(record, "status"),
        price=number_of(record, "price"),
        partner_cost=number_of(record, "partnerCost"),
        currency=text(record, "currencyCode"),
        billing_term=text(record, "billingTerm"),
        commitment_id=text(commitment, "id"),
        commitment_term=text(commitment, "term"),
        committed_until=moment(text(commitment, "endDate")),
        vendor_sku=text(record, "vendorSkuId"),
        started=moment(text(record, "startDate")),
        ends=moment(text(record, "endDate")),
        created=moment(text(record, "createdDate")),
        updated=moment(text(record, "updatedDate")),
        billing_start=_date(text(record, "billingStart")),
    )


def moment(written: str) -> datetime | None:
    """A point in time, in UTC, from Pax8's several ways of writing it; a day alone begins at midnight UTC."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _date(written: str) -> date | None:
    found = moment(written)
    return found.date() if found else None


def _whole(record: Json) -> int | None:
    number = number_of(record, "quantity")
    return int(number) if number is not None and number == number.to_integral_value() and number >= 0 else None


def _flag(record: Json, name: str) -> bool | None:
    value = record.get(name)
    return value if isinstance(value, bool) else None
