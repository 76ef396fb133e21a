"""Would it work? Asks every system of every client, side by side, before a live case does; and `/offboard-doctor`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlmodel import Session

from connectors.contract import AnyConnector, Check, Surroundings, TaskStep, VendorError
from connectors.references import Unresolved
from connectors.registry import Registry
from handlers import messages
from handlers.cases.store import after_commit
from handlers.conversation import Actor, Card, ChatError, Inbound, Mark, Reply, Section, strong, text
from handlers.conversation import Check as Line
from handlers.house import House
from handlers.people import Client, Person, Roster

log = logging.getLogger("offboard.doctor")

T = TypeVar("T")

LIMIT = 45.0
"""Seconds one system may take for everything it is asked."""
AT_ONCE = 20
"""Systems asked side by side."""
MOST_CLIENTS = 15
"""With something to do, on one card; the rest is counted."""
MOST_STEPS = 6
"""Named of those that won't work; the JSON has them all."""
AGAIN = "Look whether it is up and can be reached from here, then ask again."
TRIES = 3
ONLY_ADMINS = "Only admins can do that."
_NOW = "doctor"
"""Stands in the house's list of what is being asked, while it is."""


@dataclass(frozen=True)
class Examined:
    """What one system of one client says."""

    client: Client
    system: str
    name: str
    checks: tuple[Check, ...]

    @property
    def wrong(self) -> int:
        """How many things are not as they must be."""
        return sum(check.wrong for check in self.checks)


@dataclass(frozen=True)
class ToDo:
    """Several failed checks with one cause and one remedy."""

    titles: tuple[str, ...]
    said: str
    fix: str
    steps: tuple[str, ...]
    """Titles of the steps that won't work until then."""

    @property
    def without(self) -> str:
        """What does not work until then, as people read it; '' where nothing can be named."""
        more = len(self.steps) - MOST_STEPS
        named = ", ".join(self.steps[:MOST_STEPS])
        return f"{named} and {more} more steps" if more > 1 else ", ".join(self.steps)


async def examine(
    clients: Iterable[Client], registry: Registry, surroundings: Callable[[str], Surroundings], limit: float = LIMIT
) -> tuple[Examined, ...]:
    """Every system of these clients, worst first, over connections of its own: a new consent shows only in those.

    What hangs or breaks is a failed check. Needs no database, and changes nothing anywhere.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def one(client: Client, system: str) -> Examined:
        connector = registry.get(system)
        async with places:
            checks = await _within(limit, connector, client, surroundings(client.id))
        return Examined(client, system, connector.name, checks)

    found = await asyncio.gather(*(one(client, system) for client in clients for system in client.systems))
    return tuple(sorted(found, key=lambda one: (-one.wrong, one.client.name, one.name)))


async def _within(limit: float, connector: AnyConnector, client: Client, around: Surroundings) -> tuple[Check, ...]:
    asked = await within(limit, _ask(connector, client, around))
    if asked is None:
        return _broken(connector, f"No answer within {limit:.0f} seconds.", AGAIN)
    failure = asked.exception()
    return asked.result() if failure is None else _broken(connector, *trouble(failure, connector.id))


async def within(limit: float, ask: Awaitable[T]) -> asyncio.Future[T] | None:
    """How it ended; None after that time. Not awaited any longer: what hangs may not even hear that it is cancelled."""
    asking = asyncio.ensure_future(ask)
    try:
        await asyncio.wait({asking}, timeout=limit)
    finally:
        if not asking.done():
            asking.cancel()
            asking.add_done_callback(lambda task: task.cancelled() or task.exception())
    return asking if asking.done() else None


def trouble(failure: BaseException, whose: str) -> tuple[str, str]:
    """What went wrong with a check, and what to do about it."""
    if isinstance(failure, VendorError):
        return f"{failure.call}: {failure.message}", failure.fix or AGAIN
    if isinstance(failure, Unresolved):
        said, _, fix = str(failure).partition(": ")
        return f"{said}.", f"{fix[:1].upper()}{fix[1:]}"
    # The type alone: a message could quote what was sent.
    log.error("the check of %s stumbled: %s", whose, type(failure).__name__)
    return f"The check itself stumbled ({type(failure).__name__}).", "Report it; nothing was changed."


async def _ask(connector: AnyConnector, client: Client, around: Surroundings) -> tuple[Check, ...]:
    api = await connector.open(client.systems[connector.id], around)
    try:
        return await connector.check(api)
    finally:
        await connector.close(api)


def _broken(connector: AnyConnector, said: str, fix: str) -> tuple[Check, ...]:
    steps = tuple(step.id for step in connector.steps if not isinstance(step, TaskStep))
    return (Check("Reachable", ok=False, said=said, fix=fix, steps=steps),)


def todos(registry: Registry, checks: Iterable[Check], *, choices: bool = False) -> list[ToDo]:
    """What is wrong – or, with `choices`, may stay as it is –, told once per remedy, what most depends on first."""
    alike: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        if not check.ok and check.choice is choices:
            alike.setdefault((check.said, check.fix), []).append(check)
    found: list[ToDo] = []
    for (said, fix), several in alike.items():
        ids = dict.fromkeys(step for check in several for step in check.steps)
        named = [step.title if (step := registry.find_step(one)) else one for one in ids]
        found.append(ToDo(tuple(check.title for check in several), said, fix, tuple(dict.fromkeys(named))))
    return sorted(found, key=lambda one: -len(one.steps))


def by_client(examined: Iterable[Examined]) -> dict[str, list[Examined]]:
    """Client id → its systems, the client with most to do first."""
    found: dict[str, list[Examined]] = {}
    for one in examined:
        found.setdefault(one.client.id, []).append(one)
    return dict(sorted(found.items(), key=lambda entry: -sum(one.wrong for one in entry[1])))


def chosen(roster: Roster, words: str) -> tuple[Client, ...]:
    """The client of that id or name, or all of them; none where there is no such client."""
    wanted = words.strip().casefold()
    return tuple(one for one in roster.clients if wanted in {"", one.id.casefold(), one.name.casefold()})


# --- /offboard-doctor ---------------------------------------------------------------------------


def command(session: Session, house: House, person: Person, inbound: Inbound) -> Reply:
    """Say at once that it is looked at; the card comes to the private chat when all have answered."""
    if not person.admin:
        return Reply(ONLY_ADMINS)
    clients = chosen(house.roster, inbound.text)
    if not clients:
        return Reply(f"There is no client '{inbound.text.strip()}'. Name one as clients.yml does, or none for all.")
    if _NOW in house.asking:
        return Reply("I am asking all systems already. The card comes to whoever asked first; ask again after that.")
    after_commit(session, lambda: _begin(house, inbound.actor, clients))
    count = messages.several(sum(len(one.systems) for one in clients), "system", "systems")
    where = "" if inbound.where.private else " in our private chat"
    return Reply(f"I ask {count} now, and show you{where} what I find. Nothing is changed.", neutral=True)


def _begin(house: House, actor: Actor, clients: Sequence[Client]) -> None:
    house.asking.add(_NOW)
    task = house.start(_show(house, actor, clients))
    # Not in the task: one that is cancelled before it has begun never gets there.
    task.add_done_callback(lambda _task: house.asking.discard(_NOW))


async def _show(house: House, actor: Actor, clients: Sequence[Client]) -> None:
    examined = await examine(clients, house.registry, house.surroundings)
    chat, card = house.chats[actor.platform], card_of(house.registry, examined)
    for left in reversed(range(TRIES)):
        try:
            await chat.post(await chat.private(actor), card)
        except ChatError as error:
            # It belongs to no case and tells of this moment only: it is asked for again rather than kept.
            log.warning("what the systems say can't be shown: %s", error)
            if not left or error.retry_after is None:
                return
            await house.clock.sleep(error.retry_after)
        else:
            return


def card_of(registry: Registry, examined: Iterable[Examined]) -> Card:
    """Every client with something to do, then those that have nothing."""
    found = by_client(examined)
    wrong = {name: sum(one.wrong for one in systems) for name, systems in found.items()}
    sections = [_client(registry, systems) for name, systems in found.items() if wrong[name]]
    more = len(sections) - MOST_CLIENTS
    sections = sections[:MOST_CLIENTS]
    if more > 0:
        left = messages.several(more, "more client has", "more clients have")
        sections.append(Section(body=(text(f"{left} something to do: name one behind the command."),)))
    well = [systems[0].client.name for name, systems in found.items() if not wrong[name]]
    if well:
        sections.append(Section(body=(text(strong("As it should be: "), ", ".join(well)),)))
    bad = sum(count > 0 for count in wrong.values())
    title = (
        "Every system would work" if not bad else f"{messages.several(bad, 'client needs', 'clients need')} something"
    )
    return Card(title, "What the systems say", None, tuple(sections))


def _client(registry: Registry, systems: Sequence[Examined]) -> Section:
    lines: list[Line] = []
    for one in systems:
        for todo in todos(registry, one.checks):
            without = f" Without it not: {todo.without}." if todo.steps else ""
            detail = text(f"{todo.said}{without} ", strong(todo.fix))
            lines.append(Line(Mark.FAILED, text(strong(one.name), f": {', '.join(todo.titles)}"), detail))
    lines += [Line(Mark.DONE, text(one.name)) for one in systems if not one.wrong]
    dry = " (dry run)" if systems[0].client.dry_run else ""
    return Section(heading=f"{systems[0].client.name}{dry}", checklist=tuple(lines))
