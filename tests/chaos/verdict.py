"""Judges a case that came to rest: what is called done is so, nothing happened twice, and whoever must act is named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlmodel import Session, col, select

from connectors.active_directory.simulated_people import BIND_PASSWORD
from connectors.microsoft365.simulated_people import SECRET
from handlers.cases.states import WITH_PERSON, PlanState, StepState
from handlers.cases.tables import Lookup, StepRow
from handlers.cases.wanted import MIRROR
from tests.chaos.offboarding import Offboarding
from tests.chaos.paper import SECRETS as PAPER_SECRETS
from tests.chaos.truth import PORTAL, Truth
from tests.world import words

NOT_TWICE = frozenset(
    {
        "files shared",
        "files shared with a mail",
        "eligibility removal requested",
        "meeting cancelled, mails sent",
        "licence assigned",
        "seats",
    }
)
"""Effects that are not idempotent: somebody is written to, asked or charged once more."""
NEVER = frozenset({"WHOLE PHONE WIPED", "mailbox disconnected"})
"""What no reference case decided: data lost."""
UNREAD_DESK = "Read ConnectWise PSA once it answers"
NOT_UP_TO_DATE = "Ticket: not up to date"
GREEN = "is locked out since"
_MOVING = frozenset({StepState.READY, StepState.RUNNING, StepState.WAITING})
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]+")


@dataclass
class Verdict:
    """What a run came to."""

    untrue: list[str] = field(default_factory=list[str])
    stuck: list[str] = field(default_factory=list[str])
    with_person: list[str] = field(default_factory=list[str])
    """Steps that wait for somebody to act."""
    our_fault: list[str] = field(default_factory=list[str])
    """Steps that ended in an error of our own code, truthfully told."""
    repeats: int = 0
    """Effects beyond those of the clean run that did no harm."""
    missed: int = 0
    """Faults that never happened, their calls not being made."""

    @property
    def fine(self) -> bool:
        """Whether everything said is so, and it came to rest without an error of ours."""
        return not (self.untrue or self.stuck or self.our_fault)


def look_at_headline(case: Offboarding, truth: Truth, said: list[str]) -> None:
    """Hold what the requester, and whoever reads the ticket, are told now against what is so now."""
    title = f"Case 1: {truth.person.name.removeprefix('Former – ')}"
    shown = [one.card for one in case.company.world.seen_by("maria") if one.card.title == title]
    still_open = [way for way in truth.still_open if way != PORTAL or not _portal_unread(case)]
    if shown and GREEN in words(shown[-1]) and still_open:
        said.append(f"the headline is green while open: {', '.join(still_open)}")
    if case.leaver.paperwork:
        said += truth.paper.lies_now(still_open, blocked=truth.blocked)


def _portal_unread(case: Offboarding) -> bool:
    """Whether technicians read that the desk is yet to be read: a lock-out waits for no paperwork."""
    lines = [line for line in case.company.world.reads("sam").splitlines() if UNREAD_DESK in line]
    return any(line.startswith("[") and not line.startswith("[done]") for line in lines)


def effects(case: Offboarding) -> Counter[str]:
    """What happened in all systems, and how often; what was added at the desk is counted by its key."""
    companies = case.company.companies
    told = [f"{one.user[-2:]} {one.what}: {one.detail}" for one in companies.microsoft.effects]
    told += [f"{one.user[-2:]} {one.what}: {one.detail}" for one in companies.exchange.effects]
    told += [f"{one.user[-2:]} {one.what}: {one.detail}" for one in companies.paperwork.pax8.effects]
    at_desk = [one for one in companies.paperwork.connectwise.effects if not one.what.endswith("added")]
    told += [f"{one.user.partition('/')[0]} {one.what}: {one.detail}" for one in at_desk]
    return Counter([*told, *(one.what for one in companies.domain.effects)])


async def judge(case: Offboarding, truth: Truth, folder: Path, clean: Counter[str] | None) -> Verdict:
    """The verdict on a case that had hours to come to rest; `clean` is what a case without faults does."""
    world, verdict = case.company.world, Verdict()
    rows = await world.rows()
    for row in rows:
        if row.state == StepState.DONE and not truth.holds(row.step, row.subject):
            verdict.untrue.append(f"{row.step} is done and is not so: {row.evidence}")
        if StepState(row.state) in WITH_PERSON:
            verdict.with_person.append(row.step)
        if "Our own code failed" in row.reason:
            verdict.our_fault.append(row.step)
    happened = effects(case)
    verdict.untrue += [f"it happened all the same: {one}" for one in happened if any(bad in one for bad in NEVER)]
    if clean is not None:
        more = happened - clean
        verdict.untrue += [f"happened again: {one}" for one in more if _what(one) in NOT_TWICE]
        verdict.repeats = sum(count for one, count in more.items() if clean[one])
    if case.leaver.paperwork:
        verdict.untrue += truth.paper.lies()
        if NOT_UP_TO_DATE not in world.reads("sam"):
            verdict.untrue += truth.paper.ticket_lies(await world.plans(), rows)
    verdict.untrue += _secrets(case, folder)
    verdict.stuck += _moving(case, rows)
    verdict.stuck += await _unplanned(case)
    return verdict


def _what(told: str) -> str:
    return told.partition(" ")[2].partition(":")[0]


def _moving(case: Offboarding, rows: list[StepRow]) -> Iterable[str]:
    """Steps that neither ended nor are with a person who knows why."""
    registry = case.company.world.house.registry
    open_steps = {row.step for row in rows if StepState(row.state) in WITH_PERSON | {StepState.PENDING}}
    for row in rows:
        if StepState(row.state) in _MOVING:
            yield f"{row.step} is still {row.state}: {row.reason}"
        if StepState(row.state) in WITH_PERSON and not row.reason:
            yield f"{row.step} is with a person for no reason"
        if row.state == StepState.PENDING:
            step = registry.find_step(row.step)
            if step is None or not open_steps & {*step.requires, *step.after}:
                yield f"{row.step} waits for nothing"


async def _unplanned(case: Offboarding) -> list[str]:
    """Questions to vendors without an end, plans nobody was asked about, and a case without any plan or word."""
    world = case.company.world

    def asked(session: Session) -> list[str]:
        rows = session.exec(select(Lookup).where(col(Lookup.done).is_(False)))
        return [f"still asking: {row.kind}" for row in rows]

    found = await world.house.store.read(asked)
    if NOT_UP_TO_DATE in world.reads("sam"):
        # Nobody waits for the ticket: it is asked for as long as it takes, and the card says so.
        found = [one for one in found if MIRROR not in one]
    plans = await world.plans()
    found += [f"{plan.kind} is {plan.state}" for plan in plans if plan.state in (PlanState.DRAFT, _ASKED)]
    if not plans and "could not be" not in world.reads("maria"):
        found.append("no plan, and nobody was told why")
    # A rest with nothing to do is no plan: then the report has come.
    if len(plans) == 1 and not any(words in world.reads("sam") for words in ("could not be made", "Report on case")):
        found.append("the rest was never planned, and nobody was told why")
    return found


_ASKED = PlanState.AWAITING_APPROVAL


def _secrets(case: Offboarding, folder: Path) -> Iterable[str]:
    """Names of places where a password, secret or token stands that must be nowhere."""
    domain = case.company.companies.domain.domain
    secrets = {
        SECRET,
        BIND_PASSWORD,
        *PAPER_SECRETS,
        *case.passwords,
        *(one.password for one in domain.people.values()),
    }
    cards = "\n".join(words(card) for shown in case.company.world.chat.shown for card in shown.versions)
    rows = "\n".join(path.read_bytes().decode("utf-8", "replace") for path in folder.iterdir() if path.is_file())
    for place, text in (("a card", cards), ("a row", rows)):
        if any(secret in text for secret in secrets if secret) or _TOKEN.search(text):
            yield f"a secret stands in {place}"
