"""Search filters and values as LDAP wants them; the escaping is ldap3's (RFC 4515)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

IN_CHAIN = "1.2.840.113556.1.4.1941"
"""LDAP_MATCHING_RULE_IN_CHAIN: members of members, however deep (MS-ADTS 3.1.1.3.4.4.3)."""
ANYTHING = "(objectClass=*)"
PERSON = "(sAMAccountType=805306368)"
"""SAM_NORMAL_USER_ACCOUNT: people and service accounts, never computers or contacts; indexed (MS-ADTS 2.2.15)."""

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_NEVER = 0x7FFF_FFFF_FFFF_FFFF


def equals(attribute: str, value: str | bytes, rule: str = "") -> str:
    """`(attribute=value)` with everything in the value taken literally; `rule` is a matching rule's OID."""
    from ldap3.utils.conv import escape_bytes, escape_filter_chars

    literal = escape_bytes(value) if isinstance(value, bytes) else escape_filter_chars(value)
    return f"({attribute}:{rule}:={literal})" if rule else f"({attribute}={literal})"


def both(*filters: str) -> str:
    """All of them."""
    return f"(&{''.join(filters)})"


def either(*filters: str) -> str:
    """At least one of them."""
    return f"(|{''.join(filters)})"


def by_guid(guid: str) -> str:
    """A distinguished name that outlives renaming and moving (MS-ADTS 3.1.1.3.1.2.4)."""
    return f"<GUID={uuid.UUID(guid)}>"


def guid_text(value: bytes) -> str:
    """objectGUID as text, in small letters."""
    return str(uuid.UUID(bytes_le=value))


def sid_text(value: bytes) -> str:
    """objectSid as text: 'S-1-5-21-…-512' (MS-DTYP 2.4.2)."""
    parts = [int.from_bytes(value[at : at + 4], "little") for at in range(8, len(value), 4)]
    return "-".join(["S", str(value[0]), str(int.from_bytes(value[2:8], "big")), *map(str, parts)])


def moment(ticks: int | None) -> datetime | None:
    """A FILETIME (100 ns since 1601) in UTC; None for 'never' and 'not set'."""
    if not ticks or ticks >= _NEVER:
        return None
    return _EPOCH + timedelta(microseconds=ticks // 10)
