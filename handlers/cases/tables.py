"""The rows everything is remembered in. Plans are rows; the queue only says when to look at them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

import sqlalchemy as sa
from pydantic import JsonValue
from sqlmodel import Field, SQLModel

from handlers.cases.states import PlanState, StepState


class UtcTime(sa.types.TypeDecorator[datetime]):
    """A point in time, stored in UTC and handed back aware: SQLite alone would forget the zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


def _time(*, index: bool = False) -> datetime:
    return Field(sa_type=UtcTime, index=index)  # type: ignore[call-overload, no-any-return]


def _maybe_time(*, index: bool = False) -> datetime | None:
    return Field(default=None, sa_type=UtcTime, index=index)  # type: ignore[call-overload, no-any-return]


def _json() -> dict[str, JsonValue]:
    return Field(default_factory=dict, sa_type=sa.JSON)


class Case(SQLModel, table=True):
    """One offboarding of one leaver, from `/offboard` to closed."""

    __tablename__: ClassVar[str] = "case"  # type: ignore[misc]

    id: str = Field(primary_key=True)
    number: int = Field(unique=True)
    """What people say: 'case 12'."""
    client: str = Field(default="", index=True)
    """Empty until a technician has said which."""
    requester: str = ""
    """Person id; empty while a technician has not said who asked."""
    started_by: str
    """Person id of whoever typed the command."""
    identity: str
    """The platform identity it was typed from; the interview goes there."""
    contact: str = ""
    """Who asked, as the technician put it, where that is nobody we know."""
    verified: str = ""
    """How a request by phone was verified: '' | 'asked' | 'confirmed' | 'call-back'."""
    verified_note: str = ""
    query: str = ""
    """What was typed after /offboard."""
    leaver: dict[str, JsonValue] = _json()
    """The Account chosen in the client's directory; empty until chosen."""
    candidates: dict[str, JsonValue] = _json()
    """{'found': [Account…], 'error': sentence} of the last search."""
    stage: str = "client"
    """Which card of the interview is shown; see handlers.interview."""
    choosing: dict[str, JsonValue] = _json()
    """{'question': id, 'words': …, 'found': [Account…], 'error': sentence}: somebody is looked up for an answer."""
    draft: dict[str, JsonValue] = _json()
    """What the interview holds between two clicks: an answer not confirmed yet, say."""
    turn: int = 0
    """Goes up with every change of the interview; a button drawn for another turn is stale."""
    created_at: datetime = _time()
    touched_at: datetime = _time()
    """When the interview last moved."""
    closed: str = ""
    """Why there will be no (further) plan; '' while there may be."""

    @property
    def leaver_name(self) -> str:
        """The leaver's name, or what was typed while nobody was chosen."""
        return str(self.leaver.get("name") or self.query)


class Answer(SQLModel, table=True):
    """One confirmed choice."""

    __tablename__: ClassVar[str] = "answer"  # type: ignore[misc]

    case_id: str = Field(foreign_key="case.id", primary_key=True)
    question: str = Field(primary_key=True)
    value: str
    label: str
    """As it was shown when it was confirmed."""
    by: str
    at: datetime = _time()
    asked_technician: bool = False
    """The manager was not sure: a technician answers."""
    account: dict[str, JsonValue] = _json()
    """The Account, where the answer is a person of the directory."""


class Named(SQLModel, table=True):
    """A person who may see the case besides its requester."""

    __tablename__: ClassVar[str] = "named"  # type: ignore[misc]

    case_id: str = Field(foreign_key="case.id", primary_key=True)
    person: str = Field(primary_key=True)


class AccountRow(SQLModel, table=True):
    """The leaver as one system knows them, with what was read there."""

    __tablename__: ClassVar[str] = "account"  # type: ignore[misc]

    case_id: str = Field(foreign_key="case.id", primary_key=True)
    system: str = Field(primary_key=True)
    account: dict[str, JsonValue] = _json()
    facts: dict[str, JsonValue] = _json()
    error: str = ""
    """Why nothing could be read, as a sentence; the account is empty then."""
    read_at: datetime = _time()


class Plan(SQLModel, table=True):
    """The ordered steps of a case's lock-out, or of the rest."""

    __tablename__: ClassVar[str] = "plan"  # type: ignore[misc]

    id: str = Field(primary_key=True)
    case_id: str = Field(foreign_key="case.id", index=True)
    kind: str
    """'lock-out', 'rest' or 'money'."""
    state: PlanState = Field(default=PlanState.DRAFT, sa_type=sa.String)  # type: ignore[call-overload]
    digest: str = ""
    approvers: int = 1
    cautions: dict[str, JsonValue] = _json()
    """{'told': [{text, bars_immediate, approvers, proof}…]}: part of the digest."""
    proposed_at: datetime | None = _maybe_time()
    approved_at: datetime | None = _maybe_time()
    decided_by: str = ""
    reason: str = ""
    immediate: bool = False
    """The manager's confirmation was enough (client policy)."""
    dry_run: bool = False
    settled_at: datetime | None = _maybe_time()
    locked_out_at: datetime | None = _maybe_time()
    """LOCK-OUT: since when every way in is read back as ended."""
    checked_at: datetime | None = _maybe_time()
    """When everything was last read back again."""


class Approval(SQLModel, table=True):
    """One person's yes to one digest."""

    __tablename__: ClassVar[str] = "approval"  # type: ignore[misc]

    plan_id: str = Field(foreign_key="plan.id", primary_key=True)
    person: str = Field(primary_key=True)
    identity: str
    digest: str
    proof: str = ""
    at: datetime = _time()


class StepRow(SQLModel, table=True):
    """One kind of change at one system, in one plan."""

    __tablename__: ClassVar[str] = "step"  # type: ignore[misc]
    __table_args__ = (sa.UniqueConstraint("plan_id", "step", "subject"),)

    id: str = Field(primary_key=True)
    plan_id: str = Field(foreign_key="plan.id", index=True)
    case_id: str = Field(foreign_key="case.id", index=True)
    system: str
    step: str
    """The step's id in code: 'microsoft365.block_sign_in'. Names are kept, never objects."""
    subject: str = ""
    """What it is done for, where a step has several rows: the copier, the bank."""
    title: str
    wave: int
    place: int
    irreversible: str = ""
    state: StepState = Field(default=StepState.PENDING, sa_type=sa.String, index=True)  # type: ignore[call-overload]
    attempt: int = 0
    troubles: int = 0
    """Attempts in a row that met an unreachable vendor."""
    owner: str = ""
    """Token of the attempt that holds the row; who lost it stops."""
    lease_until: datetime | None = _maybe_time(index=True)
    due_at: datetime | None = _maybe_time()
    """When the next attempt is due, while ready or waiting."""
    waiting_since: datetime | None = _maybe_time()
    reason: str = ""
    """Why it waits, is stuck, was skipped, or needs hands."""
    instructions: str = ""
    """TASK: what the person has to do, exactly."""
    person: str = ""
    """Who has the task, or skipped, or stated it."""
    by_hand: str = ""
    """A person's note that they did it themselves: the next attempt reads back and changes nothing."""
    evidence: str = ""
    settled_at: datetime | None = _maybe_time()


class ItemRow(SQLModel, table=True):
    """One thing a step changes."""

    __tablename__: ClassVar[str] = "item"  # type: ignore[misc]
    __table_args__ = (sa.UniqueConstraint("step_id", "key"),)

    id: str = Field(primary_key=True)
    step_id: str = Field(foreign_key="step.id", index=True)
    key: str
    title: str
    destroys: bool = False
    added: bool = False
    """Found after the approval of a lock-out, and ended too."""
    before: dict[str, JsonValue] = _json()
    intended_at: datetime | None = _maybe_time()
    """When the act was first meant; `before` never changes after it."""
    accepted_at: datetime | None = _maybe_time()
    reference: str = ""
    settled_at: datetime | None = _maybe_time()
    evidence: str = ""
    failure: str = ""
    undone: str = ""


class CardRow(SQLModel, table=True):
    """One message that shows a case to one viewer: which version it shows and which is due."""

    __tablename__: ClassVar[str] = "card"  # type: ignore[misc]

    id: str = Field(primary_key=True)
    case_id: str = Field(index=True)
    kind: str
    """Which drawing: see handlers.draw."""
    viewer: str
    """Person id, or 'technicians' / 'admins' for the MSP's private channels."""
    identity: str = ""
    """The platform identity of a private chat's person."""
    place: dict[str, JsonValue] = _json()
    """Where it is posted; empty until the private chat is open."""
    message: str = ""
    """The platform's id of the message; empty until posted."""
    topic: str = ""
    """NEWS: which piece of news."""
    due: int = 1
    shown: int = 0
    retry_at: datetime | None = _maybe_time(index=True)
    shown_at: datetime | None = _maybe_time()
    pace: int = 0
    """How many times it was edited without a lull; the more, the longer between two edits."""
    failures: int = 0
    posting: bool = False
    """The intent to post, recorded first: a crash in between can cost a rare second card."""
    dead: str = ""
    """Why it will never be shown (again)."""


class ButtonRow(SQLModel, table=True):
    """What an opaque token stands for; the token itself is stored as a hash only."""

    __tablename__: ClassVar[str] = "button"  # type: ignore[misc]

    token: str = Field(primary_key=True)
    card_id: str = Field(index=True)
    case_id: str = Field(index=True)
    action: str
    args: dict[str, JsonValue] = _json()
    stamp: str
    """The state it was drawn for; when that has moved, the button is stale."""
    expires_at: datetime = _time(index=True)
    used_at: datetime | None = _maybe_time()
    used_by: str = ""


class HistoryRow(SQLModel, table=True):
    """Who did what, when, from which platform identity: hash-chained from the first row on."""

    __tablename__: ClassVar[str] = "history"  # type: ignore[misc]

    seq: int | None = Field(default=None, primary_key=True)
    case_id: str = Field(default="", index=True)
    at: datetime = _time()
    person: str
    identity: str
    what: str
    detail: dict[str, JsonValue] = _json()
    salt: str
    content: str
    """SHA-256 over salt and content, so that the content can be erased and the chain still holds."""
    previous: str
    hash: str


class Heard(SQLModel, table=True):
    """A dedupe key that was acted on."""

    __tablename__: ClassVar[str] = "heard"  # type: ignore[misc]

    key: str = Field(primary_key=True)
    at: datetime = _time(index=True)


class Due(SQLModel, table=True):
    """Something to do at a time: reminders, pages, expiries. One loop works them off."""

    __tablename__: ClassVar[str] = "due"  # type: ignore[misc]

    id: str = Field(primary_key=True)
    case_id: str = Field(index=True)
    kind: str
    subject: str = ""
    """What it is about: a plan's id, say."""
    at: datetime = _time(index=True)


class Lookup(SQLModel, table=True):
    """A question to vendors that a case waits for, leased, so that a crash in between is picked up."""

    __tablename__: ClassVar[str] = "lookup"  # type: ignore[misc]

    id: str = Field(primary_key=True)
    case_id: str = Field(foreign_key="case.id", index=True)
    kind: str
    """See `handlers.cases.wanted`."""
    subject: str = ""
    turn: int = 0
    """SEARCH: the interview's turn it belongs to."""
    lease_until: datetime | None = _maybe_time()
    owner: str = ""
    tries: int = 0
    done: bool = Field(default=False, index=True)


class PersonRow(SQLModel, table=True):
    """A person and their bound identities as last seeded from clients.yml: audited, never edited by hand."""

    __tablename__: ClassVar[str] = "person"  # type: ignore[misc]

    id: str = Field(primary_key=True)
    binding: dict[str, JsonValue] = _json()
    seeded_at: datetime = _time()
