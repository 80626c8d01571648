"""Pane 1: all runs of all flows, newest first, as a tree; below it the log of the run under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult

from flowdeck.rules.runs import run_filter
from flowdeck.rules.runs.ids import short_id
from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.actions import actions
from flowdeck_tui.actions.action import Context
from flowdeck_tui.actions.actions import bindings
from flowdeck_tui.live import commands, marked_runs
from flowdeck_tui.live.commands import Obstacle
from flowdeck_tui.live.messages import Command, News
from flowdeck_tui.live.pane_services import PaneServices
from flowdeck_tui.menus.copy_choices import copies_of_call, copies_of_run
from flowdeck_tui.runs.deletions import Deletions
from flowdeck_tui.runs.run_detail import RunDetail
from flowdeck_tui.runs.run_list import RunList
from flowdeck_tui.runs.run_tree import FOLD, RUN, as_call
from flowdeck_tui.terminal.clipboard import CopyChoice
from flowdeck_tui.terminal.editor import place_of_run
from flowdeck_tui.text import present
from flowdeck_tui.text.present import ROOM_FOR_TWO, Tone
from flowdeck_tui.text.row_source import RowKey
from flowdeck_tui.widgets.tab_bar import Tab
from flowdeck_tui.widgets.tree_table import TreeTable

if TYPE_CHECKING:
    from flowdeck.deck import FlowRun

SHARED, LIST_ONLY, LOG_ONLY = "shared", "list-only", "log-only"
_TICK_SECONDS: Final = 1.0
NO_RUN: Final = "There is no run here yet."
_NEEDING_RUN: Final = frozenset(
    "flow.run run.retry run.rerun run.cancel run.delete log.full row.open source.edit mark.toggle".split()
)


class RunsPane(RunList):
    """Runs and the log of one of them."""

    BINDINGS: ClassVar = bindings(Context.RUNS)
    action_context: ClassVar[Context] = Context.RUNS

    def __init__(self, services: PaneServices) -> None:
        """Make an empty pane."""
        super().__init__(services)
        self.detail = RunDetail(services)
        self.log_panel = self.detail.log_panel
        self.deletions = Deletions(self.tree_rows, services.submit, self.set_timer, self.refresh_rows)
        self._came_from_flows = False
        self._layout_kind = SHARED

    def compose(self) -> ComposeResult:
        """Filter line, table, log."""
        yield self._title
        yield self.table
        yield self.detail

    def on_mount(self) -> None:
        """Let the clocks of running rows go."""
        self.set_interval(_TICK_SECONDS, self._tick)

    @property
    def run(self) -> FlowRun | None:
        """The run that has the whole screen; else the one under the cursor, or that made the call under it."""
        if self.detail.is_open and self.detail.run is not None:
            return self.detail.run
        key = self.table.cursor
        return None if key is None else self.tree_rows.run_of(key)

    @property
    def widget(self) -> RunsPane:
        """The widget that is shown and hidden."""
        return self

    # -- what comes in -------------------------------------------------------------------------------------------

    def take(self, news: News) -> None:
        """Show what the pump has read."""
        self.take_rows(news)
        self.detail.refresh_run(news.runs)
        self.refresh_rows()
        if news.detail is not None:
            self.detail.take(news.detail)

    def refresh_rows(self) -> None:
        """Draw rows, title and log title anew; only what differs is sent."""
        self.draw_rows()
        self._show_run()

    def _show_run(self) -> None:
        key = self.table.cursor
        self.tree_rows.hold(key)
        if not self.detail.is_open:
            call = None if key is None else as_call(self.tree_rows.record(key))
            self.detail.show(self.run, call)

    def _tick(self) -> None:
        # A window without the keyboard may be watched, but its clocks need not run.
        if not (self.app.app_focus and self.display):
            return
        if self.tree_rows.is_any_running(*self.table.visible_range):
            self.table.sync()
        self.detail.tick()

    def on_tree_table_cursor_moved(self, event: TreeTable.CursorMoved) -> None:
        """Show the log of the run under the cursor."""
        event.stop()
        self.let_go()
        self._show_run()

    def on_tree_table_opened(self, event: TreeTable.Opened) -> None:
        """Open what was clicked."""
        event.stop()
        self.action_row_open()

    # -- from outside --------------------------------------------------------------------------------------------

    def reveal(self, run: FlowRun, *, is_open: bool = True) -> None:
        """Put the cursor on a run, with its calls below it and its log; a filter that hides it goes."""
        self.set_layout(SHARED)
        if is_open:
            self._set_open(run.key, True)
        if self.detail.view.tab is Tab.ERROR and run.error is None:
            self.detail.show_tab(Tab.LOG)  # the tab of the run before; a new run is there to be watched
        self.show_run(run)
        self.refresh_rows()

    def show_flow(self, flow_name: str) -> None:
        """List the runs of one flow; back leads to the flows again."""
        self._came_from_flows = True
        self.set_layout(SHARED)
        self.set_filter(run_filter.of_flow(flow_name))

    def set_layout(self, kind: str) -> None:
        """Share the screen between list and log, or give it to one of them."""
        self._layout_kind = kind
        self.set_class(kind == LIST_ONLY, "-list-only")
        self.set_class(kind == LOG_ONLY, "-log-only")
        self.detail.set_open(kind == LOG_ONLY)
        if kind != LOG_ONLY:
            self._show_run()
        self.focus_default()

    def on_resize(self, event: events.Resize) -> None:
        """On a low screen list and log do not share it."""
        # Textual's own breakpoints style all widgets once more at the start, which costs 15 ms there.
        is_tiny = event.size.height < ROOM_FOR_TWO
        self.set_class(is_tiny, "-tiny")
        if is_tiny and self._layout_kind == SHARED and self.detail.has_keyboard:
            self.screen.set_focus(self.table)

    def focus_default(self) -> None:
        """Give the keyboard to what the pane is showing."""
        self.screen.set_focus(self.detail.focus_target if self._layout_kind == LOG_ONLY else self.table)

    # -- actions -------------------------------------------------------------------------------------------------

    def _need_run(self, verb: str) -> FlowRun | None:
        run = self.run
        if run is None:
            self._services.status.say(f"There is no run to {verb}.")
        return run

    def _set_open(self, key: int, is_open: bool) -> None:
        self.tree_rows.set_open(key, is_open)
        self._services.pump.set_open(self.tree_rows.open_keys)

    def action_row_open(self) -> None:
        """Look at the run under the cursor, or at the call, with the whole screen; unfold earlier calls."""
        key, run = self.table.cursor, self.run
        if key is None or run is None:
            self._services.status.say("There is no run to open.")
        elif key[0] == FOLD:
            self.tree_rows.unfold(int(key[1]))
            self.refresh_rows()
        else:
            self.detail.open(run, as_call(self.tree_rows.record(key)))
            self.set_layout(LOG_ONLY)

    def _toggle(self, key: RowKey) -> None:
        if key[0] == RUN:
            self._set_open(int(key[1]), not self.tree_rows.is_open(int(key[1])))
        elif key[0] == FOLD:
            self.tree_rows.unfold(int(key[1]))
        self.refresh_rows()

    def on_run_detail_room_wanted(self, event: RunDetail.RoomWanted) -> None:
        """Another run is looked at from within a run: give it the whole screen."""
        event.stop()
        self.set_layout(LOG_ONLY)

    def action_tree_expand(self) -> None:
        """Show what lies below the run."""
        key = self.table.cursor
        if key is not None and (key[0] == FOLD or (key[0] == RUN and not self.tree_rows.is_open(int(key[1])))):
            self._toggle(key)
        elif key is not None and key[0] != RUN:
            self.action_row_open()

    def action_tree_collapse(self) -> None:
        """Hide what lies below the run; on a row below a run, go up to it."""
        key = self.table.cursor
        if key is None:
            return
        if key[0] == RUN and self.tree_rows.is_open(int(key[1])):
            self._toggle(key)
        elif (parent := self.tree_rows.parent_of(key)) is not None:
            self.table.select(parent)

    def action_view_back(self) -> None:
        """Undo the last step inwards: search, full screen, marks, filter, open run."""
        key = self.table.cursor
        if self.screen.focused is self.log_panel.log_view and self.log_panel.step_back():
            return
        if self.detail.has_keyboard and self.detail.go_back():
            return
        if self._layout_kind != SHARED:
            self.set_layout(SHARED)
        elif self.screen.focused is not self.table:
            self.screen.set_focus(self.table)
        elif self.clear_marks():
            self._services.status.say("Nothing is marked any more.")
        elif self.listing.filter:
            self.set_filter(run_filter.EVERYTHING)
            if self._came_from_flows:
                self._services.show_flows()
            self._came_from_flows = False
        elif key is not None and (self.tree_rows.parent_of(key) or self.tree_rows.is_open(int(key[1]))):
            self.action_tree_collapse()
        else:
            self._services.status.say("This is the top: q quits.")

    async def action_flow_run(self) -> None:
        """Open the form of the flow of this run."""
        run = self._need_run("start a flow like")
        if run is None:
            return
        entry = self._services.flow_of(run)
        if entry is None:
            self._services.status.say(
                f"The flow {inert_line(run.flow_name)} is in no watched folder; 3 shows those that are."
            )
        else:
            await self._services.open_form(entry)

    @property
    def _meant_marks(self) -> frozenset[int]:
        """Marked runs; while one run has the whole screen, keys mean that one."""
        return frozenset() if self.detail.is_open else frozenset(self.tree_rows.marks)

    async def action_run_retry(self) -> None:
        """Run it again; marked runs after y."""
        if marked := self._meant_marks:
            question = f"Retry {present.count_of(len(marked), 'run')}? What is recorded does not run again."
            await self._services.status.ask(question, lambda: self._do_to_marked(marked_runs.retry(marked)))
            return
        run = self._need_run("retry")
        if run is not None and self._may(commands.why_not_retry(run)):
            self._services.submit(commands.retry(run))

    def _do_to_marked(self, command: Command) -> None:
        self._services.submit(command)
        self.clear_marks()

    async def action_run_rerun(self) -> None:
        """Open a form with its parameters, for a new run."""
        run = self._need_run("run once more")
        if run is not None:
            await self._services.open_rerun(run)

    async def action_run_cancel(self) -> None:
        """Stop it, after y."""
        if marked := self._meant_marks:
            question = f"Cancel {present.count_of(len(marked), 'run')}?"
            await self._services.status.ask(question, lambda: self._do_to_marked(marked_runs.cancel(marked)))
            return
        run = self._need_run("cancel")
        if run is not None and self._may(commands.why_not_cancel(run)):
            await self._services.status.ask(
                f"Cancel {inert_line(run.name)}?", lambda: self._services.submit(commands.cancel(run))
            )

    async def action_run_delete(self) -> None:
        """Remove it, in a while; marked runs after y."""
        if marked := self._meant_marks:
            question = f"Delete {present.count_of(len(marked), 'run')} with their logs and results?"
            await self._services.status.ask(question, lambda: self._delete(marked))
            return
        run = self._need_run("delete")
        if run is not None and self._may(commands.why_not_delete(run)):
            self._delete(frozenset({run.key}), actions.echo("run.delete", run=short_id(run.id)))

    def _delete(self, keys: frozenset[int], echo: str = "") -> None:
        if self._layout_kind == LOG_ONLY:
            self.set_layout(SHARED)
        self.clear_marks()
        self._services.status.say(self.deletions.add(keys), echo=echo)

    def action_run_undo(self) -> None:
        """Take the last delete back."""
        self._services.status.say(self.deletions.undo() or "There is nothing to undo: a delete can be undone for 10 s.")

    def why_not(self, action_id: str) -> str | None:
        """Say why an action cannot be done to the run under the cursor; None when it can, or runs are marked."""
        run = self.run
        if run is None:
            return NO_RUN if action_id in _NEEDING_RUN else None
        obstacle = commands.OBSTACLES.get(action_id)
        found = None if obstacle is None or self._meant_marks else obstacle(run)
        return None if found is None else found.sentence

    def copy_choices(self) -> list[CopyChoice]:
        """What can be copied of the call and the run under the cursor."""
        key, run = self.table.cursor, self.run
        if self.detail.is_open:
            call = self.detail.line
        else:
            call = None if key is None else as_call(self.tree_rows.record(key))
        return [] if run is None else [*copies_of_call(call), *copies_of_run(run)]

    async def action_copy_open(self) -> None:
        """Ask what to copy."""
        await self._services.open_copy()

    def _may(self, obstacle: Obstacle | None) -> bool:
        if obstacle is not None:
            self._services.status.say(obstacle.sentence, tone=Tone.WARN)
        return obstacle is None

    def action_log_full(self) -> None:
        """Give the whole screen to the log."""
        run = self._need_run("show the log of")
        if run is not None:
            self.detail.show_tab(Tab.LOG)
            self.set_layout(LOG_ONLY)
            self._services.status.say("", echo=actions.echo("log.full", run=short_id(run.id)))

    def action_log_follow(self) -> None:
        """Stay at the end of the log, or stop doing so."""
        self.log_panel.action_log_follow()

    def action_detail_next(self) -> None:
        """The next tab of the run."""
        self.detail.step(1)

    def action_detail_previous(self) -> None:
        """The tab before."""
        self.detail.step(-1)

    def action_source_edit(self) -> None:
        """Open the line where the run broke, else that of its flow."""
        run = self._need_run("open the source of")
        if run is None:
            return
        place = self.detail.place or place_of_run(run, self._services.flow_of(run))
        if place is None:
            self._services.status.say(f"{inert_line(run.name)} has no file: its flow was defined interactively.")
        else:
            self._services.edit(place)

    def action_view_zoom(self) -> None:
        """Give the whole screen to what has the focus, or share it again."""
        if self._layout_kind != SHARED:
            self.set_layout(SHARED)
        else:
            self.set_layout(LIST_ONLY if self.screen.focused is self.table else LOG_ONLY)
