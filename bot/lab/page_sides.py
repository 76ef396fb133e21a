"""The left of the demo page: Slack or Teams, whichever the visitor has before them, and the switch between the two."""

from __future__ import annotations

from functools import partial

from nicegui import ui

from bot.lab.demo_stage import Stage
from bot.lab.demo_teams import TeamsStage
from bot.lab.page_chat import Suggestions, badge
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
        self._switch_signature: object = None
        with ui.element("div").classes("left"):
            self._switch = ui.element("div").classes("switch")
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
        waiting = {SLACK: hint, TEAMS: ""}
        unread = {SLACK: 0, TEAMS: sum(self._teams.unread(one) for one in IN_TEAMS)}
        signature = (self.open, waiting[SLACK], unread[TEAMS])
        if signature == self._switch_signature:
            return
        self._switch_signature = signature
        self._switch.clear()
        with self._switch:
            for side, who in WHO.items():
                here = side == self.open
                tab = ui.element("button").classes(f"switch-{side.lower()}" + (" here" if here else ""))
                tab.on("click", partial(self.show, side))
                tab.props(f"aria-label='Show {side}' aria-pressed={'true' if here else 'false'}")
                with tab:
                    ui.label(side).classes("switch-name")
                    if waiting[side] and not here:
                        ui.label(waiting[side]).classes("switch-hint")
                    else:
                        ui.label(who).classes("switch-who")
                    if unread[side] and not here:
                        badge(unread[side])

    def _next_in_slack(self) -> Character | None:
        """Whom the visitor might be next."""
        return next((one for one in ON_STAGE if self._stage.hint(one)), None)


def _without_slash(chip: tuple[str, str]) -> tuple[str, str]:
    """Teams has no slash commands: the same line is written to the bot."""
    label, line = chip
    return label, line.removeprefix("/")
