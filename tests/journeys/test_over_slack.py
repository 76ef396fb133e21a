"""The whole way, nothing left out: the real service as a process, Bolt, the SDK, the queue, a Slack, a tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.lab.sample_clients import MARIA, NOOR, OSKAR, SAM, TECHNICIANS
from bot.lab.slack_limits import Shown, buttons, read
from connectors.microsoft365 import simulated_people as people
from tests.city import City

ON = "slack"


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    city = City(tmp_path)
    await city.start()
    yield city
    await city.stop()


async def shown(city: City, where: Callable[[], list[Shown]], *words: str, seconds: float = 15) -> Shown:
    """The newest message there that says all of this, as soon as there is one."""
    found: list[Shown] = []

    def there() -> bool:
        found[:] = [one for one in where() if all(word in f"{read(one)} {buttons(one)}" for word in words)]
        return bool(found)

    await city.slack.until(there, seconds)
    return found[-1]


async def presses(city: City, user: str, where: Callable[[], list[Shown]], label: str) -> Shown:
    """Wait for the button, and press it."""
    message = await shown(city, where, label)
    whole = next(one for one in buttons(message) if label in one)
    answer = await city.clicks(user, message, whole)
    assert answer is not None
    assert answer.status == 200
    return message


async def test_the_manager_offboards_jane_on_slack_and_a_technician_approves(city: City) -> None:
    def marias() -> list[Shown]:
        return city.slack.private(MARIA.user)

    def channel() -> list[Shown]:
        return city.slack.messages(TECHNICIANS)

    await city.types(MARIA, "/offboard Jane Doe")
    for label in ("Head of Sales", "Dismissed", "Yes", "Now", "Accept all", "Submit"):
        await presses(city, MARIA.user, marias, label)
    jane = city.person(people.JANE)
    approval = await shown(city, channel, "Approve")
    assert jane.enabled

    # Maria holds no right to approve, wherever she gets the button from; nor does a stranger.
    await city.clicks(MARIA.user, approval, next(one for one in buttons(approval) if "Approve" in one))
    await city.clicks(OSKAR.user, approval, next(one for one in buttons(approval) if "Approve" in one))
    assert jane.enabled

    before_the_press = await presses(city, SAM.user, channel, "Approve")
    await city.clicks(SAM.user, before_the_press, next(one for one in buttons(before_the_press) if "Approve" in one))
    await shown(city, marias, "Jane Doe is locked out since")
    assert not jane.enabled
    assert jane.methods == []
    assert [effect.what for effect in city.microsoft.effects].count("blocked") == 1

    # A colleague and a stranger learn nothing; a lock screen and a channel name nobody.
    for nobody in (NOOR, OSKAR):
        await city.types(nobody, "/offboard-status Jane")
        await city.slack.until(lambda: bool(city.slack.ephemeral(nobody.user)))  # noqa: B023 - asked at once
        assert "locked out" not in read(city.slack.ephemeral(nobody.user)[-1])
        assert city.slack.private(nobody.user) == []
    for message in (*marias(), *channel()):
        assert "Jane" not in message.text

    # The service ends when asked, and what it wrote is still there when it comes back.
    await city.bot.stop()
    await city.bot.start()
    await city.bot.until_up()
    await city.types(MARIA, "/offboard-status Jane")
    await shown(city, marias, "Jane Doe is locked out since", "shows this again")


async def test_a_hundred_milliseconds_of_slack_being_down_lose_no_card(city: City) -> None:
    city.slack.fail("chat.postMessage", "internal_error", times=2, status=500)
    city.slack.throttle("chat.update", times=2)
    await city.types(MARIA, "/offboard Sean O'Brien")
    await shown(city, lambda: city.slack.private(MARIA.user), "Sean O'Brien, Warehouse Lead", seconds=25)
