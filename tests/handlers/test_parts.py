"""What an approval covers can be read to its last word, on any platform, however much it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from bot.slack.blocks import blocks
from bot.teams.cards import adaptive_card
from handlers.cases.tables import ItemRow, StepRow
from handlers.conversation import Button, Card, Check, Fact, Field, Mark, Section, quiet, strong, text
from handlers.parts import room_beside, spread
from handlers.plan.digest import renew_digests
from handlers.plan.rows import case_plans
from tests.bot.test_blocks import WORDS
from tests.journeys import submits
from tests.toy import ToyWorld
from tests.world import World, words

DOORS = tuple(f"door {number} of the long corridor 第{number}扉" for number in range(400))
DECISION = Section(
    heading="Your decision",
    fields=(Field("reason", "Reason, if you reject"),),
    buttons=(Button("Approve: lock out Jane Doe", "t" * 22), Button("Reject", "u" * 22)),
)


def cards(*sections: Section) -> list[Card]:
    """The parts as cards, each with everything else that stands on them."""
    others = [DECISION, *(section for section in sections if not section.whole)]
    pieces = list(spread(sections, room_beside(others)))
    last = max(part for part, _ in pieces)
    turns = Section(body=(text(f"Part 1 of {last}."),), buttons=tuple(Button("Next part", "v" * 22) for _ in range(2)))
    return [
        Card("Case 1042", "n", None, (*(piece for part, piece in pieces if part in {0, here}), turns, DECISION))
        for here in range(1, last + 1)
    ]


def test_what_fits_is_one_part() -> None:
    checks = tuple(Check(Mark.PENDING, text(f"Step {number}"), text("The account.")) for number in range(40))
    assert len(cards(Section(heading="Lock-out", checklist=checks, whole=True))) == 1


def test_a_long_plan_comes_in_parts_that_both_platforms_show_to_the_last_line() -> None:
    checks = tuple(Check(Mark.PENDING, text(f"Leave group {number}"), text("團體 " * 20)) for number in range(300))
    about = Section(facts=(Fact("Leaver", text(strong("Jane Doe"))),), whole=True)
    parts = cards(about, Section(heading="The rest", checklist=checks, whole=True))
    assert 2 < len(parts) < 40
    for card in parts:
        drawn = json.dumps(adaptive_card(card), ensure_ascii=False), json.dumps(blocks(card), ensure_ascii=False)
        assert all("more line" not in one for one in drawn)
    everything = "\n".join(words(card) for card in parts)
    assert [everything.count(f"Leave group {number} –") for number in range(300)] == [1] * 300
    assert parts[1].sections[0].heading == "The rest (continued)"
    assert [[button.label for button in card.buttons][-2:] for card in parts] == [
        ["Approve: lock out Jane Doe", "Reject"] for _ in parts
    ]


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORDS, WORDS, st.integers(1, 30))
def test_no_word_is_lost_and_no_part_is_refused_whatever_stands_in_a_directory(
    name: str, details: str, times: int
) -> None:
    checks = (
        Check(Mark.PENDING, text("Step"), text(details)),
        *(Check(Mark.PENDING, text(name)) for _ in range(times)),
    )
    facts = (Fact("Leaver", text(strong(name), quiet(details))),)
    parts = cards(Section(heading=name, facts=facts, checklist=checks, body=(text(details),), whole=True))
    for card in parts:
        adaptive_card(card)
        blocks(card)
    shown = [section for card in parts for section in card.sections]
    assert "".join(str(one.detail) for section in shown for one in section.checklist if one.detail) == details
    assert "".join(str(fact.value) for section in shown for fact in section.facts) == name + details
    assert "".join(str(line) for section in shown for line in section.body if section.whole) == details


@pytest.mark.parametrize("draw", [adaptive_card, blocks])
def test_a_platform_refuses_what_must_be_read_whole_and_can_not(draw: Callable[[Card], object]) -> None:
    long = Section(checklist=(Check(Mark.PENDING, text("Leave groups"), text("a group, " * 400)),))
    many = Section(checklist=tuple(Check(Mark.PENDING, text(f"Leave the group {number}")) for number in range(800)))
    for section in (long, many):
        draw(Card("Approve?", "n", None, (section, DECISION)))
        with pytest.raises(ValueError, match="card 'Approve"):
            draw(Card("Approve?", "n", None, (replace(section, whole=True), DECISION)))


async def test_a_plan_too_long_for_one_message_is_read_part_by_part_and_decided_on_the_last(
    world: World, toys: ToyWorld
) -> None:
    toys.named("Jane Doe").doors = [*DOORS]
    await submits(world)
    card = world.card("sam", "offboard Jane Doe")
    read = words(card.card)
    assert "Part 1 of" in read
    assert "(Approve" not in read
    while "(Approve" not in words(card.card):
        await world.clicks("sam", "Next part")
        read += words(card.card)
    assert all(f"{door}" in "".join(read.split("\n")) for door in DOORS)
    await world.clicks("sam", "Previous part")
    assert "(Approve" not in words(card.card)
    await world.clicks("priya", "Next part")
    await world.clicks("sam", "Approve")
    assert toys.named("Jane Doe").doors == []


async def test_a_plan_that_has_changed_begins_at_its_first_part_again(world: World, toys: ToyWorld) -> None:
    toys.named("Jane Doe").doors = [*DOORS]
    await submits(world)
    card = world.card("sam", "offboard Jane Doe")
    while "(Approve" not in words(card.card):
        await world.clicks("sam", "Next part")
    token, place = world.button("sam", "Approve")

    def drift(session: Session) -> None:
        row = session.exec(select(ItemRow).where(ItemRow.title == DOORS[7])).one()
        row.title = "the vault"
        session.add(row)
        session.flush()
        assert renew_digests(session, case_plans(session, session.get_one(StepRow, row.step_id).case_id))

    await world.house.store.write(drift)
    await world.presses("sam", token, place)
    assert "Part 1 of" in words(card.card)
    assert toys.effects == []


async def test_only_who_may_see_the_case_turns_its_parts(world: World, toys: ToyWorld) -> None:
    toys.named("Jane Doe").doors = [*DOORS]
    await submits(world)
    token, place = world.button("sam", "Next part")
    assert (await world.presses("finn", token, place)).line
    assert "Part 1 of" in words(world.card("sam", "offboard Jane Doe").card)
