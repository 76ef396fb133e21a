"""ConnectWise PSA: the case's ticket, the client's agreement, their contact and devices there. See README.md."""

from connectors.connectwise.connector import ConnectWise

CONNECTOR = ConnectWise()
