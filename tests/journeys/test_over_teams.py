"""The whole way in Teams, nothing left out: the real service as a process, the SDK, signed requests, a tenant."""

from __future__ import annotations

from pathlib import Path

from bot.lab import slack_limits
from bot.lab.sample_clients import MARIA, NOOR, OSKAR, SAM, TECHNICIANS
from bot.lab.teams_cards import read
from connectors.microsoft365 import simulated_people as people
from tests.journeys import test_over_slack as over_slack
from tests.teams_city import TENANTS, TeamsCity, aad

ON = "teams"

INTERVIEW = ("Head of Sales", "Dismissed", "Yes", "Now", "Accept all", "Submit")


async def test_the_manager_offboards_jane_in_teams_and_a_technician_approves(tmp_path: Path) -> None:
    city = TeamsCity(tmp_path)
    await city.start()
    try:
        await _offboarded_in_teams(city)
    finally:
        await city.stop()


async def _offboarded_in_teams(city: TeamsCity) -> None:
    marias = city.chat(MARIA)
    await city.writes(MARIA, "<at>Offboard</at> offboard Jane Doe")
    for label in INTERVIEW:
        await city.presses(MARIA, marias, label)
    jane = city.person(people.JANE)
    approval = await city.sees(city.channel, "Approve")
    assert jane.enabled

    # Maria holds no right to approve, wherever she gets the button from; nor does a stranger.
    await city.presses_then(MARIA, approval, "Approve")
    await city.presses_then(OSKAR, approval, "Approve")
    assert jane.enabled

    before = await city.sees(city.channel, "Approve")
    await city.presses_then(SAM, before, "Approve")
    assert (aad(SAM.user), before.id) in city.teams.views, "the answer to the press is the next card"
    await city.presses_then(SAM, before, "Approve")
    await city.sees(marias, "Jane Doe is locked out since")
    assert not jane.enabled
    assert [effect.what for effect in city.microsoft.effects].count("blocked") == 1

    # A colleague and a stranger learn nothing; a lock screen names nobody.
    for nobody in (NOOR, OSKAR):
        await city.writes(nobody, "status Jane")
        await city.sees(city.chat(nobody), "")
        assert "locked out" not in "".join(read(one) for one in city.chat(nobody)())
    for message in (*marias(), *city.channel()):
        assert "Jane" not in message.summary

    # The service ends when asked, and what it wrote is still there when it comes back.
    await city.bot.stop()
    await city.bot.start()
    await city.bot.until_up()
    await city.writes(MARIA, "status Jane")
    await city.sees(marias, "Jane Doe is locked out since", "shows this again")
    assert city.rows('SELECT "user" FROM home WHERE "user" = ?', aad(MARIA.user))


async def test_a_manager_in_teams_and_a_technician_in_slack_see_the_same_truth(tmp_path: Path) -> None:
    city = TeamsCity(tmp_path, moved=lambda person: person == "maria", channels=False)
    await city.start()
    try:
        await _offboarded_across(city)
    finally:
        await city.stop()


async def _offboarded_across(city: TeamsCity) -> None:
    def channel() -> list[slack_limits.Shown]:
        return city.slack.messages(TECHNICIANS)

    marias = city.chat(MARIA)
    await city.writes(MARIA, "Offboard Jane Doe")
    for label in INTERVIEW:
        await city.presses(MARIA, marias, label)
    await over_slack.presses(city, SAM.user, channel, "Approve")  # type: ignore[arg-type] - it is a city
    await city.sees(marias, "Jane Doe is locked out since")
    await over_slack.shown(city, channel, "Jane Doe is locked out since")  # type: ignore[arg-type]
    assert not city.person(people.JANE).enabled
    assert [effect.what for effect in city.microsoft.effects].count("blocked") == 1
    assert city.slack.private(MARIA.user) == [], "she is written to where she asked"


async def test_a_bot_connector_that_stumbles_loses_no_card(tmp_path: Path) -> None:
    city = TeamsCity(tmp_path)
    await city.start()
    try:
        city.teams.fail("send", 502, times=2)
        city.teams.fail("update", 429, "Throttled", times=2, retry_after="1")
        await city.writes(MARIA, "offboard Sean O'Brien")
        await city.sees(city.chat(MARIA), "Sean O'Brien, Warehouse Lead", seconds=25)
    finally:
        await city.stop()
    log = (tmp_path / "bot.log").read_text()
    for word in ("Sean", "bot-token", "Bearer", "Traceback", TENANTS[MARIA.team] + "/oauth2"):
        assert word not in log
