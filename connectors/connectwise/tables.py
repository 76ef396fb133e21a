"""The names in clients.yml as the numbers ConnectWise wants: board, priority, type, statuses, member, work type."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from connectors.connectwise.client import VENDOR, ConnectWiseApi
from connectors.connectwise.conditions import equals
from connectors.connectwise.records import Record, flag, number, same, text
from connectors.contract import Refused


@dataclass(frozen=True)
class Chosen:
    """Record numbers; 0 where clients.yml names none."""

    board: int
    priority: int
    type: int
    status: int
    closed_status: int
    open_status: int
    """What a ticket that is opened again gets."""
    member: int
    work_type: int
    work_role: int


async def chosen(api: ConnectWiseApi) -> Chosen:
    """All of them, looked up once per connection. Raises Refused that names the setting."""
    settings = api.settings
    board = await board_of(api)
    priority, kind, status, closed, member, work_type, work_role = await asyncio.gather(
        number_of(api, "priority", "/service/priorities", settings.priority),
        number_of(api, "type", f"/service/boards/{board}/types", settings.type),
        number_of(api, "status", f"/service/boards/{board}/statuses", settings.status),
        closed_status_of(api, board),
        number_of(api, "member", "/system/members", settings.member, field="identifier"),
        number_of(api, "work_type", "/time/workTypes", settings.work_type),
        number_of(api, "work_role", "/time/workRoles", settings.work_role),
    )
    opened = status or await open_status_of(api, board)
    return Chosen(board, priority, kind, status, closed, opened, member, work_type, work_role)


async def board_of(api: ConnectWiseApi) -> int:
    """The board's number."""
    return await number_of(api, "board", "/service/boards", api.settings.board)


async def number_of(api: ConnectWiseApi, setting: str, path: str, name: str, field: str = "name") -> int:
    """Number of the active record of that name; 0 for no name."""
    if not name:
        return 0
    if (kept := api.known.get(f"{path} {name}")) is None:
        found = [one for one in await api.list(path, equals(field, name)) if same(text(one, field), name)]
        active = [one for one in found if not flag(one, "inactiveFlag") and not flag(one, "inactive")]
        if len(active) != 1:
            said = f"'{name}' is inactive" if found and not active else f"there are {len(active)} called '{name}'"
            raise unknown(setting, path, said)
        kept = api.known[f"{path} {name}"] = active[0]
    return number(kept, "id")


async def closed_status_of(api: ConnectWiseApi, board: int) -> int:
    """The status that closes a ticket: the one named, which must close it, or the board's first that does."""
    path, name = _statuses(board), api.settings.closed_status
    closing = [one for one in await _in_use(api, board) if flag(one, "closedStatus")]
    fitting = [one for one in closing if not name or same(text(one, "name"), name)]
    if not fitting:
        said = f"no status '{name}' of the board closes a ticket" if name else "no status of the board closes a ticket"
        raise unknown("closed_status", path, said)
    return number(min(fitting, key=_place), "id")


async def open_status_of(api: ConnectWiseApi, board: int) -> int:
    """The status that a ticket of the board begins with; 0 where every one of its statuses closes a ticket."""
    opening = [one for one in await _in_use(api, board) if not flag(one, "closedStatus")]
    first = min(opening, key=lambda one: (not flag(one, "defaultFlag"), _place(one)), default=None)
    return number(first, "id") if first else 0


def _statuses(board: int) -> str:
    return f"/service/boards/{board}/statuses"


async def _in_use(api: ConnectWiseApi, board: int) -> list[Record]:
    """The board's statuses, but for those that are used no more; listed once per connection."""
    if board not in api.statuses:
        api.statuses[board] = [one for one in await api.list(_statuses(board)) if not flag(one, "inactive")]
    return api.statuses[board]


def unknown(setting: str, path: str, said: str) -> Refused:
    """A name in clients.yml that leads nowhere."""
    return Refused(VENDOR, f"GET {path}", said, f"Set {setting} in clients.yml to a name as ConnectWise shows it.")


def _place(status: Record) -> tuple[int, int]:
    return number(status, "sortOrder"), number(status, "id")
