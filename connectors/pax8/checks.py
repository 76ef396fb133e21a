"""Whether it would work, asked before a live case; and the read that other systems may ask."""

from __future__ import annotations

import asyncio

from connectors.contract import Account, Check, Json, SignInFailed, Unreachable, VendorError
from connectors.http import RefusedWith
from connectors.pax8.client import VENDOR, WRITE_FIX, Pax8Api, text
from connectors.pax8.facts import read_company
from connectors.pax8.matching import NAMES, match, part_number_of
from connectors.pax8.reduce import ReduceSeats
from connectors.pax8.subscriptions import Subscription, read_history, read_rules, read_subscription, read_subscriptions
from connectors.pax8.window import window_of

_STEPS = (ReduceSeats.id,)


async def check_company(api: Pax8Api) -> tuple[Check, ...]:
    """Signed in, the company active, everything named in clients.yml found. Raises VendorError when unreachable."""
    try:
        company = await read_company(api)
        subscriptions = await read_subscriptions(api)
    except SignInFailed as refused:
        return (Check("Signed in", ok=False, said=refused.message, fix=refused.fix, steps=_STEPS),)
    except Unreachable:
        raise
    except VendorError as refused:
        title = "Permission to read" if isinstance(refused, RefusedWith) and refused.status == 403 else "Company"
        signed_in = Check("Signed in", ok=True, said="Pax8 took our credentials.")
        return (signed_in, Check(title, ok=False, said=refused.message, fix=refused.fix, steps=_STEPS))
    return (
        Check("Signed in", ok=True, said="Pax8 took our credentials."),
        Check("Company", ok=True, said=f"{text(company, 'name')} is active, with {len(subscriptions)} subscriptions."),
        *_products(api, subscriptions),
        Check(
            "Permission to change subscriptions",
            ok=True,
            said=f"Not verified: nothing short of a change shows it. If a change is refused: {WRITE_FIX}",
        ),
    )


def _products(api: Pax8Api, subscriptions: tuple[Subscription, ...]) -> list[Check]:
    settings = api.settings
    named = [*settings.products, *settings.spares, *(one.part_number for one in settings.booked)]
    found: list[Check] = []
    for part_number in dict.fromkeys(named):
        matched = match(part_number, NAMES.get(part_number, ""), subscriptions, settings.products)
        if matched.subscription:
            one = next(one for one in subscriptions if one.id == matched.subscription)
            found.append(Check(part_number, ok=True, said=f"Paid by {one.product}, {one.quantity} seats."))
            continue
        several = [one.product for one in subscriptions if one.id in matched.candidates]
        said = f"It could be any of: {', '.join(several)}." if several else "No subscription fits it."
        fix = f"Put {part_number} and the Pax8 product's id under products in clients.yml, or take it out there."
        found.append(Check(part_number, ok=False, said=said, fix=fix, steps=_STEPS))
    return found


async def seats(api: Pax8Api, _account: Account) -> Json:
    """Part number → {"quantity", "target", "product", "subscription", "until"}, afresh.

    `target` is what the quantity will be once everything we sent shows; `until` when a seat may first be given back,
    null where that is now. Where several subscriptions are of one product, their seats are added up, `subscription`
    is '' and `until` null.
    """
    found: dict[str, list[Subscription]] = {}
    for one in await read_subscriptions(api):
        part_number = part_number_of(one, api.settings.products)
        if part_number:
            found.setdefault(part_number, []).append(one)
    alone = {part_number: same[0] for part_number, same in found.items() if len(same) == 1}
    windows = await asyncio.gather(*(_committed_until(api, one) for one in alone.values()))
    until = dict(zip(alone, windows, strict=True))
    return {
        part_number: {
            "quantity": sum(one.quantity for one in same),
            "target": sum(api.pending.expected(one.id, one.quantity) for one in same),
            "product": same[0].product,
            "subscription": same[0].id if len(same) == 1 else "",
            "until": until.get(part_number),
        }
        for part_number, same in found.items()
    }


async def _committed_until(api: Pax8Api, subscription: Subscription) -> str | None:
    # A list may leave the commitment out; the subscription itself says it.
    whole = await read_subscription(api, subscription.id)
    history, rules = await asyncio.gather(read_history(api, subscription.id), read_rules(api, whole))
    window = window_of(whole, rules, history, api.around.clock.now())
    return window.at.isoformat() if window.at else None


SEATS = f"{VENDOR}.seats"
