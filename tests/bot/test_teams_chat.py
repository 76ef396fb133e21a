"""Posting and editing in Teams: what goes out, where, and what comes of refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import SystemClock
from bot.lab.teams_cards import buttons, read
from bot.teams.chat import TeamsChat
from bot.teams.service import TeamsService
from bot.teams.settings import Teams
from handlers.cases.homes import StoredHomes
from handlers.cases.migrate import upgrade
from handlers.cases.store import Store
from handlers.conversation import Actor, Card, ChatError, Field, Message, Place, Section, text
from tests.bot.cards import APPROVAL, HOSTILE, PROGRESS, QUESTION
from tests.bot.teams import (
    CONTOSO,
    FABRIKAM,
    HOME,
    MARIA,
    MARIAS,
    SECRET,
    STRANGER,
    THEO,
    THEOS,
    TeamsWorld,
    teams_world,
)
from tests.world import FreeLimiter


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[TeamsWorld]:
    async with teams_world(tmp_path) as world:
        world.teams.installed |= {(CONTOSO, MARIA), (HOME, THEO)}
        yield world


async def test_a_card_is_posted_and_edited_in_place(world: TeamsWorld) -> None:
    message = await world.chat.post(world.techs, APPROVAL)
    await world.chat.update(message, PROGRESS)
    [shown] = world.teams.shown(world.techs.channel)
    assert shown.id == message.id
    assert read(shown).startswith("Jane Doe is being locked out")
    assert read(shown.edits[0]).startswith("Approve the lock-out")


async def test_a_lock_screen_shows_number_and_client_and_nobodys_name(world: TeamsWorld) -> None:
    message = await world.chat.post(world.techs, APPROVAL)
    assert world.teams.shown(world.techs.channel)[0].summary == APPROVAL.notification
    await world.chat.update(message, PROGRESS)
    for _, _, body in world.teams.calls:
        assert "Jane" not in str(body["summary"])
        assert "text" not in body


async def test_what_a_directory_says_stays_literal(world: TeamsWorld) -> None:
    await world.chat.post(world.techs, HOSTILE)
    [shown] = world.teams.shown(world.techs.channel)
    assert "[pay](http://evil.example)" in read(shown)
    assert shown.summary == HOSTILE.notification


async def test_a_name_that_a_vendor_cut_in_the_middle_of_an_emoji_is_shown_all_the_same(world: TeamsWorld) -> None:
    await world.chat.post(world.techs, Card("Jane Doe \ud83d", "Case 1", sections=(Section(heading="Sales \ud83d"),)))
    [shown] = world.teams.shown(world.techs.channel)
    assert read(shown).startswith("Jane Doe")


async def test_the_private_chat_is_opened_once_and_names_the_tenant(world: TeamsWorld) -> None:
    first = await world.chat.private(MARIAS)
    assert first == await world.chat.private(MARIAS)
    assert first == Place("teams", CONTOSO, world.teams.chat_of(CONTOSO, MARIA), private=True)
    [(call, _, body)] = world.teams.calls
    assert call == "create"
    assert body["channelData"] == {"tenant": {"id": CONTOSO}}
    assert body["members"] == [{"id": MARIA}]
    assert await world.chat.private(THEOS) != first


async def test_a_chat_that_is_known_is_not_opened(world: TeamsWorld) -> None:
    await world.teams.types(CONTOSO, MARIA, "status")
    await world.chat.private(MARIAS)
    assert world.teams.calls == []


async def test_where_people_are_written_to_outlives_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'offboard.db'}"
    upgrade(url)
    store = Store(url)
    async with teams_world(tmp_path, homes=StoredHomes(store)) as world:
        world.teams.installed.add((CONTOSO, MARIA))
        first = await world.chat.private(MARIAS)
        await world.teams.types(HOME, THEO, "status")
        store.close()
        settings = Teams.model_validate(world.teams.settings({HOME: "msp", CONTOSO: "contoso"}, "env/X"))
        # Whoever has not spoken yet is looked for elsewhere; these have.
        settings = settings.model_copy(update={"service_url": "http://127.0.0.1:9/teams/"})
        store = Store(url)
        again = TeamsService(
            settings, lambda _: SECRET, StoredHomes(store), clock=SystemClock(), limiter=FreeLimiter(),
            ca_file=world.teams.ca_file,
        )  # fmt: skip
        world.teams.calls.clear()
        assert await again.chat.private(MARIAS) == first
        await again.chat.post(world.techs, APPROVAL)
        assert [call for call, _, _ in world.teams.calls] == ["send"]
        await again.chat.forget(CONTOSO, MARIA)
        assert await StoredHomes(store).find(CONTOSO, MARIA) is None
        await again.close()
        store.close()


async def test_a_service_url_kept_from_earlier_counts_only_while_it_is_listed(world: TeamsWorld) -> None:
    world.homes.kept[HOME, ""] = ("", "https://smba.elsewhere.example/")
    await world.chat.post(world.techs, APPROVAL)
    assert len(world.teams.shown(world.techs.channel)) == 1


async def test_no_tenant_outside_the_list_is_ever_spoken_to(world: TeamsWorld) -> None:
    world.homes.kept[FABRIKAM, STRANGER] = ("a:1", world.teams.service_url)
    stranger = Actor("teams", FABRIKAM, STRANGER)
    for work in (
        world.chat.post(Place("teams", FABRIKAM, "19:x@thread.tacv2"), APPROVAL),
        world.chat.update(Message(Place("teams", FABRIKAM, "a:1"), "m:1"), APPROVAL),
        world.chat.post(await world.chat.private(stranger), APPROVAL),
    ):
        with pytest.raises(ChatError, match=f"tenant {FABRIKAM} is not in teams.tenants: add it there") as caught:
            await work
        assert caught.value.retry_after is None
    assert world.teams.calls == []


@pytest.mark.parametrize(
    ("status", "code", "asked", "retry_after"),
    [
        (429, "Throttled", "17", 17),
        (429, "", "", 3),
        (412, "PreconditionFailed", "", 3),
        (502, "", "", 3),
        (504, "", "2", 2),
        (500, "", "", 3),
        (503, "ServiceError", "", 3),
        (429, "", "999999", 3_600),
        (429, "", "soon", 3),
        (400, "BadSyntax", "", None),
        (403, "NotEnoughPermissions", "", None),
        (403, "BotNotInConversationRoster", "", 60),
        (403, "BotDisabledByAdmin", "", 60),
        (404, "ActivityNotFoundInConversation", "", None),
        (413, "MessageSizeTooBig", "", None),
        (302, "", "", None),
    ],
)
async def test_a_refusal_says_whether_another_try_is_worth_it(
    world: TeamsWorld, status: int, code: str, asked: str, retry_after: float | None
) -> None:
    message = await world.chat.post(world.techs, APPROVAL)
    world.teams.fail("update", status, code, retry_after=asked)
    with pytest.raises(ChatError, match=f"teams: update: HTTP {status}") as caught:
        await world.chat.update(message, PROGRESS)
    assert caught.value.retry_after == retry_after
    assert not caught.value.hopeless
    assert len(world.teams.calls) == 1, "nothing is repeated in here"


async def test_whoever_blocked_the_app_is_given_up_and_asked_for_anew_the_next_time(world: TeamsWorld) -> None:
    place = await world.chat.private(MARIAS)
    world.teams.blocked.add((CONTOSO, MARIA))
    with pytest.raises(ChatError, match="the person has blocked or removed the app") as caught:
        await world.chat.post(place, QUESTION)
    assert caught.value.hopeless
    assert (CONTOSO, MARIA) not in world.homes.kept


async def test_an_edit_finds_it_out_as_well(world: TeamsWorld) -> None:
    message = await world.chat.post(await world.chat.private(MARIAS), QUESTION)
    world.teams.blocks(CONTOSO, MARIA)
    with pytest.raises(ChatError) as caught:
        await world.chat.update(message, PROGRESS)
    assert caught.value.hopeless
    assert (CONTOSO, MARIA) not in world.homes.kept


@pytest.mark.parametrize("code", ["MessageWritesBlocked", "ConversationBlockedByUser"])
@pytest.mark.parametrize("call", ["send", "create", "update"])
async def test_both_of_microsofts_words_for_it_are_understood(world: TeamsWorld, call: str, code: str) -> None:
    message = await world.chat.post(world.techs, APPROVAL)
    world.teams.fail(call, 403, code)
    tries = {
        "send": lambda: world.chat.post(world.techs, APPROVAL),
        "create": lambda: world.chat.private(MARIAS),
        "update": lambda: world.chat.update(message, PROGRESS),
    }
    with pytest.raises(ChatError, match="the person has blocked or removed the app") as caught:
        await tries[call]()
    assert caught.value.hopeless


async def test_a_message_that_is_gone_does_not_end_the_chat(world: TeamsWorld) -> None:
    place = await world.chat.private(MARIAS)
    with pytest.raises(ChatError, match="HTTP 404"):
        await world.chat.update(Message(place, "m:999"), PROGRESS)
    assert (CONTOSO, MARIA) in world.homes.kept


async def test_a_person_without_the_app_waits_for_it(world: TeamsWorld) -> None:
    world.teams.installed.clear()
    with pytest.raises(ChatError, match="the app is not installed there") as caught:
        await world.chat.private(MARIAS)
    assert caught.value.retry_after == 60


async def test_a_message_that_is_gone_is_not_tried_again(world: TeamsWorld) -> None:
    with pytest.raises(ChatError, match="HTTP 404") as caught:
        await world.chat.update(Message(world.techs, "m:999"), PROGRESS)
    assert caught.value.retry_after is None


async def test_a_message_too_big_is_not_tried_again(world: TeamsWorld) -> None:
    with pytest.raises(ChatError, match="bigger than Teams takes") as caught:
        await world.chat.say(world.techs, "x" * 101_000)
    assert caught.value.retry_after is None


async def test_a_card_of_letters_from_everywhere_keeps_to_the_older_limit_too(world: TeamsWorld) -> None:
    world.teams.small = True
    lines = tuple(text("Ωμέγα № " * 40) for _ in range(200))
    await world.chat.post(world.techs, Card("Больше", "n", sections=(Section(body=lines),)))
    assert len(world.teams.shown(world.techs.channel)) == 1


async def test_a_card_that_cannot_be_shown_is_refused_before_teams_is_asked(world: TeamsWorld) -> None:
    fields = tuple(Field(f"f{number}", "Name" * 40) for number in range(200))
    with pytest.raises(ChatError, match="split it") as caught:
        await world.chat.post(world.techs, Card("Too much", "n", sections=(Section(fields=fields),)))
    assert caught.value.retry_after is None
    assert world.teams.calls == []


async def test_too_much_for_one_conversation_is_not_even_sent(tmp_path: Path) -> None:
    async with teams_world(tmp_path, now=lambda: 1_000.0) as world:
        world.teams.installed.add((CONTOSO, MARIA))
        await asyncio.gather(*(world.chat.say(world.techs, str(number)) for number in range(7)))
        with pytest.raises(ChatError, match="enough has been sent there") as caught:
            await world.chat.say(world.techs, "8")
        assert caught.value.retry_after == 1
        await world.chat.say(await world.chat.private(MARIAS), "to somebody else")
        assert len(world.teams.shown(world.techs.channel)) == 7


@pytest.mark.parametrize(("most", "seconds", "every"), [(8, 2.0, 0.2), (60, 30.0, 0.4), (1_800, 3_600.0, 1.9)])
async def test_each_of_teams_rates_is_kept(world: TeamsWorld, most: int, seconds: float, every: float) -> None:
    now = [0.0]

    class Silent:
        async def send(self, *_: object) -> str:
            return "m:1"

    chat = TeamsChat(
        Silent(), world.homes, tenants=frozenset({HOME}), hosts=frozenset(), service_url="x", now=lambda: now[0]  # type: ignore[arg-type]
    )  # fmt: skip
    for _ in range(most):
        await chat.say(world.techs, "x")
        now[0] += every
    with pytest.raises(ChatError) as caught:
        await chat.say(world.techs, "x")
    assert caught.value.retry_after == pytest.approx(seconds - now[0])
    now[0] += caught.value.retry_after or 0
    await chat.say(world.techs, "x")


async def test_a_connector_that_hangs_up_or_talks_nonsense_is_tried_again_soon(world: TeamsWorld) -> None:
    answers = [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers[0])
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = world.teams.settings({HOME: "msp"}, "env/X")
    settings |= {"service_hosts": [f"127.0.0.1:{port}"], "service_url": f"http://127.0.0.1:{port}/"}
    service = TeamsService(
        Teams.model_validate(settings), lambda _: SECRET, world.homes, clock=SystemClock(), limiter=FreeLimiter(),
        ca_file=world.teams.ca_file,
    )  # fmt: skip
    while answers:
        with pytest.raises(ChatError) as caught:
            await service.chat.post(world.techs, APPROVAL)
        assert caught.value.retry_after == 3
        assert str(port) not in str(caught.value)
        answers.pop(0)
    await service.close()
    server.close()


async def test_our_token_is_never_carried_on_to_another_address(world: TeamsWorld) -> None:
    async def point_elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        elsewhere = f"{world.teams.service_url}v3/conversations/{world.techs.channel}/activities"
        writer.write(f"HTTP/1.1 307 Elsewhere\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(point_elsewhere, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    world.chat._default = f"http://127.0.0.1:{port}/"  # pyright: ignore[reportPrivateUsage] - as if Teams named it
    world.chat._wire._connectors._hosts |= {f"127.0.0.1:{port}"}  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(ChatError, match="HTTP 307") as caught:
        await world.chat.post(world.techs, APPROVAL)
    assert caught.value.retry_after is None
    assert world.teams.calls == []
    server.close()


async def test_the_fake_refuses_what_teams_refuses(world: TeamsWorld) -> None:
    class Slow:
        """Another bot process: it does not know what this one has sent."""

        at = 0.0

        def __call__(self) -> float:
            self.at += 10
            return self.at

    settings = Teams.model_validate(world.teams.settings({HOME: "msp"}, "env/X"))
    service = TeamsService(
        settings, lambda _: SECRET, world.homes, clock=SystemClock(), limiter=FreeLimiter(),
        ca_file=world.teams.ca_file, now=Slow(),
    )  # fmt: skip
    for number in range(7):
        await service.chat.say(world.techs, str(number))
    with pytest.raises(ChatError, match="HTTP 429 Throttled"):
        await service.chat.say(world.techs, "8")
    await service.close()
    shown = world.teams.shown(world.techs.channel)[0]
    assert buttons(shown) == []
    with pytest.raises(LookupError, match="no button 'Approve'"):
        await world.teams.presses(HOME, THEO, shown, "Approve")
