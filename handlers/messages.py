"""Sentences that cards and answers share, and what states are called; what is said once stands where it is said."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from sqlmodel import Session

from handlers.access import Right
from handlers.cases.states import PlanState
from handlers.cases.tables import Case
from handlers.house import House
from handlers.people import Client, Person
from handlers.plan.rows import case_plans

NOT_A_MANAGER = "You are not set up to offboard anybody. Ask your IT provider to add you as a manager for your company."
OLD_BUTTON = "That button is from an older message. Type /offboard-status to see where things stand."
CHANGED = "That has changed meanwhile. The card is up to date now."
LOOK_IN_PRIVATE = "I have answered in our private chat."

_NOT_YOURS: Mapping[Right, str] = {
    Right.APPROVE: (
        "You can't decide about this one: it needs a technician who is neither the requester, nor the leaver, "
        "nor the one who entered it on a call-back."
    ),
    Right.BILL: "Bills are decided by somebody of the billing people who neither asked for this case nor is leaving.",
    Right.GO: "Only the requester and technicians say go.",
    Right.REPAIR: "Only technicians can do that.",
    Right.WORK: "Only technicians can do that.",
    Right.ANSWER_FOR: "Only technicians can answer that.",
    Right.NAME: "Only the requester and technicians say who else sees the case.",
    Right.VOUCH: "Only the contact who was named can answer that.",
}


def stranger(msp: str, *, told: bool = False) -> str:
    """To somebody nobody has bound: nothing about any case."""
    return f"I don't know you yet. {f'{msp} has been told that you asked.' if told else f'Ask {msp} to add you.'}"


def help_text(person: Person) -> str:
    """What this person can type."""
    lines = [
        "/offboard Jane Doe – end somebody's access. I ask what must be asked, then a technician approves.",
        "/offboard-status – your cases. Add a name or a number for one of them.",
    ]
    if person.technician or person.admin:
        lines.append("As a technician you can start a case for a client who phoned: the same command.")
    if person.admin:
        lines.append("/offboard-doctor – whether every client's systems would work. Add a client for one of them.")
    return "\n".join(lines)


def moved_to_private(number: int) -> str:
    """The one line in a channel; a leaver could be reading it."""
    return f"Case {number}: I go on with you in our private chat."


def no_case(words: str) -> str:
    """Nothing to show, whether or not there is something for others."""
    return f"I have no case '{words}' for you." if words else "You have no cases. Start one with /offboard and a name."


def not_yours(right: Right) -> str:
    """Why this person's click did nothing."""
    return _NOT_YOURS.get(right, "That is not for you to press.")


def meanwhile(session: Session, house: House, case: Case) -> str:
    """What a late clicker is told: who decided, if somebody did."""
    for plan in reversed(case_plans(session, case.id)):
        if plan.decided_by and plan.state not in {PlanState.AWAITING_APPROVAL, PlanState.DRAFT}:
            verb = "rejected" if plan.state == PlanState.REJECTED else "approved"
            return f"{house.roster.name_of(plan.decided_by)} has already {verb} this. The card is up to date now."
    return CHANGED


def hashed(token: str) -> str:
    """How a button's token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def several(count: int, one: str, many: str) -> str:
    """'1 way in is', '3 ways in are'."""
    return f"{count} {one if count == 1 else many}"


def page_text(number: int, client: Client | None, *, open_way: bool) -> str:
    """For the person on call; no leaver's name on a lock screen."""
    what = "a step of a lock-out needs a person" if open_way else "a lock-out waits for approval"
    return f"Case {number} at {client.name if client else 'a client'}: {what}, nobody took it."


def clock(house: House, case: Case, at: datetime) -> str:
    """A time as the client's people read it: '17:02', with the day when it is another one."""
    client = house.roster.client(case.client)
    if client is None:
        return at.strftime("%H:%M UTC")
    local, today = at.astimezone(client.zone), house.clock.now().astimezone(client.zone)
    return local.strftime("%H:%M" if local.date() == today.date() else "%d %b %H:%M")


def day(house: House, case: Case, at: datetime) -> str:
    """A day as the client's people read it: '3 Aug 2027'."""
    client = house.roster.client(case.client)
    return f"{(at.astimezone(client.zone) if client else at):%-d %b %Y}"


def moment(house: House, case: Case, at: datetime) -> str:
    """A day and a time as the client's people read it, with the zone: '30 Nov 2026, 17:00 (Europe/London)'."""
    client = house.roster.client(case.client)
    zone = client.time_zone if client else "UTC"
    return f"{(at.astimezone(client.zone) if client else at):%-d %b %Y, %H:%M} ({zone})"


def notification(house: House, case: Case) -> str:
    """What a lock screen may show: number and client only."""
    client = house.roster.client(case.client)
    return f"Case {case.number}, {client.name}" if client else f"Case {case.number}"


STAGES: Mapping[str, str] = {
    "client": "client not chosen yet",
    "asked": "not said yet who asked",
    "verify": "request not verified yet",
    "searching": "looking for the person",
    "who": "person not chosen yet",
    "ask": "questions open",
    "submitted": "being planned",
}

CLOSED: Mapping[str, str] = {
    "cancelled": "Cancelled. Nothing was changed.",
    "expired": "Expired: nobody went on with it. Nothing was changed. Start anew with /offboard.",
    "wrong person": "Stopped: this was the wrong person. Sign-in is being restored.",
    "called off": "Called off: they stay. Access was never ended; what was done ahead is being put back.",
}

PLAN: Mapping[PlanState, str] = {
    PlanState.DRAFT: "being prepared",
    PlanState.AWAITING_APPROVAL: "waits for a technician's approval",
    PlanState.SCHEDULED: "approved, ends access at its time",
    PlanState.ARMED: "approved, waits for the go",
    PlanState.RUNNING: "running",
    PlanState.WAITING: "waiting for a system to show it",
    PlanState.NEEDS_PERSON: "needs a person",
    PlanState.DONE: "done",
    PlanState.REJECTED: "rejected",
    PlanState.CANCELLED: "stopped",
    PlanState.EXPIRED: "expired",
}


def case_line(session: Session, house: House, case: Case) -> str:
    """One case in a list."""
    if case.closed:
        state = case.closed
    else:
        plans = case_plans(session, case.id)
        state = PLAN[PlanState(plans[-1].state)] if plans else STAGES[case.stage]
    client = house.roster.client(case.client)
    # The title last: it tells two people of one name apart.
    title = f" · {case.leaver['title']}" if case.leaver.get("title") else ""
    where = client.name if client else "no client yet"
    return f"Case {case.number} · {case.leaver_name} · {where} · {state}{title}"
