"""What only the client can decide about a mailbox, with what is recommended and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from connectors.contract import LATER, Choice, Choices, Question, Topic, Typed
from connectors.exchange.facts import ExchangeFacts
from connectors.exchange.fate import SHARED_FATES
from connectors.exchange.mailboxes import FREE_BYTES, SHARED, gigabytes, needs_licence

_NEARLY = FREE_BYTES * 9 // 10


@dataclass(frozen=True)
class Advice:
    """A recommendation and its reason, as one sentence."""

    choice: str
    reason: str


def recommended_fate(facts: ExchangeFacts, choices: Choices) -> Advice:
    """Shared wherever the size is known: it keeps the mail, ends the sign-in, and mostly costs nothing."""
    if facts.size_bytes is None:
        return Advice("keep", "Its size could not be read, so nobody can say whether a shared mailbox would be free.")
    why = needs_licence(facts.mailbox, facts.size_bytes, hold_coming=choices.get("contentious") == "yes")
    if why:
        return Advice("shared licensed", f"It keeps the mail and ends the sign-in; a licence stays, because {why}.")
    size = gigabytes(facts.size_bytes)
    if facts.size_bytes > _NEARLY:
        return Advice("shared", f"It holds {size}: up to 50 GB a shared mailbox is free, but this one is soon full.")
    return Advice("shared", f"It holds {size}: up to 50 GB a shared mailbox keeps everything without a licence.")


def questions_about(facts: ExchangeFacts, choices: Choices) -> tuple[Question, ...]:
    """Everything there is to ask about this mailbox, given the answers so far."""
    if not facts.active or facts.mailbox.kind not in ("UserMailbox", SHARED):
        # Nobody inherits a meeting room.
        return ()
    asked: list[Question] = []
    if facts.personal:
        asked.append(_fate(facts, choices))
        if choices.get("mailbox") == "delete":
            asked += _backup(choices)
    if not facts.personal or choices.get("mailbox") in (*SHARED_FATES, "keep", LATER):
        asked.append(_access(facts))
        asked.append(_forward(choices))
        if choices.get("mailbox.forward") == "external":
            asked.append(_forward_to())
    if facts.personal and facts.meetings:
        asked.append(_meetings(facts, choices))
    return tuple(asked)


def _fate(facts: ExchangeFacts, choices: Choices) -> Question:
    advice = recommended_fate(facts, choices)
    why = needs_licence(facts.mailbox, facts.size_bytes, hold_coming=choices.get("contentious") == "yes")
    shared = (
        Choice(
            "shared licensed", "Shared mailbox, keeps its licence", f"Costs Exchange Online Plan 2 each month: {why}."
        )
        if why
        else Choice("shared", "Shared mailbox", "Costs nothing; colleagues can read it and answer from it.")
    )
    if facts.mailbox.synced:
        shared = replace(shared, why=f"{shared.why} A technician does it in the company's own domain.")
    return Question(
        "mailbox",
        Topic.MAILBOX_FATE,
        f"What becomes of {facts.mailbox.name}'s mailbox?",
        (
            shared,
            Choice("keep", "Keep it as it is", "Its licence goes on costing what it costs today."),
            Choice(
                "delete",
                "Back up, then delete",
                "The mail is gone for good once the backup question is settled; two technicians must approve.",
                destroys=True,
            ),
        ),
        recommended=advice.choice,
        reason=advice.reason,
    )


def _backup(choices: Choices) -> list[Question]:
    asked = [
        Question(
            "mailbox.backup",
            Topic.MAILBOX_FATE,
            "What keeps the mail before the mailbox is deleted?",
            (
                Choice(
                    "hold",
                    "A hold at Microsoft",
                    "Everything stays searchable for lawyers and auditors; needs Exchange Online Plan 2 until then.",
                ),
                Choice("named", "A backup that exists", "You say which one and where, and a technician checks it."),
                Choice(
                    "waived",
                    "Nothing: it may be lost",
                    "Nobody can ever read this mail again; two technicians must approve.",
                    destroys=True,
                ),
            ),
            recommended="hold",
            reason="A hold keeps every message without anybody having to test a backup.",
        )
    ]
    if choices.get("mailbox.backup") == "named":
        asked.append(
            Question(
                "mailbox.backup.evidence",
                Topic.MAILBOX_FATE,
                "Which backup is it, where does it lie, and who has checked that it can be read?",
                typed=Typed.TEXT,
            )
        )
    return asked


def _access(facts: ExchangeFacts) -> Question:
    already = f" Already able to: {', '.join(facts.delegates)}." if facts.delegates else ""
    return Question(
        "mailbox.access",
        Topic.MAILBOX_USE,
        f"Who may open {facts.mailbox.name}'s mailbox and answer from it?{already}",
        (Choice("nobody", "Nobody", "New mail is read by no one."),),
        typed=Typed.PERSON,
    )


def _forward(choices: Choices) -> Question:
    access = choices.get("mailbox.access", "")
    someone = access not in ("", "nobody", LATER)
    options = [Choice("no", "No", "Mail stays in the mailbox alone.")]
    if someone:
        name = choices.get("mailbox.access.name", "") or "the person with access"
        options.append(Choice("successor", f"To {name}", "They get each message twice: here and in the mailbox."))
    options.append(
        Choice(
            "external",
            "To an address outside the company",
            "Everything sent here leaves the company, and can't be called back.",
            deliberate=True,
        )
    )
    return Question(
        "mailbox.forward",
        Topic.MAILBOX_USE,
        "Is new mail forwarded to somebody?",
        tuple(options),
        typed=Typed.PERSON,
        recommended="no",
        reason=(
            "Whoever may open the mailbox finds new mail there."
            if someone
            else "Nobody needs it: an automatic reply can tell senders whom to write to."
        ),
    )


def _forward_to() -> Question:
    return Question(
        "mailbox.forward.to",
        Topic.MAILBOX_USE,
        "Which address outside the company gets the mail?",
        typed=Typed.TEXT,
    )


def _meetings(facts: ExchangeFacts, choices: Choices) -> Question:
    count = len(facts.meetings)
    what = "1 coming meeting" if count == 1 else f"{count} coming meetings"
    deleted = choices.get("mailbox") == "delete"
    return Question(
        "mailbox.meetings",
        Topic.MAILBOX_USE,
        f"{facts.mailbox.name} organises {what}. What becomes of them?",
        (
            Choice(
                "leave",
                "Leave them",
                "They vanish from nobody's calendar; nobody can change them any more."
                if deleted
                else "They stay in everybody's calendar; whoever may open the mailbox can change them.",
            ),
            Choice("hand over", "Hand them over", "A technician has the successor invite everybody anew."),
            Choice(
                "cancel",
                "Cancel them all",
                "Everybody invited, customers too, gets a cancellation; whole series end.",
                deliberate=True,
                preview=facts.meetings,
            ),
        ),
        recommended="leave",
        reason="Nobody outside is written to, and nothing is lost.",
    )
