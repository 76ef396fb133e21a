"""What only the client can decide about a leaver's Microsoft 365, each question only where it has a subject.

The recommendations are small pure rules, so that each can be read, tested and argued about.
"""

from __future__ import annotations

from connectors.contract import Choice, Choices, Question, Topic, Typed
from connectors.microsoft365.auto_reply import NO_REPLY, STANDARD, standard_reply
from connectors.microsoft365.belongings import Belongings, Somebody
from connectors.microsoft365.devices import Device
from connectors.microsoft365.facts import Microsoft365Facts
from connectors.microsoft365.shapes import access_ends

STANDING = ("access", "mailbox.reply", "backup", "licences", "rename")
"""Questions a client can answer once and for all in clients.yml."""


def questions(facts: Microsoft365Facts, choices: Choices) -> tuple[Question, ...]:
    """Everything there is to ask about this leaver, in the order of its topics. Pure."""
    if facts.deleted or facts.break_glass:
        return ()
    known = facts.belongings
    asked = [*_access(known, choices), *_reply(facts), *_files(known), *_teams(known), *_reports(known)]
    asked += _backup(known, choices)
    if access_ends(choices):
        asked += _licences(known, choices)
    asked += [_device(device) for device in known.devices]
    asked += _rename(facts)
    return tuple(sorted(asked, key=lambda question: question.topic))


# --- rules --------------------------------------------------------------------------------------


def recommended_person(manager: Somebody | None) -> tuple[str, str]:
    """Whom to recommend for what the leaver leaves behind, and why: their own manager, while there is one."""
    if manager is None or not manager.enabled:
        return "", ""
    return manager.id, f"{manager.name} is their manager."


def recommended_licences(known: Belongings, choices: Choices) -> tuple[str, str]:
    """Release what nobody needs any more; keep what a mailbox that stays as it is lives on."""
    if choices.get("mailbox") == "keep" and any(one.carries_mailbox for one in known.licences):
        return "keep", "The mailbox stays as it is, and it lives on this licence."
    if choices.get("mailbox") == "shared licensed":
        return "release", "All but the one the mailbox needs, which stays; each one costs money every month."
    return "release", "Nobody uses them any more, and each one costs money every month."


def recommended_backup(choices: Choices) -> tuple[str, str]:
    """A dispute is when a backup is missed most."""
    if choices.get("contentious") == "yes":
        return "yes", "If there is a dispute, you want to show what was there."
    return "no", "Mail and files are kept for you; a copy of its own is rarely needed."


def recommended_device(device: Device) -> tuple[str, str]:
    """Disabling ends access and touches nothing on the device, whoever owns it."""
    whose = "It is private: nothing on it is touched" if device.owner == "personal" else "Nothing on it is lost"
    return "disable", f"{whose}, and it can be switched on again."


# --- questions ----------------------------------------------------------------------------------


def _access(known: Belongings, choices: Choices) -> list[Question]:
    if not (known.licences or known.mailbox):
        return []
    asked = [
        Question(
            "access",
            Topic.HOW_MUCH,
            "Does all access end, or does some of it stay?",
            (
                Choice("everything", "Everything ends", "No sign-in at all. Mail and files are kept for others."),
                Choice(
                    "partial",
                    "Some access stays",
                    "Sign-in is not blocked: a technician takes away the rest by hand, so it takes longer.",
                ),
            ),
            recommended="everything",
            reason="Whoever has left needs no access, and what stays open is forgotten.",
            can_wait=False,
        )
    ]
    if not access_ends(choices):
        asked.append(
            Question(
                "access.stays", Topic.HOW_MUCH, "What stays, and until which day?", typed=Typed.TEXT, can_wait=False
            )
        )
    return asked


def _reply(facts: Microsoft365Facts) -> list[Question]:
    known = facts.belongings
    if not known.mailbox:
        return []
    words = standard_reply(facts.display_name, known.organisation, known.manager)
    on = " There is one switched on already; it would be replaced." if known.reply_on else ""
    return [
        Question(
            "mailbox.reply",
            Topic.MAILBOX_USE,
            f"What do people who write to them get as an automatic reply?{on}",
            (
                Choice(NO_REPLY, "No automatic reply", "Who writes is told nothing; somebody may answer."),
                Choice(
                    STANDARD,
                    "The standard reply",
                    "Everybody who writes gets it, also from outside.",
                    deliberate=True,
                    preview=words,
                ),
            ),
            typed=Typed.TEXT,
            recommended=NO_REPLY,
            reason="Nothing is told to outsiders before you have read the words.",
            suggestion="\n".join(words),
        )
    ]


def _files(known: Belongings) -> list[Question]:
    if not known.drive:
        return []
    size = f" ({_gigabytes(known.drive_bytes)})" if known.drive_bytes else ""
    return [
        _person(
            "files",
            Topic.FILES,
            f"Who gets their OneDrive files{size}?",
            known.manager,
            "Can read and change everything in it; nothing is moved.",
            Choice("nobody", "Nobody", "The files stay where they are, and nobody can open them."),
        )
    ]


def _teams(known: Belongings) -> list[Question]:
    alone = known.sole_owner_of
    if not alone:
        return []
    names = ", ".join(group.name for group in alone)
    return [
        _person(
            "teams",
            Topic.FILES,
            f"They alone own {names}. Who takes over?",
            known.manager,
            "Becomes owner, and a member of the teams.",
            Choice("nobody", "Nobody", "Nobody can then let people in, or renew what expires."),
        )
    ]


def _reports(known: Belongings) -> list[Question]:
    if not known.reports:
        return []
    people = "1 person reports" if len(known.reports) == 1 else f"{len(known.reports)} people report"
    return [
        _person(
            "reports",
            Topic.ANYTHING_ELSE,
            f"{people} to them. Who is the new manager?",
            known.manager,
            "Approvals go to them.",
            Choice("nobody", "Nobody yet", "They keep a manager who has left, and approvals get stuck."),
        )
    ]


def _person(question: str, topic: Topic, words: str, manager: Somebody | None, why: str, nobody: Choice) -> Question:
    """Somebody of the client's: their manager first, where there is one."""
    recommended, reason = recommended_person(manager)
    first = (Choice(manager.id, manager.name, why),) if manager and recommended else ()
    return Question(question, topic, words, (*first, nobody), Typed.PERSON, recommended, reason)


def _backup(known: Belongings, choices: Choices) -> list[Question]:
    if not (known.mailbox or known.drive or known.devices):
        return []
    recommended, reason = recommended_backup(choices)
    return [
        Question(
            "backup",
            Topic.BACKUP,
            "Should a backup be taken before anything is taken away?",
            (
                Choice("no", "No"),
                Choice("yes", "Yes", "A technician takes it; licences and groups wait until it is there."),
            ),
            recommended=recommended,
            reason=reason,
        )
    ]


def _licences(known: Belongings, choices: Choices) -> list[Question]:
    if not known.licences:
        return []
    recommended, reason = recommended_licences(known, choices)
    names = ", ".join(dict.fromkeys(one.name for one in known.licences))
    lost = (
        "Without a licence a OneDrive can only be read after 60 days and is archived after 93; a mailbox that is not "
        "shared is deleted after 30."
        if known.drive
        else "Without a licence a mailbox that is not shared is deleted after 30 days."
    )
    asked = [
        Question(
            "licences",
            Topic.LICENCES,
            f"What happens to their licences ({names})?",
            (
                Choice("release", "Release them", lost),
                Choice("reassign", "Give them to somebody", f"No seat is bought or given back. {lost}"),
                Choice("keep", "Keep them", "You go on paying, and nothing is lost."),
            ),
            recommended=recommended,
            reason=reason,
        )
    ]
    if choices.get("licences") == "reassign":
        asked.append(Question("licences.to", Topic.LICENCES, "Who gets the licences?", typed=Typed.PERSON, heirs=False))
    return asked


def _device(device: Device) -> Question:
    recommended, reason = recommended_device(device)
    again = " The domain switches it on again until it is disabled there." if device.hybrid else ""
    choices = [
        Choice("disable", "Disable it", f"It no longer opens company data; nothing on it is touched.{again}"),
        Choice("return", "Get it back", "A technician collects it."),
        Choice("keep", "Leave it alone", "It stays as it is."),
    ]
    if device.owner == "personal":
        choices.append(
            Choice("wipe", "Remove company data", "Gone for good from their device.", destroys=True, deliberate=True)
        )
    else:
        choices.append(Choice("wipe", "Wipe it", "Everything on it is gone for good.", destroys=True, deliberate=True))
    return Question(
        f"devices.{device.id}",
        Topic.DEVICES,
        f"What happens to {device.title}?",
        tuple(choices),
        recommended=recommended,
        reason=reason,
    )


def _rename(facts: Microsoft365Facts) -> list[Question]:
    if not facts.belongings.mailbox or facts.guest:
        return []
    return [
        Question(
            "rename",
            Topic.ANYTHING_ELSE,
            f"Should the name read 'Former – {facts.display_name}' from now on?",
            (Choice("no", "No"), Choice("yes", "Yes", "Colleagues see at once that they have left.")),
            recommended="no",
            reason="Old mail and shared files keep showing the name people know.",
        )
    ]


def _gigabytes(size: int) -> str:
    return f"{size / 1000**3:.1f} GB" if size >= 100 * 1000**2 else "less than 0.1 GB"
