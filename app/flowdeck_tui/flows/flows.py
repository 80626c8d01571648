"""Pane 3: the flows of watched folders; below them what is known of one, or why its file cannot be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical

from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.actions.action import Context
from flowdeck_tui.actions.actions import bindings
from flowdeck_tui.flows.flow_list import FlowList, flow_detail, key_of
from flowdeck_tui.live.messages import News
from flowdeck_tui.live.pane_services import PaneServices
from flowdeck_tui.menus.copy_choices import copies_of_flow
from flowdeck_tui.terminal.clipboard import CopyChoice
from flowdeck_tui.terminal.editor import place_of_flow
from flowdeck_tui.text import present
from flowdeck_tui.text.present import ROOM_FOR_TWO, Tone, is_broken
from flowdeck_tui.text.row_source import RowKey
from flowdeck_tui.widgets.bar import Bar
from flowdeck_tui.widgets.columns import Column
from flowdeck_tui.widgets.text_panel import TextPanel
from flowdeck_tui.widgets.tree_table import TreeTable

if TYPE_CHECKING:
    from flowdeck.deck import FlowEntry

COLUMNS: Final = (
    Column("name", "FLOW", 24, minimum=16, grows=2, cut="middle"),
    Column("file", "FILE", 22, minimum=12, grows=2, cut="middle"),
    Column("last", "LAST RUN", 14),
    Column("ended", "ENDED", 8, drop_order=2),
    Column("about", "ABOUT", 40, drop_order=3, grows=6),
)

FOLDER: Final = Column("folder", "FOLDER", 20, minimum=10, drop_order=4, grows=2, cut="middle")


FLOWS: Final = "3"
"""Number of the pane."""


class FlowsPane(Vertical):
    """Flows and the description of one of them."""

    BINDINGS: ClassVar = bindings(Context.FLOWS)
    action_context: ClassVar[Context] = Context.FLOWS

    def __init__(self, services: PaneServices, folder: str) -> None:
        """Make an empty pane.

        Args:
            services: the app, as panes see it.
            folder: whose flows are shown.
        """
        super().__init__(id="flows")
        self._services = services
        self._folder = inert_line(folder)
        self.rows = FlowList(services.render_context, folder)
        self.table = TreeTable(self.rows, COLUMNS, glyphs=services.render_context.glyphs, id="flows-table")
        self.detail = TextPanel(glyphs=services.render_context.glyphs, id="flow-detail")
        self._title = Bar(glyphs=services.render_context.glyphs, id="flows-title")
        self._rule = Bar(
            glyphs=services.render_context.glyphs, fill=services.render_context.glyphs.rule, id="flow-rule"
        )
        self._is_read = False
        self._shown_key: RowKey | None = None

    def compose(self) -> ComposeResult:
        """Folder line, table, description."""
        yield self._title
        yield self.table
        yield self._rule
        yield self.detail

    @property
    def entry(self) -> FlowEntry | None:
        """The flow under the cursor."""
        return self.rows.entry(self.table.cursor)

    @property
    def widget(self) -> FlowsPane:
        """The widget that is shown and hidden."""
        return self

    def why_not(self, action_id: str) -> str | None:
        """Say why an action cannot be done to the flow under the cursor: what cannot is said when it is tried."""
        return None

    def take(self, news: News) -> None:
        """Show what the pump has read."""
        entries: list[FlowEntry] | None = news.panes.get(FLOWS)
        if entries is None:
            return
        self._is_read = True
        self.rows.replace(entries)
        # Which folder a flow is of says something only where there are several.
        self.table.set_columns((*COLUMNS[:2], FOLDER, *COLUMNS[2:]) if self.rows.has_folders else COLUMNS)
        self.refresh_rows()

    def refresh_rows(self) -> None:
        """Draw anew; only what differs is sent."""
        if not self._is_read:
            self.table.set_empty_text("Looking for flows.")
        elif self.rows.filter:
            self.table.set_empty_text("No flow matches the filter.", "", "esc   takes the filter away")
        else:
            self.table.set_empty_text(
                "No flows in this folder yet.",
                "",
                "A flow is a function with @flow above it, in a file that imports flowdeck.",
                "Save one here and it shows up by itself.",
            )
        self.table.sync()
        self._show_title()
        self._show_detail()

    def _show_title(self) -> None:
        number = len({(entry.file, entry.function) for entry in self.rows.entries if entry.function})
        right = present.count_of(number, "flow") if self._is_read else ""
        left = ((f" {self._folder}", Tone.MUTED),)
        if self.rows.filter:
            left = ((f" /{inert_line(self.rows.filter)}", Tone.STRONG), ("   esc all flows  ", Tone.MUTED), *left)
        self._title.show(left, ((f"  {right} ", Tone.MUTED),))

    def _show_detail(self) -> None:
        entry, key = self.entry, self.table.cursor
        rule = self._services.render_context.glyphs.rule
        if entry is None:
            self._rule.show(((rule * 2, Tone.MUTED),))
            self.detail.show([])
            return
        name = inert_line(entry.name or entry.file)
        self._rule.show(((rule * 2, Tone.MUTED), (f" {name} ", Tone.STRONG)))
        self.detail.show(flow_detail(entry), keep_place=key == self._shown_key)
        self._shown_key = key

    def on_resize(self, event: events.Resize) -> None:
        """On a low screen list and description do not share it."""
        # Textual's own breakpoints style all widgets once more at the start, which costs 15 ms there.
        self.set_class(event.size.height < ROOM_FOR_TWO, "-tiny")

    def reveal(self, flow_name: str) -> None:
        """Put the cursor on a flow; a filter that hides it goes."""
        self._reveal([entry for entry in self.rows.entries if entry.name == flow_name])

    def reveal_broken(self) -> None:
        """Put the cursor on the next row of a file that cannot be imported."""
        self._reveal([entry for entry in self.rows.entries if is_broken(entry)])

    def _reveal(self, wanted: list[FlowEntry]) -> None:
        if self.rows.filter:
            self.rows.set_filter("")
            self.refresh_rows()
        keys = [key_of(entry) for entry in wanted]
        places = sorted(index for key in keys if (index := self.rows.index(key)) is not None)
        if places:
            behind = [index for index in places if index > self.table.cursor_index]
            self.table.select(self.rows.key(behind[0] if behind else places[0]))
        self._show_detail()

    def copy_choices(self) -> list[CopyChoice]:
        """What can be copied of the flow under the cursor."""
        return [] if self.entry is None else copies_of_flow(self.entry)

    async def action_copy_open(self) -> None:
        """Ask what to copy."""
        await self._services.open_copy()

    def focus_default(self) -> None:
        """Give the keyboard to the list."""
        self.screen.set_focus(self.table)

    def on_tree_table_cursor_moved(self, event: TreeTable.CursorMoved) -> None:
        """Describe the flow under the cursor."""
        event.stop()
        self._show_detail()

    def on_tree_table_opened(self, event: TreeTable.Opened) -> None:
        """Open what was clicked."""
        event.stop()
        self.action_row_open()

    def on_tree_table_near_edge(self, event: TreeTable.NearEdge) -> None:
        """The list is whole."""
        event.stop()

    # -- actions -------------------------------------------------------------------------------------------------

    def _say_no_flow(self) -> None:
        heading = self.rows.heading(self.table.cursor)
        self._services.status.say("There is no flow here yet." if heading is None else heading.about)

    def _need_flow(self) -> FlowEntry | None:
        entry = self.entry
        if entry is None:
            self._say_no_flow()
        elif entry.name is None:
            self._services.status.say(
                f"{inert_line(entry.file)} cannot be imported; mend the file first.", tone=Tone.WARN
            )
            return None
        return entry

    def action_row_open(self) -> None:
        """Show the runs of the flow."""
        entry = self._need_flow()
        if entry is not None and entry.name is not None:
            self._services.show_runs_of(entry.name)

    async def action_flow_run(self) -> None:
        """Open the run form."""
        entry = self._need_flow()
        if entry is None:
            return
        await self._services.open_form(entry)

    def action_log_full(self) -> None:
        """Show the log of the flow's last run."""
        entry = self._need_flow()
        if entry is None:
            return
        if entry.last_run_id is None:
            self._services.status.say(f"{inert_line(entry.name or '')} has not run yet; t runs it.")
        else:
            self._services.show_log_of(entry.last_run_id)

    def action_source_edit(self) -> None:
        """Open the line of the flow, or the one that cannot be imported."""
        entry = self.entry
        if entry is None:
            self._say_no_flow()
        else:
            self._services.edit(place_of_flow(entry))

    def action_view_back(self) -> None:
        """Take the filter away, or go from the description to the list."""
        if self.rows.filter:
            self.rows.set_filter("")
            self.refresh_rows()
        elif self.screen.focused is not self.table:
            self.screen.set_focus(self.table)
        else:
            self._services.status.say("This is the top: 1 shows the runs, q quits.")

    def action_view_zoom(self) -> None:
        """Give the pane to the list or to the description, or share it again."""
        shown = {"-list-only", "-detail-only"}.intersection(self.classes)
        self.remove_class(*shown)
        if not shown:
            self.add_class("-list-only" if self.screen.focused is self.table else "-detail-only")

    async def action_row_filter(self) -> None:
        """Ask for a text that rows must hold."""
        before = self.rows.filter

        def change(text: str) -> None:
            self.rows.set_filter(text.strip())
            self.refresh_rows()

        def end(text: str | None) -> None:
            if text is None:
                change(before)

        await self._services.status.prompt("/", before, change, end)
