"""Every call of the three connectors × every fault of its wire: does the case end in the truth?

    python -m tests.chaos.faults [--json] [--only WORDS] [--processes 2]

The reference leavers' cases run once without a fault; every distinct call they make is then made to go wrong in every
way its wire knows, each in a case of its own, and what the stand-ins show afterwards is held against what was said.

- untruthful: runs in which something was said to be done that was not, happened twice, or gave a secret away
- stuck: runs that did not come to rest
- with_person: runs that left a person more to do than the clean one; the others healed by themselves
- our_fault: runs in which our own code failed, however truthfully it was told
- repeats: effects repeated without harm
- missed: runs in which the call that was to go wrong was not made
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.calls import Place, let_fail, places
from tests.chaos.leavers import LEAVERS
from tests.chaos.offboarding import offboarding
from tests.chaos.truth import Truth
from tests.chaos.verdict import Verdict, effects, judge, look_at_headline


@dataclass(frozen=True)
class Clean:
    """A case without any fault."""

    places: tuple[Place, ...]
    effects: Counter[str]
    with_person: frozenset[str]
    verdict: Verdict
    steps: frozenset[str]


@dataclass(frozen=True)
class Run:
    """One case to be run: what goes wrong where, and what a case without does."""

    place: Place
    kind: str
    effects: Counter[str]
    with_person: frozenset[str]


async def clean(case: str) -> Clean:
    """Run that leaver's case without any fault."""
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        async with offboarding(Path(folder), LEAVERS[case]) as one:
            truth = Truth(one.leaver, one.company.companies)
            await one.run(lambda: look_at_headline(one, truth, said))
            verdict = await judge(one, truth, Path(folder), None)
            verdict.untrue += said
            found = places(case, one.company.companies, one.approved_at or (0, 0, 0))
            steps = frozenset(await one.company.states())
            return Clean(tuple(found), effects(one), frozenset(verdict.with_person), verdict, steps)


async def faulty(run: Run) -> Verdict:
    """Run the case with that fault, and judge it."""
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        async with offboarding(Path(folder), LEAVERS[run.place.case]) as one:
            truth = Truth(one.leaver, one.company.companies)
            fault, calls = let_fail(one.company.companies, run.place, run.kind)
            try:
                await one.run(lambda: look_at_headline(one, truth, said))
            except AssertionError as error:
                return Verdict(stuck=[str(error)])
            verdict = await judge(one, truth, Path(folder), run.effects)
            verdict.untrue += dict.fromkeys(said)
            verdict.with_person = sorted(set(verdict.with_person) - run.with_person)
            verdict.reached = fault.calls is None or fault.calls < calls
            return verdict


def of_each_call(cases: Iterable[Clean]) -> list[Run]:
    """Every distinct call, in the first case that makes it, with every fault."""
    first: dict[tuple[str, str], Run] = {}
    for case in cases:
        for place in case.places:
            for kind in place.faults:
                key = (f"{place.system} {place.shape}", kind)
                first.setdefault(key, Run(place, kind, case.effects, case.with_person))
    # What changes something first: there most can go wrong.
    return sorted(first.values(), key=lambda run: not run.place.changes)


def figures(runs: list[tuple[Run, Verdict]]) -> dict[str, int]:
    """The numbers of the last line."""
    verdicts = [verdict for _, verdict in runs]
    return {
        "calls": len({(run.place.system, run.place.shape) for run, _ in runs}),
        "faults": len({run.kind for run, _ in runs}),
        "runs": len(runs),
        "untruthful": sum(bool(one.untrue) for one in verdicts),
        "stuck": sum(bool(one.stuck) for one in verdicts),
        "with_person": sum(bool(one.with_person) for one in verdicts),
        "our_fault": sum(bool(one.our_fault) for one in verdicts),
        "repeats": sum(one.repeats for one in verdicts),
        "missed": sum(not one.reached for one in verdicts),
    }


def _run(run: Run) -> tuple[Run, Verdict]:
    logging.disable(logging.CRITICAL)
    return run, asyncio.run(faulty(run))


def _clean(case: str) -> Clean:
    logging.disable(logging.CRITICAL)
    return asyncio.run(clean(case))


def _tell(run: Run, verdict: Verdict) -> None:
    """One line of the table, and what is wrong with it."""
    word = "UNTRUE" if verdict.untrue else "STUCK" if verdict.stuck else "person" if verdict.with_person else "healed"
    word = word if verdict.reached else "missed"
    print(f"{word:7} {run.kind:16} {run.place.case:12} {run.place.system[:16]:16} {run.place.shape[:110]}", flush=True)
    for what in (*verdict.untrue, *verdict.stuck, *(f"our own code failed in {one}" for one in verdict.our_fault)):
        print(f"        - {what}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.faults", description="Every call × every fault.")
    parser.add_argument("--only", default="", help="only calls or faults that carry these words")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="end with one JSON line")
    asked = parser.parse_args()
    with ProcessPoolExecutor(asked.processes, multiprocessing.get_context("spawn")) as pool:
        cases = list(pool.map(_clean, LEAVERS))
        told: list[tuple[Run, Verdict]] = []
        wanted = of_each_call(cases)
        wanted = [one for one in wanted if asked.only in f"{one.place.system} {one.place.shape} {one.kind}"]
        for run, verdict in pool.map(_run, wanted):
            told.append((run, verdict))
            _tell(run, verdict)
    untrue = [f"{case}: {what}" for case, one in zip(LEAVERS, cases, strict=True) for what in one.verdict.untrue]
    for what in untrue:
        print(f"UNTRUE without any fault: {what}")
    result = figures(told)
    if asked.json:
        print(json.dumps(result))
    else:
        for name, figure in result.items():
            print(f"{name:>12} {figure}")
    return 1 if untrue or result["untruthful"] or result["stuck"] else 0


if __name__ == "__main__":
    sys.exit(main())
