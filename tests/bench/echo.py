"""A bare Bolt app that acknowledges every click and does nothing: what any Slack answer costs at least."""

from __future__ import annotations

import re
import sys

from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.request.async_request import AsyncBoltRequest


async def authorize() -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=None, team_id="T", bot_token="xoxb-echo", bot_id="B", bot_user_id="U")


async def acknowledge(ack: AsyncAck) -> None:
    await ack()


def build(signing_secret: str) -> web.Application:
    """The echo, with the adapter our own edge uses: a body, headers, a dispatch."""
    bolt = AsyncApp(signing_secret=signing_secret, authorize=authorize, process_before_response=True)
    bolt.action(re.compile("press:.*"))(acknowledge)

    async def receive(request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        answer = await bolt.async_dispatch(AsyncBoltRequest(body=body, headers=dict(request.headers)))
        return web.Response(status=answer.status, text=answer.body)

    app = web.Application()
    app.router.add_post("/slack/events", receive)
    return app


if __name__ == "__main__":
    web.run_app(build(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), print=None, access_log=None)
