"""The hour when Slack is down: who is heard on the service's own machine, what they see, and what they approve."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml
from aiohttp import web
from sqlmodel import Session, select

from bot.cli_edge import cli_routes
from bot.cli_signature import NONCE, PATH, REFUSED, SIGNATURE, TIMESTAMP, sign_request
from bot.command_line import Answer, ask, read_key
from bot.lab.demo_bot import free_port
from bot.lab.sample_clients import MARIA, TECHNICIANS
from bot.lab.slack_limits import Shown, buttons
from bot.settings import Environment, WrongSettings
from bot.text import card_text
from connectors.microsoft365 import simulated_people as people
from handlers.cases.tables import CardRow, ItemRow, Plan
from handlers.command_line import put_away_all
from handlers.conversation import Card, Check, Fact, Mark, Section, text
from handlers.people import Roster
from tests.city import City
from tests.journeys import chooses, submits
from tests.toy import Toy, ToyWorld
from tests.world import World, roster

KEYS = {name: f"{name}'s key, which is long enough to be one" for name in ("ada", "sam", "priya", "maria")}


def with_keys(*names: str, **changed: object) -> Roster:
    """The tests' people, these with keys; `changed` is changed in each of them."""
    people = roster()
    updated = [
        person.model_copy(update={"key": f"file/{person.id}", **changed}) if person.id in names else person
        for person in people.people
    ]
    return people.model_copy(update={"people": tuple(updated)})


@dataclass
class Machine:
    """The machine the service runs on: its port, and the keys behind the references."""

    world: World
    environment: Environment
    keys: dict[str, str] = field(default_factory=lambda: {f"file/{name}": key for name, key in KEYS.items()})

    def secret(self, reference: str) -> str:
        if reference not in self.keys:
            raise WrongSettings(f"The secret {reference} can't be read: create it.")
        return self.keys[reference]

    async def says(self, person: str, **asked: str | list[str]) -> Answer:
        """That person types a command here."""
        key = self.keys[f"file/{person}"]
        answer = await asyncio.to_thread(ask, self.environment, key, {"command": "status", **asked})
        await self.world.settle()
        return answer

    async def approves(self, person: str, *digests: str, case: str = "1000", proofs: tuple[str, ...] = ()) -> Answer:
        return await self.says(person, command="approve", case=case, digests=[*digests], proofs=[*proofs])

    async def says_go(self, person: str, *digests: str, case: str = "1000") -> Answer:
        return await self.says(person, command="go", case=case, digests=[*digests])

    async def posts(self, body: bytes, headers: Mapping[str, str] | Mapping[bytes, bytes]) -> httpx.Response:
        """A request as it is, with nothing mended."""
        async with httpx.AsyncClient(trust_env=False) as client:
            url = f"http://{self.environment.host}:{self.environment.port}{PATH}"
            answer = await client.post(url, content=body, headers=headers)
        await self.world.settle()
        return answer

    async def digests(self) -> list[str]:
        return [plan.digest for plan in await self.world.plans()]

    async def number(self) -> str:
        return str((await self.world.cases())[-1].number)


def signed(key: str, body: bytes, *, at: float | None = None) -> dict[str, str]:
    timestamp, nonce = str(int(time.time() if at is None else at)), secrets.token_urlsafe(24)
    return {TIMESTAMP: timestamp, NONCE: nonce, SIGNATURE: sign_request(key, "POST", timestamp, nonce, body)}


async def machine_of(world: World) -> AsyncIterator[Machine]:
    # Whoever signs uses the real time.
    world.clock.time = datetime.now(UTC)
    machine = Machine(world, Environment(port=free_port()))
    app = web.Application()
    cli_routes(app, world.house, machine.secret)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, machine.environment.host, machine.environment.port).start()
    yield machine
    await runner.cleanup()
    await world.close()


@pytest.fixture
async def machine(tmp_path: Path, toys: ToyWorld) -> AsyncIterator[Machine]:
    """Ada, Sam and Priya have keys; so has Maria, who is a manager and must not be heard."""
    world = await World.build(tmp_path, (Toy(toys),), with_keys("ada", "sam", "priya", "maria"))
    async for machine in machine_of(world):
        yield machine


@pytest.fixture
async def asked(machine: Machine, toys: ToyWorld) -> Machine:
    """Maria has asked for Jane, and it waits."""
    await submits(machine.world)
    return machine


async def test_the_status_is_the_card_in_words(asked: Machine) -> None:
    told = await asked.says("ada", case="Jane")
    assert told.done
    assert "Leaver: Jane Doe, Head of Sales, jane.doe@toy.example" in told.text
    assert "Waits for a technician's approval. Jane Doe can still sign in." in told.text


async def test_without_a_name_every_case_is_a_line(asked: Machine) -> None:
    await submits(asked.world, name="Maria Lopez", person="noor")
    told = await asked.says("sam")
    assert "· Jane Doe · Contoso Ltd · waits for a technician's approval" in told.text
    assert "· Maria Lopez · Contoso Ltd ·" in told.text


async def test_what_nobody_asked_for_is_one_sentence(machine: Machine) -> None:
    told = await machine.says("ada", case="Nobody")
    assert told == Answer(done=False, text="I have no case 'Nobody' for you.")


async def test_first_everything_is_shown_then_exactly_that_is_approved(asked: Machine, toys: ToyWorld) -> None:
    shown = await asked.approves("ada", case="Jane")
    assert not shown.done
    assert "Close the account" in shown.text
    assert "Take the badge off every door – front door. Can't be undone: badges must be issued again." in shown.text
    assert toys.effects == []
    [digest] = await asked.digests()
    number = await asked.number()
    assert f"  the lock-out: offboard approve {number} --digest {digest[:16]}" in shown.text

    told = await asked.approves("ada", digest[:16], case=number)
    assert told.done
    assert told.text.endswith("Approved.")
    assert toys.effects == ["close Jane Doe", "badge Jane Doe front door"]
    assert "Jane Doe is locked out since" in (await asked.says("ada", case=number)).text


async def test_the_history_says_who_it_was_and_from_where(asked: Machine) -> None:
    [digest] = await asked.digests()
    await asked.approves("sam", digest, case="Jane")
    row = next(row for row in await asked.world.history() if row.what == "approved")
    assert (row.person, row.identity, row.detail["digest"]) == ("sam", "cli/msp/sam", digest)


async def test_an_old_digest_approves_nothing(asked: Machine, toys: ToyWorld) -> None:
    [old] = await asked.digests()

    def changes(session: Session) -> None:
        item = session.exec(select(ItemRow)).first()
        plan = session.exec(select(Plan)).one()
        assert item is not None
        item.title, plan.digest = "something else", "f" * 64
        session.add(item)
        session.add(plan)

    await asked.world.house.store.write(changes)
    told = await asked.approves("ada", old, case="Jane")
    assert not told.done
    assert f"No plan that waits has the digest {old}" in told.text
    assert "Nothing was approved." in told.text
    # And a digest that is shown but is no longer what the rows say is refused by the approval itself.
    told = await asked.approves("ada", "f" * 64, case="Jane")
    assert not told.done
    assert "The plan is not the one you were shown. Read it again, then decide." in told.text
    assert toys.effects == []


@pytest.mark.parametrize("given", ["", "f", "*" * 16, "0" * 64])
async def test_less_than_a_digest_approves_nothing(asked: Machine, toys: ToyWorld, given: str) -> None:
    [digest] = await asked.digests()
    for one in (given, digest[:15]):
        assert not (await asked.approves("ada", one, case="Jane")).done
    assert toys.effects == []


async def test_what_was_approved_once_is_not_approved_again(asked: Machine, toys: ToyWorld) -> None:
    [digest] = await asked.digests()
    assert (await asked.approves("ada", digest, case="Jane")).done
    told = await asked.approves("sam", digest, case="Jane")
    assert not told.done
    assert len(toys.effects) == 2
    assert [row.what for row in await asked.world.history()].count("approved") == 1


async def test_nobody_approves_what_they_requested(tmp_path: Path, toys: ToyWorld) -> None:
    world = await World.build(tmp_path, (Toy(toys),), with_keys("sam", "priya", manages=("contoso",)))
    async for machine in machine_of(world):
        await world.types("sam", "/offboard Jane Doe")
        await world.clicks("sam", "Continue", values={"client": "contoso"})
        for label in ("Jane Doe", "Resigned", "No, on good terms", "Now", "Submit"):
            await world.clicks("sam", label)
        [digest] = await machine.digests()
        told = await machine.approves("sam", digest, case="Jane")
        assert not told.done
        assert told.text.startswith("You can't decide about this one")
        assert toys.effects == []
        row = next(row for row in await world.history() if row.what == "refused")
        assert (row.person, row.identity) == ("sam", "cli/msp/sam")
        assert (await machine.approves("priya", digest, case="Jane")).done
        assert not toys.named("Jane Doe").open


async def test_two_must_approve_and_each_states_the_proof(asked: Machine, toys: ToyWorld) -> None:
    await asked.world.clicks("sam", "Reject", values={"reason": "anew"})
    jane = toys.named("Jane Doe")
    jane.approvers, jane.proof = 2, "Who else can open the vault?"
    await submits(asked.world)
    number, digest = await asked.number(), (await asked.digests())[-1]
    assert "--proof, no. 1: Who else can open the vault?" in (await asked.approves("ada", case=number)).text
    told = await asked.approves("ada", digest, case=number)
    assert told == Answer(done=False, text="Who else can open the vault?")
    assert (await asked.approves("ada", digest, case=number, proofs=("Maria, tried it today",))).done
    assert jane.open
    again = await asked.approves("ada", digest, case=number, proofs=("Maria, tried it today",))
    assert again.text == "You have approved already; a second, different technician is needed."
    assert (await asked.approves("sam", digest, case=number, proofs=("I saw her open it",))).done
    assert not jane.open


async def test_the_bill_and_the_rest_are_their_own_digests(asked: Machine) -> None:
    """Whoever does not decide about bills is told so, as at the click."""

    def a_bill(session: Session) -> None:
        plan = session.exec(select(Plan)).one()
        session.add(Plan(id="bill", case_id=plan.case_id, kind="money", state=plan.state, digest="b" * 64))

    await asked.world.house.store.write(a_bill)
    shown = await asked.approves("sam", case="Jane")
    assert "  the bill: offboard approve" in shown.text
    told = await asked.approves("sam", "b" * 64, case="Jane")
    assert not told.done
    assert told.text.startswith("Bills are decided by somebody of the billing people")


async def test_a_case_about_our_own_people_is_the_admins(machine: Machine) -> None:
    await machine.world.types("ada", "/offboard Jane Doe")
    await machine.world.clicks("ada", "Continue", values={"client": "own"})
    for label in ("Jane Doe", "Resigned", "No, on good terms", "Now", "Submit"):
        await machine.world.clicks("ada", label)
    assert "Jane Doe" in (await machine.says("ada", case="Jane")).text
    assert (await machine.says("sam", case="Jane")).text == "I have no case 'Jane' for you."
    assert (await machine.approves("sam", case="Jane")).text == "I have no case 'Jane' for you."


async def test_no_chat_is_ever_asked_to_show_what_was_shown_here(asked: Machine) -> None:
    [digest] = await asked.digests()
    await asked.approves("ada", case="Jane")
    await asked.approves("ada", digest, case="Jane")
    await asked.says("ada", case="Jane")

    def left(session: Session) -> list[CardRow]:
        return [row for row in session.exec(select(CardRow)) if row.identity.startswith("cli/")]

    rows = await asked.world.house.store.read(left)
    # Looking leaves nothing; the press leaves one that is put away.
    assert [row.dead for row in rows] == ["was shown on the command line"]


async def test_what_a_dying_process_left_is_put_away(asked: Machine) -> None:
    case = (await asked.world.cases())[0]

    def left(session: Session) -> None:
        session.add(CardRow(id="left", case_id=case.id, kind="technicians", viewer="ada", identity="cli/msp/ada"))

    await asked.world.house.store.write(left)
    await put_away_all(asked.world.house)
    row = await asked.world.house.store.read(lambda session: session.get_one(CardRow, "left"))
    assert row.dead


# --- who is heard -------------------------------------------------------------------------------


@pytest.fixture
async def approval(asked: Machine) -> bytes:
    """What approves Jane's lock-out, once it is signed."""
    [digest] = await asked.digests()
    return json.dumps({"command": "approve", "case": "Jane", "digests": [digest]}).encode()


async def refused(machine: Machine, body: bytes, headers: Mapping[str, str] | Mapping[bytes, bytes]) -> None:
    answer = await machine.posts(body, headers)
    assert (answer.status_code, answer.text) == (401, REFUSED)
    assert [row.what for row in await machine.world.history()].count("approved") == 0


async def test_the_approval_is_heard_when_it_is_signed(asked: Machine, approval: bytes, toys: ToyWorld) -> None:
    """So that what is refused below is refused for its own reason."""
    assert (await asked.posts(approval, signed(KEYS["ada"], approval))).status_code == 200
    assert toys.effects


async def test_a_wrong_key_is_refused(asked: Machine, approval: bytes) -> None:
    await refused(asked, approval, signed("x" * 40, approval))
    with pytest.raises(WrongSettings, match="Use the key that clients"):
        await asyncio.to_thread(ask, asked.environment, "x" * 40, {"command": "status"})


async def test_a_managers_key_is_refused(asked: Machine, approval: bytes) -> None:
    await refused(asked, approval, signed(KEYS["maria"], approval))


async def test_an_unsigned_request_is_refused(asked: Machine, approval: bytes) -> None:
    await refused(asked, approval, {})
    for name in (TIMESTAMP, NONCE, SIGNATURE):
        await refused(asked, approval, {**signed(KEYS["ada"], approval), name: ""})
    strange = {**signed(KEYS["ada"], approval), SIGNATURE: "é" * 32}
    await refused(asked, approval, {name.encode(): value.encode("latin-1") for name, value in strange.items()})


async def test_an_altered_body_is_refused(asked: Machine, approval: bytes) -> None:
    look = json.dumps({"command": "approve", "case": "Jane"}).encode()
    await refused(asked, approval, signed(KEYS["ada"], look))


@pytest.mark.parametrize("name", [TIMESTAMP, NONCE])
async def test_an_altered_header_is_refused(asked: Machine, approval: bytes, name: str) -> None:
    headers, other = signed(KEYS["ada"], approval), signed(KEYS["ada"], approval, at=time.time() - 5)
    await refused(asked, approval, {**headers, name: other[name]})


@pytest.mark.parametrize("off", [-310, 310])
async def test_a_stale_timestamp_is_refused(asked: Machine, approval: bytes, off: int) -> None:
    await refused(asked, approval, signed(KEYS["ada"], approval, at=time.time() + off))


async def test_a_request_is_heard_once(asked: Machine) -> None:
    body = json.dumps({"command": "status"}).encode()
    headers = signed(KEYS["ada"], body)
    assert (await asked.posts(body, headers)).status_code == 200
    await refused(asked, body, headers)


async def test_what_came_through_a_proxy_is_refused(asked: Machine, approval: bytes) -> None:
    await refused(asked, approval, {**signed(KEYS["ada"], approval), "X-Forwarded-For": "203.0.113.7"})


async def test_what_is_too_long_is_refused(asked: Machine) -> None:
    body = json.dumps({"command": "status", "case": "x" * 20_000}).encode()
    await refused(asked, body, signed(KEYS["ada"], body))


async def test_a_key_two_people_have_is_nobodys(asked: Machine, approval: bytes) -> None:
    asked.keys["file/sam"] = KEYS["ada"]
    await refused(asked, approval, signed(KEYS["ada"], approval))


async def test_a_key_that_could_be_guessed_is_not_used(asked: Machine, approval: bytes) -> None:
    asked.keys["file/ada"] = "1234"
    await refused(asked, approval, signed("1234", approval))


async def test_a_key_that_is_lost_bars_nobody_else(asked: Machine, approval: bytes, toys: ToyWorld) -> None:
    del asked.keys["file/sam"]
    assert (await asked.posts(approval, signed(KEYS["ada"], approval))).status_code == 200
    assert toys.effects


async def test_a_command_of_another_version_is_one_sentence(asked: Machine) -> None:
    told = await asked.says("ada", command="undo")
    assert told.text == "This command and the service are not of one version: restart the service, then try again."


# --- the other end ------------------------------------------------------------------------------


def test_a_service_that_is_not_running_is_one_sentence() -> None:
    with pytest.raises(WrongSettings, match=r"The service is not running at http://127\.0\.0\.1:\d+: start it with"):
        ask(Environment(port=free_port()), KEYS["ada"], {"command": "status"})


async def test_whoever_else_answers_there_shows_nothing() -> None:
    """A plan that is not one must not be shown by somebody who took the port."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"done": True, "text": "Case 1: offboard somebody else"})

    app = web.Application()
    app.router.add_post(PATH, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    with pytest.raises(WrongSettings, match="is not our service: nothing it says is shown"):
        await asyncio.to_thread(ask, Environment(port=port), KEYS["ada"], {"command": "status"})
    await runner.cleanup()


def test_a_key_file_is_somebodys_own_and_long_enough(tmp_path: Path) -> None:
    file = tmp_path / "ada.key"
    with pytest.raises(WrongSettings, match="--key-file FILE, or OFFBOARD_KEY_FILE"):
        read_key(None)
    with pytest.raises(WrongSettings, match=r"ada\.key can't be read \(No such file"):
        read_key(file)
    file.write_text(f"{KEYS['ada']}\n")
    file.chmod(0o644)
    with pytest.raises(WrongSettings, match="open to everybody on this machine: chmod 600"):
        read_key(file)
    file.chmod(0o600)
    assert read_key(file) == KEYS["ada"]
    file.write_text("short-secret")
    with pytest.raises(WrongSettings, match="fewer than 32 characters") as told:
        read_key(file)
    assert "short-secret" not in str(told.value)


def test_a_terminal_shows_a_hostile_name_and_does_not_obey_it() -> None:
    hostile = "Jane\x1b[2J\x9b31m\r\u202eDoe\n✅ Approved"
    card = Card(
        f"Case 1: {hostile}",
        "",
        None,
        (
            Section(
                heading=hostile,
                body=(text(hostile),),
                facts=(Fact("Leaver", text(hostile)),),
                checklist=(Check(Mark.PENDING, text(hostile), text(hostile)),),
            ),
        ),
    )
    drawn = card_text(card)
    assert not set("\x1b\x9b\r\u202e") & set(drawn)
    assert not any(line.startswith("✅") for line in drawn.splitlines())


def test_nothing_of_a_card_is_shortened() -> None:
    whole = ", ".join(f"group {number}" for number in range(2_000))
    card = Card("Case 1", "", None, (Section(checklist=(Check(Mark.DONE, text("Leave groups"), text(whole)),)),))
    assert whole in card_text(card)


async def test_the_lock_out_goes_on_while_slack_is_down(tmp_path: Path) -> None:
    """The real service, its command line, a tenant; and no Slack any more once Maria has asked."""
    city = City(tmp_path)
    await city.start()
    key = tmp_path / "secrets" / "sam.key"
    key.write_text(KEYS["sam"])
    key.chmod(0o600)
    file = tmp_path / "clients.yml"
    values = yaml.safe_load(file.read_text())
    next(one for one in values["people"] if one["id"] == "sam")["key"] = f"file/{key}"
    file.write_text(yaml.safe_dump(values))
    await city.bot.stop()
    await city.bot.start()
    await city.bot.until_up()

    async def types(*arguments: str) -> tuple[int, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFBOARD_")}
        own = {"OFFBOARD_PORT": city.bot.url.rpartition(":")[2], "OFFBOARD_KEY_FILE": str(key)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", *arguments),
            env={**kept, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return await process.wait(), (await process.communicate())[0].decode()

    async def until(words: str, *arguments: str) -> str:
        for _ in range(100):
            said = (await types(*arguments))[1]
            if words in said:
                return said
            await asyncio.sleep(0.2)
        raise AssertionError(f"nobody says '{words}'")

    def private() -> list[Shown]:
        return city.slack.private(MARIA.user)

    def offers(label: str) -> bool:
        return any(label in one for message in private() for one in buttons(message))

    await city.types(MARIA, "/offboard Jane Doe")
    for label in ("Head of Sales", "Dismissed", "Yes", "Now", "Accept all", "Submit"):
        await city.slack.until(lambda label=label: offers(label), 15)
        message = next(one for one in reversed(private()) if any(label in button for button in buttons(one)))
        await city.clicks(MARIA.user, message, next(one for one in buttons(message) if label in one))
    await city.slack.until(lambda: bool(city.slack.messages(TECHNICIANS)), 15)
    await city.slack.stop()

    jane = city.person(people.JANE)
    shown = await until("--digest", "approve", "Jane")
    assert jane.enabled
    line = next(one for one in shown.splitlines() if "--digest" in one)
    code, said = await types(*line.partition("offboard ")[2].split())
    assert (code, said.splitlines()[-1]) == (0, "Approved.")
    await until("is locked out since", "status", "Jane")
    assert not jane.enabled
    [row] = city.rows("SELECT person, identity FROM history WHERE what = 'approved' LIMIT 1")
    assert row == ("sam", "cli/msp/sam")
    assert KEYS["sam"] not in (tmp_path / "bot.log").read_text()
    await city.stop()
    code, _ = await types("status")
    assert code == 2


@pytest.fixture
async def on_go(machine: Machine, toys: ToyWorld) -> Machine:
    """Jane's lock-out is approved and waits for the go."""
    await chooses(machine.world)
    for label in ("Dismissed", "Yes", "When I say go", "Submit"):
        await machine.world.clicks("maria", label)
    await machine.world.clicks("sam", "Approve")
    return machine


async def test_go_is_asked_twice_here_too_what_is_shown_then_its_digest(on_go: Machine, toys: ToyWorld) -> None:
    (digest,) = await on_go.digests()
    case = await on_go.number()
    shown = await on_go.says_go("ada", case=case)
    assert not shown.done
    assert f"the lock-out: offboard go {case} --digest {digest[:16]}" in shown.text
    assert toys.named("Jane Doe").open
    told = await on_go.says_go("ada", digest[:16], case=case)
    assert told.done, told.text
    assert not toys.named("Jane Doe").open
    said = [row.what for row in await on_go.world.history() if row.person == "ada"]
    assert said == ["go pressed", "cut-off"]


async def test_whoever_pressed_go_before_the_chat_failed_confirms_here(on_go: Machine, toys: ToyWorld) -> None:
    (digest,) = await on_go.digests()
    await on_go.world.clicks("priya", "Go:")
    refused = await on_go.says_go("ada", digest, case=await on_go.number())
    assert "Priya Rao pressed Go, so it is theirs to confirm." in refused.text
    assert toys.named("Jane Doe").open
    assert (await on_go.says_go("priya", digest, case=await on_go.number())).done
    assert not toys.named("Jane Doe").open


async def test_go_to_what_was_not_shown_begins_nothing(on_go: Machine, toys: ToyWorld) -> None:
    refused = await on_go.says_go("ada", "0123456789abcdef", case=await on_go.number())
    assert "Nothing was begun." in refused.text
    assert (
        "Nothing of this case waits for an approval." in (await on_go.approves("ada", case=await on_go.number())).text
    )
    assert toys.named("Jane Doe").open


async def test_there_is_no_go_to_what_nobody_has_approved(asked: Machine, toys: ToyWorld) -> None:
    (digest,) = await asked.digests()
    case = await asked.number()
    assert "Nothing of this case waits for a go." in (await asked.says_go("ada", case=case)).text
    assert "Nothing was begun." in (await asked.says_go("ada", digest, case=case)).text
    assert toys.named("Jane Doe").open
