"""The simulated organisations: mailboxes, groups, contacts, and how each organisation misbehaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectors.contract import Json

CONTOSO = "c0000000-0000-4000-8000-000000000001"
FABRIKAM = "f0000000-0000-4000-8000-000000000001"
"""Tenant ids, and below the object ids of the simulated directory's sample people."""

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
ROOM = "c0000000-0000-4000-8000-0000000000d1"
"""A meeting room; in no sample directory."""
FABRIKAM_JANE = "f0000000-0000-4000-8000-0000000000a1"
FABRIKAM_MANAGER = "f0000000-0000-4000-8000-0000000000a2"

GIGABYTE = 1024**3


@dataclass
class SimulatedDevice:
    """A phone's partnership."""

    guid: str
    name: str
    system: str = "iOS 19.1"
    takes_account_wipe: bool = True
    """False: too old to erase only the account."""
    asked: datetime | None = None
    acknowledged: datetime | None = None


@dataclass
class SimulatedRule:
    """An inbox rule; `properties` as Get-InboxRule shows them."""

    id: str
    name: str
    properties: Json
    hidden: bool = False


@dataclass
class SimulatedMeeting:
    """A meeting in the calendar."""

    subject: str
    starts: datetime
    invited: tuple[str, ...] = ()
    organised: bool = True


def _protocols() -> dict[str, bool | None]:
    return {
        "OWAEnabled": True,
        "OWAforDevicesEnabled": True,
        "MAPIEnabled": True,
        "EwsEnabled": None,
        "OutlookMobileEnabled": True,
        "ActiveSyncEnabled": True,
        "PopEnabled": True,
        "ImapEnabled": True,
        "SmtpClientAuthenticationDisabled": None,
    }


@dataclass
class SimulatedMailbox:
    """One mailbox, or a mail user without one."""

    user: str
    name: str
    user_name: str
    mail: str = ""
    kind: str = "UserMailbox"
    size: int = 12 * GIGABYTE
    archive: bool = False
    litigation_hold: bool = False
    holds: tuple[str, ...] = ()
    plan2: bool = True
    """Its licence allows a hold."""
    synced: bool = False
    hidden: bool = False
    forwarding_address: str = ""
    """Object id or mail address of a recipient here."""
    forwarding_smtp: str = ""
    keeps_copy: bool = False
    protocols: dict[str, bool | None] = field(default_factory=_protocols)
    devices: list[SimulatedDevice] = field(default_factory=list[SimulatedDevice])
    rules: list[SimulatedRule] = field(default_factory=list[SimulatedRule])
    meetings: list[SimulatedMeeting] = field(default_factory=list[SimulatedMeeting])
    full_access: dict[str, bool] = field(default_factory=dict[str, bool])
    """Object id → whether it is a denial."""
    send_as: set[str] = field(default_factory=set[str])
    account_deleted: bool = False
    """Its directory account was deleted; set it as the directory would."""

    @property
    def has_mailbox(self) -> bool:
        """Whether there is a mailbox here at all."""
        return self.kind.endswith("Mailbox")


@dataclass
class SimulatedContact:
    """Somebody outside, in the address book."""

    name: str
    mail: str


@dataclass
class SimulatedGroup:
    """A distribution list; members and owners are object ids."""

    guid: str
    name: str
    mail: str
    members: list[str] = field(default_factory=list[str])
    owners: list[str] = field(default_factory=list[str])
    synced: bool = False
    dynamic: bool = False


@dataclass
class Organisation:
    """One client's Exchange, and how it misbehaves. Everything here may be set while it runs."""

    tenant: str
    domains: tuple[str, ...]
    mailboxes: dict[str, SimulatedMailbox]
    contacts: list[SimulatedContact] = field(default_factory=list[SimulatedContact])
    groups: dict[str, SimulatedGroup] = field(default_factory=dict[str, SimulatedGroup])
    role: bool = True
    """Our service principal holds the Entra role; consent alone is not enough."""
    denied: tuple[str, ...] = ()
    """Cmdlets that our role does not include."""
    lag: float = 0
    """Seconds during which reads show what stood there before a change."""
    flicker: bool = False
    """While lagging, a fresh read is followed by a stale one, in turns."""
    conversion_lag: float = 0
    """Seconds until a converted mailbox reads as shared."""
    ignores: tuple[str, ...] = ()
    """Cmdlets that answer as if all were well and do nothing."""
    outbound: str = "Automatic"
    """The outbound spam policy's AutoForwardingMode; 'Automatic' means Off."""
    refuses_forwarding: bool = False
    """Setting an address outside is refused, rather than its mail bounced."""
    size_format: str = "{gb:.1f} GB ({bytes:,} bytes)"
    preview_as_text: bool = True
    """Remove-CalendarEvents describes meetings in sentences, not in objects."""
    not_found_status: int = 404
    not_found_sentence: str = (
        "The operation couldn't be performed because object '{identity}' couldn't be found on 'DB1PR01'."
    )
    envelope: str = "details"
    """Where an error's sentence stands: 'details', 'internal' or 'message'."""
    page_size: int = 1000
    serve_foreign_links: bool = False
    serve_circular_links: bool = False
    pages_changes: bool = False
    """A change answers with a link to a next page, too."""


def sample_organisations() -> dict[str, Organisation]:
    """Fresh copies of both, by tenant id."""
    return {one.tenant: one for one in (_contoso(), _fabrikam())}


def _contoso() -> Organisation:
    def person(user: str, name: str, alias: str, **more: object) -> SimulatedMailbox:
        address = f"{alias}@contoso.example"
        return SimulatedMailbox(user, name, address, address, **more)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

    jane = person(
        JANE,
        "Jane Doe",
        "jane.doe",
        forwarding_smtp="jane.private@freemail.example",
        keeps_copy=True,
        devices=[
            SimulatedDevice("d0000000-0000-4000-8000-000000000001", "Jane's iPhone"),
            SimulatedDevice("d0000000-0000-4000-8000-000000000002", "Old phone", "Android 5", takes_account_wipe=False),
        ],
        rules=[
            SimulatedRule(
                "7312654187312654187", "Copy home", {"ForwardTo": ['"Jane" [SMTP:jane.private@freemail.example]']}
            ),
            SimulatedRule(
                "7312654187312654188", "Newsletters", {"SubjectContainsWords": ["news"], "DeleteMessage": True}
            ),
            SimulatedRule("7312654187312654189", ".", {"DeleteMessage": True}, hidden=True),
            SimulatedRule("7312654187312654190", "Junk E-mail Rule", {"MoveToFolder": "Junk Email"}, hidden=True),
        ],
        meetings=[
            SimulatedMeeting(
                "Quarterly review",
                datetime(2026, 12, 1, 9, 0, tzinfo=UTC),
                ("maria@contoso.example", "k@partner.example"),
            ),
            SimulatedMeeting(
                "Sales weekly (series)", datetime(2026, 11, 30, 8, 0, tzinfo=UTC), ("sean.obrien@contoso.example",)
            ),
            SimulatedMeeting("Board", datetime(2026, 12, 3, 9, 0, tzinfo=UTC), organised=False),
            SimulatedMeeting("Last year's kick-off", datetime(2026, 1, 9, 9, 0, tzinfo=UTC)),
        ],
    )
    others = [
        person(OTHER_JANE, "Jane Doe", "jane.doe2"),
        SimulatedMailbox(MARIA, "Maria Rossi", "maria.rossi@contoso.example", "maria@contoso.example"),
        person(SEAN, "Sean O'Brien", "sean.obrien"),
        person(ZOE, "Zoë Müller", "zoe.mueller", size=63 * GIGABYTE),
        person(DISABLED, "Dana Gone", "dana.gone", kind="SharedMailbox", full_access={SEAN: False}),
        person(LAST_ADMIN, "Ada Root", "ada.root"),
        person(SYNCED, "Sam Synced", "sam.synced", synced=True),
        person(DIRECTOR, "Boris Chair", "boris.chair", archive=True, litigation_hold=True),
        person(ROOM, "Room 1", "room1", kind="RoomMailbox"),
        SimulatedMailbox(
            GUEST, "Ken Guest", "ken_partner.example#EXT#@contoso.example", "ken@partner.example", kind="GuestMailUser"
        ),
    ]
    groups = [
        SimulatedGroup("e0000000-0000-4000-8000-000000000001", "Sales", "sales@contoso.example", [JANE, SEAN], [MARIA]),
        SimulatedGroup(
            "e0000000-0000-4000-8000-000000000002", "Fire Wardens", "fire@contoso.example", [JANE, SEAN], [JANE]
        ),
        SimulatedGroup(
            "e0000000-0000-4000-8000-000000000003", "All Staff", "all@contoso.example", [JANE, MARIA], synced=True
        ),
        SimulatedGroup(
            "e0000000-0000-4000-8000-000000000004", "Berlin", "berlin@contoso.example", [JANE], dynamic=True
        ),
        SimulatedGroup("e0000000-0000-4000-8000-000000000005", "Munich", "munich@contoso.example", [ZOE], dynamic=True),
    ]
    return Organisation(
        CONTOSO,
        ("contoso.example", "contoso.onmicrosoft.example"),
        {one.user: one for one in (jane, *others)},
        [SimulatedContact("Partner Ken", "ken@partner.example")],
        {group.guid: group for group in groups},
    )


def _fabrikam() -> Organisation:
    people = [
        SimulatedMailbox(FABRIKAM_JANE, "Jane Doe", "jane@fabrikam.example", "jane@fabrikam.example"),
        SimulatedMailbox(FABRIKAM_MANAGER, "Frank Owner", "frank@fabrikam.example", "frank@fabrikam.example"),
    ]
    return Organisation(FABRIKAM, ("fabrikam.example",), {one.user: one for one in people})
