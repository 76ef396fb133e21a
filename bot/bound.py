"""What the platforms' parts of clients.yml check alike: whose each workspace is, and from where people may act."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from handlers.people import MSP, Person, Roster

Whose = Mapping[str, tuple[str, ...]]
"""Workspace → whose it is: clients' ids, or MSP."""


def one_or_several(value: object) -> object:
    """A single client's id is a list of one; pydantic checks the rest."""
    if not isinstance(value, dict):
        return value
    return {workspace: (whose,) if isinstance(whose, str) else whose for workspace, whose in value.items()}  # pyright: ignore[reportUnknownVariableType] - checked next


def unreachable(
    platform: str, served: Collection[str], missing: str, whose: Whose, key: str, roster: Roster
) -> Iterator[tuple[str, str]]:
    """Channels and people of that platform whom no card would reach, and channels that are not the MSP's own.

    `missing` is what follows the name of a workspace that is not served; `key` where it is said whose each one is.
    """
    for name, channel in (("msp.technicians", roster.msp.technicians), ("msp.admins", roster.msp.admins)):
        if channel.platform != platform:
            continue
        if channel.workspace not in served:
            yield f"{name}.workspace", f"{channel.workspace} {missing}"
        elif whose and whose.get(channel.workspace) != (MSP,):
            yield f"{name}.workspace", f"{channel.workspace} must be {MSP} in {key}: cards there name leavers"
    for person in roster.people:
        acts = person.technician or person.admin or person.billing or person.manages or person.sees_all
        for actor in person.actors:
            if actor.platform == platform and acts and actor.workspace not in served:
                yield f"people.{person.id}.identities", f"{actor.workspace} {missing}"


def misbound(platform: str, whose: Whose, key: str, roster: Roster) -> Iterator[tuple[str, str]]:
    """What does not fit together once it is said, at `key`, whose each workspace is."""
    clients = {client.id for client in roster.clients}
    if MSP in clients:
        yield f"clients.{MSP}.id", f"is the word for your own workspace in {key}: choose another than {MSP}"
    for workspace, names in whose.items():
        if not names or (MSP in names and len(names) > 1):
            yield f"{key}.{workspace}", f"must be a client's id, a list of them, or {MSP} alone"
        for name in names:
            if name != MSP and name not in clients:
                yield f"{key}.{workspace}", f"'{name}' is no client: use its id, or {MSP} for your own workspace"
    for person in roster.people:
        yield from _away_from_home(platform, whose, key, person)


def _away_from_home(platform: str, whose: Whose, key: str, person: Person) -> Iterator[tuple[str, str]]:
    """Whether the person's rights can be used where the person is written to: from the first identity."""
    home = person.actors[0] if person.actors else None
    if home is None or home.platform != platform:
        return
    names = whose.get(home.workspace, ())
    if MSP in names:
        return
    where = f"the first one is in {home.workspace}"
    if person.technician or person.admin or person.billing:
        yield f"people.{person.id}.identities", f"{where}, which is not {MSP}'s in {key}: begin with one that is"
    for client in (*person.manages, *person.sees_all):
        if client not in names:
            yield f"people.{person.id}.identities", f"{where}, from where nobody acts for {client}: see {key}"
