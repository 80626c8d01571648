"""Which lines of a piece of a log file match a query. Pure: whole lines of bytes in, their positions out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from flowdeck.rules.log_levels import LOG_LEVELS
from flowdeck.rules.text.terminal_text import inert, literal_pattern
from flowdeck.store.logs.log_format import HEAD_START, LEVEL_NAMES, line_text
from flowdeck.store.logs.log_lines import LineQuery

_HEAD_TIME_BYTES: Final = 26
"""From the start of a head to the `Z` of its time."""
_LEVEL_BYTE: Final = _HEAD_TIME_BYTES + 2
HEAD_BYTES: Final = _LEVEL_BYTE + 1
"""How much of a head tells its time and level."""
_LETTERS: Final = frozenset(letter.encode() for letter in LEVEL_NAMES)


def count_level(chunk: bytes, letter: bytes) -> int:
    """Count the heads of a level among whole lines: by its letter behind a time, then by where the line starts."""
    needle = b"Z " + letter + b" "
    count = 0
    at = chunk.find(needle)
    while at >= 0:
        start = at - _HEAD_TIME_BYTES
        count += start >= 0 and chunk[start : start + 1] == HEAD_START and (start == 0 or chunk[start - 1] == 0x0A)
        at = chunk.find(needle, at + 1)
    return count


def head_stamp(head: bytes) -> bytes:
    """Return the time of a head as text that sorts as the times do; empty for a damaged head."""
    return head[:_HEAD_TIME_BYTES] if head[_HEAD_TIME_BYTES:_LEVEL_BYTE] == b"Z " else b""


def head_test(query: LineQuery, first_task_id: int) -> Callable[[bytes], bool] | None:
    """Return what tells whether a record is meant, by its head; None when all are.

    Args:
        query: the query of the list.
        first_task_id: added to the number of a task call it is the id of its task run.
    """
    if not query.least_level and not query.heads_only and query.task_run_id is None:
        return None
    wanted = LOG_LEVELS[LOG_LEVELS.index(query.least_level) :] if query.least_level else LOG_LEVELS
    letters = "".join(letter for letter, name in LEVEL_NAMES.items() if name in wanted).encode()
    unknown_is_meant = not query.heads_only and query.task_run_id is None
    task = None if query.task_run_id is None else b"%d:" % (query.task_run_id - first_task_id)

    def is_meant(head: bytes) -> bool:
        letter = head[_LEVEL_BYTE:HEAD_BYTES]
        if letter not in _LETTERS or not head_stamp(head):
            return unknown_is_meant
        return letter in letters and (task is None or _task_of(head).startswith(task))

    return is_meant


def _task_of(head: bytes) -> bytes:
    fields = head.split(b" ", 4)
    return fields[3] if len(fields) > 3 else b""


def matching(
    chunk: bytes, query: LineQuery, is_meant: Callable[[bytes], bool] | None, *, is_shown: bool
) -> Iterator[int]:
    """Yield which of the lines of a chunk are meant.

    Args:
        chunk: whole lines; the last one may lack its newline.
        query: the query of the list.
        is_meant: tells it of a record by its head; None when all are.
        is_shown: whether it is true of the record that the chunk begins in the middle of.
    """
    lines = chunk.removesuffix(b"\n").split(b"\n")
    pattern = query.pattern
    found: Iterable[int] = range(len(lines))
    if isinstance(pattern, str):
        found = _candidates(chunk, pattern, len(lines))
        pattern = literal_pattern(pattern)
    if is_meant is not None:
        kept = set(_of_records(lines, is_meant, is_shown, heads_only=query.heads_only))
        found = (index for index in found if index in kept)
    for index in found:
        if pattern is None or pattern.search(inert(line_text(lines[index]))):
            yield index


def _of_records(
    lines: list[bytes], is_meant: Callable[[bytes], bool], is_shown: bool, *, heads_only: bool
) -> Iterator[int]:
    for index, line in enumerate(lines):
        if line.startswith(HEAD_START):
            is_shown = is_meant(line)
        elif heads_only:
            continue
        if is_shown:
            yield index


def _candidates(chunk: bytes, text: str, count: int) -> Iterable[int]:
    """Return the lines that may hold a text: found in one go where bytes, characters and what is shown are the same."""
    if not chunk.isascii() or b"\x1b" in chunk or not text:
        return range(count)
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
