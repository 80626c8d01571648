"""The log on the screen: the right lines, live, standing still when asked to, and never more than what changed."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual import events

from flowdeck.deck import LineQuery, LogLine
from flowdeck_tui.log.log_lines import LogTone
from tests.tui.log_app import AT, SIZES, LogApp, RecordingView, numbered


@pytest.fixture
def app(tmp_path: Path) -> LogApp:
    return LogApp(tmp_path / "run.log")


def cursor_row(view: RecordingView) -> str:
    """The one row that is drawn as the current line; empty when there is none."""
    tint = view.get_component_rich_style(LogTone.CURSOR).bgcolor
    rows = [view.render_line(y) for y in range(view.size.height)]
    found = [row.text for row in rows if any(part.style and part.style.bgcolor == tint for part in list(row)[:-1])]
    assert len(found) <= 1
    return found[0] if found else ""


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_opens_at_the_end(app: LogApp, size: tuple[int, int]) -> None:
    """A long log shows its last page, the newest line in the last row."""
    app.say(*numbered(500))
    async with app.run_test(size=size):
        assert app.texts() == numbered(size[1], 500 - size[1])
        assert app.view.status.follows


@pytest.mark.asyncio
async def test_row_reads_as_documented(app: LogApp) -> None:
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
    """Idle costs no byte, and a new line marks its own row only."""
    app.say(*numbered(5))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.view.marked.clear()
        app.feed()
        app.view.scroll_rows(1)
        app.view.go_bottom()
        assert app.view.marked == []
        app.say("new")
        app.reader.refresh()
        app.view.feed()
        (region,) = app.view.marked
        assert (region.y, region.height) == (5, 1)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_following_keeps_the_page_full_and_the_last_line_last(app: LogApp, size: tuple[int, int]) -> None:
    """No part of the pane is ever empty while there are lines for it."""
    height = size[1]
    app.say(*numbered(height - 1))
    async with app.run_test(size=size):
        for number in range(height - 1, 2 * height):
            app.say(f"line {number}")
            assert app.feed() == numbered(height, number - height + 1)
        app.say(*numbered(1000, 2 * height))
        assert app.feed() == numbered(height, 1000 + height)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_scrolling_up_pauses_until_the_end(app: LogApp, size: tuple[int, int]) -> None:
    """A paused view stands still whatever comes, says how much lies below, and goes on from the end."""
    app.say(*numbered(500))
    async with app.run_test(size=size):
        app.view.scroll_rows(-1)
        before = app.texts()
        assert not app.view.status.follows
        assert before[0] == f"line {499 - size[1]}"
        assert re.search(r"line \d+ +\+1 line *$", before[-1])
        app.say(*numbered(2000, 500))
        after = app.feed()
        assert after[:-1] == before[:-1]
        assert re.search(r"line \d+ +\+2,001 lines *$", after[-1])
        app.view.scroll_rows(2000)
        assert not app.view.status.follows
        app.view.scroll_rows(1)
        assert app.view.status.follows
        assert app.texts() == numbered(size[1], 2500 - size[1])


@pytest.mark.asyncio
async def test_the_current_line_is_moved_line_by_line(app: LogApp) -> None:
    """Up pauses; the view moves only where the line would leave it; down from the last line follows."""
    app.say(*numbered(100))
    async with app.run_test(size=(80, 24)):
        view = app.view
        assert cursor_row(view) == ""
        view.move_cursor(-1)
        assert "line 98" in cursor_row(view)
        assert (view.visible_range, view.status.follows) == ((76, 100), False)
        view.move_cursor(-22)
        assert view.visible_range == (76, 100)
        view.move_cursor(-1)
        assert "line 75" in cursor_row(view)
        assert view.visible_range == (75, 99)
        app.say("more")
        app.feed()
        assert "line 75" in cursor_row(view)
        view.move_cursor(1000)
        assert (view.current_line, view.status.follows) == (100, False)
        view.move_cursor(1)
        assert view.status.follows


@pytest.mark.asyncio
async def test_follow_is_the_users_word(app: LogApp) -> None:
    """Stopped by its key, arriving at the end does not start it again; its key or going to the end does."""
    app.say(*numbered(100))
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.toggle_follow()
        view.scroll_rows(5)
        view.move_cursor(5)
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
    """Pages, halves and the wheel move by what they say; a click chooses a line, on the count it goes to the end."""
    app.say(*numbered(200))
    async with app.run_test(size=(80, 24)) as pilot:
        view = app.view
        view.scroll_pages(-1)
        assert (view.visible_range[0], view.current_line) == (152, 175)
        view.scroll_pages(-0.5)
        assert (view.visible_range[0], view.current_line) == (140, 163)
        view.scroll_pages(0.5)
        assert view.visible_range[0] == 152
        wheel = dict.fromkeys(("delta_x", "delta_y", "button"), 0)
        for kind, top in ((events.MouseScrollUp, 149), (events.MouseScrollDown, 152)):
            view.post_message(kind(view, x=1, y=1, shift=False, meta=False, ctrl=False, **wheel))
            await pilot.pause()
            assert view.visible_range[0] == top
        await pilot.click(RecordingView, offset=(10, 20))
        assert (view.current_line, view.status.follows) == (172, False)
        await pilot.click(RecordingView, offset=(75, 23))
        assert view.status.follows
        for _ in range(9):
            view.scroll_pages(-1)
        assert (view.visible_range[0], view.current_line) == (0, 0)


@pytest.mark.asyncio
async def test_resize_keeps_the_place(app: LogApp) -> None:
    """Another size keeps the first line of a paused view, and the last one of a following view; none is too small."""
    app.say(*numbered(300))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.resize_terminal(160, 48)
        assert app.texts() == numbered(48, 252)
        app.view.scroll_rows(-100)
        await pilot.resize_terminal(30, 10)
        first, stop = app.view.visible_range
        assert stop - first == 10
        assert app.view.current_line in range(first, stop)
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
        app.view.toggle_flag()
        os.unlink(app.reader.path)
        app.writer.close()
        app.say("fresh")
        assert app.feed() == ["fresh"]
        status = app.view.status
        assert (status.follows, status.marked) == (True, 0)
        assert (status.search.text, status.search.matches) == ("line 1", 0)


@pytest.mark.asyncio
async def test_escapes_and_markup_are_inert(app: LogApp) -> None:
    """Nothing of a text or a task name acts on the terminal or on the screen."""
    app.say("\x1b[31mred\x1b[0m [bold]x[/bold] \x1b]0;title\x07\x00\x9b2J \u202eback", "tab\tstop", "a\rb\r")
    app.writer.append(AT, 20, "stdout", 4, "\x1b[2J[red]na\nme", "x")
    async with app.run_test(size=(80, 24)):
        for _ in range(2):
            rows = [app.view.render_line(y) for y in range(4)]
            for segment in (segment for row in rows for segment in row):
                assert segment.text.isprintable()
                assert segment.control is None
            assert "red [bold]x[/bold] ␀ \\u202eback" in rows[0].text
            assert "tab     stop" in rows[1].text
            assert "a␍b " in rows[2].text
            assert "[red]na␊me" in rows[3].text
            app.view.toggle_wrap()


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
        for change in (lambda: app.view.scroll_rows(-1), app.view.cycle_time, app.view.go_bottom):
            change()
            await pilot.pause()
            told += 1
            assert app.statuses == told
        app.feed()
        app.view.go_bottom()
        await pilot.pause()
        assert app.statuses == told


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(6))
async def test_marked_cells_are_all_that_change(app: LogApp, seed: int) -> None:
    """Whatever is done in whatever order, repainting only the marked cells gives the same as repainting all."""
    source = random.Random(seed)
    texts = ["x", "wide 漢字", "e\u0301", "two\nlines", "line " * 40, "", '{"a": [1, 2]}']
    app.say(*numbered(60))
    async with app.run_test(size=source.choice([(80, 24), (61, 9)])) as pilot:
        view = app.view
        deeds: list[Callable[[], object]] = [
            lambda: app.say(source.choice(texts)),
            lambda: app.say(*numbered(source.randrange(30)), level=source.choice([10, 20, 30, 40])),
            lambda: view.scroll_rows(source.randrange(-9, 9)),
            lambda: view.move_cursor(source.randrange(-9, 9)),
            lambda: view.scroll_pages(source.choice([-1, -0.5, 0.5, 1])),
            lambda: view.scroll_columns(source.choice([-8, 8])),
            lambda: view.search(source.choice(["", "line", "1", "wide", "/(/", "/l.ne/"])),
            lambda: view.set_filter(source.choice(["", "", "line", "[", "1$"])),
            lambda: view.set_level(source.choice(["", "", "INFO", "ERROR"])),
            lambda: view.go_to_match(source.choice([-1, 1])),
            lambda: view.go_to_error(source.choice([-1, 0, 1])),
            view.toggle_follow, view.go_top, view.go_bottom, view.cycle_time, view.feed, view.toggle_wrap,
            view.toggle_json, view.toggle_flag, view.toggle_selection,
        ]  # fmt: skip
        await pilot.pause()
        view.paint()
        for _ in range(150):
            for _ in range(source.randrange(1, 4)):
                source.choice(deeds)()
                app.reader.refresh()
            view.feed()
            assert view.paint() == view.whole()
            first, stop = view.visible_range
            assert 0 <= first <= stop <= view.status.shown
            assert view.status.follows or not view.status.shown or first <= view.page.window.cursor < stop


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

        def search(self, query: LineQuery, first: int, stop: int) -> list[int]:
            return []

    source = Endless()
    async with app.run_test(size=(80, 24)):
        app.view.show(source)
        app.view.go_top()
        assert app.view.status.below == 999_976
        app.view.scroll_rows(500_000)
        assert "line 500000 " in app.view.whole()[0]
        app.view.go_bottom()
        assert "line 999999" in app.view.whole()[-1]
        assert source.asked <= 4 * 24
