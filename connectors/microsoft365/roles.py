"""Directory roles: which are privileged, and reading them from Graph's assignments."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from connectors.contract import Json
from connectors.microsoft365.client import Graph, quoted, text

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
PRIVILEGED_AUTHENTICATION_ADMINISTRATOR = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
NO_PREMIUM = "PremiumLicenseRequired"
"""Part of the code by which Graph says that the tenant has no Privileged Identity Management."""
MAY_CHANGE_ADMINS = frozenset({GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR})

# Roles whose holders only a Privileged Authentication or Global Administrator may change. `isPrivileged`
# is readable in beta only, so the built-in roles' template ids are listed (Entra built-in roles, marked
# PRIVILEGED, from memory of the 2026 list: unverified on a tenant). One too many makes a technician look.
PRIVILEGED_ROLES: dict[str, str] = {
    GLOBAL_ADMINISTRATOR: "Global Administrator",
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR: "Privileged Authentication Administrator",
    "e8611ab8-c189-46e8-94e1-60213ab1f814": "Privileged Role Administrator",
    "fe930be7-5e62-47db-91af-98c3a49a38b1": "User Administrator",
    "c4e39bd9-1100-46d3-8c65-fb160da0071f": "Authentication Administrator",
    "729827e3-9c14-49f7-bb1b-9608f156bbb8": "Helpdesk Administrator",
    "966707d0-3269-4727-9be2-8c3a10f19b9d": "Password Administrator",
    "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3": "Application Administrator",
    "158c047a-c907-4556-b7ef-446551a6b5f7": "Cloud Application Administrator",
    "194ae4cb-b126-40b2-bd5b-6091b380977d": "Security Administrator",
    "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9": "Conditional Access Administrator",
    "29232cdf-9323-42fd-ade2-1d097af3e4de": "Exchange Administrator",
    "f28a1f50-f6e7-4571-818b-6a12f2af6b6c": "SharePoint Administrator",
    "3a2c62db-5318-420d-8d74-23affee5d9d5": "Intune Administrator",
    "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2": "Hybrid Identity Administrator",
    "25a516ed-2fa0-40ea-a2d0-12923a21473a": "Authentication Extensibility Administrator",
    "0526716b-113d-4c15-b2c8-68e3c22b9f80": "Authentication Policy Administrator",
    "9360feb5-f418-4baa-8175-e2a00bac4301": "Directory Writers",
    "fdd7a751-b60b-444a-984c-02652fe8fa1c": "Groups Administrator",
    "8329153b-31d0-4727-b945-745eb3bc5f31": "Domain Name Administrator",
    "be2f45a1-457d-42af-a067-6ec1fa63bc45": "External Identity Provider Administrator",
    "7698a772-787b-4ac8-901f-60d6b08affd2": "Cloud Device Administrator",
    "59d46f88-662b-457b-bceb-5c3809e5908f": "Lifecycle Workflows Administrator",
}


class Role(BaseModel):
    """A directory role the leaver holds, can activate, or has by a group."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Template id of a built-in role."""
    name: str
    how: str
    """'active', 'eligible', 'by group'."""

    @property
    def privileged(self) -> bool:
        """Whether changing its holder takes a higher role."""
        return self.id in PRIVILEGED_ROLES


def roles_of(assignments: Iterable[Json], how: str) -> tuple[Role, ...]:
    """The roles in a list of assignments, each once."""
    roles: dict[str, Role] = {}
    for assignment in assignments:
        definition = assignment.get("roleDefinition")
        named = definition if isinstance(definition, dict) else {}
        role = text(named, "templateId") or text(assignment, "roleDefinitionId")
        name = text(named, "displayName") or PRIVILEGED_ROLES.get(role, role)
        roles[role] = Role(id=role, name=name, how=how)
    return tuple(roles.values())


async def read_assignments(api: Graph, principal: str) -> list[Json]:
    """Active assignments of a user, group or application, afresh; activated ones (PIM) among them."""
    return await api.read_all(
        api.sdk.role_management.directory.role_assignments.to_get_request_information(),
        filter=f"principalId eq {quoted(principal)}",
        expand="roleDefinition",
    )


async def read_eligible(api: Graph, principal: str) -> list[Json]:
    """Roles that could be activated, afresh. Refused where the tenant has no Entra ID P2."""
    return await api.read_all(
        api.sdk.role_management.directory.role_eligibility_schedule_instances.to_get_request_information(),
        filter=f"principalId eq {quoted(principal)}",
        expand="roleDefinition",
    )


async def another_global_administrator(api: Graph, user: str) -> bool:
    """Whether an enabled user besides them holds the role directly. Holders by group are not counted on."""
    holders = await api.read_all(
        api.sdk.role_management.directory.role_assignments.to_get_request_information(),
        filter=f"roleDefinitionId eq {quoted(GLOBAL_ADMINISTRATOR)}",
    )
    others = sorted({text(holder, "principalId") for holder in holders} - {user})
    # Graph takes at most 15 values in one 'in' (advanced filters, read 2026-11).
    for start in range(0, len(others), 15):
        some = ",".join(quoted(other) for other in others[start : start + 15])
        people = await api.read_all(
            api.sdk.users.to_get_request_information(), filter=f"id in ({some})", select=("id", "accountEnabled")
        )
        if any(person.get("accountEnabled") is True for person in people):
            return True
    return False
