"""Whatever goes wrong with whichever call of whichever step: a surprise that says so, and a repeat that mends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.contract import (
    AnyStep,
    Context,
    Done,
    Intent,
    Item,
    Json,
    SignInFailed,
    TaskStep,
    Throttled,
    Todo,
    Unreachable,
    VendorError,
    Waiting,
)
from connectors.microsoft365 import CONNECTOR
from connectors.microsoft365.simulated_people import (
    CONTOSO,
    HELPDESK_ADMINISTRATOR,
    JANE,
    LAPTOP,
    LEAD,
    MARIA,
    OFFICE_PC,
    OLIVIA,
    SECRET,
    SYNCED,
    ZOE,
)
from connectors.microsoft365.simulator import Fault
from tests.connectors.conftest import NEW_PASSWORD, Microsoft

CHOICES = {
    "licences": "reassign",
    "licences.to": ZOE,
    "mailbox": "shared",
    "mailbox.reply": "standard",
    "files": MARIA,
    "teams": MARIA,
    "reports": MARIA,
    "rename": "yes",
    f"devices.{LAPTOP}": "disable",
    f"devices.{OFFICE_PC}": "wipe",
}
WHO = {
    "microsoft365.remove_roles": JANE,
    "microsoft365.end_eligibility": JANE,
    "microsoft365.check_after_sync": SYNCED,
    "microsoft365.move_reports": LEAD,
}
# Neither of these acts at Microsoft: one waits, the other reports, the third is done by hand.
ACT_ALONE = {"microsoft365.check_after_sync", "microsoft365.groups_that_stay", "microsoft365.wipe_devices"}
STEPS = [step for step in CONNECTOR.steps if not isinstance(step, TaskStep)]
CHANGING = [step for step in STEPS if step.id not in ACT_ALONE]
# The first has a test of its own; the simulator shows withdrawn consents at once.
LATE = [step for step in CHANGING if step.id not in ("microsoft365.end_eligibility", "microsoft365.revoke_grants")]
FAULTS: list[tuple[Fault, type[VendorError]]] = [
    (Fault("throttle", calls=None, retry_after="30"), Throttled),
    (Fault("error", calls=None, status=500), Unreachable),
    (Fault("error", calls=None, status=401, code="InvalidAuthenticationToken"), SignInFailed),
    (Fault("malformed", calls=None), Unreachable),
    (Fault("lost", calls=None), Unreachable),
]
Ctx = Context[Any, Any]


async def shared(_name: str) -> Json:
    return {"exists": True, "type": "SharedMailbox", "size_bytes": 1, "archive": False, "hold": False}


def start_over(microsoft: Microsoft) -> None:
    microsoft.simulator.reset()
    microsoft.contoso.domain_disabled, microsoft.contoso.sync_reverts_after = ("ssynced",), 1
    jane = microsoft.simulator.person(JANE)
    jane.roles = jane.eligible = (HELPDESK_ADMINISTRATOR,)
    microsoft.simulator.person(SYNCED).sync_reverts_at = microsoft.clock.now()


async def prepared(microsoft: Microsoft, step: AnyStep) -> Ctx:
    start_over(microsoft)
    ctx = await microsoft.context(await microsoft.connect(), WHO.get(step.id, OLIVIA))
    # Whether we may change administrators is not what this file is about.
    facts = ctx.facts.model_copy(update={"may_change_admins": True})
    assert step.wanted(CHOICES, facts), step.id
    return replace(ctx, choices=CHOICES, read=shared, facts=facts)


async def first(step: AnyStep, ctx: Ctx) -> Item:
    found = await step.look(ctx)
    assert isinstance(found, Todo), f"{step.id}: {found}"
    # The last is one that may go in any case: the first teams have no other owner.
    return found.items[-1 if step.id == "microsoft365.leave_ownerships" else 0]


async def goes_wrong(microsoft: Microsoft, fault: Fault, kind: type[VendorError], doing: Any) -> None:
    """The call fails as that kind of surprise, says nothing secret, and the vendor is well again."""
    microsoft.simulator.fail(CONTOSO, replace(fault))
    with pytest.raises(kind) as told:
        await doing()
    assert type(told.value) is kind
    assert "microsoft365" in str(told.value)
    assert not any(secret in f"{told.value!s}{told.value!r}" for secret in (SECRET, NEW_PASSWORD, "Bearer"))
    microsoft.simulator.faults.clear()
    microsoft.clock.pass_by(60)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id.partition(".")[2])
async def test_every_call_that_fails_is_a_surprise_and_a_repeat_mends_it(microsoft: Microsoft, step: AnyStep) -> None:
    ctx = await prepared(microsoft, step)
    microsoft.simulator.calls.clear()
    looks = bool(await step.look(ctx)) and bool(microsoft.simulator.calls)
    for fault, kind in FAULTS:
        start_over(microsoft)
        if looks:
            await goes_wrong(microsoft, fault, kind, lambda: step.look(ctx))
        if step.id in ACT_ALONE:
            continue
        item, intent = await first(step, ctx), Intent("key", microsoft.clock.now())
        await goes_wrong(microsoft, fault, kind, lambda item=item, intent=intent: step.act(ctx, item, intent))
        again = replace(intent, repeated=True)
        accepted = await step.act(ctx, item, again)
        reading = lambda item=item, again=again, accepted=accepted: step.confirm(ctx, item, again, accepted.reference)  # noqa: E731
        await goes_wrong(microsoft, fault, kind, reading)
        outcome = await step.confirm(ctx, item, again, accepted.reference)
        assert isinstance(outcome, Done), f"{step.id} after {fault.kind}: {outcome}"


@pytest.mark.parametrize("step", CHANGING, ids=lambda step: step.id.partition(".")[2])
async def test_a_missing_permission_is_named_and_nothing_changes(microsoft: Microsoft, step: AnyStep) -> None:
    ctx = await prepared(microsoft, step)
    item = await first(step, ctx)
    before = len(microsoft.simulator.effects)
    kept = {"User.Read.All", "Directory.Read.All", "UserAuthenticationMethod.Read.All"}
    if step.id.rpartition(".")[2] in ("remove_roles", "end_eligibility", "release_licences", "reassign_licences"):
        kept |= {"RoleManagement.Read.Directory", "LicenseAssignment.Read.All"}
    microsoft.contoso.permissions = tuple(one for one in microsoft.contoso.permissions if one in kept)
    microsoft.simulator.expire_tokens(CONTOSO)
    with pytest.raises(VendorError, match=f"Grant our application .*{step.permissions[0]}"):
        await step.act(ctx, item, Intent("key", microsoft.clock.now()))
    assert len(microsoft.simulator.effects) == before


@pytest.mark.parametrize("step", LATE, ids=lambda step: step.id.partition(".")[2])
async def test_a_late_read_back_is_never_taken_for_done(microsoft: Microsoft, step: AnyStep) -> None:
    ctx = await prepared(microsoft, step)
    item, intent = await first(step, ctx), Intent("key", microsoft.clock.now())
    microsoft.contoso.lag = 10
    accepted = await step.act(ctx, item, intent)
    assert isinstance(await step.confirm(ctx, item, intent, accepted.reference), Waiting)
    microsoft.clock.pass_by(11)
    assert isinstance(await step.confirm(ctx, item, intent, accepted.reference), Done)
