"""What we send and what the simulator answers, held against Pax8's own descriptions.

They are not ours to ship: put their folder into OFFBOARD_SPECS, and this runs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from connectors.contract import Done, Json, VendorError
from connectors.pax8 import CONNECTOR
from connectors.pax8.simulated_company import ASLEEP, E3, EXCHANGE, POWER_BI, PREMIUM
from connectors.pax8.simulator import Call
from connectors.simulated_faults import Fault
from tests.connectors.test_pax8_world import JANE, STEP, Attempt, Distributor, distributor

__all__ = ["distributor"]
SPECS = os.environ.get("OFFBOARD_SPECS", "")
pytestmark = pytest.mark.skipif(
    not SPECS, reason="OFFBOARD_SPECS does not name a folder with pax8.json, pax8-auth.json"
)
USED = {
    "POST /token",
    "GET /companies/{companyId}",
    "GET /subscriptions",
    "GET /subscriptions/{subscriptionId}",
    "GET /subscriptions/{subscriptionId}/history",
    "PUT /subscriptions/{subscriptionId}",
    "GET /products/{productId}/dependencies",
}


def read_description(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((Path(SPECS) / name).read_text()))


def as_written(node: object) -> object:
    """The description; but Pax8 calls its times date-time and writes some of them otherwise, as its examples show."""
    if isinstance(node, list):
        return [as_written(one) for one in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    known = {name: as_written(value) for name, value in cast("dict[str, Any]", node).items()}
    if known.get("format") == "date-time":
        known.pop("format")
        known["pattern"] = r"^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d))?$"
    return known


class Described:
    """Both descriptions as one: which operation a request is, and whether its two sides are as described."""

    def __init__(self) -> None:
        self.operations: dict[str, tuple[Any, Any]] = {}
        for name in ("pax8.json", "pax8-auth.json"):
            document = read_description(name)
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    self.operations[f"{method.upper()} {path}"] = (operation, document["components"]["schemas"])

    def operation_of(self, call: Call) -> str:
        for known in self.operations:
            method, _, path = known.partition(" ")
            if method == call.method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), call.path):
                return known
        raise AssertionError(f"{call} is not described")

    def problems(self, call: Call) -> list[str]:
        name = self.operation_of(call)
        operation, schemas = self.operations[name]
        found = [f"{name} sends {one}" for one in _query(operation, call)]
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        if body:
            found += [f"{name} sends {one}" for one in _problems(body["schema"], schemas, call.body)]
        elif call.body is not None:
            found.append(f"{name} sends a body that is not described")
        answer: Any = operation["responses"].get(str(call.status)) or {}
        schema: Any = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema is None and call.status >= 400 and "Error" in schemas:
            schema = {"$ref": "#/components/schemas/Error"}
        if schema is not None:
            found += [f"{name} answers {one}" for one in _problems(schema, schemas, call.answer)]
        return found


def _query(operation: Any, call: Call) -> Iterator[str]:
    known = {one["name"]: one["schema"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    for name, value in call.query.items():
        if name not in known:
            yield f"an undescribed {name}"
            continue
        number = known[name].get("type") == "number"
        yield from _problems(known[name], {}, int(value) if number else value)


def _problems(schema: object, schemas: object, value: object) -> list[str]:
    whole = {"components": {"schemas": as_written(schemas)}, "allOf": [as_written(schema)]}
    validator: Any = Draft202012Validator(whole, format_checker=FormatChecker())
    errors: Iterator[Any] = validator.iter_errors(value)
    return [f"{one.json_path}: {one.message}" for one in errors]


def undescribed(schemas: Json, name: str, record: Json) -> set[str]:
    """Fields that the schema of that name does not know."""
    known = cast("Any", schemas)[name]["properties"]
    return set(record) - set(known)


async def everything(distributor: Distributor) -> list[Call]:
    """Every request we can send, by using all there is."""
    for subscription in (POWER_BI, PREMIUM, EXCHANGE):
        ctx = await distributor.plan(subscription)
        distributor.microsoft.release()
        assert isinstance(await Attempt(ctx).run(), Done)
    committed = await distributor.plan(E3)
    await STEP.look(committed)
    api = await distributor.connect()
    await CONNECTOR.check(api)
    with pytest.raises(VendorError):
        await CONNECTOR.find(await distributor.connect(ASLEEP), JANE)
    with pytest.raises(VendorError):
        await CONNECTOR.find(await distributor.connect("a1000000-0000-4000-8000-00000000dead"), JANE)
    with pytest.raises(VendorError):
        await api.put(f"/subscriptions/{E3}", {"quantity": 11})
    distributor.simulator.fail(Fault("throttle", match="GET", retry_after="9"))
    with pytest.raises(VendorError):
        await CONNECTOR.find(api, JANE)
    distributor.clock.pass_by(10)
    distributor.secret = "wrong"
    with pytest.raises(VendorError):
        await CONNECTOR.find(await distributor.connect(), JANE)
    return list(distributor.simulator.calls)


async def test_everything_we_send_and_get_is_as_described(distributor: Distributor) -> None:
    described = Described()
    calls = await everything(distributor)
    assert not [problem for call in calls for problem in described.problems(call)]
    assert {described.operation_of(call) for call in calls} == USED
    assert {call.status for call in calls} == {200, 401, 404, 422, 429}


async def test_the_simulator_invents_no_field(distributor: Distributor) -> None:
    schemas = cast("Json", read_description("pax8.json")["components"]["schemas"])
    seen = 0
    for call in await everything(distributor):
        answer = call.answer or {}
        for name, pattern in (("Subscription", r"/subscriptions/[^/]+"), ("Company", r"/companies/[^/]+")):
            if call.status == 200 and re.fullmatch(pattern, call.path):
                assert not undescribed(schemas, name, answer)
                seen += 1
        for one in cast("list[Json]", answer.get("content") or []):
            assert not undescribed(schemas, "Subscription", one)
            seen += 1
        for one in cast("list[Json]", answer.get("commitmentDependencies") or []):
            assert not undescribed(schemas, "Commitment", one)
            seen += 1
    assert seen > 20


async def test_a_wrong_request_would_be_noticed(distributor: Distributor) -> None:
    """The comparison itself must be able to fail."""
    described = Described()
    api = await distributor.connect()
    with pytest.raises(VendorError):
        await api.put(f"/subscriptions/{E3}", {"seats": 11})
    with pytest.raises(VendorError):
        await api.put(f"/subscriptions/{E3}", {"quantity": "11"})
    await api.get("/subscriptions", size=20, colour="blue")
    told = [problem for call in distributor.simulator.calls[-3:] for problem in described.problems(call)]
    assert any("is not valid under any of the given schemas" in one for one in told)
    assert any("'11' is not of type 'number'" in one for one in told)
    assert any("undescribed colour" in one for one in told)


def test_every_field_we_read_is_described() -> None:
    described = read_description("pax8.json")["components"]["schemas"]
    source = (Path(__file__).parents[2] / "connectors/pax8/subscriptions.py").read_text()
    read = set(re.findall(r'(?:text|number_of|_flag|_date)\(\w+, "(\w+)"\)', source))
    known = {name for schema in described.values() for name in schema.get("properties", {})}
    assert {"partnerCost", "endDate", "allowForQuantityDecrease", "billingStart", "quantity"} <= read
    assert read <= known
