"""What really is, seen in the stand-ins' own state and never in the engine's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from bot.lab.companies import Companies
from connectors.active_directory.simulated_people import START_PASSWORD
from connectors.active_directory.simulated_people import Person as DomainPerson
from connectors.exchange.simulated_mailboxes import SimulatedMailbox
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import CONTOSO, Person, Tenant
from connectors.microsoft365.simulated_things import Group
from handlers.plan.digest import UNREAD
from tests.chaos.leavers import Leaver
from tests.chaos.paper import Paper
from tests.world import START

OTHERS_OPEN_IT_BY = frozenset({"OWAEnabled", "MAPIEnabled", "EwsEnabled"})
"""Switches that are opened again for whoever takes the mailbox over."""
PORTAL = "portal"
"""A way in of the service desk, known once that was read."""


@dataclass
class Truth:
    """The leaver as all the stand-ins know them now, and what was so before anything was done."""

    leaver: Leaver
    companies: Companies

    def __post_init__(self) -> None:
        self.paper = Paper(self.leaver, self.companies)
        self._held = {one.sku for one in self.person.licences}
        self._alone = [group.id for group in self._groups if group.owners == (self.leaver.person,)]
        self.reports = [one.id for one in self._contoso.people.values() if one.manager == self.leaver.person]

    def holds(self, step: str, subject: str = "") -> bool:
        """Whether what the step is for is so; `subject` where there is one of it for each thing."""
        if step.endswith(f".{UNREAD}"):
            # It only reads a system that was silent before: what it found are steps of their own.
            return True
        return OF_EACH[step](self, subject) if step in OF_EACH else EFFECTS[step](self)

    @property
    def still_open(self) -> list[str]:
        """Ways in that have not ended; none when they really are locked out."""
        ways = {
            "sign-in": self.blocked,
            "sessions": self.sessions_ended,
            "password": self.password_set,
            "methods": not self.person.methods,
            "roles": self.no_roles and not self.person.eligible,
            "protocols": self.protocols_shut,
            "phones": self.phones_erased,
            "forwarding": not self.forwards_outside,
            "rules": not self.bad_rules,
            "domain account": self.domain_disabled,
            "domain password": self.domain_password,
            PORTAL: self.paper.portal_shut,
        }
        return [name for name, ended in ways.items() if not ended]

    @cached_property
    def _contoso(self) -> Tenant:
        return self.companies.microsoft.tenants[CONTOSO]

    @property
    def _groups(self) -> list[Group]:
        return [*self._contoso.groups.values()]

    @property
    def person(self) -> Person:
        """In Microsoft 365."""
        return self.companies.person(self.leaver.person)

    @property
    def mailbox(self) -> SimulatedMailbox | None:
        """In Exchange, where it lies there."""
        found = self.companies.exchange.organisations[CONTOSO].mailboxes.get(self.leaver.person)
        return found if found is not None and found.has_mailbox else None

    @property
    def domain(self) -> DomainPerson | None:
        """In the domain, where the leaver has an account there."""
        return self.companies.domain.domain.people.get(self.leaver.domain_name)

    # --- Microsoft 365 --------------------------------------------------------------------------

    def first(self, what: str) -> int:
        """Place of the first such effect on the leaver; after everything when there is none."""
        effects = self.companies.microsoft.effects
        found = (one.number for one in effects if one.user == self.leaver.person and one.what == what)
        return next(found, len(effects) + 1)

    def last(self, what: str) -> int:
        """Place of the last such effect on the leaver; 0 when there is none."""
        effects = reversed(self.companies.microsoft.effects)
        return next((one.number for one in effects if one.user == self.leaver.person and one.what == what), 0)

    @property
    def blocked(self) -> bool:
        """Sign-in is off, also after the next sync."""
        return not self.person.enabled

    @property
    def sessions_ended(self) -> bool:
        """No session from before the block is open."""
        since = self.person.sessions_valid_from
        return since is not None and since >= START and self.last("sessions revoked") > self.first("blocked")

    @property
    def password_set(self) -> bool:
        """Nobody knows it; a synced account's is the domain's."""
        changed = self.person.password_changed
        return self.person.synced or (changed is not None and changed >= START)

    @property
    def no_roles(self) -> bool:
        """Neither held nor by a group."""
        giving = [group for group in self._groups if group.assignable]
        return not self.person.roles and not any(self._inside(group) or self._owns(group) for group in giving)

    def _inside(self, group: Group) -> bool:
        return self.leaver.person in group.members

    def _owns(self, group: Group) -> bool:
        return self.leaver.person in group.owners

    def left(self, *, licences: bool) -> bool:
        """They are in no group that is left here, or in none that gives licences."""
        here = [one for one in self._groups if not (one.synced or one.rule or one.assignable)]
        here = [one for one in here if one.kind in ("security", "microsoft365") and bool(one.licences) is licences]
        return not any(self._inside(group) for group in here)

    @property
    def owns_nothing(self) -> bool:
        """No group that can be given away lists them as an owner."""
        return not any(self._owns(group) for group in self._groups if not group.synced and not group.assignable)

    @property
    def no_grants(self) -> bool:
        """No application acts in their name."""
        return not any(grant.person == self.leaver.person for grant in self._contoso.grants)

    @property
    def devices_disabled(self) -> bool:
        """Those that were to be disabled; recommended is to disable."""
        theirs = [one for one in self._contoso.devices.values() if self.leaver.person in (*one.registered, *one.owners)]
        chosen = [one for one in theirs if self.leaver.answers.get(f"devices.{one.id}", "disable") == "disable"]
        return not any(one.enabled for one in chosen)

    @property
    def handed_over(self) -> bool:
        """Everything they alone owned has another owner."""
        return all(people.MARIA in self._contoso.groups[group].owners for group in self._alone)

    @property
    def shared_once(self) -> bool:
        """The heir can write to the files."""
        drive = self.person.drive
        return drive is not None and [one.person for one in drive.permissions] == [people.MARIA]

    @property
    def replies(self) -> bool:
        """The automatic reply is on and says something."""
        reply = self.person.mailbox.reply if self.person.mailbox else {}
        return reply.get("status") == "alwaysEnabled" and bool(reply.get("externalReplyMessage"))

    @property
    def reassigned(self) -> bool:
        """The one who was to get the licences has them."""
        heir = self._contoso.people[self.leaver.answers["licences.to"]]
        return self._held <= {one.sku for one in heir.licences}

    # --- Exchange -------------------------------------------------------------------------------

    @property
    def protocols_shut(self) -> bool:
        """Shut; but for what others open it by once somebody was given access."""
        if self.mailbox is None:
            return True
        switches = self.mailbox.protocols
        shut = {name for name, value in switches.items() if value is (name == "SmtpClientAuthenticationDisabled")}
        left_open = set(switches) - shut
        others_may = self.blocked and self.password_set and bool(self.mailbox.full_access)
        return not left_open - (OTHERS_OPEN_IT_BY if others_may else frozenset[str]())

    @property
    def opened_for_others(self) -> bool:
        """What others open the mailbox by is on."""
        return self.mailbox is not None and not any(self.mailbox.protocols[name] is False for name in OTHERS_OPEN_IT_BY)

    @property
    def phones_erased(self) -> bool:
        """Each was told to erase the company's mail, or may fetch none any more."""
        return self.mailbox is None or all(one.asked for one in self.mailbox.devices)

    @property
    def forwards_outside(self) -> bool:
        """Mail leaves the company by a setting that nobody decided."""
        if self.mailbox is None:
            return False
        decided = self.leaver.answers.get("mailbox.forward.to", "")
        places = {self.mailbox.forwarding_smtp, self.mailbox.forwarding_address} - {"", decided}
        return any("@" in place and not place.endswith("@contoso.example") for place in places)

    @property
    def bad_rules(self) -> bool:
        """A rule carries mail away or deletes all of it."""
        rules = self.mailbox.rules if self.mailbox else []
        return any("ForwardTo" in rule.properties or [*rule.properties] == ["DeleteMessage"] for rule in rules)

    @property
    def heir_opens_it(self) -> bool:
        """The heir has full access."""
        return self.mailbox is not None and self.mailbox.full_access.get(self.leaver.heir) is False

    @property
    def forwarded(self) -> bool:
        """Mail goes where it was decided to go."""
        heir = self._contoso.people[self.leaver.heir].mail
        wanted = self.leaver.answers.get("mailbox.forward.to", heir)
        return self.companies.exchange.mail_goes_to(self.leaver.person) == wanted

    @property
    def no_meetings(self) -> bool:
        """They organise none that is still to come."""
        now = self.companies.exchange.now()
        meetings = self.mailbox.meetings if self.mailbox else []
        return not any(one.organised and one.starts > now for one in meetings)

    def lists(self, *, by_hand: bool) -> bool:
        """They are in no distribution list of that sort, and own none."""
        groups = self.companies.exchange.organisations[CONTOSO].groups.values()
        sort = [one for one in groups if (one.synced or one.dynamic) is by_hand]
        owned = by_hand and any(self.leaver.person in one.owners for one in groups)
        return not owned and not any(self.leaver.person in one.members for one in sort)

    @property
    def held(self) -> bool:
        """Nothing in the mailbox can be deleted for good."""
        return self.mailbox is not None and self.mailbox.litigation_hold

    # --- the domain -----------------------------------------------------------------------------

    @property
    def domain_disabled(self) -> bool:
        """Nobody signs in there as the leaver."""
        return self.domain is None or bool(self.domain.control & 2)

    @property
    def domain_password(self) -> bool:
        """Neither the leaver's password nor the one before opens anything."""
        return self.domain is None or START_PASSWORD not in (self.domain.password, self.domain.earlier)

    @property
    def computers_disabled(self) -> bool:
        """Their workstations; a server they manage is left running."""
        known = self.companies.domain.domain.computers.values()
        theirs = [one for one in known if self.domain is not None and one.manager == self.domain.guid]
        return all(one.control & 2 for one in theirs if "Server" not in one.system)

    @property
    def out_of_domain_groups(self) -> bool:
        """No group of the domain lists them."""
        groups = self.companies.domain.domain.groups.values()
        return self.domain is None or not any(self.domain.guid in group.members for group in groups)


def _never(_truth: Truth) -> bool:
    return False


EFFECTS: Mapping[str, Callable[[Truth], bool]] = {
    "microsoft365.revoke_sessions": lambda now: now.last("sessions revoked") > 0,
    # Until the next sync was seen, nobody calls a synced account's block lasting: the check after it does.
    "microsoft365.block_sign_in": lambda now: now.blocked or (now.person.synced and now.last("blocked") > 0),
    "microsoft365.reset_password": lambda now: now.password_set,
    "microsoft365.revoke_sessions_again": lambda now: now.sessions_ended or not now.last("blocked"),
    "microsoft365.remove_sign_in_methods": lambda now: not now.person.methods,
    "microsoft365.remove_roles": lambda now: now.no_roles,
    "microsoft365.end_eligibility": lambda now: not now.person.eligible,
    "microsoft365.domain_account": _never,
    "microsoft365.check_after_sync": lambda now: now.blocked and now.domain_disabled,
    "microsoft365.partial_access": _never,
    "microsoft365.disable_devices": lambda now: now.devices_disabled,
    "microsoft365.take_backup": _never,
    "microsoft365.hand_over_groups": lambda now: now.handed_over,
    "microsoft365.share_files": lambda now: now.shared_once,
    "microsoft365.set_auto_reply": lambda now: now.replies,
    "microsoft365.move_reports": lambda now: all(
        now.companies.person(one).manager == people.MARIA for one in now.reports
    ),
    "microsoft365.leave_groups": lambda now: now.left(licences=False),
    # It changes nothing: it says which groups keep them.
    "microsoft365.groups_that_stay": lambda now: True,
    "microsoft365.leave_licence_groups": lambda now: now.left(licences=True),
    "microsoft365.leave_ownerships": lambda now: now.owns_nothing,
    "microsoft365.owned_applications": _never,
    "microsoft365.remove_app_roles": lambda now: not any(one.kind == "User" for one in now.person.app_roles),
    "microsoft365.revoke_grants": lambda now: now.no_grants,
    "microsoft365.return_devices": _never,
    "microsoft365.wipe_devices": _never,
    "microsoft365.release_licences": lambda now: not now.person.licences,
    "microsoft365.reassign_licences": lambda now: now.reassigned,
    "microsoft365.rename": lambda now: now.person.name.startswith("Former"),
    "exchange.stop_protocols": lambda now: now.protocols_shut,
    "exchange.remove_devices": lambda now: now.phones_erased,
    "exchange.clear_forwarding": lambda now: not now.forwards_outside,
    "exchange.remove_rules": lambda now: not now.bad_rules,
    "exchange.mailbox_on_premises": _never,
    "exchange.hold": lambda now: now.held,
    "exchange.grant_access": lambda now: now.heir_opens_it,
    "exchange.grant_send_as": lambda now: now.mailbox is not None and now.leaver.heir in now.mailbox.send_as,
    "exchange.restore_web_access": lambda now: now.opened_for_others and now.heir_opens_it,
    "exchange.forward": lambda now: now.forwarded,
    "exchange.hand_over_meetings": lambda now: now.no_meetings,
    "exchange.cancel_meetings": lambda now: now.no_meetings,
    "exchange.convert_to_shared": lambda now: now.mailbox is not None and now.mailbox.kind == "SharedMailbox",
    "exchange.hide_from_address_lists": lambda now: now.mailbox is not None and now.mailbox.hidden,
    "exchange.hide_in_the_domain": lambda now: now.mailbox is not None and now.mailbox.hidden,
    "exchange.leave_distribution_groups": lambda now: now.lists(by_hand=False),
    "exchange.groups_by_hand": lambda now: now.lists(by_hand=True),
    "exchange.delete_mailbox": lambda now: now.mailbox is None,
    "active_directory.disable": lambda now: now.domain_disabled,
    "active_directory.reset_password": lambda now: now.domain_password,
    "active_directory.disable_computers": lambda now: now.computers_disabled,
    "active_directory.leave_groups": lambda now: now.out_of_domain_groups,
    "active_directory.hide_from_address_lists": lambda now: now.domain is not None and now.domain.hidden == "TRUE",
    "connectwise.end_portal_login": lambda now: now.paper.portal_shut,
    "connectwise.devices": lambda now: now.paper.equipment_back,
    "connectwise.contact_inactive": lambda now: now.paper.inactive,
}
"""Step → whether its effect is there."""
OF_EACH: Mapping[str, Callable[[Truth, str], bool]] = {
    "pax8.reduce_seats": lambda now, product: now.paper.seat_given_back(product),
    "connectwise.reduce_lines": lambda now, product: now.paper.line_fell(product),
}
"""The same for steps of which there is one for each product."""
