"""Draws one question with everything it can be answered by: choices, words, somebody found in the directory."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.contract import LATER, Account, Choice, Question, Typed
from handlers.answer import LATER_LABEL
from handlers.conversation import Button, Field, FieldKind, Section, Style, Text, quiet, strong, text
from handlers.interview import PICKED
from handlers.pen import Pen
from handlers.search import called

WORDS = "text"
"""Field id of an answer in words."""
SOMEBODY = "somebody"
"""Field id of the name of a person to look for."""
DAY, HOUR = "day", "hour"
"""Field ids of an answer that is a time."""
TWO_LETTERS = "Two letters of a name or more"


def question_sections(pen: Pen, question: Question, *, technician: bool = False) -> Iterable[Section]:
    """The question, its recommended choice first, for whoever asks or for a technician who answers for them."""
    answer = "answer for" if technician else "answer"
    ordered = sorted(question.choices, key=lambda choice: choice.id != question.recommended)
    buttons = [_choice(pen, answer, question, choice) for choice in ordered]
    if question.can_wait:
        buttons.append(pen.button(LATER_LABEL, answer, question=question.id, value=LATER))
    # Several questions can stand on one technicians' card: each has its own field.
    suffix = f"-{question.id}" if technician else ""
    fields: tuple[Field, ...] = ()
    if question.typed is Typed.TEXT:
        label = "Or in your own words" if question.choices else "Your answer"
        fields = (Field(f"{WORDS}{suffix}", label, long=True, value=question.suggestion),)
        style = Style.PLAIN if question.choices else Style.PRIMARY
        press = "Use these words" if question.choices else "Confirm"
        buttons.insert(len(ordered), pen.button(press, answer, style, question=question.id, words=fields[0].id))
    elif question.typed is Typed.PERSON:
        label = "Somebody else: pick them while you type" if question.choices else "Pick them while you type"
        token = pen.suggestions("suggest for" if technician else "suggest", question=question.id)
        fields = (
            Field(f"{PICKED}{suffix}", label, TWO_LETTERS, suggest=token),
            Field(f"{SOMEBODY}{suffix}", "Or write their name or mail address"),
        )
        find, picked, typed = "find somebody for" if technician else "find somebody", fields[0].id, fields[1].id
        buttons.insert(len(ordered), pen.button("Find", find, question=question.id, field=typed, picked=picked))
    elif question.typed is Typed.MOMENT:
        fields = _moment(pen, suffix)
        at = pen.button("At that time", answer, question=question.id, day=fields[0].id, hour=fields[1].id)
        buttons.insert(len(ordered), at)
    yield Section(body=tuple(_lines(question, ordered)), fields=fields, buttons=tuple(buttons))
    if pen.case.choosing.get("question") == question.id:
        yield _found(pen, question, answer)


def _moment(pen: Pen, suffix: str) -> tuple[Field, Field]:
    client = pen.house.roster.client(pen.case.client)
    zone = client.time_zone if client else "UTC"
    return (
        Field(f"{DAY}{suffix}", "Or at another time: the day", "2026-11-30", kind=FieldKind.DATE),
        Field(f"{HOUR}{suffix}", f"The time ({zone})", "17:00", kind=FieldKind.TIME),
    )


def _lines(question: Question, ordered: list[Choice]) -> Iterable[Text]:
    yield text(strong(question.text))
    if question.recommended and question.reason:
        label = next((choice.label for choice in ordered if choice.id == question.recommended), "")
        if label:
            yield text("Recommended: ", strong(label), f". {question.reason}")
    for choice in ordered:
        if choice.why:
            yield text(strong(choice.label), f": {choice.why}")
        for line in choice.preview:
            yield text(quiet(f"{choice.label} – {line}"))


def _choice(pen: Pen, answer: str, question: Question, choice: Choice) -> Button:
    style = Style.DANGER if choice.destroys or choice.deliberate else Style.PLAIN
    if choice.id == question.recommended:
        style = Style.PRIMARY
    return pen.button(choice.label, answer, style, question=question.id, value=choice.id)


def _found(pen: Pen, question: Question, answer: str) -> Section:
    """Whom the search found, each with title and address; the press is the answer."""
    choosing = pen.case.choosing
    words = str(choosing.get("words", ""))
    if error := choosing.get("error"):
        return Section(body=(text("The directory could not be asked. ", str(error), " Press Find to try again."),))
    found = choosing.get("found")
    if not isinstance(found, list):
        return Section(body=(text("Looking for ", strong(words), " …"),))
    if not found:
        return Section(body=(text("There is nobody like ", strong(words), " who can sign in. Check the spelling."),))
    people = [Account.model_validate(one) for one in found]
    more = (text("There are more. Type more of the name."),) if choosing.get("more") else ()
    buttons = tuple(
        pen.button(
            called(account),
            answer,
            question=question.id,
            account=account.id,
        )
        for account in people
    )
    return Section(body=more, buttons=buttons)
