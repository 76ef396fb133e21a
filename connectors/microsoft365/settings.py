"""What clients.yml says about one client's Microsoft 365."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlsplit

from connectors.entra import Guid, TenantSettings


class Microsoft365Settings(TenantSettings):
    """One client's tenant and our application in it. Exactly one of `client_secret` and `certificate`."""

    audience: ClassVar[str] = "graph.microsoft.com"

    base_url: str = "https://graph.microsoft.com/v1.0"
    break_glass: tuple[Guid, ...] = ()
    """Object ids of emergency accounts, which no step ever touches."""

    @property
    def host(self) -> str:
        """The only host our token may travel to."""
        return urlsplit(self.base_url).hostname or ""
