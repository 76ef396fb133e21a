"""Whether the steps would work at a client: signed in, the permission, and the Entra role beside it."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import AnyStep, Check, Refused
from connectors.entra_checks import ids_of, needs_of, sign_in_checks
from connectors.exchange.client import PERMISSION, ROLE, ExchangeApi


async def check_organisation(api: ExchangeApi, steps: Sequence[AnyStep]) -> tuple[Check, ...]:
    """Each thing that must be so. Raises Unreachable or Throttled where nothing can be said."""
    every = ids_of(steps)
    needs = {PERMISSION: every, **needs_of(steps)}
    checks = await sign_in_checks(api.settings, api.permissions, needs, of="Office 365 Exchange Online", steps=every)
    if not all(check.ok for check in checks):
        # Without these Exchange answers the same as without the role.
        return checks
    try:
        domains = await api.invoke("Get-AcceptedDomain")
    except Refused as refused:
        return (*checks, Check("Entra role", ok=False, said=refused.message, fix=refused.fix, steps=every))
    count = f"{len(domains)} domain{'' if len(domains) == 1 else 's'}"
    return (
        *checks,
        Check(
            "Entra role",
            ok=True,
            said=f"Exchange answers our cmdlets ({count}). Whether mailboxes can be changed shows at the first change: "
            f"it takes {ROLE}.",
        ),
    )
