"""The questions: back, change, not sure, everything recommended, left half-way, gone quiet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.contract import Account, Choice, Choices, Question, Topic, Typed, Unreachable
from handlers.plan.digest import LOCK_OUT, REST
from handlers.plan.readings import choices_of
from tests.journeys import chooses, says_now, submits
from tests.toy import Toy, ToyFacts, ToyWorld
from tests.world import World, roster, words


@pytest.fixture
async def asking(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[World]:
    """A house whose toy directory has questions of its own."""
    world = await World.build(tmp_path, (Toy(toys, asks=True),), roster())
    yield world
    await world.close()


async def test_back_goes_one_question_back_and_keeps_what_was_said(world: World) -> None:
    await chooses(world)
    await world.clicks("maria", "Dismissed")
    assert "Step 2 of 4" in world.reads("maria")
    await world.clicks("maria", "Back")
    assert "Step 1 of 4" in world.reads("maria")
    assert "How is Jane Doe leaving?: Dismissed" in world.reads("maria")
    await world.clicks("maria", "Back")
    assert "Is this the person who leaves?" in world.reads("maria")


async def test_an_answer_is_changed_from_the_review(world: World) -> None:
    await says_now(world)
    await world.clicks("maria", "Change")
    await world.clicks("maria", "Dismissed")
    assert "right so?" in world.reads("maria")
    await world.clicks("maria", "Submit")
    assert "How is Jane Doe leaving?: Dismissed" in world.reads("sam")


async def test_a_technician_answers_what_the_manager_is_not_sure_of(world: World, toys: ToyWorld) -> None:
    await chooses(world)
    await world.clicks("maria", "Not sure")
    assert "Maria Lopez was not sure, please answer" in world.reads("sam")
    assert "Plan the lock-out now" not in world.reads("sam")  # nobody said 'now'
    await world.clicks("maria", "No, on good terms")
    await world.clicks("maria", "Now")
    await world.clicks("maria", "Submit")
    assert "A technician answers what you were not sure of" in world.reads("maria")
    assert await world.plans() == []

    await world.clicks("sam", "Already gone")
    await world.clicks("priya", "Approve")
    assert "How is Jane Doe leaving?: Already gone" in world.reads("sam")
    assert not toys.named("Jane Doe").open


async def test_the_questions_of_a_system_come_with_it(asking: World, toys: ToyWorld) -> None:
    await says_now(asking)
    assert "What becomes of the desk?" in asking.reads("maria")
    await asking.clicks("maria", "Keep it")
    await asking.clicks("maria", "Open a ticket")
    await asking.clicks("maria", "Submit")
    await asking.clicks("sam", "Approve")
    assert list(toys.tickets) == ["T1"]
    assert "What becomes of the desk?: Keep it" in asking.reads("sam")


async def test_accepting_everything_recommended_stops_before_anything_is_destroyed(asking: World) -> None:
    await says_now(asking)
    reply = await asking.clicks("maria", "Accept all recommended")
    assert reply.line == "Stopped at 'What becomes of the desk?': what can't be taken back is always yours to pick."
    await asking.clicks("maria", "Keep it")
    await asking.clicks("maria", "Accept all recommended")
    assert "Open a ticket about it?\nOpen a ticket\n(Change)" in asking.reads("maria")
    assert "(Submit)" in asking.reads("maria")


async def test_the_lock_out_goes_ahead_of_the_other_questions(asking: World, toys: ToyWorld) -> None:
    await says_now(asking)
    await asking.clicks("maria", "Lock out Jane Doe now, the other questions after")
    first = (await asking.plans())[0]
    assert (first.kind, first.state) == (LOCK_OUT, "awaiting approval")
    await asking.clicks("sam", "Approve: lock out Jane Doe")
    assert not toys.named("Jane Doe").open

    await asking.clicks("maria", "Keep it")
    await asking.clicks("maria", "Open a ticket")
    await asking.clicks("maria", "Submit")
    second = (await asking.plans())[1]
    assert (second.kind, second.state) == (REST, "awaiting approval")
    assert second.digest != first.digest
    assert toys.tickets == {}
    await asking.clicks("priya", "Approve")
    assert list(toys.tickets) == ["T1"]


async def test_an_answer_changed_after_the_lock_out_was_planned_voids_its_approval(
    tmp_path: Path, toys: ToyWorld
) -> None:
    toys.named("Jane Doe").approvers = 2
    world = await World.build(tmp_path, (Toy(toys, asks=True),), roster())
    await says_now(world)
    await world.clicks("maria", "Lock out Jane Doe now")
    before = (await world.plans())[0].digest
    await world.clicks("sam", "Approve")
    for _ in range(3):
        await world.clicks("maria", "Back")
    await world.clicks("maria", "Dismissed")
    assert (await world.plans())[0].digest != before

    await world.clicks("priya", "Approve")
    assert toys.effects == []  # Sam's yes was to something else
    await world.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open
    await world.close()


async def test_a_case_left_half_way_is_brought_up_again_and_goes_on(world: World, toys: ToyWorld) -> None:
    await chooses(world)
    await world.passes(days=1, minutes=30)
    assert "This case waits for your answers. Nothing has been changed yet." in world.reads("maria")
    await world.clicks("maria", "Go on")
    assert "There is a newer message about this case below." in world.reads("maria")
    await world.clicks("maria", "Resigned")
    await world.clicks("maria", "No, on good terms")
    await world.clicks("maria", "Now")
    await world.clicks("maria", "Submit")
    await world.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open


async def test_a_reminder_after_a_lock_out_does_not_say_that_nothing_was_changed(asking: World) -> None:
    await says_now(asking)
    await asking.clicks("maria", "Lock out Jane Doe now")
    await asking.clicks("sam", "Approve")
    await asking.passes(days=1, minutes=30)
    assert "This case waits for your answers." in asking.reads("maria")
    assert "Nothing has been changed" not in asking.reads("maria")


async def test_a_case_nobody_goes_on_with_expires_and_says_so(world: World, toys: ToyWorld) -> None:
    await chooses(world)
    await world.passes(days=14, hours=12)
    assert "The case has expired: nobody went on with it." in world.reads("maria")
    assert (await world.cases())[0].closed == "expired"
    assert toys.effects == []


async def test_a_manager_who_said_now_and_went_quiet_alarms_the_technicians(world: World, toys: ToyWorld) -> None:
    await says_now(world)
    await world.passes(minutes=4)
    assert "Plan the lock-out now" not in world.reads("sam")
    await world.passes(minutes=2)
    assert "A manager said 'now' and has not gone on for 5 minutes." in world.reads("sam")
    await world.clicks("sam", "Plan the lock-out now")
    await world.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open


async def test_no_quiet_alarm_once_the_lock_out_is_planned(asking: World) -> None:
    await says_now(asking)
    await asking.clicks("maria", "Lock out Jane Doe now")
    await asking.clicks("sam", "Approve")
    await asking.passes(minutes=10)
    assert "has not gone on" not in asking.reads("sam")


async def test_a_lock_out_planned_by_a_technician_still_needs_an_approval(tmp_path: Path, toys: ToyWorld) -> None:
    people = roster(lockout="immediate")
    maria = people.people[0].model_copy(update={"directory": {"contoso": "id-2"}})
    people = people.model_copy(update={"people": (maria, *people.people[1:])})
    world = await World.build(tmp_path, (Toy(toys),), people)
    await says_now(world)
    await world.passes(minutes=6)
    await world.clicks("sam", "Plan the lock-out now")
    assert toys.effects == []  # the manager has not confirmed it
    await world.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open
    await world.close()


async def test_a_cancelled_case_changes_nothing_and_can_not_be_approved(world: World, toys: ToyWorld) -> None:
    await submits(world)
    approve, place = world.button("sam", "Approve")
    await world.clicks("maria", "Cancel the case")
    assert "Cancelled. Nothing was changed." in world.reads("maria")
    await world.presses("sam", approve, place)
    assert toys.effects == []


async def test_a_rejected_case_can_be_cancelled_and_expires(world: World) -> None:
    await submits(world)
    await world.clicks("sam", "Reject", values={"reason": "She is on holiday."})
    reply = await world.clicks("maria", "Cancel the case")
    assert reply.line == ""
    assert (await world.cases())[0].closed == "cancelled"


async def test_a_question_no_technician_answers_is_brought_up_then_paged(world: World) -> None:
    await chooses(world)
    for label in ("Not sure", "No, on good terms", "Now", "Submit"):
        await world.clicks("maria", label)
    await world.passes(minutes=6)
    assert world.reads("sam").count("A manager waits for a technician's answer") == 2
    await world.passes(minutes=5)
    assert len(world.pages) == 1
    await world.clicks("sam", "Resigned")
    await world.clicks("sam", "Approve")
    await world.passes(minutes=11)
    assert len(world.pages) == 1


class Talker(Toy):
    """A toy directory that wants an answer in words."""

    def questions(self, facts: ToyFacts, choices: Choices) -> tuple[Question, ...]:
        return (Question("toy.plants", Topic.ANYTHING_ELSE, "Who waters the plants?", typed=Typed.TEXT),)


async def test_a_question_in_words_is_answered_in_words_by_either(tmp_path: Path, toys: ToyWorld) -> None:
    world = await World.build(tmp_path, (Talker(toys),), roster())
    await says_now(world)
    assert (await world.clicks("maria", "Confirm")).line.startswith("Write your answer first")
    await world.clicks("maria", "Not sure")
    await world.clicks("maria", "Submit")
    await world.clicks("sam", "Approve")  # the lock-out waits for no plants
    assert not toys.named("Jane Doe").open
    assert (await world.clicks("sam", "Confirm")).line.startswith("Write your answer first")
    field = next(
        field for section in world.with_button("sam", "Confirm").card.sections for field in section.fields
        if field.label == "Your answer"
    )  # fmt: skip
    await world.clicks("sam", "Confirm", values={field.id: "Sam does"})
    assert "Who waters the plants?: Sam does" in world.reads("sam")
    await world.close()


async def test_the_interview_says_how_far_the_lock_out_is(asking: World) -> None:
    await says_now(asking)
    await asking.clicks("maria", "Lock out Jane Doe now")
    assert "Waits for a technician's approval. Jane Doe can still sign in." in asking.reads("maria")
    await asking.clicks("sam", "Approve")
    assert "Jane Doe is locked out since 17:00." in words(asking.card("maria", "offboard Jane Doe").card)


BOSS = Account(system="toy", id="id-boss", name="Bo Boss", mail="bo.boss@toy.example")


class Heirs(Toy):
    """A toy directory that asks who inherits, and what to tell callers."""

    defaults = ("toy.sign",)

    def questions(self, facts: ToyFacts, choices: Choices) -> tuple[Question, ...]:
        boss = Choice(BOSS.id, BOSS.name, account=BOSS)
        heir = Question(
            "toy.heir", Topic.FILES, "Who gets the plants?", (boss, Choice("nobody", "Nobody")), Typed.PERSON,
            recommended=BOSS.id, reason="They report to them.",
        )  # fmt: skip
        sign = Question(
            "toy.sign", Topic.MAILBOX_USE, "What does the sign on the door say?",
            (Choice("standard", "The usual", preview=("Jane has left.",)), Choice("none", "Nothing")), Typed.TEXT,
            recommended="standard", reason="Visitors know whom to ask.",
        )  # fmt: skip
        mail = Question(
            "toy.mail", Topic.MAILBOX_USE, "Write to all visitors?",
            (Choice("no", "Don't write"), Choice("all", "Write to all", deliberate=True)),
            recommended="no", reason="It is late.",
        )  # fmt: skip
        first = Question(
            "toy.who", Topic.LICENCES, "Whom do visitors ask now?", (Choice("nobody", "Nobody"),), Typed.PERSON
        )
        return (heir, sign, mail, first)


@pytest.fixture
async def heirs(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[World]:
    """A house with heirs, whose Maria has a directory entry of her own."""
    people = roster(defaults={"toy.sign": "none", "toy.mail": "all"})
    maria = people.people[0].model_copy(update={"directory": {"contoso": "id-maria"}})
    people = people.model_copy(update={"people": (maria, *people.people[1:])})
    toys.add("Zoë Zander", "Reception")
    toys.add("Zed Zander", "Gone").open = False
    world = await World.build(tmp_path, (Heirs(toys),), people)
    await says_now(world)
    yield world
    await world.close()


async def choices(world: World) -> dict[str, str]:
    case = (await world.cases())[0]
    return await world.house.store.read(lambda session: choices_of(session, case.id))


async def test_a_person_is_found_in_the_directory_and_answers_with_one_press(heirs: World, toys: ToyWorld) -> None:
    await heirs.clicks("maria", "Nothing")
    await heirs.clicks("maria", "Don't write")
    assert "Recommended: Bo Boss. They report to them." in heirs.reads("maria")
    assert (await heirs.clicks("maria", "Find")).line == "Write a name or a mail address first, then press Find."
    await heirs.clicks("maria", "Find", values={"somebody": "Zander"})
    assert "Zed" not in heirs.reads("maria")  # who can't sign in takes nothing over
    await heirs.clicks("maria", "Zoë Zander, Reception (zoë.zander@toy.example)")
    said = await choices(heirs)
    zoe = (toys.named("Zoë Zander").account.id, "Zoë Zander", "zoë.zander@toy.example")
    assert (said["toy.heir"], said["toy.heir.name"], said["toy.heir.mail"]) == zoe
    await heirs.clicks("maria", "Maria Lopez")  # she offers herself, as her directory entry says
    assert (await choices(heirs))["toy.who"] == "id-maria"
    assert "Who gets the plants?\nZoë Zander (zoë.zander@toy.example)" in heirs.reads("maria")


async def test_nobody_by_that_name_and_a_directory_that_is_down_are_told_apart(heirs: World, toys: ToyWorld) -> None:
    await heirs.clicks("maria", "Nothing")
    await heirs.clicks("maria", "Don't write")
    await heirs.clicks("maria", "Find", values={"somebody": "Nemo"})
    assert "There is nobody like Nemo who can sign in. Check the spelling." in heirs.reads("maria")
    toys.faults["search"] = [Unreachable("Toy", "search", "no answer")] * 9
    await heirs.clicks("maria", "Find", values={"somebody": "Zoë"})
    await heirs.passes(minutes=2)
    assert "The directory could not be asked. Toy: search: no answer" in heirs.reads("maria")
    toys.faults.clear()
    await heirs.clicks("maria", "Find", values={"somebody": "Zoë"})
    assert "(Zoë Zander, Reception" in heirs.reads("maria")


async def test_the_leaver_inherits_nothing_from_themselves(heirs: World) -> None:
    await heirs.clicks("maria", "Nothing")
    await heirs.clicks("maria", "Don't write")
    await heirs.clicks("maria", "Find", values={"somebody": "Jane"})
    assert "There is nobody like Jane who can sign in." in heirs.reads("maria")


async def test_own_words_stand_beside_the_choices_and_what_would_be_sent_is_shown(heirs: World) -> None:
    assert "The usual – Jane has left." in heirs.reads("maria")
    await heirs.clicks("maria", "Use these words", values={"text": "Ring the bell."})
    assert (await choices(heirs))["toy.sign"] == "Ring the bell."


async def test_what_the_client_always_does_is_recommended_unless_it_can_not_be_taken_back(heirs: World) -> None:
    assert "Recommended: Nothing. It is what Contoso Ltd always does." in heirs.reads("maria")
    stopped = await heirs.clicks("maria", "Accept all recommended")
    assert stopped.line == "Stopped at 'Whom do visitors ask now?': name a person."
    said = await choices(heirs)
    assert (said["toy.sign"], said["toy.mail"], said["toy.heir"]) == ("none", "no", "id-boss")


async def test_what_is_left_for_later_is_kept_brought_up_weekly_and_planned_once_decided(
    asking: World, toys: ToyWorld
) -> None:
    await says_now(asking)
    await asking.clicks("maria", "Keep it")
    await asking.clicks("maria", "Decide later")
    await asking.clicks("maria", "Submit")
    await asking.clicks("sam", "Approve")
    assert toys.tickets == {}
    assert "Open a ticket about it?: not decided yet, kept as it is" in asking.reads("maria")
    await asking.passes(days=8)
    assert "Something is still to be decided. Until then it is kept as it is." in asking.reads("maria")
    await asking.clicks("maria", "Decide now")
    await asking.clicks("maria", "Open a ticket")
    await asking.clicks("maria", "Submit")
    assert toys.tickets == {}
    await asking.clicks("sam", "Approve")
    assert list(toys.tickets) == ["T1"]
    assert [plan.kind for plan in await asking.plans()] == [LOCK_OUT, REST]


async def test_what_is_planned_can_not_be_answered_anew_while_something_else_is_decided(tmp_path: Path) -> None:
    toys = ToyWorld()
    toys.add("Jane Doe", "Head of Sales")
    world = await World.build(tmp_path, (Heirs(toys),), roster())
    await says_now(world)
    await world.clicks("maria", "The usual")
    await world.clicks("maria", "Decide later")
    for label in ("Bo Boss", "Nobody", "Submit"):
        await world.clicks("maria", label)
    await world.clicks("sam", "Approve")
    assert [plan.kind for plan in await world.plans()] == [LOCK_OUT]  # nothing of the toy's hangs on these answers
    await world.clicks("maria", "Decide now")
    await world.clicks("maria", "Don't write")
    assert "(Submit)" in world.reads("maria")
    await world.close()


async def test_an_answer_to_a_question_that_is_not_asked_any_more_means_nothing(tmp_path: Path, toys: ToyWorld) -> None:
    class Deeper(Toy):
        def questions(self, facts: ToyFacts, choices: Choices) -> tuple[Question, ...]:
            paper = (Choice("yes", "Shred it"), Choice("no", "Leave it"))
            first = Question("toy.paper", Topic.FILES, "Shred the paper?", paper)
            second = Question("toy.ticket", Topic.BACKUP, "Ticket for the shredder?", (Choice("yes", "A ticket"),))
            return (first, second) if choices.get("toy.paper") == "yes" else (first,)

    world = await World.build(tmp_path, (Deeper(toys),), roster())
    await says_now(world)
    await world.clicks("maria", "Shred it")
    await world.clicks("maria", "A ticket")
    await world.clicks("maria", "Change", within="Shred the paper?")
    await world.clicks("maria", "Leave it")
    await world.clicks("maria", "Submit")
    await world.clicks("sam", "Approve")
    assert toys.tickets == {}
    await world.close()


async def test_a_technician_answers_with_a_person_they_looked_up(heirs: World) -> None:
    await heirs.clicks("maria", "Nothing")
    await heirs.clicks("maria", "Don't write")
    await heirs.clicks("maria", "Not sure")
    await heirs.clicks("maria", "Nobody")
    await heirs.clicks("maria", "Submit")
    await heirs.clicks("sam", "Approve")
    await heirs.clicks("sam", "Find", values={"somebody-toy.heir": "Zoë"})
    await heirs.clicks("sam", "Zoë Zander, Reception")
    assert (await choices(heirs))["toy.heir.name"] == "Zoë Zander"
