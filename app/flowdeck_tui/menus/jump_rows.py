"""The rows of the jump list: panes, flows and runs that a text finds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from flowdeck_tui.text import fuzzy
from flowdeck_tui.text.present import Tone
from flowdeck_tui.text.row_source import Cell, Row, RowKey
from flowdeck_tui.widgets.columns import Column

COLUMNS: Final = (
    Column("kind", "WHAT", 8),
    Column("name", "NAME", 30, minimum=20, grows=2, cut="middle"),
    Column("about", "", 40, drop_order=1, grows=3),
)
MOST_ROWS: Final = 200
"""Whoever has more in front of him types on."""
LEAST_REFERENCE: Final = 4
"""Characters from which on a text may be a part of a run's id."""

Kind = Literal["pane", "flow", "run", "lookup"]


@dataclass(frozen=True, slots=True)
class Target:
    """Somewhere to go.

    Attributes:
        kind: what it is; a `lookup` asks the home for a run of this name or id.
        key: number of the pane, name of the flow, id of the run.
        name: what it is called, harmless for a terminal.
        about: more of it, harmless too.
    """

    kind: Kind
    key: str
    name: str
    about: str = ""


class JumpRows:
    """Targets that a typed text finds, the nearest first; last comes a look through the whole home."""

    columns: Sequence[Column] = COLUMNS

    def __init__(self, targets: Sequence[Target]) -> None:
        self._all = tuple(targets)
        self._shown: list[Target] = list(targets[:MOST_ROWS])

    def set_filter(self, text: str) -> None:
        """Keep what every typed word finds."""
        words = text.lower().split()
        near: list[tuple[int, int, Target]] = []
        for place, target in enumerate(self._all):
            far = fuzzy.distance(words, target.name, (target.key,), target.about)
            if far is not None:
                near.append((far, place, target))
        self._shown = [target for *_, target in sorted(near, key=lambda one: one[:2])[:MOST_ROWS]]
        reference = text.strip()
        if len(reference) >= LEAST_REFERENCE:
            self._shown.append(Target("lookup", reference, reference, "look for a run of this name or id in the home"))

    def answer(self, index: int) -> Target | None:
        """Return where a row leads."""
        return self._shown[index]

    def description(self, index: int) -> tuple[str, Tone]:
        """Write a row in full."""
        target = self._shown[index]
        if target.kind == "lookup":
            return f"{target.name}: {target.about}", Tone.PLAIN
        return f"{target.kind} {target.name}  {target.about}", Tone.PLAIN

    def __len__(self) -> int:
        return len(self._shown)

    def key(self, index: int) -> RowKey:
        """Return the key of a row."""
        return (self._shown[index].kind, self._shown[index].key)

    def index(self, key: RowKey) -> int | None:
        """Return where a target stands."""
        return next((index for index in range(len(self._shown)) if self.key(index) == key), None)

    def row(self, index: int) -> Row:
        """Return a row."""
        target = self._shown[index]
        tone = Tone.MUTED if target.kind == "lookup" else Tone.PLAIN
        cells = {
            "kind": Cell(target.kind, Tone.MUTED),
            "name": Cell(target.name, tone),
            "about": Cell(target.about, Tone.MUTED),
        }
        return Row(self.key(index), cells)
