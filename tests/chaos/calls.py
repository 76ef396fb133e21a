"""Every distinct call of a clean case, and how to let exactly that one go wrong the next time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from bot.lab.companies import Companies
from connectors.active_directory.simulator import Call as DomainCall
from connectors.active_directory.simulator import Fault as DomainFault
from connectors.connectwise.simulator import Call as DeskCall
from connectors.connectwise.simulator import Fault as DeskFault
from connectors.contract import Json
from connectors.exchange.simulator import Call as ExchangeCall
from connectors.exchange.simulator import Fault as ExchangeFault
from connectors.microsoft365.simulated_people import CONTOSO
from connectors.microsoft365.simulator import Call as MicrosoftCall
from connectors.microsoft365.simulator import Fault as MicrosoftFault
from connectors.pax8.simulator import Call as Pax8Call
from connectors.simulated_faults import Fault

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
"""What goes wrong over http, wherever it is spoken."""
ALL_THE_SAME = "error all the same"
"""ConnectWise's own: it answers that it timed out, and it has happened."""
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
PAPERWORK = ("pax8", "connectwise")
FOR_GOOD = "refused for good"
"""The only one that does not pass by itself."""
_OF_A_PART = ("throttled", "error 500", "token expired", "malformed", FOR_GOOD)
"""What can happen to one part of a batch alone."""
_FIELD = re.compile(r"([\w/]+)(?:=| like )")


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
        own = (ALL_THE_SAME,) if self.system == "connectwise" and self.changes else ()
        return (*(one for one in known if one != FOR_GOOD or self.changes), *own)


def calls_of(companies: Companies) -> Mapping[str, Sequence[object]]:
    """Every call so far, by system."""
    paper = companies.paperwork
    return {
        "microsoft365": companies.microsoft.calls,
        "exchange": companies.exchange.calls,
        "active_directory": companies.domain.calls,
        "pax8": paper.pax8.calls,
        "connectwise": paper.connectwise.calls,
    }


def places(case: str, companies: Companies, approved_at: Mapping[str, int]) -> list[Place]:
    """The distinct calls of a case that went well; what was asked before the approval stands for itself."""
    found: list[Place] = []
    for system, heard in calls_of(companies).items():
        told = [_told(one, planning=at < approved_at.get(system, 0)) for at, one in enumerate(heard)]
        found += _distinct(case, system, told)
    return found


def _told(call: object, *, planning: bool) -> tuple[str, str, bool]:
    """The call's shape, the words by which its stand-in names it, and whether it is one part of a batch."""
    match call:
        case MicrosoftCall():
            return _graph(call, planning=planning), str(call), call.part
        case ExchangeCall():
            return _cmdlet(call, planning=planning), str(call), False
        case DomainCall():
            # An object's GUID is another one in every run.
            return _operation(call, planning=planning), call.what.partition("<GUID=")[0], False
        case Pax8Call():
            return _request(call.method, call.path, call.query, call.body, planning=planning), str(call), False
        case DeskCall():
            # Which number a task gets is another in every run.
            words = re.sub(r"(?<=/tasks/)\d+$", "", str(call))
            return _request(call.method, call.path, call.query, call.body, planning=planning), words, False
        case _:
            raise TypeError(type(call).__name__)


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
    if system in PAPERWORK:
        return not shape.startswith("GET") and "/token" not in shape
    return shape.startswith("modify")


def _graph(call: MicrosoftCall, *, planning: bool) -> str:
    path = "/".join("{}" if _ID.fullmatch(part) else part for part in call.path.split("/"))
    what = f"?{call.query['$select']}" if "$select" in call.query else ""
    body = ",".join(name for name, value in call.body.items() if value != [] and call.path != BATCH)
    whole = " in a batch" if call.part else ""
    return f"{call.method} {path}{what}{' ' if body else ''}{body}{whole}{_when(planning)}"


def _request(method: str, path: str, query: Mapping[str, str], body: object, *, planning: bool) -> str:
    """By what is asked for, or by the fields that are written; ids are all alike."""
    path = "/".join("{}" if _ID.fullmatch(part) or part.isdigit() else part for part in path.split("/"))
    asked = f"{query.get('conditions', '')} {query.get('childConditions', '')}"
    fields = _FIELD.findall(asked)
    if isinstance(body, list):
        fields += [str(cast("Json", change)["path"]) for change in cast("list[object]", body)]
    if isinstance(body, dict):
        fields += [name for name, value in cast("Json", body).items() if value is not None]
    return f"{method} {path}{' ' if fields else ''}{','.join(dict.fromkeys(fields))}{_when(planning)}"


def _cmdlet(call: ExchangeCall, *, planning: bool) -> str:
    switches = [f"{name}={value}" for name, value in sorted(call.parameters.items()) if isinstance(value, bool)]
    return f"{' '.join((str(call), *switches))}{_when(planning)}"


def _operation(call: DomainCall, *, planning: bool) -> str:
    words, _, rest = call.what.partition(" ")
    return f"{words} {re.sub(r'<GUID=[^>]+>', '<GUID>', rest)}{_when(planning)}"


def _when(planning: bool) -> str:
    return " (before the approval)" if planning else ""


def let_fail(companies: Companies, place: Place, kind: str) -> tuple[Fault | ExchangeFault | DomainFault, int]:
    """Arm the fault; answers it, with how many calls it is for."""
    if place.system == "active_directory":
        if place.earlier:
            companies.domain.fail(DomainFault("delay", calls=place.earlier, match=place.match))
        fault = companies.domain.fail(replace(LDAP[kind], match=place.match))
        return fault, fault.calls or 0
    wanted = HTTP["error 500" if kind == ALL_THE_SAME else kind]
    # Reads are repeated in place: three times the same is one that really went wrong.
    repeated = place.shape.startswith("GET") and kind in ("lost", "dropped") and not place.part
    calls = 3 if repeated else wanted.calls
    if place.system == "exchange":
        if place.earlier:
            companies.exchange.fail(CONTOSO, ExchangeFault("delay", calls=place.earlier, match=place.match))
        same = ExchangeFault(wanted.kind, calls, place.match, wanted.status, wanted.code, wanted.retry_after)
        return companies.exchange.fail(CONTOSO, same), calls or 0
    if place.system in PAPERWORK:
        return _let_paperwork_fail(companies, place, kind, calls), calls or 0
    if place.earlier:
        companies.microsoft.fail(CONTOSO, MicrosoftFault("delay", calls=place.earlier, match=place.match))
    return companies.microsoft.fail(CONTOSO, replace(wanted, match=place.match, calls=calls)), calls or 0


def _let_paperwork_fail(companies: Companies, place: Place, kind: str, calls: int | None) -> Fault:
    paper, match = companies.paperwork, place.match
    if place.system == "pax8":
        if place.earlier:
            paper.pax8.fail(Fault("delay", place.earlier, match))
        return paper.pax8.fail(replace(HTTP[kind], match=match, calls=calls))
    if place.earlier:
        paper.connectwise.fail(DeskFault("delay", place.earlier, match))
    if kind == ALL_THE_SAME:
        return paper.connectwise.fail(DeskFault("error", calls, match, effect=True))
    wanted = HTTP[kind]
    return paper.connectwise.fail(DeskFault(wanted.kind, calls, match, wanted.status, wanted.code, wanted.retry_after))
