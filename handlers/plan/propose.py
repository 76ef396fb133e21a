"""Reads the leaver's accounts everywhere and lays out the plan: steps, items, cautions, digest."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from pydantic import JsonValue
from sqlmodel import Session

from connectors.contract import (
    AnyConnector,
    AnyStep,
    Caution,
    Finding,
    NotBefore,
    Nothing,
    Premature,
    Task,
    Todo,
    VendorError,
    Wave,
)
from connectors.together import LINGER
from handlers.cases.states import PlanEvent, PlanState, StepState, move_plan
from handlers.cases.tables import Case, ItemRow, Plan, StepRow
from handlers.house import House
from handlers.plan.digest import LOCK_OUT, REST, UNREAD, digest_of
from handlers.plan.readings import Reading, accounts_of, context
from handlers.plan.retry import TOGETHER

log = logging.getLogger("offboard.propose")

NOT_SEEN, GROUND = "Not seen yet", "Later, once it may"
"""How a step's line begins that could not be looked at, or whose ground is missing as yet."""


_END_ACCESS = "Sign in to {name}, find the leaver's account, end its access, and say what you did."
_SEE_TO_THE_BILL = (
    "Sign in to {name}, see to what the leaver needs no more (seats, invoice lines, their contact), and say what "
    "you did."
)


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


async def look_everywhere(
    house: House, case: Case, readings: list[Reading], choices: dict[str, str], steps: list[AnyStep]
) -> list[Proposed]:
    """Have every wanted step look, all at once. A look that fails becomes a task in words."""

    known = accounts_of(readings)

    async def look(reading: Reading, step: AnyStep, subject: str) -> Proposed:
        LINGER.set(TOGETHER)
        try:
            _, api = await house.connection(case.client, reading.system)
            ctx = context(house, case, reading, known, api, choices, f"{case.id}:{step.id}:{subject}", subject)
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


def unlooked(house: House, readings: list[Reading], choices: dict[str, str]) -> list[Proposed]:
    """The ways in that the bill and the ticket bring, as they were read before: a lock-out asks these nothing."""
    found: list[Proposed] = []
    for reading in readings:
        connector = house.registry.get(reading.system)
        steps = [step for step in connector.steps if step.wave is Wave.LOCK_OUT] if connector.paperwork else []
        not_yet = Unseen(f"{NOT_SEEN}: {connector.name} is asked when it is done")
        found += [
            Proposed(reading.system, step, subject, not_yet)
            for step, subject in wanted_of(reading, steps, choices, readings)
        ]
    return found


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
    unread: list[Reading],
    cautions: list[Caution],
) -> Plan:
    """The plan as rows, awaiting approval, with its digest; `unread` are systems that could not be read for it."""
    client = house.roster.client(case.client)
    plan = Plan(id=house.new_id(), case_id=case.id, kind=kind, proposed_at=house.clock.now())
    plan.dry_run = client is None or client.dry_run
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
            case NotBefore(_, reason, items):
                row.reason = reason
                destroys = destroys or any(item.destroys for item in items)
            case Todo(items):
                destroys = destroys or any(item.destroys for item in items)
        session.add(row)
        session.flush()
        if isinstance(one.finding, Todo | NotBefore):
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
    _add_unread(session, house, plan, unread, len(proposed))
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


def unread_by(house: House, kind: str, readings: list[Reading]) -> list[Reading]:
    """What could not be read for a plan of that kind and has a row of its own there, until it answers."""
    failed = [reading for reading in readings if reading.error]
    if kind == LOCK_OUT:
        return [reading for reading in failed if not house.registry.get(reading.system).paperwork]
    return [reading for reading in failed if house.registry.get(reading.system).paperwork] if kind == REST else []


def _add_unread(session: Session, house: House, plan: Plan, unread: list[Reading], place: int) -> None:
    for offset, reading in enumerate(unread):
        connector = house.registry.get(reading.system)
        name, paper = connector.name, connector.paperwork
        session.add(
            StepRow(
                id=house.new_id(),
                plan_id=plan.id,
                case_id=plan.case_id,
                system=reading.system,
                step=f"{reading.system}.{UNREAD}",
                title=f"Read {name} once it answers" if paper else f"End access in {name}",
                wave=int(Wave.BILLING if paper else Wave.LOCK_OUT),
                place=place + offset,
                state=StepState.PENDING,
                reason=reading.error,
                instructions=(_SEE_TO_THE_BILL if paper else _END_ACCESS).format(name=name),
            )
        )
