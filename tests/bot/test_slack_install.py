"""Installing the app from its page, as a client's administrator does it in a browser, and taking it away again."""

from __future__ import annotations

import asyncio
import html
import logging
import re
import stat
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography.fernet import Fernet

from bot.lab.fake_slack import FakeSlack
from bot.lab.fake_slack_installs import FakeInstalls
from bot.slack.edge import NOT_CONNECTED
from bot.slack.install import COOKIE, INSTALL, LIFETIME, MOST, REDIRECT, SCOPES, States
from bot.slack.service import SlackService
from bot.slack.settings import Slack
from handlers.conversation import Actor, ChatError, Place
from tests.bot.cards import APPROVAL
from tests.bot.conftest import SECRET, ToldHouse

# slack_sdk signs in to Slack with a class aiohttp is about to drop; that is theirs to mend.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")

CLIENT_SECRET = "the-client-secret"
TEAMS = {"T0PROVIDER": "msp", "T0CONTOSO": "contoso", "T0FABRIKAM": ["fabrikam", "fabrikam-uk"]}
MARA = Actor("slack", "T0CONTOSO", "U0MARA")
HEARD = Place("slack", "T0CONTOSO", "C0GENERAL")


@dataclass
class Browser:
    """Somebody's browser at the install page: it keeps the page's cookie and sends it back."""

    url: str
    session: aiohttp.ClientSession
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])

    async def opens(self, address: str) -> tuple[int, str]:
        """The page's status and text."""
        sent = {"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}
        async with self.session.get(address, headers=sent, allow_redirects=False) as answer:
            self.headers = {name.lower(): value for name, value in answer.headers.items()}
            given = re.match(rf"{COOKIE}=([^;]*);", answer.headers.get("Set-Cookie", ""))
            self.cookie = given[1] if given else self.cookie
            return answer.status, html.unescape(await answer.text())

    async def begins(self, query: str = "") -> str:
        """Opens the install page; answers where its link leads."""
        status, page = await self.opens(f"{self.url}{INSTALL}{query}")
        assert status == 200
        return re.findall(r'href="([^"]+/oauth/v2/authorize[^"]+)"', page)[0]


@dataclass
class Desk:
    """The service with its pages, a Slack that lets people install, and the file of installations."""

    slack: FakeSlack
    installs: FakeInstalls
    house: ToldHouse
    service: SlackService
    browser: Browser
    file: Path
    key: str

    async def installed(self, team: str) -> str:
        """The whole way, to its last page."""
        return (await self.browser.opens(self.installs.allow(await self.browser.begins(), team)))[1]


def settings(base: str, **changed: object) -> Slack:
    oauth = {"client_id": "1.2", "client_secret": "env/CLIENT_SECRET", "key": "env/KEY"}
    return Slack.model_validate(
        {"signing_secret": "env/SIGNING", "teams": TEAMS, "oauth": oauth, "base_url": base, **changed}
    )


def secrets(key: str) -> dict[str, str]:
    return {"env/CLIENT_SECRET": CLIENT_SECRET, "env/KEY": key, "env/SIGNING": SECRET, "env/FIXED": "xoxb-provider"}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    slack = FakeSlack(SECRET)
    for team, domain, user in (
        ("T0CONTOSO", "contoso", "U0MARA"),
        ("T0FABRIKAM", "fabrikam", "U0FINN"),
        ("T0PROVIDER", "provider", "U0TECH"),
        ("T0UNKNOWN", "<b>Unknown & Co</b>", "U0NOBODY"),
    ):
        slack.workspace(team, domain)
        slack.person(team, user, user)
    slack.channel("T0CONTOSO", "C0GENERAL", "general")
    installs = FakeInstalls(slack, "1.2", CLIENT_SECRET)
    base = await slack.start()
    key, file, house = Fernet.generate_key().decode(), tmp_path / "offboard.db.installations", ToldHouse()
    service = SlackService(settings(base), secrets(key).__getitem__, beside=file, msp="Northwind IT")
    app = web.Application()
    service.mount(app, house, ("offboard",))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = "http://{}:{}".format(*runner.addresses[0][:2])
    slack.bot_url, installs.redirect = f"{url}/slack/events", f"{url}{REDIRECT}"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Desk(slack, installs, house, service, Browser(url, session), file, key)
    await service.stop()
    await service.chat.close()
    await runner.cleanup()
    await slack.stop()


async def test_an_administrator_installs_the_app_and_its_people_are_heard(desk: Desk) -> None:
    assert (await desk.slack.types("U0MARA", "/offboard Jane", channel="C0GENERAL")).body == NOT_CONNECTED
    assert "Offboard is installed in contoso" in await desk.installed("T0CONTOSO")
    await desk.slack.types("U0MARA", "/offboard Jane", channel="C0GENERAL")
    assert [heard.actor for heard in desk.house.heard] == [MARA]
    await desk.service.chat.post(await desk.service.chat.private(MARA), APPROVAL)
    assert len(desk.slack.private("U0MARA")) == 1


async def test_the_file_tells_nothing_and_is_the_owners_alone(desk: Desk) -> None:
    await desk.installed("T0CONTOSO")
    raw = desk.file.read_bytes()
    assert stat.S_IMODE(desk.file.stat().st_mode) == 0o600
    token = desk.slack.workspaces["T0CONTOSO"].token
    for word in (token, "xoxb", "T0CONTOSO", "contoso", "bot_token"):
        assert word.encode() not in raw
    assert token.encode() in Fernet(desk.key).decrypt(raw)
    assert [one.name for one in desk.file.parent.iterdir()] == [desk.file.name], "nothing is left lying beside it"


async def test_the_page_asks_for_the_manifests_scopes_and_passes_on_nothing_else(desk: Desk) -> None:
    asked = await desk.browser.begins("?team=T0CONTOSO%26scope%3Dadmin&redirect_uri=https://evil.example&scope=admin")
    assert f"scope={'%2C'.join(one.replace(':', '%3A') for one in SCOPES)}&" in asked
    assert "admin" not in asked
    assert "evil" not in asked
    assert "team=" not in asked
    assert "&team=T0CONTOSO" in await desk.browser.begins("?team=T0CONTOSO")
    assert "'none'" in desk.browser.headers["content-security-policy"]
    cookie = desk.browser.headers["set-cookie"]
    assert all(word in cookie for word in ("__Host-", "Secure", "HttpOnly", "Path=/", "SameSite=Lax"))


async def test_what_the_environment_says_to_slacks_libraries_changes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLACK_SCOPES", "SLACK_USER_SCOPES", "SLACK_REDIRECT_URI", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"):
        monkeypatch.setenv(name, "evil")
    asked = await desk.browser.begins()
    assert "evil" not in asked
    await desk.browser.opens(desk.installs.allow(asked, "T0CONTOSO"))
    await desk.slack.types("U0MARA", "/offboard Jane", channel="C0GENERAL")
    assert len(desk.house.heard) == 1


async def test_an_unknown_workspace_is_refused_told_what_to_say_and_leaves_no_token_behind(desk: Desk) -> None:
    page = await desk.installed("T0UNKNOWN")
    assert "Tell Northwind IT the workspace's id, T0UNKNOWN" in page
    assert "<b>Unknown & Co</b> is not connected" in page, "read as text: it was escaped"
    assert desk.installs.revoked == ["T0UNKNOWN"]
    assert not desk.file.exists()
    assert not desk.service.chat.serves("T0UNKNOWN")


async def test_a_strangers_name_is_text_on_the_page(desk: Desk) -> None:
    link = desk.installs.allow(await desk.browser.begins(), "T0UNKNOWN")
    sent = {"Cookie": f"{COOKIE}={desk.browser.cookie}"}
    async with desk.browser.session.get(link, headers=sent) as answer:
        assert answer.status == 403
        assert "<b>" not in await answer.text()


async def test_a_state_is_good_once(desk: Desk) -> None:
    link = desk.installs.allow(await desk.browser.begins(), "T0CONTOSO")
    cookie = desk.browser.cookie
    assert (await desk.browser.opens(link))[0] == 200
    desk.browser.cookie = cookie
    status, page = await desk.browser.opens(link)
    assert (status, "begin again" in page) == (401, True)
    assert desk.installs.exchanged == 1, "Slack is not even asked"


async def test_a_forged_state_or_another_browsers_is_refused(desk: Desk) -> None:
    link = desk.installs.allow(await desk.browser.begins(), "T0CONTOSO")
    own, desk.browser.cookie = desk.browser.cookie, ""
    assert (await desk.browser.opens(link))[0] == 400, "a link sent to somebody else"
    desk.browser.cookie = "forged"
    assert (await desk.browser.opens(f"{desk.installs.redirect}?code=x&state=forged"))[0] == 401
    assert (await desk.browser.opens(f"{desk.installs.redirect}?code=x"))[0] == 400
    desk.browser.cookie = own
    assert (await desk.browser.opens(f"{desk.installs.redirect}?state={own}"))[0] == 401, "no code"
    assert desk.installs.exchanged == 0
    assert not desk.file.exists()


async def test_states_end_and_are_bounded() -> None:
    clock = [1000.0]
    states = States(now=lambda: clock[0])
    old, young = await states.async_issue(), await states.async_issue()
    clock[0] += LIFETIME - 1
    assert await states.async_consume(young)
    assert not await states.async_consume(young)
    clock[0] += 2
    assert not await states.async_consume(old)
    first = await states.async_issue()
    last = first
    for _ in range(MOST):
        last = await states.async_issue()
    assert not await states.async_consume(first)
    assert await states.async_consume(last)


async def test_who_presses_cancel_or_has_an_old_code_reads_a_sentence(desk: Desk) -> None:
    status, page = await desk.browser.opens(desk.installs.refuse(await desk.browser.begins()))
    assert (status, "You did not allow it" in page) == (400, True)
    link = desk.installs.allow(await desk.browser.begins(), "T0CONTOSO")
    desk.slack.fail("oauth.v2.access", "code_already_used")
    assert "Slack did not let the app be installed" in (await desk.browser.opens(link))[1]
    link = desk.installs.allow(await desk.browser.begins(), "T0CONTOSO")
    desk.slack.fail("oauth.v2.access", "internal", status=500)
    assert "begin again" in (await desk.browser.opens(link))[1]
    assert not desk.file.exists()


async def test_a_disk_that_takes_nothing_is_said_and_the_workspace_is_not_served(desk: Desk) -> None:
    desk.file.mkdir()
    assert "could not keep its key" in await desk.installed("T0CONTOSO")
    assert not desk.service.chat.serves("T0CONTOSO")


async def test_no_log_holds_a_code_a_state_or_a_token(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await desk.installed("T0CONTOSO")
        await desk.installed("T0UNKNOWN")
        link = desk.installs.allow(await desk.browser.begins(), "T0CONTOSO")
        desk.slack.fail("oauth.v2.access", "invalid_code")
        await desk.browser.opens(link)
    assert "T0CONTOSO" in caplog.text
    code = link.split("code=")[1].split("&")[0]
    token = desk.slack.workspaces["T0CONTOSO"].token
    for word in (code, desk.browser.cookie, token, CLIENT_SECRET, desk.key):
        assert word not in caplog.text
    assert "bot_token" not in repr(desk.service.installed and desk.service.installed.find("T0CONTOSO"))


# --- gone, and back -----------------------------------------------------------------------------


async def test_an_app_that_is_removed_is_forgotten_and_may_come_back(desk: Desk) -> None:
    await desk.installed("T0CONTOSO")
    await desk.installed("T0FABRIKAM")
    assert [answer.status for answer in await desk.installs.uninstall("T0CONTOSO")] == [200, 200]
    assert not desk.service.chat.serves("T0CONTOSO")
    assert desk.service.chat.serves("T0FABRIKAM")
    with pytest.raises(ChatError, match="install the app there") as waits:
        await desk.service.chat.post(HEARD, APPROVAL)
    assert waits.value.retry_after == 60, "its cards wait until it is there again"
    await desk.installed("T0CONTOSO")
    await desk.service.chat.post(HEARD, APPROVAL)


async def test_an_old_event_slack_repeats_does_not_remove_a_new_installation(desk: Desk) -> None:
    await desk.installed("T0CONTOSO")
    token = desk.slack.workspaces["T0CONTOSO"].token
    await desk.installs.uninstall("T0CONTOSO", at=time.time() - 600)
    desk.slack.workspaces["T0CONTOSO"].token = token
    assert desk.service.chat.serves("T0CONTOSO")


async def test_a_persons_own_token_that_is_revoked_is_not_the_bots(desk: Desk) -> None:
    await desk.installed("T0CONTOSO")
    await desk.installs.say("T0CONTOSO", {"type": "tokens_revoked", "tokens": {"oauth": ["U0MARA"], "bot": []}})
    assert desk.service.chat.serves("T0CONTOSO")


async def test_an_event_that_names_two_workspaces_removes_neither(desk: Desk) -> None:
    await desk.installed("T0CONTOSO")
    await desk.installed("T0FABRIKAM")
    authorized = [{"team_id": "T0FABRIKAM", "is_bot": True}]
    await desk.installs.say("T0CONTOSO", {"type": "app_uninstalled"}, authorizations=authorized)
    assert desk.service.chat.serves("T0CONTOSO")
    assert desk.service.chat.serves("T0FABRIKAM")


async def test_an_unsigned_event_removes_nothing(desk: Desk) -> None:
    await desk.installed("T0CONTOSO")
    body = b'{"type":"event_callback","team_id":"T0CONTOSO","event_time":9999999999,"event":{"type":"app_uninstalled"}}'
    assert (await desk.slack.deliver(body, secret="x", content_type="application/json")).status == 401
    assert desk.service.chat.serves("T0CONTOSO")


# --- at the next start --------------------------------------------------------------------------


@asynccontextmanager
async def again(desk: Desk, **changed: object) -> AsyncGenerator[SlackService]:
    """The service as the next start builds it."""
    told = settings(f"{desk.slack.url}/api/", **changed)
    service = SlackService(told, secrets(desk.key).__getitem__, beside=desk.file, msp="Northwind IT")
    yield service
    await service.stop()
    await service.chat.close()


async def test_after_a_restart_the_installations_are_there(desk: Desk) -> None:
    await desk.installed("T0CONTOSO")
    async with again(desk) as service:
        await service.chat.post(HEARD, APPROVAL)


async def test_a_workspace_struck_off_the_file_is_not_served_and_nothing_is_lost(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.installed("T0CONTOSO")
    before = desk.file.read_bytes()
    async with again(desk, teams={"T0PROVIDER": "msp"}) as service:
        await service.start()
        assert not service.chat.serves("T0CONTOSO")
        assert "T0CONTOSO, which is not in slack.teams" in caplog.text
        assert "not installed in Slack workspace T0PROVIDER yet" in caplog.text
    assert desk.file.read_bytes() == before
    for answer in await desk.installs.uninstall("T0UNKNOWN"):
        assert answer.status == 200
    assert desk.file.read_bytes() == before
    async with again(desk) as service:
        assert service.chat.serves("T0CONTOSO")


async def test_a_token_in_the_configuration_wins(desk: Desk) -> None:
    await desk.installed("T0PROVIDER")
    async with again(desk, workspaces={"T0PROVIDER": "env/FIXED"}) as service:
        desk.slack.workspaces["T0PROVIDER"].token = "xoxb-provider"
        assert (await service.chat.private(Actor("slack", "T0PROVIDER", "U0TECH"))).channel


# --- tokens that end ----------------------------------------------------------------------------


async def test_a_token_that_ends_soon_is_renewed_and_the_new_one_is_kept(desk: Desk) -> None:
    desk.installs.rotates, desk.installs.lasts = True, 3600
    await desk.installed("T0CONTOSO")
    installed = desk.service.installed
    assert installed is not None
    before = installed.find("T0CONTOSO")
    desk.installs.lasts = 43_200
    await desk.service.renew(installed)
    after = installed.find("T0CONTOSO")
    assert before is not None
    assert after is not None
    assert after.bot_token == desk.slack.workspaces["T0CONTOSO"].token != before.bot_token
    assert after.refresh_token not in {"", before.refresh_token}
    assert after.expires_at > before.expires_at
    assert (after.name, after.scopes, after.installed_at) == (before.name, before.scopes, before.installed_at)
    await desk.service.renew(installed)
    assert desk.installs.exchanged == 2, "the new one has twelve hours left"
    async with again(desk) as service:
        await service.chat.post(HEARD, APPROVAL)


async def test_a_token_that_can_not_be_renewed_is_said_with_the_fix(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.installs.rotates, desk.installs.lasts = True, 3600
    await desk.installed("T0CONTOSO")
    await desk.installed("T0FABRIKAM")
    installed = desk.service.installed
    assert installed is not None
    desk.installs.lasts = 43_200
    desk.slack.fail("oauth.v2.access", "invalid_refresh_token")
    await desk.service.renew(installed)
    assert "(invalid_refresh_token): install the app there again" in caplog.text
    soon = time.time() + 7200
    renewed = [one.expires_at > soon for team in ("T0CONTOSO", "T0FABRIKAM") if (one := installed.find(team))]
    assert sorted(renewed) == [False, True], "the other one is renewed all the same"
    assert "xoxe" not in caplog.text


async def test_two_installs_at_once_are_both_kept(desk: Desk) -> None:
    links = list[tuple[str, str]]()
    for team in ("T0CONTOSO", "T0FABRIKAM", "T0PROVIDER"):
        link = desk.installs.allow(await desk.browser.begins(), team)
        links.append((link, desk.browser.cookie))
    browsers = [Browser(desk.browser.url, desk.browser.session, cookie) for _, cookie in links]
    pages = await asyncio.gather(*(one.opens(link) for one, (link, _) in zip(browsers, links, strict=True)))
    assert [status for status, _ in pages] == [200, 200, 200]
    async with again(desk) as service:
        assert all(service.chat.serves(team) for team in ("T0CONTOSO", "T0FABRIKAM", "T0PROVIDER"))
