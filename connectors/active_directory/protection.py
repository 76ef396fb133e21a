"""Accounts that no step touches, whatever was approved."""

from __future__ import annotations

from connectors.active_directory.filters import guid_text, sid_text
from connectors.active_directory.settings import ActiveDirectorySettings
from connectors.active_directory.wire import Entry

GUARDED = ("objectGUID", "objectSid", "sAMAccountName", "userPrincipalName", "userAccountControl")
"""What is looked at; read with every account."""

_BUILT_IN = {"500": "the domain's built-in Administrator", "502": "krbtgt, on which all of Kerberos hangs"}


def untouchable(settings: ActiveDirectorySettings, entry: Entry) -> str:
    """Why this account must not be touched; '' when it may be."""
    guid, sid = entry.raw("objectGUID"), entry.raw("objectSid")
    sam, user_name = entry.text("sAMAccountName").casefold(), entry.text("userPrincipalName").casefold()
    if sam in settings.protected or (guid and guid_text(guid) in settings.protected):
        return "it is listed under protected in clients.yml"
    if sid and (built_in := _BUILT_IN.get(sid_text(sid).rpartition("-")[2])):
        return f"it is {built_in}"
    ours = settings.bind_name.casefold()
    # The name before the @ counts too: account@domain signs in without standing in userPrincipalName.
    if ours in {user_name, entry.dn.casefold()} or sam in {ours.partition("@")[0], ours.rpartition("\\")[2]}:
        return "it is the account the bot itself signs in with"
    return ""
