"""Toy systems: a directory of people and their badge, and a help desk whose tickets must never be doubled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import BaseModel

from connectors.contract import (
    Accepted,
    Account,
    Caution,
    Choice,
    Choices,
    Connector,
    Context,
    Done,
    Failed,
    Finding,
    Intent,
    Item,
    Json,
    Nothing,
    OneTimeSecret,
    Outcome,
    Question,
    Step,
    Surroundings,
    Task,
    TaskStep,
    Todo,
    Topic,
    Unreadable,
    VendorError,
    Waiting,
    Wave,
    WayIn,
)


class ToySettings(BaseModel):
    """Nothing to set."""


class ToyFacts(BaseModel):
    """What the toy directory knows."""

    doors: list[str] = []
    boss_of: list[str] = []
    cautions: list[str] = []
    approvers: int = 1
    proof: str = ""
    by_hand: bool = False
    paid: bool = False


@dataclass
class ToyPerson:
    """Somebody in the toy directory."""

    account: Account
    open: bool = True
    doors: list[str] = field(default_factory=lambda: ["front door"])
    boss_of: list[str] = field(default_factory=list[str])
    cautions: list[str] = field(default_factory=list[str])
    approvers: int = 1
    proof: str = ""
    by_hand: bool = False
    paid: bool = False
    later_doors: list[str] = field(default_factory=list[str])


@dataclass
class ToyWorld:
    """The vendor's side: state, a journal of effects, and faults on demand."""

    people: dict[str, ToyPerson] = field(default_factory=dict[str, ToyPerson])
    effects: list[str] = field(default_factory=list[str])
    tickets: dict[str, str] = field(default_factory=dict[str, str])
    faults: dict[str, list[VendorError]] = field(default_factory=dict[str, list[VendorError]])
    after: dict[str, list[VendorError]] = field(default_factory=dict[str, list[VendorError]])
    """Raised after the effect happened: a timeout after success."""
    stale: int = 0
    """How many read-backs still show the old state."""
    unreadable: bool = False
    """The help desk has no search: nothing tells a ticket from its absence."""
    pause: Callable[[str], Awaitable[None]] | None = None
    """Awaited before every call."""
    then: dict[str, Callable[[], None]] = field(default_factory=dict[str, Callable[[], None]])
    """Called once an effect has happened, before the answer is given."""

    def add(self, name: str, title: str = "", **more: object) -> ToyPerson:
        mail = name.casefold().replace(" ", ".").replace("'", "") + "@toy.example"
        person_id = f"id-{len(self.people) + 1}"
        account = Account(system="toy", id=person_id, name=name, title=title, mail=mail, user_name=mail)
        person = ToyPerson(account, **more)  # type: ignore[arg-type]
        self.people[person_id] = person
        return person

    def named(self, name: str) -> ToyPerson:
        return next(person for person in self.people.values() if person.account.name == name)

    async def call(self, name: str) -> None:
        if self.pause is not None:
            await self.pause(name)
        queue = self.faults.get(name)
        if queue:
            raise queue.pop(0)

    def done(self, name: str) -> None:
        if name in self.then:
            self.then[name]()
        queue = self.after.get(name)
        if queue:
            raise queue.pop(0)


Ctx = Context[ToyWorld, ToyFacts]


class CloseAccount(Step[ToyWorld, ToyFacts]):
    """Close the person's toy account."""

    id = "toy.close_account"
    title = "Close the account"
    wave = Wave.LOCK_OUT
    immediate = True
    lag = timedelta(minutes=2)

    async def look(self, ctx: Ctx) -> Finding:
        await ctx.api.call("look")
        person = ctx.api.people[ctx.account.id]
        if not person.open:
            return Nothing("the account is closed")
        return Todo((Item(key="account", title="the account", before={"open": True}),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await ctx.api.call("close")
        ctx.api.people[ctx.account.id].open = False
        ctx.api.effects.append(f"close {ctx.account.name}")
        ctx.api.done("close")
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        await ctx.api.call("read back")
        if ctx.api.stale > 0:
            ctx.api.stale -= 1
            return Waiting(1.0, "the directory still shows the old state")
        return Failed("still open") if ctx.api.people[ctx.account.id].open else Done("account reads closed")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        await ctx.api.call("open")
        ctx.api.people[ctx.account.id].open = True
        ctx.api.effects.append(f"open {ctx.account.name}")
        return Done("account reads open")


class TakeBadges(Step[ToyWorld, ToyFacts]):
    """Take the person's badge off every door."""

    id = "toy.take_badges"
    title = "Take the badge off every door"
    wave = Wave.LOCK_OUT
    after = ("toy.close_account",)
    irreversible = "badges must be issued again"

    async def look(self, ctx: Ctx) -> Finding:
        await ctx.api.call("look at doors")
        person = ctx.api.people[ctx.account.id]
        doors = [*person.doors, *person.later_doors]
        if not doors:
            return Nothing("the badge opens no door")
        return Todo(tuple(Item(key=door, title=door) for door in doors))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await ctx.api.call("take badge")
        person = ctx.api.people[ctx.account.id]
        for doors in (person.doors, person.later_doors):
            if item.key in doors:
                doors.remove(item.key)
        ctx.api.effects.append(f"badge {ctx.account.name} {item.key}")
        ctx.api.done("take badge")
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        await ctx.api.call("read doors")
        person = ctx.api.people[ctx.account.id]
        gone = item.key not in (*person.doors, *person.later_doors)
        return Done(f"{item.key} no longer opens") if gone else Failed(f"{item.key} still opens")


class CollectKeys(TaskStep[ToyWorld, ToyFacts]):
    """Real keys: no API."""

    id = "toy.collect_keys"
    title = "Collect the keys"
    wave = Wave.LOCK_OUT

    def wanted(self, choices: Choices, facts: ToyFacts) -> bool:
        return facts.by_hand

    def task(self, ctx: Ctx) -> Task:
        return Task("keys are metal", f"Take the keys from {ctx.account.name}.")


class OpenTicket(Step[ToyWorld, ToyFacts]):
    """Open one ticket: the effect that is not idempotent."""

    id = "toy.open_ticket"
    title = "Open a ticket"
    wave = Wave.HAND_OVER
    repeatable = False
    lag = timedelta(seconds=0)

    def wanted(self, choices: Choices, facts: ToyFacts) -> bool:
        return choices.get("toy.ticket") == "yes"

    async def look(self, ctx: Ctx) -> Finding:
        return Todo((Item(key="ticket", title="a ticket"),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await ctx.api.call("ticket")
        number = f"T{len(ctx.api.tickets) + 1}"
        ctx.api.tickets[number] = intent.key
        ctx.api.effects.append(f"ticket {intent.key}")
        ctx.api.done("ticket")
        return Accepted(number)

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        await ctx.api.call("find ticket")
        if ctx.api.unreadable:
            return Unreadable("the help desk has no search")
        found = [number for number, key in ctx.api.tickets.items() if key == intent.key]
        return Done(f"ticket {found[0]}") if found else Failed("no ticket carries the reference")


class StopPay(Step[ToyWorld, ToyFacts]):
    """Take the person off the payroll: harm unless the ticket is confirmed."""

    id = "toy.stop_pay"
    title = "Take off the payroll"
    wave = Wave.BILLING
    requires = ("toy.open_ticket",)

    def wanted(self, choices: Choices, facts: ToyFacts) -> bool:
        return facts.paid

    async def look(self, ctx: Ctx) -> Finding:
        await ctx.api.call("look at pay")
        if not ctx.api.people[ctx.account.id].paid:
            return Nothing("is not on the payroll")
        return Todo((Item(key="pay", title="the salary"),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await ctx.api.call("stop pay")
        ctx.api.people[ctx.account.id].paid = False
        ctx.api.effects.append(f"pay {ctx.account.name}")
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        return Failed("still paid") if ctx.api.people[ctx.account.id].paid else Done("off the payroll")


class Toy(Connector[ToyWorld, ToyFacts]):
    """The toy directory. One instance per world, because a test looks behind its back."""

    id = "toy"
    name = "Toy Directory"
    settings = ToySettings
    facts_model = ToyFacts
    steps = (CloseAccount(), TakeBadges(), CollectKeys(), OpenTicket(), StopPay())
    directory = True

    def __init__(self, world: ToyWorld, *, asks: bool = False) -> None:
        self.world, self.asks = world, asks

    async def open(self, settings: ToySettings, around: Surroundings) -> ToyWorld:
        return self.world

    async def close(self, api: ToyWorld) -> None:
        pass

    async def search(self, api: ToyWorld, text: str) -> list[Account]:
        await api.call("search")
        words = text.casefold().split()
        return [
            person.account.model_copy(update={"enabled": person.open})
            for person in api.people.values()
            if all(word in f"{person.account.name} {person.account.mail}".casefold() for word in words)
        ]

    async def find(self, api: ToyWorld, leaver: Account) -> list[Account]:
        await api.call("find")
        person = api.people.get(leaver.id)
        return [person.account] if person else []

    async def facts(self, api: ToyWorld, account: Account) -> ToyFacts:
        person = api.people[account.id]
        return ToyFacts(
            doors=person.doors,
            boss_of=person.boss_of,
            cautions=person.cautions,
            approvers=person.approvers,
            proof=person.proof,
            by_hand=person.by_hand,
            paid=person.paid,
        )

    def questions(self, facts: ToyFacts, choices: Choices) -> tuple[Question, ...]:
        if not self.asks:
            return ()
        ticket = Question(
            "toy.ticket",
            Topic.ANYTHING_ELSE,
            "Open a ticket about it?",
            (Choice("yes", "Open a ticket"), Choice("no", "No ticket")),
            recommended="yes",
            reason="so that nobody forgets.",
        )
        burn = Question(
            "toy.desk",
            Topic.DEVICES,
            "What becomes of the desk?",
            (Choice("burn", "Burn it", "it is gone", destroys=True), Choice("keep", "Keep it")),
            recommended="burn",
        )
        return (ticket, burn)

    def ways_in(self, facts: ToyFacts, choices: Choices) -> tuple[WayIn, ...]:
        ways = [
            WayIn("toy.account", "Toy account", ("toy.close_account",), timedelta(minutes=15), "passes live on"),
            WayIn("toy.doors", "Doors", ("toy.take_badges",)),
        ]
        if facts.by_hand:
            ways.append(WayIn("toy.keys", "Keys", ("toy.collect_keys",)))
        return tuple(ways)

    def cautions(self, facts: ToyFacts) -> tuple[Caution, ...]:
        cautions = [Caution(line, bars_immediate=True) for line in facts.cautions]
        if facts.approvers > 1:
            cautions.append(
                Caution(
                    "the last one with a master key", bars_immediate=True, approvers=facts.approvers, proof=facts.proof
                )
            )
        return tuple(cautions)

    def reports(self, facts: ToyFacts) -> frozenset[str]:
        return frozenset(facts.boss_of)

    async def restore(self, api: ToyWorld, account: Account) -> OneTimeSecret | None:
        await api.call("restore")
        return OneTimeSecret("Visitor pass", "open-sesame", 60)

    def reads(self) -> Mapping[str, Callable[[ToyWorld, Account], Awaitable[Json]]]:
        async def doors(api: ToyWorld, account: Account) -> Json:
            return {"doors": list(api.people[account.id].doors)}

        return {"toy.doors": doors}


class CloseAnnex(CloseAccount):
    """Close the person's account in the annex."""

    id = "annex.close_account"
    title = "Close the annex account"


class Annex(Toy):
    """A second system beside the first: its own vendor, its own faults."""

    id = "annex"
    name = "Annex"
    steps = (CloseAnnex(),)
    directory = False

    def ways_in(self, facts: ToyFacts, choices: Choices) -> tuple[WayIn, ...]:
        return (WayIn("annex.account", "Annex account", ("annex.close_account",)),)

    def reads(self) -> Mapping[str, Callable[[ToyWorld, Account], Awaitable[Json]]]:
        return {}
