"""Phones and tablets that fetch mail by themselves, and how far erasing that mail from them has got."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from connectors.contract import Json
from connectors.exchange.client import ExchangeApi, text

ERASE_ASKED, ERASED = "erase asked", "erased"


class Device(BaseModel):
    """One device's partnership with the mailbox."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    last_sync: str = ""
    """As Exchange writes it."""
    state: str = ""
    """'', 'erase asked' or 'erased'."""


async def read_devices(api: ExchangeApi, mailbox: str, anchor: str) -> tuple[Device, ...]:
    """Every device known to the mailbox."""
    # The answer also carries a recovery password: nothing but these fields is ever kept.
    found = await api.invoke("Get-MobileDeviceStatistics", anchor=anchor, Mailbox=mailbox)
    return tuple(_device(one) for one in found)


def _device(record: Json) -> Device:
    named = text(record, "DeviceFriendlyName") or text(record, "DeviceModel") or text(record, "DeviceType") or "Device"
    system = text(record, "DeviceOS") or text(record, "DeviceType")
    # Only what erases the account counts: the fields of a full wipe are another matter.
    state = ERASED if text(record, "AccountOnlyDeviceWipeAckTime") else ""
    if not state and text(record, "AccountOnlyDeviceWipeRequestTime"):
        state = ERASE_ASKED
    return Device(
        id=text(record, "Guid") or text(record, "Identity"),
        title=f"{named} ({system})" if system and system != named else named,
        last_sync=text(record, "LastSuccessSync"),
        state=state,
    )
