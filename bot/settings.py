"""The only reader of the environment and of clients.yml; a wrong key stops the start with one sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.registry import Registry
from handlers.people import Roster

PREFIX = "OFFBOARD_"
FOR_TESTS = frozenset({"OFFBOARD_SPECS"})
"""Variables of that prefix that are not the service's."""


class WrongSettings(Exception):
    """One sentence that names the key, the file and the fix."""


class Environment(BaseSettings):
    """What differs from machine to machine."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    clients: Path = Path("clients.yml")
    database: str = "sqlite:///offboard.db"
    host: str = "127.0.0.1"
    port: int = Field(default=8700, ge=1, le=65535)
    ca_file: Path | None = None
    """Extra certificate authority: for the lab's stand-ins, never needed for the real services."""


class Slack(BaseModel):
    """The Slack app: its signing secret and one bot token per workspace it is installed in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    signing_secret: str
    workspaces: dict[str, str]
    """Team id → reference to the bot token there."""
    base_url: str = "https://slack.com/api/"

    @field_validator("signing_secret")
    @classmethod
    def _is_reference(cls, value: str) -> str:
        return check_reference(value)

    @field_validator("workspaces")
    @classmethod
    def _are_references(cls, values: dict[str, str]) -> dict[str, str]:
        return {team: check_reference(value) for team, value in values.items()}


class Settings(BaseModel):
    """Everything configured, checked."""

    model_config = ConfigDict(frozen=True)

    environment: Environment
    slack: Slack
    roster: Roster


def check_reference(value: str) -> str:
    """A secret reference, never the secret itself. Raises ValueError that does not quote the value."""
    kind, slash, rest = value.partition("/")
    if kind not in {"env", "file"} or not slash or not rest:
        raise ValueError("write a reference such as env/NAME or file/PATH here, never the secret itself")
    return value


def resolve_secret(reference: str) -> str:
    """The secret behind a reference, read now and kept nowhere. Raises WrongSettings naming the reference."""
    kind, _, rest = check_reference(reference).partition("/")
    if kind == "env":
        value = os.environ.get(rest, "")
        if not value:
            raise WrongSettings(f"The secret {reference} is empty: set the environment variable {rest}.")
        return value
    try:
        value = Path(rest).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise WrongSettings(f"The secret {reference} can't be read ({error.strerror}): create {rest}.") from None
    if not value:
        raise WrongSettings(f"The secret {reference} is empty: write it into {rest}.")
    return value


def load(environ: Mapping[str, str] | None = None, registry: Registry | None = None) -> Settings:
    """Read and check everything. Raises WrongSettings with one sentence."""
    environment = _environment(os.environ if environ is None else environ)
    file = environment.clients
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise WrongSettings(
            f"{file} can't be read ({error.strerror}): copy clients.example.yml there, or name another file "
            f"in {PREFIX}CLIENTS."
        ) from None
    except yaml.YAMLError as error:
        raise WrongSettings(f"{file} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict):
        raise WrongSettings(f"{file} must hold the keys slack, msp, people and clients; see clients.example.yml.")
    return _check(environment, file, cast("dict[str, JsonValue]", content), registry or Registry())


def _environment(environ: Mapping[str, str]) -> Environment:
    known = {f"{PREFIX}{name.upper()}" for name in Environment.model_fields}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known | FOR_TESTS:
            raise WrongSettings(
                f"The environment variable {name} is not known: remove it, or use one of {', '.join(sorted(known))}."
            )
    values = {name: environ[f"{PREFIX}{name.upper()}"] for name in Environment.model_fields if
              f"{PREFIX}{name.upper()}" in environ}  # fmt: skip
    try:
        return Environment.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{str(first['loc'][0]).upper()}"
        raise WrongSettings(f"The environment variable {name} is wrong: {first['msg']}.") from None


def _check(environment: Environment, file: Path, content: dict[str, JsonValue], registry: Registry) -> Settings:
    unknown = sorted(set(content) - {"slack", "msp", "people", "clients"})
    if unknown:
        raise WrongSettings(f"{file}: '{unknown[0]}' is not known: remove it, or see clients.example.yml.")
    where = ""
    try:
        where = "slack"
        slack = Slack.model_validate(content.get("slack", {}))
        where = ""
        raw_clients = content.get("clients")
        clients = [_client(registry, file, one) for one in (raw_clients if isinstance(raw_clients, list) else [])]
        roster = Roster.model_validate({"msp": content.get("msp"), "people": content.get("people"), "clients": clients})
    except ValidationError as error:
        raise WrongSettings(_sentence(file, where, error)) from None
    if roster.msp.pager:
        try:
            check_reference(roster.msp.pager)
        except ValueError as error:
            raise WrongSettings(f"{file}: msp.pager: {error}.") from None
    return Settings(environment=environment, slack=slack, roster=roster)


def _client(registry: Registry, file: Path, client: JsonValue) -> dict[str, object]:
    """One client with its systems' settings checked by the connectors they belong to."""
    if not isinstance(client, dict):
        raise WrongSettings(f"{file}: every entry of clients must be a block with id, name and systems.")
    name = str(client.get("id", "?"))
    systems = client.get("systems", {})
    if not isinstance(systems, dict):
        raise WrongSettings(f"{file}: clients.{name}.systems must be a block: system name, then its settings.")
    checked: dict[str, BaseModel] = {}
    for system, values in systems.items():
        if system not in registry.ids:
            raise WrongSettings(
                f"{file}: clients.{name}.systems.{system} is not known: use one of {', '.join(registry.ids)}."
            )
        try:
            checked[system] = registry.get(system).settings.model_validate(values or {})
        except ValidationError as error:
            raise WrongSettings(_sentence(file, f"clients.{name}.systems.{system}", error)) from None
    return {**client, "systems": checked}


def _sentence(file: Path, where: str, error: ValidationError) -> str:
    """The first thing wrong: key, file, fix. Values are never quoted, because they may be secrets."""
    first = error.errors(include_input=False, include_url=False)[0]
    key = ".".join(str(part) for part in (where, *first["loc"]) if str(part))
    message = str(first["msg"]).removeprefix("Value error, ")
    fixes = {"missing": "it is missing, add it", "extra_forbidden": "it is not known, remove it or correct its name"}
    return f"{file}: {key or 'the file'}: {fixes.get(first['type'], message)}. See clients.example.yml."
