"""What the distributor and the service desk really show: seats, lines, the contact, and the one ticket, by its keys."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cached_property

from bot.lab.companies import Companies
from bot.lab.paperwork import PRODUCTS
from connectors.connectwise import simulated_records as psa
from connectors.contract import Json
from connectors.microsoft365.simulated_people import CONTOSO
from connectors.microsoft365.simulated_things import E3
from connectors.pax8.simulator import SECRET
from handlers.cases.states import SETTLED, UNDECIDED, WITH_PERSON, PlanState, StepState
from handlers.cases.tables import Plan, StepRow
from handlers.plan.digest import LOCK_OUT
from tests.chaos.leavers import Leaver

LOCKED = "Locked out; each way in read back."
_KEY = re.compile(r"\[offboard ([^\]\s]+)\]")
_KEYS = f"{psa.COMPANY}+{psa.PUBLIC_KEY}:{psa.PRIVATE_KEY}"
SECRETS = frozenset({SECRET, psa.PRIVATE_KEY, base64.b64encode(_KEYS.encode()).decode()})
"""What must be nowhere."""


class Paper:
    """Both stand-ins as they are now, and how many seats and lines there were before."""

    def __init__(self, leaver: Leaver, companies: Companies) -> None:
        self._leaver, self._companies = leaver, companies
        self._bought, self._invoiced = self._seats(), self._lines()

    # --- the bill -------------------------------------------------------------------------------

    def _seats(self) -> dict[str, int]:
        return {one.id: one.quantity for one in self._companies.paperwork.pax8.subscriptions.values()}

    def _lines(self) -> dict[int, tuple[str, Decimal]]:
        """Every line that is still billed: its product and how many."""
        found = self._companies.paperwork.connectwise.provider.every("additions")
        return {
            int(str(one["id"])): (_name(one, "product", "identifier"), Decimal(str(one["quantity"])))
            for one in found
            if "cancelledDate" not in one and one["agreementId"] != psa.ENDED
        }

    def seat_given_back(self, product: str) -> bool:
        """One seat of that product fewer than before, and no more than one."""
        known = self._companies.paperwork.pax8.subscriptions
        now = self._seats()
        return any(now[one] == was - 1 for one, was in self._bought.items() if known[one].product == product)

    def line_fell(self, product: str) -> bool:
        """One of that product fewer on the invoice."""
        now = self._lines()
        return any(now[one][1] == was - 1 for one, (name, was) in self._invoiced.items() if name == product)

    def _too_few(self) -> Iterable[str]:
        """Seats that somebody needs and nobody pays for any more; lines below what is still bought."""
        contoso, seats = self._companies.microsoft.tenants[CONTOSO], self._seats()
        for subscription, sku in PRODUCTS.items():
            needed = contoso.products[sku].used + contoso.holders(sku)
            if seats[subscription] < needed:
                yield f"{seats[subscription]} seats are bought where {needed} are needed"
        invoiced = sum(count for name, count in self._lines().values() if name == "M365-E3")
        if self._leaver.paperwork and invoiced < min(seats[one] for one, sku in PRODUCTS.items() if sku == E3):
            yield f"{invoiced} seats are on the invoice, and more are bought"

    def _too_many(self) -> Iterable[str]:
        """More than one seat or line for one leaver, and anything else that was written with them."""
        for one, was in self._bought.items():
            if self._seats()[one] not in (was, was - 1):
                yield f"{was} → {self._seats()[one]} seats for one leaver"
        for one, (name, was) in self._invoiced.items():
            if self._lines()[one][1] not in (was, was - 1):
                yield f"{was} → {self._lines()[one][1]} {name} for one leaver"
        written = {one.what for one in self._companies.paperwork.pax8.effects} - {"seats"}
        yield from (f"{what} at the distributor" for what in written)

    # --- the contact ----------------------------------------------------------------------------

    @cached_property
    def _contact(self) -> int:
        mail = self._companies.person(self._leaver.person).mail
        known = self._companies.paperwork.connectwise.provider.of("company/contacts")
        return next((int(str(one["id"])) for one in known if mail in str(one)), 0)

    def _is_set(self, name: str) -> bool:
        contacts = self._companies.paperwork.connectwise.provider.collections["company/contacts"]
        return contacts[self._contact][name] is True

    @property
    def portal_shut(self) -> bool:
        """They can't sign in to the desk's portal, where they could."""
        return not (self._leaver.paperwork and self._contact) or self._is_set("disablePortalLoginFlag")

    @property
    def inactive(self) -> bool:
        """Nobody takes them for a contact any more."""
        return self._is_set("inactiveFlag") and self.portal_shut

    @property
    def equipment_back(self) -> bool:
        """No active device has them as its contact."""
        known = self._companies.paperwork.connectwise.provider.of("company/configurations")
        theirs = [one for one in known if _name(one, "contact", "id") == str(self._contact)]
        return not any(one["activeFlag"] for one in theirs)

    # --- the ticket -----------------------------------------------------------------------------

    @property
    def _tickets(self) -> list[Json]:
        return self._companies.paperwork.connectwise.tickets

    def _written(self) -> list[str]:
        """Everything that was written at the desk."""
        desk = self._companies.paperwork.connectwise
        noted = [one.get("text") or one.get("notes") for one in (*desk.notes, *desk.tasks, *desk.times)]
        return [str(one) for one in (*noted, *(ticket["summary"] for ticket in self._tickets))]

    def lies_now(self, still_open: list[str], *, blocked: bool) -> Iterable[str]:
        """What must not be so at any moment of a case."""
        yield from self._too_few()
        written = self._written()
        if still_open and any(LOCKED in one for one in written):
            yield f"the ticket says locked out while open: {', '.join(still_open)}"
        if not blocked and any(self._leaver.asked in one for one in written):
            yield "the ticket names the leaver before their access has ended"

    def lies(self) -> Iterable[str]:
        """What must not be so once a case has come to rest, whatever it says."""
        yield from self._too_many()
        written = self._written()
        keys = Counter(key for one in written for key in _KEY.findall(one))
        yield from (f"{count} times at the desk: {key}" for key, count in keys.items() if count > 1)
        if len(self._tickets) > 1:
            yield f"{len(self._tickets)} tickets"
        yield from (f"mail about the ticket to {mail.to}" for mail in self._companies.paperwork.connectwise.mails)
        if any(secret in one for secret in SECRETS for one in written):
            yield "a secret stands on the ticket"

    def ticket_lies(self, plans: Sequence[Plan], rows: Sequence[StepRow]) -> Iterable[str]:
        """Where the ticket, which is said to be up to date, and the case differ."""
        approved = {plan.id for plan in plans if plan.approved_at}
        if not approved:
            return
        if not self._tickets:
            yield "there is no ticket"
            return
        ticket, desk = self._tickets[0], self._companies.paperwork.connectwise
        told = any(plan.kind == LOCK_OUT and (plan.locked_out_at or plan.state == PlanState.DONE) for plan in plans)
        if told is not (self._leaver.asked in str(ticket["summary"])):
            yield f"the ticket is called {ticket['summary']}"
        if told is not any(".ways]" in str(note["text"]) for note in desk.notes):
            yield "what ended when stands on the ticket only where it did"
        with_person = [row for row in rows if StepState(row.state) in WITH_PERSON and row.plan_id in approved]
        there = [str(task["notes"]) for task in desk.tasks if not task["closedFlag"]]
        for row in rows:
            named = [one for one in there if ".attention." not in one]
            count, wanted = sum(row.id in one for one in named), int(told and row in with_person)
            if count != wanted:
                yield f"{row.step} is {row.state} and has {count} open tasks on the ticket"
        # Before access has ended, which step it is would tell whom: one neutral task stands for all.
        neutral = sum(".attention." in one for one in there)
        if neutral != int(bool(with_person) and not told):
            yield f"{neutral} neutral tasks stand on the ticket"
        moving = any(StepState(row.state) not in SETTLED | WITH_PERSON for row in rows)
        undecided = any(PlanState(plan.state) in UNDECIDED for plan in plans)
        if ticket["closedFlag"] is not (not with_person and not moving and not undecided):
            yield f"the ticket is {'closed' if ticket['closedFlag'] else 'open'}"
        if ticket["closedFlag"] and len(desk.times) != 1:
            yield f"the ticket is closed with {len(desk.times)} time entries"


def _name(record: Json, name: str, part: str) -> str:
    value = record.get(name)
    return str(value.get(part)) if isinstance(value, dict) else ""
