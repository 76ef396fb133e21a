"""What every handler is given: the configuration, the store, the queue, the clock and the open connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar

from connectors.contract import AnyConnector, Clock, Refused, Surroundings
from connectors.registry import Registry
from handlers.cases.store import Store
from handlers.conversation import Chat
from handlers.people import Person, Roster
from handlers.plan.queue import Queue

log = logging.getLogger("offboard")


@dataclass(frozen=True)
class Timings:
    """How long people and cards are waited for."""

    reminders: tuple[timedelta, ...] = (timedelta(minutes=2), timedelta(minutes=5))
    """A lock-out nobody approved is brought up again after so long."""
    page: timedelta = timedelta(minutes=10)
    """Then the person on call is paged and the manager told whom to ring."""
    still_open: timedelta = timedelta(hours=1)
    """A way in that is with a person and stays open is brought up again, every so often."""
    quiet: timedelta = timedelta(minutes=5)
    """An interview that said 'now' and stopped is shown to the technicians."""
    nudge: timedelta = timedelta(days=1)
    """A case left half-way is brought up again."""
    confirm_again: tuple[timedelta, ...] = (timedelta(minutes=15), timedelta(hours=1))
    """After a lock-out everything is read back again after so long, and after the next directory sync."""
    decide: timedelta = timedelta(days=7)
    """What was left for later is brought up again, every so often."""
    expire: timedelta = timedelta(days=14)
    """A case nobody touched for so long is closed, and says so."""
    ahead: timedelta = timedelta(days=7)
    """So long before a dated step is done, the technicians are told."""
    hurry: timedelta = timedelta(hours=1)
    """So long before its time a lock-out nobody has approved is brought up as one that waits now."""
    unhurried: timedelta = timedelta(days=1)
    """How often it is brought up before that, and how often a go is asked for."""
    patient: timedelta = timedelta(days=3)
    """After so long without a go the technicians are reminded as well."""
    asked_twice: timedelta = timedelta(minutes=10)
    """Within that time the second press of Go must follow the first."""
    button: timedelta = timedelta(days=30)
    coalesce: timedelta = timedelta(seconds=3)
    """Least time between two edits of one message."""
    inline: timedelta = timedelta(seconds=2)
    """How long the edge that heard a click may take to redraw its card before the sender does."""
    reading: timedelta = timedelta(seconds=15)
    """How long a system beside the directory may take to say what it knows: no lock-out is planned any later."""
    asking: timedelta = timedelta(seconds=50)
    """How long one look-up at vendors may take; less than its lease, so that nobody asks beside it."""
    patience: timedelta = timedelta(milliseconds=200)
    """How long the sender waits for messages on their way before it looks for others."""


T = TypeVar("T")


@dataclass(frozen=True)
class Claiming(Generic[T]):
    """An attempt that waits for its row."""

    step_id: str
    number: int
    taken: asyncio.Future[T]


@dataclass
class House:
    """The wiring. Built once by bot.app, by the lab's worlds and by the tests."""

    roster: Roster
    registry: Registry
    store: Store
    queue: Queue
    clock: Clock
    surroundings: Callable[[str], Surroundings]
    """Client id → what a connection for that client is opened with."""
    chats: Mapping[str, Chat]
    page: Callable[[str], Awaitable[None]]
    """Page the person on call with a sentence that names no leaver."""
    new_id: Callable[[], str]
    new_token: Callable[[], str]
    timings: Timings = field(default_factory=Timings)
    configured: tuple[Person, ...] = ()
    """Everybody clients.yml names; the roster may know more, whom an admin has bound since."""
    work: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by commits that left something due; the loops wait on it."""
    readings: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(3))
    """How many leavers' accounts are read ahead at once: nobody waits for these, and clicks must not."""
    cards: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by commits that left a card to draw."""
    asking: set[str] = field(default_factory=set[str])
    """Look-ups this process is asking now."""
    away: set[str] = field(default_factory=set[str])
    """Identities that can't be written to, as far as is known; see `handlers.back`."""
    suggesting: dict[tuple[str, str], tuple[str, asyncio.Task[Any]]] = field(default_factory=dict[Any, Any])
    """Look-ups made while somebody types: by what and who → of which case."""
    claiming: list[Claiming[Any]] = field(default_factory=list[Claiming[Any]])
    """Attempts of this process that are about to claim their rows."""
    sending: set[str] = field(default_factory=set[str])
    """Cards this process is sending now."""
    _connections: dict[tuple[str, str], asyncio.Task[Any]] = field(default_factory=dict[Any, Any])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[Any])

    def __post_init__(self) -> None:
        self.configured = self.roster.people

    async def connection(self, client_id: str, system: str) -> tuple[AnyConnector, Any]:
        """The connector and its open connection to that client's system, opened at first need."""
        connector = self.registry.get(system)
        key = (client_id, system)
        if key not in self._connections:
            client = self.roster.client(client_id)
            if client is None or system not in client.systems:
                raise Refused(
                    connector.name,
                    "open a connection",
                    f"client '{client_id}' has no system '{system}' any more.",
                    "Put it back into clients.yml, then retry.",
                )
            opening = connector.open(client.systems[system], self.surroundings(client_id))
            self._connections[key] = asyncio.ensure_future(opening)
        task = self._connections[key]
        try:
            return connector, await asyncio.shield(task)
        except Exception:
            if self._connections.get(key) is task:
                del self._connections[key]
            raise

    def desk_of(self, client_id: str) -> str:
        """Which of the client's systems is the MSP's service desk; '' for none."""
        client = self.roster.client(client_id)
        systems = client.systems if client else {}
        return next((name for name in systems if self.registry.get(name).desk is not None), "")

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside what is going on; its surprises are logged, and its row picks it up again."""
        task = asyncio.get_running_loop().create_task(self._logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _logged(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            # The type alone: a message could quote what a vendor or a person wrote.
            log.error("background work failed: %s", type(error).__name__, exc_info=error)

    async def settle(self) -> None:
        """Wait until nothing started here is running any more."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Stop what runs and close every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for (_, system), task in list(self._connections.items()):
            if task.done() and not task.cancelled() and task.exception() is None:
                await self.registry.get(system).close(task.result())
        self._connections.clear()
