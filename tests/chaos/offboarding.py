"""One whole offboarding of a reference leaver, by people who press what is there and wait where they must."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from sqlmodel import Session

from connectors.contract import Account, Surroundings
from connectors.microsoft365 import simulated_people as people
from handlers.cases.states import WITH_PERSON, PlanState, StepState
from handlers.cases.tables import Answer, Case
from handlers.plan.digest import MONEY
from tests.chaos.calls import calls_of
from tests.chaos.leavers import Leaver
from tests.company import Company, company

QUIET = timedelta(minutes=20)
"""How far people look ahead while nothing is due: reminders come by, and everything is read back again."""
AT_REST = 4
"""So many quiet looks, and the case is at rest."""
LOOKS = 80
"""No case may take more: the slowest read-back is given three hours, and looked for every five minutes."""
BILL = "Approve the bill"
WAITS = (0, 2, 5, 15, 60, 300)
"""Seconds that people wait, once each, for a button that is not there yet."""


@dataclass
class Offboarding:
    """The company, who leaves it, and every password that was made up on the way."""

    leaver: Leaver
    company: Company
    passwords: list[str] = field(default_factory=list[str])
    approved_at: Mapping[str, int] | None = None
    """How many calls each system had heard at the approval."""

    async def run(self, look: Callable[[], None] = lambda: None) -> None:
        """From the command to rest; `look` is called after every stride."""
        world = self.company.world
        await self.ask()
        begun, quiet = world.clock.now(), 0
        for _ in range(LOOKS):
            if any(case.stage == "ask" for case in await world.cases()):
                await self._answers()
            await self._technicians_act()
            self.leaver.meanwhile(self.company.companies)
            look()
            if quiet == AT_REST:
                return
            now = world.clock.now()
            due = min((at for at, _, _ in world.queue.waiting), default=None)
            quiet += due is None
            least = timedelta(seconds=1) if now - begun < timedelta(minutes=10) else timedelta(minutes=5)
            world.clock.time = max(due, now + least) if due else now + QUIET
            await world.settle()

    def calls(self) -> Mapping[str, int]:
        """How many calls each system has heard."""
        return {system: len(heard) for system, heard in calls_of(self.company.companies).items()}

    async def ask(self) -> None:
        """The manager's side; what is not recommended was answered on another day, and stands."""
        leaver = self.leaver
        await self.company.world.types("maria", f"/offboard {leaver.asked}")
        terms = "Yes" if leaver.contentious else "No, on good terms"
        for label in (leaver.pick, "Resigned", terms, "Now"):
            await self._press("maria", label)
        await self._answers()

    async def _answers(self) -> None:
        """Whatever is asked now; what a system asks that was silent before is asked later."""
        world, leaver = self.company.world, self.leaver
        case = (await world.cases())[0]

        def write(session: Session) -> None:
            for question, value in leaver.answers.items():
                if session.get(Answer, (case.id, question)) is None:
                    session.add(self._answer(case, question, value))

        await world.house.store.write(write)
        if await self._press("maria", "Accept all recommended"):
            await self._press("maria", "Submit")

    def _answer(self, case: Case, question: str, value: str) -> Answer:
        who = self.company.companies.microsoft.tenants[people.CONTOSO].people.get(value)
        account = Account(system="microsoft365", id=who.id, name=who.name, mail=who.mail) if who else None
        return Answer(
            case_id=case.id,
            question=question,
            value=value,
            label=who.name if who else value,
            by="maria",
            at=self.company.world.clock.now(),
            account=account.model_dump(mode="json") if account else {},
        )

    async def _technicians_act(self) -> None:
        """Approve what waits, and do by hand what is a person's and this case has somebody for."""
        world = self.company.world
        waiting = [plan for plan in await world.plans() if plan.state == PlanState.AWAITING_APPROVAL]
        if waiting:
            self.approved_at = self.approved_at or self.calls()
            others = [plan for plan in waiting if plan.kind != MONEY]
            for person in ("sam", "priya")[: max((plan.approvers for plan in others), default=0)]:
                await self._press(person, "Approve", but=BILL)
            if len(others) < len(waiting):
                await self._press("bill", BILL)
        for name, row in (await world.steps()).items():
            if name in self.leaver.by_hand and StepState(row.state) in WITH_PERSON:
                note = {f"note-{row.id}": "Done, and looked at."}
                await self._press("sam", "I did it by hand", values=note, within=row.title)

    async def _press(
        self, person: str, label: str, values: dict[str, str] | None = None, within: str = "", but: str = "never"
    ) -> bool:
        """Press it as soon as it is there; whether it ever was."""
        world = self.company.world
        for seconds in WAITS:
            world.clock.time += timedelta(seconds=seconds)
            await world.settle()
            for shown in reversed(world.seen_by(person)):
                sections = [one for one in shown.card.sections if not within or within == one.heading]
                buttons = [
                    one
                    for section in sections
                    for one in section.buttons
                    if label in one.label and but not in one.label
                ]
                if buttons:
                    await world.presses(person, buttons[0].token, shown.place, values)
                    return True
        return False


@asynccontextmanager
async def offboarding(folder: Path, leaver: Leaver) -> AsyncGenerator[Offboarding]:
    """The company as this leaver's case finds it, before anybody has asked for anything."""
    async with company(folder, without=leaver.without, paperwork=leaver.paperwork) as all_of_it:
        leaver.furnish(all_of_it.companies)
        case = Offboarding(leaver, all_of_it)
        house = all_of_it.world.house
        around = house.surroundings

        def noting(client: str) -> Surroundings:
            given = around(client)

            def password() -> str:
                case.passwords.append(given.password())
                return case.passwords[-1]

            return replace(given, password=password)

        house.surroundings = noting
        yield case
