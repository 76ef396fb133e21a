"""Press to invoke answer in Teams, the next card in it and the decision committed, by many people at once."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import yaml

from bot.lab.teams_cards import CARD, Shown, buttons
from connectors.microsoft365 import simulated_people as people
from tests.bench.answers import PRESSES, every_card, label_for, load, percentiles
from tests.teams_city import TeamsCity


class Crowd(TeamsCity):
    """Contoso has so many managers more, each with a chat of their own: Teams bounds what is sent to one chat."""

    def __init__(self, folder: Path, count: int) -> None:
        super().__init__(folder)
        self.managers = [str(uuid.uuid5(uuid.NAMESPACE_OID, f"manager {number}")) for number in range(count)]

    def _add_systems(self, file: Path) -> None:
        super()._add_systems(file)
        content = yaml.safe_load(file.read_text())
        content["people"] += [
            {
                "id": f"manager{number}",
                "name": f"Manager {number}",
                "identities": [f"teams/{people.CONTOSO}/{user}"],
                "manages": ["contoso"],
            }
            for number, user in enumerate(self.managers)
        ]
        file.write_text(yaml.safe_dump(content))
        self.teams.installed.update((people.CONTOSO, user) for user in self.managers)

    def newest(self) -> list[Shown]:
        """The last message in each of their chats, where there is one."""
        chats = (self.teams.private(people.CONTOSO, user) for user in self.managers)
        return [chat[-1] for chat in chats if chat]


async def teams_answers(folder: Path, concurrent: int, rounds: int) -> dict[int, float]:
    """Percentiles (50, 99, and 100: the longest) in milliseconds."""
    city = Crowd(folder, concurrent)
    await city.start()
    try:
        for number, user in enumerate(city.managers):
            await city.teams.types(people.CONTOSO, user, f"offboard {city.add_leaver(number)}")
        taken: list[float] = []
        for press in PRESSES[:rounds]:
            cards = await every_card(city.newest, buttons, city, press, concurrent)
            requests = [_request(city, user, card, press) for user, card in zip(city.managers, cards, strict=True)]
            # The next card must be in the answer itself; that the message is edited beside it is the load's price.
            taken += await load(city.teams.bot_url, requests, CARD)
        return percentiles(taken)
    finally:
        await city.stop()


def _request(city: Crowd, user: str, card: Shown, press: str) -> dict[str, object]:
    """The press as the Bot Connector posts it, under a token of its own."""
    activity = city.teams.press(people.CONTOSO, user, card, label_for(buttons(card), press), {})
    token = city.teams.signer.token(city.teams.app_id, city.teams.service_url)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    return {"body": json.dumps(activity), "headers": headers}
