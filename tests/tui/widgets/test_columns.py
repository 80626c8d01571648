"""Which columns fit a width."""

from __future__ import annotations

from itertools import pairwise

import pytest
from rich.cells import cell_len

from flowdeck_tui.flows import flows
from flowdeck_tui.runs import run_columns
from flowdeck_tui.widgets.columns import Column, cut, fit, pad, wrapped

FIRST, LATER = Column("a", "A", 10, minimum=4, grows=1), Column("b", "B", 6, drop_order=1)


@pytest.mark.parametrize("width", [12, 24, 60, 80, 100, 160, 300])
@pytest.mark.parametrize("columns", [run_columns.COLUMNS, flows.COLUMNS], ids=["runs", "flows"])
def test_columns_never_overlap_or_leave_the_screen(columns: tuple[Column, ...], width: int) -> None:
    """At any width each column ends before the next begins."""
    placed = fit(columns, width)
    for left, right in pairwise(placed):
        assert left.x + left.width < right.x
    assert placed[-1].x + placed[-1].width <= width


@pytest.mark.parametrize(
    ("width", "ids"),
    [
        (60, ["name", "flow", "start", "duration"]),
        (80, ["name", "flow", "start", "duration", "tasks", "trouble"]),
        (160, ["name", "id", "flow", "attempt", "start", "duration", "tasks", "trouble", "message"]),
    ],
)
def test_runs_drop_columns_in_order_when_narrow(width: int, ids: list[str]) -> None:
    """What matters least goes first; run, flow, start and time always stay."""
    assert [placed.column.id for placed in fit(run_columns.COLUMNS, width)] == ids


def test_left_over_cells_go_to_what_grows() -> None:
    """Nothing is wasted on the right."""
    first, later = fit([FIRST, LATER], 40)
    assert (first.width, later.x, later.width) == (33, 34, 6)


def test_a_column_shrinks_before_the_next_is_dropped() -> None:
    """Down to its minimum."""
    assert [placed.width for placed in fit([FIRST, LATER], 11)] == [4, 6]
    assert [placed.width for placed in fit([FIRST, LATER], 10)] == [10]
    assert [placed.width for placed in fit([FIRST, LATER], 3)] == [3]


@pytest.mark.parametrize(
    ("text", "width", "where", "result"),
    [
        ("brave-otter", 11, "end", "brave-otter"),
        ("brave-otter", 7, "end", "brave-…"),
        ("brave-otter", 7, "middle", "bra…ter"),
        ("brave-otter", 1, "end", "…"),
        ("brave-otter", 0, "end", ""),
        ("日本語の名前", 7, "end", "日本語…"),
        ("日本語の名前", 7, "middle", "日…前"),
    ],
)
def test_long_text_is_cut_to_its_cells(text: str, width: int, where: str, result: str) -> None:
    """Wide characters count two; a cut is marked."""
    assert cut(text, width, "…", where) == result  # type: ignore[arg-type]
    assert cell_len(result) <= width


@pytest.mark.parametrize("text", ["abc", "日本", ""])
def test_padding_fills_exactly(text: str) -> None:
    """A cell is always as wide as its column."""
    assert cell_len(pad(text, 6)) == 6
    assert cell_len(pad(text, 6, "right")) == 6


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 10, []),
        ("one two", 10, ["one two"]),
        ("one two three", 8, ["one two", "three"]),
        ("one two three four five six", 8, ["one two", "three", "four fi…"]),
        ("abcdefghijkl mn", 5, ["abcde", "fghij", "kl mn"]),
        ("漢字漢字 漢字", 5, ["漢字", "漢字", "漢字"]),
        ("one", 0, []),
    ],
)
def test_text_is_broken_between_words(text: str, width: int, lines: list[str]) -> None:
    """Into three lines here; what is longer is cut, a long word is broken."""
    assert wrapped(text, width, 3, "…") == lines
