"""The part of clients.yml about Slack: how requests arrive, which workspaces there are, and whose each one is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from connectors.references import SecretReference
from handlers.people import MSP, Person, Roster

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
        if not isinstance(value, dict):
            return value
        return {team: (whose,) if isinstance(whose, str) else whose for team, whose in value.items()}  # pyright: ignore[reportUnknownVariableType] - checked next

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
    for key, channel in (("msp.technicians", roster.msp.technicians), ("msp.admins", roster.msp.admins)):
        if channel.platform != PLATFORM:
            continue
        if channel.workspace not in slack.served:
            yield f"{key}.workspace", f"{channel.workspace} {missing}"
        elif slack.teams and slack.teams.get(channel.workspace) != (MSP,):
            yield f"{key}.workspace", f"{channel.workspace} must be {MSP} in slack.teams: cards there name leavers"
    for person in roster.people:
        acts = person.technician or person.admin or person.billing or person.manages or person.sees_all
        for actor in person.actors:
            if actor.platform == PLATFORM and acts and actor.workspace not in slack.served:
                yield f"people.{person.id}.identities", f"{actor.workspace} {missing}"
    if slack.teams:
        yield from _unbound(slack, roster)


def _unbound(slack: Slack, roster: Roster) -> Iterator[tuple[str, str]]:
    """What does not fit together once it is said whose each workspace is."""
    clients = {client.id for client in roster.clients}
    if MSP in clients:
        yield f"clients.{MSP}.id", f"is the word for your own workspace in slack.teams: choose another than {MSP}"
    for team, whose in slack.teams.items():
        if not team.startswith("T"):
            yield f"slack.teams.{team}", "must be a workspace's id, which begins with T"
        if not whose or (MSP in whose and len(whose) > 1):
            yield f"slack.teams.{team}", f"must be a client's id, a list of them, or {MSP} alone"
        for name in whose:
            if name != MSP and name not in clients:
                yield f"slack.teams.{team}", f"'{name}' is no client: use its id, or {MSP} for your own workspace"
    for team in slack.workspaces:
        if team not in slack.teams:
            yield f"slack.teams.{team}", f"it is missing: say whose workspace that is, a client's id or {MSP}"
    for person in roster.people:
        yield from _away_from_home(slack, person)


def _away_from_home(slack: Slack, person: Person) -> Iterator[tuple[str, str]]:
    """Whether the person's rights can be used where the person is written to: from the first identity."""
    homes = [actor for actor in person.actors if actor.platform == PLATFORM]
    if not homes:
        return
    whose = slack.teams.get(homes[0].workspace, ())
    if MSP in whose:
        return
    where = f"the first one is in {homes[0].workspace}"
    if person.technician or person.admin or person.billing:
        yield f"people.{person.id}.identities", f"{where}, which is not {MSP}'s in slack.teams: begin with one that is"
    for client in (*person.manages, *person.sees_all):
        if client not in whose:
            yield f"people.{person.id}.identities", f"{where}, from where nobody acts for {client}: see slack.teams"
