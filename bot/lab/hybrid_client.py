"""Fabrikam as a hybrid client: accounts live in a domain of its own, a sync copies them into Microsoft 365."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.active_directory.simulated_people import FABRIKAM_DOMAIN, base_of
from connectors.active_directory.simulated_people import FABRIKAM_JANE as JANES_SAM
from connectors.exchange.simulated_mailboxes import (
    Organisation,
    SimulatedDevice,
    SimulatedGroup,
    SimulatedMeeting,
    SimulatedRule,
)
from connectors.microsoft365.simulated_people import FABRIKAM_JANE as JANE
from connectors.microsoft365.simulated_people import FABRIKAM_MANAGER as MANAGER
from connectors.microsoft365.simulated_people import Tenant
from connectors.microsoft365.simulated_things import E3, POWER_BI, Device, Drive, Group, Held, Mailbox, Product

DESIGN_TEAM = "f0000000-0000-4000-8000-0000000000e1"
BRAND_FILES = "f0000000-0000-4000-8000-0000000000e2"
DESIGN_FILES = "f0000000-0000-4000-8000-0000000000e3"
LAPTOP = "f0000000-0000-4000-8000-000000000071"
STUDIO_LIST = "f0000000-0000-4000-8000-0000000000f1"


def furnish_directory(tenant: Tenant) -> None:
    """Its Microsoft 365, as a sync from the domain and years of use left it."""
    synced = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
    for user, sam, immutable in ((JANE, JANES_SAM, "amFuZQ=="), (MANAGER, "fowner", "ZnJhbms=")):
        person = tenant.people[user]
        person.synced, person.sam, person.immutable_id, person.last_sync = True, sam, immutable, synced
        person.dn = f"CN={person.name},OU=Staff,{base_of(FABRIKAM_DOMAIN)}"
        person.licences, person.mailbox = [Held(E3)], Mailbox()
    jane = tenant.people[JANE]
    jane.licences.append(Held(POWER_BI))
    jane.drive = Drive("b!fabrikam-jane", 18_700_000_000)
    tenant.products = {
        E3: Product(E3, "SPE_E3", ("EXCHANGE_S_ENTERPRISE", "SHAREPOINTENTERPRISE", "TEAMS1"), bought=25),
        POWER_BI: Product(POWER_BI, "POWER_BI_PRO", ("BI_AZURE_P2", "EXCHANGE_S_FOUNDATION"), bought=5),
    }
    tenant.groups = {
        group.id: group
        for group in (
            Group(DESIGN_TEAM, "Design team", members=(JANE, MANAGER), owners=(JANE,), kind="microsoft365"),
            Group(BRAND_FILES, "Brand files", members=(JANE, MANAGER)),
            Group(DESIGN_FILES, "Design files", members=(JANE, MANAGER), synced=True),
        )
    }
    tenant.devices[LAPTOP] = Device(LAPTOP, "FAB-LAPTOP", trust="ServerAd", registered=(JANE,), owners=(JANE,))


def furnish_mail(organisation: Organisation) -> None:
    """Its Exchange Online, all mailboxes of which belong to synced accounts."""
    for mailbox in organisation.mailboxes.values():
        mailbox.synced = True
    jane = organisation.mailboxes[JANE]
    jane.devices = [SimulatedDevice("f0000000-0000-4000-8000-000000000d01", "Jane's Pixel", "Android 16")]
    jane.rules = [
        SimulatedRule("8412654187312654187", "To my studio", {"RedirectTo": ['"J" [SMTP:jd@studio.example]']}),
        SimulatedRule("8412654187312654188", "Invoices", {"SubjectContainsWords": ["invoice"], "MarkAsRead": True}),
    ]
    jane.meetings = [
        SimulatedMeeting("Brand review", datetime(2027, 1, 12, 9, 0, tzinfo=UTC), ("frank@fabrikam.example",))
    ]
    organisation.groups[STUDIO_LIST] = SimulatedGroup(
        STUDIO_LIST, "Studio", "studio@fabrikam.example", [JANE, MANAGER], [MANAGER]
    )
