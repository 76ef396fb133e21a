"""Vendors that refuse, throttle, vanish or lag: nothing is doubled, nothing falsely done, nobody else is held up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlmodel import select

from connectors.contract import Accepted, Finding, Intent, Item, Nothing, Refused, Throttled, Todo, Unreachable
from handlers.cases.tables import ItemRow
from tests.journeys import locks_out, note_for, says_now, submits
from tests.toy import CloseAccount, Ctx, TakeBadges, Toy, ToyWorld
from tests.world import START, World, roster, words

GONE = Unreachable("Toy", "call", "no answer")


@pytest.fixture
async def asking(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[World]:
    """A house that also opens tickets."""
    world = await World.build(tmp_path, (Toy(toys, asks=True),), roster())
    yield world
    await world.close()


async def asks_for_a_ticket(world: World) -> None:
    await says_now(world)
    await world.clicks("maria", "Keep it")
    await world.clicks("maria", "Open a ticket")
    await world.clicks("maria", "Submit")


async def test_a_refusal_needs_a_person_who_retries(world: World, toys: ToyWorld) -> None:
    toys.faults["close"] = [Refused("Toy", "close", "not allowed", "Grant 'close'.")]
    await locks_out(world)
    assert "Close the account – Toy: close: not allowed Grant 'close'." in world.reads("sam")
    assert "Not fully locked out" in world.reads("maria")
    assert "Doors: ended" in world.reads("maria")  # the other step went on
    await world.clicks("sam", "Retry")
    assert "Jane Doe is locked out" in world.reads("maria")


async def test_a_step_is_skipped_by_a_named_person_with_a_reason_and_never_green(world: World, toys: ToyWorld) -> None:
    toys.faults["close"] = [Refused("Toy", "close", "not allowed")]
    await locks_out(world)
    assert (await world.clicks("sam", "Skip")).line.startswith("Write why it is skipped")
    await world.clicks("sam", "Skip", values=note_for(world, "Close the account"))
    assert "Toy account: OPEN, skipped by Sam Lee: the note" in world.reads("maria")
    assert "is locked out since" not in world.reads("maria")
    assert (await world.plans())[0].state == "done"


async def test_done_by_hand_is_read_back_before_it_counts(world: World, toys: ToyWorld) -> None:
    toys.faults["close"] = [Refused("Toy", "close", "not allowed")]
    await locks_out(world)
    note = note_for(world, "Close the account")
    await world.clicks("sam", "I did it by hand", values=note)
    assert "Read back, and it is still open: the account." in world.reads("sam")
    assert "close Jane Doe" not in toys.effects  # the bot changed nothing
    toys.named("Jane Doe").open = False
    await world.clicks("sam", "I did it by hand", values=note)
    assert "Jane Doe is locked out" in world.reads("maria")


async def test_done_by_hand_stays_so_while_the_vendor_is_down(world: World, toys: ToyWorld) -> None:
    toys.faults["close"] = [Refused("Toy", "close", "not allowed")]
    await locks_out(world)
    toys.faults["look"] = [GONE]
    await world.clicks("sam", "I did it by hand", values=note_for(world, "Close the account"))
    await world.passes(minutes=1)
    assert "Read back, and it is still open: the account." in world.reads("sam")
    assert "close Jane Doe" not in toys.effects


async def test_what_no_system_reads_back_is_stated_and_never_green(world: World, toys: ToyWorld) -> None:
    toys.named("Jane Doe").by_hand = True
    await locks_out(world)
    assert "Keys: OPEN, Sam Lee has it" in world.reads("maria")
    assert "Take the keys from Jane Doe." in world.reads("sam")
    assert (await world.clicks("priya", "I did it by hand")).line.startswith("Write what you did")
    await world.clicks("priya", "I did it by hand", values=note_for(world, "Collect the keys"))
    assert "Keys: stated by Priya Rao, not verified: the note" in world.reads("maria")
    assert "Not verified everywhere: 1 way in is only stated as ended." in world.reads("maria")
    assert "Last possible access" not in world.reads("maria")


async def test_what_is_stuck_in_both_plans_stands_on_the_technicians_card_side_by_side(
    asking: World, toys: ToyWorld
) -> None:
    toys.faults["close"] = [Refused("Toy", "close", "not allowed")]
    toys.faults["ticket"] = [Refused("Toy", "ticket", "the desk is closed")]
    await asks_for_a_ticket(asking)
    await asking.clicks("sam", "Approve")
    steps = await asking.steps()
    assert steps["toy.close_account"].place == steps["toy.open_ticket"].place
    for heading in ("Close the account", "Open a ticket"):
        await asking.clicks("sam", "Skip", values=note_for(asking, heading), within=heading)
    assert [row.reason for row in (await asking.steps()).values() if row.state == "skipped"] == ["the note"] * 2


async def test_throttling_is_waited_out_as_told(world: World, toys: ToyWorld) -> None:
    toys.faults["close"] = [Throttled("Toy", "close", 90)]
    await locks_out(world)
    await world.passes(seconds=80)
    assert "close Jane Doe" not in toys.effects
    assert "asks us to wait 90 s" in world.reads("sam")
    await world.passes(seconds=15)
    assert "Jane Doe is locked out" in world.reads("maria")


async def test_an_unreachable_vendor_is_tried_for_minutes_then_a_person_is_asked(world: World, toys: ToyWorld) -> None:
    toys.faults["close"] = [GONE] * 50
    await locks_out(world)
    await world.passes(minutes=8)
    assert "needs a person" not in world.reads("sam")
    await world.passes(minutes=5)
    assert "Close the account needs a person." in world.reads("sam")
    assert "is locked out since" not in world.reads("maria")
    toys.faults.clear()
    await world.clicks("sam", "Retry")
    assert toys.effects.count("close Jane Doe") == 1


@pytest.mark.parametrize("call", ["look", "close", "read back", "look at doors", "take badge", "read doors", "ticket"])
async def test_a_call_that_never_arrived_is_made_again(asking: World, toys: ToyWorld, call: str) -> None:
    await asks_for_a_ticket(asking)
    toys.faults[call] = [GONE, GONE]
    await asking.clicks("sam", "Approve")
    await asking.passes(minutes=2)
    assert sorted(toys.effects)[:2] == ["badge Jane Doe front door", "close Jane Doe"]
    assert len(toys.tickets) == 1
    assert {row.state for row in (await asking.steps()).values()} == {"done"}


@pytest.mark.parametrize("call", ["close", "take badge", "ticket"])
async def test_a_timeout_after_success_doubles_nothing(asking: World, toys: ToyWorld, call: str) -> None:
    await asks_for_a_ticket(asking)
    toys.after[call] = [GONE]
    await asking.clicks("sam", "Approve")
    await asking.passes(minutes=1)
    assert len(toys.effects) == 3
    assert len(toys.tickets) == 1
    assert {row.state for row in (await asking.steps()).values()} == {"done"}
    assert "Jane Doe is locked out" in asking.reads("maria")


async def test_where_nothing_tells_whether_it_happened_a_person_looks(asking: World, toys: ToyWorld) -> None:
    await asks_for_a_ticket(asking)
    toys.unreadable = True
    toys.after["ticket"] = [GONE]
    await asking.clicks("sam", "Approve")
    await asking.passes(minutes=1)
    assert "It may have happened already, and nothing can tell" in asking.reads("sam")
    assert len(toys.tickets) == 1
    await asking.clicks("sam", "I did it by hand", values=note_for(asking, "Open a ticket"))
    assert (await asking.steps())["toy.open_ticket"].state == "stated, not verified"
    assert len(toys.tickets) == 1


async def test_a_person_who_looked_and_found_nothing_has_it_repeated(asking: World, toys: ToyWorld) -> None:
    await asks_for_a_ticket(asking)
    toys.unreadable = True
    toys.faults["ticket"] = [GONE]
    await asking.clicks("sam", "Approve")
    await asking.passes(minutes=1)
    toys.unreadable = False
    await asking.clicks("sam", "Retry")
    assert len(toys.tickets) == 1
    assert (await asking.steps())["toy.open_ticket"].state == "done"


async def test_lag_is_waited_out(world: World, toys: ToyWorld) -> None:
    toys.stale = 10
    await locks_out(world)
    assert "is locked out since" not in world.reads("maria")
    assert "not ended yet, being tried again" in world.reads("maria")
    await world.passes(minutes=1)
    assert "Jane Doe is locked out" in world.reads("maria")
    assert toys.effects.count("close Jane Doe") == 1


async def test_lag_beyond_its_time_needs_a_person(world: World, toys: ToyWorld) -> None:
    toys.stale = 10_000
    await locks_out(world)
    await world.passes(minutes=3)
    assert "Accepted, but not to be seen after 2 minutes" in world.reads("sam")
    assert "is locked out since" not in world.reads("maria")
    toys.stale = 0
    await world.clicks("sam", "Retry")
    assert "Jane Doe is locked out" in world.reads("maria")


async def test_lag_after_a_timeout_needs_a_person_in_the_end_too(world: World, toys: ToyWorld) -> None:
    toys.stale = 10_000
    toys.after["close"] = [GONE]
    await locks_out(world)
    await world.passes(minutes=5)
    assert "Accepted, but not to be seen after 2 minutes" in world.reads("sam")


async def test_a_door_found_after_the_approval_is_closed_and_reported(world: World, toys: ToyWorld) -> None:
    await submits(world)
    toys.named("Jane Doe").later_doors.append("back door")
    await world.clicks("sam", "Approve")
    assert "badge Jane Doe back door" in toys.effects
    assert "Found after the approval and ended too: back door." in world.reads("sam")


async def test_a_door_opened_again_meanwhile_is_closed_again(world: World, toys: ToyWorld) -> None:
    jane = toys.named("Jane Doe")
    jane.doors.append("vault")
    toys.faults["take badge"] = [GONE]
    reopened = False

    async def reopens(call: str) -> None:
        nonlocal reopened
        if call == "look at doors" and "badge Jane Doe vault" in toys.effects and not reopened:
            reopened = True
            jane.doors.append("vault")

    toys.pause = reopens
    await submits(world)
    toys.faults["take badge"] = [Refused("Toy", "take badge", "no")]
    await world.clicks("sam", "Approve")  # the front door is refused, the vault taken
    await world.clicks("sam", "Retry")
    assert reopened
    assert jane.doors == []
    assert "Jane Doe is locked out" in world.reads("maria")


async def test_a_vendor_down_when_the_rest_is_planned_loses_no_step(asking: World, toys: ToyWorld) -> None:
    await says_now(asking)
    await asking.clicks("maria", "Lock out Jane Doe now")
    await asking.clicks("sam", "Approve")
    await asking.clicks("maria", "Keep it")
    await asking.clicks("maria", "Open a ticket")
    toys.faults["find"] = [GONE]
    await asking.clicks("maria", "Submit")
    await asking.passes(seconds=10)
    await asking.clicks("sam", "Approve")
    assert len(toys.tickets) == 1


async def test_retry_does_not_get_around_what_guards_against_harm(asking: World, toys: ToyWorld) -> None:
    toys.named("Jane Doe").paid = True
    toys.faults["ticket"] = [Refused("Toy", "ticket", "no")]
    await asks_for_a_ticket(asking)
    await asking.clicks("sam", "Approve")
    await asking.clicks("sam", "Skip", values=note_for(asking, "Open a ticket"))
    assert "It needs 'Open a ticket' confirmed first, which is skipped." in asking.reads("sam")
    reply = await asking.clicks("sam", "Retry")
    assert reply.line == "It needs 'Open a ticket' confirmed first, which is skipped."
    assert toys.named("Jane Doe").paid


async def test_a_case_that_can_not_be_planned_is_shown_to_technicians_who_try_again(
    world: World, toys: ToyWorld
) -> None:
    await says_now(world)
    toys.named("Jane Doe").doors = ["front door", "front door"]  # two items of one key: the plan can't be written
    await world.clicks("maria", "Submit")
    await world.passes(minutes=1)
    assert "A case could not be planned." in world.reads("sam")
    assert "The plan could not be made: Our own code failed" in world.reads("maria")
    toys.named("Jane Doe").doors = ["front door"]
    await world.clicks("sam", "Plan")
    await world.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open


async def test_when_it_was_first_meant_and_what_stood_before_are_never_rewritten(world: World, toys: ToyWorld) -> None:
    toys.after["close"] = [GONE]
    toys.faults["close"] = [GONE, GONE]
    await locks_out(world)
    await world.passes(minutes=1)
    items = await world.house.store.read(lambda session: list(session.exec(select(ItemRow))))
    account = next(item for item in items if item.key == "account")
    assert account.intended_at == START
    assert account.before == {"open": True}
    assert account.settled_at is not None
    assert account.settled_at > START


async def test_a_directory_that_asks_to_wait_while_planning_is_asked_again(world: World, toys: ToyWorld) -> None:
    await says_now(world)
    toys.faults["find"] = [Throttled("Toy", "find", 5)]
    await world.clicks("maria", "Submit")
    await world.passes(seconds=20)
    await world.clicks("sam", "Approve")
    assert "Jane Doe is locked out since" in world.reads("maria")


async def test_a_vendor_that_only_ever_asks_to_wait_is_told_to_the_technicians(world: World, toys: ToyWorld) -> None:
    await submits(world)
    toys.faults["look"] = [Throttled("Toy", "look", 60) for _ in range(30)]
    await world.clicks("sam", "Approve")
    before = len(world.seen_by("sam"))
    await world.passes(minutes=10)
    told = [words(one.card) for one in world.seen_by("sam")[before:]]
    assert len([one for one in told if "asks us to wait" in one]) == 1
    assert "asks us to wait" not in world.reads("maria")
    await world.passes(hours=1)
    assert "Jane Doe is locked out since" in world.reads("maria")


class DestroyingBadges(TakeBadges):
    """Doors that came later are destroyed with their badge."""

    async def look(self, ctx: Ctx) -> Finding:
        person = ctx.api.people[ctx.account.id]
        doors = [*person.doors, *person.later_doors]
        if not doors:
            return Nothing("no door")
        return Todo(tuple(Item(key=door, title=door, destroys=door in person.later_doors) for door in doors))


async def test_a_retry_never_passes_over_what_nobody_approved(tmp_path: Path, toys: ToyWorld) -> None:
    toy = Toy(toys)
    toy.steps = (*(step for step in Toy.steps if step.id != TakeBadges.id), DestroyingBadges())  # type: ignore[misc]
    world = await World.build(tmp_path, (toy,), roster())
    await submits(world)
    toys.named("Jane Doe").later_doors.append("vault")
    await world.clicks("sam", "Approve")
    await world.clicks("sam", "Retry")
    assert (await world.steps())["toy.take_badges"].state == "needs a person"
    assert "is locked out since" not in world.reads("maria")
    assert toys.named("Jane Doe").later_doors == ["vault"]
    await world.close()


async def test_an_open_way_in_nobody_takes_is_brought_up_then_paged_then_brought_up_hourly(
    world: World, toys: ToyWorld
) -> None:
    toys.faults["close"] = [Refused("Toy", "close", "not allowed")]
    await locks_out(world)
    await world.passes(minutes=3)
    assert "Still open: Close the account; nobody has pressed 'I take it'." in world.reads("sam")
    assert world.pages == []
    await world.passes(minutes=8)
    assert world.pages == ["Case 1 at Contoso Ltd: a step of a lock-out needs a person, nobody took it."]
    before = world.reads("sam").count("Still open: Close the account")
    for _ in range(3):
        await world.passes(hours=1, minutes=5)
    assert world.reads("sam").count("Still open: Close the account") == before + 3
    assert len(world.pages) == 1


async def test_who_takes_a_stuck_step_is_reminded_after_an_hour_and_nobody_is_paged(
    world: World, toys: ToyWorld
) -> None:
    toys.faults["close"] = [Refused("Toy", "close", "not allowed")]
    await locks_out(world)
    await world.clicks("priya", "I take it")
    await world.passes(minutes=30)
    assert "Still open" not in world.reads("sam")
    await world.passes(minutes=40)
    assert "Still open: Close the account; Priya Rao has it." in world.reads("sam")
    await world.clicks("sam", "Retry")
    before = world.reads("sam").count("Still open")
    await world.passes(hours=4)
    assert world.reads("sam").count("Still open") == before
    assert world.pages == []


class Door(CloseAccount):
    """One of many doors, each a step of its own."""

    title = "Lock a door"

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        raise Refused("Toy", "lock", "the door is open")


async def test_a_card_with_twenty_stuck_steps_can_be_drawn_and_worked_off(tmp_path: Path, toys: ToyWorld) -> None:
    class Doors(Toy):
        steps = tuple(type(f"Door{n}", (Door,), {"id": f"toy.door_{n}"})() for n in range(20))

    world = await World.build(tmp_path, (Doors(toys),), roster())
    await locks_out(world)
    assert "14 more need a person" in world.reads("sam")
    shown = world.with_button("sam", "Skip")
    section = next(one for one in shown.card.sections if one.fields)
    await world.clicks("sam", "Skip", values={section.fields[0].id: "bricked up"})
    assert "13 more need a person" in world.reads("sam")
    await world.close()
