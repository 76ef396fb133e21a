"""The interview: whom, and one decision a card, each confirmed by its own button; back and change at will."""

from __future__ import annotations

from sqlmodel import col, delete

from connectors.contract import Account, Typed
from handlers import access
from handlers.answer import Given, given, keep, person, question_on
from handlers.cases import cards, due
from handlers.cases.tables import AccountRow, Answer
from handlers.cases.wanted import CHOOSE, PROPOSE, READ, pending, want
from handlers.click import Click, Missing
from handlers.conversation import Reply
from handlers.offboard import ask_again, start_search
from handlers.plan.readings import choices_of, readings_of
from handlers.plan.rows import case_plans
from handlers.questions import WHEN, answers_of, asked, current, questions_of
from handlers.submit import ready_again

PICKED = "picked"
"""Field id of somebody picked while one types: their address."""
NOBODY_NAMED = "Write a name or a mail address first, then press Find."


def search_again(click: Click) -> Reply:
    """Look for whoever was picked or typed, or for the same one again when nobody was."""
    name = click.typed(PICKED) or click.typed("name") or str(click.case.draft.get("searched", click.case.query))
    start_search(click.session, click.house, click.case, name[:200])
    _moved(click)
    return Reply()


def pick(click: Click) -> Reply:
    """This is the person who leaves; the button named them with title and mail."""
    _still_open_who(click)
    case = click.case
    before = case.leaver.get("id")
    found = case.candidates.get("found")
    accounts = [Account.model_validate(one) for one in found] if isinstance(found, list) else []
    account = next((one for one in accounts if one.id == click.arg("account")), None)
    if account is None:
        raise Missing("That person is not on the list any more. Search again.")
    case.leaver = account.model_copy(update={"matched_by": f"chosen by {click.person.name}"}).model_dump(mode="json")
    click.session.add(case)
    if access.relation(click.session, click.house.roster, click.person, case).leaver:
        raise Missing("That is you. Nobody can offboard themselves; ask a colleague or your IT provider.")
    requester = click.house.roster.person(case.requester)
    if requester and access.relation(click.session, click.house.roster, requester, case).leaver:
        raise Missing(f"{requester.name} asked for this and can't be the one who leaves.")
    if before is not None:
        click.session.exec(delete(AccountRow).where(col(AccountRow.case_id) == case.id))
    if before != account.id:
        # What was answered and confirmed so far was about somebody else.
        click.session.exec(delete(Answer).where(col(Answer.case_id) == case.id))
        _leave_question(click)
        ask_again(click)
    case.stage = "ask"
    click.record("leaver chosen", account=account.id, name=account.name)
    want(click.session, click.house, case, READ, account.id)
    _moved(click)
    return Reply()


def somebody_else(click: Click) -> Reply:
    """Back to the search."""
    _still_open_who(click)
    click.case.stage = "who"
    _moved(click)
    return Reply()


def answer(click: Click) -> Reply:
    """One confirmed answer: a choice, words, a person, or 'later'."""
    question = question_on(click)
    keep(click, question, given(click, question))
    _leave_question(click)
    if question.id == WHEN:
        due.clear(click.session, click.case, due.QUIET)
        due.set_due(click.session, click.house, click.case, due.QUIET, click.house.timings.quiet)
    _moved(click)
    return Reply()


def not_sure(click: Click) -> Reply:
    """A technician answers this one, on the same case."""
    keep(click, question_on(click), Given("", "Your technician answers"), asked_technician=True)
    _leave_question(click)
    cards.show_channel(click.session, click.house, click.case, cards.TECHNICIANS)
    cards.show_channel(click.session, click.house, click.case, cards.NEWS, topic="question")
    _moved(click)
    return Reply()


def answer_for(click: Click) -> Reply:
    """A technician answers what the manager was not sure of."""
    question = question_on(click)
    kept = answers_of(click.session, click.case.id).get(question.id)
    if kept is None or not kept.asked_technician:
        raise Missing("Somebody answered that meanwhile.")
    keep(click, question, given(click, question))
    click.case.choosing = {}
    ready_again(click)
    click.case.turn += 1
    return Reply()


def find_somebody(click: Click) -> Reply:
    """Look for the person an answer names; whoever is found is offered on the same card."""
    question = question_on(click)
    # A label could say anything: whoever was picked is looked up afresh by their address, and confirmed as ever.
    words = click.typed(str(click.args.get("picked", PICKED))) or click.typed(click.arg("field"), NOBODY_NAMED)
    words = words[:200]
    click.case.choosing = {"question": question.id, "words": words}
    want(click.session, click.house, click.case, CHOOSE, words)
    _moved(click)
    return Reply()


def accept_all(click: Click) -> Reply:
    """Take every remaining recommendation, but nothing that destroys or can't be taken back; stop where there is none.

    One answer can bring up the next question, so they are asked anew each time.
    """
    session, house, case = click.session, click.house, click.case
    readings = readings_of(session, house, case.id)
    stopped = ""
    while not stopped:
        answers = answers_of(session, case.id)
        questions = asked(house, case, readings, choices_of(session, case.id))
        question = next((one for one in questions if one.id not in answers), None)
        if question is None:
            break
        choice = next((one for one in question.choices if one.id == question.recommended), None)
        if choice is None:
            why = "name a person" if question.typed is Typed.PERSON else "nothing is recommended here"
            stopped = f"Stopped at '{question.text}': {why}."
        elif choice.destroys or choice.deliberate:
            stopped = f"Stopped at '{question.text}': what can't be taken back is always yours to pick."
        else:
            keep(click, question, person(choice.account) if choice.account else Given(choice.id, choice.label))
    _leave_question(click)
    _moved(click)
    return Reply(stopped)


def back(click: Click) -> Reply:
    """To the question before, or to the search from the first one."""
    case = click.case
    case.choosing = {}
    questions = questions_of(click.session, click.house, case)
    answers = answers_of(click.session, case.id)
    at = current(questions, answers, str(case.draft.get("at", "")))
    place = questions.index(at) if at in questions else len(questions)
    if place == 0:
        _still_open_who(click)
        case.stage = "who"
        _leave_question(click)
    else:
        case.draft = {**case.draft, "at": questions[place - 1].id}
    _moved(click)
    return Reply()


def change(click: Click) -> Reply:
    """From the review back to one answer."""
    click.case.choosing = {}
    click.case.draft = {**click.case.draft, "at": click.arg("question")}
    _moved(click)
    return Reply()


def resume(click: Click) -> Reply:
    """Go on with a case left half-way: its card again, in the same private chat."""
    cards.show_person(click.session, click.house, click.case.id, cards.INTERVIEW, click.person.id, click.identity)
    _moved(click)
    return Reply()


def _still_open_who(click: Click) -> None:
    """A plan is about one person: what was planned for one must never run on another."""
    session, case = click.session, click.case
    if case_plans(session, case.id) or pending(session, case.id, PROPOSE):
        raise Missing(
            f"The lock-out of {case.leaver_name} is planned already. If it is the wrong person, cancel the case "
            "or, once it has begun, tell the technicians; then start anew with /offboard."
        )


def _leave_question(click: Click) -> None:
    """The card goes on to another question: nobody is looked up for this one any more."""
    click.case.choosing = {}
    click.case.draft = {key: kept for key, kept in click.case.draft.items() if key != "at"}


def _moved(click: Click) -> None:
    """The interview moved on: other buttons are stale, the quiet clock starts anew."""
    case = click.case
    if case.stage != "searching":
        # While a search runs, the turn is what its answer is known by.
        case.turn += 1
    due.touch(click.session, click.house, case)
