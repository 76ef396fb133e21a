"""Full collections of garbage while nobody waits: one stops the whole process for a sixth of a second."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from time import monotonic

EVERY = 60.0
"""Seconds between two full collections, when there are lulls."""
LULL = 2.0
"""Seconds nobody has asked for anything: then the next one is not likely to wait for us."""
PUT_OFF = 300
"""How many lulls that were none are waited for; then it is done in the middle of things."""
NEVER = 1_000_000
"""A threshold no old generation reaches; the two young ones, a millisecond each, are collected as ever."""


def not_by_itself() -> None:
    """From now on Python makes no full collection of its own accord; for a process that makes them in lulls."""
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)


async def collect_in_lulls(
    heard_at: Callable[[], float], *, every: float = EVERY, lull: float = LULL, put_off: int = PUT_OFF
) -> None:
    """Until cancelled. `heard_at` answers when somebody last asked for something, by `time.monotonic`."""
    while True:
        await asyncio.sleep(every)
        for _ in range(put_off):
            if monotonic() - heard_at() >= lull:
                break
            await asyncio.sleep(lull)
        gc.collect()
