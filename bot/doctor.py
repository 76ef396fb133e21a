"""`offboard doctor`: asks the chats and every client's systems, beside a running service and without a database."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import textwrap
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Protocol

from bot.app import SystemClock
from bot.key_vault import KeyVault
from bot.settings import Settings, WrongSettings, resolve_secret
from bot.slack.check import SlackCheck
from bot.teams.settings import INSTALL, Teams
from bot.text import safe
from connectors.contract import Check, Surroundings, Throttled
from connectors.http import quiet_loggers
from connectors.limiter import VendorLimiter
from connectors.registry import Registry
from handlers.doctor import (
    AGAIN,
    AT_ONCE,
    LIMIT,
    Examined,
    ToDo,
    by_client,
    chosen,
    examine,
    todos,
    trouble,
    within,
)
from handlers.people import MSP, Client, Roster

WIDTH = 110
SCREEN = 40
"""Lines one client may take."""
NOT_VERIFIED = "Not verified"
CHATS = "@chats"
"""Where the chats stand among the clients' ids. YAML takes no such id unless it is quoted, and we don't either."""

Ask = Callable[[], Awaitable[Check]]


class ChatCheck(Protocol):
    """What a platform is asked."""

    def asks(self) -> dict[str, Ask]:
        """Title → how it is asked."""
        ...

    async def close(self) -> None:
        """Let the connections go."""
        ...


def look(settings: Settings, client: str, registry: Registry, limit: float = LIMIT) -> tuple[Examined, ...]:
    """Every system of every client and the chats before them, or that one client's systems alone.

    Raises WrongSettings for a client nobody knows, and for one whose id is the chats' own.
    """
    clients = chosen(settings.roster, client)
    if not clients:
        known = ", ".join(one.id for one in settings.roster.clients)
        raise WrongSettings(f"There is no client '{client}' in {settings.environment.clients}: use one of {known}.")
    everything = not client.strip()
    if everything and settings.roster.client(CHATS):
        raise WrongSettings(
            f"{settings.environment.clients}: clients.{CHATS}.id is the doctor's word for the chats: choose another."
        )

    quiet_loggers()
    # It warns about each failed sign-in, in Entra's words; we say what to do.
    logging.getLogger("azure.identity.aio").setLevel(logging.ERROR)

    async def asked() -> tuple[Examined, ...]:
        vault, clock = KeyVault(ca_file=settings.environment.ca_file), SystemClock()
        limiter = VendorLimiter(clock)

        def surroundings(name: str) -> Surroundings:
            return Surroundings(
                client=name,
                clock=clock,
                limiter=limiter,
                secret=partial(resolve_secret, vault=vault),
                # The contract asks for one; no check sets a password.
                password=lambda: secrets.token_urlsafe(36),
                ca_file=settings.environment.ca_file,
            )

        try:
            await vault.read_all(settings.vault_references)
            chats, systems = await asyncio.gather(
                examine_chats(settings, surroundings(MSP), limit) if everything else _nothing(),
                examine(clients, registry, surroundings, limit),
            )
            return (*chats, *systems)
        finally:
            vault.close()

    return asyncio.run(asked())


# --- the chats ----------------------------------------------------------------------------------


async def examine_chats(settings: Settings, around: Surroundings, limit: float = LIMIT) -> tuple[Examined, ...]:
    """Whether the bot is heard and can speak on each platform; told like a client whose systems those are.

    What hangs or breaks is a failed check. Nothing is posted and nothing is written.
    """
    provider, roster = Client(id=CHATS, name=settings.roster.msp.name, dry_run=False), settings.roster
    asked: dict[tuple[str, str], Awaitable[tuple[Check, ...]]] = {}
    if settings.slack:
        asked["slack", "Slack"] = _platform(
            SlackCheck(settings.slack, around.secret, beside=settings.environment.installations), limit
        )
    if settings.teams:
        asked["teams", "Microsoft Teams"] = _teams(settings.teams, around, limit)
    found = zip(asked, await asyncio.gather(*asked.values()), strict=True)
    return tuple(
        Examined(provider, system, name, (*checks, *_channels(roster, system))) for (system, name), checks in found
    )


async def _teams(teams: Teams, around: Surroundings, limit: float) -> tuple[Check, ...]:
    try:
        # Half a second and 20 MB: only where Teams is spoken.
        from bot.teams.check import TeamsCheck
    except ModuleNotFoundError as missing:
        fix = f"Install it: {INSTALL}."
        return (Check("Installed", ok=False, said=f"{missing.name} is not installed.", fix=fix),)
    return await _platform(TeamsCheck(teams, around), limit)


async def _nothing() -> tuple[Examined, ...]:
    return ()


async def _platform(check: ChatCheck, limit: float) -> tuple[Check, ...]:
    """Everything asked there, side by side."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(title: str, ask: Ask) -> Check:
        async with places:
            return await _within(limit, title, ask)

    try:
        return tuple(await asyncio.gather(*(one(title, ask) for title, ask in check.asks().items())))
    finally:
        await check.close()


async def _within(limit: float, title: str, ask: Ask) -> Check:
    asked = await within(limit, ask())
    if asked is None:
        return Check(title, ok=False, said=f"No answer within {limit:g} seconds.", fix=AGAIN)
    failure = asked.exception()
    if failure is None:
        return asked.result()
    if isinstance(failure, Throttled):
        # Who is asked to wait was heard: that is no fault, and no answer either.
        return Check(title, ok=True, said=f"{NOT_VERIFIED}: {failure.call} {failure.message}.")
    said, fix = trouble(failure, "a chat")
    return Check(title, ok=False, said=f"{said.rstrip('.')}.", fix=fix)


def _channels(roster: Roster, platform: str) -> Iterator[Check]:
    """To look whether the bot is in a channel takes rights it does not ask for: in Slack groups:read."""
    for whose, channel in (("technicians", roster.msp.technicians), ("admins", roster.msp.admins)):
        if channel.platform == platform:
            said = f"{NOT_VERIFIED}: only a message shows whether the bot is in {channel.channel}: see that it is."
            yield Check(f"Channel of the {whose}", ok=True, said=said)


# --- as it is shown -----------------------------------------------------------------------------


def in_json(examined: Iterable[Examined]) -> str:
    """One document: client → system → checks, the chats under a word that is no client's id."""
    found = {
        client: {one.system: [asdict(check) for check in one.checks] for one in systems}
        for client, systems in by_client(examined).items()
    }
    return json.dumps(found, indent=2, ensure_ascii=False)


def in_words(examined: Iterable[Examined], registry: Registry) -> str:
    """A list for people: the chats, then each client on one screen, what is wrong first."""
    found = sorted(by_client(examined).items(), key=lambda entry: entry[0] != CHATS)
    return "\n\n".join("\n".join(_client(systems, registry)) for _, systems in found)


def _client(systems: list[Examined], registry: Registry) -> list[str]:
    client, wrong = systems[0].client, sum(one.wrong for one in systems)
    said = f"{wrong} thing{'' if wrong == 1 else 's'} to mend" if wrong else "as it should be"
    who = f"{client.name}, the chats" if client.id == CHATS else f"{client.name} ({client.id})"
    lines = [safe(f"{who}{', dry run' if client.dry_run else ''}: {said}")]
    column = max(len(one.name) for one in systems)
    for one in systems:
        name = f"{one.name:<{column}}"
        for todo in todos(registry, one.checks):
            lines += _todo(f"  ❌ {name}  ", todo)
    for one in systems:
        for todo in todos(registry, one.checks, choices=True):
            lines += _todo(f"  ➖ {one.name:<{column}}  ", todo)
    for one in systems:
        well = ", ".join(_well(check) for check in one.checks if check.ok)
        if well or not one.checks:
            lines += _wrapped(f"  ✅ {one.name:<{column}}  ", well or "nothing to check")
    left = len(lines) - SCREEN
    if left > 0:
        only = "" if client.id == CHATS else f" --client {client.id}"
        lines = [*lines[: SCREEN - 1], f"  … {left + 1} more lines: offboard doctor{only} --json"]
    return lines


def _todo(first: str, todo: ToDo) -> Iterator[str]:
    yield from _wrapped(first, f"{', '.join(todo.titles)}: {todo.said}")
    under = " " * (len(first) + 1)
    if todo.steps:
        yield from _wrapped(under, f"Without it not: {todo.without}")
    yield from _wrapped(f"{under}→ ", todo.fix)


def _well(check: Check) -> str:
    return f"{check.title} (not verified)" if check.said.startswith(NOT_VERIFIED) else check.title


def _wrapped(first: str, said: str) -> list[str]:
    """Lines of a column; a link is never broken."""
    # A mark is one character and two columns wide.
    indent = " " * (len(first) + any(mark in first for mark in "✅❌➖"))
    return textwrap.wrap(
        safe(said),
        WIDTH,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
