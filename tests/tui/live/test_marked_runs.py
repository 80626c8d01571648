"""Marks in the list of runs, what is done to many, deletes that can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowdeck.deck import FlowRun
from flowdeck.deck.flow_runs import FlowRuns
from flowdeck.rules.exceptions import NotFoundError
from flowdeck.rules.states import StateType
from flowdeck_tui.app import FlowdeckApp
from tests.tui.harness import LARGE, SMALL, line_with, press, running_app, screen_text, until, until_shown
from tests.tui.listed_runs import listed, seed, until_listed
from tests.tui.seeded_home import SeededHome

pytestmark = pytest.mark.asyncio
BOTH_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])


# -- marks -------------------------------------------------------------------------------------------------------------


def marked(app: FlowdeckApp) -> set[str]:
    rows = app.runs_pane.tree_rows
    return {run.name for key in rows.marks if (run := rows.run(key)) is not None}


async def test_space_range_and_star_mark_and_escape_takes_marks_away(home: SeededHome) -> None:
    """The marks are seen and counted."""
    seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "space", "j", "space")
        assert marked(app) == {"quiet-lynx", "bold-crab"}
        assert "2 marked" in screen_text(pilot)
        assert "*" in line_with(pilot, "◷ Scheduled")
        await press(pilot, "*")
        await until(pilot, lambda: marked(app) == {"brave-otter", "calm-heron", "lazy-fox"})
        await press(pilot, "escape")
        assert marked(app) == set()
        await press(pilot, "g", "j", "V", "j", "j", "V")
        await until(pilot, lambda: marked(app) == {"brave-otter", "bold-crab", "calm-heron"})
        await press(pilot, "k", "k", "k", "space")
        assert len(marked(app)) == 4


async def test_marks_go_with_the_filter_and_with_their_runs(home: SeededHome) -> None:
    """Nothing is done to a run that one does not see."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "G", "space")
        assert marked(app) == {"lazy-fox"}
        home.deck.flow_runs.delete(runs["lazy-fox"].id)
        await until(pilot, lambda: not app.runs_pane.tree_rows.marks)
        await press(pilot, "g", "space", "/", *"etl", "enter")
        await until(pilot, lambda: not app.runs_pane.tree_rows.marks)


async def test_marked_runs_are_cancelled_after_y_with_their_number(home: SeededHome) -> None:
    """What came of each is counted in one line."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        await press(pilot, "space", "space", "space", "x")
        assert "Cancel 3 runs?" in screen_text(pilot)
        await press(pilot, "n")
        assert home.deck.flow_runs.find(runs["quiet-lynx"].id).state_type is StateType.SCHEDULED
        await press(pilot, "x", "y")
        await until_shown(pilot, "2 cancelled, 1 already over")
        assert home.deck.flow_runs.find(runs["quiet-lynx"].id).state_type is StateType.CANCELLED
        assert home.deck.flow_runs.find(runs["brave-otter"].id).state_type is StateType.CANCELLING
        assert not app.runs_pane.tree_rows.marks


async def test_marked_runs_are_retried_after_y(home: SeededHome) -> None:
    """Those that can be; of the others is said why not."""
    runs = seed(home)
    (home.folder / "flows.py").write_text("")
    async with running_app(home) as (_, pilot):
        await press(pilot, "G", "*")
        await until_shown(pilot, "5 marked")
        await press(pilot, "r")
        await until_shown(pilot, "Retry 5 runs? What is recorded does not run again.")
        await press(pilot, "y")
        await until_shown(pilot, "2 retried, 1 completed, 2 not over")
        assert home.deck.flow_runs.find(runs["calm-heron"].id).attempt == 2


# -- delete and undo ---------------------------------------------------------------------------------------------------


class Timers:
    """Timers that come when a test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], Any]] = []

    def start(self, seconds: float, callback: Callable[[], Any]) -> Timers._Timer:
        assert seconds == pytest.approx(10.0)
        self.waiting.append(callback)
        return Timers._Timer(self, callback)

    def ring(self) -> None:
        for callback in [*self.waiting]:
            callback()

    class _Timer:
        def __init__(self, timers: Timers, callback: Callable[[], Any]) -> None:
            self.timers, self.callback = timers, callback

        def stop(self) -> None:
            if self.callback in self.timers.waiting:
                self.timers.waiting.remove(self.callback)


def timers_of(app: FlowdeckApp) -> Timers:
    timers = Timers()
    app.runs_pane.deletions._start_timer = timers.start
    return timers


def is_there(home: SeededHome, run: FlowRun) -> bool:
    try:
        home.deck.flow_runs.find(run.id)
    except NotFoundError:
        return False
    return True


@BOTH_SIZES
async def test_capital_d_takes_the_row_away_and_deletes_later(home: SeededHome, size: tuple[int, int]) -> None:
    """The log goes with the run; until then all is still there."""
    runs = seed(home)
    home.log(runs["lazy-fox"], "line")
    log = home.home.log_file(runs["lazy-fox"].id)
    async with running_app(home, size) as (app, pilot):
        timers = timers_of(app)
        await press(pilot, "G", "D")
        await until_shown(pilot, "lazy-fox is deleted: u undoes it", "4 runs")
        assert "lazy-fox" not in listed(pilot)
        assert is_there(home, runs["lazy-fox"])
        assert log.exists()
        timers.ring()
        await until(pilot, lambda: not is_there(home, runs["lazy-fox"]))
        await until(pilot, lambda: not log.exists())
        await until_shown(pilot, "4 runs")
        await press(pilot, "u")
        assert "There is nothing to undo" in app.status.text


async def test_u_brings_back_what_was_deleted_last(home: SeededHome) -> None:
    """One step after the other; nothing was ever touched."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        timers = timers_of(app)
        await press(pilot, "G", "D", "D")
        await until_listed(pilot, "quiet-lynx", "brave-otter", "bold-crab")
        await press(pilot, "u")
        await until_listed(pilot, "quiet-lynx", "brave-otter", "bold-crab", "calm-heron")
        assert "calm-heron is back; nothing was deleted." in app.status.text
        await press(pilot, "u")
        await until_shown(pilot, "lazy-fox", "5 runs")
        assert timers.waiting == []
    assert all(is_there(home, run) for run in runs.values())


async def test_marked_runs_are_deleted_after_y_with_their_number(home: SeededHome) -> None:
    """Those that are not over are kept, and their rows come back."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        timers = timers_of(app)
        await press(pilot, "*")
        await until_shown(pilot, "5 marked")
        await press(pilot, "D")
        assert "Delete 5 runs with their logs and results?" in screen_text(pilot)
        await press(pilot, "y")
        await until_shown(pilot, "5 runs are deleted: u undoes it")
        timers.ring()
        await until_listed(pilot, "quiet-lynx", "brave-otter")
        assert "3 deleted, 2 not over" in app.status.text
    assert [is_there(home, runs[name]) for name in ("lazy-fox", "quiet-lynx")] == [False, True]


async def test_a_run_that_was_started_again_meanwhile_is_kept(home: SeededHome) -> None:
    """Somebody else's retry counts for more than a delete that waits."""
    runs = seed(home)
    (home.folder / "flows.py").write_text("")
    async with running_app(home) as (app, pilot):
        timers = timers_of(app)
        await press(pilot, "j", "j", "j", "D")
        await until_shown(pilot, "calm-heron is deleted")
        home.deck.flow_runs.retry(runs["calm-heron"].id)
        timers.ring()
        await until(pilot, lambda: "calm-heron" in listed(pilot))
        assert "calm-heron is not over (Scheduled); x cancels it first." in app.status.text
    assert is_there(home, runs["calm-heron"])


async def test_leaving_by_a_key_carries_deletes_out(home: SeededHome) -> None:
    """What was asked for is done."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        timers_of(app)
        await press(pilot, "G", "D", "q")
        await until(pilot, lambda: not app.is_running)
    assert not is_there(home, runs["lazy-fox"])


async def test_a_screen_that_ends_by_itself_has_deleted_nothing(home: SeededHome) -> None:
    """A lost line, a signal: nobody said that it shall be done now."""
    runs = seed(home)
    async with running_app(home) as (app, pilot):
        timers_of(app)
        await press(pilot, "G", "D")
        await until_shown(pilot, "lazy-fox is deleted")
        app.exit()
        await until(pilot, lambda: not app.is_running)
    assert is_there(home, runs["lazy-fox"])


async def test_an_error_while_deleting_brings_the_row_back(home: SeededHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever went wrong."""
    seed(home)
    async with running_app(home) as (app, pilot):
        timers = timers_of(app)
        await press(pilot, "G", "D")
        await until_shown(pilot, "lazy-fox is deleted")

        def fail(flow_runs: FlowRuns, key: int) -> None:
            raise OSError("the disk had a moment")

        monkeypatch.setattr(FlowRuns, "by_key", fail)
        timers.ring()
        await until(pilot, lambda: "lazy-fox" in listed(pilot))
        assert "the disk had a moment" in app.status.text
