"""Draws a Slack message's Block Kit in the page: live fields and buttons, the look of Slack, no JavaScript of our own.

Shapes: docs.slack.dev/reference/block-kit (read 2026-11-22). What is not known is shown as such, never left out.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.element import Element

from bot.lab.page_typing import LookUp, typing
from bot.lab.slack_limits import PICKERS, SELECTS, Json, Shown, field_state, objects

Press = Callable[[Json, Json, dict[str, str]], Awaitable[None]]
"""What a button does: its block, the button, and what stands in the fields (action id → value)."""
Typed = dict[tuple[str, str], str]
"""(message ts, block id) → what was typed or picked: kept over redraws, as Slack does."""

ICONS = {
    "⬜": ("check_box_outline_blank", "pending"),
    "⏳": ("autorenew", "running"),
    "✅": ("check_circle", "done"),
    "❌": ("cancel", "failed"),
    "⏭️": ("skip_next", "skipped"),
    "👤": ("person", "person"),
}
"""Slack draws emoji as pictures of its own; so does the page, on machines without an emoji font, too."""
HELD = ("value", "selected_date", "selected_time")
_MARKS = re.compile("(" + "|".join(ICONS) + ")")


def draw(message: Shown, typed: Typed, press: Press, look_up: LookUp) -> None:
    """The message, into the current element of the page."""
    if not message.blocks:
        _lines(message.text)
        return
    for block in message.blocks:
        _block(message, block, typed, press, look_up)


def _block(message: Shown, block: Json, typed: Typed, press: Press, look_up: LookUp) -> None:
    match block.get("type"):
        case "header":
            ui.label(_text(block)).classes("bk-header")
        case "divider":
            ui.element("hr").classes("bk-divider")
        case "context":
            with ui.element("div").classes("bk-context"):
                for element in objects(block.get("elements")):
                    ui.label(str(element.get("text", "")))
        case "rich_text":
            _rich_text(block)
        case "section":
            _section(block)
        case "input":
            _field(message, block, typed, look_up)
        case "actions":
            with ui.element("div").classes("bk-actions"):
                for button in objects(block.get("elements")):
                    _button(message, block, button, typed, press)
        case other:
            ui.label(f"[a block of type {other}]").classes("bk-context")


def _rich_text(block: Json) -> None:
    with ui.element("div").classes("bk-text"):
        for part in objects(block.get("elements")):
            with ui.element("div"):
                for element in objects(part.get("elements")):
                    style = element.get("style")
                    names = [name for name, on in style.items() if on] if isinstance(style, dict) else []
                    run(str(element.get("text", "")), *names)


def _section(block: Json) -> None:
    with ui.element("div").classes("bk-text"):
        if _text(block):
            run(_text(block))
        fields = objects(block.get("fields"))
        if fields:
            with ui.element("div").classes("bk-fields"):
                for one in fields:
                    run(str(one.get("text", "")))


def run(text: str, *styles: str) -> None:
    """One run of text, its checklist marks drawn; each style is a class of the page's."""
    for piece in _MARKS.split(text):
        if piece in ICONS:
            name, meaning = ICONS[piece]
            ui.icon(name).classes(f"bk-mark bk-{meaning}").props(f'aria-label="{meaning}"')
        elif piece:
            ui.label(piece).classes(" ".join(("bk-run", *(f"bk-run-{style}" for style in styles))))


def _lines(text: str) -> None:
    """Plain text beside blocks arrives escaped, as Slack wants it."""
    for sign, entity in (("<", "&lt;"), (">", "&gt;"), ("&", "&amp;")):
        text = text.replace(entity, sign)
    with ui.element("div").classes("bk-text"):
        run(text)


def _field(message: Shown, block: Json, typed: Typed, look_up: LookUp) -> None:
    element = block.get("element")
    if not isinstance(element, dict):
        return
    key = (message.ts, str(block["block_id"]))
    label = _text(block, "label")
    hint = _text(element, "placeholder")

    def keep(value: object) -> None:
        typed[key] = str(value or "")

    with ui.element("div").classes("bk-field"):
        ui.label(label).classes("bk-label")
        if element.get("type") == "static_select":
            groups = objects(element.get("option_groups")) or [element]
            options = {
                str(option["value"]): _text(option) for group in groups for option in objects(group.get("options"))
            }
            chosen = typed.get(key) or _initial(element)
            field: Element = ui.select(options, value=chosen or None, on_change=lambda event: keep(event.value))
            field.props("options-dense")
            if not chosen:
                field.props["label"] = hint or "Select an item"
        elif element.get("type") == "external_select":
            field = typing(str(element["action_id"]), hint, typed.get(key, ""), keep, look_up)
        elif element.get("multiline"):
            field = ui.textarea(value=typed.get(key, _initial(element)), on_change=lambda event: keep(event.value))
            field.props("rows=2")
            field.props["placeholder"] = hint
        else:
            field = ui.input(value=typed.get(key, _initial(element)), on_change=lambda event: keep(event.value))
            field.props["placeholder"] = hint
            if str(element.get("type")) in PICKERS:
                # The browser's own picker; it hands over what Slack's does.
                field.props["type"] = PICKERS[str(element["type"])][0]
        field.props("outlined dense")
        field.props["aria-label"] = label


def _button(message: Shown, block: Json, button: Json, typed: Typed, press: Press) -> None:
    async def pressed() -> None:
        drawn.props("loading")
        try:
            await press(block, button, _values(message, typed))
        finally:
            # The answer may have redrawn the card and this button with it.
            if not drawn.is_deleted:
                drawn.props(remove="loading")

    style = str(button.get("style", "default"))
    drawn = ui.button(_text(button), on_click=pressed, color=None).props("no-caps unelevated dense")
    drawn.classes(f"bk-button bk-button-{style}")


def _values(message: Shown, typed: Typed) -> dict[str, str]:
    """Every field of the message that was touched: Slack sends them all with each click."""
    values = dict[str, str]()
    for block in message.blocks:
        element = block.get("element")
        key = (message.ts, str(block.get("block_id")))
        if isinstance(element, dict) and key in typed and (typed[key] or element.get("type") not in SELECTS):
            values[str(element["action_id"])] = typed[key]
    return values


def _initial(element: Json) -> str:
    """What the field holds before anybody touched it."""
    state = field_state(element, None)
    chosen = state.get("selected_option")
    shown = [chosen.get("value")] if isinstance(chosen, dict) else [state.get(name) for name in HELD]
    return next((value for value in shown if isinstance(value, str)), "")


def _text(element: Json, name: str = "text") -> str:
    text = element.get(name)
    return str(text.get("text", "")) if isinstance(text, dict) else ""
