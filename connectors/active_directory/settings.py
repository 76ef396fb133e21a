"""What clients.yml says about one client's domain."""

from __future__ import annotations

import re
import uuid
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from connectors.references import SecretReference

LDAPS_PORT = 636

_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*"
)
_BIND_NAME = re.compile(r"[^@\\\s]+@[^@\\\s]+|[^@\\]+\\[^@\\]+|(?i:CN|UID)=.+,.+")


def _server(value: str) -> str:
    host, colon, port = value.partition(":")
    if "://" in value:
        raise ValueError("write the host name alone, dc1.corp.example or dc1.corp.example:636: it is always LDAPS")
    if not _HOST.fullmatch(host) or (colon and not (port.isdigit() and 0 < int(port) < 65536)):
        raise ValueError("must be the host name of a domain controller, as its certificate says it")
    if port == "389":
        raise ValueError("port 389 is LDAP without TLS, and passwords travel: use 636")
    return value.lower()


def _base(value: str) -> str:
    if not re.fullmatch(r"(?i)((OU|CN|O)=.+,)*DC=[^,]+(,DC=[^,]+)*", value):
        raise ValueError("must be a distinguished name such as DC=corp,DC=contoso,DC=example")
    return value


def _bind_name(value: str) -> str:
    if not _BIND_NAME.fullmatch(value):
        raise ValueError(r"must be a sign-in name: offboard@corp.contoso.example, CORP\offboard, or its full CN=…,DC=…")
    return value


def _protected(value: str) -> str:
    if not value.strip() or "@" in value or "=" in value:
        raise ValueError("must be a sAMAccountName or an objectGUID, not an address or a distinguished name")
    return value.strip().casefold()


def _guid(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        return value


class ActiveDirectorySettings(BaseModel):
    """One client's domain controllers, and the account we sign in with. Always LDAPS: passwords travel."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    servers: tuple[Annotated[str, AfterValidator(_server)], ...] = Field(min_length=1)
    """Domain controllers by the names in their certificates, 'host' or 'host:port', tried in this order."""
    base_dn: Annotated[str, AfterValidator(_base)] | None = None
    """Below which people are looked for; the domain's own root when absent. Groups are seen wherever they are."""
    bind_name: Annotated[str, AfterValidator(_bind_name)]
    bind_password: SecretReference
    ca_certificate: SecretReference | None = None
    """PEM text of the authority that issued the controllers' certificates; this machine's own list when absent."""
    protected: tuple[Annotated[str, AfterValidator(_protected), AfterValidator(_guid)], ...] = ()
    """Accounts that no step ever touches, by sAMAccountName or objectGUID."""
    connect_patience: float = Field(default=4, gt=0, le=30)
    """Seconds to wait for one server to take the connection."""
    patience: int = Field(default=10, gt=0, le=60)
    """Whole seconds to wait for one answer of a server."""

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each server, in order."""
        parts = (server.partition(":") for server in self.servers)
        return tuple((host, int(port or LDAPS_PORT)) for host, _, port in parts)
