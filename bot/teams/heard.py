"""Reads Teams' activities: who did it, in which tenant, where, and what; what is not said clearly is refused.

The tenant stands in `channelData.tenant.id`; the SDK's own model looks for it under another name and finds none. Where
an activity says it elsewhere as well, both must agree. A person is their `aadObjectId`: the `29:…` id beside it is the
bot's alone, and a name or an address proves nobody (learn.microsoft.com, "Bot conversations", as the notes say it).
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.lines import inert
from bot.payload import Body, Malformed, inner, text
from handlers.conversation import Actor, Inbound, Kind, Place

PLATFORM = "teams"
VERB = "press"
"""The verb of every button we draw."""
WORDS: Mapping[str, str] = {
    "offboard": "offboard",
    "status": "offboard-status",
    "offboard-status": "offboard-status",
    "doctor": "offboard-doctor",
    "offboard-doctor": "offboard-doctor",
}
"""The first word of a message → the handlers' command."""
HELP = "help"
"""The command of every other message: handlers know none of that name, and say what they do know."""

LONGEST_MESSAGE = 4_000
LONGEST_VALUE = 4_000
MOST_VALUES = 60
LONGEST_ID = 1_000

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MENTION = re.compile(r"<at\b[^<>]{0,200}>(.{0,200}?)</at>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
_NO_WIDTH = re.compile("[\u200b-\u200d\u2060\ufeff]")


@dataclass(frozen=True)
class Origin:
    """Who did something, and where."""

    actor: Actor
    place: Place
    dedupe: str
    bot: str
    """The bot's own id there."""


def tenant_of(body: Body) -> str:
    """The tenant the activity comes from, in small letters. Raises Malformed."""
    tenant = text(inner(inner(body, "channelData"), "tenant"), "id").lower()
    others = (inner(body, "conversation").get("tenantId"), inner(body, "from").get("tenantId"))
    if not _GUID.fullmatch(tenant) or any(isinstance(one, str) and one.lower() != tenant for one in others):
        raise Malformed("the tenant is not one and the same")
    return tenant


def origin(body: Body) -> Origin:
    """Who and where. Raises Malformed without a person or a place."""
    tenant = tenant_of(body)
    user = text(inner(body, "from"), "aadObjectId").lower()
    if not _GUID.fullmatch(user):
        raise Malformed("'aadObjectId' is no id")
    conversation, activity = inner(body, "conversation"), _id(body, "id")
    channel = _id(conversation, "id")
    # Whatever is not said to be a chat between two is taken for one where others read along.
    private = conversation.get("conversationType") == "personal" and conversation.get("isGroup") is not True
    return Origin(
        actor=Actor(PLATFORM, tenant, user),
        place=Place(PLATFORM, tenant, channel, private),
        dedupe=f"{PLATFORM}:{channel}:{activity}",
        bot=text(inner(body, "recipient", {}), "id", ""),
    )


def typed(body: Body, by: Origin) -> Inbound:
    """What somebody wrote: the first word chooses the command, whatever is around it."""
    said = plain(body, by.bot)
    word, _, rest = said.partition(" ")
    command = WORDS.get(word.lower().lstrip("/").rstrip(":,"), HELP)
    return Inbound(
        kind=Kind.COMMAND,
        actor=by.actor,
        where=by.place,
        dedupe=by.dedupe,
        command=command,
        text="" if command == HELP else rest.strip(),
    )


def plain(body: Body, bot: str) -> str:
    """The words of a message on one line: no mention of the bot, no markup, one space between two words."""
    said = text(body, "text", "")[:LONGEST_MESSAGE]
    entities = body.get("entities")
    for one in entities if isinstance(entities, list) else ():
        if isinstance(one, dict) and one.get("type") == "mention" and inner(one, "mentioned", {}).get("id") == bot:
            said = said.replace(text(one, "text", "") or "\0", " ")
    said = said.strip()
    # A mention in front that no entity explains is ours; a person's, further on, is their name.
    first = _MENTION.match(said)
    said = _MENTION.sub(r" \1 ", said[first.end() :] if first else said)
    said = inert(_NO_WIDTH.sub("", html.unescape(_TAG.sub(" ", said))).replace("\n", " "))
    return " ".join(said.split())


def pressed(body: Body, by: Origin) -> Inbound:
    """A button of a card, by `adaptiveCard/action`. Raises Malformed for another verb."""
    action = inner(inner(body, "value"), "action")
    if action.get("verb") != VERB:
        raise Malformed("the verb is none of ours")
    return replace(_click(inner(action, "data"), by), at_once=True)


def submitted(body: Body, by: Origin) -> Inbound | None:
    """The same from a client too old for it: a message with a value. None for an ordinary message."""
    value = body.get("value")
    return _click(value, by) if isinstance(value, dict) and "token" in value else None


def _click(data: Body, by: Origin) -> Inbound:
    values = {name: one for name, one in data.items() if name != "token" and isinstance(one, str)}
    if len(values) > MOST_VALUES or any(len(one) > LONGEST_VALUE for pair in values.items() for one in pair):
        raise Malformed("there is more in its fields than a card can hold")
    return Inbound(
        kind=Kind.CLICK,
        actor=by.actor,
        where=by.place,
        dedupe=by.dedupe,
        token=_id(data, "token"),
        values=values,
    )


def _id(body: Body, name: str) -> str:
    value = text(body, name)
    if len(value) > LONGEST_ID:
        raise Malformed(f"'{name}' is too long")
    return value
