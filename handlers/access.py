"""Who may do what: one table, asked at the click, about the person who clicks."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session, col, select

from connectors.contract import Account
from handlers.cases.store import CASE, once
from handlers.cases.tables import Approval, Case, Named, Plan
from handlers.people import Client, Person, Roster
from handlers.plan.digest import MONEY


class Right(enum.StrEnum):
    """Something a person may be entitled to."""

    SEE = "see the case"
    ANSWER = "answer the interview"
    ANSWER_FOR = "answer what the manager was not sure of"
    VOUCH = "say whether they asked for this case"
    APPROVE = "approve or reject a plan"
    BILL = "approve or reject what changes a bill"
    GO = "say go to an approved lock-out, or take that back"
    REPAIR = "retry, skip, take over a step, or undo a wrong lock-out"
    WORK = "start a case for any client"
    NAME = "say who else may see the case"
    BE_NAMED = "be let in on the case"


@dataclass(frozen=True)
class Relation:
    """What a person is to a case."""

    person: Person
    client: Client | None
    chosen: bool
    """Some client stands on the case, still configured or not."""
    requester: bool
    starter: bool
    named: Callable[[], bool]
    """Whether they were let in on it by name; asked only where it matters."""
    leaver: bool
    vouched: bool
    """The requester said in chat that they asked, so the technician who typed it may approve."""

    @property
    def works_here(self) -> bool:
        """A technician of the MSP; for the MSP's own people only admins count."""
        if self.client is None:
            # Nobody knows yet whether it is about one of our own; a client struck off the list is the admins'.
            return self.chosen and self.person.admin
        if self.client.own:
            return self.person.admin
        return self.person.technician or self.person.admin

    @property
    def bills(self) -> bool:
        """Somebody of the MSP who decides about bills; about its own people's only an admin does."""
        return self.chosen and self.person.billing and (self.person.admin or not (self.client and self.client.own))

    @property
    def manages(self) -> bool:
        """May ask for this client."""
        return self.client is not None and self.client.id in self.person.manages

    @property
    def asks(self) -> bool:
        """It is their request or they entered it, and they may still do so."""
        starter = self.starter and (not self.chosen or self.manages or self.works_here)
        return starter or (self.requester and self.manages)

    @property
    def belongs(self) -> bool:
        """One of the client's own people."""
        return self.client is not None and self.client.id in self.person.belongs_to

    @property
    def sees_all(self) -> bool:
        """Holds the right to see every case of this client."""
        return self.client is not None and self.client.id in self.person.sees_all


RIGHTS: dict[Right, Callable[[Relation], bool]] = {
    Right.SEE: lambda who: (
        not who.leaver and (who.works_here or who.asks or (who.belongs and who.named()) or who.sees_all)
    ),
    Right.ANSWER: lambda who: not who.leaver and who.asks,
    Right.ANSWER_FOR: lambda who: not who.leaver and who.works_here,
    Right.VOUCH: lambda who: not who.leaver and who.requester and who.manages,
    Right.APPROVE: lambda who: (
        who.works_here and not who.leaver and not who.requester and (not who.starter or who.vouched)
    ),
    Right.BILL: lambda who: who.bills and not who.leaver and not who.requester,
    Right.GO: lambda who: not who.leaver and (who.works_here or who.asks),
    Right.REPAIR: lambda who: who.works_here and not who.leaver,
    Right.WORK: lambda who: who.works_here and not who.leaver,
    Right.NAME: lambda who: not who.leaver and (who.works_here or who.asks),
    Right.BE_NAMED: lambda who: who.belongs and not who.leaver,
}


def relation(session: Session, roster: Roster, person: Person, case: Case) -> Relation:
    """What that person is to that case, now."""
    if not case.leaver:
        # Nobody is chosen yet: whoever the words could mean is kept out until somebody is.
        words = str(case.draft.get("searched", case.query)).casefold().split()
        own_words = f"{person.name} {person.mail}".casefold()
        leaver = case.started_by != person.id and all(word in own_words for word in words)
    else:
        account = Account.model_validate(case.leaver)
        mails = {account.mail.casefold(), account.user_name.casefold()}
        leaver = person.is_leaver(case.client, account.id, mails, account.name)
    return Relation(
        person=person,
        client=roster.client(case.client),
        chosen=bool(case.client),
        requester=case.requester == person.id,
        starter=case.started_by == person.id,
        named=lambda: person.id in named_on(session, case),
        leaver=leaver,
        vouched=case.verified == "confirmed",
    )


_NAMED = select(Named.person).where(Named.case_id == CASE).order_by(col(Named.person))


def named_on(session: Session, case: Case) -> list[str]:
    """Person ids of those named, in a stable order."""
    return once(session, ("named", case.id), lambda: list(session.exec(_NAMED, params={"case": case.id})))


def clients_for(roster: Roster, person: Person) -> list[Client]:
    """The clients this person may open a case for."""
    return [
        client
        for client in roster.clients
        if client.id in person.manages or person.admin or (person.technician and not client.own)
    ]


def could_see(roster: Roster, person: Person) -> sa.ColumnElement[bool]:
    """No narrower than `Right.SEE`, in SQL: it spares asking `may` about thousands of cases of others."""
    client = col(Case.client)
    any_of: list[sa.ColumnElement[bool]] = [
        col(Case.started_by) == person.id,
        col(Case.requester) == person.id,
        col(Case.id).in_(select(Named.case_id).where(Named.person == person.id)),
        client.in_(person.sees_all),
    ]
    if person.admin:
        any_of.append(client != "")
    elif person.technician:
        any_of.append(client.in_([one.id for one in roster.clients if not one.own]))
    return sa.or_(*any_of)


def may(session: Session, roster: Roster, person: Person, case: Case, right: Right) -> bool:
    """Whether that person has that right on that case, now."""
    return RIGHTS[right](relation(session, roster, person, case))


def decides(plan: Plan) -> Right:
    """What somebody needs to approve that plan or reject it."""
    return Right.BILL if plan.kind == MONEY else Right.APPROVE


def approvals(session: Session, roster: Roster, plan: Plan) -> list[Approval]:
    """The yeses to the plan as it stands, of people who may still say so."""
    query = select(Approval).where(col(Approval.plan_id) == plan.id, col(Approval.digest) == plan.digest)
    case = session.get_one(Case, plan.case_id)
    return [said for said in session.exec(query) if _still(session, roster, case, said)]


def _still(session: Session, roster: Roster, case: Case, said: Approval) -> bool:
    person = roster.person(said.person)
    return person is not None and may(session, roster, person, case, decides(session.get_one(Plan, said.plan_id)))
