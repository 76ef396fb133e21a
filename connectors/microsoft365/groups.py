"""Groups as Graph knows them: which can be left here, and which are somebody else's to decide."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from connectors.contract import Json
from connectors.microsoft365.client import Graph, text
from connectors.microsoft365.client_batch import Part, read_batch, values

GROUP_FIELDS = (
    "id",
    "displayName",
    "groupTypes",
    "mailEnabled",
    "membershipRule",
    "onPremisesSyncEnabled",
    "onPremisesSecurityIdentifier",
    "isAssignableToRole",
    "assignedLicenses",
)


class Group(BaseModel):
    """A group the leaver is in or owns."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    rule: str = ""
    """A dynamic group's rule: nobody can be removed by hand."""
    dynamic: bool = False
    unified: bool = False
    """A Microsoft 365 group, with or without a team."""
    mail_enabled: bool = False
    synced: bool = False
    sid: str = ""
    """Its security identifier in the domain it is synced from."""
    role_assignable: bool = False
    licences: tuple[str, ...] = ()
    """Ids of the products it gives its members."""

    @property
    def decided(self) -> str:
        """Who decides on its members: 'here', 'roles', 'licences', 'rule', 'domain' or 'exchange'."""
        if self.synced:
            return "domain"
        if self.dynamic:
            return "rule"
        if self.mail_enabled and not self.unified:
            # Graph refuses: "Cannot Update a mail-enabled security groups and or distribution list."
            return "exchange"
        if self.role_assignable:
            return "roles"
        return "licences" if self.licences else "here"

    @property
    def may_be_given(self) -> bool:
        """Whether a new owner can be added without making them an administrator."""
        return not self.synced and not self.role_assignable

    @property
    def why_not_here(self) -> str:
        """One phrase on why it is not left by us; empty when it is."""
        reasons = {
            "domain": "is decided in the domain",
            "rule": f"keeps them by its rule {self.rule}",
            "exchange": "is left in Exchange",
            "roles": "gives administrator roles and is left with them",
            "licences": "gives licences and is left with them",
        }
        return f"{self.name} {reasons[self.decided]}" if self.decided in reasons else ""


def group_of(record: Json) -> Group:
    """A group as Graph writes it down."""
    kinds, licences = record.get("groupTypes"), record.get("assignedLicenses")
    types = kinds if isinstance(kinds, list) else []
    given = licences if isinstance(licences, list) else []
    return Group(
        id=text(record, "id"),
        name=text(record, "displayName") or text(record, "id"),
        rule=text(record, "membershipRule"),
        dynamic="DynamicMembership" in types,
        unified="Unified" in types,
        mail_enabled=record.get("mailEnabled") is True,
        synced=record.get("onPremisesSyncEnabled") is True,
        sid=text(record, "onPremisesSecurityIdentifier"),
        role_assignable=record.get("isAssignableToRole") is True,
        licences=tuple(text(one, "skuId") for one in given if isinstance(one, dict)),
    )


async def read_groups(api: Graph, user: str) -> tuple[Group, ...]:
    """The groups they are in directly, afresh."""
    found = await api.read_all(api.user(user).member_of.graph_group.to_get_request_information(), select=GROUP_FIELDS)
    return tuple(group_of(one) for one in found)


async def read_owned(api: Graph, user: str) -> list[Json]:
    """What they own in the directory, afresh: groups, applications, service principals, devices."""
    return await api.read_all(api.user(user).owned_objects.to_get_request_information(), select=GROUP_FIELDS)


def groups_among(owned: list[Json]) -> tuple[Group, ...]:
    """The groups among what somebody owns."""
    return tuple(group_of(one) for one in owned if text(one, "@odata.type") == "#microsoft.graph.group")


async def read_owners(api: Graph, groups: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Who owns each group, twenty groups a request: group → object ids. A group that is gone is left out."""
    parts = {
        group: Part(api.sdk.groups.by_group_id(group).owners.to_get_request_information(), {"select": ("id",)})
        for group in groups
    }
    found: dict[str, frozenset[str]] = {}
    for group, answer in (await read_batch(api, parts)).items() if parts else ():
        if getattr(answer, "status", None) != 404:
            found[group] = frozenset(text(one, "id") for one in await values(api, parts[group], answer))
    return found
