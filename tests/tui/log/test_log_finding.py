"""What is looked for in a log: text, patterns, errors, the lines of a filter; live, and from where the user is."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdeck_tui.log import log_filter
from flowdeck_tui.log.log_filter import SLICE_LINES
from flowdeck_tui.log.log_lines import LogTone
from flowdeck_tui.log.log_view import LogView
from tests.tui.log_app import LogApp, numbered

ERROR, WARNING = 40, 30


@pytest.fixture
def app(tmp_path: Path) -> LogApp:
    return LogApp(tmp_path / "run.log")


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
            app.view.go_to_match(-1 if expected == "2" else 1)


@pytest.mark.asyncio
async def test_search_marks_jumps_and_wraps(app: LogApp) -> None:
    """A search goes to its next place from the top of the screen, and around in both directions."""
    app.say(*(f"{'Needle' if number in (10, 200, 290) else 'hay'} {number}" for number in range(300)))
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.search("needle")
        found = view.status.search
        assert (current_row(view), found.match, found.matches) == ("290", 3, 3)
        assert not view.status.follows
        for expected, match in (("10", 1), ("200", 2), ("290", 3), ("10", 1)):
            view.go_to_match(1)
            assert (current_row(view), view.status.search.match) == (expected, match)
        for expected in ("290", "200", "10"):
            view.go_to_match(-1)
            assert current_row(view) == expected
        app.say("a new needle")
        app.feed()
        assert (current_row(view), view.status.search.matches) == ("10", 4)
        view.search("absent")
        found = view.status.search
        assert (found.text, found.matches, found.is_searching) == ("absent", 0, False)
        view.search("")
        assert view.status.search.text == ""


@pytest.mark.asyncio
async def test_the_next_match_is_that_after_the_current_line(app: LogApp) -> None:
    """Wherever the user has moved since the last one."""
    app.say(*(f"{'needle' if number % 50 == 0 else 'hay'} {number}" for number in range(300)))
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.go_top()
        view.search("needle")
        view.scroll_rows(120)
        view.go_to_match(1)
        assert current_row(view) == "150"
        view.scroll_rows(-100)
        view.go_to_match(-1)
        assert current_row(view) == "50"


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
            assert view.status.search.match == match
        view.scroll_rows(150)
        view.search("needle")
        assert view.status.search.match == 2


@pytest.mark.asyncio
async def test_a_pattern_stands_between_slashes(app: LogApp) -> None:
    """One that is none, or may take for ever, is named and finds nothing; a path is a text."""
    app.say("took 12 s", "took 7 s", "in /var/log")
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.go_top()
        for text, matches in (("/took \\d\\d/", 1), ("/TOOK/", 2), ("/var/log", 1), ("took \\d", 0)):
            view.search(text)
            assert (view.status.search.matches, view.status.search.problem) == (matches, "")
        view.search("/(took/")
        assert "is no regular expression: missing )" in view.status.search.problem
        view.search("/(a+)+$/")
        assert "for ever" in view.status.search.problem
        assert view.status.search.matches == 0


@pytest.mark.asyncio
async def test_search_of_a_long_log_goes_on_beside_the_screen(app: LogApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that takes long is done in pieces, and arrives when it finds something."""
    monkeypatch.setattr("flowdeck_tui.log.log_finder.BURST_SECONDS", 0.0)
    app.say("needle", *["hay"] * (3 * SLICE_LINES), "needle", "hay")
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.go_top()
        app.view.move_cursor(1)
        app.view.search("needle")
        assert app.view.status.search.is_searching
        while app.view.status.search.is_searching:
            await pilot.pause(0.01)
        found = app.view.status.search
        assert (found.match, found.matches) == (2, 2)
        assert app.view.visible_range[1] == 3 * SLICE_LINES + 3


@pytest.mark.asyncio
async def test_errors_are_gone_to_one_by_one(app: LogApp) -> None:
    """From the current line on, around the ends; only heads of records count; the first can be asked for."""
    for number in range(200):
        app.say(
            f"bad {number}\n  ERROR in the text" if number in (20, 90, 150) else "fine",
            level=ERROR if number in (20, 90, 150) else 20,
        )
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.go_to_error(-1)
        assert view.current_line == 152
        assert (view.status.errors.match, view.status.errors.matches) == (3, 3)
        for direction, line in ((-1, 91), (-1, 20), (-1, 152), (1, 20), (1, 91), (0, 20)):
            view.go_to_error(direction)
            assert view.current_line == line
        view.scroll_rows(90)
        view.go_to_error(1)
        assert view.current_line == 152
        app.say("late", level=50)
        app.feed()
        view.go_to_error(1)
        assert view.current_line == 203


@pytest.mark.asyncio
async def test_a_log_without_errors_moves_nowhere(app: LogApp) -> None:
    """And goes on following."""
    app.say(*numbered(50))
    async with app.run_test(size=(80, 24)):
        app.view.go_to_error(1)
        assert (app.view.status.follows, app.view.status.errors.matches) == (True, 0)


@pytest.mark.asyncio
async def test_filter_shows_only_what_matches_and_lives(app: LogApp) -> None:
    """Following shows the newest matches; a pattern that is none leaves things as they were and is named."""
    app.say(*numbered(300))
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.set_filter("LINE \\d*7$")
        assert app.feed() == [f"line {number}" for number in range(67, 300, 10)]
        assert (view.status.shown, view.status.count) == (30, 300)
        app.say("line 300", "line 307")
        assert app.feed()[-1] == "line 307"
        view.set_filter("line (")
        assert "is no regular expression" in view.status.filter.problem
        assert view.status.shown == 31
        view.set_filter("nothing")
        assert app.texts() == ["No line is shown."] or "No line is shown." in view.whole()[0]
        app.say("now nothing more")
        assert app.feed() == ["now nothing more"]
        view.set_filter("")
        assert (view.status.shown, view.status.follows) == (303, True)


@pytest.mark.asyncio
async def test_filter_keeps_the_current_line(app: LogApp) -> None:
    """Or the next one that is shown; taking the filter away stays there."""
    app.say(*numbered(500))
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.scroll_rows(-200)
        line = view.current_line
        assert line is not None
        view.set_filter("0$")
        assert view.current_line == -(-line // 10) * 10
        view.toggle_flag()
        view.set_filter("")
        assert view.current_line == -(-line // 10) * 10
        assert view.status.marked == 1
        assert any(row.startswith("*") for row in view.whole())


@pytest.mark.asyncio
async def test_level_hides_records_with_all_their_lines(app: LogApp) -> None:
    """And goes together with a filter and a search."""
    app.say("fine\n  more")
    app.say("careful", level=WARNING)
    app.say("bad\n  at x\n  at y", level=ERROR)
    app.say("fine at z")
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.set_level("WARNING")
        assert app.texts() == ["careful", "bad", "  at x", "  at y"]
        view.search("at")
        assert view.status.search.matches == 2
        view.set_filter("y")
        assert app.texts() == ["  at y"]
        view.set_level("")
        assert app.texts() == ["  at y"]
        view.set_filter("")
        assert view.status.search.matches == 3


@pytest.mark.asyncio
async def test_only_the_lines_of_one_task_call(app: LogApp) -> None:
    """As the detail of a run asks for it."""
    app.say("of three")
    app.writer.append(0, 20, "print", 4, "other-4", "of four")
    async with app.run_test(size=(80, 24)):
        app.view.set_task(4)
        assert [row.strip().split("  ")[-1] for row in app.view.whole() if row.strip()] == ["of four"]
        app.view.set_task(None)
        assert app.view.status.shown == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("at_end", [True, False])
async def test_filter_of_a_long_log_is_done_in_pieces(
    app: LogApp, at_end: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is there first; a place further up is come to when it is known, and nothing on the screen jumps."""
    monkeypatch.setattr("flowdeck_tui.log.log_finder.BURST_SECONDS", 0.0)
    monkeypatch.setattr(log_filter, "SLICE_LINES", 50)
    app.say(*numbered(2000))
    async with app.run_test(size=(80, 24)) as pilot:
        view = app.view
        if not at_end:
            view.scroll_rows(-1500)
        line = view.current_line
        view.set_filter("[05]$")
        first = app.texts()
        assert view.status.filter.is_searching
        while view.status.filter.is_searching:
            await pilot.pause(0.005)
        assert view.status.shown == 400
        if at_end:
            assert first[-1] == app.texts()[-1] == "line 1995"
            assert view.status.follows
        else:
            assert line is not None
            assert view.current_line == -(-line // 5) * 5
        view.search("line 7")
        while view.status.search.is_searching:
            await pilot.pause(0.005)
        assert view.status.search.matches == 2 + 20


@pytest.mark.asyncio
async def test_marks_and_selection_belong_to_lines(app: LogApp) -> None:
    """Whatever is added or filtered; a selection follows the current line."""
    app.say(*numbered(100))
    async with app.run_test(size=(80, 24)):
        view = app.view
        view.move_cursor(-5)
        view.toggle_flag()
        view.toggle_selection()
        view.move_cursor(-3)
        assert (view.status.selected, view.status.marked) == (4, 1)
        app.say(*numbered(50, 100))
        app.feed()
        assert view.status.selected == 4
        assert [row.split()[4] for row in view.whole() if row.startswith("*")] == ["94"]
        view.toggle_selection()
        view.move_cursor(3)
        view.toggle_flag()
        assert (view.status.selected, view.status.marked) == (0, 0)
