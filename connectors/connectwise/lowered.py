"""Which lines our own steps have lowered lately: two leavers who were looked at at once must not share one number.

Kept in memory, beside the connection: after a restart a line that is not as it was planned is a person's to judge.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

KEPT = timedelta(days=1)
"""What was lowered longer ago stands in what is read anyhow."""


@dataclass(frozen=True)
class Taken:
    """One fewer, asked for by one step."""

    by: str
    """The key of that step."""
    before: int
    target: int
    at: datetime


class Lowered:
    """What was sent lately, per line, and one change at a time to each."""

    def __init__(self) -> None:
        self._taken: dict[str, list[Taken]] = defaultdict(list)
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def turn(self, line: str) -> asyncio.Lock:
        """Held while a line is read, decided on and changed."""
        return self._turns[line]

    def note(self, line: str, taken: Taken) -> None:
        """Written down before it is sent; the same step's repeat stands for its first."""
        kept = [one for one in self._taken[line] if one.by != taken.by and taken.at - one.at < KEPT]
        self._taken[line] = [*kept, taken]

    def forget(self, line: str, by: str) -> None:
        """ConnectWise said no: nothing was lowered."""
        self._taken[line] = [one for one in self._taken[line] if one.by != by]

    def mine(self, line: str, by: str) -> Taken | None:
        """What that step itself has sent."""
        return next((one for one in self._taken[line] if one.by == by), None)

    def by_others(self, line: str, by: str, quantity: int, since: datetime) -> int:
        """How many other steps of ours have taken since then, and since the line read so."""
        known = [one for one in self._taken[line] if one.by != by and one.at >= since]
        return sum(one.before - one.target for one in known if one.before <= quantity)
