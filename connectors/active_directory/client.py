"""One client's domain: the servers in order, our account, and blocking calls carried out in threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

from connectors.active_directory.refusals import VENDOR
from connectors.active_directory.settings import ActiveDirectorySettings
from connectors.active_directory.wire import Session, Target, sign_in
from connectors.contract import Refused, SignInFailed, Surroundings, Throttled, Unreachable, VendorError

Found = TypeVar("Found")

NOT_AGAIN = timedelta(seconds=60)
"""After our password was refused nobody tries it again for so long: domains lock accounts out."""
AT_ONCE = 6
"""Calls at one client's domain side by side."""
WHOLE_CALL = 25.0
"""Seconds one call may take with everything in it; an attempt of the engine lasts a minute."""


class Domain:
    """One client's connection. Every call signs in afresh (some 10 ms), so nothing is shared between threads.

    The server that answered last is asked first, so that what was written is read back where it was written.
    """

    def __init__(self, settings: ActiveDirectorySettings, around: Surroundings) -> None:
        self.settings, self.around = settings, around
        self._first = 0
        self._accepted = False
        self._refusal: tuple[datetime, SignInFailed] | None = None
        self._first_time = threading.Lock()
        # Threads of its own: one client's dead servers must not hold up another client's lock-out.
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix=f"ldap {around.client}")

    async def read(self, work: Callable[[Session], Found]) -> Found:
        """Carry out `work` with a session that can't write."""
        return await self._run(work, read_only=True)

    async def write(self, work: Callable[[Session], Found]) -> Found:
        """Carry out `work` with a session that may write."""
        return await self._run(work, read_only=False)

    async def read_each(self, work: Callable[[Session], Found]) -> dict[str, Found | VendorError]:
        """The same read at every listed server, side by side: server → what it says, or why it says nothing."""
        return await self._each(work, read_only=True)

    async def write_each(self, work: Callable[[Session], Found]) -> dict[str, Found | VendorError]:
        """The same change at every listed server, side by side: replication between sites may take hours."""
        return await self._each(work, read_only=False)

    def close(self) -> None:
        """Let the threads go; what they are still waiting for ends by its own time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def base(self, session: Session) -> str:
        """Below which people are looked for."""
        return self.settings.base_dn or session.default_base

    async def _each(self, work: Callable[[Session], Found], *, read_only: bool) -> dict[str, Found | VendorError]:
        async def one(place: int) -> Found | VendorError:
            try:
                return await self._run(work, read_only=read_only, only=place)
            except VendorError as failed:
                return failed

        servers = self.settings.servers
        told = await asyncio.gather(*(one(place) for place in range(len(servers))))
        return dict(zip(servers, told, strict=True))

    async def _run(self, work: Callable[[Session], Found], *, read_only: bool, only: int | None = None) -> Found:
        await self.around.limiter.turn(VENDOR, self.around.client)

        def carry_out() -> Found:
            with self._session(only, read_only=read_only) as session:
                return work(session)

        try:
            async with asyncio.timeout(WHOLE_CALL + self.settings.patience):
                return await asyncio.get_running_loop().run_in_executor(self._threads, carry_out)
        except TimeoutError:
            raise Unreachable(VENDOR, "carry out a call", "no end of it, so it may or may not have happened") from None
        except Throttled as busy:
            await self.around.limiter.pause(VENDOR, self.around.client, busy.retry_after)
            raise

    def _session(self, only: int | None, *, read_only: bool) -> Session:
        if self._accepted:
            return self._sign_in(only, read_only=read_only)
        # Side by side, a wrong password would be tried once by every step, and lock our account out.
        with self._first_time:
            if self._refusal and self.around.clock.now() < self._refusal[0] + NOT_AGAIN:
                told = self._refusal[1]
                raise SignInFailed(VENDOR, told.call, f"{told.message}; not tried again within a minute", told.fix)
            return self._sign_in(only, read_only=read_only)

    def _sign_in(self, only: int | None, *, read_only: bool) -> Session:
        """The first server that takes us, or that one; the most telling failure when none does."""
        password, ca_data = self._secrets()
        addresses = self.settings.addresses
        failures: list[VendorError] = []
        order = [(self._first + offset) % len(addresses) for offset in range(len(addresses))]
        for place in order if only is None else [only]:
            host, port = addresses[place]
            target = Target(
                host,
                port,
                self.settings.servers[place],
                self.settings.bind_name,
                password,
                ca_data,
                str(self.around.ca_file) if self.around.ca_file else None,
                self.settings.connect_patience,
                self.settings.patience,
            )
            try:
                session = sign_in(target, read_only=read_only, seconds=WHOLE_CALL)
            except SignInFailed as refused:
                self._accepted, self._refusal = False, (self.around.clock.now(), refused)
                raise
            except VendorError as failed:
                failures.append(failed)
                continue
            self._accepted, self._refusal = True, None
            if only is None:
                self._first = place
            return session
        # A certificate nobody trusts is for a person to mend; a silent server may answer the next time.
        raise next((failed for failed in failures if isinstance(failed, Refused)), failures[0])

    def _secrets(self) -> tuple[str, str | None]:
        password = self._secret("the bot's password", self.settings.bind_password)
        if not password:
            # LDAP takes an empty password for an anonymous sign-in, and says it succeeded (RFC 4513 5.1.2).
            raise SignInFailed(VENDOR, "sign-in", "the password is empty", f"Mend {self.settings.bind_password}.")
        reference = self.settings.ca_certificate
        if reference is None:
            return password, None
        certificate = self._secret("the authority's certificate", reference)
        if "-----BEGIN CERTIFICATE-----" not in certificate:
            raise SignInFailed(
                VENDOR, "sign-in", f"what lies behind {reference} is no certificate", "Store it there as PEM text."
            )
        return password, certificate

    def _secret(self, what: str, reference: str) -> str:
        try:
            return self.around.secret(reference)
        except (LookupError, OSError, ValueError) as error:
            raise SignInFailed(
                VENDOR, "sign-in", f"{what} can't be read. {error}", f"Mend what lies behind {reference}."
            ) from None
