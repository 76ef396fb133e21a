"""Carries a step out without the engine: what it found, and each item looked at, acted on and confirmed once."""

from __future__ import annotations

from typing import Any

from connectors.contract import AnyStep, Context, Finding, Intent, Item, Outcome, Task, Todo


def items(found: Finding) -> tuple[Item, ...]:
    """What there is to do; fails where there is nothing."""
    assert isinstance(found, Todo), found
    return found.items


def task(found: Finding) -> Task:
    """What a person has to do; fails where the bot would do it."""
    assert isinstance(found, Task), found
    return found


async def run(step: AnyStep, ctx: Context[Any, Any]) -> list[Outcome]:
    """Look, then act on and confirm each item once."""
    outcomes: list[Outcome] = []
    for item in items(await step.look(ctx)):
        intent = Intent("key", ctx.clock.now())
        accepted = await step.act(ctx, item, intent)
        outcomes.append(await step.confirm(ctx, item, intent, accepted.reference))
    return outcomes
