"""The demo without a browser: its settings, its people's Slack, its tenants, its bot, and how it ends."""

from __future__ import annotations

import asyncio
import fcntl
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import aiohttp
import pytest
import yaml
from aiohttp import web
from pydantic import JsonValue

from bot.lab import demo_teams, page, page_slack, page_teams, sample_clients, teams_cards
from bot.lab.demo import Lab, open_lab
from bot.lab.demo_bot import BotProcess, BotState, NotUp, free_port
from bot.lab.demo_stage import Entry, Stage
from bot.lab.demo_teams import OBJECT_IDS, TeamsStage
from bot.lab.demo_tenants import Fault
from bot.lab.sample_clients import BILL, FINN, IN_TEAMS, MARIA, ON_STAGE, OSKAR, PRIYA, SAM, TECHNICIANS
from bot.lab.slack_limits import Json
from bot.lab.teams_cards import CARD
from bot.settings import load, resolve_secret
from connectors.contract import Limiter, Surroundings
from connectors.microsoft365 import CONNECTOR
from connectors.microsoft365.settings import Microsoft365Settings
from connectors.microsoft365.simulated_people import CONTOSO, FABRIKAM, JANE
from handlers.commands import COMMANDS
from handlers.conversation import Actor
from tests.world import FakeClock, FreeLimiter

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    """The stand-ins alone; nothing answers where the bot should be."""
    lab = await open_lab(tmp_path, free_port())
    yield lab
    await lab.stop()


# --- settings ---------------------------------------------------------------------------------------


def test_the_example_file_is_complete_and_loads() -> None:
    settings = load({"OFFBOARD_CLIENTS": str(ROOT / "clients.example.yml")})
    roster = settings.roster
    assert {person.id for person in roster.people if person.technician} == {"sam", "priya"}
    assert {client.lockout for client in roster.clients} == {"approved", "immediate"}
    assert [client.id for client in roster.clients if client.own] == ["northwind"]
    assert all(client.systems for client in roster.clients)


async def test_the_demos_own_file_loads_and_its_secrets_are_for_the_owner_alone(lab: Lab) -> None:
    settings = load({"OFFBOARD_CLIENTS": str(lab.clients)})
    assert settings.slack is not None
    secret = resolve_secret(settings.slack.signing_secret)
    assert len(secret) == 32
    assert secret not in lab.clients.read_text()
    files = list((lab.clients.parent / "secrets").iterdir())
    assert len(files) == 13
    assert len({file.read_text() for file in files if "connectwise" in file.name}) == 2
    assert {file.stat().st_mode & 0o077 for file in files} == {0}


async def test_a_manager_is_bound_to_their_own_account_and_the_outsider_to_nothing(lab: Lab) -> None:
    roster = load({"OFFBOARD_CLIENTS": str(lab.clients)}).roster
    maria = roster.person("maria")
    assert maria is not None
    in_the_directory = lab.tenants.person(CONTOSO, maria.directory["contoso"])
    assert (in_the_directory.name, in_the_directory.mail) == (maria.name, maria.mail)
    assert not [person for person in roster.people if OSKAR.identity in person.identities]


async def test_finn_is_in_teams_alone_maria_in_both_and_the_technicians_in_slack(lab: Lab) -> None:
    roster = load({"OFFBOARD_CLIENTS": str(lab.clients)}).roster
    there = {person.id: [actor.platform for actor in person.actors] for person in roster.people}
    assert there["finn"] == ["teams"]
    assert there["maria"] == ["slack", "teams"]
    assert [there[one] for one in ("sam", "priya", "bill", "ada")] == [["slack"]] * 4
    for person in (roster.person("finn"), roster.person("maria")):
        assert person is not None
        [in_teams] = [actor for actor in person.actors if actor.platform == "teams"]
        known = lab.tenants.companies.microsoft.tenants[in_teams.workspace].people
        assert known[in_teams.user].name == person.name, "Teams knows people by their object id"
        assert roster.who(in_teams) == person.seen_from(person.manages)


async def test_bill_decides_about_bills_and_nobody_else_does(lab: Lab) -> None:
    roster = load({"OFFBOARD_CLIENTS": str(lab.clients)}).roster
    assert [person.id for person in roster.people if person.billing] == ["bill"]
    bill = roster.person("bill")
    assert bill is not None
    assert (bill.technician, bill.admin, bill.manages) == (False, False, ())


async def test_a_dry_run_is_one_clients_and_ends_as_it_began(lab: Lab) -> None:
    def dry() -> list[str]:
        return [one.id for one in load({"OFFBOARD_CLIENTS": str(lab.clients)}).roster.clients if one.dry_run]

    assert dry() == []
    at_start = lab.clients.read_text()
    lab.rehearse(CONTOSO, dry=True)
    assert dry() == ["contoso"]
    lab.rehearse(CONTOSO, dry=False)
    assert lab.clients.read_text() == at_start


@pytest.mark.filterwarnings("ignore:GetQueryParameters is deprecated:DeprecationWarning")
async def test_the_connector_signs_in_at_the_lab_with_the_labs_own_authority(lab: Lab) -> None:
    settings = load({"OFFBOARD_CLIENTS": str(lab.clients)})
    contoso = settings.roster.client("contoso")
    assert contoso is not None
    limiter: Limiter = FreeLimiter()
    microsoft = contoso.systems["microsoft365"]
    assert isinstance(microsoft, Microsoft365Settings)
    around = Surroundings("contoso", FakeClock(), limiter, resolve_secret, lambda: "unused", lab.ca_file)
    api = await CONNECTOR.open(microsoft, around)
    try:
        found = await CONNECTOR.search(api, "Jane Doe")
    finally:
        await CONNECTOR.close(api)
    assert {account.id for account in found} >= {JANE}


# --- Slack as its people see it ---------------------------------------------------------------------


@dataclass
class Ear:
    """Stands where the bot is, and keeps what it hears."""

    clicks: list[Json] = field(default_factory=list[Json])
    status: int = 200

    async def hear(self, request: web.Request) -> web.Response:
        form = parse_qs(await request.text())
        if "payload" in form:
            self.clicks.append(json.loads(form["payload"][0]))
        return web.Response(status=self.status)


@dataclass
class Heard:
    stage: Stage
    ear: Ear
    api: str


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    """Slack and somebody who listens."""
    stage, ear = Stage("secret"), Ear()
    api = await stage.start()
    app = web.Application()
    app.router.add_post("/slack/events", ear.hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    stage.slack.bot_url = f"http://{host}:{port}/slack/events"
    yield Heard(stage, ear, api)
    await runner.cleanup()
    await stage.slack.stop()


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


async def post(heard: Heard, team: str, channel: str, *labels: str, fields: tuple[str, ...] = ()) -> None:
    """The bot posts a card with these buttons and fields."""
    blocks: list[JsonValue] = [{"type": "header", "text": plain("A card")}]
    for name in fields:
        element: Json = {"type": "plain_text_input", "action_id": name}
        blocks.append({"type": "input", "block_id": f"field:{name}", "label": plain(name), "element": element})
    for at, label in enumerate(labels):
        one: Json = {"type": "button", "action_id": f"press:{at}", "text": plain(label), "value": f"token-{at}"}
        blocks.append({"type": "actions", "block_id": f"buttons:{at}", "elements": [one]})
    headers = {"Authorization": f"Bearer {sample_clients.token_of(team)}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        said: Json = {"channel": channel, "text": "A card", "blocks": blocks}
        answer = await (await session.post(f"{heard.api}chat.postMessage", json=said)).json()
    assert answer["ok"], answer


def button(entry: Entry, at: int) -> tuple[Json, Json]:
    blocks = [block for block in entry.message.blocks if block["type"] == "actions"]
    elements = blocks[at]["elements"]
    assert isinstance(elements, list)
    pressed = elements[0]
    assert isinstance(pressed, dict)
    return blocks[at], pressed


async def test_each_person_opens_only_their_own_rooms(heard: Heard) -> None:
    names = {one.user: [room.title for room in heard.stage.rooms[one.user]] for one in ON_STAGE}
    assert names[MARIA.user] == ["Offboard", "general"]
    assert names[SAM.user] == names[PRIYA.user] == ["Offboard", "offboarding"]
    assert names[BILL.user] == ["Offboard"]
    assert len({rooms[0].id for rooms in heard.stage.rooms.values()}) == len(heard.stage.rooms)


async def test_of_two_buttons_with_one_label_the_pressed_one_is_sent(heard: Heard) -> None:
    room = heard.stage.rooms[SAM.user][1]
    await post(heard, SAM.team, TECHNICIANS, "Change", "Change", fields=("reason",))
    entry = heard.stage.entries(SAM, room)[-1]
    await heard.stage.presses(SAM, room, entry.message, *button(entry, 1), {"reason": "too early"})
    [click] = heard.ear.clicks
    actions, state = click["actions"], click["state"]
    assert isinstance(actions, list)
    assert isinstance(state, dict)
    assert isinstance(actions[0], dict)
    assert (actions[0]["block_id"], actions[0]["value"]) == ("buttons:1", "token-1")
    assert state["values"] == {"field:reason": {"reason": {"type": "plain_text_input", "value": "too early"}}}


async def test_a_new_message_is_unread_until_that_person_looks(heard: Heard) -> None:
    stage = heard.stage
    room = stage.rooms[SAM.user][1]
    await post(heard, SAM.team, TECHNICIANS, "Approve: lock out Jane Doe")
    assert (stage.unread(SAM, room), stage.unread(PRIYA, room)) == (1, 1)
    stage.look(SAM, room)
    assert (stage.unread(SAM, room), stage.unread(PRIYA, room)) == (0, 1)


async def test_technicians_are_pointed_at_what_waits_and_nobody_else_is(heard: Heard) -> None:
    assert heard.stage.hint(SAM) == ""
    await post(heard, SAM.team, TECHNICIANS, "Approve: lock out Jane Doe", "Reject")
    assert heard.stage.hint(SAM) == heard.stage.hint(PRIYA) == "has something to approve"
    assert heard.stage.hint(MARIA) == ""


async def test_bill_is_pointed_at_his_own_card_and_no_technician_at_what_only_bill_decides(heard: Heard) -> None:
    await post(heard, SAM.team, TECHNICIANS, "Approve the bill", "Reject the bill")
    assert (heard.stage.hint(SAM), heard.stage.hint(BILL)) == ("", "")
    await post(heard, BILL.team, heard.stage.rooms[BILL.user][0].id, "Approve the bill", "Reject the bill")
    assert (heard.stage.hint(SAM), heard.stage.hint(BILL)) == ("", "has a bill to approve")


async def test_a_command_nobody_answers_is_said_by_slack_to_the_typist_alone(heard: Heard) -> None:
    heard.ear.status = 500
    room = heard.stage.rooms[MARIA.user][1]
    await heard.stage.types(MARIA, room, "/offboard Jane Doe")
    [entry] = heard.stage.entries(MARIA, room)
    assert entry.only_you
    assert entry.from_slack
    assert "did not respond" in entry.message.text
    assert heard.stage.entries(OSKAR, heard.stage.rooms[OSKAR.user][1]) == []


async def test_a_bot_that_is_gone_looks_like_one_that_does_not_answer(lab: Lab) -> None:
    room = lab.stage.rooms[MARIA.user][0]
    await lab.stage.types(MARIA, room, "/offboard Jane Doe")
    assert "did not respond" in lab.stage.entries(MARIA, room)[-1].message.text


async def test_what_is_no_command_goes_nowhere(heard: Heard) -> None:
    room = heard.stage.rooms[MARIA.user][0]
    await heard.stage.types(MARIA, room, "offboard Jane")
    assert "Only slash commands" in heard.stage.entries(MARIA, room)[-1].message.text
    assert heard.stage.deeds == []


def test_the_composer_offers_every_command_there_is() -> None:
    assert set(page_slack.COMMANDS) == {f"/{word}" for word in COMMANDS}
    assert set(page_teams.COMMANDS) <= set(COMMANDS)


async def test_every_chip_names_somebody_who_is_there(lab: Lab) -> None:
    assert set(page.CHIPS) == {one.user for one in (*ON_STAGE, *IN_TEAMS)}
    known = set[str]()
    for tenant in lab.tenants.ids:
        gone = lab.tenants.companies.microsoft.tenants[tenant].deleted.values()
        known |= {one.name.replace("ü", "u").replace("ë", "e") for one in (*lab.tenants.people(tenant), *gone)}
    lines = [line for chips in page.CHIPS.values() for _, line in chips if line.startswith("/offboard ")]
    assert {line.removeprefix("/offboard ") for line in lines} <= known


# --- Teams as its people see it ---------------------------------------------------------------------


@dataclass
class TeamsEar:
    """Stands where the bot is, answers as told, and keeps what it hears."""

    activities: list[Json] = field(default_factory=list[Json])
    answer: Json = field(default_factory=dict[str, JsonValue])
    status: int = 200

    async def hear(self, request: web.Request) -> web.Response:
        self.activities.append(await request.json())
        return web.json_response(self.answer, status=self.status)


@dataclass
class InTeams:
    stage: TeamsStage
    ear: TeamsEar

    async def shows(self, *labels: str, field_id: str = "", message: str = "") -> demo_teams.Entry:
        """The bot sends Finn a card with these buttons, or edits the one it sent."""
        body: list[JsonValue] = [{"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "A card"}]}]
        if field_id:
            body.append({"type": "Input.Text", "id": field_id, "label": field_id})
        for at, label in enumerate(labels):
            action: Json = {"type": "Action.Execute", "title": label, "verb": "press", "data": {"token": f"t{at}"}}
            body.append({"type": "ActionSet", "actions": [action]})
        card: Json = {"type": "AdaptiveCard", "body": body}
        activity: Json = {"type": "message", "attachments": [{"contentType": CARD, "content": card}]}
        chat = self.stage.teams.chat_of(*OBJECT_IDS[FINN.user])
        url = f"{self.stage.teams.service_url}v3/conversations/{chat}/activities"
        async with aiohttp.ClientSession() as session:
            method, path = ("PUT", f"{url}/{message}") if message else ("POST", url)
            assert (await session.request(method, path, json=activity)).status in {200, 201}
        return self.stage.entries(FINN)[-1]


@pytest.fixture
async def in_teams(tmp_path: Path) -> AsyncIterator[InTeams]:
    """Teams and somebody who listens."""
    stage, ear = TeamsStage([]), TeamsEar()
    await stage.start(tmp_path)
    stage.teams.signed = False
    app = web.Application()
    app.router.add_post("/api/messages", ear.hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    stage.teams.bot_url = f"http://{host}:{port}/api/messages"
    yield InTeams(stage, ear)
    await runner.cleanup()
    await stage.teams.stop()


async def test_in_teams_too_the_pressed_one_of_two_buttons_is_sent_with_what_was_typed(in_teams: InTeams) -> None:
    entry = await in_teams.shows("Change", "Change", field_id="reason")
    second = [one for one in teams_cards.actions(entry.message) if one["title"] == "Change"][1]
    await in_teams.stage.presses(FINN, entry.message, second, {"reason": "too early"})
    [pressed] = in_teams.ear.activities
    value = pressed["value"]
    assert isinstance(value, dict)
    assert value["action"] == {
        "type": "Action.Execute",
        "verb": "press",
        "data": {"reason": "too early", "token": "t1"},
    }


async def test_a_press_shows_its_answer_to_whoever_pressed_until_the_message_is_edited(in_teams: InTeams) -> None:
    entry = await in_teams.shows("Go")
    [go] = teams_cards.actions(entry.message)
    next_card: Json = {"type": "AdaptiveCard", "body": []}
    in_teams.ear.answer = {"statusCode": 200, "type": CARD, "value": next_card}
    await in_teams.stage.presses(FINN, entry.message, go, {})
    assert in_teams.stage.entries(FINN)[-1].message.card == next_card
    edited = await in_teams.shows("Stop", message=entry.message.id)
    assert teams_cards.buttons(edited.message) == ["Stop"]


async def test_a_line_in_answer_to_a_press_is_for_one_pair_of_eyes(in_teams: InTeams) -> None:
    entry = await in_teams.shows("Go")
    [go] = teams_cards.actions(entry.message)
    in_teams.ear.answer = {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "No."}
    await in_teams.stage.presses(FINN, entry.message, go, {})
    last = in_teams.stage.entries(FINN)[-1]
    assert (last.message.text, last.only_you, last.from_teams) == ("No.", True, False)
    assert in_teams.stage.entries(MARIA) == []


async def test_a_message_in_teams_is_unread_until_that_person_looks_and_their_own_never_are(in_teams: InTeams) -> None:
    await in_teams.stage.types(FINN, "offboard Jane Doe")
    assert in_teams.stage.unread(FINN) == 0
    entry = await in_teams.shows("Go")
    assert (in_teams.stage.unread(FINN), in_teams.stage.unread(MARIA)) == (1, 0)
    in_teams.stage.look(FINN)
    await in_teams.shows("Stop", message=entry.message.id)
    assert in_teams.stage.unread(FINN) == 0


async def test_teams_says_when_the_bot_does_not_answer(in_teams: InTeams) -> None:
    entry = await in_teams.shows("Go")
    [go] = teams_cards.actions(entry.message)
    in_teams.ear.status = 500
    await in_teams.stage.types(FINN, "offboard Jane Doe")
    await in_teams.stage.presses(FINN, entry.message, go, {})
    own, *said = [one for one in in_teams.stage.entries(FINN) if one.message.text]
    assert own.mine
    assert [one.from_teams for one in said] == [True, True]
    assert [one.message.text.partition(",")[0] for one in said] == ["Offboard did not answer", "Something went wrong"]


async def test_what_is_done_in_teams_counts_as_a_step_of_the_story(lab: Lab) -> None:
    assert page.steps_done(lab.stage, lab.tenants)[0] is False
    await lab.teams.types(FINN, "Offboard Jane Doe")
    assert page.steps_done(lab.stage, lab.tenants)[:2] == [True, False]


async def test_a_bot_pointed_at_the_lab_is_reached_in_teams_and_answers_there(tmp_path: Path) -> None:
    port = free_port()
    lab = await open_lab(tmp_path, port)
    bot = BotProcess(lab.environment(port), tmp_path / "bot.log")
    try:
        await bot.start()
        await bot.until_up()
        await lab.teams.types(FINN, "help")
        await lab.teams.teams.until(lambda: lab.teams.unread(FINN) > 0)
        assert "end somebody's access" in lab.teams.entries(FINN)[-1].message.text
        await lab.teams.types(OSKAR, "offboard Jane Doe")
        await lab.teams.teams.until(lambda: lab.teams.unread(OSKAR) > 0)
        assert "I don't know you yet" in lab.teams.entries(OSKAR)[-1].message.text
    finally:
        await bot.stop()
        await lab.stop()


async def test_the_playgrounds_settings_fit_the_lab(lab: Lab) -> None:
    text = (ROOT / "docs" / "playground.yml").read_text()
    comment = "\n".join(line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   "))
    content = yaml.safe_load(lab.clients.read_text()) | yaml.safe_load(comment)
    lab.clients.write_text(yaml.safe_dump(content))
    settings = load({"OFFBOARD_CLIENTS": str(lab.clients)})
    assert settings.teams is not None
    assert settings.teams.no_authentication
    playground = yaml.safe_load(text)
    finn = playground["currentUser"]
    assert playground["bot"]["id"] == settings.teams.app_id
    assert (playground["tenantId"], finn["aadObjectId"]) == OBJECT_IDS[FINN.user]
    assert settings.roster.who(Actor("teams", playground["tenantId"], finn["aadObjectId"])) is not None
    everybody = [finn, *playground["users"]]
    assert len(everybody) == 6
    assert {one["id"] for one in everybody} == {one["aadObjectId"] for one in everybody}


# --- the tenants ------------------------------------------------------------------------------------


async def test_switching_a_fault_on_and_off_leaves_every_system_as_it_was(lab: Lab) -> None:
    tenants, companies = lab.tenants, lab.tenants.companies
    domain = companies.domains[FABRIKAM]
    for fault in Fault:
        tenants.set_fault(FABRIKAM, fault, on=True)
        tenants.set_fault(FABRIKAM, fault, on=True)
    assert tenants.faults(FABRIKAM) == set(Fault)
    assert tenants.faults(CONTOSO) == frozenset()
    assert [len(one) for one in (companies.microsoft.faults[FABRIKAM], companies.exchange.faults[FABRIKAM])] == [3, 3]
    assert [one.kind for one in domain.faults] == ["busy", "other", "unavailable"]
    lagging = (companies.microsoft.tenants[FABRIKAM], companies.exchange.organisations[FABRIKAM], domain.domain)
    assert all(one.lag > 0 for one in lagging)
    for fault in Fault:
        tenants.set_fault(FABRIKAM, fault, on=False)
    assert companies.microsoft.faults[FABRIKAM] == companies.exchange.faults[FABRIKAM] == domain.faults == []
    assert all(one.lag == 0 for one in lagging)


async def test_contosos_bill_and_ticket_misbehave_with_the_rest_of_it(lab: Lab) -> None:
    tenants, paper = lab.tenants, lab.tenants.companies.paperwork
    for fault in Fault:
        tenants.set_fault(FABRIKAM, fault, on=True)
    assert paper.pax8.faults == paper.connectwise.faults == []
    for fault in Fault:
        tenants.set_fault(CONTOSO, fault, on=True)
    assert [one.kind for one in paper.pax8.faults] == ["throttle", "error", "unavailable"]
    assert [one.kind for one in paper.connectwise.faults] == ["throttle", "error", "unavailable"]
    assert paper.pax8.habits.lag == paper.connectwise.provider.lag > 0
    for fault in Fault:
        tenants.set_fault(CONTOSO, fault, on=False)
    assert paper.pax8.faults == paper.connectwise.faults == []
    assert paper.pax8.habits.lag == paper.connectwise.provider.lag == 0


# --- the bot ----------------------------------------------------------------------------------------


async def test_a_bot_that_can_not_start_is_shown_with_its_last_words(tmp_path: Path) -> None:
    environment = {"OFFBOARD_CLIENTS": str(tmp_path / "nowhere.yml"), "OFFBOARD_PORT": str(free_port())}
    bot = BotProcess(environment, tmp_path / "bot.log")
    await bot.start()
    with pytest.raises(NotUp, match=r"ended with code 2(.|\n)*nowhere.yml can't be read"):
        await bot.until_up()
    assert bot.state is BotState.DOWN
    await bot.stop()


async def test_a_bot_that_is_not_running_is_not_started_anew(tmp_path: Path) -> None:
    bot = BotProcess({"OFFBOARD_PORT": str(free_port())}, tmp_path / "bot.log")
    await bot.restart()
    assert bot.state is BotState.DOWN
    assert bot.last_lines() == ""
    assert not (tmp_path / "bot.log").exists()


async def test_the_users_own_settings_do_not_reach_the_demos_bot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFBOARD_NONSENSE", "stops any bot that sees it")
    bot = BotProcess(
        {"OFFBOARD_CLIENTS": str(tmp_path / "nowhere.yml"), "OFFBOARD_PORT": str(free_port())}, tmp_path / "bot.log"
    )
    await bot.start()
    with pytest.raises(NotUp) as told:
        await bot.until_up()
    assert "OFFBOARD_NONSENSE" not in str(told.value)


# --- the commands -----------------------------------------------------------------------------------


async def offboard(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", *arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


async def test_a_taken_port_is_one_sentence_and_touches_no_database(tmp_path: Path) -> None:
    (tmp_path / "offboard.db").write_text("of a demo that is running")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = await offboard("demo", "--no-open", "--port", str(port), "--folder", str(tmp_path))
        said, _ = await demo.communicate()
    assert demo.returncode == 2
    assert said.decode().startswith(f"Port {port} can't be used")
    assert said.decode().count("\n") == 1
    assert (tmp_path / "offboard.db").read_text() == "of a demo that is running"


async def test_two_demos_never_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "offboard.db").write_text("of a demo that is running")
    with (tmp_path / "demo.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for command in (["demo", "--no-open"], ["lab"]):
            second = await offboard(*command, "--port", str(free_port()), "--folder", str(tmp_path))
            said, _ = await second.communicate()
            assert second.returncode == 2
            assert said.decode().startswith("Another demo or lab keeps its files in ")
            assert said.decode().count("\n") == 1
    assert (tmp_path / "offboard.db").read_text() == "of a demo that is running"


async def test_the_lab_says_how_to_point_a_bot_at_it_and_ends_when_told(tmp_path: Path) -> None:
    lab = await offboard("lab", "--port", str(free_port()), "--folder", str(tmp_path))
    assert lab.stdout is not None
    said = ""
    async with asyncio.timeout(20):
        while "Ctrl-C" not in said:
            said += (await lab.stdout.readline()).decode()
    exports = dict(line.removeprefix("export ").split("=", 1) for line in said.splitlines() if "export" in line)
    assert set(exports) == {"OFFBOARD_CLIENTS", "OFFBOARD_DATABASE", "OFFBOARD_CA_FILE"}
    assert f"{sys.executable} -m bot run\n" in said
    assert "in Slack is posted to http://127.0.0.1:8700/slack/events." in said
    assert "in Teams is posted to http://127.0.0.1:8700/api/messages." in said
    settings = load(exports)
    assert settings.slack is not None
    assert settings.slack.base_url.startswith("http://127.0.0.1:")
    assert settings.teams is not None
    assert settings.teams.service_url.startswith("http://127.0.0.1:")
    lab.send_signal(signal.SIGTERM)
    await asyncio.wait_for(lab.wait(), 10)
    assert lab.returncode == 0
