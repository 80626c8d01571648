r"""How a log line stands in a run's log file. Pure: bytes in, values out, and back.

One record is one line, in UTF-8, made for `less` and `grep`:

    2026-11-22T15:22:33.123456Z I logger 17:extract-0 | 412 rows

that is: time (UTC), level (D I W E C), source, task (number of the call in its run and name; `-` is the flow itself),
a mark, the text. A text of several lines goes on in lines that start with two spaces and a mark:

    2026-11-22T15:22:34.000001Z E engine - + Traceback (most recent call last):
      +   File "etl.py", line 3, in load
      | ValueError: no such table

The mark says how its line goes on: `|` it is the last of its record; `+` after a newline; `\` without one, because it
was cut at `PIECE_BYTES` so that no reader needs memory for more. So a reader knows a record that is not written to its
end, and every text comes back exactly: empty, ending in newlines, looking like a head, or one line of a gigabyte.
Lines end in `\n` only; `\r`, NUL and terminal escapes are kept as they are and made harmless where they are shown.
A head starts with `2` (the years 2000 to 2999) and nothing else does, so counting records is counting two bytes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from flowdeck.rules.clock import MICROSECONDS_PER_SECOND
from flowdeck.rules.log_levels import CRITICAL, ERROR, INFO, LOG_LEVELS, WARNING
from flowdeck.store.logs.log_lines import LogLine

PIECE_BYTES: Final = 64 * 1024
"""The longest text of one line of the file; what is longer is cut into such pieces."""
HEAD_START: Final = b"2"
"""The byte that record heads, and only they, start with."""

LEVEL_NAMES: Final = {name[0]: name for name in LOG_LEVELS}

_PLAIN_LENGTH: Final = PIECE_BYTES // 6  # characters that surely fit one piece: a lone surrogate is six bytes
_YEAR_2000_SECONDS: Final = 946_684_800
_YEAR_3000_SECONDS: Final = 32_503_680_000
_UNFIT_IN_NAME: Final = re.compile(r"[%\s\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ESCAPED_IN_NAME: Final = re.compile(rb"%([0-9A-F]{2})")
_HEAD: Final = re.compile(
    rb"(2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([DIWEC]) (\w+) (?:-|(\d+):(\S*)) ([|+\\]) (.*)", re.DOTALL
)
_CONTINUATION: Final = re.compile(rb"  ([|+\\]) (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ParsedRecord:
    """A record put together from its lines."""

    head: LogLine
    text: str
    whole: bool
    """False when the last line says that more follows, and it is not there."""


def format_record(
    at_microseconds: int, level_number: int, source: str, task_number: int | None, task_name: str | None, text: str
) -> bytes:
    """Return a record as the whole lines that are appended to the file.

    Args:
        at_microseconds: wall time since 1970 UTC.
        level_number: level as a number of `logging`; one between two levels counts as the lower.
        source: logger, print, stdout, stderr or engine.
        task_number: number of the task call in its run; None when the flow itself speaks.
        task_name: name of that call.
        text: any text; a lone surrogate, which no file can hold, is written as its escape.
    """
    seconds, microseconds = divmod(at_microseconds, MICROSECONDS_PER_SECOND)
    task = "-" if task_number is None else _task(task_number, task_name or "")
    head = f"{_second(seconds)}{microseconds:06d}Z {level_letter(level_number)} {source} {task} "
    if "\n" not in text and len(text) <= _PLAIN_LENGTH:
        return f"{head}| {text}\n".encode("utf-8", "backslashreplace")
    return head.encode() + _marked_lines(text)


def level_letter(level_number: int) -> str:
    """Return the letter of a level number of `logging`."""
    if level_number < WARNING:
        return "I" if level_number >= INFO else "D"
    if level_number < ERROR:
        return "W"
    return "E" if level_number < CRITICAL else "C"


def parse_line(line: bytes) -> LogLine:
    """Read one line of the file, without its newline.

    A head that is damaged (its writer was killed inside of it) gives the raw line as text and None as time.
    """
    if not line.startswith(HEAD_START):
        continuation = _CONTINUATION.fullmatch(line)
        return LogLine(_decoded(continuation[2] if continuation else line), head=False)
    match = _HEAD.fullmatch(line)
    at = _moment(match[1]) if match else None
    if match is None or at is None:
        return LogLine(_decoded(line), head=True)
    _, letter, source, number, name, _, text = match.groups()
    return LogLine(
        _decoded(text),
        head=True,
        at=at,
        level=LEVEL_NAMES[letter.decode()],
        source=source.decode(),
        task_number=int(number) if number else None,
        task_name=_name(name) if number else None,
    )


def line_text(line: bytes) -> str:
    """Return only the text of one line of the file, without its newline: half the work, for searching."""
    match = (_HEAD if line.startswith(HEAD_START) else _CONTINUATION).fullmatch(line)
    return _decoded(match[match.lastindex or 0] if match else line)


def parse_records(lines: Iterable[bytes]) -> Iterator[ParsedRecord]:
    """Put lines together to records; lines before the first head are left out."""
    head: bytes | None = None
    parts: list[bytes] = []
    mark = b"|"
    for line in lines:
        if line.startswith(HEAD_START):
            if head is not None:
                yield _record(head, parts, mark)
            match = _HEAD.fullmatch(line)
            head, parts = line, [match[7] if match else line]
            mark = match[6] if match else b"|"
        elif head is not None:
            mark = _append(parts, line, mark)
    if head is not None:
        yield _record(head, parts, mark)


def _append(parts: list[bytes], line: bytes, mark: bytes) -> bytes:
    """Add a continuation to a text; returns the mark that is now the last."""
    match = _CONTINUATION.fullmatch(line)
    if match is None and not line:  # closes a line that its writer could not finish: no part of any text
        return mark
    if mark != b"\\":
        parts.append(b"\n")
    parts.append(match[2] if match else line)
    return match[1] if match else mark


def _record(head: bytes, parts: list[bytes], mark: bytes) -> ParsedRecord:
    return ParsedRecord(parse_line(head), _decoded(b"".join(parts)), whole=mark == b"|")


def _marked_lines(text: str) -> bytes:
    lines = [piece for line in text.encode("utf-8", "backslashreplace").split(b"\n") for piece in _pieces(line)]
    lines[-1] = b"| " + lines[-1][2:]
    return b"\n  ".join(lines) + b"\n"


def _pieces(line: bytes) -> Iterator[bytes]:
    """Cut a line, between characters; the last piece is marked as followed by a newline, the others by the next."""
    start = 0
    while len(line) - start > PIECE_BYTES:
        end = start + PIECE_BYTES
        while line[end] & 0xC0 == 0x80:  # inside a character of several bytes
            end -= 1
        yield b"\\ " + line[start:end]
        start = end
    yield b"+ " + line[start:]


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    """Write a second, up to and with the point; a clock that is far off is held within the years of the format."""
    moment = time.gmtime(min(max(seconds, _YEAR_2000_SECONDS), _YEAR_3000_SECONDS - 1))
    return time.strftime("%Y-%m-%dT%H:%M:%S.", moment)


@lru_cache(maxsize=1024)
def _task(number: int, name: str) -> str:
    return f"{number}:{_UNFIT_IN_NAME.sub(_percent, name)}"


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


@lru_cache(maxsize=1024)
def _name(escaped: bytes) -> str:
    raw = _ESCAPED_IN_NAME.sub(lambda match: bytes.fromhex(match[1].decode()), escaped)
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return _decoded(raw)


def _moment(text: bytes) -> datetime | None:
    try:
        return datetime.fromisoformat(text.decode())
    except ValueError:
        return None


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")
