"""The app package that is uploaded to Teams: the manifest and two icons in one zip, the same bytes every time.

Clients get the personal scope alone: whoever mentions a bot in a channel has told the channel who leaves, and nothing
takes that back. The provider's own package adds the team scope, for its private channel. Neither asks for any
permission, and none is needed: commands come in the personal chat, and buttons say who pressed them.
Keys and limits: the published schema of manifest 1.29 (June 2026).
"""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from importlib.metadata import version
from urllib.parse import urlsplit

from pydantic import JsonValue

from bot.lines import cut, inert
from bot.teams.icons import ACCENT, colour, outline

MANIFEST_VERSION = "1.29"
SCHEMA = f"https://developer.microsoft.com/json-schemas/teams/v{MANIFEST_VERSION}/MicrosoftTeams.schema.json"
NAME = "Offboard"
SHORT = "Ends the access of people who leave, with every step read back."
FULL = (
    "When somebody leaves, write offboard and their name to this app. It asks what matters and nothing else, has a "
    "technician of your service provider approve exactly what will be done, blocks sign-in within seconds and reads "
    "every step back. What no system can do becomes a named person's task; offboard-status tells you how far it is."
)
COMMANDS = {
    "offboard": "Somebody leaves: their name or mail address",
    "offboard-status": "How far it is, and which ways in have ended",
}
OWN_COMMANDS = {"offboard-doctor": "For admins: would it work at every client?"}
LONGEST_DEVELOPER, LONGEST_FULL_NAME = 32, 100
BEGINNING = (1980, 1, 1, 0, 0, 0)
"""When everything in a zip was made that must not say when it was made."""


class WrongPackage(Exception):
    """The package can't be made: one sentence that says which word is wrong."""


def package(app_id: str, msp: str, website: str, *, own: bool = False) -> bytes:
    """The zip for clients, or for the provider's `own` tenant. Raises WrongPackage."""
    address = urlsplit(website)
    if address.scheme != "https" or not address.hostname:
        raise WrongPackage("--website must be an https address, https://www.example.com: administrators see it.")
    try:
        bot = uuid.UUID(app_id)
    except ValueError:
        raise WrongPackage(
            f"teams.app_id '{app_id[:50]}' is no application id: copy it from the registration."
        ) from None
    said = json.dumps(_manifest(bot, " ".join(inert(msp).split()), website, own=own), indent=2, ensure_ascii=False)
    files = {"manifest.json": f"{said}\n".encode(), "color.png": colour(), "outline.png": outline()}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as packed:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, BEGINNING)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            packed.writestr(entry, content)
    return made.getvalue()


def _manifest(bot: uuid.UUID, msp: str, website: str, *, own: bool) -> dict[str, JsonValue]:
    scopes: list[JsonValue] = ["personal", "team"] if own else ["personal"]
    commands: list[JsonValue] = [
        {"title": title, "description": what} for title, what in (COMMANDS | (OWN_COMMANDS if own else {})).items()
    ]
    manifest: dict[str, JsonValue] = {
        "$schema": SCHEMA,
        "manifestVersion": MANIFEST_VERSION,
        "version": version("offboard"),
        # Its own for each of the two, so that a provider can upload both to its tenant.
        "id": str(uuid.uuid5(bot, "own" if own else "client")),
        "developer": {
            "name": cut(msp, LONGEST_DEVELOPER),
            "websiteUrl": website,
            "privacyUrl": website,
            "termsOfUseUrl": website,
        },
        "name": {"short": NAME, "full": cut(f"{NAME} by {msp}", LONGEST_FULL_NAME)},
        "description": {"short": SHORT, "full": FULL},
        "icons": {"color": "color.png", "outline": "outline.png"},
        "accentColor": ACCENT,
        "defaultInstallScope": "team" if own else "personal",
        "bots": [
            {
                "botId": str(bot),
                "scopes": scopes,
                "supportsFiles": False,
                "isNotificationOnly": False,
                "commandLists": [{"scopes": ["personal"], "commands": commands}],
            }
        ],
        "validDomains": [],
    }
    if own:
        # Without it the app can be added to a team, and not spoken through in its private channels.
        manifest |= {"defaultGroupCapability": {"team": "bot"}, "supportsChannelFeatures": "tier1"}
    return manifest
