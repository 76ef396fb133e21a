"""Reads Slack's payloads: who did it, from which home, and where; each kind says so in another place.

The home of whoever clicks is `user.team_id` alone. `team`, `authorizations` and Bolt's context name the workspace the
app is installed in, also for people of another company in a shared channel (bolt-js issue 1614, bolt-python issue 767,
read 2026-11-22). A slash command says the typist's home at the top level.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.payload import Body, Malformed, inner, text
from handlers.conversation import Actor, Inbound, Kind, Place

SUGGEST = "suggest:"
"""Begins the block of a field that looks people up; its token follows, as nothing else of ours comes back with it."""
GONE = ("app_uninstalled", "tokens_revoked")
"""The only events that mean something (docs.slack.dev/reference/events, read 2026-11-25)."""
HOLDS: Mapping[str, str] = {"datepicker": "selected_date", "timepicker": "selected_time"}
"""Where a picker's state holds what was picked."""


def pressed(body: Body) -> Inbound:
    """A click. Raises Malformed unless the payload says who clicked, from which home, and where."""
    user, team, channel = inner(body, "user"), inner(body, "team"), inner(body, "channel")
    actions = body.get("actions")
    action = actions[0] if isinstance(actions, list) and actions else None
    channel_id = text(channel, "id")
    return Inbound(
        kind=Kind.CLICK,
        # The clicker's home stands here alone: `team` and Bolt's context name the workspace the
        # app is installed in, also for people of another one in a shared channel.
        actor=Actor("slack", text(user, "team_id"), text(user, "id")),
        # We posted the message, so a direct message is the bot's own chat with that person.
        where=Place("slack", text(team, "id"), channel_id, private=channel_id.startswith("D")),
        dedupe=f"slack:{text(body, 'trigger_id')}",
        token=text(action if isinstance(action, dict) else {}, "value"),
        values=_values(inner(inner(body, "state", {}), "values", {})),
    )


def suggesting(body: Body) -> tuple[Actor, str, str]:
    """Who types, the field's token, and what is typed so far. Raises Malformed unless it says who, and in what.

    Who types stands where it does in a click (docs.slack.dev/reference/interaction-payloads/block_suggestion-payload,
    read 2026-11-26).
    """
    user, (before, found, token) = inner(body, "user"), text(body, "block_id").partition(SUGGEST)
    if body.get("type") != "block_suggestion" or before or not found or not token:
        raise Malformed("the field is none of ours")
    return Actor("slack", text(user, "team_id"), text(user, "id")), token, text(body, "value", "")


def removal(body: Body) -> tuple[str, float]:
    """The workspace the app was removed from and when; '' when only people's own tokens were revoked."""
    event, team = inner(body, "event"), text(body, "team_id")
    authorized = body.get("authorizations")
    for one in authorized if isinstance(authorized, list) else ():
        # Which workspace Bolt would take; it must not be another one.
        if not isinstance(one, dict) or one.get("team_id") not in {None, team}:
            raise Malformed("it names two workspaces")
    if event.get("type") == "tokens_revoked" and not inner(event, "tokens", {}).get("bot"):
        return "", 0.0
    at = body.get("event_time")
    if not isinstance(at, int):
        raise Malformed("'event_time' is missing")
    return team, float(at)


def _values(blocks: Body) -> dict[str, str]:
    """Field id → what was typed, or the id, date or time that was picked; empty when left empty."""
    out = dict[str, str]()
    for block in blocks.values():
        for field_id, state in (block if isinstance(block, dict) else {}).items():
            if not isinstance(state, dict):
                continue
            chosen, held = state.get("selected_option"), HOLDS.get(str(state.get("type")), "value")
            value = chosen.get("value") if isinstance(chosen, dict) else state.get(held)
            out[field_id] = value if isinstance(value, str) else ""
    return out
