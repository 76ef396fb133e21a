"""The few parts of BER that LDAP is written in (RFC 4511 5.1), for the stand-in's side of the wire.

Written here and not taken from ldap3: a stand-in that shares its client's code shares its mistakes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

SEQUENCE, SET, OCTETS, INTEGER, ENUMERATED, BOOLEAN = 0x30, 0x31, 0x04, 0x02, 0x0A, 0x01


@dataclass(frozen=True)
class Node:
    """One element: its tag and what is in it."""

    tag: int
    value: bytes

    @property
    def parts(self) -> list[Node]:
        """The elements inside."""
        found: list[Node] = []
        at = 0
        while at < len(self.value):
            length, start = _length(self.value, at + 1)
            found.append(Node(self.value[at], self.value[start : start + length]))
            at = start + length
        return found

    @property
    def text(self) -> str:
        """As text."""
        return self.value.decode("utf-8", "replace")

    @property
    def number(self) -> int:
        """As a number."""
        return int.from_bytes(self.value, "big", signed=True)


async def read_message(reader: asyncio.StreamReader) -> Node | None:
    """The next message; None when the other side has gone."""
    try:
        head = await reader.readexactly(2)
        if head[1] & 0x80:
            head += await reader.readexactly(head[1] & 0x7F)
        length, _ = _length(head, 1)
        return Node(head[0], await reader.readexactly(length))
    except (asyncio.IncompleteReadError, OSError):
        return None


def wrap(tag: int, *parts: bytes) -> bytes:
    """An element with these inside."""
    value = b"".join(parts)
    if len(value) < 0x80:
        return bytes((tag, len(value))) + value
    size = len(value).to_bytes(4, "big").lstrip(b"\0")
    return bytes((tag, 0x80 | len(size))) + size + value


def octets(value: bytes | str, tag: int = OCTETS) -> bytes:
    """An octet string."""
    return wrap(tag, value.encode() if isinstance(value, str) else value)


def number(value: int, tag: int = INTEGER) -> bytes:
    """An integer or an enumerated."""
    return wrap(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The length that stands there, and where its content begins."""
    first = data[at]
    if not first & 0x80:
        return first, at + 1
    end = at + 1 + (first & 0x7F)
    return int.from_bytes(data[at + 1 : end], "big"), end
