"""Whether the steps would work at a client: each controller reachable by LDAPS, our account taken, people readable."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.active_directory.client import Domain
from connectors.active_directory.filters import PERSON
from connectors.active_directory.refusals import NO_SUCH_OBJECT, is_code
from connectors.active_directory.wire import MOST, Session
from connectors.contract import AnyStep, Check, Refused, VendorError
from connectors.http import RefusedWith

_FIX = "Correct base_dn in clients.yml, or let the bot's account read what is there."


async def check_domain(api: Domain, steps: Sequence[AnyStep]) -> tuple[Check, ...]:
    """Every listed controller, side by side; what can't be tried is said."""

    def look(session: Session) -> tuple[str, int]:
        base = api.base(session)
        return base, _people(session, base)

    told = await api.read_each(look)
    # Any one of them is enough to go on with: the next one is asked.
    works = any(isinstance(one, tuple) and one[1] for one in told.values())
    needing = () if works else tuple(step.id for step in steps)
    servers = [_server(server, one, needing) for server, one in told.items()]
    rights = ", ".join(dict.fromkeys(name for step in steps for name in step.permissions))
    unproved = Check(
        "Rights to change",
        ok=True,
        said=f"Not verified: nothing short of a change shows them. Needed on every leaver: {rights}.",
    )
    return (*servers, unproved)


def _people(session: Session, base: str) -> int:
    """How many people our account sees there."""
    try:
        return len(session.all(base, PERSON, ("sAMAccountName",)))
    except Refused as refused:
        if isinstance(refused, RefusedWith):
            raise
        # More than one search may bring; nobody is ever looked for by asking for all of them.
        return MOST


def _server(server: str, told: tuple[str, int] | VendorError, steps: tuple[str, ...]) -> Check:
    title = f"Server {server}"
    if isinstance(told, Refused) and is_code(told, NO_SUCH_OBJECT):
        return Check(
            title, ok=False, said="It has no such base_dn, or lets us read nothing of it.", fix=_FIX, steps=steps
        )
    if isinstance(told, VendorError):
        fix = told.fix or "Look whether it runs and its port can be reached from here."
        return Check(title, ok=False, said=f"{told.call}: {told.message}", fix=fix, steps=steps)
    base, people = told
    if not people:
        return Check(title, ok=False, said=f"Our account sees nobody in {base}.", fix=_FIX, steps=steps)
    return Check(title, ok=True, said=f"LDAPS and sign-in work; our account sees {people} people in {base}.")
