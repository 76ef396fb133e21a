"""One signed-in LDAPS connection to one domain controller: blocking, used in one thread, and read as plain values.

ldap3 does the protocol. Its certificate checks are replaced by Python's own, referrals are never followed,
and nothing is repeated.
"""

from __future__ import annotations

import functools
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from connectors.active_directory.filters import ANYTHING
from connectors.active_directory.refusals import (
    INVALID_CREDENTIALS,
    NO_SUCH_OBJECT,
    SUCCESS,
    VENDOR,
    Meanings,
    bind_failure,
    failure,
)
from connectors.contract import Refused, Unreachable, VendorError
from connectors.http import redact

if TYPE_CHECKING:
    from ldap3 import Connection

PAGE = 500
"""Objects asked for at once; a controller gives at most 1,000 (MaxPageSize, MS-ADTS 3.1.1.3.4.6)."""
MOST = 20_000
_PAGED = "1.2.840.113556.1.4.319"

Value = bytes | str
Change = tuple[str, Sequence[Value]]
"""'add', 'delete' or 'replace', and the values."""


@dataclass(frozen=True)
class Entry:
    """One object as it was read: its distinguished name now, and the attributes asked for."""

    dn: str
    values: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict[str, tuple[bytes, ...]])

    def raw(self, name: str) -> bytes | None:
        """The first value as it came; None when there is none, or when we may not read it."""
        values = self.values.get(name.casefold(), ())
        return values[0] if values else None

    def texts(self, name: str) -> tuple[str, ...]:
        """All values as text."""
        return tuple(value.decode("utf-8", "replace") for value in self.values.get(name.casefold(), ()))

    def text(self, name: str) -> str:
        """The first value as text; '' when there is none."""
        return next(iter(self.texts(name)), "")

    def number(self, name: str) -> int | None:
        """The first value as a number; None when there is none."""
        text = self.text(name)
        return int(text) if text.lstrip("-").isdigit() else None


@dataclass(frozen=True)
class Target:
    """Where to sign in, and as whom. Lives as long as one call."""

    host: str
    port: int
    server: str
    """As clients.yml has it, for evidence."""
    name: str
    password: str = field(repr=False)
    ca_data: str | None
    ca_file: str | None
    connect_patience: float
    patience: int


class Session:
    """An open connection. Raises the contract's surprises only; `call` in them says what was asked."""

    def __init__(self, connection: Connection, server: str, patience: int, until: Callable[[], float]) -> None:
        # ldap3's stubs leave requests and answers untyped; what is read from them is checked here.
        self._connection = cast("Any", connection)
        self.server, self._patience, self._left = server, patience, until
        self._root: Entry | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _let_go(self._connection)

    @property
    def root(self) -> Entry:
        """The rootDSE: names of the domain's parts, and the server's own time."""
        if self._root is None:
            names = ("defaultNamingContext", "schemaNamingContext", "dnsHostName", "currentTime")
            found = self._search("read the rootDSE", "", ANYTHING, "BASE", names)
            if not found:
                raise Unreachable(VENDOR, "read the rootDSE", "the server says nothing about itself")
            self._root = found[0]
        return self._root

    @property
    def default_base(self) -> str:
        """The root of the server's own domain."""
        return self.root.text("defaultNamingContext")

    def one(self, dn: str, attributes: Sequence[str], only: str = ANYTHING) -> Entry | None:
        """That object if it exists and `only` fits it."""
        found = self._search(f"read {', '.join(attributes)}", dn, only, "BASE", attributes)
        return found[0] if found else None

    def all(self, base: str, filter_: str, attributes: Sequence[str]) -> list[Entry]:
        """Everything below `base` that fits, however many pages it takes."""
        return self._search(f"search {', '.join(attributes)}", base, filter_, "SUBTREE", attributes)

    def change(
        self, dn: str, changes: Mapping[str, Sequence[Change]], *, right: str, means: Meanings | None = None
    ) -> None:
        """One modification, all of it or nothing. `right` is the permission to name when it is missing."""
        operations = {"add": "MODIFY_ADD", "delete": "MODIFY_DELETE", "replace": "MODIFY_REPLACE"}
        call = f"modify {', '.join(changes)}"
        asked = {
            name: [(operations[kind], list(values)) for kind, values in several] for name, several in changes.items()
        }
        self._ask(call, lambda: self._connection.modify(dn, asked))
        code, name, message = self._result()
        if code != SUCCESS:
            raise failure(call, code, name, message, right=right, means=means)

    def _search(self, call: str, base: str, filter_: str, scope: str, attributes: Sequence[str]) -> list[Entry]:
        found: list[Entry] = []
        cookie: bytes | None = None
        while True:
            paged = {} if scope == "BASE" else {"paged_size": PAGE, "paged_cookie": cookie}
            self._ask(
                call,
                lambda paged=paged: self._connection.search(
                    base, filter_, scope, attributes=list(attributes), time_limit=self._patience, **cast("Any", paged)
                ),
            )
            code, name, message = self._result()
            if code == NO_SUCH_OBJECT and scope == "BASE":
                return []
            if code != SUCCESS:
                raise failure(call, code, name, message)
            # What points elsewhere (searchResRef) is left alone: our password must not travel there.
            answers = cast("list[dict[str, Any]]", self._connection.response or [])
            found += [_entry(one) for one in answers if one.get("type") == "searchResEntry"]
            cookie = self._cookie()
            if not cookie:
                return found
            if len(found) > MOST:
                raise Refused(VENDOR, call, f"more than {MOST:,} objects fit", "Give a narrower base_dn.")

    def _ask(self, call: str, asking: Callable[[], object]) -> None:
        from ldap3.core.exceptions import LDAPExceptionError

        if self._left() <= 0:
            raise Unreachable(VENDOR, call, "the whole took too long")
        try:
            asking()
        except LDAPExceptionError as error:
            raise Unreachable(VENDOR, call, f"no answer from {self.server} ({_told(error)})") from None

    def _result(self) -> tuple[int, str, str]:
        result = cast("dict[str, Any]", self._connection.result)
        return int(result["result"]), str(result["description"]), str(result["message"] or "")

    def _cookie(self) -> bytes | None:
        result = cast("dict[str, Any]", self._connection.result)
        controls = cast("dict[str, dict[str, Any]]", result.get("controls") or {})
        return cast("bytes | None", controls[_PAGED]["value"]["cookie"]) if _PAGED in controls else None


def sign_in(target: Target, *, read_only: bool, seconds: float) -> Session:
    """Connect, check the certificate, sign in. The session ends `seconds` from now at the latest.

    Raises SignInFailed when our account is not accepted (trying again may lock it out), Refused when
    the certificate is not trusted, Unreachable when there is no usable answer.
    """
    from ldap3 import AUTO_BIND_NONE, NONE, SIMPLE, SYNC, Connection, Server
    from ldap3.core.exceptions import LDAPExceptionError

    ends = time.monotonic() + seconds
    where = f"{target.host}:{target.port}"
    trust = _trust(target)
    server = Server(
        target.host,
        target.port,
        use_ssl=True,
        tls=trust,
        get_info=NONE,
        connect_timeout=cast("Any", target.connect_patience),
    )
    connection = Connection(
        server,
        user=target.name,
        password=target.password,
        authentication=SIMPLE,
        client_strategy=SYNC,
        auto_bind=AUTO_BIND_NONE,
        auto_referrals=False,
        check_names=False,
        read_only=read_only,
        receive_timeout=cast("Any", target.patience),
        return_empty_attributes=False,
    )
    try:
        connection.open(read_server_info=False)
        signed_in = cast("Any", connection).bind(read_server_info=False) is True
    except LDAPExceptionError as error:
        _let_go(connection)
        raise _no_connection(where, error, trust.refusal) from None
    if signed_in:
        return Session(connection, target.server, target.patience, lambda: ends - time.monotonic())
    result = cast("dict[str, Any]", connection.result)
    _let_go(connection)
    raise bind_failure(int(result.get("result", INVALID_CREDENTIALS)), str(result.get("message") or ""), target.name)


def _trust(target: Target) -> Any:
    """ldap3's TLS settings, with Python's own checks of certificate and host name in place of ldap3's."""
    from ldap3 import Tls

    class Trust(Tls):
        refusal: ssl.SSLCertVerificationError | None = None

        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            try:
                # Waits no longer than the socket does: ldap3 has set its patience.
                connection.socket = context.wrap_socket(connection.socket, server_hostname=target.host)
            except ssl.SSLCertVerificationError as error:
                self.refusal = error
                raise

    context = _context(target.ca_data, target.ca_file)
    return Trust(validate=ssl.CERT_REQUIRED)


@functools.lru_cache(maxsize=64)
def _context(ca_data: str | None, ca_file: str | None) -> ssl.SSLContext:
    """Building one costs 20 ms and more, and nothing in it belongs to a connection."""
    try:
        context = ssl.create_default_context(cadata=ca_data)
    except (ssl.SSLError, ValueError):
        raise Refused(
            VENDOR, "connect", "ca_certificate can't be used", "Store one or more PEM certificates there."
        ) from None
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


def _no_connection(where: str, error: Exception, refusal: ssl.SSLCertVerificationError | None) -> VendorError:
    if refusal is None:
        return Unreachable(VENDOR, f"connect to {where}", f"no answer ({_told(error)})")
    return Refused(
        VENDOR,
        f"connect to {where}",
        f"its certificate is not trusted ({refusal.verify_message})",
        "Put the authority that issued it behind ca_certificate in clients.yml, and write the server's name as the "
        "certificate has it.",
    )


def _entry(answer: Mapping[str, Any]) -> Entry:
    raw = cast("Mapping[str, Sequence[bytes]]", answer["raw_attributes"])
    dn = cast("bytes", answer["raw_dn"]).decode("utf-8", "replace")
    return Entry(dn, {name.casefold(): tuple(values) for name, values in raw.items()})


def _told(error: Exception) -> str:
    # ldap3's exceptions carry the address and the socket's words, never the request.
    return redact(f"{type(error).__name__}: {str(error)[:200]}")


def _let_go(connection: Connection) -> None:
    """Say goodbye and close; a connection that broke is closed all the same."""
    from ldap3.core.exceptions import LDAPExceptionError

    try:
        connection.unbind()
    except (LDAPExceptionError, OSError):
        pass
    finally:
        if connection.socket is not None:
            connection.socket.close()
