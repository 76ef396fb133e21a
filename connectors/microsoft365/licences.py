"""Licences: what somebody holds, how it came to them, and which of it carries the mailbox."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from connectors.contract import Json
from connectors.microsoft365.client import Graph, text

STATES = "licenseAssignmentStates"
PRODUCT_FIELDS = ("skuId", "skuPartNumber", "servicePlans", "consumedUnits", "prepaidUnits", "capabilityStatus")

# Names as on Microsoft's price list (Entra, "Product names and service plan identifiers", from memory of the 2026
# page). Others are called by their part number.
_NAMES = {
    "O365_BUSINESS_ESSENTIALS": "Microsoft 365 Business Basic",
    "O365_BUSINESS": "Microsoft 365 Apps for business",
    "O365_BUSINESS_PREMIUM": "Microsoft 365 Business Standard",
    "SPB": "Microsoft 365 Business Premium",
    "SPE_E3": "Microsoft 365 E3",
    "SPE_E5": "Microsoft 365 E5",
    "SPE_F1": "Microsoft 365 F3",
    "STANDARDPACK": "Office 365 E1",
    "ENTERPRISEPACK": "Office 365 E3",
    "ENTERPRISEPREMIUM": "Office 365 E5",
    "DESKLESSPACK": "Office 365 F3",
    "OFFICESUBSCRIPTION": "Microsoft 365 Apps for enterprise",
    "EXCHANGESTANDARD": "Exchange Online (Plan 1)",
    "EXCHANGEENTERPRISE": "Exchange Online (Plan 2)",
    "EXCHANGEARCHIVE_ADDON": "Exchange Online Archiving",
    "EXCHANGEDESKLESS": "Exchange Online Kiosk",
    "AAD_PREMIUM": "Microsoft Entra ID P1",
    "AAD_PREMIUM_P2": "Microsoft Entra ID P2",
    "EMS": "Enterprise Mobility + Security E3",
    "INTUNE_A": "Microsoft Intune Plan 1",
    "MCOEV": "Microsoft Teams Phone Standard",
    "POWER_BI_PRO": "Power BI Pro",
    "PROJECTPROFESSIONAL": "Planner and Project Plan 3",
    "VISIOCLIENT": "Visio Plan 2",
    "Microsoft_365_Copilot": "Microsoft 365 Copilot",
    "FLOW_FREE": "Power Automate Free",
}
# These stand in many products and give no mailbox.
_NO_MAILBOX = frozenset({"EXCHANGE_S_FOUNDATION", "EXCHANGE_S_FOUNDATION_GOV", "EXCHANGE_ANALYTICS"})


class Product(BaseModel):
    """A product the tenant has bought."""

    model_config = ConfigDict(frozen=True)

    sku: str
    part_number: str = ""
    carries_mailbox: bool = True
    """One of its services is Exchange; taken for granted where it can't be read."""
    bought: int = 0
    used: int = 0

    @property
    def name(self) -> str:
        """'Microsoft 365 E3 (SPE_E3)'."""
        known = _NAMES.get(self.part_number)
        return f"{known} ({self.part_number})" if known else self.part_number or self.sku


class Licence(BaseModel):
    """A product somebody holds, and how it came to them."""

    model_config = ConfigDict(frozen=True)

    sku: str
    name: str
    part_number: str = ""
    group: str = ""
    """Id of the group that gives it; empty when assigned directly."""
    disabled_plans: tuple[str, ...] = ()
    carries_mailbox: bool = True


async def read_products(api: Graph) -> dict[str, Product]:
    """What the tenant has bought, afresh: id → product."""
    found = await api.read_all(api.sdk.subscribed_skus.to_get_request_information(), select=PRODUCT_FIELDS)
    return products_of(found)


async def read_licences(api: Graph, user: str) -> tuple[Licence, ...]:
    """What they hold, afresh and by name."""
    reading = api.read(api.user(user).to_get_request_information(), select=(STATES,))
    record, products = await asyncio.gather(reading, read_products(api))
    return licences_of(record, products)


def products_of(records: Iterable[Json]) -> dict[str, Product]:
    """Products by their ids."""
    found: dict[str, Product] = {}
    for record in records:
        listed, prepaid, used = record.get("servicePlans"), record.get("prepaidUnits"), record.get("consumedUnits")
        plans = (
            {text(one, "servicePlanName") for one in listed if isinstance(one, dict)}
            if isinstance(listed, list)
            else None
        )
        bought = prepaid.get("enabled") if isinstance(prepaid, dict) else 0
        found[text(record, "skuId")] = Product(
            sku=text(record, "skuId"),
            part_number=text(record, "skuPartNumber"),
            carries_mailbox=plans is None or any(plan.startswith("EXCHANGE") for plan in plans - _NO_MAILBOX),
            bought=bought if isinstance(bought, int) else 0,
            used=used if isinstance(used, int) else 0,
        )
    return found


def licences_of(user: Json, products: dict[str, Product]) -> tuple[Licence, ...]:
    """What a user record says they hold; each product once directly and once for each group."""
    listed = user.get(STATES)
    found: list[Licence] = []
    for state in listed if isinstance(listed, list) else ():
        if not isinstance(state, dict):
            continue
        sku, off = text(state, "skuId"), state.get("disabledPlans")
        product = products.get(sku, Product(sku=sku))
        found.append(
            Licence(
                sku=sku,
                name=product.name,
                part_number=product.part_number,
                group=text(state, "assignedByGroup"),
                disabled_plans=tuple(str(one) for one in off) if isinstance(off, list) else (),
                carries_mailbox=product.carries_mailbox,
            )
        )
    return tuple(found)


async def assign(
    api: Graph, user: str, needs: tuple[str, ...], *, add: tuple[Licence, ...] = (), remove: tuple[str, ...] = ()
) -> None:
    """Give and take licences in one call; Graph wants both lists, empty ones too."""
    body: Json = {
        "addLicenses": [{"skuId": one.sku, "disabledPlans": [*one.disabled_plans]} for one in add],
        "removeLicenses": [*remove],
    }
    await api.send("POST", api.user(user).assign_license, needs, body)
