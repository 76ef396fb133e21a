"""Submit: the confirmed answers become plans, and the technicians are asked, or on policy it begins."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session, col, select

from connectors.contract import LATER, Caution, Choices, Nothing
from handlers import cut_off
from handlers.access import Right, may
from handlers.cases import cards, due
from handlers.cases.history import record
from handlers.cases.states import PlanEvent, PlanState, move_plan
from handlers.cases.tables import AccountRow, Answer, Case, Lookup, Plan
from handlers.cases.wanted import PROPOSE, TRIES, Apply, leaver_of, want
from handlers.click import Click, Missing
from handlers.conversation import Reply
from handlers.house import House
from handlers.people import Lockout, Money
from handlers.plan.advance import advance, ask_the_rest
from handlers.plan.digest import LOCK_OUT, MONEY, REST
from handlers.plan.propose import (
    Proposed,
    Unseen,
    cautions_of,
    look_everywhere,
    steps_for,
    unlooked,
    unread_by,
    write_plan,
)
from handlers.plan.readings import Reading, add_readings, choices_of, keep_readings, read_everywhere, readings_of
from handlers.plan.rows import case_plans, case_steps
from handlers.questions import CONTENTIOUS, HOW, NOW, WHEN, answers_of, questions_of


def submit(click: Click) -> Reply:
    """The review is right: plan the lock-out, and the rest once every answer is there."""
    case = click.case
    answers = answers_of(click.session, case.id)
    questions = questions_of(click.session, click.house, case)
    missing = [question for question in questions if question.id not in answers]
    if missing:
        raise Missing(f"One question is still open: {missing[0].text}")
    _forget_unasked(click, {question.id for question in questions})
    case.stage, case.turn = "submitted", case.turn + 1
    click.session.add(case)
    due.clear(click.session, case, due.QUIET, due.NUDGE)
    click.record("submitted")
    ready_again(click)
    due.clear(click.session, case, due.DECIDE)
    if undecided(click.session, case):
        due.set_due(click.session, click.house, case, due.DECIDE, click.house.timings.decide)
    if any(answer.asked_technician for answer in answers.values()):
        due.bring_up(click.session, click.house, case, "")
    return Reply()


def _forget_unasked(click: Click, asked: set[str]) -> None:
    """An answer that brought up a question was changed: what was said to that question means nothing any more."""
    for name, answer in answers_of(click.session, click.case.id).items():
        if name not in asked:
            click.session.delete(answer)
            click.record("answer dropped", question=name)
    click.session.flush()


def decide(click: Click) -> Reply:
    """Answer now what was left for later; the rest of the answers stay as they are."""
    case = click.case
    case.stage, case.turn = "ask", case.turn + 1
    case.draft = {**case.draft, "at": click.arg("question")}
    click.session.add(case)
    click.record("decides now", question=click.arg("question"))
    cards.show_person(click.session, click.house, case.id, cards.INTERVIEW, click.person.id, click.identity)
    due.touch(click.session, click.house, case)
    return Reply()


def undecided(session: Session, case: Case) -> list[Answer]:
    """What was left for later."""
    return [answer for answer in answers_of(session, case.id).values() if answer.value == LATER]


def lock_out_now(click: Click) -> Reply:
    """End access first, the other questions after: a small plan of its own."""
    if _wanted(click, LOCK_OUT):
        click.record("lock-out first")
        want(click.session, click.house, click.case, PROPOSE, LOCK_OUT)
    click.case.turn += 1
    return Reply()


def why_plan_for(session: Session, house: House, case: Case) -> str:
    """Why a technician may have it planned without the manager, as a sentence, or ''."""
    if case.closed:
        return ""
    unplanned = case.draft.get("unplanned")
    if unplanned:
        return f"It could not be planned: {unplanned}"
    said = answers_of(session, case.id).get(WHEN)
    quiet = house.clock.now() - case.touched_at >= house.timings.quiet
    if case.stage != "ask" or said is None or said.value != NOW or not quiet or case_plans(session, case.id):
        return ""
    return "The manager said 'now' and has not gone on. You can plan the lock-out alone."


def submit_for(click: Click) -> Reply:
    """A technician has it planned; the manager's own confirmation is missing, so it is never immediate."""
    case = click.case
    if not why_plan_for(click.session, click.house, case):
        raise Missing("The manager has gone on meanwhile. Read the card again.")
    case.draft = {key: kept for key, kept in case.draft.items() if key != "unplanned"}
    case.draft = {**case.draft, "planned by": click.person.id}
    kind = REST if any(plan.kind == LOCK_OUT for plan in case_plans(click.session, case.id)) else LOCK_OUT
    if _wanted(click, kind):
        click.record("planned for the manager", kind=kind)
        want(click.session, click.house, case, PROPOSE, kind)
    case.turn += 1
    return Reply()


def ready_again(click: Click) -> None:
    """Plan whatever the answers now allow: the lock-out needs three of them, the rest all."""
    case = click.case
    answers = answers_of(click.session, case.id)
    open_ids = {name for name, answer in answers.items() if answer.asked_technician}
    if case.stage != "submitted":
        return
    lock_out_planned = any(plan.kind == LOCK_OUT for plan in case_plans(click.session, case.id))
    if _rejected(click.session, case):
        return
    if not lock_out_planned and not open_ids & {HOW, CONTENTIOUS, WHEN} and _wanted(click, LOCK_OUT):
        want(click.session, click.house, case, PROPOSE, LOCK_OUT)
    if lock_out_planned and not open_ids and _wanted(click, REST):
        want(click.session, click.house, case, PROPOSE, REST)


def _rejected(session: Session, case: Case) -> bool:
    """Without its lock-out the rest makes no sense: nobody loses a licence who keeps the key."""
    return any(plan.kind == LOCK_OUT and plan.state == PlanState.REJECTED for plan in case_plans(session, case.id))


def _planned(session: Session, case: Case, kind: str) -> bool:
    """Whether there is such a plan, and for the rest: whether nothing was decided or first read after the last one."""
    plans = [plan for plan in case_plans(session, case.id) if (plan.kind == LOCK_OUT) == (kind == LOCK_OUT)]
    if kind == LOCK_OUT or not plans:
        return bool(plans)
    last = max(plan.proposed_at for plan in plans if plan.proposed_at is not None)
    read_later = session.exec(select(AccountRow).where(AccountRow.case_id == case.id, col(AccountRow.read_at) > last))
    decided_later = any(answer.at > last and answer.value != LATER for answer in answers_of(session, case.id).values())
    return not decided_later and read_later.first() is None


def _wanted(click: Click, kind: str) -> bool:
    """Neither planned nor being planned."""
    session, case = click.session, click.case
    if _planned(session, case, kind):
        return False
    query = select(Lookup).where(
        Lookup.case_id == case.id, Lookup.kind == PROPOSE, Lookup.subject == kind, col(Lookup.done).is_(False)
    )
    return session.exec(query).first() is None


async def ask(house: House, case: Case, lookup: Lookup) -> Apply:
    """Read everything afresh and look at every step. Raises VendorError when the directory is down."""
    kind = lookup.subject
    choices = await house.store.read(lambda session: choices_of(session, case.id))
    last_try = lookup.tries >= TRIES
    leaver, paperwork = leaver_of(case), kind != LOCK_OUT
    kept = await house.store.read(lambda session: readings_of(session, house, case.id))
    before = kept if kind == REST else []
    readings = await read_everywhere(house, case.client, leaver, last_try=last_try, paperwork=paperwork, kept=before)
    if kind == REST:
        # A system that is down now was readable at the lock-out: its steps are planned all the same.
        known = {reading.system: reading for reading in kept if reading.facts is not None}
        readings = [known.get(one.system, one) if one.error else one for one in readings]
    cautions = cautions_of(house, readings)
    bars = why_not_immediate(house, case, readings, cautions, choices)
    immediate = kind == LOCK_OUT and not bars
    connectors = [house.registry.get(reading.system) for reading in readings]
    planned = await house.store.read(lambda session: {row.step for row in case_steps(session, case.id)})
    contentious = choices.get(CONTENTIOUS) == "yes"
    allowed = steps_for(connectors, kind, immediate=immediate, contentious=contentious)
    steps = [step for step in allowed if step.id not in planned]
    proposed = await look_everywhere(house, case, readings, choices, steps)
    if kind == LOCK_OUT and not immediate:
        proposed += unlooked(house, kept, choices)

    def apply(session: Session, case: Case) -> None:
        if _planned(session, case, kind):
            return
        if kind == REST and _rejected(session, case):
            return
        if kind == LOCK_OUT:
            keep_readings(session, house, case, readings)
        else:
            add_readings(session, house, case, readings)
        for name, part in _parted(house, case, kind, proposed):
            unread = unread_by(house, name, readings)
            if name != LOCK_OUT and not unread and _idle(part):
                continue
            plan = write_plan(session, house, case, name, part, unread, cautions)
            record(
                session, house.clock.now(), "plan proposed", case_id=case.id,
                detail={"kind": name, "digest": plan.digest, "immediate": immediate, "barred": bars},
            )  # fmt: skip
            if immediate and _few_enough(session, house, case):
                start_immediately(session, house, case, plan)
            else:
                await_approval(session, house, case, plan)
        everything_said = not any(row.asked_technician for row in answers_of(session, case.id).values())
        if kind == LOCK_OUT and everything_said:
            ask_the_rest(session, house, case)
        elif kind != LOCK_OUT:
            # There may be nothing more to do: then the report is due.
            advance(session, house, case)

    return apply


def _parted(house: House, case: Case, kind: str, proposed: list[Proposed]) -> list[tuple[str, list[Proposed]]]:
    """What changes a bill is a plan of its own, unless the client's policy waives that somebody decides about it."""
    client = house.roster.client(case.client)
    if kind == LOCK_OUT or client is None or client.money is Money.WAIVED:
        return [(kind, proposed)]
    money = [one for one in proposed if one.step.money]
    return [(REST, [one for one in proposed if not one.step.money]), (MONEY, money)]


def _idle(proposed: list[Proposed]) -> bool:
    """Whether there is nothing to approve: every step looked, and found it so already."""
    return all(isinstance(one.finding, Nothing) and not isinstance(one.finding, Unseen) for one in proposed)


def why_not_immediate(
    house: House, case: Case, readings: list[Reading], cautions: list[Caution], choices: Choices
) -> str:
    """Why the manager's word alone is not enough, or '' when the client's policy lets it be."""
    client = house.roster.client(case.client)
    if client is None or client.lockout is not Lockout.IMMEDIATE:
        return "the client's lock-outs are approved by a technician"
    if case.started_by != case.requester:
        return "a technician asked on somebody's behalf"
    if choices.get(WHEN) != NOW:
        return "access does not end at once"
    if case.draft.get("planned by"):
        return "a technician planned it, the manager has not confirmed it"
    for caution in cautions:
        if caution.bars_immediate or caution.approvers > 1 or caution.proof:
            return caution.text
    requester = house.roster.person(case.requester)
    own_id = requester.directory.get(case.client) if requester else None
    if own_id is None:
        return "the requester's own directory entry is not configured, so nobody can tell who reports to whom"
    for reading in readings:
        if reading.facts is not None and own_id in house.registry.get(reading.system).reports(reading.facts):
            return "the requester reports to the leaver"
    return ""


def _few_enough(session: Session, house: House, case: Case) -> bool:
    client = house.roster.client(case.client)
    hour_ago = house.clock.now() - timedelta(hours=1)
    lately = session.exec(
        select(Plan)
        .join(Case, col(Case.id) == col(Plan.case_id))
        .where(Case.client == case.client, col(Plan.immediate).is_(True), col(Plan.approved_at) > hour_ago)
    )
    return client is not None and len(list(lately)) < client.immediate_per_hour


def start_immediately(session: Session, house: House, case: Case, plan: Plan) -> None:
    """Begin on the manager's confirmation, and tell the technicians loudly."""
    plan.immediate = True
    plan.state = move_plan(PlanState(plan.state), PlanEvent.APPROVED)
    plan.approved_at = house.clock.now()
    session.add(plan)
    record(
        session, house.clock.now(), "started immediately", case_id=case.id, person=case.requester,
        identity=case.identity, detail={"digest": plan.digest},
    )  # fmt: skip
    cards.show_channel(session, house, case, cards.TECHNICIANS)
    cards.show_channel(session, house, case, cards.NEWS, topic="immediate")
    advance(session, house, case)


def await_approval(session: Session, house: House, case: Case, plan: Plan) -> None:
    """Show it to the technicians; a lock-out nobody picks up is brought up again, then paged."""
    others = [other for other in case_plans(session, case.id) if other.id != plan.id]
    if not any(other.state == PlanState.AWAITING_APPROVAL for other in others):
        cards.show_channel(session, house, case, cards.TECHNICIANS)
    if plan.kind == LOCK_OUT:
        cut_off.wait_for_approval(session, house, case, plan)
    elif plan.kind == MONEY:
        show_bill(session, house, case)


def show_bill(session: Session, house: House, case: Case) -> None:
    """Ask everybody who may decide about the bill, each in private: their channel need not be the technicians'."""
    for person in house.roster.people:
        identity = cards.identity_of(house, person.id)
        if identity and may(session, house.roster, person, case, Right.BILL):
            cards.show_person(session, house, case.id, cards.BILL, person.id, identity)
