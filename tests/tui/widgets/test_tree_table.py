"""The table on a screen: only visible rows are made, only changed cells are sent."""

from __future__ import annotations

import time

import pytest
from textual.app import ComposeResult
from textual.geometry import Region

from flowdeck_tui.terminal.quiet_app import QuietApp
from flowdeck_tui.text.row_source import Cell, Row, RowKey
from flowdeck_tui.widgets.columns import Column
from flowdeck_tui.widgets.tree_table import TreeTable
from tests.tui.rows import NumberRows

COLUMNS = (Column("name", "NAME", 20, minimum=8, grows=1), Column("text", "TEXT", 10, drop_order=1))


class RecordingTable(TreeTable):
    """Notes which parts of it are repainted."""

    regions: list[Region]

    def refresh(self, *regions: Region, **options: bool) -> RecordingTable:
        if not hasattr(self, "regions"):
            self.regions = []
        self.regions.extend(regions or (Region(0, 0, 999, 999),))
        return super().refresh(*regions, **options)


class TableApp(QuietApp):
    CSS_PATH = "../../../app/flowdeck_tui/app.tcss"

    def __init__(self, rows: NumberRows) -> None:
        super().__init__()
        self.rows = rows
        self.table = RecordingTable(rows, COLUMNS)
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.set_empty_text("Nothing here.")
        self.table.focus()
        self.table.sync()

    def on_tree_table_cursor_moved(self, event: TreeTable.CursorMoved) -> None:
        self.heard.append(event.key)

    def on_tree_table_opened(self, event: TreeTable.Opened) -> None:
        self.heard.append(("opened", event.key))

    def on_tree_table_near_edge(self, event: TreeTable.NearEdge) -> None:
        side = "start" if event.is_start else "end"
        self.heard.append(("edge" if event.wants_edge else "near", side))

    def lines(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]


@pytest.mark.asyncio
async def test_only_rows_on_the_screen_are_asked_for() -> None:
    """A hundred thousand rows are shown as fast as ten."""
    app = TableApp(NumberRows(100_000))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        assert app.rows.asked <= 20 * 4
        assert app.lines()[0].split() == ["NAME", "TEXT"]
        assert app.lines()[1] == ">row 100000"
        app.rows.asked = 0
        started = time.perf_counter()
        app.table.action_move_bottom()
        assert time.perf_counter() - started < 0.1
        assert app.rows.asked <= 20
        await pilot.pause()
        assert app.lines()[19] == ">row 1"


@pytest.mark.asyncio
async def test_a_changed_cell_repaints_that_cell_alone() -> None:
    """One region, as wide as its column."""
    app = TableApp(NumberRows(100))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        app.table.regions.clear()
        app.rows.texts[98] = "busy"
        app.table.sync()
        assert app.table.regions == [Region(50, 3, 10, 1)]
        await pilot.pause()
        assert app.lines()[3].endswith("busy")
        app.table.regions.clear()
        app.table.sync()
        assert app.table.regions == []


@pytest.mark.asyncio
async def test_moving_the_cursor_repaints_two_lines() -> None:
    """The one it leaves and the one it comes to."""
    app = TableApp(NumberRows(100))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        app.table.regions.clear()
        await pilot.press("j")
        assert app.table.regions == [Region(0, 1, 60, 1), Region(0, 2, 60, 1)]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("keys", "index"),
    [
        ("j j k", 1), ("down down up", 1), ("G", 99), ("end", 99), ("G g", 0), ("G home", 0), ("ctrl+d", 9),
        ("ctrl+d ctrl+u", 0), ("pagedown", 19), ("pagedown pageup", 0), ("k", 0), ("G j", 99),
    ],
)  # fmt: skip
async def test_keys_move_the_cursor(keys: str, index: int) -> None:
    """Vi keys and arrows alike."""
    app = TableApp(NumberRows(100))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press(*keys.split())
        assert app.table.cursor_index == index
        first, stop = app.table.visible_range
        assert first <= index < stop


@pytest.mark.asyncio
async def test_rows_that_arrive_above_leave_the_cursor_on_its_row() -> None:
    """And no message says that it moved."""
    app = TableApp(NumberRows(100))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("j", "j")
        await pilot.pause()
        app.heard.clear()
        app.rows.add(3)
        app.table.sync()
        await pilot.pause()
        assert app.table.cursor == ("n", 98)
        assert app.lines()[6] == ">row 98"
        assert not app.heard


@pytest.mark.asyncio
async def test_the_empty_text_comes_and_goes_as_a_whole() -> None:
    """No word of it stays beside the first row."""
    app = TableApp(NumberRows(0))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        assert "Nothing here." in app.lines()[2]
        app.rows.add()
        app.table.sync()
        await pilot.pause()
        assert "Nothing" not in "".join(app.lines())
        app.rows.numbers.clear()
        app.table.sync()
        await pilot.pause()
        assert "Nothing here." in app.lines()[2]


@pytest.mark.asyncio
async def test_a_new_size_keeps_the_cursor_in_view_and_drops_columns() -> None:
    """Down to a few cells."""
    app = TableApp(NumberRows(100))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("G")
        for size in ((30, 10), (12, 5), (100, 40), (60, 2)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            first, stop = app.table.visible_range
            assert first <= app.table.cursor_index < stop
            assert any(line.startswith(">row 1") for line in app.lines())
        assert app.table.shown_columns == ("name", "text")
        await pilot.resize_terminal(14, 10)
        await pilot.pause()
        assert app.table.shown_columns == ("name",)


@pytest.mark.asyncio
async def test_the_mouse_selects_opens_and_scrolls() -> None:
    """A click selects, a click on the selected row opens, the wheel looks around."""
    app = TableApp(NumberRows(100))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.click(TreeTable, offset=(5, 4))
        assert app.table.cursor == ("n", 97)
        await pilot.click(TreeTable, offset=(5, 4))
        await pilot.pause()
        assert ("opened", ("n", 97)) in app.heard
        app.table.scroll_rows(10)
        await pilot.pause()
        assert app.table.cursor == ("n", 97)
        assert app.table.visible_range == (10, 29)


@pytest.mark.asyncio
async def test_the_edges_of_what_is_loaded_ask_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are fetched before they are missed, at both ends; G and g want the ends themselves."""
    monkeypatch.setattr("flowdeck_tui.widgets.tree_table.NEAR_EDGE_ROWS", 30)
    app = TableApp(NumberRows(100))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("j")
        await pilot.pause()
        assert ("near", "end") not in app.heard
        assert ("near", "start") in app.heard
        await pilot.press("pagedown", "pagedown", "pagedown", "pagedown")
        await pilot.pause()
        assert ("near", "end") in app.heard
        app.heard.clear()
        await pilot.press("G", "g")
        await pilot.pause()
        assert [one for one in app.heard if one[0] == "edge"] == [("edge", "end"), ("edge", "start")]


class TreeRows:
    """One open row with one row below it."""

    def __len__(self) -> int:
        return 2

    def key(self, index: int) -> RowKey:
        return ("t", index)

    def index(self, key: RowKey) -> int | None:
        return int(key[1])

    def row(self, index: int) -> Row:
        if index == 0:
            return Row(("t", 0), {"name": Cell("root-name-of-some-length")}, "", True, Cell("● Running"))
        return Row(("t", 1), {"name": Cell("[b]leaf[/b]")}, "└ ", None, Cell("✓ Completed"))


@pytest.mark.asyncio
async def test_a_tree_shows_its_lines_and_takes_markup_as_text() -> None:
    """Marker, lines, sign, state, name; nothing in a name is interpreted."""
    rows = TreeRows()

    class TreeApp(QuietApp):
        CSS_PATH = "../../../app/flowdeck_tui/app.tcss"

        def compose(self) -> ComposeResult:
            yield TreeTable(rows, COLUMNS, lead_width=13, lead_title="STATE", has_branches=True)

        def on_mount(self) -> None:
            self.query_one(TreeTable).sync()

    app = TreeApp()
    async with app.run_test(size=(40, 6)) as pilot:
        await pilot.pause()
        lines = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
        assert lines[0].startswith("   STATE        NAME")
        assert lines[1].startswith(">▾ ● Running    root-na")
        assert lines[2].startswith(" └   ✓ Completed  [b]leaf")
