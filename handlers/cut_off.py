"""When access ends: at once, at a time, or on somebody's go; until then an approved lock-out is held.

Silence never ends access: who said 'when I say go' is reminded, and the technicians with them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from pydantic import JsonValue
from sqlmodel import Session

from handlers import messages
from handlers.cases import cards, due
from handlers.cases.history import BOT, record
from handlers.cases.states import BEFORE_CUT_OFF, HELD, PlanEvent, PlanState, move_plan
from handlers.cases.tables import Case, Plan
from handlers.click import Click, Missing
from handlers.conversation import Reply
from handlers.house import House
from handlers.plan.advance import advance
from handlers.plan.digest import LOCK_OUT, digest_of
from handlers.plan.rows import case_plans
from handlers.questions import GO, WHEN, answers_of

FARTHEST = timedelta(days=365)
ASKED_TWICE = timedelta(minutes=10)
"""Within that time the second press must follow the first."""
HURRY = timedelta(hours=1)
"""So long before its time a lock-out nobody has approved is brought up as one that waits now."""
UNHURRIED = timedelta(days=1)
"""How often it is brought up before that, and how often a go is asked for."""
PATIENT = timedelta(days=3)
"""After so long the technicians are reminded as well."""


def moment(day: str, hour: str, house: House, case: Case) -> datetime:
    """The time somebody picked, in the client's zone. Raises Missing with what is wrong about it."""
    client = house.roster.client(case.client)
    try:
        local = datetime.combine(date.fromisoformat(day), time.fromisoformat(hour))
    except ValueError:
        raise Missing("Pick a day and a time first, such as 2026-11-30 and 17:00.") from None
    zone = client.zone if client else UTC
    at = local.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) != local:
        raise Missing("The clocks go forward over that time, so it does not exist that day. Pick another.")
    now = house.clock.now()
    if at <= now:
        raise Missing("That time is over already. Pick a later one, or 'Now'.")
    if at > now + FARTHEST:
        raise Missing("That is more than a year away. Start the case nearer to the day.")
    return at


def time_of(session: Session, case: Case) -> datetime | None:
    """The time at which access ends, if the answer is one."""
    answer = answers_of(session, case.id).get(WHEN)
    try:
        return datetime.fromisoformat(answer.value) if answer and not answer.asked_technician else None
    except ValueError:
        return None


def on_go(session: Session, case: Case) -> bool:
    """Whether access ends when somebody says so."""
    answer = answers_of(session, case.id).get(WHEN)
    return answer is not None and answer.value == GO and not answer.asked_technician


def held(session: Session, case: Case) -> Plan | None:
    """The approved lock-out whose cut-off is still to come, if there is one."""
    plans = case_plans(session, case.id)
    return next((one for one in plans if one.kind == LOCK_OUT and PlanState(one.state) in HELD), None)


def ended_nothing(session: Session, case: Case) -> bool:
    """Whether no lock-out of this case has begun."""
    lock_outs = [plan for plan in case_plans(session, case.id) if plan.kind == LOCK_OUT]
    return all(PlanState(plan.state) in BEFORE_CUT_OFF | {PlanState.REJECTED} for plan in lock_outs)


def changeable(session: Session, case: Case) -> bool:
    """Whether another time can still be chosen for it."""
    lock_outs = [plan for plan in case_plans(session, case.id) if plan.kind == LOCK_OUT]
    return bool(lock_outs) and all(PlanState(plan.state) in BEFORE_CUT_OFF for plan in lock_outs)


def wait_for_approval(session: Session, house: House, case: Case, plan: Plan) -> None:
    """Bring the lock-out up until somebody decides: at once where it is due, else day by day, and before its time."""
    at, now = time_of(session, case), house.clock.now()
    if at is not None and at > now:
        due.set_due(session, house, case, due.CUT_OFF, at - now, plan.id)
    if not on_go(session, case) and (at is None or at - now <= HURRY):
        due.bring_up(session, house, case, plan.id)
        return
    due.set_due(session, house, case, due.UNHURRIED, UNHURRIED, plan.id)
    if at is not None:
        due.set_due(session, house, case, due.HURRY, at - now - HURRY, plan.id)


def approved(session: Session, house: House, case: Case, plan: Plan) -> None:
    """The plan was approved: it begins, unless it is a lock-out whose cut-off is still to come."""
    at = time_of(session, case) if plan.kind == LOCK_OUT else None
    if plan.kind == LOCK_OUT and on_go(session, case):
        event = PlanEvent.ARMED
    elif at is not None and at > house.clock.now():
        event = PlanEvent.SCHEDULED
    else:
        event = PlanEvent.APPROVED
    plan.state = move_plan(PlanState(plan.state), event)
    session.add(plan)
    if plan.kind != LOCK_OUT:
        return
    due.clear_subject(session, case, plan.id)
    if event is PlanEvent.ARMED:
        due.set_due(session, house, case, due.GO, UNHURRIED, plan.id)
    elif event is PlanEvent.SCHEDULED and at is not None:
        due.set_due(session, house, case, due.CUT_OFF, at - house.clock.now(), plan.id)


def begin(session: Session, house: House, case: Case, plan: Plan, person: str = BOT, identity: str = "") -> None:
    """The cut-off is here: the lock-out runs."""
    plan.state = move_plan(PlanState(plan.state), PlanEvent.CUT_OFF)
    session.add(plan)
    _forget_go(session, case)
    due.clear_subject(session, case, plan.id)
    record(session, house.clock.now(), "cut-off", case_id=case.id, person=person, identity=identity)
    cards.show_technicians(session, house, case)
    cards.show_channel(session, house, case, cards.NEWS, topic="cut-off")
    advance(session, house, case)


def chosen_anew(session: Session, house: House, case: Case, person: str, identity: str) -> None:
    """Another time was chosen: what was approved for the old one waits for approval again."""
    plan = held(session, case)
    if plan is None:
        return
    plan.state = move_plan(PlanState(plan.state), PlanEvent.CHANGED)
    plan.approved_at, plan.decided_by = None, ""
    plan.digest = digest_of(session, plan)
    session.add(plan)
    _forget_go(session, case)
    due.clear_subject(session, case, plan.id)
    record(
        session, house.clock.now(), "plan changed", case_id=case.id, person=person, identity=identity,
        detail={"kind": plan.kind, "digest": plan.digest},
    )  # fmt: skip
    cards.show_channel(session, house, case, cards.TECHNICIANS)
    wait_for_approval(session, house, case, plan)


# --- go, asked twice --------------------------------------------------------------------------------


def going(house: House, case: Case) -> str:
    """Who pressed Go and has not confirmed it yet, or ''; after a while the press counts no more."""
    said = case.draft.get("going")
    if not isinstance(said, dict):
        return ""
    at = datetime.fromisoformat(str(said["at"]))
    return str(said["by"]) if house.clock.now() - at < ASKED_TWICE else ""


def go(click: Click) -> Reply:
    """The first press: nothing happens yet but the question whether it is meant."""
    _held(click)
    said: dict[str, JsonValue] = {"by": click.person.id, "at": click.house.clock.now().isoformat()}
    click.case.draft = {**click.case.draft, "going": said}
    click.session.add(click.case)
    click.record("go pressed")
    return Reply()


def go_really(click: Click) -> Reply:
    """The second press, by the same person: access ends now."""
    plan = _held(click)
    by = going(click.house, click.case)
    if by and by != click.person.id:
        name = click.house.roster.name_of(by)
        raise Missing(f"{name} pressed Go, so it is theirs to confirm. Press 'Not yet' first to say it yourself.")
    if not by:
        go(click)
        return Reply("That was a while ago. Press once more if you still mean it.")
    begin(click.session, click.house, click.case, plan, click.person.id, click.identity)
    return Reply()


def not_yet(click: Click) -> Reply:
    """Take the first press back."""
    _forget_go(click.session, click.case)
    click.record("go taken back")
    return Reply()


def _held(click: Click) -> Plan:
    plan = held(click.session, click.case)
    if plan is None:
        raise Missing("There is nothing to say go to: the lock-out is not approved, or has begun.")
    if click.args.get(plan.id) != plan.digest:
        raise Missing(messages.CHANGED)
    return plan


def _forget_go(session: Session, case: Case) -> None:
    case.draft = {key: kept for key, kept in case.draft.items() if key != "going"}
    session.add(case)
