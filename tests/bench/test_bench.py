"""A small size of the benchmark runs with the suite, so that it can't rot; its figures are read by people."""

from __future__ import annotations

from tests.bench.__main__ import GOALS, measure
from tests.bench.lockout import CALL, CHAIN

SHORT = 0.02
"""Seconds a vendor call of the whole case takes here."""


async def test_the_benchmark_measures_every_figure_it_has_a_goal_for() -> None:
    figures, beside = await measure(concurrent=8, rounds=1, runs=1, call=SHORT)
    assert figures.keys() == GOALS.keys()
    assert all(figure > 0 for figure in figures.values())
    # Three calls of 100 ms can't have taken less: a shorter time would mean that one was left out.
    assert beside["lockout_ms"] >= CHAIN * CALL * 1000
    # One call after the other: less would mean that one of them cost nothing.
    assert beside["serial_ms"] >= beside["serial_calls"] * SHORT * 1000
