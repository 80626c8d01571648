"""Lines out of pipes, as records of a log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowdeck.host.output import PARTIAL_MAX_SECONDS, QUIET_SECONDS, RECORD_MAX_BYTES, LineSplitter, OutputStream
from flowdeck.rules.clock import Clock
from flowdeck.store.logs.log_reader import LogReader
from flowdeck.store.logs.log_writer import LogWriter


class HandClock(Clock):
    """Moves when told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic_seconds(self) -> float:
        return self.seconds


def test_lines_are_put_together_across_reads() -> None:
    """A line that comes in two reads is one line, and an empty line is a line."""
    lines = LineSplitter()
    assert lines.feed(b"one\ntw", 0.0) == [b"one"]
    assert lines.feed(b"o\n\nthree", 0.1) == [b"two", b""]
    assert lines.flush() == [b"three"]
    assert lines.flush() == []


def test_carriage_return_before_the_newline_is_part_of_the_line_end() -> None:
    """Text with CRLF ends has no stray carriage returns; those inside a line stay."""
    assert LineSplitter().feed(b"10%\r20%\r\n", 0.0) == [b"10%\r20%"]


def test_unfinished_line_is_due_after_quiet_or_after_its_longest_time() -> None:
    """A prompt becomes visible soon, a line that grows for ever in the end."""
    lines = LineSplitter()
    assert lines.due_at is None
    lines.feed(b"name? ", 10.0)
    assert lines.due_at == 10.0 + QUIET_SECONDS
    for tenth in range(1, 100):
        lines.feed(b".", 10.0 + tenth / 10)
    assert lines.due_at == 10.0 + PARTIAL_MAX_SECONDS


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_long_line_is_cut_between_characters(ending: bytes) -> None:
    """No record is larger than the limit, no character is torn, nothing is lost."""
    text = "x" + "é" * RECORD_MAX_BYTES
    lines = LineSplitter()
    pieces = lines.feed(text.encode() + ending, 0.0) + lines.flush()
    assert len(pieces) == 3
    assert max(map(len, pieces)) <= RECORD_MAX_BYTES
    assert "".join(piece.decode() for piece in pieces) == text


def test_bytes_that_are_no_text_are_cut_too() -> None:
    """A line of continuation bytes only cannot be cut between characters, and is cut all the same."""
    pieces = LineSplitter().feed(b"\x80" * (RECORD_MAX_BYTES + 10), 0.0)
    assert [len(piece) for piece in pieces] == [RECORD_MAX_BYTES]


def test_stream_logs_what_its_pipe_brings(tmp_path: Path) -> None:
    """Each line is a record of its source, what is not UTF-8 stands there as escapes, and the mask sees every text."""
    read, write = os.pipe()
    log = LogWriter(tmp_path / "run.log")
    clock = HandClock()
    stream = OutputStream(read, "stderr", log, mask=lambda text: text.replace("hunter2", "***"), clock=clock)
    os.write(write, b"first hunter2\nbad \xff byte\nprompt: ")
    assert stream.read()
    reader = LogReader(tmp_path / "run.log")
    assert [record.message for record in reader.records()] == ["first ***", "bad \\xff byte"]
    clock.seconds += QUIET_SECONDS
    stream.flush_due()
    os.write(write, b"rest")
    os.close(write)
    assert not stream.read()
    stream.close()
    log.close()
    records = list(reader.records())
    assert [record.message for record in records[2:]] == ["prompt: ", "rest"]
    assert {(record.source, record.level) for record in records} == {("stderr", "INFO")}
