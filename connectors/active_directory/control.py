"""userAccountControl: its bits, and changing one of them without losing another."""

from __future__ import annotations

from connectors.active_directory.refusals import (
    ALREADY_THERE,
    CONSTRAINT,
    NO_SUCH_ATTRIBUTE,
    UNWILLING,
    VENDOR,
    Meanings,
    is_code,
)
from connectors.active_directory.wire import Entry, Session
from connectors.contract import Refused, Throttled

# MS-ADTS 2.2.16.
DISABLED = 0x2
SERVER_TRUST = 0x2000
PARTIAL_SECRETS = 0x0400_0000
DOMAIN_CONTROLLER = SERVER_TRUST | PARTIAL_SECRETS
"""Either bit: a domain controller, a read-only one."""

RIGHT = "Write userAccountControl"

_CALL = "modify userAccountControl"
_MEANS: Meanings = {
    UNWILLING: (
        "the domain will not set it so",
        "Most often the account's password does not meet the policy; reset the password first, then retry.",
    ),
    CONSTRAINT: ("the domain does not allow that combination of flags", "Look at the account's options by hand."),
}


def control_of(entry: Entry) -> int:
    """The value. Raises Refused when we may not read it: absent means neither enabled nor disabled."""
    control = entry.number("userAccountControl")
    if control is None:
        raise Refused(
            VENDOR,
            "read userAccountControl",
            "the bot's account may not read it",
            "Delegate 'Read userAccountControl' to it for this object.",
        )
    return control


def is_disabled(entry: Entry) -> bool:
    """Whether the account is turned off. Raises Refused when that can't be read."""
    return bool(control_of(entry) & DISABLED)


def turn_off(session: Session, entry: Entry) -> None:
    """Disable what was just read; nothing to do where it is disabled. Raises Throttled when it changed meanwhile."""
    control = control_of(entry)
    if not control & DISABLED:
        _swap(session, entry.dn, control, control | DISABLED)


def turn_on(session: Session, entry: Entry) -> None:
    """Enable it again, all other bits as they are now."""
    control = control_of(entry)
    if control & DISABLED:
        _swap(session, entry.dn, control, control & ~DISABLED)


def _swap(session: Session, dn: str, old: int, new: int) -> None:
    """Take `old` away and put `new` there in one modification: it fails if another value stands there by now."""
    try:
        changes = {"userAccountControl": (("delete", (str(old),)), ("add", (str(new),)))}
        session.change(dn, changes, right=RIGHT, means=_MEANS)
    except Refused as refused:
        if not is_code(refused, NO_SUCH_ATTRIBUTE, ALREADY_THERE, CONSTRAINT, UNWILLING):
            raise
        now = session.one(dn, ("userAccountControl",))
        if now is None or control_of(now) != old:
            # Somebody else changed it in between, and nothing happened: read again, then decide.
            raise Throttled(VENDOR, _CALL, 1) from None
        # Should a server not take the pair (unverified on Windows), a lock-out must not fail for that.
        session.change(dn, {"userAccountControl": (("replace", (str(new),)),)}, right=RIGHT, means=_MEANS)
