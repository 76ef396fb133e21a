"""Stands in for Teams and its Bot Connector: tenants, people, chats and channels, and what people type and press.

One aiohttp server on 127.0.0.1 keeps what each conversation shows and enforces Teams' limits (rate-limit.md and
"Format your bot messages", as the project's notes have them); what people do is signed and posted to the bot. Tokens
are given over TLS by a server of its own. It misbehaves when told.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
from aiohttp import web
from pydantic import JsonValue

from bot.lab.fake_teams_wire import CHANNEL, Signer, TokenOffice, refusal
from bot.lab.teams_cards import CARD, Shown, as_sent, button, fields, filled

Json = dict[str, JsonValue]

PACE = ((7, 1.0), (8, 2.0), (60, 30.0), (1_800, 3_600.0))
MOST_CHOICES = 15
MOST_BYTES, OLDER_MOST_BYTES = 100_000, 28_000


@dataclass(frozen=True)
class Answer:
    """What the bot answered over HTTP."""

    status: int
    body: str

    @property
    def json(self) -> Json:
        """The same, read."""
        found: JsonValue = json.loads(self.body or "{}")
        return found if isinstance(found, dict) else {}


@dataclass
class Conversation:
    """A chat between the bot and one person, or a channel of a team."""

    id: str
    tenant: str
    user: str = ""
    """PERSONAL: whose."""
    messages: dict[str, Shown] = field(default_factory=dict[str, Shown])
    sent: list[float] = field(default_factory=list[float])


@dataclass
class _Fault:
    status: int
    code: str
    retry_after: str = ""


class FakeTeams:
    """A whole Teams for tests and the demo. Start it, tell it the bot's address, and be its people."""

    def __init__(
        self, app_id: str, tenant: str, secret: str, *, bot_url: str = "", now: Callable[[], float] = time.time
    ) -> None:
        """`tenant` is the bot's home; `now`: seconds since 1970."""
        self.app_id, self.tenant = app_id, tenant
        self.bot_url = bot_url
        self.now = now
        self.signer = Signer(now)
        self.office = TokenOffice(app_id, tenant, secret)
        self.conversations: dict[str, Conversation] = {}
        self.installed: set[tuple[str, str]] = set()
        self.blocked: set[tuple[str, str]] = set()
        self.calls: list[tuple[str, str, Json]] = []
        """Every call taken: what ('create', 'send', 'update'), path, body."""
        self.whispers: dict[str, list[str]] = {}
        """User → lines that only they saw, in answer to a press."""
        self.views: dict[tuple[str, str], Json] = {}
        """User and message → the card only they see, from the answer to their press."""
        self.changed = asyncio.Condition()
        self.small = False
        """Whether messages are held to the older limit."""
        self.signed = True
        """Whether the bot must show its token, and what people do is signed."""
        self._found: dict[tuple[str, str], dict[str, list[Json]]] = {}
        """User and message → by field, what their letters found."""
        self._faults: dict[str, list[_Fault]] = {}
        self._delays: dict[str, float] = {}
        self._count = itertools.count(1)
        self._last: Json = {}
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None
        self.url = self.service_url = self.open_id = ""
        self.ca_file = Path()
        self.key_fetches = 0

    # --- the world ------------------------------------------------------------------------------

    async def start(self, folder: Path) -> None:
        """Listen; the authority that signs the token server's certificate is written there."""
        app = web.Application(client_max_size=2**22)
        app.router.add_post("/teams/v3/conversations", self._create)
        app.router.add_post("/teams/v3/conversations/{id}/activities", self._send)
        app.router.add_put("/teams/v3/conversations/{id}/activities/{message}", self._update)
        app.router.add_get("/openid", self._document)
        app.router.add_get("/keys", self._keys)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.service_url, self.open_id = f"{self.url}/teams/", f"{self.url}/openid"
        self.ca_file = await self.office.start(folder)
        self._http = aiohttp.ClientSession()

    async def stop(self) -> None:
        """Stop listening."""
        if self._http:
            await self._http.close()
        if self._runner:
            await self._runner.cleanup()
        await self.office.stop()

    def settings(self, tenants: Mapping[str, JsonValue], secret: str) -> Json:
        """What clients.yml says of this Teams; `secret` is a reference."""
        return {
            "app_id": self.app_id,
            "tenant": self.tenant,
            "secret": secret,
            "tenants": dict(tenants),
            "service_hosts": [self.url.removeprefix("http://")],
            "service_url": self.service_url,
            "authority": self.office.url,
            "open_id": self.open_id,
        }

    def channel(self, tenant: str, name: str) -> str:
        """A channel the bot is in; answers its id."""
        channel = f"19:{name}@thread.tacv2"
        self.conversations[channel] = Conversation(channel, tenant)
        return channel

    def fail(self, call: str, status: int, code: str = "", *, times: int = 1, retry_after: str = "") -> None:
        """The next calls of that name ('create', 'send', 'update', 'keys') are answered so."""
        self._faults.setdefault(call, []).extend([_Fault(status, code, retry_after)] * times)

    def delay(self, call: str, seconds: float) -> None:
        """Every call of that name takes so long."""
        self._delays[call] = seconds

    # --- what people see ------------------------------------------------------------------------

    def shown(self, conversation: str) -> list[Shown]:
        """A conversation, oldest first."""
        known = self.conversations.get(conversation)
        return list(known.messages.values()) if known else []

    def private(self, tenant: str, user: str) -> list[Shown]:
        """Somebody's chat with the bot."""
        return self.shown(self._personal(tenant, user).id)

    def chat_of(self, tenant: str, user: str) -> str:
        """The id of somebody's chat with the bot."""
        return self._personal(tenant, user).id

    async def until(self, wanted: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until it is so. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(wanted)

    # --- what people do -------------------------------------------------------------------------

    async def installs(self, tenant: str, user: str, action: str = "add") -> Answer:
        """Somebody's app is installed, or ('remove') removed."""
        (self.installed.add if action.lower().startswith("add") else self.installed.discard)((tenant, user))
        where = self.activity("installationUpdate", tenant, user, self.chat_of(tenant, user))
        return await self.deliver(where | {"action": action})

    def blocks(self, tenant: str, user: str) -> None:
        """Somebody blocks the bot, which Teams tells nobody (msteams-docs, issue 8200)."""
        self.blocked.add((tenant, user))

    def unblocks(self, tenant: str, user: str) -> None:
        """Somebody lets the bot in again; whether Teams tells is not documented, so it does not."""
        self.blocked.discard((tenant, user))

    async def joins(self, tenant: str, user: str) -> Answer:
        """The chat says that the bot has come into it, as at a first install."""
        where = self.activity("conversationUpdate", tenant, user, self.chat_of(tenant, user))
        members: Json = {"membersAdded": [{"id": f"28:{self.app_id}"}]}
        return await self.deliver(where | members)

    async def types(self, tenant: str, user: str, text: str, conversation: str = "") -> Answer:
        """Somebody writes to the bot: in their chat with it, or in a channel, where the bot is mentioned."""
        self.installed.add((tenant, user))
        where = conversation or self.chat_of(tenant, user)
        said = self.activity("message", tenant, user, where) | {"text": text, "textFormat": "plain"}
        if conversation:
            mention: Json = {"type": "mention", "mentioned": {"id": f"28:{self.app_id}"}, "text": "<at>Offboard</at>"}
            said |= {"text": f"<at>Offboard</at> {text}", "entities": [mention]}
        return await self.deliver(said)

    async def presses(
        self, tenant: str, user: str, message: Shown, label: str, values: Mapping[str, str] | None = None
    ) -> Answer:
        """Somebody fills in fields and presses a button; an old `Shown` presses what stood there then."""
        return await self.deliver(self.press(tenant, user, message, label, values or {}))

    def press(self, tenant: str, user: str, message: Shown, label: str, values: Mapping[str, str]) -> Json:
        """The `adaptiveCard/action` of that press."""
        return self.pressing(tenant, user, message, button(message, label), values)

    def pressing(self, tenant: str, user: str, message: Shown, pressed: Json, values: Mapping[str, str]) -> Json:
        """The same for this very button: a card may have two of one label."""
        own = pressed.get("data")
        data: Json = filled(message, values, self._found.get((user, message.id))) | (
            own if isinstance(own, dict) else {}
        )
        action: Json = {"type": "Action.Execute", "verb": pressed.get("verb"), "data": data}
        value: Json = {"action": action, "trigger": "manual"}
        invoke: Json = {"name": "adaptiveCard/action", "replyToId": message.id, "value": value}
        return self.activity("invoke", tenant, user, message.conversation) | invoke

    async def looks_up(self, tenant: str, user: str, message: Shown, name: str, letters: str) -> list[Json]:
        """Somebody types in a field that asks; the choices they are shown."""
        answer = await self.deliver(self.search(tenant, user, message, name, letters))
        value = answer.json.get("value")
        results = value.get("results") if isinstance(value, dict) else None
        found = [one for one in (results if isinstance(results, list) else []) if isinstance(one, dict)][:MOST_CHOICES]
        self._found.setdefault((user, message.id), {}).setdefault(name, []).extend(found)
        return found

    def search(self, tenant: str, user: str, message: Shown, name: str, letters: str) -> Json:
        """The `application/search` of those letters. Raises KeyError where the field asks nothing."""
        query = fields(message.card)[name]["choices.data"]
        options: Json = {"skip": 0, "top": MOST_CHOICES}
        value: Json = {
            "queryText": letters,
            "queryOptions": options,
            "dataset": query["dataset"] if isinstance(query, dict) else "",
        }
        invoke: Json = {"name": "application/search", "replyToId": message.id, "value": value}
        return self.activity("invoke", tenant, user, message.conversation) | invoke

    async def submits(self, tenant: str, user: str, message: Shown, label: str) -> Answer:
        """The same by a client too old for Action.Execute: a message with a value."""
        fallback = button(message, label).get("fallback")
        data: JsonValue = fallback.get("data") if isinstance(fallback, dict) else {}
        sent: Json = {"replyToId": message.id, "value": data}
        return await self.deliver(self.activity("message", tenant, user, message.conversation) | sent)

    def activity(self, kind: str, tenant: str, user: str, conversation: str) -> Json:
        """What every activity carries."""
        personal = self.conversations[conversation].user if conversation in self.conversations else ""
        return {
            "type": kind,
            "id": f"f:{next(self._count):06d}",
            "channelId": CHANNEL,
            "serviceUrl": self.service_url,
            "from": {"id": f"29:{user}", "name": "Somebody", "aadObjectId": user},
            "recipient": {"id": f"28:{self.app_id}", "name": "Offboard"},
            "conversation": {
                "id": conversation,
                "conversationType": "personal" if personal else "channel",
                "tenantId": tenant,
                **({} if personal else {"isGroup": True}),
            },
            "channelData": {"tenant": {"id": tenant}},
        }

    async def again(self) -> Answer:
        """The last activity once more."""
        return await self.deliver(self._last)

    async def deliver(self, activity: Json, *, token: str | None = None) -> Answer:
        """Sign and post an activity; with another token, to be refused ('' sends none)."""
        self._last = activity
        if token is None:
            token = self.signer.token(self.app_id, str(activity.get("serviceUrl"))) if self.signed else ""
        answer = await self.post(json.dumps(activity).encode(), token)
        if activity.get("type") == "invoke" and answer.status == 200:
            await self._take(activity, answer.json)
        return answer

    async def post(self, body: bytes, token: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """Any bytes under any token."""
        if self._http is None:
            raise RuntimeError("start the fake Teams first")
        own = {"Content-Type": "application/json", **(headers or {})}
        if token:
            own["Authorization"] = f"Bearer {token}"
        async with self._http.post(self.bot_url, data=body, headers=own) as response:
            return Answer(response.status, await response.text())

    async def _take(self, activity: Json, answer: Json) -> None:
        """The answer to a press is shown to whoever pressed, and to nobody else."""
        by, value = activity["from"], answer.get("value")
        user = str(by.get("aadObjectId")) if isinstance(by, dict) else ""
        if answer.get("type") == CARD and isinstance(value, dict):
            self.views[user, str(activity.get("replyToId"))] = value
        elif isinstance(value, str):
            self.whispers.setdefault(user, []).append(value)
        elif isinstance(value, dict) and "message" in value:
            self.whispers.setdefault(user, []).append(str(value["message"]))
        await self._tell()

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def _personal(self, tenant: str, user: str) -> Conversation:
        found = next((one for one in self.conversations.values() if (one.tenant, one.user) == (tenant, user)), None)
        if found is None:
            found = Conversation(f"a:{tenant[:8]}-{user}", tenant, user)
            self.conversations[found.id] = found
        return found

    # --- the Bot Connector ----------------------------------------------------------------------

    async def _document(self, request: web.Request) -> web.Response:
        fault = await self._fault("keys")
        self.key_fetches += 1
        return fault or web.json_response({"issuer": "https://api.botframework.com", "jwks_uri": f"{self.url}/keys"})

    async def _keys(self, request: web.Request) -> web.Response:
        return web.json_response(self.signer.keys())

    async def _create(self, request: web.Request) -> web.Response:
        body: Json = await request.json()
        refused = await self._refused("create", request, body)
        if refused:
            return refused
        data, members = body.get("channelData"), body.get("members")
        tenant = data.get("tenant") if isinstance(data, dict) else None
        member = members[0] if isinstance(members, list) and len(members) == 1 else None
        if not isinstance(tenant, dict) or not isinstance(member, dict):
            return refusal(400, "BadArgument")
        pair = (str(tenant.get("id")), str(member.get("id")))
        if pair not in self.installed:
            return refusal(403, "BotNotInConversationRoster")
        return web.json_response({"id": self._personal(*pair).id}, status=201)

    async def _send(self, request: web.Request) -> web.Response:
        return await self._written("send", request, f"m:{next(self._count):06d}")

    async def _update(self, request: web.Request) -> web.Response:
        return await self._written("update", request, request.match_info["message"])

    async def _written(self, call: str, request: web.Request, message: str) -> web.Response:
        raw = await request.read()
        body: Json = json.loads(raw)
        refused = await self._refused(call, request, body)
        conversation = self.conversations.get(request.match_info["id"].partition(";")[0])
        if refused:
            return refused
        if conversation is None or (call == "update" and message not in conversation.messages):
            return refusal(404, "ConversationNotFound" if conversation is None else "ActivityNotFoundInConversation")
        if conversation.user and (conversation.tenant, conversation.user) in self.blocked:
            return refusal(403, "MessageWritesBlocked")
        if len(raw) > (OLDER_MOST_BYTES if self.small else MOST_BYTES):
            return refusal(413, "MessageSizeTooBig")
        now = time.monotonic()
        conversation.sent = [at for at in conversation.sent if now - at < PACE[-1][1]]
        if any(sum(now - at < seconds for at in conversation.sent) >= most for most, seconds in PACE):
            return refusal(429, "Throttled", "1")
        conversation.sent.append(now)
        shown = as_sent(conversation.id, message, body)
        before = conversation.messages.get(message)
        edits = (*before.edits, replace(before, edits=())) if before else ()
        conversation.messages[message] = replace(shown, edits=edits, at=before.at if before else self.now())
        await self._tell()
        return web.json_response({"id": message}, status=200 if call == "update" else 201)

    async def _refused(self, call: str, request: web.Request, body: Json) -> web.Response | None:
        fault = await self._fault(call)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if fault is None and self.signed and token not in self.office.given:
            return refusal(401, "Unauthorized")
        if fault is None:
            self.calls.append((call, request.path, body))
        return fault

    async def _fault(self, call: str) -> web.Response | None:
        await asyncio.sleep(self._delays.get(call, 0.0))
        if not self._faults.get(call):
            return None
        fault = self._faults[call].pop(0)
        return refusal(fault.status, fault.code, fault.retry_after)
