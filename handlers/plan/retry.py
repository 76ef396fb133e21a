"""The retry rules: how often the engine tries again, and when it asks a person instead. Nowhere else."""

from __future__ import annotations

from datetime import timedelta

DELAYS = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds before each further try after a vendor gave no usable answer: about nine minutes in all."""

PATIENCE = timedelta(minutes=5)
"""How long a step may be told to wait before the technicians hear of it; it is tried on all the same."""

PAPER_AGAIN = 900.0
"""Seconds until a distributor or service desk that could not be read is asked again: no door stands open meanwhile."""

PAPER_WAITS = timedelta(hours=24)
"""How long that goes on before a person sees to it."""

IN_PLACE = 3.0
"""Seconds a step may wait for a read-back without giving up its place."""

TOGETHER = 0.015
"""Seconds a step's request may wait for others to share a call with; what ends access at once never waits."""

SAFETY_NET = 10.0
"""Seconds after which the queue looks whether an attempt started in this process has happened."""

LEASE = timedelta(seconds=120)
"""How long an attempt may hold its row without a sign of life."""


def again_in(troubles: int) -> float | None:
    """Seconds until the next try after so many in a row failed; None: a person has to look."""
    return DELAYS[troubles - 1] if troubles <= len(DELAYS) else None
