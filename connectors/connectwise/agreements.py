"""The client's agreements and the lines in them that fall when somebody leaves."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from connectors.connectwise.client import ConnectWiseApi
from connectors.connectwise.conditions import all_of, equals
from connectors.connectwise.people import read_company
from connectors.connectwise.records import Record, amount, day, flag, number, same, text
from connectors.connectwise.settings import LineSettings

AGREEMENTS = "/finance/agreements"
LICENCE, USER = "licence", "user"
BILLABLE = "Billable"
_MONTHS = {"monthly": 1, "quarterly": 3, "semiannually": 6, "semiannual": 6, "annually": 12, "annual": 12, "yearly": 12}


class Addition(BaseModel):
    """A line of an agreement, as the invoice counts it."""

    model_config = ConfigDict(frozen=True)

    id: int
    agreement: int
    agreement_name: str
    product: str
    description: str = ""
    quantity: Decimal
    less_included: Decimal = Decimal(0)
    """So many of them are in the agreement's own price."""
    unit_price: Decimal | None = None
    billed: str = BILLABLE
    effective: date | None = None
    cancelled: date | None = None
    cycle: str = ""
    next_invoice: date | None = None
    currency: str = ""

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{AGREEMENTS}/{self.agreement}/additions/{self.id}"

    @property
    def title(self) -> str:
        """As people know it."""
        return self.description or self.product

    @property
    def months(self) -> int:
        """How many months one invoice covers; 0 when that is not known."""
        return _MONTHS.get("".join(letter for letter in self.cycle.casefold() if letter.isalpha()), 0)

    def paid(self, quantity: Decimal) -> Decimal:
        """How many of so many are on the invoice."""
        return max(Decimal(0), quantity - self.less_included) if self.billed == BILLABLE else Decimal(0)

    def saved(self, quantity: Decimal) -> Decimal:
        """What one invoice is less by, once the line is that quantity."""
        return (self.paid(self.quantity) - self.paid(quantity)) * (self.unit_price or Decimal(0))

    def invoice(self, today: date) -> str:
        """From which invoice on, in words."""
        if self.next_invoice is None or self.next_invoice < today:
            return f"the next invoice of {self.agreement_name}, whose day ConnectWise does not say"
        return f"the invoice of {self.next_invoice:%-d %b %Y} of {self.agreement_name}"


class Line(BaseModel):
    """A line that clients.yml names, and what was found for it."""

    model_config = ConfigDict(frozen=True)

    label: str
    product: str
    kind: str
    part_number: str = ""
    minimum: Decimal = Decimal(0)
    agreement: str = ""
    found: tuple[Addition, ...] = ()

    @property
    def only(self) -> Addition | None:
        """The addition, where there is exactly one."""
        return self.found[0] if len(self.found) == 1 else None


def labelled(settings: tuple[LineSettings, ...]) -> tuple[Line, ...]:
    """The lines as clients.yml names them, each with a label of its own."""
    products = [line.product.casefold() for line in settings]
    return tuple(
        Line(
            label=f"{line.product} ({line.agreement})" if products.count(line.product.casefold()) > 1 else line.product,
            product=line.product,
            kind=line.kind,
            part_number=line.part_number,
            minimum=line.minimum,
            agreement=line.agreement,
        )
        for line in settings
    )


async def read_agreements(api: ConnectWiseApi) -> list[Record]:
    """The client's active agreements."""
    company = number(await read_company(api), "id")
    asked = all_of(equals("company/id", company), equals("agreementStatus", "Active"))
    return [
        one
        for one in await api.list(AGREEMENTS, asked)
        if number(one, "company", "id") == company and not flag(one, "cancelledFlag")
    ]


async def read_lines(api: ConnectWiseApi, today: date, agreements: list[Record] | None = None) -> tuple[Line, ...]:
    """Every line that clients.yml names, with what the agreements hold for it now. Cancelled additions do not count,
    those that begin later do: they would be invoiced as well."""
    wanted = labelled(api.settings.lines)
    if not wanted:
        return ()
    known = await read_agreements(api) if agreements is None else agreements
    company = await read_company(api)
    currency = _currency(company) or api.settings.currency

    async def of(agreement: Record) -> list[Addition]:
        records = await api.list(f"{AGREEMENTS}/{number(agreement, 'id')}/additions")
        return [_addition(one, agreement, currency) for one in records]

    each = await asyncio.gather(*(of(agreement) for agreement in known))
    every = [one for additions in each for one in additions if one.cancelled is None or one.cancelled > today]
    return tuple(line.model_copy(update={"found": tuple(one for one in every if _fits(line, one))}) for line in wanted)


async def read_addition(api: ConnectWiseApi, agreement: int, addition: int) -> Addition | None:
    """The addition and its agreement, afresh; None when one of them is gone."""
    path = f"{AGREEMENTS}/{agreement}"
    held, record, company = await asyncio.gather(
        api.find(path), api.find(f"{path}/additions/{addition}"), read_company(api)
    )
    if held is None or record is None:
        return None
    return _addition(record, held, _currency(company) or api.settings.currency)


def _fits(line: Line, addition: Addition) -> bool:
    of_agreement = line.agreement in {"", str(addition.agreement)} or same(line.agreement, addition.agreement_name)
    return of_agreement and same(line.product, addition.product)


def _addition(record: Record, agreement: Record, currency: str) -> Addition:
    return Addition(
        id=number(record, "id"),
        agreement=number(agreement, "id"),
        agreement_name=text(agreement, "name"),
        product=text(record, "product", "identifier"),
        description=text(record, "description"),
        quantity=amount(record, "quantity") or Decimal(0),
        less_included=amount(record, "lessIncluded") or Decimal(0),
        unit_price=amount(record, "unitPrice"),
        billed=text(record, "billCustomer"),
        effective=day(record, "effectiveDate"),
        cancelled=day(record, "cancelledDate"),
        cycle=text(agreement, "billingCycle", "name"),
        next_invoice=day(agreement, "nextInvoiceDate"),
        currency=_currency(agreement) or currency,
    )


def _currency(record: Record) -> str:
    code = text(record, "currency", "currencyCode").upper()
    return code if len(code) == 3 and code.isalpha() else ""
