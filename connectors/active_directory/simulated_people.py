"""The people, groups and computers of two invented clients' domains, for tests, the lab and the demo.

They are the domains behind the synced people in Microsoft 365: immutable ids agree. Nobody here is real.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

DOMAIN = "corp.contoso.example"
NETBIOS = "CORP"
BASE = "DC=corp,DC=contoso,DC=example"
STAFF = f"OU=Staff,{BASE}"
USERS = f"CN=Users,{BASE}"
BUILTIN = f"CN=Builtin,{BASE}"

BOT = "offboard"
"""The bot's account, with what README.md tells to delegate, and no more."""
POWERLESS = "reader"
"""An account that may read only."""
BIND_PASSWORD = "Simulated-bind-password-1"  # noqa: S105 - opens nothing but stand-ins
START_PASSWORD = "What-the-leaver-knows-1"  # noqa: S105 - opens nothing but stand-ins

SAM = "ssynced"
HOSTILE = "hostile"
HOSTILE_NAME = "Doe, Zoë *)(objectClass=* \\ #1"
OBRIEN = "sobrien"
ADMIN = "aroot"
SERVICE = "svcbackup"
GONE = "dgone"

FABRIKAM_DOMAIN = "corp.fabrikam.example"
FABRIKAM_JANE = "jdoe"

SAM_IMMUTABLE_ID = "c2Ft"
"""Base64 of Sam's ms-DS-ConsistencyGuid, as Entra shows it."""
COMMA_GROUP = "Sales, EMEA"
PLANNING = "Planning"
IT_TEAM = "IT Team"
LAPTOP = "SAM-LAPTOP"
FILE_SERVER = "FILES01"

RIGHTS = frozenset(
    {
        "Write userAccountControl",
        "Reset password",
        "Write userAccountControl (computers)",
        "Write member",
        "Write msExchHideFromAddressLists",
    }
)
EVERYTHING = RIGHTS | {"everything"}
"""A Domain Admin's: administrators too."""
_LONG_AGO = 133_800_000_000_000_000


def _guid() -> uuid.UUID:
    return uuid.uuid4()


@dataclass
class Person:
    """A user object, as the simulated domain keeps it. References are objectGUIDs."""

    name: str
    sam: str
    parent: str = STAFF
    guid: uuid.UUID = field(default_factory=_guid)
    rid: int = 0
    """Given by the domain when 0."""
    user_name: str = ""
    mail: str = ""
    proxies: tuple[str, ...] = ()
    title: str = ""
    employee_id: str = ""
    consistency: bytes = b""
    """ms-DS-ConsistencyGuid."""
    control: int = 0x200
    primary: int = 513
    admin_count: int | None = None
    password: str = field(default=START_PASSWORD, repr=False)
    earlier: str = field(default="", repr=False)
    """The last password but one, which still opens the account for an hour."""
    password_set: int = _LONG_AGO
    """pwdLastSet, a FILETIME."""
    last_sign_in: int = 0
    services: tuple[str, ...] = ()
    manager: uuid.UUID | None = None
    nickname: str = ""
    hidden: str = ""
    """msExchHideFromAddressLists: 'TRUE', 'FALSE' or ''."""
    locked: bool = False
    expired: bool = False
    must_change: bool = False
    failures: int = 0
    """Wrong passwords since the last right one."""
    rights: frozenset[str] = frozenset()


@dataclass
class Group:
    """A group; one in Builtin has its rid below S-1-5-32."""

    name: str
    parent: str = STAFF
    guid: uuid.UUID = field(default_factory=_guid)
    rid: int = 0
    members: list[uuid.UUID] = field(default_factory=list[uuid.UUID])
    once: set[uuid.UUID] = field(default_factory=set[uuid.UUID])
    """Who was a member: taking them out again is answered differently."""


@dataclass
class Computer:
    """A computer's account."""

    name: str
    parent: str = STAFF
    guid: uuid.UUID = field(default_factory=_guid)
    rid: int = 0
    control: int = 0x1000
    primary: int = 515
    system: str = "Windows 11 Pro"
    manager: uuid.UUID | None = None


Object = Person | Group | Computer


@dataclass
class SimulatedDomain:
    """A whole domain, and how it misbehaves. Everything here may be set while it runs."""

    people: dict[str, Person]
    """By sAMAccountName."""
    groups: dict[str, Group]
    computers: dict[str, Computer]
    dns: str = DOMAIN
    netbios: str = NETBIOS
    exchange: bool = True
    """The schema has Exchange's attributes."""
    shortest_password: int = 7
    lag: float = 0
    """Seconds during which reads show what stood there before a write: another controller's view."""
    takes_pairs: bool = True
    """False: 'delete old, add new' of userAccountControl in one modification is refused."""
    lockout_after: int = 0
    """Wrong passwords after which an account is locked out; 0: never."""
    unreadable: frozenset[str] = frozenset()
    """Attributes, in small letters, that only administrators may read."""
    most_at_once: int = 1000
    """Objects in one page; a search without pages that finds more fails (MaxPageSize)."""
    wants_more: bool = False
    """Simple binds are refused as not strong enough."""

    @property
    def base(self) -> str:
        """The distinguished name of its root."""
        return base_of(self.dns)

    @property
    def schema(self) -> str:
        """Where its schema is kept."""
        return f"CN=Schema,CN=Configuration,{self.base}"

    @property
    def places(self) -> tuple[str, ...]:
        """What can be searched."""
        return self.base, *(f"{place},{self.base}" for place in ("OU=Staff", "CN=Users", "CN=Builtin")), self.schema


def base_of(dns: str) -> str:
    """The root of the domain of that name."""
    return ",".join(f"DC={part}" for part in dns.split("."))


def sample_domain() -> SimulatedDomain:
    """A fresh copy of Contoso's domain."""
    at = "@contoso.example"
    mai = Person("Mai Tran", "mtran", user_name="mai.tran" + at, mail="mai.tran" + at)
    sam = Person(
        "Sam Synced",
        SAM,
        user_name="sam.synced" + at,
        mail="sam.synced" + at,
        title="Planner",
        employee_id="1009",
        consistency=b"sam",
        manager=mai.guid,
        nickname="sam.synced",
    )
    hostile = Person(
        HOSTILE_NAME,
        HOSTILE,
        user_name="zoe.doe" + at,
        mail="zoe.doe" + at,
        proxies=("SMTP:zoe.doe" + at, "smtp:zoë.d'or" + at),
        employee_id="*)(objectClass=*",
    )
    obrien = Person("Sean O'Brien", OBRIEN, user_name="sean.obrien" + at, mail="sean.o'brien" + at)
    ada = Person("Ada Root", ADMIN, user_name="ada.root" + at, mail="ada.root" + at, admin_count=1)
    backup = Person("Backup Service", SERVICE, services=("HTTP/backup.corp.contoso.example",))
    gone = Person("Dana Gone", GONE, user_name="dana.gone" + at, mail="dana.gone" + at, control=0x202)
    bot = Person("Offboard Bot", BOT, parent=USERS, password=BIND_PASSWORD, rights=RIGHTS)
    reader = Person("Reader", POWERLESS, parent=USERS, password=BIND_PASSWORD)
    builtin = Person(
        "Administrator",
        "Administrator",
        parent=USERS,
        rid=500,
        password=BIND_PASSWORD,
        rights=EVERYTHING,
        admin_count=1,
    )
    krbtgt = Person("krbtgt", "krbtgt", parent=USERS, rid=502, control=0x202, admin_count=1)
    people = (mai, sam, hostile, obrien, ada, backup, gone, bot, reader, builtin, krbtgt)
    team = Group(IT_TEAM, members=[ada.guid])
    admins = Group("Domain Admins", parent=USERS, rid=512, members=[builtin.guid, team.guid])
    groups = (
        Group("Domain Users", parent=USERS, rid=513),
        admins,
        Group("Administrators", parent=BUILTIN, rid=544, members=[admins.guid, builtin.guid]),
        team,
        Group(COMMA_GROUP, members=[sam.guid, hostile.guid]),
        Group(PLANNING, members=[sam.guid, mai.guid]),
    )
    computers = (
        Computer(LAPTOP, manager=sam.guid),
        Computer(FILE_SERVER, manager=sam.guid, system="Windows Server 2022 Standard"),
        Computer("MAI-LAPTOP", manager=mai.guid),
    )
    return _domain(people, groups, computers)


def fabrikam_domain() -> SimulatedDomain:
    """A fresh copy of Fabrikam's domain: small, and everybody in it is synced."""
    base, at = base_of(FABRIKAM_DOMAIN), "@fabrikam.example"
    staff, users = f"OU=Staff,{base}", f"CN=Users,{base}"
    frank = Person("Frank Owner", "fowner", staff, user_name="frank" + at, mail="frank" + at, consistency=b"frank")
    jane = Person(
        "Jane Doe",
        FABRIKAM_JANE,
        staff,
        user_name="jane" + at,
        mail="jane" + at,
        title="Designer",
        consistency=b"jane",
        manager=frank.guid,
        nickname="jane",
    )
    builtin = Person(
        "Administrator", "Administrator", users, rid=500, password=BIND_PASSWORD, rights=EVERYTHING, admin_count=1
    )
    bot = Person("Offboard Bot", BOT, users, password=BIND_PASSWORD, rights=RIGHTS)
    groups = (
        Group("Domain Users", users, rid=513),
        Group("Domain Admins", users, rid=512, members=[builtin.guid]),
        Group("Design files", staff, members=[jane.guid, frank.guid]),
        Group("VPN users", staff, members=[jane.guid]),
    )
    computers = (Computer("FAB-LAPTOP", staff, manager=jane.guid), Computer("FAB-FRONTDESK", staff, manager=frank.guid))
    domain = _domain((jane, frank, bot, builtin), groups, computers)
    domain.dns, domain.netbios = FABRIKAM_DOMAIN, "FABRIKAM"
    return domain


def _domain(people: tuple[Person, ...], groups: tuple[Group, ...], computers: tuple[Computer, ...]) -> SimulatedDomain:
    for number, one in enumerate((*people, *groups, *computers), start=1101):
        one.rid = one.rid or number
    return SimulatedDomain(
        {person.sam: person for person in people},
        {group.name: group for group in groups},
        {computer.name: computer for computer in computers},
    )
