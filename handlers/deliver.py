"""Shows cards: drawn from state at delivery, coalesced, retried, and never queued as content."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from handlers.back import away, is_hopeless, welcome
from handlers.cases import cards
from handlers.cases.store import after_commit
from handlers.cases.tables import CardRow
from handlers.conversation import Actor, Card, Chat, ChatError, Drawn, Message, Place, Reply
from handlers.draw import draw, nothing
from handlers.house import House

log = logging.getLogger("offboard.deliver")

Show = Callable[[Card], Awaitable[None]]
"""Shows a card where the click was. Raises ChatError."""

BACKOFF = 3.0
"""Seconds before a message that could not be sent is tried again; doubled with every failure."""
REFUSED = 60.0
"""The same where the platform sees no sense in trying again: people invite the bot, or renew its token, meanwhile."""
LONGEST = 300.0
"""Seconds after which it is tried again however often it failed: a case nobody can approve is worse."""
STUMBLE = timedelta(seconds=60)
"""After a surprise of our own."""
ON_THE_WAY = 60.0
"""Seconds after which a message the platform neither took nor refused counts as failed."""
LULL = timedelta(seconds=30)
SLOWEST = 6
"""A message is edited soon after a lull, then ever more slowly, down to once per `Timings.coalesce`."""


def draw_at_once(session: Session, house: House, card_id: str) -> Drawn | None:
    """The card a click was on, drawn in the click's own transaction; None when it can't be: what was decided counts.

    What the database refuses is raised: it has ended the transaction, and nothing that was decided counts.
    """
    try:
        return _draw(session, house, card_id)
    except SQLAlchemyError:
        raise
    except Exception as error:
        log.error("a card could not be drawn with the click: %s", type(error).__name__, exc_info=error)
        return None


async def answer(house: House, reply: Reply, show: Show) -> None:
    """Show the card a click was on to the edge that heard it: as drawn with the click, or from the committed state."""
    if reply.drawn is None:
        drawn = await house.store.write(lambda session: _draw(session, house, reply.card))
    else:
        # It was drawn a while ago: others may have shown something newer since, or the last there will be.
        at_once = reply.drawn
        drawn = at_once if await house.store.read(lambda session: _newest(session, at_once)) else None
    if drawn is None:
        return
    try:
        await show(drawn.card)
    except ChatError as error:
        log.info("inline answer failed, the sender takes over: %s", error)
        return
    await house.store.write(lambda session: _shown(session, house, drawn, None))


def _newest(session: Session, drawn: Drawn) -> bool:
    row = session.get(CardRow, drawn.id)
    return row is not None and not row.dead and row.shown <= drawn.version


async def send_waiting(house: House) -> float | None:
    """Send every card that shows something old, each by itself; returns seconds until the next one may be sent.

    Waits `Timings.patience` for them: what hangs longer goes on beside, and holds nobody up.
    """
    rows = await house.store.read(lambda session: [row.id for row in cards.waiting(session, house)])
    tasks = [_begin(house, card_id) for card_id in rows if card_id not in house.sending]
    if tasks:
        done, pending = await asyncio.wait(tasks, timeout=house.timings.patience.total_seconds())
        for task in pending:
            task.add_done_callback(lambda _task: house.cards.set())
        for task in done:
            task.result()
    return await house.store.read(lambda session: _next(session, house))


def _begin(house: House, card_id: str) -> asyncio.Task[None]:
    house.sending.add(card_id)
    task = house.start(_send(house, card_id))
    task.add_done_callback(lambda _task: house.sending.discard(card_id))
    return task


def _next(session: Session, house: House) -> float | None:
    held = cards.waiting(session, house, timedelta(days=1))
    now = house.clock.now()
    times = [
        # What is on its way wakes the loop when it has arrived.
        ON_THE_WAY if row.id in house.sending else (row.retry_at - now).total_seconds() if row.retry_at else 0.0
        for row in held
    ]
    return max(min(times), 0.0) if times else None


def _draw(session: Session, house: House, card_id: str) -> Drawn | None:
    row = session.get(CardRow, card_id)
    if row is None or row.dead:
        return None
    card = draw(session, house, row)
    if card is None and row.message:
        # It is not left standing with what it said.
        return Drawn(card_id, nothing(), row.due, last=True)
    if card is None:
        row.dead = cards.EMPTY
        session.add(row)
        return None
    posting = not row.message
    if row.posting != posting:
        # A row that is touched is looked through at the commit, though nothing of it is new.
        row.posting = posting
        session.add(row)
    return Drawn(card_id, card, row.due)


async def _send(house: House, card_id: str) -> None:
    try:
        await _try(house, card_id)
    except ChatError as error:
        failure = error
        await house.store.write(lambda session: _failed(session, house, card_id, failure))
    except Exception as error:
        # One card that can't be drawn must not disturb the others; the type alone, a message could quote somebody.
        log.error("a card could not be sent and is tried again: %s", type(error).__name__, exc_info=error)
        await house.store.write(lambda session: _stumbled(session, house, card_id))


async def _try(house: House, card_id: str) -> None:
    def work(session: Session) -> tuple[CardRow | None, Drawn | None]:
        return session.get(CardRow, card_id), _draw(session, house, card_id)

    row, drawn = await house.store.write(work)
    if row is None or drawn is None:
        return
    actor = Actor(*row.identity.split("/")) if row.identity else None
    place = cards.place_of(row)
    platform = place.platform if place else actor.platform if actor else ""
    chat = house.chats.get(platform)
    if chat is None:
        raise ChatError(platform, "deliver", "no chat of that name is configured", None)
    async with asyncio.timeout(ON_THE_WAY):
        message = await _post(chat, drawn.card, row.message, actor, place)
    await house.store.write(lambda session: _shown(session, house, drawn, message))


async def _post(chat: Chat, card: Card, message: str, actor: Actor | None, place: Place | None) -> Message | None:
    if place is None:
        if actor is None:
            raise ChatError(chat.platform, "open", "the card has neither a place nor a person", None)
        place = await chat.private(actor)
    if message:
        await chat.update(Message(place, message), card)
        return None
    return await chat.post(place, card)


def _shown(session: Session, house: House, drawn: Drawn, message: Message | None) -> None:
    row = session.get_one(CardRow, drawn.id)
    if message is None and row.shown > drawn.version:
        # It came late and has overwritten something newer, which may have been the last there was to show.
        row.due += 1
        row.dead = "" if row.dead in {cards.OLD, cards.EMPTY} else row.dead
        after_commit(session, house.cards.set)
    row.shown = max(row.shown, drawn.version)
    row.failures, row.posting = 0, False
    if cards.replaced(row) and row.shown >= row.due:
        row.dead = cards.OLD
    if drawn.last and row.shown >= row.due:
        row.dead = cards.EMPTY
    now = house.clock.now()
    lull = row.shown_at is None or now - row.shown_at > LULL
    row.pace = 0 if lull else row.pace + 1
    row.shown_at = now
    row.retry_at = now + house.timings.coalesce * min(row.pace + 1, SLOWEST) / SLOWEST
    if message is not None:
        row.message, row.place = message.id, cards.place_json(message.place)
        if row.identity in house.away:
            # They take messages again, whether or not anybody has told us.
            welcome(session, house, row.identity)
    session.add(row)


def _failed(session: Session, house: House, card_id: str, error: ChatError) -> None:
    """Try again, ever more slowly: no failure of the platform's ends a card others wait for."""
    row = session.get_one(CardRow, card_id)
    row.failures += 1
    now = house.clock.now()
    doubled = 2.0 ** min(row.failures - 1, 10)
    if cards.replaced(row) and (error.hopeless or error.retry_after is None) and row.message:
        # What it had to say is that there is a newer one; whether its reader can be written to, that one says.
        row.dead = cards.OLD
    elif row.identity and is_hopeless(error):
        away(session, house, row, str(error))
    elif error.retry_after is None and row.message:
        # The message is gone (deleted, say): a new one tells the truth as well.
        row.message, row.retry_at = "", now
    elif error.retry_after is None:
        row.retry_at = now + timedelta(seconds=min(REFUSED * doubled, LONGEST))
    else:
        row.retry_at = now + timedelta(seconds=max(error.retry_after, min(BACKOFF * doubled, LONGEST)))
    log.error("a card can't be shown (%d times now): %s", row.failures, error)
    session.add(row)


def _stumbled(session: Session, house: House, card_id: str) -> None:
    row = session.get_one(CardRow, card_id)
    row.failures += 1
    row.retry_at = house.clock.now() + STUMBLE
    session.add(row)
