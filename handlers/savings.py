"""What a case saves: read from the systems, told to those who pay it, and summed up for the MSP."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from sqlmodel import Session

from connectors.money import Payer, Saving
from handlers.cases.tables import Case
from handlers.house import House
from handlers.plan.readings import choices_of, readings_of


def of_case(session: Session, house: House, case: Case) -> list[Saving]:
    """Everything that will be paid less by the answers so far, as it was read.

    What the client pays stands on its invoice: where a service desk knows that, the distributor's own price for the
    client is left out, or a seat would be counted twice.
    """
    choices = choices_of(session, case.id)
    found: list[Saving] = []
    invoiced: list[Saving] = []
    for reading in readings_of(session, house, case.id):
        if reading.facts is None:
            continue
        connector = house.registry.get(reading.system)
        told = connector.savings(reading.facts, choices)
        if connector.desk is not None:
            invoiced += told
        else:
            found += told
    seats = {one.part_number: one for one in found if one.part_number}
    if any(one.payer is Payer.CLIENT for one in invoiced):
        found = [one for one in found if one.payer is not Payer.CLIENT]
    return [*(_no_sooner(one, seats.get(one.part_number)) for one in invoiced), *found]


def _no_sooner(line: Saving, seat: Saving | None) -> Saving:
    """A line on the invoice never falls below its seat: nothing is saved there before the seat is given back."""
    if seat is None:
        return line
    starts = max(line.starts, seat.starts) if line.starts and seat.starts else None
    return line.model_copy(update={"starts": starts, "committed_until": seat.committed_until})


def lines(house: House, case: Case, found: Iterable[Saving], *payers: Payer) -> list[str]:
    """One line for each: how much a month, from when, and what is committed until when; several with their sum."""
    shown = [one for one in found if one.payer in payers]
    client = house.roster.client(case.client)
    whose = {Payer.CLIENT: client.name if client else "the client", Payer.MSP: house.roster.msp.name}
    told = [f"{_line(one)} ({whose[one.payer]})" if len(payers) > 1 else _line(one) for one in shown]
    for payer in payers:
        mine = [one for one in shown if one.payer is payer]
        if len(mine) > 1:
            told.append(f"Together for {whose[payer]}: {_together(mine)}.")
    return told


def _together(found: list[Saving]) -> str:
    """What is saved from which day on: what begins later is not counted before."""
    dated = sorted({one.starts for one in found if one.starts})
    told = [
        f"{sums(one for one in found if one.starts and one.starts <= day)} a month from {day:%-d %b %Y}"
        for day in dated
    ]
    some_day = [one for one in found if one.starts is None]
    if some_day:
        told.append(f"{sums(some_day)} a month from a day that nobody can say yet")
    return ", ".join(told)


def sums(found: Iterable[Saving]) -> str:
    """'37.40 EUR', each currency by itself."""
    total: dict[str, Decimal] = defaultdict(Decimal)
    for one in found:
        total[one.currency] += one.monthly
    return " and ".join(f"{amount:.2f} {currency}" for currency, amount in sorted(total.items()))


def _line(one: Saving) -> str:
    amount = f"{one.title}: {one.monthly:.2f} {one.currency} a month"
    begins = f", from {one.starts:%-d %b %Y} on" if one.starts else ", nobody can say yet from when"
    committed = f"; committed until {one.committed_until:%-d %b %Y}" if one.committed_until else ""
    return f"{amount}{begins}{committed}."
