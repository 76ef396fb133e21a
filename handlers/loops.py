"""What runs as long as the service does: attempts, look-ups, what is due, and the sender of cards."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, delete, select

from handlers import back, lookups, morning, newcomers
from handlers.cases import due
from handlers.cases.bindings import seed
from handlers.cases.tables import ButtonRow, CardRow, Heard, Lookup
from handlers.deliver import send_waiting
from handlers.house import House
from handlers.plan import sweep
from handlers.plan.run import attempt
from handlers.remind import due_now

log = logging.getLogger("offboard.loops")

LONGEST_NAP = 5.0
"""Seconds after which a loop looks again even if nothing woke it."""
MOMENT = 0.05
"""Seconds between a commit and asking what it left due: many commits at once are one question."""
BREATH = 0.1
"""Seconds between the first change and the drawing that shows it."""
SWEEP = 15.0
HEARD_FOR = timedelta(days=3)
"""How long a thing heard is remembered, to know it when it comes twice."""
KEPT_FOR = timedelta(days=7)
"""How long answered look-ups and cards that are shown no more are kept, for whoever asks what happened."""
STUMBLE = 1.0
"""Seconds until work that failed as a whole is looked at again."""


class Loops:
    """Starts and stops everything that runs beside the requests."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Recover what an earlier process left, then run."""
        house = self._house
        await newcomers.recall(house)
        await back.recall(house)
        await house.store.write(lambda session: seed(session, house))
        await house.queue.recover(lambda step_id, number: attempt(house, step_id, number))
        await lookups.after_start(house)
        await sweep.after_start(house)
        house.queue.every(SWEEP, lambda: sweep.lost_attempts(house))
        house.queue.every(3600, self.forget)
        self._tasks = [
            asyncio.create_task(self._run(self._work, house.work)),
            asyncio.create_task(self._run(self._cards, house.cards)),
        ]

    async def stop(self) -> None:
        """Stop; whatever was going on is picked up at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._house.queue.close()
        await self._house.close()

    async def _run(self, once: Callable[[], Awaitable[float]], wake: asyncio.Event) -> None:
        while True:
            wake.clear()
            nap = LONGEST_NAP
            try:
                nap = await once()
            except Exception:
                log.exception("a loop stumbled and goes on")
            # Not wait_for: in Python 3.11 it can swallow a cancellation, and we would never stop.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(nap, LONGEST_NAP)):
                    await wake.wait()

    async def _work(self) -> float:
        await self._house.clock.sleep(MOMENT)
        stumbled = False
        for part in (due_now, lookups.begin_waiting, morning.send, newcomers.propose):
            try:
                await part(self._house)
            except Exception as error:
                # The one must go on when the other can't; the type alone, a message could quote somebody.
                log.error("%s stumbled and goes on: %s", part.__name__, type(error).__name__, exc_info=error)
                stumbled = True
        soonest = await self._house.store.read(due.next_time)
        if soonest is None:
            return LONGEST_NAP
        return max((soonest - self._house.clock.now()).total_seconds(), STUMBLE if stumbled else 0.0)

    async def _cards(self) -> float:
        # What just woke us has more to commit: one drawing then shows all of it, and vendors go first.
        await self._house.clock.sleep(BREATH)
        wait = await send_waiting(self._house)
        return LONGEST_NAP if wait is None else wait

    async def forget(self) -> None:
        """Drop buttons nobody can press any more, things heard long ago, answered look-ups and dead cards."""

        def forget(session: Session) -> None:
            now = self._house.clock.now()
            session.exec(delete(ButtonRow).where(col(ButtonRow.expires_at) < now))
            session.exec(delete(Heard).where(col(Heard.at) < now - HEARD_FOR))
            session.exec(delete(Lookup).where(col(Lookup.done).is_(True), col(Lookup.lease_until) < now - KEPT_FOR))
            # A dead card that was neither shown nor tried has nothing to tell.
            last = sa.func.coalesce(col(CardRow.shown_at), col(CardRow.retry_at), now - 2 * KEPT_FOR)
            dead = select(CardRow.id).where(col(CardRow.dead) != "", last < now - KEPT_FOR)
            # A press on it is then a press on an old button, not on a card that can't be found.
            session.exec(delete(ButtonRow).where(col(ButtonRow.card_id).in_(dead)))
            session.exec(delete(CardRow).where(col(CardRow.id).in_(dead)))

        await self._house.store.write(forget)
