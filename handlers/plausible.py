"""What is well-formed in clients.yml and would still leave a case waiting for ever: nobody may approve it, say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.registry import Registry
from handlers.access import RIGHTS, Relation, Right
from handlers.people import Client, Money, Person, Roster


@dataclass(frozen=True)
class Remark:
    """One sentence on one key; wrong, or only worth knowing."""

    key: str
    sentence: str
    wrong: bool = False


def remarks(roster: Roster, registry: Registry) -> Iterator[Remark]:
    """Everything about people and clients, in the order they are configured."""
    people = [person for one in roster.people for person in _as_seen(roster, one)]
    for one in roster.people:
        does = one.technician or one.admin or one.billing or one.manages or one.sees_all or one.directory
        if not does:
            yield Remark(f"people.{one.id}", f"{one.name} may do nothing: add what they may, or take them out.")
    for client in roster.clients:
        yield from _client(client, people, registry)


def _as_seen(roster: Roster, person: Person) -> Iterator[Person]:
    """The person with the rights they have from each of their workspaces."""
    for actor in person.actors:
        seen = roster.who(actor)
        if seen is not None:
            yield seen


def _client(client: Client, people: list[Person], registry: Registry) -> Iterator[Remark]:
    key = f"clients.{client.id}"
    connectors = [registry.get(system) for system in client.systems]
    if not any(connector.directory for connector in connectors):
        yield Remark(f"{key}.systems", "none of them can be searched for people, so no case can begin.", wrong=True)
    managers = {person.id: person for person in people if client.id in person.manages}
    approvers = {person.id for person in people if _may(person, client, Right.APPROVE)}
    who = "an admin: this is your own company" if client.own else "a technician or an admin"
    if not approvers:
        yield Remark(key, f"nobody may approve its cases: add {who}.", wrong=True)
    for manager in managers.values():
        if approvers and not approvers - {manager.id}:
            sentence = f"nobody but {manager.name} may approve, and nobody approves what they asked for: add {who}."
            yield Remark(key, sentence, wrong=True)
    if not managers:
        yield Remark(key, "it has no manager: a technician enters every case for a caller.")
    money = [connector.name for connector in connectors if any(step.money for step in connector.steps)]
    if money and client.money is Money.APPROVED and not any(_may(person, client, Right.BILL) for person in people):
        yield Remark(
            f"{key}.money",
            f"{' and '.join(money)} would change what is paid, and nobody may approve that: give somebody billing: true"
            f"{' and admin: true' if client.own else ''}, or set money: waived.",
            wrong=True,
        )
    if client.dry_run:
        yield Remark(f"{key}.dry_run", "everything is shown and nothing is changed: set dry_run: false to begin.")


def _may(person: Person, client: Client, right: Right) -> bool:
    """The table's own answer, about a case of that client that somebody else asked for."""
    return RIGHTS[right](
        Relation(
            person=person,
            client=client,
            chosen=True,
            requester=False,
            starter=False,
            named=lambda: False,
            leaver=False,
            vouched=False,
        )
    )
