"""What a person does because no system of ours can: keep some access, take a backup, collect a device."""

from __future__ import annotations

from connectors.contract import Choices, Task, Wave
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.guards import Ctx
from connectors.microsoft365.shapes import PersonsTask, access_ends


class PartialAccess(PersonsTask):
    """Some access stays: a person takes the rest away, since only people can weigh which."""

    id = "microsoft365.partial_access"
    title = "Reduce to the access that stays"
    wave = Wave.LOCK_OUT
    controls = ("CIS 6.2", "NIST PS-5", "NIST AC-6")

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return not access_ends(choices)

    def task(self, ctx: Ctx) -> Task:
        stays = ctx.choices.get("access.stays", "") or "nobody has said what yet: ask the requester"
        return Task(
            reason="the client decided that part of the access stays, so sign-in is not blocked",
            instructions=(
                f"What stays, and until when, in the requester's words: {stays}. In https://entra.microsoft.com and "
                f"https://admin.microsoft.com take every other group, role, licence and application from "
                f"{ctx.account.name} ({ctx.facts.user_name or ctx.account.user_name}), reset the password and end the "
                "sessions. On the day it ends, open a case of its own with everything."
            ),
        )


class TakeBackup(PersonsTask):
    """A backup before anything is cleaned up; which product takes it is the provider's."""

    id = "microsoft365.take_backup"
    title = "Take a backup"
    wave = Wave.PRESERVE
    early = True
    controls = ("CIS 11.2", "NIST CP-9")

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return choices.get("backup") == "yes"

    def task(self, ctx: Ctx) -> Task:
        known = ctx.facts.belongings
        what = ["the mailbox"] if known.mailbox else []
        what += ["the OneDrive"] if known.drive else []
        what += [f"the device {device.title}" for device in known.devices]
        return Task(
            reason="the client wants a backup before anything is taken away",
            instructions=(
                f"With your backup product, back up {', '.join(what) or 'what they have'} of {ctx.account.name} "
                f"({ctx.facts.user_name or ctx.account.user_name}), and their folders on servers. Open it once to see "
                "that it can be restored. What waits for it goes on when you say it is done: write where it lies."
            ),
        )


class ReturnDevices(PersonsTask):
    """Devices to be handed in."""

    id = "microsoft365.return_devices"
    title = "Get devices back"
    wave = Wave.CLEAN_UP
    controls = ("CIS 1.1", "NIST PS-4")

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return any(choices.get(f"devices.{device.id}") == "return" for device in facts.belongings.devices)

    def task(self, ctx: Ctx) -> Task:
        back = [one for one in ctx.facts.belongings.devices if ctx.choices.get(f"devices.{one.id}") == "return"]
        return Task(
            reason="somebody has to collect them",
            instructions=(
                f"Get these back from {ctx.account.name}, and note when: {', '.join(one.title for one in back)}. Save "
                "the BitLocker key (Entra > Devices > the device) before you reset or delete one: deleting the device "
                "loses it."
            ),
        )


class OwnedApplications(PersonsTask):
    """Applications they own: an owner can add a secret to one and act as it."""

    id = "microsoft365.owned_applications"
    title = "Hand over applications they own"
    wave = Wave.CLEAN_UP
    controls = ("CIS 6.2", "NIST PS-4", "NIST AC-6")

    def wanted(self, choices: Choices, facts: Microsoft365Facts) -> bool:
        return access_ends(choices) and bool(facts.belongings.owned_applications)

    def task(self, ctx: Ctx) -> Task:
        named = ", ".join(ctx.facts.belongings.owned_applications)
        return Task(
            reason="owners of applications can add secrets to them and act as them; only people know who takes over",
            instructions=(
                f"In https://entra.microsoft.com, App registrations, owned by {ctx.account.name}: {named}. "
                "Add another owner, remove this one, and replace every secret and certificate they could have read."
            ),
        )
