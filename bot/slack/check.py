"""Whether the bot can speak in each Slack workspace and be heard: every token is asked about, and nothing is posted.

Whose a token is, is Slack's answer to auth.test, which any token may ask; what it may, is in that answer's header
X-OAuth-Scopes (docs.slack.dev/reference/methods/auth.test, read 2026-11-26).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn, Protocol, cast

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.chat import PASSING
from bot.slack.install import INSTALL, SCOPES
from bot.slack.installations import Installations, Unreadable
from bot.slack.settings import OAuth, Slack
from bot.slack.socket import REFUSALS
from connectors.contract import Check, Refused, Throttled, Unreachable
from connectors.references import Unresolved

PATIENCE = 10.0
"""Seconds for one call: a card is given no more."""
PAGE = f"have an administrator of that workspace open https://YOUR-HOST{INSTALL}"

_CODE = re.compile(r"[a-z_]{1,60}")
_TOKEN_IS_WRONG = frozenset(
    {
        "account_inactive",
        "invalid_auth",
        "not_allowed_token_type",
        "not_authed",
        "token_expired",
        "token_revoked",
    }
)

Secret = Callable[[str], str]


class _WebApi(Protocol):
    """What is used of slack_sdk's client, with the types it leaves open."""

    async def api_call(self, api_method: str) -> _Answer: ...


class _Answer(Protocol):
    data: object
    headers: Mapping[str, str]


class SlackCheck:
    """What is asked of Slack. The file of installations is read as it lies there: a running service owns it."""

    def __init__(self, slack: Slack, secret: Secret, *, beside: Path, patience: float = PATIENCE) -> None:
        """`beside`: where installations are kept unless clients.yml says."""
        self._slack, self._secret, self._beside = slack, secret, beside
        self._patience = aiohttp.ClientTimeout(total=patience)
        self._session: aiohttp.ClientSession | None = None
        # At DEBUG the SDK writes whole bodies; its logger never goes that low.
        self._log = logging.getLogger("offboard.slack.wire")
        self._log.setLevel(logging.WARNING)

    def asks(self) -> dict[str, Callable[[], Awaitable[Check]]]:
        """Title → how it is asked. Those raise VendorError, and Unresolved with one sentence."""
        slack = self._slack
        asks: dict[str, Callable[[], Awaitable[Check]]] = {}
        if slack.app_token:
            asks["Socket"] = self._socket
        else:
            asks["Signing secret"] = self._signing_secret
        installed: Installations | None = None
        if slack.oauth:
            asks["Installations"] = partial(self._installations, slack.oauth)
            try:
                installed = self._open(slack.oauth)
            except Unresolved:
                installed = None  # said under its own title
        for team in sorted({*slack.workspaces, *slack.teams}):
            whose = f" ({', '.join(slack.teams[team])})" if team in slack.teams else ""
            title = f"Workspace {team}{whose}"
            asks[title] = partial(self._workspace, title, team, installed)
        return asks

    async def close(self) -> None:
        """Let the connections go."""
        if self._session is not None:
            await self._session.close()

    # --- being heard ----------------------------------------------------------------------------

    async def _signing_secret(self) -> Check:
        self._secret(self._slack.signing_secret)
        said = "Not verified: whether it is this app's shows when Slack first calls."
        return Check("Signing secret", ok=True, said=said)

    async def _socket(self) -> Check:
        """The address we are given is not used: the running service keeps its own connection."""
        token, call = self._secret(self._slack.app_token), "apps.connections.open"
        mend = {code: f"slack.app_token: {fix}." for code, fix in REFUSALS.items()}
        await self._ask(call, token, mend, f"Put an app-level token (xapp-…) behind {self._slack.app_token}.")
        return Check("Socket", ok=True)

    # --- the installations ----------------------------------------------------------------------

    async def _installations(self, oauth: OAuth) -> Check:
        self._secret(oauth.client_secret)
        said = "Not verified: whether slack.oauth.client_secret is right shows at the next installation."
        if self._open(oauth) is None:
            said = f"Not verified: {self._file(oauth)} can't be read here. Ask as the user the service runs as."
        return Check("Installations", ok=True, said=said)

    def _open(self, oauth: OAuth) -> Installations | None:
        """What is installed; None where this user may not read it. Raises Unresolved: so the service can't start."""
        keys, file = self._secret(oauth.key), self._file(oauth)
        try:
            with file.open("rb"):
                pass
        except FileNotFoundError:
            pass  # nothing is installed yet
        except OSError:
            return None
        try:
            return Installations(file, keys, oauth.key)
        except Unreadable as sentence:
            raise Unresolved(str(sentence)) from None

    def _file(self, oauth: OAuth) -> Path:
        return oauth.installations or self._beside

    # --- speaking -------------------------------------------------------------------------------

    async def _workspace(self, title: str, team: str, installed: Installations | None) -> Check:
        """A token of clients.yml counts first, as in the service."""
        reference = self._slack.workspaces.get(team, "")
        if reference:
            token = self._secret(reference)
            fix = f"Put the bot token of {team} behind {reference}: OAuth & Permissions of the Slack app."
        elif not self._slack.oauth:
            fix = "Write its bot token under slack.workspaces, or set slack.oauth and install the app there."
            return Check(title, ok=False, said="There is no token for it, so nobody is heard there.", fix=fix)
        elif installed is None:
            return Check(title, ok=True, said="Not verified: the installations can't be read.")
        else:
            found = installed.find(team)
            if found is None:
                said = "The app is not installed there yet: nobody is heard, and cards for it wait."
                return Check(title, ok=False, said=said, fix=f"{PAGE[:1].upper()}{PAGE[1:]}.")
            token, fix = found.bot_token, f"See that the service runs, which renews tokens; else {PAGE}."
        mend = dict.fromkeys(_TOKEN_IS_WRONG, fix)
        data, scopes = await self._ask("auth.test", token, mend, fix)
        return _judged(title, team, data, scopes, fix)

    async def _ask(
        self, call: str, token: str, mend: Mapping[str, str], otherwise: str
    ) -> tuple[Mapping[str, object], str | None]:
        """Slack's answer and its scopes. `mend`: code → fix; `otherwise` when it can't even be sent."""
        client = AsyncWebClient(
            token=token,
            base_url=self._slack.base_url,
            session=self._open_session(),
            logger=self._log,
            retry_handlers=[],
        )
        try:
            answer = await cast("_WebApi", client).api_call(call)
        except SlackApiError as error:
            _raise(call, error, mend)
        except (SlackClientError, aiohttp.ClientError, TimeoutError, AttributeError) as error:
            # AttributeError: the SDK's own, over an answer that is JSON and no block, as some proxies give.
            raise Unreachable("Slack", call, f"no usable answer ({type(error).__name__})") from None
        except ValueError:
            # A line break, say. `from None`: the exception's own text quotes it.
            raise Refused("Slack", call, "what lies there is no token", otherwise) from None
        scopes = next((value for name, value in answer.headers.items() if name.lower() == "x-oauth-scopes"), None)
        return cast("Mapping[str, object]", answer.data), scopes

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            # No cookies: workspaces share the session, and must share nothing else.
            self._session = aiohttp.ClientSession(timeout=self._patience, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def _judged(title: str, team: str, data: Mapping[str, object], scopes: str | None, fix: str) -> Check:
    """Whether such a token may stand for that workspace."""
    if data.get("team_id") != team:
        # The worst of all: one client's cards would be posted at another's.
        return Check(title, ok=False, said="Its token is another workspace's.", fix=fix)
    if not data.get("bot_id"):
        return Check(title, ok=False, said="Its token is a person's, not the bot's (xoxb-…).", fix=fix)
    if scopes is None:
        return Check(title, ok=True, said="Not verified: Slack does not say which scopes the token has.")
    missing = [scope for scope in SCOPES if scope not in {one.strip() for one in scopes.split(",")}]
    if missing:
        said = f"Its token lacks the {'scope' if len(missing) == 1 else 'scopes'} {', '.join(missing)}."
        again = "Install the app there again, with the scopes of manifest.yml"
        return Check(title, ok=False, said=said, fix=f"{again}. {fix}")
    return Check(title, ok=True)


def _raise(call: str, error: SlackApiError, mend: Mapping[str, str]) -> NoReturn:
    """What Slack said, as far as it is a code: the rest may quote what was sent."""
    response: object = error.response
    # An unreadable body arrives as aiohttp's response instead of the SDK's.
    status = getattr(response, "status_code", None) or getattr(response, "status", 0)
    data: object = getattr(response, "data", None)
    said = str(cast("Mapping[str, object]", data).get("error", "")) if isinstance(data, dict) else ""
    code = said if _CODE.fullmatch(said) else ""
    if status == 429 or code == "ratelimited":
        headers = cast("Mapping[str, str]", getattr(response, "headers", {}))
        wait = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
        raise Throttled("Slack", call, float(wait) if wait.isdecimal() else 60.0) from None
    if status >= 500 or code in PASSING or not code:
        raise Unreachable("Slack", call, f"no usable answer ({code or f'HTTP {status}'})") from None
    look_up = f"Look the code up at https://docs.slack.dev/reference/methods/{call}."
    raise Refused("Slack", call, f"Slack answers {code}", mend.get(code, look_up)) from None
