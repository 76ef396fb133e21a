"""What the lock-out needs to know about one account, read side by side in as few round trips as possible."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from connectors.contract import Account, Json
from connectors.http import RefusedWith
from connectors.microsoft365.client import Graph, quoted, text
from connectors.microsoft365.methods import Method, read_methods
from connectors.microsoft365.roles import GLOBAL_ADMINISTRATOR, MAY_CHANGE_ADMINS, Role, roles_of

_USER = (
    "id",
    "displayName",
    "userPrincipalName",
    "accountEnabled",
    "userType",
    "onPremisesSyncEnabled",
    "onPremisesDistinguishedName",
    "onPremisesSamAccountName",
    "onPremisesLastSyncDateTime",
    "signInSessionsValidFromDateTime",
)
_MOST_REPORTS = 2000

Read = TypeVar("Read")


class Microsoft365Facts(BaseModel):
    """One account as it was read for a plan."""

    model_config = ConfigDict(frozen=True)

    enabled: bool
    user_name: str = ""
    synced: bool = False
    """Mastered by an on-premises domain."""
    sam_account_name: str = ""
    distinguished_name: str = ""
    last_sync: datetime | None = None
    guest: bool = False
    federated: bool = False
    """Signs in at another identity provider; the password here is not used."""
    roles: tuple[Role, ...] = ()
    role_groups: tuple[str, ...] = ()
    """Names of role-assignable groups they are in or own."""
    privileged: bool = False
    may_change_admins: bool = False
    """Our own service principal holds the role needed for privileged targets; read only for those."""
    last_global_administrator: bool = False
    methods: tuple[Method, ...] = ()
    sessions_valid_from: datetime | None = None
    reports: tuple[str, ...] = ()
    """Object ids of everybody below them, however deep."""
    break_glass: bool = False
    unknown: tuple[str, ...] = ()
    """What could not be read, and why, as sentences."""
    roles_unknown: bool = False
    """Whether they are privileged could not be told for certain."""
    reports_unknown: bool = False
    """Whether somebody reports to them could not be told for everybody."""


async def read_facts(api: Graph, account: Account) -> Microsoft365Facts:
    """Everything, side by side. What Graph refuses to tell is noted as unknown; other surprises are raised."""
    await api.load()
    try:
        return await _read(api, account.id)
    except BaseExceptionGroup as several:
        # Side by side, one cause fails several reads: the first tells it.
        raise several.exceptions[0] from None


async def _read(api: Graph, user_id: str) -> Microsoft365Facts:
    reader = _Reader(api, user_id)
    told = reader.told
    async with asyncio.TaskGroup() as side_by_side:
        start = side_by_side.create_task
        reading_user = start(api.read(api.user(user_id).to_get_request_information(), select=_USER))
        active = start(told("active roles", reader.role_assignments(user_id), guards_roles=True))
        eligible = start(told("roles that can be activated (PIM, Entra ID P2)", reader.eligible(), guards_roles=True))
        reading_groups = start(told("role-assignable groups", reader.role_groups(), guards_roles=True))
        methods = start(told("sign-in methods", reader.methods()))
        reports = start(told("people reporting to them", reader.reports()))
        federated = start(told("which domains are federated", reader.federated_domains()))
    groups = reading_groups.result() or {}
    async with asyncio.TaskGroup() as side_by_side:
        by_group = [
            side_by_side.create_task(
                told(f"roles of the group {name}", reader.role_assignments(group), guards_roles=True)
            )
            for group, name in groups.items()
        ]
    roles = (
        *roles_of(active.result() or (), "active"),
        *roles_of(eligible.result() or (), "eligible"),
        *roles_of((role for reading in by_group for role in reading.result() or ()), "by group"),
    )
    privileged = bool(groups) or any(role.privileged for role in roles)
    may_change, last = False, False
    if privileged:
        async with asyncio.TaskGroup() as side_by_side:
            ours = side_by_side.create_task(told("our own roles in the tenant", reader.may_change_admins()))
            others = side_by_side.create_task(
                told("the other Global Administrators", reader.is_last_global_administrator(roles))
            )
        # Not told is taken as the careful answer: we may not, and nobody else is known.
        may_change, last = ours.result() is True, others.result() is not False
    user = reading_user.result()
    user_name = text(user, "userPrincipalName")
    domain = user_name.rpartition("@")[2].casefold()
    return Microsoft365Facts(
        enabled=user.get("accountEnabled") is True,
        user_name=user_name,
        synced=user.get("onPremisesSyncEnabled") is True,
        sam_account_name=text(user, "onPremisesSamAccountName"),
        distinguished_name=text(user, "onPremisesDistinguishedName"),
        last_sync=moment(user.get("onPremisesLastSyncDateTime")),
        guest=user.get("userType") == "Guest",
        federated=domain in (federated.result() or frozenset[str]()),
        roles=roles,
        role_groups=tuple(groups.values()),
        privileged=privileged,
        may_change_admins=may_change,
        last_global_administrator=last,
        methods=methods.result() or (),
        sessions_valid_from=moment(user.get("signInSessionsValidFromDateTime")),
        reports=reports.result() or (),
        break_glass=user_id.casefold() in api.settings.break_glass,
        unknown=tuple(reader.unknown),
        roles_unknown=reader.roles_unknown,
        reports_unknown=reports.result() is None or reader.reports_cut,
    )


def moment(value: object) -> datetime | None:
    """A time as Graph writes it; None when there is none."""
    return datetime.fromisoformat(value) if isinstance(value, str) and value else None


class _Reader:
    """The single reads about one account, and what could not be read."""

    def __init__(self, api: Graph, user: str) -> None:
        self.api, self.user = api, user
        self.unknown: list[str] = []
        self.roles_unknown = False
        self.reports_cut = False

    async def told(self, what: str, reading: Awaitable[Read], *, guards_roles: bool = False) -> Read | None:
        """The reading, or None and a note where Graph understood and said no (no licence, no permission)."""
        try:
            return await reading
        except RefusedWith as refused:
            self.unknown.append(f"Could not read {what}: {refused.message}.")
            self.roles_unknown = self.roles_unknown or guards_roles
            return None

    async def role_assignments(self, principal: str) -> list[Json]:
        directory = self.api.sdk.role_management.directory
        return await self.api.read_all(
            directory.role_assignments.to_get_request_information(),
            filter=f"principalId eq {quoted(principal)}",
            expand="roleDefinition",
        )

    async def eligible(self) -> list[Json]:
        directory = self.api.sdk.role_management.directory
        return await self.api.read_all(
            directory.role_eligibility_schedule_instances.to_get_request_information(),
            filter=f"principalId eq {quoted(self.user)}",
            expand="roleDefinition",
        )

    async def role_groups(self) -> dict[str, str]:
        """Role-assignable groups they belong to, through others too, or own: id → name."""
        fields = ("id", "displayName", "isAssignableToRole")
        user = self.api.user(self.user)
        inside, owned = await asyncio.gather(
            self.api.read_all(user.transitive_member_of.to_get_request_information(), select=fields),
            self.api.read_all(user.owned_objects.to_get_request_information(), select=fields),
        )
        return {
            text(group, "id"): text(group, "displayName")
            for group in (*inside, *owned)
            if group.get("isAssignableToRole") is True
        }

    async def methods(self) -> tuple[Method, ...]:
        return await read_methods(self.api, self.user)

    async def reports(self) -> tuple[str, ...]:
        """Everybody below, level by level; somebody with none costs one request."""
        found: dict[str, None] = {}
        level = [self.user]
        while level and len(found) < _MOST_REPORTS:
            pages = await asyncio.gather(
                *(
                    self.api.read_all(self.api.user(boss).direct_reports.to_get_request_information(), select=("id",))
                    for boss in level
                )
            )
            below = [text(person, "id") for page in pages for person in page]
            # A circle of managers is possible in a directory; nobody is visited twice.
            level = [person for person in dict.fromkeys(below) if person not in found and person != self.user]
            found.update(dict.fromkeys(level))
        if level:
            self.reports_cut = True
            self.unknown.append(f"More than {_MOST_REPORTS:,} people report to them: not all of them were read.")
        return tuple(found)

    async def federated_domains(self) -> frozenset[str]:
        domains = await self.api.read_all(
            self.api.sdk.domains.to_get_request_information(), select=("id", "authenticationType")
        )
        return frozenset(
            text(domain, "id").casefold() for domain in domains if domain.get("authenticationType") == "Federated"
        )

    async def may_change_admins(self) -> bool:
        """Whether our own service principal holds the role that changing a privileged person takes."""
        if self.api.service_principal is None:
            found = await self.api.read_all(
                self.api.sdk.service_principals.to_get_request_information(),
                filter=f"appId eq {quoted(self.api.settings.client_id)}",
                select=("id",),
            )
            if not found:
                return False
            self.api.service_principal = text(found[0], "id")
        ours = await self.role_assignments(self.api.service_principal)
        return any(role.id in MAY_CHANGE_ADMINS for role in roles_of(ours, "active"))

    async def is_last_global_administrator(self, roles: Iterable[Role]) -> bool:
        """Whether no other enabled user holds the role directly. Holders by group are not counted on."""
        if not any(role.id == GLOBAL_ADMINISTRATOR and role.how != "eligible" for role in roles):
            return False
        directory = self.api.sdk.role_management.directory
        holders = await self.api.read_all(
            directory.role_assignments.to_get_request_information(),
            filter=f"roleDefinitionId eq {quoted(GLOBAL_ADMINISTRATOR)}",
        )
        others = {text(holder, "principalId") for holder in holders} - {self.user}
        if not others:
            return True
        # Graph takes at most 15 values in one 'in' (advanced filters, read 2026-11).
        some = sorted(others)[:15]
        people = await self.api.read_all(
            self.api.sdk.users.to_get_request_information(),
            filter=f"id in ({','.join(quoted(other) for other in some)})",
            select=("id", "accountEnabled"),
        )
        return not any(person.get("accountEnabled") is True for person in people)
