"""Which lines of a growing log are on the screen, and which of them is the current one. Pure.

A paused view never moves by itself: its place is a line, and lines are only added at the end. Lines are told by their
position among those that are shown; each takes one row of the screen, or as many as `rows_of` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Place:
    """Where a window is."""

    top: int = 0
    skip: int = 0
    cursor: int = 0
    follows: bool = True
    is_held: bool = False


class LogWindow:
    """The part of a log that is looked at. While it follows, the last line stands in the last row."""

    def __init__(self) -> None:
        self.height = 0
        """Rows of the screen."""
        self.count = 0
        """Lines that can be shown."""
        self.rows_of: Callable[[int], int] | None = None
        """How many rows a line takes; None when each takes one."""
        self._place = _Place()
        self._saved: _Place | None = None

    @property
    def top(self) -> int:
        """The first line on the screen."""
        return self._place.top

    @property
    def skip(self) -> int:
        """Rows of the first line that are above the screen."""
        return self._place.skip

    @property
    def follows(self) -> bool:
        """Whether the view moves with the end of the log."""
        return self._place.follows

    @property
    def cursor(self) -> int:
        """The current line: the last one while following; -1 without lines."""
        return self.count - 1 if self._place.follows else min(self._place.cursor, self.count - 1)

    @property
    def stop(self) -> int:
        """The line behind the last one on the screen."""
        if self.rows_of is None:
            return min(self.count, self.top + self.height)
        line, rows = self.top, -self.skip
        while line < self.count and rows < self.height:
            rows += self.rows_of(line)
            line += 1
        return line

    @property
    def below(self) -> int:
        """How many lines lie below the screen."""
        return self.count - self.stop

    @property
    def thumb(self) -> tuple[int, int]:
        """Rows `[first, stop)` of a scroll bar of the view's height that stand for what is on the screen."""
        shown = self.stop - self.top
        if self.count <= shown or not self.height:
            return 0, self.height
        size = max(1, self.height * shown // self.count)
        first = min(self.top, self.count - shown) * (self.height - size) // (self.count - shown)
        return first, first + size

    # -- what happens to the log ---------------------------------------------------------------------------------

    def restart(self, count: int) -> None:
        """Look at other lines, at their end."""
        self.count = count
        self._place, self._saved = _Place(), None
        self._settle()

    def resize(self, height: int) -> None:
        """Change how many rows there are."""
        self.height = max(0, height)
        self._settle()

    def lay_out(self, rows_of: Callable[[int], int] | None) -> None:
        """Take note that lines take other numbers of rows than before."""
        self.rows_of = rows_of
        self._place.skip = 0
        self._settle()
        if not self.follows:
            self._show_cursor()

    def grow(self, count: int) -> None:
        """Take note of lines that were added at the end."""
        self.count = count
        if self.follows:
            self._settle()

    def prepend(self, lines: int) -> None:
        """Take note of lines that were added before all others: what is on the screen stays there."""
        self.count += lines
        for place in (self._place, self._saved):
            if place is not None:
                place.top += lines
                place.cursor += lines
        self._settle()

    # -- what the user does --------------------------------------------------------------------------------------

    def scroll(self, rows: int) -> None:
        """Move the view by rows, up when negative; up stops following, down at the end starts it again."""
        place = self._place
        if not self.count:
            return
        if rows < 0:
            self._pause()
            place.top, place.skip = self._back(place.top, place.skip, -rows)
        elif not place.follows:
            last = self._last()
            place.top, place.skip = min(last, self._forward(place.top, place.skip, rows))
            if (place.top, place.skip) == last and not place.is_held:
                self.go_bottom()
        self._hold_cursor()

    def scroll_page(self, rows: int) -> None:
        """Move view and current line by rows; where the view can go no further, the line goes to its edge."""
        before = self._place.top, self._place.skip
        cursor = self.cursor
        self.scroll(rows)
        if self.follows or not self.count:
            return
        is_stuck = before == (self._place.top, self._place.skip)
        moved = rows if self.rows_of is None and not is_stuck else 0
        edge = 0 if rows < 0 else self.count - 1
        self._place.cursor = edge if is_stuck else cursor + moved
        self._hold_cursor()

    def move_cursor(self, lines: int) -> None:
        """Make another line the current one, up when negative; down from the last line follows."""
        if not self.count or (self.follows and lines >= 0):
            return
        cursor = self.cursor
        self._pause()
        if lines > 0 and cursor == self.count - 1 and not self._place.is_held:
            self.go_bottom()
            return
        self._place.cursor = max(0, min(cursor + lines, self.count - 1))
        self._show_cursor()

    def point_at(self, line: int) -> None:
        """Make a line on the screen the current one."""
        if not self.count:
            return
        self._pause()
        self._place.cursor = max(0, min(line, self.count - 1))
        self._show_cursor()

    def reveal(self, line: int) -> None:
        """Make a line the current one and bring it on the screen, with some rows above it."""
        if not self.count:
            return
        self._pause()
        self._place.cursor = line = max(0, min(line, self.count - 1))
        if not self.top <= line < self.stop:
            self._place.top, self._place.skip = min(self._last(), self._back(line, 0, self.height // 3))
        self._show_cursor()

    def go_top(self) -> None:
        """Move to the first line."""
        if self.count > self.height or not self.follows or self.top:
            self._pause()
            self._place.top = self._place.skip = self._place.cursor = 0

    def go_bottom(self) -> None:
        """Move to the last line and follow."""
        self._place = _Place()
        self._settle()

    def toggle_follow(self) -> None:
        """Stay where it is, or go to the end and follow."""
        if self.follows:
            self._pause()
            self._place.is_held = True
        else:
            self.go_bottom()

    # -- a place to come back to ---------------------------------------------------------------------------------

    def save(self) -> None:
        """Keep the place, unless one is kept."""
        if self._saved is None:
            place = self._place
            self._saved = _Place(place.top, place.skip, place.cursor, place.follows, place.is_held)

    def go_back(self) -> None:
        """Be at the place that is kept: at the same line, or following."""
        if (saved := self._saved) is not None:
            self._place = _Place(saved.top, saved.skip, saved.cursor, saved.follows, saved.is_held)
            self._settle()

    def drop_saved(self) -> None:
        """Keep no place."""
        self._saved = None

    # -- rows ----------------------------------------------------------------------------------------------------

    def _pause(self) -> None:
        if self._place.follows:
            self._place.cursor = max(0, self.count - 1)
            self._place.follows = False

    def _settle(self) -> None:
        """Stay within the lines there are; while following, at their end."""
        place, last = self._place, self._last()
        place.top, place.skip = last if place.follows else min(last, (place.top, place.skip))
        if not place.follows:
            place.cursor = max(0, min(place.cursor, self.count - 1))

    def _show_cursor(self) -> None:
        """Move the view by as little as brings the current line on the screen."""
        place = self._place
        if not self.count:
            return
        if place.cursor < place.top or (place.cursor == place.top and place.skip):
            place.top, place.skip = place.cursor, 0
            return
        rows = 1 if self.rows_of is None else min(self.height, self.rows_of(place.cursor))
        first = self._back(place.cursor, 0, max(0, self.height - rows))
        place.top, place.skip = max((place.top, place.skip), first)

    def _hold_cursor(self) -> None:
        """Keep the current line on the screen by moving it, not the view."""
        if not self.follows:
            first = min(self.top + (self.skip > 0), max(0, self.stop - 1))
            self._place.cursor = max(first, min(self._place.cursor, self.stop - 1))

    def _last(self) -> tuple[int, int]:
        """Return the place from which on all rows to the end are on the screen."""
        return self._back(self.count, 0, self.height)

    def _back(self, line: int, skip: int, rows: int) -> tuple[int, int]:
        if self.rows_of is None:
            return max(0, line - rows), 0
        rows -= skip
        while line > 0 and rows > 0:
            line -= 1
            rows -= self.rows_of(line)
        return line, max(0, -rows)

    def _forward(self, line: int, skip: int, rows: int) -> tuple[int, int]:
        if self.rows_of is None:
            return line + rows, 0
        skip += rows
        while line < self.count and skip >= (size := self.rows_of(line)):
            skip -= size
            line += 1
        return line, skip
