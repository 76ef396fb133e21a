"""Every kind of card in Microsoft's own renderer, in a real browser: all of it is to be seen, and presses what it says.

Skipped where there is no Chromium or no renderer: `make counterparts` fetches both. OFFBOARD_SHOTS names a folder for
the pictures.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from pydantic import JsonValue

from bot.teams.cards import AdaptiveCard, adaptive_card
from tests.adaptive import INPUTS, parts
from tests.bot.cards import CARDS
from tests.bot.test_demo_browser import CHROMIUM, FLAGS

RENDERER = Path(__file__).parents[2] / ".counterparts/node_modules/adaptivecards/dist/adaptivecards.min.js"
NO_CHOICE = "An Input.ChoiceSet must have at least one choice defined."
WIDTHS = {"wide": 700, "narrow": 340}
"""Teams on a desk, and on a phone."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: run `make browser` to see cards in a browser"),
    pytest.mark.skipif(
        not RENDERER.exists(),
        reason="Microsoft's renderer of cards is not here: run `make renderer` to see cards in it",
    ),
]

PAGE = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; padding: 16px; background: #f5f5f5; font-family: "Segoe UI", system-ui, sans-serif }
#card { background: #fff; border: 1px solid #e0e0e0; border-radius: 6px; max-width: 640px }
.ac-pushButton { padding: 6px 12px; border: 1px solid #d1d1d1; border-radius: 4px; background: #fff; font: inherit;
  white-space: normal !important; text-align: left; max-width: 100%; flex-shrink: 1 !important }
.style-positive { background: #5b5fc7; border-color: #5b5fc7; color: #fff }
.style-destructive { color: #c4314b; border-color: #c4314b }
.ac-input { padding: 6px 8px; border: 1px solid #d1d1d1; border-radius: 4px; font: inherit; box-sizing: border-box }
</style><div id="card"></div>"""

LOOK = {
    "fontFamily": "Segoe UI, system-ui, sans-serif",
    "supportsInteractivity": True,
    "spacing": {"small": 4, "default": 8, "medium": 16, "large": 24, "extraLarge": 32, "padding": 16},
    "actions": {"maxActions": 6, "actionsOrientation": "horizontal", "actionAlignment": "left", "buttonSpacing": 8},
}

DRAW = """([card, look, older, version]) => {
  const at = document.getElementById("card");
  at.replaceChildren();
  window.pressed = [];
  const context = new AdaptiveCards.SerializationContext(AdaptiveCards.Versions[version]);
  if (older) {
    const known = new AdaptiveCards.CardObjectRegistry();
    AdaptiveCards.GlobalRegistry.populateWithDefaultActions(known);
    known.unregister("Action.Execute");
    context.setActionRegistry(known);
  }
  const drawn = new AdaptiveCards.AdaptiveCard();
  drawn.hostConfig = new AdaptiveCards.HostConfig(look);
  drawn.onExecuteAction = (action) => window.pressed.push({ type: action.getJsonTypeName(), data: action.data });
  drawn.parse(card, context);
  at.appendChild(drawn.render());
  const said = [];
  for (let number = 0; number < context.eventCount; number++) said.push(context.getEventAt(number).message);
  for (const event of drawn.validateProperties().validationEvents) said.push(event.message);
  return said;
}"""


@dataclass
class Teams:
    """A window in which cards are shown."""

    page: Page
    shots: Path
    complaints: list[str]

    def shows(self, card: AdaptiveCard, *, older: bool = False) -> list[str]:
        """Draw the card; what the renderer has to say against it.

        Teams reads a list that asks in cards of any version (its own samples say 1.2, 1.3 and 1.5); this renderer knows
        it from 1.6 on.
        """
        version = "v1_5" if older or "choices.data" not in json.dumps(card) else "v1_6"
        return self.page.evaluate(DRAW, [card, LOOK, older, version])

    def presses(self, title: str) -> dict[str, JsonValue]:
        self.page.get_by_role("button", name=title, exact=True).click()
        return self.page.evaluate("() => window.pressed.at(-1)")

    def reads(self) -> str:
        return " ".join(self.page.locator("#card").inner_text().split())

    def looks(self, name: str) -> None:
        for size, width in WIDTHS.items():
            self.page.set_viewport_size({"width": width, "height": 800})
            self.page.screenshot(path=self.shots / f"teams-{name}-{size}.png", full_page=True)


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teams]:
    shots = Path(os.environ.get("OFFBOARD_SHOTS") or tmp_path_factory.mktemp("shots"))
    shots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        page = browser.new_page(viewport={"width": WIDTHS["wide"], "height": 800})
        teams = Teams(page, shots, [])
        page.on("pageerror", lambda error: teams.complaints.append(str(error)))
        page.on("console", lambda line: teams.complaints.append(line.text))
        page.set_content(PAGE)
        page.add_script_tag(path=RENDERER)
        yield teams
        browser.close()


@pytest.mark.parametrize("name", sorted(CARDS))
def test_all_of_a_card_is_to_be_seen(teams: Teams, name: str) -> None:
    card = adaptive_card(CARDS[name])
    # A list that asks has no choices of its own, in Microsoft's samples as well.
    allowed = [NO_CHOICE] if name == "person" else []
    assert teams.shows(card) == allowed
    teams.looks(name)
    assert teams.complaints == []
    read = teams.reads()
    for run in parts(card, "TextRun"):
        assert " ".join(str(run["text"]).split()) in read
    edge = teams.page.evaluate("() => document.getElementById('card').getBoundingClientRect().right")
    for button in parts(card, "Action.Execute"):
        shown = teams.page.get_by_role("button", name=str(button["title"]), exact=True).first
        assert shown.is_visible()
        box = shown.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= edge, f"'{button['title']}' is cut off on a phone"
        assert shown.evaluate("(one) => one.scrollWidth <= one.clientWidth"), f"'{button['title']}' is cut on a phone"
    for field in parts(card):
        if field.get("type") in INPUTS:
            shown = teams.page.get_by_label(str(field["label"]), exact=True)
            assert shown.is_visible()
            if "choices.data" in field:
                shown = shown.locator("input")
            assert shown.input_value() == field.get("value", "")
    # A name that looks like markup made nothing but text.
    assert teams.page.locator("#card a, #card img").count() == 0
    width = teams.page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, "nothing hangs out of a narrow window"


def test_a_press_brings_its_token_and_what_stands_in_the_fields(teams: Teams) -> None:
    teams.shows(adaptive_card(CARDS["when"]))
    teams.page.get_by_label("At (Europe/London)").fill("17:00")
    assert teams.presses("At that time") == {
        "type": "Action.Execute",
        "data": {"token": "token-at", "day": "2026-11-30", "hour": "17:00"},
    }


def test_a_pick_from_a_list_comes_by_its_id(teams: Teams) -> None:
    teams.shows(adaptive_card(CARDS["question"]))
    teams.page.get_by_label("Time zone").select_option("America/New York")
    data = teams.presses("When I say go")["data"]
    assert isinstance(data, dict)
    assert (data["token"], data["zone"]) == ("token-go", "us")


def test_an_older_teams_sends_the_same_press_as_a_message(teams: Teams) -> None:
    assert teams.shows(adaptive_card(CARDS["approval"]), older=True) != [], (
        "it says that it does not know Action.Execute"
    )
    assert teams.presses("Approve") == {"type": "Action.Submit", "data": {"token": "token-yes"}}


def test_where_no_list_can_ask_the_field_for_words_does(teams: Teams) -> None:
    said = teams.shows(adaptive_card(CARDS["person"]), older=True)
    assert any("choices.data" in one for one in said), "it says that it does not know it"
    teams.page.get_by_label("Or write their name or mail address").fill("Zoe")
    data = teams.presses("Find")["data"]
    assert isinstance(data, dict)
    assert (data["token"], data["somebody"]) == ("token-find", "Zoe")


def test_the_renderer_would_notice_a_mistake(teams: Teams) -> None:
    card: AdaptiveCard = json.loads(json.dumps(adaptive_card(CARDS["question"])))
    parts(card, "Input.ChoiceSet")[0]["type"] = "Input.Person"
    assert teams.shows(card)
