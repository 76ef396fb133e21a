"""What the demo page shows of the sample clients: their people, what changed and when, and faults to try."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from bot.lab import demo_activity, demo_person, sample_clients
from bot.lab.companies import Companies
from bot.lab.demo_activity import Activity
from bot.lab.demo_paperwork import DemoPaperwork
from bot.lab.demo_person import Trait
from connectors.active_directory.simulator import Fault as DomainTrouble
from connectors.contract import Json
from connectors.exchange.simulator import Fault as ExchangeTrouble
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import Person
from connectors.microsoft365.simulator import Fault as GraphTrouble

LAG = 10.0
SYNC = 25.0
"""Seconds from a block to the next sync: half an hour with Microsoft, which no visitor waits for."""
_METHODS_OF = re.compile(r"/users/([^/]+)/authentication/methods")
_HYBRID = frozenset({people.FABRIKAM})
"""Whose domain is connected; Contoso's synced people show what happens without."""
_BILLED = frozenset({people.CONTOSO})
"""Whose distributor and service desk are."""
_MANAGERS = {
    people.CONTOSO: (people.MARIA, sample_clients.MARIA),
    people.FABRIKAM: (people.FABRIKAM_MANAGER, sample_clients.FINN),
}


class Fault(enum.StrEnum):
    """A way a client's systems misbehave, all together, until switched off."""

    THROTTLE = "throttle"
    LAG = "lag"
    FAIL = "fail"
    DOWN = "down"


_TROUBLES = {
    Fault.THROTTLE: ("throttle", 429, "2", "busy"),
    Fault.FAIL: ("error", 500, None, "other"),
    # 503 and not a dropped line: whoever is down does nothing either.
    Fault.DOWN: ("unavailable", 503, None, "unavailable"),
}
"""Kind, status, Retry-After; and what a domain controller calls it."""


@dataclass(frozen=True)
class Line:
    """A trait beside what it was at the start."""

    trait: Trait
    new: frozenset[str]
    gone: tuple[str, ...]
    at: datetime | None
    """When it changed last; None when it did not, or before anybody looked."""


class Tenants:
    """The stand-ins for the clients' systems, seen from the page."""

    def __init__(self, companies: Companies) -> None:
        self.companies = companies
        self.ids = [people.CONTOSO, people.FABRIKAM]
        _be_the_same_people(companies)
        self._paperwork = DemoPaperwork(companies)
        for tenant in companies.microsoft.tenants.values():
            tenant.sync_reverts_after = SYNC
        self._at_start = {
            (tenant, person.id): self._traits(tenant, person.id)
            for tenant in self.ids
            for person in self.people(tenant)
        }
        # Taken at the start: a rule that is gone is still called by its name.
        self._names = {tenant: demo_activity.names_of(companies, tenant) for tenant in self.ids}
        self._last: dict[tuple[str, str], dict[str, Trait]] = {}
        self._changed: dict[tuple[str, str, str], datetime] = {}
        self._on: dict[tuple[str, Fault], Callable[[], None]] = {}
        self._read = 0
        self._newest: tuple[str, str] | None = None
        self._billed = ""
        """The leaver of the newest case at a client with a service desk."""

    def systems(self, tenant: str) -> Mapping[str, Json]:
        """What is connected there, as clients.yml says it."""
        systems = self.companies.systems(tenant)
        connected = {name: one for name, one in systems.items() if name != "active_directory" or tenant in _HYBRID}
        return {**connected, **(self.companies.paperwork.systems() if tenant in _BILLED else {})}

    def managers(self, tenant: str) -> dict[str, tuple[str, str]]:
        """Slack user → their own object id and mail in the tenant, so that they can't offboard themselves."""
        user, character = _MANAGERS[tenant]
        return {character.user: (user, self.person(tenant, user).mail)}

    def name(self, tenant: str) -> str:
        """'Contoso'."""
        return self.companies.microsoft.tenants[tenant].name

    def of_workspace(self, team: str) -> str:
        """The client whose Slack workspace that is; '' for the provider's."""
        return next((tenant for tenant, (_, character) in _MANAGERS.items() if character.team == team), "")

    def people(self, tenant: str) -> list[Person]:
        """Everybody in the directory."""
        return list(self.companies.microsoft.tenants[tenant].people.values())

    def person(self, tenant: str, user: str) -> Person:
        """One of them, as they are now – not as a lagging read would show them."""
        return self.companies.microsoft.tenants[tenant].people[user]

    def lines(self, tenant: str, user: str) -> list[Line]:
        """Everything they have, and had at the start, with when each changed; look often, for the times are ours."""
        traits, now = self._traits(tenant, user), self.companies.microsoft.now()
        last, before = self._last.get((tenant, user)), self._at_start[tenant, user]
        self._last[tenant, user] = traits
        lines: list[Line] = []
        for name, was in before.items():
            # A mailbox that is lost leaves every line of it empty.
            trait = traits.get(name) or replace(was, values=())
            if last is not None and _values(last.get(name)) != trait.values:
                self._changed[tenant, user, name] = now
            if trait.values or was.values:
                new = frozenset(trait.values) - {*was.values}
                gone = tuple(one for one in was.values if not _goes_on(one, trait.values))
                lines.append(Line(trait, new, gone, self._changed.get((tenant, user, name))))
        return lines

    def let_time_pass(self) -> None:
        """A sync comes when it is due, not when the bot asks next."""
        self.companies.microsoft.catch_up()

    def newest(self) -> tuple[str, str] | None:
        """Tenant and person of the newest case: the bot reads a leaver's sign-in methods, and nobody else's."""
        calls = self.companies.microsoft.calls
        for call in calls[self._read :]:
            found = _METHODS_OF.fullmatch(call.path)
            if found and found[1] in self.companies.microsoft.tenants[call.tenant].people:
                self._newest = call.tenant, found[1]
        self._read = len(calls)
        if self._newest and self._newest[0] in _BILLED:
            self._billed = self._newest[1]
        self._paperwork.notice(self._billed)
        return self._newest

    def ended(self) -> bool:
        """Whether somebody's sign-in was blocked."""
        return any(effect.what == "blocked" for effect in self.companies.microsoft.effects)

    def activity(self, tenant: str, *, reads: bool = True) -> list[Activity]:
        """The last requests about that tenant, newest first; without `reads`, what changed something or went wrong."""
        domain, paperwork = tenant in _HYBRID, tenant in _BILLED
        names = self._names[tenant]
        return demo_activity.activity(self.companies, tenant, names, domain=domain, paperwork=paperwork, reads=reads)

    # --- faults ---------------------------------------------------------------------------------

    def faults(self, tenant: str) -> frozenset[Fault]:
        """What is switched on there."""
        return frozenset(fault for one, fault in self._on if one == tenant)

    def set_fault(self, tenant: str, fault: Fault, *, on: bool) -> None:
        """Switch one on or off, in every system of that client."""
        key = tenant, fault
        if on and key not in self._on:
            self._on[key] = self._lag(tenant) if fault is Fault.LAG else self._fail(tenant, fault)
        elif not on and key in self._on:
            self._on.pop(key)()

    def _lag(self, tenant: str) -> Callable[[], None]:
        self._set_lag(tenant, LAG)
        return partial(self._set_lag, tenant, 0.0)

    def _set_lag(self, tenant: str, seconds: float) -> None:
        companies = self.companies
        companies.microsoft.tenants[tenant].lag = seconds
        companies.exchange.organisations[tenant].lag = seconds
        companies.domains[tenant].domain.lag = seconds
        if tenant in _BILLED:
            self._paperwork.set_lag(seconds)

    def _fail(self, tenant: str, fault: Fault) -> Callable[[], None]:
        companies = self.companies
        kind, status, retry_after, at_the_domain = _TROUBLES[fault]
        graph = companies.microsoft.fail(tenant, GraphTrouble(kind, None, status=status, retry_after=retry_after))
        exchange = companies.exchange.fail(tenant, ExchangeTrouble(kind, None, status=status, retry_after=retry_after))
        domain = companies.domains[tenant].fail(DomainTrouble(at_the_domain, None))
        paperwork = self._paperwork.fail(kind, status, retry_after) if tenant in _BILLED else None

        def end() -> None:
            companies.microsoft.faults[tenant].remove(graph)
            companies.exchange.faults[tenant].remove(exchange)
            companies.domains[tenant].faults.remove(domain)
            if paperwork is not None:
                paperwork()

        return end

    def _traits(self, tenant: str, user: str) -> dict[str, Trait]:
        found = demo_person.traits(self.companies, tenant, user, domain=tenant in _HYBRID)
        found += self._paperwork.traits(user) if tenant in _BILLED else []
        return {trait.name: trait for trait in found}


def _goes_on(value: str, now: tuple[str, ...]) -> bool:
    """Whether it is still there, if only as 'LAPTOP (disabled)'."""
    return any(one == value or one.startswith(f"{value} (") for one in now)


def _values(trait: Trait | None) -> tuple[str, ...]:
    return trait.values if trait else ()


def _be_the_same_people(companies: Companies) -> None:
    """The managers are called the same in Slack and in every system of their company."""
    for tenant, (user, character) in _MANAGERS.items():
        person = companies.microsoft.tenants[tenant].people[user]
        account = companies.domains[tenant].domain.people.get(person.sam)
        person.dn = person.dn.replace(person.name, character.name)
        address = f"{character.name.lower().replace(' ', '.')}@{person.user_name.rpartition('@')[2]}"
        for one in (person, companies.exchange.organisations[tenant].mailboxes[user], account):
            if one is not None:
                one.name = character.name
                one.user_name = one.mail = address
