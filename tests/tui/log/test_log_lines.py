"""The pure parts of the log view: rows, the thumb, the search."""

import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len
from rich.style import Style

from flowdeck.deck import LineQuery, LogLine
from flowdeck_tui.log.log_lines import Layout, LogTone, Marking, TimeMode, draw_line, plain_text
from flowdeck_tui.log.log_search import LogSearch
from flowdeck_tui.log.log_window import LogWindow

PLAIN = dict.fromkeys(LogTone, Style())
TONES = {tone: Style(meta={"tone": tone}) for tone in LogTone}


def drawn(text: str, width: int, *, shift: int = 0, **fields: object) -> str:
    line = LogLine(text, head=True, at=datetime(2026, 1, 1, tzinfo=UTC), level="INFO", task_name="a", **fields)
    layout = Layout(width, TimeMode.NONE, shift=shift)
    return draw_line(line, layout, PLAIN, Marking()).strips[0].text


@pytest.mark.parametrize(
    "text",
    ["漢字" * 50, "e\u0301" * 50, "a漢" * 50, "🙂" * 50, "x" * 50, "", "\u0301" * 9, "👨\u200d👩\u200d👧⚠\ufe0f" * 9],
    ids=range(8),
)
def test_no_row_is_wider_than_the_screen(text: str) -> None:
    """Wide and combining characters are cut by cells, at every width and place."""
    for width in range(60):
        for shift in (0, 1, 2, 7, 500):
            assert cell_len(drawn(text, width, shift=shift)) <= width


def test_combining_marks_stay_with_their_letter() -> None:
    """A letter with its marks is one cell."""
    assert drawn("e\u0301" * 100, 60).count("e\u0301") == 60 - len(drawn("", 60)) - 1


def test_task_name_keeps_its_number() -> None:
    """Names of mapped calls differ at their end, so they are cut in the middle."""
    line = LogLine("x", head=True, level="INFO", task_name="fetch-customer-page-1234")
    assert " fetch-c…e-1234 x" in draw_line(line, Layout(80), PLAIN, Marking()).strips[0].text


def test_tones_follow_level_and_source() -> None:
    """Letters say the level, colour repeats it; lines of the engine and continuations are quiet."""

    def tones(line: LogLine) -> list[tuple[str, str]]:
        segments = draw_line(line, Layout(60, TimeMode.NONE), TONES, Marking(re.compile("b+"))).strips[0]
        return [(segment.text.strip(), segment.style.meta["tone"]) for segment in segments if segment.style]

    muted = LogTone.MUTED
    error = LogLine("abba", head=True, level="ERROR", task_name="t")
    assert tones(error)[1:] == [
        ("E", LogTone.ERROR),
        ("t", muted),
        ("a", LogTone.ERROR),
        ("bb", LogTone.MATCH),
        ("a", LogTone.ERROR),
    ]
    assert tones(LogLine("aa", head=True, level="INFO", source="print"))[-1] == ("aa", LogTone.TEXT)
    assert tones(LogLine("aa", head=True, level="INFO", source="engine"))[-1][1] == muted
    assert tones(LogLine("aa", head=True, level="WARNING", source="engine"))[-1] == ("aa", LogTone.WARNING)
    assert tones(LogLine("aa", head=False))[-1][1] == muted


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "+0:00:00.0"), (59.96, "+0:00:59.9"), (3661.5, "+1:01:01.5"), (-1.5, "-0:00:01.5")]
)
def test_elapsed_time(seconds: float, text: str) -> None:
    """Time since the first line; a clock that was set back shows."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    layout = Layout(80, TimeMode.ELAPSED, start)
    assert layout.time_text(start + timedelta(seconds=seconds)).strip() == text


def test_thumb_is_inside_the_bar() -> None:
    """The scroll bar shows where the page is: at the top, at the end, never outside."""
    window = LogWindow()
    window.resize(20)
    for count in (21, 25, 100, 1_000_000):
        window.restart(count)
        assert window.thumb[1] == 20
        window.go_top()
        assert window.thumb[0] == 0
        for _ in range(50):
            window.scroll(count // 50 + 1)
            first, stop = window.thumb
            assert 0 <= first < stop <= 20


def test_search_agrees_with_a_plain_one() -> None:
    """Next and previous find the nearest match from anywhere, while the log grows."""
    source = random.Random(9)

    class Lines:
        """Some lines match."""

        count = 500
        hits: tuple[int, ...] = tuple(sorted(source.sample(range(900), 30)))

        def search(self, query: LineQuery, first: int, stop: int) -> list[int]:
            return [hit for hit in self.hits if first <= hit < stop]

    lines = Lines()
    for start in (0, 250, 499):
        lines.count = 500
        search = LogSearch(lines, LineQuery("x"), start)
        here = start - 1
        for _ in range(100):
            lines.count = min(900, lines.count + source.randrange(10))
            while not search.is_done:
                search.step()
            known = [hit for hit in lines.hits if hit < lines.count]
            direction = source.choice([1, -1]) if search.current is not None else 1
            search.want(direction)
            ahead = [hit for hit in known if (hit > here if direction > 0 else hit < here)] or known
            here = ahead[0] if direction > 0 else ahead[-1]
            assert search.arrive() == here
            assert search.position == known.index(here) + 1
            assert search.total == len(known)


def test_search_backwards_waits_for_what_lies_between() -> None:
    """While lines before the current one are not read yet, no earlier match is taken for the nearest."""

    class Lines:
        """Two lines match, both before the start."""

        count = 10_001

        def search(self, query: LineQuery, first: int, stop: int) -> list[int]:
            return [hit for hit in (10, 9_000) if first <= hit < stop]

    search = LogSearch(Lines(), LineQuery("x"), 10_000)
    search.want(-1)
    for _ in range(2):
        search.step()
        assert search.arrive() is None
    assert search.total == 1
    while not search.is_done:
        search.step()
    assert search.arrive() == 9_000


def test_lines_of_a_subflow_run_name_it() -> None:
    """With its task where there is one, in a wider column; a record of the run itself is as ever."""
    layout = Layout(160, TimeMode.NONE, has_runs=True)

    def shown(**fields: str) -> str:
        return draw_line(LogLine("text", head=True, level="INFO", **fields), layout, PLAIN, Marking()).strips[0].text

    assert shown(run_name="brave-otter", task_name="load-3").split() == ["I", "brave-otter:load-3", "text"]
    assert shown(run_name="brave-otter").split() == ["I", "brave-otter", "text"]
    assert shown(task_name="load-3").split() == ["I", "load-3", "text"]


def test_plain_text_is_the_whole_line() -> None:
    """Inert, never cut, never shifted."""
    line = LogLine("x" * 500 + "\x1b[31m red", head=True, level="ERROR", task_name="a")
    text = plain_text(line, Layout(80, TimeMode.NONE, shift=30))
    assert text.endswith("x" * 500 + " red")
    assert text.isprintable()
