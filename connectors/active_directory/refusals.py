"""What a domain controller's answer means to us: the contract's surprises, with the fix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from connectors.contract import Refused, SignInFailed, Throttled, Unreachable, VendorError
from connectors.http import RefusedWith, redact

VENDOR: Final = "active_directory"

SUCCESS = 0
TIME_LIMIT = 3
STRONGER_AUTH = 8
REFERRAL = 10
NO_SUCH_ATTRIBUTE = 16
CONSTRAINT = 19
ALREADY_THERE = 20
NO_SUCH_OBJECT = 32
INVALID_CREDENTIALS = 49
NO_RIGHTS = 50
BUSY = 51
UNAVAILABLE = 52
UNWILLING = 53
ENTRY_EXISTS = 68
OTHER = 80

BUSY_SECONDS = 2.0
_INAPPROPRIATE_AUTH = 48
_OPERATIONS_ERROR = 1
_DATA = re.compile(r"\bdata ([0-9a-fA-F]+)")

# The 'data' of a refused bind (Microsoft, "LDAP bind error codes" / winerror.h, read 2026-11): cause, fix.
_BIND: Mapping[str, tuple[str, str]] = {
    "525": ("there is no such account", "Check bind_name in clients.yml."),
    "52e": ("wrong name or password", "Check bind_name, and what lies behind bind_password in clients.yml."),
    "530": ("it may not sign in at this hour", "Lift the logon hours from the bot's account."),
    "531": ("it may not sign in from this computer", "Lift the workstation restriction from the bot's account."),
    "532": ("its password has expired", "Set a new one, store it, and let the bot's password not expire."),
    "533": ("it is disabled", "Enable the bot's account again, or name another in clients.yml."),
    "701": ("it has expired", "Take the expiry date off the bot's account."),
    "773": ("it must change its password first", "Set its password without 'must change at next logon'."),
    "775": ("it is locked out", "Find out who tried its password, unlock it, then retry."),
}
_UNKNOWN_BIND = ("the domain refused", "Check bind_name and bind_password in clients.yml.")

Meanings = Mapping[int, tuple[str, str]]
"""What some result codes mean for one call: code → what happened, and the fix."""


def bind_failure(code: int, message: str, name: str) -> VendorError:
    """Why our account could not sign in; `name` is its bind name."""
    call = f"sign in as {name}"
    if code == INVALID_CREDENTIALS:
        data = found[1].lower() if (found := _DATA.search(message)) else ""
        cause, fix = _BIND.get(data, _UNKNOWN_BIND)
        return SignInFailed(VENDOR, call, f"{cause} (data {data})" if data else cause, fix)
    if code in {STRONGER_AUTH, _INAPPROPRIATE_AUTH}:
        return SignInFailed(
            VENDOR,
            call,
            "the domain asks for a stronger way of signing in than a password over TLS",
            "Check the controllers' LDAP signing policy, and that bind_name may sign in with a password.",
        )
    return failure(call, code, "", message)


def failure(
    call: str, code: int, name: str, message: str, *, right: str = "", means: Meanings | None = None
) -> VendorError:
    """What a result other than success means. `right` is the permission to name when it is missing."""
    said = _said(name, code, message)
    if code == BUSY:
        return Throttled(VENDOR, call, BUSY_SECONDS)
    if code in {TIME_LIMIT, UNAVAILABLE, OTHER}:
        return Unreachable(VENDOR, call, f"answered {said}, so it may or may not have happened")
    if code == _OPERATIONS_ERROR and "bind" in message.casefold():
        return SignInFailed(
            VENDOR, call, "the server does not take us for signed in", "Check bind_name and its password."
        )
    if means and code in means:
        what, fix = means[code]
        return RefusedWith(VENDOR, call, f"{what} ({said})", fix, code, name)
    if code == NO_RIGHTS:
        fix = (
            f"Delegate '{right}' to the bot's account for this object. Administrators and former ones "
            "(adminCount 1) inherit no delegation: those are done by hand, or their permissions reset."
            if right
            else "Let the bot's account read this."
        )
        return RefusedWith(VENDOR, call, f"the bot's account may not do that ({said})", fix, code, name)
    if code == STRONGER_AUTH:
        fix = "Check the controllers' LDAP signing policy."
        return RefusedWith(VENDOR, call, f"the server asks for a more secure connection ({said})", fix, code, name)
    if code == REFERRAL:
        fix = "Check base_dn in clients.yml: each domain of a forest is a system of its own."
        return RefusedWith(
            VENDOR, call, f"that lies in another domain, and we follow nobody there ({said})", fix, code, name
        )
    return RefusedWith(VENDOR, call, f"answered {said}", "", code, name)


def is_code(error: Refused, *codes: int) -> bool:
    """Whether the server refused with one of these result codes."""
    return isinstance(error, RefusedWith) and error.status in codes


def _said(name: str, code: int, message: str) -> str:
    told = redact(" ".join(message.replace("\0", "").split()))
    return f"{name or 'result'} {code}: {told}" if told else f"{name or 'result'} {code}"
