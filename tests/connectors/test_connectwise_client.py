"""The one adapter: the moving address, keys, errors in all their shapes, pages, long questions, exact amounts."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from connectors.connectwise.client import Change, ConnectWiseApi, Invalid
from connectors.connectwise.conditions import all_of, any_of, equals
from connectors.connectwise.people import read_company
from connectors.connectwise.records import amount, day, parsed
from connectors.connectwise.simulated_records import E3_LINE, JANE, MANAGED, PRIVATE_KEY, PUBLIC_KEY, USERS_LINE
from connectors.connectwise.simulator import Fault
from connectors.contract import Refused, SignInFailed, Throttled, Unreachable
from connectors.http import RefusedWith
from tests.connectors.test_connectwise_world import Desk, desk_of

ADDITION = f"/finance/agreements/{MANAGED}/additions/{USERS_LINE}"
CONTACT = f"/company/contacts/{JANE}"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_of() as desk:
        yield desk


# --- what is sent, and where to


async def test_opening_sends_nothing(desk: Desk) -> None:
    await desk.connect()
    assert desk.asked() == []


async def test_a_request_carries_keys_client_id_and_version(desk: Desk) -> None:
    await (await desk.connect()).get(CONTACT)
    call = desk.simulator.calls[-1]
    assert call.headers["clientid"] == "0f0e0d0c-0000-4000-8000-00000000c1d0"
    assert call.headers["accept"] == "application/vnd.connectwise.com+json; version=2026.4"


async def test_the_codebase_is_asked_for_once(desk: Desk) -> None:
    api = await desk.connect()
    await api.get(CONTACT)
    await api.get(CONTACT)
    assert desk.asked() == ["GET /login/companyinfo/northwind", f"GET {CONTACT}", f"GET {CONTACT}"]


async def test_an_upgrade_in_the_middle_is_noticed_and_nothing_is_lost_or_doubled(desk: Desk) -> None:
    api = await desk.connect()
    await api.get(CONTACT)
    desk.simulator.upgrade()
    await api.change(CONTACT, Change("inactiveFlag", value=True))
    assert desk.contact()["inactiveFlag"] is True
    assert [effect.what for effect in desk.simulator.effects] == ["contacts changed"]
    desk.simulator.calls.clear()
    await api.get(CONTACT)
    assert desk.asked() == [f"GET {CONTACT}"], "the new codebase is kept"


async def test_an_upgrade_between_two_pages_is_noticed(desk: Desk) -> None:
    desk.provider.most_per_page = 3
    api = await desk.connect()
    await api.get(CONTACT)
    desk.simulator.upgrade()
    assert len(await api.list("/company/contacts")) == 6


async def test_keys_never_travel_to_the_company_look_up(desk: Desk) -> None:
    await (await desk.connect()).get(CONTACT)
    looked_up, asked = desk.simulator.calls
    assert "authorization" not in looked_up.headers
    assert "clientid" not in looked_up.headers
    assert "authorization" in asked.headers


@pytest.mark.parametrize("codebase", ["", "../../evil", "v1/@evil.example"])
async def test_a_codebase_that_is_none_is_not_followed(desk: Desk, codebase: str) -> None:
    desk.simulator.upgrade(codebase)
    with pytest.raises(SignInFailed, match="knows no company"):
        await (await desk.connect()).get(CONTACT)


async def test_a_company_the_site_does_not_know_names_the_setting(desk: Desk) -> None:
    with pytest.raises(SignInFailed, match=r"knows no company 'southwind'.*company in clients\.yml"):
        await (await desk.connect({"company": "southwind"})).get(CONTACT)


# --- not found, not let in


async def test_wrong_keys_read_as_not_found_and_are_told_as_wrong_keys(desk: Desk) -> None:
    desk.keys["env/CONNECTWISE_PRIVATE"] = "an-old-key"
    with pytest.raises(SignInFailed, match=r"public_key, private_key and client_id in clients\.yml") as told:
        await (await desk.connect()).find(CONTACT)
    assert "an-old-key" not in f"{told.value} {told.value!r}"


async def test_wrong_keys_on_a_server_of_ones_own_are_401(desk: Desk) -> None:
    desk.provider.bad_sign_in = 401
    desk.keys["env/CONNECTWISE_PRIVATE"] = "an-old-key"
    with pytest.raises(SignInFailed, match="private_key"):
        await (await desk.connect()).find(CONTACT)


async def test_not_found_with_good_keys_is_nothing(desk: Desk) -> None:
    assert await (await desk.connect()).find("/company/contacts/999999") is None


async def test_not_found_while_the_role_may_not_even_count_companies_is_still_nothing(desk: Desk) -> None:
    desk.provider.denied = ("company/companies",)
    assert await (await desk.connect()).find("/company/contacts/999999") is None


async def test_the_wrong_host_of_the_cloud_is_named(desk: Desk) -> None:
    desk.provider.wrong_host = True
    with pytest.raises(Refused, match=r"SSL is required.*begins with api-"):
        await (await desk.connect()).get(CONTACT)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/finance/agreements", "Finance > Agreements"),
        ("/company/contacts", "Companies > Contacts"),
        ("/service/tickets", "Service Desk > Service Tickets"),
    ],
)
async def test_a_right_that_lacks_is_named(desk: Desk, path: str, words: str) -> None:
    desk.provider.denied = (path.strip("/"),)
    with pytest.raises(Refused, match=f"Security Roles.*{words}"):
        await (await desk.connect()).list(path)


async def test_an_answer_that_repeats_our_keys_does_not_get_them_into_an_error(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    desk.provider.echoes_keys = True
    desk.provider.denied = ("finance",)
    with pytest.raises(Refused) as told:
        await (await desk.connect()).list("/finance/agreements")
    basic = base64.b64encode(f"northwind+{PUBLIC_KEY}:{PRIVATE_KEY}".encode()).decode()
    for secret in (PRIVATE_KEY, PUBLIC_KEY, basic):
        assert secret not in f"{told.value} {told.value!r} {caplog.text}"


# --- errors


async def test_an_error_says_the_call_the_code_and_the_field_and_no_question(desk: Desk) -> None:
    with pytest.raises(Invalid) as told:
        await (await desk.connect()).create("/service/tickets", {"summary": "", "company": {"id": 250}})
    assert str(told.value) == (
        "connectwise: POST /service/tickets: answered 400 (InvalidObject: ticket object is invalid; "
        "summary: The summary must have 1 to 100 characters)"
    )


async def test_a_stale_field_that_we_do_not_touch_is_named_with_its_fix(desk: Desk) -> None:
    desk.provider.stale["finance/agreements/501/additions", USERS_LINE] = "taxableFlag"
    with pytest.raises(Invalid, match=r"taxableflag, which we do not change: open the record in ConnectWise"):
        await (await desk.connect()).change(ADDITION, Change("quantity", 39))
    assert desk.line(USERS_LINE)["quantity"] == 40.0


async def test_a_field_of_our_own_that_is_refused_is_not_called_somebody_elses(desk: Desk) -> None:
    with pytest.raises(Invalid) as told:
        await (await desk.connect()).change(CONTACT, Change("inactiveflag", value=True))
    assert "which we do not change" not in str(told.value)


async def test_too_many_requests_is_a_wait(desk: Desk) -> None:
    desk.simulator.fail(Fault("throttle", retry_after="30", match="/company/contacts"))
    api = await desk.connect()
    for _ in range(2):
        with pytest.raises(Throttled) as told:
            await api.get(CONTACT)
        assert told.value.retry_after == 30
    assert sum(call.status == 429 for call in desk.simulator.calls) == 1, "the next one is held back here"
    desk.clock.pass_by(31)
    assert await api.get(CONTACT)


@pytest.mark.parametrize("happened", [True, False])
async def test_a_time_out_of_theirs_may_have_happened(desk: Desk, happened: bool) -> None:
    desk.simulator.fail(Fault("error", status=500, effect=happened, match="PATCH"))
    with pytest.raises(Unreachable, match=r"A timeout has occured.*may or may not have happened"):
        await (await desk.connect()).change(CONTACT, Change("inactiveFlag", value=True))
    assert desk.contact()["inactiveFlag"] is happened


@pytest.mark.parametrize("kind", ["html", "malformed", "drop"])
async def test_an_answer_nobody_can_read_is_no_answer(desk: Desk, kind: str) -> None:
    api = await desk.connect()
    desk.simulator.fail(Fault(kind, calls=None))
    with pytest.raises(Unreachable):
        await api.get(CONTACT)


@pytest.mark.parametrize("kind", ["drop", "lost", "unavailable", "throttle", "error"])
async def test_a_change_is_sent_once_whatever_happens(desk: Desk, kind: str) -> None:
    api = await desk.connect()
    desk.simulator.fail(Fault(kind, calls=None, retry_after="0", match="PATCH"))
    with pytest.raises((Unreachable, Throttled)):
        await api.change(CONTACT, Change("inactiveFlag", value=True))
    assert sum(call.method == "PATCH" for call in desk.simulator.calls) == 1


async def test_no_answer_in_time_is_a_surprise(desk: Desk) -> None:
    api = await desk.connect({"patience": 0.1})
    await api.company_info()
    desk.simulator.fail(Fault("hang", seconds=1, match="PATCH"))
    with pytest.raises(Unreachable, match="no answer within"):
        await api.change(CONTACT, Change("inactiveFlag", value=True))
    assert desk.contact()["inactiveFlag"] is True


# --- pages and questions


async def test_an_only_page_has_no_link_and_is_all(desk: Desk) -> None:
    found = await (await desk.connect()).list("/company/contacts")
    assert len(found) == 6
    assert desk.simulator.calls[-1].query["pageSize"] == "1000"


@pytest.mark.parametrize("most", [1, 2, 3, 5])
async def test_every_page_is_read(desk: Desk, most: int) -> None:
    desk.provider.most_per_page = most
    found = await (await desk.connect()).list("/company/contacts", equals("company/id", 250))
    assert [one["id"] for one in found] == [1001, 1002, 1003, 1004, 1005]


async def test_pages_that_lead_in_a_circle_or_elsewhere_are_not_followed(desk: Desk) -> None:
    desk.provider.most_per_page, desk.provider.circular_links = 2, True
    api = await desk.connect()
    with pytest.raises(Unreachable, match="circle"):
        await api.list("/company/contacts")
    desk.provider.circular_links, desk.provider.foreign_links = False, True
    with pytest.raises(Refused, match="not the vendor's address"):
        await api.list("/company/contacts")


async def test_a_question_too_long_for_an_address_is_posted_and_all_its_pages_are_read(desk: Desk) -> None:
    desk.provider.most_per_page = 2
    many = any_of(*(equals("firstName", f"Somebody number {place}") for place in range(200)), equals("lastName", "Doe"))
    found = await (await desk.connect()).list("/company/contacts", many)
    assert [one["id"] for one in found] == [1001, 1003, 1101]
    assert desk.asked()[1:] == ["POST /company/contacts/search"] * 2


@pytest.mark.parametrize(
    "value", ['Owen "Money"', 'x" or id>0 or firstName="', "back\\slash", "*", "100%", "a[b]c", "O'Brien"]
)
async def test_no_value_changes_what_is_asked(desk: Desk, value: str) -> None:
    """Quotes are never sent inside a string: the answer may hold more, never an error, and never another's question."""
    asked = all_of(equals("company/id", 250), equals("firstName", value))
    found = await (await desk.connect()).list("/company/contacts", asked)
    assert all(one["company"] == {"id": 250, "identifier": "ContosoLtd"} for one in found)
    assert desk.simulator.calls[-1].status == 200
    assert desk.simulator.calls[-1].query["conditions"].count('"') == 2
    assert ("Owen" in value) == any(one["id"] == 1005 for one in found if value != "*")


async def test_asking_for_types_in_plain_conditions_is_the_error_it_is_there(desk: Desk) -> None:
    with pytest.raises(RefusedWith, match="ApiFindCondition"):
        await (await desk.connect()).list("/company/contacts", equals("types/name", "Approver"))


# --- amounts


def test_amounts_are_exact() -> None:
    record = parsed(b'{"price": 0.1, "many": 40.0, "big": 123456789.123456789, "none": null, "word": "x", "yes": true}')
    assert isinstance(record, dict)
    assert amount(record, "price") == Decimal("0.1")
    assert str(amount(record, "many")) == "40"
    assert str(amount(record, "big")) == "123456789.123456789"
    assert [amount(record, name) for name in ("none", "word", "yes", "absent")] == [None] * 4


@pytest.mark.parametrize("written", ["2026-12-01", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00"])
def test_a_day_is_a_day_in_every_form(written: str) -> None:
    found = day({"on": written}, "on")
    assert found is not None
    assert found.isoformat() == "2026-12-01"
    assert day({"on": "soon"}, "on") is None


async def test_two_clients_of_one_provider_keep_apart(desk: Desk) -> None:
    contoso = await desk.connect()
    fabrikam = await desk.connect({"client_company": "251"}, client="fabrikam")
    assert (await read_company(contoso))["identifier"] == "ContosoLtd"
    assert (await read_company(fabrikam))["identifier"] == "Fabrikam"


async def test_a_write_that_did_nothing_is_answered_with_success(desk: Desk) -> None:
    """The trap itself: that is why every write is read again."""
    api: ConnectWiseApi = await desk.connect()
    desk.provider.deaf = ("quantity",)
    await api.change(f"/finance/agreements/502/additions/{E3_LINE}", Change("quantity", 1))
    assert desk.simulator.calls[-1].status == 200
    assert desk.line(E3_LINE)["quantity"] == 12.0
