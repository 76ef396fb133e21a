"""Whether our application is signed in to a client's tenant, with every permission the steps there need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from connectors.contract import AnyStep, Check, SignInFailed, TaskStep
from connectors.entra import TenantSettings

Needs = Mapping[str, tuple[str, ...]]
"""Permission → ids of the steps that need it."""


def needs_of(steps: Iterable[AnyStep]) -> Needs:
    """Every permission the steps name."""
    needs: dict[str, tuple[str, ...]] = {}
    for step in steps:
        for permission in step.permissions:
            needs[permission] = (*needs.get(permission, ()), step.id)
    return needs


def ids_of(steps: Iterable[AnyStep]) -> tuple[str, ...]:
    """The steps that ask the vendor anything: what a person does works without."""
    return tuple(step.id for step in steps if not isinstance(step, TaskStep))


def covers(held: frozenset[str], permission: str) -> bool:
    """Whether that permission is held, or the one that may write the same."""
    return permission in held or permission.replace(".Read.", ".ReadWrite.") in held


async def sign_in_checks(
    settings: TenantSettings,
    permissions: Callable[[], Awaitable[frozenset[str] | None]],
    needs: Needs,
    *,
    of: str,
    steps: tuple[str, ...],
) -> tuple[Check, ...]:
    """Signed in, and each permission of `needs`; `of` is the API they belong to. Raises Unreachable and Throttled."""
    try:
        held = await permissions()
    except SignInFailed as refused:
        return (Check("Signed in", ok=False, said=refused.message, fix=refused.fix, steps=steps),)
    signed_in = Check("Signed in", ok=True, said=f"Entra gave us a token for {settings.tenant_id}.")
    if held is None:
        said = "Not verified: our token can't be read; what is missing shows at the first refusal."
        return (signed_in, Check("Permissions", ok=True, said=said))
    fix = (
        f"Give our application this permission ({of}, application), then have an administrator of the client consent: "
        f"{settings.application.consent_link}"
    )
    return (
        signed_in,
        *(
            Check(f"Permission {permission}", ok=True)
            if covers(held, permission)
            else Check(f"Permission {permission}", ok=False, said="Our token lacks it.", fix=fix, steps=needing)
            for permission, needing in needs.items()
        ),
    )
