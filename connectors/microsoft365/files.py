"""OneDrive: whom the files are shared with."""

from __future__ import annotations

from connectors.contract import (
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
    Task,
    Todo,
    Waiting,
    Wave,
)
from connectors.http import RefusedWith
from connectors.microsoft365.belongings import read_somebody
from connectors.microsoft365.client import is_gone, text
from connectors.microsoft365.client_links import drive_item
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.guards import Ctx, look_again_in
from connectors.microsoft365.ownership import names_a_person
from connectors.microsoft365.shapes import Change

_NO_DRIVE = "they never had a OneDrive"


class ShareFiles(Change):
    """Give the person named write access to the whole OneDrive, without a mail about it."""

    id = "microsoft365.share_files"
    title = "Share the OneDrive"
    wave = Wave.HAND_OVER
    controls = ("CIS 3.3", "NIST PS-4")
    permissions = ("Files.ReadWrite.All", "User.Read.All")

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        known = facts.belongings
        return names_a_person(choices, "files") and known.may_have("files", known.drive)

    async def see(self, ctx: Ctx) -> Finding:
        heir = ctx.choices["files"]
        # Not set up yet reads as 404, "User's mysite not found."
        drive = await ctx.api.find(ctx.api.user(ctx.account.id).drive.to_get_request_information(), select=("id",))
        if drive is None:
            return Nothing(_NO_DRIVE)
        root = await ctx.api.read(ctx.api.sdk.drives.by_drive_id(text(drive, "id")).root.to_get_request_information())
        place: Json = {"drive": text(drive, "id"), "root": text(root, "id"), "to": heir}
        if await _permission(ctx, place):
            return Nothing(f"{ctx.choices.get('files.name', heir)} can write there already")
        person = await read_somebody(ctx.api, heir)
        if person is None or not person.enabled or not person.mail:
            return Task(
                reason="the person named for the files has no working account",
                instructions=(
                    "Ask the requester who gets the files, and share the OneDrive in the SharePoint admin centre."
                ),
            )
        return Todo(
            (Item(key=text(drive, "id"), title=f"OneDrive, for {person.name}", before={**place, "mail": person.mail}),)
        )

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        body: Json = {
            "recipients": [{"email": item.before.get("mail")}],
            "roles": ["write"],
            "requireSignIn": True,
            "sendInvitation": False,
        }
        await ctx.api.send(
            "POST",
            drive_item(ctx.api, str(item.before["drive"]), str(item.before["root"])).invite,
            self.permissions,
            body,
        )
        return Accepted()

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        try:
            permission = await _permission(ctx, item.before)
        except RefusedWith as refused:
            if is_gone(refused):
                return Failed("the OneDrive is not there any more")
            raise
        if permission is None:
            return Waiting(look_again_in(ctx, intent.at), "the permission is not listed yet")
        return Done(f"{ctx.choices.get('files.name', item.before.get('mail'))} can write to the whole OneDrive")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        permission = await _permission(ctx, item.before)
        if permission is not None:
            root = drive_item(ctx.api, str(item.before["drive"]), str(item.before["root"]))
            where = root.permissions.by_permission_id(text(permission, "id"))
            try:
                await ctx.api.send("DELETE", where, self.permissions)
            except RefusedWith as refused:
                if not is_gone(refused):
                    raise
        if await _permission(ctx, item.before) is not None:
            return Waiting(2, "the permission is still listed")
        return Done("the OneDrive is not shared with them any more")


async def _permission(ctx: Ctx, place: Json) -> Json | None:
    """What lets that person write at the root, by their object id: a name or address could be somebody else's."""
    root = drive_item(ctx.api, str(place["drive"]), str(place["root"]))
    for one in await ctx.api.read_all(root.permissions.to_get_request_information()):
        roles, granted = one.get("roles"), one.get("grantedToV2")
        user = granted.get("user") if isinstance(granted, dict) else None
        writes = isinstance(roles, list) and any(role in ("write", "owner") for role in roles)
        if writes and isinstance(user, dict) and user.get("id") == place["to"]:
            return one
    return None
