"""The simulator's side for another process, and what it must get right for the other tests to mean something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import JsonValue

from connectors.contract import Intent, Item, Json
from connectors.microsoft365 import CONNECTOR
from connectors.microsoft365.simulated_people import CONTOSO, FABRIKAM, JANE, SYNCED
from connectors.microsoft365.simulator import Fault
from connectors.microsoft365.steps import BlockSignIn
from tests.connectors.conftest import NEW_PASSWORD, Microsoft


@pytest.fixture
async def lab(microsoft: Microsoft) -> AsyncIterator[httpx.AsyncClient]:
    address = microsoft.simulator.base_url.removesuffix("/v1.0") + "/_lab/"
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        yield client


async def block(microsoft: Microsoft, person: str) -> None:
    ctx = await microsoft.context(await microsoft.connect(), person)
    item = Item(key="sign-in", title="Sign-in", before={"accountEnabled": True})
    await BlockSignIn().act(ctx, item, Intent("key", microsoft.clock.now()))


async def state(lab: httpx.AsyncClient, person: str) -> dict[str, Any]:
    people: list[dict[str, Any]] = (await lab.get("state")).json()[CONTOSO]["people"]
    return next(one for one in people if one["id"] == person)


async def test_the_lab_sees_what_was_changed(microsoft: Microsoft, lab: httpx.AsyncClient) -> None:
    assert (await state(lab, JANE))["enabled"]
    await block(microsoft, JANE)
    assert not (await state(lab, JANE))["enabled"]


async def test_the_lab_reads_effects_from_where_it_left_off(microsoft: Microsoft, lab: httpx.AsyncClient) -> None:
    await block(microsoft, JANE)
    await block(microsoft, SYNCED)
    effects = (await lab.get("events")).json()["effects"]
    assert [(one["user"], one["what"]) for one in effects] == [(JANE, "blocked"), (SYNCED, "blocked")]
    later = (await lab.get("events", params={"after": effects[0]["number"]})).json()["effects"]
    assert [one["user"] for one in later] == [SYNCED]


async def test_the_lab_makes_things_go_wrong_and_right_again(microsoft: Microsoft, lab: httpx.AsyncClient) -> None:
    asked = {"tenant": CONTOSO, "set": {"lag": 5}, "fault": {"kind": "throttle", "calls": None}}
    assert (await lab.post("faults", json=asked)).status_code == 200
    assert microsoft.contoso.lag == 5
    assert microsoft.simulator.tenants[FABRIKAM].lag == 0
    assert (await lab.get("state")).json()[CONTOSO]["faults"] == ["throttle"]
    await lab.post("faults", json={"tenant": CONTOSO, "clear": True})
    assert (await lab.get("state")).json()[CONTOSO]["faults"] == []


async def test_the_lab_cannot_set_what_does_not_exist(microsoft: Microsoft, lab: httpx.AsyncClient) -> None:
    answer = await lab.post("faults", json={"tenant": CONTOSO, "set": {"lagg": 5}})
    assert answer.status_code == 400
    assert "lag" in answer.text


async def test_the_lab_starts_over(microsoft: Microsoft, lab: httpx.AsyncClient) -> None:
    await block(microsoft, JANE)
    await lab.post("reset")
    assert (await state(lab, JANE))["enabled"]
    assert (await lab.get("events")).json() == {"effects": [], "calls": 0}
    await block(microsoft, JANE)
    assert not (await state(lab, JANE))["enabled"]


async def test_an_unknown_fault_is_an_error_and_not_silence(microsoft: Microsoft) -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        microsoft.simulator.fail(CONTOSO, Fault("no such thing"))


async def test_graph_answers_nobody_without_a_token(microsoft: Microsoft) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        bare = await client.get(f"{microsoft.simulator.base_url}/users")
        forged = await client.get(f"{microsoft.simulator.base_url}/users", headers={"Authorization": "Bearer x.y.z"})
    assert (bare.status_code, forged.status_code) == (401, 401)


async def test_the_journal_keeps_no_password_pass_or_token(microsoft: Microsoft) -> None:
    ctx = await microsoft.context(await microsoft.connect(), JANE)
    reset = CONNECTOR.steps[2]
    await reset.act(ctx, Item(key="password", title="Password"), Intent("key", microsoft.clock.now()))
    secret = await CONNECTOR.restore(ctx.api, ctx.account)
    assert secret is not None
    journal = "".join(repr(call) for call in microsoft.simulator.calls)
    for word in (NEW_PASSWORD, secret.value, "Bearer"):
        assert word not in journal


async def batch(microsoft: Microsoft, *requests: Json) -> httpx.Response:
    api = await microsoft.connect()
    token = (await api.sign_in.get_token(api.settings.scope)).token
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as client:
        return await client.post(f"{microsoft.simulator.base_url}/$batch", json={"requests": [*requests]})


def part(name: str, url: str, **more: JsonValue) -> Json:
    return {"id": name, "method": "GET", "url": url, **more}


async def test_a_batch_answers_each_part_by_itself_and_in_any_order(microsoft: Microsoft) -> None:
    microsoft.simulator.fail(CONTOSO, Fault("throttle", match="/drive", retry_after="7"))
    answer = await batch(
        microsoft,
        part("a", f"/users/{JANE}?$select=id"),
        part("b", f"/users/{JANE}/drive"),
        part("c", "/users/nobody", dependsOn=["b"]),
    )
    assert answer.status_code == 200
    found = {one["id"]: one for one in answer.json()["responses"]}
    assert [one["id"] for one in answer.json()["responses"]] != ["a", "b", "c"]
    assert (found["a"]["status"], found["a"]["body"]) == (200, {"id": JANE})
    assert (found["b"]["status"], found["b"]["headers"]["Retry-After"]) == (429, "7")
    assert found["c"]["status"] == 424


@pytest.mark.parametrize(
    "names", [[], ["a", "a"], [""], [str(number) for number in range(21)]], ids=["empty", "twice", "nameless", "21"]
)
async def test_a_malformed_batch_is_refused_as_a_whole(microsoft: Microsoft, names: list[str]) -> None:
    answer = await batch(microsoft, *[part(name, "/domains") for name in names])
    assert answer.status_code == 400


async def test_a_search_without_eventual_consistency_is_refused_as_graph_does(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    token = (await api.sign_in.get_token(api.settings.scope)).token
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(
            f"{microsoft.simulator.base_url}/users",
            params={"$search": '"displayName:Jane"'},
            headers={"Authorization": f"Bearer {token}"},
        )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "Request_UnsupportedQuery"
