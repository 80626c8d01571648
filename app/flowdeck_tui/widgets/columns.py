"""Which columns of a table fit a width, and how wide each becomes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.cells import cell_len, chop_cells, set_cell_size

GAP: Final = 1
"""Empty cells between two columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        id: name by which a row gives its cell.
        title: text of the head line.
        width: cells it wants.
        minimum: cells it can live with; None when it does not shrink.
        drop_order: columns with the highest go first when the table is narrow; 0 never goes.
        grows: how large its share of left-over cells is; 0 when it keeps its width.
        align: side on which text lies.
        cut: where text that is too long is cut.
    """

    id: str
    title: str
    width: int
    minimum: int | None = None
    drop_order: int = 0
    grows: int = 0
    align: Literal["left", "right"] = "left"
    cut: Literal["end", "middle"] = "end"

    @property
    def least(self) -> int:
        """The smallest width it accepts."""
        return self.width if self.minimum is None else self.minimum


@dataclass(frozen=True, slots=True)
class Placed:
    """A column with its place on the line."""

    column: Column
    x: int
    width: int


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.least for column in columns) + GAP * max(0, len(columns) - 1)


def fit(columns: Sequence[Column], width: int) -> tuple[Placed, ...]:
    """Choose the columns that fit `width` cells and give each its place and width."""
    kept = list(columns)
    while _needed(kept) > width and any(column.drop_order for column in kept):
        kept.remove(max(kept, key=lambda column: column.drop_order))
    widths = [column.least for column in kept]
    left = width - _needed(kept)
    for index, column in enumerate(kept):
        wish = max(0, min(left, column.width - widths[index]))
        widths[index] += wish
        left -= wish
    _share(kept, widths, left)
    return _place(kept, widths, width)


def _share(columns: Sequence[Column], widths: list[int], left: int) -> None:
    """Give what is left over, or missing, to the columns that grow."""
    shares = sum(column.grows for column in columns)
    for index, column in enumerate(columns):
        if column.grows:
            share = int(left * column.grows / shares)
            widths[index] = max(1, widths[index] + share)
            left -= share
            shares -= column.grows


def _place(columns: Sequence[Column], widths: Sequence[int], width: int) -> tuple[Placed, ...]:
    placed: list[Placed] = []
    x = 0
    for column, wanted in zip(columns, widths, strict=True):
        room = max(0, min(wanted, width - x))
        if room:
            placed.append(Placed(column, x, room))
        x += wanted + GAP
    return tuple(placed)


def cut(text: str, width: int, ellipsis: str, where: Literal["end", "middle"] = "end") -> str:
    """Shorten text to at most `width` cells; what was left out is marked by `ellipsis`."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return ellipsis[:width]
    if where == "end":
        return _head(text, width - 1) + ellipsis
    tail_width = (width - 1) // 2
    return _head(text, width - 1 - tail_width) + ellipsis + _head(text[::-1], tail_width)[::-1]


def wrapped(text: str, width: int, most: int, ellipsis: str) -> list[str]:
    """Break text between words into at most `most` lines of `width` cells; what does not fit is cut off the last."""
    lines: list[str] = []
    rest = text.strip()
    while rest and width > 0:
        if len(lines) == most - 1 or cell_len(rest) <= width:
            lines.append(cut(rest, width, ellipsis))
            break
        head = _head(rest, width)
        end = len(head) if rest[len(head)].isspace() else head.rfind(" ")
        if end < len(head) // 2:
            end = max(1, len(head))  # a word as long as that is broken rather than leaving half a line empty
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return lines


def _head(text: str, width: int) -> str:
    if text.isascii():
        return text[:width]
    pieces = chop_cells(text, width) if width else []
    return pieces[0] if pieces else ""


def pad(text: str, width: int, align: Literal["left", "right"] = "left") -> str:
    """Bring text that fits to exactly `width` cells."""
    if align == "right":
        return " " * (width - cell_len(text)) + text
    return text.ljust(width) if text.isascii() else set_cell_size(text, width)
