"""One line of a log as it stands on the screen: in one row, or in several. Pure.

Text is made harmless here and never read as markup. A line without colours costs two styles on the wire: what is
around the text is muted as one piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from flowdeck.rules.text.terminal_text import inert, inert_line
from flowdeck_tui.widgets.columns import cut, pad

if TYPE_CHECKING:
    from flowdeck.deck import LogLine

TAB_WIDTH: Final = 8
WIDE_SCREEN: Final = 120  # cells from which on there is room for milliseconds and longer task names
NARROW_SCREEN: Final = 50  # cells below which the task has no column
_UNSEEN_CHARACTERS: Final = 4096  # how much of a line may be escape sequences before its start is all that is shown


class LogTone(StrEnum):
    """What a piece of a line is; the value is the component class that gives it a colour."""

    TEXT = "tone--plain"
    MUTED = "tone--muted"
    WARNING = "tone--warn"
    ERROR = "tone--bad"
    MATCH = "log-view--match"
    CURRENT_MATCH = "log-view--match-current"
    PILL = "log-view--pill"
    BAR = "log-view--bar"
    THUMB = "log-view--thumb"
    FLAG = "log-view--flag"
    CURSOR = "log-view--cursor"
    SELECTED = "log-view--selected"


Palette = Mapping[LogTone, Style]

_LEVEL_TONES: Final = {"WARNING": LogTone.WARNING, "ERROR": LogTone.ERROR, "CRITICAL": LogTone.ERROR}


class TimeMode(StrEnum):
    """What the time column shows."""

    CLOCK = "clock"
    ELAPSED = "elapsed"
    NONE = "none"

    @property
    def next(self) -> TimeMode:
        """The mode that follows when the user turns them over."""
        modes = list(TimeMode)
        return modes[(modes.index(self) + 1) % len(modes)]


@dataclass(frozen=True, slots=True)
class Layout:
    """How lines are laid out.

    Attributes:
        width: cells of a row.
        time_mode: what the time column shows.
        start: the moment that elapsed time counts from; None when unknown.
        shift: cells of the text that are scrolled out at its left.
        wraps: whether a text that is too wide goes on in the next row; it is not shifted then.
        has_runs: whether lines are of several runs, so that the task column names the run too.
        zone: time zone of the reader; None for that of the machine.
        ellipsis: one cell that marks where something is cut.
    """

    width: int
    time_mode: TimeMode = TimeMode.CLOCK
    start: datetime | None = None
    shift: int = 0
    wraps: bool = False
    has_runs: bool = False
    zone: tzinfo | None = None
    ellipsis: str = "…"

    @property
    def time_width(self) -> int:
        """Cells of the time column, with the space behind it."""
        match self.time_mode:
            case TimeMode.NONE:
                return 0
            case TimeMode.ELAPSED:
                return 12
            case TimeMode.CLOCK:
                return 13 if self.width >= WIDE_SCREEN else 9

    @property
    def task_width(self) -> int:
        """Cells of the task column, with the space behind it."""
        if self.width < NARROW_SCREEN:
            return 0
        if self.has_runs:
            return 33 if self.width >= WIDE_SCREEN else 21
        return 21 if self.width >= WIDE_SCREEN else 15

    def time_text(self, at: datetime | None) -> str:
        """Write the time column of a record; blank when its time is not known."""
        if at is None or self.time_mode is TimeMode.NONE:
            return " " * self.time_width
        if self.time_mode is TimeMode.ELAPSED:
            return _elapsed(at - (self.start or at)).rjust(self.time_width - 1) + " "
        local = at.astimezone(self.zone)
        text = f"{local.hour:02d}:{local.minute:02d}:{local.second:02d}"
        return f"{text}.{local.microsecond // 1000:03d} " if self.width >= WIDE_SCREEN else f"{text} "


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A line ready for the screen, not padded."""

    strips: tuple[Strip, ...]
    """Its rows, at least one."""
    is_cut: bool
    """Whether text is left out at the right."""


def shift_to_show(line: LogLine, layout: Layout, pattern: re.Pattern[str]) -> int:
    """Return how far the text has to be scrolled for the first match of a line to be on the screen.

    That is not at all where the start of the line holds it; else the match comes a third of the way from the left.
    """
    _, lead = _lead(line, layout)
    room = max(1, layout.width - sum(cell_len(text) for text, _ in lead))
    text = _body_text(line.text)
    match = pattern.search(text)
    if match is None:
        return 0
    first, stop = cell_len(text[: match.start()]), cell_len(text[: match.end()])
    seen = room if cell_len(text) <= room else room - 1  # the last cell tells that there is more
    return 0 if stop <= seen else max(0, first - max(0, min(room // 3, room - 1 - (stop - first))))


@dataclass(frozen=True, slots=True)
class Marking:
    """What stands out in a text.

    Attributes:
        pattern: what is being searched; None for nothing.
        tone: of a match.
    """

    pattern: re.Pattern[str] | None = None
    tone: LogTone = LogTone.MATCH


def draw_line(
    line: LogLine, layout: Layout, palette: Palette, marking: Marking, texts: Sequence[str] | None = None
) -> DrawnLine:
    """Lay out one physical line.

    Args:
        line: what is drawn.
        layout: columns and width.
        palette: style of each tone.
        marking: what stands out.
        texts: what to show in place of the line's text, a row each; None for that text.
    """
    tone, lead = _lead(line, layout)
    indent = sum(cell_len(text) for text, _ in lead)
    room = max(0, layout.width - indent)
    bodies = [_body(text, tone, layout, room, palette, marking) for text in texts or [line.text]]
    rows: list[list[Segment]] = []
    is_cut = False
    for body in bodies:
        if layout.wraps:
            rows.extend(list(piece) for piece in _wrapped(body, room))
        else:
            is_cut = is_cut or body.cell_length > layout.shift + room
            rows.append(list(_cropped(body, layout, room, palette)))
    head = [Segment(piece, palette[kind]) for piece, kind in lead if piece]
    rest = [Segment(" " * indent, palette[LogTone.MUTED])]
    strips = [Strip([*(rest if number else head), *row]) for number, row in enumerate(rows)]
    return DrawnLine(tuple(strip.simplify().crop(0, layout.width) for strip in strips), is_cut)


def plain_text(line: LogLine, layout: Layout) -> str:
    """Write a line as it stands on the screen, never cut: for a file, another program, the clipboard."""
    _, lead = _lead(line, layout)
    return f"{''.join(text for text, _ in lead)}{inert(line.text)}".rstrip()


def _body(text: str, tone: LogTone, layout: Layout, room: int, palette: Palette, marking: Marking) -> Strip:
    seen = text if layout.wraps else text[: 2 * (layout.shift + room) + _UNSEEN_CHARACTERS]
    pieces = _marked(_body_text(seen), tone, marking)
    return Strip([Segment(piece, palette[kind]) for piece, kind in pieces if piece])


def _cropped(body: Strip, layout: Layout, room: int, palette: Palette) -> Strip:
    if body.cell_length > layout.shift + room and room:
        shown = body.crop(layout.shift, layout.shift + room - 1)
        return Strip([*shown, Segment(layout.ellipsis, palette[LogTone.MUTED])])
    return body.crop(layout.shift, max(layout.shift, body.cell_length)) if layout.shift else body


def _wrapped(body: Strip, room: int) -> list[Strip]:
    """Break a text at the right edge, between characters."""
    if room < 2 or body.cell_length <= room:
        return [body.crop(0, max(0, room))]
    ends = list(accumulate(cell_len(piece) for piece in chop_cells(body.text, room)))
    return list(body.divide(ends))


def _lead(line: LogLine, layout: Layout) -> tuple[LogTone, list[tuple[str, LogTone]]]:
    return _head_lead(line, layout) if line.head else (LogTone.MUTED, _continuation_lead(layout))


def _body_text(raw: str) -> str:
    return _plain_width(inert(raw)).expandtabs(TAB_WIDTH)


def _head_lead(line: LogLine, layout: Layout) -> tuple[LogTone, list[tuple[str, LogTone]]]:
    tone = _LEVEL_TONES.get(line.level, LogTone.MUTED)
    task = ""
    if width := layout.task_width:
        name = _plain_width(inert_line(":".join(filter(None, (line.run_name, line.task_name)))))
        task = pad(cut(name, width - 1, layout.ellipsis, "middle"), width)
    lead = [
        (f" {layout.time_text(line.at)}", LogTone.MUTED),
        (line.level[:1] or " ", tone),
        (f" {task}", LogTone.MUTED),
    ]
    if tone is LogTone.MUTED and line.source != "engine":
        tone = LogTone.TEXT
    return tone, lead


def _continuation_lead(layout: Layout) -> list[tuple[str, LogTone]]:
    return [(" " * (layout.time_width + 1) + "| ", LogTone.MUTED)]


def _marked(text: str, tone: LogTone, marking: Marking) -> Iterator[tuple[str, LogTone]]:
    end = 0
    for match in marking.pattern.finditer(text) if marking.pattern else ():
        if match.end() > match.start():
            yield text[end : match.start()], tone
            yield match[0], marking.tone
            end = match.end()
    yield text[end:], tone


def _plain_width(text: str) -> str:
    """Take out what joins emoji or makes a sign an emoji: terminals do not agree how wide the result is."""
    return text if text.isascii() else text.replace("\u200d", "").replace("\ufe0f", "")


def _elapsed(duration: timedelta) -> str:
    sign, duration = ("-", -duration) if duration < timedelta() else ("+", duration)
    minutes, seconds = divmod(duration // timedelta(seconds=1), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02d}:{seconds:02d}.{duration.microseconds // 100_000}"
