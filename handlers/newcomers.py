"""New managers: who asks and is known to nobody is proposed to an admin, with whom the service desk lets ask.

Nobody is ever bound silently, or by a name or an address: the desk says who may ask for the client, the chat says
which account asked, and an admin who rang them says that the two are one human. It needs no change of clients.yml;
what stands there always wins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from pydantic import JsonValue, ValidationError
from sqlmodel import Session, col, select

from connectors.contract import VendorError
from connectors.desk import Contact
from handlers import messages
from handlers.cases import cards
from handlers.cases.history import record
from handlers.cases.newcomer import Newcomer
from handlers.cases.store import after_commit
from handlers.cases.tables import ButtonRow, CardRow
from handlers.conversation import (
    Actor,
    Button,
    Card,
    Field,
    Inbound,
    Option,
    Reply,
    Section,
    Style,
    quiet,
    strong,
    text,
)
from handlers.house import House
from handlers.people import Client, Person

log = logging.getLogger("offboard.newcomers")

MOST = 10
"""Proposals of one client that wait at once: whoever floods us is not passed on."""
AGAIN = timedelta(minutes=5)
"""Until a desk that did not answer is asked again."""
WITHIN = 20.0
"""Seconds one desk may take."""


def heard(session: Session, house: House, inbound: Inbound) -> bool:
    """A stranger asked for an offboarding: remember it once, where a service desk can say who may. Whether it is so."""
    client = _client_of(house, inbound.actor)
    if client is None:
        return False
    if session.get(Newcomer, str(inbound.actor)) is not None:
        return True
    waiting = select(Newcomer).where(Newcomer.client == client.id, col(Newcomer.state).in_(("new", "proposed")))
    if len(session.exec(waiting).all()) >= MOST:
        return False
    now = house.clock.now()
    session.add(Newcomer(identity=str(inbound.actor), client=client.id, at=now, ask_at=now))
    record(session, now, "a stranger asked", identity=str(inbound.actor), detail={"client": client.id})
    after_commit(session, house.work.set)
    return True


def _client_of(house: House, actor: Actor) -> Client | None:
    """The one client whose workspace it is, if its service desk can be asked who may ask."""
    whose = house.roster.bound.get(f"{actor.platform}/{actor.workspace}", ())
    clients = [client for client in house.roster.clients if client.id in whose and house.desk_of(client.id)]
    return clients[0] if len(clients) == 1 and len(whose) == 1 else None


async def propose(house: House) -> None:
    """Ask the desks about everybody new, and the admins about what they said."""
    now = house.clock.now()

    def due(session: Session) -> list[Newcomer]:
        return list(session.exec(select(Newcomer).where(Newcomer.state == "new", col(Newcomer.ask_at) <= now)))

    for newcomer in await house.store.read(due):
        try:
            async with asyncio.timeout(WITHIN):
                connector, api = await house.connection(newcomer.client, house.desk_of(newcomer.client))
                found = await connector.contacts(api)
        except (VendorError, TimeoutError, LookupError) as error:
            log.warning("who may ask could not be read: %s", type(error).__name__)
            await house.store.write(lambda session, one=newcomer: _later(session, house, one.identity))
            continue
        await house.store.write(lambda session, one=newcomer, found=found: _show(session, house, one.identity, found))


def _later(session: Session, house: House, identity: str) -> None:
    row = session.get_one(Newcomer, identity)
    row.ask_at = house.clock.now() + AGAIN
    session.add(row)


def _show(session: Session, house: House, identity: str, found: tuple[Contact, ...]) -> None:
    row = session.get_one(Newcomer, identity)
    if row.state != "new":
        return
    mails = {person.mail.casefold() for person in house.roster.people if row.client in person.belongs_to}
    free: list[JsonValue] = [one.model_dump(mode="json") for one in found if one.mail.casefold() not in mails - {""}]
    row.state, row.contacts = "proposed", {"found": free}
    session.add(row)
    cards.show_newcomer(session, house, identity)


def newcomer(session: Session, house: House, card: CardRow) -> Card | None:
    """Who asked, whom the desk lets ask, and what an admin can say to that."""
    row = session.get(Newcomer, card.case_id.partition(":")[2])
    client = house.roster.client(row.client) if row else None
    if row is None or client is None:
        return None
    who = row.identity.replace("/", " ")
    asked = text("Somebody I don't know asked for an offboarding at ", strong(client.name), f": {who}.")
    body, fields, buttons = [asked], list[Field](), list[Button]()
    if row.state == "bound":
        name = str(row.person.get("name"))
        body.append(text(f"Bound as {name} by {house.roster.name_of(row.decided_by)}: may ask for {client.name}."))
        buttons.append(_button(session, house, card, row, "Take it back", "unbind", Style.DANGER))
    elif row.state == "ignored":
        body.append(text(f"Ignored by {house.roster.name_of(row.decided_by)}. They are told nothing."))
    else:
        options = tuple(Option(one.id, f"{one.name} ({one.mail or 'no mail'}), {one.why}") for one in _contacts(row))
        if options:
            body.append(text("The service desk lets these people ask, and nobody is bound to them yet."))
            body.append(text(quiet("Ring them on the number on file first: a name in a list proves nobody.")))
            fields.append(Field("contact", "Who is it?", "Pick the contact", options=options))
            buttons.append(_button(session, house, card, row, "I rang them: bind", "bind", Style.PRIMARY))
        else:
            body.append(text("The service desk names nobody who may ask and is not bound already."))
        buttons.append(_button(session, house, card, row, "Ignore", "ignore"))
    section = Section(body=tuple(body), fields=tuple(fields), buttons=tuple(buttons))
    return Card("Somebody new", f"Somebody new at {client.name}", None, (section,))


def _contacts(row: Newcomer) -> list[Contact]:
    found = row.contacts.get("found")
    return [Contact.model_validate(one) for one in found] if isinstance(found, list) else []


def _button(
    session: Session, house: House, card: CardRow, row: Newcomer, label: str, action: str, style: Style = Style.PLAIN
) -> Button:
    token = house.new_token()
    session.add(
        ButtonRow(
            token=messages.hashed(token), card_id=card.id, case_id=card.case_id, action=action,
            stamp=row.state, expires_at=house.clock.now() + house.timings.button,
        )
    )  # fmt: skip
    return Button(label, token, style)


def click(
    session: Session, house: House, button: ButtonRow, person: Person, identity: str, values: Mapping[str, str]
) -> Reply:
    """An admin binds, ignores, or takes a binding back; nobody else may, whatever card they have."""
    row = session.get_one(Newcomer, button.case_id.partition(":")[2])
    card = session.get_one(CardRow, button.card_id)
    if not person.admin:
        return Reply("Only admins decide who may ask.")
    if button.used_at is not None or button.stamp != row.state:
        return _drawn(session, house, card, messages.CHANGED)
    if button.action == "bind":
        picked = next((one for one in _contacts(row) if one.id == values.get("contact")), None)
        if picked is None:
            return Reply("Pick the contact first.")
        row.state = "bound"
        row.person = {
            "id": f"contact-{row.client}-{picked.id}", "name": picked.name, "mail": picked.mail,
            "identities": [row.identity], "manages": [row.client],
        }  # fmt: skip
    else:
        row.state = "ignored"
    row.decided_by, row.decided_at = person.id, house.clock.now()
    cards.use(session, house, button, person.id)
    session.add(row)
    detail: dict[str, JsonValue] = {"identity": row.identity, "client": row.client, "person": row.person}
    what = {"bind": "newcomer bound", "unbind": "newcomer unbound", "ignore": "newcomer ignored"}[button.action]
    record(session, house.clock.now(), what, person=person.id, identity=identity, detail=detail)
    bound = bound_people(session, house)
    after_commit(session, lambda: _know(house, bound))
    return _drawn(session, house, card, "")


def _drawn(session: Session, house: House, card: CardRow, line: str) -> Reply:
    card.due += 1
    session.add(card)
    cards.hold(session, house, card)
    return Reply(line, card.id)


def bound_people(session: Session, house: House) -> list[Person]:
    """Everybody an admin has bound, but for those whom clients.yml names by now: what stands there wins."""
    configured = {one for person in house.configured for one in person.identities}
    taken = {person.id for person in house.configured}
    found: list[Person] = []
    for row in session.exec(select(Newcomer).where(Newcomer.state == "bound").order_by(col(Newcomer.identity))):
        try:
            person = Person.model_validate(row.person)
        except ValidationError:
            log.error("a bound contact of another version is left out")
            continue
        if row.identity not in configured and person.id not in taken and house.roster.client(row.client) is not None:
            taken.add(person.id)
            found.append(person)
    return found


def _know(house: House, bound: list[Person]) -> None:
    house.roster = house.roster.model_copy(update={"people": (*house.configured, *bound)})


async def recall(house: House) -> None:
    """After a start: whoever was bound before is known again."""
    _know(house, await house.store.read(lambda session: bound_people(session, house)))
