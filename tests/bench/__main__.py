"""How fast it is, measured over the wire on this machine.

    python -m tests.bench [--json] [--concurrent 100] [--rounds 4] [--runs 5]

- answer_p99_ms: from a click to its HTTP answer, decision committed, so many clicks at once, sent
  by a process of its own; goal ≤ 500
- answer_p99_over_echo: the same, over a bare Bolt echo under the same load; goal ≤ 3
- teams_answer_p99_ms, teams_answer_max_ms: the same in Teams, the next card in the answer, by so many people each
  in a chat of their own; goals ≤ 500, and never above 1000
- lockout_over_chain: from Approve until the block is read back and the revocation accepted, over
  what that chain's own vendor calls take at 100 ms each; goal ≤ 1.2
- serial_over_ours: a typical leaver (`leaver.py`) by a script that sends one request after the other
  (`serial.py`), over the same by us (`whole_case.py`), from Approve to the last step both have; goal ≥ 5
- effect_calls_over_serial: our changing calls over the script's, for the effects both have; goal ≤ 0.6
- calls_over_serial: all our calls from Approve on over all the script's; we read everything back, it
  reads nothing back; goal ≤ 1.2
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from tests.bench.answers import answers
from tests.bench.lockout import CALL, lockout
from tests.bench.teams_answers import teams_answers
from tests.bench.whole_case import whole_case

GOALS = {
    "answer_p99_ms": 500.0,
    "answer_p99_over_echo": 3.0,
    "teams_answer_p99_ms": 500.0,
    "teams_answer_max_ms": 1000.0,
    "lockout_over_chain": 1.2,
    "serial_over_ours": 5.0,
    "effect_calls_over_serial": 0.6,
    "calls_over_serial": 1.2,
}
AT_LEAST = {"serial_over_ours"}
"""Figures that are to be at least their goal; the others at most."""


async def measure(
    concurrent: int, rounds: int, runs: int, call: float = CALL
) -> tuple[dict[str, float], dict[str, float]]:
    """The figures with goals, and the ones beside them; in the whole case every call takes so many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        ours, echo = await answers(Path(folder), concurrent, rounds)
    with tempfile.TemporaryDirectory() as folder:
        in_teams = await teams_answers(Path(folder), concurrent, rounds)
    with tempfile.TemporaryDirectory() as folder:
        seconds, chain = await lockout(Path(folder), runs)
    with tempfile.TemporaryDirectory() as folder:
        case, script = await whole_case(Path(folder), runs, call)
    figures = {
        "answer_p99_ms": round(ours[99], 1),
        "answer_p99_over_echo": round(ours[99] / echo[99], 2),
        "teams_answer_p99_ms": round(in_teams[99], 1),
        "teams_answer_max_ms": round(in_teams[100], 1),
        "lockout_over_chain": round(seconds / chain, 2),
        "serial_over_ours": round(script.seconds / case.seconds, 2),
        "effect_calls_over_serial": round(case.changes / script.changes, 2),
        "calls_over_serial": round(case.calls / script.calls, 2),
    }
    beside = {
        "answer_p50_ms": round(ours[50], 1),
        "teams_answer_p50_ms": round(in_teams[50], 1),
        "echo_p50_ms": round(echo[50], 1),
        "echo_p99_ms": round(echo[99], 1),
        "lockout_ms": round(seconds * 1000, 1),
        "chain_ms": round(chain * 1000, 1),
        "case_ms": round(case.seconds * 1000, 1),
        "case_calls": case.calls,
        "case_changes": case.changes,
        "serial_ms": round(script.seconds * 1000, 1),
        "serial_calls": script.calls,
        "serial_changes": script.changes,
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
        print(f"{name:>24} {figure:>9} {_verdict(name, figure)}")
    if asked.json:
        print(json.dumps(figures))


def _verdict(name: str, figure: float) -> str:
    if name not in GOALS:
        return ""
    goal, at_least = GOALS[name], name in AT_LEAST
    met = figure >= goal if at_least else figure <= goal
    return f"goal {'≥' if at_least else '≤'} {goal:g}: {'met' if met else 'MISSED'}"


if __name__ == "__main__":
    main()
