"""Every distinct call of a clean case, and how to let exactly that one go wrong the next time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bot.lab.companies import Companies
from connectors.active_directory.simulator import Call as DomainCall
from connectors.active_directory.simulator import Fault as DomainFault
from connectors.exchange.simulator import Call as ExchangeCall
from connectors.exchange.simulator import Fault as ExchangeFault
from connectors.microsoft365.simulated_people import CONTOSO
from connectors.microsoft365.simulator import Call as MicrosoftCall
from connectors.microsoft365.simulator import Fault as MicrosoftFault

BATCH = "/$batch"
_ID = re.compile(r"[0-9a-f]{16}|.*[-!].*|[0-9a-f-]{36}")
TIMES = 2
"""How many times of one and the same change count as calls of their own: a password is set twice."""
_PAUSE = "30"
"""Seconds a throttled caller is told to wait: longer than a read may be repeated in place."""

HTTP: Mapping[str, MicrosoftFault] = {
    "throttled": MicrosoftFault("throttle", retry_after=_PAUSE),
    "error 500": MicrosoftFault("error", status=500),
    "lost": MicrosoftFault("lost"),
    "token expired": MicrosoftFault("error", status=401, code="InvalidAuthenticationToken"),
    "malformed": MicrosoftFault("malformed"),
    "dropped": MicrosoftFault("drop"),
    "refused for good": MicrosoftFault("error", status=500, calls=None),
}
"""What goes wrong over http, in Microsoft 365 and in Exchange alike."""
LDAP: Mapping[str, DomainFault] = {
    "busy": DomainFault("busy"),
    "unavailable": DomainFault("unavailable"),
    "lost": DomainFault("lost"),
    "constraint": DomainFault("constraint"),
    "unwilling": DomainFault("unwilling"),
    "dropped": DomainFault("drop"),
    "malformed": DomainFault("garbage"),
    "refused for good": DomainFault("unavailable", calls=None),
}
FOR_GOOD = "refused for good"
"""The only one that does not pass by itself."""
_OF_A_PART = ("throttled", "error 500", "token expired", "malformed", FOR_GOOD)
"""What can happen to one part of a batch alone."""


@dataclass(frozen=True)
class Place:
    """One distinct call: which leaver's case makes it, and how its first time is told from all others."""

    case: str
    system: str
    shape: str
    match: str
    earlier: int
    """Calls that carry the same words and come before it."""
    changes: bool
    part: bool = False

    @property
    def faults(self) -> tuple[str, ...]:
        """What can go wrong here. Only what changes something is refused for good."""
        known = LDAP if self.system == "active_directory" else _OF_A_PART if self.part else HTTP
        return tuple(one for one in known if one != FOR_GOOD or self.changes)


def places(case: str, companies: Companies, approved_at: tuple[int, int, int]) -> list[Place]:
    """The distinct calls of a case that went well; what was asked before the approval stands for itself."""
    first, second, third = approved_at
    heard = companies.microsoft.calls, companies.exchange.calls, companies.domain.calls
    graph = [(_graph(one, planning=at < first), str(one), one.part) for at, one in enumerate(heard[0])]
    cmdlets = [(_cmdlet(one, planning=at < second), str(one), False) for at, one in enumerate(heard[1])]
    # An object's GUID is another one in every run.
    ldap = [
        (_operation(one, planning=at < third), one.what.partition("<GUID=")[0], False)
        for at, one in enumerate(heard[2])
    ]
    return [
        *_distinct(case, "microsoft365", graph),
        *_distinct(case, "exchange", cmdlets),
        *_distinct(case, "active_directory", ldap),
    ]


def _distinct(case: str, system: str, heard: list[tuple[str, str, bool]]) -> Iterable[Place]:
    known: dict[str, int] = {}
    for at, (shape, words, part) in enumerate(heard):
        changes, times = _changes(system, shape), known.get(shape, 0) + 1
        known[shape] = times
        if times > (TIMES if changes else 1):
            continue
        earlier = sum(words in other for _, other, _ in heard[:at])
        again = "" if times == 1 else ", once more"
        yield Place(case, system, shape + again, words, earlier, changes, part)


def _changes(system: str, shape: str) -> bool:
    if system == "microsoft365":
        return not shape.startswith("GET") and BATCH not in shape
    if system == "exchange":
        return not shape.startswith("Get-") and "PreviewOnly" not in shape
    return shape.startswith("modify")


def _graph(call: MicrosoftCall, *, planning: bool) -> str:
    path = "/".join("{}" if _ID.fullmatch(part) else part for part in call.path.split("/"))
    what = f"?{call.query['$select']}" if "$select" in call.query else ""
    body = ",".join(name for name, value in call.body.items() if value != [] and call.path != BATCH)
    whole = " in a batch" if call.part else ""
    return f"{call.method} {path}{what}{' ' if body else ''}{body}{whole}{_when(planning)}"


def _cmdlet(call: ExchangeCall, *, planning: bool) -> str:
    switches = [f"{name}={value}" for name, value in sorted(call.parameters.items()) if isinstance(value, bool)]
    return f"{' '.join((str(call), *switches))}{_when(planning)}"


def _operation(call: DomainCall, *, planning: bool) -> str:
    words, _, rest = call.what.partition(" ")
    return f"{words} {re.sub(r'<GUID=[^>]+>', '<GUID>', rest)}{_when(planning)}"


def _when(planning: bool) -> str:
    return " (before the approval)" if planning else ""


def let_fail(companies: Companies, place: Place, kind: str) -> tuple[MicrosoftFault | ExchangeFault | DomainFault, int]:
    """Arm the fault; answers it, with how many calls it is for."""
    if place.system == "active_directory":
        if place.earlier:
            companies.domain.fail(DomainFault("delay", calls=place.earlier, match=place.match))
        fault = companies.domain.fail(replace(LDAP[kind], match=place.match))
        return fault, fault.calls or 0
    wanted = HTTP[kind]
    # Reads are repeated in place: three times the same is one that really went wrong.
    repeated = place.shape.startswith("GET") and kind in ("lost", "dropped") and not place.part
    calls = 3 if repeated else wanted.calls
    if place.system == "exchange":
        if place.earlier:
            companies.exchange.fail(CONTOSO, ExchangeFault("delay", calls=place.earlier, match=place.match))
        same = ExchangeFault(wanted.kind, calls, place.match, wanted.status, wanted.code, wanted.retry_after)
        return companies.exchange.fail(CONTOSO, same), calls or 0
    if place.earlier:
        companies.microsoft.fail(CONTOSO, MicrosoftFault("delay", calls=place.earlier, match=place.match))
    return companies.microsoft.fail(CONTOSO, replace(wanted, match=place.match, calls=calls)), calls or 0
