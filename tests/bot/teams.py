"""A bot's Teams edge on a real port, a fake Teams before it, and a house that answers as told."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from aiohttp import web

from bot.app import SystemClock
from bot.lab.fake_teams import FakeTeams
from bot.teams.chat import Homes, TeamsChat
from bot.teams.edge import TeamsEdge
from bot.teams.service import TeamsService
from bot.teams.settings import Teams
from handlers.conversation import Actor, Place
from tests.bot.conftest import ToldHouse
from tests.world import FreeLimiter

APP = "0a0a0a0a-0000-4000-8000-00000000b071"
HOME = "50000000-0000-4000-8000-000000000001"
"""The provider's tenant, which is the bot's home."""
CONTOSO = "c0000000-0000-4000-8000-000000000001"
FABRIKAM = "f0000000-0000-4000-8000-000000000001"
"""Not in the configuration."""
MARIA = "c0000000-0000-4000-8000-0000000000a3"
THEO = "50000000-0000-4000-8000-0000000000e0"
STRANGER = "f0000000-0000-4000-8000-0000000000ff"
SECRET = "a-client-secret"
MARIAS = Actor("teams", CONTOSO, MARIA)
THEOS = Actor("teams", HOME, THEO)


class MemoryHomes:
    """What would stand in the table."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], tuple[str, str]] = {}
        self.writes = 0
        self.broken = False

    async def find(self, tenant: str, user: str, /) -> tuple[str, str] | None:
        return self.kept.get((tenant, user))

    async def remember(self, tenant: str, user: str, conversation: str, service_url: str, /) -> None:
        if self.broken:
            raise RuntimeError("the disk is full")
        self.writes += 1
        self.kept[tenant, user] = (conversation, service_url)

    async def forget(self, tenant: str, user: str, /) -> None:
        self.kept.pop((tenant, user), None)


@dataclass
class TeamsWorld:
    """Contoso's tenant and the provider's, with the bot in both; Fabrikam's without it."""

    teams: FakeTeams
    house: ToldHouse
    service: TeamsService
    edge: TeamsEdge
    homes: MemoryHomes
    techs: Place

    @property
    def chat(self) -> TeamsChat:
        return self.service.chat


@asynccontextmanager
async def teams_world(
    folder: Path,
    *,
    changed: dict[str, object] | None = None,
    secret: Callable[[str], str] = lambda _: SECRET,
    patience: float = 2.0,
    house: ToldHouse | None = None,
    homes: Homes | None = None,
    now: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[TeamsWorld]:
    teams = FakeTeams(APP, HOME, SECRET)
    await teams.start(folder)
    channel = teams.channel(HOME, "technicians")
    values = {**teams.settings({HOME: "msp", CONTOSO: "contoso"}, "env/BOT_SECRET"), **(changed or {})}
    settings = Teams.model_validate({name: value for name, value in values.items() if value is not None})
    kept, house = MemoryHomes(), house or ToldHouse()
    service = TeamsService(
        settings, secret, homes or kept, clock=SystemClock(), limiter=FreeLimiter(), ca_file=teams.ca_file,
        patience=patience, now=now,
    )  # fmt: skip
    app = web.Application()
    edge = service.mount(app, house)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    teams.bot_url = "http://{}:{}/api/messages".format(*cast("tuple[str, int]", runner.addresses[0])[:2])
    try:
        yield TeamsWorld(teams, house, service, edge, kept, Place("teams", HOME, channel))
    finally:
        await service.stop()
        await service.close()
        await runner.cleanup()
        await teams.stop()
