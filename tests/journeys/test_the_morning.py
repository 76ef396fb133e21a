"""Eight o'clock: the technicians read what waits, what is overdue, what comes, and what was saved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handlers import morning
from tests.company import Company, company


@pytest.fixture
async def contoso(tmp_path: Path) -> AsyncIterator[Company]:
    """The whole company, its bill and its ticket included."""
    async with company(tmp_path, paperwork=True, keep_days=3) as built:
        yield built


async def it_is(contoso: Company, day: int, hour: int, minute: int = 0) -> None:
    contoso.world.clock.time = datetime(2026, 11, day, hour, minute, tzinfo=UTC)
    await morning.send(contoso.world.house)
    await contoso.world.settle()


def said(contoso: Company, reader: str = "sam") -> list[str]:
    return [one for one in contoso.world.reads(reader).split("\n---\n") if one.startswith("Good morning")]


async def leaves(contoso: Company) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    await contoso.world.clicks("bill", "Approve the bill")
    await contoso.world.passes(minutes=30)


async def test_what_is_with_somebody_since_yesterday_is_said_with_their_name(contoso: Company) -> None:
    await leaves(contoso)
    await it_is(contoso, 25, 8)
    (read,) = said(contoso)
    assert "Case 1, Jane Doe: Equipment in ConnectWise – Sam Lee, since yesterday" in read
    assert "case 1, Jane Doe: what was kept" not in read  # the rest is not over: its days are not counted yet
    assert "The clients: 102.40 GBP a month" in read
    assert "Northwind IT: 33.15 USD a month" in read


async def test_a_lock_out_nobody_approved_comes_first(contoso: Company) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    await it_is(contoso, 24, 8, 1)
    (read,) = said(contoso)
    assert read.splitlines()[1:3] == [
        "Waits for approval",
        "[failed] Case 1, Jane Doe: the lock-out; the leaver can still sign in",
    ]


async def test_it_comes_once_a_day_and_not_at_night(contoso: Company) -> None:
    await leaves(contoso)
    for hour, messages in ((7, 0), (8, 1), (9, 1), (20, 1)):
        await it_is(contoso, 24, hour)
        assert len(said(contoso)) == messages
    await it_is(contoso, 25, 8)
    assert len(said(contoso)) == 2


async def test_a_morning_with_nothing_to_say_is_silent(contoso: Company) -> None:
    await it_is(contoso, 24, 8)
    assert said(contoso) == []


async def test_a_seat_whose_day_comes_near_is_announced(contoso: Company) -> None:
    await leaves(contoso)
    contoso.world.clock.time = datetime(2027, 8, 20, 8, 0, tzinfo=UTC)
    await morning.send(contoso.world.house)
    await contoso.world.settle()
    assert "24 Aug 2027, case 1, Jane Doe: Pay for one seat less: Microsoft 365 E3" in said(contoso)[-1]


async def test_our_own_people_are_told_of_to_the_admins_alone(tmp_path: Path) -> None:
    async with company(tmp_path, own=True) as own:
        await own.asks("Jane Doe", "Head of Sales")
        await it_is(own, 24, 8)
        assert said(own) == []
        assert len(said(own, "ada")) == 1


async def test_whose_access_ends_today_comes_before_everything(contoso: Company) -> None:
    await contoso.begins("Jane Doe", "Head of Sales", when="At that time", day="2026-11-24", hour="17:00")
    await contoso.accepts()
    await contoso.clicks("Submit")
    await contoso.approved()
    await it_is(contoso, 24, 8)
    (read,) = said(contoso)
    assert read.splitlines()[1:3] == ["Whose access ends", "[pending] 24 Nov 2026, 17:00 (UTC), case 1, Jane Doe"]
    await it_is(contoso, 25, 8)
    assert "Whose access ends" not in said(contoso)[-1]


async def test_who_waits_for_a_go_is_said_every_morning(contoso: Company) -> None:
    await contoso.begins("Jane Doe", "Head of Sales", when="When I say go")
    await contoso.accepts()
    await contoso.clicks("Submit")
    await contoso.approved()
    for day in (24, 25):
        await it_is(contoso, day, 8)
        assert "[person] On go, case 1, Jane Doe" in said(contoso)[-1]
