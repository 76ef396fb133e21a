"""Somebody can't be written to any more, and later lets the bot in again: what they missed is shown to them then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from handlers.cases import cards
from handlers.cases.store import after_commit
from handlers.cases.tables import CardRow, Case
from handlers.conversation import Actor, ChatError
from handlers.house import House

HOPELESS = ("user_not_found", "user_disabled")
"""The person of a private chat is gone: Slack's own codes, from memory and unverified."""
AWAY = "away"
"""The key in the case's draft: which of the identities of whoever asked can't be written to, and since when."""
MISSED = (cards.INTERVIEW, cards.STATUS, cards.BILL, cards.REPORT, cards.VOUCH)
"""What is shown again. News are over by then, and the cards say the same; a list is asked for."""


def is_hopeless(error: ChatError) -> bool:
    """Whether the person of that private chat can't be written to any more, whatever is tried."""
    return error.hopeless or str(error).endswith(HOPELESS)


def away(session: Session, house: House, card: CardRow, why: str) -> None:
    """That card's person can't be written to: it is put by until they are back, and the technicians see so."""
    card.dead = why[:300]
    if card.kind in MISSED:
        # It is kept as long as any other from now on, however long ago it was last shown.
        card.shown_at, card.retry_at = None, house.clock.now()
    session.add(card)
    after_commit(session, lambda: house.away.add(card.identity))
    case = session.get(Case, card.case_id)
    if case is None or card.viewer not in {case.requester, case.started_by}:
        return
    known = _away_from(case)
    if card.identity not in known:
        case.draft = {**case.draft, AWAY: {**known, card.identity: house.clock.now().isoformat()}}
        cards.redraw(session, house, case)


def unreachable(session: Session, house: House, case: Case) -> Iterator[str]:
    """Who of those who asked can't be written to, as technicians must know it; nothing is read where nobody is."""
    for identity, since in _away_from(case).items():
        actor = Actor(*identity.split("/"))
        person = house.roster.who(actor)
        query = select(CardRow.id).where(
            CardRow.identity == identity,
            CardRow.dead == "",
            col(CardRow.shown_at) > datetime.fromisoformat(since),
        )
        missed = select(CardRow.id).where(CardRow.identity == identity, CardRow.case_id == case.id, *_missed(actor))
        # Where nobody tells that they are back, what they were shown since does; but not what they still wait for.
        silent = session.exec(query.limit(1)).first() is None or session.exec(missed.limit(1)).first() is not None
        if person is not None and silent:
            yield (
                f"{person.name} can't be written to in {actor.platform.capitalize()} "
                "(the bot is blocked or removed there, or the account is gone): ring them."
            )


async def back(house: House, actor: Actor, *, added: bool = False) -> None:
    """Show that person what they missed, as it is now; twice does it once, and whoever missed nothing costs nothing.

    `added`: the platform says that they have just let the bot in, so what waits for that need not wait any longer.
    """
    if str(actor) in house.away or added:
        await house.store.write(lambda session: welcome(session, house, str(actor)))


async def recall(house: House) -> None:
    """After a start: whose cards were refused before is known again."""

    def refused(session: Session) -> set[str]:
        found = set[str]()
        for platform in house.chats:
            found.update(session.exec(select(CardRow.identity).where(_refused(platform)).distinct()))
        return found

    house.away |= await house.store.read(refused)


def welcome(session: Session, house: House, identity: str) -> None:
    """They are back: the same, in the caller's transaction."""
    actor = Actor(*identity.split("/"))
    after_commit(session, lambda: house.away.discard(identity))
    if house.roster.who(actor) is None:
        return
    marked = select(Case).where(col(Case.draft)[(AWAY, identity)].as_string().is_not(None))
    for case in list(session.exec(marked)):
        left = {one: since for one, since in _away_from(case).items() if one != identity}
        case.draft = {**case.draft, AWAY: {**left}}
        cards.redraw(session, house, case)
    mine = select(CardRow).where(CardRow.identity == identity)
    # They were tried ever more slowly, and may have long to wait.
    for card in session.exec(mine.where(CardRow.dead == "", CardRow.failures > 0)):
        card.retry_at = None
    for card in list(session.exec(mine.where(*_missed(actor)).order_by(col(CardRow.id)))):
        _show_again(session, house, card)
    after_commit(session, house.cards.set)


def _refused(platform: str) -> sa.ColumnElement[bool]:
    # Only what the platform refused begins with its name; whatever else ended a card stays so.
    return col(CardRow.dead).startswith(f"{platform}: ", autoescape=True)


def _missed(actor: Actor) -> tuple[sa.ColumnElement[bool], ...]:
    return _refused(actor.platform), col(CardRow.kind).in_(MISSED), col(CardRow.topic) != cards.REPLACED


def _show_again(session: Session, house: House, card: CardRow) -> None:
    alive = [one for one in cards.alive(session, card.case_id, card.kind) if one.viewer == card.viewer]
    if any(one.identity != card.identity for one in alive):
        # They have looked elsewhere meanwhile, and it is kept true there.
        card.dead = cards.OLD
        session.add(card)
        return
    # The message of old says that there is a newer one, and its buttons do nothing any more.
    card.dead, card.failures, card.retry_at = "", 0, None
    session.add(card)
    session.flush()
    cards.show_person(session, house, card.case_id, card.kind, card.viewer, card.identity, card.topic)


def _away_from(case: Case) -> dict[str, str]:
    kept = case.draft.get(AWAY)
    return {identity: str(since) for identity, since in kept.items()} if isinstance(kept, dict) else {}
