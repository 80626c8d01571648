"""Cursor and view of a list while rows come and go."""

from __future__ import annotations

import pytest

from flowdeck_tui.widgets.viewport import Viewport
from tests.tui.rows import NumberRows


def view_of(rows: NumberRows, height: int = 10) -> Viewport:
    view = Viewport(rows)
    view.height = height
    view.sync()
    return view


def test_it_begins_at_the_top() -> None:
    """The newest row is under the cursor."""
    view = view_of(NumberRows(30))
    assert (view.cursor, view.first, view.stop) == (("n", 30), 0, 10)


def test_the_cursor_stays_on_its_row_while_rows_arrive_above() -> None:
    """At the top of the list the new rows come into view above it."""
    rows = NumberRows(30)
    view = view_of(rows)
    view.go_to(3)
    rows.add(2)
    view.sync()
    assert (view.cursor, view.cursor_index, view.first) == (("n", 27), 5, 0)


def test_a_cursor_that_would_leave_the_screen_takes_the_view_along() -> None:
    """What one looks at is never pushed off the screen."""
    rows = NumberRows(30)
    view = view_of(rows)
    rows.add(12)
    view.sync()
    assert view.cursor == ("n", 30)
    assert view.first <= view.cursor_index < view.stop


def test_a_view_further_down_does_not_move_under_the_reader() -> None:
    """The first visible row keeps its place."""
    rows = NumberRows(100)
    view = view_of(rows)
    view.go_to(60)
    seen = [rows.key(index) for index in range(view.first, view.stop)]
    rows.add(7)
    view.sync()
    assert [rows.key(index) for index in range(view.first, view.stop)] == seen
    assert view.cursor == ("n", 40)


def test_scrolling_leaves_the_cursor_and_new_rows_do_not_jump_back_to_it() -> None:
    """The wheel looks around."""
    rows = NumberRows(100)
    view = view_of(rows)
    view.scroll(50)
    rows.add(1)
    view.sync()
    assert view.cursor == ("n", 100)
    assert rows.key(view.first) == ("n", 50)


def test_a_deleted_row_gives_the_cursor_to_the_one_in_its_place() -> None:
    """And the last one to the one before."""
    rows = NumberRows(3)
    view = view_of(rows)
    view.go_to(1)
    rows.numbers.remove(2)
    view.sync()
    assert view.cursor == ("n", 1)
    rows.numbers.remove(1)
    view.sync()
    assert view.cursor == ("n", 3)
    rows.numbers.clear()
    view.sync()
    assert view.cursor is None
    rows.add()
    view.sync()
    assert view.cursor == ("n", 1)


@pytest.mark.parametrize("height", [1, 3, 10, 200])
def test_the_view_never_leaves_the_list(height: int) -> None:
    """At any height, after any move."""
    view = view_of(NumberRows(50), height)
    for index in (49, 0, 999, -5, 25):
        view.go_to(index)
        assert 0 <= view.first <= view.cursor_index < view.first + height
        assert view.first == 0 or view.first + height <= 50
    for rows in (1000, -1000):
        view.scroll(rows)
        assert 0 <= view.first < 50


def test_growing_taller_shows_more_above() -> None:
    """No empty lines below while there are rows above."""
    view = view_of(NumberRows(50))
    view.go_to(49)
    view.resize(30)
    assert (view.first, view.cursor_index) == (20, 49)


def test_getting_shorter_keeps_a_visible_cursor_in_view() -> None:
    """A resize never hides what one was looking at."""
    view = view_of(NumberRows(50))
    view.go_to(9)
    view.resize(4)
    assert view.first <= view.cursor_index < view.stop
