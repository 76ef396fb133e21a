"""Draws an Adaptive Card in the page, from the very JSON the bot sent: live fields and buttons, the look of Teams.

Shapes: adaptivecards.io/explorer (read 2026-11-26), as far as the bot uses them. What is not known is shown as such,
never left out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.element import Element

from bot.lab.page_blocks import run
from bot.lab.page_typing import LookUp, typing
from bot.lab.slack_limits import objects
from bot.lab.teams_cards import Json, fields

Press = Callable[[Json, dict[str, str]], Awaitable[None]]
"""What a button does: the button, and what was typed or picked (field id → value)."""

PICKERS = {"Input.Date": "date", "Input.Time": "time"}
"""Field → the browser's own picker; it hands over what Teams' does."""
PRESSED = {"Action.Execute", "Action.Submit"}


def draw(card: Json, typed: dict[str, str], press: Press, look_up: LookUp) -> None:
    """The card, into the current element of the page. `typed` keeps what stands in its fields."""
    for gone in typed.keys() - fields(card).keys():
        del typed[gone]
    for element in objects(card.get("body")):
        _element(element, typed, press, look_up)
    if objects(card.get("actions")):
        _actions(card, typed, press)


def _element(element: Json, typed: dict[str, str], press: Press, look_up: LookUp) -> None:
    line = " ac-line" if element.get("separator") is True else ""
    with ui.element("div").classes(f"ac-spaced-{str(element.get('spacing', 'Default')).lower()}{line}"):
        match element.get("type"):
            case "RichTextBlock":
                _rich_text(element)
            case "Container":
                for inner in objects(element.get("items")):
                    _element(inner, typed, press, look_up)
            case "ActionSet":
                _actions(element, typed, press)
            case "Input.Text" | "Input.Date" | "Input.Time" | "Input.ChoiceSet":
                _field(element, typed, look_up)
            case other:
                _unknown(f"an element of type {other}")


def _rich_text(block: Json) -> None:
    with ui.element("div").classes("ac-text"):
        inlines = block.get("inlines")
        for inline in inlines if isinstance(inlines, list) else []:
            if isinstance(inline, str):
                run(inline)
            elif isinstance(inline, dict) and inline.get("type") == "TextRun":
                styles = [f"ac-{str(inline.get(name, 'default')).lower()}" for name in ("size", "weight")]
                with ui.element("span").classes(" ".join((*styles, "ac-subtle" if inline.get("isSubtle") else ""))):
                    run(str(inline.get("text", "")))
            else:
                _unknown(f"a run of type {inline.get('type') if isinstance(inline, dict) else inline}")


def _field(element: Json, typed: dict[str, str], look_up: LookUp) -> None:
    name, label = str(element.get("id")), str(element.get("label", ""))
    value = typed.get(name, str(element.get("value", "")))

    def keep(given: object) -> None:
        typed[name] = str(given or "")

    with ui.element("div").classes("ac-field"):
        ui.label(label).classes("ac-label")
        if "choices.data" in element:
            field: Element = typing(name, str(element.get("placeholder", "")), value, keep, look_up)
        elif element.get("type") == "Input.ChoiceSet":
            options = {str(one["value"]): str(one.get("title")) for one in objects(element.get("choices"))}
            value = value if value in options else ""
            field = ui.select(options, value=value or None, on_change=lambda event: keep(event.value))
            field.props("options-dense")
            if not value:
                field.props["label"] = str(element.get("placeholder") or "Choose")
        elif element.get("isMultiline") is True:
            field = ui.textarea(value=value, on_change=lambda event: keep(event.value)).props("rows=2")
        else:
            field = ui.input(value=value, on_change=lambda event: keep(event.value))
            if str(element.get("type")) in PICKERS:
                field.props["type"] = PICKERS[str(element["type"])]
        if element.get("type") == "Input.Text":
            field.props["placeholder"] = str(element.get("placeholder", ""))
        field.props("outlined dense")
        field.props["aria-label"] = label


def _actions(holder: Json, typed: dict[str, str], press: Press) -> None:
    with ui.element("div").classes("ac-actions"):
        for action in objects(holder.get("actions")):
            if action.get("type") in PRESSED:
                _button(action, typed, press)
            else:
                _unknown(f"a button of type {action.get('type')}: {action.get('title')}")


def _button(action: Json, typed: dict[str, str], press: Press) -> None:
    async def pressed() -> None:
        drawn.props("loading")
        try:
            await press(action, {**typed})
        finally:
            # The answer may have redrawn the card and this button with it.
            if not drawn.is_deleted:
                drawn.props(remove="loading")

    drawn = ui.button(str(action.get("title")), on_click=pressed, color=None).props("no-caps unelevated dense")
    drawn.classes(f"ac-button ac-button-{action.get('style', 'default')}")


def _unknown(what: str) -> None:
    ui.label(f"[{what}]").classes("ac-unknown")
