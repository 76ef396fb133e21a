"""What each system says about the leaver, read once per plan and kept; and what a step is given of it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import Session, col, delete, select

from connectors.contract import Account, Context, Json, Read, Throttled, Unreachable, VendorError
from handlers.cases.store import CASE, once
from handlers.cases.tables import AccountRow, Answer, Case
from handlers.cases.wanted import leaver_of
from handlers.house import House

log = logging.getLogger("offboard.readings")

Before = Mapping[str, BaseModel]
"""System → the facts read before anything was done."""
Accounts = Mapping[str, Account]
"""System → the leaver's account there."""


@dataclass(frozen=True)
class Reading:
    """What one system said about the leaver."""

    system: str
    account: Account | None
    facts: BaseModel | None
    error: str = ""


_ANSWERS = select(Answer).where(Answer.case_id == CASE).order_by(col(Answer.question))
_READ = (
    select(
        AccountRow.system, sa.cast(AccountRow.account, sa.Text), sa.cast(AccountRow.facts, sa.Text), AccountRow.error
    )
    .where(AccountRow.case_id == CASE)
    .order_by(col(AccountRow.system))
)
Model = TypeVar("Model", bound=BaseModel)


def answer_rows(session: Session, case_id: str) -> list[Answer]:
    """What was answered so far, in a stable order."""
    return once(session, ("answers", case_id), lambda: list(session.exec(_ANSWERS, params={"case": case_id})))


def choices_of(session: Session, case_id: str) -> dict[str, str]:
    """Confirmed answers as steps read them: question id → value, a person's name and mail beside it."""
    return once(session, ("choices", case_id), lambda: _choices(session, case_id))


def _choices(session: Session, case_id: str) -> dict[str, str]:
    choices: dict[str, str] = {}
    for answer in answer_rows(session, case_id):
        if answer.asked_technician:
            continue
        choices[answer.question] = answer.value
        if answer.account:
            person = Account.model_validate(answer.account)
            choices[f"{answer.question}.name"] = person.name
            choices[f"{answer.question}.mail"] = person.mail or person.user_name
    return choices


async def read_everywhere(
    house: House,
    client_id: str,
    leaver: Account,
    *,
    last_try: bool,
    paperwork: bool = True,
    kept: Iterable[Reading] = (),
) -> list[Reading]:
    """Ask every system of the client at once; one that is down says so and stops no other.

    Without `paperwork` the bill and the ticket are left out: a lock-out never waits for them.

    `kept` is what was read before anything was done: what one system must know of another is taken from there.
    Only the directory is worth asking again first, since without it there is no lock-out to plan: unless this
    is the last try, its being slow or down is raised as Throttled or Unreachable.
    """
    client = house.roster.client(client_id)
    every = list(client.systems) if client else []
    systems = [name for name in every if paperwork or not house.registry.get(name).paperwork]
    before = {reading.system: reading.facts for reading in kept if reading.facts is not None}
    reads = (read_one(house, client_id, name, leaver, last_try=last_try, before=before) for name in systems)
    return await asyncio.gather(*reads)


async def read_one(
    house: House, client_id: str, system: str, leaver: Account, *, last_try: bool, before: Before | None = None
) -> Reading:
    """What that system says about the leaver; see `read_everywhere`."""
    directory = house.registry.get(system).directory
    within = house.timings.reading.total_seconds()
    try:
        if directory:
            return await _read(house, client_id, system, leaver, before or {})
        async with asyncio.timeout(within):
            return await _read(house, client_id, system, leaver, before or {})
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


async def _read(house: House, client_id: str, system: str, leaver: Account, before: Before) -> Reading:
    connector, api = await house.connection(client_id, system)
    accounts = await connector.find(api, leaver)
    if not accounts:
        return Reading(system, None, None)
    if len(accounts) > 1 or not accounts[0].certain:
        names = ", ".join(f"{account.name} ({account.user_name})" for account in accounts)
        return Reading(system, None, None, f"It is not certain which account is theirs: {names}.")
    facts = await connector.facts(api, accounts[0])
    facts = await connector.complete(api, facts, reader(house, client_id, leaver, before=before))
    return Reading(system, accounts[0], facts)


def keep_readings(session: Session, house: House, case: Case, readings: list[Reading]) -> None:
    """Write down what was read, in place of what those systems said before."""
    again = [reading.system for reading in readings]
    session.exec(delete(AccountRow).where(col(AccountRow.case_id) == case.id, col(AccountRow.system).in_(again)))
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

    def read() -> list[Reading]:
        return [_recalled(house, *row) for row in session.exec(_READ, params={"case": case_id})]

    return list(once(session, ("readings", case_id), read))


def _recalled(house: House, system: str, account: str, facts: str, error: str) -> Reading:
    if error:
        return Reading(system, None, None, error)
    return Reading(system, _meant(Account, account), _meant(house.registry.get(system).facts_model, facts))


@lru_cache(maxsize=512)
def _meant(model: type[Model], written: str) -> Model:
    """What stands in a row, as an object: a card asks for the same at every click, and the same words mean the same."""
    # Not pydantic's own reader of JSON: it refuses what a vendor cut in the middle of an emoji.
    return model.model_validate(json.loads(written))


def reading_of(house: House, row: AccountRow) -> Reading:
    """One of them, made anew: a step that acts shares its facts with nobody.

    Raises ValidationError when another version of the connector wrote it.
    """
    if row.error:
        return Reading(row.system, None, None, row.error)
    facts = house.registry.get(row.system).facts_model.model_validate(row.facts)
    return Reading(row.system, Account.model_validate(row.account), facts)


def accounts_of(readings: Iterable[Reading]) -> Accounts:
    """The leaver's accounts among what was read."""
    return {reading.system: reading.account for reading in readings if reading.account is not None}


def reader(
    house: House, client_id: str, leaver: Account, known: Accounts | None = None, before: Before | None = None
) -> Read:
    """How a system asks another one about the leaver; whose account there is known already is not looked for again.

    What stands in the facts read `before` anything was done is taken from them.
    """

    async def read(name: str) -> Json:
        system, _, _ = name.partition(".")
        if system in (before or {}):
            recalled = house.registry.get(system).recalled((before or {})[system], name)
            if recalled is not None:
                return recalled
        connector, other = await house.connection(client_id, system)
        account = (known or {}).get(system)
        if account is None:
            found = await connector.find(other, leaver)
            account = found[0] if found else Account(system=system, id="", name="")
        return await connector.reads()[name](other, account)

    return read


def context(
    house: House,
    case: Case,
    reading: Reading,
    known: Accounts,
    api: object,
    choices: dict[str, str],
    key: str,
    subject: str = "",
) -> Context[Any, Any]:
    """What a step is given; `reading` is its own system's and must have an account."""
    if reading.account is None or reading.facts is None:
        raise ValueError(f"{reading.system} has no account to work on")
    return Context(
        api=api,
        account=reading.account,
        facts=reading.facts,
        choices=choices,
        clock=house.clock,
        key=key,
        read=reader(house, case.client, leaver_of(case), known),
        subject=subject,
    )
