"""The table of states: every move in it is legal, every other one is refused, and every state can be reached."""

from __future__ import annotations

import itertools

import pytest

from handlers.cases.states import (
    HELD,
    PLAN_MOVES,
    SETTLED,
    STEP_MOVES,
    WITH_PERSON,
    IllegalMove,
    PlanEvent,
    PlanState,
    StepEvent,
    StepState,
    move_plan,
    move_step,
    plan_event,
)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(PlanState, PlanEvent)))
def test_a_plan_moves_as_the_table_says_and_in_no_other_way(state: PlanState, event: PlanEvent) -> None:
    if (state, event) in PLAN_MOVES:
        assert move_plan(state, event) is PLAN_MOVES[state, event]
    else:
        with pytest.raises(IllegalMove, match="can't move by"):
            move_plan(state, event)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(StepState, StepEvent)))
def test_a_step_moves_as_the_table_says_and_in_no_other_way(state: StepState, event: StepEvent) -> None:
    if (state, event) in STEP_MOVES:
        assert move_step(state, event) is STEP_MOVES[state, event]
    else:
        with pytest.raises(IllegalMove, match="can't move by"):
            move_step(state, event)


def test_every_state_of_a_plan_can_be_reached() -> None:
    reached = {PlanState.DRAFT}
    while more := {to for (state, _), to in PLAN_MOVES.items() if state in reached} - reached:
        reached |= more
    assert reached == set(PlanState)


def test_every_state_of_a_step_can_be_reached_and_left_unless_it_is_settled() -> None:
    reached = {StepState.PENDING}
    while more := {to for (state, _), to in STEP_MOVES.items() if state in reached} - reached:
        reached |= more
    assert reached == set(StepState)
    # A step that was done is done again when what it should have followed comes after it.
    assert {state for state, _ in STEP_MOVES} - {StepState.DONE} == set(StepState) - SETTLED


def test_nothing_that_has_begun_goes_back_to_waiting_for_approval() -> None:
    into = {state for (state, _), to in PLAN_MOVES.items() if to is PlanState.AWAITING_APPROVAL}
    assert into == {PlanState.DRAFT} | HELD


@pytest.mark.parametrize(
    ("states", "event"),
    [
        ([StepState.DONE, StepState.SKIPPED, StepState.STATED, StepState.CANCELLED], PlanEvent.SETTLED),
        ([StepState.DONE, StepState.RUNNING], PlanEvent.WORKING),
        ([StepState.READY, StepState.PENDING], PlanEvent.WORKING),
        ([StepState.DONE, StepState.WAITING], PlanEvent.WAITING),
        ([StepState.PENDING], PlanEvent.WAITING),
        ([], PlanEvent.SETTLED),
    ],
)
def test_a_plan_follows_its_steps(states: list[StepState], event: PlanEvent) -> None:
    assert plan_event(states) is event


@pytest.mark.parametrize(("person", "other"), list(itertools.product(sorted(WITH_PERSON), StepState)))
def test_one_step_with_a_person_makes_the_plan_need_one(person: StepState, other: StepState) -> None:
    assert plan_event([other, person]) is PlanEvent.STUCK
