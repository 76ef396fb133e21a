"""Who uses the bot and for whom: the MSP, its clients and their people, as clients.yml binds them."""

from __future__ import annotations

import enum
from collections import Counter
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SerializeAsAny, field_validator, model_validator

from connectors.references import SecretReference
from handlers.conversation import Actor, Place

MSP = "msp"
"""Whose a workspace is that is no client's: the MSP's own."""
CLI = "cli"
"""The platform of somebody who proves their key on the service's own machine."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def known_zone(value: str) -> str:
    """The name of a time zone. Raises ValueError for what is none."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"'{value}' is no time zone; write one such as Europe/London") from None
    return value


class Lockout(enum.StrEnum):
    """What a client's lock-out waits for."""

    APPROVED = "approved"
    IMMEDIATE = "immediate"


class Money(enum.StrEnum):
    """What a change of a client's bill waits for."""

    APPROVED = "approved"
    WAIVED = "waived"


class Person(_Settings):
    """One human, all their platform identities bound here and never by e-mail."""

    id: str
    name: str
    identities: tuple[str, ...]
    """'slack/T0CONTOSO/U0MARIA': platform, the person's own workspace, user."""
    manages: tuple[str, ...] = ()
    """Clients for which this person may ask."""
    sees_all: tuple[str, ...] = ()
    """Clients all of whose cases this person may see."""
    technician: bool = False
    admin: bool = False
    billing: bool = False
    """Approves what changes a bill."""
    mail: str = ""
    """Only ever used to refuse: nobody decides about themselves."""
    directory: dict[str, str] = {}
    """Client id → the person's own object id in that client's directory, for the same purpose."""
    key: SecretReference = ""
    """Signs their commands on the service's own machine, for the hour when no chat can be reached."""

    @field_validator("identities")
    @classmethod
    def _identities_have_three_parts(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if len([part for part in value.split("/") if part]) != 3:
                raise ValueError(f"'{value}' must be written platform/workspace/user")
        return values

    @property
    def belongs_to(self) -> frozenset[str]:
        """Clients whose person this is: manager, reader, or somebody in the directory."""
        return frozenset({*self.manages, *self.sees_all, *self.directory})

    @property
    def actors(self) -> tuple[Actor, ...]:
        """The platform identities, parsed."""
        return tuple(Actor(*identity.split("/")) for identity in self.identities)

    @property
    def known_as(self) -> tuple[str, ...]:
        """Every identity that is theirs, the command line's among them where they have a key."""
        return (*self.identities, f"{CLI}/{MSP}/{self.id}") if self.key else self.identities

    def seen_from(self, clients: tuple[str, ...]) -> Person:
        """This person as somebody at those clients: nothing for any other client, and nothing for the MSP.

        A client's administrators can take any account of their own workspace over. So what is not named here is left
        behind: whoever was a technician is none there.
        """
        return Person(
            id=self.id,
            name=self.name,
            identities=self.identities,
            manages=tuple(client for client in self.manages if client in clients),
            sees_all=tuple(client for client in self.sees_all if client in clients),
            mail=self.mail,
            directory={client: own for client, own in self.directory.items() if client in clients},
        )

    def is_leaver(self, client: str, account_id: str, mails: set[str], name: str = "") -> bool:
        """Whether this person is the one the case is about; in doubt yes, because it only refuses."""
        own = self.directory.get(client, "").casefold()
        if (own and own == account_id.casefold()) or self.mail.casefold() in mails - {""}:
            return True
        # A namesake may decide once the configuration says which account is their own.
        return not own and bool(name) and self.name.casefold() == name.casefold()


class Client(_Settings):
    """A customer company of the MSP."""

    id: str
    name: str
    time_zone: str = "UTC"
    own: bool = False
    """The MSP itself: its cases go to named admins only."""
    lockout: Lockout = Lockout.APPROVED
    immediate_per_hour: int = Field(default=3, ge=0)
    """How many lock-outs an hour may start on a manager's word alone."""
    money: Money = Money.APPROVED
    """WAIVED: the technician's approval of the rest is enough for seats and invoices, too."""
    dry_run: bool = True
    """Everything but the acts, for this client's cases from now on; a new client begins so."""
    defaults: dict[str, str] = {}
    """Question id → the answer this client always gives; it is recommended, never given unasked."""
    keep_days: int = Field(default=0, ge=0, le=3650)
    """What is kept of a leaver, mailbox and files, is brought up again after so many days; 0: never."""
    systems: dict[str, SerializeAsAny[BaseModel]] = {}
    """System id → that connector's own settings."""

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        return known_zone(value)

    @property
    def zone(self) -> ZoneInfo:
        """The zone people at this client live in."""
        return ZoneInfo(self.time_zone)


class Channel(_Settings):
    """A private channel of the MSP."""

    platform: str
    workspace: str
    channel: str

    @property
    def place(self) -> Place:
        """The same, as the conversation knows it."""
        return Place(self.platform, self.workspace, self.channel)


class Msp(_Settings):
    """The managed service provider."""

    name: str
    technicians: Channel
    """Where cards wait for approval: private, and no client in it."""
    admins: Channel
    """Where cases about the MSP's own people go."""
    phone: str
    """Whom a manager rings when nobody picks a lock-out up."""
    time_zone: str = "UTC"
    """Whose eight o'clock the morning message comes at."""
    minutes_a_case: int = Field(default=15, ge=0, le=480)
    """What a case is charged on the time sheet, at a service desk; 0: nothing."""
    pager: str = ""
    """Secret reference to the webhook that pages the person on call; empty: nobody is paged."""

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        return known_zone(value)

    @property
    def zone(self) -> ZoneInfo:
        """The zone the MSP's people live in."""
        return ZoneInfo(self.time_zone)


class _Found:
    """People by what is known of them; the first of two counts."""

    def __init__(self, people: tuple[Person, ...]) -> None:
        self.people = people
        self.by_id = {person.id: person for person in reversed(people)}
        self.by_identity = {name: person for person in reversed(people) for name in person.known_as}


class Roster(_Settings):
    """Everybody and everything configured; the only answer to 'who is this?'."""

    msp: Msp
    people: tuple[Person, ...]
    clients: tuple[Client, ...]
    bound: dict[str, tuple[str, ...]] = {}
    """Workspace ('slack/T0CONTOSO') → whose it is: clients' ids, or MSP. Nothing of a platform: not told for it."""
    _found: _Found = PrivateAttr(default_factory=lambda: _Found(()))

    @model_validator(mode="after")
    def _names_are_unique_and_known(self) -> Roster:
        for kind, names in (
            ("person id", [person.id for person in self.people]),
            ("client id", [client.id for client in self.clients]),
            ("identity", [name for person in self.people for name in person.identities]),
        ):
            for name, count in Counter(names).items():
                if count > 1:
                    raise ValueError(f"the {kind} '{name}' is there more than once; each needs its own")
        known = {client.id for client in self.clients}
        for person in self.people:
            for name in (*person.manages, *person.sees_all, *person.directory):
                if name not in known:
                    raise ValueError(f"person '{person.id}' names client '{name}', which is not configured")
        return self

    def who(self, actor: Actor) -> Person | None:
        """The person behind a platform identity, with the rights they have from there; None for strangers."""
        name = str(actor)
        person = self._people_found.by_identity.get(name)
        if person is None or not any(place.startswith(f"{actor.platform}/") for place in self.bound):
            return person
        whose = self.bound.get(f"{actor.platform}/{actor.workspace}", ())
        if MSP in whose:
            return person
        return person.seen_from(whose) if whose else None

    def person(self, person_id: str) -> Person | None:
        """The person of that id, if still configured."""
        return self._people_found.by_id.get(person_id)

    @property
    def _people_found(self) -> _Found:
        # Every click asks, and a provider may have thousands; a copy of the roster may have other people.
        if self._found.people is not self.people:
            self._found = _Found(self.people)
        return self._found

    def name_of(self, person_id: str) -> str:
        """How cards call that person."""
        person = self.person(person_id)
        return person.name if person else person_id

    def client(self, client_id: str) -> Client | None:
        """The client of that id, if still configured."""
        return next((client for client in self.clients if client.id == client_id), None)

    def belonging_to(self, client_id: str) -> list[Person]:
        """Everybody configured as one of that client's people."""
        return [person for person in self.people if client_id in person.belongs_to]

    def managers(self, client_id: str) -> list[Person]:
        """Who may ask for that client."""
        return [person for person in self.people if client_id in person.manages]
