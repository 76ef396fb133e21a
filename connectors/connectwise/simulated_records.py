"""What a simulated ConnectWise holds: one provider's records in the vendor's own shape, and its sample clients."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from pydantic import JsonValue

from connectors.contract import Json

COMPANY, PUBLIC_KEY, PRIVATE_KEY = "northwind", "PublicKey0123456", "PrivateKeyNobodyMaySee"
CLIENT_ID = "0f0e0d0c-0000-4000-8000-00000000c1d0"
CONTOSO, FABRIKAM = 250, 251
JANE, MARIA, OLD_JANE, SEAN, OWEN, FABRIKAM_JANE = 1001, 1002, 1003, 1004, 1005, 1101
"""Contacts: the one who leaves, who may ask, one who left before, a plain one, who the invoices go to."""
BOARD, OTHER_BOARD = 11, 12
NEW, IN_PROGRESS, CLOSED, OLD_CLOSED = 101, 102, 103, 104
MANAGED, CLOUD, ENDED = 501, 502, 503
USERS_LINE, E3_LINE, POWER_BI_LINE = 9001, 9002, 9003
LAPTOP, DOCK, OLD_PHONE = 7001, 7002, 7003

Key = tuple[str, int]
"""A collection and a record's number: ('service/tickets', 40001)."""


@dataclass(frozen=True)
class Mail:
    """A message ConnectWise sent."""

    to: str
    why: str
    ticket: int


@dataclass
class Provider:
    """One provider's ConnectWise, and how it misbehaves."""

    collections: dict[str, dict[int, Json]]
    codebase: str = "v2026_4"
    most_per_page: int = 1000
    bad_sign_in: int = 404
    """How wrong keys are answered: not found in the cloud, 401 elsewhere."""
    wrong_host: bool = False
    lag: float = 0
    """So many seconds a write can't be read."""
    deaf: tuple[str, ...] = ()
    """Parts of a PATCH path that are answered 200 and change nothing; x/identifier always is."""
    stale: dict[Key, str] = field(default_factory=dict[Key, str])
    """Records in which a field holds what is not valid any more: no change of anything else is taken."""
    fills_contact: str = "absent"
    """When a new ticket gets the company's default contact: 'never', 'absent' from the request, or 'always'."""
    keeps_contact: bool = False
    """A ticket's contact can't be taken off."""
    removes_by_null: bool = False
    """…and only null takes it off, remove has no effect."""
    copies: str = ""
    """The board copies every new ticket to this address, whatever the request says."""
    drops_reference: bool = False
    publishes_notes: bool = False
    """Internal notes become readable for customers."""
    circular_links: bool = False
    foreign_links: bool = False
    echoes_keys: bool = False
    """Errors repeat the request's authorization."""
    denied: tuple[str, ...] = ()
    """Beginnings of paths that the API member's role has no right to."""
    next_number: int = 40001
    written: list[tuple[Key, Json | None, datetime]] = field(default_factory=list[tuple[Key, "Json | None", datetime]])
    """What a record was before a write that can't be read yet."""
    mails: list[Mail] = field(default_factory=list[Mail])

    def record(self, collection: str, number: int) -> Json:
        """A record as it really is."""
        return self.collections[collection][number]

    def of(self, collection: str) -> list[Json]:
        """Every record of that kind, oldest first."""
        return list(self.collections.get(collection, {}).values())

    def under(self, ticket: int, kind: str) -> list[Json]:
        """A ticket's notes or tasks."""
        return self.of(f"service/tickets/{ticket}/{kind}")

    def every(self, kind: str) -> list[Json]:
        """The notes or tasks of all tickets."""
        return [one for name in self.collections if name.endswith(f"/{kind}") for one in self.of(name)]

    def counted(self, key: str) -> int:
        """How often that key of ours stands anywhere: more than once is a double."""
        tickets = sum(str(one.get("externalXRef")).startswith(f"offboard {key}") for one in self.of("service/tickets"))
        noted = [*self.every("notes"), *self.every("tasks"), *self.of("time/entries")]
        # A ticket's own note repeats its key.
        said = sum(f"[offboard {key}]" in str(one.get("text") or one.get("notes")) for one in noted)
        return max(tickets, said)


def sample_provider() -> Provider:
    """Northwind IT with Contoso and Fabrikam."""
    collections: dict[str, list[Json]] = {
        "company/companies": [
            _company(CONTOSO, "ContosoLtd", "Contoso Ltd", default=MARIA, billing=OWEN),
            _company(FABRIKAM, "Fabrikam", "Fabrikam Inc", default=FABRIKAM_JANE, billing=0),
        ],
        "company/contacts": _contacts(),
        "company/contacts/types": [_named(1, "Approver", "description"), _named(2, "End User", "description")],
        "company/configurations": [
            _device(LAPTOP, "LAPTOP-7", "Laptop", JANE, "SN-7"),
            _device(DOCK, "DOCK-7", "Dock", JANE),
            _device(OLD_PHONE, "Old phone", "Phone", JANE, active=False),
            _device(7004, "LAPTOP-9", "Laptop", SEAN, "SN-9"),
        ],
        "company/configurations/statuses": [_named(1, "Active", "description")],
        "service/boards": [_board(BOARD, "Offboarding"), _board(OTHER_BOARD, "Help Desk", mails=True)],
        f"service/boards/{BOARD}/statuses": _statuses(BOARD),
        f"service/boards/{OTHER_BOARD}/statuses": [],
        f"service/boards/{BOARD}/types": [{"id": 31, "name": "Staff change", "board": {"id": BOARD}}],
        "service/priorities": [{"id": 6, "name": "Priority 3 - Normal", "color": "Yellow", "level": "Medium"}],
        "service/tickets": [],
        "system/members": [_member(21, "offboard", "Off", "Board"), _member(22, "sam", "Sam", "Lee")],
        "time/workTypes": [{"id": 41, "name": "Remote", "billTime": "Billable", "rateType": "Multiplier", "rate": 1.0}],
        "time/workRoles": [{"id": 51, "name": "Engineer", "inactiveFlag": False}],
        "time/entries": [],
        "finance/agreements": _agreements(),
        f"finance/agreements/{MANAGED}/additions": [
            _addition(USERS_LINE, MANAGED, "MS-USER", "Managed user", 40.0, 65.5)
        ],
        f"finance/agreements/{CLOUD}/additions": [
            _addition(E3_LINE, CLOUD, "M365-E3", "Microsoft 365 E3", 12.0, 36.9),
            _addition(POWER_BI_LINE, CLOUD, "PBI-PRO", "Power BI Pro", 5.0, 9.4),
            {**_addition(9004, CLOUD, "M365-E3", "Microsoft 365 E3, old price", 11.0, 33.0), "cancelledDate": _OVER},
        ],
        f"finance/agreements/{ENDED}/additions": [_addition(9005, ENDED, "MS-USER", "Managed user", 38.0, 60.0)],
    }
    return Provider({name: {cast("int", one["id"]): one for one in records} for name, records in collections.items()})


_OVER = "2026-06-30T00:00:00Z"


def _named(number: int, name: str, field_name: str) -> Json:
    return {"id": number, field_name: name, "defaultFlag": False}


def _company(number: int, identifier: str, name: str, default: int, billing: int) -> Json:
    company: Json = {
        "id": number,
        "identifier": identifier,
        "name": name,
        "status": {"id": 1, "name": "Active"},
        "defaultContact": {"id": default, "name": "…"},
        "deletedFlag": False,
        "currency": {"id": 7, "currencyCode": "GBP", "symbol": "£", "name": "Pound Sterling"},
        "_info": {"lastUpdated": "2026-10-01T08:00:00Z", "updatedBy": "sam"},
    }
    return {**company, "billingContact": {"id": billing, "name": "…"}} if billing else company


def _contacts() -> list[Json]:
    contoso = [
        _contact(JANE, "Jane", "Doe", "jane.doe@contoso.example", kinds=("End User",)),
        _contact(MARIA, "Maria", "Rossi", "maria@contoso.example", kinds=("Approver", "End User")),
        _contact(OLD_JANE, "Jane", "Doe", "jane.old@contoso.example", inactive=True),
        _contact(SEAN, "Sean", "O'Brien", "sean.obrien@contoso.example"),
        _contact(OWEN, 'Owen "Money"', "Pay", "owen@contoso.example"),
    ]
    at_fabrikam = _contact(FABRIKAM_JANE, "Jane", "Doe", "jane@fabrikam.example", company=FABRIKAM)
    return [*contoso, at_fabrikam]


def _contact(
    number: int,
    first: str,
    last: str,
    mail: str,
    *,
    kinds: tuple[str, ...] = (),
    inactive: bool = False,
    company: int = CONTOSO,
) -> Json:
    items: list[JsonValue] = [
        _communication(number * 10, "Phone", f"+44 20 7946 {number}"),
        _communication(number * 10 + 1, "Email", mail, default=True),
    ]
    types: list[JsonValue] = [{"id": place, "name": kind} for place, kind in enumerate(kinds, 1)]
    return {
        "id": number,
        "firstName": first,
        "lastName": last,
        "company": {"id": company, "identifier": "ContosoLtd" if company == CONTOSO else "Fabrikam"},
        "inactiveFlag": inactive,
        "disablePortalLoginFlag": False,
        "defaultFlag": False,
        "defaultBillingFlag": False,
        "communicationItems": items,
        "types": types,
    }


def _communication(number: int, kind: str, value: str, *, default: bool = False) -> Json:
    return {
        "id": number,
        "type": {"id": 1 if kind == "Email" else 2, "name": kind},
        "value": value,
        "defaultFlag": default,
        "communicationType": kind,
    }


def _device(number: int, name: str, kind: str, contact: int, serial: str = "", *, active: bool = True) -> Json:
    return {
        "id": number,
        "name": name,
        "type": {"id": 3, "name": kind},
        "status": {"id": 1, "name": "Active" if active else "Retired"},
        "company": {"id": CONTOSO, "identifier": "ContosoLtd", "name": "Contoso Ltd"},
        "contact": {"id": contact, "name": "…"},
        "serialNumber": serial,
        "activeFlag": active,
    }


def _board(number: int, name: str, *, mails: bool = False) -> Json:
    return {
        "id": number,
        "name": name,
        "location": {"id": 2, "name": "London"},
        "department": {"id": 10, "name": "Services"},
        "inactiveFlag": False,
        "sendToContactFlag": mails,
        "sendToResourceFlag": mails,
        "sendToCCFlag": mails,
    }


def _statuses(board: int) -> list[Json]:
    def status(number: int, name: str, place: int, *, closed: bool = False, inactive: bool = False) -> Json:
        return {
            "id": number,
            "name": name,
            "board": {"id": board, "name": "Offboarding"},
            "sortOrder": place,
            "closedStatus": closed,
            "inactive": inactive,
            "defaultFlag": number == NEW,
            # Closing tells the contact by a template of its own.
            **({"emailTemplate": {"id": 9, "identifier": "Your ticket is closed"}} if closed else {}),
        }

    return [
        status(NEW, "New", 1),
        status(IN_PROGRESS, "In progress", 2),
        status(OLD_CLOSED, ">Closed (old)", 3, closed=True, inactive=True),
        status(CLOSED, ">Closed", 4, closed=True),
    ]


def _member(number: int, identifier: str, first: str, last: str) -> Json:
    return {
        "id": number,
        "identifier": identifier,
        "licenseClass": "F",
        "firstName": first,
        "lastName": last,
        "hireDate": "2020-01-01T00:00:00Z",
        "defaultEmail": "Office",
        "officeEmail": f"{identifier}@northwind.example",
        "defaultPhone": "Office",
        "securityRole": {"id": 63, "name": "Admin"},
        "inactiveFlag": False,
    }


def _agreements() -> list[Json]:
    def agreement(number: int, name: str, contact: int, status: str = "Active", following: str = "2026-12-01") -> Json:
        return {
            "id": number,
            "name": name,
            "type": {"id": 4, "name": "Managed services"},
            "company": {"id": CONTOSO, "identifier": "ContosoLtd", "name": "Contoso Ltd"},
            "contact": {"id": contact, "name": "…"},
            "billToContact": {"id": OWEN, "name": "…"},
            "billingCycle": {"id": 2, "name": "Monthly"},
            "startDate": "2024-01-01T00:00:00Z",
            "noEndingDateFlag": True,
            "cancelledFlag": status == "Cancelled",
            "agreementStatus": status,
            "nextInvoiceDate": following,
        }

    return [
        agreement(MANAGED, "Managed services", MARIA),
        agreement(CLOUD, "Cloud subscriptions", MARIA),
        agreement(ENDED, "Managed services 2024", MARIA, "Cancelled", "2025-01-01"),
    ]


def _addition(number: int, agreement: int, product: str, description: str, quantity: float, price: float) -> Json:
    return {
        "id": number,
        "product": {"id": number - 8000, "identifier": product},
        "quantity": quantity,
        "lessIncluded": 0.0,
        "billedQuantity": quantity,
        "unitPrice": price,
        "unitCost": price - 5,
        "extPrice": quantity * price,
        "billCustomer": "Billable",
        "effectiveDate": "2026-01-01T00:00:00Z",
        "agreementId": agreement,
        "description": description,
    }
