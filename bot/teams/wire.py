"""The four things asked of botbuilder: hear one activity, send, update, create a conversation; and nothing else of it.

Moving to another SDK is rewriting this file and the check of signatures in `gate.py`. botbuilder would fetch tokens by
blocking the event loop, twice a turn, and repeat what must not be repeated, so it gets credentials and a sender of our
own through the extension points it has (botbuilder-core 4.17.1, read in source).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

import aiohttp
from botbuilder.core import CloudAdapterBase, InvokeResponse, TurnContext
from botbuilder.schema import (
    Activity,
    ActivityTypes,
    Attachment,
    ChannelAccount,
    ConversationAccount,
    ConversationParameters,
    ResourceResponse,
)
from botframework.connector import BotFrameworkConnectorConfiguration
from botframework.connector.aio import ConnectorClient
from botframework.connector.auth import AuthenticateRequestResult, BotFrameworkAuthentication, ClaimsIdentity
from botframework.connector.auth.connector_factory import ConnectorFactory
from botframework.connector.auth.user_token_client import UserTokenClient
from msrest.authentication import Authentication
from msrest.pipeline import AsyncPipeline, Request, Response
from msrest.pipeline.async_abc import AsyncHTTPSender
from msrest.pipeline.universal import RawDeserializer
from msrest.universal_http import HTTPClientResponse
from pydantic import JsonValue
from yarl import URL

from bot.teams.cards import written
from bot.teams.gate import CHANNEL, serves

CARD = "application/vnd.microsoft.card.adaptive"
MOST_CLIENTS = 200

Json = Mapping[str, JsonValue]
Turn = Callable[[], Awaitable[dict[str, JsonValue] | None]]
"""What is done about an activity; its answer, if it was an invoke."""


class Refused(Exception):
    """The Bot Connector did not take it."""

    def __init__(self, status: int, code: str, retry_after: str | None) -> None:
        self.status, self.code, self.retry_after = status, code, retry_after
        super().__init__(f"HTTP {status} {code}".strip())


class SignIn(Protocol):
    """The bot's own token."""

    async def token(self) -> str:
        """A token for the Bot Connector, kept until shortly before its end; '' where none is used."""
        ...

    async def forget(self) -> None:
        """It was refused: the next one is a new one."""
        ...


def said(line: str) -> Activity:
    """A message of one line, shown as it is; a lock screen shows that there is one."""
    return Activity(type=ActivityTypes.message, text=line, text_format="plain", summary="An answer from offboard")


def shown(card: Json, notification: str) -> Activity:
    """A message that is a card; a lock screen shows the notification."""
    attached = Attachment(content_type=CARD, content=card)
    return Activity(type=ActivityTypes.message, summary=notification, attachments=[attached])


class TeamsWire(CloudAdapterBase):
    """botbuilder's adapter, with everything it would do by itself done by us."""

    def __init__(
        self,
        app_id: str,
        sign_in: SignIn,
        session: Callable[[], aiohttp.ClientSession],
        hosts: frozenset[str],
    ) -> None:
        """`hosts`: where our token may travel; `session` is asked for at the first call."""
        # The SDK's own log lines could quote addresses and bodies.
        for name in ("msrest", "botframework", "botbuilder"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._app_id = app_id
        self._connectors = _Connectors(sign_in, session, hosts)
        super().__init__(_Authentication(self._connectors))

    async def hear(self, body: Json, turn: Turn) -> dict[str, JsonValue] | None:
        """One activity that the gate has admitted; answers what an invoke is answered."""
        result = AuthenticateRequestResult()
        result.claims_identity = self.create_claims_identity(self._app_id)
        result.connector_factory = self._connectors
        # Only what the SDK needs of it: the rest is read by us, and must not fail here.
        activity = Activity(
            type=str(body.get("type")), channel_id=CHANNEL, service_url=str(body.get("serviceUrl")),
            conversation=ConversationAccount(id=""),
        )  # fmt: skip

        async def logic(context: TurnContext) -> None:
            answer = await turn()
            if answer is not None and activity.type == ActivityTypes.invoke:
                response = Activity(type=ActivityTypes.invoke_response, value=InvokeResponse(status=200, body=answer))
                await context.send_activity(response)

        response = cast("InvokeResponse | None", await self.process_activity(result, activity, logic))
        return cast("dict[str, JsonValue] | None", response.body) if response else None

    async def send(self, service_url: str, conversation: str, activity: Activity) -> str:
        """A new message; answers its id. Raises Refused, aiohttp.ClientError and TimeoutError."""
        sent: list[ResourceResponse | None] = []

        async def logic(context: TurnContext) -> None:
            sent.append(await context.send_activity(activity))

        await self._speak(service_url, conversation, logic)
        return str(sent[0].id or "") if sent and sent[0] else ""

    async def update(self, service_url: str, conversation: str, message: str, activity: Activity) -> None:
        """Edit a message in place. Raises as `send`."""
        activity.id = message

        async def logic(context: TurnContext) -> None:
            await context.update_activity(activity)

        await self._speak(service_url, conversation, logic)

    async def create(self, service_url: str, tenant: str, user: str) -> str:
        """The chat between the bot and that person; answers its conversation id. Raises as `send`."""
        made: list[str] = []

        async def logic(context: TurnContext) -> None:
            conversation = cast("ConversationAccount", context.activity.conversation)
            made.append(str(conversation.id or ""))

        parameters = ConversationParameters(
            is_group=False,
            bot=ChannelAccount(id=f"28:{self._app_id}"),
            members=[ChannelAccount(id=user)],
            tenant_id=tenant,
            # The model writes the tenant as 'tenantID', which is not what Teams reads.
            channel_data={"tenant": {"id": tenant}},
        )
        await self.create_conversation(self._app_id, logic, parameters, CHANNEL, service_url)
        return made[0]

    async def _speak(
        self, service_url: str, conversation: str, logic: Callable[[TurnContext], Awaitable[None]]
    ) -> None:
        # Without an id of its own: to answer an activity that never was would start a thread nobody sees.
        activity = Activity(
            type=ActivityTypes.event, channel_id=CHANNEL, service_url=service_url,
            conversation=ConversationAccount(id=conversation), recipient=ChannelAccount(id=f"28:{self._app_id}"),
        )  # fmt: skip
        await self.process_proactive(self.create_claims_identity(self._app_id), activity, "", logic)


class _Authentication(BotFrameworkAuthentication):
    """Requests are admitted by the gate before they come here; answers go out with our own credentials."""

    def __init__(self, connectors: _Connectors) -> None:
        self._connectors = connectors

    async def authenticate_request(self, activity: Activity, auth_header: str) -> AuthenticateRequestResult:
        raise PermissionError("the gate admits requests")

    async def authenticate_streaming_request(
        self, auth_header: str, channel_id_header: str
    ) -> AuthenticateRequestResult:
        raise PermissionError("nothing is streamed")

    def create_connector_factory(self, claims_identity: ClaimsIdentity) -> ConnectorFactory:
        return self._connectors

    async def create_user_token_client(self, claims_identity: ClaimsIdentity) -> UserTokenClient:
        # Nobody signs in through the bot.
        return cast("UserTokenClient", None)


class _Connectors(ConnectorFactory):
    """One client for each service URL, kept: making one takes longer than using it."""

    def __init__(self, sign_in: SignIn, session: Callable[[], aiohttp.ClientSession], hosts: frozenset[str]) -> None:
        self._sign_in, self._session, self._hosts = sign_in, session, hosts
        self._clients: dict[str, ConnectorClient] = {}

    async def create(self, service_url: str, audience: str = "") -> ConnectorClient:
        if not serves(service_url, self._hosts):
            raise Refused(0, "the service URL is not in teams.service_hosts", None)
        if service_url not in self._clients:
            if len(self._clients) >= MOST_CLIENTS:
                self._clients.clear()
            configuration = BotFrameworkConnectorConfiguration(
                Authentication(), service_url, pipeline_type=_Pipeline, sender=_Sender(self._sign_in, self._session)
            )
            self._clients[service_url] = ConnectorClient(None, custom_configuration=configuration)
        return self._clients[service_url]


class _Pipeline(AsyncPipeline[Any, Any]):
    """Without the SDK's own policy for credentials: it asks for a token on the event loop and waits for it."""

    def __init__(self, config: Any) -> None:
        super().__init__([config.user_agent_policy, RawDeserializer()], config.sender)


class _Sender(AsyncHTTPSender[Any, Any]):
    """Signs and sends with aiohttp, once: whoever delivers cards decides about another try. It never blocks."""

    def __init__(self, sign_in: SignIn, session: Callable[[], aiohttp.ClientSession]) -> None:
        self._sign_in, self._session = sign_in, session

    async def __aexit__(self, *_exc: object) -> None:
        """The session is the service's."""

    async def send(self, request: Request[Any], **config: Any) -> Response[Any, Any]:
        http = request.http_request
        headers = {name: value for name, value in http.headers.items() if name.lower() != "content-length"}
        token = await self._sign_in.token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # Written anew: the SDK escapes every letter beyond ASCII.
        data = written(json.loads(http.data)) if http.data else None
        async with self._session().request(
            http.method, URL(http.url, encoded=True), headers=headers, data=data, allow_redirects=False
        ) as answer:
            text = await answer.text(errors="replace")
            if answer.status == 401:
                await self._sign_in.forget()
            if answer.status >= 300:
                raise Refused(answer.status, _code(text), answer.headers.get("Retry-After"))
            return Response(request, _Answer(http, answer.status, text))


class _Answer(HTTPClientResponse):
    """What the SDK reads of an answer."""

    def __init__(self, request: Any, status: int, text: str) -> None:
        super().__init__(request, None)
        self.status_code = status
        self.headers = {"content-type": "application/json"}
        self._text = text

    def body(self) -> bytes:
        return self._text.encode()

    def text(self, encoding: str | None = None) -> str:
        return self._text


def _code(text: str) -> str:
    """The Bot Connector's word for what is wrong; its sentence could quote the message.

    `{"error": {"code": …}}` by the connector's own schema; Microsoft's page on proactive messages shows another shape,
    `{"errorCode": 209, "message": "{\\"subCode\\": …}"}` ("Status code responses", learn.microsoft.com, 2026).
    """
    body = _block(text)
    code = _block(body.get("error")).get("code") or _block(body.get("message")).get("subCode")
    return code[:60] if isinstance(code, str) and code.isalnum() else ""


def _block(value: object) -> dict[str, object]:
    """A block of keys, written as JSON or read already; nothing for anything else."""
    try:
        read: object = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", read) if isinstance(read, dict) else {}
