"""The log of a run as a widget: any place of a log of any size, live, with few bytes.

It holds its own place (scrolling by Textual's means costs a layout for each line) and asks its source for the lines on
the screen only. It has no keys of its own: the action registry calls it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from textual import events
from textual.message import Message
from textual.timer import Timer

from flowdeck_tui.log.log_canvas import LogCanvas
from flowdeck_tui.log.log_filter import LogSource
from flowdeck_tui.log.log_finder import LogFinder
from flowdeck_tui.log.log_marks import LogStatus, pill_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdeck.deck import LineQuery

WHEEL_LINES: Final = 3
REST_SECONDS: Final = 0.005
"""How long keys and paint come first between two bursts of looking for something."""


class LogView(LogCanvas):
    """Shows the lines of a log over the full width."""

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
        ellipsis: str = "…",
        empty_text: str = "Nothing logged yet.",
        id: str | None = None,
    ) -> None:
        """Make a view.

        Args:
            source: the log; None for none yet.
            ellipsis: one cell that marks where a line is cut.
            empty_text: what stands there while there are no lines.
            id: of the widget.
        """
        super().__init__(ellipsis=ellipsis, id=id)
        self._window = self.page.window
        self._finder = LogFinder(self.page)
        self._source: LogSource | None = None
        self._generation = 0
        self._count = 0
        self._empty_text = empty_text
        self._work_timer: Timer | None = None
        self._status = LogStatus()
        self.show(source)

    # -- state ---------------------------------------------------------------------------------------------------

    @property
    def status(self) -> LogStatus:
        """What a title line may say of the view."""
        window, page, finder = self._window, self.page, self._finder
        selection = page.selection
        return LogStatus(
            count=self._count,
            shown=window.count,
            follows=window.follows,
            below=window.below,
            time_mode=page.layout.time_mode,
            wraps=page.layout.wraps,
            least_level=finder.least_level,
            selected=selection[1] - selection[0] + 1 if selection else 0,
            marked=len(page.flags),
            search=finder.search,
            filter=finder.filter,
            errors=finder.errors,
        )

    @property
    def line_query(self) -> LineQuery | None:
        """Which lines are shown; None for all."""
        return self._finder.query

    @property
    def task_run_id(self) -> int | None:
        """The task call whose records alone are shown; None for all."""
        return self._finder.task_run_id

    @property
    def visible_range(self) -> tuple[int, int]:
        """Positions of the lines on the screen: [first, stop)."""
        return self._window.top, self._window.stop

    @property
    def current_line(self) -> int | None:
        """Number of the current line, the last one while following; None without lines."""
        shown = self.page.shown
        return shown.line_at(self._window.cursor) if shown is not None and self._window.count else None

    def show(self, source: LogSource | None) -> None:
        """Show another log from its end on, unfiltered; None for no log."""
        self._take(source)
        self._finder.look_at(source)
        self.draw()

    def replace_source(self, source: LogSource) -> None:
        """Show the same log from a better source; what is searched and filtered stays so."""
        self._take(source)
        self._finder.restart()
        self._work()

    def feed(self) -> None:
        """Take note of what the source has learned since; sends nothing when there is nothing new."""
        source = self._source
        if source is None:
            return
        if source.generation != self._generation:
            self._take(source)
            self._finder.restart()
        elif source.count == self._count:
            return
        self._count = source.count
        self._work()

    def set_empty_text(self, text: str) -> None:
        """Say what stands there while there are no lines."""
        self._empty_text = text
        self.draw()

    def _take(self, source: LogSource | None) -> None:
        self._source = source
        self._generation = source.generation if source else 0
        self._count = source.count if source else 0

    # -- moving --------------------------------------------------------------------------------------------------

    def _act(self, change: Callable[[], object]) -> None:
        """Do what the user wants of the window: it is the user's place then, not that of a search being typed."""
        change()
        self._window.drop_saved()
        self.draw()

    def move_cursor(self, lines: int) -> None:
        """Make another line the current one, up when negative; up stops following, down from the last starts it."""
        self._act(lambda: self._window.move_cursor(lines))

    def scroll_rows(self, rows: int) -> None:
        """Move the view by rows, up when negative."""
        self._act(lambda: self._window.scroll(rows))

    def scroll_pages(self, pages: float) -> None:
        """Move by pages or a part of one, at least a row."""
        rows = int(abs(pages) * self._window.height) or 1
        self._act(lambda: self._window.scroll_page(rows if pages > 0 else -rows))

    def scroll_columns(self, columns: int) -> None:
        """Move the text sideways, to the right as long as some line goes on there."""
        page = self.page
        if not page.layout.wraps and (columns < 0 or page.is_cut):
            page.shift_to(max(0, page.layout.shift + columns))
            self.draw()

    def go_top(self) -> None:
        """Move to the first line."""
        self._act(self._window.go_top)

    def go_bottom(self) -> None:
        """Move to the last line and follow."""
        self._act(self._window.go_bottom)

    def toggle_follow(self) -> None:
        """Stay at the end from now on, or stop doing so."""
        self._act(self._window.toggle_follow)

    # -- how lines look ------------------------------------------------------------------------------------------

    def cycle_time(self) -> None:
        """Change what the time column shows: time of day, time since the first line, nothing."""
        layout = self.page.layout
        self.page.lay_out(replace(layout, time_mode=layout.time_mode.next))
        self.draw()

    def toggle_wrap(self) -> None:
        """Let long lines go on in the next row, or cut them."""
        layout = self.page.layout
        self.page.lay_out(replace(layout, wraps=not layout.wraps, shift=0))
        self.draw()

    def name_runs(self, has_runs: bool) -> None:
        """Say whether lines are of several runs."""
        if has_runs != self.page.layout.has_runs:
            self.page.lay_out(replace(self.page.layout, has_runs=has_runs))
            self.draw()

    def toggle_json(self) -> bool:
        """Spread the JSON in the current line, or put it together again; False when there is none."""
        line, source = self.current_line, self._source
        if line is None or source is None:
            return False
        found = source.lines(line, line + 1)
        if not found or not self.page.toggle_spread(line, found[0].text):
            return False
        self._window.point_at(self._window.cursor)
        self.draw()
        return True

    def toggle_flag(self) -> None:
        """Mark the current line, or take its mark away."""
        if (line := self.current_line) is not None:
            self.page.flags ^= {line}
            self.draw()

    def toggle_selection(self) -> None:
        """Select from the current line on, wherever it moves; or select nothing."""
        self.page.anchor = self.current_line if self.page.anchor is None else None
        if self.page.anchor is not None and self._window.follows:
            self._window.toggle_follow()
        self.draw()

    # -- finding -------------------------------------------------------------------------------------------------

    def search(self, text: str) -> None:
        """Mark a text and go to its next place, from the current line on; an empty text ends the search.

        May be called with each letter that is typed: until the user moves, all begin at the same place, and a text
        that is nowhere leaves the view there. Between slashes it is a regular expression.
        """
        self._window.save()
        self._window.go_back()
        shown, window = self.page.shown, self._window
        at = window.top if window.follows else window.cursor
        self._finder.seek_text(text, shown.line_at(at) if shown is not None and shown.count else 0)
        self._work()

    def keep_search(self) -> None:
        """Take the search as it is: the next one begins where the view is then."""
        self._window.drop_saved()

    def end_search(self) -> None:
        """Mark nothing any more and stay."""
        self._window.drop_saved()
        self._finder.seek_text("", 0)
        self._finder.forget_errors()
        self.draw()

    def go_to_match(self, direction: int) -> None:
        """Go to the next line that matches (1) or the one before (-1), around the ends."""
        self._window.drop_saved()
        self._finder.want_match(direction)
        self._work()

    def go_to_error(self, direction: int) -> None:
        """Go to the next error (1), the one before (-1), or the first of the log (0)."""
        self._window.drop_saved()
        if direction:
            self._finder.want_error(direction)
        else:
            self._finder.want_first_error()
        self._work()

    def set_filter(self, text: str) -> None:
        """Show only lines that match a regular expression; an empty one shows all."""
        self._finder.set_filter(text)
        self._work()

    def set_level(self, least_level: str) -> None:
        """Show only records of a level and above; empty for all."""
        self._finder.set_level(least_level)
        self._work()

    def set_task(self, task_run_id: int | None) -> None:
        """Show only records of a task call; None for all."""
        self._finder.set_task(task_run_id)
        self._work()

    def _work(self) -> None:
        """Look for a moment; if that was not enough, again after keys and paint had their turn."""
        self._finder.work()
        if not self._finder.is_done and self._work_timer is None and self.is_mounted:
            self._work_timer = self.set_timer(REST_SECONDS, self._work_on)
        self.draw()

    def _work_on(self) -> None:
        self._work_timer = None
        self._work()

    def on_mount(self) -> None:
        """Go on with what was asked for before."""
        self._work()

    @property
    def empty_reason(self) -> str:
        """What stands there while no line is shown."""
        if not self._count:
            return self._empty_text
        return "No line is shown." if self._finder.is_done else "Looking for lines to show."

    def draw(self) -> None:
        """Draw, and tell who shows the status."""
        super().draw()
        if self.is_attached and (status := self.status) != self._status:
            self._status = status
            self.post_message(self.StatusChanged(self))

    # -- mouse ---------------------------------------------------------------------------------------------------

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll with the wheel."""
        event.stop()
        self.scroll_rows(WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll with the wheel."""
        event.stop()
        self.scroll_rows(-WHEEL_LINES)

    def on_click(self, event: events.Click) -> None:
        """Go to the end when the count of lines below is clicked, else make the line the current one."""
        below = self._window.below
        is_pill_row = below > 0 and not self._window.follows and event.y == self.size.height - 1
        if is_pill_row and event.x >= self.size.width - len(pill_text(below)) - 1:
            event.stop()
            self.go_bottom()
            return
        rows = self.page.rows(self.size.width - 1)
        line = rows[event.y].line if event.y < len(rows) else None
        position = self.page.shown.position_of(line) if self.page.shown is not None and line is not None else None
        if position is not None:
            self._act(lambda: self._window.point_at(position))
