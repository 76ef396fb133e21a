"""A system that was silent while the questions were asked: its own are asked as soon as it answers."""

from __future__ import annotations

from pathlib import Path

from connectors.microsoft365.simulated_people import CONTOSO, JANE, MARIA
from connectors.microsoft365.simulator import Fault
from tests.company import company


async def test_what_a_silent_system_asks_is_asked_before_anything_but_the_lock_out_is_planned(tmp_path: Path) -> None:
    async with company(tmp_path) as contoso:
        silent = Fault("error", match="GET /roleManagement/directory/roleAssignments")
        contoso.companies.microsoft.fail(CONTOSO, silent)
        await contoso.begins("Jane Doe", "Head of Sales")
        assert "OneDrive" not in contoso.world.reads("maria")
        await contoso.accepts()
        await contoso.clicks("Nobody")
        await contoso.accepts()
        await contoso.clicks("Submit")
        await contoso.world.passes(minutes=2)
        assert [plan.kind for plan in await contoso.world.plans()] == ["lock-out"]
        assert await contoso.accepts() == ""
        assert "Who gets their OneDrive files" in contoso.world.reads("maria")
        await contoso.clicks("Submit")
        await contoso.approved()
        await contoso.world.passes(hours=1)
        assert (await contoso.states())["microsoft365.hand_over_groups"] == "done"
        assert not contoso.person(JANE).licences
        drive = contoso.person(JANE).drive
        assert drive is not None
        assert [one.person for one in drive.permissions] == [MARIA]
