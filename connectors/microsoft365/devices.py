"""Devices that Entra knows of a person: registered by them, or owned."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from connectors.contract import Json
from connectors.microsoft365.client import Graph, text
from connectors.microsoft365.client_batch import Part, read_batch, values

DEVICE_FIELDS = (
    "id",
    "deviceId",
    "displayName",
    "operatingSystem",
    "trustType",
    "deviceOwnership",
    "isManaged",
    "accountEnabled",
)


class Device(BaseModel):
    """A computer or phone."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Object id, which is what Graph changes; the device's own id is another."""
    device_id: str = ""
    name: str
    system: str = ""
    owner: str = ""
    """'company', 'personal' or unknown."""
    managed: bool = False
    """By Intune or the like."""
    hybrid: bool = False
    """Joined to the domain too: the domain's computer account decides whether it is enabled."""
    enabled: bool = True

    @property
    def title(self) -> str:
        """'LAPTOP-7 (Windows, company)'."""
        told = ", ".join(part for part in (self.system, self.owner) if part)
        return f"{self.name} ({told})" if told else self.name


def device_parts(api: Graph, user: str) -> dict[str, Part]:
    """The two reads that list them; many devices stand in both."""
    person = api.user(user)
    return {
        "registered devices": Part(person.registered_devices.to_get_request_information(), {"select": DEVICE_FIELDS}),
        "owned devices": Part(person.owned_devices.to_get_request_information(), {"select": DEVICE_FIELDS}),
    }


async def read_devices(api: Graph, user: str) -> tuple[Device, ...]:
    """Their devices, afresh, each once."""
    parts = device_parts(api, user)
    answers = await read_batch(api, parts)
    return devices_of([one for name in parts for one in await values(api, parts[name], answers[name])])


def devices_of(records: Iterable[Json]) -> tuple[Device, ...]:
    """Each device once."""
    found: dict[str, Device] = {}
    for record in records:
        found[text(record, "id")] = Device(
            id=text(record, "id"),
            device_id=text(record, "deviceId"),
            name=text(record, "displayName") or text(record, "id"),
            system=text(record, "operatingSystem"),
            owner=text(record, "deviceOwnership").casefold(),
            managed=record.get("isManaged") is True,
            hybrid=text(record, "trustType") == "ServerAd",
            enabled=record.get("accountEnabled") is not False,
        )
    return tuple(found.values())
