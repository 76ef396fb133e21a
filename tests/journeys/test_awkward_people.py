"""The people no simple script gets right: each has a right answer, in Microsoft 365, Exchange and the domain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.lab.companies import SALES_TEAM
from connectors.active_directory import simulated_people as domain
from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import CONTOSO
from connectors.microsoft365.simulated_things import E3, Group
from tests.company import Company, company


@pytest.fixture
async def contoso(tmp_path: Path) -> AsyncIterator[Company]:
    """The whole company."""
    async with company(tmp_path) as built:
        yield built


async def test_janes_whole_microsoft_life_ends_in_six_presses_and_one_approval(contoso: Company) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    assert contoso.presses == 6
    await contoso.approved()
    await contoso.world.passes(minutes=20)
    jane, mailbox = contoso.person(people.JANE), contoso.mailbox(people.JANE)
    assert (jane.enabled, jane.methods, jane.licences) == (False, [], [])
    assert (mailbox.kind, mailbox.hidden, mailbox.forwarding_smtp) == ("SharedMailbox", True, "")
    assert [rule.name for rule in mailbox.rules] == ["Newsletters", "Junk E-mail Rule"]
    assert mailbox.full_access == {people.MARIA: False}
    assert not any(mailbox.protocols[name] for name in ("PopEnabled", "ImapEnabled", "ActiveSyncEnabled"))
    assert mailbox.protocols["OWAEnabled"]  # for the one who takes over
    team = contoso.companies.microsoft.tenants[CONTOSO].groups[SALES_TEAM]
    assert (team.owners, people.JANE in team.members) == ((people.MARIA,), False)
    assert [one.person for one in jane.drive.permissions] == [people.MARIA] if jane.drive else False
    assert "Jane Doe is locked out since" in contoso.world.reads("maria")
    left = {name for name, state in (await contoso.states()).items() if state != "done"}
    assert left == {"exchange.groups_by_hand"}  # a list the domain decides, one by a rule, one she owns


async def test_no_licence_goes_before_the_mailbox_reads_as_shared(contoso: Company) -> None:
    contoso.companies.exchange.organisations[CONTOSO].conversion_lag = 300
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    await contoso.world.passes(minutes=4)
    assert contoso.person(people.JANE).licences
    assert (await contoso.states())["exchange.convert_to_shared"] == "waiting"
    await contoso.world.passes(minutes=10)
    assert contoso.mailbox(people.JANE).kind == "SharedMailbox"
    assert contoso.person(people.JANE).licences == []


async def test_a_hybrid_user_is_ended_in_the_domain_and_checked_after_the_sync(contoso: Company) -> None:
    await contoso.asks("Sam Synced")
    await contoso.approved()
    sam = contoso.companies.domain.domain.people[domain.SAM]
    assert sam.control & 2
    assert contoso.companies.domain.domain.computers[domain.LAPTOP].control & 2
    assert "microsoft365.domain_account" not in await contoso.states()  # nobody is asked to do it by hand
    assert "Domain account: ended" in contoso.world.reads("maria")
    assert "Sign-in after the next sync from the domain: not ended yet" in contoso.world.reads("maria")
    assert "Sam Synced is locked out since" not in contoso.world.reads("maria")
    await contoso.world.passes(minutes=45)
    assert not contoso.person(people.SYNCED).enabled
    assert "still blocked after the sync of" in (await contoso.reasons())["microsoft365.check_after_sync"]
    assert "Sam Synced is locked out since" in contoso.world.reads("maria")
    groups = contoso.companies.domain.domain.groups.values()
    assert not [group.name for group in groups if sam.guid in group.members]
    assert contoso.person(people.SYNCED).licences  # the mailbox is the domain's to convert: nothing is lost meanwhile
    assert "Set-RemoteMailbox" in contoso.world.reads("sam")
    assert "exchange.hide_in_the_domain" not in await contoso.states()  # the domain itself does it
    assert sam.hidden == "TRUE"


async def test_a_group_of_the_domain_that_gives_the_licence_is_kept_until_the_mailbox_is_safe(contoso: Company) -> None:
    giving = Group("sg-planning", domain.PLANNING, members=(people.SYNCED,), synced=True, licences=(E3,))
    contoso.companies.microsoft.tenants[CONTOSO].groups[giving.id] = giving
    await contoso.asks("Sam Synced")
    await contoso.approved()
    await contoso.world.passes(minutes=45)
    sam = contoso.companies.domain.domain.people[domain.SAM]
    groups = contoso.companies.domain.domain.groups.values()
    assert [group.name for group in groups if sam.guid in group.members] == [domain.PLANNING]
    assert (await contoso.states())["active_directory.leave_groups"] == "needs a person"
    assert "gives the licence it lives on" in contoso.world.reads("sam")


async def test_the_technicians_read_which_account_it_is_in_each_system_and_how_it_was_matched(contoso: Company) -> None:
    await contoso.asks("Sam Synced")
    reads = contoso.world.reads("sam")
    assert "Microsoft 365: sam.synced@contoso.example, chosen by Maria Rossi" in reads
    assert "Exchange Online: sam.synced@contoso.example" in reads
    assert "Active Directory: sam.synced@contoso.example, tied to it by Entra Connect (immutable id)" in reads
    assert "Other systems:" not in reads


async def test_a_domain_nobody_reaches_is_a_task_and_the_headline_says_so(contoso: Company) -> None:
    await contoso.companies.domain.stop()
    await contoso.asks("Sam Synced")
    assert "Active Directory could not be read" in contoso.world.reads("sam")
    await contoso.approved()
    await contoso.world.passes(minutes=5)
    assert not contoso.person(people.SYNCED).enabled
    assert "Active Directory: OPEN, Sam Lee has it" in contoso.world.reads("maria")
    assert "Not fully locked out" in contoso.world.reads("maria")
    await contoso.world.passes(minutes=40)
    assert contoso.person(people.SYNCED).enabled is False or "Not fully locked out" in contoso.world.reads("maria")
    assert "Sam Synced is locked out since" not in contoso.world.reads("maria")


async def test_a_sync_that_turns_the_account_on_again_is_seen_and_told(tmp_path: Path) -> None:
    async with company(tmp_path, without=("active_directory",)) as contoso:
        await contoso.asks("Sam Synced")
        await contoso.approved()
        assert "Domain account: OPEN, Sam Lee has it" in contoso.world.reads("maria")
        await contoso.world.passes(minutes=45)
        assert "needs a person" in contoso.world.reads("sam")
        assert (await contoso.states())["microsoft365.check_after_sync"] == "needs a person"
        assert "Sam Synced is locked out since" not in contoso.world.reads("maria")


async def test_a_service_account_is_pointed_out_before_anybody_decides(contoso: Company) -> None:
    await contoso.asks("svc-scanner")
    assert "This looks like an account for a machine or a service" in contoso.world.reads("sam")
    assert contoso.person(people.SERVICE).enabled


async def test_a_meeting_room_is_nobody_and_its_mailbox_nobodys(contoso: Company) -> None:
    await contoso.begins("Boardroom")
    await contoso.accepts()
    assert "What becomes of Boardroom's mailbox?" not in contoso.world.reads("maria")
    await contoso.clicks("Submit")
    assert "This is a room mailbox, not a person" in contoso.world.reads("sam")
    await contoso.approved()
    assert contoso.mailbox(people.ROOM).kind == "RoomMailbox"
    assert any(contoso.mailbox(people.ROOM).protocols.values())


async def test_somebody_deleted_last_week_is_found_and_nothing_is_claimed_to_be_done(contoso: Company) -> None:
    await contoso.world.types("maria", "/offboard Dieter Left")
    assert "account deleted on 2026-11-18" in contoso.world.reads("maria")
    await contoso.world.clicks("maria", "Dieter Left")
    for label in ("Resigned", "No, on good terms", "Now", "Accept all recommended", "Submit"):
        await contoso.clicks(label)
    assert "Until 2026-12-18 it can be restored" in contoso.world.reads("sam")
    await contoso.approved()
    assert contoso.companies.microsoft.effects == []
    assert "the account does not exist any more" in (await contoso.reasons())["microsoft365.block_sign_in"]


async def test_the_sole_owner_of_four_teams_hands_them_over_before_leaving_them(contoso: Company) -> None:
    await contoso.asks("Olivia Owner")
    assert "They alone own Project 1, Project 2, Project 3, Project 4. Who takes over?" in contoso.world.reads("sam")
    await contoso.approved()
    await contoso.world.passes(minutes=30)
    groups = contoso.companies.microsoft.tenants[CONTOSO].groups
    for team in people.TEAMS:
        assert groups[team].owners == (people.MARIA,)
        assert people.OLIVIA not in groups[team].members
    effects = [f"{one.what} {one.detail}" for one in contoso.companies.microsoft.effects]
    handed = [place for place, what in enumerate(effects) if "added to owners" in what]
    left = [place for place, what in enumerate(effects) if "removed from owners" in what]
    assert handed
    assert max(handed) < min(left)


async def test_a_dynamic_and_a_domain_group_are_reported_and_not_touched(contoso: Company) -> None:
    await contoso.asks("Olivia Owner")
    await contoso.approved()
    await contoso.world.passes(minutes=30)
    kept = contoso.groups_of(people.OLIVIA)
    assert {"Everybody", "Domain printers"} <= kept
    reads = contoso.world.reads("sam")
    assert "Everybody keeps them by its rule user.accountEnabled -eq true" in reads
    assert "Domain printers is decided in the domain" in reads


async def test_a_licence_by_group_goes_with_the_group_once_the_mailbox_can_do_without(contoso: Company) -> None:
    await contoso.asks("Olivia Owner")
    await contoso.approved()
    await contoso.world.passes(minutes=30)
    assert "Licensed E3" not in contoso.groups_of(people.OLIVIA)
    assert contoso.mailbox(people.OLIVIA).kind == "SharedMailbox"
    assert contoso.person(people.OLIVIA).licences == []


async def test_a_60_gb_mailbox_on_hold_becomes_shared_and_keeps_its_licence(contoso: Company) -> None:
    await contoso.begins("Helga Hold")
    await contoso.accepts()
    assert "Shared mailbox, keeps its licence" in contoso.world.reads("maria")
    await contoso.clicks("Submit")
    await contoso.approved()
    await contoso.world.passes(minutes=30)
    assert contoso.mailbox(people.HELGA).kind == "SharedMailbox"
    assert contoso.mailbox(people.HELGA).litigation_hold
    assert contoso.person(people.HELGA).licences
    assert (
        "stays: the shared mailbox needs it, as decided" in (await contoso.reasons())["microsoft365.release_licences"]
    )


async def test_somebody_twelve_people_report_to_hands_them_to_their_own_manager(contoso: Company) -> None:
    await contoso.begins("Wanda Shift")
    await contoso.accepts()
    assert "12 people report to them. Who is the new manager?" in contoso.world.reads("maria")
    await contoso.clicks("Submit")
    await contoso.approved()
    await contoso.world.passes(minutes=30)
    for worker in (*people.WORKERS, people.OTHER_JANE):
        assert contoso.person(worker).manager == people.MARIA


async def test_somebody_without_a_mailbox_is_asked_nothing_about_one_and_loses_their_licence(
    contoso: Company,
) -> None:
    del contoso.companies.exchange.organisations[CONTOSO].mailboxes[people.OLIVIA]
    contoso.person(people.OLIVIA).mailbox = None
    await contoso.begins("Olivia Owner")
    await contoso.accepts()
    assert "mailbox?" not in contoso.world.reads("maria")
    await contoso.clicks("Submit")
    await contoso.approved()
    await contoso.world.passes(minutes=30)
    assert contoso.person(people.OLIVIA).licences == []
    assert "Olivia Owner is locked out since" in contoso.world.reads("maria")


async def test_a_leaver_who_is_a_technician_of_the_bot_approves_and_learns_nothing(tmp_path: Path) -> None:
    async with company(tmp_path) as contoso:
        roster = contoso.world.house.roster
        sam = roster.people[2].model_copy(update={"directory": {"contoso": people.ZOE}})
        contoso.world.house.roster = roster.model_copy(update={"people": (*roster.people[:2], sam, *roster.people[3:])})
        await contoso.asks("Zoë Müller", "Zoë Müller")
        approve, place = contoso.world.button("priya", "Approve")
        await contoso.world.presses("sam", approve, place)
        assert contoso.person(people.ZOE).enabled
        assert (await contoso.world.types("sam", "/offboard-status Zoë")).line == "I have no case 'Zoë' for you."
        await contoso.world.clicks("priya", "Approve")
        assert not contoso.person(people.ZOE).enabled


async def test_what_stays_by_choice_is_a_persons_task_and_is_never_called_ended(contoso: Company) -> None:
    await contoso.begins("Jane Doe", "Head of Sales")
    await contoso.clicks("Some access stays")
    await contoso.clicks("Confirm", text="Mail until 31 December")
    stopped = await contoso.accepts()
    assert stopped == ""
    await contoso.clicks("Submit")
    await contoso.approved()
    await contoso.world.passes(minutes=5)
    assert contoso.person(people.JANE).enabled
    assert "Sign-in: OPEN by the client's choice: Mail until 31 December" in contoso.world.reads("maria")
    assert "is locked out since" not in contoso.world.reads("maria")
    assert "What stays, and until when, in the requester's words: Mail until 31 December" in contoso.world.reads("sam")
    assert contoso.person(people.JANE).licences


async def test_a_backup_comes_before_anything_is_taken_away(contoso: Company) -> None:
    await contoso.asks("Jane Doe", "Head of Sales", contentious=True)
    await contoso.approved()
    await contoso.world.passes(minutes=20)
    assert contoso.mailbox(people.JANE).litigation_hold  # held with the lock-out, because it is contentious
    assert "Sales files" in contoso.groups_of(people.JANE)
    steps = await contoso.world.steps()
    assert steps["microsoft365.take_backup"].plan_id == steps["microsoft365.block_sign_in"].plan_id
    note = f"note-{steps['microsoft365.take_backup'].id}"
    await contoso.world.clicks(
        "sam", "I did it by hand", values={note: "Veeam job 12, restored one mail"}, within="Take a backup"
    )
    await contoso.world.passes(minutes=20)
    assert "Sales files" not in contoso.groups_of(people.JANE)


async def test_deleting_a_mailbox_takes_two_technicians_and_ground(contoso: Company) -> None:
    await contoso.begins("Jane Doe", "Head of Sales")
    await contoso.clicks("Everything ends")
    await contoso.clicks("Back up, then delete")
    await contoso.clicks("A backup that exists")
    await contoso.clicks("Confirm", text="Veeam, job 12, tested by Priya")
    await contoso.accepts()
    await contoso.clicks("Submit")
    assert "2 different technicians must approve." in contoso.world.reads("sam")
    await contoso.world.clicks("sam", "Approve all")
    assert not contoso.person(people.JANE).enabled  # the lock-out needs only one
    await contoso.world.passes(minutes=5)
    assert "Sales files" in contoso.groups_of(people.JANE)  # the rest waits for its second yes
    await contoso.world.clicks("priya", "Approve")
    await contoso.world.passes(minutes=20)
    assert contoso.mailbox(people.JANE).kind == "UserMailbox"  # a person deletes it, by these instructions
    assert "take the Exchange licence off" in contoso.world.reads("sam")
    assert contoso.person(people.JANE).licences


async def test_what_is_kept_is_kept_as_long_as_the_client_says_and_brought_up_then(tmp_path: Path) -> None:
    async with company(tmp_path, keep_days=90, defaults={"mailbox": "keep"}) as contoso:
        await contoso.begins("Olivia Owner")
        await contoso.accepts()
        assert "What becomes of Olivia Owner's mailbox?\nKeep it as it is" in contoso.world.reads("maria")
        await contoso.clicks("Submit")
        await contoso.approved()
        await contoso.world.passes(minutes=30)
        for row in [row for row in (await contoso.world.steps()).values() if row.state in {"task", "needs a person"}]:
            await contoso.world.clicks("sam", "Skip", within=row.title, values={f"note-{row.id}": "settled"})
        assert "What was kept is kept until 21 Feb 2027 at least" in contoso.world.reads("maria")
        await contoso.world.passes(days=91)
        assert "has been kept for 90 days, as agreed. Keep it on, or delete it?" in contoso.world.reads("maria")
        assert contoso.mailbox(people.OLIVIA).kind == "UserMailbox"


async def test_the_wrong_person_gets_everything_back_that_can_be_given_back(contoso: Company) -> None:
    protocols = dict(contoso.mailbox(people.JANE).protocols)
    groups, licences = contoso.groups_of(people.JANE), list(contoso.person(people.JANE).licences)
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    await contoso.world.passes(minutes=20)
    await contoso.world.clicks("sam", "Wrong person")
    await contoso.world.passes(minutes=10)
    jane, mailbox = contoso.person(people.JANE), contoso.mailbox(people.JANE)
    assert jane.enabled
    assert mailbox.protocols == protocols
    assert (mailbox.kind, mailbox.hidden, mailbox.full_access) == ("UserMailbox", False, {})
    assert contoso.groups_of(people.JANE) == groups
    assert jane.licences == licences
    team = contoso.companies.microsoft.tenants[CONTOSO].groups[SALES_TEAM]
    assert people.JANE in team.owners
    await contoso.world.passes(hours=2)
    assert contoso.person(people.JANE).enabled


async def test_wiping_a_device_takes_two_technicians_and_a_persons_hand(contoso: Company) -> None:
    await contoso.begins("Jane Doe", "Head of Sales")
    while "(Wipe it)" not in contoso.world.reads("maria"):
        label = next(
            button.label for button in contoso.world.card("maria", "Case 1").card.buttons if button.style == "primary"
        )
        await contoso.clicks(label)
    await contoso.clicks("Wipe it")
    await contoso.accepts()
    await contoso.clicks("Submit")
    await contoso.approved()
    await contoso.world.passes(minutes=5)
    assert contoso.person(people.JANE).licences  # the rest waits for its second yes
    await contoso.world.clicks("priya", "Approve")
    await contoso.world.passes(minutes=20)
    assert "open Devices > JANE-LAPTOP > Wipe" in contoso.world.reads("sam")


async def test_a_licence_goes_to_the_person_named_and_nobody_is_recommended_for_it(contoso: Company) -> None:
    await contoso.begins("Jane Doe", "Head of Sales")
    await contoso.clicks("Everything ends")
    while "(Give them to somebody)" not in contoso.world.reads("maria"):
        label = next(
            button.label for button in contoso.world.card("maria", "Case 1").card.buttons if button.style == "primary"
        )
        await contoso.clicks(label)
    await contoso.clicks("Give them to somebody")
    assert await contoso.accepts() == "Stopped at 'Who gets the licences?': name a person."
    await contoso.clicks("Find", somebody="Zoe")
    await contoso.clicks("Zoë Müller, Accountant")
    await contoso.accepts()
    await contoso.clicks("Submit")
    await contoso.approved()
    await contoso.world.passes(minutes=20)
    assert contoso.person(people.JANE).licences == []
    assert [one.sku for one in contoso.person(people.ZOE).licences] == [E3]


async def test_how_much_access_ends_is_never_left_for_later(contoso: Company) -> None:
    await contoso.begins("Jane Doe", "Head of Sales")
    assert "Does all access end, or does some of it stay?" in contoso.world.reads("maria")
    assert "(Decide later)" not in contoso.world.reads("maria")
    await contoso.clicks("Everything ends")
    assert "(Decide later)" in contoso.world.reads("maria")


async def test_what_is_undecided_keeps_mailbox_files_and_licence_as_they_are(contoso: Company) -> None:
    await contoso.begins("Jane Doe", "Head of Sales")
    await contoso.clicks("Everything ends")
    while "(Submit)" not in contoso.world.reads("maria"):
        await contoso.clicks("Decide later" if "(Decide later)" in contoso.world.reads("maria") else "Nothing else")
    await contoso.clicks("Submit")
    await contoso.approved()
    await contoso.world.passes(minutes=30)
    jane, mailbox = contoso.person(people.JANE), contoso.mailbox(people.JANE)
    assert not jane.enabled
    assert (mailbox.kind, mailbox.full_access, len(mailbox.meetings)) == ("UserMailbox", {}, 4)
    assert jane.licences
    assert jane.drive is not None
    assert jane.drive.permissions == []
    assert "Still to decide" in contoso.world.reads("maria")
