"""What the simulated people have: groups, licences, files, mailboxes, devices, applications."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.contract import Json

E3 = "05e9a617-0261-4cee-bb44-138d3ef5d965"
EXCHANGE_1 = "4b9405b0-7788-4568-add1-99614e613b69"
POWER_BI = "f8a1db68-be16-40ed-86d5-cb42ce701560"
ARCHIVE = "ee02fd1b-340e-4a4b-b355-4a514e4c8943"
"""Ids of products, as Microsoft publishes them."""


@dataclass
class Group:
    """A group of any kind."""

    id: str
    name: str
    assignable: bool = False
    members: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    kind: str = "security"
    """'security', 'microsoft365', 'mail-enabled security', 'distribution'."""
    rule: str = ""
    """Makes it dynamic."""
    synced: bool = False
    sid: str = ""
    licences: tuple[str, ...] = ()


@dataclass
class Product:
    """Something bought, with its services."""

    sku: str
    part_number: str
    plans: tuple[str, ...]
    bought: int = 50
    used: int = 0
    """Seats used by people who are not simulated."""
    depends_on: str = ""
    """Another product that must not go while somebody holds this one."""


@dataclass
class Held:
    """A product assigned directly."""

    sku: str
    disabled: tuple[str, ...] = ()


@dataclass
class Permission:
    """Who may write to a drive."""

    id: str
    person: str
    mail: str
    roles: tuple[str, ...] = ("write",)


@dataclass
class Drive:
    """A OneDrive."""

    id: str
    used: int = 0
    permissions: list[Permission] = field(default_factory=list[Permission])


def _no_reply() -> Json:
    return {
        "status": "disabled",
        "externalAudience": "all",
        "internalReplyMessage": "",
        "externalReplyMessage": "",
    }


@dataclass
class Mailbox:
    """What Graph shows of a mailbox."""

    purpose: str = "user"
    reply: Json = field(default_factory=_no_reply)


@dataclass
class Device:
    """A computer or phone."""

    id: str
    name: str
    system: str = "Windows"
    ownership: str = "Company"
    trust: str = "AzureAd"
    """'AzureAd', 'ServerAd' (joined to the domain, too), 'Workplace'."""
    managed: bool = True
    enabled: bool = True
    registered: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


@dataclass
class AppRole:
    """An application assigned to somebody."""

    id: str
    application: str
    resource: str
    kind: str = "User"


@dataclass
class Grant:
    """What an application may do in somebody's name; for everybody when `person` is empty."""

    id: str
    scope: str
    person: str = ""
    client: str = "50000000-0000-4000-8000-000000000001"
