"""A table of a tree that draws only what is on the screen and sends only the cells that changed.

Textual's own table keeps every row and repaints as a whole (22 kB for one cell at 160×48, 14 s for 50,000 rows).
This one asks a `RowSource` for the visible rows, remembers what it drew, and marks exact regions for repainting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from flowdeck_tui.actions.action import Context
from flowdeck_tui.actions.actions import bindings
from flowdeck_tui.text.present import UNICODE, Glyphs, Tone
from flowdeck_tui.text.row_source import EMPTY_CELL, Cell, Row, RowKey, RowSource
from flowdeck_tui.widgets.columns import Column, Placed, cut, fit, pad
from flowdeck_tui.widgets.themed import Toned
from flowdeck_tui.widgets.viewport import Viewport

HEAD_LINES: Final = 1
MARKER_WIDTH: Final = 1
MARK: Final = "*"
"""Stands in the last cell before a marked row's text."""
EXPANDER_WIDTH: Final = 2
WHEEL_ROWS: Final = 3
CURSOR, CURSOR_AWAY = "cursor-row", "cursor-row-away"
"""Theme variables of the cursor's row, with and without the focus."""
NEAR_EDGE_ROWS: Final = 200
"""How close to its first or last row the view comes before the table asks for more: half a second of held-down keys."""

Spans = tuple[tuple[str, Tone], ...]


@dataclass(frozen=True, slots=True)
class _DrawnLine:
    """What stands on one line of the screen: the text of each column, already cut and padded, and its marks."""

    columns: tuple[Spans, ...]
    is_cursor: bool


_BLANK: Final = _DrawnLine((), is_cursor=False)


class TreeTable(Toned, can_focus=True):
    """A list or tree with columns, a cursor that stays on its row, and its own scroll position."""

    ALLOW_SELECT: ClassVar[bool] = False
    BINDINGS: ClassVar = bindings(Context.LIST)
    action_context: ClassVar[Context] = Context.LIST

    class RowMessage(Message):
        """Something about a row of this table."""

        def __init__(self, table: TreeTable) -> None:
            self.table = table
            super().__init__()

        @property
        def control(self) -> TreeTable:
            """The table, by which handlers are chosen."""
            return self.table

    class CursorMoved(RowMessage):
        """The cursor stands on another row; None when there are no rows."""

        def __init__(self, table: TreeTable, key: RowKey | None) -> None:
            self.key = key
            super().__init__(table)

    class Opened(RowMessage):
        """A row was clicked where the cursor already was, or on the sign that opens it."""

        def __init__(self, table: TreeTable, key: RowKey) -> None:
            self.key = key
            super().__init__(table)

    class NearEdge(RowMessage):
        """The view comes near the first or the last row.

        Attributes:
            is_start: which of them.
            wants_edge: the user asked for the first or last row itself.
        """

        def __init__(self, table: TreeTable, *, is_start: bool, wants_edge: bool) -> None:
            self.is_start = is_start
            self.wants_edge = wants_edge
            super().__init__(table)

    def __init__(
        self,
        source: RowSource,
        columns: Sequence[Column],
        *,
        glyphs: Glyphs = UNICODE,
        lead_width: int = 0,
        lead_title: str = "",
        has_branches: bool = False,
        id: str | None = None,
    ) -> None:
        """Make a table.

        Args:
            source: the rows.
            columns: the first one carries marker, tree lines and lead cell, and shrinks by them.
            glyphs: signs that the terminal can show.
            lead_width: cells of the lead cell; 0 for rows without one.
            lead_title: head text above the lead cell.
            has_branches: whether room is kept for the sign that opens a row.
            id: of the widget.
        """
        super().__init__(id=id)
        self._source = source
        self._columns = tuple(columns)
        self._glyphs = glyphs
        self._lead_width = lead_width
        self._lead_title = lead_title
        self._expander_width = EXPANDER_WIDTH if has_branches else 0
        self._placed: tuple[Placed, ...] = ()
        self._drawn: list[_DrawnLine] = []
        self._view = Viewport(source)
        self._reported: RowKey | None = None
        self._empty_lines: tuple[str, ...] = ()
        self._is_empty = True

    # -- state ---------------------------------------------------------------------------------------------------

    @property
    def cursor(self) -> RowKey | None:
        """Key of the row under the cursor; None when there are no rows."""
        return self._view.cursor

    @property
    def cursor_index(self) -> int:
        """Position of the cursor."""
        return self._view.cursor_index

    @property
    def visible_range(self) -> tuple[int, int]:
        """Positions of the rows on the screen: [first, stop)."""
        return self._view.first, self._view.stop

    @property
    def shown_columns(self) -> tuple[str, ...]:
        """Ids of the columns that fit."""
        return tuple(placed.column.id for placed in self._placed)

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns."""
        if tuple(columns) != self._columns:
            self._columns = tuple(columns)
            self.on_resize()

    def set_empty_text(self, *lines: str) -> None:
        """Say what stands there while there are no rows."""
        if lines != self._empty_lines:
            self._empty_lines = lines
            if not len(self._source):
                self.refresh()

    def select(self, key: RowKey) -> bool:
        """Put the cursor on a row and bring it into view; False when the row is not there."""
        index = self._source.index(key)
        if index is not None:
            self._go_to(index)
        return index is not None

    def show_row(self, index: int) -> None:
        """Put the cursor on the row at a position, or at the nearest there is, and bring it into view."""
        self._go_to(index)

    def sync(self) -> None:
        """Draw what the source says now; the cursor stays on its row."""
        self._view.sync()
        self._draw()

    def _report_cursor(self) -> None:
        if self._view.cursor != self._reported:
            self._reported = self._view.cursor
            self.post_message(self.CursorMoved(self, self._reported))

    # -- drawing -------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Lay out the visible lines again and mark what differs from what stands on the screen."""
        self._report_cursor()
        view = self._view
        lines = [self._draw_row(self._source.row(index), index) for index in range(view.first, view.stop)]
        lines.extend([_BLANK] * (view.height - len(lines)))
        before, self._drawn = self._drawn, lines
        was_empty, self._is_empty = self._is_empty, not len(self._source)
        if len(before) != len(lines) or was_empty or self._is_empty:
            self.refresh()
            return
        changed: list[Region] = []
        for y, (old, new) in enumerate(zip(before, lines, strict=True), HEAD_LINES):
            if old != new:
                changed.extend(self._changed_regions(old, new, y))
        if changed:
            self.refresh(*changed)

    def _changed_regions(self, old: _DrawnLine, new: _DrawnLine, y: int) -> list[Region]:
        if old.is_cursor != new.is_cursor or len(old.columns) != len(new.columns):
            return [Region(0, y, self.size.width, 1)]
        return [
            Region(placed.x, y, placed.width, 1)
            for placed, before, now in zip(self._placed, old.columns, new.columns, strict=True)
            if before != now
        ]

    def _draw_row(self, row: Row, index: int) -> _DrawnLine:
        is_cursor = index == self._view.cursor_index
        spans = [self._draw_cell(placed, row.cells.get(placed.column.id, EMPTY_CELL)) for placed in self._placed[1:]]
        if self._placed:
            spans.insert(0, self._draw_first(self._placed[0], row, is_cursor))
        return _DrawnLine(tuple(spans), is_cursor)

    def _draw_cell(self, placed: Placed, cell: Cell) -> Spans:
        column = placed.column
        text = cut(cell.text, placed.width, self._glyphs.ellipsis, column.cut)
        return ((pad(text, placed.width, column.align), cell.tone),)

    def _draw_first(self, placed: Placed, row: Row, is_cursor: bool) -> Spans:
        sign = "" if row.is_open is None else self._glyphs.open if row.is_open else self._glyphs.closed
        marker = ">" if is_cursor else " "
        frame = marker + row.guides + sign.ljust(self._expander_width)
        if row.is_marked:
            frame = f"{frame[:-1]}{MARK}"
        spans: list[tuple[str, Tone]] = [(frame[: placed.width], Tone.MUTED)]
        used = min(len(frame), placed.width)
        if row.lead is not None and used < placed.width:
            width = min(self._lead_width, placed.width - used)
            text = cut(row.lead.text, width - 1, self._glyphs.ellipsis)
            spans.append((pad(text, width), row.lead.tone))
            used += width
        if used < placed.width:
            cell = row.cells.get(placed.column.id, EMPTY_CELL)
            text = cut(cell.text, placed.width - used, self._glyphs.ellipsis, placed.column.cut)
            spans.append((pad(text, placed.width - used), cell.tone))
        return tuple(spans)

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen from what was laid out."""
        width = self.size.width
        if y == 0:
            return Strip([Segment(self._head_text(width), self.tone_style(Tone.MUTED))], width)
        if not len(self._source):
            text = self._empty_lines[y - 2] if 0 <= y - 2 < len(self._empty_lines) else ""
            text = cut(f"   {text}", width, self._glyphs.ellipsis)
            return Strip([Segment(pad(text, width), self.tone_style(Tone.MUTED))], width)
        line = self._drawn[y - HEAD_LINES] if y - HEAD_LINES < len(self._drawn) else _BLANK
        return Strip(self._segments(line, width), width)

    def _segments(self, line: _DrawnLine, width: int) -> list[Segment]:
        pieces: list[tuple[str, Tone]] = []
        x = 0
        for placed, spans in zip(self._placed, line.columns, strict=False):
            if placed.x > x:
                pieces.append((" " * (placed.x - x), Tone.PLAIN))
            pieces.extend(spans)
            x = placed.x + placed.width
        pieces.append((" " * max(0, width - x), Tone.PLAIN))
        # Blank text takes the tone before it: every change of style costs 40 bytes on the wire.
        merged: list[tuple[str, Tone]] = []
        for text, tone in pieces:
            if merged and (merged[-1][1] == tone or text.isspace()):
                merged[-1] = (merged[-1][0] + text, merged[-1][1])
            elif text:
                merged.append((text, tone))
        behind = "" if not line.is_cursor else CURSOR if self.has_focus else CURSOR_AWAY
        return [Segment(text, self.tone_style(tone, behind)) for text, tone in merged]

    def _head_text(self, width: int) -> str:
        text = ""
        for number, placed in enumerate(self._placed):
            title = placed.column.title
            if number == 0:
                lead = pad(self._lead_title, self._lead_width) if self._lead_width else ""
                title = " " * (MARKER_WIDTH + self._expander_width) + lead + title
            text = text.ljust(placed.x) + pad(title[: placed.width], placed.width, placed.column.align)
        return text.ljust(width)[:width]

    def on_focus(self) -> None:
        """The cursor shows that keys go here."""
        self._refresh_cursor()

    def on_blur(self) -> None:
        """The cursor shows that keys go elsewhere."""
        self._refresh_cursor()

    def _refresh_cursor(self) -> None:
        y = self._view.cursor_index - self._view.first + HEAD_LINES
        if HEAD_LINES <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def on_resize(self) -> None:
        """Choose columns for the new width, keep cursor and view."""
        self._placed = fit(self._columns, self.size.width)
        self._view.resize(max(0, self.size.height - HEAD_LINES))
        self._drawn = []
        self.sync()

    # -- moving --------------------------------------------------------------------------------------------------

    def _go_to(self, index: int) -> None:
        self._view.go_to(index)
        self._draw()
        self._ask_for_more()

    def _go_by(self, rows: int) -> None:
        self._go_to(self._view.cursor_index + rows)

    def _ask_for_more(self) -> None:
        if self._view.is_near_end(NEAR_EDGE_ROWS):
            self.post_message(self.NearEdge(self, is_start=False, wants_edge=False))
        if self._view.first < NEAR_EDGE_ROWS:
            self.post_message(self.NearEdge(self, is_start=True, wants_edge=False))

    def scroll_rows(self, rows: int) -> None:
        """Move the view, not the cursor."""
        self._view.scroll(rows)
        self._draw()
        self._ask_for_more()

    def action_move_down(self) -> None:
        """One row down."""
        self._go_by(1)

    def action_move_up(self) -> None:
        """One row up."""
        self._go_by(-1)

    def action_move_half_down(self) -> None:
        """Half a page down."""
        self._go_by(max(1, self._view.height // 2))

    def action_move_half_up(self) -> None:
        """Half a page up."""
        self._go_by(-max(1, self._view.height // 2))

    def action_move_page_down(self) -> None:
        """One page down."""
        self._go_by(max(1, self._view.height))

    def action_move_page_up(self) -> None:
        """One page up."""
        self._go_by(-max(1, self._view.height))

    def action_move_top(self) -> None:
        """To the first row."""
        self._go_to(0)
        self.post_message(self.NearEdge(self, is_start=True, wants_edge=True))

    def action_move_bottom(self) -> None:
        """To the last row."""
        self._go_to(len(self._source) - 1)
        self.post_message(self.NearEdge(self, is_start=False, wants_edge=True))

    # -- mouse ---------------------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row; a click on the cursor's row opens it."""
        event.stop()
        index = self._view.first + event.y - HEAD_LINES
        if event.y < HEAD_LINES or index >= len(self._source):
            return
        key = self._source.key(index)
        is_same = key == self._view.cursor
        row = self._source.row(index)
        on_expander = row.is_open is not None and event.x < MARKER_WIDTH + len(row.guides) + self._expander_width
        self._go_to(index)
        if is_same or on_expander:
            self.post_message(self.Opened(self, key))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll with the wheel."""
        event.stop()
        self.scroll_rows(WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll with the wheel."""
        event.stop()
        self.scroll_rows(-WHEEL_ROWS)
