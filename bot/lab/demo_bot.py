"""The demo's bot: the real service as a child process, which the page can kill and which comes back."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

UP = 30.0
"""Seconds the bot may take to answer /health; a warm machine needs two or three."""
PAUSE = 2.0
"""Seconds between being killed and coming back, long enough to see that nothing answers."""
FAREWELL = 8.0
"""Seconds it may take to stop when asked."""
LAST_LINES = 15


class BotState(enum.StrEnum):
    """What the page says about the bot."""

    STARTING = "starting"
    RUNNING = "running"
    DOWN = "down"


@dataclass(frozen=True)
class BotControl:
    """The bot, as far as the page may know and touch it; where it is somebody else's process, only look."""

    state: Callable[[], BotState]
    kill: Callable[[], None] | None = None
    rehearse: Callable[[str, bool], None] | None = None
    """Tenant, and whether its cases are dry runs from now on; the bot is started anew."""
    rehearsing: Callable[[], frozenset[str]] = frozenset[str]
    """The tenants whose cases are."""


class NotUp(Exception):
    """The bot did not come up; the message holds the last lines it wrote."""


class BotProcess:
    """`python -m bot run` with its own settings; every word it says goes to a log file."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        """`environment`: the OFFBOARD_… variables, the port among them; `log`: appended to."""
        self._environment = dict(environment)
        self._log = log
        self._child: asyncio.subprocess.Process | None = None
        self._comeback: asyncio.Task[None] | None = None
        self._last_state = BotState.DOWN

    @property
    def state(self) -> BotState:
        """How it is: down from the moment its process has ended, whatever ended it."""
        if self._child is not None and self._child.returncode is not None:
            return BotState.DOWN
        return self._last_state

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._environment['OFFBOARD_PORT']}"

    async def start(self) -> None:
        """Start the process; `until_up` waits for it."""
        self._last_state = BotState.STARTING
        with self._log.open("ab") as out:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot",
                "run",
                env=_environment(self._environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                # A Ctrl-C in the terminal is ours to pass on, so that its end is waited for.
                start_new_session=True,
            )

    async def until_up(self) -> None:
        """Wait until it answers. Raises NotUp with its last lines when it ends or stays silent."""
        child = self._child
        if child is None:
            raise NotUp("The bot was not started.")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(UP):
                while child.returncode is None:
                    if await healthy(self.url):
                        self._last_state = BotState.RUNNING
                        return
                    await asyncio.sleep(0.05)
        self._last_state = BotState.DOWN
        how = f"ended with code {child.returncode}" if child.returncode is not None else f"was silent for {UP:.0f} s"
        raise NotUp(f"The bot {how}. Its last lines ({self._log}):\n{self.last_lines()}")

    async def kill(self) -> None:
        """SIGKILL, the way machines die; it comes back by itself."""
        child = self._child
        if child is None or self.state is BotState.DOWN:
            return
        child.kill()
        await child.wait()
        self._comeback = asyncio.create_task(self._come_back())

    async def restart(self) -> None:
        """Stop it and start it again at once: it reads its settings anew. Does nothing while it is not running."""
        if self.state is not BotState.RUNNING:
            return
        self._last_state = BotState.DOWN
        await self.stop()
        await self._start_again()

    async def stop(self) -> None:
        """Ask it to stop, wait, and insist if need be."""
        if self._comeback:
            self._comeback.cancel()
            await asyncio.gather(self._comeback, return_exceptions=True)
        child = self._child
        if child is not None and child.returncode is None:
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), FAREWELL)
            except TimeoutError:
                child.kill()
                await child.wait()

    def last_lines(self) -> str:
        """The end of what it said."""
        if not self._log.exists():
            return ""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])

    async def _come_back(self) -> None:
        await asyncio.sleep(PAUSE)
        await self._start_again()

    async def _start_again(self) -> None:
        await self.start()
        # The page shows that it stays down; why stands in the log.
        with contextlib.suppress(NotUp):
            await self.until_up()


async def healthy(url: str) -> bool:
    """Whether a bot answers there."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
            session.get(f"{url}/health") as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """This machine's environment with the demo's settings in place of any the user has."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFBOARD_")}
    # A company proxy must not be asked for what runs on this machine.
    local = "127.0.0.1,localhost"
    return {**kept, "NO_PROXY": local, "no_proxy": local, "PYTHONUNBUFFERED": "1", **own}
