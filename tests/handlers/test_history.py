"""The history: a chain from the first row, in which no row can be changed, left out or put in unseen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlmodel import Session, col, select

from handlers.cases.history import checked
from handlers.cases.tables import HistoryRow
from tests.journeys import locks_out
from tests.world import World


def _row(session: Session, seq: int) -> HistoryRow:
    return session.exec(select(HistoryRow).where(col(HistoryRow.seq) == seq)).one()


def _another_person(session: Session) -> None:
    _row(session, 3).person = "sam"


def _another_detail(session: Session) -> None:
    row = _row(session, 3)
    row.detail = {**row.detail, "value": "other"}


def _another_salt(session: Session) -> None:
    _row(session, 3).salt = "0" * 32


def _left_out(session: Session) -> None:
    session.delete(_row(session, 3))


def _put_in(session: Session) -> None:
    copied = _row(session, 3).model_dump(exclude={"seq"})
    session.add(HistoryRow(**copied))


@pytest.mark.parametrize(
    ("tamper", "at"),
    [(_another_person, 3), (_another_detail, 3), (_another_salt, 3), (_left_out, 4), (_put_in, None)],
)
async def test_tampering_is_found_where_it_was_done(
    world: World, tamper: Callable[[Session], None], at: int | None
) -> None:
    await locks_out(world)
    rows = await world.history()
    assert len(rows) > 8
    assert await world.house.store.read(lambda session: checked(session).broken_at) is None
    await world.house.store.write(tamper)
    assert await world.house.store.read(lambda session: checked(session).broken_at) == (at or len(rows) + 1)


async def test_everything_people_did_is_there_with_their_platform_identity(world: World) -> None:
    await locks_out(world)
    rows = await world.history()
    said = [(row.what, row.person, row.identity) for row in rows if row.person != "bot"]
    maria, sam = ("maria", "slack/T-CONTOSO/maria"), ("sam", "slack/T-MSP/sam")
    assert said == [
        ("case opened", *maria),
        ("leaver chosen", *maria),
        ("answered", *maria),
        ("answered", *maria),
        ("answered", *maria),
        ("submitted", *maria),
        ("approved", *sam),
    ]
    assert [row.what for row in rows if row.person == "bot"] == [
        "plan proposed",
        "step",
        "step",
        "plan done",
        "locked out",
        "reported",
    ]


async def test_a_press_that_did_nothing_leaves_no_trace_in_it(world: World) -> None:
    await world.types("maria", "/offboard Maria Lopez")
    before = len(await world.history())
    assert (await world.clicks("maria", "Maria Lopez")).line.startswith("That is you.")
    assert len(await world.history()) == before


async def test_an_end_that_was_cut_off_is_seen_by_the_hash_kept_outside(world: World) -> None:
    await locks_out(world)
    before = await world.house.store.read(checked)
    await world.types("maria", "/offboard O'Brien")
    grown = await world.house.store.read(lambda session: checked(session, before.last))
    assert grown.has_expected
    assert grown.entries > before.entries

    def cut(session: Session) -> None:
        for row in session.exec(select(HistoryRow).where(col(HistoryRow.seq) > 3)):
            session.delete(row)

    await world.house.store.write(cut)
    left = await world.house.store.read(lambda session: checked(session, before.last))
    assert left.broken_at is None  # the chain alone can't tell
    assert not left.has_expected
