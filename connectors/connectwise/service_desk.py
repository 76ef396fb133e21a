"""The case's ticket: opened so that nobody is notified, found again by our key, and read back after every write.

Nothing here is repeatable: two tickets, two notes, two hours are two. So each carries our key, the ticket in its
external reference, everything else in its text. No contact and no copy is ever put on a ticket: whoever is told by
mail of their own leaving can't be untold.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from connectors.connectwise.client import VENDOR, Change, ConnectWiseApi
from connectors.connectwise.conditions import all_of, begins_with, equals
from connectors.connectwise.people import read_company
from connectors.connectwise.records import Record, Value, flag, number, stamp, text
from connectors.connectwise.tables import Chosen, chosen
from connectors.contract import Refused, Unreachable
from connectors.desk import Desk, DeskTask, TicketState

TICKETS, TIME = "/service/tickets", "/time/entries"
LONGEST_SUMMARY = 100
_KEY = re.compile(r"\[offboard ([^\]\s]+)\]")
_QUIET: dict[str, Value] = {
    "automaticEmailContactFlag": False,
    "automaticEmailResourceFlag": False,
    "automaticEmailCcFlag": False,
    "automaticEmailCc": "",
}
_NO_NOTICE = Change("processNotifications", value=False)
"""With every change of a ticket: otherwise its workflow mails whoever is on it."""


class ConnectWiseDesk(Desk[ConnectWiseApi]):
    """Tickets on the board that clients.yml names."""

    async def find_ticket(self, api: ConnectWiseApi, key: str) -> str:
        company = number(await read_company(api), "id")
        asked = all_of(begins_with("externalXRef", _reference(key)), equals("company/id", company))
        found = await api.list(TICKETS, asked)
        for reference in (_reference(key), _opening(key)):
            tickets = [number(one, "id") for one in found if text(one, "externalXRef") == reference]
            if not tickets:
                continue
            ticket = str(min(tickets))
            if reference == _opening(key):
                await self._quieted(api, ticket, key)
            return ticket
        return ""

    async def open_ticket(self, api: ConnectWiseApi, key: str, summary: str, text: str) -> str:
        company, chose = await asyncio.gather(read_company(api), chosen(api))
        body: Record = {
            "summary": shortened(summary),
            "recordType": "ServiceTicket",
            "board": {"id": chose.board},
            "company": {"id": number(company, "id")},
            "contact": _contact(api),
            "externalXRef": _opening(key),
            "initialInternalAnalysis": _marked(key, text),
            "allowAllClientsPortalView": False,
            "customerUpdatedFlag": False,
            "processNotifications": False,
            **_QUIET,
            **_references(chose),
        }
        ticket = str(await api.create(TICKETS, body))
        await self._quieted(api, ticket, key)
        return ticket

    async def read_ticket(self, api: ConnectWiseApi, ticket: str) -> TicketState | None:
        path = _path(ticket)
        record = await api.find(path)
        if record is None:
            return None
        notes, tasks, times = await asyncio.gather(
            api.list(f"{path}/notes"), api.list(f"{path}/tasks"), _times(api, ticket)
        )
        return TicketState(
            id=ticket,
            summary=text(record, "summary"),
            closed=flag(record, "closedFlag"),
            notes=_keys(text(one, "text") for one in notes),
            tasks=tuple(_task(one) for one in tasks),
            times=_keys(text(one, "notes") for one in times),
        )

    async def rename_ticket(self, api: ConnectWiseApi, ticket: str, summary: str) -> None:
        wanted = shortened(summary)
        await api.change(_path(ticket), Change("summary", wanted), _NO_NOTICE)
        if text(await api.get(_path(ticket)), "summary") != wanted:
            raise _without_effect(f"PATCH {_path(ticket)}", "the summary")

    async def add_note(self, api: ConnectWiseApi, ticket: str, key: str, text: str) -> None:
        path = f"{_path(ticket)}/notes"
        body: Record = {
            "text": _marked(key, text),
            "detailDescriptionFlag": False,
            "internalAnalysisFlag": True,
            "resolutionFlag": False,
            "customerUpdatedFlag": False,
            "processNotifications": False,
        }
        await api.create(path, body)
        note = next((one for one in await api.list(path) if key in _keys([_text(one)])), None)
        if note is None:
            raise _without_effect(f"POST {path}", "the note")
        if flag(note, "detailDescriptionFlag") or flag(note, "resolutionFlag"):
            fix = f"In ticket #{ticket}, make that note internal at once, and check the board's rules for notes."
            raise Refused(VENDOR, f"POST {path}", "the note was meant as internal, and customers can read it", fix)

    async def add_task(self, api: ConnectWiseApi, ticket: str, key: str, text: str) -> None:
        path = f"{_path(ticket)}/tasks"
        member = (await chosen(api)).member
        await api.create(path, {"notes": _marked(key, text), "closedFlag": False, "member": {"id": member}})
        if not any(key in _keys([_notes(one)]) for one in await api.list(path)):
            raise _without_effect(f"POST {path}", "the task")

    async def close_task(self, api: ConnectWiseApi, ticket: str, task: str, resolution: str) -> None:
        path = f"{_path(ticket)}/tasks/{int(task)}"
        record = await api.get(path)
        if flag(record, "closedFlag"):
            # A person was faster, and what they wrote stays.
            return
        await api.change(path, Change("closedFlag", value=True), Change("resolution", resolution))
        if not flag(await api.get(path), "closedFlag"):
            raise _without_effect(f"PATCH {path}", "closing the task")

    async def add_time(
        self, api: ConnectWiseApi, ticket: str, key: str, begun: datetime, ended: datetime, text: str
    ) -> None:
        chose = await chosen(api)
        body: Record = {
            "chargeToId": int(ticket),
            "chargeToType": "ServiceTicket",
            "member": {"id": chose.member},
            "timeStart": stamp(begun),
            # An entry of no length is refused.
            "timeEnd": stamp(max(ended, begun + timedelta(minutes=1))),
            "notes": _marked(key, text),
            "addToDetailDescriptionFlag": False,
            "addToInternalAnalysisFlag": True,
            "addToResolutionFlag": False,
            "emailContactFlag": False,
            "emailResourceFlag": False,
            "emailCcFlag": False,
        }
        body |= {"workType": {"id": chose.work_type}} if chose.work_type else {}
        body |= {"workRole": {"id": chose.work_role}} if chose.work_role else {}
        await api.create(TIME, body)
        if not any(key in _keys([_notes(one)]) for one in await _times(api, ticket)):
            raise _without_effect(f"POST {TIME}", "the time entry")

    async def close_ticket(self, api: ConnectWiseApi, ticket: str) -> None:
        closed = (await chosen(api)).closed_status
        await api.change(_path(ticket), Change("status", {"id": closed}), _NO_NOTICE)
        if not flag(await api.get(_path(ticket)), "closedFlag"):
            raise _without_effect(f"PATCH {_path(ticket)}", "closing the ticket")

    async def reopen_ticket(self, api: ConnectWiseApi, ticket: str) -> None:
        opened = (await chosen(api)).open_status
        await api.change(_path(ticket), Change("status", {"id": opened}), _NO_NOTICE)
        if flag(await api.get(_path(ticket)), "closedFlag"):
            raise _without_effect(f"PATCH {_path(ticket)}", "opening the ticket again")

    async def _quieted(self, api: ConnectWiseApi, ticket: str, key: str) -> None:
        """Read the new ticket back; whom the board or the company put on it is taken off. Raises where that fails.

        Only then does it get the reference of a ticket that is ready: one that a crash left half-way is known by it.
        """
        path = _path(ticket)
        for again in (False, True):
            if changes := _loud(api, await _made(api, ticket), again=again):
                await api.change(path, *changes, _NO_NOTICE)
        record = await _made(api, ticket)
        if _loud(api, record, again=True):
            names = (text(record, "contact", "name"), text(record, "contactEmailAddress"))
            on_it = next((one for one in (*names, text(record, "automaticEmailCc")) if one), "somebody")
            raise Refused(
                VENDOR,
                f"PATCH {path}",
                f"ticket #{ticket} was opened, and mail about it may go to {on_it}: it can't be stopped",
                f"In ConnectWise, take contact and copies off ticket #{ticket} now, and end the rule that sets them.",
            )
        await api.change(path, Change("externalXRef", _reference(key)), _NO_NOTICE)
        if text(await _made(api, ticket), "externalXRef") != _reference(key):
            fix = "Have whatever clears a ticket's external reference leave ours alone: we find the ticket by it."
            raise Unreachable(VENDOR, f"PATCH {path}", f"ticket #{ticket} does not show its external reference", fix)


def shortened(summary: str) -> str:
    """As much of a summary as fits."""
    line = " ".join(summary.split())
    return line if len(line) <= LONGEST_SUMMARY else f"{line[: LONGEST_SUMMARY - 1].rstrip()}…"


async def _made(api: ConnectWiseApi, ticket: str) -> Record:
    """The ticket that was just opened. Raises Unreachable where it does not show."""
    record = await api.find(_path(ticket))
    if record is None:
        raise _without_effect(f"POST {TICKETS}", f"the ticket #{ticket}")
    return record


def _loud(api: ConnectWiseApi, record: Record, *, again: bool) -> list[Change]:
    """What must be changed before nobody is told of anything on this ticket."""
    changes: list[Change] = []
    wanted = _contact(api)
    if number(record, "contact", "id") != (number(wanted, "id") if wanted else 0):
        # Removing is how a reference is emptied; where that has no effect, null may have.
        taken_off = Change("contact") if again else Change("contact", op="remove")
        changes.append(Change("contact", dict(wanted)) if wanted else taken_off)
    elif wanted is None and text(record, "contactEmailAddress"):
        changes.append(Change("contactEmailAddress", ""))
    changes += [Change(name, quiet) for name, quiet in _QUIET.items() if (record.get(name) or quiet) != quiet]
    return changes


def _contact(api: ConnectWiseApi) -> Record | None:
    """Whom clients.yml puts on every ticket; normally nobody, said in so many words."""
    return {"id": int(api.settings.contact)} if api.settings.contact else None


def _references(chose: Chosen) -> Record:
    named = {"priority": chose.priority, "type": chose.type, "status": chose.status}
    return {name: {"id": value} for name, value in named.items() if value}


async def _times(api: ConnectWiseApi, ticket: str) -> list[Record]:
    """The ticket's time entries; the list under the ticket itself has nothing but their numbers."""
    asked = all_of(equals("chargeToType", "ServiceTicket"), equals("chargeToId", int(ticket)))
    return await api.list(TIME, asked)


def _task(record: Record) -> DeskTask:
    closed = flag(record, "closedFlag")
    return DeskTask(
        id=str(number(record, "id")),
        key=next(iter(_KEY.findall(_notes(record))), ""),
        closed=closed,
        closed_by=text(record, "_info", "updatedBy") if closed else "",
        resolution=text(record, "resolution"),
    )


def _path(ticket: str) -> str:
    if not ticket.isdigit():
        raise Refused(VENDOR, f"GET {TICKETS}", f"'{ticket}' is no ticket number", "Look the ticket up in ConnectWise.")
    return f"{TICKETS}/{ticket}"


def _reference(key: str) -> str:
    """By which a ticket that is ready is found."""
    return f"offboard {key}"


def _opening(key: str) -> str:
    """By which one is found that may still have somebody on it."""
    return f"offboard {key} opening"


def _marked(key: str, words: str) -> str:
    return f"{words}\n\n[offboard {key}]"


def _keys(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(key for one in texts for key in _KEY.findall(one))


def _text(record: Record) -> str:
    return text(record, "text")


def _notes(record: Record) -> str:
    return text(record, "notes")


def _without_effect(call: str, what: str) -> Unreachable:
    return Unreachable(VENDOR, call, f"was answered with success, and {what} does not show")
