"""A whole house in memory: a clock tests move, a queue without an engine, and a chat that keeps what it shows."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.event import listen
from sqlmodel import Session, SQLModel, col, select

from bot.slack.blocks import blocks
from bot.teams.cards import adaptive_card
from connectors.contract import AnyConnector, Surroundings
from connectors.registry import Registry
from handlers import deliver, lookups
from handlers.cases.store import Store, after_commit, use_wal
from handlers.cases.tables import Case, HistoryRow, Lookup, Plan, StepRow
from handlers.conversation import (
    Actor,
    Card,
    Inbound,
    Kind,
    Message,
    Place,
    Reply,
)
from handlers.hear import hear
from handlers.house import House, Timings
from handlers.people import Roster
from handlers.plan import sweep
from handlers.plan.queue import Attempt, Tasks
from handlers.plan.run import attempt
from handlers.remind import due_now
from tests.adaptive import problems

START = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


class FakeClock:
    """Time that passes only when told; sleeping tells it."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        await asyncio.sleep(0)


class FreeLimiter:
    """Lets everybody through."""

    async def turn(self, vendor: str, client: str) -> None:
        pass

    async def pause(self, vendor: str, client: str, seconds: float) -> None:
        pass


class MemoryQueue:
    """The queue's four verbs without an engine: what waits, waits for the test's clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.waiting: list[tuple[datetime, str, int]] = []
        self._tasks = Tasks(asyncio.sleep)
        self._attempt: Attempt | None = None

    def enqueue(self, session: Session, step_id: str, attempt: int, delay: float) -> None:
        begin = self._attempt
        assert begin is not None
        if delay:
            due = self._clock.now() + timedelta(seconds=delay)
            after_commit(session, lambda: self.waiting.append((due, step_id, attempt)))
        else:
            after_commit(session, lambda: self._tasks.begin(begin(step_id, attempt)))

    def cancel(self, session: Session, step_id: str, attempt: int) -> None:
        pass

    async def recover(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        pass

    def due(self) -> bool:
        """Begin what is due; whether there was anything."""
        now = self._clock.now()
        ready = [one for one in self.waiting if one[0] <= now]
        self.waiting = [one for one in self.waiting if one[0] > now]
        assert self._attempt is not None
        for _, step_id, number in ready:
            self._tasks.begin(self._attempt(step_id, number))
        return bool(ready)

    async def settled(self) -> None:
        await self._tasks.settled()

    async def close(self) -> None:
        await self._tasks.close()


@dataclass
class Shown:
    """One message in the memory chat, with every version of its card."""

    place: Place
    id: str
    versions: list[Card]

    @property
    def card(self) -> Card:
        return self.versions[-1]


def on_every_platform(card: Card) -> None:
    """Every card of every journey can be shown on Slack and in Teams, its buttons whole. Raises ValueError."""
    slack, drawn = json.dumps(blocks(card)), adaptive_card(card)
    assert problems(drawn) == [], card.title
    teams = json.dumps(drawn)
    for button in card.buttons:
        assert button.token in slack
        assert button.token in teams


class MemoryChat:
    """Every platform at once, and none: it keeps cards as they are."""

    platform = "any"

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self._ids = itertools.count(1)

    async def private(self, actor: Actor) -> Place:
        return Place(actor.platform, actor.workspace, f"D-{actor.user}", private=True)

    async def post(self, place: Place, card: Card) -> Message:
        on_every_platform(card)
        shown = Shown(place, str(next(self._ids)), [card])
        self.shown.append(shown)
        return Message(place, shown.id)

    async def update(self, message: Message, card: Card) -> None:
        on_every_platform(card)
        shown = next(one for one in self.shown if one.id == message.id)
        if words(shown.card) != words(card) or shown.card != card:
            shown.versions.append(card)


def words(card: Card) -> str:
    """Everything a card says, as plain text."""
    lines = [card.title]
    if card.progress:
        lines.append(f"Step {card.progress[0]} of {card.progress[1]}")
    for section in card.sections:
        lines.append(section.heading)
        lines += [str(line) for line in section.body]
        lines += [f"{fact.label}: {fact.value}" for fact in section.facts]
        for check in section.checklist:
            lines.append(f"[{check.mark}] {check.value}" + (f" – {check.detail}" if check.detail else ""))
        lines += [f"<{one.label}>" for one in section.fields]
        lines += [f"({button.label})" for button in section.buttons]
    return "\n".join(line for line in lines if line)


@dataclass(frozen=True)
class Where:
    """On which platforms people are: the clients' and the MSP's."""

    clients: str
    msp: str

    @property
    def both(self) -> tuple[str, ...]:
        """Each of them once."""
        return tuple(dict.fromkeys((self.clients, self.msp)))


PLATFORMS = {"slack": Where("slack", "slack"), "teams": Where("teams", "teams"), "mixed": Where("teams", "slack")}


@dataclass
class Stage:
    """Where this test's people are; Slack, unless a journey says otherwise."""

    where: Where


STAGE = Stage(PLATFORMS["slack"])


def roster(**changes: object) -> Roster:
    """The people of the tests: Maria manages Contoso; Sam and Priya are technicians; Ada is the admin."""
    theirs, ours = STAGE.where.clients, STAGE.where.msp
    people: list[dict[str, object]] = [
        {"id": "maria", "name": "Maria Lopez", "identities": [f"{theirs}/T-CONTOSO/maria"], "manages": ["contoso"],
         "mail": "maria.lopez@toy.example"},
        {"id": "noor", "name": "Noor Haddad", "identities": [f"{theirs}/T-CONTOSO/noor"], "manages": ["contoso"]},
        {"id": "sam", "name": "Sam Lee", "identities": [f"{ours}/T-MSP/sam"], "technician": True},
        {"id": "priya", "name": "Priya Rao", "identities": [f"{ours}/T-MSP/priya"], "technician": True},
        {"id": "ada", "name": "Ada Byrne", "identities": [f"{ours}/T-MSP/ada"], "admin": True, "manages": ["own"]},
        {"id": "bill", "name": "Bill Penny", "identities": [f"{ours}/T-MSP/bill"], "billing": True},
        {"id": "finn", "name": "Finn Fabric", "identities": [f"{theirs}/T-FABRIKAM/finn"], "manages": ["fabrikam"]},
    ]  # fmt: skip
    contoso: dict[str, object] = {"id": "contoso", "name": "Contoso Ltd", "systems": {"toy": {}}, "dry_run": False}
    contoso.update(changes)
    own: dict[str, object] = {
        "id": "own",
        "name": "Northwind IT",
        "own": True,
        "systems": {"toy": {}},
        "dry_run": False,
    }
    fabrikam: dict[str, object] = {"id": "fabrikam", "name": "Fabrikam Inc", "systems": {"toy": {}}, "dry_run": False}
    channel = {"platform": ours, "workspace": "T-MSP"}
    return Roster.model_validate(
        {
            "msp": {
                "name": "Northwind IT",
                "phone": "+44 20 7946 0000",
                "technicians": {**channel, "channel": "C-TECH"},
                "admins": {**channel, "channel": "C-ADMIN"},
            },
            "people": people,
            "clients": [contoso, own, fabrikam],
        }
    )


@dataclass
class World:
    """The house and everybody in it; tests speak through it."""

    house: House
    clock: FakeClock
    queue: MemoryQueue
    chat: MemoryChat
    pages: list[str] = field(default_factory=list[str])
    strangers_from: str = "T-NOWHERE"
    """The workspace that somebody who is in no configuration types in."""
    _keys: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    async def build(
        cls,
        folder: Path,
        connectors: tuple[AnyConnector, ...],
        people: Roster,
        stores: type[Store] = Store,
        name: str = "offboard.db",
    ) -> World:
        store = stores(f"sqlite:///{folder / name}")
        listen(store.engine, "connect", _hasty)
        use_wal(store.engine)
        SQLModel.metadata.create_all(store.engine)
        clock, chat = FakeClock(), MemoryChat()
        queue = MemoryQueue(clock)
        pages: list[str] = []

        async def page(sentence: str) -> None:
            pages.append(sentence)

        def surroundings(client: str) -> Surroundings:
            return Surroundings(
                client=client,
                clock=clock,
                limiter=FreeLimiter(),
                secret=lambda reference: f"secret of {reference}",
                password=lambda: secrets.token_urlsafe(32),
            )

        house = House(
            roster=people,
            registry=Registry(connectors),
            store=store,
            queue=queue,
            clock=clock,
            surroundings=surroundings,
            chats=dict.fromkeys(STAGE.where.both, chat),
            page=page,
            new_id=_id,
            new_token=lambda: secrets.token_urlsafe(16),
            timings=Timings(coalesce=timedelta(0), inline=timedelta(0)),
        )
        await queue.recover(lambda step_id, number: attempt(house, step_id, number))
        return cls(house, clock, queue, chat, pages)

    async def close(self) -> None:
        await self.queue.close()
        await self.house.close()
        self.house.store.close()

    # --- people ---------------------------------------------------------------------------------

    def actor(self, person: str) -> Actor:
        found = self.house.roster.person(person)
        return found.actors[0] if found else Actor(STAGE.where.clients, self.strangers_from, person)

    async def types(self, person: str, line: str, *, channel: str = "", dedupe: str = "") -> Reply:
        """Type a slash command in the private chat, or in a channel."""
        actor = self.actor(person)
        command, _, rest = line.removeprefix("/").partition(" ")
        place = Place(actor.platform, actor.workspace, channel or f"D-{actor.user}", private=not channel)
        key = dedupe or f"key-{next(self._keys)}"
        reply = await hear(self.house, Inbound(Kind.COMMAND, actor, place, key, command, rest))
        await self.settle()
        return reply

    async def clicks(
        self,
        person: str,
        label: str,
        *,
        on: Shown | None = None,
        values: Mapping[str, str] | None = None,
        within: str = "",
        settle: bool = True,
    ) -> Reply:
        """Press the button of that label, on the newest message that has it where this person can see it."""
        shown = on or self.with_button(person, label)
        sections = [section for section in shown.card.sections if not within or within == section.heading]
        button = next(button for section in sections for button in section.buttons if label in button.label)
        return await self.presses(person, button.token, shown.place, values, settle=settle)

    async def presses(
        self, person: str, token: str, place: Place, values: Mapping[str, str] | None = None, *, settle: bool = True
    ) -> Reply:
        """Press a button by its token: what a replay does."""
        key = f"key-{next(self._keys)}"
        click = Inbound(
            Kind.CLICK, self.actor(person), place, key, token=token, values=dict(values or {}),
            at_once=place.platform == "teams",
        )  # fmt: skip
        reply = await hear(self.house, click)
        if click.at_once and reply.card:
            await self._edits(token, reply)
        if settle:
            await self.settle()
        return reply

    async def _edits(self, token: str, reply: Reply) -> None:
        """What the edge of a platform does that answers a press with the next card: edit the message it was on."""
        versions = ((shown, card) for shown in self.chat.shown for card in shown.versions)
        pressed = (shown for shown, card in versions if any(button.token == token for button in card.buttons))
        message = next(Message(shown.place, shown.id) for shown in pressed)
        await deliver.answer(self.house, reply, lambda card: self.chat.update(message, card))

    def seen_by(self, person: str) -> list[Shown]:
        """What this person sees: their private chat, and the MSP's channels if they are in them."""
        found = self.house.roster.person(person)
        channels = {f"D-{self.actor(person).user}"}
        if found and (found.technician or found.admin):
            channels.add("C-TECH")
        if found and found.admin:
            channels.add("C-ADMIN")
        return [shown for shown in self.chat.shown if shown.place.channel in channels]

    def button(self, person: str, label: str) -> tuple[str, Place]:
        """The token of the newest button of that label, and where it is: what a replay needs."""
        shown = self.with_button(person, label)
        return next(button.token for button in shown.card.buttons if label in button.label), shown.place

    def with_button(self, person: str, label: str) -> Shown:
        for shown in reversed(self.seen_by(person)):
            if any(label in button.label for button in shown.card.buttons):
                return shown
        everything = "\n---\n".join(words(shown.card) for shown in self.seen_by(person))
        raise AssertionError(f"{person} sees no button '{label}' in:\n{everything}")

    def reads(self, person: str) -> str:
        """Everything on this person's screen, as it is now."""
        return "\n---\n".join(words(shown.card) for shown in self.seen_by(person))

    def news(self, person: str) -> str:
        """The short new messages alone."""
        return "\n---\n".join(words(shown.card) for shown in self.seen_by(person) if not shown.card.buttons)

    def card(self, person: str, title: str = "") -> Shown:
        """The newest message of that title this person sees."""
        return next(shown for shown in reversed(self.seen_by(person)) if title in shown.card.title)

    # --- time -----------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Let everything that is due happen, until nothing is."""
        for _ in range(50):
            await due_now(self.house)
            await lookups.begin_waiting(self.house)
            await self.house.settle()
            begun = self.queue.due()
            await self.queue.settled()
            await deliver.send_waiting(self.house)
            still = await deliver.send_waiting(self.house)
            if not begun and still is None and not await self._looking():
                return
        raise AssertionError("the world does not come to rest")

    async def _looking(self) -> bool:
        def due(session: Session) -> bool:
            waiting = session.exec(select(Lookup).where(col(Lookup.done).is_(False)))
            return any(row.lease_until is None or row.lease_until <= self.clock.now() for row in waiting)

        return await self.house.store.read(due)

    async def passes(self, **how_long: float) -> None:
        """Let time pass in small steps, everything due happening on the way."""
        end = self.clock.time + timedelta(**how_long)
        stride = max((end - self.clock.time) / 20, timedelta(seconds=1))
        while self.clock.time < end:
            self.clock.time = min(end, self.clock.time + stride)
            await sweep.lost_attempts(self.house)
            await self.settle()

    async def restart(self) -> None:
        """What a new process does about everything an old one left."""
        await self.queue.close()
        await self.house.close()
        self.queue.waiting.clear()
        await self.queue.recover(lambda step_id, number: attempt(self.house, step_id, number))
        await lookups.after_start(self.house)
        await sweep.after_start(self.house)
        await self.settle()

    # --- rows -----------------------------------------------------------------------------------

    async def steps(self) -> dict[str, StepRow]:
        """Step id → row, over all cases."""
        rows = await self.house.store.read(lambda session: list(session.exec(select(StepRow))))
        return {row.step: row for row in rows}

    async def rows(self) -> list[StepRow]:
        """Every step of every case; several may be of one kind."""
        return await self.house.store.read(lambda session: list(session.exec(select(StepRow))))

    async def plans(self) -> list[Plan]:
        return await self.house.store.read(lambda session: list(session.exec(select(Plan).order_by(col(Plan.id)))))

    async def cases(self) -> list[Case]:
        return await self.house.store.read(lambda session: list(session.exec(select(Case).order_by(col(Case.number)))))

    async def history(self) -> list[HistoryRow]:
        return await self.house.store.read(
            lambda session: list(session.exec(select(HistoryRow).order_by(col(HistoryRow.seq))))
        )


def _hasty(connection: sqlite3.Connection, _record: object) -> None:
    """No test survives the machine's loss of power: don't wait for its disk."""
    connection.execute("PRAGMA synchronous=OFF")


_counter = itertools.count()


def _id() -> str:
    """Ids in the order they were made."""
    return f"{next(_counter):08d}-{secrets.token_hex(4)}"
