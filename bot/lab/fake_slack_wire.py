"""How the fake Slack's Web API takes arguments, and how it answers or refuses."""

from __future__ import annotations

import json
from collections.abc import Awaitable

from aiohttp import web
from pydantic import JsonValue

from bot.lab.slack_limits import Json, TooLong, objects, problems


async def told(answering: Awaitable[Json], scopes: str = "") -> web.Response:
    """Slack's JSON around what a method answers, or refuses; beside it the scopes of the token that asked."""
    headers = {"X-OAuth-Scopes": scopes} if scopes else {}
    try:
        answer = await answering
    except SlackError as error:
        details: Json = {"messages": [*error.details]}
        return web.json_response({"ok": False, "error": error.code, "response_metadata": details}, headers=headers)
    return web.json_response({"ok": True, **answer}, headers=headers)


class SlackError(Exception):
    """`ok: false` with a code."""

    def __init__(self, code: str, details: list[str] | None = None) -> None:
        super().__init__(code)
        self.code, self.details = code, details or []


def blocks_of(args: Json) -> tuple[Json, ...]:
    """The blocks of a call. Raises SlackError as Slack refuses them."""
    given = args.get("blocks")
    if given is None and not args.get("text"):
        raise SlackError("no_text")
    blocks = objects(given)
    try:
        found = problems(blocks) if given is not None else []
    except TooLong:
        raise SlackError("msg_blocks_too_long") from None
    if found:
        raise SlackError("invalid_blocks", found)
    return tuple(blocks)


async def arguments(request: web.Request) -> Json:
    """JSON or a form, whose blocks are JSON in a string."""
    if request.content_type == "application/json":
        body: JsonValue = await request.json()
        return body if isinstance(body, dict) else {}
    form = await request.post()
    args: Json = {name: value for name, value in form.items() if isinstance(value, str)}
    blocks = args.get("blocks")
    return {**args, "blocks": json.loads(blocks)} if isinstance(blocks, str) else args
