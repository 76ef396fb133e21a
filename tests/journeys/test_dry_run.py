"""A dry run: everything but the acts, and what the live run then does is what it said."""

from __future__ import annotations

import re
from pathlib import Path

from sqlmodel import select

from bot.lab.companies import Companies
from connectors.microsoft365 import simulated_people as people
from handlers.cases.tables import ItemRow
from handlers.people import Client
from tests.company import Company, company
from tests.journeys import locks_out
from tests.toy import Toy, ToyWorld
from tests.world import World, roster


def changes(companies: Companies) -> int:
    """What any of the vendors has been asked to change."""
    paper = companies.paperwork
    journals = (companies.microsoft, companies.exchange, companies.domain, paper.pax8, paper.connectwise)
    return sum(len(journal.effects) for journal in journals)


async def meant(contoso: Company) -> dict[str, set[str]]:
    """Title of a step → what it would change, or changed, as the cards say it."""
    rows = {row.id: row for row in await contoso.world.rows()}
    items = await contoso.world.house.store.read(lambda session: list(session.exec(select(ItemRow))))
    found: dict[str, set[str]] = {}
    for item in items:
        found.setdefault(rows[item.step_id].title, set()).add(item.title)
    return found


async def offboarded(contoso: Company) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    await contoso.world.clicks("bill", "Approve the bill")
    await contoso.world.passes(minutes=40)


def test_a_new_client_begins_with_a_dry_run() -> None:
    assert Client(id="new", name="New Ltd").dry_run


async def test_a_dry_run_changes_nothing_anywhere_and_every_card_says_so(tmp_path: Path) -> None:
    async with company(tmp_path, paperwork=True, dry_run=True) as contoso:
        before = changes(contoso.companies)
        await offboarded(contoso)
        assert changes(contoso.companies) == before
        assert contoso.person(people.JANE).enabled
        assert contoso.companies.paperwork.connectwise.tickets == []
        assert set((await contoso.states()).values()) <= {"rehearsed", "done"}
        for reader in ("maria", "sam"):
            assert "Dry run: nothing was changed. Jane Doe's access is as it was." in contoso.world.reads(reader)
            assert "is locked out" not in contoso.world.reads(reader)
        assert "OPEN: a dry run, nothing was changed" in contoso.world.reads("maria")
        assert "Wrong person" not in contoso.world.reads("sam")
        assert "What the live run would do" in contoso.world.reads("sam")
        assert "Dry run, case 1: the bill after Jane Doe" in contoso.world.reads("bill")
        for reader in ("maria", "sam"):
            assert "What would be saved" in contoso.world.reads(reader)
            assert "Handed over" not in contoso.world.reads(reader)
        # An hour later nothing is read back either: nothing was done.
        await contoso.world.passes(hours=2)
        assert changes(contoso.companies) == before


async def test_what_needs_a_person_is_shown_and_asks_nobody(tmp_path: Path) -> None:
    async with company(tmp_path, paperwork=True, dry_run=True) as contoso:
        await offboarded(contoso)
        assert "A person's task: only people know what becomes of each." in contoso.world.reads("sam")
        assert "(I did it by hand)" not in contoso.world.reads("sam")


async def test_a_dry_run_has_ended_nothing_not_even_what_was_shut_already(tmp_path: Path) -> None:
    async with company(tmp_path, paperwork=True, dry_run=True) as contoso:
        await contoso.asks("Sean O'Brien")
        await contoso.approved()
        assert "Phones, keys and apps registered for sign-in: nothing there to end" in contoso.world.reads("maria")
        for reader in ("maria", "sam"):
            assert re.search(r": ended \d", contoso.world.reads(reader)) is None


async def test_who_has_no_way_in_left_is_not_locked_out_by_a_dry_run(tmp_path: Path, toys: ToyWorld) -> None:
    jane = next(one for one in toys.people.values() if one.account.name == "Jane Doe")
    jane.open, jane.doors = False, []
    world = await World.build(tmp_path, (Toy(toys),), roster(dry_run=True))
    await locks_out(world)
    assert {row.state for row in await world.rows()} == {"done"}
    assert "Dry run: nothing was changed." in world.reads("maria")
    for reader in ("maria", "sam"):
        assert "access ended" not in world.reads(reader)
        assert "locked out since" not in world.reads(reader)
    assert "locked out" not in [row.what for row in await world.history()]
    await world.close()


async def test_the_live_run_does_what_the_dry_run_said(tmp_path: Path) -> None:
    (tmp_path / "dry").mkdir()
    (tmp_path / "live").mkdir()
    async with company(tmp_path / "dry", paperwork=True, dry_run=True) as rehearsal:
        await offboarded(rehearsal)
        said = {row.title: row.reason for row in await rehearsal.world.rows() if row.state == "rehearsed"}
        found_so = {row.title for row in await rehearsal.world.rows() if row.state == "done"}
    async with company(tmp_path / "live", paperwork=True) as live:
        await offboarded(live)
        done = await meant(live)
        steps = {row.title: row for row in await live.world.rows()}
    for step, reason in said.items():
        if not reason.startswith("Would change: "):
            continue
        would = set(re.sub(r"\. Can't be undone: .*", "", reason.removeprefix("Would change: ")).split(", "))
        assert would == {part for title in done[step] for part in title.split(", ")}, step
        assert steps[step].state == "done", step
    # Nothing was changed that the dry run did not announce: by its items, or as what it could not see yet.
    announced = {step for step, reason in said.items() if not reason.startswith("A person's task")}
    assert set(done) <= announced | found_so
    tasks = {step for step, reason in said.items() if reason.startswith("A person's task")}
    assert {step for step, row in steps.items() if row.state == "task"} == tasks
