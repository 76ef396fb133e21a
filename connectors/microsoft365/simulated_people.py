"""The people of two invented client tenants, Contoso and Fabrikam, for tests, the lab and the demo.

Object ids are fixed, so that other files can name them. Nobody here is real.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectors.microsoft365.methods import ALTERNATE_MOBILE, MOBILE
from connectors.microsoft365.roles import GLOBAL_ADMINISTRATOR

CONTOSO = "c0000000-0000-4000-8000-000000000001"
FABRIKAM = "f0000000-0000-4000-8000-000000000001"
"""Tenant ids."""

JANE = "c0000000-0000-4000-8000-0000000000a1"
OTHER_JANE = "c0000000-0000-4000-8000-0000000000a2"
MARIA = "c0000000-0000-4000-8000-0000000000a3"
SEAN = "c0000000-0000-4000-8000-0000000000a4"
ZOE = "c0000000-0000-4000-8000-0000000000a5"
GUEST = "c0000000-0000-4000-8000-0000000000a6"
DISABLED = "c0000000-0000-4000-8000-0000000000a7"
LAST_ADMIN = "c0000000-0000-4000-8000-0000000000a8"
SYNCED = "c0000000-0000-4000-8000-0000000000a9"
DIRECTOR = "c0000000-0000-4000-8000-0000000000b1"
BREAK_GLASS = "c0000000-0000-4000-8000-0000000000b2"
GROUP_ADMIN = "c0000000-0000-4000-8000-0000000000b3"
HELPDESK_GROUP = "c0000000-0000-4000-8000-0000000000e1"
FABRIKAM_JANE = "f0000000-0000-4000-8000-0000000000a1"
FABRIKAM_MANAGER = "f0000000-0000-4000-8000-0000000000a2"
FABRIKAM_ADMIN = "f0000000-0000-4000-8000-0000000000a3"

HELPDESK_ADMINISTRATOR = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
APPLICATION = "a0000000-0000-4000-8000-000000000001"
"""Client id of our application, the same in every tenant that consented."""
SECRET = "simulated-client-secret"  # noqa: S105 - opens nothing but the simulator

PERMISSIONS = (
    "User.Read.All",
    "Directory.Read.All",
    "GroupMember.Read.All",
    "RoleManagement.Read.Directory",
    "RoleEligibilitySchedule.Read.Directory",
    "Domain.Read.All",
    "UserAuthenticationMethod.Read.All",
    "User.EnableDisableAccount.All",
    "User.RevokeSessions.All",
    "User-PasswordProfile.ReadWrite.All",
    "UserAuthenticationMethod.ReadWrite.All",
)
"""What the lock-out needs consent for."""

_LONG_AGO = datetime(2025, 3, 1, 8, 0, tzinfo=UTC)


@dataclass
class SignInMethod:
    """A registered sign-in method; `kind` is Graph's type without its prefix."""

    id: str
    kind: str
    detail: str = ""


@dataclass
class Person:
    """A user object, as the simulated directory keeps it."""

    id: str
    name: str
    user_name: str
    title: str = ""
    mail: str = ""
    enabled: bool = True
    guest: bool = False
    synced: bool = False
    sam: str = ""
    dn: str = ""
    last_sync: datetime | None = None
    employee_id: str = ""
    immutable_id: str = ""
    manager: str = ""
    roles: tuple[str, ...] = ()
    eligible: tuple[str, ...] = ()
    methods: list[SignInMethod] = field(default_factory=list[SignInMethod])
    default_method: str = ""
    sessions_valid_from: datetime | None = _LONG_AGO
    password_changed: datetime | None = _LONG_AGO
    sync_reverts_at: datetime | None = None
    """When the domain will turn the account on again; the simulator's own doing."""

    @property
    def given_name(self) -> str:
        """First name."""
        return self.name.split(" ")[0]

    @property
    def surname(self) -> str:
        """Last name."""
        return self.name.split(" ")[-1]


@dataclass
class Group:
    """A group, as far as roles are concerned."""

    id: str
    name: str
    assignable: bool = False
    members: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


@dataclass
class Tenant:
    """One client's directory, and how it misbehaves. Everything here may be set while it runs."""

    id: str
    name: str
    people: dict[str, Person]
    groups: dict[str, Group] = field(default_factory=dict[str, Group])
    domains: dict[str, str] = field(default_factory=dict[str, str])
    """Domain → 'Managed' or 'Federated'."""
    consented: bool = True
    secret: str = SECRET
    certificate: bool = False
    """Client assertions are accepted; their signature is not looked at."""
    permissions: tuple[str, ...] = PERMISSIONS
    our_roles: tuple[str, ...] = ()
    """Directory roles of our own service principal."""
    premium: bool = True
    """Entra ID P2: eligible roles can be read."""
    passes_allowed: bool = True
    """Policy allows Temporary Access Passes."""
    lag: float = 0
    """Seconds during which reads show what stood there before a write."""
    flicker: bool = False
    """While lagging, a fresh read is followed by a stale one, in turns."""
    sync_reverts_after: float = 1800
    """Seconds until the domain turns a blocked synced account on again."""
    revoke_works: bool = True
    """False: revoking answers 200 and true all the same, and does nothing."""
    reset_ends_sessions: bool = False
    """An administrator's password reset moves the sessions' time, too, as it seems to in Entra (unverified)."""
    page_size: int = 100
    serve_foreign_links: bool = False
    """nextLink points at another host, as no Graph should."""
    serve_circular_links: bool = False
    """nextLink always points at the second page."""

    @property
    def service_principal(self) -> str:
        """Object id of our application in this tenant."""
        return str(uuid.uuid5(uuid.UUID(self.id), "service principal"))


def sample_tenants() -> dict[str, Tenant]:
    """Fresh copies of both tenants, by id."""
    return {tenant.id: tenant for tenant in (_contoso(), _fabrikam())}


def _three_methods() -> list[SignInMethod]:
    return [
        SignInMethod(MOBILE, "phoneAuthenticationMethod", "mobile"),
        SignInMethod(ALTERNATE_MOBILE, "phoneAuthenticationMethod", "alternateMobile"),
        SignInMethod(
            "5b0c7d52-0000-4000-8000-000000000001",
            "microsoftAuthenticatorAuthenticationMethod",
            "Jane's phone",
        ),
    ]


def _contoso() -> Tenant:
    at = "@contoso.example"
    people = [
        Person(
            JANE,
            "Jane Doe",
            "jane.doe" + at,
            "Head of Sales",
            "jane.doe" + at,
            employee_id="1001",
            manager=MARIA,
            methods=_three_methods(),
            default_method="5b0c7d52-0000-4000-8000-000000000001",
        ),
        Person(OTHER_JANE, "Jane Doe", "jane.doe2" + at, "Warehouse Clerk", "jane.doe2" + at, manager=SEAN),
        Person(
            MARIA, "Maria Rossi", "maria.rossi" + at, "Managing Director", "maria@contoso.example", manager=DIRECTOR
        ),
        Person(SEAN, "Sean O'Brien", "sean.obrien" + at, "Warehouse Lead", "sean.obrien" + at, manager=MARIA),
        Person(ZOE, "Zoë Müller", "zoe.mueller" + at, "Accountant", "zoe.mueller" + at, manager=MARIA),
        Person(
            GUEST,
            "Ken Guest",
            "ken_partner.example#EXT#" + at,
            "Consultant",
            "ken@partner.example",
            guest=True,
            manager=MARIA,
        ),
        Person(DISABLED, "Dana Gone", "dana.gone" + at, "Former Buyer", "dana.gone" + at, enabled=False),
        Person(
            LAST_ADMIN, "Ada Root", "ada.root" + at, "IT Administrator", "ada.root" + at, roles=(GLOBAL_ADMINISTRATOR,)
        ),
        Person(
            SYNCED,
            "Sam Synced",
            "sam.synced" + at,
            "Planner",
            "sam.synced" + at,
            synced=True,
            sam="ssynced",
            dn="CN=Sam Synced,OU=Staff,DC=corp,DC=contoso,DC=example",
            last_sync=datetime(2026, 11, 23, 7, 30, tzinfo=UTC),
            immutable_id="c2Ft",
            manager=MARIA,
            methods=[SignInMethod(MOBILE, "phoneAuthenticationMethod", "mobile")],
        ),
        Person(DIRECTOR, "Boris Chair", "boris.chair" + at, "Chairman", "boris.chair" + at),
        Person(BREAK_GLASS, "Emergency Access", "emergency" + at, roles=(GLOBAL_ADMINISTRATOR,), enabled=False),
        Person(GROUP_ADMIN, "Hal Desk", "hal.desk" + at, "Technician", "hal.desk" + at),
    ]
    helpdesk = Group(
        HELPDESK_GROUP, "Helpdesk", assignable=True, members=(GROUP_ADMIN,), roles=(HELPDESK_ADMINISTRATOR,)
    )
    return Tenant(
        CONTOSO,
        "Contoso",
        {person.id: person for person in people},
        {helpdesk.id: helpdesk},
        {"contoso.example": "Managed"},
    )


def _fabrikam() -> Tenant:
    at = "@fabrikam.example"
    people = [
        Person(
            FABRIKAM_JANE,
            "Jane Doe",
            "jane" + at,
            "Designer",
            "jane" + at,
            manager=FABRIKAM_MANAGER,
            methods=[SignInMethod("2d6c1f0a-0000-4000-8000-000000000001", "fido2AuthenticationMethod", "Blue key")],
        ),
        Person(FABRIKAM_MANAGER, "Frank Owner", "frank" + at, "Owner", "frank" + at),
        Person(FABRIKAM_ADMIN, "Olga Root", "olga" + at, "IT", "olga" + at, roles=(GLOBAL_ADMINISTRATOR,)),
    ]
    return Tenant(
        FABRIKAM, "Fabrikam", {person.id: person for person in people}, domains={"fabrikam.example": "Managed"}
    )
