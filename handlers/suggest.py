"""Looks people up while somebody types: asked by a token, as often as they like, and nothing is changed or written.

Who is shown anything is decided as at a click: who asks, whether they may answer, and whether the card still stands
so. Whatever goes wrong, nobody is suggested: the field for words beside it works without.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from sqlmodel import Session

from connectors.contract import Account
from handlers.access import may
from handlers.cases import cards
from handlers.cases.tables import ButtonRow, CardRow, Case
from handlers.commands import ACTIONS
from handlers.conversation import Actor, Option
from handlers.house import House
from handlers.messages import hashed
from handlers.search import called, directories

log = logging.getLogger("offboard.suggest")

SUGGESTS = frozenset({"suggest", "suggest for"})
"""The actions whose tokens are asked here; a button's own token says nothing."""
WITHIN = 2.0
"""Seconds, all told: Slack waits three."""
LEAST_LETTERS, LONGEST = 2, 100
SHOWN = 15
"""Teams shows no more of them (learn.microsoft.com, "Typeahead search in Adaptive Cards", read 2026-11-26)."""
AT_ONCE, AT_ONCE_IN_ALL = 3, 12
"""How many look-ups run for one case, and in all: what ends access asks the same vendors."""


@dataclass(frozen=True)
class _Wanted:
    """What may be looked up."""

    client: str
    case: str
    question: bool
    """It answers a question, so it must be somebody who stays and can sign in."""
    leaver: str


async def suggest(house: House, actor: Actor, token: str, typed: str) -> tuple[Option, ...]:
    """Whom those letters could mean, best first; nobody whenever that can't or mustn't be said.

    An option's id is the address that finds them again; what is picked is searched for anew.
    """
    typed = " ".join(typed.split())
    if sum(map(str.isalnum, typed)) < LEAST_LETTERS or len(typed) > LONGEST:
        return ()
    try:
        async with asyncio.timeout(WITHIN):
            wanted = await house.store.read(lambda session: _wanted(session, house, actor, token))
            found = await _look_up(house, (hashed(token), str(actor)), wanted, typed) if wanted else []
    except Exception as error:  # noqa: BLE001 - somebody types; the field for words is there all the same
        # The type alone: a message could name people.
        log.warning("nobody could be suggested: %s", type(error).__name__)
        return ()
    return _options(found, wanted) if wanted else ()


def _wanted(session: Session, house: House, actor: Actor, token: str) -> _Wanted | None:
    """What that token stands for, if whoever asks may answer it and the card still shows it."""
    person = house.roster.who(actor)
    row = session.get(ButtonRow, hashed(token))
    if person is None or row is None or row.action not in SUGGESTS or row.expires_at < house.clock.now():
        return None
    card, case, action = session.get(CardRow, row.card_id), session.get(Case, row.case_id), ACTIONS[row.action]
    if card is None or case is None or case.closed or card.dead or cards.replaced(card):
        return None
    if not may(session, house.roster, person, case, action.right):
        return None
    if action.stamp(session, case, row.args) != row.stamp:
        return None
    return _Wanted(case.client, case.id, "question" in row.args, str(case.leaver.get("id", "")))


async def _look_up(house: House, key: tuple[str, str], wanted: _Wanted, typed: str) -> list[Account]:
    """Ask the directories, a few at once; newer letters take the place of older ones. Raises VendorError."""
    running = house.suggesting
    older = running.pop(key, None)
    if older is not None:
        older[1].cancel()
    if len(running) >= AT_ONCE_IN_ALL or sum(case == wanted.case for case, _ in running.values()) >= AT_ONCE:
        return []
    task = asyncio.ensure_future(directories(house, wanted.client, typed))
    mine = running[key] = wanted.case, task
    try:
        # Not awaited itself: that newer letters end it must not look like our own end.
        await asyncio.wait({task})
    finally:
        task.cancel()
        if running.get(key) is mine:
            del running[key]
    return [] if task.cancelled() else task.result()


def _options(found: list[Account], wanted: _Wanted) -> tuple[Option, ...]:
    if wanted.question:
        found = [one for one in found if one.enabled and one.id != wanted.leaver]
    options = dict[str, Option]()
    for one in found:
        # Of two with one address the search offers both, once it is picked.
        address = one.mail or one.user_name
        options.setdefault(address, Option(address, called(one)))
    options.pop("", None)
    return tuple(options.values())[:SHOWN]
