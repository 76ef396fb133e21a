"""Signing in, finding people, and the wire's own surprises."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from connectors.contract import Account, Intent, Item, Refused, SignInFailed, Throttled, Unreachable
from connectors.microsoft365 import CONNECTOR
from connectors.microsoft365.client import Graph
from connectors.microsoft365.settings import Microsoft365Settings
from connectors.microsoft365.simulated_people import (
    APPLICATION,
    CONTOSO,
    DISABLED,
    FABRIKAM,
    FABRIKAM_JANE,
    GUEST,
    JANE,
    MARIA,
    OTHER_JANE,
    SEAN,
    SECRET,
    ZOE,
)
from connectors.microsoft365.simulator import Fault
from connectors.microsoft365.steps import BlockSignIn
from tests.connectors.conftest import Microsoft


async def found(api: Graph, text: str) -> list[str]:
    return [account.id for account in await CONNECTOR.search(api, text)]


def people(*ids: str) -> list[str]:
    return list(ids)


# --- finding people


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("Jane Doe", people(JANE, OTHER_JANE)),
        ("doe jane", people(JANE, OTHER_JANE)),
        ("  jane   DOE ", people(JANE, OTHER_JANE)),
        ("O'Brien", people(SEAN)),
        ("o’brien", people(SEAN)),
        ("Sean O'B", people(SEAN)),
        ("O'Brién Séan", people(SEAN)),
        ("Zoë", people(ZOE)),
        ("Zoe", people(ZOE)),
        ("muller", people(ZOE)),
        ("jane.doe2@contoso.example", people(OTHER_JANE)),
        ("maria@", people(MARIA)),
        ("Ken", people(GUEST)),
        ("ken_partner.example#EXT#", people(GUEST)),
        ("Dana", people(DISABLED)),
        ("Nobody Here", people()),
        ("   ", people()),
        ('"quoted" \\', people()),
        ("x' or startswith(surname,'D", people()),
    ],
)
async def test_people_are_found_by_what_is_typed(microsoft: Microsoft, text: str, who: list[str]) -> None:
    assert sorted(await found(await microsoft.connect(), text)) == sorted(who)


async def test_the_exact_name_comes_before_the_beginning_of_one(microsoft: Microsoft) -> None:
    microsoft.simulator.person(ZOE).name = "Jane Doering"
    assert (await found(await microsoft.connect(), "Jane Doe"))[:2] == [JANE, OTHER_JANE]


async def test_who_is_still_here_comes_before_who_is_not(microsoft: Microsoft) -> None:
    microsoft.simulator.person(JANE).enabled = False
    assert await found(await microsoft.connect(), "Jane Doe") == [OTHER_JANE, JANE]


async def test_at_most_twenty_are_named(microsoft: Microsoft) -> None:
    for person in microsoft.contoso.people.values():
        person.name = "Jane Doe"
    for number in range(30):
        copied = f"c0000000-0000-4000-8000-0000000001{number:02}"
        person = microsoft.simulator.person(JANE)
        microsoft.contoso.people[copied] = type(person)(copied, "Jane Doe", f"jane{number}@contoso.example")
    assert len(await found(await microsoft.connect(), "Jane Doe")) == 20


async def test_what_is_found_says_title_state_and_kind(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    jane = (await CONNECTOR.search(api, "jane.doe@"))[0]
    assert (jane.title, jane.employee_id, jane.enabled, jane.guest) == ("Head of Sales", "1001", True, False)
    assert (await CONNECTOR.search(api, "Ken"))[0].guest
    assert not (await CONNECTOR.search(api, "Dana"))[0].enabled


@pytest.mark.parametrize("text", ["Jane Doe", "O'Brien Séan"])
async def test_a_search_takes_one_round_trip_when_somebody_is_found(microsoft: Microsoft, text: str) -> None:
    api = await microsoft.connect()
    assert await found(api, text)
    # Side by side: by words, by beginnings, and who was deleted lately.
    assert sorted(microsoft.asked()) == ["GET /directory/deletedItems/graph.user", "GET /users", "GET /users"]
    searches = [call for call in microsoft.simulator.calls if "$search" in call.query]
    assert searches[0].headers["consistencylevel"] == "eventual"


async def test_nobody_of_another_tenant_is_found(microsoft: Microsoft) -> None:
    api = await microsoft.connect(FABRIKAM, "fabrikam")
    assert await found(api, "Jane") == [FABRIKAM_JANE]
    assert await CONNECTOR.find(api, Account(system="microsoft365", id=JANE, name="")) == []


async def test_two_tenants_at_once_keep_apart(microsoft: Microsoft) -> None:
    contoso, fabrikam = await microsoft.connect(), await microsoft.connect(FABRIKAM, "fabrikam")
    assert await found(contoso, "Jane Doe") == [JANE, OTHER_JANE]
    assert await found(fabrikam, "Jane Doe") == [FABRIKAM_JANE]
    assert not any("cookie" in call.headers for call in microsoft.simulator.calls)


# --- signing in


async def test_opening_sends_nothing(microsoft: Microsoft) -> None:
    await microsoft.connect()
    assert microsoft.simulator.sign_ins == []
    assert microsoft.asked() == []


async def test_a_certificate_signs_in_too(microsoft: Microsoft) -> None:
    microsoft.contoso.certificate = True
    microsoft.secret = _pem()
    api = await microsoft.connect(changed={"client_secret": None, "certificate": "file/contoso.pem"})
    assert await found(api, "Zoë") == [ZOE]


@pytest.mark.parametrize(
    ("spoil", "cause", "fix"),
    [
        ("consent", "not known in this tenant", "adminconsent?client_id="),
        ("secret", "the client secret is wrong", "clients.yml"),
        ("tenant", "no such tenant", "tenant_id"),
        ("certificate", "not the application's", "Upload its public part"),
        ("pem", "can't be used", "PEM text"),
    ],
)
async def test_a_failed_sign_in_says_why_and_what_to_do(microsoft: Microsoft, spoil: str, cause: str, fix: str) -> None:
    tenant, changed = CONTOSO, dict[str, object]()
    if spoil == "consent":
        microsoft.contoso.consented = False
    elif spoil == "secret":
        microsoft.secret = "wrong-secret-value"
    elif spoil == "tenant":
        tenant = "00000000-0000-4000-8000-000000000000"
    else:
        microsoft.secret = _pem() if spoil == "certificate" else "not a certificate, but a secret"
        changed = {"client_secret": None, "certificate": "file/contoso.pem"}
    api = await microsoft.connect(tenant, changed=changed)
    with pytest.raises(SignInFailed) as told:
        await CONNECTOR.search(api, "Jane")
    assert cause in str(told.value)
    assert fix in told.value.fix
    assert microsoft.secret not in f"{told.value!s} {told.value!r}"


async def test_a_corrected_secret_is_read_again(microsoft: Microsoft) -> None:
    microsoft.secret = "wrong"
    api = await microsoft.connect()
    with pytest.raises(SignInFailed):
        await CONNECTOR.search(api, "Jane")
    microsoft.secret = SECRET
    assert await found(api, "Zoë") == [ZOE]


async def test_no_sign_in_server_is_a_surprise(microsoft: Microsoft) -> None:
    api = await microsoft.connect(changed={"authority": "https://localhost:1"})
    with pytest.raises(Unreachable, match="sign-in to tenant"):
        await CONNECTOR.search(api, "Jane")


async def test_an_expired_token_is_replaced_once_and_the_write_goes_through(microsoft: Microsoft) -> None:
    context = await microsoft.context(await microsoft.connect(), JANE)
    item = Item(key="sign-in", title="Sign-in", before={"accountEnabled": True})
    microsoft.simulator.expire_tokens(CONTOSO)
    await BlockSignIn().act(context, item, Intent("key", microsoft.clock.now()))
    assert len(microsoft.simulator.sign_ins) == 2
    assert microsoft.done() == ["blocked"]


@pytest.mark.parametrize("challenge", [True, False], ids=["with claims", "without"])
async def test_a_token_that_is_never_accepted_is_said_to_be_so(microsoft: Microsoft, challenge: bool) -> None:
    api = await microsoft.connect()
    microsoft.simulator.fail(CONTOSO, Fault("error", calls=None, status=401, code="InvalidAuthenticationToken"))
    if challenge:
        microsoft.simulator.expire_tokens(CONTOSO, challenge=True)
    with pytest.raises(SignInFailed, match="not accepted"):
        await CONNECTOR.search(api, "Jane")


async def test_a_demand_for_fresh_claims_is_met(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    await found(api, "Zoë")
    microsoft.simulator.expire_tokens(CONTOSO, challenge=True)
    assert await found(api, "Zoë") == [ZOE]


async def test_an_hour_later_a_new_token_is_fetched(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    await found(api, "Zoë")
    microsoft.clock.pass_by(3601)
    assert await found(api, "Zoë") == [ZOE]


# --- the wire


async def test_a_next_page_on_another_host_is_not_followed(microsoft: Microsoft) -> None:
    microsoft.contoso.page_size, microsoft.contoso.serve_foreign_links = 1, True
    context = Account(system="microsoft365", id=JANE, name="")
    with pytest.raises(Refused, match=r"pointed at http://elsewhere\.example"):
        await CONNECTOR.facts(await microsoft.connect(), context)


async def test_pages_that_lead_in_a_circle_are_left(microsoft: Microsoft) -> None:
    microsoft.contoso.page_size, microsoft.contoso.serve_circular_links = 1, True
    api = await microsoft.connect()
    async with asyncio.timeout(5):
        with pytest.raises(Unreachable, match="circle"):
            await api.read_all(api.sdk.users.to_get_request_information())


async def test_the_next_page_of_a_search_says_again_that_it_may_be_late(microsoft: Microsoft) -> None:
    microsoft.contoso.page_size = 1
    api = await microsoft.connect()
    found = await api.read_all(api.sdk.users.to_get_request_information(), search='"displayName:Jane"', count=True)
    assert len(found) == 2


async def test_a_throttled_search_waits_a_moment_and_goes_on(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    microsoft.simulator.fail(CONTOSO, Fault("throttle", retry_after="1"))
    assert await found(api, "Zoë") == [ZOE]


async def test_a_search_throttled_for_long_says_so(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    microsoft.simulator.fail(CONTOSO, Fault("throttle", calls=None))
    with pytest.raises(Throttled):
        await CONNECTOR.search(api, "Zoë")


@pytest.mark.parametrize("kind", ["html", "malformed", "error"])
async def test_an_unusable_answer_is_a_surprise_that_names_the_call(microsoft: Microsoft, kind: str) -> None:
    api = await microsoft.connect()
    microsoft.simulator.fail(CONTOSO, Fault(kind, calls=None))
    with pytest.raises(Unreachable, match="microsoft365: GET /users"):
        await CONNECTOR.search(api, "Jane")


async def test_a_dropped_connection_is_tried_again_for_a_read(microsoft: Microsoft) -> None:
    api = await microsoft.connect()
    microsoft.simulator.fail(CONTOSO, Fault("drop"))
    assert await found(api, "Zoë") == [ZOE]


async def test_a_refusal_carries_the_request_id_for_microsofts_support(microsoft: Microsoft) -> None:
    microsoft.contoso.permissions = ()
    with pytest.raises(Refused, match="request-id"):
        await CONNECTOR.search(await microsoft.connect(), "Jane")


async def test_neither_names_nor_tokens_reach_the_logs(microsoft: Microsoft, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await found(await microsoft.connect(), "Zoë")
    for word in ("Zo", SECRET, "Bearer", "eyJ"):
        assert word not in caplog.text


# --- letting somebody back in


async def test_a_pass_lets_somebody_back_in_once(microsoft: Microsoft) -> None:
    context = await microsoft.context(await microsoft.connect(), JANE)
    secret = await CONNECTOR.restore(context.api, context.account)
    assert secret is not None
    assert secret.minutes == 60
    assert secret.value
    assert secret.value not in repr(secret)
    assert microsoft.done() == ["pass issued"]
    sent = microsoft.simulator.calls[-1].body
    assert (sent["isUsableOnce"], sent["lifetimeInMinutes"]) == (True, 60)


async def test_a_policy_against_passes_is_said_with_the_fix(microsoft: Microsoft) -> None:
    microsoft.contoso.passes_allowed = False
    context = await microsoft.context(await microsoft.connect(), JANE)
    with pytest.raises(Refused, match="Authentication methods > Policies"):
        await CONNECTOR.restore(context.api, context.account)


# --- settings


GOOD: dict[str, object] = {"tenant_id": CONTOSO, "client_id": APPLICATION, "client_secret": "env/SECRET"}


@pytest.mark.parametrize(
    "changed",
    [
        {"client_secret": None},
        {"certificate": "file/x.pem"},
        {"client_secret": "the-secret-itself"},
        {"base_url": "http://graph.example/v1.0"},
        {"authority": "http://login.example"},
        {"tenant": "x"},
        {"client_id": "offboard"},
        {"tenant_id": "contoso"},
        {"break_glass": ["emergency@contoso.example"]},
        {"client_secret": "keyvault/NAME"},
    ],
)
def test_settings_that_cannot_be_right_are_refused(changed: dict[str, object]) -> None:
    Microsoft365Settings.model_validate(GOOD)
    with pytest.raises(ValidationError):
        Microsoft365Settings.model_validate({**GOOD, **changed})


def test_a_secret_in_place_of_its_reference_is_refused_in_words_and_not_quoted() -> None:
    with pytest.raises(ValidationError, match="never the secret itself") as refused:
        Microsoft365Settings.model_validate({**GOOD, "client_secret": "the-secret-itself"})
    assert "the-secret-itself" not in str(refused.value)


def test_a_tenant_may_be_named_by_a_domain_and_ids_in_capitals_are_the_same_ids() -> None:
    settings = Microsoft365Settings.model_validate(
        {**GOOD, "tenant_id": "contoso.onmicrosoft.com", "break_glass": [JANE.upper()]}
    )
    assert settings.tenant_id == "contoso.onmicrosoft.com"
    assert settings.break_glass == (JANE,)


async def test_a_secret_that_is_missing_is_a_failed_sign_in_with_the_sentence(microsoft: Microsoft) -> None:
    def nothing_there(reference: str) -> str:
        raise ValueError(f"The secret {reference} is empty: set the environment variable.")

    around = replace(microsoft.around(), secret=nothing_there)
    api = await CONNECTOR.open(Microsoft365Settings.model_validate(microsoft.simulator.settings(CONTOSO)), around)
    microsoft.opened.append(api)
    with pytest.raises(SignInFailed, match=r"The secret env/.* is empty: set the environment variable"):
        await found(api, "Jane")


def test_the_token_is_for_the_cloud_that_is_asked() -> None:
    assert Microsoft365Settings.model_validate(GOOD).scope == "https://graph.microsoft.com/.default"
    there = Microsoft365Settings.model_validate({**GOOD, "base_url": "https://graph.microsoft.us/v1.0/"})
    assert (there.scope, there.base_url) == ("https://graph.microsoft.us/.default", "https://graph.microsoft.us/v1.0")


def _pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "offboard")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (certificate.public_bytes(serialization.Encoding.PEM) + private).decode()
