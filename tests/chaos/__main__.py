"""Kills the real service again and again in the middle of offboardings, and counts what that did.

    python -m tests.chaos --kills 50 [--json] [--seed 7]

People keep asking and approving through the stand-in for Slack; the service, unmodified but for a help desk among its
systems, beside the distributor and the service desk, is killed with SIGKILL at random moments and started again. At the
end the simulators are asked what really happened:

- tickets, notes, seats, lines: what was written at the service desk, given back at the distributor and taken off the
  invoice; waiting, with_person: steps of a bill that wait for a time of their own, or for somebody to compare numbers
- lost: cases that did not come to their end, or have no ticket that says what ended
- doubled: tickets, notes, tasks and hours that stand there twice, seats and lines beyond one for each leaver
- false_done: steps recorded as done whose effect the simulator does not show
- idempotent_repeats: effects that were repeated without harm
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.storm import Storm


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill the service and count.")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--json", action="store_true", help="end with one JSON line")
    asked = parser.parse_args()
    # A killed asker is the point here, not a stand-in's failure.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(Storm(Path(folder), asked.kills, asked.seed, paperwork=True).run())
    if asked.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:>20} {figure}")
    return 1 if figures["lost"] or figures["doubled"] or figures["false_done"] else 0


if __name__ == "__main__":
    sys.exit(main())
