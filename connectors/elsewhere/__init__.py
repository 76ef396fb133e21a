"""Everything no connector reaches: the door, the copier, the bank."""

from connectors.elsewhere.connector import Elsewhere

CONNECTOR = Elsewhere()
