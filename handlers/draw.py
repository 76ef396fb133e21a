"""State → card: which drawing belongs to which kind of card row, and the short news."""

from __future__ import annotations

from collections.abc import Callable

from sqlmodel import Session

from handlers import messages
from handlers.access import Right, may
from handlers.cancel import NOT_STARTED
from handlers.cases import cards
from handlers.cases.states import SETTLED, WITH_PERSON, PlanState, StepState
from handlers.cases.store import reading_once
from handlers.cases.tables import CardRow, Case, Plan, StepRow
from handlers.cases.wanted import leaver_of
from handlers.conversation import Actor, Card, Section, Style, strong, text
from handlers.draw_case import headline, status, undecided_section, ways_section
from handlers.draw_interview import interview
from handlers.draw_technicians import bill, technicians
from handlers.house import House
from handlers.morning import morning
from handlers.newcomers import newcomer
from handlers.pen import Pen, keep_buttons
from handlers.people import Person
from handlers.plan.digest import LOCK_OUT, MONEY
from handlers.plan.rows import case_plans
from handlers.report import report
from handlers.status import SHOWN, visible
from handlers.ways import locked_out, ways_in


def draw(session: Session, house: House, card: CardRow) -> Card | None:
    """The card as it must look now; None when there is nothing (any more) to show."""
    with reading_once(session):
        drawn = _drawn(session, house, card)
    keep_buttons(session)
    return drawn


def _drawn(session: Session, house: House, card: CardRow) -> Card | None:
    if card.kind == cards.LIST:
        return _list(session, house, card)
    if card.kind == cards.NEWCOMER:
        return newcomer(session, house, card)
    if card.kind == cards.MORNING:
        return morning(session, house, card)
    case = session.get(Case, card.case_id)
    if case is None:
        return None
    if card.identity:
        person = _reader(house, card)
        right = Right.BILL if card.kind == cards.BILL else Right.SEE
        if person is None or not may(session, house.roster, person, case, right):
            return None
    if cards.replaced(card):
        note = Section(body=(text("There is a newer message about this case below."),))
        return Card(f"Case {case.number}", messages.notification(house, case), None, (note,))
    return DRAWINGS[card.kind](Pen(session, house, card, case))


def nothing() -> Card:
    """The last version of a message whose reader has nothing to see any more."""
    sentence = "There is nothing here for you any more."
    return Card("Offboarding", sentence, None, (Section(body=(text(sentence),)),))


def _reader(house: House, card: CardRow) -> Person | None:
    """Who reads that private chat, as configured now; None when the identity is nobody's or another's."""
    parts = card.identity.split("/")
    # With the rights they have there and not elsewhere: the chat is in somebody's workspace.
    person = house.roster.who(Actor(*parts)) if len(parts) == 3 else None
    return person if person is not None and person.id == card.viewer else None


def _mine(pen: Pen) -> Card:
    if pen.case.closed or pen.case.stage == "submitted":
        return status(pen)
    return interview(pen)


def _vouch(pen: Pen) -> Card:
    case = pen.case
    starter = pen.house.roster.name_of(case.started_by)
    leaver = leaver_of(case)
    title = f", {leaver.title}" if leaver.title else ""
    whose = (strong(leaver.name), f"{title}, {leaver.mail or leaver.user_name}")
    ask = text(strong(starter), " says you asked them to end the access of ", *whose, ". Did you?")
    answered = {"confirmed": "You said yes.", "denied": "You said no. The case is stopped."}.get(case.verified)
    if answered or case.closed:
        section = Section(body=(ask, text(answered or messages.CLOSED.get(case.closed, ""))))
    else:
        section = Section(
            body=(ask,),
            buttons=(
                pen.button("Yes, I asked", "vouch", Style.PRIMARY, asked="yes"),
                pen.button("No", "vouch", Style.DANGER, asked="no"),
            ),
        )
    return Card(f"Case {case.number}: did you ask for this?", messages.notification(pen.house, case), None, (section,))


def _news(pen: Pen) -> Card | None:
    kind, _, subject = pen.card.topic.partition(":")
    section = NEWS[kind](pen, subject)
    if section is None:
        return None
    return Card(
        messages.notification(pen.house, pen.case),
        messages.notification(pen.house, pen.case),
        None,
        (section,),
    )


def _step_news(pen: Pen, subject: str) -> Section | None:
    row = pen.session.get(StepRow, subject)
    if row is None:
        return None
    who = f" {pen.house.roster.name_of(row.person)} has it." if row.person else " Nobody has it yet."
    if StepState(row.state) in WITH_PERSON:
        what = f"{row.title} needs a person."
    elif StepState(row.state) in SETTLED:
        what, who = f"{row.title} needed a person and is settled now.", ""
    else:
        what, who = f"{row.title} does not get on.", " It is tried again by itself."
    return Section(body=(text(strong(what), who), text(row.reason)))


def _stuck_news(pen: Pen, subject: str) -> Section | None:
    row = pen.session.get(StepRow, subject)
    if row is None:
        return None
    who = f"{pen.house.roster.name_of(row.person)} has it" if row.person else "nobody has pressed 'I take it'"
    return Section(body=(text(strong(f"Still open: {row.title}"), f"; {who}."), text(row.reason)))


def _lock_out_news(pen: Pen, _subject: str) -> Section:
    ways = ways_in(pen.session, pen.house, pen.case)
    section = ways_section(pen, ways)
    return Section(body=(headline(pen, ways), *section.body), checklist=section.checklist)


def _done_news(pen: Pen, subject: str) -> Section:
    plan = pen.session.get(Plan, subject)
    if plan is not None and plan.dry_run:
        return Section(body=(text("The dry run of this plan is over. Nothing was changed."),))
    if plan is not None and plan.kind != LOCK_OUT:
        what = "change of the bill" if plan.kind == MONEY else "rest"
        return Section(body=(text(f"Every step of the {what} is settled."),))
    ways = ways_in(pen.session, pen.house, pen.case)
    rest = "" if locked_out(ways) else " Mind that not every way in is confirmed as ended."
    return Section(body=(text(f"Every step of the lock-out is settled.{rest}"), headline(pen, ways)))


def _said(sentence: str) -> Callable[[Pen, str], Section]:
    return lambda _pen, _subject: Section(body=(text(sentence),))


def _nobody(pen: Pen, _subject: str) -> Section:
    msp = pen.house.roster.msp
    return Section(body=(text(f"No technician has picked this up yet. Ring {msp.name}: {msp.phone}."),))


def _half_way(pen: Pen, _subject: str) -> Section:
    untouched = all(PlanState(plan.state) in NOT_STARTED for plan in case_plans(pen.session, pen.case.id))
    return Section(
        body=(text("This case waits for your answers.", " Nothing has been changed yet." if untouched else ""),),
        buttons=(pen.button("Go on", "resume", Style.PRIMARY),) if not pen.case.closed else (),
    )


def _came_back(pen: Pen, subject: str) -> Section:
    row = pen.session.get(StepRow, subject)
    what = f" {row.title}." if row is not None else ""
    return Section(body=(text(strong("Access had come back and is being ended again."), what),))


def _ahead(pen: Pen, subject: str) -> Section | None:
    row = pen.session.get(StepRow, subject)
    if row is None or row.due_at is None:
        return None
    when = messages.day(pen.house, pen.case, row.due_at)
    return Section(
        body=(text(strong(f"{when}: {row.title}. "), "Skip it on the card if it is still needed."), text(row.reason))
    )


def _kept(pen: Pen, _subject: str) -> Section:
    client = pen.house.roster.client(pen.case.client)
    days = client.keep_days if client else 0
    sentence = f"What was kept, mailbox and files, has been kept for {days} days, as agreed. Keep it on, or delete it?"
    return Section(body=(text(sentence), text("Tell your technician; nothing is deleted by itself.")))


def _undecided(pen: Pen, _subject: str) -> Section | None:
    section = undecided_section(pen)
    if section is None:
        return None
    return Section(
        body=(text("Something is still to be decided. Until then it is kept as it is."),), facts=section.facts
    )


def _rejected(pen: Pen, _subject: str) -> Section:
    return Section(body=(headline(pen, []),))


NEWS: dict[str, Callable[[Pen, str], Section | None]] = {
    "step": _step_news,
    "stuck": _stuck_news,
    "locked out": _lock_out_news,
    "done": _done_news,
    "question": _said("A manager was not sure of an answer. The card above asks you."),
    "quiet": _said("A manager said 'now' and has not gone on for 5 minutes. The card above lets you plan it."),
    "denied": _said("The contact says they did NOT ask for this. The case is stopped. Find out who called."),
    "immediate": _said("A lock-out was started on the manager's word alone, by the client's policy."),
    "cut-off": _said("The cut-off is here: access is being ended."),
    "go": _said("The lock-out is approved and waits for the go. The leaver can still sign in until somebody says it."),
    "called off": _said("The requester calls it off: they STAY. Press 'They stay' on the card to put everything back."),
    "remind": _said("A lock-out waits for approval. The leaver can still sign in."),
    "came back": _came_back,
    "ahead": _ahead,
    "rehearsed": _said("The dry run is over: the card says what the live run would do. Nothing was changed."),
    "unconfirmed": _said("It could not be checked again whether everything is still ended. Look yourself, or wait."),
    "unplanned": _said("A case could not be planned. The card above says why and lets you try again."),
    "unrestored": _said("Access could NOT be restored. The card above says why."),
    "unanswered": _said("A manager waits for a technician's answer, and the lock-out with them. The card above asks."),
    "restored": _said("Sign-in is being restored: see the card for what could be put back."),
    "wrong person": _said("The requester says this is the WRONG PERSON. Press 'Wrong person' on the card to restore."),
    "nobody picked up": _nobody,
    "paging failed": _said("The person on call could NOT be paged. It is tried again every minute; ring them."),
    "half-way": _half_way,
    "undecided": _undecided,
    "kept": _kept,
    "expired": _said("The case has expired: nobody went on with it. Nothing was changed."),
    "rejected": _rejected,
}


def _list(session: Session, house: House, card: CardRow) -> Card | None:
    person = _reader(house, card)
    if person is None:
        return None
    if cards.replaced(card):
        return Card("Your cases", "Your cases", None, (Section(body=(text("There is a newer list below."),)),))
    cases = visible(session, house, person, card.topic.removeprefix("find:"), SHOWN + 1)
    rows = tuple(
        Section(
            body=(text(messages.case_line(session, house, case)),),
            buttons=(Pen(session, house, card, case).button("Open", "open"),),
        )
        for case in cases[:SHOWN]
    )
    more = (Section(body=(text("… and older ones. Add a name or a number."),)),) if len(cases) > SHOWN else ()
    return Card("Your cases", "Your cases", None, (*rows, *more))


DRAWINGS: dict[str, Callable[[Pen], Card | None]] = {
    cards.INTERVIEW: _mine,
    cards.STATUS: status,
    cards.TECHNICIANS: technicians,
    cards.BILL: bill,
    cards.REPORT: report,
    cards.VOUCH: _vouch,
    cards.NEWS: _news,
}
