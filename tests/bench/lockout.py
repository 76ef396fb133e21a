"""Approve to block confirmed and revocation accepted, every vendor call taking 100 ms."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bot.lab.sample_clients import MARIA, SAM, TECHNICIANS
from bot.lab.slack_limits import Shown, buttons, read
from connectors.microsoft365.simulated_people import CONTOSO
from connectors.microsoft365.simulator import Fault
from tests.city import City

CALL = 0.1
"""Seconds every vendor call takes."""
CHAIN = 3
"""Calls of the longest chain: look, block, read back. (The revocation's is two: look, revoke.)"""
PRESSES = ("Head of", "Resigned", "No, on good terms", "Now", "Accept all", "Submit")


async def lockout(folder: Path, runs: int) -> tuple[float, float]:
    """Median seconds over the runs, and what the chain's own calls take."""
    city = City(folder)
    await city.start()
    try:
        city.microsoft.fail(CONTOSO, Fault("delay", calls=None, seconds=CALL))
        # The first one pays for the token and the SDK's import; a service under way has both.
        return statistics.median([await _once(city, number) for number in range(runs + 1)][1:]), CHAIN * CALL
    finally:
        await city.stop()


async def _once(city: City, number: int) -> float:
    name = city.add_leaver(number)
    await city.types(MARIA, f"/offboard {name}")
    for press in PRESSES:
        await city.clicks(MARIA.user, *await button_about(city.slack.private, MARIA.user, name, press))
    approve = await button_about(city.slack.messages, TECHNICIANS, name, "Approve")
    # The cards of the interview have been redrawn; nothing else is under way.
    await asyncio.sleep(1.0)
    begun = datetime.now(UTC)
    await city.clicks(SAM.user, *approve)
    return (await _ended(city, name) - begun).total_seconds()


async def button_about(where: Callable[[str], list[Shown]], whose: str, name: str, press: str) -> tuple[Shown, str]:
    """The card about that leaver once it has a button whose label matches, and that label."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for card in where(whose):
            label = next((label for label in buttons(card) if re.search(press, label)), "")
            if label and name in read(card):
                return card, label
        await asyncio.sleep(0.05)
    raise TimeoutError(f"no card about {name} has '{press}'")


async def _ended(city: City, name: str) -> datetime:
    """When the block was confirmed and the revocation accepted, by the service's own rows."""
    query = (
        "SELECT max(i.settled_at), max(j.accepted_at) FROM 'case' c"
        " JOIN step b ON b.case_id = c.id AND b.step = 'microsoft365.block_sign_in' JOIN item i ON i.step_id = b.id"
        " JOIN step r ON r.case_id = c.id AND r.step = 'microsoft365.revoke_sessions' JOIN item j ON j.step_id = r.id"
        " WHERE json_extract(c.leaver, '$.name') = ?"
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        [(blocked, revoked)] = city.rows(query, name)
        if blocked and revoked:
            return max(datetime.fromisoformat(str(one)).replace(tzinfo=UTC) for one in (blocked, revoked))
        await asyncio.sleep(0.1)
    raise TimeoutError(f"{name} was not locked out")
