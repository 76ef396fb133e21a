"""The digest: SHA-256 of exactly what an approval covers, computed from rows, never from a card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from sqlmodel import Session, col, select

from handlers.cases.states import PlanState
from handlers.cases.store import once
from handlers.cases.tables import AccountRow, Answer, Case, ItemRow, Plan, StepRow

LOCK_OUT = "lock-out"
REST = "rest"
MONEY = "money"
"""The kinds of plan a case can have: how access ends, everything else, and what changes a bill."""
UNREAD = "unread"
"""The last part of the id of the step that stands for a system nobody could read."""
LOCK_OUT_QUESTIONS = frozenset({"how", "contentious", "when"})
"""The answers a lock-out rests on; the others may still come while it waits or runs."""


def steps_of(session: Session, plan_id: str) -> list[StepRow]:
    """The plan's steps in the order people read them."""
    query = select(StepRow).where(StepRow.plan_id == plan_id).order_by(col(StepRow.place))
    return once(session, ("steps of", plan_id), lambda: list(session.exec(query)))


def items_of(session: Session, step_id: str) -> list[ItemRow]:
    """The step's items, in a stable order."""
    query = select(ItemRow).where(ItemRow.step_id == step_id).order_by(col(ItemRow.key))
    return once(session, ("items", step_id), lambda: list(session.exec(query)))


def items_of_case(session: Session, case_id: str) -> dict[str, list[ItemRow]]:
    """Every step's items, each step's in the same order; a step without any is not in it."""
    query = select(ItemRow).join(StepRow, col(StepRow.id) == col(ItemRow.step_id)).where(StepRow.case_id == case_id)

    def read() -> dict[str, list[ItemRow]]:
        found: dict[str, list[ItemRow]] = {}
        for item in session.exec(query.order_by(col(ItemRow.key))):
            found.setdefault(item.step_id, []).append(item)
        return found

    return once(session, ("items of", case_id), read)


def renew_digests(session: Session, plans: Iterable[Plan]) -> list[Plan]:
    """Have those that wait for approval cover an answer that has just changed: earlier yeses were to something else."""
    changed: list[Plan] = []
    for plan in plans:
        if plan.state != PlanState.AWAITING_APPROVAL:
            continue
        digest = digest_of(session, plan)
        if digest != plan.digest:
            plan.digest = digest
            session.add(plan)
            changed.append(plan)
    return changed


def digest_of(session: Session, plan: Plan) -> str:
    """What is approved: client, leaver, accounts, choices, steps, items, what can't be undone.

    Items found after the approval are left out: they are what it did not cover.
    """
    case = session.get_one(Case, plan.case_id)
    answers = session.exec(select(Answer).where(Answer.case_id == case.id).order_by(col(Answer.question)))
    accounts = session.exec(select(AccountRow).where(AccountRow.case_id == case.id).order_by(col(AccountRow.system)))
    steps = steps_of(session, plan.id)
    systems = {step.system for step in steps if step.step != f"{step.system}.{UNREAD}"}
    covered = {
        "client": case.client,
        "leaver": case.leaver,
        "kind": plan.kind,
        "dry run": plan.dry_run,
        "approvers": plan.approvers,
        "cautions": plan.cautions,
        "answers": [
            [answer.question, answer.value]
            for answer in answers
            if plan.kind != LOCK_OUT or answer.question in LOCK_OUT_QUESTIONS
        ],
        "accounts": [[row.system, row.account.get("id")] for row in accounts if row.system in systems],
        "steps": [
            [
                step.step,
                step.subject,
                step.system,
                step.irreversible,
                [[item.key, item.title, item.destroys] for item in items_of(session, step.id) if not item.added],
            ]
            for step in steps
        ],
    }
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()
