"""The morning message, once a day at eight: whose access ends, what waits, is overdue, comes, and was saved."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from sqlmodel import Session, col, select

from connectors.money import Payer, Saving
from handlers import cut_off, messages, savings
from handlers.cases import cards, due
from handlers.cases.states import HELD, OPEN_PLANS, WITH_PERSON, PlanState, StepState
from handlers.cases.tables import CardRow, Case, Due, Heard, Plan, StepRow
from handlers.conversation import Card, Check, Mark, Section, quiet, strong, text
from handlers.house import House
from handlers.people import Channel
from handlers.plan.digest import LOCK_OUT
from handlers.plan.rows import case_steps

EIGHT, NOON = time(8), time(12)
"""Begun later than that, the service leaves today's message out: nobody reads a morning's in the evening."""
AHEAD = timedelta(days=7)
OVERDUE = timedelta(days=1)
SOON = timedelta(hours=1)
"""What waits no longer than that is under way."""
KEPT = "what was kept has been kept as long as agreed"
SHOWN = 15
"""Lines of one section; more are counted."""


async def send(house: House) -> None:
    """Post today's message to each of the MSP's channels, once, where there is anything to say."""
    today = house.clock.now().astimezone(house.roster.msp.zone)
    if not EIGHT <= today.time() < NOON:
        return
    key = f"morning:{today.date().isoformat()}"
    if await house.store.read(lambda session: session.get(Heard, key)) is None:
        await house.store.write(lambda session: _post(session, house, key))


def _post(session: Session, house: House, key: str) -> None:
    if session.get(Heard, key) is not None:
        return
    session.add(Heard(key=key, at=house.clock.now()))
    for viewer, channel in _channels(house).items():
        if _sections(session, house, viewer):
            cards.show_morning(session, house, key, viewer, channel)


def _channels(house: House) -> dict[str, Channel]:
    return {"technicians": house.roster.msp.technicians, "admins": house.roster.msp.admins}


def morning(session: Session, house: House, card: CardRow) -> Card:
    """The message as things stand now."""
    sections = _sections(session, house, card.viewer) or [Section(body=(text("Nothing is open any more."),))]
    return Card("Good morning", "Good morning: what is open today", None, tuple(sections))


def _sections(session: Session, house: House, viewer: str) -> list[Section]:
    cases = {case.id: case for case in _cases(session, house, viewer)}
    lists = (
        ("Whose access ends", _cut_offs(session, house, cases)),
        ("Waits for approval", _undecided(session, cases)),
        ("With a person", _with_person(session, house, cases)),
        ("In the next seven days", _coming(session, house, cases)),
        ("Saved since the first of the month", _saved(session, house, cases)),
    )
    return [_section(heading, checks) for heading, found in lists if (checks := list(found))]


def _section(heading: str, checks: list[Check]) -> Section:
    more = len(checks) - SHOWN
    body = (text(quiet(f"… and {more} more.")),) if more > 0 else ()
    return Section(heading=heading, checklist=tuple(checks[:SHOWN]), body=body)


def _cases(session: Session, house: House, viewer: str) -> Iterable[Case]:
    """Open cases of the clients that this channel may read of: the MSP's own people only the admins'."""
    own = {client.id for client in house.roster.clients if client.own}
    clients = own if viewer == "admins" else {client.id for client in house.roster.clients} - own
    query = select(Case).where(Case.closed == "", col(Case.client).in_(clients)).order_by(col(Case.number))
    return session.exec(query)


def _cut_offs(session: Session, house: House, cases: dict[str, Case]) -> Iterable[Check]:
    """Approved lock-outs whose cut-off is still to come: those of the next day by their time, then those on go."""
    plans = session.exec(select(Plan).where(col(Plan.state).in_(HELD)).order_by(col(Plan.id)))
    mine = [cases[plan.case_id] for plan in plans if plan.case_id in cases]
    found = [(cut_off.time_of(session, case), case) for case in mine]
    now = house.clock.now()
    for at, case in sorted(((at, case) for at, case in found if at), key=lambda one: one[0]):
        if at < now + OVERDUE:
            yield Check(Mark.PENDING, text(strong(messages.moment(house, case, at)), f", {_of(case)}"))
    for at, case in found:
        if at is None:
            yield Check(Mark.PERSON, text(strong("On go"), f", {_of(case)}"))


def _of(case: Case) -> str:
    return f"case {case.number}, {case.leaver_name}"


def _undecided(session: Session, cases: dict[str, Case]) -> Iterable[Check]:
    for plan in session.exec(select(Plan).where(Plan.state == PlanState.AWAITING_APPROVAL).order_by(col(Plan.id))):
        if case := cases.get(plan.case_id):
            cut_off = plan.kind == LOCK_OUT
            what = strong("the lock-out; the leaver can still sign in") if cut_off else f"the {plan.kind}"
            mark = Mark.FAILED if cut_off else Mark.PERSON
            yield Check(mark, text(f"Case {case.number}, {case.leaver_name}: ", what))


def _with_person(session: Session, house: House, cases: dict[str, Case]) -> Iterable[Check]:
    rows = session.exec(select(StepRow).where(col(StepRow.state).in_(WITH_PERSON)).order_by(col(StepRow.id)))
    for row in rows:
        case = cases.get(row.case_id)
        if case is None or PlanState(session.get_one(Plan, row.plan_id).state) not in OPEN_PLANS:
            continue
        told = session.exec(select(CardRow.shown_at).where(CardRow.topic == f"step:{row.id}")).first()
        since = house.clock.now() - told if told else timedelta(0)
        who = house.roster.name_of(row.person) if row.person else "nobody yet"
        age = f", for {since.days} days" if since.days > 1 else ", since yesterday" if since >= OVERDUE else ""
        mark = Mark.FAILED if since >= OVERDUE else Mark.PERSON
        yield Check(mark, text(f"Case {case.number}, {case.leaver_name}: {row.title}"), text(f"{who}{age}"))


def _coming(session: Session, house: House, cases: dict[str, Case]) -> Iterable[Check]:
    now = house.clock.now()
    between = (StepRow.state == StepState.WAITING, col(StepRow.due_at) > now + SOON, col(StepRow.due_at) < now + AHEAD)
    dated = session.exec(select(StepRow).where(*between))
    kept = session.exec(select(Due).where(Due.kind == due.KEPT, col(Due.at) < now + AHEAD))
    found = [(row.due_at or now, cases[row.case_id], row.title) for row in dated if row.case_id in cases]
    found += [(one.at, cases[one.case_id], KEPT) for one in kept if one.case_id in cases]
    for at, case, what in sorted(found, key=lambda one: (one[0], one[1].number)):
        when = messages.day(house, case, at)
        yield Check(Mark.PENDING, text(f"{when}, case {case.number}, {case.leaver_name}: {what}"))


def _saved(session: Session, house: House, cases: dict[str, Case]) -> Iterable[Check]:
    """Of the cases in which something that costs money was settled this month, whoever pays less by it."""
    today = house.clock.now().astimezone(house.roster.msp.zone)
    first = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    told: list[Saving] = []
    for case in cases.values():
        if any(_settled_money(house, row, first) for row in case_steps(session, case.id)):
            told += savings.of_case(session, house, case)
    for payer, whose in ((Payer.CLIENT, "The clients"), (Payer.MSP, house.roster.msp.name)):
        mine = [one for one in told if one.payer is payer]
        if mine:
            yield Check(Mark.DONE, text(f"{whose}: {savings.sums(mine)} a month"))


def _settled_money(house: House, row: StepRow, since: datetime) -> bool:
    step = house.registry.find_step(row.step)
    return bool(step and step.money and row.state == StepState.DONE and row.settled_at and row.settled_at >= since)
