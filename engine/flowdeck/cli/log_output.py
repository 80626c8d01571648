"""A run's log on a terminal or as JSON, to its end or for as long as the run lives.

People see the lines of the file, as `python my_flow.py` shows them; scripts get records with the exact message.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Protocol, TextIO

from flowdeck.cli import printing
from flowdeck.cli.documents.logs import log_record_document
from flowdeck.deck import LOG_LEVELS, Deck, FlowRun, LogLine, LogReader, LogRecord
from flowdeck.rules.exceptions import NotFoundError
from flowdeck.rules.text.terminal_text import inert, inert_line

LOOK_SECONDS: Final = 0.05
"""How often a growing log is looked at: a log line rings no bell."""
REST_SECONDS: Final = 0.02
"""The least time between two looks: a busy home rings thousands of times a second."""
LAST_WORD_SECONDS: Final = 1.0
"""How long after a run's end its run host is waited for: what the process wrote last, and its exit code."""

_PAGE_LINES: Final = 2_000
_NAME_WIDTH: Final = 16
_CONTINUATION: Final = f"{'':>14} | "


@dataclass(frozen=True, slots=True)
class LogView:
    """What of a log is wanted.

    Attributes:
        level: the lowest level that is shown; None for all.
        last: number of the last records to keep; None for all.
    """

    level: str | None = None
    last: int | None = None

    def shows(self, level: str) -> bool:
        """Tell whether records of a level are wanted; one whose level cannot be told is."""
        return self.level is None or level not in LOG_LEVELS or LOG_LEVELS.index(level) >= LOG_LEVELS.index(self.level)


class LogOutput(Protocol):
    """Writes what of a log is new."""

    def write_new(self, *, run_is_over: bool) -> None:
        """Write what has come since the last time."""
        ...


class LinesOutput:
    """Writes the lines of a log for people.

    Args:
        reader: reader of the log; owned by the caller.
        flow_name: stands where no task speaks.
        view: the part of the log that is wanted.
        stream: the stream to write to.
        first: the line to begin with.
    """

    def __init__(self, reader: LogReader, flow_name: str, view: LogView, stream: TextIO, first: int = 0) -> None:
        self._reader = reader
        self._flow_name = flow_name
        self._view = view
        self._stream = stream
        self._next = first
        self._generation: int | None = None
        self._shown = True
        self._day, _ = _local(datetime.now(UTC).replace(microsecond=0))

    def write_new(self, *, run_is_over: bool) -> None:
        """See `LogOutput`."""
        del run_is_over  # a line is shown when it is written to its end
        reader = self._reader
        reader.refresh()
        if self._generation is None:
            self._next = max(self._next, self._start())
        elif self._generation != reader.generation:
            self._next = 0
        self._generation = reader.generation
        while self._next < reader.count:
            page = reader.lines(self._next, self._next + _PAGE_LINES)
            self._next += len(page)
            printing.lines((text for line in page for text in self._texts(line)), self._stream)
        self._stream.flush()

    def _start(self) -> int:
        """Return the line with which the last records that are wanted begin."""
        wanted, stop = self._view.last, self._reader.count
        if wanted is None:
            return 0
        if wanted == 0:
            return stop
        while stop > 0:
            first = max(0, stop - _PAGE_LINES)
            for index, line in reversed(list(enumerate(self._reader.lines(first, stop), first))):
                wanted -= line.head and self._view.shows(line.level)
                if wanted == 0:
                    return index
            stop = first
        return 0

    def _texts(self, line: LogLine) -> Iterator[str]:
        if not line.head:
            if self._shown:
                yield f"{_CONTINUATION}{inert(line.text)}"
            return
        self._shown = self._view.shows(line.level)
        if not self._shown:
            return
        if line.at is None:
            yield inert(line.text)  # its writer was killed in the middle of it
            return
        day, clock = _local(line.at.replace(microsecond=0))
        if day != self._day:
            self._day = day
            yield day
        clock = f"{clock}.{line.at.microsecond // 1000:03d}"
        speaker = inert_line(line.task_name or self._flow_name)
        yield f"{clock} {line.level[:1]} {speaker:<{_NAME_WIDTH}} {inert(line.text)}"


class RecordsOutput:
    """Writes the records of a log as JSON, one object a line, to stdout.

    Args:
        reader: reader of the log; owned by the caller.
        view: the part of the log that is wanted.
    """

    def __init__(self, reader: LogReader, view: LogView) -> None:
        self._reader = reader
        self._view = view
        self._last_seq = 0
        self._left_out = view.last

    def write_new(self, *, run_is_over: bool) -> None:
        """See `LogOutput`."""
        wanted, self._left_out = self._left_out, None
        if wanted is not None and self._view.level is None:
            self._reader.refresh()
            # One more than is wanted: the last one may still be written, and is not given then.
            self._last_seq = max(0, self._reader.record_count - wanted - 1)
        records: Iterator[LogRecord] = self._wanted(run_is_over)
        if wanted is not None:
            records = iter(deque(records, maxlen=wanted))
        printing.json_lines(log_record_document(record) for record in records)

    def _wanted(self, run_is_over: bool) -> Iterator[LogRecord]:
        for record in self._reader.records(self._last_seq, run_is_over=run_is_over):
            self._last_seq = record.seq
            if self._view.shows(record.level):
                yield record


@lru_cache(maxsize=16)
def _local(second: datetime) -> tuple[str, str]:
    """Return local day and time of a whole second: many lines share one."""
    day, _, clock = second.astimezone().isoformat(" ", "seconds")[:19].partition(" ")
    return day, clock


def follow(deck: Deck, run: FlowRun, output: LogOutput) -> Iterator[FlowRun]:
    """Write a run's log until the run is over; yields the run at each look, the last time when nothing more will come.

    Raises:
        NotFoundError: the run was deleted.
    """
    with deck.changes() as feed:
        while True:
            # The state first: what was written before a run was over is in the log that is looked at then.
            current = deck.flow_runs.by_key(run.key)
            if current is None:
                raise NotFoundError(f"Run '{run.name}' was deleted while its log was followed.")
            done = _is_done(current)
            output.write_new(run_is_over=done)
            yield current
            if done:
                return
            time.sleep(REST_SECONDS)
            feed.wait(LOOK_SECONDS - REST_SECONDS)


def _is_done(run: FlowRun) -> bool:
    """Tell whether a run is over and its run host, if it has one, has said the last word: how its process ended."""
    if not run.is_final or run.host_pid is None or run.exit_code is not None or run.signal is not None:
        return run.is_final
    since = 0.0 if run.ended_at is None else run.ended_at.timestamp()
    return time.time() - since > LAST_WORD_SECONDS
