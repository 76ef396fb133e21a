"""Draws what can be said about an approved lock-out whose cut-off is still to come: go, another time, they stay."""

from __future__ import annotations

from collections.abc import Iterable

from handlers import cut_off, messages
from handlers.cancel import acted
from handlers.conversation import Button, Section, Style, quiet, strong, text
from handlers.pen import Pen
from handlers.questions import WHEN


def go_section(pen: Pen) -> Iterable[Section]:
    """Go, or the question whether it was meant."""
    plan = cut_off.held(pen.session, pen.case)
    if plan is None or pen.case.closed:
        return
    digest, name = {plan.id: plan.digest}, pen.case.leaver_name
    by = cut_off.going(pen.house, pen.case)
    if by:
        who = pen.house.roster.name_of(by)
        yield Section(
            heading="Go?",
            body=(text(f"{who} pressed Go. Really end ", strong(f"{name}'s"), " access now?"),),
            buttons=(
                # Not where Go was: a double click must not be both presses.
                pen.button("Not yet", "not yet", **digest),
                pen.button(f"Yes, end {name}'s access now", "go really", Style.DANGER, **digest),
            ),
        )
        return
    at = cut_off.time_of(pen.session, pen.case)
    waits = f"It ends by itself on {messages.moment(pen.house, pen.case, at)}." if at else "Nothing ends by itself."
    yield Section(
        heading="When access ends",
        body=(text(f"{waits} Go is asked twice."),),
        buttons=(pen.button(f"Go: end {name}'s access", "go", Style.DANGER, **digest),),
    )


def requester_buttons(pen: Pen) -> Iterable[Button]:
    """What whoever asked may do once it is submitted: another time, call it off, or say that it is the wrong person."""
    if cut_off.ended_nothing(pen.session, pen.case):
        if cut_off.changeable(pen.session, pen.case):
            yield pen.button("Change when access ends", "decide", question=WHEN)
        if acted(pen.session, pen.case):
            yield pen.button("They stay: call it off", "say wrong person", Style.DANGER)
        else:
            yield pen.button("Cancel the case", "cancel")
    else:
        yield pen.button("This is the wrong person", "say wrong person", Style.DANGER)


def technicians_way_back(pen: Pen) -> Section:
    """Stop, and put back what was changed."""
    if cut_off.ended_nothing(pen.session, pen.case):
        return Section(
            body=(text(quiet("They stay? One press stops the case and puts back what was done ahead.")),),
            buttons=(pen.button("They stay, put everything back", "wrong person", Style.DANGER),),
        )
    return Section(
        body=(text(quiet("Wrong person? One press stops the case and restores sign-in.")),),
        buttons=(pen.button("Wrong person, restore access", "wrong person", Style.DANGER),),
    )
