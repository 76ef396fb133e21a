"""Microsoft 365 as the rest of the house sees it: its people, facts, ways in, cautions and steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from connectors.contract import (
    Account,
    Caution,
    Check,
    Choices,
    Connector,
    Json,
    OneTimeSecret,
    Question,
    Refused,
    Surroundings,
    WayIn,
)
from connectors.http import RefusedWith
from connectors.microsoft365.admin_roles import EndEligibility, RemoveRoles
from connectors.microsoft365.auto_reply import SetAutoReply
from connectors.microsoft365.checks import check_tenant
from connectors.microsoft365.client import VENDOR, Graph, make_pass, refused_as
from connectors.microsoft365.device_steps import DisableDevices, WipeDevices
from connectors.microsoft365.domain import CheckAfterSync, DomainAccount
from connectors.microsoft365.facts import Microsoft365Facts, read_facts
from connectors.microsoft365.files import ShareFiles
from connectors.microsoft365.grants import RemoveAppRoles, RevokeGrants
from connectors.microsoft365.leave_groups import GroupsThatStay, LeaveGroups, LeaveLicenceGroups
from connectors.microsoft365.ownership import HandOverGroups, LeaveOwnerships
from connectors.microsoft365.people import find_person, search_people
from connectors.microsoft365.people_below import MoveReports
from connectors.microsoft365.questions import STANDING, questions
from connectors.microsoft365.reads import HELD_LICENCES, READS, held
from connectors.microsoft365.release import ReassignLicences, ReleaseLicences
from connectors.microsoft365.rename import Rename
from connectors.microsoft365.settings import Microsoft365Settings
from connectors.microsoft365.steps import (
    BlockSignIn,
    RemoveSignInMethods,
    ResetPassword,
    RevokeSessions,
    RevokeSessionsAgain,
)
from connectors.microsoft365.tasks import OwnedApplications, PartialAccess, ReturnDevices, TakeBackup
from connectors.microsoft365.told import cautions, ways_in

PASS_MINUTES = 60
LOCK_OUT = (
    RevokeSessions(),
    BlockSignIn(),
    ResetPassword(),
    RevokeSessionsAgain(),
    RemoveSignInMethods(),
    RemoveRoles(),
    EndEligibility(),
    DomainAccount(),
    CheckAfterSync(),
    PartialAccess(),
    DisableDevices(),
)
THE_REST = (
    TakeBackup(),
    HandOverGroups(),
    ShareFiles(),
    SetAutoReply(),
    MoveReports(),
    LeaveGroups(),
    GroupsThatStay(),
    LeaveLicenceGroups(),
    LeaveOwnerships(),
    OwnedApplications(),
    RemoveAppRoles(),
    RevokeGrants(),
    ReturnDevices(),
    WipeDevices(),
    ReleaseLicences(),
    ReassignLicences(),
    Rename(),
)


class Microsoft365(Connector[Graph, Microsoft365Facts]):
    """A client's Microsoft 365: the directory the interview asks, the lock-out, and what becomes of the rest."""

    id = VENDOR
    name = "Microsoft 365"
    settings = Microsoft365Settings
    facts_model = Microsoft365Facts
    steps = (*LOCK_OUT, *THE_REST)
    defaults = STANDING
    directory = True

    async def open(self, settings: Microsoft365Settings, around: Surroundings) -> Graph:
        api = Graph(settings, around)
        await api.load()
        return api

    async def close(self, api: Graph) -> None:
        await api.close()

    async def search(self, api: Graph, text: str) -> list[Account]:
        return await search_people(api, text)

    async def find(self, api: Graph, leaver: Account) -> list[Account]:
        return await find_person(api, leaver)

    async def facts(self, api: Graph, account: Account) -> Microsoft365Facts:
        return await read_facts(api, account)

    def questions(self, facts: Microsoft365Facts, choices: Choices) -> tuple[Question, ...]:
        return questions(facts, choices)

    def successors(self, facts: Microsoft365Facts) -> tuple[Account, ...]:
        manager = facts.belongings.manager
        if manager is None or not manager.enabled:
            return ()
        return (Account(system=VENDOR, id=manager.id, name=manager.name, mail=manager.mail),)

    def ways_in(self, facts: Microsoft365Facts, choices: Choices) -> tuple[WayIn, ...]:
        return ways_in(facts, choices)

    def cautions(self, facts: Microsoft365Facts) -> tuple[Caution, ...]:
        return cautions(facts)

    def recalled(self, facts: Microsoft365Facts, read: str) -> Json | None:
        known = facts.belongings
        if read != HELD_LICENCES or "licences" in known.unread:
            return None
        return held(known.licences)

    def reads(self) -> Mapping[str, Callable[[Graph, Account], Awaitable[Json]]]:
        return READS

    def reports(self, facts: Microsoft365Facts) -> frozenset[str]:
        return frozenset(facts.reports)

    async def check(self, api: Graph) -> tuple[Check, ...]:
        return await check_tenant(api, self.steps)

    async def restore(self, api: Graph, account: Account) -> OneTimeSecret | None:
        """A Temporary Access Pass, usable once within 60 minutes. Raises Refused when policy forbids it."""
        await api.load()
        try:
            value = await make_pass(api, account.id, RemoveSignInMethods.permissions, minutes=PASS_MINUTES)
        except RefusedWith as refused:
            if not refused_as(refused, "policy", "disabled", "not enabled"):
                raise
            raise Refused(
                VENDOR,
                refused.call,
                "the tenant's policy does not allow a Temporary Access Pass for this person",
                "Enable it in https://entra.microsoft.com under Authentication methods > Policies > Temporary "
                "Access Pass, including this person, then try again; or reset the password by hand.",
            ) from refused
        return OneTimeSecret(title="Temporary Access Pass", value=value, minutes=PASS_MINUTES)
