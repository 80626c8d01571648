"""Reading a run's log file while it grows: any line of a file of any size at once, from a sparse index.

The index counts lines per block of the file. It is made by the reader from what the file holds and never stored, so
it cannot be torn or stale. Line `i` is found by looking up its block and counting newlines inside of it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from flowdeck.rules.clock import EPOCH
from flowdeck.rules.exceptions import StoreError
from flowdeck.store.logs.log_format import HEAD_START, ParsedRecord, parse_line, parse_records
from flowdeck.store.logs.log_index import BLOCK_BYTES, READ_BYTES, StartIndex, with_byte_before
from flowdeck.store.logs.log_lines import LineQuery, LogLine, LogRecord
from flowdeck.store.logs.log_matching import count_level, head_test, matching

_HEAD_BYTES: Final = 256
"""How much of a head is read to know its level and task."""


class LogReader:
    """One run's log file; one physical line is one index. Cheap to create, owned by one thread.

    Only lines that are written to their newline are shown.

    Args:
        path: the log file; it need not exist (yet).
        flow_run_id: id of the flow run that `records` gives.
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
        self._lines = StartIndex(b"\n")
        self._heads = StartIndex(b"\n" + HEAD_START)

    def __del__(self) -> None:
        self.close()

    @property
    def count(self) -> int:
        """Physical lines known so far."""
        return self._lines.count

    @property
    def record_count(self) -> int:
        """Records among the lines known so far; the last one may still be written."""
        if self._open():
            self._heads.extend(self._descriptor, self._lines.end)
        return self._heads.count

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed."""
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
            if size != self._size:
                self._lines.extend(self._descriptor, self._complete_end(size))
                self._size = size
        return (generation, count) != (self.generation, self.count)

    def lines(self, first: int, stop: int) -> list[LogLine]:
        """Return the lines `[first, stop)`, clipped to those that exist."""
        first, stop = max(0, first), min(stop, self.count)
        return [parse_line(line) for line in self.raw_lines(first, stop)]

    def raw_lines(self, first: int, stop: int) -> list[bytes]:
        """Return the lines `[first, stop)` as they stand in the file, without their newlines."""
        first, stop = max(0, first), min(stop, self.count)
        if first >= stop or not self._open():
            return []
        start, end = self._offset(first), self._offset(stop)
        return os.pread(self._descriptor, end - start, start).split(b"\n")[:-1]

    def tail(self, count: int) -> list[LogLine]:
        """Return the last lines, read backwards from the end with no index: at once, whatever the size."""
        try:
            start = self._look()
        except OSError:
            return []
        data = b""
        while start > 0 and data.count(b"\n") <= count and self._open():
            step = min(BLOCK_BYTES, start)
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
        start = 0
        if after_seq:
            if not 0 < after_seq < self.record_count:
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

    def search(self, query: LineQuery, first: int, stop: int) -> list[int]:
        """Return which of the lines `[first, stop)` are meant by a query; a pattern is held against what is shown.

        Reading 20,000 lines takes about 4 ms for a text that is rare, and ten times that for a pattern, a level or
        where every line matches: the caller cuts long searches in pieces.
        """
        first, stop = max(0, first), min(stop, self.count)
        if first >= stop or not self._open():
            return []
        start, end = self._offset(first), self._offset(stop)
        is_meant = head_test(query, self._first_task_id)
        found: list[int] = []
        for chunk in self._chunks(start, end):
            is_shown = is_meant is None or self._is_head_before(start, is_meant)
            found += [first + index for index in matching(chunk, query, is_meant, is_shown=is_shown)]
            first += chunk.count(b"\n")
            start += len(chunk)
        return found

    def _is_head_before(self, start: int, is_meant: Callable[[bytes], bool]) -> bool:
        """Tell whether something is true of the record before a line, which that line may go on with."""
        while start > 0:
            first = max(0, start - BLOCK_BYTES)
            at = with_byte_before(self._descriptor, first, start).rfind(b"\n" + HEAD_START)
            if at >= 0:
                return is_meant(os.pread(self._descriptor, _HEAD_BYTES, first + at))
            start = first
        return True

    def count_levels(self) -> tuple[int, int]:
        """Count warnings, and errors and worse, by reading the whole file: when a writer died before it could tell."""
        self.refresh()
        warnings = errors = 0
        for chunk in self._chunks(0, self._lines.end):
            warnings += count_level(chunk, b"W")
            errors += count_level(chunk, b"E") + count_level(chunk, b"C")
        return warnings, errors

    def _look(self) -> int:
        """Return the size of the file at our path; starts anew when it is another one than before."""
        status = os.stat(self.path)
        identity = (status.st_ino, status.st_dev)  # while we hold the file open, no other gets its inode number
        if identity != self._identity or status.st_size < self._lines.end:
            self._restart()
        if self._descriptor < 0 and status.st_size != self._size:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self.exists = True
        self._identity = identity
        return status.st_size

    def _open(self) -> bool:
        """Open the file again after `close`; False when it is not there any more."""
        if self._descriptor < 0 and self.exists:
            with contextlib.suppress(OSError):
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
                status = os.fstat(descriptor)
                is_same = (status.st_ino, status.st_dev) == self._identity and status.st_size >= self._size
                if is_same:
                    self._descriptor = descriptor
                else:
                    os.close(descriptor)
        return self._descriptor >= 0

    def _restart(self) -> None:
        self.close()
        if self.exists:
            self.exists = False
            self.generation += 1
            self._size = 0
            self._lines = StartIndex(b"\n")
            self._heads = StartIndex(b"\n" + HEAD_START)

    def _complete_end(self, size: int) -> int:
        """Return where the last complete line ends."""
        known = self._lines.end
        while size > known:
            start = max(known, size - BLOCK_BYTES)
            newline = os.pread(self._descriptor, size - start, start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            size = start
        return known

    def _offset(self, line: int) -> int:
        return self._lines.end if line == self.count else self._lines.offset(self._descriptor, line)

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes `[start, end)` in pieces of whole lines; the last may lack its newline."""
        rest = b""
        while start < end and self._open():
            data = os.pread(self._descriptor, min(READ_BYTES, end - start), start)
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
