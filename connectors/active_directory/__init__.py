"""Active Directory: a client's on-premises domain, over LDAPS. See README.md."""

from connectors.active_directory.connector import ActiveDirectory

CONNECTOR = ActiveDirectory()
