"""The detail of one run: tabs for its log, tasks, parameters, states and error; below the list, or over all of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from flowdeck.rules.states import StateType
from flowdeck.rules.text.terminal_text import inert
from flowdeck_tui.actions.action import Context
from flowdeck_tui.actions.actions import bindings
from flowdeck_tui.live.detail_reading import Detail, DetailQuery
from flowdeck_tui.live.pane_services import PaneServices
from flowdeck_tui.log.log_panel import LogPanel
from flowdeck_tui.runs import detail_text
from flowdeck_tui.runs.call_rows import CALL_COLUMNS, PARAMETER, PARAMETER_COLUMNS, CallRows, ParameterRows
from flowdeck_tui.runs.detail_view import CallPage, DetailView, ValuePage
from flowdeck_tui.runs.run_tree import CALL
from flowdeck_tui.terminal.editor import Place
from flowdeck_tui.text.present import ROOM_FOR_TWO, STATE_WIDTH, Tone
from flowdeck_tui.text.row_source import RowKey
from flowdeck_tui.widgets.tab_bar import Tab, TabBar
from flowdeck_tui.widgets.text_panel import TextPanel
from flowdeck_tui.widgets.tree_table import TreeTable

if TYPE_CHECKING:
    from flowdeck.deck import CallLine, FlowRun, TaskRun

_BROKEN: Final = (StateType.FAILED, StateType.CRASHED)
SETTLE_SECONDS: Final = 0.1
"""A cursor that passes over a call faster than this leaves the log below as it is."""


class RunDetail(Vertical):
    """Shows one tab of a run; asks the pump for what the tab needs and the run's row does not tell."""

    BINDINGS: ClassVar = bindings(Context.DETAIL)
    action_context: ClassVar[Context] = Context.DETAIL

    class RoomWanted(Message):
        """Something is looked at that wants the whole screen."""

    def __init__(self, services: PaneServices) -> None:
        """Make an empty detail on the log."""
        super().__init__(id="run-detail")
        self._services = services
        glyphs = services.render_context.glyphs
        self._bar = TabBar(glyphs)
        self._rows = CallRows(services.render_context, self._want_stretch)
        self.calls = TreeTable(
            self._rows, CALL_COLUMNS, glyphs=glyphs, lead_width=STATE_WIDTH + 1, lead_title="STATE", has_branches=True,
            id="detail-calls",
        )  # fmt: skip
        self._parameter_rows = ParameterRows()
        self.parameters = TreeTable(self._parameter_rows, PARAMETER_COLUMNS, glyphs=glyphs, id="detail-parameters")
        self.text = TextPanel(glyphs=glyphs, id="detail-text")
        self.log_panel = LogPanel(services)
        self.run: FlowRun | None = None
        """The run that is looked at."""
        self.is_open = False
        """It has the whole screen."""
        self.view = DetailView()
        self._call: CallLine | None = None
        self._trail: list[FlowRun] = []
        """Runs through which one came to this one, from a run to one that it started."""
        self._settling: Timer | None = None
        self._row_wanted: RowKey | None = None
        """Where the cursor goes once the calls are there."""
        self._known: Detail | None = None
        self._asked: DetailQuery | None = None

    def compose(self) -> ComposeResult:
        """Tabs, what each of them shows, the log."""
        yield self._bar
        yield self.calls
        yield self.parameters
        yield self.text
        yield self.log_panel

    def on_mount(self) -> None:
        """Show the log."""
        self.parameters.set_empty_text("This run was given no parameters.")
        self._lay_out()

    # -- which run -----------------------------------------------------------------------------------------------

    def show(self, run: FlowRun | None, call: CallLine | None) -> None:
        """Show a run as far as its row tells, and read the rest; what is open of it stays open.

        Args:
            run: the run; None for none.
            call: the line of calls under the cursor of the list of runs.
        """
        before = self.run
        is_other = (None if run is None else run.key) != (None if before is None else before.key)
        if is_other:
            self.view.begin()
            self._known = None
            self._rows.clear()
        if is_other or run is None or before is None or run.parameters != before.parameters:
            self._parameter_rows.replace({} if run is None else run.parameters)
        self.run, self._call = run, call
        self._refresh()

    def refresh_run(self, runs: Iterable[FlowRun]) -> None:
        """Bring the run that has the whole screen up to date, if it is among these."""
        if self.is_open and (fresh := next((run for run in runs if self.run and run.key == self.run.key), None)):
            self.show(fresh, None)

    def take(self, detail: Detail) -> None:
        """Show what the pump has read, unless something else is looked at by now."""
        if detail.query != self._asked:
            return
        self._known = detail
        self._rows.take(detail)
        self._refresh()
        if self._row_wanted is not None and self.calls.select(self._row_wanted):
            self._row_wanted = None

    def open(self, run: FlowRun, call: CallLine | None = None) -> None:
        """Begin to look at a run: at its tasks, failures first, or at its log where it has none.

        Args:
            run: the run.
            call: what to look at in it: the items of a map, or one call.
        """
        self.show(run, None)
        self.view = DetailView(Tab.TASKS if run.task_counts.total else Tab.LOG)
        if call is not None and call.group is None:
            self.view.page = CallPage(call.first_id, call.name)
            self._row_wanted = CALL, call.first_id
        self._list(call if call is not None and call.group is not None else None)
        self._lay_out()
        self.text.action_move_top()
        if run.state_type in _BROKEN:
            self.log_panel.show_first_error()

    def set_open(self, is_open: bool) -> None:
        """Take the whole screen, or a part of it."""
        if not is_open:
            self._trail.clear()
        self.is_open = is_open
        self._lay_out()

    # -- what is shown -------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Show the widgets of the tab, and only them."""
        tab, in_page = self.view.tab, self.view.page is not None
        with_log = tab is Tab.TASKS and self.is_open and self.size.height >= ROOM_FOR_TWO
        self._bar.display = self.is_open or tab is not Tab.LOG
        self.calls.display = tab is Tab.TASKS and not in_page
        self.parameters.display = tab is Tab.PARAMETERS and not in_page
        self.text.display = in_page or tab in (Tab.STATES, Tab.ERROR)
        self.log_panel.display = tab is Tab.LOG or with_log
        if with_log:
            self._narrow_log_soon()
        self._refresh()

    def on_resize(self, event: events.Resize) -> None:
        """On a low screen calls and log do not share it."""
        self._lay_out()

    def tick(self) -> None:
        """Let the clocks of running calls go."""
        if self.display and self.calls.display and self._rows.is_any_running(*self.calls.visible_range):
            self.calls.sync()

    def _list(self, group: CallLine | None) -> None:
        """List the items of a map, or all calls, from the first on."""
        self.view.list_calls(group)
        self._read_anew()

    def _read_anew(self) -> None:
        """The rows that are shown are others than those that are meant."""
        self._known = self._asked = None
        self._rows.clear()
        self._refresh()

    def _refresh(self) -> None:
        self._ask()
        run = self.run
        glyphs = self._services.render_context.glyphs
        title = ((glyphs.rule * 2, Tone.MUTED),) if run is None else self.view.title(run, glyphs)
        self._bar.show_tabs(title, self.view.tab)
        if self.calls.display:
            self.calls.set_empty_text(self._empty_text())
            self.calls.sync()
        if self.parameters.display:
            self.parameters.sync()
        if self.text.display:
            self.text.show([] if run is None else self._text_of(run), keep_place=True)
        self.log_panel.show(run, self._call_of_log())

    def _call_of_log(self) -> CallLine | None:
        return self.line if self.view.tab is Tab.TASKS and self.is_open else self._call

    def _empty_text(self) -> str:
        if self._known is None:
            return ""
        return "No call is named so." if self.view.text else "This run has called no task."

    def _ask(self) -> None:
        wanted = None if self.run is None else self.view.query(self.run)
        if wanted != self._asked:
            self._asked = wanted
            self._services.pump.set_detail(wanted)

    def _want_stretch(self, index: int) -> None:
        """Have the rows around a position read, once what is being drawn is drawn."""
        if self.view.look_around(index):
            self.call_later(self._ask)

    def _text_of(self, run: FlowRun) -> list[detail_text.Line]:
        page, look = self.view.page, self._services.render_context
        if isinstance(page, ValuePage):
            return detail_text.value_lines(self._parameter_rows.value(page.name))
        if isinstance(page, CallPage):
            return [] if self.call is None else detail_text.call_lines(self.call, look)
        if self.view.tab is Tab.ERROR:
            return detail_text.error_lines(run.error, run.state_message if run.state_type in _BROKEN else None)
        return detail_text.state_lines(run, () if self._known is None else self._known.states, look)

    @property
    def call(self) -> TaskRun | None:
        """The call that is read as a whole, once it has been read."""
        page, known = self.view.page, self._known
        if known is None or not isinstance(page, CallPage) or known.query.call_id != page.id:
            return None
        return known.call

    @property
    def line(self) -> CallLine | None:
        """The line of calls under the cursor of the tasks."""
        return self._rows.line(self.calls.cursor)

    @property
    def place(self) -> Place | None:
        """Where the call broke that is read as a whole; None for any other."""
        error = None if self.call is None else self.call.error
        return None if error is None or error.file is None else Place(error.file, error.line)

    # -- moving --------------------------------------------------------------------------------------------------

    @property
    def focus_target(self) -> Widget:
        """What takes the keyboard on this tab."""
        if self.view.page is not None or self.view.tab in (Tab.STATES, Tab.ERROR):
            return self.text
        return {Tab.TASKS: self.calls, Tab.PARAMETERS: self.parameters}.get(self.view.tab, self.log_panel.log_view)

    @property
    def has_keyboard(self) -> bool:
        """Whether the keyboard is somewhere in it."""
        focused = self.screen.focused
        return focused is not None and self in focused.ancestors_with_self

    def show_tab(self, tab: Tab, page: CallPage | ValuePage | None = None) -> None:
        """Show a tab or a page of it; the keyboard comes along if it was here."""
        had_keyboard = self.has_keyboard
        if self.view.tab is Tab.TASKS and tab is not Tab.TASKS:
            self.log_panel.show_call(None)
        self.view.tab, self.view.page, self.view.came_from_tasks = tab, page, False
        self._lay_out()
        if had_keyboard:
            self.screen.set_focus(self.focus_target)
        self.text.action_move_top()

    def step(self, by: int) -> None:
        """Show the tab that stands so many places further on."""
        tabs = tuple(Tab)
        self.show_tab(tabs[(tabs.index(self.view.tab) + by) % len(tabs)])

    def go_back(self) -> bool:
        """One step back inside: from a page to its list, from items to all calls; False when there is none."""
        view = self.view
        if view.page is not None:
            self.show_tab(view.tab)
        elif view.tab is Tab.TASKS and (view.text or view.group is not None):
            if not view.text and view.group is not None:
                self._row_wanted = CALL, view.group.first_id
            self._list(view.group if view.text else None)
        elif view.tab is Tab.LOG and view.came_from_tasks:
            self.show_tab(Tab.TASKS)
        elif self._trail:
            self.open(self._trail.pop())
            self.screen.set_focus(self.focus_target)
        else:
            return False
        return True

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        """Show the tab whose name was clicked."""
        event.stop()
        self.show_tab(event.tab)

    def on_tree_table_cursor_moved(self, event: TreeTable.CursorMoved) -> None:
        """Show the log of the call under the cursor."""
        event.stop()
        if event.table is self.calls and self.log_panel.display and self.run is not None:
            self.log_panel.show(self.run, self._call_of_log())
            self._narrow_log_soon()

    def _narrow_log_soon(self) -> None:
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLE_SECONDS, self._narrow_log)

    def _narrow_log(self) -> None:
        """Keep the lines of the call under the cursor in the log below; of a map, those of the whole run."""
        if not self.log_panel.display or self.view.tab is not Tab.TASKS:
            return
        line = self.line
        call = line if line is not None and line.group is None else None
        self.log_panel.show_call(call)
        if line is not None and line.state_type in _BROKEN:
            self.log_panel.show_first_error()

    def on_tree_table_opened(self, event: TreeTable.Opened) -> None:
        """Open what was clicked."""
        event.stop()
        self.action_detail_open()

    def on_tree_table_near_edge(self, event: TreeTable.NearEdge) -> None:
        """Rows that are not in memory are asked for when they are drawn."""
        event.stop()

    # -- actions -------------------------------------------------------------------------------------------------

    def action_detail_open(self) -> None:
        """Open the row under the cursor."""
        key = self._cursor()
        line = self.line if self.view.tab is Tab.TASKS else None
        if self.view.page is not None or key is None:
            return
        if key[0] == PARAMETER:
            self.show_tab(Tab.PARAMETERS, ValuePage(str(key[1])))
        elif line is not None and line.group is not None:
            self._list(line)
        elif line is not None:
            self.show_tab(Tab.TASKS, CallPage(line.first_id, line.name))
        elif (run := self._rows.run(key)) is not None and self.run is not None:
            self._trail.append(self.run)
            self.is_open = True
            self.open(run)
            self.post_message(self.RoomWanted())

    def _cursor(self) -> RowKey | None:
        if self.view.tab is Tab.TASKS:
            return self.calls.cursor
        return self.parameters.cursor if self.view.tab is Tab.PARAMETERS else None

    def action_detail_log(self) -> None:
        """Show the log, of the call under the cursor where there is one."""
        line = self._call_of_log()
        came_from_tasks = self.view.tab is Tab.TASKS
        self.show_tab(Tab.LOG)
        self.view.came_from_tasks = came_from_tasks
        self.log_panel.show_call(line if line is not None and line.group is None else None)

    def action_detail_sort(self) -> None:
        """Put the calls into another order."""
        words = self.view.next_order()
        self._read_anew()
        self._services.status.say(f"Calls: {words}.")

    def action_detail_pager(self) -> None:
        """Read what is shown as text with the pager, all of it."""
        page, run = self.view.page, self.run
        if run is None or not self.text.display:
            self._services.status.say("o reads a value, a call, the states or the error; enter opens one.")
            return
        is_value = isinstance(page, ValuePage)
        text = detail_text.value_text(self._parameter_rows.value(page.name)) if is_value else self.text.text
        self._services.read(inert(text))

    async def action_detail_filter(self) -> None:
        """Ask for a text that the names of calls hold."""
        view = self.view
        if view.tab is not Tab.TASKS or view.page is not None:
            self._services.status.say("/ keeps calls by their name in the tab tasks; ] goes there.")
            return
        before = view.text

        def change(text: str) -> None:
            view.text, view.offset = text.strip(), 0
            self._read_anew()

        def end(text: str | None) -> None:
            change(before if text is None else text)

        await self._services.status.prompt("/", before, change, end)
