"""The only reader of the environment and of clients.yml; a wrong key stops the start with one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa
import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.key_vault import KeyVault, NoSecret
from bot.slack import settings as slack_settings
from bot.slack.settings import Slack
from bot.teams import settings as teams_settings
from bot.teams.settings import Teams
from connectors.references import KEY_VAULT, Unresolved, check_reference
from connectors.registry import EVERYWHERE, Registry
from handlers.people import Roster

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "OFFBOARD_"
FOR_TESTS = frozenset({"OFFBOARD_SPECS", "OFFBOARD_SHOTS"})
"""Variables of that prefix that are not the service's."""
RESERVED = frozenset({"technicians", "admins"})
"""Whom cards go to that are nobody in particular; no person may be called so."""


class WrongSettings(ValueError):
    """One sentence that names the key, the file and the fix; never raised inside a pydantic validator."""


class NoSecretThere(WrongSettings, Unresolved):
    """A secret that can't be had now."""


class Environment(BaseSettings):
    """What differs from machine to machine."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    clients: Path = Path("clients.yml")
    database: str = "sqlite:///offboard.db"
    host: str = "127.0.0.1"
    port: int = Field(default=8700, ge=1, le=65535)
    ca_file: Path | None = None
    """Extra certificate authority: for the lab's stand-ins, never needed for the real services."""
    key_file: Path | None = None
    """Whose commands `offboard status`, `approve` and `go` are: the file with that person's key."""

    @property
    def installations(self) -> Path:
        """Where Slack's installations are kept unless clients.yml says: beside the database."""
        return Path(f"{sa.make_url(self.database).database}.installations")

    @field_validator("database")
    @classmethod
    def _is_supported(cls, value: str) -> str:
        # Not quoted: a database's address may hold its password.
        if value.startswith("postgres"):
            raise ValueError("PostgreSQL is not supported yet, write sqlite:///FILE")
        if not value.startswith("sqlite:///") or value in {"sqlite:///", "sqlite:///:memory:"}:
            raise ValueError("write sqlite:///FILE, other databases are not supported")
        return value

    @field_validator("ca_file")
    @classmethod
    def _is_there(cls, value: Path | None) -> Path | None:
        if value and not value.is_file():
            raise ValueError(f"there is no file {value}")
        return value


class Settings(BaseModel):
    """Everything configured, checked."""

    model_config = ConfigDict(frozen=True)

    environment: Environment
    slack: Slack | None
    roster: Roster
    teams: Teams | None = None

    @property
    def platforms(self) -> dict[str, Slack | Teams]:
        """The platforms people speak to us on."""
        return {name: one for name, one in (("slack", self.slack), ("teams", self.teams)) if one is not None}

    @property
    def vault_references(self) -> tuple[str, ...]:
        """Every secret that lies in Azure Key Vault."""
        parts = (*self.platforms.values(), self.roster)
        return tuple(dict.fromkeys(found for part in parts for found in _in_vaults(part.model_dump())))


def resolve_secret(reference: str, vault: KeyVault | None = None) -> str:
    """The secret behind a reference, read now and kept nowhere. Raises WrongSettings naming the reference.

    What lies in Azure Key Vault is read by `vault`, which keeps it for minutes; without one it is read now.
    """
    kind, _, rest = check_reference(reference).partition("/")
    if kind == "keyvault":
        return _from_vault(reference, vault)
    if kind == "env":
        value = os.environ.get(rest, "")
        if not value:
            raise NoSecretThere(f"The secret {reference} is empty: set the environment variable {rest}.")
        return value
    try:
        value = Path(rest).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NoSecretThere(
            f"The secret {reference} can't be read ({error.strerror}): create {Path(rest).absolute()}."
        ) from None
    except UnicodeDecodeError:
        raise NoSecretThere(f"The secret {reference} can't be read: {rest} is no text in UTF-8.") from None
    if not value:
        raise NoSecretThere(f"The secret {reference} is empty: write it into {Path(rest).absolute()}.")
    return value


def _from_vault(reference: str, vault: KeyVault | None) -> str:
    used = vault or KeyVault()
    try:
        return used.secret(reference)
    except NoSecret as sentence:
        raise NoSecretThere(str(sentence)) from None
    finally:
        if used is not vault:
            used.close()


def _in_vaults(value: object) -> list[str]:
    """The references to vaults anywhere in there."""
    if isinstance(value, dict):
        return [found for one in cast("dict[str, object]", value).values() for found in _in_vaults(one)]
    if isinstance(value, list | tuple):
        return [found for one in cast("list[object]", value) for found in _in_vaults(one)]
    return [value] if isinstance(value, str) and KEY_VAULT.fullmatch(value) else []


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
    except UnicodeDecodeError:
        raise WrongSettings(f"{file} is no text in UTF-8: save it as such.") from None
    except yaml.YAMLError as error:
        raise WrongSettings(f"{file} is not valid YAML{_place(error)}: see clients.example.yml.") from None
    if not isinstance(content, dict):
        raise WrongSettings(f"{file} must hold the keys slack, msp, people and clients; see clients.example.yml.")
    return _check(environment, file, cast("dict[str, JsonValue]", content), registry or Registry())


def here(environ: Mapping[str, str] | None = None) -> Environment:
    """This machine's part alone: whoever asks a running service need not be able to read clients.yml."""
    return _environment(os.environ if environ is None else environ)


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
        raise WrongSettings(f"The environment variable {name} is wrong: {_words(first)}.") from None


def _check(environment: Environment, file: Path, content: dict[str, JsonValue], registry: Registry) -> Settings:
    unknown = sorted(set(content) - {"slack", "teams", "msp", "people", "clients"})
    if unknown:
        raise WrongSettings(f"{file}: '{unknown[0]}' is not known: remove it, or see clients.example.yml.")
    for key in ("people", "clients"):
        if not isinstance(content.get(key), list) or not content[key]:
            raise WrongSettings(f"{file}: {key} must be a list with at least one entry. See clients.example.yml.")
    where = ""
    try:
        where = "slack"
        slack = Slack.model_validate(content.get("slack", {})) if "slack" in content or "teams" not in content else None
        where = "teams"
        teams = Teams.model_validate(content["teams"]) if "teams" in content else None
        where = ""
        clients = [_client(registry, file, one) for one in cast("list[JsonValue]", content["clients"])]
        bound = {**(slack.bound if slack else {}), **(teams.bound if teams else {})}
        roster = Roster.model_validate(
            {"msp": content.get("msp", {}), "people": content["people"], "clients": clients, "bound": bound}
        )
    except ValidationError as error:
        raise WrongSettings(_sentence(file, where, error, content)) from None
    settings = Settings(environment=environment, slack=slack, roster=roster, teams=teams)
    for key, fix in _misfits(settings):
        raise WrongSettings(f"{file}: {key}: {fix}. See clients.example.yml.")
    if roster.msp.pager:
        try:
            check_reference(roster.msp.pager)
        except ValueError as error:
            raise WrongSettings(f"{file}: msp.pager: {error}.") from None
    return settings


def _client(registry: Registry, file: Path, client: JsonValue) -> dict[str, object]:
    """One client with its systems' settings checked by the connectors they belong to."""
    if not isinstance(client, dict):
        raise WrongSettings(f"{file}: every entry of clients must be a block with id, name and systems.")
    name = str(client.get("id", "?"))
    systems = client.get("systems", {})
    if not isinstance(systems, dict):
        raise WrongSettings(f"{file}: clients.{name}.systems must be a block: system name, then its settings.")
    checked: dict[str, BaseModel] = {}
    systems = {**systems, **{system: {} for system in EVERYWHERE if system in registry.ids and system not in systems}}
    for system, values in systems.items():
        if system not in registry.ids:
            raise WrongSettings(
                f"{file}: clients.{name}.systems.{system} is not known: use one of {', '.join(registry.ids)}."
            )
        try:
            checked[system] = registry.get(system).settings.model_validate(values or {})
        except ValidationError as error:
            raise WrongSettings(_sentence(file, f"clients.{name}.systems.{system}", error, {})) from None
    _check_defaults(registry, file, name, client.get("defaults"), list(checked))
    return {**client, "systems": checked}


def _check_defaults(registry: Registry, file: Path, client: str, defaults: JsonValue, systems: list[str]) -> None:
    """A standing answer to a question nobody asks would never be noticed."""
    known = sorted({name for system in systems for name in registry.get(system).defaults})
    for name in defaults if isinstance(defaults, dict) else ():
        if name not in known:
            raise WrongSettings(
                f"{file}: clients.{client}.defaults.{name} is no question of this client's systems: "
                f"use one of {', '.join(known) or 'none, they have no questions'}."
            )


def _misfits(settings: Settings) -> Iterator[tuple[str, str]]:
    """Key and fix of whatever is well-formed by itself and would still leave somebody unreachable or unasked."""
    roster, platforms = settings.roster, settings.platforms
    msp = roster.msp
    for key, channel in (("msp.technicians", msp.technicians), ("msp.admins", msp.admins)):
        if channel.platform not in platforms:
            yield f"{key}.platform", f"must be {' or '.join(platforms)}"
    if msp.admins.place == msp.technicians.place:
        yield "msp.admins.channel", "must be another channel than msp.technicians: cases about your own people go there"
    if not msp.phone.strip():
        yield "msp.phone", "must not be empty: managers ring it when nobody picks a lock-out up"
    for person in roster.people:
        if person.id in RESERVED:
            yield f"people.{person.id}.id", "is the bot's own word for a channel: choose another"
        if person.key and not (person.technician or person.admin):
            yield f"people.{person.id}.key", "only technicians and admins use the command line: remove it"
        for actor in person.actors:
            if actor.platform not in platforms:
                known = " or ".join(f"{name}/" for name in platforms)
                yield f"people.{person.id}.identities", f"'{actor}' must begin with {known}"
    if settings.slack:
        yield from slack_settings.misfits(settings.slack, roster)
    if settings.teams:
        yield from teams_settings.misfits(settings.teams, roster, settings.environment.host)


def _sentence(file: Path, where: str, error: ValidationError, content: Mapping[str, JsonValue]) -> str:
    """The first thing wrong: key, file, fix. Values are never quoted, because they may be secrets."""
    first = error.errors(include_input=False, include_url=False)[0]
    key = ".".join(part for part in (where, *_by_id(first["loc"], content)) if part)
    return f"{file}: {key or 'the file'}: {_words(first)}. See clients.example.yml."


def _by_id(loc: tuple[int | str, ...], content: Mapping[str, JsonValue]) -> list[str]:
    """Where it is, in the reader's words: people and clients by their id, other entries counted from one."""
    parts = [f"no. {part + 1}" if isinstance(part, int) else part for part in loc]
    entries = content.get(str(loc[0])) if loc else None
    if len(loc) > 1 and isinstance(entries, list) and isinstance(loc[1], int):
        entry = entries[loc[1]]
        if isinstance(entry, dict) and isinstance(entry.get("id"), str):
            parts[1] = str(entry["id"])
    return parts


def _words(error: ErrorDetails) -> str:
    """What pydantic found, as somebody would say it who never heard of pydantic."""
    limits = error.get("ctx", {})
    if error["type"] == "enum":
        return f"must be {limits.get('expected')}"
    if error["type"] in _LIMITS:
        return f"must be {_LIMITS[error['type']]} {next(iter(limits.values()), '')}"
    return _WORDS.get(error["type"], str(error["msg"]).removeprefix("Value error, "))


def _place(error: yaml.YAMLError) -> str:
    """Where the parser stopped; its own words would quote the line, which may hold a secret."""
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""


_LIMITS = {
    "greater_than_equal": "at least",
    "less_than_equal": "at most",
    "greater_than": "more than",
    "less_than": "less than",
}
_BLOCK, _LIST, _WHOLE, _YES = (
    "must be a block of keys",
    "must be a list",
    "must be a whole number",
    "must be true or false",
)
_WORDS = {
    "missing": "it is missing, add it",
    "extra_forbidden": "it is not known, remove it or correct its name",
    "string_type": "must be text, put it in quotes",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _BLOCK,
    "model_type": _BLOCK,
    "model_attributes_type": _BLOCK,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": _YES,
    "bool_parsing": _YES,
}
