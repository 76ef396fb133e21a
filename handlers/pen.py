"""What a drawing is made with: the case's rows, and buttons whose tokens mean nothing to anybody else."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from pydantic import JsonValue
from sqlmodel import Session, SQLModel

from handlers.cases.tables import CardRow, Case
from handlers.commands import ACTIONS
from handlers.conversation import Button, Style
from handlers.house import House
from handlers.messages import hashed

_BUTTONS = "buttons"


@dataclass(frozen=True)
class Pen:
    """Draws one card for one viewer, in one transaction."""

    session: Session
    house: House
    card: CardRow
    case: Case

    def button(self, label: str, action: str, style: Style = Style.PLAIN, /, **args: JsonValue) -> Button:
        """A button that does that, once, as long as things stand as they do now."""
        token = self.house.new_token()
        made: list[dict[str, object]] = self.session.info.setdefault(_BUTTONS, [])
        made.append(
            {
                "token": hashed(token),
                "card_id": self.card.id,
                "case_id": self.case.id,
                "action": action,
                "args": args,
                "stamp": ACTIONS[action].stamp(self.session, self.case, args),
                "expires_at": self.house.clock.now() + self.house.timings.button,
                "used_by": "",
            }
        )
        return Button(label, token, style)

    def suggestions(self, action: str, /, **args: JsonValue) -> str:
        """A token for `Field.suggest`: kept as a button's is, asked as often as somebody types, and never used up."""
        return self.button("", action, **args).token


_KEEP = sa.insert(SQLModel.metadata.tables["button"])


def keep_buttons(session: Session) -> None:
    """Write down what every button drawn so far stands for, in one statement: a card may have dozens."""
    made = session.info.pop(_BUTTONS, [])
    if made:
        session.connection().execute(_KEEP, made)
