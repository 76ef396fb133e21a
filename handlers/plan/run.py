"""Carries out one attempt at one step: claim the row, look, act, confirm, settle. Every crash is survivable.

The order of commits is the safety: the row is claimed before anything is asked, what is meant
is written before it is done, and who lost the row stops before touching a vendor.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from connectors.contract import (
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
from connectors.together import LINGER
from handlers.cases.wanted import leaver_of
from handlers.house import House
from handlers.plan.claim import Claim, claimed
from handlers.plan.digest import UNREAD
from handlers.plan.readings import Reading, context, read_one, reading_of
from handlers.plan.results import (
    Confirmed,
    HandedOver,
    Later,
    NowRead,
    Rehearsed,
    Result,
    Slow,
    Stated,
    Stuck,
    after_trouble,
)
from handlers.plan.retry import LEASE, PAPER_AGAIN, PAPER_WAITS, TOGETHER
from handlers.plan.settle import settle
from handlers.plan.work import LostRow, NotYet, Work, to_read_back

log = logging.getLogger("offboard.run")


async def attempt(house: House, step_id: str, number: int) -> None:
    """Carry out attempt `number` of that step, unless somebody else did or does."""
    claim = await claimed(house, step_id, number)
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


async def _carry_out(house: House, claim: Claim) -> Result:
    if claim.row.step.endswith(f".{UNREAD}"):
        return await _unread(house, claim)
    step = house.registry.step(claim.row.step)
    # What this attempt asks may travel with what its neighbours ask; a task of its own, so it is said for it alone.
    LINGER.set(0.0 if step.immediate else TOGETHER)
    _, api = await house.connection(claim.case.client, claim.row.system)
    ctx = context(
        house, claim.case, _reading(house, claim), claim.known, api, claim.choices, claim.row.id, claim.row.subject
    )
    if claim.row.by_hand:
        return await _read_back(step, ctx, claim)
    return await Work(house, claim, step, ctx).run()


def _reading(house: House, claim: Claim) -> Reading:
    """Its own account and facts as they were written down; raises ValidationError when another version wrote them."""
    kept = claim.accounts.get(claim.row.system)
    if kept is None:
        return Reading(claim.row.system, None, None, "it could not be read when the plan was made")
    return reading_of(house, kept)


async def _unread(house: House, claim: Claim) -> Result:
    """A system nobody could read when the plan was made: read it now; while that fails, it is a person's task."""
    kept = [reading_of(house, row) for row in claim.accounts.values()]
    before = {one.system: one.facts for one in kept if one.facts is not None}
    leaver = leaver_of(claim.case)
    reading = await read_one(house, claim.case.client, claim.row.system, leaver, last_try=True, before=before)
    if not reading.error:
        return NowRead(reading)
    if claim.row.by_hand:
        return Stated(claim.row.by_hand)
    if claim.dry_run:
        return Rehearsed(reading.error)
    since = claim.row.waiting_since or house.clock.now()
    if house.registry.get(claim.row.system).paperwork and house.clock.now() - since < PAPER_WAITS:
        return Later(PAPER_AGAIN, reading.error, trouble=False)
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
