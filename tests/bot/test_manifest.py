"""The Slack manifest can be uploaded as it stands, and asks for no more than the bot uses."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import yaml

from bot.slack.edge import PATH
from bot.slack.install import REDIRECT, SCOPES
from bot.slack.payloads import GONE
from handlers.commands import COMMANDS

MANIFEST = Path(__file__).parents[2] / "manifest.yml"


def test_the_manifest_keeps_to_slacks_schema(specs: Path) -> None:
    schema = json.loads((specs / "slack-manifest-2.0.0.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load(MANIFEST.read_text(encoding="utf-8")), schema)


def test_the_manifest_registers_the_commands_handlers_know() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    commands = manifest["features"]["slash_commands"]
    assert tuple(entry["command"] for entry in commands) == tuple(f"/{word}" for word in COMMANDS)
    assert {entry["should_escape"] for entry in commands} == {False}


def test_every_address_is_the_one_the_edge_listens_at() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    addresses = [entry["url"] for entry in manifest["features"]["slash_commands"]]
    addresses.append(manifest["settings"]["interactivity"]["request_url"])
    addresses.append(manifest["settings"]["interactivity"]["message_menu_options_url"])
    addresses.append(manifest["settings"]["event_subscriptions"]["request_url"])
    assert manifest["oauth_config"]["redirect_urls"] == [f"https://offboard.example.com{REDIRECT}"]
    assert set(addresses) == {f"https://offboard.example.com{PATH}"}


def test_the_bot_asks_for_nothing_it_does_not_use() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    assert manifest["oauth_config"]["scopes"] == {"bot": list(SCOPES)}
    assert SCOPES == ("commands", "chat:write", "im:write")
    events = manifest["settings"]["event_subscriptions"]["bot_events"]
    assert events == list(GONE) == ["app_uninstalled", "tokens_revoked"], "nothing said in a channel is ever read"
