"""Carries out one attempt at one step: claim the row, look, act, confirm, settle. Every crash is survivable.

The order of commits is the safety: the row is claimed before anything is asked, what is meant
is written before it is done, and who lost the row stops before touching a vendor.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from connectors.contract import (
    Account,
    AnyStep,
    Context,
    Done,
    Failed,
    Intent,
    Item,
    NotBefore,
    Nothing,
    Task,
    Todo,
    Unreachable,
    Unreadable,
    VendorError,
    Waiting,
)
from handlers.cases.states import StepEvent, StepState, move_step
from handlers.cases.tables import AccountRow, Case, Plan, StepRow
from handlers.cases.wanted import leaver_of
from handlers.house import House
from handlers.plan.advance import refresh_plan
from handlers.plan.digest import UNREAD, items_of
from handlers.plan.readings import Reading, choices_of, context, read_one
from handlers.plan.results import Confirmed, HandedOver, NowRead, Result, Slow, Stated, Stuck, after_trouble
from handlers.plan.retry import LEASE
from handlers.plan.settle import settle
from handlers.plan.work import Claim, LostRow, NotYet, Work, to_read_back

log = logging.getLogger("offboard.run")

CLAIMABLE = frozenset({StepState.READY, StepState.WAITING, StepState.RUNNING})


async def attempt(house: House, step_id: str, number: int) -> None:
    """Carry out attempt `number` of that step, unless somebody else did or does."""
    claim = await house.store.write(lambda session: _claim(session, house, step_id, number), urgent=True)
    if claim is None:
        return
    try:
        async with asyncio.timeout((LEASE / 2).total_seconds()):
            result = await _carry_out(house, claim)
    except TimeoutError:
        slow = Unreachable(claim.row.system, claim.row.title, "no end of it after a minute")
        result = after_trouble(slow, claim.row.troubles)
    except LostRow:
        return
    except NotYet as wait:
        result = Slow(wait.seconds, wait.reason)
    except VendorError as error:
        result = after_trouble(error, claim.row.troubles)
    except Exception as error:
        log.exception("%s attempt %d", claim.row.step, number)
        result = Stuck(f"Our own code failed ({type(error).__name__}). Retry; if it stays, tell your developer.")
    await house.store.write(lambda session: settle(session, house, step_id, claim.token, result), urgent=True)


def _claim(session: Session, house: House, step_id: str, number: int) -> Claim | None:
    row = session.get(StepRow, step_id)
    now = house.clock.now()
    if row is None or row.attempt != number or row.state not in CLAIMABLE:
        return None
    if row.state == StepState.RUNNING and row.lease_until and row.lease_until > now:
        return None
    row.state = move_step(StepState(row.state), StepEvent.CLAIMED)
    row.owner = house.new_id()
    row.lease_until = now + LEASE
    row.due_at = None
    session.add(row)
    refresh_plan(session, house, row.plan_id)
    case = session.get_one(Case, row.case_id)
    account = session.get(AccountRow, (row.case_id, row.system))
    approved_at = session.get_one(Plan, row.plan_id).approved_at or now
    items, choices = items_of(session, step_id), choices_of(session, case.id)
    return Claim(row, items, case, account, choices, row.owner, approved_at)


async def _carry_out(house: House, claim: Claim) -> Result:
    if claim.row.step.endswith(f".{UNREAD}"):
        return await _unread(house, claim)
    step = house.registry.step(claim.row.step)
    _, api = await house.connection(claim.case.client, claim.row.system)
    ctx = context(house, claim.case, _reading(house, claim), api, claim.choices, claim.row.id, claim.row.subject)
    if claim.row.by_hand:
        return await _read_back(step, ctx, claim)
    return await Work(house, claim, step, ctx).run()


def _reading(house: House, claim: Claim) -> Reading:
    """The account and its facts as they were written down; raises ValidationError when another version wrote them."""
    kept = claim.account
    if kept is None or kept.error:
        return Reading(claim.row.system, None, None, "it could not be read when the plan was made")
    facts: BaseModel = house.registry.get(claim.row.system).facts_model.model_validate(kept.facts)
    return Reading(claim.row.system, Account.model_validate(kept.account), facts)


async def _unread(house: House, claim: Claim) -> Result:
    """A system nobody could read when the plan was made: read it now; while that fails, it is a person's task."""
    reading = await read_one(house, claim.case.client, claim.row.system, leaver_of(claim.case), last_try=True)
    if not reading.error:
        return NowRead(reading)
    if claim.row.by_hand:
        return Stated(claim.row.by_hand)
    return HandedOver(reading.error, claim.row.instructions)


async def _read_back(step: AnyStep, ctx: Context[Any, Any], claim: Claim) -> Result:
    """A person says they did it: look, and change nothing."""
    finding = await step.look(ctx)
    match finding:
        case Nothing(evidence):
            return Confirmed(evidence)
        case Todo() if not step.repeatable:
            return await _find_effects(step, ctx, claim)
        case Todo():
            instructions = claim.row.instructions
        case NotBefore(_, reason):
            instructions = f"{claim.row.instructions} ({reason})"
        case Task(reason, instructions):
            instructions = f"{instructions} ({reason})"
    items = to_read_back(finding, claim.row.title, claim.items)
    return await _confirm_by_hand(step, ctx, claim, items, instructions)


async def _confirm_by_hand(
    step: AnyStep, ctx: Context[Any, Any], claim: Claim, items: list[Item], instructions: str
) -> Result:
    """Some things can always be done again, a password reset: what counts is whether it happened since the approval."""
    found: list[str] = []
    for item in items:
        match await step.confirm(ctx, item, Intent(claim.row.id, claim.approved_at), ""):
            case Done(evidence):
                found.append(evidence)
            case Unreadable():
                return Stated(claim.row.by_hand)
            case Waiting(_, why) | Failed(why):
                return HandedOver(f"Read back, and it is still open: {item.title}. {why}", instructions)
    return Confirmed("; ".join(found))


async def _find_effects(step: AnyStep, ctx: Context[Any, Any], claim: Claim) -> Result:
    """Looking can't tell the effect from its absence: search each item by its reference."""
    found: list[str] = []
    for row in claim.items:
        item = Item(key=row.key, title=row.title, before=row.before, destroys=row.destroys)
        match await step.confirm(ctx, item, Intent(row.id, row.intended_at or ctx.clock.now()), row.reference):
            case Done(evidence):
                found.append(evidence)
            case Unreadable():
                return Stated(claim.row.by_hand)
            case Waiting(_, why) | Failed(why):
                return HandedOver(f"Read back, and it is still open: {why}.", claim.row.instructions)
    return Confirmed("; ".join(found)) if found else Stated(claim.row.by_hand)
