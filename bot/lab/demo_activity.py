"""What a client's systems were asked, as the demo page lists it: calls of four APIs, and LDAP operations."""

from __future__ import annotations

import heapq
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from bot.lab.companies import Companies
from connectors.active_directory.simulator import Call as DomainCall
from connectors.connectwise.simulator import Call as DeskCall
from connectors.exchange.simulator import BATCH
from connectors.exchange.simulator import Call as ExchangeCall
from connectors.microsoft365.simulator import Call as GraphCall
from connectors.pax8.simulator import Call as SeatsCall

LINES, LOOKED_AT = 100, 800
"""Requests the page lists, and among how many of the last it looks for changes."""
GRAPH, EXCHANGE, DOMAIN, SEATS, DESK = "graph", "exchange", "domain", "pax8", "connectwise"
_OBJECT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_GUID_NAME = re.compile(r"<GUID=([0-9a-f-]{36})>")
_LDAP_REFUSALS = {
    3: "too slow",
    10: "referral",
    49: "sign-in",
    50: "not allowed",
    51: "busy",
    52: "down",
    53: "refused",
}


@dataclass(frozen=True)
class Activity:
    """A request as the page lists it."""

    at: datetime
    system: str
    """GRAPH, EXCHANGE, DOMAIN, SEATS or DESK."""
    verb: str
    """'PATCH', 'Set-Mailbox', 'modify'."""
    words: str
    whole: str
    """All there is to say, names in place of ids."""
    result: str
    """'204', 'busy'; empty when there is nothing to say."""
    kind: str
    """'read', 'change' or 'trouble'."""


def activity(
    companies: Companies, tenant: str, names: Mapping[str, str], *, domain: bool, paperwork: bool, reads: bool
) -> list[Activity]:
    """The last requests about that tenant, newest first; without `reads`, what changed something or went wrong.

    `names` are those of ids; `domain`, `paperwork`: its domain is connected, its distributor and service desk are.
    """
    # What travelled in a batch is listed by itself: the envelope alone would look like a change.
    graph = (
        _graph(one, names)
        for one in reversed(companies.microsoft.calls)
        if one.tenant == tenant and not (one.path == "/$batch" and one.status == 200)
    )
    exchange = (
        _exchange(one, names)
        for one in reversed(companies.exchange.calls)
        if one.tenant == tenant and not (one.cmdlet == BATCH and one.status == 200)
    )
    asked = (_domain(one, names) for one in reversed(companies.domains[tenant].calls) if domain)
    paper = companies.paperwork
    seats = (_seats(one, names) for one in reversed(paper.pax8.calls) if paperwork)
    desk = (_desk(one, names) for one in reversed(paper.connectwise.calls) if paperwork)
    merged = heapq.merge(graph, exchange, asked, seats, desk, key=lambda one: one.at, reverse=True)
    lately = itertools.islice(merged, LINES if reads else LOOKED_AT)
    return [one for one in lately if reads or one.kind != "read"][:LINES]


def names_of(companies: Companies, tenant: str) -> dict[str, str]:
    """Id → what it is called, of everything that is there now."""
    known, mail = companies.microsoft.tenants[tenant], companies.exchange.organisations[tenant]
    named = (*known.people.values(), *known.groups.values(), *known.devices.values())
    names = {one.id: one.name for one in named} | {one.guid: one.name for one in mail.groups.values()}
    paper = companies.paperwork
    names |= {key: one.product for one in paper.pax8.subscriptions.values() for key in (one.id, one.product_id)}
    desk = paper.connectwise.provider
    names |= {f"additions/{one['id']}": str(one["description"]) for one in desk.every("additions")}
    names |= {f"contacts/{one['id']}": f"{one['firstName']} {one['lastName']}" for one in desk.of("company/contacts")}
    directory = companies.domains[tenant].domain
    objects = (*directory.people.values(), *directory.groups.values(), *directory.computers.values())
    names |= {str(one.guid): one.name for one in objects}
    names |= {device.guid: device.name for box in mail.mailboxes.values() for device in box.devices}
    return names | {rule.id: f"“{rule.name}”" for box in mail.mailboxes.values() for rule in box.rules}


def _graph(call: GraphCall, names: Mapping[str, str]) -> Activity:
    parts = [names.get(part, part) for part in call.path.strip("/").split("/")]
    kind = _kind(call.status, reads=call.method == "GET")
    # The last word of a path says what it is about; whose it is, the name in the middle.
    named = parts[0] in {"users", "groups", "devices"} and len(parts) > 1
    what = [parts[1], *(part for part in parts[2:4] if part not in {"authentication", "$ref"})] if named else parts[-1:]
    words = [" / ".join(what), call.query.get("$search", ""), _said(call.body, names)]
    whole = "/" + "/".join(parts)
    return Activity(
        call.at, GRAPH, call.method, "  ".join(filter(None, words)), whole, _result(kind, call.status), kind
    )


def _exchange(call: ExchangeCall, names: Mapping[str, str]) -> Activity:
    given = dict(call.parameters)
    whose = given.pop("Identity", None) or given.pop("Mailbox", "")
    words = "  ".join(filter(None, (names.get(str(whose), str(whose)), _said(given, names))))
    # Remove-CalendarEvents can be asked what it would do.
    kind = _kind(call.status, reads=call.cmdlet.startswith("Get-") or given.get("PreviewOnly") is True)
    return Activity(call.at, EXCHANGE, call.cmdlet, words, f"{call.cmdlet} {words}", _result(kind, call.status), kind)


def _domain(call: DomainCall, names: Mapping[str, str]) -> Activity:
    what = _GUID_NAME.sub(lambda found: names.get(found[1], found[0]), call.what)
    verb, _, rest = what.partition(" ")
    kind = "trouble" if call.code else "change" if verb == "modify" else "read"
    said = _LDAP_REFUSALS.get(call.code, str(call.code)) if call.code else ""
    # 'CN=Jane Doe,OU=Staff,DC=…': the name says enough, and what was changed comes behind it.
    found = re.fullmatch(r"CN=((?:\\.|[^,\\])+),.*?DC=\S+ ?(.*)", rest)
    words = "  ".join(filter(None, (found[1], found[2]))) if found else rest
    return Activity(call.at, DOMAIN, verb, words, what, said, kind)


def _seats(call: SeatsCall, names: Mapping[str, str]) -> Activity:
    body = call.body if isinstance(call.body, dict) else {}
    # Signing in changes nothing, and its body is a secret.
    said = "" if call.path.endswith("/token") else _said(body, names)
    kind = _kind(call.status, reads=call.method == "GET" or call.path.endswith("/token"))
    what = [names.get(part, part) for part in call.path.strip("/").split("/")]
    words = "  ".join(filter(None, (" / ".join(what), said)))
    return Activity(call.at, SEATS, call.method, words, f"{call.method} {words}", _result(kind, call.status), kind)


def _desk(call: DeskCall, names: Mapping[str, str]) -> Activity:
    kind = _kind(call.status, reads=call.method == "GET")
    # A change is a list of operations, each with its field.
    operations = [one for one in call.body if isinstance(one, dict)] if isinstance(call.body, list) else []
    body = call.body if isinstance(call.body, dict) else {str(one["path"]): one.get("value") for one in operations}
    asked = call.query.get("conditions", "") or call.query.get("childConditions", "")
    *before, last = call.path.strip("/").split("/")
    # What it is one of, and of which record's.
    of = before[-2:] if before and before[-1].isdigit() else before[-1:]
    what = [*of, names.get(f"{before[-1]}/{last}", last) if before else last]
    words = "  ".join(filter(None, (" / ".join(what), asked, _said(body, names))))
    whole = f"{call.method} {call.path} {asked} {_said(body, names)}"
    return Activity(call.at, DESK, call.method, words, whole, _result(kind, call.status), kind)


def _kind(status: int, *, reads: bool) -> str:
    """That there is no such thing is an answer like any other."""
    if reads and status in {200, 404}:
        return "read"
    return "trouble" if status >= 400 else "change"


def _result(kind: str, status: int) -> str:
    """What came back, where it is not just what was read."""
    return "" if kind == "read" and status == 200 else str(status)


def _said(body: Mapping[str, JsonValue], names: Mapping[str, str]) -> str:
    """What was sent, in few words; the stand-ins have taken passwords out."""
    return ", ".join(_value(name, value, names) for name, value in _plain(body))


def _plain(body: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    return ((name, value) for name, value in body.items() if not name.startswith("@") or name == "@odata.id")


def _value(name: str, value: JsonValue, names: Mapping[str, str]) -> str:
    if isinstance(value, dict | list):
        return name
    said = json.dumps(value, ensure_ascii=False).strip('"')
    said = _OBJECT_ID.sub(lambda found: names.get(found[0], found[0]), said.rpartition("/")[2])
    return said if name == "@odata.id" else f"{name}: {said}"
