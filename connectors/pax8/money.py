"""What the client is asked about the freed seat, and what will be paid less. Pure: from facts and answers alone."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from connectors.contract import Choice, Choices, Question, Topic
from connectors.money import Payer, Saving
from connectors.pax8.facts import Pax8Facts, Seat
from connectors.pax8.rule import Kept, Seen, decide
from connectors.pax8.settings import day
from connectors.pax8.subscriptions import Subscription

LICENCES, SEAT = "licences", "licences.seat"
SHRINK, KEEP = "shrink", "keep"


def questions_about(facts: Pax8Facts, choices: Choices) -> tuple[Question, ...]:
    """What becomes of the freed seats: one answer for all of them. The client reads this: its own prices only."""
    seats = seats_in_question(facts, choices)
    if choices.get(LICENCES) != "release" or not seats:
        return ()
    kept = [seat for seat in seats if kept_for(facts, seat)]
    names = ", ".join(seat.name for seat in seats)
    why_kept = "; ".join(f"{seat.name}: {kept_for(facts, seat)}" for seat in kept)
    if len(kept) == len(seats):
        recommended, reason = KEEP, f"It is needed soon: {why_kept}."
    elif kept:
        recommended, reason = SHRINK, f"Nobody is booked who needs the others; what is needed soon stays ({why_kept})."
    else:
        recommended, reason = SHRINK, "Nobody is booked who needs it, and an unused seat costs money every month."
    return (
        Question(
            SEAT,
            Topic.LICENCES,
            f"What becomes of the seat they free ({names})?",
            (
                Choice(SHRINK, "Stop paying for it", "; ".join(_shrinks(facts, seat) for seat in seats) + "."),
                Choice(KEEP, "Keep it free for somebody who starts soon", f"You go on paying{_paid(facts, seats)}."),
            ),
            recommended=recommended,
            reason=reason,
        ),
    )


def savings_of(facts: Pax8Facts, choices: Choices) -> tuple[Saving, ...]:
    """Less to pay for each seat that goes, the client's and the MSP's; while nothing is decided, what could be."""
    if choices.get(LICENCES, "release") != "release" or choices.get(SEAT, SHRINK) != SHRINK:
        return ()
    found: list[Saving] = []
    for seat in seats_in_question(facts, choices):
        subscription = facts.subscription(seat.subscription)
        # The last seat ends a subscription, which a person decides: nothing is promised there.
        if subscription is None or kept_for(facts, seat) or subscription.quantity < 2:
            continue
        starts, until = _from(facts, seat, subscription)
        for payer, amount in ((Payer.CLIENT, subscription.price), (Payer.MSP, subscription.partner_cost)):
            monthly = subscription.monthly(amount)
            if monthly and subscription.currency:
                found.append(
                    Saving(
                        title=f"{seat.name}, 1 seat",
                        payer=payer,
                        part_number=seat.part_number,
                        monthly=monthly,
                        currency=subscription.currency,
                        starts=starts,
                        committed_until=until,
                    )
                )
    return tuple(found)


def seats_in_question(facts: Pax8Facts, choices: Choices) -> tuple[Seat, ...]:
    """Seats that something pays for and that are going to be free; a shared mailbox may keep its licence."""
    stays = choices.get("mailbox") == "shared licensed"
    return tuple(seat for seat in facts.seats if seat.paid and not (stays and seat.carries_mailbox))


def kept_for(facts: Pax8Facts, seat: Seat) -> str:
    """Who needs the freed seat, in words; '' when nobody does."""
    subscription = facts.subscription(seat.subscription)
    if subscription is None or seat.bought is None or seat.used is None:
        return ""
    seen = Seen(
        quantity=subscription.quantity,
        bought=seat.bought,
        used=seat.used,
        holds=True,
        kept_free=seat.kept_free,
        kept_for=seat.kept_for,
        quantity_then=subscription.quantity,
        used_then=seat.used,
    )
    return ", ".join(seat.kept_for) if isinstance(decide(seen), Kept) else ""


def _from(facts: Pax8Facts, seat: Seat, subscription: Subscription) -> tuple[date | None, date | None]:
    """The first day it is not paid, and until when it is whatever is done."""
    window = facts.window(seat)
    if window is not None and not window.now and subscription.committed_until is not None:
        end = subscription.committed_until.date()
        return end, end
    return _next_period(subscription, facts.read_at.date()), None


def _next_period(subscription: Subscription, today: date) -> date | None:
    """The day its next monthly period begins; None where the period is longer or not known."""
    start = subscription.billing_start
    if start is None or subscription.months != 1:
        return None
    if start > today:
        return start
    year, month = (today.year, today.month) if today.day < start.day else divmod(today.year * 12 + today.month, 12)
    month = month if today.day < start.day else month + 1
    for latest in (31, 30, 29, 28):
        try:
            return date(year, month, min(start.day, latest))
        except ValueError:
            continue
    return None


def _shrinks(facts: Pax8Facts, seat: Seat) -> str:
    subscription = facts.subscription(seat.subscription)
    if subscription is None:
        return f"{seat.name}: a technician finds out which subscription it is"
    if needed := kept_for(facts, seat):
        return f"{seat.name}: stays all the same while it is needed ({needed})"
    if subscription.quantity < 2:
        return f"{seat.name}: the last seat, so a technician ends the subscription"
    window = facts.window(seat)
    if window is None or window.now:
        when = "now"
    else:
        when = (
            f"at the end of the commitment on {day(subscription.committed_until)}"
            if subscription.committed_until
            else ""
        )
    amount = _price(subscription)
    return f"{seat.name}: {f'{amount} less, ' if amount else ''}{when}"


def _paid(facts: Pax8Facts, seats: tuple[Seat, ...]) -> str:
    """' 34.20 USD a month', by currency; '' when no price is known."""
    sums: dict[str, Decimal] = {}
    for seat in seats:
        subscription = facts.subscription(seat.subscription)
        monthly = subscription.monthly(subscription.price) if subscription else None
        if subscription and monthly:
            sums[subscription.currency] = sums.get(subscription.currency, Decimal(0)) + monthly
    told = " and ".join(f"{amount:.2f} {currency}".strip() for currency, amount in sums.items())
    return f" {told} a month" if told else ""


def _price(subscription: Subscription) -> str:
    monthly = subscription.monthly(subscription.price)
    return f"{monthly:.2f} {subscription.currency} a month" if monthly else ""
