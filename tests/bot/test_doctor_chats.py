"""`offboard doctor` on the chats: whether the bot is heard and can speak, asked of a fake Slack and a fake Teams."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web
from cryptography.fernet import Fernet

from bot.app import SystemClock
from bot.doctor import CHATS, SCREEN, examine_chats, in_json, in_words, look
from bot.lab.fake_slack import FakeSlack
from bot.lab.fake_slack_socket import FakeSocket
from bot.lab.fake_teams import FakeTeams
from bot.settings import Settings, WrongSettings, load
from bot.slack.check import SlackCheck
from bot.slack.installations import Installations
from connectors.contract import Check, Surroundings
from connectors.references import Unresolved
from connectors.registry import Registry
from handlers.doctor import LIMIT, Examined
from tests.bot.teams import APP, CONTOSO, HOME, SECRET
from tests.bot.test_doctor import runs, written
from tests.bot.test_settings import Yaml, content
from tests.bot.test_slack_installations import installation
from tests.bot.test_teams_settings import ADMINS, CHANNEL, in_teams
from tests.toy import Toy, ToyWorld
from tests.world import FreeLimiter

KEY = Fernet.generate_key().decode()
OAUTH = {"client_id": "1.2", "client_secret": "env/CLIENT_SECRET", "key": "env/KEY"}
MSPS, CONTOSOS, FABRIKAMS = "xoxb-of-the-msp", "xoxb-of-contoso", "xoxb-of-fabrikam"


@dataclass
class Chats:
    """A fake Slack with the bot in two workspaces, a fake Teams, what clients.yml says, and the secrets behind it."""

    folder: Path
    slack: FakeSlack
    socket: FakeSocket
    teams: FakeTeams
    values: Yaml
    secrets: dict[str, str]
    limit: float = LIMIT

    @property
    def slacks(self) -> Yaml:
        """The Slack part of the file."""
        return cast("Yaml", self.values["slack"])

    @property
    def file(self) -> Path:
        """Where installations are kept."""
        return self.folder / "offboard.db.installations"

    def in_teams(self, **changed: object) -> None:
        """Everybody is in Teams, and there is no Slack."""
        told = self.teams.settings({HOME: "msp", CONTOSO: "contoso"}, "env/BOT_SECRET")
        self.values = in_teams({**told, **changed})

    def in_both(self) -> None:
        """The admins' channel is in Teams, everything else in Slack."""
        self.values["teams"] = self.teams.settings({HOME: "msp", CONTOSO: "contoso"}, "env/BOT_SECRET")
        cast("Yaml", self.values["msp"])["admins"] = ADMINS

    def settings(self) -> Settings:
        return load(written(self.folder, self.values))

    def secret(self, reference: str) -> str:
        if reference not in self.secrets:
            raise Unresolved(f"The secret {reference} is empty: set the environment variable.")
        return self.secrets[reference]

    async def examined(self, secret: Callable[[str], str] | None = None) -> tuple[Examined, ...]:
        around = Surroundings(
            client="msp",
            clock=SystemClock(),
            limiter=FreeLimiter(),
            secret=secret or self.secret,
            password=lambda: "none",
            ca_file=self.teams.ca_file,
        )
        async with asyncio.timeout(20):
            found = await examine_chats(self.settings(), around, self.limit)
        shown = in_words(found, Registry()) + in_json(found)
        for value in self.secrets.values():
            assert value not in shown, "no secret is ever shown"
        return found

    async def asked(self) -> dict[str, Check]:
        """What the only platform says, by title."""
        [one] = await self.examined()
        return {check.title: check for check in one.checks}

    async def workspace(self, team: str = "T0C") -> Check:
        return next(check for title, check in (await self.asked()).items() if title.startswith(f"Workspace {team}"))


@pytest.fixture
async def chats(tmp_path: Path) -> AsyncIterator[Chats]:
    slack, teams = FakeSlack("a-signing-secret"), FakeTeams(APP, HOME, SECRET)
    slack.workspace("T0MSP", "msp", token=MSPS)
    slack.workspace("T0C", "contoso", token=CONTOSOS)
    slack.workspace("T0F", "fabrikam", token=FABRIKAMS)
    socket = FakeSocket(slack, "xapp-of-the-app")
    await teams.start(tmp_path)
    values = copy.deepcopy(content())
    cast("Yaml", values["slack"])["base_url"] = await slack.start()
    secrets = {
        "env/SLACK_SIGNING_SECRET": "a-signing-secret",
        "env/SLACK_TOKEN": MSPS,
        "env/SLACK_TOKEN_C": CONTOSOS,
        "env/SLACK_APP_TOKEN": "xapp-of-the-app",
        "env/BOT_SECRET": SECRET,
        "env/CLIENT_SECRET": "the-client-secret",
        "env/KEY": KEY,
    }
    yield Chats(tmp_path, slack, socket, teams, values, secrets)
    await slack.stop()
    await teams.stop()


# --- Slack --------------------------------------------------------------------------------------


async def test_in_slack_every_workspace_is_asked_once_and_nothing_is_posted(chats: Chats) -> None:
    [one] = await chats.examined()
    assert (one.client.id, one.system, one.name, one.wrong) == (CHATS, "slack", "Slack", 0)
    assert chats.slack.calls == [("auth.test", {})] * 2
    [heading, *lines] = in_words([one], Registry()).split("\n")
    assert heading == "Northwind IT, the chats: as it should be"
    assert " ".join(line.strip() for line in lines) == (
        "✅ Slack  Signing secret (not verified), Workspace T0C, Workspace T0MSP, Channel of the technicians (not "
        "verified), Channel of the admins (not verified)"
    )


async def test_a_token_that_was_revoked_says_where_the_new_one_goes(chats: Chats) -> None:
    chats.slack.workspaces["T0C"].token = "xoxb-another"
    found = await chats.asked()
    assert found["Workspace T0MSP"].ok
    assert found["Workspace T0C"] == Check(
        "Workspace T0C",
        ok=False,
        said="auth.test: Slack answers invalid_auth.",
        fix="Put the bot token of T0C behind env/SLACK_TOKEN_C: OAuth & Permissions of the Slack app.",
    )


async def test_a_token_of_another_workspace_is_wrong_though_slack_takes_it(chats: Chats) -> None:
    chats.secrets["env/SLACK_TOKEN_C"] = MSPS
    found = await chats.workspace()
    assert (found.ok, found.said) == (False, "Its token is another workspace's.")
    assert "behind env/SLACK_TOKEN_C" in found.fix


async def test_a_persons_token_is_wrong_though_slack_takes_it(chats: Chats) -> None:
    async def a_persons(request: web.Request, args: object) -> dict[str, object]:
        return {"team_id": "T0C", "user_id": "U0MARIA"}

    chats.slack.apart["auth.test"] = cast("Callable[..., object]", a_persons)  # type: ignore[assignment]
    found = await chats.workspace()
    assert (found.ok, found.said) == (False, "Its token is a person's, not the bot's (xoxb-…).")


@pytest.mark.parametrize(
    ("scopes", "lacking"),
    [("commands, chat:write", "scope im:write"), ("users:read", "scopes commands, chat:write, im:write")],
)
async def test_a_token_that_lacks_a_scope_names_it(chats: Chats, scopes: str, lacking: str) -> None:
    chats.slack.workspaces["T0C"].scopes = scopes
    found = await chats.workspace()
    assert (found.ok, found.said) == (False, f"Its token lacks the {lacking}.")
    assert found.fix.startswith(
        "Install the app there again, with the scopes of manifest.yml. Put the bot token of T0C"
    )


async def test_more_scopes_than_asked_for_are_well_and_none_told_is_not_verified(chats: Chats) -> None:
    chats.slack.workspaces["T0C"].scopes = "im:write, users:read, chat:write, commands"
    assert (await chats.workspace()).said == ""
    chats.slack.workspaces["T0C"].scopes = ""
    found = await chats.workspace()
    assert (found.ok, found.said) == (True, "Not verified: Slack does not say which scopes the token has.")


async def test_a_slack_that_is_busy_is_no_fault_and_no_answer(chats: Chats) -> None:
    chats.slack.throttle("auth.test", times=2, retry_after=7)
    found = await chats.workspace()
    assert (found.ok, found.said) == (True, "Not verified: auth.test asks us to wait 7 s.")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        ("internal_error", 200, "no usable answer (internal_error)"),
        ("nonsense", 503, "no usable answer (nonsense)"),
        (CONTOSOS, 200, "no usable answer (HTTP 200)"),
        ("ekm_access_denied", 200, "Slack answers ekm_access_denied"),
    ],
)
async def test_what_slack_refuses_is_told_and_what_it_quotes_is_not(
    chats: Chats, error: str, status: int, said: str
) -> None:
    chats.slack.fail("auth.test", error, times=2, status=status)
    found = await chats.workspace()
    assert (found.ok, found.said) == (False, f"auth.test: {said}.")
    known = "https://docs.slack.dev/reference/methods/auth.test" if said.startswith("Slack answers") else "reached"
    assert known in found.fix


@pytest.mark.parametrize(("kind", "body"), [("text/plain", "hello"), ("text/html", "<p>"), ("application/json", "[1]")])
async def test_a_proxy_that_answers_for_slack_is_no_usable_answer(chats: Chats, kind: str, body: str) -> None:
    async def proxy(request: web.Request) -> web.Response:
        return web.Response(text=body, content_type=kind)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", proxy)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    chats.slacks["base_url"] = "http://{}:{}/api/".format(*runner.addresses[0][:2])
    found = await chats.workspace()
    await runner.cleanup()
    assert (found.ok, found.said.partition(" (")[0]) == (False, "auth.test: no usable answer")


async def test_what_can_not_be_a_token_is_never_sent(chats: Chats) -> None:
    chats.secrets["env/SLACK_TOKEN_C"] = "xoxb-1\nxoxb-2"
    found = await chats.workspace()
    assert (found.ok, found.said) == (False, "auth.test: what lies there is no token.")
    assert "behind env/SLACK_TOKEN_C" in found.fix


async def test_secrets_that_are_not_there_are_named_and_the_rest_is_asked(chats: Chats) -> None:
    del chats.secrets["env/SLACK_SIGNING_SECRET"], chats.secrets["env/SLACK_TOKEN_C"]
    found = await chats.asked()
    assert found["Signing secret"].said == "The secret env/SLACK_SIGNING_SECRET is empty."
    assert found["Signing secret"].fix == "Set the environment variable."
    assert [check.title for check in found.values() if not check.ok] == ["Signing secret", "Workspace T0C"]
    assert found["Workspace T0MSP"].ok


async def test_a_slack_that_hangs_is_said_and_teams_is_told_all_the_same(chats: Chats) -> None:
    chats.in_both()
    chats.slack.delay("auth.test", 5)
    chats.limit = 3
    slack, teams = await chats.examined()
    assert (slack.system, slack.wrong, teams.system, teams.wrong) == ("slack", 2, "teams", 0)
    assert {check.said for check in slack.checks if not check.ok} == {"No answer within 3 seconds."}
    assert [one.checks[-1].title for one in (slack, teams)] == ["Channel of the technicians", "Channel of the admins"]
    assert "❌ Slack            Workspace T0C, Workspace T0MSP: No answer" in in_words((slack, teams), Registry())


async def test_a_call_is_given_no_more_time_than_a_card_has(chats: Chats) -> None:
    chats.slack.delay("auth.test", 1)
    slack = chats.settings().slack
    assert slack is not None
    check = SlackCheck(slack, chats.secret, beside=chats.file, patience=0.1)
    with pytest.raises(Exception, match=r"no usable answer \(TimeoutError\)"):
        await check.asks()["Workspace T0C"]()
    await check.close()


async def test_a_check_that_stumbles_quotes_nothing(chats: Chats) -> None:
    def broken(reference: str) -> str:
        raise RuntimeError("with the password hunter2 in it")

    [one] = await chats.examined(broken)
    assert {check.said for check in one.checks if not check.ok} == {"The check itself stumbled (RuntimeError)."}
    assert "hunter2" not in in_json([one])


# --- Slack by socket ----------------------------------------------------------------------------


async def test_a_socket_is_asked_for_and_not_opened(chats: Chats) -> None:
    del chats.slacks["signing_secret"]
    chats.slacks["app_token"] = "env/SLACK_APP_TOKEN"
    found = await chats.asked()
    assert found["Socket"] == Check("Socket", ok=True)
    assert "Signing secret" not in found
    assert chats.socket.opened == 0


async def test_a_token_of_the_app_that_slack_refuses_says_what_it_must_be(chats: Chats) -> None:
    del chats.slacks["signing_secret"]
    chats.slacks["app_token"] = "env/SLACK_APP_TOKEN"
    chats.secrets["env/SLACK_APP_TOKEN"] = CONTOSOS
    found = (await chats.asked())["Socket"]
    assert (found.ok, found.said) == (False, "apps.connections.open: Slack answers invalid_auth.")
    assert found.fix == "slack.app_token: create an app-level token with the scope connections:write."


# --- Slack, installed from its page -------------------------------------------------------------


async def by_page(chats: Chats, *installed: str) -> None:
    """The provider's token is in the file, the others install; these have."""
    chats.slacks["oauth"] = OAUTH
    chats.slacks["teams"] = {"T0MSP": "msp", "T0C": "contoso"}
    chats.slacks["workspaces"] = {"T0MSP": "env/SLACK_TOKEN"}
    for team in installed:
        token = chats.slack.workspaces[team].token
        await Installations(chats.file, KEY, "env/KEY").async_save(installation(team, bot_token=token))


async def test_an_installed_workspace_is_asked_and_its_file_is_left_as_it_is(chats: Chats) -> None:
    await by_page(chats, "T0C", "T0F")
    before = chats.file.read_bytes(), chats.file.stat().st_mtime_ns
    found = await chats.asked()
    assert found["Workspace T0C (contoso)"] == Check("Workspace T0C (contoso)", ok=True)
    assert found["Workspace T0MSP (msp)"].ok
    assert not any("T0F" in title for title in found), "it is not in slack.teams"
    assert found["Installations"].said.startswith("Not verified: whether slack.oauth.client_secret is right")
    assert (chats.file.read_bytes(), chats.file.stat().st_mtime_ns) == before


async def test_a_file_under_an_older_key_is_read_and_not_encrypted_anew(chats: Chats) -> None:
    await by_page(chats, "T0C")
    before = chats.file.read_bytes()
    chats.secrets["env/KEY"] = f"{Fernet.generate_key().decode()}\n{KEY}"
    assert (await chats.workspace()).said == ""
    assert chats.file.read_bytes() == before


async def test_a_workspace_that_has_not_installed_the_app_is_something_to_do(chats: Chats) -> None:
    await by_page(chats)
    found = await chats.workspace()
    assert (found.ok, found.said.partition(":")[0]) == (False, "The app is not installed there yet")
    assert found.fix == "Have an administrator of that workspace open https://YOUR-HOST/slack/install."
    assert not chats.file.exists()


async def test_an_installed_token_that_slack_refuses_says_who_renews_it(chats: Chats) -> None:
    await by_page(chats, "T0C")
    chats.slack.fail("auth.test", "token_expired", times=2)
    found = await chats.workspace()
    assert not found.ok
    assert found.fix.startswith("See that the service runs, which renews tokens; else have an administrator")


async def test_a_workspace_without_any_token_is_something_to_do(chats: Chats) -> None:
    chats.slacks["teams"] = {"T0MSP": "msp", "T0C": "contoso", "T0F": "contoso"}
    found = await chats.workspace("T0F")
    assert (found.ok, found.said) == (False, "There is no token for it, so nobody is heard there.")


async def test_installations_that_can_not_be_read_here_are_not_verified(chats: Chats) -> None:
    await by_page(chats)
    chats.file.mkdir()  # whoever runs the tests may read every file
    found = await chats.asked()
    assert found["Installations"].ok
    assert found["Installations"].said.startswith(f"Not verified: {chats.file} can't be read here.")
    assert found["Workspace T0C (contoso)"].ok
    assert found["Workspace T0C (contoso)"].said == "Not verified: the installations can't be read."
    assert found["Workspace T0MSP (msp)"].said == ""


async def test_a_key_the_service_could_not_start_with_is_something_to_mend(chats: Chats) -> None:
    await by_page(chats, "T0C")
    chats.secrets["env/KEY"] = Fernet.generate_key().decode()
    found = await chats.asked()
    assert not found["Installations"].ok
    assert "can't be decrypted with slack.oauth.key (env/KEY)" in found["Installations"].said
    assert found["Installations"].fix.startswith("Put the key they were written with back")
    assert found["Workspace T0C (contoso)"].said.startswith("Not verified")
    chats.secrets["env/KEY"] = "no key at all"
    assert "is no key" in (await chats.asked())["Installations"].said


async def test_a_client_secret_that_is_not_there_is_named(chats: Chats) -> None:
    await by_page(chats, "T0C")
    del chats.secrets["env/CLIENT_SECRET"]
    found = (await chats.asked())["Installations"]
    assert (found.ok, found.said) == (False, "The secret env/CLIENT_SECRET is empty.")


# --- Teams --------------------------------------------------------------------------------------


async def test_in_teams_the_bot_signs_in_reads_the_keys_and_writes_to_nobody(chats: Chats) -> None:
    chats.in_teams()
    [one] = await chats.examined()
    assert (one.client.id, one.system, one.name, one.wrong) == (CHATS, "teams", "Microsoft Teams", 0)
    assert (len(chats.teams.office.given), chats.teams.key_fetches, chats.teams.calls) == (1, 1, [])
    assert [(check.title, check.said.startswith("Not verified")) for check in one.checks] == [
        ("Signed in", False),
        ("Keys of the Bot Connector", False),
        ("Messaging endpoint", True),
        ("Channel of the technicians", True),
        ("Channel of the admins", True),
    ]
    assert CHANNEL["channel"] in one.checks[3].said


async def test_a_wrong_secret_of_the_bot_is_said_with_the_fix(chats: Chats) -> None:
    chats.in_teams()
    chats.secrets["env/BOT_SECRET"] = "another-secret"
    found = await chats.asked()
    assert [check.title for check in found.values() if not check.ok] == ["Signed in"]
    assert found["Signed in"].said == f"sign-in to tenant {HOME}: the client secret is wrong (AADSTS7000215)."
    assert found["Signed in"].fix == "Put the secret's value (not its id) behind the reference in clients.yml."


@pytest.mark.parametrize("code", ["700016", "90002", "65001"])
async def test_the_bots_own_registration_is_nobodys_to_consent_to(chats: Chats, code: str) -> None:
    chats.in_teams()
    chats.teams.office.refuses = code
    found = (await chats.asked())["Signed in"]
    assert not found.ok
    assert found.fix.startswith("Check teams.app_id and teams.tenant in clients.yml")
    assert "consent" not in found.fix


async def test_a_secret_of_the_bot_that_is_not_there_is_named(chats: Chats) -> None:
    chats.in_teams()
    del chats.secrets["env/BOT_SECRET"]
    found = (await chats.asked())["Signed in"]
    assert (found.ok, found.fix) == (False, "Mend what lies behind env/BOT_SECRET.")
    assert ".." not in found.said


@pytest.mark.parametrize("endorsements", [[], ["webchat"]])
async def test_keys_of_which_none_is_for_teams_are_something_to_mend(chats: Chats, endorsements: list[str]) -> None:
    chats.in_teams()
    chats.teams.signer.endorsements = endorsements
    found = await chats.asked()
    assert [check.title for check in found.values() if not check.ok] == ["Keys of the Bot Connector"]
    assert found["Keys of the Bot Connector"].said == "None from 127.0.0.1 is for Teams, so nobody is heard."
    assert found["Keys of the Bot Connector"].fix.startswith("Check teams.open_id")


async def test_keys_that_can_not_be_fetched_are_something_to_mend(chats: Chats) -> None:
    chats.in_teams()
    chats.teams.fail("keys", 503)
    found = (await chats.asked())["Keys of the Bot Connector"]
    assert (found.ok, found.said) == (
        False,
        "They can't be fetched from 127.0.0.1 (ValueError), so nobody is heard.",
    )


async def test_a_teams_that_hangs_is_said_for_each_of_its_parts(chats: Chats) -> None:
    chats.in_teams()
    chats.teams.delay("keys", 3)
    chats.teams.office.seconds = 3
    chats.limit = 1.5
    found = await chats.asked()
    assert [check.title for check in found.values() if check.said == "No answer within 1.5 seconds."] == [
        "Signed in",
        "Keys of the Bot Connector",
    ]


async def test_requests_that_nobody_signs_are_something_to_mend(chats: Chats) -> None:
    chats.in_teams(no_authentication=True, secret=None)
    found = await chats.asked()
    assert [check.title for check in found.values() if not check.ok] == ["Signed requests"]
    assert found["Signed requests"].said.startswith("Requests are taken from anybody on this machine")
    assert found["Signed requests"].fix.startswith("Remove teams.no_authentication")
    assert (chats.teams.office.asked, chats.teams.key_fetches) == ([], 0)


# --- the command --------------------------------------------------------------------------------


def environment(chats: Chats) -> dict[str, str]:
    named = {reference.removeprefix("env/"): value for reference, value in chats.secrets.items()}
    return {**named, **written(chats.folder, chats.values), "OFFBOARD_CA_FILE": str(chats.teams.ca_file)}


def only_elsewhere(chats: Chats) -> None:
    """The client has nothing that could be asked."""
    cast("list[Yaml]", chats.values["clients"])[0]["systems"] = {}


async def test_the_command_tells_both_chats_first_and_ends_with_what_is_wrong(chats: Chats) -> None:
    chats.in_both()
    only_elsewhere(chats)
    code, out, error = await runs(("doctor",), environment(chats))
    assert (code, error) == (0, "")
    assert out.startswith("Northwind IT, the chats: as it should be\n  ✅ Slack            Signing secret")
    assert out.index("✅ Microsoft Teams") < out.index("Contoso (contoso), dry run: as it should be")
    assert not chats.teams.calls

    chats.secrets["env/BOT_SECRET"] = "another-secret"
    code, out, error = await runs(("doctor", "--json"), environment(chats))
    assert (code, error) == (1, "")
    told = json.loads(out)
    assert list(told) == [CHATS, "contoso"]
    assert list(told[CHATS]) == ["slack", "teams"]
    assert [check["title"] for check in told[CHATS]["teams"] if not check["ok"]] == ["Signed in"]
    assert "another-secret" not in out


async def test_one_clients_systems_are_asked_alone(chats: Chats) -> None:
    only_elsewhere(chats)
    code, out, _ = await runs(("doctor", "--client", "contoso"), environment(chats))
    assert (code, out.count("chats")) == (0, 0)
    assert chats.slack.calls == []


async def test_teams_without_what_it_needs_is_something_to_install(chats: Chats) -> None:
    chats.in_teams()
    only_elsewhere(chats)
    shadow = chats.folder / "shadow"
    shadow.mkdir()
    # What is missing on such a machine, found before what is there on this one.
    (shadow / "botbuilder.py").write_text("raise ModuleNotFoundError(name='botbuilder')\n")
    code, out, error = await runs(("doctor",), {**environment(chats), "PYTHONPATH": str(shadow)})
    assert (code, error) == (1, "")
    assert "❌ Microsoft Teams  Installed: botbuilder is not installed." in out
    assert "pip install 'offboard[teams]'" in out


def test_a_client_of_the_chats_name_is_refused_in_one_sentence(tmp_path: Path) -> None:
    values = copy.deepcopy(content())
    cast("list[Yaml]", values["clients"])[0]["id"] = CHATS
    cast("list[Yaml]", values["people"])[0]["manages"] = [CHATS]
    settings = load(written(tmp_path, values))
    with pytest.raises(WrongSettings, match=r"clients\.@chats\.id is the doctor's word for the chats: choose another"):
        look(settings, "", Registry())


async def test_the_chats_stand_first_however_much_is_wrong_elsewhere(chats: Chats) -> None:
    [one] = await chats.examined()
    lost = Check("Reachable", ok=False, said="No.", fix="Mend it.")
    client = chats.settings().roster.clients[0]
    registry = Registry((Toy(ToyWorld()),))
    shown = in_words((Examined(client, "toy", "Toy", (lost, lost)), one), registry)
    assert shown.index("the chats: as it should be") < shown.index("Contoso (contoso)")


async def test_the_chats_take_one_screen_at_most_and_say_where_the_rest_is(chats: Chats) -> None:
    [one] = await chats.examined()
    lost = tuple(Check(f"Workspace T{number}", ok=False, said=f"{number}.", fix="Mend it.") for number in range(99))
    lines = in_words([Examined(one.client, one.system, one.name, lost)], Registry()).split("\n")
    assert len(lines) == SCREEN
    assert lines[-1].endswith("more lines: offboard doctor --json")
