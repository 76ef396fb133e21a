"""Which addresses are the client's own, and who stands behind a name that Exchange shows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors.contract import Json
from connectors.exchange.client import ExchangeApi, NoSuchObject, text

Domains = frozenset[str] | None
"""The client's own domains; None when they could not be read, and then everybody counts as an outsider."""
_CONTACTS = frozenset({"MailContact", "GuestMailUser", "MailForestContact"})
_RULE_ADDRESS = re.compile(r"\[(?P<kind>SMTP|EX):(?P<address>[^\]]+)\]\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Recipient:
    """Somebody or something that mail can be sent to."""

    id: str
    """The directory's object id; '' for contacts."""
    kind: str
    name: str
    mail: str
    """Where mail to it really goes."""
    names: frozenset[str]
    """Everything Exchange may call it by in lists of permissions, in small letters."""


async def accepted_domains(api: ExchangeApi) -> frozenset[str]:
    """The domains this client receives mail for."""
    found = await api.invoke("Get-AcceptedDomain")
    return frozenset(text(one, "DomainName").casefold() for one in found) - {""}


async def read_recipient(api: ExchangeApi, identity: str) -> Recipient | None:
    """Who that is: by object id, address, name, distinguished or legacy name. None when there is nobody."""
    try:
        found = await api.invoke("Get-Recipient", Identity=identity)
    except NoSuchObject:
        return None
    return _recipient(found[0]) if len(found) == 1 else None


def outside(address: str, domains: Domains) -> bool:
    """Whether that address is not the client's own."""
    return domains is None or address.rpartition("@")[2].casefold() not in domains


def outsider(recipient: Recipient | None, domains: Domains) -> bool:
    """Whether mail to it leaves the client; nobody known counts as an outsider."""
    return recipient is None or recipient.kind in _CONTACTS or outside(recipient.mail, domains)


def rule_address(entry: str) -> tuple[str, bool]:
    """An entry of a rule, '"Ken" [SMTP:ken@partner.example]', as its address and whether that is a mail address."""
    found = _RULE_ADDRESS.search(entry)
    if found:
        return found["address"], found["kind"].upper() == "SMTP"
    return entry, "@" in entry and " " not in entry


def _recipient(record: Json) -> Recipient:
    target = text(record, "ExternalEmailAddress") or text(record, "PrimarySmtpAddress")
    called = ("ExternalDirectoryObjectId", "PrimarySmtpAddress", "WindowsLiveID", "Name", "Alias", "DistinguishedName")
    return Recipient(
        id=text(record, "ExternalDirectoryObjectId"),
        kind=text(record, "RecipientTypeDetails"),
        name=text(record, "DisplayName") or text(record, "Name"),
        mail=re.sub(r"(?i)^smtp:", "", target),
        names=frozenset(text(record, name).casefold() for name in called) - {""},
    )
