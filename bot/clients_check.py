"""`offboard clients check`: clients.yml alone, asking nobody: secrets, keys, and whether people fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from bot.cli_signature import SHORTEST_KEY
from bot.settings import Settings, WrongSettings, resolve_secret
from connectors.references import KEY_VAULT, check_reference
from connectors.registry import Registry
from handlers.messages import several
from handlers.plausible import Remark, remarks


def check(settings: Settings, registry: Registry) -> list[Remark]:
    """Every remark, what is wrong first."""
    found = [*_secrets(settings), *_keys(settings), *remarks(settings.roster, registry)]
    return sorted(found, key=lambda one: not one.wrong)


def in_words(settings: Settings, found: list[Remark]) -> str:
    """A line for each, and one on the whole."""
    lines = [f"{'❌' if one.wrong else '•'} {one.key}: {one.sentence}" for one in found]
    wrong = sum(one.wrong for one in found)
    clients = several(len(settings.roster.clients), "client", "clients")
    people = several(len(settings.roster.people), "person", "people")
    verdict = f"{wrong} to mend" if wrong else "nothing to mend"
    return "\n".join([*lines, f"{settings.environment.clients}: {clients}, {people}, {verdict}."])


def _secrets(settings: Settings) -> Iterator[Remark]:
    """Each reference once, by the first key that names it."""
    seen = set[str]()
    platforms = {name: one.model_dump() for name, one in settings.platforms.items()}
    content = {**platforms, **settings.roster.model_dump(exclude={"bound"})}
    for key, reference in _references("", content):
        if reference in seen:
            continue
        seen.add(reference)
        if KEY_VAULT.fullmatch(reference):
            yield Remark(key, f"{reference} is not read here, which would take the network: offboard doctor does.")
            continue
        try:
            resolve_secret(reference)
        except WrongSettings as sentence:
            yield Remark(key, str(sentence), wrong=True)


def _references(key: str, value: object) -> Iterator[tuple[str, str]]:
    """Every text that is a reference, with the key it stands at; people and clients by their ids."""
    if isinstance(value, dict):
        for name, inner in cast("dict[str, object]", value).items():
            yield from _references(f"{key}.{name}" if key else name, inner)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(cast("list[object]", value), 1):
            yield from _references(f"{key}.{_id_of(inner) or f'no. {place}'}", inner)
    elif isinstance(value, str) and "/" in value:
        try:
            yield key, check_reference(value)
        except ValueError:
            return


def _id_of(entry: object) -> str:
    return str(cast("dict[str, object]", entry).get("id", "")) if isinstance(entry, dict) else ""


def _keys(settings: Settings) -> Iterator[Remark]:
    """Keys of the command line that the service would not take."""
    whose: dict[str, str] = {}
    for person in settings.roster.people:
        if not person.key or KEY_VAULT.fullmatch(person.key):
            continue
        try:
            key = resolve_secret(person.key)
        except WrongSettings:
            continue  # said already
        where = f"people.{person.id}.key"
        if len(key) < SHORTEST_KEY:
            yield Remark(
                where, f"it has fewer than {SHORTEST_KEY} characters and is not used: make another.", wrong=True
            )
        elif key in whose:
            yield Remark(where, f"{whose[key]} has the same one, so neither is used: make another.", wrong=True)
        whose.setdefault(key, person.id)
