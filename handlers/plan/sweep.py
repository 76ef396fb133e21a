"""Finds steps whose attempt vanished, and carries them on: after a crash at once, later by their lease."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session, col, select

from handlers.cases.states import HELD, OPEN_PLANS, StepState
from handlers.cases.tables import Case, Plan, StepRow
from handlers.house import House
from handlers.plan.advance import advance, again

LATE = timedelta(seconds=60)
"""An attempt this late has been lost by the queue."""


async def after_start(house: House) -> None:
    """This process is the only one: whatever an earlier one was doing, it is not doing any more."""

    def take_over(session: Session) -> None:
        for row in _rows(session, StepState.RUNNING):
            _again(session, house, row)
        for row in _rows(session, StepState.READY):
            _again(session, house, row)
        for row in _rows(session, StepState.WAITING):
            left = (row.due_at - house.clock.now()).total_seconds() if row.due_at else 0.0
            again(session, house, row, max(left, 0.0))
        _settle_plans(session, house)

    await house.store.write(take_over)


async def lost_attempts(house: House) -> None:
    """Rows whose lease ran out, or whose time came and nobody did anything."""

    def take_over(session: Session) -> None:
        now = house.clock.now()
        for row in _rows(session, StepState.RUNNING):
            if row.lease_until is None or row.lease_until < now:
                _again(session, house, row)
        for row in (*_rows(session, StepState.READY), *_rows(session, StepState.WAITING)):
            if row.due_at is None or row.due_at + LATE < now:
                _again(session, house, row)

    await house.store.write(take_over)


def _rows(session: Session, state: StepState) -> list[StepRow]:
    return list(session.exec(select(StepRow).where(col(StepRow.state) == state)))


def _again(session: Session, house: House, row: StepRow) -> None:
    row.owner, row.lease_until = "", None
    again(session, house, row, 0)


def _settle_plans(session: Session, house: House) -> None:
    """A crash between two commits can leave a step settled and its successors not freed."""
    # Not DISTINCT over a join: PostgreSQL can't compare the cases' JSON columns.
    under_way = select(Plan.case_id).where(col(Plan.state).in_(OPEN_PLANS | HELD))
    for case in session.exec(select(Case).where(col(Case.id).in_(under_way))):
        advance(session, house, case)
