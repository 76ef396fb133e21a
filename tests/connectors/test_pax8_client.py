"""The one adapter: signing in, the wire's surprises, errors in both shapes, pages that do not add up, settings."""

from __future__ import annotations

import asyncio
import logging
from datetime import date

import pytest
from pydantic import ValidationError

from connectors.contract import Refused, SignInFailed, Throttled, Unreachable
from connectors.http import RefusedWith
from connectors.pax8.settings import Pax8Settings
from connectors.pax8.simulated_company import CONTOSO, E3, FABRIKAM_E3, POWER_BI
from connectors.pax8.simulator import LASTS, SECRET
from connectors.pax8.subscriptions import read_subscription, read_subscriptions
from connectors.simulated_faults import Fault
from tests.connectors.test_pax8_world import Distributor, distributor

__all__ = ["distributor"]
ONE = f"/subscriptions/{POWER_BI}"
EVERYTHING_BILLED = 8
"""Contoso's subscriptions but the cancelled one."""


# --- signing in


async def test_opening_sends_nothing(distributor: Distributor) -> None:
    await distributor.connect()
    assert distributor.simulator.calls == []


async def test_one_token_serves_many_requests_until_shortly_before_it_runs_out(distributor: Distributor) -> None:
    api = await distributor.connect()
    await asyncio.gather(*(api.get(ONE) for _ in range(3)))
    assert distributor.simulator.sign_ins == 1
    distributor.clock.pass_by(LASTS - 301)
    await api.get(ONE)
    assert distributor.simulator.sign_ins == 1
    distributor.clock.pass_by(2)
    await api.get(ONE)
    assert distributor.simulator.sign_ins == 2


async def test_a_refused_token_is_replaced_once_even_for_a_change(distributor: Distributor) -> None:
    api = await distributor.connect()
    await api.get(ONE)
    distributor.simulator.expire_tokens()
    await api.put(ONE, {"quantity": 19})
    assert distributor.simulator.sign_ins == 2
    assert distributor.simulator.changes_of(POWER_BI) == ["20 → 19 seats"]


async def test_a_token_refused_twice_is_a_failed_sign_in(distributor: Distributor) -> None:
    distributor.simulator.fail(Fault("error", calls=None, match="/subscriptions", status=401))
    with pytest.raises(SignInFailed, match="still exist and are enabled"):
        await (await distributor.connect()).get(ONE)
    assert len([call for call in distributor.simulator.calls if call.path == ONE]) == 2


async def test_a_wrong_secret_names_the_fix_and_not_the_secret(
    distributor: Distributor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    distributor.secret = "not-the-secret-at-all"
    api = await distributor.connect()
    with pytest.raises(SignInFailed, match=r"client_secret in clients\.yml") as told:
        await api.get(ONE)
    assert "not-the-secret" not in f"{told.value} {told.value!r} {api.settings!r} {caplog.text}"


async def test_no_token_or_secret_is_logged(distributor: Distributor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await (await distributor.connect()).get(ONE)
    assert SECRET not in caplog.text
    assert "Bearer" not in caplog.text


async def test_the_sign_in_is_sent_once_whatever_happens(distributor: Distributor) -> None:
    distributor.simulator.fail(Fault("drop", calls=None, match="/token"))
    with pytest.raises(Unreachable):
        await (await distributor.connect()).get(ONE)
    assert len(distributor.simulator.calls) == 1


# --- pages


@pytest.mark.parametrize("size", [1, 3, 4, 8, 9, 200])
async def test_every_page_is_read_whatever_its_size(distributor: Distributor, size: int) -> None:
    distributor.simulator.habits.page_size = size
    found = await read_subscriptions(await distributor.connect())
    assert len(found) == EVERYTHING_BILLED
    assert all(call.query["size"] == "200" for call in distributor.simulator.calls if call.query)


async def test_a_total_that_promises_too_little_hides_no_seat(distributor: Distributor) -> None:
    distributor.simulator.habits.page_size, distributor.simulator.habits.promises = 3, -7
    assert len(await read_subscriptions(await distributor.connect())) == EVERYTHING_BILLED


async def test_a_total_that_promises_more_than_comes_is_no_answer(distributor: Distributor) -> None:
    distributor.simulator.habits.page_size, distributor.simulator.habits.promises = 3, 2
    with pytest.raises(Unreachable, match="promised 11 entries and gave 9"):
        await read_subscriptions(await distributor.connect())


async def test_pages_that_lead_in_a_circle_are_not_followed(distributor: Distributor) -> None:
    distributor.simulator.habits.page_size, distributor.simulator.habits.circular = 3, True
    with pytest.raises(Unreachable, match="circle"):
        await read_subscriptions(await distributor.connect())


async def test_another_companys_subscriptions_are_no_answer(distributor: Distributor) -> None:
    distributor.simulator.habits.ignores_company = True
    with pytest.raises(Unreachable, match="other companies"):
        await read_subscriptions(await distributor.connect())
    with pytest.raises(Unreachable, match="another company"):
        await read_subscription(await distributor.connect(), FABRIKAM_E3)


# --- errors


async def test_both_shapes_of_an_error_are_understood(distributor: Distributor) -> None:
    api = await distributor.connect()
    said: list[str] = []
    for distributor.simulator.habits.flat_errors in (False, True):
        with pytest.raises(RefusedWith) as told:
            await api.put(f"/subscriptions/{E3}", {"quantity": 11})
        assert told.value.status == 422
        said.append(told.value.message)
    assert all("not allowed during the commitment term" in one for one in said)
    assert "INVALID_REQUEST" in said[0]
    assert "INVALID_REQUEST" not in said[1]


async def test_an_error_names_vendor_call_and_fix(distributor: Distributor) -> None:
    distributor.simulator.habits.may_read = False
    with pytest.raises(Refused) as told:
        await (await distributor.connect()).get(ONE)
    assert str(told.value).startswith(f"pax8: GET {ONE}: answered 403 (FORBIDDEN: insufficient permissions) Check")


@pytest.mark.parametrize("kind", ["html", "malformed", "drop"])
async def test_an_answer_nobody_can_read_is_no_answer(distributor: Distributor, kind: str) -> None:
    distributor.simulator.fail(Fault(kind, calls=None, match="GET"))
    with pytest.raises(Unreachable):
        await read_subscriptions(await distributor.connect())


@pytest.mark.parametrize(
    "fault",
    [
        Fault("drop", 2, "GET"),
        Fault("throttle", 2, "GET", retry_after="1"),
        Fault("unavailable", 1, "GET", retry_after="0"),
    ],
)
async def test_a_read_is_repeated_twice_for_a_passing_trouble(distributor: Distributor, fault: Fault) -> None:
    distributor.simulator.fail(fault)
    assert await (await distributor.connect()).get(ONE)


@pytest.mark.parametrize("kind", ["drop", "lost", "unavailable", "throttle"])
async def test_a_change_is_sent_once_whatever_happens(distributor: Distributor, kind: str) -> None:
    distributor.simulator.fail(Fault(kind, calls=None, match="PUT", retry_after="0"))
    with pytest.raises((Unreachable, Throttled)):
        await (await distributor.connect()).put(ONE, {"quantity": 19})
    assert len(distributor.sent()) == 1


@pytest.mark.parametrize(("told_to", "seconds"), [("30", 30), (None, 5)])
async def test_a_wait_goes_back_to_the_engine(distributor: Distributor, told_to: str | None, seconds: int) -> None:
    distributor.simulator.fail(Fault("throttle", calls=None, match="GET", retry_after=told_to))
    with pytest.raises(Throttled) as told:
        await (await distributor.connect()).get(ONE)
    assert told.value.retry_after == seconds


async def test_no_answer_in_time_may_have_happened(distributor: Distributor) -> None:
    api = await distributor.connect(patience=0.1)
    distributor.simulator.fail(Fault("hang", seconds=0.5, match="PUT"))
    with pytest.raises(Unreachable, match="no answer within"):
        await api.put(ONE, {"quantity": 19})
    assert distributor.quantity(POWER_BI) == 19


# --- settings


RIGHT: dict[str, object] = {"client_id": "bot", "client_secret": "env/PAX8_SECRET", "company_id": CONTOSO}


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_secret": "the-secret-itself"},
        {"client_id": ""},
        {"company_id": "Contoso Ltd"},
        {"base_url": "http://api.pax8.com/v1"},
        {"spares": {"SPE_E3": -1}},
        {"spares": {"": 1}},
        {"products": {"SPE_E3": ""}},
        {"booked": [{"part_number": "SPE_E3", "seats": 0, "from": "2026-12-01"}]},
        {"booked": [{"part_number": "SPE_E3", "from": "soon"}]},
        {"booked": [{"part_number": "SPE_E3", "from": "2026-12-01", "who": "Jo"}]},
        {"patience": 0},
        {"no_such_setting": 1},
    ],
)
def test_settings_that_can_not_work_are_refused(wrong: dict[str, object]) -> None:
    assert Pax8Settings.model_validate(RIGHT).base_url == "https://api.pax8.com/v1"
    with pytest.raises(ValidationError) as told:
        Pax8Settings.model_validate({**RIGHT, **wrong})
    assert "the-secret-itself" not in str(told.value)


def test_part_numbers_are_compared_in_capitals_and_bookings_add_up() -> None:
    settings = Pax8Settings.model_validate(
        {
            **RIGHT,
            "spares": {"spe_e3": 2},
            "booked": [
                {"part_number": "SPE_e3", "seats": 3, "from": "2026-12-01", "note": "the new team"},
                {"part_number": "SPB", "from": "2026-12-01"},
            ],
        }
    )
    number, words = settings.spoken_for("SPE_E3", date(2026, 11, 25))
    assert number == 5
    assert words == ("2 seats always kept free", "3 seats for the new team from 1 Dec 2026")
    assert settings.spoken_for("POWER_BI_PRO", date(2026, 11, 25)) == (0, ())
