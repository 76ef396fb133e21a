"""Draws a case under way: how far it is for those who asked, and everything technicians need to decide and repair."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.contract import Account
from handlers import messages
from handlers.access import approvals
from handlers.approve import proof_field, proofs_wanted
from handlers.cases.states import OPEN_PLANS, WITH_PERSON, PlanState, StepState
from handlers.cases.tables import Plan, StepRow
from handlers.cases.wanted import PROPOSE, pending
from handlers.conversation import Button, Card, Check, Fact, Field, Mark, Section, Style, Text, quiet, strong, text
from handlers.pen import Pen
from handlers.plan.digest import LOCK_OUT, items_of, steps_of
from handlers.plan.settle import case_plans, case_steps
from handlers.questions import answers_of, questions_of
from handlers.submit import why_plan_for
from handlers.ways import WayState, last_possible_access, locked_out, ways_in

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
    StepState.CANCELLED: Mark.SKIPPED,
}
BEGUN = OPEN_PLANS | {PlanState.DONE, PlanState.CANCELLED}


def headline(pen: Pen, ways: list[WayState]) -> Text:
    """The one line that must be true: green only when every way in is read back as ended."""
    case = pen.case
    name = case.leaver_name
    if case.closed:
        return text(messages.CLOSED.get(case.closed, case.closed))
    lock_out = next((plan for plan in case_plans(pen.session, case.id) if plan.kind == LOCK_OUT), None)
    if lock_out is None:
        return _unplanned(pen)
    if lock_out.state == PlanState.REJECTED:
        who = pen.house.roster.name_of(lock_out.decided_by)
        return text(strong("Rejected"), f" by {who}: {lock_out.reason}")
    if lock_out.state == PlanState.AWAITING_APPROVAL:
        enabled = bool(case.leaver.get("enabled", True))
        still = f"{name} can still sign in." if enabled else f"{name}'s sign-in was disabled already; the rest is open."
        return text(f"Waits for a technician's approval. {still}")
    if not ways:
        return text(strong(f"No account of {name} was found in any connected system."), " Nothing could be ended.")
    if locked_out(ways):
        ended = max(way.ended_at for way in ways if way.ended_at is not None)
        return text(strong(f"{name} is locked out since {messages.clock(pen.house, case, ended)}."))
    open_ways = [way for way in ways if way.ended_at is None]
    return text(strong(f"Not fully locked out: {len(open_ways)} of {len(ways)} ways in are not confirmed as ended."))


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
    last = last_possible_access(ways)
    if last is not None:
        reasons = "; ".join(sorted({way.why_lingers for way in ways if way.why_lingers}))
        when = messages.clock(pen.house, pen.case, last)
        body = (text(f"Last possible access: {when}. ", quiet(reasons)),)
    return Section(heading="Ways in", checklist=checks, body=body)


def status(pen: Pen) -> Card:
    """How far it is, for the people at the client."""
    case, session = pen.case, pen.session
    ways = ways_in(session, pen.house, case)
    plans = case_plans(session, case.id)
    sections = [Section(facts=(_leaver(pen),), body=(headline(pen, ways),))]
    begun = [plan for plan in plans if PlanState(plan.state) in BEGUN]
    if begun and not case.closed:
        sections.append(ways_section(pen, ways))
    for plan in plans:
        if plan.kind != LOCK_OUT:
            rows = steps_of(session, plan.id)
            checks = tuple(Check(MARKS[StepState(row.state)], text(row.title)) for row in rows)
            words = messages.PLAN[PlanState(plan.state)]
            sections.append(Section(heading=f"The rest: {words}", checklist=checks))
    tasks = [row for row in case_steps(session, case.id) if StepState(row.state) in WITH_PERSON]
    if tasks:
        sections.append(Section(body=(text(f"{len(tasks)} step(s) are with a technician."),)))
    buttons: list[Button] = []
    if pen.card.kind == "interview" and not case.closed:
        if begun:
            buttons.append(pen.button("This is the wrong person", "say wrong person", Style.DANGER))
        elif plans or case.stage == "submitted":
            buttons.append(pen.button("Cancel the case", "cancel"))
    sections.append(
        Section(body=(text(quiet(f"/offboard-status {case.number} shows this again.")),), buttons=tuple(buttons))
    )
    return Card(
        f"Case {case.number}: {case.leaver_name}",
        messages.notification(pen.house, case),
        None,
        tuple(sections),
    )


def _leaver(pen: Pen) -> Fact:
    if not pen.case.leaver:
        return Fact("Leaver", text(pen.case.leaver_name))
    account = Account.model_validate(pen.case.leaver)
    title = f", {account.title}" if account.title else ""
    return Fact("Leaver", text(strong(account.name), f"{title}, {account.mail or account.user_name}"))


def technicians(pen: Pen) -> Card:
    """Everything about the case, on the MSP's private card."""
    case, session, house = pen.case, pen.session, pen.house
    client = house.roster.client(case.client)
    ways = ways_in(session, house, case)
    plans = case_plans(session, case.id)
    sections = [Section(facts=_about(pen), body=(headline(pen, ways),))]
    sections += _questions_for_technicians(pen)
    why = why_plan_for(session, house, case)
    if why:
        button = pen.button("Plan the lock-out now" if not plans else "Plan again", "submit for", Style.DANGER)
        sections.append(Section(body=(text(why),), buttons=(button,)))
    sections += _cautions(plans)
    if any(PlanState(plan.state) in BEGUN for plan in plans):
        sections.append(ways_section(pen, ways))
    for plan in plans:
        sections += _plan(pen, plan)
    waiting = [plan for plan in plans if plan.state == PlanState.AWAITING_APPROVAL]
    if waiting and not case.closed:
        sections.append(_decide(pen, waiting))
    if any(PlanState(plan.state) in OPEN_PLANS | {PlanState.DONE} for plan in plans) and not case.closed:
        sections.append(
            Section(
                body=(text(quiet("Wrong person? One press stops the case and restores sign-in.")),),
                buttons=(pen.button("Wrong person, restore access", "wrong person", Style.DANGER),),
            )
        )
    if case.closed == "wrong person":
        sections.append(_restored(pen))
    name = client.name if client else "client not chosen"
    return Card(
        f"Case {case.number}: offboard {case.leaver_name} ({name})",
        messages.notification(house, case),
        None,
        tuple(sections),
    )


def _about(pen: Pen) -> tuple[Fact, ...]:
    case, house = pen.case, pen.house
    asked = house.roster.name_of(case.requester) if case.requester else case.contact
    verified = {
        "": "typed by themselves",
        "asked": "asked in chat, no answer yet",
        "confirmed": "confirmed in chat by themselves",
        "denied": "DENIED by the contact",
        "call-back": f"call-back: {case.verified_note}",
    }[case.verified]
    if case.started_by != case.requester:
        verified += f"; entered by {house.roster.name_of(case.started_by)}"
    facts = [_leaver(pen), Fact("Requested by", text(f"{asked}, {verified}"))]
    answers = answers_of(pen.session, case.id)
    asked_so_far = [one for one in questions_of(pen.session, house, case) if one.id in answers]
    facts += [Fact(question.text, text(answers[question.id].label)) for question in asked_so_far]
    return tuple(facts)


def _questions_for_technicians(pen: Pen) -> Iterable[Section]:
    answers = answers_of(pen.session, pen.case.id)
    for question in questions_of(pen.session, pen.house, pen.case):
        answer = answers.get(question.id)
        if answer is not None and answer.asked_technician and not pen.case.closed:
            fields: tuple[Field, ...] = ()
            buttons = tuple(
                pen.button(choice.label, "answer for", question=question.id, value=choice.id)
                for choice in question.choices
            )
            if not question.choices:
                fields = (Field(f"answer-{question.id}", "The answer", long=True),)
                buttons = (pen.button("Confirm", "answer for", question=question.id, field=fields[0].id),)
            asker = pen.house.roster.name_of(answer.by)
            heading = f"{asker} was not sure, please answer"
            yield Section(heading=heading, body=(text(question.text),), fields=fields, buttons=buttons)


def _cautions(plans: list[Plan]) -> list[Section]:
    lines: list[Text] = []
    for plan in plans:
        told = plan.cautions.get("told")
        cautions = (one for one in (told if isinstance(told, list) else []) if isinstance(one, dict))
        lines.extend(text(strong("Mind: "), str(one["text"])) for one in cautions)
    return [Section(heading="Before you decide", body=tuple(lines))] if lines else []


def _plan(pen: Pen, plan: Plan) -> Iterable[Section]:
    """The steps: what will be done to what while it waits, what came of it afterwards."""
    rows = steps_of(pen.session, plan.id)
    decided = ""
    if plan.immediate:
        decided = ", started on the manager's word (client policy)"
    elif plan.decided_by:
        when = f" at {messages.clock(pen.house, pen.case, plan.approved_at)}" if plan.approved_at else ""
        verb = "rejected" if plan.state == PlanState.REJECTED else "approved"
        decided = f", {verb} by {pen.house.roster.name_of(plan.decided_by)}{when}"
        decided += f": {plan.reason}" if plan.reason else ""
    title = "Lock-out" if plan.kind == LOCK_OUT else "The rest"
    yield Section(
        heading=f"{title}: {messages.PLAN[PlanState(plan.state)]}{decided}",
        checklist=tuple(Check(MARKS[StepState(row.state)], text(row.title), _detail(pen, row)) for row in rows),
        body=(text(quiet(f"Digest {plan.digest[:16]}: what is approved; any change to the plan voids it.")),),
    )
    if PlanState(plan.state) in OPEN_PLANS:
        for row in rows:
            if StepState(row.state) in WITH_PERSON:
                yield _stuck(pen, row)


def _detail(pen: Pen, row: StepRow) -> Text | None:
    items = items_of(pen.session, row.id)
    if row.state == StepState.PENDING:
        parts = [", ".join(item.title for item in items) or row.reason]
        if row.instructions:
            parts.append("a person's task")
        if row.irreversible and items:
            parts.append(f"Can't be undone: {row.irreversible}")
        return (
            text(" ".join(part if part.endswith(".") else f"{part}." for part in parts if part)) if any(parts) else None
        )
    added = [item.title for item in items if item.added]
    words = row.evidence or row.reason
    if added:
        words += f" Found after the approval and ended too: {', '.join(added)}."
    undone = [item.undone for item in items if item.undone]
    if undone:
        words += f" {'; '.join(undone)}"
    return text(words) if words else None


def _stuck(pen: Pen, row: StepRow) -> Section:
    owner = pen.house.roster.name_of(row.person) if row.person else "nobody yet"
    body = [text(row.reason)]
    if row.instructions:
        body.append(text(row.instructions))
    body.append(text(quiet(f"With: {owner}")))
    buttons = [
        pen.button("Retry", "retry", step=row.id),
        pen.button("I did it by hand", "by hand", Style.PRIMARY, step=row.id),
        pen.button("Skip", "skip", Style.DANGER, step=row.id),
        pen.button("I take it", "take", step=row.id),
    ]
    return Section(
        heading=row.title,
        body=tuple(body),
        fields=(Field(f"note-{row.place}", "What you did, or why it is skipped"),),
        buttons=tuple(buttons),
    )


def _decide(pen: Pen, waiting: list[Plan]) -> Section:
    """Approve by digest, or reject with a reason."""
    digests = {plan.id: plan.digest for plan in waiting}
    body: list[Text] = []
    fields: list[Field] = []
    for plan in waiting:
        said = approvals(pen.session, pen.house.roster, plan)
        if plan.approvers > 1:
            names = ", ".join(pen.house.roster.name_of(one.person) for one in said) or "nobody yet"
            body.append(text(f"{plan.approvers} different technicians must approve. So far: {names}."))
        proofs = enumerate(proofs_wanted(plan))
        fields += [Field(proof_field(place), proof, long=True) for place, proof in proofs]
    if pen.case.verified == "asked":
        body.append(text("The contact has been asked whether they asked for this; no answer yet."))
        fields.append(Field("callback", "Or ring back: number on file, and whom you spoke to"))
    fields.append(Field("reason", "Reason, if you reject"))
    buttons = [
        pen.button(
            f"Approve: lock out {pen.case.leaver_name}" if any(p.kind == LOCK_OUT for p in waiting) else "Approve",
            "approve",
            Style.PRIMARY,
            **digests,
        ),
        pen.button("Reject", "reject", Style.DANGER, **digests),
    ]
    if pen.case.verified == "asked":
        buttons.append(pen.button("I rang them back", "called back"))
    return Section(heading="Your decision", body=tuple(body), fields=tuple(fields), buttons=tuple(buttons))


def _restored(pen: Pen) -> Section:
    failed = pen.case.draft.get("unrestored")
    trouble = (text(f"Restoring failed, do it by hand: {failed}"),) if failed else ()
    return Section(
        heading="Wrong person",
        body=(
            *trouble,
            text("What could be put back is listed above. A one-time way in is shown to you alone, once."),
        ),
        buttons=(pen.button("Show a one-time way in", "way back in", Style.PRIMARY),),
    )
