"""Two systems, one of them down, silent or broken: the other goes on, and the headline stays honest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.contract import Choice, Choices, Question, Task, TaskStep, Topic, Unreachable, Wave, WayIn
from tests.journeys import chooses, locks_out, note_for, submits
from tests.toy import Annex, CloseAccount, CloseAnnex, Ctx, StopPay, TakeBadges, Toy, ToyFacts, ToyWorld
from tests.world import World, roster

GONE = Unreachable("Annex", "call", "no answer")


@pytest.fixture
def annex() -> ToyWorld:
    """A second vendor with the same people."""
    annex = ToyWorld()
    annex.add("Jane Doe", "Head of Sales")
    return annex


@pytest.fixture
async def two(tmp_path: Path, toys: ToyWorld, annex: ToyWorld) -> AsyncIterator[World]:
    """A house of two systems."""
    world = await World.build(tmp_path, (Toy(toys), Annex(annex)), roster(systems={"toy": {}, "annex": {}}))
    yield world
    await world.close()


async def test_one_vendor_down_stops_no_other(two: World, toys: ToyWorld, annex: ToyWorld) -> None:
    annex.faults["close"] = [GONE] * 50
    await locks_out(two)
    assert not toys.named("Jane Doe").open
    assert "Toy account: ended 17:00" in two.reads("maria")
    assert "Annex account: not ended yet" in two.reads("maria")
    assert "Not fully locked out: 1 of 3" in two.reads("maria")


async def test_a_system_nobody_could_read_is_a_task_and_never_green(
    two: World, toys: ToyWorld, annex: ToyWorld
) -> None:
    annex.faults["find"] = [GONE] * 50
    await submits(two)
    assert "Mind: Annex could not be read." in two.reads("sam")
    await two.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open
    assert "Sign in to Annex, find the leaver's account, end its access, and say what you did." in two.reads("sam")
    await two.clicks("sam", "I did it by hand", values=note_for(two, "End access in Annex"))
    assert "is locked out since" not in two.reads("maria")
    assert "Annex: stated by Sam Lee, not verified: the note" in two.reads("maria")


async def test_a_system_readable_again_for_the_rest_has_its_steps_after_all(
    two: World, toys: ToyWorld, annex: ToyWorld
) -> None:
    annex.faults["find"] = [GONE] * 2  # at the questions and at the lock-out
    await submits(two)
    await two.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open
    assert not annex.named("Jane Doe").open


async def test_a_bug_in_one_connector_stops_no_other(two: World, toys: ToyWorld, annex: ToyWorld) -> None:
    async def breaks(call: str) -> None:
        raise KeyError(call)

    annex.pause = breaks
    await locks_out(two)
    assert not toys.named("Jane Doe").open
    assert "End access in Annex" in two.reads("sam")
    assert "is locked out since" not in two.reads("maria")


async def test_retrying_a_system_nobody_could_read_reads_it_and_ends_access_there(
    two: World, toys: ToyWorld, annex: ToyWorld
) -> None:
    annex.faults["find"] = [GONE] * 50
    await locks_out(two)
    assert annex.named("Jane Doe").open
    await two.clicks("sam", "Retry")
    assert "Annex: OPEN, Sam Lee has it" in two.reads("maria")
    annex.faults.clear()
    await two.clicks("sam", "Retry")
    assert not annex.named("Jane Doe").open
    assert "Annex account: ended" in two.reads("maria")
    assert "Jane Doe is locked out" in two.reads("maria")


async def test_what_was_done_by_hand_in_an_unread_system_is_read_back_once_it_answers(
    two: World, toys: ToyWorld, annex: ToyWorld
) -> None:
    annex.faults["find"] = [GONE] * 50
    await locks_out(two)
    annex.faults.clear()
    annex.named("Jane Doe").open = False
    await two.clicks("sam", "I did it by hand", values=note_for(two, "End access in Annex"))
    assert annex.effects == []
    assert "Jane Doe is locked out" in two.reads("maria")


async def test_an_unread_system_without_the_leaver_turns_out_to_be_nothing(two: World, annex: ToyWorld) -> None:
    annex.faults["find"] = [GONE] * 50
    await locks_out(two)
    annex.faults.clear()
    annex.people.clear()
    await two.clicks("sam", "Retry")
    assert "it could be read now, and has no account of theirs" in two.reads("sam")
    assert "Jane Doe is locked out" in two.reads("maria")


class AskTheAnnex(TaskStep[ToyWorld, ToyFacts]):
    """What the directory can only ask a person for, while the annex is not connected."""

    id = "toy.ask_the_annex"
    title = "Close the annex account by hand"
    wave = Wave.LOCK_OUT
    stands_in_for = "annex"

    def task(self, ctx: Ctx) -> Task:
        return Task("the annex is not connected", "Ring the annex.")


class Neighbour(Toy):
    """The toy directory, which knows of the annex."""

    steps = (CloseAccount(), AskTheAnnex())

    def ways_in(self, facts: ToyFacts, choices: Choices) -> tuple[WayIn, ...]:
        annex = WayIn("toy.annex", "Annex account", (AskTheAnnex.id,), stands_in_for="annex")
        return (WayIn("toy.account", "Toy account", (CloseAccount.id,)), annex)


async def test_a_system_that_is_connected_does_itself_what_a_person_would_have_to(
    tmp_path: Path, toys: ToyWorld, annex: ToyWorld
) -> None:
    both = roster(systems={"toy": {}, "annex": {}})
    world = await World.build(tmp_path, (Neighbour(toys), Annex(annex)), both)
    await locks_out(world)
    assert not annex.named("Jane Doe").open
    assert "toy.ask_the_annex" not in await world.steps()
    assert world.reads("maria").count("Annex account: ended") == 2  # on the card and in the news, once each
    await world.close()


@pytest.mark.parametrize("connected", [False, True], ids=["not connected", "does not know the leaver"])
async def test_a_system_that_cannot_do_it_leaves_a_task_in_its_place(
    tmp_path: Path, toys: ToyWorld, annex: ToyWorld, *, connected: bool
) -> None:
    annex.people.clear()
    systems: dict[str, object] = {"toy": {}, "annex": {}} if connected else {"toy": {}}
    world = await World.build(tmp_path, (Neighbour(toys), Annex(annex)), roster(systems=systems))
    await locks_out(world)
    assert "Annex account: OPEN, Sam Lee has it" in world.reads("maria")
    assert "Ring the annex." in world.reads("sam")
    await world.close()


class EndEach(TaskStep[ToyWorld, ToyFacts]):
    """One task for each door."""

    id = "toy.end_each"
    title = "Have the lock changed"
    wave = Wave.CLEAN_UP

    def subjects(self, choices: Choices, facts: ToyFacts) -> tuple[str, ...]:
        return tuple(facts.doors)

    def task(self, ctx: Ctx) -> Task:
        return Task("locks are metal", f"Ring the locksmith about the {ctx.subject}.")


class PayOut(StopPay):
    """Needs every lock changed."""

    requires = (EndEach.id,)


class Locksmith(Toy):
    """A directory whose doors have locks."""

    steps = (CloseAccount(), EndEach(), PayOut())


async def test_a_step_with_subjects_is_a_row_for_each_and_what_requires_it_waits_for_all(
    tmp_path: Path, toys: ToyWorld
) -> None:
    jane = toys.named("Jane Doe")
    jane.doors, jane.paid = ["front door", "cellar"], True
    world = await World.build(tmp_path, (Locksmith(toys),), roster())
    await locks_out(world)
    assert "Ring the locksmith about the cellar." in world.reads("priya")
    cellar = "Have the lock changed: cellar"
    await world.clicks("priya", "Skip", values=note_for(world, cellar), within=cellar)
    assert jane.paid
    assert "It needs 'Have the lock changed: cellar' confirmed first, which is skipped." in world.reads("sam")
    await world.close()


class Hold(CloseAccount):
    """Keeps everything as it is, quietly."""

    id = "toy.hold"
    title = "Hold everything"
    wave = Wave.PRESERVE
    early = True


@pytest.mark.parametrize("contentious", [False, True])
async def test_what_preserves_goes_ahead_with_the_lock_out_only_when_contentious(
    tmp_path: Path, toys: ToyWorld, *, contentious: bool
) -> None:
    class Holding(Toy):
        steps = (TakeBadges(), Hold())

    world = await World.build(tmp_path, (Holding(toys),), roster())
    await chooses(world)
    await world.clicks("maria", "Dismissed")
    await world.clicks("maria", "Yes" if contentious else "No, on good terms")
    await world.clicks("maria", "Now")
    await world.clicks("maria", "Submit")
    lock_out = (await world.plans())[0]
    assert ((await world.steps())["toy.hold"].plan_id == lock_out.id) is contentious
    await world.close()


class AskingAnnex(Annex):
    """An annex with a question of its own, and something to do about its answer."""

    steps = (
        CloseAnnex(),
        type("Sweep", (TakeBadges,), {"id": "annex.sweep", "title": "Sweep", "wave": Wave.CLEAN_UP})(),
    )

    def questions(self, facts: ToyFacts, choices: Choices) -> tuple[Question, ...]:
        return (Question("annex.sweep", Topic.FILES, "Sweep the annex?", (Choice("yes", "Sweep it"),)),)


async def test_what_a_late_system_asks_is_asked_then_and_planned(
    tmp_path: Path, toys: ToyWorld, annex: ToyWorld
) -> None:
    both = roster(systems={"toy": {}, "annex": {}})
    world = await World.build(tmp_path, (Toy(toys), AskingAnnex(annex)), both)
    annex.faults["find"] = [GONE] * 50
    await locks_out(world)
    annex.faults.clear()
    await world.clicks("sam", "Retry")
    assert "This case waits for your answers." in world.reads("maria")
    await world.clicks("maria", "Go on")
    await world.clicks("maria", "Sweep it")
    await world.clicks("maria", "Submit")
    await world.clicks("sam", "Approve")
    assert (await world.steps())["annex.sweep"].state == "done"
    await world.close()


async def test_a_system_that_never_answers_holds_up_no_lock_out(
    tmp_path: Path, toys: ToyWorld, annex: ToyWorld
) -> None:
    async def sleeps(call: str) -> None:
        await asyncio.sleep(60 if call == "find" else 0)

    annex.pause = sleeps
    world = await World.build(tmp_path, (Toy(toys), Annex(annex)), roster(systems={"toy": {}, "annex": {}}))
    world.house.timings = replace(world.house.timings, reading=timedelta(milliseconds=50))
    await locks_out(world)
    assert not toys.named("Jane Doe").open
    assert "Annex: OPEN, Sam Lee has it" in world.reads("maria")
    assert "It did not answer within 0 s." in world.reads("sam")
    await world.close()
