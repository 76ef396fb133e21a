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
from handlers.plan.rows import case_plans, lock_out_of
from handlers.questions import GO, WHEN, answers_of

FARTHEST = timedelta(days=365)


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
    try:
        return datetime.fromisoformat(_when(session, case))
    except ValueError:
        return None


def on_go(session: Session, case: Case) -> bool:
    """Whether access ends when somebody says so."""
    return _when(session, case) == GO


def _when(session: Session, case: Case) -> str:
    """What was answered; '' while nobody has, or a technician is asked."""
    answer = answers_of(session, case.id).get(WHEN)
    return answer.value if answer is not None and not answer.asked_technician else ""


def held(session: Session, case: Case) -> Plan | None:
    """The approved lock-out whose cut-off is still to come, if there is one."""
    lock_out = lock_out_of(case_plans(session, case.id))
    return lock_out if lock_out is not None and PlanState(lock_out.state) in HELD else None


def changeable(session: Session, case: Case) -> bool:
    """Whether there is a lock-out for which another time can still be chosen."""
    lock_out = lock_out_of(case_plans(session, case.id))
    return lock_out is not None and PlanState(lock_out.state) in BEFORE_CUT_OFF


def ended_nothing(session: Session, case: Case) -> bool:
    """Whether no lock-out of this case has begun."""
    lock_out = lock_out_of(case_plans(session, case.id))
    return lock_out is None or PlanState(lock_out.state) in BEFORE_CUT_OFF | {PlanState.REJECTED}


def wait_for_approval(session: Session, house: House, case: Case, plan: Plan) -> None:
    """Bring the lock-out up until somebody decides: at once where it is due, else day by day, and before its time."""
    at, now, timings = time_of(session, case), house.clock.now(), house.timings
    if at is not None and at > now:
        due.set_due(session, house, case, due.CUT_OFF, at - now, plan.id)
    if not on_go(session, case) and (at is None or at - now <= timings.hurry):
        due.bring_up(session, house, case, plan.id)
        return
    due.set_due(session, house, case, due.UNHURRIED, timings.unhurried, plan.id)
    if at is not None:
        due.set_due(session, house, case, due.HURRY, at - now - timings.hurry, plan.id)


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
        due.set_due(session, house, case, due.GO, house.timings.unhurried, plan.id)
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


def void_approval(
    session: Session, at: datetime, plan: Plan, person: str = BOT, identity: str = "", **why: JsonValue
) -> None:
    """A held lock-out's approval counts no more: it waits for another one."""
    plan.state = move_plan(PlanState(plan.state), PlanEvent.CHANGED)
    plan.approved_at, plan.decided_by = None, ""
    plan.digest = digest_of(session, plan)
    session.add(plan)
    record(
        session, at, "plan changed", case_id=plan.case_id, person=person, identity=identity,
        detail={"kind": plan.kind, "digest": plan.digest, **why},
    )  # fmt: skip


def chosen_anew(session: Session, house: House, case: Case, person: str, identity: str) -> None:
    """Another time was chosen: what was approved for the old one waits for approval again."""
    plan = held(session, case)
    if plan is None:
        return
    void_approval(session, house.clock.now(), plan, person, identity)
    _forget_go(session, case)
    due.clear_subject(session, case, plan.id)
    cards.show_channel(session, house, case, cards.TECHNICIANS)
    wait_for_approval(session, house, case, plan)


# --- go, asked twice --------------------------------------------------------------------------------


def going(house: House, case: Case) -> str:
    """Who pressed Go and has not confirmed it yet, or ''; after a while the press counts no more."""
    said = case.draft.get("going")
    if not isinstance(said, dict):
        return ""
    at = datetime.fromisoformat(str(said["at"]))
    return str(said["by"]) if house.clock.now() - at < house.timings.asked_twice else ""


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
