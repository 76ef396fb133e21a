"""The simulated distributor's books: companies, products with their commitments, subscriptions seat by seat."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from connectors.contract import Json

CONTOSO = "a1000000-0000-4000-8000-000000000001"
FABRIKAM = "a1000000-0000-4000-8000-000000000002"
ASLEEP = "a1000000-0000-4000-8000-000000000003"
CLOSED = "a1000000-0000-4000-8000-000000000004"
"""Companies: two that are active, one inactive, one deleted."""

E3 = "b1000000-0000-4000-8000-0000000000e3"
"""Twelve seats, committed for a year of which nine months are left."""
PREMIUM = "b1000000-0000-4000-8000-0000000000b3"
"""Ten seats, committed by the month, bought three days ago."""
POWER_BI = "b1000000-0000-4000-8000-0000000000b1"
"""Twenty seats that may go at any time."""
VISIO, VISIO_MONTHLY = "b1000000-0000-4000-8000-000000000051", "b1000000-0000-4000-8000-000000000052"
"""One product bought twice."""
EXCHANGE = "b1000000-0000-4000-8000-0000000000ec"
"""Six seats paid by the year, with no commitment."""
COPILOT = "b1000000-0000-4000-8000-0000000000c0"
"""A single seat."""
CANCELLED = "b1000000-0000-4000-8000-0000000000e1"
PROOFPOINT = "b1000000-0000-4000-8000-0000000000f0"
FABRIKAM_E3 = "b1000000-0000-4000-8000-0000000000f3"

YEARLY, MONTHLY, LOOSE = (f"d1000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
"""Commitments: a year, a month, and one that lets seats go."""
WINDOW = timedelta(hours=168)


@dataclass
class SimulatedCompany:
    """A client of the MSP."""

    id: str
    name: str
    status: str = "Active"


@dataclass
class SimulatedSubscription:
    """A product bought for a company; `lots` are its seats by the time they were bought."""

    id: str
    company: str
    product_id: str
    product: str
    quantity: int
    started: datetime
    price: Decimal
    cost: Decimal
    currency: str = "USD"
    billing_term: str = "Monthly"
    status: str = "Active"
    commitment: str = ""
    term: str = ""
    committed_until: datetime | None = None
    ends: datetime | None = None
    vendor_sku: str = "CFQ7TTC0LFLX:0001"
    updated: datetime | None = None
    lots: list[tuple[datetime, int]] = field(default_factory=list[tuple[datetime, int]])
    history: list[Json] = field(default_factory=list[Json])
    shown: int | None = None
    """The quantity that reads still show, until `shown_until`."""
    shown_until: datetime | None = None
    pending_until: datetime | None = None

    def __post_init__(self) -> None:
        self.lots = self.lots or [(self.started, self.quantity)]
        self.history = self.history or [self.record(self.started, stale=False)]

    def buy(self, at: datetime, seats: int) -> None:
        """More seats, by somebody at Pax8's own pages."""
        self.lots.append((at, seats))
        self.changed(at, self.quantity + seats)

    def drop(self, at: datetime, seats: int) -> None:
        """Fewer seats, by somebody at Pax8's own pages: their people can do more than the API."""
        self._take(seats)
        self.changed(at, self.quantity - seats)

    def changed(self, at: datetime, quantity: int) -> None:
        """Another quantity, and a row of history."""
        self.quantity, self.updated = quantity, at
        self.history.append(self.record(at, stale=False))

    def fresh(self, now: datetime) -> int:
        """Seats still within their seven days."""
        return sum(seats for at, seats in self.lots if now - WINDOW < at <= now)

    def renew(self, until: datetime, at: datetime) -> None:
        """A new term: every seat of it was bought then."""
        self.committed_until, self.lots = until, [(at, self.quantity)]

    def set_quantity(self, now: datetime, quantity: int) -> None:
        """What the API's update does once it is allowed."""
        if quantity > self.quantity:
            self.lots.append((now, quantity - self.quantity))
        else:
            self._take(self.quantity - quantity)
        self.changed(now, quantity)

    def _take(self, seats: int) -> None:
        while seats and self.lots:
            at, there = self.lots.pop()
            if there > seats:
                self.lots.append((at, there - seats))
            seats -= min(seats, there)

    def record(self, now: datetime, *, stale: bool = True) -> Json:
        """As Pax8 writes it."""
        late = stale and self.shown is not None and self.shown_until is not None and now < self.shown_until
        waits = self.pending_until is not None and now < self.pending_until
        found: Json = {
            "id": self.id,
            "companyId": self.company,
            "productId": self.product_id,
            "vendorSkuId": self.vendor_sku,
            "quantity": self.shown if late else self.quantity,
            "startDate": _zulu(self.started),
            "createdDate": _denver(self.started),
            "billingStart": f"{self.started:%Y-%m-%d}",
            "status": "PendingAutomated" if waits and self.status == "Active" else self.status,
            # The wire has numbers; a price this short survives as it is written.
            "price": float(self.price),
            "partnerCost": float(self.cost),
            "currencyCode": self.currency,
            "productName": self.product,
            "billingTerm": self.billing_term,
        }
        if self.updated is not None:
            found["updatedDate"] = _denver(self.updated)
        if self.ends is not None:
            found["endDate"] = _zulu(self.ends)
        if self.commitment and self.committed_until is not None:
            end = _zulu(self.committed_until)
            found["commitmentTerm"] = {"id": self.commitment, "term": self.term, "endDate": end}
        return found


def commitments() -> list[Json]:
    """What a product can be committed to; all products here know all three."""
    plain: Json = {
        "autoRenew": True,
        "renewalWindowDaysBeforeTermEnd": 0,
        "renewalWindowDaysAfterTermEnd": 7,
        "allowForQuantityIncrease": True,
        "allowForQuantityDecrease": False,
        "allowForEarlyCancellation": False,
        "cancellationFeeApplied": False,
        "isTransferable": False,
    }
    return [
        {"id": YEARLY, "term": "1-Year", **plain},
        {"id": MONTHLY, "term": "Monthly", **plain},
        {"id": LOOSE, "term": "Monthly", **plain, "allowForQuantityDecrease": True},
    ]


def sample_companies() -> dict[str, SimulatedCompany]:
    """Everybody's clients."""
    known = (
        SimulatedCompany(CONTOSO, "Contoso Ltd"),
        SimulatedCompany(FABRIKAM, "Fabrikam Inc"),
        SimulatedCompany(ASLEEP, "Sleepy Ltd", "Inactive"),
        SimulatedCompany(CLOSED, "Closed Ltd", "Deleted"),
    )
    return {one.id: one for one in known}


def sample_subscriptions(now: datetime) -> dict[str, SimulatedSubscription]:
    """What they have bought, as of that day."""
    long_ago, lately = now - timedelta(days=91), now - timedelta(days=3)
    nine_months = long_ago + timedelta(days=365)
    month = {"commitment": MONTHLY, "term": "Monthly"}
    year = {"commitment": YEARLY, "term": "1-Year", "committed_until": nine_months}

    def bought(
        key: str, product: str, quantity: int, since: datetime, price: str, cost: str, **more: str | datetime | None
    ) -> SimulatedSubscription:
        settings: dict[str, object] = {"company": CONTOSO, "product_id": f"e{key[1:]}", **more}
        return SimulatedSubscription(
            id=key,
            product=product,
            quantity=quantity,
            started=since,
            price=Decimal(price),
            cost=Decimal(cost),
            **settings,  # pyright: ignore[reportArgumentType]
        )

    known = (
        bought(E3, "Microsoft 365 E3", 12, long_ago, "39.00", "33.15", **year),
        bought(
            PREMIUM,
            "Microsoft 365 Business Premium (NCE)",
            10,
            lately,
            "22.00",
            "18.70",
            **month,
            committed_until=lately + timedelta(days=30),
        ),
        bought(
            POWER_BI,
            "Power BI Pro",
            20,
            long_ago,
            "14.00",
            "11.90",
            commitment=LOOSE,
            term="Monthly",
            committed_until=now + timedelta(days=9),
        ),
        bought(VISIO, "Visio Plan 2", 5, long_ago, "15.00", "12.75", **year),
        bought(VISIO_MONTHLY, "Visio Plan 2", 3, long_ago, "18.00", "15.30", product_id=f"e{VISIO[1:]}"),
        bought(EXCHANGE, "Exchange Online (Plan 1)", 6, long_ago, "48.00", "40.80", billing_term="Annual"),
        bought(COPILOT, "Microsoft 365 Copilot", 1, long_ago, "30.00", "25.50", **year),
        bought(CANCELLED, "Office 365 E1", 4, long_ago, "10.00", "8.50", status="Cancelled"),
        bought(PROOFPOINT, "Proofpoint Essentials - Professional", 12, long_ago, "3.00", "2.10"),
        bought(FABRIKAM_E3, "Microsoft 365 E3", 3, long_ago, "39.00", "33.15", company=FABRIKAM, **year),
    )
    return {one.id: one for one in known}


def _zulu(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _denver(at: datetime) -> str:
    """Pax8 writes some times with its own offset, without a colon."""
    return at.astimezone(timezone(timedelta(hours=-7))).strftime("%Y-%m-%dT%H:%M:%S.000%z")
