"""The part of clients.yml about Teams: which bot we are, how we sign in, and which tenants there are and whose."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from bot.bound import misbound, one_or_several, unreachable
from connectors.entra import PUBLIC_AUTHORITY, Application, Guid
from connectors.references import SecretReference
from handlers.people import Roster

PLATFORM = "teams"
SERVICE_HOSTS = ("smba.trafficmanager.net",)
"""Where the Bot Connector of the public cloud answers, for Teams (learn.microsoft.com, "Proactive messages")."""
SERVICE_URL = "https://smba.trafficmanager.net/teams/"
"""Where a tenant is reached that has not spoken to us yet."""
OPEN_ID = "https://login.botframework.com/v1/.well-known/openidconfiguration"
INSTALL = "pip install 'offboard[teams]'"
"""What brings the SDK that only Teams needs."""

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HOST = re.compile(r"[a-z0-9.-]+(:\d{1,5})?")
_ON_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})


class Teams(BaseModel):
    """The Azure Bot: how it signs in, and the tenants it is heard from."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    app_id: Guid
    tenant: Guid
    """The bot's home: where its application is registered, and tokens come from."""
    secret: SecretReference = ""
    certificate: SecretReference = ""
    """PEM text: the certificate and its private key. Its thumbprint is worked out from it."""
    managed_identity: bool = False
    tenants: dict[str, tuple[str, ...]]
    """Tenant id → whose it is: a client's id, several of them, or msp. Nobody else is heard."""
    service_hosts: tuple[str, ...] = SERVICE_HOSTS
    """The only hosts our token travels to."""
    no_authentication: bool = False
    """Take requests nobody signed: for the Agents Playground, on this machine alone."""
    service_url: str = SERVICE_URL
    authority: str = PUBLIC_AUTHORITY
    open_id: str = OPEN_ID

    @field_validator("tenants", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return one_or_several(value)

    @field_validator("tenants")
    @classmethod
    def _tenants_are_ids(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if not value:
            raise ValueError("name at least one tenant, its id and whose it is: nobody else is heard")
        for tenant in value:
            if not _GUID.fullmatch(tenant):
                raise ValueError(f"'{tenant}' must be a tenant's id in small letters, not a domain or a name")
        return value

    @field_validator("service_hosts")
    @classmethod
    def _hosts_alone(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not all(_HOST.fullmatch(host) for host in value):
            raise ValueError("must be host names in small letters, without https:// and path")
        return value

    @field_validator("service_url", "authority", "open_id")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if not parts.hostname or (parts.scheme != "https" and parts.hostname not in _ON_THIS_MACHINE):
            raise ValueError("must be an https address")
        return value

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Teams:
        ways = bool(self.secret) + bool(self.certificate) + self.managed_identity
        if self.no_authentication and ways:
            raise ValueError("no_authentication signs in nowhere: remove secret, certificate and managed_identity")
        if not self.no_authentication and ways != 1:
            raise ValueError("give exactly one of secret, certificate and managed_identity: true")
        if urlsplit(self.service_url).netloc not in self.service_hosts:
            raise ValueError("service_hosts must name the host of service_url as well")
        return self

    @property
    def hosts(self) -> frozenset[str]:
        """Where our token may travel."""
        return frozenset(self.service_hosts)

    @property
    def bound(self) -> dict[str, tuple[str, ...]]:
        """Whose each tenant is, as the roster asks for it."""
        return {f"{PLATFORM}/{tenant}": whose for tenant, whose in self.tenants.items()}

    @property
    def application(self) -> Application:
        """Who the bot is, where it signs in."""
        return Application(
            self.tenant,
            self.app_id,
            self.secret or None,
            self.certificate or None,
            self.authority.rstrip("/"),
            self.managed_identity,
        )


def misfits(teams: Teams, roster: Roster, host: str) -> Iterator[tuple[str, str]]:
    """Key and fix of whatever would leave somebody unreachable, or let somebody in who must not be.

    `host` is where the service listens.
    """
    if teams.no_authentication and not _is_loopback(host):
        yield (
            "teams.no_authentication",
            f"takes requests from anybody, and the service listens on {host}: "
            "listen on 127.0.0.1 alone (OFFBOARD_HOST), or remove it",
        )
    known = ", ".join(sorted(teams.tenants))
    missing = f"is not in teams.tenants, so no card would arrive: use one of {known}"
    for name, channel in (("msp.technicians", roster.msp.technicians), ("msp.admins", roster.msp.admins)):
        if channel.platform == PLATFORM and not channel.channel.startswith("19:"):
            yield f"{name}.channel", "must be the channel's id, which begins with 19: and ends with @thread.tacv2"
    for person in roster.people:
        for actor in person.actors:
            if actor.platform == PLATFORM and not (_GUID.fullmatch(actor.workspace) and _GUID.fullmatch(actor.user)):
                yield (
                    f"people.{person.id}.identities",
                    f"'{actor}' must be written teams/TENANT/USER, both ids in small letters: "
                    "the user's object id in their own tenant",
                )
    yield from unreachable(PLATFORM, teams.tenants, missing, teams.tenants, "teams.tenants", roster)
    yield from misbound(PLATFORM, teams.tenants, "teams.tenants", roster)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
