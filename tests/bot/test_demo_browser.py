"""The demo as a visitor has it: `offboard demo` and a real browser. Skipped where there is no Chromium.

UPDATE_PICTURE=1 takes the README's picture anew on the way.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from bot.settings import load
from connectors.microsoft365.simulated_people import JANE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 20_000
"""Milliseconds for what takes two seconds on a machine with nothing else to do."""
WIDE = 1440, 900
ROOT = Path(__file__).parent.parent.parent

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: run `make browser` to try the demo in a browser"),
]


@dataclass
class Visitor:
    """Somebody with the demo's page open."""

    page: Page
    folder: Path
    shots: Path
    requested: list[str] = field(default_factory=list[str])
    complaints: list[str] = field(default_factory=list[str])

    def shows(self, platform: str) -> None:
        """Switch the left to Slack or Teams."""
        self.page.get_by_role("button", name=f"Show {platform}").click()
        expect(self.page.locator(f".{platform.lower()}")).to_be_visible()

    def person(self, name: str) -> Locator:
        """Their row, on the platform that is open."""
        return self.page.get_by_role("button", name=f"Be {name}")

    def be(self, name: str) -> None:
        self.person(name).click()

    def types(self, line: str) -> None:
        box = self.page.get_by_role("textbox", name=re.compile("^(Message|Write in Teams)$"))
        box.fill(line)
        box.press("Enter")

    def button(self, label: str | re.Pattern[str]) -> Locator:
        exact = isinstance(label, str)
        drawn = self.page.locator(".bk-button, .ac-button")
        return drawn.and_(self.page.get_by_role("button", name=label, exact=exact)).last

    def presses(self, label: str | re.Pattern[str]) -> None:
        self.button(label).click()

    def sees(self, words: str | re.Pattern[str]) -> None:
        expect(self.page.locator(".slack-messages:visible, .teams-messages:visible")).to_contain_text(words)

    def state(self, key: str) -> Locator:
        """The row of that name in the client's systems."""
        named = self.page.locator(".client-key").and_(self.page.get_by_text(key, exact=True))
        return self.page.locator(".client-row").filter(has=named)

    def has(self, key: str, *values: str) -> None:
        expect(self.state(key).locator(".client-value:not(.gone)")).to_have_text([*values])

    def lost(self, key: str, *values: str) -> None:
        expect(self.state(key).locator(".client-value.gone")).to_have_text([*values])

    def is_told_of(self, *systems: str) -> None:
        """The list of what was asked shows a change in each of them, and in no other."""
        for system in ("graph", "exchange", "domain", "pax8", "connectwise"):
            changes = self.page.locator(f".client-line-change .client-line-{system}")
            expect(changes.first).to_be_attached() if system in systems else expect(changes).to_have_count(0)

    def rehearses(self, *, on: bool) -> None:
        """Switch this client's dry runs, and wait for the bot that reads it."""
        switch = self.page.get_by_role("button", name="Dry run")
        switch.click()
        expect(switch).to_have_attribute("aria-pressed", "true" if on else "false")
        expect(switch).to_be_disabled()
        expect(switch).to_be_enabled()
        expect(self.page.locator(".client-pick")).to_contain_text("dry run" if on else "live")

    def looks(self, name: str) -> None:
        """Keep a picture of this moment, also as a small screen shows it."""
        self.page.mouse.move(0, 0)  # or a hint stays in the picture
        for size, width, height in (("small", 1280, 800), ("wide", *WIDE)):
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.screenshot(path=self.shots / f"{name}-{size}.png")


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """One demo and one browser for the whole story; the child processes end with it."""
    folder, shots = tmp_path_factory.mktemp("demo"), tmp_path_factory.mktemp("shots")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    demo = subprocess.Popen(
        [sys.executable, "-m", "bot", "demo", "--no-open", "--port", str(port), "--folder", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert demo.stdout is not None
    try:
        said = demo.stdout.readline()
        assert "The demo is ready" in said, said + demo.stdout.read()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
            page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
            page.set_default_timeout(PATIENCE)
            expect.set_options(timeout=PATIENCE)
            visitor = Visitor(page, folder, shots)
            page.on("request", lambda request: visitor.requested.append(request.url))
            page.on("websocket", lambda line: visitor.requested.append(line.url))
            page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
            page.goto(f"http://127.0.0.1:{port}/")
            yield visitor
            browser.close()
    finally:
        children = _children(demo.pid)
        demo.send_signal(signal.SIGINT)
        try:
            demo.wait(20)
        except subprocess.TimeoutExpired:
            demo.kill()
            raise
    with demo.stdout:
        assert demo.returncode == 0, demo.stdout.read()
    assert children, "the demo had no bot"
    assert not [child for child in children if Path(f"/proc/{child}").exists()], "the bot outlived the demo"


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_maria_offboards_jane_sam_approves_and_all_she_had_changes_hands_before_their_eyes(visitor: Visitor) -> None:
    page = visitor.page
    expect(page.locator(".client-badge")).to_have_text("can sign in")
    visitor.has("Groups", "Sales team (owner)", "Sales files")
    visitor.has("Power BI Pro", "20 bought", "20 in use", "20 invoiced", "may shrink any day")
    visitor.has("Managed users", "40 invoiced")
    visitor.has("Contact", "active", "portal open")
    expect(visitor.state("Domain account")).to_have_count(0)
    expect(visitor.state("Ticket")).to_have_count(0)
    visitor.looks("1-start")

    visitor.types("/offboard Jane Doe")
    visitor.sees("2 people fit Jane Doe")
    visitor.presses(re.compile("Head of Sales"))
    visitor.presses("Resigned")
    visitor.looks("2-interview")
    visitor.presses("No, on good terms")
    visitor.presses("Now")
    visitor.presses("Accept all recommended")
    visitor.sees("A technician sees exactly this")
    visitor.looks("3-review")
    visitor.presses("Submit")
    visitor.sees("Waits for a technician's approval")
    expect(visitor.person("Sam Lee")).to_contain_text("has something to approve")
    expect(visitor.person("Bill Penny")).to_contain_text("has a bill to approve")
    expect(page.locator(".client-badge")).to_have_text("can sign in")

    visitor.be("Sam Lee")
    visitor.looks("4-approve")
    visitor.presses("Approve all: lock out Jane Doe, and the rest")
    expect(page.locator(".client-badge")).to_have_text("blocked")
    visitor.has("Sign-in", "Blocked")
    visitor.lost("Sign-in", "Allowed")
    visitor.lost("Password", "set 01 Mar 2025")
    visitor.lost("Sessions", "from 01 Mar 2025")
    visitor.lost("Methods", "Phone", "Phone (alternate)", "Authenticator (Jane's phone)")
    visitor.sees(re.compile(r"Jane Doe is locked out since \d\d:\d\d"))
    visitor.lost("Forwarded to", "jane.private@freemail.example")
    visitor.has("Rules", "“Newsletters”")
    visitor.has("Opened by", "Maria Lopez", "Maria Lopez sends as")
    visitor.has("Ways in", "Outlook", "web", "EWS")
    visitor.has("Type", "Shared mailbox", "12 GB")
    visitor.has("OneDrive", "4.2 GB", "Maria Lopez may edit")
    visitor.lost("Groups", "Sales team (owner)", "Sales files")
    visitor.lost("Licences", "Microsoft 365 E3", "Power BI Pro")
    visitor.has("Devices", "JANE-LAPTOP (disabled)")
    visitor.has("Contact", "inactive", "portal shut")
    expect(visitor.state("Ticket")).to_contain_text("Offboarding Jane Doe, case 1")
    expect(visitor.state("Last note").locator(".client-value")).to_contain_text("Nothing goes on by itself any more.")
    visitor.is_told_of("graph", "exchange", "connectwise")
    visitor.lost("Power BI Pro", "20 in use")
    expect(visitor.person("Sam Lee")).not_to_contain_text("has something to approve")
    visitor.looks("5-locked-out")


def test_bill_approves_the_bill_and_it_shrinks_as_far_as_it_may_before_his_eyes(visitor: Visitor) -> None:
    page = visitor.page
    visitor.be("Bill Penny")
    expect(page.locator(".client-area-name").first).to_contain_text("The bill")
    visitor.looks("6-bill")
    visitor.presses("Approve the bill")
    visitor.has("Power BI Pro", "19 bought", "19 in use", "19 invoiced", "may shrink any day")
    visitor.has("Managed users", "39 invoiced")
    visitor.lost("365 E3", "12 in use")
    expect(visitor.state("365 E3")).to_contain_text("12 bought")
    expect(visitor.state("365 E3")).to_contain_text(re.compile(r"committed until \d\d? \w+ 20\d\d"))
    visitor.sees("Pax8 reads as 19 seats, 20 before")
    visitor.is_told_of("graph", "exchange", "pax8", "connectwise")
    expect(visitor.person("Bill Penny")).not_to_contain_text("has a bill to approve")
    visitor.looks("7-billed")
    if os.environ.get("UPDATE_PICTURE") == "1":
        page.wait_for_timeout(1500)  # until the flash of the edited card has faded
        page.screenshot(path=ROOT / "docs" / "demo.png")


def test_maria_asks_how_far_it_is(visitor: Visitor) -> None:
    page = visitor.page
    expect(visitor.person("Maria Lopez").locator(".chat-badge")).to_be_visible()
    visitor.be("Maria Lopez")
    visitor.types("/offboard-status Jane")
    visitor.sees("/offboard-status 1 shows this again.")
    expect(page.locator(".step.done")).to_have_count(5)
    visitor.looks("8-status")


def test_finn_asks_in_teams_sam_approves_in_slack_and_his_jane_stays_out_when_the_sync_comes(visitor: Visitor) -> None:
    page = visitor.page
    visitor.shows("Teams")
    visitor.be("Finn Fabric")
    visitor.types("offboard Jane Doe")
    visitor.presses(re.compile("Designer"))
    visitor.presses("Resigned")
    visitor.presses("No, on good terms")
    visitor.presses("Now")
    visitor.presses("Accept all recommended")
    visitor.sees("A technician sees exactly this")
    visitor.has("Domain account", "jdoe, enabled")
    visitor.looks("9-hybrid-review")
    visitor.presses("Submit")
    visitor.sees("Waits for a technician's approval")
    expect(page.get_by_role("button", name="Show Slack")).to_contain_text("Sam has something to approve")
    visitor.looks("10-hybrid-asked")

    visitor.shows("Slack")
    expect(visitor.person("Sam Lee")).to_have_class(re.compile("here"))
    visitor.presses("Approve all: lock out Jane Doe, and the rest")
    visitor.has("Domain account", "jdoe, disabled")
    visitor.lost("Its groups", "Design files", "VPN users")
    visitor.has("Computers", "FAB-LAPTOP (disabled)")
    expect(visitor.state("Password")).to_have_count(0)
    expect(visitor.state("Its password").locator(".new")).to_have_count(1)
    visitor.has("Opened by", "Finn Fabric", "Finn Fabric sends as")
    visitor.has("Rules", "“Invoices”")
    visitor.has("Groups", "Design files (synced)")
    visitor.is_told_of("graph", "exchange", "domain")
    visitor.looks("11-hybrid-locked-out")
    expect(visitor.state("Last sync").locator(".new")).to_have_count(1, timeout=40_000)
    visitor.has("Sign-in", "Blocked")
    visitor.looks("12-hybrid-synced")


def test_what_is_typed_and_picked_on_a_card_travels_with_the_click(visitor: Visitor) -> None:
    visitor.be("Sam Lee")
    visitor.page.get_by_label("Open Offboard", exact=True).click()
    visitor.types("/offboard Zoe Muller")
    visitor.sees("Which client is it about?")
    visitor.page.get_by_role("combobox", name="Client").last.click()
    visitor.page.get_by_role("option", name="Contoso Ltd").click()
    visitor.presses("Continue")
    visitor.sees("Who at the client asked for this?")
    visitor.page.get_by_label("Or somebody else, by name").last.fill("Edith Payroll, accounts")
    visitor.presses("Continue")
    visitor.sees("Edith Payroll, accounts")
    visitor.looks("13-technician")


def test_a_line_for_one_pair_of_eyes_says_so(visitor: Visitor) -> None:
    visitor.be("Oskar Berg")
    visitor.types("/offboard Jane Doe")
    only_you = visitor.page.locator(".only-you").last
    expect(only_you).to_contain_text("Only visible to you")
    expect(only_you).to_contain_text("I don't know you yet")
    visitor.looks("14-outsider")


def test_a_dry_run_asks_and_approves_all_the_same_and_changes_nothing(visitor: Visitor) -> None:
    page = visitor.page
    visitor.be("Maria Lopez")
    visitor.rehearses(on=True)
    visitor.types("/offboard Sean O'Brien")
    visitor.presses(re.compile("Sean O.Brien"))
    visitor.presses("Resigned")
    visitor.presses("No, on good terms")
    visitor.presses("Now")
    visitor.presses("Accept all recommended")
    visitor.presses("Submit")
    visitor.sees("A dry run: nothing will be changed.")
    before = page.locator(".client-values").all_inner_texts()
    changes = page.locator(".client-line-change").all_inner_texts()
    visitor.be("Sam Lee")
    visitor.presses(re.compile("Approve all: lock out Sean"))
    visitor.sees("What the live run would do")
    expect(page.locator(".client-badge")).to_have_text("can sign in")
    assert page.locator(".client-values").all_inner_texts() == before
    expect(page.locator(".client-row.changed .client-key")).to_have_text(["Managed users"])
    assert page.locator(".client-line-change").all_inner_texts() == changes
    visitor.looks("15-dry-run")
    visitor.rehearses(on=False)


def test_a_killed_bot_says_nothing_comes_back_and_goes_on(visitor: Visitor) -> None:
    page = visitor.page
    visitor.be("Maria Lopez")
    page.get_by_role("button", name="Kill the bot").click()
    expect(page.locator(".bot-state")).to_have_text("bot is down")
    visitor.types("/offboard Sean O'Brien")
    visitor.sees("the app did not respond")
    visitor.looks("16-killed")
    expect(page.locator(".bot-state")).to_have_text("bot is running")
    visitor.types("/offboard Sean O'Brien")
    visitor.sees("Is this the person who leaves?")


def test_a_tenant_that_is_down_is_asked_again_until_it_answers(visitor: Visitor) -> None:
    page = visitor.page
    visitor.be("Maria Lopez")
    expect(page.locator(".client-mail")).to_contain_text("contoso.example")
    page.get_by_role("button", name="Down", exact=True).click()
    visitor.types("/offboard Dana Gone")
    expect(page.locator(".client-line-trouble").first).to_contain_text("503")
    visitor.sees("Looking for Dana Gone")
    visitor.looks("17-down")
    page.get_by_role("button", name="Down", exact=True).click()
    visitor.sees("sign-in already disabled")


def test_news_in_teams_wait_for_finn_and_his_card_has_turned_green(visitor: Visitor) -> None:
    page = visitor.page
    # Half a minute after the sync everything is read once more; the visitor has had better things to do.
    expect(page.get_by_role("button", name="Show Teams").locator(".chat-badge")).to_be_visible(timeout=60_000)
    visitor.shows("Teams")
    visitor.be("Finn Fabric")
    visitor.sees(re.compile(r"Jane Doe is locked out since \d\d:\d\d"))
    expect(page.locator(".teams-card .bk-mark.bk-done").first).to_be_visible()
    expect(page.locator(".teams-card .bk-mark.bk-failed")).to_have_count(0)
    expect(page.get_by_role("button", name="Show Teams").locator(".chat-badge")).to_be_hidden()
    visitor.looks("18-green")
    visitor.shows("Slack")


def test_what_one_is_about_to_press_stays_whatever_is_drawn_anew_around_them(visitor: Visitor) -> None:
    for platform, before, after in (("Slack", "Maria Lopez", "Sam Lee"), ("Teams", "Finn Fabric", "Maria Lopez")):
        visitor.shows(platform)
        visitor.be(before)
        expect(visitor.person(before)).to_have_class(re.compile(r"\bhere\b"))
        row = visitor.person(after).element_handle()
        visitor.be(after)
        expect(visitor.person(after)).to_have_class(re.compile(r"\bhere\b"))
        expect(visitor.person(before)).not_to_have_class(re.compile(r"\bhere\b"))
        assert row.evaluate("row => row.isConnected")
    switch = visitor.page.get_by_role("button", name="Show Teams").element_handle()
    visitor.shows("Slack")
    visitor.be("Sam Lee")
    room = visitor.page.get_by_role("button", name="Open offboarding", exact=True).element_handle()
    chat = visitor.page.get_by_role("button", name="Open Offboard", exact=True)
    chat.click()
    expect(chat).to_have_class(re.compile(r"\bhere\b"))
    assert room.evaluate("row => row.isConnected")
    assert switch.evaluate("tab => tab.isConnected")


def test_letters_find_people_on_both_platforms_and_whoever_is_picked_is_confirmed_by_their_button(
    visitor: Visitor,
) -> None:
    page = visitor.page
    for platform, line in (("Slack", "/offboard Somebody Else"), ("Teams", "offboard Somebody Else")):
        visitor.shows(platform)
        visitor.be("Maria Lopez")
        visitor.types(line)
        visitor.sees("There is nobody like Somebody Else in the directory")
        page.locator(f".{platform.lower()}").get_by_label("Somebody else? Pick them while you type").last.click()
        page.keyboard.type("helg", delay=60)
        page.get_by_role("option", name=re.compile("Helga Hold")).first.click()
        visitor.presses("Search")
        visitor.sees("Is this the person who leaves?")
        expect(visitor.button(re.compile("^Helga Hold"))).to_be_visible()
        visitor.looks(f"20-typing-{platform.lower()}")
    visitor.shows("Slack")


def test_the_page_fits_a_small_screen(visitor: Visitor) -> None:
    visitor.looks("19-end")
    visitor.page.set_viewport_size({"width": 1280, "height": 720})
    for part in (".top", ".switch", ".slack", ".client"):
        box = visitor.page.locator(part).bounding_box()
        assert box is not None
        assert min(box["x"], box["y"]) >= 0, part
        assert box["x"] + box["width"] <= 1280, part
        assert box["y"] + box["height"] <= 720, part
    expect(visitor.page.get_by_label("Message", exact=True)).to_be_in_viewport()
    expect(visitor.page.get_by_role("button", name="Throttle")).to_be_in_viewport()


def test_nothing_came_from_outside_this_machine(visitor: Visitor) -> None:
    hosts = {url.split("/")[2].split(":")[0] for url in visitor.requested if not url.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}
    assert visitor.complaints == []


def test_the_demo_runs_on_settings_of_its_own(visitor: Visitor) -> None:
    settings = load({"OFFBOARD_CLIENTS": str(visitor.folder / "clients.yml")})
    maria = settings.roster.person("maria")
    assert maria is not None
    assert maria.is_leaver("contoso", maria.directory["contoso"], set())
    assert JANE not in maria.directory.values()
