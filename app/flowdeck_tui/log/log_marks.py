"""What tells where in a log a view is: facts for its title, a scroll bar, how many lines are below. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from flowdeck_tui.log.log_lines import LogTone, Palette, TimeMode
from flowdeck_tui.log.log_window import LogWindow
from flowdeck_tui.text.present import count_of


@dataclass(frozen=True, slots=True)
class Found:
    """How far a search is."""

    text: str = ""
    """What is searched; empty without a search."""
    match: int = 0
    """Which of the matching lines is the current one, from 1; 0 for none."""
    matches: int = 0
    is_searching: bool = False
    """Whether the search has not seen all lines yet."""
    problem: str = ""
    """Why the text is no pattern; empty when it is one."""


@dataclass(frozen=True, slots=True)
class LogStatus:
    """What a title line may say of a view."""

    count: int = 0
    """Lines of the log."""
    shown: int = 0
    """Those that the filter shows."""
    follows: bool = True
    below: int = 0
    """Lines below the screen."""
    time_mode: TimeMode = TimeMode.CLOCK
    wraps: bool = False
    least_level: str = ""
    """Lowest level that is shown; empty for all."""
    selected: int = 0
    marked: int = 0
    search: Found = Found()
    filter: Found = Found()
    errors: Found = Found()


def pill_text(below: int) -> str:
    """Write how many lines are below."""
    return f" +{count_of(below, 'line')} "


def with_place_marks(
    rows: Sequence[Strip], window: LogWindow, width: int, palette: Palette, blank: Style
) -> list[Strip]:
    """Add the scroll bar and how many lines are below.

    Args:
        rows: the lines on the screen.
        window: where in the log they are.
        width: cells of a row.
        palette: style of each tone.
        blank: style of cells with nothing in them.
    """
    marked = list(rows)
    if window.below and marked:
        pill = pill_text(window.below)
        room = max(0, width - len(pill) - 2)
        line = marked[-1].crop(0, room).adjust_cell_length(room + 1, blank)
        marked[-1] = Strip([*line, Segment(pill, palette[LogTone.PILL])])
    if window.top == 0 and not window.skip and not window.below:
        return marked
    first, stop = window.thumb
    bar, thumb = Segment(" ", palette[LogTone.BAR]), Segment(" ", palette[LogTone.THUMB])
    return [
        Strip([*row.adjust_cell_length(width - 1, blank), thumb if first <= y < stop else bar])
        for y, row in enumerate(marked)
    ]
