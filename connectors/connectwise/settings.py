"""What clients.yml says about one client in the provider's ConnectWise PSA."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connectors.references import SecretReference

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CLOUDS = (".myconnectwise.net", ".connectwisedev.com")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def _site(value: str) -> str:
    host = value.lower()
    if not _HOST.fullmatch(host):
        raise ValueError("write the host name alone, such as api-eu.myconnectwise.net")
    if host.endswith(_CLOUDS) and not host.startswith("api-"):
        raise ValueError(f"ConnectWise's cloud answers programs at hosts that begin with api-: try api-{host}")
    return host


def _address(value: str) -> str:
    parts = urlsplit(value)
    if value and (not parts.hostname or (parts.scheme != "https" and parts.hostname not in _LOOPBACK)):
        raise ValueError("must be an https address: our keys travel there")
    return value.rstrip("/")


def _guid(value: str) -> str:
    if not _GUID.fullmatch(value.lower()):
        raise ValueError("must be an id such as 00000000-0000-0000-0000-000000000000")
    return value.lower()


def _named(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


Named = Annotated[str, AfterValidator(_named)]


class LineSettings(BaseModel):
    """A line of the client's agreement that counts people or licences."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    product: Named
    """The addition's product identifier, as ConnectWise shows it."""
    kind: Literal["licence", "user"]
    part_number: str = ""
    """Microsoft's part number of the licence the line is for: SPE_E3."""
    minimum: Decimal = Field(default=Decimal(0), ge=0)
    """A user line is never reduced below what the contract says."""
    agreement: str = ""
    """Name or id of the agreement, where several hold such a line."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "licence" and not self.part_number:
            raise ValueError("a licence line needs its part_number: it never falls below the seat at the distributor")
        if self.kind == "user" and self.part_number:
            raise ValueError("a user line has no part_number")
        if self.kind == "licence" and self.minimum:
            raise ValueError("a licence line has no minimum: its seats are its floor")
        return self


class ConnectWiseSettings(BaseModel):
    """The provider's PSA, our keys to it, and which of its companies this client is."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    site: Annotated[str, AfterValidator(_site)]
    """Host of the API: api-eu.myconnectwise.net, or the provider's own server."""
    base_url: Annotated[str, AfterValidator(_address)] = ""
    """In place of https://{site}, for stand-ins on this machine."""
    company: Named
    """The company id typed when signing in to ConnectWise: the provider's, not the client's."""
    public_key: SecretReference
    private_key: SecretReference
    client_id: Annotated[str, AfterValidator(_guid)]
    """Of our integration, from https://developer.connectwise.com/ClientID."""
    client_company: str = Field(min_length=1, coerce_numbers_to_str=True)
    """Which company the client is: its company id there (ContosoLtd), or the number of its record."""
    board: Named
    """Service board for the cases' tickets: one that leavers can't see."""
    priority: str = ""
    type: str = ""
    status: str = ""
    """Status of a new ticket; the board's own default when empty."""
    closed_status: str = ""
    """Status a ticket is closed with; the board's first closed one when empty."""
    contact: str = Field(default="", coerce_numbers_to_str=True)
    """Record number of a contact for every ticket, where the desk demands one. Normally none."""
    member: Named
    """Identifier of the member who owns tasks and time."""
    work_type: str = ""
    work_role: str = ""
    approver_types: tuple[Named, ...] = ("Approver",)
    """Contact types whose holders may ask for this client."""
    lines: tuple[LineSettings, ...] = ()
    """Lines of its agreements that fall when somebody leaves."""
    currency: str = Field(default="", pattern="^([A-Z]{3})?$")
    """ISO 4217, of invoices where ConnectWise does not say."""
    patience: float = 20
    """Seconds to wait for one answer."""

    @model_validator(mode="after")
    def _each_line_once(self) -> Self:
        named = [(line.product.casefold(), line.agreement.casefold()) for line in self.lines]
        if len(named) != len(set(named)):
            raise ValueError("lines name the same product of the same agreement twice")
        if self.contact and not self.contact.isdigit():
            raise ValueError("contact must be the number of a contact's record")
        return self

    @property
    def root(self) -> str:
        """Scheme and host of everything we ask."""
        return self.base_url or f"https://{self.site}"
