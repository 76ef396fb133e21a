"""The leaver as a contact of the service desk: their sign-in to its portal ends, and they count as active no more."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from connectors.connectwise.agreements import read_agreements
from connectors.connectwise.client import Change, ConnectWiseApi, gone
from connectors.connectwise.facts import (
    ConnectWiseFacts,
    Ctx,
    access_ends,
    look_again_in,
    read_devices,
    roles_of,
)
from connectors.connectwise.people import CONTACTS, contact_id, full_name, read_company, read_contact
from connectors.connectwise.records import Record, flag
from connectors.contract import (
    Accepted,
    Choices,
    Done,
    Failed,
    Finding,
    Intent,
    Item,
    Nothing,
    Outcome,
    Step,
    Task,
    TaskStep,
    Todo,
    Waiting,
    Wave,
)

PORTAL, INACTIVE = "disablePortalLoginFlag", "inactiveFlag"
_EDIT = "Companies > Contacts (edit, inquire)"
_NO_CONTACT = "the contact is gone from ConnectWise"


class _Flags(Step[ConnectWiseApi, ConnectWiseFacts]):
    """Turns flags of the contact on; undone by the flags as they stood."""

    lag = timedelta(minutes=5)
    permissions = (_EDIT,)
    sets: tuple[str, ...]
    so: str
    """As evidence says it."""

    async def look(self, ctx: Ctx) -> Finding:
        record = await read_contact(ctx.api, contact_id(ctx.account))
        if record is None:
            return Nothing(_NO_CONTACT)
        if all(flag(record, name) for name in self.sets):
            return Nothing(f"{full_name(record)} reads as {self.so}")
        return await self.barred(ctx, record) or Todo((self._item(record),))

    async def barred(self, ctx: Ctx, record: Record) -> Task | None:
        """What a person must settle first."""
        return None

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await ctx.api.change(f"{CONTACTS}/{item.key}", *(Change(name, value=True) for name in self.sets))
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        record = await read_contact(ctx.api, contact_id(ctx.account))
        if record is None:
            return Done(_NO_CONTACT)
        if all(flag(record, name) for name in self.sets):
            return Done(f"{full_name(record)} reads as {self.so}")
        if ctx.clock.now() - intent.at >= self.lag:
            return Failed(f"{full_name(record)} does not read as {self.so}, whatever ConnectWise answered")
        return Waiting(look_again_in(ctx, intent.at), f"ConnectWise does not show it yet: {self.so}")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        path = f"{CONTACTS}/{item.key}"
        await ctx.api.change(path, *(Change(name, value=item.before.get(name) is True) for name in self.sets))
        record = await read_contact(ctx.api, int(item.key))
        if record is None:
            raise gone(path, item.title)
        if all(flag(record, name) is (item.before.get(name) is True) for name in self.sets):
            return Done(f"{full_name(record)} is as before")
        return Waiting(2, "ConnectWise does not show it yet")

    def _item(self, record: Record) -> Item:
        before = {name: flag(record, name) for name in self.sets}
        return Item(key=str(record.get("id")), title=full_name(record), before=dict(before))


class EndPortalLogin(_Flags):
    """They can't sign in to the service desk's portal any more, where tickets of the whole client may be read."""

    id = "connectwise.end_portal_login"
    title = "End sign-in to the service desk's portal"
    wave = Wave.LOCK_OUT
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-2(3)")
    sets = (PORTAL,)
    so = "shut out of the portal"

    def wanted(self, choices: Choices, facts: ConnectWiseFacts) -> bool:
        return facts.contact is not None and facts.contact.portal and access_ends(choices)


class ContactInactive(_Flags):
    """Nobody at the desk takes them for a contact any more; one that invoices or tickets hang on is a person's task."""

    id = "connectwise.contact_inactive"
    title = "Make their contact inactive"
    wave = Wave.CLEAN_UP
    after = (EndPortalLogin.id,)
    controls = ("CIS 5.3", "NIST PS-4")
    sets = (INACTIVE, PORTAL)
    so = "inactive, without portal"

    def wanted(self, choices: Choices, facts: ConnectWiseFacts) -> bool:
        return facts.contact is not None and not facts.contact.inactive and access_ends(choices)

    async def barred(self, ctx: Ctx, record: Record) -> Task | None:
        company, agreements = await asyncio.gather(read_company(ctx.api, afresh=True), read_agreements(ctx.api))
        roles = roles_of(contact_id(ctx.account), record, company, agreements)
        if not roles:
            return None
        return Task(
            reason=f"{full_name(record)} is {'; '.join(roles)}",
            instructions=(
                "Ask the client who takes that over, set that contact in each of these places in ConnectWise, then "
                "retry: the rest is done for you."
            ),
        )


class ListDevices(TaskStep[ConnectWiseApi, ConnectWiseFacts]):
    """Their configurations, each to be returned, given on or retired; closing it reads whether any is still theirs."""

    id = "connectwise.devices"
    title = "Equipment in ConnectWise"
    wave = Wave.CLEAN_UP
    controls = ("CIS 1.1", "NIST PS-4")

    def wanted(self, choices: Choices, facts: ConnectWiseFacts) -> bool:
        return bool(facts.devices) and access_ends(choices)

    def task(self, ctx: Ctx) -> Task:
        named = "; ".join(f"{device.title}, #{device.id}" for device in ctx.facts.devices)
        return Task(
            reason="only people know what becomes of each",
            instructions=(
                f"Get back, give on or retire: {named}. Then, in Companies > Configurations, set each one's contact "
                "to its new user or remove it, or give it an inactive status."
            ),
        )

    async def look(self, ctx: Ctx) -> Finding:
        left = await read_devices(ctx.api, contact_id(ctx.account))
        return self.task(ctx) if left else Nothing(_NO_DEVICES)

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        left = await read_devices(ctx.api, contact_id(ctx.account))
        if not left:
            return Done(_NO_DEVICES)
        return Failed(f"still theirs in ConnectWise: {'; '.join(one.title for one in left)}")


_NO_DEVICES = "no active configuration has them as its contact"
