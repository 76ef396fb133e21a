"""A case's plans and steps as they stand: reading the rows, nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session, col, select

from handlers.cases.store import CASE, once
from handlers.cases.tables import Plan, StepRow
from handlers.plan.digest import LOCK_OUT

_STEPS = select(StepRow).where(StepRow.case_id == CASE)
_PLANS = select(Plan).where(Plan.case_id == CASE).order_by(col(Plan.id))


def case_steps(session: Session, case_id: str) -> list[StepRow]:
    """Every step of every plan of the case."""
    return once(session, ("steps", case_id), lambda: list(session.exec(_STEPS, params={"case": case_id})))


ByStep = dict[str, list[StepRow]]
"""Step id → its rows, one per subject."""


def by_step(rows: list[StepRow]) -> ByStep:
    """The rows by the step they stand for."""
    found: ByStep = {}
    for row in rows:
        found.setdefault(row.step, []).append(row)
    return found


def case_plans(session: Session, case_id: str) -> list[Plan]:
    """The case's plans, oldest first."""
    return once(session, ("plans", case_id), lambda: list(session.exec(_PLANS, params={"case": case_id})))


def lock_out_of(plans: Iterable[Plan]) -> Plan | None:
    """The lock-out among a case's plans: there is one at most."""
    return next((plan for plan in plans if plan.kind == LOCK_OUT), None)
