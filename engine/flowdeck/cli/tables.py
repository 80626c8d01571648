"""Text laid out for people: tables whose columns line up, fields, sections. Knows nothing of what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TextIO
from unicodedata import combining, east_asian_width

_BOLD: Final = "1"
_GAP: Final = "  "
_LEAST_LAST_COLUMN: Final = 12


@dataclass(frozen=True, slots=True)
class Cell:
    """A text in a table, already inert, with the number of its colour in ANSI; none when empty."""

    text: str
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """What can be written on: whether it takes colour and Unicode, how wide it is, what time it is there."""

    now: datetime
    colours: bool = False
    unicode: bool = True
    width: int | None = None
    """Columns; None when nothing is to be cut."""


def paper_for(stream: TextIO, environment: Mapping[str, str], width: int | None, now: datetime) -> Paper:
    """Look at a stream: colour only for a terminal that takes it, where NO_COLOR does not forbid it."""
    terminal = environment.get("TERM", "")
    colours = stream.isatty() and not environment.get("NO_COLOR") and terminal != "dumb"
    is_utf8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
    return Paper(now, colours=colours, unicode=is_utf8 and terminal != "linux", width=width)


def section(title: str, lines: Sequence[str]) -> list[str]:
    """Put a title above lines; nothing when there are none."""
    return ["", f"{title}:", *(f"  {line}".rstrip() for line in lines)] if lines else []


def fields(values: Mapping[str, Cell | str], paper: Paper) -> list[str]:
    """Write what is known, one name and value a line; what is empty is left out."""
    cells = {name: _cell(value) for name, value in values.items()}
    width = max(len(name) for name in values)
    return [f"{name:<{width}}{_GAP}{_painted(cell, paper)}" for name, cell in cells.items() if cell.text]


def table(header: Sequence[str], rows: Sequence[Sequence[Cell | str]], paper: Paper) -> list[str]:
    """Align rows below a header; the last column takes what room is left and is cut where the terminal ends."""
    cells = [[_cell(value) for value in row] for row in rows]
    heads = [Cell(name, _BOLD) for name in header]
    widths = [max(cell_width(row[column].text) for row in [heads, *cells]) for column in range(len(header))]
    return [_row(row, widths, paper) for row in [heads, *cells]]


def cell_width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def _row(row: Sequence[Cell], widths: Sequence[int], paper: Paper) -> str:
    parts = [
        _painted(cell, paper) + " " * (width - cell_width(cell.text))
        for cell, width in zip(row[:-1], widths[:-1], strict=True)
    ]
    last = row[-1]
    if paper.width is not None:
        room = paper.width - sum(widths[:-1]) - len(_GAP) * len(parts)
        last = Cell(_cut(last.text, max(room, _LEAST_LAST_COLUMN), paper), last.colour)
    return _GAP.join([*parts, _painted(last, paper)]).rstrip()


def _cut(text: str, width: int, paper: Paper) -> str:
    if cell_width(text) <= width:
        return text
    end = "…" if paper.unicode else "~"
    kept = text[: width - 1]
    while cell_width(kept) > width - 1:
        kept = kept[:-1]
    return kept + end


def _cell(value: Cell | str) -> Cell:
    return Cell(value) if isinstance(value, str) else value


def _painted(cell: Cell, paper: Paper) -> str:
    return f"\x1b[{cell.colour}m{cell.text}\x1b[0m" if paper.colours and cell.colour and cell.text else cell.text
