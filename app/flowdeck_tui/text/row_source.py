"""What a tree table asks of the rows that it shows: a protocol, and the small values in which rows are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from flowdeck_tui.text.present import Tone

RowKey = tuple[str, int | str]
"""What a row stands for, for as long as it exists: its kind and its number or name."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of one column of a row, harmless for a terminal, and what it means."""

    text: str
    tone: Tone = Tone.PLAIN


EMPTY_CELL = Cell("")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a tree table.

    Attributes:
        key: identity; the cursor follows it.
        cells: by column id; a column that is missing stays empty.
        guides: lines of the tree that lead to it, two cells for each level.
        is_open: True or False for a row that can be expanded, None for one that cannot.
        lead: cell of fixed width before the first column's text, such as a state; None for tables without.
        is_marked: what is done to marked rows is done to it.
    """

    key: RowKey
    cells: Mapping[str, Cell]
    guides: str = ""
    is_open: bool | None = None
    lead: Cell | None = None
    is_marked: bool = False


class RowSource(Protocol):
    """Rows by position, however many: a table asks only for those on the screen."""

    def __len__(self) -> int:
        """Count the rows, those of open branches included."""
        ...

    def row(self, index: int) -> Row:
        """Return the row at a position."""
        ...

    def key(self, index: int) -> RowKey:
        """Return the key of the row at a position, without making the row."""
        ...

    def index(self, key: RowKey) -> int | None:
        """Return where a row stands now; None when it is not there."""
        ...
