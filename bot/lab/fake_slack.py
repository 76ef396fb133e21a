"""Stands in for Slack: workspaces, people and channels, the Web API, and what people type and click.

One aiohttp server on 127.0.0.1 keeps the state and enforces Slack's limits; people's deeds are
signed and posted to the bot as Slack does (docs.slack.dev: "Verifying requests from Slack",
"Implementing slash commands", "block_actions payload"; read 2026-11-22). It misbehaves when told.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from pydantic import JsonValue

from bot.lab.fake_slack_wire import SlackError, arguments, blocks_of, told
from bot.lab.slack_limits import Shown, field_state, find_button, offered, read

Json = dict[str, JsonValue]
USES = 5
PATIENCE = 3.0
"""Seconds a select that asks waits for its options."""
LIFETIME = 30 * 60.0
"""A response_url takes five answers within 30 minutes."""


@dataclass(frozen=True)
class Answer:
    """What the bot answered over HTTP."""

    status: int
    body: str


@dataclass
class Workspace:
    """A team with the app installed, unless its token is empty."""

    id: str
    domain: str
    token: str = field(repr=False)
    bot: str
    people: dict[str, str] = field(default_factory=dict[str, str])
    """User id → name."""
    channels: dict[str, str] = field(default_factory=dict[str, str])
    """Channel id → name, of those the bot is in."""
    private: dict[str, str] = field(default_factory=dict[str, str])
    """User id → the bot's direct message with them."""
    active: bool = True
    scopes: str = "commands,chat:write,im:write"


@dataclass
class _Address:
    """A response_url: where its answers go, and how often and how long it takes them."""

    user: str
    message: Shown | None
    made: float
    uses: int = 0


class FakeSlack:
    """A whole Slack for tests and the demo. Start it, give it the bot's URL, and be its people."""

    def __init__(self, signing_secret: str, *, bot_url: str = "", now: Callable[[], float] = time.time) -> None:
        """`bot_url`: where events go, known once the bot listens; `now`: seconds since 1970."""
        self.bot_url = bot_url
        self.workspaces: dict[str, Workspace] = {}
        self.calls: list[tuple[str, Json]] = []
        """Every Web API call taken, with its arguments."""
        self.changed = asyncio.Condition()
        """Notified at each change of what people see."""
        self.routes: list[web.RouteDef] = []
        """What parts of Slack beside this one answer; added before the start."""
        self.apart: dict[str, Callable[[web.Request, Json], Awaitable[Json]]] = {}
        """Web API methods that no bot token opens. They raise SlackError."""
        self.courier: Callable[[bytes, Mapping[str, str]], Awaitable[Answer]] | None = None
        """Takes what people do instead of `bot_url`: a socket, say."""
        self._secret = signing_secret
        self.now = now
        """Seconds since 1970; tests move it."""
        self._messages: dict[tuple[str, str], Shown] = {}
        self._ephemeral: dict[str, list[Shown]] = {}
        self._typed: dict[tuple[str, str, str, str], str] = {}
        self._offered: dict[tuple[str, str, str], list[Json]] = {}
        """User, message and block → what their letters found."""
        self._addresses: dict[str, _Address] = {}
        self._faults: dict[str, list[tuple[int, Json, dict[str, str]]]] = {}
        self._delays: dict[str, float] = {}
        self._count = itertools.count(1)
        self._last: tuple[bytes, dict[str, str]] | None = None
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self.url = ""

    # --- the world ------------------------------------------------------------------------------

    def workspace(self, team: str, domain: str, *, token: str = "", bot: str = "U0OFFBOARD") -> Workspace:
        """Add a team; without a token the app is not installed there."""
        self.workspaces[team] = Workspace(team, domain, token, bot)
        return self.workspaces[team]

    def person(self, team: str, user: str, name: str) -> str:
        """Add somebody to their home team."""
        self.workspaces[team].people[user] = name
        return user

    def channel(self, team: str, channel: str, name: str) -> str:
        """Add a channel the bot is a member of."""
        self.workspaces[team].channels[channel] = name
        return channel

    async def start(self) -> str:
        """Listen; answers the base URL for Web API clients."""
        app = web.Application(client_max_size=2**22)
        app.router.add_post("/api/{method}", self._api)
        app.router.add_get("/api/{method}", self._api)
        app.router.add_post("/response/{key}", self._respond)
        app.router.add_routes(self.routes)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self._session = aiohttp.ClientSession()
        return f"{self.url}/api/"

    async def stop(self) -> None:
        """Stop listening."""
        if self._session:
            await self._session.close()
        if self._runner:
            await self._runner.cleanup()

    def throttle(self, method: str, times: int = 1, retry_after: int = 1) -> None:
        """The next calls of that method ('response_url' is one, too) get 429."""
        fault: tuple[int, Json, dict[str, str]] = (
            429,
            {"ok": False, "error": "ratelimited"},
            {"Retry-After": str(retry_after)},
        )
        self._faults.setdefault(method, []).extend([fault] * times)

    def fail(self, method: str, error: str, times: int = 1, status: int = 200) -> None:
        """The next calls of that method fail with that code."""
        fault: tuple[int, Json, dict[str, str]] = (status, {"ok": False, "error": error}, {})
        self._faults.setdefault(method, []).extend([fault] * times)

    def redirect(self, method: str, location: str) -> None:
        """The next call of that method is sent elsewhere."""
        self._faults.setdefault(method, []).append((307, {}, {"Location": location}))

    def delay(self, method: str, seconds: float) -> None:
        """Every call of that method takes so long."""
        self._delays[method] = seconds

    # --- what people see ------------------------------------------------------------------------

    def messages(self, channel: str) -> list[Shown]:
        """A channel, oldest first."""
        return [shown for (where, _), shown in self._messages.items() if where == channel]

    def private(self, user: str) -> list[Shown]:
        """Somebody's chat with the bot, in their own workspace."""
        channel = self._home(user).private.get(user, "")
        return self.messages(channel)

    def ephemeral(self, user: str) -> list[Shown]:
        """What only that person saw, oldest first."""
        return list(self._ephemeral.get(user, []))

    async def until(self, wanted: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until it is so. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(wanted)

    # --- what people do -------------------------------------------------------------------------

    async def opens(self, user: str) -> str:
        """Somebody opens their chat with the bot; answers its channel id."""
        return self._open(self._home(user), user)

    async def types(self, user: str, line: str, *, channel: str = "") -> Answer:
        """Somebody types a slash command: in their chat with the bot, or where `channel` says."""
        home = self._home(user)
        channel = channel or self._open(home, user)
        command, _, text = line.partition(" ")
        form = {
            "token": "deprecated",
            "team_id": home.id,
            "team_domain": home.domain,
            "channel_id": channel,
            "channel_name": "directmessage" if channel.startswith("D") else home.channels.get(channel, "other"),
            "user_id": user,
            "user_name": home.people[user],
            "command": command,
            "text": text,
            "api_app_id": "A0OFFBOARD",
            "is_enterprise_install": "false",
            "response_url": self._address(user, None),
            "trigger_id": self._trigger(),
        }
        answer = await self.deliver(urlencode(form).encode())
        await self._hear_back(user, home, channel, answer)
        return answer

    async def clicks(self, user: str, message: Shown, label: str, values: Mapping[str, str] | None = None) -> Answer:
        """Somebody fills in fields (field id → text, or an option's id) and presses a button.

        An old `Shown` clicks what stood there then. Raises LookupError for what is not there.
        """
        payload = self.click_payload(user, message, label, values or {})
        return await self.deliver(urlencode({"payload": json.dumps(payload)}).encode())

    async def looks_up(self, user: str, message: Shown, name: str, letters: str) -> list[Json]:
        """Somebody types in a field that asks; the options they are shown, in time and as Slack takes them."""
        block, element = self._field(message, name)
        least = element.get("min_query_length", 3)
        if isinstance(least, int) and len(letters) < least:
            return []
        payload = self.suggestion_payload(user, message, name, letters)
        async with asyncio.timeout(PATIENCE):
            answer = await self.deliver(urlencode({"payload": json.dumps(payload)}).encode())
        found = offered(json.loads(answer.body)) if answer.status == 200 and answer.body.startswith("{") else []
        self._offered.setdefault((user, message.ts, str(block["block_id"])), []).extend(found)
        return found

    def suggestion_payload(self, user: str, message: Shown, name: str, letters: str) -> Json:
        """The block_suggestion payload of those letters."""
        home, host = self._home(user), self.workspaces[message.workspace]
        block, _ = self._field(message, name)
        where = "directmessage" if message.channel.startswith("D") else host.channels[message.channel]
        return {
            "type": "block_suggestion",
            "user": {"id": user, "username": home.people[user], "name": home.people[user], "team_id": home.id},
            "team": {"id": host.id, "domain": host.domain},
            "api_app_id": "A0OFFBOARD",
            "container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel},
            "channel": {"id": message.channel, "name": where},
            "is_enterprise_install": False,
            "block_id": block["block_id"],
            "action_id": name,
            "value": letters,
        }

    def click_payload(self, user: str, message: Shown, label: str, values: Mapping[str, str]) -> Json:
        """The block_actions payload of that click."""
        home, host = self._home(user), self.workspaces[message.workspace]
        block, button = find_button(message, label)
        for name, value in values.items():
            self._fill(user, message, name, value)
        action: Json = {key: button[key] for key in ("action_id", "text", "value", "type", "style") if key in button}
        action |= {"block_id": block["block_id"], "action_ts": self._ts()}
        shown: Json = {
            "type": "message",
            "user": host.bot,
            "bot_id": "B0OFFBOARD",
            "ts": message.ts,
            "text": message.text,
            "team": host.id,
            "blocks": [*message.blocks],
        }
        name = "directmessage" if message.channel.startswith("D") else host.channels[message.channel]
        return {
            "type": "block_actions",
            "user": {"id": user, "username": home.people[user], "name": home.people[user], "team_id": home.id},
            "api_app_id": "A0OFFBOARD",
            "token": "deprecated",
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": message.channel,
                "is_ephemeral": False,
            },
            "trigger_id": self._trigger(),
            "team": {"id": host.id, "domain": host.domain},
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": {"id": message.channel, "name": name},
            "message": shown,
            "state": {"values": self._state(user, message)},
            "response_url": self._address(user, message),
            "actions": [action],
        }

    async def again(self) -> Answer:
        """The last request once more, as Slack's retries and double clicks on a bad line arrive."""
        if self._last is None:
            raise LookupError("nothing was delivered yet")
        body, headers = self._last
        return await self._post(body, {**headers, "X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"})

    async def deliver(
        self,
        body: bytes,
        *,
        age: float = 0.0,
        secret: str | None = None,
        content_type: str = "application/x-www-form-urlencoded",
    ) -> Answer:
        """Sign and post a body; `age` seconds old, or with another secret, to be refused."""
        stamp = str(int(self.now() - age))
        key = (self._secret if secret is None else secret).encode()
        signature = hmac.new(key, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={signature}",
        }
        self._last = body, headers
        return await self._post(body, headers)

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        if self._session is None:
            raise RuntimeError("start the fake Slack first")
        if self.courier is not None:
            return await self.courier(body, headers)
        async with self._session.post(self.bot_url, data=body, headers=dict(headers)) as response:
            return Answer(response.status, await response.text())

    async def _hear_back(self, user: str, home: Workspace, channel: str, answer: Answer) -> None:
        """A command's HTTP answer is shown to the typist alone, plain text or JSON."""
        if answer.status == 200 and answer.body:
            said: JsonValue = json.loads(answer.body) if answer.body.startswith("{") else {"text": answer.body}
            if isinstance(said, dict):
                await self._whisper(user, home.id, channel, said)

    # --- the Web API ----------------------------------------------------------------------------

    async def _api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        args = await arguments(request)
        await asyncio.sleep(self._delays.get(method, 0.0))
        if self._faults.get(method):
            status, body, headers = self._faults[method].pop(0)
            return web.json_response(body, status=status, headers=headers)
        if method in self.apart:
            return await told(self.apart[method](request, args))
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        home = next((team for team in self.workspaces.values() if team.token and team.token == token), None)
        if home is None or not home.active:
            error = "not_authed" if not token else "invalid_auth" if home is None else "account_inactive"
            return web.json_response({"ok": False, "error": error})
        methods = {
            "auth.test": self._auth_test,
            "conversations.open": self._conversations_open,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "chat.postEphemeral": self._post_ephemeral,
        }
        if method not in methods:
            return web.json_response({"ok": False, "error": "unknown_method"})
        self.calls.append((method, args))
        return await told(methods[method](home, args), home.scopes)

    async def _auth_test(self, home: Workspace, args: Json) -> Json:
        return {
            "url": f"https://{home.domain}.slack.com/",
            "team": home.domain,
            "user": "offboard",
            "team_id": home.id,
            "user_id": home.bot,
            "bot_id": "B0OFFBOARD",
        }

    async def _conversations_open(self, home: Workspace, args: Json) -> Json:
        user = str(args.get("users", ""))
        if user not in home.people:
            raise SlackError("user_not_found")
        return {"channel": {"id": self._open(home, user)}}

    async def _post_message(self, home: Workspace, args: Json) -> Json:
        channel = self._where(home, args)
        shown = Shown(home.id, channel, self._ts(), str(args.get("text", "")), blocks_of(args))
        await self._show(shown)
        message: Json = {
            "type": "message",
            "text": shown.text,
            "ts": shown.ts,
            "user": home.bot,
            "bot_id": "B0OFFBOARD",
            "team": home.id,
        }
        return {"channel": channel, "ts": shown.ts, "message": message}

    async def _update(self, home: Workspace, args: Json) -> Json:
        channel, ts = self._where(home, args), str(args.get("ts", ""))
        before = self._messages.get((channel, ts))
        if before is None:
            raise SlackError("message_not_found")
        text = str(args.get("text", ""))
        await self._show(_edited(before, text, blocks_of(args)))
        return {"channel": channel, "ts": ts, "text": text, "message": {"text": text}}

    async def _post_ephemeral(self, home: Workspace, args: Json) -> Json:
        channel, user = self._where(home, args), str(args.get("user", ""))
        if user not in home.people:
            raise SlackError("user_not_in_channel")
        await self._whisper(user, home.id, channel, args)
        return {"message_ts": self._ts()}

    async def _respond(self, request: web.Request) -> web.Response:
        """A response_url: replaces the message it belongs to, or speaks to one person."""
        await asyncio.sleep(self._delays.get("response_url", 0.0))
        if self._faults.get("response_url"):
            status, body, headers = self._faults["response_url"].pop(0)
            return web.json_response(body, status=status, headers=headers)
        address = self._addresses.get(request.match_info["key"])
        if address is None or address.uses >= USES or self.now() - address.made > LIFETIME:
            error = "used_url" if address and address.uses >= USES else "expired_url"
            return web.json_response({"ok": False, "error": error}, status=404)
        address.uses += 1
        args = await arguments(request)
        try:
            blocks = blocks_of(args) if "blocks" in args else ()
        except SlackError as refused:
            return web.json_response({"ok": False, "error": refused.code}, status=400)
        before = address.message
        if args.get("replace_original") and before:
            now = self._messages[before.channel, before.ts]
            await self._show(_edited(now, str(args.get("text", "")), blocks))
        else:
            channel = before.channel if before else ""
            await self._whisper(address.user, before.workspace if before else "", channel, args)
        return web.json_response({"ok": True})

    # --- state ----------------------------------------------------------------------------------

    def _home(self, user: str) -> Workspace:
        return next(team for team in self.workspaces.values() if user in team.people)

    def _open(self, home: Workspace, user: str) -> str:
        return home.private.setdefault(user, f"D{home.id[1:]}{user[1:]}".ljust(9, "0"))

    def _where(self, home: Workspace, args: Json) -> str:
        channel = str(args.get("channel", ""))
        if channel not in home.channels and channel not in home.private.values():
            raise SlackError("channel_not_found")
        return channel

    async def _show(self, shown: Shown) -> None:
        async with self.changed:
            self._messages[shown.channel, shown.ts] = shown
            self.changed.notify_all()

    async def _whisper(self, user: str, team: str, channel: str, said: Json) -> None:
        blocks = blocks_of(said) if "blocks" in said else ()
        shown = Shown(team, channel, self._ts(), str(said.get("text", "")), blocks)
        async with self.changed:
            self._ephemeral.setdefault(user, []).append(shown)
            self.changed.notify_all()

    def _address(self, user: str, message: Shown | None) -> str:
        key = hashlib.sha256(f"{self._secret}{next(self._count)}".encode()).hexdigest()[:24]
        self._addresses[key] = _Address(user, message, self.now())
        return f"{self.url}/response/{key}"

    def _fill(self, user: str, message: Shown, name: str, value: str) -> None:
        block, _ = self._field(message, name)
        self._typed[user, message.ts, str(block["block_id"]), name] = value

    def _field(self, message: Shown, name: str) -> tuple[Json, Json]:
        for block in message.blocks:
            element = block.get("element")
            if isinstance(element, dict) and element.get("action_id") == name:
                return block, element
        raise LookupError(f"no field '{name}' on this message:\n{read(message)}")

    def _state(self, user: str, message: Shown) -> Json:
        """What stands in the fields. Slack keeps it over edits as long as the ids stay."""
        out: Json = {}
        for block in message.blocks:
            element = block.get("element")
            if not isinstance(element, dict):
                continue
            name = str(element["action_id"])
            typed = self._typed.get((user, message.ts, str(block["block_id"]), name))
            found = self._offered.get((user, message.ts, str(block["block_id"])), [])
            out[str(block["block_id"])] = {name: field_state(element, typed, found)}
        return out

    def _trigger(self) -> str:
        return f"{next(self._count)}.{int(self.now())}.{hashlib.sha256(self.url.encode()).hexdigest()[:16]}"

    def _ts(self) -> str:
        return f"{int(self.now())}.{next(self._count):06d}"


def _edited(before: Shown, text: str, blocks: tuple[Json, ...]) -> Shown:
    return replace(before, text=text, blocks=blocks, edits=(*before.edits, replace(before, edits=())))
