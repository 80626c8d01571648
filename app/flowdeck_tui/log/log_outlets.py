"""What leaves the screen of a log: lines for the clipboard, a file, and the plain stream."""

from __future__ import annotations

import contextlib
import os
import select
import termios
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flowdeck.rules.text.terminal_text import inert
from flowdeck_tui.log.log_filter import SLICE_LINES, LogSource, ShownLines
from flowdeck_tui.log.log_lines import WIDE_SCREEN, Layout, plain_text
from flowdeck_tui.log.log_page import LogPage
from flowdeck_tui.terminal.clipboard import CopyChoice

if TYPE_CHECKING:
    from flowdeck.deck import LineQuery, LogLine, MergedLog

COPIED_LINES_MOST: Final = 10_000
RECORD_LINES_MOST: Final = 2_000
STREAM_SECONDS: Final = 0.2
"""How often the plain stream looks for new lines."""
STREAM_LINES_MOST: Final = 500
"""Of one look; on a slow line more would come later and later."""


# -- the clipboard -----------------------------------------------------------------------------------------------------


def copy_choices(page: LogPage) -> list[CopyChoice]:
    """Return what may be copied of a log: of the current line, the selection, the marked lines."""
    shown, window = page.shown, page.window
    if shown is None or not shown.count:
        return []
    selection = page.selection
    current = shown.line_at(window.cursor)
    choices = [] if selection is None else [_choice("selection", shown, page.layout, *selection)]
    choices += _of_line(shown.source, current, page.layout)
    marked = sorted(page.flags)
    if marked:
        lines = [line for number in marked[:COPIED_LINES_MOST] for line in shown.source.lines(number, number + 1)]
        choices.append(CopyChoice(f"{len(marked)} marked", _text(lines, page.layout)))
    if len(marked) > 1:
        first, last = (shown.position_of(number) for number in (marked[0], marked[-1]))
        if first is not None and last is not None:
            choices.append(_choice("marked range", shown, page.layout, first, last))
    return choices


def _of_line(source: LogSource, number: int, layout: Layout) -> Iterator[CopyChoice]:
    for line in source.lines(number, number + 1):
        yield CopyChoice("line", inert(line.text))
        yield CopyChoice("line with time", plain_text(line, layout).strip())
    record = record_lines(source, number)
    if len(record) > 1:
        yield CopyChoice("record", "\n".join(inert(line.text) for line in record))


def record_lines(source: LogSource, number: int) -> list[LogLine]:
    """Return the lines of the record that a line is of, as far as they are near."""
    first = max(0, number - RECORD_LINES_MOST)
    before = source.lines(first, number + 1)
    while len(before) > 1 and not before[-1].head:
        head = next((at for at in range(len(before) - 1, -1, -1) if before[at].head), 0)
        before = before[head:]
        break
    else:
        before = before[-1:]
    for line in source.lines(number + 1, number + RECORD_LINES_MOST):
        if line.head:
            break
        before.append(line)
    return before


def _choice(label: str, shown: ShownLines, layout: Layout, first: int, last: int) -> CopyChoice:
    stop = min(last + 1, first + COPIED_LINES_MOST)
    lines = [line for _, line in shown.read(first, stop)]
    return CopyChoice(f"{label}, {stop - first:,} lines" if stop - first > 1 else label, _text(lines, layout))


def _text(lines: Iterable[LogLine], layout: Layout) -> str:
    return "\n".join(plain_text(line, layout).removeprefix(" ") for line in lines)


# -- a file ------------------------------------------------------------------------------------------------------------


def file_layout(layout: Layout) -> Layout:
    """Return how lines are laid out where there is room for all columns."""
    return replace(layout, width=WIDE_SCREEN, shift=0, wraps=False)


def save(log: LogSource, query: LineQuery | None, layout: Layout, path: Path) -> int:
    """Write the lines of a log that a query means, or all, into a new file; returns how many.

    Raises:
        OSError: the file is there, or cannot be written; then nothing of it is left.
    """
    with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
        try:
            return sum(_save_slice(log, query, layout, start, file.write) for start in range(0, log.count, SLICE_LINES))
        except OSError:
            path.unlink(missing_ok=True)
            raise


def _save_slice(
    log: LogSource, query: LineQuery | None, layout: Layout, start: int, write: Callable[[str], object]
) -> int:
    lines = wanted_lines(log, query, start, start + SLICE_LINES)
    write("".join(f"{plain_text(line, layout).removeprefix(' ')}\n" for line in lines))
    return len(lines)


def wanted_lines(log: LogSource, query: LineQuery | None, first: int, stop: int) -> list[LogLine]:
    """Return those of the lines `[first, stop)` that a query means."""
    lines = log.lines(first, stop)
    if query is None:
        return lines
    return [lines[number - first] for number in log.search(query, first, stop) if number - first < len(lines)]


# -- the plain stream --------------------------------------------------------------------------------------------------


def stream(log: MergedLog, query: LineQuery | None, layout: Layout, head: str, first_lines: int) -> None:
    """Write a log to the terminal as `tail -f` does, until a key is pressed; the app stands aside meanwhile.

    Args:
        log: what is written.
        query: which of its lines; None for all.
        layout: of the lines.
        head: said below those that are there.
        first_lines: how many of the lines that are there are written.
    """
    generation, at = log.generation, max(0, log.count - first_lines)
    at = _write_new(log, query, layout, at)
    _write(f"{head}\n")
    with _keys() as is_key_pressed:
        while not is_key_pressed(STREAM_SECONDS):
            log.refresh()
            at = _write_new(log, query, layout, at if log.generation == generation else 0)
            generation = log.generation


def _write_new(log: LogSource, query: LineQuery | None, layout: Layout, at: int) -> int:
    """Write the lines from one on; returns the number of the next that is to come."""
    left_out = max(0, log.count - at - STREAM_LINES_MOST)
    if left_out:
        _write(f"... {left_out:,} lines are left out here: they came faster than they can be read\n")
    lines = wanted_lines(log, query, at + left_out, log.count)
    _write("".join(f"{plain_text(line, layout)}\n" for line in lines))
    return log.count


def _write(text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(1, data) :]


@contextlib.contextmanager
def _keys() -> Generator[Callable[[float], bool]]:
    """Take keys one by one, ctrl+c too; yields what waits for one and tells whether it came."""
    before = termios.tcgetattr(0)
    raw = termios.tcgetattr(0)
    raw[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
    termios.tcsetattr(0, termios.TCSADRAIN, raw)

    def is_pressed(seconds: float) -> bool:
        ready = bool(select.select([0], [], [], seconds)[0])
        if ready:
            os.read(0, 1024)
        return ready

    try:
        yield is_pressed
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
