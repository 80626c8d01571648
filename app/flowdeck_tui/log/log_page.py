"""The rows of a log on the screen: which line stands where, and how each is drawn. Pure but for what it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from flowdeck_tui.log.log_filter import ShownLines
from flowdeck_tui.log.log_json import spread
from flowdeck_tui.log.log_lines import DrawnLine, Layout, LogTone, Marking, Palette, TimeMode, draw_line
from flowdeck_tui.log.log_window import LogWindow

if TYPE_CHECKING:
    from flowdeck.deck import LogLine

FLAG_SIGN = "*"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the screen.

    Attributes:
        line: number of the line in the log; None where there is none.
        strip: what is drawn, not padded.
    """

    line: int | None
    strip: Strip


class LogPage:
    """Draws the lines of a window; each line once, as long as it stays near the screen."""

    def __init__(self, window: LogWindow, ellipsis: str) -> None:
        """Args: window: which lines. ellipsis: one cell that marks where a line is cut."""
        self.window = window
        self.layout = Layout(0, ellipsis=ellipsis)
        self.palette: Palette = dict.fromkeys(LogTone, Style())
        self.shown: ShownLines | None = None
        self.marking = Marking()
        self.current_match: int | None = None
        self.flags: set[int] = set()
        """Numbers of lines that the user has marked."""
        self.anchor: int | None = None
        """Number of the line at which a selection was begun; None without one."""
        self._spread: dict[int, list[str]] = {}
        self._drawn: dict[int, DrawnLine] = {}

    @property
    def is_cut(self) -> bool:
        """Tell whether some line on the screen goes on at the right."""
        return any(line.is_cut for line in self._drawn.values())

    @property
    def selection(self) -> tuple[int, int] | None:
        """Positions of the first and the last line that are selected."""
        position = None if self.shown is None or self.anchor is None else self.shown.position_of(self.anchor)
        if position is None:
            return None
        return min(position, self.window.cursor), max(position, self.window.cursor)

    def restart(self, shown: ShownLines | None) -> None:
        """Show other lines of the same log, or another log."""
        self.shown = shown
        self.window.restart(shown.count if shown else 0)

    def forget_log(self) -> None:
        """Drop what was said of lines by their number."""
        self.flags.clear()
        self._spread.clear()
        self.anchor = None
        self.lay_out(replace(self.layout, shift=0, start=None))

    def lay_out(self, layout: Layout) -> None:
        """Lay lines out in another way."""
        self.layout = layout
        self._rows_changed()

    def shift_to(self, columns: int) -> None:
        """Scroll the text sideways."""
        if columns != self.layout.shift:
            self.layout = replace(self.layout, shift=columns)
            self._drawn.clear()

    def redraw(self, line: int | None = None) -> None:
        """Draw a line, or all, anew."""
        if line is None:
            self._drawn.clear()
        else:
            self._drawn.pop(line, None)

    def toggle_spread(self, line: int, text: str) -> bool:
        """Show the JSON in a line on rows of its own, or as it was; False when there is none."""
        if line in self._spread:
            del self._spread[line]
        elif (texts := spread(text)) is not None:
            self._spread[line] = texts
        else:
            return False
        self._rows_changed()
        return True

    def rows(self, width: int) -> list[Row]:
        """Draw what is on the screen."""
        window = self.window
        self._drop_far()
        rows = list(self._rows_from(window.top))[window.skip : window.skip + window.height]
        selection = self.selection
        rows = [Row(row.line, self._dressed(row, selection, width)) for row in rows]
        return rows + [Row(None, Strip.blank(0))] * (window.height - len(rows))

    # -- lines ---------------------------------------------------------------------------------------------------

    def _rows_changed(self) -> None:
        self._drawn.clear()
        self.window.lay_out(self._rows_of if self.layout.wraps or self._spread else None)

    def _rows_of(self, position: int) -> int:
        if self.shown is None:
            return 1
        number = self.shown.line_at(position)
        if not self.layout.wraps and number not in self._spread:
            return 1
        if number not in self._drawn:
            self._draw(position, position + 1)
        return len(self._drawn[number].strips) if number in self._drawn else 1

    def _rows_from(self, first: int) -> Iterator[Row]:
        shown, window = self.shown, self.window
        if shown is None:
            return
        stop = window.stop
        numbers = [shown.line_at(position) for position in range(first, stop)]
        missing = [position for position, number in enumerate(numbers, first) if number not in self._drawn]
        if missing:
            self._draw(missing[0], missing[-1] + 1)
        for number in numbers:
            if number in self._drawn:
                yield from (Row(number, strip) for strip in self._drawn[number].strips)

    def _draw(self, first: int, stop: int) -> None:
        shown = self.shown
        if shown is None:
            return
        if self.layout.time_mode is TimeMode.ELAPSED and self.layout.start is None:
            head = shown.source.lines(0, 1)
            self.layout = replace(self.layout, start=head[0].at if head else None)
        for number, line in shown.read(first, stop):
            if number not in self._drawn:
                self._drawn[number] = self._drawn_line(number, line)

    def _drawn_line(self, number: int, line: LogLine) -> DrawnLine:
        marking = replace(self.marking, tone=LogTone.CURRENT_MATCH) if number == self.current_match else self.marking
        return draw_line(line, self.layout, self.palette, marking, self._spread.get(number))

    def _drop_far(self) -> None:
        """Forget lines that are far from the screen."""
        if len(self._drawn) > 8 * (self.window.height + 8):
            self._drawn.clear()

    # -- what lies over a row ------------------------------------------------------------------------------------

    def _dressed(self, row: Row, selection: tuple[int, int] | None, width: int) -> Strip:
        """Show on a row that it is marked, selected or the current one."""
        shown = self.shown
        if shown is None or row.line is None:
            return row.strip
        strip = row.strip
        if row.line in self.flags:
            strip = Strip([Segment(FLAG_SIGN, self.palette[LogTone.FLAG]), *strip.crop(1, strip.cell_length)])
        position = shown.position_of(row.line)
        if not self.window.follows and position == self.window.cursor:
            return self._tinted(strip, LogTone.CURSOR, width)
        if position is not None and selection and selection[0] <= position <= selection[1]:
            return self._tinted(strip, LogTone.SELECTED, width)
        return strip

    def _tinted(self, strip: Strip, tone: LogTone, width: int) -> Strip:
        tint = Style(bgcolor=self.palette[tone].bgcolor)
        matches = (self.palette[LogTone.MATCH].bgcolor, self.palette[LogTone.CURRENT_MATCH].bgcolor)
        segments = [
            segment if segment.style and segment.style.bgcolor in matches else _over(segment, tint)
            for segment in strip.adjust_cell_length(width, self.palette[LogTone.TEXT])
        ]
        return Strip(segments)


def _over(segment: Segment, tint: Style) -> Segment:
    return Segment(segment.text, tint if segment.style is None else segment.style + tint)
