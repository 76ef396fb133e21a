"""Who is let in, and where the bot's token goes: for each known defect of the SDK a request that would pass it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from pydantic import JsonValue

from bot.lab.fake_teams_wire import Signer
from bot.lab.teams_cards import read
from bot.teams.gate import Keys, NotAdmitted, serves
from handlers.conversation import ChatError, Reply
from tests.bot.cards import APPROVAL
from tests.bot.teams import APP, CONTOSO, HOME, MARIA, MARIAS, SECRET, THEO, TeamsWorld, teams_world

Json = dict[str, JsonValue]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[TeamsWorld]:
    async with teams_world(tmp_path) as world:
        yield world


def said(world: TeamsWorld, **changed: JsonValue) -> Json:
    return {
        **world.teams.activity("message", CONTOSO, MARIA, world.teams.chat_of(CONTOSO, MARIA)),
        "text": "status",
        **changed,
    }


async def refused(world: TeamsWorld, activity: Json, token: str) -> bool:
    """Whether that is a 401 and nobody heard anything."""
    answer = await world.teams.deliver(activity, token=token)
    await world.edge.settle()
    return answer.status == 401 and not world.house.heard and not world.teams.calls


# --- 1: only the Bot Connector's own tokens, and only for its own hosts ------------------------------


@pytest.mark.parametrize(
    "issuer",
    [
        "https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/",
        "https://login.microsoftonline.com/d6d49420-f39b-4df7-a1dc-d59a935871db/v2.0",
        "https://sts.windows.net/f8cdef31-a31e-4b4a-93e4-5f571e91255a/",
        f"https://sts.windows.net/{HOME}/",
        f"https://login.microsoftonline.com/{HOME}/v2.0",
        "https://api.botframework.us",
        "https://api.botframework.com/",
        ["https://api.botframework.com"],
        None,
        "",
        7,
    ],
)
async def test_a_token_of_any_other_issuer_is_nobodys_even_when_its_key_is_right(
    world: TeamsWorld, issuer: JsonValue
) -> None:
    # Such a token is what a multi-tenant bot itself is given, and the SDK takes it for an emulator's.
    token = world.teams.signer.token(
        "https://api.botframework.com", world.teams.service_url, iss=issuer, appid=APP, azp=APP, ver="1.0"
    )
    assert await refused(world, said(world), token)


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "http://127.0.0.1:1/teams/", "https://smba.trafficmanager.net.evil.example/", ""]
)
async def test_a_service_url_that_is_not_in_the_list_is_never_called(world: TeamsWorld, url: str) -> None:
    world.house.reply = Reply("Case 1")
    assert await refused(world, said(world, serviceUrl=url), world.teams.signer.token(APP, url))


async def test_a_service_url_other_than_the_tokens_is_refused(world: TeamsWorld) -> None:
    token = world.teams.signer.token(APP, "https://smba.trafficmanager.net/emea/")
    assert await refused(world, said(world), token)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://smba.trafficmanager.net/emea/", True),
        ("https://SMBA.trafficmanager.net/emea/", True),
        ("http://smba.trafficmanager.net/emea/", False),
        ("https://smba.trafficmanager.net:8443/emea/", False),
        ("https://smba.trafficmanager.net@evil.example/", False),
        ("https://evil.example/smba.trafficmanager.net", False),
        ("https://smba.trafficmanager.net/emea/?x=", False),
        ("https://smba.trafficmanager.net/{conversationId}", False),
        ("https://smba.trafficmanager.net\\@evil.example/", False),
        ("http://127.0.0.1:80/", False),
        ("https://[half/", False),
        ("https://x:notaport/", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_our_token_travels_to_listed_hosts_alone(url: str, *, good: bool) -> None:
    assert serves(url, frozenset({"smba.trafficmanager.net"})) is good


# --- 2: whatever is wrong with a token is a 401 ------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "another-bot"},
        {"aud": [APP]},
        {"aud": None},
        {"aud": "https://api.botframework.com"},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 9_999_999_999},
        {"serviceurl": None},
        {"serviceurl": ""},
    ],
    ids=str,
)
async def test_a_claim_that_is_wrong_is_a_401(world: TeamsWorld, changed: Json) -> None:
    assert await refused(world, said(world), world.teams.signer.token(APP, world.teams.service_url, **changed))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "....", "e30.e30.", "x" * 8_100, "e30.e30.e30"])
async def test_what_is_no_token_is_a_401(world: TeamsWorld, token: str) -> None:
    assert await refused(world, said(world), token)


async def test_a_token_signed_by_another_key_under_the_right_name_is_a_401(world: TeamsWorld) -> None:
    forger = Signer()
    forger.key_id = world.teams.signer.key_id
    assert await refused(world, said(world), forger.token(APP, world.teams.service_url))


@pytest.mark.parametrize(
    "header",
    [{"alg": "none"}, {"alg": "HS256"}, {"alg": "RS512"}, {"kid": None}, {"kid": 7}, {"kid": ["x"]}, {"alg": None}],
    ids=str,
)
async def test_a_header_that_is_wrong_is_a_401(world: TeamsWorld, header: Json) -> None:
    claims: Json = {"iss": "https://api.botframework.com", "aud": APP, "serviceurl": world.teams.service_url}
    claims["exp"] = int(time.time()) + 600
    assert await refused(world, said(world), world.teams.signer.sign(claims, header))


@pytest.mark.parametrize("endorsements", [[], ["webchat"], ["MSTeams"]])
async def test_a_key_that_is_not_for_teams_is_a_401(world: TeamsWorld, endorsements: list[str]) -> None:
    world.teams.signer.endorsements = endorsements
    assert await refused(world, said(world), world.teams.signer.token(APP, world.teams.service_url))


async def test_another_scheme_is_a_401(world: TeamsWorld) -> None:
    token = world.teams.signer.token(APP, world.teams.service_url)
    answer = await world.teams.post(json.dumps(said(world)).encode(), headers={"Authorization": f"bearer {token}"})
    assert answer.status == 401


async def test_an_unsigned_body_is_refused_before_it_is_read(world: TeamsWorld) -> None:
    assert (await world.teams.post(b"[" * 100_000, "x")).status == 401
    assert (await world.teams.post(b"not json")).status == 401


# --- 3: keys change ----------------------------------------------------------------------------------


class Time:
    """Moves when told."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
async def keys(world: TeamsWorld) -> AsyncIterator[tuple[Keys, Time]]:
    session, clock = aiohttp.ClientSession(), Time()
    yield Keys(world.teams.open_id, lambda: session, now=clock), clock
    await session.close()


async def test_a_key_nobody_knows_yet_is_fetched_and_the_request_is_heard(tmp_path: Path) -> None:
    clock = Time()
    async with teams_world(tmp_path, now=clock) as world:
        await world.teams.types(CONTOSO, MARIA, "status")
        world.teams.signer.rotate()
        clock.at += 61
        assert (await world.teams.types(CONTOSO, MARIA, "status")).status == 200
        assert len(world.house.heard) == 2
        assert world.teams.key_fetches == 2


async def test_while_there_are_no_keys_at_all_they_are_asked_for_every_few_seconds(tmp_path: Path) -> None:
    clock = Time()
    async with teams_world(tmp_path, now=clock) as world:
        world.teams.fail("keys", 503)
        assert (await world.teams.types(CONTOSO, MARIA, "status")).status == 401
        assert (await world.teams.types(CONTOSO, MARIA, "status")).status == 401
        clock.at += 4
        assert (await world.teams.types(CONTOSO, MARIA, "status")).status == 200


async def test_however_many_tokens_name_a_key_nobody_knows_it_is_asked_for_once_a_minute(
    world: TeamsWorld, keys: tuple[Keys, Time]
) -> None:
    known, clock = keys
    await known.get(world.teams.signer.key_id)
    for _ in range(50):
        with pytest.raises(NotAdmitted, match="nobody knows its key"):
            await known.get("unheard-of")
    assert world.teams.key_fetches == 1
    clock.at += 61
    await asyncio.gather(*(known.get("unheard-of") for _ in range(50)), return_exceptions=True)
    assert world.teams.key_fetches == 2


async def test_keys_are_fetched_anew_each_day_and_old_ones_forgotten(
    world: TeamsWorld, keys: tuple[Keys, Time]
) -> None:
    known, clock = keys
    old = world.teams.signer.key_id
    await known.get(old)
    world.teams.signer.rotate()
    clock.at += 25 * 3600
    with pytest.raises(NotAdmitted):
        await known.get(old)
    assert await known.get(world.teams.signer.key_id)


async def test_an_outage_makes_nobody_deaf_for_a_while(world: TeamsWorld, keys: tuple[Keys, Time]) -> None:
    known, clock = keys
    await known.get(world.teams.signer.key_id)
    world.teams.fail("keys", 503, times=99)
    clock.at += 30 * 3600
    assert await known.get(world.teams.signer.key_id)
    clock.at += 50 * 3600
    with pytest.raises(NotAdmitted):
        await known.get(world.teams.signer.key_id)


async def test_keys_that_can_not_be_fetched_are_a_401_and_no_error(world: TeamsWorld) -> None:
    world.teams.fail("keys", 500, times=9)
    assert await refused(world, said(world), world.teams.signer.token(APP, world.teams.service_url))


# --- 4: nothing blocks the loop ----------------------------------------------------------------------


class Heart:
    """Beats every few milliseconds; the longest pause says whether something held the loop."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def beat(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now


async def test_slow_keys_and_a_slow_token_hold_up_nobody(tmp_path: Path) -> None:
    async with teams_world(tmp_path) as warm:  # what is loaded at first need is loaded
        warm.house.reply = Reply("x")
        await warm.teams.types(CONTOSO, MARIA, "status")
        await warm.edge.settle()
    async with teams_world(tmp_path) as world:
        world.house.reply = Reply("Case 1")
        world.teams.delay("keys", 1.0)
        world.teams.office.seconds = 1.0
        heart = Heart()
        beating = asyncio.create_task(heart.beat())
        await world.teams.types(CONTOSO, MARIA, "status")
        await world.edge.settle()
        beating.cancel()
        assert len(world.teams.private(CONTOSO, MARIA)) == 1
        assert heart.longest < 0.4


async def test_a_token_is_asked_for_once_however_much_is_sent(world: TeamsWorld) -> None:
    world.teams.installed.add((CONTOSO, MARIA))
    place = await world.chat.private(MARIAS)
    await asyncio.gather(*(world.chat.say(place, "x") for _ in range(4)))
    await world.chat.post(world.techs, APPROVAL)
    assert len(world.teams.office.given) == 1


async def test_a_token_that_is_refused_is_asked_for_anew(world: TeamsWorld) -> None:
    await world.chat.say(world.techs, "x")
    world.teams.office.given.clear()  # as if it had been revoked
    with pytest.raises(ChatError, match="HTTP 401") as caught:
        await world.chat.say(world.techs, "y")
    assert caught.value.retry_after == 60
    await world.chat.say(world.techs, "z")
    assert [read(one) for one in world.teams.shown(world.techs.channel)] == ["x", "z"]


async def test_a_connector_that_hangs_is_given_up(tmp_path: Path) -> None:
    async with teams_world(tmp_path, patience=0.2) as world:
        world.teams.delay("send", 1.0)
        with pytest.raises(ChatError, match="Timeout") as caught:
            await world.chat.say(world.techs, "x")
        assert caught.value.retry_after == 3


@pytest.mark.parametrize(
    ("code", "words"),
    [("7000215", "the client secret is wrong"), ("7000222", "the client secret has expired")],
)
async def test_a_sign_in_that_fails_says_what_to_mend_and_no_secret(world: TeamsWorld, code: str, words: str) -> None:
    world.teams.office.refuses = code
    with pytest.raises(ChatError, match=words) as caught:
        await world.chat.say(world.techs, "x")
    assert caught.value.retry_after == 60
    world.teams.office.refuses = ""
    await world.chat.say(world.techs, "y")


async def test_the_start_fetches_keys_and_token_before_anybody_needs_them(world: TeamsWorld) -> None:
    await world.service.start()
    async with asyncio.timeout(5):
        while not world.teams.office.given:  # noqa: ASYNC110 - another server's list
            await asyncio.sleep(0.01)
    await world.teams.types(CONTOSO, MARIA, "status")
    await world.chat.say(world.techs, "x")
    assert (world.teams.key_fetches, len(world.teams.office.given)) == (1, 1)


async def test_a_start_without_a_sign_in_says_what_to_mend_and_goes_on(
    world: TeamsWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.teams.office.refuses = "7000222"
    await world.service.start()
    async with asyncio.timeout(5):
        while "the client secret has expired" not in caplog.text:  # noqa: ASYNC110 - the log has no event
            await asyncio.sleep(0.01)
    assert (await world.teams.types(CONTOSO, MARIA, "status")).status == 200
    assert SECRET not in caplog.text


async def test_a_certificate_signs_in_with_a_thumbprint_of_its_own(tmp_path: Path) -> None:
    import trustme

    issued = trustme.CA().issue_cert("bot.example", key_type=trustme.KeyType.RSA)
    pem = "".join(one.bytes().decode() for one in (issued.private_key_pem, *issued.cert_chain_pems))
    changed: dict[str, object] = {"secret": None, "certificate": "env/BOT_CERTIFICATE"}
    async with teams_world(tmp_path, changed=changed, secret=lambda _: pem) as world:
        await world.chat.say(world.techs, "x")
        assert world.teams.office.asked[0]["client_assertion_type"].endswith("jwt-bearer")
        assert len(world.teams.office.given) == 1


# --- 5: the tenant: test_teams.py, "what does not say who did it and where is not heard" --------------


async def test_the_tenant_is_read_where_teams_writes_it(world: TeamsWorld) -> None:
    from botbuilder.schema import Activity

    activity = world.teams.activity("message", CONTOSO, MARIA, world.teams.chat_of(CONTOSO, MARIA)) | {"text": "status"}
    model = cast("Activity", Activity().deserialize(activity))
    assert model.conversation is not None
    assert model.conversation.tenant_id is None, "the SDK's own model does not find it: if it does now, use it"
    await world.teams.deliver(activity)
    assert world.house.heard[0].actor == MARIAS


# --- 7: nobody signs ---------------------------------------------------------------------------------

OPEN: dict[str, object] = {"secret": None, "no_authentication": True}


async def test_without_authentication_it_is_heard_and_spoken_without_a_token(tmp_path: Path) -> None:
    async with teams_world(tmp_path, changed=OPEN) as world:
        world.teams.signed = False
        world.house.reply = Reply("Case 1")
        assert (await world.teams.types(CONTOSO, MARIA, "status")).status == 200
        await world.edge.settle()
        assert read(world.teams.private(CONTOSO, MARIA)[0]) == "Case 1"
        assert world.teams.office.asked == []


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "Via"])
async def test_without_authentication_nothing_is_taken_from_a_proxy(tmp_path: Path, header: str) -> None:
    async with teams_world(tmp_path, changed=OPEN) as world:
        answer = await world.teams.post(json.dumps(said(world)).encode(), headers={header: "1"})
        assert (answer.status, world.house.heard) == (401, [])


async def test_without_authentication_the_lists_of_hosts_and_tenants_still_hold(tmp_path: Path) -> None:
    async with teams_world(tmp_path, changed=OPEN) as world:
        evil = said(world, serviceUrl="https://evil.example/")
        assert (await world.teams.deliver(evil, token="")).status == 401
        stranger = world.teams.activity("message", THEO, THEO, "a:1") | {"text": "status"}
        await world.teams.deliver(stranger, token="")
        assert world.house.heard == []


async def test_with_authentication_no_token_is_no_way_in_even_from_this_machine(world: TeamsWorld) -> None:
    assert await refused(world, said(world), "")
