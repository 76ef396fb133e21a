"""A house whose Contoso is a whole simulated company: Microsoft 365, Exchange, a domain, and what else there is."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.lab.companies import SECRETS, Companies
from connectors.contract import Json
from connectors.exchange.simulated_mailboxes import SimulatedMailbox
from connectors.limiter import Rate, VendorLimiter
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import CONTOSO, Person
from connectors.registry import Registry
from tests.world import START, World, roster


@dataclass
class Company:
    """The world, and the stand-ins behind it."""

    world: World
    companies: Companies
    presses: int = 0
    """How many buttons Maria has pressed."""

    async def clicks(self, label: str, **values: str) -> str:
        """Maria presses a button; answers the line she is told."""
        self.presses += 1
        return (await self.world.clicks("maria", label, values=values)).line

    async def begins(
        self,
        name: str,
        pick: str = "",
        *,
        contentious: bool = False,
        how: str = "Resigned",
        when: str = "Now",
        **at: str,
    ) -> None:
        """Maria's interview up to when access ends, 'now' or another time."""
        self.presses = 0
        await self.world.types("maria", f"/offboard {name}")
        for label in (pick or name, how, "Yes" if contentious else "No, on good terms"):
            await self.clicks(label)
        await self.clicks(when, **at)

    async def accepts(self) -> str:
        """Everything recommended, up to wherever it stops; answers why."""
        return await self.clicks("Accept all recommended")

    async def asks(self, name: str, pick: str = "", *, contentious: bool = False) -> None:
        """The whole interview with everything recommended, submitted."""
        await self.begins(name, pick, contentious=contentious)
        stopped = await self.accepts()
        assert stopped == "", stopped
        await self.clicks("Submit")

    async def approved(self) -> None:
        """Sam approves whatever waits."""
        await self.world.clicks("sam", "Approve")

    def person(self, user: str) -> Person:
        return self.companies.person(user)

    def mailbox(self, user: str) -> SimulatedMailbox:
        return self.companies.mailbox(user)

    def groups_of(self, user: str) -> set[str]:
        """Names of the groups they are in."""
        groups = self.companies.microsoft.tenants[CONTOSO].groups.values()
        return {group.name for group in groups if user in group.members}

    async def states(self) -> dict[str, str]:
        """Step → state."""
        return {name: str(row.state) for name, row in (await self.world.steps()).items()}

    async def reasons(self) -> dict[str, str]:
        """Step → why it waits or what proved it; for messages of failing tests."""
        return {name: row.reason or row.evidence for name, row in (await self.world.steps()).items()}


@asynccontextmanager
async def company(
    folder: Path,
    *,
    without: tuple[str, ...] = (),
    paperwork: bool = False,
    changed: Mapping[str, Json] | None = None,
    **client: object,
) -> AsyncGenerator[Company]:
    """Start it all; `without` names systems that are not connected. With `paperwork`, the bill and the ticket, too.

    `changed` adds to a system's settings.
    """
    worlds: list[World] = []
    companies = Companies(now=lambda: worlds[0].clock.now() if worlds else START)
    async with companies:
        registry = Registry()
        every = {**companies.systems(), **(companies.paperwork.systems() if paperwork else {})}
        values = {name: one for name, one in every.items() if name not in without}
        values = {name: {**one, **(changed or {}).get(name, {})} for name, one in values.items()}
        systems = {name: registry.get(name).settings.model_validate(one) for name, one in values.items()}
        systems["elsewhere"] = registry.get("elsewhere").settings()
        client.setdefault("defaults", {})
        known = roster(systems=systems, **client)
        maria = known.people[0].model_copy(
            update={"directory": {"contoso": people.MARIA}, "mail": "maria@contoso.example", "name": "Maria Rossi"}
        )
        world = await World.build(folder, (), known.model_copy(update={"people": (maria, *known.people[1:])}))
        worlds.append(world)
        around = world.house.surroundings
        # The limiter counts real seconds, which a moved clock has none of.
        free = VendorLimiter(world.clock, rates={name: Rate(100_000, 1) for name in systems})
        world.house.surroundings = lambda client: dataclasses.replace(
            around(client), ca_file=companies.microsoft.ca_file, secret=SECRETS.__getitem__, limiter=free
        )
        try:
            yield Company(world, companies)
        finally:
            await world.close()
