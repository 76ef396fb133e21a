"""Microsoft 365 as the rest of the house sees it: its people, facts, ways in, cautions and steps."""

from __future__ import annotations

from datetime import timedelta

from connectors.contract import (
    Account,
    Caution,
    Choices,
    Connector,
    OneTimeSecret,
    Refused,
    Surroundings,
    WayIn,
)
from connectors.http import RefusedWith
from connectors.microsoft365.client import VENDOR, Graph, make_pass, refused_as
from connectors.microsoft365.facts import Microsoft365Facts, read_facts
from connectors.microsoft365.people import find_person, search_people
from connectors.microsoft365.settings import Microsoft365Settings
from connectors.microsoft365.steps import (
    STEPS,
    BlockSignIn,
    DomainAccount,
    RemoveSignInMethods,
    ResetPassword,
    RevokeSessionsAgain,
)

PASS_MINUTES = 60
_CONTINUOUS = timedelta(minutes=15)
_TOKEN_LIFE = timedelta(hours=1)


class Microsoft365(Connector[Graph, Microsoft365Facts]):
    """A client's Microsoft 365: the directory the interview asks, and the lock-out."""

    id = VENDOR
    name = "Microsoft 365"
    settings = Microsoft365Settings
    facts_model = Microsoft365Facts
    steps = STEPS
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

    def ways_in(self, facts: Microsoft365Facts, choices: Choices) -> tuple[WayIn, ...]:
        ways = [_sign_in(facts), _sessions(facts)]
        if not facts.guest:
            ways.append(
                WayIn(
                    id="microsoft365.sign_in_methods",
                    title="Phones, keys and apps registered for sign-in",
                    ended_by=(RemoveSignInMethods.id,),
                )
            )
        if facts.synced:
            ways.append(
                WayIn(
                    id="microsoft365.domain_account",
                    title="Domain account",
                    ended_by=(DomainAccount.id,),
                    lingers=timedelta(hours=10),
                    why_lingers="Kerberos tickets already issued open domain resources for up to 10 hours",
                )
            )
        return tuple(ways)

    def cautions(self, facts: Microsoft365Facts) -> tuple[Caution, ...]:
        return tuple(_cautions(facts))

    def reports(self, facts: Microsoft365Facts) -> frozenset[str]:
        return frozenset(facts.reports)

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


def _sign_in(facts: Microsoft365Facts) -> WayIn:
    title = "Sign-in as a guest" if facts.guest else "Sign-in"
    steps = (BlockSignIn(), ResetPassword())
    return WayIn(
        id="microsoft365.sign_in",
        title=title,
        ended_by=tuple(step.id for step in steps if step.wanted({}, facts)),
        why_lingers=(
            "their account in the home tenant is not ours to end: only the access to this tenant ends"
            if facts.guest
            else ""
        ),
    )


def _sessions(facts: Microsoft365Facts) -> WayIn:
    # Continuous access evaluation acts within 15 minutes in Exchange, SharePoint and Teams; other apps keep
    # an access token until it expires, about an hour (Entra "continuous access evaluation", read 2026-11).
    if facts.guest:
        return WayIn(
            id="microsoft365.sessions",
            title="Open sessions in this tenant",
            ended_by=(BlockSignIn.id,),
            lingers=_TOKEN_LIFE,
            why_lingers="a guest's sessions belong to the home tenant: tokens for this one run out within an hour",
        )
    minutes = int(_CONTINUOUS.total_seconds() // 60)
    return WayIn(
        id="microsoft365.sessions",
        title="Open sessions",
        # A session opened before the block was confirmed is no older than that block.
        ended_by=(*_sign_in(facts).ended_by, RevokeSessionsAgain.id),
        lingers=_TOKEN_LIFE,
        why_lingers=(
            f"Exchange, SharePoint and Teams close open sessions within {minutes} minutes; other apps keep a "
            "token for up to an hour. Files already synced and other vendors' own sessions are not ended"
        ),
    )


def _cautions(facts: Microsoft365Facts) -> list[Caution]:
    cautions: list[Caution] = []
    if facts.break_glass:
        cautions.append(
            Caution("This is an emergency (break-glass) account. The bot will not touch it.", bars_immediate=True)
        )
    if facts.privileged:
        held = [f"{role.name} ({role.how})" for role in facts.roles if role.privileged]
        held += [f"group {name}" for name in facts.role_groups]
        who_does = "" if facts.may_change_admins else " Our application may not change them: a technician does it."
        cautions.append(Caution(f"They are an administrator: {', '.join(held)}.{who_does}", bars_immediate=True))
    if facts.last_global_administrator:
        cautions.append(
            Caution(
                "No other enabled Global Administrator is known in this tenant: locking them out may "
                "lock everybody out.",
                bars_immediate=True,
                approvers=2,
                proof="State which other administrator access to this tenant you tested just now, and how.",
            )
        )
    if facts.synced:
        cautions.append(
            Caution(
                "The account is synced from a domain: until it is disabled there, the next sync (within some "
                "30 minutes) undoes the block."
            )
        )
    if facts.federated:
        cautions.append(Caution("They sign in at another identity provider: end the password and sessions there, too."))
    if facts.guest:
        cautions.append(Caution("They are a guest: their own account lives in another tenant and is not ended here."))
    if not facts.enabled:
        cautions.append(Caution("Sign-in is already blocked."))
    if facts.unknown:
        cautions.append(Caution(" ".join(facts.unknown), bars_immediate=facts.roles_unknown or facts.reports_unknown))
    return cautions
