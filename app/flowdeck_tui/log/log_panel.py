"""The log of one run with its title line and, below that, why the run is where it is or with what it was started."""

from __future__ import annotations

import os
import shlex
import termios
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual import events
from textual.app import ComposeResult, SuspendNotSupported
from textual.message import Message
from textual.timer import Timer

from flowdeck.rules.exceptions import FlowdeckError
from flowdeck.rules.runs.ids import short_id
from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.live.pane_services import PaneServices
from flowdeck_tui.log import log_outlets
from flowdeck_tui.log.log_keys import LogKeys
from flowdeck_tui.log.log_title import reason_of, status_of, title_of
from flowdeck_tui.log.log_view import LogView
from flowdeck_tui.terminal import pager
from flowdeck_tui.terminal.external_programs import lend
from flowdeck_tui.text import present
from flowdeck_tui.text.present import Tone
from flowdeck_tui.widgets.bar import Bar
from flowdeck_tui.widgets.note import Note

if TYPE_CHECKING:
    from flowdeck.deck import CallLine, FlowRun, LineQuery, LogLine, MergedLog

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
PREVIEW_LINES: Final = 200
REASON_LINES: Final = 3


class _LogIndexed(Message):
    """A large log was looked through."""

    def __init__(self, run_id: str, log: MergedLog) -> None:
        self.run_id = run_id
        self.log = log
        super().__init__()


class _Saved(Message):
    """The lines of a log are in a file, or are not."""

    def __init__(self, text: str, tone: Tone, echo: str) -> None:
        self.text = text
        self.tone = tone
        self.echo = echo
        super().__init__()


class LogPanel(LogKeys):
    """Title, reason, log; looks at the log files by itself while the run is alive."""

    def __init__(self, services: PaneServices) -> None:
        """Make an empty panel."""
        super().__init__(services, id="log-panel")
        glyphs = services.render_context.glyphs
        self._title = Bar(glyphs=glyphs, fill=glyphs.rule, id="log-title")
        self._reason = Note(REASON_LINES, glyphs=glyphs, id="log-reason")
        self._call: CallLine | None = None
        self._log: MergedLog | None = None
        self._with_subflows = True
        self._only: tuple[int | None, str] = (None, "")
        """Task call whose lines alone are shown, and its name."""
        self._wants_first_error = False
        self._opened_id: str | None = None
        self._opening: Timer | None = None
        self._feeding: Timer | None = None
        self._quiet_seconds = 0.0
        self._wanted_at = -SETTLE_SECONDS
        """When another log was asked for last, in monotonic seconds."""
        self._eager_until = 0.0
        self._parameters = ("", "")
        """Id of a run and its parameters as text."""

    def compose(self) -> ComposeResult:
        """Title, reason, log."""
        yield self._title
        yield self._reason
        yield self.log_view

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
            self._only = (None, "")
            self._wants_first_error = False
            self._open_soon()
        elif run is not None and self._log is not None:
            self._keep_feeding()

    def _show_reason(self, run: FlowRun | None, call: CallLine | None) -> None:
        if run is None:
            self._reason.show("")
            return
        if self._parameters[0] != run.id:
            self._parameters = run.id, present.parameters_text(run.parameters)
        reason = reason_of(run, call, waiting=self._services.waiting_reason(run))
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
        log = None if run is None else self._services.open_log(run, subflows=self._with_subflows)
        if run is None or log is None:
            self.log_view.show(None)
        elif log.size_bytes() > LARGE_LOG_BYTES:
            # Its end at once; the rest when its lines are counted.
            self.log_view.show(_Preview(log.tail(PREVIEW_LINES)))
            threading.Thread(target=self._index, args=(run.id, log), name="flowdeck-log", daemon=True).start()
        elif self._refresh(log):
            self.log_view.show(log)
            self._adopt(log)

    def _index(self, run_id: str, log: MergedLog) -> None:
        """Count lines in a thread; from then on only the app's thread touches the log."""
        if self._refresh(log):
            self.post_message(_LogIndexed(run_id, log))

    def on__log_indexed(self, message: _LogIndexed) -> None:
        """Show the log, if it is still wanted."""
        if message.run_id == self._opened_id and self._log is None:
            self.log_view.replace_source(message.log)
            self._adopt(message.log)
        else:
            message.log.close()

    def _refresh(self, log: MergedLog) -> bool:
        try:
            log.refresh()
        except FlowdeckError as error:
            self.app.call_later(self.log_view.set_empty_text, inert_line(str(error)))
            return False
        return True

    def _adopt(self, log: MergedLog) -> None:
        self._log = log
        self.log_view.name_runs(log.run_count > 1)
        self.log_view.set_empty_text("Nothing logged yet." if not log.count else "")
        self._show_wanted()
        self._show_title()
        self._keep_feeding()

    def _close(self) -> None:
        self._stop_feeding()
        self._search = self._filter = ""
        if self._log is not None:
            self._log.close()
            self._log = None

    def on_unmount(self) -> None:
        """Close the files."""
        self._close()

    # -- what of it ----------------------------------------------------------------------------------------------

    def show_first_error(self) -> None:
        """Begin at the first error, now or as soon as the log is there."""
        self._wants_first_error = True
        self._show_wanted()

    def show_call(self, call: CallLine | None) -> None:
        """Show only the lines of a task call; None for all of the run."""
        self._only = (None, "") if call is None else (call.first_id, call.name)
        self._show_wanted()
        self._show_title()

    def step_back(self) -> bool:
        """End what was begun last; see `LogKeys`."""
        if self._run is None or self._run.id != self._opened_id:
            return False  # the lines that still stand there are of the run before
        if not super().step_back():
            if self._only[0] is None:
                return False
            self.show_call(None)
        return True

    def _show_wanted(self) -> None:
        """Do what was asked for before the log was there."""
        if self._log is None or self._run is None or self._run.id != self._opened_id:
            return
        if self._only[0] != self.log_view.task_run_id:
            self.log_view.set_task(self._only[0])
        if self._wants_first_error:
            self._wants_first_error = False
            self.log_view.go_to_error(0)

    # -- its growth ----------------------------------------------------------------------------------------------

    def _keep_feeding(self) -> None:
        if self._feeding is None and self._run is not None:
            self._feeding = self.set_timer(self._look_seconds(), self._feed)

    def _look_seconds(self) -> float:
        """Return when to look for growth again: very soon for the lines that tell that a run is going."""
        run, log = self._run, self._log
        is_awaited = run is not None and not run.is_final and log is not None and log.count < FIRST_LINES
        if is_awaited and time.monotonic() < self._eager_until:
            return FIRST_LINES_SECONDS
        return self._services.pace.log_seconds

    def _stop_feeding(self) -> None:
        if self._feeding is not None:
            self._feeding.stop()
            self._feeding = None

    def _feed(self) -> None:
        """Take over new lines; stop looking once the run is over and nothing more comes."""
        self._feeding = None
        log, run = self._log, self._run
        if log is None or run is None:
            return
        run_count = log.run_count
        has_grown = self._refresh(log) and log.count != self.log_view.status.count
        self.log_view.name_runs(log.run_count > 1)
        self.log_view.feed()
        if log.run_count != run_count:
            self._show_title()
        is_quiet = run.is_final and not has_grown
        self._quiet_seconds = self._quiet_seconds + self._services.pace.log_seconds if is_quiet else 0.0
        if self._quiet_seconds < LAST_LINES_SECONDS:
            self._keep_feeding()

    # -- title ---------------------------------------------------------------------------------------------------

    def on_log_view_status_changed(self, event: LogView.StatusChanged) -> None:
        """Say how many lines there are, whether the view follows, what is searched."""
        event.stop()
        self._show_title()

    def _show_title(self) -> None:
        glyphs, run = self._services.render_context.glyphs, self._run
        if run is None:
            self._title.show(((glyphs.rule * 2, Tone.MUTED),))
            return
        subflow_runs = self._log.run_count - 1 if self._log is not None else 0
        left = title_of(run, glyphs, subflow_runs=subflow_runs, call_name=self._only[1])
        self._title.show(left, status_of(self.log_view.status, glyphs, is_over=run.is_final))

    # -- what leaves the screen ----------------------------------------------------------------------------------

    def action_log_subflows(self) -> None:
        """Show the lines of subflow runs among those of the run, or not."""
        self._with_subflows = not self._with_subflows
        self._services.status.say("With subflow runs." if self._with_subflows else "Without subflow runs.")
        self._open()

    def action_log_pager(self) -> None:
        """Read the files of the log with a pager."""
        log = self._log
        if log is None or not log.paths:
            self._services.status.say("There is no log to read yet.")
            return
        try:
            command = pager.pager_command(os.environ, log.paths)
        except pager.NoPagerError as error:
            self._services.status.say(inert_line(str(error)), tone=Tone.WARN)
            return
        problem = lend(self.app, command)
        tone = Tone.PLAIN if problem is None else Tone.WARN
        self._services.status.say(inert_line(problem or ""), tone=tone, echo=inert_line(shlex.join(command[:3])))

    def action_log_stream(self) -> None:
        """Leave the screen and write the log to the terminal line by line, until a key is pressed."""
        log, run = self._log, self._run
        if log is None or run is None:
            self._services.status.say("There is no log to read yet.")
            return
        layout = log_outlets.file_layout(self.log_view.page.layout)
        head = f"-- log of {inert_line(run.name)}; any key goes back --"
        try:
            with self.app.suspend():
                log_outlets.stream(log, self.log_view.line_query, layout, head, max(1, self.app.size.height - 4))
        except (SuspendNotSupported, termios.error):
            self._services.status.say("This terminal cannot be lent to a stream of lines.", tone=Tone.WARN)
        except FlowdeckError as error:
            self._services.status.say(inert_line(str(error)), tone=Tone.BAD)
        else:
            self._services.status.say("", echo=f"flowdeck flow-run logs -f {short_id(run.id)}")
        self.log_view.feed()
        self._keep_feeding()

    async def action_log_save(self) -> None:
        """Ask for the name of a file and write the lines that are shown into it."""
        run = self._run
        if run is None or self._log is None:
            self._services.status.say("There is no log to save yet.")
            return

        def end(text: str | None) -> None:
            if text and text.strip():
                self._save(run, Path(text.strip()).expanduser())
            else:
                self._services.status.say("Nothing was saved.")

        name = f"{inert_line(run.name).replace('/', '-')}.log"
        await self._services.status.prompt("save as", name, lambda _: None, end, needs_enter=True)

    def _save(self, run: FlowRun, path: Path) -> None:
        """Write a file in a thread of its own, from a reader of its own: a long log takes seconds."""
        log = self._services.open_log(run, subflows=self._with_subflows)
        if log is None:
            return
        layout = log_outlets.file_layout(self.log_view.page.layout)
        query, echo = self.log_view.line_query, f"flowdeck flow-run logs {short_id(run.id)} > {shlex.quote(str(path))}"

        def write() -> None:
            try:
                log.refresh()
                count = log_outlets.save(log, query, layout, path)
            except FileExistsError:
                self.post_message(_Saved(f"{path} is there already; W asks for another name.", Tone.WARN, ""))
            except (OSError, FlowdeckError) as error:
                reason = getattr(error, "strerror", None) or error
                self.post_message(_Saved(f"{path} cannot be written: {reason}.", Tone.BAD, ""))
            else:
                text = f"{present.count_of(count, 'line')} saved to {path.resolve()}"
                self.post_message(_Saved(text, Tone.PLAIN, echo))
            finally:
                log.close()

        self._services.status.say(f"Saving to {inert_line(str(path))}.")
        threading.Thread(target=write, name="flowdeck-log-save", daemon=True).start()

    def on__saved(self, message: _Saved) -> None:
        """Say how it went."""
        self._services.status.say(inert_line(message.text), tone=message.tone, echo=inert_line(message.echo))

    def on_click(self, event: events.Click) -> None:
        """A click gives the log the keyboard."""
        self.screen.set_focus(self.log_view)


class _Preview:
    """The last lines of a large log, until its lines are counted."""

    generation = 0

    def __init__(self, lines: list[LogLine]) -> None:
        self._lines = lines
        self.count = len(lines)

    def lines(self, first: int, stop: int) -> list[LogLine]:
        return self._lines[max(0, first) : stop]

    def search(self, query: LineQuery, first: int, stop: int) -> list[int]:
        """Find nothing: what is searched is searched again once the lines are counted."""
        return []
