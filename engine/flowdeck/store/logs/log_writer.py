"""Appending to a run's log file: every line is in the file when the call returns, and no call ever raises.

Several processes append to one file at once (the flow process, its run host). Each write is whole records in one
`os.write` to a file opened for appending, which the kernel keeps together; nothing is held back, so a line that was
written survives any kill.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable
from typing import Final, NamedTuple

from flowdeck.rules import log_levels
from flowdeck.store.logs.log_format import format_record

DEFAULT_MAX_BYTES: Final = 1 << 30
MAX_BYTES_SETTING: Final = "log_max_bytes"

_CAP_PHRASE: Final = "the size at which a log stops growing"
_TAIL_BYTES: Final = 512  # more than the record that says that the cap was reached
_BATCH_BYTES: Final = 1 << 20  # one write of a batch; larger batches are several writes


class LogEntry(NamedTuple):
    """What one record says; see `log_format.format_record`."""

    at_microseconds: int
    level_number: int
    source: str
    task_number: int | None
    task_name: str | None
    text: str


class LogWriter:
    """Appends records to one run's log file; any thread may call it.

    The file is opened at the first record. When it cannot be written (a full disk, no permission), `problem` says so
    and every later record tries again; once that works, a record of its own says how many were lost.

    Args:
        path: the log file; its folder exists.
        max_bytes: size at which the file stops growing, whoever wrote it. One WARNING then says so, and which setting
            raises it; later records are dropped.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.path = os.fspath(path)
        self.max_bytes = max_bytes
        self.problem: str | None = None
        """Why the last record could not be written, as one sentence; None while all is well."""
        self.capped = False
        """True once the file has reached `max_bytes`: records are dropped."""
        self.lost = 0
        """Records that could not be written, and of which the file does not yet say so."""
        self._lock = threading.RLock()  # re-entrant: a signal handler may log while its thread is in here
        self._descriptor = -1
        self._identity = (0, 0)  # inode and device of the open file
        self._reason = ""
        self._end = 0  # where our last write ended; another size means that another process has written since
        self._warnings = 0
        self._errors = 0
        _writers.add(self)

    def append(
        self,
        at_microseconds: int,
        level_number: int,
        source: str,
        task_number: int | None,
        task_name: str | None,
        text: str,
    ) -> None:
        """Write one record."""
        data = format_record(at_microseconds, level_number, source, task_number, task_name, text)
        with self._lock:
            if self._write(data, 1, at_microseconds) and level_number >= log_levels.WARNING:
                self._count(level_number)

    def append_once(self, at_microseconds: int, level_number: int, source: str, text: str, since: int) -> None:
        """Write one record of the run itself, unless the file ends with the same: for what is tried until it works.

        Args:
            at_microseconds: wall time since 1970 UTC.
            level_number: level as a number of `logging`.
            source: logger, print, stdout, stderr or engine.
            text: any text.
            since: wall time since 1970 UTC; only a later record of the same text counts.
        """
        wanted, oldest = (format_record(at, level_number, source, None, None, text) for at in (at_microseconds, since))
        body = wanted.index(b" ")
        try:
            with open(self.path, "rb") as file:
                file.seek(-len(wanted), os.SEEK_END)
                last = file.read()
        except OSError:  # it is not there, or shorter
            last = b""
        if last[body:] != wanted[body:] or last[:body] <= oldest[:body]:
            self.append(at_microseconds, level_number, source, None, None, text)

    def append_batch(self, entries: Iterable[LogEntry]) -> None:
        """Write several records at once: what a pipe brought in one read."""
        with self._lock:
            batch: list[bytes] = []
            levels: list[int] = []
            size_bytes = at_microseconds = 0
            for entry in entries:
                data = format_record(*entry)
                batch.append(data)
                levels.append(entry.level_number)
                at_microseconds = entry.at_microseconds
                size_bytes += len(data)
                if size_bytes >= _BATCH_BYTES:
                    self._write_batch(batch, levels, at_microseconds)
                    batch, levels, size_bytes = [], [], 0
            if batch:
                self._write_batch(batch, levels, at_microseconds)

    def take_counts(self) -> tuple[int, int]:
        """Return how many warnings and errors (and worse) were written since this was last asked."""
        with self._lock:
            counts = (self._warnings, self._errors)
            self._warnings = self._errors = 0
        return counts

    def close(self) -> None:
        """Close the file; a later record opens it again."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def __del__(self) -> None:
        # A process that calls thousands of subflows must not keep a descriptor of each. Nobody else is in here now.
        if getattr(self, "_descriptor", -1) >= 0:
            os.close(self._descriptor)

    def _write_batch(self, batch: list[bytes], levels: list[int], at_microseconds: int) -> None:
        if self._write(b"".join(batch), len(batch), at_microseconds):
            for level_number in levels:
                self._count(level_number)

    def _count(self, level_number: int) -> None:
        if level_number >= log_levels.ERROR:
            self._errors += 1
        elif level_number >= log_levels.WARNING:
            self._warnings += 1

    def _write(self, data: bytes, records: int, at_microseconds: int) -> bool:
        """Append records; tells whether they are in the file."""
        if self.capped:
            return False
        try:
            size = self._current_size()
            if size + len(data) > self.max_bytes:
                self._cap(size, at_microseconds)
                return False
            if self.lost:
                data = self._loss_record(at_microseconds) + data
            if size != self._end and self._is_torn(size):
                data = b"\n" + data
            _write_whole(self._descriptor, data)
        except OSError as error:
            self.lost += records
            self._reason = error.strerror or str(error)
            self.problem = f"Log lines of this run are being lost: {self.path} cannot be written ({self._reason})."
            return False
        self._end = size + len(data)
        if self.lost:
            self.lost, self.problem = 0, None
            self._warnings += 1
        return True

    def _current_size(self) -> int:
        """Return the size of the file; opens it when needed."""
        if self._descriptor >= 0:
            try:
                status = os.fstat(self._descriptor)
            except OSError:  # the author's code has closed every descriptor, as daemons do
                status = None
            # Or it has closed ours, and the number now stands for a file of its own: that one is not ours to close.
            if status is not None and (status.st_ino, status.st_dev) == self._identity:
                return status.st_size
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o600)
        status = os.fstat(self._descriptor)
        self._identity = (status.st_ino, status.st_dev)
        self._end = 0
        return status.st_size

    def _is_torn(self, size: int) -> bool:
        """Tell whether the file ends inside a line: the disk was full, or a process was killed, in the middle of it.

        A process that is just writing looks the same for an instant. Then our newline becomes an empty line behind
        its record, which no reader takes for text.
        """
        return size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"

    def _loss_record(self, at_microseconds: int) -> bytes:
        missing = "1 log record is" if self.lost == 1 else f"{self.lost} log records are"
        text = f"{missing} missing here: the file could not be written ({self._reason})."
        return format_record(at_microseconds, log_levels.WARNING, "engine", None, None, text)

    def _cap(self, size: int, at_microseconds: int) -> None:
        """Say once in the file that it is full, unless another process has said it."""
        start = max(0, size - _TAIL_BYTES)
        if _CAP_PHRASE.encode() not in os.pread(self._descriptor, _TAIL_BYTES, start):
            text = (
                f"This log is at {self.max_bytes} bytes, {_CAP_PHRASE}; what the run writes from here on is dropped. "
                f"The setting {MAX_BYTES_SETTING} (FLOWDECK_{MAX_BYTES_SETTING.upper()}) raises it."
            )
            record = format_record(at_microseconds, log_levels.WARNING, "engine", None, None, text)
            _write_whole(self._descriptor, b"\n" + record if self._is_torn(size) else record)
            self._warnings += 1
        self.capped = True

    def renew_lock(self) -> None:
        """Forget a lock that another thread held when this process was forked."""
        self._lock = threading.RLock()


def _write_whole(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):  # a disk that is getting full; the next write then tells
        written += os.write(descriptor, data[written:])


_writers: Final[weakref.WeakSet[LogWriter]] = weakref.WeakSet()


def _renew_locks() -> None:
    for writer in _writers:
        writer.renew_lock()


os.register_at_fork(after_in_child=_renew_locks)
