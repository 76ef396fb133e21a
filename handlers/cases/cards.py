"""Which cards show a case, and that they must be redrawn: rows, written with the change they show."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from pydantic import JsonValue
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, SQLModel, col, select

from handlers.cases.store import CASE, after_commit
from handlers.cases.tables import ButtonRow, CardRow, Case
from handlers.conversation import Actor, Place
from handlers.house import House
from handlers.people import Channel

INTERVIEW = "interview"
"""The case as the person who asked for it sees it: questions first, then how far it is."""
TECHNICIANS = "technicians"
"""The case as technicians see it: what will be done, approve, repair."""
BILL = "bill"
"""What changes a bill, to everybody who may decide about that."""
REPORT = "report"
"""What was done, handed over and saved, and what is left: posted at the end, and kept true afterwards."""
VOUCH = "vouch"
"""'Did you ask for this?', to the contact a technician named."""
NEWS = "news"
"""One short new message, because edits notify nobody."""
STATUS = "status"
"""How far it is, for somebody who asked."""
OLD, EMPTY = "replaced by a newer card", "nothing to show"
"""Why a card has said its last word."""
REPLACED = "replaced"
"""The topic of a message whose buttons are gone because a newer one has them."""
NEWCOMER = "newcomer"
"""Somebody unknown who asked, to the admins; of no case."""
MORNING = "morning"
"""What is open today, to the MSP's channels; of no single case."""
LIST = "list"
"""Every case the viewer may see."""


_TABLE = SQLModel.metadata.tables["card"]
_STALE = (
    sa.update(_TABLE)
    .where(_TABLE.c.case_id == CASE, _TABLE.c.dead == "", _TABLE.c.kind != NEWS)
    .values(due=_TABLE.c.due + 1)
)
_HELD = (
    sa.update(_TABLE)
    .where(_TABLE.c.id == sa.bindparam("held"))
    .values(retry_at=sa.bindparam("until", type_=_TABLE.c.retry_at.type))
)
_BUTTON = SQLModel.metadata.tables["button"]
_USED = (
    sa.update(_BUTTON)
    .where(_BUTTON.c.token == sa.bindparam("pressed"))
    .values(used_at=sa.bindparam("at", type_=_BUTTON.c.used_at.type), used_by=sa.bindparam("person"))
)


def redraw(session: Session, house: House, case: Case) -> None:
    """Every card of this case shows something old now."""
    session.flush()
    session.connection().execute(_STALE, {"case": case.id})
    for card in session.identity_map.values():
        if isinstance(card, CardRow) and card.case_id == case.id and not card.dead and card.kind != NEWS:
            set_committed_value(card, "due", card.due + 1)
    after_commit(session, house.cards.set)


def hold(session: Session, house: House, card: CardRow) -> None:
    """Leave this card to the edge that heard the click, for a moment."""
    until = house.clock.now() + house.timings.inline
    session.connection().execute(_HELD, {"held": card.id, "until": until})
    set_committed_value(card, "retry_at", until)


def use(session: Session, house: House, button: ButtonRow, person: str) -> None:
    """The button was pressed and did what it says: it does nothing a second time."""
    now = house.clock.now()
    session.connection().execute(_USED, {"pressed": button.token, "at": now, "person": person})
    set_committed_value(button, "used_at", now)
    set_committed_value(button, "used_by", person)


def show_person(
    session: Session, house: House, case_id: str, kind: str, person: str, identity: str, topic: str = ""
) -> CardRow:
    """Show that card in the private chat with that person; an older one of its kind goes quiet."""
    if kind != NEWS:
        _replace(session, case_id, kind, person)
    card = CardRow(id=house.new_id(), case_id=case_id, kind=kind, viewer=person, identity=identity, topic=topic)
    return _add(session, house, card)


def show_requester(session: Session, house: House, case: Case, topic: str) -> None:
    """A new short message to whoever asked, in the chat they asked from where they did so themselves."""
    identity = _chat_with_requester(house, case)
    if identity:
        show_person(session, house, case.id, NEWS, case.requester, identity, topic)


def show_report(session: Session, house: House, case: Case) -> None:
    """The report, to whoever asked and to the technicians."""
    identity = _chat_with_requester(house, case)
    if identity:
        show_person(session, house, case.id, REPORT, case.requester, identity)
    show_channel(session, house, case, REPORT)


def _chat_with_requester(house: House, case: Case) -> str:
    asked_here = case.identity if case.started_by == case.requester else ""
    return asked_here or identity_of(house, case.requester)


def show_channel(session: Session, house: House, case: Case, kind: str, topic: str = "") -> CardRow:
    """Show that card in the MSP's private channel; the MSP's own people's cases go to the admins'."""
    client = house.roster.client(case.client)
    # A client struck off the list could have been the MSP itself: the admins' as well.
    own = client.own if client else bool(case.client)
    channel = house.roster.msp.admins if own else house.roster.msp.technicians
    viewer = "admins" if own else "technicians"
    if kind != NEWS:
        _replace(session, case.id, kind, viewer)
    card = CardRow(id=house.new_id(), case_id=case.id, kind=kind, viewer=viewer, topic=topic)
    card.place = place_json(channel.place)
    return _add(session, house, card)


def show_morning(session: Session, house: House, key: str, viewer: str, channel: Channel) -> None:
    """Today's morning message, in that channel."""
    card = CardRow(id=house.new_id(), case_id=key, kind=MORNING, viewer=viewer, place=place_json(channel.place))
    _add(session, house, card)


def show_newcomer(session: Session, house: House, identity: str) -> None:
    """Ask the admins who that is."""
    card = CardRow(id=house.new_id(), case_id=f"{NEWCOMER}:{identity}", kind=NEWCOMER, viewer="admins")
    card.place = place_json(house.roster.msp.admins.place)
    _add(session, house, card)


def show_technicians(session: Session, house: House, case: Case) -> None:
    """See to it that the technicians have a card to act on: a new one if none is kept up to date."""
    if not alive(session, case.id, TECHNICIANS):
        show_channel(session, house, case, TECHNICIANS)


def alive(session: Session, case_id: str, kind: str) -> list[CardRow]:
    """The cards of that kind that are still kept up to date."""
    query = select(CardRow).where(CardRow.case_id == case_id, CardRow.kind == kind, CardRow.dead == "")
    return [card for card in session.exec(query) if not replaced(card)]


def replaced(card: CardRow) -> bool:
    """Whether a newer message has taken this one's place."""
    return card.topic == REPLACED


def _replace(session: Session, case_id: str, kind: str, viewer: str) -> None:
    for card in alive(session, case_id, kind):
        if card.viewer == viewer:
            card.topic, card.due = REPLACED, card.due + 1
            if not card.message:
                card.dead = "replaced before it was shown"
            session.add(card)


def _add(session: Session, house: House, card: CardRow) -> CardRow:
    if card.kind == NEWS:
        # Whoever reads the news looks at the card next: it must not say anything older.
        query = select(CardRow).where(CardRow.case_id == card.case_id, CardRow.dead == "", CardRow.failures == 0)
        for other in session.exec(query):
            other.retry_at = None
            session.add(other)
    session.add(card)
    session.flush()
    after_commit(session, house.cards.set)
    return card


def identity_of(house: House, person_id: str) -> str:
    """The identity a person is written to when they did not start the conversation themselves."""
    person = house.roster.person(person_id)
    if person is None:
        return ""
    reachable = [name for name in person.identities if Actor(*name.split("/")).platform in house.chats]
    return reachable[0] if reachable else ""


def place_json(place: Place) -> dict[str, JsonValue]:
    """A place as a row keeps it."""
    return {
        "platform": place.platform,
        "workspace": place.workspace,
        "channel": place.channel,
        "private": place.private,
    }


def place_of(card: CardRow) -> Place | None:
    """Where the card is posted, or None while its private chat is not open yet."""
    if not card.place:
        return None
    return Place(
        platform=str(card.place["platform"]),
        workspace=str(card.place["workspace"]),
        channel=str(card.place["channel"]),
        private=bool(card.place["private"]),
    )


def waiting(session: Session, house: House, before: timedelta = timedelta(0)) -> list[CardRow]:
    """Cards that show something old and may be sent now."""
    now = house.clock.now() + before
    query = select(CardRow).where(CardRow.dead == "", col(CardRow.due) > col(CardRow.shown)).order_by(col(CardRow.id))
    return [card for card in session.exec(query) if card.retry_at is None or card.retry_at <= now]
