"""A plain script's way through the same leaver: CIPP's steps in CIPP's order, one request after the other.

Written from a description of what it sends (CIPP-API at adf3242, read 2026-11), for every option that has an
effect on this leaver. It reads nothing back, and waits for nothing between its steps: CIPP's five minutes before
licences and its queue are left out. What the stand-ins don't speak is sent as something that costs the same:

- the beta revocation as the v1.0 one; the reply as Graph's setting instead of Exchange's cmdlet
- Exchange's own batch as its parts, of which only the first takes time and is counted
- the SharePoint requests that make the manager an administrator of the OneDrive as reads of it and an invitation
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from pydantic import JsonValue

from bot.lab.companies import Companies
from connectors.contract import Json
from connectors.exchange.simulator import AUDIENCE
from connectors.exchange.simulator import Fault as ExchangeFault
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import CONTOSO, MARIA
from connectors.microsoft365.simulator import GRAPH, Fault
from tests.bench.leaver import Leaver


@dataclass(frozen=True)
class Cost:
    """What a way through it took."""

    seconds: float
    calls: int
    changes: int
    """Calls that change something."""


@dataclass
class Script:
    """Sends, waits for the answer, sends the next."""

    client: httpx.AsyncClient
    companies: Companies
    delays: tuple[Fault, ExchangeFault]
    tokens: dict[str, str]
    calls: int = 0
    changes: int = 0

    async def graph(self, method: str, path: str, body: Json | None = None) -> Json:
        """One request to Graph."""
        self._count(changes=method != "GET")
        return await self._send(method, f"{self.companies.microsoft.base_url}{path}", GRAPH, body)

    async def reads_together(self, paths: Sequence[str]) -> None:
        """Reads in one $batch."""
        await self._batch([("GET", path) for path in paths], changes=False)

    async def deletes_together(self, paths: Sequence[str]) -> None:
        """Deletions in one $batch."""
        await self._batch([("DELETE", path) for path in paths], changes=True)

    async def exchange(self, cmdlet: str, **parameters: JsonValue) -> None:
        """One cmdlet."""
        await self.exchange_together(cmdlet, [parameters])

    async def exchange_together(self, cmdlet: str, several: Sequence[Json]) -> None:
        """One cmdlet several times, in one batch."""
        self._count(changes=not cmdlet.startswith("Get-"))
        url = f"{self.companies.exchange.base_url}/{CONTOSO}/InvokeCommand"
        _, delay = self.delays
        takes = delay.seconds
        for parameters in several:
            body: Json = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}}
            await self._send("POST", url, AUDIENCE, body)
            delay.seconds = 0
        delay.seconds = takes

    async def _batch(self, parts: Sequence[tuple[str, str]], *, changes: bool) -> None:
        self._count(changes=changes)
        requests: list[JsonValue] = [
            {"id": str(number), "method": method, "url": path} for number, (method, path) in enumerate(parts)
        ]
        url = f"{self.companies.microsoft.base_url}/$batch"
        answer = await self._send("POST", url, GRAPH, {"requests": requests})
        responses = answer["responses"]
        assert isinstance(responses, list)
        assert all(isinstance(one, dict) and one["status"] in (200, 204) for one in responses)

    def _count(self, *, changes: bool) -> None:
        self.calls += 1
        self.changes += changes

    async def _send(self, method: str, url: str, audience: str, body: Json | None) -> Json:
        headers = {"Authorization": f"Bearer {self.tokens[audience]}"}
        answer = await self.client.request(method, url, json=body, headers=headers)
        answer.raise_for_status()
        found: Json = answer.json() if answer.content else {}
        return found


async def serially(companies: Companies, leaver: Leaver, reply: Json, call: float) -> Cost:
    """Lead them out, every call taking so many seconds; `reply` is the automatic reply to set."""
    slow = companies.microsoft.fail(CONTOSO, Fault("delay", calls=None, seconds=call))
    slow_too = companies.exchange.fail(CONTOSO, ExchangeFault("delay", calls=None, seconds=call))
    trusted = ssl.create_default_context(cafile=companies.microsoft.ca_file)
    async with httpx.AsyncClient(verify=trusted, trust_env=False, timeout=30) as client:
        tokens = {audience: await _token(client, companies, audience) for audience in (GRAPH, AUDIENCE)}
        script = Script(client, companies, (slow, slow_too), tokens)
        begun = time.perf_counter()
        await _account(script, leaver)
        await _mailbox(script, leaver, reply)
        await _methods_and_licences(script, leaver)
        return Cost(time.perf_counter() - begun, script.calls, script.changes)


async def _account(script: Script, leaver: Leaver) -> None:
    user = f"/users/{leaver.id}"
    await script.graph("GET", user)
    await script.graph("POST", f"{user}/revokeSignInSessions")
    await script.graph("GET", user)
    await script.graph("PATCH", user, {"passwordProfile": {"password": "c0rrect-Horse-battery"}})
    await script.graph("GET", user)
    await script.graph("PATCH", user, {"accountEnabled": False})
    await script.exchange("Set-Mailbox", Identity=leaver.id, HiddenFromAddressListsEnabled=True)
    # All the tenant's groups are asked for in the same batch; the stand-in has no such list.
    await script.reads_together([f"{user}/memberOf/microsoft.graph.group"])
    await script.deletes_together([f"/groups/{group}/members/{leaver.id}/$ref" for group in leaver.groups])
    members: list[Json] = [
        {"Identity": one, "Member": leaver.id, "BypassSecurityGroupManagerCheck": True} for one in leaver.lists
    ]
    await script.exchange_together("Remove-DistributionGroupMember", members)


async def _mailbox(script: Script, leaver: Leaver, reply: Json) -> None:
    user, mailbox = f"/users/{leaver.id}", script.companies.mailbox(leaver.id)
    await script.exchange("Get-InboxRule", Mailbox=leaver.id, IncludeHidden=True)
    for rule in [*mailbox.rules]:
        await script.exchange("Remove-InboxRule", Mailbox=leaver.id, Identity=rule.id, Confirm=False)
    await script.exchange("Get-MobileDeviceStatistics", Mailbox=leaver.id)
    for device in [*mailbox.devices]:
        await script.exchange("Remove-MobileDevice", Identity=device.guid, Confirm=False)
    await script.graph("PATCH", f"{user}/mailboxSettings", {"automaticRepliesSetting": reply})
    drive = (await script.graph("GET", f"{user}/drive"))["id"]
    root = (await script.graph("GET", f"/drives/{drive}/root"))["id"]
    await script.graph("GET", f"/drives/{drive}/items/{root}/permissions")
    heir = script.companies.person(MARIA).mail
    invitation: Json = {"recipients": [{"email": heir}], "roles": ["write"], "sendInvitation": False}
    await script.graph("POST", f"/drives/{drive}/items/{root}/invite", invitation)
    await script.exchange(
        "Add-MailboxPermission", Identity=leaver.id, User=MARIA, AccessRights=["FullAccess"], AutoMapping=True
    )
    await script.exchange("Set-Mailbox", Identity=leaver.id, Type="Shared")


async def _methods_and_licences(script: Script, leaver: Leaver) -> None:
    user, person = f"/users/{leaver.id}", script.companies.person(leaver.id)
    await script.graph("GET", f"{user}/authentication/methods")
    for method in [*person.methods]:
        kind = f"{method.kind.removesuffix('AuthenticationMethod')}Methods"
        await script.graph("DELETE", f"{user}/authentication/{kind}/{method.id}")
    await script.graph("GET", f"{user}?$select=licenseAssignmentStates")
    await script.graph("GET", user)
    await script.graph("GET", f"{user}/memberOf/microsoft.graph.group")
    await script.graph("GET", user)
    skus: list[JsonValue] = [held.sku for held in person.licences]
    await script.graph("POST", f"{user}/assignLicense", {"addLicenses": [], "removeLicenses": skus})


async def _token(client: httpx.AsyncClient, companies: Companies, audience: str) -> str:
    form = {
        "client_id": people.APPLICATION,
        "client_secret": people.SECRET,
        "scope": f"{audience}/.default",
        "grant_type": "client_credentials",
    }
    answer = await client.post(f"{companies.microsoft.authority}/{CONTOSO}/oauth2/v2.0/token", data=form)
    answer.raise_for_status()
    return str(answer.json()["access_token"])
