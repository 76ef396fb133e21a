"""What clients.yml says about one client's Microsoft 365."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator, model_validator

from connectors.entra import PUBLIC_AUTHORITY, Application

SecretReference = Annotated[str, StringConstraints(pattern=r"^(env|file|keyvault)/.+$")]
"""Where a secret lies, never the secret itself: 'env/NAME', 'file/PATH'."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Microsoft365Settings(BaseModel):
    """One client's tenant and our application in it. Exactly one of `client_secret` and `certificate`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant_id: str
    client_id: str
    client_secret: SecretReference | None = None
    certificate: SecretReference | None = None
    """PEM text: the certificate and its private key."""
    base_url: str = "https://graph.microsoft.com/v1.0"
    authority: str = PUBLIC_AUTHORITY
    break_glass: tuple[str, ...] = ()
    """Object ids of emergency accounts, which no step ever touches."""
    patience: float = 20
    """Seconds to wait for one answer of Graph."""

    @field_validator("base_url", "authority")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if not parts.hostname or (parts.scheme != "https" and parts.hostname not in _LOOPBACK):
            raise ValueError("must be an https address: our token travels there")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _one_secret(self) -> Microsoft365Settings:
        if (self.client_secret is None) == (self.certificate is None):
            raise ValueError("give exactly one of client_secret and certificate")
        return self

    @property
    def host(self) -> str:
        """The only host our token may travel to."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def scope(self) -> str:
        """The audience of our token; a stand-in on this machine plays the public cloud."""
        host = "graph.microsoft.com" if self.host in _LOOPBACK else self.host
        return f"https://{host}/.default"

    @property
    def application(self) -> Application:
        """Who we are in this tenant."""
        return Application(self.tenant_id, self.client_id, self.client_secret, self.certificate, self.authority)
