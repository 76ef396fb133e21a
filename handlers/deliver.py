"""Shows cards: drawn from state at delivery, coalesced, retried, and never queued as content."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session

from handlers.cases import cards
from handlers.cases.tables import CardRow
from handlers.conversation import Actor, Card, Chat, ChatError, Message, Place
from handlers.draw import draw
from handlers.house import House

log = logging.getLogger("offboard.deliver")

Show = Callable[[Card], Awaitable[None]]
"""Shows a card where the click was. Raises ChatError."""

BACKOFF = 3.0
"""Seconds before a message that could not be sent is tried again, when the platform names no time."""
LULL = timedelta(seconds=30)
SLOWEST = 6
"""A message is edited soon after a lull, then ever more slowly, down to once per `Timings.coalesce`."""
GIVE_UP = 50
"""Failures in a row after which a card is given up, and the log says so."""


@dataclass(frozen=True)
class Drawn:
    """A card as it is to be shown, and which version of the truth it is."""

    row: CardRow
    card: Card
    version: int


async def answer(house: House, card_id: str, show: Show) -> None:
    """Redraw a card for the edge that just heard a click on it, from the committed state."""
    drawn = await house.store.write(lambda session: _draw(session, house, card_id))
    if drawn is None:
        return
    try:
        await show(drawn.card)
    except ChatError as error:
        log.info("inline answer failed, the sender takes over: %s", error)
        return
    await house.store.write(lambda session: _shown(session, house, drawn, None))


async def send_waiting(house: House) -> float | None:
    """Send every card that shows something old; returns seconds until the next one may be sent."""
    rows = await house.store.read(lambda session: [row.id for row in cards.waiting(session, house)])
    if rows:
        await asyncio.gather(*(_send(house, card_id) for card_id in rows))
    return await house.store.read(lambda session: _next(session, house))


def _next(session: Session, house: House) -> float | None:
    held = cards.waiting(session, house, timedelta(days=1))
    now = house.clock.now()
    times = [(row.retry_at - now).total_seconds() if row.retry_at else 0.0 for row in held]
    return max(min(times), 0.0) if times else None


def _draw(session: Session, house: House, card_id: str) -> Drawn | None:
    row = session.get(CardRow, card_id)
    if row is None or row.dead:
        return None
    card = draw(session, house, row)
    if card is None:
        row.dead = "nothing to show"
        session.add(row)
        return None
    row.posting = not row.message
    session.add(row)
    return Drawn(row, card, row.due)


async def _send(house: House, card_id: str) -> None:
    drawn = await house.store.write(lambda session: _draw(session, house, card_id))
    if drawn is None:
        return
    row = drawn.row
    actor = Actor(*row.identity.split("/")) if row.identity else None
    place = cards.place_of(row)
    platform = place.platform if place else actor.platform if actor else ""
    chat = house.chats.get(platform)
    if chat is None:
        reason = f"no chat on '{platform}'"
        await house.store.write(lambda session: _dead(session, card_id, reason))
        return
    try:
        message = await _post(chat, drawn, actor, place)
    except ChatError as error:
        failure = error
        await house.store.write(lambda session: _failed(session, house, card_id, failure))
        return
    await house.store.write(lambda session: _shown(session, house, drawn, message))


async def _post(chat: Chat, drawn: Drawn, actor: Actor | None, place: Place | None) -> Message | None:
    if place is None:
        if actor is None:
            raise ChatError(chat.platform, "open", "the card has neither a place nor a person", None)
        place = await chat.private(actor)
    if drawn.row.message:
        await chat.update(Message(place, drawn.row.message), drawn.card)
        return None
    return await chat.post(place, drawn.card)


def _shown(session: Session, house: House, drawn: Drawn, message: Message | None) -> None:
    row = session.get_one(CardRow, drawn.row.id)
    row.shown = max(row.shown, drawn.version)
    row.failures, row.posting = 0, False
    if cards.replaced(row) and row.shown >= row.due:
        row.dead = "replaced by a newer card"
    now = house.clock.now()
    lull = row.shown_at is None or now - row.shown_at > LULL
    row.pace = 0 if lull else row.pace + 1
    row.shown_at = now
    row.retry_at = now + house.timings.coalesce * min(row.pace + 1, SLOWEST) / SLOWEST
    if message is not None:
        row.message, row.place = message.id, cards.place_json(message.place)
    session.add(row)


def _failed(session: Session, house: House, card_id: str, error: ChatError) -> None:
    row = session.get_one(CardRow, card_id)
    row.failures += 1
    if error.retry_after is None and row.message:
        # The message is gone (deleted, say): a new one tells the truth as well.
        row.message, row.retry_at = "", house.clock.now()
    elif error.retry_after is None or row.failures >= GIVE_UP:
        row.dead = str(error)[:300]
        log.error("a card can't be shown: %s", error)
    else:
        row.retry_at = house.clock.now() + timedelta(seconds=max(error.retry_after, BACKOFF))
    session.add(row)


def _dead(session: Session, card_id: str, reason: str) -> None:
    row = session.get_one(CardRow, card_id)
    row.dead = reason
    session.add(row)
