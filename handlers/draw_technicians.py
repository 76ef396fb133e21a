"""Draws a case for the technicians: everything they need to decide, and to repair what is stuck."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.money import Payer
from connectors.registry import EVERYWHERE
from handlers import messages
from handlers.access import approvals
from handlers.approve import BILL_REASON, proof_field, proofs_wanted
from handlers.back import unreachable
from handlers.cases.states import HELD, OPEN_PLANS, WITH_PERSON, PlanState, StepState
from handlers.cases.tables import Plan, StepRow
from handlers.conversation import Card, Check, Fact, Field, Mark, Section, Style, Text, quiet, strong, text
from handlers.draw_case import (
    BEGUN,
    MARKS,
    headline,
    leaver_fact,
    named_section,
    plan_words,
    savings_section,
    ways_section,
)
from handlers.draw_go import go_section, technicians_way_back
from handlers.draw_parts import in_parts
from handlers.draw_question import question_sections
from handlers.mirror import TROUBLE as NO_TICKET
from handlers.mirror import entries_of
from handlers.pen import Pen
from handlers.plan.advance import A_DAY
from handlers.plan.digest import LOCK_OUT, MONEY, items_of_case, steps_of
from handlers.plan.propose import GROUND, NOT_SEEN
from handlers.plan.readings import readings_of
from handlers.plan.rows import case_plans, lock_out_of
from handlers.questions import CONTENTIOUS, answers_of, questions_of
from handlers.status import others_about
from handlers.submit import why_plan_for
from handlers.ticket import TICKET
from handlers.ways import ways_in
from handlers.wrong_person import CALLED_OFF, WRONG

PANELS = 6
"""How many steps get buttons at once: a platform shows only so much on one card."""


def technicians(pen: Pen) -> Card:
    """Everything about the case, on the MSP's private card."""
    case, session, house = pen.case, pen.session, pen.house
    client = house.roster.client(case.client)
    ways = ways_in(session, house, case)
    plans = case_plans(session, case.id)
    waiting = [plan for plan in plans if plan.state == PlanState.AWAITING_APPROVAL]
    sections = [Section(facts=_about(pen), body=(headline(pen, ways),), whole=bool(waiting))]
    if plans:
        sections.append(Section(heading="Accounts", facts=_accounts(pen), whole=bool(waiting)))
    others = ", ".join(str(other.number) for other in others_about(session, case))
    if others:
        sections.append(Section(body=(text(strong(f"Mind: there is another open case about them: {others}.")),)))
    sections += _questions_for_technicians(pen)
    why = why_plan_for(session, house, case)
    if why:
        button = pen.button("Plan the lock-out now" if not plans else "Plan again", "submit for", Style.DANGER)
        sections.append(Section(body=(text(why),), buttons=(button,)))
    sections += _cautions(pen, plans)
    if any(PlanState(plan.state) in BEGUN for plan in plans):
        sections.append(ways_section(pen, ways))
    for plan in plans:
        sections += _plan(pen, plan)
    sections += savings_section(pen, Payer.CLIENT, Payer.MSP)
    after = [*(go_section(pen) if not case.closed else ())]
    meant = [plan for plan in plans if not plan.dry_run]
    if any(PlanState(plan.state) in OPEN_PLANS | HELD | {PlanState.DONE} for plan in meant) and not case.closed:
        after.append(technicians_way_back(pen))
    if case.closed in {WRONG, CALLED_OFF}:
        after.append(_restored(pen))
    after += named_section(pen)
    decisions = [] if case.closed else list(_decisions(pen, waiting))
    sections = in_parts(pen, sections, decisions, after, "show part")
    name = client.name if client else "client not chosen"
    dry = "Dry run, " if any(plan.dry_run for plan in plans) else ""
    return Card(
        f"{dry}Case {case.number}: offboard {case.leaver_name} ({name})",
        messages.notification(house, case),
        None,
        tuple(sections),
    )


def _about(pen: Pen) -> tuple[Fact, ...]:
    case, house = pen.case, pen.house
    asked = house.roster.name_of(case.requester) if case.requester else case.contact
    verified = {
        "": "in this chat",
        "asked": "asked in chat, no answer yet",
        "confirmed": "confirmed in chat by themselves",
        "denied": "DENIED by the contact",
        "call-back": f"call-back: {case.verified_note}",
    }[case.verified]
    if case.started_by != case.requester:
        verified += f"; entered by {house.roster.name_of(case.started_by)}"
    facts = [leaver_fact(pen), Fact("Requested by", text(f"{asked}, {verified}"))]
    if ticket := entries_of(pen.session, case.id).get(TICKET):
        facts.append(Fact("Ticket", text(ticket.reference or "being opened")))
    if trouble := case.draft.get(NO_TICKET):
        facts.append(Fact("Ticket", text(f"not up to date, tried again by itself. {trouble}")))
    facts += [Fact("Not reached", text(strong(one))) for one in unreachable(pen.session, house, case)]
    answers = answers_of(pen.session, case.id)
    asked_so_far = [one for one in questions_of(pen.session, house, case) if one.id in answers]
    facts += [Fact(question.text, text(answers[question.id].label)) for question in asked_so_far]
    return tuple(facts)


def _accounts(pen: Pen) -> tuple[Fact, ...]:
    """Which account it is in each system, and how we know that it is theirs."""
    facts: list[Fact] = []
    for reading in readings_of(pen.session, pen.house, pen.case.id):
        account, system = reading.account, pen.house.registry.get(reading.system).name
        if account is None:
            facts.append(Fact(system, text("could not be read")))
        elif reading.system not in EVERYWHERE:
            matched = f", {account.matched_by}" if account.matched_by else ""
            facts.append(Fact(system, text(f"{account.user_name or account.mail or account.name}{matched}")))
    return tuple(facts)


def _questions_for_technicians(pen: Pen) -> Iterable[Section]:
    answers = answers_of(pen.session, pen.case.id)
    for question in questions_of(pen.session, pen.house, pen.case):
        answer = answers.get(question.id)
        if answer is not None and answer.asked_technician and not pen.case.closed:
            asker = pen.house.roster.name_of(answer.by)
            yield Section(heading=f"{asker} was not sure, please answer")
            yield from question_sections(pen, question, technician=True)


def _cautions(pen: Pen, plans: list[Plan]) -> list[Section]:
    lines: list[Text] = []
    for plan in plans:
        told = plan.cautions.get("told")
        cautions = (one for one in (told if isinstance(told, list) else []) if isinstance(one, dict))
        lines.extend(text(strong("Mind: "), str(one["text"])) for one in cautions)
    waits = any(plan.state == PlanState.AWAITING_APPROVAL for plan in plans)
    said = answers_of(pen.session, pen.case.id).get(CONTENTIOUS)
    if plans and said is not None and said.value == "yes":
        lines.insert(0, text(strong("Mind: it is contentious. "), "Keep somebody on standby."))
    return [Section(heading="Before you decide", body=tuple(lines), whole=waits)] if lines else []


def _plan(pen: Pen, plan: Plan, *, repair: bool = True) -> Iterable[Section]:
    """The steps: what will be done to what while it waits, what came of it afterwards; with what repairs them."""
    rows = steps_of(pen.session, plan.id)
    decided = ""
    if plan.immediate:
        decided = ", started on the manager's word (client policy)"
    elif plan.decided_by:
        when = f" at {messages.clock(pen.house, pen.case, plan.approved_at)}" if plan.approved_at else ""
        verb = "rejected" if plan.state == PlanState.REJECTED else "approved"
        decided = f", {verb} by {pen.house.roster.name_of(plan.decided_by)}{when}"
        decided += f": {plan.reason}" if plan.reason else ""
    title = {LOCK_OUT: "Lock-out", MONEY: "The bill"}.get(plan.kind, "The rest")
    idle = [row for row in rows if _nothing_to_do(pen, row)]
    checks = [Check(MARKS[StepState(row.state)], text(row.title), _detail(pen, row)) for row in rows if row not in idle]
    if idle:
        names = ", ".join(row.title for row in idle)
        checks.append(
            Check(Mark.PENDING, text("Nothing to do as things stand, looked at again all the same"), text(names))
        )
    yield Section(
        heading=f"{title}: {plan_words(pen, plan)}{decided}",
        checklist=tuple(checks),
        body=(text(quiet(f"Digest {plan.digest[:16]}: what is approved; any change to the plan voids it.")),),
        whole=plan.state == PlanState.AWAITING_APPROVAL,
    )
    if repair and PlanState(plan.state) in OPEN_PLANS | HELD:
        dated = [row for row in rows if row.state == StepState.WAITING and row.due_at is not None]
        yield from (_dated(pen, row) for row in dated if row.due_at and row.due_at - pen.house.clock.now() > A_DAY)
        stuck = [row for row in rows if StepState(row.state) in WITH_PERSON]
        for row in stuck[:PANELS]:
            yield _stuck(pen, row)
        if len(stuck) > PANELS:
            more = f"{len(stuck) - PANELS} more need a person; their buttons come as these are settled."
            yield Section(body=(text(strong(more)),))


def _nothing_to_do(pen: Pen, row: StepRow) -> bool:
    """Whether the plan found nothing to change there; what could not be seen, or waits for its ground, is no such."""
    if row.state != StepState.PENDING or row.instructions or not row.reason:
        return False
    return not row.reason.startswith((NOT_SEEN, GROUND)) and not items_of_case(pen.session, row.case_id).get(row.id, [])


def _detail(pen: Pen, row: StepRow) -> Text | None:
    items = items_of_case(pen.session, row.case_id).get(row.id, [])
    if row.state == StepState.PENDING:
        parts = [row.reason or ", ".join(item.title for item in items)]
        if row.instructions:
            parts.append("A person's task")
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


def _dated(pen: Pen, row: StepRow) -> Section:
    """It waits for its day; until then it can be given up."""
    when = messages.day(pen.house, pen.case, row.due_at) if row.due_at else ""
    return Section(
        heading=f"{when}: {row.title}",
        body=(text(row.reason),),
        fields=(Field(f"note-{row.id}", "Why it is skipped, if it is"),),
        buttons=(pen.button("Skip", "skip", Style.DANGER, step=row.id),),
    )


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
        fields=(Field(f"note-{row.id}", "What you did, or why it is skipped"),),
        buttons=tuple(buttons),
    )


def _decisions(pen: Pen, waiting: list[Plan]) -> Iterable[Section]:
    technicians = [plan for plan in waiting if plan.kind != MONEY]
    if technicians:
        yield _decide(pen, technicians)
    yield from bill_decision(pen, [plan for plan in waiting if plan.kind == MONEY])


def bill(pen: Pen) -> Card:
    """What changes a bill, in private to somebody who decides about that: nothing of the rest."""
    case = pen.case
    plans = [plan for plan in case_plans(pen.session, case.id) if plan.kind == MONEY]
    client = pen.house.roster.client(case.client)
    sections = [Section(facts=(leaver_fact(pen), Fact("Client", text(client.name if client else "not chosen"))))]
    for plan in plans:
        sections += _plan(pen, plan, repair=False)
    sections += savings_section(pen, Payer.CLIENT, Payer.MSP)
    waiting = [plan for plan in plans if plan.state == PlanState.AWAITING_APPROVAL]
    decisions = [] if case.closed else list(bill_decision(pen, waiting))
    sections = in_parts(pen, sections, decisions, (), "show part of the bill")
    dry = "Dry run, case" if any(plan.dry_run for plan in plans) else "Case"
    title = f"{dry} {case.number}: the bill after {case.leaver_name}"
    return Card(title, messages.notification(pen.house, case), None, tuple(sections))


def bill_decision(pen: Pen, waiting: list[Plan]) -> Iterable[Section]:
    """Approve by digest, or reject with a reason: for those who decide about bills."""
    if not waiting:
        return
    digests = {plan.id: plan.digest for plan in waiting}
    yield Section(
        heading="The bill: your decision",
        body=(text(quiet("For somebody who decides about bills. Nothing that ends access waits for it.")),),
        fields=(Field(BILL_REASON, "Reason, if you reject the change of the bill"),),
        buttons=(
            pen.button("Approve the bill", "approve bill", Style.PRIMARY, **digests),
            pen.button("Reject the bill", "reject bill", Style.DANGER, **digests),
        ),
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
    lock_out = lock_out_of(waiting)
    name = pen.case.leaver_name
    if lock_out is None:
        buttons = [pen.button("Approve", "approve", Style.PRIMARY, **digests)]
    elif len(waiting) == 1:
        buttons = [pen.button(f"Approve: lock out {name}", "approve", Style.PRIMARY, **digests)]
    else:
        buttons = [
            pen.button(f"Approve all: lock out {name}, and the rest", "approve", Style.PRIMARY, **digests),
            pen.button(f"Approve the lock-out of {name} alone", "approve", **{lock_out.id: lock_out.digest}),
        ]
    buttons.append(pen.button("Reject", "reject", Style.DANGER, **digests))
    if pen.case.verified == "asked":
        buttons.append(pen.button("I rang them back", "called back"))
    return Section(heading="Your decision", body=tuple(body), fields=tuple(fields), buttons=tuple(buttons))


def _restored(pen: Pen) -> Section:
    failed = pen.case.draft.get("unrestored")
    trouble = (text(f"Restoring failed, do it by hand: {failed}"),) if failed else ()
    back = text("What could be put back is listed above.")
    if pen.case.closed == CALLED_OFF:
        return Section(heading="Called off", body=(*trouble, back))
    way_in = text("A one-time way in is shown to you alone, once.")
    button = pen.button("Show a one-time way in", "way back in", Style.PRIMARY)
    return Section(heading="Wrong person", body=(*trouble, back, way_in), buttons=(button,))
