"""Confirm again: some time after a lock-out, read back whether what was ended is still ended.

A directory sync, a colleague or a script can open again what was closed. What came back re-opens the case.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from connectors.contract import (
    AnyStep,
    Context,
    Done,
    Intent,
    Item,
    Nothing,
    Outcome,
    Unreadable,
    Waiting,
    Wave,
)
from handlers.cases import cards
from handlers.cases.history import record
from handlers.cases.states import OPEN_PLANS, PlanEvent, PlanState, StepEvent, StepState, move_plan, move_step
from handlers.cases.tables import Case, ItemRow, Lookup, Plan, StepRow
from handlers.cases.wanted import Apply
from handlers.house import House
from handlers.plan.advance import advance, again
from handlers.plan.digest import items_of
from handlers.plan.readings import Reading, accounts_of, choices_of, context, readings_of
from handlers.plan.retry import IN_PLACE
from handlers.plan.rows import case_plans, case_steps
from handlers.plan.work import to_read_back


@dataclass(frozen=True)
class Ended:
    """A lock-out step that was read back, with what it changed."""

    row: StepRow
    items: list[ItemRow]
    since: datetime
    """When the plan was approved: nothing older is its effect."""


async def ask(house: House, case: Case, _lookup: Lookup) -> Apply:
    """Read everything back once more, side by side. Raises VendorError when a system does not answer."""

    def rows(session: Session) -> tuple[list[Ended], list[Reading], dict[str, str]]:
        return _ended(session, house, case), readings_of(session, house, case.id), choices_of(session, case.id)

    ended, found, choices = await house.store.read(rows)
    readings = {reading.system: reading for reading in found}
    checks = [_check(house, case, one, readings, choices) for one in ended]
    told = await asyncio.gather(*checks, return_exceptions=True)
    back = {one.row.id: words for one, words in zip(ended, told, strict=True) if isinstance(words, str) and words}
    silent = [error for error in told if isinstance(error, BaseException)]
    if silent and not back:
        # What is known to be open again must not wait for a system that is down.
        raise silent[0]

    def apply(session: Session, case: Case) -> None:
        now = house.clock.now()
        for plan in case_plans(session, case.id):
            if PlanState(plan.state) in OPEN_PLANS | {PlanState.DONE}:
                plan.checked_at = now
                session.add(plan)
        record(session, now, "confirmed again", case_id=case.id, detail={"steps": len(ended), "back": len(back)})
        for step_id, words in back.items():
            _reopen(session, house, case, session.get_one(StepRow, step_id), words)
        if back:
            cards.show_requester(session, house, case, "came back")
            advance(session, house, case)

    return apply


def _ended(session: Session, house: House, case: Case) -> list[Ended]:
    """Every lock-out step that counts as done; what can't be repeated is not looked for."""
    plans = {plan.id: plan for plan in case_plans(session, case.id)}
    found: list[Ended] = []
    for row in case_steps(session, case.id):
        step = house.registry.find_step(row.step)
        if step is None or not step.repeatable or row.wave != Wave.LOCK_OUT or row.state != StepState.DONE:
            continue
        since = plans[row.plan_id].approved_at
        if since is not None:
            found.append(Ended(row, items_of(session, row.id), since))
    return found


async def _check(house: House, case: Case, ended: Ended, readings: dict[str, Reading], choices: dict[str, str]) -> str:
    """What came back of it, in words, or ''."""
    step = house.registry.step(ended.row.step)
    _, api = await house.connection(case.client, ended.row.system)
    row, known = ended.row, accounts_of(readings.values())
    ctx = context(house, case, readings[row.system], known, api, choices, row.id, row.subject)
    finding = await step.look(ctx)
    if isinstance(finding, Nothing):
        return ""
    items = to_read_back(finding, ended.row.title, ended.items)
    known = {row.key: row for row in ended.items}
    back = [words for item in items if (words := await _open_again(step, ctx, ended, item, known.get(item.key)))]
    return "; ".join(back)


async def _open_again(step: AnyStep, ctx: Context[Any, Any], ended: Ended, item: Item, row: ItemRow | None) -> str:
    """Some things can always be done again, a password reset: what counts is whether ours still holds."""
    intent = Intent(row.id, row.intended_at or ended.since) if row else Intent(ended.row.id, ended.since)
    outcome: Outcome = await step.confirm(ctx, item, intent, row.reference if row else "")
    if isinstance(outcome, Waiting):
        # A stale read is no relapse: once more.
        await ctx.clock.sleep(min(outcome.seconds, IN_PLACE))
        outcome = await step.confirm(ctx, item, intent, row.reference if row else "")
    if isinstance(outcome, Done | Unreadable):
        return ""
    return f"{item.title}: {outcome.reason}"


def _reopen(session: Session, house: House, case: Case, row: StepRow, words: str) -> None:
    """Have the step done again, loudly; a plan that was over is under way again."""
    if row.state != StepState.DONE:
        return
    row.state = move_step(StepState.DONE, StepEvent.RETRIED)
    row.reason, row.evidence, row.settled_at = f"It came back. {words}", "", None
    again(session, house, row, 0)
    plan = session.get_one(Plan, row.plan_id)
    if plan.state == PlanState.DONE:
        plan.state = move_plan(PlanState.DONE, PlanEvent.REOPENED)
    plan.settled_at = plan.locked_out_at = None
    session.add(plan)
    record(session, house.clock.now(), "came back", case_id=case.id, detail={"step": row.step, "what": words})
    cards.show_technicians(session, house, case)
    cards.show_channel(session, house, case, cards.NEWS, topic=f"came back:{row.id}")
