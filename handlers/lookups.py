"""Asks vendors what cases wait for and applies the answers; a crash in between is picked up by its lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from connectors.contract import VendorError
from handlers import confirm_again, mirror, search, submit, wrong_person
from handlers.cases import cards
from handlers.cases.store import after_commit
from handlers.cases.tables import Case, Lookup
from handlers.cases.wanted import CHOOSE, CONFIRM, MIRROR, PROPOSE, READ, RESTORE, SEARCH, TRIES, Apply
from handlers.house import House

log = logging.getLogger("offboard.lookups")

LEASE = timedelta(seconds=60)

Unanswered = Callable[[Session, House, Case, Lookup, str], None]
"""Says that vendors did not answer, and why; whether that was the last try, the row's count says."""


@dataclass(frozen=True)
class Manner:
    """How one kind of question is asked."""

    ask: Callable[[House, Case, Lookup], Awaitable[Apply]]
    unanswered: Unanswered
    clears: frozenset[str]
    """What an answer makes untrue, by its key in the case's draft."""
    few: bool = False
    """Nobody waits for it: only so many at once."""
    alone: bool = False
    """Two of one case at once could do something twice."""
    outlives: bool = False
    """Asked and applied even when the case is closed."""


def _slow(case: Case, row: Lookup, sentence: str, trouble: str = "trouble") -> None:
    case.draft = {**case.draft, "slow": sentence}
    if row.tries >= TRIES:
        row.done = True
        case.draft = {**case.draft, trouble: sentence}


def _told_technicians(trouble: str) -> Unanswered:
    """At last a person must know: the key in the case's draft is the news as well."""

    def say(session: Session, house: House, case: Case, row: Lookup, sentence: str) -> None:
        _slow(case, row, sentence, trouble)
        if row.done:
            cards.show_channel(session, house, case, cards.TECHNICIANS)
            cards.show_channel(session, house, case, cards.NEWS, topic=trouble)

    return say


def _said_on_the_card(_session: Session, _house: House, case: Case, row: Lookup, sentence: str) -> None:
    _slow(case, row, sentence)


def _nobody_found(_session: Session, _house: House, case: Case, row: Lookup, sentence: str) -> None:
    _slow(case, row, sentence)
    if row.done and case.stage == "searching":
        case.stage, case.turn = "who", case.turn + 1
        case.candidates = {}


def _nobody_chosen(_session: Session, _house: House, case: Case, row: Lookup, sentence: str) -> None:
    _slow(case, row, sentence)
    if row.done and case.choosing.get("words") == row.subject:
        case.choosing = {**case.choosing, "error": sentence}
        case.turn += 1


TROUBLES = frozenset({"trouble", "slow", "unplanned", "unrestored", "unconfirmed"})
MANNERS: dict[str, Manner] = {
    SEARCH: Manner(search.ask, _nobody_found, TROUBLES),
    READ: Manner(search.read, _said_on_the_card, TROUBLES, few=True),
    CHOOSE: Manner(search.choose, _nobody_chosen, TROUBLES),
    PROPOSE: Manner(submit.ask, _told_technicians("unplanned"), TROUBLES),
    RESTORE: Manner(wrong_person.ask, _told_technicians("unrestored"), TROUBLES, outlives=True),
    CONFIRM: Manner(confirm_again.ask, _told_technicians("unconfirmed"), TROUBLES),
    MIRROR: Manner(mirror.ask, mirror.unanswered, frozenset({mirror.TROUBLE}), alone=True, outlives=True),
}


async def begin_waiting(house: House) -> None:
    """Start every look-up whose time has come, once; each runs beside the others."""

    def find(session: Session) -> list[tuple[str, str]]:
        now = house.clock.now()
        rows = session.exec(select(Lookup).where(col(Lookup.done).is_(False)))
        return [(row.id, row.kind) for row in rows if row.lease_until is None or row.lease_until <= now]

    for lookup_id, kind in await house.store.read(find):
        if lookup_id not in house.asking:
            house.asking.add(lookup_id)
            task = house.start(_in_turn(house, lookup_id) if MANNERS[kind].few else run(house, lookup_id))
            # Not in `run`: a task that is cancelled before it has begun never gets there.
            task.add_done_callback(lambda _task, lookup_id=lookup_id: house.asking.discard(lookup_id))


async def _in_turn(house: House, lookup_id: str) -> None:
    async with house.readings:
        await run(house, lookup_id)


async def after_start(house: House) -> None:
    """No earlier process is asking any more: every lease is void."""

    def void(session: Session) -> None:
        for row in session.exec(select(Lookup).where(col(Lookup.done).is_(False))):
            if row.lease_until is not None:
                # Its process died on it; that says nothing about the vendor.
                row.tries = max(row.tries - 1, 0)
            row.lease_until = None
            session.add(row)

    await house.store.write(void)


async def run(house: House, lookup_id: str) -> None:
    """Ask, and apply the answer if the case is still where it was."""
    claimed = await house.store.write(lambda session: _claim(session, house, lookup_id))
    if claimed is None:
        return
    lookup, case = claimed
    within = house.timings.asking.total_seconds()
    try:
        async with asyncio.timeout(within):
            apply = await MANNERS[lookup.kind].ask(house, case, lookup)
        await house.store.write(lambda session: _apply(session, house, lookup, apply))
    except VendorError as error:
        sentence = str(error)
    except TimeoutError:
        log.warning("%s try %d did not answer in time", lookup.kind, lookup.tries)
        sentence = f"A system did not answer within {within:.0f} s."
    except Exception as error:
        log.exception("%s try %d", lookup.kind, lookup.tries)
        sentence = f"Our own code failed ({type(error).__name__}). If it stays, tell your developer."
    else:
        return
    await house.store.write(lambda session: _trouble(session, house, lookup, sentence))


def _claim(session: Session, house: House, lookup_id: str) -> tuple[Lookup, Case] | None:
    lookup = session.get(Lookup, lookup_id)
    now = house.clock.now()
    if lookup is None or lookup.done or (lookup.lease_until and lookup.lease_until > now):
        return None
    if MANNERS[lookup.kind].alone and (other := _asked_now(session, lookup, now)) is not None:
        lookup.lease_until = other.lease_until
        session.add(lookup)
        return None
    if lookup.tries >= TRIES:
        # Each try ended without saying how: the process died of it, say. Asking again would, too.
        _trouble(session, house, lookup, f"Asked {TRIES} times and never came to an end. Tell your developer.")
        return None
    lookup.lease_until = now + LEASE
    lookup.owner = house.new_id()
    lookup.tries += 1
    session.add(lookup)
    return lookup, session.get_one(Case, lookup.case_id)


def _asked_now(session: Session, lookup: Lookup, now: datetime) -> Lookup | None:
    """Another of its kind that is being asked for that case: this one waits for its turn."""
    query = select(Lookup).where(
        Lookup.case_id == lookup.case_id,
        Lookup.kind == lookup.kind,
        Lookup.id != lookup.id,
        col(Lookup.done).is_(False),
        col(Lookup.owner) != "",
        col(Lookup.lease_until) > now,
    )
    return session.exec(query).first()


def _begin_next(session: Session, house: House, lookup: Lookup) -> None:
    """Whoever waited for this one's turn has it now."""
    mine = (Lookup.case_id == lookup.case_id, Lookup.kind == lookup.kind, Lookup.owner == "")
    for row in session.exec(select(Lookup).where(*mine)):
        row.lease_until = None
        session.add(row)
    after_commit(session, house.work.set)


def _held(session: Session, lookup: Lookup) -> Lookup | None:
    row = session.get(Lookup, lookup.id)
    return row if row is not None and not row.done and row.owner == lookup.owner else None


def _apply(session: Session, house: House, lookup: Lookup, apply: Apply) -> None:
    row = _held(session, lookup)
    if row is None:
        return
    row.done = True
    session.add(row)
    case, manner = session.get_one(Case, lookup.case_id), MANNERS[lookup.kind]
    if not case.closed or manner.outlives:
        case.draft = {key: value for key, value in case.draft.items() if key not in manner.clears}
        apply(session, case)
        session.add(case)
    if manner.alone:
        _begin_next(session, house, lookup)
    cards.redraw(session, house, case)


def _trouble(session: Session, house: House, lookup: Lookup, sentence: str) -> None:
    """The vendor did not answer: ask again a few times, then say so on the card."""
    row = _held(session, lookup)
    if row is None:
        return
    row.lease_until = house.clock.now() + timedelta(seconds=2.0**row.tries)
    case = session.get_one(Case, lookup.case_id)
    MANNERS[row.kind].unanswered(session, house, case, row, sentence)
    session.add(case)
    session.add(row)
    cards.redraw(session, house, case)
