"""The mailbox of somebody whose account a domain decides: what is opened for others must not let them in again."""

from __future__ import annotations

from pathlib import Path

from connectors.active_directory.simulated_people import SAM
from connectors.microsoft365 import simulated_people as people
from tests.company import company

DOMAIN = ("active_directory",)


async def test_the_mailbox_stays_shut_to_all_while_the_next_sync_could_let_the_leaver_in_again(tmp_path: Path) -> None:
    async with company(tmp_path, without=DOMAIN) as contoso:
        await contoso.asks("Sam Synced")
        await contoso.approved()
        await contoso.world.passes(hours=1)
        assert contoso.person(people.SYNCED).enabled  # nobody disabled the domain account, and the sync came by
        assert (await contoso.states())["exchange.restore_web_access"] == "pending"
        assert contoso.mailbox(people.SYNCED).protocols["OWAEnabled"] is False
        assert contoso.mailbox(people.SYNCED).full_access


async def test_it_opens_to_its_new_user_once_the_block_has_survived_a_sync(tmp_path: Path) -> None:
    async with company(tmp_path) as contoso:
        await contoso.asks("Sam Synced")
        await contoso.approved()
        assert (await contoso.states())["exchange.restore_web_access"] == "pending"
        await contoso.world.passes(hours=1)
        assert contoso.companies.domain.domain.people[SAM].control & 2
        assert (await contoso.states())["exchange.restore_web_access"] == "done"
        assert contoso.mailbox(people.SYNCED).protocols["OWAEnabled"] is True
