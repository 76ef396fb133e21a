"""The people of two invented client tenants, Contoso and Fabrikam, for tests, the lab and the demo.

Object ids are fixed, so that other files can name them. Nobody here is real.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectors.microsoft365.methods import ALTERNATE_MOBILE, MOBILE
from connectors.microsoft365.roles import GLOBAL_ADMINISTRATOR
from connectors.microsoft365.simulated_things import (
    E3,
    EXCHANGE_1,
    POWER_BI,
    AppRole,
    Device,
    Drive,
    Grant,
    Group,
    Held,
    Mailbox,
    Product,
)

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
OLIVIA = "c0000000-0000-4000-8000-0000000000b4"
"""Has everything: four teams of her own, licences both ways, files, mail, three devices."""
LEAD = "c0000000-0000-4000-8000-0000000000b5"
"""Twelve people report to them."""
SERVICE = "c0000000-0000-4000-8000-0000000000b6"
ROOM = "c0000000-0000-4000-8000-0000000000b7"
DELETED = "c0000000-0000-4000-8000-0000000000b8"
HELGA = "c0000000-0000-4000-8000-0000000000b9"
"""Licensed, with a large mailbox on hold."""
WORKERS = tuple(f"c0000000-0000-4000-8000-0000000000d{place:x}" for place in range(1, 12))
TEAMS = tuple(f"c0000000-0000-4000-8000-0000000000f{place}" for place in range(1, 5))
SECURITY_GROUP = "c0000000-0000-4000-8000-0000000000e2"
DYNAMIC_GROUP = "c0000000-0000-4000-8000-0000000000e3"
DISTRIBUTION_LIST = "c0000000-0000-4000-8000-0000000000e4"
DOMAIN_GROUP = "c0000000-0000-4000-8000-0000000000e5"
LICENCE_GROUP = "c0000000-0000-4000-8000-0000000000e6"
SHARED_TEAM = "c0000000-0000-4000-8000-0000000000e7"
LAPTOP = "c0000000-0000-4000-8000-000000000071"
PHONE = "c0000000-0000-4000-8000-000000000072"
OFFICE_PC = "c0000000-0000-4000-8000-000000000073"
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
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Device.ReadWrite.All",
    "Files.ReadWrite.All",
    "Group.ReadWrite.All",
    "GroupMember.ReadWrite.All",
    "LicenseAssignment.ReadWrite.All",
    "LicenseAssignment.Read.All",
    "MailboxSettings.ReadWrite",
    "RoleEligibilitySchedule.ReadWrite.Directory",
    "RoleManagement.ReadWrite.Directory",
    "User.ReadWrite.All",
)
"""What everything we do needs consent for."""

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
    """When the next sync runs, and turns the account on again; the simulator's own doing."""
    nameless: bool = False
    """Neither first nor last name, as accounts of machines."""
    usage_location: str = "GB"
    licences: list[Held] = field(default_factory=list[Held])
    drive: Drive | None = None
    mailbox: Mailbox | None = None
    app_roles: list[AppRole] = field(default_factory=list[AppRole])
    eligible_ends: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """When a removal that was asked for takes effect, by role."""
    deleted_at: datetime | None = None

    @property
    def given_name(self) -> str:
        """First name."""
        return "" if self.nameless else self.name.split(" ")[0]

    @property
    def surname(self) -> str:
        """Last name."""
        return "" if self.nameless else self.name.split(" ")[-1]


@dataclass
class Tenant:
    """One client's directory, and how it misbehaves. Everything here may be set while it runs."""

    id: str
    name: str
    people: dict[str, Person]
    groups: dict[str, Group] = field(default_factory=dict[str, Group])
    devices: dict[str, Device] = field(default_factory=dict[str, Device])
    products: dict[str, Product] = field(default_factory=dict[str, Product])
    grants: list[Grant] = field(default_factory=list[Grant])
    deleted: dict[str, Person] = field(default_factory=dict[str, Person])
    """Deleted less than 30 days ago."""
    owned_applications: dict[str, str] = field(default_factory=dict[str, str])
    """Name of an application → who owns it."""
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
    """Seconds between syncs; the first after a block turns a synced account on again."""
    domain_disabled: Collection[str] = ()
    """Domain names (sAMAccountName) of accounts disabled in the domain: these a sync leaves, or turns, off."""
    pim_takes: float = 0
    """Seconds until a role that can be activated is gone after its removal was taken."""
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

    def holders(self, sku: str) -> int:
        """How many of its simulated people hold that product, assigned directly."""
        return sum(any(one.sku == sku for one in person.licences) for person in self.people.values())


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
        Person(OTHER_JANE, "Jane Doe", "jane.doe2" + at, "Warehouse Clerk", "jane.doe2" + at, manager=LEAD),
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
        *_people_with_belongings(at),
    ]
    helpdesk = Group(
        HELPDESK_GROUP, "Helpdesk", assignable=True, members=(GROUP_ADMIN,), roles=(HELPDESK_ADMINISTRATOR,)
    )
    return Tenant(
        CONTOSO,
        "Contoso",
        {person.id: person for person in people},
        {group.id: group for group in (helpdesk, *_groups())},
        {device.id: device for device in _devices()},
        {product.sku: product for product in _products()},
        [
            Grant("grant-calendar", "Calendars.Read offline_access", OLIVIA),
            Grant("grant-everybody", "User.Read"),
        ],
        {DELETED: _deleted(at)},
        {"Payroll connector": OLIVIA},
        {"contoso.example": "Managed"},
    )


def _people_with_belongings(at: str) -> list[Person]:
    olivia = Person(
        OLIVIA,
        "Olivia Owner",
        "olivia.owner" + at,
        "Project Lead",
        "olivia.owner" + at,
        manager=MARIA,
        methods=[SignInMethod(MOBILE, "phoneAuthenticationMethod", "mobile")],
        licences=[Held(EXCHANGE_1), Held(POWER_BI, ("70d33638-9c74-4d01-bfd3-562de28bd4ba",))],
        drive=Drive("b!olivia", 7_400_000_000),
        mailbox=Mailbox(),
        app_roles=[
            AppRole("approle-crm", "Contoso CRM", "60000000-0000-4000-8000-000000000001"),
            AppRole("approle-wiki", "Contoso Wiki", "60000000-0000-4000-8000-000000000002", kind="Group"),
        ],
    )
    lead = Person(LEAD, "Wanda Shift", "wanda.shift" + at, "Shift Lead", "wanda.shift" + at, manager=MARIA)
    workers = [
        Person(worker, f"Walter Worker {place}", f"walter{place}{at}", "Packer", f"walter{place}{at}", manager=LEAD)
        for place, worker in enumerate(WORKERS, 1)
    ]
    service = Person(SERVICE, "svc-scanner", "svc-scanner" + at, nameless=True)
    room = Person(
        ROOM,
        "Boardroom",
        "boardroom" + at,
        mail="boardroom" + at,
        enabled=False,
        nameless=True,
        mailbox=Mailbox("room"),
    )
    helga = Person(
        HELGA,
        "Helga Hold",
        "helga.hold" + at,
        "Lawyer",
        "helga.hold" + at,
        manager=MARIA,
        licences=[Held(E3)],
        drive=Drive("b!helga", 60_000_000_000),
        mailbox=Mailbox(),
    )
    return [olivia, lead, *workers, service, room, helga]


def _deleted(at: str) -> Person:
    return Person(
        DELETED,
        "Dieter Left",
        "dieter.left" + at,
        "Driver",
        enabled=False,
        deleted_at=datetime(2026, 11, 18, 9, 0, tzinfo=UTC),
    )


def _groups() -> list[Group]:
    teams = [
        Group(team, f"Project {place}", members=(OLIVIA, HELGA), owners=(OLIVIA,), kind="microsoft365")
        for place, team in enumerate(TEAMS, 1)
    ]
    return [
        *teams,
        Group(SECURITY_GROUP, "Finance files", members=(OLIVIA, HELGA)),
        Group(DYNAMIC_GROUP, "Everybody", members=(OLIVIA, HELGA), rule="user.accountEnabled -eq true"),
        Group(DISTRIBUTION_LIST, "Announcements", members=(OLIVIA,), kind="distribution"),
        Group(DOMAIN_GROUP, "Domain printers", members=(OLIVIA,), synced=True),
        Group(LICENCE_GROUP, "Licensed E3", members=(OLIVIA, HELGA), licences=(E3,)),
        Group(SHARED_TEAM, "Leadership", members=(OLIVIA, HELGA), owners=(OLIVIA, HELGA), kind="microsoft365"),
    ]


def _devices() -> list[Device]:
    return [
        Device(LAPTOP, "LAPTOP-7", registered=(OLIVIA,), owners=(OLIVIA,)),
        Device(PHONE, "Olivia's phone", "iOS", "Personal", "Workplace", managed=False, registered=(OLIVIA,)),
        Device(OFFICE_PC, "PC-12", trust="ServerAd", owners=(OLIVIA,)),
    ]


def _products() -> list[Product]:
    return [
        Product(E3, "SPE_E3", ("EXCHANGE_S_ENTERPRISE", "SHAREPOINTENTERPRISE", "TEAMS1")),
        Product(EXCHANGE_1, "EXCHANGESTANDARD", ("EXCHANGE_S_STANDARD",)),
        Product(POWER_BI, "POWER_BI_PRO", ("BI_AZURE_P2", "EXCHANGE_S_FOUNDATION")),
    ]


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
