"""What other systems' steps may ask Microsoft 365 about a leaver, afresh."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from connectors.contract import Account, Json
from connectors.microsoft365.client import Graph, text
from connectors.microsoft365.groups import groups_among, read_groups, read_owned, read_owners
from connectors.microsoft365.licences import STATES, Licence, licences_of, read_products


async def account(api: Graph, leaver: Account) -> Json:
    """{"exists", "enabled", "synced", "last_sync", "licensed"}; a deleted account exists no more and is not enabled."""
    await api.load()
    fields = ("accountEnabled", "onPremisesSyncEnabled", "onPremisesLastSyncDateTime", STATES)
    user = await api.find(api.user(leaver.id).to_get_request_information(), select=fields)
    found = user or {}
    return {
        "exists": user is not None,
        "enabled": found.get("accountEnabled") is True,
        "synced": found.get("onPremisesSyncEnabled") is True,
        "last_sync": text(found, "onPremisesLastSyncDateTime") or None,
        "licensed": bool(licences_of(found, {})),
    }


async def sole_owner_of(api: Graph, leaver: Account) -> Json:
    """{"groups": [{"id", "name"}]}: cloud groups that nobody else owns."""
    await api.load()
    groups = [one for one in groups_among(await read_owned(api, leaver.id)) if one.may_be_given]
    owners = await read_owners(api, tuple(group.id for group in groups))
    alone = [group for group in groups if not owners.get(group.id, frozenset()) - {leaver.id}]
    return {"groups": [{"id": group.id, "name": group.name} for group in alone]}


async def free_seats(api: Graph, _leaver: Account) -> Json:
    """Product id → {"part_number", "bought", "used"}, whoever the leaver is."""
    await api.load()
    products = await read_products(api)
    return {
        sku: {"part_number": one.part_number, "bought": one.bought, "used": one.used} for sku, one in products.items()
    }


async def held_licences(api: Graph, leaver: Account) -> Json:
    """{"licences": [{"sku", "part_number", "name", "group", "carries_mailbox"}]}; `group` gives it, '' directly."""
    await api.load()
    info = api.user(leaver.id).to_get_request_information()
    user, products = await asyncio.gather(api.find(info, select=(STATES,)), read_products(api))
    return held(licences_of(user or {}, products))


def held(licences: Iterable[Licence]) -> Json:
    """The same, of licences that were read already."""
    return {
        "licences": [
            {
                "sku": one.sku,
                "part_number": one.part_number,
                "name": one.name,
                "group": one.group,
                "carries_mailbox": one.carries_mailbox,
            }
            for one in licences
        ]
    }


async def licence_groups(api: Graph, leaver: Account) -> Json:
    """{"groups": [{"name", "sid"}]}: the groups of a domain they are in that give them a licence here."""
    await api.load()
    giving = [one for one in await read_groups(api, leaver.id) if one.synced and one.licences]
    return {"groups": [{"name": one.name, "sid": one.sid} for one in giving]}


HELD_LICENCES = "microsoft365.held_licences"
READS: Mapping[str, Callable[[Graph, Account], Awaitable[Json]]] = {
    "microsoft365.account": account,
    "microsoft365.sole_owner_of": sole_owner_of,
    "microsoft365.free_seats": free_seats,
    HELD_LICENCES: held_licences,
    "microsoft365.licence_groups": licence_groups,
}
