"""Slack fails, hangs, or forgets a message: nobody's card is lost by it, and nobody reads what is not theirs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from handlers import deliver
from handlers.cases import cards
from handlers.cases.tables import CardRow, Case, Due
from handlers.conversation import Card, ChatError, Message, Place, Reply
from handlers.loops import Loops
from handlers.remind import due_now
from tests.journeys import submits
from tests.toy import ToyWorld
from tests.world import MemoryChat, Shown, World, words

ON = "slack"


class Moody(MemoryChat):
    """A platform that fails as long as it is told to."""

    def __init__(self, before: MemoryChat) -> None:
        super().__init__()
        self.shown = before.shown
        self.fault: Exception | None = None
        self.hangs: asyncio.Event | None = None
        self.channel = ""
        """Only there; empty: everywhere."""

    async def _mood(self, place: Place) -> None:
        if self.channel in ("", place.channel):
            if self.hangs:
                await self.hangs.wait()
            if self.fault:
                raise self.fault

    async def post(self, place: Place, card: Card) -> Message:
        await self._mood(place)
        shown = Shown(place, f"m{len(self.shown)}", [card])
        self.shown.append(shown)
        return Message(place, shown.id)

    async def update(self, message: Message, card: Card) -> None:
        await self._mood(message.place)
        await super().update(message, card)


@pytest.fixture
def moody(world: World) -> Moody:
    chat = Moody(world.chat)
    world.chat = chat
    world.house.chats = {"slack": chat}
    return chat


async def case_of(world: World) -> Case:
    return (await world.cases())[0]


async def redraws(world: World) -> None:
    case = await case_of(world)
    await world.house.store.write(lambda session: cards.redraw(session, world.house, case))


async def brings_it_up(world: World) -> None:
    case = await case_of(world)
    await world.house.store.write(
        lambda session: cards.show_channel(session, world.house, case, cards.NEWS, topic="remind:x")
    )


async def lasts(world: World, seconds: int, step: int = 10) -> None:
    """The sender tries on while Slack is down."""
    for _ in range(seconds // step):
        await deliver.send_waiting(world.house)
        world.clock.time += timedelta(seconds=step)


@pytest.mark.parametrize(
    "fault",
    [
        ChatError("slack", "chat.update", "HTTP 500", 3.0),
        ChatError("slack", "chat.update", "invalid_auth", None),
        ChatError("slack", "chat.postMessage", "not_in_channel", None),
        OSError("nothing we expected"),
    ],
    ids=str,
)
async def test_a_lock_out_can_be_approved_after_slack_was_down_for_an_hour(
    world: World, toys: ToyWorld, moody: Moody, fault: Exception
) -> None:
    await submits(world)
    moody.fault = fault
    await redraws(world)
    await lasts(world, 3600)
    moody.fault = None
    world.clock.time += timedelta(minutes=6)
    await world.settle()
    await world.clicks("sam", "Approve")
    assert toys.effects


@pytest.mark.parametrize(
    "fault",
    [
        ChatError("slack", "conversations.open", "user_not_found", None),
        ChatError("teams", "send", "has blocked the app", None, hopeless=True),
    ],
    ids=str,
)
async def test_a_card_whose_person_is_gone_for_good_is_not_tried_again(
    world: World, moody: Moody, fault: ChatError
) -> None:
    await submits(world)
    case = await case_of(world)
    moody.fault, moody.channel = fault, "D-noor"
    card = await world.house.store.write(
        lambda session: cards.show_person(session, world.house, case.id, cards.STATUS, "maria", "slack/T-CONTOSO/maria")
    )
    moody.channel = "D-maria"
    await world.settle()
    row = await world.house.store.read(lambda session: session.get_one(CardRow, card.id))
    assert row.dead == str(fault)


async def test_whoever_may_approve_gets_a_card_to_approve_on_with_the_status(world: World, toys: ToyWorld) -> None:
    await submits(world)

    def lose(session: Session) -> None:
        for row in session.exec(select(CardRow).where(CardRow.kind == cards.TECHNICIANS)):
            row.dead = "lost"
            session.add(row)

    await world.house.store.write(lose)
    before = len(world.chat.shown)
    await world.types("sam", "/offboard-status Jane")
    assert [one.place.channel for one in world.chat.shown[before:]].count("C-TECH") == 1
    await world.clicks("sam", "Approve")
    assert toys.effects


async def test_one_card_that_hangs_holds_nobody_up_and_is_not_sent_twice(world: World, moody: Moody) -> None:
    await submits(world)
    world.house.timings = replace(world.house.timings, patience=timedelta(milliseconds=20))
    moody.hangs, moody.channel = asyncio.Event(), "D-maria"
    await redraws(world)
    before = len(world.chat.shown)
    await brings_it_up(world)
    await deliver.send_waiting(world.house)
    await brings_it_up(world)
    await deliver.send_waiting(world.house)
    await asyncio.sleep(0.05)
    assert len(world.chat.shown) == before + 2
    moody.hangs.set()
    await world.settle()
    assert len(world.chat.shown) == before + 2


async def test_one_card_that_cannot_be_drawn_disturbs_no_other(world: World) -> None:
    await submits(world)
    case = await case_of(world)
    place = cards.place_json(Place("slack", "T-MSP", "C-TECH"))
    poison = CardRow(id="0", case_id=case.id, kind="of a newer version", viewer="technicians", place=place)
    await world.house.store.write(lambda session: session.add(poison))
    await brings_it_up(world)
    before = len(world.chat.shown)
    for _ in range(3):
        await deliver.send_waiting(world.house)
    assert len(world.chat.shown) == before + 1


async def test_a_late_answer_to_a_click_does_not_stay_over_a_newer_card(world: World) -> None:
    await submits(world)
    row = await world.house.store.read(
        lambda session: session.exec(select(CardRow).where(CardRow.kind == cards.TECHNICIANS)).one()
    )
    shown = next(one for one in world.chat.shown if one.id == row.message)
    gate = asyncio.Event()

    async def slow(card: Card) -> None:
        await gate.wait()
        shown.versions.append(card)

    late = asyncio.create_task(deliver.answer(world.house, Reply(card=row.id), slow))
    await asyncio.sleep(0.05)
    await world.clicks("sam", "Approve")
    gate.set()
    await late
    assert "(Approve" in words(shown.card)
    await world.settle()
    assert "(Approve" not in words(shown.card)


@pytest.mark.parametrize("identities", [None, ("slack/T-CONTOSO/maria2",)], ids=["removed", "rebound"])
async def test_who_is_no_longer_configured_reads_nothing_more(
    world: World, toys: ToyWorld, identities: tuple[str, ...] | None
) -> None:
    await submits(world)
    people = [person for person in world.house.roster.people if person.id != "maria"]
    if identities:
        maria = world.house.roster.person("maria")
        assert maria
        people.append(maria.model_copy(update={"identities": identities}))
    world.house.roster = world.house.roster.model_copy(update={"people": tuple(people)})
    await world.clicks("sam", "Approve")
    private = [words(one.card) for one in world.chat.shown if one.place.channel == "D-maria"]
    assert toys.effects
    assert not any("locked out" in one for one in private)
    assert any("There is nothing here for you any more." in one for one in private)


async def test_a_page_that_fails_is_sent_again_until_it_is_taken_and_said_once(world: World) -> None:
    calls: list[str] = []

    async def page(sentence: str) -> None:
        calls.append(sentence)
        if len(calls) < 4:
            raise OSError("the pager is down")

    world.house.page = page
    await submits(world)
    await world.passes(hours=1)
    assert len(calls) == 4
    assert world.reads("sam").count("could NOT be paged") == 1
    assert [row.what for row in await world.history()].count("paged") == 1


async def test_a_page_nobody_took_stops_with_the_approval(world: World) -> None:
    calls: list[str] = []

    async def page(sentence: str) -> None:
        calls.append(sentence)
        raise OSError("the pager is down")

    world.house.page = page
    await submits(world)
    await world.passes(minutes=15)
    await world.clicks("sam", "Approve")
    before = len(calls)
    await world.passes(hours=1)
    assert before > 0
    assert len(calls) == before


async def test_one_thing_due_that_fails_stops_no_page(world: World) -> None:
    await submits(world)
    case = await case_of(world)
    bad = Due(id="0", case_id=case.id, kind="of a newer version", at=world.clock.now())
    await world.house.store.write(lambda session: session.add(bad))
    world.clock.time += timedelta(hours=1)
    await due_now(world.house)
    await world.house.settle()
    assert len(world.pages) == 1
    row = await world.house.store.read(lambda session: session.get_one(Due, "0"))
    assert row.at == world.clock.now() + timedelta(minutes=1)


async def test_news_bring_the_cards_they_are_about_along(world: World) -> None:
    await submits(world)
    case = await case_of(world)

    def pace(session: Session) -> None:
        cards.redraw(session, world.house, case)
        for row in session.exec(select(CardRow)):
            row.retry_at = world.clock.now() + timedelta(seconds=3)
            session.add(row)

    await world.house.store.write(pace)
    assert not await world.house.store.read(lambda session: cards.waiting(session, world.house))
    await brings_it_up(world)
    kinds = await world.house.store.read(lambda session: {row.kind for row in cards.waiting(session, world.house)})
    assert kinds >= {cards.NEWS, cards.TECHNICIANS, cards.INTERVIEW}


async def test_a_case_of_a_client_struck_off_the_list_is_the_admins(world: World) -> None:
    await submits(world)
    clients = tuple(client for client in world.house.roster.clients if client.id != "contoso")
    world.house.roster = world.house.roster.model_copy(update={"clients": clients})
    case = await case_of(world)
    card = await world.house.store.write(
        lambda session: cards.show_channel(session, world.house, case, cards.NEWS, topic="remind:x")
    )
    assert card.place["channel"] == "C-ADMIN"


async def test_what_is_over_is_forgotten_after_a_week(world: World) -> None:
    await submits(world)
    button, place = world.button("sam", "Approve")
    await world.types("sam", "/offboard-status Jane")
    await world.types("sam", "/offboard-status Jane")

    def dead(session: Session) -> list[str]:
        return [row.id for row in session.exec(select(CardRow)) if row.dead]

    loops = Loops(world.house)
    assert await world.house.store.read(dead)
    await loops.forget()
    assert await world.house.store.read(dead)
    world.clock.time += timedelta(days=8)
    await loops.forget()
    assert not await world.house.store.read(dead)
    assert await world.house.store.read(lambda session: session.exec(select(Due)).all())
    await world.presses("sam", button, place)
    assert [str(plan.state) for plan in await world.plans()] == ["done"]
