"""What every connector promises: accounts, facts, questions, ways in, and steps that look, act and confirm.

The words are the design's. Nothing here knows a vendor, a platform or a database; everything
here can be written down as JSON, because plans outlive processes.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from connectors.desk import Contact, Desk
from connectors.money import Saving

Json = dict[str, JsonValue]
Read = Callable[[str], Awaitable[Json]]
"""Ask another system by the name of its read, afresh: 'microsoft365.free_seats'. Raises VendorError, and Refused
where that system is not connected."""

Api = TypeVar("Api")
"""A connector's own open connection to one client's system."""
Facts = TypeVar("Facts", bound=BaseModel)
"""What a connector read about one account."""


class Clock(Protocol):
    """The time as the case sees it; tests move it, so nobody else may ask the machine."""

    def now(self) -> datetime:
        """Now, in UTC and aware."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        ...


class Limiter(Protocol):
    """The one gate every vendor request passes, per vendor and client."""

    async def turn(self, vendor: str, client: str) -> None:
        """Wait for a free place. Raises Throttled while the vendor asked for a longer pause."""
        ...

    async def pause(self, vendor: str, client: str, seconds: float) -> None:
        """Let nobody through for so many seconds: the vendor said so."""
        ...


class Wave(enum.IntEnum):
    """A step's priority; steps of different waves may still run side by side."""

    LOCK_OUT = 1
    PRESERVE = 2
    HAND_OVER = 3
    CLEAN_UP = 4
    BILLING = 5
    CLOSE = 6


class Topic(enum.IntEnum):
    """Where a connector's question stands in the interview: handlers own the order, connectors the words."""

    HOW_MUCH = 1
    MAILBOX_FATE = 2
    MAILBOX_USE = 3
    FILES = 4
    BACKUP = 5
    LICENCES = 6
    PHONE = 7
    DEVICES = 8
    ANYTHING_ELSE = 9


# --- whom it is about ---------------------------------------------------------------------------


class Account(BaseModel):
    """The leaver as one system knows them."""

    model_config = ConfigDict(frozen=True)

    system: str
    id: str
    """Immutable id in that system; plans never store a name that can change."""
    name: str
    mail: str = ""
    user_name: str = ""
    title: str = ""
    employee_id: str = ""
    immutable_id: str = ""
    """What ties it to the same person on premises, where the vendor has such a thing."""
    enabled: bool = True
    guest: bool = False
    matched_by: str = ""
    """How we know it is theirs, in words: 'chosen by the requester', 'same employee id'."""
    certain: bool = True
    """False makes it a question; nothing is changed in an account that is not certain."""


@dataclass(frozen=True)
class WayIn:
    """One way the leaver could get in; 'locked out' is the list of these, each with its time."""

    id: str
    title: str
    ended_by: tuple[str, ...]
    """Ids of the steps that end it; it is ended when all of them are read back."""
    lingers: timedelta = timedelta(0)
    """How long access may outlive the moment it was ended (tokens already issued)."""
    why_lingers: str = ""
    subject: str = ""
    """Only the rows of its steps that are for this subject end it; see `Step.subjects`."""
    kept: str = ""
    """Why the client chose to leave it open, and until when; nothing ends it then."""
    stands_in_for: str = ""
    """Listed only while that system is not connected or does not know the leaver: it lists its own."""


@dataclass(frozen=True)
class Caution:
    """Something about this leaver that the people deciding must be told, and what it demands."""

    text: str
    bars_immediate: bool = False
    """The manager's word alone is not enough; a technician decides."""
    approvers: int = 1
    """How many different technicians must approve the plan."""
    proof: str = ""
    """What an approver must state in writing before approving, as a sentence; empty: nothing."""


# --- what is asked ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """One answer that can be given to a question, with what it costs or means."""

    id: str
    label: str
    why: str = ""
    destroys: bool = False
    """Data is gone for good: never picked by 'accept all recommended'."""
    deliberate: bool = False
    """Can't be taken back or reaches outsiders: never picked by 'accept all recommended' either."""
    preview: tuple[str, ...] = ()
    """What exactly would be sent or cancelled, line by line."""
    account: Account | None = None
    """Set where the choice is a person of the directory; the choice's id is that account's."""


class Typed(enum.StrEnum):
    """What a question takes besides its choices."""

    NOTHING = "nothing"
    TEXT = "text"
    PERSON = "person"
    """Anybody in the client's directory, found by name."""
    MOMENT = "moment"
    """A day and a time, in the client's zone."""


@dataclass(frozen=True)
class Question:
    """Something only the client can decide, asked because the facts give it a subject."""

    id: str
    """Its own word, the same whichever system asks: 'mailbox', 'mailbox.forward', 'licences'."""
    topic: Topic
    text: str
    choices: tuple[Choice, ...] = ()
    typed: Typed = Typed.NOTHING
    recommended: str = ""
    """Id of a choice; of a person's account where one of the choices is that person."""
    reason: str = ""
    """Why that one is recommended, as one sentence."""
    can_wait: bool = True
    """It may be left for later, and everything is kept meanwhile; False: other steps rest on it."""
    heirs: bool = True
    """PERSON: those likely to take over are offered, and recommended where nobody else is."""
    suggestion: str = ""
    """TEXT: what stands in the field to begin with."""


LATER = "later"
"""The answer to any system's question that says 'not decided yet': everything is kept as it is."""
Choices = Mapping[str, str]
"""Confirmed answers so far: question id → choice id, the text given, or the object id of the person named.

An answer that is a person also stands as '<question>.name' and '<question>.mail'. What was not asked or not
answered is absent; steps act on a value they know, never on the absence of one.
"""


# --- what a step works with ---------------------------------------------------------------------


class Item(BaseModel):
    """One thing a step changes: one group of fourteen, one sign-in method of three."""

    model_config = ConfigDict(frozen=True)

    key: str
    title: str
    before: dict[str, JsonValue] = {}
    """What stood there before, enough to undo it; written once, with the intent."""
    destroys: bool = False
    """Acting on it loses data for good: added later, it needs a new approval."""


@dataclass(frozen=True)
class Intent:
    """Written down before the act, so that what a crash left behind can be found."""

    key: str
    """Stable over retries: for vendors' idempotency keys and for references to find the effect by."""
    at: datetime
    """When it was first meant, UTC: what happened earlier is not its effect."""
    repeated: bool = False
    """An earlier attempt may have acted already; look for its effect before acting again."""
    shared: bool = False
    """Repeated, and another row meant the same change of the same thing: an effect found there may be the other's."""


@dataclass(frozen=True)
class Context(Generic[Api, Facts]):
    """What a step is given: the account, what was decided, what was read, and an open connection."""

    api: Api
    account: Account
    facts: Facts
    choices: Choices
    clock: Clock
    key: str
    read: Read
    subject: str = ""
    """Which of the step's subjects this row is for; see `Step.subjects`."""


# Findings: what a step sees before it acts.


@dataclass(frozen=True)
class Todo:
    """There is something to change."""

    items: tuple[Item, ...]


@dataclass(frozen=True)
class Nothing:
    """It is already so, or has no subject; the evidence says why."""

    evidence: str


@dataclass(frozen=True)
class Task:
    """Nobody's API can do this: a named person does it by these instructions."""

    reason: str
    instructions: str


@dataclass(frozen=True)
class Premature(Task):
    """Its ground is missing: something else has to be so first. Told while the plan is proposed; later a task."""


@dataclass(frozen=True)
class NotBefore:
    """It can be done, but not before a day that is certain: a commitment ends then. It is looked at again that day."""

    at: datetime
    reason: str
    """'committed until 3 Aug 2027; then one seat fewer', as people read it."""
    items: tuple[Item, ...] = ()
    """What is to be changed then: what the approval covers."""


Finding = Todo | Nothing | Task | NotBefore


# Outcomes: what came of it.


@dataclass(frozen=True)
class Accepted:
    """The vendor took the request; that is not evidence yet."""

    reference: str = ""


@dataclass(frozen=True)
class Done:
    """Read back from the vendor."""

    evidence: str


@dataclass(frozen=True)
class Waiting:
    """Accepted, not visible yet; read again after so many seconds."""

    seconds: float
    reason: str


@dataclass(frozen=True)
class Failed:
    """It did not happen, or the vendor says no; a person reads the reason."""

    reason: str


@dataclass(frozen=True)
class Unreadable:
    """Nothing can be read back here: what a person states stays 'stated by …, not verified'."""

    reason: str


Outcome = Done | Waiting | Failed | Unreadable


class Step(ABC, Generic[Api, Facts]):
    """One kind of change at one system. Instances hold no state; rows do."""

    id: ClassVar[str]
    title: ClassVar[str]
    """What people read on the cards: 'Block sign-in'."""
    wave: ClassVar[Wave]
    requires: ClassVar[tuple[str, ...]] = ()
    """Steps that must be confirmed (or shown unneeded by the facts) first: they guard against harm."""
    after: ClassVar[tuple[str, ...]] = ()
    """Steps that must have settled first, however they ended: mere order."""
    unlocked_by: ClassVar[tuple[str, ...]] = ()
    """Steps after whose success a task of this one is tried again by itself: an administrator's roles are gone."""
    lag: ClassVar[timedelta] = timedelta(minutes=5)
    """How long a read-back may stay stale before a person is asked."""
    controls: ClassVar[tuple[str, ...]] = ()
    permissions: ClassVar[tuple[str, ...]] = ()
    irreversible: ClassVar[str] = ""
    """One sentence on what can't be undone; empty when it can."""
    early: ClassVar[bool] = False
    """Preserves quietly: goes ahead with the lock-out when the case is contentious."""
    stands_in_for: ClassVar[str] = ""
    """Left out where that system knows the leaver and does it itself, or could not be read and is a task."""
    immediate: ClassVar[bool] = False
    """May run on the manager's confirmation alone, where the client allows that."""
    money: ClassVar[bool] = False
    """Changes what is bought or invoiced: a billing person approves it, and what ends access never waits for it."""
    side_by_side: ClassVar[bool] = False
    """Its items may be changed at the same time, in any order."""
    repeatable: ClassVar[bool] = True
    """Repeating the act does no harm; False: after a crash only looking may settle it."""

    def wanted(self, choices: Choices, facts: Facts) -> bool:
        """Whether this case needs the step at all. Pure."""
        return True

    def subjects(self, choices: Choices, facts: Facts) -> tuple[str, ...]:
        """What it is done for, one row each: the copier, the bank. Most steps have one row and no subject."""
        return ("",)

    @abstractmethod
    async def look(self, ctx: Context[Api, Facts]) -> Finding:
        """Read only: what is there to do."""

    @abstractmethod
    async def act(self, ctx: Context[Api, Facts], item: Item, intent: Intent) -> Accepted:
        """One change. Raises VendorError; never repeats itself."""

    async def act_at_once(self, ctx: Context[Api, Facts], items: Sequence[Item]) -> Accepted | None:
        """All of them in one call, where the vendor has one; None: one by one. Raises VendorError, for all of them."""
        return None

    @abstractmethod
    async def confirm(self, ctx: Context[Api, Facts], item: Item, intent: Intent, reference: str) -> Outcome:
        """Read back what act changed."""

    async def proved(self, ctx: Context[Api, Facts], items: Sequence[Item]) -> Mapping[str, str]:
        """What one read proves of several items: key → evidence. Whatever it leaves out is confirmed by itself."""
        return {}

    async def undo(self, ctx: Context[Api, Facts], item: Item) -> Outcome | None:
        """Put `item.before` back; None where the vendor has no way."""
        return None


class TaskStep(Step[Api, Facts]):
    """A step no API can do: a named person does it by exact instructions, and closing it checks.

    What they state meets another step's `requires`: nothing better can be had.
    """

    @abstractmethod
    def task(self, ctx: Context[Api, Facts]) -> Task:
        """The instructions, from the facts."""

    async def look(self, ctx: Context[Api, Facts]) -> Finding:
        return self.task(ctx)

    async def act(self, ctx: Context[Api, Facts], item: Item, intent: Intent) -> Accepted:
        raise AssertionError(f"{self.id} is done by a person; the engine never acts on it")

    async def confirm(self, ctx: Context[Api, Facts], item: Item, intent: Intent, reference: str) -> Outcome:
        return Unreadable("no connected system can read this back")


# --- whether it would work ----------------------------------------------------------------------


@dataclass(frozen=True)
class Check:
    """One thing that must be so at a client's system before a live case, and what to do where it is not."""

    title: str
    """'Reachable', 'Signed in', 'Permission User.RevokeSessions.All'."""
    ok: bool
    said: str = ""
    """What was found, as a sentence."""
    fix: str = ""
    """What to do, exactly, with the link where there is one."""
    steps: tuple[str, ...] = ()
    """Ids of the steps that won't work until then."""
    choice: bool = False
    """It may stay so for good: what won't work is a technician's task then, and nothing is wrong."""

    @property
    def wrong(self) -> bool:
        """Whether something is to be mended."""
        return not self.ok and not self.choice


# --- a connector --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Surroundings:
    """What a connection is opened with, besides its own settings."""

    client: str
    """The client's id in clients.yml: connections are never shared between clients."""
    clock: Clock
    limiter: Limiter
    secret: Callable[[str], str]
    """Resolve a secret reference ('env/NAME', 'file/PATH'), late; never keep or print the answer."""
    password: Callable[[], str]
    """A fresh random password, 32 characters or more."""
    ca_file: Path | None = None
    """Extra certificate authority, for stand-ins on this machine; None in production."""


class Connector(ABC, Generic[Api, Facts]):
    """One system: how its accounts are found, what is read and asked there, and its steps."""

    id: ClassVar[str]
    name: ClassVar[str]
    """As people say it: 'Microsoft 365'."""
    settings: ClassVar[type[BaseModel]]
    facts_model: ClassVar[type[BaseModel]]
    steps: ClassVar[tuple[Step[Any, Any], ...]]
    defaults: ClassVar[tuple[str, ...]] = ()
    """Ids of the questions it may ask that a client can have a standing answer to in clients.yml."""
    paperwork: ClassVar[bool] = False
    """The bill and the ticket: never asked anything for a lock-out to be planned, which must not wait for it."""
    desk: ClassVar[Desk[Any] | None] = None
    """The service desk it brings, where it is one."""
    directory: ClassVar[bool] = False
    """It can be searched for people by name: the interview's first question asks it."""

    @abstractmethod
    async def open(self, settings: Any, around: Surroundings) -> Api:
        """Open a connection for one client. Nothing is sent yet."""

    @abstractmethod
    async def close(self, api: Api) -> None:
        """Let the connection go."""

    async def search(self, api: Api, text: str) -> list[Account]:
        """People whose name or mail fits, best first; directories only."""
        return []

    @abstractmethod
    async def find(self, api: Api, leaver: Account) -> list[Account]:
        """The leaver's accounts here, given the one chosen in the directory."""

    @abstractmethod
    async def facts(self, api: Api, account: Account) -> Facts:
        """Everything the steps and questions need to know, read once per plan."""

    async def complete(self, api: Api, facts: Facts, read: Read) -> Facts:
        """The facts with what only another system knows: which licences the leaver holds."""
        return facts

    def questions(self, facts: Facts, choices: Choices) -> tuple[Question, ...]:
        """What only the client can decide about these facts. Pure."""
        return ()

    def successors(self, facts: Facts) -> tuple[Account, ...]:
        """Who might take over what the leaver leaves behind, likeliest first: their manager. Pure."""
        return ()

    def ways_in(self, facts: Facts, choices: Choices) -> tuple[WayIn, ...]:
        """Every way into this system the leaver has, those the client chose to leave open among them. Pure."""
        return ()

    def savings(self, facts: Facts, choices: Choices) -> tuple[Saving, ...]:
        """What will be paid less by these choices, once per thing paid for. Pure."""
        return ()

    def cautions(self, facts: Facts) -> tuple[Caution, ...]:
        """What the people deciding must be told. Pure."""
        return ()

    def reports(self, facts: Facts) -> frozenset[str]:
        """Directory ids of everybody below the leaver: they can't have the leaver locked out alone."""
        return frozenset()

    async def restore(self, api: Api, account: Account) -> OneTimeSecret | None:
        """Give a person locked out by mistake a way back in, once; None where there is none."""
        return None

    async def check(self, api: Api) -> tuple[Check, ...]:
        """What must be so for its steps to work, asked of the vendor now. Raises VendorError when it is unreachable."""
        return ()

    async def contacts(self, api: Api) -> tuple[Contact, ...]:
        """Who may ask for this client, as this system has it; a service desk's."""
        return ()

    def recalled(self, facts: Facts, read: str) -> Json | None:
        """What that read would have said when these facts were read; None where only asking afresh will do. Pure.

        Whoever is read late, once the work has begun, must still learn what was there before: the licences they held.
        """
        return None

    def reads(self) -> Mapping[str, Callable[[Api, Account], Awaitable[Json]]]:
        """Named reads that other systems' steps may ask for."""
        return {}


@dataclass(frozen=True)
class OneTimeSecret:
    """Shown once to one technician, never stored: a Temporary Access Pass."""

    title: str
    value: str = field(repr=False)
    minutes: int
    """How long it can be used."""


AnyConnector = Connector[Any, Any]
"""Where the registry's connectors meet: each one's own types end at its folder."""
AnyStep = Step[Any, Any]


# --- surprises ----------------------------------------------------------------------------------


class VendorError(Exception):
    """A vendor call went wrong. The message names vendor, call and fix, and never a secret."""

    def __init__(self, vendor: str, call: str, message: str, fix: str = "") -> None:
        self.vendor, self.call, self.message, self.fix = vendor, call, message, fix
        super().__init__(" ".join(part for part in (f"{vendor}: {call}: {message}", fix) if part))


class Refused(VendorError):
    """The vendor understood and said no: repeating won't help until somebody changes something."""


class SignInFailed(Refused):
    """We could not sign in to the vendor for this client."""


class Unreachable(VendorError):
    """No usable answer: it may or may not have happened, so look before trying again."""


class Throttled(VendorError):
    """The vendor asked us to wait; nothing happened."""

    def __init__(self, vendor: str, call: str, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(vendor, call, f"asks us to wait {retry_after:.0f} s")
