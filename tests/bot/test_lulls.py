"""Garbage is collected while nobody waits, and in the middle of things only when there is no lull at all."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic

from bot import lulls


@asynccontextmanager
async def collecting(heard_at: list[float], put_off: int = lulls.PUT_OFF) -> AsyncGenerator[list[float]]:
    """When full collections were made, while it lasts."""
    made = list[float]()

    def noted(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            made.append(monotonic())

    before = gc.get_threshold()
    lulls.not_by_itself()
    gc.callbacks.append(noted)
    task = asyncio.create_task(lulls.collect_in_lulls(lambda: heard_at[0], every=0.05, lull=0.1, put_off=put_off))
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gc.callbacks.remove(noted)
        gc.set_threshold(*before)


async def test_it_waits_until_people_have_stopped_pressing() -> None:
    heard_at = [monotonic()]
    async with collecting(heard_at) as made:
        for _ in range(10):
            await asyncio.sleep(0.03)
            heard_at[0] = monotonic()
        assert made == []
        await asyncio.sleep(0.5)
        assert made
        assert made[0] - heard_at[0] >= 0.1


async def test_without_any_lull_it_is_done_at_last() -> None:
    async with collecting([monotonic() + 1_000], put_off=2) as made:
        await asyncio.sleep(0.6)
        assert made


async def test_python_makes_none_by_itself_meanwhile() -> None:
    async with collecting([monotonic() + 1_000]) as made:
        # Old rings enough to make it collect everything some times over, were it left to itself.
        kept = [[object()] for _ in range(300_000)]
        assert made == []
        assert len(kept) == 300_000
