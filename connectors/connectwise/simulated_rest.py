"""The simulated ConnectWise's records by REST: reading with conditions and pages, adding, changing by PATCH."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from pydantic import JsonValue

from connectors.connectwise.simulated_conditions import BadCondition, Conditions
from connectors.connectwise.simulated_mail import notify, notify_of_time
from connectors.connectwise.simulated_records import Key, Provider
from connectors.contract import Json
from connectors.simulated_faults import Effect

TICKETS, TIME = "service/tickets", "time/entries"
LONGEST_URL = 10_000
ACTIONS = frozenset({"processNotifications", "initialDescription", "initialInternalAnalysis", "initialResolution"})
"""What a request may say and no record holds."""
CHANGEABLE: Mapping[str, frozenset[str]] = {
    TICKETS: frozenset(
        {
            "summary",
            "status",
            "board",
            "priority",
            "type",
            "contact",
            "contactEmailAddress",
            "externalXRef",
            "automaticEmailContactFlag",
            "automaticEmailResourceFlag",
            "automaticEmailCcFlag",
            "automaticEmailCc",
            "customerUpdatedFlag",
            "processNotifications",
        }
    ),
    "tasks": frozenset({"notes", "closedFlag", "resolution", "member"}),
    "notes": frozenset({"text", "internalAnalysisFlag", "detailDescriptionFlag"}),
    "additions": frozenset({"quantity", "cancelledDate", "unitPrice", "lessIncluded"}),
    "company/contacts": frozenset({"inactiveFlag", "disablePortalLoginFlag", "title", "types"}),
}
REFERENCES = {
    "board": "service/boards",
    "company": "company/companies",
    "contact": "company/contacts",
    "priority": "service/priorities",
    "member": "system/members",
    "workType": "time/workTypes",
    "workRole": "time/workRoles",
}


class RestError(Exception):
    """What is answered in place of doing anything."""

    def __init__(self, status: int, code: str, message: str, field: str = "", resource: str = "") -> None:
        self.status, self.code, self.message, self.field, self.resource = status, code, message, field, resource
        super().__init__(message)

    def body(self) -> Json:
        """The vendor's shape; details only where a field is at fault."""
        inside: JsonValue = None
        if self.field:
            detail = {"code": "InvalidField", "message": self.message, "resource": self.resource, "field": self.field}
            inside = [cast("JsonValue", detail)]
        message = f"{self.resource or 'request'} object is invalid" if self.field else self.message
        return {"code": self.code, "message": message, "errors": inside}


@dataclass(frozen=True)
class Answer:
    """What is sent, and whether more pages follow."""

    status: int
    body: JsonValue
    page: int = 0
    """Number of the next page; 0: there is none."""


@dataclass
class Rest:
    """Carries requests out on one provider's records."""

    provider: Provider
    now: Callable[[], datetime]
    effects: list[Effect]

    def answer(self, method: str, path: str, query: Mapping[str, str], body: JsonValue) -> Answer:
        """Do it. Raises RestError."""
        if any(path.startswith(start) for start in self.provider.denied):
            raise RestError(403, "Forbidden", "You do not have security permission to perform this action")
        parts = path.split("/")
        if method == "POST" and parts[-1] == "search":
            asked = {name: str(value) for name, value in cast("Json", body).items()}
            return self._list("/".join(parts[:-1]), {**query, **asked})
        if method == "GET" and parts[-1] == "count":
            return Answer(200, {"count": len(self._seen("/".join(parts[:-1])))})
        if parts[-1].isdigit():
            key = "/".join(parts[:-1]), int(parts[-1])
            record = self._seen(key[0]).get(key[1])
            if record is None:
                raise RestError(404, "NotFound", f"{parts[-2]} {key[1]} not found")
            if method == "GET":
                return Answer(200, copy.deepcopy(cast("JsonValue", record)))
            if method == "PATCH":
                return Answer(200, self._change(key, cast("list[Json]", body)))
        elif method == "GET":
            return self._list(path, query)
        elif method == "POST":
            return Answer(201, self._add(path, cast("Json", body)))
        raise RestError(405, "MethodNotAllowed", f"{method} is not possible here")

    # --- reading

    def _seen(self, collection: str) -> dict[int, Json]:
        """The collection as it reads now: what was written a moment ago may not show."""
        parts = collection.split("/")
        known = self.provider.collections.get(collection)
        if known is None and parts[:2] == TICKETS.split("/") and len(parts) == 4:
            known = dict[int, Json]() if int(parts[2]) in self.provider.collections[TICKETS] else None
        if known is None:
            raise RestError(404, "NotFound", f"There is nothing at {collection}")
        records = dict(known)
        for (of, number), before, until in reversed(self.provider.written):
            if of == collection and self.now() < until:
                if before is None:
                    records.pop(number, None)
                else:
                    records[number] = before
        return records

    def _list(self, collection: str, query: Mapping[str, str]) -> Answer:
        try:
            plain = Conditions(query.get("conditions", ""))
            children = Conditions(query.get("childConditions", ""), children=True)
            found = [one for one in self._seen(collection).values() if plain.fits(one) and children.fits(one)]
        except BadCondition as bad:
            raise RestError(400, "ApiFindCondition", str(bad)) from bad
        found.sort(key=lambda one: cast("int", one["id"]))
        size = min(int(query.get("pageSize", "25")), 1000, self.provider.most_per_page)
        page = int(query.get("page", "1"))
        shown = found[(page - 1) * size : page * size]
        return Answer(200, copy.deepcopy(cast("JsonValue", shown)), page + 1 if page * size < len(found) else 0)

    # --- adding

    def _add(self, collection: str, body: Json) -> JsonValue:
        parts = collection.split("/")
        number = self.provider.next_number
        record: Json = {"id": number, **{name: value for name, value in body.items() if name not in ACTIONS}}
        record = {name: value for name, value in record.items() if value is not None}
        if collection == TICKETS:
            record = self._ticket(record, body)
        elif collection == TIME:
            self._time(record)
        elif parts[:2] == TICKETS.split("/") and len(parts) == 4 and parts[3] in {"notes", "tasks"}:
            self._under_ticket(int(parts[2]), parts[3], record)
        else:
            raise RestError(405, "MethodNotAllowed", f"Nothing can be added to {collection}")
        self.provider.next_number += 1
        self._write((collection, number), record, f"{parts[-1]} added")
        if collection == TICKETS:
            self._first_notes(number, body)
            notify(self.provider, record, "new ticket", body)
        elif collection == TIME:
            notify_of_time(self.provider, self._ticket_of(cast("int", body["chargeToId"])), body)
        elif parts[-1] == "notes" and not record.get("internalAnalysisFlag"):
            notify(self.provider, self._ticket_of(int(parts[2])), "note", body)
        return copy.deepcopy(cast("JsonValue", record))

    def _ticket(self, record: Json, body: Json) -> Json:
        summary = body.get("summary")
        if not isinstance(summary, str) or not summary or len(summary) > 100:
            raise RestError(400, "InvalidObject", "The summary must have 1 to 100 characters", "summary", "ticket")
        if "company" not in record:
            raise RestError(400, "InvalidObject", "The company is required", "company", "ticket")
        for name in REFERENCES:
            self._refer(record, name, "ticket")
        board = cast("Json", record.get("board") or {"id": 12})
        number = cast("int", board["id"])
        settings = self.provider.record("service/boards", number)
        if (status := cast("Json | None", record.get("status"))) is None:
            statuses = self.provider.of(f"service/boards/{number}/statuses")
            status = next((one for one in statuses if one.get("defaultFlag")), {"id": 101})
        record["status"] = {"id": status["id"]}
        self._settle_status(record)
        defaults = {"automaticEmailContactFlag": "sendToContactFlag", "automaticEmailCcFlag": "sendToCCFlag"}
        for name, of_board in defaults.items():
            record.setdefault(name, settings[of_board])
        fills = self.provider.fills_contact
        if fills == "always" or (fills == "absent" and "contact" not in body):
            company = self.provider.record("company/companies", cast("int", cast("Json", record["company"])["id"]))
            record["contact"] = company["defaultContact"]
            self._refer(record, "contact", "ticket")
        if self.provider.copies:
            record["automaticEmailCcFlag"], record["automaticEmailCc"] = True, self.provider.copies
        if self.provider.drops_reference:
            record.pop("externalXRef", None)
        return {**record, "closedFlag": False, "_info": self._info()}

    def _first_notes(self, ticket: int, body: Json) -> None:
        kinds = {"initialDescription": "detailDescriptionFlag", "initialInternalAnalysis": "internalAnalysisFlag"}
        for name, flag in kinds.items():
            if isinstance(said := body.get(name), str) and said:
                number = self.provider.next_number
                self.provider.next_number += 1
                note: Json = {"id": number, "ticketId": ticket, "text": said, flag: True}
                self._write((f"{TICKETS}/{ticket}/notes", number), note, "")

    def _under_ticket(self, ticket: int, kind: str, record: Json) -> None:
        self._ticket_of(ticket)
        record["ticketId"] = ticket
        if kind == "notes":
            kinds = ("detailDescriptionFlag", "internalAnalysisFlag", "resolutionFlag")
            if not record.get("text") or not any(record.get(name) for name in kinds):
                raise RestError(400, "InvalidObject", "A note needs a text and a kind", "text", "note")
            if self.provider.publishes_notes:
                record["detailDescriptionFlag"] = True
            return
        self._refer(record, "member", "task")
        record["_info"] = self._info()

    def _time(self, record: Json) -> None:
        if not record.get("timeStart") or not record.get("member"):
            raise RestError(400, "InvalidObject", "Start and member are required", "timeStart", "timeEntry")
        if record.get("timeEnd") == record.get("timeStart"):
            raise RestError(400, "InvalidObject", "The end must be after the start", "timeEnd", "timeEntry")
        for name in ("member", "workType", "workRole"):
            self._refer(record, name, "timeEntry")
        self._ticket_of(cast("int", record.get("chargeToId")))

    # --- changing

    def _change(self, key: Key, changes: list[Json]) -> JsonValue:
        collection, number = key
        record = copy.deepcopy(self.provider.record(collection, number))
        kind = collection if collection in CHANGEABLE else collection.rpartition("/")[2]
        paths = [str(change.get("path")).removeprefix("/") for change in changes]
        stale = self.provider.stale.get(key)
        if stale and stale not in paths:
            raise RestError(400, "InvalidObject", f"{stale} is not valid", stale, kind.rpartition("/")[2].rstrip("s"))
        request: Json = {}
        for change, path in zip(changes, paths, strict=True):
            name = path.partition("/")[0]
            if name not in CHANGEABLE.get(kind, frozenset()):
                raise RestError(400, "InvalidObject", f"There is no {path}", path, kind)
            request[name] = change.get("value")
            if path.endswith("/identifier") or path in self.provider.deaf or name in ACTIONS:
                continue
            self._apply(record, str(change.get("op")), path, change.get("value"))
        for name in REFERENCES:
            self._refer(record, name, kind)
        if kind == TICKETS:
            self._settle_status(record)
        before = self.provider.record(collection, number)
        if record != before:
            record["_info"] = self._info()
            self._write(key, record, f"{kind.rpartition('/')[2]} changed", ", ".join(paths))
        if kind == TICKETS:
            notify(self.provider, record, "change", request)
            if record["status"] != before["status"]:
                self._template(record, request)
        return copy.deepcopy(cast("JsonValue", record))

    def _apply(self, record: Json, op: str, path: str, value: JsonValue) -> None:
        if path == "contact" and (value is None or op == "remove"):
            by_null = op == "replace"
            if not self.provider.keeps_contact and by_null is self.provider.removes_by_null:
                record.pop("contact", None)
            return
        if op == "remove":
            record.pop(path, None)
        elif op in {"replace", "add"} and "/" not in path:
            record[path] = value
        else:
            raise RestError(400, "InvalidOperation", f"{op} {path} is not possible")

    def _template(self, ticket: Json, request: Json) -> None:
        board, status = cast("Json", ticket["board"])["id"], cast("Json", ticket["status"])["id"]
        settings = self.provider.record(f"service/boards/{board}/statuses", cast("int", status))
        if settings.get("emailTemplate"):
            # The template goes to the contact whatever the ticket's flags say.
            notify(self.provider, {**ticket, "automaticEmailContactFlag": True}, "status", request)

    def _settle_status(self, ticket: Json) -> None:
        board, status = cast("Json", ticket["board"])["id"], cast("Json", ticket["status"]).get("id")
        known = self.provider.collections.get(f"service/boards/{board}/statuses", {}).get(cast("int", status))
        if known is None:
            raise RestError(400, "InvalidObject", "The status is not one of the board's", "status", "ticket")
        ticket["status"] = {"id": status, "name": known["name"]}
        ticket["closedFlag"] = known["closedStatus"]

    def _refer(self, record: Json, name: str, resource: str) -> None:
        """A reference by its number gets the name it has; one that leads nowhere is refused."""
        value = record.get(name)
        if not isinstance(value, dict):
            return
        known = self.provider.collections[REFERENCES[name]].get(cast("int", value.get("id")))
        if known is None:
            raise RestError(400, "InvalidObject", f"The {name} does not exist", name, resource)
        shown = known.get("name") or " ".join(str(known.get(one, "")) for one in ("firstName", "lastName"))
        record[name] = {"id": known["id"], "name": shown}
        if "identifier" in known:
            cast("Json", record[name])["identifier"] = known["identifier"]

    def _ticket_of(self, number: int) -> Json:
        ticket = self.provider.collections[TICKETS].get(number)
        if ticket is None:
            raise RestError(404, "NotFound", f"Ticket {number} not found")
        return ticket

    def _info(self) -> JsonValue:
        return {"lastUpdated": self.now().strftime("%Y-%m-%dT%H:%M:%SZ"), "updatedBy": "offboard"}

    def _write(self, key: Key, record: Json, what: str, detail: str = "") -> None:
        held = self.provider.collections.setdefault(key[0], {})
        if self.provider.lag:
            until = self.now() + timedelta(seconds=self.provider.lag)
            self.provider.written.append((key, copy.deepcopy(held.get(key[1])), until))
        held[key[1]] = record
        if what:
            number = len(self.effects) + 1
            self.effects.append(Effect(number, self.now(), "northwind", f"{key[0]}/{key[1]}", what, detail))
