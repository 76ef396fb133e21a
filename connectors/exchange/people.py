"""Whom the mailbox is given to, and what they may do in it."""

from __future__ import annotations

import re

from connectors.contract import LATER, Choices, Json, Task
from connectors.exchange.addresses import Recipient, read_recipient
from connectors.exchange.client import flag, text, texts
from connectors.exchange.facts import Ctx
from connectors.exchange.mailboxes import Mailbox

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def person_chosen(choices: Choices, question: str, leaver: str) -> str:
    """The object id of the person answered; '' when nobody, nothing, later, or the leaver themselves."""
    answer = choices.get(question, "")
    return answer if _GUID.fullmatch(answer) and answer.casefold() != leaver.casefold() else ""


def named(choices: Choices, question: str) -> str:
    """The person answered, as people write them."""
    name, mail = choices.get(f"{question}.name", ""), choices.get(f"{question}.mail", "")
    if name and mail:
        return f"{name} ({mail})"
    answer = choices.get(question, "")
    return name or mail or ("" if answer == LATER else answer)


async def recipient_chosen(ctx: Ctx, question: str) -> Recipient | Task:
    """That person as Exchange knows them, or a task where Exchange knows no such person of this client."""
    person = person_chosen(ctx.choices, question, ctx.account.id)
    recipient = await read_recipient(ctx.api, person) if person else None
    if recipient is not None and recipient.id.casefold() == person.casefold():
        return recipient
    who = named(ctx.choices, question) or "The person named"
    return Task(
        reason=f"{who} is not the leaver and must have a mailbox of this client, and Exchange shows none",
        instructions=f"Give {who} an Exchange licence, or change the answer to somebody with a mailbox, then retry.",
    )


async def may_open(ctx: Ctx, mailbox: Mailbox, person: str) -> bool:
    """Whether that person has full access to the mailbox."""
    recipient = await read_recipient(ctx.api, person)
    return recipient is not None and await has_full_access(ctx, mailbox, recipient)


async def has_full_access(ctx: Ctx, mailbox: Mailbox, recipient: Recipient) -> bool:
    """Read from the mailbox's own list; a denial beats every grant."""
    found = await ctx.api.invoke("Get-MailboxPermission", anchor=mailbox.user_name, Identity=mailbox.id)
    theirs = [one for one in found if _is(one, "User", recipient) and "FullAccess" in texts(one, "AccessRights")]
    return bool(theirs) and not any(flag(one, "Deny") for one in theirs)


async def may_send_as(ctx: Ctx, mailbox: Mailbox, recipient: Recipient) -> bool:
    """Whether that person may send as the mailbox."""
    found = await ctx.api.invoke("Get-RecipientPermission", anchor=mailbox.user_name, Identity=mailbox.id)
    theirs = [one for one in found if _is(one, "Trustee", recipient) and "SendAs" in texts(one, "AccessRights")]
    return bool(theirs) and not any(text(one, "AccessControlType") == "Deny" for one in theirs)


def _is(record: Json, name: str, recipient: Recipient) -> bool:
    return text(record, name).casefold() in recipient.names
