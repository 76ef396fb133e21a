"""A platform that answers a press with the next card gets it drawn with the decision, and shows it once."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.event import listen, remove
from sqlalchemy.exc import OperationalError

from connectors.contract import Choices, Question
from handlers import deliver
from handlers.cases import cards
from handlers.conversation import Card, ChatError, Inbound, Kind, Message, Reply
from handlers.hear import hear
from tests.journeys import chooses
from tests.toy import Toy, ToyFacts, ToyWorld
from tests.world import World, roster, words

ON = "slack"


class Fussy(Toy):
    """Its questions can't be asked while it is told so."""

    broken = False

    def questions(self, facts: ToyFacts, choices: Choices) -> tuple[Question, ...]:
        if self.broken:
            raise RuntimeError("Jane's questions")
        return super().questions(facts, choices)


@pytest.fixture
async def fussy(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[tuple[World, Fussy]]:
    toy = Fussy(toys)
    world = await World.build(tmp_path, (toy,), roster())
    yield world, toy
    await world.close()


async def presses(world: World, label: str) -> tuple[Reply, Message]:
    """Maria presses it where the answer is the next card; nothing else happens yet."""
    shown = world.with_button("maria", label)
    token, place = world.button("maria", label)
    click = Inbound(Kind.CLICK, world.actor("maria"), place, "a-key", token=token, at_once=True)
    return await hear(world.house, click), Message(shown.place, shown.id)


async def test_the_next_card_comes_with_the_answer_and_is_sent_to_nobody_twice(world: World) -> None:
    await chooses(world)
    reply, message = await presses(world, "Resigned")
    assert reply.drawn
    assert "Is it contentious?" in words(reply.drawn.card)

    async def edit(card: Card) -> None:
        await world.chat.update(message, card)

    await deliver.answer(world.house, reply, edit)
    shown = world.card("maria")
    versions = len(shown.versions)
    await world.settle()
    assert shown.card == reply.drawn.card
    assert len(shown.versions) == versions


async def test_the_buttons_that_came_with_the_answer_work(world: World) -> None:
    await chooses(world)
    reply, message = await presses(world, "Resigned")
    assert reply.drawn
    token = next(button.token for button in reply.drawn.card.buttons if "on good terms" in button.label)
    await world.presses("maria", token, message.place)
    assert "When does Jane Doe's access end?" in world.reads("maria")


async def test_an_answer_nobody_could_edit_in_is_sent_anew(world: World) -> None:
    await chooses(world)
    reply, _ = await presses(world, "Resigned")

    async def edit(_card: Card) -> None:
        raise ChatError("teams", "update", "HTTP 502", 3.0)

    await deliver.answer(world.house, reply, edit)
    await world.settle()
    assert "Is it contentious?" in words(world.card("maria").card)


async def test_a_card_that_can_not_be_drawn_takes_back_nothing_that_was_decided(
    fussy: tuple[World, Fussy], caplog: pytest.LogCaptureFixture
) -> None:
    world, toy = fussy
    await chooses(world)
    toy.broken = True
    with caplog.at_level(logging.CRITICAL + 1, "offboard"):
        reply, _ = await presses(world, "Resigned")
    assert reply.drawn is None
    assert reply.card
    toy.broken = False
    await world.passes(minutes=2)
    assert "Is it contentious?" in words(world.card("maria").card)


async def test_an_old_button_shows_what_is_true_now(world: World) -> None:
    await chooses(world)
    token, place = world.button("maria", "Resigned")
    await world.clicks("maria", "Dismissed")
    stale = Inbound(Kind.CLICK, world.actor("maria"), place, "a-key", token=token, at_once=True)
    reply = await hear(world.house, stale)
    assert reply.drawn
    assert "Is it contentious?" in words(reply.drawn.card)


async def test_a_press_whose_card_the_database_refuses_is_not_answered_as_decided(world: World) -> None:
    await chooses(world)
    token, place = world.button("maria", "Resigned")
    before = len(await world.history())

    def full(connection: sa.Connection, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("INSERT INTO button"):
            # As with a full disk: SQLite has taken everything back already, and commits nothing without a word.
            connection.connection.rollback()
            raise OperationalError(statement, {}, sqlite3.OperationalError("database or disk is full"))

    listen(world.house.store.engine, "before_cursor_execute", full)
    click = Inbound(Kind.CLICK, world.actor("maria"), place, "a-key", token=token, at_once=True)
    with pytest.raises(OperationalError):
        await hear(world.house, click)
    remove(world.house.store.engine, "before_cursor_execute", full)
    assert len(await world.history()) == before
    await world.presses("maria", token, place)
    assert "Is it contentious?" in world.reads("maria"), "the button can be pressed again"


async def test_a_card_drawn_with_a_press_is_not_laid_over_the_last_word_of_its_message(world: World) -> None:
    await chooses(world)
    reply, message = await presses(world, "Resigned")
    shown = world.with_button("maria", "Resigned")
    case, me = (await world.cases())[0], str(world.actor("maria"))
    await world.house.store.write(
        lambda session: cards.show_person(session, world.house, case.id, cards.INTERVIEW, "maria", me)
    )
    await world.settle()
    assert "There is a newer message" in words(shown.card)

    async def edit(card: Card) -> None:
        await world.chat.update(message, card)

    await deliver.answer(world.house, reply, edit)
    assert "There is a newer message" in words(shown.card)


async def test_an_edit_that_was_on_its_way_when_the_last_word_was_said_is_followed_by_it_again(world: World) -> None:
    await chooses(world)
    reply, message = await presses(world, "Resigned")
    shown = world.with_button("maria", "Resigned")
    case, me = (await world.cases())[0], str(world.actor("maria"))

    async def slow(card: Card) -> None:
        await world.house.store.write(
            lambda session: cards.show_person(session, world.house, case.id, cards.INTERVIEW, "maria", me)
        )
        await world.settle()
        await world.chat.update(message, card)

    await deliver.answer(world.house, reply, slow)
    assert "There is a newer message" not in words(shown.card)
    await world.settle()
    assert "There is a newer message" in words(shown.card)
