"""Microsoft 365: the directory, the lock-out, and what becomes of the rest. See README.md."""

from connectors.microsoft365.connector import Microsoft365

CONNECTOR = Microsoft365()
