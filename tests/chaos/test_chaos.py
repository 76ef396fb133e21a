"""A small storm runs with the suite: three kills, nothing lost, doubled or falsely done."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.storm import Storm


async def test_killing_the_service_loses_and_doubles_nothing(tmp_path: Path) -> None:
    figures = await Storm(tmp_path, kills=3, seed=11).run()
    assert figures["kills"] == 3
    assert figures["cases"] > 0
    assert (figures["lost"], figures["doubled"], figures["false_done"]) == (0, 0, 0)
