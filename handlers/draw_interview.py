"""Draws the interview: one card, one decision, what was said so far, and the way back."""

from __future__ import annotations

from connectors.contract import LATER, Account, Question
from connectors.money import Payer
from handlers import cut_off, messages
from handlers.access import Right, clients_for, may
from handlers.cases.tables import Answer
from handlers.cases.wanted import READ, pending
from handlers.conversation import Button, Card, Fact, Field, Option, Section, Style, quiet, strong, text
from handlers.draw_case import headline, leaver_fact, rehearses, savings_section
from handlers.draw_go import go_section, requester_buttons
from handlers.draw_question import TWO_LETTERS, question_sections
from handlers.interview import PICKED
from handlers.pen import Pen
from handlers.people import Lockout
from handlers.plan.digest import LOCK_OUT, REST
from handlers.plan.rows import case_plans
from handlers.questions import NOW, WHEN, answers_of, current, questions_of
from handlers.search import called
from handlers.status import others_about
from handlers.ways import ways_in


def interview(pen: Pen) -> Card:
    """The card of the stage the case is at."""
    return {
        "client": _client,
        "asked": _asked,
        "verify": _verify,
        "searching": _searching,
        "who": _who,
        "ask": _ask,
    }[pen.case.stage](pen)


def _card(pen: Pen, title: str, *sections: Section, progress: tuple[int, int] | None = None) -> Card:
    notification = messages.notification(pen.house, pen.case)
    dry = "Dry run, case" if rehearses(pen) else "Case"
    return Card(f"{dry} {pen.case.number}: {title}", notification, progress, sections)


def _cancel(pen: Pen) -> Button:
    return pen.button("Cancel the case", "cancel")


def _client(pen: Pen) -> Card:
    person = pen.house.roster.person(pen.case.started_by)
    clients = clients_for(pen.house.roster, person) if person else []
    options = tuple(Option(client.id, client.name) for client in clients)
    return _card(
        pen,
        f"offboard {pen.case.query}",
        Section(
            body=(text("Which client is it about?"),),
            fields=(Field("client", "Client", "Pick the client", options=options),),
            buttons=(pen.button("Continue", "pick client", Style.PRIMARY), _cancel(pen)),
        ),
    )


def _asked(pen: Pen) -> Card:
    managers = pen.house.roster.managers(pen.case.client)
    known = tuple(Option(person.id, person.name) for person in managers)
    fields = (Field("contact", "Who asked? A contact we know", options=known),) if known else ()
    return _card(
        pen,
        f"offboard {pen.case.query}",
        Section(
            body=(text("Who at the client asked for this?"),),
            fields=(*fields, Field("other", "Or somebody else, by name", "Name and position")),
            buttons=(pen.button("Continue", "asked", Style.PRIMARY), _cancel(pen)),
        ),
    )


def _verify(pen: Pen) -> Card:
    case = pen.case
    name = pen.house.roster.name_of(case.requester) if case.requester else case.contact
    ask = (pen.button(f"Ask {name} in chat", "ask contact", Style.PRIMARY),) if case.requester else ()
    return _card(
        pen,
        f"offboard {case.query}",
        Section(
            body=(
                text("How do you know that it was really ", strong(name), " who asked?"),
                text(quiet("Callers lie. Ring back on the number on file, never on the one that called.")),
            ),
            fields=(Field("callback", "Number on file you rang, and whom you spoke to"),),
            buttons=(*ask, pen.button("I rang them back", "called back"), _cancel(pen)),
        ),
    )


def _searching(pen: Pen) -> Card:
    words = str(pen.case.draft.get("searched", pen.case.query))
    body = [text("Looking for ", strong(words), " …")]
    if slow := pen.case.draft.get("slow"):
        body.append(text("Not answered yet, trying again. ", quiet(str(slow))))
    return _card(pen, "finding the person", Section(body=tuple(body)))


def _who(pen: Pen) -> Card:
    case = pen.case
    found = case.candidates.get("found")
    accounts = [Account.model_validate(one) for one in found] if isinstance(found, list) else []
    words = str(case.draft.get("searched", case.query))
    if trouble := case.draft.get("trouble"):
        opening = text("The directory could not be asked. ", str(trouble), " Search again to retry.")
    elif not accounts:
        opening = text("There is nobody like ", strong(words), " in the directory. Check the spelling.")
    elif case.candidates.get("nearest"):
        opening = text("There is nobody called ", strong(words), ". Is it one of these?")
    elif len(accounts) == 1:
        opening = text("Is this the person who leaves?")
    else:
        opening = text(f"{len(accounts)} people fit ", strong(words), ". Who is it?")
    more = (text("There are more. Type more of the name to narrow it down."),) if case.candidates.get("more") else ()
    search = Section(
        fields=(
            Field(PICKED, "Somebody else? Pick them while you type", TWO_LETTERS, suggest=pen.suggestions("suggest")),
            Field("name", "Or write their name or mail address", words),
        ),
        buttons=(pen.button("Search", "search"), _cancel(pen)),
    )
    people = tuple(_person(pen, account) for account in accounts)
    return _card(pen, "who leaves?", Section(body=(opening, *more)), *people, search)


def _person(pen: Pen, account: Account) -> Section:
    notes = [
        note for note, is_so in (("sign-in already disabled", not account.enabled), ("guest", account.guest)) if is_so
    ]
    facts = [Fact("Mail", text(account.mail or account.user_name))]
    if account.title:
        facts.insert(0, Fact("Title", text(account.title)))
    if notes:
        facts.append(Fact("Note", text(", ".join(notes))))
    return Section(
        heading=account.name,
        facts=tuple(facts),
        buttons=(pen.button(called(account), "pick", Style.PRIMARY, account=account.id),),
    )


def _ask(pen: Pen) -> Card:
    questions = questions_of(pen.session, pen.house, pen.case)
    answers = answers_of(pen.session, pen.case.id)
    question = current(questions, answers, str(pen.case.draft.get("at", "")))
    if question is None and pending(pen.session, pen.case.id, READ):
        wait = Section(body=(text(f"Reading {pen.case.leaver_name}'s accounts, to ask only what matters …"),))
        return _card(pen, f"offboard {pen.case.leaver_name}", _leaver(pen), wait)
    if question is None:
        return _review(pen, questions, answers)
    place = questions.index(question) + 1
    return _card(
        pen,
        f"offboard {pen.case.leaver_name}",
        _leaver(pen),
        *_another_case(pen),
        *_lock_out(pen),
        *_so_far(questions, answers),
        *question_sections(pen, question),
        _shortcuts(pen, questions, answers),
        progress=(place, len(questions) + 1),
    )


def _leaver(pen: Pen) -> Section:
    return Section(facts=(leaver_fact(pen),))


def _another_case(pen: Pen) -> tuple[Section, ...]:
    """Another open case about the same person, if this reader may know of it."""
    person = pen.house.roster.person(pen.card.viewer)
    others = [
        other
        for other in others_about(pen.session, pen.case)
        if person is not None and may(pen.session, pen.house.roster, person, other, Right.SEE)
    ]
    if not others:
        return ()
    numbers = ", ".join(str(other.number) for other in others)
    return (Section(body=(text(f"There is another open case about them: {numbers}. Is this one needed?"),)),)


def _lock_out(pen: Pen) -> tuple[Section, ...]:
    """How far a lock-out is that went ahead of the other questions."""
    plans = case_plans(pen.session, pen.case.id)
    if not plans:
        return ()
    wrong = () if cut_off.ended_nothing(pen.session, pen.case) else tuple(requester_buttons(pen))
    how_far = headline(pen, ways_in(pen.session, pen.house, pen.case))
    return (Section(body=(how_far,), buttons=wrong), *go_section(pen))


def _so_far(questions: list[Question], answers: dict[str, Answer]) -> tuple[Section, ...]:
    facts = tuple(
        Fact(question.text, text(answers[question.id].label)) for question in questions if question.id in answers
    )
    return (Section(heading="So far", facts=facts),) if facts else ()


def _shortcuts(pen: Pen, questions: list[Question], answers: dict[str, Answer]) -> Section:
    question = current(questions, answers, str(pen.case.draft.get("at", "")))
    buttons = [pen.button("Back", "back")]
    if question is not None:
        buttons.append(pen.button("Not sure, ask my technician", "not sure", question=question.id))
    open_ones = [one for one in questions if one.id not in answers]
    if WHEN in answers and open_ones:
        if any(one.recommended for one in open_ones):
            buttons.append(pen.button("Accept all recommended", "accept all"))
        if answers[WHEN].value == NOW and not case_plans(pen.session, pen.case.id):
            name = pen.case.leaver_name
            buttons.insert(
                0,
                pen.button(f"Lock out {name} now, the other questions after", "lock out now", Style.DANGER),
            )
    return Section(buttons=(*buttons, _cancel(pen)))


def _review(pen: Pen, questions: list[Question], answers: dict[str, Answer]) -> Card:
    name = pen.case.leaver_name
    rest_planned = any(plan.kind == REST for plan in case_plans(pen.session, pen.case.id))

    def changeable(answer: Answer) -> bool:
        if answer.question == WHEN and case_plans(pen.session, pen.case.id):
            return cut_off.changeable(pen.session, pen.case)
        return not rest_planned or answer.asked_technician or answer.value == LATER

    rows = [
        Section(
            heading=question.text,
            body=(text(answers[question.id].label),),
            buttons=(pen.button("Change", "change", question=question.id),) if changeable(answers[question.id]) else (),
        )
        for question in questions
        if question.id in answers
    ]
    client = pen.house.roster.client(pen.case.client)
    immediate = client is not None and client.lockout is Lockout.IMMEDIATE
    planned = any(plan.kind == LOCK_OUT for plan in case_plans(pen.session, pen.case.id))
    what = (
        "A technician sees exactly this and approves; then access ends."
        if not immediate
        else "Access ends as soon as you press the button, unless something about this person needs a technician."
    )
    if rehearses(pen):
        what = "A dry run: a technician sees exactly this and approves, then every step only looks. Nothing is changed."
    label = "Submit" if planned or not immediate else f"Lock out {name} now"
    return _card(
        pen,
        f"offboard {name}: right so?",
        _leaver(pen),
        *rows,
        *savings_section(pen, Payer.CLIENT),
        Section(
            body=(text(what),),
            buttons=(
                pen.button(label, "submit", Style.PRIMARY),
                pen.button("Back", "back"),
                pen.button("Somebody else", "somebody else"),
                _cancel(pen),
            ),
        ),
        progress=(len(questions) + 1, len(questions) + 1),
    )
