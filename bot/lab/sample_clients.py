"""The demo's people, and the clients.yml and secret files that bind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import JsonValue

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
ADA = Character("U0ADA", "Ada Byrne", "Admin of the provider", PROVIDER, (TECHNICIANS, ADMINS))
EVERYBODY = (MARIA, NOOR, OSKAR, FINN, SAM, PRIYA, ADA)
ON_STAGE = (MARIA, SAM, PRIYA, FINN, OSKAR)
"""Whom the page offers."""
APPROVERS = (SAM, PRIYA)


@dataclass(frozen=True)
class Tenant:
    """A client's simulated Microsoft tenant, as clients.yml names it."""

    client: str
    tenant_id: str
    client_id: str
    secret: str
    managers: Mapping[str, tuple[str, str]]
    """User id of a manager → their own object id and mail in it, where they have any."""
    break_glass: tuple[str, ...] = ()


@dataclass(frozen=True)
class StandIns:
    """Where the stand-ins listen."""

    slack_api: str
    graph: str
    authority: str


def write(folder: Path, stand_ins: StandIns, signing_secret: str, tenants: tuple[Tenant, ...]) -> Path:
    """Write clients.yml and the secrets it refers to, which the owner alone can read; answers the file.

    `folder` is absolute: the bot may run elsewhere.
    """
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(name: str, value: str) -> str:
        path = secrets / name
        path.touch(mode=0o600)
        path.write_text(value, encoding="utf-8")
        return f"file/{path}"

    content: dict[str, JsonValue] = {
        "slack": {
            "signing_secret": keep("slack-signing-secret", signing_secret),
            "workspaces": {team: keep(f"slack-{DOMAINS[team]}", token_of(team)) for team in DOMAINS},
            "base_url": stand_ins.slack_api,
        },
        "msp": {
            "name": "Northwind IT",
            "phone": "+44 20 7946 0000",
            "technicians": {"platform": "slack", "workspace": PROVIDER, "channel": TECHNICIANS},
            "admins": {"platform": "slack", "workspace": PROVIDER, "channel": ADMINS},
        },
        "people": [_person(character, tenants) for character in EVERYBODY if character is not OSKAR],
        "clients": [
            {
                "id": tenant.client,
                "name": {"contoso": "Contoso Ltd", "fabrikam": "Fabrikam Inc"}[tenant.client],
                "time_zone": "Europe/London",
                "lockout": "approved",
                "systems": {
                    "microsoft365": {
                        "tenant_id": tenant.tenant_id,
                        "client_id": tenant.client_id,
                        "client_secret": keep(f"microsoft365-{tenant.client}", tenant.secret),
                        "base_url": stand_ins.graph,
                        "authority": stand_ins.authority,
                        "break_glass": [*tenant.break_glass],
                    }
                },
            }
            for tenant in tenants
        ],
    }
    file = folder / "clients.yml"
    heading = "# Written by the lab at every start. clients.example.yml explains each key.\n"
    file.write_text(heading + yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file


def token_of(team: str) -> str:
    """The bot token the stand-in for Slack accepts for a workspace."""
    return f"xoxb-lab-{DOMAINS[team]}"


def _person(character: Character, tenants: tuple[Tenant, ...]) -> JsonValue:
    manages: list[JsonValue] = []
    if character.role.startswith("Manager"):
        manages = ["contoso" if character.team == CONTOSO else "fabrikam"]
    person: dict[str, JsonValue] = {
        "id": character.name.split()[0].lower(),
        "name": character.name,
        "identities": [character.identity],
        "manages": manages,
        "technician": character.role == "Technician",
        "admin": character is ADA,
    }
    for tenant in tenants:
        if character.user in tenant.managers:
            object_id, mail = tenant.managers[character.user]
            person |= {"mail": mail, "directory": {tenant.client: object_id}}
    return person
