"""What a card looks like in Teams, and that no text and no length ever breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import JsonValue

from bot.teams.cards import AdaptiveCard, adaptive_card
from handlers.conversation import Button, Card, Check, Fact, Field, Mark, Option, Section, text
from tests.bot.cards import CARDS, HOSTILE, REVIEW
from tests.bot.test_blocks import any_card

LITERAL = {"AdaptiveCard", "Container", "RichTextBlock", "TextRun", "ActionSet", "Action.Execute"}
INPUTS = {"Input.Text", "Input.ChoiceSet"}


def parts(value: JsonValue, kind: str = "") -> Iterator[AdaptiveCard]:
    if isinstance(value, dict):
        if not kind or value.get("type") == kind:
            yield value
        for inner in value.values():
            yield from parts(inner, kind)
    elif isinstance(value, list):
        for inner in value:
            yield from parts(inner, kind)


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
def test_a_card_keeps_to_the_published_schema(name: str, specs: Path) -> None:
    schema = json.loads((specs / "adaptive-card-1.6.0.json").read_text(encoding="utf-8"))
    drawn = adaptive_card(CARDS[name])
    # Teams' own property, which the schema does not know.
    drawn.pop("msteams")
    jsonschema.Draft6Validator(schema).validate(drawn)


def test_the_schema_would_notice_a_mistake(specs: Path) -> None:
    schema = json.loads((specs / "adaptive-card-1.6.0.json").read_text(encoding="utf-8"))
    drawn = adaptive_card(CARDS["question"])
    drawn.pop("msteams")
    next(parts(drawn, "Input.ChoiceSet"))["choices"] = "none"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft6Validator(schema).validate(drawn)


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
    row = tuple(Button(f"Choice {number}", f"t{number}") for number in range(14))
    drawn = adaptive_card(Card("C", "n", sections=(Section(buttons=row),)))
    rows = [part["actions"] for part in parts(drawn, "ActionSet")]
    assert [len(actions) for actions in rows if isinstance(actions, list)] == [6, 6, 2]
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
    assert tokens(drawn) == [button.token for button in card.buttons]
    assert not {"\u202e", "\u2066", "\x00"} & set(json.dumps(drawn, ensure_ascii=False))
