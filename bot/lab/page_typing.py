"""Draws a field that finds people while one types: the letters go to the bot as the platform sends them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import GenericEventArguments

LookUp = Callable[[str, str], Awaitable[dict[str, str]]]
"""Field and letters → what they find: what is picked → how it reads."""

A_PAUSE = 0.3
"""Seconds without a letter after which is asked."""


def typing(name: str, hint: str, value: str, keep: Callable[[object], None], look_up: LookUp) -> ui.select:
    """The field. `value` was picked before, and is kept over a redraw."""
    asked = 0
    labels = {value: value} if value else {}

    async def letters(event: GenericEventArguments) -> None:
        nonlocal asked
        asked = mine = asked + 1
        found = await look_up(name, str(event.args or ""))
        if mine != asked or drawn.is_deleted:
            return  # newer letters were typed meanwhile
        labels.update(found)
        picked = str(drawn.value or "")
        drawn.set_options({**found, **({picked: labels[picked]} if picked in labels else {})}, value=picked or None)
        if found:
            drawn.run_method("showPopup")

    drawn = ui.select(
        dict(labels), value=value or None, with_input=True, clearable=True, on_change=lambda event: keep(event.value)
    )
    drawn.on("input-value", letters, throttle=A_PAUSE, leading_events=False)
    drawn.props("options-dense hide-dropdown-icon")
    drawn.props["placeholder"] = hint
    return drawn
