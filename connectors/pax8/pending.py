"""What we have sent to a subscription and what can't be seen there yet: Pax8 shows a new quantity late.

Kept in memory, beside the connection. It only spares people work: without it, as after a restart, the rules in
seats.py still take no seat that anybody needs.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.contract import Clock

SHOWS_WITHIN = timedelta(minutes=60)
"""How long a quantity that was sent may stay invisible before what is read is believed again."""


@dataclass(frozen=True)
class Sent:
    """A quantity that we asked for."""

    by: str
    """The key of the step that asked."""
    before: int
    target: int
    at: datetime


class Pending:
    """What was sent lately, per subscription, and one change at a time to each."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: dict[str, list[Sent]] = defaultdict(list)
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def turn(self, subscription: str) -> asyncio.Lock:
        """Held while a subscription is read, decided on and changed."""
        return self._turns[subscription]

    def note(self, subscription: str, by: str, before: int, target: int) -> None:
        """Written down before it is sent; the same step's repeat stands for its first."""
        kept = [one for one in self._sent[subscription] if one.by != by]
        self._sent[subscription] = [*kept, Sent(by, before, target, self._clock.now())]

    def forget(self, subscription: str, by: str) -> None:
        """Pax8 said no: nothing is pending."""
        self._sent[subscription] = [one for one in self._sent[subscription] if one.by != by]

    def unseen(self, subscription: str, by: str, quantity: int) -> Sent | None:
        """Another step's change that the quantity read does not show yet."""
        now = self._clock.now()
        for one in reversed(self._sent[subscription]):
            if one.by != by and one.target < quantity <= one.before and now - one.at < SHOWS_WITHIN:
                return one
        return None

    def mine(self, subscription: str, by: str) -> Sent | None:
        """What that step itself has sent last."""
        return next((one for one in self._sent[subscription] if one.by == by), None)

    def rival(self, subscription: str, by: str, before: int, since: datetime) -> bool:
        """Whether another step has sent a change from the same number: one number would stand for two seats then."""
        return any(
            one.by != by and one.before == before and one.at > since - SHOWS_WITHIN for one in self._sent[subscription]
        )

    def expected(self, subscription: str, quantity: int) -> int:
        """What the quantity will be once everything sent shows."""
        now = self._clock.now()
        unseen = [
            one.target
            for one in self._sent[subscription]
            if one.target < quantity <= one.before and now - one.at < SHOWS_WITHIN
        ]
        return min([quantity, *unseen])

    def taken_by_others(self, subscription: str, by: str, since: datetime, quantity: int) -> int:
        """How many of the seats that were read at that time other steps of ours have given back since.

        Told by the numbers rather than the minute: a reading may be older than what had been sent before it.
        """
        return sum(
            min(one.before, quantity) - one.target
            for one in self._sent[subscription]
            if one.by != by and one.target < quantity and one.at > since - SHOWS_WITHIN
        )
