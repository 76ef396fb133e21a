"""Asks vendors what cases wait for and applies the answers; a crash in between is picked up by its lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from connectors.contract import VendorError
from handlers import confirm_again, mirror, search, submit, wrong_person
from handlers.cases import cards, due
from handlers.cases.store import after_commit
from handlers.cases.tables import Case, Lookup
from handlers.cases.wanted import CHOOSE, CONFIRM, MIRROR, PROPOSE, READ, RESTORE, SEARCH, TRIES, Apply
from handlers.house import House

log = logging.getLogger("offboard.lookups")

LEASE = timedelta(seconds=60)
TROUBLE = {PROPOSE: "unplanned", RESTORE: "unrestored", CONFIRM: "unconfirmed"}
"""What technicians must be told when it can't be had: the key in the case's draft, and the news."""
TROUBLES = frozenset({"trouble", "slow", *TROUBLE.values()})

ASKS: dict[str, Callable[[House, Case, Lookup], Awaitable[Apply]]] = {
    SEARCH: search.ask,
    READ: search.read,
    CHOOSE: search.choose,
    PROPOSE: submit.ask,
    RESTORE: wrong_person.ask,
    CONFIRM: confirm_again.ask,
    MIRROR: mirror.ask,
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
            task = house.start(_in_turn(house, lookup_id) if kind == READ else run(house, lookup_id))
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
            apply = await ASKS[lookup.kind](house, case, lookup)
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
    if lookup.kind == MIRROR and (other := _mirrored_now(session, lookup, now)) is not None:
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


def _no_ticket(session: Session, house: House, case: Case, row: Lookup, sentence: str) -> None:
    """The desk does not answer, and nobody waits for it: it is asked for as long as it takes, and the card says so."""
    case.draft = {**case.draft, "no ticket": sentence}
    if row.tries >= TRIES:
        row.done = True
        due.clear(session, case, due.MIRROR)
        due.set_due(session, house, case, due.MIRROR, mirror.LOOK_AGAIN)
    session.add(case)
    session.add(row)
    cards.redraw(session, house, case)


def _mirrored_now(session: Session, lookup: Lookup, now: datetime) -> Lookup | None:
    """Two at one ticket could open two: the later one waits for its turn."""
    query = select(Lookup).where(
        Lookup.case_id == lookup.case_id,
        Lookup.kind == MIRROR,
        Lookup.id != lookup.id,
        col(Lookup.done).is_(False),
        col(Lookup.owner) != "",
        col(Lookup.lease_until) > now,
    )
    return session.exec(query).first()


def _next_mirror(session: Session, case: Case) -> None:
    """Whoever waited for its turn at the ticket has it now."""
    for row in session.exec(select(Lookup).where(Lookup.case_id == case.id, Lookup.kind == MIRROR, Lookup.owner == "")):
        row.lease_until = None
        session.add(row)


def _held(session: Session, lookup: Lookup) -> Lookup | None:
    row = session.get(Lookup, lookup.id)
    return row if row is not None and not row.done and row.owner == lookup.owner else None


def _apply(session: Session, house: House, lookup: Lookup, apply: Apply) -> None:
    row = _held(session, lookup)
    if row is None:
        return
    row.done = True
    session.add(row)
    case = session.get_one(Case, lookup.case_id)
    if not case.closed or lookup.kind in {RESTORE, MIRROR}:
        over = {"no ticket"} if lookup.kind == MIRROR else TROUBLES
        case.draft = {key: value for key, value in case.draft.items() if key not in over}
        apply(session, case)
        session.add(case)
    if lookup.kind == MIRROR:
        _next_mirror(session, case)
        after_commit(session, house.work.set)
    cards.redraw(session, house, case)


def _trouble(session: Session, house: House, lookup: Lookup, sentence: str) -> None:
    """The vendor did not answer: ask again a few times, then say so on the card."""
    row = _held(session, lookup)
    if row is None:
        return
    row.lease_until = house.clock.now() + timedelta(seconds=2.0**row.tries)
    case = session.get_one(Case, lookup.case_id)
    if row.kind == MIRROR:
        _no_ticket(session, house, case, row, sentence)
        return
    case.draft = {**case.draft, "slow": sentence}
    if row.tries >= TRIES:
        row.done = True
        case.draft = {**case.draft, TROUBLE.get(row.kind, "trouble"): sentence}
        if row.kind in TROUBLE:
            cards.show_channel(session, house, case, cards.TECHNICIANS)
            cards.show_channel(session, house, case, cards.NEWS, topic=TROUBLE[row.kind])
        elif row.kind == CHOOSE and case.choosing.get("words") == row.subject:
            case.choosing = {**case.choosing, "error": sentence}
            case.turn += 1
        elif row.kind == SEARCH and case.stage == "searching":
            case.stage, case.turn = "who", case.turn + 1
            case.candidates = {}
    session.add(case)
    session.add(row)
    cards.redraw(session, house, case)
