"""Approve and Reject: the digest that was shown, the right people, and the first decision stands."""

from __future__ import annotations

from handlers import cut_off, messages
from handlers.access import approvals, decides, may
from handlers.cases import cards, due
from handlers.cases.states import PlanEvent, PlanState, move_plan
from handlers.cases.tables import Approval, Plan
from handlers.click import Click, Missing
from handlers.conversation import Reply
from handlers.plan.advance import advance
from handlers.plan.digest import MONEY, digest_of
from handlers.plan.rows import case_plans

BILL_REASON = "bill-reason"
"""The field beside 'Reject the bill'; the technicians' own stands on the same card."""


def approve(click: Click) -> Reply:
    """Approve every waiting plan on the card, each by the digest that was shown."""
    case, session, house = click.case, click.session, click.house
    if case.started_by != case.requester and case.verified not in {"confirmed", "call-back"}:
        raise Missing("The contact has not confirmed yet that they asked. Wait for it, or record a call-back.")
    shown = dict(click.args)
    plans = [plan for plan in case_plans(session, case.id) if plan.id in shown]
    for plan in plans:
        if digest_of(session, plan) != plan.digest or plan.digest != shown[plan.id]:
            raise Missing("The plan is not the one you were shown. Read it again, then decide.")
    for plan in plans:
        if not may(session, house.roster, click.person, case, decides(plan)):
            raise Missing(messages.not_yours(decides(plan)))
        _approve(click, plan)
    advance(session, house, case)
    return Reply()


def _approve(click: Click, plan: Plan) -> None:
    session, house = click.session, click.house
    if any(said.person == click.person.id for said in approvals(session, house.roster, plan)):
        raise Missing("You have approved already; a second, different technician is needed.")
    stated = [click.typed(proof_field(place), wanted) for place, wanted in enumerate(proofs_wanted(plan))]
    proof = "; ".join(stated)[:500]
    # An earlier yes of theirs was to another digest: this one takes its place.
    session.merge(
        Approval(
            plan_id=plan.id,
            person=click.person.id,
            identity=click.identity,
            digest=plan.digest,
            proof=proof,
            at=house.clock.now(),
        )
    )
    session.flush()
    click.record("approved", kind=plan.kind, digest=plan.digest, proof=proof)
    if len(approvals(session, house.roster, plan)) < plan.approvers:
        return
    plan.approved_at, plan.decided_by = house.clock.now(), click.person.id
    cut_off.approved(session, house, click.case, plan)


def _no_bill(click: Click, rejected: Plan) -> None:
    """Without what it follows from, a change of the bill makes no sense: a seat that stays in use, say."""
    for plan in case_plans(click.session, click.case.id):
        if plan.kind == MONEY and plan.state == PlanState.AWAITING_APPROVAL:
            plan.state = move_plan(PlanState(plan.state), PlanEvent.REJECTED)
            plan.decided_by, plan.reason = rejected.decided_by, rejected.reason
            click.session.add(plan)


def proof_field(place: int) -> str:
    """The id of the field for the plan's proof at that place."""
    return f"proof-{place}"


def proofs_wanted(plan: Plan) -> list[str]:
    """What an approver must state in writing first."""
    told = plan.cautions.get("told")
    cautions = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return [str(one["proof"]) for one in cautions if one.get("proof")]


def reject(click: Click) -> Reply:
    """Reject what waits, with a reason the requester reads."""
    return _reject(click, "reason")


def reject_bill(click: Click) -> Reply:
    """Reject what would change the bill; the rest goes on."""
    return _reject(click, BILL_REASON)


def _reject(click: Click, field: str) -> Reply:
    reason = click.typed(field, "Write why you reject it; the person who asked will read that.")
    for plan in case_plans(click.session, click.case.id):
        if plan.id in click.args and plan.state == PlanState.AWAITING_APPROVAL:
            if not may(click.session, click.house.roster, click.person, click.case, decides(plan)):
                raise Missing(messages.not_yours(decides(plan)))
            plan.state = move_plan(PlanState(plan.state), PlanEvent.REJECTED)
            plan.decided_by, plan.reason = click.person.id, reason[:500]
            click.session.add(plan)
            click.record("rejected", kind=plan.kind, reason=plan.reason)
            due.clear_subject(click.session, click.case, plan.id)
            if plan.kind != MONEY:
                _no_bill(click, plan)
    identity = cards.identity_of(click.house, click.case.requester)
    if identity:
        cards.show_person(
            click.session, click.house, click.case.id, cards.NEWS, click.case.requester, identity, "rejected"
        )
    return Reply()
