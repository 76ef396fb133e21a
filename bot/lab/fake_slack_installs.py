"""The fake Slack's OAuth: somebody allows the app in their workspace, and codes become tokens.

A code is good once; with rotation, tokens end and each refresh token is good once, too
(docs.slack.dev/authentication/installing-with-oauth and …/using-token-rotation, read 2026-11-25).
"""

from __future__ import annotations

import base64
import json
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

from aiohttp import web

from bot.lab.fake_slack import Answer, FakeSlack, Json, Workspace
from bot.lab.fake_slack_wire import SlackError

HOURS_12 = 43_200


class FakeInstalls:
    """Lets workspaces of a fake Slack install the app. Make it before that Slack starts."""

    def __init__(self, slack: FakeSlack, client_id: str, client_secret: str, redirect: str = "") -> None:
        """`redirect`: the address the app's settings name, once it is known."""
        self.redirect = redirect
        self.rotates = False
        """The app has token rotation switched on."""
        self.lasts = HOURS_12
        """Seconds a token lasts then."""
        self.revoked: list[str] = []
        self.exchanged = 0
        self._slack, self._id, self._secret = slack, client_id, client_secret
        self._codes: dict[str, str] = {}
        self._refreshes: dict[str, str] = {}
        slack.apart["oauth.v2.access"] = self._access
        slack.apart["auth.revoke"] = self._revoke

    def allow(self, authorize: str, team: str) -> str:
        """Somebody chose their workspace and pressed Allow; answers where Slack sends the browser."""
        asked = parse_qs(urlsplit(authorize).query)
        if asked.get("client_id") != [self._id]:
            raise LookupError("Slack knows no such app")
        code = secrets.token_hex(12)
        self._codes[code] = team
        return f"{self.redirect}?{urlencode({'code': code, 'state': asked['state'][0]})}"

    def refuse(self, authorize: str) -> str:
        """Somebody pressed Cancel."""
        asked = parse_qs(urlsplit(authorize).query)
        return f"{self.redirect}?{urlencode({'error': 'access_denied', 'state': asked['state'][0]})}"

    async def uninstall(self, team: str, at: float | None = None) -> list[Answer]:
        """The app is removed there: Slack says so twice, in two events."""
        home = self._slack.workspaces[team]
        home.token = ""
        tokens: Json = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [home.bot]}}
        removed: Json = {"type": "app_uninstalled"}
        return [await self.say(team, event, at) for event in (tokens, removed)]

    async def say(self, team: str, event: Json, at: float | None = None, **more: object) -> Answer:
        """Deliver an event about that workspace."""
        body = {
            "type": "event_callback",
            "team_id": team,
            "api_app_id": "A0OFFBOARD",
            "event": event,
            "event_id": f"Ev{secrets.token_hex(4)}",
            "event_time": int(self._slack.now() if at is None else at),
            **more,
        }
        return await self._slack.deliver(json.dumps(body).encode(), content_type="application/json")

    async def _access(self, request: web.Request, args: Json) -> Json:
        self.exchanged += 1
        expected = base64.b64encode(f"{self._id}:{self._secret}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            raise SlackError("bad_client_secret")
        if args.get("redirect_uri", self.redirect) != self.redirect:
            raise SlackError("bad_redirect_uri")
        if args.get("grant_type") == "refresh_token":
            team = self._refreshes.pop(str(args.get("refresh_token")), "")
            if not team:
                raise SlackError("invalid_refresh_token")
        else:
            team = self._codes.pop(str(args.get("code")), "")
            if not team:
                raise SlackError("invalid_code")
        return self._granted(self._slack.workspaces[team])

    def _granted(self, home: Workspace) -> Json:
        home.token = f"xoxb-{home.domain}-{secrets.token_hex(8)}"
        granted: Json = {
            "app_id": "A0OFFBOARD",
            "authed_user": {"id": next(iter(home.people), "U0INSTALLER")},
            "scope": "commands,chat:write,im:write",
            "token_type": "bot",
            "access_token": home.token,
            "bot_user_id": home.bot,
            "team": {"id": home.id, "name": home.domain},
            "enterprise": None,
            "is_enterprise_install": False,
        }
        if self.rotates:
            refresh = f"xoxe-1-{secrets.token_hex(12)}"
            self._refreshes[refresh] = home.id
            granted |= {"refresh_token": refresh, "expires_in": self.lasts}
        return granted

    async def _revoke(self, request: web.Request, args: Json) -> Json:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        home = next((one for one in self._slack.workspaces.values() if one.token and one.token == token), None)
        if home is None:
            raise SlackError("invalid_auth")
        self.revoked.append(home.id)
        home.token = ""
        return {"revoked": True}
