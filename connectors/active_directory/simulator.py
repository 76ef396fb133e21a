"""A stand-in for a client's domain controller on this machine: LDAPS on loopback, and every way it misbehaves.

It speaks the protocol, so any LDAP client works against it unmodified. State is `domain`, in plain dataclasses;
what was changed is `effects`. It opens nothing real, and keeps no password in its journals.
"""

from __future__ import annotations

import asyncio
import copy
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from connectors.active_directory import simulated_ber as ber
from connectors.active_directory.simulated_ber import Node
from connectors.active_directory.simulated_directory import Answer, Directory, Effect, Operation, Values
from connectors.active_directory.simulated_people import (
    BOT,
    Person,
    SimulatedDomain,
    sample_domain,
)
from connectors.contract import Json
from connectors.simulated_faults import Started, checked, due

RESULTS = {
    "busy": 51,
    "unavailable": 52,
    "timelimit": 3,
    "constraint": 19,
    "unwilling": 53,
    "other": 80,
    "referral": 10,
}
KINDS = (*RESULTS, "lost", "hang", "delay", "drop", "garbage")
_BIND, _BIND_RESULT, _UNBIND = 0x60, 0x61, 0x42
_SEARCH, _ENTRY, _SEARCH_DONE, _REFERENCE = 0x63, 0x64, 0x65, 0x73
_MODIFY, _MODIFY_RESULT, _EXTENDED, _EXTENDED_RESULT = 0x66, 0x67, 0x77, 0x78
_CONTROLS = 0xA0
_PAGED = "1.2.840.113556.1.4.319"
_ANSWERS = {_BIND: _BIND_RESULT, _SEARCH: _SEARCH_DONE, _MODIFY: _MODIFY_RESULT, _EXTENDED: _EXTENDED_RESULT}
_NOT_SIGNED_IN = "00002020: Operation unavailable without authentication; a successful bind must be completed"


@dataclass
class Fault:
    """Something that goes wrong for the next `calls` requests that match, or until removed.

    busy, unavailable, timelimit, constraint, unwilling, other, referral: that result, and nothing is done. lost: done,
    and the connection cut; hang: done, answered after `seconds`; delay: `seconds` before; drop: the connection cut
    before anything is done; garbage: no LDAP.
    """

    kind: str
    calls: int | None = 1
    match: str = ""
    """Part of 'bind NAME', 'search BASE' or 'modify NAME attribute, attribute'; empty matches every request."""
    seconds: float = 0
    until: datetime | None = None


@dataclass(frozen=True)
class Call:
    """One request and its result code; values and passwords are not kept."""

    number: int
    at: datetime
    what: str
    code: int

    def __str__(self) -> str:
        return self.what


class _Cut(Exception):
    """The connection ends here."""


@dataclass
class _Guest:
    """One connection, and who it is signed in as."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    person: Person | None = None


@dataclass
class SimulatedActiveDirectory(Started):
    """Start it with `async with`, then take `settings()` and `ca_file`."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    tls: tuple[Path, Path, Path] | None = None
    """Certificate, key and authority to use instead of ones made at start."""
    port: int = 0
    domain: SimulatedDomain = field(default_factory=sample_domain)
    calls: list[Call] = field(default_factory=list[Call])
    effects: list[Effect] = field(default_factory=list[Effect])
    faults: list[Fault] = field(default_factory=list[Fault])

    def __post_init__(self) -> None:
        self._at_first = copy.deepcopy(self.domain)
        self._server: asyncio.Server | None = None
        self._guests: set[asyncio.StreamWriter] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="simulated-domain-")

    async def start(self) -> None:
        """Listen on loopback; the port is chosen by the system unless given."""
        certificate, key, self.ca_file = self.tls or _make_certificate(Path(self._folder.name))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and hang up on whoever is there."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._guests):
                writer.transport.abort()
            await self._server.wait_closed()
        self._folder.cleanup()

    def settings(self, bind: str = BOT, password: str = "env/DOMAIN_PASSWORD") -> Json:  # noqa: S107 - a reference
        """What clients.yml would say."""
        return {
            "servers": [f"localhost:{self.port}"],
            "bind_name": f"{bind}@{self.domain.dns}",
            "bind_password": password,
        }

    def fail(self, fault: Fault) -> Fault:
        """Let something go wrong; returned for removal."""
        checked(fault.kind, KINDS)
        self.faults.append(fault)
        return fault

    def reset(self) -> None:
        """The people of the start again, no faults, empty journals."""
        self.domain = copy.deepcopy(self._at_first)
        self.calls.clear()
        self.effects.clear()
        self.faults.clear()

    # --- the wire

    @property
    def _directory(self) -> Directory:
        known = self.__dict__.get("_known")
        if not isinstance(known, Directory) or known.domain is not self.domain:
            known = self.__dict__["_known"] = Directory(self.domain, self.now, self.effects)
        return known

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guest = _Guest(reader, writer)
        self._guests.add(writer)
        try:
            while (message := await ber.read_message(reader)) is not None:
                await self._answer(guest, message)
        except (_Cut, OSError):
            writer.transport.abort()
        finally:
            self._guests.discard(writer)
            writer.close()

    async def _answer(self, guest: _Guest, message: Node) -> None:
        number, request, *rest = message.parts
        if request.tag == _UNBIND:
            raise _Cut
        what = _described(request)
        fault = due(self.faults, what, self.now())
        if fault and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        if fault and fault.kind == "drop":
            raise _Cut
        if fault and fault.kind == "garbage":
            guest.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            raise _Cut
        parts: list[bytes] = []
        code, said, controls = 0, "", b""
        try:
            if fault and fault.kind in RESULTS:
                raise Answer(RESULTS[fault.kind], "0000202C: the stand-in was told to say so")  # noqa: TRY301
            parts, controls = self._carry_out(guest, request, rest)
        except Answer as answer:
            code, said = answer.code, answer.message
        self.calls.append(Call(len(self.calls) + 1, self.now(), what, code))
        if fault and fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        if fault and fault.kind == "lost":
            raise _Cut
        result = ber.wrap(
            _ANSWERS.get(request.tag, _EXTENDED_RESULT),
            ber.number(code, ber.ENUMERATED),
            ber.octets(""),
            ber.octets(said),
        )
        head = ber.octets(number.value, ber.INTEGER)
        for part in parts:
            guest.writer.write(ber.wrap(ber.SEQUENCE, head, part))
        guest.writer.write(ber.wrap(ber.SEQUENCE, head, result, controls))
        await guest.writer.drain()

    def _carry_out(self, guest: _Guest, request: Node, rest: list[Node]) -> tuple[list[bytes], bytes]:
        if request.tag == _BIND:
            _, name, credentials = request.parts
            guest.person = None
            guest.person = self._directory.sign_in(name.text, credentials.text)
            return [], b""
        if request.tag == _SEARCH:
            return self._search(guest, request, rest)
        if guest.person is None:
            raise Answer(1, _NOT_SIGNED_IN)
        if request.tag != _MODIFY:
            raise Answer(2, "this stand-in knows no such operation")
        name, changes = request.parts
        operations = [_operation(change) for change in changes.parts]
        self._directory.modify(name.text, operations, guest.person)
        return [], b""

    def _search(self, guest: _Guest, request: Node, rest: list[Node]) -> tuple[list[bytes], bytes]:
        base, scope, _, _, _, _, filter_, wanted = request.parts
        if guest.person is None and (base.value or scope.number):
            raise Answer(1, _NOT_SIGNED_IN)
        by = guest.person or Person("nobody", "nobody")
        found = self._directory.search(base.text, scope.number, filter_, by)
        attributes = [one.text for one in wanted.parts]
        entries = [_entry(dn, values, attributes) for dn, values in found]
        # A real domain points at its other parts whenever it is searched from its root.
        elsewhere = ber.wrap(_REFERENCE, ber.octets(f"ldaps://{self.domain.dns}/CN=Configuration,{self.domain.base}"))
        references = [elsewhere] if base.text == self.domain.base and scope.number else []
        page = _page(rest)
        if page is None:
            if len(entries) > self.domain.most_at_once:
                raise Answer(4, "")
            return entries + references, b""
        size, start = page
        end = start + min(size, self.domain.most_at_once)
        more = str(end) if end < len(entries) else ""
        value = ber.wrap(ber.SEQUENCE, ber.number(0), ber.octets(more))
        control = ber.wrap(ber.SEQUENCE, ber.octets(_PAGED), ber.octets(value))
        return entries[start:end] + ([] if more else references), ber.wrap(_CONTROLS, control)


def _described(request: Node) -> str:
    match request.tag:
        case 0x60:
            return f"bind {request.parts[1].text}"
        case 0x63:
            return f"search {request.parts[0].text}"
        case 0x66:
            changed = [change.parts[1].parts[0].text for change in request.parts[1].parts]
            return f"modify {request.parts[0].text} {', '.join(dict.fromkeys(changed))}"
        case _:
            return f"operation {request.tag:#x}"


def _operation(change: Node) -> Operation:
    kind, attribute = change.parts
    name, values = attribute.parts
    return Operation(kind.number, name.text, tuple(value.value for value in values.parts))


def _entry(dn: str, values: Values, wanted: list[str]) -> bytes:
    """Names of attributes come back as they were asked for."""
    attributes = [
        ber.wrap(ber.SEQUENCE, ber.octets(name), ber.wrap(ber.SET, *map(ber.octets, values[name.casefold()])))
        for name in wanted
        if name.casefold() in values
    ]
    return ber.wrap(_ENTRY, ber.octets(dn), ber.wrap(ber.SEQUENCE, *attributes))


def _page(rest: list[Node]) -> tuple[int, int] | None:
    """Size and start of the page asked for."""
    for control in (one for part in rest if part.tag == _CONTROLS for one in part.parts):
        parts = control.parts
        if parts[0].text == _PAGED:
            size, cookie = Node(0, parts[-1].value).parts[0].parts
            return size.number, int(cookie.text or "0")
    return None


def _make_certificate(folder: Path) -> tuple[Path, Path, Path]:
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key, ca_file = folder / "certificate.pem", folder / "key.pem", folder / "ca.pem"
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(str(certificate), append=number > 0)
    issued.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(ca_file))
    return certificate, key, ca_file
