"""The log of one run with its title line and, below that, why the run is where it is or with what it was started."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer

from flowdeck.rules.exceptions import FlowdeckError
from flowdeck.rules.states import StateType
from flowdeck.rules.terminal_text import inert_line
from flowdeck_tui import present
from flowdeck_tui.actions import Context, bindings
from flowdeck_tui.desk import Desk
from flowdeck_tui.present import Glyphs, Tone
from flowdeck_tui.widgets.bar import Bar, Spans
from flowdeck_tui.widgets.log_marks import LogStatus
from flowdeck_tui.widgets.log_view import LogView
from flowdeck_tui.widgets.note import Note

if TYPE_CHECKING:
    from flowdeck.deck import CallLine, FlowRun, LogReader

SETTLE_SECONDS: Final = 0.08
"""A cursor that passes over runs faster than this opens the log of the first and the last of them."""
FIRST_LINES: Final = 2
"""A log with fewer lines holds nothing of the flow's own yet: its first line says that the run started."""
FIRST_LINES_SECONDS: Final = 0.03
"""How often a log is looked at that waits for its first lines; a look that finds nothing draws nothing."""
EAGER_SECONDS: Final = 2.0
"""How long after a change of its run a log is looked at that often."""
LARGE_LOG_BYTES: Final = 8 << 20
"""Counting the lines of a larger log takes longer than a key may wait."""
LAST_LINES_SECONDS: Final = 2.0
"""How long after the end of a run lines may still arrive."""
SIDEWAYS_COLUMNS: Final = 16
REASON_LINES: Final = 3


class _LogIndexed(Message):
    """A large log was looked through."""

    def __init__(self, run_id: str, reader: LogReader) -> None:
        self.run_id = run_id
        self.reader = reader
        super().__init__()


class LogPanel(Vertical):
    """Title, reason, log; looks at the log file by itself while the run is alive."""

    BINDINGS: ClassVar = bindings(Context.LOG)
    action_context: ClassVar[Context] = Context.LOG

    def __init__(self, desk: Desk) -> None:
        """Make an empty panel."""
        super().__init__(id="log-panel")
        self._desk = desk
        glyphs = desk.look.glyphs
        self._title = Bar(glyphs=glyphs, fill=glyphs.rule, id="log-title")
        self._reason = Note(REASON_LINES, glyphs=glyphs, id="log-reason")
        self.log_view = LogView(ellipsis=glyphs.ellipsis, id="log")
        self._run: FlowRun | None = None
        self._call: CallLine | None = None
        self._reader: LogReader | None = None
        self._opened_id: str | None = None
        self._opening: Timer | None = None
        self._feeding: Timer | None = None
        self._quiet_seconds = 0.0
        self._wanted_at = -SETTLE_SECONDS
        """When another log was asked for last, in monotonic seconds."""
        self._eager_until = 0.0
        self._search = ""
        self._parameters = ("", "")
        """Id of a run and its parameters as text."""

    def compose(self) -> ComposeResult:
        """Title, reason, log."""
        yield self._title
        yield self._reason
        yield self.log_view

    @property
    def title_text(self) -> str:
        """What the title line says."""
        return self._title.text

    @property
    def reason_text(self) -> str:
        """What the lines below the title say; empty when they are not shown."""
        return self._reason.text

    # -- which log -----------------------------------------------------------------------------------------------

    def show(self, run: FlowRun | None, call: CallLine | None) -> None:
        """Show the log of a run, and why it or a call of it is where it is."""
        self._show_reason(run, call)
        if (run, call) == (self._run, self._call):
            return
        self._run, self._call = run, call
        self._show_title()
        self._quiet_seconds = 0.0
        self._eager_until = time.monotonic() + EAGER_SECONDS
        if (None if run is None else run.id) != self._opened_id:
            self._open_soon()
        elif run is not None and self._reader is not None:
            self._keep_feeding()

    def _show_reason(self, run: FlowRun | None, call: CallLine | None) -> None:
        if run is None:
            self._reason.show("")
            return
        if self._parameters[0] != run.id:
            self._parameters = run.id, present.parameters_text(run.parameters)
        reason = reason_of(run, call, has_engine=self._desk.has_engine)
        if reason is not None:
            self._reason.show(*reason, self._parameters[1])
        else:
            self._reason.show(self._parameters[1], Tone.MUTED, most=1)

    def _open_soon(self) -> None:
        """Open the log now; while the cursor is on its way over many runs, once it stands still."""
        before, self._wanted_at = self._wanted_at, time.monotonic()
        if self._opening is not None:
            self._opening.stop()
        if self._opening is None and self._wanted_at - before >= SETTLE_SECONDS:
            self._open()
        else:
            self._opening = self.set_timer(SETTLE_SECONDS, self._open)

    def _open(self) -> None:
        self._opening = None
        self._close()
        run = self._run
        self._opened_id = None if run is None else run.id
        reader = None if run is None else self._desk.open_log(run)
        if run is None or reader is None:
            self.log_view.show(None)
            return
        try:
            size = os.stat(reader.path).st_size
        except OSError:
            size = 0
        if size > LARGE_LOG_BYTES:
            self.log_view.show(None)
            self.log_view.set_empty_text(f"Reading {size / 1e6:,.0f} MB.")
            threading.Thread(target=self._index, args=(run.id, reader), name="flowdeck-log", daemon=True).start()
        elif self._refresh(reader):
            self._adopt(reader)

    def _index(self, run_id: str, reader: LogReader) -> None:
        """Count lines in a thread; from then on only the app's thread touches the reader."""
        if self._refresh(reader):
            self.post_message(_LogIndexed(run_id, reader))

    def on__log_indexed(self, message: _LogIndexed) -> None:
        """Show the log, if it is still wanted."""
        if message.run_id == self._opened_id:
            self._adopt(message.reader)
        else:
            message.reader.close()

    def _refresh(self, reader: LogReader) -> bool:
        try:
            reader.refresh()
        except FlowdeckError as error:
            self.app.call_later(self.log_view.set_empty_text, inert_line(str(error)))
            return False
        return True

    def _adopt(self, reader: LogReader) -> None:
        self._reader = reader
        self.log_view.set_empty_text("Nothing logged yet." if not reader.count else "")
        self.log_view.show(reader)
        self._show_title()
        self._keep_feeding()

    def _close(self) -> None:
        self._stop_feeding()
        self._search = ""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def on_unmount(self) -> None:
        """Close the file."""
        self._close()

    # -- its growth ----------------------------------------------------------------------------------------------

    def _keep_feeding(self) -> None:
        if self._feeding is None and self._run is not None:
            self._feeding = self.set_timer(self._look_seconds(), self._feed)

    def _look_seconds(self) -> float:
        """Return when to look for growth again: very soon for the lines that tell that a run is going."""
        run, reader = self._run, self._reader
        is_awaited = run is not None and not run.is_final and reader is not None and reader.count < FIRST_LINES
        if is_awaited and time.monotonic() < self._eager_until:
            return FIRST_LINES_SECONDS
        return self._desk.pace.log_seconds

    def _stop_feeding(self) -> None:
        if self._feeding is not None:
            self._feeding.stop()
            self._feeding = None

    def _feed(self) -> None:
        """Take over new lines; stop looking once the run is over and nothing more comes."""
        self._feeding = None
        reader, run = self._reader, self._run
        if reader is None or run is None:
            return
        has_grown = self._refresh(reader) and reader.count != self.log_view.status.count
        self.log_view.feed()
        self._quiet_seconds = (
            0.0 if has_grown or not run.is_final else self._quiet_seconds + self._desk.pace.log_seconds
        )
        if self._quiet_seconds < LAST_LINES_SECONDS:
            self._keep_feeding()
        elif self.log_view.status.follows:
            # While it grew, the view kept room below for what was to come; now it shows as much as it can.
            self.log_view.go_bottom()

    # -- title ---------------------------------------------------------------------------------------------------

    def on_log_view_status_changed(self, event: LogView.StatusChanged) -> None:
        """Say how many lines there are, whether the view follows, what is searched."""
        event.stop()
        self._show_title()

    def _show_title(self) -> None:
        glyphs = self._desk.look.glyphs
        left = ((glyphs.rule * 2, Tone.MUTED),) if self._run is None else title_of(self._run, glyphs)
        right = () if self._run is None else status_of(self.log_view.status, glyphs, is_over=self._run.is_final)
        self._title.show(left, right)

    # -- actions -------------------------------------------------------------------------------------------------

    def action_log_follow(self) -> None:
        """Stay at the end, or stop doing so."""
        if self._run is not None and self._run.is_final:
            self._desk.status.say("This run is over; G goes to the end of its log.")
            return
        self.log_view.toggle_follow()
        self._desk.status.say("The log follows its end." if self.log_view.status.follows else "The log stands still.")

    def action_log_time(self) -> None:
        """Change the time column."""
        self.log_view.cycle_time()
        self._desk.status.say(f"Time column: {self.log_view.status.time_mode}.")

    async def action_log_search(self) -> None:
        """Ask for a text and go to it as it is typed."""

        def end(text: str | None) -> None:
            self._search = text or ""
            self.log_view.search(self._search)
            self.log_view.keep_search()

        await self._desk.status.prompt("find", self._search, self.log_view.search, end)

    def end_search(self) -> bool:
        """Mark nothing any more; False when nothing was searched."""
        was_searched, self._search = bool(self._search), ""
        self.log_view.end_search()
        return was_searched

    def action_log_next(self) -> None:
        """Next match."""
        if self._has_search():
            self.log_view.next_match()

    def action_log_previous(self) -> None:
        """Match before."""
        if self._has_search():
            self.log_view.previous_match()

    def _has_search(self) -> bool:
        if not self._search:
            self._desk.status.say("Nothing is searched yet; / asks for a text.")
        elif not self.log_view.status.matches and not self.log_view.status.is_searching:
            self._desk.status.say(f"No line holds {inert_line(self._search)}.")
            return False
        return bool(self._search)

    def action_log_right(self) -> None:
        """What long lines go on with."""
        self.log_view.scroll_columns(SIDEWAYS_COLUMNS)

    def action_log_left(self) -> None:
        """Back towards the start of the lines."""
        self.log_view.scroll_columns(-SIDEWAYS_COLUMNS)

    def action_move_down(self) -> None:
        """One line down."""
        self.log_view.scroll_lines(1)

    def action_move_up(self) -> None:
        """One line up."""
        self.log_view.scroll_lines(-1)

    def action_move_half_down(self) -> None:
        """Half a page down."""
        self.log_view.scroll_pages(0.5)

    def action_move_half_up(self) -> None:
        """Half a page up."""
        self.log_view.scroll_pages(-0.5)

    def action_move_page_down(self) -> None:
        """One page down."""
        self.log_view.scroll_pages(1)

    def action_move_page_up(self) -> None:
        """One page up."""
        self.log_view.scroll_pages(-1)

    def action_move_top(self) -> None:
        """To the first line."""
        self.log_view.go_top()

    def action_move_bottom(self) -> None:
        """To the last line, and follow."""
        self.log_view.go_bottom()

    def on_click(self, event: events.Click) -> None:
        """A click gives the log the keyboard."""
        self.screen.set_focus(self.log_view)


def title_of(run: FlowRun, glyphs: Glyphs) -> Spans:
    """Write which log this is."""
    spans = [
        (f"{glyphs.rule * 2} ", Tone.MUTED),
        (inert_line(run.name), Tone.STRONG),
        (f"  {inert_line(run.flow_name)}  ", Tone.MUTED),
        (
            present.state_text(run.state_type, run.state_name, glyphs),
            present.state_tone(run.state_type, run.state_name),
        ),
    ]
    if run.attempt > 1:
        spans.append((f"  attempt {run.attempt}", Tone.MUTED))
    return (*spans, (" ", Tone.MUTED))


def status_of(status: LogStatus, glyphs: Glyphs, *, is_over: bool = False) -> Spans:
    """Write where in the log the view is; whether it follows is of interest as long as there is more to come."""
    words: list[str] = []
    if status.search:
        searching = "+" if status.is_searching else ""
        found = f"{status.match} of {status.matches:,}{searching}" if status.matches else f"none{searching}"
        words.append(f"/{inert_line(status.search)} {found}")
    if status.below or not is_over:
        words.append("follows" if status.follows else "paused")
    words.append(present.count_of(status.count, "line"))
    joint = f" {glyphs.rule * 2} "
    return ((f" {joint.join(words)} {glyphs.rule * 2}", Tone.MUTED),)


def reason_of(run: FlowRun, call: CallLine | None, *, has_engine: bool) -> tuple[str, Tone] | None:
    """Say why a run, or the call under the cursor, is where it is; None when its state says all."""
    if call is not None and call.state_message and call.state_name != "Completed":
        message = inert_line(call.state_message.strip().split("\n", 1)[0])
        return f"{inert_line(call.name)}: {message}", present.state_tone(call.state_type, call.state_name)
    if run.is_final and run.error is not None:
        return present.error_text(run.error), Tone.BAD
    if run.state_type is StateType.SCHEDULED and run.pid is None and not has_engine:
        return "waits for an engine: flowdeck server start", Tone.WARN
    if note := present.retry_note(run):
        return note, Tone.WARN
    if run.state_message and run.state_name not in ("Completed", "Running"):
        return present.run_message(run), present.state_tone(run.state_type, run.state_name)
    return None
