"""Strangers, neighbours, colleagues and the leaver: what each of them learns, and which presses count."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from handlers.cases import cards
from handlers.conversation import Inbound, Kind, Place
from handlers.hear import hear
from handlers.people import Roster
from tests.journeys import answers, chooses, locks_out, submits
from tests.toy import Toy, ToyWorld
from tests.world import World, roster, words


def changed(people: Roster, person: str, **changes: object) -> Roster:
    """The same people, one of them different."""
    kept = tuple(one.model_copy(update=changes) if one.id == person else one for one in people.people)
    return people.model_copy(update={"people": kept})


@pytest.fixture
async def own(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[World]:
    """The house, with Sam in its own directory."""
    toys.add("Sam Lee", "Technician")
    people = changed(roster(), "sam", mail="sam.lee@toy.example")
    people = changed(people, "priya", admin=False)
    world = await World.build(tmp_path, (Toy(toys),), people)
    yield world
    await world.close()


async def test_a_stranger_hears_the_same_whether_or_not_there_is_a_case(world: World) -> None:
    lines = ["/offboard-status 1", "/offboard-status Jane Doe", "/offboard Jane Doe", "/offboard-status", "/nonsense"]
    before = [(await world.types("nobody", line)).line for line in lines]
    await submits(world)
    after = [(await world.types("nobody", line)).line for line in lines]
    assert set(before) | set(after) == {"I don't know you yet. Ask Northwind IT to add you."}


async def test_an_unknown_number_reads_like_one_that_is_not_yours(world: World) -> None:
    await submits(world)
    theirs = (await world.types("finn", "/offboard-status 1")).line
    nobodys = (await world.types("finn", "/offboard-status 7")).line
    assert theirs == "I have no case '1' for you."
    assert nobodys == "I have no case '7' for you."
    assert (await world.types("finn", "/offboard-status Jane")).line == "I have no case 'Jane' for you."
    assert world.seen_by("finn") == []


async def test_a_colleague_who_is_not_named_sees_nothing(world: World) -> None:
    await submits(world)
    assert (await world.types("noor", "/offboard-status")).line.startswith("You have no cases.")
    assert world.seen_by("noor") == []


async def test_the_requester_names_a_colleague_who_then_follows_the_case(world: World) -> None:
    await submits(world)
    assert (await world.clicks("maria", "Let them see it")).line.startswith("Pick who shall see the case")
    await world.clicks("maria", "Let them see it", values={"name-person": "noor"})
    assert "Waits for a technician's approval." in world.reads("noor")  # told at once, in private
    assert "Also seen by: Noor Haddad" in world.reads("maria")
    assert "Also seen by: Noor Haddad" in world.reads("sam")
    for button in ("Cancel", "Approve", "Let them see it", "wrong person"):
        assert button not in world.reads("noor")
    await world.clicks("sam", "Approve")
    await world.types("noor", "/offboard-status Jane")
    assert "Jane Doe is locked out" in world.reads("noor")
    assert [row.detail["named"] for row in await world.history() if row.what == "named"] == ["noor"]


async def test_who_is_not_named_any_more_sees_nothing_any_more(world: World) -> None:
    await submits(world)
    await world.clicks("maria", "Let them see it", values={"name-person": "noor"})
    await world.clicks("sam", "Not Noor Haddad any more")
    assert "Jane Doe" not in world.reads("noor")
    assert (await world.types("noor", "/offboard-status")).line.startswith("You have no cases.")


async def test_nobody_is_named_who_is_not_the_clients_or_is_the_leaver(tmp_path: Path, toys: ToyWorld) -> None:
    people = changed(roster(), "noor", mail="jane.doe@toy.example", name="Jane Doe")
    world = await World.build(tmp_path, (Toy(toys),), people)
    await submits(world)
    assert "Let them see it" not in world.reads("sam")  # only the leaver is left to name
    await world.close()


async def test_one_who_is_named_is_offered_only_to_those_who_ask_or_work_here(world: World) -> None:
    await submits(world)
    token, place = world.button("maria", "Let them see it")
    said = await world.presses("finn", token, place, {"name-person": "finn"})
    assert said.line == "Only the requester and technicians say who else sees the case."
    said = await world.clicks("maria", "Let them see it", values={"name-person": "finn"})
    assert said.line == "That person can't be named on this case. Pick somebody from the list."
    assert "Jane" not in world.reads("finn")


async def test_one_who_may_see_all_cases_of_the_client_does(tmp_path: Path, toys: ToyWorld) -> None:
    world = await World.build(tmp_path, (Toy(toys),), changed(roster(), "noor", sees_all=("contoso",)))
    await submits(world)
    await world.types("noor", "/offboard-status Jane")
    assert "Waits for a technician's approval." in world.reads("noor")
    assert "Cancel" not in world.reads("noor")
    await world.close()


async def test_the_leaver_sees_nothing_not_even_while_nobody_is_chosen(tmp_path: Path, toys: ToyWorld) -> None:
    people = changed(roster(), "noor", mail="jane.doe@toy.example", name="Jane Doe", sees_all=("contoso",))
    world = await World.build(tmp_path, (Toy(toys),), people)
    await world.types("maria", "/offboard Jane")
    assert (await world.types("noor", "/offboard-status")).line.startswith("You have no cases.")
    await world.clicks("maria", "Jane Doe")
    assert (await world.types("noor", "/offboard-status")).line.startswith("You have no cases.")
    assert world.seen_by("noor") == []
    await world.close()


async def test_cases_about_the_msps_own_people_are_the_admins(own: World, toys: ToyWorld) -> None:
    await own.types("ada", "/offboard Sam Lee")
    assert (await own.types("sam", "/offboard-status")).line.startswith("You have no cases.")
    await own.clicks("ada", "Continue", values={"client": "own"})
    await answers(own, "ada", "Sam Lee")
    assert {shown.place.channel for shown in own.chat.shown} == {"D-ada", "C-ADMIN"}
    for person in ("sam", "priya"):
        assert (await own.types(person, "/offboard-status Sam")).line == "I have no case 'Sam' for you."
        assert own.seen_by(person) == []
    approve, place = own.button("ada", "Approve")
    await own.presses("sam", approve, place)
    await own.presses("priya", approve, place)
    assert toys.effects == []


async def test_a_technician_can_not_enter_a_case_about_the_msps_own_people(own: World) -> None:
    await own.types("priya", "/offboard Sam Lee")
    options = [field.options for section in own.card("priya").card.sections for field in section.fields]
    assert {option.id for option in options[0]} == {"contoso", "fabrikam"}
    await own.clicks("priya", "Continue", values={"client": "own"})
    assert (await own.cases())[0].client == ""


async def test_a_manager_who_is_no_longer_one_loses_her_case(world: World) -> None:
    await chooses(world)
    resigned, place = world.button("maria", "Resigned")
    turn = (await world.cases())[0].turn
    world.house.roster = changed(world.house.roster, "maria", manages=())
    await world.presses("maria", resigned, place)
    assert (await world.types("maria", "/offboard-status")).line.startswith("You have no cases.")
    assert (await world.cases())[0].turn == turn


async def test_somebody_who_manages_nothing_can_ask_for_nothing(tmp_path: Path, toys: ToyWorld) -> None:
    world = await World.build(tmp_path, (Toy(toys),), changed(roster(), "noor", manages=()))
    assert (await world.types("noor", "/offboard Jane Doe")).line.startswith("You are not set up to offboard anybody.")
    assert await world.cases() == []
    await world.close()


async def test_a_double_click_does_it_once(world: World, toys: ToyWorld) -> None:
    await submits(world)
    approve, place = world.button("sam", "Approve")
    await world.presses("sam", approve, place)
    reply = await world.presses("sam", approve, place)
    assert reply.line == ""
    assert toys.effects == ["close Jane Doe", "badge Jane Doe front door"]


async def test_a_button_of_an_older_card_does_nothing(world: World) -> None:
    await chooses(world)
    dismissed, place = world.button("maria", "Dismissed")
    await world.clicks("maria", "Resigned")
    reply = await world.presses("maria", dismissed, place)
    assert reply.line == "That has changed meanwhile. The card is up to date now."
    assert "How is Jane Doe leaving?: Resigned" in world.reads("maria")


async def test_a_forged_token_does_nothing(world: World) -> None:
    await chooses(world)
    _, place = world.button("maria", "Dismissed")
    reply = await world.presses("maria", "made-up", place)
    assert reply.line.startswith("That button is from an older message.")


async def test_a_button_expires(world: World) -> None:
    await submits(world)
    await world.clicks("sam", "Approve")
    wrong, place = world.button("maria", "This is the wrong person")
    await world.passes(days=31)
    reply = await world.presses("maria", wrong, place)
    assert reply.line.startswith("That button is from an older message.")


async def test_a_stranger_pressing_somebody_elses_button_does_not_use_it_up(world: World, toys: ToyWorld) -> None:
    await submits(world)
    approve, place = world.button("sam", "Approve")
    await world.presses("nobody", approve, place)
    for person in ("finn", "noor", "maria"):
        assert "You can't decide about this one" in (await world.presses(person, approve, place)).line
    assert toys.effects == []
    await world.presses("sam", approve, place)
    assert not toys.named("Jane Doe").open
    refused = [row.person for row in await world.history() if row.what == "refused"]
    assert refused == ["finn", "noor", "maria"]


async def test_a_command_in_a_channel_gets_one_neutral_line_and_moves_to_private(world: World) -> None:
    reply = await world.types("maria", "/offboard Jane Doe", channel="C-SALES")
    assert reply.line == "Case 1: I go on with you in our private chat."
    assert {shown.place.channel for shown in world.chat.shown} == {"D-maria"}
    reply = await world.types("maria", "/offboard-status Jane", channel="C-SALES")
    assert reply.line == "I have answered in our private chat."


async def test_the_same_thing_delivered_twice_is_done_once(world: World) -> None:
    await world.types("maria", "/offboard Jane Doe", dedupe="trigger-1")
    await world.types("maria", "/offboard Jane Doe", dedupe="trigger-1")
    assert len(await world.cases()) == 1


async def test_status_by_number_by_name_and_from_the_list(world: World, toys: ToyWorld) -> None:
    toys.add("John Roe")
    await submits(world)
    await submits(world, name="John Roe")
    await world.types("maria", "/offboard-status")
    assert "Case 1 · Jane Doe · Contoso Ltd · waits for a technician's approval" in world.reads("maria")
    assert "Case 2 · John Roe" in world.reads("maria")
    listed = world.card("maria", "Your cases")
    button = listed.card.sections[1].buttons[0]
    await world.presses("maria", button.token, listed.place)
    assert world.seen_by("maria")[-1].card.title == "Case 1: Jane Doe"
    for typed in ("2", "#2", "case 2", "roe"):
        await world.types("maria", f"/offboard-status {typed}")
        assert world.seen_by("maria")[-1].card.title == "Case 2: John Roe"
    assert (await world.types("maria", "/offboard-status 3")).line == "I have no case '3' for you."


async def test_help_is_offered_and_asks_for_nothing(world: World) -> None:
    for line in ("/offboard", "/offboard help", "/nonsense"):
        assert "/offboard Jane Doe – end somebody's access." in (await world.types("maria", line)).line
    assert await world.cases() == []


async def test_no_notification_and_no_channel_line_names_the_leaver(tmp_path: Path, toys: ToyWorld) -> None:
    toys.named("Jane Doe").by_hand = True
    world = await World.build(tmp_path, (Toy(toys, asks=True),), roster())
    await world.types("maria", "/offboard Jane Doe", channel="C-SALES")
    await answers_with_doubt(world)
    await world.passes(minutes=11)
    await world.clicks("sam", "Approve")
    await world.passes(days=1)
    await world.types("maria", "/offboard-status")
    await world.clicks("maria", "This is the wrong person")
    await world.clicks("sam", "Wrong person")
    versions = [card for shown in world.chat.shown for card in shown.versions]
    assert len(versions) > 15
    assert any("Jane" in words(card) for card in versions)
    assert [card.notification for card in versions if "Jane" in card.notification or "Doe" in card.notification] == []
    assert not any("Jane" in page for page in world.pages)
    await world.close()


async def answers_with_doubt(world: World) -> None:
    for label in ("Jane Doe", "Not sure", "No, on good terms", "Now", "Keep it", "Open a ticket", "Submit"):
        await world.clicks("maria", label)
    await world.clicks("sam", "Resigned")


async def test_a_technicians_private_chat_never_shows_another_ones_draft(world: World) -> None:
    await world.types("sam", "/offboard Jane Doe")
    assert (await world.types("priya", "/offboard-status Jane")).line == "I have no case 'Jane' for you."


async def test_a_press_from_another_channel_counts_for_who_presses_not_for_where(world: World, toys: ToyWorld) -> None:
    await submits(world)
    approve, _ = world.button("sam", "Approve")
    elsewhere = Place(world.actor("maria").platform, "T-CONTOSO", "C-TECH")
    click = Inbound(Kind.CLICK, world.actor("maria"), elsewhere, "a-key", token=approve)
    assert "You can't decide" in (await hear(world.house, click)).line
    assert toys.effects == []


async def test_cards_that_show_something_old_are_all_drawn_in_the_end(world: World) -> None:
    await locks_out(world)
    rows = await world.house.store.read(lambda session: cards.waiting(session, world.house))
    assert rows == []
