"""The part of clients.yml about Slack: how requests arrive, which workspaces there are, and whose each one is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from bot.bound import misbound, one_or_several, unreachable
from connectors.references import SecretReference
from handlers.people import MSP, Roster

PLATFORM = "slack"
BASE_URL = "https://slack.com/api/"


class OAuth(BaseModel):
    """Installing the app from its own page; the bot tokens are kept encrypted in a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str
    client_secret: SecretReference
    key: SecretReference
    """What the file is encrypted with: one key or several, newest first, each on a line."""
    installations: Path | None = None
    """The file; beside the database unless it is said."""


class Slack(BaseModel):
    """The Slack app: how its requests are known to be Slack's, and the workspaces it is installed in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    signing_secret: SecretReference = ""
    """For signed requests over HTTPS."""
    app_token: SecretReference = ""
    """For Socket Mode instead: we call Slack, and need no public address."""
    workspaces: dict[str, SecretReference] = {}
    """Team id → reference to the bot token there."""
    teams: dict[str, tuple[str, ...]] = {}
    """Team id → whose workspace it is: a client's id, several of them, or msp."""
    oauth: OAuth | None = None
    base_url: str = BASE_URL

    @field_validator("teams", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return one_or_several(value)

    @model_validator(mode="after")
    def _one_way_in(self) -> Slack:
        if bool(self.signing_secret) == bool(self.app_token):
            raise ValueError(
                "give exactly one of signing_secret (Slack calls us) and app_token (Socket Mode, we call Slack)"
            )
        if self.oauth and not self.teams:
            raise ValueError("teams is missing: only workspaces that stand there may install the app")
        if not self.workspaces and not self.oauth:
            raise ValueError("give workspaces, team id and its bot token, or oauth to install the app from its page")
        return self

    @property
    def served(self) -> frozenset[str]:
        """Every workspace a card may be sent to, now or once the app is installed there."""
        return frozenset({*self.workspaces, *(self.teams if self.oauth else ())})

    @property
    def bound(self) -> dict[str, tuple[str, ...]]:
        """Whose each workspace is, as the roster asks for it."""
        return {f"{PLATFORM}/{team}": whose for team, whose in self.teams.items()}


def misfits(slack: Slack, roster: Roster) -> Iterator[tuple[str, str]]:
    """Key and fix of whatever would leave somebody unreachable, or let somebody act from where they must not."""
    known = ", ".join(sorted(slack.served))
    missing = f"is not in slack.{'teams' if slack.oauth else 'workspaces'}, so no card would arrive: use one of {known}"
    yield from unreachable(PLATFORM, slack.served, missing, slack.teams, "slack.teams", roster)
    if not slack.teams:
        return
    for team in slack.teams:
        if not team.startswith("T"):
            yield f"slack.teams.{team}", "must be a workspace's id, which begins with T"
    for team in slack.workspaces:
        if team not in slack.teams:
            yield f"slack.teams.{team}", f"it is missing: say whose workspace that is, a client's id or {MSP}"
    yield from misbound(PLATFORM, slack.teams, "slack.teams", roster)
