"""The interview's questions in order: our own three first, then whatever the leaver's systems ask."""

from __future__ import annotations

from dataclasses import replace

from sqlmodel import Session

from connectors.contract import Account, Choice, Choices, Question, Topic, Typed
from handlers.cases.store import once
from handlers.cases.tables import Answer, Case
from handlers.house import House
from handlers.people import Client
from handlers.plan.readings import Reading, answer_rows, choices_of, readings_of

HOW, CONTENTIOUS, WHEN = "how", "contentious", "when"
NOW, GO = "now", "go"
"""Answers to WHEN; any other is a time, written by ISO 8601."""


def own_questions(name: str) -> tuple[Question, ...]:
    """What is asked whatever systems there are."""
    return (
        Question(
            HOW,
            Topic.HOW_MUCH,
            f"How is {name} leaving?",
            (
                Choice("resigned", "Resigned"),
                Choice("dismissed", "Dismissed"),
                Choice("gone", "Already gone"),
                Choice("contract ended", "Contract ended"),
            ),
            can_wait=False,
        ),
        Question(
            CONTENTIOUS,
            Topic.HOW_MUCH,
            "Is it contentious? Could there be a dispute, or anger?",
            (
                Choice("no", "No, on good terms"),
                Choice("yes", "Yes", "Your technicians see it before they decide, and data is put on hold first."),
            ),
            can_wait=False,
        ),
        Question(
            WHEN,
            Topic.HOW_MUCH,
            f"When does {name}'s access end?",
            (
                Choice(NOW, "Now", "Sign-in blocked, password reset and sessions ended, once a technician approves."),
                Choice(
                    GO,
                    "When I say go",
                    "A technician approves beforehand; then you or they press Go, in the middle of a talk, say. "
                    "Nothing ends by itself.",
                ),
            ),
            Typed.MOMENT,
            recommended=NOW,
            reason="A leaver who can still sign in can still read, copy and delete.",
            can_wait=False,
        ),
    )


def questions_of(session: Session, house: House, case: Case) -> list[Question]:
    """Every question this case has, in order; those of the systems appear once their facts are read."""

    def read() -> list[Question]:
        return asked(house, case, readings_of(session, house, case.id), choices_of(session, case.id))

    return once(session, ("questions", case.id), read)


def asked(house: House, case: Case, readings: list[Reading], choices: Choices) -> list[Question]:
    """The same, from what was read and answered so far."""
    found: list[Question] = []
    heirs: list[Account] = []
    for reading in readings:
        if reading.facts is not None:
            connector = house.registry.get(reading.system)
            found += connector.questions(reading.facts, choices)
            heirs += connector.successors(reading.facts)
    found.sort(key=lambda question: question.topic)
    client, requester = house.roster.client(case.client), requester_account(house, case)
    return [
        *own_questions(case.leaver_name),
        *(_with_default(_with_people(question, heirs, requester, case), client) for question in found),
    ]


def requester_account(house: House, case: Case) -> Account | None:
    """The requester's own account in the client's directory, where the configuration names it."""
    person = house.roster.person(case.requester)
    account_id = person.directory.get(case.client, "") if person else ""
    if person is None or not account_id:
        return None
    return Account(system=str(case.leaver.get("system", "")), id=account_id, name=person.name, mail=person.mail)


def _with_people(question: Question, heirs: list[Account], requester: Account | None, case: Case) -> Question:
    """Those who are likely to take over stand ready as choices: one press instead of a search.

    Their manager is recommended where the system recommends nobody; whoever asks is only offered.
    """
    if question.typed is not Typed.PERSON or not question.heirs:
        return question
    asks = [requester] if requester is not None else []
    people = {one.id: one for one in (*heirs, *asks) if one.id != case.leaver.get("id")}
    known = tuple(replace(choice, account=choice.account or people.get(choice.id)) for choice in question.choices)
    missing = [one for one in people.values() if all(choice.id != one.id for choice in known)]
    offered = replace(question, choices=(*known, *(Choice(one.id, one.name, account=one) for one in missing)))
    first = next((one for one in heirs if one.id in people), None)
    if question.recommended or first is None:
        return offered
    return replace(offered, recommended=first.id, reason=f"{first.name} is their manager.")


def _with_default(question: Question, client: Client | None) -> Question:
    """The client's standing answer is the recommended one, where it is offered and takes nothing away for good."""
    standing = client.defaults.get(question.id, "") if client else ""
    choice = next((choice for choice in question.choices if choice.id == standing), None)
    if client is None or choice is None or choice.destroys or choice.deliberate:
        return question
    return replace(question, recommended=choice.id, reason=f"It is what {client.name} always does.")


def question_called(session: Session, house: House, case: Case, question_id: str) -> Question | None:
    """The question of that id, if the case has it; our own are known without reading any facts."""
    own = next((one for one in own_questions(case.leaver_name) if one.id == question_id), None)
    if own is not None:
        return own
    return next((one for one in questions_of(session, house, case) if one.id == question_id), None)


def answers_of(session: Session, case_id: str) -> dict[str, Answer]:
    """Question id → the confirmed answer."""
    return {row.question: row for row in answer_rows(session, case_id)}


def current(questions: list[Question], answers: dict[str, Answer], changing: str) -> Question | None:
    """The question on the card: the one being changed, else the first without an answer, else none."""
    for question in questions:
        if question.id == changing:
            return question
    return next((question for question in questions if question.id not in answers), None)
