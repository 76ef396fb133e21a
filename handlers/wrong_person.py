"""The wrong person was locked out: stop, restore sign-in, and give a technician a one-time way in for them."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlmodel import Session

from connectors.contract import Done, Failed, Item, Outcome, Throttled, Unreachable, Unreadable, VendorError, Waiting
from handlers import cut_off
from handlers.cancel import close_case, stop
from handlers.cases import cards
from handlers.cases.history import record
from handlers.cases.tables import Case, ItemRow, Lookup, StepRow
from handlers.cases.wanted import RESTORE, TRIES, Apply, want
from handlers.click import Click, Missing
from handlers.conversation import Reply
from handlers.house import House
from handlers.plan.digest import UNREAD, items_of
from handlers.plan.readings import accounts_of, choices_of, context, readings_of
from handlers.plan.rows import case_steps

WRONG, CALLED_OFF = "wrong person", "called off"
"""Why such a case is closed: somebody else was meant; or they stay, and access had not ended yet."""

log = logging.getLogger("offboard.wrong_person")


def wrong_person(click: Click) -> Reply:
    """Stop everything of this case now, and begin to restore."""
    session, house, case = click.session, click.house, click.case
    why = CALLED_OFF if cut_off.ended_nothing(session, case) else WRONG
    stop(session, case)
    close_case(session, house, case, why, click.person.id, click.identity)
    want(session, house, case, RESTORE)
    return Reply()


def say_wrong_person(click: Click) -> Reply:
    """The person who asked sees the mistake: the technicians are told at once; theirs is the press that restores."""
    stays = cut_off.ended_nothing(click.session, click.case)
    topic = CALLED_OFF if stays else WRONG
    cards.show_channel(click.session, click.house, click.case, cards.NEWS, topic=topic)
    click.record(f"said to be {topic}")
    what = "They put back what was done ahead." if stays else "They restore access."
    return Reply(f"The technicians have been told. {what}")


@dataclass(frozen=True)
class Undone:
    """What came of undoing one item."""

    item_id: str
    words: str


async def ask(house: House, case: Case, lookup: Lookup) -> Apply:
    """Undo, newest first, everything that has a way back; each one's truth is kept.

    Raises Throttled or Unreachable, after everything else was tried, while it is worth asking again.
    """
    work = await house.store.read(lambda session: _undoable(session, case.id))
    found = await house.store.read(lambda session: readings_of(session, house, case.id))
    readings, known = {reading.system: reading for reading in found}, accounts_of(found)
    choices = await house.store.read(lambda session: choices_of(session, case.id))
    undone: list[Undone] = []
    passing: VendorError | None = None
    for row, items in work:
        step = house.registry.find_step(row.step)
        reading = readings.get(row.system)
        if step is None or reading is None or reading.account is None:
            undone += [Undone(item.id, "NOT restored: this version knows no way back") for item in items]
            continue
        for item in items:
            before = Item(key=item.key, title=item.title, before=item.before, destroys=item.destroys)
            try:
                _, api = await house.connection(case.client, row.system)
                outcome = await step.undo(context(house, case, reading, known, api, choices, row.id), before)
            except VendorError as error:
                if isinstance(error, Throttled | Unreachable):
                    passing = error
                undone.append(Undone(item.id, f"NOT restored: {error}"))
                continue
            except Exception as error:
                # One step's bug must not keep the others from being restored.
                log.exception("undoing %s", row.step)
                undone.append(Undone(item.id, f"NOT restored: our own code failed ({type(error).__name__})"))
                continue
            if isinstance(outcome, Waiting):
                passing = Unreachable(row.system, f"undo {row.title}", outcome.reason)
            if outcome is not None:
                undone.append(Undone(item.id, _words(outcome)))
    if passing is not None and lookup.tries < TRIES:
        # Undoing twice does no harm; leaving somebody out who should be in does.
        raise passing

    def apply(session: Session, case: Case) -> None:
        for one in undone:
            item = session.get_one(ItemRow, one.item_id)
            item.undone = one.words
            session.add(item)
        record(
            session, house.clock.now(), "restored", case_id=case.id,
            detail={"undone": [[one.item_id, one.words] for one in undone]},
        )  # fmt: skip
        cards.show_channel(session, house, case, cards.NEWS, topic="restored")
        identity = cards.identity_of(house, case.requester)
        if identity:
            cards.show_person(session, house, case.id, cards.NEWS, case.requester, identity, "restored")

    return apply


def _undoable(session: Session, case_id: str) -> list[tuple[StepRow, list[ItemRow]]]:
    """Steps that changed something, the last one first."""
    # The rest came after the lock-out, whatever their places on the card: plans' ids are in the order of their making.
    rows = sorted(case_steps(session, case_id), key=lambda row: (row.plan_id, row.place), reverse=True)
    return [
        (row, [item for item in items_of(session, row.id) if item.intended_at and not item.undone])
        for row in rows
        if "." in row.step and not row.step.endswith(f".{UNREAD}")
    ]


def _words(outcome: Outcome) -> str:
    match outcome:
        case Done(evidence):
            return f"restored: {evidence}"
        case Waiting(_, why):
            return f"restored, not visible yet: {why}"
        case Failed(why) | Unreadable(why):
            return f"NOT restored: {why}"


def way_back_in(click: Click) -> Reply:
    """A one-time secret for the person locked out by mistake: shown once, to this technician, never stored."""
    house, case = click.house, click.case
    if case.draft.get("way back in"):
        raise Missing("It was shown already. Issue another one in the system itself if it was lost.")
    case.draft = {**case.draft, "way back in": click.person.id}
    click.session.add(case)
    click.record("way back in issued")
    case_id, client_id = case.id, case.client

    async def show() -> str:
        readings = await house.store.read(lambda session: readings_of(session, house, case_id))
        lines: list[str] = []
        for reading in readings:
            if reading.account is None:
                continue
            try:
                connector, api = await house.connection(client_id, reading.system)
                secret = await connector.restore(api, reading.account)
            except VendorError as error:
                lines.append(str(error))
                continue
            if secret is not None:
                lines.append(f"{secret.title}: {secret.value} (once, within {secret.minutes} minutes)")
        return "\n".join(lines) or "No connected system has a one-time way in. Reset the password by hand."

    return Reply(secret=show)
