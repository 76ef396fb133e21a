"""What runs beside the requests starts, is woken, and stops at once whatever is going on."""

from __future__ import annotations

import asyncio

from handlers.loops import Loops
from tests.world import World


async def test_stopping_is_prompt_even_when_something_wakes_the_loops_at_that_moment(world: World) -> None:
    for _ in range(3):
        loops = Loops(world.house)
        await loops.start()
        await asyncio.sleep(0.1)  # both loops have come to rest and wait to be woken
        world.house.work.set()
        world.house.cards.set()
        async with asyncio.timeout(5):
            await loops.stop()
