"""What differs between what a terminal shows and what it should: cells of a row, rows that only moved. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip

MOVED_ROWS_LEAST: Final = 3
"""Moving fewer rows costs as much as sending them."""


@dataclass(frozen=True, slots=True)
class Move:
    """Rows of a terminal that move together.

    Attributes:
        first: the first row that is touched.
        stop: the row behind the last one.
        rows: by how many they move up; down when negative.
    """

    first: int
    stop: int
    rows: int

    def source(self, y: int) -> int | None:
        """Return which row stands at `y` afterwards; None for a row that is blank then."""
        if not self.first <= y < self.stop:
            return y
        source = y + self.rows
        return source if self.first <= source < self.stop else None


def moved_rows(shown: Sequence[Strip | None], wanted: Mapping[int, Strip]) -> Move | None:
    """Return the move that brings most rows where they should be; None when sending them is as good.

    Args:
        shown: what the terminal shows, row by row; None where that is not known.
        wanted: rows that should change.
    """
    places: dict[str, int] = {}
    for y, strip in enumerate(shown):
        if strip is not None and strip.text.strip():
            places[strip.text] = -1 if strip.text in places else y  # of twins it is not known which is which
    found = [(y, places.get(strip.text, -1)) for y, strip in wanted.items()]
    moves = Counter(source - y for y, source in found if source >= 0)
    rows, votes = moves.most_common(1)[0] if moves else (0, 0)
    if not rows or votes < MOVED_ROWS_LEAST:
        return None
    moved = [y for y, source in found if source >= 0 and source - y == rows]
    first, stop = min(moved), max(moved) + 1
    move = Move(first, stop + rows, rows) if rows > 0 else Move(first + rows, stop, rows)
    return None if None in shown[move.first : move.stop] else move


def changed_cells(old: Strip, new: Strip, blank: Style | None = None) -> tuple[int, int] | None:
    """Return the cells `[first, stop)` that differ between two rows; None when none does.

    Missing cells at the right end are blank, in the style `blank`. A row with characters of other widths than one cell
    is taken as a whole: terminals do not agree on them, so no place behind them is certain.
    """
    if old == new:
        return None
    width = max(old.cell_length, new.cell_length)
    if not (_is_even(old.text) and _is_even(new.text)):
        return 0, width
    before, now = _cells(old, width, blank), _cells(new, width, blank)
    first = next((x for x in range(width) if before[x] != now[x]), None)
    if first is None:
        return None
    return first, next(x for x in range(width, first, -1) if before[x - 1] != now[x - 1])


def _is_even(text: str) -> bool:
    return text.isascii() or all(cell_len(character) == 1 for character in set(text))


def _cells(strip: Strip, width: int, blank: Style | None) -> list[tuple[str, Style | None]]:
    cells = [(character, segment.style) for segment in strip for character in segment.text]
    cells.extend([(" ", blank)] * (width - len(cells)))
    return cells
