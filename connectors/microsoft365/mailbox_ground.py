"""Whether the mailbox can do without a licence by now: asked again right before one is taken away."""

from __future__ import annotations

from connectors.contract import LATER, Choices, Json, Refused
from connectors.microsoft365.guards import Ctx

MOST_UNLICENSED = 50 * 1000**3
"""Bytes a shared mailbox may hold without a licence: 50 GB (Exchange Online limits, read 2026-11), counted small."""


async def why_mailbox_needs_licence(ctx: Ctx) -> str:
    """Why the licence that carries the mailbox must stay for now, as a sentence; '' when it may go.

    Exchange is asked afresh. Where it is not connected, only a person without any cloud mailbox passes.
    """
    try:
        mailbox = await ctx.read("exchange.mailbox")
    except (LookupError, Refused) as unconnected:
        found = await ctx.api.find(ctx.api.user(ctx.account.id).mailbox_settings.to_get_request_information())
        if found is None:
            return ""
        return f"Exchange could not be asked what became of the mailbox ({_told(unconnected)})"
    if mailbox.get("exists") is False:
        return ""
    answer = ctx.choices.get("mailbox", LATER)
    if answer == "delete":
        return "the mailbox is to be deleted, and is still there: it goes first, by its own step"
    if keeps_licence(ctx.choices):
        return "the shared mailbox keeps its licence, as decided"
    if answer not in ("shared", "keep"):
        return "nobody has decided yet what becomes of the mailbox"
    return _why_kept(mailbox)


def keeps_licence(choices: Choices) -> bool:
    """Whether it was decided that the mailbox becomes shared and its licence stays, because it needs one."""
    return choices.get("mailbox") == "shared licensed"


def _why_kept(mailbox: Json) -> str:
    kind, size = str(mailbox.get("type") or "unknown"), mailbox.get("size_bytes")
    if not kind.casefold().startswith("shared"):
        return (
            f"the mailbox is to be kept and is not shared (it reads as {kind}): without a licence it is lost in 30 days"
        )
    if not isinstance(size, int):
        return "the size of the shared mailbox is not known, and above 50 GB it needs a licence"
    if size > MOST_UNLICENSED:
        return f"the shared mailbox holds {size / 1000**3:.0f} GB; above 50 GB it needs Exchange Online Plan 2"
    if mailbox.get("archive"):
        return "the shared mailbox has an archive, which needs Exchange Online Plan 2"
    if mailbox.get("hold"):
        return "the shared mailbox is on hold, which needs Exchange Online Plan 2"
    return ""


def _told(error: Exception) -> str:
    return error.message if isinstance(error, Refused) else "it is not connected"
