"""What the leaver has at Microsoft 365 beyond a way in: groups, licences, files, mailbox, devices, people.

Nothing here may hold up a lock-out: it is one request beside the others, has a few seconds, and what can't be
read is named. Then the steps are planned all the same, and look for themselves.
"""

from __future__ import annotations

import asyncio

from pydantic import BaseModel, ConfigDict

from connectors.contract import Json, VendorError
from connectors.http import RefusedWith
from connectors.microsoft365.client import VENDOR, Graph, text
from connectors.microsoft365.client_batch import Answer, Part, read_batch, values
from connectors.microsoft365.devices import Device, device_parts, devices_of
from connectors.microsoft365.groups import GROUP_FIELDS, Group, group_of, groups_among, read_owners
from connectors.microsoft365.licences import PRODUCT_FIELDS, Licence, licences_of, products_of

PATIENCE = 6.0
"""Seconds that all of it may take."""
PARTS = ("groups", "owned groups", "applications", "consents", "licences", "devices", "files", "mailbox", "people")
_PERSON_FIELDS = ("id", "displayName", "mail", "userPrincipalName", "accountEnabled")
_REPORT_FIELDS = ("id", "displayName", "onPremisesSyncEnabled")


class Somebody(BaseModel):
    """Another person in the directory."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    mail: str = ""
    enabled: bool = True


class Owned(BaseModel):
    """A group the leaver owns, and how many others do."""

    model_config = ConfigDict(frozen=True)

    group: Group
    others: int = 0


class Belongings(BaseModel):
    """As it was read for a plan."""

    model_config = ConfigDict(frozen=True)

    groups: tuple[Group, ...] = ()
    owned: tuple[Owned, ...] = ()
    owned_applications: tuple[str, ...] = ()
    """Names of applications and service principals they own."""
    applications: int = 0
    """Applications assigned to them directly."""
    consents: int = 0
    """Applications they allowed to act in their name."""
    licences: tuple[Licence, ...] = ()
    devices: tuple[Device, ...] = ()
    drive: str = ""
    """Id of their OneDrive; empty when they never had one."""
    drive_bytes: int | None = None
    mailbox: bool = False
    """A mailbox in the cloud."""
    purpose: str = ""
    """What the mailbox is for: 'user', 'shared', 'room', 'equipment'."""
    reply_on: bool = False
    """An automatic reply is switched on already."""
    manager: Somebody | None = None
    reports: tuple[Somebody, ...] = ()
    """Who reports to them directly."""
    organisation: str = ""
    unread: tuple[str, ...] = PARTS
    """Which of PARTS are not known."""
    why: tuple[str, ...] = ()
    """What went wrong with them, as sentences."""

    @property
    def sole_owner_of(self) -> tuple[Group, ...]:
        """Groups that nobody else owns and somebody may be given: neither the domain's, nor one that gives roles."""
        return tuple(one.group for one in self.owned if not one.others and one.group.may_be_given)

    def may_have(self, part: str, known: object) -> bool:
        """Whether they have some of that, or whether it could not be told."""
        return bool(known) or part in self.unread


async def read_belongings(api: Graph, user: str) -> tuple[Belongings, dict[str, Json]]:
    """Everything that takes no other answer first; the products by id come along, for naming licences."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await _Reading(api, user).read()
    except TimeoutError:
        return Belongings(why=(f"{VENDOR} took longer than {PATIENCE:g} s.",)), {}
    except VendorError as error:
        return Belongings(why=(error.message,)), {}


async def read_ownership(api: Graph, user: str, owned: list[Json] | None, known: Belongings) -> Belongings:
    """The same with what they own, and who else does. `owned` is None where it could not be read."""
    if owned is None:
        return known
    groups = groups_among(owned)
    kinds = ("#microsoft.graph.application", "#microsoft.graph.servicePrincipal")
    names = tuple(dict.fromkeys(text(one, "displayName") for one in owned if text(one, "@odata.type") in kinds))
    try:
        async with asyncio.timeout(PATIENCE):
            owners = await read_owners(api, tuple(group.id for group in groups))
    except (TimeoutError, VendorError) as error:
        told = error.message if isinstance(error, VendorError) else f"the owners took longer than {PATIENCE:g} s"
        return known.model_copy(update={"owned_applications": names, "why": (*known.why, told)})
    shared = tuple(Owned(group=group, others=len(owners.get(group.id, frozenset()) - {user})) for group in groups)
    left = tuple(part for part in known.unread if part != "owned groups")
    return known.model_copy(update={"owned": shared, "owned_applications": names, "unread": left})


def with_licences(known: Belongings, user: Json, products: dict[str, Json]) -> Belongings:
    """The same with the licences that the account's own record lists."""
    held = licences_of(user, products_of(products.values()))
    return known.model_copy(update={"licences": held})


class _Reading:
    """One batch, taken apart."""

    def __init__(self, api: Graph, user: str) -> None:
        self.api = api
        person = api.user(user)
        self.parts = {
            "groups": Part(person.member_of.graph_group.to_get_request_information(), {"select": GROUP_FIELDS}),
            "applications": Part(person.app_role_assignments.to_get_request_information()),
            "consents": Part(person.oauth2_permission_grants.to_get_request_information()),
            "products": Part(api.sdk.subscribed_skus.to_get_request_information(), {"select": PRODUCT_FIELDS}),
            "drive": Part(person.drive.to_get_request_information(), {"select": ("id", "quota")}),
            "mailbox": Part(person.mailbox_settings.to_get_request_information()),
            "manager": Part(person.manager.to_get_request_information(), {"select": _PERSON_FIELDS}),
            "reports": Part(person.direct_reports.to_get_request_information(), {"select": _REPORT_FIELDS}),
            "organisation": Part(api.sdk.organization.to_get_request_information(), {"select": ("id", "displayName")}),
            **device_parts(api, user),
        }
        self.answers: dict[str, Answer] = {}
        self.why: list[str] = []
        self.unread: list[str] = ["owned groups"]

    async def read(self) -> tuple[Belongings, dict[str, Json]]:
        self.answers = await read_batch(self.api, self.parts)
        groups = await self._all("groups", "groups")
        applications = await self._all("applications", "applications")
        consents = await self._all("consents", "consents")
        products = await self._all("products", "licences")
        devices = [*await self._all("registered devices", "devices"), *await self._all("owned devices", "devices")]
        drive = self._one("drive", "files")
        mailbox = self._one("mailbox", "mailbox")
        manager = self._one("manager", "people")
        reports = await self._all("reports", "people")
        organisation = await self._all("organisation", "")
        quota = drive.get("quota") if drive else None
        used = quota.get("used") if isinstance(quota, dict) else None
        reply = mailbox.get("automaticRepliesSetting") if mailbox else None
        known = Belongings(
            groups=tuple(group_of(one) for one in groups),
            applications=len(applications),
            consents=sum(1 for one in consents if one.get("consentType") == "Principal"),
            devices=devices_of(devices),
            drive=text(drive, "id") if drive else "",
            drive_bytes=used if isinstance(used, int) else None,
            mailbox=mailbox is not None,
            purpose=text(mailbox, "userPurpose").casefold() if mailbox else "",
            reply_on=isinstance(reply, dict) and text(reply, "status") not in ("", "disabled"),
            manager=somebody(manager) if manager else None,
            reports=tuple(somebody(one) for one in reports),
            organisation=text(organisation[0], "displayName") if organisation else "",
            unread=tuple(dict.fromkeys(self.unread)),
            why=tuple(self.why),
        )
        return known, {text(one, "skuId"): one for one in products}

    async def _all(self, name: str, part: str) -> list[Json]:
        try:
            return await values(self.api, self.parts[name], self.answers[name])
        except VendorError as error:
            self._failed(part, error)
            return []

    def _one(self, name: str, part: str) -> Json | None:
        """One object; None when there is none, or when it could not be read."""
        answer = self.answers[name]
        if not isinstance(answer, VendorError):
            return answer
        if not (isinstance(answer, RefusedWith) and answer.status == 404):
            self._failed(part, answer)
        return None

    def _failed(self, part: str, error: VendorError) -> None:
        if part:
            self.unread.append(part)
            self.why.append(f"Could not read their {part}: {error.message}.")


def somebody(record: Json) -> Somebody:
    """A person as Graph writes them down."""
    return Somebody(
        id=text(record, "id"),
        name=text(record, "displayName") or text(record, "id"),
        mail=text(record, "mail") or text(record, "userPrincipalName"),
        enabled=record.get("accountEnabled") is not False,
    )


async def read_somebody(api: Graph, person: str) -> Somebody | None:
    """Somebody named in an answer, afresh; None when there is no such account any more."""
    found = await api.find(api.user(person).to_get_request_information(), select=_PERSON_FIELDS)
    return somebody(found) if found else None
