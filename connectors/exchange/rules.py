"""Inbox rules, hidden ones included: which of them carry mail away or make it disappear."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, JsonValue

from connectors.contract import Json
from connectors.exchange.addresses import Domains, outside, outsider, read_recipient, rule_address
from connectors.exchange.client import ExchangeApi, flag, text, texts

_SENDS = {"ForwardTo": "forwards to", "ForwardAsAttachmentTo": "forwards to", "RedirectTo": "redirects to"}
_HIDES = {"DeleteMessage": "deletes", "SoftDeleteMessage": "deletes"}
_CONDITIONS = frozenset(
    {
        "BodyContainsWords",
        "FlaggedForAction",
        "From",
        "FromAddressContainsWords",
        "FromSubscription",
        "HasAttachment",
        "HasClassification",
        "HeaderContainsWords",
        "MessageTypeMatches",
        "MyNameInCcBox",
        "MyNameInToBox",
        "MyNameInToOrCcBox",
        "MyNameNotInToBox",
        "ReceivedAfterDate",
        "ReceivedBeforeDate",
        "RecipientAddressContainsWords",
        "SentOnlyToMe",
        "SentTo",
        "SubjectContainsWords",
        "SubjectOrBodyContainsWords",
        "WithImportance",
        "WithSensitivity",
        "WithinSizeRangeMaximum",
        "WithinSizeRangeMinimum",
    }
)
# What New-InboxRule takes in the very form in which Get-InboxRule shows it; a folder, for one, it does not.
_PUT_BACK = frozenset(
    {
        *_SENDS,
        *_HIDES,
        "BodyContainsWords",
        "FromAddressContainsWords",
        "HasAttachment",
        "HeaderContainsWords",
        "MarkAsRead",
        "MyNameInCcBox",
        "MyNameInToBox",
        "MyNameInToOrCcBox",
        "MyNameNotInToBox",
        "RecipientAddressContainsWords",
        "SentOnlyToMe",
        "StopProcessingRules",
        "SubjectContainsWords",
        "SubjectOrBodyContainsWords",
    }
)
_ABOUT_THE_RULE = frozenset(
    {
        "Name",
        "Identity",
        "RuleIdentity",
        "Enabled",
        "Priority",
        "Description",
        "DescriptionTimeFormat",
        "DescriptionTimeZone",
        "MailboxOwnerId",
        "SupportedByTask",
        "IsValid",
        "InError",
        "ErrorType",
        "ObjectState",
        "RunspaceId",
    }
)
_SYSTEM = ("junk e-mail rule", "microsoft.exchange.oof.")


class Rule(BaseModel):
    """A rule that carries mail away or makes it disappear."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    hidden: bool
    does: str
    """'forwards to ken@partner.example', 'deletes everything'."""
    parameters: dict[str, JsonValue] | None = None
    """What creates it anew; None where the API can't."""


async def read_rules(api: ExchangeApi, mailbox: str, anchor: str, domains: Domains) -> tuple[Rule, ...]:
    """The rules to worry about, in their order. Rules that stay inside and sort single messages are left out."""
    every, visible = await asyncio.gather(
        api.invoke("Get-InboxRule", anchor=anchor, Mailbox=mailbox, IncludeHidden=True),
        api.invoke("Get-InboxRule", anchor=anchor, Mailbox=mailbox),
    )
    seen = {_id(one) for one in visible}
    rules: list[Rule] = []
    for record in every:
        if does := await _harm(api, record, domains):
            hidden = _id(record) not in seen
            made = None if hidden else _creation(record)
            rules.append(Rule(id=_id(record), name=text(record, "Name"), hidden=hidden, does=does, parameters=made))
    return tuple(rules)


async def _harm(api: ExchangeApi, record: Json, domains: Domains) -> str:
    """What it does that nobody may rely on, as a clause; '' when it is harmless."""
    for name, verb in _SENDS.items():
        for entry in texts(record, name):
            address, mail = rule_address(entry)
            if outside(address, domains) if mail else outsider(await read_recipient(api, address), domains):
                return f"{verb} {address}"
    if text(record, "Name").casefold().startswith(_SYSTEM) or any(_set(record.get(name)) for name in _CONDITIONS):
        return ""
    for name, verb in _HIDES.items():
        if flag(record, name):
            return f"{verb} everything"
    if folder := text(record, "MoveToFolder"):
        return f"moves everything to {folder}"
    return ""


def _creation(record: Json) -> dict[str, JsonValue] | None:
    """Parameters of New-InboxRule, when every set property can be carried over; else None."""
    given: dict[str, JsonValue] = {"Name": text(record, "Name")}
    for name, value in _properties(record).items():
        if name not in _PUT_BACK:
            return None
        given[name] = [rule_address(entry)[0] for entry in texts(record, name)] if name in _SENDS else value
    return given


def _properties(record: Json) -> Mapping[str, JsonValue]:
    """What is set on it; names with '@' only tell the types of others."""
    return {
        name: value for name, value in record.items() if name not in _ABOUT_THE_RULE and "@" not in name and _set(value)
    }


def _set(value: object) -> bool:
    return value not in (None, False, "", [], {}, "False")


def _id(record: Json) -> str:
    # Numbers too big for JSON come as text, small ones may come as numbers.
    identity = record.get("RuleIdentity")
    return str(identity) if isinstance(identity, (int, str)) and identity != "" else text(record, "Identity")
