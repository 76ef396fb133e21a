"""Conditions, ConnectWise's own query language, made so that no value can ever change what is asked.

How a quote inside a string is escaped is nowhere documented. So nothing is: what could end the string becomes a
wildcard, and whoever asks compares the answers exactly.
"""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"""["\\*%\[\]\r\n\t]+""")


def equals(field: str, value: str | int | bool) -> str:
    """The condition that a field is this; a text with special characters asks for more than it, never for less."""
    if isinstance(value, bool):
        return f"{field}={value}"
    if isinstance(value, int):
        return f"{field}={value}"
    if _SPECIAL.search(value):
        return f'{field} like "{_SPECIAL.sub("*", value)}"'
    return f'{field}="{value}"'


def ends_with(field: str, value: str) -> str:
    """The condition that a text ends so."""
    return f'{field} like "*{_SPECIAL.sub("*", value)}"'


def begins_with(field: str, value: str) -> str:
    """The condition that a text begins so."""
    return f'{field} like "{_SPECIAL.sub("*", value)}*"'


def any_of(*conditions: str) -> str:
    """At least one of them."""
    return conditions[0] if len(conditions) == 1 else f"({' or '.join(conditions)})"


def all_of(*conditions: str) -> str:
    """Every one of them."""
    return " and ".join(conditions)
