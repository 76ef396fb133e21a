"""Other systems, as the client names them: each one a named person's task, and a way in until it is done."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from connectors.contract import (
    Account,
    Choice,
    Choices,
    Connector,
    Context,
    Question,
    Surroundings,
    Task,
    TaskStep,
    Topic,
    Typed,
    Wave,
    WayIn,
)

ELSEWHERE = "elsewhere"
NOTHING_ELSE = "nothing"
MOST = 15
"""More than so many in one answer, and the last task holds all that is left."""
LONGEST = 120


class ElsewhereSettings(BaseModel):
    """There is nothing to set: every client has other systems."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ElsewhereFacts(BaseModel):
    """Nothing can be read."""

    model_config = ConfigDict(frozen=True)


Ctx = Context[None, ElsewhereFacts]


class EndAccessElsewhere(TaskStep[None, ElsewhereFacts]):
    """One task for each system that was named."""

    id = "elsewhere.end_access"
    title = "End access elsewhere"
    wave = Wave.CLEAN_UP
    controls = ("CIS 6.2", "NIST PS-4")

    def wanted(self, choices: Choices, facts: ElsewhereFacts) -> bool:
        return bool(named(choices))

    def subjects(self, choices: Choices, facts: ElsewhereFacts) -> tuple[str, ...]:
        return named(choices)

    def task(self, ctx: Ctx) -> Task:
        return Task(
            "no connected system reaches it",
            f"End {ctx.account.name}'s access to: {ctx.subject}. Change codes and passwords they share with others, "
            "then say what you did.",
        )


class Elsewhere(Connector[None, ElsewhereFacts]):
    """What the client must name, because nobody could know."""

    id = ELSEWHERE
    name = "Other systems"
    settings = ElsewhereSettings
    facts_model = ElsewhereFacts
    steps = (EndAccessElsewhere(),)
    defaults = (ELSEWHERE,)

    async def open(self, settings: ElsewhereSettings, around: Surroundings) -> None:
        return None

    async def close(self, api: None) -> None:
        return None

    async def find(self, api: None, leaver: Account) -> list[Account]:
        return [leaver.model_copy(update={"system": ELSEWHERE, "matched_by": "named by the client"})]

    async def facts(self, api: None, account: Account) -> ElsewhereFacts:
        return ElsewhereFacts()

    def questions(self, facts: ElsewhereFacts, choices: Choices) -> tuple[Question, ...]:
        return (
            Question(
                ELSEWHERE,
                Topic.ANYTHING_ELSE,
                "Can they get in anywhere else? Doors, alarm, copier, bank, suppliers' portals, shared passwords: "
                "one a line.",
                (Choice(NOTHING_ELSE, "Nothing else"),),
                Typed.TEXT,
                recommended=NOTHING_ELSE,
                reason="Only you know what no computer of ours reaches.",
            ),
        )

    def ways_in(self, facts: ElsewhereFacts, choices: Choices) -> tuple[WayIn, ...]:
        return tuple(
            WayIn(f"elsewhere.{place}", subject, (EndAccessElsewhere.id,), subject=subject)
            for place, subject in enumerate(named(choices))
        )


def named(choices: Choices) -> tuple[str, ...]:
    """What was named, one a line, each once."""
    answer = choices.get(ELSEWHERE, "")
    if answer in {"", NOTHING_ELSE, "later"}:
        return ()
    lines = [line.strip(" \t-*•;,.")[:LONGEST] for line in answer.splitlines()]
    each = list(dict.fromkeys(line for line in lines if line))
    if len(each) > MOST:
        each = [*each[: MOST - 1], "; ".join(each[MOST - 1 :])]
    return tuple(each)
