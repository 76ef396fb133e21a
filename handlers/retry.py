"""What technicians do with a step that is stuck or theirs: retry, skip, say it was done by hand, take it."""

from __future__ import annotations

from connectors.contract import Wave
from handlers.cases import due
from handlers.cases.states import StepEvent, StepState, move_step
from handlers.cases.tables import StepRow
from handlers.click import Click, Missing
from handlers.conversation import Reply
from handlers.plan.advance import advance, again, blocked
from handlers.plan.digest import items_of


def retry(click: Click) -> Reply:
    """Try the step again now."""
    row = _row(click)
    why_not = blocked(click.session, click.house, row)
    if why_not:
        raise Missing(why_not)
    step = click.house.registry.find_step(row.step)
    if row.state == StepState.TASK and step is not None and not step.repeatable:
        # They were asked to check whether it had happened; Retry is their answer that it had not.
        for item in items_of(click.session, row.id):
            if item.settled_at is None:
                item.intended_at = None
                click.session.add(item)
    row.state = move_step(StepState(row.state), StepEvent.RETRIED)
    row.troubles = 0
    again(click.session, click.house, row, 0)
    click.record("retried", step=row.step)
    advance(click.session, click.house, click.case)
    return Reply()


def skip(click: Click) -> Reply:
    """Leave the step undone, by a named person with a reason; never counted as done."""
    row = _row(click)
    due.clear_subject(click.session, click.case, row.id)
    reason = _note(click, row, "Write why it is skipped; the report names you and the reason.")
    row.state = move_step(StepState(row.state), StepEvent.SKIPPED)
    row.reason, row.person, row.settled_at = reason, click.person.id, click.house.clock.now()
    click.session.add(row)
    click.record("skipped", step=row.step, reason=reason)
    advance(click.session, click.house, click.case)
    return Reply()


def by_hand(click: Click) -> Reply:
    """The person did it themselves: their note is kept, and the system is read back."""
    row = _row(click)
    note = _note(click, row, "Write what you did and where; then it is read back.")
    row.state = move_step(StepState(row.state), StepEvent.RETRIED)
    row.by_hand, row.person, row.troubles = note, click.person.id, 0
    again(click.session, click.house, row, 0)
    click.record("done by hand", step=row.step, note=note)
    advance(click.session, click.house, click.case)
    return Reply()


def take(click: Click) -> Reply:
    """Put one's own name to the task."""
    row = _row(click)
    row.person = click.person.id
    click.session.add(row)
    due.clear_subject(click.session, click.case, row.id)
    if row.wave == Wave.LOCK_OUT:
        due.set_due(click.session, click.house, click.case, due.REMIND, click.house.timings.still_open, row.id)
    click.record("task taken", step=row.step)
    return Reply()


def _row(click: Click) -> StepRow:
    row = click.session.get(StepRow, click.arg("step"))
    if row is None:
        raise Missing("That step is not part of the case any more.")
    return row


def _note(click: Click, row: StepRow, missing: str) -> str:
    return click.typed(f"note-{row.id}", missing)[:500]
