"""What the keys of a log do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.containers import Vertical

from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.actions.action import Context
from flowdeck_tui.actions.actions import bindings
from flowdeck_tui.live.pane_services import PaneServices
from flowdeck_tui.log import log_outlets
from flowdeck_tui.log.log_marks import Found
from flowdeck_tui.log.log_view import LogView
from flowdeck_tui.terminal.clipboard import CopyChoice
from flowdeck_tui.text.present import Tone

if TYPE_CHECKING:
    from flowdeck.deck import FlowRun

SIDEWAYS_COLUMNS: Final = 16


class LogKeys(Vertical):
    """A log with its keys; what it is the log of is for others to say."""

    BINDINGS: ClassVar = bindings(Context.LOG)
    action_context: ClassVar[Context] = Context.LOG

    def __init__(self, services: PaneServices, *, id: str) -> None:
        """Make an empty log.

        Args:
            services: the app, as panes see it.
            id: id of the widget.
        """
        super().__init__(id=id)
        self._services = services
        self.log_view = LogView(ellipsis=services.render_context.glyphs.ellipsis, id="log")
        self._run: FlowRun | None = None
        self._search = self._filter = ""

    def copy_choices(self) -> list[CopyChoice]:
        """Return what may be copied of the log."""
        return log_outlets.copy_choices(self.log_view.page)

    async def action_copy_open(self) -> None:
        """Ask what to copy."""
        await self._services.open_copy()

    # -- following, looks ----------------------------------------------------------------------------------------

    def action_log_follow(self) -> None:
        """Stay at the end, or stop doing so."""
        if self._run is not None and self._run.is_final:
            self._services.status.say("This run is over; G goes to the end of its log.")
            return
        self.log_view.toggle_follow()
        self._services.status.say(
            "The log follows its end." if self.log_view.status.follows else "The log stands still."
        )

    def action_log_time(self) -> None:
        """Change the time column."""
        self.log_view.cycle_time()
        self._services.status.say(f"Time column: {self.log_view.status.time_mode}.")

    def action_log_wrap(self) -> None:
        """Let long lines go on in the next row, or cut them."""
        self.log_view.toggle_wrap()
        is_wrapped = self.log_view.status.wraps
        self._services.status.say("Long lines go on below." if is_wrapped else "Long lines are cut; → shows the rest.")

    def action_log_json(self) -> None:
        """Spread the JSON of the current line over lines of its own, or put it together again."""
        if not self.log_view.toggle_json():
            self._services.status.say("The current line holds no JSON object; k and j choose another.")

    def action_log_mark(self) -> None:
        """Mark the current line, or take its mark away."""
        self.log_view.toggle_flag()
        marked = self.log_view.status.marked
        self._services.status.say(f"{marked:,} marked; y copies them." if marked else "Nothing is marked.")

    def action_log_select(self) -> None:
        """Select from the current line on."""
        self.log_view.toggle_selection()
        is_on = self.log_view.status.selected
        self._services.status.say("j and k select, y copies, esc ends it." if is_on else "Nothing is selected.")

    # -- search, errors ------------------------------------------------------------------------------------------

    async def action_log_search(self) -> None:
        """Ask for a text and go to it as it is typed."""

        def end(text: str | None) -> None:
            self._search = text or ""
            self.log_view.search(self._search)
            self.log_view.keep_search()
            self._tell_problem(self._search, self.log_view.status.search)

        await self._services.status.prompt("find", self._search, self.log_view.search, end)

    def action_log_next(self) -> None:
        """Next match."""
        if self._has_search():
            self.log_view.go_to_match(1)

    def action_log_previous(self) -> None:
        """Match before."""
        if self._has_search():
            self.log_view.go_to_match(-1)

    def _has_search(self) -> bool:
        found = self.log_view.status.search
        if not self._search:
            self._services.status.say("Nothing is searched yet; / asks for a text.")
        elif found.problem:
            self._tell_problem(self._search, found)
            return False
        elif not found.matches and not found.is_searching:
            self._services.status.say(f"No line holds {inert_line(self._search)}.")
            return False
        return bool(self._search)

    def _tell_problem(self, text: str, found: Found) -> None:
        if found.problem:
            self._services.status.say(f"{inert_line(text)} {inert_line(found.problem)}.", tone=Tone.BAD)

    def action_log_error(self) -> None:
        """Next error."""
        self._go_to_error(1)

    def action_log_error_before(self) -> None:
        """Error before."""
        self._go_to_error(-1)

    def _go_to_error(self, direction: int) -> None:
        self.log_view.go_to_error(direction)
        found = self.log_view.status.errors
        if not found.matches and not found.is_searching:
            self._services.status.say("No line that is shown is an error.")

    # -- which lines ---------------------------------------------------------------------------------------------

    async def action_log_filter(self) -> None:
        """Ask for a regular expression and show only lines that match, as it is typed."""
        before = self._filter

        def end(text: str | None) -> None:
            self._filter = before if text is None else text
            self.log_view.set_filter(self._filter)
            self._tell_problem(self._filter, self.log_view.status.filter)

        await self._services.status.prompt("keep lines with", before, self.log_view.set_filter, end)

    def action_log_level_down(self) -> None:
        """Show records of the level below too."""
        self._step_level(-1)

    def action_log_level_up(self) -> None:
        """Show no more records of the lowest level that is shown."""
        self._step_level(1)

    def _step_level(self, by: int) -> None:
        # Imported here: it brings SQLite, and the first paint must not wait for that.
        from flowdeck.deck import LOG_LEVELS  # noqa: PLC0415

        level = self.log_view.status.least_level or LOG_LEVELS[0]
        wanted = LOG_LEVELS.index(level) + by
        if not 0 <= wanted < len(LOG_LEVELS):
            self._services.status.say(f"{level} is the {'highest' if by > 0 else 'lowest'} level.")
            return
        self.log_view.set_level(LOG_LEVELS[wanted] if wanted else "")
        self._services.status.say(f"{LOG_LEVELS[wanted]} and above." if wanted else "All levels.")

    def step_back(self) -> bool:
        """End what was begun last: the selection, the search, the filter; False when there was nothing."""
        status = self.log_view.status
        if status.selected:
            self.log_view.toggle_selection()
        elif status.search.text or status.errors.text:
            self._search = ""
            self.log_view.end_search()
        elif status.filter.text:
            self._filter = ""
            self.log_view.set_filter("")
        elif status.least_level:
            self.log_view.set_level("")
        else:
            return False
        return True

    # -- moving --------------------------------------------------------------------------------------------------

    def action_log_right(self) -> None:
        """What long lines go on with."""
        self.log_view.scroll_columns(SIDEWAYS_COLUMNS)

    def action_log_left(self) -> None:
        """Back towards the start of the lines."""
        self.log_view.scroll_columns(-SIDEWAYS_COLUMNS)

    def action_move_down(self) -> None:
        """One line down."""
        self.log_view.move_cursor(1)

    def action_move_up(self) -> None:
        """One line up."""
        self.log_view.move_cursor(-1)

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
