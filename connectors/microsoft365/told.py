"""What the people deciding must be told about a leaver, and which ways into Microsoft 365 they have."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from connectors.contract import Caution, Choices, WayIn
from connectors.microsoft365.admin_roles import EndEligibility, RemoveRoles
from connectors.microsoft365.domain import DOMAIN, CheckAfterSync, DomainAccount
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.shapes import access_ends
from connectors.microsoft365.steps import BlockSignIn, RemoveSignInMethods, ResetPassword, RevokeSessionsAgain

_CONTINUOUS = timedelta(minutes=15)
_TOKEN_LIFE = timedelta(hours=1)
# Words that people don't carry in a sign-in name, and accounts for machines do.
_MACHINE = re.compile(
    r"(?i)(^|[._-])(svc|service|scan|scanner|noreply|no-reply|sync|backup|api|bot|kiosk|admin)([._@-]|$)"
)


def ways_in(facts: Microsoft365Facts, choices: Choices) -> tuple[WayIn, ...]:
    """Every way in, each with the steps that end it, or why the client leaves it open. Pure."""
    if access_ends(choices):
        return _ways_in(facts)
    stays = choices.get("access.stays") or "some access stays"
    return tuple(replace(way, kept=stays) for way in _ways_in(facts))


def _ways_in(facts: Microsoft365Facts) -> tuple[WayIn, ...]:
    ways = [_sign_in(facts), _sessions(facts)]
    if not facts.guest:
        ways.append(
            WayIn(
                id="microsoft365.sign_in_methods",
                title="Phones, keys and apps registered for sign-in",
                ended_by=(RemoveSignInMethods.id,),
            )
        )
    roles = tuple(step.id for step in (RemoveRoles(), EndEligibility()) if step.wanted({}, facts))
    if roles:
        ways.append(WayIn(id="microsoft365.roles", title="Administrator roles", ended_by=roles))
    if facts.synced:
        ways.append(
            WayIn(
                id="microsoft365.domain_account",
                title="Domain account",
                ended_by=(DomainAccount.id,),
                lingers=timedelta(hours=10),
                why_lingers="Kerberos tickets already issued open domain resources for up to 10 hours",
                stands_in_for=DOMAIN,
            )
        )
        ways.append(
            WayIn(
                id="microsoft365.after_sync",
                title="Sign-in after the next sync from the domain",
                ended_by=(CheckAfterSync.id,),
            )
        )
    return tuple(ways)


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


def cautions(facts: Microsoft365Facts) -> tuple[Caution, ...]:
    """What must be known before anybody decides, the gravest first. Pure."""
    return (*_deleted(facts), *_administrator(facts), *_kind(facts), *_unread(facts))


def _deleted(facts: Microsoft365Facts) -> list[Caution]:
    if not facts.deleted:
        return []
    until = facts.deleted + timedelta(days=30)
    return [
        Caution(
            f"This account was deleted on {facts.deleted:%Y-%m-%d}. Until {until:%Y-%m-%d} it can be restored with its "
            "licences, mailbox and groups; then it is gone. Check that this is the person you mean.",
            bars_immediate=True,
        )
    ]


def _administrator(facts: Microsoft365Facts) -> list[Caution]:
    told: list[Caution] = []
    if facts.break_glass:
        told.append(
            Caution("This is an emergency (break-glass) account. The bot will not touch it.", bars_immediate=True)
        )
    if facts.privileged:
        held = [f"{role.name} ({role.how})" for role in facts.roles if role.privileged]
        held += [f"group {name}" for name in facts.role_groups]
        who_does = "" if facts.may_change_admins else " Our application may not change them: a technician does it."
        told.append(Caution(f"They are an administrator: {', '.join(held)}.{who_does}", bars_immediate=True))
    if facts.last_global_administrator:
        told.append(
            Caution(
                "No other enabled Global Administrator is known in this tenant: locking them out may "
                "lock everybody out.",
                bars_immediate=True,
                approvers=2,
                proof="State which other administrator access to this tenant you tested just now, and how.",
            )
        )
    return told


def _kind(facts: Microsoft365Facts) -> list[Caution]:
    told: list[Caution] = []
    purpose = facts.belongings.purpose
    if purpose in ("room", "equipment", "shared"):
        told.append(
            Caution(
                f"This is a {purpose} mailbox, not a person: what uses it stops working.",
                bars_immediate=True,
            )
        )
    elif service_account(facts):
        told.append(
            Caution(
                "This looks like an account for a machine or a service, not a person: what signs in with it stops "
                "working. Find out what that is first.",
                bars_immediate=True,
            )
        )
    if facts.synced:
        told.append(
            Caution(
                "The account is synced from a domain: until it is disabled there, the next sync (within some "
                "30 minutes) undoes the block."
            )
        )
    if facts.federated:
        told.append(Caution("They sign in at another identity provider: end the password and sessions there, too."))
    if facts.guest:
        told.append(Caution("They are a guest: their own account lives in another tenant and is not ended here."))
    if not facts.enabled and not facts.deleted:
        told.append(Caution("Sign-in is already blocked."))
    return told


def _unread(facts: Microsoft365Facts) -> list[Caution]:
    told: list[Caution] = []
    if facts.unknown:
        told.append(Caution(" ".join(facts.unknown), bars_immediate=facts.roles_unknown or facts.reports_unknown))
    if facts.belongings.unread and facts.display_name:
        parts, why = ", ".join(facts.belongings.unread), " ".join(facts.belongings.why)
        told.append(Caution(f"What they have besides access is not all known ({parts}): it is looked at later. {why}"))
    return told


def service_account(facts: Microsoft365Facts) -> bool:
    """Whether it looks like a machine's account: nobody's name and title, or a name that says so."""
    if facts.guest or facts.deleted:
        return False
    named_so = bool(_MACHINE.search(facts.user_name.partition("@")[0]))
    return (facts.nameless and bool(facts.display_name)) or (named_so and not facts.belongings.manager)
