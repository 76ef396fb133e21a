"""What every connector must keep to, as one test class: a connector's tests inherit it and give a `bench`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.contract import (
    Account,
    AnyConnector,
    AnyStep,
    Clock,
    Context,
    Done,
    Intent,
    Item,
    Json,
    Nothing,
    Outcome,
    Task,
    TaskStep,
    Todo,
    Unreadable,
    VendorError,
    Waiting,
    Wave,
)


@dataclass
class Bench:
    """A connector with an open connection to its simulator, and somebody who leaves."""

    connector: AnyConnector
    api: Any
    leaver: Account
    clock: Clock
    settings: Json
    effects: Callable[[], int]
    """How many changes the vendor has seen."""
    break_vendor: Callable[[], None]
    """From now on the vendor answers nothing useful."""
    secrets: tuple[str, ...]
    """Never to be seen in an error."""


class ConnectorContract:
    """Inherit as Test…, with a fixture `bench`."""

    def test_ids_begin_with_the_connectors_own_and_are_unique(self, bench: Bench) -> None:
        ids = [step.id for step in bench.connector.steps]
        assert len(ids) == len(set(ids))
        assert all(step_id.startswith(f"{bench.connector.id}.") for step_id in ids)

    def test_order_names_steps_that_exist(self, bench: Bench) -> None:
        ids = {step.id for step in bench.connector.steps}
        for step in bench.connector.steps:
            for other in (*step.after, *step.requires):
                assert other != step.id
                assert other in ids or not other.startswith(f"{bench.connector.id}.")

    def test_every_step_says_what_it_is_and_which_control_it_serves(self, bench: Bench) -> None:
        for step in bench.connector.steps:
            assert step.title
            assert step.controls
            assert step.permissions or isinstance(step, TaskStep)

    def test_what_may_run_at_once_can_be_mended(self, bench: Bench) -> None:
        for step in bench.connector.steps:
            assert not step.immediate or (step.wave is Wave.LOCK_OUT and not step.irreversible)

    def test_settings_know_every_word(self, bench: Bench) -> None:
        bench.connector.settings.model_validate(bench.settings)
        with pytest.raises(ValidationError):
            bench.connector.settings.model_validate({**bench.settings, "no_such_setting": 1})

    async def test_facts_can_be_written_down_and_read_back(self, bench: Bench) -> None:
        facts = await bench.connector.facts(bench.api, bench.leaver)
        assert bench.connector.facts_model.model_validate_json(facts.model_dump_json()) == facts

    async def test_every_way_in_is_ended_by_wanted_steps(self, bench: Bench) -> None:
        facts = await bench.connector.facts(bench.api, bench.leaver)
        wanted = {step.id for step in bench.connector.steps if step.wanted({}, facts)}
        for way in bench.connector.ways_in(facts, {}):
            assert way.ended_by
            assert set(way.ended_by) <= wanted
            assert not way.lingers or way.why_lingers

    async def test_somebody_unknown_is_not_found(self, bench: Bench) -> None:
        stranger = bench.leaver.model_copy(update={"id": "00000000-0000-4000-8000-00000000dead"})
        assert await bench.connector.find(bench.api, stranger) == []

    async def test_looking_and_reading_change_nothing(self, bench: Bench) -> None:
        before = bench.effects()
        for step, ctx in await self._wanted(bench):
            first, second = await step.look(ctx), await step.look(ctx)
            assert first == second
        assert bench.effects() == before

    async def test_every_step_is_done_and_read_back(self, bench: Bench) -> None:
        for step, ctx in await self._wanted(bench):
            for item in self._items(await step.look(ctx)):
                assert Item.model_validate_json(item.model_dump_json()) == item
                intent = Intent(f"{step.id}:{item.key}", bench.clock.now())
                accepted = await step.act(ctx, item, intent)
                outcome = await self._confirmed(bench, step, ctx, item, intent, accepted.reference)
                assert isinstance(outcome, (Done, Unreadable)), f"{step.id}: {outcome}"

    async def test_repeating_what_may_be_repeated_is_harmless(self, bench: Bench) -> None:
        for step, ctx in await self._wanted(bench):
            if not step.repeatable:
                continue
            for item in self._items(await step.look(ctx)):
                intent = Intent(f"{step.id}:{item.key}", bench.clock.now())
                await step.act(ctx, item, intent)
                again = Intent(intent.key, intent.at, repeated=True)
                accepted = await step.act(ctx, item, again)
                outcome = await self._confirmed(bench, step, ctx, item, again, accepted.reference)
                assert isinstance(outcome, (Done, Unreadable)), f"{step.id}: {outcome}"

    async def test_what_is_looked_at_again_afterwards_is_nothing_or_the_same_again(self, bench: Bench) -> None:
        for step, ctx in await self._wanted(bench):
            found = await step.look(ctx)
            keys = {item.key for item in self._items(found)}
            for item in self._items(found):
                await step.act(ctx, item, Intent(f"{step.id}:{item.key}", bench.clock.now()))
            after = await step.look(ctx)
            assert isinstance(after, (Nothing, Task, Todo))
            assert {item.key for item in self._items(after)} <= keys

    async def test_a_broken_vendor_is_a_surprise_that_names_it_and_no_secret(self, bench: Bench) -> None:
        facts = await bench.connector.facts(bench.api, bench.leaver)
        bench.break_vendor()
        with pytest.raises(VendorError) as told:
            await bench.connector.facts(bench.api, bench.leaver)
        assert bench.connector.id in str(told.value)
        for step in bench.connector.steps:
            if isinstance(step, TaskStep) or not step.wanted({}, facts):
                continue
            with pytest.raises(VendorError) as told:
                await step.look(self._context(bench, facts))
            assert not any(secret in f"{told.value!s} {told.value!r}" for secret in bench.secrets)

    async def test_checking_names_steps_that_exist_and_changes_nothing(self, bench: Bench) -> None:
        before, ids = bench.effects(), {step.id for step in bench.connector.steps}
        checks = await bench.connector.check(bench.api)
        assert checks
        for check in checks:
            assert check.title
            assert set(check.steps) <= ids
            assert check.ok or (check.said and check.fix), f"{check.title} says neither what is wrong nor what to do"
        assert bench.effects() == before

    async def test_checking_a_broken_vendor_fails_and_names_no_secret(self, bench: Bench) -> None:
        bench.break_vendor()
        try:
            checks = await bench.connector.check(bench.api)
        except VendorError as told:
            said = f"{told!s} {told!r}"
        else:
            assert not all(check.ok for check in checks), "it says that all is well"
            said = repr(checks)
        assert not any(secret in said for secret in bench.secrets)

    def _context(self, bench: Bench, facts: Any) -> Context[Any, Any]:
        async def read(name: str) -> Json:
            raise AssertionError(f"{name}: other systems are asked in their own tests")

        return Context(bench.api, bench.leaver, copy.deepcopy(facts), {}, bench.clock, "key", read)

    async def _wanted(self, bench: Bench) -> list[tuple[AnyStep, Context[Any, Any]]]:
        facts = await bench.connector.facts(bench.api, bench.leaver)
        return [(step, self._context(bench, facts)) for step in bench.connector.steps if step.wanted({}, facts)]

    def _items(self, found: object) -> tuple[Item, ...]:
        return found.items if isinstance(found, Todo) else ()

    async def _confirmed(
        self, bench: Bench, step: AnyStep, ctx: Context[Any, Any], item: Item, intent: Intent, reference: str
    ) -> Outcome:
        for _ in range(10):
            outcome = await step.confirm(ctx, item, intent, reference)
            if not isinstance(outcome, Waiting):
                return outcome
            await bench.clock.sleep(outcome.seconds)
        raise AssertionError(f"{step.id} is never confirmed")
