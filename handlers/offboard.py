"""`/offboard Jane Doe`: opens a case, for the manager who types it or for a client who phoned a technician."""

from __future__ import annotations

from sqlmodel import Session, col, func, select

from handlers import messages
from handlers.access import clients_for
from handlers.cancel import close_case
from handlers.cases import cards, due
from handlers.cases.history import record
from handlers.cases.tables import Case
from handlers.cases.wanted import SEARCH, want
from handlers.click import Click, Missing
from handlers.conversation import Inbound, Reply
from handlers.house import House
from handlers.people import Person

NOT_FROM_HERE = "From this workspace you can't start a case. Type it in the workspace you work for."


def command(session: Session, house: House, person: Person, inbound: Inbound) -> Reply:
    """Open a case; whoever may open none is told so, and nothing is written."""
    words = inbound.text.strip()
    if words.casefold() in {"", "help", "?"}:
        return Reply(messages.help_text(person))
    clients = clients_for(house.roster, person)
    if not clients:
        elsewhere = clients_for(house.roster, house.roster.person(person.id) or person)
        return Reply(NOT_FROM_HERE if elsewhere else messages.NOT_A_MANAGER)
    now = house.clock.now()
    case = Case(
        id=house.new_id(),
        number=(session.exec(select(func.max(col(Case.number)))).one() or 0) + 1,
        started_by=person.id,
        identity=str(inbound.actor),
        query=words[:200],
        created_at=now,
        touched_at=now,
    )
    session.add(case)
    session.flush()
    if len(clients) == 1 and clients[0].id in person.manages:
        case.client, case.requester = clients[0].id, person.id
        start_search(session, house, case, case.query)
    cards.show_person(session, house, case.id, cards.INTERVIEW, person.id, case.identity)
    record(
        session, now, "case opened", case_id=case.id, person=person.id, identity=case.identity,
        detail={"number": case.number},
    )  # fmt: skip
    due.watch(session, house, case)
    return Reply() if inbound.where.private else Reply(messages.moved_to_private(case.number), neutral=True)


def start_search(session: Session, house: House, case: Case, text: str) -> None:
    """Ask the client's directory for that name."""
    case.stage, case.turn = "searching", case.turn + 1
    case.candidates = {}
    case.draft = {**case.draft, "searched": text}
    session.add(case)
    want(session, house, case, SEARCH, text)


def pick_client(click: Click) -> Reply:
    """Which client it is about; then a technician is asked who asked."""
    chosen = click.typed("client", "Pick the client from the list, then press Continue.")
    client = click.house.roster.client(chosen)
    person = click.person
    if client is None or client not in clients_for(click.house.roster, person):
        raise Missing("That client is not in your list. Pick one that is.")
    case = click.case
    case.client = client.id
    click.record("client chosen", client=client.id)
    if client.id in person.manages:
        case.requester = person.id
        start_search(click.session, click.house, case, case.query)
    else:
        _go(click, "asked")
    return Reply()


def asked(click: Click) -> Reply:
    """Who at the client asked: a known contact, or somebody named in words."""
    case = click.case
    contact = click.typed("contact")
    other = click.typed("other")
    known = {manager.id for manager in click.house.roster.managers(case.client)}
    if contact in known:
        case.requester, case.contact = contact, ""
    elif other:
        case.requester, case.contact = "", other[:200]
    else:
        raise Missing("Say who asked: pick a contact, or write the name of somebody else.")
    click.record("asked by", contact=case.requester or case.contact)
    _go(click, "verify")
    return Reply()


def ask_contact(click: Click) -> Reply:
    """Have the contact confirm in chat that they asked, once the person is chosen; the interview goes on meanwhile."""
    case, house = click.case, click.house
    if not cards.identity_of(house, case.requester):
        raise Missing("They have no chat identity in clients.yml. Ring them back and record that instead.")
    case.verified = "asked"
    start_search(click.session, house, case, case.query)
    return Reply()


def ask_again(click: Click) -> None:
    """A yes is to one person: whoever was confirmed before, the contact is asked about the one chosen now."""
    case, house = click.case, click.house
    if case.verified not in {"asked", "confirmed"}:
        return
    case.verified = "asked"
    identity = cards.identity_of(house, case.requester)
    if not identity:
        raise Missing("The contact has no chat identity in clients.yml any more. Start anew and record a call-back.")
    cards.show_person(click.session, house, case.id, cards.VOUCH, case.requester, identity)
    click.record("contact asked to confirm", contact=case.requester)


def called_back(click: Click) -> Reply:
    """Record the call-back: to which number, and whom it reached. Another technician must approve."""
    note = click.typed("callback", "Write which number on file you rang and whom you spoke to.")
    case = click.case
    case.verified, case.verified_note = "call-back", note[:500]
    click.record("call-back recorded", note=case.verified_note)
    if case.stage == "verify":
        start_search(click.session, click.house, case, case.query)
    return Reply()


def vouch(click: Click) -> Reply:
    """The contact says whether they asked for this. A no ends the case and alerts the technicians."""
    case, session, house = click.case, click.session, click.house
    if click.arg("asked") == "yes":
        case.verified = "confirmed"
        click.record("contact confirmed")
        return Reply()
    case.verified = "denied"
    click.record("contact denied")
    close_case(session, house, case, "cancelled", click.person.id)
    cards.show_channel(session, house, case, cards.NEWS, topic="denied")
    return Reply()


def _go(click: Click, stage: str) -> None:
    click.case.stage = stage
    click.case.turn += 1
    click.session.add(click.case)
