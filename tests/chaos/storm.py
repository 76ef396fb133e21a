"""The storm: people who go on clicking, a service that keeps dying, and the count afterwards."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

from bot.lab.companies import Companies
from bot.lab.demo_stage import APPROVE_BILL
from bot.lab.sample_clients import BILL, MARIA, SAM, TECHNICIANS
from bot.lab.slack_limits import Shown, buttons
from connectors.contract import Json
from connectors.microsoft365.simulated_people import CONTOSO
from connectors.microsoft365.simulator import Fault
from tests.chaos.helpdesk import Server
from tests.chaos.paid import COUNTED, SETTINGS, Paid
from tests.city import City

AT_ONCE = 8
"""Cases under way at the same time."""
SLOW = 0.06
"""Seconds a vendor takes to answer."""
LONGEST_CALM = 6.0
"""Seconds between two kills at most, while the service is up."""
PATIENCE = 180.0
"""Seconds after the last kill within which everything must have come to its end."""
MANAGER_PRESSES = ("Head of", "Resigned", "No, on good terms", "Now", "Accept all", "Submit", "Search")
TECHNICIAN_PRESSES = ("Approve", "Retry")


class Storm:
    """One run."""

    def __init__(self, folder: Path, kills: int, seed: int, *, paperwork: bool = False) -> None:
        """With `paperwork`, every leaver has a seat that is paid for, and every case a ticket at the service desk."""
        self._folder, self._kills, self._random = folder, kills, random.Random(seed)
        self._paperwork = paperwork
        self._paid: Paid | None = None
        self._leavers = 0
        self._commands = 0

    async def run(self) -> dict[str, int]:
        """The figures."""
        desk = Server()
        address = await desk.start()
        systems: dict[str, Json] = {"helpdesk": {"base_url": address}, **(SETTINGS if self._paperwork else {})}
        # No licence is released before Exchange says that no mailbox hangs on it.
        companies = Companies() if self._paperwork else None
        city = City(
            self._folder, module="tests.chaos.bot", systems=systems, companies=companies, paperwork=self._paperwork
        )
        if city.paper:
            self._paid = Paid(city.paper)
            self._paid.furnish(city.microsoft.tenants[CONTOSO], SLOW)
        await city.start()
        city.microsoft.fail(CONTOSO, Fault("delay", calls=None, seconds=SLOW))
        people = asyncio.create_task(self._people(city))
        try:
            for _ in range(self._kills):
                await self._moment(city, desk)
                await city.bot.kill_now()
                await city.bot.start()
                await city.bot.until_up()
            self._commands = -1
            deadline = time.monotonic() + PATIENCE
            while self._unfinished(city) and time.monotonic() < deadline:  # noqa: ASYNC110 - two processes
                await asyncio.sleep(0.2)
        finally:
            people.cancel()
            await asyncio.gather(people, return_exceptions=True)
            await city.stop()
            await desk.stop()
        return self._count(city, desk)

    async def _moment(self, city: City, desk: Server) -> None:
        """When to kill: mostly in the middle of vendors' work, sometimes at any time."""
        if self._random.random() < 0.2:
            await asyncio.sleep(self._random.uniform(0.05, 2.0))
            return
        writes = self._writes(city, desk) + self._random.randint(1, 6)
        deadline = time.monotonic() + LONGEST_CALM
        while self._writes(city, desk) < writes and time.monotonic() < deadline:  # noqa: ASYNC110 - two processes
            await asyncio.sleep(0.005)
        await asyncio.sleep(self._random.uniform(0, 2 * SLOW))

    def _writes(self, city: City, desk: Server) -> int:
        """How many requests that change something have arrived."""
        paid = self._paid.writes if self._paid else 0
        return desk.asked + paid + sum(call.method != "GET" for call in city.microsoft.calls)

    # --- people ---------------------------------------------------------------------------------

    async def _people(self, city: City) -> None:
        """Start cases while the storm lasts, and press whatever is there to be pressed."""
        while True:
            if self._commands >= 0 and len(self._open(city)) < AT_ONCE:
                name = city.add_leaver(self._leavers)
                self._leavers += 1
                await city.types(MARIA, f"/offboard {name}")
            for message in city.slack.private(MARIA.user):
                await self._press(city, MARIA.user, message, MANAGER_PRESSES)
            for message in city.slack.messages(TECHNICIANS):
                await self._press(city, SAM.user, message, self._technicians_press(city))
            for message in city.slack.private(BILL.user):
                await self._press(city, BILL.user, message, (APPROVE_BILL,))
            await asyncio.sleep(0.05)

    def _technicians_press(self, city: City) -> tuple[str, ...]:
        """Nobody retries a bill that waits for somebody to compare numbers: it would only be told the same again."""
        stuck = "SELECT count(*) FROM step s JOIN plan p ON p.id = s.plan_id WHERE p.kind != 'money' AND s.state = ?"
        worth = not self._paid or city.rows(stuck, "needs a person") != [(0,)]
        return TECHNICIAN_PRESSES if worth else TECHNICIAN_PRESSES[:1]

    async def _press(self, city: City, user: str, message: Shown, wanted: tuple[str, ...]) -> None:
        for label in buttons(message):
            if any(want in label for want in wanted) and (label != APPROVE_BILL or user == BILL.user):
                await city.clicks(user, message, label)
                return

    # --- what really happened -------------------------------------------------------------------

    def _open(self, city: City) -> list[str]:
        """Cases that are neither done nor called off."""
        rows = city.rows(
            "SELECT c.id FROM 'case' c WHERE c.closed = '' AND (SELECT count(*) FROM plan p WHERE"
            " p.case_id = c.id AND p.kind IN ('lock-out', 'rest') AND p.state = 'done') < 2"
        )
        return [str(row[0]) for row in rows]

    def _unfinished(self, city: City) -> list[str]:
        """The same, and those without a ticket, or with something under way that is no wait for a time of its own."""
        if self._paid is None:
            return self._open(city)
        return [*self._open(city), *self._paid.without_ticket(city), *self._paid.under_way(city)]

    def _count(self, city: City, desk: Server) -> dict[str, int]:
        done = city.rows(
            "SELECT s.step, json_extract(c.leaver, '$.id'), s.id FROM step s JOIN 'case' c ON c.id = s.case_id"
            " WHERE s.state = 'done'"
        )
        false_done = sum(not self._is_so(city, desk, *map(str, row)) for row in done)
        cases = city.rows("SELECT count(*) FROM 'case'")[0][0]
        repeats = self._repeats(city)
        doubled = sum(len(numbers) - 1 for numbers in desk.tickets.values())
        figures = {"kills": self._kills, "cases": int(str(cases))}
        if self._paid:
            figures |= self._paid.figures(city)
            doubled += self._paid.doubled(city)
            false_done += self._paid.false_done(city)
        return figures | {
            "lost": len(self._unfinished(city)),
            "doubled": doubled,
            "false_done": false_done,
            "idempotent_repeats": repeats,
        }

    def _is_so(self, city: City, desk: Server, step: str, person_id: str, row_id: str) -> bool:
        """Whether the simulator shows what the row claims."""
        if step in COUNTED:
            return True
        if step == "helpdesk.open_ticket":
            items = city.rows("SELECT id FROM item WHERE step_id = ?", row_id)
            return all(desk.tickets.get(str(item[0])) for item in items)
        person = city.person(person_id)
        return {
            "microsoft365.block_sign_in": lambda: not person.enabled,
            "microsoft365.reset_password": lambda: city.since_start(person.password_changed),
            "microsoft365.revoke_sessions": lambda: city.since_start(person.sessions_valid_from),
            "microsoft365.revoke_sessions_again": lambda: city.since_start(person.sessions_valid_from),
            "microsoft365.remove_sign_in_methods": lambda: not person.methods,
            "microsoft365.release_licences": lambda: not person.licences,
        }[step]()

    def _repeats(self, city: City) -> int:
        """Effects beyond the one (sessions: two) that a leaver's case needs."""
        seen: dict[tuple[str, str], int] = {}
        for effect in city.microsoft.effects:
            if "method" not in effect.what:
                key = (effect.user, effect.what)
                seen[key] = seen.get(key, 0) + 1
        return sum(count - (2 if "session" in what else 1) for (_, what), count in seen.items() if count > 1)
