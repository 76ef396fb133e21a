"""Takes rows for attempts: what begins together is claimed in one transaction, or one by one where that fails."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from connectors.contract import Account
from handlers.cases.states import StepEvent, StepState, move_step
from handlers.cases.tables import AccountRow, Case, ItemRow, Plan, StepRow
from handlers.house import Claiming, House
from handlers.plan.advance import works_again
from handlers.plan.digest import items_of
from handlers.plan.readings import Accounts, choices_of
from handlers.plan.retry import LEASE

log = logging.getLogger("offboard.claim")

CLAIMABLE = frozenset({StepState.READY, StepState.WAITING, StepState.RUNNING})


@dataclass
class Claim:
    """What an attempt was given when it took the row."""

    row: StepRow
    items: list[ItemRow]
    case: Case
    accounts: dict[str, AccountRow]
    """By system, as read when the plan was made."""
    choices: dict[str, str]
    token: str
    approved_at: datetime
    dry_run: bool
    """Look, and change nothing."""

    @property
    def known(self) -> Accounts:
        """Whose accounts need not be looked for again."""
        return {name: Account.model_validate(one.account) for name, one in self.accounts.items() if not one.error}


async def claimed(house: House, step_id: str, number: int) -> Claim | None:
    """Take the row for that attempt; None when it is not to be had (any more)."""
    mine = Claiming[Claim | None](step_id, number, asyncio.get_running_loop().create_future())
    house.claiming.append(mine)
    if len(house.claiming) == 1:
        house.start(_together(house))
    return await mine.taken


async def _together(house: House) -> None:
    """Everything that one commit has freed comes here in the same turn of the loop."""
    them, house.claiming = house.claiming, []
    try:
        claims = await house.store.write(lambda session: _each(session, house, them), urgent=True)
    except Exception as error:
        # One row that can't be claimed must not keep the others waiting.
        log.error("claimed one by one: %s", type(error).__name__, exc_info=error)
        await asyncio.gather(*(_alone(house, one) for one in them))
    else:
        for one, claim in zip(them, claims, strict=True):
            if not one.taken.done():
                one.taken.set_result(claim)
    finally:
        # Stopped half-way: whoever waits must not wait for ever.
        for one in them:
            one.taken.cancel()


async def _alone(house: House, one: Claiming[Claim | None]) -> None:
    try:
        claim = await house.store.write(lambda session: _claim(session, house, one.step_id, one.number), urgent=True)
    except Exception as error:  # noqa: BLE001 - whoever wanted the row is told
        if not one.taken.done():
            one.taken.set_exception(error)
    else:
        if not one.taken.done():
            one.taken.set_result(claim)


def _each(session: Session, house: House, them: list[Claiming[Claim | None]]) -> list[Claim | None]:
    return [_claim(session, house, one.step_id, one.number) for one in them]


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
    works_again(session, house, row)
    case = session.get_one(Case, row.case_id)
    plan = session.get_one(Plan, row.plan_id)
    accounts = {one.system: one for one in session.exec(select(AccountRow).where(AccountRow.case_id == case.id))}
    items, choices = items_of(session, step_id), choices_of(session, case.id)
    return Claim(row, items, case, accounts, choices, row.owner, plan.approved_at or now, plan.dry_run)
