"""The right of the demo page: a person in all of a client's systems this second, what was asked, faults to try."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby

from nicegui import ui
from nicegui.element import Element

from bot.lab import demo_paperwork
from bot.lab.demo_activity import DESK, DOMAIN, EXCHANGE, GRAPH, SEATS, Activity
from bot.lab.demo_bot import BotControl, BotState
from bot.lab.demo_tenants import Fault, Line, Tenants
from bot.lab.sample_clients import BILL, Character
from connectors.microsoft365.simulated_people import Person

FRESH = timedelta(seconds=20)
"""How long a change is highlighted strongly."""
FAULTS: dict[Fault, tuple[str, str]] = {
    Fault.THROTTLE: ("Throttle", "Everybody answers 429: come back in two seconds; the domain is busy"),
    Fault.LAG: ("Lag", "What was changed is seen only ten seconds later"),
    Fault.FAIL: ("Fail", "Everybody answers 500, the domain an error"),
    Fault.DOWN: ("Down", "Nobody answers at all"),
}
ICONS = {
    "Account": "person",
    "Mailbox": "mail",
    "Belongings": "folder",
    demo_paperwork.BILL: "receipt_long",
    demo_paperwork.DESK: "support_agent",
}
_PAPER = (demo_paperwork.BILL, demo_paperwork.DESK)
SYSTEMS = {
    GRAPH: "Microsoft Graph",
    EXCHANGE: "Exchange Online",
    DOMAIN: "Domain controller, LDAP",
    SEATS: "Pax8",
    DESK: "ConnectWise PSA",
}


class ClientPane:
    """One visitor's window on the stand-ins. `refresh` redraws what changed."""

    def __init__(self, tenants: Tenants, bot: BotControl) -> None:
        self._tenants, self._bot = tenants, bot
        self._tenant = tenants.ids[0]
        self._person = tenants.people(self._tenant)[0].id
        self._showing = False
        self._first: tuple[str, ...] = ()
        self._home = ""
        """The client whose person the visitor is; '' for one of the provider's."""
        self._followed: tuple[str, str] | None = None
        self._signatures: dict[str, object] = {}
        self._listed: list[Activity] = []
        with ui.element("div").classes("client"):
            with ui.element("div").classes("client-pick"):
                self._tenant_choice = ui.select(
                    {one: tenants.name(one) for one in tenants.ids},
                    value=self._tenant,
                    on_change=lambda event: self._chosen(str(event.value), tenants.people(str(event.value))[0].id),
                ).props("outlined dense options-dense aria-label='Whose systems'")
                self._person_choice = ui.select(
                    self._names(),
                    value=self._person,
                    on_change=lambda event: event.value and self._chosen(self._tenant, str(event.value)),
                ).props("outlined dense options-dense aria-label='Person'")
                self._mode = ui.label()
            self._who = ui.element("div").classes("client-who")
            self._state = ui.element("div").classes("client-card")
            with ui.element("div").classes("client-hard"):
                ui.label("What was changed, newest first").classes("client-label")
                # Nine requests of ten only read: among them, nobody would find what was done.
                self._reads = ui.checkbox("and what was read").props("dense size=xs").classes("client-reads")
            self._activity = ui.element("div").classes("client-activity")
            with ui.element("div").classes("client-hard"):
                ui.label("Make it hard").classes("client-label")
                self._faults = ui.element("div").classes("client-faults")
        self.refresh()

    def refresh(self) -> None:
        """Draw what changed; follow the newest case, but no other company's while the visitor is at one."""
        newest = self._tenants.newest()
        if newest is not None and newest != self._followed and self._home in {"", newest[0]}:
            self._followed = newest
            self._show(*newest)
        self._refresh_state()
        self._refresh_activity()
        self._refresh_faults()

    def follow(self, character: Character) -> None:
        """Show the client whose person the visitor is, unless it is shown already; to Bill his part comes first."""
        self._first = _PAPER if character is BILL else ()
        self._home = self._tenants.of_workspace(character.team)
        if self._home and self._home != self._tenant:
            self._show(self._home, self._tenants.people(self._home)[0].id)

    def _chosen(self, tenant: str, person: str) -> None:
        # What we set ourselves is told as a choice, too.
        if not self._showing:
            self._show(tenant, person)

    def _show(self, tenant: str, person: str) -> None:
        moved = tenant != self._tenant
        self._tenant, self._person = tenant, person
        self._showing = True
        if moved:
            self._tenant_choice.set_value(tenant)
            self._person_choice.set_options(self._names(), value=person)
        self._person_choice.set_value(person)
        self._showing = False
        self._refresh_state()
        self._refresh_activity()
        self._refresh_faults()

    def _names(self) -> dict[str, str]:
        return {one.id: f"{one.name} · {one.title or 'no title'}" for one in self._tenants.people(self._tenant)}

    # --- the person -----------------------------------------------------------------------------

    def _refresh_state(self) -> None:
        now = datetime.now(UTC)
        person = self._tenants.person(self._tenant, self._person)
        lines = self._tenants.lines(self._tenant, self._person)
        fresh = {line.trait.name for line in lines if line.at and now - line.at < FRESH}
        # What Bill came for would be below the edge for him.
        lines.sort(key=lambda line: line.trait.area not in self._first)
        signature = (person.id, person.enabled, lines, fresh)
        if self._signatures.get("state") == signature:
            return
        self._signatures["state"] = signature
        self._who.clear()
        with self._who:
            _who(person)
        self._state.clear()
        with self._state:
            for area, theirs in groupby(lines, lambda line: line.trait.area):
                with ui.element("section").classes("client-area"):
                    with ui.element("div").classes("client-area-name"):
                        ui.icon(ICONS.get(area, "dns"))
                        ui.label(area)
                    for line in theirs:
                        _row(line, fresh=line.trait.name in fresh)

    # --- what was asked -------------------------------------------------------------------------

    def _refresh_activity(self) -> None:
        reads = bool(self._reads.value)
        lines = self._tenants.activity(self._tenant, reads=reads)
        if self._signatures.get("activity") != (self._tenant, reads):
            self._signatures["activity"] = self._tenant, reads
            self._activity.clear()
            self._listed.clear()
        newest = self._listed[0] if self._listed else None
        new = lines[: lines.index(newest)] if newest in lines else lines
        with self._activity:
            for line in reversed(new):
                _activity(line).move(target_index=0)
        self._listed = lines
        for row in list(self._activity)[len(lines) :]:
            row.delete()

    # --- faults ---------------------------------------------------------------------------------

    def _refresh_faults(self) -> None:
        on, dry = self._tenants.faults(self._tenant), self._tenant in self._bot.rehearsing()
        signature = (self._tenant, on, dry, self._bot.state())
        if self._signatures.get("faults") == signature:
            return
        self._signatures["faults"] = signature
        self._mode.set_text("dry run" if dry else "live")
        self._mode.classes(replace="client-rehearsed" if dry else "client-live")
        self._faults.clear()
        with self._faults:
            for fault, (label, what) in FAULTS.items():
                chosen = ui.button(label, on_click=partial(self._toggle, fault), color=None)
                chosen.props("no-caps unelevated dense").classes("client-fault" + (" on" if fault in on else ""))
                chosen.props["aria-pressed"] = "true" if fault in on else "false"
                chosen.tooltip(what)
            if self._bot.rehearse is not None:
                rehearsal = ui.button(
                    "Dry run", on_click=partial(self._bot.rehearse, self._tenant, not dry), color=None
                )
                rehearsal.props("no-caps unelevated dense").classes("client-fault client-dry" + (" on" if dry else ""))
                rehearsal.props["aria-pressed"] = "true" if dry else "false"
                rehearsal.tooltip("From the next case on nothing is changed at this client. The bot starts anew for it")
                rehearsal.set_enabled(self._bot.state() is BotState.RUNNING)

    def _toggle(self, fault: Fault) -> None:
        self._tenants.set_fault(self._tenant, fault, on=fault not in self._tenants.faults(self._tenant))
        self._refresh_faults()


def _who(person: Person) -> None:
    with ui.element("div").classes("client-words"):
        ui.label(person.name).classes("client-name")
        ui.label(f"{person.title or '–'} · {person.mail or person.user_name}").classes("client-mail")
    for is_so, word in ((person.guest, "guest"), (person.synced, "synced"), (bool(person.roles), "admin")):
        if is_so:
            ui.label(word).classes("client-tag")
    ui.label("can sign in" if person.enabled else "blocked").classes(
        "client-badge " + ("client-badge-open" if person.enabled else "client-badge-shut")
    )


def _row(line: Line, *, fresh: bool) -> None:
    # Also when it is as it was again: a sync that turns an account on must not look like nothing happened.
    changed = bool(line.new or line.gone or line.at)
    with ui.element("div").classes("client-row" + (" changed" if changed else "") + (" fresh" if fresh else "")):
        ui.label(line.trait.name).classes("client-key")
        with ui.element("div").classes("client-values"):
            for value in line.trait.values:
                ui.label(value).classes("client-value" + (" new" if value in line.new else ""))
            for value in line.gone:
                ui.label(value).classes("client-value gone")
        if line.at:
            ui.label(f"{line.at.astimezone():%H:%M:%S}").classes("client-changed")


def _activity(line: Activity) -> Element:
    with ui.element("div").classes(f"client-line client-line-{line.kind}") as row:
        ui.label(f"{line.at.astimezone():%H:%M:%S}").classes("client-line-time")
        ui.element("span").classes(f"client-line-system client-line-{line.system}").tooltip(SYSTEMS[line.system])
        ui.label(line.verb).classes("client-line-verb")
        ui.label(line.words).classes("client-line-words").tooltip(line.whole)
        if line.result:
            ui.label(line.result).classes("client-line-status")
    return row
