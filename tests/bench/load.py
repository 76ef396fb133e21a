"""Fires prepared requests at once from a process of its own, and prints each one's latency in milliseconds.

Reads one JSON object from standard input: {"url": …, "requests": [{"body": …, "headers": {…}}, …], "holding": …}.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TypedDict

import aiohttp


class Request(TypedDict):
    """One signed POST."""

    body: str
    headers: dict[str, str]


async def fire(url: str, requests: list[Request], holding: str) -> list[float]:
    """All of them concurrently; one that is refused, or answered without what it must hold, raises."""
    connector = aiohttp.TCPConnector(limit=len(requests))
    async with aiohttp.ClientSession(connector=connector) as session:
        # Connections are open before the clock runs, as Slack's are.
        await asyncio.gather(*(_open(session, url) for _ in requests))

        async def one(request: Request) -> float:
            begun = time.perf_counter()
            async with session.post(url, data=request["body"].encode(), headers=request["headers"]) as answer:
                body = await answer.text()
                if answer.status != 200 or holding not in body:
                    raise RuntimeError(f"answered {answer.status}: {body[:200]}")
            return (time.perf_counter() - begun) * 1000

        return list(await asyncio.gather(*(one(request) for request in requests)))


async def _open(session: aiohttp.ClientSession, url: str) -> None:
    async with session.post(url, data=b"") as answer:
        await answer.read()


def main() -> None:
    asked = json.load(sys.stdin)
    print(json.dumps(asyncio.run(fire(asked["url"], asked["requests"], asked["holding"]))))


if __name__ == "__main__":
    main()
