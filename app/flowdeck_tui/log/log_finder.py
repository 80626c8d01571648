"""What is looked for in a log: a text, errors, the lines of a filter; a slice at a time, so that the screen stays live.

Pure but for what it reads of the log and the clock.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from flowdeck.rules.text import patterns
from flowdeck.rules.text.terminal_text import literal_pattern
from flowdeck_tui.log.log_filter import AllLines, FilteredLines, LogSource
from flowdeck_tui.log.log_lines import Marking, shift_to_show
from flowdeck_tui.log.log_marks import Found
from flowdeck_tui.log.log_page import LogPage
from flowdeck_tui.log.log_search import LogSearch

if TYPE_CHECKING:
    from flowdeck.deck import LineQuery

BURST_SECONDS: Final = 0.01
"""How long looking may keep the screen waiting; then keys and paint come first."""
ERROR: Final = "ERROR"
"""From which level on a record is an error."""
_SLASHES: Final = re.compile(r"/(.+)/", re.DOTALL)


def search_pattern(text: str) -> re.Pattern[str]:
    """Return what a typed text finds: itself, or between slashes a regular expression.

    Raises:
        ValueError: it is no regular expression, or one that may take for ever.
    """
    between = _SLASHES.fullmatch(text)
    return patterns.compiled(between[1]) if between else literal_pattern(text)


class LogFinder:
    """Finds lines of one log after the other and brings the window of a page to them."""

    def __init__(self, page: LogPage) -> None:
        """Args: page: whose window is moved, and on which matches stand out."""
        self._page = page
        self._source: LogSource | None = None
        self._search: LogSearch | None = None
        self._errors: LogSearch | None = None
        self._text = self._problem = ""
        self._filter_text = self._filter_problem = ""
        self._filter_pattern: re.Pattern[str] | None = None
        self.least_level = ""
        """Lowest level that is shown; empty for all."""
        self.task_run_id: int | None = None
        """The task call whose records alone are shown; None for all."""
        self._wanted: int | None = None
        """Line to go to, once it is known where it stands among those that are shown."""
        self._goes_sideways = False

    # -- what is known -------------------------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Tell whether there is nothing more to look at."""
        shown = self._page.shown
        jobs = [job for job in (shown, self._search, self._errors) if job is not None]
        return all(job.is_done for job in jobs) and self._wanted is None

    @property
    def search(self) -> Found:
        """How far the search of a text is."""
        return _found(self._text, self._search, self._problem)

    @property
    def errors(self) -> Found:
        """How far the search of errors is."""
        return _found("errors" if self._errors else "", self._errors, "")

    @property
    def filter(self) -> Found:
        """What is filtered."""
        shown = self._page.shown
        is_searching = bool(shown) and not shown.is_done
        return Found(self._filter_text, is_searching=is_searching, problem=self._filter_problem)

    # -- what to look for ----------------------------------------------------------------------------------------

    def look_at(self, source: LogSource | None) -> None:
        """Look at another log: nothing is searched or filtered in it."""
        self._source = source
        self._text = self._problem = self._filter_text = self._filter_problem = self.least_level = ""
        self._filter_pattern = self.task_run_id = None
        self.restart()

    def restart(self) -> None:
        """Lines are void, or the source is another one: look anew for the same."""
        text, self._errors, self._wanted = self._text, None, None
        self._page.forget_log()
        self._page.restart(self._shown())
        self.seek_text(text, 0, direction=0)

    def seek_text(self, text: str, start: int, *, direction: int = 1) -> None:
        """Find a text from a line on; an empty one ends the search, one that is no pattern finds nothing."""
        self._text, self._problem, self._search = text, "", None
        pattern: re.Pattern[str] | None = None
        try:
            pattern = search_pattern(text) if text else None
        except ValueError as error:
            self._problem = str(error)
        if pattern is not None and (shown := self._page.shown) is not None:
            # A plain text is looked for among bytes, ten times as fast as a pattern.
            query = _query(pattern if _SLASHES.fullmatch(text) else text)
            self._search = LogSearch(shown.searched, query, start)
            self._search.want(direction)
        self._page.marking = Marking(pattern)
        self._page.current_match = None
        self._page.redraw()

    def want_match(self, direction: int) -> None:
        """Go to the next match, or to the one before."""
        if self._search is not None:
            self._from_here(self._search).want(direction)

    def want_error(self, direction: int) -> None:
        """Go to the next error, or to the one before."""
        shown, window = self._page.shown, self._page.window
        if shown is None or not shown.count:
            return
        if self._errors is None:
            query = _query(least_level=ERROR, heads_only=True)
            start = 0 if window.follows else shown.line_at(window.cursor) + 1
            self._errors = LogSearch(shown.searched, query, start)
        self._from_here(self._errors).want(direction)

    def want_first_error(self) -> None:
        """Go to the first error of the log."""
        if (shown := self._page.shown) is not None:
            self._errors = LogSearch(shown.searched, _query(least_level=ERROR, heads_only=True), 0)

    def forget_errors(self) -> None:
        """Say no more which error is looked at."""
        self._errors = None

    def set_filter(self, text: str) -> None:
        """Show only lines that match a regular expression; an empty one shows all, one that is none changes nothing."""
        self._filter_text, self._filter_problem = text, ""
        try:
            self._filter_pattern = patterns.compiled(text) if text else None
        except ValueError as error:
            self._filter_problem = str(error)
            return
        self._show_again()

    def set_level(self, least_level: str) -> None:
        """Show only records of a level and above; empty for all."""
        self.least_level = least_level
        self._show_again()

    def set_task(self, task_run_id: int | None) -> None:
        """Show only records of a task call; None for all."""
        self.task_run_id = task_run_id
        self._show_again()

    @property
    def query(self) -> LineQuery | None:
        """Which lines are shown; None for all."""
        if self._filter_pattern is None and not self.least_level and self.task_run_id is None:
            return None
        return _query(self._filter_pattern, self.least_level, task_run_id=self.task_run_id)

    # -- looking -------------------------------------------------------------------------------------------------

    def work(self) -> None:
        """Look on for a moment."""
        deadline = time.monotonic() + BURST_SECONDS
        self._step()
        while not self.is_done and time.monotonic() < deadline:
            self._step()

    def _step(self) -> None:
        page = self._page
        if page.shown is not None and not page.shown.is_done:
            added = page.shown.step()
            page.window.prepend(added)
        if page.shown is not None:
            page.window.grow(page.shown.count)
        for job in (self._search, self._errors):
            if job is not None and not job.is_done:
                job.step()
            if job is not None and (line := job.arrive()) is not None:
                self._wanted = line
                self._set_current(line if job is self._search else None)
        self._go()

    def _set_current(self, line: int | None) -> None:
        page = self._page
        for number in (page.current_match, line):
            if number is not None:
                page.redraw(number)
        page.current_match = line
        self._goes_sideways = line is not None

    def _go(self) -> None:
        shown, wanted = self._page.shown, self._wanted
        position = shown.position_of(wanted) if shown is not None and wanted is not None else None
        if shown is None or wanted is None or position is None:
            return
        self._wanted = None
        self._page.window.reveal(position)
        pattern = self._page.marking.pattern
        if self._goes_sideways and pattern is not None and not self._page.layout.wraps:
            self._goes_sideways = False
            for line in shown.source.lines(wanted, wanted + 1):
                self._page.shift_to(shift_to_show(line, self._page.layout, pattern))

    def _from_here(self, job: LogSearch) -> LogSearch:
        """Let a search go on from the current line, wherever the user has moved it."""
        shown, window = self._page.shown, self._page.window
        if shown is not None and not window.follows and shown.count:
            job.current = shown.line_at(window.cursor)
        return job

    def _shown(self) -> AllLines | FilteredLines | None:
        if self._source is None:
            return None
        query = self.query
        return AllLines(self._source) if query is None else FilteredLines(self._source, query)

    def _show_again(self) -> None:
        """Show other lines of the same log, and stay at the same one."""
        page = self._page
        before, window = page.shown, page.window
        line = None if window.follows or before is None or not before.count else before.line_at(window.cursor)
        self._errors = None
        page.anchor = None
        page.restart(self._shown())
        self._wanted = line
        start = 0 if line is None else line
        self.seek_text(self._text, start, direction=0)


def _found(text: str, search: LogSearch | None, problem: str) -> Found:
    if search is None:
        return Found(text, problem=problem)
    return Found(text, search.position, search.total, not search.is_done, problem)


def _query(
    pattern: re.Pattern[str] | str | None = None,
    least_level: str = "",
    *,
    task_run_id: int | None = None,
    heads_only: bool = False,
) -> LineQuery:
    # Imported here: it brings SQLite, and the first paint must not wait for that.
    from flowdeck.deck import LineQuery  # noqa: PLC0415

    return LineQuery(pattern, least_level, task_run_id, heads_only)
