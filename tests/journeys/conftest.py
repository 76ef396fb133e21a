"""Every journey, from one text, on Slack, in Teams, and with the client in Teams and the MSP on Slack.

Handlers know no platform, so in everyday runs each journey takes one of the three, always the same one; with
`--everywhere` it takes all three.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import cast

import pytest

from tests.world import PLATFORMS, STAGE


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module that is about one platform names it in ON."""
    on = str(getattr(cast("object", metafunc.module), "ON", ""))
    names = [on] if on else list(PLATFORMS)
    if not metafunc.config.getoption("everywhere"):
        names = [names[zlib.crc32(metafunc.definition.nodeid.encode()) % len(names)]]
    metafunc.parametrize("platform", names, indirect=True)


@pytest.fixture(autouse=True)
def platform(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the people of this journey are."""
    kept, STAGE.where = STAGE.where, PLATFORMS[request.param]
    yield request.param
    STAGE.where = kept
