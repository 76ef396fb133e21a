"""What the lock-out needs to know about one account, read side by side in as few round trips as possible."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from connectors.contract import Account, Json
from connectors.http import RefusedWith
from connectors.microsoft365.client import Graph, quoted

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
PRIVILEGED_AUTHENTICATION_ADMINISTRATOR = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
MAY_CHANGE_ADMINS = frozenset({GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR})

# Roles whose holders only a Privileged Authentication or Global Administrator may change. `isPrivileged`
# is readable in beta only, so the built-in roles' template ids are listed (Entra built-in roles, marked
# PRIVILEGED, from memory of the 2026 list: unverified on a tenant). One too many makes a technician look.
PRIVILEGED_ROLES: dict[str, str] = {
    GLOBAL_ADMINISTRATOR: "Global Administrator",
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR: "Privileged Authentication Administrator",
    "e8611ab8-c189-46e8-94e1-60213ab1f814": "Privileged Role Administrator",
    "fe930be7-5e62-47db-91af-98c3a49a38b1": "User Administrator",
    "c4e39bd9-1100-46d3-8c65-fb160da0071f": "Authentication Administrator",
    "729827e3-9c14-49f7-bb1b-9608f156bbb8": "Helpdesk Administrator",
    "966707d0-3269-4727-9be2-8c3a10f19b9d": "Password Administrator",
    "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3": "Application Administrator",
    "158c047a-c907-4556-b7ef-446551a6b5f7": "Cloud Application Administrator",
    "194ae4cb-b126-40b2-bd5b-6091b380977d": "Security Administrator",
    "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9": "Conditional Access Administrator",
    "29232cdf-9323-42fd-ade2-1d097af3e4de": "Exchange Administrator",
    "f28a1f50-f6e7-4571-818b-6a12f2af6b6c": "SharePoint Administrator",
    "3a2c62db-5318-420d-8d74-23affee5d9d5": "Intune Administrator",
    "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2": "Hybrid Identity Administrator",
    "25a516ed-2fa0-40ea-a2d0-12923a21473a": "Authentication Extensibility Administrator",
    "0526716b-113d-4c15-b2c8-68e3c22b9f80": "Authentication Policy Administrator",
    "9360feb5-f418-4baa-8175-e2a00bac4301": "Directory Writers",
    "fdd7a751-b60b-444a-984c-02652fe8fa1c": "Groups Administrator",
    "8329153b-31d0-4727-b945-745eb3bc5f31": "Domain Name Administrator",
    "be2f45a1-457d-42af-a067-6ec1fa63bc45": "External Identity Provider Administrator",
    "7698a772-787b-4ac8-901f-60d6b08affd2": "Cloud Device Administrator",
    "59d46f88-662b-457b-bceb-5c3809e5908f": "Lifecycle Workflows Administrator",
}

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


class Role(BaseModel):
    """A directory role the leaver holds, can activate, or has by a group."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Template id of a built-in role."""
    name: str
    how: str
    """'active', 'eligible', 'by group'."""

    @property
    def privileged(self) -> bool:
        """Whether changing its holder takes a higher role."""
        return self.id in PRIVILEGED_ROLES


class Method(BaseModel):
    """A registered sign-in method."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    """Graph's type without its prefix: 'phoneAuthenticationMethod'."""
    title: str


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
        *_roles(active.result() or (), "active"),
        *_roles(eligible.result() or (), "eligible"),
        *_roles((role for reading in by_group for role in reading.result() or ()), "by group"),
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
    user_name = _text(user, "userPrincipalName")
    domain = user_name.rpartition("@")[2].casefold()
    return Microsoft365Facts(
        enabled=user.get("accountEnabled") is True,
        user_name=user_name,
        synced=user.get("onPremisesSyncEnabled") is True,
        sam_account_name=_text(user, "onPremisesSamAccountName"),
        distinguished_name=_text(user, "onPremisesDistinguishedName"),
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
        break_glass=user_id in api.settings.break_glass,
        unknown=tuple(reader.unknown),
        roles_unknown=reader.roles_unknown,
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
            _text(group, "id"): _text(group, "displayName")
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
            below = [_text(person, "id") for page in pages for person in page]
            # A circle of managers is possible in a directory; nobody is visited twice.
            level = [person for person in dict.fromkeys(below) if person not in found and person != self.user]
            found.update(dict.fromkeys(level))
        return tuple(found)

    async def federated_domains(self) -> frozenset[str]:
        domains = await self.api.read_all(
            self.api.sdk.domains.to_get_request_information(), select=("id", "authenticationType")
        )
        return frozenset(
            _text(domain, "id").casefold() for domain in domains if domain.get("authenticationType") == "Federated"
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
            self.api.service_principal = _text(found[0], "id")
        ours = await self.role_assignments(self.api.service_principal)
        return any(role.id in MAY_CHANGE_ADMINS for role in _roles(ours, "active"))

    async def is_last_global_administrator(self, roles: Iterable[Role]) -> bool:
        """Whether no other enabled user holds the role directly. Holders by group are not counted on."""
        if not any(role.id == GLOBAL_ADMINISTRATOR and role.how != "eligible" for role in roles):
            return False
        directory = self.api.sdk.role_management.directory
        holders = await self.api.read_all(
            directory.role_assignments.to_get_request_information(),
            filter=f"roleDefinitionId eq {quoted(GLOBAL_ADMINISTRATOR)}",
        )
        others = {_text(holder, "principalId") for holder in holders} - {self.user}
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


_TITLES: dict[str, str] = {
    "emailAuthenticationMethod": "Email",
    "externalAuthenticationMethod": "External method",
    "fido2AuthenticationMethod": "Security key or passkey",
    "hardwareOathAuthenticationMethod": "Hardware token",
    "microsoftAuthenticatorAuthenticationMethod": "Microsoft Authenticator",
    "phoneAuthenticationMethod": "Phone",
    "platformCredentialAuthenticationMethod": "Platform credential",
    "qrCodePinAuthenticationMethod": "QR code with PIN",
    "softwareOathAuthenticationMethod": "Authenticator app codes",
    "temporaryAccessPassAuthenticationMethod": "Temporary Access Pass",
    "windowsHelloForBusinessAuthenticationMethod": "Windows Hello for Business",
}


async def read_methods(api: Graph, user: str) -> tuple[Method, ...]:
    """The registered sign-in methods, afresh, without the password, which is no method one can remove."""
    found = await api.read_all(api.user(user).authentication.methods.to_get_request_information())
    methods: list[Method] = []
    for entry in found:
        kind = _text(entry, "@odata.type").removeprefix("#microsoft.graph.")
        if kind == "passwordAuthenticationMethod":
            continue
        detail = _text(entry, "displayName") or _text(entry, "phoneType")
        title = _TITLES.get(kind, kind or "unknown method")
        methods.append(Method(id=_text(entry, "id"), kind=kind, title=f"{title} ({detail})" if detail else title))
    return tuple(methods)


def _roles(assignments: Iterable[Json], how: str) -> tuple[Role, ...]:
    roles: dict[str, Role] = {}
    for assignment in assignments:
        definition = assignment.get("roleDefinition")
        named = definition if isinstance(definition, dict) else {}
        role = _text(named, "templateId") or _text(assignment, "roleDefinitionId")
        name = _text(named, "displayName") or PRIVILEGED_ROLES.get(role, role)
        roles[role] = Role(id=role, name=name, how=how)
    return tuple(roles.values())


def _text(record: Json, name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""
