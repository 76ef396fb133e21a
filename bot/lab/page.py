"""The demo's page: Slack and Teams on the left, the client's systems on the right, what to do next above both."""

from __future__ import annotations

from pathlib import Path

from nicegui import ui

from bot.lab import sample_clients
from bot.lab.demo_bot import BotControl, BotState
from bot.lab.demo_stage import Deed, Stage
from bot.lab.demo_teams import TeamsStage
from bot.lab.demo_tenants import Tenants
from bot.lab.page_client import ClientPane
from bot.lab.page_sides import Sides
from bot.lab.sample_clients import Character

TICK = 0.2
"""Seconds between two looks at what changed."""
CSS = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
STEPS = (
    ("Type /offboard Jane Doe", "as Maria, and press Enter"),
    ("Answer with the buttons", "or accept all recommended; Submit"),
    ("Be Sam, then Bill", "approve all; approve the bill"),
    ("Watch her access end", "and the bill shrink"),
    ("Ask /offboard-status Jane", "as Maria again"),
)
CHIPS: dict[str, tuple[tuple[str, str], ...]] = {
    sample_clients.MARIA.user: (
        ("two Jane Does", "/offboard Jane Doe"),
        ("owns four teams alone", "/offboard Olivia Owner"),
        ("60 GB on hold", "/offboard Helga Hold"),
        ("manages twelve", "/offboard Wanda Shift"),
        ("no mailbox", "/offboard Walter Worker 1"),
        ("helpdesk admin", "/offboard Hal Desk"),
        ("last Global Admin", "/offboard Ada Root"),
        ("service account", "/offboard svc-scanner"),
        ("meeting room", "/offboard Boardroom"),
        ("deleted last week", "/offboard Dieter Left"),
        ("already disabled", "/offboard Dana Gone"),
        ("guest", "/offboard Ken Guest"),
        ("synced, no domain here", "/offboard Sam Synced"),
        ("Maria herself", "/offboard Maria Lopez"),
        ("status", "/offboard-status Jane"),
    ),
    sample_clients.FINN.user: (
        ("Jane, who has a domain account", "/offboard Jane Doe"),
        ("another company's case", "/offboard-status 1"),
        ("status", "/offboard-status Jane"),
    ),
    sample_clients.OSKAR.user: (("as an outsider", "/offboard Jane Doe"), ("peek at a case", "/offboard-status Jane")),
    sample_clients.SAM.user: (("for a client who phoned", "/offboard Zoe Muller"), ("all cases", "/offboard-status")),
    sample_clients.BILL.user: (("all cases", "/offboard-status"),),
    sample_clients.ADA.user: (("would it work?", "/offboard-doctor"), ("all cases", "/offboard-status")),
    sample_clients.PRIYA.user: (("all cases", "/offboard-status"),),
}


def steps_done(stage: Stage, tenants: Tenants) -> list[bool]:
    """Which of the five steps a visitor has taken, from what they did and what came of it."""
    deeds = stage.deeds
    asked = any(_typed(deed).startswith("offboard ") for deed in deeds)
    submitted = any(deed.pressed == "Submit" or deed.pressed.startswith("Lock out ") for deed in deeds)
    approved = any(
        deed.pressed.startswith("Approve") and deed.user in {one.user for one in sample_clients.APPROVERS}
        for deed in deeds
    )
    billed = not stage.bills() or any(deed.user == sample_clients.BILL.user and deed.pressed for deed in deeds)
    ended = tenants.ended()
    after = [deed for deed in deeds if _typed(deed).startswith(("offboard-status", "status"))]
    return [asked, submitted, approved and billed, ended, ended and bool(after)]


def _typed(deed: Deed) -> str:
    """The command as Slack and Teams have it alike: in Teams there is no slash, and letters may be of any size."""
    return deed.command.removeprefix("/").lower()


def build(stage: Stage, teams: TeamsStage, tenants: Tenants, bot: BotControl) -> None:
    """Define the page at '/'; each visitor gets panes of their own on the same stages."""

    @ui.page("/", title="offboard – demo")
    def index() -> None:  # pyright: ignore[reportUnusedFunction] - NiceGUI calls it
        ui.add_css(CSS)
        ui.query(".nicegui-content").classes("page")
        with ui.element("header").classes("top"):
            with ui.element("div").classes("brand"):
                ui.label("offboard").classes("brand-name")
                ui.label("All simulated, on this machine.").classes("brand-note")
            steps = ui.element("ol").classes("steps")
            bot_box = ui.element("div").classes("bot")
        with ui.element("main").classes("panes"):
            left = Sides(stage, teams, _chips)
            client = ClientPane(tenants, bot)
        drawn: dict[str, object] = {}

        def refresh() -> None:
            tenants.let_time_pass()
            left.refresh()
            if drawn.get("character") != left.character:
                drawn["character"] = left.character
                client.follow(left.character)
            client.refresh()
            done = steps_done(stage, tenants)
            if drawn.get("steps") != done:
                drawn["steps"] = done
                _draw_steps(steps, done)
            state = bot.state()
            if drawn.get("bot") != state:
                drawn["bot"] = state
                _draw_bot(bot_box, bot, state)

        refresh()
        ui.timer(TICK, refresh)


def _chips(character: Character) -> tuple[tuple[str, str], ...]:
    return CHIPS[character.user]


def _draw_steps(steps: ui.element, done: list[bool]) -> None:
    steps.clear()
    now = done.index(False) if False in done else -1
    with steps:
        for at, ((what, how), is_done) in enumerate(zip(STEPS, done, strict=True)):
            with ui.element("li").classes("step" + (" done" if is_done else "") + (" now" if at == now else "")):
                if is_done:
                    ui.icon("check").classes("step-number")
                else:
                    ui.label(str(at + 1)).classes("step-number")
                with ui.element("div"):
                    ui.label(what).classes("step-what")
                    ui.label(how).classes("step-how")


def _draw_bot(box: ui.element, bot: BotControl, state: BotState) -> None:
    box.clear()
    words = {BotState.RUNNING: "bot is running", BotState.STARTING: "bot is starting", BotState.DOWN: "bot is down"}
    with box:
        with ui.element("div").classes(f"bot-state bot-{state}"):
            ui.element("span").classes("bot-light")
            ui.label(words[state])
        if bot.kill is not None:
            button = ui.button("Kill the bot", on_click=bot.kill, color=None).props("no-caps unelevated dense")
            button.classes("bot-kill").tooltip("SIGKILL, at any moment. It comes back in two seconds and goes on.")
            button.set_enabled(state is BotState.RUNNING)
