"""The report at the end: what was done, handed to whom, saved, still with a person, and kept until when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from connectors.money import Payer
from handlers import messages
from handlers.cases.states import UNDECIDED, WITH_PERSON, PlanState, StepState
from handlers.cases.tables import StepRow
from handlers.conversation import Card, Check, Fact, Section, quiet, strong, text
from handlers.draw_case import MARKS, headline, rehearses, savings_section, undecided_section
from handlers.pen import Pen
from handlers.plan.advance import A_DAY
from handlers.plan.digest import MONEY
from handlers.plan.rows import case_plans, case_steps
from handlers.questions import answers_of, questions_of
from handlers.ways import last_possible_access, locked_out, ways_in


def report(pen: Pen) -> Card:
    """For the people at the client, and for the technicians with what is theirs alone."""
    notification = messages.notification(pen.house, pen.case)
    return Card(f"Report on case {pen.case.number}: {pen.case.leaver_name}", notification, None, tuple(_sections(pen)))


def _sections(pen: Pen) -> Iterable[Section]:
    ways = ways_in(pen.session, pen.house, pen.case)
    technicians = not pen.card.identity
    yield Section(body=(headline(pen, ways),))
    yield from _outcome(pen)
    handed = () if rehearses(pen) else tuple(_handed(pen))
    if handed:
        yield Section(heading="Handed over", facts=handed)
    yield from savings_section(pen, *((Payer.CLIENT, Payer.MSP) if technicians else (Payer.CLIENT,)))
    yield from _bill(pen)
    yield from _open(pen)
    kept = tuple(_kept(pen))
    if kept:
        yield Section(heading="To come, by date", facts=kept)
    if undecided := undecided_section(pen):
        yield Section(heading=undecided.heading, facts=undecided.facts)
    if technicians and locked_out(ways):
        yield Section(heading="For the client, to paste", body=(text(line_for_client(pen)),))


def line_for_client(pen: Pen) -> str:
    """'Jane's access ended 17:02; checked in 9 places', only ever of what was read back."""
    ways = ways_in(pen.session, pen.house, pen.case)
    ended = max(way.ended_at for way in ways if way.ended_at is not None)
    places = messages.several(len(ways), "place", "places")
    name = pen.case.leaver_name.split()[0]
    said = f"{name}'s access ended {messages.clock(pen.house, pen.case, ended)}; checked in {places}."
    last = last_possible_access(ways)
    if last is None or last <= ended:
        return said
    return f"{said} What was open then can work until {messages.clock(pen.house, pen.case, last)} at the latest."


def _outcome(pen: Pen) -> Iterable[Section]:
    rows = case_steps(pen.session, pen.case.id)
    dry = [row for row in rows if row.state == StepState.REHEARSED]
    if dry:
        checks = tuple(Check(MARKS[StepState.REHEARSED], text(row.title), text(row.reason)) for row in dry)
        yield Section(heading="What the live run would do", checklist=checks)
    done = [row for row in rows if row.state == StepState.DONE]
    if done:
        yield Section(heading="Found so already" if dry else "Done, each read back", facts=_by_system(pen, done))
    stated = [row for row in rows if row.state == StepState.STATED]
    skipped = [row for row in rows if row.state == StepState.SKIPPED]
    if stated:
        checks = tuple(Check(MARKS[StepState.STATED], text(row.title), text(row.evidence)) for row in stated)
        yield Section(heading="Stated by a person, not verified", checklist=checks)
    if skipped:
        name = pen.house.roster.name_of
        checks = tuple(
            Check(MARKS[StepState.SKIPPED], text(row.title), text(f"skipped by {name(row.person)}: {row.reason}"))
            for row in skipped
        )
        yield Section(heading="Left undone", checklist=checks)


def _by_system(pen: Pen, rows: Iterable[StepRow]) -> tuple[Fact, ...]:
    """One line a system, in the order in which plans go about it."""
    titles: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: (row.wave, row.place)):
        titles.setdefault(pen.house.registry.get(row.system).name, []).append(row.title)
    return tuple(Fact(name, text(", ".join(several), ".")) for name, several in titles.items())


def _handed(pen: Pen) -> Iterable[Fact]:
    """Every answer that is a person: who took what over."""
    answers = answers_of(pen.session, pen.case.id)
    for question in questions_of(pen.session, pen.house, pen.case):
        answer = answers.get(question.id)
        if answer is not None and answer.account:
            yield Fact(question.text, text(strong(answer.label)))


def _open(pen: Pen) -> Iterable[Section]:
    rows = [row for row in case_steps(pen.session, pen.case.id) if StepState(row.state) in WITH_PERSON]
    if not rows:
        return
    name = pen.house.roster.name_of
    technicians = not pen.card.identity
    checks = tuple(
        Check(
            MARKS[StepState(row.state)],
            text(row.title),
            text(f"{name(row.person) if row.person else 'nobody yet'}{f': {row.reason}' if technicians else ''}"),
        )
        for row in rows
    )
    yield Section(heading="Still with a person", checklist=checks)


def _bill(pen: Pen) -> Iterable[Section]:
    """A change of the bill that nobody has decided about yet."""
    if any(plan.kind == MONEY and PlanState(plan.state) in UNDECIDED for plan in case_plans(pen.session, pen.case.id)):
        yield Section(body=(text("The change of the bill waits for somebody who decides about bills."),))


def _kept(pen: Pen) -> Iterable[Fact]:
    """What happens on a day to come."""
    now, client = pen.house.clock.now(), pen.house.roster.client(pen.case.client)
    for row in case_steps(pen.session, pen.case.id):
        if row.state == StepState.WAITING and row.due_at and row.due_at - now > A_DAY:
            yield Fact(row.title, text(f"{messages.day(pen.house, pen.case, row.due_at)} ", quiet(row.reason)))
    settled = [plan.settled_at for plan in case_plans(pen.session, pen.case.id) if plan.settled_at and not plan.dry_run]
    if client is not None and client.keep_days and settled:
        until = max(settled) + timedelta(days=client.keep_days)
        yield Fact("What was kept", text(f"{messages.day(pen.house, pen.case, until)}, then you are asked again"))
