"""Distribution lists and mail-enabled security groups: who is in them, who owns them, and who decides that."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel, ConfigDict

from connectors.contract import Json
from connectors.exchange.client import ExchangeApi, flag, text, texts
from connectors.http import RefusedWith

MOST_DYNAMIC = 30
"""Dynamic groups whose members are asked for, one call each; more are named for a person to look at."""


class Group(BaseModel):
    """One group."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    mail: str = ""
    synced: bool = False
    owners: int = 0


async def read_memberships(api: ExchangeApi, distinguished_name: str) -> tuple[Group, ...]:
    """The groups they are in directly; Microsoft 365 groups and dynamic ones are not among these."""
    return await _groups(api, f"Members -eq {_quoted(distinguished_name)}")


async def read_owned(api: ExchangeApi, distinguished_name: str) -> tuple[Group, ...]:
    """The groups they own."""
    return await _groups(api, f"ManagedBy -eq {_quoted(distinguished_name)}")


async def read_dynamic(api: ExchangeApi, object_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the dynamic groups whose rule includes that account, and of those that could not be told."""
    every = await api.invoke("Get-DynamicDistributionGroup")
    asked, left = every[:MOST_DYNAMIC], every[MOST_DYNAMIC:]

    async def includes(group: Json) -> bool | None:
        try:
            identity = text(group, "Guid") or text(group, "PrimarySmtpAddress")
            members = await api.invoke("Get-DynamicDistributionGroupMember", Identity=identity)
        except RefusedWith:
            return None
        return any(text(one, "ExternalDirectoryObjectId").casefold() == object_id.casefold() for one in members)

    answers = await asyncio.gather(*(includes(group) for group in asked))
    named = list(zip((_name(one) for one in asked), answers, strict=True))
    unclear = [name for name, answer in named if answer is None] + [_name(one) for one in left]
    return tuple(name for name, answer in named if answer), tuple(unclear)


async def _groups(api: ExchangeApi, filtering: str) -> tuple[Group, ...]:
    found = await api.invoke("Get-DistributionGroup", Filter=filtering, ResultSize="Unlimited")
    return tuple(
        Group(
            id=text(one, "Guid") or text(one, "ExternalDirectoryObjectId") or text(one, "PrimarySmtpAddress"),
            name=_name(one),
            mail=text(one, "PrimarySmtpAddress"),
            synced=flag(one, "IsDirSynced"),
            owners=len(texts(one, "ManagedBy")),
        )
        for one in found
    )


def _name(record: Json) -> str:
    return text(record, "DisplayName") or text(record, "Name")


def _quoted(value: str) -> str:
    """A string inside Exchange's filters: O'Brien becomes 'O''Brien'."""
    return "'" + value.replace("'", "''") + "'"
