"""What a card looks like in Teams, and that no text and no length ever breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import JsonValue

from bot.teams.cards import AdaptiveCard, adaptive_card
from handlers.conversation import Button, Card, Check, Fact, Field, Mark, Option, Section, Style, text
from tests.adaptive import INPUTS, LITERAL, parts, problems
from tests.bot.cards import CARDS, HOSTILE, REVIEW
from tests.bot.test_blocks import any_card


def read(drawn: AdaptiveCard) -> str:
    lines = [block["inlines"] for block in parts(drawn, "RichTextBlock")]
    return "\n".join("".join(str(run["text"]) for run in parts(line, "TextRun")) for line in lines)


def tokens(drawn: AdaptiveCard) -> list[JsonValue]:
    found = [button["data"] for button in parts(drawn, "Action.Execute")]
    return [data["token"] for data in found if isinstance(data, dict)]


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_card_is_drawn_as_its_golden_file_shows(name: str, golden: Callable[[str, JsonValue], None]) -> None:
    golden(f"teams-{name}", adaptive_card(CARDS[name]))


@pytest.mark.parametrize("name", sorted(CARDS))
def test_teams_takes_the_card(name: str, specs: Path) -> None:
    assert problems(adaptive_card(CARDS[name])) == []


def test_the_schema_would_notice_a_mistake(specs: Path) -> None:
    drawn = adaptive_card(CARDS["question"])
    parts(drawn, "Input.ChoiceSet")[0]["choices"] = "none"
    assert problems(drawn)
    drawn = adaptive_card(CARDS["when"])
    parts(drawn, "RichTextBlock")[0]["inlines"] = [{"type": "TextRun", "text": "Jane", "weight": "fat"}]
    assert problems(drawn)


def test_the_limits_would_notice_a_mistake() -> None:
    def of(change: Callable[[AdaptiveCard], object]) -> list[str]:
        drawn = adaptive_card(CARDS["question"])
        change(drawn)
        return problems(drawn)

    assert of(lambda drawn: None) == []
    assert "bytes" in of(lambda drawn: drawn.update(speak="x" * 25_000))[0]
    assert "markdown" in of(lambda drawn: parts(drawn, "RichTextBlock")[0].update(type="TextBlock", text="*a*"))[0]
    assert "markdown" in of(lambda drawn: parts(drawn, "Input.ChoiceSet")[0].update(style="expanded"))[0]
    assert "token" in of(lambda drawn: parts(drawn, "Input.Text")[0].update(id="token"))[0]
    assert "no label" in of(lambda drawn: parts(drawn, "Input.Text")[0].pop("label"))[0]
    asking: JsonValue = {"type": "Data.Query", "dataset": ""}
    asks: AdaptiveCard = {"style": "filtered", "choices.data": asking}
    assert "asks for nothing" in of(lambda drawn: parts(drawn, "Input.ChoiceSet")[0].update(asks))[0]
    assert "titled" in of(lambda drawn: parts(drawn, "Action.Execute")[0].update(title=""))[0]
    assert "older Teams" in of(lambda drawn: parts(drawn, "Action.Execute")[0].update(data={"token": "b"}))[0]
    assert "buttons" in of(lambda drawn: parts(drawn, "ActionSet")[0].update(actions=[]))[0]


def test_a_card_uses_nothing_newer_than_teams_knows() -> None:
    drawn = adaptive_card(CARDS["question"])
    assert drawn["version"] == "1.5"
    assert "choices.data" not in json.dumps(drawn)


def test_markup_in_names_stays_text() -> None:
    drawn = adaptive_card(HOSTILE)
    assert {str(part["type"]) for part in parts(drawn) if "type" in part} <= LITERAL | INPUTS
    assert "<!channel> <@U0MARA> [pay](http://evil.example) & :wave:" in read(drawn)
    assert "<http://evil.example|Payroll> moc" in read(drawn), "the sign that turns the reading direction is gone"
    # Only a drop-down shows its titles as they are.
    assert all(part["style"] == "compact" for part in parts(drawn, "Input.ChoiceSet"))


def test_a_name_with_line_breaks_does_not_look_like_another_line() -> None:
    name = "Jane\n✅ Approved by Theo\u2028✅ Done"
    section = Section(facts=(Fact("Leaver", text(name)),), checklist=(Check(Mark.FAILED, text("Block "), text(name)),))
    drawn = adaptive_card(Card("C", "n", sections=(section,)))
    assert read(drawn).splitlines() == [
        "C",
        "Leaver: Jane ✅ Approved by Theo✅ Done",
        "❌ Block  – Jane ✅ Approved by Theo✅ Done",
    ]


def test_a_press_brings_its_token_and_the_fields() -> None:
    drawn = adaptive_card(CARDS["question"])
    assert tokens(drawn) == ["token-now", "token-at", "token-go", "token-back"]
    assert {str(button["verb"]) for button in parts(drawn, "Action.Execute")} == {"press"}
    assert [part["id"] for part in parts(drawn) if part.get("type") in INPUTS] == ["date", "zone", "note"]


def test_an_app_too_old_for_a_press_sends_the_same_one_as_a_message() -> None:
    pressed = list(parts(adaptive_card(CARDS["approval"]), "Action.Execute"))
    older = [button["fallback"] for button in pressed]
    assert [one["type"] for one in older if isinstance(one, dict)] == ["Action.Submit", "Action.Submit"]
    for button, one in zip(pressed, older, strict=True):
        assert isinstance(one, dict)
        assert {key: one.get(key) for key in ("title", "data", "style")} == {
            key: button.get(key) for key in ("title", "data", "style")
        }


def test_what_is_recommended_stands_first_in_its_row() -> None:
    row = (Button("Retry", "t1"), Button("I did it by hand", "t2", Style.PRIMARY), Button("Skip", "t3", Style.DANGER))
    assert tokens(adaptive_card(Card("C", "n", sections=(Section(buttons=row),)))) == ["t2", "t1", "t3"]


def test_people_are_picked_while_one_types_and_named_in_words_where_that_is_not_known() -> None:
    drawn = adaptive_card(CARDS["person"])
    pick, words = (part for part in parts(drawn) if str(part.get("type")).startswith("Input."))
    assert (pick["type"], pick["style"], pick["choices"]) == ("Input.ChoiceSet", "filtered", [])
    assert pick["choices.data"] == {"type": "Data.Query", "dataset": "token-look"}
    assert words["type"] == "Input.Text"
    assert "token-look" not in repr(CARDS["person"]), "whoever has the token can ask by it"


def test_a_date_and_a_time_are_picked() -> None:
    day, hour = (part for part in parts(adaptive_card(CARDS["when"])) if str(part.get("type")).startswith("Input."))
    assert (day["type"], day["value"], day["label"]) == ("Input.Date", "2026-11-30", "On (Europe/London)")
    assert (hour["type"], "value" in hour) == ("Input.Time", False)


def test_a_field_cannot_replace_the_token_or_another_field() -> None:
    with pytest.raises(ValueError, match="can't be called 'token'"):
        adaptive_card(Card("C", "n", sections=(Section(fields=(Field("token", "T"),)),)))
    with pytest.raises(ValueError, match="two fields of one id"):
        adaptive_card(Card("C", "n", sections=(Section(fields=(Field("a", "A"), Field("a", "B"))),)))


def test_a_long_list_says_how_much_is_left_out_and_keeps_the_short_one_whole() -> None:
    checks = tuple(Check(Mark.PENDING, text(f"Leave the group number {number} of many")) for number in range(600))
    warning = Section(heading="Can't be undone", body=(text("The laptop is wiped."),), buttons=(Button("Yes", "t"),))
    drawn = adaptive_card(Card("Approve?", "n", sections=(Section(checklist=checks), warning)))
    kept = read(drawn).count("Leave the group")
    assert 50 < kept < 600
    assert f"… {600 - kept} more lines" in read(drawn)
    assert "The laptop is wiped." in read(drawn)
    assert len(json.dumps(drawn, ensure_ascii=False).encode()) <= 25_000


def test_a_card_of_fields_alone_that_is_too_large_is_refused_by_name() -> None:
    some = tuple(Option(str(number), "Jane Doe of Accounting") for number in range(900))
    with pytest.raises(ValueError, match=r"card 'Who' is [0-9]+ bytes by its fields"):
        adaptive_card(Card("Who", "n", sections=(Section(fields=(Field("who", "Who", options=some),)),)))


def test_at_most_six_buttons_stand_in_a_row_and_none_is_lost() -> None:
    row = tuple(Button(chr(65 + number), f"t{number}") for number in range(14))
    drawn = adaptive_card(Card("C", "n", sections=(Section(buttons=row),)))
    rows = [part["actions"] for part in parts(drawn, "ActionSet")]
    assert [len(actions) for actions in rows if isinstance(actions, list)] == [6, 6, 2]
    long = (Button("Approve all: lock out Jane Doe, and the rest", "t0"), Button("Reject", "t1"), Button("Back", "t2"))
    rows = [
        part["actions"] for part in parts(adaptive_card(Card("C", "n", sections=(Section(buttons=long),))), "ActionSet")
    ]
    assert [len(actions) for actions in rows if isinstance(actions, list)] == [1, 2]
    assert tokens(drawn) == [f"t{number}" for number in range(14)]
    assert len(tokens(adaptive_card(replace(REVIEW, progress=None)))) == 13


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(any_card())
def test_whatever_stands_in_a_directory_the_card_is_small_enough_and_literal(card: Card) -> None:
    drawn = adaptive_card(card)
    assert len(json.dumps(drawn, ensure_ascii=False).encode()) <= 25_000
    assert {str(part["type"]) for part in parts(drawn) if "type" in part} <= LITERAL | INPUTS
    assert sorted(map(str, tokens(drawn))) == sorted(button.token for button in card.buttons)
    assert not {"\u202e", "\u2066", "\x00"} & set(json.dumps(drawn, ensure_ascii=False))
