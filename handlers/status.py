"""`/offboard-status`: how far it is, for whoever is entitled; strangers learn nothing, not even that it exists."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Session, col, select

from handlers import access, messages
from handlers.access import Right
from handlers.cases import cards
from handlers.cases.store import CASE
from handlers.cases.tables import Case
from handlers.click import Click
from handlers.conversation import Inbound, Reply
from handlers.house import House
from handlers.people import Person

SHOWN = 15
"""How many cases one list shows, newest first."""


def command(session: Session, house: House, person: Person, inbound: Inbound) -> Reply:
    """One case: its card in the private chat. Several: the list to choose from. None: a sentence."""
    words = inbound.text.strip()
    cases = visible(session, house, person, words, limit=2)
    if not cases:
        return Reply(messages.no_case(words))
    identity = str(inbound.actor)
    if len(cases) == 1:
        show(session, house, cases[0], person, identity)
    else:
        topic = f"find:{words[:80]}"
        # The list belongs to no case; 'person:' keeps one list per person alive.
        cards.show_person(session, house, f"person:{person.id}", cards.LIST, person.id, identity, topic)
    return Reply() if inbound.where.private else Reply(messages.LOOK_IN_PRIVATE, neutral=True)


def show(session: Session, house: House, case: Case, person: Person, identity: str) -> None:
    """That case's card for that person, as a new message at the end of the private chat."""
    asks = person.id == (case.requester or case.started_by) and str(case.identity) == identity
    asks = asks or (case.started_by == person.id and case.stage != "submitted")
    kind = cards.INTERVIEW if asks else cards.STATUS
    cards.show_person(session, house, case.id, kind, person.id, identity)
    if case.stage == "submitted" and any(
        access.may(session, house.roster, person, case, right) for right in (Right.APPROVE, Right.REPAIR)
    ):
        cards.show_technicians(session, house, case)


def open_case(click: Click) -> Reply:
    """One case out of the list."""
    show(click.session, click.house, click.case, click.person, click.identity)
    return Reply()


def visible(session: Session, house: House, person: Person, words: str = "", limit: int = SHOWN) -> list[Case]:
    """The newest cases this person may see and that fit the words, at most `limit`."""
    name = col(Case.leaver)["name"].as_string()
    rows = session.exec(
        select(Case.id, Case.number, Case.query, name)
        .where(access.could_see(house.roster, person))
        .order_by(col(Case.number).desc())
    )
    found: list[Case] = []
    for case_id, number, query, leaver_name in rows:
        if not fits(number, leaver_name or query, words):
            continue
        case = session.get_one(Case, case_id)
        if access.may(session, house.roster, person, case, Right.SEE):
            found.append(case)
            if len(found) == limit:
                break
    return found


_OTHERS = (
    select(Case)
    .where(
        Case.client == sa.bindparam("client"),
        Case.closed == "",
        Case.id != CASE,
        col(Case.leaver)["id"].as_string() == sa.bindparam("leaver"),
    )
    .order_by(col(Case.number))
)


def others_about(session: Session, case: Case) -> list[Case]:
    """Other cases about the same person that are not closed, oldest first."""
    if not case.leaver:
        return []
    about = {"leaver": str(case.leaver["id"]), "client": case.client, "case": case.id}
    return list(session.exec(_OTHERS, params=about))


def fits(number: int, name: str, words: str) -> bool:
    """Whether what was typed means this case: its number, or part of the leaver's name; nothing means any."""
    wanted = words.casefold().removeprefix("case").strip().removeprefix("#")
    if wanted.isdigit():
        return number == int(wanted)
    folded = name.casefold()
    return all(word in folded for word in wanted.split())
