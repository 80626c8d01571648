"""The rows of help and command palette: actions that a text finds, with why one cannot be done here. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flowdeck_tui.actions.action import Action, shown_key
from flowdeck_tui.menus.legend import Hint, searched
from flowdeck_tui.text import fuzzy
from flowdeck_tui.text.present import Tone
from flowdeck_tui.text.row_source import Cell, Row, RowKey
from flowdeck_tui.widgets.columns import Column

COLUMNS: Final = (
    Column("label", "ACTION", 16, minimum=13),
    Column("keys", "KEYS", 13, minimum=9),
    Column("where", "WHERE", 17, drop_order=2),
    Column("help", "WHAT IT DOES", 40, minimum=40, grows=3),
    Column("cli", "COMMAND", 40, drop_order=3),
)


@dataclass(frozen=True, slots=True)
class Offer:
    """An action as it is offered here and now.

    Attributes:
        action: what it is.
        why_not: why it cannot be done; None when it can.
        reference: the run that was named behind the words of its command; empty for the one under the cursor.
    """

    action: Action
    why_not: str | None = None
    reference: str = ""


class ActionRows:
    """Offers that a typed text finds; hints stand before them, and behind them when one searches."""

    columns: Sequence[Column] = COLUMNS

    def __init__(self, offers: Sequence[Offer], hints: Sequence[Hint] = ()) -> None:
        self._all = tuple(offers)
        self._hints = tuple(hints)
        self._shown: list[Offer | Hint] = [*hints, *offers]

    def set_filter(self, text: str) -> None:
        """Keep what every typed word finds; of equally near ones what can be done here comes first."""
        words = fuzzy.words_of(text)
        found = _found(self._all, words)
        if not found and len(words) > 1:
            # A command line ends with the run that it is for.
            found = [
                Offer(offer.action, None, words[-1])
                for offer in _found(self._all, words[:-1])
                if offer.action.cli and "{run}" in offer.action.cli
            ]
        self._shown = [*found, *searched(self._hints, words)] if words else [*self._hints, *self._all]

    def answer(self, index: int) -> Offer | None:
        """Return what a row offers; None when it only explains something."""
        shown = self._shown[index]
        return shown if isinstance(shown, Offer) else None

    def description(self, index: int) -> tuple[str, Tone]:
        """Write all that is known of a row."""
        shown = self._shown[index]
        if isinstance(shown, Hint):
            return f"{shown.label}: {shown.help}", Tone.PLAIN
        if shown.why_not is not None:
            return f"{shown.why_not}  {shown.action.help}", Tone.WARN
        action = shown.action
        command = action.command.replace("RUN", shown.reference or "RUN")
        return f"{action.help} ({', '.join(action.contexts)})" + (f"  $ {command}" if command else ""), Tone.PLAIN

    def __len__(self) -> int:
        return len(self._shown)

    def key(self, index: int) -> RowKey:
        """Return the key of a row: the id of its action, or what is explained."""
        return _key(self._shown[index])

    def index(self, key: RowKey) -> int | None:
        """Return where an action stands."""
        return next((index for index, shown in enumerate(self._shown) if _key(shown) == key), None)

    def row(self, index: int) -> Row:
        """Return a row."""
        shown = self._shown[index]
        if isinstance(shown, Hint):
            return Row(self.key(index), {"label": Cell(shown.label, Tone.MUTED), "help": Cell(shown.help)})
        action, is_off = shown.action, shown.why_not is not None
        cells = {
            "label": Cell(action.label, Tone.MUTED if is_off else Tone.PLAIN),
            "keys": Cell(" ".join(shown_key(key) for key in action.keys), Tone.MUTED if is_off else Tone.STRONG),
            "where": Cell(", ".join(action.contexts), Tone.MUTED),
            "help": Cell(shown.why_not or action.help, Tone.MUTED),
            "cli": Cell(action.command, Tone.MUTED),
        }
        return Row(self.key(index), cells)


def _key(shown: Offer | Hint) -> RowKey:
    return ("action", shown.action.id) if isinstance(shown, Offer) else ("hint", shown.label)


def _found(offers: Sequence[Offer], words: Sequence[str]) -> list[Offer]:
    near: list[tuple[int, bool, int, Offer]] = []
    for place, offer in enumerate(offers):
        action = offer.action
        others = (*action.keys, action.id, action.command)
        far = fuzzy.distance(words, action.label, others, action.help)
        if far is not None:
            near.append((far, offer.why_not is not None, place, offer))
    return [offer for *_, offer in sorted(near, key=lambda one: one[:3])]
