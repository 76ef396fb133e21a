"""What the question and the step need to know: the company's subscriptions, and which seats the leaver frees."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from connectors.contract import Account, Context, Json, Read, Refused, Unreachable, VendorError
from connectors.pax8.client import VENDOR, Pax8Api, is_missing, number_of, text
from connectors.pax8.matching import Match, match
from connectors.pax8.subscriptions import (
    Change,
    Rules,
    Subscription,
    read_history,
    read_rules,
    read_subscription,
    read_subscriptions,
)
from connectors.pax8.window import Window, window_of

MATCHED_BY = "the company named in clients.yml"
HELD, FREE = "microsoft365.held_licences", "microsoft365.free_seats"


class Seat(BaseModel):
    """One licence the leaver holds, and what pays for it."""

    model_config = ConfigDict(frozen=True)

    sku: str
    part_number: str
    name: str
    """As people read it: the product's name at Pax8, or Microsoft's where no subscription is sure."""
    subscription: str = ""
    """Its id; '' where none fits, or more than one."""
    candidates: tuple[str, ...] = ()
    """Those it could be, where that is for a person to say."""
    matched_by: str = ""
    carries_mailbox: bool | None = None
    """None where Microsoft 365 did not say."""
    bought: int | None = None
    used: int | None = None
    """As Microsoft counted while they still held it."""
    kept_free: int = 0
    kept_for: tuple[str, ...] = ()
    rules: Rules = Rules()
    history: tuple[Change, ...] = ()

    @property
    def paid(self) -> bool:
        """Whether something at Pax8 pays for it, surely or perhaps."""
        return bool(self.subscription or self.candidates)


class Pax8Facts(BaseModel):
    """A company's subscriptions as they were read for a plan."""

    model_config = ConfigDict(frozen=True)

    company: str
    read_at: datetime
    subscriptions: tuple[Subscription, ...] = ()
    seats: tuple[Seat, ...] = ()
    unknown: str = ""
    """Why it is not known which seats are theirs."""

    def subscription(self, wanted: str) -> Subscription | None:
        """That one, as it was read."""
        return next((one for one in self.subscriptions if one.id == wanted), None)

    def seat(self, name: str) -> Seat | None:
        """The seat that goes by that name."""
        return next((one for one in self.seats if one.name == name), None)

    def window(self, seat: Seat) -> Window | None:
        """When it may be given back, as things stood when the plan was made."""
        subscription = self.subscription(seat.subscription)
        return window_of(subscription, seat.rules, seat.history, self.read_at) if subscription else None


Ctx = Context[Pax8Api, Pax8Facts]


@dataclass(frozen=True)
class Count:
    """How Microsoft counts one product's seats."""

    bought: int
    used: int


async def find_company(api: Pax8Api) -> list[Account]:
    """The client's company: Pax8 knows no leavers. Raises Refused when it is not there or not active."""
    company = await read_company(api)
    return [Account(system=VENDOR, id=api.settings.company_id, name=text(company, "name"), matched_by=MATCHED_BY)]


async def read_company(api: Pax8Api) -> Json:
    """The company's record. Raises Refused, with what to do, when it is missing or not active."""
    path = f"/companies/{api.settings.company_id}"
    call = f"GET {path}"
    try:
        company = await api.get(path)
    except Refused as refused:
        if not is_missing(refused):
            raise
        fix = "Open the company in Pax8 and copy the id in its address to company_id in clients.yml."
        raise Refused(VENDOR, call, "there is no such company", fix) from refused
    if text(company, "id").casefold() != api.settings.company_id:
        raise Unreachable(VENDOR, call, "the answer is about another company")
    status = text(company, "status")
    if status != "Active":
        fix = {
            "Inactive": "Add an admin, a billing and a technical contact to the company in Pax8: that makes it active.",
            "Deleted": "Name the company that took its place as company_id in clients.yml.",
        }.get(status, "Open the company in Pax8 and make it active.")
        raise Refused(VENDOR, call, f"the company is {status.lower() or 'of unknown state'}", fix)
    return company


async def read_facts(api: Pax8Api, account: Account) -> Pax8Facts:
    """All subscriptions that bill."""
    found = await read_subscriptions(api)
    return Pax8Facts(company=account.name, read_at=api.around.clock.now(), subscriptions=found)


async def complete_facts(api: Pax8Api, facts: Pax8Facts, read: Read) -> Pax8Facts:
    """The facts with the seats the leaver frees. What another system does not tell is noted, never raised."""
    try:
        held, counts = await asyncio.gather(held_licences(read), counts_of(read))
    except VendorError as error:
        return facts.model_copy(update={"unknown": str(error)})
    today = facts.read_at.date()
    seats: list[Seat] = []
    for one in held:
        count = counts.get(one.sku)
        kept_free, kept_for = api.settings.spoken_for(one.part_number, today)
        seats.append(
            one.model_copy(
                update={
                    "bought": count.bought if count else None,
                    "used": count.used if count else None,
                    "kept_free": kept_free,
                    "kept_for": kept_for,
                }
            )
        )
    matches = _matches(seats, facts.subscriptions, api)
    found = await asyncio.gather(*(_known(api, one, how) for one, how in zip(seats, matches, strict=True)))
    fresh = {one.id: one for one in facts.subscriptions} | {one.id: one for _, read in found for one in read}
    return facts.model_copy(
        update={"seats": _named_apart(seat for seat, _ in found), "subscriptions": tuple(fresh.values())}
    )


async def held_licences(read: Read) -> tuple[Seat, ...]:
    """What the leaver holds now, each product once however it came to them."""
    listed = (await read(HELD)).get("licences")
    found: dict[str, Seat] = {}
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict):
            sku, carries = text(one, "sku"), one.get("carries_mailbox")
            found[sku] = Seat(
                sku=sku,
                part_number=text(one, "part_number"),
                name=text(one, "name") or text(one, "part_number") or sku,
                carries_mailbox=carries if isinstance(carries, bool) else None,
            )
    return tuple(found.values())


async def counts_of(read: Read) -> dict[str, Count]:
    """How Microsoft counts every product's seats now."""
    found: dict[str, Count] = {}
    for sku, one in (await read(FREE)).items():
        if isinstance(one, dict):
            bought, used = number_of(one, "bought"), number_of(one, "used")
            if bought is not None and used is not None:
                found[sku] = Count(int(bought), int(used))
    return found


def _matches(seats: Sequence[Seat], subscriptions: Sequence[Subscription], api: Pax8Api) -> list[Match]:
    """What pays for each; two licences that one subscription fits are both uncertain."""
    found = [match(one.part_number, one.name, subscriptions, api.settings.products) for one in seats]
    chosen = [one.subscription for one in found if one.subscription]
    return [
        Match(candidates=(one.subscription,), how=f"{one.how}, which fits another licence of theirs as well")
        if chosen.count(one.subscription) > 1
        else one
        for one in found
    ]


async def _known(api: Pax8Api, seat: Seat, how: Match) -> tuple[Seat, tuple[Subscription, ...]]:
    """The seat with what pays for it or may: only a subscription asked for by itself is sure to show its commitment."""
    told = seat.model_copy(update={"candidates": how.candidates, "matched_by": how.how})
    if not how.subscription:
        return told, tuple(await asyncio.gather(*(read_subscription(api, one) for one in how.candidates)))
    subscription, history = await asyncio.gather(
        read_subscription(api, how.subscription), read_history(api, how.subscription)
    )
    rules = await read_rules(api, subscription)
    update = {"subscription": subscription.id, "name": subscription.product, "rules": rules, "history": history}
    return told.model_copy(update=update), (subscription,)


def _named_apart(seats: Iterable[Seat]) -> tuple[Seat, ...]:
    """Every seat under a name of its own: rows of the step are found by it."""
    found: dict[str, Seat] = {}
    for seat in seats:
        name = seat.name if seat.name not in found else f"{seat.name} ({seat.part_number or seat.sku})"
        found[name] = seat.model_copy(update={"name": name})
    return tuple(found.values())
