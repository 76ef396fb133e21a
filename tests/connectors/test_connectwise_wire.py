"""What we send and what the simulator answers, held against descriptions of ConnectWise's records.

The vendor's own (of what is read; it describes no body that is sent) is not ours to ship: put its folder into
OFFBOARD_SPECS, and the answers are held to it. What we send is held to small descriptions of our own.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from connectors.connectwise import CONNECTOR
from connectors.connectwise.conditions import any_of, equals
from connectors.connectwise.service_desk import ConnectWiseDesk
from connectors.connectwise.simulator import Call, Fault
from connectors.contract import Intent, Json, Todo, VendorError
from tests.connectors.test_connectwise_world import JANE_DOE, SHRINK, Desk, day, desk_of

SPECS = os.environ.get("OFFBOARD_SPECS", "")
FILE = "connectwise-psa-2026.4-get-subset.json"
held_to_the_vendor = pytest.mark.skipif(not SPECS, reason=f"OFFBOARD_SPECS does not name a folder with {FILE}")

ID: Json = {
    "type": "object",
    "properties": {"id": {"type": "integer", "minimum": 1}},
    "required": ["id"],
    "additionalProperties": False,
}
TEXT: Json = {"type": "string", "minLength": 1}
NO: Json = {"const": False}
YES: Json = {"const": True}
KEYED: Json = {"type": "string", "pattern": r"\[offboard \S+\]$"}
TIME: Json = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}


def described(fields: Mapping[str, Json]) -> Json:
    """A body of just these fields; those ending in '?' may be left out."""
    return {
        "type": "object",
        "properties": {name.rstrip("?"): schema for name, schema in fields.items()},
        "required": [name for name in fields if not name.endswith("?")],
        "additionalProperties": False,
    }


def patch(**values: Json) -> Json:
    """A PATCH of just these paths: whole references, no leading slash."""
    either: list[Json] = [
        described({"op": {"const": "replace"}, "path": {"const": path}, "value": schema})
        for path, schema in values.items()
    ]
    either.append(described({"op": {"const": "remove"}, "path": {"const": "contact"}}))
    return {"type": "array", "minItems": 1, "items": {"oneOf": cast("Any", either)}}


BODIES: Mapping[tuple[str, str], Json] = {
    ("POST", r"/service/tickets"): described(
        {
            "summary": {"type": "string", "minLength": 1, "maxLength": 100},
            "recordType": {"const": "ServiceTicket"},
            "board": ID,
            "company": ID,
            "contact": {"type": "null"},
            "externalXRef": {"type": "string", "pattern": "^offboard ", "maxLength": 100},
            "initialInternalAnalysis": KEYED,
            "allowAllClientsPortalView": NO,
            "customerUpdatedFlag": NO,
            "processNotifications": NO,
            "automaticEmailContactFlag": NO,
            "automaticEmailResourceFlag": NO,
            "automaticEmailCcFlag": NO,
            "automaticEmailCc": {"const": ""},
            "priority?": ID,
            "type?": ID,
            "status?": ID,
        }
    ),
    ("PATCH", r"/service/tickets/\d+"): patch(
        summary={"type": "string", "minLength": 1, "maxLength": 100},
        status=ID,
        contact={"type": "null"},
        externalXRef=TEXT,
        automaticEmailCc={"const": ""},
        automaticEmailCcFlag=NO,
        automaticEmailContactFlag=NO,
        automaticEmailResourceFlag=NO,
        processNotifications=NO,
    ),
    ("POST", r"/service/tickets/\d+/notes"): described(
        {
            "text": KEYED,
            "detailDescriptionFlag": NO,
            "internalAnalysisFlag": YES,
            "resolutionFlag": NO,
            "customerUpdatedFlag": NO,
            "processNotifications": NO,
        }
    ),
    ("POST", r"/service/tickets/\d+/tasks"): described({"notes": KEYED, "closedFlag": NO, "member": ID}),
    ("PATCH", r"/service/tickets/\d+/tasks/\d+"): patch(closedFlag=YES, resolution={"type": "string"}),
    ("POST", r"/time/entries"): described(
        {
            "chargeToId": {"type": "integer"},
            "chargeToType": {"const": "ServiceTicket"},
            "member": ID,
            "timeStart": TIME,
            "timeEnd": TIME,
            "notes": KEYED,
            "addToDetailDescriptionFlag": NO,
            "addToInternalAnalysisFlag": YES,
            "addToResolutionFlag": NO,
            "emailContactFlag": NO,
            "emailResourceFlag": NO,
            "emailCcFlag": NO,
            "workType?": ID,
            "workRole?": ID,
        }
    ),
    ("PATCH", r"/company/contacts/\d+"): patch(
        inactiveFlag={"type": "boolean"}, disablePortalLoginFlag={"type": "boolean"}
    ),
    ("PATCH", r"/finance/agreements/\d+/additions/\d+"): patch(quantity={"type": "integer", "minimum": 0}),
    ("POST", r"/company/contacts/search"): described({"conditions": TEXT, "orderBy": TEXT, "childConditions?": TEXT}),
}
ASKED = {"conditions", "childConditions", "orderBy", "page", "pageSize"}
# Read by us and not in the vendor's file: fields as other projects that read them have them.
CONFIGURATION: Json = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": TEXT,
        "type": {"type": "object", "required": ["id", "name"]},
        "status": {"type": "object", "required": ["id", "name"]},
        "company": {"type": "object", "required": ["id"]},
        "contact": {"type": "object", "required": ["id"]},
        "serialNumber": {"type": "string"},
        "activeFlag": {"type": "boolean"},
    },
    "required": ["id", "name", "type", "company"],
    "additionalProperties": False,
}
COMPANY_INFO: Json = described(
    {"CompanyName": TEXT, "Codebase": TEXT, "VersionCode": TEXT, "CompanyID": TEXT, "IsCloud": TEXT}
)
ERROR: Json = {
    "oneOf": [
        described({"code": TEXT, "message": TEXT, "errors": {"type": ["array", "null"]}}),
        described({"error": TEXT, "message": TEXT}),
    ]
}
OURS: Mapping[str, Json] = {
    r"/company/configurations": {"type": "array", "items": CONFIGURATION},
    r"/company/configurations/statuses": {"type": "array", "items": {"type": "object", "required": ["id"]}},
    r"/login/companyinfo/\w+": COMPANY_INFO,
}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_of() as desk:
        yield desk


async def everything(desk: Desk) -> list[Call]:
    """Every request we can send, by using all there is."""
    desk.held = ("SPE_E3", "POWER_BI_PRO")
    desk.seat(11)
    desk.seat(4, "POWER_BI_PRO")
    desk.provider.fills_contact, desk.provider.copies, desk.provider.most_per_page = "always", "jane@x.example", 2
    named = {"priority": "Priority 3 - Normal", "type": "Staff change", "status": "New"}
    api = await desk.connect({**named, "work_type": "Remote", "work_role": "Engineer"})
    await CONNECTOR.check(api)
    await CONNECTOR.contacts(api)
    service = ConnectWiseDesk()
    ticket = await service.open_ticket(api, "case-1", "Staff change 1", "x")
    await service.add_note(api, ticket, "note-1", "x")
    await service.add_task(api, ticket, "task-1", "x")
    await service.add_time(api, ticket, "time-1", day("2026-11-23T17:00:00Z"), day("2026-11-23T17:20:00Z"), "x")
    state = await service.read_ticket(api, ticket)
    assert state is not None
    await service.close_task(api, ticket, state.tasks[0].id, "done")
    await service.rename_ticket(api, ticket, "Offboarding")
    await service.close_ticket(api, ticket)
    assert await service.find_ticket(api, "case-1") == ticket
    seen = list(desk.simulator.calls)
    ctx = await desk.ready()
    desk.simulator.calls[:0] = seen
    for step in CONNECTOR.steps:
        for subject in step.subjects(SHRINK, ctx.facts):
            row = replace(ctx, subject=subject)
            found = await step.look(row)
            for item in found.items if isinstance(found, Todo) else ():
                intent = Intent("key", desk.clock.now())
                await step.act(row, item, intent)
                await step.confirm(row, item, intent, "")
                await step.undo(row, item)
    await api.list("/company/contacts", any_of(*(equals("firstName", f"Somebody {place}") for place in range(200))))
    assert await api.find("/company/contacts/999999") is None
    for fault in (Fault("throttle", retry_after="0"), Fault("error", status=500)):
        desk.simulator.fail(Fault(fault.kind, calls=3, retry_after="0", status=fault.status, match="/company/contacts"))
        with pytest.raises(VendorError):
            await CONNECTOR.find(api, JANE_DOE)
    return list(desk.simulator.calls)


def problems(schema: Json, value: object, registry: Registry[Any] | None = None) -> list[str]:
    validator: Any = Draft202012Validator(schema, registry=registry or Registry[Any]())
    errors: Iterator[Any] = validator.iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in errors]


async def test_everything_we_send_is_as_described(desk: Desk) -> None:
    calls = await everything(desk)
    found: list[str] = []
    sent: set[tuple[str, str]] = set()
    for call in calls:
        assert set(call.query) <= ASKED, call
        if call.method == "GET":
            assert call.body is None
            continue
        key = next(key for key in BODIES if key[0] == call.method and re.fullmatch(key[1], call.path))
        sent.add(key)
        found += [f"{call} sends {one}" for one in problems(BODIES[key], call.body)]
    assert not found
    assert sent == set(BODIES), "each of them was sent"


async def test_every_page_size_is_the_largest_there_is(desk: Desk) -> None:
    lists = [call for call in await everything(desk) if "pageSize" in call.query]
    assert {call.query["pageSize"] for call in lists} == {"1000"}
    assert all(call.query.get("orderBy") or call.method == "POST" for call in lists), "pages need an order"


async def test_errors_come_in_both_of_their_shapes(desk: Desk) -> None:
    answers = [call.answer for call in await everything(desk) if call.status >= 400]
    assert [found for answer in answers for found in problems(ERROR, answer)] == []
    assert {"error" in cast("Json", answer) for answer in answers} == {True, False}


# --- the vendor's own description


def _nullable(node: object) -> object:
    """OpenAPI 3.0's 'nullable' as JSON Schema says it."""
    if isinstance(node, list):
        return [_nullable(one) for one in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    known = {name: _nullable(value) for name, value in cast("dict[str, object]", node).items()}
    return {"anyOf": [{"type": "null"}, known]} if known.pop("nullable", None) is True else known


class Description:
    """The vendor's description of what is read, ready to be asked."""

    def __init__(self) -> None:
        self.spec: dict[str, Any] = json.loads((Path(SPECS) / FILE).read_text())
        resource = Resource.from_contents(_nullable(self.spec), default_specification=DRAFT202012)
        self.registry: Registry[Any] = Registry[Any]().with_resource("urn:connectwise", resource)

    def path_of(self, path: str) -> str | None:
        """The vendor's own word for what was asked: one without a placeholder where there is one."""
        paths: dict[str, Any] = self.spec["paths"]
        fitting = [one for one in paths if "regex" not in one and re.fullmatch(re.sub(r"\{\w+\}", r"\\d+", one), path)]
        return min(fitting, key=lambda one: one.count("{"), default=None)

    def schema(self, path: str) -> dict[str, Any]:
        content: dict[str, Any] = self.spec["paths"][path]["get"]["responses"]["200"]["content"]
        return next(iter(content.values()))["schema"]

    def problems(self, schema: Mapping[str, Any], answer: object) -> list[str]:
        whole: Json = json.loads(json.dumps(schema).replace('"#/', '"urn:connectwise#/'))
        return problems(whole, answer, self.registry)

    def unknown(self, schema: Mapping[str, Any], value: object) -> list[str]:
        """Fields of an answer that the vendor does not describe: a stand-in must not invent any."""
        while "$ref" in schema:
            schema = self.spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if isinstance(value, list):
            listed = cast("list[object]", value)
            return [found for one in listed for found in self.unknown(schema.get("items", {}), one)]
        if not isinstance(value, dict) or "properties" not in schema:
            return []
        fields: dict[str, Any] = schema["properties"]
        found: list[str] = []
        for name, inside in cast("dict[str, object]", value).items():
            found += [name] if name not in fields else self.unknown(fields[name], inside)
        return found


@held_to_the_vendor
async def test_everything_the_simulator_answers_is_as_the_vendor_describes_it(desk: Desk) -> None:
    description = Description()
    found: list[str] = []
    kinds: set[str] = set()
    for call in await everything(desk):
        if call.status >= 300:
            continue
        # What is added or changed is answered with the record, as reading it is.
        read = call.path.removesuffix("/search")
        if call.method == "POST" and not call.path.endswith("/search"):
            read = f"{call.path}/1"
        path = description.path_of(read)
        if path is None:
            schema = next((one for pattern, one in OURS.items() if re.fullmatch(pattern, call.path)), None)
            assert schema is not None, f"nobody describes {call}"
            found += [f"{call} answers {one}" for one in problems(schema, call.answer)]
            continue
        kinds.add(path)
        described_as = description.schema(path)
        found += [f"{call} answers {one}" for one in description.problems(described_as, call.answer)]
        found += [f"{call} invents {one}" for one in description.unknown(described_as, call.answer)]
    assert not found
    assert len(kinds) >= 18, kinds


@held_to_the_vendor
def test_every_field_we_send_is_one_the_vendor_knows() -> None:
    description = Description()
    schemas: dict[str, Any] = description.spec["components"]["schemas"]
    known = {
        r"/service/tickets": "Ticket",
        r"/service/tickets/\d+": "Ticket",
        r"/service/tickets/\d+/notes": "ServiceNote",
        r"/service/tickets/\d+/tasks": "ServiceTask",
        r"/service/tickets/\d+/tasks/\d+": "ServiceTask",
        r"/time/entries": "TimeEntry",
        r"/company/contacts/\d+": "Contact",
        r"/finance/agreements/\d+/additions/\d+": "Addition",
    }
    for (method, path), body in BODIES.items():
        if path.endswith("/search"):
            continue
        fields = set(schemas[known[path]]["properties"])
        if method == "POST":
            sent = set(cast("Json", body["properties"]))
        else:
            lines = cast("list[Json]", cast("Json", body["items"])["oneOf"])
            sent = {str(cast("Json", cast("Json", line["properties"])["path"])["const"]) for line in lines}
        assert sent - {"contact"} <= fields, (path, sent - fields)
    assert schemas["Ticket"]["properties"]["summary"]["description"].strip() == "Max length: 100;"
