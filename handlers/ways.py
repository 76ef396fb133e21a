"""'Locked out' is a list, not a word: each way in, whether it has ended, when, and who has it otherwise."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from connectors.contract import Wave, WayIn
from handlers.cases.states import WITH_PERSON, StepState
from handlers.cases.tables import Case, StepRow
from handlers.conversation import Mark
from handlers.house import House
from handlers.plan.digest import UNREAD
from handlers.plan.propose import covers
from handlers.plan.readings import choices_of, readings_of
from handlers.plan.rows import ByStep, by_step, case_plans, case_steps


@dataclass(frozen=True)
class WayState:
    """One way in, as it stands."""

    title: str
    mark: Mark
    ended_at: datetime | None
    words: str
    """'ended', 'OPEN, Sam Lee has it', …; never 'ended' unless read back."""
    lingers: timedelta = timedelta(0)
    why_lingers: str = ""
    stated: bool = False
    """A person says it has ended, and nothing can read that back."""


def ways_in(session: Session, house: House, case: Case) -> list[WayState]:
    """Every way in of every system that was read, and one for each that could not be."""
    rows = by_step(case_steps(session, case.id))
    rehearsals = {plan.id for plan in case_plans(session, case.id) if plan.dry_run}
    states: list[WayState] = []
    readings = readings_of(session, house, case.id)
    choices = choices_of(session, case.id)
    client = house.roster.client(case.client)
    order = list(client.systems) if client else []
    readings.sort(key=lambda reading: order.index(reading.system) if reading.system in order else len(order))
    covered = covers(readings)
    for reading in readings:
        connector = house.registry.get(reading.system)
        if reading.facts is None and connector.paperwork:
            continue  # no door of the client's; its own row says that it is to be read
        if reading.facts is None:
            way = WayIn(reading.system, connector.name, (f"{reading.system}.{UNREAD}",))
            states.append(_state(house, way, rows, rehearsals))
        else:
            ways = connector.ways_in(reading.facts, choices)
            states += [_state(house, way, rows, rehearsals) for way in ways if way.stands_in_for not in covered]
    return states


def not_asked(session: Session, house: House, case: Case) -> list[str]:
    """Names of desks that bring a way in and could not be read yet: nobody knows whether it is open."""
    unread = [reading.system for reading in readings_of(session, house, case.id) if reading.error]
    connectors = [house.registry.get(system) for system in unread]
    return [one.name for one in connectors if one.paperwork and any(step.wave is Wave.LOCK_OUT for step in one.steps)]


def locked_out(ways: list[WayState]) -> bool:
    """Whether every way in has ended, each read back."""
    return bool(ways) and all(way.ended_at is not None for way in ways)


def last_possible_access(ways: list[WayState]) -> datetime | None:
    """The latest moment an issued token may still work, once everything has ended."""
    times = [way.ended_at + way.lingers for way in ways if way.ended_at is not None]
    return max(times) if times and locked_out(ways) else None


def _state(house: House, way: WayIn, rows: ByStep, rehearsals: Collection[str]) -> WayState:
    there = [row for name in way.ended_by for row in rows.get(name, []) if way.subject in {"", row.subject}]
    missing = {row.step for row in there} != set(way.ended_by)
    ended = bool(there) and not missing and all(row.state == StepState.DONE for row in there)
    times = [row.settled_at for row in there if row.settled_at is not None]
    if ended and any(row.plan_id in rehearsals for row in there):
        # What a dry run finds shut, it has not ended; and nobody looks whether it stays so.
        return WayState(way.title, Mark.DONE, None, "nothing there to end")
    if ended:
        return WayState(way.title, Mark.DONE, max(times, default=None), "ended", way.lingers, way.why_lingers)
    if way.kept and not there:
        return WayState(way.title, Mark.SKIPPED, None, f"OPEN by the client's choice: {way.kept}")
    mark, words = _open(house, there, missing=missing)
    stated = bool(there) and not missing and all(row.state in {StepState.DONE, StepState.STATED} for row in there)
    return WayState(way.title, mark, None, words, way.lingers, way.why_lingers, stated=stated)


def _open(house: House, rows: list[StepRow], *, missing: bool) -> tuple[Mark, str]:
    """The least comforting true word first."""
    for row in rows:
        if StepState(row.state) in WITH_PERSON:
            who = house.roster.name_of(row.person) if row.person else "a technician"
            return Mark.PERSON, f"OPEN, {who} has it"
    for row in rows:
        if row.state == StepState.SKIPPED:
            return Mark.SKIPPED, f"OPEN, skipped by {house.roster.name_of(row.person)}: {row.reason}"
        if row.state == StepState.REHEARSED:
            return Mark.SKIPPED, "OPEN: a dry run, nothing was changed"
        if row.state == StepState.STATED:
            return Mark.PERSON, row.evidence
        if row.state == StepState.CANCELLED:
            return Mark.SKIPPED, "stopped"
    if any(row.state in {StepState.RUNNING, StepState.READY} for row in rows):
        return Mark.RUNNING, "being ended"
    waiting = next((row for row in rows if row.state == StepState.WAITING), None)
    if waiting is not None:
        return Mark.RUNNING, "not ended yet, being tried again"
    return Mark.PENDING, "open, not approved yet" if missing else "open"
