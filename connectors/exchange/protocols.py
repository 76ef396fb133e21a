"""The switches by which clients reach a mailbox: Outlook, the web, phones, and the old protocols."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.contract import Json
from connectors.exchange.client import ExchangeApi
from connectors.exchange.mailboxes import Mailbox

OFF: Mapping[str, bool] = {
    "OWAEnabled": False,
    "OWAforDevicesEnabled": False,
    "MAPIEnabled": False,
    "EwsEnabled": False,
    "OutlookMobileEnabled": False,
    "ActiveSyncEnabled": False,
    "PopEnabled": False,
    "ImapEnabled": False,
    # The one that is worded the other way round.
    "SmtpClientAuthenticationDisabled": True,
    "UniversalOutlookEnabled": False,
    "OneWinNativeOutlookEnabled": False,
    "MacOutlookEnabled": False,
}
"""Parameter of Set-CASMailbox → the value that shuts it."""
FOR_OTHERS = ("OWAEnabled", "MAPIEnabled", "EwsEnabled")
"""What whoever takes the mailbox over opens it by: the switches are the mailbox's, not the person's."""


async def read_protocols(api: ExchangeApi, mailbox: Mailbox) -> dict[str, bool | None]:
    """The switches that this organisation has; None follows the organisation's own setting."""
    found = await api.invoke("Get-CASMailbox", anchor=mailbox.user_name, Identity=mailbox.id)
    record: Json = found[0] if found else {}
    return {name: value if isinstance(value := record.get(name), bool) else None for name in OFF if name in record}


async def set_protocols(api: ExchangeApi, mailbox: Mailbox, switches: Mapping[str, bool | None]) -> None:
    """Set those switches; None puts one back under the organisation's setting."""
    await api.invoke("Set-CASMailbox", anchor=mailbox.user_name, Identity=mailbox.id, **switches)


def still_open(switches: Mapping[str, bool | None]) -> tuple[str, ...]:
    """Which switches do not shut."""
    return tuple(name for name, value in switches.items() if value is not OFF[name])
