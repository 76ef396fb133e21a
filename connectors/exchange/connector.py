"""Exchange Online as the rest of the house sees it: its mailbox, facts, questions, ways in, cautions and steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from connectors.contract import Account, Caution, Check, Choices, Connector, Json, Question, Step, Surroundings, WayIn
from connectors.exchange.checks import check_organisation
from connectors.exchange.client import VENDOR, ExchangeApi
from connectors.exchange.deletion import DeleteMailbox
from connectors.exchange.facts import ExchangeFacts, brief, find_mailbox, read_facts
from connectors.exchange.fate import ConvertToShared, HideFromAddressLists, HideInTheDomain, Hold
from connectors.exchange.group_steps import GroupsByHand, LeaveDistributionGroups
from connectors.exchange.hand_over import Forward, GrantAccess, GrantSendAs, RestoreWebAccess
from connectors.exchange.lock_out import ClearForwarding, RemoveDevices, RemoveRules, StopProtocols
from connectors.exchange.mailboxes import INACTIVE, ON_PREMISES, read_with_size, whereabouts
from connectors.exchange.meeting_steps import CancelMeetings, HandOverMeetings
from connectors.exchange.on_premises import MailboxOnPremises
from connectors.exchange.questions import questions_about
from connectors.exchange.settings import ExchangeSettings

STEPS: tuple[Step[ExchangeApi, ExchangeFacts], ...] = (
    StopProtocols(),
    RemoveDevices(),
    ClearForwarding(),
    RemoveRules(),
    MailboxOnPremises(),
    Hold(),
    GrantAccess(),
    GrantSendAs(),
    RestoreWebAccess(),
    Forward(),
    HandOverMeetings(),
    CancelMeetings(),
    ConvertToShared(),
    HideFromAddressLists(),
    HideInTheDomain(),
    LeaveDistributionGroups(),
    GroupsByHand(),
    DeleteMailbox(),
)


class Exchange(Connector[ExchangeApi, ExchangeFacts]):
    """A client's Exchange Online: one person's mailbox, and everything that leads in and out of it."""

    id = VENDOR
    name = "Exchange Online"
    settings = ExchangeSettings
    facts_model = ExchangeFacts
    steps = STEPS
    defaults = ("mailbox", "mailbox.forward", "mailbox.meetings")

    async def open(self, settings: ExchangeSettings, around: Surroundings) -> ExchangeApi:
        return ExchangeApi(settings, around)

    async def close(self, api: ExchangeApi) -> None:
        await api.close()

    async def find(self, api: ExchangeApi, leaver: Account) -> list[Account]:
        return await find_mailbox(api, leaver)

    async def facts(self, api: ExchangeApi, account: Account) -> ExchangeFacts:
        return await read_facts(api, account)

    def questions(self, facts: ExchangeFacts, choices: Choices) -> tuple[Question, ...]:
        return questions_about(facts, choices)

    def ways_in(self, facts: ExchangeFacts, choices: Choices) -> tuple[WayIn, ...]:
        return tuple(_ways_in(facts))

    def cautions(self, facts: ExchangeFacts) -> tuple[Caution, ...]:
        return tuple(Caution(sentence) for sentence in _cautions(facts))

    async def check(self, api: ExchangeApi) -> tuple[Check, ...]:
        return await check_organisation(api, self.steps)

    def reads(self) -> Mapping[str, Callable[[ExchangeApi, Account], Awaitable[Json]]]:
        return {"exchange.mailbox": _mailbox}


async def _mailbox(api: ExchangeApi, account: Account) -> Json:
    """{"exists", "type", "size_bytes", "archive", "hold"}; a size that could not be read is null."""
    if not account.id:
        return brief(None, None)
    mailbox, size = await read_with_size(api, account.id, account.user_name)
    if mailbox is None:
        return brief(await whereabouts(api, account.id), None)
    return brief(mailbox, size)


def _ways_in(facts: ExchangeFacts) -> list[WayIn]:
    ways: list[WayIn] = []
    if facts.mailbox.state == ON_PREMISES:
        ways.append(
            WayIn("exchange.on_premises", "Mailbox on the client's own server", ended_by=(MailboxOnPremises.id,))
        )
    if facts.personal:
        ways.append(
            WayIn(
                "exchange.protocols",
                "Mail in Outlook, on the web, on phones and by old protocols",
                ended_by=(StopProtocols.id,),
                lingers=timedelta(hours=1),
                why_lingers=(
                    "a connection that is open may last until its token runs out, up to an hour; mail that a "
                    "computer or phone has already fetched stays on it"
                ),
            )
        )
        if facts.devices:
            ways.append(
                WayIn("exchange.devices", f"{len(facts.devices)} phones or tablets with mail", (RemoveDevices.id,))
            )
    if facts.forwards_outside:
        ways.append(WayIn("exchange.forwarding", f"Mail forwarded to {facts.forwards_to}", (ClearForwarding.id,)))
    if facts.rules:
        ways.append(WayIn("exchange.rules", "Rules that send mail outside or hide it", (RemoveRules.id,)))
    return ways


def _cautions(facts: ExchangeFacts) -> list[str]:
    said: list[str] = []
    mailbox = facts.mailbox
    if mailbox.state == ON_PREMISES:
        said.append("Their mailbox is on an Exchange server of the client's own: a technician shuts it there.")
    elif mailbox.state == INACTIVE:
        said.append("Their mailbox is inactive: already gone for everybody, and kept by a hold.")
    elif not facts.active:
        said.append("Their mailbox is soft-deleted, and purged 30 days after that: restore it if it is needed.")
    if facts.forwards_outside:
        said.append(f"Their mail is being forwarded outside, to {facts.forwards_to}.")
    said += [f"{'A hidden rule' if rule.hidden else 'A rule'} in their mailbox {rule.does}." for rule in facts.rules]
    if facts.active and mailbox.held:
        said.append("The mailbox is on hold: nothing in it can be deleted for good.")
    return [*said, *facts.unknown]
