"""The interview: whom, and one decision a card, each confirmed by its own button; back and change at will."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import col, delete

from connectors.contract import Account, Question
from handlers import access
from handlers.cases import cards, due
from handlers.cases.tables import AccountRow, Answer
from handlers.cases.wanted import PROPOSE, READ, pending, want
from handlers.click import Click, Missing
from handlers.conversation import Reply
from handlers.offboard import ask_again, start_search
from handlers.plan.digest import renew_digests
from handlers.plan.rows import case_plans
from handlers.questions import WHEN, answers_of, current, question_called, questions_of
from handlers.submit import ready_again


def search_again(click: Click) -> Reply:
    """Look for another name, or for the same one again when none is typed."""
    name = click.typed("name") or str(click.case.draft.get("searched", click.case.query))
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
    click.session.exec(delete(AccountRow).where(col(AccountRow.case_id) == case.id))
    if before != account.id:
        # What was answered and confirmed so far was about somebody else.
        click.session.exec(delete(Answer).where(col(Answer.case_id) == case.id))
        case.draft = {key: kept for key, kept in case.draft.items() if key != "at"}
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
    """One confirmed choice."""
    question = _question(click, click.arg("question"))
    value = click.arg("value") if "value" in click.args else ""
    if question.choices:
        choice = next((one for one in question.choices if one.id == value), None)
        if choice is None:
            raise Missing("That choice is not offered any more. Pick another one.")
        label = choice.label
    else:
        value = label = click.typed("text", "Write your answer first, then press Confirm.")[:1000]
    _keep(click, question, value, label)
    click.case.draft = {key: kept for key, kept in click.case.draft.items() if key != "at"}
    if question.id == WHEN:
        due.clear(click.session, click.case, due.QUIET)
        due.set_due(click.session, click.house, click.case, due.QUIET, click.house.timings.quiet)
    _moved(click)
    return Reply()


def not_sure(click: Click) -> Reply:
    """A technician answers this one, on the same case."""
    question = _question(click, click.arg("question"))
    _keep(click, question, "", "Your technician answers", asked_technician=True)
    click.case.draft = {key: kept for key, kept in click.case.draft.items() if key != "at"}
    cards.show_channel(click.session, click.house, click.case, cards.TECHNICIANS)
    cards.show_channel(click.session, click.house, click.case, cards.NEWS, topic="question")
    _moved(click)
    return Reply()


def answer_for(click: Click) -> Reply:
    """A technician answers what the manager was not sure of."""
    question = _question(click, click.arg("question"))
    kept = answers_of(click.session, click.case.id).get(question.id)
    if kept is None or not kept.asked_technician:
        raise Missing("Somebody answered that meanwhile.")
    if question.choices:
        choice = next((one for one in question.choices if one.id == click.arg("value")), None)
        if choice is None:
            raise Missing("That choice is not offered any more. Pick another one.")
        _keep(click, question, choice.id, choice.label)
    else:
        words = click.typed(click.arg("field"), "Write the answer first, then press Confirm.")[:1000]
        _keep(click, question, words, words)
    ready_again(click)
    click.case.turn += 1
    return Reply()


def accept_all(click: Click) -> Reply:
    """Take every remaining recommendation, but nothing that destroys; stop where there is none."""
    answers = answers_of(click.session, click.case.id)
    for question in questions_of(click.session, click.house, click.case):
        if question.id in answers:
            continue
        choice = next((one for one in question.choices if one.id == question.recommended), None)
        if choice is None or choice.destroys:
            why = "nothing is recommended here" if choice is None else "what destroys data is always yours to pick"
            _moved(click)
            return Reply(f"Stopped at '{question.text}': {why}.")
        _keep(click, question, choice.id, choice.label)
    _moved(click)
    return Reply()


def back(click: Click) -> Reply:
    """To the question before, or to the search from the first one."""
    case = click.case
    questions = questions_of(click.session, click.house, case)
    answers = answers_of(click.session, case.id)
    at = current(questions, answers, str(case.draft.get("at", "")))
    place = questions.index(at) if at in questions else len(questions)
    if place == 0:
        _still_open_who(click)
        case.stage = "who"
        case.draft = {key: kept for key, kept in case.draft.items() if key != "at"}
    else:
        case.draft = {**case.draft, "at": questions[place - 1].id}
    _moved(click)
    return Reply()


def change(click: Click) -> Reply:
    """From the review back to one answer."""
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


def _question(click: Click, question_id: str) -> Question:
    question = question_called(click.session, click.house, click.case, question_id)
    if question is None:
        raise Missing("That question is not asked any more; the facts have changed.")
    return question


def _keep(click: Click, question: Question, value: str, label: str, *, asked_technician: bool = False) -> None:
    kept = click.session.get(Answer, (click.case.id, question.id))
    kept = kept or Answer(case_id=click.case.id, question=question.id, value="", label="", by="", at=_now(click))
    kept.value, kept.label, kept.by, kept.at = value, label, click.person.id, _now(click)
    kept.asked_technician = asked_technician
    click.session.add(kept)
    click.session.flush()
    click.record("answered", question=question.id, value=value)
    for plan in renew_digests(click.session, click.case.id):
        click.record("plan changed", kind=plan.kind, digest=plan.digest)


def _now(click: Click) -> datetime:
    return click.house.clock.now()


def _moved(click: Click) -> None:
    """The interview moved on: other buttons are stale, the quiet clock starts anew."""
    case = click.case
    if case.stage != "searching":
        # While a search runs, the turn is what its answer is known by.
        case.turn += 1
    click.session.add(case)
    due.touch(click.session, click.house, case)
