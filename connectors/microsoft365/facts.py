"""What is known about one account, read side by side in two round trips: what ends access first, then the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from connectors.contract import Account, Json
from connectors.http import RefusedWith
from connectors.microsoft365.belongings import Belongings, read_belongings, read_ownership, with_licences
from connectors.microsoft365.client import Graph, quoted, text
from connectors.microsoft365.groups import GROUP_FIELDS, read_owned
from connectors.microsoft365.licences import STATES
from connectors.microsoft365.methods import Method, read_methods
from connectors.microsoft365.roles import (
    GLOBAL_ADMINISTRATOR,
    MAY_CHANGE_ADMINS,
    NO_PREMIUM,
    Role,
    another_global_administrator,
    read_assignments,
    read_eligible,
    roles_of,
)

_USER = (
    "id",
    "userPrincipalName",
    "accountEnabled",
    "userType",
    "onPremisesSyncEnabled",
    "onPremisesDistinguishedName",
    "onPremisesSamAccountName",
    "onPremisesLastSyncDateTime",
    "signInSessionsValidFromDateTime",
    "displayName",
    "givenName",
    "surname",
    "jobTitle",
    STATES,
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
    assigned_unknown: bool = False
    """Whether they hold a role, directly or by a group, could not be read."""
    eligible_unknown: bool = False
    """Whether they could activate one could not be read; without Entra ID P2 nobody can."""
    reports_unknown: bool = False
    """Whether somebody reports to them could not be told for everybody."""
    nameless: bool = False
    """Neither first name, last name nor title: people have one, service accounts don't."""
    display_name: str = ""
    deleted: datetime | None = None
    """When the account was deleted; nothing can sign in with it, and it can be restored for 30 days."""
    belongings: Belongings = Belongings()
    """Everything but the ways in."""


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
        reading_user = start(api.find(api.user(user_id).to_get_request_information(), select=_USER))
        active = start(told("active roles", read_assignments(api, user_id), guards_roles=True))
        activatable = told(
            "roles that can be activated (PIM, Entra ID P2)", read_eligible(api, user_id), guards_roles=True
        )
        eligible = start(activatable)
        reading_groups = start(told("role-assignable groups", reader.role_groups(), guards_roles=True))
        methods = start(told("sign-in methods", reader.methods()))
        reports = start(told("people reporting to them", reader.reports()))
        federated = start(told("which domains are federated", reader.federated_domains()))
        reading_rest = start(read_belongings(api, user_id))
    user = reading_user.result()
    if user is None:
        return await _read_deleted(api, user_id)
    rest, products = reading_rest.result()
    groups = reading_groups.result() or {}
    async with asyncio.TaskGroup() as side_by_side:
        by_group = [
            side_by_side.create_task(
                told(f"roles of the group {name}", read_assignments(api, group), guards_roles=True)
            )
            for group, name in groups.items()
        ]
        owning = side_by_side.create_task(
            read_ownership(api, user_id, reader.owned, with_licences(rest, user, products))
        )
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
        assigned_unknown=any(one.result() is None for one in (active, reading_groups, *by_group)),
        eligible_unknown=eligible.result() is None and not reader.no_premium,
        reports_unknown=reports.result() is None or reader.reports_cut,
        nameless=not any(text(user, name) for name in ("givenName", "surname", "jobTitle")),
        display_name=text(user, "displayName"),
        belongings=owning.result(),
    )


async def _read_deleted(api: Graph, user_id: str) -> Microsoft365Facts:
    """What is left of an account deleted less than 30 days ago. Refused when there is nothing left."""
    deleted = api.sdk.directory.deleted_items.by_directory_object_id(user_id)
    found = await api.read(deleted.to_get_request_information())
    return Microsoft365Facts(
        enabled=False,
        user_name=text(found, "userPrincipalName"),
        display_name=text(found, "displayName"),
        deleted=moment(found.get("deletedDateTime")),
        belongings=Belongings(unread=()),
        break_glass=user_id.casefold() in api.settings.break_glass,
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
        self.no_premium = False
        self.owned: list[Json] | None = None

    async def told(self, what: str, reading: Awaitable[Read], *, guards_roles: bool = False) -> Read | None:
        """The reading, or None and a note where Graph understood and said no (no licence, no permission)."""
        try:
            return await reading
        except RefusedWith as refused:
            self.unknown.append(f"Could not read {what}: {refused.message}.")
            self.roles_unknown = self.roles_unknown or guards_roles
            self.no_premium = self.no_premium or NO_PREMIUM in refused.code
            return None

    async def role_groups(self) -> dict[str, str]:
        """Role-assignable groups they belong to, through others too, or own: id → name."""
        user = self.api.user(self.user)
        inside, owned = await asyncio.gather(
            self.api.read_all(user.transitive_member_of.to_get_request_information(), select=GROUP_FIELDS),
            read_owned(self.api, self.user),
        )
        self.owned = owned
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
        ours = await read_assignments(self.api, self.api.service_principal)
        return any(role.id in MAY_CHANGE_ADMINS for role in roles_of(ours, "active"))

    async def is_last_global_administrator(self, roles: Iterable[Role]) -> bool:
        """Whether no other enabled user holds the role directly. Holders by group are not counted on."""
        if not any(role.id == GLOBAL_ADMINISTRATOR and role.how != "eligible" for role in roles):
            return False
        return not await another_global_administrator(self.api, self.user)
