"""A help desk whose tickets are not idempotent: the system that would show a doubled effect.

The server keeps what it accepted even when the asker died before reading the answer.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
from aiohttp import web
from pydantic import BaseModel

from connectors.contract import (
    Accepted,
    Account,
    Connector,
    Context,
    Done,
    Failed,
    Finding,
    Intent,
    Item,
    Outcome,
    Step,
    Surroundings,
    Todo,
    Unreachable,
    Wave,
)

NAME = "Help Desk"


class HelpDeskSettings(BaseModel):
    """Where it is."""

    base_url: str


class HelpDeskFacts(BaseModel):
    """Nothing it knows matters."""


class OpenTicket(Step[httpx.AsyncClient, HelpDeskFacts]):
    """Open one ticket about the leaver, found again by the reference it carries."""

    id = "helpdesk.open_ticket"
    title = "Open a ticket"
    wave = Wave.HAND_OVER
    repeatable = False
    lag = timedelta(seconds=0)

    async def look(self, ctx: Context[httpx.AsyncClient, HelpDeskFacts]) -> Finding:
        return Todo((Item(key="ticket", title="a ticket"),))

    async def act(self, ctx: Context[httpx.AsyncClient, HelpDeskFacts], item: Item, intent: Intent) -> Accepted:
        return Accepted(await _ask(ctx.api, "POST", intent.key))

    async def confirm(
        self, ctx: Context[httpx.AsyncClient, HelpDeskFacts], item: Item, intent: Intent, reference: str
    ) -> Outcome:
        number = await _ask(ctx.api, "GET", intent.key)
        return Done(f"ticket {number}") if number else Failed("no ticket carries the reference")


class HelpDesk(Connector[httpx.AsyncClient, HelpDeskFacts]):
    """The help desk's connector."""

    id = "helpdesk"
    name = NAME
    settings = HelpDeskSettings
    facts_model = HelpDeskFacts
    steps = (OpenTicket(),)

    async def open(self, settings: HelpDeskSettings, around: Surroundings) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=settings.base_url, trust_env=False)

    async def close(self, api: httpx.AsyncClient) -> None:
        await api.aclose()

    async def find(self, api: httpx.AsyncClient, leaver: Account) -> list[Account]:
        return [Account(system=self.id, id=leaver.id, name=leaver.name)]

    async def facts(self, api: httpx.AsyncClient, account: Account) -> HelpDeskFacts:
        return HelpDeskFacts()


async def _ask(api: httpx.AsyncClient, method: str, reference: str) -> str:
    try:
        answer = await api.request(method, f"/tickets/{reference}")
    except httpx.HTTPError as error:
        raise Unreachable(NAME, f"{method} ticket", type(error).__name__) from error
    return answer.text


class Server:
    """The help desk itself: every ticket it ever accepted, by reference."""

    def __init__(self) -> None:
        self.tickets: dict[str, list[str]] = {}
        self.asked = 0
        """Requests to open one."""
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen; answers the base URL."""
        app = web.Application()
        app.router.add_post("/tickets/{reference}", self._open)
        app.router.add_get("/tickets/{reference}", self._find)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _open(self, request: web.Request) -> web.Response:
        self.asked += 1
        opened = self.tickets.setdefault(request.match_info["reference"], [])
        opened.append(f"T{sum(map(len, self.tickets.values())) + 1}")
        # The asker can die between what we did and what it hears of it.
        await asyncio.sleep(0.1)
        return web.Response(text=opened[-1])

    async def _find(self, request: web.Request) -> web.Response:
        found = self.tickets.get(request.match_info["reference"], [])
        return web.Response(text=found[0] if found else "")
