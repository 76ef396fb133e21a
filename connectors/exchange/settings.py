"""What clients.yml says about one client's Exchange Online."""

from __future__ import annotations

from typing import ClassVar

from connectors.entra import TenantSettings


class ExchangeSettings(TenantSettings):
    """One client's tenant and our application in it. Exactly one of `client_secret` and `certificate`."""

    audience: ClassVar[str] = "outlook.office365.com"

    base_url: str = "https://outlook.office365.com/adminapi/beta"
