"""The automatic reply: to whoever writes to the leaver, inside and outside."""

from __future__ import annotations

import html

from connectors.contract import (
    LATER,
    Accepted,
    Choices,
    Done,
    Finding,
    Intent,
    Item,
    Json,
    Nothing,
    Outcome,
    Todo,
    Waiting,
    Wave,
)
from connectors.microsoft365.belongings import Somebody
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.guards import Ctx, look_again_in
from connectors.microsoft365.shapes import Change

_SETTING = "automaticRepliesSetting"
_WORDS = ("internalReplyMessage", "externalReplyMessage")
_NO_MAILBOX = "there is no mailbox in the cloud"
STANDARD, NO_REPLY = "standard", "none"


def standard_reply(name: str, organisation: str, contact: Somebody | None) -> tuple[str, ...]:
    """What the standard reply says, line by line; no reason, no date, no new address."""
    works = f"{name} no longer works at {organisation}." if organisation else f"{name} no longer works here."
    if contact is None or not contact.mail:
        return (works, "Your message is not read by them. Please contact our office.")
    return (works, f"Please write to {contact.name} instead: {contact.mail}")


class SetAutoReply(Change):
    """Switch an automatic reply on, for everybody who writes."""

    id = "microsoft365.set_auto_reply"
    title = "Set the automatic reply"
    wave = Wave.HAND_OVER
    after = ("microsoft365.block_sign_in",)
    controls = ("NIST PS-4",)
    permissions = ("MailboxSettings.ReadWrite",)

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        asked = choices.get("mailbox.reply", NO_REPLY) not in (NO_REPLY, LATER, "")
        return asked and facts.belongings.may_have("mailbox", facts.belongings.mailbox)

    async def see(self, ctx: Ctx) -> Finding:
        now = await self._read(ctx)
        if now is None:
            return Nothing(_NO_MAILBOX)
        if _says(now, _message(ctx)):
            return Nothing("that reply is on already")
        return Todo((Item(key="reply", title="Automatic reply", before={_SETTING: now}),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        words = _message(ctx)
        await self._write(ctx, {"status": "alwaysEnabled", "externalAudience": "all", **dict.fromkeys(_WORDS, words)})
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        now = await self._read(ctx)
        if now is None:
            return Done(_NO_MAILBOX)
        if not _says(now, _message(ctx)):
            return Waiting(look_again_in(ctx, intent.at), "the mailbox does not show the reply yet")
        return Done("the reply is on, for everybody who writes")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        was = item.before.get(_SETTING)
        kept = ("status", "externalAudience", *_WORDS, "scheduledStartDateTime", "scheduledEndDateTime")
        old = {name: value for name, value in was.items() if name in kept} if isinstance(was, dict) else {}
        await self._write(ctx, old or {"status": "disabled"})
        now = await self._read(ctx)
        if now is not None and now.get("status") != old.get("status", "disabled"):
            return Waiting(2, "the mailbox does not show the old reply yet")
        return Done("the automatic reply is as it was")

    async def _read(self, ctx: Ctx) -> Json | None:
        # 404 MailboxNotEnabledForRESTAPI: inactive, deleted, on premises, or never there.
        found = await ctx.api.find(ctx.api.user(ctx.account.id).mailbox_settings.to_get_request_information())
        if found is None:
            return None
        setting = found.get(_SETTING)
        return setting if isinstance(setting, dict) else {}

    async def _write(self, ctx: Ctx, setting: Json) -> None:
        where = ctx.api.user(ctx.account.id).mailbox_settings
        await ctx.api.send("PATCH", where, self.permissions, {_SETTING: setting})


def _message(ctx: Ctx) -> str:
    """The reply as HTML; what people typed stays inert."""
    answer, known = ctx.choices["mailbox.reply"], ctx.facts.belongings
    name = ctx.facts.display_name or ctx.account.name
    lines = standard_reply(name, known.organisation, known.manager) if answer == STANDARD else answer.splitlines()
    return "<br>".join(html.escape(line) for line in lines)


def _says(setting: Json, words: str) -> bool:
    """Whether the reply is on for everybody and carries our words; Exchange wraps them in HTML of its own."""
    on = setting.get("status") == "alwaysEnabled" and setting.get("externalAudience") == "all"
    return on and all(_plain(words) in _plain(str(setting.get(name) or "")) for name in _WORDS)


def _plain(markup: str) -> str:
    text = markup.replace("<br>", "\n").replace("<br/>", "\n").replace("<br />", "\n")
    return " ".join(html.unescape(text).split())
