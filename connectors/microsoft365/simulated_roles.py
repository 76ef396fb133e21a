"""Directory roles in the simulated Graph: assigned, eligible, and taken away."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from connectors.contract import Json
from connectors.microsoft365.roles import PRIVILEGED_ROLES
from connectors.microsoft365.simulated_answers import Answer, Asked, Refusal, absent, filtering

if TYPE_CHECKING:
    from connectors.microsoft365.simulated_graph import Directory


def role_assignments(directory: Directory, asked: Asked) -> Answer:
    """GET roleAssignments by principal or role."""
    return _roles(directory, asked, _assigned(directory))


def remove(directory: Directory, _asked: Asked, assignment: str) -> Answer:
    """DELETE roleAssignments/{id}."""
    found = next((one for one in _assigned(directory) if _id(*one) == assignment), None)
    person = directory.tenant.people.get(found[0]) if found else None
    if found is None or person is None:
        raise absent(assignment)
    directory.keep(person)
    person.roles = tuple(role for role in person.roles if role != found[1])
    directory.note(person, "role removed", found[1])
    return Answer(204)


def assign(directory: Directory, asked: Asked) -> Answer:
    """POST roleAssignments."""
    person, role = directory.own(str(asked.body["principalId"])), str(asked.body["roleDefinitionId"])
    directory.keep(person)
    person.roles = (*person.roles, role)
    directory.note(person, "role assigned", role)
    return Answer(201, _record(person.id, role, expanded=False))


def eligible(directory: Directory, asked: Asked) -> Answer:
    """GET roleEligibilityScheduleInstances; needs Entra ID P2."""
    if not directory.tenant.premium:
        raise Refusal(
            400,
            "AadPremiumLicenseRequired",
            "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.",
        )
    return _roles(directory, asked, [(one.id, role) for one in directory.everybody() for role in one.eligible])


def request(directory: Directory, asked: Asked) -> Answer:
    """POST roleEligibilityScheduleRequests: taken at once, carried out later."""
    person, role = directory.own(str(asked.body["principalId"])), str(asked.body["roleDefinitionId"])
    if asked.body.get("action") == "adminRemove":
        if role not in person.eligible:
            raise Refusal(400, "RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
        if role in person.eligible_ends:
            raise Refusal(400, "PendingRoleAssignmentRequest", "There is already a pending Role assignment request.")
        person.eligible_ends[role] = directory.now() + timedelta(seconds=directory.tenant.pim_takes)
        directory.note(person, "eligibility removal requested", role)
    else:
        person.eligible = (*person.eligible, role)
        directory.note(person, "eligibility granted", role)
    known = {name: asked.body[name] for name in ("action", "principalId", "roleDefinitionId", "directoryScopeId")}
    return Answer(201, {"id": str(uuid.uuid4()), "status": "PendingProvisioning", **known})


def _assigned(directory: Directory) -> list[tuple[str, str]]:
    tenant = directory.tenant
    held = [(person.id, role) for person in directory.everybody() for role in person.roles]
    held += [(group.id, role) for group in tenant.groups.values() for role in group.roles]
    return held + [(tenant.service_principal, role) for role in tenant.our_roles]


def _id(principal: str, role: str) -> str:
    return f"{principal[-6:]}-{role[:8]}"


def _record(principal: str, role: str, *, expanded: bool) -> Json:
    one: Json = {
        "id": _id(principal, role),
        "principalId": principal,
        "roleDefinitionId": role,
        "directoryScopeId": "/",
    }
    if expanded:
        name = PRIVILEGED_ROLES.get(role, "Directory Readers")
        one["roleDefinition"] = {"id": role, "templateId": role, "displayName": name}
    return one


def _roles(directory: Directory, asked: Asked, held: list[tuple[str, str]]) -> Answer:
    keep = filtering(asked.query.get("$filter", ""))
    expanded = "roleDefinition" in asked.query.get("$expand", "")
    return directory.page(asked, [one for one in (_record(*each, expanded=expanded) for each in held) if keep(one)])


_ASSIGNMENTS = "/roleManagement/directory/roleAssignments"
_CHANGE = frozenset({"RoleManagement.ReadWrite.Directory"})
ROUTES: tuple[tuple[str, str, frozenset[str], Callable[..., Answer]], ...] = (
    ("GET", _ASSIGNMENTS, frozenset({"RoleManagement.Read.Directory", "Directory.Read.All"}), role_assignments),
    ("DELETE", f"{_ASSIGNMENTS}/([^/]+)", _CHANGE, remove),
    ("POST", _ASSIGNMENTS, _CHANGE, assign),
    (
        "GET",
        "/roleManagement/directory/roleEligibilityScheduleInstances",
        frozenset({"RoleEligibilitySchedule.Read.Directory", "RoleManagement.Read.Directory"}),
        eligible,
    ),
    (
        "POST",
        "/roleManagement/directory/roleEligibilityScheduleRequests",
        _CHANGE | {"RoleEligibilitySchedule.ReadWrite.Directory"},
        request,
    ),
)
