"""The report at the end: what was done, handed to whom, saved, left to a person, kept until when; a line to paste."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.microsoft365 import simulated_people as people
from connectors.microsoft365.simulated_people import CONTOSO
from connectors.microsoft365.simulator import Fault
from tests.company import Company, company
from tests.world import words


@pytest.fixture
async def contoso(tmp_path: Path) -> AsyncIterator[Company]:
    """The whole company, its bill and its ticket included; what is left of a leaver is kept for 30 days."""
    async with company(tmp_path, paperwork=True, keep_days=30) as built:
        yield built


def report(contoso: Company, reader: str) -> str:
    return words(contoso.world.card(reader, "Report on case 1: Jane Doe").card)


async def leaves(contoso: Company) -> None:
    await contoso.asks("Jane Doe", "Head of Sales")
    await contoso.approved()
    await contoso.world.clicks("bill", "Approve the bill")
    await contoso.world.passes(minutes=30)


async def test_whoever_asked_reads_what_became_of_everything(contoso: Company) -> None:
    await leaves(contoso)
    read = report(contoso, "maria")
    assert "Jane Doe is locked out since 17:00." in read
    for part in ("Done, each read back", "Handed over", "What is saved", "Still with a person", "To come, by date"):
        assert part in read
    done = read.partition("Done, each read back\n")[2]
    # What was done first stands first, each system on a line of its own.
    assert done.startswith("Microsoft 365: End open sessions, Block sign-in, Reset the password, ")
    assert "\nExchange Online: " in done
    assert "Who gets their OneDrive files (4.2 GB)?: Maria Rossi (maria@contoso.example)" in read
    assert "65.50 GBP a month from 1 Dec 2026, 102.40 GBP a month from 24 Aug 2027." in read
    assert "What was kept: 23 Dec 2026, then you are asked again" in read
    assert "Equipment in ConnectWise – Sam Lee" in read
    assert "Pay for one seat less: Microsoft 365 E3: 24 Aug 2027" in read
    assert "USD" not in read  # what the provider pays is nobody's at the client


async def test_technicians_have_a_line_to_paste_for_the_client(contoso: Company) -> None:
    await leaves(contoso)
    line = "Jane's access ended 17:00; checked in 8 places. What was open then can work until 18:00 at the latest."
    assert line in report(contoso, "sam")
    assert "to paste" not in report(contoso, "maria")


async def test_there_is_nothing_to_paste_while_a_way_in_is_open(contoso: Company) -> None:
    contoso.companies.microsoft.fail(CONTOSO, Fault("error", None, f"PATCH /users/{people.JANE}", status=403))
    await leaves(contoso)
    assert "Not fully locked out" in report(contoso, "sam")
    assert "to paste" not in report(contoso, "sam")
