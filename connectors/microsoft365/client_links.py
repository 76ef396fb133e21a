"""Addresses where a slip would be a disaster, each spelt in one place.

A member's address without '/$ref' is the member: with User.ReadWrite.All, Graph deletes the user (Graph, remove a
group member, read 2026-11). `Graph.send` refuses such a DELETE, and a test reads our sources for others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.contract import Json
from connectors.microsoft365.client import Graph

if TYPE_CHECKING:
    from kiota_abstractions.base_request_builder import BaseRequestBuilder
    from msgraph.generated.drives.item.items.item.drive_item_item_request_builder import DriveItemItemRequestBuilder


def member_ref(api: Graph, group: str, person: str) -> BaseRequestBuilder:
    """The link that makes somebody a member: deleting it ends the membership, and never the person."""
    return api.sdk.groups.by_group_id(group).members.by_directory_object_id(person).ref


def owner_ref(api: Graph, group: str, person: str) -> BaseRequestBuilder:
    """The link that makes somebody an owner; the same caution."""
    return api.sdk.groups.by_group_id(group).owners.by_directory_object_id(person).ref


def link_to(api: Graph, person: str) -> Json:
    """A body that names somebody, for adding them to something."""
    return {"@odata.id": f"{api.settings.base_url}/directoryObjects/{person}"}


def drive_item(api: Graph, drive: str, item: str) -> DriveItemItemRequestBuilder:
    """One file or folder of a drive; its root, where everything is shared."""
    return api.sdk.drives.by_drive_id(drive).items.by_drive_item_id(item)
