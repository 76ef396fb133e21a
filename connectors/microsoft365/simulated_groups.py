"""Groups in the simulated Graph: who may be taken out how, and the address that deletes a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from connectors.contract import Json
from connectors.microsoft365.simulated_answers import (
    SYNCED_REFUSAL,
    Answer,
    Asked,
    Refusal,
    absent,
    forbidden,
    refused,
    select,
)
from connectors.microsoft365.simulated_things import Group

if TYPE_CHECKING:
    from connectors.microsoft365.simulated_graph import Directory

_PLACES = {"members": "members", "owners": "owners"}
_LAST_OWNER = "The group must have at least one owner, hence this owner cannot be removed."


def member_of(directory: Directory, asked: Asked, user_id: str) -> Answer:
    """GET memberOf/graph.group and transitiveMemberOf."""
    directory.own(user_id)
    inside = [group for group in _all(directory) if user_id in group.members]
    return directory.page(asked, [group_record(group, asked) for group in inside])


def owned(directory: Directory, asked: Asked, user_id: str) -> Answer:
    """GET ownedObjects: groups and applications."""
    directory.own(user_id)
    shown = [group_record(group, asked) for group in _all(directory) if user_id in group.owners]
    for name, owner in directory.tenant.owned_applications.items():
        if owner == user_id:
            whole: Json = {"id": "70000000-0000-4000-8000-000000000001", "displayName": name}
            shown.append({"@odata.type": "#microsoft.graph.application", **select(whole, asked, tuple(whole))})
    return directory.page(asked, shown)


def listed(directory: Directory, asked: Asked, group_id: str, place: str) -> Answer:
    """GET members or owners."""
    group = directory.late(_group(directory, group_id))
    people: list[Json] = [
        {"@odata.type": "#microsoft.graph.user", **select({"id": one}, asked, ("id",))}
        for one in getattr(group, _PLACES[place])
    ]
    return directory.page(asked, people)


def add(directory: Directory, asked: Asked, group_id: str, place: str) -> Answer:
    """POST members/$ref or owners/$ref."""
    group = _group(directory, group_id)
    person = directory.own(str(asked.body.get("@odata.id", "")).rpartition("/")[2])
    _may(group, asked, place)
    there: tuple[str, ...] = getattr(group, _PLACES[place])
    if person.id in there:
        raise refused(
            f"One or more added object references already exist for the following modified properties: '{place}'."
        )
    directory.keep(group)
    setattr(group, _PLACES[place], (*there, person.id))
    directory.note(person, f"added to {place}", group.name)
    return Answer(204)


def remove(directory: Directory, asked: Asked, group_id: str, place: str, user_id: str) -> Answer:
    """DELETE members/{id}/$ref or owners/{id}/$ref."""
    group = _group(directory, group_id)
    there: tuple[str, ...] = getattr(group, _PLACES[place])
    if user_id not in there:
        raise absent(user_id)
    _may(group, asked, place)
    if place == "owners" and len(there) == 1:
        raise refused(_LAST_OWNER)
    directory.keep(group)
    setattr(group, _PLACES[place], tuple(one for one in there if one != user_id))
    directory.note(directory.own(user_id), f"removed from {place}", group.name)
    return Answer(204)


def remove_wholly(directory: Directory, _asked: Asked, group_id: str, _place: str, user_id: str) -> Answer:
    """DELETE members/{id} without '/$ref': Graph deletes the user, where the permission is there."""
    _group(directory, group_id)
    return directory.delete(user_id)


def _may(group: Group, asked: Asked, place: str) -> None:
    if group.synced:
        raise refused(SYNCED_REFUSAL)
    if group.kind in ("distribution", "mail-enabled security"):
        raise refused("Cannot Update a mail-enabled security groups and or distribution list.")
    if group.rule and place == "members":
        raise Refusal(
            400, "Request_BadRequest", "Insufficient privileges: the membership of a dynamic group follows its rule."
        )
    if group.assignable and "RoleManagement.ReadWrite.Directory" not in asked.permissions:
        raise forbidden()


def group_record(group: Group, asked: Asked) -> Json:
    """A group as Graph shows it."""
    types = [*(["Unified"] if group.kind == "microsoft365" else []), *(["DynamicMembership"] if group.rule else [])]
    whole: Json = {
        "id": group.id,
        "displayName": group.name,
        "groupTypes": [*types],
        "mailEnabled": group.kind != "security",
        "securityEnabled": group.kind in ("security", "mail-enabled security"),
        "membershipRule": group.rule or None,
        "onPremisesSyncEnabled": group.synced or None,
        "onPremisesSecurityIdentifier": group.sid or None,
        "isAssignableToRole": group.assignable or None,
        "assignedLicenses": [{"skuId": sku, "disabledPlans": []} for sku in group.licences],
    }
    return {"@odata.type": "#microsoft.graph.group", **select(whole, asked, tuple(whole))}


def _group(directory: Directory, group_id: str) -> Group:
    if group_id not in directory.tenant.groups:
        raise absent(group_id)
    return directory.tenant.groups[group_id]


def _all(directory: Directory) -> list[Group]:
    return [directory.late(group) for group in directory.tenant.groups.values()]


_READ = frozenset({"Directory.Read.All", "GroupMember.Read.All", "Group.ReadWrite.All"})
_CHANGE = frozenset({"GroupMember.ReadWrite.All", "Group.ReadWrite.All"})
_GROUP = "/groups/([^/]+)/(members|owners)"
ROUTES: tuple[tuple[str, str, frozenset[str], Callable[..., Answer]], ...] = (
    ("GET", "/users/([^/]+)/transitiveMemberOf", _READ, member_of),
    ("GET", r"/users/([^/]+)/memberOf/(?:microsoft\.)?graph\.group", _READ, member_of),
    ("GET", "/users/([^/]+)/ownedObjects", frozenset({"Directory.Read.All"}), owned),
    ("GET", _GROUP, _READ, listed),
    ("POST", rf"{_GROUP}/\$ref", _CHANGE, add),
    ("DELETE", rf"{_GROUP}/([^/]+)/\$ref", _CHANGE, remove),
    ("DELETE", f"{_GROUP}/([^/]+)", frozenset({"User.ReadWrite.All"}), remove_wholly),
)
