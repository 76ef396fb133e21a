"""What a card looks like in Slack, and that no text and no length ever breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from bot.lab.slack_limits import Shown, buttons, characters, field_state, problems, read
from bot.lab.slack_limits import offered as slack_takes
from bot.slack.blocks import Block, blocks, fallback, line_blocks, offered
from handlers.conversation import Button, Card, Check, Fact, Field, FieldKind, Mark, Option, Section, strong, text
from tests.bot.cards import CARDS, HOSTILE, PERSON, QUESTION, REVIEW, WHEN

NASTY = st.text(
    alphabet=st.sampled_from(list("<>!@#&*_~`[]()|:/\\-=\n\r\t '\"aJ1.\u202e\u2066\x00✅é")), max_size=60
) | st.text(max_size=60)
LONG = st.sampled_from(["<!here> ", "x", "*a_", "é✅"]).flatmap(lambda piece: st.integers(1, 4_000).map(piece.__mul__))
WORDS: st.SearchStrategy[str] = NASTY | LONG


def shown(drawn: list[Block]) -> Shown:
    return Shown("T1", "D1", "1.1", "", tuple(drawn))


def objects(value: JsonValue) -> Iterator[Block]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_card_is_drawn_as_its_golden_file_shows(name: str, golden: Callable[[str, JsonValue], None]) -> None:
    drawn = blocks(CARDS[name])
    assert problems(drawn) == []
    golden(f"slack-{name}", [*drawn])


def test_a_card_reads_as_it_was_composed() -> None:
    assert read(shown(blocks(QUESTION))).splitlines() == [
        "When does Jane Doe's access end?",
        "Step 3 of 9",
        "About Jane Doe, Head of Sales, jane.doe@contoso.com.",
        "Now is recommended: it is contentious.",
        "On: []",
        "Time zone: []",
        "Anything to know: [She has the van.]",
        "[Now] [At that time] [When I say go] [Back]",
    ]


def test_markup_in_names_stays_text() -> None:
    drawn = blocks(HOSTILE)
    said = read(shown(drawn))
    assert "<!channel> <@U0MARA> [pay](http://evil.example) & :wave:" in said
    assert "<http://evil.example|Payroll> moc" in said, "the sign that turns the reading direction is gone"
    assert all(part.get("type") not in {"mrkdwn", "user", "link", "broadcast", "emoji"} for part in objects([*drawn]))
    assert all(part["emoji"] is False for part in objects([*drawn]) if part.get("type") == "plain_text")


def test_a_name_with_line_breaks_does_not_look_like_another_line() -> None:
    name = "Jane\n✅ Approved by Theo\u2028✅ Done"
    section = Section(facts=(Fact("Leaver", text(name)),), checklist=(Check(Mark.FAILED, text("Block "), text(name)),))
    drawn = blocks(Card("C", "n", sections=(section,)))
    assert read(shown(drawn)).splitlines() == [
        "C",
        "Leaver: Jane ✅ Approved by Theo✅ Done",
        "❌ Block  – Jane ✅ Approved by Theo✅ Done",
    ]


def test_the_lock_screen_line_mentions_nobody() -> None:
    assert fallback("R&D <!channel> <@U1>") == "R&amp;D &lt;!channel&gt; &lt;@U1&gt;"


def test_a_long_list_says_how_much_is_left_out_and_keeps_the_short_one_whole() -> None:
    checks = tuple(Check(Mark.PENDING, text(f"Leave the group number {number} of many")) for number in range(600))
    warning = Section(heading="Can't be undone", body=(text("The laptop is wiped."),))
    card = Card("Approve?", "n", sections=(Section(checklist=checks), replace(warning, buttons=(Button("Yes", "t"),))))
    drawn = blocks(card)
    said = read(shown(drawn))
    kept = said.count("Leave the group")
    assert 100 < kept < 600
    assert f"… {600 - kept} more lines" in said
    assert "The laptop is wiped." in said
    assert characters([*drawn]) <= 9_000
    assert problems(drawn) == []


def test_an_endless_name_is_cut_visibly() -> None:
    endless = "x" * 20_000
    card = Card(endless, "n", sections=(Section(body=(text(endless),), buttons=(Button(endless, "t"),)),))
    drawn = blocks(card)
    assert problems(drawn) == []
    assert read(shown(drawn)).count("…") == 3


def test_many_sections_fold_and_keep_every_button_named_by_its_heading() -> None:
    sections = tuple(
        Section(heading=f"Question {number}", body=(text("Yes"),), buttons=(Button("Change", f"t{number}"),))
        for number in range(40)
    )
    drawn = blocks(Card("Review", "n", sections=sections))
    assert problems(drawn) == []
    assert buttons(shown(drawn)) == [f"Question {number}: Change" for number in range(40)]
    values = [part["value"] for part in objects([*drawn]) if part.get("type") == "button"]
    assert values == [f"t{number}" for number in range(40)]


def test_folded_sections_say_where_lines_are_left_out() -> None:
    checks = tuple(Check(Mark.PENDING, text(f"Leave the group number {number} of many")) for number in range(300))
    rows = tuple(Section(heading=f"Part {number}", buttons=(Button("Change", f"t{number}"),)) for number in range(60))
    drawn = blocks(Card("Review", "n", sections=(Section(heading="All", checklist=checks), *rows)))
    lines = read(shown(drawn)).splitlines()
    [more] = [index for index, line in enumerate(lines) if "more line" in line]
    assert lines[more - 1].startswith("⬜ Leave the group")
    assert lines[more + 1] == "Part 0"


def test_a_usual_review_stays_comfortable_and_unfolded() -> None:
    drawn = blocks(REVIEW)
    assert len(drawn) <= 40
    assert buttons(shown(drawn)) == ["Change"] * 13


def test_buttons_are_numbered_over_the_whole_card() -> None:
    drawn = blocks(REVIEW)
    ids = [part["action_id"] for part in objects([*drawn]) if part.get("type") == "button"]
    assert ids == [f"press:{number}" for number in range(13)]


def test_a_card_that_cannot_be_shown_whole_is_refused_by_name() -> None:
    fields = tuple(Field(f"f{number}", "Name") for number in range(60))
    with pytest.raises(ValueError, match=r"card 'Too much' needs \d+ Slack blocks, 50 fit: split it"):
        blocks(Card("Too much", "n", sections=(Section(fields=fields),)))
    some = tuple(Option(str(number), "x" * 75) for number in range(300))
    with pytest.raises(ValueError, match="characters in fields and buttons"):
        blocks(Card("Too long", "n", sections=(Section(fields=(Field("who", "Who", options=some),)),)))
    with pytest.raises(ValueError, match="two fields of one id"):
        blocks(Card("Twice", "n", sections=(Section(fields=(Field("a", "A"), Field("a", "B"))),)))
    with pytest.raises(ValueError, match="option ids must be unique"):
        blocks(Card("C", "n", sections=(Section(fields=(Field("a", "A", options=(Option("", "x"),)),)),)))
    with pytest.raises(ValueError, match="its token must be"):
        blocks(Card("C", "n", sections=(Section(buttons=(Button("Go", ""),)),)))


def test_a_long_list_to_pick_from_comes_in_groups_and_leaves_room_for_the_question() -> None:
    some = tuple(Option(f"id-{number}", f"Jane Doe {number}") for number in range(250))
    section = Section(body=(text("Who is it? " * 40),), fields=(Field("who", "Who", options=some, value="id-249"),))
    drawn = blocks(Card("Who?", "n", sections=(section,)))
    assert problems(drawn) == []
    assert "Who is it?" in read(shown(drawn))
    assert sum(part.get("value") == "id-249" for part in objects([*drawn])) == 2, "as an option and as the choice"


def test_a_redrawn_question_keeps_its_field_and_another_question_does_not_inherit_it() -> None:
    def field_id(card: Card) -> object:
        return next(block["block_id"] for block in blocks(card) if block["type"] == "input")

    news = Section(body=(text("Theo has been asked."),))
    assert field_id(replace(QUESTION, sections=(*QUESTION.sections, news))) == field_id(QUESTION)
    assert field_id(replace(QUESTION, progress=(4, 9))) != field_id(QUESTION)


def test_an_empty_card_and_empty_parts_are_still_taken() -> None:
    empty = Section(heading="", body=(text(),), facts=(Fact("", text()),), fields=(Field("f", ""),))
    drawn = blocks(Card("", "", sections=(empty, Section(), Section(buttons=(Button("", "t"),)))))
    assert problems(drawn) == []


def test_what_a_vendor_cut_in_the_middle_of_an_emoji_reaches_slack_without_its_half() -> None:
    card = Card("Jane \ud83d", "n", sections=(Section(heading="Sales \ud83d", body=(text("Head \ud83d of it"),)),))
    assert "\\ud83d" not in json.dumps(blocks(card))


def test_a_line_is_literal() -> None:
    assert read(shown(line_blocks("Case 7 – <!here> *now*"))) == "Case 7 – <!here> *now*"
    assert problems(line_blocks("x" * 9_000)) == []


def test_a_date_and_a_time_are_picked_and_come_back_as_they_are_written() -> None:
    drawn = blocks(WHEN)
    elements = [part["element"] for part in objects([*drawn]) if part.get("type") == "input"]
    day, hour = (element for element in elements if isinstance(element, dict))
    assert (day["type"], day["initial_date"], hour["type"]) == ("datepicker", "2026-11-30", "timepicker")
    assert "initial_time" not in hour
    # A picker is no text field: Slack hands over what was picked under another name.
    assert field_state(hour, "17:00") == {"type": "timepicker", "selected_time": "17:00"}
    assert field_state(day, "") == {"type": "datepicker", "selected_date": None}
    assert problems([{"type": "input", "label": {"type": "plain_text", "text": "On"}, "element": {
        "type": "datepicker", "action_id": "day", "initial_date": "30.11.2026"}}])  # fmt: skip


def test_people_are_looked_up_by_a_token_of_the_drawing_and_can_be_named_in_words() -> None:
    def fields(card: Card) -> list[dict[str, JsonValue]]:
        return [block for block in blocks(card) if block["type"] == "input"]

    pick, words = fields(PERSON)
    assert (pick["block_id"], problems(blocks(PERSON))) == ("suggest:token-look", [])
    assert pick["element"] == {
        "type": "external_select",
        "action_id": "picked",
        "min_query_length": 2,
        "placeholder": {"type": "plain_text", "text": "Two letters of a name or more", "emoji": False},
    }
    [section] = PERSON.sections
    anew = replace(section, fields=(replace(section.fields[0], suggest="token-anew"), section.fields[1]))
    again, same = fields(replace(PERSON, sections=(anew,)))
    assert again["block_id"] != pick["block_id"], "whom one picked before is not picked for the next search"
    assert same["block_id"] == words["block_id"], "what was typed stays"


def test_whom_letters_found_is_shown_within_slacks_limits_and_whoever_can_not_be_is_left_out() -> None:
    found = tuple(Option(f"{number}@contoso.com", f"Jane *Doe* {'x' * 100}") for number in range(120))
    answer: dict[str, JsonValue] = {"options": [*offered((Option("x" * 151, "Too long"), Option("", "None"), *found))]}
    assert slack_takes(answer) == answer["options"]
    assert len(slack_takes(answer)) == 100
    assert slack_takes({"options": [{"text": {"type": "mrkdwn", "text": "J"}, "value": "1"}]}) == []


@pytest.mark.parametrize(("kind", "value"), [(FieldKind.DATE, "30.11.2026"), (FieldKind.DATE, "2026-2-3"),
    (FieldKind.DATE, "2026-02-30"), (FieldKind.TIME, "5 pm"), (FieldKind.TIME, "24:00")])  # fmt: skip
def test_a_field_of_dates_holds_nothing_that_is_no_date(kind: FieldKind, value: str) -> None:
    with pytest.raises(ValueError, match=r"field 'day' is a (date|time) and can't hold"):
        Field("day", "On", value=value, kind=kind)


@st.composite
def any_card(draw: st.DrawFn) -> Card:
    numbers = iter(range(10_000))

    def section() -> Section:
        options = tuple(Option(f"o{next(numbers)}", draw(WORDS)) for _ in range(draw(st.integers(0, 3))))
        return Section(
            heading=draw(WORDS),
            body=tuple(text(draw(WORDS), strong(draw(WORDS))) for _ in range(draw(st.integers(0, 6)))),
            facts=tuple(Fact(draw(NASTY), text(draw(WORDS))) for _ in range(draw(st.integers(0, 3)))),
            checklist=tuple(
                Check(draw(st.sampled_from(list(Mark))), text(draw(WORDS)), text(draw(NASTY)))
                for _ in range(draw(st.integers(0, 4)))
            ),
            fields=tuple(
                Field(f"f{next(numbers)}", draw(WORDS), draw(WORDS), value=draw(NASTY), options=options)
                for _ in range(draw(st.integers(0, 1)))
            ),
            buttons=tuple(Button(draw(WORDS), f"t{next(numbers)}") for _ in range(draw(st.integers(0, 3)))),
        )

    return Card(draw(WORDS), draw(WORDS), (1, 2), tuple(section() for _ in range(draw(st.integers(0, 6)))))


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(any_card())
def test_whatever_stands_in_a_directory_slack_takes_the_card_and_shows_it_literally(card: Card) -> None:
    drawn = blocks(card)
    assert problems(drawn) == []
    assert len(drawn) <= 50
    assert characters([*drawn]) <= 10_500
    kinds = {str(part.get("type")) for part in objects([*drawn])}
    assert kinds <= {
        "header", "context", "divider", "rich_text", "rich_text_section", "text", "plain_text",
        "input", "plain_text_input", "static_select", "actions", "button", "None",
    }  # fmt: skip
    tokens = [part["value"] for part in objects([*drawn]) if part.get("type") == "button"]
    assert tokens == [button.token for button in card.buttons]
    assert not {"\u202e", "\u2066", "\x00"} & set(json.dumps(drawn, ensure_ascii=False))
