"""What both platforms' edges have alike: what they need of the handlers, and answers after an acknowledgement."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from handlers.conversation import Actor, Card, ChatError, Inbound, Option, Reply


class House(Protocol):
    """What an edge needs of the handlers."""

    async def hear(self, inbound: Inbound) -> Reply:
        """Decide and commit. The same dedupe key twice changes nothing twice."""
        ...

    async def answer(self, reply: Reply, show: Callable[[Card], Awaitable[None]]) -> None:
        """Show the reply's card through `show`, which may raise ChatError."""
        ...

    async def suggest(self, actor: Actor, token: str, typed: str) -> tuple[Option, ...]:
        """Whom those letters could mean, in the field of that token; nobody whenever that mustn't be said."""
        ...

    async def back(self, actor: Actor, *, added: bool) -> None:
        """Who could not be written to has let the bot in again: show what they missed. Twice does it once."""
        ...


class Answers:
    """The tasks that answer once the platform has its acknowledgement; none of them is lost in silence."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._tasks = set[asyncio.Task[None]]()

    def start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Begin one."""
        task = asyncio.create_task(self._logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settle(self) -> None:
        """Wait until all of them are done."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _logged(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except ChatError as error:
            self._log.warning("an answer was not delivered: %s", error)
        except Exception as error:  # noqa: BLE001 - the last stop of an answer; the sender draws the card again
            self._log.error("an answer failed: %s", type(error).__name__)
