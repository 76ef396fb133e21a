"""How the simulated Exchange answers each cmdlet. No http in here; `simulator.py` serves it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import JsonValue

from connectors.contract import Json
from connectors.exchange.simulated_mailboxes import (
    GIGABYTE,
    Organisation,
    SimulatedDevice,
    SimulatedGroup,
    SimulatedMailbox,
    SimulatedRule,
)
from connectors.exchange.simulated_shapes import (
    PARAMETERS,
    device_record,
    distinguished,
    group_record,
    legacy,
    meeting_record,
    rule_record,
)
from connectors.simulated_faults import Effect

_TASKS = "Microsoft.Exchange.Configuration.Tasks."
_WRITE_SCOPE = (
    "The operation on mailbox \"{name}\" failed because it's out of the current user's write scope. The action "
    "'Set-Mailbox', '{what}', can't be performed on the object '{name}' because the object is being synchronized "
    "from your on-premises organization. This action should be performed on the object in your on-premises "
    "organization."
)
PURGED_AFTER = timedelta(days=30)


class CmdletError(Exception):
    """An error of a cmdlet: status, exception type, sentence."""

    def __init__(self, status: int, kind: str, sentence: str) -> None:
        self.status, self.kind, self.sentence = status, kind, sentence
        super().__init__(sentence)


@dataclass
class Ran:
    """What a cmdlet put out."""

    values: list[JsonValue] = field(default_factory=list[JsonValue])
    warnings: list[str] = field(default_factory=list[str])


@dataclass
class Cmdlets:
    """One organisation's cmdlets: its state, what was done, and what reads still show."""

    organisation: Organisation
    now: Callable[[], datetime]
    effects: list[Effect]
    licensed: Callable[[str, str], bool]
    _history: dict[str, list[tuple[datetime, SimulatedMailbox]]] = field(
        default_factory=dict[str, list[tuple[datetime, SimulatedMailbox]]]
    )
    _deleted: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _converted: dict[str, tuple[datetime, str]] = field(default_factory=dict[str, tuple[datetime, str]])
    _reads: int = 0

    def run(self, cmdlet: str, given: Mapping[str, JsonValue]) -> Ran:
        """Run it. Raises CmdletError."""
        known = PARAMETERS.get(cmdlet)
        if known is None:
            sentence = f"The term '{cmdlet}' is not recognized as the name of a cmdlet, function, or script file."
            raise CmdletError(400, "System.Management.Automation.CommandNotFoundException", sentence)
        if cmdlet in self.organisation.denied:
            sentence = "The user isn't assigned to any management roles that include this cmdlet."
            raise CmdletError(403, f"{_TASKS}CmdletAccessDeniedException", sentence)
        for name in given:
            if name not in known:
                sentence = f"A parameter cannot be found that matches parameter name '{name}'."
                raise CmdletError(400, "System.Management.Automation.ParameterBindingException", sentence)
        self._settle()
        if cmdlet in self.organisation.ignores:
            return Ran()
        handler: Callable[[Mapping[str, JsonValue]], Ran] = getattr(self, "_" + cmdlet.replace("-", "_").lower())
        return handler(given)

    # --- mailboxes

    def _get_mailbox(self, given: Mapping[str, JsonValue]) -> Ran:
        gone = given.get("SoftDeletedMailbox") or given.get("InactiveMailboxOnly")
        mailbox = self._mailbox(given["Identity"], active=not gone)
        if gone and (
            mailbox.user not in self._deleted or self._inactive(mailbox) != bool(given.get("InactiveMailboxOnly"))
        ):
            raise self._not_found(given["Identity"])
        return Ran([self._shown(self._visible(mailbox))])

    def _get_mailuser(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox = self._known(given["Identity"])
        if mailbox.kind not in ("MailUser", "GuestMailUser"):
            raise self._not_found(given["Identity"])
        return Ran([self._shown(mailbox)])

    def _get_mailboxstatistics(self, given: Mapping[str, JsonValue]) -> Ran:
        size = self._mailbox(given["Identity"]).size
        told = self.organisation.size_format.format(gb=size / GIGABYTE, bytes=size)
        return Ran([{"TotalItemSize": told, "ItemCount": 1234}])

    def _set_mailbox(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox = self._mailbox(given["Identity"])
        if "HiddenFromAddressListsEnabled" in given and mailbox.synced:
            sentence = _WRITE_SCOPE.format(name=mailbox.name, what="HiddenFromAddressListsEnabled")
            raise CmdletError(400, f"{_TASKS}InvalidOperationOnDirSyncedObjectException", sentence)
        if given.get("LitigationHoldEnabled") and not mailbox.plan2:
            sentence = "Litigation hold isn't available: the mailbox's plan doesn't include it. Assign a license."
            raise CmdletError(400, "Microsoft.Exchange.Configuration.Tasks.RecipientTaskException", sentence)
        smtp = given.get("ForwardingSmtpAddress")
        if smtp and self.organisation.refuses_forwarding:
            sentence = "External forwarding is blocked by your outbound spam filter policy."
            raise CmdletError(400, "Microsoft.Exchange.Configuration.Tasks.RecipientTaskException", sentence)
        target = given.get("ForwardingAddress")
        if isinstance(target, str):
            target = self._known(target).user if not self._contact(target) else target
        self._keep(mailbox)
        if "Type" in given:
            kind = {"Shared": "SharedMailbox", "Regular": "UserMailbox"}[str(given["Type"])]
            self._converted[mailbox.user] = (self.now(), mailbox.kind)
            mailbox.kind = kind
            self._effect(mailbox, f"converted to {kind}")
        if "HiddenFromAddressListsEnabled" in given:
            mailbox.hidden = given["HiddenFromAddressListsEnabled"] is True
            self._effect(mailbox, "hidden" if mailbox.hidden else "listed")
        if "LitigationHoldEnabled" in given:
            mailbox.litigation_hold = given["LitigationHoldEnabled"] is True
            self._effect(mailbox, "held" if mailbox.litigation_hold else "hold lifted")
        if "ForwardingAddress" in given or "ForwardingSmtpAddress" in given:
            if "ForwardingAddress" in given:
                mailbox.forwarding_address = str(target or "")
            if "ForwardingSmtpAddress" in given:
                mailbox.forwarding_smtp = str(smtp or "").removeprefix("smtp:")
            mailbox.keeps_copy = given.get("DeliverToMailboxAndForward", mailbox.keeps_copy) is True
            self._effect(mailbox, "forwarding set", self.mail_goes_to(mailbox))
        return Ran()

    def mail_goes_to(self, mailbox: SimulatedMailbox) -> str:
        """Where mail really goes: with both set, the plain address is ignored; outside may be refused (5.7.520)."""
        if mailbox.forwarding_address:
            contact = self._contact(mailbox.forwarding_address)
            return contact if contact else self._known(mailbox.forwarding_address).mail
        inside = mailbox.forwarding_smtp.rpartition("@")[2] in self.organisation.domains
        return mailbox.forwarding_smtp if inside or self.organisation.outbound == "On" else ""

    def _get_casmailbox(self, given: Mapping[str, JsonValue]) -> Ran:
        return Ran([{**self._visible(self._mailbox(given["Identity"])).protocols}])

    def _set_casmailbox(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox = self._mailbox(given["Identity"])
        self._keep(mailbox)
        for name, value in given.items():
            if name != "Identity":
                mailbox.protocols[name] = value if isinstance(value, bool) else None
        self._effect(mailbox, "protocols set", ",".join(name for name in sorted(given) if name != "Identity"))
        return Ran()

    # --- rules and devices

    def _get_inboxrule(self, given: Mapping[str, JsonValue]) -> Ran:
        rules = self._visible(self._mailbox(given["Mailbox"])).rules
        shown = [rule for rule in rules if given.get("IncludeHidden") or not rule.hidden]
        return Ran([rule_record(place, rule) for place, rule in enumerate(shown, 1)])

    def _remove_inboxrule(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox = self._mailbox(given["Mailbox"])
        left = [rule for rule in mailbox.rules if rule.id != given["Identity"]]
        if len(left) == len(mailbox.rules):
            raise self._not_found(given["Identity"])
        self._keep(mailbox)
        mailbox.rules = left
        self._effect(mailbox, "rule removed", str(given["Identity"]))
        return Ran()

    def _new_inboxrule(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox = self._mailbox(given["Mailbox"])
        self._keep(mailbox)
        properties = {name: value for name, value in given.items() if name not in ("Mailbox", "Name", "Force")}
        rule = SimulatedRule(f"9{len(mailbox.rules)}", str(given["Name"]), properties)
        mailbox.rules = [*mailbox.rules, rule]
        self._effect(mailbox, "rule made", rule.name)
        return Ran([rule_record(len(mailbox.rules), rule)])

    def _get_mobiledevicestatistics(self, given: Mapping[str, JsonValue]) -> Ran:
        return Ran([device_record(device) for device in self._visible(self._mailbox(given["Mailbox"])).devices])

    def _clear_mobiledevice(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox, device = self._device(given["Identity"])
        if given.get("AccountOnly") is not True and given.get("Cancel") is not True:
            self._effect(mailbox, "WHOLE PHONE WIPED", device.name)
            return Ran()
        if given.get("AccountOnly") and not device.takes_account_wipe:
            sentence = "The device doesn't support an account only remote wipe."
            raise CmdletError(400, "Microsoft.Exchange.Management.Tasks.AccountOnlyWipeNotSupportedException", sentence)
        self._keep(mailbox)
        device.asked = None if given.get("Cancel") else self.now()
        self._effect(mailbox, "erase cancelled" if given.get("Cancel") else "erase asked", device.name)
        return Ran()

    def _remove_mobiledevice(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox, device = self._device(given["Identity"])
        self._keep(mailbox)
        mailbox.devices = [one for one in mailbox.devices if one is not device]
        self._effect(mailbox, "device removed", device.name)
        return Ran()

    # --- permissions

    def _get_mailboxpermission(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox = self._visible(self._mailbox(given["Identity"]))
        own: Json = {"User": "NT AUTHORITY\\SELF", "AccessRights": ["FullAccess", "ReadPermission"], "Deny": False}
        granted: list[JsonValue] = [
            {"User": self._known(user).user_name, "AccessRights": ["FullAccess"], "Deny": deny, "IsInherited": False}
            for user, deny in mailbox.full_access.items()
        ]
        return Ran([{**own, "IsInherited": False}, *granted])

    def _add_mailboxpermission(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox, user = self._mailbox(given["Identity"]), self._known(given["User"])
        self._keep(mailbox)
        mailbox.full_access = {**mailbox.full_access, user.user: False}
        self._effect(mailbox, "access granted", user.user)
        return Ran([{"User": user.user_name, "AccessRights": ["FullAccess"], "Deny": False, "IsInherited": False}])

    def _remove_mailboxpermission(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox, user = self._mailbox(given["Identity"]), self._known(given["User"])
        if user.user not in mailbox.full_access:
            return Ran(
                warnings=[
                    "An inherited access control entry can't be removed because the ACE doesn't exist on the object."
                ]
            )
        self._keep(mailbox)
        mailbox.full_access = {one: deny for one, deny in mailbox.full_access.items() if one != user.user}
        self._effect(mailbox, "access taken back", user.user)
        return Ran()

    def _get_recipientpermission(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox = self._visible(self._mailbox(given["Identity"]))
        named = ["NT AUTHORITY\\SELF", *(self._known(user).user_name for user in sorted(mailbox.send_as))]
        return Ran([{"Trustee": one, "AccessRights": ["SendAs"], "AccessControlType": "Allow"} for one in named])

    def _add_recipientpermission(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox, user = self._mailbox(given["Identity"]), self._known(given["Trustee"])
        self._keep(mailbox)
        mailbox.send_as = {*mailbox.send_as, user.user}
        self._effect(mailbox, "may be sent as", user.user)
        return Ran([{"Trustee": user.user_name, "AccessRights": ["SendAs"], "AccessControlType": "Allow"}])

    def _remove_recipientpermission(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox, user = self._mailbox(given["Identity"]), self._known(given["Trustee"])
        if user.user not in mailbox.send_as:
            return Ran(warnings=["Can't remove the access control entry because the ACE doesn't exist on the object."])
        self._keep(mailbox)
        mailbox.send_as = mailbox.send_as - {user.user}
        self._effect(mailbox, "may not be sent as", user.user)
        return Ran()

    # --- the organisation

    def _get_recipient(self, given: Mapping[str, JsonValue]) -> Ran:
        identity = str(given["Identity"])
        for contact in self.organisation.contacts:
            if identity.casefold() in (contact.name.casefold(), contact.mail.casefold()):
                told: Json = {
                    "RecipientTypeDetails": "MailContact",
                    "DisplayName": contact.name,
                    "Name": contact.name,
                    "ExternalDirectoryObjectId": "",
                    "PrimarySmtpAddress": contact.mail,
                    "ExternalEmailAddress": f"SMTP:{contact.mail}",
                }
                return Ran([told])
        return Ran([self._shown(self._known(identity))])

    def _get_accepteddomain(self, given: Mapping[str, JsonValue]) -> Ran:
        return Ran([{"DomainName": name, "DomainType": "Authoritative"} for name in self.organisation.domains])

    def _get_hostedoutboundspamfilterpolicy(self, given: Mapping[str, JsonValue]) -> Ran:
        return Ran([{"Name": "Default", "AutoForwardingMode": self.organisation.outbound}])

    def _get_distributiongroup(self, given: Mapping[str, JsonValue]) -> Ran:
        found = re.fullmatch(r"(Members|ManagedBy) -eq '((?:[^']|'')*)'", str(given["Filter"]))
        if not found:
            sentence = f"Cannot bind parameter 'Filter' to the target: \"Invalid filter syntax\" in {given['Filter']}"
            raise CmdletError(400, "System.Management.Automation.ParameterBindingException", sentence)
        wanted = found[2].replace("''", "'")
        groups = [
            group
            for group in self.organisation.groups.values()
            if not group.dynamic
            and any(
                distinguished(self.organisation.mailboxes[one]) == wanted
                for one in (group.members if found[1] == "Members" else group.owners)
            )
        ]
        return Ran([group_record(group) for group in groups])

    def _get_dynamicdistributiongroup(self, given: Mapping[str, JsonValue]) -> Ran:
        return Ran([group_record(group) for group in self.organisation.groups.values() if group.dynamic])

    def _get_dynamicdistributiongroupmember(self, given: Mapping[str, JsonValue]) -> Ran:
        members = self._group(given["Identity"]).members
        return Ran([{"ExternalDirectoryObjectId": one, "Name": self._known(one).name} for one in members])

    def _remove_distributiongroupmember(self, given: Mapping[str, JsonValue]) -> Ran:
        group, member = self._changeable(given)
        if member.user not in group.members:
            sentence = f'The recipient "{member.name}" isn\'t a member of the group "{group.name}".'
            raise CmdletError(400, f"{_TASKS}MemberNotFoundException", sentence)
        group.members.remove(member.user)
        self._effect(member, "left group", group.name)
        return Ran()

    def _add_distributiongroupmember(self, given: Mapping[str, JsonValue]) -> Ran:
        group, member = self._changeable(given)
        if member.user in group.members:
            sentence = f'The recipient "{member.name}" is already a member of the group "{group.name}".'
            raise CmdletError(400, f"{_TASKS}MemberAlreadyExistsException", sentence)
        group.members.append(member.user)
        self._effect(member, "joined group", group.name)
        return Ran()

    def _remove_calendarevents(self, given: Mapping[str, JsonValue]) -> Ran:
        mailbox = self._mailbox(given["Identity"])
        until = self.now() + timedelta(days=int(str(given["QueryWindowInDays"])))
        due = [one for one in mailbox.meetings if one.organised and self.now() <= one.starts <= until]
        if given.get("PreviewOnly"):
            visible = [
                one for one in self._visible(mailbox).meetings if one.organised and self.now() <= one.starts <= until
            ]
            return Ran([meeting_record(one, text=self.organisation.preview_as_text) for one in visible])
        self._keep(mailbox)
        for meeting in due:
            mailbox.meetings = [one for one in mailbox.meetings if one is not meeting]
            self._effect(mailbox, "meeting cancelled, mails sent", f"{meeting.subject}: {', '.join(meeting.invited)}")
        return Ran()

    # --- who is meant, and what reads show

    def _known(self, identity: JsonValue) -> SimulatedMailbox:
        asked = str(identity).casefold()
        for one in self.organisation.mailboxes.values():
            names = (one.user, one.mail, one.user_name, legacy(one), distinguished(one))
            if asked in (name.casefold() for name in names):
                return one
        raise self._not_found(identity)

    def _mailbox(self, identity: JsonValue, *, active: bool = True) -> SimulatedMailbox:
        mailbox = self._known(identity)
        if not mailbox.has_mailbox or (active and mailbox.user in self._deleted):
            raise self._not_found(identity)
        return mailbox

    def _contact(self, identity: str) -> str:
        return next((one.mail for one in self.organisation.contacts if identity in (one.name, one.mail)), "")

    def _device(self, identity: JsonValue) -> tuple[SimulatedMailbox, SimulatedDevice]:
        for mailbox in self.organisation.mailboxes.values():
            for device in mailbox.devices:
                if device.guid == identity:
                    return mailbox, device
        raise self._not_found(identity)

    def _group(self, identity: JsonValue) -> SimulatedGroup:
        group = self.organisation.groups.get(str(identity))
        if group is None:
            raise self._not_found(identity)
        return group

    def _changeable(self, given: Mapping[str, JsonValue]) -> tuple[SimulatedGroup, SimulatedMailbox]:
        group = self._group(given["Identity"])
        if group.synced:
            sentence = _WRITE_SCOPE.format(name=group.name, what="Members")
            raise CmdletError(400, f"{_TASKS}InvalidOperationOnDirSyncedObjectException", sentence)
        if given.get("BypassSecurityGroupManagerCheck") is not True:
            sentence = (
                "You don't have sufficient permissions. This operation can only be performed by a manager of the group."
            )
            raise CmdletError(400, f"{_TASKS}OperationRequiresGroupManagerException", sentence)
        return group, self._known(given["Member"])

    def _not_found(self, identity: JsonValue) -> CmdletError:
        sentence = self.organisation.not_found_sentence.format(identity=identity)
        return CmdletError(self.organisation.not_found_status, f"{_TASKS}ManagementObjectNotFoundException", sentence)

    def _inactive(self, mailbox: SimulatedMailbox) -> bool:
        return mailbox.account_deleted and mailbox.litigation_hold

    def _settle(self) -> None:
        """A user's mailbox goes with its licence or account, and comes back with the licence within 30 days."""
        for user, since in list(self._deleted.items()):
            mailbox = self.organisation.mailboxes[user]
            if self.now() - since >= PURGED_AFTER and not self._inactive(mailbox):
                mailbox.kind = "Purged"
        for mailbox in self.organisation.mailboxes.values():
            if mailbox.kind == "Purged":
                continue
            needs = mailbox.kind == "UserMailbox" and not self.licensed(self.organisation.tenant, mailbox.user)
            if mailbox.has_mailbox and (needs or mailbox.account_deleted):
                if mailbox.user not in self._deleted:
                    self._deleted[mailbox.user] = self.now()
                    self._effect(mailbox, "mailbox disconnected")
            elif self._deleted.pop(mailbox.user, None):
                self._effect(mailbox, "mailbox reconnected")

    def _keep(self, mailbox: SimulatedMailbox) -> None:
        """Remember what stood there, for reads that lag behind."""
        self._history.setdefault(mailbox.user, []).append((self.now(), copy.deepcopy(mailbox)))

    def _visible(self, mailbox: SimulatedMailbox) -> SimulatedMailbox:
        stale = [
            old
            for at, old in self._history.get(mailbox.user, [])
            if (self.now() - at).total_seconds() < self.organisation.lag
        ]
        self._reads += 1
        shown = stale[0] if stale and not (self.organisation.flicker and self._reads % 2) else mailbox
        at, kind = self._converted.get(mailbox.user, (None, ""))
        if at is not None and (self.now() - at).total_seconds() < self.organisation.conversion_lag:
            shown = copy.copy(shown)
            shown.kind = kind
        return shown

    def _effect(self, mailbox: SimulatedMailbox, what: str, detail: str = "") -> None:
        number = len(self.effects) + 1
        self.effects.append(Effect(number, self.now(), self.organisation.tenant, mailbox.user, what, detail))

    def _shown(self, mailbox: SimulatedMailbox) -> Json:
        address = mailbox.forwarding_address
        return {
            "ExternalDirectoryObjectId": mailbox.user,
            "RecipientTypeDetails": mailbox.kind,
            "DisplayName": mailbox.name,
            "Name": mailbox.name,
            "Alias": mailbox.mail.partition("@")[0],
            "PrimarySmtpAddress": mailbox.mail,
            "UserPrincipalName": mailbox.user_name,
            "WindowsLiveID": mailbox.user_name,
            "DistinguishedName": distinguished(mailbox),
            "IsDirSynced": mailbox.synced,
            "SKUAssigned": self.licensed(self.organisation.tenant, mailbox.user) if mailbox.has_mailbox else None,
            "ArchiveGuid": "aaaaaaaa-0000-4000-8000-000000000001"
            if mailbox.archive
            else "0" * 8 + "-0000-0000-0000-" + "0" * 12,
            "ArchiveStatus": "Active" if mailbox.archive else "None",
            "LitigationHoldEnabled": mailbox.litigation_hold,
            "ComplianceTagHoldApplied": False,
            "InPlaceHolds": [*mailbox.holds],
            "ForwardingAddress": (address if self._contact(address) else self._known(address).mail)
            if address
            else None,
            "ForwardingSmtpAddress": f"smtp:{mailbox.forwarding_smtp}" if mailbox.forwarding_smtp else None,
            "DeliverToMailboxAndForward": mailbox.keeps_copy,
            "HiddenFromAddressListsEnabled": mailbox.hidden,
        }
