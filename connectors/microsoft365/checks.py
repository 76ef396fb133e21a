"""Whether the steps would work at a client: signed in, each permission, the directory, our own role."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import AnyStep, Check, Refused
from connectors.entra_checks import ids_of, needs_of, sign_in_checks
from connectors.microsoft365.client import ADMIN_ROLES_NEEDED, Graph, quoted, text
from connectors.microsoft365.roles import MAY_CHANGE_ADMINS, read_assignments, roles_of
from connectors.microsoft365.steps import BlockSignIn, RemoveSignInMethods, ResetPassword

READING = (
    "User.Read.All",
    "Directory.Read.All",
    "GroupMember.Read.All",
    "RoleManagement.Read.Directory",
    "RoleEligibilitySchedule.Read.Directory",
    "Domain.Read.All",
    "UserAuthenticationMethod.Read.All",
)
"""What facts are read with, besides what steps name: without them, parts of the card say 'unknown'."""
_ADMINISTRATORS = (BlockSignIn.id, ResetPassword.id, RemoveSignInMethods.id)


async def check_tenant(api: Graph, steps: Sequence[AnyStep]) -> tuple[Check, ...]:
    """Each thing that must be so. Raises Unreachable or Throttled where nothing can be said."""
    needs = {**dict.fromkeys(READING, ()), **needs_of(steps)}
    every = ids_of(steps)
    checks = await sign_in_checks(api.settings, api.permissions, needs, of="Microsoft Graph", steps=every)
    if not checks[0].ok:
        return checks
    return (*checks, await _directory(api, every), await _our_role(api))


async def _directory(api: Graph, steps: tuple[str, ...]) -> Check:
    try:
        page = await api.read(api.sdk.users.to_get_request_information(), select=("id",), top=1)
    except Refused as refused:
        return Check("Directory", ok=False, said=refused.message, fix=refused.fix, steps=steps)
    somebody = bool(page.get("value"))
    return Check("Directory", ok=somebody, said="It can be read." if somebody else "It is read, and nobody is in it.")


async def _our_role(api: Graph) -> Check:
    """What changing an administrator takes, where it can be read."""
    title = "Role for administrators' accounts"
    try:
        found = await api.read_all(
            api.sdk.service_principals.to_get_request_information(),
            filter=f"appId eq {quoted(api.settings.client_id)}",
            select=("id",),
        )
        ours = await read_assignments(api, text(found[0], "id")) if found else []
    except Refused:
        return Check(title, ok=True, said="Not verified: we may not read which roles our application holds.")
    held = [role for role in roles_of(ours, "active") if role.id in MAY_CHANGE_ADMINS]
    if held:
        return Check(title, ok=True, said=f"Our application is {held[0].name}.")
    return Check(
        title,
        ok=False,
        said="Our application has none: everybody else is locked out all the same, but who holds an administrator's "
        "role is a technician's task.",
        fix=f"Give our application's service principal the role {ADMIN_ROLES_NEEDED} in https://entra.microsoft.com, "
        "or live with these by hand.",
        steps=_ADMINISTRATORS,
        choice=True,
    )
