"""Which rows of a list are on the screen and where its cursor stands, while rows come and go. Pure."""

from __future__ import annotations

from flowdeck_tui.text.row_source import RowKey, RowSource


class Viewport:
    """Cursor and scroll position over a `RowSource`.

    The cursor is a key: it stays on its row while rows arrive above. At the top of the list new rows come into view;
    further down the first visible row keeps its place, so that nothing moves under the reader.
    """

    def __init__(self, source: RowSource) -> None:
        """Start at the top of `source`."""
        self._source = source
        self._first_key: RowKey | None = None
        self.first = 0
        """Position of the first visible row."""
        self.height = 0
        """How many rows there is room for."""
        self.cursor: RowKey | None = None
        """Key of the row under the cursor; None when there are no rows."""
        self.cursor_index = 0
        """Position of the cursor."""

    @property
    def stop(self) -> int:
        """Position after the last visible row."""
        return min(len(self._source), self.first + self.height)

    def sync(self) -> None:
        """Find cursor and view again after the rows have changed."""
        count = len(self._source)
        if not count:
            self.first, self._first_key = 0, None
            self.cursor, self.cursor_index = None, 0
            return
        was_visible = self._is_cursor_visible
        index = None if self.cursor is None else self._source.index(self.cursor)
        self._put(min(self.cursor_index, count - 1) if index is None else index)
        if self.first and self._first_key is not None:
            anchor = self._source.index(self._first_key)
            self.first = self.first if anchor is None else anchor
        if was_visible:
            self._show_cursor()
        self._clamp()

    def resize(self, height: int) -> None:
        """Change how many rows there is room for; a cursor that was in view stays in view."""
        was_visible = self._is_cursor_visible
        self.height = height
        if was_visible and len(self._source):
            self._show_cursor()
        self._clamp()

    def go_to(self, index: int) -> None:
        """Put the cursor at a position, or at the nearest there is, and show it."""
        count = len(self._source)
        if count:
            self._put(max(0, min(index, count - 1)))
            self._show_cursor()
            self._clamp()

    def scroll(self, rows: int) -> None:
        """Move the view and leave the cursor."""
        self.first += rows
        self._clamp()

    def is_near_end(self, rows: int) -> bool:
        """Tell whether fewer than `rows` rows lie below the view."""
        return self.first + self.height > len(self._source) - rows

    @property
    def _is_cursor_visible(self) -> bool:
        return self.first <= self.cursor_index < self.first + max(1, self.height)

    def _put(self, index: int) -> None:
        self.cursor_index, self.cursor = index, self._source.key(index)

    def _show_cursor(self) -> None:
        rows = max(1, self.height)
        self.first = max(min(self.first, self.cursor_index), self.cursor_index - rows + 1)

    def _clamp(self) -> None:
        count = len(self._source)
        self.first = max(0, min(self.first, count - self.height))
        self._first_key = self._source.key(self.first) if count else None
