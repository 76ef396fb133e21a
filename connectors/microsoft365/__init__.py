"""Microsoft 365: the directory, and the lock-out. See README.md."""

from connectors.microsoft365.connector import Microsoft365

CONNECTOR = Microsoft365()
