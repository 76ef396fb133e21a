"""Speaks in Teams: sends, edits and opens private chats, through the Bot Connector of each tenant's region.

Nothing here waits or repeats: whoever delivers cards coalesces them and tries again when a ChatError says so. What is
too much for a conversation is not even sent. Limits and codes: Microsoft's "Optimize your bot with rate limiting in
Teams" (learn.microsoft.com, rate-limit.md), as the project's notes of 2026-11 have it; *unverified* against Teams.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from botbuilder.schema import Activity
from msrest.exceptions import ClientException

from bot.teams.cards import adaptive_card, without_slash
from bot.teams.gate import serves
from bot.teams.heard import PLATFORM
from bot.teams.wire import Refused, TeamsWire, said, shown
from connectors.contract import SignInFailed, Throttled, VendorError
from handlers.conversation import Actor, Card, ChatError, Message, Place

log = logging.getLogger("offboard.teams")

SOON = 3.0
"""Seconds until another try after a fault on the way or at Microsoft."""
LATER = 60.0
"""The same where somebody must mend something first, a secret say."""
PASSING = frozenset({408, 412, 429, 502, 504})
PACE: tuple[tuple[int, float], ...] = ((7, 1.0), (8, 2.0), (60, 30.0), (1_800, 3_600.0))
"""So many messages and edits in so many seconds, to one conversation."""
LONGEST_WAIT = 3_600.0
BLOCKED = frozenset({"MessageWritesBlocked", "ConversationBlockedByUser"})
"""Two of Microsoft's pages name it differently, "Proactive messages" and "Messages in bot conversations"; the second
name is the one people report (msteams-docs issue 8394, microsoft-teams-library-js issue 2009)."""
_BLOCKED = "the person has blocked or removed the app: once they let it in again, they see what they missed"
OFF = frozenset({"BotNotInConversationRoster", "BotDisabledByAdmin"})
WORDS = {
    **dict.fromkeys(BLOCKED, _BLOCKED),
    "BotNotInConversationRoster": "the app is not installed there: install it, then it is tried again",
    "BotDisabledByAdmin": "their administrator has turned the app off: once it is on, it is tried again",
    "MessageSizeTooBig": "the message is bigger than Teams takes",
}


@dataclass(frozen=True)
class Home:
    """Where a person of a tenant – or, without one, the tenant – is reached."""

    tenant: str
    user: str
    conversation: str
    service_url: str


class Homes(Protocol):
    """What of that is remembered over a restart."""

    async def find(self, tenant: str, user: str, /) -> tuple[str, str] | None:
        """Conversation and service URL of that person; of the tenant for ''."""
        ...

    async def remember(self, tenant: str, user: str, conversation: str, service_url: str, /) -> None:
        """From now on there."""
        ...

    async def forget(self, tenant: str, user: str, /) -> None:
        """The chat is gone."""
        ...


class TeamsChat:
    """handlers.conversation.Chat for Teams, and lines in answer to what somebody wrote."""

    platform = PLATFORM

    def __init__(
        self,
        wire: TeamsWire,
        homes: Homes,
        *,
        tenants: frozenset[str],
        hosts: frozenset[str],
        service_url: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tenants`: the only ones ever spoken to; `service_url`: for a tenant we have not heard from yet."""
        self._wire, self._homes = wire, homes
        self._tenants, self._hosts, self._default = tenants, hosts, service_url
        self._pace = _Pace(now)
        self._known: dict[tuple[str, str], Home] = {}

    async def private(self, actor: Actor) -> Place:
        """The personal chat between that person and the bot. Raises ChatError."""
        home = await self._home(actor.workspace, actor.user)
        if home is None:
            service_url = await self._service_url("create", actor.workspace)
            conversation = await self._call(
                "create", "", lambda: self._wire.create(service_url, actor.workspace, actor.user)
            )
            home = Home(actor.workspace, actor.user, conversation, service_url)
            await self.remember(home)
        return Place(self.platform, actor.workspace, home.conversation, private=True)

    async def post(self, place: Place, card: Card) -> Message:
        """A new message. Raises ChatError; after a fault on the way it may stand there nevertheless."""
        activity = _drawn("send", card)
        return Message(place, await self._send(place, activity))

    async def update(self, message: Message, card: Card) -> None:
        """Edit a message in place. Raises ChatError; `retry_after` None when it is gone for good."""
        activity, place = _drawn("update", card), message.place
        if not message.id:
            raise ChatError(self.platform, "update", "which message it is was not said", SOON)
        service_url = await self._service_url("update", place.workspace)
        try:
            await self._call(
                "update", place.channel, lambda: self._wire.update(service_url, place.channel, message.id, activity)
            )
        except ChatError as error:
            if place.private and error.hopeless:
                await self._forget_conversation(place)
            raise

    async def say(self, place: Place, line: str) -> None:
        """A line of plain text. Raises ChatError."""
        await self._send(place, said(without_slash(line)))

    async def tell(self, service_url: str, conversation: str, line: str) -> None:
        """The same to a tenant that is none of ours, where it wrote to us from. Raises ChatError."""
        await self._call("send", conversation, lambda: self._wire.send(service_url, conversation, said(line)))

    async def remember(self, home: Home) -> None:
        """Somebody can be reached there; nothing is written that is known already."""
        if serves(home.service_url, self._hosts) and await self._home(home.tenant, home.user) != home:
            await self._homes.remember(home.tenant, home.user, home.conversation, home.service_url)
            self._known[home.tenant, home.user] = home

    async def forget(self, tenant: str, user: str) -> None:
        """The person has removed the app, or blocked it."""
        self._known.pop((tenant, user), None)
        await self._homes.forget(tenant, user)

    # --- the way out ----------------------------------------------------------------------------

    async def _send(self, place: Place, activity: Activity) -> str:
        service_url = await self._service_url("send", place.workspace)
        try:
            return await self._call(
                "send", place.channel, lambda: self._wire.send(service_url, place.channel, activity)
            )
        except ChatError as error:
            if place.private and (error.hopeless or error.retry_after is None):
                await self._forget_conversation(place)
            raise

    async def _forget_conversation(self, place: Place) -> None:
        """Whoever is written to there is asked for anew the next time."""
        for (tenant, user), home in list(self._known.items()):
            if tenant == place.workspace and user and home.conversation == place.channel:
                await self.forget(tenant, user)

    async def _home(self, tenant: str, user: str) -> Home | None:
        key = (tenant, user)
        if key not in self._known:
            found = await self._homes.find(tenant, user)
            if found is None or not serves(found[1], self._hosts):
                return None
            self._known[key] = Home(tenant, user, *found)
        return self._known[key]

    async def _service_url(self, call: str, tenant: str) -> str:
        if tenant not in self._tenants:
            raise ChatError(self.platform, call, f"tenant {tenant} is not in teams.tenants: add it there", None)
        home = await self._home(tenant, "")
        return home.service_url if home else self._default

    async def _call(self, call: str, conversation: str, work: Callable[[], Awaitable[str | None]]) -> str:
        """Whatever the SDK, the network or Microsoft says becomes a ChatError."""
        wait = self._pace.wait(conversation) if conversation else 0.0
        if wait:
            raise ChatError(self.platform, call, "enough has been sent there for a moment", wait)
        try:
            answer = await work()
        except Refused as error:
            raise _refused(call, error) from None
        except VendorError as error:
            raise _not_signed_in(call, error) from None
        except (aiohttp.ClientError, TimeoutError, ClientException, ValueError) as error:
            # `from None`: such a message may hold an address.
            raise ChatError(self.platform, call, type(error).__name__, SOON) from None
        if answer == "":
            raise ChatError(self.platform, call, "answered without an id", SOON)
        return answer or ""


class _Pace:
    """How much was sent to which conversation lately."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sent: dict[str, deque[float]] = {}

    def wait(self, conversation: str) -> float:
        """Seconds until something may be sent there; 0 counts as sent."""
        now, span = self._now(), PACE[-1][1]
        sent = self._sent.setdefault(conversation, deque())
        while sent and now - sent[0] >= span:
            sent.popleft()
        waits = [sent[-most] + seconds - now for most, seconds in PACE if len(sent) >= most]
        longest = max(waits, default=0.0)
        if longest > 0:
            return longest
        sent.append(now)
        if len(self._sent) > 10_000:
            self._sent = {name: kept for name, kept in self._sent.items() if now - kept[-1] < span}
        return 0.0


def _drawn(call: str, card: Card) -> Activity:
    try:
        return shown(adaptive_card(card), card.notification)
    except ValueError as error:
        raise ChatError(PLATFORM, call, str(error), None) from error


def _refused(call: str, error: Refused) -> ChatError:
    """What the Bot Connector said, without the rest of its answer: that may quote the message."""
    words = WORDS.get(error.code) or (WORDS["MessageSizeTooBig"] if error.status == 413 else "")
    message = f"{error}: {words}" if words else str(error)
    wait: float | None = None
    if error.status in PASSING or error.status >= 500:
        asked = error.retry_after or ""
        wait = min(float(asked), LONGEST_WAIT) if asked.isdecimal() else SOON
    elif error.status == 401 or error.code in OFF:
        wait = LATER
    return ChatError(PLATFORM, call, message, wait, hopeless=error.status == 403 and error.code in BLOCKED)


def _not_signed_in(call: str, error: VendorError) -> ChatError:
    """No token for the Bot Connector; the sentence of the sign-in names the fix and no secret."""
    wait = error.retry_after if isinstance(error, Throttled) else LATER if isinstance(error, SignInFailed) else SOON
    return ChatError(PLATFORM, call, str(error), wait or SOON)
