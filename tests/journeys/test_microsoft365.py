"""The same journeys with the real Microsoft connector over the wire: each awkward person has a right answer."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.facts import GLOBAL_ADMINISTRATOR
from connectors.microsoft365.settings import Microsoft365Settings
from connectors.microsoft365.simulator import Fault, SimulatedMicrosoft
from handlers.cases.states import StepState
from tests.world import World, roster


@dataclass
class Tenant:
    """A world whose Contoso is a simulated tenant."""

    world: World
    microsoft: SimulatedMicrosoft

    async def asks(self, name: str, pick: str = "") -> None:
        """Maria's interview up to the submitted review."""
        await self.world.types("maria", f"/offboard {name}")
        await self.world.clicks("maria", pick or name)
        for label in ("Resigned", "No, on good terms", "Now", "Submit"):
            await self.world.clicks("maria", label)

    def person(self, object_id: str) -> people.Person:
        return self.microsoft.person(object_id)

    async def states(self) -> dict[str, str]:
        """Step → state, without the system's name."""
        return {name.partition(".")[2]: str(row.state) for name, row in (await self.world.steps()).items()}

    def changes(self) -> list[str]:
        return [effect.what for effect in self.microsoft.effects]


def open_secret(_reference: str) -> str:
    return people.SECRET


@pytest.fixture
async def contoso(tmp_path: Path) -> AsyncIterator[Tenant]:
    world: World | None = None
    microsoft = SimulatedMicrosoft(now=lambda: world.clock.now() if world else datetime.now(UTC))
    await microsoft.start()
    settings = Microsoft365Settings.model_validate(
        {**microsoft.settings(people.CONTOSO), "break_glass": [people.BREAK_GLASS]}
    )
    world = await World.build(tmp_path, (), roster(systems={"microsoft365": settings}))
    around = world.house.surroundings
    world.house.surroundings = lambda client: dataclasses.replace(
        around(client), ca_file=microsoft.ca_file, secret=open_secret
    )
    yield Tenant(world, microsoft)
    await world.close()
    await microsoft.stop()


async def test_jane_is_locked_out_of_microsoft_365(contoso: Tenant) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    assert contoso.changes() == []
    await contoso.world.clicks("sam", "Approve")
    jane = contoso.person(people.JANE)
    assert (jane.enabled, jane.methods) == (False, [])
    assert contoso.changes().count("sessions revoked") == 2
    assert set((await contoso.states()).values()) == {"done"}
    assert "Jane Doe is locked out since" in contoso.world.reads("maria")
    assert "Last possible access" in contoso.world.reads("maria")


async def test_the_other_jane_is_untouched(contoso: Tenant) -> None:
    await contoso.asks("Jane Doe", "Warehouse Clerk")
    await contoso.world.clicks("sam", "Approve")
    assert contoso.person(people.JANE).enabled
    assert not contoso.person(people.OTHER_JANE).enabled


@pytest.mark.parametrize(("typed", "found"), [("Sean O'Brien", people.SEAN), ("Zoe", people.ZOE), ("Zoë", people.ZOE)])
async def test_names_with_apostrophes_and_accents_are_found_and_locked_out(
    contoso: Tenant, typed: str, found: str
) -> None:
    await contoso.asks(typed, contoso.person(found).name)
    await contoso.world.clicks("sam", "Approve")
    assert not contoso.person(found).enabled


async def test_a_guest_is_kept_out_of_this_tenant_and_said_to_live_elsewhere(contoso: Tenant) -> None:
    await contoso.asks("Ken Guest")
    assert "They are a guest" in contoso.world.reads("sam")
    await contoso.world.clicks("sam", "Approve")
    assert contoso.changes() == ["blocked"]
    assert "Sign-in as a guest: ended" in contoso.world.reads("maria")


async def test_an_account_blocked_long_ago_is_confirmed_and_its_password_still_reset(contoso: Tenant) -> None:
    await contoso.asks("Dana Gone")
    assert "already blocked" in contoso.world.reads("sam")
    await contoso.world.clicks("sam", "Approve")
    assert "blocked" not in contoso.changes()
    assert "password reset" in contoso.changes()
    assert "Dana Gone is locked out since" in contoso.world.reads("maria")


async def test_a_synced_account_shows_its_domain_account_open_with_a_technician(contoso: Tenant) -> None:
    await contoso.asks("Sam Synced")
    assert "synced from a domain" in contoso.world.reads("sam")
    await contoso.world.clicks("sam", "Approve")
    reads = contoso.world.reads("maria")
    assert "Domain account: OPEN, Sam Lee has it" in reads
    assert "Not fully locked out" in reads
    assert "Sam Synced is locked out" not in reads
    assert "ssynced" in contoso.world.reads("sam")

    steps = await contoso.world.steps()
    note = f"note-{steps['microsoft365.domain_account'].id}"
    await contoso.world.clicks("sam", "I did it by hand", values={note: "disabled on DC01"})
    assert "stated by Sam Lee, not verified" in contoso.world.reads("maria")
    assert "Sam Synced is locked out" not in contoso.world.reads("maria")


async def test_the_last_global_administrator_needs_two_technicians_and_proof(contoso: Tenant) -> None:
    contoso.microsoft.tenants[people.CONTOSO].our_roles = (GLOBAL_ADMINISTRATOR,)
    await contoso.asks("Ada Root")
    assert "No other enabled Global Administrator" in contoso.world.reads("sam")
    without = await contoso.world.clicks("sam", "Approve")
    assert "which other administrator access" in without.line
    await contoso.world.clicks("sam", "Approve", values={"proof-0": "signed in as emergency@ in a private window"})
    assert contoso.changes() == []
    again = await contoso.world.clicks("sam", "Approve", values={"proof-0": "still me"})
    assert "different technician" in again.line
    await contoso.world.clicks("priya", "Approve", values={"proof-0": "signed in too"})
    assert not contoso.person(people.LAST_ADMIN).enabled


def may_not_change_roles(contoso: Tenant) -> None:
    tenant = contoso.microsoft.tenants[people.CONTOSO]
    tenant.permissions = tuple(one for one in tenant.permissions if one != "RoleManagement.ReadWrite.Directory")


async def test_an_administrators_roles_go_first_where_only_they_keep_us_from_blocking(contoso: Tenant) -> None:
    await contoso.asks("Hal Desk")
    assert "Our application may not change them" in contoso.world.reads("sam")
    await contoso.world.clicks("sam", "Approve")
    assert not contoso.person(people.GROUP_ADMIN).enabled
    assert contoso.changes().index("removed from members") < contoso.changes().index("blocked")
    assert "Hal Desk is locked out since" in contoso.world.reads("maria")


async def test_an_administrator_we_may_not_change_is_a_persons_task_said_before_the_approval(contoso: Tenant) -> None:
    may_not_change_roles(contoso)
    await contoso.asks("Hal Desk")
    assert "Our application may not change them" in contoso.world.reads("sam")
    await contoso.world.clicks("sam", "Approve")
    assert "blocked" not in contoso.changes()
    assert "sessions revoked" in contoso.changes()
    assert "Sign-in: OPEN, Sam Lee has it" in contoso.world.reads("maria")


async def test_a_break_glass_account_is_never_touched(contoso: Tenant) -> None:
    await contoso.asks("Emergency Access")
    await contoso.world.clicks("sam", "Approve", values={"proof-0": "there is another"})
    assert contoso.changes() == []


async def test_a_throttled_tenant_is_waited_for_as_it_asked(contoso: Tenant) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    contoso.microsoft.fail(people.CONTOSO, Fault("throttle", calls=1, match="PATCH", retry_after="30"))
    await contoso.world.clicks("sam", "Approve")
    assert "waiting" in (await contoso.states()).values()
    assert "Not fully locked out" in contoso.world.reads("maria")
    await contoso.world.passes(seconds=45)
    assert set((await contoso.states()).values()) == {"done"}


async def test_a_lagging_tenant_is_not_called_done_before_it_shows(contoso: Tenant) -> None:
    contoso.microsoft.tenants[people.CONTOSO].lag = 60
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.world.clicks("sam", "Approve")
    assert not contoso.person(people.JANE).enabled
    assert (await contoso.states())["block_sign_in"] == StepState.WAITING
    assert "Jane Doe is locked out" not in contoso.world.reads("maria")
    await contoso.world.passes(minutes=6)
    assert "Jane Doe is locked out since" in contoso.world.reads("maria")
    assert contoso.changes().count("blocked") == 1


async def test_a_revocation_that_answers_true_and_does_nothing_is_never_called_done(contoso: Tenant) -> None:
    # An administrator we may not change: only the revocation is ours, and nothing else ends the sessions.
    contoso.microsoft.tenants[people.CONTOSO].revoke_works = False
    may_not_change_roles(contoso)
    await contoso.asks("Hal Desk")
    await contoso.world.clicks("sam", "Approve")
    await contoso.world.passes(minutes=10)
    assert (await contoso.states())["revoke_sessions"] == StepState.NEEDS_PERSON
    assert "Open sessions: OPEN" in contoso.world.reads("maria")


async def test_a_timeout_after_success_is_looked_at_and_not_taken_for_a_failure(contoso: Tenant) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    contoso.microsoft.fail(people.CONTOSO, Fault("lost", calls=1, match="PATCH"))
    await contoso.world.clicks("sam", "Approve")
    await contoso.world.passes(minutes=1)
    assert set((await contoso.states()).values()) == {"done"}


async def test_a_tenant_that_withdrew_its_consent_says_how_to_mend_it(contoso: Tenant) -> None:
    contoso.microsoft.tenants[people.CONTOSO].consented = False
    await contoso.world.types("maria", "/offboard Jane Doe")
    await contoso.world.passes(minutes=2)
    reads = contoso.world.reads("maria")
    assert "could not be asked" in reads
    assert "consent" in reads


async def test_the_wrong_person_gets_in_again_by_a_pass_shown_once(contoso: Tenant) -> None:
    await contoso.asks("Jane Doe", "Warehouse Clerk")
    await contoso.world.clicks("sam", "Approve")
    await contoso.world.clicks("sam", "Wrong person")
    assert contoso.person(people.OTHER_JANE).enabled
    reply = await contoso.world.clicks("sam", "Show a one-time way in")
    assert reply.secret is not None
    assert "Temporary Access Pass: " in await reply.secret()


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


async def test_no_password_reaches_the_database_or_a_card(contoso: Tenant, tmp_path: Path) -> None:
    made: list[str] = []
    around = contoso.world.house.surroundings

    def password() -> str:
        made.append(f"Pw-{len(made)}-very-secret-and-long-enough-1!")
        return made[-1]

    contoso.world.house.surroundings = lambda client: dataclasses.replace(around(client), password=password)
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.world.clicks("sam", "Approve")
    assert len(made) == 1
    stored = await asyncio.to_thread(everything_in, tmp_path)
    assert b"very-secret-and-long-enough" not in stored
    assert "very-secret-and-long-enough" not in contoso.world.reads("sam")


async def test_a_block_that_comes_late_is_followed_by_one_more_revocation(contoso: Tenant) -> None:
    """Whoever signed in between the revocation and the late block holds a session no older than the block."""
    await contoso.asks("Jane Doe", "Head of Sales")
    lost = Fault("error", calls=None, match="PATCH", status=403, code="Authorization_RequestDenied")
    contoso.microsoft.fail(people.CONTOSO, lost)
    await contoso.world.clicks("sam", "Approve")
    assert (await contoso.states())["revoke_sessions_again"] == StepState.DONE
    assert "Open sessions: OPEN" in contoso.world.reads("maria")
    contoso.microsoft.faults.clear()
    await contoso.world.passes(minutes=42)
    revoked = contoso.changes().count("sessions revoked")
    for _ in range(2):  # the block, then the password
        await contoso.world.clicks("sam", "Retry")
    assert contoso.changes().count("sessions revoked") > revoked
    assert contoso.changes()[-1] == "sessions revoked"
    assert "Jane Doe is locked out since 17:42" in contoso.world.reads("maria")
    assert "Last possible access: 18:42" in contoso.world.reads("maria")


async def test_a_password_reset_by_hand_is_read_back_as_such(contoso: Tenant) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    lost = Fault("error", calls=None, match="PATCH", status=403, code="Authorization_RequestDenied")
    contoso.microsoft.fail(people.CONTOSO, lost)
    await contoso.world.clicks("sam", "Approve")
    await contoso.world.passes(minutes=20)
    row = (await contoso.world.steps())["microsoft365.reset_password"].id
    note = {f"note-{row}": "reset it in the admin centre"}
    await contoso.world.clicks("sam", "I did it by hand", within="Reset the password", values=note)
    assert (await contoso.states())["reset_password"] in {StepState.TASK, StepState.NEEDS_PERSON}
    contoso.person(people.JANE).password_changed = contoso.world.clock.now()
    await contoso.world.passes(minutes=5)
    await contoso.world.clicks("sam", "I did it by hand", within="Reset the password", values=note)
    assert (await contoso.states())["reset_password"] == StepState.DONE
