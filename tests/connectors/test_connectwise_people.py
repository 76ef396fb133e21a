"""Who the leaver is at the service desk, what hangs on their contact, who may ask, and what is read once per plan."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import cast

import pytest

from connectors.connectwise import CONNECTOR
from connectors.connectwise.facts import ConnectWiseFacts
from connectors.connectwise.simulated_records import JANE, MARIA, OLD_JANE, OWEN, SEAN
from connectors.connectwise.simulator import Fault
from connectors.contract import Account, Refused, SignInFailed, Unreachable
from tests.connectors.test_connectwise_world import JANE_DOE, NEWCOMER, POWER_BI, USERS, Desk, desk_of


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_of() as desk:
        yield desk


async def found(desk: Desk, leaver: Account, **changed: object) -> list[Account]:
    return await CONNECTOR.find(await desk.connect(changed), leaver)


async def facts_of(desk: Desk, leaver: Account = JANE_DOE, **changed: object) -> ConnectWiseFacts:
    api = await desk.connect(changed)
    return await CONNECTOR.facts(api, (await CONNECTOR.find(api, leaver))[0])


def set_mail(desk: Desk, contact: int, mail: str) -> None:
    items = cast("list[dict[str, str]]", desk.contact(contact)["communicationItems"])
    items[1]["value"] = mail


# --- who it is


async def test_one_contact_with_the_mail_is_certain(desk: Desk) -> None:
    [account] = await found(desk, JANE_DOE)
    assert (account.system, account.id, account.name, account.mail) == (
        "connectwise",
        str(JANE),
        "Jane Doe",
        "jane.doe@contoso.example",
    )
    assert account.certain
    assert account.matched_by == "contact with the mail jane.doe@contoso.example"


async def test_capitals_in_a_mail_are_the_same_mail(desk: Desk) -> None:
    set_mail(desk, JANE, "Jane.Doe@Contoso.example")
    assert [one.id for one in await found(desk, JANE_DOE)] == [str(JANE)]


async def test_the_sign_in_name_is_a_mail_too(desk: Desk) -> None:
    by_name = Account(
        system="microsoft365", id="c0", name="J", user_name="jane.doe@contoso.example", mail="j@new.example"
    )
    assert [one.id for one in await found(desk, by_name)] == [str(JANE)]


async def test_a_telephone_note_that_looks_like_the_mail_is_not_the_mail(desk: Desk) -> None:
    """ConnectWise matches value and kind in different items of one contact; we look at one item."""
    items = cast("list[dict[str, str]]", desk.contact(SEAN)["communicationItems"])
    items[0]["value"] = "jane.doe@contoso.example"
    assert [one.id for one in await found(desk, JANE_DOE)] == [str(JANE)]


async def test_two_active_contacts_with_one_mail_are_both_uncertain(desk: Desk) -> None:
    set_mail(desk, SEAN, "jane.doe@contoso.example")
    accounts = await found(desk, JANE_DOE)
    assert {one.id for one in accounts} == {str(JANE), str(SEAN)}
    assert not any(one.certain for one in accounts)


async def test_who_left_before_with_the_same_mail_is_not_in_the_way(desk: Desk) -> None:
    set_mail(desk, OLD_JANE, "jane.doe@contoso.example")
    [account] = await found(desk, JANE_DOE)
    assert account.id == str(JANE)
    assert account.certain


async def test_the_same_name_with_another_mail_is_a_question(desk: Desk) -> None:
    other = JANE_DOE.model_copy(update={"mail": "j.doe@contoso.example"})
    [account] = await found(desk, other)
    assert account.id == str(JANE), "the inactive one of that name is left out"
    assert not account.certain


@pytest.mark.parametrize(("name", "contact"), [("Sean O'Brien", SEAN), ('Owen "Money" Pay', OWEN)])
async def test_a_name_with_quotes_is_found(desk: Desk, name: str, contact: int) -> None:
    [account] = await found(desk, Account(system="microsoft365", id="c1", name=name))
    assert account.id == str(contact)


@pytest.mark.parametrize("name", ["*", '" or id>0', "Doe", "Jane Doerr", ""])
async def test_a_name_is_the_whole_name(desk: Desk, name: str) -> None:
    [account] = await found(desk, Account(system="microsoft365", id="c1", name=name))
    assert account.id == "company:250"


async def test_another_clients_contact_is_never_theirs(desk: Desk) -> None:
    set_mail(desk, JANE, "gone@contoso.example")
    desk.contact()["lastName"] = "Smith"
    [account] = await found(desk, Account(system="microsoft365", id="x", name="Jane Doe", mail="jane@fabrikam.example"))
    assert account.id == "company:250"


async def test_without_a_contact_the_agreement_is_still_theirs_to_fall(desk: Desk) -> None:
    [account] = await found(desk, NEWCOMER)
    assert (account.id, account.name, account.certain) == ("company:250", "Contoso Ltd", True)
    facts = await facts_of(desk, NEWCOMER)
    assert facts.contact is None
    assert facts.devices == ()
    assert [line.label for line in facts.lines] == ["MS-USER", "M365-E3", "PBI-PRO"]
    assert CONNECTOR.ways_in(facts, {}) == ()


@pytest.mark.parametrize("named", ["250", "contosoltd", 250])
async def test_the_client_is_named_by_its_id_or_its_number(desk: Desk, named: str | int) -> None:
    [account] = await found(desk, NEWCOMER, client_company=named)
    assert account.name == "Contoso Ltd"


@pytest.mark.parametrize("named", ["Contoso", "999", 'x" or id>0'])
async def test_a_client_that_is_not_there_names_the_setting(desk: Desk, named: str) -> None:
    with pytest.raises(Refused, match=r"client_company in clients\.yml"):
        await found(desk, JANE_DOE, client_company=named)


async def test_a_deleted_client_is_told(desk: Desk) -> None:
    desk.company()["deletedFlag"] = True
    with pytest.raises(Refused, match="is deleted"):
        await found(desk, JANE_DOE)


# --- facts


async def test_the_facts_of_a_plain_leaver(desk: Desk) -> None:
    facts = await facts_of(desk)
    assert facts.contact is not None
    assert (facts.contact.portal, facts.contact.inactive, facts.contact.types) == (True, False, ("End User",))
    assert facts.contact.roles == ()
    assert [device.title for device in facts.devices] == ["LAPTOP-7 (Laptop, serial SN-7)", "DOCK-7 (Dock)"]
    line = facts.lines[1].only
    assert line is not None
    assert (line.title, line.quantity, line.unit_price) == ("Microsoft 365 E3", Decimal(12), Decimal("36.9"))
    assert (line.agreement_name, line.cycle, line.currency) == ("Cloud subscriptions", "Monthly", "GBP")
    assert line.next_invoice is not None
    assert line.next_invoice.isoformat() == "2026-12-01"
    assert facts.unread == ()


async def test_cancelled_additions_and_agreements_are_over(desk: Desk) -> None:
    facts = await facts_of(desk, lines=[USERS])
    assert [one.id for one in facts.lines[0].found] == [9001]


async def test_an_agreement_that_is_cancelled_is_over_whatever_its_status_says(desk: Desk) -> None:
    desk.provider.record("finance/agreements", 501)["cancelledFlag"] = True
    assert (await facts_of(desk, lines=[USERS])).lines[0].found == ()


async def test_an_addition_that_begins_later_counts(desk: Desk) -> None:
    record = dict(desk.line(9003)) | {"id": 9010, "effectiveDate": "2027-01-01T00:00:00Z"}
    desk.provider.collections["finance/agreements/502/additions"][9010] = record
    facts = await facts_of(desk, lines=[POWER_BI])
    assert [one.id for one in facts.lines[0].found] == [9003, 9010]


async def test_what_hangs_on_a_contact_is_told(desk: Desk) -> None:
    owen = Account(system="microsoft365", id="c2", name="Owen", mail="owen@contoso.example")
    facts = await facts_of(desk, owen)
    assert facts.contact is not None
    assert facts.contact.roles == (
        "the company's billing contact: invoices go to it",
        "billing contact of the agreement Managed services",
        "billing contact of the agreement Cloud subscriptions",
    )


@pytest.mark.parametrize(("denied", "lost"), [("finance", "lines"), ("company/configurations", "devices")])
async def test_what_may_not_be_read_holds_nothing_else_up(desk: Desk, denied: str, lost: str) -> None:
    desk.provider.denied = (denied,)
    facts = await facts_of(desk)
    assert facts.contact is not None
    assert facts.contact.portal
    [caution] = CONNECTOR.cautions(facts)
    assert "Security Roles" in caution.text
    assert not caution.bars_immediate
    assert lost == "devices" or all(not line.found for line in facts.lines)


async def test_an_outage_is_a_surprise_and_no_half_truth(desk: Desk) -> None:
    desk.simulator.fail(Fault("html", calls=None, match="/finance"))
    with pytest.raises(Unreachable):
        await facts_of(desk)


async def test_wrong_keys_are_no_caution_but_a_failed_sign_in(desk: Desk) -> None:
    desk.keys["env/CONNECTWISE_PRIVATE"] = "old"
    with pytest.raises(SignInFailed):
        await facts_of(desk)


@pytest.mark.parametrize(("seats", "expected"), [(None, False), ({}, True)])
async def test_the_facts_know_what_the_leaver_holds_and_whether_seats_can_be_asked_for(
    desk: Desk, seats: dict[str, dict[str, str]] | None, expected: bool
) -> None:
    desk.seats = cast("None", seats)
    facts = (await desk.ready()).facts
    assert facts.held == ("SPE_E3",)
    assert facts.distributor is expected


async def test_nobody_is_asked_about_seats_where_no_line_counts_licences(desk: Desk) -> None:
    facts = (await desk.ready(changed={"lines": [USERS]})).facts
    assert facts.held is None
    assert facts.distributor is None


# --- who may ask


async def test_contacts_of_the_right_type_may_ask(desk: Desk) -> None:
    [maria] = await CONNECTOR.contacts(await desk.connect())
    assert (maria.id, maria.name, maria.mail) == (str(MARIA), "Maria Rossi", "maria@contoso.example")
    assert maria.why == "contact type Approver"


async def test_who_left_may_ask_no_more(desk: Desk) -> None:
    desk.contact(MARIA)["inactiveFlag"] = True
    assert await CONNECTOR.contacts(await desk.connect()) == ()


async def test_the_types_are_the_clients_to_choose(desk: Desk) -> None:
    people = await CONNECTOR.contacts(await desk.connect({"approver_types": ["Approver", "end user"]}))
    assert {one.id for one in people} == {str(JANE), str(MARIA)}
    assert next(one.why for one in people if one.id == str(MARIA)) == "contact type Approver, End User"


async def test_a_type_with_quotes_lets_nobody_in(desk: Desk) -> None:
    assert await CONNECTOR.contacts(await desk.connect({"approver_types": ['A*" or 1=1']})) == ()


# --- reads


async def test_other_systems_may_read_the_lines(desk: Desk) -> None:
    api = await desk.connect({"lines": [POWER_BI, {"product": "NONE", "kind": "user"}]})
    told = await CONNECTOR.reads()["connectwise.agreement"](api, JANE_DOE)
    assert told == {
        "lines": [
            {
                "line": "PBI-PRO",
                "part_number": "POWER_BI_PRO",
                "quantity": "5",
                "agreement": "Cloud subscriptions",
                "next_invoice": "2026-12-01",
            }
        ]
    }
