"""One mailbox as Exchange shows it, how big it is, and what became of one that is not there."""

from __future__ import annotations

import asyncio
import re

from pydantic import BaseModel, ConfigDict

from connectors.contract import Json
from connectors.exchange.client import ExchangeApi, NoSuchObject, flag, text, texts

USER, SHARED, ROOM, EQUIPMENT = "UserMailbox", "SharedMailbox", "RoomMailbox", "EquipmentMailbox"
FREE_BYTES = 50 * 1024**3
"""Up to here a shared mailbox needs no licence (Microsoft 365 admin "shared mailboxes"; Exchange's GB are 2^30)."""
ACTIVE, INACTIVE, SOFT_DELETED, ON_PREMISES = "active", "inactive", "soft-deleted", "on premises"
_NO_GUID = "00000000-0000-0000-0000-000000000000"


class Mailbox(BaseModel):
    """A mailbox at one moment."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The directory's object id of its account."""
    kind: str
    """RecipientTypeDetails."""
    state: str = ACTIVE
    name: str = ""
    mail: str = ""
    user_name: str = ""
    distinguished_name: str = ""
    synced: bool = False
    licensed: bool | None = None
    archive: bool = False
    litigation_hold: bool = False
    holds: tuple[str, ...] = ()
    """Other holds on this mailbox, as Exchange names them."""
    forwarding_address: str = ""
    forwarding_smtp: str = ""
    """Without its 'smtp:'."""
    keeps_copy: bool = False
    hidden: bool = False

    @property
    def held(self) -> bool:
        """Whether any hold is on it."""
        return self.litigation_hold or bool(self.holds)


async def read_mailbox(api: ExchangeApi, object_id: str, anchor: str = "") -> Mailbox | None:
    """The active mailbox of that account; None when there is none."""
    try:
        found = await api.invoke("Get-Mailbox", anchor=anchor, Identity=object_id)
    except NoSuchObject:
        return None
    return _theirs(found, object_id, ACTIVE)


async def whereabouts(api: ExchangeApi, object_id: str) -> Mailbox | None:
    """What became of a mailbox that is not active: inactive (held), soft-deleted, or kept on premises."""
    inactive, deleted, mail_user = await asyncio.gather(
        _found(api, "Get-Mailbox", object_id, "InactiveMailboxOnly"),
        _found(api, "Get-Mailbox", object_id, "SoftDeletedMailbox"),
        _found(api, "Get-MailUser", object_id),
    )
    if held := _theirs(inactive, object_id, INACTIVE):
        return held
    if gone := _theirs(deleted, object_id, SOFT_DELETED):
        return gone
    user = _theirs(mail_user, object_id, ON_PREMISES)
    # A guest and an unlicensed cloud user are mail users, too, and have no mailbox anywhere of the client's.
    return user if user and user.synced and user.kind == "MailUser" else None


async def read_size(api: ExchangeApi, mailbox: Mailbox) -> int | None:
    """Bytes of everything in it, its archive not counted; None when Exchange gives no readable figure."""
    found = await api.invoke("Get-MailboxStatistics", anchor=mailbox.user_name, Identity=mailbox.id)
    return bytes_of(found[0].get("TotalItemSize")) if found else None


async def read_with_size(api: ExchangeApi, object_id: str, anchor: str = "") -> tuple[Mailbox | None, int | None]:
    """The mailbox and how much it holds, asked side by side; no size where there is no mailbox."""
    mailbox, found = await asyncio.gather(
        read_mailbox(api, object_id, anchor), _found(api, "Get-MailboxStatistics", object_id, anchor=anchor)
    )
    return mailbox, bytes_of(found[0].get("TotalItemSize")) if mailbox and found else None


def bytes_of(value: object) -> int | None:
    """'48.7 GB (52,291,117,056 bytes)' as a number, whatever stands between the digits; None when unreadable.

    The rounded figure in front is never used: its decimal point is another country's thousands.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    if isinstance(value, int):
        return value
    found = re.search(r"\(\s*(\d[\d.,'’\s]*?)\s*[^\W\d]+\s*\)\s*$", value)
    return int(re.sub(r"\D", "", found[1])) if found else None


def needs_licence(mailbox: Mailbox, size: int | None, *, hold_coming: bool = False) -> str:
    """Why it would need an Exchange Online Plan 2 licence as a shared mailbox, as a clause; '' when it is free."""
    reasons: list[str] = []
    if size is None:
        reasons.append("its size could not be read")
    elif size > FREE_BYTES:
        reasons.append(f"it holds {gigabytes(size)}, more than 50 GB")
    if mailbox.archive:
        reasons.append("it has an archive")
    if mailbox.held or hold_coming:
        reasons.append("it is on hold" if mailbox.held else "it will be put on hold")
    return " and ".join(reasons)


def gigabytes(size: int) -> str:
    """As people read it: '48.7 GB'."""
    return f"{size / 1024**3:.1f} GB"


async def _found(api: ExchangeApi, cmdlet: str, object_id: str, switch: str = "", anchor: str = "") -> list[Json]:
    switches: dict[str, bool] = {switch: True} if switch else {}
    try:
        return await api.invoke(cmdlet, anchor=anchor, Identity=object_id, **switches)
    except NoSuchObject:
        return []


def _theirs(found: list[Json], object_id: str, state: str) -> Mailbox | None:
    """The one whose account has exactly that id: an identity may also match a name or an alias."""
    for one in found:
        if text(one, "ExternalDirectoryObjectId").casefold() == object_id.casefold():
            return _mailbox(one, state)
    return None


def _mailbox(record: Json, state: str) -> Mailbox:
    sku = record.get("SKUAssigned")
    # A hold that begins with '-' is an exclusion from an organisation-wide one, not a hold.
    holds = tuple(hold for hold in texts(record, "InPlaceHolds") if not hold.startswith("-"))
    labels = ("a retention label",) if flag(record, "ComplianceTagHoldApplied") else ()
    return Mailbox(
        id=text(record, "ExternalDirectoryObjectId"),
        kind=text(record, "RecipientTypeDetails"),
        state=state,
        name=text(record, "DisplayName"),
        mail=text(record, "PrimarySmtpAddress"),
        user_name=text(record, "UserPrincipalName"),
        distinguished_name=text(record, "DistinguishedName"),
        synced=flag(record, "IsDirSynced"),
        licensed=sku if isinstance(sku, bool) else None,
        archive=text(record, "ArchiveGuid") not in ("", _NO_GUID) or text(record, "ArchiveStatus") not in ("", "None"),
        litigation_hold=flag(record, "LitigationHoldEnabled"),
        holds=(*holds, *labels),
        forwarding_address=text(record, "ForwardingAddress"),
        forwarding_smtp=re.sub(r"(?i)^smtp:", "", text(record, "ForwardingSmtpAddress")),
        keeps_copy=flag(record, "DeliverToMailboxAndForward"),
        hidden=flag(record, "HiddenFromAddressListsEnabled"),
    )
