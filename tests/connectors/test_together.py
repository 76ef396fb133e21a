"""What is asked within a moment travels as one request, and nobody can tell from the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from connectors.contract import Json, Refused, Throttled, Unreachable
from connectors.exchange.client import NoSuchObject
from connectors.exchange.simulator import Fault as ExchangeFault
from connectors.microsoft365.client import Graph, set_enabled, text
from connectors.microsoft365.simulated_people import CONTOSO, JANE, MARIA, SEAN
from connectors.microsoft365.simulator import Fault
from connectors.together import LINGER
from tests.connectors.conftest import Microsoft
from tests.connectors.test_exchange_world import Office, office_of

NEEDS = ("User.EnableDisableAccount.All",)


@pytest.fixture(autouse=True)
def moment() -> Iterator[None]:
    """Every request waits a moment for others."""
    before = LINGER.set(0.02)
    yield
    LINGER.reset(before)


@pytest.fixture
async def api(microsoft: Microsoft) -> Graph:
    """Signed in, with a quiet journal."""
    api = await microsoft.connect()
    await name_of(api, JANE)
    microsoft.simulator.calls.clear()
    return api


async def name_of(api: Graph, user: str) -> str:
    record = await api.read(api.user(user).to_get_request_information(), select=("displayName",))
    return text(record, "displayName")


async def block(api: Graph, user: str) -> None:
    await set_enabled(api, user, NEEDS, enabled=False)


def requests(microsoft: Microsoft) -> list[str]:
    """What was sent: a batch is one."""
    return [f"{call.method} {call.path}" for call in microsoft.simulator.calls if not call.part]


def parts(microsoft: Microsoft) -> list[str]:
    return [f"{call.method} {call.path}" for call in microsoft.simulator.calls if call.part]


async def test_what_is_asked_within_a_moment_is_one_request_with_an_answer_for_each(
    microsoft: Microsoft, api: Graph
) -> None:
    names = await asyncio.gather(name_of(api, JANE), name_of(api, MARIA), name_of(api, SEAN))
    assert names == ["Jane Doe", "Maria Rossi", "Sean O'Brien"]
    assert requests(microsoft) == ["POST /$batch"]
    assert len(parts(microsoft)) == 3


async def test_a_request_that_finds_no_company_goes_as_it_is(microsoft: Microsoft, api: Graph) -> None:
    assert await name_of(api, JANE) == "Jane Doe"
    assert requests(microsoft) == [f"GET /users/{JANE}"]


async def test_what_must_not_wait_goes_at_once_and_alone(microsoft: Microsoft, api: Graph) -> None:
    LINGER.set(0)
    await asyncio.gather(name_of(api, JANE), name_of(api, MARIA))
    assert requests(microsoft) == [f"GET /users/{JANE}", f"GET /users/{MARIA}"]


async def test_the_same_read_asked_twice_is_read_once_and_the_same_change_is_made_twice(
    microsoft: Microsoft, api: Graph
) -> None:
    names = await asyncio.gather(name_of(api, JANE), name_of(api, JANE), block(api, SEAN), block(api, SEAN))
    assert names[:2] == ["Jane Doe", "Jane Doe"]
    assert sorted(parts(microsoft)) == [f"GET /users/{JANE}", f"PATCH /users/{SEAN}", f"PATCH /users/{SEAN}"]


async def test_a_read_is_never_answered_by_one_that_was_sent_before_it(microsoft: Microsoft, api: Graph) -> None:
    microsoft.simulator.fail(CONTOSO, Fault("delay", calls=None, seconds=0.2))
    early = asyncio.create_task(name_of(api, JANE))
    await asyncio.sleep(0.1)
    microsoft.contoso.people[JANE].name = "Jane Roe"
    assert await name_of(api, JANE) == "Jane Roe"
    await early
    assert len(requests(microsoft)) == 2


async def test_a_refusal_is_told_to_whoever_asked_and_to_nobody_else(microsoft: Microsoft, api: Graph) -> None:
    stranger = "00000000-0000-4000-8000-00000000dead"
    told = await asyncio.gather(name_of(api, JANE), block(api, stranger), name_of(api, SEAN), return_exceptions=True)
    assert (told[0], told[2]) == ("Jane Doe", "Sean O'Brien")
    assert isinstance(told[1], Refused)
    assert "PATCH /users/{user-id}" in str(told[1])


async def test_more_than_one_batch_holds_go_in_two(microsoft: Microsoft, api: Graph) -> None:
    await asyncio.gather(*(block(api, SEAN) for _ in range(25)))
    assert requests(microsoft) == ["POST /$batch", "POST /$batch"]
    assert len(parts(microsoft)) == 25


async def test_a_throttled_read_is_read_again_and_everybody_waits_with_it(microsoft: Microsoft, api: Graph) -> None:
    microsoft.simulator.fail(CONTOSO, Fault("throttle", match=f"GET /users/{JANE}", retry_after="1"))
    assert await asyncio.gather(name_of(api, JANE), name_of(api, MARIA)) == ["Jane Doe", "Maria Rossi"]
    assert requests(microsoft) == ["POST /$batch", f"GET /users/{JANE}"]
    assert sum(microsoft.clock.slept) >= 1


async def test_a_throttled_change_is_told_how_long_to_wait(microsoft: Microsoft, api: Graph) -> None:
    microsoft.simulator.fail(CONTOSO, Fault("throttle", match=f"PATCH /users/{SEAN}", retry_after="7"))
    told = await asyncio.gather(block(api, SEAN), name_of(api, MARIA), return_exceptions=True)
    assert isinstance(told[0], Throttled)
    assert told[0].retry_after == 7
    assert told[1] == "Maria Rossi"


async def test_a_change_whose_answer_is_lost_may_have_happened_and_a_read_is_asked_again(
    microsoft: Microsoft, api: Graph
) -> None:
    microsoft.simulator.fail(CONTOSO, Fault("lost", match=f"PATCH /users/{SEAN}"))
    microsoft.simulator.fail(CONTOSO, Fault("lost", match=f"GET /users/{JANE}"))
    told = await asyncio.gather(block(api, SEAN), name_of(api, JANE), return_exceptions=True)
    assert isinstance(told[0], Unreachable)
    assert not microsoft.contoso.people[SEAN].enabled
    assert told[1] == "Jane Doe"


@pytest.mark.parametrize("kind", ["lost", "drop", "malformed", "html", "error"])
async def test_a_batch_that_fails_as_a_whole_fails_no_read_and_leaves_every_change_open(
    microsoft: Microsoft, api: Graph, kind: str
) -> None:
    microsoft.simulator.fail(CONTOSO, Fault(kind, match="POST /$batch"))
    told = await asyncio.gather(block(api, SEAN), name_of(api, JANE), name_of(api, MARIA), return_exceptions=True)
    assert isinstance(told[0], Unreachable)
    assert told[1:] == ["Jane Doe", "Maria Rossi"]
    assert parts(microsoft).count(f"PATCH /users/{SEAN}") == (0 if kind == "error" else 1)


@pytest.mark.parametrize("kind", ["throttle", "unavailable"])
async def test_a_batch_the_vendor_has_no_time_for_has_not_happened(microsoft: Microsoft, api: Graph, kind: str) -> None:
    microsoft.simulator.fail(CONTOSO, Fault(kind, match="POST /$batch", retry_after="9"))
    told = await asyncio.gather(block(api, SEAN), name_of(api, JANE), return_exceptions=True)
    assert isinstance(told[0], Throttled)
    assert isinstance(told[1], Throttled | str)
    assert microsoft.contoso.people[SEAN].enabled


async def test_a_refused_token_is_replaced_for_everybody_in_the_batch(microsoft: Microsoft, api: Graph) -> None:
    microsoft.simulator.expire_tokens(CONTOSO)
    told = await asyncio.gather(block(api, SEAN), name_of(api, JANE))
    assert told[1] == "Jane Doe"
    assert not microsoft.contoso.people[SEAN].enabled


async def test_where_batches_are_not_taken_everything_goes_one_by_one_again(microsoft: Microsoft, api: Graph) -> None:
    microsoft.simulator.fail(CONTOSO, Fault("error", match="POST /$batch", status=404, code="ResourceNotFound"))
    for _ in range(2):
        assert await asyncio.gather(name_of(api, JANE), name_of(api, MARIA)) == ["Jane Doe", "Maria Rossi"]
    assert requests(microsoft).count("POST /$batch") == 1
    assert len(requests(microsoft)) == 5


async def test_whoever_gives_up_takes_the_answer_from_nobody(microsoft: Microsoft, api: Graph) -> None:
    gives_up, waits = asyncio.create_task(name_of(api, JANE)), asyncio.create_task(name_of(api, JANE))
    await asyncio.sleep(0.01)
    gives_up.cancel()
    assert await waits == "Jane Doe"


async def test_headers_that_change_the_answer_travel_with_their_part(microsoft: Microsoft, api: Graph) -> None:
    async def search() -> Json:
        info = api.sdk.users.to_get_request_information()
        return await api.read(info, search='"displayName:Jane"', select=("id", "displayName"))

    found, name = await asyncio.gather(search(), name_of(api, MARIA))
    assert requests(microsoft) == ["POST /$batch"]
    listed = found["value"]
    assert isinstance(listed, list)
    assert listed
    assert name == "Maria Rossi"


# --- Exchange takes ten at once, at an address nobody has documented


@pytest.fixture
async def office(microsoft: Microsoft) -> AsyncIterator[Office]:
    async with office_of(microsoft) as office:
        yield office


async def test_cmdlets_share_a_request_and_keep_their_anchors(office: Office) -> None:
    api = await office.connect()
    found = await asyncio.gather(
        api.invoke("Get-Mailbox", anchor="jane.doe@contoso.example", Identity=JANE),
        api.invoke("Set-Mailbox", anchor="maria.rossi@contoso.example", Identity=MARIA, Type="Shared"),
    )
    assert text(found[0][0], "ExternalDirectoryObjectId") == JANE
    assert [call.cmdlet for call in office.simulator.calls] == ["Get-Mailbox", "Set-Mailbox", "$batch"]
    sent = office.simulator.calls[-1].body["requests"]
    assert isinstance(sent, list)
    anchors = [part["headers"] for part in sent if isinstance(part, dict)]
    assert [headers["X-AnchorMailbox"] for headers in anchors if isinstance(headers, dict)] == [
        "jane.doe@contoso.example",
        "maria.rossi@contoso.example",
    ]


async def test_where_exchange_has_no_batches_every_cmdlet_goes_by_itself(office: Office) -> None:
    office.simulator.batches = False
    api = await office.connect()
    for _ in range(2):
        await asyncio.gather(api.invoke("Get-Mailbox", Identity=JANE), api.invoke("Get-CASMailbox", Identity=JANE))
    assert [call.cmdlet for call in office.simulator.calls].count("$batch") == 1


async def test_a_cmdlet_that_is_refused_in_a_batch_keeps_its_reason(office: Office) -> None:
    api = await office.connect()
    nobody = "00000000-0000-4000-8000-00000000dead"
    told = await asyncio.gather(
        api.invoke("Get-Mailbox", Identity=nobody), api.invoke("Get-Mailbox", Identity=JANE), return_exceptions=True
    )
    assert isinstance(told[0], NoSuchObject)
    assert isinstance(told[1], list)


async def test_a_change_lost_in_an_exchange_batch_may_have_happened(office: Office) -> None:
    api = await office.connect()
    office.simulator.fail(CONTOSO, ExchangeFault("lost", match="Set-Mailbox"))
    told = await asyncio.gather(
        api.invoke("Set-Mailbox", Identity=JANE, Type="Shared"),
        api.invoke("Get-CASMailbox", Identity=JANE),
        return_exceptions=True,
    )
    assert isinstance(told[0], Unreachable)
    assert office.mailbox().kind == "SharedMailbox"
    assert isinstance(told[1], list)
