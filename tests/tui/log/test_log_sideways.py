"""A match that lies beyond the right edge is brought on the screen, and the view comes back when it can."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.style import Style

from flowdeck.deck import LogLine
from flowdeck.rules.text.terminal_text import literal_pattern
from flowdeck_tui.log.log_lines import Layout, LogTone, Marking, draw_line, shift_to_show
from tests.tui.log_app import LogApp

PLAIN = dict.fromkeys(LogTone, Style())


def line_of(text: str) -> LogLine:
    return LogLine(text, head=False)


@pytest.mark.parametrize("width", [20, 60, 160])
@pytest.mark.parametrize("before", [0, 5, 40, 148, 149, 150, 151, 700, 9000])
@pytest.mark.parametrize("after", [0, 1, 300])
def test_a_match_is_on_the_screen_wherever_it_is(width: int, before: int, after: int) -> None:
    """At any width, with wide characters and tabs before it, and with text behind it."""
    line = line_of("漢\t" + "-" * before + "needle" + "-" * after)
    pattern = literal_pattern("needle")
    layout = Layout(width)
    shift = shift_to_show(line, layout, pattern)
    drawn = draw_line(line, Layout(width, shift=shift), PLAIN, Marking(pattern))
    assert "needle"[: width - 14] in drawn.strips[0].text


def test_a_match_that_shows_anyway_moves_nothing() -> None:
    """Nor does a line without one."""
    pattern = literal_pattern("needle")
    assert shift_to_show(line_of("a needle" + "-" * 500), Layout(80), pattern) == 0
    assert shift_to_show(line_of("-" * 500), Layout(80), pattern) == 0


@pytest.mark.asyncio
async def test_the_view_goes_sideways_to_a_match_and_back(tmp_path: Path) -> None:
    """From match to match."""
    app = LogApp(tmp_path / "run.log")
    app.say("needle one", "x" * 200 + " needle two", "needle three")
    async with app.run_test(size=(80, 24)):
        app.view.search("needle")
        assert any("needle one" in text for text in app.texts())
        app.view.go_to_match(1)
        assert any("needle two" in text for text in app.texts())
        assert not any("needle one" in text for text in app.texts())
        app.view.go_to_match(1)
        assert {"needle one", "needle three"} <= set(app.texts())


@pytest.mark.asyncio
async def test_a_text_that_is_nowhere_leaves_the_view_where_typing_began(tmp_path: Path) -> None:
    """However far its first letters led."""
    app = LogApp(tmp_path / "run.log")
    app.say(*(f"{'in' if number == 5 else 'x'} {number}" for number in range(200)))
    async with app.run_test(size=(80, 24)):
        for text in ("i", "in", "ins"):
            app.view.search(text)
            assert app.view.status.follows is (text == "ins")
        assert app.texts()[-1] == "x 199"
        app.view.scroll_rows(-50)
        place = app.view.visible_range
        for text in ("i", "in", "ins", ""):
            app.view.search(text)
        assert app.view.visible_range == place
