"""Whom the simulated ConnectWise tells by mail about a ticket: the contact and the copies, unless told not to.

A request that does not say is a request that notifies, and what it leaves out is as the board has it. Closing sends
the status's own template.
"""

from __future__ import annotations

from connectors.connectwise.simulated_records import Mail, Provider
from connectors.contract import Json


def recipients(provider: Provider, ticket: Json) -> list[str]:
    """Addresses that mail about the ticket goes to as it stands."""
    found: list[str] = []
    contact = ticket.get("contact")
    if ticket.get("automaticEmailContactFlag") and isinstance(contact, dict):
        found.append(address_of(provider, contact.get("id")))
    if ticket.get("automaticEmailCcFlag"):
        found += [one.strip() for one in str(ticket.get("automaticEmailCc") or "").split(";")]
    return [one for one in found if one]


def notify(provider: Provider, ticket: Json, why: str, request: Json) -> None:
    """Send what that request sends: it notifies unless it says that it does not."""
    if request.get("processNotifications") is False:
        return
    provider.mails += [Mail(one, why, int(str(ticket["id"]))) for one in recipients(provider, ticket)]


def notify_of_time(provider: Provider, ticket: Json, request: Json) -> None:
    """A time entry has flags of its own; where one is left out, the ticket's holds."""
    flags = {"automaticEmailContactFlag": "emailContactFlag", "automaticEmailCcFlag": "emailCcFlag"}
    as_asked = {**ticket, **{kept: request.get(asked, ticket.get(kept)) for kept, asked in flags.items()}}
    notify(provider, as_asked, "time", {})


def address_of(provider: Provider, contact: object) -> str:
    """A contact's mail address."""
    record = provider.collections["company/contacts"].get(contact) if isinstance(contact, int) else None
    items = record.get("communicationItems") if record else None
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and item.get("communicationType") == "Email":
            return str(item.get("value"))
    return ""
