"""One log of several files: lines of a run and of its subflow runs in order of time, while all of them grow.

The order is a list of stretches: so many lines of that file. A line that has its place keeps it; what comes later is
only added at the end. Records stay whole, and each file keeps its own order whatever its clock did.
"""

from __future__ import annotations

import contextlib
import os
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heapreplace
from itertools import accumulate, islice
from typing import Final

from flowdeck.rules.clock import to_datetime
from flowdeck.store.logs.log_format import HEAD_START, parse_line
from flowdeck.store.logs.log_lines import LineQuery, LogLine
from flowdeck.store.logs.log_matching import head_stamp
from flowdeck.store.logs.log_reader import LogReader

OPEN_FILES_MOST: Final = 64
"""Files beyond these are opened for each use: a run may have more subflow runs than a process may have files."""
_STAMPED_LINES: Final = 4096
"""How many lines are put in order at a time."""
_PROBED_LINES: Final = 64
"""How far a head is looked for."""


def _now_microseconds() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class LogPart:
    """One of the files.

    Attributes:
        reader: reader of the file; owned by the merged log from now on.
        run_name: name of the run for its lines; empty for the run whose log it is.
    """

    reader: LogReader
    run_name: str = ""


class MergedLog:
    """The log of a run together with those of its subflow runs. Used as a `LogReader` is, from one thread.

    Args:
        find: returns the parts, those known before first and in the same order; asked at each refresh.
        now: wall time in microseconds.
    """

    def __init__(self, find: Callable[[], Sequence[LogPart]], now: Callable[[], int] = _now_microseconds) -> None:
        self.generation = 0
        """Changes when a file was replaced, cut or removed; numbers of lines from before are void."""
        self.count = 0
        """Lines that have their place."""
        self._find = find
        self._now = now
        self._parts: Sequence[LogPart] = ()
        self._generations: list[int] = []
        self._taken = array("Q")
        """Of each part, how many lines have their place."""
        self._starts, self._owners, self._firsts = array("Q"), array("I"), array("Q")
        """Of each stretch: its first line here, its part, its first line there."""
        self._held = b""
        """Time of the last line that was left for the next refresh; empty when none was."""

    @property
    def paths(self) -> list[str]:
        """The files, that of the run itself first."""
        return [part.reader.path for part in self._parts if part.reader.exists]

    @property
    def run_count(self) -> int:
        """Runs whose lines these are."""
        return len(self._parts)

    def size_bytes(self) -> int:
        """Return how large the files are together."""
        sizes = 0
        for part in self._parts or self._find():
            with contextlib.suppress(OSError):
                sizes += os.stat(part.reader.path).st_size
        return sizes

    def close(self) -> None:
        """Let go of the files; they are opened again when they are needed."""
        for part in self._parts:
            part.reader.close()

    def refresh(self) -> bool:
        """Look for new lines, and for runs that have begun; tells whether there are any.

        Raises:
            StoreError: a file exists, but cannot be read.
        """
        # Before anything is read: a line of up to now is in a file, and that file is of a run that `find` knows. What
        # is written while the files are looked at one after the other waits for the next time.
        now = to_datetime(self._now()).strftime("%Y-%m-%dT%H:%M:%S.%f").encode()
        generation, count = self.generation, self.count
        self._parts = self._find()
        for number, part in enumerate(self._parts):
            part.reader.refresh()
            if number >= OPEN_FILES_MOST:
                part.reader.close()
        self._check_generations()
        self._merge(max(now, self._held))
        return (generation, count) != (self.generation, self.count)

    def lines(self, first: int, stop: int) -> list[LogLine]:
        """Return the lines `[first, stop)`, clipped to those that exist."""
        stretches = list(self._stretches(max(0, first), min(stop, self.count)))
        read = {owner: iter(self._lines_of(owner, *span)) for owner, span in _spans(stretches).items()}
        return [line for owner, at, end, _ in stretches for line in islice(read[owner], end - at)]

    def search(self, query: LineQuery, first: int, stop: int) -> list[int]:
        """Return which of the lines `[first, stop)` are meant by a query; see `LogReader.search`."""
        stretches = list(self._stretches(max(0, first), min(stop, self.count)))
        hits: dict[int, list[int]] = {}
        for owner, span in _spans(stretches).items():
            hits[owner] = self._parts[owner].reader.search(query, *span)
            self._let_go(owner)
        found: list[int] = []
        for owner, at, end, start in stretches:
            mine = hits[owner]
            found += [start + number - at for number in mine[bisect_left(mine, at) : bisect_left(mine, end)]]
        return found

    def tail(self, count: int) -> list[LogLine]:
        """Return the last lines with no index: at once, whatever the size. For a first look, before `refresh`."""
        stamped: list[tuple[float, LogLine]] = []
        for part in self._parts or self._find():
            at = 0.0
            for line in part.reader.tail(count):
                at = max(at, line.at.timestamp() if line.at else at)
                stamped.append((at, _named(line, part.run_name)))
        stamped.sort(key=lambda entry: entry[0])
        return [line for _, line in stamped[max(0, len(stamped) - count) :]]

    # -- putting in order ----------------------------------------------------------------------------------------

    def _check_generations(self) -> None:
        generations = [part.reader.generation for part in self._parts]
        if generations[: len(self._generations)] != self._generations:
            self.generation += 1
            self.count = 0
            self._taken, self._held = array("Q"), b""
            self._starts, self._owners, self._firsts = array("Q"), array("I"), array("Q")
        self._generations = generations
        self._taken.extend([0] * (len(self._parts) - len(self._taken)))

    def _merge(self, latest: bytes) -> None:
        """Give new lines their place, those of up to a time; a single file needs no looking at."""
        if len(self._parts) == 1:
            self._place(0, self._parts[0].reader.count)
            return
        new = [
            (lines.stamp, number, lines)
            for number, part in enumerate(self._parts)
            if (lines := _NewLines(part.reader, self._taken[number])).is_left
        ]
        heapify(new)
        while new and new[0][0] <= latest:
            _, number, lines = new[0]
            next_stamp = min((entry[0] for entry in new[1:3]), default=latest)
            self._place(number, lines.take_until(min(latest, next_stamp)))
            if lines.is_left:
                heapreplace(new, (lines.stamp, number, lines))
            else:
                heappop(new)
        self._held = max((lines.last_stamp() for _, _, lines in new), default=b"")
        for part in self._parts[OPEN_FILES_MOST:]:
            part.reader.close()

    def _place(self, owner: int, stop: int) -> None:
        first = self._taken[owner]
        if stop == first:
            return
        if not self._owners or self._owners[-1] != owner:
            self._starts.append(self.count)
            self._owners.append(owner)
            self._firsts.append(first)
        self._taken[owner] = stop
        self.count += stop - first

    # -- reading -------------------------------------------------------------------------------------------------

    def _stretches(self, first: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield what `[first, stop)` is made of: part, its lines from, to, and the first of them here."""
        index = bisect_right(self._starts, first) - 1
        while first < stop:
            end = self._starts[index + 1] if index + 1 < len(self._starts) else self.count
            at = self._firsts[index] + first - self._starts[index]
            size = min(stop, end) - first
            yield self._owners[index], at, at + size, first
            first += size
            index += 1

    def _lines_of(self, owner: int, first: int, stop: int) -> list[LogLine]:
        part = self._parts[owner]
        raw = part.reader.raw_lines(first, stop)
        self._let_go(owner)
        return [_named(parse_line(line), part.run_name) for line in raw]

    def _let_go(self, owner: int) -> None:
        if owner >= OPEN_FILES_MOST:
            self._parts[owner].reader.close()


class _NewLines:
    """Lines of one file that have no place yet, with the times of the records that they are of."""

    def __init__(self, reader: LogReader, first: int) -> None:
        self._reader = reader
        self._at, self._stop = first, reader.count
        self._chunk = first
        self._stamps: list[bytes] = []

    @property
    def is_left(self) -> bool:
        """Tell whether there is one."""
        return self._at < self._stop

    @property
    def stamp(self) -> bytes:
        """Time of the next one; empty for the rest of a record that has its place."""
        if not self._chunk <= self._at < self._chunk + len(self._stamps):
            self._read(b"")
        return self._stamps[self._at - self._chunk]

    def take_until(self, limit: bytes) -> int:
        """Take those of up to a time; returns the number of the first that is later."""
        while self.is_left and self.stamp <= limit:
            self._at = self._chunk + bisect_right(self._stamps, limit)
            if self._at == self._chunk + len(self._stamps) and self.is_left:
                before = self._stamps[-1]
                if not self._leap(limit):
                    self._read(before)
        return self._at

    def last_stamp(self) -> bytes:
        """Return the time of the last one, as far as it is near."""
        heads = [line for line in self._reader.raw_lines(self._stop - _PROBED_LINES, self._stop) if _is_head(line)]
        return head_stamp(heads[-1]) if heads else b""

    def _leap(self, limit: bytes) -> bool:
        """Pass over what is of up to a time without looking at each line; tells whether it could."""
        start, step = self._at, _STAMPED_LINES
        while self._at + step < self._stop:
            probed = self._reader.raw_lines(self._at + step, self._at + step + _PROBED_LINES)
            head = next((line for line in probed if _is_head(line)), None)
            if head is None or head_stamp(head) > limit:
                break
            self._at, step = self._at + step, step * 2
        return self._at > start

    def _read(self, before: bytes) -> None:
        raw = self._reader.raw_lines(self._at, min(self._stop, self._at + _STAMPED_LINES))
        times = (head_stamp(line) if _is_head(line) else b"" for line in raw)
        self._chunk, self._stamps = self._at, list(accumulate(times, max, initial=before))[1:]


def _is_head(line: bytes) -> bool:
    return line.startswith(HEAD_START)


def _named(line: LogLine, run_name: str) -> LogLine:
    return replace(line, run_name=run_name) if run_name and line.head else line


def _spans(stretches: Iterable[tuple[int, int, int, int]]) -> dict[int, tuple[int, int]]:
    """Return for each part from where to where its lines are wanted; they are in one piece there."""
    spans: dict[int, tuple[int, int]] = {}
    for owner, at, end, _ in stretches:
        spans[owner] = (spans[owner][0] if owner in spans else at, end)
    return spans
