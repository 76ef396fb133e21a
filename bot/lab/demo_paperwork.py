"""Contoso's bill and its ticket in the demo: what makes them worth a look, and what a visitor sees of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import cast

from bot.lab.companies import Companies
from bot.lab.demo_person import Trait
from connectors.connectwise import simulated_records as desk
from connectors.connectwise.simulator import Fault as DeskTrouble
from connectors.contract import Json
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import Person
from connectors.microsoft365.simulated_things import EXCHANGE_1, POWER_BI, Held
from connectors.pax8 import simulated_company as bought
from connectors.pax8.simulated_company import SimulatedSubscription
from connectors.pax8.simulator import Fault as SeatsTrouble

BILL, DESK = "The bill: seats at Pax8, lines in ConnectWise", "Service desk: ConnectWise"
LOOSE_LINE: Json = {"product": "PBI-PRO", "kind": "licence", "part_number": "POWER_BI_PRO"}
USERS = "MS-USER"
_ADDITIONS = {number: f"finance/agreements/{number}/additions" for number in (desk.MANAGED, desk.CLOUD)}
_LONGEST = 90
"""Letters of a note that are shown."""


class DemoPaperwork:
    """Both stand-ins, furnished for the demo, as somebody's part of them is shown."""

    def __init__(self, companies: Companies) -> None:
        self._companies = companies
        self._paper = companies.paperwork
        self._contoso = companies.microsoft.tenants[people.CONTOSO]
        self._furnish()
        self._held = {one.id: self._skus(one) for one in self._contoso.people.values()}
        """At the start: what somebody gave up is still theirs to be shown."""
        self._about: dict[int, str] = {}
        """Ticket → whom it is about: until they are locked out, the ticket itself keeps that quiet."""

    def traits(self, user: str) -> list[Trait]:
        """What the bill and the desk have of them now."""
        found = [*self._bill(user)]
        contact = self._contact(self._contoso.people[user])
        found += self._ticket(user)
        if contact is not None:
            state = "inactive" if contact["inactiveFlag"] else "active"
            portal = "portal shut" if contact["disablePortalLoginFlag"] else "portal open"
            found.append(Trait(DESK, "Contact", (state, portal)))
            theirs = [
                one for one in self._provider.of("company/configurations") if _number(one, "contact") == contact["id"]
            ]
            found.append(Trait(DESK, "Equipment", tuple(str(one["name"]) for one in theirs if one["activeFlag"])))
        return found

    def notice(self, leaver: str) -> None:
        """A ticket nobody has seen yet is about the newest case's leaver, unless it names somebody else."""
        for ticket in self._paper.connectwise.tickets:
            number, summary = cast("int", ticket["id"]), str(ticket["summary"])
            about = self._about.setdefault(number, leaver)
            named = [one.id for one in self._contoso.people.values() if f"Offboarding {one.name}," in summary]
            if named and about not in named:
                self._about[number] = named[0]

    def set_lag(self, seconds: float) -> None:
        """What is changed is seen only so much later."""
        self._paper.pax8.habits.lag = self._provider.lag = seconds

    def fail(self, kind: str, status: int, retry_after: str | None) -> Callable[[], None]:
        """Both misbehave until the answer is called."""
        pax8 = self._paper.pax8.fail(SeatsTrouble(kind, None, status=status, retry_after=retry_after))
        connectwise = self._paper.connectwise.fail(DeskTrouble(kind, None, status=status, retry_after=retry_after))

        def end() -> None:
            self._paper.pax8.faults.remove(pax8)
            self._paper.connectwise.faults.remove(connectwise)

        return end

    # --- the bill -------------------------------------------------------------------------------

    def _bill(self, user: str) -> Iterator[Trait]:
        lines = {str(line["product"]): str(line.get("part_number", "")) for line in self._paper.lines}
        for subscription, sku in self._paper.products.items():
            if sku in self._held.get(user, frozenset()):
                product = self._contoso.products[sku]
                bought_now = self._paper.pax8.subscriptions[subscription]
                invoiced = [
                    f"{count} invoiced"
                    for line, part in lines.items()
                    if part == product.part_number
                    for count in self._counts(line)
                ]
                used = product.used + self._contoso.holders(sku)
                values = (f"{bought_now.quantity} bought", f"{used} in use", *invoiced, _commitment(bought_now))
                yield Trait(BILL, bought_now.product.removeprefix("Microsoft "), values)
        yield Trait(BILL, "Managed users", tuple(f"{count} invoiced" for count in self._counts(USERS)))

    def _counts(self, line: str) -> list[str]:
        """How many the running agreements have of it."""
        additions = [one for name in _ADDITIONS.values() for one in self._provider.of(name)]
        return [
            f"{cast('float', one['quantity']):.0f}"
            for one in additions
            if cast("Json", one["product"])["identifier"] == line and "cancelledDate" not in one
        ]

    def _skus(self, person: Person) -> frozenset[str]:
        groups = [group for group in self._contoso.groups.values() if person.id in group.members]
        return frozenset(one.sku for one in person.licences) | {sku for group in groups for sku in group.licences}

    # --- the desk -------------------------------------------------------------------------------

    @property
    def _provider(self) -> desk.Provider:
        # Not kept: a reset of the stand-in is another one.
        return self._paper.connectwise.provider

    def _ticket(self, user: str) -> Iterator[Trait]:
        mine = [one for one in self._paper.connectwise.tickets if self._about.get(cast("int", one["id"])) == user]
        if not mine:
            yield from (Trait(DESK, name, ()) for name in ("Ticket", "Open tasks", "Last note"))
            return
        ticket, number = mine[-1], cast("int", mine[-1]["id"])
        status = str(cast("Json", ticket["status"])["name"]).removeprefix(">")
        yield Trait(DESK, "Ticket", (f"#{number} {ticket['summary']}", status))
        tasks = [one for one in self._provider.under(number, "tasks") if not one["closedFlag"]]
        yield Trait(DESK, "Open tasks", _counted(str(one["notes"]).partition("\n")[0] for one in tasks))
        notes = self._provider.under(number, "notes")
        yield Trait(DESK, "Last note", (_short(str(notes[-1]["text"])),) if notes else ())

    def _contact(self, person: Person) -> Json | None:
        mail = person.mail or person.user_name
        ours = (
            one for one in self._provider.of("company/contacts") if cast("Json", one["company"])["id"] == desk.CONTOSO
        )
        return next((one for one in ours if mail in _mails(one)), None)

    # --- what the demo adds to the samples ------------------------------------------------------

    def _furnish(self) -> None:
        """Jane gets a seat that may go at once, the invoice its line; names are what the other systems say."""
        paper, contoso = self._paper, self._contoso
        contoso.people[people.JANE].licences.append(Held(POWER_BI))
        paper.sells(bought.POWER_BI, POWER_BI)
        paper.sells(bought.EXCHANGE, EXCHANGE_1)
        paper.lines = (*paper.lines, LOOSE_LINE)
        seats = float(paper.pax8.subscriptions[bought.POWER_BI].quantity)
        line = self._provider.record(_ADDITIONS[desk.CLOUD], desk.POWER_BI_LINE)
        line |= {"quantity": seats, "billedQuantity": seats, "extPrice": seats * cast("float", line["unitPrice"])}
        self._provider.record("company/configurations", desk.LAPTOP)["name"] = "JANE-LAPTOP"
        maria = self._provider.record("company/contacts", desk.MARIA)
        person = contoso.people[people.MARIA]
        maria["firstName"], maria["lastName"] = person.name.split()
        for item in cast("list[Json]", maria["communicationItems"]):
            if item["communicationType"] == "Email":
                item["value"] = person.mail


def _commitment(subscription: SimulatedSubscription) -> str:
    """Until when the seats must be paid for, in few words."""
    until: datetime | None = subscription.committed_until
    loose = subscription.commitment in {"", bought.LOOSE}
    return "may shrink any day" if loose or until is None else f"committed until {until:%-d %b %Y}"


def _mails(contact: Json) -> set[str]:
    items = cast("list[Json]", contact["communicationItems"])
    return {str(one["value"]) for one in items if one["communicationType"] == "Email"}


def _number(record: Json, name: str) -> object:
    reference = record.get(name)
    return reference.get("id") if isinstance(reference, dict) else None


def _counted(titles: Iterable[str]) -> tuple[str, ...]:
    """Until somebody may read whom it is about, every task says the same."""
    return tuple(f"{count} × {title}" if count > 1 else title for title, count in Counter(titles).items())


def _short(note: str) -> str:
    """The beginning of a note, without our key at its end."""
    words = " · ".join(line for line in note.rpartition("\n\n[offboard ")[0].splitlines() if line)
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1].rstrip()}…"
