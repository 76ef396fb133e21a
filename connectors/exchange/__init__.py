"""Exchange Online: the mailbox, its ways in, its fate and its use. See README.md."""

from connectors.exchange.connector import Exchange

CONNECTOR = Exchange()
