"""What a drawing is made with: the case's rows, and buttons whose tokens mean nothing to anybody else."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue
from sqlmodel import Session

from handlers.cases.tables import ButtonRow, CardRow, Case
from handlers.commands import ACTIONS
from handlers.conversation import Button, Style
from handlers.house import House
from handlers.messages import hashed


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
        self.session.add(
            ButtonRow(
                token=hashed(token),
                card_id=self.card.id,
                case_id=self.case.id,
                action=action,
                args=args,
                stamp=ACTIONS[action].stamp(self.session, self.case, args),
                expires_at=self.house.clock.now() + self.house.timings.button,
            )
        )
        return Button(label, token, style)
