"""The leavers whose cases, taken together, want every step there is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.lab.companies import JANES_LAPTOP, Companies
from connectors.connectwise import simulated_records as psa
from connectors.exchange.simulated_mailboxes import SimulatedDevice, SimulatedMeeting
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import CONTOSO
from connectors.microsoft365.simulated_things import E3, AppRole, Device, Grant, Group, Held
from connectors.pax8 import simulated_company as bought

ZOE_MAIL = "zoe.mueller@contoso.example"
OUTSIDE = "ken@partner.example"
SALES_RULE = "c0000000-0000-4000-8000-0000000000ec"
SALES_LICENCES = "c0000000-0000-4000-8000-0000000000ed"
USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"
GROUPS_ADMINISTRATOR = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
MOST_CLOSED = 2
"""How many tasks people at the desk close before they leave the rest to others."""
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
    paperwork: bool = False
    """Whether the bill and the ticket are connected, too."""
    meanwhile: Callable[[Companies], None] = _as_they_are
    """What other people do at the service desk, looked at again and again."""
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


def _paid_for(companies: Companies) -> None:
    """Jane Doe's seat was bought three days ago; whoever is mailed about her ticket is Jane herself.

    She has little else: what becomes of that, the other cases show.
    """
    pax8, provider = companies.paperwork.pax8, companies.paperwork.connectwise.provider
    seat = pax8.subscriptions[bought.E3]
    seat.started = pax8.now() - timedelta(days=3)
    seat.renew(seat.started + timedelta(days=365), seat.started)
    seat.history = [seat.record(seat.started, stale=False)]
    # The board copies every new ticket to her, and puts the company's contact on it, whatever it is asked.
    provider.copies, provider.fills_contact = companies.person(people.JANE).mail, "always"
    contoso, mailbox = companies.microsoft.tenants[CONTOSO], companies.mailbox(people.JANE)
    mailbox.rules, mailbox.devices, mailbox.meetings = [], [], []
    for lists in (contoso.groups, companies.exchange.organisations[CONTOSO].groups):
        for name in [name for name, one in lists.items() if people.JANE in (*one.members, *one.owners)]:
            del lists[name]
    contoso.devices.clear()
    companies.person(people.JANE).drive = None


def _desk_works(companies: Companies) -> None:
    """Her equipment is brought back, and whoever took it closes what is open on the ticket, whatever that says."""
    desk = companies.paperwork.connectwise
    done = "Both are back in the cupboard"
    for task in desk.tasks:
        if not task["closedFlag"] and sum(one.get("resolution") == done for one in desk.tasks) < MOST_CLOSED:
            for device in psa.LAPTOP, psa.DOCK:
                desk.provider.record("company/configurations", device)["contact"] = None
            task.update({"closedFlag": True, "resolution": done})


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
        Leaver(
            "paperwork",
            people.JANE,
            "Jane Doe",
            "Head of Sales",
            {},
            _paid_for,
            without=("active_directory",),
            paperwork=True,
            meanwhile=_desk_works,
        ),
    )
}
