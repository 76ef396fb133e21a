"""The demo page draws every card the bot can send to Teams, whole, and what it does not know is shown as such."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from nicegui import Client, ui
from nicegui.element import Element
from nicegui.page import page
from pydantic import JsonValue

from bot.lab import page_cards
from bot.lab.page_blocks import ICONS
from bot.lab.teams_cards import Json, Shown, actions, fields

GOLDEN = sorted((Path(__file__).parent / "golden").glob("teams-*.json"))


class Drawn:
    """A card in a page nobody has open."""

    def __init__(self, card: Json, typed: dict[str, str] | None = None) -> None:
        self.pressed: list[tuple[Json, dict[str, str]]] = []
        self.typed = {} if typed is None else typed

        async def press(button: Json, values: dict[str, str]) -> None:
            self.pressed.append((button, values))

        async def look_up(name: str, letters: str) -> dict[str, str]:
            raise AssertionError("nobody types in a page nobody has open")

        self._client = Client(page("/"), request=None)
        with self._client:
            page_cards.draw(card, self.typed, press, look_up)

    @property
    def elements(self) -> list[Element]:
        return list(self._client.elements.values())

    @property
    def text(self) -> str:
        return "".join(one.text for one in self.elements if isinstance(one, ui.label))

    def named(self, label: str) -> Element:
        return next(one for one in self.elements if one.props.get("aria-label") == label)


def runs(value: JsonValue) -> Iterator[str]:
    """Every run of text on the card, without the marks the page draws as pictures."""
    if isinstance(value, dict):
        if value.get("type") == "TextRun":
            text = str(value["text"])
            for mark in ICONS:
                text = text.replace(mark, "")
            yield text
        for inner in value.values():
            yield from runs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from runs(inner)


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_every_word_field_and_button_of_a_card_is_drawn_and_nothing_is_unknown(file: Path) -> None:
    card = json.loads(file.read_text())
    drawn = Drawn(card)
    for run in runs(card):
        assert run in drawn.text
    shown = Shown("a:1", "m:1", "", "", card)
    titles = [one.text for one in drawn.elements if isinstance(one, ui.button)]
    assert titles == [action["title"] for action in actions(shown)]
    for field in fields(card).values():
        assert str(field["label"]) in drawn.text
        assert drawn.named(str(field["label"]))
    assert "[an element" not in drawn.text
    assert "[a run" not in drawn.text
    assert "[a button" not in drawn.text


def test_what_the_page_does_not_know_is_shown_as_such() -> None:
    body: list[JsonValue] = [
        {"type": "Table", "rows": []},
        {"type": "RichTextBlock", "inlines": ["as it is", {"type": "IconRun", "name": "Flag"}]},
        {
            "type": "ActionSet",
            "actions": [{"type": "Action.OpenUrl", "title": "Elsewhere", "url": "https://a.example"}],
        },
    ]
    drawn = Drawn({"type": "AdaptiveCard", "body": body, "actions": [{"type": "Action.ShowCard", "title": "More"}]})
    for words in ("of type Table", "as it is", "of type IconRun", "Action.OpenUrl: Elsewhere"):
        assert words in drawn.text
    assert "Action.ShowCard: More" in drawn.text
    assert not [one for one in drawn.elements if isinstance(one, ui.button)]


def test_a_date_and_a_time_are_picked_with_the_browsers_own_pickers() -> None:
    card = json.loads((Path(__file__).parent / "golden" / "teams-when.json").read_text())
    drawn = Drawn(card)
    kinds = {str(field["type"]): drawn.named(str(field["label"])) for field in fields(card).values()}
    assert kinds["Input.Date"].props["type"] == "date"
    assert kinds["Input.Time"].props["type"] == "time"


def test_a_field_that_finds_people_takes_letters_and_shows_whom_one_picked_before() -> None:
    card = json.loads((Path(__file__).parent / "golden" / "teams-person.json").read_text())
    picked = Drawn(card, {"picked": "zoe@contoso.com"}).named("Pick them while you type")
    assert isinstance(picked, ui.select)
    assert picked.value == "zoe@contoso.com"
    assert picked.props["use-input"]


def test_what_was_typed_stays_over_a_redraw_and_goes_with_its_field() -> None:
    field: Json = {"type": "Input.Text", "id": "reason", "label": "Reason", "value": "at first"}
    card: Json = {"type": "AdaptiveCard", "body": [field]}
    first = Drawn(card).named("Reason")
    assert isinstance(first, ui.input)
    assert first.value == "at first"
    typed = {"reason": "too early", "another": "of the card before"}
    again = Drawn(card, typed).named("Reason")
    assert isinstance(again, ui.input)
    assert again.value == "too early"
    assert typed == {"reason": "too early"}
    again.set_value("too late")
    assert typed == {"reason": "too late"}
