"""Click to HTTP answer with commit, many at once, beside a bare Bolt echo."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

from bot.lab.demo_bot import free_port, healthy
from bot.lab.sample_clients import MARIA
from bot.lab.slack_limits import Shown, buttons
from tests.city import City

Shape = TypeVar("Shape")
PRESSES = ("Head of", "Resigned", "No, on good terms", "Now")
"""What each round presses on every case's card."""


async def answers(folder: Path, concurrent: int, rounds: int) -> tuple[dict[int, float], dict[int, float]]:
    """Percentiles (50, 99, and 100: the longest) in milliseconds: ours and the echo's."""
    city = City(folder)
    await city.start()
    port = free_port()
    echo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.echo", city.secret, str(port), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        for number in range(concurrent):
            await city.types(MARIA, f"/offboard {city.add_leaver(number)}")
        ours: list[float] = []
        theirs: list[float] = []
        await _answering(f"http://127.0.0.1:{port}")
        for press in PRESSES[:rounds]:
            cards = await every_card(lambda: city.slack.private(MARIA.user), buttons, city, press, concurrent)
            requests = [_request(city, card, press) for card in cards]
            theirs += await load(f"http://127.0.0.1:{port}/slack/events", requests)
            ours += await load(f"{city.bot.url}/slack/events", requests)
        return percentiles(ours), percentiles(theirs)
    finally:
        echo.terminate()
        await echo.wait()
        await city.stop()


async def every_card(
    shown: Callable[[], list[Shape]], buttons_of: Callable[[Shape], list[str]], city: City, press: str, count: int
) -> list[Shape]:
    """Every case's card, once all of them have the button and nothing else is under way."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        cards = [card for card in shown() if label_for(buttons_of(card), press)]
        if len(cards) == count and city.rows("SELECT count(*) FROM lookup WHERE NOT done") == [(0,)]:
            # What the last round caused is over, so that it is not measured with this one: a hundred
            # leavers' accounts being read, above all.
            await asyncio.sleep(1.0)
            return cards
        await asyncio.sleep(0.2)
    raise TimeoutError(f"not every card shows '{press}'")


def label_for(labels: list[str], press: str) -> str:
    """The button a round presses; '' when it is not there."""
    return next((label for label in labels if label == press or (press == "Head of" and press in label)), "")


def _request(city: City, card: Shown, press: str) -> dict[str, object]:
    payload = city.slack.click_payload(MARIA.user, card, label_for(buttons(card), press), {})
    body = urlencode({"payload": json.dumps(payload)})
    stamp = str(int(time.time()))
    signature = hmac.new(city.secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={signature}",
    }
    return {"body": body, "headers": headers}


async def load(url: str, requests: list[dict[str, object]], holding: str = "") -> list[float]:
    """Fire them at once from another process; each answer must hold that."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate(json.dumps({"url": url, "requests": requests, "holding": holding}).encode())
    if process.returncode:
        raise RuntimeError("the load was refused; its error is above")
    latencies: list[float] = json.loads(printed)
    return latencies


async def _answering(url: str) -> None:
    deadline = time.monotonic() + 20
    while not await healthy(url) and time.monotonic() < deadline:  # noqa: ASYNC110 - two processes
        await asyncio.sleep(0.05)


def percentiles(values: list[float]) -> dict[int, float]:
    """The median, the 99th percentile, and as 100 the longest."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {50: cuts[49], 99: cuts[98], 100: max(values)}
