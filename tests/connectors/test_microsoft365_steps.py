"""The lock-out's steps, over the wire, with everything Microsoft is known to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.contract import (
    Done,
    Intent,
    Item,
    Nothing,
    Refused,
    Task,
    Throttled,
    Unreachable,
    Waiting,
)
from connectors.microsoft365.connector import LOCK_OUT as STEPS
from connectors.microsoft365.domain import DomainAccount
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.guards import Ctx
from connectors.microsoft365.methods import ALTERNATE_MOBILE, MOBILE
from connectors.microsoft365.roles import GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
from connectors.microsoft365.simulated_people import (
    BREAK_GLASS,
    CONTOSO,
    DISABLED,
    GROUP_ADMIN,
    GUEST,
    JANE,
    LAST_ADMIN,
    OTHER_JANE,
    SYNCED,
    SignInMethod,
)
from connectors.microsoft365.simulator import Fault
from connectors.microsoft365.steps import (
    SEND_AFTER,
    BlockSignIn,
    RemoveSignInMethods,
    ResetPassword,
    RevokeSessions,
    RevokeSessionsAgain,
)
from tests.connectors.conftest import NEW_PASSWORD, Microsoft
from tests.connectors.steps import items, run

AnyLockOut = BlockSignIn | RevokeSessions | ResetPassword | RemoveSignInMethods
PLAIN = Microsoft365Facts(enabled=True)


async def ready(microsoft: Microsoft, person: str, facts: Microsoft365Facts | None = None, **settings: object) -> Ctx:
    """A context whose reads so far are forgotten."""
    ctx = await microsoft.context(await microsoft.connect(changed=settings), person, facts)
    microsoft.simulator.calls.clear()
    return ctx


# --- block


async def test_blocking_takes_one_look_one_act_and_one_read_back(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    assert await run(BlockSignIn(), ctx) == [Done("accountEnabled read as false")]
    assert microsoft.asked() == [f"GET /users/{JANE}", f"PATCH /users/{JANE}", f"GET /users/{JANE}"]
    assert not microsoft.simulator.person(JANE).enabled


async def test_the_namesake_is_left_alone(microsoft: Microsoft) -> None:
    await run(BlockSignIn(), await ready(microsoft, JANE))
    assert microsoft.simulator.person(OTHER_JANE).enabled


async def test_who_is_blocked_already_needs_nothing(microsoft: Microsoft) -> None:
    found = await BlockSignIn().look(await ready(microsoft, DISABLED))
    assert found == Nothing("accountEnabled is already false")


async def test_a_deleted_account_needs_nothing(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    del microsoft.contoso.people[JANE]
    for step in STEPS[:5]:
        assert isinstance(await step.look(ctx), Nothing)


async def test_undoing_a_block_lets_them_in_again(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    item = items(await BlockSignIn().look(ctx))[0]
    await run(BlockSignIn(), ctx)
    assert await BlockSignIn().undo(ctx, item) == Done("accountEnabled read as true")
    assert microsoft.simulator.person(JANE).enabled


async def test_undoing_leaves_blocked_who_was_blocked_before(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, DISABLED)
    item = Item(key="sign-in", title="Sign-in", before={"accountEnabled": False})
    assert isinstance(await BlockSignIn().undo(ctx, item), Done)
    assert microsoft.done() == []


async def test_a_stale_read_back_is_waited_for_and_not_believed(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    microsoft.contoso.lag = 8
    outcomes = await run(BlockSignIn(), ctx)
    assert isinstance(outcomes[0], Waiting)
    assert outcomes[0].seconds < 3
    microsoft.clock.pass_by(8)
    intent = Intent("key", microsoft.clock.now() - timedelta(seconds=8))
    item = Item(key="sign-in", title="Sign-in", before={"accountEnabled": True})
    assert isinstance(await BlockSignIn().confirm(ctx, item, intent, ""), Done)


async def test_reads_back_get_rarer_with_time(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    item = items(await BlockSignIn().look(ctx))[0]
    waits: list[float] = []
    intent = Intent("key", microsoft.clock.now())
    for _ in range(3):
        outcome = await BlockSignIn().confirm(ctx, item, intent, "")
        assert isinstance(outcome, Waiting)
        waits.append(outcome.seconds)
        microsoft.clock.pass_by(31)
    assert waits == [1, 5, 20]


async def test_a_stale_read_may_follow_a_fresh_one(microsoft: Microsoft) -> None:
    """Once Done it is done: the simulator shows why one fresh read must not be asked for twice."""
    ctx = await ready(microsoft, JANE)
    microsoft.contoso.lag, microsoft.contoso.flicker = 60, True
    item = items(await BlockSignIn().look(ctx))[0]
    intent = Intent("key", microsoft.clock.now())
    await BlockSignIn().act(ctx, item, intent)
    seen = [type(await BlockSignIn().confirm(ctx, item, intent, "")) for _ in range(4)]
    assert seen == [Done, Waiting, Done, Waiting]


# --- sessions


async def test_revoking_takes_one_look_one_act_and_is_read_back(microsoft: Microsoft) -> None:
    outcomes = await run(RevokeSessions(), await ready(microsoft, JANE))
    assert outcomes == [Done("sessions are valid only from 2026-11-23 17:00:00 UTC on")]
    assert microsoft.asked() == [
        f"GET /users/{JANE}",
        f"POST /users/{JANE}/revokeSignInSessions",
        f"GET /users/{JANE}",
    ]


async def test_a_revocation_that_answers_true_and_does_nothing_is_not_believed(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    microsoft.contoso.revoke_works = False
    outcomes = await run(RevokeSessions(), ctx)
    assert isinstance(outcomes[0], Waiting)


async def test_what_stood_there_a_moment_ago_is_not_taken_for_ours(microsoft: Microsoft) -> None:
    microsoft.simulator.person(JANE).sessions_valid_from = microsoft.clock.now() - timedelta(seconds=30)
    microsoft.contoso.revoke_works = False
    outcomes = await run(RevokeSessions(), await ready(microsoft, JANE))
    assert isinstance(outcomes[0], Waiting)


async def test_an_older_revocation_is_not_taken_for_ours(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    person = microsoft.simulator.person(JANE)
    item = items(await RevokeSessions().look(ctx))[0]
    intent = Intent("key", microsoft.clock.now())
    person.sessions_valid_from = microsoft.clock.now() - timedelta(minutes=3)
    assert isinstance(await RevokeSessions().confirm(ctx, item, intent, ""), Waiting)
    person.sessions_valid_from = microsoft.clock.now() - timedelta(minutes=1)
    assert isinstance(await RevokeSessions().confirm(ctx, item, intent, ""), Done)


async def test_somebody_who_never_signed_in_can_be_revoked(microsoft: Microsoft) -> None:
    microsoft.simulator.person(JANE).sessions_valid_from = None
    outcomes = await run(RevokeSessions(), await ready(microsoft, JANE))
    assert isinstance(outcomes[0], Done)


async def test_the_second_revocation_can_be_told_from_the_first_within_the_same_second(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    first = await run(RevokeSessions(), ctx)
    second = await run(RevokeSessionsAgain(), ctx)
    assert isinstance(first[0], Done)
    assert isinstance(second[0], Done)
    assert microsoft.done() == ["sessions revoked", "sessions revoked"]
    assert microsoft.clock.slept == [SEND_AFTER]


@pytest.mark.parametrize("stale", [False, True])
async def test_the_first_revocations_effect_never_confirms_the_second(microsoft: Microsoft, stale: bool) -> None:
    ctx = await ready(microsoft, JANE)
    before = items(await RevokeSessionsAgain().look(ctx))[0]
    assert isinstance((await run(RevokeSessions(), ctx))[0], Done)
    microsoft.contoso.revoke_works = False
    item = before if stale else items(await RevokeSessionsAgain().look(ctx))[0]
    intent = Intent("again", microsoft.clock.now())
    await RevokeSessionsAgain().act(ctx, item, intent)
    assert isinstance(await RevokeSessionsAgain().confirm(ctx, item, intent, ""), Waiting)


async def test_a_reset_that_ends_sessions_does_not_hide_the_second_revocation(microsoft: Microsoft) -> None:
    microsoft.contoso.reset_ends_sessions = True
    ctx = await ready(microsoft, JANE)
    await run(ResetPassword(), ctx)
    assert isinstance((await run(RevokeSessionsAgain(), ctx))[0], Done)
    assert microsoft.done() == ["password reset", "sessions revoked"]


def test_the_second_revocation_comes_after_everything_it_mends() -> None:
    assert set(RevokeSessionsAgain.after) == {RevokeSessions.id, BlockSignIn.id, ResetPassword.id}
    assert RevokeSessions.after == RevokeSessions.requires == ()


# --- password


async def test_the_password_is_reset_and_its_time_read_back(microsoft: Microsoft) -> None:
    outcomes = await run(ResetPassword(), await ready(microsoft, JANE))
    assert isinstance(outcomes[0], Done)
    assert microsoft.done() == ["password reset"]
    sent = next(call for call in microsoft.simulator.calls if call.method == "PATCH").body
    assert sent["passwordProfile"] == {"password": "***", "forceChangePasswordNextSignIn": True}
    assert NEW_PASSWORD not in str(outcomes)


@pytest.mark.parametrize("kind", ["guest", "synced", "federated"])
def test_no_reset_where_the_password_is_not_ours(kind: str) -> None:
    assert ResetPassword().wanted({}, PLAIN)
    assert not ResetPassword().wanted({}, PLAIN.model_copy(update={kind: True}))


async def test_a_password_kept_on_premises_is_refused_with_the_fix(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, SYNCED, PLAIN)
    with pytest.raises(Refused, match="Reset it there, twice"):
        await run(ResetPassword(), ctx)


# --- sign-in methods


async def test_every_method_is_an_item_and_the_password_is_none(microsoft: Microsoft) -> None:
    found = items(await RemoveSignInMethods().look(await ready(microsoft, JANE)))
    assert [item.title for item in found] == [
        "Phone (alternateMobile)",
        "Phone (mobile)",
        "Microsoft Authenticator (Jane's phone)",
    ]


async def test_all_methods_go_in_an_order_that_graph_accepts(microsoft: Microsoft) -> None:
    outcomes = await run(RemoveSignInMethods(), await ready(microsoft, JANE))
    assert [type(outcome) for outcome in outcomes] == [Done, Done, Done]
    assert microsoft.simulator.person(JANE).methods == []
    assert [call.status for call in microsoft.simulator.calls if call.method == "DELETE"] == [204, 204, 204]


async def test_an_unexpected_default_method_goes_after_the_others(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    person = microsoft.simulator.person(JANE)
    person.methods.append(SignInMethod("11110000-0000-4000-8000-000000000001", "fido2AuthenticationMethod", "Key"))
    person.default_method = person.methods[-1].id
    outcomes = await run(RemoveSignInMethods(), ctx)
    assert [type(outcome) for outcome in outcomes] == [Done] * 4
    assert person.methods == []


async def test_a_method_gone_already_counts_as_removed(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    found = items(await RemoveSignInMethods().look(ctx))
    microsoft.simulator.person(JANE).methods = []
    intent = Intent("key", microsoft.clock.now())
    for item in found:
        accepted = await RemoveSignInMethods().act(ctx, item, intent)
        assert isinstance(await RemoveSignInMethods().confirm(ctx, item, intent, accepted.reference), Done)


@pytest.mark.parametrize(
    "kind",
    [
        "emailAuthenticationMethod",
        "externalAuthenticationMethod",
        "fido2AuthenticationMethod",
        "microsoftAuthenticatorAuthenticationMethod",
        "platformCredentialAuthenticationMethod",
        "softwareOathAuthenticationMethod",
        "temporaryAccessPassAuthenticationMethod",
        "windowsHelloForBusinessAuthenticationMethod",
    ],
)
async def test_every_kind_that_graph_can_delete_is_deleted(microsoft: Microsoft, kind: str) -> None:
    microsoft.simulator.person(OTHER_JANE).methods = [SignInMethod("22220000-0000-4000-8000-000000000001", kind)]
    outcomes = await run(RemoveSignInMethods(), await ready(microsoft, OTHER_JANE))
    assert isinstance(outcomes[0], Done)
    assert microsoft.simulator.person(OTHER_JANE).methods == []


@pytest.mark.parametrize("kind", ["hardwareOathAuthenticationMethod", "qrCodePinAuthenticationMethod"])
async def test_a_kind_that_only_beta_deletes_is_a_persons_task(microsoft: Microsoft, kind: str) -> None:
    person = microsoft.simulator.person(OTHER_JANE)
    person.methods = [SignInMethod("33330000-0000-4000-8000-000000000001", kind)]
    ctx = await ready(microsoft, OTHER_JANE)
    found = await RemoveSignInMethods().look(ctx)
    assert isinstance(found, Task)
    assert "Authentication methods" in found.instructions
    person.methods.append(SignInMethod(MOBILE, "phoneAuthenticationMethod", "mobile"))
    phone, stuck = items(await RemoveSignInMethods().look(ctx))
    intent = Intent("key", microsoft.clock.now())
    await RemoveSignInMethods().act(ctx, phone, intent)
    with pytest.raises(Refused, match="cannot delete this kind"):
        await RemoveSignInMethods().act(ctx, stuck, intent)


async def test_the_alternate_phone_goes_before_the_mobile_one(microsoft: Microsoft) -> None:
    person = microsoft.simulator.person(OTHER_JANE)
    person.methods = [
        SignInMethod(MOBILE, "phoneAuthenticationMethod", "mobile"),
        SignInMethod(ALTERNATE_MOBILE, "phoneAuthenticationMethod", "alternateMobile"),
    ]
    found = items(await RemoveSignInMethods().look(await ready(microsoft, OTHER_JANE)))
    assert [item.key for item in found] == [ALTERNATE_MOBILE, MOBILE]


def test_methods_go_after_block_and_reset_and_are_said_to_be_gone_for_good() -> None:
    assert set(RemoveSignInMethods.after) == {BlockSignIn.id, ResetPassword.id}
    assert not RemoveSignInMethods.immediate
    assert "register them again" in RemoveSignInMethods.irreversible


# --- whom we may not touch


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
async def test_an_emergency_account_is_refused_by_every_look(microsoft: Microsoft, step: AnyLockOut) -> None:
    ctx = await ready(microsoft, BREAK_GLASS, break_glass=[BREAK_GLASS])
    found = await step.look(ctx)
    assert isinstance(found, Task)
    assert "break-glass" in found.reason
    assert microsoft.asked() == []


@pytest.mark.parametrize("person", [LAST_ADMIN, GROUP_ADMIN])
@pytest.mark.parametrize("step", [BlockSignIn(), ResetPassword(), RemoveSignInMethods()], ids=lambda step: step.id)
async def test_an_administrator_is_a_persons_task_while_our_application_has_no_role(
    microsoft: Microsoft, step: AnyLockOut, person: str
) -> None:
    found = await step.look(await ready(microsoft, person))
    assert isinstance(found, Task)
    assert "Privileged Authentication Administrator" in found.instructions
    assert person in found.instructions


async def test_an_administrators_sessions_are_revoked_all_the_same(microsoft: Microsoft) -> None:
    outcomes = await run(RevokeSessions(), await ready(microsoft, LAST_ADMIN))
    assert isinstance(outcomes[0], Done)


async def test_with_the_role_an_administrator_is_blocked(microsoft: Microsoft) -> None:
    microsoft.contoso.our_roles = (PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,)
    outcomes = await run(BlockSignIn(), await ready(microsoft, LAST_ADMIN))
    assert isinstance(outcomes[0], Done)


async def test_who_became_an_administrator_meanwhile_is_refused_with_the_fix(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    microsoft.simulator.person(JANE).roles = (GLOBAL_ADMINISTRATOR,)
    with pytest.raises(Refused, match="the role Privileged Authentication Administrator or Global Administrator"):
        await run(BlockSignIn(), ctx)
    assert microsoft.done() == []


async def test_a_missing_permission_is_named(microsoft: Microsoft) -> None:
    permissions = [name for name in microsoft.contoso.permissions if name != "User.RevokeSessions.All"]
    microsoft.contoso.permissions = tuple(permissions)
    ctx = await ready(microsoft, JANE)
    with pytest.raises(Refused, match=r"Grant our application User\.RevokeSessions\.All and consent again"):
        await run(RevokeSessions(), ctx)


# --- synced accounts and guests


async def test_a_synced_block_says_that_the_domain_decides(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, SYNCED)
    outcomes = await run(BlockSignIn(), ctx)
    assert isinstance(outcomes[0], Done)
    assert "the domain account decides" in outcomes[0].evidence
    microsoft.clock.pass_by(1800)
    assert items(await BlockSignIn().look(ctx))
    assert microsoft.done() == ["blocked", "enabled again by the domain"]


async def test_a_synced_account_is_looked_after_even_when_the_cloud_shows_it_blocked(microsoft: Microsoft) -> None:
    microsoft.simulator.person(SYNCED).enabled = False
    assert items(await BlockSignIn().look(await ready(microsoft, SYNCED)))[0].before == {"accountEnabled": False}


async def test_the_domain_account_is_a_task_with_exact_names(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, SYNCED)
    assert DomainAccount().wanted({}, ctx.facts)
    found = await DomainAccount().look(ctx)
    assert isinstance(found, Task)
    for word in ("ssynced", "CN=Sam Synced,OU=Staff", "twice", "Start-ADSyncSyncCycle"):
        assert word in found.instructions
    assert "undone by the next sync" in found.reason
    assert not DomainAccount().wanted({}, PLAIN)


async def test_a_guest_is_blocked_and_nothing_else(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, GUEST)
    assert [step.id for step in STEPS if step.wanted({}, ctx.facts)] == [BlockSignIn.id]
    assert isinstance((await run(BlockSignIn(), ctx))[0], Done)


# --- when Graph misbehaves


async def test_a_block_whose_answer_was_lost_is_not_sent_again_by_itself(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    item = items(await BlockSignIn().look(ctx))[0]
    microsoft.simulator.fail(CONTOSO, Fault("lost", match="PATCH"))
    intent = Intent("key", microsoft.clock.now())
    with pytest.raises(Unreachable, match="may or may not have happened"):
        await BlockSignIn().act(ctx, item, intent)
    assert microsoft.done() == ["blocked"]
    again = replace(intent, repeated=True)
    assert isinstance(await BlockSignIn().confirm(ctx, item, again, ""), Done)


async def test_a_write_without_an_answer_in_time_is_a_surprise(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    item = items(await BlockSignIn().look(ctx))[0]
    ctx = replace(ctx, api=await microsoft.connect(changed={"patience": 0.1}))
    microsoft.simulator.fail(CONTOSO, Fault("hang", match="PATCH", seconds=1))
    with pytest.raises(Unreachable, match="no answer within"):
        await BlockSignIn().act(ctx, item, Intent("key", microsoft.clock.now()))
    assert microsoft.done() == ["blocked"]


@pytest.mark.parametrize("kind", ["throttle", "unavailable"])
async def test_a_throttled_write_did_not_happen_and_says_when_to_try_again(microsoft: Microsoft, kind: str) -> None:
    ctx = await ready(microsoft, JANE)
    item = items(await BlockSignIn().look(ctx))[0]
    microsoft.simulator.fail(CONTOSO, Fault(kind, match="PATCH", retry_after="17"))
    with pytest.raises(Throttled) as told:
        await BlockSignIn().act(ctx, item, Intent("key", microsoft.clock.now()))
    assert told.value.retry_after == 17
    assert microsoft.done() == []


async def test_a_concurrent_change_is_to_be_tried_again_shortly(microsoft: Microsoft) -> None:
    ctx = await ready(microsoft, JANE)
    item = items(await BlockSignIn().look(ctx))[0]
    microsoft.simulator.fail(CONTOSO, Fault("error", match="PATCH", status=409, code="Directory_ConcurrencyViolation"))
    with pytest.raises(Throttled):
        await BlockSignIn().act(ctx, item, Intent("key", microsoft.clock.now()))
