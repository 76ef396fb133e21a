"""The invoice shrinks: one licence or user fewer in the client's agreement, never below what is still bought."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation

from connectors.connectwise.agreements import LICENCE, USER, Addition, Line, read_addition, read_lines
from connectors.connectwise.client import VENDOR, Change, ConnectWiseApi, gone
from connectors.connectwise.facts import ConnectWiseFacts, Ctx, access_ends, look_again_in
from connectors.connectwise.lowered import Taken
from connectors.contract import (
    Accepted,
    Choices,
    Done,
    Failed,
    Finding,
    Intent,
    Item,
    Json,
    NotBefore,
    Nothing,
    Outcome,
    Premature,
    Refused,
    Step,
    Task,
    Todo,
    Unreachable,
    VendorError,
    Waiting,
    Wave,
)
from connectors.money import Payer, Saving

REDUCE_SEATS = "pax8.reduce_seats"
SEATS = "pax8.seats"
_AGREEMENT_PAGE = "Finance > Agreements > the agreement > Additions"
_ONE = Decimal(1)


def affected(facts: ConnectWiseFacts, choices: Choices) -> tuple[Line, ...]:
    """The lines that this leaver is counted in, and that the answers let fall."""
    return tuple(line for line in facts.lines if _falls(line, facts, choices))


def savings_of(facts: ConnectWiseFacts, choices: Choices) -> tuple[Saving, ...]:
    """What the client's invoice is less by; what is not known to the month and the currency is not told."""
    told: list[Saving] = []
    for line in affected(facts, _as_if_answered(choices)):
        one = line.only
        if one is None or not one.months or not one.currency or one.quantity - _ONE < line.minimum:
            continue
        less = one.saved(one.quantity - _ONE)
        if less > 0:
            known = one.next_invoice is not None and one.next_invoice >= facts.read_on
            told.append(
                Saving(
                    title=f"On the invoice: {one.title}, 1 fewer",
                    payer=Payer.CLIENT,
                    part_number=line.part_number,
                    monthly=(less / one.months).quantize(Decimal("0.01")),
                    currency=one.currency,
                    starts=one.next_invoice if known else None,
                )
            )
    return tuple(told)


class ReduceLines(Step[ConnectWiseApi, ConnectWiseFacts]):
    """One fewer in each line the leaver is counted in, before the next invoice. Undone by what stood there."""

    id = "connectwise.reduce_lines"
    title = "Reduce the line on the invoice"
    wave = Wave.BILLING
    after = (REDUCE_SEATS, "microsoft365.release_licences")
    unlocked_by = (REDUCE_SEATS,)
    money = True
    lag = timedelta(minutes=5)
    controls = ("CIS 5.3", "NIST PS-4")
    permissions = ("Finance > Agreements (edit, inquire)",)

    def wanted(self, choices: Choices, facts: ConnectWiseFacts) -> bool:
        return bool(affected(facts, choices))

    def subjects(self, choices: Choices, facts: ConnectWiseFacts) -> tuple[str, ...]:
        return tuple(line.label for line in affected(facts, choices))

    async def look(self, ctx: Ctx) -> Finding:
        planned = _line(ctx)
        now = await read_lines(ctx.api, ctx.clock.now().date())
        line = next((one for one in now if one.label == planned.label), None)
        if line is None:
            return Task(f"clients.yml names no line '{planned.label}' any more", _by_hand(planned))
        one = line.only
        if one is None:
            return Task(_how_many(line, ctx.facts.company), _by_hand(line))
        if one.quantity != one.quantity.to_integral_value():
            return Task(f"{one.title} counts {one.quantity}, which is no whole number", _by_hand(line))
        if line.kind == USER:
            return self._users(ctx, line, planned, one)
        return await self._licences(ctx, line, planned, one)

    def _users(self, ctx: Ctx, line: Line, planned: Line, one: Addition) -> Finding:
        if one.quantity - _ONE < line.minimum:
            least = f"the contract's minimum is {line.minimum}"
            return Nothing(
                f"{one.title} stays at {one.quantity:f}: {least if line.minimum else 'there is none to take'}"
            )
        if changed := _fell_since(planned, one):
            # Whether that was for this leaver, nothing can tell; taking one more could be one too many.
            return Task(changed, f"If that was not for this leaver, {_lower(_by_hand(line))}")
        return Todo((_item(one, one.quantity - _ONE, ctx),))

    async def _licences(self, ctx: Ctx, line: Line, planned: Line, one: Addition) -> Finding:
        try:
            seat, until = _seat(await ctx.read(SEATS), line.part_number)
        except (Refused, LookupError) as error:
            said = str(error) if isinstance(error, Refused) else "no distributor is connected"
            return Task(f"how many seats are still bought can't be read: {said}", _by_hand(line, seats=True))
        if seat is None:
            return Task(f"the distributor shows no seats of {line.part_number}", _by_hand(line, seats=True))
        target = max(one.quantity - _ONE, seat)
        if target < one.quantity:
            return Todo((_item(one, target, ctx),))
        if one.quantity < seat:
            bought = f"{one.title} is {one.quantity:f} on the invoice, and {seat:f} are bought"
            return Task(f"{bought}: somebody bills too few", f"Compare the two, and settle it in {_AGREEMENT_PAGE}.")
        if changed := _fell_since(planned, one):
            return Task(changed, f"If it is still one too many once the seat is gone, {_lower(_by_hand(line))}")
        stays = (
            f"{one.title}: {one.quantity:f} → {one.quantity - _ONE:f} only once its seat is gone: {seat:f} are bought"
        )
        if until is not None and until > ctx.clock.now():
            at = f"{until:%-d %b %Y}"
            return NotBefore(until, f"{stays}, committed until {at}", (_item(one, one.quantity - _ONE, ctx),))
        return Premature(stays, f"Once the distributor bills one seat fewer, retry; or {_lower(_by_hand(line))}")

    async def act(self, ctx: Ctx, item: Item, intent: Intent) -> Accepted:
        """One fewer than it reads, as long as what it reads is what was planned less what other leavers took since."""
        lowered = ctx.api.lowered
        async with lowered.turn(item.key):
            mine = lowered.mine(item.key, ctx.key)
            before = mine.before if mine and intent.repeated else _count(item, "quantity")
            others = lowered.by_others(item.key, ctx.key, before, intent.at - self.lag)
            one, line = await _now(ctx, item), _line(ctx)
            target = before - others - 1
            if one.quantity == target and (intent.repeated or not others):
                if line.kind == LICENCE and intent.repeated and not (mine or others):
                    await self._surely_mine(ctx, line, one)
                return Accepted(f"{target + 1}>{target}")
            if one.quantity != target + 1:
                said = (
                    f"it was to go from {before} to {before - 1}, and reads {one.quantity:f} now: somebody changed it"
                )
                fix = f"Settle it in {_AGREEMENT_PAGE}, then say it was done by hand."
                raise Refused(VENDOR, f"GET {one.path}", said, fix)
            await self._allowed(ctx, line, one, target)
            lowered.note(item.key, Taken(ctx.key, target + 1, target, ctx.clock.now()))
            try:
                await ctx.api.change(one.path, Change("quantity", target))
            except Unreachable:
                raise  # it may have happened
            except VendorError:
                lowered.forget(item.key, ctx.key)
                raise
            return Accepted(f"{target + 1}>{target}")

    async def _surely_mine(self, ctx: Ctx, line: Line, one: Addition) -> None:
        """After a restart one fewer may be another leaver's: it is ours where nothing more is to go. Raises Refused."""
        seat, _ = _seat(await ctx.read(SEATS), line.part_number)
        if seat is None or seat < one.quantity:
            said = f"{one.title} reads {one.quantity:f}: that may be this leaver's or somebody else's"
            fix = f"Compare it with the seats that are bought, settle it in {_AGREEMENT_PAGE}, then say so; or skip."
            raise Refused(VENDOR, f"GET {one.path}", said, fix)

    async def _allowed(self, ctx: Ctx, line: Line, one: Addition, target: int) -> None:
        """The last look before money moves. Raises Refused below the contract's minimum or what is still bought."""
        if line.kind != LICENCE:
            if target < line.minimum:
                said = f"{one.title} would fall to {target}, and the contract's minimum is {line.minimum}"
                raise Refused(VENDOR, f"PATCH {one.path}", said, "Skip this: the line stays as it is.")
            return
        seat, _ = _seat(await ctx.read(SEATS), line.part_number)
        if seat is None or target < seat:
            bought = "no seats of it are shown" if seat is None else f"{seat:f} seats of it are bought"
            said = f"{one.title} would fall to {target}, and {bought}"
            raise Refused(VENDOR, f"PATCH {one.path}", said, "Have the seat reduced first, then retry.")

    async def confirm(self, ctx: Ctx, item: Item, intent: Intent, reference: str) -> Outcome:
        if item.key == BY_HAND:
            return await self._by_hand(ctx)
        told = reference.partition(">")
        before = int(told[0]) if told[1] else _count(item, "quantity")
        target = int(told[2]) if told[1] else _count(item, "target")
        one = await _now(ctx, item)
        if one.quantity == target - ctx.api.lowered.by_others(item.key, ctx.key, target, intent.at - self.lag):
            return Done(_evidence(one, before, target, ctx))
        if one.quantity != before:
            return Failed(f"{one.title} reads {one.quantity:f}, neither {before} nor {target}: somebody changed it")
        if ctx.clock.now() - intent.at >= self.lag:
            # Accepted and without effect: a retry sends it again.
            return Failed(f"ConnectWise said yes, and {one.title} still reads {before}")
        return Waiting(look_again_in(ctx, intent.at), f"{one.title} still reads {before}")

    async def undo(self, ctx: Ctx, item: Item) -> Outcome | None:
        before, target = _count(item, "quantity"), _count(item, "target")
        one = await _now(ctx, item)
        if one.quantity == target:
            await ctx.api.change(one.path, Change("quantity", before))
            one = await _now(ctx, item)
        if one.quantity == before:
            return Done(f"{one.title} reads {before} again")
        return Failed(f"{one.title} reads {one.quantity:f}, not {before}: set it in {_AGREEMENT_PAGE}")

    async def _by_hand(self, ctx: Ctx) -> Outcome:
        """A person says they did it: the line must be lower than it was when the plan was made."""
        planned = _line(ctx)
        line = next(
            (one for one in await read_lines(ctx.api, ctx.clock.now().date()) if one.label == planned.label), None
        )
        was, one = planned.only, line.only if line else None
        if was is None or one is None:
            return Failed(_how_many(line or planned, ctx.facts.company))
        if one.quantity < was.quantity:
            return Done(_evidence(one, was.quantity, one.quantity, ctx))
        return Failed(f"{one.title} reads {one.quantity:f}, and {was.quantity:f} when the plan was made")


BY_HAND = "by hand"
"""Key of the one item that stands for what a person says they did."""


def _falls(line: Line, facts: ConnectWiseFacts, choices: Choices) -> bool:
    if not access_ends(choices):
        return False
    if line.kind == USER:
        return True
    if choices.get("mailbox") == "shared licensed" and (facts.held is None or line.part_number in facts.mailboxes):
        return False  # the shared mailbox keeps that licence
    if choices.get("licences") != "release" or (facts.held is not None and line.part_number not in facts.held):
        return False
    seat = choices.get("licences.seat")
    # Where no distributor is connected nobody asks about the seat; the line is then a person's.
    return seat == "shrink" or (seat is None and facts.distributor is False)


def _as_if_answered(choices: Choices) -> Choices:
    """While nobody has answered, what releasing and shrinking would save."""
    if choices.get("licences") is None:
        return {**choices, "licences": "release", "licences.seat": "shrink"}
    return choices if choices.get("licences.seat") else {**choices, "licences.seat": "shrink"}


def _line(ctx: Ctx) -> Line:
    """The line this row is for, as it was when the plan was made."""
    found = [line for line in ctx.facts.lines if ctx.subject in {"", line.label}]
    if not found:
        raise Refused(VENDOR, "reduce a line", f"the plan knows no line '{ctx.subject}'", "Do it by hand, or skip it.")
    return found[0]


async def _now(ctx: Ctx, item: Item) -> Addition:
    agreement = _count(item, "agreement")
    one = await read_addition(ctx.api, agreement, int(item.key))
    if one is None:
        raise gone(f"/finance/agreements/{agreement}/additions/{item.key}", item.title)
    return one


def _item(one: Addition, target: Decimal, ctx: Ctx) -> Item:
    today = ctx.clock.now().date()
    less = one.saved(target)
    price = f", {less:f} {one.currency} less an invoice".replace("  ", " ") if less else ", nothing less to pay"
    return Item(
        key=str(one.id),
        title=f"{one.title}: {one.quantity:f} → {target:f}{price}, from {one.invoice(today)}",
        before={"agreement": one.agreement, "quantity": int(one.quantity), "target": int(target)},
    )


def _evidence(one: Addition, before: Decimal | int, target: Decimal | int, ctx: Ctx) -> str:
    """What it reads, and what this leaver's one fewer saves."""
    was = one.model_copy(update={"quantity": Decimal(before)})
    less = was.saved(Decimal(target))
    price = f"{less:f} {one.currency} less".replace("  ", " ") if less else "nothing less to pay"
    return f"{one.title} reads {one.quantity:f}, it was {before}; {price} from {one.invoice(ctx.clock.now().date())}"


def _fell_since(planned: Line, one: Addition) -> str:
    """How the line fell since the plan was made; '' where it did not."""
    was = planned.only
    if was is None or was.id != one.id or one.quantity >= was.quantity:
        return ""
    return f"{one.title} reads {one.quantity:f} already, and {was.quantity:f} when the plan was made"


def _seat(seats: Json, part_number: str) -> tuple[Decimal | None, datetime | None]:
    """How many seats are bought of it, and until when they can't be fewer, where that is said.

    What is bought may show late: of what shows and what it will be, the larger counts.
    """
    told = seats.get(part_number)
    if not isinstance(told, dict):
        return None, None
    try:
        quantity = max(Decimal(str(told.get(name))) for name in ("quantity", "target") if told.get(name) is not None)
    except (InvalidOperation, ValueError):
        return None, None
    return quantity, _moment(told.get("until"))


def _moment(written: object) -> datetime | None:
    """A time; a day alone is over at its end."""
    try:
        moment = datetime.fromisoformat(written) if isinstance(written, str) and written else None
    except ValueError:
        return None
    if moment is None:
        return None
    if moment.time() == time(0):
        return datetime.combine(moment.date() + timedelta(days=1), time(0), UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _how_many(line: Line, company: str) -> str:
    if not line.found:
        return f"no active agreement of {company} has an addition '{line.label}'"
    listed = "; ".join(
        f"{one.title}, {one.quantity:f} in {one.agreement_name}"
        + (f" from {one.effective:%-d %b %Y}" if one.effective else "")
        for one in line.found
    )
    return f"'{line.label}' could be any of {len(line.found)} additions: {listed}"


def _by_hand(line: Line, *, seats: bool = False) -> str:
    floor = " Never below the seats that are still bought." if seats or line.kind == LICENCE else ""
    least = f" Never below {line.minimum:f}." if line.minimum else ""
    return f"In {_AGREEMENT_PAGE}, reduce '{line.label}' by one, if this leaver is counted in it.{floor}{least}"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _count(item: Item, name: str) -> int:
    value = item.before.get(name)
    return int(value) if isinstance(value, int | float | str) else 0
