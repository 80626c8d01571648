"""Reading a run's log file while it grows: any line of a file of any size at once, from a sparse index.

The index counts lines per block of the file. It is made by the reader from what the file holds and never stored, so
it cannot be torn or stale. Line `i` is found by looking up its block and counting newlines inside of it.
"""

from __future__ import annotations

import os
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from flowdeck.rules.clock import EPOCH
from flowdeck.rules.exceptions import StoreError
from flowdeck.rules.terminal_text import inert, literal_pattern
from flowdeck.store.log_format import HEAD_START, ParsedRecord, line_text, parse_line, parse_records
from flowdeck.store.log_lines import LogLine, LogRecord

_BLOCK_BYTES: Final = 64 * 1024  # an index entry each
_READ_BYTES: Final = 1 << 20  # a multiple of the block
_HEAD_TIME_BYTES: Final = 26  # from the start of a head to the `Z` of its time


class LogReader:
    """One run's log file; one physical line is one index. Cheap to create, owned by one thread.

    Only lines that are written to their newline are shown.

    Args:
        path: the log file; it need not exist (yet).
        flow_run_id: what `records` gives as the run.
        first_task_id: added to the number of a task call it is the id of its task run.
    """

    def __init__(self, path: str | os.PathLike[str], flow_run_id: str = "", first_task_id: int = 0) -> None:
        self.path = os.fspath(path)
        self.exists = False
        self.generation = 0
        """Changes when the file was replaced, cut or removed; indices from before are void."""
        self._flow_run_id = flow_run_id
        self._first_task_id = first_task_id
        self._descriptor = -1
        self._identity = (0, 0)  # inode and device
        self._size = 0
        self._lines = _StartIndex(b"\n")
        self._heads = _StartIndex(b"\n" + HEAD_START)

    def __del__(self) -> None:
        self.close()

    @property
    def count(self) -> int:
        """Physical lines known so far."""
        return self._lines.count

    def close(self) -> None:
        """Close the file; the next `refresh` opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def refresh(self) -> bool:
        """Look at the file's growth; tells whether there are new lines, or the file is another one.

        Raises:
            StoreError: the file exists, but cannot be read.
        """
        generation, count = self.generation, self.count
        try:
            size = self._look()
        except FileNotFoundError:
            self._restart()
        except OSError as error:
            raise StoreError(f"The log {self.path} cannot be read: {error.strerror}.") from None
        else:
            self.exists = True
            self._size = size
            self._lines.extend(self._descriptor, self._complete_end(size))
        return (generation, count) != (self.generation, self.count)

    def lines(self, first: int, stop: int) -> list[LogLine]:
        """Return the lines `[first, stop)`, clipped to those that exist."""
        first, stop = max(0, first), min(stop, self.count)
        if first >= stop or self._descriptor < 0:
            return []
        return [parse_line(line) for line in self._raw_lines(first, stop)]

    def tail(self, count: int) -> list[LogLine]:
        """Return the last lines, read backwards from the end with no index: at once, whatever the size."""
        try:
            start = self._look()
        except OSError:
            return []
        data = b""
        while start > 0 and data.count(b"\n") <= count:
            step = min(_BLOCK_BYTES, start)
            start -= step
            data = os.pread(self._descriptor, step, start) + data
        lines = data.split(b"\n")[:-1]
        return [parse_line(line) for line in lines[max(0, len(lines) - count) :]]

    def records(self, after_seq: int = 0, *, run_is_over: bool = False) -> Iterator[LogRecord]:
        """Stream the records after one, refreshing first.

        Args:
            after_seq: number of the last record that is known; 0 for all.
            run_is_over: nothing will be added. Only then a last record is given that stops in the middle, because
                its writer was killed there; while the run lives the rest of it is on its way.
        """
        self.refresh()
        if after_seq == 0:
            start = 0
        else:
            self._heads.extend(self._descriptor, self._lines.end)
            if not 0 < after_seq < self._heads.count:
                return
            start = self._heads.offset(self._descriptor, after_seq)
        chunks = self._chunks(start, self._size if run_is_over else self._lines.end)
        lines = (line for chunk in chunks for line in chunk.removesuffix(b"\n").split(b"\n"))
        at = EPOCH
        unfinished: LogRecord | None = None
        for seq, parsed in enumerate(parse_records(lines), after_seq + 1):
            if unfinished is not None:  # and never will be: another one follows
                yield unfinished
            at = parsed.head.at or at  # a damaged head has no time: that of the record before it is near
            record = self._log_record(seq, at, parsed)
            unfinished = None if parsed.whole else record
            if parsed.whole:
                yield record
        if unfinished is not None and run_is_over:
            yield unfinished

    def _log_record(self, seq: int, at: datetime, parsed: ParsedRecord) -> LogRecord:
        number = parsed.head.task_number
        return LogRecord(
            seq=seq,
            at=at,
            level=parsed.head.level or "INFO",
            flow_run_id=self._flow_run_id,
            task_run_id=None if number is None else self._first_task_id + number,
            task_name=parsed.head.task_name,
            source=parsed.head.source or "engine",
            message=parsed.text,
        )

    def search(self, pattern: re.Pattern[str] | str, first: int, stop: int) -> list[int]:
        """Return which of the lines `[first, stop)` hold a pattern in their text, as it is shown.

        Reading 20,000 lines takes about 4 ms for a text that is rare, and ten times that for a pattern or where every
        line matches: the caller cuts long searches in pieces.

        Args:
            pattern: a compiled pattern, or text that is meant literally; case then matters if it has a capital letter.
            first: the first line to look at.
            stop: the line to stop before.
        """
        first, stop = max(0, first), min(stop, self.count)
        if first >= stop or self._descriptor < 0:
            return []
        start, end = self._offset(first), self._offset(stop)
        found: list[int] = []
        for chunk in self._chunks(start, end):
            found += [first + index for index in _matches(chunk, pattern)]
            first += chunk.count(b"\n")
        return found

    def count_levels(self) -> tuple[int, int]:
        """Count warnings, and errors and worse, by reading the whole file: when a writer died before it could tell."""
        self.refresh()
        warnings = errors = 0
        for chunk in self._chunks(0, self._lines.end):
            warnings += _count_level(chunk, b"W")
            errors += _count_level(chunk, b"E") + _count_level(chunk, b"C")
        return warnings, errors

    def _look(self) -> int:
        """Return the size of the file at our path; starts anew when it is another one than before."""
        status = os.stat(self.path)
        identity = (status.st_ino, status.st_dev)  # while we hold the file open, no other gets its inode number
        if identity != self._identity or status.st_size < self._lines.end:
            self._restart()
        if self._descriptor < 0:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            self._identity = identity
        return status.st_size

    def _restart(self) -> None:
        self.close()
        if self.exists:
            self.exists = False
            self.generation += 1
            self._size = 0
            self._lines = _StartIndex(b"\n")
            self._heads = _StartIndex(b"\n" + HEAD_START)

    def _complete_end(self, size: int) -> int:
        """Return where the last complete line ends."""
        known = self._lines.end
        while size > known:
            start = max(known, size - _BLOCK_BYTES)
            newline = os.pread(self._descriptor, size - start, start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            size = start
        return known

    def _offset(self, line: int) -> int:
        return self._lines.end if line == self.count else self._lines.offset(self._descriptor, line)

    def _raw_lines(self, first: int, stop: int) -> list[bytes]:
        start, end = self._offset(first), self._offset(stop)
        return os.pread(self._descriptor, end - start, start).split(b"\n")[:-1]

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes `[start, end)` in pieces of whole lines; the last may lack its newline."""
        rest = b""
        while start < end:
            data = os.pread(self._descriptor, min(_READ_BYTES, end - start), start)
            if not data:
                break
            start += len(data)
            cut = data.rfind(b"\n") + 1
            if cut:
                yield rest + data[:cut]
                rest = data[cut:]
            else:
                rest += data
        if rest:
            yield rest


class _StartIndex:
    """Where lines start, or only heads: how many do so before each block of the file.

    Args:
        needle: what such a start looks like, from the newline before it on.
    """

    def __init__(self, needle: bytes) -> None:
        self.count = 0
        self.end = 0
        """How far the file is counted: always the end of a line."""
        self._needle = needle
        self._before = array("Q", [0])

    def extend(self, descriptor: int, end: int) -> None:
        """Count on to `end`, which is the end of a line."""
        while self.end < end:
            start = self.end
            stop = min(end, start - start % _READ_BYTES + _READ_BYTES)
            data = _with_byte_before(descriptor, start, stop)
            while start < stop:
                block_end = min(stop, start - start % _BLOCK_BYTES + _BLOCK_BYTES)
                # A start at `s` shows as the needle from `s - 1`; data[0] is the byte before self.end.
                self.count += data.count(self._needle, start - self.end, block_end - self.end - 1 + len(self._needle))
                if block_end % _BLOCK_BYTES == 0:
                    self._before.append(self.count)
                start = block_end
            self.end = stop

    def offset(self, descriptor: int, index: int) -> int:
        """Return at which byte the start number `index` (from 0) is."""
        block = bisect_right(self._before, index) - 1
        start = block * _BLOCK_BYTES
        data = _with_byte_before(descriptor, start, min(self.end, start + _BLOCK_BYTES))
        behind = data.split(self._needle, index - self._before[block] + 1)[-1]
        return start + len(data) - len(behind) - len(self._needle)


def _with_byte_before(descriptor: int, start: int, stop: int) -> bytes:
    """Read `[start - 1, stop)`; before the file there is a newline."""
    if start:
        return os.pread(descriptor, stop - start + 1, start - 1)
    return b"\n" + os.pread(descriptor, stop, 0)


def _count_level(chunk: bytes, letter: bytes) -> int:
    """Count the heads of a level among whole lines: by its letter behind a time, then by where the line starts."""
    needle = b"Z " + letter + b" "
    count = 0
    at = chunk.find(needle)
    while at >= 0:
        start = at - _HEAD_TIME_BYTES
        count += start >= 0 and chunk[start : start + 1] == HEAD_START and (start == 0 or chunk[start - 1] == 0x0A)
        at = chunk.find(needle, at + 1)
    return count


def _matches(chunk: bytes, pattern: re.Pattern[str] | str) -> Iterator[int]:
    """Yield which of the lines of a chunk match."""
    compiled = literal_pattern(pattern) if isinstance(pattern, str) else pattern
    lines = chunk.removesuffix(b"\n").split(b"\n")
    candidates = _candidates(chunk, pattern) if isinstance(pattern, str) else range(len(lines))
    for index in candidates:
        if compiled.search(inert(line_text(lines[index]))):
            yield index


def _candidates(chunk: bytes, text: str) -> Iterator[int] | range:
    """Return the lines that may hold a text: found in one go where bytes, characters and what is shown are the same."""
    if not chunk.isascii() or b"\x1b" in chunk or not text:
        return range(chunk.count(b"\n") + (not chunk.endswith(b"\n")))
    if text == text.lower():
        chunk = chunk.lower()
    return _lines_with(chunk, text.encode("utf-8", "backslashreplace"))


def _lines_with(chunk: bytes, needle: bytes) -> Iterator[int]:
    index = start = 0
    while (at := chunk.find(needle, start)) >= 0:
        index += chunk.count(b"\n", start, at)
        yield index
        start = chunk.find(b"\n", at) + 1
        if start == 0:
            return
        index += 1
