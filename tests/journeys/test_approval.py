"""Who decides, about what exactly, how often they are asked, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import Session, select

from handlers.cases.tables import AccountRow, Answer, Approval, ItemRow, Plan, StepRow
from tests.journeys import chooses, enters_for_a_caller, says_now, submits
from tests.toy import Toy, ToyWorld
from tests.world import World, roster


async def test_a_rejection_needs_a_reason_and_the_requester_reads_it(world: World, toys: ToyWorld) -> None:
    await submits(world)
    assert (await world.clicks("sam", "Reject")).line.startswith("Write why you reject it")
    await world.clicks("sam", "Reject", values={"reason": "She is on holiday."})
    assert "Rejected by Sam Lee: She is on holiday." in world.reads("maria")
    assert toys.effects == []


async def test_nobody_approves_what_they_requested(tmp_path: Path, toys: ToyWorld) -> None:
    people = roster()
    sam = people.people[2].model_copy(update={"manages": ("contoso",)})
    people = people.model_copy(update={"people": (*people.people[:2], sam, *people.people[3:])})
    world = await World.build(tmp_path, (Toy(toys),), people)
    await world.types("sam", "/offboard Jane Doe")
    await world.clicks("sam", "Continue", values={"client": "contoso"})
    for label in ("Jane Doe", "Resigned", "No, on good terms", "Now", "Submit"):
        await world.clicks("sam", label)
    assert "You can't decide about this one" in (await world.clicks("sam", "Approve")).line
    assert toys.effects == []
    await world.clicks("priya", "Approve")
    assert not toys.named("Jane Doe").open
    await world.close()


async def test_a_technician_does_not_decide_about_themselves(tmp_path: Path, toys: ToyWorld) -> None:
    people = roster()
    sam = people.people[2].model_copy(update={"mail": "jane.doe@toy.example"})
    people = people.model_copy(update={"people": (*people.people[:2], sam, *people.people[3:])})
    world = await World.build(tmp_path, (Toy(toys),), people)
    await submits(world)
    assert "You can't decide about this one" in (await world.clicks("sam", "Approve")).line
    assert toys.effects == []
    await world.close()


async def test_the_last_master_key_takes_two_technicians_and_a_written_proof(world: World, toys: ToyWorld) -> None:
    jane = toys.named("Jane Doe")
    jane.approvers, jane.proof = 2, "Who else can open the vault?"
    await submits(world)
    assert "Mind: the last one with a master key" in world.reads("sam")
    assert (await world.clicks("sam", "Approve")).line == "Who else can open the vault?"
    field = next(
        field for section in world.with_button("sam", "Approve").card.sections for field in section.fields
        if field.label == "Who else can open the vault?"
    )  # fmt: skip
    await world.clicks("sam", "Approve", values={field.id: "Maria, tried it today"})
    assert "So far: Sam Lee." in world.reads("sam")
    again = await world.clicks("sam", "Approve", values={field.id: "Maria, tried it today"})
    assert again.line == "You have approved already; a second, different technician is needed."
    assert toys.effects == []
    assert (await world.clicks("priya", "Approve")).line == "Who else can open the vault?"
    await world.clicks("priya", "Approve", values={field.id: "I saw her open it"})
    assert not jane.open


async def test_the_loser_of_a_race_reads_who_decided(world: World, toys: ToyWorld) -> None:
    await submits(world)
    reject, place = world.button("priya", "Reject")
    await world.clicks("sam", "Approve")
    reply = await world.presses("priya", reject, place, {"reason": "no"})
    assert reply.line == "Sam Lee has already approved this. The card is up to date now."
    assert not toys.named("Jane Doe").open


async def test_a_stale_button_about_something_else_names_no_decider(world: World, toys: ToyWorld) -> None:
    toys.named("Jane Doe").by_hand = True
    await submits(world)
    await world.clicks("sam", "Approve")
    retry, place = world.button("priya", "Retry")
    await world.clicks("priya", "I take it")
    reply = await world.presses("priya", retry, place)
    assert reply.line == "That has changed meanwhile. The card is up to date now."


def _rename_item(session: Session) -> None:
    row = session.exec(select(ItemRow)).first()
    assert row is not None
    row.title = "something else"
    session.add(row)


def _swap_account(session: Session) -> None:
    row = session.exec(select(AccountRow)).one()
    row.account = {**row.account, "id": "id-2"}
    session.add(row)


def _change_answer(session: Session) -> None:
    row = session.exec(select(Answer).where(Answer.question == "how")).one()
    row.value = "dismissed"
    session.add(row)


def _one_approver(session: Session) -> None:
    for row in session.exec(select(Plan)):
        row.approvers = 0
        session.add(row)


def _another_step(session: Session) -> None:
    row = session.exec(select(StepRow)).first()
    assert row is not None
    row.step = "toy.stop_pay"
    session.add(row)


@pytest.mark.parametrize("tamper", [_rename_item, _swap_account, _change_answer, _one_approver, _another_step])
async def test_what_was_changed_between_showing_and_approving_is_refused(
    world: World, toys: ToyWorld, tamper: Callable[[Session], None]
) -> None:
    await submits(world)
    await world.house.store.write(tamper)
    assert "The plan is not the one you were shown" in (await world.clicks("sam", "Approve")).line
    assert toys.effects == []
    assert await world.house.store.read(lambda session: session.exec(select(Approval)).all()) == []


async def test_a_lock_out_nobody_picks_up_is_brought_up_twice_then_paged(world: World) -> None:
    await submits(world)
    reminder = "A lock-out waits for approval. The leaver can still sign in."
    await world.passes(minutes=2, seconds=1)
    assert world.reads("sam").count(reminder) == 1
    await world.passes(minutes=3)
    assert world.reads("sam").count(reminder) == 2
    assert world.pages == []
    await world.passes(minutes=5)
    assert world.pages == ["Case 1 at Contoso Ltd: a lock-out waits for approval, nobody took it."]
    assert "No technician has picked this up yet. Ring Northwind IT: +44 20 7946 0000." in world.reads("maria")


async def test_approving_ends_the_reminders(world: World) -> None:
    await submits(world)
    await world.clicks("sam", "Approve")
    await world.passes(minutes=15)
    assert world.pages == []
    assert "waits for approval" not in world.reads("sam")


async def test_half_an_approval_does_not_end_the_reminders(tmp_path: Path, toys: ToyWorld) -> None:
    toys.named("Jane Doe").approvers = 2
    world = await World.build(tmp_path, (Toy(toys, asks=True),), roster())
    await submits(world, button="Keep it")
    await world.clicks("maria", "Open a ticket")
    await world.clicks("maria", "Submit")
    await world.clicks("sam", "Approve")  # the rest needs one technician, the lock-out two
    await world.passes(minutes=11)
    assert len(world.pages) == 1
    await world.close()


async def test_a_caller_is_verified_by_asking_the_contact_in_chat(world: World, toys: ToyWorld) -> None:
    await enters_for_a_caller(world)
    await world.clicks("sam", "Ask Maria Lopez in chat")
    for label in ("Jane Doe", "Resigned", "No, on good terms", "Now", "Submit"):
        await world.clicks("sam", label)
    assert "has not confirmed yet" in (await world.clicks("priya", "Approve")).line
    assert "Sam Lee says you asked them to end the access of Jane Doe, Head of Sales, jane.doe@" in world.reads("maria")
    await world.clicks("maria", "Yes, I asked")
    await world.clicks("sam", "Approve")
    assert not toys.named("Jane Doe").open


async def test_a_contact_who_says_no_stops_the_case_and_alarms_the_technicians(world: World, toys: ToyWorld) -> None:
    await enters_for_a_caller(world)
    await world.clicks("sam", "Ask Maria Lopez in chat")
    for label in ("Jane Doe", "Resigned", "No, on good terms", "Now", "Submit"):
        await world.clicks("sam", label)
    approve, place = world.button("sam", "Approve")
    await world.clicks("maria", "No")
    assert "did NOT ask for this" in world.reads("priya")
    await world.presses("priya", approve, place)
    assert toys.effects == []
    assert (await world.cases())[0].closed == "cancelled"


async def test_a_confirmation_does_not_pass_on_to_somebody_else(world: World, toys: ToyWorld) -> None:
    toys.add("John Roe")
    await enters_for_a_caller(world)
    await world.clicks("sam", "Ask Maria Lopez in chat")
    for label in ("Jane Doe", "Resigned", "No, on good terms", "Now"):
        await world.clicks("sam", label)
    await world.clicks("maria", "Yes, I asked")
    await world.clicks("sam", "Somebody else")
    await world.clicks("sam", "Search", values={"name": "John Roe"})
    for label in ("John Roe", "Resigned", "No, on good terms", "Now", "Submit"):
        await world.clicks("sam", label)
    assert "You can't decide" in (await world.clicks("sam", "Approve")).line
    assert toys.effects == []
    await world.clicks("maria", "No")
    assert (await world.cases())[0].closed == "cancelled"


async def test_a_yes_that_was_meant_for_one_is_stale_once_another_is_chosen(world: World, toys: ToyWorld) -> None:
    toys.add("John Roe")
    await enters_for_a_caller(world)
    await world.clicks("sam", "Ask Maria Lopez in chat")
    for label in ("Jane Doe", "Resigned", "No, on good terms", "Now"):
        await world.clicks("sam", label)
    yes, place = world.button("maria", "Yes, I asked")
    await world.clicks("sam", "Somebody else")
    await world.clicks("sam", "Search", values={"name": "John Roe"})
    await world.clicks("sam", "John Roe")
    await world.presses("maria", yes, place)
    assert (await world.cases())[0].verified == "asked"


async def test_on_a_call_back_another_technician_must_approve(world: World, toys: ToyWorld) -> None:
    await enters_for_a_caller(world, contact="", other="Bob from accounts")
    assert (await world.clicks("sam", "I rang them back")).line.startswith("Write which number")
    await world.clicks("sam", "I rang them back", values={"callback": "+44 1, the owner"})
    for label in ("Jane Doe", "Resigned", "No, on good terms", "Now", "Submit"):
        await world.clicks("sam", label)
    assert "Requested by: Bob from accounts, call-back: +44 1, the owner; entered by Sam Lee" in world.reads("priya")
    assert "You can't decide" in (await world.clicks("sam", "Approve")).line
    await world.clicks("priya", "Approve")
    assert not toys.named("Jane Doe").open


async def test_who_asked_must_be_said(world: World) -> None:
    await world.types("sam", "/offboard Jane Doe")
    assert (await world.clicks("sam", "Continue")).line.startswith("Pick the client")
    assert (await world.clicks("sam", "Continue", values={"client": "own"})).line.startswith("That client is not in")
    await world.clicks("sam", "Continue", values={"client": "contoso"})
    assert (await world.clicks("sam", "Continue", values={"contact": "finn"})).line.startswith("Say who asked")


async def test_the_lock_out_alone_is_approved_and_the_rest_waits(tmp_path: Path, toys: ToyWorld) -> None:
    world = await World.build(tmp_path, (Toy(toys, asks=True),), roster())
    await says_now(world)
    for label in ("Keep it", "Open a ticket", "Submit"):
        await world.clicks("maria", label)
    await world.clicks("sam", "Approve the lock-out of Jane Doe alone")
    assert not toys.named("Jane Doe").open
    assert toys.tickets == {}
    await world.clicks("priya", "Approve")
    assert list(toys.tickets) == ["T1"]
    await world.close()


@pytest.mark.parametrize("contentious", [False, True])
async def test_while_a_lock_out_waits_for_its_second_yes_only_a_friendly_hand_over_begins(
    tmp_path: Path, toys: ToyWorld, *, contentious: bool
) -> None:
    jane = toys.named("Jane Doe")
    jane.approvers, jane.paid = 2, True
    world = await World.build(tmp_path, (Toy(toys, asks=True),), roster())
    await chooses(world)
    for label in ("Resigned", "Yes" if contentious else "No, on", "Now", "Keep it", "Open a ticket", "Submit"):
        await world.clicks("maria", label)
    await world.clicks("sam", "Approve all")
    assert jane.open
    assert bool(toys.tickets) is not contentious
    assert jane.paid
    await world.clicks("priya", "Approve")
    assert not jane.open
    assert not jane.paid
    await world.close()
