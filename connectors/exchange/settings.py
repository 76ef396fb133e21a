"""What clients.yml says about one client's Exchange Online."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator, model_validator

from connectors.entra import PUBLIC_AUTHORITY, Application

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def _reference(value: str) -> str:
    if not re.fullmatch(r"(env|file)/.+", value):
        raise ValueError("write a reference such as env/NAME or file/PATH here, never the secret itself")
    return value


def _guid(value: str) -> str:
    if not _GUID.fullmatch(value.lower()):
        raise ValueError("must be an id such as 00000000-0000-0000-0000-000000000000, not a name or an address")
    return value.lower()


def _tenant(value: str) -> str:
    if not _GUID.fullmatch(value.lower()) and not _DOMAIN.fullmatch(value.lower()):
        raise ValueError("must be the tenant's id, or one of its domains such as contoso.onmicrosoft.com")
    return value.lower()


SecretReference = Annotated[str, AfterValidator(_reference)]
"""Where a secret lies, never the secret itself: 'env/NAME', 'file/PATH'."""


class ExchangeSettings(BaseModel):
    """One client's tenant and our application in it. Exactly one of `client_secret` and `certificate`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    tenant_id: Annotated[str, AfterValidator(_tenant)]
    client_id: Annotated[str, AfterValidator(_guid)]
    client_secret: SecretReference | None = None
    certificate: SecretReference | None = None
    """PEM text: the certificate and its private key."""
    base_url: str = "https://outlook.office365.com/adminapi/beta"
    authority: str = PUBLIC_AUTHORITY
    patience: float = 20
    """Seconds to wait for one answer."""

    @field_validator("base_url", "authority")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if not parts.hostname or (parts.scheme != "https" and parts.hostname not in _LOOPBACK):
            raise ValueError("must be an https address: our token travels there")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _one_secret(self) -> ExchangeSettings:
        if (self.client_secret is None) == (self.certificate is None):
            raise ValueError("give exactly one of client_secret and certificate")
        return self

    @property
    def scope(self) -> str:
        """The audience of our token; a stand-in on this machine plays the public cloud."""
        host = urlsplit(self.base_url).hostname or ""
        return f"https://{'outlook.office365.com' if host in _LOOPBACK else host}/.default"

    @property
    def application(self) -> Application:
        """Who we are in this tenant."""
        return Application(self.tenant_id, self.client_id, self.client_secret, self.certificate, self.authority)
