"""One confirmed answer: a choice, words, or a person, kept under the name of whoever gave it."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.contract import LATER, Account, Question, Typed
from handlers import cut_off, messages
from handlers.cases.tables import Answer
from handlers.click import Click, Missing
from handlers.plan.digest import REST, renew_digests
from handlers.plan.rows import case_plans
from handlers.questions import WHEN, answers_of, question_called

LONGEST_ANSWER = 1000
LATER_LABEL = "Decide later"


@dataclass(frozen=True)
class Given:
    """What somebody said."""

    value: str
    label: str
    account: Account | None = None


def given(click: Click, question: Question) -> Given:
    """What the pressed button and the fields beside it say. Raises Missing when that is not offered any more."""
    if "words" in click.args:
        words = click.typed(click.arg("words"), "Write your answer first, then press the button again.")
        return Given(words[:LONGEST_ANSWER], words[:LONGEST_ANSWER])
    if "day" in click.args:
        at = cut_off.moment(click.typed(click.arg("day")), click.typed(click.arg("hour")), click.house, click.case)
        return Given(at.isoformat(), messages.moment(click.house, click.case, at))
    if "account" in click.args:
        account = next((one for one in found(click) if one.id == click.arg("account")), None)
        if account is None or question.typed is not Typed.PERSON:
            raise Missing("That person is not on the list any more. Search again.")
        return person(account)
    if click.arg("value") == LATER and question.can_wait:
        return Given(LATER, LATER_LABEL)
    choice = next((one for one in question.choices if one.id == click.arg("value")), None)
    if choice is None:
        raise Missing("That choice is not offered any more. Pick another one.")
    return person(choice.account) if choice.account else Given(choice.id, choice.label)


def person(account: Account) -> Given:
    """A person as an answer: by id, shown with their address."""
    address = account.mail or account.user_name
    return Given(account.id, f"{account.name} ({address})" if address else account.name, account)


def found(click: Click) -> list[Account]:
    """Whom the last search for an answer found."""
    accounts = click.case.choosing.get("found")
    return [Account.model_validate(one) for one in accounts] if isinstance(accounts, list) else []


def question_on(click: Click) -> Question:
    """The question the button belongs to. Raises Missing when it is not asked any more."""
    question = question_called(click.session, click.house, click.case, click.arg("question"))
    if question is None:
        raise Missing("That question is not asked any more; the facts have changed.")
    return question


def keep(click: Click, question: Question, answer: Given, *, asked_technician: bool = False) -> None:
    """Write the answer down. Raises Missing when a plan already rests on another one."""
    kept = answers_of(click.session, click.case.id).get(question.id)
    plans = case_plans(click.session, click.case.id)
    planned = any(plan.kind == REST for plan in plans) and question.id != WHEN
    if question.id == WHEN and plans and not cut_off.changeable(click.session, click.case):
        raise Missing("Access is being ended already, or that was rejected: its time can't be changed any more.")
    if planned and kept is not None and not kept.asked_technician and kept.value != LATER:
        raise Missing("That is planned already. Tell your technician if it must be something else.")
    if answer.account is not None and answer.value == click.case.leaver.get("id"):
        raise Missing("That is the person who leaves. Pick somebody who stays.")
    now = click.house.clock.now()
    kept = kept or Answer(case_id=click.case.id, question=question.id, value="", label="", by="", at=now)
    kept.value, kept.label, kept.by, kept.at = answer.value, answer.label, click.person.id, now
    kept.account = answer.account.model_dump(mode="json") if answer.account else {}
    kept.asked_technician = asked_technician
    click.session.add(kept)
    click.record("answered", question=question.id, value=answer.value)
    for plan in renew_digests(click.session, plans):
        click.record("plan changed", kind=plan.kind, digest=plan.digest)
    if question.id == WHEN and plans:
        cut_off.chosen_anew(click.session, click.house, click.case, click.person.id, click.identity)
