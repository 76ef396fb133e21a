"""The right of the demo page: a client's Microsoft 365 as it is this second, what it was asked, and faults to try."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from nicegui import ui

from bot.lab.demo_tenants import Activity, Fault, Tenants
from connectors.microsoft365.simulated_people import Person, SignInMethod

FRESH = timedelta(seconds=20)
"""How long a change is highlighted strongly."""
METHODS = {
    "phoneAuthenticationMethod": ("smartphone", "Phone"),
    "microsoftAuthenticatorAuthenticationMethod": ("verified_user", "Authenticator app"),
    "fido2AuthenticationMethod": ("key", "Security key"),
    "emailAuthenticationMethod": ("mail", "E-mail"),
    "softwareOathAuthenticationMethod": ("pin", "One-time codes"),
    "windowsHelloForBusinessAuthenticationMethod": ("laptop_windows", "Windows Hello"),
    "temporaryAccessPassAuthenticationMethod": ("vpn_key", "Temporary Access Pass"),
}
FAULTS: dict[Fault, tuple[str, str]] = {
    Fault.THROTTLE: ("Throttle", "Microsoft answers 429: come back in two seconds"),
    Fault.LAG: ("Lag", "What was changed is seen only ten seconds later"),
    Fault.FAIL: ("Fail", "Microsoft answers 500"),
    Fault.DOWN: ("Down", "Nobody answers at all"),
}


class MicrosoftPane:
    """One visitor's window on the simulated tenants. `refresh` redraws what changed."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants
        self._tenant = tenants.ids[0]
        self._person = tenants.people(self._tenant)[0].id
        self._followed: tuple[str, str] | None = None
        self._signatures: dict[str, object] = {}
        with ui.element("div").classes("ms"):
            with ui.element("div").classes("ms-title"):
                ui.icon("window").classes("ms-logo")
                self._title = ui.label().classes("ms-title-words")
                ui.label("live").classes("ms-live")
            with ui.element("div").classes("ms-pick"):
                self._tenant_choice = ui.select(
                    {one: tenants.name(one) for one in tenants.ids},
                    value=self._tenant,
                    on_change=lambda event: self._show(str(event.value), tenants.people(str(event.value))[0].id),
                ).props("outlined dense options-dense aria-label='Tenant'")
                self._person_choice = ui.select(
                    self._names(),
                    value=self._person,
                    on_change=lambda event: event.value and self._show(self._tenant, str(event.value)),
                ).props("outlined dense options-dense aria-label='Person'")
            self._state = ui.element("div").classes("ms-card")
            ui.label("What Microsoft was asked, newest first").classes("ms-label")
            self._activity = ui.element("div").classes("ms-activity")
            ui.label("Make it hard").classes("ms-label")
            self._faults = ui.element("div").classes("ms-faults")
        self.refresh()

    def refresh(self) -> None:
        """Draw what changed; follow the newest case."""
        newest = self._tenants.newest()
        if newest is not None and newest != self._followed:
            self._followed = newest
            self._show(*newest)
        self._refresh_state()
        self._refresh_activity()
        self._refresh_faults()

    def _show(self, tenant: str, person: str) -> None:
        moved = tenant != self._tenant
        self._tenant, self._person = tenant, person
        if moved:
            self._tenant_choice.set_value(tenant)
            self._person_choice.set_options(self._names(), value=person)
        self._person_choice.set_value(person)
        self._refresh_state()
        self._refresh_activity()
        self._refresh_faults()

    def _names(self) -> dict[str, str]:
        return {one.id: f"{one.name} · {one.title or 'no title'}" for one in self._tenants.people(self._tenant)}

    # --- the person -----------------------------------------------------------------------------

    def _refresh_state(self) -> None:
        tenants, now = self._tenants, datetime.now(UTC)
        person = tenants.person(self._tenant, self._person)
        changes = tenants.changes(self._tenant, self._person)
        fresh = {what for what, at in changes.items() if now - at < FRESH}
        before = tenants.at_start(self._person)
        signature = (
            person.id,
            person.enabled,
            person.password_changed,
            person.sessions_valid_from,
            tuple(one.id for one in person.methods),
            tuple(sorted(fresh)),
        )
        if self._signatures.get("state") == signature:
            return
        self._signatures["state"] = signature
        self._title.set_text(f"{tenants.name(self._tenant)}'s Microsoft 365")
        self._state.clear()
        with self._state:
            self._who(person)
            since = changes.get("sign-in")
            self._row(
                "Sign-in",
                "Allowed" if person.enabled else "Blocked",
                f"since {since.astimezone():%H:%M:%S}" if since else "",
                fresh="sign-in" in fresh,
                good=not person.enabled,
            )
            for what, title, now_at, then_at in (
                ("password", "Password changed", person.password_changed, before.password_changed),
                ("sessions", "Sessions valid from", person.sessions_valid_from, before.sessions_valid_from),
            ):
                was = f"was {_when(then_at)}" if what in changes else ""
                self._row(title, _when(now_at), was, fresh=what in fresh)
            gone = [one for one in before.methods if one.id not in {kept.id for kept in person.methods}]
            ended = changes.get("methods")
            note = f"{len(gone)} removed {ended.astimezone():%H:%M:%S}" if gone and ended else ""
            count = f"{len(person.methods)} registered" if person.methods else "none left" if gone else "none"
            self._row("Sign-in methods", count, note, fresh="methods" in fresh)
            if person.methods or gone:
                with ui.element("div").classes("ms-methods" + (" fresh" if "methods" in fresh else "")):
                    for method in person.methods:
                        _method(method)
                    for method in gone:
                        _method(method, gone=True)

    def _who(self, person: Person) -> None:
        with ui.element("div").classes("ms-who"):
            with ui.element("div"):
                ui.label(person.name).classes("ms-name")
                ui.label(f"{person.title or '–'} · {person.mail or person.user_name}").classes("ms-mail")
            ui.element("div").classes("ms-space")
            for is_so, word in ((person.guest, "guest"), (person.synced, "synced"), (bool(person.roles), "admin")):
                if is_so:
                    ui.label(word).classes("ms-tag")
            ui.label("can sign in" if person.enabled else "blocked").classes(
                "ms-badge " + ("ms-badge-open" if person.enabled else "ms-badge-shut")
            )

    def _row(self, key: str, value: str, note: str, *, fresh: bool, good: bool = False) -> None:
        with ui.element("div").classes("ms-row" + (" changed" if note else "") + (" fresh" if fresh else "")):
            ui.label(key).classes("ms-key")
            ui.label(value).classes("ms-value" + (" good" if good else ""))
            if note:
                ui.label(note).classes("ms-changed")

    # --- what was asked -------------------------------------------------------------------------

    def _refresh_activity(self) -> None:
        lines = self._tenants.activity(self._tenant)
        signature = (self._tenant, len(lines), lines[0] if lines else None)
        if self._signatures.get("activity") == signature:
            return
        self._signatures["activity"] = signature
        self._activity.clear()
        with self._activity:
            if not lines:
                ui.label("Nothing yet.").classes("ms-nothing")
            for line in lines:
                self._activity_line(line)

    def _activity_line(self, line: Activity) -> None:
        with ui.element("div").classes(f"ms-line ms-line-{line.kind}"):
            ui.label(f"{line.at.astimezone():%H:%M:%S}").classes("ms-line-time")
            ui.label(line.method).classes("ms-line-method")
            ui.label(line.words).classes("ms-line-words").tooltip(line.path)
            if line.status:
                ui.label(str(line.status)).classes("ms-line-status")

    # --- faults ---------------------------------------------------------------------------------

    def _refresh_faults(self) -> None:
        on = self._tenants.faults(self._tenant)
        if self._signatures.get("faults") == (self._tenant, on):
            return
        self._signatures["faults"] = (self._tenant, on)
        self._faults.clear()
        with self._faults:
            for fault, (label, what) in FAULTS.items():
                chosen = ui.button(label, on_click=partial(self._toggle, fault), color=None)
                chosen.props("no-caps unelevated dense").classes("ms-fault" + (" on" if fault in on else ""))
                chosen.props["aria-pressed"] = "true" if fault in on else "false"
                chosen.tooltip(what)

    def _toggle(self, fault: Fault) -> None:
        self._tenants.set_fault(self._tenant, fault, on=fault not in self._tenants.faults(self._tenant))
        self._refresh_faults()


def _method(method: SignInMethod, *, gone: bool = False) -> None:
    icon, words = METHODS.get(method.kind, ("lock", method.kind.removesuffix("AuthenticationMethod")))
    detail = {"mobile": "", "alternateMobile": "alternate"}.get(method.detail, method.detail)
    with ui.element("div").classes("ms-method" + (" gone" if gone else "")):
        ui.icon(icon)
        ui.label(f"{words} ({detail})" if detail else words).classes("ms-method-words")


def _when(at: datetime | None) -> str:
    if at is None:
        return "never"
    local = at.astimezone()
    return f"{local:%H:%M:%S}" if local.date() == datetime.now().astimezone().date() else f"{local:%d %b %Y}"
