"""What a look at a subscription comes to, in the contract's words: to do, not before a day, nothing, or a person's."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from connectors.contract import Finding, Item, NotBefore, Nothing, Premature, Task, Todo, Unreachable
from connectors.pax8.client import VENDOR
from connectors.pax8.facts import Ctx, Seat
from connectors.pax8.rule import Differs, Gone, Kept, NotCounted, Seen, StillHeld, Verdict
from connectors.pax8.settings import day
from connectors.pax8.subscriptions import (
    GOING,
    GONE,
    WAITS_FOR_SOMEBODY,
    WORKING,
    Rules,
    Subscription,
    read_history,
    read_rules,
)
from connectors.pax8.window import Window, window_of

_AT_WORK_FOR = timedelta(days=1)
"""How long Pax8 may be at an earlier order before a person asks what is wrong."""


def told(ctx: Ctx, subscription: Subscription, window: Window, verdict: Verdict, seen: Seen) -> Finding:
    """The finding for that verdict. Raises Unreachable where Microsoft's count is to be asked again first."""
    match verdict:
        case Gone(evidence) | Kept(evidence):
            return Nothing(evidence)
        case _ if subscription.quantity <= 1:
            return last_seat(ctx, subscription, window)
        case _ if window.at is not None:
            item = item_for(subscription)
            return NotBefore(window.at, f"{window.why}; then {item.title}", (item,))
        case StillHeld():
            return Premature(
                reason=f"{item_for(subscription).title} once their licence is released ({seen.counts})",
                instructions="Release the licence in Microsoft 365; this goes on by itself then.",
            )
        case NotCounted(reason):
            # Asked again by the engine's rules for a while; then a person reads this sentence.
            raise Unreachable(VENDOR, subscription.product, reason, "If somebody else has it, skip this step.")
        case Differs(reason):
            return Task(
                reason=reason,
                instructions=f"Find out where the other seats of {subscription.product} come from, give one back "
                "where it is free, and say what you did; or skip this.",
            )
        case take:
            return Todo((item_for(subscription, take.doubt),))


def busy(ctx: Ctx, subscription: Subscription, now: datetime) -> Finding | None:
    """Why nothing can be asked of it at present; None when something can."""
    status, product = subscription.status, subscription.product
    if status in GONE | GOING:
        ends = f", and ends on {day(subscription.ends)}" if subscription.ends else ""
        return Nothing(f"the whole subscription reads as {status}{ends}")
    if subscription.ends is not None and subscription.billing_term != "Trial":
        return Nothing(f"the whole subscription ends on {day(subscription.ends)}")
    if status in WORKING and now - (subscription.updated or subscription.created or now) < _AT_WORK_FOR:
        wait = timedelta(minutes=15) if status == "PendingAutomated" else timedelta(hours=2)
        return NotBefore(now + wait, f"Pax8 is still at an earlier order ({status})", items_later(subscription))
    if status in WORKING | WAITS_FOR_SOMEBODY:
        return Task(
            reason=f"{product} reads as {status} at Pax8, and takes no change until that is settled",
            instructions=f"Open {product} of {ctx.facts.company} in Pax8, settle what it waits for, then retry.",
        )
    if subscription.started is not None and subscription.started > now:
        # Pax8 changes nothing on a subscription that has not begun.
        at = subscription.started + timedelta(hours=1)
        return NotBefore(at, f"it begins only on {day(subscription.started)}", items_later(subscription))
    unseen = ctx.api.pending.unseen(subscription.id, ctx.key, subscription.quantity)
    if unseen is not None:
        reason = f"another seat of it was given back just now ({unseen.target} left), and Pax8 does not show it yet"
        return NotBefore(now + timedelta(minutes=5), reason, items_later(subscription))
    return None


async def window_now(ctx: Ctx, subscription: Subscription) -> Window:
    """When a seat of it may go, from what its commitment and its history say now."""
    if subscription.committed_until is None:
        return window_of(subscription, Rules(), (), ctx.clock.now())
    rules, history = await asyncio.gather(read_rules(ctx.api, subscription), read_history(ctx.api, subscription.id))
    return window_of(subscription, rules, history, ctx.clock.now())


def item_for(subscription: Subscription, doubt: str = "") -> Item:
    """One seat fewer, as an absolute number."""
    target = subscription.quantity - 1
    return Item(
        key=subscription.id,
        title=f"{subscription.product}: {subscription.quantity} → {target} seats",
        before={
            "quantity": subscription.quantity,
            "target": target,
            "price": str(subscription.price) if subscription.price is not None else None,
            "currency": subscription.currency,
            **({"doubt": doubt} if doubt else {}),
        },
    )


def items_later(subscription: Subscription) -> tuple[Item, ...]:
    """What is to be changed once it can be; the last seat is a person's."""
    return (item_for(subscription),) if subscription.quantity > 1 else ()


def which_one(ctx: Ctx, seat: Seat) -> Task:
    """Several could be the one that pays: a person says which."""
    known = [one for one in (ctx.facts.subscription(candidate) for candidate in seat.candidates) if one is not None]
    listed = "; ".join(
        f"{one.product}, {one.quantity} seats, {one.billing_term.lower() or 'unknown term'}"
        + (f", committed until {day(one.committed_until)}" if one.committed_until else "")
        + f" ({one.id})"
        for one in known
    )
    return Task(
        reason=f"which subscription pays for {seat.name} is not certain ({seat.matched_by}): {listed}",
        instructions=(
            f"In Pax8, {ctx.facts.company} > Subscriptions, take one seat off the right one if Microsoft shows one "
            "free, and say which. To have it done by itself next time, put "
            f"{seat.part_number or 'the part number'} and the product's id or name under products in clients.yml."
        ),
    )


def last_seat(ctx: Ctx, subscription: Subscription, window: Window) -> Task:
    """Nothing would be left: that is a cancellation."""
    when = f" for {day(window.at)}, when its commitment is over" if window.at is not None else ""
    return Task(
        reason=f"it is the last seat of {subscription.product}: giving it back ends the subscription for good",
        instructions=(
            f"If nobody will need {subscription.product} again, cancel it{when} in Pax8, {ctx.facts.company} > "
            "Subscriptions, and say so; otherwise skip this."
        ),
    )
