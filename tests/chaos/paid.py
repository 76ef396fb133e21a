"""The storm's bill and ticket: enough seats for everybody who leaves, and the count of what was done at both desks."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import cast

from bot.lab.paperwork import Paperwork
from connectors.connectwise import simulated_records as psa
from connectors.connectwise.simulator import Fault as DeskFault
from connectors.contract import Json
from connectors.microsoft365.simulated_people import Tenant
from connectors.microsoft365.simulated_things import POWER_BI
from connectors.pax8 import simulated_company as bought
from connectors.pax8.simulator import Fault as Pax8Fault
from tests.city import City

SEATS = 500
"""More than anybody can leave."""
PRODUCT = "PBI-PRO"
SETTINGS: dict[str, Json] = {
    "connectwise": {"lines": [{"product": PRODUCT, "kind": "licence", "part_number": "POWER_BI_PRO"}]}
}
"""What clients.yml says otherwise than in the samples: of the lines, only the one all of them are counted in."""
COUNTED = frozenset({"pax8.reduce_seats", "connectwise.reduce_lines"})
"""Steps that many leavers take at one and the same number: whether they are so is told by the count of all."""
_KEY = re.compile(r"\[offboard ([^\]\s]+)\]")


@dataclass
class Paid:
    """Both desks during a storm."""

    paper: Paperwork

    def furnish(self, contoso: Tenant, slow: float) -> None:
        """Seats for everybody; each desk takes its time to say what it has done, which is when to be killed."""
        subscription, product = self.paper.pax8.subscriptions[bought.POWER_BI], contoso.products[POWER_BI]
        subscription.buy(self.paper.pax8.now(), SEATS - subscription.quantity)
        product.bought, product.used = SEATS, SEATS - contoso.holders(POWER_BI)
        self._line["quantity"] = float(SEATS)
        self.paper.pax8.fail(Pax8Fault("hang", None, "PUT ", seconds=slow))
        for method in ("POST ", "PATCH "):
            self.paper.connectwise.fail(DeskFault("hang", None, method, seconds=slow))

    @property
    def writes(self) -> int:
        """Requests that changed something."""
        return len(self.paper.pax8.effects) + len(self.paper.connectwise.effects)

    @property
    def _line(self) -> Json:
        return self.paper.connectwise.provider.record(f"finance/agreements/{psa.CLOUD}/additions", psa.POWER_BI_LINE)

    @property
    def seats_gone(self) -> int:
        """Seats that were given back."""
        return SEATS - self.paper.pax8.subscriptions[bought.POWER_BI].quantity

    @property
    def lines_gone(self) -> int:
        """How far the line on the invoice fell."""
        return SEATS - int(cast("float", self._line["quantity"]))

    def without_ticket(self, city: City) -> list[str]:
        """Approved cases that have none, or one on which nothing says what ended."""
        cases = city.rows(
            "SELECT DISTINCT c.number, c.id FROM 'case' c JOIN plan p ON p.case_id = c.id WHERE p.approved_at != ''"
        )
        told = self._keys()
        keys = [f"{number}-{str(case).replace('-', '')[-12:]}" for number, case in cases]
        return [key for key in keys if not told[f"{key}.ways"]]

    def _keys(self) -> Counter[str]:
        """How often each key of ours stands at the service desk."""
        desk = self.paper.connectwise
        noted = [str(one.get("text") or one.get("notes")) for one in (*desk.notes, *desk.tasks, *desk.times)]
        return Counter(key for one in noted for key in _KEY.findall(one))

    def under_way(self, city: City) -> list[str]:
        """Steps of a bill that go on now; one behind a seat that Pax8 does not show yet waits for minutes."""
        query = (
            "SELECT s.id FROM step s JOIN plan p ON p.id = s.plan_id WHERE p.kind = 'money' AND s.state IN"
            " ('ready', 'running')"
        )
        return [str(row[0]) for row in city.rows(query)]

    def figures(self, city: City) -> dict[str, int]:
        """How much there was to go wrong, and what was left to people."""
        left = "SELECT count(*) FROM step WHERE state IN ('task', 'needs a person') AND step IN (?, ?)"
        wait = "SELECT count(*) FROM step WHERE state IN ('waiting', 'pending') AND step IN (?, ?)"
        return {
            "tickets": len(self.paper.connectwise.tickets),
            "notes": len(self.paper.connectwise.notes),
            "seats": self.seats_gone,
            "lines": self.lines_gone,
            "waiting": int(str(city.rows(wait, *COUNTED)[0][0])),
            "with_person": int(str(city.rows(left, *COUNTED)[0][0])),
        }

    def doubled(self, city: City) -> int:
        """Tickets, notes, tasks and hours that stand there twice; seats and lines beyond one for each leaver."""
        references = Counter(str(one["externalXRef"]) for one in self.paper.connectwise.tickets)
        twice = sum(count - 1 for count in (*references.values(), *self._keys().values()))
        seats, lines = (self._rows(city, step, "") for step in ("pax8.reduce_seats", "connectwise.reduce_lines"))
        return twice + max(0, self.seats_gone - seats) + max(0, self.lines_gone - lines)

    def false_done(self, city: City) -> int:
        """Rows that say one seat or line fewer, beyond those that there are fewer; and seats nobody pays for."""
        seats = self._rows(city, "pax8.reduce_seats", "Pax8 reads as%")
        lines = self._rows(city, "connectwise.reduce_lines", "Power BI Pro reads%")
        return max(0, seats - self.seats_gone) + max(0, lines - self.lines_gone)

    def _rows(self, city: City, step: str, evidence: str) -> int:
        """Rows of that step with an item that was meant, or done with that evidence."""
        if evidence:
            query = "SELECT count(*) FROM step WHERE step = ? AND state = 'done' AND evidence LIKE ?"
            return int(str(city.rows(query, step, evidence)[0][0]))
        query = "SELECT count(*) FROM item i JOIN step s ON s.id = i.step_id WHERE s.step = ? AND i.intended_at != ''"
        return int(str(city.rows(query, step)[0][0]))
