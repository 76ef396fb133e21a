"""Worlds for the tests."""

from __future__ import annotations

import functools
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.toy import Toy, ToyWorld
from tests.world import World, roster


def pytest_addoption(parser: pytest.Parser) -> None:
    """Journeys say what it does."""
    parser.addoption("--everywhere", action="store_true", help="every journey on Slack, in Teams, and mixed")


def pytest_collection_finish() -> None:
    """Garbage is looked for less often, and not among what is imported by now: it took 6 % of the journeys' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


class OneByOne(LoadScopeScheduling):
    """Each test goes to whichever worker is free; a module that makes something for all its tests stays together.

    By whole modules, one worker would wait for minutes while another is at the longest one; and xdist's own groups are
    not heard of by this pytest (pytest-xdist 3.8.0 with pytest 9.2.0, its issue 1386, read 2026-11).
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if shares(module) else nodeid


@functools.cache
def shares(module: str) -> bool:
    """Whether its fixtures would be made anew on every worker."""
    return 'scope="module"' in (Path(__file__).parent.parent / module).read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneByOne:
    """The one way in which tests are spread here."""
    return OneByOne(config, log)


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
