"""The interview's questions in order: our own three first, then whatever the leaver's systems ask."""

from __future__ import annotations

from sqlmodel import Session, select

from connectors.contract import Choice, Question, Topic
from handlers.cases.tables import Answer, Case
from handlers.house import House
from handlers.plan.propose import choices_of, readings_of

HOW, CONTENTIOUS, WHEN = "how", "contentious", "when"


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
        ),
        Question(
            CONTENTIOUS,
            Topic.HOW_MUCH,
            "Is it contentious? Could there be a dispute, or anger?",
            (
                Choice("no", "No, on good terms"),
                Choice("yes", "Yes", "Your technicians see it before they decide."),
            ),
        ),
        Question(
            WHEN,
            Topic.HOW_MUCH,
            f"When does {name}'s access end?",
            (
                Choice(
                    "now",
                    "Now",
                    "Sign-in blocked, password reset and sessions ended, once a technician approves. "
                    "A later date is not offered yet.",
                ),
            ),
            recommended="now",
            reason="A leaver who can still sign in can still read, copy and delete.",
        ),
    )


def questions_of(session: Session, house: House, case: Case) -> list[Question]:
    """Every question this case has, in order; those of the systems appear once their facts are read."""
    choices = choices_of(session, case.id)
    asked: list[Question] = []
    for reading in readings_of(session, house, case.id):
        if reading.facts is not None:
            asked += house.registry.get(reading.system).questions(reading.facts, choices)
    return [*own_questions(case.leaver_name), *sorted(asked, key=lambda question: question.topic)]


def question_called(session: Session, house: House, case: Case, question_id: str) -> Question | None:
    """The question of that id, if the case has it; our own are known without reading any facts."""
    own = next((one for one in own_questions(case.leaver_name) if one.id == question_id), None)
    if own is not None:
        return own
    return next((one for one in questions_of(session, house, case) if one.id == question_id), None)


def answers_of(session: Session, case_id: str) -> dict[str, Answer]:
    """Question id → the confirmed answer."""
    return {row.question: row for row in session.exec(select(Answer).where(Answer.case_id == case_id))}


def current(questions: list[Question], answers: dict[str, Answer], changing: str) -> Question | None:
    """The question on the card: the one being changed, else the first without an answer, else none."""
    for question in questions:
        if question.id == changing:
            return question
    return next((question for question in questions if question.id not in answers), None)
