"""Updates that send only cells that changed: with `screen_driver`, the one place that reaches into Textual.

Textual's own update of a part of a line begins at the left edge of the widget: a clock in the seventh column costs
the six columns before it, 370 bytes instead of 60. It also sends each row anew when a list or a log moves by a line;
here the terminal is told to move them, which costs the new line and 20 bytes. Textual is pinned to one version; a
test holds both kinds of update against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip

from flowdeck_tui.terminal.cell_changes import Move, changed_cells, moved_rows


class ShownRows:
    """What the terminal shows, as far as all of it came from us; None for a row of which that is not known."""

    def __init__(self) -> None:
        self.rows: list[Strip | None] = []

    def forget(self) -> None:
        """Someone else has written to the terminal."""
        self.rows = [None] * len(self.rows)


class FullUpdate(LayoutUpdate):
    """All rows."""

    def __init__(self, strips: list[Iterable[Strip]], region: Region, shown: ShownRows) -> None:
        super().__init__(strips, region)
        self._shown = shown

    def render_segments(self, console: Console) -> str:
        """Return what to write to the terminal."""
        before, rows = self._shown.rows, [Strip.join(line) for line in self.strips]
        self._shown.rows = [*rows]
        if len(before) != len(rows) or None in before:
            return super().render_segments(console)
        # Textual asks for all rows whenever the focus comes or goes; most of them are there already.
        return "".join(
            piece
            for y, (old, new) in enumerate(zip(before, rows, strict=True))
            for piece in _changes(y, old, new, console)
        )


class CellUpdate(ChopsUpdate):
    """A partial update that is cut on both sides, and moves what only moved."""

    def __init__(self, update: ChopsUpdate, shown: ShownRows) -> None:
        super().__init__(update.chops, update.spans, update.chop_ends)
        self._shown = shown

    def render_segments(self, console: Console) -> str:
        """Return what to write to the terminal."""
        shown = self._shown.rows
        if len(shown) != len(self.chops):
            shown[:] = [None] * len(self.chops)
        dirty = {y for y, _, _ in self.spans}
        wanted = {y: row for y in dirty if (row := _whole_row(self.chops[y])) is not None}
        move = moved_rows(shown, wanted)
        if move is not None and any(y in dirty and y not in wanted for y in range(move.first, move.stop)):
            move = None
        touched = set(wanted) if move is None else {*wanted, *range(move.first, move.stop)}
        pieces = [] if move is None else [_moving(move)]
        for y in sorted(touched):
            source = y if move is None else move.source(y)
            pieces.extend(_changes(y, None if source is None else shown[source], wanted.get(y, shown[y]), console))
        for y, first, stop in self.spans:
            if y not in wanted:
                pieces.extend(self._cells(y, first, stop, console))
        for y in dirty:
            shown[y] = wanted.get(y)
        return "".join(pieces)

    def _cells(self, y: int, first: int, stop: int, console: Console) -> Iterator[str]:
        for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
            left, right = max(x, first), min(end, stop)
            if strip is not None and left < right:
                yield Control.move_to(left, y).segment.text
                yield strip.crop(left - x, right - x).render(console)


def _whole_row(chops: Mapping[int, Strip | None]) -> Strip | None:
    """Put a row together; None when an update holds only a part of it."""
    strips = [strip for strip in chops.values() if strip is not None]
    return Strip.join(strips) if len(strips) == len(chops) else None


def _moving(move: Move) -> str:
    """Write how a terminal is told to move rows: newlines at the bottom of a region, or their reverse at its top."""
    edge = move.stop if move.rows > 0 else move.first + 1
    steps = "\n" * move.rows if move.rows > 0 else "\x1bM" * -move.rows
    return f"\x1b[{move.first + 1};{move.stop}r\x1b[{edge};1H{steps}\x1b[r"


def _changes(y: int, before: Strip | None, target: Strip | None, console: Console) -> Iterator[str]:
    """Write the cells of a row that differ from what the terminal shows there; all when that is not known."""
    if target is not None:
        span = (0, target.cell_length) if before is None else changed_cells(before, target)
        if span is not None:
            yield Control.move_to(span[0], y).segment.text
            yield target.crop(*span).render(console)


class CellCompositor(Compositor):
    """Makes cell updates."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = ShownRows()

    def render_full_update(self, simplify: bool = False) -> LayoutUpdate:
        """Return an update of everything."""
        update = super().render_full_update(simplify)
        return FullUpdate(update.strips, update.region, self.shown)

    def render_partial_update(self) -> ChopsUpdate | None:
        """Return an update of what is dirty; None when nothing is."""
        update = super().render_partial_update()
        return None if update is None else CellUpdate(update, self.shown)


class CellScreen(Screen[None]):
    """The screen of the panes."""

    def __init__(self) -> None:
        super().__init__(id="_default")
        self._cell_compositor = CellCompositor()
        self._compositor = self._cell_compositor

    def repaint(self) -> None:
        """Send everything again: something else may have written to the terminal."""
        self.forget()
        self.refresh(layout=True)

    def forget(self) -> None:
        """The terminal may show something else than what was sent."""
        self._cell_compositor.shown.forget()

    def on_screen_suspend(self) -> None:
        """A dialog draws over the panes."""
        self.forget()
