"""From when on a seat may be given back: the commitment, and Microsoft's seven days after a purchase or renewal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.pax8.settings import day
from connectors.pax8.subscriptions import Change, Rules, Subscription, months_of

SEVEN_DAYS = timedelta(hours=168)
AFTER_THE_END = timedelta(hours=1)
"""How long after a commitment's end we look: the renewal needs a moment, and the seven days leave time enough."""


@dataclass(frozen=True)
class Window:
    """When a seat may be given back, and why."""

    why: str
    """'committed until 25 Aug 2027', 'bought on 22 Nov 2026, and for seven days …'."""
    at: datetime | None = None
    """When it may be, if not now."""

    @property
    def now(self) -> bool:
        """Whether it may be given back at once."""
        return self.at is None


def window_of(subscription: Subscription, rules: Rules, history: Sequence[Change], now: datetime) -> Window:
    """Whether a seat of it may be given back at that time. Pure.

    Without a commitment Pax8 shows, nothing stands in the way that we could know of; its own no is the last word.
    """
    end = subscription.committed_until
    if end is None:
        return Window("no commitment")
    if rules.allows_decrease is True:
        return Window("its commitment lets seats go at any time")
    if end <= now:
        return Window(f"its commitment ended on {day(end)}")
    opened = _opened(subscription, history, now)
    if opened is not None:
        what, since = opened
        return Window(f"{what} on {day(since)}, and for seven days a seat may be given back")
    return Window(f"committed until {day(end)}", end + AFTER_THE_END)


def _opened(subscription: Subscription, history: Sequence[Change], now: datetime) -> tuple[str, datetime] | None:
    """What began seven days in which a seat may go, and when; each seat added later has its own seven days."""
    earliest = now - SEVEN_DAYS
    bought = subscription.bought
    if bought is not None and earliest < bought <= now:
        return "bought", bought
    renewed = _months_before(subscription.committed_until, months_of(subscription.commitment_term))
    if renewed is not None and earliest < renewed <= now:
        return "renewed", renewed
    return _added(history, earliest, now)


def _added(history: Sequence[Change], earliest: datetime, now: datetime) -> tuple[str, datetime] | None:
    """When seats were added of which at least one has not been given back since."""
    before = [change for change in history if change.at <= earliest]
    if not before:
        # How many there were is not known: what looks like an addition may be the first row that was kept.
        within = list(history)
        quantity = within[0].quantity if within else 0
    else:
        within = [change for change in history if earliest < change.at <= now]
        quantity = before[-1].quantity
    added, latest = 0, None
    for change in within:
        step = change.quantity - quantity
        if step > 0 and change.at > earliest:
            latest = change.at
        added = max(0, added + step)
        quantity = change.quantity
    return ("seats were added", latest) if added > 0 and latest is not None else None


def _months_before(end: datetime | None, months: int | None) -> datetime | None:
    """The same day so many months earlier; the last one of a shorter month."""
    if end is None or months is None:
        return None
    total = end.year * 12 + end.month - 1 - months
    year, month = divmod(total, 12)
    for latest in (end.day, 30, 29, 28):
        try:
            return end.replace(year=year, month=month + 1, day=min(latest, end.day))
        except ValueError:
            continue
    return None
