"""The demo's people, and the clients.yml and secret files that bind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import JsonValue

from connectors.contract import Json

PROVIDER, CONTOSO, FABRIKAM = "T0NORTHWIND", "T0CONTOSO", "T0FABRIKAM"
DOMAINS: Mapping[str, str] = {PROVIDER: "northwind-it", CONTOSO: "contoso", FABRIKAM: "fabrikam"}
"""Slack workspaces and their names."""
TECHNICIANS, ADMINS = "C0OFFBOARD", "C0ADMINS"
CHANNELS: Mapping[str, tuple[str, str]] = {
    TECHNICIANS: (PROVIDER, "offboarding"),
    ADMINS: (PROVIDER, "offboarding-admins"),
    "C0CONTOSO": (CONTOSO, "general"),
    "C0FABRIKAM": (FABRIKAM, "general"),
}
"""Channel → its workspace and name."""
PRIVATE_CHANNELS = frozenset({TECHNICIANS, ADMINS})


@dataclass(frozen=True)
class Character:
    """Somebody the visitor can be."""

    user: str
    """Slack user id."""
    name: str
    role: str
    team: str
    """Slack workspace they belong to."""
    channels: tuple[str, ...]

    @property
    def identity(self) -> str:
        """As clients.yml writes it."""
        return f"slack/{self.team}/{self.user}"


MARIA = Character("U0MARIA", "Maria Lopez", "Manager at Contoso", CONTOSO, ("C0CONTOSO",))
NOOR = Character("U0NOOR", "Noor Haddad", "Manager at Contoso", CONTOSO, ("C0CONTOSO",))
OSKAR = Character("U0OSKAR", "Oskar Berg", "An outsider at Contoso", CONTOSO, ("C0CONTOSO",))
FINN = Character("U0FINN", "Finn Fabric", "Manager at Fabrikam", FABRIKAM, ("C0FABRIKAM",))
SAM = Character("U0SAM", "Sam Lee", "Technician", PROVIDER, (TECHNICIANS,))
PRIYA = Character("U0PRIYA", "Priya Rao", "Technician", PROVIDER, (TECHNICIANS,))
ADA = Character("U0ADA", "Ada Byrne", "Admin", PROVIDER, (TECHNICIANS, ADMINS))
BILL = Character("U0BILL", "Bill Penny", "Billing at the provider", PROVIDER, ())
EVERYBODY = (MARIA, NOOR, OSKAR, FINN, SAM, PRIYA, ADA, BILL)
ON_STAGE = (MARIA, SAM, BILL, PRIYA, OSKAR, ADA)
"""Whom the page offers in Slack."""
IN_TEAMS = (FINN, MARIA, OSKAR)
"""Whom it offers in Teams: Fabrikam has nothing else, Contoso has both."""
APPROVERS = (SAM, PRIYA)


@dataclass(frozen=True)
class Client:
    """A client, as clients.yml names it."""

    id: str
    systems: Mapping[str, Json]
    """As clients.yml says them; each secret is a reference that `secrets` resolves."""
    secrets: Mapping[str, str]
    managers: Mapping[str, tuple[str, str]]
    """Slack user of a manager → their own object id and mail in the directory."""
    dry_run: bool = False


@dataclass(frozen=True)
class Teams:
    """Teams, as clients.yml names it."""

    settings: Callable[[str], Json]
    """What stands under `teams`, given the reference to the bot's secret."""
    secret: str
    identities: Mapping[str, str]
    """Slack user → who they are in Teams."""


def write(
    folder: Path, slack_api: str, signing_secret: str, clients: tuple[Client, ...], teams: Teams | None = None
) -> Path:
    """Write clients.yml and the secrets it refers to, which the owner alone can read; answers the file.

    `folder` is absolute: the bot may run elsewhere. Without `teams` everybody is in Slack.
    """
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(name: str, value: str) -> str:
        path = secrets / name
        path.touch(mode=0o600)
        path.write_text(value, encoding="utf-8")
        return f"file/{path}"

    def kept(value: JsonValue, client: Client, system: str, name: str) -> JsonValue:
        secret = client.secrets.get(value) if isinstance(value, str) else None
        return value if secret is None else keep(f"{client.id}-{system}-{name}", secret)

    content: dict[str, JsonValue] = {
        "slack": {
            "signing_secret": keep("slack-signing-secret", signing_secret),
            "workspaces": {team: keep(f"slack-{DOMAINS[team]}", token_of(team)) for team in DOMAINS},
            "base_url": slack_api,
        },
        **({"teams": teams.settings(keep("teams-bot", teams.secret))} if teams else {}),
        "msp": {
            "name": "Northwind IT",
            "phone": "+44 20 7946 0000",
            "technicians": {"platform": "slack", "workspace": PROVIDER, "channel": TECHNICIANS},
            "admins": {"platform": "slack", "workspace": PROVIDER, "channel": ADMINS},
        },
        "people": [_person(character, clients, teams) for character in EVERYBODY if character is not OSKAR],
        "clients": [
            {
                "id": client.id,
                "name": {"contoso": "Contoso Ltd", "fabrikam": "Fabrikam Inc"}[client.id],
                "time_zone": "Europe/London",
                "lockout": "approved",
                "dry_run": client.dry_run,
                "systems": {
                    system: {name: kept(value, client, system, name) for name, value in values.items()}
                    for system, values in client.systems.items()
                },
            }
            for client in clients
        ],
    }
    file = folder / "clients.yml"
    heading = "# Written by the lab at every start. clients.example.yml explains each key.\n"
    file.write_text(heading + yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file


def token_of(team: str) -> str:
    """The bot token the stand-in for Slack accepts for a workspace."""
    return f"xoxb-lab-{DOMAINS[team]}"


def _person(character: Character, clients: tuple[Client, ...], teams: Teams | None) -> JsonValue:
    manages: list[JsonValue] = []
    if character.role.startswith("Manager"):
        manages = ["contoso" if character.team == CONTOSO else "fabrikam"]
    person: dict[str, JsonValue] = {
        "id": character.name.split()[0].lower(),
        "name": character.name,
        "identities": _identities(character, teams),
        "manages": manages,
        "technician": character.role == "Technician",
        "admin": character is ADA,
        "billing": character is BILL,
    }
    for client in clients:
        if character.user in client.managers:
            object_id, mail = client.managers[character.user]
            person |= {"mail": mail, "directory": {client.id: object_id}}
    return person


def _identities(character: Character, teams: Teams | None) -> list[JsonValue]:
    """Slack first, where they have it: there they are written to when they did not ask themselves."""
    there = teams.identities.get(character.user) if teams else None
    if there is None:
        return [character.identity]
    return [character.identity, there] if character in ON_STAGE else [there]
