"""Which lines of a log are shown: all, or those that a filter means, found a slice at a time. Pure but for reading."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from flowdeck.deck import LineQuery, LogLine

SLICE_LINES: Final = 4096  # takes a few milliseconds


class Searchable(Protocol):
    """What can be searched."""

    @property
    def count(self) -> int:
        """Lines known so far."""
        ...

    def search(self, query: LineQuery, first: int, stop: int) -> list[int]:
        """Return which of the lines `[first, stop)` are meant."""
        ...


class LogSource(Searchable, Protocol):
    """What a view shows: a `MergedLog`, or anything that numbers lines in the same way."""

    @property
    def generation(self) -> int:
        """Changes when all lines known so far are void."""
        ...

    def lines(self, first: int, stop: int) -> list[LogLine]:
        """Return the lines `[first, stop)`."""
        ...


class AllLines:
    """All lines of a log; the position of a line is its number."""

    is_done = True

    def __init__(self, source: LogSource) -> None:
        """Args: source: the log."""
        self.source = source

    @property
    def count(self) -> int:
        """Lines that are shown."""
        return self.source.count

    @property
    def searched(self) -> Searchable:
        """What a search looks through."""
        return self.source

    def step(self) -> int:
        """Find more; returns how many were put before all others."""
        return 0

    def line_at(self, position: int) -> int:
        """Return the number in the log of the line at a position."""
        return position

    def position_of(self, line: int) -> int | None:
        """Return where a line, or else the next one, is; None when that is not known yet."""
        return line

    def read(self, first: int, stop: int) -> list[tuple[int, LogLine]]:
        """Return the lines at positions `[first, stop)` with their numbers."""
        return list(enumerate(self.source.lines(first, stop), first))


class FilteredLines:
    """The lines of a growing log that a query means.

    The end of the log is looked through first: what is shown at once is what is new. Lines found before others move
    those by as many positions.
    """

    def __init__(self, source: LogSource, query: LineQuery) -> None:
        """Args: source: the log. query: which lines."""
        self.source = source
        self.query = query
        self._before = array("Q")  # the last one first
        self._after = array("Q")
        self._first = self._stop = source.count

    @property
    def count(self) -> int:
        """Lines found so far."""
        return len(self._before) + len(self._after)

    @property
    def is_done(self) -> bool:
        """Tell whether every line was looked at."""
        return self._first == 0 and self._stop >= self.source.count

    @property
    def searched(self) -> Searchable:
        """What a search looks through."""
        return _Within(self.source, self.query)

    def step(self) -> int:
        """Look at one more slice; returns how many lines were put before all others."""
        if self._stop < self.source.count:
            stop = min(self.source.count, self._stop + SLICE_LINES)
            self._after.extend(self.source.search(self.query, self._stop, stop))
            self._stop = stop
            return 0
        first = max(0, self._first - SLICE_LINES)
        found = self.source.search(self.query, first, self._first) if self._first else []
        self._before.extend(reversed(found))
        self._first = first
        return len(found)

    def line_at(self, position: int) -> int:
        """See `AllLines`."""
        before = len(self._before)
        return self._before[before - 1 - position] if position < before else self._after[position - before]

    def position_of(self, line: int) -> int | None:
        """See `AllLines`."""
        if not self._first <= line < self._stop:
            return None
        behind = bisect_right(self._before, -line, key=lambda number: -number)  # of those before, not below `line`
        return len(self._before) - behind if behind else len(self._before) + bisect_left(self._after, line)

    def read(self, first: int, stop: int) -> list[tuple[int, LogLine]]:
        """See `AllLines`."""
        numbers = [self.line_at(position) for position in range(max(0, first), min(stop, self.count))]
        found: list[tuple[int, LogLine]] = []
        for start, end in _runs(numbers):
            found.extend(enumerate(self.source.lines(start, end), start))
        return found


ShownLines = AllLines | FilteredLines


class _Within:
    """Only those lines that a query means."""

    def __init__(self, source: Searchable, query: LineQuery) -> None:
        self._source = source
        self._query = query

    @property
    def count(self) -> int:
        return self._source.count

    def search(self, query: LineQuery, first: int, stop: int) -> list[int]:
        found = self._source.search(query, first, stop)
        shown = set(self._source.search(self._query, first, stop)) if found else set[int]()
        return [line for line in found if line in shown]


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Put numbers that follow each other together as `[first, stop)`."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number:
            runs[-1] = runs[-1][0], number + 1
        else:
            runs.append((number, number + 1))
    return runs
