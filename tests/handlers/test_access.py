"""The table of rights, right by right: who may, and that the leaver and the stranger never may."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handlers.access import RIGHTS, Relation, Right
from handlers.conversation import Actor
from handlers.people import Client, Person
from tests.world import roster

CONTOSO = Client(id="contoso", name="Contoso Ltd")
OWN = Client(id="own", name="Northwind IT", own=True)
NOBODY = Relation(
    person=Person(id="x", name="X", identities=()),
    client=CONTOSO,
    chosen=True,
    requester=False,
    starter=False,
    named=lambda: False,
    leaver=False,
    vouched=False,
)
TECHNICIAN = replace(NOBODY, person=Person(id="t", name="T", identities=(), technician=True))
ADMIN = replace(NOBODY, person=Person(id="a", name="A", identities=(), admin=True))
MANAGER = replace(NOBODY, person=Person(id="m", name="M", identities=(), manages=("contoso",)))
WATCHER = replace(NOBODY, person=Person(id="w", name="W", identities=(), sees_all=("contoso",)))
COLLEAGUE = Person(id="c", name="C", identities=(), directory={"contoso": "c-id"})
ASKS, ENTERED = {"requester": True, "starter": True}, {"starter": True}

WHO: dict[str, Relation] = {
    "a stranger to the case": NOBODY,
    "a colleague": replace(NOBODY, person=COLLEAGUE),
    "a colleague named on it": replace(NOBODY, person=COLLEAGUE, named=lambda: True),
    "one named on it who has left the client": replace(NOBODY, named=lambda: True),
    "one who sees all cases": WATCHER,
    "a manager of the client": MANAGER,
    "the manager who asked": replace(MANAGER, **ASKS),
    "one who asked and manages no more": replace(NOBODY, **ASKS),
    "the contact a technician named": replace(MANAGER, requester=True),
    "a technician": TECHNICIAN,
    "the technician who entered it": replace(TECHNICIAN, **ENTERED),
    "the technician who entered it, confirmed": replace(TECHNICIAN, **ENTERED, vouched=True),
    "a technician, of our own people": replace(TECHNICIAN, client=OWN),
    "an admin, of our own people": replace(ADMIN, client=OWN),
    "a technician, no client chosen": replace(TECHNICIAN, client=None, chosen=False),
    "a billing person": replace(NOBODY, person=Person(id="b", name="B", identities=(), billing=True)),
    "a billing person, of our own people": replace(
        NOBODY, person=Person(id="b", name="B", identities=(), billing=True), client=OWN
    ),
    "a billing admin, of our own people": replace(
        NOBODY, person=Person(id="d", name="D", identities=(), billing=True, admin=True), client=OWN
    ),
    "a billing person who asked": replace(
        NOBODY, person=Person(id="b", name="B", identities=(), billing=True), requester=True
    ),
    "an admin, no client chosen": replace(ADMIN, client=None, chosen=False),
    "its technician, no client chosen": replace(TECHNICIAN, client=None, chosen=False, **ENTERED),
}
STAFF = {
    "a technician",
    "the technician who entered it",
    "the technician who entered it, confirmed",
    "an admin, of our own people",
    "a billing admin, of our own people",
}
MAY: dict[Right, set[str]] = {
    Right.SEE: STAFF
    | {
        "a colleague named on it",
        "one who sees all cases",
        "the manager who asked",
        "the contact a technician named",
        "its technician, no client chosen",
    },
    Right.ANSWER: {
        "the manager who asked",
        "the contact a technician named",
        "the technician who entered it",
        "the technician who entered it, confirmed",
        "its technician, no client chosen",
    },
    Right.ANSWER_FOR: STAFF,
    Right.VOUCH: {"the manager who asked", "the contact a technician named"},
    Right.APPROVE: STAFF - {"the technician who entered it"},
    Right.BILL: {"a billing person", "a billing admin, of our own people"},
    Right.GO: STAFF | {"the manager who asked", "the contact a technician named", "its technician, no client chosen"},
    Right.REPAIR: STAFF,
    Right.WORK: STAFF,
    Right.NAME: STAFF | {"the manager who asked", "the contact a technician named", "its technician, no client chosen"},
    Right.BE_NAMED: {
        "a colleague",
        "a colleague named on it",
        "one who sees all cases",
        "a manager of the client",
        "the manager who asked",
        "the contact a technician named",
    },
}


@pytest.mark.parametrize("right", list(Right))
def test_each_right_belongs_to_exactly_these(right: Right) -> None:
    assert {name for name, relation in WHO.items() if RIGHTS[right](relation)} == MAY[right]


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("name", list(WHO))
def test_the_leaver_has_no_right_whatever_else_they_are(right: Right, name: str) -> None:
    assert not RIGHTS[right](replace(WHO[name], leaver=True))


def test_nobody_approves_what_they_asked_for() -> None:
    both = Person(id="b", name="B", identities=(), technician=True, admin=True, manages=("contoso",))
    assert not RIGHTS[Right.APPROVE](replace(NOBODY, person=both, requester=True, starter=True, vouched=True))


def test_a_copy_of_the_roster_knows_its_own_people_and_the_old_one_its_own() -> None:
    before = roster()
    assert before.person("maria")
    after = before.model_copy(update={"people": tuple(one for one in before.people if one.id != "maria")})
    assert after.person("maria") is None
    assert after.who(Actor("slack", "T-CONTOSO", "maria")) is None
    assert before.who(Actor("slack", "T-CONTOSO", "maria")) == before.person("maria")
