"""The page a client's Slack administrator installs the app from: Bolt's OAuth flow, for bound workspaces alone.

/slack/install shows a button that leads to Slack with a fresh state; Slack sends the browser back to
/slack/oauth_redirect, where the state must be ours, young, unused and that browser's
(docs.slack.dev/authentication/installing-with-oauth, read 2026-11-25).
"""

from __future__ import annotations

import html
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.oauth import OAuthStateUtils
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.installations import Installations

log = logging.getLogger("offboard.slack")

INSTALL, REDIRECT = "/slack/install", "/slack/oauth_redirect"
SCOPES = ("commands", "chat:write", "im:write")
"""The manifest's."""
LIFETIME = 600.0
"""Seconds a state is good for."""
MOST = 10_000
"""States kept at once: the page is open to everybody, the memory is not."""
COOKIE = "__Host-offboard-install"
"""Browsers take such a name from this very host over TLS alone."""

Part = Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]


class States(AsyncOAuthStateStore):
    """Which states were given out and not yet used; hashed, and gone with the process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._given: dict[str, float] = {}

    @property
    def logger(self) -> logging.Logger:
        return log

    async def async_issue(self, *args: object, **kwargs: object) -> str:
        """A new one, from 256 random bits."""
        now = self._now()
        self._given = {key: until for key, until in self._given.items() if until > now}
        if len(self._given) >= MOST:
            del self._given[next(iter(self._given))]
        state = secrets.token_urlsafe(32)
        self._given[_hashed(state)] = now + LIFETIME
        return state

    async def async_consume(self, state: str) -> bool:
        """Whether it is ours and still good; never twice."""
        return self._given.pop(_hashed(state), 0.0) > self._now()


class NotBound(BoltError):
    """Slack let them install it, we don't: nobody said whose workspace that is."""

    def __init__(self, team: str, name: str) -> None:
        self.team, self.name = team, name
        super().__init__("the workspace is not bound")


class _Cookies(OAuthStateUtils):
    """Bolt's cookie, which other sites' pages can't have sent along with a form of theirs."""

    def build_set_cookie_for_new_state(self, state: str) -> str:
        return f"{super().build_set_cookie_for_new_state(state)}; SameSite=Lax"


class InstallPage:
    """Both addresses, mounted on the service's app."""

    def __init__(
        self,
        store: Installations,
        client_id: str,
        client_secret: Callable[[], str],
        *,
        teams: frozenset[str],
        kept_apart: frozenset[str],
        msp: str,
        base_url: str,
    ) -> None:
        """`teams` may install; tokens of `kept_apart` are clients.yml's and are never revoked here."""
        self._store, self._client_id, self._client_secret = store, client_id, client_secret
        self._teams, self._kept_apart, self._msp, self._base_url = teams, kept_apart, msp, base_url
        self._states = States()
        # Bolt and the SDK write codes and tokens into their log lines.
        self._silent = logging.getLogger("offboard.slack.install")
        self._silent.setLevel(logging.CRITICAL + 1)

    def mount(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get(INSTALL, self._install)
        app.router.add_get(REDIRECT, self._redirect)

    async def _install(self, request: web.Request) -> web.Response:
        return await self._answer(request, lambda flow: flow.handle_installation)

    async def _redirect(self, request: web.Request) -> web.Response:
        return await self._answer(request, lambda flow: flow.handle_callback)

    async def _answer(self, request: web.Request, part: Callable[[AsyncOAuthFlow], Part]) -> web.Response:
        headers: dict[str, str | Sequence[str]] = dict(request.headers.items())
        heard = AsyncBoltRequest(body="", query=request.query_string, headers=headers)
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=10), cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            client = AsyncWebClient(base_url=self._base_url, session=session, logger=self._silent, retry_handlers=[])
            try:
                answer = await part(self._flow(client))(heard)
            except Exception as error:  # noqa: BLE001 - the last stop: what failed could quote a code or a token
                log.error("installing the Slack app failed: %s", type(error).__name__)
                answer = _page(
                    "Not installed", "Something went wrong on our side or at Slack. Please begin again.", status=502
                )
        return _sent(answer)

    def _flow(self, client: AsyncWebClient) -> AsyncOAuthFlow:
        """Made for each request: the secret is resolved late and kept nowhere."""
        settings = AsyncOAuthSettings(
            client_id=self._client_id,
            client_secret=self._client_secret(),
            scopes=SCOPES,
            user_scopes=(),
            installation_store=self._store,
            installation_store_bot_only=True,
            state_store=self._states,
            state_cookie_name=COOKIE,
            state_expiration_seconds=int(LIFETIME),
            callback_options=AsyncCallbackOptions(success=self._done, failure=self._failed),
            logger=self._silent,
        )
        # Bolt would take these from the environment: clients.yml alone says what is asked for.
        settings.redirect_uri = None
        settings.scopes, settings.user_scopes = SCOPES, ()
        settings.state_utils = _Cookies(cookie_name=COOKIE, expiration_seconds=int(LIFETIME))
        return _Flow(client, self._silent, settings, self._store, self._teams, self._kept_apart, self._base_url)

    async def _done(self, args: AsyncSuccessArgs) -> BoltResponse:
        name = args.installation.team_name or args.installation.team_id or ""
        log.info("the Slack app was installed in workspace %s", args.installation.team_id)
        return _page("Installed", f"Offboard is installed in {name}. Type /offboard and a name to begin.", forget=True)

    async def _failed(self, args: AsyncFailureArgs) -> BoltResponse:
        status = args.suggested_status_code
        if isinstance(args.error, NotBound):
            log.warning("the Slack app was refused to workspace %s", args.error.team)
            name = args.error.name or "This workspace"
            sentence = (
                f"{name} is not connected to {self._msp} yet, so nothing was installed. Tell {self._msp} the "
                f"workspace's id, {args.error.team}, and begin again once they have added it."
            )
            return _page("Not installed", sentence, status=403, forget=True)
        log.warning("installing the Slack app was refused (%s)", status)
        return _page("Not installed", _WHY.get(args.reason, _OTHERWISE), status=max(status, 400), forget=True)


class _Flow(AsyncOAuthFlow):
    """Bolt's flow, with our pages, addresses built by urlencode, and a look at whose workspace it is."""

    def __init__(
        self,
        client: AsyncWebClient,
        logger: logging.Logger,
        settings: AsyncOAuthSettings,
        store: Installations,
        teams: frozenset[str],
        kept_apart: frozenset[str],
        base_url: str,
    ) -> None:
        super().__init__(client=client, logger=logger, settings=settings)
        self._store, self._teams, self._kept_apart = store, teams, kept_apart
        self._authorize = f"{base_url.removesuffix('/').removesuffix('/api')}/oauth/v2/authorize"

    async def build_authorize_url(self, state: str, request: AsyncBoltRequest) -> str:
        wanted = {"client_id": self.client_id, "scope": ",".join(SCOPES), "user_scope": "", "state": state}
        team = next(iter(request.query.get("team", [])), "")
        # Slack offers that workspace first; whatever else stands there is not passed on.
        if team in self._teams:
            wanted["team"] = team
        return f"{self._authorize}?{urlencode(wanted)}"

    async def build_install_page_html(self, url: str, request: AsyncBoltRequest) -> str:
        link = f'<p><a href="{html.escape(url)}">Continue to Slack</a></p>'
        return _html("Install Offboard", "Slack will ask which workspace, and show what the app may do there.", link)

    async def store_installation(self, request: AsyncBoltRequest, installation: Installation) -> None:
        team = installation.team_id or ""
        if installation.is_enterprise_install or team not in self._teams:
            if installation.bot_token and team not in self._kept_apart and not installation.is_enterprise_install:
                await self._give_back(installation.bot_token)
            raise NotBound(team or installation.enterprise_id or "", installation.team_name or "")
        try:
            await self._store.async_save(installation)
        except OSError as error:
            raise BoltError(f"the installation could not be kept ({error.strerror})") from None

    async def _give_back(self, token: str) -> None:
        """Revoke what nobody may use: no token of ours stays behind in a stranger's workspace."""
        try:
            await self.client.auth_revoke(token=token)
        except (SlackApiError, SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("a token of an unknown workspace could not be revoked: %s", type(error).__name__)


_BEGIN_AGAIN = "This page is too old, was used already, or was opened in another browser. Please begin again."
_OTHERWISE = "Slack did not let the app be installed. Please begin again, or ask your service provider."
_WHY: Mapping[str, str] = {
    "access_denied": "You did not allow it, so nothing was installed.",
    "invalid_browser": _BEGIN_AGAIN,
    "invalid_state": _BEGIN_AGAIN,
    "storage_error": "The app could not keep its key, so it does not work yet. Tell your service provider.",
}


def _hashed(state: str) -> str:
    return sha256(state.encode()).hexdigest()


def _html(title: str, sentence: str, more: str = "") -> str:
    again = f'<p><a href="{INSTALL}">Begin again</a></p>' if title == "Not installed" else more
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title></head>'
        f"<body><h1>{html.escape(title)}</h1><p>{html.escape(sentence)}</p>{again}</body></html>"
    )


def _page(title: str, sentence: str, *, status: int = 200, forget: bool = False) -> BoltResponse:
    headers: dict[str, str | Sequence[str]] = {}
    if forget:
        headers["Set-Cookie"] = [OAuthStateUtils(cookie_name=COOKIE).build_set_cookie_for_deletion()]
    return BoltResponse(status=status, body=_html(title, sentence), headers=headers)


def _sent(answer: BoltResponse) -> web.Response:
    """As a web page that runs nothing, is framed by nobody and is kept by no cache."""
    sent = web.Response(status=answer.status, text=answer.body, content_type="text/html", charset="utf-8")
    sent.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    sent.headers["Cache-Control"] = "no-store"
    sent.headers["Referrer-Policy"] = "no-referrer"
    for name, values in answer.headers.items():
        if name.lower() == "set-cookie":
            for value in [values] if isinstance(values, str) else values:
                sent.headers.add("Set-Cookie", value)
    return sent
