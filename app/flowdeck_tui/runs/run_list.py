"""The list half of the Runs pane: its rows as they come and go, its filter, its order and its marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.containers import Vertical
from textual.timer import Timer

from flowdeck.rules.runs import run_filter
from flowdeck.rules.runs.run_filter import FilterError, RunFilter
from flowdeck.rules.runs.run_order import Place, RunOrder, place_of
from flowdeck.rules.text.terminal_text import inert_line
from flowdeck_tui.live import marked_runs
from flowdeck_tui.live.messages import Listed, Listing, News, RunPage, Side, Total
from flowdeck_tui.live.pane_services import PaneServices
from flowdeck_tui.live.run_lister import FIRST_PAGE_RUNS, PAGE_RUNS
from flowdeck_tui.runs import filter_words
from flowdeck_tui.runs.filter_words import Known
from flowdeck_tui.runs.run_columns import COLUMNS, ORDER_WORDS
from flowdeck_tui.runs.run_tree import RUN, RunTree, merge
from flowdeck_tui.text import present
from flowdeck_tui.text.present import STATE_WIDTH, Tone
from flowdeck_tui.widgets.bar import Bar
from flowdeck_tui.widgets.tree_table import TreeTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flowdeck.deck import FlowRun

TYPING_SECONDS: Final = 0.1
"""How long one who types has to pause before the list follows."""
FEW_ROWS: Final = 100
"""When rows went and fewer than this are left, more are read."""
MARKS_MOST: Final = 10_000


class RunList(Vertical):
    """Runs in a table, with the line above that says which they are."""

    def __init__(self, services: PaneServices) -> None:
        """Make an empty list."""
        super().__init__(id="runs")
        self._services = services
        context = services.render_context
        self.tree_rows = RunTree(context)
        self.tree_rows.reason_of = services.waiting_reason
        self.table = TreeTable(
            self.tree_rows,
            COLUMNS,
            glyphs=context.glyphs,
            lead_width=STATE_WIDTH + 1,
            lead_title="STATE",
            has_branches=True,
            id="runs-table",
        )
        self._title = Bar(glyphs=context.glyphs, id="runs-title")
        self.listing = Listing()
        self._total: Total | None = None
        self._loading: Side | None = Side.START
        self._lingering: int | None = None
        """A run that no longer belongs to the list, and stays while the cursor is on it."""
        self._anchor: tuple[int, Place] | None = None
        """Where a range of marks begins."""
        self._typed = ""
        """The filter as it was typed last, whether or not it can be read."""
        self._hint: tuple[str, Tone] = ("", Tone.MUTED)
        """What the title says of the filter that is being typed."""
        self._typing: Timer | None = None

    # -- what comes in -------------------------------------------------------------------------------------------

    def take_rows(self, news: News) -> None:
        """Take over what the pump has read."""
        page = news.page
        if page is not None and page.listing == self.listing:
            self._take_page(page)
        self.tree_rows.update(news.runs)
        if news.listed is not None and news.listed.listing == self.listing:
            self._sort_in(news.runs, news.listed)
        self._remove(news.removed)
        for key, (calls, subflows) in news.children.items():
            self.tree_rows.set_children(key, merge(calls, subflows))
        if news.total is not None and news.total.filter == self.listing.filter:
            self._total = news.total
        if news.is_list_outdated:
            self._read_again()
        else:
            self._fill()

    def _take_page(self, page: RunPage) -> None:
        rows, window = self.tree_rows, self.tree_rows.window
        is_new = page.side in (Side.START, Side.END) and page.is_first_part
        if is_new:
            window.clear(page.listing.order, is_at_start=page.side is Side.START, is_at_end=page.side is Side.END)
            self._lingering = None
        rows.extend(page.runs)
        if page.is_done:
            self._loading = None
        if page.is_edge and page.side in (Side.START, Side.BEHIND):
            window.is_at_end = True
        elif page.is_edge:
            window.is_at_start = True
        if is_new:
            rows.forget()
            self._place_cursor(page.side)
        else:
            rows.trim(keep_start=page.side is Side.BEFORE)

    def _place_cursor(self, side: Side) -> None:
        cursor = self.table.cursor
        if side is Side.END:
            self.table.show_row(len(self.tree_rows) - 1)
        elif cursor is None or self.tree_rows.index(cursor) is None:
            self.table.show_row(0)

    def _sort_in(self, runs: Iterable[FlowRun], listed: Listed) -> None:
        """Put each run where it belongs now; one that left the list goes, unless the cursor is on it."""
        for run in runs:
            if run.key in listed.keys:
                self.tree_rows.put(run)
                self._lingering = None if self._lingering == run.key else self._lingering
            elif (RUN, run.key) == self.table.cursor:
                self._lingering = run.key
            else:
                self.tree_rows.drop([run.key])
        self._unmark(run.key for run in runs if run.key not in listed.keys)
        if self.table.visible_range[0] == 0:
            self.tree_rows.trim(keep_start=True)

    def _remove(self, keys: frozenset[int]) -> None:
        if keys:
            self.tree_rows.remove(keys)
            self._unmark(keys)

    def _read_again(self) -> None:
        """Too much has changed to follow: read what is here as it is now."""
        window = self.tree_rows.window
        if window.is_at_start:
            self._load(Side.START, max(FIRST_PAGE_RUNS, len(window)))
        else:
            self._services.pump.look_at(frozenset(window))

    def _fill(self) -> None:
        """Read on when so many rows have left the list that its end may show."""
        window = self.tree_rows.window
        if self._loading is None and not window.is_at_end and len(window) < FEW_ROWS:
            self._load(Side.BEHIND if len(window) else Side.START)

    def on_tree_table_near_edge(self, event: TreeTable.NearEdge) -> None:
        """Continue the list, or go to its other end."""
        if event.table is not self.table:
            return
        event.stop()
        window = self.tree_rows.window
        if window.is_at_start if event.is_start else window.is_at_end:
            return
        if event.wants_edge:
            side = Side.START if event.is_start else Side.END
            if self._loading is not side:
                self._load(side, FIRST_PAGE_RUNS)
        elif self._loading is None:
            self._load(Side.BEFORE if event.is_start else Side.BEHIND)

    def _load(self, side: Side, number: int = PAGE_RUNS) -> None:
        window = self.tree_rows.window
        places = {Side.BEFORE: window.first, Side.BEHIND: window.last}
        self._loading = side
        self._services.pump.load(self.listing, side, places.get(side), number)

    # -- what is drawn -------------------------------------------------------------------------------------------

    def draw_rows(self) -> None:
        """Draw rows and title anew; only what differs is sent."""
        self._tell_empty()
        self.table.sync()
        self.show_title()

    def _tell_empty(self) -> None:
        if self._loading is Side.START:
            self.table.set_empty_text("Looking for runs.")
        elif self.listing.filter:
            self.table.set_empty_text("No run matches the filter.", "", "esc   takes the filter away")
        else:
            self.table.set_empty_text(
                "No runs yet.", "", "3     shows the flows of this folder", "t     on a flow runs it"
            )

    def show_title(self) -> None:
        """Say which runs these are, in which order, and how many."""
        wanted, order = self.listing.filter, self.listing.order
        hint, tone = self._hint
        if hint:
            left = ((f" {hint}", tone),)
        elif wanted:
            left = ((f" /{inert_line(wanted.text)}", Tone.STRONG), ("   esc all runs", Tone.MUTED))
        else:
            left = ((f" all runs, {ORDER_WORDS[order]}", Tone.MUTED),)
        parts = [ORDER_WORDS[order]] if wanted or hint else []
        if self._anchor is not None:
            parts.append("range")
        right = [("  ".join(parts), Tone.MUTED)]
        if self.tree_rows.marks:
            right.append((f"  {len(self.tree_rows.marks):,} marked", Tone.STRONG))
        right.append((f"  {self._count_text()} ", Tone.MUTED))
        self._title.show(left, tuple(right))

    def _count_text(self) -> str:
        if self._total is None:
            return "counting"
        number = max(0, self._total.number - len(self.tree_rows.hidden))
        return ("" if self._total.is_exact else "more than ") + present.count_of(number, "run")

    def let_go(self) -> None:
        """The cursor has moved: a run that stayed only because of it goes."""
        lingering = self._lingering
        if lingering is not None and (RUN, lingering) != self.table.cursor:
            self._lingering = None
            self.tree_rows.drop([lingering])
            self.table.sync()

    # -- which runs, in which order ------------------------------------------------------------------------------

    def set_listing(self, listing: Listing) -> None:
        """List other runs, or in another order."""
        if listing == self.listing:
            return
        if listing.filter != self.listing.filter:
            self.clear_marks()
            self._total = None
        self.listing = listing
        self._loading = Side.START
        self._services.pump.set_listing(listing)
        self.show_title()

    def set_filter(self, wanted: RunFilter) -> None:
        """List other runs, in the same order."""
        self._typed = wanted.text
        self.set_listing(Listing(wanted, self.listing.order))

    def show_run(self, run: FlowRun) -> None:
        """Put the cursor on a run, wherever in the list it stands; a filter that may hide it goes."""
        window = self.tree_rows.window
        if self.listing.filter and run.key not in window:
            self.set_filter(run_filter.EVERYTHING)
        self.tree_rows.put(run)
        if run.key not in window:
            window.clear(self.listing.order, is_at_start=False, is_at_end=False)
            self.tree_rows.extend([run])
            self._loading = None
        self.table.sync()
        self.table.select((RUN, run.key))

    def action_row_sort(self) -> None:
        """Take the next order."""
        orders = list(RunOrder)
        order = orders[(orders.index(self.listing.order) + 1) % len(orders)]
        self.set_listing(Listing(self.listing.filter, order))
        self._services.status.say(f"Runs {ORDER_WORDS[order]}.", echo=self._echo())

    def _echo(self) -> str:
        return marked_runs.list_echo(self.listing)

    async def action_row_filter(self) -> None:
        """Ask for a filter; the list follows as it is typed."""
        before = self.listing.filter

        def end(text: str | None) -> None:
            self._stop_typing()
            self._hint = ("", Tone.MUTED)
            if text is None:
                self.set_filter(before)
            else:
                self._typed = text
                self._apply(text, is_whole=True)
            self.show_title()

        await self._services.status.prompt("/", self._typed, self._follow_typing, end, complete=self._complete)

    def _follow_typing(self, text: str) -> None:
        self._stop_typing()
        self._hint = (filter_words.hint(text, self._known()), Tone.MUTED)
        self.show_title()
        self._typing = self.set_timer(TYPING_SECONDS, lambda: self._apply(text))

    def _stop_typing(self) -> None:
        if self._typing is not None:
            self._typing.stop()
            self._typing = None

    def _apply(self, text: str, *, is_whole: bool = False) -> None:
        """List what a text means; one that cannot be read changes nothing, and is told when it is meant to be whole."""
        try:
            wanted = run_filter.parse(text, self._services.render_context.now(), self._services.render_context.zone)
        except FilterError as error:
            if is_whole:
                self._services.status.say(inert_line(str(error)), tone=Tone.WARN)
            elif not self._hint[0]:  # while words are offered, the last one is not whole yet
                self._hint = (inert_line(str(error)), Tone.WARN)
                self.show_title()
            return
        self.set_listing(Listing(wanted, self.listing.order))
        if is_whole and wanted:
            self._services.status.say("", echo=self._echo())

    def _complete(self, text: str, cursor: int) -> tuple[str, int]:
        return filter_words.complete(text, cursor, self._known())

    def _known(self) -> Known:
        runs = [run for key in self.tree_rows.window if (run := self.tree_rows.run(key)) is not None]
        return Known(
            flows=tuple(sorted({*self._services.flow_names, *(run.flow_name for run in runs)})),
            tags=tuple(sorted({tag for run in runs for tag in run.tags})),
        )

    # -- marks ---------------------------------------------------------------------------------------------------

    def _markable(self) -> FlowRun | None:
        """Return the run of the list under the cursor; say why there is none."""
        key = self.table.cursor
        run = None if key is None or key[0] != RUN else self.tree_rows.run(int(key[1]))
        if run is None or run.key not in self.tree_rows.window:
            self._services.status.say("Runs of the list can be marked; this row stands below one.")
            return None
        return run

    def action_mark_toggle(self) -> None:
        """Mark the run, or take its mark away, and go on to the next row."""
        run = self._markable()
        if run is not None:
            self._set_marks(self.tree_rows.marks ^ {run.key})
            self.table.action_move_down()

    def action_mark_range(self) -> None:
        """Begin a range at the run; the second time mark all from there to here."""
        run = self._markable()
        if run is None:
            return
        order = self.listing.order
        place = place_of(run, order)
        if self._anchor is None:
            self._anchor = (run.key, place)
            self._set_marks(self.tree_rows.marks | {run.key})
            self._services.status.say("A range begins here; V at its other end marks it.")
            return
        anchor_key, anchor = self._anchor
        self._anchor = None
        first, last = sorted((anchor, place), key=lambda one: one.rank(order))

        def mark(keys: list[int]) -> None:
            self._set_marks(self.tree_rows.marks | {anchor_key, run.key} | frozenset(keys))

        self._ask_keys(mark, after=first, until=last)

    def action_mark_invert(self) -> None:
        """Mark the runs of the list that are not marked, and no others."""

        def invert(keys: list[int]) -> None:
            self._set_marks(frozenset(keys) - self.tree_rows.marks)

        self._ask_keys(invert)

    def _ask_keys(
        self, take: Callable[[list[int]], None], *, after: Place | None = None, until: Place | None = None
    ) -> None:
        listing = self.listing

        def mark(keys: list[int] | None) -> None:
            if keys is None or listing != self.listing:
                return
            if len(keys) > MARKS_MOST:
                text = f"These are more than {MARKS_MOST:,} runs; / with a filter makes them fewer."
                self._services.status.say(text, tone=Tone.WARN)
            else:
                take([key for key in keys if key not in self.tree_rows.hidden])

        self._services.submit(marked_runs.list_keys(listing, after, until, MARKS_MOST + 1, mark))

    def _set_marks(self, keys: frozenset[int]) -> None:
        self.tree_rows.marks = keys
        self.draw_rows()

    def _unmark(self, keys: Iterable[int]) -> None:
        self.tree_rows.marks = self.tree_rows.marks.difference(keys)

    def clear_marks(self) -> bool:
        """Take all marks and the beginning of a range away; False when there were none."""
        had_some = bool(self.tree_rows.marks) or self._anchor is not None
        self._anchor = None
        self._set_marks(frozenset())
        return had_some
