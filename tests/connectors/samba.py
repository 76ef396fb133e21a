"""The same domain twice, for the same tests: our stand-in, and a real Samba domain controller started here."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import trustme

from connectors.active_directory import CONNECTOR
from connectors.active_directory.client import Domain
from connectors.active_directory.facts import ActiveDirectoryFacts
from connectors.active_directory.settings import ActiveDirectorySettings
from connectors.active_directory.simulated_directory import dn_of
from connectors.active_directory.simulated_people import (
    BASE,
    BIND_PASSWORD,
    BOT,
    DOMAIN,
    NETBIOS,
    POWERLESS,
    STAFF,
    USERS,
    Computer,
    Group,
    Person,
    sample_domain,
)
from connectors.active_directory.simulator import SimulatedActiveDirectory
from connectors.contract import Account, Choices, Clock, Context, Json, Surroundings
from connectors.limiter import VendorLimiter
from tests.connectors.conftest import MovedClock, nothing_to_read

Read = TypeVar("Read")
TEMPLATES = Path("/usr/share/samba/setup")


class WallClock:
    """The machine's own time: a real server keeps no other."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class World:
    """A domain, seen from outside: connections of ours to it, and an administrator's eyes and hands."""

    host: str
    port: int
    ca_file: Path
    clock: Clock
    simulator: SimulatedActiveDirectory | None = None
    issued: list[str] = field(default_factory=list[str])
    """Passwords our connections were given, in order."""
    opened: list[Domain] = field(default_factory=list[Domain])
    _administrator: Any = None

    @property
    def simulated(self) -> SimulatedActiveDirectory:
        """The stand-in, in tests that are about it alone."""
        assert self.simulator is not None
        return self.simulator

    def clock_passes(self, seconds: float) -> None:
        """In the stand-in's world, where time passes only when told."""
        assert isinstance(self.clock, MovedClock)
        self.clock.pass_by(seconds)

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait for something the stand-in sees; 3 seconds at most."""
        for _ in range(300):
            if fact():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it never came to that")

    def settings(self, bind: str = BOT, **changed: object) -> Json:
        plain = {"servers": [f"{self.host}:{self.port}"], "bind_name": f"{bind}@{DOMAIN}", "bind_password": "env/X"}
        return cast("Json", {**plain, **changed})

    def around(self, secret: str = BIND_PASSWORD, password: str = "") -> Surroundings:
        def fresh() -> str:
            self.issued.append(password or secrets.token_urlsafe(32))
            return self.issued[-1]

        limiter = VendorLimiter(self.clock)
        return Surroundings("contoso", self.clock, limiter, lambda _: secret, fresh, self.ca_file)

    async def connect(
        self, bind: str = BOT, secret: str = BIND_PASSWORD, password: str = "", **changed: object
    ) -> Domain:
        settings = ActiveDirectorySettings.model_validate(self.settings(bind, **changed))
        self.opened.append(await CONNECTOR.open(settings, self.around(secret, password)))
        return self.opened[-1]

    async def close(self) -> None:
        for api in self.opened:
            await CONNECTOR.close(api)
        if self._administrator is not None:
            await asyncio.to_thread(self._administrator.unbind)

    async def account(self, sam: str, api: Domain | None = None) -> Account:
        """Somebody's account, found by the id it has in this world."""
        guid = await self.guid(sam)
        found = await CONNECTOR.find(api or await self.connect(), Account(system=CONNECTOR.id, id=guid, name=""))
        return found[0]

    async def context(
        self, sam: str, api: Domain | None = None, choices: Choices | None = None
    ) -> Context[Domain, ActiveDirectoryFacts]:
        """A step's context with facts read now."""
        api = api or await self.connect()
        account = await self.account(sam, api)
        facts = await CONNECTOR.facts(api, account)
        return Context(api, account, facts, choices or {}, self.clock, "key", nothing_to_read)

    # --- an administrator's eyes and hands, with nothing of ours in between

    async def guid(self, name: str) -> str:
        from uuid import UUID

        return str(UUID(bytes_le=(await self.values(name, "objectGUID"))[0]))

    async def values(self, name: str, attribute: str) -> list[bytes]:
        """What stands there, by sAMAccountName (a computer's ends in $)."""

        def read(connection: Any) -> list[bytes]:
            connection.search(BASE, f"(sAMAccountName={name})", "SUBTREE", attributes=[attribute])
            entries = [one for one in connection.response if one["type"] == "searchResEntry"]
            return entries[0]["raw_attributes"].get(attribute, [])

        return await self.as_administrator(read)

    async def control(self, name: str) -> int:
        return int((await self.values(name, "userAccountControl"))[0])

    async def change(self, name: str, attribute: str, *values: str | bytes) -> None:
        dn = (await self.values(name, "distinguishedName"))[0].decode()

        def write(connection: Any) -> None:
            assert connection.modify(dn, {attribute: [("MODIFY_REPLACE", list(values))]}), connection.result

        await self.as_administrator(write)

    async def can_sign_in(self, sam: str, password: str) -> bool:
        def bind() -> bool:
            connection = self._bound(f"{sam}@{DOMAIN}", password)
            try:
                return connection.bound
            finally:
                connection.unbind()

        return await asyncio.to_thread(bind)

    async def as_administrator(self, work: Callable[[Any], Read]) -> Read:
        def carry_out() -> Read:
            self._administrator = self._administrator or self._bound(f"Administrator@{DOMAIN}", BIND_PASSWORD)
            return work(self._administrator)

        return await asyncio.to_thread(carry_out)

    def _bound(self, name: str, password: str) -> Any:
        from ldap3 import NONE, Connection, Server, Tls

        # Not checked here: ldap3's own check of names is deprecated in Python, and this never leaves loopback.
        server = Server(self.host, self.port, use_ssl=True, get_info=NONE, tls=Tls(validate=0))
        connection = cast("Any", Connection(server, name, password, check_names=False, receive_timeout=cast("Any", 10)))
        connection.bind()
        return connection


@asynccontextmanager
async def simulated_world(tls: tuple[Path, Path, Path]) -> AsyncGenerator[World]:
    """The stand-in, on a clock that tests move."""
    clock = MovedClock()
    async with SimulatedActiveDirectory(now=clock.now, tls=tls) as simulator:
        world = World("localhost", simulator.port, simulator.ca_file, clock, simulator)
        yield world
        await world.close()


def why_no_samba() -> str:
    """Why a real domain can't be started here; '' when it can."""
    if os.geteuid() != 0:
        return "a Samba domain controller must be started as root"
    for program in ("samba", "samba-tool", "/usr/bin/python3"):
        if shutil.which(program) is None:
            return f"no Samba domain controller here: {program} is not installed (Debian: samba-ad-dc)"
    if not (TEMPLATES / "provision.ldif").exists():
        return "no Samba domain controller here: its templates are not installed (Debian: samba-ad-provision)"
    return ""


# What README.md says to delegate, as the entries it makes: reset password, userAccountControl and member.
_PREPARE = """
import sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.sd_utils import SDUtils
conf, staff, users, bot, reader, password = sys.argv[1:]
lp = LoadParm()
lp.load(conf)
db = SamDB(lp=lp, session_info=system_session(lp))
db.add({"dn": staff, "objectClass": "organizationalUnit"})
for name in (bot, reader):
    db.newuser(name, password)
sid = db.schema_format_value("objectSid", db.search(users, expression="(sAMAccountName=%s)" % bot)[0]["objectSid"][0])
sid = sid.decode()
user, group, computer = (
    "bf967aba-0de6-11d0-a285-00aa003049e2",
    "bf967a9c-0de6-11d0-a285-00aa003049e2",
    "bf967a86-0de6-11d0-a285-00aa003049e2",
)
control, member = "bf967a68-0de6-11d0-a285-00aa003049e2", "bf9679c0-0de6-11d0-a285-00aa003049e2"
reset = "00299570-246d-11d0-a768-00aa006e0529"
for right, what, whom in (("CR", reset, user), ("WP", control, user), ("WP", control, computer), ("WP", member, group)):
    SDUtils(db).dacl_add_ace(staff, "(OA;CIIO;%s;%s;%s;%s)" % (right, what, whom, sid))
"""


@dataclass
class SambaDomain:
    """A domain controller of our own: made in a folder, on an address of its own, ended by its process id."""

    folder: Path
    host: str = ""
    ca_file: Path = Path()
    process: subprocess.Popen[bytes] | None = None
    _populated: str = ""

    def start(self) -> None:
        """Some 5 seconds. Raises AssertionError with Samba's last words when it does not come up."""
        # Its ports are fixed, so the address tells two of them apart.
        number = os.getpid() % 60_000
        self.host = f"127.77.{number // 250}.{number % 250 + 2}"
        self._run(
            "samba-tool", "domain", "provision", f"--targetdir={self.folder}", f"--realm={DOMAIN.upper()}",
            f"--domain={NETBIOS}", f"--adminpass={BIND_PASSWORD}", "--server-role=dc", "--dns-backend=NONE",
            "--host-name=DC1", f"--host-ip={self.host}", "--option=interfaces=lo",
            "--option=bind interfaces only=yes", "--option=ldb:nosync=true",
        )  # fmt: skip
        conf = self._configure()
        self._run("/usr/bin/python3", "-c", _PREPARE, str(conf), STAFF, USERS, BOT, POWERLESS, BIND_PASSWORD)
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["samba", "-s", str(conf), "-i", "-M", "single"], stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        self._await_port()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
            assert self.process.stdin is not None
            self.process.stdin.close()

    async def world(self) -> World:
        """The sample people as they are made; made again only if anything was written since."""
        world = World(self.host, 636, self.ca_file, WallClock())
        if await world.as_administrator(_last_change) != self._populated:
            await world.as_administrator(_populate)
            self._populated = await world.as_administrator(_last_change)
        return world

    def _configure(self) -> Path:
        authority = trustme.CA()
        issued = authority.issue_cert(self.host)
        self.ca_file = self.folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        issued.cert_chain_pems[0].write_to_path(str(self.folder / "cert.pem"))
        key = self.folder / "key.pem"
        issued.private_key_pem.write_to_path(str(key))
        key.chmod(0o600)
        conf = self.folder / "etc" / "smb.conf"
        folders = {
            "private dir": "private",
            "state directory": "state",
            "cache directory": "cache",
            "lock directory": "",
            "pid directory": "",
            "binddns dir": "bind-dns",
            "ncalrpc dir": "ncalrpc",
            "winbindd socket directory": "winbindd",
            "ntp signd socket directory": "ntp",
            "tls certfile": "cert.pem",
            "tls keyfile": "key.pem",
            "tls cafile": "ca.pem",
            "log file": "samba.log",
        }
        options = {
            "netbios name": "DC1",
            "realm": DOMAIN.upper(),
            "workgroup": NETBIOS,
            "server role": "active directory domain controller",
            "server services": "ldap",
            "dcerpc endpoint servers": "",
            "interfaces": f"{self.host}/8",
            "bind interfaces only": "yes",
            "ldb:nosync": "true",
            **{name: str(self.folder / below) for name, below in folders.items()},
        }
        conf.write_text("[global]\n" + "".join(f"  {name} = {value}\n" for name, value in options.items()))
        return conf

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"

    def _await_port(self) -> None:
        import socket

        assert self.process is not None
        for _ in range(150):
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            try:
                socket.create_connection((self.host, 636), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"no answer on {self.host}: {(self.folder / 'log').read_text()[-2000:]}")


def _last_change(connection: Any) -> str:
    """The number of the last write to this controller."""
    connection.search("", "(objectClass=*)", "BASE", attributes=["highestCommittedUSN"])
    return connection.response[0]["raw_attributes"]["highestCommittedUSN"][0].decode()


def _populate(connection: Any) -> None:
    """The stand-in's sample people in a real directory, in place of those of an earlier test."""
    connection.search(STAFF, "(!(objectClass=organizationalUnit))", "SUBTREE", attributes=["cn"])
    for one in connection.response:
        assert connection.delete(one["dn"]), connection.result
    domain = sample_domain()
    by_guid = {one.guid: dn_of(one) for one in (*domain.people.values(), *domain.groups.values())}

    def add(dn: str, kind: str, attributes: dict[str, Any]) -> None:
        given = {name: value for name, value in attributes.items() if value}
        assert connection.add(dn, [kind], given), (dn, connection.result)

    for person in domain.people.values():
        if person.parent == STAFF:
            add(by_guid[person.guid], "user", _of_person(person))
    for person in domain.people.values():
        if person.parent == STAFF and person.manager:
            connection.modify(by_guid[person.guid], {"manager": [("MODIFY_ADD", [by_guid[person.manager]])]})
    for group in (one for one in domain.groups.values() if one.parent == STAFF):
        members = [by_guid[guid] for guid in group.members]
        sam = group.name.replace(",", "")
        add(dn_of(group), "group", {"sAMAccountName": sam, "groupType": "-2147483646", "member": members})
    team = dn_of(_of(domain.groups.values(), "IT Team"))
    connection.modify(f"CN=Domain Admins,{USERS}", {"member": [("MODIFY_ADD", [team])]})
    for computer in domain.computers.values():
        add(dn_of(computer), "computer", _of_computer(computer, by_guid[cast("Any", computer.manager)]))


def _of(groups: Any, name: str) -> Group:
    return next(group for group in groups if group.name == name)


def _of_person(person: Person) -> dict[str, Any]:
    return {
        "sAMAccountName": person.sam,
        "displayName": person.name,
        "userPrincipalName": person.user_name,
        "mail": person.mail,
        "proxyAddresses": list(person.proxies),
        "title": person.title,
        "employeeID": person.employee_id,
        "mS-DS-ConsistencyGuid": person.consistency,
        "servicePrincipalName": list(person.services),
        "adminCount": str(person.admin_count) if person.admin_count else "",
        "unicodePwd": f'"{person.password}"'.encode("utf-16-le"),
        "userAccountControl": str(person.control),
    }


def _of_computer(computer: Computer, manager: str) -> dict[str, Any]:
    return {
        "sAMAccountName": f"{computer.name}$",
        "userAccountControl": str(computer.control),
        "operatingSystem": computer.system,
        "managedBy": manager,
    }
