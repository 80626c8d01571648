"""Finding lines of a log, a slice at a time, so that the screen stays live. Pure but for what it reads of the log."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from flowdeck_tui.log.log_filter import SLICE_LINES, Searchable

if TYPE_CHECKING:
    from flowdeck.deck import LineQuery


class LogSearch:
    """All lines of a growing log that a query means.

    Looks from `start` to the end first, then at what lies before, so that the next match is known early.

    Args:
        source: the log.
        query: what to find.
        start: the line to begin at.
    """

    def __init__(self, source: Searchable, query: LineQuery, start: int) -> None:
        self.current: int | None = None
        """The line of the match that was gone to; None when none was found yet."""
        self._source = source
        self._query = query
        self._start = start
        self._before = array("Q")
        self._after = array("Q")
        self._before_stop = 0
        self._after_stop = start
        self._wanted = 1

    @property
    def is_done(self) -> bool:
        """Tell whether every line was looked at."""
        return self._after_stop >= self._source.count and self._before_stop >= self._start

    @property
    def total(self) -> int:
        """Matching lines found so far."""
        return len(self._before) + len(self._after)

    @property
    def position(self) -> int:
        """Which of the matches, from 1, the current one is; 0 without one."""
        if self.current is None:
            return 0
        return bisect_right(self._before, self.current) + bisect_right(self._after, self.current)

    def step(self) -> None:
        """Look at one more slice."""
        if self._after_stop < self._source.count:
            stop = min(self._source.count, self._after_stop + SLICE_LINES)
            self._after.extend(self._source.search(self._query, self._after_stop, stop))
            self._after_stop = stop
        elif self._before_stop < self._start:
            stop = min(self._start, self._before_stop + SLICE_LINES)
            self._before.extend(self._source.search(self._query, self._before_stop, stop))
            self._before_stop = stop

    def want(self, direction: int) -> None:
        """Ask for the next match (1), the one before (-1) or none (0); `arrive` gives it when it is known."""
        self._wanted = direction

    def arrive(self) -> int | None:
        """Go to the match that was asked for; returns its line, None when it is not known yet or there is none."""
        if not self._wanted:
            return None
        found = self._nearest()
        if found is None and self.is_done and self.total:
            found = self._first() if self._wanted > 0 else self._last()
        if found is not None or self.is_done:
            self._wanted = 0
        if found is not None:
            self.current = found
        return found

    def _nearest(self) -> int | None:
        """Return the wanted match if it can be told already: lines in between may not be looked at yet."""
        origin = self._start - 1 if self.current is None else self.current
        if self._wanted > 0:
            if self._before_stop <= origin < self._start - 1:
                return None  # the lines behind it are not read yet
            found = _at(self._before, bisect_right(self._before, origin))
            return _at(self._after, bisect_right(self._after, origin)) if found is None else found
        if not self.is_done:
            return None
        found = _at(self._after, bisect_left(self._after, origin) - 1)
        return _at(self._before, bisect_left(self._before, origin) - 1) if found is None else found

    def _first(self) -> int:
        return self._before[0] if self._before else self._after[0]

    def _last(self) -> int:
        return self._after[-1] if self._after else self._before[-1]


def _at(lines: array[int], index: int) -> int | None:
    return lines[index] if 0 <= index < len(lines) else None
