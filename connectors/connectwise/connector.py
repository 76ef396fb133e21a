"""ConnectWise PSA as the rest of the house sees it: accounts, facts, ways in, savings, steps and the service desk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from connectors.connectwise.agreements import read_lines
from connectors.connectwise.client import VENDOR, ConnectWiseApi
from connectors.connectwise.contact_steps import ContactInactive, EndPortalLogin, ListDevices
from connectors.connectwise.facts import ConnectWiseFacts, access_ends, complete_facts, read_facts
from connectors.connectwise.lines import ReduceLines, savings_of
from connectors.connectwise.people import approvers, find_leaver
from connectors.connectwise.readiness import readiness
from connectors.connectwise.service_desk import ConnectWiseDesk
from connectors.connectwise.settings import ConnectWiseSettings
from connectors.contract import (
    Account,
    Caution,
    Check,
    Choices,
    Connector,
    Json,
    Read,
    Step,
    Surroundings,
    WayIn,
)
from connectors.desk import Contact
from connectors.money import Saving

STEPS: tuple[Step[ConnectWiseApi, ConnectWiseFacts], ...] = (
    EndPortalLogin(),
    ListDevices(),
    ContactInactive(),
    ReduceLines(),
)


class ConnectWise(Connector[ConnectWiseApi, ConnectWiseFacts]):
    """The provider's PSA, for one client: the leaver's contact and devices, the client's agreements, the ticket."""

    id = VENDOR
    name = "ConnectWise PSA"
    settings = ConnectWiseSettings
    facts_model = ConnectWiseFacts
    paperwork = True
    steps = STEPS
    desk = ConnectWiseDesk()

    async def open(self, settings: ConnectWiseSettings, around: Surroundings) -> ConnectWiseApi:
        return ConnectWiseApi(settings, around)

    async def close(self, api: ConnectWiseApi) -> None:
        await api.close()

    async def find(self, api: ConnectWiseApi, leaver: Account) -> list[Account]:
        return await find_leaver(api, leaver)

    async def facts(self, api: ConnectWiseApi, account: Account) -> ConnectWiseFacts:
        return await read_facts(api, account)

    async def complete(self, api: ConnectWiseApi, facts: ConnectWiseFacts, read: Read) -> ConnectWiseFacts:
        return await complete_facts(facts, read)

    def ways_in(self, facts: ConnectWiseFacts, choices: Choices) -> tuple[WayIn, ...]:
        if facts.contact is None or not facts.contact.portal:
            return ()
        kept = "" if access_ends(choices) else "part of the access stays"
        return (
            WayIn(
                "connectwise.portal",
                "Service desk portal",
                ended_by=(EndPortalLogin.id,),
                lingers=timedelta(hours=1),
                why_lingers="a portal that is open in a browser may stay open for a while",
                kept=kept,
            ),
        )

    def savings(self, facts: ConnectWiseFacts, choices: Choices) -> tuple[Saving, ...]:
        return savings_of(facts, choices)

    def cautions(self, facts: ConnectWiseFacts) -> tuple[Caution, ...]:
        return tuple(Caution(sentence) for sentence in facts.unread)

    async def check(self, api: ConnectWiseApi) -> tuple[Check, ...]:
        return await readiness(api)

    async def contacts(self, api: ConnectWiseApi) -> tuple[Contact, ...]:
        return await approvers(api)

    def reads(self) -> Mapping[str, Callable[[ConnectWiseApi, Account], Awaitable[Json]]]:
        return {"connectwise.agreement": _agreement}


async def _agreement(api: ConnectWiseApi, _account: Account) -> Json:
    """{"lines": [{"line", "part_number", "quantity", "agreement", "next_invoice"}]}, whoever the leaver is.

    Only lines that clients.yml names and that are found once. Quantities are texts, exactly as ConnectWise has them.
    """
    lines = await read_lines(api, api.around.clock.now().date())
    return {
        "lines": [
            {
                "line": line.label,
                "part_number": line.part_number,
                "quantity": f"{one.quantity:f}",
                "agreement": one.agreement_name,
                "next_invoice": one.next_invoice.isoformat() if one.next_invoice else "",
            }
            for line in lines
            if (one := line.only) is not None
        ]
    }
