"""Worlds for the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.toy import Toy, ToyWorld
from tests.world import World, roster


def pytest_addoption(parser: pytest.Parser) -> None:
    """Journeys say what it does."""
    parser.addoption("--everywhere", action="store_true", help="every journey on Slack, in Teams, and mixed")


@pytest.fixture
def toys() -> ToyWorld:
    """The toy directory with two people in it."""
    toys = ToyWorld()
    toys.add("Jane Doe", "Head of Sales")
    toys.add("Maria Lopez", "Managing Director")
    return toys


@pytest.fixture
async def world(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[World]:
    """A house whose only system is the toy directory."""
    world = await World.build(tmp_path, (Toy(toys),), roster())
    yield world
    await world.close()
