"""Devices: disabled here, wiped by a person in Intune."""

from __future__ import annotations

from connectors.contract import (
    Accepted,
    Choices,
    Done,
    Finding,
    Intent,
    Item,
    Nothing,
    Outcome,
    Refused,
    Todo,
    Unreadable,
    Waiting,
    Wave,
)
from connectors.http import RefusedWith
from connectors.microsoft365.client import VENDOR, is_gone
from connectors.microsoft365.devices import Device, read_devices
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.guards import Ctx, look_again_in
from connectors.microsoft365.shapes import Change
from connectors.microsoft365.tasks import TakeBackup


def answered(choices: Choices, facts: Microsoft365Facts, answer: str) -> tuple[Device, ...]:
    """The devices that were given this answer."""
    return tuple(one for one in facts.belongings.devices if choices.get(f"devices.{one.id}") == answer)


class DisableDevices(Change):
    """Disable devices in Entra: what they hold of a sign-in ends, and nothing on them is touched.

    Part of the lock-out's wave: a device's own key renews sign-ins. It waits for its answer, though, and the account
    is blocked without it, so it is no way in of its own.
    """

    id = "microsoft365.disable_devices"
    title = "Disable devices"
    wave = Wave.LOCK_OUT
    controls = ("CIS 1.2", "NIST PS-4", "NIST AC-19")
    permissions = ("Device.ReadWrite.All",)

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return bool(answered(choices, facts, "disable"))

    async def see(self, ctx: Ctx) -> Finding:
        chosen = {one.id for one in answered(ctx.choices, ctx.facts, "disable")}
        there = [one for one in await self._read(ctx) if one.id in chosen]
        enabled = [one for one in there if one.enabled]
        if not enabled:
            return Nothing("every device chosen is disabled or gone")
        return Todo(
            tuple(
                Item(key=one.id, title=one.title, before={"accountEnabled": True, "hybrid": one.hybrid})
                for one in enabled
            )
        )

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        try:
            await self._switch(ctx, item, on=False)
        except RefusedWith as refused:
            if not is_gone(refused):
                raise
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        device = next((one for one in await self._read(ctx) if one.id == item.key), None)
        if device is None:
            return Done(f"{item.title} is not theirs any more")
        if device.enabled:
            return Waiting(look_again_in(ctx, intent.at), f"Graph still shows {item.title} enabled")
        if item.before.get("hybrid") is True:
            return Done(
                f"{item.title} reads as disabled; it is joined to the domain, too, which enables it again at the next "
                "sync until its computer account is disabled there"
            )
        return Done(f"{item.title} reads as disabled")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        await self._switch(ctx, item, on=True)
        device = next((one for one in await self._read(ctx) if one.id == item.key), None)
        if device is not None and device.enabled:
            return Done(f"{item.title} is enabled again")
        return Waiting(2, f"Graph does not show {item.title} enabled yet")

    async def _switch(self, ctx: Ctx, item: Item, *, on: bool) -> None:
        # By object id: Graph has a device id, too, which is another.
        where = ctx.api.sdk.devices.by_device_id(item.key)
        await ctx.api.send("PATCH", where, self.permissions, {"accountEnabled": on})

    async def _read(self, ctx: Ctx) -> tuple[Device, ...]:
        try:
            return await read_devices(ctx.api, ctx.account.id)
        except RefusedWith as refused:
            if is_gone(refused):
                return ()
            raise


class WipeDevices(Change):
    """Wiping loses what is on a device: a second technician approves it, and a person does it in Intune."""

    id = "microsoft365.wipe_devices"
    title = "Wipe devices"
    wave = Wave.CLEAN_UP
    requires = (TakeBackup.id,)
    repeatable = False
    controls = ("CIS 1.2", "CIS 3.5", "NIST PS-4", "NIST MP-6")
    permissions = ("Directory.Read.All",)
    irreversible = "What is on a wiped device is gone for good."

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return bool(answered(choices, facts, "wipe"))

    async def see(self, ctx: Ctx) -> Finding:
        chosen = answered(ctx.choices, ctx.facts, "wipe")
        return Todo(
            tuple(
                Item(key=one.id, title=one.title, before={"owner": one.owner, "name": one.name}, destroys=True)
                for one in chosen
            )
        )

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        name = item.before.get("name")
        if item.before.get("owner") == "company":
            how = f"open Devices > {name} > Wipe, without keeping enrolment or user data"
        else:
            how = (
                f"open Devices > {name} > Retire, never Wipe: it is not known to be the company's, and a wipe takes "
                "private data"
            )
        raise Refused(
            VENDOR,
            f"wipe {item.title}",
            "the bot never wipes; a person does",
            f"Save the BitLocker key, then in https://intune.microsoft.com {how}. It is done when the device has "
            "checked in; then say so here.",
        )

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        return Unreadable("whether a device was wiped is not read here")
