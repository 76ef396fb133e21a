"""What we send and what the simulator answers, held against our own small description of each cmdlet.

Microsoft publishes none for this address. Parameters are those of the cmdlets' reference pages; of answers,
only the fields we read are described.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator

from connectors.contract import Intent, Json, Todo, VendorError
from connectors.exchange import CONNECTOR
from connectors.exchange.simulated_mailboxes import CONTOSO, DIRECTOR, DISABLED, GUEST, JANE, ROOM, SYNCED, ZOE
from connectors.exchange.simulated_shapes import PARAMETERS
from connectors.exchange.simulator import Call, Fault
from tests.connectors.conftest import Microsoft
from tests.connectors.test_exchange_world import TO_MARIA, Office, leaver, office_of

TEXT: Json = {"type": "string", "minLength": 1}
ID: Json = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
YES: Json = {"const": True}
NO: Json = {"const": False}
BOOL: Json = {"type": "boolean"}
MODE: Json = {"enum": ["Automatic", "Off", "On"]}
ALLOWED: Json = {"enum": ["Allow", "Deny"]}
SWITCH: Json = {"type": ["boolean", "null"]}
TEXTS: Json = {"type": "array", "items": {"type": "string"}}
MAYBE: Json = {"type": ["string", "null"]}
FULL: Json = {"const": ["FullAccess"]}
SEND_AS: Json = {"const": ["SendAs"]}


@dataclass(frozen=True)
class Cmdlet:
    """Parameters (those ending in '?' may be left out) and the fields of each object it puts out."""

    parameters: Mapping[str, Json]
    output: Mapping[str, Json] | None = None

    def request(self) -> Json:
        return {
            "type": "object",
            "properties": {name.rstrip("?"): schema for name, schema in self.parameters.items()},
            "required": [name for name in self.parameters if not name.endswith("?")],
            "additionalProperties": False,
        }

    def answer(self) -> Json:
        fields = dict(self.output or {})
        items: Json = {"type": "object", "properties": cast("Json", fields), "required": [*fields]}
        texts: Json = {"type": "string"}
        value: Json = {"type": "array", "items": items if self.output else texts}
        return {
            "type": "object",
            "properties": {"value": value, "@odata.nextLink": TEXT, "@adminapi.warnings": TEXTS},
            "required": ["value"],
            "additionalProperties": False,
        }


RECIPIENT: dict[str, Json] = {"ExternalDirectoryObjectId": MAYBE, "RecipientTypeDetails": TEXT, "DisplayName": TEXT}
MAILBOX: dict[str, Json] = {
    **RECIPIENT,
    "PrimarySmtpAddress": TEXT,
    "UserPrincipalName": TEXT,
    "DistinguishedName": TEXT,
    "IsDirSynced": BOOL,
    "ArchiveGuid": ID,
    "LitigationHoldEnabled": BOOL,
    "InPlaceHolds": TEXTS,
    "ForwardingAddress": MAYBE,
    "ForwardingSmtpAddress": MAYBE,
    "DeliverToMailboxAndForward": BOOL,
    "HiddenFromAddressListsEnabled": BOOL,
}
PROTOCOLS = (
    "OWAEnabled",
    "OWAforDevicesEnabled",
    "MAPIEnabled",
    "EwsEnabled",
    "OutlookMobileEnabled",
    "ActiveSyncEnabled",
    "PopEnabled",
    "ImapEnabled",
    "SmtpClientAuthenticationDisabled",
)
RULE: dict[str, Json] = {"Name": TEXT, "RuleIdentity": TEXT}
GROUP: dict[str, Json] = {
    "Guid": ID,
    "DisplayName": TEXT,
    "PrimarySmtpAddress": TEXT,
    "IsDirSynced": BOOL,
    "ManagedBy": TEXTS,
}
PERMISSION: dict[str, Json] = {"User": TEXT, "AccessRights": TEXTS, "Deny": BOOL, "IsInherited": BOOL}
TRUSTEE: dict[str, Json] = {"Trustee": TEXT, "AccessRights": TEXTS, "AccessControlType": ALLOWED}
MEMBER: dict[str, Json] = {"Identity": ID, "Member": ID, "BypassSecurityGroupManagerCheck": YES, "Confirm": NO}
CMDLETS: Mapping[str, Cmdlet] = {
    "Get-Mailbox": Cmdlet({"Identity": ID, "InactiveMailboxOnly?": YES, "SoftDeletedMailbox?": YES}, MAILBOX),
    "Get-MailUser": Cmdlet({"Identity": ID}, RECIPIENT),
    "Get-MailboxStatistics": Cmdlet({"Identity": ID}, {"TotalItemSize": TEXT}),
    "Set-Mailbox": Cmdlet(
        {
            "Identity": ID,
            "Type?": {"enum": ["Shared", "Regular"]},
            "LitigationHoldEnabled?": {"type": "boolean"},
            "HiddenFromAddressListsEnabled?": {"type": "boolean"},
            "ForwardingAddress?": MAYBE,
            "ForwardingSmtpAddress?": {"type": ["string", "null"], "pattern": "^smtp:.+@"},
            "DeliverToMailboxAndForward?": {"type": "boolean"},
        }
    ),
    "Get-CASMailbox": Cmdlet({"Identity": ID}, dict.fromkeys(PROTOCOLS, SWITCH)),
    "Set-CASMailbox": Cmdlet({"Identity": ID, **{f"{name}?": SWITCH for name in PROTOCOLS}}),
    "Get-InboxRule": Cmdlet({"Mailbox": ID, "IncludeHidden?": YES}, RULE),
    "New-InboxRule": Cmdlet({"Mailbox": ID, "Name": TEXT, "Force": YES, "ForwardTo?": TEXTS}, RULE),
    "Remove-InboxRule": Cmdlet({"Mailbox": ID, "Identity": TEXT, "Force": YES, "Confirm": NO}),
    "Get-MobileDeviceStatistics": Cmdlet(
        {"Mailbox": ID},
        {"Guid": ID, "AccountOnlyDeviceWipeRequestTime": MAYBE, "AccountOnlyDeviceWipeAckTime": MAYBE},
    ),
    "Clear-MobileDevice": Cmdlet({"Identity": ID, "AccountOnly?": YES, "Cancel?": YES, "Confirm": NO}),
    "Remove-MobileDevice": Cmdlet({"Identity": ID, "Confirm": NO}),
    "Get-MailboxPermission": Cmdlet({"Identity": ID}, PERMISSION),
    "Add-MailboxPermission": Cmdlet(
        {
            "Identity": ID,
            "User": ID,
            "AccessRights": FULL,
            "InheritanceType": {"const": "All"},
            "AutoMapping": YES,
            "Confirm": NO,
        },
        PERMISSION,
    ),
    "Remove-MailboxPermission": Cmdlet(
        {"Identity": ID, "User": ID, "AccessRights": FULL, "InheritanceType": {"const": "All"}, "Confirm": NO}
    ),
    "Get-RecipientPermission": Cmdlet({"Identity": ID}, TRUSTEE),
    "Add-RecipientPermission": Cmdlet({"Identity": ID, "Trustee": ID, "AccessRights": SEND_AS, "Confirm": NO}, TRUSTEE),
    "Remove-RecipientPermission": Cmdlet({"Identity": ID, "Trustee": ID, "AccessRights": SEND_AS, "Confirm": NO}),
    "Get-Recipient": Cmdlet({"Identity": TEXT}, {**RECIPIENT, "PrimarySmtpAddress": TEXT}),
    "Get-AcceptedDomain": Cmdlet({}, {"DomainName": TEXT}),
    "Get-HostedOutboundSpamFilterPolicy": Cmdlet({}, {"AutoForwardingMode": MODE}),
    "Get-DistributionGroup": Cmdlet(
        {"Filter": {"type": "string", "pattern": "^(Members|ManagedBy) -eq '.+'$"}, "ResultSize": TEXT}, GROUP
    ),
    "Get-DynamicDistributionGroup": Cmdlet({}, GROUP),
    "Get-DynamicDistributionGroupMember": Cmdlet({"Identity": ID}, {"ExternalDirectoryObjectId": ID}),
    "Add-DistributionGroupMember": Cmdlet(MEMBER),
    "Remove-DistributionGroupMember": Cmdlet(MEMBER),
    "Remove-CalendarEvents": Cmdlet(
        {
            "Identity": ID,
            "CancelOrganizedMeetings": YES,
            "QueryWindowInDays": {"type": "integer", "minimum": 1, "maximum": 1825},
            "PreviewOnly?": YES,
            "Confirm?": NO,
        }
    ),
}
ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "object", "required": ["code", "message"]}},
}


@pytest.fixture
async def office(microsoft: Microsoft) -> AsyncIterator[Office]:
    async with office_of(microsoft) as office:
        yield office


async def everything(office: Office) -> list[Call]:
    """Every request we can send, by using all there is."""
    office.contoso.outbound = "On"
    decided = {
        **TO_MARIA,
        "access": "everything",
        "contentious": "yes",
        "mailbox": "shared",
        "mailbox.meetings": "cancel",
    }
    outside = {"mailbox.forward": "external", "mailbox.forward.to": "sales@partner.example"}
    for user in (JANE, SYNCED, DISABLED, DIRECTOR, ROOM):
        if user != ROOM:
            office.microsoft.simulator.person(user).enabled = False
        for choices in ({**decided, "mailbox.forward": "successor"}, {**decided, **outside}):
            await _carry_out_and_undo(office, user, choices)
    assert await CONNECTOR.find(await office.connect(), leaver(GUEST)) == []
    for fault in (Fault("throttle", retry_after="9"), Fault("error", status=400)):
        office.simulator.fail(CONTOSO, fault)
        with pytest.raises(VendorError):
            await CONNECTOR.find(await office.connect(), leaver(ZOE))
        office.clock.pass_by(10)
    return list(office.simulator.calls)


async def _carry_out_and_undo(office: Office, user: str, choices: Mapping[str, str]) -> None:
    seen = list(office.simulator.calls)
    ctx = await office.ready(user, choices)
    office.simulator.calls[:0] = seen
    for step in CONNECTOR.steps:
        found = await step.look(ctx) if step.wanted(choices, ctx.facts) else None
        for item in found.items if isinstance(found, Todo) else ():
            intent = Intent("key", office.clock.now())
            await step.act(ctx, item, intent)
            await step.confirm(ctx, item, intent, "")
            await step.undo(ctx, item)


def problems(schema: Json, value: object) -> list[str]:
    validator: Any = Draft202012Validator(schema)
    errors: Iterator[Any] = validator.iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in errors]


async def test_everything_we_send_and_get_is_as_described(office: Office) -> None:
    calls = await everything(office)
    found: list[str] = []
    for call in calls:
        cmdlet = CMDLETS[call.cmdlet]
        found += [f"{call.cmdlet} sends {one}" for one in problems(cmdlet.request(), dict(call.parameters))]
        wanted = cmdlet.answer() if call.status == 200 else ERROR
        found += [f"{call.cmdlet} answers {one}" for one in problems(wanted, call.answer)]
    assert not found
    assert {call.cmdlet for call in calls} == set(CMDLETS)
    wipes = [call.parameters for call in calls if call.cmdlet == "Clear-MobileDevice"]
    assert all("AccountOnly" in given or "Cancel" in given for given in wipes), "that would be the whole phone"


def test_the_simulator_takes_what_is_described_and_nothing_else() -> None:
    for name, cmdlet in CMDLETS.items():
        assert {one.rstrip("?") for one in cmdlet.parameters} <= PARAMETERS[name], name
    assert set(CMDLETS) == set(PARAMETERS)


async def test_every_cmdlet_about_a_mailbox_is_anchored_to_it(office: Office) -> None:
    await _carry_out_and_undo(office, JANE, {**TO_MARIA, "mailbox": "shared"})
    elsewhere = {"Get-Recipient", "Get-AcceptedDomain", "Get-DistributionGroup", "Get-MailUser"}
    for call in office.simulator.calls:
        if call.cmdlet not in elsewhere:
            assert call.headers["x-anchormailbox"] == "jane.doe@contoso.example", call.cmdlet
