"""Keeps in the history who was bound to which identities when: rows seeded from clients.yml, audited at start."""

from __future__ import annotations

from sqlmodel import Session, select

from handlers.cases.history import record
from handlers.cases.tables import PersonRow
from handlers.house import House


def seed(session: Session, house: House) -> None:
    """Write down every difference between the configuration and what it was at the last start."""
    now = house.clock.now()
    kept = {row.id: row for row in session.exec(select(PersonRow))}
    for person in house.roster.people:
        binding = person.model_dump(mode="json", exclude={"name", "mail"})
        row = kept.pop(person.id, None)
        if row is not None and row.binding == binding:
            continue
        record(session, now, "person bound", detail={"person": person.id, "binding": binding})
        row = row or PersonRow(id=person.id, seeded_at=now)
        row.binding, row.seeded_at = binding, now
        session.add(row)
    for gone in kept.values():
        record(session, now, "person unbound", detail={"person": gone.id})
        session.delete(gone)
