"""The lock-out at Exchange: ways in, phones, forwarding and rules that carry mail away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import cast

from pydantic import JsonValue

from connectors.contract import (
    LATER,
    Accepted,
    Choices,
    Done,
    Failed,
    Finding,
    Intent,
    Item,
    Json,
    Nothing,
    Outcome,
    Step,
    Todo,
    Waiting,
    Wave,
)
from connectors.exchange.addresses import accepted_domains
from connectors.exchange.client import PERMISSION, ExchangeApi, NoSuchObject, refused_as
from connectors.exchange.devices import ERASED, Device, read_devices
from connectors.exchange.facts import Ctx, ExchangeFacts, forwarding, gone, look_again_in, mailbox_now
from connectors.exchange.mailboxes import Mailbox
from connectors.exchange.people import may_open, person_chosen
from connectors.exchange.protocols import FOR_OTHERS, OFF, read_protocols, set_protocols, still_open
from connectors.exchange.rules import Rule, read_rules
from connectors.http import RefusedWith

CONTROLS = ("CIS 6.2", "NIST PS-4", "NIST AC-2(3)")


def stays_partly(choices: Choices) -> bool:
    """Whether some access stays, so that mail may be part of it."""
    return choices.get("access") == "partial"


class StopProtocols(Step[ExchangeApi, ExchangeFacts]):
    """Shut every way of reaching the mailbox. Undone by opening those that were open."""

    id = "exchange.stop_protocols"
    title = "Shut the mailbox to Outlook, web, phones and old protocols"
    wave = Wave.LOCK_OUT
    lag = timedelta(minutes=15)
    controls = CONTROLS
    permissions = (PERMISSION,)

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        # A shared mailbox, a room: others work in it by these very switches.
        return facts.personal and not stays_partly(choices)

    async def look(self, ctx: Ctx) -> Finding:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return Nothing(await gone(ctx))
        switches = await read_protocols(ctx.api, mailbox)
        left = still_open(switches)
        if not left:
            return Nothing(f"all {len(switches)} ways into the mailbox read as shut")
        if set(left) <= set(FOR_OTHERS) and await _opened_for_another(ctx, mailbox):
            return Nothing("shut, but for Outlook and web, by which its new user opens it; sign-in reads as blocked")
        return Todo((Item(key="protocols", title="Ways into the mailbox", before=dict(switches)),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        await set_protocols(ctx.api, ctx.facts.mailbox, {name: OFF[name] for name in item.before if name in OFF})
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return Done(await gone(ctx))
        switches = await read_protocols(ctx.api, mailbox)
        if left := still_open(switches):
            return Waiting(look_again_in(ctx, intent.at), f"Exchange still shows {', '.join(left)} open")
        return Done(f"all {len(switches)} ways into the mailbox read as shut")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        before = {name: cast("bool | None", value) for name, value in item.before.items() if name in OFF}
        await set_protocols(ctx.api, ctx.facts.mailbox, before)
        now = await read_protocols(ctx.api, ctx.facts.mailbox)
        if all(now.get(name) == value for name, value in before.items()):
            return Done("the ways into the mailbox read as they stood before")
        return Waiting(15, "Exchange does not show the ways into the mailbox as before yet")


class RemoveDevices(Step[ExchangeApi, ExchangeFacts]):
    """Have phones erase the company's mail at their next contact; never the whole phone.

    A device too old for that loses its partnership instead. Undone, by cancelling, until a phone has heard.
    """

    id = "exchange.remove_devices"
    title = "Erase company mail from phones"
    wave = Wave.LOCK_OUT
    side_by_side = True
    lag = timedelta(minutes=15)
    controls = (*CONTROLS, "NIST MP-6")
    permissions = (PERMISSION,)
    irreversible = "A phone that has erased its mail must be set up again; the mailbox itself loses nothing."

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return facts.personal and not stays_partly(choices)

    async def look(self, ctx: Ctx) -> Finding:
        devices = await self._devices(ctx)
        left = [device for device in devices if not device.state]
        if not left:
            return Nothing(_devices_told(devices))
        return Todo(
            tuple(Item(key=device.id, title=device.title, before={"last_sync": device.last_sync}) for device in left)
        )

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        anchor = ctx.facts.mailbox.user_name
        try:
            await ctx.api.invoke(
                "Clear-MobileDevice", anchor=anchor, Identity=item.key, AccountOnly=True, Confirm=False
            )
        except NoSuchObject:
            return Accepted("gone already")
        except RefusedWith as refused:
            if not refused_as(refused, "account only", "AccountOnly"):
                raise
            try:
                await ctx.api.invoke("Remove-MobileDevice", anchor=anchor, Identity=item.key, Confirm=False)
            except NoSuchObject:
                return Accepted("gone already")
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        if evidence := _erasing(item, await self._devices(ctx)):
            return Done(evidence)
        return Waiting(look_again_in(ctx, intent.at), f"Exchange does not show that {item.title} is to erase its mail")

    async def proved(self, ctx: Ctx, items: Sequence[Item]) -> Mapping[str, str]:
        devices = await self._devices(ctx)
        return {item.key: evidence for item in items if (evidence := _erasing(item, devices))}

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        device = next((one for one in await self._devices(ctx) if one.id == item.key), None)
        if device is None or device.state == ERASED:
            return None
        if device.state:
            await ctx.api.invoke(
                "Clear-MobileDevice",
                anchor=ctx.facts.mailbox.user_name,
                Identity=item.key,
                Cancel=True,
                Confirm=False,
            )
            device = next((one for one in await self._devices(ctx) if one.id == item.key), None)
        if device is not None and not device.state:
            return Done(f"{item.title} keeps its mail")
        return Waiting(15, f"Exchange still shows that {item.title} is to erase its mail")

    async def _devices(self, ctx: Ctx) -> tuple[Device, ...]:
        try:
            return await read_devices(ctx.api, ctx.account.id, ctx.facts.mailbox.user_name)
        except NoSuchObject:
            await gone(ctx)
            return ()


class ClearForwarding(Step[ExchangeApi, ExchangeFacts]):
    """Stop the mailbox from sending what arrives to somebody outside."""

    id = "exchange.clear_forwarding"
    title = "Stop forwarding to outside"
    wave = Wave.LOCK_OUT
    controls = (*CONTROLS, "NIST AC-4")
    permissions = (PERMISSION,)

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return facts.active

    async def look(self, ctx: Ctx) -> Finding:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return Nothing(await gone(ctx))
        place, leaves = await self._forwarding(ctx, mailbox)
        if not leaves:
            return Nothing(f"mail is forwarded to {place}, which is inside" if place else "mail is not forwarded")
        if _meant_to_leave(ctx.choices, mailbox):
            return Nothing(f"mail is forwarded to {place}, as was decided")
        return Todo((Item(key="forwarding", title=f"Forwarding to {place}", before=forwarding_of(mailbox)),))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        nothing: Json = {"ForwardingAddress": None, "ForwardingSmtpAddress": None, "DeliverToMailboxAndForward": False}
        await set_forwarding(ctx, nothing)
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        mailbox = await mailbox_now(ctx)
        if mailbox is None:
            return Done(await gone(ctx))
        place, leaves = await self._forwarding(ctx, mailbox)
        if leaves:
            return Waiting(look_again_in(ctx, intent.at), f"Exchange still shows mail forwarded to {place}")
        return Done("no forwarding to outside is set any more")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        return await restore_forwarding(ctx, item)

    async def _forwarding(self, ctx: Ctx, mailbox: Mailbox) -> tuple[str, bool]:
        if not (mailbox.forwarding_address or mailbox.forwarding_smtp):
            return "", False
        return await forwarding(ctx.api, mailbox, await accepted_domains(ctx.api))


class RemoveRules(Step[ExchangeApi, ExchangeFacts]):
    """Take away inbox rules, hidden ones too, that send mail outside or make all of it disappear."""

    id = "exchange.remove_rules"
    title = "Remove rules that send mail outside or hide it"
    wave = Wave.LOCK_OUT
    controls = (*CONTROLS, "NIST AC-4")
    permissions = (PERMISSION,)
    irreversible = "A hidden rule, or one that sorts into a folder, can't be made again by the bot."

    def wanted(self, choices: Choices, facts: ExchangeFacts) -> bool:
        return facts.active

    async def look(self, ctx: Ctx) -> Finding:
        rules = await self._rules(ctx)
        if not rules:
            return Nothing("no rule sends mail outside or hides all of it")
        return Todo(tuple(_rule_item(rule) for rule in rules))

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        try:
            await ctx.api.invoke(
                "Remove-InboxRule",
                anchor=ctx.facts.mailbox.user_name,
                Mailbox=ctx.account.id,
                Identity=item.key,
                Force=True,
                Confirm=False,
            )
        except NoSuchObject:
            return Accepted("gone already")
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        if any(rule.id == item.key for rule in await self._rules(ctx)):
            return Waiting(look_again_in(ctx, intent.at), f"Exchange still lists {item.title}")
        return Done(_off(item))

    async def proved(self, ctx: Ctx, items: Sequence[Item]) -> Mapping[str, str]:
        listed = {rule.id for rule in await self._rules(ctx)}
        return {item.key: _off(item) for item in items if item.key not in listed}

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        parameters = item.before.get("parameters")
        if not isinstance(parameters, dict):
            return None
        there = {rule.name for rule in await self._rules(ctx)}
        if parameters.get("Name") not in there:
            await ctx.api.invoke(
                "New-InboxRule", anchor=ctx.facts.mailbox.user_name, Mailbox=ctx.account.id, Force=True, **parameters
            )
            there = {rule.name for rule in await self._rules(ctx)}
        if parameters.get("Name") in there:
            return Done(f"{item.title} is listed again")
        return Failed(f"{item.title} was made again, and is not listed")

    async def _rules(self, ctx: Ctx) -> tuple[Rule, ...]:
        domains = await accepted_domains(ctx.api)
        try:
            return await read_rules(ctx.api, ctx.account.id, ctx.facts.mailbox.user_name, domains)
        except NoSuchObject:
            await gone(ctx)
            return ()


def forwarding_of(mailbox: Mailbox) -> dict[str, JsonValue]:
    """How its forwarding stands, as Set-Mailbox takes it."""
    return {
        "ForwardingAddress": mailbox.forwarding_address or None,
        "ForwardingSmtpAddress": f"smtp:{mailbox.forwarding_smtp}" if mailbox.forwarding_smtp else None,
        "DeliverToMailboxAndForward": mailbox.keeps_copy,
    }


async def set_forwarding(ctx: Ctx, values: Json) -> None:
    """All three together: what one of them leaves standing changes what the others mean."""
    await ctx.api.invoke("Set-Mailbox", anchor=ctx.facts.mailbox.user_name, Identity=ctx.account.id, **values)


async def restore_forwarding(ctx: Ctx, item: Item) -> Outcome:
    """Forwarding as it stood before."""
    await set_forwarding(ctx, dict(item.before))
    mailbox = await mailbox_now(ctx)
    if mailbox is not None and forwarding_of(mailbox) == item.before:
        return Done("forwarding reads as it stood before")
    return Waiting(15, "Exchange does not show the forwarding as before yet")


def _off(item: Item) -> str:
    return f"{item.title} is not listed any more"


def _rule_item(rule: Rule) -> Item:
    kind = "Hidden rule" if rule.hidden else "Rule"
    before: Json = {"does": rule.does, "hidden": rule.hidden, "parameters": rule.parameters}
    return Item(key=rule.id, title=f"{kind} '{rule.name}', which {rule.does}", before=before)


def _erasing(item: Item, devices: tuple[Device, ...]) -> str:
    """What these devices prove of it; '' while nothing shows that it erases the mail."""
    device = next((one for one in devices if one.id == item.key), None)
    if device is None:
        return f"{item.title} is not listed any more; mail it already holds stays on it"
    if device.state == ERASED:
        return f"{item.title} has erased the company's mail"
    if device.state:
        return f"{item.title} erases the company's mail at its next contact, if it ever makes one"
    return ""


def _devices_told(devices: tuple[Device, ...]) -> str:
    if not devices:
        return "no device fetches mail by itself"
    return f"all {len(devices)} devices are already to erase the company's mail"


def _meant_to_leave(choices: Choices, mailbox: Mailbox) -> bool:
    chosen = choices.get("mailbox.forward.to", "").casefold()
    meant = choices.get("mailbox.forward") == "external" and chosen not in ("", LATER)
    return meant and mailbox.forwarding_smtp.casefold() == chosen and not mailbox.forwarding_address


async def _opened_for_another(ctx: Ctx, mailbox: Mailbox) -> bool:
    """Whether Outlook and web are on for whoever took the mailbox over, its own account being blocked."""
    person = person_chosen(ctx.choices, "mailbox.access", ctx.account.id)
    if not person or not await may_open(ctx, mailbox, person):
        return False
    account = await ctx.read("microsoft365.account")
    return account.get("enabled") is False
