"""The typical leaver of the whole-case figures, and how their accounts stand in the end.

One employee of a small company, by object ids and names the same in every simulated world:

- an account with 3 sign-in methods (a phone, an authenticator, a key) and 2 licences of their own
- in 8 groups, 5 security groups and 3 Microsoft 365 groups, none of which they own or get a licence by
- a mailbox of 12 GB, in 2 distribution lists, fetched by 2 phones, with 1 rule that copies mail home
- a OneDrive, shared with nobody; no device of the company's, no role, no application of their own
- in the end: their manager opens the mailbox (shared, hidden, with an automatic reply) and the OneDrive
"""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime

from bot.lab.companies import Companies
from connectors.contract import Json
from connectors.exchange.simulated_mailboxes import (
    SimulatedDevice,
    SimulatedGroup,
    SimulatedMailbox,
    SimulatedRule,
)
from connectors.microsoft365.methods import MOBILE
from connectors.microsoft365.simulated_people import CONTOSO, MARIA, SEAN, Person, SignInMethod
from connectors.microsoft365.simulated_things import E3, POWER_BI, Drive, Group, Held, Mailbox

GROUPS = (*["security"] * 5, *["microsoft365"] * 3)
LISTS, PHONES = 2, 2
_BEFORE = datetime(2025, 3, 1, 8, 0, tzinfo=UTC)


@dataclasses.dataclass(frozen=True)
class Leaver:
    """One of them; several differ by their number alone."""

    number: int

    def id_of(self, thing: str) -> str:
        """The object id of something of theirs, always the same."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{thing} of leaver {self.number}"))

    @property
    def id(self) -> str:
        """Object id of the account, and so of the mailbox."""
        return self.id_of("account")

    @property
    def name(self) -> str:
        return f"Leaver{self.number:03d} Typical"

    @property
    def mail(self) -> str:
        """Address and sign-in name."""
        return f"leaver{self.number:03d}.typical@contoso.example"

    @property
    def groups(self) -> tuple[str, ...]:
        """Object ids of the groups in the directory."""
        return tuple(self.id_of(f"group {place}") for place in range(len(GROUPS)))

    @property
    def lists(self) -> tuple[str, ...]:
        """Guids of the distribution lists."""
        return tuple(self.id_of(f"list {place}") for place in range(LISTS))

    def join(self, companies: Companies) -> None:
        """Give Contoso this employee."""
        directory, mail = companies.microsoft.tenants[CONTOSO], companies.exchange.organisations[CONTOSO]
        person = Person(
            self.id,
            self.name,
            self.mail,
            f"Head of {self.number}",
            self.mail,
            manager=MARIA,
            methods=[
                SignInMethod(MOBILE, "phoneAuthenticationMethod", "mobile"),
                SignInMethod(self.id_of("app"), "microsoftAuthenticatorAuthenticationMethod", "their phone"),
                SignInMethod(self.id_of("key"), "fido2AuthenticationMethod", "a key"),
            ],
            licences=[Held(E3), Held(POWER_BI)],
            sessions_valid_from=_BEFORE,
            password_changed=_BEFORE,
            drive=Drive(f"b!leaver{self.number:03d}", 3_000_000_000),
            mailbox=Mailbox(),
        )
        directory.people[self.id] = person
        for place, (key, kind) in enumerate(zip(self.groups, GROUPS, strict=True)):
            name = f"Group {place} of {self.number}"
            directory.groups[key] = Group(key, name, members=(self.id, SEAN), owners=(MARIA,), kind=kind)
        for place, key in enumerate(self.lists):
            address = f"list{place}.{self.number:03d}@contoso.example"
            mail.groups[key] = SimulatedGroup(key, f"List {place} of {self.number}", address, [self.id, SEAN], [MARIA])
        mail.mailboxes[self.id] = SimulatedMailbox(
            self.id,
            self.name,
            self.mail,
            self.mail,
            devices=[SimulatedDevice(self.id_of(f"phone {place}"), f"Phone {place}") for place in range(PHONES)],
            rules=[SimulatedRule("70001", "Copy home", {"ForwardTo": ['"Me" [SMTP:me@freemail.example]']})],
        )

    def ended(self, companies: Companies) -> Json:
        """Every field of the account and the mailbox, and what lists them.

        Moments are told as whether they have moved. Left out is what only one side does: the switches of the
        mailbox's protocols, sending as it, and whether a phone that gets no mail any more was told to erase it.
        """
        directory, mail = companies.microsoft.tenants[CONTOSO], companies.exchange.organisations[CONTOSO]
        account = dataclasses.asdict(directory.people[self.id])
        for moment in ("sessions_valid_from", "password_changed"):
            account[moment] = account[moment] > _BEFORE
        for permission in account["drive"]["permissions"]:
            del permission["id"]
        mailbox = dataclasses.asdict(mail.mailboxes[self.id])
        for theirs in ("protocols", "send_as"):
            del mailbox[theirs]
        mailbox["devices"] = [one["name"] for one in mailbox["devices"] if one["asked"] is None]
        return {
            "account": account,
            "mailbox": mailbox,
            "groups": [one.name for one in directory.groups.values() if self.id in (*one.members, *one.owners)],
            "lists": [one.name for one in mail.groups.values() if self.id in (*one.members, *one.owners)],
        }
