"""A mailbox that lies on the client's own Exchange server: a person's task."""

from __future__ import annotations

from connectors.contract import Choices, Task, TaskStep, Wave
from connectors.exchange.client import ExchangeApi
from connectors.exchange.facts import Ctx, ExchangeFacts
from connectors.exchange.mailboxes import ON_PREMISES


class MailboxOnPremises(TaskStep[ExchangeApi, ExchangeFacts]):
    """The mailbox lies on a server of the client's own, which this connection does not reach."""

    id = "exchange.mailbox_on_premises"
    title = "Shut the mailbox on the client's own Exchange server"
    wave = Wave.LOCK_OUT
    controls = ("CIS 6.2", "NIST PS-4")

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return facts.mailbox.state == ON_PREMISES

    def task(self, ctx: Ctx) -> Task:
        who = ctx.facts.mailbox.user_name
        return Task(
            reason=f"{ctx.account.name}'s mailbox is on an Exchange server of the client's own",
            instructions=(
                f"In its Exchange Management Shell: 1. Set-CASMailbox {who} -OWAEnabled $false -ActiveSyncEnabled "
                "$false -MAPIEnabled $false -EwsEnabled $false -PopEnabled $false -ImapEnabled $false. "
                f"2. Get-InboxRule -Mailbox {who} -IncludeHidden: remove what sends mail outside. "
                f"3. Get-Mailbox {who} | fl Forwarding*: clear what leads outside. "
                f"4. Get-MobileDevice -Mailbox {who} | Clear-MobileDevice -AccountOnly."
            ),
        )
