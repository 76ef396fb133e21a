"""Somebody blocks the bot and lets it in again: they see what they missed, once, and technicians knew meanwhile."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.event import listen
from sqlmodel import Session, col, select

from bot.lab.sample_clients import MARIA, SAM
from bot.lab.teams_cards import read
from handlers import deliver
from handlers.back import back, recall, unreachable
from handlers.cases import cards
from handlers.cases.tables import CardRow, Case, Named
from handlers.conversation import Actor, Card, ChatError, Message, Place
from handlers.loops import Loops
from tests.journeys import answers, enters_for_a_caller, locks_out, submits
from tests.journeys.test_over_teams import INTERVIEW
from tests.teams_city import TENANTS, TeamsCity, aad
from tests.toy import ToyWorld
from tests.world import MemoryChat, Shown, World, roster, words

ON = "teams"

NOT_REACHED = "Maria Lopez can't be written to in Teams"
ENDED = "Jane Doe is locked out since"
NEWER = "There is a newer message about this case below."


class Door(MemoryChat):
    """Keeps the bot out of the private chats of whoever has blocked it."""

    def __init__(self, before: MemoryChat) -> None:
        super().__init__()
        self.shown = before.shown
        self.blocked: set[str] = set()
        self.busy: set[str] = set()
        self.deleted: set[str] = set()
        self.closed: set[str] = set()
        """Messages of a chat of before."""

    async def post(self, place: Place, card: Card) -> Message:
        self._knock(place, "send")
        message = Message(place, f"m{len(self.shown)}")
        self.shown.append(Shown(place, message.id, [card]))
        return message

    async def update(self, message: Message, card: Card) -> None:
        self._knock(message.place, "update")
        if message.id in self.closed:
            raise ChatError(message.place.platform, "update", "HTTP 403 MessageWritesBlocked", None, hopeless=True)
        if message.id in self.deleted:
            raise ChatError(message.place.platform, "update", "HTTP 404", None)
        await super().update(message, card)

    def _knock(self, place: Place, call: str) -> None:
        if place.channel.removeprefix("D-") in self.blocked:
            raise ChatError(place.platform, call, "HTTP 403 MessageWritesBlocked", None, hopeless=True)
        if place.channel.removeprefix("D-") in self.busy:
            raise ChatError(place.platform, call, "HTTP 502", 3.0)


@pytest.fixture
def door(world: World) -> Door:
    door = Door(world.chat)
    world.chat = door
    world.house.chats = dict.fromkeys(world.house.chats, door)
    return door


async def returns(world: World, door: Door, person: str = "maria", *, added: bool = False) -> list[Shown]:
    """They let the bot in again; what is new in their chat then."""
    door.blocked.discard(person)
    before = len(door.shown)
    await back(world.house, world.actor(person), added=added)
    await world.settle()
    return [one for one in door.shown[before:] if one.place.channel == f"D-{person}"]


async def misses_the_lock_out(world: World, door: Door) -> None:
    await submits(world)
    door.blocked.add("maria")
    await world.clicks("sam", "Approve")
    assert ENDED not in world.reads("maria")


async def dead(world: World) -> list[CardRow]:
    query = select(CardRow).where(CardRow.dead != "").order_by(col(CardRow.id))
    return await world.house.store.read(lambda session: list(session.exec(query)))


# --- the person --------------------------------------------------------------------------------------


async def test_whoever_lets_the_bot_in_again_sees_how_far_it_is_and_nothing_twice(world: World, door: Door) -> None:
    await misses_the_lock_out(world, door)
    before = world.card("maria", "Jane Doe")
    shown = await returns(world, door)
    titles = [one.card.title for one in shown]
    assert len(titles) == len(set(titles))
    assert sum("Case 1" in title and ENDED in words(one.card) for title, one in zip(titles, shown, strict=True)) >= 1
    assert NEWER in words(before.card)
    assert await returns(world, door) == []


async def test_the_card_is_drawn_as_things_are_when_they_are_back(world: World, door: Door) -> None:
    await submits(world)
    door.blocked.add("maria")
    await world.clicks("sam", "Reject", values={"reason": "Ask HR first."})
    [card] = await returns(world, door)
    assert "Ask HR first." in words(card.card)
    assert not any("Submit" in button.label for button in card.card.buttons)


async def test_news_are_not_repeated(world: World, door: Door) -> None:
    await misses_the_lock_out(world, door)
    news = [row for row in await dead(world) if row.kind == cards.NEWS and row.viewer == "maria"]
    assert news, "there were some"
    await returns(world, door)
    again = [row for row in await dead(world) if row.kind == cards.NEWS and row.viewer == "maria"]
    assert [(row.id, row.dead) for row in again] == [(row.id, row.dead) for row in news]


async def test_what_ended_for_another_reason_stays_so(world: World, door: Door) -> None:
    await submits(world)

    def end(session: Session) -> None:
        for row in session.exec(select(CardRow).where(CardRow.viewer == "maria")):
            row.dead = "nothing to show"
            session.add(row)

    await world.house.store.write(end)
    assert await returns(world, door) == []


async def test_a_message_that_only_said_there_is_a_newer_one_does_not_come_again(world: World, door: Door) -> None:
    await submits(world)
    door.blocked.add("maria")
    case = (await world.cases())[0]
    me = str(world.actor("maria"))
    # She has it anew, and both can't be shown to her.
    await world.house.store.write(
        lambda session: cards.show_person(session, world.house, case.id, cards.INTERVIEW, "maria", me)
    )
    await world.settle()
    assert [row.topic for row in await dead(world) if row.kind == cards.INTERVIEW] == [cards.REPLACED, ""]
    shown = await returns(world, door)
    assert len(shown) == 1


async def test_where_the_message_of_old_is_gone_nothing_is_posted_in_its_place(world: World, door: Door) -> None:
    await submits(world)
    door.deleted = {one.id for one in door.shown if one.place.channel == "D-maria"}
    door.blocked.add("maria")
    await world.clicks("sam", "Reject", values={"reason": "Ask HR first."})
    [card] = await returns(world, door)
    assert "Ask HR first." in words(card.card)


async def test_a_status_asked_for_on_the_way_in_is_the_only_card(world: World, door: Door) -> None:
    await submits(world)
    door.blocked.add("maria")
    await world.clicks("sam", "Reject", values={"reason": "Ask HR first."})
    door.blocked.clear()
    before = len(door.shown)
    await back(world.house, world.actor("maria"))
    await world.types("maria", "/offboard-status Jane")
    assert len([one for one in door.shown[before:] if one.place.channel == "D-maria"]) == 1


async def test_a_button_of_old_does_nothing_and_the_new_card_has_them(world: World, door: Door, toys: ToyWorld) -> None:
    await world.types("maria", "/offboard Jane Doe")
    token, place = world.button("maria", "Jane Doe")
    door.blocked.add("maria")
    case = (await world.cases())[0]
    await world.house.store.write(lambda session: cards.redraw(session, world.house, case))
    await world.settle()
    assert len(await returns(world, door)) == 1
    await world.presses("maria", token, place)
    assert not (await world.cases())[0].leaver
    await world.clicks("maria", "Jane Doe")
    assert (await world.cases())[0].leaver


async def test_nobody_sees_again_what_is_not_theirs_any_more(world: World, door: Door) -> None:
    await misses_the_lock_out(world, door)
    old = world.card("maria", "Jane Doe")
    people = [one.model_copy(update={"manages": ()}) if one.id == "maria" else one for one in roster().people]
    world.house.roster = roster().model_copy(update={"people": tuple(people)})
    await world.house.store.write(lambda session: _asked_by(session, "noor"))
    assert await returns(world, door) == []
    assert words(old.card) == "Offboarding\nThere is nothing here for you any more."


def _asked_by(session: Session, person: str) -> None:
    for case in session.exec(select(Case)):
        case.requester = case.started_by = person
        session.add(case)


async def test_nobody_elses_return_shows_anything(world: World, door: Door) -> None:
    await misses_the_lock_out(world, door)
    waiting = [(row.id, row.dead) for row in await dead(world)]
    door.blocked.clear()
    before = len(door.shown)
    maria = world.actor("maria")
    for other in (
        world.actor("noor"),
        Actor("slack", maria.workspace, maria.user),
        Actor(maria.platform, "T-FABRIKAM", maria.user),
        Actor(maria.platform, maria.workspace, f"{maria.user}%"),
    ):
        await back(world.house, other)
    await world.settle()
    assert len(door.shown) == before
    assert [(row.id, row.dead) for row in await dead(world)] == waiting


async def test_somebody_struck_off_the_list_is_not_even_looked_for(world: World, door: Door) -> None:
    await misses_the_lock_out(world, door)
    maria, waiting = world.actor("maria"), [(row.id, row.dead) for row in await dead(world)]
    people = tuple(one for one in roster().people if one.id != "maria")
    world.house.roster = roster().model_copy(update={"people": people})
    door.blocked.clear()
    await back(world.house, maria)
    assert [(row.id, row.dead) for row in await dead(world)] == waiting


async def test_who_looked_elsewhere_meanwhile_keeps_the_card_there(world: World, door: Door) -> None:
    await submits(world)
    door.blocked.add("maria")
    await world.clicks("sam", "Reject", values={"reason": "Ask HR first."})
    case = (await world.cases())[0]
    elsewhere = str(Actor("teams", "T-CONTOSO", "marias-other"))
    people = [
        one.model_copy(update={"identities": (*one.identities, elsewhere)}) if one.id == "maria" else one
        for one in roster().people
    ]
    world.house.roster = roster().model_copy(update={"people": tuple(people)})
    await world.house.store.write(
        lambda session: cards.show_person(session, world.house, case.id, cards.INTERVIEW, "maria", elsewhere)
    )
    await world.settle()
    assert await returns(world, door) == []
    [other] = [one for one in door.shown if one.place.channel == "D-marias-other"]
    assert "Ask HR first." in words(other.card)


async def test_what_is_only_tried_ever_more_slowly_comes_at_once(world: World, door: Door) -> None:
    await submits(world)
    door.busy.add("maria")
    await world.clicks("sam", "Reject", values={"reason": "Ask HR first."}, settle=False)
    for _ in range(60):
        await deliver.send_waiting(world.house)
        world.clock.time += timedelta(seconds=10)
    door.busy.clear()
    await deliver.send_waiting(world.house)
    assert "Ask HR first." not in world.reads("maria")
    world.house.cards.clear()
    await returns(world, door, added=True)
    assert world.house.cards.is_set(), "the sender is woken"
    assert "Ask HR first." in world.reads("maria")


async def test_what_was_missed_is_kept_for_a_week_from_then_on(world: World, door: Door) -> None:
    await submits(world)
    world.clock.time += timedelta(days=6)
    door.blocked.add("maria")
    await world.clicks("sam", "Reject", values={"reason": "Ask HR first."})
    world.clock.time += timedelta(days=6)
    await Loops(world.house).forget()
    assert len(await returns(world, door)) == 1


async def test_a_message_that_is_taken_again_tells_that_they_are_back(world: World, door: Door) -> None:
    await misses_the_lock_out(world, door)
    door.blocked.clear()
    case = (await world.cases())[0]
    me = str(world.actor("maria"))
    await world.house.store.write(
        lambda session: cards.show_person(session, world.house, case.id, cards.NEWS, "maria", me, "half-way")
    )
    await world.settle()
    assert ENDED in world.reads("maria"), "nobody has told us, and she has not written"
    assert NOT_REACHED not in words(world.card("sam", "Case 1: offboard").card)


async def test_an_old_message_that_can_not_be_edited_makes_nobody_away_again(world: World, door: Door) -> None:
    await misses_the_lock_out(world, door)
    door.closed = {one.id for one in door.shown if one.place.channel == "D-maria"}
    shown = await returns(world, door)
    assert any(ENDED in words(one.card) for one in shown)
    assert NOT_REACHED not in words(world.card("sam", "Case 1: offboard").card)
    assert world.house.away == set()


async def test_after_a_start_it_is_known_who_was_away(world: World, door: Door) -> None:
    await misses_the_lock_out(world, door)
    world.house.away.clear()
    assert await returns(world, door) == [], "as long as it is not known"
    await recall(world.house)
    assert world.house.away == {str(world.actor("maria"))}
    assert any(ENDED in words(one.card) for one in await returns(world, door))


# --- the technicians ---------------------------------------------------------------------------------


async def test_technicians_see_that_whoever_asked_must_be_rung_until_they_are_back(world: World, door: Door) -> None:
    await submits(world)
    assert NOT_REACHED not in world.reads("sam")
    door.blocked.add("maria")
    await world.clicks("sam", "Approve")
    assert f"{NOT_REACHED} (the bot is blocked or removed there, or the account is gone): ring them." in world.reads(
        "sam"
    )
    await returns(world, door)
    assert NOT_REACHED not in words(world.card("sam", "Case 1: offboard").card)


async def test_a_contact_who_can_not_be_asked_is_named_as_well(world: World, door: Door) -> None:
    door.blocked.add("maria")
    await enters_for_a_caller(world)
    await world.clicks("sam", "Ask Maria Lopez in chat")
    await answers(world, "sam")
    assert (await world.cases())[0].requester == "maria"
    assert NOT_REACHED in words(world.card("sam", "Case 1: offboard").card)
    [asked] = await returns(world, door)
    assert any(button.label == "Yes, I asked" for button in asked.card.buttons)
    assert NOT_REACHED not in words(world.card("sam", "Case 1: offboard").card)


async def test_a_colleague_who_is_only_named_is_nobodys_call(world: World, door: Door) -> None:
    await locks_out(world)
    door.blocked.add("noor")
    case, noor = (await world.cases())[0], str(world.actor("noor"))

    def name(session: Session) -> None:
        session.add(Named(case_id=case.id, person="noor"))
        cards.show_person(session, world.house, case.id, cards.STATUS, "noor", noor)

    await world.house.store.write(name)
    await world.settle()
    assert "MessageWritesBlocked" in "".join(row.dead for row in await dead(world))
    await world.house.store.write(lambda session: cards.redraw(session, world.house, case))
    await world.settle()
    assert "can't be written to" not in world.reads("sam")


async def test_what_they_saw_before_does_not_count(world: World, door: Door, toys: ToyWorld) -> None:
    toys.add("Rob Roe", "Driver")
    await world.types("maria", "/offboard Rob Roe")
    world.clock.time += timedelta(minutes=1)
    await misses_the_lock_out(world, door)
    assert NOT_REACHED in world.reads("sam")


async def test_who_has_been_shown_something_since_is_not_rung(world: World, door: Door) -> None:
    await misses_the_lock_out(world, door)
    assert NOT_REACHED in world.reads("sam")
    # On some platforms nobody tells: she asks, and is answered.
    door.blocked.clear()
    world.clock.time += timedelta(minutes=1)
    await world.types("maria", "/offboard-status Jane")
    case = (await world.cases())[0]
    await world.house.store.write(lambda session: cards.redraw(session, world.house, case))
    await world.settle()
    assert NOT_REACHED not in world.reads("sam")


async def test_while_nobody_is_away_their_card_asks_nothing_more(world: World) -> None:
    await submits(world)
    asked: list[str] = []
    listen(world.house.store.engine, "before_cursor_execute", lambda *told: asked.append(str(told[2])))

    def look(session: Session) -> list[str]:
        case = session.exec(select(Case)).one()
        asked.clear()
        return list(unreachable(session, world.house, case))

    assert await world.house.store.read(look) == []
    assert asked == []


# --- nothing left out --------------------------------------------------------------------------------


async def test_maria_blocks_the_bot_in_teams_and_reads_that_access_has_ended_when_she_is_back(tmp_path: Path) -> None:
    city = TeamsCity(tmp_path)
    await city.start()
    try:
        await _away_and_back(city)
    finally:
        await city.stop()


async def _away_and_back(city: TeamsCity) -> None:
    marias, her = city.chat(MARIA), (TENANTS[MARIA.team], aad(MARIA.user))
    await city.writes(MARIA, "offboard Jane Doe")
    for label in INTERVIEW:
        await city.presses(MARIA, marias, label)
    await city.sees(city.channel, "Approve")
    await _restarted(city)
    before = len(marias())

    city.teams.blocks(*her)
    await city.presses(SAM, city.channel, "Approve")
    await city.sees(city.channel, "Jane Doe is locked out since", "can't be written to in Teams")
    assert ENDED not in json.dumps([read(one) for one in marias()])

    await _restarted(city)
    city.teams.unblocks(*her)
    await city.writes(MARIA, "hello?")
    await city.sees(marias, ENDED, "shows this again")
    await city.sees(marias, ENDED, "Report on case 1")
    await city.sees(lambda: marias()[:before], NEWER)
    await city.teams.until(lambda: not any("can't be written to" in read(one) for one in city.channel()), 15)

    # Told by Teams as well, and a word more: it was shown already.
    count = len(marias())
    await city.teams.installs(*her)
    await city.teams.installs(*her, "add-upgrade")
    await city.writes(MARIA, "thanks")
    await city.teams.until(lambda: len(marias()) > count, 15)
    await asyncio.sleep(1)
    for title in ("Case 1: Jane Doe", "Report on case 1"):
        assert len([one for one in marias() if read(one).startswith(title) and ENDED in read(one)]) == 1


async def _restarted(city: TeamsCity) -> None:
    await city.bot.stop()
    await city.bot.start()
    await city.bot.until_up()
