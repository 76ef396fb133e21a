"""The left of the demo page: Slack or Teams, whichever the visitor has before them, and the switch between the two."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nicegui import ui

from bot.lab.demo_stage import Stage
from bot.lab.demo_teams import TeamsStage
from bot.lab.page_chat import Badge, Suggestions
from bot.lab.page_slack import SlackPane
from bot.lab.page_teams import TeamsPane
from bot.lab.sample_clients import IN_TEAMS, ON_STAGE, Character

SLACK, TEAMS = "Slack", "Teams"
WHO = {SLACK: "the provider, and Contoso", TEAMS: "Fabrikam; Maria has both"}
"""Who is where."""


class Sides:
    """One visitor's two windows. `refresh` redraws what changed in the one that is open."""

    def __init__(self, stage: Stage, teams: TeamsStage, suggestions: Suggestions) -> None:
        self._stage, self._teams = stage, teams
        self.open = SLACK
        with ui.element("div").classes("left"):
            with ui.element("div").classes("switch"):
                self._tabs = {side: Tab(side, self.show) for side in WHO}
            self._panes = {
                SLACK: SlackPane(stage, suggestions),
                TEAMS: TeamsPane(teams, lambda character: tuple(map(_without_slash, suggestions(character)))),
            }
        self.show(SLACK)

    @property
    def character(self) -> Character:
        """Whom the visitor is."""
        return self._panes[self.open].character

    def show(self, side: str) -> None:
        """Open that one, as whoever is waited for there; else, who is in both stays who they are."""
        was, self.open = self.character, side
        for name, pane in self._panes.items():
            pane.box.set_visibility(name == side)
        there = IN_TEAMS if side == TEAMS else ON_STAGE
        next_one = self._next_in_slack() if side == SLACK else None
        if next_one or was in there:
            self._panes[side].be(next_one or was)
        self.refresh()

    def refresh(self) -> None:
        """Draw what changed in the window that is open, and what waits in the other."""
        self._panes[self.open].refresh()
        next_one = self._next_in_slack()
        hint = f"{next_one.name.split()[0]} {self._stage.hint(next_one)}" if next_one else ""
        unread = sum(self._teams.unread(one) for one in IN_TEAMS)
        self._tabs[SLACK].refresh(here=self.open == SLACK, hint=hint)
        self._tabs[TEAMS].refresh(here=self.open == TEAMS, unread=unread)

    def _next_in_slack(self) -> Character | None:
        """Whom the visitor might be next."""
        return next((one for one in ON_STAGE if self._stage.hint(one)), None)


class Tab:
    """One of the two, kept, so that a press on it is never lost to a drawing."""

    def __init__(self, side: str, show: Callable[[str], None]) -> None:
        self._side = side
        self._tab = ui.element("button").on("click", partial(show, side))
        self._tab.props["aria-label"] = f"Show {side}"
        with self._tab:
            ui.label(side).classes("switch-name")
            self._words = ui.label()
            self._badge = Badge()

    def refresh(self, *, here: bool, hint: str = "", unread: int = 0) -> None:
        """As things are now: who is there, or why to go there; nothing of what is before one's eyes is new."""
        self._tab.classes(replace=f"switch-{self._side.lower()}" + (" here" if here else ""))
        self._tab.props(f"aria-pressed={'true' if here else 'false'}")
        asked = bool(hint) and not here
        self._words.set_text(hint if asked else WHO[self._side])
        self._words.classes(replace="switch-hint" if asked else "switch-who")
        self._badge.show(0 if here else unread)


def _without_slash(chip: tuple[str, str]) -> tuple[str, str]:
    """Teams has no slash commands: the same line is written to the bot."""
    label, line = chip
    return label, line.removeprefix("/")
