"""What we send and what the simulator answers, held against Microsoft's own description of Graph.

The description is not ours to ship: put its folder into OFFBOARD_SPECS, and this runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from connectors.contract import Account, Done, Intent, Json, TaskStep, Todo, VendorError
from connectors.microsoft365 import CONNECTOR
from connectors.microsoft365.roles import GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
from connectors.microsoft365.simulated_people import (
    CONTOSO,
    DELETED,
    DIRECTOR,
    GROUP_ADMIN,
    GUEST,
    JANE,
    LAPTOP,
    LAST_ADMIN,
    LEAD,
    MARIA,
    OFFICE_PC,
    OLIVIA,
    PHONE,
    SEAN,
    SYNCED,
    ZOE,
    SignInMethod,
)
from connectors.microsoft365.simulator import Call, Fault
from tests.connectors.conftest import Microsoft

SPECS = os.environ.get("OFFBOARD_SPECS", "")
pytestmark = pytest.mark.skipif(not SPECS, reason="OFFBOARD_SPECS does not name a folder with graph-offboarding.yaml")

PASSES = "/users/{user-id}/authentication/temporaryAccessPassMethods"
# graph-offboarding.yaml lacks the creation of a pass: this is ours, from Microsoft's reference of the resource.
PASS: Json = {
    "type": "object",
    "properties": {
        "@odata.type": {"type": "string"},
        "@odata.context": {"type": "string"},
        "id": {"type": "string"},
        "isUsable": {"type": "boolean"},
        "isUsableOnce": {"type": "boolean"},
        "lifetimeInMinutes": {"type": "integer", "minimum": 10, "maximum": 43200},
        "methodUsabilityReason": {"type": "string"},
        "startDateTime": {"type": "string"},
        "createdDateTime": {"type": "string"},
        "temporaryAccessPass": {"type": "string"},
    },
    "required": ["isUsableOnce", "lifetimeInMinutes"],
    "additionalProperties": False,
}


def _nullable(node: object) -> object:
    """OpenAPI 3.0's 'nullable' as JSON Schema says it."""
    if isinstance(node, list):
        return [_nullable(one) for one in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    known = {name: _nullable(value) for name, value in cast("dict[str, object]", node).items()}
    if known.pop("nullable", None) is True:
        return {"anyOf": [{"type": "null"}, known]}
    return known


@dataclass
class Description:
    """Microsoft's description, ready to be asked."""

    spec: dict[str, Any]

    def __post_init__(self) -> None:
        resource = Resource.from_contents(_nullable(self.spec), default_specification=DRAFT202012)
        self.registry: Registry[Any] = Registry[Any]().with_resource("urn:graph", resource)

    def operation(self, call: Call) -> tuple[str, dict[str, Any]]:
        """Path and description of what was called. Fails when Microsoft knows no such thing."""
        for path, operations in self.spec["paths"].items():
            pattern = re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(path))
            if re.fullmatch(pattern, call.path) and call.method.lower() in operations:
                return path, operations[call.method.lower()]
        raise AssertionError(f"Microsoft describes no {call}")

    def problems(self, schema: Mapping[str, Any], value: object) -> list[str]:
        whole = cast("Any", _nullable(self._absolute(dict(schema))))
        validator: Any = Draft202012Validator(whole, registry=self.registry)
        errors: Iterator[Any] = validator.iter_errors(value)
        return [f"{error.json_path}: {error.message}" for error in errors]

    def fields(self, name: str) -> set[str]:
        """Every field of a type, inherited ones too."""
        found: set[str] = set()
        parts = [self.spec["components"]["schemas"][name]]
        while parts:
            part = parts.pop()
            if "$ref" in part:
                parts.append(self.spec["components"]["schemas"][part["$ref"].rpartition("/")[2]])
            found |= set(part.get("properties", {}))
            parts += part.get("allOf", [])
        return found

    def parameters(self, operation: Mapping[str, Any]) -> set[str]:
        known = self.spec["components"]["parameters"]
        named = [
            known[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in operation.get("parameters", [])
        ]
        return {one["name"] for one in named}

    def _absolute(self, node: Any) -> Any:
        if isinstance(node, dict):
            return {
                name: f"urn:graph{value}" if name == "$ref" else self._absolute(value)
                for name, value in cast("dict[str, Any]", node).items()
            }
        return [self._absolute(one) for one in cast("list[Any]", node)] if isinstance(node, list) else node


@pytest.fixture(scope="module")
def graph() -> Description:
    text = (Path(SPECS) / "graph-offboarding.yaml").read_text()
    return Description(yaml.load(text, Loader=yaml.CSafeLoader))


CHOICES = {
    "licences": "reassign",
    "licences.to": ZOE,
    "mailbox": "shared",
    "mailbox.reply": "standard",
    "files": MARIA,
    "teams": MARIA,
    "reports": SEAN,
    "rename": "yes",
    **{f"devices.{device}": "disable" for device in (LAPTOP, PHONE, OFFICE_PC)},
}


async def no_mailbox(_name: str) -> Json:
    return {"exists": False}


async def everything(microsoft: Microsoft) -> list[Call]:
    """Every request we can send, by using all there is."""
    microsoft.contoso.our_roles = (PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,)
    microsoft.contoso.page_size = 5
    microsoft.simulator.person(MARIA).roles = (GLOBAL_ADMINISTRATOR,)
    microsoft.simulator.person(JANE).methods += [
        SignInMethod(f"44440000-0000-4000-8000-00000000000{place}", f"{kind}AuthenticationMethod", "x")
        for place, kind in enumerate(
            ("email", "fido2", "softwareOath", "windowsHelloForBusiness", "platformCredential", "external")
        )
    ]
    api = await microsoft.connect()
    microsoft.simulator.person(JANE).eligible = (GLOBAL_ADMINISTRATOR,)
    for text in ("Jane Doe", "O'Brien", "Zoe", "nobody at all"):
        await CONNECTOR.search(api, text)
    # The domain account is disabled, and a sync runs at once.
    microsoft.contoso.domain_disabled, microsoft.contoso.sync_reverts_after = ("ssynced",), 0
    for person in (JANE, GUEST, SYNCED, LAST_ADMIN, GROUP_ADMIN, DIRECTOR, OLIVIA, LEAD):
        ctx = await microsoft.context(api, person)
        ctx = replace(ctx, choices=CHOICES, read=no_mailbox)
        for step in CONNECTOR.steps:
            if not step.wanted(CHOICES, ctx.facts) or not step.repeatable:
                continue
            # The hand-over of teams was undone again: who owns them alone stays, where nobody takes over.
            alone = step.id == "microsoft365.leave_ownerships"
            found = await step.look(replace(ctx, choices={}) if alone else ctx)
            for item in found.items if isinstance(found, Todo) else ():
                intent = Intent("key", microsoft.clock.now())
                accepted = await step.act(ctx, item, intent)
                microsoft.clock.pass_by(1)
                assert isinstance(await step.confirm(ctx, item, intent, accepted.reference), Done), step.id
                await step.undo(ctx, item)
    await CONNECTOR.find(api, Account(system="microsoft365", id=DELETED, name=""))
    await CONNECTOR.restore(api, (await microsoft.context(api, JANE)).account)
    for fault in (Fault("throttle", retry_after="9"), Fault("error", status=403, code="Authorization_RequestDenied")):
        microsoft.simulator.fail(CONTOSO, fault)
        with pytest.raises(VendorError):
            await CONNECTOR.find(api, Account(system="microsoft365", id=JANE, name=""))
        microsoft.clock.pass_by(10)
    return list(microsoft.simulator.calls)


async def test_everything_we_send_and_get_is_as_microsoft_describes_it(
    microsoft: Microsoft, graph: Description
) -> None:
    calls = await everything(microsoft)
    problems: list[str] = []
    for call in calls:
        if re.fullmatch(r"/users/[^/]+/authentication/temporaryAccessPassMethods", call.path):
            problems += [f"{call}: {one}" for one in graph.problems(PASS, call.body)]
            problems += [f"{call}: {one}" for one in graph.problems(PASS, call.answer)]
            continue
        _, operation = graph.operation(call)
        problems += [f"{call}: sends {name}" for name in set(call.query) - graph.parameters(operation)]
        if call.body:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            problems += [f"{call}: {one}" for one in graph.problems(schema, call.body)]
        problems += [f"{call}: {one}" for one in _answer_problems(graph, operation, call)]
    assert not problems
    assert len({f"{call.method} {graph.operation(call)[0]}" for call in calls if "Pass" not in call.path}) >= 50


def _answer_problems(graph: Description, operation: Mapping[str, Any], call: Call) -> list[str]:
    responses = operation["responses"]
    described = responses.get(str(call.status)) or responses.get(f"{call.status // 100}XX")
    if described is None:
        return [f"answers {call.status}, described are {', '.join(responses)}"]
    if "$ref" in described:
        described = graph.spec["components"]["responses"][described["$ref"].rpartition("/")[2]]
    if "content" not in described:
        return [] if call.answer is None else ["answers with a body where none is described"]
    problems = graph.problems(described["content"]["application/json"]["schema"], call.answer)
    listed = (call.answer or {}).get("value")
    for one in listed if isinstance(listed, list) else ():
        # A collection is described by its parents' type; what each element says it is, is looked up here.
        if isinstance(one, dict) and "@odata.type" in one:
            name = str(one["@odata.type"]).removeprefix("#")
            problems += graph.problems({"$ref": f"#/components/schemas/{name}"}, one)
            unknown = {key for key in one if not key.startswith("@")} - graph.fields(name)
            problems += [f"{name} has no {key}" for key in sorted(unknown)]
    return problems


async def test_every_field_we_name_exists(microsoft: Microsoft, graph: Description) -> None:
    types = {
        "/users": "user",
        "/users/{user-id}": "user",
        "/users/{user-id}/directReports": "user",
        "/users/{user-id}/transitiveMemberOf": "group",
        "/users/{user-id}/memberOf/graph.group": "group",
        "/users/{user-id}/appRoleAssignments": "appRoleAssignment",
        "/users/{user-id}/oauth2PermissionGrants": "oAuth2PermissionGrant",
        "/users/{user-id}/registeredDevices": "device",
        "/users/{user-id}/ownedDevices": "device",
        "/users/{user-id}/drive": "drive",
        "/users/{user-id}/mailboxSettings": "mailboxSettings",
        "/users/{user-id}/manager": "user",
        "/devices/{device-id}": "device",
        "/directory/deletedItems/graph.user": "user",
        "/directory/deletedItems/{directoryObject-id}": "user",
        "/drives/{drive-id}/root": "driveItem",
        "/drives/{drive-id}/items/{driveItem-id}/permissions": "permission",
        "/groups/{group-id}/members": "user",
        "/groups/{group-id}/owners": "user",
        "/organization": "organization",
        "/subscribedSkus": "subscribedSku",
        "/users/{user-id}/ownedObjects": "group",
        "/domains": "domain",
        "/servicePrincipals": "servicePrincipal",
        "/roleManagement/directory/roleAssignments": "unifiedRoleAssignment",
        "/roleManagement/directory/roleEligibilityScheduleInstances": "unifiedRoleEligibilityScheduleInstance",
    }
    seen: set[str] = set()
    for call in await everything(microsoft):
        if call.method in ("GET", "PATCH") and "authentication" not in call.path:
            path, _ = graph.operation(call)
            known = graph.fields(f"microsoft.graph.{types[path]}")
            named = {name for name in call.query.get("$select", "").split(",") if name}
            named |= {
                one or two
                for one, two in re.findall(r"(\w+) (?:eq|in) |startswith\((\w+),", call.query.get("$filter", ""))
            }
            named |= set(call.body) - {"@odata.type"}
            assert named <= known, f"{call} names {named - known}"
            seen.add(path)
    assert seen == set(types)


def test_every_permission_we_ask_for_is_one_microsoft_names_for_that_call(graph: Description) -> None:
    member = "/groups/{group-id}/members/{directoryObject-id}/$ref"
    assignments = "/roleManagement/directory/roleAssignments/{unifiedRoleAssignment-id}"
    paths = {
        "microsoft365.check_after_sync": ("/users/{user-id}", "get"),
        "microsoft365.remove_roles": (assignments, "delete"),
        "microsoft365.end_eligibility": ("/roleManagement/directory/roleEligibilityScheduleRequests", "post"),
        "microsoft365.disable_devices": ("/devices/{device-id}", "patch"),
        "microsoft365.hand_over_groups": ("/groups/{group-id}/owners/$ref", "post"),
        "microsoft365.share_files": ("/drives/{drive-id}/items/{driveItem-id}/invite", "post"),
        "microsoft365.set_auto_reply": ("/users/{user-id}/mailboxSettings", "patch"),
        "microsoft365.move_reports": ("/users/{user-id}/manager/$ref", "put"),
        "microsoft365.leave_groups": (member, "delete"),
        "microsoft365.groups_that_stay": ("/users/{user-id}/memberOf/graph.group", "get"),
        "microsoft365.leave_licence_groups": (member, "delete"),
        "microsoft365.leave_ownerships": ("/groups/{group-id}/owners/{directoryObject-id}/$ref", "delete"),
        "microsoft365.remove_app_roles": (
            "/users/{user-id}/appRoleAssignments/{appRoleAssignment-id}",
            "delete",
        ),
        "microsoft365.revoke_grants": ("/oauth2PermissionGrants/{oAuth2PermissionGrant-id}", "delete"),
        "microsoft365.wipe_devices": ("/users/{user-id}/registeredDevices", "get"),
        "microsoft365.release_licences": ("/users/{user-id}/assignLicense", "post"),
        "microsoft365.reassign_licences": ("/users/{user-id}/assignLicense", "post"),
        "microsoft365.rename": ("/users/{user-id}", "patch"),
        "microsoft365.block_sign_in": ("/users/{user-id}", "patch"),
        "microsoft365.reset_password": ("/users/{user-id}", "patch"),
        "microsoft365.revoke_sessions": ("/users/{user-id}/revokeSignInSessions", "post"),
        "microsoft365.revoke_sessions_again": ("/users/{user-id}/revokeSignInSessions", "post"),
        "microsoft365.remove_sign_in_methods": (
            "/users/{user-id}/authentication/phoneMethods/{phoneAuthenticationMethod-id}",
            "delete",
        ),
    }
    for step in CONNECTOR.steps:
        if not isinstance(step, TaskStep):
            path, method = paths[step.id]
            allowed = graph.spec["paths"][path][method]["x-application-permissions"]
            assert step.permissions[0] in {*allowed["least"], *allowed["also"]}
