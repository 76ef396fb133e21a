"""Every call of the connectors × every fault of its wire: does the case end in the truth?

    python -m tests.chaos.faults [--json] [--what changes|reads] [--case C] [--system S] [--only WORDS] [--alone]

The reference leavers' cases run once without a fault; every distinct call they make is then made to go wrong in every
way its wire knows, each in a case of its own, and what the stand-ins show afterwards is held against what was said.

- untruthful: runs in which something was said to be done that was not, happened twice, or gave a secret away
- stuck: runs that did not come to rest
- with_person: runs that left a person more to do than the clean one; the others healed by themselves
- our_fault: runs in which our own code failed, however truthfully it was told
- repeats: effects repeated without harm
- missed: faults whose call was not made

What changes something goes wrong in a case of its own. Reads that fail share a case, six at most, and are parted when
that case does not heal by itself.
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
from dataclasses import dataclass, replace
from pathlib import Path

from tests.chaos.calls import Place, let_fail, places
from tests.chaos.leavers import LEAVERS
from tests.chaos.offboarding import offboarding
from tests.chaos.truth import Truth
from tests.chaos.verdict import Verdict, effects, judge, look_at_headline

TOGETHER = 6
"""How many reads may go wrong in one case."""


@dataclass(frozen=True)
class Clean:
    """A case without any fault."""

    places: tuple[Place, ...]
    effects: Counter[str]
    with_person: frozenset[str]
    verdict: Verdict
    steps: frozenset[str]


@dataclass(frozen=True)
class Trouble:
    """One call that goes wrong in one way."""

    place: Place
    kind: str


@dataclass(frozen=True)
class Run:
    """One case to be run: what goes wrong in it, and what a case without does."""

    troubles: tuple[Trouble, ...]
    effects: Counter[str]
    with_person: frozenset[str]

    @property
    def case(self) -> str:
        """Whose case it is."""
        return self.troubles[0].place.case

    @property
    def alone(self) -> list[Run]:
        """Each of its troubles in a case of its own."""
        return [replace(self, troubles=(one,)) for one in self.troubles]

    def takes(self, other: Run) -> bool:
        """Whether both can be one case: reads of one leaver that nobody could take for each other."""
        if self.case != other.case or len(self.troubles) >= TOGETHER:
            return False
        places = [one.place for one in (*self.troubles, *other.troubles)]
        ours, theirs = [one.place.match for one in self.troubles], other.troubles[0].place.match
        return not any(one.changes for one in places) and not any(one in theirs or theirs in one for one in ours)


async def clean(case: str) -> Clean:
    """Run that leaver's case without any fault."""
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        async with offboarding(Path(folder), LEAVERS[case]) as one:
            truth = Truth(one.leaver, one.company.companies)
            await one.run(lambda: look_at_headline(one, truth, said))
            verdict = await judge(one, truth, Path(folder), None)
            verdict.untrue += said
            found = places(case, one.company.companies, one.approved_at or {})
            steps = frozenset(await one.company.states())
            return Clean(tuple(found), effects(one), frozenset(verdict.with_person), verdict, steps)


async def faulty(run: Run) -> Verdict:
    """Run the case with what goes wrong, and judge it."""
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        async with offboarding(Path(folder), LEAVERS[run.case]) as one:
            truth = Truth(one.leaver, one.company.companies)
            armed = [let_fail(one.company.companies, trouble.place, trouble.kind) for trouble in run.troubles]
            try:
                await one.run(lambda: look_at_headline(one, truth, said))
            except AssertionError as error:
                return Verdict(stuck=[str(error)])
            verdict = await judge(one, truth, Path(folder), run.effects)
            verdict.untrue += dict.fromkeys(said)
            verdict.with_person = sorted(set(verdict.with_person) - run.with_person)
            verdict.missed = sum(fault.calls == calls for fault, calls in armed if fault.calls is not None)
            return verdict


def of_each_call(cases: Iterable[Clean]) -> list[Run]:
    """Every distinct call, in the first case that makes it, with every fault."""
    first: dict[tuple[str, str, str], Run] = {}
    for case in cases:
        for place in case.places:
            for kind in place.faults:
                run = Run((Trouble(place, kind),), case.effects, case.with_person)
                first.setdefault((place.system, place.shape, kind), run)
    # What changes something first: there most can go wrong.
    return sorted(first.values(), key=lambda run: not run.troubles[0].place.changes)


def together(runs: list[Run]) -> list[Run]:
    """The same with fewer cases: reads that go wrong share one, and are parted again when it does not end well."""
    shared: list[Run] = []
    for run in runs:
        place = next((at for at, other in enumerate(shared) if other.takes(run)), None)
        if place is None:
            shared.append(run)
        else:
            shared[place] = replace(shared[place], troubles=(*shared[place].troubles, *run.troubles))
    return shared


def figures(runs: list[tuple[Run, Verdict]]) -> dict[str, int]:
    """The numbers of the last line."""
    verdicts = [verdict for _, verdict in runs]
    troubles = {one for run, _ in runs for one in run.troubles}
    return {
        "calls": len({(one.place.system, one.place.shape) for one in troubles}),
        "faults": len({one.kind for one in troubles}),
        "pairs": len(troubles),
        "runs": len(runs),
        "untruthful": sum(bool(one.untrue) for one in verdicts),
        "stuck": sum(bool(one.stuck) for one in verdicts),
        "with_person": sum(bool(one.with_person) for one in verdicts),
        "our_fault": sum(bool(one.our_fault) for one in verdicts),
        "repeats": sum(one.repeats for one in verdicts),
        "missed": sum(one.missed for one in verdicts),
    }


def _run(run: Run) -> tuple[Run, Verdict]:
    logging.disable(logging.CRITICAL)
    return run, asyncio.run(faulty(run))


def _clean(case: str) -> Clean:
    logging.disable(logging.CRITICAL)
    return asyncio.run(clean(case))


def _tell(run: Run, verdict: Verdict) -> None:
    """One line of the table for each trouble, and what is wrong with the case."""
    word = "UNTRUE" if verdict.untrue else "STUCK" if verdict.stuck else "person" if verdict.with_person else "healed"
    for one in run.troubles:
        print(f"{word:7} {one.kind:16} {run.case:12} {one.place.system:16} {one.place.shape[:110]}", flush=True)
    wrong = (*verdict.untrue, *verdict.stuck, *(f"our own code failed in {one}" for one in verdict.our_fault))
    for what in (*wrong, *(f"with a person: {one}" for one in verdict.with_person)):
        print(f"        - {what}", flush=True)
    if verdict.missed:
        print(f"        - {verdict.missed} of these were never called", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.faults", description="Every call × every fault.")
    parser.add_argument("--only", default="", help="only calls or faults that carry these words")
    parser.add_argument("--case", choices=tuple(LEAVERS), action="append", help="only this leaver's; may be repeated")
    parser.add_argument("--system", action="append", help="only calls of this system; may be repeated")
    parser.add_argument("--what", choices=("all", "changes", "reads"), default="all")
    parser.add_argument(
        "--alone", action="store_true", help="every fault in a case of its own: takes three times as long"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="end with one JSON line")
    asked = parser.parse_args()
    with ProcessPoolExecutor(asked.processes, multiprocessing.get_context("spawn")) as pool:
        cases = list(pool.map(_clean, LEAVERS))
        wanted = [run for run in of_each_call(cases) if _asked_for(run, asked)]
        told: list[tuple[Run, Verdict]] = []
        parted: list[Run] = []
        for run, verdict in pool.map(_run, wanted if asked.alone else together(wanted)):
            if len(run.troubles) > 1 and not (verdict.fine and not verdict.with_person and not verdict.missed):
                parted += run.alone
                continue
            told.append((run, verdict))
            _tell(run, verdict)
        for run, verdict in pool.map(_run, parted):
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


def _asked_for(run: Run, asked: argparse.Namespace) -> bool:
    trouble, place = run.troubles[0], run.troubles[0].place
    if (asked.case and run.case not in asked.case) or (asked.system and place.system not in asked.system):
        return False
    if asked.what != "all" and place.changes != (asked.what == "changes"):
        return False
    return asked.only in f"{place.system} {place.shape} {trouble.kind}"


if __name__ == "__main__":
    sys.exit(main())
