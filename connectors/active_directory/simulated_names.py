"""Distinguished names as the simulated domain writes and compares them (RFC 4514)."""

from __future__ import annotations

import re
import uuid

_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)
_GUID = re.compile(r"<GUID=([0-9A-Fa-f-]{32,36})>", re.IGNORECASE)

Path = tuple[str, ...]
"""A name in parts, unescaped and in small letters, for comparing."""


def escaped(value: str) -> str:
    """The value of one part, as it must be written."""
    value = re.sub(r'([\\,+"<>;=])', r"\\\1", value)
    value = re.sub(r"^([ #])", r"\\\1", value)
    return re.sub(r" $", r"\\ ", value)


def path(name: str) -> Path:
    """The name in parts: 'CN=Doe\\, Jane,DC=x' → ('cn=doe, jane', 'dc=x')."""
    parts = _split(name.encode())
    return tuple(_unescaped(part).decode("utf-8", "replace").casefold() for part in parts if part)


def guid_in(name: str) -> uuid.UUID | None:
    """The GUID of a '<GUID=…>' name."""
    found = _GUID.fullmatch(name)
    return uuid.UUID(found[1]) if found else None


def _split(raw: bytes) -> list[bytes]:
    parts: list[bytes] = [b""]
    at = 0
    while at < len(raw):
        step = 2 if raw[at : at + 1] == b"\\" else 1
        if raw[at : at + 1] == b",":
            parts.append(b"")
        else:
            parts[-1] += raw[at : at + step]
        at += step
    return parts


def _unescaped(part: bytes) -> bytes:
    def put(found: re.Match[bytes]) -> bytes:
        inside = found[1]
        return bytes.fromhex(inside.decode()) if len(inside) == 2 else inside

    return _ESCAPED.sub(put, part)
