"""The stretch of the list of runs that the screen holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flowdeck.deck import FlowRun
from flowdeck.rules.runs.run_order import RunOrder
from flowdeck.rules.states import StateType
from flowdeck_tui.runs.run_window import RunWindow
from tests.tui.seeded_home import NOW, SeededHome


@pytest.fixture
def run(home: SeededHome) -> FlowRun:
    return home.run("some")


def numbered(run: FlowRun, *keys: int) -> list[FlowRun]:
    return [replace(run, key=key) for key in keys]


def test_rows_stand_in_their_order_however_they_come(run: FlowRun) -> None:
    """Newest first, or oldest first."""
    for order, wanted in ((RunOrder.NEWEST, [9, 5, 1]), (RunOrder.OLDEST, [1, 5, 9])):
        window = RunWindow(order)
        window.extend(numbered(run, 5, 1, 9, 5))
        assert list(window) == wanted
        assert [window.position(key) for key in wanted] == [0, 1, 2]
        assert window.position(7) is None


def test_a_run_moves_when_what_it_is_sorted_by_changes(run: FlowRun) -> None:
    """One that ends goes behind those that run."""
    running = replace(run, key=2, state_type=StateType.RUNNING, started_at=NOW, ended_at=None)
    longer = replace(running, key=3, started_at=NOW - timedelta(hours=1))
    over = replace(run, key=1, started_at=NOW, ended_at=NOW + timedelta(days=3))
    window = RunWindow(RunOrder.DURATION)
    window.extend([over, running, longer])
    assert list(window) == [3, 2, 1]
    assert window.put(replace(longer, state_type=StateType.COMPLETED, ended_at=NOW))
    assert list(window) == [2, 1, 3]
    by_state = RunWindow(RunOrder.STATE)
    by_state.extend([over, running])
    assert list(by_state) == [2, 1]


def test_beyond_an_end_that_is_not_the_lists_nothing_is_taken_in(run: FlowRun) -> None:
    """Or there would be a gap that nobody sees."""
    window = RunWindow()
    window.clear(RunOrder.NEWEST, is_at_start=False, is_at_end=False)
    window.extend(numbered(run, 20, 10))
    assert [window.put(one) for one in numbered(run, 30, 15, 5)] == [False, True, False]
    assert list(window) == [20, 15, 10]
    window.is_at_start = window.is_at_end = True
    assert [window.put(one) for one in numbered(run, 30, 5)] == [True, True]
    assert list(window) == [30, 20, 15, 10, 5]


def test_a_window_that_is_too_long_lets_its_far_end_go(run: FlowRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """And knows that it no longer reaches the end of the list there."""
    monkeypatch.setattr("flowdeck_tui.runs.run_window.ROWS_MOST", 3)
    window = RunWindow()
    window.extend(numbered(run, 5, 4, 3, 2, 1))
    assert window.trim(keep_start=True) == [2, 1]
    assert (window.is_at_start, window.is_at_end) == (True, False)
    assert window.trim(keep_start=True) == []
    window.extend(numbered(run, 2))
    assert window.trim(keep_start=False) == [5]
    assert (window.is_at_start, window.is_at_end) == (False, False)
    assert list(window) == [4, 3, 2]
    assert (window.first, window.last) != (None, None)
