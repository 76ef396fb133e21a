"""Finding the person: namesakes, nobody, apostrophes, oneself, and whom the answers belong to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from connectors.contract import Unreachable
from tests.journeys import answers, chooses, locks_out, says_now, submits
from tests.toy import Toy, ToyWorld
from tests.world import World, roster


async def test_two_people_of_one_name_are_told_apart_by_title(world: World, toys: ToyWorld) -> None:
    toys.add("Jane Doe", "Warehouse").account = toys.named("Jane Doe").account.model_copy(
        update={"id": "id-3", "title": "Warehouse", "mail": "jane.doe2@toy.example"}
    )
    await world.types("maria", "/offboard Jane Doe")
    assert "2 people fit Jane Doe. Who is it?" in world.reads("maria")

    await answers(world, "maria", "Jane Doe, Warehouse (jane.doe2@toy.example)")
    await world.clicks("sam", "Approve")

    assert not toys.people["id-3"].open
    assert toys.people["id-1"].open


async def test_nobody_of_that_name_offers_the_nearest_then_another_search(world: World, toys: ToyWorld) -> None:
    await world.types("maria", "/offboard Jayne Doe")
    assert "There is nobody called Jayne Doe. Is it one of these?" in world.reads("maria")

    await world.clicks("maria", "Search", values={"name": "Nobody Atall"})
    assert "There is nobody like Nobody Atall in the directory" in world.reads("maria")

    toys.add("Nobody Atall")
    await world.clicks("maria", "Search", values={"name": " "})  # nothing typed: the same name once more
    assert "Is this the person who leaves?" in world.reads("maria")

    await world.clicks("maria", "Search", values={"name": "Jane"})
    await answers(world, "maria")
    await world.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open


async def test_apostrophes_and_accents_are_letters_like_others(world: World, toys: ToyWorld) -> None:
    toys.add("Siobhan O'Brien")
    toys.add("Zoë Åkesson")
    await locks_out(world, "Siobhan O'Brien")
    await locks_out(world, "Zoë Åkesson")
    assert not toys.named("Siobhan O'Brien").open
    assert not toys.named("Zoë Åkesson").open


async def test_the_manager_cannot_offboard_herself_and_loses_nothing(world: World, toys: ToyWorld) -> None:
    await world.types("maria", "/offboard Maria Lopez")
    reply = await world.clicks("maria", "Maria Lopez")
    assert reply.line.startswith("That is you.")

    await world.clicks("maria", "Search", values={"name": "Jane Doe"})
    await answers(world, "maria")
    await world.clicks("sam", "Approve")
    assert toys.named("Maria Lopez").open
    assert not toys.named("Jane Doe").open


async def test_the_one_who_asked_cannot_be_the_one_a_technician_enters(world: World) -> None:
    await world.types("sam", "/offboard Maria")
    await world.clicks("sam", "Continue", values={"client": "contoso"})
    await world.clicks("sam", "Continue", values={"contact": "maria"})
    await world.clicks("sam", "I rang them back", values={"callback": "123, Maria"})
    reply = await world.clicks("sam", "Maria Lopez, Managing Director")
    assert "can't be the one who leaves" in reply.line
    assert (await world.cases())[0].leaver == {}


async def test_an_account_closed_already_is_no_reason_to_stop(world: World, toys: ToyWorld) -> None:
    toys.named("Jane Doe").open = False
    await world.types("maria", "/offboard Jane Doe")
    assert "sign-in already disabled" in world.reads("maria")
    await answers(world, "maria")
    await world.clicks("sam", "Approve")
    assert toys.effects == ["badge Jane Doe front door"]
    assert "Jane Doe is locked out" in world.reads("maria")


async def test_somebody_else_takes_no_answer_along(tmp_path: Path, toys: ToyWorld) -> None:
    toys.add("John Roe")
    world = await World.build(tmp_path, (Toy(toys, asks=True),), roster())
    await says_now(world)
    await world.clicks("maria", "Burn it")
    await world.clicks("maria", "Open a ticket")
    await world.clicks("maria", "Somebody else")
    await world.clicks("maria", "Search", values={"name": "John Roe"})
    await world.clicks("maria", "John Roe")
    assert "Burn it" not in world.card("maria", "offboard").card.title
    assert "How is John Roe leaving?" in world.reads("maria")
    assert "Step 1 of" in world.reads("maria")
    await world.close()


async def test_once_a_lock_out_is_planned_nobody_else_can_be_put_in_its_place(tmp_path: Path, toys: ToyWorld) -> None:
    toys.add("John Roe")
    world = await World.build(tmp_path, (Toy(toys, asks=True),), roster())
    await says_now(world)
    await world.clicks("maria", "Lock out Jane Doe now")
    for _ in range(3):
        await world.clicks("maria", "Back")
    reply = await world.clicks("maria", "Back")
    assert "lock-out" in reply.line
    await world.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open
    assert toys.named("John Roe").open
    await world.close()


async def test_the_directory_being_down_is_said_and_the_search_can_be_repeated(world: World, toys: ToyWorld) -> None:
    toys.faults["search"] = [Unreachable("Toy", "search", "no answer") for _ in range(4)]
    await world.types("maria", "/offboard Jane Doe")
    assert "Looking for Jane Doe" in world.reads("maria")
    await world.passes(minutes=1)
    assert "The directory could not be asked. Toy: search: no answer" in world.reads("maria")
    await world.clicks("maria", "Search", values={"name": "Jane Doe"})
    await answers(world, "maria")
    await world.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open


async def test_a_bug_in_a_system_is_said_too_and_loses_no_case(world: World, toys: ToyWorld) -> None:
    broken = True

    async def breaks(call: str) -> None:
        if broken and call == "search":
            raise KeyError("a bug")

    toys.pause = breaks
    await world.types("maria", "/offboard Jane Doe")
    await world.passes(minutes=1)
    assert "The directory could not be asked." in world.reads("maria")
    broken = False
    await world.clicks("maria", "Search", values={"name": "Jane Doe"})
    await answers(world, "maria")
    await world.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open


async def test_going_on_while_the_search_runs_does_not_lose_its_answer(world: World, toys: ToyWorld) -> None:
    toys.faults["search"] = [Unreachable("Toy", "search", "no answer")]
    world.house.timings = replace(world.house.timings, nudge=timedelta(0))
    await world.types("maria", "/offboard Jane Doe")
    await world.clicks("maria", "Go on")
    await world.passes(minutes=1)
    assert "Is this the person who leaves?" in world.reads("maria")


async def test_an_account_that_vanished_is_not_reported_as_locked_out(world: World, toys: ToyWorld) -> None:
    await chooses(world)
    await world.clicks("maria", "Resigned")
    await world.clicks("maria", "No, on good terms")
    await world.clicks("maria", "Now")
    toys.people.clear()
    await world.clicks("maria", "Submit")
    await world.clicks("sam", "Approve")
    assert "locked out since" not in world.reads("maria")
    assert "No account of Jane Doe was found" in world.reads("maria")


async def test_two_cases_about_one_person_do_no_harm(world: World, toys: ToyWorld) -> None:
    await submits(world)
    await submits(world, "noor")
    await world.clicks("sam", "Approve")
    await world.clicks("priya", "Approve")
    assert toys.effects == ["close Jane Doe", "badge Jane Doe front door"]


async def test_a_second_case_about_the_same_person_is_pointed_out_to_those_who_may_know(world: World) -> None:
    await submits(world)
    await chooses(world)
    assert "There is another open case about them: 1. Is this one needed?" in world.reads("maria")
    await chooses(world, "noor")
    assert "another open case" not in world.reads("noor")
    await world.clicks("noor", "Resigned")
    await world.clicks("noor", "No, on good terms")
    await world.clicks("noor", "Now")
    await world.clicks("noor", "Submit")
    assert "Mind: there is another open case about them: 1, 2." in world.reads("sam")
