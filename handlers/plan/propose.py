"""Reads the leaver's accounts everywhere and lays out the plan: steps, items, cautions, digest."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, JsonValue
from sqlmodel import Session, col, delete, select

from connectors.contract import (
    Account,
    AnyConnector,
    AnyStep,
    Caution,
    Context,
    Finding,
    Json,
    Nothing,
    Premature,
    Task,
    Throttled,
    Todo,
    Unreachable,
    VendorError,
    Wave,
)
from handlers.cases.states import PlanEvent, PlanState, StepState, move_plan
from handlers.cases.tables import AccountRow, Answer, Case, ItemRow, Plan, StepRow
from handlers.house import House
from handlers.plan.digest import LOCK_OUT, UNREAD, digest_of

log = logging.getLogger("offboard.propose")

NOT_SEEN, GROUND = "Not seen yet", "Later, once it may"
"""How a step's line begins that could not be looked at, or whose ground is missing as yet."""


@dataclass(frozen=True)
class Reading:
    """What one system said about the leaver."""

    system: str
    account: Account | None
    facts: BaseModel | None
    error: str = ""


def choices_of(session: Session, case_id: str) -> dict[str, str]:
    """Confirmed answers as steps read them: question id → value, a person's name and mail beside it."""
    choices: dict[str, str] = {}
    for answer in session.exec(select(Answer).where(Answer.case_id == case_id)):
        if answer.asked_technician:
            continue
        choices[answer.question] = answer.value
        if answer.account:
            person = Account.model_validate(answer.account)
            choices[f"{answer.question}.name"] = person.name
            choices[f"{answer.question}.mail"] = person.mail or person.user_name
    return choices


async def read_everywhere(house: House, client_id: str, leaver: Account, *, last_try: bool) -> list[Reading]:
    """Ask every system of the client at once; one that is down says so and stops no other.

    Only the directory is worth asking again first, since without it there is no lock-out to plan: unless this
    is the last try, its being slow or down is raised as Throttled or Unreachable.
    """
    client = house.roster.client(client_id)
    systems = list(client.systems) if client else []
    return await asyncio.gather(*(read_one(house, client_id, system, leaver, last_try=last_try) for system in systems))


async def read_one(house: House, client_id: str, system: str, leaver: Account, *, last_try: bool) -> Reading:
    """What that system says about the leaver; see `read_everywhere`."""
    directory = house.registry.get(system).directory
    within = house.timings.reading.total_seconds()
    try:
        if directory:
            return await _read(house, client_id, system, leaver)
        async with asyncio.timeout(within):
            return await _read(house, client_id, system, leaver)
    except TimeoutError:
        return Reading(system, None, None, f"It did not answer within {within:.0f} s.")
    except VendorError as error:
        passing = isinstance(error, Throttled | Unreachable)
        if passing and not last_try and directory:
            raise
        return Reading(system, None, None, str(error))
    except Exception as error:
        # A bug in one connector must not keep the leaver's other doors open: it is said, and logged.
        log.exception("reading %s", system)
        return Reading(system, None, None, f"Our own code failed ({type(error).__name__}).")


async def _read(house: House, client_id: str, system: str, leaver: Account) -> Reading:
    connector, api = await house.connection(client_id, system)
    accounts = await connector.find(api, leaver)
    if not accounts:
        return Reading(system, None, None)
    if len(accounts) > 1 or not accounts[0].certain:
        names = ", ".join(f"{account.name} ({account.user_name})" for account in accounts)
        return Reading(system, None, None, f"It is not certain which account is theirs: {names}.")
    return Reading(system, accounts[0], await connector.facts(api, accounts[0]))


def keep_readings(session: Session, house: House, case: Case, readings: list[Reading]) -> None:
    """Write down what was read, in place of what was read before."""
    session.exec(delete(AccountRow).where(col(AccountRow.case_id) == case.id))
    session.add_all(_row(house, case, reading) for reading in readings if reading.account or reading.error)
    session.flush()


def add_readings(session: Session, house: House, case: Case, readings: list[Reading]) -> None:
    """Write down what can be read only now; what a plan rests on already stays as it is."""
    for reading in readings:
        kept = session.get(AccountRow, (case.id, reading.system))
        if reading.account and (kept is None or kept.error):
            session.merge(_row(house, case, reading))
    session.flush()


def _row(house: House, case: Case, reading: Reading) -> AccountRow:
    return AccountRow(
        case_id=case.id,
        system=reading.system,
        account=reading.account.model_dump(mode="json") if reading.account else {},
        facts=reading.facts.model_dump(mode="json") if reading.facts else {},
        error=reading.error,
        read_at=house.clock.now(),
    )


def readings_of(session: Session, house: House, case_id: str) -> list[Reading]:
    """What was written down, back as objects."""
    rows = session.exec(select(AccountRow).where(AccountRow.case_id == case_id).order_by(col(AccountRow.system)))
    readings: list[Reading] = []
    for row in rows:
        if row.error:
            readings.append(Reading(row.system, None, None, row.error))
        else:
            model = house.registry.get(row.system).facts_model
            account = Account.model_validate(row.account)
            readings.append(Reading(row.system, account, model.model_validate(row.facts)))
    return readings


@dataclass(frozen=True)
class Unseen(Nothing):
    """The step could not look: that says nothing about whether there is something to do."""


@dataclass(frozen=True)
class Proposed:
    """One step of a plan, as it was seen when the plan was made."""

    system: str
    step: AnyStep
    subject: str
    finding: Finding


def context(
    house: House, client_id: str, reading: Reading, api: object, choices: dict[str, str], key: str, subject: str = ""
) -> Context[Any, Any]:
    """What a step is given; `reading` must have an account."""

    async def read(name: str) -> Json:
        system, _, _ = name.partition(".")
        connector, other = await house.connection(client_id, system)
        found = await connector.find(other, reading.account) if reading.account else []
        return await connector.reads()[name](other, found[0] if found else Account(system=system, id="", name=""))

    if reading.account is None or reading.facts is None:
        raise ValueError(f"{reading.system} has no account to work on")
    return Context(
        api=api,
        account=reading.account,
        facts=reading.facts,
        choices=choices,
        clock=house.clock,
        key=key,
        read=read,
        subject=subject,
    )


async def look_everywhere(
    house: House, case: Case, readings: list[Reading], choices: dict[str, str], steps: list[AnyStep]
) -> list[Proposed]:
    """Have every wanted step look, all at once. A look that fails becomes a task in words."""

    async def look(reading: Reading, step: AnyStep, subject: str) -> Proposed:
        try:
            _, api = await house.connection(case.client, reading.system)
            ctx = context(house, case.client, reading, api, choices, f"{case.id}:{step.id}:{subject}", subject)
            return Proposed(reading.system, step, subject, await step.look(ctx))
        except VendorError as error:
            # The step stays in the plan: the engine looks again and retries by its own rules.
            return Proposed(reading.system, step, subject, Unseen(f"{NOT_SEEN}: {error}"))
        except Exception as error:
            log.exception("looking for %s", step.id)
            sentence = f"{NOT_SEEN}: our own code failed ({type(error).__name__})."
            return Proposed(reading.system, step, subject, Unseen(sentence))

    wanted = [(reading, *one) for reading in readings for one in wanted_of(reading, steps, choices, readings)]
    return await asyncio.gather(*(look(reading, step, subject) for reading, step, subject in wanted))


def wanted_of(
    reading: Reading, steps: list[AnyStep], choices: dict[str, str], readings: list[Reading]
) -> list[tuple[AnyStep, str]]:
    """The steps, each with its subject, that this system's facts and the choices call for."""
    if reading.facts is None:
        return []
    covered = covers(readings)
    return [
        (step, subject)
        for step in steps
        if step.id.partition(".")[0] == reading.system
        and step.stands_in_for not in covered
        and step.wanted(choices, reading.facts)
        for subject in step.subjects(choices, reading.facts)
    ]


def covers(readings: list[Reading]) -> frozenset[str]:
    """Systems that see to the leaver's account themselves: nothing need stand in for them."""
    return frozenset(reading.system for reading in readings if reading.account is not None or reading.error)


def cautions_of(house: House, readings: list[Reading]) -> list[Caution]:
    """What the people deciding must be told, system by system."""
    cautions: list[Caution] = []
    for reading in readings:
        if reading.facts is not None:
            cautions += house.registry.get(reading.system).cautions(reading.facts)
        elif reading.error:
            name = house.registry.get(reading.system).name
            cautions.append(Caution(f"{name} could not be read. {reading.error}", bars_immediate=True))
    return cautions


def steps_for(connectors: list[AnyConnector], kind: str, *, immediate: bool, contentious: bool) -> list[AnyStep]:
    """Which steps may go into that kind of plan; those planned already are the caller's to leave out."""
    every = [step for connector in connectors for step in connector.steps]
    if kind != LOCK_OUT:
        return every
    if immediate:
        return [step for step in every if step.wave is Wave.LOCK_OUT and step.immediate]
    return [step for step in every if step.wave is Wave.LOCK_OUT or (step.early and contentious)]


def write_plan(
    session: Session,
    house: House,
    case: Case,
    kind: str,
    proposed: list[Proposed],
    readings: list[Reading],
    cautions: list[Caution],
) -> Plan:
    """The plan as rows, awaiting approval, with its digest."""
    plan = Plan(id=house.new_id(), case_id=case.id, kind=kind, proposed_at=house.clock.now())
    told: list[JsonValue] = [_told(caution) for caution in cautions] if kind == LOCK_OUT else []
    plan.cautions = {"told": told}
    destroys = False
    session.add(plan)
    session.flush()
    proposed = sorted(proposed, key=lambda one: one.step.wave)
    for place, one in enumerate(proposed):
        row = step_row(house, plan, one.system, one.step, one.subject, place)
        match one.finding:
            case Nothing(evidence):
                row.reason = evidence
            case Premature(reason, _):
                row.reason = f"{GROUND}: {reason}"
            case Task(reason, instructions):
                row.reason, row.instructions = reason, instructions
            case Todo(items):
                destroys = destroys or any(item.destroys for item in items)
        session.add(row)
        session.flush()
        if isinstance(one.finding, Todo):
            for item in one.finding.items:
                session.add(
                    ItemRow(
                        id=house.new_id(),
                        step_id=row.id,
                        key=item.key,
                        title=item.title,
                        destroys=item.destroys,
                        before=dict(item.before),
                    )
                )
    if kind == LOCK_OUT:
        _add_unread(session, house, plan, readings, len(proposed))
    session.flush()
    plan.approvers = max([2 if destroys else 1, *(caution.approvers for caution in cautions if told)])
    plan.state = move_plan(PlanState(plan.state), PlanEvent.PROPOSED)
    plan.digest = digest_of(session, plan)
    session.add(plan)
    return plan


def step_row(house: House, plan: Plan, system: str, step: AnyStep, subject: str, place: int) -> StepRow:
    """A step as a row of that plan, before anything has come of it."""
    return StepRow(
        id=house.new_id(),
        plan_id=plan.id,
        case_id=plan.case_id,
        system=system,
        step=step.id,
        subject=subject,
        title=f"{step.title}: {subject}" if subject else step.title,
        wave=int(step.wave),
        place=place,
        irreversible=step.irreversible,
    )


def _told(caution: Caution) -> dict[str, JsonValue]:
    return {"text": caution.text, "approvers": caution.approvers, "proof": caution.proof}


def _add_unread(session: Session, house: House, plan: Plan, readings: list[Reading], place: int) -> None:
    for offset, reading in enumerate(reading for reading in readings if reading.error):
        name = house.registry.get(reading.system).name
        session.add(
            StepRow(
                id=house.new_id(),
                plan_id=plan.id,
                case_id=plan.case_id,
                system=reading.system,
                step=f"{reading.system}.{UNREAD}",
                title=f"End access in {name}",
                wave=int(Wave.LOCK_OUT),
                place=place + offset,
                state=StepState.PENDING,
                reason=reading.error,
                instructions=f"Sign in to {name}, find the leaver's account, end its access, and say what you did.",
            )
        )
