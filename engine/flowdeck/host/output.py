"""What a run's processes write to stdout and stderr, as records of its log: one line, one record.

A line that has no newline yet (a prompt, a progress bar) becomes a record of its own once nothing has followed for
half a second, or five seconds after it began; what comes after it is the next record. A line longer than a record may
be is cut, between characters. Bytes that are not UTF-8 are written as escapes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from flowdeck.rules.clock import SYSTEM_CLOCK, Clock
from flowdeck.store.logs.log_writer import LogEntry, LogWriter

RECORD_MAX_BYTES: Final = 64 * 1024
QUIET_SECONDS: Final = 0.5
PARTIAL_MAX_SECONDS: Final = 5.0
_READ_BYTES: Final = 64 * 1024
_READS_AT_ONCE: Final = 16
"""Reads of one stream before the others, and signals, have their turn: 1 MiB."""
_INFO: Final = 20

Mask = Callable[[str], str]
"""Every text passes through one on its way to the log."""


def unmasked(text: str) -> str:
    """Mask nothing: for a run that has loaded no secret."""
    return text


class LineSplitter:
    """Bytes in, lines out; knows since when an unfinished line waits."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._began_at = 0.0
        self._grew_at = 0.0

    @property
    def due_at(self) -> float | None:
        """When the unfinished line becomes a record, in monotonic seconds; None when there is none."""
        if not self._rest:
            return None
        return min(self._grew_at + QUIET_SECONDS, self._began_at + PARTIAL_MAX_SECONDS)

    def feed(self, data: bytes, now: float) -> list[bytes]:
        """Take bytes; return the lines that are whole by now, without their ends."""
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        if not self._rest:
            self._began_at = now
        self._rest += rest
        self._grew_at = now
        found = [piece for line in lines for piece in _pieces(line.removesuffix(b"\r"))]
        while len(self._rest) > RECORD_MAX_BYTES:
            cut = _cut(self._rest)
            found.append(bytes(self._rest[:cut]))
            del self._rest[:cut]
        return found

    def flush(self) -> list[bytes]:
        """Return the unfinished line, if there is one."""
        rest = bytes(self._rest)
        self._rest.clear()
        return [rest] if rest else []


class OutputStream:
    """One pipe that a run's processes write to."""

    def __init__(
        self, descriptor: int, source: str, log: LogWriter, mask: Mask = unmasked, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Take over the end to read from.

        Args:
            descriptor: the descriptor of the pipe; `close` closes it.
            source: `stdout` or `stderr`.
            log: the log of the run.
            mask: the function that masks secrets in every text.
            clock: the clock that tells the time.
        """
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._source = source
        self._log = log
        self._mask = mask
        self._clock = clock
        self._lines = LineSplitter()

    @property
    def due_at(self) -> float | None:
        """When `flush_due` has something to do, in monotonic seconds."""
        return self._lines.due_at

    def read(self) -> bool:
        """Log what is there; False when every process has closed its end."""
        for _ in range(_READS_AT_ONCE):
            try:
                data = os.read(self.descriptor, _READ_BYTES)
            except BlockingIOError:
                return True
            if not data:
                self._write(self._lines.flush())
                return False
            self._write(self._lines.feed(data, self._clock.monotonic_seconds()))
        return True

    def flush_due(self) -> None:
        """Log an unfinished line that has waited long enough."""
        due_at = self._lines.due_at
        if due_at is not None and self._clock.monotonic_seconds() >= due_at:
            self.flush()

    def flush(self) -> None:
        """Log an unfinished line."""
        self._write(self._lines.flush())

    def close(self) -> None:
        """Close our end."""
        os.close(self.descriptor)

    def _write(self, lines: list[bytes]) -> None:
        if lines:
            at = self._clock.now_microseconds()
            texts = (self._mask(line.decode("utf-8", "backslashreplace")) for line in lines)
            self._log.append_batch([LogEntry(at, _INFO, self._source, None, None, text) for text in texts])


def _pieces(line: bytes) -> list[bytes]:
    if len(line) <= RECORD_MAX_BYTES:
        return [line]
    pieces: list[bytes] = []
    while len(line) > RECORD_MAX_BYTES:
        cut = _cut(line)
        pieces.append(line[:cut])
        line = line[cut:]
    return [*pieces, line]


def _cut(line: bytes | bytearray) -> int:
    """Return where to cut a line that is too long: before a character of several bytes, not inside of it."""
    for cut in range(RECORD_MAX_BYTES, RECORD_MAX_BYTES - 4, -1):
        if line[cut] & 0xC0 != 0x80:
            return cut
    return RECORD_MAX_BYTES  # no UTF-8 at all
