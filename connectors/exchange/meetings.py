"""Coming meetings that the leaver organises: listed, handed over by a person, or cancelled."""

from __future__ import annotations

from connectors.contract import Json
from connectors.exchange.client import ExchangeApi, Output, text
from connectors.exchange.mailboxes import Mailbox

WINDOW_DAYS = 1825
"""How far ahead is looked: the most that Remove-CalendarEvents takes."""


async def read_meetings(api: ExchangeApi, mailbox: Mailbox) -> tuple[str, ...]:
    """What cancelling would cancel, one line each, in Exchange's own words. Changes nothing."""
    return _lines(await _remove_calendar_events(api, mailbox, preview=True))


async def cancel_meetings(api: ExchangeApi, mailbox: Mailbox) -> None:
    """Cancel every coming meeting they organise, whole series included; everybody invited gets a message."""
    await _remove_calendar_events(api, mailbox, preview=False)


async def _remove_calendar_events(api: ExchangeApi, mailbox: Mailbox, *, preview: bool) -> Output:
    more: Json = {"PreviewOnly": True} if preview else {"Confirm": False}
    return await api.output(
        "Remove-CalendarEvents",
        anchor=mailbox.user_name,
        Identity=mailbox.id,
        CancelOrganizedMeetings=True,
        QueryWindowInDays=WINDOW_DAYS,
        **more,
    )


def _lines(output: Output) -> tuple[str, ...]:
    described = [
        " – ".join(part for part in (text(one, "StartTime"), text(one, "Subject")) if part) for one in output.values
    ]
    return tuple(dict.fromkeys(line for line in (*described, *output.lines) if line))
