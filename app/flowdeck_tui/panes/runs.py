"""Pane 1: all runs of all flows, newest first, as a tree; below it the log of the run under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical

from flowdeck.rules.ids import short_id
from flowdeck.rules.terminal_text import inert_line
from flowdeck_tui import actions, commands, present
from flowdeck_tui.actions import Context, bindings
from flowdeck_tui.desk import Desk
from flowdeck_tui.messages import News, RunFilter, RunPage
from flowdeck_tui.panes.log_panel import LogPanel
from flowdeck_tui.present import ROOM_FOR_TWO, STATE_WIDTH, Tone
from flowdeck_tui.row_source import RowKey
from flowdeck_tui.run_tree import FOLD, RUN, RunTree, as_call, matches, merge
from flowdeck_tui.widgets.bar import Bar
from flowdeck_tui.widgets.columns import Column
from flowdeck_tui.widgets.tree_table import TreeTable

if TYPE_CHECKING:
    from flowdeck.deck import FlowRun

COLUMNS: Final = (
    Column("name", "RUN", 36, minimum=32, grows=3, cut="middle"),
    Column("id", "ID", 8, drop_order=5),
    Column("flow", "FLOW / TASK", 18, minimum=14, grows=2),
    Column("attempt", "TRY", 3, drop_order=6, align="right"),
    Column("start", "START", 8),
    Column("duration", "TIME", 6, align="right"),
    Column("tasks", "TASKS", 7, drop_order=3, align="right"),
    Column("trouble", "E/W", 5, drop_order=4, align="right"),
    Column("message", "MESSAGE", 30, minimum=24, drop_order=7, grows=6),
)
SHARED, LIST_ONLY, LOG_ONLY = "shared", "list-only", "log-only"
_TICK_SECONDS: Final = 1.0


class RunsPane(Vertical):
    """Runs and the log of one of them."""

    BINDINGS: ClassVar = bindings(Context.RUNS)
    action_context: ClassVar[Context] = Context.RUNS

    def __init__(self, desk: Desk) -> None:
        """Make an empty pane."""
        super().__init__(id="runs")
        self._desk = desk
        look = desk.look
        self.tree_rows = RunTree(look)
        self.table = TreeTable(
            self.tree_rows,
            COLUMNS,
            glyphs=look.glyphs,
            lead_width=STATE_WIDTH + 1,
            lead_title="STATE",
            has_branches=True,
            id="runs-table",
        )
        self.log_panel = LogPanel(desk)
        self._title = Bar(glyphs=look.glyphs, id="runs-title")
        self._filter = RunFilter()
        self._total = 0
        self._is_complete = True
        self._is_asked = False
        self._end_wanted_at: RowKey | None = None
        self._came_from_flows = False
        self._layout_kind = SHARED

    def compose(self) -> ComposeResult:
        """Filter line, table, log."""
        yield self._title
        yield self.table
        yield self.log_panel

    def on_mount(self) -> None:
        """Let the clocks of running rows go."""
        self.set_interval(_TICK_SECONDS, self._tick)

    @property
    def run(self) -> FlowRun | None:
        """The run under the cursor, or the run that made the call under it."""
        key = self.table.cursor
        return None if key is None else self.tree_rows.run_of(key)

    # -- what comes in -------------------------------------------------------------------------------------------

    def take(self, news: News) -> None:
        """Show what the pump has read."""
        for page in news.pages:
            self._take_page(page)
        known = [run for run in news.runs if self.tree_rows.run(run.key) is not None]
        self.tree_rows.update(known)
        self.tree_rows.add_roots(run for run in news.runs if self._belongs_on_top(run))
        self.tree_rows.remove(news.removed)
        for key, (calls, subflows) in news.children.items():
            self.tree_rows.set_children(key, merge(calls, subflows))
        if news.total is not None:
            self._total = news.total
        self.refresh_rows()
        if news.pages:
            self._go_on_to_end()

    def _go_on_to_end(self) -> None:
        """Follow the growing list to its end, if that was asked for and the cursor has not been moved since."""
        if self._end_wanted_at is not None and self._end_wanted_at == self.table.cursor:
            self.table.action_move_bottom()
            self._end_wanted_at = None if self._is_complete else self.table.cursor

    def _take_page(self, page: RunPage) -> None:
        if page.filter != self._filter:
            return
        self._is_asked = False
        self._is_complete = page.is_last
        if page.is_first:
            self.tree_rows.replace(page.runs)
        else:
            self.tree_rows.add_roots(page.runs)

    def _belongs_on_top(self, run: FlowRun) -> bool:
        if self._filter:
            wanted = matches(run, self._filter.text, self._filter.flow_name)
        else:
            wanted = run.parent_key is None
        oldest = self.tree_rows.oldest_key
        return wanted and (self._is_complete or oldest is None or run.key > oldest)

    def refresh_rows(self) -> None:
        """Draw rows, title and log title anew; only what differs is sent."""
        self._tell_empty()
        self.table.sync()
        self._show_title()
        self._show_run()

    def _tell_empty(self) -> None:
        if self._filter:
            self.table.set_empty_text("No run matches the filter.", "", "esc   takes the filter away")
        else:
            self.table.set_empty_text(
                "No runs yet.", "", "3     shows the flows of this folder", "t     on a flow runs it"
            )

    def _show_title(self) -> None:
        what = []
        if self._filter.flow_name is not None:
            what.append(f"flow {inert_line(self._filter.flow_name)}")
        if self._filter.text:
            what.append(f"/{inert_line(self._filter.text)}")
        left = (
            ((f" {'  '.join(what)}", Tone.STRONG), ("   esc all runs", Tone.MUTED))
            if what
            else ((" all runs, newest first", Tone.MUTED),)
        )
        loaded = self.tree_rows.root_count
        right = present.count_of(self._total, "run")
        if 0 < loaded < self._total:
            right = f"{loaded:,} of {right}"
        self._title.show(left, ((f"{right} ", Tone.MUTED),))

    def _show_run(self) -> None:
        key = self.table.cursor
        self.tree_rows.hold(key)
        call = None if key is None else as_call(self.tree_rows.record(key))
        self.log_panel.show(self.run, call)

    def _tick(self) -> None:
        # A window without the keyboard may be watched, but its clocks need not run.
        if self.app.app_focus and self.display and self.tree_rows.is_any_running(*self.table.visible_range):
            self.table.sync()

    def on_tree_table_cursor_moved(self, event: TreeTable.CursorMoved) -> None:
        """Show the log of the run under the cursor."""
        event.stop()
        self._show_run()

    def on_tree_table_opened(self, event: TreeTable.Opened) -> None:
        """Open what was clicked."""
        event.stop()
        self.action_row_open()

    def on_tree_table_near_end(self, event: TreeTable.NearEnd) -> None:
        """Continue the list."""
        event.stop()
        if self._is_complete:
            return
        if event.wants_all:
            self._end_wanted_at = self.table.cursor
        elif self._is_asked:
            return
        self._is_asked = True
        self._desk.pump.load_older(all_of_them=event.wants_all)

    # -- from outside --------------------------------------------------------------------------------------------

    def reveal(self, run: FlowRun, *, is_open: bool = True) -> None:
        """Put the cursor on a run, with its calls below it and its log; a filter that hides it goes."""
        self.set_layout(SHARED)
        if not self._belongs_on_top(run):
            self.set_filter(RunFilter())
        self.tree_rows.add_roots([run])
        if is_open:
            self._set_open(run.key, True)
        self.table.sync()
        self.table.select((RUN, run.key))
        self.refresh_rows()

    def set_filter(self, wanted: RunFilter) -> None:
        """List other runs."""
        if wanted != self._filter:
            self._filter = wanted
            self._desk.pump.set_filter(wanted)
            self._show_title()

    def show_flow(self, flow_name: str) -> None:
        """List the runs of one flow; back leads to the flows again."""
        self._came_from_flows = True
        self.set_layout(SHARED)
        self.set_filter(RunFilter(flow_name=flow_name))

    def set_layout(self, kind: str) -> None:
        """Share the screen between list and log, or give it to one of them."""
        self._layout_kind = kind
        self.set_class(kind == LIST_ONLY, "-list-only")
        self.set_class(kind == LOG_ONLY, "-log-only")
        self.focus_default()

    def on_resize(self, event: events.Resize) -> None:
        """On a low screen list and log do not share it."""
        # Textual's own breakpoints style all widgets once more at the start, which costs 15 ms there.
        is_tiny = event.size.height < ROOM_FOR_TWO
        self.set_class(is_tiny, "-tiny")
        if is_tiny and self._layout_kind == SHARED and self.screen.focused is self.log_panel.log_view:
            self.screen.set_focus(self.table)

    def focus_default(self) -> None:
        """Give the keyboard to what the pane is showing."""
        self.screen.set_focus(self.log_panel.log_view if self._layout_kind == LOG_ONLY else self.table)

    # -- actions -------------------------------------------------------------------------------------------------

    def _need_run(self, verb: str) -> FlowRun | None:
        run = self.run
        if run is None:
            self._desk.status.say(f"There is no run to {verb}.")
        return run

    def _set_open(self, key: int, is_open: bool) -> None:
        self.tree_rows.set_open(key, is_open)
        self._desk.pump.set_open(self.tree_rows.open_keys)

    def action_row_open(self) -> None:
        """Open or close the run under the cursor; on a call, show the log."""
        key = self.table.cursor
        if key is None:
            self._desk.status.say("There is no run to open.")
        elif key[0] == RUN:
            self._set_open(int(key[1]), not self.tree_rows.is_open(int(key[1])))
            self.refresh_rows()
        elif key[0] == FOLD:
            self.tree_rows.unfold(int(key[1]))
            self.refresh_rows()
        else:
            self.action_log_full()

    def action_tree_expand(self) -> None:
        """Show what lies below the run."""
        key = self.table.cursor
        if key is not None and (key[0] == FOLD or (key[0] == RUN and not self.tree_rows.is_open(int(key[1])))):
            self.action_row_open()

    def action_tree_collapse(self) -> None:
        """Hide what lies below the run; on a row below a run, go up to it."""
        key = self.table.cursor
        if key is None:
            return
        if key[0] == RUN and self.tree_rows.is_open(int(key[1])):
            self.action_row_open()
        elif (parent := self.tree_rows.parent_of(key)) is not None:
            self.table.select(parent)

    def action_view_back(self) -> None:
        """Undo the last step inwards: search, full screen, filter, open run."""
        key = self.table.cursor
        if self.screen.focused is self.log_panel.log_view and self.log_panel.end_search():
            return
        if self._layout_kind != SHARED:
            self.set_layout(SHARED)
        elif self.screen.focused is not self.table:
            self.screen.set_focus(self.table)
        elif self._filter:
            self.set_filter(RunFilter())
            if self._came_from_flows:
                self._desk.show_flows()
            self._came_from_flows = False
        elif key is not None and (self.tree_rows.parent_of(key) or self.tree_rows.is_open(int(key[1]))):
            self.action_tree_collapse()
        else:
            self._desk.status.say("This is the top: q quits.")

    async def action_flow_run(self) -> None:
        """Open the form of the flow of this run."""
        run = self._need_run("start a flow like")
        if run is None:
            return
        entry = self._desk.flow_of(run)
        if entry is None:
            self._desk.status.say(
                f"The flow {inert_line(run.flow_name)} is not in this folder; 3 shows those that are."
            )
        else:
            await self._desk.open_form(entry)

    def action_run_retry(self) -> None:
        """Run it again."""
        run = self._need_run("retry")
        if run is not None and self._may(commands.why_not_retry(run)):
            self._desk.submit(commands.retry(run))

    async def action_run_cancel(self) -> None:
        """Stop it, after y."""
        run = self._need_run("cancel")
        if run is not None and self._may(commands.why_not_cancel(run)):
            await self._desk.status.ask(
                f"Cancel {inert_line(run.name)}?", lambda: self._desk.submit(commands.cancel(run))
            )

    async def action_run_delete(self) -> None:
        """Remove it, after y."""
        run = self._need_run("delete")
        if run is not None and self._may(commands.why_not_delete(run)):
            question = f"Delete {inert_line(run.name)} with its log and results?"
            await self._desk.status.ask(question, lambda: self._desk.submit(commands.delete(run)))

    def _may(self, reason: str | None) -> bool:
        if reason is not None:
            self._desk.status.say(reason, tone=Tone.WARN)
        return reason is None

    def action_log_full(self) -> None:
        """Give the whole screen to the log."""
        run = self._need_run("show the log of")
        if run is not None:
            self.set_layout(LOG_ONLY)
            self._desk.status.say("", echo=actions.echo("log.full", run=short_id(run.id)))

    def action_log_follow(self) -> None:
        """Stay at the end of the log, or stop doing so."""
        self.log_panel.action_log_follow()

    def action_view_zoom(self) -> None:
        """Give the whole screen to what has the focus, or share it again."""
        if self._layout_kind != SHARED:
            self.set_layout(SHARED)
        else:
            self.set_layout(LIST_ONLY if self.screen.focused is self.table else LOG_ONLY)

    async def action_row_filter(self) -> None:
        """Ask for a text that rows must hold."""
        before = self._filter

        def change(text: str) -> None:
            self.set_filter(RunFilter(text=text.strip(), flow_name=before.flow_name))

        def end(text: str | None) -> None:
            if text is None:
                self.set_filter(before)

        await self._desk.status.prompt("/", self._filter.text, change, end)
