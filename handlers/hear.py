"""The way in: one short transaction per thing heard. Who is it, may they, is the button fresh, then do it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import cast

import sqlalchemy as sa
from sqlmodel import Session, col, select

from handlers import deliver, messages, newcomers
from handlers.access import Right, may
from handlers.cases import cards
from handlers.cases.history import record
from handlers.cases.tables import ButtonRow, CardRow, Case, Heard
from handlers.click import Click, Missing
from handlers.commands import ACTIONS, COMMANDS
from handlers.conversation import Inbound, Kind, Reply
from handlers.house import House
from handlers.people import Person

log = logging.getLogger("offboard.hear")

_PRESSED = (
    select(ButtonRow, CardRow, Case)
    .join(CardRow, col(CardRow.id) == col(ButtonRow.card_id))
    .outerjoin(Case, col(Case.id) == col(ButtonRow.case_id))
    .where(ButtonRow.token == sa.bindparam("token"))
)
"""A button, the card it is on, and the case it is about; a newcomer's is about none."""


async def hear(house: House, inbound: Inbound) -> Reply:
    """Act on one thing somebody did; the answer is given once it is committed."""
    person = house.roster.who(inbound.actor)
    if person is None:
        log.info("heard a stranger on %s", inbound.actor.platform)
        told = inbound.kind is Kind.COMMAND and inbound.command == "offboard"
        told = told and await house.store.write(lambda session: newcomers.heard(session, house, inbound))
        return Reply(messages.stranger(house.roster.msp.name, told=told))
    work = _click if inbound.kind is Kind.CLICK else _command
    try:
        return await house.store.write(lambda session: work(session, house, inbound, person), urgent=True, shares=True)
    except Missing as sentence:
        # The transaction was rolled back with it: the button is unused, and nothing is written.
        return Reply(str(sentence))


def _command(session: Session, house: House, inbound: Inbound, person: Person) -> Reply:
    if session.get(Heard, inbound.dedupe) is not None:
        return Reply()
    session.add(Heard(key=inbound.dedupe, at=house.clock.now()))
    command = COMMANDS.get(inbound.command)
    return command(session, house, person, inbound) if command else Reply(messages.help_text(person))


def _click(session: Session, house: House, inbound: Inbound, person: Person) -> Reply:
    pressed = session.exec(_PRESSED, params={"token": messages.hashed(inbound.token)}).first()
    if pressed is None or pressed[0].expires_at < house.clock.now():
        return Reply(messages.OLD_BUTTON)
    button, card, case = cast("tuple[ButtonRow, CardRow, Case | None]", pressed)
    reply = _press(session, house, inbound, person, button, card, case)
    if not inbound.at_once or not reply.card:
        return reply
    # While the rows are at hand, nothing of them is read again.
    return replace(reply, drawn=deliver.draw_at_once(session, house, reply.card))


def _press(
    session: Session,
    house: House,
    inbound: Inbound,
    person: Person,
    button: ButtonRow,
    card: CardRow,
    case: Case | None,
) -> Reply:
    if card.kind == cards.NEWCOMER:
        return newcomers.click(session, house, button, person, str(inbound.actor), inbound.values)
    if case is None:
        return Reply(messages.OLD_BUTTON)
    action = ACTIONS[button.action]
    if not may(session, house.roster, person, case, action.right):
        record(
            session, house.clock.now(), "refused", case_id=case.id, person=person.id,
            identity=str(inbound.actor), detail={"action": button.action},
        )  # fmt: skip
        return Reply(messages.not_yours(action.right))
    if button.used_at is not None:
        return _stale(session, house, case, card, "")
    if card.dead or cards.replaced(card) or action.stamp(session, case, button.args) != button.stamp:
        decided = messages.meanwhile(session, house, case) if action.right is Right.APPROVE else messages.CHANGED
        return _stale(session, house, case, card, decided)
    reply = action.do(Click(session, house, case, card, person, str(inbound.actor), button.args, inbound.values))
    cards.use(session, house, button, person.id)
    cards.redraw(session, house, case)
    if card.dead:
        return reply
    cards.hold(session, house, card)
    return Reply(reply.line, card.id, secret=reply.secret)


def _stale(session: Session, house: House, case: Case, card: CardRow, line: str) -> Reply:
    """The button says something old: draw the card anew and do nothing."""
    if card.dead:
        return Reply(line or messages.OLD_BUTTON)
    cards.redraw(session, house, case)
    cards.hold(session, house, card)
    return Reply(line, card.id)
