"""Names people on a case: who besides its requester may see how far it is, and who may not any more."""

from __future__ import annotations

from sqlmodel import Session

from handlers.access import RIGHTS, Right, relation
from handlers.cases import cards
from handlers.cases.tables import Case, Named
from handlers.click import Click, Missing
from handlers.conversation import Reply
from handlers.house import House
from handlers.people import Person


def could_be_named(session: Session, house: House, case: Case) -> list[Person]:
    """People of the client who don't see the case yet, and who are not the one it is about."""
    client = house.roster.client(case.client)
    # Naming is for the client's side; who sees a case about the MSP's own people is the admins' alone.
    if client is None or client.own:
        return []
    people = (
        (person, relation(session, house.roster, person, case)) for person in house.roster.belonging_to(client.id)
    )
    return [person for person, who in people if RIGHTS[Right.BE_NAMED](who) and not RIGHTS[Right.SEE](who)]


def name_person(click: Click) -> Reply:
    """Let a colleague see how far it is: they are told in private, and can ask for the status from now on."""
    chosen = click.typed("name-person", "Pick who shall see the case, then press the button again.")
    offered = {person.id: person for person in could_be_named(click.session, click.house, click.case)}
    if chosen not in offered:
        raise Missing("That person can't be named on this case. Pick somebody from the list.")
    click.session.merge(Named(case_id=click.case.id, person=chosen))
    click.session.flush()
    click.record("named", named=chosen)
    identity = cards.identity_of(click.house, chosen)
    if identity:
        cards.show_person(click.session, click.house, click.case.id, cards.STATUS, chosen, identity)
    cards.redraw(click.session, click.house, click.case)
    return Reply("" if identity else f"{offered[chosen].name} has no chat I can write to; they can ask for the status.")


def unname(click: Click) -> Reply:
    """They don't see the case any more; a card they have is emptied."""
    row = click.session.get(Named, (click.case.id, click.arg("person")))
    if row is not None:
        click.session.delete(row)
        click.session.flush()
        click.record("not named any more", named=click.arg("person"))
    cards.redraw(click.session, click.house, click.case)
    return Reply()
