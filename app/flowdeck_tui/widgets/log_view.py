"""The log of a run as a widget: any place of a log of any size, live, with few bytes.

It holds its own place (scrolling by Textual's means costs a layout for each line), asks its source for the lines on
the screen only, and marks exactly the cells that changed. It has no keys of its own: the action registry calls it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from flowdeck_tui.widgets.log_lines import (
    DrawnLine,
    Layout,
    LogTone,
    Palette,
    TimeMode,
    changed_cells,
    draw_line,
    shift_to_show,
)
from flowdeck_tui.widgets.log_marks import LogStatus, pill_text, with_place_marks
from flowdeck_tui.widgets.log_search import LogSearch, Searchable
from flowdeck_tui.widgets.log_window import LogWindow, Place

if TYPE_CHECKING:
    from flowdeck.deck import LogLine

WHEEL_LINES: Final = 3
SEARCH_BURST_SECONDS: Final = 0.01
"""How long a search may keep the screen waiting; then keys and paint come first."""
SEARCH_REST_SECONDS: Final = 0.005


class LogSource(Searchable, Protocol):
    """What a view shows: a `LogReader`, or anything that numbers lines in the same way."""

    @property
    def generation(self) -> int:
        """Changes when all lines known so far are void."""
        ...

    def lines(self, first: int, stop: int) -> list[LogLine]:
        """Return the lines `[first, stop)`."""
        ...


class LogView(Widget, can_focus=True):
    """Shows the lines of a log; full width, one line a row."""

    ALLOW_SELECT: ClassVar[bool] = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {*LogTone}
    DEFAULT_CSS: ClassVar[str] = """
    LogView { width: 1fr; height: 1fr; }
    LogView > .tone--muted { color: $text-muted; }
    LogView > .tone--warn { color: $text-warning; }
    LogView > .tone--bad { color: $text-error; }
    LogView > .log-view--match { background: $warning-muted; color: $foreground; }
    LogView > .log-view--match-current { background: $warning; color: $background; }
    LogView > .log-view--pill { background: $primary; color: $background; }
    LogView > .log-view--bar { background: $panel; }
    LogView > .log-view--thumb { background: $primary; }
    """

    class StatusChanged(Message):
        """Something that a title line may say has changed; see `LogView.status`."""

        def __init__(self, view: LogView) -> None:
            self.view = view
            super().__init__()

        @property
        def control(self) -> LogView:
            """The view, by which handlers are chosen."""
            return self.view

    def __init__(
        self,
        source: LogSource | None = None,
        *,
        jumps: bool = True,
        ellipsis: str = "…",
        empty_text: str = "Nothing logged yet.",
        id: str | None = None,
    ) -> None:
        """Make a view.

        Args:
            source: the log; None for none yet.
            jumps: whether a full page moves on by half a page at once while following, which saves bytes.
            ellipsis: one cell that marks where a line is cut.
            empty_text: what stands there while there are no lines.
            id: of the widget.
        """
        super().__init__(id=id)
        self._source = source
        self._generation = source.generation if source else 0
        self._window = LogWindow(jumps=jumps)
        self._window.restart(source.count if source else 0)
        self._layout_of_lines = Layout(0, ellipsis=ellipsis)
        self._empty_text = empty_text
        self._search: LogSearch | None = None
        self._search_timer: Timer | None = None
        self._typed_from: Place | None = None  # where the view was when the search began that is being typed
        self._palette: Palette = {}
        self._lines: dict[int, DrawnLine] = {}  # by number; those on the screen
        self._rows: list[Strip] = []  # what stands on the screen, or will when it is painted next
        self._status = LogStatus()

    # -- state ---------------------------------------------------------------------------------------------------

    @property
    def status(self) -> LogStatus:
        """What a title line may say of the view."""
        window, search = self._window, self._search
        return LogStatus(
            count=window.count,
            follows=window.follows,
            below=window.below,
            time_mode=self._layout_of_lines.time_mode,
            search=search.text if search else "",
            match=search.position if search else 0,
            matches=search.total if search else 0,
            is_searching=search is not None and not search.is_done,
        )

    @property
    def visible_range(self) -> tuple[int, int]:
        """Numbers of the lines on the screen: [first, stop)."""
        return self._window.top, self._window.stop

    def show(self, source: LogSource | None) -> None:
        """Show another log from its end on; None for no log. A search ends."""
        self._source = source
        self._search = None
        self._typed_from = None
        self._restart()
        self._draw()

    def feed(self) -> None:
        """Take note of what the source has learned since; sends nothing when there is nothing new."""
        source = self._source
        if source is None:
            return
        if source.generation != self._generation:
            text = self._search.text if self._search else ""
            self._restart()
            self._begin_search(text, start=0, direction=0)
        elif source.count != self._window.count:
            self._window.grow(source.count)
            self._go_on_searching()
        else:
            return
        self._draw()

    def set_empty_text(self, text: str) -> None:
        """Say what stands there while there are no lines."""
        self._empty_text = text
        self._draw()

    def _restart(self) -> None:
        source = self._source
        self._generation = source.generation if source else 0
        self._window.restart(source.count if source else 0)
        self._lay_out(replace(self._layout_of_lines, shift=0, start=None))

    # -- moving --------------------------------------------------------------------------------------------------

    def scroll_lines(self, lines: int) -> None:
        """Move by lines, up when negative; up stops following, arriving at the end starts it again."""
        self._window.scroll(lines)
        self._typed_from = None
        self._draw()

    def scroll_pages(self, pages: float) -> None:
        """Move by pages or a part of one, at least a line."""
        lines = int(abs(pages) * self._window.height) or 1
        self.scroll_lines(lines if pages > 0 else -lines)

    def scroll_columns(self, columns: int) -> None:
        """Move the text sideways, to the right as long as some line goes on there."""
        if columns > 0 and not any(line.is_cut for line in self._lines.values()):
            return
        self._shift_to(max(0, self._layout_of_lines.shift + columns))
        self._draw()

    def go_top(self) -> None:
        """Move to the first line."""
        self._window.go_top()
        self._typed_from = None
        self._draw()

    def go_bottom(self) -> None:
        """Move to the last line and follow."""
        self._window.go_bottom()
        self._typed_from = None
        self._draw()

    def toggle_follow(self) -> None:
        """Stay at the end from now on, or stop doing so."""
        self._window.toggle_follow()
        self._draw()

    def cycle_time(self) -> None:
        """Change what the time column shows: time of day, time since the first line, nothing."""
        self._lay_out(replace(self._layout_of_lines, time_mode=self._layout_of_lines.time_mode.next))
        self._draw()

    # -- searching -----------------------------------------------------------------------------------------------

    def search(self, text: str) -> None:
        """Mark a text and go to its next place, from the top of the screen on; an empty text ends the search.

        May be called with each letter that is typed: until the user moves, all begin at the same place, and a text
        that is nowhere leaves the view there.
        """
        if self._typed_from is None:
            self._typed_from = self._window.place()
        self._window.go_back_to(self._typed_from)
        self._begin_search(text, self._typed_from[0])
        self._lines.clear()
        self._draw()

    def keep_search(self) -> None:
        """Take the search as it is: the next one begins where the view is then."""
        self._typed_from = None

    def end_search(self) -> None:
        """Mark nothing any more and stay."""
        self._typed_from = None
        self._begin_search("", 0)
        self._lines.clear()
        self._draw()

    def next_match(self) -> None:
        """Go to the next line that matches; behind the last one comes the first."""
        self._want_match(1)

    def previous_match(self) -> None:
        """Go to the line before that matches; before the first one comes the last."""
        self._want_match(-1)

    def _begin_search(self, text: str, start: int, direction: int = 1) -> None:
        self._search = LogSearch(self._source, text, start) if text and self._source else None
        if self._search:
            self._search.want(direction)
        self._go_on_searching()

    def _want_match(self, direction: int) -> None:
        self._typed_from = None
        if self._search:
            self._search.want(direction)
            self._go_on_searching()
            self._draw()

    def _go_on_searching(self) -> None:
        """Search for a moment; if that was not enough, again after keys and paint had their turn."""
        search = self._search
        if search is None:
            return
        deadline = time.monotonic() + SEARCH_BURST_SECONDS
        search.step()
        while not search.is_done and time.monotonic() < deadline:
            search.step()
        before = search.current
        if (line := search.arrive()) is not None:
            self._window.reveal(line)
            self._shift_to_match(search, line)
            for changed in (before, line):
                self._lines.pop(-1 if changed is None else changed, None)
        if not search.is_done and self._search_timer is None and self.is_mounted:
            self._search_timer = self.set_timer(SEARCH_REST_SECONDS, self._search_on)

    def _shift_to_match(self, search: LogSearch, number: int) -> None:
        """Scroll sideways when the match would not be seen, and back for one that needs it no longer."""
        if found := self._source.lines(number, number + 1) if self._source else []:
            self._shift_to(shift_to_show(found[0], self._layout_of_lines, search.pattern))

    def _search_on(self) -> None:
        self._search_timer = None
        self._go_on_searching()
        self._draw()

    # -- drawing -------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Draw one row of the screen."""
        if not self._rows:
            self._rows = self._compose_rows()
        width = self.size.width
        if y >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        return self._rows[y].adjust_cell_length(width, self.rich_style)

    def on_mount(self) -> None:
        """Go on with a search that was asked for before."""
        self._go_on_searching()

    def on_resize(self) -> None:
        """Keep the place, or the end while following."""
        self._window.resize(self.size.height)
        self._lay_out(replace(self._layout_of_lines, width=max(0, self.size.width - 1)))  # the last cell is the bar's
        self._rows = []
        self._draw()

    def notify_style_update(self) -> None:
        """Forget colours when theme or focus changes."""
        self._palette = {}
        self._lines.clear()
        self._rows = []
        super().notify_style_update()

    def _shift_to(self, columns: int) -> None:
        if columns != self._layout_of_lines.shift:
            self._lay_out(replace(self._layout_of_lines, shift=columns))

    def _lay_out(self, layout: Layout) -> None:
        self._layout_of_lines = layout
        self._lines.clear()

    def _draw(self) -> None:
        """Lay out the rows again and mark the cells that differ from what stands on the screen."""
        if not self.is_attached:
            return
        before, self._rows = self._rows, self._compose_rows()
        if len(before) != len(self._rows):
            self.refresh()
        else:
            blank = self.rich_style
            changes = [changed_cells(old, new, blank) for old, new in zip(before, self._rows, strict=True)]
            regions = [Region(span[0], y, span[1] - span[0], 1) for y, span in enumerate(changes) if span]
            if regions:
                self.refresh(*regions)
        if (status := self.status) != self._status:
            self._status = status
            self.post_message(self.StatusChanged(self))

    def _compose_rows(self) -> list[Strip]:
        window, width = self._window, self.size.width
        if not self._palette:
            self._palette = {tone: self.get_component_rich_style(tone) for tone in LogTone}
        self._read_lines()
        rows = [self._lines[number].strip for number in range(window.top, window.stop) if number in self._lines]
        if not window.count and window.height:
            rows = [Strip([Segment(f" {self._empty_text}", self._palette[LogTone.MUTED])]).crop(0, width)]
        rows += [Strip.blank(0)] * (window.height - len(rows))
        return rows if window.follows else with_place_marks(rows, window, width, self._palette, self.rich_style)

    def _read_lines(self) -> None:
        """Draw the lines on the screen that are not drawn yet; forget the others."""
        window, source, search = self._window, self._source, self._search
        wanted = range(window.top, window.stop)
        self._lines = {number: line for number, line in self._lines.items() if number in wanted}
        missing = [number for number in wanted if number not in self._lines]
        if source is None or not missing:
            return
        layout = self._layout_of_lines
        if layout.time_mode is TimeMode.ELAPSED and layout.start is None:
            first = source.lines(0, 1)
            self._layout_of_lines = layout = replace(layout, start=first[0].at if first else None)
        pattern = search.pattern if search else None
        for number, line in enumerate(source.lines(missing[0], missing[-1] + 1), missing[0]):
            is_current = search is not None and search.current == number
            match = LogTone.CURRENT_MATCH if is_current else LogTone.MATCH
            self._lines[number] = draw_line(line, layout, self._palette, pattern, match)

    # -- mouse ---------------------------------------------------------------------------------------------------

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll with the wheel."""
        event.stop()
        self.scroll_lines(WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll with the wheel."""
        event.stop()
        self.scroll_lines(-WHEEL_LINES)

    def on_click(self, event: events.Click) -> None:
        """Go to the end when the count of lines below is clicked."""
        is_pill_row = self._window.below > 0 and not self._window.follows and event.y == self.size.height - 1
        if is_pill_row and event.x >= self.size.width - len(pill_text(self._window.below)) - 1:
            event.stop()
            self.go_bottom()
