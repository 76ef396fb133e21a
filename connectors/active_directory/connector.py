"""A client's domain as the rest of the house sees it: its accounts, facts, ways in, cautions and steps."""

from __future__ import annotations

import asyncio
import importlib
from datetime import timedelta

from connectors.active_directory.checks import check_domain
from connectors.active_directory.clean_up import HideFromAddressLists, LeaveGroups
from connectors.active_directory.client import Domain
from connectors.active_directory.facts import ActiveDirectoryFacts, read_facts
from connectors.active_directory.lock_out import Disable, DisableComputers, ResetPassword
from connectors.active_directory.people import find_person
from connectors.active_directory.refusals import VENDOR
from connectors.active_directory.settings import ActiveDirectorySettings
from connectors.contract import Account, Caution, Check, Choices, Connector, Surroundings, WayIn

_TICKETS = timedelta(hours=10)


class ActiveDirectory(Connector[Domain, ActiveDirectoryFacts]):
    """A client's on-premises domain, over LDAPS."""

    id = VENDOR
    name = "Active Directory"
    settings = ActiveDirectorySettings
    facts_model = ActiveDirectoryFacts
    steps = (Disable(), ResetPassword(), DisableComputers(), LeaveGroups(), HideFromAddressLists())

    async def open(self, settings: ActiveDirectorySettings, around: Surroundings) -> Domain:
        await asyncio.to_thread(importlib.import_module, "ldap3")
        return Domain(settings, around)

    async def close(self, api: Domain) -> None:
        api.close()

    async def find(self, api: Domain, leaver: Account) -> list[Account]:
        return await find_person(api, leaver)

    async def facts(self, api: Domain, account: Account) -> ActiveDirectoryFacts:
        return await read_facts(api, account)

    async def check(self, api: Domain) -> tuple[Check, ...]:
        return await check_domain(api, self.steps)

    def ways_in(self, facts: ActiveDirectoryFacts, choices: Choices) -> tuple[WayIn, ...]:
        return (
            WayIn(
                id="active_directory.account",
                title="Domain account",
                ended_by=(Disable.id, ResetPassword.id),
                # Maximum lifetime of a ticket in the default domain policy (Microsoft, Kerberos policy, read 2026-11).
                lingers=_TICKETS,
                why_lingers=(
                    "Kerberos tickets already issued open domain resources for up to 10 hours, and other domain "
                    "controllers learn of the change by replication: sign the person off their computers and servers"
                ),
            ),
        )

    def cautions(self, facts: ActiveDirectoryFacts) -> tuple[Caution, ...]:
        return tuple(_cautions(facts))

    # `reports` stays empty: managers here are distinguished names, and only Entra's object ids can be compared.


def _cautions(facts: ActiveDirectoryFacts) -> list[Caution]:
    cautions: list[Caution] = []
    if facts.protected:
        cautions.append(Caution(f"The bot will not touch this domain account: {facts.protected}.", bars_immediate=True))
    if facts.admin_groups:
        cautions.append(
            Caution(f"They rule the domain: member of {', '.join(facts.admin_groups)}.", bars_immediate=True)
        )
    if facts.admin_count:
        cautions.append(
            Caution(
                "The domain account is or was an administrator's (adminCount 1): it inherits no delegation, so the "
                "domain may refuse the bot.",
                bars_immediate=True,
            )
        )
    if facts.last_domain_admin:
        cautions.append(
            Caution(
                "No other enabled member of Domain Admins is known: locking them out may leave nobody to run the "
                "domain.",
                bars_immediate=True,
                approvers=2,
                proof="State which other administrator's sign-in to this domain you tested just now, and how.",
            )
        )
    if facts.services:
        cautions.append(
            Caution(
                f"Services run under this domain account ({_some(facts.services)}): they stop with it.",
                bars_immediate=True,
            )
        )
    if facts.others:
        cautions.append(
            Caution(
                f"Other enabled domain accounts carry the same employee id or mail address: {_some(facts.others)}. "
                "They are not ended here."
            )
        )
    if spared := [f"{one.name} ({one.spared})" for one in facts.computers if one.spared]:
        cautions.append(Caution(f"They manage {_some(spared)}: that is left running. Name another to manage it."))
    if not facts.enabled:
        cautions.append(Caution("The domain account is already disabled."))
    return cautions


def _some(names: tuple[str, ...] | list[str]) -> str:
    """As many as people read on a card."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
