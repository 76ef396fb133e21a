"""`offboard demo` and `offboard lab`: stand-ins for Slack, Teams and clients' systems, a page; in the demo the bot."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import secrets
import signal
import socket
import sys
import webbrowser
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import typer

from bot.lab import sample_clients
from bot.lab.companies import SECRETS, Companies
from bot.lab.demo_bot import BotControl, BotProcess, BotState, NotUp, free_port, healthy
from bot.lab.demo_stage import Stage
from bot.lab.demo_teams import TeamsStage
from bot.lab.demo_tenants import Tenants

BOT_PORT = 8700
"""Where `offboard run` listens unless told otherwise."""
PATHS = {"Slack": "/slack/events", "Teams": "/api/messages"}
"""Where it hears them."""


class CannotStart(Exception):
    """One sentence on why, and what to do about it."""


@dataclass
class Lab:
    """The stand-ins, listening, and the files that point a bot at them."""

    stage: Stage
    teams: TeamsStage
    tenants: Tenants
    clients: Path
    ca_file: Path
    database: str
    write: Callable[[frozenset[str]], Path]
    """Writes clients.yml; those tenants' cases are dry runs from then on."""
    rehearsing: frozenset[str] = field(default_factory=frozenset[str])

    def rehearse(self, tenant: str, *, dry: bool) -> None:
        """Say in clients.yml whether that client's cases are dry runs; a bot reads it when it starts."""
        self.rehearsing = self.rehearsing | {tenant} if dry else self.rehearsing - {tenant}
        self.write(self.rehearsing)

    def environment(self, port: int) -> dict[str, str]:
        """The variables of a bot that uses these stand-ins."""
        return {
            "OFFBOARD_CLIENTS": str(self.clients),
            "OFFBOARD_DATABASE": self.database,
            "OFFBOARD_CA_FILE": str(self.ca_file),
            "OFFBOARD_PORT": str(port),
        }

    async def stop(self) -> None:
        """Stop listening."""
        await self.stage.slack.stop()
        await self.teams.teams.stop()
        await self.tenants.companies.stop()


def serve(port: int, folder: Path, *, open_page: bool) -> None:
    """Everything, on 127.0.0.1, until Ctrl-C; `folder` gets a fresh database. Exits 1 or 2 with a sentence."""
    here = _prepared(folder)
    _until_stopped(lambda stop: _demo(port, here, stop, open_page=open_page))


def serve_lab(port: int, folder: Path) -> None:
    """The stand-ins and the page alone, for a bot of your own. Exits 2 with a sentence."""
    here = _prepared(folder)
    _until_stopped(lambda stop: _lab(port, here, stop))


async def open_lab(folder: Path, bot_port: int) -> Lab:
    """Start the stand-ins and write what a bot needs to find them into the folder, an absolute path that exists."""
    signing_secret = secrets.token_hex(16)
    stage, companies = Stage(signing_secret), Companies()
    teams = TeamsStage(stage.deeds)
    slack_api = await stage.start()
    await companies.start()
    await teams.start(folder)
    tenants = Tenants(companies)
    ca_file = _trusted(folder, Path(companies.microsoft.ca_file), teams.teams.ca_file)
    stage.slack.bot_url, teams.teams.bot_url = (f"http://127.0.0.1:{bot_port}{path}" for path in PATHS.values())

    def write(rehearsing: frozenset[str]) -> Path:
        clients = (
            sample_clients.Client(
                tenants.name(one).lower(), tenants.systems(one), SECRETS, tenants.managers(one), one in rehearsing
            )
            for one in tenants.ids
        )
        return sample_clients.write(folder, slack_api, signing_secret, tuple(clients), teams.configured())

    return Lab(stage, teams, tenants, write(frozenset()), ca_file, f"sqlite:///{folder / 'offboard.db'}", write)


def _trusted(folder: Path, *authorities: Path) -> Path:
    """One file of them all: the clients' systems have one, and where the bot's token for Teams comes from another."""
    file = folder / "ca.pem"
    file.write_bytes(b"".join(one.read_bytes() for one in authorities))
    return file


async def _demo(port: int, folder: Path, stop: asyncio.Event, *, open_page: bool) -> None:
    with _listening(port) as page_socket, _alone(folder):
        # Not before port and folder are ours: another demo may be running here.
        _forget_last_time(folder)
        bot_port = free_port()
        lab = await open_lab(folder, bot_port)
        bot = BotProcess(lab.environment(bot_port), folder / "bot.log")
        try:
            # The bot imports its libraries while the page imports its own.
            await bot.start()
            page = asyncio.create_task(_page(lab, page_socket, stop, bot=bot))
            try:
                await _first(bot.until_up(), stop)
                if not stop.is_set():
                    _say_ready(port, folder, open_page=open_page)
                    await page
            finally:
                stop.set()
                await page
        finally:
            await bot.stop()
            await lab.stop()


async def _lab(port: int, folder: Path, stop: asyncio.Event) -> None:
    with _listening(port) as page_socket, _alone(folder):
        lab = await open_lab(folder, BOT_PORT)
        try:
            typer.echo(f"The lab's page: http://127.0.0.1:{port}\n\nPoint a bot at it, in another terminal:\n")
            for name, value in lab.environment(BOT_PORT).items():
                if name != "OFFBOARD_PORT":
                    typer.echo(f"export {name}={value}")
            typer.echo(f"{_started_as()} run\n")
            for platform, path in PATHS.items():
                typer.echo(f"What is done in {platform} is posted to http://127.0.0.1:{BOT_PORT}{path}.")
            typer.echo("clients.yml has a block for each; the certificate is for both. Ctrl-C ends the lab.")
            await _page(lab, page_socket, stop, bot=None)
        finally:
            await lab.stop()


def _say_ready(port: int, folder: Path, *, open_page: bool) -> None:
    address = f"http://127.0.0.1:{port}"
    typer.echo(f"The demo is ready: {address}\nThe bot's log is {folder / 'bot.log'}. Ctrl-C ends everything.")
    if open_page:
        webbrowser.open(address)


def _started_as() -> str:
    """The command that started us, to be typed again in another terminal."""
    program = Path(sys.argv[0])
    module = program.name == "__main__.py"
    return f"{sys.executable} -m {program.parent.name}" if module else str(program)


@contextlib.contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Keep the folder's files to one demo or lab at a time. Raises CannotStart."""
    with (folder / "demo.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotStart(
                f"Another demo or lab keeps its files in {folder}: stop it, or choose another folder with --folder."
            ) from None
        yield


def _prepared(folder: Path) -> Path:
    here = folder.resolve()
    here.mkdir(parents=True, exist_ok=True)
    return here


def _forget_last_time(folder: Path) -> None:
    for old in (*folder.glob("offboard.db*"), folder / "bot.log"):
        old.unlink(missing_ok=True)


# --- the page's server --------------------------------------------------------------------------


async def _page(lab: Lab, page_socket: socket.socket, stop: asyncio.Event, *, bot: BotProcess | None) -> None:
    """Serve the page until told to stop."""
    # Half the start-up is this import, so it waits until the bot's own has begun.
    import uvicorn
    from fastapi import FastAPI
    from nicegui import ui

    from bot.lab import page

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None]:
            # Ctrl-C is heard by `_until_stopped`, which has a child to end as well.
            yield

    outside, begun = _Watch(f"http://127.0.0.1:{BOT_PORT}"), set[asyncio.Task[None]]()
    if bot is None:
        page.build(lab.stage, lab.teams, lab.tenants, BotControl(lambda: outside.state))
    else:
        page.build(lab.stage, lab.teams, lab.tenants, _control(lab, bot, begun))
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    ui.run_with(app, title="offboard – demo", favicon="👋", tailwind=False, show_welcome_message=False)
    # A browser keeps its line open: it is not waited for.
    server = Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    watching = asyncio.create_task(outside.watch()) if bot is None else None
    serving = asyncio.create_task(server.serve([page_socket]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
        if watching:
            watching.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


def _control(lab: Lab, bot: BotProcess, begun: set[asyncio.Task[None]]) -> BotControl:
    """What the page may do with our own bot; what it begins is in `begun` until it is over."""

    def begin(work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        begun.add(task)
        task.add_done_callback(begun.discard)

    def rehearse(tenant: str, dry: bool) -> None:
        lab.rehearse(tenant, dry=dry)
        begin(bot.restart())

    return BotControl(lambda: bot.state, lambda: begin(bot.kill()), rehearse, lambda: lab.rehearsing)


class _Watch:
    """Whether somebody's own bot answers; the lab can only look."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.state = BotState.DOWN

    async def watch(self) -> None:
        """Look every second, until cancelled."""
        while True:
            self.state = BotState.RUNNING if await healthy(self._url) else BotState.DOWN
            await asyncio.sleep(1)


@contextlib.contextmanager
def _listening(port: int) -> Generator[socket.socket]:
    """The page's port, taken before anything is started. Raises CannotStart."""
    page_socket = socket.socket()
    try:
        page_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        page_socket.bind(("127.0.0.1", port))
    except OSError as error:
        page_socket.close()
        raise CannotStart(
            f"Port {port} can't be used ({error.strerror}): choose another: .venv/bin/offboard demo --port 8766."
        ) from None
    with page_socket:
        yield page_socket


# --- the end ------------------------------------------------------------------------------------


def _until_stopped(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run until the work ends or somebody presses Ctrl-C, and leave with a sentence where it could not go on."""

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def asked(_number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(stop.set)

        before = {one: signal.signal(one, asked) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            await work(stop)
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    try:
        asyncio.run(run())
    except CannotStart as sentence:
        typer.echo(str(sentence), err=True)
        raise SystemExit(2) from None
    except NotUp as sentence:
        typer.echo(str(sentence), err=True)
        raise SystemExit(1) from None


async def _first(work: Awaitable[None], stop: asyncio.Event) -> None:
    """Wait for the work, or leave it when told to stop."""
    task, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        task.result()
    else:
        task.cancel()
