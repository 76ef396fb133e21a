"""`offboard doctor`: asks every client's systems, beside a running service and without a database."""

from __future__ import annotations

import asyncio
import json
import secrets
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial

from bot.app import SystemClock
from bot.key_vault import KeyVault
from bot.settings import Settings, WrongSettings, resolve_secret
from bot.text import safe
from connectors.contract import Check, Surroundings
from connectors.limiter import VendorLimiter
from connectors.registry import Registry
from handlers.doctor import LIMIT, Examined, ToDo, by_client, chosen, examine, todos

WIDTH = 110
SCREEN = 40
"""Lines one client may take."""
NOT_VERIFIED = "Not verified"


def look(settings: Settings, client: str, registry: Registry, limit: float = LIMIT) -> tuple[Examined, ...]:
    """Every system of every client, or of that one. Raises WrongSettings for a client nobody knows."""
    clients = chosen(settings.roster, client)
    if not clients:
        known = ", ".join(one.id for one in settings.roster.clients)
        raise WrongSettings(f"There is no client '{client}' in {settings.environment.clients}: use one of {known}.")

    async def asked() -> tuple[Examined, ...]:
        vault, clock = KeyVault(ca_file=settings.environment.ca_file), SystemClock()
        limiter = VendorLimiter(clock)
        try:
            await vault.read_all(settings.vault_references)
            return await examine(
                clients,
                registry,
                lambda name: Surroundings(
                    client=name,
                    clock=clock,
                    limiter=limiter,
                    secret=partial(resolve_secret, vault=vault),
                    # The contract asks for one; no check sets a password.
                    password=lambda: secrets.token_urlsafe(36),
                    ca_file=settings.environment.ca_file,
                ),
                limit,
            )
        finally:
            vault.close()

    return asyncio.run(asked())


def in_json(examined: Iterable[Examined]) -> str:
    """One document: client → system → checks."""
    found = {
        client: {one.system: [asdict(check) for check in one.checks] for one in systems}
        for client, systems in by_client(examined).items()
    }
    return json.dumps(found, indent=2, ensure_ascii=False)


def in_words(examined: Iterable[Examined], registry: Registry) -> str:
    """A list for people: each client on one screen, what is wrong first."""
    return "\n\n".join("\n".join(_client(systems, registry)) for systems in by_client(examined).values())


def _client(systems: list[Examined], registry: Registry) -> list[str]:
    client, wrong = systems[0].client, sum(one.wrong for one in systems)
    said = f"{wrong} thing{'' if wrong == 1 else 's'} to mend" if wrong else "as it should be"
    lines = [safe(f"{client.name} ({client.id}){', dry run' if client.dry_run else ''}: {said}")]
    column = max(len(one.name) for one in systems)
    for one in systems:
        name = f"{one.name:<{column}}"
        for todo in todos(registry, one.checks):
            lines += _todo(name, todo)
    for one in systems:
        well = ", ".join(_well(check) for check in one.checks if check.ok)
        if well or not one.checks:
            lines += _wrapped(f"  ✅ {one.name:<{column}}  ", well or "nothing to check")
    left = len(lines) - SCREEN
    if left > 0:
        lines = [*lines[: SCREEN - 1], f"  … {left + 1} more lines: offboard doctor --client {client.id} --json"]
    return lines


def _todo(name: str, todo: ToDo) -> Iterator[str]:
    first = f"  ❌ {name}  "
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
    indent = " " * (len(first) + any(mark in first for mark in "✅❌"))
    return textwrap.wrap(
        safe(said),
        WIDTH,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
