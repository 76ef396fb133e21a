"""Takes one attempt through the items of its step: look where needed, act on what is open, confirm, settle."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from connectors.contract import (
    Accepted,
    AnyStep,
    Context,
    Done,
    Failed,
    Finding,
    Intent,
    Item,
    NotBefore,
    Nothing,
    Outcome,
    Refused,
    Task,
    Todo,
    Unreachable,
    Unreadable,
    VendorError,
    Waiting,
    Wave,
)
from handlers.cases.states import StepState
from handlers.cases.tables import Case, ItemRow, StepRow
from handlers.cases.wanted import RESTORE, want
from handlers.house import House
from handlers.plan.claim import Claim
from handlers.plan.results import Confirmed, Later, Result, Slow, Stuck, after_trouble, rehearsed, unchanged, worst
from handlers.plan.retry import IN_PLACE, LEASE


class LostRow(Exception):
    """Another attempt holds the row now: this one stops, and changes nothing."""


class NotYet(Exception):
    """What was meant before a crash may still become visible: look again before acting."""

    def __init__(self, seconds: float, reason: str) -> None:
        self.seconds, self.reason = seconds, reason
        super().__init__(reason)


@dataclass
class Work:
    """One attempt's way through the items of its step."""

    house: House
    claim: Claim
    step: AnyStep
    ctx: Context[Any, Any]
    _repeated: set[str] = field(default_factory=set[str])
    """Items that an earlier attempt meant, and may have changed already."""
    _shared: set[str] = field(default_factory=set[str])
    """Those of them that another row of ours meant from the same state."""

    async def run(self) -> Result:
        """Look where needed, act on what is open, confirm what was accepted; a dry run only looks."""
        if self.claim.dry_run:
            return rehearsed(await self.step.look(self.ctx), self.claim.row.irreversible)
        unsettled = [item for item in self.claim.items if item.settled_at is None]
        to_confirm = [item for item in unsettled if item.accepted_at]
        to_look = [item for item in unsettled if not item.accepted_at]
        to_act: list[ItemRow] = []
        destroyed_later: list[str] = []
        # With nothing left but settled items, looking again may still find what was refused before.
        if to_look or (not to_confirm and (self.step.repeatable or not self.claim.items)):
            finding = await self._look(to_look)
            match finding:
                case Todo(found):
                    to_act, seen, destroyed_later = await self._merge(to_look, found)
                    to_confirm += seen
                case Nothing(evidence) if self.claim.items:
                    to_confirm += [item for item in to_look if item.intended_at]
                    for item in [item for item in to_look if not item.intended_at]:
                        await self._item_done(item, evidence)
                case _:
                    return unchanged(finding)
        await self._mean(to_act)
        acted = await self._act_on(to_act)
        to_confirm += [item for item, problem in acted if problem is None]
        problems = [problem for _, problem in acted if problem is not None]
        for item in await self._unproved(to_confirm):
            problem = await self._confirm(item)
            if problem is not None:
                problems.append(problem)
        if destroyed_later:
            names = ", ".join(destroyed_later)
            problems.append(Stuck(f"Found after the approval, so nobody approved it: {names}. Do it by hand, or skip."))
        return worst(problems) or Confirmed("; ".join(item.evidence for item in self.claim.items))

    async def _look(self, items: list[ItemRow]) -> Finding:
        """Look, except where looking could not tell an effect from its absence."""
        meant = [item for item in items if item.intended_at]
        if meant and not self.step.repeatable:
            return await self._look_for_effects(items, meant)
        return await self.step.look(self.ctx)

    async def _look_for_effects(self, items: list[ItemRow], meant: list[ItemRow]) -> Finding:
        """A crash left it open whether the vendor heard us: search by reference, never just repeat."""
        for item in meant:
            outcome = await self.step.confirm(self.ctx, _item(item), self._intent(item), "")
            if isinstance(outcome, Done):
                await self._item_done(item, outcome.evidence)
            elif isinstance(outcome, Unreadable):
                return Task(
                    f"It may have happened already, and nothing can tell: {outcome.reason}.",
                    f"Check whether '{item.title}' is there. If so, say you did it by hand; if not, retry.",
                )
            elif item.intended_at and self.ctx.clock.now() - item.intended_at < self.step.lag:
                left = (item.intended_at + self.step.lag - self.ctx.clock.now()).total_seconds()
                raise NotYet(max(left, 1.0), f"'{item.title}' may have happened; waiting to read it back")
        rest = [_item(item) for item in items if item.settled_at is None]
        return Todo(tuple(rest)) if rest else Nothing("found by its reference")

    async def _merge(
        self, known: list[ItemRow], found: tuple[Item, ...]
    ) -> tuple[list[ItemRow], list[ItemRow], list[str]]:
        """What to act on, what only to confirm, and what nobody approved to be destroyed."""
        by_key = {item.key: item for item in known}
        settled = [item for item in self.claim.items if item.settled_at is not None]
        keys = {item.key for item in found}
        lock_out = self.step.wave is Wave.LOCK_OUT
        for item in known:
            if item.key not in keys and not item.intended_at:
                await self._item_done(item, "was gone already when looked at again")
        seen = [item for item in known if item.key not in keys and item.intended_at]
        act = [by_key[item.key] for item in found if item.key in by_key]
        if lock_out and self.step.repeatable:
            # A way in that was ended and is open again is no evidence any more: it is meant anew.
            again = [item for item in settled if item.key in keys]
            for item in again:
                item.intended_at = None
            act += again
        fresh = {item.key: item.before for item in found}
        for item in act:
            if item.intended_at is None:
                # What stands there now, not when the plan was made: others have acted since.
                item.before = dict(fresh[item.key])
        known_keys = {item.key for item in self.claim.items}
        new = [item for item in found if item.key not in known_keys]
        if new and (lock_out or not self.claim.items):
            act += await self._add([item for item in new if not item.destroys])
            return act, seen, [item.title for item in new if item.destroys]
        return act, seen, [item.title for item in new]

    async def _add(self, new: list[Item]) -> list[ItemRow]:
        """New access found after an approved lock-out is ended too, and reported as such."""
        if not new:
            return []
        rows = [
            ItemRow(
                id=self.house.new_id(),
                step_id=self.claim.row.id,
                key=item.key,
                title=item.title,
                added=bool(self.claim.items),
                before=dict(item.before),
            )
            for item in new
        ]

        def write(session: Session) -> None:
            self._hold(session)
            session.add_all(rows)

        await self.house.store.write(write, urgent=True)
        self.claim.items += rows
        return rows

    async def _mean(self, items: list[ItemRow]) -> None:
        """Write down what is meant, once, before anything is done."""
        now = self.house.clock.now()
        new = [item for item in items if item.intended_at is None]

        def write(session: Session) -> None:
            self._hold(session)
            for item in items:
                item.intended_at = item.intended_at or now
                item.settled_at = item.accepted_at = None
                session.add(item)

        if items:
            await self.house.store.write(write, urgent=True)
        self._repeated = {item.id for item in items} - {item.id for item in new}
        repeated = [item for item in items if item.id in self._repeated]
        if repeated:
            self._shared = await self.house.store.read(lambda session: self._meant_elsewhere(session, repeated))

    def _meant_elsewhere(self, session: Session, items: list[ItemRow]) -> set[str]:
        query = (
            select(ItemRow)
            .join(StepRow, col(StepRow.id) == col(ItemRow.step_id))
            .where(StepRow.step == self.step.id, StepRow.id != self.claim.row.id, col(ItemRow.intended_at).is_not(None))
        )
        meant = {item.key: item for item in items}
        others = session.exec(query.where(col(ItemRow.key).in_(meant)))
        return {meant[other.key].id for other in others if other.before == meant[other.key].before}

    async def _act_on(self, items: list[ItemRow]) -> list[tuple[ItemRow, Result | None]]:
        """Change them, in one call or side by side where the step can; answers what is the matter with each."""
        if len(items) > 1 and (at_once := await self._act_at_once(items)) is not None:
            return at_once
        if self.step.side_by_side:
            return list(zip(items, await asyncio.gather(*(self._act(item) for item in items)), strict=True))
        acted: list[tuple[ItemRow, Result | None]] = []
        for item in items:
            acted.append((item, await self._act(item)))
            if isinstance(acted[-1][1], Later):
                break
        return acted

    async def _act_at_once(self, items: list[ItemRow]) -> list[tuple[ItemRow, Result | None]] | None:
        """All of them in one call; None where that can't be, or was refused: then each has a refusal of its own."""
        try:
            accepted = await self.step.act_at_once(self.ctx, [_item(item) for item in items])
        except Refused:
            return None
        except VendorError as error:
            return [(item, await self._trouble(item, error)) for item in items]
        if accepted is None:
            return None
        for item in items:
            await self._accepted(item, accepted)
        return [(item, None) for item in items]

    async def _act(self, item: ItemRow) -> Result | None:
        intent = self._intent(item, repeated=item.id in self._repeated)
        try:
            accepted = await self.step.act(self.ctx, _item(item), intent)
        except VendorError as error:
            return await self._trouble(item, error)
        await self._accepted(item, accepted)
        return None

    async def _trouble(self, item: ItemRow, error: VendorError) -> Result:
        if isinstance(error, Unreachable):
            await self.house.store.write(lambda session: self._undo_if_stopped(session, item))
        return after_trouble(error, self.claim.row.troubles)

    async def _accepted(self, item: ItemRow, accepted: Accepted) -> None:
        def write(session: Session) -> None:
            self._hold(session)
            item.accepted_at = self.house.clock.now()
            item.reference = accepted.reference
            session.add(item)

        try:
            await self.house.store.write(write, urgent=True)
        except LostRow:
            await self.house.store.write(lambda session: self._undo_if_stopped(session, item))
            raise

    def _undo_if_stopped(self, session: Session, item: ItemRow) -> None:
        """The case was stopped while the vendor was at it: what was restored meanwhile may be gone again."""
        row = session.get_one(StepRow, self.claim.row.id)
        if row.state == StepState.CANCELLED:
            kept = session.get_one(ItemRow, item.id)
            kept.undone = ""
            session.add(kept)
            want(session, self.house, session.get_one(Case, row.case_id), RESTORE)

    async def _unproved(self, items: list[ItemRow]) -> list[ItemRow]:
        """Settle what one read proves of several items; answers those that are to be confirmed one by one."""
        if len(items) < 2:
            return items
        proved = await self.step.proved(self.ctx, [_item(item) for item in items])
        for item in items:
            if item.key in proved:
                await self._item_done(item, proved[item.key])
        return [item for item in items if item.key not in proved]

    async def _confirm(self, item: ItemRow) -> Result | None:
        waited = 0.0
        while True:
            outcome: Outcome = await self.step.confirm(self.ctx, _item(item), self._intent(item), item.reference)
            if isinstance(outcome, Waiting) and waited + outcome.seconds < IN_PLACE:
                waited += outcome.seconds
                await self.house.clock.sleep(outcome.seconds)
                continue
            break
        match outcome:
            case Done(evidence):
                await self._item_done(item, evidence)
                return None
            case Waiting(seconds, why):
                since = item.accepted_at or item.intended_at or self.house.clock.now()
                if self.house.clock.now() - since > self.step.lag:
                    minutes = self.step.lag.total_seconds() / 60
                    return Stuck(f"Accepted, but not to be seen after {minutes:.0f} minutes: {why}.")
                return Slow(seconds, why)
            case Failed(why):
                # Not accepted after all: the next attempt looks and acts again.
                await self._forget_acceptance(item)
                return Stuck(why)
            case Unreadable(why):
                return Stuck(f"Accepted, but it can't be read back: {why}. Check it and say so.")

    async def _item_done(self, item: ItemRow, evidence: str) -> None:
        def write(session: Session) -> None:
            self._hold(session)
            item.settled_at = self.house.clock.now()
            item.evidence = evidence
            session.add(item)

        await self.house.store.write(write, urgent=True)

    async def _forget_acceptance(self, item: ItemRow) -> None:
        def write(session: Session) -> None:
            self._hold(session)
            item.accepted_at = None
            session.add(item)

        await self.house.store.write(write, urgent=True)

    def _hold(self, session: Session) -> None:
        """Renew the lease. Raises LostRow when another attempt has the row."""
        row = session.get(StepRow, self.claim.row.id)
        if row is None or row.owner != self.claim.token or row.state != StepState.RUNNING:
            raise LostRow(self.claim.row.id)
        row.lease_until = self.house.clock.now() + LEASE
        session.add(row)

    def _intent(self, item: ItemRow, *, repeated: bool = False) -> Intent:
        return Intent(item.id, item.intended_at or self.house.clock.now(), repeated, item.id in self._shared)


def to_read_back(finding: Todo | NotBefore | Task, title: str, rows: list[ItemRow]) -> list[Item]:
    """What a look finds, one by one, each with what stood there before we acted; a task is one item, done by hand."""
    if isinstance(finding, Task):
        return [Item(key="by hand", title=title)]
    before = {row.key: row.before for row in rows}
    return [item.model_copy(update={"before": before.get(item.key, item.before)}) for item in finding.items]


def _item(row: ItemRow) -> Item:
    return Item(key=row.key, title=row.title, before=row.before, destroys=row.destroys)
