"""What the demo page shows of the simulated tenants: people, what changed and when, requests, and faults to try."""

from __future__ import annotations

import copy
import enum
import itertools
import json
import re
from dataclasses import dataclass
from datetime import datetime

from bot.lab import sample_clients
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import Person
from connectors.microsoft365.simulator import Call, SimulatedMicrosoft
from connectors.microsoft365.simulator import Fault as Trouble

LINES = 60
"""Requests the page lists."""
LAG = 10.0
_METHODS_OF = re.compile(r"/users/([^/]+)/authentication/methods")
_CHANGED = {
    "blocked": ("sign-in",),
    "unblocked": ("sign-in",),
    "enabled again by the domain": ("sign-in",),
    "password reset": ("password", "sessions"),
    "sessions revoked": ("sessions",),
    "method removed": ("methods",),
    "pass issued": ("methods",),
}
"""What the simulator noted → what of a person it changed."""


_MANAGERS = {
    people.CONTOSO: (people.MARIA, sample_clients.MARIA),
    people.FABRIKAM: (people.FABRIKAM_MANAGER, sample_clients.FINN),
}


class Fault(enum.StrEnum):
    """A way Microsoft misbehaves, per tenant, until switched off."""

    THROTTLE = "throttle"
    LAG = "lag"
    FAIL = "fail"
    DOWN = "down"


_TROUBLES = {
    Fault.THROTTLE: ("throttle", 429, "2"),
    Fault.FAIL: ("error", 500, None),
    # 503 and not a dropped line: whoever is down does nothing either.
    Fault.DOWN: ("unavailable", 503, None),
}


@dataclass(frozen=True)
class Activity:
    """A request as the page lists it."""

    at: datetime
    method: str
    words: str
    path: str
    """The whole path, names in place of ids."""
    status: int
    kind: str
    """'read', 'change' or 'trouble'."""


class Tenants:
    """The simulator, seen from the page."""

    def __init__(self, microsoft: SimulatedMicrosoft) -> None:
        self.microsoft = microsoft
        _be_the_same_people(microsoft)
        self.ids = [people.CONTOSO, people.FABRIKAM]
        self._at_start = {
            person.id: copy.deepcopy(person)
            for tenant in microsoft.tenants.values()
            for person in tenant.people.values()
        }
        self._on: dict[tuple[str, Fault], Trouble | None] = {}
        self._read = 0
        self._newest: tuple[str, str] | None = None

    def managers(self, tenant: str) -> dict[str, tuple[str, str]]:
        """Slack user → their own object id and mail in the tenant, so that they can't offboard themselves."""
        user, character = _MANAGERS[tenant]
        return {character.user: (user, self.person(tenant, user).mail)}

    def name(self, tenant: str) -> str:
        """'Contoso'."""
        return self.microsoft.tenants[tenant].name

    def people(self, tenant: str) -> list[Person]:
        """Everybody in the directory."""
        return list(self.microsoft.tenants[tenant].people.values())

    def person(self, tenant: str, user: str) -> Person:
        """One of them, as they are now – not as a lagging read would show them."""
        return self.microsoft.tenants[tenant].people[user]

    def changes(self, tenant: str, user: str) -> dict[str, datetime]:
        """What changed about them → when last: 'sign-in', 'password', 'sessions', 'methods'."""
        found = dict[str, datetime]()
        for effect in self.microsoft.effects:
            if (effect.tenant, effect.user) == (tenant, user):
                found |= dict.fromkeys(_CHANGED.get(effect.what, ()), effect.at)
        return found

    def at_start(self, user: str) -> Person:
        """The same person before anything happened."""
        return self._at_start[user]

    def newest(self) -> tuple[str, str] | None:
        """Tenant and person of the newest case: the bot reads a leaver's sign-in methods, and nobody else's."""
        for call in self.microsoft.calls[self._read :]:
            found = _METHODS_OF.fullmatch(call.path)
            if found and found[1] in self.microsoft.tenants[call.tenant].people:
                self._newest = call.tenant, found[1]
        self._read = len(self.microsoft.calls)
        return self._newest

    def activity(self, tenant: str) -> list[Activity]:
        """The last requests about that tenant, newest first."""
        mine = (call for call in reversed(self.microsoft.calls) if call.tenant == tenant)
        return [self._line(call) for call in itertools.islice(mine, LINES)]

    def faults(self, tenant: str) -> frozenset[Fault]:
        """What is switched on there."""
        return frozenset(fault for one, fault in self._on if one == tenant)

    def set_fault(self, tenant: str, fault: Fault, *, on: bool) -> None:
        """Switch one on or off."""
        key = tenant, fault
        if not on:
            trouble = self._on.pop(key, None)
            if trouble is not None:
                self.microsoft.faults[tenant].remove(trouble)
        elif key not in self._on:
            kind, status, retry_after = _TROUBLES.get(fault, ("", 0, None))
            trouble = Trouble(kind, calls=None, status=status, retry_after=retry_after) if kind else None
            self._on[key] = self.microsoft.fail(tenant, trouble) if trouble else None
        self.microsoft.tenants[tenant].lag = LAG if (tenant, Fault.LAG) in self._on else 0.0

    def _line(self, call: Call) -> Activity:
        directory = self.microsoft.tenants[call.tenant].people
        parts = [directory[part].name if part in directory else part for part in call.path.strip("/").split("/")]
        kind = "trouble" if call.status >= 400 else "read" if call.method == "GET" else "change"
        # The last word of a path says what it is about; whose it is, the name in the middle.
        named = parts[0] == "users" and len(parts) > 1
        what = [parts[1], *(part for part in parts[2:4] if part != "authentication")] if named else [parts[-1]]
        words = [" / ".join(what), call.query.get("$search", ""), _body(call)]
        return Activity(call.at, call.method, "  ".join(filter(None, words)), "/" + "/".join(parts), call.status, kind)


def _be_the_same_people(microsoft: SimulatedMicrosoft) -> None:
    """The managers are called the same in Slack and in their directory."""
    for tenant, (user, character) in _MANAGERS.items():
        person = microsoft.tenants[tenant].people[user]
        domain = person.user_name.rpartition("@")[2]
        person.name = character.name
        person.user_name = person.mail = f"{character.name.lower().replace(' ', '.')}@{domain}"


def _body(call: Call) -> str:
    """What a change said, in few words; the simulator has taken passwords out."""
    said = [
        name if isinstance(value, dict) else f"{name}: {json.dumps(value)}"
        for name, value in call.body.items()
        if not name.startswith("@")
    ]
    return ", ".join(said)
