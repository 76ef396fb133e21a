"""Whether the steps would work at a client: reachable, signed in, and every name in clients.yml leads somewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from connectors.connectwise.agreements import LICENCE, Line, read_lines
from connectors.connectwise.client import ConnectWiseApi
from connectors.connectwise.contact_steps import ContactInactive, EndPortalLogin, ListDevices
from connectors.connectwise.facts import CONFIGURATIONS
from connectors.connectwise.lines import ReduceLines
from connectors.connectwise.people import CONTACTS, approvers, read_company
from connectors.connectwise.records import text
from connectors.connectwise.tables import board_of, closed_status_of, number_of
from connectors.contract import Check, Refused, SignInFailed

DESK_RIGHTS = (
    "Service Desk > Service Tickets (add, edit, inquire), Service Desk > Close Service Tickets (edit), "
    "Time & Expense > Time Entry (add, inquire)"
)


async def readiness(api: ConnectWiseApi) -> tuple[Check, ...]:
    """Each thing that must be so. Raises Unreachable or Throttled where nothing can be said."""
    every = (EndPortalLogin.id, ContactInactive.id, ListDevices.id, ReduceLines.id)
    try:
        info = await api.company_info()
    except SignInFailed as refused:
        return (Check("Reachable", ok=False, said=refused.message, fix=refused.fix, steps=every),)
    checks = [Check("Reachable", ok=True, said=f"{text(info, 'CompanyName')}, {text(info, 'VersionCode')}")]
    try:
        company = await read_company(api, afresh=True)
    except SignInFailed as refused:
        return (*checks, Check("Signed in", ok=False, said=refused.message, fix=refused.fix, steps=every))
    except Refused as refused:
        checks.append(Check("Signed in", ok=True))
        return (*checks, Check("Company", ok=False, said=refused.message, fix=refused.fix, steps=every))
    checks += [Check("Signed in", ok=True), Check("Company", ok=True, said=text(company, "name"))]
    checks += await _desk(api)
    checks.append(
        await _told("Contacts", (EndPortalLogin.id, ContactInactive.id), lambda: api.list(f"{CONTACTS}/types"))
    )
    checks.append(await _told("Devices", (ListDevices.id,), lambda: api.list(f"{CONFIGURATIONS}/statuses")))
    checks.append(await _approvers(api))
    checks += await _lines(api)
    said = "can't be tried without changing something; where one lacks, the step says which"
    checks.append(Check("Rights to change", ok=True, said=said, fix=f"Needed: {DESK_RIGHTS}, {_rights()}."))
    return tuple(checks)


async def _desk(api: ConnectWiseApi) -> list[Check]:
    settings = api.settings
    try:
        board = await board_of(api)
    except Refused as refused:
        return [_failed("Board", refused)]
    under = f"/service/boards/{board}"
    asked: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("Closed status", lambda: closed_status_of(api, board)),
        ("Member", lambda: number_of(api, "member", "/system/members", settings.member, field="identifier")),
    ]
    named = (
        ("Priority", "priority", "/service/priorities", settings.priority),
        ("Type", "type", f"{under}/types", settings.type),
        ("Status", "status", f"{under}/statuses", settings.status),
        ("Work type", "work_type", "/time/workTypes", settings.work_type),
        ("Work role", "work_role", "/time/workRoles", settings.work_role),
    )
    for title, setting, path, name in named:
        if name:
            asked.append((title, lambda setting=setting, path=path, name=name: number_of(api, setting, path, name)))
    return [Check("Board", ok=True, said=settings.board), *[await _told(title, (), ask) for title, ask in asked]]


async def _approvers(api: ConnectWiseApi) -> Check:
    try:
        found = await approvers(api)
    except Refused as refused:
        return _failed("Who may ask", refused)
    if found:
        return Check("Who may ask", ok=True, said=", ".join(one.name for one in found))
    kinds = " or ".join(api.settings.approver_types)
    fix = f"Give that type to whoever may ask for leavers, or set approver_types in clients.yml ({CONTACTS} > Types)."
    return Check("Who may ask", ok=False, said=f"no active contact of the client has the type {kinds}", fix=fix)


async def _lines(api: ConnectWiseApi) -> list[Check]:
    try:
        lines = await read_lines(api, api.around.clock.now().date())
    except Refused as refused:
        return [_failed("Agreements", refused, ReduceLines.id)]
    return [_line(line) for line in lines]


def _line(line: Line) -> Check:
    title = f"Line {line.label}"
    if (one := line.only) is not None:
        kind = f"never below its seats of {line.part_number}" if line.kind == LICENCE else f"minimum {line.minimum:f}"
        return Check(title, ok=True, said=f"{one.title}, {one.quantity:f} in {one.agreement_name}, {kind}")
    named = "; ".join(f"{one.title} in {one.agreement_name} (#{one.agreement})" for one in line.found)
    said = f"fits {len(line.found)} additions: {named}" if line.found else "no active agreement has such an addition"
    fix = "In clients.yml, set product to an addition's product id, and agreement where several agreements have it."
    return Check(title, ok=False, said=said, fix=fix, steps=(ReduceLines.id,))


async def _told(title: str, steps: tuple[str, ...], ask: Callable[[], Awaitable[object]]) -> Check:
    try:
        await ask()
    except Refused as refused:
        return _failed(title, refused, *steps)
    return Check(title, ok=True)


def _failed(title: str, refused: Refused, *steps: str) -> Check:
    return Check(title, ok=False, said=refused.message, fix=refused.fix, steps=steps)


def _rights() -> str:
    return ", ".join(dict.fromkeys((*ContactInactive.permissions, *ReduceLines.permissions)))
