"""The leavers whose cases, taken together, want every step there is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.lab.companies import JANES_LAPTOP, Companies
from connectors.exchange.simulated_mailboxes import SimulatedDevice, SimulatedMeeting
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import CONTOSO
from connectors.microsoft365.simulated_things import E3, AppRole, Device, Grant, Group, Held

ZOE_MAIL = "zoe.mueller@contoso.example"
OUTSIDE = "ken@partner.example"
SALES_RULE = "c0000000-0000-4000-8000-0000000000ec"
SALES_LICENCES = "c0000000-0000-4000-8000-0000000000ed"
USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"
GROUPS_ADMINISTRATOR = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
TABLET = "c0000000-0000-4000-8000-000000000075"

NEVER_WANTED: Mapping[str, str] = {}
"""Steps that no reference case wants, each with the reason."""


def _as_they_are(_companies: Companies) -> None:
    pass


@dataclass(frozen=True)
class Leaver:
    """Who leaves, what is decided about them, and what their company looks like before."""

    case: str
    person: str
    asked: str
    pick: str
    answers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Question → what is answered instead of the recommendation: a choice, words, or somebody's object id."""
    furnish: Callable[[Companies], None] = _as_they_are
    contentious: bool = False
    by_hand: tuple[str, ...] = ()
    """Steps that a technician does by hand once they are theirs."""
    without: tuple[str, ...] = ()
    domain_name: str = ""
    """sAMAccountName, for who has a domain account."""

    @property
    def heir(self) -> str:
        """Object id of whoever takes the mailbox over."""
        return self.answers.get("mailbox.access", people.MARIA)


def _jane(companies: Companies) -> None:
    """Jane Doe with everything that can be handed over, left, released or taken from somebody."""
    contoso = companies.microsoft.tenants[CONTOSO]
    jane = contoso.people[people.JANE]
    jane.app_roles = [
        AppRole("approle-crm", "Contoso CRM", "60000000-0000-4000-8000-000000000001"),
        AppRole("approle-wiki", "Contoso Wiki", "60000000-0000-4000-8000-000000000002", kind="Group"),
    ]
    contoso.grants.append(Grant("grant-jane", "Mail.Read offline_access", people.JANE))
    contoso.people[people.WORKERS[0]].manager = people.JANE
    contoso.owned_applications["Sales connector"] = people.JANE
    for group in (
        Group(SALES_RULE, "Everybody in Sales", members=(people.JANE,), rule="user.department -eq Sales"),
        Group(SALES_LICENCES, "Licensed in Sales", members=(people.JANE,), licences=(E3,)),
    ):
        contoso.groups[group.id] = group
    contoso.devices[TABLET] = Device(TABLET, "JANE-TABLET", registered=(people.JANE,))


def _olivia(companies: Companies) -> None:
    """Olivia Owner with meetings to hand over, so that deleting her mailbox has a price."""
    mailbox = companies.mailbox(people.OLIVIA)
    mailbox.meetings = [
        SimulatedMeeting("Project weekly", datetime(2026, 12, 1, 9, 0, tzinfo=UTC), ("maria@contoso.example",))
    ]


def _sam(companies: Companies) -> None:
    """Sam Synced with a phone and rules as Jane has them, in a company that lets mail be forwarded outside."""
    sam, jane = companies.mailbox(people.SYNCED), companies.mailbox(people.JANE)
    sam.rules = copy.deepcopy(jane.rules)
    companies.exchange.organisations[CONTOSO].outbound = "On"
    sam.devices = [SimulatedDevice("d0000000-0000-4000-8000-000000000009", "Sam's phone")]


def _hal(companies: Companies) -> None:
    """Hal Desk holds one role, can activate another, and is in a group that gives a third."""
    contoso = companies.microsoft.tenants[CONTOSO]
    hal = contoso.people[people.GROUP_ADMIN]
    hal.roles, hal.eligible = (USER_ADMINISTRATOR,), (GROUPS_ADMINISTRATOR,)
    hal.manager = people.MARIA
    contoso.pim_takes = 60


def _sean(companies: Companies) -> None:
    """Sean O'Brien's mailbox lies on the company's own server."""
    mailbox = companies.mailbox(people.SEAN)
    mailbox.kind, mailbox.synced = "MailUser", True
    companies.person(people.SEAN).licences = [Held(E3)]


LEAVERS: Mapping[str, Leaver] = {
    leaver.case: leaver
    for leaver in (
        Leaver(
            "shared",
            people.JANE,
            "Jane Doe",
            "Head of Sales",
            {
                "mailbox.access": people.ZOE,
                "mailbox.forward": "successor",
                "mailbox.meetings": "cancel",
                "mailbox.reply": "standard",
                "files": people.MARIA,
                "teams": people.MARIA,
                "reports": people.MARIA,
                "rename": "yes",
                f"devices.{JANES_LAPTOP}": "disable",
                f"devices.{TABLET}": "return",
            },
            _jane,
        ),
        Leaver(
            "deleted",
            people.OLIVIA,
            "Olivia",
            "Olivia",
            {
                "mailbox": "delete",
                "mailbox.backup": "hold",
                "mailbox.meetings": "hand over",
                "licences": "reassign",
                "licences.to": people.ZOE,
                "files": people.MARIA,
                "teams": people.MARIA,
                "backup": "yes",
                f"devices.{people.LAPTOP}": "wipe",
            },
            _olivia,
            contentious=True,
            by_hand=("microsoft365.take_backup",),
        ),
        Leaver(
            "synced",
            people.SYNCED,
            "Sam",
            "Sam",
            {"mailbox.forward": "external", "mailbox.forward.to": OUTSIDE},
            _sam,
            domain_name="ssynced",
        ),
        Leaver("admin", people.GROUP_ADMIN, "Hal", "Hal", {}, _hal),
        Leaver("partial", people.JANE, "Jane Doe", "Head of Sales", {"access": "partial", "access.stays": "mail"}),
        Leaver("no domain", people.SYNCED, "Sam", "Sam", without=("active_directory",), domain_name="ssynced"),
        Leaver("on premises", people.SEAN, "Sean", "Sean", {}, _sean, domain_name="sobrien"),
    )
}
