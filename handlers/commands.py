"""The tables of what people can say and press: word → handler, button → right, freshness and handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue
from sqlmodel import Session, col, select

from handlers import (
    approve,
    cancel,
    cut_off,
    doctor,
    interview,
    messages,
    name_people,
    offboard,
    parts,
    retry,
    status,
    submit,
    wrong_person,
)
from handlers.access import Right, named_on
from handlers.cases.store import once
from handlers.cases.tables import Answer, Approval, Case, Plan, StepRow
from handlers.click import Click, Missing
from handlers.conversation import Inbound, Reply
from handlers.house import House
from handlers.people import Person

Command = Callable[[Session, House, Person, Inbound], Reply]

COMMANDS: dict[str, Command] = {
    "offboard": offboard.command,
    "offboard-status": status.command,
    "offboard-doctor": doctor.command,
}

Args = dict[str, JsonValue]
Stamp = Callable[[Session, Case, Args], str]
"""What the state was when the button was drawn; once it differs, the button is stale."""


def _turn(_session: Session, case: Case, _args: Args) -> str:
    return f"{case.turn}:{case.closed}"


def _plans(session: Session, case: Case, args: Args) -> str:
    plans = [session.get_one(Plan, plan_id) for plan_id in args]
    query = select(Approval.person, Approval.digest).where(col(Approval.plan_id).in_(args))
    said = once(session, ("said", *args), lambda: session.exec(query).all())
    states = [f"{plan.state}:{plan.digest}:{len(said)}" for plan in plans]
    return f"{case.closed}:{case.verified}:{','.join(states)}"


def _go(session: Session, case: Case, args: Args) -> str:
    return f"{_plans(session, case, args)}:{case.draft.get('going', '')}"


def _step(session: Session, case: Case, args: Args) -> str:
    row = session.get(StepRow, str(args["step"]))
    return f"{case.closed}:{row.state}:{row.attempt}:{row.person}" if row else "gone"


def _answer(session: Session, case: Case, args: Args) -> str:
    answer = session.get(Answer, (case.id, str(args["question"])))
    return f"{case.closed}:{answer.asked_technician if answer else ''}"


def _verified(_session: Session, case: Case, _args: Args) -> str:
    return f"{case.closed}:{case.verified}:{case.leaver.get('id', '')}"


def _closed(_session: Session, case: Case, _args: Args) -> str:
    return case.closed


def _named(session: Session, case: Case, _args: Args) -> str:
    return f"{case.closed}:{','.join(named_on(session, case))}"


def _way_in(_session: Session, case: Case, _args: Args) -> str:
    return str(case.draft.get("way back in", ""))


def _no_button(_click: Click) -> Reply:
    """What is only asked while somebody types does nothing when it is pressed all the same."""
    raise Missing(messages.OLD_BUTTON)


def _always(_session: Session, _case: Case, _args: Args) -> str:
    return ""


@dataclass(frozen=True)
class Action:
    """What a button does, who may press it, and what makes it stale."""

    do: Callable[[Click], Reply]
    right: Right
    stamp: Stamp


ACTIONS: dict[str, Action] = {
    "pick client": Action(offboard.pick_client, Right.ANSWER, _turn),
    "asked": Action(offboard.asked, Right.ANSWER, _turn),
    "ask contact": Action(offboard.ask_contact, Right.ANSWER, _turn),
    "called back": Action(offboard.called_back, Right.WORK, _verified),
    "vouch": Action(offboard.vouch, Right.VOUCH, _verified),
    "search": Action(interview.search_again, Right.ANSWER, _turn),
    "pick": Action(interview.pick, Right.ANSWER, _turn),
    "somebody else": Action(interview.somebody_else, Right.ANSWER, _turn),
    "answer": Action(interview.answer, Right.ANSWER, _turn),
    "find somebody": Action(interview.find_somebody, Right.ANSWER, _turn),
    "find somebody for": Action(interview.find_somebody, Right.ANSWER_FOR, _answer),
    "suggest": Action(_no_button, Right.ANSWER, _turn),
    "suggest for": Action(_no_button, Right.ANSWER_FOR, _answer),
    "not sure": Action(interview.not_sure, Right.ANSWER, _turn),
    "answer for": Action(interview.answer_for, Right.ANSWER_FOR, _answer),
    "accept all": Action(interview.accept_all, Right.ANSWER, _turn),
    "back": Action(interview.back, Right.ANSWER, _turn),
    "change": Action(interview.change, Right.ANSWER, _turn),
    "resume": Action(interview.resume, Right.ANSWER, _closed),
    "cancel": Action(cancel.cancel, Right.ANSWER, _turn),
    "submit": Action(submit.submit, Right.ANSWER, _turn),
    "decide": Action(submit.decide, Right.ANSWER, _turn),
    "lock out now": Action(submit.lock_out_now, Right.ANSWER, _turn),
    "submit for": Action(submit.submit_for, Right.ANSWER_FOR, _turn),
    "approve": Action(approve.approve, Right.APPROVE, _plans),
    "reject": Action(approve.reject, Right.APPROVE, _plans),
    "approve bill": Action(approve.approve, Right.BILL, _plans),
    "reject bill": Action(approve.reject_bill, Right.BILL, _plans),
    "go": Action(cut_off.go, Right.GO, _go),
    "go really": Action(cut_off.go_really, Right.GO, _go),
    "not yet": Action(cut_off.not_yet, Right.GO, _go),
    "retry": Action(retry.retry, Right.REPAIR, _step),
    "skip": Action(retry.skip, Right.REPAIR, _step),
    "by hand": Action(retry.by_hand, Right.REPAIR, _step),
    "take": Action(retry.take, Right.REPAIR, _step),
    "wrong person": Action(wrong_person.wrong_person, Right.REPAIR, _closed),
    "say wrong person": Action(wrong_person.say_wrong_person, Right.ANSWER, _closed),
    "way back in": Action(wrong_person.way_back_in, Right.REPAIR, _way_in),
    "name person": Action(name_people.name_person, Right.NAME, _named),
    "unname": Action(name_people.unname, Right.NAME, _named),
    "open": Action(status.open_case, Right.SEE, _always),
    "show part": Action(parts.show_part, Right.SEE, _always),
    "show part of the bill": Action(parts.show_part, Right.BILL, _always),
}
