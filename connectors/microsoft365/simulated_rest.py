"""What else people have in the simulated Graph: licences, files, mailbox, devices, applications, a manager."""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from connectors.contract import Json
from connectors.microsoft365.simulated_answers import (
    SYNCED_REFUSAL,
    Answer,
    Asked,
    Refusal,
    absent,
    filtering,
    refused,
    select,
    written,
)
from connectors.microsoft365.simulated_people import Person
from connectors.microsoft365.simulated_things import AppRole, Device, Drive, Held, Mailbox, Permission

if TYPE_CHECKING:
    from connectors.microsoft365.simulated_graph import Directory

# --- licences


def license_states(directory: Directory, person: Person) -> list[Json]:
    """What a user record says of licences, directly assigned and by groups."""
    states: list[Json] = [_state(one.sku, one.disabled, None) for one in person.licences]
    for group in directory.tenant.groups.values():
        if person.id in directory.late(group).members:
            states += [_state(sku, (), group.id) for sku in group.licences]
    return states


def _state(sku: str, disabled: tuple[str, ...], group: str | None) -> Json:
    return {
        "skuId": sku,
        "disabledPlans": [*disabled],
        "assignedByGroup": group,
        "state": "Active",
        "error": "None",
    }


def products(directory: Directory, asked: Asked) -> Answer:
    """GET subscribedSkus."""
    shown: list[Json] = []
    for product in directory.tenant.products.values():
        whole: Json = {
            "id": f"{directory.tenant.id}_{product.sku}",
            "skuId": product.sku,
            "skuPartNumber": product.part_number,
            "capabilityStatus": "Enabled",
            "appliesTo": "User",
            "consumedUnits": _used(directory, product.sku),
            "prepaidUnits": {"enabled": product.bought, "suspended": 0, "warning": 0, "lockedOut": 0},
            "servicePlans": [{"servicePlanName": plan, "provisioningStatus": "Success"} for plan in product.plans],
        }
        shown.append(select(whole, asked, tuple(whole)))
    return directory.page(asked, shown)


def assign_license(directory: Directory, asked: Asked, user_id: str) -> Answer:
    """POST assignLicense, with the refusals that differ by their words only."""
    if set(asked.body) != {"addLicenses", "removeLicenses"}:
        raise refused("One or more parameters of the operation 'assignLicense' are missing from the request payload.")
    person = directory.own(user_id)
    removed = [str(sku) for sku in cast("list[object]", asked.body["removeLicenses"])]
    added = [Held(str(one["skuId"])) for one in cast("list[Json]", asked.body["addLicenses"])]
    direct = {one.sku for one in person.licences}
    by_group = {str(state["skuId"]) for state in license_states(directory, person) if state["assignedByGroup"]}
    for sku in removed:
        if sku in direct:
            continue
        if sku in by_group:
            raise refused(
                "User license is inherited from a group membership and it cannot be removed directly from the user."
            )
        raise refused("User does not have a corresponding license.")
    for sku in direct - set(removed):
        needed = directory.tenant.products[sku].depends_on if sku in directory.tenant.products else ""
        if needed in removed:
            raise refused(
                f"License assignment failed because service plan {sku} depends on the service plan(s) {needed}"
            )
    for one in added:
        if not person.usage_location:
            raise refused("License assignment cannot be done for user with invalid usage location.")
        if _used(directory, one.sku) >= directory.tenant.products[one.sku].bought:
            raise refused(f"Subscription with SKU {one.sku} does not have any available licenses.")
    directory.keep(person)
    person.licences = [one for one in person.licences if one.sku not in removed] + [
        one for one in added if one.sku not in direct
    ]
    for sku in removed:
        directory.note(person, "licence removed", sku)
    for one in added:
        directory.note(person, "licence assigned", one.sku)
    return Answer(200, {"@odata.type": "#microsoft.graph.user", "id": person.id, "displayName": person.name})


def _used(directory: Directory, sku: str) -> int:
    return directory.tenant.holders(sku) + directory.tenant.products[sku].used


# --- manager and reports


def manager(directory: Directory, asked: Asked, user_id: str) -> Answer:
    """GET manager; 404 when there is none."""
    boss = directory.seen(user_id).manager
    if not boss:
        raise absent("manager")
    person = directory.own(boss)
    whole: Json = {
        "id": person.id,
        "displayName": person.name,
        "mail": person.mail or None,
        "userPrincipalName": person.user_name,
        "accountEnabled": person.enabled,
    }
    return Answer(200, {"@odata.type": "#microsoft.graph.user", **select(whole, asked, tuple(whole))})


def set_manager(directory: Directory, asked: Asked, user_id: str) -> Answer:
    """PUT and DELETE manager/$ref."""
    person = directory.own(user_id)
    if person.synced:
        raise refused(SYNCED_REFUSAL)
    boss = str(asked.body.get("@odata.id", "")).rpartition("/")[2]
    if asked.method == "PUT":
        directory.own(boss)
    directory.keep(person)
    person.manager = boss
    directory.note(person, "manager set", boss)
    return Answer(204)


# --- files


def drive(directory: Directory, asked: Asked, user_id: str) -> Answer:
    """GET drive; 404 when it was never set up."""
    found = directory.own(user_id).drive
    if found is None:
        raise Refusal(404, "ResourceNotFound", "User's mysite not found.")
    whole: Json = {"id": found.id, "driveType": "business", "quota": {"used": found.used, "state": "normal"}}
    return Answer(200, select(whole, asked, tuple(whole)))


def root(directory: Directory, _asked: Asked, drive_id: str) -> Answer:
    """GET the drive's root."""
    _owner(directory, drive_id)
    return Answer(200, {"id": f"root-of-{drive_id}", "name": "root", "folder": {"childCount": 12}})


def permissions(directory: Directory, asked: Asked, drive_id: str, _item_id: str) -> Answer:
    """GET permissions of the root; the owner's own is always there."""
    person = directory.late(_owner(directory, drive_id))
    held = _drive(person).permissions
    own = Permission("own", person.id, person.mail, ("owner",))
    return directory.page(asked, [_permission(one) for one in (own, *held)])


def invite(directory: Directory, asked: Asked, drive_id: str, _item_id: str) -> Answer:
    """POST invite; whoever can write already keeps the one permission."""
    owner = _owner(directory, drive_id)
    made: list[Json] = []
    for recipient in cast("list[Json]", asked.body["recipients"]):
        found = next((one for one in directory.tenant.people.values() if recipient.get("email") == one.mail), None)
        if found is None:
            raise Refusal(400, "invalidRequest", "Some of the recipients could not be found; guests can't be invited.")
        held = _drive(owner).permissions
        permission = next((one for one in held if one.person == found.id), None)
        if permission is None:
            directory.keep(owner)
            permission = Permission(secrets.token_hex(8), found.id, found.mail)
            held.append(permission)
            mailed = " with a mail" if asked.body.get("sendInvitation") else ""
            directory.note(owner, f"files shared{mailed}", found.name)
        made.append(_permission(permission))
    return Answer(200, {"value": [*made]})


def withdraw(directory: Directory, _asked: Asked, drive_id: str, _item_id: str, permission_id: str) -> Answer:
    """DELETE a permission."""
    owner = _owner(directory, drive_id)
    held = _drive(owner).permissions
    if not any(one.id == permission_id for one in held):
        raise Refusal(404, "itemNotFound", "The resource could not be found.")
    directory.keep(owner)
    held[:] = [one for one in held if one.id != permission_id]
    directory.note(owner, "files no longer shared")
    return Answer(204)


def _permission(one: Permission) -> Json:
    return {
        "id": one.id,
        "roles": [*one.roles],
        "grantedToV2": {"user": {"id": one.person, "displayName": one.mail}},
    }


def _owner(directory: Directory, drive_id: str) -> Person:
    found = next((one for one in directory.tenant.people.values() if one.drive and one.drive.id == drive_id), None)
    if found is None:
        raise Refusal(404, "itemNotFound", "The resource could not be found.")
    return found


def _drive(person: Person) -> Drive:
    return person.drive or Drive("")


# --- mailbox


def mailbox(directory: Directory, _asked: Asked, user_id: str) -> Answer:
    """GET mailboxSettings."""
    found = _mailbox(directory.seen(user_id))
    return Answer(
        200,
        {
            "@odata.context": f"{directory.base_url}/$metadata#users('{user_id}')/mailboxSettings",
            "timeZone": "UTC",
            "userPurpose": found.purpose,
            "automaticRepliesSetting": dict(found.reply),
        },
    )


def change_mailbox(directory: Directory, asked: Asked, user_id: str) -> Answer:
    """PATCH mailboxSettings: the reply only. Exchange wraps the words in HTML of its own."""
    person = directory.own(user_id)
    found = _mailbox(person)
    directory.keep(person)
    for name, value in cast("Json", asked.body["automaticRepliesSetting"]).items():
        wrapped = name.endswith("ReplyMessage") and isinstance(value, str) and value and not value.startswith("<html>")
        found.reply[name] = f"<html>\n<body>\n{value}\n</body>\n</html>\n" if wrapped else value
    directory.note(person, "automatic reply", html.unescape(str(found.reply.get("externalReplyMessage"))))
    return mailbox(directory, asked, user_id)


def _mailbox(person: Person) -> Mailbox:
    if person.mailbox is None:
        raise Refusal(
            404,
            "MailboxNotEnabledForRESTAPI",
            "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
        )
    return person.mailbox


# --- devices


def devices(directory: Directory, asked: Asked, user_id: str, place: str) -> Answer:
    """GET registeredDevices and ownedDevices."""
    directory.own(user_id)
    shown: list[Json] = []
    for one in directory.tenant.devices.values():
        device = directory.late(one)
        if user_id in (device.registered if place == "registeredDevices" else device.owners):
            whole = _device(device)
            shown.append({"@odata.type": "#microsoft.graph.device", **select(whole, asked, tuple(whole))})
    return directory.page(asked, shown)


def change_device(directory: Directory, asked: Asked, device_id: str) -> Answer:
    """PATCH a device by its object id; the device's own id finds nothing."""
    device = directory.tenant.devices.get(device_id)
    if device is None:
        raise absent(device_id)
    directory.keep(device)
    device.enabled = asked.body["accountEnabled"] is True
    owner = next((one for one in (*device.registered, *device.owners) if one in directory.tenant.people), "")
    if owner:
        directory.note(directory.own(owner), "device enabled" if device.enabled else "device disabled", device.name)
    return Answer(204)


def _device(device: Device) -> Json:
    return {
        "id": device.id,
        "deviceId": f"d{device.id[1:]}",
        "displayName": device.name,
        "operatingSystem": device.system,
        "trustType": device.trust,
        "deviceOwnership": device.ownership,
        "isManaged": device.managed,
        "accountEnabled": device.enabled,
    }


# --- applications


def app_roles(directory: Directory, asked: Asked, user_id: str) -> Answer:
    """GET appRoleAssignments: the person's own, and what comes by groups."""
    person = directory.seen(user_id)
    return directory.page(asked, [_app_role(person, one) for one in person.app_roles])


def remove_app_role(directory: Directory, _asked: Asked, user_id: str, key: str) -> Answer:
    """DELETE an assignment."""
    person = directory.own(user_id)
    found = next((one for one in person.app_roles if one.id == key), None)
    if found is None:
        raise absent(key)
    if found.kind == "Group":
        raise refused("The assignment belongs to a group.")
    directory.keep(person)
    person.app_roles = [one for one in person.app_roles if one is not found]
    directory.note(person, "application removed", found.application)
    return Answer(204)


def add_app_role(directory: Directory, asked: Asked, user_id: str) -> Answer:
    """POST an assignment."""
    person = directory.own(user_id)
    made = AppRole(secrets.token_hex(8), "Contoso CRM", str(asked.body["resourceId"]))
    directory.keep(person)
    person.app_roles = [*person.app_roles, made]
    directory.note(person, "application assigned", made.application)
    return Answer(201, _app_role(person, made))


def _app_role(person: Person, one: AppRole) -> Json:
    return {
        "id": one.id,
        "appRoleId": "00000000-0000-0000-0000-000000000000",
        "principalId": person.id,
        "principalType": one.kind,
        "principalDisplayName": person.name,
        "resourceDisplayName": one.application,
        "resourceId": one.resource,
    }


def grants(directory: Directory, asked: Asked, user_id: str) -> Answer:
    """GET oauth2PermissionGrants: the person's own, and everybody's."""
    directory.own(user_id)
    shown: list[Json] = [
        {
            "id": one.id,
            "clientId": one.client,
            "consentType": "Principal" if one.person else "AllPrincipals",
            "principalId": one.person or None,
            "resourceId": "80000000-0000-4000-8000-000000000001",
            "scope": one.scope,
        }
        for one in directory.tenant.grants
        if one.person in ("", user_id)
    ]
    return directory.page(asked, shown)


def revoke_grant(directory: Directory, _asked: Asked, key: str) -> Answer:
    """DELETE a grant, everybody's too."""
    found = next((one for one in directory.tenant.grants if one.id == key), None)
    if found is None:
        raise absent(key)
    directory.tenant.grants = [one for one in directory.tenant.grants if one is not found]
    if found.person:
        directory.note(directory.own(found.person), "consent withdrawn", found.scope)
    return Answer(204)


# --- the tenant


def organisation(directory: Directory, asked: Asked) -> Answer:
    """GET organization."""
    whole: Json = {"id": directory.tenant.id, "displayName": directory.tenant.name}
    return directory.page(asked, [select(whole, asked, tuple(whole))])


def deleted(directory: Directory, asked: Asked) -> Answer:
    """GET deletedItems/graph.user."""
    keep = filtering(asked.query["$filter"]) if "$filter" in asked.query else bool
    found = [_deleted(one) for one in directory.tenant.deleted.values()]
    return directory.page(asked, [select(one, asked, ("id", "displayName")) for one in found if keep(one)])


def deleted_one(directory: Directory, _asked: Asked, user_id: str) -> Answer:
    """GET deletedItems/{id}."""
    if user_id not in directory.tenant.deleted:
        raise absent(user_id)
    whole = _deleted(directory.tenant.deleted[user_id])
    return Answer(200, {"@odata.type": "#microsoft.graph.user", **whole})


def _deleted(person: Person) -> Json:
    return {
        "id": person.id,
        "displayName": person.name,
        "givenName": person.given_name,
        "surname": person.surname,
        "userPrincipalName": f"{person.id.replace('-', '')}{person.user_name}",
        "mail": person.mail or None,
        "jobTitle": person.title or None,
        # As it was when it was deleted: no sign that nobody can sign in.
        "accountEnabled": True,
        "deletedDateTime": written(person.deleted_at),
    }


def _any(*names: str) -> frozenset[str]:
    return frozenset(names)


_ONE = "/users/([^/]+)"
_PEOPLE = _any("User.Read.All", "User.ReadWrite.All", "Directory.Read.All")
_FILES = _any("Files.ReadWrite.All")
_ITEM = "/drives/([^/]+)/items/([^/]+)"
ROUTES: tuple[tuple[str, str, frozenset[str], Callable[..., Answer]], ...] = (
    ("GET", "/subscribedSkus", _any("LicenseAssignment.Read.All", "Directory.Read.All"), products),
    ("POST", f"{_ONE}/assignLicense", _any("LicenseAssignment.ReadWrite.All"), assign_license),
    ("GET", f"{_ONE}/manager", _PEOPLE, manager),
    ("PUT", rf"{_ONE}/manager/\$ref", _any("User.ReadWrite.All"), set_manager),
    ("DELETE", rf"{_ONE}/manager/\$ref", _any("User.ReadWrite.All"), set_manager),
    ("GET", f"{_ONE}/drive", _FILES | {"Files.Read.All"}, drive),
    ("GET", "/drives/([^/]+)/root", _FILES | {"Files.Read.All"}, root),
    ("GET", f"{_ITEM}/permissions", _FILES | {"Files.Read.All"}, permissions),
    ("POST", rf"{_ITEM}/(?:microsoft\.graph\.)?invite", _FILES, invite),
    ("DELETE", f"{_ITEM}/permissions/([^/]+)", _FILES, withdraw),
    ("GET", f"{_ONE}/mailboxSettings", _any("MailboxSettings.Read", "MailboxSettings.ReadWrite"), mailbox),
    ("PATCH", f"{_ONE}/mailboxSettings", _any("MailboxSettings.ReadWrite"), change_mailbox),
    ("GET", f"{_ONE}/(registeredDevices|ownedDevices)", _PEOPLE, devices),
    ("PATCH", "/devices/([^/]+)", _any("Device.ReadWrite.All"), change_device),
    ("GET", f"{_ONE}/appRoleAssignments", _any("Directory.Read.All", "AppRoleAssignment.ReadWrite.All"), app_roles),
    ("POST", f"{_ONE}/appRoleAssignments", _any("AppRoleAssignment.ReadWrite.All"), add_app_role),
    ("DELETE", f"{_ONE}/appRoleAssignments/([^/]+)", _any("AppRoleAssignment.ReadWrite.All"), remove_app_role),
    ("GET", f"{_ONE}/oauth2PermissionGrants", _any("Directory.Read.All"), grants),
    ("DELETE", "/oauth2PermissionGrants/([^/]+)", _any("DelegatedPermissionGrant.ReadWrite.All"), revoke_grant),
    ("GET", "/organization", _PEOPLE, organisation),
    ("GET", r"/directory/deletedItems/(?:microsoft\.)?graph\.user", _PEOPLE, deleted),
    ("GET", "/directory/deletedItems/([^/]+)", _PEOPLE, deleted_one),
)
