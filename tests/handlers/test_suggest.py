"""People found while somebody types: for whoever may answer, of their client alone, in time, and nothing is written."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlmodel import Session, SQLModel, select

from connectors.contract import Choices, Question, Topic, Typed, Unreachable
from handlers import suggest as looking
from handlers.cases import cards
from handlers.cases.tables import CardRow
from handlers.conversation import Actor, Option
from handlers.questions import answers_of
from handlers.suggest import suggest
from tests.journeys import says_now
from tests.toy import Toy, ToyFacts, ToyWorld
from tests.world import Shown, World, roster


class Heirs(Toy):
    """Asks who gets the plants."""

    def questions(self, facts: ToyFacts, choices: Choices) -> tuple[Question, ...]:
        return (Question("toy.plants", Topic.ANYTHING_ELSE, "Who gets the plants?", (), typed=Typed.PERSON),)


@pytest.fixture
async def world(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[World]:
    toys.add("Zoe Zander", "Reception")
    toys.add("Zed Zander", "Driver").open = False
    world = await World.build(tmp_path, (Heirs(toys),), roster())
    yield world
    await world.close()


def token(shown: Shown) -> str:
    """What the field that looks people up is asked by."""
    [found] = [one.suggest for section in shown.card.sections for one in section.fields if one.suggest]
    return found


async def who(world: World) -> str:
    """The token of the field in which the leaver is looked for."""
    await world.types("maria", "/offboard Jane")
    return token(world.card("maria", "who leaves?"))


async def heir(world: World) -> str:
    """The token of the field in which the answer to a question is looked for."""
    await says_now(world)
    return token(world.card("maria"))


async def asks(world: World, person: str, token: str, typed: str) -> list[str]:
    return [one.label for one in await suggest(world.house, world.actor(person), token, typed)]


async def everything(world: World) -> list[str]:
    """Every row of every table."""

    def rows(session: Session) -> list[str]:
        tables = SQLModel.metadata.sorted_tables
        return [f"{table.name} {row}" for table in tables for row in session.connection().execute(table.select())]

    return await world.house.store.read(rows)


# --- who is found -----------------------------------------------------------------------------------


async def test_the_leaver_is_found_by_letters_and_told_apart_by_title_and_address(world: World) -> None:
    at = await who(world)
    found = await suggest(world.house, world.actor("maria"), at, " zan ")
    assert set(found) == {
        Option("zoe.zander@toy.example", "Zoe Zander, Reception (zoe.zander@toy.example)"),
        Option("zed.zander@toy.example", "Zed Zander, Driver (zed.zander@toy.example)"),
    }


async def test_whoever_was_picked_is_looked_up_anew_shown_with_title_and_confirmed_by_their_button(
    world: World, toys: ToyWorld
) -> None:
    [picked] = await suggest(world.house, world.actor("maria"), await who(world), "zoe")
    toys.named("Zoe Zander").account = toys.named("Zoe Zander").account.model_copy(update={"title": "Front desk"})
    await world.clicks("maria", "Search", values={"picked": picked.id, "name": ""})
    assert (await world.cases())[0].leaver == {}
    assert "Is this the person who leaves?" in world.reads("maria")
    await world.clicks("maria", "Zoe Zander, Front desk (zoe.zander@toy.example)")
    assert (await world.cases())[0].leaver["name"] == "Zoe Zander"


async def test_an_answer_is_picked_the_same_way_and_never_the_leaver_or_who_can_not_sign_in(world: World) -> None:
    at = await heir(world)
    assert await asks(world, "maria", at, "jane") == []
    assert await asks(world, "maria", at, "zander") == ["Zoe Zander, Reception (zoe.zander@toy.example)"]
    await world.clicks("maria", "Find", values={"picked": "zoe.zander@toy.example", "somebody": "Maria"})
    case = (await world.cases())[0]
    kept = await world.house.store.read(lambda session: answers_of(session, case.id))
    assert "toy.plants" not in kept
    await world.clicks("maria", "Zoe Zander, Reception (zoe.zander@toy.example)")
    kept = await world.house.store.read(lambda session: answers_of(session, case.id))
    assert kept["toy.plants"].label == "Zoe Zander (zoe.zander@toy.example)"


async def test_words_are_searched_for_as_ever_when_nobody_was_picked(world: World) -> None:
    await heir(world)
    reply = await world.clicks("maria", "Find", values={"picked": "", "somebody": " "})
    assert reply.line == "Write a name or a mail address first, then press Find."
    await world.clicks("maria", "Find", values={"picked": "", "somebody": "Zander"})
    assert "(Zoe Zander, Reception (zoe.zander@toy.example))" in world.reads("maria")


async def test_a_value_that_was_never_offered_is_words_like_others_and_finds_nobody_else(world: World) -> None:
    await heir(world)
    await world.clicks("maria", "Find", values={"picked": "id-1"})
    assert "There is nobody like id-1 who can sign in." in world.reads("maria")


async def test_a_technician_looks_up_what_the_manager_was_not_sure_of(world: World) -> None:
    mine = await heir(world)
    await world.clicks("maria", "Not sure, ask my technician")
    theirs = token(world.card("sam", "offboard Jane Doe"))
    assert await asks(world, "sam", theirs, "zander") == ["Zoe Zander, Reception (zoe.zander@toy.example)"]
    assert await asks(world, "maria", theirs, "zander") == [], "who asked may not answer for herself there"
    assert await asks(world, "maria", mine, "zander") == [], "her own card has gone on"


# --- who is not -------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["noor", "finn", "sam", "bill", "nobody-we-know"])
async def test_nobody_is_suggested_to_whoever_may_not_answer(world: World, person: str) -> None:
    at = await who(world)
    assert await asks(world, person, at, "zander") == []


async def test_the_right_is_asked_for_each_time(world: World) -> None:
    at = await who(world)
    assert await asks(world, "maria", at, "zander")
    people = [one.model_copy(update={"manages": ()}) if one.id == "maria" else one for one in world.house.roster.people]
    world.house.roster = world.house.roster.model_copy(update={"people": tuple(people)})
    assert await asks(world, "maria", at, "zander") == []


async def test_only_the_cases_own_client_is_searched(world: World, tmp_path: Path, toys: ToyWorld) -> None:
    at = await who(world)
    asked: list[str] = []
    connection = world.house.connection

    async def watched(client: str, system: str) -> object:
        asked.append(client)
        return await connection(client, system)

    world.house.connection = watched  # type: ignore[method-assign,assignment]
    await asks(world, "maria", at, "zander")
    assert asked == ["contoso"]


async def test_other_peoples_tokens_and_made_up_ones_and_buttons_say_nothing(world: World) -> None:
    await who(world)
    pressed = world.button("maria", "Search")[0]
    for one in ("", "made up", pressed, "x" * 5_000):
        assert await asks(world, "maria", one, "zander") == []


async def test_a_token_of_a_field_is_no_button(world: World) -> None:
    at = await who(world)
    before = await everything(world)
    reply = await world.presses("maria", at, world.card("maria").place, settle=False)
    assert "button" in reply.line
    assert await everything(world) == before
    assert await asks(world, "maria", at, "zander"), "and it is not used up"


async def test_a_card_that_has_gone_on_suggests_nobody_and_the_new_one_does(world: World) -> None:
    at = await who(world)
    await world.clicks("maria", "Search", values={"name": "Jane"})
    assert await asks(world, "maria", at, "zander") == []
    again = token(world.card("maria", "who leaves?"))
    assert await asks(world, "maria", again, "zander")


@pytest.mark.parametrize(("column", "value"), [("topic", cards.REPLACED), ("dead", "its chat is gone")])
async def test_a_card_that_is_not_kept_up_to_date_any_more_suggests_nobody(
    world: World, column: str, value: str
) -> None:
    at = await who(world)

    def end(session: Session) -> None:
        for card in session.exec(select(CardRow)):
            setattr(card, column, value)
            session.add(card)

    await world.house.store.write(end)
    assert await asks(world, "maria", at, "zander") == []


async def test_a_closed_case_suggests_nobody(world: World) -> None:
    at = await who(world)
    await world.clicks("maria", "Cancel the case")
    assert await asks(world, "maria", at, "zander") == []


async def test_a_token_grows_old(world: World) -> None:
    at = await who(world)
    world.clock.time += world.house.timings.button
    assert await asks(world, "maria", at, "zander")
    world.clock.time += world.house.timings.button
    assert await asks(world, "maria", at, "zander") == []


@pytest.mark.parametrize("typed", ["", " ", "z", " z ", '""', "( *", "z" * 101, "\u202e\u200b"])
async def test_too_little_and_too_much_finds_nobody_and_asks_nobody(world: World, toys: ToyWorld, typed: str) -> None:
    at = await who(world)
    toys.faults["search"] = [Unreachable("Toy", "search", "no answer")]
    assert await asks(world, "maria", at, typed) == []
    assert len(toys.faults["search"]) == 1


# --- bounds -----------------------------------------------------------------------------------------


async def test_no_more_are_shown_than_teams_shows_and_each_once(world: World, toys: ToyWorld) -> None:
    for number in range(30):
        toys.add(f"Kim {number:02}")
    twin = toys.add("Kim 00", "Twin")
    at = await who(world)
    found = await suggest(world.house, world.actor("maria"), at, "kim")
    assert [one.label[:6] for one in found] == [f"Kim {number:02}" for number in range(15)]
    assert len({one.id for one in found}) == 15
    await world.clicks("maria", "Search", values={"picked": twin.account.mail})
    assert "2 people fit" in world.reads("maria"), "of two with one address, both are offered"


async def test_a_directory_that_fails_or_does_not_answer_finds_nobody_in_time(
    world: World, toys: ToyWorld, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "WITHIN", 0.1)
    at = await who(world)
    toys.faults["search"] = [Unreachable("Toy", "search", "Zoe Zander's record is locked")]
    with caplog.at_level(logging.DEBUG):
        assert await asks(world, "maria", at, "zander") == []
        toys.pause = lambda name: asyncio.sleep(30)
        began = time.monotonic()
        assert await asks(world, "maria", at, "zander") == []
        assert time.monotonic() - began < 1
    assert "nobody could be suggested: Unreachable" in caplog.text
    assert "nobody could be suggested: TimeoutError" in caplog.text
    assert "ander" not in caplog.text
    assert not world.house.suggesting
    toys.pause = None
    assert await asks(world, "maria", at, "zander"), "and the next letters are looked up"


async def test_newer_letters_take_the_place_of_older_ones(world: World, toys: ToyWorld) -> None:
    at = await who(world)
    gate, begun = asyncio.Event(), asyncio.Event()

    async def pause(name: str) -> None:
        begun.set()
        await gate.wait()

    toys.pause = pause
    older = asyncio.create_task(asks(world, "maria", at, "za"))
    await begun.wait()
    newer = asyncio.create_task(asks(world, "maria", at, "zoe"))
    assert await older == []
    gate.set()
    assert await newer == ["Zoe Zander, Reception (zoe.zander@toy.example)"]
    assert not world.house.suggesting


async def test_one_case_does_not_keep_the_directory_busy(world: World, toys: ToyWorld) -> None:
    """Several technicians type on one card; so many look-ups run, and the rest finds nobody."""
    await heir(world)
    await world.clicks("maria", "Not sure, ask my technician")
    at = token(world.card("sam", "offboard Jane Doe"))
    gate, begun = asyncio.Event(), list[str]()

    async def pause(name: str) -> None:
        begun.append(name)
        await gate.wait()

    toys.pause = pause
    sam = world.house.roster.person("sam")
    assert sam is not None
    many = tuple(f"{sam.actors[0].platform}/T-MSP/sam-{number}" for number in range(5))
    people = [
        one.model_copy(update={"identities": (*one.identities, *many)}) if one.id == "sam" else one
        for one in world.house.roster.people
    ]
    world.house.roster = world.house.roster.model_copy(update={"people": tuple(people)})
    actors = [Actor(*name.split("/")) for name in many]
    asking = [asyncio.create_task(suggest(world.house, one, at, "zander")) for one in actors]
    done, _ = await asyncio.wait(asking, timeout=1)
    assert [task.result() for task in done] == [()] * 2
    assert begun == ["search"] * 3
    gate.set()
    assert [len(found) for found in await asyncio.gather(*asking)].count(1) == 3


async def test_nothing_is_written_and_nobody_named_in_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    at = await who(world)
    before = await everything(world)
    with caplog.at_level(logging.DEBUG):
        assert await asks(world, "maria", at, "zander")
        assert await asks(world, "noor", at, "zander") == []
        assert await asks(world, "nobody-we-know", at, "zander") == []
    assert await everything(world) == before
    assert "ander" not in caplog.text
    assert at not in caplog.text
