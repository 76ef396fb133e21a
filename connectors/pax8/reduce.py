"""The one step: one seat fewer on the client's subscription, when it is free, unneeded, and the term lets it go."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from connectors.contract import (
    Accepted,
    Choices,
    Done,
    Failed,
    Finding,
    Intent,
    Item,
    Nothing,
    Outcome,
    Refused,
    Step,
    Todo,
    Unreachable,
    Unreadable,
    VendorError,
    Waiting,
    Wave,
)
from connectors.http import RefusedWith
from connectors.pax8.client import VENDOR, Pax8Api
from connectors.pax8.facts import Ctx, Pax8Facts, Seat, counts_of, held_licences
from connectors.pax8.money import LICENCES, SEAT, SHRINK, seats_in_question
from connectors.pax8.rule import Seen, Take, Verdict, decide
from connectors.pax8.settings import day
from connectors.pax8.sights import busy, told, which_one, window_now
from connectors.pax8.subscriptions import (
    GOING,
    GONE,
    WORKING,
    Subscription,
    read_subscription,
)

RELEASE = ("microsoft365.release_licences", "microsoft365.leave_licence_groups")
BY_HAND = "by hand"


class ReduceSeats(Step[Pax8Api, Pax8Facts]):
    """Stop paying for the seat the leaver has freed. The new number of seats is fixed when it is first meant."""

    id = "pax8.reduce_seats"
    title = "Pay for one seat less"
    wave = Wave.BILLING
    after = RELEASE
    # What waits for the licence is tried again by itself once the licence is released.
    unlocked_by = RELEASE
    lag = timedelta(minutes=60)
    controls = ("CIS 2.1", "NIST CM-10", "NIST PS-4")
    permissions = ("subscriptions, read and change",)
    irreversible = (
        "A seat given back is bought anew at the price of that day, and for a whole new term where there is one."
    )
    money = True

    def wanted(self, choices: Choices, facts: Pax8Facts) -> bool:
        chosen = choices.get(LICENCES) == "release" and choices.get(SEAT) == SHRINK
        return chosen and bool(self.subjects(choices, facts))

    def subjects(self, choices: Choices, facts: Pax8Facts) -> tuple[str, ...]:
        return tuple(seat.name for seat in seats_in_question(facts, choices))

    async def look(self, ctx: Ctx) -> Finding:
        seat = ctx.facts.seat(ctx.subject)
        if seat is None:
            return Nothing("no seat of theirs goes by that name")
        if not seat.subscription:
            return which_one(ctx, seat)
        subscription = await read_subscription(ctx.api, seat.subscription)
        waits = busy(ctx, subscription, ctx.clock.now())
        if waits is not None:
            return waits
        (verdict, seen), window = await asyncio.gather(
            self._verdict(ctx, seat, subscription), window_now(ctx, subscription)
        )
        return told(ctx, subscription, window, verdict, seen)

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        """One absolute number, sent only while the subscription is still as it was when that number was fixed."""
        async with ctx.api.pending.turn(item.key):
            subscription = await read_subscription(ctx.api, item.key)
            before, target = _number(item, "quantity"), _number(item, "target")
            if unseen := ctx.api.pending.unseen(item.key, ctx.key, subscription.quantity):
                said = f"another seat was given back just now ({unseen.target} left) and does not show yet"
                raise Unreachable(VENDOR, f"GET /subscriptions/{item.key}", said)
            mine = ctx.api.pending.mine(item.key, ctx.key)
            # What was sent before a restart is not remembered; that another meant the same number is.
            known = ctx.api.pending.rival(item.key, ctx.key, before, intent.at)
            rival = mine is None and (known or intent.shared)
            if mine is not None and intent.repeated:
                before, target = mine.before, mine.target
            if intent.repeated and subscription.quantity <= target and not rival:
                return Accepted(str(target))
            if subscription.quantity != before:
                # Since it was looked at: another leaver's seat, or somebody by hand. Only a new look tells.
                item = await self._anew(ctx, item, subscription, before, may_look=rival or not intent.repeated)
                target = _number(item, "target")
                if subscription.quantity <= target:
                    return Accepted(str(target))
            if doubt := item.before.get("doubt"):
                raise Refused(
                    VENDOR,
                    f"PUT /subscriptions/{item.key}",
                    str(doubt),
                    "Compare with the licences in use: give it back by hand and say so, say that it is gone, or skip.",
                )
            await self._still_free(ctx, subscription)
            await _send(ctx, subscription, target)
            return Accepted(str(target))

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        seat = ctx.facts.seat(ctx.subject)
        if item.key == BY_HAND or item.before.get("doubt"):
            return await _by_hand(ctx, seat)
        subscription = await read_subscription(ctx.api, item.key)
        before = _number(item, "quantity")
        target = int(reference) if reference.isdecimal() else _number(item, "target")
        if subscription.quantity > before:
            return Failed(f"{subscription.product} reads as {subscription.quantity} seats: somebody has bought more")
        if subscription.quantity > target:
            return Waiting(_again_in(ctx, intent.at), f"Pax8 still shows {subscription.quantity} seats")
        if subscription.status in WORKING:
            return Waiting(_again_in(ctx, intent.at), f"Pax8 is still working on it ({subscription.status})")
        return Done(f"Pax8 reads as {subscription.quantity} seats, {before} before; its invoice follows from then on")

    async def _verdict(self, ctx: Ctx, seat: Seat, subscription: Subscription) -> tuple[Verdict, Seen]:
        held, counts = await asyncio.gather(held_licences(ctx.read), counts_of(ctx.read))
        count = counts.get(seat.sku)
        planned = ctx.facts.subscription(subscription.id) or subscription
        window = ctx.facts.window(seat)
        kept_free, kept_for = ctx.api.settings.spoken_for(seat.part_number, ctx.clock.now().date())
        seen = Seen(
            quantity=subscription.quantity,
            bought=count.bought if count else 0,
            used=count.used if count else 0,
            holds=any(one.sku == seat.sku for one in held),
            kept_free=kept_free,
            kept_for=kept_for,
            quantity_then=planned.quantity,
            used_then=seat.used,
            taken_by_others=ctx.api.pending.taken_by_others(
                subscription.id, ctx.key, ctx.facts.read_at, planned.quantity
            ),
            committed=window is not None and not window.now,
        )
        return decide(seen), seen

    async def _still_free(self, ctx: Ctx, subscription: Subscription) -> None:
        """The last look before money moves. Raises Refused where the seat is not free any more."""
        seat = ctx.facts.seat(ctx.subject)
        if seat is None:
            raise Refused(VENDOR, subscription.product, "no seat of theirs goes by that name", "Plan it anew.")
        verdict, seen = await self._verdict(ctx, seat, subscription)
        if not isinstance(verdict, Take) or subscription.quantity < 2:
            raise Refused(VENDOR, subscription.product, f"no seat is free any more: {seen.counts}", "Look, then retry.")

    async def _anew(self, ctx: Ctx, item: Item, now: Subscription, before: int, *, may_look: bool) -> Item:
        """The item as it would be meant now. Raises Refused when what was meant can't be told from what others did."""
        found: Finding | None = None
        if may_look and now.quantity < before:
            found = await self.look(ctx)
        if isinstance(found, Todo):
            return found.items[0]
        if now.quantity < before:
            return item
        raise Refused(
            VENDOR,
            f"PUT /subscriptions/{item.key}",
            f"somebody changed it meanwhile: {before} seats when it was looked at, {now.quantity} now",
            "Give the seat back by hand in Pax8 if it is still free, and say so; or skip.",
        )


# --- sending and reading back -------------------------------------------------------------------


async def _send(ctx: Ctx, subscription: Subscription, target: int) -> None:
    ctx.api.pending.note(subscription.id, ctx.key, subscription.quantity, target)
    try:
        # Price, term and start can be written by the same call: nothing but the number may travel.
        await ctx.api.put(f"/subscriptions/{subscription.id}", {"quantity": target})
    except Unreachable:
        raise  # it may have happened
    except VendorError as refused:
        ctx.api.pending.forget(subscription.id, ctx.key)
        if not isinstance(refused, RefusedWith) or refused.status != 422:
            raise
        fix = (
            f"Its commitment does not let seats go now ({_committed(subscription)}): ask Pax8, or retry when it ends. "
            "Until then the seat is paid; it could be given to somebody."
        )
        raise RefusedWith(VENDOR, refused.call, refused.message, fix, refused.status, refused.code) from refused


def _committed(subscription: Subscription) -> str:
    end = subscription.committed_until
    return f"until {day(end)}" if end else "Pax8 shows no end of it"


async def _by_hand(ctx: Ctx, seat: Seat | None) -> Outcome:
    """Whether somebody has given a seat back since the plan was made, on any subscription that could be the one."""
    for candidate in (seat.subscription, *seat.candidates) if seat else ():
        planned = ctx.facts.subscription(candidate)
        if planned is None:
            continue
        subscription = await read_subscription(ctx.api, candidate)
        others = ctx.api.pending.taken_by_others(candidate, ctx.key, ctx.facts.read_at, planned.quantity)
        if subscription.quantity < planned.quantity - others or subscription.status in GONE | GOING:
            return Done(
                f"{subscription.product} reads as {subscription.quantity} seats ({subscription.status}), "
                f"{planned.quantity} when the plan was made"
            )
    if seat is None or not seat.paid:
        return Unreadable("no subscription of theirs is known")
    return Failed("no subscription has a seat fewer than when the plan was made")


def _number(item: Item, name: str) -> int:
    value = item.before.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(VENDOR, item.title, f"the plan does not say its {name}", "Plan it anew.")
    return value


def _again_in(ctx: Ctx, since: datetime) -> float:
    """Seconds until the next read: Pax8 counts in minutes."""
    age = (ctx.clock.now() - since).total_seconds()
    return 2.0 if age < 10 else 30.0 if age < 300 else 120.0
