"""How the simulated Exchange writes its objects, and the parameters each cmdlet takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from connectors.contract import Json
from connectors.exchange.simulated_mailboxes import (
    SimulatedDevice,
    SimulatedGroup,
    SimulatedMailbox,
    SimulatedMeeting,
    SimulatedRule,
)


def distinguished(mailbox: SimulatedMailbox) -> str:
    """Its distinguished name."""
    return f"CN={mailbox.name}-{mailbox.user[-4:]},OU=example.onmicrosoft.example,DC=EURPR01A001,DC=PROD"


def legacy(mailbox: SimulatedMailbox) -> str:
    """Its legacyExchangeDN."""
    return f"/o=ExchangeLabs/ou=Exchange Administrative Group/cn=Recipients/cn={mailbox.user}"


def legacy_entry(mailbox: SimulatedMailbox) -> str:
    """How a rule names somebody inside."""
    return f'"{mailbox.name}" [EX:{legacy(mailbox)}]'


def rule_record(place: int, rule: SimulatedRule) -> Json:
    """As Get-InboxRule shows it."""
    identity: Json = {"Name": rule.name, "RuleIdentity": rule.id, "Identity": f"x\\{rule.id}"}
    return {
        **identity,
        "Priority": place,
        "Enabled": True,
        "RuleIdentity@data.type": "System.UInt64",
        **rule.properties,
    }


def device_record(device: SimulatedDevice) -> Json:
    """As Get-MobileDeviceStatistics shows it."""
    return {
        "Guid": device.guid,
        "Identity": f"x\\ExchangeActiveSyncDevices\\{device.name}",
        "DeviceFriendlyName": device.name,
        "DeviceModel": "Phone",
        "DeviceOS": device.system,
        "LastSuccessSync": "2026-11-23T16:00:00",
        "RecoveryPassword": "12345-recovery-secret",
        "AccountOnlyDeviceWipeRequestTime": device.asked.isoformat() if device.asked else None,
        "AccountOnlyDeviceWipeAckTime": device.acknowledged.isoformat() if device.acknowledged else None,
        "DeviceWipeRequestTime": None,
        "DeviceWipeAckTime": None,
    }


def group_record(group: SimulatedGroup) -> Json:
    """As Get-DistributionGroup shows it."""
    return {
        "Guid": group.guid,
        "DisplayName": group.name,
        "PrimarySmtpAddress": group.mail,
        "IsDirSynced": group.synced,
        "ManagedBy": [*group.owners],
    }


def meeting_record(meeting: SimulatedMeeting, *, text: bool) -> JsonValue:
    """As a preview of Remove-CalendarEvents shows it."""
    if not text:
        return {"Subject": meeting.subject, "StartTime": meeting.starts.isoformat()}
    return f'The meeting "{meeting.subject}" on {meeting.starts:%Y-%m-%d %H:%M} will be canceled.'


def _names(*names: str) -> frozenset[str]:
    return frozenset(names)


_RULE_PARAMETERS: Iterable[str] = (
    "ForwardTo",
    "RedirectTo",
    "ForwardAsAttachmentTo",
    "DeleteMessage",
    "SoftDeleteMessage",
    "BodyContainsWords",
    "FromAddressContainsWords",
    "HasAttachment",
    "HeaderContainsWords",
    "MarkAsRead",
    "SubjectContainsWords",
    "SubjectOrBodyContainsWords",
    "StopProcessingRules",
    "SentOnlyToMe",
)
_PROTOCOLS: Iterable[str] = (
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
PARAMETERS: Mapping[str, frozenset[str]] = {
    "Get-Mailbox": _names("Identity", "InactiveMailboxOnly", "SoftDeletedMailbox"),
    "Get-MailUser": _names("Identity"),
    "Get-MailboxStatistics": _names("Identity"),
    "Set-Mailbox": _names(
        "Identity",
        "Type",
        "HiddenFromAddressListsEnabled",
        "LitigationHoldEnabled",
        "ForwardingAddress",
        "ForwardingSmtpAddress",
        "DeliverToMailboxAndForward",
    ),
    "Get-CASMailbox": _names("Identity"),
    "Set-CASMailbox": _names("Identity", *_PROTOCOLS),
    "Get-InboxRule": _names("Mailbox", "IncludeHidden"),
    "New-InboxRule": _names("Mailbox", "Name", "Force", *_RULE_PARAMETERS),
    "Remove-InboxRule": _names("Mailbox", "Identity", "Force", "Confirm"),
    "Get-MobileDeviceStatistics": _names("Mailbox"),
    "Clear-MobileDevice": _names("Identity", "AccountOnly", "Cancel", "Confirm"),
    "Remove-MobileDevice": _names("Identity", "Confirm"),
    "Get-MailboxPermission": _names("Identity"),
    "Add-MailboxPermission": _names("Identity", "User", "AccessRights", "InheritanceType", "AutoMapping", "Confirm"),
    "Remove-MailboxPermission": _names("Identity", "User", "AccessRights", "InheritanceType", "Confirm"),
    "Get-RecipientPermission": _names("Identity"),
    "Add-RecipientPermission": _names("Identity", "Trustee", "AccessRights", "Confirm"),
    "Remove-RecipientPermission": _names("Identity", "Trustee", "AccessRights", "Confirm"),
    "Get-Recipient": _names("Identity"),
    "Get-AcceptedDomain": _names(),
    "Get-HostedOutboundSpamFilterPolicy": _names(),
    "Get-DistributionGroup": _names("Filter", "ResultSize"),
    "Get-DynamicDistributionGroup": _names(),
    "Get-DynamicDistributionGroupMember": _names("Identity"),
    "Add-DistributionGroupMember": _names("Identity", "Member", "BypassSecurityGroupManagerCheck", "Confirm"),
    "Remove-DistributionGroupMember": _names("Identity", "Member", "BypassSecurityGroupManagerCheck", "Confirm"),
    "Remove-CalendarEvents": _names(
        "Identity", "CancelOrganizedMeetings", "QueryWindowInDays", "PreviewOnly", "Confirm"
    ),
}
