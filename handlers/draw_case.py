"""Draws a case under way for those who asked: the headline, each way in with its time, and how far the rest is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from connectors.contract import Account
from connectors.money import Payer
from handlers import cut_off, messages, savings
from handlers.access import named_on
from handlers.cases.states import HELD, OPEN_PLANS, SETTLED, UNDECIDED, WITH_PERSON, PlanState, StepState
from handlers.cases.tables import Plan
from handlers.cases.wanted import PROPOSE, pending
from handlers.conversation import (
    Button,
    Card,
    Check,
    Fact,
    Field,
    Mark,
    Option,
    Section,
    Text,
    quiet,
    strong,
    text,
)
from handlers.draw_go import go_section, requester_buttons
from handlers.name_people import could_be_named
from handlers.pen import Pen
from handlers.plan.advance import A_DAY
from handlers.plan.digest import LOCK_OUT, MONEY, steps_of
from handlers.plan.rows import case_plans, case_steps, lock_out_of
from handlers.questions import answers_of, questions_of
from handlers.submit import undecided
from handlers.ways import WayState, last_possible_access, locked_out, not_asked, ways_in

MARKS: dict[StepState, Mark] = {
    StepState.PENDING: Mark.PENDING,
    StepState.READY: Mark.RUNNING,
    StepState.RUNNING: Mark.RUNNING,
    StepState.WAITING: Mark.RUNNING,
    StepState.TASK: Mark.PERSON,
    StepState.NEEDS_PERSON: Mark.FAILED,
    StepState.DONE: Mark.DONE,
    StepState.STATED: Mark.PERSON,
    StepState.SKIPPED: Mark.SKIPPED,
    StepState.REHEARSED: Mark.SKIPPED,
    StepState.CANCELLED: Mark.SKIPPED,
}
BEGUN = OPEN_PLANS | {PlanState.DONE, PlanState.CANCELLED}


def headline(pen: Pen, ways: list[WayState]) -> Text:
    """The one line that must be true: green only when every way in is read back as ended."""
    case = pen.case
    name = case.leaver_name
    if case.closed:
        return text(messages.CLOSED.get(case.closed, case.closed))
    lock_out = lock_out_of(case_plans(pen.session, case.id))
    if lock_out is None:
        return _unplanned(pen)
    if lock_out.dry_run and lock_out.state in BEGUN:
        return text(strong("Dry run: nothing was changed."), f" {name}'s access is as it was.")
    if PlanState(lock_out.state) in UNDECIDED | HELD | {PlanState.REJECTED}:
        return _not_begun(pen, lock_out)
    if not ways:
        return text(strong(f"No account of {name} was found in any connected system."), " Nothing could be ended.")
    if locked_out(ways):
        ended = max(way.ended_at for way in ways if way.ended_at is not None)
        unread = not_asked(pen.session, pen.house, case)
        but = f" {', '.join(unread)} could not be asked yet." if unread else ""
        return text(strong(f"{name} is locked out since {messages.clock(pen.house, case, ended)}."), but)
    open_ways = [way for way in ways if way.ended_at is None]
    if all(way.stated for way in open_ways):
        ended = messages.several(len(open_ways), "way in is", "ways in are")
        return text(strong(f"Not verified everywhere: {ended} only stated as ended."), " All others are read back.")
    return text(strong(f"Not fully locked out: {len(open_ways)} of {len(ways)} ways in are not confirmed as ended."))


def _not_begun(pen: Pen, lock_out: Plan) -> Text:
    case, name = pen.case, pen.case.leaver_name
    if lock_out.state == PlanState.REJECTED:
        who = pen.house.roster.name_of(lock_out.decided_by)
        return text(strong("Rejected"), f" by {who}: {lock_out.reason}")
    enabled = bool(case.leaver.get("enabled", True))
    still = f"{name} can still sign in." if enabled else f"{name}'s sign-in was disabled already; the rest is open."
    dry = "A dry run: nothing will be changed. " if lock_out.dry_run else ""
    at = cut_off.time_of(pen.session, case)
    when = f"Access ends {messages.moment(pen.house, case, at)}" if at else ""
    if lock_out.state == PlanState.ARMED:
        return text(f"{dry}Approved, and ", strong("waits for the go."), f" {still}")
    if lock_out.state == PlanState.SCHEDULED:
        return text(f"{dry}Approved. ", strong(f"{when}."), f" {still}")
    late = at is not None and at <= pen.house.clock.now()
    then = (
        f" {when}, once it is approved."
        if at and not late
        else " Its time is over: access ends on approval."
        if late
        else ""
    )
    return text(f"{dry}Waits for a technician's approval.{then} {still}")


def _unplanned(pen: Pen) -> Text:
    """Why there is no plan yet."""
    case = pen.case
    unplanned = case.draft.get("unplanned")
    if unplanned:
        return text(f"The plan could not be made: {unplanned}")
    if any(answer.asked_technician for answer in answers_of(pen.session, case.id).values()):
        return text("A technician answers what you were not sure of; then it goes on.")
    if case.stage != "submitted" and not pending(pen.session, case.id, PROPOSE):
        return text("The questions are not all answered yet. Nothing is planned.")
    return text(f"Reading {case.leaver_name}'s accounts and laying out the plan …")


def ways_section(pen: Pen, ways: list[WayState]) -> Section:
    """Each way in with the time it ended, and the last moment a token could still work."""
    checks = tuple(
        Check(
            way.mark,
            text(
                way.title,
                ": ",
                way.words,
                f" {messages.clock(pen.house, pen.case, way.ended_at)}" if way.ended_at else "",
            ),
        )
        for way in ways
    )
    body: tuple[Text, ...] = ()
    checked = [plan.checked_at for plan in case_plans(pen.session, pen.case.id) if plan.checked_at is not None]
    if checked and locked_out(ways):
        body = (text(quiet(f"Checked again at {messages.clock(pen.house, pen.case, max(checked))}: still so.")),)
    last = last_possible_access(ways)
    if last is not None:
        reasons = "; ".join(sorted({way.why_lingers for way in ways if way.why_lingers}))
        when = messages.clock(pen.house, pen.case, last)
        body = (text(f"Last possible access: {when}. ", quiet(reasons)), *body)
    return Section(heading="Ways in", checklist=checks, body=body)


def status(pen: Pen) -> Card:
    """How far it is, for the people at the client."""
    case, session = pen.case, pen.session
    ways = ways_in(session, pen.house, case)
    plans = case_plans(session, case.id)
    sections = [Section(facts=(leaver_fact(pen),), body=(headline(pen, ways),))]
    begun = [plan for plan in plans if PlanState(plan.state) in BEGUN]
    if begun and not case.closed:
        sections.append(ways_section(pen, ways))
    sections += [_rest(pen, plan) for plan in plans if plan.kind != LOCK_OUT]
    sections += savings_section(pen, Payer.CLIENT)
    undecided = undecided_section(pen)
    if undecided is not None and not case.closed:
        sections.append(undecided)
    tasks = [row for row in case_steps(session, case.id) if StepState(row.state) in WITH_PERSON]
    if tasks:
        sections.append(
            Section(body=(text(f"{messages.several(len(tasks), 'step is', 'steps are')} with a technician."),))
        )
    buttons: list[Button] = []
    if pen.card.kind == "interview":
        sections += go_section(pen)
        sections += named_section(pen)
    if pen.card.kind == "interview" and not case.closed and (plans or case.stage == "submitted"):
        buttons += requester_buttons(pen)
    sections.append(
        Section(body=(text(quiet(f"/offboard-status {case.number} shows this again.")),), buttons=tuple(buttons))
    )
    return Card(
        f"Case {case.number}: {case.leaver_name}",
        messages.notification(pen.house, case),
        None,
        tuple(sections),
    )


def _rest(pen: Pen, plan: Plan) -> Section:
    """What is still open of the rest, line by line; what is done, in one."""
    rows = steps_of(pen.session, plan.id)
    done = [row.title for row in rows if row.state == StepState.DONE]
    checks = [Check(MARKS[StepState(row.state)], text(row.title)) for row in rows if row.state != StepState.DONE]
    if done:
        checks.append(Check(Mark.DONE, text(f"{len(done)} of {len(rows)} done"), text(", ".join(done))))
    name = "The bill" if plan.kind == MONEY else "The rest"
    return Section(
        heading=f"{name}: {plan_words(pen, plan)}",
        checklist=tuple(checks),
        body=_kept_until(pen, plan),
    )


def _kept_until(pen: Pen, plan: Plan) -> tuple[Text, ...]:
    client = pen.house.roster.client(pen.case.client)
    if client is None or not client.keep_days or plan.settled_at is None:
        return ()
    until = (plan.settled_at + timedelta(days=client.keep_days)).astimezone(client.zone)
    return (text(f"What was kept is kept until {until:%d %b %Y} at least; then you are asked again."),)


def plan_words(pen: Pen, plan: Plan) -> str:
    """Where it stands; one that only waits for a day says which."""
    if plan.state == PlanState.AWAITING_APPROVAL and plan.kind == MONEY:
        return "waits for somebody who decides about bills"
    if plan.state == PlanState.WAITING:
        open_rows = [row for row in steps_of(pen.session, plan.id) if StepState(row.state) not in SETTLED]
        days = [row.due_at for row in open_rows if row.due_at and row.due_at - pen.house.clock.now() > A_DAY]
        if days and len(days) == len(open_rows):
            return f"waits until {messages.day(pen.house, pen.case, min(days))}"
    return messages.PLAN[PlanState(plan.state)]


def savings_section(pen: Pen, *payers: Payer) -> Iterable[Section]:
    """What will be paid less, where there is any such thing; a client never reads what its provider pays."""
    lines = savings.lines(pen.house, pen.case, savings.of_case(pen.session, pen.house, pen.case), *payers)
    if lines:
        heading = "What would be saved" if rehearses(pen) else "What is saved"
        yield Section(heading=heading, body=tuple(text(line) for line in lines))


def rehearses(pen: Pen) -> bool:
    """Whether nothing of this case changes anything: its plans are dry runs, or would be if they were made now."""
    plans = case_plans(pen.session, pen.case.id)
    client = pen.house.roster.client(pen.case.client)
    return all(plan.dry_run for plan in plans) if plans else client is not None and client.dry_run


def leaver_fact(pen: Pen) -> Fact:
    """Who it is about: name, title, mail."""
    if not pen.case.leaver:
        return Fact("Leaver", text(pen.case.leaver_name))
    account = Account.model_validate(pen.case.leaver)
    title = f", {account.title}" if account.title else ""
    return Fact("Leaver", text(strong(account.name), f"{title}, {account.mail or account.user_name}"))


def undecided_section(pen: Pen) -> Section | None:
    """What was left for later, and for whoever asked the button to decide it."""
    said = {answer.question for answer in undecided(pen.session, pen.case)}
    open_ones = [one for one in questions_of(pen.session, pen.house, pen.case) if one.id in said] if said else []
    if not open_ones:
        return None
    facts = tuple(Fact(question.text, text("not decided yet, kept as it is")) for question in open_ones)
    buttons: tuple[Button, ...] = ()
    if pen.card.kind == "interview":
        first = open_ones[0]
        buttons = (pen.button("Decide now", "decide", question=first.id),)
    return Section(heading="Still to decide", facts=facts, buttons=buttons)


def named_section(pen: Pen) -> Iterable[Section]:
    """Who else sees the case, and one more to let in."""
    if pen.case.closed or not pen.case.leaver:
        return
    names = {name: pen.house.roster.name_of(name) for name in named_on(pen.session, pen.case)}
    others = could_be_named(pen.session, pen.house, pen.case)
    if not names and not others:
        return
    facts = (Fact("Also seen by", text(", ".join(names.values()))),) if names else ()
    buttons = [pen.button(f"Not {name} any more", "unname", person=person) for person, name in names.items()]
    fields: tuple[Field, ...] = ()
    if others:
        options = tuple(Option(person.id, person.name) for person in others)
        fields = (Field("name-person", "Somebody else who may see how far it is", "Pick a person", options=options),)
        buttons.insert(0, pen.button("Let them see it", "name person"))
    yield Section(facts=facts, fields=fields, buttons=tuple(buttons))
