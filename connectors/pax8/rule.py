"""The rule that decides over a seat: is it free, is it needed, is it gone already? Numbers in, a verdict out.

Never a seat that somebody uses, that is booked, or that is to stay free; in doubt a person decides. README.md tells
the rule in words.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """One product's seats now, and as they were when the plan was made."""

    quantity: int
    """What Pax8 bills now."""
    bought: int
    used: int
    """As Microsoft counts now."""
    holds: bool
    """The leaver still has the licence, so that one of the used seats is going to be free."""
    kept_free: int
    kept_for: tuple[str, ...]
    quantity_then: int
    used_then: int | None
    taken_by_others: int = 0
    """Seats that other leavers' steps have given back since then."""
    committed: bool = False
    """No seat could go when the plan was made: what was free then was waiting for its day, too."""

    @property
    def available(self) -> int:
        """The smaller number is the safe one: either side may lag, and some seats may be bought elsewhere."""
        return min(self.quantity, self.bought)

    @property
    def idle(self) -> int:
        """Seats nobody uses once the leaver's licence is gone."""
        return self.available - (self.used - 1 if self.holds else self.used)

    @property
    def dropped(self) -> bool:
        """Fewer seats than then, by somebody else's hand than ours for other leavers."""
        return self.quantity < self.quantity_then - self.taken_by_others

    @property
    def counts(self) -> str:
        """What both sides show, in words."""
        return f"Pax8 shows {self.quantity} seats; Microsoft {self.bought}, of which {self.used} are used"


@dataclass(frozen=True)
class Take:
    """One seat can go."""

    doubt: str = ""
    """Why it may be gone already: then only a repeat of what was meant goes on, anything new is a person's."""


@dataclass(frozen=True)
class StillHeld:
    """It can go as soon as the leaver's licence is released."""


@dataclass(frozen=True)
class Gone:
    """Given back already, by us or by hand."""

    evidence: str


@dataclass(frozen=True)
class Kept:
    """Somebody is going to need it."""

    evidence: str


@dataclass(frozen=True)
class NotCounted:
    """Microsoft shows none free: it counts late, or the seat is in use again."""

    reason: str


@dataclass(frozen=True)
class Differs:
    """Both sides' numbers can't be brought together: a person has to look."""

    reason: str


Verdict = Take | StillHeld | Gone | Kept | NotCounted | Differs


def decide(seen: Seen) -> Verdict:
    """What becomes of the leaver's seat. Pure."""
    if seen.idle - seen.kept_free >= 1:
        if seen.holds:
            return StillHeld()
        return Take(_doubt(seen))
    if seen.dropped:
        return Gone(f"already {seen.quantity} seats, {seen.quantity_then} when the plan was made; {seen.used} are used")
    if seen.idle >= 1:
        return Kept(f"kept: {', '.join(seen.kept_for)}; {seen.counts}")
    if seen.bought != seen.quantity or seen.used > seen.bought:
        return Differs(f"{seen.counts}: so no seat of Pax8's is surely free")
    return NotCounted(f"{seen.counts}: it counts late, or somebody else has the seat")


def _doubt(seen: Seen) -> str:
    """Fewer seats than then, and yet no more idle ones: somebody may have given back this very seat by hand."""
    idle_then = seen.quantity_then - seen.used_then if seen.used_then is not None else None
    if seen.committed or not seen.dropped or (idle_then is not None and seen.idle > idle_then):
        return ""
    return (
        f"there were {seen.quantity_then} seats when the plan was made and there are {seen.quantity} now, so this one "
        f"may be gone already, although {seen.idle} are still free"
    )
