"""The one adapter: signing in, the wire's surprises, errors in all their shapes, pages, warnings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from connectors.contract import Refused, SignInFailed, Throttled, Unreachable
from connectors.exchange.client import CmdletRefused, NoSuchObject
from connectors.exchange.mailboxes import read_mailbox
from connectors.exchange.settings import ExchangeSettings
from connectors.exchange.simulated_mailboxes import CONTOSO, FABRIKAM, FABRIKAM_JANE, JANE, MARIA
from connectors.exchange.simulator import Fault
from connectors.microsoft365.simulated_people import SECRET
from tests.connectors.conftest import Microsoft
from tests.connectors.test_exchange_world import Office, office_of

NOBODY = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture
async def office(microsoft: Microsoft) -> AsyncIterator[Office]:
    async with office_of(microsoft) as office:
        yield office


# --- what is sent


async def test_opening_sends_nothing(office: Office) -> None:
    await office.connect()
    assert office.microsoft.simulator.sign_ins == []
    assert office.asked() == []


async def test_a_cmdlet_travels_with_its_anchor_its_name_and_a_page_size(office: Office) -> None:
    api = await office.connect()
    await api.invoke("Get-Mailbox", anchor="jane.doe@contoso.example", Identity=JANE)
    call = office.simulator.calls[0]
    assert call.body == {"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {"Identity": JANE}}}
    assert call.headers["x-anchormailbox"] == "jane.doe@contoso.example"
    assert call.headers["x-cmdletname"] == "Get-Mailbox"
    assert call.headers["prefer"] == "odata.maxpagesize=1000"


@pytest.mark.parametrize("anchor", ["", "zoë@contoso.example"])
async def test_without_a_usable_anchor_the_organisations_own_mailbox_is_it(office: Office, anchor: str) -> None:
    await (await office.connect()).invoke("Get-AcceptedDomain", anchor=anchor)
    sent = office.simulator.calls[0].headers["x-anchormailbox"]
    assert sent == f"APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{CONTOSO}"


async def test_nothing_to_clear_is_sent_as_null(office: Office) -> None:
    await (await office.connect()).invoke("Set-Mailbox", Identity=JANE, ForwardingSmtpAddress=None)
    assert office.simulator.calls[0].parameters["ForwardingSmtpAddress"] is None
    assert office.mailbox().forwarding_smtp == ""


async def test_success_without_output_is_an_empty_list(office: Office) -> None:
    assert await (await office.connect()).invoke("Set-Mailbox", Identity=JANE, Type="Shared") == []


async def test_warnings_are_told_apart_from_output(office: Office) -> None:
    api = await office.connect()
    told = await api.output("Remove-MailboxPermission", Identity=JANE, User=MARIA, AccessRights=["FullAccess"])
    assert told.values == ()
    assert "ACE doesn't exist" in told.warnings[0]


# --- pages


async def test_every_page_is_asked_for_with_the_same_body(office: Office) -> None:
    office.contoso.page_size = 1
    api = await office.connect()
    found = await api.invoke("Get-InboxRule", Mailbox=JANE, IncludeHidden=True)
    assert [one["Name"] for one in found] == ["Copy home", "Newsletters", ".", "Junk E-mail Rule"]
    bodies = [call.body for call in office.simulator.calls]
    assert len(bodies) == 4
    assert all(body == bodies[0] for body in bodies)


async def test_a_change_is_never_sent_again_for_a_next_page(office: Office) -> None:
    office.contoso.pages_changes = True
    await (await office.connect()).invoke("Set-Mailbox", Identity=JANE, Type="Shared")
    assert office.done() == ["converted to SharedMailbox"]


async def test_pages_that_lead_in_a_circle_or_elsewhere_are_not_followed(office: Office) -> None:
    office.contoso.page_size, office.contoso.serve_circular_links = 1, True
    api = await office.connect()
    with pytest.raises(Unreachable, match="circle"):
        await api.invoke("Get-InboxRule", Mailbox=JANE)
    office.contoso.serve_foreign_links = True
    with pytest.raises(Refused, match="not the vendor's address"):
        await api.invoke("Get-InboxRule", Mailbox=JANE)


# --- errors


@pytest.mark.parametrize("envelope", ["details", "internal", "message"])
@pytest.mark.parametrize("status", [400, 404, 500])
async def test_not_found_is_known_whatever_status_and_shape_it_comes_in(
    office: Office, envelope: str, status: int
) -> None:
    office.contoso.envelope, office.contoso.not_found_status = envelope, status
    api = await office.connect()
    if envelope == "message" and status == 500:
        with pytest.raises(Unreachable):  # no exception's name: it may as well be an outage
            await api.invoke("Get-Mailbox", Identity=NOBODY)
        return
    with pytest.raises(NoSuchObject, match="couldn't be found on 'DB1PR01'"):
        await api.invoke("Get-Mailbox", Identity=NOBODY)
    assert await read_mailbox(api, NOBODY) is None


@pytest.mark.parametrize("status", [404, 500])
async def test_not_found_is_known_by_its_exception_in_any_language(office: Office, status: int) -> None:
    office.contoso.not_found_sentence, office.contoso.not_found_status = "Das Objekt '{identity}' fehlt.", status
    assert await read_mailbox(await office.connect(), NOBODY) is None


async def test_an_error_says_the_cmdlet_the_kind_and_the_sentence(office: Office) -> None:
    with pytest.raises(CmdletRefused) as told:
        await (await office.connect()).invoke("Set-Mailbox", Identity=JANE, NoSuchParameter=1)
    assert told.value.kind == "ParameterBindingException"
    assert str(told.value).startswith("exchange: Set-Mailbox: answered 400 (ParameterBindingException: A parameter")


async def test_consent_without_the_role_names_the_role(office: Office) -> None:
    office.contoso.role = False
    with pytest.raises(Refused, match=r"Consent is not enough.*Exchange Recipient Administrator"):
        await (await office.connect()).invoke("Get-Mailbox", Identity=JANE)


async def test_a_missing_permission_is_named_before_any_role(office: Office) -> None:
    tenant = office.microsoft.contoso
    tenant.permissions = tuple(one for one in tenant.permissions if one != "Exchange.ManageAsApp")
    with pytest.raises(Refused, match=r"Grant our application Exchange\.ManageAsApp"):
        await (await office.connect()).invoke("Get-Mailbox", Identity=JANE)


async def test_a_cmdlet_outside_our_role_names_the_role(office: Office) -> None:
    office.contoso.denied = ("Set-CASMailbox",)
    with pytest.raises(Refused, match="Exchange Recipient Administrator"):
        await (await office.connect()).invoke("Set-CASMailbox", Identity=JANE, PopEnabled=False)


async def test_an_unknown_failure_may_have_happened(office: Office) -> None:
    office.simulator.fail(CONTOSO, Fault("error", status=500, effect=True, match="Set-Mailbox"))
    with pytest.raises(Unreachable, match="may or may not have happened"):
        await (await office.connect()).invoke("Set-Mailbox", Identity=JANE, Type="Shared")
    assert office.done() == ["converted to SharedMailbox"]


@pytest.mark.parametrize("kind", ["html", "malformed", "drop"])
async def test_an_answer_nobody_can_read_is_no_answer(office: Office, kind: str) -> None:
    office.simulator.fail(CONTOSO, Fault(kind, calls=None))
    with pytest.raises(Unreachable):
        await (await office.connect()).invoke("Get-Mailbox", Identity=JANE)


async def test_no_answer_in_time_is_a_surprise(office: Office) -> None:
    office.simulator.fail(CONTOSO, Fault("hang", seconds=1))
    api = await office.connect(changed={"patience": 0.1})
    with pytest.raises(Unreachable, match="no answer within"):
        await api.invoke("Set-Mailbox", Identity=JANE, Type="Shared")
    assert office.done() == ["converted to SharedMailbox"]


# --- repeats


@pytest.mark.parametrize(
    "fault", [Fault("drop", 2), Fault("throttle", 2, retry_after="1"), Fault("unavailable", 1, retry_after="0")]
)
async def test_a_read_is_repeated_twice_for_a_passing_trouble(office: Office, fault: Fault) -> None:
    office.simulator.fail(CONTOSO, fault)
    assert await (await office.connect()).invoke("Get-Mailbox", Identity=JANE)


async def test_a_read_is_repeated_no_more_than_twice(office: Office) -> None:
    office.simulator.fail(CONTOSO, Fault("drop", calls=None))
    with pytest.raises(Unreachable):
        await (await office.connect()).invoke("Get-Mailbox", Identity=JANE)
    assert len(office.simulator.calls) == 3


@pytest.mark.parametrize("kind", ["drop", "lost", "unavailable", "throttle"])
async def test_a_change_is_sent_once_whatever_happens(office: Office, kind: str) -> None:
    office.simulator.fail(CONTOSO, Fault(kind, calls=None, retry_after="0"))
    with pytest.raises((Unreachable, Throttled)):
        await (await office.connect()).invoke("Set-Mailbox", Identity=JANE, Type="Shared")
    assert len(office.simulator.calls) == 1


async def test_a_long_wait_goes_back_to_the_engine_and_holds_the_next_request_back(office: Office) -> None:
    office.simulator.fail(CONTOSO, Fault("throttle", retry_after="30"))
    api = await office.connect()
    for _ in range(2):
        with pytest.raises(Throttled) as told:
            await api.invoke("Get-Mailbox", Identity=JANE)
        assert told.value.retry_after == 30
    assert len(office.simulator.calls) == 1
    office.clock.pass_by(31)
    assert await api.invoke("Get-Mailbox", Identity=JANE)


# --- signing in


async def test_the_token_is_for_exchange_and_is_kept(office: Office) -> None:
    api = await office.connect()
    await asyncio.gather(*(api.invoke("Get-AcceptedDomain") for _ in range(3)))
    assert office.microsoft.simulator.sign_ins == [CONTOSO]
    assert api.settings.scope == "https://outlook.office365.com/.default"


@pytest.mark.parametrize("challenge", [False, True])
async def test_a_refused_token_is_replaced_once(office: Office, challenge: bool) -> None:
    api = await office.connect()
    await api.invoke("Get-AcceptedDomain")
    office.microsoft.simulator.expire_tokens(CONTOSO)
    office.simulator.challenge = challenge
    assert await api.invoke("Get-AcceptedDomain")
    assert len(office.microsoft.simulator.sign_ins) == 2


async def test_a_token_refused_twice_is_a_failed_sign_in(office: Office) -> None:
    api = await office.connect(changed={"base_url": office.simulator.base_url})
    office.simulator.sign_in = lambda _bearer, _audience: None
    with pytest.raises(SignInFailed, match="still exists"):
        await api.invoke("Get-AcceptedDomain")
    assert len(office.simulator.calls) == 2


async def test_a_wrong_secret_names_the_fix_and_not_the_secret(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    office.microsoft.secret = "not-the-secret-at-all"
    with pytest.raises(SignInFailed, match=r"secret.s value") as told:
        await (await office.connect()).invoke("Get-AcceptedDomain")
    assert "not-the-secret-at-all" not in f"{told.value} {told.value!r} {caplog.text}"


async def test_no_token_or_secret_is_logged(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await (await office.connect()).invoke("Get-AcceptedDomain")
    assert SECRET not in caplog.text
    assert "eyJ" not in caplog.text


async def test_two_tenants_at_once_keep_apart(office: Office) -> None:
    contoso, fabrikam = await office.connect(), await office.connect(FABRIKAM, "fabrikam")
    assert await read_mailbox(contoso, FABRIKAM_JANE) is None
    assert await read_mailbox(fabrikam, JANE) is None
    found = await read_mailbox(fabrikam, FABRIKAM_JANE)
    assert found is not None
    assert found.mail == "jane@fabrikam.example"
    assert not any("cookie" in call.headers for call in office.simulator.calls)


# --- settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_secret": "the-secret-itself"},
        {"certificate": "file/x.pem"},
        {"client_secret": None},
        {"tenant_id": "Contoso Ltd"},
        {"client_id": "our-app"},
        {"base_url": "http://outlook.office365.com/adminapi/beta"},
    ],
)
def test_settings_that_can_not_work_are_refused(wrong: dict[str, object]) -> None:
    right = {"tenant_id": CONTOSO, "client_id": JANE, "client_secret": "env/SECRET"}
    assert ExchangeSettings.model_validate(right).base_url == "https://outlook.office365.com/adminapi/beta"
    with pytest.raises(ValidationError) as told:
        ExchangeSettings.model_validate({**right, **wrong})
    assert "the-secret-itself" not in str(told.value)
