"""What somebody may do on the service's own machine while no chat can be reached: look, approve what is shown, say go.

The same cards, the same buttons, the same table of rights: the card is drawn for the person here, and what they name
by its digest is pressed as a click of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session, select

from handlers import messages
from handlers.access import Right, may
from handlers.approve import proof_field
from handlers.cases import cards
from handlers.cases.tables import ButtonRow, CardRow, Case, Heard, Plan
from handlers.conversation import Actor, Card, Inbound, Kind, Place
from handlers.draw import draw
from handlers.hear import hear
from handlers.house import House
from handlers.pen import hashed
from handlers.people import CLI, MSP, Person
from handlers.plan.digest import LOCK_OUT, MONEY
from handlers.status import visible

DECIDING = ("approve", "approve bill")
"""The buttons that decide, in the order they are pressed from here."""
GOING = ("go", "go really")
"""Go is asked twice here too: what is shown first, then its digest."""
SHOWN = 16
"""Characters of a digest that people are shown, and must give at least."""
MOMENT = timedelta(hours=1)
"""So long the sender leaves a card alone that is shown here; it is put away after the press."""
NOT_APPROVED, NOT_BEGUN = "Nothing was approved.", "Nothing was begun."


@dataclass(frozen=True)
class Told:
    """What the person reads."""

    done: bool
    lines: tuple[str, ...] = ()
    card: Card | None = None


class _Only(Exception):
    """Carries what is told out of a transaction that is rolled back: buttons nobody sees are not kept."""

    def __init__(self, told: Told) -> None:
        self.told = told
        super().__init__()


@dataclass(frozen=True)
class _Button:
    """One decision the card offers: its token, and the plans it covers by their digests."""

    action: str
    token: str
    plans: dict[str, str]


def actor_of(person: Person) -> Actor:
    """The identity of whoever proved that person's key."""
    return Actor(CLI, MSP, person.id)


def may_use_it(person: Person) -> bool:
    """Who works for the MSP's clients; a lock-out must not wait for an admin to be found, so technicians as well."""
    return bool(person.key) and (person.technician or person.admin)


async def first_time(house: House, key: str) -> bool:
    """Whether this is heard for the first time; from now on it is not."""

    def note(session: Session) -> bool:
        if session.get(Heard, key) is not None:
            return False
        session.add(Heard(key=key, at=house.clock.now()))
        return True

    return await house.store.write(note, urgent=True)


async def status(house: House, person: Person, words: str) -> Told:
    """One case: its status card. Several: a line each."""

    def look(session: Session) -> Told:
        found = visible(session, house, person, words)
        if len(found) != 1:
            return _several(session, house, found, words)
        card = draw(session, house, _row(session, house, found[0], person, cards.STATUS))
        return Told(card is not None, () if card else (messages.no_case(words),), card)

    return await _rolled_back(house, look)


async def approve(house: House, person: Person, words: str, digests: Sequence[str], proofs: Sequence[str]) -> Told:
    """Without digests, everything that waits with its steps; with them, press Approve on exactly that."""
    if not digests:
        return await _rolled_back(house, lambda session: _offer(session, house, person, words, DECIDING))
    values = {proof_field(place): proof for place, proof in enumerate(proofs)}
    try:
        await _decide(house, person, words, digests, DECIDING, values)
    except _Only as only:
        return only.told
    return Told(done=True, lines=("Approved.",), card=(await status(house, person, words)).card)


async def go(house: House, person: Person, words: str, digests: Sequence[str]) -> Told:
    """Without a digest, what would begin; with it, press Go on exactly that, and confirm it."""
    if not digests:
        return await _rolled_back(house, lambda session: _offer(session, house, person, words, GOING))
    try:
        # Who pressed Go in chat before it failed them confirms here; what somebody takes back meanwhile stays so.
        if "go really" not in await _decide(house, person, words, digests, GOING, {}):
            await _decide(house, person, words, digests, ("go really",), {})
    except _Only as only:
        return only.told
    lines = ("Begun. Look with offboard status until every way in has ended.",)
    return Told(done=True, lines=lines, card=(await status(house, person, words)).card)


async def _decide(
    house: House,
    person: Person,
    words: str,
    digests: Sequence[str],
    actions: tuple[str, ...],
    values: dict[str, str],
) -> set[str]:
    """Press what stands for these digests, and say what was pressed. Raises _Only with what came in the way."""
    row, buttons = await house.store.write(lambda session: _choose(session, house, person, words, digests, actions))
    try:
        for button in buttons:
            refused = await _press(house, person, button.token, values)
            if refused:
                raise _Only(Told(done=False, lines=(refused,)))
    finally:
        await house.store.write(lambda session: _put_away(session, row.id), urgent=True)
    return {button.action for button in buttons}


async def put_away_all(house: House) -> None:
    """What a process that died in the middle of a press left behind: no chat could ever show it."""

    def put_away(session: Session) -> None:
        for row in session.exec(select(CardRow).where(CardRow.dead == "")):
            if row.identity.startswith(f"{CLI}/"):
                _put_away(session, row.id)

    await house.store.write(put_away)


async def _press(house: House, person: Person, token: str, values: dict[str, str]) -> str:
    """Why nothing came of it, or ''."""
    actor = actor_of(person)
    where = Place(CLI, MSP, person.id, private=True)
    reply = await hear(house, Inbound(Kind.CLICK, actor, where, f"{CLI}:{token}", token=token, values=values))
    return reply.line


async def _rolled_back(house: House, work: Callable[[Session], Told]) -> Told:
    def raising(session: Session) -> None:
        raise _Only(work(session))

    try:
        await house.store.write(raising, urgent=True)
    except _Only as only:
        return only.told
    raise AssertionError("it always raises")


def _offer(session: Session, house: House, person: Person, words: str, actions: tuple[str, ...]) -> Told:
    case, row, card = _drawn(session, house, person, words)
    offered = _buttons(session, row, card, actions)
    if not offered:
        waits = "an approval" if actions == DECIDING else "a go"
        return Told(done=False, lines=(f"Nothing of this case waits for {waits}.",), card=card)
    return Told(done=False, lines=_how(session, case, card, offered), card=card)


def _choose(
    session: Session, house: House, person: Person, words: str, digests: Sequence[str], actions: tuple[str, ...]
) -> tuple[CardRow, list[_Button]]:
    """The buttons that stand for these digests. Raises _Only where the card offers no such thing."""
    case, row, card = _drawn(session, house, person, words)
    offered = _buttons(session, row, card, actions)
    nothing = NOT_BEGUN if set(actions) <= set(GOING) else NOT_APPROVED
    waiting = {digest: plan for button in offered for plan, digest in button.plans.items()}
    named = set[str]()
    for given in digests:
        fits = [digest for digest in waiting if len(given) >= SHOWN and digest.startswith(given.casefold())]
        if len(fits) != 1:
            old = f"No plan that waits has the digest {given[:80]}: it is not what you were shown, or decided already."
            raise _Only(Told(done=False, lines=(old, nothing, *_how(session, case, card, offered)), card=card))
        named.add(waiting[fits[0]])
    chosen = list[_Button]()
    for action in actions:
        of_action = [button for button in offered if button.action == action]
        wanted = named & {plan for button in of_action for plan in button.plans}
        if not wanted:
            continue
        fitting = next((button for button in of_action if set(button.plans) == wanted), None)
        if fitting is None:
            apart = "These can't be approved apart from the others."
            raise _Only(Told(done=False, lines=(apart, nothing, *_how(session, case, card, offered)), card=card))
        chosen.append(fitting)
    return row, chosen


def _drawn(session: Session, house: House, person: Person, words: str) -> tuple[Case, CardRow, Card]:
    """The technicians' card of that one case, drawn for this person. Raises _Only where there is none for them."""
    found = visible(session, house, person, words)
    if len(found) != 1:
        told = _several(session, house, found, words)
        raise _Only(Told(done=False, lines=told.lines))
    case = found[0]
    if not any(may(session, house.roster, person, case, right) for right in (Right.APPROVE, Right.REPAIR)):
        raise _Only(Told(done=False, lines=(messages.not_yours(Right.APPROVE),)))
    row = _row(session, house, case, person, cards.TECHNICIANS)
    card = draw(session, house, row)
    if card is None:
        raise _Only(Told(done=False, lines=(messages.no_case(words),)))
    session.flush()
    return case, row, card


def _row(session: Session, house: House, case: Case, person: Person, kind: str) -> CardRow:
    """A card nobody posts: shown already, and not the sender's to touch for the moment it exists."""
    row = CardRow(
        id=house.new_id(),
        case_id=case.id,
        kind=kind,
        viewer=person.id,
        identity=str(actor_of(person)),
        shown=1,
        # News have every card of the case sent at once but those that failed.
        failures=1,
        retry_at=house.clock.now() + MOMENT,
    )
    session.add(row)
    session.flush()
    return row


def _put_away(session: Session, row_id: str) -> None:
    row = session.get_one(CardRow, row_id)
    row.dead = "was shown on the command line"
    session.add(row)


def _buttons(session: Session, row: CardRow, card: Card, actions: tuple[str, ...]) -> list[_Button]:
    """Which of these that card offers."""
    tokens = {hashed(button.token): button.token for button in card.buttons}
    rows = session.exec(select(ButtonRow).where(ButtonRow.card_id == row.id)).all()
    return [
        _Button(one.action, tokens[one.token], {plan: str(digest) for plan, digest in one.args.items()})
        for one in rows
        if one.action in actions
    ]


def _how(session: Session, case: Case, card: Card, offered: Sequence[_Button]) -> tuple[str, ...]:
    """The commands that carry out what is shown above, one for each thing that can be."""
    wanted = [field.label for section in card.sections for field in section.fields if field.id.startswith("proof-")]
    going = any(button.action in GOING for button in offered)
    wanted = [] if going else wanted
    proofs = "".join(" --proof '…'" for _ in wanted)
    lines = [f"To {'begin' if going else 'approve'} exactly what stands above:"] if offered else []
    for button in offered:
        command = "go" if button.action in GOING else "approve"
        names = " and ".join(_name(session.get_one(Plan, plan)) for plan in button.plans)
        given = " ".join(f"--digest {digest[:SHOWN]}" for digest in button.plans.values())
        lines.append(f"  {names}: offboard {command} {case.number} {given}{proofs}")
    lines += [f"--proof, no. {place}: {label}" for place, label in enumerate(wanted, 1)]
    return tuple(lines)


def _name(plan: Plan) -> str:
    return {LOCK_OUT: "the lock-out", MONEY: "the bill"}.get(plan.kind, "the rest")


def _several(session: Session, house: House, found: Sequence[Case], words: str) -> Told:
    if not found:
        nothing = messages.no_case(words) if words else "There are no cases for you."
        return Told(done=not words, lines=(nothing,))
    return Told(done=True, lines=tuple(messages.case_line(session, house, case) for case in found))
