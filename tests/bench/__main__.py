"""How fast it is, measured over the wire on this machine.

    python -m tests.bench [--json] [--concurrent 100] [--rounds 4] [--runs 5]

- answer_p99_ms: from a click to its HTTP answer, decision committed, so many clicks at once, sent
  by a process of its own; goal ≤ 500
- answer_p99_over_echo: the same, over a bare Bolt echo under the same load; goal ≤ 3
- lockout_over_chain: from Approve until the block is read back and the revocation accepted, over
  what that chain's own vendor calls take at 100 ms each; goal ≤ 1.2
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from tests.bench.answers import answers
from tests.bench.lockout import lockout

GOALS = {"answer_p99_ms": 500.0, "answer_p99_over_echo": 3.0, "lockout_over_chain": 1.2}


async def measure(concurrent: int, rounds: int, runs: int) -> tuple[dict[str, float], dict[str, float]]:
    """The figures with goals, and the ones beside them."""
    with tempfile.TemporaryDirectory() as folder:
        ours, echo = await answers(Path(folder), concurrent, rounds)
    with tempfile.TemporaryDirectory() as folder:
        seconds, chain = await lockout(Path(folder), runs)
    figures = {
        "answer_p99_ms": round(ours[99], 1),
        "answer_p99_over_echo": round(ours[99] / echo[99], 2),
        "lockout_over_chain": round(seconds / chain, 2),
    }
    beside = {
        "answer_p50_ms": round(ours[50], 1),
        "echo_p50_ms": round(echo[50], 1),
        "echo_p99_ms": round(echo[99], 1),
        "lockout_ms": round(seconds * 1000, 1),
        "chain_ms": round(chain * 1000, 1),
    }
    return figures, beside


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--json", action="store_true", help="end with one JSON line")
    parser.add_argument("--concurrent", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=4, choices=range(1, 5))
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    figures, beside = asyncio.run(measure(asked.concurrent, asked.rounds, asked.runs))
    for name, figure in {**figures, **beside}.items():
        goal = GOALS.get(name)
        verdict = "" if goal is None else f"goal ≤ {goal:g}: {'met' if figure <= goal else 'MISSED'}"
        print(f"{name:>22} {figure:>9} {verdict}")
    if asked.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
