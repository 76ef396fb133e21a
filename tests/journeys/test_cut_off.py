"""When access ends: at a time, or when somebody says go. Approved beforehand, held until then, never by silence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.contract import Refused, Wave
from handlers.cases.states import PlanState
from tests.journeys import chooses
from tests.toy import CloseAccount, TakeBadges, Toy, ToyWorld
from tests.world import START, World, roster


class Hold(CloseAccount):
    """Keeps everything as it is, quietly."""

    id = "toy.hold"
    title = "Hold everything"
    wave = Wave.PRESERVE
    early = True
    immediate = False


class Holding(Toy):
    """Where something can be kept before access ends; for these tests a hold closes the 'account' of the archive."""

    steps = (TakeBadges(), Hold())


@pytest.fixture
async def london(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[World]:
    """Contoso keeps London's time; it is 17:00 there."""
    world = await World.build(tmp_path, (Toy(toys),), roster(time_zone="Europe/London"))
    yield world
    await world.close()


@pytest.fixture
async def archive(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[World]:
    """Contoso with something that is kept ahead of a contentious lock-out."""
    world = await World.build(tmp_path, (Holding(toys),), roster())
    yield world
    await world.close()


async def asks(world: World, *, contentious: bool = False) -> None:
    await chooses(world)
    await world.clicks("maria", "Dismissed")
    await world.clicks("maria", "Yes" if contentious else "No, on good terms")


async def asks_on_go(world: World, *, contentious: bool = False) -> None:
    await asks(world, contentious=contentious)
    await world.clicks("maria", "When I say go")
    await world.clicks("maria", "Submit")


async def asks_for(world: World, day: str, hour: str) -> str:
    """At that time; what the bot says to it."""
    await asks(world)
    reply = await world.clicks("maria", "At that time", values={"day": day, "hour": hour})
    if not reply.line:
        await world.clicks("maria", "Submit")
    return reply.line


async def state(world: World) -> PlanState:
    return PlanState((await world.plans())[0].state)


# --- on go ------------------------------------------------------------------------------------------


async def test_on_go_nothing_ends_until_it_is_said_twice(world: World, toys: ToyWorld) -> None:
    await asks_on_go(world)
    await world.clicks("sam", "Approve")
    assert await state(world) is PlanState.ARMED
    assert "Approved, and waits for the go. Jane Doe can still sign in." in world.reads("maria")
    await world.passes(days=2)
    await world.clicks("maria", "Go: end Jane Doe's access")
    assert toys.named("Jane Doe").open
    assert "Maria Lopez pressed Go. Really end Jane Doe's access now?" in world.reads("sam")
    await world.clicks("maria", "Yes, end Jane Doe's access now")
    assert not toys.named("Jane Doe").open
    assert "Jane Doe is locked out since" in world.reads("maria")
    assert "The cut-off is here: access is being ended." in world.news("sam")


async def test_a_technician_may_say_go_as_well(world: World, toys: ToyWorld) -> None:
    await asks_on_go(world)
    await world.clicks("sam", "Approve")
    await world.clicks("priya", "Go:")
    await world.clicks("priya", "Yes, end")
    assert not toys.named("Jane Doe").open


async def test_the_second_press_is_the_first_persons_own(world: World, toys: ToyWorld) -> None:
    await asks_on_go(world)
    await world.clicks("sam", "Approve")
    await world.clicks("maria", "Go:")
    reply = await world.clicks("sam", "Yes, end")
    assert reply.line == (
        "Maria Lopez pressed Go, so it is theirs to confirm. Press 'Not yet' first to say it yourself."
    )
    assert toys.named("Jane Doe").open
    await world.clicks("sam", "Not yet")
    await world.clicks("sam", "Go:")
    await world.clicks("sam", "Yes, end")
    assert not toys.named("Jane Doe").open


async def test_a_go_that_was_not_confirmed_at_once_counts_no_more(world: World, toys: ToyWorld) -> None:
    await asks_on_go(world)
    await world.clicks("sam", "Approve")
    await world.clicks("maria", "Go:")
    yes, place = world.button("maria", "Yes, end")
    await world.passes(minutes=11)
    reply = await world.presses("maria", yes, place)
    assert reply.line == "That was a while ago. Press once more if you still mean it."
    assert toys.named("Jane Doe").open
    await world.clicks("maria", "Yes, end")
    assert not toys.named("Jane Doe").open


async def test_an_old_go_button_does_nothing(world: World, toys: ToyWorld) -> None:
    await asks_on_go(world)
    await world.clicks("sam", "Approve")
    go, place = world.button("maria", "Go:")
    await world.clicks("maria", "Go:")
    await world.clicks("maria", "Not yet")
    await world.presses("maria", go, place)
    assert "Really end" not in world.reads("maria")
    assert toys.named("Jane Doe").open


async def test_nobody_else_says_go(world: World, toys: ToyWorld) -> None:
    await asks_on_go(world)
    await world.clicks("sam", "Approve")
    go, place = world.button("maria", "Go:")
    assert (await world.presses("noor", go, place)).line == "Only the requester and technicians say go."
    assert (await world.presses("bill", go, place)).line == "Only the requester and technicians say go."
    assert "Really end" not in world.reads("maria")


async def test_silence_reminds_and_never_ends_access(world: World, toys: ToyWorld) -> None:
    await asks_on_go(world)
    await world.clicks("sam", "Approve")
    waits = "The lock-out is approved and waits for the go."
    await world.passes(days=1, minutes=1)
    assert waits in world.news("maria")
    assert waits not in world.news("sam")
    await world.passes(days=30)
    assert waits in world.news("sam")
    assert await state(world) is PlanState.ARMED
    assert toys.effects == []
    assert not (await world.cases())[0].closed


async def test_a_lock_out_on_go_may_be_approved_in_peace(world: World) -> None:
    await asks_on_go(world)
    await world.passes(minutes=20)
    assert world.pages == []
    assert "A lock-out waits for approval" not in world.news("sam")
    await world.passes(days=1, minutes=1)
    assert "A lock-out waits for approval" in world.news("sam")
    assert world.pages == []


async def test_a_client_with_immediate_lock_outs_still_waits_for_the_go(tmp_path: Path, toys: ToyWorld) -> None:
    people = roster(lockout="immediate")
    world = await World.build(tmp_path, (Toy(toys),), people)
    await asks(world)
    await world.clicks("maria", "When I say go")
    await world.clicks("maria", "Lock out Jane Doe now")
    assert toys.named("Jane Doe").open
    assert await state(world) is PlanState.AWAITING_APPROVAL
    await world.close()


# --- at a time --------------------------------------------------------------------------------------


async def test_access_ends_at_the_time_that_was_said_in_the_clients_own_zone(london: World, toys: ToyWorld) -> None:
    assert await asks_for(london, "2026-11-30", "17:30") == ""
    assert "Access ends 30 Nov 2026, 17:30 (Europe/London), once it is approved." in london.reads("sam")
    await london.clicks("sam", "Approve")
    assert await state(london) is PlanState.SCHEDULED
    assert "Access ends 30 Nov 2026, 17:30 (Europe/London). Jane Doe can still sign in." in london.reads("maria")
    await london.passes(days=7, minutes=29)
    assert toys.named("Jane Doe").open
    await london.passes(minutes=2)
    assert not toys.named("Jane Doe").open
    assert "Jane Doe is locked out since" in london.reads("maria")


async def test_summer_time_is_the_clients(tmp_path: Path, toys: ToyWorld) -> None:
    world = await World.build(tmp_path, (Toy(toys),), roster(time_zone="America/New_York"))
    assert await asks_for(world, "2026-11-24", "09:00") == ""
    await world.clicks("sam", "Approve")
    world.clock.time = START.replace(day=24, hour=13, minute=59)
    await world.settle()
    assert toys.named("Jane Doe").open
    world.clock.time = START.replace(day=24, hour=14, minute=0)
    await world.settle()
    assert not toys.named("Jane Doe").open
    await world.close()


async def test_a_service_that_was_down_at_the_time_ends_access_when_it_is_back(london: World, toys: ToyWorld) -> None:
    await asks_for(london, "2026-11-24", "09:00")
    await london.clicks("sam", "Approve")
    london.clock.time = START + timedelta(days=2)
    await london.restart()
    assert not toys.named("Jane Doe").open


async def test_somebody_may_say_go_before_the_time(london: World, toys: ToyWorld) -> None:
    await asks_for(london, "2026-11-30", "17:30")
    await london.clicks("sam", "Approve")
    assert "It ends by itself on 30 Nov 2026, 17:30 (Europe/London)." in london.reads("maria")
    await london.clicks("maria", "Go:")
    await london.clicks("maria", "Yes, end")
    assert not toys.named("Jane Doe").open
    effects = list(toys.effects)
    await london.passes(days=8)
    assert toys.effects == effects


async def test_nobody_approved_it_in_time_then_it_is_paged_and_begins_on_approval(
    london: World, toys: ToyWorld
) -> None:
    await asks_for(london, "2026-11-23", "20:00")
    await london.passes(hours=1, minutes=50)
    assert london.pages == []
    await london.passes(minutes=25)
    assert london.pages == ["Case 1 at Contoso Ltd: a lock-out waits for approval, nobody took it."]
    await london.passes(hours=2)
    assert "Its time is over: access ends on approval." in london.reads("sam")
    await london.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open


@pytest.mark.parametrize(
    ("day", "hour", "says"),
    [
        ("", "", "Pick a day and a time first, such as 2026-11-30 and 17:00."),
        ("2026-11-30", "", "Pick a day and a time first, such as 2026-11-30 and 17:00."),
        ("30/11/2026", "5 pm", "Pick a day and a time first, such as 2026-11-30 and 17:00."),
        ("2026-11-23", "16:59", "That time is over already. Pick a later one, or 'Now'."),
        ("2028-01-01", "09:00", "That is more than a year away. Start the case nearer to the day."),
        ("2027-03-28", "01:30", "The clocks go forward over that time, so it does not exist that day. Pick another."),
    ],
)
async def test_a_time_that_is_none_is_asked_again(london: World, day: str, hour: str, says: str) -> None:
    assert await asks_for(london, day, hour) == says
    assert "When does Jane Doe's access end?" in london.reads("maria")
    await london.clicks("maria", "Now")


# --- another time, or not at all ----------------------------------------------------------------------


async def test_another_time_needs_another_approval(london: World, toys: ToyWorld) -> None:
    await asks_for(london, "2026-11-24", "09:00")
    await london.clicks("sam", "Approve")
    await london.clicks("maria", "Change when access ends")
    await london.clicks("maria", "At that time", values={"day": "2026-11-26", "hour": "09:00"})
    await london.clicks("maria", "Submit")
    assert await state(london) is PlanState.AWAITING_APPROVAL
    await london.passes(days=1)
    assert toys.named("Jane Doe").open
    await london.clicks("sam", "Approve")
    london.clock.time = START.replace(day=26, hour=9, minute=0)
    await london.settle()
    assert not toys.named("Jane Doe").open


async def test_the_old_time_ends_nothing_while_the_new_one_is_being_chosen(london: World, toys: ToyWorld) -> None:
    await asks_for(london, "2026-11-24", "09:00")
    await london.clicks("sam", "Approve")
    await london.clicks("maria", "Change when access ends")
    await london.clicks("maria", "When I say go")
    await london.passes(days=3)
    assert toys.named("Jane Doe").open
    await london.clicks("maria", "Submit")
    await london.clicks("sam", "Approve")
    assert await state(london) is PlanState.ARMED


async def test_once_access_has_ended_its_time_is_not_changed(london: World) -> None:
    await asks_for(london, "2026-11-24", "09:00")
    await london.clicks("sam", "Approve")
    change, place = london.button("maria", "Change when access ends")
    london.clock.time = START.replace(day=24, hour=9, minute=0)
    await london.settle()
    await london.presses("maria", change, place)
    assert "Change when access ends" not in london.reads("maria").rsplit("Case 1: Jane Doe", 1)[-1]


async def test_whoever_stays_after_all_loses_nothing(world: World, toys: ToyWorld) -> None:
    await asks_on_go(world)
    await world.clicks("sam", "Approve")
    await world.clicks("maria", "Cancel the case")
    assert "Cancelled. Nothing was changed." in world.reads("maria")
    await world.passes(days=40)
    assert toys.effects == []
    assert {row.state for row in await world.rows()} == {"cancelled"}


# --- kept ahead ---------------------------------------------------------------------------------------


async def test_when_contentious_data_is_kept_on_approval_and_access_ends_on_go(archive: World, toys: ToyWorld) -> None:
    await asks_on_go(archive, contentious=True)
    await archive.clicks("sam", "Approve")
    assert toys.effects == ["close Jane Doe"]  # the hold of this test
    assert await state(archive) is PlanState.ARMED
    await archive.clicks("maria", "Go:")
    await archive.clicks("maria", "Yes, end")
    assert toys.effects == ["close Jane Doe", "badge Jane Doe front door"]


async def test_what_was_kept_ahead_is_put_back_by_a_technician_when_they_stay(archive: World, toys: ToyWorld) -> None:
    await asks_on_go(archive, contentious=True)
    await archive.clicks("sam", "Approve")
    reply = await archive.clicks("maria", "They stay: call it off")
    assert reply.line == "The technicians have been told. They put back what was done ahead."
    assert "they STAY" in archive.news("sam")
    await archive.clicks("sam", "They stay, put everything back")
    assert toys.effects == ["close Jane Doe", "open Jane Doe"]
    assert "Called off: they stay." in archive.reads("maria")
    assert "one-time way in" not in archive.reads("sam")


async def test_a_hold_that_is_stuck_before_the_go_is_repaired_on_the_card(archive: World, toys: ToyWorld) -> None:
    toys.faults["close"] = [Refused("toy", "close", "no permission")]
    await asks_on_go(archive, contentious=True)
    await archive.clicks("sam", "Approve")
    await archive.clicks("sam", "Retry")
    assert toys.effects == ["close Jane Doe"]
    assert await state(archive) is PlanState.ARMED


async def test_after_a_restart_the_hold_goes_on_and_access_still_waits(archive: World, toys: ToyWorld) -> None:
    await asks_on_go(archive, contentious=True)
    await archive.clicks("sam", "Approve")
    await archive.restart()
    assert toys.effects == ["close Jane Doe"]
    assert await state(archive) is PlanState.ARMED


@pytest.mark.parametrize("contentious", [False, True])
async def test_what_is_handed_over_goes_ahead_of_the_cut_off_on_good_terms_alone(
    tmp_path: Path, toys: ToyWorld, *, contentious: bool
) -> None:
    toys.named("Jane Doe").paid = True
    world = await World.build(tmp_path, (Toy(toys, asks=True),), roster())
    await asks(world, contentious=contentious)
    for label in ("When I say go", "Keep it", "Open a ticket", "Submit"):
        await world.clicks("maria", label)
    await world.clicks("sam", "Approve all")
    assert toys.named("Jane Doe").open
    assert len(toys.tickets) == (0 if contentious else 1)
    assert toys.named("Jane Doe").paid  # what is billed waits for the cut-off, whatever the terms
    await world.clicks("maria", "Go:")
    await world.clicks("maria", "Yes, end")
    assert not toys.named("Jane Doe").open
    assert len(toys.tickets) == 1
    assert not toys.named("Jane Doe").paid
    await world.close()
