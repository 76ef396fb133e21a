"""Many reads in one request ($batch), each with an answer of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.contract import Json, Throttled, Unreachable, VendorError
from connectors.http import WORTH_WAITING, failure, retry_after
from connectors.microsoft365.client import VENDOR, Graph, call_of, elements, text, with_query

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation

MOST_PARTS = 20
"""Requests in one batch (Microsoft Graph, JSON batching, read 2026-11)."""
PARTS_A_TURN = 3
Answer = Json | VendorError


@dataclass(frozen=True)
class Part:
    """One read in a batch; `query` are OData options without the dollar."""

    info: RequestInformation
    query: Mapping[str, str | Sequence[str] | int | bool] = field(default_factory=dict[str, str])


async def read_batch(api: Graph, parts: Mapping[str, Part]) -> dict[str, Answer]:
    """Each part's answer by its name: JSON, or what went wrong with that one.

    A part throttled for a moment is read once more by itself. Raises VendorError when a whole batch fails.
    """
    answers: dict[str, Answer] = {}
    for chunk in _chunks(parts):
        # Graph counts every part. Our rate allows three units a turn; a part with few fields costs about one.
        for _ in range(len(chunk) // PARTS_A_TURN):
            await api.around.limiter.turn(VENDOR, api.around.client)
        requests = [_request(api.settings.base_url, name, part) for name, part in chunk.items()]
        whole = await api.send("POST", api.batch, (), {"requests": [*requests]})
        found = {text(one, "id"): one for one in elements("POST /$batch", {"value": whole.get("responses")})}
        for name, part in chunk.items():
            answers[name] = await _answer(api, part, found.get(name))
    return answers


async def values(api: Graph, part: Part, answer: Answer) -> list[Json]:
    """Every element of a part that is a collection, later pages included. Raises what went wrong with it."""
    if isinstance(answer, VendorError):
        raise answer
    if "@odata.nextLink" in answer:
        return await api.read_all(part.info, **part.query)
    return elements(call_of(part.info), answer)


def _chunks(parts: Mapping[str, Part]) -> Iterator[dict[str, Part]]:
    names = list(parts)
    for start in range(0, len(names), MOST_PARTS):
        yield {name: parts[name] for name in names[start : start + MOST_PARTS]}


def _request(base: str, name: str, part: Part) -> Json:
    # A part's address is relative (Microsoft Graph, JSON batching, read 2026-11).
    url = with_query(part.info, part.query).url.removeprefix(base).replace("%24", "$")
    return {"id": name, "method": "GET", "url": url}


async def _answer(api: Graph, part: Part, response: Json | None) -> Answer:
    call = call_of(part.info)
    if response is None:
        return Unreachable(VENDOR, call, "the batch carries no answer to it")
    status, body, headers = response.get("status"), response.get("body"), response.get("headers")
    status = status if isinstance(status, int) else 0
    if 200 <= status < 300:
        return body if isinstance(body, dict) else Unreachable(VENDOR, call, "the answer is not an object")
    told = body.get("error") if isinstance(body, dict) else None
    error = told if isinstance(told, dict) else {}
    named = {name.casefold(): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
    wait = retry_after(named.get("retry-after"), api.around.clock.now())
    problem = failure(VENDOR, call, status, text(error, "code"), text(error, "message"), wait=wait)
    if not isinstance(problem, Throttled) or wait > WORTH_WAITING:
        return problem
    await api.around.clock.sleep(wait)
    try:
        return await api.read(part.info, **part.query)
    except VendorError as again:
        return again
