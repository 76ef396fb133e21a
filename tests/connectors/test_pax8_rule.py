"""The rule over a seat: by its numbers, and by many weeks of leavers, hires, hands and crashes."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from connectors.contract import Done, NotBefore, Nothing, Premature, Refused, Task, Todo, VendorError
from connectors.pax8.rule import Differs, Gone, Kept, NotCounted, Seen, StillHeld, Take, Verdict, decide
from connectors.pax8.simulated_company import POWER_BI
from connectors.simulated_faults import Fault
from tests.connectors.test_pax8_world import Attempt, Distributor, distributor

__all__ = ["distributor"]
PLAIN = Seen(
    quantity=12, bought=12, used=11, holds=False, kept_free=0, kept_for=(), quantity_then=12, used_then=12
)  # one seat for each person, and one person has just lost the licence


def test_one_free_seat_is_taken() -> None:
    assert decide(PLAIN) == Take()


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"holds": True, "used": 12}, StillHeld),
        ({"used": 12}, NotCounted),
        ({"kept_free": 1, "kept_for": ("1 seat for Jo",)}, Kept),
        ({"kept_free": 1, "used": 10}, Take),
        ({"kept_free": 1, "holds": True, "used": 12}, Kept),
        ({"quantity": 11, "bought": 11}, Gone),
        ({"quantity": 11, "bought": 12}, Gone),
        ({"quantity": 12, "bought": 11}, Differs),
        ({"bought": 20, "used": 19}, Differs),
        ({"bought": 20, "used": 11}, Take),
        ({"bought": 0, "used": 0}, Differs),
        ({"used": 13}, Differs),
        ({"quantity": 11, "bought": 11, "used": 10, "taken_by_others": 1}, Take),
        ({"quantity": 11, "bought": 11, "used": 11, "taken_by_others": 1}, NotCounted),
    ],
)
def test_the_numbers_decide(changed: dict[str, object], verdict: type[Verdict]) -> None:
    found = decide(replace(PLAIN, **changed))  # pyright: ignore[reportArgumentType]
    assert type(found) is verdict
    if isinstance(found, Take):
        assert not found.doubt


def test_fewer_seats_than_then_and_no_more_idle_ones_is_a_doubt_unless_they_waited_for_their_day() -> None:
    seen = Seen(quantity=13, bought=13, used=11, holds=False, kept_free=0, kept_for=(), quantity_then=14, used_then=12)
    assert decide(seen) == Take(
        "there were 14 seats when the plan was made and there are 13 now, so this one may be gone already, although 2 "
        "are still free"
    )
    assert decide(replace(seen, committed=True)) == Take()
    assert decide(replace(seen, taken_by_others=1)) == Take()
    assert decide(replace(seen, quantity=14, bought=14)) == Take()
    unknown = decide(replace(seen, used_then=None))
    assert isinstance(unknown, Take)
    assert unknown.doubt


def test_the_same_numbers_never_lead_below_what_is_used_and_kept() -> None:
    chance = random.Random(1)
    for _ in range(20_000):
        seen = Seen(
            quantity=chance.randint(0, 6),
            bought=chance.randint(0, 6),
            used=chance.randint(0, 6),
            holds=chance.random() < 0.3,
            kept_free=chance.randint(0, 2),
            kept_for=("somebody",),
            quantity_then=chance.randint(0, 6),
            used_then=chance.choice([None, *range(7)]),
            taken_by_others=chance.randint(0, 2),
            committed=chance.random() < 0.3,
        )
        if isinstance(decide(seen), Take):
            assert not seen.holds
            assert min(seen.quantity, seen.bought) - 1 >= seen.used + seen.kept_free


@pytest.mark.parametrize("seed", range(24))
async def test_weeks_of_leavers_hires_hands_and_crashes(distributor: Distributor, seed: int) -> None:
    """No seat that is used or kept is ever taken, no leaver frees two, and nobody's seat stays unnoticed."""
    chance = random.Random(seed)
    spares = chance.randint(0, 1)
    product = distributor.microsoft.products["sku-bi"]
    product.used = 20 - chance.randint(0, 2)
    lags = chance.random() < 0.5
    distributor.simulator.habits.lag = 120 if lags else 0
    subscription = distributor.simulator.subscriptions[POWER_BI]
    api = await distributor.connect(spares={"POWER_BI_PRO": spares})
    attempts: list[Attempt] = []
    released = 0
    for turn in range(30):
        distributor.clock.pass_by(chance.choice([1, 60, 700]))
        before = len(distributor.simulator.effects)
        match chance.choice(["leaver", "step", "step", "step", "hire", "hand", "crash", "lost"]):
            case "leaver" if product.used > 5:
                attempts.append(Attempt(await distributor.plan(POWER_BI, api=api, person=f"p{turn}")))
                distributor.microsoft.release(f"p{turn}")
                released += 1
            case "hire" if product.used < product.bought:
                product.used += 1
            case "hand" if subscription.quantity - product.used > spares:
                subscription.drop(distributor.clock.now(), 1)
                distributor.microsoft.sold(subscription)
            case "crash":
                api = await distributor.connect(spares={"POWER_BI_PRO": spares})
                for attempt in attempts:
                    attempt.ctx = replace(attempt.ctx, api=api)
            case "lost":
                distributor.simulator.fail(Fault(chance.choice(["lost", "drop"]), match="PUT"))
            case "step" if attempts:
                await _one_turn(chance.choice(attempts))
            case _:
                pass
        if len(distributor.simulator.effects) > before:
            assert subscription.quantity >= product.used + spares
    assert not [one for one in distributor.simulator.effects if one.what != "seats"]
    assert len(distributor.simulator.effects) <= released


@pytest.mark.parametrize("trouble", ["crash", "lag", "lost"])
@pytest.mark.parametrize("seed", range(8))
async def test_nobodys_seat_is_missed_unless_a_person_is_told(
    distributor: Distributor, seed: int, trouble: str
) -> None:
    """Leavers only: in the end a seat less for each, or a doubt that a person reads."""
    chance = random.Random(seed)
    distributor.simulator.habits.lag = 240 if trouble == "lag" else 0
    api = await distributor.connect()
    waiting: list[Attempt] = []
    for person in range(6):
        ctx = await distributor.plan(POWER_BI, api=api, person=f"p{person}")
        distributor.microsoft.release(f"p{person}")
        waiting.append(Attempt(ctx))
        distributor.clock.pass_by(chance.choice([6, 60, 700]))
        if trouble == "crash":
            api = await distributor.connect()
            for attempt in waiting:
                attempt.ctx = replace(attempt.ctx, api=api)
        elif trouble == "lost":
            distributor.simulator.fail(Fault(chance.choice(["lost", "drop", "throttle"]), match="PUT"))
        await _one_turn(chance.choice(waiting))
        distributor.clock.pass_by(chance.choice([0, 0, 6]) if trouble != "lost" else 6)
    doubts = 0
    for attempt in chance.sample(waiting, len(waiting)):
        for _ in range(30):
            distributor.clock.pass_by(700)
            told = await _one_turn(attempt)
            if told != "again":
                doubts += told == "doubt"
                break
        else:
            raise AssertionError("it never settles")
    assert doubts <= 2
    assert distributor.quantity(POWER_BI) == 20 - 6 + doubts


async def _one_turn(attempt: Attempt) -> str:
    """What the engine makes of one attempt: 'settled', 'doubt' where a person reads it, or 'again' another time."""
    try:
        found = await attempt.look()
        if isinstance(found, Todo):
            await attempt.mean()
            await attempt.act()
        elif attempt.meant is None or not isinstance(found, Nothing):
            assert isinstance(found, Nothing | Task | NotBefore | Premature)
            return "settled" if isinstance(found, Nothing) else "again"
        return "settled" if isinstance(await attempt.confirm(), Done) else "again"
    except Refused as refused:
        return "doubt" if "may be gone already" in refused.message else "again"
    except VendorError:
        return "again"
