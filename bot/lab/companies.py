"""The sample clients as one world: their Microsoft 365, Exchange and domains, simulated beside each other.

The three stand-ins know nothing of each other; here a licence taken off starts to cost a mailbox, and an account
disabled in the domain stays off after the next sync.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime

from bot.lab import hybrid_client
from bot.lab.paperwork import SECRETS as PAPERWORK_SECRETS
from bot.lab.paperwork import Paperwork
from connectors.active_directory.simulated_people import BIND_PASSWORD, fabrikam_domain
from connectors.active_directory.simulator import SimulatedActiveDirectory
from connectors.contract import Json
from connectors.exchange.client import PERMISSION as EXCHANGE_PERMISSION
from connectors.exchange.simulated_mailboxes import GIGABYTE, SimulatedMailbox
from connectors.exchange.simulator import SimulatedExchange
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import CONTOSO, FABRIKAM, Person
from connectors.microsoft365.simulated_things import E3, EXCHANGE_1, Device, Drive, Group, Held, Mailbox
from connectors.microsoft365.simulator import SimulatedMicrosoft
from connectors.simulated_faults import Started

SECRETS = {"env/MICROSOFT_SECRET": people.SECRET, "env/DOMAIN_PASSWORD": BIND_PASSWORD, **PAPERWORK_SECRETS}
"""What the references in `systems` stand for."""
SALES_TEAM = "c0000000-0000-4000-8000-0000000000ea"
SALES_FILES = "c0000000-0000-4000-8000-0000000000eb"
JANES_LAPTOP = "c0000000-0000-4000-8000-000000000074"


class Companies(Started):
    """Start it with `async with`, then take `systems` and `ca_file`."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.microsoft = SimulatedMicrosoft(now=now)
        self.exchange = SimulatedExchange(self.microsoft.tenant_of, licensed=self._licensed, now=now)
        self.domain = SimulatedActiveDirectory(now=now)
        self.domains = {CONTOSO: self.domain, FABRIKAM: SimulatedActiveDirectory(now=now, domain=fabrikam_domain())}
        """By tenant."""
        self._furnish()
        self.paperwork = Paperwork(self.microsoft.tenants[CONTOSO], now)

    async def start(self) -> None:
        """Listen on loopback, all with certificates of one authority."""
        await self.microsoft.start()
        await self.exchange.start()
        await self.paperwork.start()
        for domain in self.domains.values():
            domain.tls = self.microsoft.certificate
            await domain.start()

    async def stop(self) -> None:
        """Stop listening."""
        for domain in self.domains.values():
            await domain.stop()
        await self.paperwork.stop()
        await self.exchange.stop()
        await self.microsoft.stop()

    def systems(self, tenant: str = CONTOSO) -> dict[str, Json]:
        """What clients.yml would say under `systems` for that tenant."""
        microsoft = self.microsoft.settings(tenant)
        systems = {
            "microsoft365": microsoft,
            "exchange": {**microsoft, "base_url": self.exchange.base_url},
            "active_directory": self.domains[tenant].settings(),
        }
        if tenant == CONTOSO:
            systems["microsoft365"] = {**microsoft, "break_glass": [people.BREAK_GLASS]}
        return systems

    def person(self, user: str) -> Person:
        """The person with that object id."""
        return self.microsoft.person(user)

    def mailbox(self, user: str) -> SimulatedMailbox:
        """Their mailbox."""
        return self.exchange.mailbox(user)

    # --- what ties them together ----------------------------------------------------------------

    def _licensed(self, tenant: str, user: str) -> bool:
        """Whether a product with Exchange is theirs, directly or by a group; who never had one is not looked at."""
        if user not in self._once_licensed:
            return True
        known = self.microsoft.tenants[tenant]
        person = known.people.get(user)
        held = {one.sku for one in person.licences} if person else set[str]()
        held |= {sku for group in known.groups.values() if user in group.members for sku in group.licences}
        return bool(held & {E3, EXCHANGE_1})

    def _furnish(self) -> None:
        """Give the sample people what people have, on every side."""
        contoso = self.microsoft.tenants[CONTOSO]
        for tenant in (CONTOSO, FABRIKAM):
            known = self.microsoft.tenants[tenant]
            known.permissions = (*known.permissions, EXCHANGE_PERMISSION)
            known.domain_disabled = _DisabledIn(self.domains[tenant])
        hybrid_client.furnish_directory(self.microsoft.tenants[FABRIKAM])
        hybrid_client.furnish_mail(self.exchange.organisations[FABRIKAM])
        mailboxes = self.exchange.organisations[CONTOSO].mailboxes
        for user in (people.OLIVIA, people.HELGA, people.LEAD):
            person = contoso.people[user]
            mailboxes[user] = SimulatedMailbox(user, person.name, person.user_name, person.mail)
        mailboxes[people.HELGA].size = 60 * GIGABYTE
        mailboxes[people.HELGA].litigation_hold = True
        room = contoso.people[people.ROOM]
        mailboxes[people.ROOM] = SimulatedMailbox(people.ROOM, room.name, room.user_name, room.mail, kind="RoomMailbox")
        jane, sam = contoso.people[people.JANE], contoso.people[people.SYNCED]
        for person in (jane, sam):
            person.licences, person.mailbox = [Held(E3)], Mailbox()
        jane.drive = Drive("b!jane", 4_200_000_000)
        contoso.groups[SALES_TEAM] = Group(
            SALES_TEAM, "Sales team", members=(people.JANE, people.SEAN), owners=(people.JANE,), kind="microsoft365"
        )
        contoso.groups[SALES_FILES] = Group(SALES_FILES, "Sales files", members=(people.JANE, people.ZOE))
        contoso.devices[JANES_LAPTOP] = Device(JANES_LAPTOP, "JANE-LAPTOP", registered=(people.JANE,))
        self._once_licensed = frozenset({people.JANE, people.SYNCED, people.OLIVIA, people.HELGA, people.FABRIKAM_JANE})


class _DisabledIn(Collection[str]):
    """The domain names of accounts that are disabled in a domain, as it is now."""

    def __init__(self, stand_in: SimulatedActiveDirectory) -> None:
        self._stand_in = stand_in

    def _names(self) -> list[str]:
        return [name for name, person in self._stand_in.domain.people.items() if person.control & 2]

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())
