"""The log on the screen: the right lines, live, standing still when asked to, and never more than what changed."""

import os
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Region

from flowdeck.deck import LogLine
from flowdeck.store.log_reader import LogReader
from flowdeck.store.log_writer import LogWriter
from flowdeck_tui.widgets.log_lines import LogTone
from flowdeck_tui.widgets.log_search import SLICE_LINES
from flowdeck_tui.widgets.log_view import LogView

AT = 1_795_361_153_123_456
SIZES = [(80, 24), (160, 48)]


def cells_of(text: str) -> list[str]:
    """Spread a row over its cells; a wide character fills two, a combining mark none."""
    cells: list[str] = []
    for character in text:
        width = cell_len(character)
        if width == 0 and cells:
            cells[-1] += character
        else:
            cells.extend([character, ""][:width])
    return cells


class RecordingView(LogView):
    """Keeps a picture as a terminal has it: only what was marked for repainting is copied to it."""

    def __init__(self, source: LogReader) -> None:
        super().__init__(source)
        self.marked: list[Region] = []
        self.picture: list[list[str]] = []

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> LogView:
        self.marked.extend(regions or [Region(0, 0, 10_000, 10_000)])
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def whole(self) -> list[str]:
        """What a full repaint draws."""
        return [self.render_line(y).text for y in range(self.size.height)]

    def paint(self) -> list[str]:
        """Copy the marked cells."""
        rows = [cells_of(row) for row in self.whole()]
        self.picture = (self.picture + [[" "] * self.size.width for _ in rows])[: len(rows)]
        for region in self.marked:
            for y in range(region.y, min(region.bottom, len(rows))):
                self.picture[y][region.x : region.right] = rows[y][region.x : region.right]
        self.marked.clear()
        return ["".join(row) for row in self.picture]


class LogApp(App[None]):
    """One log over the whole screen."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.writer = LogWriter(path)
        self.reader = LogReader(path)
        self.seconds = 0
        self.statuses = 0

    def compose(self) -> ComposeResult:
        self.reader.refresh()
        yield RecordingView(self.reader)

    @property
    def view(self) -> RecordingView:
        return self.query_one(RecordingView)

    def say(self, *texts: str, level: int = 20) -> None:
        for text in texts:
            self.seconds += 1
            self.writer.append(AT + self.seconds * 1_000_000, level, "logger", 3, "load-3", text)

    def on_log_view_status_changed(self) -> None:
        self.statuses += 1

    def feed(self) -> list[str]:
        """Do what the pump does; returns the texts on the screen."""
        self.reader.refresh()
        self.view.feed()
        return self.texts()

    def texts(self) -> list[str]:
        """The text column of the rows that have one."""
        rows = [row for row in self.view.paint() if row.strip()]
        return [re.split(r"load-3 +|  \| ", row, maxsplit=1)[-1].rstrip() for row in rows]


@pytest.fixture
def app(tmp_path: Path) -> LogApp:
    return LogApp(tmp_path / "run.log")


def numbered(count: int, start: int = 0) -> list[str]:
    return [f"line {number}" for number in range(start, start + count)]


# -- on the screen ---------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_opens_at_the_end(app: LogApp, size: tuple[int, int]) -> None:
    """A long log shows its last page, the newest line in the last row."""
    app.say(*numbered(500))
    async with app.run_test(size=size):
        assert app.texts() == numbered(size[1], 500 - size[1])
        assert app.view.status.follows


@pytest.mark.asyncio
async def test_row_reads_as_documented(app: LogApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time, level, task, text; a continuation is marked and starts below the task."""
    app.say("first\n  second", level=40)
    async with app.run_test(size=(80, 24)):
        head, continuation = app.view.whole()[:2]
        assert re.fullmatch(r" \d\d:\d\d:54 E load-3         first +", head)
        assert re.fullmatch(r" {10}\|   second +", continuation)
        app.view.cycle_time()
        assert app.view.whole()[0].startswith("  +0:00:00.0 E load-3 ")
        app.view.cycle_time()
        assert app.view.whole()[0].startswith(" E load-3 ")
        app.view.cycle_time()
        assert app.view.whole()[0] == head


@pytest.mark.asyncio
async def test_empty_log_says_so_and_fills(app: LogApp) -> None:
    """A run that has logged nothing yet is not a blank screen."""
    async with app.run_test(size=(80, 24)):
        assert app.view.whole()[0].strip() == "Nothing logged yet."
        app.view.set_empty_text("Waits for a slot.")
        assert app.view.whole()[0].strip() == "Waits for a slot."
        app.say("hello")
        assert app.feed() == ["hello"]
        app.view.show(None)
        assert app.view.whole()[0].strip() == "Waits for a slot."


@pytest.mark.asyncio
async def test_nothing_new_sends_nothing(app: LogApp) -> None:
    """Idle costs no byte, and a new line marks its own cells only."""
    app.say(*numbered(5))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.view.marked.clear()
        app.feed()
        app.view.scroll_lines(1)
        app.view.scroll_lines(-1)
        app.view.go_bottom()
        assert app.view.marked == []
        app.say("new")
        app.reader.refresh()
        app.view.feed()
        (region,) = app.view.marked
        assert (region.y, region.height) == (5, 1)
        assert region.right == len(app.view.whole()[5].rstrip())


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_follow_fills_the_page_then_jumps_half(app: LogApp, size: tuple[int, int]) -> None:
    """While following, the newest line is always there, and the view moves only once in half a page."""
    height = size[1]
    app.say(*numbered(height))
    async with app.run_test(size=size):
        tops: set[int] = set()
        for number in range(height, 4 * height):
            app.say(f"line {number}")
            assert app.feed()[-1] == f"line {number}"
            tops.add(app.view.visible_range[0])
        assert len(tops) == 6
        app.say(*numbered(1000, 4 * height))
        assert app.feed() == numbered(height, 1000 + 3 * height)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_scrolling_up_pauses_until_the_end(app: LogApp, size: tuple[int, int]) -> None:
    """A paused view stands still whatever comes, says how much lies below, and goes on from the end."""
    app.say(*numbered(500))
    async with app.run_test(size=size):
        app.view.scroll_lines(-1)
        before = app.texts()
        assert not app.view.status.follows
        assert before[0] == f"line {499 - size[1]}"
        assert re.search(r"line \d+ +\+1 line *$", before[-1])
        app.say(*numbered(2000, 500))
        after = app.feed()
        assert after[:-1] == before[:-1]
        assert re.search(r"line \d+ +\+2,001 lines *$", after[-1])
        app.view.scroll_lines(2000)
        assert not app.view.status.follows
        app.view.scroll_lines(1)
        assert app.view.status.follows
        assert app.texts() == numbered(size[1], 2500 - size[1])


@pytest.mark.asyncio
async def test_follow_is_the_users_word(app: LogApp) -> None:
    """Stopped by its key, arriving at the end does not start it again; its key or going to the end does."""
    app.say(*numbered(100))
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.toggle_follow()
        view.scroll_lines(5)
        assert not view.status.follows
        app.say("more")
        assert app.feed()[-1].endswith("+1 line")
        view.toggle_follow()
        assert view.status.follows
        assert app.texts()[-1] == "more"
        view.go_top()
        assert (view.visible_range, view.status.follows) == ((0, 24), False)
        view.go_bottom()
        assert (view.visible_range, view.status.follows) == ((77, 101), True)


@pytest.mark.asyncio
async def test_pages_and_wheel(app: LogApp) -> None:
    """Pages, halves and the wheel move by what they say; a click on the count goes to the end."""
    app.say(*numbered(200))
    async with app.run_test(size=(80, 24)) as pilot:
        view = app.view
        view.scroll_pages(-1)
        assert view.visible_range[0] == 152
        view.scroll_pages(-0.5)
        assert view.visible_range[0] == 140
        view.scroll_pages(0.5)
        assert view.visible_range[0] == 152
        wheel = dict.fromkeys(("delta_x", "delta_y", "button"), 0)
        for kind, top in ((events.MouseScrollUp, 149), (events.MouseScrollDown, 152)):
            view.post_message(kind(view, x=1, y=1, shift=False, meta=False, ctrl=False, **wheel))
            await pilot.pause()
            assert view.visible_range[0] == top
        await pilot.click(RecordingView, offset=(10, 23))
        assert not view.status.follows
        await pilot.click(RecordingView, offset=(75, 23))
        assert view.status.follows


@pytest.mark.asyncio
async def test_resize_keeps_the_place(app: LogApp) -> None:
    """Another size keeps the first line of a paused view, and the last one of a following view; none is too small."""
    app.say(*numbered(300))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.resize_terminal(160, 48)
        assert app.texts() == numbered(48, 252)
        app.view.scroll_lines(-100)
        await pilot.resize_terminal(30, 10)
        assert app.view.visible_range == (152, 162)
        assert "line 152" in app.view.whole()[0]
        app.view.styles.height = 0
        await pilot.pause()
        app.say("unseen")
        app.feed()
        app.view.go_bottom()
        app.view.search("unseen")
        app.view.styles.height = 5
        await pilot.pause()
        assert "unseen" in "\n".join(app.view.whole())
        app.view.styles.height = "1fr"
        await pilot.resize_terminal(2, 2)
        assert [cell_len(row) for row in app.view.whole()] == [2, 2]


@pytest.mark.asyncio
async def test_another_file_in_its_place(app: LogApp) -> None:
    """When the file is another one, the view shows that one from its end."""
    app.say(*numbered(100))
    async with app.run_test(size=(80, 24)):
        app.view.search("line 1")
        app.view.go_top()
        os.unlink(app.reader.path)
        app.writer.close()
        app.say("fresh")
        assert app.feed() == ["fresh"]
        assert app.view.status.follows
        assert (app.view.status.search, app.view.status.matches) == ("line 1", 0)


@pytest.mark.asyncio
async def test_escapes_and_markup_are_inert(app: LogApp) -> None:
    """Nothing of a text or a task name acts on the terminal or on the screen."""
    app.say("\x1b[31mred\x1b[0m [bold]x[/bold] \x1b]0;title\x07\x00\x9b2J \u202eback", "tab\tstop", "a\rb\r")
    app.writer.append(AT, 20, "stdout", 4, "\x1b[2J[red]na\nme", "x")
    async with app.run_test(size=(80, 24)):
        rows = [app.view.render_line(y) for y in range(4)]
        for segment in (segment for row in rows for segment in row):
            assert segment.text.isprintable()
            assert segment.control is None
        assert "red [bold]x[/bold] ␀ \\u202eback" in rows[0].text
        assert "tab     stop" in rows[1].text
        assert "a␍b " in rows[2].text
        assert "[red]na␊me" in rows[3].text


def current_row(view: LogView) -> str:
    """The number in the one row that is marked as the current match."""
    style = view.get_component_rich_style(LogTone.CURRENT_MATCH)
    rows = [view.render_line(y) for y in range(view.size.height)]
    (row,) = [row.text for row in rows if any(part.style and part.style.bgcolor == style.bgcolor for part in row)]
    return row.split()[4].removeprefix("+")


@pytest.mark.asyncio
async def test_current_match_is_one_of_those_on_the_screen(app: LogApp) -> None:
    """Going from match to match without scrolling moves the mark, and leaves none behind."""
    app.say(*(f"hay {number}" for number in range(100)))
    async with app.run_test(size=(80, 24)):
        app.view.go_top()
        app.view.search("hay")
        for expected in ("0", "1", "2", "1"):
            assert current_row(app.view) == expected
            (app.view.previous_match if expected == "2" else app.view.next_match)()


@pytest.mark.asyncio
async def test_search_marks_jumps_and_wraps(app: LogApp) -> None:
    """A search goes to its next place from the top of the screen, and around in both directions."""
    app.say(*(f"{'Needle' if number in (10, 200, 290) else 'hay'} {number}" for number in range(300)))
    async with app.run_test(size=(80, 24)):
        view = app.view

        view.search("needle")
        assert (current_row(view), view.status.match, view.status.matches) == ("290", 3, 3)
        assert not view.status.follows
        for expected, match in (("10", 1), ("200", 2), ("290", 3), ("10", 1)):
            view.next_match()
            assert (current_row(view), view.status.match) == (expected, match)
        for expected in ("290", "200", "10"):
            view.previous_match()
            assert current_row(view) == expected
        app.say("a new needle")
        app.feed()
        assert (current_row(view), view.status.matches) == ("10", 4)
        view.search("absent")
        assert (view.status.search, view.status.matches, view.status.is_searching) == ("absent", 0, False)
        view.search("")
        assert view.status.search == ""


@pytest.mark.asyncio
async def test_search_while_typing_begins_at_one_place(app: LogApp) -> None:
    """Each letter looks anew from where the user was, until the user moves."""
    app.say(
        *(f"{'nix' if number == 60 else 'needle' if number in (100, 250) else 'hay'} {number}" for number in range(300))
    )
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.go_top()
        for text, match in (("n", 1), ("ni", 1), ("n", 1), ("ne", 1), ("needle", 1)):
            view.search(text)
            assert view.status.match == match
        view.scroll_lines(150)
        view.search("needle")
        assert view.status.match == 2


@pytest.mark.asyncio
async def test_search_of_a_long_log_goes_on_beside_the_screen(app: LogApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that takes long is done in pieces, and arrives when it finds something."""
    monkeypatch.setattr("flowdeck_tui.widgets.log_view.SEARCH_BURST_SECONDS", 0.0)
    app.say("needle", *["hay"] * (3 * SLICE_LINES), "needle", "hay")
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.go_top()
        app.view.scroll_lines(1)
        app.view.search("needle")
        assert app.view.status.is_searching
        while app.view.status.is_searching:
            await pilot.pause(0.01)
        assert (app.view.status.match, app.view.status.matches) == (2, 2)
        assert app.view.visible_range[1] == 3 * SLICE_LINES + 3


@pytest.mark.asyncio
async def test_text_scrolls_sideways(app: LogApp) -> None:
    """A long line is cut with a mark, and can be read to its end, not beyond."""
    app.say("0123456789" * 20, "short")
    async with app.run_test(size=(80, 24)):
        view = app.view
        assert view.whole()[0].rstrip().endswith("…")
        for _ in range(20):
            view.scroll_columns(40)
        assert view.whole()[0].rstrip().endswith("0123456789")
        assert view.whole()[1].rstrip().endswith("load-3")
        view.scroll_columns(-1000)
        assert view.whole()[1].rstrip().endswith("short")


@pytest.mark.asyncio
async def test_status_is_told_when_it_changes(app: LogApp) -> None:
    """A title line hears of following, counts and time mode, and of nothing else."""
    app.say(*numbered(100))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        told = app.statuses
        for change in (lambda: app.view.scroll_lines(-1), app.view.cycle_time, app.view.go_bottom):
            change()
            await pilot.pause()
            told += 1
            assert app.statuses == told
        app.feed()
        app.view.go_bottom()
        await pilot.pause()
        assert app.statuses == told


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(4))
async def test_marked_cells_are_all_that_change(app: LogApp, seed: int) -> None:
    """Whatever is done in whatever order, repainting only the marked cells gives the same as repainting all."""
    source = random.Random(seed)
    app.say(*numbered(60))
    async with app.run_test(size=source.choice([(80, 24), (61, 9)])) as pilot:
        view = app.view
        deeds: list[Callable[[], object]] = [
            lambda: app.say(source.choice(["x", "wide 漢字", "e\u0301", "two\nlines", "line " * 40, ""])),
            lambda: app.say(*numbered(source.randrange(30))),
            lambda: view.scroll_lines(source.randrange(-9, 9)),
            lambda: view.scroll_pages(source.choice([-1, -0.5, 0.5, 1])),
            lambda: view.scroll_columns(source.choice([-8, 8])),
            lambda: view.search(source.choice(["", "line", "1", "wide"])),
            view.next_match,
            view.previous_match,
            view.toggle_follow,
            view.go_top,
            view.go_bottom,
            view.cycle_time,
            view.feed,
        ]
        await pilot.pause()
        view.paint()
        for _ in range(150):
            for _ in range(source.randrange(1, 4)):
                source.choice(deeds)()
                app.reader.refresh()
            view.feed()
            assert view.paint() == view.whole()


@pytest.mark.asyncio
async def test_million_lines(app: LogApp) -> None:
    """Length does not matter: the view asks for a page, wherever it is."""

    class Endless:
        """Makes up lines when asked."""

        count = 1_000_000
        generation = 0
        asked = 0

        def lines(self, first: int, stop: int) -> list[LogLine]:
            self.asked += stop - first
            return [
                LogLine(f"line {number}", head=True, at=datetime(2026, 1, 1, tzinfo=UTC))
                for number in range(first, stop)
            ]

        def search(self, pattern: re.Pattern[str] | str, first: int, stop: int) -> list[int]:
            return []

    source = Endless()
    async with app.run_test(size=(80, 24)):
        app.view.show(source)
        app.view.go_top()
        assert app.view.status.below == 999_976
        app.view.scroll_lines(500_000)
        assert "line 500000 " in app.view.whole()[0]
        app.view.go_bottom()
        assert "line 999999" in app.view.whole()[-1]
        assert source.asked == 4 * 24
